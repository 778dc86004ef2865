/*
 * outbox.h
 *		Writing events.  The public header of this folder, with reader.h.
 */
#ifndef MF_OUTBOX_H
#define MF_OUTBOX_H

#include "datatype/timestamp.h"
#include "lib/stringinfo.h"
#include "utils/numeric.h"
#include "utils/uuid.h"

/* The ring of a log: its slot is the day (UTC) modulo this. */
#define MF_RING_SLOTS		32

/* No body is larger; what is longer was refused where it came in. */
#define MF_BODY_MAX			(16 * 1024 * 1024)

/*
 * One event.  Pointers are the caller's and may be NULL, but for type and
 * key.  mf_event_start fills event and at.
 */
typedef struct MfEvent
{
	const char *type;			/* order.priced */
	const char *key;			/* what it is about */
	int64		key_seq;		/* 0: the key is no order */
	const pg_uuid_t *order_id;
	const char *partner;
	const char *from_status;
	const char *to_status;
	const char *operator_code;
	int			quantity;		/* -1: none */
	const Interval *dwell;
	const char *system;
	const char *actor;
	const pg_uuid_t *correlation_id;
	const char *traceparent;
	const char *note;			/* not in the body */
	pg_uuid_t	event;			/* its id */
	TimestampTz at;
} MfEvent;

/* Installs the callback at commit; called once per process, from _PG_init. */
extern void mf_outbox_init(void);

/* An empty event of this type about this key, with an id, of this moment. */
extern void mf_event_start(MfEvent *event, const char *type, const char *key);

/*
 * Writes the event with this body into the outbox, as part of the calling
 * transaction, whose commit becomes synchronous.  The caller's rights do not
 * matter.  Call it under the lock of the order's row where key_seq counts.
 */
extern void mf_outbox_write(const MfEvent *event, const StringInfoData *body);

/*
 * Bodies.  mf_body_start writes up to {"type", "timestamp", "data": {"schema",
 * "seq", "correlation_id"; the caller goes on with members by mf_body_*, and
 * mf_body_end closes both objects.  A NULL value is null.
 */
extern void mf_body_start(StringInfo body, const MfEvent *event);
extern void mf_body_end(StringInfo body);
extern void mf_body_name(StringInfo body, const char *name);
extern void mf_body_text(StringInfo body, const char *name, const char *value);
extern void mf_body_uuid(StringInfo body, const char *name, const pg_uuid_t *value);
extern void mf_body_int(StringInfo body, const char *name, int64 value);
extern void mf_body_money(StringInfo body, const char *name, Numeric value);
extern void mf_body_time(StringInfo body, const char *name, const TimestampTz *value);
extern void mf_body_json(StringInfo body, const char *name, const char *json);

/* A member that stands first in its object, or after the last one's value. */
extern void mf_body_open(StringInfo body, const char *name, char bracket);
extern void mf_body_close(StringInfo body, char bracket);

/* A digest of this cluster and database: outbox.origin of what it writes. */
extern int32 mf_outbox_origin(void);

/* The slot of the ring that holds this moment: see _ring_slot(). */
extern int	mf_ring_slot(TimestampTz at);

#endif							/* MF_OUTBOX_H */
