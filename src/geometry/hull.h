/*
 * hull.h
 *		The convex hull of the vertices of a mesh.
 */
#ifndef MF_HULL_H
#define MF_HULL_H

#include "mesh.h"

typedef struct MfHull
{
	double		volume;			/* 0: flat; NaN: it would take too long */
	uint32_t	count;			/* corners; none where it is not known */
	uint32_t	room;
	double		(*at)[3];		/* in the mesh's unit */
	uint64_t	looks;			/* of points at faces that it took */
} MfHull;

/*
 * Finds the hull; triangles are not looked at.  The volume is less than the
 * true one by 1e-6 of it at the most, and as near for a model with more than
 * a million points at the hull, or than there is memory for, as those in each
 * of as many directions make it.  False: refused; freed in any case.
 */
extern bool mf_hull_find(MfJob *job, const MfMesh *mesh, MfHull *hull);

/*
 * The same in two steps: what takes long and cannot be divided is done aside
 * (see pool.h) until the end; the mesh stays as it is till then.  False:
 * refused, and there is nothing to end.  A NULL hull: it is not wanted.
 */
typedef struct MfHullSearch MfHullSearch;

extern bool mf_hull_begin(MfJob *job, const MfMesh *mesh,
						  MfHullSearch **search);
extern bool mf_hull_end(MfJob *job, MfHullSearch *search, MfHull *hull);

extern void mf_hull_free(MfJob *job, MfHull *hull);

/*
 * The smallest box around points that stands on an axis, turned about it:
 * two turned sides, the longer first, then the height.  False: refused.
 */
extern bool mf_box_find(MfJob *job, const double (*at)[3], uint32_t count,
						double sides[3]);

#endif							/* MF_HULL_H */
