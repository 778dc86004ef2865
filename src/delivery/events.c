/*
 * events.c
 *		Events in memory, and the deliveries of them.
 *
 * An event that many endpoints get is there once, with a reference from each
 * delivery.  Everything is one piece of memory, given back with the last
 * reference.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "plan.h"
#include "stream.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* In the order of the columns of _events_by_id. */
enum
{
	EVENT_ID,
	EVENT_EVENT,
	EVENT_TYPE,
	EVENT_KEY,
	EVENT_KEY_SEQ,
	EVENT_ORDER_ID,
	EVENT_PARTNER,
	EVENT_AT,
	EVENT_CORRELATION_ID,
	EVENT_TRACEPARENT,
	EVENT_BODY,
	EVENT_COLUMNS
};

static const char *const column_names[EVENT_COLUMNS] = {
	"id", "event", "type", "key", "key_seq", "order_id", "partner", "at",
	"correlation_id", "traceparent", "body"
};

static MfPlan events_plan = {
	.sql = "SELECT e.id, e.event, e.type, e.key, e.key_seq, e.order_id, e.partner, e.at,"
	" e.correlation_id, e.traceparent, e.body FROM mesflow._events_by_id($1) e",
	.writes = true,
	.arguments = 1,
	.types = {INT8ARRAYOID}
};

static int
text_size(Datum value, bool is_null)
{
	return is_null ? 0 : (int) VARSIZE_ANY_EXHDR(DatumGetPointer(value)) + 1;
}

/* Copies a text to *at, terminated, and moves *at behind it. */
static const char *
put_text(char **at, Datum value, bool is_null)
{
	char	   *start = *at;
	int			length;

	if (is_null)
		return NULL;
	length = (int) VARSIZE_ANY_EXHDR(DatumGetPointer(value));
	memcpy(start, VARDATA_ANY(DatumGetPointer(value)), length);
	start[length] = '\0';
	*at = start + length + 1;
	return start;
}

/*
 * Of the values of one row.  Many are read in a transaction, so what texts
 * that are toasted unfold to is given back at once.
 */
static MfEventCopy *
make_event(Datum *values, const bool *nulls)
{
	static const int texts[] = {EVENT_TYPE, EVENT_KEY, EVENT_PARTNER, EVENT_TRACEPARENT, EVENT_BODY};
	Datum		stored[lengthof(texts)];
	Size		size = sizeof(MfEventCopy);
	MfEventCopy *event;
	char	   *at;

	for (int i = 0; i < (int) lengthof(texts); i++)
	{
		Datum	   *value = &values[texts[i]];

		stored[i] = *value;
		if (!nulls[texts[i]])
			*value = PointerGetDatum(PG_DETOAST_DATUM_PACKED(*value));
		size += text_size(*value, nulls[texts[i]]);
	}
	event = MemoryContextAllocExtended(mf_delivery_context, size, MCXT_ALLOC_HUGE);
	memset(event, 0, sizeof(MfEventCopy));
	event->references = 1;
	event->size = size;
	event->id = DatumGetInt64(values[EVENT_ID]);
	event->event = *DatumGetUUIDP(values[EVENT_EVENT]);
	event->at = DatumGetTimestampTz(values[EVENT_AT]);
	if (!nulls[EVENT_KEY_SEQ])
		event->key_seq = DatumGetInt64(values[EVENT_KEY_SEQ]);
	event->has_order = !nulls[EVENT_ORDER_ID];
	if (event->has_order)
		event->order_id = *DatumGetUUIDP(values[EVENT_ORDER_ID]);
	event->has_correlation = !nulls[EVENT_CORRELATION_ID];
	if (event->has_correlation)
		event->correlation_id = *DatumGetUUIDP(values[EVENT_CORRELATION_ID]);
	at = (char *) event + sizeof(MfEventCopy);
	event->type = put_text(&at, values[EVENT_TYPE], false);
	event->key = put_text(&at, values[EVENT_KEY], false);
	event->partner = put_text(&at, values[EVENT_PARTNER], nulls[EVENT_PARTNER]);
	event->traceparent = put_text(&at, values[EVENT_TRACEPARENT], nulls[EVENT_TRACEPARENT]);
	event->body = put_text(&at, values[EVENT_BODY], false);
	event->body_length = text_size(values[EVENT_BODY], false) - 1;
	for (int i = 0; i < (int) lengthof(texts); i++)
		if (values[texts[i]] != stored[i])
			pfree(DatumGetPointer(values[texts[i]]));
	return event;
}

