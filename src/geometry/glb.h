/*
 * glb.h
 *		What the files of the GLB reader share (Khronos, "glTF 2.0
 *		Specification").
 *
 * The JSON names lists of things that refer to each other by number: nodes
 * have meshes, meshes have primitives, primitives have accessors, which are
 * columns of numbers in views of buffers.  Each is read from the JSON once.
 */
#ifndef MF_GLB_H
#define MF_GLB_H

#include "json.h"
#include "scene.h"

/* More nodes, meshes, accessors or views than this are refused. */
#define MF_GLB_MAX_ITEMS	262144

/* No number of a thing. */
#define MF_GLB_NONE			UINT32_MAX

/* Types of numbers, as the format counts them. */
typedef enum MfGlbType
{
	MF_GLB_INT8 = 5120,
	MF_GLB_UINT8 = 5121,
	MF_GLB_INT16 = 5122,
	MF_GLB_UINT16 = 5123,
	MF_GLB_UINT32 = 5125,
	MF_GLB_FLOAT32 = 5126
} MfGlbType;

typedef struct MfGlbBuffer
{
	uint32_t	json;
	const uint8_t *at;			/* NULL: not opened yet */
	uint64_t	size;
	uint8_t    *own;			/* decoded from a data URI */
	uint64_t	own_bytes;
} MfGlbBuffer;

typedef struct MfGlbView
{
	uint32_t	buffer;
	bool		packed;			/* by EXT_meshopt_compression */
	uint64_t	offset;
	uint64_t	length;
	uint64_t	stride;			/* 0: none */
} MfGlbView;

typedef struct MfGlbAccessor
{
	uint32_t	view;			/* MF_GLB_NONE: zeros */
	uint32_t	type;			/* an MfGlbType, or whatever the file says */
	uint32_t	numbers;		/* 1: SCALAR, 3: VEC3, 4: VEC4, 0: other */
	bool		normalized;
	uint64_t	offset;
	uint64_t	count;
	uint64_t	replaced;		/* sparse: so many elements are elsewhere */
	uint32_t	which_view;		/* their numbers */
	uint32_t	which_type;
	uint64_t	which_offset;
	uint32_t	with_view;		/* their values */
	uint64_t	with_offset;
} MfGlbAccessor;

/* An accessor whose bytes have been found to be there. */
typedef struct MfGlbColumn
{
	MfGlbType	type;
	uint32_t	numbers;
	bool		normalized;
	uint64_t	count;
	const uint8_t *at;			/* NULL: zeros */
	uint64_t	stride;
	uint64_t	replaced;
	const uint8_t *which;
	MfGlbType	which_type;
	uint64_t	which_stride;
	const uint8_t *with;
	uint64_t	with_stride;
} MfGlbColumn;

/* Members of a list in the JSON, by number. */
typedef struct MfGlbList
{
	uint32_t	count;
	uint32_t   *item;			/* values of the JSON */
} MfGlbList;

typedef struct MfGlb
{
	MfJob	   *job;
	MfScene    *scene;
	MfJson		json;
	const uint8_t *binary;		/* the BIN chunk; NULL: none */
	uint64_t	binary_size;
	MfGlbList	buffers;
	MfGlbList	views;
	MfGlbList	accessors;
	MfGlbList	meshes;
	MfGlbList	nodes;
	MfGlbBuffer *buffer;
	MfGlbView  *view;
	MfGlbAccessor *accessor;
	uint32_t   *part;			/* of each mesh; see glb_mesh.c */
	uint64_t	looks_left;		/* at corners, replaced elements, instances */
	uint32_t   *map;			/* scratch: vertices of an accessor */
	uint64_t	map_room;
} MfGlb;

/* ---- glb.c ---- */

/* Refuses what the JSON says about a thing; false. */
extern bool mf_glb_refuse(MfGlb *glb, const char *list, uint32_t number,
						  const char *what);

/*
 * A member that is a whole number, `otherwise` where there is none.  False:
 * refused, because it is something else.
 */
extern bool mf_glb_integer(MfGlb *glb, uint32_t object, const char *name,
						   uint64_t otherwise, uint64_t *value);

/* The same for a number of a thing, MF_GLB_NONE where there is none. */
extern bool mf_glb_reference(MfGlb *glb, uint32_t object, const char *name,
							 const MfGlbList *list, uint32_t *number);

/*
 * Books looks at numbers of the file against its budget; false: refused,
 * because it is spent.
 */
extern bool mf_glb_spend(MfGlb *glb, uint64_t looks);

/* Reads a GLB file. */
extern bool mf_glb_read(MfJob *job, MfScene *scene);

/* ---- glb_data.c ---- */

/* Reads buffers, views and accessors from the JSON; false: refused. */
extern bool mf_glb_read_data(MfGlb *glb);
extern void mf_glb_free_data(MfGlb *glb);

/*
 * Finds an accessor's bytes, of so many numbers per element.  False: refused,
 * because they are not all there.
 */
extern bool mf_glb_open(MfGlb *glb, uint32_t accessor, uint32_t numbers,
						MfGlbColumn *column);

/* Element `i` of a column, which has it: one whole number, or reals. */
extern uint32_t mf_glb_load_index(const MfGlbColumn *column, uint64_t i);
extern void mf_glb_load_reals(const MfGlbColumn *column, uint64_t i,
							  double *to);

/* ---- glb_mesh.c ---- */

/*
 * The part that a mesh is, read at the first call; MF_GLB_NONE: it has no
 * triangles.  False: refused.
 */
extern bool mf_glb_find_part(MfGlb *glb, uint32_t mesh, uint32_t *part);

/* ---- glb_nodes.c ---- */

/* Puts the meshes of the scene's nodes where they are; false: refused. */
extern bool mf_glb_place_nodes(MfGlb *glb);

#endif							/* MF_GLB_H */
