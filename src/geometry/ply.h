/*
 * ply.h
 *		What the files of the PLY reader share (Turk, "The PLY polygon file
 *		format", 1994).
 *
 * A header in text declares elements, each with a count and properties; the
 * body has a row for each, in text or in binary numbers of either byte order.
 * A property is one number, or a list: a count, then so many numbers.
 */
#ifndef MF_PLY_H
#define MF_PLY_H

#include "polygon.h"

/* A header of more bytes, elements or properties is refused. */
#define MF_PLY_MAX_HEADER		1048576
#define MF_PLY_MAX_ELEMENTS		64
#define MF_PLY_MAX_PROPERTIES	512

typedef enum MfPlyEncoding
{
	MF_PLY_NO_ENCODING = 0,
	MF_PLY_ASCII,
	MF_PLY_LITTLE_ENDIAN,
	MF_PLY_BIG_ENDIAN
} MfPlyEncoding;

typedef enum MfPlyType
{
	MF_PLY_NO_TYPE = 0,
	MF_PLY_INT8,
	MF_PLY_UINT8,
	MF_PLY_INT16,
	MF_PLY_UINT16,
	MF_PLY_INT32,
	MF_PLY_UINT32,
	MF_PLY_INT64,
	MF_PLY_UINT64,
	MF_PLY_FLOAT32,
	MF_PLY_FLOAT64
} MfPlyType;

/* What a property is for; the first three are also a coordinate's number. */
typedef enum MfPlyRole
{
	MF_PLY_X = 0,
	MF_PLY_Y,
	MF_PLY_Z,
	MF_PLY_CORNERS,				/* numbers of vertices, from 0 */
	MF_PLY_NOTHING				/* for the shape */
} MfPlyRole;

typedef enum MfPlyKind
{
	MF_PLY_OTHER = 0,
	MF_PLY_VERTICES,
	MF_PLY_FACES,
	MF_PLY_STRIPS				/* of triangles, -1 between them */
} MfPlyKind;

typedef struct MfPlyProperty
{
	MfPlyRole	role;
	MfPlyType	type;
	MfPlyType	count_type;		/* of a list; else MF_PLY_NO_TYPE */
} MfPlyProperty;

typedef struct MfPlyElement
{
	MfPlyKind	kind;
	const char *name;			/* in the file */
	size_t		name_length;
	uint64_t	count;
	uint32_t	first;			/* property */
	uint32_t	properties;
	bool		lists;			/* has some */
	uint64_t	least_bytes;	/* that a row takes */
	const uint8_t *rows;		/* where they begin; found by the reader */
} MfPlyElement;

typedef struct MfPly
{
	MfJob	   *job;
	MfMesh	   *mesh;
	MfPlyEncoding encoding;
	uint32_t	element_count;
	uint32_t	property_count;
	uint64_t	vertices;		/* of the file */
	const uint8_t *at;			/* what comes next */
	const uint8_t *end;
	MfPolygon	polygon;		/* the face that is being read */
	uint64_t	strip_length;	/* corners of the strip so far */
	uint32_t	strip[2];		/* the last two */
	MfPlyElement element[MF_PLY_MAX_ELEMENTS];
	MfPlyProperty property[MF_PLY_MAX_PROPERTIES];
} MfPly;

/* Bytes that a number of this type takes in a binary file. */
static inline uint32_t
mf_ply_type_size(MfPlyType type)
{
	static const uint8_t sizes[] = {0, 1, 1, 2, 2, 4, 4, 8, 8, 4, 8};

	return sizes[type];
}

/* Reads the header, up to the first row; false: refused. */
extern bool mf_ply_read_header(MfPly *ply);

/*
 * Reads the rows of an element of vertices, or of faces or strips whose
 * vertices have been read; or passes by the rows of any.  False: refused.
 */
extern bool mf_ply_read_ascii(MfPly *ply, const MfPlyElement *element,
							  bool pass_by);
extern bool mf_ply_read_binary(MfPly *ply, const MfPlyElement *element,
							   bool pass_by);

/*
 * Refuses row `row` of an element, counted from 0, where the file ends early;
 * false.
 */
extern bool mf_ply_refuse_end(MfPly *ply, const MfPlyElement *element,
							  uint64_t row);

/* Adds the next corner of a strip; -1 ends it.  False: refused. */
extern bool mf_ply_add_strip_corner(MfPly *ply, int64_t corner, uint64_t row);

/* Refuses the number of a vertex in this row; false. */
extern bool mf_ply_refuse_corner(MfPly *ply, int64_t corner, uint64_t row);

/* Refuses the number of corners of a face; false. */
extern bool mf_ply_refuse_count(MfPly *ply, uint64_t count, uint64_t row);

#endif							/* MF_PLY_H */
