/*
 * samples.c
 *		Surveys a scene, and takes samples of its triangles; see samples.h.
 *
 * A triangle overhangs where its normal is less than 45 degrees from straight
 * down and it does not lie on the plate: not all of it within a thousandth of
 * the scene's height from the lowest point.  What is built at 45 degrees
 * exactly, as much is, does not overhang, whichever way it was rounded.
 *
 * A sample's place in its triangle: how far the step reaches into the
 * triangle's share, and the number of the step written backwards in binary
 * (van der Corput, 1935).  Together they are a Hammersley set, spread evenly
 * over each triangle however often it is taken.
 */
#include <math.h>
#include <string.h>

#include "samples.h"

#define STRETCH		65536		/* triangles */
#define RUN			256			/* triangles whose terms are added up plainly */
#define PLATE		1e-3		/* of the height */
#define STEEPEST	(M_SQRT1_2 + 1e-9)	/* cosine of 45 degrees, and rounding */

/* What one triangle adds. */
typedef struct Share
{
	double		area;			/* of all instances; as are the others */
	double		overhang;
	double		under;
	double		height;			/* times under */
	uint32_t	resting;		/* instances where it lies on the plate */
} Share;

typedef struct Taking
{
	const MfSurvey *survey;
	MfSamples  *samples;
	MfSampled	sampled;
	double		step;
} Taking;

/* How many of a pose's instances have something at this height on the plate. */
static uint32_t
count_resting(const MfSurvey *survey, uint32_t pose, double highest)
{
	const MfScene *scene = survey->scene;
	const uint32_t *list = survey->by_pose + survey->pose_first[pose];
	uint32_t	low = 0;
	uint32_t	high = scene->pose[pose].count;

	while (low < high)
	{
		const uint32_t middle = low + (high - low) / 2;

		if (scene->instance[list[middle]].shift[2] + highest <=
			survey->lowest)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Mean height of the pose's instances above those that rest. */
static double
mean_shift(const MfSurvey *survey, uint32_t pose, uint32_t resting)
{
	const uint32_t first = survey->pose_first[pose];
	const uint32_t count = survey->scene->pose[pose].count;

	return resting < count ? survey->mean_shift[first + resting] : 0;
}

/* What a triangle adds to the sums. */
static inline void
share_of(const MfSurvey *survey, uint32_t pose, uint32_t t, Share *share)
{
	const MfScene *scene = survey->scene;
	const uint32_t count = scene->pose[pose].count;
	double		at[3][3];
	double		u[3];
	double		v[3];
	double		n[3];
	double		length;

	mf_pose_triangle(scene, &scene->pose[pose], t, at);
	for (int i = 0; i < 3; i++)
	{
		u[i] = at[1][i] - at[0][i];
		v[i] = at[2][i] - at[0][i];
	}
	n[0] = u[1] * v[2] - u[2] * v[1];
	n[1] = u[2] * v[0] - u[0] * v[2];
	n[2] = u[0] * v[1] - u[1] * v[0];
	length = sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]);
	share->area = length / 2 * count;
	share->overhang = 0;
	share->under = 0;
	share->height = 0;
	share->resting = 0;
	if (n[2] < -STEEPEST * length)
	{
		const double highest = fmax(at[0][2], fmax(at[1][2], at[2][2]));

		share->resting = count_resting(survey, pose, highest);
		share->overhang = length / 2 * (count - share->resting);
		share->under = -n[2] / 2 * (count - share->resting);
		share->height = share->under *
			((at[0][2] + at[1][2] + at[2][2]) / 3 +
			 mean_shift(survey, pose, share->resting) - scene->low[2]);
	}
}

/* The mesh that a stretch is of. */
static inline const MfMesh *
mesh_of(const MfSurvey *survey, const MfStretch *stretch)
{
	const MfScene *scene = survey->scene;

	return &scene->part[scene->pose[stretch->pose].part].mesh;
}

