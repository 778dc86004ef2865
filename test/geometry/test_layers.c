/*
 * test_layers.c
 *		Layers and sections of shapes whose cross sections are known.
 */
#include "../../src/geometry/slices.h"
#include "../../src/geometry/whole.h"
#include "shapes.h"
#include "tap.h"

/* The layers are floats. */
#define FLOAT_TOLERANCE		3e-7

static double
layer_height(const MfMeasurement *m)
{
	return (m->bbox_max[2] - m->bbox_min[2]) / MF_LAYERS;
}

static double
sum_column(const float *column)
{
	double		sum = 0;

	for (int i = 0; i < MF_LAYERS; i++)
		sum += (double) column[i];
	return sum;
}

/* Do the layers add up to the volume and the area that they are part of? */
static bool
adds_up(const MfMeasurement *m)
{
	const double h = layer_height(m);
	bool		good = m->layers.count == MF_LAYERS;

	for (int i = 0; good && i < MF_LAYERS; i++)
		good = m->layers.area[i] >= 0 && m->layers.perimeter[i] >= 0 &&
			m->layers.up[i] >= 0 && m->layers.down[i] >= 0 &&
			isfinite(m->layers.area[i]) && isfinite(m->layers.perimeter[i]) &&
			isfinite(m->layers.up[i]) && isfinite(m->layers.down[i]);
	return good && near(sum_column(m->layers.area) * h, m->volume_mm3,
						FLOAT_TOLERANCE) &&
		near(sum_column(m->layers.up), sum_column(m->layers.down),
			 FLOAT_TOLERANCE) &&
		sum_column(m->layers.perimeter) * h + 2 * sum_column(m->layers.up) >=
		m->area_mm2 * (1 - FLOAT_TOLERANCE);
}

static void
test_box(void)
{
	Soup		soup = {0};
	MfMeasurement m;
	bool		good;

	add_box(&soup, 1, 2, 3, 11, 22, 33, false);
	good = measure_soup(&soup, &m) && adds_up(&m);
	for (int i = 0; good && i < MF_LAYERS; i++)
		good = near(m.layers.area[i], 200, FLOAT_TOLERANCE) &&
			near(m.layers.perimeter[i], 60, FLOAT_TOLERANCE) &&
			m.layers.up[i] == (i == MF_LAYERS - 1 ? 200 : 0) &&
			m.layers.down[i] == (i == 0 ? 200 : 0);
	ok(good, "a box: all layers alike, up on top, down at the bottom");
	free_soup(&soup);
}

/* A step between two layers bounds the lower one, seen from both sides. */
static void
test_step(void)
{
	Soup		soup = {0};
	MfMeasurement m;

	add_box(&soup, 0, 0, 0, 10, 10, 128, false);
	add_box(&soup, 20, 0, 128, 30, 10, 256, false);
	ok(measure_soup(&soup, &m) && adds_up(&m) &&
	   m.layers.up[127] == 100 && m.layers.up[128] == 0 &&
	   m.layers.down[128] == 100 && m.layers.down[127] == 0,
	   "what lies between two layers bounds the one with the material");
	free_soup(&soup);
}

static void
test_hollow(void)
{
	Soup		soup = {0};
	MfMeasurement m;
	bool		good;

	add_box(&soup, 0, 0, 0, 8, 8, 256, false);
	add_box(&soup, 2, 2, 64, 6, 6, 192, true);
	good = measure_soup(&soup, &m) && adds_up(&m);
	for (int i = 0; good && i < MF_LAYERS; i++)
	{
		const bool	hollow = i >= 64 && i < 192;

		good = near(m.layers.area[i], hollow ? 48 : 64, FLOAT_TOLERANCE) &&
			near(m.layers.perimeter[i], hollow ? 48 : 32, FLOAT_TOLERANCE) &&
			m.layers.up[i] == (i == 63 ? 16 : i == 255 ? 64 : 0) &&
			m.layers.down[i] == (i == 192 ? 16 : i == 0 ? 64 : 0);
	}
	ok(good, "a hollow box: less area, more outline where it is hollow");
	free_soup(&soup);
}

