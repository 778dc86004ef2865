/*
 * test_glb.c
 *		GLB: the same cube in every form that the format has, the tree of
 *		nodes, and with which words what is no GLB is refused.
 */
#include "shapes.h"
#include "tap.h"

/* A file under way: its JSON from pieces of text, and its numbers. */
typedef struct Glb
{
	const char *nodes;			/* NULL: one with mesh 0 */
	const char *top;			/* more members of the root */
	const char *mesh;			/* more members of the primitive */
	Bytes		primitives;		/* NULL: one */
	Bytes		accessors;
	Bytes		views;
	int			view_count;
	Bytes		binary;
} Glb;

static const int face[6][4] = {
	{0, 2, 3, 1}, {4, 5, 7, 6}, {0, 1, 5, 4},
	{2, 6, 7, 3}, {0, 4, 6, 2}, {1, 3, 7, 5}
};

/* Adds a view of numbers; its number. */
static int
add_view(Glb *glb, const void *from, size_t size, int stride)
{
	add_text(&glb->views, "%s{\"buffer\":0,\"byteOffset\":%zu,"
			 "\"byteLength\":%zu", glb->view_count > 0 ? "," : "",
			 glb->binary.size, size);
	if (stride > 0)
		add_text(&glb->views, ",\"byteStride\":%d", stride);
	add_text(&glb->views, "}");
	add_bytes(&glb->binary, from, size);
	while (glb->binary.size % 4 != 0)
		add_bytes(&glb->binary, "", 1);
	return glb->view_count++;
}

/* Puts the parts into a file. */
static Bytes
wrap(const Bytes *json, const Bytes *binary)
{
	const uint32_t text = (uint32_t) (json->size + 3) / 4 * 4;
	uint32_t	head[5] = {0x46546c67, 2, 20 + text, text, 0x4e4f534a};
	Bytes		bytes = {0};

	if (binary->size > 0)
		head[2] += 8 + (uint32_t) binary->size;
	add_bytes(&bytes, head, sizeof(head));
	add_bytes(&bytes, json->at, json->size);
	add_bytes(&bytes, "   ", text - json->size);
	if (binary->size > 0)
	{
		const uint32_t next[2] = {(uint32_t) binary->size, 0x004e4942};

		add_bytes(&bytes, next, sizeof(next));
		add_bytes(&bytes, binary->at, binary->size);
	}
	return bytes;
}

static void
add_member(Bytes *json, const char *name, const Bytes *list)
{
	add_text(json, ",\"%s\":[", name);
	add_bytes(json, list->at, list->size);
	add_text(json, "]");
}

/* The file, and an end to what it was made of. */
static Bytes
finish(Glb *glb)
{
	Bytes		json = {0};
	Bytes		bytes;

	add_text(&json, "{\"asset\":{\"version\":\"2.0\"}");
	if (glb->top != NULL)
		add_bytes(&json, glb->top, strlen(glb->top));
	if (glb->nodes == NULL)
		add_text(&json, ",\"nodes\":[{\"mesh\":0}]");
	else
		add_bytes(&json, glb->nodes, strlen(glb->nodes));
	add_text(&json, ",\"meshes\":[{\"primitives\":[");
	if (glb->primitives.size > 0)
		add_bytes(&json, glb->primitives.at, glb->primitives.size);
	else
		add_text(&json, "{\"attributes\":{\"POSITION\":0},\"indices\":1%s}",
				 glb->mesh != NULL ? glb->mesh : "");
	add_text(&json, "]}]");
	add_member(&json, "accessors", &glb->accessors);
	add_member(&json, "bufferViews", &glb->views);
	add_text(&json, ",\"buffers\":[{\"byteLength\":%zu}]}", glb->binary.size);
	bytes = wrap(&json, &glb->binary);
	free_bytes(&json);
	free_bytes(&glb->primitives);
	free_bytes(&glb->accessors);
	free_bytes(&glb->views);
	free_bytes(&glb->binary);
	return bytes;
}

/* Corner i of the cube. */
static void
corner_at(int i, float at[3])
{
	for (int k = 0; k < 3; k++)
		at[k] = i >> k & 1 ? 10 : 0;
}

static void
add_accessor(Glb *glb, int view, int type, bool normalized, size_t count,
			 const char *kind, const char *more)
{
	add_text(&glb->accessors, "%s{\"componentType\":%d,\"count\":%zu,"
			 "\"type\":\"%s\"", glb->accessors.size > 0 ? "," : "", type,
			 count, kind);
	if (view >= 0)
		add_text(&glb->accessors, ",\"bufferView\":%d", view);
	if (normalized)
		add_text(&glb->accessors, ",\"normalized\":true");
	add_text(&glb->accessors, "%s}", more);
}

/* Accessor 0: the eight corners as floats, apart by a stride. */
static void
add_corners(Glb *glb, int stride)
{
	Bytes		bytes = {0};

	for (int i = 0; i < 8; i++)
	{
		float		at[3];

		corner_at(i, at);
		add_bytes(&bytes, at, 12);
		for (int k = 12; k < stride; k++)
			add_bytes(&bytes, "\377", 1);
	}
	add_accessor(glb, add_view(glb, bytes.at, bytes.size, stride), 5126, false,
				 8, "VEC3", "");
	free_bytes(&bytes);
}

/* An accessor of numbers of corners, of 1, 2 or 4 bytes each. */
static void
add_indices(Glb *glb, const int *index, size_t count, int size)
{
	Bytes		bytes = {0};

	for (size_t i = 0; i < count; i++)
		add_bytes(&bytes, &index[i], size);
	add_accessor(glb, add_view(glb, bytes.at, bytes.size, 0),
				 size == 1 ? 5121 : size == 2 ? 5123 : 5125, false, count,
				 "SCALAR", "");
	free_bytes(&bytes);
}

/* The twelve triangles. */
static void
add_triangles(Glb *glb, int size)
{
	int			index[36];
	int			n = 0;

	for (int f = 0; f < 6; f++)
	{
		static const int order[6] = {0, 1, 2, 0, 2, 3};

		for (int i = 0; i < 6; i++)
			index[n++] = face[f][order[i]];
	}
	add_indices(glb, index, 36, size);
}

