/*
 * asked.c
 *		Items and customers of orders, read from JSON.
 *
 * Whatever is wrong is named by its path, with what was found there and what
 * could have been: a person at the other end reads it in a log.  The value of
 * a customer's field is never quoted, for logs keep what they get.
 */
#include "postgres.h"

#include <ctype.h>

#include "asked.h"
#include "check.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "mesflow.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#define MAX_QUANTITY	1000000
#define MAX_CODE		100
#define MAX_ADDRESS		(16 * 1024)

/* Longest value quoted in a detail. */
#define QUOTED_MAX		100

static const struct
{
	const char *key;
	int			longest;		/* characters */
}			customer_keys[MF_CUSTOMER_COLUMNS] = {
	[MF_CUSTOMER_NAME] = {"name", 200},
	[MF_CUSTOMER_EMAIL] = {"email", 320},
	[MF_CUSTOMER_PHONE] = {"phone", 50},
	[MF_CUSTOMER_COMPANY] = {"company", 200},
	[MF_CUSTOMER_TAX_ID] = {"tax_id", 50},
	[MF_CUSTOMER_LOCALE] = {"locale", 35},
	[MF_CUSTOMER_ADDRESS] = {"address", 0},
	[MF_CUSTOMER_NOTE] = {"note", MF_NOTE_MAX}
};

static const char *const item_keys[] = {
	"model", "material", "process", "quantity", "options", "quote"
};

#define ITEM_KEYS		"model, material, process, quantity, options; or quote alone"
#define CUSTOMER_KEYS	"name, email, phone, company, tax_id, locale, address, note"

static void
refuse(const char *path, const char *message, const char *found, const char *hint)
{
	ereport(ERROR,
			(errcode(MF_ERRCODE_BAD_ARGUMENT),
			 errmsg("%s", message),
			 errdetail("%s is %s.", path, found),
			 errhint("%s", hint)));
}

static const char *
kind_of(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
			return "null";
		case jbvString:
			return "a text";
		case jbvNumeric:
			return "a number";
		case jbvBool:
			return "true or false";
		case jbvArray:
			return "an array";
		case jbvObject:
			return "an object";
		default:
			if (value->type == jbvBinary)
				return JsonContainerIsArray(value->val.binary.data) ?
					"an array" : "an object";
			return "something else";
	}
}

/* A text or number in a detail, cut. */
static const char *
quoted(const JsonbValue *value)
{
	if (value->type == jbvString)
	{
		int			length = pg_mbcliplen(value->val.string.val, value->val.string.len, QUOTED_MAX);

		return psprintf("\"%.*s\"%s", length, value->val.string.val,
						length < value->val.string.len ? " ..." : "");
	}
	if (value->type == jbvNumeric)
	{
		char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out,
															   NumericGetDatum(value->val.numeric)));

		if (strlen(text) > QUOTED_MAX)
			strcpy(text +QUOTED_MAX - 4, " ...");
		return text;
	}
	return kind_of(value);
}

/* The member of an object; NULL where it is missing or null. */
static JsonbValue *
member(JsonbContainer *object, const char *key, JsonbValue *value)
{
	JsonbValue *found = getKeyJsonValueFromContainer(object, key, (int) strlen(key), value);

	return found == NULL || found->type == jbvNull ? NULL : found;
}

static char *
path_of(int item, const char *key)
{
	return key == NULL ? psprintf("items[%d]", item) :
		psprintf("items[%d].%s", item, key);
}

static void
check_keys(JsonbContainer *object, const char *path, const char *const *keys,
		   int count, const char *allowed)
{
	JsonbIterator *iterator = JsonbIteratorInit(object);
	JsonbIteratorToken token;
	JsonbValue	value;

	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		bool		known = false;

		if (token != WJB_KEY)
			continue;
		for (int i = 0; i < count && !known; i++)
			known = strlen(keys[i]) == (size_t) value.val.string.len &&
				memcmp(keys[i], value.val.string.val, value.val.string.len) == 0;
		if (!known)
			ereport(ERROR,
					(errcode(MF_ERRCODE_BAD_ARGUMENT),
					 errmsg("unknown key"),
					 errdetail("%s.%.*s is not known.", path,
							   pg_mbcliplen(value.val.string.val, value.val.string.len, QUOTED_MAX),
							   value.val.string.val),
					 errhint("Allowed keys: %s.", allowed)));
	}
}

