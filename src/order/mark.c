/*
 * mark.c
 *		Noting that a quote of an order has changed.
 *
 * Whoever prices a quote must not wait for the order's row, so the order is
 * only noted, in a row of its own; the pricing worker sums it up when the
 * change has been committed.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "plan.h"
#include "tables.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/uuid.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(mesflow_mark_order);

/* Columns of _order_items, in the order of CREATE TABLE. */
enum
{
	ITEM_ORDER_ID = 2, ITEM_QUOTE = 4
};

/* The column id of _quotes. */
#define QUOTE_ID	1

static MfPlan mark_plan = {
	.sql = "INSERT INTO mesflow._orders_to_sum (order_id) VALUES ($1)",
	.by_index = true,
	.writes = true,
	.arguments = 1,
	.types = {UUIDOID}
};

/*
 * The item of a quote, as of now: whoever orders a quote holds its row, so
 * either the item is seen here, or the order sees the quote as it is now.
 */
static bool
find_order(Datum quote, pg_uuid_t *order_id)
{
	Relation	items = table_open(mf_relation("_order_items"), AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;

	ScanKeyInit(&key, ITEM_QUOTE, BTEqualStrategyNumber, F_UUID_EQ, quote);
	scan = systable_beginscan(items, mf_relation("_order_items_quote_key"), true,
							  NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		is_null;

		*order_id = *DatumGetUUIDP(heap_getattr(tuple, ITEM_ORDER_ID,
												RelationGetDescr(items), &is_null));
		found = true;
	}
	systable_endscan(scan);
	table_close(items, AccessShareLock);
	return found;
}

/* AFTER UPDATE, row trigger of _quotes whose state or price has changed. */
PGDLLEXPORT Datum
mesflow_mark_order(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	pg_uuid_t	order_id;
	Datum		value;
	bool		is_null;

	if (!CALLED_AS_TRIGGER(fcinfo))
		elog(ERROR, "not called as a trigger");
	value = heap_getattr(trigger->tg_newtuple, QUOTE_ID,
						 RelationGetDescr(trigger->tg_relation), &is_null);
	if (!find_order(value, &order_id))
		return PointerGetDatum(NULL);
	value = UUIDPGetDatum(&order_id);
	mf_spi_connect();
	(void) mf_plan_run(&mark_plan, &value, NULL);
	SPI_finish();
	mf_wakeup_at_commit(MF_WORKER_PRICING);
	return PointerGetDatum(NULL);
}
