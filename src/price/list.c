/*
 * list.c
 *		Which price list prices a partner now.
 *
 * The newest active revision of its own list, or else the newest active
 * general one, in its currency where it names one.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "plan.h"
#include "price.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(mesflow_list_in_force);

/* The moment comes as an argument: so it belongs to what the index finds. */
#define LISTS \
	"SELECT l FROM mesflow.price_lists l" \
	" WHERE l.state OPERATOR(pg_catalog.=) 'active'" \
	" AND l.valid_from OPERATOR(pg_catalog.<=) $1"
#define NEWEST \
	" ORDER BY l.valid_from DESC, l.code DESC LIMIT 1"

static MfPlan family_plan = {
	.sql = LISTS
	" AND l.family OPERATOR(pg_catalog.=)"
	" (SELECT n.family FROM mesflow.price_lists n"
	" WHERE n.code OPERATOR(pg_catalog.=) $2)" NEWEST,
	.arguments = 2,
	.types = {TIMESTAMPTZOID, TEXTOID},
	.by_index = true
};
static MfPlan currency_plan = {
	.sql = LISTS " AND l.general AND l.currency OPERATOR(pg_catalog.=) $2" NEWEST,
	.arguments = 2,
	.types = {TIMESTAMPTZOID, TEXTOID},
	.by_index = true
};
static MfPlan general_plan = {
	.sql = LISTS " AND l.general" NEWEST,
	.arguments = 1,
	.types = {TIMESTAMPTZOID},
	.by_index = true
};

/*
 * The list that prices a partner (which may never have been opened) now, as
 * the snapshot shows it; false where there is none.  The caller is connected
 * to SPI, and the row lives as long as that.
 */
bool
mf_list_in_force(const MfRow *partner, Datum *list)
{
	MfPlan	   *plan = &general_plan;
	Datum		values[2] = {TimestampTzGetDatum(GetCurrentTimestamp())};

	if (mf_row_find(partner, "price_list", &values[1]))
		plan = &family_plan;
	else if (mf_row_find(partner, "currency", &values[1]))
		plan = &currency_plan;
	return mf_plan_run(plan, values, NULL) > 0 && mf_plan_find(0, 1, list);
}

/* _list_in_force(partner partners): a row of price_lists, or NULL. */
PGDLLEXPORT Datum
mesflow_list_in_force(PG_FUNCTION_ARGS)
{
	MemoryContext context = CurrentMemoryContext;
	MfRow		partner = {0};
	Datum		list;
	bool		found;

	mf_spi_connect();
	if (!PG_ARGISNULL(0))
		mf_row_open(&partner, PG_GETARG_HEAPTUPLEHEADER(0));
	found = mf_list_in_force(&partner, &list);
	if (!PG_ARGISNULL(0))
		mf_row_close(&partner);
	if (found)
	{
		MemoryContextSwitchTo(context);
		list = PointerGetDatum(DatumGetHeapTupleHeaderCopy(list));
	}
	SPI_finish();
	if (!found)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(list);
}
