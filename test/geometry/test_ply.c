/*
 * test_ply.c
 *		PLY: the same cube in every form that the format has, and with which
 *		words what is no PLY is refused.
 */
#include "shapes.h"
#include "tap.h"

/* How a cube is written. */
typedef struct Form
{
	const char *format;			/* "ascii", ... */
	const char *end;			/* of a line of the header */
	const char *real;			/* types of coordinates, ... */
	const char *index;			/* of numbers of vertices, */
	const char *count;			/* and of lengths of lists */
	const char *name;			/* of the list of vertices */
	bool		faces_first;
	bool		extras;			/* elements and properties of other kinds */
	int			strips;			/* 0: faces, 1: by -1, 2: in one go */
} Form;

static const Form usual = {
	.format = "ascii",.end = "\n",.real = "float",.index = "int",
	.count = "uchar",.name = "vertex_indices"
};

/* Its faces, seen from outside; corner i is at the bits of i, times 10. */
static const int face[6][4] = {
	{0, 2, 3, 1}, {4, 5, 7, 6}, {0, 1, 5, 4},
	{2, 6, 7, 3}, {0, 4, 6, 2}, {1, 3, 7, 5}
};

static void
put_integer(Bytes *bytes, bool big, int size, uint64_t value)
{
	for (int i = 0; i < size; i++)
	{
		const uint8_t byte = (uint8_t) (value >> 8 * (big ? size - 1 - i : i));

		add_bytes(bytes, &byte, 1);
	}
}

/* Bytes of a type, by its name; 0: a real. */
static int
integer_size(const char *type)
{
	static const char *const names[] = {
		"char", "uchar", "int8", "uint8", "short", "ushort", "int16", "uint16",
		"int", "uint", "int32", "uint32", "int64", "uint64"
	};

	for (int i = 0; i < 14; i++)
		if (strcmp(type, names[i]) == 0)
			return i < 4 ? 1 : i < 8 ? 2 : i < 12 ? 4 : 8;
	return 0;
}

/* Writes a number of this type. */
static void
put(Bytes *bytes, const Form *form, const char *type, double value)
{
	const bool	big = strcmp(form->format, "binary_big_endian") == 0;
	const int	size = integer_size(type);

	if (strcmp(form->format, "ascii") == 0)
		add_text(bytes, "%.17g ", value);
	else if (size > 0)
		put_integer(bytes, big, size, (uint64_t) (int64_t) value);
	else if (strncmp(type, "float", 5) == 0 && strcmp(type, "float64") != 0)
	{
		const float narrow = (float) value;
		uint32_t	bits;

		memcpy(&bits, &narrow, sizeof(bits));
		put_integer(bytes, big, 4, bits);
	}
	else
	{
		uint64_t	bits;

		memcpy(&bits, &value, sizeof(bits));
		put_integer(bytes, big, 8, bits);
	}
}

static void
end_row(Bytes *bytes, const Form *form)
{
	if (strcmp(form->format, "ascii") == 0)
		add_text(bytes, "%s", form->end);
}

/* ---- the header ---- */

static void
declare_vertices(Bytes *bytes, const Form *form)
{
	add_text(bytes, "element vertex 8%s", form->end);
	if (form->extras)
		add_text(bytes, "property list uint8 float64 weights%s"
				 "property uchar red%s", form->end, form->end);
	for (int i = 0; i < 3; i++)
		add_text(bytes, "property %s %c%s", form->real, "zxy"[i], form->end);
	if (form->extras)
		add_text(bytes, "property double quality%s", form->end);
}

static void
declare_faces(Bytes *bytes, const Form *form)
{
	add_text(bytes, form->strips ? "element tristrips 1%s" :
			 "element face 6%s", form->end);
	if (form->extras)
		add_text(bytes, "property short flags%s", form->end);
	add_text(bytes, "property list %s %s %s%s", form->count, form->index,
			 form->name, form->end);
	if (form->extras)
		add_text(bytes, "property list int float texcoord%s", form->end);
}

static void
write_header(Bytes *bytes, const Form *form)
{
	add_text(bytes, "ply%sformat %s 1.0%scomment element of doubt%s"
			 "obj_info num_cols 3%s", form->end, form->format, form->end,
			 form->end, form->end);
	if (form->extras)
		add_text(bytes, "element camera 2%sproperty float fov%s"
				 "element label 2%sproperty list ushort char text%s",
				 form->end, form->end, form->end, form->end);
	if (form->faces_first)
		declare_faces(bytes, form);
	declare_vertices(bytes, form);
	if (!form->faces_first)
		declare_faces(bytes, form);
	if (form->extras)
		add_text(bytes, "element edge 1%sproperty int vertex1%s"
				 "property int vertex2%s", form->end, form->end, form->end);
	add_text(bytes, "end_header%s", form->end);
}

