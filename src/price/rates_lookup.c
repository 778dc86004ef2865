/*
 * rates_lookup.c
 *		The rates of a price list that hold for a process and material.
 *
 * Every price asks for them.  What an active list says never changes, so it
 * is looked up once in a session: the moment from which the list is valid
 * tells it from another of the same name.  Drafts are read each time.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "json.h"
#include "plan.h"
#include "price.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(mesflow_rates);

/* The most general rates first: the last one of a name stays. */
static MfPlan rates_plan = {
	.sql = "SELECT r.name, r.value, r.public FROM mesflow.rates r"
	" WHERE r.price_list OPERATOR(pg_catalog.=) $1"
	" AND r.process_key OPERATOR(pg_catalog.=) ANY ($2)"
	" AND r.material_key OPERATOR(pg_catalog.=) ANY ($3)"
	" ORDER BY r.process_key, r.material_key",
	.arguments = 3,
	.types = {TEXTOID, TEXTARRAYOID, TEXTARRAYOID},
	.by_index = true
};

/* Those of the process, in the order of their quantities, after the general. */
static MfPlan breaks_plan = {
	.sql = "SELECT b.process_key, b.from_quantity::pg_catalog.numeric, b.percent"
	" FROM mesflow.quantity_breaks b"
	" WHERE b.price_list OPERATOR(pg_catalog.=) $1"
	" AND b.process_key OPERATOR(pg_catalog.=) ANY ($2)"
	" ORDER BY b.process_key, b.from_quantity",
	.arguments = 2,
	.types = {TEXTOID, TEXTARRAYOID},
	.by_index = true
};

/* Process and material pairs that a session remembers, of all its lists. */
#define REMEMBERED_MAX	1000

typedef struct Remembered
{
	uint64		hash;			/* of the key */
	char	   *key;			/* list, process, material */
	TimestampTz valid_from;
	Jsonb	   *rates;
} Remembered;

static MemoryContext memory = NULL;
static HTAB *remembered = NULL;

static Datum
column(uint64 row, int number)
{
	Datum		value;

	(void) mf_plan_find(row, number, &value);
	return value;
}

/* {'', key}: what is general, and what is for this one. */
static Datum
general_and(Datum key)
{
	Datum		keys[2];

	keys[0] = CStringGetTextDatum("");
	keys[1] = key;
	return PointerGetDatum(construct_array(keys, 2, TEXTOID, -1, false,
										   TYPALIGN_INT));
}

/* The rates found, or by their names which of them customers do not see. */
static void
push_rates(JsonbParseState **state, bool flags)
{
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		text	   *name = DatumGetTextPP(column(i, 1));

		mf_json_push_key(state, VARDATA_ANY(name), (int) VARSIZE_ANY_EXHDR(name));
		if (flags)
			mf_json_push_bool(state, !DatumGetBool(column(i, 3)));
		else
			mf_json_push_number(state, WJB_VALUE, DatumGetNumeric(column(i, 2)));
	}
}

/* Where the process has breaks of its own, the general ones do not count. */
static void
push_breaks(JsonbParseState **state)
{
	uint64		first = 0;

	for (uint64 i = 1; i < SPI_processed; i++)
		if (VARSIZE_ANY_EXHDR(DatumGetTextPP(column(i, 1))) > 0 &&
			VARSIZE_ANY_EXHDR(DatumGetTextPP(column(i - 1, 1))) == 0)
			first = i;
	for (uint64 i = first; i < SPI_processed; i++)
	{
		(void) pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
		mf_json_push_number(state, WJB_ELEM, DatumGetNumeric(column(i, 2)));
		mf_json_push_number(state, WJB_ELEM, DatumGetNumeric(column(i, 3)));
		(void) pushJsonbValue(state, WJB_END_ARRAY, NULL);
	}
}

