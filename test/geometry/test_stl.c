/*
 * test_stl.c
 *		What is an STL file, how it is read, and with which words it is not.
 */
#include "shapes.h"
#include "tap.h"

/* The code that some text is refused with; MF_ERROR_NONE: measured. */
static MfErrorCode
answer(const char *text, size_t size, MfMeasurement *m, MfRefusal *refusal)
{
	if (measure_bytes(text, size, NULL, m, refusal))
		return MF_ERROR_NONE;
	return sane_refusal(refusal) ? refusal->code : MF_ERROR_CRASHED;
}

/*
 * A tetrahedron of four facets, of which the first one is told otherwise:
 * `facet` is its text, NULL the usual one.
 */
static void
write_tetrahedron(Bytes *bytes, const char *facet)
{
	static const char *const usual =
	"facet normal 0 0 -1 outer loop vertex 0 0 0 vertex 0 1 0 vertex 1 0 0 "
	"endloop endfacet";

	add_text(bytes, "solid t\n%s\n", facet != NULL ? facet : usual);
	add_text(bytes, "facet normal 0 -1 0 outer loop vertex 0 0 0 "
			 "vertex 1 0 0 vertex 0 0 1 endloop endfacet\n"
			 "facet normal -1 0 0 outer loop vertex 0 0 0 vertex 0 0 1 "
			 "vertex 0 1 0 endloop endfacet\n"
			 "facet normal 1 1 1 outer loop vertex 1 0 0 vertex 0 1 0 "
			 "vertex 0 0 1 endloop endfacet\nendsolid t\n");
}

/* A facet in other words: is the tetrahedron the same? */
static void
accepts_facet(const char *what, const char *facet)
{
	Bytes		bytes = {0};
	MfMeasurement m;
	MfRefusal	refusal;
	MfErrorCode code;

	write_tetrahedron(&bytes, facet);
	code = answer((char *) bytes.at, bytes.size, &m, &refusal);
	ok(code == MF_ERROR_NONE && m.watertight && m.vertices == 4 &&
	   near(m.volume_mm3, 1.0 / 6, 1e-15), "ASCII, accepted: %s", what);
	if (code != MF_ERROR_NONE)
		printf("# %s\n", refusal.text);
	free_bytes(&bytes);
}

/* ... or is it refused, with a word about why? */
static void
refuses_facet(const char *what, const char *facet, MfErrorCode wanted,
			  const char *hint)
{
	Bytes		bytes = {0};
	MfMeasurement m;
	MfRefusal	refusal;

	write_tetrahedron(&bytes, facet);
	ok(answer((char *) bytes.at, bytes.size, &m, &refusal) == wanted &&
	   strncmp(refusal.text, "Line 2: ", 8) == 0 &&
	   strstr(refusal.text, hint) != NULL, "ASCII, refused: %s", what);
	printf("# %s\n", refusal.text);
	free_bytes(&bytes);
}

