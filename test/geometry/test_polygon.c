/*
 * test_polygon.c
 *		Prisms over polygons of any shape: volume and area in closed form,
 *		and a surface that is closed, whatever the polygon.
 */
#include "../../src/geometry/polygon.h"
#include "shapes.h"
#include "tap.h"

#define MOST	12000

/* A polygon: the corners' places, and its way over them. */
typedef struct Outline
{
	double		at[MOST][2];
	int			places;
	int			path[MOST];
	int			count;
} Outline;

/* Adds a place that the way goes through next. */
static void
go(Outline *o, double x, double y)
{
	o->at[o->places][0] = x;
	o->at[o->places][1] = y;
	o->path[o->count++] = o->places++;
}

static Outline *
new_outline(void)
{
	return checked(calloc(1, sizeof(Outline)));
}

/* The area, of which each turn counts. */
static double
outline_area(const Outline *o)
{
	double		twice = 0;

	for (int i = 0; i < o->count; i++)
	{
		const double *a = o->at[o->path[i]];
		const double *b = o->at[o->path[(i + 1) % o->count]];

		twice += a[0] * b[1] - a[1] * b[0];
	}
	return twice / 2;
}

/* Does the way also go from b to a?  Then it is a cut, and has no wall. */
static bool
goes(const Outline *o, int b, int a)
{
	for (int i = 0; i < o->count; i++)
		if (o->path[i] == b && o->path[(i + 1) % o->count] == a)
			return true;
	return false;
}

/* How a prism lies in space. */
typedef struct Pose
{
	double		turn[3];
	double		move;
	double		scale;
} Pose;

static const Pose upright = {.scale = 1};

static void
write_place(Bytes *bytes, const Pose *pose, double x, double y, double z)
{
	double		at[3] = {x, y, z};

	for (int k = 0; k < 3; k++)
	{
		const int	i = (k + 1) % 3;
		const int	j = (k + 2) % 3;
		const double u = at[i] * cos(pose->turn[k]) - at[j] * sin(pose->turn[k]);
		const double v = at[i] * sin(pose->turn[k]) + at[j] * cos(pose->turn[k]);

		if (pose->turn[k] != 0)
		{
			at[i] = u;
			at[j] = v;
		}
	}
	add_text(bytes, "v %.17g %.17g %.17g\n", at[0] * pose->scale + pose->move,
			 at[1] * pose->scale + pose->move,
			 at[2] * pose->scale - pose->move);
}

/*
 * A prism with the outline below and above, and walls of four corners, the
 * outline running to the left; starting at its corner `first`.  Returns the
 * area of the walls.
 */
static double
write_prism(Bytes *bytes, const Outline *o, double height, int first,
			const Pose *pose)
{
	double		walls = 0;

	for (int z = 0; z < 2; z++)
		for (int i = 0; i < o->places; i++)
			write_place(bytes, pose, o->at[i][0], o->at[i][1], z * height);
	add_text(bytes, "f");
	for (int i = 0; i < o->count; i++)
		add_text(bytes, " %d", o->path[(first + i) % o->count] + 1 + o->places);
	add_text(bytes, "\nf");
	for (int i = o->count; i-- > 0;)
		add_text(bytes, " %d", o->path[(first + i) % o->count] + 1);
	add_text(bytes, "\n");
	for (int i = 0; i < o->count; i++)
	{
		const int	a = o->path[i];
		const int	b = o->path[(i + 1) % o->count];

		if (o->count < 1000 && goes(o, b, a))
			continue;
		add_text(bytes, "f %d %d %d %d\n", a + 1, b + 1, b + 1 + o->places,
				 a + 1 + o->places);
		walls += height * hypot(o->at[a][0] - o->at[b][0],
								o->at[a][1] - o->at[b][1]);
	}
	return walls;
}

