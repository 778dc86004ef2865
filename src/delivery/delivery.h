/*
 * delivery.h
 *		The delivery worker's parts.  Private to src/delivery; README.md has the
 *		whole.
 *
 *		endpoints.c		what is in the tables about endpoints
 *		settings.c		a row of the view _endpoint_settings
 *		events.c		copies of events, shared by the deliveries of them
 *		rows.c			deliveries from the rows of _pending
 *		stream.c		reads the outbox into the lines of the endpoints
 *		done.c			what was done before the worker started
 *		wants.c			which events an endpoint wants
 *		moment.c		moments of the outbox, and sets of events between two
 *		line.c			who is next at an endpoint: retries
 *		keys.c			the same where the order of a key is kept
 *		schedule.c		whose turn it is among endpoints
 *		pace.c			how much an endpoint takes: windows, rates, shares
 *		breaker.c		when to leave an endpoint alone
 *		verdict.c		what an outcome means
 *		request.c		what is sent
 *		senders.c		the programs: their lives
 *		post.c			what goes into one, and what comes out
 *		life.c			lives of the worker that ended too soon
 *		record.c		writes down what came of it, in groups
 *		record_write.c	the statements that do
 *		record_over.c	takes what is over out of _pending
 *		aside.c			endpoints whose rows somebody holds
 *		receipts.c		receipts that somebody is about to write
 *		delivery_worker.c	the order of these things in a turn
 *
 * A delivery comes from the stream, or from a row of _pending.  It stands in
 * line, is sent, ends with a verdict, and is recorded:
 *
 *		WAITING ──► SENDING ──► ENDED ──► recorded: gone, or a row of _pending
 *		   ▲           │ the sender died            (retry), read when it is due
 *		   └───────────┘
 *
 * Nothing here but the parts that say so has a transaction.
 */
#ifndef MF_DELIVERY_H
#define MF_DELIVERY_H

#include "datatype/timestamp.h"
#include "frame/sending.h"
#include "lib/ilist.h"
#include "lib/pairingheap.h"
#include "utils/uuid.h"
#include "worker/worker.h"

/* Deliveries with a row that an endpoint, and all of them, take from the table. */
#define MF_ROWS_HELD		1000
#define MF_ROWS_ALL			50000

/* Deliveries from the stream that an endpoint holds in memory, and bytes. */
#define MF_STREAM_HELD		1000
#define MF_STREAM_BYTES		(4 * 1024 * 1024)

/* Bytes of events in memory, of all endpoints. */
#define MF_EVENTS_BYTES		(64 * 1024 * 1024)

#define MF_SCHEDULE_MAX		50

typedef struct MfEndpoint MfEndpoint;
typedef struct MfKeyLine MfKeyLine;
typedef struct MfTick MfTick;

/* An event in memory; freed with its last reference. */
typedef struct MfEventCopy
{
	int			references;
	Size		size;
	int64		id;				/* outbox.id */
	pg_uuid_t	event;
	TimestampTz at;
	int64		key_seq;		/* 0: none */
	bool		has_order;
	pg_uuid_t	order_id;
	bool		has_correlation;
	pg_uuid_t	correlation_id;
	const char *type;
	const char *key;
	const char *partner;		/* NULL: none */
	const char *traceparent;	/* NULL: none */
	const char *body;
	int			body_length;
} MfEventCopy;

typedef enum MfDeliveryState
{
	MF_DELIVERY_WAITING,
	MF_DELIVERY_SENDING,
	MF_DELIVERY_ENDED
} MfDeliveryState;

/* Where in line, while WAITING. */
typedef enum MfPlace
{
	MF_PLACE_NONE,				/* not in line */
	MF_PLACE_KEY,				/* behind another one of its key */
	MF_PLACE_READY,				/* may go */
	MF_PLACE_LATER,				/* may go at due_at */
	MF_PLACE_APART				/* may go, in a program of its own */
} MfPlace;

