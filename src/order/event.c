/*
 * event.c
 *		Events of orders: the trigger that writes them, and what is in them.
 *
 * The AFTER trigger sees the row as it has become, whatever other triggers
 * did to it, and writes as many events as the guard has counted.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "guard.h"
#include "mesflow.h"
#include "miscadmin.h"
#include "order.h"
#include "plan.h"
#include "tables.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(mesflow_order_event);

static MfPlan expect_plan = {
	.sql = "SELECT mesflow._expect_receipts($1, $2)",
	.by_index = true,
	.writes = true,
	.arguments = 2,
	.types = {UUIDOID, TEXTOID}
};

static MfPlan release_plan = {
	.sql = "SELECT mesflow._release_quotes($1)",
	.by_index = true,
	.writes = true,
	.arguments = 1,
	.types = {UUIDOID}
};

/* A call of a function of ours about an order. */
typedef struct Call
{
	MfPlan	   *plan;
	Datum		values[2];
} Call;

static void
run_call(void *arg)
{
	Call	   *call = arg;

	mf_spi_connect();
	(void) mf_plan_run(call->plan, call->values, NULL);
	SPI_finish();
}

void
mf_order_expect(const pg_uuid_t *order_id, const char *status)
{
	const MfStatus *found = mf_flow_status(status);
	Call		call = {&expect_plan, {UUIDPGetDatum(order_id), (Datum) 0}};

	if (found == NULL || !found->expects)
		return;
	call.values[1] = CStringGetTextDatum(status);
	mf_as_owner(run_call, &call);
}

/* Nobody needs prices for the items of this order any more. */
static void
release_quotes(const pg_uuid_t *order_id)
{
	Call		call = {&release_plan, {UUIDPGetDatum(order_id), (Datum) 0}};

	mf_as_owner(run_call, &call);
}

static void
append_order(StringInfo body, const MfOrder *order, const char *status,
			 const char *previous, const StringInfoData *items)
{
	TimestampTz at;

	mf_body_open(body, "order", '{');
	mf_body_uuid(body, "id", mf_order_uuid(order, MF_ORDER_ID));
	mf_body_text(body, "number", mf_order_text(order, MF_ORDER_NUMBER));
	mf_body_text(body, "external_ref", mf_order_text(order, MF_ORDER_EXTERNAL_REF));
	mf_body_text(body, "partner", mf_order_text(order, MF_ORDER_PARTNER));
	mf_body_text(body, "status", status);
	mf_body_text(body, "previous_status", previous);
	mf_body_time(body, "status_since", mf_order_time(order, MF_ORDER_STATUS_SINCE, &at) ? &at : NULL);
	mf_body_money(body, "net", mf_order_money(order, MF_ORDER_NET));
	mf_body_money(body, "tax", mf_order_money(order, MF_ORDER_TAX));
	mf_body_money(body, "total", mf_order_money(order, MF_ORDER_TOTAL));
	mf_body_text(body, "currency", mf_order_text(order, MF_ORDER_CURRENCY));
	mf_body_int(body, "priority", DatumGetInt32(order->value[MF_ORDER_PRIORITY]));
	mf_body_time(body, "due_at", mf_order_time(order, MF_ORDER_DUE_AT, &at) ? &at : NULL);
	mf_body_open(body, "items", '[');
	appendBinaryStringInfo(body, items->data, items->len);
	mf_body_close(body, ']');
	mf_body_close(body, '}');
}

void
mf_order_write(MfEvent *event, const MfOrder *order, const char *status,
			   const char *previous, const StringInfoData *items, const char *detail)
{
	StringInfoData body;

	event->order_id = mf_order_uuid(order, MF_ORDER_ID);
	event->partner = mf_order_text(order, MF_ORDER_PARTNER);
	event->correlation_id = mf_order_uuid(order, MF_ORDER_CORRELATION_ID);
	event->traceparent = mf_order_text(order, MF_ORDER_TRACEPARENT);
	if (previous == NULL || strcmp(previous, status) != 0)
	{
		event->from_status = previous;
		event->to_status = status;
	}
	mf_body_start(&body, event);
	append_order(&body, order, status, previous, items);
	mf_body_json(&body, "detail", detail != NULL ? detail : "{}");
	mf_body_end(&body);
	mf_outbox_write(event, &body);
	pfree(body.data);
}

