/*
 * sum.c
 *		From the lines of a pricing function to what is to be paid.
 *
 *		lines, minimum, rush, rounding		= unit price x quantity
 *		quantity discount, partner discount	= net (tax on top) or total
 *		tax									= total
 *
 * Each step is a line, so all amounts add up to the total.
 */
#include "postgres.h"

#include "json.h"
#include "mesflow.h"
#include "price.h"

/* More than this is a mistake in the catalog. */
#define LARGEST_SUM		"1000000000000000"

static Numeric
percent(Numeric share)
{
	return mf_decimal_mul(share, mf_decimal_int(100));
}

/*
 * Could this be a price?  It is asked before the minimum, too, which would
 * make one of what a wrong function has added up to less than nothing.
 */
static void
check_sum(const MfLines *lines)
{
	if (mf_decimal_sign(lines->sum) < 0 ||
		mf_decimal_compare(lines->sum, mf_decimal_parse(LARGEST_SUM)) > 0)
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("the lines have no sum that could be a price"),
				 errdetail("They add up to %s.", mf_decimal_text(lines->sum)),
				 errhint("A price is 0 to %s.", LARGEST_SUM)));
}

/* What a batch costs at least. */
static void
add_minimum(MfLines *lines, const MfRates *rates)
{
	Numeric		least;

	if (!mf_rates_find(rates, "minimum", &least) ||
		mf_decimal_compare(lines->sum, least) >= 0)
		return;
	mf_lines_add(lines, "minimum", MF_PER_BATCH, mf_decimal_int(1), "",
				 mf_decimal_sub(least, lines->sum),
				 mf_rates_public(rates, "minimum"), "at least %s for a batch",
				 mf_decimal_text(least));
}

/* Surcharge for being first in the queue: a share of all before it. */
static void
add_rush(MfLines *lines, const MfPriceRequest *request)
{
	Numeric		share;

	if (!request->rush)
		return;
	share = mf_rates_need(&request->rates, "rush");
	mf_lines_add(lines, "rush", MF_PER_BATCH, lines->sum, "", share,
				 mf_rates_public(&request->rates, "rush"),
				 "%s %% of the lines above", mf_decimal_text(percent(share)));
}

/*
 * The unit price, a multiple of the list's rounding.  Nothing that costs
 * something becomes free by it, nor cheaper than the minimum.
 */
static Numeric
round_unit_price(MfLines *lines, const MfRates *rates, Numeric quantity, Numeric step)
{
	Numeric		each = mf_decimal_div(lines->sum, quantity);
	Numeric		steps = mf_decimal_round(mf_decimal_div(each, step), 0);
	Numeric		one = mf_decimal_int(1);
	Numeric		least = mf_rates_share(rates, "minimum");
	Numeric		unit_price;
	Numeric		difference;

	if (mf_decimal_sign(steps) == 0 && mf_decimal_sign(lines->sum) > 0)
		steps = one;
	unit_price = mf_decimal_mul(steps, step);
	if (mf_decimal_compare(mf_decimal_mul(unit_price, quantity), least) < 0)
		unit_price = mf_decimal_add(unit_price, step);
	unit_price = mf_decimal_round(unit_price, lines->digits);
	difference = mf_decimal_sub(mf_decimal_mul(unit_price, quantity), lines->sum);
	if (mf_decimal_sign(difference) != 0)
		mf_lines_add(lines, "rounding", MF_PER_BATCH, one, "",
					 difference, true, "unit price to %s, x %s",
					 mf_decimal_text(step), mf_decimal_text(quantity));
	return unit_price;
}

/* Takes percent off what the lines add up to. */
static void
add_discount(MfLines *lines, const char *name, Numeric off, const char *why)
{
	Numeric		share;

	if (mf_decimal_sign(off) <= 0)
		return;
	share = mf_decimal_trim(mf_decimal_div(off, mf_decimal_int(-100)));
	mf_lines_add(lines, name, MF_PER_BATCH, lines->sum, "", share, true, "%s", why);
}

/* The highest break that the quantity reaches; NULL: none. */
static Numeric
find_break(const MfRates *rates, Numeric quantity, Numeric *from)
{
	JsonbValue	breaks;
	JsonbValue	element;
	JsonbIterator *iterator;
	Numeric		off = NULL;

	if (!mf_json_find(&rates->json->root, "_breaks", jbvBinary, &breaks) ||
		!JsonContainerIsArray(breaks.val.binary.data))
		return NULL;
	iterator = JsonbIteratorInit(breaks.val.binary.data);
	(void) JsonbIteratorNext(&iterator, &element, true);
	while (JsonbIteratorNext(&iterator, &element, true) == WJB_ELEM)
	{
		JsonbContainer *pair = element.val.binary.data;
		JsonbValue *begins;
		JsonbValue *value;

		if (element.type != jbvBinary || !JsonContainerIsArray(pair) ||
			JsonContainerSize(pair) != 2)
			continue;
		begins = getIthJsonbValueFromContainer(pair, 0);
		value = getIthJsonbValueFromContainer(pair, 1);
		if (begins->type != jbvNumeric || value->type != jbvNumeric ||
			mf_decimal_compare(begins->val.numeric, quantity) > 0)
			break;				/* they come in order */
		*from = begins->val.numeric;
		off = value->val.numeric;
	}
	return off;
}

