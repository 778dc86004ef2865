/*
 * test_overlaps.c
 *		Material that is there twice, and triangles that pass through others.
 */
#include "scenes.h"
#include "tap.h"

static const MfDefect *
overlap_of(const MfMeasurement *m)
{
	return find_defect(m, MF_DEFECT_OVERLAPPING_BODIES);
}

static int64_t
crossings_of(const MfMeasurement *m)
{
	return defect_count(m, MF_DEFECT_SELF_INTERSECTIONS);
}

/* Two boxes of 10, the second one shifted. */
static bool
measure_two(double x, double y, double z, MfMeasurement *m)
{
	Soup		soup = {0};
	bool		good;

	add_box(&soup, 0, 0, 0, 10, 10, 10, false);
	add_box(&soup, x, y, z, x + 10, y + 10, z + 10, false);
	good = measure_soup(&soup, m);
	free_soup(&soup);
	return good;
}

static void
test_two(void)
{
	static const double shift[][3] = {
		{5, 5, 5}, {4, 3, 2}, {-6, 2, 1}, {0, 0, 7}, {9, 1, 0}, {2, -8, 3}
	};
	static const double apart[][3] = {
		{10, 0, 0}, {0, 10, 0}, {0, 0, 10}, {10, 10, 0}, {10, 10, 10},
		{10, 3, 2}, {0, 0, -10}, {10.5, 0, 0}, {3, 4, 10}
	};
	MfMeasurement m;

	for (size_t i = 0; i < sizeof(shift) / sizeof(shift[0]); i++)
	{
		const double *s = shift[i];
		const double wanted = (10 - fabs(s[0])) * (10 - fabs(s[1])) *
		(10 - fabs(s[2]));
		const MfDefect *d;

		ok(measure_two(s[0], s[1], s[2], &m) && (d = overlap_of(&m)) != NULL &&
		   d->severity == MF_SEVERITY_ERROR && d->count == 2 && d->located &&
		   d->at[0] > fmax(0, s[0]) && d->at[0] < 10 + fmin(0, s[0]) &&
		   d->at[1] > fmax(0, s[1]) && d->at[1] < 10 + fmin(0, s[1]) &&
		   d->at[2] > fmax(0, s[2]) && d->at[2] < 10 + fmin(0, s[2]) &&
		   near(m.overlap_volume_mm3, wanted, 0.05) &&
		   near(m.volume_mm3, 2000, 1e-9) && crossings_of(&m) == 0,
		   "two boxes that share %g", wanted);
	}
	for (size_t i = 0; i < sizeof(apart) / sizeof(apart[0]); i++)
		ok(measure_two(apart[i][0], apart[i][1], apart[i][2], &m) &&
		   overlap_of(&m) == NULL && crossings_of(&m) == 0 &&
		   m.overlap_volume_mm3 == 0, "two boxes that touch, or do not, %zu", i);
	ok(measure_two(9.996, 0.1, 0.2, &m) && overlap_of(&m) != NULL &&
	   overlap_of(&m)->severity == MF_SEVERITY_WARNING &&
	   overlap_of(&m)->count == 2,
	   "two boxes that share little: a warning");
}

/* A body that is there three times counts twice too often. */
static void
test_depths(void)
{
	Soup		soup = {0};
	MfMeasurement m;

	for (int i = 0; i < 3; i++)
		add_box(&soup, i, i * 0.5, i * 0.25, 20 + i, 20 + i * 0.5,
				20 + i * 0.25, false);
	ok(measure_soup(&soup, &m) &&
	   near(m.overlap_volume_mm3, 2 * 19 * 19.5 * 19.75, 0.02),
	   "three boxes: as often as it is counted");
	free_soup(&soup);

	/* A body in a body is nesting's, and counts once. */
	add_box(&soup, 0, 0, 0, 20, 20, 20, false);
	add_box(&soup, 5, 5, 5, 9, 9, 9, false);
	ok(measure_soup(&soup, &m) && m.overlap_volume_mm3 == 0 &&
	   overlap_of(&m) == NULL && m.volume_mm3 == 8000 &&
	   defect_count(&m, MF_DEFECT_NESTED_BODIES) == 1, "a body in a body");
	free_soup(&soup);

	/* ... so what lies across it is there twice, not three times. */
	add_box(&soup, 0, 0, 0, 20, 20, 20, false);
	add_box(&soup, 5, 5, 5, 9, 9, 9, false);
	add_box(&soup, 7, 7, 7, 30, 17, 17, false);
	ok(measure_soup(&soup, &m) &&
	   near(m.overlap_volume_mm3, 13 * 10 * 10, 0.02),
	   "a body across both");
	free_soup(&soup);

	/* A cavity holds nothing that could be there twice. */
	add_box(&soup, 0, 0, 0, 20, 20, 20, false);
	add_box(&soup, 2, 2, 2, 18, 18, 18, true);
	add_box(&soup, 5, 5, 5, 9, 9, 9, false);
	ok(measure_soup(&soup, &m) && m.overlap_volume_mm3 == 0 &&
	   overlap_of(&m) == NULL, "a body in a cavity");
	free_soup(&soup);
}

