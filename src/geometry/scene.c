/*
 * scene.c
 *		Parts, and where they stand.
 */
#define _GNU_SOURCE
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "scene.h"

/* A map is a similarity where its columns agree in length to this. */
#define SAME_LENGTH		1e-9

/* Grows an array by half; NULL: refused. */
static void *
grow(MfJob *job, void *old, uint32_t *room, uint64_t each)
{
	const uint32_t wanted = *room + *room / 2 + 4;
	void	   *grown = mf_memory_grow(&job->memory, old, *room * each,
									   wanted * each);

	if (grown == NULL)
		mf_job_out_of_memory(job);
	else
		*room = wanted;
	return grown;
}

/* A new, empty part; see scene.h. */
MfPart *
mf_scene_add_part(MfJob *job, MfScene *scene)
{
	if (scene->part_count == scene->part_room)
	{
		void	   *grown = grow(job, scene->part, &scene->part_room,
								 sizeof(*scene->part));

		if (grown == NULL)
			return NULL;
		scene->part = grown;
	}
	return &scene->part[scene->part_count++];
}

/* Puts a part somewhere; see scene.h. */
bool
mf_scene_place(MfJob *job, MfScene *scene, uint32_t part,
			   const double (*linear)[3], const double *shift)
{
	MfPlacement *placement;
	bool		finite = true;

	if (scene->placement_count >= MF_MAX_INSTANCES)
	{
		mf_refuse(job->refusal, MF_ERROR_ARCHIVE_BOMB,
				  "The file puts its parts into more than %d places.",
				  MF_MAX_INSTANCES);
		return false;
	}
	if (scene->placement_count == scene->placement_room)
	{
		void	   *grown = grow(job, scene->placement,
								 &scene->placement_room,
								 sizeof(*scene->placement));

		if (grown == NULL)
			return false;
		scene->placement = grown;
	}
	placement = &scene->placement[scene->placement_count++];
	placement->part = part;
	for (int i = 0; i < 3; i++)
	{
		/* Adding 0 turns -0 into 0, so that equal maps have equal bits. */
		for (int k = 0; k < 3; k++)
		{
			placement->linear[i][k] = linear != NULL ? linear[i][k] + 0.0 :
				i == k;
			finite &= isfinite(placement->linear[i][k]);
		}
		placement->shift[i] = shift != NULL ? shift[i] + 0.0 : 0;
		finite &= isfinite(placement->shift[i]);
	}
	if (!finite)
		mf_refuse(job->refusal, MF_ERROR_NON_FINITE,
				  "A part is put to a place that is not finite.");
	return finite;
}

/* Orders placements by part and map, then as the file has them. */
static int
compare_placements(const void *a, const void *b, void *arg)
{
	const MfPlacement *placement = arg;
	const uint32_t one = *(const uint32_t *) a;
	const uint32_t other = *(const uint32_t *) b;
	int			result;

	if (placement[one].part != placement[other].part)
		return placement[one].part < placement[other].part ? -1 : 1;
	result = memcmp(placement[one].linear, placement[other].linear,
					sizeof(placement->linear));
	return result != 0 ? result : one < other ? -1 : one > other;
}

/* What a linear map does to lengths and volumes. */
static void
describe_pose(MfPose *pose)
{
	const double (*m)[3] = (const double (*)[3]) pose->linear;
	double		length[3];
	double		determinant;
	double		skew = 0;

	determinant =
		m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) -
		m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
		m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
	pose->factor = fabs(determinant);
	pose->mirrored = determinant < 0;
	for (int k = 0; k < 3; k++)
	{
		const int	next = k == 2 ? 0 : k + 1;
		double		dot = 0;

		length[k] = sqrt(m[0][k] * m[0][k] + m[1][k] * m[1][k] +
						 m[2][k] * m[2][k]);
		for (int i = 0; i < 3; i++)
			dot += m[i][k] * m[i][next];
		skew = fmax(skew, fabs(dot));
	}
	pose->scale = length[0];
	pose->similar = length[0] > 0 &&
		fabs(length[1] - length[0]) <= SAME_LENGTH * length[0] &&
		fabs(length[2] - length[0]) <= SAME_LENGTH * length[0] &&
		skew <= SAME_LENGTH * length[0] * length[0];
	pose->identity = true;
	for (int i = 0; i < 3; i++)
		for (int k = 0; k < 3; k++)
			pose->identity &= m[i][k] == (i == k);
	if (pose->identity)
		pose->scale = 1;
}

