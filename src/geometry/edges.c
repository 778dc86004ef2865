/*
 * edges.c
 *		Which triangles meet along which edge, and so which hang together.
 *
 * The half edges of all triangles come grouped by their lower vertex
 * (half_edges.h), bucket by bucket; a group is a handful of half edges,
 * sorted.  Then equal ones are neighbours: one alone is a boundary, two in
 * opposite directions are sound, two in the same direction are flipped, more
 * are not manifold.
 */
#include <string.h>

#include "half_edges.h"
#include "scratch.h"
#include "shells.h"

/* How many vertices ahead the triangles' labels are asked from memory. */
#define AHEAD	8

/* What a bucket's edges add up to. */
typedef struct Tally
{
	uint64_t	edges;
	uint64_t	boundary;
	uint64_t	non_manifold;
	uint64_t	flipped;
	uint64_t	unbalanced;
	uint32_t	boundary_edge[2];	/* the first of each */
	uint32_t	non_manifold_edge[2];
	uint32_t	flipped_edge[2];
	bool		put_off;		/* too large for the scratch */
} Tally;

typedef struct Match
{
	MfJob	   *job;
	const MfMesh *mesh;
	MfEdges    *edges;
	MfTopology *topology;
	MfHalfEdges halves;
	MfScratch	scratch;		/* of a bucket's groups */
	uint64_t	scratch_room;	/* half edges */
	Tally	   *tally;			/* of each bucket */
	uint64_t	tally_bytes;
	uint8_t    *used;			/* a bit for each vertex */
} Match;

/* Books one edge: `half` is the first of its `count` half edges. */
static inline void
book_edge(Tally *tally, uint32_t *shell, uint32_t low, const uint64_t *half,
		  size_t count)
{
	const uint32_t high = MF_HALF_VERTEX(*half);

	tally->edges++;
	if (count == 2)
	{
		mf_shells_unite(shell, MF_HALF_TRIANGLE(half[0]),
						MF_HALF_TRIANGLE(half[1]));
		if (MF_HALF_DOWNWARD(half[0]) != MF_HALF_DOWNWARD(half[1]))
			return;
		if (tally->flipped++ == 0)
		{
			tally->flipped_edge[0] = low;
			tally->flipped_edge[1] = high;
		}
		tally->unbalanced++;
	}
	else if (count == 1)
	{
		if (tally->boundary++ == 0)
		{
			tally->boundary_edge[0] = low;
			tally->boundary_edge[1] = high;
		}
		tally->unbalanced++;
	}
	else
	{
		size_t		down = 0;

		for (size_t i = 0; i < count; i++)
		{
			down += MF_HALF_DOWNWARD(half[i]);
			mf_shells_unite(shell, MF_HALF_TRIANGLE(half[0]),
							MF_HALF_TRIANGLE(half[i]));
		}
		if (tally->non_manifold++ == 0)
		{
			tally->non_manifold_edge[0] = low;
			tally->non_manifold_edge[1] = high;
		}
		tally->unbalanced += 2 * down != count;
	}
}

/* Sorts each group of a bucket and books its edges. */
static void
book_groups(const Match *match, uint32_t bucket, uint64_t *half,
			const uint32_t *end)
{
	const uint32_t first = bucket << match->halves.range_bits;
	const uint32_t vertices = mf_half_edges_vertices(&match->halves, bucket);
	uint32_t   *shell = match->topology->shell;
	Tally		tally = {0};
	size_t		from = 0;

	for (uint32_t v = 0; v < vertices; v++)
	{
		const size_t until = end[v];

		if (vertices - v > AHEAD)
			for (size_t i = end[v + AHEAD - 1]; i < end[v + AHEAD]; i++)
				__builtin_prefetch(&shell[MF_HALF_TRIANGLE(half[i])], 1);
		mf_sort_words(half + from, until - from);
		while (from < until)
		{
			size_t		next = from + 1;

			while (next < until &&
				   MF_HALF_VERTEX(half[next]) == MF_HALF_VERTEX(half[from]))
				next++;
			book_edge(&tally, shell, first + v, half + from, next - from);
			from = next;
		}
	}
	match->tally[bucket] = tally;
}

/* 2. Matches a bucket's half edges, where the scratch has room for them. */
static void
match_half_edges(void *arg, uint32_t task)
{
	Match	   *match = arg;
	const uint32_t bucket = match->halves.first + task;
	const uint64_t count = match->halves.base[bucket + 1] - match->halves.base[bucket];
	uint64_t   *half;
	uint32_t   *end;

	match->tally[bucket].put_off = count > match->scratch_room;
	if (match->tally[bucket].put_off)
		return;
	half = mf_scratch_take(&match->scratch);
	end = (uint32_t *) (half + match->scratch_room);
	memset(end, 0, mf_half_edges_vertices(&match->halves, bucket) * sizeof(*end));
	mf_half_edges_group(&match->halves, bucket, half, end, 0);
	book_groups(match, bucket, half, end);
	mf_scratch_give(&match->scratch, half);
}

