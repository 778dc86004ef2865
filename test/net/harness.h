/*
 * harness.h
 *		What the tests of the sender's engine share: an engine to send with, a
 *		server that misbehaves, and one for names.
 */
#ifndef MF_TEST_NET_HARNESS_H
#define MF_TEST_NET_HARNESS_H

#include <stdatomic.h>
#include <sys/types.h>

#include "frame/sending.h"
#include "net/engine.h"

/* ---- servers -------------------------------------------------------------- */

#define LAST_ROOM		(256 * 1024)

/* What a server has seen; shared with it. */
typedef struct Seen
{
	atomic_int	connections;
	atomic_int	requests;
	atomic_int	questions;		/* about names */
	atomic_size_t last_length;
	char		last[LAST_ROOM];	/* the last request, head and body */
} Seen;

typedef struct Server
{
	pid_t		pid;
	uint16_t	port;
	Seen	   *seen;
} Server;

/*
 * A server on 127.0.0.1 that does what the path of a request says; see
 * faults.c.  Start servers before anything has threads.
 */
extern void faults_start(Server *server);

/* A server for the names in names.c, over UDP. */
extern void names_start(Server *server);
extern void server_stop(Server *server);

/* Runs a server's loop in a child, with descriptor fd, in a shared memory. */
extern void server_fork(Server *server, int fd, void (*serve) (int fd));
extern Seen *seen;				/* the child's own */

/* ---- the engine ----------------------------------------------------------- */

extern MfPoller *poller;
extern MfEngine *engine;

extern void engine_open(const Server *names);
extern void engine_close(void);

extern MfBytes text(const char *from);

/* A target with this URL, allowed to go to 127/8 and ::1; number 1. */
extern MfTarget target_of(const char *url);
extern MfTarget target_at(const Server *server, const char *path);

/* Starts a request for target 1; its tag. */
extern uint64_t start_request(void);
extern uint64_t start_body(const char *body);

/* Works until so many outcomes have come in all. */
extern void work_until(unsigned int count);
extern void work_once(int timeout_ms);

/* How often the engine was called since it was opened. */
extern unsigned int turn_count(void);

/* How many outcomes there were, and the outcome of a tag; NULL: none yet. */
extern unsigned int outcome_count(void);
extern const MfOutcome *outcome_of(uint64_t tag);

/* Tells of the target, sends one request, and waits for what comes of it. */
extern const MfOutcome *send_one(const MfTarget *target);
extern const MfOutcome *send_to(const char *url);
extern const MfOutcome *send_at(const Server *server, const char *path);

/* One TAP result; where it fails, says what the outcome was. */
extern bool is_outcome(const MfOutcome *outcome, MfOutcomeKind kind,
					   uint32_t status, const char *what);

/* The value of a header in the last request a server saw; "": none. */
extern const char *header_of(const Server *server, const char *name);

#endif							/* MF_TEST_NET_HARNESS_H */
