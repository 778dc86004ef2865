/*
 * test_ply_refused.c
 *		PLY: which texts are one, with which words the others are refused, and
 *		what lies about its size.
 */
#include "shapes.h"
#include "tap.h"

/* ---- text by hand ---- */

#define HEADER \
	"ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\n" \
	"property float y\nproperty float z\nelement face 4\n" \
	"property list uchar int vertex_indices\nend_header\n"
#define VERTICES	"0 0 0\n1 0 0\n0 1 0\n0 0 1\n"
#define FACES		"3 0 2 1\n3 0 1 3\n3 0 3 2\n3 1 2 3\n"

/* The code that a text is answered with; MF_ERROR_NONE: a tetrahedron. */
static MfErrorCode
answer(const char *text, MfMeasurement *m, MfRefusal *refusal)
{
	memset(refusal, 0, sizeof(*refusal));
	if (!measure_bytes(text, strlen(text), NULL, m, refusal))
		return sane_refusal(refusal) ? refusal->code : MF_ERROR_CRASHED;
	return sane_measurement(m) && m->triangles == 4 &&
		near(m->volume_mm3, 1.0 / 6, 1e-15) ? MF_ERROR_NONE :
		MF_ERROR_CRASHED;
}

static void
test_accepted(void)
{
	static const struct
	{
		const char *what;
		const char *text;
		int64_t		trailing;
	}			cases[] = {
		{"the usual rows", HEADER VERTICES FACES, 0},
		{"no end of the last line",
		HEADER VERTICES "3 0 2 1\n3 0 1 3\n3 0 3 2\n3 1 2 3", 0},
		{"words that are not declared",
			HEADER "0 0 0 9\n1 0 0 a b\n0 1 0\n0 0 1 nan\n"
		"3 0 2 1 7 7\n3 0 1 3\n3 0 3 2\n3 1 2 3 # x\n", 0},
		{"empty lines and blanks",
		HEADER "\n\n 0\t0 0 \n\n1 0 0\n0 1 0\r\n0 0 1\r\n \n" FACES "\n\n", 0},
		{"numbers in all forms",
			HEADER "-0.0 +0e5 .0\n1. 0 0\n0 1e0 0\n0 0 +10e-1\n"
		"3 +0 2 1\n3 0 1 3\n3 0 3 2\n03 1 02 3\n", 0},
		{"something behind", HEADER VERTICES FACES "and more\n", 9},
		{"white space before all", "\n \n" HEADER VERTICES FACES, 0},
		{"a byte order mark", "\357\273\277" HEADER VERTICES FACES, 0},
		{"blanks in the header",
			"ply \nformat\tascii 1.0 \n\nelement  vertex 4\nproperty float x \n"
			"property float y\nproperty float z\ncomment\nelement face 4\n"
			"property list uchar int vertex_indices\n end_header \n"
		VERTICES FACES, 0},
		{"elements without rows or properties",
			"ply\nformat ascii 1.0\nelement nothing 5\nelement none 0\n"
			"property list int int a\nelement vertex 4\nproperty float x\n"
			"property float y\nproperty float z\nelement face 4\n"
			"property list uchar int vertex_indices\nelement multi 0\n"
		"end_header\n" VERTICES FACES, 0}
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		MfMeasurement m;
		MfRefusal	refusal;

		ok(answer(cases[i].text, &m, &refusal) == MF_ERROR_NONE &&
		   defect_count(&m, MF_DEFECT_TRAILING_BYTES) == cases[i].trailing,
		   "accepted: %s", cases[i].what);
		if (refusal.code != MF_ERROR_NONE)
			printf("# %s\n", refusal.text);
	}
}

#define DECLARED(vertex, face) \
	"ply\nformat ascii 1.0\n" vertex face "end_header\n" VERTICES FACES
#define VERTEX \
	"element vertex 4\nproperty float x\nproperty float y\nproperty float z\n"
#define FACE \
	"element face 4\nproperty list uchar int vertex_indices\n"

