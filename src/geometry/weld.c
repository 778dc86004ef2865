/*
 * weld.c
 *		Corners with bitwise equal coordinates (-0 counts as +0) become one
 *		vertex.
 *
 * Formats with corners of their own are welded as they are read, those with
 * numbered vertices when all are known.
 *
 * An open addressing hash table.  Whoever makes the file chooses the
 * coordinates, so the hash has a seed that nobody outside knows, and a file
 * made of collisions cannot be made.  Vertices are numbered in the order of
 * their first appearance, so nothing that is computed depends on the seed.
 */
#include <string.h>
#include <sys/auxv.h>
#include <time.h>

#include "mesh.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the readers take the file's little-endian numbers as they are"
#endif

/* Triangles looked up at a time. */
#define WELD_BLOCK	32

/*
 * The two halves of a 128-bit product, folded: every bit of the result
 * depends on every bit of both factors.
 */
static inline uint64_t
mix(uint64_t a, uint64_t b)
{
	return (a * b) ^ (uint64_t) ((unsigned __int128) a * b >> 64);
}

/* A hash to 0 .. count - 1, without a division. */
static inline uint64_t
scale(uint64_t hash, uint64_t count)
{
	return (uint64_t) ((unsigned __int128) hash * count >> 64);
}

#define WELD_SLOT		NarrowSlot
#define WELD_REAL		float
#define WELD_WORD		uint32_t
#define WELD_WIDE		0
#define WELD_AT			narrow_at
#define WELD_NAME(x)	narrow_##x
#include "weld_block.h"
#undef WELD_SLOT
#undef WELD_REAL
#undef WELD_WORD
#undef WELD_WIDE
#undef WELD_AT
#undef WELD_NAME

#define WELD_SLOT		WideSlot
#define WELD_REAL		double
#define WELD_WORD		uint64_t
#define WELD_WIDE		1
#define WELD_AT			wide_at
#define WELD_NAME(x)	wide_##x
#include "weld_block.h"

/*
 * A seed without a system call that the sandbox would have to allow: the 16
 * random bytes that the kernel gives every new program, and the time.  The
 * bytes themselves also guard the stack, so only a hash of them is used.
 */
static void
make_seed(uint64_t seed[2])
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
		seed[i] = mix(mix(word[0] ^ 0xa0761d6478bd642f,
						  word[1] ^ 0xe7037ed1a0b428db),
					  word[i] ^ 0x8ebc6af09c88c6e3) | 1;
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
	make_seed(weld->seed);
	return mf_mesh_reserve_triangles(job, mesh, expected_triangles) &&
		mf_mesh_reserve_vertices(job, mesh, expected_triangles / 2 + 1024) &&
		(mesh->wide ? wide_enlarge(weld, slots) : narrow_enlarge(weld, slots));
}

/* Adds triangles of nine floats each.  False: refused. */
bool
mf_weld_add_narrow(MfWeld *weld, const uint8_t *first, size_t stride,
				   size_t count)
{
	return narrow_add(weld, first, stride, count);
}

/* Adds triangles of nine doubles each.  False: refused. */
bool
mf_weld_add_wide(MfWeld *weld, const uint8_t *first, size_t stride,
				 size_t count)
{
	return wide_add(weld, first, stride, count);
}

/* Gives the table's memory back; the mesh stays. */
void
mf_weld_end(MfWeld *weld)
{
	mf_memory_free(&weld->job->memory, weld->slots,
				   weld->slot_count * weld->slot_size);
	weld->slots = NULL;
	weld->slot_count = 0;
}

/* Finds a vertex by a part of its hash; most others are told apart by that. */
typedef struct VertexSlot
{
	uint32_t	tag;
	uint32_t	vertex;			/* + 1; 0: empty */
} VertexSlot;

/* Marks the vertices that triangles use; how many. */
static uint64_t
mark_used(const MfMesh *mesh, uint32_t *number)
{
	uint64_t	used = 0;

	for (uint32_t t = 0; t < mesh->triangle_count; t++)
		for (int i = 0; i < 3; i++)
		{
			used += number[mesh->corners[t][i]] == 0;
			number[mesh->corners[t][i]] = 1;
		}
	return used;
}

/*
 * Gives each used vertex its new number, and moves it there: new numbers
 * never pass the old ones.  Works in blocks like weld_block.h.
 */
static void
number_vertices(MfWeld *weld, uint32_t *number)
{
	MfMesh	   *mesh = weld->mesh;
	VertexSlot *slots = weld->slots;
	uint32_t	count = 0;
	uint32_t	v = 0;

	while (v < mesh->vertex_count)
	{
		uint32_t	old[WELD_BLOCK];
		uint64_t	key[WELD_BLOCK][3];
		uint64_t	home[WELD_BLOCK];
		uint32_t	tag[WELD_BLOCK];
		int			n = 0;

		for (; n < WELD_BLOCK && v < mesh->vertex_count; v++)
		{
			uint64_t	hash;

			if (v % MF_PROGRESS_ITEMS == 0)
				mf_job_progress(weld->job, MF_STAGE_WELDING, v,
								mesh->vertex_count);
			if (number[v] == 0)
				continue;
			wide_load((const uint8_t *) mesh->wide_at[v], key[n]);
			hash = wide_hash(weld, key[n]);
			home[n] = scale(hash, weld->slot_count);
			tag[n] = (uint32_t) hash;
			old[n] = v;
			__builtin_prefetch(&slots[home[n++]], 1);
		}
		for (int i = 0; i < n; i++)
		{
			VertexSlot *slot = &slots[home[i]];

			while (slot->vertex != 0 &&
				   (slot->tag != tag[i] ||
					memcmp(mesh->wide_at[slot->vertex - 1], key[i],
						   sizeof(key[i])) != 0))
				if (++slot == slots + weld->slot_count)
					slot = slots;
			if (slot->vertex == 0)
			{
				memcpy(mesh->wide_at[count], key[i], sizeof(key[i]));
				slot->tag = tag[i];
				slot->vertex = ++count;
			}
			number[old[i]] = slot->vertex - 1;
		}
	}
	mesh->vertex_count = count;
}

/*
 * Welds a mesh over the vertices of a file, which are doubles; those that no
 * triangle uses are left out.  Numbers are in the order of the file.
 */
bool
mf_weld_vertices(MfJob *job, MfMesh *mesh)
{
	const uint64_t bytes = mesh->vertex_count * (uint64_t) sizeof(uint32_t);
	MfWeld		weld = {.job = job,.mesh = mesh};
	uint32_t   *number = mf_memory_alloc(&job->memory, bytes);

	if (number == NULL)
		return mf_job_out_of_memory(job);
	make_seed(weld.seed);
	weld.slot_size = sizeof(VertexSlot);
	weld.slot_count = 2 * mark_used(mesh, number) + 1;
	weld.slots = mf_memory_alloc(&job->memory,
								 weld.slot_count * weld.slot_size);
	if (weld.slots == NULL)
	{
		mf_memory_free(&job->memory, number, bytes);
		return mf_job_out_of_memory(job);
	}
	number_vertices(&weld, number);
	for (uint32_t t = 0; t < mesh->triangle_count; t++)
		for (int i = 0; i < 3; i++)
			mesh->corners[t][i] = number[mesh->corners[t][i]];
	mf_weld_end(&weld);
	mf_memory_free(&job->memory, number, bytes);
	return true;
}
