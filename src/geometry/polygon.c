/*
 * polygon.c
 *		Splits a polygon of any shape into triangles.
 *
 * A polygon of n corners becomes n - 2 triangles: each of its sides is in one
 * of them, each new edge in two, so a closed surface stays closed, and the
 * volume below a flat polygon is the same however it is split.  The area is
 * right only if all triangles face the same way.  Three ways, in this order:
 *
 * 1. A fan from the first corner, where it sees all others, as it does in
 *	  every convex polygon.
 * 2. Ears: a corner that sticks out, with no other corner between it and its
 *	  two neighbours, is cut off, until three are left (Meisters, "Polygons
 *	  have ears", 1975).  Corners on a line with their neighbours wait, so
 *	  that no triangle comes out without area where it can be helped; places
 *	  that occur twice are allowed, so polygons whose holes are joined to the
 *	  outline by a cut are split well, too.
 * 3. What is left is a fan.  It has triangles that face the wrong way: the
 *	  polygon crosses itself, or the budget has run out.
 *
 * All this happens in the plane of two axes, without the one that is closest
 * to the polygon's normal: so the coordinates are the file's own, and signs
 * of areas are known up to one rounding.
 */
#include <math.h>
#include <string.h>

#include "polygon.h"

/*
 * Cutting off ears takes up to n^3 looks at corners, and a few for each corner
 * in a polygon that somebody drew.  A file may have these, and so many for
 * each corner.
 */
#define LOOKS_PER_FILE		(UINT64_C(1) << 27)
#define LOOKS_PER_CORNER	64

/* No corner. */
#define NONE	UINT32_MAX

/* Twice an area below this part of its terms is zero, or rounding. */
#define ROUNDING	4.5e-16

/* A normal below this part of all its terms is none. */
#define NO_NORMAL	1e-9

/* Areas below this part of the size squared are those of a line. */
#define NO_AREA		1e-12

/* A splitting under way. */
typedef struct Split
{
	MfPolygon  *polygon;
	MfPolygonCorner *c;			/* its corners */
	uint32_t	left;			/* corners not cut off */
	uint32_t	cells;			/* of the plane, in each direction */
	double		low[2];			/* where the first one begins */
	double		per_length[2];	/* cells per length */
	uint32_t	(*triangle)[3]; /* the next one to write */
	bool		backwards;		/* one of them faces the wrong way */
} Split;

/*
 * Which way does a, b, c turn?  1: left, -1: right, 0: not, or by less than
 * rounding could have made of it.
 */
static inline int
turn(const double *a, const double *b, const double *c)
{
	const double left = (b[0] - a[0]) * (c[1] - a[1]);
	const double right = (b[1] - a[1]) * (c[0] - a[0]);
	const double bound = ROUNDING * (fabs(left) + fabs(right));

	return (left - right > bound) - (left - right < -bound);
}

static inline bool
same_place(const double *a, const double *b)
{
	return a[0] == b[0] && a[1] == b[1];
}

/* Before the first polygon of a file. */
void
mf_polygon_begin(MfPolygon *polygon)
{
	memset(polygon, 0, sizeof(*polygon));
	polygon->looks_left = LOOKS_PER_FILE;
}

/* Makes room for `room` corners in all. */
bool
mf_polygon_reserve(MfJob *job, MfPolygon *polygon, uint32_t room)
{
	const uint64_t had = polygon->room;
	MfPolygonCorner *corner;
	uint32_t   *cell;

	if (room <= polygon->room)
		return true;
	if (room < 2 * polygon->room)
		room = 2 * polygon->room;
	cell = mf_memory_alloc(&job->memory, room * (uint64_t) sizeof(*cell));
	corner = cell == NULL ? NULL :
		mf_memory_grow(&job->memory, polygon->corner, had * sizeof(*corner),
					   room * (uint64_t) sizeof(*corner));
	if (corner == NULL)
	{
		mf_memory_free(&job->memory, cell,
					   room * (uint64_t) sizeof(*cell));
		return mf_job_out_of_memory(job);
	}
	mf_memory_free(&job->memory, polygon->cell, had * sizeof(*cell));
	polygon->corner = corner;
	polygon->cell = cell;
	polygon->room = room;
	return true;
}

