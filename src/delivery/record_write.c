/*
 * record_write.c
 *		The statements that write a group down.
 *
 * Each kind of thing is one statement for the whole group, over arrays.  An
 * endpoint that was dropped meanwhile is not in _endpoints any more, and its
 * rows are left out.  Whoever holds a cursor is not waited for, others not
 * longer than LOCK_MS.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "outbox/outbox.h"
#include "plan.h"
#include "record.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#define LOCK_MS		"200"

/* How often to look for receipts that had to wait. */
#define RECEIPTS_MS	1000

static MfPlan attempts_plan = {
	.sql = "INSERT INTO mesflow._attempts (endpoint, id, event, attempt, at, status, duration_us, error, response, span, slot)"
	" SELECT * FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3),"
	" pg_catalog.unnest($4), pg_catalog.unnest($5), pg_catalog.unnest($6), pg_catalog.unnest($7),"
	" pg_catalog.unnest($8), pg_catalog.unnest($9), pg_catalog.unnest($10), pg_catalog.unnest($11)) r",
	.writes = true,
	.arguments = 11,
	.types = {INT4ARRAYOID, INT8ARRAYOID, UUIDARRAYOID, INT4ARRAYOID, TIMESTAMPTZARRAYOID,
		INT4ARRAYOID, INT4ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, BYTEAARRAYOID,
	INT2ARRAYOID}
};

#define ROWS_SQL \
	"INSERT INTO mesflow._pending AS p (endpoint, id, event, key, state, due_at, attempts, crashes, first_at, last_status, last_error)" \
	" SELECT e.name, r.id, r.event, r.key, r.state, r.due_at, r.attempts, r.crashes, r.first_at, r.last_status, r.last_error" \
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4)," \
	" pg_catalog.unnest($5), pg_catalog.unnest($6), pg_catalog.unnest($7), pg_catalog.unnest($8), pg_catalog.unnest($9)," \
	" pg_catalog.unnest($10), pg_catalog.unnest($11))" \
	" r (endpoint, id, event, key, state, due_at, attempts, crashes, first_at, last_status, last_error)" \
	" JOIN mesflow._endpoints e ON e.number OPERATOR(pg_catalog.=) r.endpoint" \
	" ON CONFLICT (endpoint, id) DO UPDATE SET state = excluded.state, due_at = excluded.due_at," \
	" attempts = excluded.attempts, crashes = excluded.crashes, last_status = excluded.last_status," \
	" last_error = excluded.last_error"
#define ROWS_ARGUMENTS	11

static MfPlan rows_plan = {
	.sql = ROWS_SQL,
	.by_index = true,
	.writes = true,
	.arguments = ROWS_ARGUMENTS,
	.types = {INT4ARRAYOID, INT8ARRAYOID, UUIDARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
		TIMESTAMPTZARRAYOID, INT4ARRAYOID, INT4ARRAYOID, TIMESTAMPTZARRAYOID,
	INT4ARRAYOID, TEXTARRAYOID}
};

static MfPlan dead_plan = {
	.sql = "INSERT INTO mesflow._dead_letters (endpoint, id, event, type, key, key_seq, order_id, partner, at,"
	" correlation_id, traceparent, body, reason, first_at, attempts, last_status, last_error)"
	" SELECT n.name, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17"
	" FROM mesflow._endpoints n WHERE n.number OPERATOR(pg_catalog.=) $1",
	.by_index = true,
	.writes = true,
	.arguments = 17,
	.types = {INT4OID, INT8OID, UUIDOID, TEXTOID, TEXTOID, INT8OID, UUIDOID, TEXTOID,
	TIMESTAMPTZOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, INT4OID, INT4OID, TEXTOID}
};

static MfPlan cursor_plan = {
	.sql = "UPDATE mesflow._cursors c SET seen = $2, floor_id = $3, floor_xid = $4, upto = $5, upto_id = $6,"
	" upto_xid = $7, last_id = $8, done = $9, delivered = c.delivered OPERATOR(pg_catalog.+) $10,"
	" failed = c.failed OPERATOR(pg_catalog.+) $11, acked_at = CASE WHEN $10 OPERATOR(pg_catalog.>) 0"
	" THEN pg_catalog.clock_timestamp() ELSE c.acked_at END"
	" FROM mesflow._endpoints e WHERE e.number OPERATOR(pg_catalog.=) $1"
	" AND c.name OPERATOR(pg_catalog.=) e.reader",
	.by_index = true,
	.writes = true,
	.arguments = 11,
	.types = {INT4OID, PG_SNAPSHOTOID, INT8OID, XID8OID, PG_SNAPSHOTOID, INT8OID, XID8OID,
	INT8OID, INT8ARRAYOID, INT8OID, INT8OID}
};