static bool
measured(const Bytes *bytes, MfMeasurement *m)
{
	MfRefusal	refusal;

	if (measure_bytes(bytes->at, bytes->size, NULL, m, &refusal))
		return sane_measurement(m);
	printf("# %s\n", refusal.text);
	return false;
}

/* Is a prism over this outline what it should be, from this corner on? */
static bool
is_right(const Outline *o, int first, const Pose *pose)
{
	const double height = 2;
	const double k = pose->scale;
	Bytes		bytes = {0};
	MfMeasurement m;
	const double walls = write_prism(&bytes, o, height, first, pose);
	const double area = outline_area(o);
	bool		good;

	good = measured(&bytes, &m) &&
		near(m.volume_mm3, area * height * k * k * k, 1e-9) &&
		near(m.area_mm2, (2 * area + walls) * k * k, 1e-9) &&
		m.watertight && m.consistent_winding && m.bodies == 1 &&
		defect_count(&m, MF_DEFECT_CROSSED_POLYGONS) == 0 &&
		defect_count(&m, MF_DEFECT_DEGENERATE_TRIANGLES) == 0 &&
		(pose != &upright ||
		 defect_count(&m, MF_DEFECT_ZERO_AREA_TRIANGLES) == 0);
	free_bytes(&bytes);
	return good;
}

/* From each of its corners, upright and lying anyhow. */
static void
check_outline(const char *what, Outline *o)
{
	uint64_t	state = 23;
	int			bad = 0;
	const int	step = o->count > 200 ? o->count / 7 : 1;

	for (int first = 0; first < o->count; first += step)
	{
		Pose		pose = {.scale = 1};

		bad += !is_right(o, first, &upright);
		for (int k = 0; k < 3; k++)
			pose.turn[k] = (double) (next_random(&state) % 6283) / 1000;
		pose.move = (double) (next_random(&state) % 100);
		pose.scale = ldexp(1, (int) (next_random(&state) % 10) - 5);
		bad += !is_right(o, first, &pose);
	}
	ok(bad == 0, "a prism over %s, %d corners", what, o->count);
	free(o);
}

static void
test_usual(void)
{
	Outline    *o = new_outline();

	for (int i = 0; i < 12; i++)
		go(o, 10 * cos(i * M_PI / 6), 10 * sin(i * M_PI / 6));
	check_outline("a dodecagon", o);

	o = new_outline();
	go(o, 0, 0), go(o, 10, 0), go(o, 10, 3), go(o, 3, 3), go(o, 3, 10),
		go(o, 0, 10);
	check_outline("an L", o);

	o = new_outline();
	go(o, 0, 0), go(o, 2, 0), go(o, 1, 0.5), go(o, 1, 2);
	check_outline("a dart", o);

	o = new_outline();
	for (int i = 0; i < 14; i++)
		go(o, (i % 2 ? 1 : 10) * cos(i * M_PI / 7),
		   (i % 2 ? 1 : 10) * sin(i * M_PI / 7));
	check_outline("a star", o);

	o = new_outline();
	go(o, 0, 0), go(o, 5, 0), go(o, 10, 0), go(o, 10, 5), go(o, 10, 10),
		go(o, 5, 10), go(o, 0, 10), go(o, 0, 5);
	check_outline("a square with corners on its sides", o);

	o = new_outline();
	for (int i = 0; i <= 10; i++)
		go(o, i, 0);
	go(o, 5, 7);
	check_outline("a triangle with corners on one side", o);

	o = new_outline();
	for (int i = 0; i < 20; i++)
	{
		go(o, 40 - 2 * i, 10);
		go(o, 40 - 2 * i - 1, 10);
		go(o, 40 - 2 * i - 1, 1);
		go(o, 40 - 2 * i - 2, 1);
	}
	go(o, 0, 0), go(o, 40, 0);
	check_outline("a comb", o);

	/* Out along a spiral, and back beside it. */
	o = new_outline();
	for (int i = 0; i <= 60; i++)
		go(o, (2 + i * 0.2) * cos(i * 0.5), (2 + i * 0.2) * sin(i * 0.5));
	for (int i = 60; i >= 0; i--)
		go(o, (1 + i * 0.2) * cos(i * 0.5), (1 + i * 0.2) * sin(i * 0.5));
	check_outline("a spiral", o);
}

