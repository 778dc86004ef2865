/*
 * json.c
 *		Pieces of jsonb, written and read.
 */
#include "postgres.h"

#include "json.h"

void
mf_json_push_key(JsonbParseState **state, const char *key, int length)
{
	JsonbValue	value;

	value.type = jbvString;
	value.val.string.val = unconstify(char *, key);
	value.val.string.len = length;
	(void) pushJsonbValue(state, WJB_KEY, &value);
}

void
mf_json_push_text(JsonbParseState **state, const char *content)
{
	JsonbValue	value;

	value.type = jbvString;
	value.val.string.val = unconstify(char *, content);
	value.val.string.len = (int) strlen(content);
	(void) pushJsonbValue(state, WJB_VALUE, &value);
}

void
mf_json_push_bool(JsonbParseState **state, bool content)
{
	JsonbValue	value;

	value.type = jbvBool;
	value.val.boolean = content;
	(void) pushJsonbValue(state, WJB_VALUE, &value);
}

/* A finite number: a key's value, or an element of an array. */
void
mf_json_push_number(JsonbParseState **state, JsonbIteratorToken token,
					Numeric content)
{
	JsonbValue	value;

	/* JSON has no others, and a price must not. */
	if (numeric_is_nan(content) || numeric_is_inf(content))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("a breakdown has a number that is not finite")));
	value.type = jbvNumeric;
	value.val.numeric = content;
	(void) pushJsonbValue(state, token, &value);
}

/* The value of a key, where it is of this type; false otherwise. */
bool
mf_json_find(JsonbContainer *object, const char *key, enum jbvType type,
			 JsonbValue *value)
{
	return JsonContainerIsObject(object) &&
		getKeyJsonValueFromContainer(object, key, (int) strlen(key), value) != NULL &&
		value->type == type;
}

/* The text under a key; NULL where there is none. */
char *
mf_json_text(JsonbContainer *object, const char *key)
{
	JsonbValue	value;

	if (!mf_json_find(object, key, jbvString, &value))
		return NULL;
	return pnstrdup(value.val.string.val, value.val.string.len);
}
