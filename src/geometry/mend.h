/*
 * mend.h
 *		The steps of the repair that join what the file leaves open.
 *
 * They need the edges of the mesh as it is, change its corners or add
 * triangles, and leave its vertices alone.  repair.c calls them, and keeps
 * what they did only where the surface is the better for it.
 */
#ifndef MF_MEND_H
#define MF_MEND_H

#include "mesh.h"
#include "polygon.h"

/* Corners closer than this part of the box's diagonal are meant as one. */
#define MF_NEARLY		1e-6

/*
 * Takes looks from a step's own budget, else from that of the whole file;
 * false: both are spent.
 */
static inline bool
mf_take_looks(MfJob *job, uint64_t *own, uint64_t looks)
{
	if (looks <= *own)
		*own -= looks;
	else if (looks <= job->repair_looks)
		job->repair_looks -= looks;
	else
		return false;
	return true;
}

/* Says now and then that the work goes on; of that many items done. */
static inline void
mf_mend_progress(MfJob *job, uint64_t done)
{
	if (done % MF_PROGRESS_ITEMS == 0)
		mf_job_progress(job, MF_STAGE_TOPOLOGY, 1, 1);
}

/* The length that is, for this mesh. */
extern double mf_mesh_diagonal(const MfMesh *mesh);

/* ---- cracks.c ---- */

typedef struct MfCracks
{
	uint32_t	joined;			/* vertices that others have taken over */
	uint32_t	first;			/* the first of them */
} MfCracks;

extern bool mf_cracks_close(MfJob *job, MfMesh *mesh, const MfEdges *edges,
							MfCracks *cracks);

/* ---- loops.c ---- */

/* An edge of one triangle only, in the triangle's direction. */
typedef struct MfRim
{
	uint32_t	vertex[2];
	uint32_t	triangle;
} MfRim;

/* A step along a closed chain: from a vertex on along an edge. */
typedef struct MfStep
{
	uint32_t	vertex;
	uint32_t	rim;
} MfStep;

/* A closed chain of such edges; it meets each of its vertices once. */
typedef struct MfLoop
{
	uint32_t	first;			/* step */
	uint32_t	count;			/* 3 or more */
} MfLoop;

typedef struct MfLoops
{
	uint32_t	rim_count;
	MfRim	   *rim;
	uint32_t	step_room;
	MfStep	   *step;			/* of one loop after the other */
	uint32_t	loop_count;
	uint32_t	loop_room;
	MfLoop	   *loop;
} MfLoops;

extern bool mf_loops_find(MfJob *job, const MfMesh *mesh,
						  const MfEdges *edges, MfLoops *loops);
extern void mf_loops_free(MfJob *job, MfLoops *loops);
extern double mf_slit_width(const MfMesh *mesh);

/* ---- patch.c ---- */

/* A polygon over vertices of the mesh, and the triangles it is split into. */
typedef struct MfPatch
{
	uint32_t	count;			/* the caller fills in both */
	uint32_t   *vertex;
	double		(*at)[3];
	uint32_t	(*triangle)[3]; /* count - 2 */
	uint32_t	room;
	MfPolygon	polygon;
} MfPatch;

extern void mf_patch_begin(const MfJob *job, MfPatch *patch);
extern bool mf_patch_reserve(MfJob *job, MfPatch *patch, uint32_t room);
extern bool mf_patch_split(const MfMesh *mesh, MfPatch *patch);
extern void mf_patch_end(MfJob *job, MfPatch *patch);

/* ---- junctions.c ---- */

typedef struct MfJunctions
{
	uint32_t	split;			/* corners put on edges */
	uint32_t	first;			/* the first of these vertices */
} MfJunctions;

extern bool mf_junctions_split(MfJob *job, MfMesh *mesh, const MfLoops *loops,
							   MfJunctions *junctions);

/* ---- holes.c ---- */

typedef struct MfHoles
{
	uint32_t	count;
	bool		filled;			/* all of them; else none */
	double		at[3];			/* the middle of the longest one's rim */
} MfHoles;

extern bool mf_holes_fill(MfJob *job, MfMesh *mesh, const uint8_t *mark,
						  const MfLoops *loops, MfHoles *holes);

/* ---- touching.c ---- */

typedef struct MfTouching
{
	uint32_t	count;			/* vertices where surfaces meet in a point */
	uint32_t	first;			/* one of them */
} MfTouching;

extern bool mf_touching_find(MfJob *job, const MfMesh *mesh, bool sound,
							 MfTouching *touching);

#endif							/* MF_MEND_H */
