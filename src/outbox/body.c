/*
 * body.c
 *		The bodies of events: JSON (RFC 8259), built as text.
 *
 * A body is the very bytes that are signed and sent, so it is written once
 * and never parsed again.  Money is a string of decimals, time is UTC with
 * milliseconds (RFC 3339); within a schema number members are only added.
 */
#include "postgres.h"

#include "fmgr.h"
#include "outbox.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#define MF_BODY_SCHEMA	1

/* A comma, unless the member is the first of its object or array. */
static void
separate(StringInfo body)
{
	if (body->len > 0 && strchr("{[:,", body->data[body->len - 1]) == NULL)
		appendStringInfoChar(body, ',');
}

/* "name": with the comma before it; names need no escaping. */
void
mf_body_name(StringInfo body, const char *name)
{
	separate(body);
	appendStringInfoChar(body, '"');
	appendStringInfoString(body, name);
	appendStringInfoString(body, "\":");
}

static void
append_null(StringInfo body)
{
	appendBinaryStringInfo(body, "null", 4);
}

void
mf_body_text(StringInfo body, const char *name, const char *value)
{
	mf_body_name(body, name);
	if (value == NULL)
		append_null(body);
	else
		escape_json(body, value);
}

/* 8-4-4-4-12 hexadecimal digits (RFC 9562, section 4), in quotes. */
static void
append_uuid(StringInfo body, const pg_uuid_t *value)
{
	static const char digits[] = "0123456789abcdef";
	char text[	2 * UUID_LEN + 4 + 2];
	char	   *at = text;

	*at++ = '"';
	for (int i = 0; i < UUID_LEN; i++)
	{
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*at++ = '-';
		*at++ = digits[value->data[i] >> 4];
		*at++ = digits[value->data[i] & 15];
	}
	*at++ = '"';
	appendBinaryStringInfo(body, text, at - text);
}

void
mf_body_uuid(StringInfo body, const char *name, const pg_uuid_t *value)
{
	mf_body_name(body, name);
	if (value == NULL)
		append_null(body);
	else
		append_uuid(body, value);
}

void
mf_body_int(StringInfo body, const char *name, int64 value)
{
	char		digits[MAXINT8LEN + 1];

	mf_body_name(body, name);
	pg_lltoa(value, digits);
	appendStringInfoString(body, digits);
}

void
mf_body_money(StringInfo body, const char *name, Numeric value)
{
	mf_body_name(body, name);
	if (value == NULL)
		append_null(body);
	else
	{
		appendStringInfoChar(body, '"');
		appendStringInfoString(body,
							   DatumGetCString(DirectFunctionCall1(numeric_out,
																   NumericGetDatum(value))));
		appendStringInfoChar(body, '"');
	}
}

static void
append_time(StringInfo body, TimestampTz value)
{
	struct pg_tm tm;
	fsec_t		microseconds;

	/* What JSON has no notation for; none of our clocks shows it. */
	if (TIMESTAMP_NOT_FINITE(value) ||
		timestamp2tm(value, NULL, &tm, &microseconds, NULL, NULL) != 0 ||
		tm.tm_year < 0 || tm.tm_year > 9999)
	{
		append_null(body);
		return;
	}
	appendStringInfo(body, "\"%04d-%02d-%02dT%02d:%02d:%02d.%03dZ\"",
					 tm.tm_year, tm.tm_mon, tm.tm_mday, tm.tm_hour, tm.tm_min,
					 tm.tm_sec, (int) (microseconds / 1000));
}

void
mf_body_time(StringInfo body, const char *name, const TimestampTz *value)
{
	mf_body_name(body, name);
	if (value == NULL)
		append_null(body);
	else
		append_time(body, *value);
}

/* What is JSON already. */
void
mf_body_json(StringInfo body, const char *name, const char *json)
{
	mf_body_name(body, name);
	if (json == NULL)
		append_null(body);
	else
		appendStringInfoString(body, json);
}

/* Begins a member that is an object or array; without a name, an element. */
void
mf_body_open(StringInfo body, const char *name, char bracket)
{
	if (name != NULL)
		mf_body_name(body, name);
	else
		separate(body);
	appendStringInfoChar(body, bracket);
}

void
mf_body_close(StringInfo body, char bracket)
{
	appendStringInfoChar(body, bracket);
}

void
mf_body_start(StringInfo body, const MfEvent *event)
{
	initStringInfo(body);
	enlargeStringInfo(body, 1024);
	mf_body_open(body, NULL, '{');
	mf_body_text(body, "type", event->type);
	mf_body_time(body, "timestamp", &event->at);
	mf_body_open(body, "data", '{');
	mf_body_int(body, "schema", MF_BODY_SCHEMA);
	if (event->key_seq > 0)
		mf_body_int(body, "seq", event->key_seq);
	mf_body_uuid(body, "correlation_id", event->correlation_id);
}

void
mf_body_end(StringInfo body)
{
	mf_body_close(body, '}');
	mf_body_close(body, '}');
}
