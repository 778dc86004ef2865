/*
 * junctions.c
 *		Splits triangles where corners of others lie on their edges.
 *
 * Where a long edge has shorter ones on its other side, the surface is
 * without a gap, but no two triangles have these edges in common: they are
 * all open, and make a closed chain without any width, a slit.  Each edge of
 * a slit is split at the corners of the slit that lie on it; then both sides
 * are the same, and nothing else has changed.
 *
 * In a slit with two sides, each piece between neighbouring corners belongs to
 * two edges: n edges are split at n - 2 corners in all.  A chain with more
 * than that runs to and fro, and is left alone.
 */
#include <math.h>
#include <string.h>

#include "mend.h"

/* Ends a row of vertices. */
#define NONE	UINT32_MAX

/* An edge, and where the row of its vertices begins. */
typedef struct Plan
{
	uint32_t	rim;
	uint32_t	first;
} Plan;

/* A splitting under way. */
typedef struct Splitter
{
	MfJob	   *job;
	MfMesh	   *mesh;
	const MfLoops *loops;
	double		width;
	MfJunctions *junctions;
	uint64_t   *order;			/* (where on the line, step) of a loop */
	uint32_t   *rank;			/* of each step's vertex in that order */
	uint32_t   *inserted;		/* vertices: a row for each edge */
	uint64_t   *task;			/* (triangle, plan) */
	Plan	   *plan;			/* edges to split */
	uint32_t	insert_count;
	uint32_t	plan_count;
	uint32_t	slit_steps;		/* of all slits */
	uint32_t	longest;		/* slit, in steps */
	MfPatch		patch;
} Splitter;

/* The step whose vertex is farthest from a point. */
static uint32_t
find_farthest(const MfMesh *mesh, const MfStep *step, uint32_t count,
			  const double from[3])
{
	uint32_t	best = 0;
	double		most = -1;

	for (uint32_t i = 0; i < count; i++)
	{
		double		at[3];
		double		square = 0;

		mf_mesh_place(mesh, step[i].vertex, at);
		for (int k = 0; k < 3; k++)
			square += (at[k] - from[k]) * (at[k] - from[k]);
		if (square > most)
		{
			most = square;
			best = i;
		}
	}
	return best;
}

/*
 * How wide this loop may be as a slit: never more than a quarter of its
 * shortest edge, so that fine detail stays what it is.
 */
static double
find_width(const Splitter *s, const MfStep *step, uint32_t count)
{
	double		width = s->width;

	for (uint32_t i = 0; i < count; i++)
	{
		double		ends[2][3];
		double		square = 0;

		mf_mesh_place(s->mesh, step[i].vertex, ends[0]);
		mf_mesh_place(s->mesh, step[i + 1 < count ? i + 1 : 0].vertex,
					  ends[1]);
		for (int k = 0; k < 3; k++)
			square += (ends[1][k] - ends[0][k]) * (ends[1][k] - ends[0][k]);
		width = fmin(width, sqrt(square) / 4);
	}
	return width;
}

/* The line of a slit, from its one end to its other. */
typedef struct Line
{
	double		from[3];
	double		along[3];		/* of length 1 */
	double		length;
} Line;

/* Is this loop a slit?  Finds its line, then. */
static bool
find_line(const Splitter *s, const MfStep *step, uint32_t count, Line *line)
{
	const MfMesh *mesh = s->mesh;
	const double width = find_width(s, step, count);
	double		square = 0;

	mf_mesh_place(mesh, step[0].vertex, line->from);
	for (int pass = 0; pass < 2; pass++)
	{
		double	   *end = pass == 0 ? line->from : line->along;

		mf_mesh_place(mesh, step[find_farthest(mesh, step, count,
											   line->from)].vertex, end);
	}
	for (int k = 0; k < 3; k++)
	{
		line->along[k] -= line->from[k];
		square += line->along[k] * line->along[k];
	}
	line->length = sqrt(square);
	if (!(line->length > width))
		return false;
	for (int k = 0; k < 3; k++)
		line->along[k] /= line->length;
	for (uint32_t i = 0; i < count; i++)
	{
		double		at[3];
		double		dot = 0;

		mf_mesh_place(mesh, step[i].vertex, at);
		for (int k = 0; k < 3; k++)
			dot += (at[k] - line->from[k]) * line->along[k];
		square = 0;
		for (int k = 0; k < 3; k++)
		{
			const double off = at[k] - line->from[k] - dot * line->along[k];

			square += off * off;
		}
		if (square > width * width)
			return false;
	}
	return true;
}