/* Holes that a cut joins to the outline; each end of a cut is passed twice. */
static void
test_cuts(void)
{
	Outline    *o = new_outline();

	go(o, 0, 0), go(o, 10, 0), go(o, 10, 10), go(o, 0, 10);
	o->path[o->count++] = 0;
	go(o, 3, 3), go(o, 3, 7), go(o, 7, 7), go(o, 7, 3);
	o->path[o->count++] = 4;
	check_outline("a square with a square hole", o);

	/* Several, one after the other, as exporters of lettering write them. */
	o = new_outline();
	go(o, 0, 0);
	for (int h = 0; h < 5; h++)
	{
		const int	from = o->path[o->count - 1];
		const int	hole = o->places;

		for (int i = 0; i < 9; i++)
			go(o, 6 + 8 * h + 3 * cos(M_PI - i * M_PI * 2 / 9),
			   5 + 3 * sin(M_PI - i * M_PI * 2 / 9));
		o->path[o->count++] = hole;
		o->path[o->count++] = from;
		go(o, 10 + 8 * h, 0);
	}
	go(o, 50, 0), go(o, 50, 10), go(o, 0, 10);
	check_outline("a bar with five round holes", o);

	/* All from one corner. */
	o = new_outline();
	go(o, 0, 0), go(o, 40, 0), go(o, 40, 40), go(o, 0, 40);
	for (int h = 0; h < 3; h++)
	{
		const int	hole = o->places;
		const double x = h == 0 ? 5 : h == 1 ? 20 : 30;
		const double y = h == 0 ? 30 : h == 1 ? 20 : 5;

		o->path[o->count++] = 0;
		go(o, x, y), go(o, x, y + 5), go(o, x + 5, y + 5), go(o, x + 5, y);
		o->path[o->count++] = hole;
	}
	check_outline("a square with three holes cut from one corner", o);
}

/* Around a point, at random distances; every shape of spikes. */
static void
test_random_stars(void)
{
	uint64_t	state = 29;
	int			bad = 0;

	for (int round = 0; round < 600; round++)
	{
		Outline    *o = new_outline();
		const int	corners = 4 + next_random(&state) % 60;

		for (int i = 0; i < corners; i++)
		{
			const double r = 1 + (double) (next_random(&state) % 1000) / 50;

			go(o, r * cos(2 * M_PI * i / corners),
			   r * sin(2 * M_PI * i / corners));
		}
		bad += !is_right(o, round % corners, &upright);
		free(o);
	}
	ok(bad == 0, "600 prisms over stars of random rays");
}

static double
side(const double *a, const double *b, const double *c)
{
	return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
}

/*
 * Random places, and a way through all of them that does not cross itself:
 * two sides that cross are replaced by two that do not, which is shorter, as
 * long as there are any.
 */