/* A square bar along a path of right angles in a plane; 2 wide. */
static void
add_bar(Soup *soup, const double (*path)[2], int points)
{
	double		at[16][4][3];

	for (int p = 0; p < points; p++)
	{
		double		left[2] = {0, 0};

		/* To the left of the pieces before and after; mitred. */
		for (int side = p > 0 ? -1 : 0; side < (p + 1 < points ? 1 : 0); side++)
		{
			const double *a = path[p + side];
			const double *b = path[p + side + 1];
			const double length = hypot(b[0] - a[0], b[1] - a[1]);

			left[0] -= (b[1] - a[1]) / length;
			left[1] += (b[0] - a[0]) / length;
		}
		for (int c = 0; c < 4; c++)
		{
			const double sign = c == 0 || c == 3 ? 1 : -1;

			at[p][c][0] = path[p][0] + sign * left[0];
			at[p][c][1] = path[p][1] + sign * left[1];
			at[p][c][2] = c < 2 ? -1 : 1;
		}
	}
	for (int p = 0; p + 1 < points; p++)
		for (int c = 0; c < 4; c++)
			add_quad(soup, at[p][c], at[p][(c + 1) % 4], at[p + 1][(c + 1) % 4],
					 at[p + 1][c]);
	add_quad(soup, at[0][3], at[0][2], at[0][1], at[0][0]);
	add_quad(soup, at[points - 1][0], at[points - 1][1], at[points - 1][2],
			 at[points - 1][3]);
}

static void
test_itself(void)
{
	static const double path[][2] = {
		{0, 0}, {20, 0.5}, {20, 10}, {11, 10}, {10.5, -10}
	};
	Soup		soup = {0};
	MfMeasurement m;
	const MfDefect *d;

	add_bar(&soup, path, 5);
	ok(measure_soup(&soup, &m) && m.bodies == 1 && crossings_of(&m) > 0 &&
	   (d = overlap_of(&m)) != NULL && d->severity == MF_SEVERITY_ERROR &&
	   d->count == 1 && near(m.overlap_volume_mm3, 8, 0.2),
	   "a bar that passes through itself");
	free_soup(&soup);

	/* Where the tube is wider than the hole, a torus turns inside out. */
	add_torus(&soup, 61, 41, 5, 8);
	ok(measure_soup(&soup, &m) && m.bodies == 1 && crossings_of(&m) > 0 &&
	   m.overlap_volume_mm3 == 0, "a torus that passes through itself");
	free_soup(&soup);

	/* Open, only the triangles can tell. */
	add_torus(&soup, 61, 41, 5, 8);
	for (int t = 0; t < 200; t++)
		remove_triangle(&soup, 17 + 3 * t);
	ok(measure_soup(&soup, &m) && crossings_of(&m) > 0 &&
	   overlap_of(&m) == NULL && isnan(m.overlap_volume_mm3),
	   "... and is open");
	free_soup(&soup);

	/* Two triangles that cross, counted and named; turned, the same. */
	for (int i = 0; i < 3; i++)
	{
		const double a[3][3] = {{0, 0, 0}, {10, 0, 0}, {0, 10, 0}};
		const double b[3][3] = {{2, 2, -3}, {3, 2, 5}, {2, 3, 5}};
		const double c[3][3] = {{2, 2, 0}, {3, 2, 5}, {2, 3, 5}};
		const double e[3][3] = {{1, 1, 0}, {4, 1, 0}, {1, 4, 0}};
		const double (*other)[3] = i == 0 ? b : i == 1 ? c : e;

		add_triangle(&soup, a[0], a[1], a[2]);
		add_triangle(&soup, other[0], other[1], other[2]);
		ok(measure_soup(&soup, &m) && crossings_of(&m) == (i == 0 ? 2 : 0),
		   i == 0 ? "a triangle through another" :
		   i == 1 ? "a corner on a triangle" : "a triangle on another");
		free_soup(&soup);
	}
}