/* A cone over an n-gon, tip up or down. */
static void
add_cone(Soup *soup, int n, double radius, double base, double tip)
{
	const double top[3] = {0, 0, tip};
	const double middle[3] = {0, 0, base};

	for (int i = 0; i < n; i++)
	{
		const double a = 2 * M_PI * i / n;
		const double b = 2 * M_PI * ((i + 1) % n) / n;
		const double from[3] = {radius * cos(a), radius * sin(a), base};
		const double to[3] = {radius * cos(b), radius * sin(b), base};

		if (tip > base)
		{
			add_triangle(soup, from, to, top);
			add_triangle(soup, to, from, middle);
		}
		else
		{
			add_triangle(soup, to, from, top);
			add_triangle(soup, from, to, middle);
		}
	}
}

static void
test_cone(bool tip_up)
{
	const int	n = 60;
	const double unit_area = n / 2.0 * sin(2 * M_PI / n);
	const double unit_outline = 2 * n * sin(M_PI / n);
	Soup		soup = {0};
	MfMeasurement m;
	bool		good;

	add_cone(&soup, n, 10, tip_up ? 0 : 20, tip_up ? 20 : 0);
	good = measure_soup(&soup, &m) && adds_up(&m);
	for (int i = 0; good && i < MF_LAYERS; i++)
	{
		const int	from_tip = tip_up ? MF_LAYERS - 1 - i : i;
		const double r0 = 10.0 * from_tip / MF_LAYERS;
		const double r1 = 10.0 * (from_tip + 1) / MF_LAYERS;
		const bool	base = i == (tip_up ? 0 : MF_LAYERS - 1);

		/* Floats round the corners to 6e-8 of the radius. */
		good = near(m.layers.area[i],
					unit_area * (r0 * r0 + r0 * r1 + r1 * r1) / 3, 1e-6) &&
			near(m.layers.perimeter[i], unit_outline * (r0 + r1) / 2, 1e-6) &&
			near((tip_up ? m.layers.up : m.layers.down)[i],
				 unit_area * (r1 * r1 - r0 * r0), 1e-6) &&
			near((tip_up ? m.layers.down : m.layers.up)[i],
				 base ? unit_area * 100 : 0, 1e-6);
	}
	ok(good, "a cone, tip %s: quadratic area, linear outline, in each layer",
	   tip_up ? "up" : "down");
	free_soup(&soup);
}

/* A ball: slices between z0 and z1 have volume pi (r^2 z - z^3 / 3). */
static void
test_ball(void)
{
	const int	n = 400;
	Soup		soup = {0};
	MfMeasurement m;
	bool		good;

	for (int r = 0; r < n; r++)
		for (int c = 0; c < 2 * n; c++)
		{
			double		at[4][3];

			for (int i = 0; i < 4; i++)
			{
				const int	row = r + (i == 2 || i == 3);
				const int	column = (c + (i == 1 || i == 2)) % (2 * n);
				const double u = M_PI * row / n;
				const double v = M_PI * column / n;
				const double ring = row == 0 || row == n ? 0 : sin(u);

				at[i][0] = 10 * ring * cos(v);
				at[i][1] = 10 * ring * sin(v);
				at[i][2] = -10 * cos(u);
			}
			if (r > 0)
				add_triangle(&soup, at[0], at[1], at[2]);
			if (r < n - 1)
				add_triangle(&soup, at[0], at[2], at[3]);
		}
	good = measure_soup(&soup, &m) && adds_up(&m);
	for (int i = 4; good && i < MF_LAYERS - 4; i++)
	{
		const double z0 = 20.0 * i / MF_LAYERS - 10;
		const double z1 = 20.0 * (i + 1) / MF_LAYERS - 10;

		good = near(m.layers.area[i], M_PI *
					(100 - (z0 * z0 + z0 * z1 + z1 * z1) / 3), 1e-3) &&
			near(m.layers.perimeter[i],
				 2 * M_PI * sqrt(100 - (z0 + z1) * (z0 + z1) / 4), 1e-3);
	}
	ok(good, "a ball: area and outline of each layer");
	free_soup(&soup);
}

