/*
 * options.c
 *		What a quote asks for, checked against what its process declares.
 *
 * processes.options says what may be asked: {"key": {"type":
 * "number|integer|boolean|text", "default": value, "allowed": [values],
 * "min": number, "max": number}}.  Whoever writes it is checked by
 * _check_declared_option, so that a declaration is taken here as it stands.
 */
#include "postgres.h"

#include "decimal.h"
#include "json.h"
#include "mb/pg_wchar.h"
#include "options.h"
#include "plan.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

/* Characters that a text may have. */
#define LONGEST_TEXT	1000

PG_FUNCTION_INFO_V1(mesflow_full_options);
PG_FUNCTION_INFO_V1(mesflow_option_fits);
PG_FUNCTION_INFO_V1(mesflow_option_possible);

/* What the built-in formulas can take at all, whatever a process declares. */
typedef struct Possible
{
	const char *key;
	const char *least;
	const char *most;
} Possible;

static const Possible possible[] = {
	{"scale", "0.001", "1000"},
	{"infill", "0", "1"},
	{"wall_mm", "0", "1000"},
	{"layer_height", "0.0001", "1000"},
	{"stones", "0", "1000000"}
};

static bool
is_integer(Numeric value)
{
	Datum		rest = DirectFunctionCall2(numeric_mod, NumericGetDatum(value),
										   NumericGetDatum(mf_decimal_int(1)));

	return mf_decimal_sign(DatumGetNumeric(rest)) == 0;
}

/* Is a value of the type that is declared?  Without one it is text. */
static bool
type_fits(JsonbContainer *declared, const JsonbValue *value)
{
	const char *type = mf_json_text(declared, "type");

	if (type != NULL && strcmp(type, "number") == 0)
		return value->type == jbvNumeric;
	if (type != NULL && strcmp(type, "integer") == 0)
		return value->type == jbvNumeric && is_integer(value->val.numeric);
	if (type != NULL && strcmp(type, "boolean") == 0)
		return value->type == jbvBool;
	return value->type == jbvString &&
		pg_mbstrlen_with_len(value->val.string.val, value->val.string.len) <= LONGEST_TEXT;
}

/* Is it one of the values allowed, where there is a list of them? */
static bool
is_allowed(JsonbContainer *declared, JsonbValue *value)
{
	JsonbValue	allowed;

	if (!mf_json_find(declared, "allowed", jbvBinary, &allowed))
		return true;
	return DatumGetBool(DirectFunctionCall2(jsonb_contains,
											JsonbPGetDatum(JsonbValueToJsonb(&allowed)),
											JsonbPGetDatum(JsonbValueToJsonb(value))));
}

/* Is a number within the limits declared? */
static bool
is_within(JsonbContainer *declared, const JsonbValue *value)
{
	JsonbValue	limit;

	if (value->type != jbvNumeric)
		return true;
	if (mf_json_find(declared, "min", jbvNumeric, &limit) &&
		mf_decimal_compare(value->val.numeric, limit.val.numeric) < 0)
		return false;
	return !mf_json_find(declared, "max", jbvNumeric, &limit) ||
		mf_decimal_compare(value->val.numeric, limit.val.numeric) <= 0;
}

/* Does a value suit its declaration? */
static bool
fits(JsonbContainer *declared, JsonbValue *value)
{
	return type_fits(declared, value) && is_allowed(declared, value) &&
		is_within(declared, value);
}

/* Is this a value that a part can have? */
static bool
is_possible(const char *key, int length, const JsonbValue *value)
{
	if (value->type != jbvNumeric)
		return true;
	for (size_t i = 0; i < lengthof(possible); i++)
		if (strlen(possible[i].key) == (size_t) length &&
			memcmp(possible[i].key, key, length) == 0)
			return mf_decimal_compare(value->val.numeric,
									  mf_decimal_parse(possible[i].least)) >= 0 &&
				mf_decimal_compare(value->val.numeric,
								   mf_decimal_parse(possible[i].most)) <= 0;
	return true;
}

/*
 * A jsonb as one value of a declaration: what is in a scalar, or the object
 * or array itself.
 */
