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
	test_broken();
	test_polygon();
	return tap_done();
}
