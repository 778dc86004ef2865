/*
 * price.c
 *		_price(): the price of a measured model, or why there is none.
 *
 *	1. what stands in the way: the model, the material, the process
 *	2. the lines of the process's pricing function
 *	3. minimum, rush, rounding, discounts, tax
 *	4. what a person has to look at
 *
 * A price depends on its arguments alone, but for the moment it expires.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "json.h"
#include "lib/stringinfo.h"
#include "price.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* The one that may be NULL: there is no list. */
#define LIST_ARGUMENT	4

PG_FUNCTION_INFO_V1(mesflow_price);
PG_FUNCTION_INFO_V1(mesflow_price_by_hand);

void
mf_price_set(MfPrice *price, MfPriceColumn column, Datum value)
{
	price->value[column] = value;
	price->is_null[column] = false;
}

void
mf_price_set_text(MfPrice *price, MfPriceColumn column, const char *text)
{
	mf_price_set(price, column, CStringGetTextDatum(text));
}

/* Sets the state and the reason for it. */
void
mf_price_refuse(MfPrice *price, const char *state, const char *code,
				const char *why,...)
{
	StringInfoData text;

	initStringInfo(&text);
	for (;;)
	{
		va_list		args;
		int			needed;

		va_start(args, why);
		needed = appendStringInfoVA(&text, why, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&text, needed);
	}
	mf_price_set_text(price, MF_PRICE_STATE, state);
	mf_price_set_text(price, MF_PRICE_ERROR_CODE, code);
	mf_price_set_text(price, MF_PRICE_ERROR, text.data);
}

static double
find_scale(Jsonb *options)
{
	JsonbValue	value;

	if (!mf_json_find(&options->root, "scale", jbvNumeric, &value))
		return 1;
	return mf_decimal_double(value.val.numeric);
}

static bool
is_rush(Jsonb *options)
{
	char	   *lead_time = mf_json_text(&options->root, "lead_time");

	return lead_time != NULL && strcmp(lead_time, "rush") == 0;
}

/* Days to dispatch: in a rush those of the process, or half, rounded up. */
static int
lead_days(const MfPriceRequest *request)
{
	Datum		value;
	int			normal;

	if (!mf_row_find(&request->process, "lead_days", &value))
		return 0;
	normal = DatumGetInt32(value);
	if (!request->rush)
		return normal;
	if (mf_row_find(&request->process, "rush_days", &value))
		return DatumGetInt32(value);
	return (normal + 1) / 2;
}

/* The clock's time, and how long the list's quotes are valid. */
static void
set_expiry(const MfRow *list, MfPrice *price)
{
	Datum		validity;

	if (mf_row_find(list, "quote_validity", &validity))
		mf_price_set(price, MF_PRICE_EXPIRES_AT,
					 DirectFunctionCall2(timestamptz_pl_interval,
										 TimestampTzGetDatum(GetCurrentTimestamp()),
										 validity));
}

/* Nothing is known of the price yet. */
void
mf_price_start(MfPrice *price)
{
	memset(price, 0, sizeof(*price));
	memset(price->is_null, true, sizeof(price->is_null));
}

/*
 * The price of a request whose rows, rates, quantity and options are set.
 */
void
mf_price_find(MfPriceRequest *request, MfPrice *price)
{
	char	   *list = mf_row_text(&request->list, "code");
	char	   *currency;
	Datum		total;

	request->scale = find_scale(request->options);
	request->rush = is_rush(request->options);
	mf_rates_open(&request->rates, DatumGetJsonbP(request->rates_json));
	mf_price_start(price);
	mf_price_set(price, MF_PRICE_LEAD_DAYS, Int32GetDatum(lead_days(request)));
	if (mf_obstacle_find(request, price))
		return;
	if (list == NULL)
	{
		char	   *own = mf_row_text(&request->partner, "price_list");

		if (own != NULL)
			mf_price_refuse(price, "failed", "no_rate",
							"No revision of price list \"%s\" is active.", own);
		else if ((currency = mf_row_text(&request->partner, "currency")) != NULL)
			mf_price_refuse(price, "failed", "no_rate",
							"There is no active price list in %s.", currency);
		else
			mf_price_refuse(price, "failed", "no_rate",
							"There is no active price list.");
		return;
	}
	mf_price_set_text(price, MF_PRICE_PRICE_LIST, list);
	mf_price_set_text(price, MF_PRICE_CURRENCY, mf_row_text(&request->list, "currency"));

	request->facts = mf_facts_scaled(&request->outcome, request->scale);
	if (!mf_call_pricing(request, price))
		return;

	total = price->value[MF_PRICE_TOTAL];
	set_expiry(&request->list, price);
	if (!mf_obstacle_review(request, DatumGetNumeric(total), price))
		mf_price_set_text(price, MF_PRICE_STATE, "priced");
}

