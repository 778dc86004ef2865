/*
 * test_truth.c
 *		Real, published and hostile models, against a table of what others
 *		measured (MESFLOW_MODELS/truth.csv; its README.md explains it).
 */
#include "../../src/geometry/whole.h"
#include "shapes.h"
#include "csv.h"
#include "tap.h"

/* Relative, as the table's description asks for; it prints 12 digits. */
#define TOLERANCE		1e-6
#define TOLERANCE_FAR	1e-5
#define TOLERANCE_WALLS	1e-4	/* of the diagonal */

/* Where a model has more triangles than are all measured. */
#define WALL_SAMPLES	20000

/* Rows of the table. */
#define MODELS			177

/*
 * Bodies that intersect, others or themselves, are not united: the plain sum,
 * for a person to look at.
 */
static const char *const not_united[] = {
	"crafted/overlapping_bodies.stl",
	"real/manifold__self_intersectA.obj"
};

/*
 * A polygon of one plane has one area, and the table gives it.  This one has
 * no plane: its area is that of the triangles that it is split into, and the
 * table's are others (a fan, which folds over itself seen from above).
 */
static const char *const not_flat = "real/trimesh__polygonfaces.obj";

/* Split into triangles that do not fold over, as the table's fan does. */
static const char *const not_a_fan = "crafted/concave_ngon.obj";

static bool
is_united(const char *file)
{
	for (size_t i = 0; i < sizeof(not_united) / sizeof(not_united[0]); i++)
		if (strcmp(file, not_united[i]) == 0)
			return false;
	return true;
}

static Bytes
load(const char *folder, const char *file, bool *there)
{
	Bytes		bytes = {0};
	char		path[4096];
	FILE	   *stream;
	char		block[65536];
	size_t		got;

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	stream = fopen(path, "rb");
	*there = stream != NULL;
	while (stream != NULL && (got = fread(block, 1, sizeof(block), stream)) > 0)
		add_bytes(&bytes, block, got);
	if (stream != NULL)
		fclose(stream);
	return bytes;
}

/* 1 or 0, so that & makes all checks: one run shows every difference. */
static int
same(const char *what, int64_t value, double wanted)
{
	if ((double) value == wanted)
		return 1;
	printf("# %s: %lld, wanted %.0f\n", what, (long long) value, wanted);
	return 0;
}

/*
 * The section at a height, as the file has its triangles.  The polygons of
 * one file are split otherwise here than in the table.
 */
static bool
check_section(MfJob *job, const MfScene *scene, const Csv *row)
{
	const double area = csv_number(row, "section_area");
	MfSection	section = {.z = csv_number(row, "section_z")};

	if (!csv_known(row, "section_z") ||
		strcmp(csv_text(row, "file"), not_flat) == 0)
		return true;
	return mf_layers_section(job, scene, &section) &&
		near(section.area, area, TOLERANCE) &&
		near(section.perimeter, csv_number(row, "section_perimeter"),
			 TOLERANCE);
}

/*
 * The layers: their outlines add up to the area seen from the side, their
 * areas to the volume.  What a repair leaves out is in the table's wall.
 */
static bool
check_layers(const MfMeasurement *m, const Csv *row)
{
	const double height = (m->bbox_max[2] - m->bbox_min[2]) / MF_LAYERS;
	const MfDefect *duplicate = find_defect(m, MF_DEFECT_DUPLICATE_TRIANGLES);
	double		wall = 0;
	double		volume = 0;

	/* Nor does a float hold the sections of what is smaller than atoms. */
	if (isnan(m->volume_mm3) || m->volume_mm3 < 1e-60)
		return same("layers", m->layers.count, 0);
	for (int i = 0; i < MF_LAYERS; i++)
	{
		wall += (double) m->layers.perimeter[i] * height;
		volume += (double) m->layers.area[i] * height;
	}
	if (!same("layers", m->layers.count, MF_LAYERS))
		return false;
	if (!near(volume, m->volume_mm3, TOLERANCE))
		return false;
	return (duplicate != NULL && duplicate->repaired) ||
		near(wall, csv_number(row, "wall_area"), TOLERANCE);
}

