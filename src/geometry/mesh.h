/*
 * mesh.h
 *		What the parts of the geometry library share.
 *
 * README.md beside this file says which file does what.
 *
 * No globals, no files: everything works on an MfJob.
 */
#ifndef MF_MESH_H
#define MF_MESH_H

#include "geometry.h"

/* Vertex and edge numbers are 32 bits wide, three per triangle. */
#define MF_MAX_TRIANGLES_EVER	UINT64_C(1000000000)

/* A coordinate farther out than this, in mm, is no part: 10 km. */
#define MF_MAX_COORDINATE_MM	1e7

/* Looks that all repairs of a file together may take; MfJob.repair_looks. */
#define MF_REPAIR_LOOKS			(UINT64_C(1) << 22)

/* Items between two looks at the progress. */
#define MF_PROGRESS_ITEMS	65536

/* ---- memory.c ---- */

/* What the library has allocated, against what it may. */
typedef struct MfMemory
{
	uint64_t	limit;			/* 0: none */
	uint64_t	used;
	uint64_t	peak;			/* the spare block included */
	void	   *spare;			/* given back, but not to the kernel yet */
	uint64_t	spare_bytes;
} MfMemory;

extern void *mf_memory_alloc(MfMemory *memory, uint64_t bytes);
extern void *mf_memory_take(MfMemory *memory, uint64_t bytes);
extern void *mf_memory_grow(MfMemory *memory, void *old, uint64_t old_bytes,
							uint64_t new_bytes);
extern void mf_memory_free(MfMemory *memory, void *block, uint64_t bytes);
extern void mf_memory_end(MfMemory *memory);

/*
 * The next array of a block that holds several, and what they take so far;
 * without a block only that.
 */
static inline void *
mf_memory_carve(void *block, uint64_t *taken, uint64_t bytes)
{
	void	   *array = block != NULL ? (char *) block + *taken : NULL;

	*taken += (bytes + 63) & ~UINT64_C(63);
	return array;
}

/* ---- job.c ---- */

/* One call of mf_geometry_measure. */
typedef struct MfJob
{
	const uint8_t *bytes;
	size_t		size;
	uint64_t	max_triangles;
	double		unit_in_mm;
	const char *unit_name;
	bool		basic;			/* no more than size, volume, area, bodies,
								 * and defects */
	MfMemory	memory;
	MfPool	   *pool;			/* may be NULL: no threads but the caller's */
	MfRefusal  *refusal;
	MfProgressCallback progress;	/* may be NULL */
	void	   *progress_arg;
	int			last_percent;
	double		share_from;		/* what this part is of all, for the progress */
	double		share;
	uint64_t	repair_looks;	/* that the repair may take in all, beside
								 * those that each edge brings along */
	uint64_t	trailing_bytes; /* found by the reader */
	uint64_t	crossed_polygons;	/* that could not be split well; too */
	double		crossed_at[3];	/* a corner of the first, in the file's unit */
	uint64_t	left_out;		/* objects that are no model; too */
	uint64_t	extension_count;	/* of the format, not read; too */
	char		extensions[MF_MAX_EXTENSIONS + 1];	/* their names */
} MfJob;

extern void mf_job_progress(MfJob *job, MfStage stage, uint64_t done,
							uint64_t total);
extern void mf_job_run(MfJob *job, MfStage stage, double from, double until,
					   uint32_t tasks, MfTask work, void *arg);
extern bool mf_job_out_of_memory(MfJob *job);
extern bool mf_job_too_many(MfJob *job, uint64_t triangles);
extern bool mf_job_check_memory(MfJob *job, uint64_t bytes);
extern void mf_job_note_extension(MfJob *job, const char *name,
								  size_t length);

/* ---- mesh.c ---- */

/*
 * Triangles over shared vertices.  Coordinates are kept as the file has
 * them: 4-byte floats where the format is binary, doubles where it is text.
 * They are in the file's unit; only results are scaled.
 */
typedef struct MfMesh
{
	uint32_t	triangle_count;
	uint32_t	triangle_room;
	uint32_t	vertex_count;
	uint32_t	vertex_room;
	bool		wide;			/* doubles? */
	uint32_t	(*corners)[3];	/* vertex numbers of each triangle */
	float		(*narrow_at)[3];	/* one of these two is NULL */
	double		(*wide_at)[3];
	double		low[3];			/* bounding box of the vertices */
	double		high[3];
	const uint8_t *facets;		/* where a mesh in no order was read from:
								 * nine floats for each triangle; else NULL */
	size_t		facet_stride;
} MfMesh;

