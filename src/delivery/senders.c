/*
 * senders.c
 *		The programs that send: how many, and for whom.  worker/supervise.c
 *		has their lives.
 *
 * One has all requests.  A delivery that has ended programs gets one of its
 * own, so that the others go on.
 */
#include "postgres.h"

#include <signal.h>

#include "senders.h"

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

/* What HELLO and SENT are in a mask of types. */
#define ACCEPTS(type)		(1U << ((type) - MF_SENDING_HELLO))

static MfSender senders[MF_SENDERS];

/* Short lives in a row, and when there may be another program. */
static int	short_lives = 0;
static int64 pause_until = 0;

/* Of the main one, as it has said. */
static int	slots = MF_SENDER_SLOTS;

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

int
mf_senders_slots(void)
{
	return slots;
}

const char *
mf_senders_trouble(void)
{
	return mf_children_trouble();
}

/* ---- starting ------------------------------------------------------------------ */

/* Starts one; where that is not to be now, the next turn comes in time. */
static void
spawn(MfSender *sender, int64 now)
{
	int64		at = Max(pause_until, mf_child_start_at(now));

	if (now < at)
	{
		mf_delivery_due(at);
		return;
	}
	sender->used_at = now;
	sender->looked_at = now;
	mf_post_begin(sender);
	mf_child_start(&sender->child, now);
}

/* Starts the program for all where it is needed; called while there is work. */
void
mf_senders_need_main(int64 now)
{
	MfSender   *sender = mf_senders_main();

	if (sender->child.state == MF_CHILD_NONE && !dlist_is_empty(&mf_endpoints))
		spawn(sender, now);
}

/* A program that has nothing to do, for one delivery; NULL: not now. */
MfSender *
mf_senders_find_apart(int64 now)
{
	MfSender   *none = NULL;
	bool		starting = false;

	for (int i = 1; i < MF_SENDERS; i++)
	{
		if (senders[i].child.state == MF_CHILD_READY && senders[i].under_way == 0)
			return &senders[i];
		if (senders[i].child.state == MF_CHILD_NONE)
			none = &senders[i];
		starting |= senders[i].child.state == MF_CHILD_STARTING;
	}
	if (none != NULL && !starting)
		spawn(none, now);
	return NULL;
}

/* ---- ending --------------------------------------------------------------------- */

/* Ends a program that has nothing under way any more. */
static void
dispose(MfSender *sender)
{
	Assert(sender->under_way == 0);
	if (sender->child.state == MF_CHILD_NONE)
		return;
	mf_child_end(&sender->child);
	mf_post_begin(sender);
}

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
	if (now - sender->child.ready_at >= SHORT_LIFE_MS)
		short_lives = 0;
	for (int i = 1; i < short_lives && pause < PAUSE_MAX_MS; i++)
		pause *= 2;
	if (short_lives++ > 0)
		pause_until = now + Min(pause, PAUSE_MAX_MS);
}

static void
describe(const MfChild *child, char *text, size_t size)
{
	snprintf(text, size, "with %d requests under way",
			 ((const MfSender *) child)->under_way);
}

/*
 * Was it killed by somebody, rather than ended by what it did?  Nobody knows
 * where somebody else has reaped it.
 */
static MfLoss
loss_of(const MfProgramEnd *end)
{
	if (end != NULL && (end->signal == SIGKILL || end->exit_status == -1))
		return MF_LOSS_KILLED;
	return MF_LOSS_CRASHED;
}

static void
lost(MfChild *child, const MfProgramEnd *end, int64 now)
{
	MfSender   *sender = (MfSender *) child;

	count_life(sender, now);
	mf_post_lose(sender, loss_of(end));
	mf_post_begin(sender);
}

/* ---- hearing -------------------------------------------------------------------- */

/* It has as many as it says, and less than all only for want of open files. */
static void
take_slots(int said)
{
	if (said != slots && said < MF_SENDER_SLOTS)
		ereport(LOG,
				(errmsg("mesflow-sender sends up to %d requests at the same time", said),
				 errdetail("The hard limit of open files is too low for more."),
				 errhint("Raise the limit of the server's processes to %d (LimitNOFILE of its unit in systemd, ulimit -n).",
						 MF_SENDER_FILES)));
	slots = said;
}

static MfFrameStatus
take_hello(MfSender *sender, const char **why)
{
	static char mismatch[MF_SLOT_TEXT_MAX];
	MfSenderHello hello;

	*why = "a malformed greeting";
	if (mf_received_hello(&sender->received, &hello, why) != MF_FRAME_GOT)
		return MF_FRAME_BAD;
	if (hello.protocol != MF_SENDING_PROTOCOL)
	{
		snprintf(mismatch, sizeof(mismatch),
				 "it speaks protocol %u, this library protocol %d",
				 hello.protocol, MF_SENDING_PROTOCOL);
		*why = mismatch;
		return MF_FRAME_BAD;
	}
	mf_status_set_sender(hello.version, NULL);
	if (!sender->apart)
		take_slots((int) hello.slots);
	return MF_FRAME_GOT;
}

static MfFrameStatus
hear(MfChild *child, const char **why, int64 now)
{
	MfSender   *sender = (MfSender *) child;
	bool		starting = child->state == MF_CHILD_STARTING;
	MfFrameStatus status;

	status = mf_sending_receive(child->program.fd, false,
								ACCEPTS(starting ? MF_SENDING_HELLO : MF_SENDING_SENT),
								&sender->received, why);
	if (status != MF_FRAME_GOT)
		return status;
	if (starting)
		return take_hello(sender, why);
	*why = "a malformed answer";
	return mf_post_take(sender, why) ? MF_FRAME_GOT : MF_FRAME_BAD;
}

/* A program that hangs is of no use, even if it lives. */
static void
look_after(MfSender *sender, int64 now)
{
	if (sender->child.state != MF_CHILD_READY)
		return;
	if (sender->blocked)
		mf_post_flush(sender, now);
	if (sender->under_way == 0 &&
		(sender->apart ? now - sender->used_at >= IDLE_MS : dlist_is_empty(&mf_endpoints)))
		dispose(sender);
	else if (!sender->child.readable && now - sender->looked_at >= LOOK_MS)
	{
		sender->looked_at = now;
		if (mf_post_is_overdue(sender, now))
			mf_child_fail(&sender->child, "it does not answer", now);
	}
}

/* ---- the worker's ---------------------------------------------------------------- */

void
mf_senders_init(void)
{
	static const MfSupervision supervision = {
		.program = "mesflow-sender",
		.worker = "delivery",
		.due = mf_delivery_due,
		.hear = hear,
		.describe = describe,
		.lost = lost
	};

	mf_children_init(&supervision);
	for (int i = 0; i < MF_SENDERS; i++)
	{
		mf_children_add(&senders[i].child);
		senders[i].apart = i > 0;
	}
	mf_pace_init();
	mf_post_read_settings();
}

/* Hears what programs say, and ends those that are done. */
void
mf_senders_turn(int64 now)
{
	mf_post_read_settings();
	mf_children_turn(now);
	for (int i = 0; i < MF_SENDERS; i++)
		look_after(&senders[i], now);
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
}
