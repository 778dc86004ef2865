/*
 * tree.c
 *		Builds trees of boxes; see tree.h.
 */
#include <math.h>
#include <string.h>

#include "curve.h"
#include "tree.h"

/* What boxes are larger by, in the tree's space: twenty roundings of a float. */
#define MARGIN		2.5e-6f

#define DIGIT_BITS	11
#define DIGITS		(1 << DIGIT_BITS)
#define PASSES		3
#define ITEM_BITS	30			/* of a word; the place on the curve is above */

/* Up to so many items, a plain sort is faster. */
#define FEW			1024

/* Items ahead that are asked from memory. */
#define AHEAD		12

/* Items in a task, and tasks at most. */
#define MIN_CHUNK	32768
#define MAX_CHUNKS	64

_Static_assert(PASSES * DIGIT_BITS == 3 * MF_CURVE_BITS, "all digits");
_Static_assert(MF_MAX_TRIANGLES_EVER < UINT64_C(1) << ITEM_BITS, "all items");

typedef struct Build
{
	MfTree	   *tree;
	MfTreeBox	box;
	MfTreeExpect expect;
	const void *arg;
	MfCurve		curve;
	uint64_t   *word;			/* place << ITEM_BITS | item */
	uint64_t   *other;
	uint32_t	(*digit)[DIGITS];	/* of each chunk: how many, then where */
	uint32_t	chunk;			/* items in each */
	int			shift;
} Build;

static uint32_t
chunk_end(const Build *b, uint32_t task)
{
	const uint32_t count = b->tree->count;
	const uint32_t begin = task * b->chunk;

	return count - begin < b->chunk ? count : begin + b->chunk;
}

/* The item of a word. */
static inline uint32_t
item_of(uint64_t word)
{
	return (uint32_t) (word & ((UINT64_C(1) << ITEM_BITS) - 1));
}

/* Finds the places along the curve. */
static void
find_places(void *arg, uint32_t task)
{
	const Build *b = arg;
	const MfTree *tree = b->tree;
	const double cells = 1 << MF_CURVE_BITS;
	const uint32_t end = chunk_end(b, task);

	for (uint32_t i = task * b->chunk; i < end; i++)
	{
		double		low[3];
		double		high[3];
		uint32_t	cell[3];

		if (b->expect != NULL && end - i > AHEAD)
			b->expect(b->arg, i + AHEAD, true);
		b->box(b->arg, i, low, high);
		for (int k = 0; k < 3; k++)
		{
			const double at = ((low[k] + (high[k] - low[k]) / 2 -
								tree->centre[k]) * tree->scale + 1) / 2 * cells;

			cell[k] = !(at > 0) ? 0 : at >= cells ? (uint32_t) cells - 1 :
				(uint32_t) at;
		}
		b->word[i] = mf_curve_place(&b->curve, cell) << ITEM_BITS | i;
	}
}

/* Counts the digits of a chunk. */
static void
count_digits(void *arg, uint32_t task)
{
	const Build *b = arg;
	uint32_t   *digit = b->digit[task];

	memset(digit, 0, sizeof(*b->digit));
	for (uint32_t i = task * b->chunk; i < chunk_end(b, task); i++)
		digit[b->word[i] >> b->shift & (DIGITS - 1)]++;
}

/* Puts the words of a chunk to where their digits say. */
static void
move_words(void *arg, uint32_t task)
{
	const Build *b = arg;
	uint32_t   *digit = b->digit[task];

	for (uint32_t i = task * b->chunk; i < chunk_end(b, task); i++)
		b->other[digit[b->word[i] >> b->shift & (DIGITS - 1)]++] = b->word[i];
}