static void
test_tori(void)
{
	static const int sizes[][2] = {{3, 3}, {5, 4}, {64, 32}, {300, 200}};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
	{
		Soup		soup = {0};
		MfMeasurement m;

		add_torus(&soup, sizes[i][0], sizes[i][1], 30, 10);
		ok(measure_soup(&soup, &m) && adds_up(&m),
		   "a torus of %d by %d adds up", sizes[i][0], sizes[i][1]);
		free_soup(&soup);
	}
}

/* Turned in space, so that nothing is parallel to anything. */
static void
turn_soup(Soup *soup, double a, double b)
{
	for (size_t t = 0; t < soup->count; t++)
		for (int i = 0; i < 3; i++)
		{
			float	   *p = soup->triangle[t][i];
			const double x = p[0] * cos(a) - p[1] * sin(a);
			const double y = p[0] * sin(a) + p[1] * cos(a);

			p[0] = (float) x;
			p[1] = (float) (y * cos(b) - p[2] * sin(b));
			p[2] = (float) (y * sin(b) + p[2] * cos(b));
		}
}

static void
test_tilted(void)
{
	Soup		soup = {0};
	MfMeasurement m;
	bool		good;

	add_box(&soup, 0, 0, 0, 10, 20, 30, false);
	turn_soup(&soup, 0.3, M_PI / 4);
	good = measure_soup(&soup, &m) && adds_up(&m);
	ok(good && near(sum_column(m.layers.up),
					10 * 20 * cos(M_PI / 4) +
					10 * 30 * cos(0.3) * sin(M_PI / 4) +
					20 * 30 * fabs(sin(0.3)) * sin(M_PI / 4), 1e-6),
	   "a tilted box adds up and shows its shadow");
	free_soup(&soup);
}

/* Lengths s times, areas s^2 times. */
static void
test_scale(void)
{
	Soup		soup = {0};
	Soup		large = {0};
	MfMeasurement m;
	MfMeasurement n;
	bool		good;

	add_torus(&soup, 30, 20, 30, 10);
	turn_soup(&soup, 0.4, 1.1);
	for (size_t t = 0; t < soup.count; t++)
	{
		double		at[3][3];

		for (int i = 0; i < 9; i++)
			at[i / 3][i % 3] = (double) soup.triangle[t][i / 3][i % 3] * 8;
		add_triangle(&large, at[0], at[1], at[2]);
	}
	good = measure_soup(&soup, &m) && measure_soup(&large, &n);
	for (int i = 0; good && i < MF_LAYERS; i++)
		good = m.layers.area[i] * 64 == n.layers.area[i] &&
			m.layers.perimeter[i] * 8 == n.layers.perimeter[i] &&
			m.layers.up[i] * 64 == n.layers.up[i] &&
			m.layers.down[i] * 64 == n.layers.down[i];
	ok(good, "eight times larger: 8 times the outline, 64 times the areas");
	free_soup(&soup);
	free_soup(&large);
}

static void
test_threads(void)
{
	Soup		soup = {0};
	Bytes		bytes;
	MfMeasurement m[3];
	bool		good = true;

	add_torus(&soup, 400, 200, 30, 10);
	turn_soup(&soup, 0.4, 1.1);
	bytes = as_binary(&soup);
	for (int i = 0; i < 3; i++)
	{
		MfGeometryOptions options = {.pool = mf_pool_start(1 + 2 * i)};
		MfRefusal	refusal;

		memset(&m[i], 0, sizeof(m[i]));
		good = good && measure_bytes(bytes.at, bytes.size, &options, &m[i],
									 &refusal);
		mf_pool_stop(options.pool);
	}
	ok(good && adds_up(&m[0]) &&
	   memcmp(&m[0].layers, &m[1].layers, sizeof(m[0].layers)) == 0 &&
	   memcmp(&m[0].layers, &m[2].layers, sizeof(m[0].layers)) == 0,
	   "the same bits with 1, 3 and 5 threads");
	free_bytes(&bytes);
	free_soup(&soup);
}

/*
 * Needles as tall as the model: the sides of a tall ring of many corners.
 * Each is added in a few steps, and the layers are as good as of a short one.
 */
