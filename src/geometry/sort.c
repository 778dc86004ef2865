/*
 * sort.c
 *		Sorting 64-bit words in place.
 *
 * qsort of the C library may allocate, and may ask the system how much
 * memory it has; neither is allowed behind the sandbox's filter.
 */
#include <string.h>

#include "mesh.h"

/* Up to so many words, insertion sort is the fastest. */
#define FEW		32

/* Words of the runs that a merge sort begins with. */
#define RUN			16

/* Up to so many, a radix sort's counters cost more than they bring. */
#define SOME	256

/* Insertion sort. */
static void
sort_few(uint64_t *words, size_t count)
{
	for (size_t i = 1; i < count; i++)
	{
		uint64_t	word = words[i];
		size_t		at = i;

		for (; at > 0 && words[at - 1] > word; at--)
			words[at] = words[at - 1];
		words[at] = word;
	}
}

/*
 * Merge sort from short runs, over room on the stack: n log n at its worst,
 * too.
 */
static void
sort_some(uint64_t *words, size_t count)
{
	uint64_t	room[SOME];
	uint64_t   *from = words;
	uint64_t   *into = room;

	for (size_t i = 0; i < count; i += RUN)
		sort_few(words + i, count - i < RUN ? count - i : RUN);
	for (size_t run = RUN; run < count; run *= 2)
	{
		uint64_t   *merged = into;

		for (size_t i = 0; i < count; i += 2 * run)
		{
			size_t		a = i;
			const size_t middle = count - i < run ? count : i + run;
			size_t		b = middle;
			const size_t end = count - middle < run ? count : middle + run;

			for (size_t at = i; at < end; at++)
				into[at] = b == end || (a < middle && from[a] <= from[b]) ?
					from[a++] : from[b++];
		}
		into = from;
		from = merged;
	}
	if (from != words)
		memcpy(words, from, count * sizeof(*words));
}

/*
 * Radix sort in place, from the highest byte that differs to the lowest
 * (McIlroy, Bostic and McIlroy, "Engineering radix sort", 1993): eight passes
 * at most.
 */
static void
sort_many(uint64_t *words, size_t count)
{
	size_t		from[257];
	size_t		next[256];
	uint64_t	differ = 0;
	int			shift;

	for (size_t i = 1; i < count; i++)
		differ |= words[i] ^ words[0];
	if (differ == 0)
		return;
	shift = (63 - __builtin_clzll(differ)) / 8 * 8;

	memset(from, 0, sizeof(from));
	for (size_t i = 0; i < count; i++)
		from[(words[i] >> shift & 0xff) + 1]++;
	for (int b = 0; b < 256; b++)
	{
		from[b + 1] += from[b];
		next[b] = from[b];
	}
	for (int b = 0; b < 256; b++)
		while (next[b] < from[b + 1])
		{
			const uint64_t word = words[next[b]];
			const int	to = word >> shift & 0xff;

			words[next[b]] = words[next[to]];
			words[next[to]++] = word;
		}
	for (int b = 0; b < 256 && shift > 0; b++)
		mf_sort_words(words + from[b], from[b + 1] - from[b]);
}

/*
 * Sorts in ascending order.  Whoever makes a file can make any order: no
 * way takes longer than n log n.
 */
void
mf_sort_words(uint64_t *words, size_t count)
{
	if (count <= FEW)
		sort_few(words, count);
	else if (count <= SOME)
		sort_some(words, count);
	else
		sort_many(words, count);
}
