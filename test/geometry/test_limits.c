/*
 * test_limits.c
 *		Limits on triangles and memory, progress, and the same bits each time.
 */
#include "../../src/geometry/mesh.h"
#include "shapes.h"
#include "tap.h"

typedef struct Log
{
	int			calls;
	int			last_percent;
	int			largest_step;
	bool		backwards;
	bool		out_of_range;
	bool		stages[MF_STAGE_LAST + 1];
} Log;

static void
note_progress(void *arg, MfStage stage, int percent)
{
	Log		   *log = arg;

	log->calls++;
	log->backwards |= percent < log->last_percent;
	log->out_of_range |= percent < 0 || percent > 100;
	if (percent - log->last_percent > log->largest_step)
		log->largest_step = percent - log->last_percent;
	log->last_percent = percent;
	log->stages[stage] = true;
}

static void
test_triangles(const Bytes *binary, const Bytes *ascii, const Bytes *obj,
			   uint64_t count)
{
	const Bytes *files[] = {binary, ascii, obj};
	static const char *const names[] = {"binary", "ASCII", "OBJ"};

	for (int i = 0; i < 3; i++)
		for (int less = 0; less < 2; less++)
		{
			const MfGeometryOptions options = {
				.max_triangles = count - less
			};
			MfMeasurement m;
			MfRefusal	refusal;
			const bool	good = measure_bytes(files[i]->at, files[i]->size,
											 &options, &m, &refusal);

			ok(less ? !good && refusal.code == MF_ERROR_TOO_MANY_TRIANGLES &&
			   strstr(refusal.text, "allowed") != NULL : good,
			   "%s: %llu triangles, %llu allowed", names[i],
			   (unsigned long long) count,
			   (unsigned long long) count - less);
		}
}

/* Forgets what is not known where there is no memory for the trees. */
static void
forget_lines(MfMeasurement *m)
{
	m->min_wall_mm = NAN;
	m->wall_samples = 0;
	for (int i = 0; i < MF_WALL_SHARES; i++)
		m->wall_mm[i] = NAN;
	for (int i = 0; i < 3; i++)
		m->min_wall_at[i] = 0;
	m->support_volume_mm3 = NAN;
	m->overlap_volume_mm3 = NAN;
}

/*
 * Under every limit: measured with the same bits, or all but what needs the
 * trees, or refused.
 */
static void
test_memory(const Bytes *bytes, const char *what)
{
	MfMeasurement free_of_limits;
	MfRefusal	refusal;
	uint64_t	limit = 1;
	int			measured = 0;
	int			refused = 0;
	int			whole = 0;
	int			bad = 0;
	MfMeasurement less;

	if (!measure_bytes(bytes->at, bytes->size, NULL, &free_of_limits,
					   &refusal))
		bad++;
	less = free_of_limits;
	forget_lines(&less);
	for (; limit < 64 * bytes->size; limit += limit / 40 + 1000)
	{
		const MfGeometryOptions options = {
			.memory_limit = limit
		};
		MfMeasurement m;

		if (measure_bytes(bytes->at, bytes->size, &options, &m, &refusal))
		{
			measured++;
			m.measured_in_ms = free_of_limits.measured_in_ms;
			/* More memory never makes less known. */
			bad += whole > 0 && isnan(m.support_volume_mm3);
			if (!isnan(m.support_volume_mm3))
				whole += memcmp(&m, &free_of_limits, sizeof(m)) == 0;
			else
			{
				forget_lines(&m);
				bad += memcmp(&m, &less, sizeof(m)) != 0;
			}
		}
		else
		{
			refused++;
			/* More memory never turns a measurement into a refusal. */
			bad += refusal.code != MF_ERROR_OUT_OF_MEMORY || measured > 0;
		}
	}
	ok(bad == 0 && whole > 10 && refused > 10,
	   "%s: %d memory limits refused, %d enough, %d of them for all", what,
	   refused, measured, whole);
}

/* What is asked for is given back, and no more is taken than three files. */
static void
test_accounting(void)
{
	MfMemory	memory = {.limit = 100};
	void	   *a = mf_memory_alloc(&memory, 60);
	void	   *b = mf_memory_alloc(&memory, 60);
	void	   *c = mf_memory_alloc(&memory, 40);

	ok(a != NULL && b == NULL && c != NULL && memory.used == 100,
	   "memory is given up to the limit");
	ok(mf_memory_alloc(&memory, UINT64_MAX) == NULL &&
	   mf_memory_alloc(&memory, UINT64_MAX - 50) == NULL &&
	   mf_memory_grow(&memory, a, 60, UINT64_MAX / 2) == NULL,
	   "sizes that overflow are refused");
	mf_memory_free(&memory, a, 60);
	mf_memory_free(&memory, c, 40);
	ok(memory.used == 0 && memory.peak == 100, "memory is given back");

	memory.limit = 0;
	a = mf_memory_alloc(&memory, 5000000);
	memset(a, 1, 5000000);
	b = mf_memory_grow(&memory, a, 5000000, 9000001);
	ok(b != NULL && memory.used == 9000001 && ((uint8_t *) b)[4999999] == 1 &&
	   ((uint8_t *) b)[5000000] == 0 && ((uint8_t *) b)[9000000] == 0,
	   "a large block grows, and its new part is empty");
	mf_memory_free(&memory, b, 9000001);
	ok(memory.used == 0, "a large block is given back");
}