typedef enum MfVerdict
{
	MF_VERDICT_DELIVERED,
	MF_VERDICT_RETRY,			/* at due_at */
	MF_VERDICT_DEAD				/* for `reason` */
} MfVerdict;

typedef struct MfDelivery
{
	MfEndpoint *endpoint;
	int64		id;				/* outbox.id */
	pg_uuid_t	event_id;
	char	   *key;
	MfEventCopy *event;			/* NULL: to be loaded before it is sent */
	MfDeliveryState state;
	int			attempts;		/* that counted, before this one;
								 * mf_line_recorded counts it */
	int			crashes;
	TimestampTz first_at;

	/* stream.c and record.c */
	dlist_node	stream_node;	/* in endpoint->stream, while on_stream */
	bool		on_stream;		/* holds the cursor */
	bool		has_row;		/* in _pending; row_node is in
								 * endpoint->row_list */
	bool		recording;		/* in the group that is being committed */
	bool		marking;		/* so that its row says that it is under way */
	bool		passed;			/* on_stream, but recorded: the cursor may
								 * pass */
	MfTick	   *tick;			/* the set it was read from, while on_stream */
	dlist_node	row_node;
	MfKeyLine  *row_key;		/* the line that counts it among its rows held */
	dlist_node	record_node;	/* among what is to be recorded, while ENDED */

	/* line.c, keys.c and schedule.c */
	MfKeyLine  *key_line;		/* NULL: nothing waits for it */
	MfPlace		place;
	dlist_node	line_node;
	pairingheap_node due_node;	/* while LATER */
	TimestampTz due_at;			/* not before; infinity: as soon as those
								 * before it are over; with RETRY: the next
								 * try */

	/* post.c: while SENDING, and after */
	uint64		tag;
	int64		started;		/* mf_wait_now() */
	TimestampTz sent_at;
	uint8		span[8];

	/* verdict.c: while ENDED */
	MfVerdict	verdict;
	bool		attempted;		/* there is an attempt to write down */
	bool		uncounted;		/* which uses up nothing of the schedule */
	const char *reason;			/* with DEAD: a constant string */
	int			status;			/* 0: no answer */
	uint32		duration_us;
	char	   *error;			/* NULL: none; else ours */
	char	   *response;		/* NULL: none; else ours, valid UTF-8 */
} MfDelivery;

typedef enum MfOrdering
{
	MF_ORDERING_ORDER,			/* the next of a key when this one is over */
	MF_ORDERING_NONE,
	MF_ORDERING_STRICT			/* ... and recorded; a dead one stops the key */
} MfOrdering;

typedef enum MfFormatKind
{
	MF_FORMAT_STANDARD,
	MF_FORMAT_CLOUDEVENTS,		/* structured */
	MF_FORMAT_CLOUDEVENTS_BINARY
} MfFormatKind;

typedef enum MfEndpointState
{
	MF_ENDPOINT_ACTIVE,
	MF_ENDPOINT_PAUSED,
	MF_ENDPOINT_DISABLED
} MfEndpointState;

typedef enum MfBreakerState
{
	MF_BREAKER_CLOSED,
	MF_BREAKER_OPEN,
	MF_BREAKER_PROBING
} MfBreakerState;

/* As in _endpoint_troubles. */
typedef struct MfTrouble
{
	MfBreakerState breaker;
	TimestampTz breaker_until;	/* while open; 0: none */
	int			opened;
	TimestampTz failing_since;	/* 0: it works */
	int			failures;
	int			last_status;	/* 0: none */
	char		last_error[MF_SENDER_ERROR + 1];	/* empty: none */
	TimestampTz last_error_at;	/* 0: never */
	TimestampTz hold_until;		/* Retry-After; 0: none */
} MfTrouble;

