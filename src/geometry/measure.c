/*
 * measure.c
 *		Area, volume and first moments: sums over triangles.
 *
 * The volume of a closed surface is the sum of the signed tetrahedra between
 * its triangles and any one point (Zhang and Chen, "Efficient feature
 * extraction for 2D/3D objects in mesh representation", 2001).  The point is
 * the middle of the bounding box, so that a model far from the origin loses
 * no digits, and all is added in double.
 *
 * Triangles are taken in the order of the file, in runs of a fixed length;
 * each run's plain sum goes into a compensated one.  So the bits depend on
 * the file alone, and the error does not grow with the number of triangles.
 *
 * Where a file has each triangle's corners beside each other, and no repair
 * has changed them, they are taken from there: the vertices of a mesh in no
 * order are all over memory.
 */
#include <math.h>
#include <string.h>

#include "mesh.h"

/* Triangles whose terms are added up plainly. */
#define RUN		256

/* Triangles that one task sums up: whole runs. */
#define CHUNK	16384

/* How many triangles ahead the vertices are asked from memory. */
#define AHEAD	16

/*
 * A triangle whose height is less than this part of its longest side has no
 * area: its corners are on a line.
 */
#define THINNEST	1e-10

/* What one run adds up to. */
typedef struct Run
{
	double		area;			/* times 2 */
	double		volume;			/* times 6 */
	double		moment[3];		/* times 24 */
	uint32_t	shell;
} Run;

/* Triangles of a chunk that have no area, the degenerate not counted. */
typedef struct Flat
{
	uint32_t	count;
	uint32_t	first;
} Flat;

/*
 * Adds a term so that what rounding loses is kept: Neumaier, "Rundungs-
 * fehleranalyse einiger Verfahren zur Summation endlicher Summen", 1974.
 */
void
mf_sum_add(MfSum *sum, double term)
{
	const double total = sum->sum + term;

	if (fabs(sum->sum) >= fabs(term))
		sum->lost += (sum->sum - total) + term;
	else
		sum->lost += (term - total) + sum->sum;
	sum->sum = total;
}

/* Twice the area of a triangle, and the square of its longest side. */
static inline double
twice_area(const double a[3], const double b[3], const double c[3],
		   double *longest)
{
	double		u[3];
	double		v[3];
	double		n[3];
	double		uu = 0;
	double		vv = 0;
	double		ww = 0;

	for (int i = 0; i < 3; i++)
	{
		u[i] = b[i] - a[i];
		v[i] = c[i] - a[i];
		uu += u[i] * u[i];
		vv += v[i] * v[i];
		ww += (v[i] - u[i]) * (v[i] - u[i]);
	}
	n[0] = u[1] * v[2] - u[2] * v[1];
	n[1] = u[2] * v[0] - u[0] * v[2];
	n[2] = u[0] * v[1] - u[1] * v[0];
	*longest = uu > vv ? uu : vv;
	*longest = ww > *longest ? ww : *longest;
	return sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]);
}

/* Twice the area of a triangle. */
double
mf_triangle_twice_area(const double at[3][3])
{
	double		longest;

	return twice_area(at[0], at[1], at[2], &longest);
}

/* Are the three different corners of this triangle on one line? */
bool
mf_triangle_is_line(const MfMesh *mesh, uint32_t t)
{
	double		at[3][3];
	double		longest;
	double		area;

	mf_mesh_triangle(mesh, t, at);
	area = twice_area(at[0], at[1], at[2], &longest);
	return area <= longest * THINNEST;
}

/* Asks for the vertices of a triangle that will soon be added. */
static inline void
expect_triangle(const MfMesh *mesh, uint32_t t)
{
	for (int i = 0; i < 3; i++)
	{
		const uint32_t vertex = mesh->corners[t][i];

		if (mesh->wide)
			__builtin_prefetch(&mesh->wide_at[vertex]);
		else
			__builtin_prefetch(&mesh->narrow_at[vertex]);
	}
}

/* The corners of a triangle as they were read. */
static inline void
read_facet(const MfMesh *mesh, uint32_t t, double at[3][3])
{
	float		facet[3][3];

	memcpy(facet, mesh->facets + t * (uint64_t) mesh->facet_stride,
		   sizeof(facet));
	for (int i = 0; i < 3; i++)
		for (int k = 0; k < 3; k++)
			at[i][k] = (double) facet[i][k];
}

