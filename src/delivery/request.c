/*
 * request.c
 *		What is sent: Standard Webhooks, or CloudEvents.
 *
 * Every request has traceparent (W3C Trace Context, section 3.2), with a span
 * of its own; mesflow-attempt; mesflow-key and, where the key counts its
 * events, mesflow-seq, so that a receiver sees a gap.  CloudEvents 1.0 by its
 * HTTP binding, 3.1 (binary) and 3.2 (structured), with the extension of
 * distributed tracing.
 *
 * The body is what the outbox has, byte for byte, unless the endpoint wants
 * it expanded or by a template: then SQL makes it.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "guc.h"
#include "outbox/outbox.h"
#include "plan.h"
#include "senders.h"
#include "trace.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define JSON_TYPE			"application/json"
#define CLOUDEVENTS_TYPE	"application/cloudevents+json; charset=utf-8"

#define UUID_TEXT			(2 * UUID_LEN + 4 + 1)
#define HEX_TEXT			(2 * UUID_LEN + 1)

/* What is put together, used again for each request. */
static StringInfoData headers;
static StringInfoData content;
static StringInfoData source;

/* ---- texts ------------------------------------------------------------------ */

static void
write_hex(char *to, const uint8 *bytes, int count)
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < count; i++)
	{
		*to++ = digits[bytes[i] >> 4];
		*to++ = digits[bytes[i] & 15];
	}
	*to = '\0';
}

static void
write_uuid(char *to, const pg_uuid_t *id)
{
	static const int parts[] = {4, 2, 2, 2, 6};
	const uint8 *from = id->data;

	for (int i = 0; i < (int) lengthof(parts); i++)
	{
		write_hex(to, from, parts[i]);
		from += parts[i];
		to += 2 * parts[i];
		*to++ = '-';
	}
	to[-1] = '\0';
}

static bool
is_unreserved(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		(c >= '0' && c <= '9') || (c != '\0' && strchr("-._~", c) != NULL);
}

/* What stands in a header as it is: CloudEvents' HTTP binding, 3.1.3.2. */
static bool
is_header_text(unsigned char c)
{
	return c > 0x20 && c < 0x7f && c != '"' && c != '%';
}

static void
append_encoded(StringInfo to, const char *text, bool (*plain) (unsigned char))
{
	for (; *text !='\0'; text ++)
	{
		unsigned char c = (unsigned char) *text;

		if (plain(c))
			appendStringInfoChar(to, *text);
		else
			appendStringInfo(to, "%%%02X", c);
	}
}

static void
append_header(const char *name, const char *value)
{
	appendStringInfo(&headers, "%s: ", name);
	append_encoded(&headers, value, is_header_text);
	appendStringInfoChar(&headers, '\n');
}

/* ---- traces ----------------------------------------------------------------- */

static void
write_traceparent(char *to, MfDelivery *delivery)
{
	const MfEventCopy *event = delivery->event;
	pg_uuid_t	trace = event->has_correlation ? event->correlation_id : event->event;
	char		trace_text[HEX_TEXT];
	char		span_text[HEX_TEXT];

	(void) mf_trace_id(event->traceparent, &trace);
	write_hex(trace_text, trace.data, UUID_LEN);
	write_hex(span_text, delivery->span, sizeof(delivery->span));
	sprintf(to, "00-%s-%s-01", trace_text, span_text);
}

/* Random, and not zero, which no span may be. */
static void
make_span(MfDelivery *delivery)
{
	uint64		span = 0;

	while (span == 0)
		span = pg_prng_uint64(&pg_global_prng_state);
	memcpy(delivery->span, &span, sizeof(delivery->span));
}

/* ---- bodies ------------------------------------------------------------------ */

/* The bodies that SQL makes, of some deliveries. */
typedef struct MfMaking
{
	MfDelivery **deliveries;
	int			count;
	MfBytes    *bodies;			/* of each; NULL: none yet */
	MemoryContext context;		/* of theirs */
} MfMaking;

static MfPlan body_plan = {
	.sql = "SELECT mesflow._request_body($1, $2, $3)",
	.arguments = 3,
	.types = {TEXTOID, TEXTOID, UUIDOID}
};

