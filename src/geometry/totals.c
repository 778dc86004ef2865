/*
 * totals.c
 *		Sums over all instances: counts, box, area, volume and its centre.
 */
#include <math.h>

#include "whole.h"

/*
 * A model with less volume than this part of its area times its diagonal is
 * flat: the finest foil is a thousand times thicker.
 */
#define FLATTEST	1e-9

/* Area of a pose; that of its part where the map keeps shapes. */
static double
pose_area(MfJob *job, const MfScene *scene, const MfPose *pose)
{
	const MfPart *part = &scene->part[pose->part];
	MfSum		area = {0};

	if (pose->similar)
		return part->area * (pose->scale * pose->scale);
	for (uint32_t t = 0; t < part->mesh.triangle_count; t++)
	{
		double		at[3][3];

		if (t % MF_PROGRESS_ITEMS == 0)
			mf_job_progress(job, MF_STAGE_MEASURING, t,
							part->mesh.triangle_count);
		mf_pose_triangle(scene, pose, t, at);
		mf_sum_add(&area, mf_triangle_twice_area(at));
	}
	return (area.sum + area.lost) / 2;
}

/* Adds what a part counts, as often as it is there. */
static void
count_pose(const MfScene *scene, const MfPose *pose, MfMeasurement *m)
{
	const MfPart *part = &scene->part[pose->part];
	const MfTopology *found = &part->surface.found;
	const int64_t times = pose->count;

	m->triangles += times * part->surface.triangles;
	m->vertices += times * part->mesh.vertex_count;
	m->euler_number += times * ((int64_t) found->used_vertices -
								(int64_t) found->edges +
								(part->surface.triangles -
								 (int64_t) found->degenerate));
	m->holes += times * part->surface.holes.count;
	m->cavities += times * part->hollows;
	m->bodies += times * ((int64_t) part->shells - part->hollows);
	m->watertight &= found->edges > 0 && found->boundary == 0 &&
		found->non_manifold == 0;
	m->consistent_winding &= found->edges > 0 && found->flipped == 0;
}

/* Volume and its centre, in the order of the file. */
static void
sum_volume(const MfJob *job, const MfScene *scene, MfMeasurement *m)
{
	const double mm = job->unit_in_mm;
	MfSum		volume = {0};
	MfSum		trapped = {0};
	MfSum		moment[3] = {{0}};
	double		middle[3];
	double		total;

	for (int i = 0; i < 3; i++)
		middle[i] = scene->low[i] + (scene->high[i] - scene->low[i]) / 2;
	for (uint32_t n = 0; n < scene->instance_count; n++)
	{
		const MfInstance *instance = &scene->instance[n];
		const MfPose *pose = &scene->pose[instance->pose];
		const MfPart *part = &scene->part[pose->part];
		double		at[3];

		mf_pose_point(pose, part->centre, at);
		mf_sum_add(&volume, part->volume * pose->factor);
		mf_sum_add(&trapped, part->trapped * pose->factor);
		for (int i = 0; i < 3; i++)
			mf_sum_add(&moment[i], part->volume * pose->factor *
					   (at[i] + instance->shift[i] - middle[i]));
	}
	total = volume.sum + volume.lost;
	m->volume_mm3 = total * (mm * mm * mm);
	m->trapped_volume_mm3 = (trapped.sum + trapped.lost) * (mm * mm * mm);
	for (int i = 0; i < 3; i++)
	{
		const double at = (middle[i] +
						   (moment[i].sum + moment[i].lost) / total) * mm;

		m->centroid[i] = isfinite(at) ? at : NAN;
	}
}

/* A model without thickness has no volume; what rounding leaves is nobody's. */
static void
forget_flat(MfMeasurement *m)
{
	double		diagonal = 0;
	bool		flat = !(m->area_mm2 > 0);

	for (int i = 0; i < 3; i++)
	{
		const double side = m->bbox_max[i] - m->bbox_min[i];

		diagonal += side * side;
		flat |= side == 0;
	}
	flat |= m->volume_mm3 <= FLATTEST * m->area_mm2 * sqrt(diagonal);
	mf_measurement_add_defect(m, MF_DEFECT_FLAT, MF_SEVERITY_ERROR, flat,
							  NULL, false);
	if (!flat)
		return;
	m->volume_mm3 = NAN;
	m->trapped_volume_mm3 = NAN;
	for (int i = 0; i < 3; i++)
		m->centroid[i] = NAN;
}

/* Sums over all instances; see whole.h. */
bool
mf_totals_measure(MfJob *job, const MfScene *scene, MfMeasurement *m)
{
	const double mm = job->unit_in_mm;
	MfSum		area = {0};
	bool		closed = true;

	m->watertight = true;
	m->consistent_winding = true;
	for (uint32_t p = 0; p < scene->pose_count; p++)
	{
		const MfPose *pose = &scene->pose[p];

		count_pose(scene, pose, m);
		mf_sum_add(&area, pose->count * pose_area(job, scene, pose));
		closed &= scene->part[pose->part].closed;
	}
	m->area_mm2 = (area.sum + area.lost) * (mm * mm);
	for (int i = 0; i < 3; i++)
	{
		m->bbox_min[i] = scene->low[i] * mm;
		m->bbox_max[i] = scene->high[i] * mm;
	}
	if (closed)
		sum_volume(job, scene, m);
	forget_flat(m);
	return true;
}
