/*
 * submit.c
 *		submit_order: an order gets its id at once.
 *
 *	1. what is asked for is read; anything wrong raises before a row is written
 *	2. the same order again is answered with the order that is there; whoever
 *	   submits the same at the same moment waits (reserve.c)
 *	3. the order's row as it arrives
 *	4. a quote for each item, priced at once where its model is measured
 *	5. items and customer
 *	6. its one or two events are written, and its row is completed
 *
 * No job is waited for, and nothing that another order holds.
 */
#include "postgres.h"

#include "asked.h"
#include "catalog/pg_type.h"
#include "check.h"
#include "commands/sequence.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "mesflow.h"
#include "number.h"
#include "order.h"
#include "plan.h"
#include "submit.h"
#include "tables.h"
#include "trace.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"
#include "uuid.h"

#define MAX_REF		200

PG_FUNCTION_INFO_V1(mesflow_submit_order);

/* All columns, in the order of MfOrderColumn. */
static MfPlan insert_plan = {
	.sql = "INSERT INTO mesflow.orders (id, number, partner, external_ref, status, status_since, event_seq, net, tax, total, currency,"
	" priority, created_at, due_at, price_expires_at, closed_at, correlation_id, traceparent, held_from, status_by, tracking,"
	" asked_hash, asked_due, closed_as) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)",
	.by_index = true,
	.writes = true,
	.arguments = MF_ORDER_COLUMNS,
	.types = {UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, INT8OID, NUMERICOID, NUMERICOID, NUMERICOID, TEXTOID,
		INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
	BYTEAOID, TIMESTAMPTZOID, TEXTOID}
};

static MfPlan items_plan = {
	.sql = "INSERT INTO mesflow._order_items (id, order_id, position, quote)"
	" SELECT u.id, $1, u.n, u.quote FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3))"
	" WITH ORDINALITY AS u (id, quote, n)",
	.by_index = true,
	.writes = true,
	.arguments = 3,
	.types = {UUIDOID, UUIDARRAYOID, UUIDARRAYOID}
};

/* Most orders have one. */
static MfPlan item_plan = {
	.sql = "INSERT INTO mesflow._order_items (id, order_id, position, quote) VALUES ($2, $1, 1, $3)",
	.by_index = true,
	.writes = true,
	.arguments = 3,
	.types = {UUIDOID, UUIDOID, UUIDOID}
};

static MfPlan customer_plan = {
	.sql = "INSERT INTO mesflow.customers (order_id, name, email, phone, company, tax_id, locale, address, note, asked_hash)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
	.by_index = true,
	.writes = true,
	.arguments = 10,
	.types = {UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, JSONBOID, TEXTOID, BYTEAOID}
};

static void
check_ref(const char *ref)
{
	int			length = ref == NULL ? 0 : pg_mbstrlen(ref);

	if (length < 1 || length > MAX_REF)
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("reference not allowed"),
				 ref == NULL ? errdetail("external_ref is NULL.") :
				 errdetail("external_ref has %d characters.", length),
				 errhint("Pass your own number of the order, 1 to %d characters: the same number is the same order.", MAX_REF)));
}

