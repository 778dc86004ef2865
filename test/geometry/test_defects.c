/*
 * test_defects.c
 *		Surfaces with something wrong: what is counted, what is repaired.
 */
#include "shapes.h"
#include "tap.h"

static void
test_open(void)
{
	Soup		soup = {0};
	MfMeasurement m;
	const MfDefect *d;

	add_box(&soup, 0, 0, 0, 10, 10, 10, false);
	remove_triangle(&soup, 5);
	remove_triangle(&soup, 4);
	ok(measure_soup(&soup, &m), "a box without a side is measured");
	d = find_defect(&m, MF_DEFECT_OPEN_EDGES);
	ok(d != NULL && d->count == 4 && d->severity == MF_SEVERITY_ERROR &&
	   !d->repaired && d->located, "hole: four open edges");
	ok(!m.watertight && m.consistent_winding && m.euler_number == 1 &&
	   m.bodies == 1, "hole: counts");
	ok(isnan(m.volume_mm3) && isnan(m.centroid[0]) && m.area_mm2 == 500,
	   "hole: no volume, but an area");
	free_soup(&soup);
}

static void
test_flipped(void)
{
	for (size_t t = 0; t < 12; t++)
	{
		Soup		soup = {0};
		MfMeasurement m;
		const MfDefect *d;

		add_box(&soup, 0, 0, 0, 10, 10, 10, false);
		turn_triangle(&soup, t);
		ok(measure_soup(&soup, &m) &&
		   (d = find_defect(&m, MF_DEFECT_FLIPPED_TRIANGLES)) != NULL &&
		   d->count == 1 && d->repaired && m.watertight &&
		   !m.consistent_winding && m.volume_mm3 == 1000 &&
		   m.centroid[0] == 5 && find_defect(&m, MF_DEFECT_INVERTED_BODY) ==
		   NULL, "a box with triangle %zu flipped is repaired", t);
		free_soup(&soup);
	}
}

/* Every second triangle: the side that more are on decides. */
static void
test_many_flipped(void)
{
	Soup		soup = {0};
	MfMeasurement m;
	uint64_t	state = 5;
	int64_t		turned = 0;

	add_torus(&soup, 40, 30, 30, 10);
	for (size_t t = 0; t < soup.count; t++)
		if (next_random(&state) % 5 == 0)
		{
			turn_triangle(&soup, t);
			turned++;
		}
	shuffle_soup(&soup, 6);
	ok(measure_soup(&soup, &m) &&
	   defect_count(&m, MF_DEFECT_FLIPPED_TRIANGLES) == turned &&
	   near(m.volume_mm3, torus_volume(40, 30, 30, 10), 1e-6),
	   "a torus with a fifth of its triangles flipped is repaired");
	free_soup(&soup);
}

/* A strip that is turned once has one side only. */
static void
test_one_sided(void)
{
	Soup		soup = {0};
	MfMeasurement m;
	const MfDefect *d;
	const int	n = 24;

	for (int i = 0; i < n; i++)
	{
		double		at[2][2][3];

		for (int e = 0; e < 2; e++)
			for (int s = 0; s < 2; s++)
			{
				const int	k = (i + e) % n;
				const double u = 2 * M_PI * k / n;
				const double side = (s ? 1 : -1) * (i + e == n ? -1 : 1);

				at[e][s][0] = (10 + side * cos(u / 2)) * cos(u);
				at[e][s][1] = (10 + side * cos(u / 2)) * sin(u);
				at[e][s][2] = side * sin(u / 2);
			}
		add_quad(&soup, at[0][0], at[1][0], at[1][1], at[0][1]);
	}
	ok(measure_soup(&soup, &m) &&
	   (d = find_defect(&m, MF_DEFECT_FLIPPED_TRIANGLES)) != NULL &&
	   d->severity == MF_SEVERITY_ERROR && !d->repaired &&
	   isnan(m.volume_mm3) && m.euler_number == 0 && m.bodies == 1,
	   "a surface with one side cannot be repaired");
	free_soup(&soup);
}

