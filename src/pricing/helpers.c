/*
 * helpers.c
 *		The programs of the pricing slots: started before there is work, used
 *		for one job, replaced.  worker/supervise.c has their lives.
 */
#include "postgres.h"

#include "mesflow.h"
#include "pricing.h"
#include "utils/memutils.h"

/* A program that dies without a job is not replaced at once. */
#define IDLE_DEATH_MS		1000

/* What one program may send. */
#define FRAMES_PER_SECOND	1000

/* Programs started in one turn: each takes a millisecond or two. */
#define SPAWNS_PER_TURN		8

static MfPricingSlot *slots[MF_MAX_PRICING_SLOTS];
static int	slot_count = 0;		/* that exist */
static int	slots_wanted = 0;

static bool sandbox_missing = false;
static bool sandbox_warned = false;
static const char no_sandbox[] =
"no sandbox on this system and mesflow.sandbox is require";

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
	const char *trouble = mf_children_trouble();

	if (trouble == NULL && !mf_helpers_usable())
		trouble = no_sandbox;
	return trouble;
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

		slot->memfd = -1;
		slots[slot_count++] = slot;
		mf_children_add(&slot->child);
	}
}

/* ---- what programs say --------------------------------------------------- */

/* False: it does not belong to this library, and *why says so. */
static bool
take_hello(const MfHello *hello, const char **why)
{
	static char mismatch[MF_SLOT_TEXT_MAX];

	if (hello->protocol != MF_FRAME_PROTOCOL ||
		hello->engine_version != MF_ENGINE_VERSION)
	{
		snprintf(mismatch, sizeof(mismatch),
				 "it speaks protocol %u with engine %u, this library protocol %d with engine %d",
				 hello->protocol, hello->engine_version,
				 MF_FRAME_PROTOCOL, MF_ENGINE_VERSION);
		*why = mismatch;
		return false;
	}

	mf_status_set_program(hello->version, hello->sandbox);
	sandbox_missing = !hello->sandbox;
	if (mf_helpers_usable())
		sandbox_warned = false;
	else if (!sandbox_warned)
	{
		sandbox_warned = true;
		mf_worker_set_error(no_sandbox);
		ereport(WARNING,
				(errcode(MF_ERRCODE_NOT_HERE),
				 errmsg("this system cannot confine mesflow-geometry, so nothing is measured here"),
				 errhint("Enable seccomp in the kernel or the container, or set mesflow.sandbox to off if all models are trusted.")));
	}
	return true;
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
	mf_child_end(&slot->child);
}

/* False: it makes no sense here. */
static bool
take_frame(MfPricingSlot *slot, const MfFrame *frame, const char **why)
{
	*why = "a message that has no place here";
	if (slot->child.state == MF_CHILD_STARTING)
		return frame->type == MF_FRAME_HELLO &&
			take_hello(&frame->u.hello, why);
	if (slot->job != MF_JOB_RUNNING || frame->tag != (uint64) slot->claim.job)
		return false;

	if (frame->type == MF_FRAME_PROGRESS)
		slot->progress = frame->u.progress;
	else if (frame->type == MF_FRAME_PICTURE)
	{
		*why = "a picture of a size that it has sent, or of too many";
		return mf_job_keep_picture(slot, &frame->u.picture);
	}
	else if (frame->type == MF_FRAME_RESULT || frame->type == MF_FRAME_REFUSED)
		take_answer(slot, frame);
	else
		return false;
	return true;
}

static MfFrameStatus
hear(MfChild *child, const char **why, int64 now)
{
	static MfFrame frame;		/* large */
	MfPricingSlot *slot = (MfPricingSlot *) child;
	MfFrameStatus status = mf_frame_receive(child->program.fd, false, &frame,
											why);

	if (status != MF_FRAME_GOT)
		return status;
	if (now - slot->second >= 1000)
	{
		slot->second = now;
		slot->frames = 0;
	}
	if (++slot->frames > FRAMES_PER_SECOND)
	{
		*why = "too many messages";
		return MF_FRAME_BAD;
	}
	return take_frame(slot, &frame, why) ? MF_FRAME_GOT : MF_FRAME_BAD;
}

/* ---- their ends ---------------------------------------------------------- */

static void
describe(const MfChild *child, char *text, size_t size)
{
	const MfPricingSlot *slot = (const MfPricingSlot *) child;

	if (slot->job == MF_JOB_RUNNING)
		snprintf(text, size, "in job " INT64_FORMAT ", stage %s",
				 slot->claim.job, mf_stage_name(slot->progress.stage));
	else
		strlcpy(text, "while it had no job", size);
}

static void
lost(MfChild *child, const MfProgramEnd *end, int64 now)
{
	MfPricingSlot *slot = (MfPricingSlot *) child;

	if (slot->job != MF_JOB_RUNNING)
		slot->not_before = now + IDLE_DEATH_MS;
	else if (end == NULL)
		mf_job_refuse(slot, MF_ERROR_CRASHED,
					  "The measuring program returned nonsense.");
	else if (mf_program_end_to_error(end) == MF_ERROR_TIMEOUT)
		mf_job_refuse(slot, MF_ERROR_TIMEOUT,
					  "Measuring took more processor time than is allowed.");
	else
		mf_job_refuse(slot, MF_ERROR_CRASHED,
					  "The measuring program ended without an answer.");
}

/* ---- how many ------------------------------------------------------------ */

/* A slot that is no longer wanted still ends the job it has. */
static bool
needs_program(int index)
{
	MfJobPhase	job = slots[index]->job;

	return slots[index]->child.state == MF_CHILD_NONE &&
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
		starting += slots[i]->child.state == MF_CHILD_STARTING;

	for (int i = 0; i < slot_count; i++)
	{
		MfPricingSlot *slot = slots[i];
		int64		at = Max(slot->not_before, mf_child_start_at(now));

		if (!needs_program(i))
			continue;
		if (mf_children_trouble() != NULL && starting > 0)
			return;
		if (now < at)
		{
			mf_pricing_due(at);
			continue;
		}
		if (spawned == SPAWNS_PER_TURN)
		{
			mf_pricing_due(now);
			return;
		}
		slot->frames = 0;
		mf_child_start(&slot->child, now);
		spawned++;
		starting++;
	}
}

void
mf_helpers_init(void)
{
	static const MfSupervision supervision = {
		.program = "mesflow-geometry",
		.worker = "pricing",
		.due = mf_pricing_due,
		.hear = hear,
		.describe = describe,
		.lost = lost
	};

	mf_children_init(&supervision);
}

/* One turn: hears what programs say, replaces those that are gone. */
void
mf_helpers_serve(int64 now)
{
	for (int i = slots_wanted; i < slot_count; i++)
		if (slots[i]->job == MF_JOB_NONE)
			mf_child_end(&slots[i]->child);
	mf_children_turn(now);
	spawn_missing(now);
}