/* How an endpoint wants it: a row of the view _endpoint_settings. */
typedef struct MfEndpointConfig
{
	MemoryContext context;		/* of all that follows */
	const char *url;
	const char *headers;		/* lines */
	const char *user_password;
	const char *bearer;
	const char *ca;
	const char *client_cert;
	const char *client_key;
	const char *allow_private;	/* lines */
	const char *system;			/* NULL: none */
	bool		receipts;		/* a 2xx is the system's receipt */
	MfOrdering	ordering;
	MfFormatKind format;
	bool		needs_sql;		/* template or expand: _request_body() */
	int			timeout_ms;
	int			max_in_flight;
	double		rate_per_second;	/* 0: no limit */
	int			redirects;
	int			schedule_count; /* 1 or more; pauses before try 1, 2, ... */
	int			schedule_ms[MF_SCHEDULE_MAX];
	int			secret_count;
	MfBytes		secrets[MF_SENDER_SECRETS];
	TimestampTz secret_expires; /* when to read it again; 0: never */
} MfEndpointConfig;

struct MfEndpoint
{
	dlist_node	node;			/* of all endpoints */
	int			number;
	char	   *name;
	MfEndpointState state;
	MfEndpointConfig *config;
	uint32		version;		/* counts loads of config: tell the senders */
	bool		dropped;		/* gone from the tables; freed when idle */

	/* stream.c, record.c */
	struct MfStream *stream;
	dlist_head	row_list;		/* deliveries that have a row */
	dlist_head	held;			/* deliveries from the stream, in its order */
	int			held_count;
	Size		held_bytes;
	int			rows;			/* in row_list */
	TimestampTz rows_due;		/* the next row in the table is due; 0: none
								 * is */
	TimestampTz rows_seen;		/* rows that were due by then have been seen, */
	int64		rows_seen_id;	/* of those due at that time, up to this id */
	bool		parked_seen;	/* so have all the parked ones, */
	int64		parked_seen_id; /* or up to this id */
	bool		dirty;			/* its cursor is to be written */
	struct MfPosition *position;	/* in the group that is being written */
	int64		aside_until;	/* somebody holds its rows: nothing is sent
								 * before; 0: nobody does */
	bool		alone;			/* perhaps so: written by itself */

	/* To be written with the next group. */
	MfTrouble	trouble;
	bool		trouble_dirty;
	MfEndpointState state_wanted;	/* differs from state: 410, disabled */
	const char *state_reason;	/* constant string */

	/* line.c, schedule.c, breaker.c, senders.c */
	struct MfLine *line;		/* theirs; NULL until mf_line_open */
	int			in_flight;
	int64		queued;			/* in line, due or not */
};

/* ---- endpoints.c ---------------------------------------------------------- */

/* All of them, for dlist_foreach over `node`. */
extern dlist_head mf_endpoints;

/* Reads what has changed in the tables; true where all is known. */
extern bool mf_endpoints_turn(int64 now, bool woken);

/*
 * Is there something in the tables, as the caller's snapshot shows them, that
 * has still to be read?  Then the next mf_endpoints_turn does.
 */
extern bool mf_endpoints_have_news(void);
extern MfEndpoint *mf_endpoint_by_number(int number);

/* Ends every endpoint in memory, and all deliveries: fenced, switched off. */
extern void mf_endpoints_forget(void);

/* The endpoint has been dropped and nothing of it is left. */
extern void mf_endpoint_free_dropped(void);

/* ---- events.c -------------------------------------------------------------- */

extern void mf_event_release(MfEventCopy *event);

/* A WAITING delivery, in no line yet; with a reference to the event, if any. */
extern MfDelivery *mf_delivery_make(MfEndpoint *endpoint, int64 id,
									const pg_uuid_t *event_id, const char *key,
									MfEventCopy *event);
extern void mf_delivery_free(MfDelivery *delivery);

/*
 * Loads the events of deliveries that have none, in a transaction of its own.
 * All of them or, where not DONE, none.  A delivery whose event is nowhere any
 * more ends as dead, and its state says so: ENDED, with verdict and reason.
 * The caller hands it on, to the line and to record.c.
 */
extern MfTry mf_events_load(MfDelivery **deliveries, int count);

/* ---- stream.c -------------------------------------------------------------- */

/* Reads on, for endpoints that have room; calls mf_line_add. */
extern void mf_stream_turn(int64 now, bool woken);