static Glb
usual_cube(void)
{
	Glb			glb = {0};

	add_corners(&glb, 0);
	add_triangles(&glb, 2);
	return glb;
}

/* ---- the cube in all forms ---- */

/* Measures, in mm where the file says nothing else. */
static bool
measure(Bytes *bytes, MfUnit unit, MfMeasurement *m, MfRefusal *refusal)
{
	const MfGeometryOptions options = {.unit = unit};
	const bool	good = measure_bytes(bytes->at, bytes->size, &options, m,
									 refusal);

	free_bytes(bytes);
	return good ? sane_measurement(m) : sane_refusal(refusal) && false;
}

static void
is_cube(const char *what, Bytes bytes)
{
	MfMeasurement m;
	MfRefusal	refusal = {0};
	const bool	good = measure(&bytes, MF_UNIT_MM, &m, &refusal);

	ok(good && m.format == MF_FORMAT_GLB && m.triangles == 12 &&
	   m.vertices == 8 && m.watertight && m.consistent_winding &&
	   m.bodies == 1 && near(m.volume_mm3, 1000, 1e-12) &&
	   near(m.area_mm2, 600, 1e-12) && near(m.bbox_max[0], 10, 1e-12) &&
	   fabs(m.bbox_min[2]) < 1e-12 && near(m.centroid[1], 5, 1e-12) &&
	   find_defect(&m, MF_DEFECT_INVERTED_BODY) == NULL, "the cube: %s", what);
	if (!good)
		printf("# %s\n", refusal.text);
}

static void
test_indices(void)
{
	for (int size = 1; size <= 4; size *= 2)
		for (int stride = 0; stride <= 24; stride += 12)
		{
			Glb			glb = {0};
			char		what[60];

			add_corners(&glb, stride);
			add_triangles(&glb, size);
			snprintf(what, sizeof(what), "indices of %d bytes, stride %d",
					 size, stride);
			is_cube(what, finish(&glb));
		}
}

/* Triangles without indices, in three primitives and in one. */
static void
test_no_indices(void)
{
	for (int primitives = 1; primitives <= 3; primitives += 2)
	{
		Glb			glb = {0};
		float		at[36][3];
		int			n = 0;

		for (int f = 0; f < 6; f++)
		{
			static const int order[6] = {0, 1, 2, 0, 2, 3};

			for (int i = 0; i < 6; i++)
				corner_at(face[f][order[i]], at[n++]);
		}
		for (int p = 0; p < primitives; p++)
		{
			const int	count = 36 / primitives;

			add_accessor(&glb, add_view(&glb, at[p * count], count * 12, 0),
						 5126, false, count, "VEC3", "");
			add_text(&glb.primitives, "%s{\"attributes\":{\"POSITION\":%d}}",
					 p > 0 ? "," : "", p);
		}
		is_cube(primitives == 1 ? "no indices" : "three primitives",
				finish(&glb));
	}
}

/* One strip with turns, and six fans. */
static void
test_modes(void)
{
	Glb			glb = {0};
	int			strip[34];
	int			n = 0;

	add_corners(&glb, 0);
	for (int f = 0; f < 6; f++)
	{
		static const int order[4] = {0, 1, 3, 2};

		if (f > 0)
		{
			strip[n++] = face[f - 1][2];
			strip[n++] = face[f][0];
		}
		for (int i = 0; i < 4; i++)
			strip[n++] = face[f][order[i]];
	}
	add_indices(&glb, strip, 34, 1);
	glb.mesh = ",\"mode\":5";
	is_cube("a strip", finish(&glb));

	memset(&glb, 0, sizeof(glb));
	add_corners(&glb, 0);
	for (int f = 0; f < 6; f++)
	{
		add_indices(&glb, face[f], 4, 1);
		add_text(&glb.primitives, "%s{\"mode\":6,\"attributes\":"
				 "{\"POSITION\":0},\"indices\":%d}", f > 0 ? "," : "", f + 1);
	}
	is_cube("six fans", finish(&glb));
}

/* Whole numbers for coordinates, as they are and normalized. */
static void
test_quantized(void)
{
	static const struct
	{
		int			type;
		int			size;
		int			most;
	}			types[] = {
		{5120, 1, 127}, {5121, 1, 255}, {5122, 2, 32767}, {5123, 2, 65535}
	};

	for (int i = 0; i < 8; i++)
	{
		const int	size = types[i / 2].size;
		Glb			glb = {0};
		Bytes		bytes = {0};
		char		what[60];

		for (int v = 0; v < 8; v++)
			for (int k = 0; k < 4; k++)
			{
				const int	value = !(v >> k & 1) ? 0 : i % 2 ?
				types[i / 2].most : 10;

				add_bytes(&bytes, &value, size);
			}
		add_accessor(&glb, add_view(&glb, bytes.at, bytes.size, 4 * size),
					 types[i / 2].type, i % 2, 8, "VEC3", "");
		free_bytes(&bytes);
		add_triangles(&glb, 2);
		glb.top = ",\"extensionsRequired\":[\"KHR_mesh_quantization\"]";
		if (i % 2)
			glb.nodes = ",\"nodes\":[{\"mesh\":0,\"scale\":[10,10,10]}]";
		snprintf(what, sizeof(what), "type %d%s", types[i / 2].type,
				 i % 2 ? ", normalized" : "");
		is_cube(what, finish(&glb));
	}
}

