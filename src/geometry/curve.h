/*
 * curve.h
 *		The place of a point along a Hilbert curve through a cube.
 *
 * Hamilton and Rau-Chaplin, "Compact Hilbert indices", 2008, section 3, for
 * three dimensions, with their steps in a table of states: a state says
 * through which corner and along which axis the curve enters a cube.
 */
#ifndef MF_CURVE_H
#define MF_CURVE_H

#include <stdint.h>

/* Bits of each coordinate. */
#define MF_CURVE_BITS	11

typedef struct MfCurve
{
	uint8_t		place[24][8];	/* of an eighth along the curve */
	uint8_t		next[24][8];	/* the state in that eighth */
} MfCurve;

/* Turns three bits right. */
static inline uint32_t
turn_bits(uint32_t bits, uint32_t by)
{
	by %= 3;
	return (bits >> by | bits << (3 - by)) & 7;
}

static inline uint32_t
count_trailing_ones(uint32_t bits)
{
	uint32_t	count = 0;

	for (; (bits & 1) != 0; bits >>= 1)
		count++;
	return count;
}

/* Fills the table. */
static inline void
mf_curve_begin(MfCurve *curve)
{
	for (uint32_t state = 0; state < 24; state++)
		for (uint32_t eighth = 0; eighth < 8; eighth++)
		{
			const uint32_t enter = state & 7;
			const uint32_t axis = state >> 3;
			const uint32_t gray = turn_bits(eighth ^ enter, axis + 1);
			const uint32_t place = gray ^ gray >> 1 ^ gray >> 2;
			const uint32_t even = place == 0 ? 0 : (place - 1) / 2 * 2;
			const uint32_t into = even ^ even >> 1;
			const uint32_t towards = place == 0 ? 0 :
			count_trailing_ones(place % 2 == 0 ? place - 1 : place);
			const uint32_t next_enter = enter ^
			turn_bits(into, 3 - (axis + 1) % 3);
			const uint32_t next_axis = (axis + towards + 1) % 3;

			curve->place[state][eighth] = (uint8_t) place;
			curve->next[state][eighth] = (uint8_t) (next_axis << 3 |
													next_enter);
		}
}

/* The place of a cell along the curve, of 3 * MF_CURVE_BITS bits. */
static inline uint64_t
mf_curve_place(const MfCurve *curve, const uint32_t cell[3])
{
	uint64_t	place = 0;
	uint32_t	state = 0;

	for (int bit = MF_CURVE_BITS - 1; bit >= 0; bit--)
	{
		const uint32_t eighth = (cell[0] >> bit & 1) |
		(cell[1] >> bit & 1) << 1 | (cell[2] >> bit & 1) << 2;

		place = place << 3 | curve->place[state][eighth];
		state = curve->next[state][eighth];
	}
	return place;
}

#endif							/* MF_CURVE_H */
