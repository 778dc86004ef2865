/*
 * test_threemf.c
 *		3MF, one model: every legal spelling of the same part, and every
 *		refusal of a wrong one.
 */
#include "threemf_check.h"

#define VERTICES_WITH(first) \
	OBJECT("1", "", MESH("<vertices>" first CUBE_VERTICES_BUT_ONE \
						 CUBE_TRIANGLES))
#define CUBE_VERTICES_BUT_ONE \
	"<vertex x=\"10\" y=\"0\" z=\"0\"/><vertex x=\"0\" y=\"10\" z=\"0\"/>" \
	"<vertex x=\"10\" y=\"10\" z=\"0\"/><vertex x=\"0\" y=\"0\" z=\"10\"/>" \
	"<vertex x=\"10\" y=\"0\" z=\"10\"/><vertex x=\"0\" y=\"10\" z=\"10\"/>" \
	"<vertex x=\"10\" y=\"10\" z=\"10\"/></vertices>"
#define TRIANGLES_WITH(more) \
	OBJECT("1", "", MESH(CUBE_VERTICES "<triangles>" more "</triangles>"))

#define VERTEX_ELSEWHERE	"<vertex x=\"99\" y=\"99\" z=\"99\"/>"

static void
test_spellings(void)
{
	static const char *const vertices[] = {
		"<vertex x='0' y=\"0\" z='0'/>",
		"<vertex z=\"0\" x=\"0\" y=\"0\"/>",
		"<vertex   x=\"0\"\n\ty=\"0\"\r\nz=\"0\"  />",
		"<vertex x =\"0\" y= \"0\" z = \"0\"/>",
		"<vertex x=\"0\" y=\"0\" z=\"0\"></vertex>",
		"<vertex x=\"0\" y=\"0\" z=\"0\"><other/>text</vertex>",
		"<vertex x=\" 0 \" y=\"\t0\" z=\"0\n\"/>",
		"<vertex x=\"+0\" y=\"-0\" z=\"0.\"/>",
		"<vertex x=\".0\" y=\"0e5\" z=\"0E-999\"/>",
		"<vertex x=\"&#48;\" y=\"&#x30;\" z=\"0\"/>",
		"<!-- <vertex x=\"1\" y=\"1\" z=\"1\"/> --><vertex x=\"0\" y=\"0\" z=\"0\"/>",
		"<![CDATA[<vertex x=\"1\" y=\"1\" z=\"1\"/>]]><vertex x=\"0\" y=\"0\" z=\"0\"/>",
		"<?any <vertex x=\"1\" y=\"1\" z=\"1\"/>?><vertex x=\"0\" y=\"0\" z=\"0\"/>",
		"some text <vertex x=\"0\" y=\"0\" z=\"0\"/>",
		"<vertex x=\"0\" y=\"0\" z=\"0\" more=\"1\"/>",
		"<vertex x=\"0\" y=\"0\" z=\"0\" xmlns:a=\"b\" a:x=\"9\"/>",
		"<vertex xmlns=\"" MF_3MF_CORE "\" x=\"0\" y=\"0\" z=\"0\"/>",
		"<c:vertex xmlns:c=\"" MF_3MF_CORE "\" x=\"0\" y=\"0\" z=\"0\"/>",
		"<vertex xmlns=\"urn:x\" x=\"1\" y=\"1\" z=\"1\"/><vertex x=\"0\" y=\"0\" z=\"0\"/>",
		"<a xmlns=\"urn:x\"><vertex x=\"1\" y=\"1\" z=\"1\"/></a><vertex x=\"0\" y=\"0\" z=\"0\"/>"
	};
	const char *model = ONE(VERTICES_WITH("@"), ITEM("1"));
	const char *at = strchr(model, '@');

	for (size_t i = 0; i < sizeof(vertices) / sizeof(vertices[0]); i++)
	{
		char		text[8192];

		snprintf(text, sizeof(text), "%.*s%s%s", (int) (at - model), model,
				 vertices[i], at + 1);
		reads(text, vertices[i]);
	}
	reads(ONE(CUBE_1, ITEM("1")), "the plain cube");
	reads("<?xml version=\"1.0\" encoding=\"utf-8\" standalone=\"yes\"?>\r\n"
		  ONE(CUBE_1, ITEM("1")) "\n<!-- end -->\n", "with a declaration");
	reads("\357\273\277<?xml version=\"1.0\"?>" ONE(CUBE_1, ITEM("1")),
		  "with a byte order mark");
	reads("<c:model xmlns:c=\"" MF_3MF_CORE "\"><c:resources><c:object id="
		  "\"1\" xmlns=\"" MF_3MF_CORE "\">" CUBE "</c:object></c:resources>"
		  "<c:build><c:item objectid=\"1\"/></c:build></c:model>",
		  "with prefixes");
	ok(measure_model(ONE(CUBE_1
						 "<c:object xmlns:c=\"" MF_3MF_CORE "\" xmlns=\"urn:x\" id=\"2\">"
						 "<c:mesh><c:vertices>" VERTEX_ELSEWHERE "<c:vertex x=\"20\" "
						 "y=\"0\" z=\"0\"/>" VERTEX_ELSEWHERE "<c:vertex x=\"30\" y=\"0\" "
						 "z=\"0\"/><c:vertex x=\"20\" y=\"1\" z=\"0\"/></c:vertices>"
						 "<c:triangles><triangle v1=\"0\" v2=\"1\" v3=\"1\"/><c:triangle "
						 "v1=\"0\" v2=\"1\" v3=\"2\"/></c:triangles></c:mesh></c:object>",
						 ITEM("1") ITEM("2")) PADDING) && m.triangles == 13 && m.vertices == 11 &&
	   m.bbox_max[0] == 30,
	   "elements of another namespace between prefixed ones");
	reads(ONE(OBJECT("+001", "type=\"model\"", CUBE), ITEM(" 1 ")),
		  "ids of other spellings");
	reads(ONE(CUBE_1, "<item objectid=\"1\" transform=\" 1 0 0\n0 1 0\t0 0 1"
			  "  -5 +7 1e1 \"/>"), "a transform with all kinds of space");
	reads(MODEL("unit=\" millimeter \" xml:lang=\"en\"", CUBE_1, ITEM("1")),
		  "a unit with space around it");
	reads("<model " CORE "><metadata name=\"Title\">T</metadata><metadata "
		  "name=\"title\">x</metadata><resources><basematerials id=\"7\">"
		  "<base name=\"a\" displaycolor=\"#FFF\"/></basematerials>" CUBE_1
		  "</resources><build>" ITEM("1") "</build></model>",
		  "metadata and materials");
	reads(ONE(OBJECT("1", "", "<metadatagroup><metadata name=\"a\">1"
					 "</metadata></metadatagroup>" CUBE), ITEM("1")),
		  "metadata of an object");
	reads(ONE(OBJECT("1", "pid=\"7\" pindex=\"0\"",
					 MESH(CUBE_VERTICES CUBE_TRIANGLES
						  "<trianglesets xmlns=\"urn:x\"><vertices/>"
						  "</trianglesets>")), ITEM("1")),
		  "an element of its own in a mesh");
	reads(ONE(CUBE_1, ITEM("1") "<item objectid=\"1\" xmlns=\"urn:x\"/>"),
		  "an item of another namespace");
}