/* Corners that are elsewhere, over zeros and over others. */
static void
test_sparse(void)
{
	for (int size = 1; size <= 4; size *= 2)
		for (int based = 0; based < 2; based++)
		{
			Glb			glb = {0};
			Bytes		which = {0};
			float		base[8][3];
			float		with[7][3];
			char		more[200];
			int			view;

			for (int i = 0; i < 8; i++)
				for (int k = 0; k < 3; k++)
					base[i][k] = i == 0 ? 0 : 77;
			view = based ? add_view(&glb, base, sizeof(base), 0) : -1;
			for (int i = 1; i < 8; i++)
			{
				corner_at(i, with[i - 1]);
				add_bytes(&which, &i, size);
			}
			snprintf(more, sizeof(more), ",\"sparse\":{\"count\":7,\"indices\":"
					 "{\"bufferView\":%d,\"componentType\":%d},\"values\":"
					 "{\"bufferView\":%d}}",
					 add_view(&glb, which.at, which.size, 0),
					 size == 1 ? 5121 : size == 2 ? 5123 : 5125,
					 based + 1);
			add_view(&glb, with, sizeof(with), 0);
			add_accessor(&glb, view, 5126, false, 8, "VEC3", more);
			add_triangles(&glb, 2);
			snprintf(more, sizeof(more), "sparse, numbers of %d bytes, %s",
					 size, based ? "over others" : "over zeros");
			is_cube(more, finish(&glb));
			free_bytes(&which);
		}
}

/* The numbers in the JSON, in base 64. */
static Bytes
with_uri(const char *uri)
{
	static const char digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	Glb			glb = usual_cube();
	const size_t count = glb.binary.size;
	Bytes		json = {0};
	Bytes		none = {0};
	Bytes		bytes;

	add_text(&json, "{\"meshes\":[{\"primitives\":[{\"indices\":1,"
			 "\"attributes\":{\"POSITION\":0}}]}]");
	add_member(&json, "accessors", &glb.accessors);
	add_member(&json, "bufferViews", &glb.views);
	add_text(&json, ",\"buffers\":[{\"byteLength\":%zu,\"uri\":\"%s",
			 count, uri);
	for (size_t i = 0; uri[0] == 'd' && i < count; i += 3)
	{
		uint8_t		three[3] = {0};
		uint32_t	bits;

		memcpy(three, glb.binary.at + i, count - i < 3 ? count - i : 3);
		bits = (uint32_t) three[0] << 16 | three[1] << 8 | three[2];
		for (size_t k = 0; k < 4; k++)
		{
			const char	digit = digits[bits >> (18 - 6 * k) & 63];

			if (digit == '/' && i % 2)
				add_text(&json, "\\");
			add_text(&json, "%c", k > count - i ? '=' : digit);
		}
	}
	add_text(&json, "\"}]}");
	bytes = wrap(&json, &none);
	free_bytes(&json);
	free_bytes(&glb.accessors);
	free_bytes(&glb.views);
	free_bytes(&glb.binary);
	return bytes;
}

static void
test_other_forms(void)
{
	Glb			glb = usual_cube();
	Bytes		bytes;

	is_cube("numbers in the text",
			with_uri("data:application/octet-stream;base64,"));
	is_cube("numbers in the text, of no kind", with_uri("data:;base64,"));

	glb.top = ",\"extensionsUsed\":[\"KHR_materials_ior\","
		"\"KHR_draco_mesh_compression\"],\"ext\\\"ras\":{\"a\":[[],{},null,"
		"true,false,-1.5e+300,1e999,\"\\u0041\\\\\"]}";
	glb.mesh = ",\"\\u006dode\":4,\"material\":9,\"extensions\":"
		"{\"KHR_draco_mesh_compression\":{}}";
	is_cube("much else in the text", finish(&glb));

	glb = usual_cube();
	bytes = finish(&glb);
	/* Another chunk, of a kind that is not known. */
	add_bytes(&bytes, "\4\0\0\0WHAT1234", 12);
	bytes.at[8] += 12;
	bytes.at[9] += bytes.at[8] < 12;
	is_cube("another chunk", bytes);
}

/* ---- nodes ---- */

static void
test_unit(void)
{
	Glb			glb = usual_cube();
	Bytes		bytes = finish(&glb);
	MfMeasurement m;
	MfRefusal	refusal;

	ok(measure(&bytes, MF_UNIT_NONE, &m, &refusal) && m.unit == MF_UNIT_M &&
	   m.unit_from == MF_UNIT_FROM_FILE && near(m.volume_mm3, 1e12, 1e-12),
	   "lengths are in metres");
	glb = usual_cube();
	bytes = finish(&glb);
	ok(measure(&bytes, MF_UNIT_CM, &m, &refusal) && m.unit == MF_UNIT_CM &&
	   m.unit_from == MF_UNIT_FROM_CALLER && near(m.volume_mm3, 1e6, 1e-12),
	   "save where the caller says otherwise");
}

/* Is the scene of these nodes so many cubes in this box, of this volume? */
static void
stands(const char *what, const char *nodes, int64_t cubes, double volume,
	   double x0, double y0, double z0, double x1, double y1, double z1)
{
	const double wanted[6] = {x0, y0, z0, x1, y1, z1};
	Glb			glb = usual_cube();
	MfMeasurement m;
	MfRefusal	refusal = {0};
	Bytes		bytes;
	bool		good;

	glb.nodes = nodes;
	bytes = finish(&glb);
	good = measure(&bytes, MF_UNIT_MM, &m, &refusal);
	for (int i = 0; good && i < 6; i++)
		good = fabs((i < 3 ? m.bbox_min[i] : m.bbox_max[i - 3]) - wanted[i]) <
			1e-9;
	ok(good && m.triangles == 12 * cubes && m.bodies == cubes &&
	   near(m.volume_mm3, volume, 1e-12) && m.watertight &&
	   find_defect(&m, MF_DEFECT_INVERTED_BODY) == NULL, "%s", what);
	if (refusal.text[0] != '\0')
		printf("# %s\n", refusal.text);
}

