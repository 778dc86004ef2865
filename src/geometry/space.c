/*
 * space.c
 *		Builds the space of a scene, and finds what a line meets in it.
 */
#include <math.h>
#include <string.h>

#include "crossing.h"
#include "space.h"

/* A line in a part's own space. */
typedef struct Own
{
	double		from[3];
	double		along[3];
	int			x;				/* axes: z is the longest of the direction */
	int			y;
	int			z;
	double		shear[2];
} Own;

/* ---- building ---- */

static void
triangle_box(const void *arg, uint32_t t, double low[3], double high[3])
{
	double		at[3][3];

	mf_mesh_triangle(arg, t, at);
	for (int k = 0; k < 3; k++)
	{
		low[k] = at[0][k];
		high[k] = at[0][k];
		for (int i = 1; i < 3; i++)
		{
			low[k] = at[i][k] < low[k] ? at[i][k] : low[k];
			high[k] = at[i][k] > high[k] ? at[i][k] : high[k];
		}
	}
}

static void
expect_triangle(const void *arg, uint32_t t, bool itself)
{
	const MfMesh *mesh = arg;

	if (itself)
		mf_mesh_expect(mesh, t);
	else
		__builtin_prefetch(&mesh->corners[t]);
}

static void
instance_box(const void *arg, uint32_t n, double low[3], double high[3])
{
	const MfScene *scene = arg;
	const MfInstance *instance = &scene->instance[n];
	const MfPose *pose = &scene->pose[instance->pose];

	for (int k = 0; k < 3; k++)
	{
		low[k] = pose->low[k] + instance->shift[k];
		high[k] = pose->high[k] + instance->shift[k];
	}
}

/* Inverts a pose's map; false: it has no inverse. */
static bool
invert(const MfPose *pose, double inverse[3][3])
{
	const double (*m)[3] = (const double (*)[3]) pose->linear;
	const double determinant = pose->mirrored ? -pose->factor : pose->factor;
	bool		good = pose->factor > 0;

	for (int i = 0; i < 3; i++)
		for (int k = 0; k < 3; k++)
		{
			const int	r = (k + 1) % 3;
			const int	s = (k + 2) % 3;
			const int	c = (i + 1) % 3;
			const int	d = (i + 2) % 3;

			inverse[i][k] = (m[r][c] * m[s][d] - m[r][d] * m[s][c]) /
				determinant;
			good &= isfinite(inverse[i][k]);
		}
	return good;
}

/* Builds the trees of the parts that are somewhere. */
static bool
build_parts(MfJob *job, MfSpace *space)
{
	const MfScene *scene = space->scene;
	const double share_from = job->share_from;
	const double share = job->share;
	bool		good = true;

	for (uint32_t p = 0; good && p < scene->pose_count; p++)
	{
		const MfPose *pose = &scene->pose[p];
		const MfMesh *mesh = &scene->part[pose->part].mesh;

		space->flat[p] = mesh->triangle_count == 0 ||
			!invert(pose, space->inverse[p]);
		if (space->flat[p] || space->tree[pose->part].count > 0)
			continue;
		job->share_from = share_from + share * p / scene->pose_count;
		job->share = share / scene->pose_count;
		good = mf_tree_build(job, &space->tree[pose->part],
							 mesh->triangle_count, mesh->low, mesh->high,
							 triangle_box, expect_triangle, mesh);
	}
	job->share_from = share_from;
	job->share = share;
	return good;
}

/* Builds a space; see space.h. */
bool
mf_space_build(MfJob *job, MfSpace *space, const MfScene *scene)
{
	bool		good;

	memset(space, 0, sizeof(*space));
	space->scene = scene;
	space->tree = mf_memory_alloc(&job->memory, scene->part_count *
								  (uint64_t) sizeof(*space->tree));
	space->inverse = mf_memory_alloc(&job->memory, scene->pose_count *
									 (uint64_t) sizeof(*space->inverse));
	space->flat = mf_memory_alloc(&job->memory, scene->pose_count);
	good = space->tree != NULL && space->inverse != NULL &&
		space->flat != NULL && build_parts(job, space) &&
		mf_tree_build(job, &space->top, scene->instance_count, scene->low,
					  scene->high, instance_box, NULL, scene);
	if (!good)
		mf_space_free(job, space);
	return good;
}

/* Gives a space's memory back. */
void
mf_space_free(MfJob *job, MfSpace *space)
{
	const MfScene *scene = space->scene;

	if (scene == NULL)
		return;
	for (uint32_t p = 0; space->tree != NULL && p < scene->part_count; p++)
		mf_tree_free(job, &space->tree[p]);
	mf_tree_free(job, &space->top);
	mf_memory_free(&job->memory, space->tree, scene->part_count *
				   (uint64_t) sizeof(*space->tree));
	mf_memory_free(&job->memory, space->inverse, scene->pose_count *
				   (uint64_t) sizeof(*space->inverse));
	mf_memory_free(&job->memory, space->flat, scene->pose_count);
	memset(space, 0, sizeof(*space));
}

