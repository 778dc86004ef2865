/*
 * sending.h
 *		Talking to mesflow-sender: what to send where, and what came of it.
 *
 * Frames as in frame.h, on the same kind of socket, with types of their own.
 * Parent and program share nothing else:
 *
 *		child  -> HELLO				ready, says its versions
 *		parent -> TARGET ...		how to reach one endpoint; replaces an
 *									earlier one of the same number
 *		parent -> SEND ...			requests, each for a target told before
 *		child  -> SENT ...			outcomes, one per request, in any order
 *		parent -> FORGET			a target that is needed no more
 *
 * A frame that is longer than MF_SENDING_PACKET travels as a header alone,
 * whose length is the true one, with a sealed memfd that holds the payload.
 *
 * The parent has at most as many requests under way in one program as it said
 * in its greeting, MF_SENDER_SLOTS or fewer, so the program starts each at
 * once; one more is a broken protocol.
 *
 * Pure C: no PostgreSQL headers here.
 */
#ifndef MF_SENDING_H
#define MF_SENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"

#define MF_SENDING_PROTOCOL		2

/* Longest packet, header included; longer frames go by memfd. */
#define MF_SENDING_PACKET		65536

/* Longest frame of all. */
#define MF_SENDING_MAX			(80 * 1024 * 1024)

#define MF_SENDER_SLOTS			1024

/*
 * Open files with which a program has all slots: for the requests, for twice
 * as many connections that are kept, and for itself.
 */
#define MF_SENDER_OTHER_FILES	128
#define MF_SENDER_FILES			(MF_SENDER_OTHER_FILES + 3 * MF_SENDER_SLOTS)

#define MF_SENDER_TARGETS		65536
#define MF_SENDER_SECRETS		5	/* signatures in one request */
#define MF_SENDER_RESPONSE		4096	/* bytes of a response that are told */
#define MF_SENDER_ERROR			200

/* Bytes that belong to somebody else; not terminated. */
typedef struct MfBytes
{
	const char *data;
	size_t		length;
} MfBytes;

typedef struct MfSenderHello
{
	uint32_t	protocol;
	uint32_t	slots;			/* requests at the same time */
	char		version[32];	/* of the program */
	char		libraries[128]; /* curl, TLS, c-ares */
} MfSenderHello;

/*
 * How to reach an endpoint.  Lists are lines, each ended by '\n'.
 *
 * An address that is not public is refused when its socket is opened, unless
 * both lists of allowed ones name it: by address, network (CIDR), or by the
 * host exactly as it stands in the URL.  The first is the server's, the second
 * the endpoint's.
 */
typedef struct MfTarget
{
	uint32_t	number;			/* below MF_SENDER_TARGETS */
	MfBytes		url;			/* http or https */
	MfBytes		headers;		/* lines "Name: value" that every request has */
	MfBytes		user_password;	/* "user:password" for basic; empty: none */
	MfBytes		bearer;			/* empty: none */
	MfBytes		ca;				/* PEM; empty: the system's */
	MfBytes		client_cert;	/* PEM; empty: none */
	MfBytes		client_key;		/* PEM */
	MfBytes		allowed_by_server;
	MfBytes		allowed_by_endpoint;
	uint32_t	timeout_ms;		/* of all, from the start of the request */
	uint32_t	connect_timeout_ms;
	uint32_t	redirects;		/* followed at most; 0: none */
	uint32_t	secret_count;	/* webhook-signature: one for each */
	MfBytes		secrets[MF_SENDER_SECRETS]; /* 24 to 64 bytes */
} MfTarget;

/*
 * A POST.  The program adds webhook-id, webhook-timestamp and
 * webhook-signature (Standard Webhooks 1.0.0) and the target's headers.
 */
typedef struct MfRequest
{
	uint64_t	tag;
	uint32_t	target;
	MfBytes		id;				/* webhook-id */
	MfBytes		content_type;
	MfBytes		headers;		/* lines of this request alone */
	MfBytes		body;
} MfRequest;

/* What came of a request.  The order is part of the wire format. */
typedef enum MfOutcomeKind
{
	MF_OUTCOME_ANSWERED = 0,	/* there is a status, whatever it says */
	MF_OUTCOME_BLOCKED,			/* the address is not allowed */
	MF_OUTCOME_NAME,			/* the host has no address */
	MF_OUTCOME_CONNECT,			/* no connection */
	MF_OUTCOME_TLS,				/* certificates, handshake */
	MF_OUTCOME_TIMEOUT,
	MF_OUTCOME_LOST,			/* the connection broke */
	MF_OUTCOME_PROTOCOL,		/* not an answer in HTTP */
	MF_OUTCOME_CONFIG			/* the target cannot be used: bad PEM, URL */
} MfOutcomeKind;
#define MF_OUTCOME_LAST		MF_OUTCOME_CONFIG

