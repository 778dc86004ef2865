/*
 * sender_serve.c
 *		mesflow-sender --serve: sends what the delivery worker says.
 *
 * One loop, one epoll: the parent's socket, libcurl's and c-ares's.  In each
 * round the events are handled, what is due is done, and all outcomes that
 * came of it go to the parent in one frame.  Where it has no room for them
 * they wait, in order, and its socket is watched for room; nothing more is
 * read from it meanwhile, for it would lead to more outcomes.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "sender_program.h"

#include "../frame/frame.h"
#include "../net/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/*
 * Address space, on a machine of 64 bits.  The bodies under way are bounded by
 * the parent (64 MB); connections with TLS take about 100 kB each.  What
 * reaches this has a leak, and ends: a program that is started again costs
 * less than a server without memory.
 */
#define ADDRESS_SPACE	((rlim_t) 4 * 1024 * 1024 * 1024)

/* Frames taken from the parent before anything else gets its turn. */
#define FRAMES_AT_ONCE	64

/* Exit statuses. */
#define EXIT_DONE		0		/* the parent is gone, or has hung up */
#define EXIT_CONFUSED	2		/* the parent does not make sense */
#define EXIT_EXHAUSTED	3		/* no memory, or libcurl does not work */

/* Frames that wait for room in the socket, the oldest first. */
typedef struct Waiting
{
	struct Waiting *next;
	MfSending	frame;
} Waiting;

typedef struct Server
{
	MfPoller   *poller;
	MfEngine   *engine;
	MfReceived	received;
	MfSending	outcomes;		/* being filled */
	Waiting    *first;
	Waiting    *last;
	bool		stuck;			/* no room in the socket */
	bool		ready;			/* the parent's socket has something */
	bool		ended;
	int			status;
} Server;

static void
end(Server *server, int status)
{
	if (!server->ended)
		server->status = status;
	server->ended = true;
}

static void
parent_ready(void *arg, int fd, uint32_t events)
{
	Server	   *server = arg;

	(void) fd;
	if (events & EPOLLOUT)
		server->stuck = false;
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		server->ready = true;
}

/* ---- outcomes ----------------------------------------------------------- */

/* Puts the frame that is full, or that finds no room, behind the others. */
static bool
set_aside(Server *server)
{
	Waiting    *waiting = malloc(sizeof(*waiting));

	if (waiting == NULL)
		return false;
	waiting->next = NULL;
	waiting->frame = server->outcomes;
	mf_sending_start(&server->outcomes, MF_SENDING_SENT);
	if (server->last != NULL)
		server->last->next = waiting;
	else
		server->first = waiting;
	server->last = waiting;
	return true;
}

static void
outcome_known(void *arg, const MfOutcome *outcome)
{
	Server	   *server = arg;

	if (mf_sending_add_outcome(&server->outcomes, outcome))
		return;

	/* An outcome that obeys no rule is a defect of ours. */
	if (server->outcomes.count == 0 && errno == EINVAL)
		abort();
	if (server->outcomes.count == 0 || !set_aside(server) ||
		!mf_sending_add_outcome(&server->outcomes, outcome))
		end(server, EXIT_EXHAUSTED);
}

/* Sends one frame; false: no room, or the end. */
static bool
flush(Server *server, MfSending *frame)
{
	if (mf_sending_flush(MF_PROGRAM_FD, frame))
		return true;
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)
		server->stuck = true;
	else
		end(server, errno == EPIPE || errno == ECONNRESET ? EXIT_DONE :
			EXIT_EXHAUSTED);
	return false;
}

/* Sends what there is, as far as it goes. */
static void
tell_outcomes(Server *server)
{
	while (!server->stuck && !server->ended && server->first != NULL)
	{
		Waiting    *waiting = server->first;

		if (!flush(server, &waiting->frame))
			break;
		server->first = waiting->next;
		if (server->first == NULL)
			server->last = NULL;
		mf_sending_free(&waiting->frame);
		free(waiting);
	}
	if (!server->stuck && !server->ended)
		(void) flush(server, &server->outcomes);
	if (!mf_poller_watch(server->poller, MF_PROGRAM_FD,
						 server->stuck ? EPOLLOUT : EPOLLIN, parent_ready,
						 server))
		end(server, EXIT_EXHAUSTED);
}

/* ---- what the parent says ----------------------------------------------- */