static void
test_random_ways(void)
{
	uint64_t	state = 31;
	int			bad = 0;

	for (int round = 0; round < 400; round++)
	{
		Outline    *o = new_outline();
		const int	n = 5 + next_random(&state) % 30;
		bool		crossed = true;

		for (int i = 0; i < n; i++)
			go(o, (double) (next_random(&state) % 100000) / 1000,
			   (double) (next_random(&state) % 100000) / 1000);
		while (crossed)
		{
			crossed = false;
			for (int i = 0; i < n; i++)
				for (int j = i + 2; j < n; j++)
				{
					const double *a = o->at[o->path[i]];
					const double *b = o->at[o->path[i + 1]];
					const double *c = o->at[o->path[j]];
					const double *d = o->at[o->path[(j + 1) % n]];

					if ((j + 1) % n == i || side(a, b, c) * side(a, b, d) > 0 ||
						side(c, d, a) * side(c, d, b) > 0)
						continue;
					crossed = true;
					for (int x = i + 1, y = j; x < y; x++, y--)
					{
						const int	kept = o->path[x];

						o->path[x] = o->path[y];
						o->path[y] = kept;
					}
				}
		}
		if (outline_area(o) < 0)
			for (int x = 0, y = n - 1; x < y; x++, y--)
			{
				const int	kept = o->path[x];

				o->path[x] = o->path[y];
				o->path[y] = kept;
			}
		bad += !is_right(o, round % n, &upright);
		free(o);
	}
	ok(bad == 0, "400 prisms over random ways that do not cross themselves");
}

/*
 * What crosses itself has no area of its own; the volume is that of each turn
 * all the same, and somebody is told.
 */
static void
test_crossed(void)
{
	for (int shape = 0; shape < 4; shape++)
	{
		static const char *const names[] = {
			"a bow of two equal halves", "a bow of two halves",
			"a star of five lines", "a way there and back and around"
		};
		Outline    *o = new_outline();
		Bytes		bytes = {0};
		MfMeasurement m;
		const MfDefect *d;
		bool		good;

		if (shape == 0)
			go(o, 0, 0), go(o, 2, 2), go(o, 2, 0), go(o, 0, 2);
		else if (shape == 1)
			go(o, 0, 0), go(o, 4, 4), go(o, 4, 0), go(o, 0, 2);
		else if (shape == 2)
			for (int i = 0; i < 5; i++)
				go(o, cos(i * 4 * M_PI / 5), sin(i * 4 * M_PI / 5));
		else
			go(o, 0, 0), go(o, 10, 0), go(o, 10, 10), go(o, -5, 10),
				go(o, -5, 5), go(o, 5, 5), go(o, 5, 15), go(o, 0, 15);
		write_prism(&bytes, o, 3, 0, &upright);
		good = measured(&bytes, &m) && m.watertight &&
			(d = find_defect(&m, MF_DEFECT_CROSSED_POLYGONS)) != NULL &&
			d->severity == MF_SEVERITY_WARNING && d->count == 2 && d->located;
		if (shape == 0)
			good = good && isnan(m.volume_mm3) &&
				defect_count(&m, MF_DEFECT_FLAT) == 1;
		else
			good = good && near(m.volume_mm3, 3 * fabs(outline_area(o)), 1e-12);
		ok(good, "a prism over %s is told of", names[shape]);
		free_bytes(&bytes);
		free(o);
	}
}

/* Corners that are there twice, or make a line, are in the way of nothing. */
static void
test_degenerate(void)
{
	static const struct
	{
		const char *face;
		int			triangles;
		int			degenerate;
	}			cases[] = {
		{"f 5 6 8 7", 2, 0},
		{"f 5 6 6 8 7", 3, 1},
		{"f 5 5 6 6 8 8 7 7", 6, 4},
		{"f 5 5 5 6 8 7", 4, 2},
		{"f 5 6 8 7\nf 1 1 1", 3, 1},
		{"f 5 6 8 7\nf 1 2 1 2", 4, 2},
		{"f 5 6 8 7\nf 3 3 3 3 3 3", 6, 4}
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		Bytes		bytes = {0};
		MfMeasurement m;

		for (int v = 0; v < 8; v++)
			add_text(&bytes, "v %d %d %d\n", v & 1 ? 10 : 0, v & 2 ? 10 : 0,
					 v & 4 ? 10 : 0);
		add_text(&bytes, "f 1 3 4 2\nf 1 2 6 5\nf 3 7 8 4\nf 1 5 7 3\n"
				 "f 2 4 8 6\n%s\n", cases[i].face);
		ok(measured(&bytes, &m) && m.volume_mm3 == 1000 && m.area_mm2 == 600 &&
		   m.triangles == 10 + cases[i].triangles && m.watertight &&
		   m.vertices == 8 && m.euler_number == 2 &&
		   defect_count(&m, MF_DEFECT_DEGENERATE_TRIANGLES) ==
		   cases[i].degenerate &&
		   defect_count(&m, MF_DEFECT_CROSSED_POLYGONS) == 0,
		   "a cube with %d triangles of which %d have an area",
		   10 + cases[i].triangles,
		   10 + cases[i].triangles - cases[i].degenerate);
		free_bytes(&bytes);
	}
}

