/*
 * test_properties.c
 *		What must hold for any model: turned, moved, scaled, mirrored, inside
 *		out, shuffled, and beside another one.
 */
#include "shapes.h"
#include "tap.h"

/* Corners are floats: so much is lost when a model is turned. */
#define TOLERANCE	4e-6

/* Supports are measured by lines at places that depend on the order. */
#define SUPPORTS	1e-4

typedef struct Shape
{
	const char *name;
	void		(*add) (Soup *soup);
	double		volume;			/* in closed form; 0: none is given */
} Shape;

static void
make_torus(Soup *soup)
{
	add_torus(soup, 40, 24, 30, 10);
	move_soup(soup, 3, -7, 20);
}

static void
make_hollow_box(Soup *soup)
{
	add_box(soup, 0, 0, 0, 30, 20, 40, false);
	add_box(soup, 4, 3, 5, 25, 17, 36, true);
}

/* A plate on a stem, seen from the side a T, extruded. */
static void
make_tee(Soup *soup)
{
	static const double outline[8][2] = {
		{0, 0}, {8, 0}, {8, 30}, {20, 30}, {20, 38}, {-12, 38}, {-12, 30},
		{0, 30}
	};
	static const int caps[6][3] = {
		{0, 1, 2}, {0, 2, 7}, {7, 2, 4}, {2, 3, 4}, {7, 4, 5}, {7, 5, 6}
	};
	double		at[2][8][3];

	for (int end = 0; end < 2; end++)
		for (int i = 0; i < 8; i++)
		{
			at[end][i][0] = outline[i][0];
			at[end][i][1] = end * 25;
			at[end][i][2] = outline[i][1];
		}
	for (int i = 0; i < 8; i++)
	{
		const int	next = (i + 1) % 8;

		add_quad(soup, at[0][i], at[0][next], at[1][next], at[1][i]);
	}
	for (int i = 0; i < 6; i++)
	{
		add_triangle(soup, at[0][caps[i][2]], at[0][caps[i][1]],
					 at[0][caps[i][0]]);
		add_triangle(soup, at[1][caps[i][0]], at[1][caps[i][1]],
					 at[1][caps[i][2]]);
	}
	for (size_t t = 0; t < soup->count; t++)
		turn_triangle(soup, t);
}

static void
make_ring(Soup *soup)
{
	add_ring(soup, 60, 12, 9, 7);
}

static const Shape shapes[] = {
	{"torus", make_torus, 0},
	{"hollow box", make_hollow_box, 30 * 20 * 40 - 21 * 14 * 31},
	{"tee", make_tee, (8 * 30 + 32 * 8) * 25},
	{"ring", make_ring, 0}
};

/* Applies a linear map to all corners. */
static void
map_soup(Soup *soup, const double m[3][3])
{
	for (size_t t = 0; t < soup->count; t++)
		for (int c = 0; c < 3; c++)
		{
			double		at[3];

			for (int i = 0; i < 3; i++)
				at[i] = m[i][0] * soup->triangle[t][c][0] +
					m[i][1] * soup->triangle[t][c][1] +
					m[i][2] * soup->triangle[t][c][2];
			for (int i = 0; i < 3; i++)
				soup->triangle[t][c][i] = (float) at[i];
		}
}

/* Is everything known that a sound model has? */
static bool
all_known(const MfMeasurement *m)
{
	return isfinite(m->volume_mm3) && isfinite(m->trapped_volume_mm3) &&
		isfinite(m->centroid[0]) && isfinite(m->min_wall_mm) &&
		isfinite(m->overhang_area_mm2) && isfinite(m->support_volume_mm3) &&
		isfinite(m->convex_hull_volume_mm3) &&
		isfinite(m->tight_box_mm[0]) && m->layers.count == MF_LAYERS &&
		m->wall_samples > 0;
}

/* The same counts. */
static bool
same_counts(const MfMeasurement *a, const MfMeasurement *b)
{
	return a->triangles == b->triangles && a->vertices == b->vertices &&
		a->bodies == b->bodies && a->cavities == b->cavities &&
		a->euler_number == b->euler_number && a->holes == b->holes &&
		a->watertight == b->watertight;
}

