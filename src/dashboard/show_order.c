/*
 * show_order.c
 *		An order has changed: its row of dashboard_orders, which is there
 *		while it is open.
 *
 * What is shown is compared with the order as it is by now, so it does not
 * matter in which order triggers run, and nothing is written twice.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "dashboard.h"
#include "flow.h"
#include "fmgr.h"
#include "tables.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(mesflow_show_order);

/* Columns of orders, in the order of CREATE TABLE. */
typedef enum OrderColumn
{
	ORDER_ID, ORDER_NUMBER, ORDER_PARTNER, ORDER_EXTERNAL_REF, ORDER_STATUS,
	ORDER_STATUS_SINCE, ORDER_EVENT_SEQ, ORDER_NET, ORDER_TAX, ORDER_TOTAL,
	ORDER_CURRENCY, ORDER_PRIORITY, ORDER_CREATED_AT, ORDER_DUE_AT,
	ORDER_PRICE_EXPIRES_AT, ORDER_CLOSED_AT, ORDER_COLUMNS
} OrderColumn;

static const char *const order_columns[ORDER_COLUMNS] = {
	"id", "number", "partner", "external_ref", "status", "status_since",
	"event_seq", "net", "tax", "total", "currency", "priority", "created_at",
	"due_at", "price_expires_at", "closed_at"
};

typedef struct Order
{
	Datum		value[ORDER_COLUMNS];
	bool		is_null[ORDER_COLUMNS];
} Order;

static bool
is_workable(Datum name)
{
	const MfStatus *status = mf_flow_status(TextDatumGetCString(name));

	return status != NULL && status->workable;
}

static void
fill(MfOwnRow *row, const Order *order)
{
	static const struct
	{
		MfShownColumn to;
		OrderColumn from;
	}			columns[] = {
		{MF_SHOWN_ORDER_ID, ORDER_ID},
		{MF_SHOWN_NUMBER, ORDER_NUMBER},
		{MF_SHOWN_PARTNER, ORDER_PARTNER},
		{MF_SHOWN_EXTERNAL_REF, ORDER_EXTERNAL_REF},
		{MF_SHOWN_STATUS, ORDER_STATUS},
		{MF_SHOWN_STATUS_SINCE, ORDER_STATUS_SINCE},
		{MF_SHOWN_PRIORITY, ORDER_PRIORITY},
		{MF_SHOWN_TOTAL, ORDER_TOTAL},
		{MF_SHOWN_CURRENCY, ORDER_CURRENCY},
		{MF_SHOWN_CREATED_AT, ORDER_CREATED_AT},
		{MF_SHOWN_DUE_AT, ORDER_DUE_AT}
	};

	for (int i = 0; i < (int) lengthof(columns); i++)
		mf_dashboard_copy(row, columns[i].to, order->value, order->is_null, columns[i].from);
}

/* A new order has no work; one that is restored, or was open before, may have. */
static void
count_work(MfOwnRow *row)
{
	List	   *all = mf_dashboard_work(row->value[MF_SHOWN_ORDER_ID]);
	int			done = 0;
	int			total = 0;
	ListCell   *cell;

	mf_dashboard_set(row, MF_SHOWN_OPERATORS, mf_dashboard_no_texts());
	foreach(cell, all)
	{
		const MfWorkRow *work = lfirst(cell);

		done += mf_dashboard_is_done(work);
		total += mf_dashboard_counts(work);
		if (mf_dashboard_is_held(work))
			row->value[MF_SHOWN_OPERATORS] =
				mf_dashboard_operators(row->value[MF_SHOWN_OPERATORS],
									   row->value[MF_SHOWN_ORDER_ID],
									   work->value[MF_WORK_OPERATOR]);
	}
	mf_dashboard_set(row, MF_SHOWN_WORK_DONE, Int32GetDatum(done));
	mf_dashboard_set(row, MF_SHOWN_WORK_TOTAL, Int32GetDatum(total));
}

static void
show_new(const Order *order)
{
	MfOwnRow	row;

	fill(&row, order);
	mf_dashboard_set(&row, MF_SHOWN_ITEMS, Int32GetDatum(mf_dashboard_items(order->value[ORDER_ID])));
	mf_dashboard_set(&row, MF_SHOWN_ALARMS, mf_dashboard_no_texts());
	mf_dashboard_set(&row, MF_SHOWN_WORKABLE, BoolGetDatum(is_workable(order->value[ORDER_STATUS])));
	count_work(&row);
	mf_dashboard_insert(&mf_dashboard_orders, &row);
	mf_dashboard_sort(NULL, &row);
	mf_dashboard_list_order(&row);
}