static void
add_discounts(MfLines *lines, const MfPriceRequest *request, Numeric quantity)
{
	Numeric		from;
	Numeric		off = find_break(&request->rates, quantity, &from);
	Datum		own;

	if (off != NULL)
		add_discount(lines, "quantity_discount", off,
					 psprintf("%s %% off from %s pieces", mf_decimal_text(off),
							  mf_decimal_text(from)));
	if (mf_row_find(&request->partner, "discount_percent", &own))
		add_discount(lines, "partner_discount", DatumGetNumeric(own),
					 psprintf("%s %% off for partner %s",
							  mf_decimal_text(DatumGetNumeric(own)),
							  mf_row_text(&request->partner, "code")));
}

/* Tax closes the lines; where it is included, its line only says so. */
static void
add_tax(MfLines *lines, const MfRow *list, MfPrice *price)
{
	Numeric		before = lines->sum;
	Numeric		rate;
	Numeric		tax;
	Datum		value;
	bool		included;

	if (!mf_row_find(list, "tax_rate", &value))
		elog(ERROR, "a price list has no tax rate");
	rate = DatumGetNumeric(value);
	included = mf_row_find(list, "tax_included", &value) && DatumGetBool(value);
	if (included)
	{
		tax = mf_decimal_div(mf_decimal_mul(before, rate),
							 mf_decimal_add(mf_decimal_int(1), rate));
		tax = mf_decimal_round(tax, lines->digits);
		mf_lines_add(lines, "tax", MF_PER_BATCH, tax, "", mf_decimal_int(0), true,
					 "%s of the lines above are %s %% tax", mf_decimal_text(tax),
					 mf_decimal_text(percent(rate)));
		mf_price_set(price, MF_PRICE_NET, NumericGetDatum(mf_decimal_sub(before, tax)));
		mf_price_set(price, MF_PRICE_TOTAL, NumericGetDatum(before));
	}
	else
	{
		mf_lines_add(lines, "tax", MF_PER_BATCH, before, "", rate, true,
					 "%s %% on top", mf_decimal_text(percent(rate)));
		tax = mf_decimal_sub(lines->sum, before);
		mf_price_set(price, MF_PRICE_NET, NumericGetDatum(before));
		mf_price_set(price, MF_PRICE_TOTAL, NumericGetDatum(lines->sum));
	}
	mf_price_set(price, MF_PRICE_TAX, NumericGetDatum(tax));
}

/*
 * Fills in prices and the breakdown from the lines of a pricing function.
 * Raises where lines or rates are wrong.
 */
void
mf_sum_up(const MfPriceRequest *request, Jsonb *json, MfPrice *price)
{
	Numeric		quantity = mf_decimal_int(request->quantity);
	Numeric		unit_price;
	MfLines		lines;
	Datum		step;

	mf_lines_open(&lines, request->rates.digits);
	mf_lines_read(&lines, json);
	check_sum(&lines);
	add_minimum(&lines, &request->rates);
	add_rush(&lines, request);
	check_sum(&lines);

	if (!mf_row_find(&request->list, "rounding", &step))
		elog(ERROR, "a price list has no rounding");
	unit_price = round_unit_price(&lines, &request->rates, quantity, DatumGetNumeric(step));
	mf_price_set(price, MF_PRICE_UNIT_PRICE, NumericGetDatum(unit_price));
	add_discounts(&lines, request, quantity);
	add_tax(&lines, &request->list, price);
	mf_price_set(price, MF_PRICE_BREAKDOWN, JsonbPGetDatum(mf_lines_to_jsonb(&lines)));
}

/*
 * The same for a price that a person has set: one line, and the tax.
 */
void
mf_sum_by_hand(const MfRow *list, int digits, int pieces, Numeric unit_price,
			   const char *why, MfPrice *price)
{
	MfLines		lines;

	mf_lines_open(&lines, digits);
	mf_lines_add(&lines, "manual", MF_PER_PIECE, mf_decimal_int(pieces), "",
				 unit_price, true, "%s", why);
	mf_price_set(price, MF_PRICE_UNIT_PRICE, NumericGetDatum(unit_price));
	add_tax(&lines, list, price);
	mf_price_set(price, MF_PRICE_BREAKDOWN, JsonbPGetDatum(mf_lines_to_jsonb(&lines)));
}
