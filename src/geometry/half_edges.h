/*
 * half_edges.h
 *		The half edges of a mesh, on their way to the edges.
 *
 * Each triangle that is not degenerate has three.  They go to buckets by
 * their lower vertex (partition.h): a bucket is a range of vertices whose
 * half edges fit a core's cache.  A half edge is 8 bytes there: the chunk
 * that it comes from says the rest of its triangle's number, and the bucket
 * the rest of its lower vertex.
 *
 * Of a large mesh in a good order, a range of buckets takes its half edges
 * from few chunks.  Then one range after the other is there, in the same
 * room: memory that nobody has used yet is the dearest.
 */
#ifndef MF_HALF_EDGES_H
#define MF_HALF_EDGES_H

#include "partition.h"

/* The degenerate triangles of a chunk. */
typedef struct MfDegenerate
{
	uint32_t	count;
	uint32_t	first;
} MfDegenerate;

typedef struct MfHalfEdges
{
	const MfMesh *mesh;
	uint32_t   *shell;			/* of each triangle: set to its number */
	MfPartition partition;
	int			range_bits;		/* vertices of a bucket, a power of two */
	int			chunk_bits;		/* triangles of a chunk, a power of two */
	uint32_t	first;			/* bucket of those that are there */
	uint32_t	until;
	uint32_t	each;			/* buckets of a range */
	bool		counted;
	uint64_t   *base;			/* first half edge of each bucket, the end */
	uint64_t	base_bytes;
	MfDegenerate *degenerate;	/* of each chunk */
	uint64_t	degenerate_bytes;
} MfHalfEdges;

extern bool mf_half_edges_begin(MfJob *job, MfHalfEdges *halves,
								const MfMesh *mesh, uint32_t *shell);
extern bool mf_half_edges_next(MfJob *job, MfHalfEdges *halves);
extern void mf_half_edges_rewind(MfJob *job, MfHalfEdges *halves);
extern void mf_half_edges_group(const MfHalfEdges *halves, uint32_t bucket,
								uint64_t *half, uint32_t *end,
								uint32_t begin);
extern void mf_half_edges_end(MfJob *job, MfHalfEdges *halves);

/* The end of a chunk of triangles. */
static inline uint32_t
mf_half_edges_chunk_end(const MfHalfEdges *halves, uint32_t chunk)
{
	const uint64_t end = (chunk + UINT64_C(1)) << halves->chunk_bits;

	return end < halves->mesh->triangle_count ? (uint32_t) end :
		halves->mesh->triangle_count;
}

/* How many vertices a bucket has. */
static inline uint32_t
mf_half_edges_vertices(const MfHalfEdges *halves, uint32_t bucket)
{
	const uint32_t left = halves->mesh->vertex_count -
	(bucket << halves->range_bits);
	const uint32_t most = UINT32_C(1) << halves->range_bits;

	return left < most ? left : most;
}

#endif							/* MF_HALF_EDGES_H */