/* ---- lines ---- */

/* Takes a line into the space of an instance's part; its parameter stays. */
static void
enter_part(const MfSpace *space, const MfInstance *instance,
		   const double from[3], const double along[3], Own *own)
{
	const bool	identity = space->scene->pose[instance->pose].identity;
	double		(*m)[3] = space->inverse[instance->pose];
	double		at[3];

	for (int i = 0; i < 3; i++)
		at[i] = from[i] - instance->shift[i];
	for (int i = 0; i < 3; i++)
	{
		own->from[i] = identity ? at[i] :
			m[i][0] * at[0] + m[i][1] * at[1] + m[i][2] * at[2];
		own->along[i] = identity ? along[i] :
			m[i][0] * along[0] + m[i][1] * along[1] + m[i][2] * along[2];
	}
}

/* Prepares a line for meeting triangles. */
static void
shear_line(Own *own)
{
	own->z = 0;
	for (int i = 1; i < 3; i++)
		if (fabs(own->along[i]) > fabs(own->along[own->z]))
			own->z = i;
	own->x = (own->z + 1) % 3;
	own->y = (own->z + 2) % 3;
	own->shear[0] = own->along[own->x] / own->along[own->z];
	own->shear[1] = own->along[own->y] / own->along[own->z];
}

/*
 * Where a line meets a triangle: Woop, Benthin and Wald, "Watertight
 * ray/triangle intersection", 2013, in doubles.  What is computed for an edge
 * differs by its sign only between the two triangles at it, and 0 counts for
 * both: no line goes through between them.
 */
static inline bool
meet_triangle(const Own *own, double at[3][3], double *t)
{
	double		x[3];
	double		y[3];
	double		z[3];
	double		u[3];
	double		sum;

	for (int i = 0; i < 3; i++)
	{
		z[i] = at[i][own->z] - own->from[own->z];
		x[i] = at[i][own->x] - own->from[own->x] - own->shear[0] * z[i];
		y[i] = at[i][own->y] - own->from[own->y] - own->shear[1] * z[i];
	}
	u[0] = x[2] * y[1] - y[2] * x[1];
	u[1] = x[0] * y[2] - y[0] * x[2];
	u[2] = x[1] * y[0] - y[1] * x[0];
	if ((u[0] < 0 || u[1] < 0 || u[2] < 0) &&
		(u[0] > 0 || u[1] > 0 || u[2] > 0))
		return false;
	sum = u[0] + u[1] + u[2];
	if (sum == 0)
		return false;
	*t = (u[0] * z[0] + u[1] * z[1] + u[2] * z[2]) / sum /
		own->along[own->z];
	return true;
}

/* Meets a line with one instance; false: looks are used up. */
static bool
meet_instance(const MfSpace *space, MfLine *line, uint32_t n,
			  MfMeeting *meeting)
{
	const MfInstance *instance = &space->scene->instance[n];
	const uint32_t part = space->scene->pose[instance->pose].part;
	const MfMesh *mesh = &space->scene->part[part].mesh;
	const MfTree *tree = &space->tree[part];
	MfWalk		walk;
	Own			own;
	uint32_t	first;
	uint32_t	count;

	if (space->flat[instance->pose])
		return true;
	enter_part(space, instance, line->from, line->along, &own);
	if (!mf_walk_begin(&walk, tree, own.from, own.along))
		return true;
	shear_line(&own);
	while (mf_walk_next(&walk, meeting->at, &line->looks, &first, &count))
		for (uint32_t i = first; i < first + count; i++)
		{
			const uint32_t triangle = tree->order[i];
			double		at[3][3];
			double		t;

			if (triangle == line->skip_triangle && n == line->skip_instance)
				continue;
			mf_mesh_triangle(mesh, triangle, at);
			if (meet_triangle(&own, at, &t) && t > line->least &&
				(t < meeting->at ||
				 (t == meeting->at && (n < meeting->instance ||
									   (n == meeting->instance &&
										triangle < meeting->triangle)))))
			{
				meeting->at = t;
				meeting->instance = n;
				meeting->triangle = triangle;
			}
		}
	return line->looks > 0;
}