/* Sorts the words by the place: radix sort, lowest digit first. */
static void
sort_words(MfJob *job, Build *b, uint32_t chunks)
{
	if (b->tree->count <= FEW)
	{
		mf_sort_words(b->word, b->tree->count);
		return;
	}
	for (int pass = 0; pass < PASSES; pass++)
	{
		uint64_t   *word = b->word;
		uint32_t	begin = 0;

		mf_job_progress(job, MF_STAGE_WALLS, 1 + pass, PASSES + 2);
		b->shift = ITEM_BITS + pass * DIGIT_BITS;
		mf_pool_run(job->pool, chunks, count_digits, b);
		for (uint32_t d = 0; d < DIGITS; d++)
			for (uint32_t c = 0; c < chunks; c++)
			{
				const uint32_t count = b->digit[c][d];

				b->digit[c][d] = begin;
				begin += count;
			}
		mf_pool_run(job->pool, chunks, move_words, b);
		b->word = b->other;
		b->other = word;
	}
}

/* A box that holds nothing. */
static void
empty_box(MfTreeNode *node, int child)
{
	for (int k = 0; k < 3; k++)
	{
		node->low[k][child] = INFINITY;
		node->high[k][child] = -INFINITY;
	}
}

/* Takes the order over, and boxes the leaves of some nodes of the first level. */
static void
box_leaves(void *arg, uint32_t task)
{
	const Build *b = arg;
	MfTree	   *tree = b->tree;

	const uint32_t end = chunk_end(b, task);

	for (uint32_t i = task * b->chunk; i < end; i += MF_TREE_LEAF)
	{
		const uint32_t leaf = i / MF_TREE_LEAF;
		MfTreeNode *node = &tree->node[leaf / 4];
		float		low[3] = {INFINITY, INFINITY, INFINITY};
		float		high[3] = {-INFINITY, -INFINITY, -INFINITY};

		for (uint32_t n = i; n < tree->count && n < i + MF_TREE_LEAF; n++)
		{
			const uint32_t item = item_of(b->word[n]);
			double		from[3];
			double		to[3];

			if (b->expect != NULL && end - n > 2 * AHEAD)
			{
				b->expect(b->arg, item_of(b->word[n + 2 * AHEAD]), false);
				b->expect(b->arg, item_of(b->word[n + AHEAD]), true);
			}
			tree->order[n] = item;
			b->box(b->arg, item, from, to);
			for (int k = 0; k < 3; k++)
			{
				const float f = (float) ((from[k] - tree->centre[k]) *
										 tree->scale) - MARGIN;
				const float t = (float) ((to[k] - tree->centre[k]) *
										 tree->scale) + MARGIN;

				low[k] = f < low[k] ? f : low[k];
				high[k] = t > high[k] ? t : high[k];
			}
		}
		for (int k = 0; k < 3; k++)
		{
			node->low[k][leaf % 4] = low[k];
			node->high[k][leaf % 4] = high[k];
		}
	}
}

/* How many nodes a level has. */
static uint64_t
level_size(const MfTree *tree, uint32_t level)
{
	return (level + 1 < tree->levels ? tree->start[level + 1] :
			tree->node_count) - tree->start[level];
}

/* Boxes the nodes of a level above the first. */
static void
box_level(MfTree *tree, uint32_t level)
{
	const uint64_t below = level_size(tree, level - 1);

	for (uint64_t i = 0; i < 4 * level_size(tree, level); i++)
	{
		MfTreeNode *node = &tree->node[tree->start[level] + i / 4];
		const MfTreeNode *child = &tree->node[tree->start[level - 1] + i];

		empty_box(node, i % 4);
		for (int c = 0; i < below && c < 4; c++)
			for (int k = 0; k < 3; k++)
			{
				float	   *low = &node->low[k][i % 4];
				float	   *high = &node->high[k][i % 4];

				*low = child->low[k][c] < *low ? child->low[k][c] : *low;
				*high = child->high[k][c] > *high ? child->high[k][c] : *high;
			}
	}
}