static void
test_refused(void)
{
	static const struct
	{
		const char *text;
		MfErrorCode wanted;
		const char *words;
	}			cases[] = {
		{"ply", MF_ERROR_TRUNCATED, "no end"},
		{"ply\n", MF_ERROR_TRUNCATED, "no end"},
		{"ply\nend_header\n", MF_ERROR_MALFORMED, "\"format\""},
		{"ply\nformat ascii 1.0\nend_header\n", MF_ERROR_EMPTY,
		"no triangles"},
		{"ply\nformat ascii 1.0\nformat ascii 1.0\nend_header\n",
		MF_ERROR_MALFORMED, "Line 3"},
		{"ply\nformat ascii\nend_header\n", MF_ERROR_MALFORMED, "Line 2"},
		{"ply\nformat ascii 2.0\nend_header\n", MF_ERROR_UNSUPPORTED,
		"\"ascii 2.0\""},
		{"ply\nformat utf8 1.0\nend_header\n", MF_ERROR_UNSUPPORTED,
		"\"utf8 1.0\""},
		{"ply\nformat ascii 1.0\nhello\nend_header\n", MF_ERROR_MALFORMED,
		"Line 3: \"hello\""},
		{"ply\nformat ascii 1.0\nproperty int x\nend_header\n",
		MF_ERROR_MALFORMED, "without an element"},
		{DECLARED("element vertex\n", FACE), MF_ERROR_MALFORMED,
		"name and a count"},
		{DECLARED("element vertex four\n", FACE), MF_ERROR_MALFORMED,
		"\"four\" found"},
		{DECLARED("element vertex -3\n", FACE), MF_ERROR_MALFORMED,
		"\"-3\" found"},
		{DECLARED("element vertex 4.0\n", FACE), MF_ERROR_MALFORMED,
		"\"4.0\" found"},
		{DECLARED(VERTEX VERTEX, FACE), MF_ERROR_MALFORMED,
		"\"vertex\" is declared twice"},
		{DECLARED(VERTEX "property int x\n", FACE), MF_ERROR_MALFORMED,
		"declared twice"},
		{DECLARED(VERTEX "property float\n", FACE), MF_ERROR_MALFORMED,
		"a type and a name"},
		{DECLARED(VERTEX "property list uchar n\n", FACE), MF_ERROR_MALFORMED,
		"a type and a name"},
		{DECLARED(VERTEX "property float16 n\n", FACE), MF_ERROR_MALFORMED,
		"\"float16\" is not known"},
		{DECLARED("element vertex 4\nproperty float x\nproperty float y\n",
				  FACE), MF_ERROR_MALFORMED, "x, y and z"},
		{DECLARED("element vertex 4\nproperty list int float x\n"
				  "property float y\nproperty float z\n", FACE),
		MF_ERROR_MALFORMED, "as a list"},
		{DECLARED(VERTEX, "element face 4\n"), MF_ERROR_MALFORMED,
		"\"vertex_indices\""},
		{DECLARED(VERTEX, "element face 4\nproperty int vertex_index\n"),
		MF_ERROR_MALFORMED, "as a list"},
		{DECLARED(VERTEX, "element face 4\n"
				  "property list uchar float vertex_index\n"),
		MF_ERROR_MALFORMED, "whole numbers"},
		{DECLARED(VERTEX, "element face 4\n"
				  "property list float int vertex_index\n"),
		MF_ERROR_MALFORMED, "whole number"},
		{DECLARED(VERTEX, FACE "property list int int vertex_index\n"),
		MF_ERROR_MALFORMED, "declared twice"},
		{DECLARED(VERTEX, ""), MF_ERROR_EMPTY, "point cloud"},
		{DECLARED("", FACE), MF_ERROR_MALFORMED,
		"Face 0 has 0 corners"},
		{HEADER "0 0 0\n1 0 0\n0 1\n0 0 1\n" FACES, MF_ERROR_MALFORMED,
		"Line 12: a row of the element \"vertex\" ends early"},
		{HEADER "0 0 0\n1 0 zero\n0 1 0\n0 0 1\n" FACES, MF_ERROR_MALFORMED,
		"Line 11: \"zero\""},
		{HEADER "0 0 0\n1 0,5 0\n0 1 0\n0 0 1\n" FACES, MF_ERROR_MALFORMED,
		"comma"},
		{HEADER "0 0 0\n1 0 nan\n0 1 0\n0 0 1\n" FACES, MF_ERROR_NON_FINITE,
		"\"nan\""},
		{HEADER "0 0 0\n1 0 -inf\n0 1 0\n0 0 1\n" FACES, MF_ERROR_NON_FINITE,
		"\"-inf\""},
		{HEADER "0 0 0\n1 0 1e999\n0 1 0\n0 0 1\n" FACES, MF_ERROR_NON_FINITE,
		"\"1e999\""},
		{HEADER VERTICES "3 0 2 1\n3 0 1 3\n3 0 3 2\n", MF_ERROR_TRUNCATED,
		"bytes for 3 at the most"},
		{HEADER VERTICES "3 0 2 1\n3 0 1 3\n3 0 3 2\n       \n",
		MF_ERROR_TRUNCATED, "\"face\", but only 3 are there"},
		{HEADER VERTICES "3 0 2 1\n3 0 1 3\n3 0 3 2\n3     1 2",
		MF_ERROR_TRUNCATED, "\"face\" ends early"},
		{HEADER VERTICES "3 0 2 1\n3 0 1 3\n3 0 3\n3 1 2 3\n",
		MF_ERROR_MALFORMED, "Line 16: a row of the element \"face\""},
		{HEADER VERTICES "3 0 2 4\n3 0 1 3\n3 0 3 2\n3 1 2 3\n",
		MF_ERROR_MALFORMED, "Face 0 uses vertex 4, where there are 4"},
		{HEADER VERTICES "3 0 2 -1\n3 0 1 3\n3 0 3 2\n3 1 2 3\n",
		MF_ERROR_MALFORMED, "vertex -1"},
		{HEADER VERTICES "3 0 2 4294967296\n3 0 1 3\n3 0 3 2\n3 1 2 3\n",
		MF_ERROR_MALFORMED, "vertex 4294967296"},
		{HEADER VERTICES "3 0 2 18446744073709551616\n3 0 1 3\n3 0 3 2\n"
		"3 1 2 3\n", MF_ERROR_MALFORMED, "\"18446744073709551616\""},
		{HEADER VERTICES "3 0 2 1.0\n3 0 1 3\n3 0 3 2\n3 1 2 3\n",
		MF_ERROR_MALFORMED, "\"1.0\""},
		{HEADER VERTICES "2 0 2 1\n3 0 1 3\n3 0 3 2\n3 1 2 3\n",
		MF_ERROR_MALFORMED, "Face 0 has 2 corners"},
		{HEADER VERTICES "-3 0 2 1\n3 0 1 3\n3 0 3 2\n3 1 2 3\n",
		MF_ERROR_MALFORMED, "\"-3\""},
		{HEADER VERTICES "2001 0 2 1\n3 0 1 3\n3 0 3 2\n3 1 2 3\n",
		MF_ERROR_MALFORMED, "ends early"},
		{HEADER "0 0 0\n1 0 0\n0 1 0\n0 0 1e8\n" FACES, MF_ERROR_MALFORMED,
		"10 km"}
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		MfMeasurement m;
		MfRefusal	refusal;
		const MfErrorCode code = answer(cases[i].text, &m, &refusal);

		ok(code == cases[i].wanted &&
		   strstr(refusal.text, cases[i].words) != NULL,
		   "refused: %s", cases[i].words);
		if (code != cases[i].wanted ||
			strstr(refusal.text, cases[i].words) == NULL)
			printf("# %s: %s\n", mf_error_code_name(code), refusal.text);
	}
}

