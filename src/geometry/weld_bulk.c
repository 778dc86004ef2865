/*
 * weld_bulk.c
 *		Corners with bitwise equal coordinates (-0 counts as +0) become one
 *		vertex: all of a mesh at once, by all threads.
 *
 * A hash table of a large mesh fits no cache, and each look at it waits for
 * memory.  So the items (corners, or the vertices of a file) are sorted by
 * their hash into buckets first, which costs a few passes through memory in
 * its order; the table of a bucket fits the cache.
 *
 *		1. Each chunk of items: those whose key was there just before are told
 *		   so; they are most of a mesh that is written in a good order.  The
 *		   others go to their buckets.
 *		2. Each bucket: what is the first item with the same key?
 *		3. Each chunk: its items that are such are marked and counted.
 *		4. Each chunk: an item's number is how many firsts are before the one
 *		   it is equal to.
 *
 * So vertices are numbered in the order of their first appearance, and
 * nothing depends on the hash's seed or on the number of threads.
 */
#include <math.h>

#include "partition.h"
#include "rank.h"
#include "scratch.h"
#include "weld.h"

/* Items of a chunk: a multiple of 96, and below 65535. */
#define CHUNK		49152

/* Items that a bucket should have: a table of a sixth of them. */
#define BUCKET_ITEMS	32768

/* Hashes for which the last item is remembered. */
#define RECENT		16384

/* After so many items it shows whether that is of use. */
#define TRIAL		4096

#define NO_BUCKET	UINT16_MAX

/* How many records ahead the rank of what it is equal to is asked for. */
#define AHEAD		16

/* Ranks of a chunk. */
#define RANKS		(CHUNK / 32)

typedef struct Bulk
{
	MfJob	   *job;
	MfMesh	   *mesh;
	const uint8_t *first;		/* three items each stride */
	size_t		stride;
	uint32_t	items;
	uint32_t   *number;			/* of each item: what comes out */
	bool		near;			/* look at what was just before? */
	bool		picky;			/* leave out items of the number 0? */
	uint64_t	seed[2];
	MfPartition partition;
	MfRank	   *rank;
	uint64_t	rank_bytes;
	uint32_t   *base;			/* firsts before each chunk */
	uint64_t	base_bytes;
	uint32_t	firsts;
	MfScratch	scratch;		/* tables */
	uint32_t	most_slots;
	bool		full;			/* a table was too small */
} Bulk;

/* How many items a chunk has. */
static inline uint32_t
chunk_length(const Bulk *bulk, uint32_t chunk)
{
	const uint32_t left = bulk->items - chunk * CHUNK;

	return left < CHUNK ? left : CHUNK;
}

/* The number of a first item. */
static inline uint32_t
number_of(const Bulk *bulk, uint32_t item)
{
	return bulk->base[item / CHUNK] + mf_rank_number(bulk->rank, item);
}

/* Slots that a bucket's table begins with: a power of two. */
static uint32_t
first_slots(const Bulk *bulk, uint32_t bucket)
{
	const uint64_t total = mf_partition_total(&bulk->partition, bucket);
	uint32_t	slots = 64;

	while (slots < total / 4 && slots < bulk->most_slots)
		slots *= 2;
	return slots;
}

#define BULK_WORD		uint32_t
#define BULK_ENTRY		NarrowEntry
#define BULK_SLOT		NarrowSlot
#define BULK_AT			narrow_at
#define BULK_NAME(x)	narrow_##x
#include "weld_bulk_block.h"
#undef BULK_WORD
#undef BULK_ENTRY
#undef BULK_SLOT
#undef BULK_AT
#undef BULK_NAME

#define BULK_WORD		uint64_t
#define BULK_ENTRY		WideEntry
#define BULK_SLOT		WideSlot
#define BULK_AT			wide_at
#define BULK_NAME(x)	wide_##x
#include "weld_bulk_block.h"

/*
 * Allocates what the weld needs.  A bucket has as many different keys as the
 * mean, and a few standard deviations more: the hash's seed is secret.
 */