static void
test_inverted(void)
{
	Soup		soup = {0};
	MfMeasurement m;
	const MfDefect *d;

	add_box(&soup, 0, 0, 0, 10, 20, 30, true);
	ok(measure_soup(&soup, &m) &&
	   (d = find_defect(&m, MF_DEFECT_INVERTED_BODY)) != NULL &&
	   d->count == 1 && d->repaired && d->severity == MF_SEVERITY_WARNING &&
	   m.volume_mm3 == 6000 && m.centroid[2] == 15 && m.watertight &&
	   m.consistent_winding, "a box that is inside out is repaired");
	add_box(&soup, 50, 0, 0, 60, 10, 10, false);
	ok(measure_soup(&soup, &m) &&
	   defect_count(&m, MF_DEFECT_INVERTED_BODY) == 1 &&
	   m.volume_mm3 == 7000 && m.bodies == 2,
	   "one of two boxes is inside out");
	free_soup(&soup);
}

static void
test_degenerate(void)
{
	const double a[3] = {0, 0, 0};
	const double b[3] = {10, 0, 0};
	const double c[3] = {3, 0, 0};
	const double far_off[3] = {20, 0, 0};
	Soup		soup = {0};
	MfMeasurement m;
	const MfDefect *d;

	add_box(&soup, 0, 0, 0, 10, 10, 10, false);
	add_triangle(&soup, a, b, a);
	add_triangle(&soup, b, b, b);
	add_triangle(&soup, far_off, far_off, a);
	ok(measure_soup(&soup, &m) &&
	   (d = find_defect(&m, MF_DEFECT_DEGENERATE_TRIANGLES)) != NULL &&
	   d->count == 3 && d->severity == MF_SEVERITY_INFO && m.watertight &&
	   m.triangles == 15 && m.vertices == 9 && m.euler_number == 2 &&
	   m.volume_mm3 == 1000,
	   "triangles that use a corner twice are left out");
	remove_triangle(&soup, 14);
	remove_triangle(&soup, 13);
	remove_triangle(&soup, 12);

	add_triangle(&soup, far_off, c, b);
	ok(measure_soup(&soup, &m) &&
	   (d = find_defect(&m, MF_DEFECT_ZERO_AREA_TRIANGLES)) != NULL &&
	   d->count == 1 && d->repaired && m.volume_mm3 == 1000 &&
	   (d = find_defect(&m, MF_DEFECT_OPEN_EDGES)) != NULL && d->count == 3 &&
	   d->repaired && d->severity == MF_SEVERITY_WARNING && m.bodies == 1 &&
	   !m.watertight,
	   "a line beside a box is named, and does not cost the volume");
	free_soup(&soup);
}

/* The same box twice, and more often. */
static void
test_duplicates(void)
{
	for (int copies = 2; copies <= 4; copies++)
	{
		Soup		soup = {0};
		MfMeasurement m;
		const MfDefect *d;
		const MfDefect *e;

		for (int i = 0; i < copies; i++)
			add_box(&soup, 0, 0, 0, 10, 10, 10, false);
		shuffle_soup(&soup, copies);
		ok(measure_soup(&soup, &m) &&
		   (d = find_defect(&m, MF_DEFECT_DUPLICATE_TRIANGLES)) != NULL &&
		   d->count == 12 * (copies - 1) && d->repaired &&
		   (e = find_defect(&m, MF_DEFECT_NON_MANIFOLD_EDGES)) != NULL &&
		   e->count == 18 && e->repaired && m.volume_mm3 == 1000 &&
		   m.area_mm2 == 600 && m.bodies == 1 && !m.watertight,
		   "a box that is there %d times counts once", copies);
		free_soup(&soup);
	}
}

/* One triangle twice, and one of a pair that is nothing but its two sides. */
static void
test_single_duplicates(void)
{
	const double a[3] = {20, 0, 0};
	const double b[3] = {30, 0, 0};
	const double c[3] = {20, 10, 5};
	Soup		soup = {0};
	MfMeasurement m;

	add_box(&soup, 0, 0, 0, 10, 10, 10, false);
	add_triangle(&soup, a, b, c);
	add_triangle(&soup, b, c, a);
	ok(measure_soup(&soup, &m) &&
	   defect_count(&m, MF_DEFECT_DUPLICATE_TRIANGLES) == 1 &&
	   defect_count(&m, MF_DEFECT_FLIPPED_TRIANGLES) == 3 &&
	   isnan(m.volume_mm3),
	   "a triangle twice, alone: one of its own kind is too many");
	remove_triangle(&soup, 13);
	add_triangle(&soup, a, c, b);
	ok(measure_soup(&soup, &m) &&
	   defect_count(&m, MF_DEFECT_DUPLICATE_TRIANGLES) == 1 &&
	   m.watertight && m.volume_mm3 == 1000 && m.bodies == 2,
	   "the two sides of a triangle enclose nothing, but they are closed");
	free_soup(&soup);
}

