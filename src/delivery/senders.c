/*
 * senders.c
 *		The programs that send: their lives.
 *
 *		NONE ──► STARTING ──► READY ──► ENDING ──► NONE
 *				 HELLO in 10 s			closed its side; to be reaped
 *
 * One has all requests.  A delivery that has ended programs gets one of its
 * own, so that the others go on.  Nothing here waits for a program: one that
 * does not keep to the protocol is killed, one that is killed is reaped when
 * it is gone, and there is a new one meanwhile.
 */
#include "postgres.h"

#include <signal.h>

#include "mesflow.h"
#include "miscadmin.h"
#include "senders.h"
#include "storage/fd.h"
#include "storage/ipc.h"

#define PROGRAM				"mesflow-sender"

/* From start to HELLO, and from the end of the socket to that of the process. */
#define HELLO_MS			10000
#define ENDING_MS			2000

/* How often to look whether a killed program is gone. */
#define REAP_MS				20

/* How often to look whether a program still answers. */
#define LOOK_MS				1000

/* A program for one delivery ends when it has had none for so long. */
#define IDLE_MS				10000

/*
 * One that ends is replaced at once.  One that does so again after less than
 * this long is replaced later each time.
 */
#define SHORT_LIFE_MS		10000
#define PAUSE_MIN_MS		100
#define PAUSE_MAX_MS		5000

#define FRAMES_PER_TURN		64

/* What HELLO and SENT are in a mask of types. */
#define ACCEPTS(type)		(1U << ((type) - MF_SENDING_HELLO))

static MfSender senders[MF_SENDERS];

/* Killed, their answer of no interest, not yet reaped. */
#define GRAVES				64
static MfProgram graveyard[GRAVES];
static int	graves = 0;

/* Starts that failed in a row, and why the last did; empty: none. */
static int	start_failures = 0;
static int64 start_not_before = 0;
static char trouble[MF_SLOT_TEXT_MAX];
static bool trouble_warned = false;

/* Short lives in a row. */
static int	short_lives = 0;

MfSender *
mf_sender(int index)
{
	return &senders[index];
}

MfSender *
mf_senders_main(void)
{
	return &senders[0];
}

/* What is wrong with the programs, for worker_status; NULL: nothing. */
const char *
mf_senders_trouble(void)
{
	return trouble[0] != '\0' ? trouble : NULL;
}

/* At exit: kills all, waits for none.  Whoever adopts them reaps them. */
static void
kill_all(int code, Datum arg)
{
	for (int i = 0; i < MF_SENDERS; i++)
		mf_program_kill(&senders[i].program);
}

void
mf_senders_init(void)
{
	for (int i = 0; i < MF_SENDERS; i++)
	{
		senders[i].program.fd = -1;
		senders[i].apart = i > 0;
	}
	before_shmem_exit(kill_all, (Datum) 0);
	mf_pace_init();
	mf_post_read_settings();
}

static void
set_state(MfSender *sender, MfSenderState state, int64 now)
{
	sender->state = state;
	sender->since = now;
}

/* Takes the program's descriptor out of the wait, before it is closed. */
static void
unwatch(MfSender *sender)
{
	if (sender->program.fd >= 0)
	{
		mf_wait_unwatch(sender->program.fd);
		ReleaseExternalFD();
	}
	sender->readable = false;
}

/* Ends a program that has nothing under way any more. */
static void
dispose(MfSender *sender)
{
	Assert(sender->under_way == 0);
	if (sender->state == MF_SENDER_NONE)
		return;
	if (sender->state != MF_SENDER_ENDING)
		unwatch(sender);
	mf_program_kill(&sender->program);
	graveyard[graves++] = sender->program;
	sender->program.pid = 0;
	sender->program.fd = -1;
	mf_post_begin(sender);
	set_state(sender, MF_SENDER_NONE, mf_wait_now());
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
		mf_delivery_due(now + REAP_MS);
}

/* ---- starting ------------------------------------------------------------------ */

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
				 errmsg("%s does not work: %s", PROGRAM, why),
				 errdetail("The program is \"%s\".", mf_program_path(PROGRAM)),
				 errhint("Install the programs that belong to this library. The delivery worker keeps trying.")));
	trouble_warned = true;
}

static void
start_succeeded(void)
{
	if (start_failures > 0)
		ereport(LOG,
				(errhidecontext(true),
				 errmsg("%s works again", PROGRAM)));
	start_failures = 0;
	trouble[0] = '\0';
	trouble_warned = false;
}

