/*
 * senders.h
 *		The programs that send, as senders.c, post.c and request.c see them.
 */
#ifndef MF_DELIVERY_SENDERS_H
#define MF_DELIVERY_SENDERS_H

#include "line.h"
#include "worker/supervise.h"

/* Programs for one delivery each, and all programs. */
#define MF_SENDERS_APART	4
#define MF_SENDERS			(1 + MF_SENDERS_APART)

/*
 * A mesflow-sender.  The first has all requests, but for those that are sent
 * apart: each other has one at a time.
 */
typedef struct MfSender
{
	MfChild		child;			/* first: supervise.h */
	bool		apart;
	int64		used_at;		/* when something was last under way */
	int64		looked_at;		/* whether it still answers */

	/* post.c */
	MfSending	targets;
	MfSending	requests;
	MfSending	forgets;
	bool		blocked;		/* its socket was full */
	MfReceived	received;
	uint64	   *told;			/* per target: what it was told; 0: nothing */
	int			told_room;
	int			under_way;
} MfSender;

/* ---- senders.c ----------------------------------------------------------- */

/* All of them; those that are not running too. */
extern MfSender *mf_sender(int index);
extern MfSender *mf_senders_main(void);

/* How many requests the main one takes at the same time. */
extern int	mf_senders_slots(void);

/* Starts the program for all where it is needed; called while there is work. */
extern void mf_senders_need_main(int64 now);

/* A program that has nothing to do, for one delivery; NULL: not now. */
extern MfSender *mf_senders_find_apart(int64 now);

/* ---- post.c -------------------------------------------------------------- */

typedef enum MfPosted
{
	MF_POSTED,
	MF_POSTED_LATER,			/* its socket is full */
	MF_POSTED_NO_TARGET,		/* its endpoint is beyond what can be told */
	MF_POSTED_NO_REQUEST		/* it is beyond what can be sent */
} MfPosted;

/* Before a program's first message, and after its end. */
extern void mf_post_begin(MfSender *sender);

/* Sends a delivery that mf_pace_started has counted. */
extern MfPosted mf_post_send(MfSender *sender, MfDelivery *delivery,
							 const MfRequest *request);

/* Sends what has been put together. */
extern void mf_post_flush(MfSender *sender, int64 now);

/*
 * Takes the outcomes of a frame.  False: it broke the protocol, and *why says
 * how.
 */
extern bool mf_post_take(MfSender *sender, const char **why);

/* The program is gone: what becomes of what was under way in it. */
extern void mf_post_lose(MfSender *sender, MfLoss loss);
extern void mf_post_give_back(MfSender *sender);

/* Is something under way for longer than it can be? */
extern bool mf_post_is_overdue(const MfSender *sender, int64 now);

/* The number of a target is free again. */
extern void mf_post_forget(MfLine *line);

/* The setting of allowed addresses is read with each turn. */
extern void mf_post_read_settings(void);

/* ---- request.c ----------------------------------------------------------- */

/*
 * Builds and sends deliveries, each of which has its event.  False: some could
 * not be sent now and are back in line; try again later.
 */
extern bool mf_request_send(MfSender *sender, MfDelivery **deliveries,
							int count);

#endif							/* MF_DELIVERY_SENDERS_H */
