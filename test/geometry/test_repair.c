/*
 * test_repair.c
 *		What is closed, what is left open, and what it costs to try.
 *
 * Sound shapes of known volume are damaged in all ways that a repair mends,
 * and must come out with the volume they had.
 */
#include "damage.h"

/* A sound model has nothing to mend, and nothing is. */
static void
test_sound(void)
{
	Sound		sound[4];
	const int	count = make_sound(sound);

	for (int i = 0; i < count; i++)
	{
		MfMeasurement m;

		ok(measure_soup(&sound[i].soup, &m) && m.watertight &&
		   m.defect_count == 0 && m.holes == 0 &&
		   m.triangles == (int64_t) sound[i].soup.count &&
		   near(m.volume_mm3, sound[i].volume, TOLERANCE),
		   "%s: sound, and left as it is", sound[i].name);
	}
	free_sound(sound);
}

static void
test_cracks(void)
{
	Sound		sound[4];
	const int	count = make_sound(sound);

	for (int i = 0; i < count; i++)
		for (uint64_t seed = 1; seed <= 3; seed++)
		{
			Soup		soup = copy_soup(&sound[i].soup);
			MfMeasurement m;
			const MfDefect *d;

			crack_soup(&soup, 5e-6, seed);
			if (seed == 3)
				shuffle_soup(&soup, seed);
			ok(measure_soup(&soup, &m) &&
			   near(m.volume_mm3, sound[i].volume, TOLERANCE) &&
			   m.bodies == 1 && !m.watertight && m.holes == 0 &&
			   (d = find_defect(&m, MF_DEFECT_CRACKS)) != NULL &&
			   d->repaired && d->located && d->count > 0 &&
			   d->severity == MF_SEVERITY_INFO &&
			   (d = find_defect(&m, MF_DEFECT_OPEN_EDGES)) != NULL &&
			   d->repaired && d->severity == MF_SEVERITY_INFO &&
			   m.defect_count == 2,
			   "%s: cracks are closed, %llu", sound[i].name,
			   (unsigned long long) seed);
			free_soup(&soup);
		}
	free_sound(sound);
}

/* A wall thinner than what is joined, beside something that is open. */
static void
test_fine_detail(void)
{
	Soup		soup = {0};
	MfMeasurement m;
	const double thin = 1.0 / 65536;

	add_box(&soup, 0, 0, 0, 1024, 1024, thin, false);
	remove_triangle(&soup, 5);
	ok(measure_soup(&soup, &m) && has(&m, MF_DEFECT_CRACKS, 0, false) &&
	   has(&m, MF_DEFECT_HOLES, 1, true) &&
	   near(m.area_mm2, 2 * 1024.0 * 1024 + 4 * 1024 * thin, TOLERANCE),
	   "a thin wall does not collapse because it is open somewhere");
	free_soup(&soup);
}

/*
 * Loose sheets, each as near to the next as what is joined: some become one,
 * but never the whole stack by way of those between.
 */
static void
test_stack(void)
{
	const int	sheets = 2000;
	Soup		soup = {0};
	MfMeasurement m;

	for (int i = 0; i < sheets; i++)
	{
		const double z = i * 0.0009765625;
		const double at[3][3] = {{0, 0, z}, {1000, 0, z}, {0, 1000, z}};

		add_triangle(&soup, at[0], at[1], at[2]);
	}
	shuffle_soup(&soup, 4);
	ok(measure_soup(&soup, &m) && isnan(m.volume_mm3) &&
	   m.area_mm2 > sheets / 9.0 * 500000,
	   "a stack of sheets does not run together");
	free_soup(&soup);
}

/* Two cracked boxes that are close, but not that close, stay two. */
static void
test_near_bodies(void)
{
	Soup		soup = {0};
	MfMeasurement m;

	add_box(&soup, 0, 0, 0, 100, 100, 100, false);
	add_box(&soup, 100.002, 0, 0, 200, 100, 100, false);
	crack_soup(&soup, 1e-5, 9);
	ok(measure_soup(&soup, &m) && m.bodies == 2 &&
	   near(m.volume_mm3, 1e4 * (100 + 99.998), TOLERANCE) &&
	   has(&m, MF_DEFECT_NON_MANIFOLD_EDGES, 0, false),
	   "two bodies with a gap stay two");
	free_soup(&soup);
}

