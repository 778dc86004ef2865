/*
 * cracks.c
 *		Joins corners at open edges that meet only nearly.
 *
 * Programs that compute each face of a model on its own round the same
 * corner in different ways.  Corners at open edges that are closer than
 * MF_NEARLY of the model's diagonal are taken as one, also by way of others
 * in between; but never over more than a quarter of the shortest edge at
 * either of them, and all that become one stay within a few such distances
 * and shorter than any edge at them.  So fine detail stays what it is, and a
 * stack of thin sheets never runs together.
 *
 * Candidates are found by the cells of a grid: each corner is in every cell
 * that it is close to, mostly one, and the cells are sorted by a hash.  Cells
 * with the same hash only cost looks, because distances decide; and looks are
 * counted.  Whoever fills cells on purpose gets no repair.
 */
#include <math.h>
#include <string.h>

#include "mend.h"

/* Length of a cell, in the distance that is joined over. */
#define CELL	16.0

/* Looks at pairs in cells with more than a few corners, for each entry. */
#define LOOKS_PER_ENTRY	2

/* Cells with up to so many corners are looked through pair by pair. */
#define FEW		24

/* Of the distance, by which the corners of a full cell are ordered. */
#define PARTS	256

/* An edge has to be so many times as long as what is joined at its end. */
#define DETAIL	4.0

/* All that become one are so close to the one they become, in the distance. */
#define REACH	4.0

/* A search under way. */
typedef struct Search
{
	MfJob	   *job;
	const MfMesh *mesh;
	double		near;			/* joined are corners up to so far apart */
	float	   *shortest;		/* edge at each vertex, squared; less than 0:
								 * not at an open edge; of a root: at any of
								 * its vertices */
	float	   *reach;			/* of a root: its vertices are within it */
	uint32_t   *parent;			/* of each vertex, never above it */
	uint64_t   *word;			/* (hash of a cell, vertex) */
	uint64_t   *other;			/* room to sort them */
	uint64_t	room;			/* in words */
	uint64_t	count;
	uint64_t	looks;			/* that are left */
	bool		spent;			/* there were too few */
} Search;

/* The diagonal of the mesh's box. */
double
mf_mesh_diagonal(const MfMesh *mesh)
{
	double		square = 0;

	for (int i = 0; i < 3; i++)
		square += (mesh->high[i] - mesh->low[i]) *
			(mesh->high[i] - mesh->low[i]);
	return sqrt(square);
}

/* Root of a vertex's tree; halves the path on the way. */
static uint32_t
find(uint32_t *parent, uint32_t v)
{
	while (parent[v] != v)
	{
		parent[v] = parent[parent[v]];
		v = parent[v];
	}
	return v;
}

static inline double
square_between(const double a[3], const double b[3])
{
	double		square = 0;

	for (int i = 0; i < 3; i++)
		square += (a[i] - b[i]) * (a[i] - b[i]);
	return square;
}

/* Finds the vertices at open edges; how many. */
static uint32_t
mark_open(const MfEdges *edges, float *shortest)
{
	uint32_t	count = 0;
	uint32_t	from = 0;

	for (uint32_t v = 0; v < edges->vertex_count; v++)
		while (from < edges->end[v])
		{
			const uint32_t high = MF_HALF_VERTEX(edges->half[from]);
			const uint32_t ends[2] = {v, high};
			const uint32_t first = from;

			while (from < edges->end[v] &&
				   MF_HALF_VERTEX(edges->half[from]) == high)
				from++;
			for (int i = 0; i < 2 && from - first == 1; i++)
			{
				count += shortest[ends[i]] < 0;
				shortest[ends[i]] = INFINITY;
			}
		}
	return count;
}

/* Finds the shortest edge at each of them. */
static void
measure_edges(MfJob *job, const MfMesh *mesh, float *shortest)
{
	for (uint32_t t = 0; t < mesh->triangle_count; t++)
	{
		const uint32_t *c = mesh->corners[t];

		double		at[3][3];

		mf_mend_progress(job, t);
		if (mf_mesh_degenerate(c) ||
			(shortest[c[0]] < 0 && shortest[c[1]] < 0 && shortest[c[2]] < 0))
			continue;
		mf_mesh_triangle(mesh, t, at);
		for (int i = 0; i < 3; i++)
		{
			const uint32_t ends[2] = {c[i], c[(i + 1) % 3]};
			const float length = (float) square_between(at[i],
														at[(i + 1) % 3]);

			for (int e = 0; e < 2; e++)
				if (length < shortest[ends[e]])
					shortest[ends[e]] = length;
		}
	}
}

