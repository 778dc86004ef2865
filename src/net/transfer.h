/*
 * transfer.h
 *		One request in the hands of libcurl.  Private to src/net.
 *
 *		engine.c	who is when where: slots, targets, time
 *		multi.c		libcurl on our epoll
 *		pool.c		transfers that are idle, and for whom they are set up
 *		transfer.c	setting a transfer up, and libcurl's callbacks
 *		verdict.c	what a transfer's end means
 */
#ifndef MF_TRANSFER_H
#define MF_TRANSFER_H

#include <curl/curl.h>

#include "engine.h"
#include "resolve.h"
#include "target.h"

/* A longer answer is cut off; its status counts. */
#define MF_ANSWER_MAX		(64 * 1024)
#define MF_ANSWER_HEADERS	(64 * 1024)

/* Addresses of a host that one request tries. */
#define MF_CONNECT_TRIES	3

typedef enum MfTransferState
{
	MF_TRANSFER_IDLE,
	MF_TRANSFER_RESOLVING,
	MF_TRANSFER_RUNNING
} MfTransferState;

struct MfTransfer
{
	MfTransferState state;
	MfEngine   *engine;
	CURL	   *easy;
	MfTransfer *next;			/* idle: of the same destination; or blank */
	MfTransfer *older;			/* idle and set up: by last use */
	MfTransfer *newer;

	/* What the handle is set up for; kept while idle. */
	MfDestination *configured;	/* NULL: nothing */
	struct curl_slist *connect_to;
	MfAddress	connected_to;	/* as in connect_to */
	bool		alone;			/* HTTP/1.1, and a connection of its own */
	char	   *memory;			/* headers and body of the request */
	size_t		room;

	/* The request. */
	MfDestination *destination;
	uint64_t	tag;
	int64_t		started;
	int64_t		deadline;
	MfMapping	mapping;
	MfBytes		body;
	struct curl_slist *headers;
	struct curl_slist *last_own;	/* before the target's */

	/* Where it is: the target's URL, or where that has sent us. */
	MfRoute    *route;
	MfRoute		hop;			/* after a redirect; empty: none */
	uint32_t	hops;
	MfWaiter	waiter;
	MfTransfer *next_resolving;
	MfTransfer *previous_resolving;
	uint32_t	address_count;
	uint32_t	tries;

	/* The answer so far. */
	bool		refused;		/* a socket was, for its address */
	bool		too_long;		/* the body, and it was cut off */
	bool		headers_too_long;
	MfAddress	refused_address;
	size_t		header_bytes;
	size_t		body_bytes;
	int32_t		retry_after;
	uint32_t	response_length;
	char		response[MF_SENDER_RESPONSE];
	char		error[CURL_ERROR_SIZE];
};

/* ---- multi.c -------------------------------------------------------------- */

typedef struct MfMulti
{
	CURLM	   *curl;
	MfPoller   *poller;
	unsigned int slots;			/* requests at the same time */
	bool		broken;
	bool		timer_set;
	bool		timer_told;		/* libcurl has set it anew */
	int64_t		timer_at;
} MfMulti;

/* False: libcurl does not work here. */
extern bool mf_multi_open(MfMulti *multi, MfPoller *poller);
extern void mf_multi_close(MfMulti *multi);

/* Calls libcurl if its timer asks for that; false: it does not. */
extern bool mf_multi_turn(MfMulti *multi);

/* ---- pool.c --------------------------------------------------------------- */

typedef struct MfPool
{
	MfTransfer *blank;			/* set up for nothing */
	MfTransfer *oldest;			/* set up, by last use */
	MfTransfer *newest;
	unsigned int count;			/* of all there are */
	MfTransfer *all[MF_SENDER_SLOTS];
} MfPool;

/* An idle transfer, one for the destination if there is; NULL: none. */
extern MfTransfer *mf_pool_take(MfPool *pool, MfEngine *engine,
								MfDestination *destination);
extern void mf_pool_give(MfPool *pool, MfTransfer *transfer);

/* Nothing is set up for this destination any more. */
extern void mf_pool_forget(MfPool *pool, MfDestination *destination);

/* Frees all, when all are idle. */
extern void mf_pool_free(MfPool *pool);

/* ---- transfer.c ----------------------------------------------------------- */

/*
 * Takes a request: copies it, signs it, writes its headers.  False: out of
 * memory.
 */
extern bool mf_transfer_prepare(MfTransfer *transfer,
								const MfRequest *request, MfMapping mapping);

/* Sets the handle up to go to this address.  False: libcurl refuses. */
extern bool mf_transfer_configure(MfTransfer *transfer,
								  const MfAddress *address);

/* What the request had is given back; the handle stays set up. */
extern void mf_transfer_clear(MfTransfer *transfer);

/* Watches of sockets go through the poller. */
extern int	mf_transfer_close_socket(void *arg, curl_socket_t fd);
extern MfPoller *mf_engine_poller(MfEngine *engine);

/* The value of Retry-After in seconds, or -1: it makes no sense. */
extern int32_t mf_retry_after(const char *value, size_t length);

/* ---- verdict.c ------------------------------------------------------------ */

/* Fills in everything but the tag and the time. */
extern void mf_verdict(MfTransfer *transfer, CURLcode code,
					   MfOutcome *outcome);

/* An outcome without libcurl, or beside what it said. */
extern void mf_verdict_say(MfOutcome *outcome, MfOutcomeKind kind,
						   const char *format,...)
			__attribute__((format(printf, 3, 4)));

/* Did it fail before there was a connection, so that nothing was sent? */
extern bool mf_verdict_unconnected(MfTransfer *transfer, CURLcode code);

#endif							/* MF_TRANSFER_H */
