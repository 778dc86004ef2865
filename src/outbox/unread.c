/*
 * unread.c
 *		What a reader has still to read, for whoever asks, on any server.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "funcapi.h"
#include "plan.h"
#include "reader.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(mesflow_mark);
PG_FUNCTION_INFO_V1(mesflow_unread);
PG_FUNCTION_INFO_V1(mesflow_unread_ids);

#define ENDPOINT_READER	"endpoint " /* and the endpoint's name */
#define ENDPOINT_EVENTS	"endpoint." /* are for the endpoint of their key */

/* What an endpoint has done beyond its position. */
static MfPlan done_plan = {
	.sql = "SELECT c.done FROM mesflow._cursors c WHERE c.name OPERATOR(pg_catalog.=) $1",
	.by_index = true,
	.writes = true,
	.arguments = 1,
	.types = {TEXTOID}
};

/* Counts them, or puts their ids into a store. */
typedef struct Unread
{
	int64		most;
	int64		events;
	TimestampTz oldest;
	Tuplestorestate *ids;
	TupleDesc	desc;
	const char *endpoint;		/* whose reader this is, or NULL */
	int64	   *done;			/* sorted */
	int			done_count;
} Unread;

static int
compare_ids(const void *a, const void *b)
{
	int64		left = *(const int64 *) a;
	int64		right = *(const int64 *) b;

	return left < right ? -1 : left > right;
}

/*
 * What is done is read before the position: an id that is gone from it by the
 * time the position is read is passed by then.
 */
static void
load_endpoint(Unread *unread, const char *name)
{
	MemoryContext caller = CurrentMemoryContext;
	Datum		value = CStringGetTextDatum(name);

	if (strncmp(name, ENDPOINT_READER, strlen(ENDPOINT_READER)) != 0)
		return;
	mf_spi_connect();
	if (mf_plan_run(&done_plan, &value, NULL) > 0 && mf_plan_find(0, 1, &value))
	{
		Datum	   *ids;
		int			count;

		deconstruct_array(DatumGetArrayTypeP(value), INT8OID, sizeof(int64), true,
						  TYPALIGN_DOUBLE, &ids, NULL, &count);
		unread->done = MemoryContextAlloc(caller, (count + 1) * sizeof(int64));
		for (int i = 0; i < count; i++)
			unread->done[i] = DatumGetInt64(ids[i]);
		unread->done_count = count;
		qsort(unread->done, count, sizeof(int64), compare_ids);
	}
	SPI_finish();
	unread->endpoint = name + strlen(ENDPOINT_READER);
}

/* Does a column, which is never NULL, start with this, or is it this? */
static bool
starts_with(TupleTableSlot *slot, AttrNumber column, const char *start, bool and_ends)
{
	bool		is_null;
	text	   *value = DatumGetTextPP(slot_getattr(slot, column, &is_null));
	int			length = (int) VARSIZE_ANY_EXHDR(value);
	int			wanted = (int) strlen(start);

	return (and_ends ? length == wanted : length >= wanted) &&
		memcmp(VARDATA_ANY(value), start, wanted) == 0;
}

/* An endpoint's own events pass its filter; other endpoints' never do. */
static bool
wants(const Unread *unread, const MfCursor *cursor, TupleTableSlot *slot, int64 id)
{
	if (unread->endpoint != NULL && !cursor->is_consumer)
	{
		if (unread->done_count > 0 &&
			bsearch(&id, unread->done, unread->done_count, sizeof(int64), compare_ids) != NULL)
			return false;
		if (starts_with(slot, cursor->filter.type_column, ENDPOINT_EVENTS, false))
			return starts_with(slot, mf_reader_column("key"), unread->endpoint, true);
	}
	return mf_filter_matches(&cursor->filter, slot);
}

static void
add_range(Unread *unread, const MfCursor *cursor, const MfRange *range, Snapshot snapshot)
{
	MfReader   *reader = mf_reader_open(range, snapshot);
	AttrNumber	at_column = mf_reader_column("at");
	TupleTableSlot *slot;
	int64		id;

	while (unread->events < unread->most && (slot = mf_reader_next(reader, &id)) != NULL)
	{
		bool		is_null = false;
		TimestampTz at;

		if (!wants(unread, cursor, slot, id))
			continue;
		at = DatumGetTimestampTz(slot_getattr(slot, at_column, &is_null));
		if (unread->events++ == 0 || at < unread->oldest)
			unread->oldest = at;
		if (unread->ids != NULL)
		{
			Datum		value = Int64GetDatum(id);

			tuplestore_putvalues(unread->ids, unread->desc, &value, &is_null);
		}
	}
	mf_reader_close(reader);
}

/* The rest of the open set, and all that came after it. */
static void
look(Unread *unread, const char *name, int slot)
{
	MfCursor   *cursor;
	Snapshot	snapshot;

	load_endpoint(unread, name);
	cursor = mf_cursor_peek(name);
	snapshot = RegisterSnapshot(GetTransactionSnapshot());
	if (cursor != NULL)
	{
		MfRange		range = {.seen = cursor->seen,.upto = cursor->upto,
			.last_id = cursor->last_id,.origin = cursor->origin,.slot = slot
		};

		if (cursor->upto.snapshot != NULL)
		{
			add_range(unread, cursor, &range, snapshot);
			range.seen = cursor->upto;
			range.upto.snapshot = NULL;
		}
		range.last_id = 0;
		add_range(unread, cursor, &range, snapshot);
	}
	UnregisterSnapshot(snapshot);
}

/*
 * _unread(name text, slot smallint, most bigint, OUT events, OUT oldest): how
 * many events a cursor has still to read, without its backlog, and when the
 * oldest happened; those of one slot, and counted so far, where given.
 */
PGDLLEXPORT Datum
mesflow_unread(PG_FUNCTION_ARGS)
{
	Unread		unread = {.most = PG_ARGISNULL(2) ? PG_INT64_MAX : PG_GETARG_INT64(2)};
	Datum		values[2];
	bool		nulls[2] = {false, false};
	TupleDesc	desc;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "_unread() returns two columns");
	look(&unread, text_to_cstring(PG_GETARG_TEXT_PP(0)),
		 PG_ARGISNULL(1) ? MF_ANY_SLOT : PG_GETARG_INT16(1));
	values[0] = Int64GetDatum(unread.events);
	values[1] = TimestampTzGetDatum(unread.oldest);
	nulls[1] = unread.events == 0;
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* _unread_ids(name text) → SETOF bigint: their ids. */
PGDLLEXPORT Datum
mesflow_unread_ids(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Unread		unread = {.most = PG_INT64_MAX};

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	unread.ids = result->setResult;
	unread.desc = result->setDesc;
	if (!PG_ARGISNULL(0))
		look(&unread, text_to_cstring(PG_GETARG_TEXT_PP(0)), MF_ANY_SLOT);
	return (Datum) 0;
}

/* _mark(OUT seen, OUT floor_id, OUT floor_xid): now, for one who starts. */
PGDLLEXPORT Datum
mesflow_mark(PG_FUNCTION_ARGS)
{
	Snapshot	snapshot = RegisterSnapshot(GetTransactionSnapshot());
	Datum		values[3];
	bool		nulls[3] = {false, false, false};
	TupleDesc	desc;
	MfMark		mark;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "_mark() returns three columns");
	mf_mark_take(&mark, snapshot);
	UnregisterSnapshot(snapshot);
	values[0] = PointerGetDatum(mark.snapshot);
	values[1] = Int64GetDatum(mark.id);
	values[2] = UInt64GetDatum(mark.xid);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