static pg_uuid_t
read_uuid(const JsonbValue *value, const char *path, const char *hint)
{
	/* With or without braces and dashes, as the type uuid reads it. */
	char		digits[2 * UUID_LEN + 1];
	pg_uuid_t	uuid;
	int			count = 0;
	bool		good = value->type == jbvString && value->val.string.len <= 2 * UUID_LEN + 6;

	for (int i = 0; good && i < value->val.string.len; i++)
	{
		char		c = value->val.string.val[i];

		if (c == '-' || c == '{' || c == '}')
			continue;
		good = isxdigit((unsigned char) c) && count < 2 * UUID_LEN;
		if (good)
			digits[count++] = c;
	}
	if (!good || count != 2 * UUID_LEN)
		refuse(path, "not an id", quoted(value), hint);
	digits[count] = '\0';
	uuid = *DatumGetUUIDP(DirectFunctionCall1(uuid_in, CStringGetDatum(digits)));
	return uuid;
}

static char *
read_code(JsonbContainer *object, int item, const char *key)
{
	JsonbValue	value;
	JsonbValue *found = member(object, key, &value);
	const char *hint = psprintf("Give the code of a %s, as in mesflow.%s.", key,
								strcmp(key, "process") == 0 ? "processes" : "materials");

	if (found == NULL)
		refuse(path_of(item, key), "something is missing", "missing", hint);
	if (found->type != jbvString || found->val.string.len == 0 ||
		pg_mbstrlen_with_len(found->val.string.val, found->val.string.len) > MAX_CODE)
		refuse(path_of(item, key), "not a code", quoted(found), hint);
	return pnstrdup(found->val.string.val, found->val.string.len);
}

static int
read_quantity(JsonbContainer *object, int item)
{
	JsonbValue	value;
	JsonbValue *found = member(object, "quantity", &value);
	Datum		number;

	if (found == NULL)
		return 1;
	if (found->type == jbvNumeric)
	{
		Numeric		given = found->val.numeric;
		Datum		most = DirectFunctionCall1(int4_numeric, Int32GetDatum(MAX_QUANTITY));
		Datum		least = DirectFunctionCall1(int4_numeric, Int32GetDatum(1));

		number = NumericGetDatum(given);
		if (DatumGetBool(DirectFunctionCall2(numeric_ge, number, least)) &&
			DatumGetBool(DirectFunctionCall2(numeric_le, number, most)) &&
			DatumGetBool(DirectFunctionCall2(numeric_eq, number,
											 DirectFunctionCall1(numeric_floor, number))))
			return DatumGetInt32(DirectFunctionCall1(numeric_int4, number));
	}
	refuse(path_of(item, "quantity"), "quantity not allowed", quoted(found),
		   psprintf("Ask for a whole number of 1 to %d pieces.", MAX_QUANTITY));
	pg_unreachable();
}

static Jsonb *
read_object(const JsonbValue *found)
{
	return JsonbValueToJsonb(unconstify(JsonbValue *, found));
}

static bool
is_object(const JsonbValue *value)
{
	return value->type == jbvBinary && JsonContainerIsObject(value->val.binary.data);
}