/* Properties of triangles are skipped where they stand. */
static void
test_properties(void)
{
	static const char *const first[] = {
		"<triangle v1=\"0\" v2=\"2\" v3=\"3\" pid=\"1\" p1=\"0\"/>",
		"<triangle pid=\"1\" v1=\"0\" p1=\"7\" v2=\"2\" p2=\"8\" v3=\"3\" p3=\"9\"/>",
		"<triangle  v3='3'  v2='2'  v1='0'  pid='1' />",
		"<triangle v1=\" 0\" v2=\"2 \" v3=\"+3\"/>",
		"<triangle v1=\"00000000000000\" v2=\"002\" v3=\"3\"/>",
		"<triangle v1=\"0\" v2=\"2\" v3=\"3\"></triangle>",
		"<triangle v1=\"0\" v2=\"2\" v3=\"3\" px=\"1\" v4=\"9\" pjd=\"2\"/>"
	};
	const char *model = ONE(CUBE_1, ITEM("1"));
	const char *plain = "<triangle v1=\"0\" v2=\"2\" v3=\"3\"/>";
	const char *at = strstr(model, plain);

	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
	{
		char		text[8192];

		snprintf(text, sizeof(text), "%.*s%s%s", (int) (at - model), model,
				 first[i], at + strlen(plain));
		reads(text, first[i]);
	}
}

