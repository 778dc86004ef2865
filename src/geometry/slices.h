/*
 * slices.h
 *		A surface cut into MF_LAYERS layers of equal height: what each layer
 *		holds of it.
 *
 * slices.c adds single triangles; layers.c decides which, and makes the
 * measurement's layers of it.
 */
#ifndef MF_SLICES_H
#define MF_SLICES_H

#include "mesh.h"

/* What is summed up for each layer. */
typedef enum MfSliceSum
{
	MF_SLICE_VOLUME = 0,		/* right only for a closed surface */
	MF_SLICE_WALL,				/* area as seen from the side: A * sqrt(1 -
								 * nz^2) */
	MF_SLICE_UP,				/* area seen from above, of what faces up */
	MF_SLICE_DOWN
} MfSliceSum;
#define MF_SLICE_SUMS		4

/* Where the layers are: from low, `per_length` of them in a unit length. */
typedef struct MfSliceGrid
{
	double		low;
	double		per_length;
} MfSliceGrid;

/*
 * Sums by layer.  What a tall triangle gives to many layers is a polynomial
 * of the layer's number: its coefficients are added where it begins and taken
 * away where it ends.
 */
typedef struct MfSlices
{
	double		sum[MF_LAYERS][MF_SLICE_SUMS];
	double		bend[MF_LAYERS + 1][3][MF_SLICE_SUMS];
} MfSlices;

/*
 * Adds a triangle, `times` times.  It faces out of the material; x and y are
 * about any place that is the same for all triangles of a closed surface.
 * One that bounds nothing, within other material, has no part in the volume.
 */
extern void mf_slices_add(MfSlices *slices, const MfSliceGrid *grid,
						  const double at[3][3], double times,
						  bool bounds);

/* Adds one set of sums to another. */
extern void mf_slices_merge(MfSlices *into, const MfSlices *from);

/* Works the polynomials into sum[]. */
extern void mf_slices_finish(MfSlices *slices);

#endif							/* MF_SLICES_H */