static bool
begin_bulk(Bulk *bulk)
{
	MfMemory   *memory = &bulk->job->memory;
	const uint32_t chunks = (bulk->items + CHUNK - 1) / CHUNK;
	const uint64_t slot = bulk->mesh->wide ? sizeof(WideSlot) :
	sizeof(NarrowSlot);
	uint32_t	buckets = 1;
	double		mean;

	while (bulk->items / buckets > BUCKET_ITEMS && buckets < MF_MAX_BUCKETS)
		buckets *= 2;
	mean = (double) bulk->items / buckets;
	bulk->most_slots = 64;
	while (bulk->most_slots * 0.85 < mean + 10 * sqrt(mean) + 10)
		bulk->most_slots *= 2;
	bulk->rank_bytes = chunks * (uint64_t) RANKS * sizeof(MfRank);
	bulk->base_bytes = chunks * (uint64_t) sizeof(*bulk->base);
	mf_weld_make_seed(bulk->seed);

	if (!mf_partition_begin(bulk->job, &bulk->partition, chunks, buckets,
							bulk->mesh->wide ? sizeof(WideEntry) :
							sizeof(NarrowEntry), bulk->items))
		return false;
	bulk->rank = mf_memory_alloc(memory, bulk->rank_bytes);
	bulk->base = mf_memory_alloc(memory, bulk->base_bytes);
	if (bulk->rank == NULL || bulk->base == NULL)
		return mf_job_out_of_memory(bulk->job);
	return mf_scratch_begin(bulk->job, &bulk->scratch,
							mf_pool_threads(bulk->job->pool),
							2 * bulk->most_slots * slot);
}

static void
end_bulk(Bulk *bulk)
{
	MfMemory   *memory = &bulk->job->memory;

	mf_scratch_end(bulk->job, &bulk->scratch);
	mf_memory_free(memory, bulk->base, bulk->base_bytes);
	mf_memory_free(memory, bulk->rank, bulk->rank_bytes);
	mf_partition_end(bulk->job, &bulk->partition);
}

/* Steps 1 to 3; then the firsts are counted.  False: refused. */
static bool
find_firsts(Bulk *bulk)
{
	const bool	wide = bulk->mesh->wide;

	mf_job_run(bulk->job, MF_STAGE_WELDING, 0, 0.3, bulk->partition.chunks,
			   wide ? wide_part : narrow_part, bulk);
	mf_job_run(bulk->job, MF_STAGE_WELDING, 0.3, 0.6, bulk->partition.buckets,
			   wide ? wide_search : narrow_search, bulk);
	if (bulk->full)
		return mf_job_out_of_memory(bulk->job);
	mf_job_run(bulk->job, MF_STAGE_WELDING, 0.6, 0.7, bulk->partition.chunks,
			   wide ? wide_mark : narrow_mark, bulk);
	for (uint32_t c = 0; c < bulk->partition.chunks; c++)
	{
		const uint32_t own = bulk->base[c];

		bulk->base[c] = bulk->firsts;
		bulk->firsts += own;
	}
	return true;
}

/* Step 4, into a mesh with room for the vertices. */
static void
settle_items(Bulk *bulk)
{
	mf_job_run(bulk->job, MF_STAGE_WELDING, 0.7, 0.9, bulk->partition.chunks,
			   bulk->mesh->wide ? wide_settle : narrow_settle, bulk);
	bulk->mesh->vertex_count = bulk->firsts;
}

/*
 * Makes a mesh of `count` triangles of nine coordinates each, `stride` bytes
 * apart: doubles where the mesh is wide, else floats, which stay there as long
 * as the mesh.  The mesh is empty.  False: refused.
 */
bool
mf_weld_triangles(MfJob *job, MfMesh *mesh, const uint8_t *first,
				  size_t stride, uint64_t count)
{
	Bulk		bulk = {
		.job = job,.mesh = mesh,.first = first,.stride = stride,
		.items = 3 * (uint32_t) count,.near = true
	};
	bool		good;

	if (count > MF_MAX_TRIANGLES_EVER)
		return mf_job_too_many(job, count);
	if (!mf_mesh_reserve_triangles(job, mesh, count))
		return false;
	bulk.number = mesh->corners[0];
	good = begin_bulk(&bulk) && find_firsts(&bulk) &&
		mf_mesh_reserve_vertices(job, mesh, bulk.firsts);
	if (good)
	{
		settle_items(&bulk);
		mesh->triangle_count = (uint32_t) count;

		/* In no order: few corners were there just before. */
		if (!mesh->wide && bulk.partition.claimed > bulk.items / 2)
		{
			mesh->facets = first;
			mesh->facet_stride = stride;
		}
	}
	end_bulk(&bulk);
	return good;
}

