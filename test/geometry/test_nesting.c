/*
 * test_nesting.c
 *		Shells within shells: bodies, cavities, and what counts twice.
 */
#include "shapes.h"
#include "tap.h"

/* A box around (50, 50, 50), `half` from its middle to each side. */
static void
add_nested(Soup *soup, double half, bool inward)
{
	add_box(soup, 50 - half, 50 - half, 50 - half, 50 + half, 50 + half,
			50 + half, inward);
}

/* Boxes of these half sides, outermost first; i or o: inward or outward. */
static bool
measure_nested(const char *shells, MfMeasurement *m)
{
	Soup		soup = {0};
	bool		good;

	for (int i = 0; shells[i] != '\0'; i++)
		add_nested(&soup, 40 - 8 * i, shells[i] == 'i');
	/* The order in the file must not matter. */
	shuffle_soup(&soup, 3);
	good = measure_soup(&soup, m);
	free_soup(&soup);
	return good;
}

static double
volume_of(int shell)
{
	const double side = 2 * (40 - 8 * shell);

	return side * side * side;
}

static void
test_boxes(void)
{
	const double v0 = volume_of(0);
	const double v1 = volume_of(1);
	const double v2 = volume_of(2);
	const double v3 = volume_of(3);
	const struct
	{
		const char *shells;
		double		volume;
		int			bodies;
		int			cavities;
		int			closed;
		int			nested;
		int			inverted;
	}			cases[] = {
		{"o", v0, 1, 0, 0, 0, 0},
		{"i", v0, 1, 0, 0, 0, 1},
		{"oi", v0 - v1, 1, 1, 1, 0, 0},
		{"io", v0 - v1, 1, 1, 1, 0, 1},
		{"oo", v0, 2, 0, 0, 1, 0},
		{"ii", v0, 2, 0, 0, 1, 1},
		{"oio", v0 - v1 + v2, 2, 1, 1, 0, 0},
		{"ioi", v0 - v1 + v2, 2, 1, 1, 0, 2},
		{"ooi", v0, 2, 1, 0, 2, 0},
		{"oii", v0 - v1, 1, 2, 1, 1, 0},
		{"ooo", v0, 3, 0, 0, 2, 0},
		{"ooii", v0 - v3, 2, 2, 1, 2, 0},
		{"oioi", v0 - v1 + v2 - v3, 2, 2, 2, 0, 0}
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		MfMeasurement m;

		ok(measure_nested(cases[i].shells, &m) &&
		   near(m.volume_mm3, cases[i].volume, 1e-12) &&
		   m.bodies == cases[i].bodies && m.cavities == cases[i].cavities &&
		   defect_count(&m, MF_DEFECT_CLOSED_CAVITIES) == cases[i].closed &&
		   defect_count(&m, MF_DEFECT_NESTED_BODIES) == cases[i].nested &&
		   defect_count(&m, MF_DEFECT_INVERTED_BODY) == cases[i].inverted &&
		   near(m.centroid[0], 50, 1e-12), "boxes within boxes: %s",
		   cases[i].shells);
	}
}

/* In the box of the other, but not inside: a body in the hole of a ring. */
static void
test_hole_of_ring(void)
{
	Soup		soup = {0};
	MfMeasurement m;

	add_torus(&soup, 32, 24, 30, 10);
	add_box(&soup, -5, -5, -5, 5, 5, 5, false);
	ok(measure_soup(&soup, &m) && m.bodies == 2 && m.cavities == 0 &&
	   m.defect_count == 0 &&
	   near(m.volume_mm3, torus_volume(32, 24, 30, 10) + 1000, 1e-6),
	   "a box in the hole of a torus is outside of it");
	free_soup(&soup);

	add_torus(&soup, 32, 24, 30, 10);
	add_box(&soup, 28, -2, -2, 32, 2, 2, true);
	ok(measure_soup(&soup, &m) && m.bodies == 1 && m.cavities == 1 &&
	   near(m.volume_mm3, torus_volume(32, 24, 30, 10) - 64, 1e-6),
	   "a box within the tube of a torus is a cavity");
	free_soup(&soup);
}

/* Half inside: two bodies that intersect are not one within the other. */
static void
test_half_inside(void)
{
	Soup		soup = {0};
	MfMeasurement m;

	add_torus(&soup, 32, 24, 30, 10);
	add_box(&soup, 0, -2, -2, 30, 2, 2, false);
	ok(measure_soup(&soup, &m) && m.bodies == 2 && m.cavities == 0 &&
	   defect_count(&m, MF_DEFECT_NESTED_BODIES) == 0 &&
	   near(m.volume_mm3, torus_volume(32, 24, 30, 10) + 480, 1e-6),
	   "a bar that ends inside a torus is not inside of it");
	free_soup(&soup);
}

/* Foam: many cavities, all of them in line with each other. */
static void
test_foam(void)
{
	const int	n = 20;
	Soup		soup = {0};
	MfMeasurement m;

	add_box(&soup, -1, -1, -1, n, n, n, false);
	for (int i = 0; i < n * n * n; i++)
		add_tetrahedron(&soup, i % n, i / n % n, i / n / n, 0.5);
	for (size_t t = 12; t < soup.count; t++)
		turn_triangle(&soup, t);
	ok(measure_soup(&soup, &m) && m.bodies == 1 && m.cavities == n * n * n &&
	   defect_count(&m, MF_DEFECT_CLOSED_CAVITIES) == n * n * n &&
	   defect_count(&m, MF_DEFECT_NESTED_BODIES) == 0 &&
	   near(m.volume_mm3, pow(n + 1, 3) - n * n * n * 0.125 / 6, 1e-12),
	   "a block with %d cavities", n * n * n);
	free_soup(&soup);
}

/* Bodies side by side, in rows: nothing is inside anything. */
static void
test_plate(void)
{
	const int	n = 60;
	Soup		soup = {0};
	MfMeasurement m;

	for (int i = 0; i < n * n; i++)
		add_tetrahedron(&soup, i % n, i / n, 0, 0.75);
	shuffle_soup(&soup, 9);
	ok(measure_soup(&soup, &m) && m.bodies == n * n && m.cavities == 0 &&
	   m.defect_count == 0 &&
	   near(m.volume_mm3, n * n * 0.421875 / 6, 1e-12), "%d bodies", n * n);
	free_soup(&soup);
}

/*
 * Every body's box contains the next one's, so all pairs would have to be
 * looked at: the budget ends it, and the answer says that it is not known.
 */
static void
test_budget(void)
{
	const int	n = 12000;
	Soup		soup = {0};
	MfMeasurement m;
	const MfDefect *d;

	for (int i = 0; i < n; i++)
		add_tetrahedron(&soup, 0, 0, 0, 2000 - i * 0.125);
	ok(measure_soup(&soup, &m) &&
	   (d = find_defect(&m, MF_DEFECT_NESTED_BODIES)) != NULL &&
	   d->severity == MF_SEVERITY_ERROR && !d->repaired,
	   "%d bodies around each other: for a person", n);
	ok(sane_measurement(&m) && m.triangles == 4 * n,
	   "... with numbers that make sense");
	free_soup(&soup);
}

int
main(void)
{
	test_boxes();
	test_hole_of_ring();
	test_half_inside();
	test_foam();
	test_plate();
	test_budget();
	return tap_done();
}