/* Of a row of the outbox. */
MfEventCopy *
mf_event_copy(TupleTableSlot *slot)
{
	static Oid	known = InvalidOid;
	static AttrNumber columns[EVENT_COLUMNS];
	Datum		values[EVENT_COLUMNS];
	bool		nulls[EVENT_COLUMNS];

	/* A partition has the columns where the parent has them. */
	if (known != slot->tts_tableOid)
	{
		for (int i = 0; i < EVENT_COLUMNS; i++)
			columns[i] = mf_reader_column(column_names[i]);
		known = slot->tts_tableOid;
	}
	for (int i = 0; i < EVENT_COLUMNS; i++)
		values[i] = slot_getattr(slot, columns[i], &nulls[i]);
	return make_event(values, nulls);
}

void
mf_event_release(MfEventCopy *event)
{
	if (--event->references == 0)
		pfree(event);
}

MfDelivery *
mf_delivery_make(MfEndpoint *endpoint, int64 id, const pg_uuid_t *event_id,
				 const char *key, MfEventCopy *event)
{
	MfDelivery *delivery = MemoryContextAllocZero(mf_delivery_context, sizeof(MfDelivery));

	delivery->endpoint = endpoint;
	delivery->id = id;
	delivery->event_id = *event_id;
	delivery->key = MemoryContextStrdup(mf_delivery_context, key);
	delivery->event = event;
	if (event != NULL)
		event->references++;
	return delivery;
}

/* It is in no line and no list any more. */
void
mf_delivery_free(MfDelivery *delivery)
{
	Assert(!delivery->on_stream && !delivery->has_row);
	if (delivery->event != NULL)
		mf_event_release(delivery->event);
	if (delivery->error != NULL)
		pfree(delivery->error);
	if (delivery->response != NULL)
		pfree(delivery->response);
	pfree(delivery->key);
	pfree(delivery);
}

/* ---- loading by ids ------------------------------------------------------ */

typedef struct Load
{
	MfDelivery **deliveries;
	int			count;
	MfEventCopy **events;		/* of the deliveries; NULL: nowhere */
} Load;

static void
load_work(void *arg)
{
	Load	   *load = arg;
	Datum	   *ids = palloc(load->count * sizeof(Datum));
	Datum		list;
	uint64		rows;

	for (int i = 0; i < load->count; i++)
		ids[i] = Int64GetDatum(load->deliveries[i]->id);
	list = PointerGetDatum(construct_array(ids, load->count, INT8OID, sizeof(int64), true,
										   TYPALIGN_DOUBLE));
	rows = mf_plan_run(&events_plan, &list, NULL);
	for (uint64 row = 0; row < rows; row++)
	{
		Datum		values[EVENT_COLUMNS];
		bool		nulls[EVENT_COLUMNS];
		MfEventCopy *event;

		for (int i = 0; i < EVENT_COLUMNS; i++)
			nulls[i] = !mf_plan_find(row, i + 1, &values[i]);
		event = make_event(values, nulls);
		for (int i = 0; i < load->count; i++)
			if (load->deliveries[i]->id == event->id && load->events[i] == NULL)
			{
				load->events[i] = event;
				event->references++;
			}
		mf_event_release(event);
	}
}

MfTry
mf_events_load(MfDelivery **deliveries, int count)
{
	Load		load = {deliveries, count, palloc0(count * sizeof(MfEventCopy *))};
	MfTry		outcome = mf_worker_try("loading events", load_work, &load);

	for (int i = 0; i < count; i++)
	{
		MfDelivery *delivery = deliveries[i];

		if (outcome != MF_TRY_DONE)
		{
			if (load.events[i] != NULL)
				mf_event_release(load.events[i]);
		}
		else if (load.events[i] != NULL)
			delivery->event = load.events[i];
		else
		{
			delivery->state = MF_DELIVERY_ENDED;
			delivery->verdict = MF_VERDICT_DEAD;
			delivery->attempted = false;
			delivery->reason = "the event is no longer there";
		}
	}
	return outcome;
}
