/*
 * cursor.c
 *		How far a reader is: the rows of _cursors.
 *
 * A cursor is between two sets of events (no `upto`), or inside one, with
 * last_id for its position.  The set stays the same however often it is read,
 * so a batch can be handed out again.  When it is used up, its end becomes
 * the start of the next one.
 *
 * A row is written often, so under an old snapshot many dead versions of it
 * pile up.  A process remembers where it left the row, and looks there first.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "outbox.h"
#include "reader.h"
#include "plan.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* Ids of what a dump had left that are looked up at a time. */
#define BACKLOG_MAX		4096

#define COLUMNS_SQL \
	"SELECT c.ctid, c.kind OPERATOR(pg_catalog.=) 'consumer', c.event_types," \
	" c.partner, c.system, c.seen, c.floor_id, c.floor_xid, c.upto, c.upto_id," \
	" c.upto_xid, c.last_id, c.batch_id, c.batch_events, c.origin," \
	" mesflow._is_copy() FROM mesflow._cursors c"
#define BY_NAME_SQL \
	COLUMNS_SQL " WHERE c.name OPERATOR(pg_catalog.=) $1"
#define BY_PLACE_SQL \
	BY_NAME_SQL " AND c.ctid OPERATOR(pg_catalog.=) $2"
#define LOCK_SQL	" FOR NO KEY UPDATE OF c"

static MfPlan peek_by_place = {
	.sql = BY_PLACE_SQL,
	.by_index = true,
	.writes = true,
	.arguments = 2,
	.types = {TEXTOID, TIDOID}
};
static MfPlan peek_by_name = {
	.sql = BY_NAME_SQL,
	.by_index = true,
	.writes = true,
	.arguments = 1,
	.types = {TEXTOID}
};
static MfPlan lock_by_place = {
	.sql = BY_PLACE_SQL LOCK_SQL,
	.by_index = true,
	.writes = true,
	.arguments = 2,
	.types = {TEXTOID, TIDOID}
};
static MfPlan lock_by_name = {
	.sql = BY_NAME_SQL LOCK_SQL,
	.by_index = true,
	.writes = true,
	.arguments = 1,
	.types = {TEXTOID}
};

static MfPlan save_plan = {
	.sql = "UPDATE mesflow._cursors c SET seen = $2, floor_id = $3, floor_xid = $4,"
	" upto = $5, upto_id = $6, upto_xid = $7, last_id = $8, batch_id = $9,"
	" batch_events = $10, acked_at = CASE WHEN $11"
	" THEN pg_catalog.clock_timestamp() ELSE c.acked_at END"
	" WHERE c.ctid OPERATOR(pg_catalog.=) $12"
	" AND c.name OPERATOR(pg_catalog.=) $1 RETURNING c.ctid",
	.by_index = true,
	.writes = true,
	.arguments = 12,
	.types = {TEXTOID, PG_SNAPSHOTOID, INT8OID, XID8OID, PG_SNAPSHOTOID, INT8OID, XID8OID, INT8OID, INT8OID, INT4OID, BOOLOID, TIDOID}
};

static MfPlan has_backlog_plan = {
	.sql = "SELECT FROM mesflow._cursor_backlog b"
	" WHERE b.reader OPERATOR(pg_catalog.=) $1 LIMIT 1",
	.by_index = true,
	.writes = true,
	.arguments = 1,
	.types = {TEXTOID}
};
static MfPlan backlog_plan = {
	.sql = "SELECT b.id FROM mesflow._cursor_backlog b"
	" WHERE b.reader OPERATOR(pg_catalog.=) $1 AND b.id OPERATOR(pg_catalog.>) $2"
	" ORDER BY b.id LIMIT $3",
	.by_index = true,
	.writes = true,
	.arguments = 3,
	.types = {TEXTOID, INT8OID, INT8OID}
};
static MfPlan forget_backlog_plan = {
	.sql = "DELETE FROM mesflow._cursor_backlog b"
	" WHERE b.reader OPERATOR(pg_catalog.=) $1 AND b.id OPERATOR(pg_catalog.<=) $2",
	.by_index = true,
	.writes = true,
	.arguments = 2,
	.types = {TEXTOID, INT8OID}
};

/* Where this process left a row. */
static struct
{
	char		name[NAMEDATALEN];
	ItemPointerData tid;
}			remembered;

static void
remember(const char *name, ItemPointer tid)
{
	strlcpy(remembered.name, name, sizeof(remembered.name));
	remembered.tid = *tid;
}

/* ---- filter ------------------------------------------------------------- */