static void
make_body(const MfDelivery *delivery, MfBytes *body, MemoryContext context)
{
	MfEventCopy *event = delivery->event;
	Datum		values[3];
	char		nulls[] = "   ";
	Datum		made;
	MemoryContext caller;
	char	   *copy;

	values[0] = CStringGetTextDatum(delivery->endpoint->name);
	values[1] = PointerGetDatum(cstring_to_text_with_len(event->body, event->body_length));
	values[2] = UUIDPGetDatum(&event->order_id);
	if (!event->has_order)
		nulls[2] = 'n';
	if (mf_plan_run(&body_plan, values, nulls) != 1 || !mf_plan_find(0, 1, &made))
		elog(ERROR, "there is no body for endpoint \"%s\"", delivery->endpoint->name);

	caller = MemoryContextSwitchTo(context);
	copy = TextDatumGetCString(made);
	MemoryContextSwitchTo(caller);
	body->data = copy;
	body->length = strlen(copy);
	SPI_freetuptable(SPI_tuptable);
}

static void
make_bodies(void *arg)
{
	MfMaking   *making = arg;

	for (int i = 0; i < making->count; i++)
		if (making->deliveries[i]->endpoint->config->needs_sql)
			make_body(making->deliveries[i], &making->bodies[i], making->context);
}

/*
 * All of them in one transaction; where that fails, each in its own, so that
 * one that cannot be made does not keep others.  False: not now.
 */
static bool
make_all(MfDelivery **deliveries, int count, MfBytes *bodies, MemoryContext context)
{
	MfMaking	all = {deliveries, count, bodies, context};
	MfTry		outcome = mf_worker_try("request bodies", make_bodies, &all);

	for (int i = 0; i < count && outcome == MF_TRY_FAILED; i++)
	{
		MfMaking	one = {deliveries + i, 1, bodies + i, context};

		if (!deliveries[i]->endpoint->config->needs_sql)
			continue;
		if (count == 1)
			mf_verdict_refuse(deliveries[i], mf_worker_failure()->message);
		else
			switch (mf_worker_try("request body", make_bodies, &one))
			{
				case MF_TRY_DONE:
					break;
				case MF_TRY_LATER:
					return false;
				case MF_TRY_FAILED:
					mf_verdict_refuse(deliveries[i], mf_worker_failure()->message);
			}
	}
	return outcome != MF_TRY_LATER;
}

/*
 * The value of "data" in a body of ours, which is cut out as it stands:
 * {"type":"...","timestamp":"...","data":VALUE}.  Anything else is data as a
 * whole.
 */
static MfBytes
find_data(MfBytes body)
{
	static const char *const parts[] = {"{\"type\":\"", "\",\"timestamp\":\"", "\",\"data\":"};
	const char *at = body.data;
	const char *end = body.data + body.length;

	for (int i = 0; i < (int) lengthof(parts); i++)
	{
		size_t		length = strlen(parts[i]);

		/* After a name comes a string, which has no quotes in it. */
		while (i > 0 && at < end && *at != '"')
			at++;
		if ((size_t) (end - at) < length || memcmp(at, parts[i], length) != 0)
			return body;
		at += length;
	}
	if (at + 1 >= end || end[-1] != '}')
		return body;
	return (MfBytes)
	{
		at, end - 1 - at
	};
}

/* ---- requests ---------------------------------------------------------------- */

static void
set_content(MfRequest *request, const char *type, const char *data, size_t length)
{
	request->content_type = (MfBytes)
	{
		type, strlen(type)
	};
	request->body = (MfBytes)
	{
		data, length
	};
}

/* Who says it: the database, whoever the event is about. */
static const char *
event_source(void)
{
	resetStringInfo(&source);
	appendStringInfoString(&source, "/mesflow/");
	append_encoded(&source, mf_guc_database, is_unreserved);
	return source.data;
}

static void
build_structured(MfRequest *request, const MfEventCopy *event,
				 const char *traceparent, MfBytes body)
{
	MfBytes		data = find_data(body);

	resetStringInfo(&content);
	mf_body_open(&content, NULL, '{');
	mf_body_text(&content, "specversion", "1.0");
	mf_body_uuid(&content, "id", &event->event);
	mf_body_text(&content, "source", event_source());
	mf_body_text(&content, "type", event->type);
	mf_body_text(&content, "subject", event->key);
	mf_body_time(&content, "time", &event->at);
	mf_body_text(&content, "datacontenttype", JSON_TYPE);
	mf_body_text(&content, "traceparent", traceparent);
	mf_body_name(&content, "data");
	appendBinaryStringInfo(&content, data.data, (int) data.length);
	mf_body_close(&content, '}');
	set_content(request, CLOUDEVENTS_TYPE, content.data, content.len);
}

static void
build_binary(MfRequest *request, const MfEventCopy *event, const char *id,
			 const char *traceparent, MfBytes body)
{
	MfBytes		data = find_data(body);

	/* A time is written as in a body, between quotes. */
	resetStringInfo(&content);
	mf_body_time(&content, "", &event->at);
	content.data[content.len - 1] = '\0';

	append_header("ce-specversion", "1.0");
	append_header("ce-id", id);
	append_header("ce-source", event_source());
	append_header("ce-type", event->type);
	append_header("ce-subject", event->key);
	append_header("ce-time", content.data + strlen("\"\":\""));
	append_header("ce-traceparent", traceparent);
	set_content(request, JSON_TYPE, data.data, data.length);
}

