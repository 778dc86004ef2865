/*
 * helpers.c
 *		The programs of the pricing slots: started before there is work, used
 *		for one job, replaced.
 *
 * Nothing here waits for a program.  One that says nothing sensible, or too
 * much, is killed; one that is killed is reaped when it is gone, and its
 * slot has a new one meanwhile.
 */
#include "postgres.h"

#include "mesflow.h"
#include "miscadmin.h"
#include "pricing.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "utils/memutils.h"

/* From start to HELLO, and from the end of the socket to that of the process. */
#define HELLO_MS			10000
#define ENDING_MS			2000

/* A program that dies without a job is not replaced at once. */
#define IDLE_DEATH_MS		1000

/* How often to look whether a killed program is gone. */
#define REAP_MS				20

/* What one program may send before others get their turn, and in a second. */
#define FRAMES_PER_TURN		32
#define FRAMES_PER_SECOND	1000

/* Programs started in one turn: each takes a millisecond or two. */
#define SPAWNS_PER_TURN		8

static MfPricingSlot *slots[MF_MAX_PRICING_SLOTS];
static int	slot_count = 0;		/* that exist */
static int	slots_wanted = 0;

/* Killed, their answer of no interest, not yet reaped. */
static MfProgram graveyard[2 * MF_MAX_PRICING_SLOTS];
static int	graves = 0;

/* Starts that failed in a row, and why the last did; empty: none. */
static int	start_failures = 0;
static int64 start_not_before = 0;
static char trouble[MF_SLOT_TEXT_MAX];
static bool trouble_warned = false;

static bool sandbox_missing = false;
static bool sandbox_warned = false;

MfPricingSlot *
mf_pricing_slot(int index)
{
	return slots[index];
}

int
mf_pricing_slot_count(void)
{
	return slot_count;
}

/* May jobs be claimed for these programs? */
bool
mf_helpers_usable(void)
{
	return !(sandbox_missing && mf_guc_sandbox == MF_SANDBOX_REQUIRE);
}

/* What is wrong with the programs, for worker_status; NULL: nothing. */
const char *
mf_helpers_trouble(void)
{
	if (trouble[0] != '\0')
		return trouble;
	if (!mf_helpers_usable())
		return "no sandbox on this system and mesflow.sandbox is require";
	return NULL;
}

/* At exit: kills all, waits for none.  Whoever adopts them reaps them. */
static void
kill_all(int code, Datum arg)
{
	for (int i = 0; i < slot_count; i++)
		mf_program_kill(&slots[i]->program);
}

void
mf_helpers_init(void)
{
	before_shmem_exit(kill_all, (Datum) 0);
}

/*
 * Sets how many slots there should be.  Those above it end when they have no
 * job any more.
 */
void
mf_helpers_set_count(int wanted)
{
	slots_wanted = wanted;
	while (slot_count < wanted)
	{
		MfPricingSlot *slot = MemoryContextAllocZero(TopMemoryContext,
													 sizeof(MfPricingSlot));

		slot->program.fd = -1;
		slot->memfd = -1;
		slots[slot_count++] = slot;
	}
}

static void
set_helper(MfPricingSlot *slot, MfHelperState state, int64 now)
{
	slot->helper = state;
	slot->helper_since = now;
}

/* Takes the program's descriptor out of the wait, before it is closed. */
static void
unwatch(MfPricingSlot *slot)
{
	if (slot->program.fd >= 0)
	{
		mf_wait_unwatch(slot->program.fd);
		ReleaseExternalFD();
	}
	slot->readable = false;
}

/* Ends the program of a slot, whatever it is doing. */
void
mf_helper_dispose(MfPricingSlot *slot)
{
	if (slot->helper == MF_HELPER_NONE)
		return;
	if (slot->helper != MF_HELPER_ENDING)
		unwatch(slot);
	mf_program_kill(&slot->program);
	graveyard[graves++] = slot->program;
	slot->program.pid = 0;
	slot->program.fd = -1;
	set_helper(slot, MF_HELPER_NONE, mf_wait_now());
}

static void
bury(int64 now)
{
	for (int i = graves - 1; i >= 0; i--)
	{
		MfProgramEnd end;

		if (mf_program_reap(&graveyard[i], &end))
			graveyard[i] = graveyard[--graves];
	}
	if (graves > 0)
		mf_pricing_due(now + REAP_MS);
}

/*
 * A program could not be started, or was not what we need.  One warning per
 * episode, however long it lasts.
 */
static void
start_failed(int64 now, const char *why)
{
	strlcpy(trouble, why, sizeof(trouble));
	mf_worker_set_error(why);
	if (now >= start_not_before)
	{
		start_failures++;
		start_not_before = now + mf_worker_backoff(start_failures);
	}
	if (!trouble_warned)
		ereport(WARNING,
				(errcode(MF_ERRCODE_NOT_HERE),
				 errmsg("mesflow-geometry does not work: %s", why),
				 errdetail("The program is \"%s\".",
						   mf_program_path("mesflow-geometry")),
				 errhint("Install the programs that belong to this library. The pricing worker keeps trying.")));
	trouble_warned = true;
}