void
mf_filter_set(MfFilter *filter, Datum patterns, const char *partner)
{
	Datum	   *values;
	int			count;

	deconstruct_array(DatumGetArrayTypeP(patterns), TEXTOID, -1, false, TYPALIGN_INT,
					  &values, NULL, &count);
	memset(filter, 0, sizeof(*filter));
	filter->patterns = palloc0(count * sizeof(*filter->patterns));
	filter->count = count;
	for (int i = 0; i < count; i++)
	{
		char	   *pattern = TextDatumGetCString(values[i]);
		int			length = (int) strlen(pattern);

		filter->patterns[i].prefix = length > 0 && pattern[length - 1] == '*';
		filter->patterns[i].length = length - filter->patterns[i].prefix;
		filter->patterns[i].text = pattern;
		filter->all_types |= strcmp(pattern, "*") == 0;
	}
	filter->partner = partner;
	filter->partner_length = partner == NULL ? 0 : (int) strlen(partner);
	filter->type_column = mf_reader_column("type");
	filter->partner_column = mf_reader_column("partner");
}

static bool
matches_type(const MfFilter *filter, TupleTableSlot *slot)
{
	bool		is_null;
	text	   *type = DatumGetTextPP(slot_getattr(slot, filter->type_column, &is_null));
	int			length = (int) VARSIZE_ANY_EXHDR(type);

	for (int i = 0; i < filter->count; i++)
		if ((filter->patterns[i].prefix ? length > filter->patterns[i].length
			 : length == filter->patterns[i].length) &&
			memcmp(VARDATA_ANY(type), filter->patterns[i].text,
				   filter->patterns[i].length) == 0)
			return true;
	return false;
}

bool
mf_filter_matches(const MfFilter *filter, TupleTableSlot *slot)
{
	if (!filter->all_types && !matches_type(filter, slot))
		return false;
	if (filter->partner != NULL)
	{
		bool		is_null;
		Datum		value = slot_getattr(slot, filter->partner_column, &is_null);
		text	   *partner = is_null ? NULL : DatumGetTextPP(value);

		return partner != NULL &&
			(int) VARSIZE_ANY_EXHDR(partner) == filter->partner_length &&
			memcmp(VARDATA_ANY(partner), filter->partner, filter->partner_length) == 0;
	}
	return true;
}

/* ---- the row ------------------------------------------------------------ */

static MfSnapshot *
snapshot_value(int column)
{
	Datum		value;

	return mf_plan_find(0, column, &value) ? (MfSnapshot *) PG_DETOAST_DATUM_COPY(value) : NULL;
}

/* A column of type bigint or xid8; 0 where it is NULL. */
static int64
int64_value(int column)
{
	Datum		value;

	return mf_plan_find(0, column, &value) ? DatumGetInt64(value) : 0;
}

static bool
bool_value(int column)
{
	Datum		value;

	(void) mf_plan_find(0, column, &value);
	return DatumGetBool(value);
}

/* Takes the cursor from the row found, in the current memory context. */
static MfCursor *
row_found(const char *name)
{
	MfCursor   *cursor = palloc0(sizeof(MfCursor));
	Datum		value;

	cursor->context = CurrentMemoryContext;
	cursor->name = pstrdup(name);
	(void) mf_plan_find(0, 1, &value);
	cursor->tid = *(ItemPointer) DatumGetPointer(value);
	cursor->is_consumer = bool_value(2);
	(void) mf_plan_find(0, 3, &value);
	mf_filter_set(&cursor->filter, value, mf_plan_text(0, 4));
	cursor->system = mf_plan_text(0, 5);
	cursor->seen.snapshot = snapshot_value(6);
	cursor->seen.id = int64_value(7);
	cursor->seen.xid = (uint64) int64_value(8);
	cursor->upto.snapshot = snapshot_value(9);
	cursor->upto.id = int64_value(10);
	cursor->upto.xid = (uint64) int64_value(11);
	cursor->last_id = int64_value(12);
	cursor->batch_id = int64_value(13);
	(void) mf_plan_find(0, 14, &value);
	cursor->batch_events = DatumGetInt32(value);
	(void) mf_plan_find(0, 15, &value);
	cursor->origin = DatumGetInt32(value);
	cursor->armed = cursor->origin == mf_outbox_origin() && !bool_value(16);
	return cursor;
}

