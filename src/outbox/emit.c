/*
 * emit.c
 *		Events that SQL writes: a company's own, and those of models.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "check.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "mesflow.h"
#include "miscadmin.h"
#include "outbox.h"
#include "plan.h"
#include "tables.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/uuid.h"

#define MAX_TYPE	100
#define MAX_KEY		200
#define MAX_DATA	(1024 * 1024)

PG_FUNCTION_INFO_V1(mesflow_emit);
PG_FUNCTION_INFO_V1(mesflow_event);

/* What only mesflow tells: API, "Events and endpoints". */
static const char *const own_prefixes[] = {
	"order.", "quote.", "model.", "work.", "alarm.", "endpoint."
};

static MfPlan partner_plan = {
	.sql = "SELECT 1 FROM mesflow.partners p WHERE p.code OPERATOR(pg_catalog.=) $1",
	.by_index = true,
	.arguments = 1,
	.types = {TEXTOID}
};

/* src/order/ knows what an order is; it counts the event where it is asked to. */
static MfPlan order_plan = {
	.sql = "SELECT e.partner, e.correlation_id, e.seq FROM mesflow._order_of_event($1, $2) e",
	.by_index = true,
	.writes = true,
	.arguments = 2,
	.types = {UUIDOID, BOOLOID}
};

/* a-z, 0-9, _ and -, in parts joined by dots. */
static bool
is_type(const char *type)
{
	bool		in_part = false;

	if (strlen(type) > MAX_TYPE)
		return false;
	for (const char *at = type; *at != '\0'; at++)
	{
		if (*at == '.' && !in_part)
			return false;
		if (*at != '.' && !(*at >= 'a' && *at <= 'z') &&
			!(*at >= '0' && *at <= '9') && *at != '_' && *at != '-')
			return false;
		in_part = *at != '.';
	}
	return in_part;
}

static void
check_type(const char *type)
{
	if (type == NULL || !is_type(type))
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("event type not allowed"),
				 type == NULL ? errdetail("The type is NULL.") :
				 errdetail("The type is \"%s\".", pnstrdup(type, pg_mbcliplen(type, strlen(type), MAX_TYPE))),
				 errhint("Use 1 to %d characters of a-z, 0-9, _ and -, in parts joined by dots, for example crm.note.", MAX_TYPE)));
	for (int i = 0; i < (int) lengthof(own_prefixes); i++)
		if (strncmp(type, own_prefixes[i], strlen(own_prefixes[i])) == 0)
			ereport(ERROR,
					(errcode(MF_ERRCODE_BAD_ARGUMENT),
					 errmsg("event type is reserved"),
					 errdetail("The type is \"%s\"; the prefix \"%s\" is mesflow's.", type, own_prefixes[i]),
					 errhint("Use a prefix of your own, for example crm.")));
}

static void
check_key(const char *key)
{
	if (key == NULL || key[0] == '\0' ||
		pg_mbstrlen(key) > MAX_KEY)
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("event key not allowed"),
				 key == NULL ? errdetail("The key is NULL.") :
				 errdetail("The key has %d characters.", pg_mbstrlen(key)),
				 errhint("Use 1 to %d characters: what the event is about.", MAX_KEY)));
}

static void
check_partner(const char *partner)
{
	Datum		value = CStringGetTextDatum(partner);

	if (mf_plan_run(&partner_plan, &value, NULL) == 0)
		ereport(ERROR,
				(errcode(MF_ERRCODE_NOT_FOUND),
				 errmsg("no such partner"),
				 errdetail("There is no partner \"%s\".", partner),
				 errhint("Known partners are in mesflow.partners.")));
}

static Datum
write_with(MfEvent *event, const StringInfoData *body)
{
	pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));

	mf_outbox_write(event, body);
	*id = event->event;
	return UUIDPGetDatum(id);
}

/*
 * emit(type text, key text, data jsonb, partner text, order_id uuid): the id
 * of the event.
 */
