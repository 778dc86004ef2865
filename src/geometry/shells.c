/*
 * shells.c
 *		Turns the forest of shells.h into shell numbers, in the order in which
 *		the shells begin in the file.
 */
#include "rank.h"
#include "shells.h"

/* Triangles of one task: a multiple of 32. */
#define CHUNK	65536

typedef struct Numbering
{
	const MfMesh *mesh;
	MfTopology *topology;
	uint32_t	chunks;
	MfRank	   *rank;			/* of the triangles that begin a shell */
	uint32_t   *roots;			/* in each chunk */
	uint32_t   *size;			/* triangles of each shell */
} Numbering;

/* The end of a chunk of `count` items. */
static inline uint32_t
chunk_end(uint32_t chunk, uint32_t count)
{
	const uint64_t end = (chunk + UINT64_C(1)) * CHUNK;

	return end < count ? (uint32_t) end : count;
}

/* Is a triangle in no shell? */
static inline bool
left_out(const Numbering *n, uint32_t t)
{
	return n->topology->degenerate > 0 &&
		mf_mesh_degenerate(n->mesh->corners[t]);
}

/* 1. Finds and counts the roots of a chunk. */
static void
count_roots(void *arg, uint32_t chunk)
{
	const Numbering *n = arg;
	const uint32_t *parent = n->topology->shell;
	const uint32_t end = chunk_end(chunk, n->mesh->triangle_count);
	uint32_t	roots = 0;

	for (uint32_t t = chunk * CHUNK; t < end;)
	{
		MfRank	   *rank = &n->rank[t / 32];
		uint32_t	bits = 0;

		for (int i = 0; i < 32 && t < end; i++, t++)
			bits |= (uint32_t) (parent[t] == t && !left_out(n, t)) << i;
		rank->bits = bits;
		rank->before = roots;
		roots += mf_rank_count(bits);
	}
	n->roots[chunk] = roots;
}

/* 2. Makes every triangle of a chunk the child of its root. */
static void
flatten(void *arg, uint32_t chunk)
{
	const Numbering *n = arg;
	uint32_t   *parent = n->topology->shell;
	const uint32_t end = chunk_end(chunk, n->mesh->triangle_count);

	for (uint32_t t = chunk * CHUNK; t < end; t++)
	{
		const uint32_t root = mf_shells_find(parent, t);

		__atomic_store_n(&parent[t], root, __ATOMIC_RELAXED);
	}
}

/* 3. Numbers a chunk's triangles by their roots. */
static void
number_chunk(void *arg, uint32_t chunk)
{
	const Numbering *n = arg;
	uint32_t   *shell = n->topology->shell;
	const uint32_t end = chunk_end(chunk, n->mesh->triangle_count);
	const bool	one = n->topology->shell_count == 1;

	for (uint32_t t = chunk * CHUNK; t < end; t++)
	{
		if (left_out(n, t))
			shell[t] = MF_NO_SHELL;
		else if (one)
			shell[t] = 0;
		else
			shell[t] = n->roots[shell[t] / CHUNK] +
				mf_rank_number(n->rank, shell[t]);
	}
}

/* 4. Counts a chunk's triangles for their shells. */
static void
count_triangles(void *arg, uint32_t chunk)
{
	const Numbering *n = arg;
	const uint32_t *shell = n->topology->shell;
	const uint32_t end = chunk_end(chunk, n->mesh->triangle_count);

	for (uint32_t t = chunk * CHUNK, from; t < end;)
	{
		for (from = t; t < end && shell[t] == shell[from]; t++)
			;
		if (shell[from] != MF_NO_SHELL)
			__atomic_fetch_add(&n->size[shell[from]], t - from,
							   __ATOMIC_RELAXED);
	}
}

/* Has any shell two triangles? */
static bool
find_pairs(MfJob *job, Numbering *n)
{
	MfTopology *topology = n->topology;
	const uint64_t bytes = topology->shell_count * (uint64_t) sizeof(*n->size);

	n->size = mf_memory_alloc(&job->memory, bytes);
	if (n->size == NULL)
		return mf_job_out_of_memory(job);
	mf_pool_run(job->pool, n->chunks, count_triangles, n);
	for (uint32_t s = 0; s < topology->shell_count; s++)
		topology->pairs |= n->size[s] == 2;
	mf_memory_free(&job->memory, n->size, bytes);
	return true;
}

/* Numbers the shells, with room that the caller frees. */
static bool
number_all(MfJob *job, Numbering *n)
{
	MfTopology *topology = n->topology;

	mf_pool_run(job->pool, n->chunks, count_roots, n);
	for (uint32_t c = 0; c < n->chunks; c++)
	{
		const uint32_t own = n->roots[c];

		n->roots[c] = topology->shell_count;
		topology->shell_count += own;
	}
	if (topology->shell_count > 1)
		mf_job_run(job, MF_STAGE_TOPOLOGY, 0.9, 0.95, n->chunks, flatten, n);
	mf_job_run(job, MF_STAGE_TOPOLOGY, 0.95, 1, n->chunks, number_chunk, n);
	if (topology->shell_count > 1)
		return find_pairs(job, n);
	topology->pairs = n->mesh->triangle_count - topology->degenerate == 2;
	return true;
}

/*
 * Numbers the shells in place, counts them, and says whether one of them has
 * two triangles.  False: refused.
 */
bool
mf_shells_number(MfJob *job, const MfMesh *mesh, MfTopology *topology)
{
	Numbering	n = {
		.mesh = mesh,.topology = topology,
		.chunks = (mesh->triangle_count + CHUNK - 1) / CHUNK
	};
	const uint64_t rank_bytes = n.chunks * (uint64_t) (CHUNK / 32) *
	sizeof(*n.rank);
	const uint64_t root_bytes = n.chunks * (uint64_t) sizeof(*n.roots);
	bool		good;

	n.rank = mf_memory_take(&job->memory, rank_bytes);
	n.roots = mf_memory_alloc(&job->memory, root_bytes);
	good = n.rank != NULL && n.roots != NULL ? number_all(job, &n) :
		mf_job_out_of_memory(job);
	mf_memory_free(&job->memory, n.roots, root_bytes);
	mf_memory_free(&job->memory, n.rank, rank_bytes);
	return good;
}
