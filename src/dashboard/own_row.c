/*
 * own_row.c
 *		Rows of our own tables: found, written, removed.
 *
 * Whoever writes them holds the order's row, so what has just been read is
 * what is there, and whole rows are written.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "dashboard.h"
#include "tables.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/timestamp.h"

/* Alarms are somebody else's to update. */
MfOwnTable	mf_dashboard_orders = {
	.name = "dashboard_orders",
	.index = "dashboard_orders_pkey",
	.keys = 1,
	.count = MF_SHOWN_COLUMNS,
	.as_of = MF_SHOWN_AS_OF,
	.trigger = "show_alarms",
	.columns = {"order_id", "number", "partner", "external_ref", "status", "status_since", "priority", "total", "currency",
	"created_at", "due_at", "items", "work_done", "work_total", "operators", "alarms", "as_of", "workable"},
	.insert = {
		.sql = "INSERT INTO mesflow.dashboard_orders (order_id, number, partner, external_ref, status, status_since, priority, total,"
		" currency, created_at, due_at, items, work_done, work_total, operators, alarms, as_of, workable)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
		.by_index = true,
		.writes = true,
		.arguments = MF_SHOWN_COLUMNS,
		.types = {UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, INT4OID, NUMERICOID, TEXTOID, TIMESTAMPTZOID,
		TIMESTAMPTZOID, INT4OID, INT4OID, INT4OID, TEXTARRAYOID, TEXTARRAYOID, TIMESTAMPTZOID, BOOLOID}
	},
	.update = {
		.sql = "UPDATE mesflow.dashboard_orders SET number = $2, partner = $3, external_ref = $4, status = $5, status_since = $6,"
		" priority = $7, total = $8, currency = $9, created_at = $10, due_at = $11, items = $12, work_done = $13,"
		" work_total = $14, operators = $15, as_of = $17, workable = $18"
		" WHERE order_id OPERATOR(pg_catalog.=) $1",
		.by_index = true,
		.writes = true,
		.arguments = MF_SHOWN_COLUMNS,
		.types = {UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, INT4OID, NUMERICOID, TEXTOID, TIMESTAMPTZOID,
		TIMESTAMPTZOID, INT4OID, INT4OID, INT4OID, TEXTARRAYOID, TEXTARRAYOID, TIMESTAMPTZOID, BOOLOID}
	},
	.remove = {
		.sql = "DELETE FROM mesflow.dashboard_orders WHERE order_id OPERATOR(pg_catalog.=) $1",
		.by_index = true,
		.writes = true,
		.arguments = 1,
		.types = {UUIDOID}
	}
};

MfOwnTable	mf_dashboard_dispatch = {
	.name = "dashboard_dispatch",
	.index = "dashboard_dispatch_pkey",
	.keys = 1,
	.count = MF_LISTED_COLUMNS,
	.as_of = MF_LISTED_AS_OF,
	.columns = {"work_order", "number", "order_number", "partner", "process", "operation", "material", "quantity", "model",
	"priority", "operator", "station", "state", "queued_at", "due_at", "alarm", "as_of", "order_id", "kind", "rank", "due_key"},
	.insert = {
		.sql = "INSERT INTO mesflow.dashboard_dispatch (work_order, number, order_number, partner, process, operation, material,"
		" quantity, model, priority, operator, station, state, queued_at, due_at, alarm, as_of, order_id, kind, rank, due_key)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)",
		.by_index = true,
		.writes = true,
		.arguments = MF_LISTED_COLUMNS,
		.types = {UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT4OID, UUIDOID, INT4OID, TEXTOID, TEXTOID,
		TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, BOOLOID, TIMESTAMPTZOID, UUIDOID, INT4OID, INT8OID, TIMESTAMPTZOID}
	},
	.update = {
		.sql = "UPDATE mesflow.dashboard_dispatch SET number = $2, order_number = $3, partner = $4, process = $5, operation = $6,"
		" material = $7, quantity = $8, model = $9, priority = $10, operator = $11, station = $12, state = $13,"
		" queued_at = $14, due_at = $15, alarm = $16, as_of = $17, order_id = $18, kind = $19, rank = $20, due_key = $21"
		" WHERE work_order OPERATOR(pg_catalog.=) $1",
		.by_index = true,
		.writes = true,
		.arguments = MF_LISTED_COLUMNS,
		.types = {UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT4OID, UUIDOID, INT4OID, TEXTOID, TEXTOID,
		TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, BOOLOID, TIMESTAMPTZOID, UUIDOID, INT4OID, INT8OID, TIMESTAMPTZOID}
	},
	.remove = {
		.sql = "DELETE FROM mesflow.dashboard_dispatch WHERE work_order OPERATOR(pg_catalog.=) $1",
		.by_index = true,
		.writes = true,
		.arguments = 1,
		.types = {UUIDOID}
	}
};

