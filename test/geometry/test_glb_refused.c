/*
 * test_glb_refused.c
 *		GLB: with which words what is no GLB is refused, and what is noted.
 */
#include "glb_check.h"

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
	test_refused();
	test_data_refused();
	test_containers();
	test_noted();
	test_bombs();
	test_deep();
	test_broken();
	return tap_done();
}
