/*
 * duplicates.c
 *		Triangles with the same three corners as another one.
 *
 * Looked for only where the edges raise the suspicion: two triangles with the
 * same corners share all three edges, so they make an edge of more than two
 * triangles, or they are a shell of their own.
 */
#include <string.h>

#include "mesh.h"

/* The corners of a triangle in ascending order; is it an odd permutation? */
static inline bool
order_corners(const uint32_t corner[3], uint32_t ordered[3])
{
	uint32_t	a = corner[0];
	uint32_t	b = corner[1];
	uint32_t	c = corner[2];
	bool		odd = false;

#define SWAP_IF_ABOVE(x, y) \
	do { \
		if (x > y) \
		{ \
			uint32_t	kept = x; \
			x = y; \
			y = kept; \
			odd = !odd; \
		} \
	} while (0)
	SWAP_IF_ABOVE(a, b);
	SWAP_IF_ABOVE(b, c);
	SWAP_IF_ABOVE(a, b);
#undef SWAP_IF_ABOVE
	ordered[0] = a;
	ordered[1] = b;
	ordered[2] = c;
	return odd;
}

/*
 * Books triangles with the same corners, in the order of the file.
 *
 * What is there n times one way round and n times the other adds up to
 * nothing, and stays: two bodies that touch have such a face.  Of all others
 * the first one of the side that is in the majority stays.
 */
static void
book_same(const MfMesh *mesh, const uint64_t *words, size_t count,
		  uint8_t *mark, MfDuplicates *duplicates)
{
	uint32_t	ordered[3];
	size_t		odd = 0;
	bool		majority;
	bool		kept = false;

	for (size_t i = 0; i < count; i++)
		odd += order_corners(mesh->corners[(uint32_t) words[i]], ordered);
	if (duplicates->count == 0 || (uint32_t) words[1] < duplicates->first)
		duplicates->first = (uint32_t) words[1];
	duplicates->count += count - 1;
	if (2 * odd == count)
		return;
	majority = 2 * odd > count;
	for (size_t i = 0; i < count; i++)
	{
		const uint32_t t = (uint32_t) words[i];

		if (!kept && order_corners(mesh->corners[t], ordered) == majority)
			kept = true;
		else
		{
			mark[t] |= MF_MARK_DROPPED;
			duplicates->dropped++;
		}
	}
}

/* One group: (middle corner, triangle) of all with the same lowest corner. */
static void
search_group(const MfMesh *mesh, uint64_t *words, size_t count, uint8_t *mark,
			 MfDuplicates *duplicates)
{
	mf_sort_words(words, count);
	for (size_t from = 0, next; from < count; from = next)
	{
		for (next = from + 1; next < count &&
			 words[next] >> 32 == words[from] >> 32; next++)
			;
		if (next - from == 1)
			continue;

		/* The same lowest and middle corner: now by the highest. */
		for (size_t i = from; i < next; i++)
		{
			const uint32_t t = (uint32_t) words[i];
			uint32_t	ordered[3];

			order_corners(mesh->corners[t], ordered);
			words[i] = (uint64_t) ordered[2] << 32 | t;
		}
		mf_sort_words(words + from, next - from);
		for (size_t i = from, end; i < next; i = end)
		{
			for (end = i + 1; end < next &&
				 words[end] >> 32 == words[i] >> 32; end++)
				;
			if (end - i > 1)
				book_same(mesh, words + i, end - i, mark, duplicates);
		}
	}
}

/*
 * Finds the triangles that are there more than once, and marks those that
 * have to go.  `mark` has a byte for each triangle.  False: refused.
 */
bool
mf_duplicates_find(MfJob *job, const MfMesh *mesh, uint8_t *mark,
				   MfDuplicates *duplicates)
{
	const uint64_t end_bytes = 4 * (uint64_t) mesh->vertex_count;
	const uint64_t word_bytes = 8 * (uint64_t) mesh->triangle_count;
	uint32_t   *end = mf_memory_alloc(&job->memory, end_bytes);
	uint64_t   *words = mf_memory_alloc(&job->memory, word_bytes);
	uint32_t	ordered[3];
	uint32_t	begin = 0;
	const bool	good = end != NULL && words != NULL;

	memset(duplicates, 0, sizeof(*duplicates));
	if (good)
	{
		/* Group the triangles by their lowest corner. */
		for (uint32_t t = 0; t < mesh->triangle_count; t++)
			if (!mf_mesh_degenerate(mesh->corners[t]))
			{
				order_corners(mesh->corners[t], ordered);
				end[ordered[0]]++;
			}
		for (uint32_t v = 0; v < mesh->vertex_count; v++)
		{
			const uint32_t count = end[v];

			end[v] = begin;
			begin += count;
		}
		for (uint32_t t = 0; t < mesh->triangle_count; t++)
			if (!mf_mesh_degenerate(mesh->corners[t]))
			{
				order_corners(mesh->corners[t], ordered);
				words[end[ordered[0]]++] = (uint64_t) ordered[1] << 32 | t;
			}
		for (uint32_t v = 0, from = 0; v < mesh->vertex_count; v++)
		{
			search_group(mesh, words + from, end[v] - from, mark, duplicates);
			from = end[v];
		}
	}
	mf_memory_free(&job->memory, words, word_bytes);
	mf_memory_free(&job->memory, end, end_bytes);
	return good || mf_job_out_of_memory(job);
}
