/*
 * test_threemf_run.c
 *		Runs of vertices and triangles of 3MF: whatever their spelling, with
 *		any number of threads, and wherever the pieces are cut, the result is
 *		the same to the bit.
 */
#define _GNU_SOURCE				/* memmem */
#include "../../src/geometry/threemf.h"
#include "package.h"
#include "tap.h"

#define ROWS	100
#define COLUMNS	160

/* How the elements are spelled. */
typedef enum Spelling
{
	PLAIN = 0,
	SINGLE_QUOTES,
	ORDER,						/* of attributes */
	SPACE,						/* more than one needs */
	LINES,						/* no line breaks at all */
	PROPERTIES,					/* of triangles */
	COMMENTS,					/* now and then; from here on not plain */
	PADDED,						/* numbers with space around them */
	CLOSED,						/* by a tag of their own */
	ATTRIBUTES,					/* that are not known */
	REFERENCES,					/* to characters */
	EVERYTHING,					/* each element another one of these */
	SPELLINGS
} Spelling;

static const char *const names[SPELLINGS] = {
	"plain", "single quotes", "any order", "white space", "one line",
	"properties", "comments", "padded numbers", "closing tags",
	"other attributes", "references", "a mix of all"
};

static void
add_vertex(Bytes *text, Spelling spelling, const double at[3])
{
	static const char *const formats[] = {
		"     <vertex x=\"%.7g\" y=\"%.7g\" z=\"%.7g\"/>\n",
		"<vertex x='%.7g' y='%.7g' z='%.7g' />\r\n",
		"<vertex z=\"%3$.7g\" x=\"%1$.7g\" y=\"%2$.7g\"/>\n",
		"<vertex\tx=\"%.7g\"\n\n  y=\"%.7g\"   z=\"%.7g\"  />  \n\t ",
		"<vertex x=\"%.7g\" y=\"%.7g\" z=\"%.7g\"/>",
		"<vertex x=\"%.7g\" y=\"%.7g\" z=\"%.7g\"/>\n",
		"<!-- <vertex x=\"1\" y=\"1\" z=\"1\"/> --><vertex x=\"%.7g\" y=\"%.7g\" z=\"%.7g\"/>\n",
		"<vertex x=\" %.7g\" y=\"%.7g\t\" z=\"%.7g\"/>\n",
		"<vertex x=\"%.7g\" y=\"%.7g\" z=\"%.7g\"></vertex>\n",
		"<vertex x=\"%.7g\" y=\"%.7g\" z=\"%.7g\" w=\"1\"/>\n",
		"<vertex x=\"&#32;%.7g\" y=\"%.7g\" z=\"%.7g\"/>\n"
	};

	add_text(text, formats[spelling], at[0], at[1], at[2]);
}

static void
add_corners(Bytes *text, Spelling spelling, uint32_t a, uint32_t b, uint32_t c)
{
	static const char *const formats[] = {
		"     <triangle v1=\"%u\" v2=\"%u\" v3=\"%u\"/>\n",
		"<triangle v1='%u' v2='%u' v3='%u' />\r\n",
		"<triangle v3=\"%3$u\" v1=\"%1$u\" v2=\"%2$u\"/>\n",
		"<triangle\tv1=\"%u\"\n\n  v2=\"%u\"   v3=\"%u\"  />  \n\t ",
		"<triangle v1=\"%u\" v2=\"%u\" v3=\"%u\"/>",
		"<triangle pid=\"5\" v1=\"%u\" p1=\"1\" v2=\"%u\" v3=\"%u\"/>\n",
		"<!-- <triangle v1=\"1\" v2=\"1\" v3=\"1\"/> --><triangle v1=\"%u\" v2=\"%u\" v3=\"%u\"/>\n",
		"<triangle v1=\" %u\" v2=\"%u\t\" v3=\"%u\"/>\n",
		"<triangle v1=\"%u\" v2=\"%u\" v3=\"%u\"></triangle>\n",
		"<triangle v1=\"%u\" v2=\"%u\" v3=\"%u\" v4=\"1\"/>\n",
		"<triangle v1=\"&#48;%u\" v2=\"%u\" v3=\"%u\"/>\n"
	};

	add_text(text, formats[spelling], a, b, c);
}

