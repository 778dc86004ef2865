/*
 * news.c
 *		Events about the work of an order: collected while its work is
 *		written, then numbered and written at once.
 *
 * The order's row is counted up once for all of them, when they are written:
 * a trigger of somebody's that tells of something then comes after them.
 *
 * A body is what the order's partner may see, so it names no operator: those
 * are people.  The column operator of the outbox does.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mesflow.h"
#include "outbox/outbox.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "work.h"

static MfPlan order_plan = {
	.sql = "SELECT o.partner, o.correlation_id, o.event_seq, o.traceparent, o.number, o.external_ref, o.status"
	" FROM mesflow.orders o WHERE o.id OPERATOR(pg_catalog.=) $1",
	.by_index = true,
	.writes = true,
	.arguments = 1,
	.types = {UUIDOID}
};

/* In the order of order_plan. */
enum
{
	ORDER_PARTNER = 1, ORDER_CORRELATION_ID, ORDER_SEQ, ORDER_TRACEPARENT,
	ORDER_NUMBER, ORDER_EXTERNAL_REF, ORDER_STATUS
};

static MfPlan count_plan = {
	.sql = "SELECT mesflow._count_events($1, $2)",
	.by_index = true,
	.writes = true,
	.arguments = 2,
	.types = {UUIDOID, INT4OID}
};

/* An event that waits for its number. */
typedef struct Waiting
{
	MfTold		told;
	StringInfoData work;		/* the work order, as JSON */
} Waiting;

static void
append_moment(StringInfo json, const char *name, TimestampTz at)
{
	mf_body_time(json, name, at != MF_NEVER ? &at : NULL);
}

static void
append_work(StringInfo json, const MfWork *work)
{
	initStringInfo(json);
	mf_body_open(json, NULL, '{');
	mf_body_uuid(json, "id", &work->id);
	mf_body_text(json, "number", mf_work_number(work));
	mf_body_uuid(json, "item", &work->item);
	mf_body_uuid(json, "model", &work->model);
	mf_body_text(json, "material", work->material);
	mf_body_text(json, "process", work->process);
	mf_body_text(json, "operation", work->operation);
	mf_body_int(json, "step", work->step);
	mf_body_int(json, "steps", work->steps);
	mf_body_int(json, "quantity", work->quantity);
	mf_body_int(json, "good", work->good);
	mf_body_int(json, "scrap", work->scrap);
	mf_body_text(json, "state", mf_work_state_names[work->state]);
	mf_body_uuid(json, "repeats", work->is_repeat ? &work->repeats : NULL);
	append_moment(json, "queued_at", work->queued_at);
	append_moment(json, "assigned_at", work->assigned_at);
	append_moment(json, "started_at", work->started_at);
	append_moment(json, "finished_at", work->finished_at);
	mf_body_close(json, '}');
}

MfTold *
mf_news_add(MfNews *news, const MfWork *work, const char *type, TimestampTz at)
{
	Waiting    *one = palloc0(sizeof(Waiting));

	one->told.type = type;
	one->told.at = at;
	one->told.operator_code = work->operator_code;
	one->told.quantity = work->quantity;
	append_work(&one->work, work);
	news->items = lappend(news->items, one);
	return &one->told;
}

/* What every event has of the order. */
typedef struct Order
{
	char	   *id;
	const char *partner;
	pg_uuid_t	correlation_id;
	const char *traceparent;
	const char *number;
	const char *external_ref;
	const char *status;
} Order;

static void
write_item(const MfNews *news, const Order *order, const Waiting *one, int64 seq)
{
	const MfTold *told = &one->told;
	MfEvent		event;
	StringInfoData body;

	mf_event_start(&event, told->type, order->id);
	if (told->at != MF_NEVER)
		event.at = told->at;
	event.key_seq = seq;
	event.order_id = news->order_id;
	event.partner = order->partner;
	event.operator_code = told->operator_code;
	event.quantity = told->quantity;
	event.dwell = told->dwell;
	event.actor = news->actor;
	event.correlation_id = &order->correlation_id;
	event.traceparent = order->traceparent;
	event.note = told->note;
	mf_body_start(&body, &event);
	mf_body_open(&body, "order", '{');
	mf_body_uuid(&body, "id", news->order_id);
	mf_body_text(&body, "number", order->number);
	mf_body_text(&body, "external_ref", order->external_ref);
	mf_body_text(&body, "partner", order->partner);
	mf_body_text(&body, "status", order->status);
	mf_body_close(&body, '}');
	mf_body_json(&body, "work", one->work.data);
	mf_body_json(&body, "detail", told->detail != NULL ? told->detail : "{}");
	mf_body_end(&body);
	mf_outbox_write(&event, &body);
	pfree(body.data);
}

void
mf_news_write(MfNews *news)
{
	Datum		values[2] = {UUIDPGetDatum(news->order_id),
	Int32GetDatum(list_length(news->items))};
	Order		order;
	Datum		value;
	int64		seq;
	ListCell   *cell;

	if (news->items == NIL)
		return;
	if (mf_plan_run(&order_plan, values, NULL) == 0)
		elog(ERROR, "an order with work is not there");
	order.id = DatumGetCString(DirectFunctionCall1(uuid_out, values[0]));
	order.partner = mf_plan_text(0, ORDER_PARTNER);
	(void) mf_plan_find(0, ORDER_CORRELATION_ID, &value);
	memcpy(&order.correlation_id, DatumGetUUIDP(value), sizeof(pg_uuid_t));
	(void) mf_plan_find(0, ORDER_SEQ, &value);
	seq = DatumGetInt64(value);
	order.traceparent = mf_plan_text(0, ORDER_TRACEPARENT);
	order.number = mf_plan_text(0, ORDER_NUMBER);
	order.external_ref = mf_plan_text(0, ORDER_EXTERNAL_REF);
	order.status = mf_plan_text(0, ORDER_STATUS);
	foreach(cell, news->items)
		write_item(news, &order, lfirst(cell), ++seq);
	(void) mf_plan_run(&count_plan, values, NULL);
	news->items = NIL;
}
