/*
 * line.h
 *		An endpoint as line.c, keys.c, schedule.c, pace.c and breaker.c see it.
 *		Private to these, to verdict.c and to post.c.
 */
#ifndef MF_DELIVERY_LINE_H
#define MF_DELIVERY_LINE_H

#include "delivery.h"

/* From so many on a delivery is sent apart; at so many it is given up. */
#define MF_CRASHES_APART	2
#define MF_CRASHES_MAX		4

/* Results are counted per slice of the last minute. */
#define MF_SLICES			6
#define MF_SLICE_MS			10000

/* Where an endpoint stands among the others. */
typedef enum MfSpot
{
	MF_SPOT_NONE,				/* something has to happen first */
	MF_SPOT_ACTIVE,				/* has perhaps something to send */
	MF_SPOT_ASLEEP,				/* until wake_at */
	MF_SPOT_SHARE				/* until others have less under way */
} MfSpot;

typedef struct MfSlice
{
	int64		number;			/* mf_wait_now() / MF_SLICE_MS */
	int			results;
	int			failures;
} MfSlice;

/* Times are those of mf_wait_now, in milliseconds, but for TimestampTz. */
typedef struct MfLine
{
	MfEndpoint *endpoint;
	bool		closed;			/* lives on until nothing is under way */

	/* line.c */
	MfOrdering	ordering;
	struct mf_keys_hash *keys;	/* keys.c; NULL: none */
	dlist_head	wanted;			/* keys.c: keys of which the table is to be
								 * read */
	dlist_head	ready;
	pairingheap later;

	/* schedule.c */
	MfSpot		spot;
	dlist_node	spot_node;		/* while ACTIVE or SHARE */
	pairingheap_node wake_node; /* while ASLEEP */
	int64		wake_at;
	bool		competes;		/* counted among those that share the cap */
	int			deficit;		/* bytes it may still send in this round */
	bool		visited;		/* its visit was cut short: it goes on */

	/* pace.c */
	dlist_head	sending;		/* deliveries under way, the oldest first */
	int			window;			/* so many at a time */
	bool		slow_start;
	bool		hangs;			/* its last request timed out */
	int			successes;		/* since the window grew */
	int64		halved_at;
	double		tokens;
	int64		tokens_at;
	int			shown;			/* entry of mf_shared->in_flight; -1: none */

	/* breaker.c */
	MfDelivery *probe;			/* under way while PROBING */
	int			failures_in_row;
	int			successes_in_row;
	MfSlice		slices[MF_SLICES];
	uint32		seen_version;
	MfEndpointState seen_state;

	/* post.c */
	int			target;			/* its number for the programs; -1: none yet */
} MfLine;

/* ---- line.c -------------------------------------------------------------- */

/* Those that are to be sent apart, of all endpoints: line_node. */
extern dlist_head mf_line_apart;

/* What is due by then may go; the first of these, which stays; NULL: none. */
extern MfDelivery *mf_line_first(MfLine *line, TimestampTz now);

/* When the next one may go that may not go yet; 0: there is none. */
extern TimestampTz mf_line_next_due(MfLine *line);

/* Takes a delivery that may go out of line, and puts it back in front. */
extern void mf_line_take(MfDelivery *delivery);
extern void mf_line_return(MfDelivery *delivery);

/* It has a verdict. */
extern void mf_line_ended(MfDelivery *delivery);

/* A head to where it may go from, and away from wherever it waits. */
extern void mf_line_place(MfDelivery *delivery, bool in_front);
extern void mf_line_unplace(MfDelivery *delivery);

/* One that waits leaves memory; the table has it. */
extern void mf_line_forget(MfDelivery *delivery);
extern bool mf_line_may_go(const MfDelivery *delivery);

/* Deliveries taken out of line; into NULL they are only counted. */
typedef struct MfTaken
{
	MfDelivery **into;
	int			count;
} MfTaken;

extern void mf_line_detach_list(dlist_head *list, const MfEndpoint *endpoint,
								MfTaken *taken);

/* ---- keys.c -------------------------------------------------------------- */

extern void mf_key_join(MfDelivery *delivery);

/* Its line has the head that it should have; after any change. */
extern void mf_key_settle(MfKeyLine *keyed);

