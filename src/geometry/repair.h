/*
 * repair.h
 *		The surface as the file has it, and as it is measured.
 */
#ifndef MF_REPAIR_H
#define MF_REPAIR_H

#include "mend.h"

/*
 * Triangles that a defect names are kept by their corners, because a repair
 * renumbers the triangles, but never the vertices.
 */
typedef struct MfSurface
{
	int64_t		triangles;		/* in the file */
	MfTopology	found;			/* of the file; its shell[] is given back */
	MfTopology	now;			/* after the repair */
	MfEdges		edges;			/* only while working */
	bool		closed;			/* encloses a volume, after the repair */
	uint8_t    *mark;			/* of each triangle; NULL: nothing to repair */
	uint64_t	mark_room;
	MfCracks	cracks;
	MfJunctions junctions;
	MfHoles		holes;			/* once cracks and slits are closed */
	MfTouching	touching;
	uint64_t	duplicates;		/* triangles beyond the first of their kind */
	bool		duplicates_dropped;
	uint64_t	dust_lines;		/* triangles without area that were left out */
	uint64_t	turned;			/* triangles turned to face like the rest */
	uint32_t	degenerate_first[3];
	uint32_t	duplicate_first[3];
	uint32_t	dust_first[3];
	uint32_t	turned_first[3];
} MfSurface;

extern bool mf_surface_find(MfJob *job, MfMesh *mesh, MfSurface *surface);
extern void mf_surface_free(MfJob *job, MfSurface *surface);

#endif							/* MF_REPAIR_H */