static void
test_nodes(void)
{
	stands("no nodes", "", 1, 1000, 0, 0, 0, 10, 10, 10);
	stands("a shift", ",\"nodes\":[{\"mesh\":0,\"translation\":[1,2,3]}]",
		   1, 1000, 1, 2, 3, 11, 12, 13);
	stands("a scale, then a turn, then a shift",
		   ",\"nodes\":[{\"mesh\":0,\"translation\":[100,0,0],\"rotation\":"
		   "[0,0,0.70710678,0.70710678],\"scale\":[1,2,3]}]",
		   1, 6000, 80, 0, 0, 100, 10, 30);
	stands("the same as a matrix",
		   ",\"nodes\":[{\"mesh\":0,\"matrix\":[0,1,0,0,-2,0,0,0,0,0,3,0,"
		   "100,0,0,1]}]", 1, 6000, 80, 0, 0, 100, 10, 30);
	stands("a matrix that is the product of others",
		   ",\"nodes\":[{\"mesh\":0,\"matrix\":[0,1,0,1e-17,-2,0,0,0,0,0,3,0,"
		   "100,0,0,0.9999999999]}]", 1, 6000, 80, 0, 0, 100, 10, 30);
	stands("a mirror", ",\"nodes\":[{\"mesh\":0,\"scale\":[-1,1,1]}]",
		   1, 1000, -10, 0, 0, 0, 10, 10);
	stands("a mirror in a mirror",
		   ",\"nodes\":[{\"children\":[1],\"scale\":[-1,1,1]},"
		   "{\"mesh\":0,\"scale\":[-1,-1,-2]}]",
		   1, 2000, 0, -10, -20, 10, 0, 0);
	stands("a tree",
		   ",\"nodes\":[{\"mesh\":0},{\"children\":[2,3],"
		   "\"translation\":[20,0,0],\"scale\":[2,2,2]},{\"mesh\":0},"
		   "{\"translation\":[20,0,0],\"children\":[4]},{\"mesh\":0}]",
		   3, 17000, 0, 0, 0, 80, 20, 20);
	stands("the scene that is named",
		   ",\"scene\":1,\"scenes\":[{\"nodes\":[0]},{\"nodes\":[1]}],"
		   "\"nodes\":[{\"mesh\":0},{\"mesh\":0,\"translation\":[9,0,0]}]",
		   1, 1000, 9, 0, 0, 19, 10, 10);
	stands("the first scene",
		   ",\"scenes\":[{\"nodes\":[0]},{\"nodes\":[1]}],"
		   "\"nodes\":[{\"mesh\":0},{\"mesh\":0,\"translation\":[9,0,0]}]",
		   1, 1000, 0, 0, 0, 10, 10, 10);
	stands("a node of no scene",
		   ",\"scene\":0,\"scenes\":[{\"nodes\":[1]}],"
		   "\"nodes\":[{\"mesh\":0,\"children\":[0]},{\"mesh\":0}]",
		   1, 1000, 0, 0, 0, 10, 10, 10);
	stands("a node that is scaled away",
		   ",\"nodes\":[{\"mesh\":0},{\"mesh\":0,\"scale\":[0,0,0]}]",
		   1, 1000, 0, 0, 0, 10, 10, 10);
}

/* A long chain, and many nodes. */
static void
test_many_nodes(void)
{
	Bytes		nodes = {0};
	MfMeasurement m;
	MfRefusal	refusal = {0};
	Glb			glb;
	Bytes		bytes;

	add_text(&nodes, ",\"nodes\":[");
	for (int i = 0; i < 200000; i++)
		add_text(&nodes, "{\"children\":[%d]},", i + 1);
	add_text(&nodes, "{\"mesh\":0}]");
	add_bytes(&nodes, "", 1);
	stands("a chain of 200,000 nodes", (const char *) nodes.at, 1, 1000,
		   0, 0, 0, 10, 10, 10);
	free_bytes(&nodes);

	for (int more = 0; more < 2; more++)
	{
		add_text(&nodes, ",\"nodes\":[{\"mesh\":0}");
		for (int i = 1; i < 100000 + more; i++)
			add_text(&nodes, ",{\"mesh\":0,\"translation\":[%d,%d,0]}",
					 20 * (i % 300), 20 * (i / 300));
		add_text(&nodes, "]");
		add_bytes(&nodes, "", 1);
		if (more == 0)
			stands("100,000 cubes", (const char *) nodes.at, 100000, 1e8,
				   0, 0, 0, 5990, 6670, 10);
		else
		{
			glb = usual_cube();
			glb.nodes = (const char *) nodes.at;
			bytes = finish(&glb);
			ok(!measure(&bytes, MF_UNIT_MM, &m, &refusal) &&
			   refusal.code == MF_ERROR_ARCHIVE_BOMB, "not one more");
		}
		free_bytes(&nodes);
	}
}

/* Instances of one node, by floats and by whole numbers. */
static Bytes
write_instances(int count, int turns)
{
	static const int8_t turn[3][4] = {
		{0, 0, 0, 127}, {0, 0, 90, 90}, {0, 0, 127, 0}
	};
	Glb			glb = usual_cube();
	float		shift[3][3] = {{0}};
	float		scale[3][3];

	for (int i = 0; i < 3; i++)
	{
		shift[i][0] = 100.0f * i;
		for (int k = 0; k < 3; k++)
			scale[i][k] = i + 1.0f;
	}
	add_accessor(&glb, add_view(&glb, shift, sizeof(shift), 0), 5126, false,
				 count, "VEC3", "");
	add_accessor(&glb, add_view(&glb, turn, sizeof(turn), 0), 5120, true,
				 turns, "VEC4", "");
	add_accessor(&glb, add_view(&glb, scale, sizeof(scale), 0), 5126, false,
				 count, "VEC3", "");
	glb.top = ",\"extensionsRequired\":[\"EXT_mesh_gpu_instancing\"],"
		"\"extensionsUsed\":[\"EXT_mesh_gpu_instancing\"]";
	glb.nodes = ",\"nodes\":[{\"mesh\":0,\"translation\":[0,0,1],"
		"\"extensions\":{\"EXT_mesh_gpu_instancing\":{\"attributes\":"
		"{\"TRANSLATION\":2,\"ROTATION\":3,\"SCALE\":4}}}}]";
	return finish(&glb);
}