/* The convex hull, which all files have; what is flat has none. */
static bool
check_hull(const MfMeasurement *m, const Csv *row)
{
	double		box = 1;

	for (int i = 0; i < 3; i++)
		box *= m->bbox_max[i] - m->bbox_min[i];
	if (!(m->tight_box_mm[0] >= m->tight_box_mm[1]) ||
		m->tight_box_mm[0] * m->tight_box_mm[1] * m->tight_box_mm[2] >
		box * (1 + TOLERANCE))
	{
		printf("# tight box: %g %g %g\n", m->tight_box_mm[0],
			   m->tight_box_mm[1], m->tight_box_mm[2]);
		return false;
	}
	return !csv_known(row, "hull_volume") ||
		near(m->convex_hull_volume_mm3, csv_number(row, "hull_volume"),
			 TOLERANCE);
}

/* Counts that a measurement does not show, from the surfaces themselves. */
static bool
check_surface(const Bytes *bytes, const Csv *row)
{
	MfRefusal	refusal = {0};
	MfJob		job = {
		.bytes = bytes->at,.size = bytes->size,.refusal = &refusal,
		.max_triangles = MF_DEFAULT_MAX_TRIANGLES,.unit_in_mm = 1,
		.unit_name = "mm",.share = 1
	};
	MfScene		scene = {0};
	MfTopology	all = {0};
	MfFormat	format;
	bool		good;

	good = mf_scene_read(&job, &scene, &format);
	job.unit_in_mm = mf_unit_in_mm(scene.unit);
	good = good && mf_scene_settle(&job, &scene) &&
		check_section(&job, &scene, row);
	for (uint32_t p = 0; good && p < scene.pose_count; p++)
	{
		const MfMesh *mesh = &scene.part[scene.pose[p].part].mesh;
		const uint32_t times = scene.pose[p].count;
		MfEdges		edges = {0};
		MfTopology	t = {0};

		good = mf_edges_match(&job, mesh, &edges, &t);
		all.edges += times * t.edges;
		all.boundary += times * t.boundary;
		all.non_manifold += times * t.non_manifold;
		all.flipped += times * t.flipped;
		all.shell_count += times * t.shell_count;
		all.degenerate += times * t.degenerate;
		mf_edges_free(&job, &edges);
		mf_topology_free(&job, &t);
	}
	good = good &&
		same("instances", scene.instance_count, csv_number(row, "instances")) &
		same("edges", all.edges, csv_number(row, "edges")) &
		same("boundary", all.boundary, csv_number(row, "edges_boundary")) &
		same("non-manifold", all.non_manifold,
			 csv_number(row, "edges_nonmanifold")) &
		same("flipped", all.flipped, csv_number(row, "edges_flipped")) &
		same("shells", all.shell_count, csv_number(row, "shells_edge")) &
		same("degenerate", all.degenerate, csv_number(row, "tri_degenerate"));
	mf_scene_free(&job, &scene);
	return same("memory", job.memory.used, 0) && good;
}

static bool
check_counts(const MfMeasurement *m, const Csv *row)
{
	return same("triangles", m->triangles, csv_number(row, "tri")) &
		same("vertices", m->vertices, csv_number(row, "vert_weld")) &
		same("euler", m->euler_number, csv_number(row, "euler")) &
		same("watertight", m->watertight, csv_true(row, "watertight")) &
		same("winding", m->consistent_winding, csv_true(row, "winding_ok")) &
		same("open edges", defect_count(m, MF_DEFECT_OPEN_EDGES),
			 csv_number(row, "edges_boundary")) &
		same("non-manifold edges",
			 defect_count(m, MF_DEFECT_NON_MANIFOLD_EDGES),
			 csv_number(row, "edges_nonmanifold")) &
		same("flipped", defect_count(m, MF_DEFECT_FLIPPED_TRIANGLES) > 0,
			 csv_number(row, "edges_flipped") > 0) &
		same("degenerate", defect_count(m, MF_DEFECT_DEGENERATE_TRIANGLES),
			 csv_number(row, "tri_degenerate")) &
		same("duplicates", defect_count(m, MF_DEFECT_DUPLICATE_TRIANGLES),
			 csv_number(row, "tri_duplicate")) &
		same("zero area", defect_count(m, MF_DEFECT_ZERO_AREA_TRIANGLES),
			 csv_number(row, "tri_zero_area"));
}