/* 3. Keeps a bucket's half edges, for the repair. */
static void
keep_half_edges(void *arg, uint32_t task)
{
	const Match *match = arg;
	const uint32_t bucket = match->halves.first + task;
	uint32_t   *end = match->edges->end + (bucket << match->halves.range_bits);
	uint64_t   *half = match->edges->half;
	size_t		from = match->halves.base[bucket];

	mf_half_edges_group(&match->halves, bucket, half, end, (uint32_t) from);
	for (uint32_t v = 0; v < mf_half_edges_vertices(&match->halves, bucket); v++)
	{
		mf_sort_words(half + from, end[v] - from);
		from = end[v];
	}
}

/* Takes the first edge of a kind, where there was none yet. */
static void
take_edge(uint64_t had, uint64_t has, uint32_t edge[2],
		  const uint32_t first[2])
{
	if (had == 0 && has > 0)
		memcpy(edge, first, 2 * sizeof(*edge));
}

/* Adds up what the buckets found, in their order. */
static void
add_tallies(const Match *match)
{
	MfTopology *sum = match->topology;

	for (uint32_t b = 0; b < match->halves.partition.buckets; b++)
	{
		const Tally *tally = &match->tally[b];

		take_edge(sum->boundary, tally->boundary, sum->boundary_edge,
				  tally->boundary_edge);
		take_edge(sum->non_manifold, tally->non_manifold,
				  sum->non_manifold_edge, tally->non_manifold_edge);
		take_edge(sum->flipped, tally->flipped, sum->flipped_edge,
				  tally->flipped_edge);
		sum->edges += tally->edges;
		sum->boundary += tally->boundary;
		sum->non_manifold += tally->non_manifold;
		sum->flipped += tally->flipped;
		sum->unbalanced += tally->unbalanced;
	}
}

/* Adds up the degenerate triangles. */
static void
add_degenerate(const Match *match)
{
	MfTopology *topology = match->topology;

	for (uint32_t c = 0; c < match->halves.partition.chunks; c++)
	{
		const MfDegenerate *own = &match->halves.degenerate[c];

		if (topology->degenerate == 0 && own->count > 0)
			topology->degenerate_first = own->first;
		topology->degenerate += own->count;
	}
}

/* Counts the vertices that a chunk is the first to use. */
static void
count_used(void *arg, uint32_t chunk)
{
	const Match *match = arg;
	const uint32_t end = mf_half_edges_chunk_end(&match->halves, chunk);
	uint32_t	count = 0;

	for (uint32_t t = chunk << match->halves.chunk_bits; t < end; t++)
		for (int i = 0; i < 3 && !mf_mesh_degenerate(match->mesh->corners[t]);
			 i++)
		{
			const uint32_t v = match->mesh->corners[t][i];
			const uint8_t bit = 1 << v % 8;

			if ((__atomic_load_n(&match->used[v / 8], __ATOMIC_RELAXED) &
				 bit) == 0)
				count += (__atomic_fetch_or(&match->used[v / 8], bit,
											__ATOMIC_RELAXED) & bit) == 0;
		}
	match->halves.degenerate[chunk].count = count;
}

/* How many vertices do the triangles that are not degenerate use? */
static bool
count_used_vertices(Match *match)
{
	MfJob	   *job = match->job;
	MfTopology *topology = match->topology;
	const uint64_t bytes = match->mesh->vertex_count / 8 + 1;

	topology->used_vertices = match->mesh->vertex_count;
	if (topology->degenerate == 0)
		return true;
	match->used = mf_memory_alloc(&job->memory, bytes);
	if (match->used == NULL)
		return mf_job_out_of_memory(job);
	mf_pool_run(job->pool, match->halves.partition.chunks, count_used, match);
	topology->used_vertices = 0;
	for (uint32_t c = 0; c < match->halves.partition.chunks; c++)
		topology->used_vertices += match->halves.degenerate[c].count;
	mf_memory_free(&job->memory, match->used, bytes);
	return true;
}

/* Allocates what is there until the edges are matched. */
static bool
begin_match(Match *match)
{
	MfMemory   *memory = &match->job->memory;
	MfTopology *topology = match->topology;

	topology->shell_room = match->mesh->triangle_count;
	topology->shell = mf_memory_alloc(memory, topology->shell_room *
									  (uint64_t) sizeof(uint32_t));
	if (topology->shell == NULL)
		return mf_job_out_of_memory(match->job);
	if (!mf_half_edges_begin(match->job, &match->halves, match->mesh,
							 topology->shell))
		return false;
	match->tally_bytes = match->halves.partition.buckets *
		sizeof(*match->tally);
	match->tally = mf_memory_alloc(memory, match->tally_bytes);
	return match->tally != NULL || mf_job_out_of_memory(match->job);
}