/* Adds up one stretch. */
static void
add_stretch(void *arg, uint32_t task)
{
	const MfSurvey *survey = arg;
	MfStretch  *stretch = &survey->stretch[task];
	const MfMesh *mesh = mesh_of(survey, stretch);
	MfSum		area = {0};
	MfSum		overhang = {0};
	MfSum		under = {0};
	MfSum		height = {0};

	for (uint32_t t = 0; t < stretch->count;)
	{
		const uint32_t end = stretch->count - t < RUN ? stretch->count :
		t + RUN;
		Share		run = {0};

		for (; t < end; t++)
		{
			Share		share;

			if (stretch->count - t > MF_MESH_AHEAD)
				mf_mesh_expect(mesh, stretch->first + t + MF_MESH_AHEAD);
			share_of(survey, stretch->pose, stretch->first + t, &share);
			run.area += share.area;
			run.overhang += share.overhang;
			run.under += share.under;
			run.height += share.height;
		}
		mf_sum_add(&area, run.area);
		mf_sum_add(&overhang, run.overhang);
		mf_sum_add(&under, run.under);
		mf_sum_add(&height, run.height);
	}
	stretch->area = area.sum + area.lost;
	stretch->overhang = overhang.sum + overhang.lost;
	stretch->under = under.sum + under.lost;
	stretch->height = height.sum + height.lost;
}

/* Is instance a lower than b?  Those of one height in the file's order. */
static bool
is_lower(const MfScene *scene, uint32_t a, uint32_t b)
{
	const double za = scene->instance[a].shift[2];
	const double zb = scene->instance[b].shift[2];

	return za < zb || (za == zb && a < b);
}

/* Heap sort by height: see sort.c for why not the C library's. */
static void
sort_by_height(const MfScene *scene, uint32_t *list, uint32_t count)
{
	for (uint32_t n = count / 2 + count; n-- > 1;)
	{
		const uint32_t size = n < count ? n : count;
		uint32_t	root = n < count ? 0 : n - count;
		uint32_t	one = list[root];

		if (n < count)
		{
			one = list[n];
			list[n] = list[0];
		}
		for (;;)
		{
			uint64_t	child = 2 * (uint64_t) root + 1;

			if (child >= size)
				break;
			if (child + 1 < size &&
				is_lower(scene, list[child], list[child + 1]))
				child++;
			if (!is_lower(scene, one, list[child]))
				break;
			list[root] = list[child];
			root = (uint32_t) child;
		}
		list[root] = one;
	}
}

/* Lists the instances by pose and height, and how high those from each are. */
static void
list_instances(MfSurvey *survey)
{
	const MfScene *scene = survey->scene;
	uint32_t	begin = 0;

	for (uint32_t p = 0; p < scene->pose_count; p++)
	{
		survey->pose_first[p] = begin;
		begin += scene->pose[p].count;
	}
	for (uint32_t n = 0; n < scene->instance_count; n++)
		survey->by_pose[survey->pose_first[scene->instance[n].pose]++] = n;
	for (uint32_t p = 0; p < scene->pose_count; p++)
	{
		survey->pose_first[p] -= scene->pose[p].count;
		sort_by_height(scene, survey->by_pose + survey->pose_first[p],
					   scene->pose[p].count);
	}
	for (uint32_t p = 0; p < scene->pose_count; p++)
	{
		const uint32_t first = survey->pose_first[p];
		MfSum		sum = {0};

		for (uint32_t n = scene->pose[p].count; n-- > 0;)
		{
			mf_sum_add(&sum, scene->instance[survey->by_pose[first + n]]
					   .shift[2]);
			survey->mean_shift[first + n] = (sum.sum + sum.lost) /
				(scene->pose[p].count - n);
		}
	}
}

/* Cuts the poses into stretches; returns how many. */
static uint32_t
cut_stretches(const MfScene *scene, MfStretch *stretch)
{
	uint32_t	count = 0;

	for (uint32_t p = 0; p < scene->pose_count; p++)
	{
		const uint32_t triangles =
		scene->part[scene->pose[p].part].mesh.triangle_count;

		for (uint32_t t = 0; t < triangles; t += STRETCH, count++)
			if (stretch != NULL)
			{
				stretch[count].pose = p;
				stretch[count].first = t;
				stretch[count].count = triangles - t < STRETCH ?
					triangles - t : STRETCH;
			}
	}
	return count;
}