/* Step 1. */
static void
read_arguments(FunctionCallInfo fcinfo, MfSubmission *s)
{
	memset(s, 0, sizeof(*s));
	mf_check_primary();
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(MF_ERRCODE_NOT_FOUND),
				 errmsg("no such partner"),
				 errdetail("The partner is NULL."),
				 errhint("Known partners are in mesflow.partners.")));
	s->partner = PG_GETARG_DATUM(0);
	check_ref(mf_argument_text(fcinfo, 1));
	s->external_ref = PG_GETARG_DATUM(1);
	s->items_json = PG_ARGISNULL(2) ? NULL : PG_GETARG_JSONB_P(2);
	s->items = mf_asked_items(s->items_json, &s->count);
	s->items_hash = mf_asked_items_hash(s->items, s->count);
	if (!PG_ARGISNULL(3))
	{
		s->customer_json = PG_GETARG_JSONB_P(3);
		if (mf_asked_customer(s->customer_json, &s->customer))
			s->customer_hash = mf_asked_customer_hash(&s->customer);
		else
			s->customer_json = NULL;
	}
	if (!PG_ARGISNULL(4))
	{
		s->has_due = true;
		s->due_at = PG_GETARG_TIMESTAMPTZ(4);
		mf_order_check_due(s->due_at);
	}
	s->traceparent = mf_argument_text(fcinfo, 5);
	if (s->traceparent != NULL && !mf_trace_id(s->traceparent, &s->correlation_id))
	{
		s->no_traceparent = s->traceparent;
		s->traceparent = NULL;
	}
	s->priority = PG_ARGISNULL(6) ? 0 : PG_GETARG_INT32(6);
}

static void
set(MfOrder *order, MfOrderColumn column, Datum value)
{
	order->value[column] = value;
	order->is_null[column] = false;
}

typedef struct Run
{
	MfPlan	   *plan;
	Datum	   *values;
	const char *nulls;
	uint64		rows;
} Run;

static void
run_plan(void *arg)
{
	Run		   *run = arg;

	run->rows = mf_plan_run(run->plan, run->values, run->nulls);
}

/*
 * The trace id: the caller's; of the first item's model where the caller has
 * none; a new one where what the caller has is none, which the event notes.
 */
static void
find_correlation(MfSubmission *s)
{
	if (s->no_traceparent != NULL)
		s->correlation_id = mf_uuid7();
	set(&s->order, MF_ORDER_CORRELATION_ID, UUIDPGetDatum(&s->correlation_id));
}

/* Step 3: the row as it arrives, not inserted yet. */
static void
begin_order(MfSubmission *s)
{
	MfOrder    *order = &s->order;
	int64		number = nextval_internal(mf_relation("_order_numbers"), false);

	memset(order->is_null, true, sizeof(order->is_null));
	s->id = mf_uuid7();
	s->now = GetCurrentTimestamp();
	set(order, MF_ORDER_ID, UUIDPGetDatum(&s->id));
	set(order, MF_ORDER_NUMBER,
		CStringGetTextDatum(mf_order_number(number)));
	set(order, MF_ORDER_PARTNER, s->partner);
	set(order, MF_ORDER_EXTERNAL_REF, s->external_ref);
	set(order, MF_ORDER_STATUS, CStringGetTextDatum(MF_STATUS_SUBMITTED));
	set(order, MF_ORDER_STATUS_SINCE, TimestampTzGetDatum(s->now));
	set(order, MF_ORDER_PRIORITY, Int32GetDatum(s->priority));
	set(order, MF_ORDER_CREATED_AT, TimestampTzGetDatum(s->now));
	if (s->has_due)
		set(order, MF_ORDER_DUE_AT, TimestampTzGetDatum(s->due_at));
	if (s->traceparent != NULL)
		set(order, MF_ORDER_TRACEPARENT, CStringGetTextDatum(s->traceparent));
	set(order, MF_ORDER_STATUS_BY, CStringGetTextDatum(mf_actor(NULL)));
	set(order, MF_ORDER_ASKED_HASH, PointerGetDatum(s->items_hash));
	if (s->has_due)
		set(order, MF_ORDER_ASKED_DUE, TimestampTzGetDatum(s->due_at));
	find_correlation(s);
}

static void
insert_order(MfSubmission *s)
{
	const MfStep step = {.quiet = true,.becomes = &s->order};
	char		nulls[MF_ORDER_COLUMNS];
	Run			run = {&insert_plan, s->order.value, nulls, 0};

	for (int i = 0; i < MF_ORDER_COLUMNS; i++)
		nulls[i] = s->order.is_null[i] ? 'n' : ' ';
	mf_step_run(&step, run_plan, &run);
	if (run.rows == 0)
		ereport(ERROR,
				(errcode(MF_ERRCODE_NOT_ALLOWED),
				 errmsg("the order was not inserted"),
				 errdetail("A trigger on mesflow.orders has left out external_ref \"%s\".", TextDatumGetCString(s->external_ref)),
				 errhint("Let it raise an error that says why.")));
	mf_order_reserved(s);
}