PGDLLEXPORT Datum
mesflow_emit(PG_FUNCTION_ARGS)
{
	char	   *type = mf_argument_text(fcinfo, 0);
	char	   *key = mf_argument_text(fcinfo, 1);
	char	   *partner = mf_argument_text(fcinfo, 3);
	MemoryContext caller = CurrentMemoryContext;
	MfEvent		event;
	StringInfoData body;
	char	   *data;
	pg_uuid_t	correlation;

	mf_check_primary();
	PreventCommandIfReadOnly("mesflow.emit()");
	check_type(type);
	check_key(key);
	data = PG_ARGISNULL(2) ? "null" :
		JsonbToCString(NULL, &PG_GETARG_JSONB_P(2)->root, VARSIZE(PG_GETARG_JSONB_P(2)));
	if (strlen(data) > MAX_DATA)
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("event data too long"),
				 errdetail("The data has %zu bytes as text; the limit is %d.", strlen(data), MAX_DATA),
				 errhint("Send a reference to it instead.")));

	mf_spi_connect();
	if (partner != NULL)
		check_partner(partner);
	mf_event_start(&event, type, key);
	if (!PG_ARGISNULL(4))
	{
		Datum		values[2];
		bool		is_null;
		Datum		value;
		char	   *id;

		event.order_id = PG_GETARG_UUID_P(4);
		id = DatumGetCString(DirectFunctionCall1(uuid_out, PG_GETARG_DATUM(4)));
		values[0] = PG_GETARG_DATUM(4);
		values[1] = BoolGetDatum(strcmp(id, key) == 0);
		(void) mf_plan_run(&order_plan, values, NULL);
		if (partner != NULL && strcmp(partner, mf_plan_text(0, 1)) != 0)
			ereport(ERROR,
					(errcode(MF_ERRCODE_NOT_FOUND),
					 errmsg("no such order"),
					 errdetail("Partner \"%s\" has no order %s.", partner, id),
					 errhint("Leave the partner out: it is the order's.")));
		partner = MemoryContextStrdup(caller, mf_plan_text(0, 1));
		is_null = !mf_plan_find(0, 2, &value);
		correlation = *DatumGetUUIDP(value);
		event.correlation_id = &correlation;
		is_null = !mf_plan_find(0, 3, &value);
		if (!is_null)
			event.key_seq = DatumGetInt64(value);
	}
	SPI_finish();
	event.partner = partner;
	event.actor = GetUserNameFromId(GetOuterUserId(), false);

	initStringInfo(&body);
	mf_body_open(&body, NULL, '{');
	mf_body_text(&body, "type", event.type);
	mf_body_time(&body, "timestamp", &event.at);
	mf_body_json(&body, "data", data);
	mf_body_close(&body, '}');
	return write_with(&event, &body);
}

/* The members of a jsonb object, after those that the body has already. */
static void
append_members(StringInfo body, Jsonb *members)
{
	char	   *text = JsonbToCString(NULL, &members->root, VARSIZE(members));
	size_t		length = strlen(text);

	Assert(JB_ROOT_IS_OBJECT(members));
	if (JB_ROOT_COUNT(members) == 0)
		return;
	appendStringInfoChar(body, ',');
	appendBinaryStringInfo(body, text +1, length - 2);
}

/*
 * _event(type text, key text, partner text, correlation_id uuid, traceparent
 * text, members jsonb): the id of the event.
 */
PGDLLEXPORT Datum
mesflow_event(PG_FUNCTION_ARGS)
{
	MfEvent		event;
	StringInfoData body;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(5))
		elog(ERROR, "an event has a type, a key and members");
	mf_event_start(&event, mf_argument_text(fcinfo, 0), mf_argument_text(fcinfo, 1));
	event.partner = mf_argument_text(fcinfo, 2);
	if (!PG_ARGISNULL(3))
		event.correlation_id = PG_GETARG_UUID_P(3);
	event.traceparent = mf_argument_text(fcinfo, 4);
	mf_body_start(&body, &event);
	append_members(&body, PG_GETARG_JSONB_P(5));
	mf_body_end(&body);
	return write_with(&event, &body);
}
