/*
 * copies.c
 *		Groups the instances of a scene by pose and height.
 */
#include <stdlib.h>
#include <string.h>

#include "copies.h"

/* By pose, then by height; equal ones are alike. */
static int
compare_copies(const void *a, const void *b)
{
	const MfCopy *one = a;
	const MfCopy *other = b;

	if (one->pose != other->pose)
		return one->pose < other->pose ? -1 : 1;
	return (one->z > other->z) - (one->z < other->z);
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
	qsort(copies->copy, copies->room, sizeof(*copies->copy), compare_copies);
	for (uint32_t n = 0; n < copies->room; n++)
		if (n > 0 && compare_copies(&copies->copy[kept - 1],
									&copies->copy[n]) == 0)
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
