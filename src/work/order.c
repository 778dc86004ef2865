/*
 * order.c
 *		Work follows its order, and the order its work.
 *
 * A trigger on orders, behind the one that writes the event of the step and
 * the one that shows the order: work is planned, or cancelled, under the same
 * row lock and in the same transaction.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "flow.h"
#include "fmgr.h"
#include "mesflow.h"
#include "miscadmin.h"
#include "tables.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "work.h"

PG_FUNCTION_INFO_V1(mesflow_plan_work);
PG_FUNCTION_INFO_V1(mesflow_cancel_item_work);

#define MF_STATUS_PRODUCED	"produced"

static MfPlan lock_plan = {
	.sql = "SELECT o.status, o.number, o.held_from FROM mesflow.orders o WHERE o.id OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE",
	.by_index = true,
	.writes = true,
	.arguments = 1,
	.types = {UUIDOID}
};

/*
 * The live items of an order, and how many pieces of each are neither done
 * nor being made.
 */
static MfPlan items_plan = {
	.sql = "SELECT i.id, q.model, q.material, q.process, coalesce(p.operations, '{make}'),"
	" (q.quantity OPERATOR(pg_catalog.-) coalesce((SELECT pg_catalog.sum(w.good) FROM mesflow._work_orders w"
	" WHERE w.order_id OPERATOR(pg_catalog.=) $1 AND w.item OPERATOR(pg_catalog.=) i.id"
	" AND w.state OPERATOR(pg_catalog.=) 'finished' AND w.step OPERATOR(pg_catalog.=) w.steps), 0))::pg_catalog.int4,"
	" o.partner, o.number"
	" FROM mesflow.orders o JOIN mesflow._order_items i ON i.order_id OPERATOR(pg_catalog.=) o.id"
	" JOIN mesflow._quotes q ON q.id OPERATOR(pg_catalog.=) i.quote"
	" LEFT JOIN mesflow.processes p ON p.code OPERATOR(pg_catalog.=) q.process"
	" WHERE o.id OPERATOR(pg_catalog.=) $1 AND i.cancelled_at IS NULL ORDER BY i.position",
	.by_index = true,
	.writes = true,
	.arguments = 1,
	.types = {UUIDOID}
};

static MfPlan open_plan = {
	.sql = "SELECT " MF_WORK_COLUMNS " FROM mesflow._work_orders w WHERE w.order_id OPERATOR(pg_catalog.=) $1"
	" AND w.state OPERATOR(pg_catalog.=) ANY ('{planned,queued,assigned,started}'::pg_catalog.text[]) AND ($2 IS NULL OR w.item OPERATOR(pg_catalog.=) $2) ORDER BY w.lot, w.step",
	.by_index = true,
	.writes = true,
	.arguments = 2,
	.types = {UUIDOID, UUIDOID}
};

/* Is anything open, and has anything been finished? */
static MfPlan done_plan = {
	.sql = "SELECT EXISTS (SELECT FROM mesflow._work_orders w WHERE w.order_id OPERATOR(pg_catalog.=) $1"
	" AND w.state OPERATOR(pg_catalog.=) ANY ('{planned,queued,assigned,started}'::pg_catalog.text[])),"
	" EXISTS (SELECT FROM mesflow._work_orders w WHERE w.order_id OPERATOR(pg_catalog.=) $1 AND w.state OPERATOR(pg_catalog.=) 'finished')",
	.by_index = true,
	.writes = true,
	.arguments = 1,
	.types = {UUIDOID}
};

static MfPlan follow_plan = {
	.sql = "SELECT mesflow._follow_work($1, $2, $3)",
	.by_index = true,
	.writes = true,
	.arguments = 3,
	.types = {UUIDOID, TEXTOID, TEXTOID}
};

bool
mf_work_lock_order(const pg_uuid_t *order_id, MfWorkOrder *order)
{
	Datum		value = UUIDPGetDatum(order_id);
	const MfStatus *status;
	char	   *held_from;

	if (mf_plan_run(&lock_plan, &value, NULL) == 0)
		return false;
	order->status = mf_plan_text(0, 1);
	order->number = mf_plan_text(0, 2);
	status = mf_flow_status(order->status);
	order->workable = status != NULL && status->workable;
	order->hold = status != NULL && status->hold;
	held_from = mf_plan_text(0, 3);
	status = order->hold && held_from != NULL ? mf_flow_status(held_from) : NULL;
	order->held = status != NULL && status->workable;
	return true;
}