static void
test_facets(void)
{
	accepts_facet("the usual words", NULL);
	accepts_facet("upper case",
				  "FACET NORMAL 0 0 -1 OUTER LOOP VERTEX 0 0 0 VERTEX 0 1 0 "
				  "VERTEX 1 0 0 ENDLOOP ENDFACET");
	accepts_facet("mixed case, all kinds of white space",
				  "Facet\tNormal 0  0 -1\r\n\r\nOuter\vLoop\fVertex 0 0 0\r"
				  "Vertex 0 1 0\nVertex 1 0 0\nEndLoop\n\nEndFacet");
	accepts_facet("a normal without numbers",
				  "facet normal outer loop vertex 0 0 0 vertex 0 1 0 "
				  "vertex 1 0 0 endloop endfacet");
	accepts_facet("no normal",
				  "facet outer loop vertex 0 0 0 vertex 0 1 0 vertex 1 0 0 "
				  "endloop endfacet");
	accepts_facet("a normal that is not a number",
				  "facet normal nan -nan(ind) 1.#QNAN outer loop vertex 0 0 0 "
				  "vertex 0 1 0 vertex 1 0 0 endloop endfacet");
	accepts_facet("numbers in all forms",
				  "facet normal 0 0 -1 outer loop vertex -0.0 +0.e5 .0 "
				  "vertex 0e-9 +1.000E+00 0.0 vertex 10e-1 0 -0 "
				  "endloop endfacet");

	refuses_facet("two corners", "facet normal 0 0 -1 outer loop "
				  "vertex 0 0 0 vertex 0 1 0 endloop endfacet",
				  MF_ERROR_MALFORMED, "2 corners");
	refuses_facet("four corners", "facet normal 0 0 -1 outer loop "
				  "vertex 0 0 0 vertex 0 1 0 vertex 1 0 0 vertex 1 1 0 "
				  "endloop endfacet", MF_ERROR_MALFORMED, "more than three");
	refuses_facet("a missing number", "facet normal 0 0 -1 outer loop "
				  "vertex 0 0 vertex 0 1 0 vertex 1 0 0 endloop endfacet",
				  MF_ERROR_MALFORMED, "\"vertex\"");
	refuses_facet("four normal numbers", "facet normal 0 0 -1 0 outer loop "
				  "vertex 0 0 0 vertex 0 1 0 vertex 1 0 0 endloop endfacet",
				  MF_ERROR_MALFORMED, "\"outer\"");
	refuses_facet("nan", "facet normal 0 0 -1 outer loop vertex 0 0 nan "
				  "vertex 0 1 0 vertex 1 0 0 endloop endfacet",
				  MF_ERROR_NON_FINITE, "\"nan\"");
	refuses_facet("a number too large", "facet normal 0 0 -1 outer loop "
				  "vertex 0 0 0 vertex 0 1e999 0 vertex 1 0 0 endloop "
				  "endfacet", MF_ERROR_NON_FINITE, "\"1e999\"");
	refuses_facet("a decimal comma", "facet normal 0 0 -1 outer loop "
				  "vertex 0 0 0 vertex 0 1,5 0 vertex 1 0 0 endloop endfacet",
				  MF_ERROR_MALFORMED, "comma");
	refuses_facet("hexadecimal", "facet normal 0 0 -1 outer loop "
				  "vertex 0 0 0 vertex 0 0x1p0 0 vertex 1 0 0 endloop "
				  "endfacet", MF_ERROR_MALFORMED, "0x1p0");
	refuses_facet("no endloop", "facet normal 0 0 -1 outer loop "
				  "vertex 0 0 0 vertex 0 1 0 vertex 1 0 0 endfacet",
				  MF_ERROR_MALFORMED, "\"endloop\"");
	refuses_facet("no endfacet", "facet normal 0 0 -1 outer loop "
				  "vertex 0 0 0 vertex 0 1 0 vertex 1 0 0 endloop facet",
				  MF_ERROR_MALFORMED, "\"endfacet\"");
	refuses_facet("a vertex outside of a loop", "facet normal 0 0 -1 "
				  "vertex 0 0 0", MF_ERROR_MALFORMED, "\"outer\"");
	refuses_facet("another word", "polygon", MF_ERROR_MALFORMED,
				  "\"polygon\"");
}

/* Solids: names, ends, more than one. */
static void
test_solids(void)
{
	Bytes		bytes = {0};
	MfMeasurement m;
	MfRefusal	refusal;
	Bytes		lines;

	write_tetrahedron(&bytes, NULL);
	write_tetrahedron(&bytes, NULL);
	ok(answer((char *) bytes.at, bytes.size, &m, &refusal) == MF_ERROR_NONE &&
	   m.triangles == 8 && defect_count(&m, MF_DEFECT_DUPLICATE_TRIANGLES) == 4,
	   "two solids in one file");
	free_bytes(&bytes);

	write_tetrahedron(&bytes, NULL);
	bytes.size -= strlen("endsolid t\n");
	write_tetrahedron(&bytes, NULL);
	ok(answer((char *) bytes.at, bytes.size, &m, &refusal) == MF_ERROR_NONE &&
	   m.triangles == 8, "a solid without an end, and another one");
	free_bytes(&bytes);

	add_text(&bytes, "\xef\xbb\xbf \n SOLID facet normal 0 0 endsolid x\n");
	write_tetrahedron(&bytes, NULL);
	ok(answer((char *) bytes.at, bytes.size, &m, &refusal) == MF_ERROR_NONE &&
	   m.triangles == 4, "a byte order mark, and keywords in a name");
	free_bytes(&bytes);

	write_tetrahedron(&bytes, NULL);
	add_bytes(&bytes, "\032\0\0", 3);
	ok(answer((char *) bytes.at, bytes.size, &m, &refusal) == MF_ERROR_NONE &&
	   m.triangles == 4, "an end-of-file mark, and zeros behind it");
	free_bytes(&bytes);

	for (int ending = 0; ending < 3; ending++)
	{
		static const char *const endings[] = {"\n", "\r", "\r\n"};

		write_tetrahedron(&bytes, "facet\nnormal\n0\n0\n-1\nouter loop\n"
						  "vertex 0 0 bad");
		memset(&lines, 0, sizeof(lines));
		for (size_t i = 0; i < bytes.size; i++)
			if (bytes.at[i] == '\n')
				add_text(&lines, "%s", endings[ending]);
			else
				add_bytes(&lines, &bytes.at[i], 1);
		ok(answer((char *) lines.at, lines.size, &m, &refusal) ==
		   MF_ERROR_MALFORMED && strncmp(refusal.text, "Line 8: ", 8) == 0,
		   "lines are counted, ending %d", ending);
		free_bytes(&lines);
		free_bytes(&bytes);
	}
}