static MfPlan trouble_plan = {
	.sql = "INSERT INTO mesflow._endpoint_troubles AS t (endpoint, breaker, breaker_until, opened, failing_since,"
	" failures, last_status, last_error, last_error_at, hold_until)"
	" SELECT e.name, $2, $3, $4, $5, $6, $7, $8, $9, $10 FROM mesflow._endpoints e WHERE e.number OPERATOR(pg_catalog.=) $1"
	" ON CONFLICT (endpoint) DO UPDATE SET breaker = excluded.breaker, breaker_until = excluded.breaker_until,"
	" opened = excluded.opened, failing_since = excluded.failing_since, failures = excluded.failures,"
	" last_status = excluded.last_status, last_error = excluded.last_error, last_error_at = excluded.last_error_at,"
	" hold_until = excluded.hold_until",
	.by_index = true,
	.writes = true,
	.arguments = 10,
	.types = {INT4OID, TEXTOID, TIMESTAMPTZOID, INT4OID, TIMESTAMPTZOID, INT4OID, INT4OID, TEXTOID,
	TIMESTAMPTZOID, TIMESTAMPTZOID}
};

static MfPlan state_plan = {
	.sql = "UPDATE mesflow._endpoints e SET state = $2, reason = $3, changed_by = 'mesflow delivery',"
	" state_since = pg_catalog.clock_timestamp()"
	" WHERE e.number OPERATOR(pg_catalog.=) $1 AND e.state OPERATOR(pg_catalog.=) 'active'",
	.by_index = true,
	.writes = true,
	.arguments = 3,
	.types = {INT4OID, TEXTOID, TEXTOID}
};

static MfPlan receipts_plan = {
	.sql = "SELECT mesflow._receive_by_delivery($1, $2)",
	.writes = true,
	.arguments = 2,
	.types = {TEXTOID, UUIDARRAYOID}
};
static MfPlan receipts_due_plan = {
	.sql = "SELECT mesflow._receive_due()",
	.writes = true
};
static MfPlan announce_plan = {
	.sql = "SELECT mesflow._announce()",
	.writes = true
};

/* ---- arrays ------------------------------------------------------------------ */

/* A column of a statement over arrays. */
typedef struct Column
{
	Oid			type;
	int16		length;
	bool		by_value;
	char		align;
	Datum	   *values;
	bool	   *nulls;
} Column;

static void
column_start(Column *column, Oid array_type, int count)
{
	switch (array_type)
	{
		case INT2ARRAYOID:
			*column = (Column)
			{
				.type = INT2OID,.length = 2,.by_value = true,.align = TYPALIGN_SHORT
			};
			break;
		case INT4ARRAYOID:
			*column = (Column)
			{
				.type = INT4OID,.length = 4,.by_value = true,.align = TYPALIGN_INT
			};
			break;
		case INT8ARRAYOID:
			*column = (Column)
			{
				.type = INT8OID,.length = 8,.by_value = FLOAT8PASSBYVAL,.align = TYPALIGN_DOUBLE
			};
			break;
		case TIMESTAMPTZARRAYOID:
			*column = (Column)
			{
				.type = TIMESTAMPTZOID,.length = 8,.by_value = FLOAT8PASSBYVAL,.align = TYPALIGN_DOUBLE
			};
			break;
		case UUIDARRAYOID:
			*column = (Column)
			{
				.type = UUIDOID,.length = UUID_LEN,.align = TYPALIGN_CHAR
			};
			break;
		case BYTEAARRAYOID:
			*column = (Column)
			{
				.type = BYTEAOID,.length = -1,.align = TYPALIGN_INT
			};
			break;
		default:
			*column = (Column)
			{
				.type = TEXTOID,.length = -1,.align = TYPALIGN_INT
			};
			break;
	}
	column->values = palloc0(Max(count, 1) * sizeof(Datum));
	column->nulls = palloc0(Max(count, 1) * sizeof(bool));
}

static Datum
column_array(Column *column, int count)
{
	int			lower = 1;

	return PointerGetDatum(construct_md_array(column->values, column->nulls, 1, &count, &lower,
											  column->type, column->length, column->by_value,
											  column->align));
}

