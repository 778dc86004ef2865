/*
 * quote.c
 *		request_quote(): a promise of a price.
 *
 *	1. what the caller names, and its newest measurement
 *	2. the options: those given over the defaults
 *	3. a quote that was made ahead, where there is one
 *	4. the price, or why there is none; or a job, where nothing is measured
 *	5. the row
 *
 * It is on the way of every order, so nothing here is interpreted while all
 * goes well: what is wrong is said by functions in plpgsql.
 *
 * Steps 1 to 4 read under one snapshot, taken when the function begins and
 * not when the statement did: a statement that asks for many quotes sees for
 * each what has been committed before it.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "options.h"
#include "plan.h"
#include "quote.h"
#include "tables.h"
#include "trace.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* Pieces that one quote may be for; _check_quantity says so. */
#define MOST_PIECES		1000000

PG_FUNCTION_INFO_V1(mesflow_request_quote);

/* What a quote is made from, each found by its key. */
static const MfKey model_key = {"_models", "_models_pkey", 1, {"id"}, {UUIDOID}};
static const MfKey material_key = {"materials", "materials_pkey", 1, {"code"}, {TEXTOID}};
static const MfKey process_key = {"processes", "processes_pkey", 1, {"code"}, {TEXTOID}};
static const MfKey partner_key = {"partners", "partners_pkey", 1, {"code"}, {TEXTOID}};

/* Without the engine's version: the newest comes last. */
static const MfKey outcome_key = {
	"_measurements", "_measurements_pkey", 2, {"sha256", "unit"}, {BYTEAOID, TEXTOID}
};

static MfPlan refusal_plan = {
	.sql = "SELECT mesflow._check_quantity($1), mesflow._partner($2),"
	" mesflow._model($3, $2), mesflow._material($4), mesflow._process($5)",
	.arguments = 5,
	.types = {INT4OID, TEXTOID, UUIDOID, TEXTOID, TEXTOID},
	.writes = true
};

/* delete_model waits for it, and then sees the job. */
static MfPlan hold_plan = {
	.sql = "SELECT nextval('mesflow._job_ids') FROM mesflow._models m"
	" WHERE m.id = $1 AND num_nonnulls(m.content) = 1 FOR KEY SHARE",
	.arguments = 1,
	.types = {UUIDOID},
	.by_index = true,
	.writes = true
};

static MfPlan queue_plan = {
	.sql = "SELECT mesflow._queue_job($1, 'price', $2, $3)",
	.arguments = 3,
	.types = {INT8OID, UUIDOID, UUIDOID},
	.writes = true
};

/* Columns of the new row, by the number of their parameters. */
enum
{
	NEW_PARTNER,
	NEW_MODEL,
	NEW_MATERIAL,
	NEW_PROCESS,
	NEW_QUANTITY,
	NEW_OPTIONS,
	NEW_STATE,
	NEW_UNIT_PRICE,
	NEW_NET,
	NEW_TAX,
	NEW_TOTAL,
	NEW_CURRENCY,
	NEW_BREAKDOWN,
	NEW_PRICE_LIST,
	NEW_LEAD_DAYS,
	NEW_EXPIRES_AT,
	NEW_ERROR_CODE,
	NEW_ERROR,
	NEW_CREATED_AT,
	NEW_PRICED_AT,
	NEW_JOB,
	NEW_CORRELATION_ID,
	NEW_TRACEPARENT,
	NEW_MATERIAL_VERSION,
	NEW_PROCESS_VERSION,
	NEW_PARTNER_VERSION,
	NEW_ENGINE_VERSION,
	NEW_COLUMNS
};

/* From NEW_STATE to NEW_ERROR they are a price's columns, in its order. */
StaticAssertDecl(NEW_ERROR - NEW_STATE == MF_PRICE_ERROR - MF_PRICE_STATE,
				 "a quote has the columns of a price");

static MfPlan insert_plan = {
	.sql = "INSERT INTO mesflow._quotes (partner, model, material, process,"
	" quantity, options, state, unit_price, net, tax, total, currency,"
	" breakdown, price_list, lead_days, expires_at, error_code, error,"
	" created_at, priced_at, job, correlation_id, traceparent,"
	" material_version, process_version, partner_version, engine_version)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,"
	" $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27)"
	" RETURNING id",
	.arguments = NEW_COLUMNS,
	.types = {TEXTOID, UUIDOID, TEXTOID, TEXTOID, INT4OID, JSONBOID, TEXTOID,
		NUMERICOID, NUMERICOID, NUMERICOID, NUMERICOID, TEXTOID, JSONBOID, TEXTOID,
		INT4OID, TIMESTAMPTZOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID,
	INT8OID, UUIDOID, TEXTOID, INT4OID, INT4OID, INT4OID, INT4OID},
	.writes = true
};

/* Finds a row by its key, under the active snapshot, and opens it. */
static bool
find_row(const MfKey *key, const Datum *values, MfRow *row, Datum *whole)
{
	if (!mf_key_row(key, values, GetActiveSnapshot(), whole))
		return false;
	mf_row_open(row, DatumGetHeapTupleHeader(*whole));
	return true;
}

