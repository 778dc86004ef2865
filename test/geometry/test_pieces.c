/*
 * test_pieces.c
 *		Text formats are read in pieces by several threads: what comes out is
 *		the same for any number of them, and wherever pieces end.
 */
#include "shapes.h"
#include "tap.h"

#define ROWS		200
#define COLUMNS		150
#define TRIANGLES	(2 * ROWS * COLUMNS)

static MfPool *pool[3];

/* Ways to write the torus. */
typedef enum Way
{
	FORWARD,					/* vertices first */
	AHEAD,						/* faces first */
	BACKWARDS,					/* vertices before each face, counted back */
	CONTINUED,					/* lines that go on, of several lengths */
	LONG_LINES,					/* comments and names longer than a piece */
	QUADS,						/* polygons, to be split at the end */
	WAYS
} Way;

static const char *const way_names[] = {
	"vertices first", "faces first", "counted backwards", "lines that go on",
	"long lines", "quads"
};

static void
write_vertex(Bytes *bytes, Way way, int v)
{
	const double u = 2 * M_PI * (v / COLUMNS) / ROWS;
	const double w = 2 * M_PI * (v % COLUMNS) / COLUMNS;

	add_text(bytes, way == CONTINUED && v % 3 == 0 ?
			 "v %.17g\\\n %.17g \\ \r\n %.17g\n" : "v %.17g %.17g %.17g\n",
			 (50 + 20 * cos(w)) * cos(u), (50 + 20 * cos(w)) * sin(u),
			 20 * sin(w));
}

/* A face of vertices from 0. */
static void
write_face(Bytes *bytes, Way way, const int *corner, int count)
{
	add_text(bytes, "f");
	for (int i = 0; i < count; i++)
		add_text(bytes, way == CONTINUED ? " \\\r %d//" : " %d",
				 corner[i] + 1);
	add_text(bytes, "\n");
}

static void
write_faces(Bytes *bytes, Way way)
{
	for (int r = 0; r < ROWS; r++)
		for (int c = 0; c < COLUMNS; c++)
		{
			const int	next = (r + 1) % ROWS * COLUMNS;
			const int	corner[4] = {
				r * COLUMNS + c, next + c, next + (c + 1) % COLUMNS,
				r * COLUMNS + (c + 1) % COLUMNS
			};
			const int	second[3] = {corner[0], corner[2], corner[3]};

			if (way == QUADS)
			{
				write_face(bytes, way, corner, 4);
				continue;
			}
			if (way == BACKWARDS)
			{
				for (int i = 0; i < 4; i++)
					write_vertex(bytes, way, corner[i]);
				add_text(bytes, "f -4 -3 -2\nf -4 -2 %d\n",
						 4 * (r * COLUMNS + c) + 4);
				continue;
			}
			write_face(bytes, way, corner, 3);
			write_face(bytes, way, second, 3);
		}
}

/* A line of some length that says nothing. */
static void
write_long_line(Bytes *bytes, int length)
{
	add_text(bytes, "g ");
	for (int i = 0; i < length; i++)
		add_bytes(bytes, i % 9 ? "x" : " ", 1);
	add_text(bytes, "\n");
}

static Bytes
write_torus(Way way)
{
	Bytes		bytes = {0};

	add_text(&bytes, "o torus\n");
	if (way == AHEAD)
		write_faces(&bytes, way);
	for (int v = 0; way != BACKWARDS && v < ROWS * COLUMNS; v++)
	{
		if (way == LONG_LINES && v % 10000 == 0)
			write_long_line(&bytes, 3000000);
		write_vertex(&bytes, way, v);
	}
	if (way != AHEAD)
		write_faces(&bytes, way);
	return bytes;
}

static bool
measure(const Bytes *bytes, int threads, MfMeasurement *m, MfRefusal *refusal)
{
	const MfGeometryOptions options = {.pool = pool[threads]};
	const bool	good = measure_bytes(bytes->at, bytes->size, &options, m,
									 refusal);

	m->measured_in_ms = 0;
	return good;
}