static void
test_needles(void)
{
	const int	n = 20000;
	Soup		soup = {0};
	MfMeasurement m;
	const double area = n / 2.0 * sin(2 * M_PI / n) * (100 - 72.25);
	const double outline = 2 * n * sin(M_PI / n) * 18.5;
	bool		good;

	add_ring(&soup, n, 10, 8.5, 1000);
	good = measure_soup(&soup, &m) && adds_up(&m);
	for (int i = 0; good && i < MF_LAYERS; i++)
		good = near(m.layers.area[i], area, 1e-6) &&
			near(m.layers.perimeter[i], outline, 1e-6);
	ok(good, "sides of needles as tall as the model");
	free_soup(&soup);
}

/*
 * What is between two planes of a triangle: Sutherland and Hodgman,
 * "Reentrant polygon clipping", 1974.  Returns the number of corners.
 */
static int
clip_triangle(const double at[3][3], double low, double high,
			  double polygon[8][3])
{
	int			count = 3;

	memcpy(polygon, at, 3 * sizeof(polygon[0]));
	for (int side = 0; side < 2; side++)
	{
		double		next[8][3];
		int			kept = 0;
		const double plane = side ? high : low;

		for (int i = 0; i < count; i++)
		{
			const double *a = polygon[i];
			const double *b = polygon[(i + 1) % count];
			const bool	in_a = side ? a[2] <= plane : a[2] >= plane;
			const bool	in_b = side ? b[2] <= plane : b[2] >= plane;

			if (in_a)
				memcpy(next[kept++], a, sizeof(next[0]));
			if (in_a == in_b)
				continue;
			for (int k = 0; k < 3; k++)
				next[kept][k] = a[k] + (plane - a[2]) / (b[2] - a[2]) *
					(b[k] - a[k]);
			kept++;
		}
		memcpy(polygon, next, kept * sizeof(polygon[0]));
		count = kept;
	}
	return count;
}

/* Twice what a triangle gives to each sum. */
static void
sum_triangle(const double *a, const double *b, const double *c,
			 double sum[MF_SLICE_SUMS])
{
	double		normal[3];

	for (int k = 0; k < 3; k++)
	{
		const int	i = (k + 1) % 3;
		const int	j = (k + 2) % 3;

		normal[k] = (b[i] - a[i]) * (c[j] - a[j]) -
			(b[j] - a[j]) * (c[i] - a[i]);
	}
	sum[MF_SLICE_VOLUME] += normal[0] * (a[0] + b[0] + c[0]) / 3;
	sum[MF_SLICE_WALL] += hypot(normal[0], normal[1]);
	sum[normal[2] > 0 ? MF_SLICE_UP : MF_SLICE_DOWN] += fabs(normal[2]);
}

/* How far the sums of one triangle are off, in terms of their totals. */
static double
compare_cuts(const double at[3][3], const MfSlices *slices)
{
	double		wanted[MF_LAYERS][MF_SLICE_SUMS] = {{0}};
	double		total[MF_SLICE_SUMS] = {0};
	double		worst = 0;

	for (int layer = 0; layer < MF_LAYERS; layer++)
	{
		double		polygon[8][3];
		const int	count = clip_triangle(at, layer, layer + 1, polygon);

		for (int i = 2; i < count; i++)
			sum_triangle(polygon[0], polygon[i - 1], polygon[i],
						 wanted[layer]);
		for (int k = 0; k < MF_SLICE_SUMS; k++)
			total[k] += fabs(wanted[layer][k]);
	}
	for (int layer = 0; layer < MF_LAYERS; layer++)
		for (int k = 0; k < MF_SLICE_SUMS; k++)
			if (total[k] > 0)
				worst = fmax(worst, fabs(slices->sum[layer][k] -
										 wanted[layer][k]) / total[k]);
	return worst;
}

