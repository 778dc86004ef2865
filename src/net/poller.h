/*
 * poller.h
 *		Waiting for descriptors, all on one epoll.
 */
#ifndef MF_POLLER_H
#define MF_POLLER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

/* What happens when a descriptor is ready; `events` as epoll has them. */
typedef void (*MfPollerCall) (void *arg, int fd, uint32_t events);

typedef struct MfPoller MfPoller;

extern MfPoller *mf_poller_create(void);
extern void mf_poller_free(MfPoller *poller);

/*
 * Waits for `events` (EPOLLIN, EPOLLOUT; 0: none) at a descriptor from now
 * on.  The kernel is told only where it has to be: a socket that is used for
 * one request after the other costs no system call for each.  So whoever
 * closes a descriptor says so first.  False: out of memory or of watches.
 */
extern bool mf_poller_watch(MfPoller *poller, int fd, uint32_t events,
							MfPollerCall call, void *arg);
extern void mf_poller_closing(MfPoller *poller, int fd);

/* Waits, at most so many milliseconds (-1: for ever), and calls. */
extern bool mf_poller_wait(MfPoller *poller, int timeout_ms);

/* Microseconds of a clock that only goes forward. */
extern int64_t mf_now_us(void);

#endif							/* MF_POLLER_H */
