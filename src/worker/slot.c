/*
 * slot.c
 *		The slots of workers: the only file that writes them.
 *
 * A slot is reserved by the launcher and attached by the worker it stands
 * for.  Each reservation has a number, its generation, which travels to the
 * worker: a worker that comes late, to a slot that has been given to another
 * meanwhile, finds another number and leaves.  All under one lock, held for
 * a few assignments.
 */
#include "postgres.h"

#include <signal.h>

#include "miscadmin.h"
#include "slot.h"
#include "storage/ipc.h"
#include "utils/timestamp.h"
#include "worker.h"

/* A run of this length clears the count of failures. */
#define MF_GOOD_RUN_MS		60000

/* What this process holds. */
static bool attached = false;
static MfWorkerKind my_kind;
static uint32 my_generation;

/* How it wants to be remembered: see mf_slot_leave. */
static bool leaving = false;
static int	leaving_for;		/* milliseconds */
static bool leaving_as_planned;

static bool error_noted = false;

/*
 * 1 s, 2 s, 4 s ... 60 s: how long to leave something alone that failed so
 * many times in a row, in milliseconds.
 */
int
mf_worker_backoff(int failures)
{
	if (failures < 1)
		return 0;
	return failures > 6 ? 60000 : 1000 << (failures - 1);
}

/* Cuts at the end of a character, so that the text stays valid UTF-8. */
static void
set_text(char *to, const char *from)
{
	size_t		length = strlen(from);

	if (length >= MF_SLOT_TEXT_MAX)
	{
		length = MF_SLOT_TEXT_MAX - 1;
		while (length > 0 && ((unsigned char) from[length] & 0xC0) == 0x80)
			length--;
	}
	memcpy(to, from, length);
	to[length] = '\0';
}

/* The caller holds the lock. */
static void
set_state(MfSlot *slot, MfWorkerState state, const char *current)
{
	if (slot->state != state)
		slot->since = GetCurrentTimestamp();
	slot->state = state;
	set_text(slot->current, current);
}

void
mf_slot_read(MfWorkerKind kind, MfSlot *copy)
{
	LWLockAcquire(mf_shared->lock, LW_SHARED);
	*copy = mf_shared->slots[kind];
	LWLockRelease(mf_shared->lock);
}

const char *
mf_slot_state_name(MfWorkerState state)
{
	switch (state)
	{
		case MF_STATE_OFF:
			return "off";
		case MF_STATE_STARTING:
			return "starting";
		case MF_STATE_IDLE:
			return "idle";
		case MF_STATE_WAITING:
			return "waiting";
		case MF_STATE_BUSY:
			return "busy";
		case MF_STATE_FENCED:
			return "fenced";
		case MF_STATE_BLOCKED:
			return "blocked";
		case MF_STATE_STOPPING:
			return "stopping";
		case MF_STATE_ABSENT:
			return "absent";
		case MF_STATE_BACKOFF:
			return "backoff";
	}
	return "unknown";
}

/*
 * Reserves a free slot for a worker that is about to be registered, or a
 * reserved one that nobody attached to.  Returns the generation.
 */
uint32
mf_slot_reserve(MfWorkerKind kind, Oid database)
{
	MfSlot	   *slot = &mf_shared->slots[kind];
	uint32		generation;

	LWLockAcquire(mf_shared->lock, LW_EXCLUSIVE);
	Assert(slot->pid == 0);
	slot->in_use = true;
	slot->stopping = false;
	slot->generation++;
	slot->database = database;
	slot->started_at = GetCurrentTimestamp();
	set_state(slot, MF_STATE_STARTING, "");
	generation = slot->generation;
	LWLockRelease(mf_shared->lock);
	return generation;
}

/* Frees a reservation that came to nothing: no process was started. */
void
mf_slot_give_back(MfWorkerKind kind, uint32 generation, const char *why)
{
	MfSlot	   *slot = &mf_shared->slots[kind];

	LWLockAcquire(mf_shared->lock, LW_EXCLUSIVE);
	if (slot->in_use && slot->pid == 0 && slot->generation == generation)
	{
		slot->in_use = false;
		slot->failures++;
		slot->not_before =
			TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
										mf_worker_backoff(slot->failures));
		set_state(slot, MF_STATE_BACKOFF, why);
		set_text(slot->last_error, why);
		slot->last_error_at = GetCurrentTimestamp();
	}
	LWLockRelease(mf_shared->lock);
}

/* Tells the slot's worker to stop; safe to repeat. */
void
mf_slot_stop(MfWorkerKind kind)
{
	MfSlot	   *slot = &mf_shared->slots[kind];

	/*
	 * Under the lock: a worker that ends clears its pid under the same lock
	 * before it goes, so the number cannot belong to anybody else.
	 */
	LWLockAcquire(mf_shared->lock, LW_EXCLUSIVE);
	if (slot->in_use && slot->pid != 0)
	{
		slot->stopping = true;
		set_state(slot, MF_STATE_STOPPING, "");
		kill(slot->pid, SIGTERM);
	}
	LWLockRelease(mf_shared->lock);
}

