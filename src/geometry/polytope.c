/*
 * polytope.c
 *		The convex hull of points on a grid, by exact arithmetic.
 *
 * Points are inserted one by one; each knows one face that it is above, and
 * each face the points that know it (Clarkson and Shor, "Applications of
 * random sampling in computational geometry, II", 1989; one face for each
 * point as in Barber, Dobkin and Huhdanpaa, "The quickhull algorithm for
 * convex hulls", 1996).  An inserted point takes away the faces that it sees
 * and is joined with the horizon around them.  A point that was above one of
 * those is above one of the new faces, or within: were it above an old face
 * that stays, then it would be above faces on both sides of an edge of the
 * horizon, and the new face at that edge has a normal between theirs.
 *
 * Every decision is exact.  A product in double decides where it is farther
 * from 0 than its error, integers of 128 bits do elsewhere.  A point that is
 * in the plane of a face does not see it.
 */
#include <math.h>
#include <string.h>

#include "polytope.h"

#define NONE			MF_POLYTOPE_NONE

/* In beside[] of a removed face: the new face at this edge of the horizon. */
#define IS_NEW			(UINT32_C(1) << 31)

/* Points that are farther out than a face by less than this part: within. */
#define MARGIN_BITS		22
#define MARGIN			(1 + 1.0 / (1 << MARGIN_BITS))

/*
 * The relative error of normal . point, with room: three roundings of the
 * normal, three products, two sums.  Coordinates are below 2^28.
 */
#define ERROR			(268435456.0 * 16 / 9007199254740992.0)

/* Cones with more faces than this are searched along the surface. */
#define SMALL_CONE		24

/* Looks at faces for each point, and in any case. */
#define LOOKS_PER_POINT	400
#define LOOKS_ANYWAY	10000000

static void
subtract(const MfPolytopePoint *a, const MfPolytopePoint *b, int64_t out[3])
{
	for (int k = 0; k < 3; k++)
		out[k] = (int64_t) a->at[k] - b->at[k];
}

/* The normal of a triangle: below 2^59. */
static void
cross(const MfPolytopePoint *a, const MfPolytopePoint *b,
	  const MfPolytopePoint *c, int64_t normal[3])
{
	int64_t		u[3];
	int64_t		v[3];

	subtract(b, a, u);
	subtract(c, a, v);
	normal[0] = u[1] * v[2] - u[2] * v[1];
	normal[1] = u[2] * v[0] - u[0] * v[2];
	normal[2] = u[0] * v[1] - u[1] * v[0];
}

static __int128
dot(const int64_t normal[3], const int64_t v[3])
{
	return (__int128) normal[0] * v[0] + (__int128) normal[1] * v[1] +
		(__int128) normal[2] * v[2];
}

/* How far a point is above a face, times the normal's length; exactly. */
static __int128
exactly_above(const MfPolytope *h, const MfPolytopeFace *face,
			  const MfPolytopePoint *p, __int128 *height)
{
	const MfPolytopePoint *a = &h->point[face->corner[0]];
	const int64_t at[3] = {a->at[0], a->at[1], a->at[2]};
	int64_t		normal[3];
	int64_t		v[3];

	cross(a, &h->point[face->corner[1]], &h->point[face->corner[2]], normal);
	subtract(p, a, v);
	*height = dot(normal, at);
	return dot(normal, v);
}

static inline double
product(const MfPolytopeFace *face, const MfPolytopePoint *p)
{
	return face->normal[0] * p->at[0] + face->normal[1] * p->at[1] +
		face->normal[2] * p->at[2];
}

/* Is the point above the plane of the face? */
static inline bool
sees(MfPolytope *h, const MfPolytopeFace *face, const MfPolytopePoint *p)
{
	const double over = product(face, p) - face->height;
	__int128	height;

	h->looks++;
	if (over > (double) face->error)
		return true;
	if (over < -(double) face->error)
		return false;
	return exactly_above(h, face, p, &height) > 0;
}

/* Is it above by more than the margin? */
static inline bool
is_above(MfPolytope *h, const MfPolytopeFace *face, const MfPolytopePoint *p)
{
	const double over = product(face, p) - face->height * MARGIN;
	__int128	height;

	h->looks++;
	if (over > (double) face->error)
		return true;
	if (over < -(double) face->error)
		return false;
	return exactly_above(h, face, p, &height) > height >> MARGIN_BITS;
}

