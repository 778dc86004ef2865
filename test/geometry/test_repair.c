/*
 * test_repair.c
 *		What is closed, what is left open, and what it costs to try.
 *
 * Sound shapes of known volume are damaged in all ways that a repair mends,
 * and must come out with the volume they had.
 */
#include "shapes.h"
#include "tap.h"

#define TOLERANCE	1e-6

/* ---- damage ---- */

/* A number from -1 to 1. */
static double
around_zero(uint64_t *state)
{
	return (double) (next_random(state) >> 11) * (1.0 / (UINT64_C(1) << 52)) - 1;
}

/* Moves each corner on its own. */
static void
crack_soup(Soup *soup, double distance, uint64_t seed)
{
	for (size_t t = 0; t < soup->count; t++)
		for (int i = 0; i < 3; i++)
			for (int k = 0; k < 3; k++)
				soup->triangle[t][i][k] += (float) (distance *
													around_zero(&seed));
}

/* Splits one side of every n-th triangle, and nothing beside it. */
static int64_t
split_sides(Soup *soup, size_t n, int pieces)
{
	const size_t count = soup->count;
	int64_t		split = 0;

	for (size_t t = 0; t < count; t += n)
	{
		float		corner[3][3];

		memcpy(corner, soup->triangle[t], sizeof(corner));
		for (int p = 0; p < pieces; p++)
		{
			double		at[3][3];

			for (int k = 0; k < 3; k++)
			{
				at[0][k] = corner[0][k] + ((double) corner[1][k] -
										   corner[0][k]) * p / pieces;
				at[1][k] = corner[0][k] + ((double) corner[1][k] -
										   corner[0][k]) * (p + 1) / pieces;
				at[2][k] = corner[2][k];
			}
			add_triangle(soup, at[0], at[1], at[2]);
		}
		memcpy(soup->triangle[t], soup->triangle[--soup->count],
			   sizeof(corner));
		split += pieces - 1;
	}
	return split;
}

/* Takes every n-th triangle away, from the first-th on. */
static int64_t
drop_triangles(Soup *soup, size_t first, size_t n)
{
	size_t		kept = 0;
	int64_t		dropped = 0;

	for (size_t t = 0; t < soup->count; t++)
	{
		if (t >= first && (t - first) % n == 0)
			dropped++;
		else
			memmove(soup->triangle[kept++], soup->triangle[t],
					sizeof(*soup->triangle));
	}
	soup->count = kept;
	return dropped;
}

/* A face of n by n squares, where a box of the given side has its lid. */
static void
add_face(Soup *soup, int n, double side, double z, int skip_from,
		 int skip_to)
{
	for (int x = 0; x < n; x++)
		for (int y = 0; y < n; y++)
		{
			const double x0 = side * x / n;
			const double x1 = side * (x + 1) / n;
			const double y0 = side * y / n;
			const double y1 = side * (y + 1) / n;
			const double a[3] = {x0, y0, z};
			const double b[3] = {x1, y0, z};
			const double c[3] = {x1, y1, z};
			const double d[3] = {x0, y1, z};

			if (x >= skip_from && x < skip_to && y >= skip_from && y < skip_to)
				continue;
			add_quad(soup, a, b, c, d);
		}
}

/* A box without its lid. */
static void
add_open_box(Soup *soup, double x, double y, double z)
{
	add_box(soup, 0, 0, 0, x, y, z, false);
	remove_triangle(soup, soup->count - 9);
	remove_triangle(soup, soup->count - 9);
}

static void
add_sphere(Soup *soup, int rows, int columns, double radius)
{
	for (int r = 0; r < rows; r++)
		for (int c = 0; c < columns; c++)
		{
			double		at[4][3];

			for (int i = 0; i < 4; i++)
			{
				const int	row = r + (i >= 2);
				const double u = 2 * M_PI * ((c + (i == 1 || i == 2)) %
											 columns) / columns;
				const double v = M_PI * row / rows;
				const double ring = row == 0 || row == rows ? 0 :
				radius * sin(v);

				at[i][0] = ring * cos(u);
				at[i][1] = ring * sin(u);
				at[i][2] = -radius * cos(v);
			}
			if (r > 0)
				add_triangle(soup, at[0], at[1], at[2]);
			if (r + 1 < rows)
				add_triangle(soup, at[0], at[2], at[3]);
		}
}

