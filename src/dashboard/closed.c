/*
 * closed.c
 *		Closed orders for a page: by index, and what is counted of each.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "miscadmin.h"
#include "orders_page.h"
#include "plan.h"
#include "tables.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* What is the same in orders, for each column of the page that is there. */
static const char *const same[MF_ORDERS_SHOWN] = {
	[MF_ORDERS_ORDER_ID - 1] = "id",
	[MF_ORDERS_NUMBER - 1] = "number",
	[MF_ORDERS_PARTNER - 1] = "partner",
	[MF_ORDERS_EXTERNAL_REF - 1] = "external_ref",
	[MF_ORDERS_STATUS - 1] = "status",
	[MF_ORDERS_STATUS_SINCE - 1] = "status_since",
	[MF_ORDERS_PRIORITY - 1] = "priority",
	[MF_ORDERS_TOTAL - 1] = "total",
	[MF_ORDERS_CURRENCY - 1] = "currency",
	[MF_ORDERS_CREATED_AT - 1] = "created_at",
	[MF_ORDERS_DUE_AT - 1] = "due_at"
};

/*
 * Orders of a page are mostly neighbours: ids are made by the clock.  So
 * their rows are, too, and one short range has them all, with a few of other
 * orders between.
 */
static MfPlan near_items_plan = {
	.sql = "SELECT i.order_id, i.cancelled_at IS NULL FROM mesflow._order_items i"
	" WHERE i.order_id >= $1 AND i.order_id <= $2 ORDER BY i.order_id LIMIT $3",
	.by_index = true,
	.arguments = 3,
	.types = {UUIDOID, UUIDOID, INT8OID}
};

static MfPlan near_work_plan = {
	.sql = "SELECT w.order_id, w.state = 'finished', w.state <> 'cancelled' FROM mesflow._work_orders w"
	" WHERE w.order_id >= $1 AND w.order_id <= $2 ORDER BY w.order_id LIMIT $3",
	.by_index = true,
	.arguments = 3,
	.types = {UUIDOID, UUIDOID, INT8OID}
};

/* Otherwise each order is looked for. */
static MfPlan items_plan = {
	.sql = "SELECT i.order_id, i.cancelled_at IS NULL FROM mesflow._order_items i WHERE i.order_id = ANY ($1)",
	.by_index = true,
	.arguments = 1,
	.types = {UUIDARRAYOID}
};

static MfPlan work_plan = {
	.sql = "SELECT w.order_id, w.state = 'finished', w.state <> 'cancelled' FROM mesflow._work_orders w WHERE w.order_id = ANY ($1)",
	.by_index = true,
	.arguments = 1,
	.types = {UUIDARRAYOID}
};

/* Rows of a range before it is given up, for each order and besides. */
#define NEAR_EACH	4
#define NEAR_MORE	50

typedef struct Count
{
	pg_uuid_t	id;
	int32		items;
	int32		work_done;
	int32		work_total;
} Count;

struct MfClosed
{
	int			count;
	Count		order[FLEXIBLE_ARRAY_MEMBER];	/* by id */
};

static AttrNumber
column_of(Relation orders, const char *name)
{
	return (AttrNumber) SPI_fnumber(RelationGetDescr(orders), name);
}

void
mf_closed_open(MfOrdered *by, bool of_partner)
{
	memset(by, 0, sizeof(*by));
	by->table = table_open(mf_relation("orders"), AccessShareLock);
	by->index = relation_open(mf_relation(of_partner ? "orders_closed_partner" : "orders_closed"), AccessShareLock);
	by->key = column_of(by->table, "created_at");
	by->id = column_of(by->table, "id");
	by->closed = true;
}

/* The status after this one (NULL: the first), by one probe of the index. */
static bool
next_status(const MfOrdered *by, TupleTableSlot *slot, AttrNumber column, Datum *status, bool from_start)
{
	ScanKeyData key;
	IndexScanDesc scan;
	bool		found;
	bool		is_null;

	if (from_start)
		ScanKeyEntryInitialize(&key, SK_ISNULL | SK_SEARCHNOTNULL, 1, InvalidStrategy, InvalidOid,
							   InvalidOid, InvalidOid, (Datum) 0);
	else
		ScanKeyEntryInitialize(&key, 0, 1, BTGreaterStrategyNumber, InvalidOid, DEFAULT_COLLATION_OID,
							   F_TEXT_GT, *status);
	scan = mf_compat_index_beginscan(by->table, by->index, GetActiveSnapshot(), 1);
	index_rescan(scan, &key, 1, NULL, 0);
	found = index_getnext_slot(scan, ForwardScanDirection, slot);
	if (found)
		*status = datumCopy(slot_getattr(slot, column, &is_null), false, -1);
	ExecClearTuple(slot);
	index_endscan(scan);
	return found;
}