/* A face over three points, joined to nothing yet. */
static uint32_t
make_face(MfPolytope *h, uint32_t a, uint32_t b, uint32_t c)
{
	const uint32_t f = h->free_count > 0 ? h->free[--h->free_count] :
	h->face_count++;
	MfPolytopeFace *face = &h->face[f];
	int64_t		normal[3];
	double		size = 0;

	cross(&h->point[a], &h->point[b], &h->point[c], normal);
	for (int k = 0; k < 3; k++)
	{
		face->normal[k] = (double) normal[k];
		size += fabs(face->normal[k]);
	}
	face->corner[0] = a;
	face->corner[1] = b;
	face->corner[2] = c;
	face->height = product(face, &h->point[a]);
	face->error = (float) (size * ERROR);
	face->above = NONE;
	h->stamp[f] = 0;
	return f;
}

/* Books a point at a face that it is above. */
static inline void
put_point(MfPolytope *h, uint32_t f, uint32_t p)
{
	h->point[p].face = f;
	h->point[p].next = h->face[f].above;
	h->face[f].above = p;
}

/*
 * Finds the faces that a point sees, from the one that it is booked at, and
 * marks them with a new stamp.  Returns how many, in removed[].
 */
static uint32_t
find_seen(MfPolytope *h, uint32_t p)
{
	const uint32_t stamp = ++h->stamps;
	uint32_t	count = 0;

	h->removed[count++] = h->point[p].face;
	h->stamp[h->point[p].face] = stamp;
	for (uint32_t n = 0; n < count; n++)
	{
		const MfPolytopeFace *face = &h->face[h->removed[n]];

		for (int i = 0; i < 3; i++)
		{
			const uint32_t other = face->beside[i];

			if (h->stamp[other] != stamp &&
				sees(h, &h->face[other], &h->point[p]))
			{
				h->stamp[other] = stamp;
				h->removed[count++] = other;
			}
		}
	}
	return count;
}

/* Which edge of a face begins at this corner? */
static inline int
edge_from(const MfPolytopeFace *face, uint32_t corner)
{
	return face->corner[0] == corner ? 0 : face->corner[1] == corner ? 1 : 2;
}

/*
 * Joins a point with the horizon around the removed faces.  Returns the
 * number of new faces, in pending[].
 */
static uint32_t
make_cone(MfPolytope *h, uint32_t p, uint32_t removed)
{
	const uint32_t stamp = h->stamps;
	uint32_t	count = 0;

	for (uint32_t n = 0; n < removed; n++)
		for (int i = 0; i < 3; i++)
		{
			MfPolytopeFace *old = &h->face[h->removed[n]];
			const uint32_t other = old->beside[i];
			const uint32_t a = old->corner[i];
			const uint32_t b = old->corner[i == 2 ? 0 : i + 1];
			uint32_t	f;

			if (h->stamp[other] == stamp)
				continue;
			f = make_face(h, a, b, p);
			h->face[f].beside[0] = other;
			h->face[other].beside[edge_from(&h->face[other], b)] = f;
			old->beside[i] = f | IS_NEW;
			h->spoke[a] = f;
			h->pending[count++] = f;
		}
	for (uint32_t n = 0; n < count; n++)
	{
		const uint32_t f = h->pending[n];
		const uint32_t next = h->spoke[h->face[f].corner[1]];

		h->face[f].beside[1] = next;
		h->face[next].beside[2] = f;
	}
	return count;
}

/*
 * Books a point of a removed face at a new one, by a walk over the removed
 * faces that it is above; where there is none, it is within.
 */
static void
move_point(MfPolytope *h, uint32_t p, uint32_t from, uint32_t *pending)
{
	const uint32_t stamp = ++h->stamps;
	uint32_t	count = 0;

	pending[count++] = from;
	h->stamp[from] = stamp;
	for (uint32_t n = 0; n < count; n++)
		for (int i = 0; i < 3; i++)
		{
			const uint32_t other = h->face[pending[n]].beside[i];

			if ((other & IS_NEW) != 0)
			{
				if (is_above(h, &h->face[other & ~IS_NEW], &h->point[p]))
				{
					put_point(h, other & ~IS_NEW, p);
					return;
				}
			}
			else if (h->stamp[other] != stamp)
			{
				h->stamp[other] = stamp;
				if (is_above(h, &h->face[other], &h->point[p]))
					pending[count++] = other;
			}
		}
	h->point[p].face = NONE;
}

