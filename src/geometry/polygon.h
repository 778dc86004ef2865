/*
 * polygon.h
 *		Polygons of a file, on their way to triangles.
 */
#ifndef MF_POLYGON_H
#define MF_POLYGON_H

#include "mesh.h"

/* A polygon of more corners is refused. */
#define MF_MAX_POLYGON_CORNERS	100000

typedef struct MfPolygonCorner
{
	uint32_t	vertex;			/* all that a reader fills in */
	uint32_t	previous;		/* neighbours of those that are left */
	uint32_t	next;
	uint32_t	beyond;			/* next hollow one in the cell */
	bool		hollow;			/* does not stick out */
	double		at[2];			/* in the polygon's plane */
} MfPolygonCorner;

/* One polygon at a time; its memory is used for the next. */
typedef struct MfPolygon
{
	uint32_t	count;
	uint32_t	room;
	MfPolygonCorner *corner;
	uint32_t   *cell;			/* first hollow corner of each part of the
								 * plane */
	uint64_t	looks_left;		/* for all polygons of the file */
} MfPolygon;

extern void mf_polygon_begin(MfPolygon *polygon);
extern bool mf_polygon_reserve(MfJob *job, MfPolygon *polygon, uint32_t room);
extern bool mf_polygon_split(MfPolygon *polygon, const double (*vertex)[3],
							 uint32_t (*triangle)[3]);
extern bool mf_polygon_add(MfJob *job, MfMesh *mesh, MfPolygon *polygon);
extern bool mf_polygon_put(MfJob *job, MfMesh *mesh, MfPolygon *polygon,
						   uint32_t triangle);
extern void mf_polygon_end(MfJob *job, MfPolygon *polygon);

#endif							/* MF_POLYGON_H */
