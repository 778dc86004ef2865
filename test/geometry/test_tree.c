/*
 * test_tree.c
 *		The tree of boxes: nothing is missed, whatever it holds, and how much
 *		is looked at.
 */
#include "../../src/geometry/curve.h"
#include "../../src/geometry/space.h"
#include "scenes.h"
#include "tap.h"

typedef struct Boxes
{
	double		(*low)[3];
	double		(*high)[3];
} Boxes;

static double
random_one(uint64_t *state)
{
	return (double) (next_random(state) >> 11) * (1.0 / (UINT64_C(1) << 53));
}

static void
box_of(const void *arg, uint32_t item, double low[3], double high[3])
{
	const Boxes *boxes = arg;

	memcpy(low, boxes->low[item], sizeof(*boxes->low));
	memcpy(high, boxes->high[item], sizeof(*boxes->high));
}

/* Does the line come within `margin` of a box? */
static bool
meets(const double from[3], const double along[3], const double low[3],
	  const double high[3])
{
	double		enter = 0;
	double		leave = INFINITY;

	for (int k = 0; k < 3; k++)
	{
		const double a = (low[k] - from[k]) / along[k];
		const double b = (high[k] - from[k]) / along[k];

		enter = fmax(enter, fmin(a, b));
		leave = fmin(leave, fmax(a, b));
	}
	return enter <= leave;
}

/* Every box that a line meets is told, each item once. */
static void
test_lines(uint32_t count, double size, double far_off, const char *what)
{
	Boxes		boxes = {
		checked(malloc(count * sizeof(double[3]))),
		checked(malloc(count * sizeof(double[3])))
	};
	uint8_t    *seen = checked(malloc(count));
	double		low[3] = {INFINITY, INFINITY, INFINITY};
	double		high[3] = {-INFINITY, -INFINITY, -INFINITY};
	uint64_t	random = count;
	MfJob		job = {.unit_in_mm = 1,.share = 1};
	MfTree		tree;
	int			bad = 0;
	int			met = 0;

	for (uint32_t i = 0; i < count; i++)
		for (int k = 0; k < 3; k++)
		{
			boxes.low[i][k] = far_off + (size < 0 ? 1 : random_one(&random));
			boxes.high[i][k] = boxes.low[i][k] +
				fabs(size) * random_one(&random);
			low[k] = fmin(low[k], boxes.low[i][k]);
			high[k] = fmax(high[k], boxes.high[i][k]);
		}
	bad += !mf_tree_build(&job, &tree, count, low, high, box_of, NULL, &boxes);
	for (int line = 0; line < 200; line++)
	{
		double		from[3];
		double		along[3];
		MfWalk		walk;
		uint64_t	looks = UINT64_MAX;
		uint32_t	first;
		uint32_t	items;

		memset(seen, 0, count);
		for (int k = 0; k < 3; k++)
		{
			from[k] = far_off + 3 * random_one(&random) - 1;
			along[k] = line % 4 == k ? 0 : random_one(&random) - 0.5;
			if (line % 4 == 3)
				along[k] = k == line / 4 % 3;
		}
		if (mf_walk_begin(&walk, &tree, from, along))
			while (mf_walk_next(&walk, INFINITY, &looks, &first, &items))
				for (uint32_t i = first; i < first + items; i++)
					bad += seen[tree.order[i]]++ != 0;
		for (uint32_t i = 0; i < count; i++)
			if (meets(from, along, boxes.low[i], boxes.high[i]))
			{
				bad += seen[i] != 1;
				met++;
			}
	}
	mf_tree_free(&job, &tree);
	ok(bad == 0 && job.memory.used == 0, "%s: %u boxes, met %d times", what,
	   count, met);
	free(boxes.low);
	free(boxes.high);
	free(seen);
}

/* The curve goes through all cells, from each to its neighbour. */
static void
test_curve(void)
{
	enum
	{
		SIDE = 16
	};
	static uint8_t cells[SIDE * SIDE * SIDE][3];
	MfCurve		curve;
	int			bad = 0;

	mf_curve_begin(&curve);
	for (uint32_t i = 0; i < SIDE * SIDE * SIDE; i++)
	{
		const uint32_t at[3] = {i % SIDE, i / SIDE % SIDE, i / SIDE / SIDE};
		uint32_t	cell[3];
		uint64_t	place;

		for (int k = 0; k < 3; k++)
			cell[k] = at[k] << (MF_CURVE_BITS - 4);
		place = mf_curve_place(&curve, cell) >> 3 * (MF_CURVE_BITS - 4);
		for (int k = 0; k < 3; k++)
			cells[place][k] = (uint8_t) at[k];
	}
	for (int i = 1; i < SIDE * SIDE * SIDE; i++)
	{
		int			steps = 0;

		for (int k = 0; k < 3; k++)
			steps += abs(cells[i][k] - cells[i - 1][k]);
		bad += steps != 1;
	}
	ok(bad == 0, "the curve steps from cell to cell");
}

