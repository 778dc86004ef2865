/*
 * dispatch.c
 *		The dispatch list: a row for each work order that waits, of an order
 *		that has work on the floor.
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "dashboard.h"
#include "fmgr.h"
#include "page.h"
#include "tables.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(mesflow_show_alarms);

static bool
has_alarm(const MfOwnRow *order)
{
	return ARR_NDIM(DatumGetArrayTypeP(order->value[MF_SHOWN_ALARMS])) > 0;
}

/* What is the work order's. */
static void
fill_from_work(MfOwnRow *row, const MfWorkRow *work)
{
	static const struct
	{
		MfListedColumn to;
		MfWorkColumn from;
	}			columns[] = {
		{MF_LISTED_WORK_ORDER, MF_WORK_ID},
		{MF_LISTED_ORDER_NUMBER, MF_WORK_ORDER_NUMBER},
		{MF_LISTED_PARTNER, MF_WORK_PARTNER},
		{MF_LISTED_PROCESS, MF_WORK_PROCESS},
		{MF_LISTED_OPERATION, MF_WORK_OPERATION},
		{MF_LISTED_MATERIAL, MF_WORK_MATERIAL},
		{MF_LISTED_QUANTITY, MF_WORK_QUANTITY},
		{MF_LISTED_MODEL, MF_WORK_MODEL},
		{MF_LISTED_OPERATOR, MF_WORK_OPERATOR},
		{MF_LISTED_STATION, MF_WORK_STATION},
		{MF_LISTED_STATE, MF_WORK_STATE},
		{MF_LISTED_QUEUED_AT, MF_WORK_QUEUED_AT},
		{MF_LISTED_ORDER_ID, MF_WORK_ORDER_ID},
		{MF_LISTED_KIND, MF_WORK_KIND}
	};

	for (int i = 0; i < (int) lengthof(columns); i++)
		mf_dashboard_copy(row, columns[i].to, work->value, work->is_null, columns[i].from);
	mf_dashboard_set(row, MF_LISTED_NUMBER,
					 CStringGetTextDatum(psprintf("%s-%d", TextDatumGetCString(work->value[MF_WORK_ORDER_NUMBER]),
												  DatumGetInt32(work->value[MF_WORK_NTH]))));
}

/* What is the order's, and the places in the list that follow. */
static void
fill_from_order(MfOwnRow *row, const MfWorkRow *work, const MfOwnRow *order)
{
	int64		rank = DatumGetInt32(order->value[MF_SHOWN_PRIORITY]);
	bool		alarm = has_alarm(order);
	TimestampTz due_key;

	if (alarm)
		rank += MF_RANK_ALARM;
	if (mf_dashboard_is_text(work->value[MF_WORK_STATE], "queued"))
		rank += MF_RANK_FREE;
	TIMESTAMP_NOEND(due_key);
	if (!order->is_null[MF_SHOWN_DUE_AT])
		due_key = DatumGetTimestampTz(order->value[MF_SHOWN_DUE_AT]);
	mf_dashboard_copy(row, MF_LISTED_PRIORITY, order->value, order->is_null, MF_SHOWN_PRIORITY);
	mf_dashboard_copy(row, MF_LISTED_DUE_AT, order->value, order->is_null, MF_SHOWN_DUE_AT);
	mf_dashboard_set(row, MF_LISTED_ALARM, BoolGetDatum(alarm));
	mf_dashboard_set(row, MF_LISTED_RANK, Int64GetDatum(rank));
	mf_dashboard_set(row, MF_LISTED_DUE_KEY, TimestampTzGetDatum(due_key));
}

void
mf_dashboard_list(const MfWorkRow *work, const MfOwnRow *order)
{
	bool		listed = DatumGetBool(order->value[MF_SHOWN_WORKABLE]) && mf_dashboard_waits(work);
	MfOwnRow	before;
	MfOwnRow	after;
	bool		found = mf_dashboard_find(&mf_dashboard_dispatch, &work->value[MF_WORK_ID], &before);

	if (!listed)
	{
		if (found)
			mf_dashboard_remove(&mf_dashboard_dispatch, &before);
		return;
	}
	if (found)
		after.place = before.place;
	fill_from_work(&after, work);
	fill_from_order(&after, work, order);
	if (!found)
		mf_dashboard_insert(&mf_dashboard_dispatch, &after);
	else if (mf_dashboard_differs(&mf_dashboard_dispatch, &before, &after))
		mf_dashboard_update(&mf_dashboard_dispatch, &after);
}

void
mf_dashboard_list_order(const MfOwnRow *order)
{
	List	   *all;
	ListCell   *cell;

	/* Most orders that change have no work yet. */
	if (DatumGetInt32(order->value[MF_SHOWN_WORK_TOTAL]) == 0)
		return;
	all = mf_dashboard_work(order->value[MF_SHOWN_ORDER_ID]);
	foreach(cell, all)
	{
		const MfWorkRow *work = lfirst(cell);

		if (mf_dashboard_waits(work))
			mf_dashboard_list(work, order);
	}
}

/* AFTER UPDATE OF alarms, row trigger of dashboard_orders. */
PGDLLEXPORT Datum
mesflow_show_alarms(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	MfOwnRow	order;

	if (!CALLED_AS_TRIGGER(fcinfo))
		elog(ERROR, "not called as a trigger");
	mf_columns_check(trigger->tg_relation, mf_dashboard_orders.columns, MF_SHOWN_COLUMNS,
					 &mf_dashboard_orders.checked);
	mf_columns_open(trigger->tg_relation, trigger->tg_newtuple, MF_SHOWN_COLUMNS,
					order.value, order.is_null);
	mf_dashboard_list_order(&order);
	return PointerGetDatum(NULL);
}
