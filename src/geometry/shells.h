/*
 * shells.h
 *		Which triangles hang together: a forest over the triangles, which any
 *		number of threads may join trees in.
 *
 * A parent is never above its child, so the root of a tree is its first
 * triangle, whoever joined what when.  A root changes only by compare and
 * swap; any other parent may be replaced by one of its own ancestors at any
 * time (Anderson and Woll, "Wait-free parallel algorithms for the union-find
 * problem", 1991).
 */
#ifndef MF_SHELLS_H
#define MF_SHELLS_H

#include "mesh.h"

/* Root of a triangle's tree; halves the path on the way. */
static inline uint32_t
mf_shells_find(uint32_t *parent, uint32_t t)
{
	uint32_t	above = __atomic_load_n(&parent[t], __ATOMIC_RELAXED);

	while (above != t)
	{
		const uint32_t next = __atomic_load_n(&parent[above],
											  __ATOMIC_RELAXED);

		if (next == above)
			return above;
		__atomic_store_n(&parent[t], next, __ATOMIC_RELAXED);
		t = next;
		above = __atomic_load_n(&parent[t], __ATOMIC_RELAXED);
	}
	return t;
}

/* Joins the trees of two triangles. */
static inline void
mf_shells_unite(uint32_t *parent, uint32_t a, uint32_t b)
{
	if (__atomic_load_n(&parent[a], __ATOMIC_RELAXED) ==
		__atomic_load_n(&parent[b], __ATOMIC_RELAXED))
		return;
	for (;;)
	{
		uint32_t	root;

		a = mf_shells_find(parent, a);
		b = mf_shells_find(parent, b);
		if (a == b)
			return;
		if (a > b)
		{
			root = a;
			a = b;
			b = root;
		}
		root = b;
		if (__atomic_compare_exchange_n(&parent[b], &root, a, false,
										__ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return;
	}
}

extern bool mf_shells_number(MfJob *job, const MfMesh *mesh,
							 MfTopology *topology);

#endif							/* MF_SHELLS_H */
