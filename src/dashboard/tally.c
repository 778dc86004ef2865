/*
 * tally.c
 *		What the items and the work of an order come to, by index scans
 *		without an executor, as of now.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "dashboard.h"
#include "tables.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"

/* Columns of _order_items, in the order of CREATE TABLE. */
enum
{
	ITEM_ID, ITEM_ORDER_ID, ITEM_POSITION, ITEM_QUOTE, ITEM_CANCELLED_AT,
	ITEM_COLUMNS
};

static const char *const item_columns[ITEM_COLUMNS] = {
	"id", "order_id", "position", "quote", "cancelled_at"
};

static const char *const work_columns[MF_WORK_COLUMNS] = {
	"id", "order_id", "nth", "item", "partner", "order_number", "model",
	"material", "process", "operation", "kind", "step", "steps", "lot", "repeats",
	"quantity", "good", "scrap", "state", "operator", "station", "queued_at"
};

bool
mf_dashboard_is_text(Datum value, const char *word)
{
	const text *known = DatumGetTextPP(value);
	size_t		length = VARSIZE_ANY_EXHDR(known);

	return length == strlen(word) && memcmp(VARDATA_ANY(known), word, length) == 0;
}

static bool
is_in(const MfWorkRow *work, const char *state)
{
	return mf_dashboard_is_text(work->value[MF_WORK_STATE], state);
}

bool
mf_dashboard_waits(const MfWorkRow *work)
{
	return is_in(work, "queued") || is_in(work, "assigned");
}

bool
mf_dashboard_is_held(const MfWorkRow *work)
{
	return !work->is_null[MF_WORK_OPERATOR] &&
		(is_in(work, "assigned") || is_in(work, "started"));
}

bool
mf_dashboard_is_done(const MfWorkRow *work)
{
	return is_in(work, "finished");
}

bool
mf_dashboard_counts(const MfWorkRow *work)
{
	return !is_in(work, "cancelled");
}

void
mf_dashboard_open_work(MfWorkRow *work, Relation relation, HeapTuple tuple)
{
	static Oid	checked = InvalidOid;

	mf_columns_check(relation, work_columns, MF_WORK_COLUMNS, &checked);
	mf_columns_open(relation, tuple, MF_WORK_COLUMNS, work->value, work->is_null);
}

List *
mf_dashboard_work(Datum order_id)
{
	Relation	relation = table_open(mf_relation("_work_orders"), AccessShareLock);
	List	   *all = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, MF_WORK_ORDER_ID + 1, BTEqualStrategyNumber, F_UUID_EQ, order_id);
	scan = systable_beginscan(relation, mf_relation("_work_orders_order_key"), true,
							  NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		MfWorkRow  *work = palloc(sizeof(MfWorkRow));

		mf_dashboard_open_work(work, relation, heap_copytuple(tuple));
		all = lappend(all, work);
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return all;
}

bool
mf_dashboard_open_item(Relation relation, HeapTuple tuple, Datum *order_id)
{
	static Oid	checked = InvalidOid;
	bool		is_null;

	mf_columns_check(relation, item_columns, ITEM_COLUMNS, &checked);
	*order_id = heap_getattr(tuple, ITEM_ORDER_ID + 1, RelationGetDescr(relation), &is_null);
	return heap_attisnull(tuple, ITEM_CANCELLED_AT + 1, RelationGetDescr(relation));
}

int
mf_dashboard_items(Datum order_id)
{
	Relation	relation = table_open(mf_relation("_order_items"), AccessShareLock);
	int			count = 0;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, ITEM_ORDER_ID + 1, BTEqualStrategyNumber, F_UUID_EQ, order_id);
	scan = systable_beginscan(relation, mf_relation("_order_items_order_position_key"),
							  true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Datum		same_order;

		if (mf_dashboard_open_item(relation, tuple, &same_order))
			count++;
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return count;
}

/* Has this operator work of this order, assigned or started? */
static bool
holds(Datum who, Datum order_id)
{
	Relation	relation = table_open(mf_relation("_work_orders"), AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	MfWorkRow	work;
	bool		found = false;

	ScanKeyEntryInitialize(&keys[0], 0, MF_WORK_OPERATOR + 1, BTEqualStrategyNumber,
						   InvalidOid, DEFAULT_COLLATION_OID, F_TEXTEQ, who);
	ScanKeyInit(&keys[1], MF_WORK_ORDER_ID + 1, BTEqualStrategyNumber, F_UUID_EQ,
				order_id);
	scan = systable_beginscan(relation, mf_relation("_work_orders_held"), true, NULL,
							  2, keys);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		mf_dashboard_open_work(&work, relation, tuple);
		found = mf_dashboard_is_held(&work);
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return found;
}

Datum
mf_dashboard_no_texts(void)
{
	return PointerGetDatum(construct_empty_array(TEXTOID));
}

/* By bytes, so that the order is the same whatever the database's collation. */
static int
compare(Datum a, Datum b)
{
	const text *left = DatumGetTextPP(a);
	const text *right = DatumGetTextPP(b);
	size_t		left_length = VARSIZE_ANY_EXHDR(left);
	size_t		right_length = VARSIZE_ANY_EXHDR(right);
	int			order = memcmp(VARDATA_ANY(left), VARDATA_ANY(right),
							   Min(left_length, right_length));

	return order != 0 ? order : left_length < right_length ? -1 : left_length > right_length;
}

Datum
mf_dashboard_operators(Datum operators, Datum order_id, Datum who)
{
	bool		is_member = false;
	int			place;
	int			count;
	Datum	   *all;

	deconstruct_array(DatumGetArrayTypeP(operators), TEXTOID, -1, false, TYPALIGN_INT,
					  &all, NULL, &count);
	for (place = 0; place < count; place++)
	{
		int			order = compare(all[place], who);

		is_member = order == 0;
		if (order >= 0)
			break;
	}
	if (holds(who, order_id) == is_member)
		return operators;
	if (is_member)
		memmove(&all[place], &all[place + 1], (--count - place) * sizeof(Datum));
	else
	{
		all = count == 0 ? palloc(sizeof(Datum)) : repalloc(all, (count + 1) * sizeof(Datum));
		memmove(&all[place + 1], &all[place], (count++ - place) * sizeof(Datum));
		all[place] = who;
	}
	return PointerGetDatum(construct_array(all, count, TEXTOID, -1, false, TYPALIGN_INT));
}