static void
test_instances(void)
{
	Bytes		bytes = write_instances(3, 3);
	MfMeasurement m;
	MfRefusal	refusal = {0};

	/* Turned by 90 and 180 degrees: [80, 100] and [170, 200] in x. */
	ok(measure(&bytes, MF_UNIT_MM, &m, &refusal) && m.bodies == 3 &&
	   m.triangles == 36 && near(m.volume_mm3, 36000, 1e-12) &&
	   fabs(m.bbox_min[0]) < 1e-9 && near(m.bbox_max[0], 200, 1e-9) &&
	   near(m.bbox_min[1], -30, 1e-9) && near(m.bbox_max[1], 20, 1e-9) &&
	   near(m.bbox_min[2], 1, 1e-9) && near(m.bbox_max[2], 31, 1e-9) &&
	   m.extensions[0] == '\0', "three instances of a node");
	bytes = write_instances(3, 2);
	ok(!measure(&bytes, MF_UNIT_MM, &m, &refusal) &&
	   refusal.code == MF_ERROR_MALFORMED &&
	   strstr(refusal.text, "without a place") != NULL,
	   "three instances with two turns");
	bytes = write_instances(4, 4);
	ok(!measure(&bytes, MF_UNIT_MM, &m, &refusal) &&
	   refusal.code == MF_ERROR_MALFORMED &&
	   strstr(refusal.text, "beyond its buffer view") != NULL,
	   "four instances, where there are three");
}

/* ---- refusals ---- */

/* Is a cube whose pieces are changed so refused with these words? */
static void
refuses(const char *words, MfErrorCode wanted, const Glb *changed)
{
	Glb			glb = usual_cube();
	MfMeasurement m;
	MfRefusal	refusal = {0};
	Bytes		bytes;

	glb.nodes = changed->nodes;
	glb.top = changed->top;
	glb.mesh = changed->mesh;
	bytes = finish(&glb);
	ok(!measure(&bytes, MF_UNIT_MM, &m, &refusal) && refusal.code == wanted &&
	   strstr(refusal.text, words) != NULL, "refused: %s", words);
	printf("# %s: %s\n", mf_error_code_name(refusal.code), refusal.text);
}

#define REFUSES(words, wanted, ...) \
	refuses(words, wanted, &(const Glb) {__VA_ARGS__})

static void
test_refused(void)
{
	REFUSES("scene that is not there", MF_ERROR_MALFORMED,
			.nodes = ",\"scene\":1,\"scenes\":[{\"nodes\":[]}],\"nodes\":[{}]");
	REFUSES("no triangles", MF_ERROR_EMPTY,
			.nodes = ",\"scenes\":[{\"nodes\":[]}],\"nodes\":[{\"mesh\":0}]");
	REFUSES("no triangles", MF_ERROR_EMPTY,.mesh = ",\"mode\":1");
	REFUSES("unknown mode", MF_ERROR_MALFORMED,.mesh = ",\"mode\":7");
	REFUSES("\"mode\" in the GLB file is no whole", MF_ERROR_MALFORMED,
			.mesh = ",\"mode\":4.5");
	REFUSES("a node that is not there", MF_ERROR_MALFORMED,
			.nodes = ",\"scenes\":[{\"nodes\":[1]}],\"nodes\":[{\"mesh\":0}]");
	REFUSES("a node that is not there", MF_ERROR_MALFORMED,
			.nodes = ",\"nodes\":[{\"mesh\":0,\"children\":[-1]}]");
	REFUSES("twice, or within itself", MF_ERROR_MALFORMED,
			.nodes = ",\"scenes\":[{\"nodes\":[0]}],"
			"\"nodes\":[{\"children\":[1]},{\"children\":[0]}]");
	REFUSES("twice, or within itself", MF_ERROR_MALFORMED,
			.nodes = ",\"nodes\":[{\"children\":[2]},{\"children\":[2]},"
			"{\"mesh\":0}]");
	REFUSES("\"mesh\" in the GLB file is 1, where there are 1",
			MF_ERROR_MALFORMED,.nodes = ",\"nodes\":[{\"mesh\":1}]");
	REFUSES("\"mesh\" in the GLB file is no whole", MF_ERROR_MALFORMED,
			.nodes = ",\"nodes\":[{\"mesh\":\"0\"}]");
	REFUSES("of another length", MF_ERROR_MALFORMED,
			.nodes = ",\"nodes\":[{\"mesh\":0,\"matrix\":[1,0,0]}]");
	REFUSES("perspective", MF_ERROR_MALFORMED,
			.nodes = ",\"nodes\":[{\"mesh\":0,\"matrix\":[1,0,0,1,0,1,0,0,"
			"0,0,1,0,0,0,0,1]}]");
	REFUSES("is no number", MF_ERROR_MALFORMED,
			.nodes = ",\"nodes\":[{\"mesh\":0,\"scale\":[1,null,1]}]");
	REFUSES("not finite", MF_ERROR_NON_FINITE,
			.nodes = ",\"nodes\":[{\"mesh\":0,\"scale\":[1,1e999,1]}]");
	REFUSES("not finite", MF_ERROR_NON_FINITE,
			.nodes = ",\"nodes\":[{\"children\":[1],\"scale\":[1e200,1,1]},"
			"{\"mesh\":0,\"scale\":[1e200,1,1]}]");
	REFUSES("no valid rotation", MF_ERROR_MALFORMED,
			.nodes = ",\"nodes\":[{\"mesh\":0,\"rotation\":[0,0,0,0]}]");
	REFUSES("10 km", MF_ERROR_MALFORMED,
			.nodes = ",\"nodes\":[{\"mesh\":0,\"translation\":[0,1e8,0]}]");
	REFUSES("\"KHR_draco_mesh_compression\"", MF_ERROR_UNSUPPORTED,
			.top = ",\"extensionsRequired\":[\"KHR_draco_mesh_compression\"]");
	REFUSES("\"EXT_meshopt_compression\"", MF_ERROR_UNSUPPORTED,
			.top = ",\"extensionsRequired\":[\"KHR_materials_unlit\","
			"\"EXT_meshopt_compression\"]");
	REFUSES("\"ACME_shape\"", MF_ERROR_UNSUPPORTED,
			.top = ",\"extensionsRequired\":[\"ACME_shape\"]");
	REFUSES("is not JSON: something follows it", MF_ERROR_MALFORMED,
			.top = "}");
	REFUSES("neither a comma nor an end", MF_ERROR_MALFORMED,
			.top = ",\"a\":[1 2]");
	REFUSES("no value", MF_ERROR_MALFORMED,.top = ",\"a\":[1,]");
	REFUSES("no name", MF_ERROR_MALFORMED,.top = ",a:1");
	REFUSES("no colon", MF_ERROR_MALFORMED,.top = ",\"a\" 1");
	REFUSES("no value", MF_ERROR_MALFORMED,.top = ",\"a\":nul");
	REFUSES("no number", MF_ERROR_MALFORMED,.top = ",\"a\":1-2");
	REFUSES("control character", MF_ERROR_MALFORMED,.top = ",\"a\n\":1");
	REFUSES("no value", MF_ERROR_MALFORMED,.top = ",\"a\":NaN");
}

