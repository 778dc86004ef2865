/*
 * test_repair_hostile.c
 *		Repair with many threads, little memory and hostile surfaces.
 */
#include "damage.h"

/* The same bits with any number of threads, and on every run. */
static void
test_threads(void)
{
	MfPool	   *pool = mf_pool_start(4);
	MfGeometryOptions options = {.pool = pool};
	Soup		soup = {0};
	MfMeasurement one;
	MfMeasurement four;
	MfRefusal	refusal;
	Bytes		bytes;

	add_torus(&soup, 60, 50, 30, 10);
	drop_triangles(&soup, 3, 200);
	split_sides(&soup, 9, 2);
	crack_soup(&soup, 1e-6, 4);
	bytes = as_binary(&soup);
	memset(&one, 0, sizeof(one));
	memset(&four, 0, sizeof(four));
	ok(measure_bytes(bytes.at, bytes.size, NULL, &one, &refusal) &&
	   measure_bytes(bytes.at, bytes.size, &options, &four, &refusal) &&
	   memcmp(&one.volume_mm3, &four.volume_mm3, sizeof(double)) == 0 &&
	   memcmp(one.defects, four.defects, sizeof(one.defects)) == 0 &&
	   one.area_mm2 == four.area_mm2 && one.holes == four.holes,
	   "the same bits with four threads");
	free_bytes(&bytes);
	free_soup(&soup);
	mf_pool_stop(pool);
}

/* Under every limit of memory: the same answer, or a refusal. */
static void
test_memory(void)
{
	Soup		soup = {0};
	MfMeasurement free_of_limits;
	MfRefusal	refusal;
	Bytes		bytes;
	int			measured = 0;
	int			refused = 0;
	int			bad = 0;

	add_torus(&soup, 20, 10, 30, 10);
	for (size_t t = 0; t < 50; t++)
		turn_triangle(&soup, t);
	drop_triangles(&soup, 3, 90);
	split_sides(&soup, 9, 3);
	crack_soup(&soup, 1e-6, 4);
	bytes = as_binary(&soup);
	ok(measure_bytes(bytes.at, bytes.size, NULL, &free_of_limits, &refusal) &&
	   near(free_of_limits.volume_mm3, torus_volume(20, 10, 30, 10), 1e-5) &&
	   free_of_limits.defect_count >= 5, "a torus with all defects");
	for (uint64_t limit = 1; limit < 400000; limit += 97)
	{
		const MfGeometryOptions options = {
			.memory_limit = limit,
			.basic = true
		};
		MfMeasurement m;

		if (measure_bytes(bytes.at, bytes.size, &options, &m, &refusal))
		{
			measured++;
			bad += m.volume_mm3 != free_of_limits.volume_mm3 ||
				m.holes != free_of_limits.holes;
		}
		else
		{
			refused++;
			bad += refusal.code != MF_ERROR_OUT_OF_MEMORY || measured > 0;
		}
	}
	ok(measured > 0 && refused > 0 && bad == 0,
	   "with every limit of memory: %d measured, %d refused", measured,
	   refused);
	free_bytes(&bytes);
	free_soup(&soup);
}

/* ---- points ---- */

static void
test_touching(void)
{
	MfGeometryOptions basic = {.basic = true};
	Soup		soup = {0};
	MfMeasurement m;
	MfRefusal	refusal;
	Bytes		bytes;

	/* Its hole is a point. */
	add_torus(&soup, 40, 30, 16, 16);
	ok(measure_soup(&soup, &m) && m.bodies == 1 && m.watertight &&
	   near(m.volume_mm3, torus_volume(40, 30, 16, 16), TOLERANCE) &&
	   has(&m, MF_DEFECT_TOUCHING_VERTICES, 1, false) &&
	   fabs(find_defect(&m, MF_DEFECT_TOUCHING_VERTICES)->at[0]) < 1e-6 &&
	   find_defect(&m, MF_DEFECT_TOUCHING_VERTICES)->severity ==
	   MF_SEVERITY_INFO, "a torus that touches itself in its middle");
	bytes = as_binary(&soup);
	ok(measure_bytes(bytes.at, bytes.size, &basic, &m, &refusal) &&
	   has(&m, MF_DEFECT_TOUCHING_VERTICES, 0, false),
	   "which is not looked for where little is asked for");
	free_bytes(&bytes);
	free_soup(&soup);

	for (int i = 0; i < 10; i++)
		add_tetrahedron(&soup, 10 * i, 0, 0, 10);
	bytes = as_binary(&soup);
	ok(measure_bytes(bytes.at, bytes.size, &basic, &m, &refusal) &&
	   m.bodies == 10 && has(&m, MF_DEFECT_TOUCHING_VERTICES, 9, false) &&
	   m.defects[0].at[0] == 10, "ten bodies in a row");
	free_bytes(&bytes);
	free_soup(&soup);
}

/* ---- hostile ---- */

/*
 * Measures within so many bytes for each triangle; it may not be closed.
 */