/* What lines from within a torus look at, on the average. */
static double
count_looks(int rows, int columns, int *missed)
{
	Soup		soup = {0};
	Made		made;
	MfSpace		space;
	uint64_t	random = 1;
	uint64_t	looks = 0;
	const int	lines = 2000;

	add_torus(&soup, rows, columns, 30, 10);
	begin_made(&made, NULL);
	add_made_part(&made, &soup);
	place_made(&made, 0, NULL, 0, 0, 0);
	mf_scene_settle(&made.job, &made.scene);
	mf_space_build(&made.job, &space, &made.scene);
	*missed = 0;
	for (int i = 0; i < lines; i++)
	{
		const double u = 2 * M_PI * random_one(&random);
		MfLine		line = {
			.from = {30 * cos(u), 30 * sin(u), 0},
			.until = 1000,.skip_triangle = MF_NO_TRIANGLE,
			.looks = 1000000
		};
		MfMeeting	meeting;
		double		length = 0;

		for (int k = 0; k < 3; k++)
		{
			line.along[k] = random_one(&random) - 0.5;
			/* Some along the axes, and through edges and corners. */
			if (i % 3 == 0)
				line.along[k] = k == i / 3 % 3;
			length += line.along[k] * line.along[k];
		}
		for (int k = 0; k < 3; k++)
			line.along[k] /= sqrt(length);
		*missed += !mf_space_meet(&space, &line, &meeting) ||
			meeting.triangle == MF_NO_TRIANGLE || !(meeting.at < 80);
		looks += 1000000 - line.looks;
	}
	mf_space_free(&made.job, &space);
	mf_scene_free(&made.job, &made.scene);
	*missed += made.job.memory.used != 0;
	free_soup(&soup);
	return (double) looks / lines;
}

static void
test_looks(void)
{
	int			missed[3];
	const double few = count_looks(100, 50, &missed[0]);
	const double more = count_looks(200, 100, &missed[1]);
	const double many = count_looks(400, 200, &missed[2]);

	ok(missed[0] + missed[1] + missed[2] == 0,
	   "no line gets out of a closed surface");
	ok(few < 100 && more < few * 1.3 && many < more * 1.3,
	   "10, 40, 160 thousand triangles: %.1f, %.1f, %.1f looks", few, more,
	   many);
}

/* A line through very many triangles stops when its looks are used up. */
static void
test_budget(void)
{
	Soup		soup = {0};
	Made		made;
	MfSpace		space;
	MfLine		line = {
		.from = {0.2, 0.2, -1},.along = {0, 0, 1},.until = 1e9,
		.skip_triangle = MF_NO_TRIANGLE,.looks = 1000
	};
	MfMeeting	meeting;
	MfPassage	passage[100];
	uint32_t	count;
	uint64_t	looks = 1000;

	/* Far things first in no order: all stand on edge beside the line. */
	for (int i = 0; i < 20000; i++)
	{
		const double a[3] = {0.1, 0.1 + i * 1e-6, 0};
		const double b[3] = {0.3, 0.1 - i * 1e-6, 0};
		const double c[3] = {0.1, 0.3, 1000 + i};

		add_triangle(&soup, a, b, c);
	}
	begin_made(&made, NULL);
	add_made_part(&made, &soup);
	place_made(&made, 0, NULL, 0, 0, 0);
	ok(mf_scene_settle(&made.job, &made.scene) &&
	   mf_space_build(&made.job, &space, &made.scene), "a stack of needles");
	line.from[0] = 0.29;
	line.from[1] = 0.29;
	ok(!mf_space_meet(&space, &line, &meeting) && line.looks == 0,
	   "a line stops after its looks");
	ok(!mf_space_pass(&space, 0.15, 0.15, passage, 100, &count, &looks) &&
	   count <= 100, "so does one that passes all");
	mf_space_free(&made.job, &space);
	mf_scene_free(&made.job, &made.scene);
	free_soup(&soup);
}

int
main(void)
{
	test_curve();
	test_lines(1, 0.5, 0, "one");
	test_lines(7, 0.5, 0, "few");
	test_lines(3000, 0.05, 0, "some");
	test_lines(3000, 0, 0, "points");
	test_lines(3000, 1, 0, "large");
	test_lines(3000, 0.1, 1e6, "far from the origin");
	test_lines(3000, -0.5, 0, "all at one corner");
	test_lines(100000, 0.01, 0, "many");
	test_looks();
	test_budget();
	return tap_done();
}