/* Enters a vertex into each cell that is near it. */
static bool
enter_vertex(Search *s, uint32_t v)
{
	double		at[3];
	uint64_t	cell[3][2];

	mf_mesh_place(s->mesh, v, at);
	for (int i = 0; i < 3; i++)
		for (int side = 0; side < 2; side++)
		{
			/* Half a cell off, so that the box's faces are not on borders. */
			const double to = (at[i] - s->mesh->low[i]) / s->near +
			(side ? 1 : -1) + CELL / 2;

			cell[i][side] = to > 0 ? (uint64_t) (to / CELL) : 0;
		}
	for (uint64_t x = cell[0][0]; x <= cell[0][1]; x++)
		for (uint64_t y = cell[1][0]; y <= cell[1][1]; y++)
			for (uint64_t z = cell[2][0]; z <= cell[2][1]; z++)
			{
				uint64_t	hash = (x << 42 ^ y << 21 ^ z) *
				UINT64_C(0x9e3779b97f4a7c15);

				hash = (hash ^ hash >> 32) * UINT64_C(0xd6e8feb86659fd93);
				if (s->count == s->room)
					return false;
				s->word[s->count++] = (hash >> 32) << 32 | v;
			}
	return true;
}

/* Sorts the words by their upper half, in four steps. */
static void
sort_words(Search *s)
{
	for (int shift = 32; shift < 64; shift += 8)
	{
		uint32_t	begin[256] = {0};
		uint32_t	sum = 0;
		uint64_t   *kept = s->word;

		for (uint64_t i = 0; i < s->count; i++)
			begin[s->word[i] >> shift & 255]++;
		for (int i = 0; i < 256; i++)
		{
			const uint32_t count = begin[i];

			begin[i] = sum;
			sum += count;
		}
		for (uint64_t i = 0; i < s->count; i++)
			s->other[begin[s->word[i] >> shift & 255]++] = s->word[i];
		s->word = s->other;
		s->other = kept;
	}
}

/* Makes two roots one, unless that would hold what is too far apart. */
static void
join_roots(Search *s, uint32_t a, uint32_t b)
{
	const uint32_t root = a < b ? a : b;
	const uint32_t child = a < b ? b : a;
	const float shortest = fminf(s->shortest[a], s->shortest[b]);
	double		at[2][3];
	double		reach;

	if (a == b)
		return;
	mf_mesh_place(s->mesh, root, at[0]);
	mf_mesh_place(s->mesh, child, at[1]);
	reach = sqrt(square_between(at[0], at[1])) + (double) s->reach[child];
	if (reach < (double) s->reach[root])
		reach = (double) s->reach[root];
	if (reach > REACH * s->near || 4 * reach * reach > (double) shortest)
		return;
	s->parent[child] = root;
	s->reach[root] = (float) reach;
	s->shortest[root] = shortest;
}

/* Joins two vertices at these places, if they are close enough. */
static inline void
look_at_pair(Search *s, uint32_t a, const double *at_a, uint32_t b,
			 const double *at_b)
{
	const double square = square_between(at_a, at_b);

	if (square > s->near * s->near ||
		square * (DETAIL * DETAIL) > s->shortest[a] ||
		square * (DETAIL * DETAIL) > s->shortest[b])
		return;
	join_roots(s, find(s->parent, a), find(s->parent, b));
}

/* Looks at all pairs of a few corners. */
static void
look_at_few(Search *s, const uint64_t *word, uint32_t count)
{
	double		at[FEW][3];

	for (uint32_t i = 0; i < count; i++)
		mf_mesh_place(s->mesh, (uint32_t) word[i], at[i]);
	for (uint32_t i = 0; i < count; i++)
		for (uint32_t k = i + 1; k < count; k++)
			look_at_pair(s, (uint32_t) word[i], at[i], (uint32_t) word[k],
						 at[k]);
}

/*
 * Looks through a full cell: in the order in which its corners lie in one
 * direction, each with those that are near enough in it.  The direction is
 * none in which people draw.
 */
static void
look_in_order(Search *s, uint64_t *word, uint64_t count)
{
	static const double direction[3] = {0.6, 0.48, 0.64};
	const double scale = PARTS / s->near;

	for (uint64_t i = 0; i < count; i++)
	{
		double		at[3];
		double		along = 0;

		mf_mesh_place(s->mesh, (uint32_t) word[i], at);
		for (int k = 0; k < 3; k++)
			along += (at[k] - s->mesh->low[k]) * direction[k];
		word[i] = (uint64_t) (along * scale) << 32 | (uint32_t) word[i];
	}
	mf_sort_words(word, count);
	for (uint64_t i = 0; i < count && !s->spent; i++)
	{
		double		at[2][3];

		mf_mend_progress(s->job, i);
		mf_mesh_place(s->mesh, (uint32_t) word[i], at[0]);
		for (uint64_t k = i + 1; k < count &&
			 (word[k] >> 32) - (word[i] >> 32) <= PARTS + 1; k++)
		{
			s->spent = !mf_take_looks(s->job, &s->looks, 1);
			if (s->spent)
				return;
			mf_mesh_place(s->mesh, (uint32_t) word[k], at[1]);
			look_at_pair(s, (uint32_t) word[i], at[0], (uint32_t) word[k],
						 at[1]);
		}
	}
}

