/*
 * test_obj.c
 *		Wavefront OBJ: what its lines may say, with which words they are
 *		refused, and polygons of any shape.
 */
#include "shapes.h"
#include "tap.h"

/* The code that some text is refused with; MF_ERROR_NONE: measured. */
static MfErrorCode
answer(const Bytes *text, MfMeasurement *m, MfRefusal *refusal)
{
	if (measure_bytes(text->at, text->size, NULL, m, refusal))
		return sane_measurement(m) ? MF_ERROR_NONE : MF_ERROR_CRASHED;
	return sane_refusal(refusal) ? refusal->code : MF_ERROR_CRASHED;
}

/* ---- lines ---- */

/*
 * A tetrahedron of 1/6 mm3, its first vertex (line 2) and first face (line 6)
 * told otherwise where these are not NULL.
 */
static Bytes
write_tetrahedron(const char *vertex, const char *face)
{
	Bytes		bytes = {0};

	add_text(&bytes, "mtllib a.mtl\n%s\nv 1 0 0\nv 0 1 0\nv 0 0 1\n%s\n"
			 "f 1 2 4\nf 1 4 3\nf 2 3 4\n",
			 vertex != NULL ? vertex : "v 0 0 0",
			 face != NULL ? face : "f 1 3 2");
	return bytes;
}

static bool
is_tetrahedron(const Bytes *bytes)
{
	MfMeasurement m;
	MfRefusal	refusal;
	const MfErrorCode code = answer(bytes, &m, &refusal);

	if (code != MF_ERROR_NONE)
		printf("# %s\n", refusal.text);
	return code == MF_ERROR_NONE && m.format == MF_FORMAT_OBJ &&
		m.triangles == 4 && m.vertices == 4 && m.euler_number == 2 &&
		m.watertight && m.consistent_winding &&
		near(m.volume_mm3, 1.0 / 6, 1e-15) &&
		near(m.area_mm2, 1.5 + sqrt(3) / 2, 1e-15);
}

static void
accepts(const char *what, const char *vertex, const char *face)
{
	Bytes		bytes = write_tetrahedron(vertex, face);

	ok(is_tetrahedron(&bytes), "accepted: %s", what);
	free_bytes(&bytes);
}

static void
refuses(const char *what, const char *vertex, const char *face,
		MfErrorCode wanted, const char *words)
{
	Bytes		bytes = write_tetrahedron(vertex, face);
	MfMeasurement m;
	MfRefusal	refusal;

	ok(answer(&bytes, &m, &refusal) == wanted &&
	   strncmp(refusal.text, vertex != NULL ? "Line 2: " : "Line 6: ", 8) == 0 &&
	   strstr(refusal.text, words) != NULL, "refused: %s", what);
	printf("# %s\n", refusal.text);
	free_bytes(&bytes);
}

static void
test_vertices(void)
{
	accepts("the usual lines", NULL, NULL);
	accepts("a weight", "v 0 0 0 1.0", NULL);
	accepts("a weight that is not one", "v 0 0 0 0.25", NULL);
	accepts("a colour", "v 0 0 0 0.8 0.5 0.25", NULL);
	accepts("a weight and a colour that covers half",
			"v 0 0 0 1 0.8 0.5 0.25 0.5", NULL);
	accepts("a colour that is no number", "v 0 0 0 nan inf -nan(ind)", NULL);
	accepts("numbers in all forms", "v -0.0 +0.e5 .0", NULL);
	accepts("blanks and tabs", " \t v\t0 \t0  0\t ", NULL);
	accepts("a comment behind", "v 0 0 0 # the corner", NULL);
	accepts("a line that goes on", "v 0 \\\n0 0", NULL);

	refuses("two coordinates", "v 0 0", NULL, MF_ERROR_MALFORMED,
			"2 coordinates");
	refuses("no coordinate", "v", NULL, MF_ERROR_MALFORMED, "0 coordinates");
	refuses("a coordinate in a comment", "v 0 0 # 0", NULL,
			MF_ERROR_MALFORMED, "2 coordinates");
	refuses("nine numbers", "v 0 0 0 1 1 1 1 1 1", NULL, MF_ERROR_MALFORMED,
			"more than 8 numbers");
	refuses("two vertices in a line", "v 0 0 0 v 1 1 1", NULL,
			MF_ERROR_MALFORMED, "\"v\"");
	refuses("a word", "v 0 zero 0", NULL, MF_ERROR_MALFORMED, "\"zero\"");
	refuses("hexadecimal", "v 0 0x0 0", NULL, MF_ERROR_MALFORMED, "\"0x0\"");
	refuses("a decimal comma", "v 0,5 0 0", NULL, MF_ERROR_MALFORMED,
			"comma");
	refuses("a decimal comma in a weight", "v 0 0 0 1,0", NULL,
			MF_ERROR_MALFORMED, "comma");
	refuses("nan", "v 0 nan 0", NULL, MF_ERROR_NON_FINITE, "\"nan\"");
	refuses("infinity", "v 0 0 -inf", NULL, MF_ERROR_NON_FINITE, "\"-inf\"");
	refuses("a number too large", "v 0 1e999 0", NULL, MF_ERROR_NON_FINITE,
			"\"1e999\"");
}

