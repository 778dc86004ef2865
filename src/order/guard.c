/*
 * guard.c
 *		The state machine: what an UPDATE of an order may do, and what it
 *		stamps.  README.md has the diagram.
 *
 * A BEFORE ROW trigger, so the order's row is locked when it runs and OLD is
 * its newest version: the clock is read under that lock and never goes back
 * behind the status before.  The rules are the same for whoever updates; our
 * verbs say more about a step (MfStep), but get no other rules.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "check.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "guard.h"
#include "mesflow.h"
#include "order.h"
#include "plan.h"
#include "tables.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(mesflow_order_guard);

/* The step under way, and how deep in triggers it began. */
static const MfStep *step_under_way = NULL;
static int	step_depth;

/* What people may update; anything else is for those who price. */
#define IS_FREE(column) \
	((column) == MF_ORDER_STATUS || (column) == MF_ORDER_PRIORITY || \
	 (column) == MF_ORDER_DUE_AT)
#define IS_AMOUNT(column) \
	((column) == MF_ORDER_NET || (column) == MF_ORDER_TAX || \
	 (column) == MF_ORDER_TOTAL || (column) == MF_ORDER_CURRENCY || \
	 (column) == MF_ORDER_PRICE_EXPIRES_AT)

static int
trigger_depth(void)
{
	return DatumGetInt32(DirectFunctionCall1(pg_trigger_depth, (Datum) 0));
}

const MfStep *
mf_step_now(void)
{
	static const MfStep nothing_said = {0};

	return step_under_way != NULL && trigger_depth() == step_depth + 1 ?
		step_under_way : &nothing_said;
}

void
mf_step_run(const MfStep *step, void (*work) (void *), void *arg)
{
	const MfStep *outer = step_under_way;
	int			outer_depth = step_depth;

	step_under_way = step;
	step_depth = trigger_depth();
	PG_TRY();
	{
		work(arg);
	}
	PG_FINALLY();
	{
		step_under_way = outer;
		step_depth = outer_depth;
	}
	PG_END_TRY();
}

/* Which of the two events an UPDATE makes: see guard.h. */
MfOrderChange
mf_order_change(const MfOrder *before, const MfOrder *after, const MfStep *step)
{
	MfOrderChange change = {0};
	bool		amounts = false;

	change.status = mf_order_differs(before, after, MF_ORDER_STATUS);
	for (int column = 0; column < MF_ORDER_COLUMNS; column++)
		if (IS_AMOUNT(column) && column != MF_ORDER_PRICE_EXPIRES_AT)
			amounts |= mf_order_differs(before, after, column);
	change.priority = mf_order_differs(before, after, MF_ORDER_PRIORITY);
	change.due_at = mf_order_differs(before, after, MF_ORDER_DUE_AT);

	/* Approval sets a date where there was none; that is part of it. */
	if (change.status && before->is_null[MF_ORDER_DUE_AT])
		change.due_at = false;

	/* Amounts that come with a step are told by its event. */
	change.amounts = amounts && !change.status;
	change.fields = change.priority || change.due_at || change.amounts || step->touched;
	return change;
}

int
mf_order_events(const MfOrderChange *change)
{
	return (change->status ? 1 : 0) + (change->fields ? 1 : 0);
}

static void
refuse_column(const MfOrder *order, MfOrderColumn column)
{
	ereport(ERROR,
			(errcode(MF_ERRCODE_NOT_ALLOWED),
			 errmsg("column \"%s\" of an order does not change",
					mf_order_column_names[column]),
			 errdetail("It is about order %s.", mf_order_text(order, MF_ORDER_NUMBER)),
			 IS_AMOUNT(column) ?
			 errhint("Amounts follow the items: see mesflow.change_order, mesflow.cancel_item and mesflow.price_quote.") :
			 errhint("Status, priority and due_at can be updated; the rest follows by itself.")));
}