static void
test_numbers(void)
{
	static const struct
	{
		const char *vertex;
		MfErrorCode code;
		const char *part;
	}			wrong[] = {
		{"x=\"0,5\" y=\"0\" z=\"0\"", MF_ERROR_MALFORMED, "\"0,5\" has a comma"},
		{"x=\"nan\" y=\"0\" z=\"0\"", MF_ERROR_NON_FINITE, "\"nan\""},
		{"x=\"0\" y=\"-INF\" z=\"0\"", MF_ERROR_NON_FINITE, "\"-INF\""},
		{"x=\"0\" y=\"0\" z=\"1e999\"", MF_ERROR_NON_FINITE, "\"1e999\""},
		{"x=\"0x10\" y=\"0\" z=\"0\"", MF_ERROR_MALFORMED, "\"0x10\" found"},
		{"x=\"\" y=\"0\" z=\"0\"", MF_ERROR_MALFORMED, "\"\" found"},
		{"x=\" \" y=\"0\" z=\"0\"", MF_ERROR_MALFORMED, "\" \" found"},
		{"x=\"1 2\" y=\"0\" z=\"0\"", MF_ERROR_MALFORMED, "\"1 2\" found"},
		{"x=\"0\" y=\"0\"", MF_ERROR_MALFORMED, "without x, y and z"},
		{"", MF_ERROR_MALFORMED, "without x, y and z"},
		{"x=\"0\" y=\"0\" z=\"0\" x=\"0\"", MF_ERROR_MALFORMED, "duplicate"},
		{"x=\"0\" y=\"0\" z=\"0\" q:x=\"0\"", MF_ERROR_MALFORMED, "unbound"},
		{"x=0 y=\"0\" z=\"0\"", MF_ERROR_MALFORMED, "well-formed"},
		{"x=\"0\"y=\"0\" z=\"0\"", MF_ERROR_MALFORMED, "well-formed"},
		{"x=\"0' y=\"0\" z=\"0\"", MF_ERROR_MALFORMED, "well-formed"},
		{"x=\"0\" y=\"<\" z=\"0\"", MF_ERROR_MALFORMED, "well-formed"}
	};
	const char *model = ONE(VERTICES_WITH("<vertex @/>"), ITEM("1"));
	const char *at = strchr(model, '@');

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
	{
		char		text[8192];

		snprintf(text, sizeof(text), "%.*s\n\n%s%s", (int) (at - model), model,
				 wrong[i].vertex, at + 1);
		refuses(text, wrong[i].code, wrong[i].part, wrong[i].vertex);
		ok(strncmp(refusal.text, "Line ", 5) == 0, "... which names the line");
	}
}

#define CORNERS(first, second, third) \
	ONE(TRIANGLES_WITH("<triangle v1=\"" first "\" v2=\"" second "\" v3=\"" \
					   third "\"/>"), ITEM("1"))

static void
test_triangles(void)
{
	refuses(CORNERS("0", "1", "8"), MF_ERROR_MALFORMED, "vertex 8 is used",
			"a vertex too many");
	refuses(CORNERS("0", "1", "4294967296"), MF_ERROR_MALFORMED,
			"\"4294967296\"", "a vertex beyond 32 bits");
	refuses(CORNERS("0", "1", "-1"), MF_ERROR_MALFORMED, "\"-1\"",
			"a vertex before the first");
	refuses(CORNERS("0", "1", "1.0"), MF_ERROR_MALFORMED, "\"1.0\"",
			"a vertex with a point");
	refuses(CORNERS("0", "1", ""), MF_ERROR_MALFORMED, "\"\"", "no number");
	refuses(CORNERS("+", "1", "2"), MF_ERROR_MALFORMED, "\"+\"", "a sign");
	refuses(ONE(TRIANGLES_WITH("<triangle v1=\"0\" v2=\"1\"/>"), ITEM("1")),
			MF_ERROR_MALFORMED, "without v1, v2 and v3", "two corners");
	refuses(ONE(TRIANGLES_WITH("<triangle v1=\"0\" v2=\"1\" v2=\"2\"/>"),
				ITEM("1")), MF_ERROR_MALFORMED, "duplicate", "v2 twice");
	refuses(ONE(TRIANGLES_WITH(""), ITEM("1")), MF_ERROR_EMPTY,
			"no triangles", "no triangles");
	refuses(ONE(OBJECT("1", "", MESH("")), ITEM("1")), MF_ERROR_EMPTY,
			"no triangles", "an empty mesh");
	refuses(ONE(OBJECT("1", "", MESH(CUBE_TRIANGLES CUBE_VERTICES)),
				ITEM("1")), MF_ERROR_MALFORMED, "before its vertices",
			"triangles before vertices");
	refuses(ONE(OBJECT("1", "", MESH(CUBE_VERTICES CUBE_VERTICES
									 CUBE_TRIANGLES)), ITEM("1")),
			MF_ERROR_MALFORMED, "\"vertices\" is there twice",
			"vertices twice");
	ok(measure_model(ONE(OBJECT("1", "", MESH(
											  CUBE_VERTICES "<triangles><triangle v1=\"0\" v2=\"2\" v3=\"3\"/>"
											  "<triangle v1=\"5\" v2=\"5\" v3=\"1\"/></triangles>")), ITEM("1"))) &&
	   m.triangles == 2 &&
	   defect_count(&m, MF_DEFECT_DEGENERATE_TRIANGLES) == 1,
	   "a corner twice is a degenerate triangle");
}