/* Makes scratch for buckets of at most `room` half edges. */
static bool
begin_scratch(Match *match, uint32_t pieces, uint64_t room)
{
	match->scratch_room = room;
	return mf_scratch_begin(match->job, &match->scratch, pieces,
							room * sizeof(uint64_t) +
							(sizeof(uint32_t) << match->halves.range_bits));
}

/*
 * Matches the buckets of a range: those of a usual size by all threads, then
 * the others one after the other, because a hostile file may have all its
 * edges in one.
 */
static bool
match_range(Match *match)
{
	MfJob	   *job = match->job;
	const MfHalfEdges *halves = &match->halves;
	const uint32_t buckets = halves->partition.buckets;
	const uint32_t range = halves->until - halves->first;
	uint64_t	largest = 0;

	if (!begin_scratch(match, mf_pool_threads(job->pool),
					   4 * (halves->base[buckets] / buckets) + 4096))
		return false;
	mf_job_run(job, MF_STAGE_TOPOLOGY, 0.85 *
			   (halves->first + range / 3.0) / buckets,
			   0.85 * halves->until / buckets, range, match_half_edges,
			   match);
	mf_scratch_end(job, &match->scratch);

	for (uint32_t b = halves->first; b < halves->until; b++)
		if (match->tally[b].put_off &&
			halves->base[b + 1] - halves->base[b] > largest)
			largest = halves->base[b + 1] - halves->base[b];
	if (largest == 0)
		return true;
	if (!begin_scratch(match, 1, largest))
		return false;
	for (uint32_t b = halves->first; b < halves->until; b++)
		if (match->tally[b].put_off)
			match_half_edges(match, b - halves->first);
	mf_scratch_end(job, &match->scratch);
	return true;
}

/*
 * Keeps the half edges of a surface with defects; a sound one needs them no
 * more.
 */
static bool
keep_defective(Match *match)
{
	MfJob	   *job = match->job;
	MfEdges    *edges = match->edges;
	const MfTopology *topology = match->topology;

	if (topology->boundary == 0 && topology->non_manifold == 0 &&
		topology->flipped == 0)
		return true;
	edges->half_count = match->halves.base[match->halves.partition.buckets];
	edges->half = mf_memory_take(&job->memory, edges->half_count *
								 sizeof(*edges->half));
	if (edges->half != NULL)
		edges->half_room = edges->half_count;
	edges->end = mf_memory_alloc(&job->memory, match->mesh->vertex_count *
								 (uint64_t) sizeof(*edges->end));
	if (edges->end != NULL)
		edges->vertex_count = match->mesh->vertex_count;
	if (edges->half == NULL || edges->end == NULL)
		return mf_job_out_of_memory(job);
	mf_half_edges_rewind(job, &match->halves);
	do
		mf_job_run(job, MF_STAGE_TOPOLOGY, 0.85, 0.9, match->halves.until -
				   match->halves.first, keep_half_edges, match);
	while (mf_half_edges_next(job, &match->halves));
	return true;
}

/* Finds and books the edges.  False: refused. */
static bool
work_through(Match *match)
{
	while (mf_half_edges_next(match->job, &match->halves))
		if (!match_range(match))
			return false;
	add_degenerate(match);
	add_tallies(match);
	return keep_defective(match) && count_used_vertices(match);
}

/*
 * Matches the edges of a mesh.  Fills both structs, which start empty; the
 * caller frees them in any case.  The half edges are there only where there
 * is a boundary, an edge of more than two triangles, or a flipped one.
 * False: refused.
 */
bool
mf_edges_match(MfJob *job, const MfMesh *mesh, MfEdges *edges,
			   MfTopology *topology)
{
	MfMemory   *memory = &job->memory;
	Match		match = {
		.job = job,.mesh = mesh,.edges = edges,.topology = topology
	};
	bool		good;

	memset(edges, 0, sizeof(*edges));
	memset(topology, 0, sizeof(*topology));
	good = begin_match(&match) && work_through(&match);
	mf_memory_free(memory, match.tally, match.tally_bytes);
	mf_half_edges_end(job, &match.halves);
	return good && mf_shells_number(job, mesh, topology);
}

/* Gives the half edges' memory back. */
void
mf_edges_free(MfJob *job, MfEdges *edges)
{
	mf_memory_free(&job->memory, edges->half,
				   edges->half_room * sizeof(*edges->half));
	mf_memory_free(&job->memory, edges->end,
				   edges->vertex_count * (uint64_t) sizeof(*edges->end));
	edges->half = NULL;
	edges->end = NULL;
}

/* Gives the shell numbers' memory back; the counts stay. */
void
mf_topology_free(MfJob *job, MfTopology *topology)
{
	mf_memory_free(&job->memory, topology->shell,
				   topology->shell_room *
				   (uint64_t) sizeof(*topology->shell));
	topology->shell = NULL;
}