void
mf_order_check_due(TimestampTz due_at)
{
	struct pg_tm tm;
	fsec_t		microseconds;

	if (!TIMESTAMP_NOT_FINITE(due_at) &&
		timestamp2tm(due_at, NULL, &tm, &microseconds, NULL, NULL) == 0 &&
		tm.tm_year >= 1 && tm.tm_year <= 9999)
		return;
	ereport(ERROR,
			(errcode(MF_ERRCODE_BAD_ARGUMENT),
			 errmsg("date not allowed"),
			 errdetail("due_at is %s.", timestamptz_to_str(due_at)),
			 errhint("Give a day of the years 1 to 9999, or NULL: then it is set at approval.")));
}

static void
check_columns(const MfOrder *before, const MfOrder *after, const MfStep *step)
{
	for (int column = 0; column < MF_ORDER_COLUMNS; column++)
	{
		if (IS_FREE(column) || (step->sums && IS_AMOUNT(column)))
			continue;
		if (mf_order_differs(before, after, column))
			refuse_column(before, column);
	}
	if (after->is_null[MF_ORDER_STATUS] || after->is_null[MF_ORDER_PRIORITY])
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("an order has a status and a priority"),
				 errdetail("Order %s would have none.", mf_order_text(before, MF_ORDER_NUMBER)),
				 errhint("Known statuses: %s.", mf_flow_statuses())));
	if (!after->is_null[MF_ORDER_DUE_AT] &&
		mf_order_differs(before, after, MF_ORDER_DUE_AT))
		mf_order_check_due(DatumGetTimestampTz(after->value[MF_ORDER_DUE_AT]));
}

/* Did another transaction change this row since the statement began? */
static bool
changed_meanwhile(HeapTuple old)
{
	TransactionId xmin = HeapTupleHeaderGetXmin(old->t_data);

	return ActiveSnapshotSet() && TransactionIdIsNormal(xmin) &&
		!TransactionIdIsCurrentTransactionId(xmin) &&
		XidInMVCCSnapshot(xmin, GetActiveSnapshot());
}

/* The status that the statement saw; NULL where it saw no such order. */
static char *
status_seen(Relation orders, const MfOrder *order)
{
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	MfOrder		seen;
	char	   *status = NULL;

	ScanKeyInit(&key, MF_ORDER_ID + 1, BTEqualStrategyNumber, F_UUID_EQ,
				order->value[MF_ORDER_ID]);
	scan = systable_beginscan(orders, mf_relation("orders_pkey"), true,
							  GetActiveSnapshot(), 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		mf_order_open(&seen, orders, tuple);
		status = mf_order_text(&seen, MF_ORDER_STATUS);
	}
	systable_endscan(scan);
	return status;
}

static const char *
since(const MfOrder *order)
{
	return timestamptz_to_str(DatumGetTimestampTz(order->value[MF_ORDER_STATUS_SINCE]));
}

static const char *
mover(const MfOrder *order)
{
	char	   *by = mf_order_text(order, MF_ORDER_STATUS_BY);

	return by != NULL ? by : "somebody";
}

/* Of two steps at the same moment one wins; the other is told which. */
static void
check_nobody_else(Relation orders, HeapTuple old, const MfOrder *before,
				  const char *from, const char *to, const MfStep *step)
{
	if (step->expect != NULL && strcmp(step->expect, from) != 0)
		ereport(ERROR,
				(errcode(MF_ERRCODE_CONFLICT),
				 errmsg("the order is not in status \"%s\"", step->expect),
				 errdetail("Order %s is \"%s\" since %s, by \"%s\".",
						   mf_order_text(before, MF_ORDER_NUMBER), from, since(before), mover(before)),
				 errhint("Look at it again, and repeat the step if it is still wanted.")));
	if (changed_meanwhile(old))
	{
		char	   *seen = status_seen(orders, before);

		if (seen != NULL && strcmp(seen, from) != 0)
			ereport(ERROR,
					(errcode(MF_ERRCODE_CONFLICT),
					 errmsg("somebody else has just moved the order"),
					 errdetail("Order %s was \"%s\" when this statement began; it is \"%s\" since %s, by \"%s\", so it was not moved to \"%s\".",
							   mf_order_text(before, MF_ORDER_NUMBER), seen, from, since(before), mover(before), to),
					 errhint("Look at it again, and repeat the step if it is still wanted.")));
	}
}