/* True where it was started; where not, the next turn comes in time. */
static bool
spawn(MfSender *sender, int64 now)
{
	char		error[MF_SLOT_TEXT_MAX];

	if (now < start_not_before || graves + MF_SENDERS > GRAVES)
	{
		mf_delivery_due(Max(start_not_before, now + REAP_MS));
		return false;
	}

	/* Core counts descriptors so that there are enough for files. */
	if (!AcquireExternalFD())
	{
		start_failed(now, "too many open files, see max_files_per_process");
		return false;
	}
	if (!mf_program_spawn(mf_program_path(PROGRAM), &sender->program, error,
						  sizeof(error)))
	{
		ReleaseExternalFD();
		start_failed(now, error);
		return false;
	}
	sender->said_hello = false;
	sender->used_at = now;
	sender->looked_at = now;
	mf_post_begin(sender);
	set_state(sender, MF_SENDER_STARTING, now);
	mf_wait_watch(sender->program.fd, &sender->readable);
	mf_delivery_due(now + HELLO_MS);
	return true;
}

/* Starts the program for all where it is needed; called while there is work. */
void
mf_senders_need_main(int64 now)
{
	MfSender   *sender = mf_senders_main();

	if (sender->state == MF_SENDER_NONE && !dlist_is_empty(&mf_endpoints))
		(void) spawn(sender, now);
}

/* A program that has nothing to do, for one delivery; NULL: not now. */
MfSender *
mf_senders_find_apart(int64 now)
{
	MfSender   *none = NULL;
	bool		starting = false;

	for (int i = 1; i < MF_SENDERS; i++)
	{
		if (senders[i].state == MF_SENDER_READY && senders[i].under_way == 0)
			return &senders[i];
		if (senders[i].state == MF_SENDER_NONE)
			none = &senders[i];
		starting |= senders[i].state == MF_SENDER_STARTING;
	}
	if (none != NULL && !starting)
		(void) spawn(none, now);
	return NULL;
}

/* ---- ending --------------------------------------------------------------------- */

/*
 * One that has worked is gone: when may there be another?  Those for one
 * delivery end for its sake, and it waits for that.
 */
static void
count_life(const MfSender *sender, int64 now)
{
	int64		pause = PAUSE_MIN_MS;

	if (sender->apart)
		return;
	if (now - sender->since >= SHORT_LIFE_MS)
		short_lives = 0;
	for (int i = 1; i < short_lives && pause < PAUSE_MAX_MS; i++)
		pause *= 2;
	if (short_lives++ > 0)
		start_not_before = Max(start_not_before, now + Min(pause, PAUSE_MAX_MS));
}

/* Kills a program that does not keep to the protocol. */
static void
misbehaved(MfSender *sender, int64 now, const char *why)
{
	int			pid = (int) sender->program.pid;

	if (!sender->said_hello)
	{
		dispose(sender);
		start_failed(now, why);
		return;
	}
	ereport(LOG,
			(errhidecontext(true),
			 errmsg("%s (PID %d) broke the protocol with %d requests under way: %s",
					PROGRAM, pid, sender->under_way, why)));
	count_life(sender, now);
	mf_post_lose(sender, MF_LOSS_CRASHED);
	dispose(sender);
}

/*
 * Was it killed by somebody, rather than ended by what it did?  Nobody knows
 * where somebody else has reaped it.
 */
static MfLoss
loss_of(const MfProgramEnd *end)
{
	if (end->signal == SIGKILL || end->exit_status == -1)
		return MF_LOSS_KILLED;
	return MF_LOSS_CRASHED;
}

/* Waits, without waiting, for a program that has closed its side. */
static void
reap(MfSender *sender, int64 now)
{
	MfProgramEnd end;
	int			pid = (int) sender->program.pid;
	char		how[64];

	if (!mf_program_reap(&sender->program, &end))
	{
		if (now - sender->since < ENDING_MS)
			mf_delivery_due(now + REAP_MS);
		else
			misbehaved(sender, now, "it closed its side and stayed");
		return;
	}
	if (end.signal != 0)
		snprintf(how, sizeof(how), "was terminated by signal %d", end.signal);
	else
		snprintf(how, sizeof(how), "exited with status %d", end.exit_status);

	if (!sender->said_hello)
	{
		char		why[MF_SLOT_TEXT_MAX];

		snprintf(why, sizeof(why), "it %s before it was ready", how);
		start_failed(now, why);
	}
	else
	{
		ereport(LOG,
				(errhidecontext(true),
				 errmsg("%s (PID %d) %s with %d requests under way", PROGRAM,
						pid, how, sender->under_way)));
		count_life(sender, now);
		mf_post_lose(sender, loss_of(&end));
	}
	mf_post_begin(sender);
	set_state(sender, MF_SENDER_NONE, now);
}

