/*
 * lines.c
 *		The lines of a breakdown: {"line", "per", "quantity", "unit", "rate",
 *		"amount", "public", "why"}, whose amount is quantity x rate, rounded to
 *		the currency's smallest unit.
 */
#include "postgres.h"

#include "fmgr.h"
#include "json.h"
#include "lines.h"
#include "mesflow.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

PG_FUNCTION_INFO_V1(mesflow_price_line);

void
mf_lines_open(MfLines *lines, int digits)
{
	lines->digits = digits;
	lines->count = 0;
	lines->room = 16;
	lines->line = palloc(lines->room * sizeof(MfLine));
	lines->sum = mf_decimal_int(0);
}

static MfLine *
add_empty(MfLines *lines)
{
	if (lines->count == MF_MAX_LINES)
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("too many breakdown lines"),
				 errdetail("A price has up to %d lines.", MF_MAX_LINES),
				 errhint("Sum up what belongs together.")));
	if (lines->count == lines->room)
	{
		lines->room *= 2;
		lines->line = repalloc(lines->line, lines->room * sizeof(MfLine));
	}
	return &lines->line[lines->count++];
}

static void
add_line(MfLines *lines, const char *name, const char *per, Numeric quantity,
		 const char *unit, Numeric rate, bool public, char *why)
{
	MfLine	   *line = add_empty(lines);

	line->line = pstrdup(name);
	line->per = unconstify(char *, per);
	line->quantity = quantity;
	line->unit = unconstify(char *, unit);
	line->rate = rate;
	line->amount = mf_decimal_round(mf_decimal_mul(quantity, rate),
									lines->digits);
	line->public = public;
	line->why = why;
	lines->sum = mf_decimal_add(lines->sum, line->amount);
}

static char *format_why(const char *why, va_list args)
			pg_attribute_printf(1, 0);

static char *
format_why(const char *why, va_list args)
{
	size_t		room = 128;

	for (;;)
	{
		char	   *text = palloc(room);
		va_list		again;
		size_t		needed;

		va_copy(again, args);
		needed = pvsnprintf(text, room, why, again);
		va_end(again);
		if (needed < room)
			return text;

		pfree(text);
		room = needed;
	}
}

/* Adds a line: amount = quantity x rate, rounded.  `why` is a format. */
void
mf_lines_add(MfLines *lines, const char *line, const char *per,
			 Numeric quantity, const char *unit, Numeric rate, bool public,
			 const char *why,...)
{
	va_list		args;

	va_start(args, why);
	add_line(lines, line, per, quantity, unit, rate, public,
			 format_why(why, args));
	va_end(args);
}

/*
 * The same with a rate by its name, which says whether customers see the
 * line.  MF404 where the rate is missing.
 */
void
mf_lines_add_rate(MfLines *lines, const MfRates *rates, const char *line,
				  const char *per, Numeric quantity, const char *unit,
				  const char *rate, const char *why,...)
{
	Numeric		value = mf_rates_need(rates, rate);
	va_list		args;

	va_start(args, why);
	add_line(lines, line, per, quantity, unit, value,
			 mf_rates_public(rates, rate), format_why(why, args));
	va_end(args);
}

/* ---- as jsonb ---- */

static void
push_text(JsonbParseState **state, const char *key, const char *content)
{
	mf_json_push_key(state, key, (int) strlen(key));
	mf_json_push_text(state, content);
}

static void
push_number(JsonbParseState **state, const char *key, Numeric content)
{
	mf_json_push_key(state, key, (int) strlen(key));
	mf_json_push_number(state, WJB_VALUE, content);
}

static JsonbValue *
push_line(JsonbParseState **state, const MfLine *line)
{
	(void) pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	push_text(state, "line", line->line);
	push_text(state, "per", line->per);
	push_number(state, "quantity", line->quantity);
	push_text(state, "unit", line->unit);
	push_number(state, "rate", line->rate);
	push_number(state, "amount", line->amount);
	mf_json_push_key(state, "public", 6);
	mf_json_push_bool(state, line->public);
	push_text(state, "why", line->why);
	return pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

/* The array of all lines. */
Jsonb *
mf_lines_to_jsonb(const MfLines *lines)
{
	JsonbParseState *state = NULL;

	(void) pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < lines->count; i++)
		(void) push_line(&state, &lines->line[i]);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL));
}

/* ---- from jsonb ---- */

static void
refuse_line(int at, const char *what)
{
	ereport(ERROR,
			(errcode(MF_ERRCODE_BAD_ARGUMENT),
			 errmsg("line %d of the breakdown %s", at, what),
			 errdetail("A line has line, per (piece or batch), quantity, unit, rate, amount, public and why."),
			 errhint("Make lines with mesflow.price_line, or see docs/pricing.md.")));
}

static bool
find_key(JsonbContainer *object, const char *key, enum jbvType type, int at,
		 JsonbValue *value)
{
	if (getKeyJsonValueFromContainer(object, key, (int) strlen(key),
									 value) == NULL)
		return false;
	if (value->type != type)
		refuse_line(at, psprintf("has a value of the wrong type under \"%s\"",
								 key));
	return true;
}

static char *
text_of(JsonbContainer *object, const char *key, char *otherwise, int at)
{
	JsonbValue	value;

	if (!find_key(object, key, jbvString, at, &value))
		return otherwise;
	return pnstrdup(value.val.string.val, value.val.string.len);
}