extern bool mf_mesh_reserve_triangles(MfJob *job, MfMesh *mesh, uint64_t room);
extern bool mf_mesh_reserve_vertices(MfJob *job, MfMesh *mesh, uint64_t room);
extern bool mf_mesh_bound(MfJob *job, MfMesh *mesh);
extern void mf_mesh_free(MfJob *job, MfMesh *mesh);

/* The place of one vertex, in the file's unit. */
static inline void
mf_mesh_place(const MfMesh *mesh, uint32_t vertex, double at[3])
{
	if (mesh->wide)
		for (int i = 0; i < 3; i++)
			at[i] = mesh->wide_at[vertex][i];
	else
		for (int i = 0; i < 3; i++)
			at[i] = (double) mesh->narrow_at[vertex][i];
}

/* The corners of one triangle, in the file's unit. */
static inline void
mf_mesh_triangle(const MfMesh *mesh, uint32_t t, double at[3][3])
{
	for (int i = 0; i < 3; i++)
		mf_mesh_place(mesh, mesh->corners[t][i], at[i]);
}

/* Triangles ahead whose corners are asked from memory in a walk over all. */
#define MF_MESH_AHEAD	12

/* Asks for the corners of a triangle that will soon be looked at. */
static inline void
mf_mesh_expect(const MfMesh *mesh, uint32_t t)
{
	for (int i = 0; i < 3; i++)
		if (mesh->wide)
			__builtin_prefetch(&mesh->wide_at[mesh->corners[t][i]]);
		else
			__builtin_prefetch(&mesh->narrow_at[mesh->corners[t][i]]);
}

/* Is a corner of this triangle used twice? */
static inline bool
mf_mesh_degenerate(const uint32_t corner[3])
{
	return corner[0] == corner[1] || corner[1] == corner[2] ||
		corner[2] == corner[0];
}

/* ---- detect.c ---- */

typedef enum MfEncoding
{
	MF_ENCODING_NONE = 0,		/* refused, the job says why */
	MF_ENCODING_STL_BINARY,
	MF_ENCODING_STL_ASCII,
	MF_ENCODING_OBJ,
	MF_ENCODING_PLY,
	MF_ENCODING_GLB,
	MF_ENCODING_3MF,
	MF_ENCODING_UTF16			/* some text */
} MfEncoding;

extern MfEncoding mf_detect_encoding(MfJob *job);

/* ---- readers ---- */

extern bool mf_stl_read_binary(MfJob *job, MfMesh *mesh);
extern bool mf_stl_read_ascii(MfJob *job, MfMesh *mesh);
extern bool mf_obj_read(MfJob *job, MfMesh *mesh);
extern bool mf_ply_read(MfJob *job, MfMesh *mesh);

/* ---- number.c ---- */

typedef enum MfNumberResult
{
	MF_NUMBER_OK = 0,
	MF_NUMBER_MALFORMED,
	MF_NUMBER_NON_FINITE,		/* nan, inf, or too large for a double */
	MF_NUMBER_COMMA				/* a decimal comma */
} MfNumberResult;

/* The longest number that is read, in bytes. */
#define MF_MAX_NUMBER_LENGTH	64

extern MfNumberResult mf_number_parse(const char *text, size_t length,
									  double *value);

/*
 * Reads the number that a text begins with; where it ends, or NULL where
 * there is none, or none that is finite.
 */
extern const char *mf_number_read(const char *text, const char *end,
								  double *value);

/* ---- weld.c ---- */

/* The hash table that finds a vertex by its coordinates, which are doubles. */
typedef struct MfWeld
{
	MfJob	   *job;
	MfMesh	   *mesh;
	struct MfWeldSlot *slots;
	uint64_t	slot_count;
	uint64_t	seed[2];
} MfWeld;

extern bool mf_weld_begin(MfWeld *weld, MfJob *job, MfMesh *mesh,
						  uint64_t expected_triangles);
extern bool mf_weld_add_wide(MfWeld *weld, const uint8_t *first, size_t stride,
							 size_t count);
extern void mf_weld_end(MfWeld *weld);

/* ---- weld_bulk.c ---- */

extern bool mf_weld_triangles(MfJob *job, MfMesh *mesh, const uint8_t *first,
							  size_t stride, uint64_t count);
extern bool mf_weld_vertices(MfJob *job, MfMesh *mesh);

/* ---- edges.c ---- */

/* Label of a triangle that is part of no shell. */
#define MF_NO_SHELL		UINT32_MAX

/*
 * Half edges, grouped by their lower vertex and sorted by their higher one,
 * then by triangle: (higher vertex << 32) | (triangle << 1) | downward,
 * where downward says that the triangle runs from higher to lower.
 */
typedef struct MfEdges
{
	uint64_t	half_count;
	uint64_t	half_room;
	uint64_t   *half;
	uint32_t	vertex_count;
	uint32_t   *end;			/* of each lower vertex's group */
} MfEdges;