/* Runs a statement whose arguments are these columns. */
static void
run(MfPlan *plan, Column *columns, int count)
{
	Datum		values[MF_PLAN_ARGUMENTS];

	if (count == 0)
		return;
	for (int i = 0; i < plan->arguments; i++)
		values[i] = column_array(&columns[i], count);
	(void) mf_plan_run(plan, values, NULL);
}

static Column *
start(const MfPlan *plan, int count)
{
	Column	   *columns = palloc(plan->arguments * sizeof(Column));

	for (int i = 0; i < plan->arguments; i++)
		column_start(&columns[i], plan->types[i], count);
	return columns;
}

static void
put(Column *column, int row, Datum value)
{
	column->values[row] = value;
}

static void
put_text(Column *column, int row, const char *text)
{
	column->nulls[row] = text == NULL;

	if (text !=NULL)
		column->values[row] = CStringGetTextDatum(text);
}

static void
put_status(Column *column, int row, int status)
{
	column->nulls[row] = status == 0;
	column->values[row] = Int32GetDatum(status);
}

/* ---- what there is to write ---------------------------------------------------- */

static void
write_attempts(const MfGroup *group)
{
	Column	   *columns = start(&attempts_plan, group->count);
	int			row = 0;

	for (int i = 0; i < group->count; i++)
	{
		MfDelivery *delivery = group->deliveries[i];
		bytea	   *span;

		if (!delivery->attempted || mf_is_left_out(delivery->endpoint))
			continue;
		span = palloc(VARHDRSZ + sizeof(delivery->span));
		SET_VARSIZE(span, VARHDRSZ + sizeof(delivery->span));
		memcpy(VARDATA(span), delivery->span, sizeof(delivery->span));
		put(&columns[0], row, Int32GetDatum(delivery->endpoint->number));
		put(&columns[1], row, Int64GetDatum(delivery->id));
		put(&columns[2], row, UUIDPGetDatum(&delivery->event_id));
		put(&columns[3], row, Int32GetDatum(delivery->attempts + 1));
		put(&columns[4], row, TimestampTzGetDatum(delivery->sent_at));
		put_status(&columns[5], row, delivery->status);
		put(&columns[6], row, Int32GetDatum((int32) Min(delivery->duration_us, PG_INT32_MAX)));
		put_text(&columns[7], row, delivery->error);
		put_text(&columns[8], row, delivery->response);
		put(&columns[9], row, PointerGetDatum(span));
		put(&columns[10], row, Int16GetDatum(mf_ring_slot(delivery->sent_at)));
		row++;
	}
	run(&attempts_plan, columns, row);
}

static void
put_row(Column *columns, int row, const MfDelivery *delivery, const char *state,
		TimestampTz due_at, int attempts)
{
	put(&columns[0], row, Int32GetDatum(delivery->endpoint->number));
	put(&columns[1], row, Int64GetDatum(delivery->id));
	put(&columns[2], row, UUIDPGetDatum(&delivery->event_id));
	put_text(&columns[3], row, delivery->key);
	put_text(&columns[4], row, state);
	put(&columns[5], row, TimestampTzGetDatum(due_at));
	put(&columns[6], row, Int32GetDatum(attempts));
	put(&columns[7], row, Int32GetDatum(delivery->crashes + (delivery->marking ? 1 : 0)));
	put(&columns[8], row, TimestampTzGetDatum(delivery->first_at));
	put_status(&columns[9], row, delivery->status);
	put_text(&columns[10], row, delivery->error);
}

static void
write_rows(const MfGroup *group)
{
	Column	   *columns = start(&rows_plan, group->count + group->passed_count);
	TimestampTz now = GetCurrentTimestamp();
	int			row = 0;

	for (int i = 0; i < group->count; i++)
	{
		MfDelivery *delivery = group->deliveries[i];

		if (delivery->verdict == MF_VERDICT_RETRY && !mf_is_left_out(delivery->endpoint))
			put_row(columns, row++, delivery, "retry", delivery->due_at,
					delivery->attempts + (delivery->attempted && !delivery->uncounted ? 1 : 0));
	}
	for (int i = 0; i < group->passed_count; i++)
	{
		MfDelivery *delivery = group->passed[i];

		if (mf_is_left_out(delivery->endpoint))
			continue;
		if (delivery->state == MF_DELIVERY_SENDING || delivery->marking)
			put_row(columns, row++, delivery, "in_flight", now, delivery->attempts);
		else if (delivery->place == MF_PLACE_LATER)
			put_row(columns, row++, delivery, "retry", delivery->due_at, delivery->attempts);
		else
			put_row(columns, row++, delivery, "parked", DT_NOEND, delivery->attempts);
	}
	run(&rows_plan, columns, row);
}