static void
refuse_step(MfFlowAnswer answer, const MfOrder *order, const char *from, const char *to)
{
	char	   *number = mf_order_text(order, MF_ORDER_NUMBER);

	ereport(ERROR,
			(errcode(MF_ERRCODE_NOT_ALLOWED),
			 errmsg("an order does not go from \"%s\" to \"%s\"", from, to),
			 answer == MF_FLOW_OURS ?
			 errdetail("Order %s makes this step by itself, when its items have their prices.", number) :
			 answer == MF_FLOW_NO_ROLE ?
			 errdetail("This role may not make the step for order %s: see mesflow.order_transitions.roles.", number) :
			 errdetail("Order %s is \"%s\" since %s.", number, from, since(order)),
			 errhint("From \"%s\" it can go to: %s.", from, mf_flow_next(from))));
}

/* An order comes back from hold to where it was. */
static void
check_return(const MfOrder *before, const MfStatus *from, const MfStatus *to)
{
	char	   *held_from = mf_order_text(before, MF_ORDER_HELD_FROM);

	if (!from->hold || to->terminal || to->hold || held_from == NULL ||
		strcmp(held_from, to->name) == 0)
		return;
	ereport(ERROR,
			(errcode(MF_ERRCODE_NOT_ALLOWED),
			 errmsg("an order goes from \"%s\" back to where it was", from->name),
			 errdetail("Order %s came from \"%s\", not from \"%s\".",
					   mf_order_text(before, MF_ORDER_NUMBER), held_from, to->name),
			 errhint("Move it to \"%s\", and on from there.", held_from)));
}

/* Only what has a price can be called priced, or approved. */
static void
check_price(const MfOrder *order)
{
	if (order->is_null[MF_ORDER_TOTAL])
		ereport(ERROR,
				(errcode(MF_ERRCODE_NOT_ALLOWED),
				 errmsg("the order has no price yet"),
				 errdetail("Not all items of order %s are priced.", mf_order_text(order, MF_ORDER_NUMBER)),
				 errhint("See mesflow.order_items; a person prices what failed with mesflow.price_quote.")));
}

/* Approved are prices that still hold. */
static void
check_expiry(const MfOrder *order)
{
	TimestampTz expires_at;

	if (mf_order_time(order, MF_ORDER_PRICE_EXPIRES_AT, &expires_at) &&
		expires_at < GetCurrentTimestamp())
		ereport(ERROR,
				(errcode(MF_ERRCODE_NOT_ALLOWED),
				 errmsg("a quote of the order has expired"),
				 errdetail("The prices of order %s were good until %s.",
						   mf_order_text(order, MF_ORDER_NUMBER), timestamptz_to_str(expires_at)),
				 errhint("Ask for new prices: SELECT mesflow.requote_order('%s').", mf_order_id_text(order))));
}

/* The columns that the trigger replaces. */
typedef struct Stamps
{
	int			count;
	int			column[MF_ORDER_COLUMNS];
	Datum		value[MF_ORDER_COLUMNS];
	bool		is_null[MF_ORDER_COLUMNS];
} Stamps;

static void
stamp(Stamps *stamps, MfOrderColumn column, Datum value, bool is_null)
{
	stamps->column[stamps->count] = column + 1;
	stamps->value[stamps->count] = value;
	stamps->is_null[stamps->count] = is_null;
	stamps->count++;
}

