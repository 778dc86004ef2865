/*
 * wakeup.c
 *		Waking workers and waiting sessions when a transaction commits.
 *
 * What a transaction asks for is remembered in this process and carried out
 * after the commit, when others can see what it did.  There nothing may
 * fail, so there is no lock and no memory in it: an exchange on a doorbell,
 * and a latch.
 *
 * A prepared transaction carries nothing: whoever commits it may be another
 * session.  Workers look by themselves once a second, which covers it.
 */
#include "postgres.h"

#include "access/xact.h"
#include "slot.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "wakeup.h"
#include "worker.h"

static bool wake_pending[MF_WORKER_KINDS];
static bool announce_pending = false;
static bool anything_pending = false;

/* Makes this process the one that the doorbell wakes. */
void
mf_doorbell_own(MfWorkerKind kind)
{
	pg_atomic_write_u32(&mf_shared->doorbells[kind].owner,
						(uint32) (MyProc - ProcGlobal->allProcs) + 1);
}

void
mf_doorbell_disown(MfWorkerKind kind)
{
	pg_atomic_write_u32(&mf_shared->doorbells[kind].owner, 0);
}

/*
 * Was it rung?  Answers once; to be asked after the latch was reset and
 * before looking for work.
 */
bool
mf_doorbell_heard(MfWorkerKind kind)
{
	return pg_atomic_exchange_u32(&mf_shared->doorbells[kind].rung, 0) != 0;
}

/*
 * Sets the owner's latch without ringing.  The owner may end meanwhile and
 * its entry go to another process, which then wakes once for nothing.
 */
void
mf_doorbell_nudge(MfWorkerKind kind)
{
	uint32		owner = pg_atomic_read_u32(&mf_shared->doorbells[kind].owner);

	if (owner != 0)
		SetLatch(&ProcGlobal->allProcs[owner - 1].procLatch);
}

/*
 * Rings: of any number of calls until the owner answers, the first sets the
 * latch.  Without an owner the bell stays rung for the next one.
 */
void
mf_doorbell_ring(MfWorkerKind kind)
{
	uint32		silent = 0;

	if (pg_atomic_compare_exchange_u32(&mf_shared->doorbells[kind].rung,
									   &silent, 1))
		mf_doorbell_nudge(kind);
}

static void
forget(void)
{
	memset(wake_pending, 0, sizeof(wake_pending));
	announce_pending = false;
	anything_pending = false;
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	if (!anything_pending)
		return;

	switch (event)
	{
		case XACT_EVENT_COMMIT:
			for (int kind = 0; kind < MF_WORKER_KINDS; kind++)
			{
				if (wake_pending[kind])
					mf_doorbell_ring(kind);
			}
			if (announce_pending)
			{
				pg_atomic_fetch_add_u64(&mf_shared->announcements, 1);
				ConditionVariableBroadcast(&mf_shared->announced);
			}
			forget();
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			forget();
			break;
		default:
			break;
	}
}

void
mf_wakeup_init(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
}

void
mf_wakeup_at_commit(MfWorkerKind kind)
{
	if (mf_shared == NULL)
		return;
	wake_pending[kind] = true;
	anything_pending = true;
}

void
mf_wakeup_announce_at_commit(void)
{
	if (mf_shared == NULL)
		return;
	announce_pending = true;
	anything_pending = true;
}