static void
test_faces(void)
{
	accepts("textures", NULL, "f 1/1 3/2 2/3");
	accepts("normals", NULL, "f 1//1 3//1 2//1");
	accepts("textures and normals", NULL, "f 1/5/1 3/-6/1 2/7/-1");
	accepts("slashes and nothing", NULL, "f 1// 3/ 2//");
	accepts("counted backwards", NULL, "f -4 -2 -3");
	accepts("counted both ways", NULL, "f -4/1/-1 3 -3//2");
	accepts("a plus", NULL, "f +1 +3 +2");
	accepts("blanks, tabs and a comment", NULL, "\tf  1\t3 2 \t#1");
	accepts("a line that goes on", NULL, "f 1 \\\n 3 2");
	accepts("a line that goes on after blanks", NULL, "f 1\\ \t\r\n3\\\r2");
	accepts("a line that goes on into nothing", NULL, "f 1 3 2 \\\n");
	accepts("a vertex that nobody uses", NULL, "v 1e5 -1e5 0\nf 1 3 2");
	accepts("the place of a vertex again", NULL, "v -0 0e0 0\nf -1 3 2");

	refuses("vertex 0", NULL, "f 1 0 2", MF_ERROR_MALFORMED, "vertex 0");
	refuses("vertex 0, of which there is a texture", NULL, "f 1/1 0/1 2/1",
			MF_ERROR_MALFORMED, "vertex 0");
	refuses("a vertex that is not there", NULL, "f 1 3 5",
			MF_ERROR_MALFORMED, "vertex 5 is used, where there are 4");
	refuses("a vertex before the first", NULL, "f 1 3 -5",
			MF_ERROR_MALFORMED, "vertex -5 is used, where there are 4");
	refuses("2^32 + 1", NULL, "f 1 3 4294967297", MF_ERROR_MALFORMED,
			"vertex 4294967297");
	refuses("2^64 + 1", NULL, "f 1 3 18446744073709551617",
			MF_ERROR_MALFORMED, "vertex 18446744073709551617");
	refuses("-2^63", NULL, "f 1 3 -9223372036854775808", MF_ERROR_MALFORMED,
			"vertex -9223372036854775808");
	refuses("a corner", NULL, "f 1", MF_ERROR_MALFORMED, "1 corners");
	refuses("no corner", NULL, "f", MF_ERROR_MALFORMED, "0 corners");
	refuses("two corners", NULL, "f 1 2", MF_ERROR_MALFORMED, "2 corners");
	refuses("a word", NULL, "f 1 3 two", MF_ERROR_MALFORMED, "\"two\"");
	refuses("a fraction", NULL, "f 1 3 2.0", MF_ERROR_MALFORMED, "\"2.0\"");
	refuses("a sign alone", NULL, "f 1 3 -", MF_ERROR_MALFORMED, "\"-\"");
	refuses("a slash alone", NULL, "f 1 3 /2", MF_ERROR_MALFORMED, "\"/2\"");
	refuses("three slashes", NULL, "f 1 3 2/1/1/1", MF_ERROR_MALFORMED,
			"\"2/1/1/1\"");
	refuses("a word for a texture", NULL, "f 1/a 3 2", MF_ERROR_MALFORMED,
			"\"1/a\"");
	refuses("a backslash within a line", NULL, "f 1 3 \\ 2",
			MF_ERROR_MALFORMED, "\"\\\"");
}

