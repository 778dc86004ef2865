/*
 * test_shapes.c
 *		Shapes whose volume, area and counts are known in closed form.
 */
#include "shapes.h"
#include "tap.h"

static void
test_box(void)
{
	Soup		soup = {0};
	MfMeasurement m;

	add_box(&soup, 0, 0, 0, 10, 20, 30, false);
	ok(measure_soup(&soup, &m), "a box is measured");
	ok(m.format == MF_FORMAT_STL && m.unit == MF_UNIT_MM &&
	   m.unit_from == MF_UNIT_FROM_DEFAULT, "box: format and unit");
	ok(m.volume_mm3 == 6000, "box: volume, exactly");
	ok(m.area_mm2 == 2200, "box: area, exactly");
	ok(m.triangles == 12 && m.vertices == 8 && m.euler_number == 2 &&
	   m.bodies == 1 && m.cavities == 0, "box: counts");
	ok(m.watertight && m.consistent_winding && m.defect_count == 0,
	   "box: nothing wrong with it");
	ok(m.bbox_min[0] == 0 && m.bbox_min[1] == 0 && m.bbox_min[2] == 0 &&
	   m.bbox_max[0] == 10 && m.bbox_max[1] == 20 && m.bbox_max[2] == 30,
	   "box: bounding box");
	ok(m.centroid[0] == 5 && m.centroid[1] == 10 && m.centroid[2] == 15,
	   "box: centroid");
	ok(m.min_wall_mm == 10 && m.overhang_area_mm2 == 0 &&
	   m.support_volume_mm3 == 0, "box: walls, and nothing that overhangs");
	ok(near(m.convex_hull_volume_mm3, 6000, 1e-7) && m.tight_box_mm[2] == 30,
	   "box: hull, and the tight box");
	free_soup(&soup);
}

static void
test_tetrahedron(void)
{
	Soup		soup = {0};
	MfMeasurement m;

	add_tetrahedron(&soup, 1, 2, 3, 6);
	ok(measure_soup(&soup, &m) && near(m.volume_mm3, 36, 1e-14) &&
	   near(m.area_mm2, 54 + 18 * sqrt(3), 1e-14) &&
	   near(m.centroid[0], 2.5, 1e-14) && near(m.centroid[1], 3.5, 1e-14) &&
	   near(m.centroid[2], 4.5, 1e-14) && m.vertices == 4,
	   "a tetrahedron: volume, area and centroid");
	free_soup(&soup);
}

static void
test_rings(void)
{
	static const int corners[] = {3, 4, 7, 96, 1000};

	for (size_t i = 0; i < sizeof(corners) / sizeof(corners[0]); i++)
	{
		const int	n = corners[i];
		Soup		soup = {0};
		MfMeasurement m;

		add_ring(&soup, n, 10, 8.5, 4);
		ok(measure_soup(&soup, &m) &&
		   near(m.volume_mm3, n / 2.0 * sin(2 * M_PI / n) *
				(100 - 72.25) * 4, 1e-6) &&
		   near(m.area_mm2, n * sin(2 * M_PI / n) * (100 - 72.25) +
				2 * n * sin(M_PI / n) * (10 + 8.5) * 4, 1e-6) &&
		   m.vertices == 4 * n && m.euler_number == 0 && m.watertight &&
		   m.consistent_winding && m.bodies == 1 && m.defect_count == 0,
		   "a ring of %d corners", n);
		free_soup(&soup);
	}
}

static void
test_tori(void)
{
	static const int sizes[][2] = {{3, 3}, {5, 4}, {64, 32}, {300, 200}};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
	{
		const int	rows = sizes[i][0];
		const int	columns = sizes[i][1];
		Soup		soup = {0};
		MfMeasurement m;

		add_torus(&soup, rows, columns, 30, 10);
		ok(measure_soup(&soup, &m) &&
		   near(m.volume_mm3, torus_volume(rows, columns, 30, 10), 1e-6) &&
		   m.triangles == 2 * rows * columns &&
		   m.vertices == rows * columns && m.euler_number == 0 &&
		   m.watertight && m.consistent_winding && m.defect_count == 0,
		   "a torus of %d by %d", rows, columns);
		free_soup(&soup);
	}
}

/* Sums about the origin would lose what a float has. */
static void
test_far_away(void)
{
	Soup		soup = {0};
	MfMeasurement m;

	add_box(&soup, 0, 0, 0, 16, 16, 16, false);
	move_soup(&soup, 4194304, -4194304, 2097152);
	ok(measure_soup(&soup, &m) && m.volume_mm3 == 4096 &&
	   m.area_mm2 == 1536 && m.centroid[0] == 4194312 &&
	   m.centroid[1] == -4194296 && m.centroid[2] == 2097160,
	   "a box 4 km away is measured as exactly as at home");
	free_soup(&soup);
}

