/*
 * test_walls.c
 *		Wall thickness, overhangs and supports, against closed forms.
 */
#include "scenes.h"
#include "tap.h"

/* Shares of the walls' area. */
#define FIVE_PERCENT	2
#define HALF			5

/* A turn by `angle` around an axis of no symmetry. */
static void
make_turn(double angle, double turn[3][3])
{
	const double axis[3] = {2 / 7.0, 3 / 7.0, 6 / 7.0};
	const double c = cos(angle);
	const double s = sin(angle);

	for (int i = 0; i < 3; i++)
		for (int k = 0; k < 3; k++)
			turn[i][k] = axis[i] * axis[k] * (1 - c) + (i == k ? c : 0) +
				(k == (i + 2) % 3 ? axis[(i + 1) % 3] :
				 k == (i + 1) % 3 ? -axis[(i + 2) % 3] : 0) * s;
}

static void
map_soup(Soup *soup, const double (*linear)[3])
{
	for (size_t t = 0; t < soup->count; t++)
		for (int i = 0; i < 3; i++)
		{
			double		at[3];

			for (int k = 0; k < 3; k++)
				at[k] = linear[k][0] * soup->triangle[t][i][0] +
					linear[k][1] * soup->triangle[t][i][1] +
					linear[k][2] * soup->triangle[t][i][2];
			for (int k = 0; k < 3; k++)
				soup->triangle[t][i][k] = (float) at[k];
		}
}

static void
turn_soup(Soup *soup, double angle)
{
	double		turn[3][3];

	make_turn(angle, turn);
	map_soup(soup, (const double (*)[3]) turn);
}

/* A ball of rows * columns quads; its corners are on the sphere. */
static void
add_ball(Soup *soup, int rows, int columns, double radius, bool inward)
{
	for (int r = 0; r < rows; r++)
		for (int c = 0; c < columns; c++)
		{
			double		at[4][3];

			for (int i = 0; i < 4; i++)
			{
				const int	row = r + (i >= 2);
				const int	column = (c + (i == 1 || i == 2)) % columns;
				const double u = M_PI * row / rows;
				const double v = 2 * M_PI * column / columns;
				const double s = row == 0 || row == rows ? 0 : sin(u);

				at[i][0] = radius * s * cos(v);
				at[i][1] = radius * s * sin(v);
				at[i][2] = -radius * cos(u);
			}
			for (int half = 0; half < 2; half++)
			{
				const double *b = at[half + 1];
				const double *d = at[half + 2];

				if ((r == 0 && half == 0) || (r == rows - 1 && half == 1))
					continue;
				if (inward)
					add_triangle(soup, at[0], d, b);
				else
					add_triangle(soup, at[0], b, d);
			}
		}
}

static void
test_plates(void)
{
	for (int i = 0; i < 12; i++)
	{
		Soup		soup = {0};
		MfMeasurement m;

		add_box(&soup, 0, 0, 0, 50, 40, 0.25, false);
		turn_soup(&soup, i * 0.55);
		ok(measure_soup(&soup, &m) && near(m.min_wall_mm, 0.25, 1e-4) &&
		   near(m.wall_mm[HALF], 0.25, 1e-4) &&
		   near(m.wall_mm[MF_WALL_SHARES - 1], 50, 1e-5) &&
		   m.wall_samples == 12 && m.overlap_volume_mm3 == 0,
		   "a plate of 0.25, turned %d", i);
		free_soup(&soup);
	}
}

static void
test_hollows(void)
{
	Soup		soup = {0};
	MfMeasurement m;

	add_box(&soup, 0, 0, 0, 40, 30, 20, false);
	add_box(&soup, 1, 2, 3, 38, 26, 15, true);
	ok(measure_soup(&soup, &m) && near(m.min_wall_mm, 1, 1e-9) &&
	   near(m.wall_mm[MF_WALL_SHARES - 1], 5, 1e-6) &&
	   near(m.overhang_area_mm2, 37 * 24, 1e-9) &&
	   near(m.support_volume_mm3, 37 * 24 * 12, 1e-9),
	   "a box with walls of 1 to 5, and a ceiling within");
	free_soup(&soup);

	add_ball(&soup, 40, 60, 10, false);
	add_ball(&soup, 40, 60, 8, true);
	ok(measure_soup(&soup, &m) && m.min_wall_mm > 1.98 &&
	   m.wall_mm[MF_WALL_SHARES - 1] < 2.1 && near(m.wall_mm[HALF], 2, 0.01),
	   "a hollow ball with a wall of 2");
	free_soup(&soup);

	add_torus(&soup, 60, 40, 30, 5);
	ok(measure_soup(&soup, &m) && near(m.wall_mm[HALF], 10, 0.01) &&
	   near(m.min_wall_mm, 10, 0.02), "a torus of 10");
	free_soup(&soup);
}