/* ---- corners on edges ---- */

static void
test_junctions(void)
{
	Sound		sound[4];
	const int	count = make_sound(sound);

	/* Of the ring, each fourth side is split like the one beside it. */
	for (int i = 0; i < count; i++)
		for (int pieces = 2; pieces <= 5; pieces++)
		{
			Soup		soup = copy_soup(&sound[i].soup);
			const int64_t split = split_sides(&soup, 3, pieces);
			MfMeasurement m;

			shuffle_soup(&soup, pieces);
			ok(measure_soup(&soup, &m) &&
			   near(m.volume_mm3, sound[i].volume, TOLERANCE) &&
			   m.bodies == 1 && !m.watertight && m.holes == 0 &&
			   has(&m, MF_DEFECT_T_JUNCTIONS, i == 2 ? split / 4 * 3 : split,
				   true) &&
			   has(&m, MF_DEFECT_HOLES, 0, false) &&
			   find_defect(&m, MF_DEFECT_OPEN_EDGES)->repaired,
			   "%s: %d pieces on an edge", sound[i].name, pieces);
			free_soup(&soup);
		}
	free_sound(sound);
}

/* Both sides of an edge have corners, and not the same ones. */
static void
test_staggered(void)
{
	Soup		soup = {0};
	MfMeasurement m;
	const double low[4][3] = {{0, 0, 0}, {8, 0, 0}, {8, 8, 0}, {0, 8, 0}};

	/* A box whose sides are cut into strips: 4, 3, 4, 3 of them. */
	for (int side = 0; side < 4; side++)
	{
		const int	strips = side % 2 == 0 ? 4 : 3;

		for (int s = 0; s < strips; s++)
		{
			double		at[4][3];

			for (int k = 0; k < 4; k++)
			{
				const double *corner = low[(side + (k == 1 || k == 2)) % 4];

				at[k][0] = corner[0];
				at[k][1] = corner[1];
				at[k][2] = 12.0 * (s + (k >= 2)) / strips;
			}
			add_quad(&soup, at[0], at[1], at[2], at[3]);
		}
	}
	add_quad(&soup, low[3], low[2], low[1], low[0]);
	add_face(&soup, 5, 8, 12, 0, 0);
	shuffle_soup(&soup, 3);
	ok(measure_soup(&soup, &m) && near(m.volume_mm3, 8 * 8 * 12, TOLERANCE) &&
	   has(&m, MF_DEFECT_T_JUNCTIONS, 4 * (3 + 2) + 4 * 4, true) &&
	   near(m.area_mm2, 2 * 64 + 4 * 96, TOLERANCE) && m.bodies == 1,
	   "corners on both sides of an edge, and different ones");
	free_soup(&soup);
}

/* ---- holes ---- */

static void
test_holes(void)
{
	Sound		sound[4];
	const int	count = make_sound(sound);

	for (int i = 0; i < count; i++)
	{
		Soup		soup = copy_soup(&sound[i].soup);
		const int64_t dropped = drop_triangles(&soup, 5, 38);
		MfMeasurement m;

		/* The box is long: one of its smallest triangles. */
		if (i == 0)
		{
			free_soup(&soup);
			soup = copy_soup(&sound[i].soup);
			remove_triangle(&soup, 0);
		}
		ok(measure_soup(&soup, &m) &&
		   near(m.volume_mm3, sound[i].volume, TOLERANCE) &&
		   m.bodies == 1 && m.holes == dropped &&
		   has(&m, MF_DEFECT_HOLES, dropped, true) &&
		   has(&m, MF_DEFECT_OPEN_EDGES, 3 * dropped, true) &&
		   find_defect(&m, MF_DEFECT_HOLES)->severity == MF_SEVERITY_WARNING,
		   "%s: %lld triangles that lack are put back", sound[i].name,
		   (long long) dropped);
		free_soup(&soup);
	}
	free_sound(sound);
}