/* After the last polygon of a file. */
void
mf_polygon_end(MfJob *job, MfPolygon *polygon)
{
	const uint64_t room = polygon->room;

	mf_memory_free(&job->memory, polygon->corner,
				   room * sizeof(*polygon->corner));
	mf_memory_free(&job->memory, polygon->cell,
				   room * sizeof(*polygon->cell));
	memset(polygon, 0, sizeof(*polygon));
}

/*
 * Twice the polygon's area as a vector (Newell's normal), seen from its first
 * corner so that nothing cancels far from the origin.  False: it has none;
 * *line says whether that is because all corners are on a line.
 */
static bool
find_normal(const MfPolygon *polygon, const double (*vertex)[3],
			double normal[3], bool *line)
{
	const double *from = vertex[polygon->corner[0].vertex];
	double		before[3] = {0};
	double		total = 0;
	double		size = 0;

	memset(normal, 0, 3 * sizeof(double));
	for (uint32_t i = 1; i < polygon->count; i++)
	{
		double		here[3];

		for (int k = 0; k < 3; k++)
		{
			here[k] = vertex[polygon->corner[i].vertex][k] - from[k];
			size = fmax(size, fabs(here[k]));
		}
		for (int k = 0; k < 3; k++)
		{
			const int	x = (k + 1) % 3;
			const int	y = (k + 2) % 3;
			const double part = before[x] * here[y] - before[y] * here[x];

			normal[k] += part;
			total += fabs(part);
		}
		memcpy(before, here, sizeof(before));
	}
	*line = !(total > NO_AREA * size * size);
	return fabs(normal[0]) + fabs(normal[1]) + fabs(normal[2]) >
		NO_NORMAL * total;
}

/* Lays the polygon into the plane, so that it runs to the left. */
static void
lay_flat(const MfPolygon *polygon, const double (*vertex)[3],
		 const double normal[3])
{
	int			drop = 0;
	int			x;
	int			y;

	for (int k = 1; k < 3; k++)
		if (fabs(normal[k]) > fabs(normal[drop]))
			drop = k;
	x = (drop + (normal[drop] < 0 ? 2 : 1)) % 3;
	y = (drop + (normal[drop] < 0 ? 1 : 2)) % 3;
	for (uint32_t i = 0; i < polygon->count; i++)
	{
		polygon->corner[i].at[0] = vertex[polygon->corner[i].vertex][x];
		polygon->corner[i].at[1] = vertex[polygon->corner[i].vertex][y];
	}
}

/* Do all triangles of a fan from the first corner have an area? */
static bool
sees_all(const MfPolygonCorner *c, uint32_t count)
{
	for (uint32_t i = 1; i + 1 < count; i++)
		if (turn(c[0].at, c[i].at, c[i + 1].at) <= 0)
			return false;
	return true;
}

static inline void
put_triangle(Split *s, uint32_t a, uint32_t b, uint32_t c)
{
	uint32_t   *out = *s->triangle++;

	out[0] = s->c[a].vertex;
	out[1] = s->c[b].vertex;
	out[2] = s->c[c].vertex;
}

static inline int
turn_at(const Split *s, uint32_t i)
{
	const MfPolygonCorner *c = s->c;

	return turn(c[c[i].previous].at, c[i].at, c[c[i].next].at);
}

/* Counts what a decision took; false, when the budget is spent. */
static inline bool
spend(Split *s, uint64_t looks)
{
	uint64_t   *left = &s->polygon->looks_left;

	*left -= looks < *left ? looks : *left;
	return *left > 0;
}

/* The column or row of cells that a coordinate is in. */
static inline uint32_t
cell_at(const Split *s, int k, double coordinate)
{
	const double at = (coordinate - s->low[k]) * s->per_length[k];

	/* What is no number is somewhere, too. */
	if (!(at > 0))
		return 0;
	return at < s->cells ? (uint32_t) at : s->cells - 1;
}

/* The cell's first hollow corner, to be changed. */
static inline uint32_t *
cell_of(const Split *s, const double *at)
{
	return &s->polygon->cell[cell_at(s, 1, at[1]) * s->cells +
							 cell_at(s, 0, at[0])];
}

