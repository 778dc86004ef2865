/*
 * holes.c
 *		Closes holes where there is only one way to do it.
 *
 * A hole is filled where the surface around it says how it goes on: its rim
 * is flat, and along a third of it or more the surface continues into the
 * filling without a sharp bend.  So a triangle that a cube lacks is put back;
 * the open end of a tube or the missing lid of a box, which may be meant that
 * way, is not.  Holes too small to matter are filled in any case.
 *
 * It is all or nothing: one hole that is left keeps the surface open, and
 * then nothing is made up.  And it is little or nothing: a model that is open
 * for a good part of its surface is a question for a person.
 */
#include <math.h>
#include <string.h>

#include "mend.h"

/* Longest rim that is filled, in edges. */
#define MAX_RIM		1000

/* All filled holes together, in the area of the surface. */
#define MAX_SHARE	0.1

/* Those of them that may have any shape. */
#define ANY_SHARE	1e-5

/* How far a flat rim leaves its plane, in its size. */
#define FLAT		0.02

/* How much of a rim has to go on smoothly, and the cosine that is smooth. */
#define SMOOTH_RIM	(1.0 / 3)
#define SMOOTH		0.5

/* A filling under way. */
typedef struct Filler
{
	MfJob	   *job;
	MfMesh	   *mesh;
	const uint8_t *mark;		/* triangles that count turned; may be NULL */
	const MfLoops *loops;
	MfPatch		patch;
	double		filled;			/* area so far */
	double		any;			/* of holes of any shape */
	double		area;			/* of the surface */
} Filler;

/* Area of a mesh. */
static double
sum_area(const MfMesh *mesh)
{
	MfSum		sum = {0};

	for (uint32_t t = 0; t < mesh->triangle_count; t++)
	{
		double		at[3][3];

		mf_mesh_triangle(mesh, t, at);
		mf_sum_add(&sum, mf_triangle_twice_area(at));
	}
	return (sum.sum + sum.lost) / 2;
}

/* A triangle's normal, as long as twice its area. */
static void
find_normal(const MfMesh *mesh, const uint32_t corner[3], double normal[3])
{
	double		at[3][3];

	for (int i = 0; i < 3; i++)
		mf_mesh_place(mesh, corner[i], at[i]);
	for (int k = 0; k < 3; k++)
	{
		const int	x = (k + 1) % 3;
		const int	y = (k + 2) % 3;

		normal[k] = (at[1][x] - at[0][x]) * (at[2][y] - at[0][y]) -
			(at[1][y] - at[0][y]) * (at[2][x] - at[0][x]);
	}
}

static double
length_of(const double v[3])
{
	return sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
}

static bool
is_turned(const Filler *f, uint32_t t)
{
	return f->mark != NULL && (f->mark[t] & MF_MARK_TURNED) != 0;
}

/* Does a step run along its edge as the edge's triangle does? */
static bool
runs_along(const Filler *f, const MfStep *step)
{
	const MfRim *rim = &f->loops->rim[step->rim];

	return (rim->vertex[0] == step->vertex) != is_turned(f, rim->triangle);
}

/*
 * Takes the rim as a polygon, in the direction against its triangles.  False:
 * they do not all have the same.
 */
static bool
take_rim(Filler *f, const MfStep *step, uint32_t count)
{
	const bool	along = runs_along(f, step);

	f->patch.count = count;
	for (uint32_t i = 0; i < count; i++)
	{
		if (runs_along(f, step + i) != along)
			return false;
		f->patch.vertex[along ? count - 1 - i : i] = step[i].vertex;
	}
	return true;
}

/* Area of the filling, as the sum of its triangles and as a vector. */
static double
sum_filling(const Filler *f, double normal[3])
{
	double		area = 0;

	memset(normal, 0, 3 * sizeof(*normal));
	for (uint32_t t = 0; t + 2 < f->patch.count; t++)
	{
		double		own[3];

		find_normal(f->mesh, f->patch.triangle[t], own);
		for (int k = 0; k < 3; k++)
			normal[k] += own[k] / 2;
		area += length_of(own) / 2;
	}
	return area;
}

/* Is the rim in one plane, but for little? */
static bool
is_flat(const Filler *f, const double normal[3])
{
	const double length = length_of(normal);
	double		low = INFINITY;
	double		high = -INFINITY;
	double		size = 0;

	for (uint32_t i = 0; i < f->patch.count; i++)
	{
		double		away[3];
		double		height = 0;

		for (int k = 0; k < 3; k++)
		{
			away[k] = f->patch.at[i][k] - f->patch.at[0][k];
			height += away[k] * normal[k] / length;
		}
		size = fmax(size, length_of(away));
		low = fmin(low, height);
		high = fmax(high, height);
	}
	return length > 0 && high - low <= FLAT * size;
}