/*
 * A repair may leave out triangles and shells, join shells along cracks, and
 * add area to holes; else all are counted.
 */
static bool
check_shells(const MfMeasurement *m, const Csv *row)
{
	const MfDefect *duplicate = find_defect(m, MF_DEFECT_DUPLICATE_TRIANGLES);
	const MfDefect *line = find_defect(m, MF_DEFECT_ZERO_AREA_TRIANGLES);
	const MfDefect *holes = find_defect(m, MF_DEFECT_HOLES);
	bool		good = true;

	if (csv_known(row, "analytic_voids"))
		good = same("cavities", m->cavities, csv_number(row, "analytic_voids"));
	if (csv_known(row, "analytic_holes"))
		good &= same("holes", m->holes, csv_number(row, "analytic_holes"));
	if ((duplicate != NULL && duplicate->repaired) ||
		(line != NULL && line->repaired))
		return good && m->bodies + m->cavities <=
			csv_number(row, "shells_edge");
	/* Its surfaces meet where corners lie on edges. */
	if (defect_count(m, MF_DEFECT_T_JUNCTIONS) > 0)
		return good && m->bodies + m->cavities <=
			csv_number(row, "shells_edge");
	return good &&
		same("shells", m->bodies + m->cavities,
			 csv_number(row, defect_count(m, MF_DEFECT_CRACKS) > 0 ?
						"eps_shells_edge" : "shells_edge")) &&
		(strcmp(csv_text(row, "file"), not_flat) == 0 ||
		 (holes != NULL && holes->repaired &&
		  m->area_mm2 > csv_number(row, "area")) ||
		 near(m->area_mm2, csv_known(row, "analytic_area") ?
			  csv_number(row, "analytic_area") : csv_number(row, "area"),
			  TOLERANCE));
}

static bool
check_box(const MfMeasurement *m, const Csv *row)
{
	static const char *const names[2][3] = {
		{"bbox_min_x", "bbox_min_y", "bbox_min_z"},
		{"bbox_max_x", "bbox_max_y", "bbox_max_z"}
	};
	bool		good = true;

	for (int i = 0; i < 3; i++)
		good = good && (float) m->bbox_min[i] ==
			(float) csv_number(row, names[0][i]) &&
			(float) m->bbox_max[i] == (float) csv_number(row, names[1][i]);
	if (!good)
		printf("# bounding box\n");
	return good;
}

/* Volume and centroid: after repair, or none where there is none. */
static bool
check_volume(const MfMeasurement *m, const Csv *row)
{
	const char *file = csv_text(row, "file");
	const bool	far_off = strstr(file, "far_from_origin") != NULL;
	const double tolerance = far_off ? TOLERANCE_FAR : TOLERANCE;
	static const char *const centroid[] = {
		"centroid_x", "centroid_y", "centroid_z"
	};
	double		diagonal = 0;

	if (csv_known(row, "analytic_union_volume") &&
		is_united(file))
		return near(m->volume_mm3, csv_number(row, "analytic_union_volume"),
					tolerance);
	if (csv_known(row, "analytic_volume"))
	{
		if (!near(m->volume_mm3, csv_number(row, "analytic_volume"), tolerance))
			return false;
	}
	else if (strcmp(csv_text(row, "expect"), "ok_repair") == 0 &&
			 csv_known(row, "trimesh_repaired_volume"))
		return near(m->volume_mm3, csv_number(row, "trimesh_repaired_volume"),
					tolerance);
	else if (!csv_true(row, "volume_valid"))
		return isnan(m->volume_mm3);
	else if (!near(m->volume_mm3, fabs(csv_number(row, "volume_signed")),
				   tolerance))
		return false;

	if (!csv_true(row, "volume_valid"))
		return true;
	for (int i = 0; i < 3; i++)
		diagonal += pow(m->bbox_max[i] - m->bbox_min[i], 2);
	for (int i = 0; i < 3; i++)
		if (fabs(m->centroid[i] - csv_number(row, centroid[i])) >
			TOLERANCE * sqrt(diagonal))
		{
			printf("# %s\n", centroid[i]);
			return false;
		}
	return true;
}

