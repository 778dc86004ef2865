/*
 * picture_draw.c
 *		Fills triangles into a canvas, nearest sample first.
 *
 * Corners are snapped to 256ths of a pixel and coverage is decided in whole
 * numbers (Pineda 1988: a pixel is in where all three edge functions are not
 * negative), so neighbours leave no gap between them.  A pixel on a shared
 * edge is drawn by both; the least word wins.
 */
#include <math.h>

#include "picture.h"

#define SNAP			256
#define HALF_PIXEL		(SNAP / 2)

/* Narrower triangles are tested pixel by pixel, wider ones span by span. */
#define NARROW			6

/* What finding a span costs, in pixels. */
#define SPAN_COST		4

/* The inside of an open surface lies so much behind its outside. */
#define BACK_BEHIND		(1U << 12)

/* Radius of a mark, in pixels of the canvas. */
#define MARK_RADIUS		22

/* Snaps a length to the canvas; what is off it stays off. */
static int32_t
snap(double pixels)
{
	if (!(pixels > -MF_CANVAS_SIDE))
		pixels = -MF_CANVAS_SIDE;
	if (pixels > 2 * MF_CANVAS_SIDE)
		pixels = 2 * MF_CANVAS_SIDE;
	return (int32_t) ((pixels + MF_CANVAS_SIDE) * SNAP + 0.5) -
		MF_CANVAS_SIDE * SNAP;
}

/* The first pixel whose centre is not before a snapped place. */
static int32_t
first_centre(int32_t place)
{
	const int32_t pixel = (place + HALF_PIXEL - 1) >> 8;

	return pixel < 0 ? 0 : pixel;
}

/* The last pixel whose centre is not behind it. */
static int32_t
last_centre(int32_t place)
{
	const int32_t pixel = (place - HALF_PIXEL) >> 8;

	return pixel >= MF_CANVAS_SIDE ? MF_CANVAS_SIDE - 1 : pixel;
}

