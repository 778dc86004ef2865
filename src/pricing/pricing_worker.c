/*
 * pricing_worker.c
 *		The pricing worker: what to do in which order, and when.
 *
 * A turn hears the programs, records outcomes, sends a heartbeat, sweeps,
 * claims, copies a piece of a model, and does a portion of a batch, each only
 * where it is due.  Nothing
 * in a turn waits; between turns there is no transaction and no snapshot.
 *
 * An orderly stop runs no transaction: SIGTERM ends the process at the next
 * check for interrupts, wherever it is.  The programs die with it, and the
 * next life takes the jobs back when it registers.
 */
#include "postgres.h"

#include "mesflow.h"
#include "pricing.h"

#define TICK_MS				1000

/* Between heartbeats that somebody's wake-up asks for. */
#define HEARTBEAT_FLOOR_MS	20

/*
 * How often to look whether this is a copy.  A restore may make it one under
 * a worker that runs: the extension is there before the data.
 */
#define FENCE_MS			5000

/* After something here failed that a job needs. */
#define PAUSE_MS			1000

#define CLAIM_MAX			256
#define LATER_MS			100

/* Something that is called again and again, with a back-off of its own. */
typedef struct MfDuty
{
	int64		due;
	int			failures;
} MfDuty;

static MfDuty fence_duty;
static MfDuty register_duty;
static MfDuty heartbeat_duty;
static MfDuty sweep_duty;
static MfDuty claim_duty;
static MfDuty settings_duty;

static int64 turn_due;
static int64 claim_pause = 0;
static bool fence_known = false;
static bool fenced = true;		/* until we know better */
static bool registered = false;
static bool claim_wanted = true;
static bool heartbeat_wanted = false;
static int64 last_heartbeat = 0;
static int64 lease_ms = 30000;
static int64 poll_ms = TICK_MS;

/* As what the database knows us. */
static int	told_slots;
static char told_name[NAMEDATALEN];

void
mf_pricing_due(int64 at)
{
	turn_due = Min(turn_due, at);
}

void
mf_pricing_pause(int64 now)
{
	claim_pause = now + PAUSE_MS;
}

/* True where the duty was done; otherwise sets when to try again. */
static bool
done(MfDuty *duty, MfTry outcome, int64 now, int64 every)
{
	switch (outcome)
	{
		case MF_TRY_DONE:
			duty->failures = 0;
			duty->due = now + every;
			return true;
		case MF_TRY_LATER:
			duty->due = now + LATER_MS;
			break;
		case MF_TRY_FAILED:
			duty->failures++;
			duty->due = now + mf_worker_backoff(duty->failures);
			break;
	}
	return false;
}

static bool
is_due(const MfDuty *duty, int64 now)
{
	if (now >= duty->due)
		return true;
	mf_pricing_due(duty->due);
	return false;
}

static void
forget_registration(void)
{
	mf_jobs_forget_all();
	registered = false;
	register_duty.due = 0;
}

/* Is this a copy of the database that mesflow was installed in? */
static void
check_fence(int64 now)
{
	bool		copy = true;

	if (!is_due(&fence_duty, now))
		return;
	if (!done(&fence_duty, mf_call_is_copy(&copy), now, FENCE_MS))
	{
		mf_pricing_due(fence_duty.due);
		return;
	}
	mf_pricing_due(fence_duty.due);
	fence_known = true;
	if (copy && registered)
		forget_registration();
	fenced = copy;
	mf_status_set_fenced(copy);
}

static void
note_settings(void)
{
	told_slots = mf_guc_pricing_slots;
	strlcpy(told_name, mf_guc_node_name, sizeof(told_name));
}

static void
register_server(int64 now)
{
	if (!is_due(&register_duty, now))
		return;
	if (!done(&register_duty,
			  mf_call_register(mf_guc_node_name, mf_guc_pricing_slots,
							   &lease_ms, &poll_ms), now, 0))
	{
		mf_pricing_due(register_duty.due);
		return;
	}
	registered = true;
	note_settings();
	claim_wanted = true;
	heartbeat_duty.due = now + lease_ms / 3;
}

static void
sweep(int64 now)
{
	int			moved = 0;

	if (is_due(&sweep_duty, now))
	{
		if (done(&sweep_duty, mf_call_sweep(&moved), now, TICK_MS) && moved > 0)
			claim_wanted = true;
		mf_pricing_due(sweep_duty.due);
	}
}

/*
 * Once a second while there are jobs, so that their progress is seen; three
 * times per lease while there are none; and when woken, because a cancelled
 * job wakes us.
 */
static void
send_heartbeat(int64 now)
{
	int64		every = mf_jobs_held() > 0 ? TICK_MS : lease_ms / 3;
	int64		due = Min(heartbeat_duty.due, last_heartbeat + every);

	if (heartbeat_duty.failures > 0)
		due = heartbeat_duty.due;
	else if (heartbeat_wanted)
		due = Min(due, last_heartbeat + HEARTBEAT_FLOOR_MS);
	if (now < due)
	{
		mf_pricing_due(due);
		return;
	}

	heartbeat_wanted = false;
	last_heartbeat = now;
	(void) done(&heartbeat_duty, mf_record_heartbeat(), now, every);
	mf_pricing_due(heartbeat_duty.due);
}