/* The shape of a tree over so many items. */
static void
shape_tree(MfTree *tree, uint32_t count, const double low[3],
		   const double high[3])
{
	uint64_t	nodes = ((uint64_t) count + MF_TREE_LEAF - 1) / MF_TREE_LEAF;
	double		half = 0;

	memset(tree, 0, sizeof(*tree));
	tree->count = count;
	do
	{
		nodes = (nodes + 3) / 4;
		tree->start[tree->levels++] = tree->node_count;
		tree->node_count += nodes;
	}
	while (nodes > 1);
	for (int k = 0; k < 3; k++)
	{
		const double side = (high[k] - low[k]) / 2;

		tree->centre[k] = low[k] + side;
		half = side > half ? side : half;
	}
	tree->scale = half > 0 ? 1 / half : 1;
	if (!isfinite(tree->scale))
		tree->scale = 1;
}

/* Allocates; false: no memory. */
static bool
begin_build(MfJob *job, Build *b, uint32_t chunks)
{
	MfTree	   *tree = b->tree;
	const uint64_t words = tree->count * (uint64_t) sizeof(*b->word);

	tree->node = mf_memory_alloc(&job->memory,
								 tree->node_count * sizeof(*tree->node));
	tree->order = mf_memory_alloc(&job->memory, tree->count *
								  (uint64_t) sizeof(*tree->order));
	b->word = mf_memory_alloc(&job->memory, words);
	b->other = mf_memory_alloc(&job->memory,
							   tree->count > FEW ? words : 0);
	b->digit = mf_memory_alloc(&job->memory, tree->count > FEW ?
							   chunks * sizeof(*b->digit) : 0);
	return tree->node != NULL && tree->order != NULL && b->word != NULL &&
		b->other != NULL && b->digit != NULL;
}

static void
end_build(MfJob *job, Build *b, uint64_t *word, uint64_t *other,
		  uint32_t chunks)
{
	const uint64_t words = b->tree->count * (uint64_t) sizeof(*b->word);
	const bool	few = b->tree->count <= FEW;

	mf_memory_free(&job->memory, word, words);
	mf_memory_free(&job->memory, other, few ? 0 : words);
	mf_memory_free(&job->memory, b->digit, few ? 0 :
				   chunks * sizeof(*b->digit));
}

/* Builds a tree; see tree.h. */
bool
mf_tree_build(MfJob *job, MfTree *tree, uint32_t count, const double low[3],
			  const double high[3], MfTreeBox box, MfTreeExpect expect,
			  const void *arg)
{
	Build		b = {.tree = tree,.box = box,.expect = expect,.arg = arg};
	uint64_t   *word;
	uint64_t   *other;
	uint32_t	chunks;
	bool		good;

	shape_tree(tree, count, low, high);
	b.chunk = (count / MAX_CHUNKS / (4 * MF_TREE_LEAF) + 1) *
		(4 * MF_TREE_LEAF);
	if (b.chunk < MIN_CHUNK)
		b.chunk = MIN_CHUNK;
	chunks = (count - 1) / b.chunk + 1;
	good = begin_build(job, &b, chunks);
	word = b.word;
	other = b.other;
	if (good)
	{
		mf_job_progress(job, MF_STAGE_WALLS, 0, 1);
		mf_curve_begin(&b.curve);
		mf_pool_run(job->pool, chunks, find_places, &b);
		sort_words(job, &b, chunks);
		mf_job_progress(job, MF_STAGE_WALLS, PASSES + 1, PASSES + 2);
		for (int child = 0; child < 4; child++)
			empty_box(&tree->node[level_size(tree, 0) - 1], child);
		mf_pool_run(job->pool, chunks, box_leaves, &b);
		for (uint32_t level = 1; level < tree->levels; level++)
			box_level(tree, level);
	}
	end_build(job, &b, word, other, chunks);
	if (!good)
		mf_tree_free(job, tree);
	return good;
}

/* Gives a tree's memory back. */
void
mf_tree_free(MfJob *job, MfTree *tree)
{
	mf_memory_free(&job->memory, tree->node,
				   tree->node_count * sizeof(*tree->node));
	mf_memory_free(&job->memory, tree->order,
				   tree->count * (uint64_t) sizeof(*tree->order));
	memset(tree, 0, sizeof(*tree));
}