/* Each way, by one, two and three threads. */
static void
test_ways(void)
{
	for (int way = 0; way < WAYS; way++)
	{
		Bytes		bytes = write_torus((Way) way);
		MfMeasurement m[3];
		MfRefusal	refusal = {0};
		bool		good = true;

		for (int i = 0; i < 3; i++)
			good = good && measure(&bytes, i, &m[i], &refusal) &&
				m[i].triangles == TRIANGLES && m[i].vertices == TRIANGLES / 2 &&
				m[i].euler_number == 0 && m[i].watertight &&
				m[i].defect_count == 0 &&
				near(m[i].volume_mm3, torus_volume(ROWS, COLUMNS, 50, 20),
					 way == QUADS ? 1e-4 : 1e-9) &&
				memcmp(&m[i], &m[0], sizeof(m[0])) == 0;
		ok(good, "%s: %zu bytes, the same by three threads", way_names[way],
		   bytes.size);
		if (refusal.text[0] != '\0')
			printf("# %s\n", refusal.text);
		free_bytes(&bytes);
	}
}

/* The line that a place is in. */
static unsigned long
line_of(const Bytes *bytes, size_t place)
{
	unsigned long line = 1;

	for (size_t i = 0; i < place; i++)
		line += bytes->at[i] == '\n';
	return line;
}

/* Something wrong, anywhere: its line is named, whoever has found it. */
static void
test_errors(void)
{
	static const struct
	{
		const char *line;
		const char *words;
	}			cases[] = {
		{"v 1 2\n", "2 coordinates"},
		{"f 1 2\n", "2 corners"},
		{"f 1 2 0\n", "vertex 0"},
		{"f 1 2 30001\n", "vertex 30001 is used, where there are 30000"},
		{"f 1 2 -30001\n", "vertex -30001 is used, where there are"},
		{"f 1 2 99999999999\n", "vertex 99999999999"},
		{"f 1 2 -99999999999\n", "vertex -99999999999"},
		{"surf 1\n", "\"surf\""}
	};
	uint64_t	state = 5;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		const Bytes good = write_torus(FORWARD);
		Bytes		bytes = {0};
		size_t		place = good.size / 2 + next_random(&state) % 1000000;
		MfMeasurement m;
		MfRefusal	refusal[3] = {{0}};
		char		wanted[100];
		bool		fine = true;

		while (good.at[place - 1] != '\n')
			place++;
		add_bytes(&bytes, good.at, place);
		add_text(&bytes, "%s", cases[i].line);
		add_bytes(&bytes, good.at + place, good.size - place);
		snprintf(wanted, sizeof(wanted), "Line %lu: ", line_of(&bytes, place));
		for (int k = 0; k < 3; k++)
			fine = fine && !measure(&bytes, k, &m, &refusal[k]) &&
				strncmp(refusal[k].text, wanted, strlen(wanted)) == 0 &&
				strstr(refusal[k].text, cases[i].words) != NULL;
		ok(fine, "refused: %s", cases[i].words);
		printf("# %s\n", refusal[2].text);
		free_bytes(&bytes);
		free_bytes((Bytes *) &good);
	}
}

/* Corners packed as tightly as they can be, in pieces that fill up. */
static void
test_dense(void)
{
	Bytes		bytes = {0};
	MfMeasurement m;
	MfRefusal	refusal = {0};
	const int	faces = 200000;
	bool		good;

	add_text(&bytes, "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\n");
	for (int i = 0; i < faces / 4; i++)
		add_text(&bytes, "f 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n");
	for (int i = 0; i < faces; i++)
		add_text(&bytes, "v 0 0 0\n");
	good = measure(&bytes, 2, &m, &refusal);
	ok(good && m.triangles == faces && m.vertices == 4 &&
	   defect_count(&m, MF_DEFECT_DUPLICATE_TRIANGLES) == faces - 4,
	   "%d of the shortest faces and vertices", faces);
	if (!good)
		printf("# %s\n", refusal.text);
	free_bytes(&bytes);
}

/*
 * Lines of which each but the last seems to go on, so that there is one piece
 * that has no room for all of them.
 */
