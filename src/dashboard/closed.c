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

/* One pass through an index for all orders of a page, which are sorted by id. */
static MfPlan items_plan = {
	.sql = "SELECT i.order_id, count(*) FILTER (WHERE i.cancelled_at IS NULL)"
	" FROM mesflow._order_items i WHERE i.order_id = ANY ($1) GROUP BY i.order_id",
	.by_index = true,
	.arguments = 1,
	.types = {UUIDARRAYOID}
};

static MfPlan work_plan = {
	.sql = "SELECT w.order_id, count(*) FILTER (WHERE w.state = 'finished'), count(*) FILTER (WHERE w.state <> 'cancelled')"
	" FROM mesflow._work_orders w WHERE w.order_id = ANY ($1) GROUP BY w.order_id",
	.by_index = true,
	.arguments = 1,
	.types = {UUIDARRAYOID}
};

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
	by->table = table_open(mf_relation("orders"), AccessShareLock);
	by->index = relation_open(mf_relation(of_partner ? "orders_closed_partner" : "orders_closed"), AccessShareLock);
	by->rank = 0;
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

	return bsearch(&wanted, closed->order, closed->count, sizeof(Count), compare);
}

/* Column `column` of a row of the last statement, which counts. */
static int32
number(uint64 row, int column)
{
	Datum		value;

	(void) mf_plan_find(row, column, &value);
	return (int32) DatumGetInt64(value);
}

static Count *
counted(const MfClosed *closed, uint64 row)
{
	Datum		id;

	(void) mf_plan_find(row, 1, &id);
	return count_of(closed, DatumGetUUIDP(id));
}

static void
ask(MfClosed *closed)
{
	Datum	   *ids = palloc(closed->count * sizeof(Datum));
	Datum		all;
	uint64		rows;

	for (int i = 0; i < closed->count; i++)
		ids[i] = UUIDPGetDatum(&closed->order[i].id);
	all = PointerGetDatum(construct_array(ids, closed->count, UUIDOID, sizeof(pg_uuid_t), false, TYPALIGN_CHAR));
	mf_spi_connect();
	rows = mf_plan_run(&items_plan, &all, NULL);
	for (uint64 i = 0; i < rows; i++)
		counted(closed, i)->items = number(i, 2);
	rows = mf_plan_run(&work_plan, &all, NULL);
	for (uint64 i = 0; i < rows; i++)
	{
		Count	   *order = counted(closed, i);

		order->work_done = number(i, 2);
		order->work_total = number(i, 3);
	}
	SPI_finish();
}

MfClosed *
mf_closed_count(const MfRow *rows, int count)
{
	MfClosed   *closed = palloc0(offsetof(MfClosed, order) + count * sizeof(Count));

	for (int i = 0; i < count; i++)
		if (rows[i].closed)
			closed->order[closed->count++].id = rows[i].place.id;
	if (closed->count == 0)
		return closed;
	qsort(closed->order, closed->count, sizeof(Count), compare);
	ask(closed);
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