/* The whole file: ends of lines, and statements that say nothing here. */
static void
test_files(void)
{
	static const char *const ends[] = {"\n", "\r\n", "\r", "\n\n", " \n\t\r"};
	static const char body[] =
	"# exported by hand\n"
	"mtllib some file.mtl \\\n"
	"maplib a b\nshadow_obj c\no a tetrahedron\n"
	"v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\n"
	"vt 0.5 0.5\nvn 0 0 nan\nvp 1 2\n"
	"g one two\\\nusemtl red, shiny\ns 1\nmg 0\n"
	"#f 1 2\nfoo 1 2 3\nV 1 2 3\nvertex\n"
	"f 1 \\\n3 2\nf 1 2 4\n"
	"s off\nlod 1\nl 1 2 3\np 1 99\ncurv 0 1 1 2\nend\n"
	"f 1 4 3\nf 2 3 4";

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
	{
		Bytes		bytes = {0};

		if (i % 2)
			add_bytes(&bytes, "\357\273\277", 3);
		for (const char *p = body; *p != '\0'; p++)
			if (*p != '\n')
				add_bytes(&bytes, p, 1);
			else if (p[-1] == '\\' && i >= 3)
				add_bytes(&bytes, ends[i - 3], strlen(ends[i - 3]));
			else
				add_bytes(&bytes, ends[i], strlen(ends[i]));
		if (i == 0)
			add_bytes(&bytes, "\n\032\0", 3);
		ok(is_tetrahedron(&bytes), "ends of lines of kind %zu", i);
		free_bytes(&bytes);
	}
}

/* What is refused as a whole, and what only looks like OBJ. */
static void
test_other_files(void)
{
	static const struct
	{
		const char *text;
		MfErrorCode wanted;
		const char *words;
	}			cases[] = {
		{"v 0 0 0\nv 1 0 0\nv 0 1 0\n", MF_ERROR_EMPTY, "no triangles"},
		{"mtllib a.mtl", MF_ERROR_EMPTY, "no triangles"},
		{"o x\nv 0 0 0\nv 1 0 0\nl 1 2\np 1\n", MF_ERROR_EMPTY,
		"no triangles"},
		{"v 0 0 0\ncstype bspline\nsurf 0 1 0 1 1\n", MF_ERROR_UNSUPPORTED,
		"Line 3: the statement \"surf\""},
		{"v 0 0 0\ncall other.obj\n", MF_ERROR_UNSUPPORTED, "\"call\""},
		{"v 0 0 0\nbzp 1 1 1 1\n", MF_ERROR_UNSUPPORTED, "\"bzp\""},
		{"f -1 2 3\nv 0 0 0\nv 1 0 0\nv 0 1 0\n", MF_ERROR_MALFORMED,
		"Line 1: vertex -1 is used, where there are 0 vertices so far"},
		{"f 1 2 3\nv 0 0 0\nv 1 0 0\n", MF_ERROR_MALFORMED,
		"Line 1: vertex 3 is used, where there are 2 vertices."},
		{"v 1e7 0 0\nv 1.1e7 0 0\nv 0 1 0\nf 1 2 3\n", MF_ERROR_MALFORMED,
		"triangle 1 has the coordinate 1.1e+07 mm"},
		{"# v\n#\n", MF_ERROR_NOT_A_MODEL, "not a 3D model"},
		{"v", MF_ERROR_NOT_A_MODEL, "not a 3D model"},
		{"v for vendetta\nv 0 0 0\n", MF_ERROR_NOT_A_MODEL, "not a 3D model"},
		{"o dear, what a file\ng is a letter\nf is another\n",
		MF_ERROR_NOT_A_MODEL, "not a 3D model"},
		{"newmtl red\nKd 1 0 0\n", MF_ERROR_NOT_A_MODEL, "not a 3D model"},
		{"vertex 0 0 0\n", MF_ERROR_NOT_A_MODEL, "not a 3D model"},
		{"g1 x0 y0\ng1 x1 y1\n", MF_ERROR_NOT_A_MODEL, "not a 3D model"}
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		Bytes		bytes = {0};
		MfMeasurement m;
		MfRefusal	refusal;
		MfErrorCode code;

		add_text(&bytes, "%s", cases[i].text);
		code = answer(&bytes, &m, &refusal);
		ok(code == cases[i].wanted &&
		   strstr(refusal.text, cases[i].words) != NULL,
		   "a file of %zu bytes: %s", bytes.size, mf_error_code_name(code));
		printf("# %s\n", refusal.text);
		free_bytes(&bytes);
	}
}

/* ---- shapes ---- */