/* A number; NULL where there is none and none is needed. */
static Numeric
number_of(JsonbContainer *object, const char *key, bool needed, int at)
{
	JsonbValue	value;

	if (find_key(object, key, jbvNumeric, at, &value))
		return value.val.numeric;
	if (needed)
		refuse_line(at, psprintf("has no %s", key));
	return NULL;
}

/* Lines that only the sum makes: sum.c. */
static bool
is_reserved(const char *name)
{
	static const char *const reserved[] = {
		"minimum", "rush", "rounding", "quantity_discount", "partner_discount", "tax"
	};

	for (size_t i = 0; i < lengthof(reserved); i++)
		if (strcmp(reserved[i], name) == 0)
			return true;
	return false;
}

static void
read_line(MfLines *lines, JsonbContainer *object, int at)
{
	MfLine		line;
	JsonbValue	public;
	Numeric		product;

	line.line = text_of(object, "line", NULL, at);
	if (line.line == NULL || line.line[0] == '\0')
		refuse_line(at, "has no name");
	if (is_reserved(line.line))
		refuse_line(at, psprintf("has the reserved name \"%s\"", line.line));
	line.per = text_of(object, "per", MF_PER_BATCH, at);
	if (strcmp(line.per, MF_PER_BATCH) != 0 &&
		strcmp(line.per, MF_PER_PIECE) != 0)
		refuse_line(at, "is per neither piece nor batch");
	line.unit = text_of(object, "unit", "", at);
	line.why = text_of(object, "why", "", at);
	line.amount = number_of(object, "amount", true, at);
	line.quantity = number_of(object, "quantity", false, at);
	line.rate = number_of(object, "rate", false, at);
	line.public = true;
	if (find_key(object, "public", jbvBool, at, &public))
		line.public = public.val.boolean;

	if (line.quantity == NULL && line.rate == NULL)
		line.quantity = mf_decimal_int(1);
	if (line.quantity == NULL || line.rate == NULL)
	{
		if (line.quantity == NULL ||
			mf_decimal_compare(line.quantity, mf_decimal_int(1)) != 0)
			refuse_line(at, "has only one of quantity and rate");
		line.rate = line.amount;
	}
	product = mf_decimal_round(mf_decimal_mul(line.quantity, line.rate),
							   lines->digits);
	if (mf_decimal_compare(product, line.amount) != 0)
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("line %d of the breakdown, \"%s\", does not add up: %s x %s is %s, the amount is %s",
						at, line.line, mf_decimal_text(line.quantity),
						mf_decimal_text(line.rate), mf_decimal_text(product),
						mf_decimal_text(line.amount)),
				 errdetail("An amount is quantity x rate, rounded to the smallest unit of the currency."),
				 errhint("Round quantity x rate to %d decimals.",
						 lines->digits)));
	line.amount = product;		/* with the decimals of the currency */
	*add_empty(lines) = line;
	lines->sum = mf_decimal_add(lines->sum, line.amount);
}

/*
 * Adds the lines that a pricing function has returned.  per, unit, public
 * and why may be left out, and so may quantity and rate together.  MF400
 * names what is wrong with which line.
 */
void
mf_lines_read(MfLines *lines, Jsonb *json)
{
	JsonbIterator *iterator;
	JsonbValue	element;
	JsonbIteratorToken token;

	if (!JB_ROOT_IS_ARRAY(json) || JB_ROOT_IS_SCALAR(json) ||
		JB_ROOT_COUNT(json) == 0)
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("the pricing function returned no lines"),
				 errdetail("A price needs a jsonb array of at least one breakdown line."),
				 errhint("Return an array of lines, see docs/pricing.md.")));
	iterator = JsonbIteratorInit(&json->root);
	(void) JsonbIteratorNext(&iterator, &element, true);
	while ((token = JsonbIteratorNext(&iterator, &element, true)) != WJB_END_ARRAY)
	{
		const int	at = lines->count + 1;

		if (token != WJB_ELEM || element.type != jbvBinary ||
			!JsonContainerIsObject(element.val.binary.data))
			refuse_line(at, "is not an object");
		read_line(lines, element.val.binary.data, at);
	}
}

/*
 * price_line(line text, per text, quantity numeric, unit text, rates jsonb,
 * rate text, why text): a line with a rate by its name, for pricing functions
 * in SQL.  MF404 where the rate is missing.
 */
PGDLLEXPORT Datum
mesflow_price_line(PG_FUNCTION_ARGS)
{
	MfRates		rates;
	MfLines		lines;
	JsonbParseState *state = NULL;

	mf_rates_open(&rates, PG_GETARG_JSONB_P(4));
	mf_lines_open(&lines, rates.digits);
	mf_lines_add_rate(&lines, &rates, text_to_cstring(PG_GETARG_TEXT_PP(0)),
					  text_to_cstring(PG_GETARG_TEXT_PP(1)),
					  PG_GETARG_NUMERIC(2),
					  text_to_cstring(PG_GETARG_TEXT_PP(3)),
					  text_to_cstring(PG_GETARG_TEXT_PP(5)), "%s",
					  text_to_cstring(PG_GETARG_TEXT_PP(6)));
	PG_RETURN_JSONB_P(JsonbValueToJsonb(push_line(&state, lines.line)));
}