/* Books the points of the removed faces at the new ones. */
static void
move_points(MfPolytope *h, uint32_t removed, uint32_t cone)
{
	for (uint32_t n = 0; n < removed; n++)
	{
		const uint32_t from = h->removed[n];
		uint32_t	p = h->face[from].above;

		while (p != NONE)
		{
			const uint32_t next = h->point[p].next;
			uint32_t	i = 0;

			if (cone > SMALL_CONE)
				move_point(h, p, from, h->pending + cone);
			else
			{
				while (i < cone && !is_above(h, &h->face[h->pending[i]],
											 &h->point[p]))
					i++;
				if (i < cone)
					put_point(h, h->pending[i], p);
				else
					h->point[p].face = NONE;
			}
			p = next;
		}
	}
}

/* Makes a point a corner of the hull. */
static void
insert_point(MfPolytope *h, uint32_t p)
{
	const uint32_t removed = find_seen(h, p);
	const uint32_t cone = make_cone(h, p, removed);

	/* Of all faces now, p itself is above none. */
	move_points(h, removed, cone);
	for (uint32_t n = 0; n < removed; n++)
	{
		h->face[h->removed[n]].corner[0] = NONE;
		h->free[h->free_count++] = h->removed[n];
	}
}

/* The square of a length, or of a distance from 0, as a double. */
static double
square(const int64_t v[3])
{
	return (double) v[0] * (double) v[0] + (double) v[1] * (double) v[1] +
		(double) v[2] * (double) v[2];
}

/* How far a point is off what the corners span; see polytope.h. */
double
mf_polytope_off(const MfPolytope *h, const int32_t at[3])
{
	const MfPolytopePoint p = {.at = {at[0], at[1], at[2]}};
	const MfPolytopePoint *o = &h->point[h->corner[0]];
	int64_t		v[3];
	int64_t		normal[3];

	subtract(&p, o, v);
	if (h->rank == 1)
		return square(v);
	cross(o, &h->point[h->corner[1]],
		  h->rank == 2 ? &p : &h->point[h->corner[2]], normal);
	return h->rank == 2 ? square(normal) : fabs((double) dot(normal, v));
}

/* Four points that are not in one plane, far from each other. */
static bool
choose_simplex(MfPolytope *h)
{
	h->corner[0] = 0;
	h->rank = 1;
	for (uint32_t p = 1; p < h->point_count; p++)
		if (h->point[p].at[0] < h->point[h->corner[0]].at[0])
			h->corner[0] = p;
	for (; h->rank < 4; h->rank++)
	{
		double		best = 0;

		for (uint32_t p = 0; p < h->point_count; p++)
		{
			const double off = mf_polytope_off(h, h->point[p].at);

			if (off > best)
			{
				best = off;
				h->corner[h->rank] = p;
			}
		}
		if (!(best > 0))
			return false;
	}
	return true;
}

/* The first four faces, all coordinates about a place within them. */
static void
make_simplex(MfPolytope *h)
{
	uint32_t   *corner = h->corner;
	int64_t		normal[3];
	int64_t		v[3];
	uint32_t	face[4];

	memset(h->sum, 0, sizeof(h->sum));
	for (int c = 0; c < 4; c++)
		for (int k = 0; k < 3; k++)
			h->sum[k] += h->point[corner[c]].at[k];
	for (uint32_t p = 0; p < h->point_count; p++)
		mf_polytope_centre(h, h->point[p].at);
	cross(&h->point[corner[0]], &h->point[corner[1]], &h->point[corner[2]],
		  normal);
	subtract(&h->point[corner[3]], &h->point[corner[0]], v);
	if (dot(normal, v) > 0)
	{
		const uint32_t kept = corner[1];

		corner[1] = corner[2];
		corner[2] = kept;
	}
	face[3] = make_face(h, corner[0], corner[1], corner[2]);
	face[0] = make_face(h, corner[1], corner[0], corner[3]);
	face[1] = make_face(h, corner[2], corner[1], corner[3]);
	face[2] = make_face(h, corner[0], corner[2], corner[3]);
	for (int i = 0; i < 3; i++)
	{
		h->face[face[3]].beside[i] = face[i];
		h->face[face[i]].beside[0] = face[3];
		h->face[face[i]].beside[1] = face[(i + 2) % 3];
		h->face[face[i]].beside[2] = face[(i + 1) % 3];
	}
}

