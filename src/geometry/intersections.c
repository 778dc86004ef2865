/*
 * intersections.c
 *		Triangles of a part that pass through others of it.
 *
 * Two triangles cross where an edge of one pierces the other: its ends lie on
 * different sides of the other's plane, and it turns the same way around all
 * three of that one's sides.  Each of these is the sign of a determinant of
 * four points, in doubles and with a bound for its error (Shewchuk, "Adaptive
 * precision floating-point arithmetic and fast robust geometric predicates",
 * 1997, section 4.3): what is not certain is no crossing, and so is what ends
 * nearer to the plane than a millionth of the part's diagonal.  Triangles
 * that share a corner, touch, or lie on each other do not cross.
 *
 * Crossings within a shell, and all in an open surface, are
 * self-intersections.  Those between two closed shells are overlapping bodies,
 * and are added where overlaps.c has missed them.
 * Parts with more than LARGEST triangles are not looked at, and where looks
 * run out, what was found until then counts.
 */
#include <math.h>
#include <string.h>

#include "rays.h"

#define LARGEST			200000
#define CHUNK			2048	/* triangles of a task */
#define LOOKS			60		/* for each triangle, on the average */
#define LOOKS_AT_LEAST	1000000 /* in a task, for models with few */

/* An edge that ends nearer to a plane, as a part of the diagonal, touches. */
#define TOUCHING		1e-6

/* Bound for the error of the determinant, relative to its terms. */
#define BOUND			((7 + 56 * 0x1p-53) * 0x1p-53)

/* What a triangle passes through. */
#define OWN_SHELL		1
#define OTHER_SHELL		2

typedef struct Search
{
	const MfMesh *mesh;
	const MfTree *tree;
	double		touching;		/* a length */
	uint32_t   *shell;			/* of vertices: the least joined; may be NULL */
	uint8_t    *crossed;		/* of each triangle */
	bool		used_up;		/* the looks of a chunk */
} Search;

/*
 * Six times the volume of the tetrahedron over a, b, c with its tip d, or 0
 * where its sign is not certain.
 */
static double
volume_of(const double a[3], const double b[3], const double c[3],
		  const double d[3])
{
	double		u[3];
	double		v[3];
	double		w[3];
	double		m[3];
	double		size[3];
	double		volume;

	for (int i = 0; i < 3; i++)
	{
		u[i] = a[i] - d[i];
		v[i] = b[i] - d[i];
		w[i] = c[i] - d[i];
	}
	for (int i = 0; i < 3; i++)
	{
		const int	j = (i + 1) % 3;
		const int	k = (i + 2) % 3;
		const double one = v[j] * w[k];
		const double other = v[k] * w[j];

		m[i] = one - other;
		size[i] = fabs(one) + fabs(other);
	}
	volume = u[0] * m[0] + u[1] * m[1] + u[2] * m[2];
	return fabs(volume) > BOUND * (fabs(u[0]) * size[0] + fabs(u[1]) * size[1] +
								   fabs(u[2]) * size[2]) ? volume : 0;
}

/* On which side of a triangle's plane the corners of another are; 0: on it. */
static bool
find_sides(const Search *s, const uint32_t plane[3], double at[3][3],
		   const uint32_t corner[3], double other[3][3], int side[3])
{
	const double least = s->touching * mf_triangle_twice_area(
															  (const double (*)[3]) at);

	for (int i = 0; i < 3; i++)
	{
		double		volume = 0;

		if (corner[i] != plane[0] && corner[i] != plane[1] &&
			corner[i] != plane[2])
			volume = volume_of(at[0], at[1], at[2], other[i]);
		side[i] = volume > least ? 1 : volume < -least ? -1 : 0;
	}
	return side[0] * side[1] < 0 || side[1] * side[2] < 0 ||
		side[2] * side[0] < 0;
}

/* Does an edge of the second triangle pierce the first? */
static bool
pierces(double at[3][3], double other[3][3], const int side[3])
{
	for (int i = 0; i < 3; i++)
	{
		const int	j = i == 2 ? 0 : i + 1;
		double		turn[3];

		if (side[i] * side[j] >= 0)
			continue;
		for (int k = 0; k < 3; k++)
			turn[k] = volume_of(other[i], other[j], at[k],
								at[k == 2 ? 0 : k + 1]);
		if ((turn[0] > 0 && turn[1] > 0 && turn[2] > 0) ||
			(turn[0] < 0 && turn[1] < 0 && turn[2] < 0))
			return true;
	}
	return false;
}