/* Views, accessors and buffers that are not as they should be. */
static void
test_data_refused(void)
{
	static const struct
	{
		const char *accessors;
		const char *views;
		const char *buffer;
		const char *words;
	}			cases[] = {
#define POSITION "{\"bufferView\":0,\"componentType\":5126,\"count\":8," \
		"\"type\":\"VEC3\"}"
#define INDEX "{\"bufferView\":1,\"componentType\":5123,\"count\":36," \
		"\"type\":\"SCALAR\"}"
#define VIEW0 "{\"buffer\":0,\"byteLength\":96}"
#define VIEW1 "{\"buffer\":0,\"byteOffset\":96,\"byteLength\":72}"
#define BUFFER "{\"byteLength\":168}"
		{POSITION, VIEW0 "," VIEW1, BUFFER, "\"indices\" in the GLB file is 1"},
		{POSITION ",{}", VIEW0 "," VIEW1, BUFFER, "does not fit its use"},
		{INDEX "," POSITION, VIEW0 "," VIEW1, BUFFER, "does not fit its use"},
		{POSITION "," INDEX, VIEW0, BUFFER, "\"bufferView\" in the GLB file "
		"is 1"},
		{POSITION "," INDEX, VIEW0 ",{}", BUFFER, "has no buffer"},
		{POSITION "," INDEX, VIEW0 ",{\"buffer\":0}", BUFFER,
		"beyond its buffer view"},
		{POSITION "," INDEX, VIEW0 ",{\"buffer\":0,\"byteOffset\":97,"
		"\"byteLength\":72}", BUFFER, "beyond its buffer."},
		{POSITION "," INDEX, VIEW0 ",{\"buffer\":0,\"byteOffset\":"
			"9007199254740992,\"byteLength\":9007199254740992}", BUFFER,
		"beyond its buffer."},
		{POSITION "," INDEX, VIEW0 ",{\"buffer\":0,\"byteOffset\":1e30,"
		"\"byteLength\":72}", BUFFER, "no whole number"},
		{POSITION "," INDEX, VIEW0 ",{\"buffer\":0,\"byteOffset\":96,"
		"\"byteLength\":72,\"byteStride\":1}", BUFFER, "too small"},
		{POSITION "," INDEX, VIEW0 ",{\"buffer\":0,\"byteOffset\":96,"
			"\"byteLength\":72,\"byteStride\":4}", BUFFER,
		"beyond its buffer view"},
		{POSITION "," INDEX, VIEW0 "," VIEW1, "{\"byteLength\":169}",
		"longer than what is there"},
		{POSITION "," INDEX, VIEW0 "," VIEW1, "{\"byteLength\":167}",
		"beyond its buffer."},
		{POSITION "," INDEX, VIEW0 "," VIEW1, "", "\"buffer\" in the GLB file "
		"is 0, where there are 0"},
		{POSITION ",{\"bufferView\":1,\"componentType\":5123,\"count\":35,"
			"\"type\":\"SCALAR\"}", VIEW0 "," VIEW1, BUFFER,
		"fewer than three corners"},
		{POSITION ",{\"bufferView\":1,\"byteOffset\":2,\"componentType\":5123,"
			"\"count\":36,\"type\":\"SCALAR\"}", VIEW0 "," VIEW1, BUFFER,
		"beyond its buffer view"},
		{POSITION ",{\"bufferView\":1,\"componentType\":5126,\"count\":18,"
			"\"type\":\"SCALAR\"}", VIEW0 "," VIEW1, BUFFER,
		"does not fit its use"},
		{POSITION ",{\"bufferView\":1,\"componentType\":5123,\"count\":"
			"9007199254740990,\"type\":\"SCALAR\"}", VIEW0 "," VIEW1, BUFFER,
		"beyond its buffer view"},
		{"{\"componentType\":5126,\"count\":8,\"type\":\"VEC3\"}," INDEX,
		VIEW0 "," VIEW1, BUFFER, "has no buffer view"},
		{"{\"componentType\":5126,\"count\":4000000000,\"type\":\"VEC3\","
			"\"sparse\":{\"count\":1,\"indices\":{\"bufferView\":1,"
			"\"componentType\":5123},\"values\":{\"bufferView\":0}}}," INDEX,
		VIEW0 "," VIEW1, BUFFER, "has no buffer view"},
		{"{\"bufferView\":0,\"componentType\":5126,\"count\":8,\"type\":"
			"\"VEC3\",\"sparse\":{\"count\":9,\"indices\":{\"bufferView\":1,"
			"\"componentType\":5123},\"values\":{\"bufferView\":0}}}," INDEX,
		VIEW0 "," VIEW1, BUFFER, "what it replaces"},
		{"{\"bufferView\":0,\"componentType\":5126,\"count\":8,\"type\":"
			"\"VEC3\",\"sparse\":{\"count\":2,\"indices\":{\"bufferView\":0,"
			"\"componentType\":5121},\"values\":{\"bufferView\":0}}}," INDEX,
		VIEW0 "," VIEW1, BUFFER, "out of order"},
		{"{\"bufferView\":0,\"componentType\":5125,\"count\":8,\"type\":"
			"\"VEC3\"}," INDEX, VIEW0 "," VIEW1, BUFFER,
		"does not fit its use"},
		{"{\"bufferView\":0,\"componentType\":5126,\"count\":7,\"type\":"
			"\"VEC3\"}," INDEX, VIEW0 "," VIEW1, BUFFER,
		"uses vertex 7, where there are 7"},
		{POSITION "," INDEX, VIEW0 ",{\"buffer\":0,\"byteOffset\":96,"
			"\"byteLength\":72,\"extensions\":"
		"{\"EXT_meshopt_compression\":{}}}", BUFFER, "meshopt"},
		{POSITION "," INDEX, VIEW0 "," VIEW1, "{\"byteLength\":168,"
		"\"uri\":\"cube.bin\"}", "in another file"},
		{POSITION "," INDEX, VIEW0 "," VIEW1, "{\"byteLength\":168,"
		"\"uri\":\"data:text/plain;base64,AA*A\"}", "base 64"},
		{POSITION "," INDEX, VIEW0 "," VIEW1, "{\"byteLength\":168,"
			"\"uri\":\"data:text/plain;base64,AAAA\"}",
		"longer than what is there"}
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		Glb			glb = usual_cube();
		Bytes		json = {0};
		Bytes		bytes;
		MfMeasurement m;
		MfRefusal	refusal = {0};

		add_text(&json, "{\"meshes\":[{\"primitives\":[{\"attributes\":"
				 "{\"POSITION\":0},\"indices\":1}]}],\"accessors\":[");
		add_bytes(&json, cases[i].accessors, strlen(cases[i].accessors));
		add_text(&json, "],\"bufferViews\":[%s],\"buffers\":[%s]}",
				 cases[i].views, cases[i].buffer);
		bytes = wrap(&json, &glb.binary);
		ok(!measure(&bytes, MF_UNIT_MM, &m, &refusal) &&
		   (refusal.code == MF_ERROR_MALFORMED ||
			refusal.code == MF_ERROR_UNSUPPORTED) &&
		   strstr(refusal.text, cases[i].words) != NULL,
		   "refused: %s", cases[i].words);
		printf("# %s\n", refusal.text);
		free_bytes(&json);
		bytes = finish(&glb);
		free_bytes(&bytes);
	}
}