/* ---- the body ---- */

static void
write_vertices(Bytes *bytes, const Form *form)
{
	for (int v = 0; v < 8; v++)
	{
		if (form->extras)
		{
			put(bytes, form, "uint8", v % 3);
			for (int i = 0; i < v % 3; i++)
				put(bytes, form, "float64", 0.5);
			put(bytes, form, "uchar", 200);
		}
		put(bytes, form, form->real, v & 4 ? 10 : 0);
		put(bytes, form, form->real, v & 1 ? 10 : 0);
		put(bytes, form, form->real, v & 2 ? 10 : 0);
		if (form->extras)
			put(bytes, form, "double", 0.25);
		end_row(bytes, form);
	}
}

static void
write_texture(Bytes *bytes, const Form *form)
{
	put(bytes, form, "int", 2);
	put(bytes, form, "float", 0.5);
	put(bytes, form, "float", 0.75);
}

static void
write_strips(Bytes *bytes, const Form *form)
{
	if (form->extras)
		put(bytes, form, "short", -7);
	put(bytes, form, form->count, form->strips == 1 ? 30 : 34);
	for (int f = 0; f < 6; f++)
	{
		static const int order[4] = {0, 1, 3, 2};

		if (form->strips == 2 && f > 0)
		{
			put(bytes, form, form->index, face[f - 1][2]);
			put(bytes, form, form->index, face[f][0]);
		}
		for (int i = 0; i < 4; i++)
			put(bytes, form, form->index, face[f][order[i]]);
		if (form->strips == 1)
			put(bytes, form, form->index, -1);
	}
	if (form->extras)
		write_texture(bytes, form);
	end_row(bytes, form);
}

static void
write_faces(Bytes *bytes, const Form *form)
{
	if (form->strips)
	{
		write_strips(bytes, form);
		return;
	}
	for (int f = 0; f < 6; f++)
	{
		if (form->extras)
			put(bytes, form, "short", -f);
		put(bytes, form, form->count, 4);
		for (int i = 0; i < 4; i++)
			put(bytes, form, form->index, face[f][i]);
		if (form->extras)
			write_texture(bytes, form);
		end_row(bytes, form);
	}
}

static Bytes
write_cube(const Form *form)
{
	Bytes		bytes = {0};

	write_header(&bytes, form);
	for (int i = 0; form->extras && i < 2; i++)
	{
		put(&bytes, form, "float", 45);
		end_row(&bytes, form);
	}
	for (int i = 0; form->extras && i < 2; i++)
	{
		put(&bytes, form, "ushort", 3 * i);
		for (int k = 0; k < 3 * i; k++)
			put(&bytes, form, "char", 'a');
		end_row(&bytes, form);
	}
	if (form->faces_first)
		write_faces(&bytes, form);
	write_vertices(&bytes, form);
	if (!form->faces_first)
		write_faces(&bytes, form);
	if (form->extras)
	{
		put(&bytes, form, "int", 0);
		put(&bytes, form, "int", 1);
		end_row(&bytes, form);
	}
	return bytes;
}

/* ---- legal forms ---- */

static bool
is_cube(const Bytes *bytes)
{
	MfMeasurement m;
	MfRefusal	refusal;

	if (!measure_bytes(bytes->at, bytes->size, NULL, &m, &refusal))
	{
		printf("# %s\n", refusal.text);
		return false;
	}
	return sane_measurement(&m) && m.format == MF_FORMAT_PLY &&
		m.triangles == 12 && m.vertices == 8 && m.euler_number == 2 &&
		m.watertight && m.consistent_winding && m.bodies == 1 &&
		m.volume_mm3 == 1000 && m.area_mm2 == 600 &&
		m.bbox_min[0] == 0 && m.bbox_max[2] == 10 &&
		m.centroid[0] == 5 && m.centroid[1] == 5 && m.centroid[2] == 5 &&
		defect_count(&m, MF_DEFECT_TRAILING_BYTES) == 0;
}

/* Every encoding, end of line, type of coordinates and order. */
static void
test_forms(void)
{
	static const char *const formats[] = {
		"ascii", "binary_little_endian", "binary_big_endian"
	};
	static const char *const ends[] = {"\n", "\r\n", "\r"};
	static const char *const reals[] = {
		"float", "float32", "double", "float64", "char", "int8", "uchar",
		"uint8", "short", "int16", "ushort", "uint16", "int", "int32", "uint",
		"uint32", "int64", "uint64"
	};

	for (int f = 0; f < 3; f++)
	{
		int			good = 0;
		int			all = 0;

		for (int e = 0; e < 3; e++)
			for (int r = 0; r < 18; r++)
				for (int bits = 0; bits < 12; bits++)
				{
					Form		form = usual;
					Bytes		bytes;

					form.format = formats[f];
					form.end = ends[e];
					form.real = reals[r];
					form.faces_first = bits & 1;
					form.extras = bits & 2;
					form.strips = bits / 4;
					form.name = r % 2 ? "vertex_index" : "vertex_indices";
					bytes = write_cube(&form);
					good += is_cube(&bytes);
					all++;
					free_bytes(&bytes);
				}
		ok(good == all, "%s: %d of %d forms are the cube", formats[f], good,
		   all);
	}
}

