/*
 * hull_order.c
 *		The order in which points are inserted into a hull.
 *
 * Three quarters of all are of the last round, three quarters of the others
 * of the one before, and so on (Amenta, Choi and Rote, "Incremental
 * constructions con BRIO", 2003); within a round the next is near the one
 * before (Morton, 1966).
 */
#include "hull_order.h"

#include <string.h>

/* A word is the round, the side of the cube, the cell of it, the vertex. */
#define CELLS		MF_HULL_ORDER_CELLS
#define CELL_SHIFT	(MF_HULL_ROUND_SHIFT - 3)
#define ROUNDS		8

/* Bits that are sorted by in one pass; the order has three times as many. */
#define DIGIT		9

/* Spreads the bits of a number, for every other one to be put between. */
static inline uint64_t
spread(uint64_t n)
{
	n = (n | n << 8) & 0x00ff00ff;
	n = (n | n << 4) & 0x0f0f0f0f;
	n = (n | n << 2) & 0x33333333;
	return (n | n << 1) & 0x55555555;
}

/* A vertex as a word of the order; see hull_order.h. */
uint64_t
mf_hull_order(uint32_t cell, uint32_t vertex, uint64_t seed)
{
	uint64_t	random = (vertex + seed) * 0x9e3779b97f4a7c15;
	uint64_t	round = ROUNDS - 1;

	random = (random ^ random >> 30) * 0xbf58476d1ce4e5b9;
	random ^= random >> 27;
	for (; round > 0 && (random & 3) == 0; round--)
		random >>= 2;
	return round << MF_HULL_ROUND_SHIFT |
		(uint64_t) (cell / (CELLS * CELLS)) << CELL_SHIFT |
		(spread(cell / CELLS % CELLS) << 1 | spread(cell % CELLS)) << 32 |
		vertex;
}

/*
 * Sorts words by what is above their lower half, nine bits in one pass; equal
 * ones stay in order.  There is room for as many behind them.
 */
void
mf_hull_sort(uint64_t *words, uint32_t count)
{
	uint64_t   *from = words;
	uint64_t   *to = words + count;

	for (int shift = 32; shift < MF_HULL_ROUND_SHIFT + 3; shift += DIGIT)
	{
		uint32_t	end[1 << DIGIT] = {0};
		uint32_t	sum = 0;
		uint64_t   *kept = from;

		for (uint32_t n = 0; n < count; n++)
			end[from[n] >> shift & ((1 << DIGIT) - 1)]++;
		for (int d = 0; d < 1 << DIGIT; d++)
		{
			const uint32_t own = end[d];

			end[d] = sum;
			sum += own;
		}
		for (uint32_t n = 0; n < count; n++)
			to[end[from[n] >> shift & ((1 << DIGIT) - 1)]++] = from[n];
		from = to;
		to = kept;
	}
	if (from != words)
		memcpy(words, from, count * sizeof(*words));
}
