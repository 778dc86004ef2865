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

/* A quote that was cancelled under its item has failed it. */
static MfPlan items_plan = {
	.sql = "SELECT pg_catalog.count(*),"
	" pg_catalog.count(*) FILTER (WHERE q.state OPERATOR(pg_catalog.=) 'priced'),"
	" pg_catalog.count(*) FILTER (WHERE q.state OPERATOR(pg_catalog.=) ANY ('{failed,cancelled}'::pg_catalog.text[])),"
	" pg_catalog.count(*) FILTER (WHERE q.state OPERATOR(pg_catalog.=) 'review'),"
	" pg_catalog.count(DISTINCT q.currency) FILTER (WHERE q.state OPERATOR(pg_catalog.=) 'priced'),"
	" pg_catalog.sum(q.net), pg_catalog.sum(q.tax), pg_catalog.sum(q.total), pg_catalog.min(q.currency), pg_catalog.min(q.expires_at)"
	" FROM mesflow._order_items i JOIN mesflow._quotes q ON q.id OPERATOR(pg_catalog.=) i.quote"
	" WHERE i.order_id OPERATOR(pg_catalog.=) $1 AND i.cancelled_at IS NULL",
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

enum
{
	LIVE = 1, PRICED, FAILED, REVIEW, CURRENCIES, NET, TAX, TOTAL, CURRENCY, EXPIRES_AT
};

static int64
counted(int column)
{
	Datum		value;

	(void) mf_plan_find(0, column, &value);
	return DatumGetInt64(value);
}

/* Where the items put an order that can still be priced. */
static const char *
status_of_items(int64 live, int64 priced, int64 currencies)
{
	if (counted(FAILED) > 0 || currencies > 1)
		return MF_STATUS_PRICING_FAILED;
	if (counted(REVIEW) > 0)
		return MF_STATUS_IN_REVIEW;
	if (live > 0 && priced == live)
		return MF_STATUS_PRICED;
	return MF_STATUS_SUBMITTED;
}

void
mf_order_tally(const pg_uuid_t *order_id, MfTally *tally)
{
	Datum		id = UUIDPGetDatum(order_id);
	int64		live;
	int64		priced;

	(void) mf_plan_run(&items_plan, &id, NULL);
	live = counted(LIVE);
	priced = counted(PRICED);
	tally->currencies = counted(CURRENCIES);
	tally->status = status_of_items(live, priced, tally->currencies);
	tally->complete = live > 0 && priced == live && tally->currencies == 1;
	for (int i = 0; i < MF_TALLY_COLUMNS; i++)
	{
		tally->is_null[i] = !mf_plan_find(0, NET + i, &tally->value[i]) ||
			!tally->complete;
	}
}

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
	if (!changeable && !sum->any_status)
	{
		SPI_finish();
		return true;
	}

	mf_order_tally(sum->order_id, &tally);
	values[1] = CStringGetTextDatum(changeable ? tally.status : status);
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

static char *
argument_text(FunctionCallInfo fcinfo, int number)
{
	return PG_ARGISNULL(number) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(number));
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
	step.actor = PG_ARGISNULL(1) ? "mesflow" : mf_actor(argument_text(fcinfo, 1));
	step.note = argument_text(fcinfo, 2);
	if (!PG_ARGISNULL(3))
		step.detail = JsonbToCString(NULL, &PG_GETARG_JSONB_P(3)->root, VARSIZE(PG_GETARG_JSONB_P(3)));
	step.touched = PG_GETARG_BOOL(4);
	sum.any_status = PG_GETARG_BOOL(5);
	PG_RETURN_BOOL(mf_order_sum(&sum));
}
