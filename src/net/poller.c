/*
 * poller.c
 *		Waiting for descriptors; see poller.h.
 *
 * A watch that is no longer wanted stays with the kernel until it fires; only
 * then is it taken back.  An idle connection, which libcurl stops watching
 * after each request, rarely fires before the next one.
 */
#include "poller.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_AT_ONCE	256

typedef struct Watch
{
	uint32_t	wanted;
	uint32_t	told;			/* what the kernel watches for */
	MfPollerCall call;
	void	   *arg;
} Watch;

struct MfPoller
{
	int			epoll;
	int			room;
	Watch	   *watches;		/* by descriptor */
};

int64_t
mf_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

MfPoller *
mf_poller_create(void)
{
	MfPoller   *poller = calloc(1, sizeof(*poller));

	if (poller == NULL)
		return NULL;
	poller->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (poller->epoll >= 0)
		return poller;
	free(poller);
	return NULL;
}

void
mf_poller_free(MfPoller *poller)
{
	if (poller == NULL)
		return;
	close(poller->epoll);
	free(poller->watches);
	free(poller);
}

/* Tells the kernel what to watch for at a descriptor. */
static bool
tell(MfPoller *poller, int fd, uint32_t events)
{
	Watch	   *watch = &poller->watches[fd];
	struct epoll_event event;
	int			what = events == 0 ? EPOLL_CTL_DEL :
	watch->told == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

	memset(&event, 0, sizeof(event));
	event.events = events;
	event.data.fd = fd;
	watch->told = events;
	return epoll_ctl(poller->epoll, what, fd, &event) == 0;
}

bool
mf_poller_watch(MfPoller *poller, int fd, uint32_t events, MfPollerCall call,
				void *arg)
{
	Watch	   *watch;

	if (fd >= poller->room)
	{
		int			room = poller->room > 0 ? poller->room : 64;
		Watch	   *watches;

		while (room <= fd)
			room *= 2;
		watches = realloc(poller->watches, (size_t) room * sizeof(Watch));
		if (watches == NULL)
			return false;
		memset(watches + poller->room, 0,
			   (size_t) (room - poller->room) * sizeof(Watch));
		poller->watches = watches;
		poller->room = room;
	}
	watch = &poller->watches[fd];
	watch->wanted = events;
	watch->call = call;
	watch->arg = arg;
	return events == 0 || events == watch->told || tell(poller, fd, events);
}

void
mf_poller_closing(MfPoller *poller, int fd)
{
	if (fd >= poller->room)
		return;
	if (poller->watches[fd].told != 0)
		(void) tell(poller, fd, 0);
	memset(&poller->watches[fd], 0, sizeof(Watch));
}

bool
mf_poller_wait(MfPoller *poller, int timeout_ms)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int			count = epoll_wait(poller->epoll, events, EVENTS_AT_ONCE,
								   timeout_ms);

	if (count < 0)
		return errno == EINTR;
	for (int i = 0; i < count; i++)
	{
		const int	fd = events[i].data.fd;
		Watch	   *watch = &poller->watches[fd];

		if (watch->wanted != 0)
			watch->call(watch->arg, fd, events[i].events);
		else if (watch->told != 0)
			(void) tell(poller, fd, 0);
	}
	return true;
}
