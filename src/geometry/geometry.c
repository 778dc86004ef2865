/*
 * geometry.c
 *		Measures one file: all steps in order.
 */
#include <math.h>
#include <string.h>
#include <time.h>

#include "picture.h"
#include "whole.h"

/* Memory that lines through a scene may want, and for each triangle. */
#define LINES_ROOM		(UINT64_C(8) << 20)
#define LINES_ROOM_EACH	40

static double
now_in_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double) now.tv_sec * 1e3 + (double) now.tv_nsec / 1e6;
}

/* Everything that is not known until it is measured. */
static void
start_measurement(MfMeasurement *m)
{
	memset(m, 0, sizeof(*m));
	m->volume_mm3 = NAN;
	m->trapped_volume_mm3 = NAN;
	m->overlap_volume_mm3 = NAN;
	for (int i = 0; i < 3; i++)
	{
		m->centroid[i] = NAN;
		m->tight_box_mm[i] = NAN;
	}
	m->min_wall_mm = NAN;
	for (int i = 0; i < MF_WALL_SHARES; i++)
		m->wall_mm[i] = NAN;
	m->overhang_area_mm2 = NAN;
	m->support_volume_mm3 = NAN;
	m->convex_hull_volume_mm3 = NAN;
}

/* Takes the unit to count in: the caller's, else the file's, else mm. */
static void
choose_unit(MfJob *job, MfUnit callers, MfUnit files, MfMeasurement *m)
{
	m->unit = MF_UNIT_MM;
	m->unit_from = MF_UNIT_FROM_DEFAULT;
	if (callers != MF_UNIT_NONE)
	{
		m->unit = callers;
		m->unit_from = MF_UNIT_FROM_CALLER;
	}
	else if (files != MF_UNIT_NONE)
	{
		m->unit = files;
		m->unit_from = MF_UNIT_FROM_FILE;
	}
	job->unit_in_mm = mf_unit_in_mm(m->unit);
	job->unit_name = mf_unit_name(m->unit);
}

/* Measures the parts that are somewhere, each once. */
static bool
measure_parts(MfJob *job, MfScene *scene)
{
	uint64_t	triangles = 0;
	uint64_t	done = 0;

	for (int pass = 0; pass < 2; pass++)
		for (uint32_t p = 0; p < scene->pose_count; p++)
		{
			MfPart	   *part = &scene->part[scene->pose[p].part];
			const uint32_t own = part->mesh.triangle_count;

			if (p > 0 && scene->pose[p].part == scene->pose[p - 1].part)
				continue;
			if (pass == 0)
			{
				triangles += own;
				continue;
			}
			job->share_from = (double) done / triangles;
			job->share = (double) own / triangles;
			done += own;
			if (!mf_part_measure(job, part))
				return false;
		}
	job->share_from = 0;
	job->share = 1;
	return true;
}

/*
 * What looks at the whole scene.  The hull is on its way while the scene is
 * cut into layers and lines are sent through it; where memory is short, it
 * gives its own back before the lines want theirs.
 */
static bool
look_at_whole(MfJob *job, const MfGeometryOptions *options, MfScene *scene,
			  MfMeasurement *m)
{
	MfConvex	convex = {0};
	const bool	hull = !options->basic;
	uint64_t	triangles = 0;
	bool		waits;
	bool		good;

	for (uint32_t p = 0; p < scene->part_count; p++)
		triangles += scene->part[p].mesh.triangle_count;
	good = !hull || (mf_convex_begin(job, scene, &convex) &&
					 mf_layers_measure(job, scene, m));
	waits = hull && good && job->memory.limit > 0 &&
		job->memory.used + LINES_ROOM + LINES_ROOM_EACH * triangles >
		job->memory.limit;
	if (waits)
		good = mf_convex_end(job, scene, &convex, m);
	if (good && options->section != NULL)
		good = mf_layers_section(job, scene, options->section);
	if (good)
	{
		mf_defects_list(job, scene, m);
		good = mf_rays_measure(job, scene, options->basic, m);
	}
	if (hull && !waits)
		good = mf_convex_end(job, scene, &convex, good ? m : NULL) && good;
	return good;
}

/* All steps that may be refused. */
static bool
work_through(MfJob *job, const MfGeometryOptions *options, MfScene *scene,
			 MfMeasurement *m)
{
	if (!mf_scene_read(job, scene, &m->format))
		return false;
	choose_unit(job, options->unit, scene->unit, m);
	if (!mf_scene_settle(job, scene) || !measure_parts(job, scene) ||
		!mf_totals_measure(job, scene, m))
		return false;
	if (!look_at_whole(job, options, scene, m))
		return false;
	if (options->picture != NULL && !options->basic)
		mf_picture_make(job, scene, m, options->picture,
						options->picture_arg);
	return true;
}

/*
 * Measures a file; see geometry.h.  Memory is given back in every case.
 */
bool
mf_geometry_measure(const uint8_t *bytes, size_t size,
					const MfGeometryOptions *options,
					MfMeasurement *m, MfRefusal *refusal)
{
	const double started = now_in_ms();
	MfJob		job = {
		.bytes = bytes,
		.size = size,
		.max_triangles = options->max_triangles > 0 ?
		options->max_triangles : MF_DEFAULT_MAX_TRIANGLES,
		.basic = options->basic,
		.repair_looks = MF_REPAIR_LOOKS,
		.memory = {.limit = options->memory_limit},
		.pool = options->pool,
		.refusal = refusal,
		.progress = options->progress,
		.progress_arg = options->progress_arg,
		.share = 1
	};
	MfScene		scene = {0};
	bool		good;

	if (job.max_triangles > MF_MAX_TRIANGLES_EVER)
		job.max_triangles = MF_MAX_TRIANGLES_EVER;
	memset(refusal, 0, sizeof(*refusal));
	start_measurement(m);
	choose_unit(&job, options->unit, MF_UNIT_NONE, m);
	good = work_through(&job, options, &scene, m);
	if (good)
		mf_job_progress(&job, MF_STAGE_DONE, 1, 1);
	mf_scene_free(&job, &scene);
	mf_memory_end(&job.memory);
	m->measured_in_ms = now_in_ms() - started;
	return good;
}
