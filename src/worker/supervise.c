/*
 * supervise.c
 *		The lives of the programs that a worker has; see supervise.h.
 */
#include "postgres.h"

#include "guc.h"
#include "mesflow.h"
#include "slot.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "supervise.h"
#include "worker.h"

/* From start to HELLO, and from the end of the socket to that of the process. */
#define HELLO_MS			10000
#define ENDING_MS			2000

/* How often to look whether one that is killed, or is ending, is gone. */
#define REAP_MS				20
#define ENDING_LOOK_MS		5

/* What one program may send before others get their turn. */
#define FRAMES_PER_TURN		64

/* No worker has more of them than the pricing worker. */
#define CHILDREN_MAX		MF_MAX_PRICING_SLOTS

/* None is started while more than the children and these are to be reaped. */
#define SPARE_GRAVES		64

static const MfSupervision *ours;

static MfChild *children[CHILDREN_MAX];
static int	child_count = 0;

/* Killed, their answer of no interest, not yet reaped. */
static MfProgram graveyard[2 * CHILDREN_MAX + SPARE_GRAVES];
static int	graves = 0;

/* Starts that failed in a row, and why the last did. */
static int	start_failures = 0;
static int64 start_not_before = 0;
static char trouble[MF_SLOT_TEXT_MAX];

/* At exit: kills all, waits for none.  Whoever adopts them reaps them. */
static void
kill_all(int code, Datum arg)
{
	for (int i = 0; i < child_count; i++)
		mf_program_kill(&children[i]->program);
}

void
mf_children_init(const MfSupervision *supervision)
{
	ours = supervision;
	before_shmem_exit(kill_all, (Datum) 0);
}

void
mf_children_add(MfChild *child)
{
	Assert(child_count < CHILDREN_MAX);
	child->program.fd = -1;
	children[child_count++] = child;
}

const char *
mf_children_trouble(void)
{
	return start_failures > 0 ? trouble : NULL;
}

static void
set_state(MfChild *child, MfChildState state, int64 now)
{
	child->state = state;
	child->since = now;
}

/* ---- starting ------------------------------------------------------------ */

/*
 * A program could not be started, or was not what we need.  One warning per
 * episode, however long it lasts.
 */
static void
start_failed(const char *why, int64 now)
{
	strlcpy(trouble, why, sizeof(trouble));
	mf_worker_set_error(why);
	if (start_failures == 0)
		ereport(WARNING,
				(errcode(MF_ERRCODE_NOT_HERE),
				 errmsg("%s does not work: %s", ours->program, why),
				 errdetail("The program is \"%s\".",
						   mf_program_path(ours->program)),
				 errhint("Install the programs that belong to this library. The %s worker keeps trying.",
						 ours->worker)));
	if (now >= start_not_before)
	{
		start_failures++;
		start_not_before = now + mf_worker_backoff(start_failures);
	}
}

static void
start_succeeded(MfChild *child, int64 now)
{
	set_state(child, MF_CHILD_READY, now);
	child->ready_at = now;
	if (start_failures > 0)
		ereport(LOG,
				(errhidecontext(true),
				 errmsg("%s works again", ours->program)));
	start_failures = 0;
	start_not_before = 0;
}

int64
mf_child_start_at(int64 now)
{
	if (graves >= child_count + SPARE_GRAVES)
		return Max(start_not_before, now + REAP_MS);
	return start_not_before;
}

void
mf_child_start(MfChild *child, int64 now)
{
	char		error[MF_SLOT_TEXT_MAX];

	Assert(child->state == MF_CHILD_NONE);

	/* Core counts descriptors so that there are enough for files. */
	if (!AcquireExternalFD())
	{
		start_failed("too many open files, see max_files_per_process", now);
		return;
	}
	if (!mf_program_spawn(mf_program_path(ours->program), &child->program,
						  error, sizeof(error)))
	{
		ReleaseExternalFD();
		start_failed(error, now);
		return;
	}
	child->ready_at = 0;
	set_state(child, MF_CHILD_STARTING, now);
	mf_wait_watch(child->program.fd, &child->readable);
}