static void
read_item(const JsonbValue *element, int number, MfAskedItem *item)
{
	JsonbContainer *object;
	JsonbValue	value;
	JsonbValue *found;

	if (!is_object(element))
		refuse(path_of(number, NULL), "an item must be a JSON object", quoted(element),
			   "Keys of an item: " ITEM_KEYS ".");
	object = element->val.binary.data;
	check_keys(object, path_of(number, NULL), item_keys, lengthof(item_keys), ITEM_KEYS);

	memset(item, 0, sizeof(*item));
	item->quantity = 1;
	found = member(object, "quote", &value);
	if (found != NULL)
	{
		item->by_quote = true;
		item->quote = read_uuid(found, path_of(number, "quote"), "Give the id that request_quote returned.");
		for (int i = 0; i < (int) lengthof(item_keys) - 1; i++)
			if (member(object, item_keys[i], &value) != NULL)
				refuse(path_of(number, item_keys[i]), "an item has a quote or a model, not both",
					   "given beside the quote", "A quote says it all: leave the other keys out.");
		return;
	}
	found = member(object, "model", &value);
	if (found == NULL)
		refuse(path_of(number, "model"), "something is missing", "missing",
			   "Keys of an item: " ITEM_KEYS ".");
	item->model = read_uuid(found, path_of(number, "model"), "Give the id that upload_model returned.");
	item->material = read_code(object, number, "material");
	item->process = read_code(object, number, "process");
	item->quantity = read_quantity(object, number);
	found = member(object, "options", &value);
	if (found != NULL && !is_object(found))
		refuse(path_of(number, "options"), "options must be a JSON object", quoted(found),
			   "Pass for example {\"infill\": 0.3}, or leave it out for the defaults.");
	item->options = found != NULL ? read_object(found) :
		DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum("{}")));
}

static void
check_bought_once(const MfAskedItem *items, int count)
{
	for (int i = 0; i < count; i++)
		for (int j = 0; items[i].by_quote && j < i; j++)
			if (items[j].by_quote &&
				memcmp(&items[i].quote, &items[j].quote, UUID_LEN) == 0)
				ereport(ERROR,
						(errcode(MF_ERRCODE_CONFLICT),
						 errmsg("a quote is bought once"),
						 errdetail("items[%d].quote is that of items[%d].", i, j),
						 errhint("Ask for another quote with request_quote.")));
}

MfAskedItem *
mf_asked_items(Jsonb *json, int *count)
{
	MfAskedItem *items;

	if (json == NULL || !JB_ROOT_IS_ARRAY(json) || JB_ROOT_IS_SCALAR(json))
		refuse("items", "items must be a JSON array",
			   json == NULL ? "NULL" : JB_ROOT_IS_OBJECT(json) ? "an object" : "a scalar",
			   "Pass [{...}, ...]; keys of an item: " ITEM_KEYS ".");
	*count = JB_ROOT_COUNT(json);
	if (*count < 1 || *count > MF_ITEMS_MAX)
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg(*count < 1 ? "an order has items" : "too many items"),
				 errdetail("items has %d elements.", *count),
				 errhint("Order 1 to %d items at a time.", MF_ITEMS_MAX)));
	items = palloc(*count * sizeof(MfAskedItem));
	for (int i = 0; i < *count; i++)
		read_item(getIthJsonbValueFromContainer(&json->root, i), i, &items[i]);
	check_bought_once(items, *count);
	return items;
}

/* Digests are of JSON, whose keys jsonb keeps in one order. */
static bytea *
hash_of(const StringInfoData *text)
{
	return DatumGetByteaP(DirectFunctionCall1(sha256_bytea,
											  PointerGetDatum(cstring_to_text_with_len(text->data, text->len))));
}

static void
append_uuid(StringInfo text, const pg_uuid_t *uuid)
{
	appendBinaryStringInfo(text, (const char *) uuid->data, UUID_LEN);
}

bytea *
mf_asked_items_hash(const MfAskedItem *items, int count)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < count; i++)
	{
		const MfAskedItem *item = &items[i];

		appendStringInfoChar(&text, item->by_quote ? 'q' : 'm');
		append_uuid(&text, item->by_quote ? &item->quote : &item->model);
		if (item->by_quote)
			continue;

		/* each text with its end, so that two cannot run into each other */
		appendBinaryStringInfo(&text, item->material, (int) strlen(item->material) + 1);
		appendBinaryStringInfo(&text, item->process, (int) strlen(item->process) + 1);
		appendStringInfo(&text, "%d:" UINT64_FORMAT ":", item->quantity,
						 DatumGetUInt64(DirectFunctionCall2(jsonb_hash_extended,
															JsonbPGetDatum(item->options),
															Int64GetDatum(0))));
	}
	return hash_of(&text);
}