/* Turned, nothing changes; the second model is sampled. */
static void
test_turns(void)
{
	for (int size = 0; size < 2; size++)
	{
		Soup		soup = {0};
		MfMeasurement first;

		add_torus(&soup, 40 << size, 30 << size, 30, 10);
		add_torus(&soup, 40 << size, 30 << size, 30, 6);
		for (size_t t = soup.count / 2; t < soup.count; t++)
			turn_triangle(&soup, t);
		measure_soup(&soup, &first);
		ok(first.wall_samples == (size == 0 ? 4800 : 19200),
		   "%d places", (int) first.wall_samples);
		for (int i = 1; i < 4; i++)
		{
			MfMeasurement m;
			bool		same = true;

			turn_soup(&soup, 0.7);
			same = measure_soup(&soup, &m);
			for (int k = 0; k < MF_WALL_SHARES; k++)
				same &= near(m.wall_mm[k], first.wall_mm[k], 1e-4);
			ok(same && m.defect_count == first.defect_count,
			   "a hollow torus of %d, turned %d", (int) m.triangles, i);
		}
		free_soup(&soup);
	}
}

static void
test_open(void)
{
	Soup		soup = {0};
	MfMeasurement m;

	add_box(&soup, 0, 0, 0, 10, 10, 10, false);
	/* The top and a side: no plane closes that. */
	for (int t = 0; t < 4; t++)
		remove_triangle(&soup, 2);
	ok(measure_soup(&soup, &m) && isnan(m.volume_mm3) && isnan(m.min_wall_mm) &&
	   isnan(m.wall_mm[0]) && m.wall_samples == 0 &&
	   isnan(m.support_volume_mm3) && isnan(m.overlap_volume_mm3) &&
	   m.overhang_area_mm2 == 0, "an open box has no walls");
	free_soup(&soup);
}

static void
test_supports(void)
{
	Soup		soup = {0};
	MfMeasurement m;

	/* A table: its legs stand under its plate, and touch it. */
	add_box(&soup, 0, 0, 20, 50, 30, 24, false);
	for (int leg = 0; leg < 4; leg++)
		add_box(&soup, leg & 1 ? 46 : 0, leg & 2 ? 26 : 0, 0,
				leg & 1 ? 50 : 4, leg & 2 ? 30 : 4, 20, false);
	ok(measure_soup(&soup, &m) && near(m.overhang_area_mm2, 1500, 1e-9) &&
	   near(m.support_volume_mm3, (1500 - 4 * 16) * 20, 0.01) &&
	   m.overlap_volume_mm3 == 0 &&
	   find_defect(&m, MF_DEFECT_OVERLAPPING_BODIES) == NULL,
	   "a table on four legs that touch it");
	free_soup(&soup);

	/* Under a ball: a cone's base less a cap. */
	add_ball(&soup, 200, 200, 10, false);
	ok(measure_soup(&soup, &m) &&
	   near(m.overhang_area_mm2, 2 * M_PI * 100 * (1 - M_SQRT1_2), 0.02) &&
	   near(m.support_volume_mm3, 2 * M_PI * 1000 *
			(0.25 + (pow(2, -1.5) - 1) / 3), 0.03), "a ball");
	free_soup(&soup);

	/* A bridge over a block: half of it down to the block. */
	add_box(&soup, 0, 0, 30, 20, 10, 33, false);
	add_box(&soup, 0, 0, 0, 10, 10, 12, false);
	ok(measure_soup(&soup, &m) && near(m.overhang_area_mm2, 200, 1e-9) &&
	   near(m.support_volume_mm3, 100 * 18 + 100 * 30, 0.002),
	   "a bridge over a block");
	free_soup(&soup);

	/* A wedge that rises by 45 degrees is not held up, one by 40 is. */
	for (int slope = 0; slope < 2; slope++)
	{
		const double rise = slope == 0 ? 10 : 10 * tan(40 * M_PI / 180);
		const double corner[6][3] = {
			{0, 0, 0}, {0, 10, 0}, {10, 0, rise}, {10, 10, rise},
			{0, 0, 20}, {0, 10, 20}
		};

		add_quad(&soup, corner[0], corner[1], corner[3], corner[2]);
		add_quad(&soup, corner[0], corner[4], corner[5], corner[1]);
		add_quad(&soup, corner[2], corner[3], corner[5], corner[4]);
		add_triangle(&soup, corner[0], corner[2], corner[4]);
		add_triangle(&soup, corner[1], corner[5], corner[3]);
		ok(measure_soup(&soup, &m) &&
		   (slope == 0 ? m.overhang_area_mm2 == 0 &&
			m.support_volume_mm3 == 0 :
			near(m.overhang_area_mm2, 100 / cos(40 * M_PI / 180), 1e-6) &&
			near(m.support_volume_mm3, 100 * rise / 2, 1e-3)),
		   "a slope of %d degrees", slope == 0 ? 45 : 40);
		free_soup(&soup);
	}
}