static void
test_progress(const Bytes *bytes, const char *what)
{
	Log			log = {.last_percent = 0};
	const MfGeometryOptions options = {
		.progress = note_progress,.progress_arg = &log
	};
	MfMeasurement m;
	MfRefusal	refusal;

	ok(measure_bytes(bytes->at, bytes->size, &options, &m, &refusal) &&
	   !log.backwards && !log.out_of_range && log.last_percent == 100 &&
	   log.stages[MF_STAGE_READING] && log.stages[MF_STAGE_TOPOLOGY] &&
	   log.stages[MF_STAGE_MEASURING] && log.stages[MF_STAGE_DONE],
	   "%s: progress goes from 0 to 100 through all stages", what);
	printf("# %d calls, largest step %d\n", log.calls, log.largest_step);
}

/* A model of a million triangles has to be heard of often. */
static void
test_steps(void)
{
	Log			log = {.last_percent = 0};
	const MfGeometryOptions options = {
		.basic = true,.progress = note_progress,.progress_arg = &log
	};
	Soup		soup = {0};
	Bytes		bytes;
	MfMeasurement m;
	MfRefusal	refusal;

	add_torus(&soup, 1000, 500, 30, 10);
	bytes = as_binary(&soup);
	ok(measure_bytes(bytes.at, bytes.size, &options, &m, &refusal) &&
	   log.calls >= 50 && log.largest_step <= 5 && m.triangles == 1000000,
	   "a million triangles: no step of more than 5 percent");
	printf("# %d calls, largest step %d\n", log.calls, log.largest_step);
	free_bytes(&bytes);
	free_soup(&soup);
}

static void
test_same_bits(const Bytes *bytes, const char *what)
{
	MfMeasurement first;
	MfMeasurement again;
	MfRefusal	refusal;
	int			bad = 0;

	/* Other stacks, another seed of the hash, other threads: the same bits. */
	memset(&first, 0x55, sizeof(first));
	bad += !measure_bytes(bytes->at, bytes->size, NULL, &first, &refusal);
	for (int i = 0; i < 20; i++)
	{
		MfPool	   *pool = mf_pool_start(1 + i);
		const MfGeometryOptions options = {.pool = pool,.name = "other"};

		memset(&again, 0xaa, sizeof(again));
		bad += !measure_bytes(bytes->at, bytes->size, &options, &again,
							  &refusal);
		mf_pool_stop(pool);
		again.measured_in_ms = first.measured_in_ms;
		bad += memcmp(&first, &again, sizeof(first)) != 0;
	}
	ok(bad == 0, "%s: the same bits 20 times", what);
}

/*
 * Models of many chunks and buckets, with one shell, many shells, defects,
 * and everything at one vertex: the same bits with any number of threads.
 */
static void
test_threads(void)
{
	static const int threads[] = {1, 2, 3, 7};
	static const char *const names[] = {
		"one torus", "many boxes", "an open, turned torus", "a fan"
	};

	for (int kind = 0; kind < 8; kind++)
	{
		const MfGeometryOptions none = {.basic = true};
		Soup		soup = {0};
		Bytes		bytes;
		MfMeasurement first;
		MfRefusal	refusal;
		int			bad = 0;

		if (kind / 2 == 1)
			for (int i = 0; i < 4000; i++)
				add_box(&soup, i, 0, 0, i + 0.5, 1, 1, i % 3 == 0);
		else if (kind / 2 == 3)
			for (int i = 0; i < 40000; i++)
			{
				const double a[3] = {0, 0, 0};
				const double b[3] = {cos(i), sin(i), 1};
				const double c[3] = {cos(i + 1), sin(i + 1), 1};

				add_triangle(&soup, a, b, c);
			}
		else
			add_torus(&soup, 300, 100, 30, 10);
		if (kind / 2 == 2)
		{
			remove_triangle(&soup, 20);
			for (int i = 0; i < 50; i++)
				turn_triangle(&soup, 997 * i);
		}
		if (kind % 2 == 1)
			shuffle_soup(&soup, kind);
		bytes = as_binary(&soup);
		memset(&first, 0x55, sizeof(first));
		bad += !measure_bytes(bytes.at, bytes.size, &none, &first, &refusal);
		for (int i = 0; i < 4; i++)
		{
			MfPool	   *pool = mf_pool_start(threads[i]);
			const MfGeometryOptions options = {.basic = true,.pool = pool};
			MfMeasurement m;

			memset(&m, 0xaa, sizeof(m));
			bad += !measure_bytes(bytes.at, bytes.size, &options, &m,
								  &refusal);
			mf_pool_stop(pool);
			m.measured_in_ms = first.measured_in_ms;
			bad += memcmp(&first, &m, sizeof(first)) != 0;
		}
		ok(bad == 0, "%s, %s: the same bits with 1, 2, 3 and 7 threads",
		   names[kind / 2], kind % 2 == 1 ? "shuffled" : "in order");
		free_bytes(&bytes);
		free_soup(&soup);
	}
}