/* ---- what lies, and what is broken ---- */

/* Is this refused so, with little memory? */
static void
lies(const char *what, const Bytes *bytes, MfErrorCode wanted)
{
	MfGeometryOptions options = {.memory_limit = 1 << 20};
	MfMeasurement m;
	MfRefusal	refusal;

	ok(!measure_bytes(bytes->at, bytes->size, &options, &m, &refusal) &&
	   sane_refusal(&refusal) && refusal.code == wanted, "%s: %s", what,
	   mf_error_code_name(refusal.code));
	printf("# %s\n", refusal.text);
}

static void
test_counts(void)
{
	static const char *const counts[] = {
		"9", "1000", "4294967295", "4294967296", "4294967304",
		"18446744073709551615", "18446744073709551624",
		"99999999999999999999999999999999"
	};
	static const char *const formats[] = {"ascii", "binary_little_endian"};
	static const char *const elements[] = {"vertex", "face", "other"};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		for (int f = 0; f < 2; f++)
			for (int e = 0; e < 3; e++)
			{
				Bytes		bytes = {0};
				char		what[100];

				add_text(&bytes, "ply\nformat %s 1.0\nelement vertex %s\n"
						 "property char x\nproperty char y\nproperty char z\n"
						 "element face %s\n"
						 "property list uchar char vertex_index\n"
						 "element other %s\nproperty list uchar char n\n"
						 "end_header\n", formats[f],
						 e == 0 ? counts[i] : "4", e == 1 ? counts[i] : "1",
						 e == 2 ? counts[i] : "1");
				add_text(&bytes, f == 0 ? VERTICES "3 0 1 2\n0\n" :
						 "abcdefghijkl\003");
				if (f == 1)
					add_bytes(&bytes, "\0\1\2\0", 4);
				snprintf(what, sizeof(what), "%s: %s of the element %s",
						 formats[f], counts[i], elements[e]);
				lies(what, &bytes, MF_ERROR_TRUNCATED);
				free_bytes(&bytes);
			}
}