/* ---- hearing -------------------------------------------------------------------- */

static void
take_hello(MfSender *sender, int64 now)
{
	MfSenderHello hello;
	const char *why = "a malformed greeting";
	char		mismatch[MF_SLOT_TEXT_MAX];

	if (mf_received_hello(&sender->received, &hello, &why) != MF_FRAME_GOT)
	{
		misbehaved(sender, now, why);
		return;
	}
	if (hello.protocol != MF_SENDING_PROTOCOL)
	{
		snprintf(mismatch, sizeof(mismatch),
				 "it speaks protocol %u, this library protocol %d",
				 hello.protocol, MF_SENDING_PROTOCOL);
		misbehaved(sender, now, mismatch);
		return;
	}
	sender->said_hello = true;
	set_state(sender, MF_SENDER_READY, now);
	start_succeeded();
}

/* True where there may be more in the socket. */
static bool
receive_one(MfSender *sender, int64 now)
{
	const char *why = NULL;
	bool		starting = sender->state == MF_SENDER_STARTING;

	switch (mf_sending_receive(sender->program.fd, false,
							   ACCEPTS(starting ? MF_SENDING_HELLO : MF_SENDING_SENT),
							   &sender->received, &why))
	{
		case MF_FRAME_NOTHING:
			return false;
		case MF_FRAME_GOT:
			break;
		case MF_FRAME_CLOSED:
			/* How it ended is known when it can be reaped. */
			unwatch(sender);
			set_state(sender, MF_SENDER_ENDING, now);
			return false;
		case MF_FRAME_BAD:
			misbehaved(sender, now, why != NULL ? why : "a malformed message");
			return false;
	}
	if (starting)
		take_hello(sender, now);
	else if (!mf_post_take(sender, &why))
		misbehaved(sender, now, why != NULL ? why : "a malformed answer");
	return sender->state == MF_SENDER_READY;
}

static void
receive(MfSender *sender, int64 now)
{
	for (int i = 0; i < FRAMES_PER_TURN; i++)
		if (!receive_one(sender, now))
		{
			sender->readable = false;
			return;
		}

	/* Others first; the rest makes the next wait return at once. */
	mf_delivery_due(now);
}

/* A program that hangs is of no use, even if it lives. */
static void
look_after(MfSender *sender, int64 now)
{
	if (sender->state == MF_SENDER_STARTING)
	{
		if (now - sender->since >= HELLO_MS)
			misbehaved(sender, now, "it was not ready in time");
		else
			mf_delivery_due(sender->since + HELLO_MS);
		return;
	}
	if (sender->state != MF_SENDER_READY)
		return;

	if (sender->blocked)
		mf_post_flush(sender, now);
	if (sender->under_way == 0 &&
		(sender->apart ? now - sender->used_at >= IDLE_MS : dlist_is_empty(&mf_endpoints)))
		dispose(sender);
	else if (!sender->readable && now - sender->looked_at >= LOOK_MS)
	{
		sender->looked_at = now;
		if (mf_post_is_overdue(sender, now))
			misbehaved(sender, now, "it does not answer");
	}
}

/* Hears what programs say, and ends or buries those that are done. */
void
mf_senders_turn(int64 now)
{
	mf_post_read_settings();
	for (int i = 0; i < MF_SENDERS; i++)
	{
		MfSender   *sender = &senders[i];

		if (sender->readable)
			receive(sender, now);
		if (sender->state == MF_SENDER_ENDING)
			reap(sender, now);
		look_after(sender, now);
	}
	bury(now);
}

void
mf_senders_target_changed(MfEndpoint *endpoint)
{
	if (endpoint->line == NULL || endpoint->line->closed)
		return;
	mf_breaker_changed(endpoint);
	mf_schedule_look(endpoint->line);
}

/* Ends the programs; what was under way waits again, and counts no crash. */
void
mf_senders_stop(void)
{
	for (int i = 0; i < MF_SENDERS; i++)
	{
		mf_post_give_back(&senders[i]);
		dispose(&senders[i]);
	}
	bury(mf_wait_now());
}
