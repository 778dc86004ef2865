/*
 * show_work.c
 *		A work order has changed: its row of the dispatch list, and what the
 *		order's row says of its work.
 *
 * Counts follow the two versions that the trigger is about, so they add up
 * in whatever order triggers run; everything else is made what it must be by
 * now.
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "dashboard.h"
#include "fmgr.h"
#include "utils/datum.h"

PG_FUNCTION_INFO_V1(mesflow_show_work);

static bool
differs(const MfWorkRow *a, const MfWorkRow *b, MfWorkColumn column)
{
	int			length = -1;

	if (a->is_null[column] || b->is_null[column])
		return a->is_null[column] != b->is_null[column];
	switch (column)
	{
		case MF_WORK_KIND:
		case MF_WORK_QUANTITY:
			return DatumGetInt32(a->value[column]) != DatumGetInt32(b->value[column]);
		case MF_WORK_QUEUED_AT:
			return DatumGetInt64(a->value[column]) != DatumGetInt64(b->value[column]);
		case MF_WORK_MODEL:
			length = UUID_LEN;
			break;
		default:
			break;
	}
	return !datum_image_eq(a->value[column], b->value[column], false, length);
}

/* Is anything else to be seen of it?  What it is about never changes. */
static bool
is_other(const MfWorkRow *before, const MfWorkRow *after)
{
	static const MfWorkColumn shown[] = {
		MF_WORK_STATE, MF_WORK_OPERATOR, MF_WORK_STATION, MF_WORK_QUEUED_AT,
		MF_WORK_QUANTITY, MF_WORK_OPERATION, MF_WORK_KIND, MF_WORK_PROCESS,
		MF_WORK_MATERIAL, MF_WORK_MODEL
	};

	for (int i = 0; i < (int) lengthof(shown); i++)
		if (differs(before, after, shown[i]))
			return true;
	return false;
}

static void
add(MfOwnRow *order, MfShownColumn column, int difference)
{
	order->value[column] = Int32GetDatum(DatumGetInt32(order->value[column]) + difference);
}

static void
count(MfOwnRow *order, const MfWorkRow *work, int sign)
{
	if (mf_dashboard_is_done(work))
		add(order, MF_SHOWN_WORK_DONE, sign);
	if (mf_dashboard_counts(work))
		add(order, MF_SHOWN_WORK_TOTAL, sign);
}

static void
note_operator(MfOwnRow *order, const MfWorkRow *work)
{
	if (mf_dashboard_is_held(work))
		order->value[MF_SHOWN_OPERATORS] =
			mf_dashboard_operators(order->value[MF_SHOWN_OPERATORS],
								   order->value[MF_SHOWN_ORDER_ID],
								   work->value[MF_WORK_OPERATOR]);
}

/* AFTER INSERT OR UPDATE, row trigger of _work_orders. */
PGDLLEXPORT Datum
mesflow_show_work(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	bool		is_update;
	HeapTuple	tuple;
	HeapTuple	newest;
	MfWorkRow	before;
	MfWorkRow	after;
	MfWorkRow	now;
	MfOwnRow	shown;
	MfOwnRow	order;

	if (!CALLED_AS_TRIGGER(fcinfo))
		elog(ERROR, "not called as a trigger");
	is_update = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
	tuple = is_update ? trigger->tg_newtuple : trigger->tg_trigtuple;
	newest = mf_dashboard_newest(trigger->tg_relation, "_work_orders_pkey", tuple);
	mf_dashboard_open_work(&after, trigger->tg_relation, tuple);
	now = after;
	if (newest != tuple)
		mf_dashboard_open_work(&now, trigger->tg_relation, newest);
	if (is_update)
	{
		mf_dashboard_open_work(&before, trigger->tg_relation, trigger->tg_trigtuple);
		if (!is_other(&before, &after) && !is_other(&before, &now))
			return PointerGetDatum(NULL);
	}

	/* No row: it has ended, or a restore has still to bring it. */
	if (!mf_dashboard_find(&mf_dashboard_orders, &after.value[MF_WORK_ORDER_ID], &shown))
		return PointerGetDatum(NULL);
	order = shown;
	count(&order, &after, 1);
	note_operator(&order, &after);
	if (is_update)
	{
		count(&order, &before, -1);
		note_operator(&order, &before);
	}
	if (mf_dashboard_differs(&mf_dashboard_orders, &shown, &order))
		mf_dashboard_update(&mf_dashboard_orders, &order);
	if (is_update || mf_dashboard_waits(&now))
		mf_dashboard_list(&now, &order);
	return PointerGetDatum(NULL);
}