/* {"fields": [...], "old": {...}, "new": {...}} and what the step says. */
static void
append_field(StringInfo list, const MfOrder *order, MfOrderColumn column)
{
	TimestampTz at;

	switch (column)
	{
		case MF_ORDER_PRIORITY:
			mf_body_int(list, "priority", DatumGetInt32(order->value[column]));
			break;
		case MF_ORDER_DUE_AT:
			mf_body_time(list, "due_at", mf_order_time(order, column, &at) ? &at : NULL);
			break;
		default:
			mf_body_money(list, "total", mf_order_money(order, column));
			break;
	}
}

static char *
describe_change(const MfOrderChange *change, const MfOrder *before,
				const MfOrder *after, const MfStep *step)
{
	const struct
	{
		bool		changed;
		MfOrderColumn column;
	}			fields[] = {
		{change->priority, MF_ORDER_PRIORITY},
		{change->due_at, MF_ORDER_DUE_AT},
		{change->amounts, MF_ORDER_TOTAL}
	};
	const MfOrder *sides[] = {before, after};
	const char *names[] = {"old", "new"};
	StringInfoData json;

	initStringInfo(&json);
	mf_body_open(&json, NULL, '{');
	mf_body_open(&json, "fields", '[');
	for (int i = 0; i < (int) lengthof(fields); i++)
		if (fields[i].changed)
		{
			if (json.data[json.len - 1] != '[')
				appendStringInfoChar(&json, ',');
			appendStringInfo(&json, "\"%s\"", mf_order_column_names[fields[i].column]);
		}
	if (step->touched)
		appendStringInfoString(&json, json.data[json.len - 1] == '[' ? "\"items\"" : ",\"items\"");
	mf_body_close(&json, ']');
	for (int side = 0; side < (int) lengthof(sides); side++)
	{
		mf_body_open(&json, names[side], '{');
		for (int i = 0; i < (int) lengthof(fields); i++)
			if (fields[i].changed)
				append_field(&json, sides[side], fields[i].column);
		mf_body_close(&json, '}');
	}
	if (step->detail != NULL && strcmp(step->detail, "{}") != 0)
		appendStringInfo(&json, ",%s", step->detail + 1);
	else
		mf_body_close(&json, '}');
	return json.data;
}

static Interval *
dwell(const MfOrder *before, const MfOrder *after)
{
	Interval   *interval = palloc0(sizeof(Interval));

	interval->time = DatumGetTimestampTz(after->value[MF_ORDER_STATUS_SINCE]) -
		DatumGetTimestampTz(before->value[MF_ORDER_STATUS_SINCE]);
	return interval;
}

static void
say_who(MfEvent *event, const MfOrder *after, const MfStep *step)
{
	event->actor = step->actor != NULL ? step->actor : mf_order_text(after, MF_ORDER_STATUS_BY);
	event->system = step->system;
	event->note = step->note;
}

/*
 * A BEFORE trigger of somebody's that runs after the guard could make a step
 * that was not checked.
 */
static void
check_counted(const MfOrderChange *change, const MfOrder *before, const MfOrder *after)
{
	int64		counted = DatumGetInt64(after->value[MF_ORDER_EVENT_SEQ]) -
	DatumGetInt64(before->value[MF_ORDER_EVENT_SEQ]);

	if (counted != mf_order_events(change))
		ereport(ERROR,
				(errcode(MF_ERRCODE_NOT_ALLOWED),
				 errmsg("a trigger changed the order after the step was checked"),
				 errdetail("Order %s was to become \"%s\" without an event.",
						   mf_order_text(after, MF_ORDER_NUMBER), mf_order_text(after, MF_ORDER_STATUS)),
				 errhint("Let BEFORE triggers of your own on mesflow.orders have names that sort before \"guard\".")));
}

