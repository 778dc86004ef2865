/*
 * rank.h
 *		Numbers for the members of a set of 32-bit items: how many are before.
 *
 * Two bits for each item: that fits a cache where a table of numbers would
 * not.
 */
#ifndef MF_RANK_H
#define MF_RANK_H

#include <stdint.h>

/* Which of 32 items are members, and how many are before them. */
typedef struct MfRank
{
	uint32_t	bits;
	uint32_t	before;
} MfRank;

/* Set bits of a word (Warren, "Hacker's Delight", 5-1). */
static inline uint32_t
mf_rank_count(uint32_t x)
{
	x -= x >> 1 & 0x55555555;
	x = (x & 0x33333333) + (x >> 2 & 0x33333333);
	x = (x + (x >> 4)) & 0x0f0f0f0f;
	return x * 0x01010101 >> 24;
}

/* The number of a member. */
static inline uint32_t
mf_rank_number(const MfRank *rank, uint32_t item)
{
	return rank[item / 32].before +
		mf_rank_count(rank[item / 32].bits &
					  ((UINT32_C(1) << item % 32) - 1));
}

#endif							/* MF_RANK_H */
