/*
 * wait.c
 *		The one place where a worker waits: for its latch, the postmaster's
 *		death, and the descriptors of programs.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "portability/instr_time.h"
#include "postmaster/interrupt.h"
#include "slot.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "worker.h"

/* Events taken from the kernel at once; the rest come with the next call. */
#define MF_EVENTS_AT_ONCE	64

typedef struct MfWatched
{
	int			fd;
	bool	   *ready;
} MfWatched;

static MfWatched *watched = NULL;
static int	watched_count = 0;
static int	watched_room = 0;

/*
 * Nothing can be removed from a wait event set, so a change makes a new one,
 * before the next wait.
 */
static WaitEventSet *event_set = NULL;
static bool event_set_stale = true;

static bool reloaded = false;

void
mf_wait_watch(int fd, bool *ready)
{
	if (watched_count == watched_room)
	{
		int			room = watched_room == 0 ? 16 : 2 * watched_room;

		if (watched == NULL)
			watched = MemoryContextAlloc(TopMemoryContext,
										 room * sizeof(MfWatched));
		else
			watched = repalloc(watched, room * sizeof(MfWatched));
		watched_room = room;
	}
	watched[watched_count].fd = fd;
	watched[watched_count].ready = ready;
	watched_count++;
	event_set_stale = true;
}

void
mf_wait_unwatch(int fd)
{
	for (int i = 0; i < watched_count; i++)
	{
		if (watched[i].fd == fd)
		{
			watched[i] = watched[--watched_count];
			event_set_stale = true;
			return;
		}
	}
}

static void
rebuild(void)
{
	WaitEventSet *old = event_set;

	event_set = NULL;
	if (old != NULL)
		FreeWaitEventSet(old);
	event_set = mf_compat_wait_event_set(watched_count + 2);
	AddWaitEventToSet(event_set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(event_set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL,
					  NULL);
	for (int i = 0; i < watched_count; i++)
		AddWaitEventToSet(event_set, WL_SOCKET_READABLE, watched[i].fd, NULL,
						  watched[i].ready);
	event_set_stale = false;
}

/*
 * Sleeps until something happens or the time is up, then handles interrupts
 * and a reload.  The order matters: whoever sets the latch after the reset
 * is noticed by the next call, and what they did before it is seen by the
 * work that follows this one.
 */
void
mf_wait(long timeout_ms)
{
	static uint32 wait_event = 0;
	WaitEvent	events[MF_EVENTS_AT_ONCE];
	int			count;

	if (event_set_stale)
		rebuild();

	count = WaitEventSetWait(event_set, timeout_ms, events, MF_EVENTS_AT_ONCE,
							 mf_compat_wait_event(&wait_event,
												  "MesflowWorkerMain"));
	for (int i = 0; i < count; i++)
	{
		if (events[i].events & WL_LATCH_SET)
			ResetLatch(MyLatch);
		else if (events[i].user_data != NULL)
			*(bool *) events[i].user_data = true;
	}

	CHECK_FOR_INTERRUPTS();

	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
		reloaded = true;
	}
}

bool
mf_worker_was_reloaded(void)
{
	bool		was = reloaded;

	reloaded = false;
	return was;
}

void
mf_worker_check(void)
{
	CHECK_FOR_INTERRUPTS();
}

int64
mf_wait_now(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return (int64) INSTR_TIME_GET_MILLISEC(now);
}
