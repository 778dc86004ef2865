/*
 * merge.c
 *		Spans of the same order, merged: a row of each is at hand, and the
 *		first of them is next.
 *
 * They are few (what a station can do, statuses of a system), so they are
 * looked through for each row.
 */
#include "postgres.h"

#include "span.h"

MfSpan *
mf_merge_add(MfMerge *merge, const MfOrdered *by, bool down)
{
	MfSpan	   *span = palloc(sizeof(MfSpan));

	if (merge->count == merge->room)
	{
		merge->room = Max(8, 2 * merge->room);
		merge->spans = merge->spans == NULL ?
			palloc(merge->room * sizeof(MfSpan *)) :
			repalloc(merge->spans, merge->room * sizeof(MfSpan *));
	}
	merge->spans[merge->count++] = span;
	mf_span_init(span, by, down);
	return span;
}

/* A span that is at its end is of no more interest. */
static bool
go_on(MfMerge *merge, int at)
{
	if (mf_span_next(merge->spans[at]))
		return true;
	mf_span_end(merge->spans[at]);
	merge->spans[at] = merge->spans[--merge->count];
	return false;
}

void
mf_merge_begin(MfMerge *merge, const MfPlace *after)
{
	for (int i = 0; i < merge->count; i++)
		mf_span_begin(merge->spans[i], after);
	for (int i = 0; i < merge->count;)
		if (go_on(merge, i))
			i++;
	merge->taken = NULL;
}

MfSpan *
mf_merge_next(MfMerge *merge)
{
	MfSpan	   *first = NULL;

	for (int i = 0; i < merge->count;)
	{
		MfSpan	   *span = merge->spans[i];

		if (span == merge->taken)
		{
			merge->taken = NULL;
			if (!go_on(merge, i))
				continue;
		}
		if (first == NULL || mf_place_compare(&span->place, &first->place, span->down) < 0)
			first = span;
		i++;
	}
	merge->taken = first;
	return first;
}

void
mf_merge_end(MfMerge *merge)
{
	for (int i = 0; i < merge->count; i++)
		mf_span_end(merge->spans[i]);
	merge->count = 0;
}
