/*
 * copies.c
 *		Groups the instances of a scene by pose and height.
 */
#include <string.h>

#include "copies.h"

/* By pose, then by height; equal ones are alike. */
static inline bool
is_before(const MfCopy *a, const MfCopy *b)
{
	return a->pose < b->pose || (a->pose == b->pose && a->z < b->z);
}

static void
sift_down(MfCopy *copy, uint32_t root, uint32_t count)
{
	const MfCopy moved = copy[root];

	for (;;)
	{
		uint32_t	child = 2 * root + 1;

		if (child >= count)
			break;
		if (child + 1 < count && is_before(&copy[child], &copy[child + 1]))
			child++;
		if (!is_before(&moved, &copy[child]))
			break;
		copy[root] = copy[child];
		root = child;
	}
	copy[root] = moved;
}

/* Heap sort, for the reason that sort.c gives. */
static void
sort_copies(MfCopy *copy, uint32_t count)
{
	for (uint32_t root = count / 2; root-- > 0;)
		sift_down(copy, root, count);
	for (uint32_t last = count; last-- > 1;)
	{
		const MfCopy largest = copy[0];

		copy[0] = copy[last];
		copy[last] = largest;
		sift_down(copy, 0, last);
	}
}

/* Groups the instances; see copies.h. */
bool
mf_copies_find(MfJob *job, const MfScene *scene, MfCopies *copies)
{
	uint32_t	kept = 0;

	memset(copies, 0, sizeof(*copies));
	copies->copy = mf_memory_alloc(&job->memory, scene->instance_count *
								   (uint64_t) sizeof(*copies->copy));
	if (copies->copy == NULL)
		return mf_job_out_of_memory(job);
	copies->room = scene->instance_count;
	for (uint32_t n = 0; n < scene->instance_count; n++)
	{
		copies->copy[n].pose = scene->instance[n].pose;
		copies->copy[n].count = 1;
		copies->copy[n].z = scene->instance[n].shift[2];
	}
	sort_copies(copies->copy, copies->room);
	for (uint32_t n = 0; n < copies->room; n++)
		if (n > 0 && !is_before(&copies->copy[kept - 1], &copies->copy[n]))
			copies->copy[kept - 1].count++;
		else
			copies->copy[kept++] = copies->copy[n];
	copies->count = kept;
	return true;
}

/* Gives the memory back. */
void
mf_copies_free(MfJob *job, MfCopies *copies)
{
	mf_memory_free(&job->memory, copies->copy,
				   copies->room * (uint64_t) sizeof(*copies->copy));
	memset(copies, 0, sizeof(*copies));
}