static MfCursor *
find_row(const char *name, MfPlan *by_place, MfPlan *by_name)
{
	MemoryContext context = CurrentMemoryContext;
	MfCursor   *cursor = NULL;
	Datum		values[2];
	uint64		rows = 0;

	mf_spi_connect();
	values[0] = CStringGetTextDatum(name);
	values[1] = PointerGetDatum(&remembered.tid);
	if (strcmp(remembered.name, name) == 0 && ItemPointerIsValid(&remembered.tid))
		rows = mf_plan_run(by_place, values, NULL);
	if (rows == 0)
		rows = mf_plan_run(by_name, values, NULL);
	if (rows > 0)
	{
		MemoryContextSwitchTo(context);
		cursor = row_found(name);
		remember(name, &cursor->tid);

		/* After the lock, so that it shows what whoever held it left. */
		values[0] = CStringGetTextDatum(name);
		cursor->backlog = mf_plan_run(&has_backlog_plan, values, NULL) > 0;
	}
	SPI_finish();
	return cursor;
}

MfCursor *
mf_cursor_peek(const char *name)
{
	return find_row(name, &peek_by_place, &peek_by_name);
}

MfCursor *
mf_cursor_lock(const char *name)
{
	return find_row(name, &lock_by_place, &lock_by_name);
}

/* Deletes what a dump had left, up to an id. */
static void
forget_backlog(MfCursor *cursor, int64 id)
{
	Datum		values[2];

	mf_spi_connect();
	values[0] = CStringGetTextDatum(cursor->name);
	values[1] = Int64GetDatum(id);
	(void) mf_plan_run(&forget_backlog_plan, values, NULL);
	SPI_finish();
}

void
mf_cursor_save(MfCursor *cursor, bool acked)
{
	bool		open = cursor->upto.snapshot != NULL;
	char		nulls[12];
	Datum		values[12];
	Datum		place;

	memset(nulls, ' ', sizeof(nulls));
	mf_spi_connect();
	values[0] = CStringGetTextDatum(cursor->name);
	values[1] = PointerGetDatum(cursor->seen.snapshot);
	values[2] = Int64GetDatum(cursor->seen.id);
	values[3] = UInt64GetDatum(cursor->seen.xid);
	values[4] = PointerGetDatum(cursor->upto.snapshot);
	values[5] = Int64GetDatum(cursor->upto.id);
	values[6] = UInt64GetDatum(cursor->upto.xid);
	if (!open)
		nulls[4] = nulls[5] = nulls[6] = 'n';
	values[7] = Int64GetDatum(cursor->last_id);
	values[8] = Int64GetDatum(cursor->batch_id);
	if (cursor->batch_id == 0)
		nulls[8] = 'n';
	values[9] = Int32GetDatum(cursor->batch_events);
	values[10] = BoolGetDatum(acked);
	values[11] = PointerGetDatum(&cursor->tid);
	if (mf_plan_run(&save_plan, values, nulls) != 1)
		elog(ERROR, "cursor \"%s\" was not where it was locked", cursor->name);
	(void) mf_plan_find(0, 1, &place);
	cursor->tid = *(ItemPointer) DatumGetPointer(place);
	remember(cursor->name, &cursor->tid);
	SPI_finish();
	cursor->moved = false;
}

/* ---- reading ------------------------------------------------------------ */

static Snapshot
snapshot_of(MfCursor *cursor)
{
	if (cursor->snapshot == NULL)
		cursor->snapshot = RegisterSnapshot(GetTransactionSnapshot());
	return cursor->snapshot;
}

static void
close_reader(MfCursor *cursor)
{
	if (cursor->reader != NULL)
		mf_reader_close(cursor->reader);
	cursor->reader = NULL;
}

static void
open_reader(MfCursor *cursor)
{
	cursor->range.seen = cursor->seen;
	cursor->range.upto = cursor->upto;
	cursor->range.last_id = cursor->last_id;
	cursor->range.origin = cursor->origin;
	cursor->range.slot = MF_ANY_SLOT;
	cursor->reader = mf_reader_open(&cursor->range, snapshot_of(cursor));
}

/* A set from where the cursor is up to now. */
static void
open_set(MfCursor *cursor)
{
	mf_mark_take(&cursor->upto, snapshot_of(cursor));
	cursor->last_id = 0;
	cursor->fresh = true;
}

/* The set is used up: the next one begins where it ended. */
static void
close_set(MfCursor *cursor)
{
	/* Where no id was drawn and no row looked at, the old mark is as good. */
	if (!cursor->fresh || cursor->upto.id > cursor->seen.id ||
		mf_reader_looked_at(cursor->reader) > 0)
		cursor->moved = true;
	close_reader(cursor);
	cursor->seen = cursor->upto;
	cursor->upto.snapshot = NULL;
	cursor->last_id = 0;
	cursor->ended = false;
}

