/*
 * crossing.h
 *		How a triangle winds around a vertical line, and where it meets it.
 *
 * The line's winding number around a closed surface is exact even where it
 * meets edges and vertices: what an edge contributes is computed from its
 * two vertices in an order of their own, so the two triangles at an edge
 * always agree, whatever rounding does.
 */
#ifndef MF_CROSSING_H
#define MF_CROSSING_H

#include "mesh.h"

/*
 * What the edge from vertex a to b contributes to the winding number around
 * (x, y), seen from above: +1 where it passes upwards in y to the right of
 * the point, -1 downwards, else 0 (Sunday, "Inclusion of a point in a
 * polygon", 2001).
 */
static inline int
edge_winding(uint32_t a, const double pa[3], uint32_t b, const double pb[3],
			 double x, double y)
{
	const double *p = a < b ? pa : pb;
	const double *q = a < b ? pb : pa;
	double		side;

	if ((pa[1] > y) == (pb[1] > y))
		return 0;
	side = (q[0] - p[0]) * (y - p[1]) - (x - p[0]) * (q[1] - p[1]);
	if (q[1] > p[1] ? side <= 0 : side >= 0)
		return 0;
	return pb[1] > pa[1] ? 1 : -1;
}

/* The winding number of a triangle around the vertical line at (x, y). */
static inline int
triangle_winding(const uint32_t corner[3], double at[3][3], double x,
				 double y)
{
	return edge_winding(corner[0], at[0], corner[1], at[1], x, y) +
		edge_winding(corner[1], at[1], corner[2], at[2], x, y) +
		edge_winding(corner[2], at[2], corner[0], at[0], x, y);
}

/* Does a triangle that the vertical line meets lie above the point? */
static inline bool
triangle_above(double at[3][3], const double point[3])
{
	double		u[3];
	double		v[3];
	double		nz;
	double		low = at[0][2];
	double		high = at[0][2];

	for (int i = 1; i < 3; i++)
	{
		low = at[i][2] < low ? at[i][2] : low;
		high = at[i][2] > high ? at[i][2] : high;
	}
	if (low > point[2] || high <= point[2])
		return low > point[2];

	for (int i = 0; i < 3; i++)
	{
		u[i] = at[1][i] - at[0][i];
		v[i] = at[2][i] - at[0][i];
	}
	nz = u[0] * v[1] - u[1] * v[0];
	if (nz == 0)
		return false;
	return at[0][2] - point[2] >
		((u[1] * v[2] - u[2] * v[1]) * (point[0] - at[0][0]) +
		 (u[2] * v[0] - u[0] * v[2]) * (point[1] - at[0][1])) / nz;
}

#endif							/* MF_CROSSING_H */