/* ---- ending -------------------------------------------------------------- */

/* Takes the program's descriptor out of the wait, before it is closed. */
static void
unwatch(MfChild *child)
{
	if (child->program.fd >= 0)
	{
		mf_wait_unwatch(child->program.fd);
		ReleaseExternalFD();
	}
	child->readable = false;
}

void
mf_child_end(MfChild *child)
{
	if (child->state == MF_CHILD_NONE)
		return;
	if (child->state != MF_CHILD_ENDING)
		unwatch(child);
	mf_program_kill(&child->program);
	graveyard[graves++] = child->program;
	child->program.pid = 0;
	child->program.fd = -1;
	set_state(child, MF_CHILD_NONE, mf_wait_now());
}

static void
log_loss(const MfChild *child, int pid, const char *how, const char *why)
{
	char		doing[64];

	ours->describe(child, doing, sizeof(doing));
	ereport(LOG,
			(errhidecontext(true),
			 errmsg("%s (PID %d) %s %s%s%s", ours->program, pid, how, doing,
					why != NULL ? ": " : "", why != NULL ? why : "")));
}

void
mf_child_fail(MfChild *child, const char *why, int64 now)
{
	int			pid = (int) child->program.pid;

	mf_child_end(child);
	if (child->ready_at == 0)
		start_failed(why, now);
	else
	{
		log_loss(child, pid, "broke the protocol", why);
		ours->lost(child, NULL, now);
	}
}

/* Waits, without waiting, for a program that has closed its side. */
static void
reap(MfChild *child, int64 now)
{
	MfProgramEnd end;
	int			pid = (int) child->program.pid;
	char		how[64];
	char		why[MF_SLOT_TEXT_MAX];

	if (!mf_program_reap(&child->program, &end))
	{
		if (now - child->since < ENDING_MS)
			ours->due(now + ENDING_LOOK_MS);
		else
			mf_child_fail(child, "it closed its side and stayed", now);
		return;
	}
	set_state(child, MF_CHILD_NONE, now);

	if (end.signal != 0)
		snprintf(how, sizeof(how), "was terminated by signal %d", end.signal);
	else
		snprintf(how, sizeof(how), "exited with status %d", end.exit_status);
	if (child->ready_at == 0)
	{
		snprintf(why, sizeof(why), "it %s before it was ready", how);
		start_failed(why, now);
	}
	else
	{
		log_loss(child, pid, how, NULL);
		ours->lost(child, &end, now);
	}
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
		ours->due(now + REAP_MS);
}

/* ---- a turn -------------------------------------------------------------- */

static void
hear(MfChild *child, int64 now)
{
	for (int i = 0; i < FRAMES_PER_TURN; i++)
	{
		const char *why = "a malformed message";

		switch (ours->hear(child, &why, now))
		{
			case MF_FRAME_GOT:
				if (child->state == MF_CHILD_STARTING)
					start_succeeded(child, now);
				else if (child->state == MF_CHILD_NONE)
					return;
				break;
			case MF_FRAME_NOTHING:
				child->readable = false;
				return;
			case MF_FRAME_CLOSED:
				/* How it ended is known when it can be reaped. */
				unwatch(child);
				set_state(child, MF_CHILD_ENDING, now);
				return;
			case MF_FRAME_BAD:
				mf_child_fail(child, why, now);
				return;
		}
	}

	/* Others first. */
	ours->due(now);
}

void
mf_children_turn(int64 now)
{
	for (int i = 0; i < child_count; i++)
	{
		MfChild    *child = children[i];

		if (child->readable)
			hear(child, now);
		if (child->state == MF_CHILD_ENDING)
			reap(child, now);
		if (child->state == MF_CHILD_STARTING)
		{
			if (now - child->since >= HELLO_MS)
				mf_child_fail(child, "it was not ready in time", now);
			else
				ours->due(child->since + HELLO_MS);
		}
	}
	bury(now);
}