static MfPlan due_plan = {
	.sql = "SELECT pg_catalog.max(q.lead_days) FROM mesflow._order_items i JOIN mesflow._quotes q ON q.id OPERATOR(pg_catalog.=) i.quote"
	" WHERE i.order_id OPERATOR(pg_catalog.=) $1 AND i.cancelled_at IS NULL",
	.by_index = true,
	.arguments = 1,
	.types = {UUIDOID}
};

/* Days of the item that takes longest; -1 where there is none. */
typedef struct LeadDays
{
	Datum		order_id;
	int			days;
} LeadDays;

static void
find_lead_days(void *arg)
{
	LeadDays   *lead = arg;
	Datum		days;

	mf_spi_connect();
	(void) mf_plan_run(&due_plan, &lead->order_id, NULL);
	lead->days = mf_plan_find(0, 1, &days) ? DatumGetInt32(days) : -1;
	SPI_finish();
}

static void
stamp_due(Stamps *stamps, const MfOrder *order, TimestampTz now)
{
	LeadDays	lead = {order->value[MF_ORDER_ID], -1};

	mf_as_owner(find_lead_days, &lead);
	if (lead.days >= 0)
		stamp(stamps, MF_ORDER_DUE_AT,
			  TimestampTzGetDatum(now + (int64) lead.days * USECS_PER_DAY), false);
}

static void
move(Relation orders, HeapTuple old, const MfOrder *before, const MfOrder *after,
	 const MfStep *step, Stamps *stamps)
{
	char	   *from_name = mf_order_text(before, MF_ORDER_STATUS);
	char	   *to_name = mf_order_text(after, MF_ORDER_STATUS);
	const MfStatus *found;
	MfStatus	from;
	MfStatus	to;
	MfFlowAnswer answer;
	bool		approval;
	TimestampTz now;

	check_nobody_else(orders, old, before, from_name, to_name, step);
	found = mf_flow_status(to_name);
	if (found == NULL)
		ereport(ERROR,
				(errcode(MF_ERRCODE_NOT_FOUND),
				 errmsg("no such status"),
				 errdetail("There is no status \"%s\".", to_name),
				 errhint("Known statuses: %s.", mf_flow_statuses())));
	to = *found;
	answer = mf_flow_step(from_name, to_name, step->sums);
	if (answer != MF_FLOW_ALLOWED)
		refuse_step(answer, before, from_name, to_name);
	found = mf_flow_status(from_name);
	from = found != NULL ? *found : to;
	check_return(before, &from, &to);
	approval = strcmp(to_name, MF_STATUS_APPROVED) == 0 && !from.hold;
	if (approval || strcmp(to_name, MF_STATUS_PRICED) == 0)
		check_price(after);
	if (approval)
		check_expiry(after);

	/* The clock under the row's lock, not before the last step. */
	now = Max(GetCurrentTimestamp(),
			  DatumGetTimestampTz(before->value[MF_ORDER_STATUS_SINCE]));
	stamp(stamps, MF_ORDER_STATUS_SINCE, TimestampTzGetDatum(now), false);
	stamp(stamps, MF_ORDER_STATUS_BY, CStringGetTextDatum(mf_actor(step->actor)), false);
	if (to.hold && !from.hold)
		stamp(stamps, MF_ORDER_HELD_FROM, CStringGetTextDatum(from_name), false);
	else if (from.hold && !to.hold)
		stamp(stamps, MF_ORDER_HELD_FROM, (Datum) 0, true);
	stamp(stamps, MF_ORDER_CLOSED_AT, TimestampTzGetDatum(now), !to.terminal);
	stamp(stamps, MF_ORDER_CLOSED_AS, CStringGetTextDatum(to_name), !to.terminal);
	if (step->tracking != NULL)
		stamp(stamps, MF_ORDER_TRACKING, CStringGetTextDatum(step->tracking), false);
	if (approval && after->is_null[MF_ORDER_DUE_AT])
		stamp_due(stamps, after, now);
}