static void
test_instances(void)
{
	static const double large[3][3] = {{9, 0, 0}, {0, 9, 0}, {0, 0, 9}};
	Soup		part = {0};
	Made		made;
	MfMeasurement m;
	const MfDefect *d;

	add_box(&part, 0, 0, 0, 10, 10, 10, false);
	for (int shift = 4; shift <= 10; shift += 3)
	{
		begin_made(&made, NULL);
		add_made_part(&made, &part);
		for (int i = 0; i < 3; i++)
			place_made(&made, 0, NULL, shift * i, 0.5 * i, 0);
		ok(measure_made(&made, &m) && (shift == 10 ? overlap_of(&m) == NULL &&
									   m.overlap_volume_mm3 == 0 :
									   (d = overlap_of(&m)) != NULL &&
									   d->count == 3 && d->severity ==
									   MF_SEVERITY_WARNING &&
									   near(m.overlap_volume_mm3, shift == 4 ?
											10 * 2 * 6 * 9.5 :
											10 * 2 * 3 * 9.5, 0.06)),
		   "three instances, %d from each other", shift);
		if (shift < 10)
		{
			char		text[MF_DEFECT_TEXT_MAX];
			char		wanted[32];

			mf_measurement_describe_defect(&m, overlap_of(&m), text);
			snprintf(wanted, sizeof(wanted), "%.3g ", m.overlap_volume_mm3 /
					 (m.overlap_volume_mm3 < 1000 ? 1 : 1000));
			ok(strstr(text, wanted) != NULL &&
			   strstr(text, m.overlap_volume_mm3 < 1000 ? " mm" : " cm") !=
			   NULL, "... and the sentence says how much they share");
		}
	}
	free_soup(&part);

	/* One within the other is an overlap where they are instances. */
	add_box(&part, -1, -1, -1, 1, 1, 1, false);
	begin_made(&made, NULL);
	add_made_part(&made, &part);
	place_made(&made, 0, NULL, 0, 0, 0);
	place_made(&made, 0, large, 0.5, 0.25, 0.125);
	ok(measure_made(&made, &m) && overlap_of(&m) != NULL &&
	   overlap_of(&m)->count == 2 && near(m.overlap_volume_mm3, 8, 0.1),
	   "an instance within another");
	free_soup(&part);
}

/*
 * As many bodies through each other as a line may pass: once each piece of a
 * line looked at all pairs of surfaces before it.
 */
static void
test_many(void)
{
	const int	n = 250;
	const double step = 0.0078125;
	Soup		soup = {0};
	MfMeasurement m;
	const MfDefect *d;
	double		all = 100 * 100 * 100;

	for (int i = 0; i < n; i++)
		add_box(&soup, step * i, step * i, step * i, 100 + step * i,
				100 + step * i, 100 + step * i, false);

	/* Each box adds what the one before it does not hold. */
	for (int i = 1; i < n; i++)
		all += 100 * 100 * 100 - pow(100 - step, 3);
	ok(measure_soup(&soup, &m) && (d = overlap_of(&m)) != NULL &&
	   d->severity == MF_SEVERITY_ERROR &&
	   near(m.overlap_volume_mm3, n * 1e6 - all, 5e-3),
	   "%d bodies through each other", n);
	free_soup(&soup);

	/* Instances that are within each other, and one that is apart. */
	{
		Made		made;

		add_box(&soup, 0, 0, 0, 10, 10, 10, false);
		begin_made(&made, NULL);
		add_made_part(&made, &soup);
		for (int i = 0; i < 40; i++)
			place_made(&made, 0, NULL, step * i, step * i, step * i);
		place_made(&made, 0, NULL, 0, 0, 20);
		ok(measure_made(&made, &m) && (d = overlap_of(&m)) != NULL &&
		   d->severity == MF_SEVERITY_WARNING && d->count == 40,
		   "40 instances within each other, and one above");
		free_soup(&soup);
	}
}

/* Models that would take for ever: not known, and soon. */
static void
test_budget(void)
{
	Soup		soup = {0};
	MfMeasurement m;
	uint64_t	random = 5;

	for (int i = 0; i < 3000; i++)
	{
		double		at[4][3];

		for (int c = 0; c < 4; c++)
			for (int k = 0; k < 3; k++)
				at[c][k] = (double) (next_random(&random) >> 11) * (1.0 / (UINT64_C(1) << 53));
		add_triangle(&soup, at[0], at[2], at[1]);
		add_triangle(&soup, at[0], at[1], at[3]);
		add_triangle(&soup, at[0], at[3], at[2]);
		add_triangle(&soup, at[1], at[2], at[3]);
	}
	ok(measure_soup(&soup, &m) && isnan(m.overlap_volume_mm3) &&
	   isnan(m.min_wall_mm) && m.wall_samples == 0 && m.overhang_area_mm2 > 0 &&
	   overlap_of(&m) != NULL && sane_measurement(&m),
	   "three thousand bodies through each other: for a person");
	free_soup(&soup);
}

int
main(void)
{
	test_two();
	test_depths();
	test_itself();
	test_instances();
	test_many();
	test_budget();
	return tap_done();
}