/* The first triangle on a line; see space.h. */
bool
mf_space_meet(const MfSpace *space, MfLine *line, MfMeeting *meeting)
{
	MfWalk		walk;
	uint32_t	first;
	uint32_t	count;

	meeting->at = line->until;
	meeting->instance = 0;
	meeting->triangle = MF_NO_TRIANGLE;
	if (space->top.count == 1)
		return meet_instance(space, line, 0, meeting);
	if (!mf_walk_begin(&walk, &space->top, line->from, line->along))
		return true;
	while (mf_walk_next(&walk, meeting->at, &line->looks, &first, &count))
		for (uint32_t i = first; i < first + count; i++)
			if (!meet_instance(space, line, space->top.order[i], meeting))
				return false;
	return line->looks > 0;
}

/* ---- vertical lines ---- */

/* The height of a triangle over a point in it. */
static double
height_over(double at[3][3], double x, double y)
{
	double		u[3];
	double		v[3];
	double		low = at[0][2];
	double		high = at[0][2];
	double		nz;
	double		z;

	for (int i = 1; i < 3; i++)
	{
		low = at[i][2] < low ? at[i][2] : low;
		high = at[i][2] > high ? at[i][2] : high;
	}
	for (int i = 0; i < 3; i++)
	{
		u[i] = at[1][i] - at[0][i];
		v[i] = at[2][i] - at[0][i];
	}
	nz = u[0] * v[1] - u[1] * v[0];
	z = at[0][2] - ((u[1] * v[2] - u[2] * v[1]) * (x - at[0][0]) +
					(u[2] * v[0] - u[0] * v[2]) * (y - at[0][1])) / nz;
	/* Of a triangle on edge, z is not a number: the comparisons are false. */
	return z >= low ? z <= high ? z : high : z < low ? low :
		low + (high - low) / 2;
}

/* Passes an instance; false: no room, or looks are used up. */
static bool
pass_instance(const MfSpace *space, uint32_t n, const double from[3],
			  MfPassage *passage, uint32_t room, uint32_t *count,
			  uint64_t *looks)
{
	static const double up[3] = {0, 0, 1};
	const MfInstance *instance = &space->scene->instance[n];
	const MfPose *pose = &space->scene->pose[instance->pose];
	const MfPart *part = &space->scene->part[pose->part];
	const MfTree *tree = &space->tree[pose->part];
	const double x = from[0] - instance->shift[0];
	const double y = from[1] - instance->shift[1];
	MfWalk		walk;
	Own			own;
	uint32_t	first;
	uint32_t	items;

	if (space->flat[instance->pose])
		return true;
	enter_part(space, instance, from, up, &own);
	if (!mf_walk_begin(&walk, tree, own.from, own.along))
		return true;
	while (mf_walk_next(&walk, INFINITY, looks, &first, &items))
		for (uint32_t i = first; i < first + items; i++)
		{
			const uint32_t triangle = tree->order[i];
			const uint32_t *own_corner = part->mesh.corners[triangle];
			const uint32_t corner[3] = {
				own_corner[0],
				own_corner[pose->mirrored ? 2 : 1],
				own_corner[pose->mirrored ? 1 : 2]
			};
			double		at[3][3];
			int			winding;

			if (part->redundant_triangle != NULL &&
				part->redundant_triangle[triangle])
				continue;
			mf_pose_triangle(space->scene, pose, triangle, at);
			winding = triangle_winding(corner, at, x, y);
			if (winding == 0)
				continue;
			if (*count == room)
				return false;
			passage[*count].z = height_over(at, x, y) + instance->shift[2];
			passage[*count].winding = winding;
			passage[(*count)++].instance = n;
		}
	return *looks > 0;
}

/* Sorts passages upwards; those at one height in an order of their own. */
static void
sort_passages(MfPassage *passage, uint32_t count)
{
	for (uint32_t i = 1; i < count; i++)
	{
		const MfPassage one = passage[i];
		uint32_t	at = i;

		for (; at > 0 && (passage[at - 1].z > one.z ||
						  (passage[at - 1].z == one.z &&
						   passage[at - 1].winding < one.winding)); at--)
			passage[at] = passage[at - 1];
		passage[at] = one;
	}
}

/* All passages of a vertical line; see space.h. */
bool
mf_space_pass(const MfSpace *space, double x, double y, MfPassage *passage,
			  uint32_t room, uint32_t *count, uint64_t *looks)
{
	static const double up[3] = {0, 0, 1};
	const MfScene *scene = space->scene;
	const double from[3] = {
		x, y, scene->low[2] - (scene->high[2] - scene->low[2]) / 16
	};
	MfWalk		walk;
	uint32_t	first;
	uint32_t	items;

	*count = 0;
	if (!mf_walk_begin(&walk, &space->top, from, up))
		return true;
	while (mf_walk_next(&walk, INFINITY, looks, &first, &items))
		for (uint32_t i = first; i < first + items; i++)
			if (!pass_instance(space, space->top.order[i], from, passage,
							   room, count, looks))
				return false;
	sort_passages(passage, *count);
	return *looks > 0;
}