static void
close_rows(MfPriceRequest *request)
{
	MfRow	   *rows[] = {&request->outcome, &request->material, &request->process,
	&request->partner, &request->list};

	for (size_t i = 0; i < lengthof(rows); i++)
		if (rows[i]->desc != NULL)
			mf_row_close(rows[i]);
}

static void
set_snapshot(void)
{
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
}

/* Says what is wrong with what was named; where nothing is, it came just now. */
static void
refuse(const MfQuote *quote)
{
	const int	order[] = {MF_ASKED_QUANTITY, MF_ASKED_PARTNER, MF_ASKED_MODEL, MF_ASKED_MATERIAL,
	MF_ASKED_PROCESS};
	Datum		values[lengthof(order)];
	char		nulls[lengthof(order)];

	for (size_t i = 0; i < lengthof(order); i++)
	{
		values[i] = quote->asked[order[i]].value;
		nulls[i] = quote->asked[order[i]].isnull ? 'n' : ' ';
	}
	(void) mf_plan_run(&refusal_plan, values, nulls);
}

/* Are there all arguments that a quote needs, and pieces that one may have? */
static bool
could_be_found(const MfQuote *quote)
{
	const int	needed[] = {MF_ASKED_MODEL, MF_ASKED_MATERIAL, MF_ASKED_PROCESS, MF_ASKED_QUANTITY,
	MF_ASKED_PARTNER};

	for (size_t i = 0; i < lengthof(needed); i++)
		if (quote->asked[needed[i]].isnull)
			return false;
	return DatumGetInt32(quote->asked[MF_ASKED_QUANTITY].value) >= 1 &&
		DatumGetInt32(quote->asked[MF_ASKED_QUANTITY].value) <= MOST_PIECES;
}

/* All rows that the caller names; false where one is missing, or not its. */
static bool
find_rows(MfQuote *quote)
{
	MfPriceRequest *request = &quote->request;
	const NullableDatum *asked = quote->asked;
	MfRow		model;
	Datum		row;
	Datum		active;
	Datum		key[MF_KEY_MAX];
	bool		is_own;

	if (!find_row(&model_key, &asked[MF_ASKED_MODEL].value, &model, &row))
		return false;
	is_own = strcmp(mf_row_text(&model, "partner"), TextDatumGetCString(asked[MF_ASKED_PARTNER].value)) == 0;
	(void) mf_row_find(&model, "correlation_id", &quote->correlation);
	(void) mf_row_find(&model, "sha256", &key[0]);
	(void) mf_row_find(&model, "unit", &key[1]);
	mf_row_close(&model);
	if (!is_own ||
		!find_row(&material_key, &asked[MF_ASKED_MATERIAL].value, &request->material, &request->material_row) ||
		!find_row(&process_key, &asked[MF_ASKED_PROCESS].value, &request->process, &request->process_row) ||
		!find_row(&partner_key, &asked[MF_ASKED_PARTNER].value, &request->partner, &row) ||
		!mf_row_find(&request->partner, "active", &active) || !DatumGetBool(active))
		return false;
	quote->measured = find_row(&outcome_key, key, &request->outcome, &row);
	return true;
}

/*
 * Finds what the caller names; raises where there is no such thing.  The
 * snapshot that it was found under stays the active one.
 */
static void
look_up(MfQuote *quote)
{
	for (;;)
	{
		set_snapshot();
		if (could_be_found(quote) && find_rows(quote))
			break;
		PopActiveSnapshot();
		close_rows(&quote->request);
		refuse(quote);
	}
	quote->request.quantity = DatumGetInt32(quote->asked[MF_ASKED_QUANTITY].value);
}

/* The trace that the caller continues, or else that of the model. */
static void
find_correlation(MfQuote *quote)
{
	const NullableDatum *traceparent = &quote->asked[MF_ASKED_TRACEPARENT];
	pg_uuid_t  *own = palloc(sizeof(pg_uuid_t));

	if (!traceparent->isnull && mf_trace_id(TextDatumGetCString(traceparent->value), own))
		quote->correlation = UUIDPGetDatum(own);
}

/* A price of a model that is not measured: the job that will, or no file. */
static bool
leave_to_job(const MfQuote *quote, MfPrice *price, Datum *job)
{
	Datum		model = quote->asked[MF_ASKED_MODEL].value;

	mf_price_start(price);
	if (mf_plan_run(&hold_plan, &model, NULL) > 0)
	{
		mf_price_set_text(price, MF_PRICE_STATE, "pending");
		return mf_plan_find(0, 1, job);
	}
	mf_price_refuse(price, "failed", "deleted",
					"The file was deleted before it was measured.");
	return false;
}

static void
set(Datum *values, char *nulls, int column, Datum value, bool is_null)
{
	values[column] = value;
	nulls[column] = is_null ? 'n' : ' ';
}