static void
remove_shown(MfOwnRow *shown)
{
	mf_dashboard_remove(&mf_dashboard_orders, shown);
	mf_dashboard_sort(shown, NULL);
	mf_dashboard_set(shown, MF_SHOWN_WORKABLE, BoolGetDatum(false));
	mf_dashboard_list_order(shown);
}

static bool
due_differs(const MfOwnRow *a, const MfOwnRow *b)
{
	if (a->is_null[MF_SHOWN_DUE_AT] || b->is_null[MF_SHOWN_DUE_AT])
		return a->is_null[MF_SHOWN_DUE_AT] != b->is_null[MF_SHOWN_DUE_AT];
	return DatumGetTimestampTz(a->value[MF_SHOWN_DUE_AT]) != DatumGetTimestampTz(b->value[MF_SHOWN_DUE_AT]);
}

static void
show_change(const MfOwnRow *shown, const Order *order)
{
	MfOwnRow	row = *shown;
	bool		moved;

	fill(&row, order);
	moved = !datum_image_eq(row.value[MF_SHOWN_STATUS], shown->value[MF_SHOWN_STATUS], false, -1);
	if (moved)
		row.value[MF_SHOWN_WORKABLE] = BoolGetDatum(is_workable(row.value[MF_SHOWN_STATUS]));
	if (!mf_dashboard_differs(&mf_dashboard_orders, shown, &row))
		return;
	mf_dashboard_update(&mf_dashboard_orders, &row);
	if (moved)
		mf_dashboard_sort(shown, &row);
	if (DatumGetBool(row.value[MF_SHOWN_WORKABLE]) != DatumGetBool(shown->value[MF_SHOWN_WORKABLE]) ||
		DatumGetInt32(row.value[MF_SHOWN_PRIORITY]) != DatumGetInt32(shown->value[MF_SHOWN_PRIORITY]) ||
		due_differs(&row, shown))
		mf_dashboard_list_order(&row);
}

static void
open_shown(MfOwnRow *row, bool *closed, Relation orders, HeapTuple tuple)
{
	Order		order;

	mf_columns_open(orders, tuple, ORDER_COLUMNS, order.value, order.is_null);
	memset(row->is_null, true, sizeof(row->is_null));
	fill(row, &order);
	*closed = !order.is_null[ORDER_CLOSED_AT];
}

/* Does an UPDATE change anything that is shown?  One that counts events does not. */
static bool
changes(TriggerData *trigger)
{
	MfOwnRow	before;
	MfOwnRow	after;
	bool		was_closed;
	bool		is_closed;

	open_shown(&before, &was_closed, trigger->tg_relation, trigger->tg_trigtuple);
	open_shown(&after, &is_closed, trigger->tg_relation, trigger->tg_newtuple);
	return was_closed != is_closed || mf_dashboard_differs(&mf_dashboard_orders, &before, &after);
}

/* AFTER INSERT OR UPDATE, row trigger of orders. */
PGDLLEXPORT Datum
mesflow_show_order(PG_FUNCTION_ARGS)
{
	static Oid	checked = InvalidOid;

	TriggerData *trigger = (TriggerData *) fcinfo->context;
	HeapTuple	tuple;
	Order		order;
	MfOwnRow	shown;
	bool		found;

	if (!CALLED_AS_TRIGGER(fcinfo))
		elog(ERROR, "not called as a trigger");
	tuple = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : trigger->tg_trigtuple;
	mf_columns_check(trigger->tg_relation, order_columns, ORDER_COLUMNS, &checked);
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) && !changes(trigger))
		return PointerGetDatum(NULL);
	mf_columns_open(trigger->tg_relation,
					mf_dashboard_newest(trigger->tg_relation, "orders_pkey", tuple),
					ORDER_COLUMNS, order.value, order.is_null);
	found = mf_dashboard_find(&mf_dashboard_orders, &order.value[ORDER_ID], &shown);
	if (!order.is_null[ORDER_CLOSED_AT])
	{
		if (found)
			remove_shown(&shown);
	}
	else if (found)
		show_change(&shown, &order);
	else
		show_new(&order);
	return PointerGetDatum(NULL);
}
