/*
 * edges.c
 *		Which triangles meet along which edge, and so which hang together.
 *
 * Each triangle has three half edges.  They are grouped by their lower
 * vertex with a counting sort; a group is a handful of half edges, sorted in
 * cache.  Then equal ones are neighbours: one alone is a boundary, two in
 * opposite directions are sound, two in the same direction are flipped, more
 * are not manifold.
 */
#include <string.h>

#include "mesh.h"

/* How many vertices ahead the triangles' labels are asked from memory. */
#define AHEAD	8

/* Root of a triangle's tree; halves the path on the way. */
static inline uint32_t
find(uint32_t *parent, uint32_t t)
{
	while (parent[t] != t)
	{
		parent[t] = parent[parent[t]];
		t = parent[t];
	}
	return t;
}

/*
 * Joins two trees.  The lower triangle becomes the root: shells come out
 * numbered in the order of the file, and a parent is never above its child.
 */
static inline void
unite(uint32_t *parent, uint32_t a, uint32_t b)
{
	if (parent[a] == parent[b])
		return;
	a = find(parent, a);
	b = find(parent, b);
	if (a < b)
		parent[b] = a;
	else
		parent[a] = b;
}

/* Counts half edges per lower vertex; the degenerate triangles have none. */
static void
count_half_edges(MfJob *job, const MfMesh *mesh, MfEdges *edges,
				 MfTopology *topology)
{
	uint32_t   *count = edges->end;

	for (uint32_t t = 0; t < mesh->triangle_count; t++)
	{
		const uint32_t *c = mesh->corners[t];

		if (t % MF_PROGRESS_ITEMS == 0)
			mf_job_progress(job, MF_STAGE_TOPOLOGY, t,
							4 * (uint64_t) mesh->triangle_count);
		if (mf_mesh_degenerate(c))
		{
			if (topology->degenerate++ == 0)
				topology->degenerate_first = t;
			continue;
		}
		count[c[0] < c[1] ? c[0] : c[1]]++;
		count[c[1] < c[2] ? c[1] : c[2]]++;
		count[c[2] < c[0] ? c[2] : c[0]]++;
	}
}

/* Puts the half edges into their groups; `end` turns from begin to end. */
static void
place_half_edges(MfJob *job, const MfMesh *mesh, MfEdges *edges)
{
	uint32_t   *end = edges->end;
	uint64_t   *half = edges->half;

	for (uint32_t t = 0; t < mesh->triangle_count; t++)
	{
		const uint32_t *c = mesh->corners[t];

		if (t % MF_PROGRESS_ITEMS == 0)
			mf_job_progress(job, MF_STAGE_TOPOLOGY,
							mesh->triangle_count + (uint64_t) t,
							4 * (uint64_t) mesh->triangle_count);
		if (mf_mesh_degenerate(c))
			continue;
		for (int i = 0; i < 3; i++)
		{
			const uint32_t from = c[i];
			const uint32_t to = c[i == 2 ? 0 : i + 1];
			const bool	down = from > to;
			const uint32_t low = down ? to : from;
			const uint32_t high = down ? from : to;

			half[end[low]++] = (uint64_t) high << 32 |
				(uint64_t) t << 1 | down;
		}
	}
}

/* Books one edge: `half` is the first of its `count` half edges. */
static inline void
book_edge(MfTopology *topology, uint32_t low, const uint64_t *half,
		  size_t count)
{
	const uint32_t high = MF_HALF_VERTEX(*half);

	topology->edges++;
	if (count == 2)
	{
		unite(topology->shell, MF_HALF_TRIANGLE(half[0]),
			  MF_HALF_TRIANGLE(half[1]));
		if (MF_HALF_DOWNWARD(half[0]) != MF_HALF_DOWNWARD(half[1]))
			return;
		if (topology->flipped++ == 0)
		{
			topology->flipped_edge[0] = low;
			topology->flipped_edge[1] = high;
		}
		topology->unbalanced++;
	}
	else if (count == 1)
	{
		if (topology->boundary++ == 0)
		{
			topology->boundary_edge[0] = low;
			topology->boundary_edge[1] = high;
		}
		topology->unbalanced++;
	}
	else
	{
		size_t		down = 0;

		for (size_t i = 0; i < count; i++)
		{
			down += MF_HALF_DOWNWARD(half[i]);
			unite(topology->shell, MF_HALF_TRIANGLE(half[0]),
				  MF_HALF_TRIANGLE(half[i]));
		}
		if (topology->non_manifold++ == 0)
		{
			topology->non_manifold_edge[0] = low;
			topology->non_manifold_edge[1] = high;
		}
		topology->unbalanced += 2 * down != count;
	}
}

/* Sorts each group and books its edges. */
static void
match_half_edges(MfJob *job, const MfMesh *mesh, MfEdges *edges,
				 MfTopology *topology)
{
	const uint32_t *end = edges->end;
	uint64_t   *half = edges->half;
	size_t		from = 0;

	for (uint32_t v = 0; v < mesh->vertex_count; v++)
	{
		const size_t until = end[v];

		if (v % MF_PROGRESS_ITEMS == 0)
			mf_job_progress(job, MF_STAGE_TOPOLOGY,
							mesh->vertex_count + (uint64_t) v,
							2 * (uint64_t) mesh->vertex_count);
		if (mesh->vertex_count - v > AHEAD)
			for (size_t i = end[v + AHEAD - 1]; i < end[v + AHEAD]; i++)
				__builtin_prefetch(&topology->shell[MF_HALF_TRIANGLE(half[i])],
								   1);
		mf_sort_words(half + from, until - from);
		while (from < until)
		{
			size_t		next = from + 1;

			while (next < until &&
				   MF_HALF_VERTEX(half[next]) == MF_HALF_VERTEX(half[from]))
				next++;
			book_edge(topology, v, half + from, next - from);
			from = next;
		}
	}
}