void
mf_work_step(const pg_uuid_t *order_id, const char *to, const char *actor)
{
	Datum		values[3] = {UUIDPGetDatum(order_id), CStringGetTextDatum(to), CStringGetTextDatum(actor)};

	(void) mf_plan_run(&follow_plan, values, NULL);
}

void
mf_work_follow(const pg_uuid_t *order_id, const char *actor)
{
	Datum		value = UUIDPGetDatum(order_id);
	Datum		is_open;
	Datum		is_begun;

	(void) mf_plan_run(&done_plan, &value, NULL);
	(void) mf_plan_find(0, 1, &is_open);
	(void) mf_plan_find(0, 2, &is_begun);
	if (!DatumGetBool(is_open) && DatumGetBool(is_begun))
		mf_work_step(order_id, MF_STATUS_PRODUCED, actor);
}

/* What an item needs a lot for. */
typedef struct PlannedItem
{
	MfWork		work;
	Datum		operations;
} PlannedItem;

static void
read_item(PlannedItem *item, const pg_uuid_t *order_id, uint64 row)
{
	MfWork	   *work = &item->work;
	Datum		value;

	memset(work, 0, sizeof(*work));
	work->order_id = *order_id;
	(void) mf_plan_find(row, 1, &value);
	work->item = *DatumGetUUIDP(value);
	(void) mf_plan_find(row, 2, &value);
	work->model = *DatumGetUUIDP(value);
	work->material = mf_plan_text(row, 3);
	work->process = mf_plan_text(row, 4);
	(void) mf_plan_find(row, 5, &item->operations);
	(void) mf_plan_find(row, 6, &value);
	work->quantity = DatumGetInt32(value);
	work->partner = mf_plan_text(row, 7);
	work->order_number = mf_plan_text(row, 8);
}

static void
plan_items(const pg_uuid_t *order_id, MfNews *news)
{
	Datum		value = UUIDPGetDatum(order_id);
	int			count = (int) mf_plan_run(&items_plan, &value, NULL);
	PlannedItem *items = palloc(Max(count, 1) * sizeof(PlannedItem));

	for (int i = 0; i < count; i++)
		read_item(&items[i], order_id, i);
	for (int i = 0; i < count; i++)
		if (items[i].work.quantity > 0)
			mf_lot_plan(&items[i].work, items[i].operations, news);
}

/* Cancels what is open of an order, or of one item of it. */
static void
cancel(const pg_uuid_t *order_id, const pg_uuid_t *item, MfNews *news)
{
	Datum		values[2] = {UUIDPGetDatum(order_id), UUIDPGetDatum(item)};
	int			count = (int) mf_plan_run(&open_plan, values, item != NULL ? NULL : " n");
	MfWork	   *rows = palloc(Max(count, 1) * sizeof(MfWork));

	for (int i = 0; i < count; i++)
		mf_work_row(&rows[i], i);
	for (int i = 0; i < count; i++)
		mf_work_cancel(&rows[i], news);
}

/* Of planned work nobody was told. */
void
mf_work_cancel(MfWork *work, MfNews *news)
{
	bool		was_planned = work->state == MF_WORK_PLANNED;

	work->state = MF_WORK_CANCELLED;
	work->cancelled_at = GetCurrentTimestamp();
	work->lease_until = MF_NEVER;
	mf_work_save(work);
	if (!was_planned)
		(void) mf_news_add(news, work, "work.cancelled", work->cancelled_at);
}

/*
 * Is any work of the order open?  Without an executor: every step from one
 * workable status to another, and every return from hold, asks.
 */
static bool
has_open(const pg_uuid_t *order_id)
{
	Relation	relation = table_open(mf_relation("_work_orders"), AccessShareLock);
	AttrNumber	state = (AttrNumber) SPI_fnumber(RelationGetDescr(relation), "state");
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;

	ScanKeyInit(&key, (AttrNumber) SPI_fnumber(RelationGetDescr(relation), "order_id"), BTEqualStrategyNumber,
				F_UUID_EQ, UUIDPGetDatum(order_id));
	scan = systable_beginscan(relation, mf_relation("_work_orders_open"), true, NULL, 1, &key);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		is_null;
		char	   *name = TextDatumGetCString(heap_getattr(tuple, state, RelationGetDescr(relation), &is_null));

		found = strcmp(name, mf_work_state_names[MF_WORK_FINISHED]) != 0 &&
			strcmp(name, mf_work_state_names[MF_WORK_CANCELLED]) != 0;
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return found;
}