/* Do two triangles cross? */
static bool
cross(const Search *s, uint32_t t, double at[3][3], uint32_t u)
{
	const uint32_t *corner = s->mesh->corners[t];
	const uint32_t *other_corner = s->mesh->corners[u];
	double		other[3][3];
	int			side[3];
	int			other_side[3];

	mf_mesh_triangle(s->mesh, u, other);
	if (!find_sides(s, corner, at, other_corner, other, other_side) &&
		other_side[0] != 0 && other_side[1] != 0 && other_side[2] != 0)
		return false;
	find_sides(s, other_corner, other, corner, at, side);
	return pierces(at, other, other_side) || pierces(other, at, side);
}

/* The shell that a triangle belongs to. */
static uint32_t
shell_of(const Search *s, uint32_t t)
{
	return s->shell == NULL ? 0 : s->shell[s->mesh->corners[t][0]];
}

/* Marks what crosses the triangles of one chunk, of those after them. */
static void
cross_chunk(void *arg, uint32_t task)
{
	Search	   *s = arg;
	const uint32_t count = s->mesh->triangle_count;
	const uint32_t begin = task * CHUNK;
	const uint32_t end = count - begin < CHUNK ? count : begin + CHUNK;
	uint64_t	looks = LOOKS * (uint64_t) (end - begin);

	if (looks < LOOKS_AT_LEAST && count <= LOOKS_AT_LEAST / LOOKS)
		looks = LOOKS_AT_LEAST;
	for (uint32_t i = begin; i < end && looks > 0; i++)
	{
		const uint32_t t = s->tree->order[i];
		double		at[3][3];
		double		low[3];
		double		high[3];
		MfWalk		walk;
		uint32_t	first;
		uint32_t	items;

		mf_mesh_triangle(s->mesh, t, at);
		for (int k = 0; k < 3; k++)
		{
			low[k] = fmin(at[0][k], fmin(at[1][k], at[2][k]));
			high[k] = fmax(at[0][k], fmax(at[1][k], at[2][k]));
		}
		mf_walk_begin_box(&walk, s->tree, low, high);
		while (mf_walk_next_box(&walk, &looks, &first, &items))
			for (uint32_t k = first; k < first + items; k++)
			{
				const uint32_t u = s->tree->order[k];
				uint8_t		kind;

				if (k <= i || !cross(s, t, at, u))
					continue;
				kind = shell_of(s, t) == shell_of(s, u) ? OWN_SHELL :
					OTHER_SHELL;
				(void) __atomic_fetch_or(&s->crossed[t], kind,
										 __ATOMIC_RELAXED);
				(void) __atomic_fetch_or(&s->crossed[u], kind,
										 __ATOMIC_RELAXED);
			}
	}
	if (looks == 0)
		__atomic_store_n(&s->used_up, true, __ATOMIC_RELAXED);
}

/* Is there more to look at than there are looks? */
static bool
is_used_up(void *arg, uint32_t done)
{
	const Search *s = arg;

	(void) done;
	return s->used_up;
}

/* The root of a vertex among those that are joined; shortens the way. */
static uint32_t
find_root(uint32_t *joined, uint32_t vertex)
{
	while (joined[vertex] != vertex)
	{
		joined[vertex] = joined[joined[vertex]];
		vertex = joined[vertex];
	}
	return vertex;
}

/* Joins the vertices of each triangle: equal numbers are one shell. */
static void
join_vertices(const MfMesh *mesh, uint32_t *joined)
{
	for (uint32_t v = 0; v < mesh->vertex_count; v++)
		joined[v] = v;
	for (uint32_t t = 0; t < mesh->triangle_count; t++)
		for (int i = 1; i < 3; i++)
		{
			const uint32_t a = find_root(joined, mesh->corners[t][0]);
			const uint32_t b = find_root(joined, mesh->corners[t][i]);

			joined[a < b ? b : a] = a < b ? a : b;
		}
	for (uint32_t v = 0; v < mesh->vertex_count; v++)
		joined[v] = find_root(joined, v);
}

