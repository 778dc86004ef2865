/*
 * take.c
 *		Buying a quote that was promised before.
 *
 * Its row is held until the order is there: whoever prices or withdraws it
 * waits, and then sees the item (mark.c).
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mesflow.h"
#include "order.h"
#include "plan.h"
#include "tables.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(mesflow_take_quote);

static MfPlan hold_plan = {
	.sql = "SELECT q.state, q.expires_at, q.error, q.preflight FROM mesflow._quotes q"
	" WHERE q.id OPERATOR(pg_catalog.=) $1 AND q.partner OPERATOR(pg_catalog.=) $2 FOR NO KEY UPDATE",
	.by_index = true,
	.writes = true,
	.arguments = 2,
	.types = {UUIDOID, TEXTOID}
};

/* It was made ahead, and is asked for now. */
static MfPlan ask_plan = {
	.sql = "UPDATE mesflow._quotes SET preflight = false WHERE id OPERATOR(pg_catalog.=) $1",
	.by_index = true,
	.writes = true,
	.arguments = 1,
	.types = {UUIDOID}
};

static const MfKey item_key = {
	"_order_items", "_order_items_quote_key", 1, {"quote"}, {UUIDOID}
};
static const MfKey order_key = {
	"orders", "orders_pkey", 1, {"id"}, {UUIDOID}
};

static char *
id_text(Datum quote)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, quote));
}

/* As of now: whoever held the quote's row before has committed, and is seen. */
static void
check_not_bought(Datum quote)
{
	Datum		order;
	Datum		number;
	bool		is_null;

	if (!mf_key_find(&item_key, &quote, "order_id", &order, &is_null) ||
		!mf_key_find(&order_key, &order, "number", &number, &is_null))
		return;
	ereport(ERROR,
			(errcode(MF_ERRCODE_CONFLICT),
			 errmsg("a quote is bought once"),
			 errdetail("Quote %s is part of order %s.", id_text(quote), TextDatumGetCString(number)),
			 errhint("Ask for another quote with request_quote.")));
}

static void
check_for_sale(Datum quote)
{
	char	   *state = mf_plan_text(0, 1);
	char	   *error = mf_plan_text(0, 3);
	bool		has_answer = strcmp(state, "priced") == 0 || strcmp(state, "review") == 0;
	Datum		expires_at;

	if (has_answer && mf_plan_find(0, 2, &expires_at) &&
		DatumGetTimestampTz(expires_at) < GetCurrentTimestamp())
		ereport(ERROR,
				(errcode(MF_ERRCODE_NOT_ALLOWED),
				 errmsg("the quote has expired"),
				 errdetail("Quote %s was good until %s.", id_text(quote),
						   timestamptz_to_str(DatumGetTimestampTz(expires_at))),
				 errhint("Ask for a new one with request_quote.")));
	if (!has_answer && strcmp(state, "pending") != 0)
		ereport(ERROR,
				(errcode(MF_ERRCODE_NOT_ALLOWED),
				 errmsg("the quote is not for sale"),
				 errdetail("Quote %s is %s%s%s.", id_text(quote), state,
						   error != NULL ? ": " : "", error != NULL ? error : ""),
				 errhint("Ask for a new one with request_quote.")));
}

void
mf_order_take_quote(Datum quote, Datum partner)
{
	Datum		values[2] = {quote, partner};
	Datum		preflight;

	if (mf_plan_run(&hold_plan, values, NULL) == 0)
		ereport(ERROR,
				(errcode(MF_ERRCODE_NOT_FOUND),
				 errmsg("no such quote"),
				 errdetail("Partner \"%s\" has no quote %s.", TextDatumGetCString(partner), id_text(quote)),
				 errhint("Ask for one with request_quote.")));
	check_not_bought(quote);
	check_for_sale(quote);
	if (mf_plan_find(0, 4, &preflight) && DatumGetBool(preflight))
		(void) mf_plan_run(&ask_plan, values, NULL);
}

/* _take_quote(quote uuid, partner text): the same for verbs in SQL. */
PGDLLEXPORT Datum
mesflow_take_quote(PG_FUNCTION_ARGS)
{
	mf_spi_connect();
	mf_order_take_quote(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1));
	SPI_finish();
	PG_RETURN_VOID();
}