/* Every type of a list's length and of its numbers. */
static void
test_lists(void)
{
	static const char *const types[] = {
		"char", "int8", "uchar", "uint8", "short", "int16", "ushort", "uint16",
		"int", "int32", "uint", "uint32", "int64", "uint64"
	};
	int			good = 0;

	for (int f = 0; f < 3; f++)
		for (int c = 0; c < 14; c++)
			for (int i = 0; i < 14; i++)
			{
				Form		form = usual;
				Bytes		bytes;

				form.format = f == 0 ? "ascii" : f == 1 ?
					"binary_little_endian" : "binary_big_endian";
				form.count = types[c];
				form.index = types[i];
				bytes = write_cube(&form);
				good += is_cube(&bytes);
				free_bytes(&bytes);
			}
	ok(good == 3 * 14 * 14, "%d of %d types of lists", good, 3 * 14 * 14);
}

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

/* Every beginning is refused, and every flipped bit answered. */
static void
test_broken(void)
{
	static const char *const formats[] = {
		"ascii", "binary_little_endian", "binary_big_endian"
	};

	for (int f = 0; f < 3; f++)
	{
		Form		form = usual;
		Bytes		bytes;
		size_t		refused = 0;
		size_t		sane = 0;

		form.format = formats[f];
		form.extras = true;
		bytes = write_cube(&form);
		for (size_t size = 0; size < bytes.size; size++)
		{
			MfMeasurement m;
			MfRefusal	refusal;

			refused += !measure_bytes(bytes.at, size, NULL, &m, &refusal) &&
				sane_refusal(&refusal);
		}
		/* The last row of text is no surface: it may be "0 1" or "0 ", too. */
		ok(refused == bytes.size - (f == 0 ? 3 : 0),
		   "%s: cut off anywhere, it is refused (%zu of %zu)",
		   formats[f], refused, bytes.size);
		for (size_t bit = 0; bit < 8 * bytes.size; bit++)
		{
			bytes.at[bit / 8] ^= 1 << bit % 8;
			sane += answers_sanely(bytes.at, bytes.size);
			bytes.at[bit / 8] ^= 1 << bit % 8;
		}
		ok(sane == 8 * bytes.size, "%s: a sane answer to each of %zu flipped "
		   "bits", formats[f], 8 * bytes.size);
		free_bytes(&bytes);
	}
}

/* A prism over a polygon of many corners: its volume and area. */
static void
test_polygon(void)
{
	const int	n = 1000;
	const double s = n / 2.0 * sin(2 * M_PI / n);
	Bytes		bytes = {0};
	MfMeasurement m;
	MfRefusal	refusal;
	bool		good;

	add_text(&bytes, "ply\nformat ascii 1.0\nelement vertex %d\n"
			 "property double x\nproperty double y\nproperty double z\n"
			 "element face %d\nproperty list int int vertex_index\n"
			 "end_header\n", 2 * n, n + 2);
	for (int i = 0; i < 2 * n; i++)
		add_text(&bytes, "%.17g %.17g %d\n", 10 * cos(2 * M_PI * (i / 2) / n),
				 10 * sin(2 * M_PI * (i / 2) / n), i % 2);
	for (int i = 0; i < n; i++)
		add_text(&bytes, "4 %d %d %d %d\n", 2 * i, (2 * i + 2) % (2 * n),
				 (2 * i + 3) % (2 * n), 2 * i + 1);
	for (int end = 0; end < 2; end++)
	{
		add_text(&bytes, "%d", n);
		for (int i = 0; i < n; i++)
			add_text(&bytes, " %d", end ? 2 * i + 1 : 2 * (n - 1 - i));
		add_text(&bytes, "\n");
	}
	good = measure_bytes(bytes.at, bytes.size, NULL, &m, &refusal);
	ok(good && m.watertight && m.triangles == 2 * n + 2 * (n - 2) &&
	   near(m.volume_mm3, 100 * s, 1e-12) &&
	   near(m.area_mm2, 200 * s + 20 * n * sin(M_PI / n), 1e-12),
	   "a prism over %d corners", n);
	if (!good)
		printf("# %s\n", refusal.text);
	free_bytes(&bytes);
}

int
main(void)
{
	test_forms();
	test_lists();
	test_accepted();
	test_refused();
	test_counts();
	test_long_lists();
	test_long_headers();
	test_broken();
	test_polygon();
	return tap_done();
}