static void
build(MfRequest *request, MfDelivery *delivery, char *id, MfBytes body)
{
	const MfEventCopy *event = delivery->event;
	char		traceparent[2 * HEX_TEXT];
	char		number[24];

	memset(request, 0, sizeof(*request));
	write_uuid(id, &event->event);
	request->id = (MfBytes)
	{
		id, strlen(id)
	};
	write_traceparent(traceparent, delivery);

	resetStringInfo(&headers);
	append_header("traceparent", traceparent);
	append_header("mesflow-key", event->key);
	if (event->key_seq > 0)
	{
		snprintf(number, sizeof(number), INT64_FORMAT, event->key_seq);
		append_header("mesflow-seq", number);
	}
	snprintf(number, sizeof(number), "%d", delivery->attempts + 1);
	append_header("mesflow-attempt", number);

	switch (delivery->endpoint->config->format)
	{
		case MF_FORMAT_STANDARD:
			set_content(request, JSON_TYPE, body.data, body.length);
			break;
		case MF_FORMAT_CLOUDEVENTS:
			build_structured(request, event, traceparent, body);
			break;
		case MF_FORMAT_CLOUDEVENTS_BINARY:
			build_binary(request, event, id, traceparent, body);
			break;
	}
	request->headers = (MfBytes)
	{
		headers.data, headers.len
	};
}

static void
init(void)
{
	MemoryContext caller;

	if (headers.data != NULL)
		return;
	caller = MemoryContextSwitchTo(mf_delivery_context);
	initStringInfo(&headers);
	initStringInfo(&content);
	initStringInfo(&source);
	MemoryContextSwitchTo(caller);
}

/* A large body leaves no large buffer behind. */
static void
shrink(void)
{
	MemoryContext caller;

	if (content.maxlen <= MF_SENDING_PACKET)
		return;
	pfree(content.data);
	caller = MemoryContextSwitchTo(mf_delivery_context);
	initStringInfo(&content);
	MemoryContextSwitchTo(caller);
}

/*
 * Builds and sends deliveries, each of which has its event and was counted by
 * mf_pace_started.  What cannot be sent now goes back in line: false.
 */
bool
mf_request_send(MfSender *sender, MfDelivery **deliveries, int count)
{
	MemoryContext made = AllocSetContextCreate(CurrentMemoryContext,
											   "mesflow requests",
											   ALLOCSET_DEFAULT_SIZES);
	static const MfOutcome no_target = {
		.kind = MF_OUTCOME_CONFIG,
		.retry_after_s = -1,
		.error = "the settings cannot be used"
	};
	MfBytes    *bodies;
	bool		needs_sql = false;
	bool		later = false;
	int			sent = 0;

	init();
	bodies = MemoryContextAllocZero(made, Max(count, 1) * sizeof(MfBytes));
	for (int i = 0; i < count; i++)
	{
		make_span(deliveries[i]);
		needs_sql |= deliveries[i]->endpoint->config->needs_sql;
	}
	if (needs_sql)
		later = !make_all(deliveries, count, bodies, made);

	for (; sent < count && !later; sent++)
	{
		MfDelivery *delivery = deliveries[sent];
		MfRequest	request;
		char		id[UUID_TEXT];

		if (delivery->state == MF_DELIVERY_ENDED)
			continue;
		if (!delivery->endpoint->config->needs_sql)
			bodies[sent] = (MfBytes)
		{
			delivery->event->body, delivery->event->body_length
		};
		build(&request, delivery, id, bodies[sent]);
		switch (mf_post_send(sender, delivery, &request))
		{
			case MF_POSTED:
				break;
			case MF_POSTED_LATER:
				later = true;
				sent--;
				break;
			case MF_POSTED_NO_TARGET:
				delivery->sent_at = GetCurrentTimestamp();
				mf_verdict_give(delivery, &no_target);
				break;
			case MF_POSTED_NO_REQUEST:
				mf_verdict_refuse(delivery, "the request is larger than what can be sent");
		}
		shrink();
	}

	/* Backwards, so that they stand in front again in their order. */
	for (int i = count - 1; i >= sent; i--)
		if (deliveries[i]->state != MF_DELIVERY_ENDED)
			mf_schedule_return(deliveries[i]);
	MemoryContextDelete(made);
	return !later;
}