static void
write_dead(const MfDelivery *delivery)
{
	const MfEventCopy *event = delivery->event;
	int			attempts = delivery->attempts + (delivery->attempted ? 1 : 0);
	Datum		values[17];
	char		nulls[17];

	/* Where the event is nowhere, there is nothing to keep. */
	if (event == NULL)
	{
		ereport(WARNING,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errhidecontext(true),
				 errmsg("event " INT64_FORMAT " is no longer there and cannot be delivered to endpoint \"%s\"",
						delivery->id, delivery->endpoint->name)));
		return;
	}
	memset(nulls, ' ', sizeof(nulls));
	values[0] = Int32GetDatum(delivery->endpoint->number);
	values[1] = Int64GetDatum(delivery->id);
	values[2] = UUIDPGetDatum(&event->event);
	values[3] = CStringGetTextDatum(event->type);
	values[4] = CStringGetTextDatum(event->key);
	values[5] = Int64GetDatum(event->key_seq);
	nulls[5] = event->key_seq == 0 ? 'n' : ' ';
	values[6] = UUIDPGetDatum(&event->order_id);
	nulls[6] = event->has_order ? ' ' : 'n';
	values[7] = event->partner == NULL ? (Datum) 0 : CStringGetTextDatum(event->partner);
	nulls[7] = event->partner == NULL ? 'n' : ' ';
	values[8] = TimestampTzGetDatum(event->at);
	values[9] = UUIDPGetDatum(&event->correlation_id);
	nulls[9] = event->has_correlation ? ' ' : 'n';
	values[10] = event->traceparent == NULL ? (Datum) 0 : CStringGetTextDatum(event->traceparent);
	nulls[10] = event->traceparent == NULL ? 'n' : ' ';
	values[11] = PointerGetDatum(cstring_to_text_with_len(event->body, event->body_length));
	values[12] = CStringGetTextDatum(delivery->reason);
	values[13] = TimestampTzGetDatum(delivery->first_at);
	values[14] = Int32GetDatum(attempts);
	values[15] = Int32GetDatum(delivery->status);
	nulls[15] = delivery->status == 0 ? 'n' : ' ';
	values[16] = delivery->error == NULL ? (Datum) 0 : CStringGetTextDatum(delivery->error);
	nulls[16] = delivery->error == NULL ? 'n' : ' ';
	(void) mf_plan_run(&dead_plan, values, nulls);
}

static void
write_position(const MfPosition *position)
{
	Column		done;
	Datum		values[11];
	char		nulls[11];

	memset(nulls, ' ', sizeof(nulls));
	column_start(&done, INT8ARRAYOID, position->done_count);
	for (int i = 0; i < position->done_count; i++)
		put(&done, i, Int64GetDatum(position->done[i]));
	values[0] = Int32GetDatum(position->endpoint->number);
	values[1] = PointerGetDatum(position->seen->snapshot);
	values[2] = Int64GetDatum(position->seen->id);
	values[3] = UInt64GetDatum(position->seen->xid);
	if (position->upto == NULL)
	{
		values[4] = values[5] = values[6] = (Datum) 0;
		nulls[4] = nulls[5] = nulls[6] = 'n';
	}
	else
	{
		values[4] = PointerGetDatum(position->upto->snapshot);
		values[5] = Int64GetDatum(position->upto->id);
		values[6] = UInt64GetDatum(position->upto->xid);
	}
	values[7] = Int64GetDatum(position->last_id);
	values[8] = (Datum) 0;
	nulls[8] = position->done_count == 0 ? 'n' : ' ';
	if (position->done_count > 0)
		values[8] = column_array(&done, position->done_count);
	values[9] = Int64GetDatum(position->delivered);
	values[10] = Int64GetDatum(position->failed);
	(void) mf_plan_run(&cursor_plan, values, nulls);
}

static void
put_time(Datum *value, char *null, TimestampTz at)
{
	*value = TimestampTzGetDatum(at);
	*null = at == 0 ? 'n' : ' ';
}