/* Every triangle of a cube, one by one. */
static void
test_each_triangle(void)
{
	for (size_t t = 0; t < 12; t++)
	{
		Soup		soup = {0};
		MfMeasurement m;
		const MfDefect *d;

		add_box(&soup, 0, 0, 0, 10, 10, 10, false);
		remove_triangle(&soup, t);
		ok(measure_soup(&soup, &m) && m.volume_mm3 == 1000 &&
		   near(m.area_mm2, 600, TOLERANCE) && m.holes == 1 &&
		   (d = find_defect(&m, MF_DEFECT_HOLES)) != NULL && d->repaired &&
		   m.euler_number == 1 && m.triangles == 11 && !m.watertight,
		   "a cube without triangle %zu", t);
		free_soup(&soup);
	}
}

/* Holes of more edges, two that touch, and one with a corner on its rim. */
static void
test_shapes_of_holes(void)
{
	Soup		soup = {0};
	MfMeasurement m;
	const double a[3] = {0, 0, 0};
	const double b[3] = {10, 0, 0};
	const double c[3] = {10, 10, 0};
	const double d[3] = {0, 10, 0};

	add_open_box(&soup, 10, 10, 10);
	add_face(&soup, 10, 10, 10, 4, 7);
	ok(measure_soup(&soup, &m) && m.volume_mm3 == 1000 &&
	   near(m.area_mm2, 600, TOLERANCE) && has(&m, MF_DEFECT_HOLES, 1, true) &&
	   has(&m, MF_DEFECT_T_JUNCTIONS, 4 * 9, true) &&
	   near(find_defect(&m, MF_DEFECT_HOLES)->at[0], 5.5, TOLERANCE) &&
	   find_defect(&m, MF_DEFECT_HOLES)->at[2] == 10,
	   "a square hole in a face");
	free_soup(&soup);

	/* Squares 4,4 and 5,5 have one corner in common. */
	add_open_box(&soup, 10, 10, 10);
	add_face(&soup, 10, 10, 10, 0, 0);
	for (size_t t = soup.count; t-- > 10;)
		if ((t - 10) / 2 == 44 || (t - 10) / 2 == 55)
			remove_triangle(&soup, t);
	ok(measure_soup(&soup, &m) && m.volume_mm3 == 1000 && m.holes == 2 &&
	   has(&m, MF_DEFECT_HOLES, 2, true) &&
	   has(&m, MF_DEFECT_TOUCHING_VERTICES, 0, false),
	   "two holes that touch in a corner");
	free_soup(&soup);

	/* The face is one strip less: a slot along the edge of the box. */
	add_open_box(&soup, 10, 10, 10);
	add_face(&soup, 20, 10, 10, 0, 0);
	for (size_t t = soup.count; t-- > 10;)
		if ((t - 10) / 2 % 20 == 0)
			remove_triangle(&soup, t);
	ok(measure_soup(&soup, &m) && m.volume_mm3 == 1000 && m.holes == 1 &&
	   has(&m, MF_DEFECT_HOLES, 1, true), "a slot along an edge");
	free_soup(&soup);

	add_box(&soup, 0, 0, 0, 10, 10, 40, false);
	add_quad(&soup, a, b, c, d);
	ok(measure_soup(&soup, &m) && m.holes == 0 && isnan(m.volume_mm3) &&
	   has(&m, MF_DEFECT_DUPLICATE_TRIANGLES, 2, false) &&
	   is_error(&m, MF_DEFECT_NON_MANIFOLD_EDGES),
	   "a face that is there from both sides");
	free_soup(&soup);
}