/* Makes poses and instances out of the placements. */
static bool
group_placements(MfJob *job, MfScene *scene)
{
	const uint32_t count = scene->placement_count;
	const MfPlacement *placement = scene->placement;
	uint32_t   *order = mf_memory_alloc(&job->memory,
										count * sizeof(*order));

	scene->instance = mf_memory_alloc(&job->memory,
									  count * sizeof(*scene->instance));
	if (scene->instance != NULL)
		scene->instance_count = count;
	if (order == NULL || scene->instance == NULL)
	{
		mf_memory_free(&job->memory, order, count * sizeof(*order));
		return mf_job_out_of_memory(job);
	}
	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	qsort_r(order, count, sizeof(*order), compare_placements,
			(void *) placement);

	for (int pass = 0; pass < 2; pass++)
	{
		uint32_t	poses = 0;

		for (uint32_t i = 0; i < count; i++)
		{
			const MfPlacement *p = &placement[order[i]];
			const MfPlacement *before = i > 0 ? &placement[order[i - 1]] :
			NULL;

			if (before == NULL || before->part != p->part ||
				memcmp(before->linear, p->linear, sizeof(p->linear)) != 0)
			{
				if (pass == 1)
				{
					MfPose	   *pose = &scene->pose[poses];

					pose->part = p->part;
					memcpy(pose->linear, p->linear, sizeof(p->linear));
					describe_pose(pose);
				}
				poses++;
			}
			if (pass == 1)
			{
				MfInstance *instance = &scene->instance[order[i]];

				instance->pose = poses - 1;
				memcpy(instance->shift, p->shift, sizeof(p->shift));
				scene->pose[poses - 1].count++;
			}
		}
		if (pass == 0)
		{
			scene->pose = mf_memory_alloc(&job->memory,
										  poses * sizeof(*scene->pose));
			if (scene->pose == NULL)
			{
				mf_memory_free(&job->memory, order, count * sizeof(*order));
				return mf_job_out_of_memory(job);
			}
			scene->pose_count = poses;
		}
	}
	mf_memory_free(&job->memory, order, count * sizeof(*order));
	mf_memory_free(&job->memory, scene->placement,
				   scene->placement_room * sizeof(*scene->placement));
	scene->placement = NULL;
	scene->placement_count = 0;
	scene->placement_room = 0;
	return true;
}

/* The box of a pose: of its vertices, not of its part's box. */
static void
bound_pose(const MfScene *scene, MfPose *pose)
{
	const MfMesh *mesh = &scene->part[pose->part].mesh;

	for (int i = 0; i < 3; i++)
	{
		pose->low[i] = pose->identity ? mesh->low[i] : INFINITY;
		pose->high[i] = pose->identity ? mesh->high[i] : -INFINITY;
	}
	for (uint32_t v = 0; v < mesh->vertex_count && !pose->identity; v++)
	{
		double		own[3];
		double		at[3];

		mf_mesh_place(mesh, v, own);
		mf_pose_point(pose, own, at);
		for (int i = 0; i < 3; i++)
		{
			pose->low[i] = at[i] < pose->low[i] ? at[i] : pose->low[i];
			pose->high[i] = at[i] > pose->high[i] ? at[i] : pose->high[i];
		}
	}
}

/* Finds the boxes of poses and of the whole. */
static bool
bound_scene(MfJob *job, MfScene *scene)
{
	const double farthest = MF_MAX_COORDINATE_MM / job->unit_in_mm;

	for (int i = 0; i < 3; i++)
	{
		scene->low[i] = INFINITY;
		scene->high[i] = -INFINITY;
	}
	for (uint32_t p = 0; p < scene->pose_count; p++)
		bound_pose(scene, &scene->pose[p]);
	for (uint32_t n = 0; n < scene->instance_count; n++)
	{
		const MfInstance *instance = &scene->instance[n];
		const MfPose *pose = &scene->pose[instance->pose];

		for (int i = 0; i < 3; i++)
		{
			const double low = pose->low[i] + instance->shift[i];
			const double high = pose->high[i] + instance->shift[i];

			/* A NaN compares false with everything. */
			if (!(low >= -farthest && high <= farthest))
			{
				mf_refuse(job->refusal, MF_ERROR_MALFORMED,
						  "A part is put farther out than 10 km; please "
						  "check the model and its unit.");
				return false;
			}
			scene->low[i] = fmin(scene->low[i], low);
			scene->high[i] = fmax(scene->high[i], high);
		}
	}
	return true;
}

/* Groups and bounds a scene; see scene.h. */
bool
mf_scene_settle(MfJob *job, MfScene *scene)
{
	uint64_t	posed = 0;
	uint32_t	kept = 0;

	/* A part without triangles is nowhere. */
	for (uint32_t i = 0; i < scene->placement_count; i++)
		if (scene->part[scene->placement[i].part].mesh.triangle_count > 0)
			scene->placement[kept++] = scene->placement[i];
	scene->placement_count = kept;
	if (scene->placement_count == 0)
	{
		mf_refuse(job->refusal, MF_ERROR_EMPTY,
				  "The file contains no triangles.");
		return false;
	}
	if (!group_placements(job, scene))
		return false;
	for (uint32_t p = 0; p < scene->pose_count; p++)
	{
		MfPart	   *part = &scene->part[scene->pose[p].part];

		posed += part->mesh.triangle_count;
		if (posed > job->max_triangles)
			return mf_job_too_many(job, posed);
		if ((p == 0 || scene->pose[p].part != scene->pose[p - 1].part) &&
			!mf_mesh_bound(job, &part->mesh))
			return false;
	}
	return bound_scene(job, scene);
}

/* Gives everything back. */
void
mf_scene_free(MfJob *job, MfScene *scene)
{
	for (uint32_t i = 0; i < scene->part_count; i++)
	{
		mf_surface_free(job, &scene->part[i].surface);
		mf_mesh_free(job, &scene->part[i].mesh);
		mf_memory_free(&job->memory, scene->part[i].redundant_triangle,
					   scene->part[i].redundant_room);
	}
	mf_memory_free(&job->memory, scene->part,
				   scene->part_room * (uint64_t) sizeof(*scene->part));
	mf_memory_free(&job->memory, scene->placement, scene->placement_room *
				   (uint64_t) sizeof(*scene->placement));
	mf_memory_free(&job->memory, scene->pose,
				   scene->pose_count * (uint64_t) sizeof(*scene->pose));
	mf_memory_free(&job->memory, scene->instance, scene->instance_count *
				   (uint64_t) sizeof(*scene->instance));
	memset(scene, 0, sizeof(*scene));
}