/* The price as a row of type _price. */
static Datum
finish(FunctionCallInfo fcinfo, MfPrice *price)
{
	TupleDesc	desc = fcinfo->flinfo->fn_extra;

	if (desc == NULL)
	{
		MemoryContext caller = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE ||
			desc->natts != MF_PRICE_COLUMNS)
			elog(ERROR, "the type of a price has other columns");
		desc = BlessTupleDesc(CreateTupleDescCopy(desc));
		fcinfo->flinfo->fn_extra = desc;
		MemoryContextSwitchTo(caller);
	}
	return HeapTupleGetDatum(heap_form_tuple(desc, price->value, price->is_null));
}

/*
 * _price(measurement _measurements, material materials, process processes,
 * partner partners, list price_lists, rates jsonb, quantity integer, options
 * jsonb): a row of type _price.
 */
PGDLLEXPORT Datum
mesflow_price(PG_FUNCTION_ARGS)
{
	MfPriceRequest request;
	MfPrice		price;

	memset(&request, 0, sizeof(request));
	for (int i = 0; i < PG_NARGS(); i++)
		if (PG_ARGISNULL(i) && i != LIST_ARGUMENT)
			elog(ERROR, "argument %d of _price is NULL", i + 1);
	mf_row_open(&request.outcome, PG_GETARG_HEAPTUPLEHEADER(0));
	mf_row_open(&request.material, PG_GETARG_HEAPTUPLEHEADER(1));
	mf_row_open(&request.process, PG_GETARG_HEAPTUPLEHEADER(2));
	mf_row_open(&request.partner, PG_GETARG_HEAPTUPLEHEADER(3));
	if (!PG_ARGISNULL(LIST_ARGUMENT))
		mf_row_open(&request.list, PG_GETARG_HEAPTUPLEHEADER(LIST_ARGUMENT));
	request.material_row = PG_GETARG_DATUM(1);
	request.process_row = PG_GETARG_DATUM(2);
	request.rates_json = PG_GETARG_DATUM(5);
	request.quantity = PG_GETARG_INT32(6);
	request.options_json = PG_GETARG_DATUM(7);
	request.options = DatumGetJsonbP(request.options_json);

	mf_price_find(&request, &price);

	mf_row_close(&request.outcome);
	mf_row_close(&request.material);
	mf_row_close(&request.process);
	mf_row_close(&request.partner);
	if (!PG_ARGISNULL(LIST_ARGUMENT))
		mf_row_close(&request.list);
	return finish(fcinfo, &price);
}

/*
 * _price_by_hand(list price_lists, quantity integer, unit_price numeric, why
 * text): a row of type _price.
 */
PGDLLEXPORT Datum
mesflow_price_by_hand(PG_FUNCTION_ARGS)
{
	MfPrice		price;
	MfRow		list;

	mf_price_start(&price);
	mf_row_open(&list, PG_GETARG_HEAPTUPLEHEADER(0));
	mf_sum_by_hand(&list, mf_currency_digits(mf_row_text(&list, "currency")),
				   PG_GETARG_INT32(1), PG_GETARG_NUMERIC(2),
				   text_to_cstring(PG_GETARG_TEXT_PP(3)), &price);
	set_expiry(&list, &price);
	mf_price_set_text(&price, MF_PRICE_STATE, "priced");
	mf_row_close(&list);
	return finish(fcinfo, &price);
}