/* The same amounts, lengths growing by `scale`: what no turning changes. */
static bool
same_amounts(const MfMeasurement *a, const MfMeasurement *b, double scale)
{
	const double area = scale * scale;
	const double volume = area * scale;

	return near(b->volume_mm3, a->volume_mm3 * volume, TOLERANCE) &&
		near(b->area_mm2, a->area_mm2 * area, TOLERANCE) &&
		near(b->trapped_volume_mm3, a->trapped_volume_mm3 * volume,
			 TOLERANCE) &&
		near(b->min_wall_mm, a->min_wall_mm * scale, TOLERANCE) &&
		near(b->wall_mm[MF_WALL_SHARES / 2], a->wall_mm[MF_WALL_SHARES / 2] *
			 scale, TOLERANCE) &&
		near(b->convex_hull_volume_mm3, a->convex_hull_volume_mm3 * volume,
			 TOLERANCE);
}

/* What turning about the vertical does not change, either. */
static bool
same_upright(const MfMeasurement *a, const MfMeasurement *b, double scale)
{
	const double area = scale * scale;
	double		off = 0;
	double		all = 0;

	for (int i = 0; i < MF_LAYERS; i++)
	{
		off += fabs((double) b->layers.area[i] -
					(double) a->layers.area[i] * area);
		off += fabs((double) b->layers.perimeter[i] -
					(double) a->layers.perimeter[i] * scale) * scale;
		all += (double) a->layers.area[i] * area;
	}
	return near(b->overhang_area_mm2, a->overhang_area_mm2 * area,
				TOLERANCE) &&
		near(b->support_volume_mm3, a->support_volume_mm3 * area * scale,
			 SUPPORTS) &&
		near(1 + off / all, 1, 1e-4);
}

/* The same shape, mapped. */
static void
test_mapped(const Shape *shape, const MfMeasurement *plain, const char *how,
			const double m[3][3], double scale, bool upright)
{
	Soup		soup = {0};
	MfMeasurement mapped;

	shape->add(&soup);
	map_soup(&soup, m);
	ok(measure_soup(&soup, &mapped) && all_known(&mapped) &&
	   same_counts(plain, &mapped) && same_amounts(plain, &mapped, scale) &&
	   (!upright || same_upright(plain, &mapped, scale)),
	   "%s, %s", shape->name, how);
	free_soup(&soup);
}

static void
test_maps(const Shape *shape, const MfMeasurement *plain)
{
	const double a = 0.7;
	const double b = 0.3;
	const double upright[3][3] = {
		{cos(a), -sin(a), 0}, {sin(a), cos(a), 0}, {0, 0, 1}
	};
	const double quarter[3][3] = {{0, -1, 0}, {1, 0, 0}, {0, 0, 1}};
	const double tilted[3][3] = {
		{cos(a), -sin(a) * cos(b), sin(a) * sin(b)},
		{sin(a), cos(a) * cos(b), -cos(a) * sin(b)},
		{0, sin(b), cos(b)}
	};
	const double larger[3][3] = {{4, 0, 0}, {0, 4, 0}, {0, 0, 4}};
	const double smaller[3][3] = {
		{0.37, 0, 0}, {0, 0.37, 0}, {0, 0, 0.37}
	};
	const double mirrored[3][3] = {{-1, 0, 0}, {0, 1, 0}, {0, 0, 1}};

	test_mapped(shape, plain, "turned about the vertical", upright, 1, true);
	test_mapped(shape, plain, "turned by a quarter", quarter, 1, true);
	test_mapped(shape, plain, "tilted", tilted, 1, false);
	test_mapped(shape, plain, "4 times as large", larger, 4, true);
	test_mapped(shape, plain, "0.37 times as large", smaller, 0.37, true);
	test_mapped(shape, plain, "mirrored, and so inside out", mirrored, 1,
				true);
}