static int32_t
least(int32_t a, int32_t b, int32_t c)
{
	const int32_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

static int32_t
most(int32_t a, int32_t b, int32_t c)
{
	const int32_t ab = a > b ? a : b;

	return ab > c ? ab : c;
}

/* Snaps a triangle; see picture.h. */
bool
mf_stroke_prepare(MfStroke *stroke, bool closed)
{
	int32_t		(*s)[2] = stroke->snapped;

	for (int i = 0; i < 3; i++)
		for (int k = 0; k < 2; k++)
			s[i][k] = snap(stroke->at[i][k]);
	stroke->twice_area = (int64_t) (s[1][0] - s[0][0]) * (s[2][1] - s[0][1]) -
		(int64_t) (s[1][1] - s[0][1]) * (s[2][0] - s[0][0]);
	if (stroke->twice_area == 0 || (closed && stroke->twice_area < 0))
		return false;
	stroke->first_column = first_centre(least(s[0][0], s[1][0], s[2][0]));
	stroke->last_column = last_centre(most(s[0][0], s[1][0], s[2][0]));
	stroke->first_row = first_centre(least(s[0][1], s[1][1], s[2][1]));
	stroke->last_row = last_centre(most(s[0][1], s[1][1], s[2][1]));
	return stroke->first_column <= stroke->last_column &&
		stroke->first_row <= stroke->last_row;
}

static inline bool
is_narrow(const MfStroke *stroke)
{
	return stroke->last_column - stroke->first_column < NARROW;
}

/* Pixels that drawing it will look at, about; see picture.h. */
uint64_t
mf_stroke_cost(const MfStroke *stroke)
{
	const int64_t twice = stroke->twice_area < 0 ? -stroke->twice_area :
	stroke->twice_area;

	const uint64_t rows = (uint64_t) (stroke->last_row - stroke->first_row + 1);

	return (uint64_t) twice / (2 * SNAP * SNAP) +
		(is_narrow(stroke) ? rows : SPAN_COST * rows);
}

/*
 * How bright a surface is, 0 to 255: little light from everywhere, a lamp
 * from above on the left, a weak one from the right (Lambert's cosine law).
 */
static uint32_t
shade_of(const double normal[3])
{
	static const double lamp[2][3] = {
		{-0.4503, 0.6004, 0.6604}, {0.7960, 0.0995, 0.5970}
	};
	static const double strength[2] = {0.62, 0.16};
	const double length = sqrt(normal[0] * normal[0] + normal[1] * normal[1] +
							   normal[2] * normal[2]);
	double		shade = 0.22;

	if (!(length > 0))
		return 0;
	for (int i = 0; i < 2; i++)
	{
		const double cosine = (lamp[i][0] * normal[0] +
							   lamp[i][1] * normal[1] +
							   lamp[i][2] * normal[2]) / length;

		if (cosine > 0)
			shade += strength[i] * cosine;
	}
	return shade < 1 ? (uint32_t) (shade * 255 + 0.5) : 255;
}

/* One pixel, from whichever thread. */
static inline void
put(uint64_t *pixel, uint64_t sample)
{
	uint64_t	there = __atomic_load_n(pixel, __ATOMIC_RELAXED);

	while (sample < there &&
		   !__atomic_compare_exchange_n(pixel, &there, sample, true,
										__ATOMIC_RELAXED, __ATOMIC_RELAXED))
		continue;
}

/* The plane of a triangle: how near it is at a pixel. */
typedef struct Plane
{
	double		start;			/* at the centre of pixel 0, 0 */
	double		right;			/* nearer, per pixel */
	double		up;
	double		low;			/* the corners' range: a plane seen from its */
	double		high;			/* edge would leave it */
	uint32_t	behind;
	uint32_t	sample;
} Plane;

static inline uint64_t
sample_at(const MfCanvas *canvas, const Plane *plane, double column,
		  double base)
{
	double		near = base + plane->right * column;
	double		depth;

	near = near < plane->low ? plane->low : near;
	near = near > plane->high ? plane->high : near;
	depth = (canvas->nearest - near) * canvas->depth_scale;

	/* Depth 0 is for marks; the range leaves room at its far end. */
	depth = depth > 1 ? depth : 1;
	depth = depth < MF_CANVAS_DEPTH ? depth : MF_CANVAS_DEPTH;
	return (uint64_t) ((uint32_t) depth + plane->behind) << 32 |
		plane->sample;
}

static Plane
plane_of(const MfStroke *stroke)
{
	const double (*at)[3] = stroke->at;
	const bool	back = stroke->twice_area < 0;
	double		normal[3];
	double		e[2][3];
	Plane		plane;

	for (int k = 0; k < 3; k++)
	{
		e[0][k] = at[1][k] - at[0][k];
		e[1][k] = at[2][k] - at[0][k];
	}
	for (int k = 0; k < 3; k++)
	{
		const int	a = (k + 1) % 3;
		const int	b = (k + 2) % 3;

		normal[k] = e[0][a] * e[1][b] - e[0][b] * e[1][a];
		if (back)
			normal[k] = -normal[k];
	}
	plane.right = normal[2] != 0 ? -normal[0] / normal[2] : 0;
	plane.up = normal[2] != 0 ? -normal[1] / normal[2] : 0;
	plane.start = at[0][2] + plane.right * (0.5 - at[0][0]) +
		plane.up * (0.5 - at[0][1]);
	plane.low = fmin(fmin(at[0][2], at[1][2]), at[2][2]);
	plane.high = fmax(fmax(at[0][2], at[1][2]), at[2][2]);
	plane.behind = back ? BACK_BEHIND : 0;
	plane.sample = MF_SAMPLE(back ? MF_PICTURE_BACK : MF_PICTURE_MATERIAL,
							 shade_of(normal));
	return plane;
}

/* An edge function a x + b y + c over pixels, not negative inside. */
typedef struct Edge
{
	int64_t		a;
	int64_t		b;
	int64_t		c;
} Edge;

static void
edges_of(const MfStroke *stroke, Edge edge[3])
{
	const int64_t sign = stroke->twice_area < 0 ? -1 : 1;

	for (int i = 0; i < 3; i++)
	{
		const int32_t *from = stroke->snapped[i];
		const int32_t *to = stroke->snapped[(i + 1) % 3];
		const int64_t dx = sign * (to[0] - from[0]);
		const int64_t dy = sign * (to[1] - from[1]);

		edge[i].a = -dy * SNAP;
		edge[i].b = dx * SNAP;
		edge[i].c = dx * (HALF_PIXEL - from[1]) - dy * (HALF_PIXEL - from[0]);
	}
}

static inline int64_t
divide_down(int64_t a, int64_t b)
{
	const int64_t quotient = a / b;

	return quotient - (a % b != 0 && (a < 0) != (b < 0));
}

/* Narrows a row's columns to those inside of all edges. */
static void
clip_row(const Edge edge[3], int64_t row, int64_t *first, int64_t *last)
{
	for (int i = 0; i < 3; i++)
	{
		const int64_t rest = edge[i].b * row + edge[i].c;

		if (edge[i].a > 0)
		{
			const int64_t from = -divide_down(rest, edge[i].a);

			*first = from > *first ? from : *first;
		}
		else if (edge[i].a < 0)
		{
			const int64_t to = divide_down(rest, -edge[i].a);

			*last = to < *last ? to : *last;
		}
		else if (rest < 0)
			*last = -1;
	}
}

static inline bool
inside(const Edge edge[3], int64_t column, int64_t row)
{
	return ((edge[0].a * column + edge[0].b * row + edge[0].c) |
			(edge[1].a * column + edge[1].b * row + edge[1].c) |
			(edge[2].a * column + edge[2].b * row + edge[2].c)) >= 0;
}

/* Draws a triangle that has been prepared. */
void
mf_stroke_draw(const MfCanvas *canvas, const MfStroke *stroke)
{
	const bool	narrow = is_narrow(stroke);
	const Plane plane = plane_of(stroke);
	Edge		edge[3];

	edges_of(stroke, edge);
	for (int32_t row = stroke->first_row; row <= stroke->last_row; row++)
	{
		uint64_t   *pixels = canvas->pixel + (size_t) row * MF_CANVAS_SIDE;
		const double base = plane.start + plane.up * row;
		int64_t		first = stroke->first_column;
		int64_t		last = stroke->last_column;

		if (!narrow)
			clip_row(edge, row, &first, &last);
		for (int64_t column = first; column <= last; column++)
			if (!narrow || inside(edge, column, row))
				put(&pixels[column],
					sample_at(canvas, &plane, (double) column, base));
	}
}

/* A dot around a place; see picture.h. */
void
mf_canvas_mark(const MfCanvas *canvas, double x, double y)
{
	const int32_t middle[2] = {snap(x) / SNAP, snap(y) / SNAP};

	for (int32_t dy = -MARK_RADIUS; dy <= MARK_RADIUS; dy++)
		for (int32_t dx = -MARK_RADIUS; dx <= MARK_RADIUS; dx++)
		{
			const int32_t column = middle[0] + dx;
			const int32_t row = middle[1] + dy;
			const int32_t square = dx * dx + dy * dy;

			if (square > MARK_RADIUS * MARK_RADIUS || column < 0 || row < 0 ||
				column >= MF_CANVAS_SIDE || row >= MF_CANVAS_SIDE)
				continue;
			put(&canvas->pixel[(size_t) row * MF_CANVAS_SIDE + column],
				MF_SAMPLE(MF_PICTURE_MARK, 255 - 90 * square /
						  (MARK_RADIUS * MARK_RADIUS)));
		}
}