/* What may be meant to be open is not closed. */
static void
test_left_open(void)
{
	const double a[3] = {0, 0, 0};
	const double b[3] = {10, 0, 0};
	const double c[3] = {0, 10, 0};
	Soup		soup = {0};
	MfMeasurement m;

	add_open_box(&soup, 10, 10, 10);
	ok(measure_soup(&soup, &m) && stays_open(&m) && m.holes == 1 &&
	   is_error(&m, MF_DEFECT_HOLES), "a box without a lid");
	free_soup(&soup);

	add_open_box(&soup, 10, 10, 400);
	ok(measure_soup(&soup, &m) && stays_open(&m),
	   "a long box without a lid, small as that is");
	free_soup(&soup);

	for (int i = 0; i < 24; i++)
	{
		double		at[4][3];

		for (int k = 0; k < 4; k++)
		{
			const double u = 2 * M_PI * ((i + (k == 1 || k == 2)) % 24) / 24;

			at[k][0] = 2 * cos(u);
			at[k][1] = 2 * sin(u);
			at[k][2] = k >= 2 ? 300 : 0;
		}
		add_quad(&soup, at[0], at[1], at[2], at[3]);
	}
	ok(measure_soup(&soup, &m) && stays_open(&m) && m.holes == 2 &&
	   has(&m, MF_DEFECT_OPEN_EDGES, 48, false), "a tube");
	free_soup(&soup);

	add_triangle(&soup, a, b, c);
	ok(measure_soup(&soup, &m) && isnan(m.volume_mm3) && m.holes == 1,
	   "one triangle");
	free_soup(&soup);

	add_face(&soup, 10, 10, 0, 4, 6);
	add_tetrahedron(&soup, 50, 50, 50, 10);
	ok(measure_soup(&soup, &m) && stays_open(&m) && m.holes == 2 &&
	   m.bodies == 2, "a sheet with a hole, beside a body");
	free_soup(&soup);

	add_tetrahedron(&soup, 0, 0, 0, 10);
	remove_triangle(&soup, 2);
	ok(measure_soup(&soup, &m) && stays_open(&m),
	   "three sides of a tetrahedron");
	free_soup(&soup);

	add_torus(&soup, 40, 30, 30, 10);
	drop_triangles(&soup, 0, 4);
	ok(measure_soup(&soup, &m) && stays_open(&m) && m.holes == 600,
	   "a torus of which a quarter is not there");
	free_soup(&soup);

	add_torus(&soup, 40, 30, 30, 10);
	drop_triangles(&soup, 0, 100);
	add_open_box(&soup, 10, 10, 10);
	ok(measure_soup(&soup, &m) && stays_open(&m) && m.holes == 25 &&
	   has(&m, MF_DEFECT_HOLES, 25, false) &&
	   m.area_mm2 < 500 + 4 * M_PI * M_PI * 300,
	   "one hole that is not closed leaves all as they are");
	free_soup(&soup);
}

/* ---- everything together ---- */

static void
test_combinations(void)
{
	Sound		sound[4];
	const int	count = make_sound(sound);

	for (int i = 1; i < count; i++)
		for (uint64_t seed = 1; seed <= 4; seed++)
		{
			Soup		soup = copy_soup(&sound[i].soup);
			const size_t third = soup.count / 3;
			MfMeasurement m;
			double		volume;
			int64_t		split;

			/* A patch is mirrored, triangles lack, sides are split. */
			for (size_t t = 0; t < third; t++)
				turn_triangle(&soup, t);
			drop_triangles(&soup, 11, 90);
			split = split_sides(&soup, 7, 3);
			crack_soup(&soup, 2e-6, seed);
			shuffle_soup(&soup, seed);
			ok(measure_soup(&soup, &m) &&
			   near(m.volume_mm3, sound[i].volume, TOLERANCE) &&
			   m.bodies == 1 && m.holes > 0 &&
			   find_defect(&m, MF_DEFECT_HOLES)->repaired &&
			   find_defect(&m, MF_DEFECT_CRACKS)->repaired &&
			   find_defect(&m, MF_DEFECT_FLIPPED_TRIANGLES)->repaired &&
			   defect_count(&m, MF_DEFECT_T_JUNCTIONS) >= split / 2,
			   "%s: mirrored, cracked, split, with holes, %llu",
			   sound[i].name, (unsigned long long) seed);

			/* The order of the triangles says nothing. */
			volume = m.volume_mm3;
			split = defect_count(&m, MF_DEFECT_T_JUNCTIONS);
			shuffle_soup(&soup, seed + 10);
			ok(measure_soup(&soup, &m) && near(m.volume_mm3, volume, TOLERANCE / 10) &&
			   has(&m, MF_DEFECT_T_JUNCTIONS, split, true),
			   "%s: in another order", sound[i].name);
			free_soup(&soup);
		}
	free_sound(sound);
}

int
main(void)
{
	test_sound();
	test_cracks();
	test_fine_detail();
	test_stack();
	test_near_bodies();
	test_junctions();
	test_staggered();
	test_holes();
	test_each_triangle();
	test_shapes_of_holes();
	test_left_open();
	test_combinations();
	return tap_done();
}
