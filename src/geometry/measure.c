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
 */
#include <math.h>
#include <string.h>

#include "mesh.h"

/* Triangles whose terms are added up plainly. */
#define RUN		256

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
} Run;

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

/* Adds one triangle to a run; true where it has no area. */
static inline bool
add_triangle(const MfMesh *mesh, uint32_t t, const double centre[3],
			 bool turned, Run *run)
{
	double		at[3][3];
	double		area;
	double		longest;
	double		volume;

	mf_mesh_triangle(mesh, t, at);
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

/*
 * Sums a mesh up, in the file's unit; `mark` may be NULL.  Where `shell` is
 * not NULL, volumes and moments too, for each shell.  The caller frees the
 * sums in any case.  False: refused.
 */
bool
mf_measure_sums(MfJob *job, const MfMesh *mesh, const uint32_t *shell,
				uint32_t shell_count, const uint8_t *mark, MfSums *sums)
{
	MfSum		area = {0};
	double		centre[3];
	uint32_t	t = 0;

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
		centre[i] = mesh->low[i] + (mesh->high[i] - mesh->low[i]) / 2;

	while (t < mesh->triangle_count)
	{
		const uint32_t label = shell != NULL ? shell[t] : 0;
		const uint32_t begin = t;
		Run			run = {0};

		if (t / MF_PROGRESS_ITEMS != (t + RUN) / MF_PROGRESS_ITEMS)
			mf_job_progress(job, MF_STAGE_MEASURING, t, mesh->triangle_count);
		for (; t < mesh->triangle_count && t - begin < RUN &&
			 (shell == NULL || shell[t] == label); t++)
		{
			if (mesh->triangle_count - t > AHEAD)
				expect_triangle(mesh, t + AHEAD);
			if (add_triangle(mesh, t, centre,
							 mark != NULL && (mark[t] & MF_MARK_TURNED) != 0,
							 &run) &&
				!mf_mesh_degenerate(mesh->corners[t]) &&
				sums->zero_area++ == 0)
				sums->zero_area_first = t;
		}
		mf_sum_add(&area, run.area);
		if (shell != NULL && label != MF_NO_SHELL)
		{
			mf_sum_add(&sums->shell[label].volume, run.volume);
			for (int i = 0; i < 3; i++)
				mf_sum_add(&sums->shell[label].moment[i], run.moment[i]);
		}
	}
	sums->area = (area.sum + area.lost) / 2;
	return true;
}

/* Gives the shells' memory back. */
void
mf_sums_free(MfJob *job, MfSums *sums)
{
	mf_memory_free(&job->memory, sums->shell,
				   sums->shell_room * (uint64_t) sizeof(*sums->shell));
	sums->shell = NULL;
}