/* What there is of a kind, and whether it is mended. */
static bool
has(const MfMeasurement *m, MfDefectCode code, int64_t count, bool repaired)
{
	const MfDefect *d = find_defect(m, code);

	if (d == NULL ? count == 0 : d->count == count && d->repaired == repaired &&
		d->located)
		return true;
	printf("# %s: %lld, wanted %lld\n", mf_defect_name(code),
		   d == NULL ? 0LL : (long long) d->count, (long long) count);
	return false;
}

static bool
is_error(const MfMeasurement *m, MfDefectCode code)
{
	const MfDefect *d = find_defect(m, code);

	return d != NULL && d->severity == MF_SEVERITY_ERROR && !d->repaired;
}

/* Is this what a person has to look at, because it is open? */
static bool
stays_open(const MfMeasurement *m)
{
	return isnan(m->volume_mm3) && is_error(m, MF_DEFECT_OPEN_EDGES) &&
		!m->watertight;
}

/* ---- cracks ---- */

typedef struct Sound
{
	const char *name;
	Soup		soup;
	double		volume;
} Sound;

static int
make_sound(Sound sound[4])
{
	MfMeasurement m;

	memset(sound, 0, 4 * sizeof(*sound));
	sound[0].name = "box";
	add_box(&sound[0].soup, -5, -10, -15, 5, 10, 15, false);
	sound[0].volume = 6000;
	sound[1].name = "torus";
	add_torus(&sound[1].soup, 40, 30, 30, 10);
	sound[1].volume = torus_volume(40, 30, 30, 10);
	sound[2].name = "ring";
	add_ring(&sound[2].soup, 48, 20, 12, 7);
	sound[2].volume = 24 * sin(2 * M_PI / 48) * (400 - 144) * 7;
	sound[3].name = "sphere";
	add_sphere(&sound[3].soup, 24, 36, 25);
	measure_soup(&sound[3].soup, &m);
	sound[3].volume = m.volume_mm3;
	return 4;
}

static void
free_sound(Sound sound[4])
{
	for (int i = 0; i < 4; i++)
		free_soup(&sound[i].soup);
}

static Soup
copy_soup(const Soup *soup)
{
	Soup		copy = {0};

	copy.triangle = checked(malloc(soup->count * sizeof(*soup->triangle)));
	memcpy(copy.triangle, soup->triangle,
		   soup->count * sizeof(*soup->triangle));
	copy.count = copy.room = soup->count;
	return copy;
}

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

/* The same bits with any number of threads, and on every run. */
static void
test_threads(void)
{
	MfPool	   *pool = mf_pool_start(4);
	MfGeometryOptions options = {.pool = pool};
	Soup		soup = {0};
	MfMeasurement one;
	MfMeasurement four;
	MfRefusal	refusal;
	Bytes		bytes;

	add_torus(&soup, 60, 50, 30, 10);
	drop_triangles(&soup, 3, 200);
	split_sides(&soup, 9, 2);
	crack_soup(&soup, 1e-6, 4);
	bytes = as_binary(&soup);
	memset(&one, 0, sizeof(one));
	memset(&four, 0, sizeof(four));
	ok(measure_bytes(bytes.at, bytes.size, NULL, &one, &refusal) &&
	   measure_bytes(bytes.at, bytes.size, &options, &four, &refusal) &&
	   memcmp(&one.volume_mm3, &four.volume_mm3, sizeof(double)) == 0 &&
	   memcmp(one.defects, four.defects, sizeof(one.defects)) == 0 &&
	   one.area_mm2 == four.area_mm2 && one.holes == four.holes,
	   "the same bits with four threads");
	free_bytes(&bytes);
	free_soup(&soup);
	mf_pool_stop(pool);
}

