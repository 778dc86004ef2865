/*
 * weld.c
 *		Corners with bitwise equal coordinates (-0 counts as +0) become one
 *		vertex, as they are read.
 *
 * For readers that do not know how many there are; weld_bulk.c is for those
 * that do.  An open addressing hash table that grows.  Vertices are numbered
 * in the order of their first appearance, so nothing that is computed depends
 * on the seed.
 */
#include <sys/auxv.h>
#include <time.h>

#include "weld.h"

/* Triangles looked up at a time. */
#define WELD_BLOCK	32

/*
 * A seed without a system call that the sandbox would have to allow: the 16
 * random bytes that the kernel gives every new program, and the time.  The
 * bytes themselves also guard the stack, so only a hash of them is used.
 */
void
mf_weld_make_seed(uint64_t seed[2])
{
	const void *random = (const void *) getauxval(AT_RANDOM);
	uint64_t	word[2] = {0x9e3779b97f4a7c15, 0xd1b54a32d192ed03};
	struct timespec now = {0};

	if (random != NULL)
		memcpy(word, random, sizeof(word));
	clock_gettime(CLOCK_MONOTONIC, &now);
	word[0] ^= (uint64_t) now.tv_nsec << 20;
	word[1] ^= (uint64_t) (uintptr_t) seed;
	for (int i = 0; i < 2; i++)
		seed[i] = mf_weld_mix(mf_weld_mix(word[0] ^ 0xa0761d6478bd642f,
										  word[1] ^ 0xe7037ed1a0b428db),
							  word[i] ^ 0x8ebc6af09c88c6e3) | 1;
}

/* A slot holds the coordinates themselves: one look, one cache line. */
typedef struct MfWeldSlot
{
	uint64_t	key[3];
	uint32_t	vertex;			/* + 1; 0: empty */
} MfWeldSlot;

static inline uint64_t
home_slot(const MfWeld *weld, const uint64_t key[3])
{
	return mf_weld_scale(wide_hash(weld->seed, key), weld->slot_count);
}

/* Gives the table's memory back; the mesh stays. */
void
mf_weld_end(MfWeld *weld)
{
	mf_memory_free(&weld->job->memory, weld->slots,
				   weld->slot_count * sizeof(*weld->slots));
	weld->slots = NULL;
	weld->slot_count = 0;
}

/*
 * Replaces the table by a larger one.  The old one goes first: the vertices
 * hold all that it knew.
 */
static bool
enlarge(MfWeld *weld, uint64_t slot_count)
{
	MfMesh	   *mesh = weld->mesh;
	MfWeldSlot *slots;

	mf_weld_end(weld);
	weld->slots = slots = mf_memory_alloc(&weld->job->memory,
										  slot_count * sizeof(*slots));
	if (slots == NULL)
		return mf_job_out_of_memory(weld->job);
	weld->slot_count = slot_count;

	for (uint32_t v = 0; v < mesh->vertex_count; v++)
	{
		uint64_t	key[3];
		uint64_t	at;

		memcpy(key, mesh->wide_at[v], sizeof(key));
		at = home_slot(weld, key);
		while (slots[at].vertex != 0)
			if (++at == slot_count)
				at = 0;
		memcpy(slots[at].key, key, sizeof(key));
		slots[at].vertex = v + 1;
	}
	return true;
}

/*
 * Makes a table for about so many triangles.  A closed surface has half as
 * many vertices as triangles; where there are more, the table grows.
 */
bool
mf_weld_begin(MfWeld *weld, MfJob *job, MfMesh *mesh,
			  uint64_t expected_triangles)
{
	const uint64_t slots = expected_triangles + 4096;

	memset(weld, 0, sizeof(*weld));
	weld->job = job;
	weld->mesh = mesh;
	mf_weld_make_seed(weld->seed);
	return mf_mesh_reserve_triangles(job, mesh, expected_triangles) &&
		mf_mesh_reserve_vertices(job, mesh, expected_triangles / 2 + 1024) &&
		enlarge(weld, slots);
}

/*
 * Adds `count` triangles, each nine coordinates in a row, `stride` bytes
 * apart, as doubles.  Works in blocks: all places of a block are computed, and
 * asked from memory, before the first one is looked at.  False: refused.
 */
bool
mf_weld_add_wide(MfWeld *weld, const uint8_t *first, size_t stride,
				 size_t count)
{
	MfMesh	   *mesh = weld->mesh;

	if (!mf_mesh_reserve_triangles(weld->job, mesh,
								   mesh->triangle_count + (uint64_t) count))
		return false;

	while (count > 0)
	{
		const size_t n = count < WELD_BLOCK ? count : WELD_BLOCK;
		uint64_t	keys[3 * WELD_BLOCK][3];
		uint64_t	home[3 * WELD_BLOCK];
		MfWeldSlot *slots;
		uint32_t   *corner;
		uint32_t	vertex_count;

		/* A block may add three vertices per triangle: room for all. */
		if (!mf_mesh_reserve_vertices(weld->job, mesh,
									  mesh->vertex_count + 3 * (uint64_t) n))
			return false;
		if (mesh->vertex_count + 3 * (uint64_t) n >
			weld->slot_count / 4 * 3 &&
			!enlarge(weld, weld->slot_count * 2 + 4096))
			return false;

		/* 1. Where would each corner be? */
		slots = weld->slots;
		for (size_t t = 0; t < n; t++)
			for (size_t c = 0; c < 3; c++)
			{
				uint64_t   *key = keys[3 * t + c];

				wide_load(first + t * stride + c * sizeof(keys[0]),
						  key);
				home[3 * t + c] = home_slot(weld, key);
				__builtin_prefetch(&slots[home[3 * t + c]], 1);
			}

		/* 2. Is it there?  Vertices are numbered as they appear. */
		corner = mesh->corners[mesh->triangle_count];
		vertex_count = mesh->vertex_count;
		for (size_t k = 0; k < 3 * n; k++)
		{
			const uint64_t *key = keys[k];
			MfWeldSlot *slot = &slots[home[k]];

			while (slot->vertex != 0 &&
				   ((slot->key[0] ^ key[0]) | (slot->key[1] ^ key[1]) |
					(slot->key[2] ^ key[2])) != 0)
				if (++slot == slots + weld->slot_count)
					slot = slots;
			if (slot->vertex == 0)
			{
				memcpy(slot->key, key, sizeof(slot->key));
				memcpy(mesh->wide_at[vertex_count], key, sizeof(slot->key));
				slot->vertex = ++vertex_count;
			}
			corner[k] = slot->vertex - 1;
		}
		mesh->vertex_count = vertex_count;
		mesh->triangle_count += n;
		first += n * stride;
		count -= n;
	}
	return true;
}
