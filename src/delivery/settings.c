/*
 * settings.c
 *		A row of the view _endpoint_settings, with the cursor that belongs to it.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "outbox/outbox.h"
#include "plan.h"
#include "stream.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* In the order of SETTINGS_SQL. */
enum
{
	COL_NUMBER = 1,
	COL_NAME,
	COL_STATE,
	COL_EVENT_TYPES,
	COL_PARTNER,
	COL_FILTER,
	COL_URL,
	COL_HEADERS,
	COL_USER_PASSWORD,
	COL_BEARER,
	COL_CA,
	COL_CLIENT_CERT,
	COL_CLIENT_KEY,
	COL_ALLOW_PRIVATE,
	COL_SYSTEM,
	COL_RECEIPTS,
	COL_ORDERING,
	COL_FORMAT,
	COL_NEEDS_SQL,
	COL_TIMEOUT_MS,
	COL_MAX_IN_FLIGHT,
	COL_RATE_PER_SECOND,
	COL_REDIRECTS,
	COL_SCHEDULE_MS,
	COL_SECRETS,
	COL_SECRET_EXPIRES,
	COL_BREAKER,
	COL_BREAKER_UNTIL,
	COL_OPENED,
	COL_FAILING_SINCE,
	COL_FAILURES,
	COL_LAST_STATUS,
	COL_LAST_ERROR,
	COL_LAST_ERROR_AT,
	COL_HOLD_UNTIL,
	COL_SEEN,
	COL_FLOOR_ID,
	COL_FLOOR_XID,
	COL_UPTO,
	COL_UPTO_ID,
	COL_UPTO_XID,
	COL_LAST_ID,
	COL_DONE,
	COL_ORIGIN
};

#define SETTINGS_SQL \
	"SELECT s.number, s.name, s.state, s.event_types, s.partner, s.filter, s.url, s.headers," \
	" s.user_password, s.bearer, s.ca, s.client_cert, s.client_key, s.allow_private, s.system," \
	" s.receipts, s.ordering, s.format, s.needs_sql, s.timeout_ms, s.max_in_flight," \
	" s.rate_per_second, s.redirects, s.schedule_ms, s.secrets, s.secret_expires, s.breaker," \
	" s.breaker_until, s.opened, s.failing_since, s.failures, s.last_status, s.last_error," \
	" s.last_error_at, s.hold_until, c.seen, c.floor_id, c.floor_xid, c.upto, c.upto_id, c.upto_xid, c.last_id," \
	" c.done, c.origin" \
	" FROM mesflow._endpoint_settings s JOIN mesflow._cursors c ON c.name OPERATOR(pg_catalog.=) s.reader"

static MfPlan one_plan = {
	.sql = SETTINGS_SQL " WHERE s.name OPERATOR(pg_catalog.=) $1",
	.by_index = true,
	.writes = true,
	.arguments = 1,
	.types = {TEXTOID}
};
static MfPlan all_plan = {
	.sql = SETTINGS_SQL " ORDER BY s.number",
	.writes = true
};

/* ---- columns of the row at hand -------------------------------------------- */

static int64
int64_of(uint64 row, int column)
{
	Datum		value;

	return mf_plan_find(row, column, &value) ? DatumGetInt64(value) : 0;
}

static int
int_of(uint64 row, int column)
{
	Datum		value;

	return mf_plan_find(row, column, &value) ? DatumGetInt32(value) : 0;
}

static bool
bool_of(uint64 row, int column)
{
	Datum		value;

	return mf_plan_find(row, column, &value) && DatumGetBool(value);
}

static double
double_of(uint64 row, int column)
{
	Datum		value;

	return mf_plan_find(row, column, &value) ? DatumGetFloat8(value) : 0;
}

/* Empty for NULL. */
static const char *
text_of(uint64 row, int column)
{
	char	   *text = mf_plan_text(row, column);

	return text == NULL ? "" : text;
}

static MfSnapshot *
snapshot_of(uint64 row, int column)
{
	Datum		value;

	return mf_plan_find(row, column, &value) ? (MfSnapshot *) PG_DETOAST_DATUM_COPY(value) : NULL;
}

/* The place of a name among these. */
static int
choice_of(uint64 row, int column, const char *const *names, int count)
{
	const char *name = text_of(row, column);

	for (int i = 0; i < count; i++)
		if (strcmp(name, names[i]) == 0)
			return i;
	elog(ERROR, "unexpected \"%s\" in the settings of an endpoint", name);
}

static void
take_schedule(MfEndpointConfig *config, uint64 row)
{
	Datum		value;
	Datum	   *pauses;
	int			count = 0;

	if (mf_plan_find(row, COL_SCHEDULE_MS, &value))
	{
		deconstruct_array(DatumGetArrayTypeP(value), INT4OID, sizeof(int32), true,
						  TYPALIGN_INT, &pauses, NULL, &count);
		count = Min(count, MF_SCHEDULE_MAX);
		for (int i = 0; i < count; i++)
			config->schedule_ms[i] = DatumGetInt32(pauses[i]);
	}
	config->schedule_count = Max(count, 1);
}