/* An error of ours about an item says which one. */
static void
name_item(ErrorData *error, int item)
{
	const char *detail = error->detail != NULL ? error->detail : "";

	if (strncmp(detail, "options.", strlen("options.")) == 0)
		error->detail = psprintf("items[%d].%s", item, detail);
	else
		error->detail = psprintf("items[%d]: %s", item, detail);
}

static bool
is_ours(int sqlstate)
{
	const char *state = unpack_sql_state(sqlstate);

	return state[0] == 'M' && state[1] == 'F';
}

/* Quotes an item, or takes the quote that it names. */
static void
quote_item(MfSubmission *s, int number)
{
	const MfAskedItem *item = &s->items[number];
	MemoryContext context = CurrentMemoryContext;

	PG_TRY();
	{
		Datum		quote;

		if (item->by_quote)
		{
			mf_order_take_quote(UUIDPGetDatum(&item->quote), s->partner);
			s->quotes[number] = item->quote;
		}
		else
		{
			NullableDatum arguments[7] = {
				{UUIDPGetDatum(&item->model), false},
				{CStringGetTextDatum(item->material), false},
				{CStringGetTextDatum(item->process), false},
				{Int32GetDatum(item->quantity), false},
				{JsonbPGetDatum(item->options), false},
				{s->partner, false},
				{s->order.value[MF_ORDER_TRACEPARENT], s->traceparent == NULL}
			};

			(void) mf_plan_call("request_quote", lengthof(arguments), arguments, &quote);
			s->quotes[number] = *DatumGetUUIDP(quote);
		}
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		if (is_ours(error->sqlerrcode))
			name_item(error, number);
		ReThrowError(error);
	}
	PG_END_TRY();
}

/* Step 4. */
static void
quote_items(MfSubmission *s)
{
	s->quotes = palloc(s->count * sizeof(pg_uuid_t));
	for (int i = 0; i < s->count; i++)
		quote_item(s, i);
}