static void
check_hostile(Soup *soup, const char *what)
{
	MfGeometryOptions options = {
		.memory_limit = 400 * (uint64_t) soup->count + 2000000,
		.basic = true
	};
	Bytes		bytes = as_binary(soup);
	MfMeasurement m;
	MfRefusal	refusal;

	refusal.text[0] = '\0';
	m.volume_mm3 = 0;
	ok(measure_bytes(bytes.at, bytes.size, &options, &m, &refusal) &&
	   sane_measurement(&m) && isnan(m.volume_mm3) &&
	   (is_error(&m, MF_DEFECT_OPEN_EDGES) ||
		is_error(&m, MF_DEFECT_NON_MANIFOLD_EDGES)), "%s", what);
	for (int i = 0; i < m.defect_count; i++)
		printf("# %s: %lld%s\n", mf_defect_name(m.defects[i].code),
			   (long long) m.defects[i].count,
			   m.defects[i].repaired ? ", repaired" : "");
	free_bytes(&bytes);
	free_soup(soup);
}

static void
test_hostile(void)
{
	const size_t n = 60000;
	const double far_off[3][3] = {{0, 0, 0}, {1e3, 0, 0}, {1e3, 1e3, 1e3}};
	uint64_t	state = 77;
	Soup		soup = {0};
	double		at[3][3];

#define FOR_ALL_CORNERS(value) \
	for (size_t t = 0; t < n; t++) \
	{ \
		for (int i = 0; i < 3; i++) \
			for (int k = 0; k < 3; k++) \
				at[i][k] = (value); \
		add_triangle(&soup, at[0], at[1], at[2]); \
	}

	FOR_ALL_CORNERS(100 * around_zero(&state));
	check_hostile(&soup, "a soup of large triangles");
	add_triangle(&soup, far_off[0], far_off[1], far_off[2]);
	FOR_ALL_CORNERS(1e-4 * around_zero(&state));
	check_hostile(&soup, "all corners nearly meet, in one place");
	add_triangle(&soup, far_off[0], far_off[1], far_off[2]);
	FOR_ALL_CORNERS(i == 0 ? 1e-4 * around_zero(&state) :
					500 * around_zero(&state));
	check_hostile(&soup, "one of all corners nearly meets all others");
	FOR_ALL_CORNERS(i == 0 ? 0 : 100 * around_zero(&state));
	check_hostile(&soup, "all have one corner in common");
	FOR_ALL_CORNERS(i == 2 ? (k == 2 ? t % 251 : k == 1 ? 1 + t % 241 : 0) :
					k == 0 ? (double) ((t + i) % n * 7919 % n) : 0);
	check_hostile(&soup, "to and fro along one line");
	FOR_ALL_CORNERS(i == 0 ? 20 * (k == 2) : k == 2 ? 0 :
					sin(2 * M_PI * ((t + i) % n) / n + k * M_PI / 2));
	check_hostile(&soup, "a rim of very many edges");
	FOR_ALL_CORNERS(i == 0 ? 20 * (k == 2) : k == 2 ? 0 :
					(10 + (double) ((t + i) % n) / n) *
					sin(2 * M_PI * ((t + i) % n) / 7 + k * M_PI / 2));
	check_hostile(&soup, "a rim that winds through itself");
	for (size_t i = 0; i < n / 600; i++)
		for (size_t t = 0; t < 600; t++)
		{
			for (int c = 0; c < 3; c++)
				for (int k = 0; k < 3; k++)
				{
					const size_t s = (t + c) % 600;
					const double radius = s < 300 ? s : 599 - s + 0.5;

					at[c][k] = k == 2 ? (double) i * 50 + (c == 0) * 3 :
						c == 0 ? 0 : radius *
						sin(0.3 * radius + k * M_PI / 2);
				}
			add_triangle(&soup, at[0], at[1], at[2]);
		}
	check_hostile(&soup, "many rims that are spirals");
}

/* Triangles over the points of a small grid meet in all possible ways. */
static void
test_random(void)
{
	int			measured = 0;
	int			closed = 0;
	int			bad = 0;
	uint64_t	state = 4711;

	for (int i = 0; i < 3000; i++)
	{
		const int	count = 1 + (int) (next_random(&state) %
									   (i % 3 == 0 ? 4 : 40));
		Soup		soup = {0};
		MfMeasurement m;

		if (i % 3 == 0)
			add_box(&soup, 0, 0, 0, 2, 2, 2, false);
		for (int t = 0; t < count; t++)
		{
			double		at[3][3];

			for (int c = 0; c < 3; c++)
				for (int k = 0; k < 3; k++)
					at[c][k] = (double) (next_random(&state) % 3) +
						(next_random(&state) % 8 == 0 ? 1e-6 : 0);
			add_triangle(&soup, at[0], at[1], at[2]);
		}
		if (i % 2 == 0)
			for (int t = 0; t < count / 4; t++)
				remove_triangle(&soup, next_random(&state) % soup.count);
		if (measure_soup(&soup, &m))
		{
			measured++;
			closed += !isnan(m.volume_mm3);
			bad += !sane_measurement(&m);
		}
		else
			bad++;
		free_soup(&soup);
	}
	ok(measured == 3000 && bad == 0 && closed > 0,
	   "%d random surfaces, of which %d enclose a volume", measured, closed);
}

int
main(void)
{
	test_threads();
	test_memory();
	test_touching();
	test_hostile();
	test_random();
	return tap_done();
}