static void
take_secrets(MfEndpointConfig *config, uint64 row)
{
	Datum		value;
	Datum	   *secrets;
	int			count;

	if (!mf_plan_find(row, COL_SECRETS, &value))
		return;
	deconstruct_array(DatumGetArrayTypeP(value), BYTEAOID, -1, false, TYPALIGN_INT,
					  &secrets, NULL, &count);
	for (int i = 0; i < Min(count, MF_SENDER_SECRETS); i++)
	{
		bytea	   *secret = DatumGetByteaPCopy(secrets[i]);

		config->secrets[i].data = VARDATA(secret);
		config->secrets[i].length = VARSIZE(secret) - VARHDRSZ;
		config->secret_count++;
	}
}

static MfEndpointConfig *
make_config(uint64 row)
{
	static const char *const orderings[] = {"order", "none", "strict"};
	static const char *const formats[] = {"standard", "cloudevents", "cloudevents-binary"};
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "mesflow endpoint",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	MfEndpointConfig *config = palloc0(sizeof(MfEndpointConfig));

	config->context = context;
	config->url = text_of(row, COL_URL);
	config->headers = text_of(row, COL_HEADERS);
	config->user_password = text_of(row, COL_USER_PASSWORD);
	config->bearer = text_of(row, COL_BEARER);
	config->ca = text_of(row, COL_CA);
	config->client_cert = text_of(row, COL_CLIENT_CERT);
	config->client_key = text_of(row, COL_CLIENT_KEY);
	config->allow_private = text_of(row, COL_ALLOW_PRIVATE);
	config->system = mf_plan_text(row, COL_SYSTEM);
	config->receipts = bool_of(row, COL_RECEIPTS);
	config->ordering = choice_of(row, COL_ORDERING, orderings, lengthof(orderings));
	config->format = choice_of(row, COL_FORMAT, formats, lengthof(formats));
	config->needs_sql = bool_of(row, COL_NEEDS_SQL);
	config->timeout_ms = int_of(row, COL_TIMEOUT_MS);
	config->max_in_flight = int_of(row, COL_MAX_IN_FLIGHT);
	config->rate_per_second = double_of(row, COL_RATE_PER_SECOND);
	config->redirects = int_of(row, COL_REDIRECTS);
	config->secret_expires = int64_of(row, COL_SECRET_EXPIRES);
	take_schedule(config, row);
	take_secrets(config, row);
	MemoryContextSwitchTo(caller);
	return config;
}

static void
take_trouble(MfTrouble *trouble, uint64 row)
{
	static const char *const breakers[] = {"closed", "open", "probing"};

	memset(trouble, 0, sizeof(*trouble));
	trouble->breaker = choice_of(row, COL_BREAKER, breakers, lengthof(breakers));
	trouble->breaker_until = int64_of(row, COL_BREAKER_UNTIL);
	trouble->opened = int_of(row, COL_OPENED);
	trouble->failing_since = int64_of(row, COL_FAILING_SINCE);
	trouble->failures = int_of(row, COL_FAILURES);
	trouble->last_status = int_of(row, COL_LAST_STATUS);
	strlcpy(trouble->last_error, text_of(row, COL_LAST_ERROR), sizeof(trouble->last_error));
	trouble->last_error_at = int64_of(row, COL_LAST_ERROR_AT);
	trouble->hold_until = int64_of(row, COL_HOLD_UNTIL);
}

void
mf_settings_read(const char *name, void (*found) (const MfSettingsRow *row))
{
	static const char *const states[] = {"active", "paused", "disabled"};
	Datum		argument = name == NULL ? (Datum) 0 : CStringGetTextDatum(name);
	uint64		rows = mf_plan_run(name == NULL ? &all_plan : &one_plan, &argument, NULL);
	MfSettingsRow *all = palloc0((rows + 1) * sizeof(MfSettingsRow));

	/* Whoever is called may run statements of its own. */
	for (uint64 row = 0; row < rows; row++)
	{
		MfSettingsRow *settings = &all[row];
		Datum		value;

		settings->number = int_of(row, COL_NUMBER);
		settings->name = mf_plan_text(row, COL_NAME);
		settings->state = choice_of(row, COL_STATE, states, lengthof(states));
		settings->config = make_config(row);
		take_trouble(&settings->trouble, row);
		(void) mf_plan_find(row, COL_EVENT_TYPES, &value);
		settings->event_types = PointerGetDatum(DatumGetArrayTypePCopy(value));
		settings->partner = mf_plan_text(row, COL_PARTNER);
		if (mf_plan_find(row, COL_FILTER, &value))
			settings->filter = PointerGetDatum(DatumGetJsonPathPCopy(value));
		settings->seen.snapshot = snapshot_of(row, COL_SEEN);
		settings->seen.id = int64_of(row, COL_FLOOR_ID);
		settings->seen.xid = (uint64) int64_of(row, COL_FLOOR_XID);
		settings->upto.snapshot = snapshot_of(row, COL_UPTO);
		settings->upto.id = int64_of(row, COL_UPTO_ID);
		settings->upto.xid = (uint64) int64_of(row, COL_UPTO_XID);
		settings->last_id = int64_of(row, COL_LAST_ID);
		if (mf_plan_find(row, COL_DONE, &value))
			settings->done = PointerGetDatum(DatumGetArrayTypePCopy(value));
		settings->foreign = int_of(row, COL_ORIGIN) != mf_outbox_origin();
	}
	for (uint64 row = 0; row < rows; row++)
		found(&all[row]);
}