/* Slots whose program waits for a job. */
static int
find_ready(MfPricingSlot **ready, int limit)
{
	int			count = 0;

	for (int i = 0; i < mf_guc_pricing_slots && count < limit; i++)
	{
		MfPricingSlot *slot = mf_pricing_slot(i);

		if (slot->job == MF_JOB_NONE && slot->child.state == MF_CHILD_READY)
			ready[count++] = slot;
	}
	return count;
}

static void
claim(int64 now)
{
	static MfClaim claims[CLAIM_MAX];
	MfPricingSlot *ready[CLAIM_MAX];
	int			wanted;
	int			count;
	bool		more = false;

	if (!claim_wanted && !is_due(&claim_duty, now))
		return;
	if (now < claim_pause || (claim_duty.failures > 0 && now < claim_duty.due))
	{
		mf_pricing_due(Max(claim_pause, claim_duty.due));
		return;
	}
	claim_wanted = true;
	if (!mf_helpers_usable() || mf_jobs_alone())
		return;
	wanted = find_ready(ready, CLAIM_MAX);
	if (wanted == 0)
		return;

	if (!done(&claim_duty, mf_call_claim(wanted, claims, &count), now, poll_ms))
	{
		mf_pricing_due(claim_duty.due);
		return;
	}
	mf_pricing_due(claim_duty.due);
	for (int i = 0; i < count; i++)
		mf_job_start(ready[i], &claims[i], now);

	/* All slots are taken: the next free one asks again. */
	if (count == wanted)
		return;
	if (mf_call_more(&more) == MF_TRY_DONE && more)
		mf_pricing_due(now);
	claim_wanted = more;
}

static void
show_state(void)
{
	int			held = mf_jobs_held();
	char		current[MF_SLOT_TEXT_MAX];

	if (!fence_known)
		mf_worker_set_state(MF_STATE_BLOCKED,
							"not known whether this database is a copy");
	else if (fenced)
		mf_worker_set_state(MF_STATE_FENCED,
							"this database is a copy, see arm()");
	else if (mf_guc_pricing_slots > 0 && mf_helpers_trouble() != NULL)
		mf_worker_set_state(MF_STATE_BLOCKED, mf_helpers_trouble());
	else if (!registered)
		mf_worker_set_state(MF_STATE_BLOCKED, "not registered");
	else
	{
		snprintf(current, sizeof(current), "%d of %d slots in use", held,
				 mf_guc_pricing_slots);
		mf_worker_set_state(held > 0 || mf_batch_at_work() ?
							MF_STATE_BUSY : MF_STATE_IDLE, current);
	}
}

static void
start(void)
{
	mf_helpers_init();
	mf_helpers_set_count(mf_guc_pricing_slots);
}

/*
 * After a reload: tells the database under what name and with how many slots
 * we work now.  The registration and its jobs stay as they are.
 */
static void
tell_settings(int64 now)
{
	if (told_slots == mf_guc_pricing_slots &&
		strcmp(told_name, mf_guc_node_name) == 0)
		return;
	if (!is_due(&settings_duty, now))
		return;
	if (done(&settings_duty,
			 mf_call_settings(mf_guc_node_name, mf_guc_pricing_slots), now, 0))
		note_settings();
	else
		mf_pricing_due(settings_duty.due);
}

static long
turn(void)
{
	int64		now = mf_wait_now();
	bool		woken = mf_worker_was_woken();
	int			held;

	turn_due = now + TICK_MS;
	if (mf_worker_was_reloaded())
		woken = true;
	if (woken)
	{
		mf_orders_look(now);
		claim_wanted = true;
		heartbeat_wanted = mf_jobs_held() > 0;
		mf_batch_look(now);
		if (fenced && fence_duty.failures == 0)
			fence_duty.due = now;
	}

	check_fence(now);
	if (fenced)
	{
		mf_helpers_set_count(0);
		mf_helpers_serve(now);
		show_state();
		return (long) Max(turn_due - mf_wait_now(), 0);
	}

	/* More slots at once, fewer as they fall free. */
	mf_helpers_set_count(mf_guc_pricing_slots);
	mf_helpers_serve(now);
	mf_jobs_expire(now);
	if (!registered)
		register_server(now);
	if (registered)
	{
		tell_settings(now);
		held = mf_jobs_held();
		mf_record_outcomes(now);
		if (mf_jobs_held() < held)
		{
			mf_batch_look(now);
			mf_orders_look(now);
		}
		send_heartbeat(now);
	}

	/* After the heartbeat: when we were stopped for long, our lease is over. */
	sweep(now);
	if (registered)
	{
		claim(now);
		mf_feed_turn(now);
		mf_jobs_dispatch(now);
	}

	/* After the jobs: they get their turn between two portions. */
	mf_batch_turn(now);
	mf_orders_turn(now);
	if (registered && mf_call_node_is_unknown())
	{
		forget_registration();
		mf_pricing_due(now);
	}
	show_state();

	return (long) Max(turn_due - mf_wait_now(), 0);
}

void
mf_pricing_main(Datum arg)
{
	static const MfWorkerLife life = {start, turn};

	mf_worker_main(MF_WORKER_PRICING, &life);
}
