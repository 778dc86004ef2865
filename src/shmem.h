/*
 * shmem.h
 *		What mesflow keeps in shared memory.
 *
 * One struct and one lock.  Nothing in it belongs to one process only: no
 * descriptors, no pointers but those into shared memory.  A crash restart
 * clears it; what must survive one is in tables.
 */
#ifndef MF_SHMEM_H
#define MF_SHMEM_H

#include "datatype/timestamp.h"
#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/lwlock.h"

/* Kinds of workers: one slot, one doorbell and one process each. */
typedef enum MfWorkerKind
{
	MF_WORKER_LAUNCHER,
	MF_WORKER_PRICING,
	MF_WORKER_DELIVERY,
	MF_WORKER_HOUSEKEEPING
} MfWorkerKind;
#define MF_WORKER_KINDS		(MF_WORKER_HOUSEKEEPING + 1)

/* What a worker is doing; src/worker/README.md has the transitions. */
typedef enum MfWorkerState
{
	MF_STATE_OFF,				/* not wanted: `current` says why */
	MF_STATE_STARTING,			/* reserved or connecting */
	MF_STATE_IDLE,
	MF_STATE_WAITING,			/* ended in peace; `current` says until when */
	MF_STATE_BUSY,
	MF_STATE_FENCED,			/* the database is a copy that nobody armed */
	MF_STATE_BLOCKED,			/* runs, but something it needs is missing */
	MF_STATE_STOPPING,			/* was told to stop */
	MF_STATE_ABSENT,			/* the database has no mesflow */
	MF_STATE_BACKOFF			/* failed; will be started again */
} MfWorkerState;

#define MF_SLOT_TEXT_MAX	160

typedef struct MfSlot
{
	bool		in_use;			/* reserved; pid says whether attached */
	bool		stopping;		/* told to stop, so its end is no failure */
	pid_t		pid;			/* 0: not attached */
	uint32		generation;		/* counts reservations */
	Oid			database;		/* that the worker serves */
	MfWorkerState state;
	TimestampTz since;			/* of the state */
	TimestampTz started_at;		/* of the reservation */
	TimestampTz not_before;		/* do not start it again earlier */
	int			failures;		/* in a row, for the back-off */
	int			starts;			/* since the server started */
	char		current[MF_SLOT_TEXT_MAX];
	char		last_error[MF_SLOT_TEXT_MAX];	/* empty: none */
	TimestampTz last_error_at;
} MfSlot;

/*
 * A doorbell wakes a worker from a place where nothing may fail: rung goes
 * from 0 to 1 once, and only who did that sets the latch.
 */
typedef struct MfDoorbell
{
	pg_atomic_uint32 rung;
	pg_atomic_uint32 owner;		/* 1 + index in ProcGlobal->allProcs; 0: none */
} MfDoorbell;

/* Can programs be confined here? */
typedef enum MfSandboxState
{
	MF_SANDBOX_STATE_UNKNOWN,
	MF_SANDBOX_STATE_AVAILABLE,
	MF_SANDBOX_STATE_MISSING
} MfSandboxState;

/*
 * Pricing functions that caught their cancellation until a process had to end:
 * (OID << 32) + xmin of its row, so that one that was replaced has another
 * chance.
 */
#define MF_STUBBORN_MAX		16

/* Requests under way to the endpoint of this number. */
typedef struct MfInFlight
{
	pg_atomic_uint32 number;
	pg_atomic_uint32 count;
} MfInFlight;

#define MF_IN_FLIGHT_MAX	1024	/* as many as there are requests */

typedef struct MfShared
{
	LWLock	   *lock;			/* of everything but the atomics */
	MfSlot		slots[MF_WORKER_KINDS];
	bool		fenced;			/* as the pricing worker last saw it */
	MfSandboxState sandbox;
	char		program_version[32];	/* empty: not known yet */
	char		sender_version[32]; /* the same of mesflow-sender */
	char		sender_trouble[MF_SLOT_TEXT_MAX];	/* empty: it works */

	MfDoorbell	doorbells[MF_WORKER_KINDS];
	pg_atomic_uint32 stubborn_next;
	pg_atomic_uint64 stubborn[MF_STUBBORN_MAX];

	/* Does the delivery worker want to hear of each event? */
	pg_atomic_uint32 events_wanted;

	/* Requests under way, per endpoint that has any; number 0: free. */
	MfInFlight	in_flight[MF_IN_FLIGHT_MAX];

	pg_atomic_uint64 announcements;
	ConditionVariable announced;
} MfShared;

/* NULL where the library was not preloaded. */
extern MfShared *mf_shared;

/* Asks for the shared memory; called from _PG_init while preloading. */
extern void mf_shmem_request(void);

/* mf_shared, or ERROR MF503 where the library was not preloaded. */
extern MfShared *mf_shmem_require(void);

#endif							/* MF_SHMEM_H */