static Datum
uuid_array(const pg_uuid_t *uuids, int count)
{
	Datum	   *elements = palloc(count * sizeof(Datum));

	for (int i = 0; i < count; i++)
		elements[i] = UUIDPGetDatum(&uuids[i]);
	return PointerGetDatum(construct_array(elements, count, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
}

/* Step 5. */
static void
insert_items(MfSubmission *s)
{
	pg_uuid_t  *ids = palloc(s->count * sizeof(pg_uuid_t));
	Datum		values[3];

	for (int i = 0; i < s->count; i++)
		ids[i] = mf_uuid7();
	values[0] = UUIDPGetDatum(&s->id);
	if (s->count == 1)
	{
		values[1] = UUIDPGetDatum(&ids[0]);
		values[2] = UUIDPGetDatum(&s->quotes[0]);
		(void) mf_plan_run(&item_plan, values, NULL);
		return;
	}
	values[1] = uuid_array(ids, s->count);
	values[2] = uuid_array(s->quotes, s->count);
	(void) mf_plan_run(&items_plan, values, NULL);
}

static void
insert_customer(MfSubmission *s)
{
	Datum		values[MF_CUSTOMER_COLUMNS + 2];
	char		nulls[MF_CUSTOMER_COLUMNS + 3] = "          ";

	if (s->customer_json == NULL)
		return;
	values[0] = UUIDPGetDatum(&s->id);
	for (int i = 0; i < MF_CUSTOMER_COLUMNS; i++)
	{
		values[i + 1] = s->customer.value[i];
		nulls[i + 1] = s->customer.is_null[i] ? 'n' : ' ';
	}
	values[MF_CUSTOMER_COLUMNS + 1] = PointerGetDatum(s->customer_hash);
	(void) mf_plan_run(&customer_plan, values, nulls);
}

static void
write_event(MfSubmission *s, const char *status, const char *previous, int64 seq,
			const StringInfoData *items, const char *detail)
{
	MfEvent		event;

	mf_event_start(&event, psprintf("order.%s", status), mf_order_id_text(&s->order));
	event.at = s->now;
	event.key_seq = seq;
	event.dwell = previous != NULL ? &s->dwell : NULL;
	event.actor = mf_order_text(&s->order, MF_ORDER_STATUS_BY);
	mf_order_write(&event, &s->order, status, previous, items, detail);
}

/* Step 6. */
static void
complete_order(MfSubmission *s)
{
	static const MfOrderColumn amounts[MF_TALLY_COLUMNS] = {
		MF_ORDER_NET, MF_ORDER_TAX, MF_ORDER_TOTAL, MF_ORDER_CURRENCY, MF_ORDER_PRICE_EXPIRES_AT
	};

	MfTally		tally;
	bool		moves;
	StringInfoData detail;
	const char *status;
	TimestampTz priced_at;

	mf_order_tally(&tally, &s->id);
	if (tally.mixed)
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("items in different currencies"),
				 errdetail("The quotes of the items are not all in %s.", TextDatumGetCString(tally.value[MF_TALLY_CURRENCY])),
				 errhint("Order them apart, one order per currency.")));
	status = mf_tally_status(&tally);
	moves = strcmp(status, MF_STATUS_SUBMITTED) != 0;
	priced_at = moves ? Max(GetCurrentTimestamp(), s->now) : s->now;

	for (int i = 0; i < MF_TALLY_COLUMNS; i++)
		if (!tally.is_null[i])
			set(&s->order, amounts[i], tally.value[i]);
	initStringInfo(&detail);
	appendStringInfoChar(&detail, '{');
	if (s->no_traceparent != NULL)
		mf_body_text(&detail, "traceparent_ignored",
					 pnstrdup(s->no_traceparent, pg_mbcliplen(s->no_traceparent, strlen(s->no_traceparent), 200)));
	appendStringInfoChar(&detail, '}');
	write_event(s, MF_STATUS_SUBMITTED, NULL, 1, &tally.json, detail.data);
	if (moves)
	{
		s->dwell.time = priced_at - s->now;
		s->now = priced_at;
		set(&s->order, MF_ORDER_STATUS_SINCE, TimestampTzGetDatum(priced_at));
		write_event(s, status, MF_STATUS_SUBMITTED, 2, &tally.json, NULL);
	}

	/* Last: a trigger of somebody's may move the order on from here. */
	set(&s->order, MF_ORDER_STATUS, CStringGetTextDatum(status));
	set(&s->order, MF_ORDER_EVENT_SEQ, Int64GetDatum(moves ? 2 : 1));
	insert_order(s);
	mf_order_expect(&s->id, MF_STATUS_SUBMITTED);
	if (moves)
		mf_order_expect(&s->id, status);
}

static void
submit(MfSubmission *s)
{
	while (!mf_order_reserve(s))
		if (mf_order_known(s))
			return;
	mf_order_begin(s);
	begin_order(s);
	quote_items(s);
	insert_items(s);
	insert_customer(s);
	complete_order(s);
}

/*
 * submit_order(partner text, external_ref text, items jsonb, customer jsonb,
 * due_at timestamptz, traceparent text, priority integer): the order's id.
 */
PGDLLEXPORT Datum
mesflow_submit_order(PG_FUNCTION_ARGS)
{
	MfSubmission s;
	pg_uuid_t  *id;

	read_arguments(fcinfo, &s);
	mf_spi_connect();
	submit(&s);
	SPI_finish();
	id = palloc(sizeof(pg_uuid_t));
	*id = s.id;
	PG_RETURN_UUID_P(id);
}
