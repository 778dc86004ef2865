/*
 * orient.c
 *		Which triangles face the other way than their neighbours.
 *
 * A disjoint-set forest with parity: each triangle knows whether it faces
 * like its parent.  Two triangles at an edge must run through it in opposite
 * directions; where they do not, they face differently.  What hangs together
 * is then turned to the side that most of it is on.
 */
#include <string.h>

#include "mesh.h"

/* A link is (parent << 1) | (faces the other way than the parent). */
static uint32_t
find(uint32_t *link, uint32_t t, uint32_t *parity)
{
	uint32_t	turned = 0;

	while (link[t] >> 1 != t)
	{
		const uint32_t parent = link[t] >> 1;

		/* Halve the path: from the parent's link on to the grandparent. */
		if (link[parent] >> 1 != parent)
			link[t] = link[parent] ^ (link[t] & 1);
		turned ^= link[t] & 1;
		t = link[t] >> 1;
	}
	*parity = turned;
	return t;
}

/* Two triangles face alike (0) or differently (1). */
static void
relate(uint32_t *link, uint32_t a, uint32_t b, uint32_t differ)
{
	uint32_t	parity_a;
	uint32_t	parity_b;

	a = find(link, a, &parity_a);
	b = find(link, b, &parity_b);
	differ ^= parity_a ^ parity_b;
	if (a < b)
		link[b] = a << 1 | differ;
	else if (b < a)
		link[a] = b << 1 | differ;
	/* else a surface with one side only: the edge stays unbalanced */
}

/* Edges that are used more in one direction than the other, after turning. */
static uint64_t
count_unbalanced(const MfEdges *edges, const uint8_t *mark)
{
	uint64_t	unbalanced = 0;
	uint64_t	from = 0;

	for (uint32_t v = 0; v < edges->vertex_count; v++)
		while (from < edges->end[v])
		{
			const uint32_t high = MF_HALF_VERTEX(edges->half[from]);
			int64_t		balance = 0;

			for (; from < edges->end[v] &&
				 MF_HALF_VERTEX(edges->half[from]) == high; from++)
			{
				const uint64_t half = edges->half[from];
				const bool	turned = (mark[MF_HALF_TRIANGLE(half)] &
									  MF_MARK_TURNED) != 0;

				balance += (MF_HALF_DOWNWARD(half) != 0) != turned ? -1 : 1;
			}
			unbalanced += balance != 0;
		}
	return unbalanced;
}

/* Marks in each tree the side that fewer triangles are on. */
static void
mark_minority(const MfMesh *mesh, uint32_t *link, int32_t *vote,
			  uint8_t *mark, MfOrientation *orientation)
{
	for (uint32_t t = 0; t < mesh->triangle_count; t++)
	{
		uint32_t	parity;
		const uint32_t root = find(link, t, &parity);

		vote[root] += parity != 0 ? -1 : 1;
	}
	for (uint32_t t = 0; t < mesh->triangle_count; t++)
	{
		uint32_t	parity;
		const uint32_t root = find(link, t, &parity);

		/* Where both are as many, the first triangle is right. */
		if ((parity != 0) == (vote[root] >= 0))
		{
			mark[t] |= MF_MARK_TURNED;
			if (orientation->turned++ == 0)
				orientation->first = t;
		}
	}
}

/*
 * Marks the triangles to turn.  `mark` has a byte for each triangle.  False:
 * refused.
 */
bool
mf_orient_triangles(MfJob *job, const MfMesh *mesh, const MfEdges *edges,
					uint8_t *mark, MfOrientation *orientation)
{
	const uint64_t bytes = mesh->triangle_count * (uint64_t) sizeof(uint32_t);
	uint32_t   *link = mf_memory_alloc(&job->memory, bytes);
	int32_t    *vote = mf_memory_alloc(&job->memory, bytes);
	const bool	good = link != NULL && vote != NULL;
	uint64_t	from = 0;

	memset(orientation, 0, sizeof(*orientation));
	if (good)
	{
		for (uint32_t t = 0; t < mesh->triangle_count; t++)
			link[t] = t << 1;
		for (uint32_t v = 0; v < edges->vertex_count; v++)
			while (from < edges->end[v])
			{
				const uint64_t *half = edges->half + from;
				uint64_t	next = from + 1;

				while (next < edges->end[v] &&
					   MF_HALF_VERTEX(edges->half[next]) ==
					   MF_HALF_VERTEX(*half))
					next++;
				/* At three and more it is not known who belongs to whom. */
				if (next - from == 2)
					relate(link, MF_HALF_TRIANGLE(half[0]),
						   MF_HALF_TRIANGLE(half[1]),
						   MF_HALF_DOWNWARD(half[0]) ==
						   MF_HALF_DOWNWARD(half[1]));
				from = next;
			}
		mark_minority(mesh, link, vote, mark, orientation);
		orientation->unbalanced = count_unbalanced(edges, mark);
	}
	mf_memory_free(&job->memory, link, bytes);
	mf_memory_free(&job->memory, vote, bytes);
	return good || mf_job_out_of_memory(job);
}