/* Lists that are longer than the file, by one byte and by far. */
static void
test_long_lists(void)
{
	static const uint32_t lengths[] = {6, 256, 0x7fffffff, 0xffffffff};

	for (int i = 0; i < 4; i++)
	{
		Bytes		bytes = {0};

		add_text(&bytes, "ply\nformat binary_little_endian 1.0\n"
				 "element vertex 4\nproperty char x\nproperty char y\n"
				 "property char z\nelement face 1\n"
				 "property list uint char other\n"
				 "property list uint char vertex_index\nend_header\n"
				 "abcdefghijkl");
		add_bytes(&bytes, &lengths[i], 4);
		add_text(&bytes, "12345");
		lies("a list that is too long", &bytes, MF_ERROR_TRUNCATED);
		free_bytes(&bytes);
	}
}

/* A header that does not end, and one of too much. */
static void
test_long_headers(void)
{
	Bytes		bytes = {0};

	add_text(&bytes, "ply\nformat ascii 1.0\n");
	for (int i = 0; i < 200000; i++)
		add_text(&bytes, "comment x\n");
	lies("a header of 2 MB", &bytes, MF_ERROR_MALFORMED);
	free_bytes(&bytes);

	add_text(&bytes, "ply\nformat ascii 1.0\n");
	for (int i = 0; i < 65; i++)
		add_text(&bytes, "element e%d 0\n", i);
	lies("65 elements", &bytes, MF_ERROR_MALFORMED);
	free_bytes(&bytes);

	add_text(&bytes, "ply\nformat ascii 1.0\nelement e 0\n");
	for (int i = 0; i < 513; i++)
		add_text(&bytes, "property int p%d\n", i);
	lies("513 properties", &bytes, MF_ERROR_MALFORMED);
	free_bytes(&bytes);
}

int
main(void)
{
	test_accepted();
	test_refused();
	test_counts();
	test_long_lists();
	test_long_headers();
	return tap_done();
}