/* Under every limit of memory: the same answer, or a refusal. */
static void
test_memory(void)
{
	Soup		soup = {0};
	MfMeasurement free_of_limits;
	MfRefusal	refusal;
	Bytes		bytes;
	int			measured = 0;
	int			refused = 0;
	int			bad = 0;

	add_torus(&soup, 20, 10, 30, 10);
	for (size_t t = 0; t < 50; t++)
		turn_triangle(&soup, t);
	drop_triangles(&soup, 3, 90);
	split_sides(&soup, 9, 3);
	crack_soup(&soup, 1e-6, 4);
	bytes = as_binary(&soup);
	ok(measure_bytes(bytes.at, bytes.size, NULL, &free_of_limits, &refusal) &&
	   near(free_of_limits.volume_mm3, torus_volume(20, 10, 30, 10), 1e-5) &&
	   free_of_limits.defect_count >= 5, "a torus with all defects");
	for (uint64_t limit = 1; limit < 400000; limit += 97)
	{
		const MfGeometryOptions options = {
			.memory_limit = limit,
			.basic = true
		};
		MfMeasurement m;

		if (measure_bytes(bytes.at, bytes.size, &options, &m, &refusal))
		{
			measured++;
			bad += m.volume_mm3 != free_of_limits.volume_mm3 ||
				m.holes != free_of_limits.holes;
		}
		else
		{
			refused++;
			bad += refusal.code != MF_ERROR_OUT_OF_MEMORY || measured > 0;
		}
	}
	ok(measured > 0 && refused > 0 && bad == 0,
	   "with every limit of memory: %d measured, %d refused", measured,
	   refused);
	free_bytes(&bytes);
	free_soup(&soup);
}

/* ---- points ---- */

static void
test_touching(void)
{
	MfGeometryOptions basic = {.basic = true};
	Soup		soup = {0};
	MfMeasurement m;
	MfRefusal	refusal;
	Bytes		bytes;

	/* Its hole is a point. */
	add_torus(&soup, 40, 30, 16, 16);
	ok(measure_soup(&soup, &m) && m.bodies == 1 && m.watertight &&
	   near(m.volume_mm3, torus_volume(40, 30, 16, 16), TOLERANCE) &&
	   has(&m, MF_DEFECT_TOUCHING_VERTICES, 1, false) &&
	   fabs(find_defect(&m, MF_DEFECT_TOUCHING_VERTICES)->at[0]) < 1e-6 &&
	   find_defect(&m, MF_DEFECT_TOUCHING_VERTICES)->severity ==
	   MF_SEVERITY_INFO, "a torus that touches itself in its middle");
	bytes = as_binary(&soup);
	ok(measure_bytes(bytes.at, bytes.size, &basic, &m, &refusal) &&
	   has(&m, MF_DEFECT_TOUCHING_VERTICES, 0, false),
	   "which is not looked for where little is asked for");
	free_bytes(&bytes);
	free_soup(&soup);

	for (int i = 0; i < 10; i++)
		add_tetrahedron(&soup, 10 * i, 0, 0, 10);
	bytes = as_binary(&soup);
	ok(measure_bytes(bytes.at, bytes.size, &basic, &m, &refusal) &&
	   m.bodies == 10 && has(&m, MF_DEFECT_TOUCHING_VERTICES, 9, false) &&
	   m.defects[0].at[0] == 10, "ten bodies in a row");
	free_bytes(&bytes);
	free_soup(&soup);
}

/* ---- hostile ---- */

/*
 * Measures within so many bytes for each triangle; it may not be closed.
 */
static void
check_hostile(Soup *soup, const char *what)
{
	MfGeometryOptions options = {
		.memory_limit = 400 * (uint64_t) soup->count + 2000000,
		.basic = true
	};
	Bytes		bytes = as_binary(soup);
	MfMeasurement m;
	MfRefusal	refusal;

	refusal.text[0] = '\0';
	m.volume_mm3 = 0;
	ok(measure_bytes(bytes.at, bytes.size, &options, &m, &refusal) &&
	   sane_measurement(&m) && isnan(m.volume_mm3) &&
	   (is_error(&m, MF_DEFECT_OPEN_EDGES) ||
		is_error(&m, MF_DEFECT_NON_MANIFOLD_EDGES)), "%s", what);
	for (int i = 0; i < m.defect_count; i++)
		printf("# %s: %lld%s\n", mf_defect_name(m.defects[i].code),
			   (long long) m.defects[i].count,
			   m.defects[i].repaired ? ", repaired" : "");
	free_bytes(&bytes);
	free_soup(soup);
}

