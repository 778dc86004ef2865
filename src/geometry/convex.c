/*
 * convex.c
 *		The convex hull of a scene: its volume, and the tight box.
 *
 * The hull of each part is found once.  A map takes it along, so for one
 * instance that is all; for more, the hull of the parts' corners, each where
 * it stands, is that of the whole.
 */
#include <math.h>
#include <string.h>

#include "hull.h"
#include "whole.h"

/* Corners of all instances; where there are more, parts get fewer. */
#define MOST_CORNERS	(UINT32_C(1) << 22)

/* Directions that are kept of a part that has to do with fewer corners. */
#define DIRECTIONS		26

/* Is this the first pose of its part? */
static bool
is_first(const MfScene *scene, uint32_t pose)
{
	return pose == 0 ||
		scene->pose[pose].part != scene->pose[pose - 1].part;
}

/*
 * Leaves the corners of a hull that are farthest out along the axes and
 * between them, in terms of the part's box.
 */
static void
reduce_hull(const MfMesh *mesh, MfHull *hull)
{
	double		kept[DIRECTIONS][3];
	uint32_t	count = 0;

	if (hull->count <= DIRECTIONS)
		return;
	for (int d = 0; d < 27; d++)
	{
		const double sign[3] = {d % 3 - 1, d / 3 % 3 - 1, d / 9 - 1};
		double		best = -INFINITY;

		if (d == 13)
			continue;
		for (uint32_t n = 0; n < hull->count; n++)
		{
			double		far = 0;

			for (int k = 0; k < 3; k++)
				if (mesh->high[k] > mesh->low[k])
					far += sign[k] * (hull->at[n][k] - mesh->low[k]) /
						(mesh->high[k] - mesh->low[k]);
			if (far > best)
			{
				best = far;
				memcpy(kept[count], hull->at[n], sizeof(kept[0]));
			}
		}
		count++;
	}
	memcpy(hull->at, kept, sizeof(kept));
	hull->count = count;
}

/* The hull of a part, which may be on its way.  False: refused. */
static bool
find_part(MfJob *job, const MfScene *scene, MfConvex *convex, uint32_t part,
		  MfHull *hull)
{
	MfHullSearch *search = convex->search;

	if (search == NULL || convex->part != part)
		return mf_hull_find(job, &scene->part[part].mesh, hull);
	convex->search = NULL;
	return mf_hull_end(job, search, hull);
}

/*
 * The hulls of the parts, and how many corners all instances have.  `known`
 * is false where a hull took too long.  False: refused.
 */
static bool
find_parts(MfJob *job, const MfScene *scene, MfConvex *convex, MfHull *hull,
		   uint64_t *corners, bool *known)
{
	*corners = 0;
	*known = true;
	for (uint32_t p = 0; p < scene->pose_count; p++)
	{
		const uint32_t part = scene->pose[p].part;

		if (is_first(scene, p) &&
			!find_part(job, scene, convex, part, &hull[part]))
			return false;
		*corners += (uint64_t) scene->pose[p].count * hull[part].count;
		*known &= hull[part].count > 0;
	}
	if (*corners <= MOST_CORNERS)
		return true;
	*corners = 0;
	for (uint32_t p = 0; p < scene->pose_count; p++)
	{
		const uint32_t part = scene->pose[p].part;

		if (is_first(scene, p))
			reduce_hull(&scene->part[part].mesh, &hull[part]);
		*corners += (uint64_t) scene->pose[p].count * hull[part].count;
	}
	return true;
}

/* Puts the corners of all instances where they stand. */
static void
place_corners(const MfScene *scene, const MfHull *hull, MfMesh *all)
{
	for (int k = 0; k < 3; k++)
	{
		all->low[k] = INFINITY;
		all->high[k] = -INFINITY;
	}
	for (uint32_t n = 0; n < scene->instance_count; n++)
	{
		const MfInstance *instance = &scene->instance[n];
		const MfPose *pose = &scene->pose[instance->pose];
		const MfHull *own = &hull[pose->part];

		for (uint32_t c = 0; c < own->count; c++)
		{
			double	   *at = all->wide_at[all->vertex_count++];

			mf_pose_point(pose, own->at[c], at);
			for (int k = 0; k < 3; k++)
			{
				at[k] += instance->shift[k];
				all->low[k] = fmin(all->low[k], at[k]);
				all->high[k] = fmax(all->high[k], at[k]);
			}
		}
	}
}

/* Fills the measurement.  False: refused. */
static bool
fill(MfJob *job, const double (*at)[3], uint32_t count, double volume,
	 MfMeasurement *m)
{
	const double mm = job->unit_in_mm;

	if (count == 0)
		return true;
	m->convex_hull_volume_mm3 = volume * (mm * mm * mm);
	if (!mf_box_find(job, at, count, m->tight_box_mm))
		return false;
	for (int k = 0; k < 3; k++)
		m->tight_box_mm[k] *= mm;
	return true;
}

/* Does the work, with hulls that the caller frees. */
static bool
measure_parts(MfJob *job, const MfScene *scene, MfConvex *convex,
			  MfHull *hull, MfMeasurement *m)
{
	MfMesh		all = {.wide = true};
	MfHull		whole = {0};
	uint64_t	corners;
	uint64_t	bytes;
	bool		known;
	bool		good = true;

	if (!find_parts(job, scene, convex, hull, &corners, &known))
		return false;
	if (!known)
		return true;
	bytes = corners * sizeof(*all.wide_at);
	all.wide_at = mf_memory_alloc(&job->memory, bytes);
	if (all.wide_at == NULL)
		return mf_job_out_of_memory(job);
	place_corners(scene, hull, &all);
	if (scene->instance_count == 1)
		good = fill(job, (const double (*)[3]) all.wide_at, all.vertex_count,
					hull[scene->pose[0].part].volume * scene->pose[0].factor,
					m);
	else
		good = mf_hull_find(job, &all, &whole) &&
			fill(job, (const double (*)[3]) whole.at, whole.count,
				 whole.volume, m);
	mf_hull_free(job, &whole);
	mf_memory_free(&job->memory, all.wide_at, bytes);
	return good;
}

/*
 * Begins with the first part, so that no two hulls are ever on their way; see
 * whole.h.
 */
bool
mf_convex_begin(MfJob *job, const MfScene *scene, MfConvex *convex)
{
	convex->part = scene->pose[0].part;
	return mf_hull_begin(job, &scene->part[convex->part].mesh,
						 &convex->search);
}

/* Measures the hull of the scene; see whole.h. */
bool
mf_convex_end(MfJob *job, const MfScene *scene, MfConvex *convex,
			  MfMeasurement *m)
{
	const uint64_t bytes = scene->part_count * (uint64_t) sizeof(MfHull);
	MfHull	   *hull = m == NULL ? NULL :
	mf_memory_alloc(&job->memory, bytes);
	bool		good = m == NULL;

	if (hull != NULL)
	{
		good = measure_parts(job, scene, convex, hull, m);
		for (uint32_t p = 0; p < scene->part_count; p++)
			mf_hull_free(job, &hull[p]);
		mf_memory_free(&job->memory, hull, bytes);
	}
	if (convex->search != NULL)
		(void) mf_hull_end(job, convex->search, NULL);
	convex->search = NULL;
	return good || mf_job_out_of_memory(job);
}