/* Binary: the count against the size. */
static void
test_counts(void)
{
	static const struct
	{
		uint32_t	count;
		int			more;		/* bytes than the box takes */
		MfErrorCode wanted;
	}			cases[] = {
		{12, 0, MF_ERROR_NONE},
		{12, 1, MF_ERROR_NONE},
		{12, 49, MF_ERROR_NONE},
		{12, 50, MF_ERROR_MALFORMED},
		{12, 51, MF_ERROR_MALFORMED},
		{12, -1, MF_ERROR_TRUNCATED},
		{13, 0, MF_ERROR_TRUNCATED},
		{13, 49, MF_ERROR_TRUNCATED},
		{11, 0, MF_ERROR_MALFORMED},
		{0, 0, MF_ERROR_MALFORMED},
		{1717986919, 0, MF_ERROR_TRUNCATED},	/* x 50 is 14 in 32 bits */
		{85899346, 0, MF_ERROR_TRUNCATED},	/* x 50 is 4 */
		{4294967295u, 0, MF_ERROR_TRUNCATED}
	};
	Soup		soup = {0};

	add_box(&soup, 0, 0, 0, 10, 10, 10, false);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		const uint8_t nothing[64] = {0};
		Bytes		bytes = as_binary(&soup);
		MfMeasurement m;
		MfRefusal	refusal;
		const MfDefect *d;

		memcpy(bytes.at + 80, &cases[i].count, 4);
		if (cases[i].more > 0)
			add_bytes(&bytes, nothing, cases[i].more);
		else
			bytes.size += cases[i].more;
		ok(answer((char *) bytes.at, bytes.size, &m, &refusal) ==
		   cases[i].wanted, "binary: count %u, %+d bytes: %s", cases[i].count,
		   cases[i].more, mf_error_code_name(cases[i].wanted));
		if (cases[i].wanted == MF_ERROR_NONE)
		{
			d = find_defect(&m, MF_DEFECT_TRAILING_BYTES);
			ok((d != NULL) == (cases[i].more > 0) &&
			   (d == NULL || (d->count == cases[i].more &&
							  d->severity == MF_SEVERITY_INFO)) &&
			   m.volume_mm3 == 1000, "... and measured, the rest counted");
		}
		free_bytes(&bytes);
	}
	free_soup(&soup);
}

/* What a header says does not matter. */
static void
test_headers(void)
{
	static const char *const headers[] = {
		"solid", "solid cube\nfacet normal 0 0 0\nouter loop\nvertex 0 0 0",
		"PK\003\004", "ply\n", "\211PNG\r\n", "v 0 0 0\nv 1 0 0", "\377\376",
		"ISO-10303-21;", "glTF"
	};
	Soup		soup = {0};

	add_box(&soup, 0, 0, 0, 10, 10, 10, false);
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
	{
		Bytes		bytes = as_binary(&soup);
		MfMeasurement m;
		MfRefusal	refusal;

		memcpy(bytes.at, headers[i], strlen(headers[i]));
		ok(answer((char *) bytes.at, bytes.size, &m, &refusal) ==
		   MF_ERROR_NONE && m.volume_mm3 == 1000,
		   "binary: a header that begins with \"%.4s\"", headers[i]);
		free_bytes(&bytes);
	}

	for (int kind = 0; kind < 2; kind++)
	{
		Bytes		bytes = as_binary(&soup);
		MfMeasurement m;
		MfRefusal	refusal;

		memcpy(bytes.at, "solid and binary", 16);
		for (int i = 16; i < 80 && kind == 1; i++)
			bytes.at[i] = ' ';
		ok(answer((char *) bytes.at, bytes.size - 7, &m, &refusal) ==
		   MF_ERROR_TRUNCATED, "binary that begins with solid, cut off, %d",
		   kind);
		free_bytes(&bytes);
	}
	free_soup(&soup);
}

static void
test_not_finite(void)
{
	const float values[] = {NAN, -NAN, INFINITY, -INFINITY};

	for (int i = 0; i < 4; i++)
	{
		Soup		soup = {0};
		Bytes		bytes;
		MfMeasurement m;
		MfRefusal	refusal;

		add_box(&soup, 0, 0, 0, 10, 10, 10, false);
		soup.triangle[7][i % 3][i % 2] = values[i];
		bytes = as_binary(&soup);
		ok(answer((char *) bytes.at, bytes.size, &m, &refusal) ==
		   MF_ERROR_NON_FINITE && strstr(refusal.text, "triangle 8") != NULL,
		   "binary: %g is refused, with its place", (double) values[i]);
		free_bytes(&bytes);
		soup.triangle[7][i % 3][i % 2] = i % 2 ? -1.1e7f : 3e38f;
		bytes = as_binary(&soup);
		ok(answer((char *) bytes.at, bytes.size, &m, &refusal) ==
		   MF_ERROR_MALFORMED && strstr(refusal.text, "triangle 8") != NULL,
		   "binary: %g mm is too far out", i % 2 ? -1.1e7 : 3e38);
		free_bytes(&bytes);
		free_soup(&soup);
	}
}

