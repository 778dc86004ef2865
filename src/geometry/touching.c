/*
 * touching.c
 *		Vertices in which surfaces meet that have no edge there in common.
 *
 * Each triangle at a vertex is a step from one of its other corners to the
 * next.  The steps of a fan of triangles make one ring, or one chain; a vertex
 * with more than one of these is where surfaces touch.  In a sound surface a
 * fan has three triangles or more, so most vertices need no look.
 */
#include <string.h>

#include "mend.h"

/* Two fans of a sound surface have so many triangles. */
#define TWO_FANS	6


/* Steps that are searched one by one. */
#define FEW			24

/* A step around a vertex: (from << 32) | to. */
#define FROM(step)	((uint32_t) ((step) >> 32))
#define TO(step)	((uint32_t) (step))

/* Counts the triangles at each vertex. */
static void
count_triangles(MfJob *job, const MfMesh *mesh, uint32_t *count)
{
	for (uint32_t t = 0; t < mesh->triangle_count; t++)
	{
		mf_mend_progress(job, t);
		for (int i = 0; i < 3 && !mf_mesh_degenerate(mesh->corners[t]); i++)
			count[mesh->corners[t][i]]++;
	}
}

/* Gives each vertex that needs a look its place; how many steps in all. */
static uint64_t
place_steps(const MfMesh *mesh, uint32_t least, uint32_t *begin)
{
	uint64_t	steps = 0;

	for (uint32_t v = 0; v < mesh->vertex_count; v++)
	{
		const uint32_t count = begin[v];

		begin[v] = count < least ? UINT32_MAX : (uint32_t) steps;
		steps += count < least ? 0 : count;
	}
	return steps;
}

/* Writes the steps; `begin` of each vertex turns into its end. */
static void
write_steps(MfJob *job, const MfMesh *mesh, uint32_t *begin, uint64_t *step)
{
	for (uint32_t t = 0; t < mesh->triangle_count; t++)
	{
		const uint32_t *c = mesh->corners[t];

		mf_mend_progress(job, t);
		if (mf_mesh_degenerate(c))
			continue;
		for (int i = 0; i < 3; i++)
			if (begin[c[i]] != UINT32_MAX)
				step[begin[c[i]]++] = (uint64_t) c[(i + 1) % 3] << 32 |
					c[(i + 2) % 3];
	}
}

/* Do these steps make one ring, all in the same direction? */
static bool
is_ring(const uint64_t *step, uint32_t count)
{
	uint32_t	at = TO(step[0]);
	uint32_t	steps = 1;

	for (; at != FROM(step[0]) && steps < count; steps++)
	{
		uint32_t	i = 0;

		while (i < count && FROM(step[i]) != at)
			i++;
		if (i == count)
			return false;
		at = TO(step[i]);
	}
	return at == FROM(step[0]) && steps == count;
}

/* Root of a step's tree; halves the path on the way. */
static uint32_t
find(uint32_t *parent, uint32_t i)
{
	while (parent[i] != i)
	{
		parent[i] = parent[parent[i]];
		i = parent[i];
	}
	return i;
}

/*
 * Do these steps hang together, in whatever direction?  `word` has room for
 * two for each step, `parent` for one.
 */
static bool
hang_together(const uint64_t *step, uint32_t count, uint64_t *word,
			  uint32_t *parent)
{
	uint32_t	fans = count;

	for (uint32_t i = 0; i < count; i++)
	{
		word[2 * i] = (uint64_t) FROM(step[i]) << 32 | i;
		word[2 * i + 1] = (uint64_t) TO(step[i]) << 32 | i;
		parent[i] = i;
	}
	mf_sort_words(word, 2 * (size_t) count);
	for (uint32_t i = 0; i + 1 < 2 * count; i++)
		if (word[i] >> 32 == word[i + 1] >> 32)
		{
			const uint32_t a = find(parent, (uint32_t) word[i]);
			const uint32_t b = find(parent, (uint32_t) word[i + 1]);

			fans -= a != b;
			if (a < b)
				parent[b] = a;
			else
				parent[a] = b;
		}
	return fans == 1;
}

/* Looks at each vertex that has steps. */
static bool
look_at_vertices(MfJob *job, const MfMesh *mesh, const uint32_t *end,
				 const uint64_t *step, MfTouching *touching)
{
	uint32_t	most = 0;
	uint32_t	from = 0;
	uint64_t   *word;
	uint32_t   *parent;
	bool		good;

	for (uint32_t v = 0; v < mesh->vertex_count; v++)
		if (end[v] != UINT32_MAX)
		{
			most = end[v] - from > most ? end[v] - from : most;
			from = end[v];
		}
	word = mf_memory_alloc(&job->memory, most * (uint64_t) 16);
	parent = mf_memory_alloc(&job->memory, most * (uint64_t) 4);
	good = word != NULL && parent != NULL;
	from = 0;
	for (uint32_t v = 0; good && v < mesh->vertex_count; v++)
	{
		const uint32_t count = end[v] - from;

		mf_mend_progress(job, v);
		if (end[v] == UINT32_MAX)
			continue;
		if (!(count <= FEW && is_ring(step + from, count)) &&
			!hang_together(step + from, count, word, parent) &&
			touching->count++ == 0)
			touching->first = v;
		from = end[v];
	}
	mf_memory_free(&job->memory, word, most * (uint64_t) 16);
	mf_memory_free(&job->memory, parent, most * (uint64_t) 4);
	return good || mf_job_out_of_memory(job);
}

/*
 * Finds the vertices with more than one fan.  `sound` says that every edge of
 * the mesh has two triangles, and no two triangles have all corners in
 * common.  False: refused.
 */
bool
mf_touching_find(MfJob *job, const MfMesh *mesh, bool sound,
				 MfTouching *touching)
{
	const uint64_t bytes = 4 * (uint64_t) mesh->vertex_count;
	uint32_t   *end = mf_memory_alloc(&job->memory, bytes);
	uint64_t   *step;
	uint64_t	steps;
	bool		good;

	memset(touching, 0, sizeof(*touching));
	if (end == NULL)
		return mf_job_out_of_memory(job);
	count_triangles(job, mesh, end);
	steps = place_steps(mesh, sound ? TWO_FANS : 2, end);
	step = mf_memory_alloc(&job->memory, 8 * steps);
	good = step != NULL || mf_job_out_of_memory(job);
	if (good)
	{
		write_steps(job, mesh, end, step);
		good = look_at_vertices(job, mesh, end, step, touching);
	}
	mf_memory_free(&job->memory, step, 8 * steps);
	mf_memory_free(&job->memory, end, bytes);
	return good;
}
