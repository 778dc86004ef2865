/*
 * sum.c
 *		Summing an order up: its amounts, and the status that follows from
 *		the states of its items.
 *
 *	1. the order's row is locked: whatever came before is seen below
 *	2. its live items are counted and added
 *	3. what has changed is written by one UPDATE, under the guard's rules
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "check.h"
#include "fmgr.h"
#include "mesflow.h"
#include "order.h"
#include "plan.h"
#include "tables.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

PG_FUNCTION_INFO_V1(mesflow_sum_order);

static MfPlan lock_plan = {
	.sql = "SELECT o.status FROM mesflow.orders o"
	" WHERE o.id OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE",
	.by_index = true,
	.writes = true,
	.arguments = 1,
	.types = {UUIDOID}
};

static MfPlan update_plan = {
	.sql = "UPDATE mesflow.orders SET status = $2, net = $3, tax = $4, total = $5, currency = $6, price_expires_at = $7"
	" WHERE id OPERATOR(pg_catalog.=) $1"
	" AND (status, net, tax, total, currency, price_expires_at) IS DISTINCT FROM ($2, $3, $4, $5, $6, $7)",
	.by_index = true,
	.writes = true,
	.arguments = 7,
	.types = {UUIDOID, TEXTOID, NUMERICOID, NUMERICOID, NUMERICOID, TEXTOID, TIMESTAMPTZOID}
};

/* Even where nothing changes, the step is to be told. */
static MfPlan touch_plan = {
	.sql = "UPDATE mesflow.orders SET status = $2, net = $3, tax = $4, total = $5, currency = $6, price_expires_at = $7"
	" WHERE id OPERATOR(pg_catalog.=) $1",
	.by_index = true,
	.writes = true,
	.arguments = 7,
	.types = {UUIDOID, TEXTOID, NUMERICOID, NUMERICOID, NUMERICOID, TEXTOID, TIMESTAMPTZOID}
};

typedef struct Update
{
	MfPlan	   *plan;
	Datum	   *values;
	const char *nulls;
} Update;

static void
update(void *arg)
{
	Update	   *work = arg;

	(void) mf_plan_run(work->plan, work->values, work->nulls);
}

bool
mf_order_sum(const MfSum *sum)
{
	Datum		values[7];
	char		nulls[8] = "       ";
	MfStep		step = *sum->step;
	Update		work = {step.touched ? &touch_plan : &update_plan, values, nulls};
	const char *status;
	const MfStatus *found;
	bool		changeable;
	MfTally		tally;

	values[0] = UUIDPGetDatum(sum->order_id);
	mf_spi_connect();
	if (mf_plan_run(&lock_plan, values, NULL) == 0)
	{
		SPI_finish();
		return false;
	}
	status = mf_plan_text(0, 1);
	found = mf_flow_status(status);
	changeable = found != NULL && found->changeable;
	if (!changeable && (!sum->any_status || found == NULL || found->terminal))
	{
		SPI_finish();
		return true;
	}

	mf_order_tally(&tally, sum->order_id);
	if (tally.mixed && step.touched)
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("items in different currencies"),
				 errdetail("The quotes of the items are not all in %s.", TextDatumGetCString(tally.value[MF_TALLY_CURRENCY])),
				 errhint("Order them apart, one order per currency.")));
	values[1] = CStringGetTextDatum(changeable ? mf_tally_status(&tally) : status);
	for (int i = 0; i < MF_TALLY_COLUMNS; i++)
	{
		values[i + 2] = tally.value[i];
		nulls[i + 2] = tally.is_null[i] ? 'n' : ' ';
	}
	step.sums = true;
	mf_step_run(&step, update, &work);
	SPI_finish();
	return true;
}

/*
 * _sum_order(order_id uuid, actor text, note text, detail jsonb, touched
 * boolean, any_status boolean): false where there is no such order.
 */
PGDLLEXPORT Datum
mesflow_sum_order(PG_FUNCTION_ARGS)
{
	MfStep		step = {0};
	MfSum		sum = {.step = &step};

	if (PG_ARGISNULL(0) || PG_ARGISNULL(4) || PG_ARGISNULL(5))
		elog(ERROR, "an argument of _sum_order is NULL");
	sum.order_id = PG_GETARG_UUID_P(0);
	step.actor = PG_ARGISNULL(1) ? "mesflow" : mf_actor(mf_argument_text(fcinfo, 1));
	step.note = mf_argument_text(fcinfo, 2);
	if (!PG_ARGISNULL(3))
		step.detail = JsonbToCString(NULL, &PG_GETARG_JSONB_P(3)->root, VARSIZE(PG_GETARG_JSONB_P(3)));
	step.touched = PG_GETARG_BOOL(4);
	sum.any_status = PG_GETARG_BOOL(5);
	PG_RETURN_BOOL(mf_order_sum(&sum));
}