/* No plan of an update: with another status it is another key. */
MfOwnTable	mf_dashboard_sorted = {
	.name = "_orders_by_status",
	.index = "_orders_by_status_pkey",
	.keys = MF_SORTED_COLUMNS,
	.count = MF_SORTED_COLUMNS,
	.as_of = -1,
	.columns = {"status", "created_at", "order_id"},
	.insert = {
		.sql = "INSERT INTO mesflow._orders_by_status (status, created_at, order_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
		.by_index = true,
		.writes = true,
		.arguments = MF_SORTED_COLUMNS,
		.types = {TEXTOID, TIMESTAMPTZOID, UUIDOID}
	},
	.remove = {
		.sql = "DELETE FROM mesflow._orders_by_status WHERE status OPERATOR(pg_catalog.=) $1"
		" AND created_at OPERATOR(pg_catalog.=) $2 AND order_id OPERATOR(pg_catalog.=) $3",
		.by_index = true,
		.writes = true,
		.arguments = MF_SORTED_COLUMNS,
		.types = {TEXTOID, TIMESTAMPTZOID, UUIDOID}
	}
};

void
mf_dashboard_set(MfOwnRow *row, int column, Datum value)
{
	row->value[column] = value;
	row->is_null[column] = false;
}

void
mf_dashboard_copy(MfOwnRow *row, int column, const Datum *values, const bool *nulls, int from)
{
	row->value[column] = values[from];
	row->is_null[column] = nulls[from];
}

/* The newest version of the row of a key, the first columns; NULL: there is none. */
static HeapTuple
find(Relation relation, const char *index, int count, const Oid *types, const Datum *key)
{
	ScanKeyData keys[MF_OWN_KEYS];
	SysScanDesc scan;
	HeapTuple	tuple;

	/* What the statement that has fired the trigger wrote is to be seen. */
	CommandCounterIncrement();
	for (int i = 0; i < count; i++)
		ScanKeyEntryInitialize(&keys[i], 0, i + 1, BTEqualStrategyNumber, InvalidOid,
							   types[i] == TEXTOID ? DEFAULT_COLLATION_OID : InvalidOid,
							   types[i] == TEXTOID ? F_TEXTEQ :
							   types[i] == UUIDOID ? F_UUID_EQ : F_TIMESTAMPTZ_EQ,
							   key[i]);
	scan = systable_beginscan(relation, mf_relation(index), true, NULL, count, keys);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		tuple = heap_copytuple(tuple);
	systable_endscan(scan);
	return tuple;
}

bool
mf_dashboard_find(MfOwnTable *table, const Datum *key, MfOwnRow *row)
{
	Relation	relation = table_open(mf_relation(table->name), RowExclusiveLock);
	HeapTuple	tuple = find(relation, table->index, table->keys, table->insert.types, key);

	if (tuple != NULL)
	{
		mf_columns_check(relation, table->columns, table->count, &table->checked);
		mf_columns_open(relation, tuple, table->count, row->value, row->is_null);
		row->place = tuple->t_self;
	}
	table_close(relation, NoLock);
	return tuple != NULL;
}

