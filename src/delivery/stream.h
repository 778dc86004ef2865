/*
 * stream.h
 *		An endpoint's place in the outbox.  Private to stream.c, endpoints.c,
 *		settings.c, rows.c, events.c and record.c.
 *
 * Endpoints that have read everything share the reading of what is new: they
 * are `live`.  One that is behind reads sets of its own until it has caught
 * up.  Where it is in the tables is computed from what it holds: everything
 * before the first delivery of `held` that is not over.
 */
#ifndef MF_DELIVERY_STREAM_H
#define MF_DELIVERY_STREAM_H

#include "delivery.h"
#include "executor/tuptable.h"
#include "outbox/reader.h"
#include "utils/jsonpath.h"

/* A mark that several share. */
typedef struct MfMoment
{
	int			references;
	MfMark		mark;
} MfMoment;

/* The set of events between two moments. */
struct MfTick
{
	int			references;
	MfMoment   *seen;
	MfMoment   *upto;
};

typedef struct MfStream
{
	MemoryContext context;		/* of the filter; replaced with the settings */
	MfFilter	filter;
	JsonPath   *path;			/* NULL: none */

	bool		live;
	MfMoment   *at;				/* everything up to here was read */
	MfTick	   *tick;			/* not live: the set it is in; NULL: none */
	int64		read_id;		/* how far in there, or in that of the live
								 * ones */

	/* Done before this worker started, and not met again so far. */
	int			done_count;
	int64	   *done;			/* sorted */

	int64		written_id;		/* mark of the cursor as it was written */
} MfStream;

/* ---- moment.c ---- */

extern MfMoment *mf_moment_make(const MfMark *mark);
extern MfMoment *mf_moment_share(MfMoment *moment);
extern void mf_moment_release(MfMoment *moment);
extern bool mf_moment_shows_more(const MfMoment *moment, const MfMoment *than);
extern MfTick *mf_tick_make(MfMoment *seen, MfMoment *upto);
extern MfTick *mf_tick_share(MfTick *tick);
extern void mf_tick_release(MfTick *tick);

/* ---- stream.c ---- */

/* An endpoint from where its cursor is; see endpoints.c. */
extern void mf_stream_open(MfEndpoint *endpoint, const MfMark *seen,
						   const MfMark *upto, int64 last_id, Datum done);
extern void mf_stream_close(MfEndpoint *endpoint);

/* Where it is in the outbox, if all that it holds is over; upto NULL: in no set. */
extern void mf_stream_position(MfEndpoint *endpoint, const MfMark **seen,
							   const MfMark **upto, int64 *last_id);

/* Adds to the deliveries it holds, or takes from them. */
extern void mf_stream_hold(MfDelivery *delivery, MfTick *tick);
extern void mf_stream_let_go(MfDelivery *delivery);

/* ---- done.c ---- */

/* From the column of its cursor; 0: none. */
extern void mf_done_take(MfStream *stream, Datum done);

/* Was it done by an earlier life of this worker?  Then it is forgotten here. */
extern bool mf_done_forget(MfStream *stream, int64 id);

/* ---- wants.c ---- */

/*
 * Does it want this row of the outbox?  Where the body is looked at for that,
 * *copy is made.
 */
extern bool mf_wants(MfEndpoint *endpoint, TupleTableSlot *slot,
					 MfEventCopy **copy);

/* ---- events.c ---- */

extern MfEventCopy *mf_event_copy(TupleTableSlot *slot);

/* ---- settings.c ---- */

/*
 * Reads the settings of endpoints, of one or (NULL) of all, in the caller's
 * transaction and connection to SPI, and calls found() with each of them: its
 * config is new, in a context of its own, which ends with the transaction
 * unless found() gives it another parent.  What the rest of the columns says
 * is in `row`.
 */
typedef struct MfSettingsRow
{
	int			number;
	const char *name;
	MfEndpointState state;
	MfEndpointConfig *config;
	MfTrouble	trouble;
	Datum		event_types;
	const char *partner;		/* NULL: any */
	Datum		filter;			/* 0: none */
	MfMark		seen;
	MfMark		upto;			/* no snapshot: none */
	int64		last_id;
	Datum		done;			/* 0: none */
	bool		foreign;		/* its cursor is of another database */
} MfSettingsRow;

extern void mf_settings_read(const char *name,
							 void (*found) (const MfSettingsRow *row));

/* ---- rows.c ---- */

/* Reads what is due, and what is wanted of keys, into the lines. */
extern void mf_rows_turn(int64 now);

/* Any row in the table may be new: they are looked at from the first one on. */
extern void mf_rows_again(MfEndpoint *endpoint);

/* May the table have rows of keys that no line is there for? */
extern bool mf_rows_unseen(const MfEndpoint *endpoint);

/* A row is due then that is not held. */
extern void mf_rows_expect(MfEndpoint *endpoint, TimestampTz due_at);

/* The delivery has a row from now on; it has none, or is held no more. */
extern void mf_rows_hold(MfDelivery *delivery);
extern void mf_rows_let_go(MfDelivery *delivery);

/*
 * Keys that dead letters stop at an endpoint, in the caller's transaction;
 * how many.
 */
extern int	mf_rows_blocked(const char *endpoint, char ***keys);

/* ---- keys.c, for rows.c ---- */

/* What the table has of a key that is not held. */
typedef enum MfKeyAway
{
	MF_KEY_ALL_HERE,			/* nothing */
	MF_KEY_MORE,				/* perhaps rows: read when none is held */
	MF_KEY_WANTED,				/* the same, and none is held */
	MF_KEY_LATER				/* rows, the first of which is not due yet */
} MfKeyAway;

/* A row of this key has been seen; true: the key is WANTED, and was not. */
extern bool mf_key_seen(MfEndpoint *endpoint, const char *key);

/* Keys that are WANTED, the first ones first; how many. */
extern int	mf_keys_wanted(const MfEndpoint *endpoint, MfKeyLine **keys, int most);
extern MfEndpoint *mf_key_endpoint(const MfKeyLine *keyed);
extern const char *mf_key_name(const MfKeyLine *keyed);

/* One that was WANTED has been read, and its rows added to the line. */
extern void mf_key_read(MfKeyLine *keyed, MfKeyAway away);

/* Counts a delivery among the rows of its key that are held. */
extern void mf_key_hold(MfDelivery *delivery);
extern void mf_key_let_go(MfDelivery *delivery);

#endif							/* MF_DELIVERY_STREAM_H */
