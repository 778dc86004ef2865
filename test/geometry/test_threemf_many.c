/*
 * test_threemf_many.c
 *		3MF with very much of something: what that may cost.
 */
#include "threemf_check.h"

/* A corner of a cube, spelled so that there are no runs. */
#define V(x, y, z)	"<vertex x=\"" x "\" y=\"" y "\" z=\"" z "\"></vertex>"
#define T(a, b, c)	"<triangle v1=\"" a "\" v2=\"" b "\" v3=\"" c "\"></triangle>"
#define CORNER_MESH \
	MESH("<vertices>" V("0", "0", "0") V("6", "0", "0") V("0", "6", "0") \
		 V("0", "0", "6") "</vertices><triangles>" T("0", "2", "1") \
		 T("0", "1", "3") T("1", "2", "3") T("2", "0", "3") "</triangles>")

/* Adds a text that may be long, and is no format. */
#define ADD(text, words)	add_bytes(text, words, sizeof(words) - 1)

static const MfGeometryOptions basic = {.basic = true};

/* Measures a model as it is after this; the text is given back. */
static bool
measure_text(Bytes *text, const MfGeometryOptions *options)
{
	Bytes		bytes = package_of((char *) text->at, text->size, true, NULL, 0);
	const bool	good = measure_bytes(bytes.at, bytes.size, options, &m,
									 &refusal);

	if (!good)
		printf("# %s\n", refusal.text);
	free_bytes(&bytes);
	free_bytes(text);
	return good;
}

/*
 * As many places as there may be, of an object with as many components as
 * there may be, of which one is something: looking at all of them in each
 * place would take 10 billion looks.
 */
static void
test_empty_components(void)
{
	Bytes		text = {0};
	const int	places = MF_MAX_INSTANCES - 1;

	ADD(&text, "<model " CORE "><resources>"
		OBJECT("1", "type=\"support\"", CORNER_MESH)
		OBJECT("2", "", CORNER_MESH) "<object id=\"3\"><components>");
	for (int i = 0; i < MF_MAX_INSTANCES - 1; i++)
		add_text(&text, "<component objectid=\"%d\"/>",
				 i == places / 2 ? 2 : 1);
	add_text(&text, "</components></object></resources><build>");
	for (int i = 0; i < places; i++)
		add_text(&text, "<item objectid=\"3\" transform=\"1 0 0 0 1 0 0 0 1 "
				 "%d %d 0\"/>", i % 300 * 10, i / 300 * 10);
	add_text(&text, "</build></model>");
	ok(measure_text(&text, &basic) && m.bodies == places &&
	   m.triangles == 4 * places && m.volume_mm3 == 36.0 * places &&
	   defect_count(&m, MF_DEFECT_LEFT_OUT) == 1,
	   "%d places of one part among many that are none", places);
}

/*
 * Objects of a few triangles, in memory as it is allowed for a file of that
 * size: 64 MB and four times what it is when inflated.
 */
static void
test_small_objects(void)
{
	Bytes		text = {0};
	const int	objects = 4000;
	MfGeometryOptions options = {.basic = true};

	add_text(&text, "<model " CORE "><resources>");
	for (int i = 1; i <= objects; i++)
		add_text(&text, OBJECT("%d", "", CORNER_MESH), i);
	add_text(&text, "</resources><build>");
	for (int i = 1; i <= objects; i++)
		add_text(&text, "<item objectid=\"%d\" transform=\"1 0 0 0 1 0 0 0 1 "
				 "%d 0 0\"/>", i, i * 10);
	add_text(&text, "</build></model>");
	options.memory_limit = (UINT64_C(64) << 20) + 4 * text.size;
	ok(measure_text(&text, &options) && m.bodies == objects &&
	   m.volume_mm3 == 36.0 * objects,
	   "%d small objects, spelled out", objects);
}

/* Names of metadata are compared, so they must not be long. */
static void
test_long_names(void)
{
	for (int more = 0; more < 2; more++)
	{
		const int	length = MF_3MF_MAX_NAME + more;
		Bytes		text = {0};
		bool		good;

		add_text(&text, "<model " CORE "><metadata name=\"");
		for (int i = 0; i < length; i++)
			add_text(&text, "n");
		ADD(&text, "\">x</metadata><resources>" CUBE_1 "</resources><build>"
			ITEM("1") "</build></model>");
		good = measure_text(&text, NULL);
		if (more == 0)
			ok(good && is_cubes(1), "metadata with a name of %d bytes", length);
		else
			ok(!good && refusal.code == MF_ERROR_MALFORMED &&
			   strstr(refusal.text, "name of more than 1024") != NULL,
			   "metadata with a name of %d bytes", length);
	}
}

/* An extension counts once, however often it is used, if it is named. */
static void
test_used_extensions(void)
{
	Bytes		text = {0};
	int			named = 1;

	add_text(&text, "<model " CORE "><resources>");
	for (int i = 0; i < 3000; i++)
		add_text(&text, "<a xmlns=\"urn:a-name-of-some-length:%d\"/>",
				 i % 1000);
	ADD(&text, CUBE_1 "</resources><build>" ITEM("1") "</build></model>");
	ok(measure_text(&text, NULL) && is_cubes(1), "1000 extensions, each used "
	   "three times");
	for (const char *p = m.extensions; *p != '\0'; p++)
		named += *p == ',';
	ok(named > 3 && defect_count(&m, MF_DEFECT_EXTENSIONS) == named,
	   "%d of them are named and counted", named);
}

int
main(void)
{
	test_empty_components();
	test_small_objects();
	test_long_names();
	test_used_extensions();
	return tap_done();
}