/* Says why no worker of this kind is wanted. */
void
mf_slot_set_off(MfWorkerKind kind, const char *why)
{
	MfSlot	   *slot = &mf_shared->slots[kind];

	LWLockAcquire(mf_shared->lock, LW_EXCLUSIVE);
	if (!slot->in_use)
	{
		slot->failures = 0;
		slot->not_before = 0;
		set_state(slot, MF_STATE_OFF, why);
	}
	LWLockRelease(mf_shared->lock);
}

/*
 * Somebody made the extension or armed a copy, or thinks so: what left in
 * peace does not wait any longer.
 */
void
mf_slot_hurry(MfWorkerKind kind)
{
	MfSlot	   *slot = &mf_shared->slots[kind];

	LWLockAcquire(mf_shared->lock, LW_EXCLUSIVE);
	if (!slot->in_use &&
		(slot->state == MF_STATE_ABSENT || slot->state == MF_STATE_WAITING ||
		 slot->state == MF_STATE_FENCED))
		slot->not_before = 0;
	LWLockRelease(mf_shared->lock);
}

/*
 * Before the process goes: clears what it owns, and decides when the
 * launcher may start the next one.  Cannot fail and does not wait.
 */
static void
detach(int code, Datum arg)
{
	MfSlot	   *slot = &mf_shared->slots[my_kind];
	TimestampTz now;

	if (!attached)
		return;
	attached = false;
	mf_doorbell_disown(my_kind);

	now = GetCurrentTimestamp();
	LWLockAcquire(mf_shared->lock, LW_EXCLUSIVE);
	if (slot->pid == MyProcPid && slot->generation == my_generation)
	{
		slot->in_use = false;
		slot->pid = 0;
		if (slot->stopping)
		{
			slot->failures = 0;
			slot->not_before = 0;
			set_state(slot, MF_STATE_OFF, "");
		}
		else if (leaving)
		{
			slot->failures = 0;
			slot->not_before = TimestampTzPlusMilliseconds(now, leaving_for);

			/* A start that was planned is not one that was needed again. */
			if (leaving_as_planned)
				slot->starts--;
		}
		else
		{
			if (TimestampDifferenceExceeds(slot->started_at, now,
										   MF_GOOD_RUN_MS))
				slot->failures = 0;
			slot->failures++;
			slot->not_before =
				TimestampTzPlusMilliseconds(now,
											mf_worker_backoff(slot->failures));
			if (!error_noted)
			{
				set_text(slot->last_error,
						 "ended by a signal or a fatal error, see the server log");
				slot->last_error_at = now;
			}
			set_state(slot, MF_STATE_BACKOFF, "");
		}
	}
	LWLockRelease(mf_shared->lock);

	if (my_kind != MF_WORKER_LAUNCHER)
		mf_doorbell_nudge(MF_WORKER_LAUNCHER);
}

/*
 * Takes the slot that was reserved for this process, and registers what
 * frees it again.  False where the reservation is no longer good.
 */
bool
mf_slot_attach(MfWorkerKind kind, uint32 generation)
{
	MfSlot	   *slot = &mf_shared->slots[kind];
	bool		good;

	my_kind = kind;
	my_generation = generation;
	before_shmem_exit(detach, (Datum) 0);

	LWLockAcquire(mf_shared->lock, LW_EXCLUSIVE);
	good = slot->in_use && slot->pid == 0 && slot->generation == generation;
	if (good)
	{
		slot->pid = MyProcPid;
		slot->starts++;
		attached = true;
	}
	LWLockRelease(mf_shared->lock);

	if (good)
		mf_doorbell_own(kind);
	return good;
}

void
mf_slot_set_state(MfWorkerState state, const char *current)
{
	MfSlot	   *slot = &mf_shared->slots[my_kind];

	Assert(attached);

	/* Only this process writes them while it is attached, but for a stop. */
	if (slot->state == state && strcmp(slot->current, current) == 0)
		return;

	LWLockAcquire(mf_shared->lock, LW_EXCLUSIVE);
	if (!slot->stopping)
		set_state(slot, state, current);
	LWLockRelease(mf_shared->lock);
}

void
mf_slot_set_error(const char *text)
{
	MfSlot	   *slot = &mf_shared->slots[my_kind];

	Assert(attached);
	error_noted = true;
	LWLockAcquire(mf_shared->lock, LW_EXCLUSIVE);
	set_text(slot->last_error, text);
	slot->last_error_at = GetCurrentTimestamp();
	LWLockRelease(mf_shared->lock);
}

/*
 * Before an exit on purpose: the launcher starts the next one after this
 * pause, unless it is told to hurry.
 */
void
mf_slot_leave(MfWorkerState end, const char *why, int pause_ms)
{
	leaving = true;
	leaving_for = pause_ms;
	leaving_as_planned = end == MF_STATE_WAITING || end == MF_STATE_FENCED;
	mf_slot_set_state(end, why);
}

/* What the rest of the module calls. */
void
mf_worker_set_state(MfWorkerState state, const char *current)
{
	mf_slot_set_state(state, current);
}

void
mf_worker_set_error(const char *text)
{
	mf_slot_set_error(text);
}
