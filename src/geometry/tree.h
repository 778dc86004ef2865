/*
 * tree.h
 *		A tree of boxes over numbered items, and ways through it.
 *
 * The items are put into the order of a Hilbert curve through the middles of
 * their boxes; MF_TREE_LEAF neighbours make a leaf, four leaves or nodes make
 * a node (Kamel and Faloutsos, "On packing R-trees", 1993).  So the shape of
 * the tree follows from the number of items alone: it is as deep as the
 * logarithm says whatever the file holds, needs no pointers, and is built in
 * linear time.
 *
 * Boxes are floats in a space of the tree's own, -1 to 1 along its longest
 * side, and a little larger than what they hold, by more than all rounding
 * on a way: what a line meets is never missed.
 */
#ifndef MF_TREE_H
#define MF_TREE_H

#include "mesh.h"

#define MF_TREE_LEAF	2
#define MF_TREE_LEVELS	20

/* Four boxes, side by side. */
typedef struct MfTreeNode
{
	float		low[3][4];
	float		high[3][4];
} MfTreeNode;

typedef struct MfTree
{
	uint32_t	count;			/* items; 0: no tree */
	uint32_t	levels;			/* of nodes; the root is alone on the last */
	uint64_t	start[MF_TREE_LEVELS];	/* of a level in node[] */
	uint64_t	node_count;
	MfTreeNode *node;
	uint32_t   *order;			/* items along the curve */
	double		centre[3];		/* of the tree's own space */
	double		scale;			/* from the items' space into it */
} MfTree;

/* Tells the box of an item; may be called by any thread. */
typedef void (*MfTreeBox) (const void *arg, uint32_t item, double low[3],
						   double high[3]);

/*
 * Asks memory for an item whose box will be asked for soon: first for what
 * says where it is, then, a little later, for itself.
 */
typedef void (*MfTreeExpect) (const void *arg, uint32_t item, bool itself);

/*
 * Builds a tree over `count` items, 1 or more, that lie between low and high;
 * expect may be NULL.  False: there is no memory, and no tree; nothing is
 * refused.
 */
extern bool mf_tree_build(MfJob *job, MfTree *tree, uint32_t count,
						  const double low[3], const double high[3],
						  MfTreeBox box, MfTreeExpect expect,
						  const void *arg);
extern void mf_tree_free(MfJob *job, MfTree *tree);

/* A place in the tree that is still to be visited. */
typedef struct MfTreePlace
{
	uint32_t	index;			/* on its level */
	uint32_t	level;			/* 0: a leaf */
	float		near;			/* where the line enters it */
} MfTreePlace;

/* A line, or a box, on its way through a tree. */
typedef struct MfWalk
{
	const MfTree *tree;
	float		origin[3];		/* where it enters the tree's space */
	float		inverse[3];
	bool		back[3];		/* goes against this axis */
	double		entry;			/* its parameter there */
	double		per;			/* from its parameter to the tree's space */
	float		low[3];			/* of a box */
	float		high[3];
	uint32_t	waiting;
	MfTreePlace place[3 * MF_TREE_LEVELS + 4];
} MfWalk;

/*
 * Begins with the line from + t * along, t >= 0, in the space of the items;
 * false: it meets nothing.
 */
extern bool mf_walk_begin(MfWalk *walk, const MfTree *tree,
						  const double from[3], const double along[3]);

/*
 * The next leaf that the line enters before t = until, the near ones first:
 * items order[first] to order[first + count - 1].  Takes from *looks what it
 * looks at.  False: there are no more, or looks are used up (*looks is 0).
 */
extern bool mf_walk_next(MfWalk *walk, double until, uint64_t *looks,
						 uint32_t *first, uint32_t *count);

/* Begins with a box in the space of the items. */
extern void mf_walk_begin_box(MfWalk *walk, const MfTree *tree,
							  const double low[3], const double high[3]);

/* The next leaf that meets the box; as mf_walk_next. */
extern bool mf_walk_next_box(MfWalk *walk, uint64_t *looks, uint32_t *first,
							 uint32_t *count);

#endif							/* MF_TREE_H */
