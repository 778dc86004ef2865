/*
 * walk.c
 *		Lines and boxes on their way through a tree of boxes; see tree.h.
 *
 * A line is clipped to the tree's space in doubles; from where it enters, all
 * is of the order of one, and the margin of the boxes is larger than what
 * floats round off (Ize, "Robust BVH ray traversal", 2013, bounds it).
 */
#include <math.h>

#include "tree.h"

/* No direction is flatter than this to an axis: it would divide by zero. */
#define FLATTEST	1e-12

/* The tree's space with its margin, and a little more. */
#define EDGE		1.00001

/* Clips the line to the tree's space; false: it misses that. */
static bool
clip(const double from[3], const double along[3], double *entry)
{
	double		leave = INFINITY;

	*entry = 0;
	for (int k = 0; k < 3; k++)
	{
		double		one = (-EDGE - from[k]) / along[k];
		double		other = (EDGE - from[k]) / along[k];

		if (one > other)
		{
			const double kept = one;

			one = other;
			other = kept;
		}
		*entry = one > *entry ? one : *entry;
		leave = other < leave ? other : leave;
	}
	/* Rounding in either is far below the width of the margin. */
	return *entry <= leave;
}

static void
begin(MfWalk *walk, const MfTree *tree)
{
	walk->tree = tree;
	walk->waiting = 1;
	walk->place[0].index = 0;
	walk->place[0].level = tree->levels;
	walk->place[0].near = 0;
}

/* Begins with a line; see tree.h. */
bool
mf_walk_begin(MfWalk *walk, const MfTree *tree, const double from[3],
			  const double along[3])
{
	double		own_from[3];
	double		own_along[3];
	double		longest = 0;

	for (int k = 0; k < 3; k++)
	{
		own_from[k] = (from[k] - tree->centre[k]) * tree->scale;
		own_along[k] = along[k] * tree->scale;
		longest = fmax(longest, fabs(own_along[k]));
	}
	if (!(longest > 0) || !isfinite(longest))
		return false;
	for (int k = 0; k < 3; k++)
	{
		own_along[k] /= longest;
		if (fabs(own_along[k]) < FLATTEST)
			own_along[k] = own_along[k] < 0 ? -FLATTEST : FLATTEST;
	}
	if (!clip(own_from, own_along, &walk->entry))
		return false;
	for (int k = 0; k < 3; k++)
	{
		walk->origin[k] = (float) (own_from[k] + walk->entry * own_along[k]);
		walk->inverse[k] = (float) (1 / own_along[k]);
		walk->back[k] = own_along[k] < 0;
	}
	walk->entry /= longest;
	walk->per = longest;
	begin(walk, tree);
	return true;
}

/* Puts a child among those that wait, the nearest of its node on top. */
static inline void
add_place(MfWalk *walk, uint32_t bottom, uint32_t index, uint32_t level,
		  float near)
{
	uint32_t	at = walk->waiting++;

	for (; at > bottom && walk->place[at - 1].near < near; at--)
		walk->place[at] = walk->place[at - 1];
	walk->place[at].index = index;
	walk->place[at].level = level;
	walk->place[at].near = near;
}

/* A leaf's items. */
static inline void
give_leaf(const MfTree *tree, uint32_t index, uint32_t *first,
		  uint32_t *count)
{
	*first = index * MF_TREE_LEAF;
	*count = tree->count - *first < MF_TREE_LEAF ? tree->count - *first :
		MF_TREE_LEAF;
}

/* Where the line enters the four boxes of a node, and leaves them. */
static inline void
meet_node(const MfWalk *walk, const MfTreeNode *node, float until,
		  float near[4], float far[4])
{
	for (int c = 0; c < 4; c++)
	{
		near[c] = 0;
		far[c] = until;
	}
	for (int k = 0; k < 3; k++)
	{
		const float *in = walk->back[k] ? node->high[k] : node->low[k];
		const float *out = walk->back[k] ? node->low[k] : node->high[k];
		const float origin = walk->origin[k];
		const float inverse = walk->inverse[k];

		for (int c = 0; c < 4; c++)
		{
			const float n = (in[c] - origin) * inverse;
			const float f = (out[c] - origin) * inverse;

			near[c] = n > near[c] ? n : near[c];
			far[c] = f < far[c] ? f : far[c];
		}
	}
}

/* The next leaf on the line; see tree.h. */
bool
mf_walk_next(MfWalk *walk, double until, uint64_t *looks, uint32_t *first,
			 uint32_t *count)
{
	const MfTree *tree = walk->tree;
	const double own_until = (until - walk->entry) * walk->per * 1.000001 +
	1e-6;
	const float last = own_until < 1e6 ? (float) own_until : 1e6f;

	while (walk->waiting > 0)
	{
		const MfTreePlace place = walk->place[--walk->waiting];
		const uint32_t bottom = walk->waiting;
		float		near[4];
		float		far[4];

		if (place.near > last)
			continue;
		if (*looks <= MF_TREE_LEAF)
		{
			*looks = 0;
			return false;
		}
		if (place.level == 0)
		{
			give_leaf(tree, place.index, first, count);
			*looks -= *count;
			return true;
		}
		--*looks;
		meet_node(walk, &tree->node[tree->start[place.level - 1] +
									place.index], last, near, far);
		for (int c = 0; c < 4; c++)
			if (near[c] <= far[c])
				add_place(walk, bottom, place.index * 4 + c, place.level - 1,
						  near[c]);
	}
	return false;
}

/* Begins with a box; see tree.h. */
void
mf_walk_begin_box(MfWalk *walk, const MfTree *tree, const double low[3],
				  const double high[3])
{
	for (int k = 0; k < 3; k++)
	{
		walk->low[k] = (float) ((low[k] - tree->centre[k]) * tree->scale);
		walk->high[k] = (float) ((high[k] - tree->centre[k]) * tree->scale);
	}
	begin(walk, tree);
}

/* The next leaf that meets the box; see tree.h. */
bool
mf_walk_next_box(MfWalk *walk, uint64_t *looks, uint32_t *first,
				 uint32_t *count)
{
	const MfTree *tree = walk->tree;

	while (walk->waiting > 0)
	{
		const MfTreePlace place = walk->place[--walk->waiting];
		const MfTreeNode *node;

		if (*looks <= MF_TREE_LEAF)
		{
			*looks = 0;
			return false;
		}
		if (place.level == 0)
		{
			give_leaf(tree, place.index, first, count);
			*looks -= *count;
			return true;
		}
		--*looks;
		node = &tree->node[tree->start[place.level - 1] + place.index];
		for (int c = 0; c < 4; c++)
		{
			bool		apart = false;

			for (int k = 0; k < 3; k++)
				apart |= node->low[k][c] > walk->high[k] ||
					node->high[k][c] < walk->low[k];
			if (!apart)
				add_place(walk, walk->waiting, place.index * 4 + c,
						  place.level - 1, 0);
		}
	}
	return false;
}