/* Moved, shuffled, each triangle turned over. */
static void
test_rewritten(const Shape *shape, const MfMeasurement *plain)
{
	Soup		soup = {0};
	MfMeasurement m;

	shape->add(&soup);
	move_soup(&soup, 128, -64, 32);
	ok(measure_soup(&soup, &m) && all_known(&m) && same_counts(plain, &m) &&
	   same_amounts(plain, &m, 1) && same_upright(plain, &m, 1) &&
	   fabs(m.centroid[0] - 128 - plain->centroid[0]) < 1e-4 &&
	   near(m.bbox_min[1] + 64, plain->bbox_min[1], 1e-6),
	   "%s, moved", shape->name);
	free_soup(&soup);

	shape->add(&soup);
	shuffle_soup(&soup, 7);
	ok(measure_soup(&soup, &m) && all_known(&m) && same_counts(plain, &m) &&
	   same_amounts(plain, &m, 1) && same_upright(plain, &m, 1) &&
	   m.defect_count == plain->defect_count, "%s, shuffled", shape->name);
	free_soup(&soup);

	shape->add(&soup);
	for (size_t t = 0; t < soup.count; t++)
		turn_triangle(&soup, t);
	ok(measure_soup(&soup, &m) && all_known(&m) && same_counts(plain, &m) &&
	   same_amounts(plain, &m, 1) && same_upright(plain, &m, 1) &&
	   defect_count(&m, MF_DEFECT_INVERTED_BODY) == plain->bodies,
	   "%s, inside out", shape->name);
	free_soup(&soup);
}

/* Two of them side by side: sums are twice as large. */
static void
test_twice(const Shape *shape, const MfMeasurement *plain)
{
	Soup		soup = {0};
	Soup		other = {0};
	MfMeasurement m;
	double		off = 0;
	double		all = 0;

	shape->add(&soup);
	shape->add(&other);
	move_soup(&other, 128, 0, 0);
	for (size_t t = 0; t < other.count; t++)
	{
		double		at[3][3];

		for (int c = 0; c < 3; c++)
			for (int i = 0; i < 3; i++)
				at[c][i] = (double) other.triangle[t][c][i];
		add_triangle(&soup, at[0], at[1], at[2]);
	}
	ok(measure_soup(&soup, &m) && all_known(&m) &&
	   m.bodies == 2 * plain->bodies && m.cavities == 2 * plain->cavities &&
	   m.euler_number == 2 * plain->euler_number &&
	   near(m.volume_mm3, 2 * plain->volume_mm3, TOLERANCE) &&
	   near(m.area_mm2, 2 * plain->area_mm2, TOLERANCE) &&
	   near(m.overhang_area_mm2, 2 * plain->overhang_area_mm2, TOLERANCE) &&
	   near(m.support_volume_mm3, 2 * plain->support_volume_mm3, SUPPORTS) &&
	   near(m.min_wall_mm, plain->min_wall_mm, TOLERANCE) &&
	   m.convex_hull_volume_mm3 > 2 * plain->convex_hull_volume_mm3 &&
	   defect_count(&m, MF_DEFECT_OVERLAPPING_BODIES) == 0,
	   "%s, and another beside it", shape->name);
	for (int i = 0; i < MF_LAYERS; i++)
	{
		off += fabs((double) m.layers.area[i] -
					2 * (double) plain->layers.area[i]);
		all += (double) m.layers.area[i];
	}
	ok(near(1 + off / all, 1, 1e-6), "%s: their layers", shape->name);
	free_soup(&soup);
	free_soup(&other);
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
	{
		const Shape *shape = &shapes[i];
		Soup		soup = {0};
		MfMeasurement plain;

		shape->add(&soup);
		ok(measure_soup(&soup, &plain) && all_known(&plain) &&
		   plain.watertight && plain.consistent_winding &&
		   (shape->volume == 0 ||
			near(plain.volume_mm3, shape->volume, 1e-12)),
		   "%s: all is known", shape->name);
		free_soup(&soup);
		test_maps(shape, &plain);
		test_rewritten(shape, &plain);
		test_twice(shape, &plain);
	}
	return tap_done();
}