/* The same scene out of instances, and laid out flat. */
static void
test_instances(bool sampled)
{
	static const double mirror[3][3] = {{-1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
	static const double stretch[3][3] = {{2, 0, 0}, {0, 1, 0.5}, {0, 0, 1.5}};
	Soup		part = {0};
	Soup		flat = {0};
	Made		made;
	MfMeasurement m;
	MfMeasurement wanted;
	double		turn[3][3];

	add_torus(&part, sampled ? 60 : 20, sampled ? 40 : 12, 20, 6);
	begin_made(&made, NULL);
	add_made_part(&made, &part);
	make_turn(1, turn);
	for (int i = 0; i < 7; i++)
	{
		const double (*linear)[3] = i == 1 || i == 2 ?
		(const double (*)[3]) turn : i == 3 ? mirror : i == 4 ? stretch :
		NULL;
		Soup		copy = {0};

		for (size_t t = 0; t < part.count; t++)
		{
			double		at[3][3];

			for (int c = 0; c < 3; c++)
				for (int k = 0; k < 3; k++)
					at[c][k] = part.triangle[t][c][k];
			add_triangle(&copy, at[0], at[1], at[2]);
		}
		if (linear != NULL)
			map_soup(&copy, linear);
		if (i == 3)
			for (size_t t = 0; t < copy.count; t++)
				turn_triangle(&copy, t);
		move_soup(&copy, 90 * i, 10 * i, i == 6 ? -60 : 17 * i);
		place_made(&made, 0, linear, 90 * i, 10 * i, i == 6 ? -60 : 17 * i);
		for (size_t t = 0; t < copy.count; t++)
		{
			double		at[3][3];

			for (int c = 0; c < 3; c++)
				for (int k = 0; k < 3; k++)
					at[c][k] = copy.triangle[t][c][k];
			add_triangle(&flat, at[0], at[1], at[2]);
		}
		free_soup(&copy);
	}
	ok(measure_made(&made, &m) && measure_soup(&flat, &wanted) &&
	   near(m.min_wall_mm, wanted.min_wall_mm, 1e-4) &&
	   near(m.wall_mm[FIVE_PERCENT], wanted.wall_mm[FIVE_PERCENT], 1e-3) &&
	   near(m.wall_mm[HALF], wanted.wall_mm[HALF], 1e-3) &&
	   near(m.wall_mm[8], wanted.wall_mm[8], 1e-2) &&
	   near(m.overhang_area_mm2, wanted.overhang_area_mm2, 1e-5) &&
	   near(m.support_volume_mm3, wanted.support_volume_mm3, 1e-2) &&
	   m.overlap_volume_mm3 == 0 && m.wall_samples == wanted.wall_samples,
	   "instances are as good as copies, %s", sampled ? "sampled" : "all");
	free_soup(&part);
	free_soup(&flat);
}

/* A flat part at many heights: those on the plate do not overhang. */
static void
test_heights(void)
{
	Soup		part = {0};
	Made		made;
	MfMeasurement m;

	add_box(&part, 0, 0, 0, 10, 10, 1, false);
	begin_made(&made, NULL);
	add_made_part(&made, &part);
	for (int i = 0; i < 40; i++)
		place_made(&made, 0, NULL, 20 * i, 0, 3 * ((i * 7) % 10));
	ok(measure_made(&made, &m) && near(m.overhang_area_mm2, 3600, 1e-12) &&
	   near(m.support_volume_mm3, 4 * 100 * 3 * 45, 1e-9) &&
	   m.min_wall_mm == 1, "forty plates at ten heights");
	free_soup(&part);
}

/* The same bits with any number of threads. */
static void
test_threads(void)
{
	Soup		soup = {0};
	Bytes		bytes;
	MfMeasurement first;
	MfRefusal	refusal;

	add_torus(&soup, 300, 150, 30, 10);
	add_torus(&soup, 300, 150, 30, 6);
	move_soup(&soup, 3, 4, 5);
	bytes = as_binary(&soup);
	for (int threads = 1; threads <= 5; threads += threads > 1 ? 3 : 1)
	{
		MfPool	   *pool = mf_pool_start(threads);
		const MfGeometryOptions options = {.pool = pool};
		MfMeasurement m;

		memset(&m, threads, sizeof(m));
		measure_bytes(bytes.at, bytes.size, &options, &m, &refusal);
		mf_pool_stop(pool);
		m.measured_in_ms = 0;
		if (threads == 1)
			first = m;
		else
			ok(memcmp(&m, &first, sizeof(m)) == 0 && !isnan(m.min_wall_mm) &&
			   m.support_volume_mm3 > 0, "the same bits with %d threads",
			   threads);
	}
	free_bytes(&bytes);
	free_soup(&soup);
}

int
main(void)
{
	test_plates();
	test_hollows();
	test_turns();
	test_open();
	test_supports();
	test_instances(false);
	test_instances(true);
	test_heights();
	test_threads();
	return tap_done();
}