/* ---- record.c -------------------------------------------------------------- */

/* ENDED deliveries, in the order they ended. */
extern void mf_record_add(MfDelivery *delivery);

/* How many ended deliveries wait to be recorded, but for those set aside. */
extern int	mf_record_waiting(void);

/*
 * Commits a group where one is due: 10 ms after its first result, or 512.
 * Calls mf_line_recorded for each delivery of it; those that are over are then
 * freed, and those that have another try are WAITING again.
 */
extern void mf_record_turn(int64 now);

/*
 * Writes down that these are about to be sent: each has a row then, with a
 * crash more than it had, until something comes of it.  False: not now.
 */
extern bool mf_record_mark(MfDelivery **deliveries, int count);

/* ---- life.c ----------------------------------------------------------------- */

/* Counts this life; false: do nothing yet. */
extern bool mf_life_turn(int64 now);

/* Is what is sent to be marked before? */
extern bool mf_life_is_careful(void);

/* ---- line.c, keys.c -------------------------------------------------------- */

/*
 * Before the first mf_line_add, when config is there; and again where that
 * has another ordering: what waits is put in line anew.
 */
extern void mf_line_open(MfEndpoint *endpoint);

/*
 * Forgets all of an endpoint's deliveries that wait; frees nothing of theirs.
 * Those under way end as usual, by mf_record_add.  Do not free the endpoint
 * before in_flight is 0.
 */
extern void mf_line_close(MfEndpoint *endpoint);

/*
 * Puts a WAITING delivery in line, behind those of its key.  Rows come in the
 * order of their ids, and before what the stream brings.
 */
extern void mf_line_add(MfDelivery *delivery);

/*
 * Does an earlier delivery of its key, which has a row, hold it up, or a dead
 * letter of a strict endpoint?
 */
extern bool mf_line_is_behind_row(const MfDelivery *delivery);

/* Is there much of a pause left before it may go? */
extern bool mf_line_is_paused(const MfDelivery *delivery);

/* Dead letters that nobody resolved stop these keys, and no others. */
extern void mf_line_block_keys(MfEndpoint *endpoint, char **keys, int count);

/* Rows have come to the table: those in memory may no longer be the first. */
extern void mf_line_forget_rows(MfEndpoint *endpoint);

/*
 * It was recorded.  With RETRY the table has it and those behind it, and the
 * caller frees it; else what waits behind it may go.
 */
extern void mf_line_recorded(MfDelivery *delivery);

/*
 * It waits behind another of its key, or for a later time, and has a row now:
 * the caller frees it.
 */
extern void mf_line_parked(MfDelivery *delivery);

/* ---- breaker.c -------------------------------------------------------------- */

/* Somebody has resumed it although it was active: it is tried at once. */
extern void mf_breaker_resumed(MfEndpoint *endpoint);

/* ---- schedule.c, senders.c ------------------------------------------------- */

/*
 * A turn hears first what became of requests, by mf_senders_turn, and sends
 * last, by mf_schedule_turn, which also starts the programs: leave it out, and
 * nothing is sent or started.
 */
extern void mf_senders_init(void);
extern void mf_senders_turn(int64 now);
extern void mf_schedule_turn(int64 now);

/* The endpoint's settings or its state were read again, or it was dropped. */
extern void mf_senders_target_changed(MfEndpoint *endpoint);

/*
 * Ends the programs; what was under way waits again, and counts no crash.
 * Call it before mf_line_close where both are to happen.
 */
extern void mf_senders_stop(void);
extern int	mf_senders_in_flight(void);

/* NULL: they work. */
extern const char *mf_senders_trouble(void);

/* ---- delivery_worker.c ------------------------------------------------------ */

/* Come back at this time (mf_wait_now()) at the latest. */
extern void mf_delivery_due(int64 at);

/* Lives as long as the worker: endpoints, deliveries, events. */
extern MemoryContext mf_delivery_context;

#endif							/* MF_DELIVERY_H */