#define MF_HALF_VERTEX(half)	((uint32_t) ((half) >> 32))
#define MF_HALF_TRIANGLE(half)	((uint32_t) (half) >> 1)
#define MF_HALF_DOWNWARD(half)	((uint32_t) (half) & 1)

/* What the edges say about the surface. */
typedef struct MfTopology
{
	uint32_t	degenerate;		/* triangles left out */
	uint32_t	degenerate_first;	/* one of them */
	uint32_t	used_vertices;	/* by the others */
	uint64_t	edges;
	uint64_t	boundary;		/* edges of one triangle */
	uint64_t	non_manifold;	/* of more than two */
	uint64_t	flipped;		/* of two in the same direction */
	uint64_t	unbalanced;		/* of more in one direction than the other */
	uint32_t	boundary_edge[2];	/* one of each, by its vertices */
	uint32_t	non_manifold_edge[2];
	uint32_t	flipped_edge[2];
	uint32_t	shell_count;	/* joined by shared edges */
	uint32_t   *shell;			/* of each triangle, in order of appearance */
	uint32_t	shell_room;
	bool		pairs;			/* has a shell of two triangles */
} MfTopology;

extern bool mf_edges_match(MfJob *job, const MfMesh *mesh, MfEdges *edges,
						   MfTopology *topology);
extern void mf_edges_free(MfJob *job, MfEdges *edges);
extern void mf_topology_free(MfJob *job, MfTopology *topology);

/* ---- duplicates.c ---- */

/* What a repair does to a triangle; one byte for each. */
#define MF_MARK_DROPPED	1		/* left out */
#define MF_MARK_TURNED	2		/* counted with its other side out */

typedef struct MfDuplicates
{
	uint64_t	count;			/* triangles beyond the first of their kind */
	uint32_t	first;			/* one of them */
	uint64_t	dropped;		/* marked so: the ones that count double */
} MfDuplicates;

extern bool mf_duplicates_find(MfJob *job, const MfMesh *mesh, uint8_t *mark,
							   MfDuplicates *duplicates);

/* ---- orient.c ---- */

typedef struct MfOrientation
{
	uint64_t	turned;			/* triangles marked so */
	uint32_t	first;			/* one of them */
	uint64_t	unbalanced;		/* edges still so with these turned */
} MfOrientation;

extern bool mf_orient_triangles(MfJob *job, const MfMesh *mesh,
								const MfEdges *edges, uint8_t *mark,
								MfOrientation *orientation);

/* ---- measure.c ---- */

/* A sum with what rounding took from it (Neumaier 1974). */
typedef struct MfSum
{
	double		sum;
	double		lost;
} MfSum;

/* One shell; only of a mesh whose every shell is closed. */
typedef struct MfShell
{
	MfSum		volume;			/* times 6; negative: faces inward */
	MfSum		moment[3];		/* times 24, about the box's centre */
} MfShell;

typedef struct MfSums
{
	double		area;
	uint64_t	zero_area;		/* triangles, the degenerate not counted */
	uint32_t	zero_area_first;
	uint32_t	shell_room;
	MfShell    *shell;			/* NULL: not asked for */
} MfSums;

extern void mf_sum_add(MfSum *sum, double term);
extern double mf_triangle_twice_area(const double at[3][3]);
extern bool mf_triangle_is_line(const MfMesh *mesh, uint32_t t);
extern bool mf_measure_sums(MfJob *job, const MfMesh *mesh,
							const uint32_t *shell, uint32_t shell_count,
							const uint8_t *mark, bool as_read, MfSums *sums);
extern void mf_sums_free(MfJob *job, MfSums *sums);

/* ---- nesting.c ---- */

/* What a shell is to the solid. */
typedef enum MfShellRole
{
	MF_SHELL_BODY = 0,			/* encloses material */
	MF_SHELL_CAVITY,			/* encloses a hollow in a body */
	MF_SHELL_REDUNDANT_BODY,	/* lies within material */
	MF_SHELL_REDUNDANT_CAVITY	/* lies in a hollow, or in doubled material */
} MfShellRole;

typedef struct MfNesting
{
	uint8_t    *role;			/* of each shell */
	bool	   *inverted;		/* the file has it inside out */
	uint32_t	shell_count;
	uint32_t	unknown;		/* shells that the budget did not reach */
} MfNesting;

extern bool mf_nesting_find(MfJob *job, const MfMesh *mesh,
							const uint32_t *shell, const uint8_t *mark,
							const MfSums *sums, uint32_t shell_count,
							MfNesting *nesting);
extern void mf_nesting_free(MfJob *job, MfNesting *nesting);

/* ---- sort.c ---- */

extern void mf_sort_words(uint64_t *words, size_t count);

#endif							/* MF_MESH_H */