/* A found triangle's middle, where the part's first instance stands. */
static void
locate(const MfRays *rays, uint32_t part, uint32_t t, double at[3])
{
	MfSample	sample = {.triangle = t};
	double		normal[3];

	while (rays->scene->pose[rays->scene->instance[sample.instance].pose].part
		   != part)
		sample.instance++;
	(void) mf_rays_start(rays, &sample, true, at, normal);
	for (int i = 0; i < 3; i++)
		at[i] *= rays->job->unit_in_mm;
}

/* What is found in all parts. */
typedef struct Found
{
	int64_t		count[2];		/* triangles: own shell, other shells */
	double		at[2][3];
} Found;

/* Looks through one part, with memory that the caller frees. */
static void
search_part(const MfRays *rays, uint32_t part, int64_t times, Search *s,
			Found *found)
{
	const MfMesh *mesh = s->mesh;
	double		square = 0;

	for (int k = 0; k < 3; k++)
		square += (mesh->high[k] - mesh->low[k]) *
			(mesh->high[k] - mesh->low[k]);
	s->touching = TOUCHING * sqrt(square);
	if (s->shell != NULL)
		join_vertices(mesh, s->shell);
	mf_rays_run(rays, (mesh->triangle_count - 1) / CHUNK + 1, cross_chunk,
				is_used_up, s, 90, 100);
	for (uint32_t t = 0; t < mesh->triangle_count; t++)
		for (int kind = 0; kind < 2; kind++)
			if ((s->crossed[t] & (kind == 0 ? OWN_SHELL : OTHER_SHELL)) != 0)
			{
				if (found->count[kind] == 0)
					locate(rays, part, t, found->at[kind]);
				found->count[kind] += times;
			}
}

/* Looks through the part of a pose; false: no memory. */
static bool
find_in_part(const MfRays *rays, uint32_t part, int64_t times, Found *found)
{
	MfMemory   *memory = &rays->job->memory;
	const MfPart *own = &rays->scene->part[part];
	const MfMesh *mesh = &own->mesh;
	const uint64_t vertices = mesh->vertex_count * (uint64_t) sizeof(uint32_t);
	Search		s = {.mesh = mesh,.tree = &rays->space.tree[part]};
	const bool	bodies = own->closed && own->shells > 1;
	bool		good;

	if (bodies)
		s.shell = mf_memory_alloc(memory, vertices);
	s.crossed = mf_memory_alloc(memory, mesh->triangle_count);
	good = s.crossed != NULL && (!bodies || s.shell != NULL);
	if (good)
		search_part(rays, part, times, &s, found);
	mf_memory_free(memory, s.crossed, mesh->triangle_count);
	mf_memory_free(memory, s.shell, vertices);
	return good;
}

/* Is this kind of defect listed? */
static bool
is_listed(const MfMeasurement *m, MfDefectCode code)
{
	for (int i = 0; i < m->defect_count; i++)
		if (m->defects[i].code == code)
			return true;
	return false;
}

/* Finds intersections within parts; false: no memory. */
bool
mf_intersections_find(const MfRays *rays, MfMeasurement *m)
{
	const MfScene *scene = rays->scene;
	Found		found = {0};
	uint32_t	p = 0;

	/* Poses are in the order of their parts. */
	while (p < scene->pose_count)
	{
		const uint32_t part = scene->pose[p].part;
		int64_t		times = 0;

		for (; p < scene->pose_count && scene->pose[p].part == part; p++)
			times += scene->pose[p].count;
		if (rays->space.tree[part].count > 0 &&
			scene->part[part].mesh.triangle_count <= LARGEST &&
			!find_in_part(rays, part, times, &found))
			return false;
	}
	mf_measurement_add_defect(m, MF_DEFECT_SELF_INTERSECTIONS,
							  MF_SEVERITY_WARNING, found.count[0],
							  found.at[0], false);
	if (!is_listed(m, MF_DEFECT_OVERLAPPING_BODIES))
		mf_measurement_add_defect(m, MF_DEFECT_OVERLAPPING_BODIES,
								  MF_SEVERITY_WARNING,
								  found.count[1] > 0 ? 2 : 0, found.at[1],
								  false);
	return true;
}
