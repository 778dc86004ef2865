/*
 * obj.h
 *		What the two files of the OBJ reader share.
 *
 * A file is read in pieces, which end where lines do, so that several threads
 * can work: each piece by itself into memory of its own, then all of them,
 * in order, into the mesh.
 */
#ifndef MF_OBJ_H
#define MF_OBJ_H

#include "mesh.h"

/* A usual piece has so many bytes, and is longer only for a long line. */
#define MF_OBJ_PIECE_BYTES	(256 * 1024)

/*
 * Numbers of vertices from 0, before it is known how many there are.  Those
 * counted backwards are relative to the first vertex of the piece, and below
 * -MF_OBJ_BACKWARDS.
 */
#define MF_OBJ_BACKWARDS	(INT64_C(1) << 50)

typedef struct MfObjPiece
{
	const char *from;
	const char *to;				/* the next piece, or the end of the file */

	/* Room for what is found. */
	double		(*vertex)[3];
	int64_t    *corner;
	uint32_t   *face;			/* how many corners each has */
	uint32_t	vertex_room;
	uint32_t	corner_room;
	uint32_t	face_room;

	/* What is found. */
	bool		failed;			/* something is to be refused */
	const char *stopped;		/* `to`, or a statement without room */
	uint32_t	vertices;
	uint32_t	corners;
	uint32_t	faces;
	uint32_t	polygons;		/* faces of more than three corners */
	uint64_t	triangles;
	int64_t		highest;		/* number of a vertex; -1: none */
} MfObjPiece;

/* What a piece is checked against when it is known what to refuse. */
typedef struct MfObjCheck
{
	MfJob	   *job;
	uint64_t	before;			/* vertices before the piece */
	uint64_t	all;			/* vertices; UINT64_MAX: not known */
} MfObjCheck;

/*
 * Reads a piece.  Without a check, nothing is refused: `failed` says that
 * there is something.  With one, false: refused.
 */
extern bool mf_obj_read_piece(MfObjPiece *piece, const MfObjCheck *check);

/* Does the text go on in the next line, behind the line end at `p`? */
extern bool mf_obj_goes_on(const char *from, const char *p);

#endif							/* MF_OBJ_H */