static void
open_value(Jsonb *json, JsonbValue *value)
{
	if (JB_ROOT_IS_SCALAR(json))
		*value = *getIthJsonbValueFromContainer(&json->root, 0);
	else
	{
		value->type = jbvBinary;
		value->val.binary.data = &json->root;
		value->val.binary.len = VARSIZE(json) - VARHDRSZ;
	}
}

/* Says what is wrong; key is NULL where the options are no object. */
static void
refuse(Datum process, const Jsonb *options, const char *key, int length)
{
	const NullableDatum arguments[] = {
		{process, DatumGetPointer(process) == NULL},
		{JsonbPGetDatum(options), options == NULL},
		{key == NULL ? (Datum) 0 : PointerGetDatum(cstring_to_text_with_len(key, length)), key == NULL}
	};
	Datum		nothing;

	(void) mf_plan_call("_refuse_option", lengthof(arguments), arguments, &nothing);
	elog(ERROR, "an option was refused for no reason");
}

/*
 * The options given, checked, over the defaults of the others.  Raises MF400
 * where they are not allowed.  The process (NULL: none) comes both as it is
 * and opened; the result is NULL only where there is none.
 */
Jsonb *
mf_options_full(Datum process, const MfRow *row, const Jsonb *options)
{
	Jsonb	   *declared = NULL;
	Jsonb	   *defaults = NULL;
	JsonbIterator *iterator;
	JsonbValue	key;
	JsonbValue	value;
	Datum		datum;

	if (options == NULL || !JB_ROOT_IS_OBJECT(options))
		refuse(process, options, NULL, 0);
	if (mf_row_find(row, "defaults", &datum))
		defaults = DatumGetJsonbP(datum);
	if (JB_ROOT_COUNT(options) == 0)
		return defaults;
	if (mf_row_find(row, "options", &datum))
		declared = DatumGetJsonbP(datum);

	iterator = JsonbIteratorInit(unconstify(JsonbContainer *, &options->root));
	(void) JsonbIteratorNext(&iterator, &key, true);
	while (JsonbIteratorNext(&iterator, &key, true) == WJB_KEY)
	{
		const char *name = key.val.string.val;
		int			length = key.val.string.len;
		JsonbValue	found;

		(void) JsonbIteratorNext(&iterator, &value, true);
		if (declared == NULL ||
			getKeyJsonValueFromContainer(&declared->root, name, length, &found) == NULL ||
			found.type != jbvBinary || !fits(found.val.binary.data, &value) ||
			!is_possible(name, length, &value))
			refuse(process, options, name, length);
	}
	if (defaults == NULL)
		return NULL;
	return DatumGetJsonbP(DirectFunctionCall2(jsonb_concat, JsonbPGetDatum(defaults),
											  JsonbPGetDatum(options)));
}

/* _full_options(process processes, options jsonb) */
PGDLLEXPORT Datum
mesflow_full_options(PG_FUNCTION_ARGS)
{
	Datum		process = PG_ARGISNULL(0) ? (Datum) 0 : PG_GETARG_DATUM(0);
	MfRow		row = {0};
	Jsonb	   *full;

	if (!PG_ARGISNULL(0))
		mf_row_open(&row, PG_GETARG_HEAPTUPLEHEADER(0));
	full = mf_options_full(process, &row, PG_ARGISNULL(1) ? NULL : PG_GETARG_JSONB_P(1));
	if (!PG_ARGISNULL(0))
		mf_row_close(&row);
	if (full == NULL)
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(full);
}

/* _option_fits(declared jsonb, value jsonb) */
PGDLLEXPORT Datum
mesflow_option_fits(PG_FUNCTION_ARGS)
{
	Jsonb	   *declared = PG_GETARG_JSONB_P(0);
	JsonbValue	value;

	open_value(PG_GETARG_JSONB_P(1), &value);
	PG_RETURN_BOOL(fits(&declared->root, &value));
}

/* _option_possible(key text, value jsonb) */
PGDLLEXPORT Datum
mesflow_option_possible(PG_FUNCTION_ARGS)
{
	text	   *key = PG_GETARG_TEXT_PP(0);
	JsonbValue	value;

	open_value(PG_GETARG_JSONB_P(1), &value);
	PG_RETURN_BOOL(is_possible(VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key), &value));
}