/* Puts the steps of a slit in order along its line. */
static void
order_slit(Splitter *s, const MfStep *step, uint32_t count, const Line *line)
{
	for (uint32_t i = 0; i < count; i++)
	{
		double		at[3];
		double		dot = 0;

		mf_mesh_place(s->mesh, step[i].vertex, at);
		for (int k = 0; k < 3; k++)
			dot += (at[k] - line->from[k]) * line->along[k];
		dot = fmin(fmax(dot / line->length, 0), 1);
		s->order[i] = (uint64_t) (dot * UINT32_MAX) << 32 | i;
	}
	mf_sort_words(s->order, count);
	for (uint32_t i = 0; i < count; i++)
		s->rank[(uint32_t) s->order[i]] = i;
}

/* Notes at which vertices the edges of a slit are to be split. */
static void
plan_slit(Splitter *s, const MfStep *step, uint32_t count)
{
	uint64_t	between = 0;

	for (uint32_t i = 0; i < count; i++)
	{
		const uint32_t a = s->rank[i];
		const uint32_t b = s->rank[i + 1 < count ? i + 1 : 0];

		between += (a < b ? b - a : a - b) - 1;
	}
	if (between > count - 2)
		return;
	for (uint32_t i = 0; i < count; i++)
	{
		const MfRim *rim = &s->loops->rim[step[i].rim];
		const uint32_t next = i + 1 < count ? i + 1 : 0;
		const bool	along = rim->vertex[0] == step[i].vertex;
		const uint32_t a = s->rank[along ? i : next];
		const uint32_t b = s->rank[along ? next : i];

		if (a + 1 == b || b + 1 == a)
			continue;
		s->plan[s->plan_count].rim = step[i].rim;
		s->plan[s->plan_count].first = s->insert_count;
		s->task[s->plan_count] = (uint64_t) rim->triangle << 32 |
			s->plan_count;
		s->plan_count++;
		for (uint32_t at = a; at != b; at += a < b ? 1 : -1)
			if (at != a)
				s->inserted[s->insert_count++] =
					step[(uint32_t) s->order[at]].vertex;
		s->inserted[s->insert_count++] = NONE;
	}
}

/* Adds what is put on one edge of a triangle to its outline. */
static void
add_inserted(Splitter *s, uint32_t from, uint32_t to, const uint64_t *task,
			 uint32_t tasks)
{
	for (uint32_t i = 0; i < tasks; i++)
	{
		const Plan *plan = &s->plan[(uint32_t) task[i]];

		if (s->loops->rim[plan->rim].vertex[0] == from &&
			s->loops->rim[plan->rim].vertex[1] == to)
			for (uint32_t k = plan->first; s->inserted[k] != NONE; k++)
				s->patch.vertex[s->patch.count++] = s->inserted[k];
	}
}

/* Splits one triangle at all its edges that are to be; false: refused. */
static bool
split_triangle(Splitter *s, const uint64_t *task, uint32_t tasks)
{
	MfMesh	   *mesh = s->mesh;
	const uint32_t t = (uint32_t) (task[0] >> 32);
	uint64_t	count = 3;
	uint32_t	corner[3];

	/* A triangle that is a slit itself has its own corner on its edge. */
	for (uint32_t i = 0; i < tasks; i++)
		for (uint32_t k = s->plan[(uint32_t) task[i]].first;
			 s->inserted[k] != NONE; k++, count++)
			if (s->inserted[k] == mesh->corners[t][0] ||
				s->inserted[k] == mesh->corners[t][1] ||
				s->inserted[k] == mesh->corners[t][2])
				return true;
	if (count > MF_MAX_POLYGON_CORNERS)
		return true;
	if (!mf_patch_reserve(s->job, &s->patch, (uint32_t) count) ||
		!mf_mesh_reserve_triangles(s->job, mesh,
								   mesh->triangle_count + count - 3))
		return false;
	memcpy(corner, mesh->corners[t], sizeof(corner));
	s->patch.count = 0;
	for (int i = 0; i < 3; i++)
	{
		s->patch.vertex[s->patch.count++] = corner[i];
		add_inserted(s, corner[i], corner[(i + 1) % 3], task, tasks);
	}
	if (s->junctions->split == 0)
		s->junctions->first = s->inserted[s->plan[(uint32_t) task[0]].first];
	s->junctions->split += (uint32_t) count - 3;
	mf_patch_split(mesh, &s->patch);
	memcpy(mesh->corners[t], s->patch.triangle[0], sizeof(corner));
	memcpy(mesh->corners[mesh->triangle_count], s->patch.triangle[1],
		   (count - 3) * sizeof(corner));
	mesh->triangle_count += (uint32_t) count - 3;
	return true;
}

