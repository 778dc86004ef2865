/*
 * resolve.h
 *		Addresses of hosts, without ever waiting: c-ares on our epoll.
 *
 * Answers are kept for their time to live, at least 5 and at most 60 seconds,
 * failures for 5.  However many want a name, it is asked for once.
 */
#ifndef MF_RESOLVE_H
#define MF_RESOLVE_H

#include "address.h"
#include "poller.h"

#define MF_RESOLVE_ADDRESSES	64	/* a name with more is refused */
#define MF_RESOLVE_ERROR		100

/* The version of what needs no answer: a host that is an address. */
#define MF_LITERAL_VERSION		1

typedef struct MfResolver MfResolver;

typedef enum MfNameState
{
	MF_NAME_ASKING,
	MF_NAME_KNOWN,
	MF_NAME_FAILED
} MfNameState;

/* What is known about a name; valid until the resolver is called again. */
typedef struct MfName
{
	MfNameState state;
	uint64_t	version;		/* no other answer has it; above
								 * MF_LITERAL_VERSION */
	uint32_t	count;			/* while KNOWN */
	uint32_t	preferred;		/* which to use first */
	MfAddress  *addresses;
	char		error[MF_RESOLVE_ERROR];	/* while FAILED */
} MfName;

/* Somebody who waits for a name.  Theirs; zeroed before the first use. */
typedef struct MfWaiter MfWaiter;
struct MfWaiter
{
	void		(*done) (MfWaiter *waiter, const MfName *name);
	MfWaiter   *next;
	MfWaiter   *previous;
	void	   *entry;			/* where it waits; NULL: nowhere */
};

/* The last three are for tests: see mf_channels_create. */
extern MfResolver *mf_resolver_create(MfPoller *poller, uint16_t test_port,
									  uint16_t test_tcp_port,
									  const char *test_servers);
extern void mf_resolver_free(MfResolver *resolver);

/*
 * What is known about a host.  Where that is ASKING, the waiter's `done` is
 * called once, later.  NULL: out of memory.
 */
extern const MfName *mf_resolver_ask(MfResolver *resolver, const char *host,
									 MfWaiter *waiter);

/* The waiter waits no more. */
extern void mf_resolver_leave(MfWaiter *waiter);

/* This address of the host does not answer: prefer the next one. */
extern void mf_resolver_avoid(MfResolver *resolver, const char *host,
							  const MfAddress *address);

/* When to come back: microseconds from now; -1: never. */
extern int64_t mf_resolver_due(MfResolver *resolver);

/* What is due by the clock. */
extern void mf_resolver_turn(MfResolver *resolver);

/* How many questions were asked, of all names; for tests. */
extern uint64_t mf_resolver_asked(const MfResolver *resolver);

extern const char *mf_resolver_version(void);

#endif							/* MF_RESOLVE_H */