/*
 * A prism of height 1 over n corners, written without looking for cuts; its
 * volume, and its area without the two ends.
 */
static void
write_large_prism(Bytes *bytes, const double (*at)[2], int n, double *volume,
				  double *walls)
{
	*volume = *walls = 0;
	for (int i = 0; i < n; i++)
	{
		const int	next = (i + 1) % n;

		add_text(bytes, "v %.17g %.17g 0\nv %.17g %.17g 1\n", at[i][0],
				 at[i][1], at[i][0], at[i][1]);
		*volume += (at[i][0] * at[next][1] - at[i][1] * at[next][0]) / 2;
		*walls += hypot(at[i][0] - at[next][0], at[i][1] - at[next][1]);
	}
	for (int end = 0; end < 2; end++)
	{
		add_text(bytes, "f");
		for (int i = 0; i < n; i++)
			add_text(bytes, " %d", end ? 2 * i + 2 : 2 * (n - i) - 1);
		add_text(bytes, "\n");
	}
	for (int i = 0; i < n; i++)
		add_text(bytes, "f %d %d %d %d\n", 2 * i + 1, 2 * ((i + 1) % n) + 1,
				 2 * ((i + 1) % n) + 2, 2 * i + 2);
}

/* As many corners as there may be, and one more. */
static void
test_limit(void)
{
	for (int more = 0; more < 2; more++)
	{
		const int	n = MF_MAX_POLYGON_CORNERS + more;
		double		(*at)[2] = checked(malloc(n * sizeof(*at)));
		Bytes		bytes = {0};
		MfMeasurement m;
		MfRefusal	refusal = {0};
		double		volume;
		double		walls;
		bool		good;

		/* Each second corner of a wheel lies closer: half are hollow. */
		for (int i = 0; i < n; i++)
		{
			at[i][0] = (i % 2 ? 99 : 100) * cos(i * 2 * M_PI / n);
			at[i][1] = (i % 2 ? 99 : 100) * sin(i * 2 * M_PI / n);
		}
		write_large_prism(&bytes, (const double (*)[2]) at, n, &volume,
						  &walls);
		good = measure_bytes(bytes.at, bytes.size, NULL, &m, &refusal);
		if (more == 0)
			ok(good && m.watertight && m.defect_count == 0 &&
			   near(m.volume_mm3, volume, 1e-9) &&
			   near(m.area_mm2, 2 * volume + walls, 1e-9),
			   "a wheel of %d corners", n);
		else
			ok(!good && refusal.code == MF_ERROR_UNSUPPORTED &&
			   strstr(refusal.text, "more than 100000 corners") != NULL &&
			   strncmp(refusal.text, "Line 200003: ", 13) == 0,
			   "a polygon of %d corners is for a person", n);
		free_bytes(&bytes);
		free(at);
	}
}