static MfFrameStatus
take_request(Server *server)
{
	MfReceived *received = &server->received;
	MfRequest	request;
	MfMapping	mapping = {NULL, 0};
	MfFrameStatus status = mf_received_request(received, &request, NULL);

	if (status != MF_FRAME_GOT)
		return status;

	/* A large one came alone: its bytes need not be copied. */
	if (received->mapped != NULL && received->count == 0)
	{
		mapping.start = (void *) received->mapped;
		mapping.size = received->mapped_size;
	}
	if (!mf_engine_send(server->engine, &request, mapping))
		return MF_FRAME_BAD;
	if (mapping.start != NULL)
		received->mapped = NULL;
	return MF_FRAME_GOT;
}

static MfFrameStatus
take_target(Server *server)
{
	MfTarget	target;
	MfFrameStatus status = mf_received_target(&server->received, &target,
											  NULL);

	if (status == MF_FRAME_GOT && !mf_engine_target(server->engine, &target))
		end(server, EXIT_EXHAUSTED);
	return status;
}

static MfFrameStatus
take_forget(Server *server)
{
	uint32_t	number;
	MfFrameStatus status = mf_received_forget(&server->received, &number,
											  NULL);

	if (status == MF_FRAME_GOT)
		mf_engine_forget(server->engine, number);
	return status;
}

/* Takes all entries of one frame; false: they make no sense. */
static bool
take_entries(Server *server)
{
	MfFrameStatus status;

	do
	{
		switch (server->received.type)
		{
			case MF_SENDING_TARGET:
				status = take_target(server);
				break;
			case MF_SENDING_FORGET:
				status = take_forget(server);
				break;
			default:
				status = take_request(server);
				break;
		}
	} while (status == MF_FRAME_GOT && !server->ended);
	return status != MF_FRAME_BAD;
}

static void
listen_to_parent(Server *server)
{
	const unsigned int types =
	1U << (MF_SENDING_TARGET - MF_SENDING_HELLO) |
	1U << (MF_SENDING_FORGET - MF_SENDING_HELLO) |
	1U << (MF_SENDING_SEND - MF_SENDING_HELLO);

	for (int i = 0; i < FRAMES_AT_ONCE && server->ready && !server->ended; i++)
	{
		switch (mf_sending_receive(MF_PROGRAM_FD, false, types,
								   &server->received, NULL))
		{
			case MF_FRAME_GOT:
				if (!take_entries(server))
					end(server, EXIT_CONFUSED);
				break;
			case MF_FRAME_NOTHING:
				server->ready = false;
				break;
			case MF_FRAME_CLOSED:
				end(server, EXIT_DONE);
				break;
			case MF_FRAME_BAD:
				end(server, EXIT_CONFUSED);
				break;
		}
	}
}

/* ---- the whole ---------------------------------------------------------- */

static bool
say_hello(const Server *server)
{
	MfSending	frame;
	MfSenderHello hello;
	bool		said;

	memset(&hello, 0, sizeof(hello));
	hello.protocol = MF_SENDING_PROTOCOL;
	hello.slots = mf_engine_slots(server->engine);
	strncpy(hello.version, MF_VERSION, sizeof(hello.version) - 1);
	mf_engine_libraries(hello.libraries, sizeof(hello.libraries));
	mf_sending_start(&frame, MF_SENDING_HELLO);
	said = mf_sending_add_hello(&frame, &hello) &&
		mf_sending_flush(MF_PROGRAM_FD, &frame);
	mf_sending_free(&frame);
	return said;
}

static void
serve(Server *server)
{
	while (!server->ended)
	{
		if (!mf_poller_wait(server->poller, server->ready && !server->stuck ?
							0 : mf_engine_timeout(server->engine)))
			end(server, EXIT_EXHAUSTED);
		if (server->ready && !server->stuck)
			listen_to_parent(server);
		if (!server->ended && !mf_engine_turn(server->engine))
			end(server, EXIT_EXHAUSTED);
		tell_outcomes(server);
	}
}

int
mf_sender_serve(pid_t parent)
{
	static Server server;
	MfEngineOptions options;
	struct rlimit space = {ADDRESS_SPACE, ADDRESS_SPACE};

	if (!mf_program_settle(parent))
		return EXIT_DONE;
	if (sizeof(void *) > 4)
		(void) setrlimit(RLIMIT_AS, &space);
	memset(&options, 0, sizeof(options));
	options.done = outcome_known;
	options.arg = &server;
	mf_sending_start(&server.outcomes, MF_SENDING_SENT);
	server.poller = mf_poller_create();
	if (server.poller != NULL)
		server.engine = mf_engine_create(server.poller, &options);
	if (server.engine == NULL)
		return EXIT_EXHAUSTED;
	if (!say_hello(&server))
		return EXIT_DONE;
	tell_outcomes(&server);
	serve(&server);

	/* The kernel frees all of it faster than we could. */
	return server.status;
}