static Datum
read_customer_text(const JsonbValue *found, MfCustomerColumn column)
{
	const char *key = customer_keys[column].key;
	char	   *path = psprintf("customer.%s", key);
	int			longest = customer_keys[column].longest;
	int			length;

	if (found->type != jbvString)
		refuse(path, "not a text", kind_of(found), "Pass texts; address is an object.");
	length = pg_mbstrlen_with_len(found->val.string.val, found->val.string.len);
	if (length > longest)
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("text too long"),
				 errdetail("%s has %d characters.", path, length),
				 errhint("The limit is %d characters.", longest)));
	if (column == MF_CUSTOMER_EMAIL &&
		(memchr(found->val.string.val, '@', found->val.string.len) == NULL ||
		 memchr(found->val.string.val, ' ', found->val.string.len) != NULL))
		refuse(path, "not an e-mail address", "without @, or with a space in it",
			   "Pass one address, without a name around it.");
	return PointerGetDatum(cstring_to_text_with_len(found->val.string.val, found->val.string.len));
}

static Datum
read_address(const JsonbValue *found)
{
	Jsonb	   *address;

	if (!is_object(found))
		refuse("customer.address", "an address must be a JSON object", kind_of(found),
			   "Pass for example {\"street\": \"...\", \"zip\": \"...\", \"city\": \"...\", \"country\": \"AT\"}.");
	address = read_object(found);
	if (VARSIZE(address) > MAX_ADDRESS)
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("address too long"),
				 errdetail("customer.address has %zu bytes.", (size_t) VARSIZE(address)),
				 errhint("The limit is %d bytes.", MAX_ADDRESS)));
	return JsonbPGetDatum(address);
}

bool
mf_asked_customer(Jsonb *json, MfAskedCustomer *customer)
{
	const char *keys[MF_CUSTOMER_COLUMNS];

	memset(customer->is_null, true, sizeof(customer->is_null));
	if (json == NULL || (JB_ROOT_IS_OBJECT(json) && JB_ROOT_COUNT(json) == 0))
		return false;
	if (!JB_ROOT_IS_OBJECT(json))
		refuse("customer", "customer must be a JSON object",
			   JB_ROOT_IS_SCALAR(json) ? "a scalar" : "an array",
			   "Keys of a customer: " CUSTOMER_KEYS ".");
	for (int i = 0; i < MF_CUSTOMER_COLUMNS; i++)
		keys[i] = customer_keys[i].key;
	check_keys(&json->root, "customer", keys, MF_CUSTOMER_COLUMNS, CUSTOMER_KEYS);
	for (int i = 0; i < MF_CUSTOMER_COLUMNS; i++)
	{
		JsonbValue	value;
		JsonbValue *found = member(&json->root, keys[i], &value);

		if (found == NULL)
			continue;
		customer->is_null[i] = false;
		customer->value[i] = i == MF_CUSTOMER_ADDRESS ? read_address(found) :
			read_customer_text(found, i);
	}
	return true;
}

bytea *
mf_asked_customer_hash(const MfAskedCustomer *customer)
{
	StringInfoData content;

	initStringInfo(&content);
	for (int i = 0; i < MF_CUSTOMER_COLUMNS; i++)
	{
		/* with a sign before it: a text may look like anything */
		if (customer->is_null[i])
			appendStringInfoChar(&content, '-');
		else if (i == MF_CUSTOMER_ADDRESS)
		{
			Jsonb	   *address = DatumGetJsonbP(customer->value[i]);

			appendStringInfo(&content, "+%s", JsonbToCString(NULL, &address->root, VARSIZE(address)));
		}
		else
			appendStringInfo(&content, "+%s", TextDatumGetCString(customer->value[i]));
		appendStringInfoChar(&content, '\0');
	}
	return hash_of(&content);
}
