/*
 * rates.c
 *		The rates that hold for a process and material, by name.
 *
 * They come as _rates() makes them: {"name": value, ..., "_private": {"name":
 * true}, "_breaks": [[from, percent], ...], "_digits": decimals}.
 */
#include "postgres.h"

#include "fmgr.h"
#include "json.h"
#include "lib/stringinfo.h"
#include "lines.h"
#include "mesflow.h"
#include "utils/builtins.h"

/* Decimals of a currency. */
#define DEFAULT_DIGITS	2
#define MAX_DIGITS		4

/* Names that a message lists. */
#define NAMES_SHOWN		20

PG_FUNCTION_INFO_V1(mesflow_currency_digits);

/*
 * Currencies whose smallest unit is not a hundredth: ISO 4217, table A.1,
 * column "minor unit".
 */
static const char *const without_decimals[] = {
	"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF",
	"UGX", "VND", "VUV", "XAF", "XOF", "XPF"
};
static const char *const with_three[] = {
	"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"
};
static const char *const with_four[] = {"CLF", "UYW"};

static bool
is_listed(const char *currency, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i], currency) == 0)
			return true;
	return false;
}

/* Decimals of a currency's smallest unit. */
int
mf_currency_digits(const char *currency)
{
	if (is_listed(currency, without_decimals, lengthof(without_decimals)))
		return 0;
	if (is_listed(currency, with_three, lengthof(with_three)))
		return 3;
	if (is_listed(currency, with_four, lengthof(with_four)))
		return 4;
	return DEFAULT_DIGITS;
}

/* _currency_digits(currency text) */
PGDLLEXPORT Datum
mesflow_currency_digits(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(mf_currency_digits(text_to_cstring(PG_GETARG_TEXT_PP(0))));
}

/* Opens what _rates() has made; rates of other make count in hundredths. */
void
mf_rates_open(MfRates *rates, Jsonb *json)
{
	Numeric		digits;

	rates->json = json;
	rates->digits = DEFAULT_DIGITS;
	if (!JB_ROOT_IS_OBJECT(json))
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("the rates are not a JSON object"),
				 errdetail("Rates are given as {\"name\": value}."),
				 errhint("Pass on the rates that the pricing function got.")));
	if (mf_rates_find(rates, "_digits", &digits) &&
		mf_decimal_sign(digits) >= 0 &&
		mf_decimal_compare(digits, mf_decimal_int(MAX_DIGITS)) <= 0)
		rates->digits = (int) mf_decimal_double(digits);
}

/* A rate's value; false where there is none of this name. */
bool
mf_rates_find(const MfRates *rates, const char *name, Numeric *value)
{
	JsonbValue	found;

	if (!mf_json_find(&rates->json->root, name, jbvNumeric, &found))
		return false;
	*value = found.val.numeric;
	return true;
}

static char *
list_names(const MfRates *rates)
{
	StringInfoData names;
	JsonbIterator *iterator = JsonbIteratorInit(&rates->json->root);
	JsonbValue	key;
	JsonbIteratorToken token;
	int			count = 0;

	initStringInfo(&names);
	while ((token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE)
	{
		if (token != WJB_KEY || key.val.string.val[0] == '_')
			continue;
		if (count++ < NAMES_SHOWN)
			appendStringInfo(&names, "%s%.*s", count > 1 ? ", " : "",
							 key.val.string.len, key.val.string.val);
	}
	if (count > NAMES_SHOWN)
		appendStringInfoString(&names, ", ...");
	return count == 0 ? "none" : names.data;
}

/* The same; MF404 where it is missing. */
Numeric
mf_rates_need(const MfRates *rates, const char *name)
{
	Numeric		value;

	if (!mf_rates_find(rates, name, &value))
		ereport(ERROR,
				(errcode(MF_ERRCODE_NOT_FOUND),
				 errmsg("there is no rate \"%s\"", name),
				 errdetail("The rates that hold here are: %s.",
						   list_names(rates)),
				 errhint("Add it to a price list: mesflow.rates of a draft, or revise_price_list.")));
	return value;
}

/* The same; 0 where it is missing. */
Numeric
mf_rates_share(const MfRates *rates, const char *name)
{
	Numeric		value;

	return mf_rates_find(rates, name, &value) ? value : mf_decimal_int(0);
}

/* May customers see what is made from this rate? */
bool
mf_rates_public(const MfRates *rates, const char *name)
{
	JsonbValue	private;
	JsonbValue	hidden;

	return !mf_json_find(&rates->json->root, "_private", jbvBinary, &private) ||
		!mf_json_find(private.val.binary.data, name, jbvBool, &hidden) ||
		!hidden.val.boolean;
}