typedef struct MfOutcome
{
	uint64_t	tag;
	MfOutcomeKind kind;
	uint32_t	status;			/* 100 to 999 with ANSWERED, else 0 */
	uint32_t	duration_us;
	int32_t		retry_after_s;	/* -1: not said; 0 to 365 days, as it was said */
	bool		reused;			/* an old connection */
	char		error[MF_SENDER_ERROR + 1]; /* printable ASCII; empty: none.
											 * Never a header, a query or a
											 * password. */
	uint32_t	response_length;
	char		response[MF_SENDER_RESPONSE];	/* first bytes of the body */
} MfOutcome;

extern const char *mf_outcome_kind_name(MfOutcomeKind kind);

/* Both sides' types of frames. */
typedef enum MfSendingType
{
	MF_SENDING_HELLO = 16,
	MF_SENDING_TARGET,
	MF_SENDING_FORGET,
	MF_SENDING_SEND,
	MF_SENDING_SENT
} MfSendingType;

/* ---- writing ------------------------------------------------------------ */

/*
 * A frame in the making, of one type.  mf_sending_start begins it; add puts
 * entries into it; flush sends it and leaves it empty, of the same type.  The
 * memory is its own: malloc, kept from frame to frame, given back by free.
 */
typedef struct MfSending
{
	MfSendingType type;
	uint32_t	count;			/* entries */
	size_t		length;			/* bytes, header included */
	size_t		room;
	uint8_t    *bytes;
} MfSending;

extern void mf_sending_start(MfSending *frame, MfSendingType type);
extern void mf_sending_free(MfSending *frame);

/*
 * Adds an entry.  False, and nothing is added, where the frame is full (flush
 * it first): a frame that has entries grows to MF_SENDING_PACKET at most; or,
 * with an empty frame, where the entry is beyond all bounds (errno EINVAL) or
 * memory is out (ENOMEM).
 */
extern bool mf_sending_add_hello(MfSending *frame, const MfSenderHello *hello);
extern bool mf_sending_add_target(MfSending *frame, const MfTarget *target);
extern bool mf_sending_add_forget(MfSending *frame, uint32_t number);
extern bool mf_sending_add_request(MfSending *frame, const MfRequest *request);
extern bool mf_sending_add_outcome(MfSending *frame, const MfOutcome *outcome);

/*
 * Sends what there is; true also for an empty frame.  On failure the frame is
 * kept, and errno is EAGAIN where there was no room in the socket (try again
 * later), else what the system said: the other side is gone.
 */
extern bool mf_sending_flush(int fd, MfSending *frame);

/* ---- reading ------------------------------------------------------------ */

/*
 * One frame received.  Entries point into its memory, until the next receive
 * or free.
 */
typedef struct MfReceived
{
	MfSendingType type;
	uint32_t	count;			/* entries not yet taken */
	const uint8_t *at;
	const uint8_t *end;
	uint8_t    *packet;			/* MF_SENDING_PACKET bytes */
	const uint8_t *mapped;		/* payload in a memfd; NULL: none */
	size_t		mapped_size;
} MfReceived;

/*
 * Receives one frame; see mf_frame_receive.  Begin with a zeroed MfReceived.
 * MF_FRAME_BAD where it is not a frame of a type from this list that the
 * caller accepts: `types` is a mask of 1 << (type - MF_SENDING_HELLO).
 */
extern MfFrameStatus mf_sending_receive(int fd, bool wait, unsigned int types,
										MfReceived *received, const char **why);
extern void mf_received_free(MfReceived *received);

/*
 * Takes the next entry, checked field by field.  MF_FRAME_NOTHING at the end;
 * MF_FRAME_BAD: what follows is not an entry of this type.
 */
extern MfFrameStatus mf_received_hello(MfReceived *received,
									   MfSenderHello *hello, const char **why);
extern MfFrameStatus mf_received_target(MfReceived *received,
										MfTarget *target, const char **why);
extern MfFrameStatus mf_received_forget(MfReceived *received,
										uint32_t *number, const char **why);
extern MfFrameStatus mf_received_request(MfReceived *received,
										 MfRequest *request, const char **why);
extern MfFrameStatus mf_received_outcome(MfReceived *received,
										 MfOutcome *outcome, const char **why);

#endif							/* MF_SENDING_H */