/* Adds one triangle to a run; true where it has no area. */
static inline bool
add_triangle(double at[3][3], const double centre[3], bool turned, Run *run)
{
	double		area;
	double		longest;
	double		volume;

	for (int i = 0; i < 3; i++)
		for (int k = 0; k < 3; k++)
			at[i][k] -= centre[k];
	area = twice_area(at[0], at[1], at[2], &longest);
	run->area += area;
	volume = at[0][0] * (at[1][1] * at[2][2] - at[1][2] * at[2][1]) +
		at[0][1] * (at[1][2] * at[2][0] - at[1][0] * at[2][2]) +
		at[0][2] * (at[1][0] * at[2][1] - at[1][1] * at[2][0]);
	if (turned)
		volume = -volume;
	run->volume += volume;
	for (int k = 0; k < 3; k++)
		run->moment[k] += volume * (at[0][k] + at[1][k] + at[2][k]);
	return area <= longest * THINNEST;
}

/* The runs of a mesh, and what they are summed with. */
typedef struct Summing
{
	const MfMesh *mesh;
	const uint32_t *shell;		/* NULL: no volumes */
	const uint8_t *mark;		/* may be NULL */
	bool		as_read;		/* corners are taken as they were read */
	double		centre[3];
	uint32_t	chunks;
	uint32_t	first_chunk;	/* of this round */
	uint64_t   *first_run;		/* of each chunk, and the end */
	Run		   *run;			/* of this round's chunks */
	uint64_t	room;			/* runs */
	Flat	   *flat;			/* of each chunk */
} Summing;

/*
 * Where the run ends that begins at t: at a chunk's end, before the next
 * shell, or after RUN triangles.
 */
static inline uint32_t
run_end(const Summing *s, uint32_t t)
{
	const uint32_t chunk_end = t - t % CHUNK + CHUNK;
	uint32_t	end = t - t % RUN + RUN;
	uint32_t	next = t + 1;

	end = end < chunk_end ? end : chunk_end;
	end = end < s->mesh->triangle_count ? end : s->mesh->triangle_count;
	if (s->shell == NULL)
		return end;
	while (next < end && s->shell[next] == s->shell[t])
		next++;
	return next;
}

/* The end of a chunk. */
static inline uint32_t
chunk_end(const Summing *s, uint32_t chunk)
{
	const uint64_t end = (chunk + UINT64_C(1)) * CHUNK;

	return end < s->mesh->triangle_count ? (uint32_t) end :
		s->mesh->triangle_count;
}

/* 1. Counts the runs of a chunk. */
static void
count_runs(void *arg, uint32_t chunk)
{
	const Summing *s = arg;
	const uint32_t end = chunk_end(s, chunk);
	uint64_t	runs = 0;

	for (uint32_t t = chunk * CHUNK; t < end; t = run_end(s, t))
		runs++;
	s->first_run[chunk] = runs;
}

/* 2. Sums up the runs of a chunk. */
static void
sum_runs(void *arg, uint32_t task)
{
	const Summing *s = arg;
	const MfMesh *mesh = s->mesh;
	const uint32_t chunk = s->first_chunk + task;
	const uint32_t end = chunk_end(s, chunk);
	Flat		flat = {0};
	Run		   *run = s->run + (s->first_run[chunk] -
								s->first_run[s->first_chunk]);

	for (uint32_t t = chunk * CHUNK; t < end; run++)
	{
		const uint32_t until = run_end(s, t);

		memset(run, 0, sizeof(*run));
		run->shell = s->shell != NULL ? s->shell[t] : MF_NO_SHELL;
		for (; t < until; t++)
		{
			double		at[3][3];

			if (s->as_read)
				read_facet(mesh, t, at);
			else
			{
				if (mesh->triangle_count - t > AHEAD)
					expect_triangle(mesh, t + AHEAD);
				mf_mesh_triangle(mesh, t, at);
			}
			if (add_triangle(at, s->centre, s->mark != NULL &&
							 (s->mark[t] & MF_MARK_TURNED) != 0, run) &&
				!mf_mesh_degenerate(mesh->corners[t]) && flat.count++ == 0)
				flat.first = t;
		}
	}
	s->flat[chunk] = flat;
}

