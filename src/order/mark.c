/*
 * mark.c
 *		Noting that a quote of an order has changed.
 *
 * Whoever prices a quote must not wait for the order's row, so the order is
 * only noted, in a row of its own; the pricing worker sums it up when the
 * change has been committed.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "plan.h"
#include "tables.h"
#include "utils/rel.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(mesflow_mark_order);

/* The column id of _quotes. */
#define QUOTE_ID	1

static MfPlan mark_plan = {
	.sql = "INSERT INTO mesflow._orders_to_sum (order_id) VALUES ($1)",
	.by_index = true,
	.writes = true,
	.arguments = 1,
	.types = {UUIDOID}
};

static const MfKey item_key = {
	"_order_items", "_order_items_quote_key", 1, {"quote"}, {UUIDOID}
};

/*
 * AFTER UPDATE, row trigger of _quotes whose state or price has changed.  The
 * quote's item is looked for as of now: whoever orders a quote holds its row,
 * so either the item is seen here, or the order sees the quote as it is now.
 */
PGDLLEXPORT Datum
mesflow_mark_order(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	Datum		quote;
	Datum		order;
	bool		is_null;

	if (!CALLED_AS_TRIGGER(fcinfo))
		elog(ERROR, "not called as a trigger");
	quote = heap_getattr(trigger->tg_newtuple, QUOTE_ID,
						 RelationGetDescr(trigger->tg_relation), &is_null);
	if (!mf_key_find(&item_key, &quote, "order_id", &order, &is_null))
		return PointerGetDatum(NULL);
	mf_spi_connect();
	(void) mf_plan_run(&mark_plan, &order, NULL);
	SPI_finish();
	mf_wakeup_at_commit(MF_WORKER_PRICING);
	return PointerGetDatum(NULL);
}