static void
tell(const MfOrderChange *change, const MfOrder *before, const MfOrder *after,
	 const MfStep *step)
{
	char	   *from = mf_order_text(before, MF_ORDER_STATUS);
	char	   *to = mf_order_text(after, MF_ORDER_STATUS);
	char	   *key = mf_order_id_text(after);
	int64		seq = DatumGetInt64(before->value[MF_ORDER_EVENT_SEQ]);
	const pg_uuid_t *id = mf_order_uuid(after, MF_ORDER_ID);
	MfTally		tally;
	MfEvent		event;

	if (mf_order_events(change) == 0)
		return;
	mf_order_tally(&tally, id);
	if (change->fields)
	{
		mf_event_start(&event, "order.changed", key);
		event.key_seq = ++seq;
		say_who(&event, after, step);
		if (event.actor == NULL || !change->status)
			event.actor = step->actor != NULL ? step->actor :
				GetUserNameFromId(GetOuterUserId(), false);
		mf_order_write(&event, after, from, from, &tally.json,
					   describe_change(change, before, after, step));
	}
	if (change->status)
	{
		const MfStatus *status = mf_flow_status(to);
		bool		ends = status != NULL && status->terminal;

		mf_event_start(&event, psprintf("order.%s", to), key);
		event.key_seq = ++seq;
		event.at = DatumGetTimestampTz(after->value[MF_ORDER_STATUS_SINCE]);
		event.dwell = dwell(before, after);
		say_who(&event, after, step);
		mf_order_write(&event, after, to, from, &tally.json, step->detail);
		mf_order_expect(id, to);
		if (ends && tally.pending > 0)
			release_quotes(id);
	}
	pfree(tally.json.data);
}

/*
 * A row that a verb of ours has completed or counted up: its events are
 * written, so nobody's trigger may have made it another one.
 */
static void
check_untouched(const MfStep *step, const MfOrder *before, const MfOrder *after)
{
	MfOrder		expected = step->becomes != NULL ? *step->becomes : *before;

	if (step->becomes == NULL)
		expected.value[MF_ORDER_EVENT_SEQ] =
			Int64GetDatum(DatumGetInt64(before->value[MF_ORDER_EVENT_SEQ]) + step->events);
	for (int column = 0; column < MF_ORDER_COLUMNS; column++)
		if (mf_order_differs(&expected, after, column))
			ereport(ERROR,
					(errcode(MF_ERRCODE_NOT_ALLOWED),
					 errmsg("a trigger changed an order in the middle of a verb of mesflow"),
					 errdetail("Column \"%s\" of order %s is not what its events tell.",
							   mf_order_column_names[column], mf_order_text(after, MF_ORDER_NUMBER)),
					 errhint("Let triggers of your own act on steps that people make, not while an order is submitted or an event is emitted.")));
}

/* AFTER INSERT OR UPDATE, row trigger of orders. */
PGDLLEXPORT Datum
mesflow_order_event(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	const MfStep *step = mf_step_now();
	MfOrder		before;
	MfOrder		after;
	MfOrderChange change;

	if (!CALLED_AS_TRIGGER(fcinfo))
		elog(ERROR, "not called as a trigger");
	mf_order_open(&before, trigger->tg_relation, trigger->tg_trigtuple);
	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
	{
		/* What was not submitted was restored: it has its events. */
		if (step->quiet)
			check_untouched(step, &before, &before);
		return PointerGetDatum(NULL);
	}
	mf_order_open(&after, trigger->tg_relation, trigger->tg_newtuple);
	if (step->quiet)
	{
		check_untouched(step, &before, &after);
		return PointerGetDatum(NULL);
	}
	change = mf_order_change(&before, &after, step);
	check_counted(&change, &before, &after);
	tell(&change, &before, &after, step);
	return PointerGetDatum(NULL);
}
