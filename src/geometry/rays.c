/*
 * rays.c
 *		Everything that is measured by lines through the scene: the way from
 *		the survey over the trees to walls, supports, overlaps and
 *		intersections.
 *
 * Where there is no memory for the trees, the model is still measured: what
 * only they can tell is not known.
 */
#include <math.h>
#include <string.h>

#include "rays.h"

/* Basic measurements look for overlaps up to so many triangles. */
#define BASIC_TRIANGLES	200000

/* Tasks between two looks at the progress. */
#define ROUND			16

typedef struct Round
{
	MfTask		work;
	void	   *arg;
	uint32_t	first;
} Round;

typedef struct Sending
{
	const MfRays *rays;
	MfSamples  *samples;
	MfSampleLine line;
	double		all;			/* weight */
	double		unknown;
	uint32_t	seen;			/* samples that these are of */
} Sending;

/* A sample's point and normal; see rays.h. */
bool
mf_rays_start(const MfRays *rays, const MfSample *sample, bool middle,
			  double point[3], double normal[3])
{
	const MfInstance *instance = &rays->scene->instance[sample->instance];
	const double root = sqrt(sample->place[0]);
	double		share[3] = {1 / 3.0, 1 / 3.0, 1 / 3.0};
	double		at[3][3];
	double		u[3];
	double		v[3];
	double		length;

	if (!middle)
	{
		share[0] = 1 - root;
		share[1] = root * (1 - sample->place[1]);
		share[2] = root * sample->place[1];
	}
	mf_pose_triangle(rays->scene, &rays->scene->pose[instance->pose],
					 sample->triangle, at);
	for (int i = 0; i < 3; i++)
	{
		u[i] = at[1][i] - at[0][i];
		v[i] = at[2][i] - at[0][i];
		point[i] = at[0][i] * share[0] + at[1][i] * share[1] +
			at[2][i] * share[2] + instance->shift[i];
	}
	normal[0] = u[1] * v[2] - u[2] * v[1];
	normal[1] = u[2] * v[0] - u[0] * v[2];
	normal[2] = u[0] * v[1] - u[1] * v[0];
	length = sqrt(normal[0] * normal[0] + normal[1] * normal[1] +
				  normal[2] * normal[2]);
	for (int i = 0; i < 3; i++)
		normal[i] /= length;
	return isfinite(normal[0]) && isfinite(normal[1]) && isfinite(normal[2]);
}

static void
run_task(void *arg, uint32_t task)
{
	const Round *round = arg;

	round->work(round->arg, round->first + task);
}

/* Runs tasks in rounds; see rays.h. */
void
mf_rays_run(const MfRays *rays, uint32_t tasks, MfTask work,
			MfHopeless hopeless, void *arg, int from, int until)
{
	Round		round = {.work = work,.arg = arg};

	for (; round.first < tasks && !hopeless(arg, round.first);
		 round.first += ROUND)
	{
		mf_job_progress(rays->job, MF_STAGE_WALLS, from * (uint64_t) tasks +
						(until - from) * (uint64_t) round.first,
						100 * (uint64_t) tasks);
		mf_pool_run(rays->job->pool, tasks - round.first < ROUND ?
					tasks - round.first : ROUND, run_task, &round);
	}
	mf_job_progress(rays->job, MF_STAGE_WALLS, until, 100);
}

/* Sends the lines of one task. */
static void
send_task(void *arg, uint32_t task)
{
	const Sending *sending = arg;
	const uint32_t first = task * MF_LINES_OF_TASK;
	uint64_t	left = MF_LINES_OF_TASK * MF_LOOKS_OF_LINE;

	for (uint32_t k = first; k < first + MF_LINES_OF_TASK &&
		 k < sending->samples->count; k++)
	{
		MfSample   *sample = &sending->samples->sample[k];
		const uint64_t given = left < MF_LOOKS_AT_MOST ? left :
		MF_LOOKS_AT_MOST;
		uint64_t	looks = given;

		sample->length = sending->line(sending->rays, sample, &looks);
		left -= given - looks;
	}
}

/* Do too many of the lines so far find nothing? */
static bool
find_nothing(void *arg, uint32_t done)
{
	Sending    *sending = arg;
	const MfSamples *samples = sending->samples;

	for (; sending->seen < done * MF_LINES_OF_TASK; sending->seen++)
		if (!(samples->sample[sending->seen].length >= 0))
			sending->unknown += samples->sample[sending->seen].weight;
	return sending->unknown > MF_UNKNOWN_SHARE * sending->all;
}

/* Sends a line for each sample; see rays.h. */
void
mf_rays_send(const MfRays *rays, MfSamples *samples, MfSampleLine line,
			 int from, int until)
{
	Sending		sending = {.rays = rays,.samples = samples,.line = line};

	for (uint32_t k = 0; k < samples->count; k++)
	{
		samples->sample[k].length = -1;
		sending.all += samples->sample[k].weight;
	}
	mf_rays_run(rays, (samples->count + MF_LINES_OF_TASK - 1) /
				MF_LINES_OF_TASK, send_task, find_nothing, &sending, from,
				until);
}

/* All that needs the trees; false: no memory. */
static bool
send_all(MfRays *rays, bool basic, MfMeasurement *m)
{
	bool		good;

	rays->job->share_from = 0.05;
	rays->job->share = 0.35;
	good = mf_space_build(rays->job, &rays->space, rays->scene);
	rays->job->share_from = 0;
	rays->job->share = 1;
	if (!good)
		return false;
	if (!basic && rays->closed && (!mf_walls_measure(rays, m) ||
								   !mf_supports_measure(rays, m)))
		return false;
	if (rays->closed && !mf_overlaps_measure(rays, m))
		return false;
	return mf_intersections_find(rays, m);
}

/* Measures by lines; see whole.h. */
bool
mf_rays_measure(MfJob *job, const MfScene *scene, bool basic,
				MfMeasurement *m)
{
	const double mm = job->unit_in_mm;
	MfRays		rays = {.job = job,.scene = scene};
	uint64_t	triangles = 0;
	double		square = 0;
	bool		good = true;

	/* A model without a volume has nothing that a line could tell. */
	rays.closed = !isnan(m->volume_mm3);
	for (int i = 0; i < 3; i++)
		square += (scene->high[i] - scene->low[i]) *
			(scene->high[i] - scene->low[i]);
	rays.diagonal = sqrt(square);
	for (uint32_t n = 0; n < scene->instance_count; n++)
		triangles += scene->part[scene->pose[scene->instance[n].pose].part]
			.mesh.triangle_count;
	if (!basic)
	{
		mf_job_progress(job, MF_STAGE_WALLS, 0, 100);
		good = mf_survey_take(job, scene, &rays.survey);
		if (good)
			m->overhang_area_mm2 = rays.survey.overhang * (mm * mm);
	}
	if (good && (!basic || triangles <= BASIC_TRIANGLES))
		(void) send_all(&rays, basic, m);
	mf_space_free(job, &rays.space);
	if (!basic)
		mf_survey_free(job, &rays.survey);
	return good;
}
