/*
 * test_glb.c
 *		GLB: the same cube in every form that the format has, and the tree of
 *		nodes.
 */
#include "glb_check.h"

/* ---- the cube in all forms ---- */

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
	uri = with_uri("http://example.org/cube.bin");
	ok(!measure(&uri, MF_UNIT_MM, &m, &refusal) &&
	   refusal.code == MF_ERROR_UNSUPPORTED, "numbers in another file");
	return tap_done();
}