/* Two boxes with an edge, a corner, or a face in common. */
static void
test_touching(void)
{
	Soup		soup = {0};
	MfMeasurement m;
	const MfDefect *d;

	add_box(&soup, 0, 0, 0, 10, 10, 10, false);
	add_box(&soup, 10, 10, 0, 20, 20, 10, false);
	ok(measure_soup(&soup, &m) &&
	   (d = find_defect(&m, MF_DEFECT_NON_MANIFOLD_EDGES)) != NULL &&
	   d->count == 1 && d->severity == MF_SEVERITY_ERROR && !d->repaired &&
	   d->at[0] == 10 && d->at[1] == 10 && d->at[2] == 5 && !m.watertight &&
	   m.bodies == 1 && m.volume_mm3 == 2000,
	   "two boxes with an edge in common: for a person, but with a volume");
	free_soup(&soup);

	add_box(&soup, 0, 0, 0, 10, 10, 10, false);
	add_box(&soup, 10, 10, 10, 20, 20, 20, false);
	ok(measure_soup(&soup, &m) && m.watertight && m.bodies == 2 &&
	   m.vertices == 15 && m.euler_number == 3 && m.volume_mm3 == 2000 &&
	   m.defect_count == 1 &&
	   (d = find_defect(&m, MF_DEFECT_TOUCHING_VERTICES)) != NULL &&
	   d->count == 1 && d->severity == MF_SEVERITY_INFO && d->at[0] == 10 &&
	   d->at[1] == 10 && d->at[2] == 10, "two boxes with a corner in common");
	free_soup(&soup);

	add_box(&soup, 0, 0, 0, 10, 10, 10, false);
	add_box(&soup, 10, 0, 0, 20, 10, 10, false);
	ok(measure_soup(&soup, &m) && m.volume_mm3 == 2000 && m.bodies == 1 &&
	   defect_count(&m, MF_DEFECT_NON_MANIFOLD_EDGES) >= 4,
	   "two boxes with a face in common");
	free_soup(&soup);
}

/* A wall inside a box: no edge is open, but what is inside is not clear. */
static void
test_inner_wall(void)
{
	const double a[3] = {0, 0, 0};
	const double b[3] = {10, 10, 0};
	const double c[3] = {10, 10, 10};
	const double d[3] = {0, 0, 10};
	Soup		soup = {0};
	MfMeasurement m;

	add_box(&soup, 0, 0, 0, 10, 10, 10, false);
	add_quad(&soup, a, b, c, d);
	ok(measure_soup(&soup, &m) && defect_count(&m, MF_DEFECT_OPEN_EDGES) == 0 &&
	   defect_count(&m, MF_DEFECT_NON_MANIFOLD_EDGES) == 4 &&
	   !m.watertight && isnan(m.volume_mm3),
	   "a wall inside a box leaves no volume that is known");
	free_soup(&soup);
}

/* A vertex with many thousand triangles: sorting them must not be quadratic. */
static void
test_fan(void)
{
	const int	n = 60000;
	const double top[3] = {0, 0, 20};
	const double bottom[3] = {0, 0, 0};
	Soup		soup = {0};
	MfMeasurement m;

	for (int i = 0; i < n; i++)
	{
		const double u = 2 * M_PI * i / n;
		const double v = 2 * M_PI * ((i + 1) % n) / n;
		const double a[3] = {10 * cos(u), 10 * sin(u), 0};
		const double b[3] = {10 * cos(v), 10 * sin(v), 0};

		add_triangle(&soup, top, a, b);
		add_triangle(&soup, bottom, b, a);
	}
	shuffle_soup(&soup, 7);
	ok(measure_soup(&soup, &m) && m.watertight && m.consistent_winding &&
	   m.vertices == n + 2 && m.euler_number == 2 &&
	   near(m.volume_mm3, n / 2.0 * sin(2 * M_PI / n) * 100 * 20 / 3, 1e-5),
	   "a cone of %d sides", n);
	free_soup(&soup);
}

int
main(void)
{
	test_open();
	test_flipped();
	test_many_flipped();
	test_one_sided();
	test_inverted();
	test_degenerate();
	test_duplicates();
	test_single_duplicates();
	test_touching();
	test_inner_wall();
	test_fan();
	return tap_done();
}