static void
start_succeeded(void)
{
	if (start_failures > 0)
		ereport(LOG,
				(errhidecontext(true),
				 errmsg("mesflow-geometry works again")));
	start_failures = 0;
	start_not_before = 0;
	trouble[0] = '\0';
	trouble_warned = false;
}

/* Kills a program that does not keep to the protocol. */
static void
misbehaved(MfPricingSlot *slot, int64 now, const char *why)
{
	MfHelperState state = slot->helper;
	int			pid = (int) slot->program.pid;

	mf_helper_dispose(slot);
	if (state == MF_HELPER_STARTING)
	{
		start_failed(now, why);
		return;
	}
	if (slot->job == MF_JOB_RUNNING)
	{
		ereport(LOG,
				(errhidecontext(true),
				 errmsg("mesflow-geometry (PID %d) broke the protocol in job "
						INT64_FORMAT ": %s", pid, slot->claim.job, why)));
		mf_job_refuse(slot, MF_ERROR_CRASHED,
					  "The measuring program returned nonsense.");
	}
	else
	{
		ereport(LOG,
				(errhidecontext(true),
				 errmsg("mesflow-geometry (PID %d) broke the protocol: %s",
						pid, why)));
		slot->not_before = now + IDLE_DEATH_MS;
	}
}

static void
take_hello(MfPricingSlot *slot, const MfHello *hello, int64 now)
{
	char		why[MF_SLOT_TEXT_MAX];

	if (hello->protocol != MF_FRAME_PROTOCOL ||
		hello->engine_version != MF_ENGINE_VERSION)
	{
		snprintf(why, sizeof(why),
				 "it speaks protocol %u with engine %u, this library protocol %d with engine %d",
				 hello->protocol, hello->engine_version,
				 MF_FRAME_PROTOCOL, MF_ENGINE_VERSION);
		misbehaved(slot, now, why);
		return;
	}

	set_helper(slot, MF_HELPER_READY, now);
	slot->said_hello = true;
	start_succeeded();
	mf_status_set_program(hello->version, hello->sandbox);
	sandbox_missing = !hello->sandbox;
	if (mf_helpers_usable())
		sandbox_warned = false;
	else if (!sandbox_warned)
	{
		sandbox_warned = true;
		mf_worker_set_error(mf_helpers_trouble());
		ereport(WARNING,
				(errcode(MF_ERRCODE_NOT_HERE),
				 errmsg("this system cannot confine mesflow-geometry, so nothing is measured here"),
				 errhint("Enable seccomp in the kernel or the container, or set mesflow.sandbox to off if all models are trusted.")));
	}
}

/* The program's last word on its job: it is not used for another. */
static void
take_answer(MfPricingSlot *slot, const MfFrame *frame)
{
	if (frame->type == MF_FRAME_RESULT)
	{
		slot->result = frame->u.result;
		slot->job = MF_JOB_MEASURED;
	}
	else
	{
		slot->refusal = frame->u.refused;
		slot->job = MF_JOB_REFUSED;
	}
	slot->attempts = 0;
	slot->retry_at = 0;
	mf_helper_dispose(slot);
}

static void
take_frame(MfPricingSlot *slot, const MfFrame *frame, int64 now)
{
	if (frame->type == MF_FRAME_HELLO && slot->helper == MF_HELPER_STARTING)
		take_hello(slot, &frame->u.hello, now);
	else if (slot->helper == MF_HELPER_WORKING &&
			 frame->tag == (uint64) slot->claim.job &&
			 frame->type == MF_FRAME_PROGRESS)
		slot->progress = frame->u.progress;
	else if (slot->helper == MF_HELPER_WORKING &&
			 frame->tag == (uint64) slot->claim.job &&
			 (frame->type == MF_FRAME_RESULT ||
			  frame->type == MF_FRAME_REFUSED))
		take_answer(slot, frame);
	else
		misbehaved(slot, now, "a message that has no place here");
}

static void
receive(MfPricingSlot *slot, int64 now)
{
	static MfFrame frame;		/* large */

	slot->readable = false;
	for (int i = 0; i < FRAMES_PER_TURN; i++)
	{
		const char *why = NULL;

		switch (mf_frame_receive(slot->program.fd, false, &frame, &why))
		{
			case MF_FRAME_NOTHING:
				return;
			case MF_FRAME_GOT:
				break;
			case MF_FRAME_CLOSED:
				/* How it ended is known when it can be reaped. */
				unwatch(slot);
				set_helper(slot, MF_HELPER_ENDING, now);
				return;
			case MF_FRAME_BAD:
				misbehaved(slot, now, why ? why : "a malformed message");
				return;
		}

		if (now - slot->second >= 1000)
		{
			slot->second = now;
			slot->frames = 0;
		}
		if (++slot->frames > FRAMES_PER_SECOND)
		{
			misbehaved(slot, now, "too many messages");
			return;
		}

		take_frame(slot, &frame, now);
		if (slot->helper == MF_HELPER_NONE)
			return;
	}
	/* The rest makes the next wait return at once. */
}

