/*
 * quote_event.c
 *		Events of quotes: quote.priced, quote.review, quote.failed.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "outbox.h"
#include "tables.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

PG_FUNCTION_INFO_V1(mesflow_quote_event);

/* The columns of _quotes that an event tells, in the order of CREATE TABLE. */
enum
{
	COL_ID,
	COL_PARTNER,
	COL_MODEL,
	COL_MATERIAL,
	COL_PROCESS,
	COL_QUANTITY,
	COL_OPTIONS,
	COL_STATE,
	COL_UNIT_PRICE,
	COL_NET,
	COL_TAX,
	COL_TOTAL,
	COL_CURRENCY,
	COL_BREAKDOWN,
	COL_PRICE_LIST,
	COL_LEAD_DAYS,
	COL_CREATED_AT,
	COL_PRICED_AT,
	COL_EXPIRES_AT,
	COL_SUPERSEDES,
	COL_ERROR_CODE,
	COL_ERROR,
	COL_JOB,
	COL_CORRELATION_ID,
	COL_TRACEPARENT,
	COLUMNS
};

static const char *const column_names[COLUMNS] = {
	"id", "partner", "model", "material", "process", "quantity", "options",
	"state", "unit_price", "net", "tax", "total", "currency", "breakdown",
	"price_list", "lead_days", "created_at", "priced_at", "expires_at",
	"supersedes", "error_code", "error", "job", "correlation_id",
	"traceparent"
};

typedef struct Quote
{
	Datum		value[COLUMNS];
	bool		is_null[COLUMNS];
} Quote;

static char *
text_of(const Quote *quote, int column)
{
	return quote->is_null[column] ? NULL : TextDatumGetCString(quote->value[column]);
}

static Numeric
money_of(const Quote *quote, int column)
{
	return quote->is_null[column] ? NULL : DatumGetNumeric(quote->value[column]);
}

static const pg_uuid_t *
uuid_of(const Quote *quote, int column)
{
	return quote->is_null[column] ? NULL : DatumGetUUIDP(quote->value[column]);
}

static void
append_quote(StringInfo body, const Quote *quote)
{
	Jsonb	   *options = DatumGetJsonbP(quote->value[COL_OPTIONS]);
	TimestampTz expires_at = quote->is_null[COL_EXPIRES_AT] ? 0 :
	DatumGetTimestampTz(quote->value[COL_EXPIRES_AT]);

	mf_body_open(body, "quote", '{');
	mf_body_uuid(body, "id", uuid_of(quote, COL_ID));
	mf_body_text(body, "partner", text_of(quote, COL_PARTNER));
	mf_body_uuid(body, "model", uuid_of(quote, COL_MODEL));
	mf_body_text(body, "material", text_of(quote, COL_MATERIAL));
	mf_body_text(body, "process", text_of(quote, COL_PROCESS));
	mf_body_int(body, "quantity", DatumGetInt32(quote->value[COL_QUANTITY]));
	mf_body_json(body, "options", JsonbToCString(NULL, &options->root, VARSIZE(options)));
	mf_body_text(body, "state", text_of(quote, COL_STATE));
	mf_body_money(body, "unit_price", money_of(quote, COL_UNIT_PRICE));
	mf_body_money(body, "net", money_of(quote, COL_NET));
	mf_body_money(body, "tax", money_of(quote, COL_TAX));
	mf_body_money(body, "total", money_of(quote, COL_TOTAL));
	mf_body_text(body, "currency", text_of(quote, COL_CURRENCY));
	if (!quote->is_null[COL_LEAD_DAYS])
		mf_body_int(body, "lead_days", DatumGetInt32(quote->value[COL_LEAD_DAYS]));
	mf_body_time(body, "expires_at", quote->is_null[COL_EXPIRES_AT] ? NULL : &expires_at);
	mf_body_text(body, "error_code", text_of(quote, COL_ERROR_CODE));
	mf_body_text(body, "error", text_of(quote, COL_ERROR));
	mf_body_close(body, '}');
}

static void
tell(const Quote *quote)
{
	MfEvent		event;
	StringInfoData body;
	char	   *id = DatumGetCString(DirectFunctionCall1(uuid_out, quote->value[COL_ID]));

	mf_event_start(&event, psprintf("quote.%s", text_of(quote, COL_STATE)), id);
	event.partner = text_of(quote, COL_PARTNER);
	event.quantity = DatumGetInt32(quote->value[COL_QUANTITY]);
	event.correlation_id = uuid_of(quote, COL_CORRELATION_ID);
	event.traceparent = text_of(quote, COL_TRACEPARENT);
	mf_body_start(&body, &event);
	append_quote(&body, quote);
	mf_body_end(&body);
	mf_outbox_write(&event, &body);
}

/* What a constraint would say, which is parsed anew with every row. */
static void
check_sound(const Quote *quote)
{
	static const char *const without_price[] = {"pending", "review", "failed", "cancelled"};

	char	   *state = text_of(quote, COL_STATE);

	for (int i = 0; i < (int) lengthof(without_price); i++)
		if (strcmp(state, without_price[i]) == 0)
			return;
	if (strcmp(state, "priced") != 0 || quote->is_null[COL_NET] ||
		quote->is_null[COL_TAX] || quote->is_null[COL_TOTAL] ||
		!DatumGetBool(DirectFunctionCall2(numeric_eq, quote->value[COL_TOTAL],
										  DirectFunctionCall2(numeric_add, quote->value[COL_NET], quote->value[COL_TAX]))))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("a quote in state \"%s\" does not add up", state)));
}

/* Is this a state that is told?  A quote that nobody asked for is not. */
static bool
is_told(const Quote *quote, TupleDesc desc, HeapTuple tuple)
{
	bool		is_null;
	Datum		preflight = heap_getattr(tuple, SPI_fnumber(desc, "preflight"), desc, &is_null);
	char	   *state = text_of(quote, COL_STATE);

	return (is_null || !DatumGetBool(preflight)) &&
		(strcmp(state, "priced") == 0 || strcmp(state, "review") == 0 ||
		 strcmp(state, "failed") == 0);
}

/*
 * Row trigger of _quotes.  Before an insert it writes the event, where there
 * is one, and notes in the row that it has; a row that comes with that note
 * was restored, and the trigger's condition, in the install script, leaves it
 * out.  After an update that condition has found what has changed.
 */
PGDLLEXPORT Datum
mesflow_quote_event(PG_FUNCTION_ARGS)
{
	static Oid	checked = InvalidOid;

	TriggerData *trigger = (TriggerData *) fcinfo->context;
	TupleDesc	desc;
	HeapTuple	tuple;
	Quote		quote;
	bool		is_insert;

	if (!CALLED_AS_TRIGGER(fcinfo))
		elog(ERROR, "not called as a trigger");
	is_insert = TRIGGER_FIRED_BY_INSERT(trigger->tg_event);
	tuple = is_insert ? trigger->tg_trigtuple : trigger->tg_newtuple;
	desc = RelationGetDescr(trigger->tg_relation);
	mf_columns_check(trigger->tg_relation, column_names, COLUMNS, &checked);
	mf_columns_open(trigger->tg_relation, tuple, COLUMNS, quote.value, quote.is_null);
	check_sound(&quote);
	if (is_told(&quote, desc, tuple))
		tell(&quote);
	if (is_insert)
	{
		int			column = SPI_fnumber(desc, "told");
		Datum		told = BoolGetDatum(true);
		bool		is_null = false;

		tuple = heap_modify_tuple_by_cols(tuple, desc, 1, &column, &told, &is_null);
	}
	return PointerGetDatum(tuple);
}