/* Headers, and chunks that are not there. */
static void
test_containers(void)
{
	static const struct
	{
		int			at;
		uint32_t	word;
		MfErrorCode wanted;
		const char *words;
	}			cases[] = {
		{4, 1, MF_ERROR_UNSUPPORTED, "version 1"},
		{8, 0x7fffffff, MF_ERROR_TRUNCATED, "too early"},
		{8, 12, MF_ERROR_MALFORMED, "does not begin"},
		{12, 0xffffffff, MF_ERROR_TRUNCATED, "too early"},
		{12, 4, MF_ERROR_MALFORMED, "not JSON"},
		{12, 0, MF_ERROR_MALFORMED, "not JSON"},
		{16, 0x004e4942, MF_ERROR_MALFORMED, "does not begin"}
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		Glb			glb = usual_cube();
		Bytes		bytes = finish(&glb);
		MfMeasurement m;
		MfRefusal	refusal = {0};

		memcpy(bytes.at + cases[i].at, &cases[i].word, 4);
		ok(!measure(&bytes, MF_UNIT_MM, &m, &refusal) &&
		   refusal.code == cases[i].wanted &&
		   strstr(refusal.text, cases[i].words) != NULL,
		   "refused: %s", cases[i].words);
		printf("# %s\n", refusal.text);
	}
}

/* What is noted: other primitives, skins, targets, extensions, trailing. */
static void
test_noted(void)
{
	Glb			glb = usual_cube();
	Bytes		bytes;
	MfMeasurement m;
	MfRefusal	refusal = {0};

	add_text(&glb.primitives, "{\"attributes\":{\"POSITION\":0},\"indices\":1,"
			 "\"targets\":[{\"POSITION\":0}]},{\"mode\":1},"
			 "{\"attributes\":{}}");
	glb.nodes = ",\"nodes\":[{\"mesh\":0,\"skin\":0},{\"mesh\":0,\"skin\":0,"
		"\"translation\":[20,0,0]}]";
	glb.top = ",\"extensionsUsed\":[\"KHR_materials_ior\",\"ACME_shape\","
		"\"ACME,\\\"\",\"KHR_mesh_quantization\"]";
	bytes = finish(&glb);
	add_bytes(&bytes, "more", 4);
	ok(measure(&bytes, MF_UNIT_MM, &m, &refusal) && m.bodies == 2 &&
	   defect_count(&m, MF_DEFECT_LEFT_OUT) == 2 &&
	   defect_count(&m, MF_DEFECT_TRAILING_BYTES) == 4 &&
	   defect_count(&m, MF_DEFECT_EXTENSIONS) == 4 &&
	   strcmp(m.extensions,
			  "ACME_shape, ACME???, morph targets, skins") == 0,
	   "noted: %s", m.extensions);

	glb = usual_cube();
	bytes = finish(&glb);
	ok(measure(&bytes, MF_UNIT_MM, &m, &refusal) && m.extensions[0] == '\0' &&
	   m.defect_count == 0, "nothing to note");
}

/* ---- what is large, and what is broken ---- */