/* Is a hollow corner of this cell in the way of a, b, d?  See is_ear. */
static bool
is_in_the_way(Split *s, uint32_t cell, const double *a, const double *b,
			  const double *d, bool careful)
{
	const MfPolygonCorner *c = s->c;
	const int	least = careful ? 0 : 1;
	uint64_t	looks = 1;
	uint32_t	i = s->polygon->cell[cell];

	for (; i != NONE; i = c[i].beyond, looks++)
	{
		const double *q = c[i].at;

		/* On the new edge, it is in the way in any case. */
		if (turn(a, b, q) >= least && turn(b, d, q) >= least &&
			turn(d, a, q) >= 0 && !same_place(q, a) && !same_place(q, b) &&
			!same_place(q, d))
			break;
	}
	spend(s, looks);
	return i != NONE;
}

/*
 * Can this corner be cut off?  Only a hollow corner can be in the way.
 * Careful: none may even touch the triangle, and it must have an area.
 */
static bool
is_ear(Split *s, uint32_t tip, bool careful)
{
	const MfPolygonCorner *c = s->c;
	const double *a = c[c[tip].previous].at;
	const double *b = c[tip].at;
	const double *d = c[c[tip].next].at;
	const int	bend = turn(a, b, d);
	uint32_t	from[2];
	uint32_t	to[2];

	if (bend <= 0)
		return bend == 0 && !careful;
	for (int k = 0; k < 2; k++)
	{
		from[k] = cell_at(s, k, fmin(fmin(a[k], b[k]), d[k]));
		to[k] = cell_at(s, k, fmax(fmax(a[k], b[k]), d[k]));
	}
	for (uint32_t y = from[1]; y <= to[1]; y++)
		for (uint32_t x = from[0]; x <= to[0]; x++)
			if (is_in_the_way(s, y * s->cells + x, a, b, d, careful))
				return false;
	return true;
}

/* Takes a corner out of its cell, if it is in one. */
static void
not_hollow(Split *s, uint32_t i)
{
	MfPolygonCorner *c = s->c;
	uint32_t   *link;

	if (!c[i].hollow)
		return;
	c[i].hollow = false;
	for (link = cell_of(s, c[i].at); *link != i; link = &c[*link].beyond)
		spend(s, 1);
	*link = c[i].beyond;
}

/* Cuts a corner off; its neighbours may stick out now. */
static void
cut_off(Split *s, uint32_t tip)
{
	MfPolygonCorner *c = s->c;
	const uint32_t beside[2] = {c[tip].previous, c[tip].next};

	put_triangle(s, beside[0], tip, beside[1]);
	not_hollow(s, tip);
	c[beside[0]].next = beside[1];
	c[beside[1]].previous = beside[0];
	s->left--;
	for (int i = 0; i < 2; i++)
		if (turn_at(s, beside[i]) > 0)
			not_hollow(s, beside[i]);
}

/* Links the corners, and puts those that do not stick out into cells. */
static void
link_corners(Split *s, uint32_t count)
{
	MfPolygonCorner *c = s->c;
	double		high[2] = {-INFINITY, -INFINITY};

	s->low[0] = s->low[1] = INFINITY;
	for (uint32_t i = 0; i < count; i++)
	{
		c[i].previous = i > 0 ? i - 1 : count - 1;
		c[i].next = i + 1 < count ? i + 1 : 0;
		for (int k = 0; k < 2; k++)
		{
			s->low[k] = fmin(s->low[k], c[i].at[k]);
			high[k] = fmax(high[k], c[i].at[k]);
		}
	}

	/* As many cells as corners, or fewer. */
	s->cells = (uint32_t) sqrt((double) count);
	for (int k = 0; k < 2; k++)
		s->per_length[k] = s->cells / (high[k] - s->low[k]);
	for (uint32_t i = 0; i < s->cells * s->cells; i++)
		s->polygon->cell[i] = NONE;
	for (uint32_t i = 0; i < count; i++)
	{
		c[i].hollow = turn_at(s, i) <= 0;
		if (c[i].hollow)
		{
			uint32_t   *first = cell_of(s, c[i].at);

			c[i].beyond = *first;
			*first = i;
		}
	}
}

/*
 * Cuts off ears while there are any; returns one of the corners left.  After
 * an ear comes the next corner but one, so that triangles do not become
 * needles; where that is none, the two beside the last ear, because in a
 * spiral there are no others.
 */