/* A head is over: what waits behind it may go. */
extern void mf_key_leave(MfDelivery *delivery);
extern void mf_key_block(MfKeyLine *keyed);

/* A head has another try later: till then nothing of its key is in memory. */
extern void mf_key_sleep(MfDelivery *delivery);
extern void mf_key_detach_all(MfLine *line, MfTaken *taken);

/* What is held already, and in no line, counts from now on. */
extern void mf_key_hold_all(MfLine *line);

/* ---- schedule.c ---------------------------------------------------------- */

/* Something about this endpoint has changed: perhaps it has something to send. */
extern void mf_schedule_look(MfLine *line);

/* A closed endpoint leaves its spot; freed here where nothing is under way. */
extern void mf_schedule_close(MfLine *line);

/* A delivery that was chosen or under way is over, or goes back in line. */
extern void mf_schedule_over(MfDelivery *delivery);
extern void mf_schedule_return(MfDelivery *delivery);

/* When `at` will be, on the clock of mf_wait_now. */
extern int64 mf_schedule_clock(TimestampTz at);

/* ---- pace.c -------------------------------------------------------------- */

/* May one more be sent? */
typedef enum MfPace
{
	MF_PACE_GO,
	MF_PACE_LATER,				/* at *until */
	MF_PACE_FULL,				/* when one of its own has ended */
	MF_PACE_SHARE				/* when others have less under way */
} MfPace;

extern void mf_pace_init(void);
extern void mf_pace_open(MfLine *line);
extern MfPace mf_pace_allows(MfLine *line, int64 now, int64 *until);
extern void mf_pace_started(MfDelivery *delivery, int64 now);
extern void mf_pace_stopped(MfDelivery *delivery);
extern void mf_pace_competes(MfLine *line, bool competes);
extern bool mf_pace_is_scarce(void);
extern int	mf_pace_room(void);

/* What an answer says about how much the endpoint takes. */
extern void mf_pace_grow(MfLine *line);
extern void mf_pace_halve(MfLine *line, const MfDelivery *delivery);
extern void mf_pace_restart(MfLine *line);
extern void mf_pace_hangs(MfLine *line, bool hangs);
extern void mf_pace_hold(MfLine *line, int64 ms);

/* ---- breaker.c ----------------------------------------------------------- */

/* How an attempt went, for the breaker. */
typedef enum MfHealth
{
	MF_HEALTH_GOOD,				/* delivered */
	MF_HEALTH_BAD,				/* it does not work: transport, 5xx */
	MF_HEALTH_REFUSED,			/* it works, but not for this delivery */
	MF_HEALTH_UNKNOWN			/* failed, but it was not asked */
} MfHealth;

extern MfPace mf_breaker_allows(MfLine *line, int64 *until);
extern void mf_breaker_note(MfDelivery *delivery, MfHealth health,
							const char *error);
extern void mf_breaker_changed(MfEndpoint *endpoint);

/* ms with up to a fifth more or less. */
extern int64 mf_breaker_jitter(int64 ms);

/* ---- verdict.c ----------------------------------------------------------- */

/* How the program ended that a request was under way in. */
typedef enum MfLoss
{
	MF_LOSS_CRASHED,
	MF_LOSS_KILLED				/* by somebody else, for no fault of its own */
} MfLoss;

extern void mf_verdict_give(MfDelivery *delivery, const MfOutcome *outcome);

/* There is nothing that could be sent; error is printable. */
extern void mf_verdict_refuse(MfDelivery *delivery, const char *error);

/* Its program ended; `apart`: it was alone there. */
extern void mf_verdict_lose(MfDelivery *delivery, MfLoss loss, bool apart);

/* It has ended programs, or this worker, too often. */
extern void mf_verdict_condemn(MfDelivery *delivery);

/* Its event cannot be read; error is printable.  To be passed on. */
extern void mf_verdict_put_off(MfDelivery *delivery, const char *error);

/* What mf_events_load or mf_verdict_put_off has ended. */
extern void mf_verdict_pass_on(MfDelivery *delivery);
extern void mf_verdict_clear(MfDelivery *delivery);

#endif							/* MF_DELIVERY_LINE_H */