/* How many vertices do the triangles that are not degenerate use? */
static bool
count_used_vertices(MfJob *job, const MfMesh *mesh, MfTopology *topology)
{
	const uint64_t bytes = mesh->vertex_count / 8 + 1;
	uint8_t    *used;

	topology->used_vertices = mesh->vertex_count;
	if (topology->degenerate == 0)
		return true;
	used = mf_memory_alloc(&job->memory, bytes);
	if (used == NULL)
		return mf_job_out_of_memory(job);
	topology->used_vertices = 0;
	for (uint32_t t = 0; t < mesh->triangle_count; t++)
		for (int i = 0; i < 3 && !mf_mesh_degenerate(mesh->corners[t]); i++)
		{
			const uint32_t v = mesh->corners[t][i];

			topology->used_vertices += (used[v / 8] >> v % 8 & 1) == 0;
			used[v / 8] |= 1 << v % 8;
		}
	mf_memory_free(&job->memory, used, bytes);
	return true;
}

/*
 * Turns the trees into shell numbers, in place: a parent is never above its
 * child, so it has its number already.
 */
static bool
number_shells(MfJob *job, const MfMesh *mesh, MfTopology *topology)
{
	uint32_t   *shell = topology->shell;
	uint32_t   *size;
	uint64_t	bytes;

	for (uint32_t t = 0; t < mesh->triangle_count; t++)
	{
		if (topology->degenerate > 0 && mf_mesh_degenerate(mesh->corners[t]))
			shell[t] = MF_NO_SHELL;
		else if (shell[t] == t)
			shell[t] = topology->shell_count++;
		else
			shell[t] = shell[shell[t]];
	}
	if (topology->shell_count <= 1)
	{
		topology->pairs = mesh->triangle_count - topology->degenerate == 2;
		return true;
	}

	bytes = topology->shell_count * (uint64_t) sizeof(*size);
	size = mf_memory_alloc(&job->memory, bytes);
	if (size == NULL)
		return mf_job_out_of_memory(job);
	for (uint32_t t = 0; t < mesh->triangle_count; t++)
		if (shell[t] != MF_NO_SHELL)
			size[shell[t]]++;
	for (uint32_t s = 0; s < topology->shell_count; s++)
		topology->pairs |= size[s] == 2;
	mf_memory_free(&job->memory, size, bytes);
	return true;
}

/*
 * Matches the edges of a mesh.  Fills both structs, which start empty; the
 * caller frees them in any case.  False: refused.
 */
bool
mf_edges_match(MfJob *job, const MfMesh *mesh, MfEdges *edges,
			   MfTopology *topology)
{
	uint64_t	begin = 0;

	memset(edges, 0, sizeof(*edges));
	memset(topology, 0, sizeof(*topology));
	edges->vertex_count = mesh->vertex_count;
	edges->end = mf_memory_alloc(&job->memory, mesh->vertex_count *
								 (uint64_t) sizeof(*edges->end));
	if (edges->end == NULL)
		return mf_job_out_of_memory(job);
	count_half_edges(job, mesh, edges, topology);
	for (uint32_t v = 0; v < mesh->vertex_count; v++)
	{
		const uint32_t count = edges->end[v];

		edges->end[v] = (uint32_t) begin;
		begin += count;
	}
	edges->half_count = begin;

	edges->half = mf_memory_alloc(&job->memory,
								  begin * sizeof(*edges->half));
	if (edges->half == NULL)
		return mf_job_out_of_memory(job);
	edges->half_room = begin;
	place_half_edges(job, mesh, edges);

	topology->shell = mf_memory_alloc(&job->memory, mesh->triangle_count *
									  (uint64_t) sizeof(*topology->shell));
	if (topology->shell == NULL)
		return mf_job_out_of_memory(job);
	topology->shell_room = mesh->triangle_count;
	for (uint32_t t = 0; t < mesh->triangle_count; t++)
		topology->shell[t] = t;
	match_half_edges(job, mesh, edges, topology);
	return count_used_vertices(job, mesh, topology) &&
		number_shells(job, mesh, topology);
}

/* Gives the half edges' memory back. */
void
mf_edges_free(MfJob *job, MfEdges *edges)
{
	mf_memory_free(&job->memory, edges->half,
				   edges->half_room * sizeof(*edges->half));
	mf_memory_free(&job->memory, edges->end,
				   edges->vertex_count * (uint64_t) sizeof(*edges->end));
	edges->half = NULL;
	edges->end = NULL;
}

/* Gives the shell numbers' memory back; the counts stay. */
void
mf_topology_free(MfJob *job, MfTopology *topology)
{
	mf_memory_free(&job->memory, topology->shell,
				   topology->shell_room *
				   (uint64_t) sizeof(*topology->shell));
	topology->shell = NULL;
}