bool
mf_cursor_is_idle(MfCursor *cursor)
{
	MfMark		upto = cursor->upto;
	MfMark		seen = cursor->seen;
	int64		id;
	bool		idle;

	if (cursor->batch_id != 0 || cursor->backlog || upto.snapshot != NULL)
		return false;
	open_set(cursor);
	idle = cursor->upto.id <= seen.id;
	if (idle)
	{
		open_reader(cursor);
		idle = mf_reader_next(cursor->reader, &id) == NULL &&
			mf_reader_looked_at(cursor->reader) == 0;
		close_reader(cursor);
	}
	cursor->upto = upto;
	return idle;
}

static void
load_backlog(MfCursor *cursor)
{
	int64	   *ids = MemoryContextAlloc(cursor->context, BACKLOG_MAX * sizeof(int64));
	Datum		values[3];

	mf_spi_connect();
	values[0] = CStringGetTextDatum(cursor->name);
	values[1] = Int64GetDatum(cursor->passed_id);
	values[2] = Int64GetDatum(BACKLOG_MAX);
	cursor->backlog_count = mf_plan_run(&backlog_plan, values, NULL);
	for (uint64 i = 0; i < cursor->backlog_count; i++)
	{
		Datum		value;

		(void) mf_plan_find(i, 1, &value);
		ids[i] = DatumGetInt64(value);
	}
	SPI_finish();
	if (cursor->backlog_ids != NULL)
		pfree(cursor->backlog_ids);
	cursor->backlog_ids = ids;
	cursor->backlog_at = 0;
}

static TupleTableSlot *
next_of_backlog(MfCursor *cursor, int64 *id)
{
	if (cursor->reader == NULL)
		open_reader(cursor);
	for (;;)
	{
		TupleTableSlot *slot;

		if (cursor->backlog_at == cursor->backlog_count)
			load_backlog(cursor);
		if (cursor->backlog_count == 0)
			return NULL;
		*id = cursor->passed_id = cursor->backlog_ids[cursor->backlog_at++];
		slot = mf_reader_find(cursor->reader, *id);
		if (slot != NULL)
			return slot;
	}
}

static TupleTableSlot *
next_of_set(MfCursor *cursor, int64 *id)
{
	TupleTableSlot *slot;

	if (cursor->upto.snapshot == NULL)
		open_set(cursor);
	if (cursor->reader == NULL)
		open_reader(cursor);
	while ((slot = mf_reader_next(cursor->reader, id)) != NULL)
	{
		cursor->passed_id = *id;
		if (mf_filter_matches(&cursor->filter, slot))
			return slot;
	}
	return NULL;
}

TupleTableSlot *
mf_cursor_next(MfCursor *cursor, int64 *id)
{
	MemoryContext caller = MemoryContextSwitchTo(cursor->context);
	TupleTableSlot *slot = NULL;

	while (!cursor->ended)
	{
		slot = cursor->backlog ? next_of_backlog(cursor, id) : next_of_set(cursor, id);
		if (slot != NULL)
		{
			if (cursor->returned++ == 0)
				cursor->first_id = *id;
			break;
		}
		cursor->ended = true;
		if (cursor->returned > 0)
			break;

		/* Nothing in there: on to the next, up to now. */
		if (cursor->backlog)
		{
			forget_backlog(cursor, cursor->passed_id);
			close_reader(cursor);
			cursor->backlog = cursor->ended = false;
			cursor->passed_id = 0;
		}
		else
		{
			bool		fresh = cursor->fresh;

			close_set(cursor);
			cursor->ended = fresh;
		}
	}
	MemoryContextSwitchTo(caller);
	return slot;
}

void
mf_cursor_advance(MfCursor *cursor, int64 id)
{
	if (cursor->backlog)
		forget_backlog(cursor, id);
	else
		cursor->last_id = id;
	cursor->moved = true;
}

void
mf_cursor_done(MfCursor *cursor)
{
	if (cursor->returned > 0)
	{
		mf_cursor_advance(cursor, cursor->passed_id);
		if (!cursor->backlog && cursor->ended)
			close_set(cursor);
	}
	if (cursor->moved)
		mf_cursor_save(cursor, cursor->returned > 0);
}

void
mf_cursor_close(MfCursor *cursor)
{
	close_reader(cursor);
	if (cursor->snapshot != NULL)
		UnregisterSnapshot(cursor->snapshot);
	cursor->snapshot = NULL;
}