/* Writes the row; its id. */
static Datum
write_down(const MfQuote *quote, const MfPrice *price, bool pending, Datum job)
{
	static const struct
	{
		int			column;
		int			argument;
	}			as_asked[] = {
		{NEW_PARTNER, MF_ASKED_PARTNER}, {NEW_MODEL, MF_ASKED_MODEL},
		{NEW_MATERIAL, MF_ASKED_MATERIAL}, {NEW_PROCESS, MF_ASKED_PROCESS},
		{NEW_QUANTITY, MF_ASKED_QUANTITY}, {NEW_TRACEPARENT, MF_ASKED_TRACEPARENT}
	};
	const MfPriceRequest *request = &quote->request;
	Datum		values[NEW_COLUMNS];
	char		nulls[NEW_COLUMNS];
	Datum		value;

	for (size_t i = 0; i < lengthof(as_asked); i++)
		set(values, nulls, as_asked[i].column, quote->asked[as_asked[i].argument].value,
			quote->asked[as_asked[i].argument].isnull);
	set(values, nulls, NEW_OPTIONS, request->options_json, false);
	for (int i = 0; i < MF_PRICE_COLUMNS; i++)
		set(values, nulls, NEW_STATE + i, price->value[i], price->is_null[i]);
	if (price->is_null[MF_PRICE_LEAD_DAYS] &&
		mf_row_find(&request->process, "lead_days", &value))
		set(values, nulls, NEW_LEAD_DAYS, value, false);
	set(values, nulls, NEW_CREATED_AT, TimestampTzGetDatum(quote->asked_at), false);
	set(values, nulls, NEW_PRICED_AT, TimestampTzGetDatum(GetCurrentTimestamp()), pending);
	set(values, nulls, NEW_JOB, job, !pending);
	set(values, nulls, NEW_CORRELATION_ID, quote->correlation, false);
	set(values, nulls, NEW_MATERIAL_VERSION, mf_row_need(&request->material, "version"), false);
	set(values, nulls, NEW_PROCESS_VERSION, mf_row_need(&request->process, "version"), false);
	set(values, nulls, NEW_PARTNER_VERSION, mf_row_need(&request->partner, "version"), false);
	set(values, nulls, NEW_ENGINE_VERSION,
		quote->measured ? mf_row_need(&request->outcome, "engine_version") : (Datum) 0,
		!quote->measured);
	if (mf_plan_run(&insert_plan, values, nulls) != 1 || !mf_plan_find(0, 1, &value))
		elog(ERROR, "a quote was not written");
	return value;
}

/* The id of a new quote, or of one that was made ahead. */
static Datum
make_quote(MfQuote *quote)
{
	MfPriceRequest *request = &quote->request;
	const NullableDatum *options = &quote->asked[MF_ASKED_OPTIONS];
	MfPrice		price;
	bool		pending = false;
	Datum		job = (Datum) 0;
	Datum		list;
	Datum		id;

	look_up(quote);
	request->options = mf_options_full(request->process_row, &request->process,
									   options->isnull ? NULL : DatumGetJsonbP(options->value));
	if (request->options == NULL)
		elog(ERROR, "a process has no defaults");
	request->options_json = JsonbPGetDatum(request->options);
	find_correlation(quote);
	if (quote->measured)
	{
		if (mf_list_in_force(&request->partner, &list))
			mf_row_open(&request->list, DatumGetHeapTupleHeader(list));
		if (mf_ahead_take(quote, &id))
		{
			PopActiveSnapshot();
			return id;
		}
		request->rates_json =
			JsonbPGetDatum(mf_rates_in_force(&request->list,
											 quote->asked[MF_ASKED_PROCESS].value,
											 quote->asked[MF_ASKED_MATERIAL].value));
		mf_price_find(request, &price);
	}
	PopActiveSnapshot();
	if (!quote->measured)
		pending = leave_to_job(quote, &price, &job);
	id = write_down(quote, &price, pending, job);
	if (pending)
	{
		Datum		values[] = {job, quote->asked[MF_ASKED_MODEL].value, id};

		(void) mf_plan_run(&queue_plan, values, NULL);
	}
	return id;
}

/*
 * request_quote(model uuid, material text, process text, quantity integer,
 * options jsonb, partner text, traceparent text): the quote's id.
 */
PGDLLEXPORT Datum
mesflow_request_quote(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));
	MfQuote		quote;
	Datum		nothing;

	memset(&quote, 0, sizeof(quote));
	quote.asked_at = GetCurrentTimestamp();
	if (RecoveryInProgress())
		(void) mf_plan_call("_refuse_on_standby", 0, NULL, &nothing);
	for (int i = 0; i < MF_ASKED_COLUMNS; i++)
		quote.asked[i] = fcinfo->args[i];
	mf_spi_connect();
	*id = *DatumGetUUIDP(make_quote(&quote));
	close_rows(&quote.request);
	SPI_finish();
	PG_RETURN_UUID_P(id);
}
