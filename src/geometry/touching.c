/*
 * touching.c
 *		Vertices in which surfaces meet that have no edge there in common.
 *
 * The triangles at a vertex hang together by the edges that end in it, and
 * make one fan, or more.  Corners of triangles are joined along every edge,
 * at both its ends; what is left apart are the fans.
 */
#include <string.h>

#include "mend.h"

/* Root of a corner's tree; halves the path on the way. */
static inline uint32_t
find(uint32_t *parent, uint32_t corner)
{
	while (parent[corner] != corner)
	{
		parent[corner] = parent[parent[corner]];
		corner = parent[corner];
	}
	return corner;
}

/* The corner of a triangle that is at this vertex. */
static inline uint32_t
corner_at(const MfMesh *mesh, uint32_t t, uint32_t vertex)
{
	const uint32_t *c = mesh->corners[t];

	return 3 * t + (c[0] == vertex ? 0 : c[1] == vertex ? 1 : 2);
}

/* Joins the corners of two triangles at a vertex. */
static inline void
unite(const MfMesh *mesh, uint32_t *parent, uint32_t t, uint32_t other,
	  uint32_t vertex)
{
	const uint32_t a = find(parent, corner_at(mesh, t, vertex));
	const uint32_t b = find(parent, corner_at(mesh, other, vertex));

	if (a < b)
		parent[b] = a;
	else
		parent[a] = b;
}

/* Joins the corners along all edges. */
static void
join_corners(const MfMesh *mesh, const MfEdges *edges, uint32_t *parent)
{
	uint32_t	from = 0;

	for (uint32_t v = 0; v < edges->vertex_count; v++)
		for (; from < edges->end[v]; from++)
		{
			const uint64_t half = edges->half[from];
			uint64_t	next;

			if (from + 1 == edges->end[v])
				continue;
			next = edges->half[from + 1];
			if (MF_HALF_VERTEX(half) != MF_HALF_VERTEX(next))
				continue;
			unite(mesh, parent, MF_HALF_TRIANGLE(half),
				  MF_HALF_TRIANGLE(next), v);
			unite(mesh, parent, MF_HALF_TRIANGLE(half),
				  MF_HALF_TRIANGLE(next), MF_HALF_VERTEX(half));
		}
}

/*
 * Finds the vertices with more than one fan.  False: refused.
 */
bool
mf_touching_find(MfJob *job, const MfMesh *mesh, const MfEdges *edges,
				 MfTouching *touching)
{
	const uint64_t corners = 3 * (uint64_t) mesh->triangle_count;
	const uint64_t bytes = mesh->vertex_count / 8 + 1;
	uint32_t   *parent = mf_memory_alloc(&job->memory, 4 * corners);
	uint8_t    *seen = mf_memory_alloc(&job->memory, bytes);
	uint8_t    *more = mf_memory_alloc(&job->memory, bytes);
	const bool	good = parent != NULL && seen != NULL && more != NULL;

	memset(touching, 0, sizeof(*touching));
	for (uint64_t c = 0; good && c < corners; c++)
		parent[c] = (uint32_t) c;
	if (good)
		join_corners(mesh, edges, parent);
	for (uint64_t c = 0; good && c < corners; c++)
	{
		const uint32_t *corner = mesh->corners[c / 3];
		const uint32_t v = corner[c % 3];
		const uint8_t bit = (uint8_t) (1 << v % 8);

		if (parent[c] != c || mf_mesh_degenerate(corner))
			continue;
		if ((seen[v / 8] & bit) == 0)
			seen[v / 8] |= bit;
		else if ((more[v / 8] & bit) == 0)
		{
			more[v / 8] |= bit;
			if (touching->count++ == 0 || v < touching->first)
				touching->first = v;
		}
	}
	mf_memory_free(&job->memory, parent, 4 * corners);
	mf_memory_free(&job->memory, seen, bytes);
	mf_memory_free(&job->memory, more, bytes);
	return good || mf_job_out_of_memory(job);
}