static void
check_open(const MfOrder *order)
{
	char	   *name = mf_order_text(order, MF_ORDER_STATUS);
	const MfStatus *status = mf_flow_status(name);

	if (status != NULL && status->terminal)
		ereport(ERROR,
				(errcode(MF_ERRCODE_NOT_ALLOWED),
				 errmsg("the order has ended"),
				 errdetail("Order %s is \"%s\" since %s.", mf_order_text(order, MF_ORDER_NUMBER), name, since(order)),
				 errhint("Nothing of it can be changed any more.")));
}

static HeapTuple
guard_update(TriggerData *trigger)
{
	const MfStep *step = mf_step_now();
	Relation	orders = trigger->tg_relation;
	HeapTuple	new = trigger->tg_newtuple;
	MfOrder		before;
	MfOrder		after;
	MfOrderChange change;
	Stamps		stamps;
	int			events;

	if (step->quiet)
		return new;
	mf_order_open(&before, orders, trigger->tg_trigtuple);
	mf_order_open(&after, orders, new);
	check_columns(&before, &after, step);
	change = mf_order_change(&before, &after, step);
	events = mf_order_events(&change);
	if (events == 0)
		return new;

	stamps.count = 0;
	if (change.status)
		move(orders, trigger->tg_trigtuple, &before, &after, step, &stamps);
	else if (change.priority || change.due_at)
		check_open(&before);
	stamp(&stamps, MF_ORDER_EVENT_SEQ,
		  Int64GetDatum(DatumGetInt64(before.value[MF_ORDER_EVENT_SEQ]) + events), false);
	return heap_modify_tuple_by_cols(new, RelationGetDescr(orders), stamps.count,
									 stamps.column, stamps.value, stamps.is_null);
}

/* What a restore brings has its events behind it. */
static HeapTuple
guard_insert(TriggerData *trigger)
{
	MfOrder		order;
	Stamps		stamps;

	if (mf_step_now()->quiet)
		return trigger->tg_trigtuple;
	mf_order_open(&order, trigger->tg_relation, trigger->tg_trigtuple);
	if (order.is_null[MF_ORDER_EVENT_SEQ] || DatumGetInt64(order.value[MF_ORDER_EVENT_SEQ]) <= 0)
		ereport(ERROR,
				(errcode(MF_ERRCODE_NOT_ALLOWED),
				 errmsg("orders are not inserted"),
				 errdetail("A row without events would be an order that nobody was told of."),
				 errhint("Submit it with mesflow.submit_order().")));
	if (order.is_null[MF_ORDER_CLOSED_AT] || !order.is_null[MF_ORDER_CLOSED_AS])
		return trigger->tg_trigtuple;
	stamps.count = 0;
	stamp(&stamps, MF_ORDER_CLOSED_AS, order.value[MF_ORDER_STATUS], order.is_null[MF_ORDER_STATUS]);
	return heap_modify_tuple_by_cols(trigger->tg_trigtuple, RelationGetDescr(trigger->tg_relation),
									 stamps.count, stamps.column, stamps.value, stamps.is_null);
}

static void
refuse_delete(TriggerData *trigger)
{
	MfOrder		order;

	mf_order_open(&order, trigger->tg_relation, trigger->tg_trigtuple);
	ereport(ERROR,
			(errcode(MF_ERRCODE_NOT_ALLOWED),
			 errmsg("orders are not deleted"),
			 errdetail("Order %s has a history of %lld events.", mf_order_text(&order, MF_ORDER_NUMBER),
					   (long long) DatumGetInt64(order.value[MF_ORDER_EVENT_SEQ])),
			 errhint("Cancel it with mesflow.cancel_order(); mesflow.erase_customer() removes personal data.")));
}

/* BEFORE INSERT OR UPDATE OR DELETE, row trigger of orders. */
PGDLLEXPORT Datum
mesflow_order_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		elog(ERROR, "not called as a trigger");
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		return PointerGetDatum(guard_update(trigger));
	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		refuse_delete(trigger);
	return PointerGetDatum(guard_insert(trigger));
}
