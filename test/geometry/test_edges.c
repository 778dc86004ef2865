/*
 * test_edges.c
 *		The edges of a mesh that is large enough to be matched in ranges: a
 *		grid of quads with a triangle missing in its middle.
 */
#include <stdlib.h>
#include <string.h>

#include "../../src/geometry/mesh.h"
#include "tap.h"

/* Quads along a side: more than a million triangles in all. */
#define SIDE		740
#define VERTICES	((SIDE + 1) * (SIDE + 1))
#define TRIANGLES	(2 * SIDE * SIDE - 1)
#define MISSING		(SIDE * SIDE)

/* Edges: of the quads and their diagonals. */
#define EDGES		(2 * SIDE * (SIDE + 1) + SIDE * SIDE)
#define BOUNDARY	(4 * SIDE + 3)

/* The triangles of the grid, but for one. */
static void
make_grid(uint32_t (*corners)[3])
{
	uint32_t	count = 0;

	for (uint32_t i = 0; i < 2 * SIDE * SIDE; i++)
	{
		const uint32_t at = i / 2 / SIDE * (SIDE + 1) + i / 2 % SIDE;
		const uint32_t corner[2][3] = {
			{at, at + 1, at + SIDE + 2}, {at, at + SIDE + 2, at + SIDE + 1}
		};

		if (i != MISSING)
			memcpy(corners[count++], corner[i % 2], sizeof(corner[0]));
	}
}

/* Puts the triangles in another order. */
static void
shuffle(uint32_t (*corners)[3])
{
	uint64_t	random = 1;

	for (uint32_t i = TRIANGLES; i > 1; i--)
	{
		uint32_t	kept[3];
		uint32_t	other;

		random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
		other = (uint32_t) ((random >> 32) % i);
		memcpy(kept, corners[i - 1], sizeof(kept));
		memcpy(corners[i - 1], corners[other], sizeof(kept));
		memcpy(corners[other], kept, sizeof(kept));
	}
}

/* Is every half edge kept, once, where it belongs? */
static bool
all_kept(const MfMesh *mesh, const MfEdges *edges)
{
	uint8_t    *seen = calloc(mesh->triangle_count, 1);
	uint64_t	from = 0;
	bool		good = edges->half_count == 3 * (uint64_t) TRIANGLES;

	for (uint32_t v = 0; v < edges->vertex_count; v++)
		for (; good && from < edges->end[v]; from++)
		{
			const uint64_t half = edges->half[from];
			const uint32_t *c = mesh->corners[MF_HALF_TRIANGLE(half)];
			const uint32_t down = MF_HALF_DOWNWARD(half);

			for (int i = 0; i < 3; i++)
				if (c[down ? (i + 1) % 3 : i] == v &&
					c[down ? i : (i + 1) % 3] == MF_HALF_VERTEX(half))
					seen[MF_HALF_TRIANGLE(half)] |= 1 << i;
		}
	for (uint32_t t = 0; t < mesh->triangle_count; t++)
		good &= seen[t] == 7;
	free(seen);
	return good && from == edges->half_count;
}

static void
check(MfJob *job, const MfMesh *mesh, const char *what)
{
	MfEdges		edges;
	MfTopology	topology;
	bool		same = true;

	ok(mf_edges_match(job, mesh, &edges, &topology) &&
	   topology.edges == EDGES && topology.boundary == BOUNDARY &&
	   topology.non_manifold == 0 && topology.flipped == 0,
	   "%s: all edges are found", what);
	for (uint32_t t = 0; t < mesh->triangle_count; t++)
		same &= topology.shell[t] == 0;
	ok(same && topology.shell_count == 1, "%s: they hang together", what);
	ok(all_kept(mesh, &edges), "%s: the half edges are kept", what);
	mf_edges_free(job, &edges);
	mf_topology_free(job, &topology);
}

int
main(void)
{
	MfRefusal	refusal = {0};
	MfJob		job = {.refusal = &refusal,.share = 1,.pool = mf_pool_start(2)};
	MfMesh		mesh = {
		.triangle_count = TRIANGLES,.vertex_count = VERTICES,
		.corners = malloc(TRIANGLES * sizeof(*mesh.corners))
	};

	make_grid(mesh.corners);
	check(&job, &mesh, "in order");
	shuffle(mesh.corners);
	check(&job, &mesh, "in no order");
	mf_memory_end(&job.memory);
	ok(job.memory.used == 0, "all memory is given back");
	mf_pool_stop(job.pool);
	free(mesh.corners);
	return tap_done();
}
