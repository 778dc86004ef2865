/*
 * consumer.c
 *		Reading events in SQL: batches that are handed out, and handed out
 *		again until they are acked.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "check.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mesflow.h"
#include "miscadmin.h"
#include "outbox.h"
#include "plan.h"
#include "reader.h"
#include "tables.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"
#include "utils/uuid.h"

PG_FUNCTION_INFO_V1(mesflow_consume);
PG_FUNCTION_INFO_V1(mesflow_ack);
PG_FUNCTION_INFO_V1(mesflow_consume_internal);
PG_FUNCTION_INFO_V1(mesflow_ack_internal);
PG_FUNCTION_INFO_V1(mesflow_drain_consumer);

/* Most events of a batch. */
#define BATCH_MAX		100000

/* An order that is named several times is one. */
static MfPlan receive_plan = {
	.sql = "SELECT mesflow._receive_by_ack($1, ARRAY(SELECT DISTINCT o"
	" FROM pg_catalog.unnest($2) o))",
	.writes = true,
	.arguments = 2,
	.types = {TEXTOID, UUIDARRAYOID}
};

static void
check_writes(const char *what)
{
	mf_check_primary();
	PreventCommandIfReadOnly(what);
}

/* A reader of this kind, of the name that was given, that can be read here. */
static void
check_consumer(const MfCursor *cursor, const char *name, bool internal)
{
	if (cursor == NULL || cursor->is_consumer == internal)
		ereport(ERROR,
				(errcode(MF_ERRCODE_NOT_FOUND),
				 errmsg("no such consumer"),
				 errdetail("There is no consumer \"%s\".", name),
				 errhint("The view mesflow.consumers lists them; mesflow.create_consumer() makes one.")));
	if (!cursor->armed)
		ereport(ERROR,
				(errcode(MF_ERRCODE_NOT_HERE),
				 errmsg("this database is a copy that is not armed"),
				 errdetail("What consumer \"%s\" has read was noted in another database.", name),
				 errhint("Where this copy takes the place of the other one, call mesflow.arm(reason).")));
}

static char *
name_argument(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("a name is needed"),
				 errdetail("The name of the consumer is NULL."),
				 errhint("The view mesflow.consumers lists them.")));
	return text_to_cstring(PG_GETARG_TEXT_PP(0));
}

static MfCursor *
lock_consumer(const char *name, bool internal)
{
	MfCursor   *cursor = mf_cursor_lock(name);

	check_consumer(cursor, name, internal);
	return cursor;
}

/* Nothing new is the usual answer to somebody who asks often: no lock for it. */
static bool
is_idle(const char *name, bool internal)
{
	MfCursor   *cursor = mf_cursor_peek(name);
	bool		idle;

	check_consumer(cursor, name, internal);
	idle = mf_cursor_is_idle(cursor);
	mf_cursor_close(cursor);
	return idle;
}

/* The batch that was handed out before, or a new one; its events to `store`. */
static void
hand_out(MfCursor *cursor, int most, Tuplestorestate *store, TupleDesc desc)
{
	bool		again = cursor->batch_id != 0;
	int			count = 0;
	int64		last_id = 0;
	int64		id;
	TupleTableSlot *slot;

	if (again)
		most = cursor->batch_events;
	while (count < most && (slot = mf_cursor_next(cursor, &id)) != NULL)
	{
		if (again && id > cursor->batch_id)
			break;
		tuplestore_puttupleslot(store, slot);
		last_id = id;
		count++;
	}
	if (again)
		return;
	if (count > 0)
	{
		cursor->batch_id = last_id;
		cursor->batch_events = count;

		/* What the filter keeps back before the batch is done with. */
		if (!cursor->backlog)
			cursor->last_id = cursor->first_id - 1;
		cursor->moved = true;
	}
	if (cursor->moved)
		mf_cursor_save(cursor, false);
}

static Datum
consume(FunctionCallInfo fcinfo, bool internal)
{
	char	   *name = name_argument(fcinfo);
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MfCursor   *cursor;

	if (PG_ARGISNULL(1) || PG_GETARG_INT32(1) < 1 || PG_GETARG_INT32(1) > BATCH_MAX)
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("not a size of a batch"),
				 errdetail("limit_to is %s.",
						   PG_ARGISNULL(1) ? "NULL" : psprintf("%d", PG_GETARG_INT32(1))),
				 errhint("It is between 1 and %d.", BATCH_MAX)));
	check_writes("consume()");
	InitMaterializedSRF(fcinfo, 0);
	if (is_idle(name, internal))
		return (Datum) 0;
	cursor = lock_consumer(name, internal);
	hand_out(cursor, PG_GETARG_INT32(1), result->setResult, result->setDesc);
	mf_cursor_close(cursor);
	return (Datum) 0;
}

/* consume(name text, limit_to int) → SETOF outbox */
PGDLLEXPORT Datum
mesflow_consume(PG_FUNCTION_ARGS)
{
	return consume(fcinfo, false);
}

/* _consume: the same for readers of mesflow's own. */
PGDLLEXPORT Datum
mesflow_consume_internal(PG_FUNCTION_ARGS)
{
	return consume(fcinfo, true);
}