/* The spelling of one element. */
static Spelling
choose(Spelling spelling, uint32_t index)
{
	if (spelling == EVERYTHING)
		return (Spelling) (index / 7 % EVERYTHING);
	if (spelling == COMMENTS)
		return index % 5000 == 4999 ? COMMENTS : PLAIN;
	return spelling;
}

/* A torus, behind so many spaces. */
static Bytes
make_torus(Spelling spelling, int padding)
{
	Bytes		text = {0};

	add_text(&text, "<model " CORE ">%*s<resources><object id=\"1\"><mesh>\n"
			 "<vertices>\n", padding, "");
	for (uint32_t v = 0; v < ROWS * COLUMNS; v++)
	{
		const double u = 2 * M_PI * (v / COLUMNS) / ROWS;
		const double w = 2 * M_PI * (v % COLUMNS) / COLUMNS;
		const double at[3] = {
			(30 + 10 * cos(w)) * cos(u), (30 + 10 * cos(w)) * sin(u),
			10 * sin(w)
		};

		add_vertex(&text, choose(spelling, v), at);
	}
	add_text(&text, "</vertices>\n<triangles>\n");
	for (uint32_t v = 0; v < ROWS * COLUMNS; v++)
	{
		const uint32_t r = v / COLUMNS;
		const uint32_t c = v % COLUMNS;
		const uint32_t r1 = (r + 1) % ROWS;
		const uint32_t c1 = (c + 1) % COLUMNS;

		add_corners(&text, choose(spelling, 2 * v), v, r1 * COLUMNS + c,
					r1 * COLUMNS + c1);
		add_corners(&text, choose(spelling, 2 * v + 1), v, r1 * COLUMNS + c1,
					r * COLUMNS + c1);
	}
	add_text(&text, "</triangles>\n</mesh></object></resources><build>"
			 ITEM("1") "</build></model>");
	return text;
}

/* Measures such a torus, with so many threads. */
static bool
measure_torus(Spelling spelling, int padding, int threads, MfMeasurement *m)
{
	MfGeometryOptions options = {.basic = true};
	MfRefusal	refusal;
	Bytes		text = make_torus(spelling, padding);
	Bytes		bytes = package_of((char *) text.at, text.size, true, NULL, 0);
	bool		good;

	options.pool = mf_pool_start(threads);
	good = measure_bytes(bytes.at, bytes.size, &options, m, &refusal);
	mf_pool_stop(options.pool);
	if (!good)
		printf("# %s\n", refusal.text);
	m->measured_in_ms = 0;
	free_bytes(&text);
	free_bytes(&bytes);
	return good;
}

static void
test_spellings(void)
{
	MfMeasurement plain;
	MfMeasurement other;

	memset(&plain, 0, sizeof(plain));
	memset(&other, 0, sizeof(other));
	ok(measure_torus(PLAIN, 0, 1, &plain) &&
	   plain.triangles == 2 * ROWS * COLUMNS &&
	   plain.vertices == ROWS * COLUMNS && plain.watertight &&
	   near(plain.volume_mm3, torus_volume(ROWS, COLUMNS, 30, 10), 1e-6),
	   "a plain torus is measured");
	for (int threads = 1; threads <= 4; threads++)
		for (int spelling = PLAIN; spelling < SPELLINGS; spelling++)
			if (threads == 1 || threads == 1 + spelling % 3 + 1)
				ok(measure_torus(spelling, 0, threads, &other) &&
				   memcmp(&plain, &other, sizeof(plain)) == 0,
				   "%s, %d threads: the same", names[spelling], threads);
	for (int padding = 1; padding < 70; padding += 3)
		if (!measure_torus(PLAIN, padding, 2, &other) ||
			memcmp(&plain, &other, sizeof(plain)) != 0)
			ok(false, "cut %d bytes later: the same", padding);
	ok(true, "wherever it is cut");
}

