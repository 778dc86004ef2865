/*
 * section.c
 *		The cross section at one height: its area and the length of its
 *		outline.
 *
 * A triangle that crosses the plane gives a segment, run so that the material
 * is on its left.  The area is half the sum of the cross products of the
 * segments' ends (Green's theorem), which need not be chained.
 */
#include <math.h>

#include "copies.h"
#include "whole.h"

/* Triangles that are looked at; beyond that the section is not known. */
#define MAX_LOOKS	(UINT64_C(1) << 28)

/*
 * Cuts a triangle at height z.  A corner at that height counts as above, so
 * that neighbours agree on who crosses.  False: it does not reach through.
 */
static bool
cut_triangle(const double at[3][3], double z, double from[2], double to[2])
{
	bool		any = false;

	for (int i = 0; i < 3; i++)
	{
		const double *a = at[i];
		const double *b = at[i == 2 ? 0 : i + 1];
		const bool	up = a[2] < z;
		double	   *end = up ? to : from;

		if (up == (b[2] < z))
			continue;
		any = true;
		for (int k = 0; k < 2; k++)
		{
			const double part = (z - a[2]) / (b[2] - a[2]);

			end[k] = a[k] + part * (b[k] - a[k]);
		}
	}
	return any;
}

/* Adds the section of a pose, before any shift, times `times`. */
static void
add_pose(MfJob *job, const MfScene *scene, const MfPose *pose, double z,
		 double times, MfSum *area, MfSum *perimeter)
{
	const uint32_t count = scene->part[pose->part].mesh.triangle_count;
	double		centre[2];

	for (int k = 0; k < 2; k++)
		centre[k] = pose->low[k] + (pose->high[k] - pose->low[k]) / 2;
	for (uint32_t t = 0; t < count; t++)
	{
		double		at[3][3];
		double		from[2];
		double		to[2];

		if (t % MF_PROGRESS_ITEMS == 0)
			mf_job_progress(job, MF_STAGE_MEASURING, t, count);
		mf_pose_triangle(scene, pose, t, at);
		for (int i = 0; i < 3; i++)
			for (int k = 0; k < 2; k++)
				at[i][k] -= centre[k];
		if (!cut_triangle((const double (*)[3]) at, z, from, to))
			continue;
		mf_sum_add(area, times * (from[0] * to[1] - from[1] * to[0]));
		mf_sum_add(perimeter,
				   times * hypot(to[0] - from[0], to[1] - from[1]));
	}
}

/* Cuts the scene at one height; see whole.h. */
bool
mf_layers_section(MfJob *job, const MfScene *scene, MfSection *section)
{
	const double mm = job->unit_in_mm;
	MfCopies	copies;
	MfSum		area = {0};
	MfSum		perimeter = {0};
	uint64_t	looks = 0;

	if (!mf_copies_find(job, scene, &copies))
		return false;
	for (uint32_t c = 0; c < copies.count && looks <= MAX_LOOKS; c++)
	{
		const MfCopy *copy = &copies.copy[c];
		const MfPose *pose = &scene->pose[copy->pose];
		const double z = section->z / mm - copy->z;

		if (!(z >= pose->low[2] && z <= pose->high[2]))
			continue;
		looks += scene->part[pose->part].mesh.triangle_count;
		if (looks <= MAX_LOOKS)
			add_pose(job, scene, pose, z, copy->count, &area, &perimeter);
	}
	mf_copies_free(job, &copies);
	section->area = (area.sum + area.lost) / 2 * (mm * mm);
	section->perimeter = (perimeter.sum + perimeter.lost) * mm;
	if (looks > MAX_LOOKS)
	{
		section->area = NAN;
		section->perimeter = NAN;
	}
	return true;
}
