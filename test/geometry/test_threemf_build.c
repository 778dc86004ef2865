/*
 * test_threemf_build.c
 *		3MF, the whole: what a build section puts together, extensions, parts
 *		of a package, limits of the XML, and damage of all kinds.
 */
#include "threemf_check.h"

/* What is built, and where it is. */
static void
test_build(void)
{
	static const struct
	{
		const char *name;
		double		mm;
	}			units[] = {
		{"micron", 0.001}, {"millimeter", 1}, {"centimeter", 10},
		{"inch", 25.4}, {"foot", 304.8}, {"meter", 1000}
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
	{
		char		text[8192];

		snprintf(text, sizeof(text), "<model " CORE "unit=\"%s\"><resources>"
				 CUBE_1 "</resources><build><item objectid=\"1\" transform="
				 "\"1 0 0 0 1 0 0 0 1 1 2 3\"/></build></model>",
				 units[i].name);
		ok(measure_model(text) &&
		   near(m.volume_mm3, 1000 * pow(units[i].mm, 3), 1e-14) &&
		   near(m.bbox_min[1], 2 * units[i].mm, 1e-15) &&
		   near(m.bbox_max[2], 13 * units[i].mm, 1e-15),
		   "%s: shift and size", units[i].name);
	}

	/* A row vector times the matrix: x goes to y. */
	ok(measure_model(ONE(CUBE_1, "<item objectid=\"1\" transform=\"0 1 0 "
						 "-1 0 0 0 0 2 100 200 300\"/>")) &&
	   m.bbox_min[0] == 90 && m.bbox_max[0] == 100 && m.bbox_min[1] == 200 &&
	   m.bbox_max[1] == 210 && m.bbox_max[2] == 320 && m.volume_mm3 == 2000,
	   "a turn, a stretch and a shift");

	/* The inner map comes first. */
	ok(measure_model(ONE(CUBE_1 OBJECT("2", "", COMPONENTS(
														   COMPONENT("1", "transform=\"2 0 0 0 2 0 0 0 2 1 0 0\""))) OBJECT("3",
																															"", COMPONENTS(COMPONENT("2",
																																					 "transform=\"0 1 0 -1 0 0 0 0 1 0 5 0\""))), ITEM("3"))) &&
	   m.volume_mm3 == 8000 && m.bbox_min[0] == -20 && m.bbox_max[0] == 0 &&
	   m.bbox_min[1] == 6 && m.bbox_max[1] == 26 && m.bbox_max[2] == 20,
	   "components in components");
	ok(measure_model(ONE(CUBE_1 OBJECT("2", "", COMPONENTS(
														   COMPONENT("1", "") COMPONENT("1",
																						"transform=\"-1 0 0 0 1 0 0 0 1 40 0 0\""))), ITEM("2")
						 "<item objectid=\"2\" transform=\"1 0 0 0 1 0 0 0 1 0 50 0\"/>"
						 ITEM("1"))) && m.triangles == 60 && m.volume_mm3 == 5000 &&
	   m.bbox_max[0] == 40 && m.bbox_max[1] == 60 && m.bodies == 5,
	   "mirrored, used twice, and on its own");
	ok(measure_model(ONE(CUBE_1 OBJECT("2", "type=\"support\"", CUBE)
						 OBJECT("3", "type=\"solidsupport\"", CUBE)
						 OBJECT("4", "type=\"surface\"", CUBE)
						 OBJECT("5", "type=\"other\"", CUBE)
						 OBJECT("6", "", COMPONENTS(
													COMPONENT("1", "") COMPONENT("5", "")))
						 OBJECT("7", "type=\"support\"",
								COMPONENTS(COMPONENT("1", ""))),
						 ITEM("2") ITEM("3") ITEM("4") ITEM("6") ITEM("6") ITEM("7"))) &&
	   is_cubes(2) && defect_count(&m, MF_DEFECT_LEFT_OUT) == 5 &&
	   find_defect(&m, MF_DEFECT_LEFT_OUT)->severity == MF_SEVERITY_INFO,
	   "what is no model is left out, and said to be");
	ok(measure_model(ONE(CUBE_1 OBJECT("2", "type=\"support\"", CUBE),
						 ITEM("1"))) && is_cubes(1) &&
	   find_defect(&m, MF_DEFECT_LEFT_OUT) == NULL,
	   "what is not built is not left out");
	refuses(ONE(OBJECT("1", "", COMPONENTS(COMPONENT("1", ""))), ITEM("1")),
			MF_ERROR_MALFORMED, "not defined before", "a component of itself");
	refuses(ONE(OBJECT("1", "", COMPONENTS(COMPONENT("2", ""))) OBJECT("2",
																	   "", CUBE), ITEM("1")), MF_ERROR_MALFORMED, "not defined before",
			"a component that comes later");
	refuses(ONE(OBJECT("1", "", COMPONENTS("")), ITEM("1")), MF_ERROR_EMPTY,
			"no triangles", "no components");
	refuses(ONE(OBJECT("1", "", COMPONENTS(COMPONENT("9", ""))), ITEM("1")),
			MF_ERROR_MALFORMED, "object 9", "a component of nothing");
}

/* Chains and trees of components, as deep and wide as they may be. */
static void
test_explosions(void)
{
	for (int depth = 1; depth <= 100; depth++)
	{
		Bytes		text = {0};
		bool		good;

		if (depth > 2 && depth < 60 && depth % 7 != 0)
			continue;
		add_text(&text, "<model " CORE "><resources>");
		add_bytes(&text, CUBE_1, strlen(CUBE_1));
		for (int i = 2; i <= depth; i++)
			add_text(&text, OBJECT("%d", "", COMPONENTS(
														COMPONENT("%d", ""))), i, i - 1);
		add_text(&text, "</resources><build><item objectid=\"%d\"/></build>"
				 "</model>", depth);
		add_bytes(&text, "", 1);
		good = measure_model((char *) text.at);
		if (depth <= MF_3MF_MAX_DEPTH)
			ok(good && is_cubes(1), "%d deep", depth);
		else if (depth < MF_3MF_MAX_DEPTH + 3)
			ok(!good && refusal.code == MF_ERROR_MALFORMED &&
			   strstr(refusal.text, "deep") != NULL, "%d: too deep", depth);
		free_bytes(&text);
	}
	for (int doubled = 1; doubled < 60; doubled += doubled < 14 ? 4 : 1)
	{
		Bytes		text = {0};
		bool		good;

		add_text(&text, "<model " CORE "><resources>");
		add_bytes(&text, CUBE_1, strlen(CUBE_1));
		for (int i = 2; i <= doubled + 1; i++)
			add_text(&text, OBJECT("%d", "", COMPONENTS(
														COMPONENT("%d", "") COMPONENT("%d", ""))), i, i - 1,
					 i - 1);
		add_text(&text, "</resources><build><item objectid=\"%d\"/></build>"
				 "</model>", doubled + 1);
		add_bytes(&text, "", 1);
		good = measure_model((char *) text.at);
		if (1 << (doubled < 30 ? doubled : 30) <= MF_MAX_INSTANCES)
			ok(good && m.triangles == 12 << doubled, "2^%d cubes", doubled);
		else if (doubled < 20 || doubled > 55)
			ok(!good && refusal.code == MF_ERROR_ARCHIVE_BOMB,
			   "2^%d cubes are too many", doubled);
		free_bytes(&text);
	}
}

/* A tree of nothing is not walked either. */
static void
test_empty_tree(void)
{
	Bytes		text = {0};

	add_text(&text, "<model " CORE "><resources>");
	add_bytes(&text, CUBE_1, strlen(CUBE_1));
	add_text(&text, OBJECT("2", "", COMPONENTS("")));
	for (int i = 3; i < 60; i++)
		add_text(&text, OBJECT("%d", "", COMPONENTS(
													COMPONENT("%d", "") COMPONENT("%d", ""))), i, i - 1, i - 1);
	add_text(&text, "</resources><build>" ITEM("59") ITEM("1")
			 "</build></model>");
	add_bytes(&text, "", 1);
	ok(measure_model((char *) text.at) && is_cubes(1), "2^57 times nothing");
	free_bytes(&text);
}

static void
test_extensions(void)
{
	char		text[MF_DEFECT_TEXT_MAX];
	const MfDefect *defect;

	refuses(MODEL(BEAMS "requiredextensions=\"b\"", CUBE_1, ITEM("1")),
			MF_ERROR_UNSUPPORTED, "\"beam lattice\"", "required beams");
	refuses(MODEL(MATERIAL SLICES "requiredextensions=\" m\ts \"", CUBE_1,
				  ITEM("1")), MF_ERROR_UNSUPPORTED, "\"slices\"",
			"required slices");
	refuses(MODEL("xmlns:q=\"urn:some:thing\" requiredextensions=\"q\"",
				  CUBE_1, ITEM("1")), MF_ERROR_UNSUPPORTED,
			"\"urn:some:thing\"", "an unknown one required");
	refuses(MODEL("requiredextensions=\"q\"", CUBE_1, ITEM("1")),
			MF_ERROR_MALFORMED, "\"q\" is required and not declared",
			"a prefix that is not declared");
	reads(MODEL(MATERIAL PRODUCTION "requiredextensions=\"m p\"", CUBE_1,
				ITEM("1")), "required materials and production");
	reads(MODEL("requiredextensions=\" \"", CUBE_1, ITEM("1")),
		  "nothing required");
	reads(MODEL(MATERIAL BEAMS "", CUBE_1, ITEM("1")), "only declared");
	ok(find_defect(&m, MF_DEFECT_EXTENSIONS) == NULL && m.extensions[0] == '\0',
	   "is not named");
	reads(MODEL(MATERIAL SLICES "xmlns:q=\"urn:x\"",
				"<m:colorgroup id=\"5\"><m:color color=\"#FFFFFF\"/>"
				"</m:colorgroup><m:texture2d/><q:any/>"
				OBJECT("1", "s:slicestackid=\"4\"", CUBE), ITEM("1")),
		  "used");
	defect = find_defect(&m, MF_DEFECT_EXTENSIONS);
	ok(defect != NULL && defect->severity == MF_SEVERITY_INFO &&
	   defect->count == 3 &&
	   strcmp(m.extensions, "materials, urn:x, slices") == 0,
	   "is named: %s", m.extensions);
	if (defect != NULL)
	{
		mf_measurement_describe_defect(&m, defect, text);
		ok(strstr(text, "materials, urn:x, slices") != NULL, "%s", text);
	}
}

/* Many long names of extensions are cut to what there is room for. */
static void
test_many_extensions(void)
{
	Bytes		text = {0};

	add_text(&text, "<model " CORE "><resources>");
	for (int i = 0; i < 500; i++)
		add_text(&text, "<a xmlns=\"urn:a-name-of-some-length:\303\244,%d\"/>",
				 i);
	add_bytes(&text, CUBE_1, strlen(CUBE_1));
	add_text(&text, "</resources><build>" ITEM("1") "</build></model>");
	add_bytes(&text, "", 1);
	ok(measure_model((char *) text.at) && is_cubes(1) &&
	   strlen(m.extensions) <= MF_MAX_EXTENSIONS &&
	   strstr(m.extensions, "urn:a-name-of-some-length:???0, urn:") != NULL,
	   "500 extensions: %s", m.extensions);
	free_bytes(&text);
}

#define PATH(path, id) \
	"<component p:path=\"" path "\" objectid=\"" id "\" transform=\"1 0 0 0 1 " \
	"0 0 0 1 100 0 0\"/>"
#define BY_PATH(path) \
	MODEL(PRODUCTION, OBJECT("1", "", COMPONENTS(PATH(path, "1"))), ITEM("1"))

static void
test_production(void)
{
	const Entry cube[] = {
		{.name = "3D/Parts/Cube.model",
		.text = ONE(CUBE_1 OBJECT("3", "type=\"other\"", CUBE), ITEM("3"))}
	};
	const Entry inches[] = {
		{.name = "3D/Parts/Cube.model",
		.text = MODEL("unit=\"inch\"", CUBE_1, "")}
	};
	const Entry cycle[] = {
		{.name = "3D/a.model",
			.text = MODEL(PRODUCTION, OBJECT("1", "", COMPONENTS(
																 PATH("/3D/3dmodel.model", "1"))), "")}
	};
	const Entry damaged[] = {
		{.name = "3D/a.model",.text = ONE(CUBE_1, ""),.wrong_sum = 1}
	};
	const Entry no_model[] = {
		{.name = "3D/a.model",.text = "<other/>"}
	};

	ok(measure_package(BY_PATH("/3D/Parts/Cube.model"), cube, 1) &&
	   is_cubes(1) && m.bbox_min[0] == 100, "a component of another part");
	ok(measure_package(BY_PATH("/3d/parts/%43ube.MODEL"), cube, 1) &&
	   is_cubes(1), "its name in another spelling");
	ok(measure_package(MODEL(PRODUCTION, "", "<item p:path=\"/3D/Parts/"
							 "Cube.model\" objectid=\"1\"/>"), cube, 1) &&
	   is_cubes(1), "an item of another part");
	ok(measure_package(BY_PATH("/3D/Parts/Cube.model"), inches, 1) &&
	   m.unit == MF_UNIT_MM && near(m.volume_mm3, 16387064, 1e-14) &&
	   m.bbox_min[0] == 100 && near(m.bbox_max[0], 354, 1e-15),
	   "a part in inches in a model in millimetres");
	refuses_package(BY_PATH("/3D/Parts/Other.model"), cube, 1,
					MF_ERROR_MALFORMED, "not in the package",
					"a part that is not there");
	refuses_package(BY_PATH("/3D/../../3D/Parts/Cube.model"), cube, 1,
					MF_ERROR_MALFORMED, "not in the package",
					"a part outside of the package");
	refuses_package(BY_PATH("3D/Parts/Cube.model"), cube, 1,
					MF_ERROR_MALFORMED, "not in the package",
					"a name without a slash");
	refuses_package(MODEL(PRODUCTION, OBJECT("1", "", COMPONENTS(
																 PATH("/3D/Parts/Cube.model", "2"))), ITEM("1")), cube, 1,
					MF_ERROR_MALFORMED, "object 2",
					"an object that the part does not have");
	refuses_package(BY_PATH("/3D/a.model"), cycle, 1, MF_ERROR_MALFORMED,
					"component of itself", "two parts of each other");
	refuses_package(BY_PATH("/3D/a.model"), damaged, 1, MF_ERROR_MALFORMED,
					"damaged", "a part that is damaged");
	refuses_package(BY_PATH("/3D/a.model"), no_model, 1, MF_ERROR_MALFORMED,
					"not a model of 3MF", "a part that is no model");
	refuses_package(BY_PATH("/3D/a.model"), no_model, 0, MF_ERROR_MALFORMED,
					"\"/3D/a.model\"", "a part that is missing");
}

/* What the package says about its first part. */
static void
test_package(void)
{
	static const struct
	{
		const char *relations;
		MfErrorCode code;
		const char *part;
	}			cases[] = {
		{RELATIONSHIPS(START_PART("/3D/m.model")), MF_ERROR_NONE, ""},
		{RELATIONSHIPS(START_PART("3D/M.model")), MF_ERROR_NONE, ""},
		{RELATIONSHIPS(START_PART("/3D/./x/../m.model")), MF_ERROR_NONE, ""},
		{RELATIONSHIPS(START_PART("/3D/%6D.model")), MF_ERROR_NONE, ""},
		{RELATIONSHIPS("<Relationship Id=\"t\" Type=\"urn:thumbnail\" "
					   "Target=\"/none\"/>" START_PART("/3D/m.model")),
		MF_ERROR_NONE, ""},
		{RELATIONSHIPS(START_PART("/3D/m.model") START_PART("/3D/m.model")),
		MF_ERROR_MALFORMED, "more than one"},
		{RELATIONSHIPS(START_PART("/../3D/m.model")), MF_ERROR_MALFORMED,
		"not in the package"},
		{RELATIONSHIPS(START_PART("/3D/%2e%2e/%2e%2e/3D/m.model")),
		MF_ERROR_MALFORMED, "not in the package"},
		{RELATIONSHIPS(START_PART("/3D%2Fm.model")), MF_ERROR_MALFORMED,
		"not in the package"},
		{RELATIONSHIPS(START_PART("/3D/%zz.model")), MF_ERROR_MALFORMED,
		"not in the package"},
		{RELATIONSHIPS(START_PART("")), MF_ERROR_MALFORMED,
		"not in the package"},
		{RELATIONSHIPS("<Relationship Type=\"http://schemas.microsoft.com/"
					   "3dmanufacturing/2013/01/3dmodel\" TargetMode="
					   "\"External\" Target=\"http://a/m.model\"/>"),
		MF_ERROR_MALFORMED, "not in the package"},
		{RELATIONSHIPS(""), MF_ERROR_UNSUPPORTED, "not a 3MF file"},
		{"<Relationships/>", MF_ERROR_UNSUPPORTED, "not a 3MF file"},
		{"", MF_ERROR_MALFORMED, "no element found"},
		{"x", MF_ERROR_MALFORMED, "Line 1 of _rels/.rels"},
		{NULL, MF_ERROR_UNSUPPORTED, "not a 3MF file"}
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		const Entry entry[] = {
			{.name = "3D/m.model",.text = ONE(CUBE_1, ITEM("1"))},
			{.name = "_rels/.rels",.text = cases[i].relations}
		};
		Archive		archive = {0};
		Bytes		bytes;
		bool		good;

		add_entry(&archive, &entry[0]);
		if (cases[i].relations != NULL)
			add_entry(&archive, &entry[1]);
		bytes = finish_archive(&archive, false);
		good = measure_bytes(bytes.at, bytes.size, NULL, &m, &refusal);
		ok(good ? cases[i].code == MF_ERROR_NONE && is_cubes(1) :
		   refusal.code == cases[i].code && sane_refusal(&refusal) &&
		   strstr(refusal.text, cases[i].part) != NULL,
		   "relationships %zu: %s", i, good ? "measured" :
		   mf_error_code_name(refusal.code));
		free_bytes(&bytes);
	}
}

static void
test_xml(void)
{
	Bytes		text = {0};

	refuses("<!DOCTYPE model><model/>", MF_ERROR_MALFORMED, "DOCTYPE",
			"a document type");
	refuses("<!DOCTYPE m [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><m>&b;"
			"</m>", MF_ERROR_MALFORMED, "DOCTYPE", "entities");
	refuses("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>"
			ONE(CUBE_1, ITEM("1")), MF_ERROR_MALFORMED, "ISO-8859-1",
			"another encoding");
	refuses("<?xml version=\"1.0\" encoding=\"UTF-16\"?>"
			ONE(CUBE_1, ITEM("1")), MF_ERROR_MALFORMED, "UTF-16",
			"an encoding that it is not in");
	refuses("\377\376<\1", MF_ERROR_MALFORMED, "UTF-8", "UTF-16");
	refuses(ONE(CUBE_1, ITEM("1")) "<model/>", MF_ERROR_MALFORMED, "junk",
			"a second root");
	refuses(ONE(CUBE_1 "\377", ITEM("1")), MF_ERROR_MALFORMED, "well-formed",
			"a byte that is not UTF-8");
	refuses(ONE(CUBE_1 "&undefined;", ITEM("1")), MF_ERROR_MALFORMED,
			"undefined entity", "an entity that is not defined");
	refuses("<model xmlns=\"urn:x\"/>", MF_ERROR_MALFORMED, "not a model",
			"a model of another namespace");
	refuses("<model/>", MF_ERROR_MALFORMED, "not a model", "of none");

	add_text(&text, "<model " CORE ">");
	for (int i = 0; i < 100000; i++)
		add_text(&text, "<a>");
	add_bytes(&text, "", 1);
	refuses((char *) text.at, MF_ERROR_MALFORMED, "64 deep", "too deep");
	text.size = 0;
	add_text(&text, "<model " CORE);
	for (int i = 0; i < 20000; i++)
		add_text(&text, " a%d=\"\"", i);
	add_bytes(&text, "/>", 3);
	refuses((char *) text.at, MF_ERROR_MALFORMED, "20000 attributes",
			"attributes");
	text.size = 0;
	add_text(&text, "<model " CORE);
	for (int i = 0; i < 100; i++)
		add_text(&text, " xmlns:a%d=\"urn:%d\"", i, i);
	add_bytes(&text, "/>", 3);
	refuses((char *) text.at, MF_ERROR_MALFORMED, "more than 64 prefixes",
			"prefixes");
	text.size = 0;
	add_text(&text, "<model " CORE "><!-- ");
	for (int i = 0; i < 100000; i++)
		add_text(&text, "<vertices>%d", i);
	add_text(&text, "--></model>");
	add_bytes(&text, "", 1);
	refuses((char *) text.at, MF_ERROR_MALFORMED, "too long",
			"a comment of tags");
	text.size = 0;
	add_text(&text, "<model " CORE ">");
	for (int i = 0; i < 300000; i++)
		add_text(&text, "<a%d/>", i);
	add_bytes(&text, "", 1);
	refuses((char *) text.at, MF_ERROR_ARCHIVE_BOMB, "more names",
			"different names");
	text.size = 0;
	add_text(&text, "<model " CORE ">");
	for (int i = 0; i < 1001; i++)
		add_text(&text, "<metadata name=\"%d\"/>", i);
	add_text(&text, "</model>");
	add_bytes(&text, "", 1);
	refuses((char *) text.at, MF_ERROR_ARCHIVE_BOMB, "1000 entries",
			"metadata");
	text.size = 0;
	add_text(&text, "<model " CORE "><resources>");
	for (int i = 1; i <= MF_3MF_MAX_OBJECTS + 1; i++)
		add_text(&text, "<object id=\"%d\"><mesh/></object>", i);
	add_bytes(&text, "", 1);
	refuses((char *) text.at, MF_ERROR_ARCHIVE_BOMB, "100000 objects",
			"objects");
	text.size = 0;
	add_text(&text, "<model " CORE "><resources>");
	add_bytes(&text, CUBE_1, strlen(CUBE_1));
	add_text(&text, "</resources><build>");
	for (int i = 0; i <= MF_MAX_INSTANCES; i++)
		add_text(&text, ITEM("1"));
	add_bytes(&text, "", 1);
	refuses((char *) text.at, MF_ERROR_ARCHIVE_BOMB, "100000 times", "items");
	free_bytes(&text);
}

/* Reads and settles a package; what it took must all be given back. */
static bool
gives_back(const Bytes *bytes)
{
	MfRefusal	why = {0};
	MfJob		job = {
		.bytes = bytes->at,.size = bytes->size,.refusal = &why,
		.max_triangles = MF_DEFAULT_MAX_TRIANGLES,.unit_in_mm = 1,
		.unit_name = "mm",.share = 1
	};
	MfScene		scene = {0};
	MfFormat	format;
	const bool	good = mf_scene_read(&job, &scene, &format);

	mf_scene_free(&job, &scene);
	return job.memory.used == 0 && (good || sane_refusal(&why));
}

static const char sample[] =
"<?xml version=\"1.0\"?>\n<model unit=\"inch\" " CORE PRODUCTION MATERIAL
"requiredextensions=\"p\"><metadata name=\"a\">b</metadata><resources>\n"
CUBE_1 "<m:colorgroup id=\"9\"><m:color color=\"#FFF\"/></m:colorgroup>"
OBJECT("2", "type=\"model\" p:UUID=\"1\"", COMPONENTS(COMPONENT("1",
																"transform=\"1 0 0 0 1 0 0 0 1 -5 2.5e1 .5\"") COMPONENT("1", "")))
"\n</resources><build>" ITEM("2") "<item objectid=\"1\" transform=\"0 1 0 1 "
"0 0 0 0 1 0 0 30\"/></build></model>\n";

/* Every beginning, every flipped bit, every byte changed in the model. */
static void
test_damage(void)
{
	const size_t size = strlen(sample);
	Bytes		whole = package_of(sample, 0, true, NULL, 0);
	char	   *text = checked(malloc(size));
	uint64_t	state = 5;
	int			wrong = 0;
	int			read = 0;

	ok(gives_back(&whole) && measure_model(sample) && m.triangles == 36,
	   "the sample is read");
	for (size_t length = 0; length < whole.size; length++)
	{
		const bool	good = measure_bytes(whole.at, length, NULL, &m, &refusal);

		wrong += good || !sane_refusal(&refusal);
	}
	ok(wrong == 0, "every beginning of the file, %zu, is refused", whole.size);

	wrong = 0;
	for (size_t bit = 0; bit < 8 * whole.size; bit++)
	{
		whole.at[bit / 8] ^= 1 << bit % 8;
		wrong += !gives_back(&whole);
		whole.at[bit / 8] ^= 1 << bit % 8;
	}
	ok(wrong == 0, "%zu flipped bits", 8 * whole.size);
	free_bytes(&whole);

	wrong = 0;
	for (size_t length = 0; length < size - 1; length++)
	{
		Bytes		bytes = package_of(length > 0 ? sample : "", length, false,
									   NULL, 0);

		wrong += measure_bytes(bytes.at, bytes.size, NULL, &m, &refusal) ||
			!gives_back(&bytes);
		free_bytes(&bytes);
	}
	ok(wrong == 0, "every beginning of the model, %zu, is refused", size - 1);

	wrong = 0;
	for (size_t i = 0; i < 20000; i++)
	{
		static const char replacements[] = "<>\"'/= 0917eE-+.,&;!?[]\n\0\200z";
		Bytes		bytes;

		memcpy(text, sample, size);
		for (size_t k = 0; k <= i % 3; k++)
			text[next_random(&state) % size] =
				replacements[next_random(&state) % (sizeof(replacements) - 1)];
		bytes = package_of(text, size, false, NULL, 0);
		wrong += !gives_back(&bytes) || !answers_sanely(bytes.at, bytes.size);
		read += measure_bytes(bytes.at, bytes.size, NULL, &m, &refusal);
		free_bytes(&bytes);
	}
	ok(wrong == 0 && read > 0, "20,000 changed models, %d of them read", read);
	free(text);
}

/* Whatever memory there is, the answer is a clean one. */
static void
test_memory(void)
{
	Bytes		bytes = package_of(sample, 0, true, NULL, 0);
	int			refused = 0;
	int			wrong = 0;
	bool		good = false;

	for (uint64_t limit = 1; !good && limit < 64 << 20;
		 limit += limit < 100000 ? 211 : limit / 64)
	{
		MfGeometryOptions options = {.memory_limit = limit};

		good = measure_bytes(bytes.at, bytes.size, &options, &m, &refusal);
		refused += !good;
		wrong += !good && refusal.code != MF_ERROR_OUT_OF_MEMORY;
	}
	ok(good && refused > 100 && wrong == 0,
	   "%d limits of memory that are too low", refused);
	free_bytes(&bytes);
}

int
main(void)
{
	test_build();
	test_explosions();
	test_empty_tree();
	test_extensions();
	test_many_extensions();
	test_production();
	test_package();
	test_xml();
	test_damage();
	test_memory();
	return tap_done();
}