static void
write_trouble(const MfEndpoint *endpoint)
{
	static const char *const breakers[] = {"closed", "open", "probing"};
	static const char *const states[] = {"active", "paused", "disabled"};
	const MfTrouble *trouble = &endpoint->trouble;
	Datum		values[10];
	char		nulls[10];

	memset(nulls, ' ', sizeof(nulls));
	values[0] = Int32GetDatum(endpoint->number);
	values[1] = CStringGetTextDatum(breakers[trouble->breaker]);
	put_time(&values[2], &nulls[2], trouble->breaker_until);
	values[3] = Int32GetDatum(trouble->opened);
	put_time(&values[4], &nulls[4], trouble->failing_since);
	values[5] = Int32GetDatum(trouble->failures);
	values[6] = Int32GetDatum(trouble->last_status);
	nulls[6] = trouble->last_status == 0 ? 'n' : ' ';
	values[7] = CStringGetTextDatum(trouble->last_error);
	nulls[7] = trouble->last_error[0] == '\0' ? 'n' : ' ';
	put_time(&values[8], &nulls[8], trouble->last_error_at);
	put_time(&values[9], &nulls[9], trouble->hold_until);
	if (endpoint->trouble_dirty)
		(void) mf_plan_run(&trouble_plan, values, nulls);
	if (endpoint->state_wanted != endpoint->state)
	{
		values[1] = CStringGetTextDatum(states[endpoint->state_wanted]);
		values[2] = CStringGetTextDatum(endpoint->state_reason);
		(void) mf_plan_run(&state_plan, values, NULL);
	}
}

/* Orders that the system of an endpoint has taken events of. */
static void
write_receipts(const MfGroup *group, const MfEndpoint *endpoint)
{
	Column		orders;
	Datum		values[2];
	int			count = 0;

	column_start(&orders, UUIDARRAYOID, group->count);
	for (int i = 0; i < group->count; i++)
	{
		MfDelivery *delivery = group->deliveries[i];

		if (delivery->endpoint == endpoint && delivery->verdict == MF_VERDICT_DELIVERED &&
			delivery->event != NULL && delivery->event->has_order)
			put(&orders, count++, UUIDPGetDatum(&delivery->event->order_id));
	}
	if (count == 0)
		return;
	values[0] = CStringGetTextDatum(endpoint->config->system);
	values[1] = column_array(&orders, count);
	(void) mf_plan_run(&receipts_plan, values, NULL);
}

static void
count_results(const MfGroup *group)
{
	for (int i = 0; i < group->position_count; i++)
		group->positions[i].delivered = group->positions[i].failed = 0;
	for (int i = 0; i < group->count; i++)
	{
		MfDelivery *delivery = group->deliveries[i];
		MfPosition *position = delivery->endpoint->position;

		if (mf_is_left_out(delivery->endpoint) || position == NULL)
			continue;
		if (delivery->verdict == MF_VERDICT_DELIVERED)
			position->delivered++;
		else if (delivery->attempted)
			position->failed++;
	}
}

/* The order of rows is that of every other who locks several: cursors first. */
void
mf_record_write(void *arg)
{
	MfGroup    *group = arg;

	(void) set_config_option("lock_timeout", LOCK_MS, PGC_SUSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);
	if (!mf_aside_lock(group))
		return;

	/* What is recorded is not sent again, whatever synchronous_commit says. */
	ForceSyncCommit();
	count_results(group);
	write_attempts(group);
	write_rows(group);
	mf_record_over(group);
	for (int i = 0; i < group->count; i++)
		if (group->deliveries[i]->verdict == MF_VERDICT_DEAD && !mf_is_left_out(group->deliveries[i]->endpoint))
			write_dead(group->deliveries[i]);
	for (int i = 0; i < group->position_count; i++)
	{
		if (mf_is_left_out(group->positions[i].endpoint))
			continue;
		if (group->positions[i].endpoint->config->receipts)
			write_receipts(group, group->positions[i].endpoint);
		write_position(&group->positions[i]);
	}
	for (int i = 0; i < group->trouble_count; i++)
		if (!mf_is_left_out(group->troubled[i]))
			write_trouble(group->troubled[i]);
	(void) mf_plan_run(&announce_plan, NULL, NULL);
}

/* ---- receipts that had to wait ---------------------------------------------------- */

static void
receipts_work(void *arg)
{
	(void) mf_plan_run(&receipts_due_plan, NULL, NULL);
}

void
mf_record_receipts(int64 now)
{
	static int64 due = 0;

	if (now >= due)
	{
		(void) mf_worker_try("writing receipts", receipts_work, NULL);
		due = mf_wait_now() + RECEIPTS_MS;
	}
}
