/*
 * weld.c
 *		Corners with bitwise equal coordinates (-0 counts as +0) become one
 *		vertex.
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