/* Triangles of all heights, cut into layers, against plain clipping. */
static void
test_cuts(void)
{
	const MfSliceGrid grid = {.low = 0,.per_length = 1};
	uint64_t	seed = 7;
	MfSlices   *slices = checked(malloc(sizeof(*slices)));
	double		worst = 0;

	for (int round = 0; round < 500; round++)
	{
		double		at[3][3];

		for (int i = 0; i < 9; i++)
			at[i / 3][i % 3] = (double) (next_random(&seed) >> 11) /
				9007199254740992.0 * (i % 3 == 2 ? 256 : 100);
		if (round % 3 == 0)
			at[1][2] = at[0][2];
		memset(slices, 0, sizeof(*slices));
		mf_slices_add(slices, &grid, (const double (*)[3]) at, 2, true);
		mf_slices_finish(slices);
		worst = fmax(worst, compare_cuts((const double (*)[3]) at, slices));
	}
	ok(worst < 1e-12, "500 triangles cut into layers: off by %.2g of each",
	   worst);
	free(slices);
}

/* A scene of one torus, put to some heights; false: refused. */
static bool
measure_tori(const Bytes *bytes, int places, MfMeasurement *m)
{
	MfRefusal	refusal = {0};
	MfJob		job = {
		.bytes = bytes->at,.size = bytes->size,.refusal = &refusal,
		.max_triangles = MF_DEFAULT_MAX_TRIANGLES,.unit_in_mm = 1,
		.unit_name = "mm",.share = 1
	};
	MfScene		scene = {0};
	MfFormat	format;
	bool		good;

	memset(m, 0, sizeof(*m));
	good = mf_scene_read(&job, &scene, &format);
	for (int i = 1; good && i < places; i++)
	{
		const double shift[3] = {0, 0, i * 0.5};

		good = mf_scene_place(&job, &scene, 0, NULL, shift);
	}
	good = good && mf_scene_settle(&job, &scene) &&
		mf_part_measure(&job, &scene.part[0]) &&
		mf_totals_measure(&job, &scene, m) &&
		mf_layers_measure(&job, &scene, m);
	mf_scene_free(&job, &scene);
	return good && job.memory.used == 0;
}

/*
 * Instances add up, few of them exactly as if they were one mesh, and many,
 * whose profile is spread.
 */
static void
test_instances(void)
{
	Soup		soup = {0};
	Soup		flat = {0};
	Bytes		bytes;
	MfMeasurement m;
	MfMeasurement n;
	bool		good;

	add_torus(&soup, 40, 30, 30, 10);
	turn_soup(&soup, 0.4, 1.1);
	for (int i = 0; i < 3; i++)
	{
		const size_t begin = flat.count;

		for (size_t t = 0; t < soup.count; t++)
		{
			double		at[3][3];

			for (int k = 0; k < 9; k++)
				at[k / 3][k % 3] = (double) soup.triangle[t][k / 3][k % 3] +
					(k % 3 == 2 ? i * 0.5 : 0);
			add_triangle(&flat, at[0], at[1], at[2]);
		}
		good = flat.count - begin == soup.count;
	}
	bytes = as_binary(&soup);
	good = good && measure_tori(&bytes, 3, &m) && measure_soup(&flat, &n) &&
		adds_up(&m);
	for (int i = 2; good && i < MF_LAYERS - 2; i++)
		good = near(m.layers.area[i], n.layers.area[i], 1e-4) &&
			near(m.layers.perimeter[i], n.layers.perimeter[i], 1e-4);
	ok(good, "three instances are as three bodies");
	ok(measure_tori(&bytes, 2000, &m) && adds_up(&m),
	   "two thousand instances, each at a height of its own, add up");
	free_bytes(&bytes);
	free_soup(&soup);
	free_soup(&flat);
}

/* Where there is no volume there are no layers. */
static void
test_open(void)
{
	Soup		soup = {0};
	MfMeasurement m;

	add_box(&soup, 0, 0, 0, 10, 20, 30, false);
	remove_triangle(&soup, 3);
	remove_triangle(&soup, 2);
	ok(measure_soup(&soup, &m) && isnan(m.volume_mm3) && m.layers.count == 0,
	   "an open box has no layers");
	free_soup(&soup);
}

int
main(void)
{
	test_box();
	test_step();
	test_hollow();
	test_cone(true);
	test_cone(false);
	test_ball();
	test_tori();
	test_tilted();
	test_scale();
	test_threads();
	test_needles();
	test_cuts();
	test_instances();
	test_open();
	return tap_done();
}