/* Has this transaction written a newer version of the row? */
static bool
is_newest(HeapTuple tuple)
{
	HeapTupleHeader header = tuple->t_data;

	return (header->t_infomask & HEAP_XMAX_INVALID) != 0 ||
		HEAP_XMAX_IS_LOCKED_ONLY(header->t_infomask) ||
		!TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetUpdateXid(header));
}

HeapTuple
mf_dashboard_newest(Relation relation, const char *index, HeapTuple tuple)
{
	static const Oid type = UUIDOID;

	HeapTuple	newest;
	Datum		id;
	bool		is_null;

	if (is_newest(tuple))
		return tuple;
	id = heap_getattr(tuple, 1, RelationGetDescr(relation), &is_null);
	newest = find(relation, index, 1, &type, &id);
	return newest != NULL ? newest : tuple;
}

static bool
same(Oid type, Datum a, Datum b)
{
	switch (type)
	{
		case BOOLOID:
			return DatumGetBool(a) == DatumGetBool(b);
		case INT4OID:
			return DatumGetInt32(a) == DatumGetInt32(b);
		case INT8OID:
		case TIMESTAMPTZOID:
			return DatumGetInt64(a) == DatumGetInt64(b);
		case UUIDOID:
			return memcmp(DatumGetPointer(a), DatumGetPointer(b), UUID_LEN) == 0;
		default:
			return datum_image_eq(a, b, false, -1);
	}
}

bool
mf_dashboard_differs(const MfOwnTable *table, const MfOwnRow *a, const MfOwnRow *b)
{
	for (int i = 0; i < table->count; i++)
		if (i != table->as_of &&
			(a->is_null[i] != b->is_null[i] ||
			 (!a->is_null[i] && !same(table->insert.types[i], a->value[i], b->value[i]))))
			return true;
	return false;
}

typedef struct Run
{
	MfPlan	   *plan;
	MfOwnRow   *row;
} Run;

static void
run_plan(void *arg)
{
	Run		   *run = arg;
	char		nulls[MF_OWN_COLUMNS];

	for (int i = 0; i < run->plan->arguments; i++)
		nulls[i] = run->row->is_null[i] ? 'n' : ' ';
	mf_spi_connect();
	(void) mf_plan_run(run->plan, run->row->value, nulls);
	SPI_finish();
}

/* False where a plan had to do it. */
static bool
write_row(MfOwnTable *table, MfOwnRow *row, MfPlan *plan,
		  bool (*straight) (const MfOwnTable *, Relation, MfOwnRow *))
{
	Relation	relation = table_open(mf_relation(table->name), RowExclusiveLock);
	Run			run = {plan, row};

	if (table->as_of >= 0)
		mf_dashboard_set(row, table->as_of, TimestampTzGetDatum(GetCurrentTimestamp()));
	if (straight(table, relation, row))
	{
		table_close(relation, NoLock);
		return true;
	}
	mf_as_owner(run_plan, &run);
	table_close(relation, NoLock);
	return false;
}

void
mf_dashboard_insert(MfOwnTable *table, MfOwnRow *row)
{
	(void) write_row(table, row, &table->insert, mf_dashboard_heap_insert);
}

void
mf_dashboard_update(MfOwnTable *table, MfOwnRow *row)
{
	MfOwnRow	now;

	/*
	 * Somebody who does not hold the order may have written: alarms are
	 * theirs.
	 */
	if (!write_row(table, row, &table->update, mf_dashboard_heap_update) &&
		mf_dashboard_find(table, row->value, &now))
		*row = now;
}

void
mf_dashboard_remove(MfOwnTable *table, MfOwnRow *row)
{
	(void) write_row(table, row, &table->remove, mf_dashboard_heap_remove);
}

void
mf_dashboard_move(MfOwnTable *table, MfOwnRow *from, MfOwnRow *to)
{
	Relation	relation = table_open(mf_relation(table->name), RowExclusiveLock);

	to->place = from->place;
	if (!mf_dashboard_heap_update(table, relation, to))
	{
		mf_dashboard_remove(table, from);
		mf_dashboard_insert(table, to);
	}
	table_close(relation, NoLock);
}