/* Inserts points that are booked.  False: it would take too long. */
static bool
insert_points(MfPolytope *h, uint32_t begin)
{
	for (uint32_t p = begin; p < h->point_count; p++)
	{
		if (h->point[p].face == NONE)
			continue;
		insert_point(h, p);
		if (h->looks > h->max_looks)
			return false;
	}
	return true;
}

/* Builds the hull; see polytope.h. */
MfPolytopeResult
mf_polytope_build(MfPolytope *h)
{
	h->face_count = 0;
	h->free_count = 0;
	h->stamps = 0;
	h->looks = 0;
	h->max_looks = LOOKS_ANYWAY + (uint64_t) h->point_count * LOOKS_PER_POINT;
	if (!choose_simplex(h))
		return MF_POLYTOPE_FLAT;
	make_simplex(h);
	for (uint32_t p = h->point_count; p-- > 0;)
	{
		h->point[p].face = NONE;
		for (uint32_t f = 0; f < 4; f++)
			if (is_above(h, &h->face[f], &h->point[p]))
			{
				put_point(h, f, p);
				break;
			}
	}
	return insert_points(h, 0) ? MF_POLYTOPE_SOLID : MF_POLYTOPE_UNKNOWN;
}

/* a x b, rounded. */
static inline void
rounded_cross(const double a[3], const double b[3], double out[3])
{
	out[0] = a[1] * b[2] - a[2] * b[1];
	out[1] = a[2] * b[0] - a[0] * b[2];
	out[2] = a[0] * b[1] - a[1] * b[0];
}

/* Which side of a plane through the centre a point is on. */
static inline double
side_of(const double normal[3], const MfPolytopePoint *p)
{
	return normal[0] * p->at[0] + normal[1] * p->at[1] +
		normal[2] * p->at[2];
}

/* Is a point beyond an edge, seen from the centre? */
static inline bool
beyond_edge(const MfPolytope *h, uint32_t from, uint32_t to,
			const MfPolytopePoint *p)
{
	const int32_t *i = h->point[from].at;
	const int32_t *k = h->point[to].at;
	const double a[3] = {i[0], i[1], i[2]};
	const double b[3] = {k[0], k[1], k[2]};
	double		normal[3];

	rounded_cross(a, b, normal);
	return side_of(normal, p) < 0;
}

/*
 * The plane from the middle of a face to a point, through the centre, and the
 * edge at which it leaves the face; -1: none.
 */
static int
leave_face(const MfPolytope *h, const MfPolytopeFace *face,
		   const MfPolytopePoint *p, double plane[3])
{
	const double to[3] = {p->at[0], p->at[1], p->at[2]};
	double		middle[3] = {0};
	bool		left[3];

	for (int i = 0; i < 3; i++)
		for (int k = 0; k < 3; k++)
			middle[k] += h->point[face->corner[i]].at[k];
	rounded_cross(middle, to, plane);
	for (int i = 0; i < 3; i++)
		left[i] = side_of(plane, &h->point[face->corner[i]]) > 0;
	for (int i = 0; i < 3; i++)
		if (!left[i] && left[i == 2 ? 0 : i + 1])
			return i;
	return -1;
}

/* Books a point at any face that it is above; looks at all. */
static void
search_faces(MfPolytope *h, uint32_t p)
{
	for (uint32_t f = 0; f < h->face_count && h->looks <= h->max_looks; f++)
		if (h->face[f].corner[0] != NONE &&
			is_above(h, &h->face[f], &h->point[p]))
		{
			put_point(h, f, p);
			return;
		}
}