/* ---- ack ---------------------------------------------------------------- */

typedef struct Orders
{
	Datum	   *ids;
	int			count;
	int			room;
} Orders;

static void
note_order(Orders *orders, TupleTableSlot *slot, AttrNumber column)
{
	bool		is_null;
	Datum		value = slot_getattr(slot, column, &is_null);

	if (is_null)
		return;
	if (orders->count == orders->room)
	{
		orders->room = Max(64, 2 * orders->room);
		orders->ids = orders->ids == NULL ? palloc(orders->room * sizeof(Datum))
			: repalloc(orders->ids, orders->room * sizeof(Datum));
	}
	orders->ids[orders->count++] =
		PointerGetDatum(memcpy(palloc(UUID_LEN), DatumGetPointer(value), UUID_LEN));
}

/* The system has the orders that it acked events of. */
static void
receive(const char *system, const Orders *orders)
{
	Datum		values[2];

	if (orders->count == 0)
		return;
	mf_spi_connect();
	values[0] = CStringGetTextDatum(system);
	values[1] = PointerGetDatum(construct_array(orders->ids, orders->count, UUIDOID,
												UUID_LEN, false, TYPALIGN_CHAR));
	(void) mf_plan_run(&receive_plan, values, NULL);
	SPI_finish();
}

static void
refuse_ack(const MfCursor *cursor, int64 upto)
{
	ereport(ERROR,
			(errcode(MF_ERRCODE_CONFLICT),
			 errmsg("not in the batch handed out"),
			 cursor->batch_id == 0
			 ? errdetail("Nothing is handed out to consumer \"%s\"; upto is %lld.",
						 cursor->name, (long long) upto)
			 : errdetail("No event %lld is handed out to consumer \"%s\"; the last one is %lld.",
						 (long long) upto, cursor->name, (long long) cursor->batch_id),
			 errhint("Ack ids that consume() returned last, each once.")));
}

/* The events of the batch up to this one, which must be among them. */
static int
count_batch(MfCursor *cursor, int64 upto, Orders *orders)
{
	AttrNumber	column = mf_reader_column("order_id");
	int			count = 0;
	int64		id = 0;
	TupleTableSlot *slot;

	while (count < cursor->batch_events && (slot = mf_cursor_next(cursor, &id)) != NULL &&
		   id <= upto)
	{
		count++;
		if (cursor->system != NULL)
			note_order(orders, slot, column);
		if (id == upto)
			return count;
	}
	refuse_ack(cursor, upto);
	return 0;
}

static Datum
ack(FunctionCallInfo fcinfo, bool internal)
{
	char	   *name = name_argument(fcinfo);
	Orders		orders = {NULL, 0, 0};
	MfCursor   *cursor;
	int64		upto;
	int			acked;

	check_writes("ack()");
	cursor = lock_consumer(name, internal);
	if (PG_ARGISNULL(1) && cursor->batch_id == 0)
		PG_RETURN_INT64(0);
	upto = PG_ARGISNULL(1) ? cursor->batch_id : PG_GETARG_INT64(1);
	if (cursor->batch_id == 0 || upto > cursor->batch_id)
		refuse_ack(cursor, upto);

	acked = cursor->batch_events;
	if (upto < cursor->batch_id || cursor->system != NULL)
		acked = count_batch(cursor, upto, &orders);
	mf_cursor_advance(cursor, upto);
	cursor->batch_events -= acked;
	if (upto == cursor->batch_id)
		cursor->batch_id = cursor->batch_events = 0;
	mf_cursor_save(cursor, true);
	mf_cursor_close(cursor);
	if (cursor->system != NULL)
		receive(cursor->system, &orders);
	PG_RETURN_INT64(acked);
}

/* ack(name text, upto bigint) → how many events were acked */
PGDLLEXPORT Datum
mesflow_ack(PG_FUNCTION_ARGS)
{
	return ack(fcinfo, false);
}

/* _ack: the same for readers of mesflow's own. */
PGDLLEXPORT Datum
mesflow_ack_internal(PG_FUNCTION_ARGS)
{
	return ack(fcinfo, true);
}

/*
 * _drain_consumer(name text, limit_to bigint) → how many events were passed
 * over, at most so many: for consumers that are to go on from here.
 */
PGDLLEXPORT Datum
mesflow_drain_consumer(PG_FUNCTION_ARGS)
{
	char	   *name = name_argument(fcinfo);
	int64		most = PG_ARGISNULL(1) ? PG_INT64_MAX : PG_GETARG_INT64(1);
	int64		count = 0;
	uint64		returned;

	check_writes("_drain_consumer()");
	do
	{
		MfCursor   *cursor = lock_consumer(name, false);
		int64		id;

		cursor->batch_id = cursor->batch_events = 0;
		while (count < most && mf_cursor_next(cursor, &id) != NULL)
			count++;
		returned = cursor->returned;
		mf_cursor_done(cursor);
		mf_cursor_close(cursor);
	} while (returned > 0 && count < most);
	PG_RETURN_INT64(count);
}