/* ---- the vertices of a file ---- */

/* Triangles that one task looks through. */
#define TRIANGLES	65536

/* Triangles whose corners are the numbers of items. */
typedef struct Corners
{
	MfMesh	   *mesh;
	uint32_t   *number;
} Corners;

/* The first and the last triangle of a task. */
static uint32_t
last_triangle(const Corners *corners, uint32_t task)
{
	const uint64_t last = (task + UINT64_C(1)) * TRIANGLES;

	return last < corners->mesh->triangle_count ? (uint32_t) last :
		corners->mesh->triangle_count;
}

/* Marks the vertices that a task's triangles use. */
static void
mark_used(void *arg, uint32_t task)
{
	const Corners *corners = arg;
	const uint32_t last = last_triangle(corners, task);

	for (uint32_t t = task * TRIANGLES; t < last; t++)
		for (int i = 0; i < 3; i++)
		{
			uint32_t   *used = &corners->number[corners->mesh->corners[t][i]];

			if (__atomic_load_n(used, __ATOMIC_RELAXED) == 0)
				__atomic_store_n(used, 1, __ATOMIC_RELAXED);
		}
}

/* Gives a task's corners the numbers of the vertices. */
static void
number_corners(void *arg, uint32_t task)
{
	const Corners *corners = arg;
	const uint32_t last = last_triangle(corners, task);

	for (uint32_t t = task * TRIANGLES; t < last; t++)
		for (int i = 0; i < 3; i++)
		{
			uint32_t   *corner = &corners->mesh->corners[t][i];

			*corner = corners->number[*corner];
		}
}

/* Makes +0 of a chunk's -0, as settling does. */
static void
clear_signs(void *arg, uint32_t chunk)
{
	const Bulk *bulk = arg;
	const uint32_t n = chunk_length(bulk, chunk);

	for (uint32_t i = 0; i < n; i++)
		for (int k = 0; k < 3; k++)
			bulk->mesh->wide_at[chunk * CHUNK + i][k] += 0;
}

/* Does the work of mf_weld_vertices; the caller frees the numbers. */
static bool
weld_items(Bulk *bulk, Corners *corners)
{
	MfMesh	   *mesh = bulk->mesh;
	const uint32_t tasks = (mesh->triangle_count + TRIANGLES - 1) / TRIANGLES;
	const uint64_t old_room = mesh->vertex_room;
	double		(*old)[3] = mesh->wide_at;
	bool		good;

	mf_pool_run(bulk->job->pool, tasks, mark_used, corners);
	if (!find_firsts(bulk))
		return false;

	/* Nothing to weld and nothing unused: all is in its place. */
	if (bulk->firsts == mesh->vertex_count)
	{
		mf_pool_run(bulk->job->pool, bulk->partition.chunks, clear_signs,
					bulk);
		return true;
	}
	mesh->wide_at = NULL;
	mesh->vertex_room = 0;
	good = mf_mesh_reserve_vertices(bulk->job, mesh, bulk->firsts);
	if (good)
	{
		settle_items(bulk);
		mf_job_run(bulk->job, MF_STAGE_WELDING, 0.9, 1, tasks, number_corners,
				   corners);
	}
	mf_memory_free(&bulk->job->memory, old,
				   old_room * (uint64_t) sizeof(*old));
	return good;
}

/*
 * Welds a mesh over the vertices of a file, which are doubles; those that no
 * triangle uses are left out.  Numbers are in the order of the file.  False:
 * refused.
 */
bool
mf_weld_vertices(MfJob *job, MfMesh *mesh)
{
	const uint64_t bytes = mesh->vertex_count * (uint64_t) sizeof(uint32_t);
	Bulk		bulk = {
		.job = job,.mesh = mesh,.first = (const uint8_t *) mesh->wide_at,
		.stride = 3 * sizeof(*mesh->wide_at),.items = mesh->vertex_count,
		.number = mf_memory_alloc(&job->memory, bytes),.picky = true
	};
	Corners		corners = {.mesh = mesh,.number = bulk.number};
	bool		good;

	if (bulk.number == NULL)
		return mf_job_out_of_memory(job);
	good = begin_bulk(&bulk) && weld_items(&bulk, &corners);
	end_bulk(&bulk);
	mf_memory_free(&job->memory, bulk.number, bytes);
	return good;
}
