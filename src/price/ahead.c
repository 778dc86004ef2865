/*
 * ahead.c
 *		Taking a quote that was made ahead: see preflight_quotes.
 *
 * Where nothing has changed that it depends on, it is what would be made now.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "json.h"
#include "plan.h"
#include "quote.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

/* The parameter of ahead_plan that is the list in force. */
#define WANTED_LIST		6

/*
 * The lookup's comparisons are such that no index but _quotes_preflight can
 * serve.  The mark of the pricing function costs the most: it is asked last.
 */
static MfPlan ahead_plan = {
	.sql = "SELECT q.id FROM mesflow._quotes q WHERE q.preflight"
	" AND mesflow._quote_key(q.model, q.material, q.process, q.quantity, q.options)"
	" = mesflow._quote_key($1, $2, $3, $4, $5)"
	" AND q.model IS NOT DISTINCT FROM $1 AND q.material IS NOT DISTINCT FROM $2"
	" AND q.process IS NOT DISTINCT FROM $3"
	" AND q.quantity IS NOT DISTINCT FROM $4"
	" AND q.options IS NOT DISTINCT FROM $5"
	" AND q.state IN ('priced', 'review') AND NOT q.by_hand"
	" AND (q.expires_at > $6) IS TRUE"
	" AND q.price_list IS NOT DISTINCT FROM $7"
	" AND q.engine_version = $8 AND q.material_version = $9"
	" AND q.process_version = $10 AND q.partner_version = $11"
	" AND q.pricing_mark = mesflow._pricing_mark($12)"
	" LIMIT 1 FOR UPDATE SKIP LOCKED",
	.arguments = 12,
	.types = {UUIDOID, TEXTOID, TEXTOID, INT4OID, JSONBOID, TIMESTAMPTZOID,
	TEXTOID, INT4OID, INT4OID, INT4OID, INT4OID, TEXTOID},
	.by_index = true,
	.writes = true
};

/* It is valid from now on. */
static MfPlan take_plan = {
	.sql = "UPDATE mesflow._quotes SET preflight = false, correlation_id = $2,"
	" traceparent = $3, created_at = clock_timestamp(),"
	" priced_at = clock_timestamp(),"
	" expires_at = clock_timestamp() + (expires_at - priced_at) WHERE id = $1",
	.arguments = 3,
	.types = {UUIDOID, UUIDOID, TEXTOID},
	.by_index = true,
	.writes = true
};

/* Options as quotes made ahead have them: the size of the file is not named. */
static Jsonb *
options_ahead(const MfPriceRequest *request)
{
	JsonbValue	scale;
	Datum		defaults;

	if (!mf_json_find(&request->options->root, "scale", jbvNumeric, &scale) ||
		mf_decimal_compare(scale.val.numeric, mf_decimal_int(1)) != 0)
		return request->options;
	if (mf_row_find(&request->process, "defaults", &defaults) &&
		getKeyJsonValueFromContainer(&DatumGetJsonbP(defaults)->root, "scale",
									 strlen("scale"), NULL) != NULL)
		return request->options;
	return DatumGetJsonbP(DirectFunctionCall2(jsonb_delete, request->options_json,
											  CStringGetTextDatum("scale")));
}

/*
 * Takes a quote that was made ahead for this very request and still holds,
 * from now on the caller's alone; false where there is none.  One probe of a
 * partial index.
 */
bool
mf_ahead_take(const MfQuote *quote, Datum *id)
{
	const MfPriceRequest *request = &quote->request;
	const NullableDatum *traceparent = &quote->asked[MF_ASKED_TRACEPARENT];
	char		nulls[] = {' ', ' ', traceparent->isnull ? 'n' : ' '};
	Datum		taken[3];
	Datum		wanted[] = {
		quote->asked[MF_ASKED_MODEL].value,
		quote->asked[MF_ASKED_MATERIAL].value,
		quote->asked[MF_ASKED_PROCESS].value,
		quote->asked[MF_ASKED_QUANTITY].value,
		JsonbPGetDatum(options_ahead(request)),
		TimestampTzGetDatum(quote->asked_at),
		(Datum) 0,
		mf_row_need(&request->outcome, "engine_version"),
		mf_row_need(&request->material, "version"),
		mf_row_need(&request->process, "version"),
		mf_row_need(&request->partner, "version"),
		mf_row_need(&request->process, "pricing_function")
	};

	/* There one that somebody else has taken meanwhile would be an error. */
	if (IsolationUsesXactSnapshot() ||
		!mf_row_find(&request->list, "code", &wanted[WANTED_LIST]) ||
		mf_plan_run(&ahead_plan, wanted, NULL) == 0 || !mf_plan_find(0, 1, id))
		return false;
	taken[0] = *id;
	taken[1] = quote->correlation;
	taken[2] = traceparent->value;
	(void) mf_plan_run(&take_plan, taken, nulls);
	return true;
}
