/*
 * delivery_worker.c
 *		The delivery worker: what to do in which order, and when.
 *
 * A turn hears the programs, records what ended, reads what is new, and
 * sends.  Nothing in a turn waits; between turns there is no transaction and
 * no snapshot.
 *
 * An orderly stop runs no transaction: the programs die with the process, and
 * what was under way or not yet recorded is sent again by the next life.
 */
#include "postgres.h"

#include "delivery.h"
#include "executor/spi.h"
#include "guc.h"
#include "plan.h"
#include "stream.h"
#include "utils/memutils.h"

#define TICK_MS		1000

/*
 * How often to look whether this is a copy.  A restore may make it one under
 * a worker that runs: the extension is there before the data.
 */
#define FENCE_MS	5000

MemoryContext mf_delivery_context;

static int64 turn_due;
static int64 fence_due = 0;
static int	fence_failures = 0;
static bool fence_known = false;
static bool fenced = true;		/* until we know better */

static MfPlan is_copy_plan = {
	.sql = "SELECT mesflow._is_copy()",
	.writes = true
};

void
mf_delivery_due(int64 at)
{
	turn_due = Min(turn_due, at);
}

static void
is_copy_work(void *arg)
{
	Datum		copy;

	(void) mf_plan_run(&is_copy_plan, NULL, NULL);
	if (mf_plan_find(0, 1, &copy))
		*(bool *) arg = DatumGetBool(copy);
}

/* May anything leave this database? */
static bool
is_fenced(int64 now)
{
	bool		copy = true;

	if (now >= fence_due)
	{
		switch (mf_worker_try("looking whether the database is a copy", is_copy_work, &copy))
		{
			case MF_TRY_DONE:
				fenced = copy;
				fence_known = true;
				fence_failures = 0;
				fence_due = now + FENCE_MS;
				break;
			case MF_TRY_LATER:
				fence_due = now + 100;
				break;
			case MF_TRY_FAILED:
				fence_due = now + mf_worker_backoff(++fence_failures);
				break;
		}
	}
	mf_delivery_due(fence_due);
	return fenced || mf_guc_effects == MF_EFFECTS_OFF;
}

static void
show_state(void)
{
	char		current[MF_SLOT_TEXT_MAX];
	int			in_flight = mf_senders_in_flight();
	const char *trouble = NULL;

	/* Where nothing is to be sent, no program is needed. */
	if (!fenced && mf_guc_effects != MF_EFFECTS_OFF && mf_guc_delivery &&
		!dlist_is_empty(&mf_endpoints))
		trouble = mf_senders_trouble();
	mf_status_set_sender(NULL, trouble);
	if (!fence_known)
		mf_worker_set_state(MF_STATE_BLOCKED, "not known whether this database is a copy");
	else if (fenced)
		mf_worker_set_state(MF_STATE_FENCED, "this database is a copy, see arm()");
	else if (mf_guc_effects == MF_EFFECTS_OFF)
		mf_worker_set_state(MF_STATE_FENCED, "mesflow.effects is off");
	else if (!mf_guc_delivery && in_flight == 0)
		mf_worker_set_state(MF_STATE_IDLE, "mesflow.delivery is off");
	else if (trouble != NULL)
		mf_worker_set_state(MF_STATE_BLOCKED, trouble);
	else if (in_flight == 0 && mf_record_waiting() == 0)
		mf_worker_set_state(MF_STATE_IDLE, "nothing is under way");
	else
	{
		/* Not the number, which is another one in every turn. */
		snprintf(current, sizeof(current), "sends");
		mf_worker_set_state(MF_STATE_BUSY, current);
	}
}

static void
start(void)
{
	mf_delivery_context = AllocSetContextCreate(TopMemoryContext, "mesflow delivery",
												ALLOCSET_DEFAULT_SIZES);
	mf_senders_init();
}

static long
turn(void)
{
	int64		now = mf_wait_now();
	bool		woken = mf_worker_was_woken();
	bool		reloaded = mf_worker_was_reloaded();

	turn_due = now + TICK_MS;
	if (woken && fenced && fence_failures == 0)
		fence_due = now;
	if (is_fenced(now))
	{
		pg_atomic_write_u32(&mf_shared->events_wanted, 0);
		mf_senders_stop();
		mf_endpoints_forget();
		mf_senders_turn(now);
		mf_record_turn(now);	/* has nothing to write, and frees */
		mf_endpoint_free_dropped();
		show_state();
		return (long) Max(turn_due - mf_wait_now(), 0);
	}

	mf_senders_turn(now);
	mf_record_turn(now);
	if (mf_life_turn(now) && mf_endpoints_turn(now, woken || reloaded))
	{
		if (mf_guc_delivery)
		{
			mf_stream_turn(now, woken);
			mf_rows_turn(now);
			mf_schedule_turn(now);
		}
		else
			pg_atomic_write_u32(&mf_shared->events_wanted, 0);
	}
	mf_endpoint_free_dropped();
	show_state();
	return (long) Max(turn_due - mf_wait_now(), 0);
}

extern PGDLLEXPORT void mf_delivery_main(Datum arg);

void
mf_delivery_main(Datum arg)
{
	static const MfWorkerLife life = {start, turn};

	mf_worker_main(MF_WORKER_DELIVERY, &life);
}