/* A step of an order, and what it means for its work. */
typedef struct Step
{
	pg_uuid_t	order_id;
	char	   *from;
	char	   *to;
	char	   *actor;
} Step;

static void
follow_step(void *arg)
{
	Step	   *step = arg;
	const MfStatus *found = mf_flow_status(step->from);
	MfStatus	from = {0};
	MfStatus	to;
	MfNews		news = {.order_id = &step->order_id,.actor = step->actor};

	if (found != NULL)
		from = *found;
	found = mf_flow_status(step->to);
	if (found == NULL || found->hold)
		return;
	to = *found;
	if (!to.workable && !from.workable && !from.hold)
		return;
	if (to.workable && (from.workable || from.hold) && has_open(&step->order_id))
		return;
	mf_spi_connect();
	if (!to.workable)
		cancel(&step->order_id, NULL, &news);
	else if (!from.workable && !from.hold)
		plan_items(&step->order_id, &news);
	mf_news_write(&news);
	/* All of it may be finished, where the flow had no such step before. */
	if (to.workable && (from.workable || from.hold))
		mf_work_follow(&step->order_id, step->actor);
	SPI_finish();
}

static char *
column(TriggerData *trigger, HeapTuple tuple, const char *name)
{
	return SPI_getvalue(tuple, RelationGetDescr(trigger->tg_relation),
						SPI_fnumber(RelationGetDescr(trigger->tg_relation), name));
}

/* AFTER UPDATE, row trigger of orders. */
PGDLLEXPORT Datum
mesflow_plan_work(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	Step		step;
	Datum		id;
	bool		is_null;

	if (!CALLED_AS_TRIGGER(fcinfo))
		elog(ERROR, "not called as a trigger");
	step.from = column(trigger, trigger->tg_trigtuple, "status");
	step.to = column(trigger, trigger->tg_newtuple, "status");
	if (strcmp(step.from, step.to) == 0)
		return PointerGetDatum(NULL);
	id = SPI_getbinval(trigger->tg_newtuple, RelationGetDescr(trigger->tg_relation),
					   SPI_fnumber(RelationGetDescr(trigger->tg_relation), "id"), &is_null);
	step.order_id = *DatumGetUUIDP(id);
	step.actor = column(trigger, trigger->tg_newtuple, "status_by");
	mf_as_owner(follow_step, &step);
	return PointerGetDatum(NULL);
}

/* An item that is cancelled. */
typedef struct CancelledItem
{
	pg_uuid_t	order_id;
	pg_uuid_t	item;
	char	   *actor;
} CancelledItem;

static void
cancel_item(void *arg)
{
	CancelledItem *item = arg;
	MfNews		news = {.order_id = &item->order_id,.actor = item->actor};

	mf_spi_connect();
	cancel(&item->order_id, &item->item, &news);
	mf_news_write(&news);
	mf_work_follow(&item->order_id, item->actor);
	SPI_finish();
}

/*
 * AFTER UPDATE OF cancelled_at, row trigger of _order_items: whoever cancels
 * an item holds its order's row.
 */
PGDLLEXPORT Datum
mesflow_cancel_item_work(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	TupleDesc	desc;
	CancelledItem item;
	bool		is_null;

	if (!CALLED_AS_TRIGGER(fcinfo))
		elog(ERROR, "not called as a trigger");
	desc = RelationGetDescr(trigger->tg_relation);
	item.order_id = *DatumGetUUIDP(SPI_getbinval(trigger->tg_newtuple, desc, SPI_fnumber(desc, "order_id"), &is_null));
	item.item = *DatumGetUUIDP(SPI_getbinval(trigger->tg_newtuple, desc, SPI_fnumber(desc, "id"), &is_null));
	item.actor = column(trigger, trigger->tg_newtuple, "cancelled_by");
	mf_as_owner(cancel_item, &item);
	return PointerGetDatum(NULL);
}