/* The order of the triangles changes rounding, and nothing else. */
static void
test_shuffled(void)
{
	Soup		soup = {0};
	MfMeasurement first;
	MfMeasurement m;

	add_torus(&soup, 90, 60, 30, 10);
	add_torus(&soup, 90, 60, 30, 4);
	for (size_t t = soup.count / 2; t < soup.count; t++)
		turn_triangle(&soup, t);
	remove_triangle(&soup, 20);
	turn_triangle(&soup, 4000);
	ok(measure_soup(&soup, &first) && first.defect_count >= 3 &&
	   find_defect(&first, MF_DEFECT_HOLES) != NULL &&
	   find_defect(&first, MF_DEFECT_FLIPPED_TRIANGLES) != NULL,
	   "a model with open edges, a hole, and faces turned over");
	for (int i = 0; i < 5; i++)
	{
		bool		same = true;

		shuffle_soup(&soup, i);
		same = measure_soup(&soup, &m) && m.vertices == first.vertices &&
			m.bodies == first.bodies && m.euler_number == first.euler_number &&
			m.defect_count == first.defect_count &&
			near(m.area_mm2, first.area_mm2, 1e-13);
		for (int d = 0; same && d < m.defect_count; d++)
			same = m.defects[d].code == first.defects[d].code &&
				m.defects[d].count == first.defects[d].count;
		ok(same, "the same model, shuffled %d", i);
	}
	free_soup(&soup);
}

/* More distinct corners than the table was made for: it grows. */
static void
test_soup(void)
{
	const int	n = 30000;
	Soup		soup = {0};
	Bytes		bytes;
	MfMeasurement m;
	MfRefusal	refusal;

	for (int t = 0; t < n; t++)
	{
		const double a[3] = {t, 0, 0};
		const double b[3] = {t, 1, 0};
		const double c[3] = {t, 0, 1};

		add_triangle(&soup, a, b, c);
	}
	bytes = as_binary(&soup);
	ok(measure_bytes(bytes.at, bytes.size, NULL, &m, &refusal) &&
	   m.vertices == 3 * n && m.bodies == n &&
	   defect_count(&m, MF_DEFECT_OPEN_EDGES) == 3 * n &&
	   m.euler_number == n && m.area_mm2 == n / 2.0,
	   "%d triangles that share nothing", n);
	free_bytes(&bytes);
	bytes = as_ascii(&soup);
	ok(measure_bytes(bytes.at, bytes.size, NULL, &m, &refusal) &&
	   m.vertices == 3 * n && m.bodies == n, "... and as ASCII");
	free_bytes(&bytes);
	bytes = as_obj(&soup);
	ok(measure_bytes(bytes.at, bytes.size, NULL, &m, &refusal) &&
	   m.vertices == 3 * n && m.bodies == n, "... and as OBJ");
	free_bytes(&bytes);
	free_soup(&soup);
}

int
main(void)
{
	Soup		soup = {0};
	Bytes		binary;
	Bytes		ascii;
	Bytes		obj;

	add_torus(&soup, 50, 40, 30, 10);
	add_torus(&soup, 50, 40, 30, 5);
	add_box(&soup, 100, 100, 100, 110, 110, 110, false);
	add_box(&soup, 100, 100, 100, 110, 110, 110, false);
	turn_triangle(&soup, 4500);
	shuffle_soup(&soup, 1);
	binary = as_binary(&soup);
	ascii = as_ascii(&soup);
	obj = as_obj(&soup);
	test_triangles(&binary, &ascii, &obj, soup.count);
	test_memory(&binary, "binary");
	test_memory(&ascii, "ASCII");
	test_memory(&obj, "OBJ");
	test_accounting();
	test_progress(&binary, "binary");
	test_progress(&ascii, "ASCII");
	test_progress(&obj, "OBJ");
	test_steps();
	test_same_bits(&binary, "binary");
	test_same_bits(&ascii, "ASCII");
	test_same_bits(&obj, "OBJ");
	test_threads();
	test_shuffled();
	test_soup();
	free_bytes(&binary);
	free_bytes(&ascii);
	free_bytes(&obj);
	free_soup(&soup);
	return tap_done();
}