/* Sums up the stretches. */
static void
add_survey(MfSurvey *survey)
{
	MfSum		area = {0};
	MfSum		overhang = {0};
	MfSum		under = {0};
	MfSum		height = {0};

	for (uint32_t i = 0; i < survey->stretch_count; i++)
	{
		MfStretch  *stretch = &survey->stretch[i];

		stretch->area_before = area.sum + area.lost;
		stretch->under_before = under.sum + under.lost;
		mf_sum_add(&area, stretch->area);
		mf_sum_add(&overhang, stretch->overhang);
		mf_sum_add(&under, stretch->under);
		mf_sum_add(&height, stretch->height);
		survey->triangles += (uint64_t) stretch->count *
			survey->scene->pose[stretch->pose].count;
	}
	survey->area = area.sum + area.lost;
	survey->overhang = overhang.sum + overhang.lost;
	survey->under = under.sum + under.lost;
	survey->height = height.sum + height.lost;
}

/* Surveys a scene; see samples.h. */
bool
mf_survey_take(MfJob *job, const MfScene *scene, MfSurvey *survey)
{
	memset(survey, 0, sizeof(*survey));
	survey->scene = scene;
	survey->lowest = scene->low[2] +
		PLATE * (scene->high[2] - scene->low[2]);
	survey->stretch_count = cut_stretches(scene, NULL);
	survey->stretch = mf_memory_alloc(&job->memory, survey->stretch_count *
									  (uint64_t) sizeof(*survey->stretch));
	survey->by_pose = mf_memory_alloc(&job->memory, scene->instance_count *
									  (uint64_t) sizeof(*survey->by_pose));
	survey->mean_shift = mf_memory_alloc(&job->memory, scene->instance_count *
										 (uint64_t) sizeof(*survey->mean_shift));
	survey->pose_first = mf_memory_alloc(&job->memory, scene->pose_count *
										 (uint64_t) sizeof(*survey->pose_first));
	if (survey->stretch == NULL || survey->by_pose == NULL ||
		survey->mean_shift == NULL || survey->pose_first == NULL)
		return mf_job_out_of_memory(job);
	cut_stretches(scene, survey->stretch);
	list_instances(survey);
	mf_pool_run(job->pool, survey->stretch_count, add_stretch, survey);
	add_survey(survey);
	return true;
}

/* Gives a survey's memory back. */
void
mf_survey_free(MfJob *job, MfSurvey *survey)
{
	const MfScene *scene = survey->scene;

	mf_memory_free(&job->memory, survey->stretch, survey->stretch_count *
				   (uint64_t) sizeof(*survey->stretch));
	mf_memory_free(&job->memory, survey->by_pose, scene->instance_count *
				   (uint64_t) sizeof(*survey->by_pose));
	mf_memory_free(&job->memory, survey->mean_shift, scene->instance_count *
				   (uint64_t) sizeof(*survey->mean_shift));
	mf_memory_free(&job->memory, survey->pose_first, scene->pose_count *
				   (uint64_t) sizeof(*survey->pose_first));
	memset(survey, 0, sizeof(*survey));
}

/* ---- samples ---- */

/* The bits of a number backwards, as a fraction, and turned off the edges. */
static double
turn_around(uint32_t k)
{
	k = k << 16 | k >> 16;
	k = (k & 0x00ff00ff) << 8 | (k & 0xff00ff00) >> 8;
	k = (k & 0x0f0f0f0f) << 4 | (k & 0xf0f0f0f0) >> 4;
	k = (k & 0x33333333) << 2 | (k & 0xcccccccc) >> 2;
	k = (k & 0x55555555) << 1 | (k & 0xaaaaaaaa) >> 1;
	k += UINT32_C(0x61c88647);
	return k / 4294967296.0;
}

/* The first step, of those in the middles, that is not before this area. */
static uint32_t
step_after(const Taking *taking, double before)
{
	const double k = ceil(before / taking->step - 0.5);

	return !(k > 0) ? 0 : k >= taking->samples->count ?
		taking->samples->count : (uint32_t) k;
}

/* Notes that step k falls on a triangle, at this fraction of its share. */
static void
take_step(const Taking *taking, const MfStretch *stretch, uint32_t t,
		  uint32_t resting, uint32_t k, double into)
{
	const MfSurvey *survey = taking->survey;
	const uint32_t standing = survey->scene->pose[stretch->pose].count -
	resting;
	MfSample   *sample = &taking->samples->sample[k];

	/* Each instance in turn; a fraction of the share says where in it. */
	const double which = into * standing;
	const uint32_t nth = !(which > 0) ? 0 : which >= standing ?
	standing - 1 : (uint32_t) which;

	sample->instance = survey->by_pose[survey->pose_first[stretch->pose] +
									   resting + nth];
	sample->triangle = t;
	sample->weight = taking->step;
	sample->place[0] = fmin(fmax(which - nth, 0), 1);
	sample->place[1] = turn_around(k);
}