static void
test_objects(void)
{
	refuses(ONE(CUBE_1 CUBE_1, ITEM("1")), MF_ERROR_MALFORMED,
			"two objects with the id 1", "an id twice");
	refuses(ONE(CUBE_1, ITEM("2")), MF_ERROR_MALFORMED,
			"object 2, which does not exist", "an item of nothing");
	refuses(ONE(CUBE_1, "<item/>"), MF_ERROR_MALFORMED, "without the id",
			"an item without an id");
	refuses(ONE(OBJECT("0", "", CUBE), ITEM("0")), MF_ERROR_MALFORMED,
			"\"0\" found", "id 0");
	refuses(ONE(OBJECT("2147483648", "", CUBE), ITEM("1")),
			MF_ERROR_MALFORMED, "found", "an id beyond 31 bits");
	refuses(ONE("<object>" CUBE "</object>", ITEM("1")), MF_ERROR_MALFORMED,
			"without the id", "an object without an id");
	refuses(ONE(OBJECT("1", "", CUBE CUBE), ITEM("1")), MF_ERROR_MALFORMED,
			"\"mesh\" is there twice", "two meshes");
	refuses(ONE(OBJECT("1", "", ""), ITEM("1")), MF_ERROR_MALFORMED,
			"neither", "an empty object");
	refuses(ONE(CUBE_1 OBJECT("2", "", CUBE "<components/>"), ITEM("1")),
			MF_ERROR_MALFORMED, "a mesh and components",
			"a mesh and components");
	refuses(ONE(CUBE_1 OBJECT("2", "", "<components/>" CUBE), ITEM("1")),
			MF_ERROR_MALFORMED, "a mesh and components",
			"components and a mesh");
	refuses(ONE(OBJECT("1", "type=\"solid\"", CUBE), ITEM("1")),
			MF_ERROR_MALFORMED, "\"solid\"", "a type that is none");
	refuses(ONE(OBJECT("1", "type=\"other\"", CUBE), ITEM("1")),
			MF_ERROR_MALFORMED, "of the type \"other\"",
			"an item of the type other");
	refuses(ONE(CUBE_1, "<item objectid=\"1\" transform=\"1 0 0 0 1 0 0 0 1 "
				"0 0\"/>"), MF_ERROR_MALFORMED, "11 numbers",
			"a transform of 11 numbers");
	refuses(ONE(CUBE_1, "<item objectid=\"1\" transform=\"\"/>"),
			MF_ERROR_MALFORMED, "0 numbers", "a transform of none");
	refuses(ONE(CUBE_1, "<item objectid=\"1\" transform=\"1 0 0 0 1 0 0 0 1 "
				"0 0 0,5\"/>"), MF_ERROR_MALFORMED, "comma",
			"a transform with a comma");
	refuses(ONE(CUBE_1, "<item objectid=\"1\" transform=\"1 0 0 0 1 0 0 0 1 "
				"0 0 1e300\"/>"), MF_ERROR_MALFORMED, "10 km",
			"a transform to nowhere");
	refuses(ONE(CUBE_1, ""), MF_ERROR_EMPTY, "no triangles",
			"nothing to build");
	refuses("<model " CORE "><resources>" CUBE_1 "</resources></model>",
			MF_ERROR_MALFORMED, "no build section", "no build section");
	refuses("<model " CORE "><resources>" CUBE_1 "</resources><build>"
			ITEM("1") "</build><build>" ITEM("1") "</build></model>",
			MF_ERROR_MALFORMED, "\"build\" is there twice", "two of them");
	refuses("<model " CORE "><metadata name=\"a\"/><metadata name=\"a\"/>"
			"<resources/><build/></model>", MF_ERROR_MALFORMED,
			"\"a\" twice", "metadata twice");
	refuses("<model " CORE "><metadata>x</metadata><resources/><build/>"
			"</model>", MF_ERROR_MALFORMED, "without a name",
			"metadata without a name");
	refuses(MODEL("unit=\"yard\"", CUBE_1, ITEM("1")), MF_ERROR_MALFORMED,
			"\"yard\"", "a unit that is none");
	refuses(MODEL("unit=\"Millimeter\"", CUBE_1, ITEM("1")),
			MF_ERROR_MALFORMED, "\"Millimeter\"", "a unit in capitals");
}

int
main(void)
{
	test_spellings();
	test_properties();
	test_numbers();
	test_triangles();
	test_objects();
	return tap_done();
}
