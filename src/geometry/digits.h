/*
 * digits.h
 *		Eight decimal digits at once, in one word.
 */
#ifndef MF_DIGITS_H
#define MF_DIGITS_H

#include <stdint.h>
#include <string.h>

/* Eight bytes at once, the first of them lowest. */
static inline uint64_t
mf_digits_load(const char *p)
{
	uint64_t	word;

	memcpy(&word, p, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	return word;
}

/* How many of eight bytes, from the first on, are digits? */
static inline int
mf_digits_count(uint64_t word)
{
	/* The high half of a byte is 3, and stays so when 6 is added. */
	const uint64_t other = ((word & 0xf0f0f0f0f0f0f0f0) |
							((word + 0x0606060606060606) &
							 0xf0f0f0f0f0f0f0f0) >> 4) ^ 0x3333333333333333;

	return other == 0 ? 8 : __builtin_ctzll(other) / 8;
}

/*
 * The value of the first `count` bytes, which are digits: by pairs, by pairs
 * of these, and again.
 */
static inline uint64_t
mf_digits_value(uint64_t word, int count)
{
	if (count == 0)
		return 0;
	word = (word - 0x3030303030303030) << (64 - 8 * count);
	word = (word * 10) + (word >> 8);
	return (((word & 0x000000ff000000ff) * 0x000f424000000064) +
			((word >> 16 & 0x000000ff000000ff) * 0x0000271000000001)) >> 32;
}

#endif							/* MF_DIGITS_H */