static void
test_units(void)
{
	static const struct
	{
		MfUnit		unit;
		double		mm;
	}			units[] = {
		{MF_UNIT_UM, 0.001}, {MF_UNIT_MM, 1}, {MF_UNIT_CM, 10},
		{MF_UNIT_M, 1000}, {MF_UNIT_INCH, 25.4}, {MF_UNIT_FT, 304.8}
	};
	Soup		soup = {0};
	Bytes		bytes;

	add_box(&soup, 1, 2, 3, 2, 4, 7, false);
	bytes = as_binary(&soup);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
	{
		const double k = units[i].mm;
		const MfGeometryOptions options = {.unit = units[i].unit};
		MfMeasurement m;
		MfRefusal	refusal;

		ok(measure_bytes(bytes.at, bytes.size, &options, &m, &refusal) &&
		   m.unit == units[i].unit && m.unit_from == MF_UNIT_FROM_CALLER &&
		   near(m.volume_mm3, 8 * k * k * k, 1e-15) &&
		   near(m.area_mm2, 28 * k * k, 1e-15) &&
		   near(m.bbox_max[2], 7 * k, 1e-15) &&
		   near(m.centroid[1], 3 * k, 1e-15), "a box in %s",
		   mf_unit_name(units[i].unit));
	}
	free_bytes(&bytes);
	free_soup(&soup);
}

/* The place of a defect is in mm, too. */
static void
test_defect_in_unit(void)
{
	const MfGeometryOptions options = {.unit = MF_UNIT_CM};
	Soup		soup = {0};
	Bytes		bytes;
	MfMeasurement m;
	MfRefusal	refusal;
	const MfDefect *d;

	add_box(&soup, 10, 10, 10, 11, 11, 11, false);
	remove_triangle(&soup, 0);
	bytes = as_binary(&soup);
	ok(measure_bytes(bytes.at, bytes.size, &options, &m, &refusal) &&
	   (d = find_defect(&m, MF_DEFECT_OPEN_EDGES)) != NULL && d->located &&
	   d->at[0] >= 100 && d->at[0] <= 110 && d->at[2] == 100,
	   "a defect's place is in mm");
	free_bytes(&bytes);
	free_soup(&soup);
}

static void
test_suspicious_sizes(void)
{
	static const struct
	{
		double		side;
		bool		tiny;
		bool		huge;
	}			cases[] = {
		{0.05, true, false}, {0.99, true, false}, {1, false, false},
		{10000, false, false}, {10010, false, true}
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		const bool	suspicious = cases[i].tiny || cases[i].huge;
		Soup		soup = {0};
		MfMeasurement m;

		add_box(&soup, 0, 0, 0, cases[i].side, cases[i].side / 2,
				cases[i].side / 3, false);
		ok(measure_soup(&soup, &m) &&
		   defect_count(&m, MF_DEFECT_TINY) == cases[i].tiny &&
		   defect_count(&m, MF_DEFECT_HUGE) == cases[i].huge &&
		   defect_count(&m, MF_DEFECT_FLAT) == 0 &&
		   m.defect_count == suspicious &&
		   (!suspicious || m.defects[0].severity == MF_SEVERITY_ERROR),
		   "a side of %g mm: tiny %d, huge %d", cases[i].side, cases[i].tiny,
		   cases[i].huge);
		free_soup(&soup);
	}
}

static void
test_flat(void)
{
	Soup		soup = {0};
	MfMeasurement m;

	add_ring(&soup, 12, 10, 8, 0);
	ok(measure_soup(&soup, &m) && defect_count(&m, MF_DEFECT_FLAT) == 1 &&
	   isnan(m.volume_mm3) && isnan(m.centroid[0]),
	   "a ring without height is flat and has no volume");
	free_soup(&soup);

	add_box(&soup, 0, 0, 0, 1000, 1000, 0.01, false);
	ok(measure_soup(&soup, &m) && defect_count(&m, MF_DEFECT_FLAT) == 0 &&
	   near(m.volume_mm3, 10000, 1e-6), "a foil of 0.01 mm is not");
	free_soup(&soup);
}

int
main(void)
{
	test_box();
	test_tetrahedron();
	test_rings();
	test_tori();
	test_far_away();
	test_units();
	test_defect_in_unit();
	test_suspicious_sizes();
	test_flat();
	return tap_done();
}