/* A comb of long teeth: each ear is looked at by all, and the looks end. */
static void
test_hard(void)
{
	const int	teeth = 20000;
	double		(*at)[2] = checked(malloc((3 * teeth + 2) * sizeof(*at)));
	Bytes		bytes = {0};
	MfMeasurement m;
	MfRefusal	refusal = {0};
	double		volume;
	double		walls;
	int			n = 0;

	at[n][0] = 0;
	at[n++][1] = -1;
	for (int i = 0; i < teeth; i++)
		for (int k = 0; k < 3; k++)
		{
			at[n][0] = 4 * (teeth - 1 - i) + (k == 0 ? 2 : k == 1 ? 1.5 : 1);
			at[n++][1] = k == 1 ? 100000 : 0;
		}
	/* The other way round, so that the comb is to the left. */
	for (int i = 0; i < n / 2; i++)
		for (int k = 0; k < 2; k++)
		{
			const double kept = at[i][k];

			at[i][k] = at[n - 1 - i][k];
			at[n - 1 - i][k] = kept;
		}
	write_large_prism(&bytes, (const double (*)[2]) at, n, &volume, &walls);
	ok(!measure_bytes(bytes.at, bytes.size, NULL, &m, &refusal) &&
	   refusal.code == MF_ERROR_UNSUPPORTED &&
	   strstr(refusal.text, "too hard to split") != NULL,
	   "a comb of %d teeth: refused, not guessed", teeth);
	printf("# %s\n", refusal.text);
	free_bytes(&bytes);
	free(at);
}

/* A long spiral: only its two ends can be cut off. */
static void
test_long_spiral(void)
{
	Outline    *o = new_outline();
	bool		good;

	for (int i = 0; i < 5000; i++)
		go(o, (2 + i * 0.2) * cos(i * 0.05), (2 + i * 0.2) * sin(i * 0.05));
	for (int i = 4999; i >= 0; i--)
		go(o, (1.5 + i * 0.2) * cos(i * 0.05), (1.5 + i * 0.2) * sin(i * 0.05));
	good = is_right(o, 0, &upright) && is_right(o, 1234, &upright);
	ok(good, "a spiral of 10,000 corners");
	free(o);
}

/*
 * Corners in no order, the worst there is: looking ends when the file's looks
 * are spent, and the signed area is right with few of them and with many.
 */
static void
test_budget(void)
{
	uint64_t	state = 37;
	double		vertex[2000][3] = {{0}};
	double		shoelace = 0;

	for (int i = 0; i < 2000; i++)
		for (int k = 0; k < 2; k++)
			vertex[i][k] = (double) (next_random(&state) % 1000);
	for (int i = 0; i < 2000; i++)
		shoelace += vertex[i][0] * vertex[(i + 1) % 2000][1] -
			vertex[i][1] * vertex[(i + 1) % 2000][0];
	for (int many = 0; many < 2; many++)
	{
		MfRefusal	refusal;
		MfJob		job = {.refusal = &refusal};
		MfPolygon	polygon;
		uint32_t	triangle[1998][3] = {{0}};
		double		twice = 0;
		uint64_t	left;
		bool		good;

		mf_polygon_begin(&polygon);
		good = polygon.looks_left > 0 &&
			mf_polygon_reserve(&job, &polygon, 2000);
		for (uint32_t i = 0; i < 2000; i++)
			polygon.corner[i].vertex = i;
		polygon.count = 2000;
		if (!many)
			polygon.looks_left = 0;
		good = good && !mf_polygon_split(&polygon,
										 (const double (*)[3]) vertex,
										 triangle);
		left = polygon.looks_left;
		for (int t = 0; t < 1998; t++)
			twice += side(vertex[triangle[t][0]], vertex[triangle[t][1]],
						  vertex[triangle[t][2]]);
		mf_polygon_end(&job, &polygon);
		ok(good && job.memory.used == 0 && twice == shoelace &&
		   (left == 0) == !many, "2,000 corners in no order, %s",
		   many ? "looks left" : "looks spent");
	}
}

int
main(void)
{
	test_usual();
	test_cuts();
	test_random_stars();
	test_random_ways();
	test_crossed();
	test_degenerate();
	test_limit();
	test_hard();
	test_long_spiral();
	test_budget();
	return tap_done();
}