/* Does the surface go on into the filling? */
static bool
is_smooth(const Filler *f, const MfStep *step, uint32_t count,
		  const double normal[3])
{
	const double length = length_of(normal);
	double		all = 0;
	double		smooth = 0;

	for (uint32_t i = 0; i < count; i++)
	{
		const MfRim *rim = &f->loops->rim[step[i].rim];
		double		ends[2][3];
		double		own[3];
		double		cosine = 0;

		for (int e = 0; e < 2; e++)
			mf_mesh_place(f->mesh, rim->vertex[e], ends[e]);
		for (int k = 0; k < 3; k++)
			ends[0][k] -= ends[1][k];
		find_normal(f->mesh, f->mesh->corners[rim->triangle], own);
		for (int k = 0; k < 3; k++)
			cosine += own[k] * normal[k];
		if (is_turned(f, rim->triangle))
			cosine = -cosine;
		all += length_of(ends[0]);
		if (cosine >= SMOOTH * length * length_of(own))
			smooth += length_of(ends[0]);
	}
	return smooth >= SMOOTH_RIM * all;
}

/* Fills one hole; *good is false where that is not to be.  False: refused. */
static bool
fill_hole(Filler *f, const MfStep *step, uint32_t count, bool *good)
{
	MfMesh	   *mesh = f->mesh;
	double		normal[3];
	double		area;
	bool		plain;

	*good = count <= MAX_RIM;
	if (!*good)
		return true;
	if (!mf_patch_reserve(f->job, &f->patch, count) ||
		!mf_mesh_reserve_triangles(f->job, mesh,
								   (uint64_t) mesh->triangle_count + count - 2))
		return false;
	*good = take_rim(f, step, count);
	if (!*good)
		return true;
	plain = mf_patch_split(mesh, &f->patch);
	area = sum_filling(f, normal);
	f->filled += area;
	if (!plain || !is_flat(f, normal) || !is_smooth(f, step, count, normal))
		f->any += area;
	*good = f->filled <= MAX_SHARE * f->area && f->any <= ANY_SHARE * f->area;
	memcpy(mesh->corners[mesh->triangle_count], f->patch.triangle,
		   (count - 2) * sizeof(*mesh->corners));
	mesh->triangle_count += count - 2;
	return true;
}

/* The middle of a rim, and its length. */
static double
find_middle(const MfMesh *mesh, const MfLoops *loops, const MfLoop *loop,
			double middle[3])
{
	double		length = 0;

	memset(middle, 0, 3 * sizeof(*middle));
	for (uint32_t i = 0; i < loop->count; i++)
	{
		const MfRim *rim = &loops->rim[loops->step[loop->first + i].rim];
		double		ends[2][3];
		double		between[3];

		for (int e = 0; e < 2; e++)
			mf_mesh_place(mesh, rim->vertex[e], ends[e]);
		for (int k = 0; k < 3; k++)
			between[k] = ends[1][k] - ends[0][k];
		length += length_of(between);
		for (int k = 0; k < 3; k++)
			middle[k] += length_of(between) * (ends[0][k] / 2 + ends[1][k] / 2);
	}
	for (int k = 0; k < 3; k++)
		middle[k] /= length;
	return length;
}

/* Counts the holes, and says where the longest one is. */
static void
count_holes(const MfMesh *mesh, const MfLoops *loops, MfHoles *holes)
{
	double		longest = -1;

	holes->count = loops->loop_count;
	for (uint32_t i = 0; i < loops->loop_count; i++)
	{
		double		middle[3];
		const double length = find_middle(mesh, loops, &loops->loop[i],
										  middle);

		if (length > longest)
		{
			longest = length;
			memcpy(holes->at, middle, sizeof(middle));
		}
	}
}

/*
 * Fills the holes of a mesh, if all of them can be: the fillings are
 * triangles at its end, which face as their neighbours do, turned as `mark`
 * (NULL: none is) says.  False: refused.
 */
bool
mf_holes_fill(MfJob *job, MfMesh *mesh, const uint8_t *mark,
			  const MfLoops *loops, MfHoles *holes)
{
	Filler		f = {.job = job,.mesh = mesh,.mark = mark,.loops = loops};
	const uint32_t triangles = mesh->triangle_count;
	uint64_t	steps = 0;
	bool		able = true;
	bool		good = true;

	memset(holes, 0, sizeof(*holes));
	count_holes(mesh, loops, holes);
	for (uint32_t i = 0; i < loops->loop_count; i++)
		steps += loops->loop[i].count;
	able = holes->count > 0 && steps == loops->rim_count;
	if (!able)
		return true;
	f.area = sum_area(mesh);
	mf_patch_begin(job, &f.patch);
	for (uint32_t i = 0; good && able && i < loops->loop_count; i++)
	{
		mf_mend_progress(job, i);
		good = fill_hole(&f, loops->step + loops->loop[i].first,
						 loops->loop[i].count, &able);
	}
	mf_patch_end(job, &f.patch);
	holes->filled = able;
	if (!able)
		mesh->triangle_count = triangles;
	return good;
}