Datum *
mf_closed_statuses(int *count)
{
	MfOrdered	by;
	TupleTableSlot *slot;
	AttrNumber	column;
	int			room = 16;
	Datum	   *found = palloc(room * sizeof(Datum));
	Datum		status = (Datum) 0;

	mf_closed_open(&by, false);
	slot = table_slot_create(by.table, NULL);
	column = column_of(by.table, "closed_as");
	*count = 0;
	while (next_status(&by, slot, column, &status, *count == 0))
	{
		CHECK_FOR_INTERRUPTS();
		if (*count == room)
			found = repalloc(found, (room *= 2) * sizeof(Datum));
		found[(*count)++] = status;
	}
	ExecDropSingleTupleTableSlot(slot);
	relation_close(by.index, AccessShareLock);
	table_close(by.table, AccessShareLock);
	return found;
}

/* ---- counts -------------------------------------------------------------- */

static int
compare(const void *a, const void *b)
{
	return memcmp(&((const Count *) a)->id, &((const Count *) b)->id, sizeof(pg_uuid_t));
}

static Count *
count_of(const MfClosed *closed, const pg_uuid_t *id)
{
	Count		wanted = {.id = *id};

	return (Count *) bsearch(&wanted, closed->order, closed->count, sizeof(Count), compare);
}

static bool
is_true(uint64 row, int column)
{
	Datum		value;

	return mf_plan_find(row, column, &value) && DatumGetBool(value);
}

/* Adds a row of the last statement to its order's counts, if that is asked for. */
static void
count_item(uint64 row, Count *order)
{
	order->items += is_true(row, 2);
}

static void
count_work(uint64 row, Count *order)
{
	order->work_done += is_true(row, 2);
	order->work_total += is_true(row, 3);
}

/*
 * Counts the rows of all orders.  *near says whether the orders are
 * neighbours; it becomes false where too many others are between.
 */
static void
ask(const MfClosed *closed, bool *near, MfPlan *range, MfPlan *each,
	void (*count) (uint64, Count *))
{
	uint64		most = (uint64) closed->count * NEAR_EACH + NEAR_MORE;
	Datum		values[3] = {UUIDPGetDatum(&closed->order[0].id),
		UUIDPGetDatum(&closed->order[closed->count - 1].id),
	Int64GetDatum((int64) most)};
	uint64		rows = *near ? mf_plan_run(range, values, NULL) : most;

	*near = rows < most;
	if (!*near)
	{
		Datum	   *ids = palloc(closed->count * sizeof(Datum));

		for (int i = 0; i < closed->count; i++)
			ids[i] = UUIDPGetDatum(&closed->order[i].id);
		values[0] = PointerGetDatum(construct_array(ids, closed->count, UUIDOID, sizeof(pg_uuid_t),
													false, TYPALIGN_CHAR));
		rows = mf_plan_run(each, values, NULL);
	}
	for (uint64 i = 0; i < rows; i++)
	{
		Datum		id;
		Count	   *order;

		(void) mf_plan_find(i, 1, &id);
		order = count_of(closed, DatumGetUUIDP(id));
		if (order != NULL)
			count(i, order);
	}
}

MfClosed *
mf_closed_count(const MfRow *rows, int count)
{
	MfClosed   *closed = palloc0(offsetof(MfClosed, order) + count * sizeof(Count));
	bool		near = true;

	for (int i = 0; i < count; i++)
		if (rows[i].closed)
			closed->order[closed->count++].id = rows[i].place.id;
	if (closed->count == 0)
		return closed;
	qsort(closed->order, closed->count, sizeof(Count), compare);
	mf_spi_connect();
	ask(closed, &near, &near_items_plan, &items_plan, count_item);
	ask(closed, &near, &near_work_plan, &work_plan, count_work);
	SPI_finish();
	return closed;
}

void
mf_closed_columns(const MfClosed *closed, const MfRow *row, Datum *values, bool *nulls)
{
	const Count *count = count_of(closed, &row->place.id);
	Relation	orders = table_open(mf_relation("orders"), AccessShareLock);

	for (int i = 0; i < MF_ORDERS_SHOWN; i++)
		if (same[i] != NULL)
			values[i] = heap_getattr(row->tuple, column_of(orders, same[i]), RelationGetDescr(orders), &nulls[i]);
		else
			nulls[i] = false;
	values[MF_ORDERS_ITEMS - 1] = Int32GetDatum(count->items);
	values[MF_ORDERS_WORK_DONE - 1] = Int32GetDatum(count->work_done);
	values[MF_ORDERS_WORK_TOTAL - 1] = Int32GetDatum(count->work_total);
	values[MF_ORDERS_OPERATORS - 1] = values[MF_ORDERS_ALARMS - 1] =
		PointerGetDatum(construct_empty_array(TEXTOID));
	table_close(orders, AccessShareLock);
}