/* The same bytes over and over: refused by counting, in little memory. */
static void
test_bombs(void)
{
	for (int kind = 0; kind < 4; kind++)
	{
		Glb			glb = {0};
		MfGeometryOptions options = {.memory_limit = 300 << 20};
		Bytes		json = {0};
		Bytes		bytes;
		MfMeasurement m;
		MfRefusal	refusal = {0};
		int		   *index = checked(calloc(300000, sizeof(*index)));

		/*
		 * Triangles, a strip of nothing but turns, sparse corners, and
		 * instances that are scaled away.
		 */
		for (int i = 0; kind == 0 && i < 300000; i++)
			index[i] = i % 8;
		add_corners(&glb, 0);
		add_indices(&glb, index, 300000, 1);
		add_text(&json, "{\"nodes\":[");
		for (int i = 0; i < 20000; i++)
			add_text(&json, kind == 3 ? "%s{\"mesh\":0,\"extensions\":"
					 "{\"EXT_mesh_gpu_instancing\":{\"attributes\":"
					 "{\"SCALE\":2}}}}" : "%s{\"mesh\":%d}", i > 0 ? "," : "",
					 i);
		add_text(&json, "],\"meshes\":[");
		for (int i = 0; i < 20000; i++)
			add_text(&json, "%s{\"primitives\":[{\"mode\":%d,\"attributes\":"
					 "{\"POSITION\":%d},\"indices\":1}]}", i > 0 ? "," : "",
					 kind == 1 ? 5 : 4, kind == 2 ? 2 : 0);
		add_text(&json, "]");
		if (kind == 2)
			add_accessor(&glb, -1, 5126, false, 100000, "VEC3",
						 ",\"sparse\":{\"count\":1,\"indices\":{\"bufferView\":"
						 "1,\"componentType\":5121},\"values\":"
						 "{\"bufferView\":0}}");
		if (kind == 3)
			add_accessor(&glb, 1, 5121, false, 100000, "VEC3", "");
		add_member(&json, "accessors", &glb.accessors);
		add_member(&json, "bufferViews", &glb.views);
		add_text(&json, ",\"buffers\":[{\"byteLength\":%zu}]}",
				 glb.binary.size);
		bytes = wrap(&json, &glb.binary);
		ok(!measure_bytes(bytes.at, bytes.size, &options, &m, &refusal) &&
		   sane_refusal(&refusal) && refusal.code == MF_ERROR_ARCHIVE_BOMB,
		   "a bomb of kind %d", kind);
		printf("# %s\n", refusal.text);
		free_bytes(&bytes);
		free_bytes(&json);
		bytes = finish(&glb);
		free_bytes(&bytes);
		free(index);
	}
}

/* Nested too deeply, and too many values. */
static void
test_deep(void)
{
	for (int kind = 0; kind < 4; kind++)
	{
		Glb			glb = usual_cube();
		Bytes		top = {0};
		Bytes		bytes;
		MfMeasurement m;
		MfRefusal	refusal = {0};

		add_text(&top, ",\"a\":");
		if (kind < 3)
		{
			const int	depth = kind == 0 ? 99 : kind == 1 ? 100 : 1000000;

			for (int i = 0; i < depth; i++)
				add_text(&top, "[");
			for (int i = 0; i < depth; i++)
				add_text(&top, "]");
		}
		else
		{
			add_text(&top, "[0");
			for (int i = 0; i < 4194304; i++)
				add_text(&top, ",0");
			add_text(&top, "]");
		}
		add_bytes(&top, "", 1);
		glb.top = (const char *) top.at;
		bytes = finish(&glb);
		if (kind == 0)
			is_cube("lists in 99 lists", bytes);
		else
			ok(!measure(&bytes, MF_UNIT_MM, &m, &refusal) &&
			   refusal.code == (kind < 3 ? MF_ERROR_MALFORMED :
								MF_ERROR_TOO_LARGE), "%s",
			   kind < 3 ? "not in more" : "no more than 4 million values");
		free_bytes(&top);
	}
}

/* Every beginning is refused, and every flipped bit answered. */
static void
test_broken(void)
{
	Glb			glb = usual_cube();
	Bytes		bytes;
	size_t		refused = 0;
	size_t		sane = 0;

	glb.nodes = ",\"scene\":0,\"scenes\":[{\"nodes\":[0,2]}],\"nodes\":["
		"{\"children\":[1],\"scale\":[1,2,-3]},{\"mesh\":0,\"rotation\":"
		"[0,0,1,0]},{\"mesh\":0,\"matrix\":[1,0,0,0,0,1,0,0,0,0,1,0,"
		"50,0,0,1]}]";
	bytes = finish(&glb);
	for (size_t size = 0; size < bytes.size; size++)
	{
		MfMeasurement m;
		MfRefusal	refusal;

		refused += !measure_bytes(bytes.at, size, NULL, &m, &refusal) &&
			sane_refusal(&refusal);
	}
	ok(refused == bytes.size, "cut off anywhere, it is refused");
	for (size_t bit = 0; bit < 8 * bytes.size; bit++)
	{
		bytes.at[bit / 8] ^= 1 << bit % 8;
		sane += answers_sanely(bytes.at, bytes.size);
		bytes.at[bit / 8] ^= 1 << bit % 8;
	}
	ok(sane == 8 * bytes.size, "a sane answer to each of %zu flipped bits",
	   8 * bytes.size);

	/* Digits are what matters most in the JSON: all of them, to each digit. */
	refused = sane = 0;
	for (size_t i = 20; i < bytes.size - 176; i++)
		for (char digit = '0'; digit <= '9'; digit++)
		{
			const uint8_t kept = bytes.at[i];

			if (kept < '0' || kept > '9')
				continue;
			bytes.at[i] = (uint8_t) digit;
			refused++;
			sane += answers_sanely(bytes.at, bytes.size);
			bytes.at[i] = kept;
		}
	ok(sane == refused && refused > 500, "and to %zu other digits", refused);
	free_bytes(&bytes);
}

int
main(void)
{
	Bytes		uri;
	MfMeasurement m;
	MfRefusal	refusal = {0};

	test_indices();
	test_no_indices();
	test_modes();
	test_quantized();
	test_sparse();
	test_other_forms();
	test_unit();
	test_nodes();
	test_many_nodes();
	test_instances();
	test_refused();
	test_data_refused();
	uri = with_uri("http://example.org/cube.bin");
	ok(!measure(&uri, MF_UNIT_MM, &m, &refusal) &&
	   refusal.code == MF_ERROR_UNSUPPORTED, "numbers in another file");
	test_containers();
	test_noted();
	test_bombs();
	test_deep();
	test_broken();
	return tap_done();
}
