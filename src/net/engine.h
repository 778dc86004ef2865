/*
 * engine.h
 *		Sends requests, up to MF_SENDER_SLOTS at the same time (fewer where the
 *		limit of open files is low): libcurl and c-ares on one epoll, without a
 *		thread and without ever waiting.
 *
 * The life of a request:
 *
 *		RESOLVING	its host is looked up
 *		RUNNING		libcurl has it, until a second after the deadline at most
 *		(told)		an outcome: exactly one
 *
 * A redirect that is followed, and a host whose first address does not answer,
 * begin again at RESOLVING, with the time that is left.
 */
#ifndef MF_ENGINE_H
#define MF_ENGINE_H

#include <sys/types.h>

#include "../frame/sending.h"
#include "poller.h"

typedef struct MfEngine MfEngine;

typedef struct MfEngineOptions
{
	/* Called for each request once, from a turn or from mf_engine_send. */
	void		(*done) (void *arg, const MfOutcome *outcome);
	void	   *arg;
	uint16_t	test_dns_port;	/* 0: the system's servers */
	uint16_t	test_dns_tcp_port;
} MfEngineOptions;

/* Memory that holds a request's body and is given up after it. */
typedef struct MfMapping
{
	void	   *start;			/* NULL: none */
	size_t		size;
} MfMapping;

/* NULL: it cannot work here. */
extern MfEngine *mf_engine_create(MfPoller *poller,
								  const MfEngineOptions *options);
extern void mf_engine_free(MfEngine *engine);

/*
 * Tells of a target, or of a new version of it.  Requests under way keep the
 * old one.  False: out of memory.
 */
extern bool mf_engine_target(MfEngine *engine, const MfTarget *target);
extern void mf_engine_forget(MfEngine *engine, uint32_t number);

/*
 * Starts a request.  What it points to is copied; or, with a mapping, its
 * body stays there and the mapping becomes the engine's.  False, and the
 * mapping is the caller's: there is no such target, or no slot is free.
 */
extern bool mf_engine_send(MfEngine *engine, const MfRequest *request,
						   MfMapping mapping);

/*
 * What is to be done now, after waiting: call it after each round of events.
 * False: memory is out, or libcurl broken; end the program.
 */
extern bool mf_engine_turn(MfEngine *engine);

/* How long the poller may wait, in milliseconds; -1: for ever. */
extern int	mf_engine_timeout(MfEngine *engine);

/* How many requests may be under way at the same time. */
extern unsigned int mf_engine_slots(const MfEngine *engine);
extern unsigned int mf_engine_under_way(const MfEngine *engine);

/* "libcurl/8.1.0 OpenSSL/3.0.1 ... c-ares/1.18.1" */
extern void mf_engine_libraries(char *text, size_t size);

#endif							/* MF_ENGINE_H */