/* Takes the steps that fall into one stretch. */
static void
take_stretch(void *arg, uint32_t task)
{
	const Taking *taking = arg;
	const MfSurvey *survey = taking->survey;
	const MfStretch *stretch = &survey->stretch[task];
	const MfMesh *mesh = mesh_of(survey, stretch);
	const bool	all = taking->sampled == MF_SAMPLED_AREA;
	const bool	last = task + 1 == survey->stretch_count;
	double		before = all ? stretch->area_before : stretch->under_before;
	const uint32_t end = last ? taking->samples->count :
	step_after(taking, all ? stretch[1].area_before :
			   stretch[1].under_before);
	uint32_t	k = step_after(taking, before);
	uint32_t	taken = stretch->count;
	Share		share = {0};

	for (uint32_t t = 0; t < stretch->count && k < end; t++)
	{
		double		own;

		if (stretch->count - t > MF_MESH_AHEAD)
			mf_mesh_expect(mesh, stretch->first + t + MF_MESH_AHEAD);
		share_of(survey, stretch->pose, stretch->first + t, &share);
		own = all ? share.area : share.under;
		if (!(own > 0))
			continue;
		taken = t;
		for (; k < end && (k + 0.5) * taking->step < before + own; k++)
			take_step(taking, stretch, stretch->first + t,
					  all ? 0 : share.resting, k,
					  ((k + 0.5) * taking->step - before) / own);
		before += own;
	}

	/* Rounding may leave a step behind the last triangle that has a share. */
	if (k < end && taken < stretch->count)
	{
		share_of(survey, stretch->pose, stretch->first + taken, &share);
		for (; k < end; k++)
			take_step(taking, stretch, stretch->first + taken,
					  all ? 0 : share.resting, k, 0.5);
	}
}

static bool
make_room(MfJob *job, MfSamples *samples, uint32_t count)
{
	memset(samples, 0, sizeof(*samples));
	samples->sample = mf_memory_alloc(&job->memory, count *
									  (uint64_t) sizeof(*samples->sample));
	if (samples->sample == NULL)
		return false;
	samples->count = count;
	samples->room = count;
	return true;
}

/* Takes samples by steps; see samples.h. */
bool
mf_samples_take(MfJob *job, const MfSurvey *survey, MfSampled sampled,
				uint32_t count, MfSamples *samples)
{
	const double total = sampled == MF_SAMPLED_AREA ? survey->area :
	survey->under;
	Taking		taking = {
		.survey = survey,.samples = samples,.sampled = sampled,
		.step = total / count
	};

	if (!(taking.step > 0) || !isfinite(total / taking.step))
		count = 0;
	if (!make_room(job, samples, count))
		return false;
	if (count > 0)
		mf_pool_run(job->pool, survey->stretch_count, take_stretch, &taking);

	return true;
}

/* Takes every triangle; see samples.h. */
bool
mf_samples_take_all(MfJob *job, const MfSurvey *survey, MfSamples *samples)
{
	const MfScene *scene = survey->scene;
	uint32_t	k = 0;

	if (!make_room(job, samples, (uint32_t) survey->triangles))
		return false;
	for (uint32_t n = 0; n < scene->instance_count; n++)
	{
		const MfPose *pose = &scene->pose[scene->instance[n].pose];
		const MfMesh *mesh = &scene->part[pose->part].mesh;

		for (uint32_t t = 0; t < mesh->triangle_count; t++, k++)
		{
			double		at[3][3];

			mf_pose_triangle(scene, pose, t, at);
			samples->sample[k].instance = n;
			samples->sample[k].triangle = t;
			samples->sample[k].weight = mf_triangle_twice_area(at) / 2;
		}
	}
	return true;
}

/* Gives the samples' memory back. */
void
mf_samples_free(MfJob *job, MfSamples *samples)
{
	mf_memory_free(&job->memory, samples->sample, samples->room *
				   (uint64_t) sizeof(*samples->sample));
	memset(samples, 0, sizeof(*samples));
}
