/*
 * show_item.c
 *		An item was added to an order, or cancelled: the count in its row of
 *		dashboard_orders.
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "dashboard.h"
#include "fmgr.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(mesflow_show_item);

/* AFTER INSERT OR UPDATE OF cancelled_at, row trigger of _order_items. */
PGDLLEXPORT Datum
mesflow_show_item(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	Relation	items;
	Datum		order_id;
	int			difference;
	MfOwnRow	order;

	if (!CALLED_AS_TRIGGER(fcinfo))
		elog(ERROR, "not called as a trigger");
	items = trigger->tg_relation;
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		difference = mf_dashboard_open_item(items, trigger->tg_newtuple, &order_id) -
			mf_dashboard_open_item(items, trigger->tg_trigtuple, &order_id);
	else
		difference = mf_dashboard_open_item(items, trigger->tg_trigtuple, &order_id);

	/*
	 * No row: it is being submitted or restored, and will count; or it has
	 * ended.
	 */
	if (difference == 0 || !mf_dashboard_find(&mf_dashboard_orders, &order_id, &order))
		return PointerGetDatum(NULL);
	order.value[MF_SHOWN_ITEMS] = Int32GetDatum(DatumGetInt32(order.value[MF_SHOWN_ITEMS]) + difference);
	mf_dashboard_update(&mf_dashboard_orders, &order);
	return PointerGetDatum(NULL);
}