/* Not STL: said by name, or not a model at all. */
static void
test_other_files(void)
{
	static const struct
	{
		const char *bytes;
		size_t		size;
		MfErrorCode wanted;
		const char *hint;
	}			cases[] = {
#define FILE_OF(bytes, wanted, hint) {bytes, sizeof(bytes) - 1, wanted, hint}
		FILE_OF("", MF_ERROR_EMPTY, "empty"),
		FILE_OF("solid", MF_ERROR_EMPTY, "no triangles"),
		FILE_OF("solid x\nendsolid x\n", MF_ERROR_EMPTY, "no triangles"),
		FILE_OF("PK\003\004\024\0\0\0\10\0", MF_ERROR_TRUNCATED, "3MF"),
		FILE_OF("{\"asset\": {}}", MF_ERROR_UNSUPPORTED, "as GLB"),
		FILE_OF("ISO-10303-21;\nHEADER;\n", MF_ERROR_UNSUPPORTED, "STEP"),
		FILE_OF("  iso-10303-21;", MF_ERROR_UNSUPPORTED, "STEP"),
		FILE_OF("<?xml version=\"1.0\"?><amf/>", MF_ERROR_UNSUPPORTED, "XML"),
		FILE_OF("OFF\n8 6 0\n", MF_ERROR_UNSUPPORTED, "OFF"),
		FILE_OF("\377\376s\0o\0l\0i\0d\0", MF_ERROR_EMPTY, "no triangles"),
		FILE_OF("\211PNG\r\n\032\n", MF_ERROR_NOT_A_MODEL, "PNG"),
		FILE_OF("\377\330\377\340", MF_ERROR_NOT_A_MODEL, "JPEG"),
		FILE_OF("%PDF-1.7\n", MF_ERROR_NOT_A_MODEL, "PDF"),
		FILE_OF("hello, world\n", MF_ERROR_NOT_A_MODEL, "not a 3D model"),
		FILE_OF("solidity is a language", MF_ERROR_NOT_A_MODEL, "not a 3D"),
		FILE_OF("#\n#\n#", MF_ERROR_NOT_A_MODEL, "not a 3D model"),
		FILE_OF("\0\0\0\0", MF_ERROR_NOT_A_MODEL, "not a 3D model"),
		FILE_OF("solid x\nendsolid x\n\0", MF_ERROR_EMPTY, "no triangles"),
		FILE_OF("solid x\0\nendsolid x\n", MF_ERROR_NOT_A_MODEL, "not a 3D"),
		FILE_OF("\303\244\303\266", MF_ERROR_NOT_A_MODEL, "not a 3D model")
#undef FILE_OF
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		MfMeasurement m;
		MfRefusal	refusal;

		ok(answer(cases[i].bytes, cases[i].size, &m, &refusal) ==
		   cases[i].wanted && strstr(refusal.text, cases[i].hint) != NULL,
		   "a file that is something else (%s): %s", cases[i].hint,
		   mf_error_code_name(cases[i].wanted));
	}
}

/* The twins must be the same model. */
static void
test_twins(void)
{
	Soup		soup = {0};
	Bytes		binary;
	Bytes		ascii;
	MfMeasurement m;
	MfMeasurement a;
	MfRefusal	refusal;

	add_torus(&soup, 30, 20, 3, 1);
	binary = as_binary(&soup);
	ascii = as_ascii(&soup);
	ok(answer((char *) binary.at, binary.size, &m, &refusal) == MF_ERROR_NONE &&
	   answer((char *) ascii.at, ascii.size, &a, &refusal) == MF_ERROR_NONE &&
	   m.vertices == a.vertices && m.euler_number == a.euler_number &&
	   a.watertight && near(m.volume_mm3, a.volume_mm3, 1e-8) &&
	   near(m.area_mm2, a.area_mm2, 1e-8), "binary and ASCII twins agree");
	free_bytes(&binary);
	free_bytes(&ascii);
	free_soup(&soup);
}

int
main(void)
{
	test_facets();
	test_solids();
	test_counts();
	test_headers();
	test_not_finite();
	test_other_files();
	test_twins();
	return tap_done();
}