static void
test_uncut(void)
{
	const int	lines = 300000;
	uint64_t	volume[2];

	for (int threads = 0; threads < 2; threads++)
	{
		Bytes		bytes = {0};
		MfMeasurement m;
		MfRefusal	refusal = {0};
		bool		good;

		for (int i = 0; i < lines; i++)
			add_text(&bytes, "v %d 0 0 # \\%s\n", i, i % 3 == 0 ? "\r" : "");
		add_text(&bytes, "v 1 0 0\nv 1 6 0\nv 1 0 6\nf %d %d -2\n"
				 "f %d -3 -1\nf -3 -2 -1\nf %d -1 -2\n", 8, lines + 1,
				 8, 8);
		good = measure(&bytes, 2 * threads, &m, &refusal);
		ok(good && m.triangles == 4 && m.vertices == 4 && m.watertight,
		   "%d lines that seem to go on", lines);
		if (!good)
			printf("# %s\n", refusal.text);
		memcpy(&volume[threads], &m.volume_mm3, sizeof(volume[threads]));
		free_bytes(&bytes);
	}
	ok(volume[0] == volume[1], "the same volume with more threads");
}

/*
 * Polygons that cross themselves, small and large: all are counted, and the
 * first of the file is named.
 */
static void
test_crossed(void)
{
	for (int first = 0; first < 2; first++)
	{
		Bytes		bytes = {0};
		MfMeasurement m[3];
		MfRefusal	refusal = {0};
		bool		good = true;

		/* Squares beside each other, each a bow tie; or a star of nine. */
		for (int i = 0; i < 20000; i++)
			add_text(&bytes, "v %d 0 0\nv %d 1 0\nv %d 1 0\nv %d 0 0\n",
					 2 * i, 2 * i + 1, 2 * i, 2 * i + 1);
		for (int i = 0; i < 9; i++)
			add_text(&bytes, "v %.9f %.9f 5\n", cos(2 * M_PI * 4 * i / 9) - 7,
					 sin(2 * M_PI * 4 * i / 9));
		for (int i = 0; i < 20000; i++)
		{
			if (i == (first ? 0 : 10000))
				add_text(&bytes, "f -9 -8 -7 -6 -5 -4 -3 -2 -1\n");
			add_text(&bytes, i < 100 || i % 2 ? "f %d %d %d %d\n" :
					 "f %d %d %d\n", 4 * i + 1, 4 * i + 4, 4 * i + 3,
					 4 * i + 2);
		}
		for (int k = 0; k < 3; k++)
		{
			const MfDefect *d;

			good = good && measure(&bytes, k, &m[k], &refusal) &&
				memcmp(&m[k], &m[0], sizeof(m[0])) == 0;
			d = good ? find_defect(&m[k], MF_DEFECT_CROSSED_POLYGONS) : NULL;
			good = d != NULL && d->count == 10051 &&
				d->at[0] == (first ? -6 : 0) && d->at[2] == (first ? 5 : 0);
			if (d != NULL && !good)
				printf("# %d crossed, first at %g %g %g\n", (int) d->count,
					   d->at[0], d->at[1], d->at[2]);
		}
		ok(good, "polygons that cross themselves, the first of them %s",
		   first ? "large" : "small");
		free_bytes(&bytes);
	}
}

/* ---- STL ---- */

/* Ways to write the facets. */
static const char *const facet_forms[] = {
	"facet normal 0 0 0\nouter loop\nvertex %s\nvertex %s\nvertex %s\n"
	"endloop\nendfacet\n",
	/* All in one line. */
	"facet normal 0 0 0 outer loop vertex %s vertex %s vertex %s endloop "
	"endfacet ",
	/* A solid for each, whose name looks like a facet. */
	"solid facet normal\r\n  FACET\tnormal nan 0 0\r\n outer loop\r\n"
	" vertex %s\r\n vertex %s\r\n vertex %s\r\nendloop\r\nendfacet\r\n"
	"endsolid\tfacet\r\n",
	/* No normal, and ends of lines in other places. */
	"facet\nouter\nloop\nvertex\n%s vertex %s\nvertex %s\nendloop\n\n"
	"endfacet\n\n",
	/* A normal that looks like a facet: no piece can end there. */
	"facet normal\nfacet 1 2\nouter loop\nvertex %s\nvertex %s\n"
	"vertex %s\nendloop\nendfacet\n"
};

#define FACET_FORMS	5

/* Adds some cubes of 10 in a row, one behind the other. */
static void
add_cubes(Bytes *bytes, int form, int from, int to)
{
	for (int n = from; n < to; n++)
	{
		Soup		soup = {0};

		add_box(&soup, 20 * n, 0, 0, 20 * n + 10, 10, 10, false);
		for (size_t t = 0; t < soup.count; t++)
		{
			char		corner[3][60];

			for (int i = 0; i < 3; i++)
				snprintf(corner[i], sizeof(corner[i]), "%.9e %.3f %g",
						 soup.triangle[t][i][0], soup.triangle[t][i][1],
						 soup.triangle[t][i][2]);
			add_text(bytes, facet_forms[form], corner[0], corner[1],
					 corner[2]);
		}
		free_soup(&soup);
	}
}