/* A wrong element is refused wherever it is, and its line is named. */
static void
test_wrong(void)
{
	static const struct
	{
		const char *find;		/* the beginning of an element */
		int			nth;
		const char *put;		/* there instead, of the same length */
		MfErrorCode code;
		const char *part;
		bool		later;		/* only seen in a later line */
	}			cases[] = {
		{"<vertex x=\"", 15000, "<vertex x=\",", MF_ERROR_MALFORMED, "comma", false},
		{"<vertex x=\"", 15999, "<vertex y=\"", MF_ERROR_MALFORMED, "duplicate", false},
		{"<vertex x=\"", 12345, "<vertey x=\"", MF_ERROR_MALFORMED, "vertex 15999", true},
		{"<triangle v1", 30000, "<triangle v2", MF_ERROR_MALFORMED, "duplicate", false},
		{"<triangle v1=\"", 29000, "<triangle v1='", MF_ERROR_MALFORMED,
		"well-formed", true},
		{"<triangle v1=\"1", 9000, "<triangle v1=\"x", MF_ERROR_MALFORMED,
		"where the number of a vertex", false},
		{"<triangle v1=\"1", 9001, "<triangle v1=\"9", MF_ERROR_MALFORMED,
		"where there are 16000 vertices", false}
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		MfMeasurement m;
		MfRefusal	refusal;
		Bytes		text = make_torus(PLAIN, 0);
		Bytes		bytes;
		char	   *at = (char *) text.at;
		const char *end;
		char		line[32];
		unsigned int lines = 1;
		bool		good;

		end = at + text.size;
		for (int n = 0; at != NULL && n < cases[i].nth; n++)
			at = memmem(at + 1, end - at - 1, cases[i].find,
						strlen(cases[i].find));
		if (!ok(at != NULL, "the element is there"))
		{
			free_bytes(&text);
			continue;
		}
		memcpy(at, cases[i].put, strlen(cases[i].put));
		for (const char *p = (char *) text.at; p < at; p++)
			lines += *p == '\n';
		snprintf(line, sizeof(line), "Line %u of", lines);
		bytes = package_of((char *) text.at, text.size, true, NULL, 0);
		good = measure_bytes(bytes.at, bytes.size, NULL, &m, &refusal);
		ok(!good && refusal.code == cases[i].code &&
		   strstr(refusal.text, cases[i].part) != NULL &&
		   (strstr(refusal.text, line) != NULL) != cases[i].later, "%s instead: %s",
		   cases[i].put, good ? "measured" : refusal.text);
		free_bytes(&text);
		free_bytes(&bytes);
	}
}

/* Triangles are counted over all objects, built or not. */
static void
test_too_many(void)
{
	MfGeometryOptions options = {0};
	Bytes		text = make_torus(PLAIN, 0);
	Bytes		bytes = package_of((char *) text.at, text.size, true, NULL, 0);
	MfMeasurement m;
	MfRefusal	refusal;

	for (int more = 0; more < 2; more++)
	{
		options.max_triangles = 2 * ROWS * COLUMNS - 1 + more;
		ok(measure_bytes(bytes.at, bytes.size, &options, &m, &refusal) ==
		   (more == 1) &&
		   (more == 1 || refusal.code == MF_ERROR_TOO_MANY_TRIANGLES),
		   "%llu triangles are allowed",
		   (unsigned long long) options.max_triangles);
	}
	free_bytes(&text);
	free_bytes(&bytes);
}

/* Many small meshes, each with its own short runs. */
static void
test_many(void)
{
	enum
	{
		COUNT = 3000
	};
	Bytes		text = {0};
	Bytes		bytes;
	MfMeasurement m;
	MfRefusal	refusal;

	add_text(&text, "<model " CORE "><resources>");
	for (int i = 1; i <= COUNT; i++)
	{
		add_text(&text, "<object id=\"%d\">", i);
		add_bytes(&text, CUBE, strlen(CUBE));
		add_text(&text, "</object>");
	}
	add_text(&text, "</resources><build>");
	for (int i = 1; i <= COUNT; i++)
		add_text(&text, "<item objectid=\"%d\" transform=\"1 0 0 0 1 0 0 0 1 "
				 "%d 0 0\"/>", i, 11 * i);
	add_text(&text, "</build></model>");
	bytes = package_of((char *) text.at, text.size, false, NULL, 0);
	ok(measure_bytes(bytes.at, bytes.size, NULL, &m, &refusal) &&
	   m.triangles == 12 * COUNT && m.bodies == COUNT &&
	   m.volume_mm3 == 1000.0 * COUNT, "%d cubes, each an object", COUNT);
	free_bytes(&text);
	free_bytes(&bytes);
}

int
main(void)
{
	test_spellings();
	test_wrong();
	test_too_many();
	test_many();
	return tap_done();
}
