/*
 * half_edges.c
 *		Sorts half edges into buckets, and those of a bucket into groups;
 *		half_edges.h says what for.
 */
#include <string.h>

#include "half_edges.h"

/* Triangles of a chunk, as a power of two, where the bits suffice. */
#define CHUNK_BITS	14

/* Vertices of a bucket, as a power of two, where there are not too many. */
#define RANGE_BITS	12

/* A mesh of so many triangles is taken in several ranges. */
#define LARGE	(UINT32_C(1) << 20)
#define RANGES	4

/* What of the topology's progress is done with the last range. */
#define MATCHED	0.85

static inline uint32_t
lower(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/*
 * Allocates what the half edges of a mesh take.  The caller ends them in any
 * case.  False: refused.
 */
bool
mf_half_edges_begin(MfJob *job, MfHalfEdges *halves, const MfMesh *mesh,
					uint32_t *shell)
{
	uint32_t	chunks;
	uint32_t	buckets;

	memset(halves, 0, sizeof(*halves));
	halves->mesh = mesh;
	halves->shell = shell;
	halves->range_bits = RANGE_BITS;
	while (mesh->vertex_count >> halves->range_bits >= MF_MAX_BUCKETS)
		halves->range_bits++;
	/* Of 64 bits, 32 are the higher vertex, and one is the direction. */
	halves->chunk_bits = 31 - halves->range_bits;
	if (halves->chunk_bits > CHUNK_BITS)
		halves->chunk_bits = CHUNK_BITS;
	buckets = (mesh->vertex_count >> halves->range_bits) + 1;
	chunks = (uint32_t) ((mesh->triangle_count +
						  (UINT64_C(1) << halves->chunk_bits) - 1) >>
						 halves->chunk_bits);
	halves->each = mesh->triangle_count < LARGE || mesh->facets != NULL ?
		buckets : (buckets + RANGES - 1) / RANGES;
	halves->base_bytes = (buckets + 1) * sizeof(*halves->base);
	halves->degenerate_bytes = chunks * sizeof(*halves->degenerate);
	if (!mf_partition_begin(job, &halves->partition, chunks, buckets,
							sizeof(uint64_t),
							3 * (uint64_t) mesh->triangle_count))
		return false;
	halves->base = mf_memory_alloc(&job->memory, halves->base_bytes);
	halves->degenerate = mf_memory_alloc(&job->memory,
										 halves->degenerate_bytes);
	return (halves->base != NULL && halves->degenerate != NULL) ||
		mf_job_out_of_memory(job);
}

/*
 * Counts a chunk's half edges by bucket; the degenerate triangles have none.
 */
static void
count_half_edges(MfHalfEdges *halves, uint32_t chunk)
{
	MfDegenerate *degenerate = &halves->degenerate[chunk];
	const uint32_t end = mf_half_edges_chunk_end(halves, chunk);
	const int	bits = halves->range_bits;
	uint32_t	count[MF_MAX_BUCKETS] = {0};

	for (uint32_t t = chunk << halves->chunk_bits; t < end; t++)
	{
		const uint32_t *c = halves->mesh->corners[t];

		/* Trees of shells.h with one triangle each. */
		halves->shell[t] = t;
		if (mf_mesh_degenerate(c))
		{
			if (degenerate->count++ == 0)
				degenerate->first = t;
			continue;
		}
		count[lower(c[0], c[1]) >> bits]++;
		count[lower(c[1], c[2]) >> bits]++;
		count[lower(c[2], c[0]) >> bits]++;
	}
	mf_partition_count(&halves->partition, chunk, count);
}

/* Where a chunk's half edges of each bucket begin. */
static inline const uint32_t *
begins(const MfHalfEdges *halves, uint32_t chunk)
{
	return halves->partition.begin +
		chunk * (uint64_t) (halves->partition.buckets + 1);
}

/* Sorts a chunk's half edges of this range into its buckets. */
static void
part_half_edges(void *arg, uint32_t chunk)
{
	MfHalfEdges *halves = arg;
	const uint32_t first = chunk << halves->chunk_bits;
	const uint32_t end = mf_half_edges_chunk_end(halves, chunk);
	const uint32_t range = halves->until - halves->first;
	const int	bits = halves->range_bits;
	const int	high_shift = halves->chunk_bits + 1;
	uint32_t	at[MF_MAX_BUCKETS];
	uint64_t   *entry;

	if (!halves->counted)
		count_half_edges(halves, chunk);
	mf_partition_claim_range(&halves->partition, chunk, halves->first,
							 halves->until);
	memcpy(at, begins(halves, chunk) + halves->first, range * sizeof(*at));
	if (at[0] == begins(halves, chunk)[halves->until])
		return;
	for (uint32_t b = range; b-- > 0;)
		at[b] -= at[0];
	entry = mf_partition_run(&halves->partition, chunk, halves->first).first;
	for (uint32_t t = first; t < end; t++)
	{
		const uint32_t *c = halves->mesh->corners[t];

		if (halves->degenerate[chunk].count > 0 && mf_mesh_degenerate(c))
			continue;
		for (int i = 0; i < 3; i++)
		{
			const uint32_t from = c[i];
			const uint32_t to = c[i == 2 ? 0 : i + 1];
			const bool	down = from > to;
			const uint64_t low = down ? to : from;
			const uint64_t high = down ? from : to;
			const uint64_t inside = low & ((UINT64_C(1) << bits) - 1);
			const uint32_t bucket = (uint32_t) (low >> bits) - halves->first;

			if (bucket < range)
				entry[at[bucket]++] = inside << (high_shift + 32) |
					high << high_shift | (t - first) << 1 | down;
		}
	}
}

/* Adds up how many half edges the chunks have for each bucket. */
static void
add_up(MfHalfEdges *halves)
{
	const uint32_t buckets = halves->partition.buckets;
	uint64_t	begin = 0;

	for (uint32_t c = 0; c < halves->partition.chunks; c++)
		for (uint32_t b = 0; b < buckets; b++)
			halves->base[b] += begins(halves, c)[b + 1] -
				begins(halves, c)[b];
	for (uint32_t b = 0; b <= buckets; b++)
	{
		const uint64_t count = halves->base[b];

		halves->base[b] = begin;
		begin += count;
	}
}

/* Do the half edges of this range come from more than half of the chunks? */
static bool
is_scattered(const MfHalfEdges *halves)
{
	uint32_t	chunks = 0;

	for (uint32_t c = 0; c < halves->partition.chunks; c++)
		chunks += begins(halves, c)[halves->first] !=
			begins(halves, c)[halves->until];
	return chunks > halves->partition.chunks / 2;
}

/* Goes on to the next range of buckets; false: there is none. */
bool
mf_half_edges_next(MfJob *job, MfHalfEdges *halves)
{
	const uint32_t buckets = halves->partition.buckets;
	const double each = MATCHED / buckets;

	if (halves->until == buckets)
		return false;
	halves->first = halves->until;
	halves->until = lower(halves->each, buckets - halves->first) +
		halves->first;
	halves->partition.claimed = 0;
	mf_job_run(job, MF_STAGE_TOPOLOGY, each * halves->first,
			   each * (halves->first + (halves->until - halves->first) / 3.0),
			   halves->partition.chunks, part_half_edges, halves);
	if (!halves->counted)
	{
		halves->counted = true;
		add_up(halves);
		if (is_scattered(halves))
			halves->each = buckets;
	}
	return true;
}

/* Goes back to the first range. */
void
mf_half_edges_rewind(MfJob *job, MfHalfEdges *halves)
{
	if (halves->first == 0)
		return;
	halves->until = 0;
	mf_half_edges_next(job, halves);
}

/*
 * Groups a bucket's half edges by their lower vertex, each as MfEdges has
 * them.  `end`, which is zeroed, gets the groups' ends, beginning at `begin`.
 */
void
mf_half_edges_group(const MfHalfEdges *halves, uint32_t bucket,
					uint64_t *half, uint32_t *end, uint32_t begin)
{
	const MfPartition *partition = &halves->partition;
	const uint32_t vertices = mf_half_edges_vertices(halves, bucket);
	const int	high_shift = halves->chunk_bits + 1;
	const int	low_shift = high_shift + 32;
	const uint64_t local = (UINT64_C(1) << high_shift) - 1;

	for (uint32_t c = 0; c < partition->chunks; c++)
	{
		const MfRun run = mf_partition_run(partition, c, bucket);
		const uint64_t *entry = run.first;

		mf_partition_expect(partition, c + 2, bucket);
		for (uint32_t i = 0; i < run.count; i++)
			end[entry[i] >> low_shift]++;
	}
	for (uint32_t v = 0; v < vertices; v++)
	{
		const uint32_t count = end[v];

		end[v] = begin;
		begin += count;
	}
	for (uint32_t c = 0; c < partition->chunks; c++)
	{
		const MfRun run = mf_partition_run(partition, c, bucket);
		const uint64_t *entry = run.first;
		const uint64_t first = (uint64_t) c << high_shift;

		for (uint32_t i = 0; i < run.count; i++)
			half[end[entry[i] >> low_shift]++] =
				entry[i] >> high_shift << 32 | first | (entry[i] & local);
	}
}

/* Gives the room back. */
void
mf_half_edges_end(MfJob *job, MfHalfEdges *halves)
{
	mf_memory_free(&job->memory, halves->degenerate,
				   halves->degenerate_bytes);
	mf_memory_free(&job->memory, halves->base, halves->base_bytes);
	mf_partition_end(job, &halves->partition);
}
