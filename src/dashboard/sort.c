/*
 * sort.c
 *		Open orders by status.
 *
 * A table of its own, and no index of dashboard_orders: nearly every write of
 * that row is a step, and would go into each of its indexes if one of them
 * had the status.
 */
#include "postgres.h"

#include "dashboard.h"

static void
fill(MfOwnRow *row, const MfOwnRow *order)
{
	mf_dashboard_copy(row, MF_SORTED_STATUS, order->value, order->is_null, MF_SHOWN_STATUS);
	mf_dashboard_copy(row, MF_SORTED_CREATED_AT, order->value, order->is_null, MF_SHOWN_CREATED_AT);
	mf_dashboard_copy(row, MF_SORTED_ORDER_ID, order->value, order->is_null, MF_SHOWN_ORDER_ID);
}

static bool
find(const MfOwnRow *order, MfOwnRow *row)
{
	MfOwnRow	key;

	fill(&key, order);
	return mf_dashboard_find(&mf_dashboard_sorted, key.value, row);
}

void
mf_dashboard_sort(const MfOwnRow *before, const MfOwnRow *after)
{
	MfOwnRow	row;
	MfOwnRow	there;

	if (before != NULL && find(before, &there))
	{
		if (after == NULL)
		{
			mf_dashboard_remove(&mf_dashboard_sorted, &there);
			return;
		}
		fill(&row, after);
		mf_dashboard_move(&mf_dashboard_sorted, &there, &row);
	}
	else if (after != NULL && !find(after, &there))
	{
		fill(&row, after);
		mf_dashboard_insert(&mf_dashboard_sorted, &row);
	}
}