/* Waits, without waiting, for a program that has closed its side. */
static void
reap(MfPricingSlot *slot, int64 now)
{
	MfProgramEnd end;
	int			pid = (int) slot->program.pid;
	MfErrorCode code;
	char		how[64];

	if (!mf_program_reap(&slot->program, &end))
	{
		if (now - slot->helper_since < ENDING_MS)
		{
			mf_pricing_due(now + REAP_MS / 4);
			return;
		}
		mf_helper_dispose(slot);
		end.signal = 0;
		end.exit_status = -1;
	}
	set_helper(slot, MF_HELPER_NONE, now);

	if (end.signal != 0)
		snprintf(how, sizeof(how), "was terminated by signal %d", end.signal);
	else
		snprintf(how, sizeof(how), "exited with status %d", end.exit_status);

	if (slot->job == MF_JOB_RUNNING)
	{
		ereport(LOG,
				(errhidecontext(true),
				 errmsg("mesflow-geometry (PID %d) %s in job " INT64_FORMAT
						", stage %s", pid, how, slot->claim.job,
						mf_stage_name(slot->progress.stage))));
		code = mf_program_end_to_error(&end);
		if (code == MF_ERROR_TIMEOUT)
			mf_job_refuse(slot, code,
						  "Measuring took more processor time than is allowed.");
		else
			mf_job_refuse(slot, MF_ERROR_CRASHED,
						  "The measuring program ended without an answer.");
	}
	else if (slot->said_hello)
	{
		ereport(LOG,
				(errhidecontext(true),
				 errmsg("mesflow-geometry (PID %d) %s while it had no job",
						pid, how)));
		slot->not_before = now + IDLE_DEATH_MS;
	}
	else
	{
		char		why[MF_SLOT_TEXT_MAX];

		snprintf(why, sizeof(why), "it %s before it was ready", how);
		start_failed(now, why);
	}
}

static void
spawn(MfPricingSlot *slot, int64 now)
{
	char		error[MF_SLOT_TEXT_MAX];

	/* Core counts descriptors so that there are enough for files. */
	if (!AcquireExternalFD())
	{
		start_failed(now, "too many open files, see max_files_per_process");
		return;
	}
	if (!mf_program_spawn(mf_program_path("mesflow-geometry"),
						  &slot->program, error, sizeof(error)))
	{
		ReleaseExternalFD();
		start_failed(now, error);
		return;
	}
	slot->said_hello = false;
	slot->frames = 0;
	set_helper(slot, MF_HELPER_STARTING, now);
	mf_wait_watch(slot->program.fd, &slot->readable);
}

/* A slot that is no longer wanted still ends the job it has. */
static bool
needs_program(int index)
{
	MfJobPhase	job = slots[index]->job;

	return slots[index]->helper == MF_HELPER_NONE &&
		(index < slots_wanted || job == MF_JOB_FEEDING ||
		 job == MF_JOB_WAITING);
}

/* Starts what is missing; one at a time while starts fail. */
static void
spawn_missing(int64 now)
{
	int			starting = 0;
	int			spawned = 0;

	for (int i = 0; i < slot_count; i++)
		starting += slots[i]->helper == MF_HELPER_STARTING;

	for (int i = 0; i < slot_count; i++)
	{
		MfPricingSlot *slot = slots[i];
		int64		at = Max(slot->not_before, start_not_before);

		if (!needs_program(i))
			continue;
		if (start_failures > 0 && starting > 0)
			return;
		if (now < at)
		{
			mf_pricing_due(at);
			continue;
		}
		if (spawned == SPAWNS_PER_TURN || graves > MF_MAX_PRICING_SLOTS)
		{
			mf_pricing_due(now);
			return;
		}
		spawn(slot, now);
		spawned++;
		starting++;
	}
}

/* One turn: hears what programs say, replaces those that are gone. */
void
mf_helpers_serve(int64 now)
{
	for (int i = 0; i < slot_count; i++)
	{
		MfPricingSlot *slot = slots[i];

		if (slot->readable)
			receive(slot, now);
		if (slot->helper == MF_HELPER_ENDING)
			reap(slot, now);
		if (slot->helper == MF_HELPER_STARTING)
		{
			if (now - slot->helper_since >= HELLO_MS)
				misbehaved(slot, now, "it was not ready in time");
			else
				mf_pricing_due(slot->helper_since + HELLO_MS);
		}
		if (i >= slots_wanted && slot->job == MF_JOB_NONE)
			mf_helper_dispose(slot);
	}
	bury(now);
	spawn_missing(now);
}
