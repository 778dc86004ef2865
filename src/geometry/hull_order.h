/*
 * hull_order.h
 *		Directions by cells, and the order in which points are inserted into a
 *		hull.
 */
#ifndef MF_HULL_ORDER_H
#define MF_HULL_ORDER_H

#include <math.h>
#include <stdint.h>

/* Cells along an edge of the cube of directions that points are ordered by. */
#define MF_HULL_ORDER_CELLS	1024

/* Words that differ above this bit are of different rounds of insertion. */
#define MF_HULL_ROUND_SHIFT	(32 + 20 + 3)

/* The cell that a direction is in, and the largest coordinate. */
static inline uint32_t
mf_hull_cell(const double at[3], int cells, double *distance)
{
	const double size[3] = {fabs(at[0]), fabs(at[1]), fabs(at[2])};
	int			axis = size[1] > size[0] ? 1 : 0;
	int			cell[2];

	axis = size[2] > size[axis] ? 2 : axis;
	*distance = size[axis];
	if (!(size[axis] > 0))
		return 0;
	for (int i = 0; i < 2; i++)
	{
		const double part = at[(axis + 1 + i) % 3] / size[axis];

		cell[i] = (int) ((part + 1) * (cells / 2.0));
		cell[i] = cell[i] < cells ? cell[i] : cells - 1;
	}
	return ((axis * 2 + (at[axis] < 0)) * cells + cell[0]) * cells + cell[1];
}

/* A vertex in that cell as a word of the order: its number is the low half. */
extern uint64_t mf_hull_order(uint32_t cell, uint32_t vertex, uint64_t seed);

/* Sorts such words; there is room for as many behind them. */
extern void mf_hull_sort(uint64_t *words, uint32_t count);

#endif							/* MF_HULL_ORDER_H */
