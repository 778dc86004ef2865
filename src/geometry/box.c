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
#include <string.h>

#include "hull.h"

/* A box about another axis than z has to be smaller by this factor. */
#define CLEARLY		(1 - 1e-9)

/* Cells of directions along each side of a square. */
#define CELLS		128

typedef struct Spot
{
	double		x;
	double		y;
} Spot;

static inline bool
is_before(const Spot *a, const Spot *b)
{
	return a->x < b->x || (a->x == b->x && a->y < b->y);
}

static void
sift_down(Spot *spot, uint32_t root, uint32_t count)
{
	const Spot	moved = spot[root];

	for (;;)
	{
		uint32_t	child = 2 * root + 1;

		if (child >= count)
			break;
		if (child + 1 < count && is_before(&spot[child], &spot[child + 1]))
			child++;
		if (!is_before(&moved, &spot[child]))
			break;
		spot[root] = spot[child];
		root = child;
	}
	spot[root] = moved;
}

/* Heap sort, for the reason that sort.c gives. */
static void
sort_spots(Spot *spot, uint32_t count)
{
	for (uint32_t root = count / 2; root-- > 0;)
		sift_down(spot, root, count);
	for (uint32_t last = count; last-- > 1;)
	{
		const Spot	largest = spot[0];

		spot[0] = spot[last];
		spot[last] = largest;
		sift_down(spot, 0, last);
	}
}

/* The direction of a spot, as a cell of a square's four sides. */
static inline int
find_cell(double x, double y, double *distance)
{
	const bool	upright = fabs(y) > fabs(x);
	const double size = upright ? fabs(y) : fabs(x);
	int			cell;

	*distance = size;
	if (!(size > 0))
		return 0;
	cell = (int) (((upright ? x / size : y / size) + 1) * (CELLS / 2));
	cell = cell < CELLS ? cell : CELLS - 1;
	return (upright ? (y < 0 ? 3 : 1) : (x < 0 ? 2 : 0)) * CELLS + cell;
}

/* A spot that is farthest out in its cell, and how far. */
typedef struct Farthest
{
	double		distance;
	Spot		spot;
} Farthest;

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

/* How far out all of a cell is within a polygon, with some room. */
static double
measure_cell(const Spot *corner, uint32_t count, int cell)
{
	double		within = INFINITY;

	for (int end = 0; end < 2; end++)
	{
		const int	side = cell / CELLS;
		const double part = (cell % CELLS + end) * (2.0 / CELLS) - 1;
		const double sign = side < 2 ? 1 : -1;
		const double x = side % 2 == 0 ? sign : part;
		const double y = side % 2 == 0 ? part : sign;

		for (uint32_t n = 0; n < count; n++)
		{
			const Spot *a = &corner[n];
			const Spot *b = &corner[n + 1 == count ? 0 : n + 1];
			const double speed = (b->y - a->y) * x - (b->x - a->x) * y;
			const double height = a->x * b->y - a->y * b->x;

			/* The middle has to be within, too. */
			if (height <= 0)
				return 0;
			if (speed > 0 && height / speed < within)
				within = height / speed;
		}
	}
	return within * (1 - 1e-9);
}

/*
 * Leaves the spots that may be corners: those farthest out in each cell of
 * the directions make a polygon, and what is within that is dropped.  A spot
 * is within where its cell is, up to its distance: that is a triangle, so its
 * two far corners have to be.  Returns how many are left.
 */
static uint32_t
drop_inner(Spot *spot, uint32_t count, const double low[2],
		   const double high[2])
{
	const double middle[2] = {low[0] + (high[0] - low[0]) / 2,
	low[1] + (high[1] - low[1]) / 2};
	const double size[2] = {high[0] - low[0], high[1] - low[1]};
	Farthest	best[4 * CELLS] = {{0}};
	Spot		ring[4 * CELLS];
	Spot		corner[4 * CELLS + 1];
	double		within[4 * CELLS];
	uint32_t	corners = 0;
	uint32_t	left = 0;

	if (count <= 4 * CELLS || !(size[0] > 0) || !(size[1] > 0))
		return count;
	for (uint32_t n = 0; n < count; n++)
	{
		const Spot	at = {(spot[n].x - middle[0]) / size[0],
		(spot[n].y - middle[1]) / size[1]};
		double		distance;
		const int	cell = find_cell(at.x, at.y, &distance);

		if (distance > best[cell].distance)
			best[cell] = (Farthest)
		{
			distance, at
		};
	}
	for (int c = 0; c < 4 * CELLS; c++)
		if (best[c].distance > 0)
			ring[corners++] = best[c].spot;
	sort_spots(ring, corners);
	corners = find_polygon(ring, corners, corner);
	for (int c = 0; c < 4 * CELLS; c++)
		within[c] = measure_cell(corner, corners, c);
	for (uint32_t n = 0; n < count; n++)
	{
		double		distance;
		const int	cell = find_cell((spot[n].x - middle[0]) / size[0],
									 (spot[n].y - middle[1]) / size[1],
									 &distance);

		if (distance >= within[cell])
			spot[left++] = spot[n];
	}
	return left;
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
		double		low[3] = {INFINITY, INFINITY, INFINITY};
		double		high[3] = {-INFINITY, -INFINITY, -INFINITY};
		double		box[3];
		uint32_t	left;

		for (uint32_t n = 0; n < count; n++)
		{
			/* About the first, so that a place far off loses no digits. */
			double		own[3];

			for (int k = 0; k < 3; k++)
			{
				own[k] = at[n][(axis + 1 + k) % 3] -
					at[0][(axis + 1 + k) % 3];
				low[k] = own[k] < low[k] ? own[k] : low[k];
				high[k] = own[k] > high[k] ? own[k] : high[k];
			}
			spot[n].x = own[0];
			spot[n].y = own[1];
		}
		left = drop_inner(spot, count, low, high);
		sort_spots(spot, left);
		find_rectangle(corner, find_polygon(spot, left, corner), box);
		box[2] = high[2] - low[2];
		if (i == 0 || is_smaller(box, sides))
			memcpy(sides, box, sizeof(box));
	}
	mf_memory_free(&job->memory, spot, bytes);
	return true;
}