static uint32_t
cut_ears(Split *s)
{
	const MfPolygonCorner *c = s->c;
	uint32_t	tip = 0;
	uint32_t	beside = NONE;
	uint32_t	passed = 0;
	bool		careful = true;

	while (s->left > 3 && spend(s, 1))
	{
		if (is_ear(s, tip, careful))
		{
			cut_off(s, tip);
			beside = c[tip].previous;
			tip = c[c[tip].next].next;
			passed = 0;
			careful = true;
			continue;
		}
		if (beside != NONE)
		{
			tip = beside;
			beside = NONE;
			continue;
		}
		tip = c[tip].next;
		if (++passed < s->left)
			continue;
		if (!careful)
			break;
		careful = false;
		passed = 0;
	}
	return tip;
}

/* What is left becomes a fan from this corner. */
static void
fan_out(Split *s, uint32_t from)
{
	const MfPolygonCorner *c = s->c;

	for (uint32_t i = c[from].next; c[i].next != from; i = c[i].next)
	{
		put_triangle(s, from, i, c[i].next);
		s->backwards |= turn(c[from].at, c[i].at, c[c[i].next].at) < 0;
	}
}

/*
 * Splits a polygon of three corners or more into count - 2 triangles over
 * the same vertices.  False: some of them face the wrong way, so that the
 * area is too large; the volume is right all the same.
 */
bool
mf_polygon_split(MfPolygon *polygon, const double (*vertex)[3],
				 uint32_t (*triangle)[3])
{
	Split		s = {
		.polygon = polygon,.c = polygon->corner,.left = polygon->count,
		.triangle = triangle
	};
	double		normal[3];
	bool		line;
	const bool	has_normal = find_normal(polygon, vertex, normal, &line);

	if (has_normal)
		lay_flat(polygon, vertex, normal);
	if (!has_normal || sees_all(polygon->corner, polygon->count))
	{
		for (uint32_t i = 1; i + 1 < polygon->count; i++)
			put_triangle(&s, 0, i, i + 1);
		return has_normal || line;
	}
	polygon->looks_left += LOOKS_PER_CORNER * (uint64_t) polygon->count;
	link_corners(&s, polygon->count);
	fan_out(&s, cut_ears(&s));
	return !s.backwards;
}

/*
 * Refuses a polygon that the budget did not reach to split: its area could be
 * anything.  False.
 */
static bool
refuse_hard(MfJob *job, const MfPolygon *polygon)
{
	mf_refuse(job->refusal, MF_ERROR_UNSUPPORTED,
			  "The model has polygons that are too hard to split, one of them "
			  "with %u corners.  Please export the model with triangles.",
			  polygon->count);
	return false;
}

/*
 * Puts the triangles of a polygon of three corners or more into a mesh, from
 * this one on; there is room, and the vertices are doubles.  False: refused,
 * because the budget for splitting is spent.
 */
bool
mf_polygon_put(MfJob *job, MfMesh *mesh, MfPolygon *polygon,
			   uint32_t triangle)
{
	uint32_t	(*to)[3] = mesh->corners + triangle;

	if (polygon->count == 3)
	{
		for (int i = 0; i < 3; i++)
			(*to)[i] = polygon->corner[i].vertex;
		return true;
	}
	if (mf_polygon_split(polygon, (const double (*)[3]) mesh->wide_at, to))
		return true;
	if (polygon->looks_left == 0)
		return refuse_hard(job, polygon);
	if (job->crossed_polygons++ == 0)
		memcpy(job->crossed_at, mesh->wide_at[polygon->corner[0].vertex],
			   sizeof(job->crossed_at));
	return true;
}

/* Adds a polygon to a mesh; false: refused, also for too many triangles. */
bool
mf_polygon_add(MfJob *job, MfMesh *mesh, MfPolygon *polygon)
{
	const uint32_t before = mesh->triangle_count;
	const uint64_t after = before + (uint64_t) polygon->count - 2;

	if (after > job->max_triangles)
		return mf_job_too_many(job, 0);
	if (after > mesh->triangle_room &&
		!mf_mesh_reserve_triangles(job, mesh, after))
		return false;
	mesh->triangle_count = (uint32_t) after;
	return mf_polygon_put(job, mesh, polygon, before);
}
