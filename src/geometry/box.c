/*
 * box.c
 *		The smallest box that stands on one of the axes, turned about it.
 *
 * Seen along an axis, the box is the rectangle of least area around the
 * points' convex polygon.  One of its sides lies on a side of the polygon
 * (Freeman and Shapira, "Determining the minimum-area encasing rectangle for
 * an arbitrary closed curve", 1975), so all of these are tried, while the
 * three other corners that the rectangle touches move on around the polygon
 * (Toussaint, "Solving geometric problems with the rotating calipers", 1983).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hull.h"

/* A box about another axis than z has to be smaller by this factor. */
#define CLEARLY		(1 - 1e-9)

typedef struct Spot
{
	double		x;
	double		y;
} Spot;

static int
compare_spots(const void *a, const void *b)
{
	const Spot *one = a;
	const Spot *other = b;

	if (one->x != other->x)
		return one->x < other->x ? -1 : 1;
	return (one->y > other->y) - (one->y < other->y);
}

/* Twice the area of a triangle: positive where it runs anticlockwise. */
static double
turn(const Spot *a, const Spot *b, const Spot *c)
{
	return (b->x - a->x) * (c->y - a->y) - (b->y - a->y) * (c->x - a->x);
}

/*
 * The convex polygon around sorted spots, anticlockwise, without its last
 * corner, which is the first again: Andrew, "Another efficient algorithm for
 * convex hulls in two dimensions", 1979.  There is room for as many corners
 * as spots, and one.
 */
static uint32_t
find_polygon(const Spot *spot, uint32_t count, Spot *corner)
{
	uint32_t	kept = 0;

	for (int back = 0; back < 2; back++)
	{
		const uint32_t start = kept + 1;

		for (uint32_t n = 0; n < count; n++)
		{
			const Spot *now = &spot[back ? count - 1 - n : n];

			if (back && n == 0)
				continue;
			while (kept > (back ? start - 1 : 1) &&
				   turn(&corner[kept - 2], &corner[kept - 1], now) <= 0)
				kept--;
			corner[kept++] = *now;
		}
	}
	return kept > 1 ? kept - 1 : kept;
}

/* How far a spot is along a direction. */
static inline double
along(const Spot *spot, double x, double y)
{
	return spot->x * x + spot->y * y;
}

/* The corner that is farthest along a direction, from one on. */
static uint32_t
move_on(const Spot *corner, uint32_t count, uint32_t from, double x,
		double y)
{
	for (uint32_t steps = 0; steps < count; steps++)
	{
		const uint32_t next = from + 1 == count ? 0 : from + 1;

		if (along(&corner[next], x, y) < along(&corner[from], x, y))
			break;
		from = next;
	}
	return from;
}

/* The sides of the smallest rectangle around a convex polygon. */
static void
find_rectangle(const Spot *corner, uint32_t count, double side[2])
{
	uint32_t	far[3] = {0};	/* ahead, across, behind */
	bool		first = true;

	side[0] = INFINITY;
	side[1] = INFINITY;
	for (uint32_t n = 0; n < count; n++)
	{
		const Spot *from = &corner[n];
		const Spot *to = &corner[n + 1 == count ? 0 : n + 1];
		const double length = hypot(to->x - from->x, to->y - from->y);
		const double x = (to->x - from->x) / length;
		const double y = (to->y - from->y) / length;
		double		width;
		double		depth;

		if (!(length > 0) || !isfinite(x) || !isfinite(y))
			continue;
		if (first)
			far[0] = n;
		far[0] = move_on(corner, count, far[0], x, y);
		if (first)
			far[1] = far[0];
		far[1] = move_on(corner, count, far[1], -y, x);
		if (first)
			far[2] = far[1];
		far[2] = move_on(corner, count, far[2], -x, -y);
		first = false;
		width = along(&corner[far[0]], x, y) - along(&corner[far[2]], x, y);
		depth = along(&corner[far[1]], -y, x) - along(from, -y, x);
		if (width * depth < side[0] * side[1])
		{
			side[0] = fmax(width, depth);
			side[1] = fmin(width, depth);
		}
	}
	if (first)
		side[0] = side[1] = 0;
	side[1] = fmax(side[1], 0);
}

/*
 * Is this box clearly smaller?  Of flat ones, which have no volume, the one
 * with less surface.
 */
static bool
is_smaller(const double box[3], const double best[3])
{
	const double volume = box[0] * box[1] * box[2];
	const double least = best[0] * best[1] * best[2];
	const double surface = box[0] * box[1] + (box[0] + box[1]) * box[2];
	const double less = best[0] * best[1] + (best[0] + best[1]) * best[2];

	if (volume == 0 && least == 0)
		return surface < less * CLEARLY;
	return volume < least * CLEARLY;
}

/* The smallest box; see hull.h. */
bool
mf_box_find(MfJob *job, const double (*at)[3], uint32_t count,
			double sides[3])
{
	const uint64_t bytes = (2 * (uint64_t) count + 1) * sizeof(Spot);
	Spot	   *spot = mf_memory_alloc(&job->memory, bytes);

	if (spot == NULL)
		return mf_job_out_of_memory(job);
	for (int i = 0; i < 3; i++)
	{
		const int	axis = (i + 2) % 3;
		Spot	   *corner = spot + count;
		double		low = INFINITY;
		double		high = -INFINITY;
		double		box[3];

		for (uint32_t n = 0; n < count; n++)
		{
			/* About the first, so that a place far off loses no digits. */
			spot[n].x = at[n][(axis + 1) % 3] - at[0][(axis + 1) % 3];
			spot[n].y = at[n][(axis + 2) % 3] - at[0][(axis + 2) % 3];
			low = fmin(low, at[n][axis]);
			high = fmax(high, at[n][axis]);
		}
		qsort(spot, count, sizeof(*spot), compare_spots);
		find_rectangle(corner, find_polygon(spot, count, corner), box);
		box[2] = high - low;
		if (i == 0 || is_smaller(box, sides))
			memcpy(sides, box, sizeof(box));
	}
	mf_memory_free(&job->memory, spot, bytes);
	return true;
}
