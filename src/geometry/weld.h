/*
 * weld.h
 *		Coordinates as keys of hash tables.
 *
 * Whoever makes a file chooses its coordinates, so the hash has a seed that
 * nobody outside knows, and a file made of collisions cannot be made.
 */
#ifndef MF_WELD_H
#define MF_WELD_H

#include <string.h>

#include "mesh.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the readers take the file's little-endian numbers as they are"
#endif

extern void mf_weld_make_seed(uint64_t seed[2]);

/*
 * The two halves of a 128-bit product, folded: every bit of the result
 * depends on every bit of both factors.
 */
static inline uint64_t
mf_weld_mix(uint64_t a, uint64_t b)
{
	return (a * b) ^ (uint64_t) ((unsigned __int128) a * b >> 64);
}

/* A hash to 0 .. count - 1, without a division. */
static inline uint64_t
mf_weld_scale(uint64_t hash, uint64_t count)
{
	return (uint64_t) ((unsigned __int128) hash * count >> 64);
}

/* Three floats as words, with -0 as +0. */
static inline void
narrow_load(const uint8_t *from, uint32_t key[3])
{
	float		at[3];

	memcpy(at, from, sizeof(at));
	for (int i = 0; i < 3; i++)
		at[i] += 0;
	memcpy(key, at, sizeof(at));
}

/* Three doubles as words, with -0 as +0. */
static inline void
wide_load(const uint8_t *from, uint64_t key[3])
{
	double		at[3];

	memcpy(at, from, sizeof(at));
	for (int i = 0; i < 3; i++)
		at[i] += 0;
	memcpy(key, at, sizeof(at));
}

static inline uint64_t
narrow_hash(const uint64_t seed[2], const uint32_t key[3])
{
	return mf_weld_mix((key[0] | (uint64_t) key[1] << 32) ^ seed[0],
					   key[2] ^ seed[1]);
}

static inline uint64_t
wide_hash(const uint64_t seed[2], const uint64_t key[3])
{
	return mf_weld_mix(mf_weld_mix(key[0] ^ seed[0], key[1] ^ seed[1]) ^
					   key[2], seed[1]);
}

#endif							/* MF_WELD_H */
