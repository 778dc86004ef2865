/*
 * polytope.h
 *		The convex hull of points on a grid, by exact arithmetic.
 */
#ifndef MF_POLYTOPE_H
#define MF_POLYTOPE_H

#include "mesh.h"

/* Coordinates given are at least 0 and less than this. */
#define MF_POLYTOPE_GRID	(INT32_C(1) << 26)

/* No face, no point. */
#define MF_POLYTOPE_NONE	UINT32_MAX

typedef struct MfPolytopePoint
{
	int32_t		at[3];
	uint32_t	face;			/* one that the point is above, or NONE */
	uint32_t	next;			/* another point of that face's */
} MfPolytopePoint;

/* A triangle of the hull; its normal (not of unit length) points out. */
typedef struct MfPolytopeFace
{
	double		normal[3];
	double		height;			/* normal . corner */
	uint32_t	corner[3];
	uint32_t	beside[3];		/* the face across corner[i], corner[i + 1] */
	float		error;			/* of normal . point, as computed */
	uint32_t	above;			/* first of its points */
} MfPolytopeFace;

typedef struct MfPolytope
{
	uint32_t	point_count;
	uint32_t	point_room;
	uint32_t	face_count;		/* in use, some of them free */
	uint32_t	face_room;
	uint32_t	free_count;
	int			rank;			/* first corners that span something: 4, or
								 * fewer where all is flat */
	uint32_t	corner[4];		/* these */
	int32_t		sum[3];			/* of their coordinates */
	MfPolytopePoint *point;		/* once built, about the middle of those: see
								 * mf_polytope_centre */
	MfPolytopeFace *face;		/* corner[0] is NONE: free */
	uint32_t   *stamp;			/* of each face: who saw it last */
	uint32_t   *free;			/* faces */
	uint32_t   *removed;		/* faces that the point of now sees */
	uint32_t   *pending;		/* its new faces, and what is to be looked at */
	uint32_t   *spoke;			/* of each point: the new face it begins */
	uint32_t	stamps;
	uint64_t	looks;			/* of a point at a face */
	uint64_t	max_looks;
	void	   *block;			/* all of the arrays */
	uint64_t	bytes;
} MfPolytope;

typedef enum MfPolytopeResult
{
	MF_POLYTOPE_SOLID = 0,
	MF_POLYTOPE_FLAT,			/* all points are in one plane, and as given */
	MF_POLYTOPE_UNKNOWN			/* it would take too long */
} MfPolytopeResult;

/* Room for so many points; keeps what is there.  False: refused. */
extern bool mf_polytope_reserve(MfJob *job, MfPolytope *polytope,
								uint32_t points);

/*
 * Builds the hull of the points, inserted in the order that they are in,
 * which should be a random one; for few.  Points that are outside by less than 2^-22
 * of their distance from the place within are left out, so the hull's volume
 * is less by 7.2e-7 of itself at the most.
 */
extern MfPolytopeResult mf_polytope_build(MfPolytope *polytope);

/*
 * Of a flat one: how far a point is off the plane, line or point that the
 * others are on; 0 only where it is on it.
 */
extern double mf_polytope_off(const MfPolytope *polytope,
							  const int32_t at[3]);

/*
 * Adds the points from `begin` on, that were put behind the others, and are
 * centred.  Fast where each is near the one before it, and where there are
 * not many more than there were: so a random half first, and so on.
 */
extern MfPolytopeResult mf_polytope_extend(MfPolytope *polytope,
										   uint32_t begin);

extern void mf_polytope_free(MfJob *job, MfPolytope *polytope);

/*
 * Puts a point of the grid into the coordinates of a hull that is built: four
 * times as large, about the middle of its first corners.
 */
static inline void
mf_polytope_centre(const MfPolytope *polytope, int32_t at[3])
{
	for (int k = 0; k < 3; k++)
		at[k] = at[k] * 4 - polytope->sum[k];
}

#endif							/* MF_POLYTOPE_H */