/* Looks through all cells; false: the budget is spent. */
static bool
look_through(Search *s)
{
	for (uint64_t from = 0, next; from < s->count && !s->spent; from = next)
	{
		for (next = from + 1; next < s->count &&
			 s->word[next] >> 32 == s->word[from] >> 32; next++)
			;
		if (next / MF_PROGRESS_ITEMS > from / MF_PROGRESS_ITEMS)
			mf_mend_progress(s->job, 0);
		if (next - from > FEW)
			look_in_order(s, s->word + from, next - from);
		else if (next - from > 1)
			look_at_few(s, s->word + from, (uint32_t) (next - from));
	}
	return !s->spent;
}

/* Lets the triangles use the roots; counts the vertices that were joined. */
static void
take_over(MfMesh *mesh, uint32_t *parent, MfCracks *cracks)
{
	for (uint32_t v = 0; v < mesh->vertex_count; v++)
	{
		parent[v] = parent[parent[v]];
		if (parent[v] != v && cracks->joined++ == 0)
			cracks->first = v;
	}
	for (uint32_t t = 0; cracks->joined > 0 && t < mesh->triangle_count; t++)
		for (int i = 0; i < 3; i++)
			mesh->corners[t][i] = parent[mesh->corners[t][i]];
}

/* Enters all vertices at open edges, and joins. */
static bool
search_cells(MfJob *job, Search *s, uint32_t open)
{
	const uint64_t bytes = 8 * (s->room = 2 * (uint64_t) open + 4096);
	uint64_t   *words[2] = {
		mf_memory_alloc(&job->memory, bytes),
		mf_memory_alloc(&job->memory, bytes)
	};
	bool		good = words[0] != NULL && words[1] != NULL;
	bool		fits = true;

	if (!good)
		mf_job_out_of_memory(job);
	else
	{
		s->word = words[0];
		s->other = words[1];
		for (uint32_t v = 0; fits && v < s->mesh->vertex_count; v++)
		{
			mf_mend_progress(job, v);
			if (s->shortest[v] >= 0)
				fits = enter_vertex(s, v);
		}
		s->looks = LOOKS_PER_ENTRY * s->count;
		if (fits)
			sort_words(s);
		if (!fits || !look_through(s))
			for (uint32_t v = 0; v < s->mesh->vertex_count; v++)
				s->parent[v] = v;
	}
	mf_memory_free(&job->memory, words[0], bytes);
	mf_memory_free(&job->memory, words[1], bytes);
	return good;
}

/*
 * Closes the cracks of a mesh: the triangles at them use one vertex for all
 * that are as good as one, that with the lowest number.  False: refused.
 */
bool
mf_cracks_close(MfJob *job, MfMesh *mesh, const MfEdges *edges,
				MfCracks *cracks)
{
	const uint64_t bytes = 4 * (uint64_t) mesh->vertex_count;
	Search		s = {
		.job = job,.mesh = mesh,.near = MF_NEARLY * mf_mesh_diagonal(mesh)
	};
	bool		good;

	memset(cracks, 0, sizeof(*cracks));
	if (!(s.near > 0))
		return true;
	s.shortest = mf_memory_alloc(&job->memory, bytes);
	s.reach = mf_memory_alloc(&job->memory, bytes);
	s.parent = mf_memory_alloc(&job->memory, bytes);
	good = s.shortest != NULL && s.reach != NULL && s.parent != NULL;
	if (!good)
		mf_job_out_of_memory(job);
	else
	{
		uint32_t	open;

		for (uint32_t v = 0; v < mesh->vertex_count; v++)
		{
			s.shortest[v] = -1;
			s.parent[v] = v;
		}
		open = mark_open(edges, s.shortest);
		measure_edges(job, mesh, s.shortest);
		good = search_cells(job, &s, open);
		if (good)
			take_over(mesh, s.parent, cracks);
	}
	mf_memory_free(&job->memory, s.shortest, bytes);
	mf_memory_free(&job->memory, s.reach, bytes);
	mf_memory_free(&job->memory, s.parent, bytes);
	return good;
}
