/*
 * sort.c
 *		Sorting 64-bit words in place.
 *
 * qsort of the C library may allocate, and may ask the system how much
 * memory it has; neither is allowed behind the sandbox's filter.
 */
#include "mesh.h"

/* Up to so many words, insertion sort is the fastest. */
#define FEW	32

static void
sift_down(uint64_t *words, size_t root, size_t count)
{
	uint64_t	word = words[root];

	for (;;)
	{
		size_t		child = 2 * root + 1;

		if (child >= count)
			break;
		if (child + 1 < count && words[child + 1] > words[child])
			child++;
		if (words[child] <= word)
			break;
		words[root] = words[child];
		root = child;
	}
	words[root] = word;
}

/*
 * Sorts in ascending order.  Heap sort above a few words: whoever makes a
 * file can make any order, and n log n is its worst, too.
 */
void
mf_sort_words(uint64_t *words, size_t count)
{
	if (count <= FEW)
	{
		for (size_t i = 1; i < count; i++)
		{
			uint64_t	word = words[i];
			size_t		at = i;

			for (; at > 0 && words[at - 1] > word; at--)
				words[at] = words[at - 1];
			words[at] = word;
		}
		return;
	}
	for (size_t root = count / 2; root-- > 0;)
		sift_down(words, root, count);
	for (size_t last = count - 1; last > 0; last--)
	{
		uint64_t	largest = words[0];

		words[0] = words[last];
		words[last] = largest;
		sift_down(words, 0, last);
	}
}