/* Reads the rates; the result is in the current memory context. */
static Jsonb *
look_up(const char *list, const char *currency, Datum process, Datum material)
{
	MemoryContext context = CurrentMemoryContext;
	JsonbParseState *state = NULL;
	JsonbValue *built;
	Datum		values[3];
	Jsonb	   *rates;

	values[0] = CStringGetTextDatum(list);
	values[1] = general_and(process);
	values[2] = general_and(material);
	mf_spi_connect();
	(void) mf_plan_run(&rates_plan, values, NULL);
	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_rates(&state, false);
	mf_json_push_key(&state, "_private", 8);
	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_rates(&state, true);
	(void) pushJsonbValue(&state, WJB_END_OBJECT, NULL);

	(void) mf_plan_run(&breaks_plan, values, NULL);
	mf_json_push_key(&state, "_breaks", 7);
	(void) pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	push_breaks(&state);
	(void) pushJsonbValue(&state, WJB_END_ARRAY, NULL);
	mf_json_push_key(&state, "_digits", 7);
	mf_json_push_number(&state, WJB_VALUE,
						mf_decimal_int(mf_currency_digits(currency)));
	built = pushJsonbValue(&state, WJB_END_OBJECT, NULL);

	MemoryContextSwitchTo(context);
	rates = JsonbValueToJsonb(built);
	SPI_finish();
	return rates;
}

/* Is there nothing but what look_up adds to the rates? */
static bool
has_no_rates(const Jsonb *rates)
{
	return JB_ROOT_COUNT(rates) == 3;
}

/* The place for the rates of a key; `rates` is NULL where they are not known. */
static Remembered *
recall(const char *key, TimestampTz valid_from)
{
	uint64		hash = DatumGetUInt64(hash_any_extended((const unsigned char *) key,
														(int) strlen(key), 0));
	Remembered *place;
	bool		found;

	if (remembered != NULL && hash_get_num_entries(remembered) >= REMEMBERED_MAX)
	{
		MemoryContextDelete(memory);
		remembered = NULL;
	}
	if (remembered == NULL)
	{
		HASHCTL		control = {.keysize = sizeof(uint64),.entrysize = sizeof(Remembered)};

		memory = AllocSetContextCreate(TopMemoryContext, "mesflow rates",
									   ALLOCSET_DEFAULT_SIZES);
		control.hcxt = memory;
		remembered = hash_create("mesflow rates", 64, &control,
								 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	place = hash_search(remembered, &hash, HASH_ENTER, &found);
	if (!found || place->rates == NULL || place->valid_from != valid_from ||
		strcmp(place->key, key) != 0)
		place->rates = NULL;
	return place;
}

static Jsonb *
copy_to(MemoryContext context, const Jsonb *rates)
{
	return memcpy(MemoryContextAlloc(context, VARSIZE(rates)), rates, VARSIZE(rates));
}

static void
remember(Remembered *place, const char *key, TimestampTz valid_from, const Jsonb *rates)
{
	place->key = MemoryContextStrdup(memory, key);
	place->valid_from = valid_from;
	place->rates = copy_to(memory, rates);
}

/*
 * The rates of a list (which may never have been opened): {"name": value, ...,
 * "_private": {"name": true}, "_breaks": [[from, percent], ...], "_digits":
 * decimals}; empty where there is no list.
 */
Jsonb *
mf_rates_in_force(const MfRow *list, Datum process, Datum material)
{
	char	   *code = mf_row_text(list, "code");
	char	   *currency = mf_row_text(list, "currency");
	char	   *state = mf_row_text(list, "state");
	Remembered *place;
	Datum		valid_from;
	char	   *key;
	Jsonb	   *rates;

	if (code == NULL || currency == NULL || state == NULL)
		return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum("{}")));
	if (strcmp(state, "draft") == 0)
		return look_up(code, currency, process, material);

	if (!mf_row_find(list, "valid_from", &valid_from))
		valid_from = TimestampTzGetDatum(0);
	key = psprintf("%s\001%s\001%s", code, TextDatumGetCString(process),
				   TextDatumGetCString(material));
	place = recall(key, DatumGetTimestampTz(valid_from));
	if (place->rates != NULL)
		return copy_to(CurrentMemoryContext, place->rates);
	rates = look_up(code, currency, process, material);

	/* A list without any has not been restored yet. */
	if (!has_no_rates(rates))
		remember(place, key, DatumGetTimestampTz(valid_from), rates);
	return rates;
}

/* _rates(list price_lists, process text, material text) */
PGDLLEXPORT Datum
mesflow_rates(PG_FUNCTION_ARGS)
{
	MfRow		list = {0};
	Jsonb	   *rates;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	if (!PG_ARGISNULL(0))
		mf_row_open(&list, PG_GETARG_HEAPTUPLEHEADER(0));
	rates = mf_rates_in_force(&list, PG_GETARG_DATUM(1), PG_GETARG_DATUM(2));
	if (!PG_ARGISNULL(0))
		mf_row_close(&list);
	PG_RETURN_JSONB_P(rates);
}