/* A cube of 10, its faces of four corners, counted in one of two ways. */
static void
write_cube(Bytes *bytes, bool backwards)
{
	static const int face[6][4] = {
		{1, 3, 4, 2}, {5, 6, 8, 7}, {1, 2, 6, 5},
		{3, 7, 8, 4}, {1, 5, 7, 3}, {2, 4, 8, 6}
	};

	for (int i = 0; i < 8; i++)
		add_text(bytes, "v %d %d %d\n", i & 1 ? 10 : 0, i & 2 ? 10 : 0,
				 i & 4 ? 10 : 0);
	for (int f = 0; f < 6; f++)
	{
		add_text(bytes, "f");
		for (int i = 0; i < 4; i++)
			add_text(bytes, " %d/%d/%d",
					 face[f][i] - (backwards ? 9 : 0), i + 1, f + 1);
		add_text(bytes, "\n");
	}
}

static void
test_cubes(void)
{
	const MfGeometryOptions inches = {.unit = MF_UNIT_INCH};

	for (int backwards = 0; backwards < 2; backwards++)
	{
		Bytes		bytes = {0};
		MfMeasurement m;
		MfRefusal	refusal;

		write_cube(&bytes, backwards);
		ok(answer(&bytes, &m, &refusal) == MF_ERROR_NONE &&
		   m.triangles == 12 && m.vertices == 8 && m.volume_mm3 == 1000 &&
		   m.area_mm2 == 600 && m.centroid[0] == 5 && m.bodies == 1 &&
		   m.cavities == 0 && m.watertight && m.consistent_winding &&
		   m.euler_number == 2 && m.defect_count == 0,
		   "a cube of six squares, counted %s",
		   backwards ? "backwards" : "from the first");
		ok(m.unit == MF_UNIT_MM && m.unit_from == MF_UNIT_FROM_DEFAULT,
		   "a file does not say its unit: it is taken for mm");
		ok(measure_bytes(bytes.at, bytes.size, &inches, &m, &refusal) &&
		   m.unit == MF_UNIT_INCH && m.unit_from == MF_UNIT_FROM_CALLER &&
		   near(m.volume_mm3, 1000 * pow(25.4, 3), 1e-15) &&
		   near(m.bbox_max[2], 254, 1e-15), "... unless the caller says it");

		/* Another one, whose numbers go on from the first one's. */
		for (int i = 0; i < 8; i++)
			add_text(&bytes, "v %d %d %d\n", i & 1 ? 5 : 4, i & 2 ? 5 : 4,
					 i & 4 ? 5 : 4);
		add_text(&bytes, "f -8 -7 -5 -6\nf 13 15 16 14\nf -8 -4 -3 -7\n"
				 "f 11 12 16 15\nf 9 11 15 13\nf -7 -3 -1 -5\n");
		ok(answer(&bytes, &m, &refusal) == MF_ERROR_NONE &&
		   m.triangles == 24 && m.vertices == 16 && m.volume_mm3 == 999 &&
		   m.area_mm2 == 606 && m.bodies == 1 && m.cavities == 1 &&
		   m.watertight && m.euler_number == 4,
		   "... with a hollow of another one");
		free_bytes(&bytes);
	}
}

/* Vertices where textures meet are there several times. */
static void
test_weld(void)
{
	Soup		soup = {0};
	Bytes		obj;
	Bytes		binary;
	MfMeasurement m;
	MfMeasurement b;
	MfRefusal	refusal;

	add_torus(&soup, 90, 60, 3, 1);
	add_torus(&soup, 30, 20, 30, 1);
	shuffle_soup(&soup, 3);
	obj = as_obj(&soup);
	binary = as_binary(&soup);
	ok(answer(&obj, &m, &refusal) == MF_ERROR_NONE &&
	   answer(&binary, &b, &refusal) == MF_ERROR_NONE && m.vertices == 6000 &&
	   m.triangles == 12000 && m.vertices == b.vertices && m.watertight &&
	   m.bodies == 2 && m.euler_number == b.euler_number &&
	   near(m.volume_mm3, b.volume_mm3, 1e-7) &&
	   near(m.area_mm2, b.area_mm2, 1e-7),
	   "three vertices of its own for each triangle: one of each place stays");
	free_bytes(&obj);
	free_bytes(&binary);
	free_soup(&soup);
}

int
main(void)
{
	test_vertices();
	test_faces();
	test_files();
	test_other_files();
	test_cubes();
	test_weld();
	return tap_done();
}
