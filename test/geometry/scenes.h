/*
 * scenes.h
 *		Scenes made by hand, for tests of what looks at a whole scene.
 */
#ifndef MF_TEST_SCENES_H
#define MF_TEST_SCENES_H

#include "../../src/geometry/whole.h"
#include "shapes.h"

typedef struct Made
{
	MfJob		job;
	MfRefusal	refusal;
	MfScene		scene;
} Made;

static inline void
begin_made(Made *made, MfPool *pool)
{
	memset(made, 0, sizeof(*made));
	made->job.refusal = &made->refusal;
	made->job.pool = pool;
	made->job.max_triangles = MF_DEFAULT_MAX_TRIANGLES;
	made->job.unit_in_mm = 1;
	made->job.unit_name = "mm";
	made->job.share = 1;
}

/* Adds a part of these triangles; corners that are equal are welded. */
static inline uint32_t
add_made_part(Made *made, const Soup *soup)
{
	MfPart	   *part = mf_scene_add_part(&made->job, &made->scene);
	MfWeld		weld = {0};
	bool		good = part != NULL &&
	mf_mesh_reserve_triangles(&made->job, &part->mesh, soup->count) &&
	mf_weld_begin(&weld, &made->job, &part->mesh, soup->count);

	good = good && mf_weld_add_narrow(&weld, (const uint8_t *) soup->triangle,
									  sizeof(*soup->triangle), soup->count);
	mf_weld_end(&weld);
	if (!good)
		exit(99);
	return made->scene.part_count - 1;
}

static inline void
place_made(Made *made, uint32_t part, const double (*linear)[3], double x,
		   double y, double z)
{
	const double shift[3] = {x, y, z};

	if (!mf_scene_place(&made->job, &made->scene, part, linear, shift))
		exit(99);
}

/* Measures the scene as mf_geometry_measure does, and frees it. */
static inline bool
measure_made(Made *made, MfMeasurement *m)
{
	bool		good = mf_scene_settle(&made->job, &made->scene);

	memset(m, 0, sizeof(*m));
	m->volume_mm3 = NAN;
	m->overlap_volume_mm3 = NAN;
	m->min_wall_mm = NAN;
	m->support_volume_mm3 = NAN;
	for (uint32_t p = 0; good && p < made->scene.part_count; p++)
		good = mf_part_measure(&made->job, &made->scene.part[p]);
	good = good && mf_totals_measure(&made->job, &made->scene, m) &&
		mf_rays_measure(&made->job, &made->scene, false, m);
	mf_scene_free(&made->job, &made->scene);
	return good && made->job.memory.used == 0;
}

#endif							/* MF_TEST_SCENES_H */