static void
test_hostile(void)
{
	const size_t n = 60000;
	const double far_off[3][3] = {{0, 0, 0}, {1e3, 0, 0}, {1e3, 1e3, 1e3}};
	uint64_t	state = 77;
	Soup		soup = {0};
	double		at[3][3];

#define FOR_ALL_CORNERS(value) \
	for (size_t t = 0; t < n; t++) \
	{ \
		for (int i = 0; i < 3; i++) \
			for (int k = 0; k < 3; k++) \
				at[i][k] = (value); \
		add_triangle(&soup, at[0], at[1], at[2]); \
	}

	FOR_ALL_CORNERS(100 * around_zero(&state));
	check_hostile(&soup, "a soup of large triangles");
	add_triangle(&soup, far_off[0], far_off[1], far_off[2]);
	FOR_ALL_CORNERS(1e-4 * around_zero(&state));
	check_hostile(&soup, "all corners nearly meet, in one place");
	add_triangle(&soup, far_off[0], far_off[1], far_off[2]);
	FOR_ALL_CORNERS(i == 0 ? 1e-4 * around_zero(&state) :
					500 * around_zero(&state));
	check_hostile(&soup, "one of all corners nearly meets all others");
	FOR_ALL_CORNERS(i == 0 ? 0 : 100 * around_zero(&state));
	check_hostile(&soup, "all have one corner in common");
	FOR_ALL_CORNERS(i == 2 ? (k == 2 ? t % 251 : k == 1 ? 1 + t % 241 : 0) :
					k == 0 ? (double) ((t + i) % n * 7919 % n) : 0);
	check_hostile(&soup, "to and fro along one line");
	FOR_ALL_CORNERS(i == 0 ? 20 * (k == 2) : k == 2 ? 0 :
					sin(2 * M_PI * ((t + i) % n) / n + k * M_PI / 2));
	check_hostile(&soup, "a rim of very many edges");
	FOR_ALL_CORNERS(i == 0 ? 20 * (k == 2) : k == 2 ? 0 :
					(10 + (double) ((t + i) % n) / n) *
					sin(2 * M_PI * ((t + i) % n) / 7 + k * M_PI / 2));
	check_hostile(&soup, "a rim that winds through itself");
	for (size_t i = 0; i < n / 600; i++)
		for (size_t t = 0; t < 600; t++)
		{
			for (int c = 0; c < 3; c++)
				for (int k = 0; k < 3; k++)
				{
					const size_t s = (t + c) % 600;
					const double radius = s < 300 ? s : 599 - s + 0.5;

					at[c][k] = k == 2 ? (double) i * 50 + (c == 0) * 3 :
						c == 0 ? 0 : radius *
						sin(0.3 * radius + k * M_PI / 2);
				}
			add_triangle(&soup, at[0], at[1], at[2]);
		}
	check_hostile(&soup, "many rims that are spirals");
}

/* Triangles over the points of a small grid meet in all possible ways. */
static void
test_random(void)
{
	int			measured = 0;
	int			closed = 0;
	int			bad = 0;
	uint64_t	state = 4711;

	for (int i = 0; i < 3000; i++)
	{
		const int	count = 1 + (int) (next_random(&state) %
									   (i % 3 == 0 ? 4 : 40));
		Soup		soup = {0};
		MfMeasurement m;

		if (i % 3 == 0)
			add_box(&soup, 0, 0, 0, 2, 2, 2, false);
		for (int t = 0; t < count; t++)
		{
			double		at[3][3];

			for (int c = 0; c < 3; c++)
				for (int k = 0; k < 3; k++)
					at[c][k] = (double) (next_random(&state) % 3) +
						(next_random(&state) % 8 == 0 ? 1e-6 : 0);
			add_triangle(&soup, at[0], at[1], at[2]);
		}
		if (i % 2 == 0)
			for (int t = 0; t < count / 4; t++)
				remove_triangle(&soup, next_random(&state) % soup.count);
		if (measure_soup(&soup, &m))
		{
			measured++;
			closed += !isnan(m.volume_mm3);
			bad += !sane_measurement(&m);
		}
		else
			bad++;
		free_soup(&soup);
	}
	ok(measured == 3000 && bad == 0 && closed > 0,
	   "%d random surfaces, of which %d enclose a volume", measured, closed);
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
	test_threads();
	test_memory();
	test_touching();
	test_hostile();
	test_random();
	return tap_done();
}