static double
diagonal_of(const MfMeasurement *m)
{
	double		square = 0;

	for (int i = 0; i < 3; i++)
		square += pow(m->bbox_max[i] - m->bbox_min[i], 2);
	return sqrt(square);
}

/* Thickness to a part of the diagonal; the table has closed models only. */
static bool
check_walls(const MfMeasurement *m, const Csv *row)
{
	static const struct
	{
		const char *column;
		int			share;
	}			walls[] = {{"thick_min", 0}, {"thick_p05", 2}, {"thick_p50", 5}};
	const double tolerance = TOLERANCE_WALLS * diagonal_of(m);
	bool		good = true;

	if (isnan(m->volume_mm3))
		return isnan(m->min_wall_mm) && m->wall_samples == 0;
	if (m->triangles > WALL_SAMPLES)
		return m->wall_samples == WALL_SAMPLES && m->min_wall_mm > 0;

	/* All that have an area, which the table does not know for many. */
	if (m->triangles > 6000)
		return m->wall_samples <= m->triangles &&
			m->wall_samples > m->triangles * 0.97 && m->min_wall_mm > 0;
	for (int i = 0; i < 3 && csv_known(row, walls[i].column); i++)
		if (!(fabs(m->wall_mm[walls[i].share] -
				   csv_number(row, walls[i].column)) <= tolerance))
		{
			printf("# %s: %.12g, wanted %.12g\n", walls[i].column,
				   m->wall_mm[walls[i].share],
				   csv_number(row, walls[i].column));
			good = false;
		}
	return good && m->min_wall_mm == m->wall_mm[0];
}

/* Overhangs of what the file has facing out, and supports where known. */
static bool
check_overhang(const MfMeasurement *m, const Csv *row)
{
	if (csv_known(row, "analytic_support_volume") &&
		!near(m->support_volume_mm3,
			  csv_number(row, "analytic_support_volume"), TOLERANCE))
		return false;
	if (strcmp(csv_text(row, "file"), not_a_fan) == 0 ||
		find_defect(m, MF_DEFECT_INVERTED_BODY) != NULL ||
		find_defect(m, MF_DEFECT_DUPLICATE_TRIANGLES) != NULL ||
		!csv_known(row, "overhang45_area"))
		return true;
	if (near(m->overhang_area_mm2, csv_number(row, "overhang45_area"),
			 TOLERANCE))
		return true;
	printf("# overhang\n");
	return false;
}

static bool
is_serious(const MfMeasurement *m, MfDefectCode code)
{
	const MfDefect *defect = find_defect(m, code);

	return defect != NULL && defect->severity == MF_SEVERITY_ERROR;
}

/* Must a person look at this, or does it have no volume to price? */
static bool
goes_to_review(const MfMeasurement *m)
{
	for (int i = 0; i < m->defect_count; i++)
		if (m->defects[i].severity == MF_SEVERITY_ERROR)
			return true;
	return isnan(m->volume_mm3);
}

/* ... because of its surface, not of its size or where its bodies are? */
static bool
has_bad_surface(const MfMeasurement *m)
{
	for (int i = 0; i < m->defect_count; i++)
		if (m->defects[i].severity == MF_SEVERITY_ERROR &&
			(m->defects[i].code <= MF_DEFECT_NESTED_BODIES ||
			 m->defects[i].code == MF_DEFECT_HOLES))
			return true;
	return isnan(m->volume_mm3);
}

/* Triangles that cover nothing are a note: the surface is whole without. */
static bool
names_defect(const MfMeasurement *m)
{
	for (int i = 0; i < m->defect_count; i++)
		if (m->defects[i].severity >= MF_SEVERITY_WARNING ||
			m->defects[i].code == MF_DEFECT_DEGENERATE_TRIANGLES)
			return true;
	return false;
}

