/*
 * merge.c
 *		Ranges of the same order, merged: a row of each is at hand, and the
 *		first of them is next.
 *
 * They are few (what a station can do, statuses of a system), so they are
 * looked through for each row.
 */
#include "postgres.h"

#include "page.h"

MfRange *
mf_merge_add(MfMerge *merge, const MfOrdered *by, bool down)
{
	MfRange    *range = palloc(sizeof(MfRange));

	if (merge->count == merge->room)
	{
		merge->room = Max(8, 2 * merge->room);
		merge->ranges = merge->ranges == NULL ?
			palloc(merge->room * sizeof(MfRange *)) :
			repalloc(merge->ranges, merge->room * sizeof(MfRange *));
	}
	merge->ranges[merge->count++] = range;
	mf_range_init(range, by, down);
	return range;
}

/* A range that is at its end is of no more interest. */
static bool
go_on(MfMerge *merge, int at)
{
	if (mf_range_next(merge->ranges[at]))
		return true;
	mf_range_end(merge->ranges[at]);
	merge->ranges[at] = merge->ranges[--merge->count];
	return false;
}

void
mf_merge_begin(MfMerge *merge, const MfPlace *after)
{
	for (int i = 0; i < merge->count; i++)
		mf_range_begin(merge->ranges[i], after);
	for (int i = 0; i < merge->count;)
		if (go_on(merge, i))
			i++;
	merge->taken = NULL;
}

MfRange *
mf_merge_next(MfMerge *merge)
{
	MfRange    *first = NULL;

	for (int i = 0; i < merge->count;)
	{
		MfRange    *range = merge->ranges[i];

		if (range == merge->taken)
		{
			merge->taken = NULL;
			if (!go_on(merge, i))
				continue;
		}
		if (first == NULL || mf_place_compare(&range->place, &first->place, range->down) < 0)
			first = range;
		i++;
	}
	merge->taken = first;
	return first;
}

void
mf_merge_end(MfMerge *merge)
{
	for (int i = 0; i < merge->count; i++)
		mf_range_end(merge->ranges[i]);
	merge->count = 0;
}