/* Looks how many slits there are, and how long. */
static void
count_slits(Splitter *s)
{
	const MfLoops *loops = s->loops;

	for (uint32_t i = 0; i < loops->loop_count; i++)
	{
		const uint32_t count = loops->loop[i].count;
		Line		line;

		mf_mend_progress(s->job, i);
		if (!find_line(s, loops->step + loops->loop[i].first, count, &line))
			continue;
		s->slit_steps += count;
		s->longest = count > s->longest ? count : s->longest;
	}
}

/* Plans all slits, then splits triangle by triangle, in their order. */
static bool
split_slits(Splitter *s)
{
	const MfLoops *loops = s->loops;

	for (uint32_t i = 0; i < loops->loop_count; i++)
	{
		const MfStep *step = loops->step + loops->loop[i].first;
		const uint32_t count = loops->loop[i].count;
		Line		line;

		mf_mend_progress(s->job, i);
		if (!find_line(s, step, count, &line))
			continue;
		order_slit(s, step, count, &line);
		plan_slit(s, step, count);
	}
	mf_sort_words(s->task, s->plan_count);
	for (uint32_t from = 0, next; from < s->plan_count; from = next)
	{
		mf_mend_progress(s->job, from);
		for (next = from + 1; next < s->plan_count &&
			 s->task[next] >> 32 == s->task[from] >> 32; next++)
			;
		if (!split_triangle(s, s->task + from, next - from))
			return false;
	}
	return true;
}

/*
 * Splits the triangles along slits.  The loops are those of the mesh as it
 * is; triangles keep their numbers, but for the pieces at the end.  False:
 * refused.
 */
bool
mf_junctions_split(MfJob *job, MfMesh *mesh, const MfLoops *loops,
				   MfJunctions *junctions)
{
	MfMemory   *memory = &job->memory;
	Splitter	s = {
		.job = job,.mesh = mesh,.loops = loops,.junctions = junctions,
		.width = mf_slit_width(mesh)
	};
	uint64_t	steps;
	uint64_t	longest;
	bool		good;

	memset(junctions, 0, sizeof(*junctions));
	count_slits(&s);
	steps = s.slit_steps;
	longest = s.longest;
	if (steps == 0)
		return true;
	mf_patch_begin(job, &s.patch);
	s.order = mf_memory_alloc(memory, longest * sizeof(*s.order));
	s.rank = mf_memory_alloc(memory, longest * sizeof(*s.rank));
	s.task = mf_memory_alloc(memory, steps * sizeof(*s.task));
	s.plan = mf_memory_alloc(memory, steps * sizeof(*s.plan));
	s.inserted = mf_memory_alloc(memory, 2 * steps * sizeof(*s.inserted));
	good = s.order != NULL && s.rank != NULL && s.task != NULL &&
		s.plan != NULL && s.inserted != NULL;
	if (!good)
		mf_job_out_of_memory(job);
	else
		good = split_slits(&s);
	mf_memory_free(memory, s.order, longest * sizeof(*s.order));
	mf_memory_free(memory, s.rank, longest * sizeof(*s.rank));
	mf_memory_free(memory, s.task, steps * sizeof(*s.task));
	mf_memory_free(memory, s.plan, steps * sizeof(*s.plan));
	mf_memory_free(memory, s.inserted, 2 * steps * sizeof(*s.inserted));
	mf_patch_end(job, &s.patch);
	return good;
}