static void
check_read(const Bytes *bytes, const Csv *row)
{
	const char *file = csv_text(row, "file");
	const char *expect = csv_text(row, "expect");
	MfMeasurement m;
	MfRefusal	refusal;

	if (!measure_bytes(bytes->at, bytes->size, NULL, &m, &refusal))
	{
		ok((strncmp(expect, "reject", 6) == 0 ||
			strcmp(expect, "limit") == 0) && sane_refusal(&refusal),
		   "%s: %s, refused: %s", file, expect,
		   mf_error_code_name(refusal.code));
		printf("# %s\n", refusal.text);
		return;
	}

	/* The table has no numbers of what it did not open. */
	if (!csv_known(row, "tri"))
	{
		ok(strcmp(expect, "reject") != 0 && sane_measurement(&m),
		   "%s: %s, measured", file, expect);
		return;
	}
	ok(strcmp(expect, "reject") != 0 && sane_measurement(&m) &&
	   strcmp(mf_format_name(m.format), csv_text(row, "format")) == 0 &&
	   check_counts(&m, row) && check_box(&m, row) &&
	   check_shells(&m, row) && check_volume(&m, row) &&
	   check_layers(&m, row) && check_hull(&m, row) &&
	   check_walls(&m, row) && check_overhang(&m, row) &&
	   check_surface(bytes, row),
	   "%s: %s, measured", file, expect);
	if (strcmp(expect, "ok_repair") == 0)
		ok(names_defect(&m), "%s: the defect is named", file);
	if (strcmp(expect, "ok") == 0)
		ok(!has_bad_surface(&m), "%s: no person has to look", file);
	if (csv_true(row, "watertight"))
		ok(m.holes == 0 && find_defect(&m, MF_DEFECT_CRACKS) == NULL &&
		   find_defect(&m, MF_DEFECT_T_JUNCTIONS) == NULL,
		   "%s: closed, and not mended", file);
	if (strcmp(expect, "reject_or_review") == 0 ||
		strcmp(expect, "ok_review") == 0)
		ok(goes_to_review(&m), "%s: for a person", file);
	else
		ok(!is_serious(&m, MF_DEFECT_OVERLAPPING_BODIES) &&
		   !is_serious(&m, MF_DEFECT_SELF_INTERSECTIONS),
		   "%s: nothing overlaps that matters", file);
}

/* Other formats are recognised, and never read as something they are not. */
static void
check_other(const Bytes *bytes, const Csv *row)
{
	MfMeasurement m;
	MfRefusal	refusal;
	const bool	good = measure_bytes(bytes->at, bytes->size, NULL, &m,
									 &refusal);

	ok(!good && sane_refusal(&refusal) &&
	   (refusal.code == MF_ERROR_UNSUPPORTED ||
		(strncmp(csv_text(row, "expect"), "ok", 2) != 0 &&
		 (refusal.code == MF_ERROR_NOT_A_MODEL ||
		  refusal.code == MF_ERROR_EMPTY))), "%s: %s, refused: %s",
	   csv_text(row, "file"), csv_text(row, "expect"),
	   good ? "no" : mf_error_code_name(refusal.code));
}

/* Is this a format that has a reader? */
static bool
is_read(const char *format)
{
	static const char *const formats[] = {"stl", "obj", "ply", "glb", "3mf"};

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (strcmp(format, formats[i]) == 0)
			return true;
	return false;
}

int
main(void)
{
	const char *folder = getenv("MESFLOW_MODELS");
	Bytes		table;
	Csv			row;
	bool		there;
	int			read = 0;
	int			other = 0;

	if (folder == NULL || folder[0] == '\0')
	{
		skip("models and their truth", "MESFLOW_MODELS is not set");
		return tap_done();
	}
	table = load(folder, "truth.csv", &there);
	if (!ok(there, "truth.csv is there"))
		return tap_done();
	add_bytes(&table, "", 1);
	csv_begin(&row, (char *) table.at);
	while (csv_next(&row))
	{
		Bytes		bytes = load(folder, csv_text(&row, "file"), &there);

		if (!there)
			ok(false, "%s is there", csv_text(&row, "file"));
		else if (is_read(csv_text(&row, "format")))
		{
			check_read(&bytes, &row);
			read++;
		}
		else
		{
			check_other(&bytes, &row);
			other++;
		}
		free_bytes(&bytes);
	}
	ok(row.rest[0] == '\0' && read + other == MODELS,
	   "the whole table: %d files that are read, %d others", read, other);
	free_bytes(&table);
	return tap_done();
}