/* Adds the runs of a round to the sums, in the order of the file. */
static void
add_runs(const Summing *s, uint64_t runs, MfSum *area, MfSums *sums)
{
	for (uint64_t r = 0; r < runs; r++)
	{
		const Run  *run = &s->run[r];

		mf_sum_add(area, run->area);
		if (run->shell == MF_NO_SHELL)
			continue;
		mf_sum_add(&sums->shell[run->shell].volume, run->volume);
		for (int i = 0; i < 3; i++)
			mf_sum_add(&sums->shell[run->shell].moment[i], run->moment[i]);
	}
}

/* Sums all runs up, as many chunks at a time as there is room for. */
static void
sum_all(MfJob *job, Summing *s, MfSums *sums)
{
	MfSum		area = {0};

	while (s->first_chunk < s->chunks)
	{
		const uint64_t first = s->first_run[s->first_chunk];
		uint32_t	last = s->first_chunk + 1;

		while (last < s->chunks && s->first_run[last + 1] - first <= s->room)
			last++;
		mf_job_run(job, MF_STAGE_MEASURING,
				   0.8 * s->first_chunk / s->chunks, 0.8 * last / s->chunks,
				   last - s->first_chunk, sum_runs, s);
		add_runs(s, s->first_run[last] - first, &area, sums);
		s->first_chunk = last;
	}
	for (uint32_t c = 0; c < s->chunks; c++)
	{
		if (sums->zero_area == 0 && s->flat[c].count > 0)
			sums->zero_area_first = s->flat[c].first;
		sums->zero_area += s->flat[c].count;
	}
	sums->area = (area.sum + area.lost) / 2;
}

/* Counts the runs and makes room for them, or for an eighth of the worst. */
static bool
begin_runs(MfJob *job, Summing *s)
{
	const uint64_t enough = s->mesh->triangle_count / 8 + CHUNK;
	uint64_t	first = 0;

	s->first_run = mf_memory_alloc(&job->memory, (s->chunks + UINT64_C(1)) *
								   sizeof(*s->first_run));
	s->flat = mf_memory_alloc(&job->memory, s->chunks *
							  (uint64_t) sizeof(*s->flat));
	if (s->first_run == NULL || s->flat == NULL)
		return mf_job_out_of_memory(job);
	mf_pool_run(job->pool, s->chunks, count_runs, s);
	for (uint32_t c = 0; c <= s->chunks; c++)
	{
		const uint64_t own = s->first_run[c];

		s->first_run[c] = first;
		first += own;
	}
	s->room = first < enough ? first : enough;
	s->run = mf_memory_take(&job->memory, s->room * sizeof(*s->run));
	return s->run != NULL || mf_job_out_of_memory(job);
}

/*
 * Sums a mesh up, in the file's unit; `mark` may be NULL.  Where `shell` is
 * not NULL, volumes and moments too, for each shell.  `as_read` says that the
 * triangles are still those that were read.  The caller frees the sums in any
 * case.  False: refused.
 */
bool
mf_measure_sums(MfJob *job, const MfMesh *mesh, const uint32_t *shell,
				uint32_t shell_count, const uint8_t *mark, bool as_read,
				MfSums *sums)
{
	Summing		s = {
		.mesh = mesh,.shell = shell,.mark = mark,
		.as_read = as_read && mesh->facets != NULL,
		.chunks = (mesh->triangle_count + CHUNK - 1) / CHUNK
	};
	bool		good;

	memset(sums, 0, sizeof(*sums));
	if (shell != NULL)
	{
		sums->shell = mf_memory_alloc(&job->memory, shell_count *
									  (uint64_t) sizeof(*sums->shell));
		if (sums->shell == NULL)
			return mf_job_out_of_memory(job);
		sums->shell_room = shell_count;
	}
	for (int i = 0; i < 3; i++)
		s.centre[i] = mesh->low[i] + (mesh->high[i] - mesh->low[i]) / 2;
	good = begin_runs(job, &s);
	if (good)
		sum_all(job, &s, sums);
	mf_memory_free(&job->memory, s.run, s.room * sizeof(*s.run));
	mf_memory_free(&job->memory, s.flat, s.chunks *
				   (uint64_t) sizeof(*s.flat));
	mf_memory_free(&job->memory, s.first_run, (s.chunks + UINT64_C(1)) *
				   sizeof(*s.first_run));
	return good;
}

/* Gives the shells' memory back. */
void
mf_sums_free(MfJob *job, MfSums *sums)
{
	mf_memory_free(&job->memory, sums->shell,
				   sums->shell_room * (uint64_t) sizeof(*sums->shell));
	sums->shell = NULL;
}