static void
test_facets(void)
{
	const int	cubes = 1500;

	for (int form = 0; form < FACET_FORMS; form++)
	{
		Bytes		bytes = {0};
		MfMeasurement m[3];
		MfRefusal	refusal = {0};
		bool		good = true;

		add_text(&bytes, "solid facets\n");
		add_cubes(&bytes, form, 0, cubes);
		add_text(&bytes, "%s", "endsolid\n");
		if (form == 2)
			bytes.size -= 9;
		for (int i = 0; i < 3; i++)
			good = good && measure(&bytes, i, &m[i], &refusal) &&
				m[i].triangles == 12 * cubes && m[i].bodies == cubes &&
				m[i].vertices == 8 * cubes && m[i].watertight &&
				near(m[i].volume_mm3, 1000.0 * cubes, 1e-12) &&
				memcmp(&m[i], &m[0], sizeof(m[0])) == 0;
		ok(good, "facets of form %d: %zu bytes, the same by three threads",
		   form, bytes.size);
		if (refusal.text[0] != '\0')
			printf("# %s\n", refusal.text);
		free_bytes(&bytes);
	}
}

/* Something wrong between facets and in them: its line is named. */
static void
test_facet_errors(void)
{
	static const struct
	{
		const char *line;
		int			lines;		/* from there to what is named */
		const char *words;
	}			cases[] = {
		{"endfacet\n", 0, "\"endfacet\" found, where \"facet\" should be"},
		{"endsolid\n", 1, "\"facet\" found, where \"solid\" should be"},
		{"facet normal 0 0 0\nouter loop\nvertex 0 0 0\n", 3,
		"\"facet\" found, where \"vertex\" should be"},
		{"facet normal 0 0 0\nouter loop\nvertex 0 inf 0\n", 2,
		"\"inf\" is not a finite number"},
		{"facet\n", 1, "\"facet\" found, where \"outer\" should be"}
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (int cubes = 400; cubes < 420; cubes += 6)
		{
			Bytes		bytes = {0};
			size_t		place;
			MfMeasurement m;
			MfRefusal	refusal[3] = {{0}};
			char		wanted[100];
			bool		fine = true;

			add_text(&bytes, "solid facets\n");
			add_cubes(&bytes, 0, 0, cubes);
			place = bytes.size;
			add_text(&bytes, "%s", cases[i].line);
			add_cubes(&bytes, 0, cubes, 800);
			snprintf(wanted, sizeof(wanted), "Line %lu: ",
					 line_of(&bytes, place) + cases[i].lines);
			for (int k = 0; k < 3; k++)
				fine = fine && !measure(&bytes, k, &m, &refusal[k]) &&
					strncmp(refusal[k].text, wanted, strlen(wanted)) == 0 &&
					strstr(refusal[k].text, cases[i].words) != NULL;
			ok(fine, "refused behind %d cubes: %s", cubes, cases[i].words);
			printf("# %s\n", refusal[2].text);
			free_bytes(&bytes);
		}
}

/* Each kind of error at each end of a piece that facets can have. */
static void
test_cuts(void)
{
	int			right = 0;

	for (int shift = 0; shift < 130; shift++)
	{
		Bytes		bytes = {0};
		MfMeasurement m;
		MfRefusal	refusal = {0};

		add_text(&bytes, "solid %*s\n", shift, "");
		add_cubes(&bytes, 2, 0, 200);
		right += measure(&bytes, shift % 3, &m, &refusal) &&
			m.triangles == 2400 && m.bodies == 200 && m.watertight;
		free_bytes(&bytes);
	}
	ok(right == 130, "pieces end at each place of a facet: %d of 130", right);
}

int
main(void)
{
	pool[1] = mf_pool_start(2);
	pool[2] = mf_pool_start(3);
	test_ways();
	test_errors();
	test_dense();
	test_uncut();
	test_crossed();
	test_facets();
	test_facet_errors();
	test_cuts();
	mf_pool_stop(pool[1]);
	mf_pool_stop(pool[2]);
	return tap_done();
}