/*
 * Books a point at a face that it is above, if any.  Goes straight from face
 * to face, seen from the centre, to the one that the point is over: if it is
 * not above that, it is within.  Returns the last face.
 */
static uint32_t
book_point(MfPolytope *h, uint32_t p, uint32_t f)
{
	const MfPolytopePoint *point = &h->point[p];
	const bool	ahead = product(&h->face[f], point) > 0;
	double		plane[3];
	int			edge = leave_face(h, &h->face[f], point, plane);

	h->point[p].face = NONE;
	for (uint32_t steps = 0; steps < h->face_count; steps++)
	{
		const MfPolytopeFace *face = &h->face[f];
		const uint32_t from = face->corner[edge < 0 ? 0 : edge];
		const uint32_t to = face->corner[(edge + 1) % 3];
		int			entry;

		if (is_above(h, face, point))
		{
			put_point(h, f, p);
			return f;
		}
		if (edge < 0)
		{
			/* Over the middle of this face, or of nothing on the far side. */
			if (!ahead)
				break;
			return f;
		}
		if (!beyond_edge(h, from, to, point))
			return f;
		if (h->looks > h->max_looks)
			return f;

		/* Of the other two edges of the next face, the one that is crossed. */
		f = face->beside[edge];
		face = &h->face[f];
		entry = edge_from(face, to);
		edge = (entry + 2) % 3;
		if (side_of(plane, &h->point[face->corner[edge]]) > 0)
			edge = (entry + 1) % 3;
	}
	search_faces(h, p);
	return f;
}

/* Adds points; see polytope.h. */
MfPolytopeResult
mf_polytope_extend(MfPolytope *h, uint32_t begin)
{
	uint32_t	face = 0;

	while (h->face[face].corner[0] == NONE)
		face++;
	h->max_looks += (uint64_t) (h->point_count - begin) * LOOKS_PER_POINT;
	for (uint32_t p = begin; p < h->point_count; p++)
		face = book_point(h, p, face);
	return insert_points(h, begin) ? MF_POLYTOPE_SOLID : MF_POLYTOPE_UNKNOWN;
}

/* Where the arrays are in a block; without one, how large it has to be. */
static uint64_t
lay_out(MfPolytope *h, void *block)
{
	const uint64_t numbers = h->face_room * (uint64_t) sizeof(uint32_t);
	uint64_t	taken = 0;

	h->face = mf_memory_carve(block, &taken, h->face_room *
							  (uint64_t) sizeof(*h->face));
	h->stamp = mf_memory_carve(block, &taken, numbers);
	h->free = mf_memory_carve(block, &taken, numbers);
	h->removed = mf_memory_carve(block, &taken, numbers);
	h->pending = mf_memory_carve(block, &taken, numbers);
	h->spoke = mf_memory_carve(block, &taken, h->point_room *
							   (uint64_t) sizeof(*h->spoke));
	h->point = mf_memory_carve(block, &taken, h->point_room *
							   (uint64_t) sizeof(*h->point));
	return taken;
}

/* Takes room; see polytope.h. */
bool
mf_polytope_reserve(MfJob *job, MfPolytope *h, uint32_t points)
{
	MfPolytope	grown = *h;

	/* Twice as many faces as points, and a cone beside what it replaces. */
	grown.point_room = points;
	grown.face_room = 3 * points + 8;
	grown.bytes = lay_out(&grown, NULL);
	grown.block = mf_memory_alloc(&job->memory, grown.bytes);
	if (grown.block == NULL)
		return mf_job_out_of_memory(job);
	lay_out(&grown, grown.block);
	if (h->block != NULL)
	{
		memcpy(grown.point, h->point, h->point_count * sizeof(*h->point));
		memcpy(grown.face, h->face, h->face_count * sizeof(*h->face));
		memcpy(grown.stamp, h->stamp, h->face_count * sizeof(*h->stamp));
		memcpy(grown.free, h->free, h->free_count * sizeof(*h->free));
		mf_memory_free(&job->memory, h->block, h->bytes);
	}
	*h = grown;
	return true;
}

/* Gives the memory back. */
void
mf_polytope_free(MfJob *job, MfPolytope *h)
{
	mf_memory_free(&job->memory, h->block, h->bytes);
	memset(h, 0, sizeof(*h));
}
