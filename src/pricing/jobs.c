/*
 * jobs.c
 *		The life of a job in its slot, from the claim to an outcome.
 *
 *		FEEDING -> WAITING -> RUNNING -> MEASURED | REFUSED	-> recorded
 *		FEEDING, WAITING -> RELEASED						-> given back
 *
 * A job leaves its slot when the database knows its outcome, or does not
 * want to know it any more.
 */
#include "postgres.h"

#include <unistd.h>

#include "mesflow.h"
#include "pricing.h"
#include "storage/fd.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* Programs that a job may be sent to in vain. */
#define SENDS_MAX		3

static void
close_memfd(MfPricingSlot *slot)
{
	if (slot->memfd >= 0)
	{
		close(slot->memfd);
		ReleaseExternalFD();
	}
	slot->memfd = -1;
}

static void
drop_pictures(MfPricingSlot *slot)
{
	while (slot->picture_count > 0)
		pfree(slot->pictures[--slot->picture_count]);
}

/*
 * Keeps a picture until the job's outcome is recorded.  False: it is one too
 * many, for each size comes once and the smaller one first.
 */
bool
mf_job_keep_picture(MfPricingSlot *slot, const MfPicture *picture)
{
	const int	had = slot->picture_count;
	bytea	   *kept;

	if (had == MF_PICTURE_COUNT ||
		(had > 0 && picture->size <= slot->picture_size))
		return false;
	kept = MemoryContextAlloc(TopMemoryContext, VARHDRSZ + picture->bytes);
	SET_VARSIZE(kept, VARHDRSZ + picture->bytes);
	memcpy(VARDATA(kept), picture->png, picture->bytes);
	slot->pictures[slot->picture_count++] = kept;
	slot->picture_size = picture->size;
	return true;
}

static void
set_outcome(MfPricingSlot *slot, MfJobPhase phase)
{
	close_memfd(slot);
	drop_pictures(slot);
	slot->job = phase;
	slot->attempts = 0;
	slot->retry_at = 0;
}

/* Gives the job of a claim to a slot that has none. */
void
mf_job_start(MfPricingSlot *slot, const MfClaim *claim, int64 now)
{
	Assert(slot->job == MF_JOB_NONE);
	slot->claim = *claim;
	slot->job = MF_JOB_FEEDING;
	slot->fed = 0;
	slot->deadline = now + claim->deadline_ms;
	slot->progress.stage = MF_STAGE_STARTING;
	slot->progress.percent = 0;
	slot->attempts = 0;
	slot->retry_at = 0;

	if (AcquireExternalFD())
	{
		slot->memfd = mf_memfd_create("mesflow-model", claim->size);
		if (slot->memfd >= 0)
			return;
		ReleaseExternalFD();
	}
	ereport(WARNING,
			(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
			 errmsg("could not make a memory file for job " INT64_FORMAT ": %m",
					claim->job),
			 errhint("The job goes back to the queue.")));
	mf_job_release(slot, now);
}

/* The job cannot be done; its program, if it has one, is gone or useless. */
void
mf_job_refuse(MfPricingSlot *slot, MfErrorCode code, const char *text)
{
	if (slot->job == MF_JOB_RUNNING)
		mf_child_end(&slot->child);
	mf_refuse(&slot->refusal, code, "%s", text);
	set_outcome(slot, MF_JOB_REFUSED);
}

/* Gives the job back: something here does not work. */
void
mf_job_release(MfPricingSlot *slot, int64 now)
{
	set_outcome(slot, MF_JOB_RELEASED);
	mf_pricing_pause(now);
}

/* The slot is free again; a program that still works on the job is killed. */
void
mf_job_forget(MfPricingSlot *slot)
{
	if (slot->job == MF_JOB_RUNNING)
		mf_child_end(&slot->child);
	close_memfd(slot);
	drop_pictures(slot);
	slot->job = MF_JOB_NONE;
}

void
mf_jobs_forget_all(void)
{
	for (int i = 0; i < mf_pricing_slot_count(); i++)
		mf_job_forget(mf_pricing_slot(i));
}

/* How many slots have a job. */
int
mf_jobs_held(void)
{
	int			held = 0;

	for (int i = 0; i < mf_pricing_slot_count(); i++)
		held += mf_pricing_slot(i)->job != MF_JOB_NONE;
	return held;
}

/* Is there one that wants no other beside it? */
bool
mf_jobs_alone(void)
{
	for (int i = 0; i < mf_pricing_slot_count(); i++)
	{
		MfPricingSlot *slot = mf_pricing_slot(i);

		if (slot->job != MF_JOB_NONE && slot->claim.alone)
			return true;
	}
	return false;
}

/*
 * Ends what is past its deadline: the model's fault where a program was
 * working on it, otherwise ours.
 */
void
mf_jobs_expire(int64 now)
{
	for (int i = 0; i < mf_pricing_slot_count(); i++)
	{
		MfPricingSlot *slot = mf_pricing_slot(i);

		if (slot->job != MF_JOB_FEEDING && slot->job != MF_JOB_WAITING &&
			slot->job != MF_JOB_RUNNING)
			continue;
		if (now < slot->deadline)
			mf_pricing_due(slot->deadline);
		else if (slot->job == MF_JOB_RUNNING)
			mf_job_refuse(slot, MF_ERROR_TIMEOUT,
						  "Measuring took longer than is allowed.");
		else
			mf_job_release(slot, now);
	}
}

static bool
send_job(MfPricingSlot *slot)
{
	MfJobOrder	order;
	int			slots = Max(mf_guc_pricing_slots, 1);

	memset(&order, 0, sizeof(order));
	order.size = slot->claim.size;
	order.memory_limit = slot->claim.memory_limit;
	order.max_triangles = slot->claim.max_triangles;
	order.cpu_seconds = slot->claim.cpu_seconds;
	order.threads = (uint32) Max(mf_guc_cores() / slots, 1);
	order.unit = slot->claim.unit;
	order.require_sandbox = mf_guc_sandbox == MF_SANDBOX_REQUIRE;
	mf_job_set_name(&order, slot->claim.name);
	return mf_frame_send_job(slot->child.program.fd, (uint64) slot->claim.job,
							 &order, slot->memfd);
}

/* Sends jobs that are complete to programs that are ready. */
void
mf_jobs_dispatch(int64 now)
{
	for (int i = 0; i < mf_pricing_slot_count(); i++)
	{
		MfPricingSlot *slot = mf_pricing_slot(i);

		if (slot->job != MF_JOB_WAITING || slot->child.state != MF_CHILD_READY)
			continue;

		/*
		 * The socket was empty, so a job that does not go out has no reader
		 * any more; the next program gets it.
		 */
		if (!send_job(slot))
		{
			mf_child_end(&slot->child);
			if (++slot->attempts == SENDS_MAX)
				mf_job_release(slot, now);
			mf_pricing_due(now);
			continue;
		}
		ereport(DEBUG1,
				(errhidestmt(true),
				 errhidecontext(true),
				 errmsg_internal("job " INT64_FORMAT " sent to mesflow-geometry (PID %d) at %s",
								 slot->claim.job, (int) slot->child.program.pid,
								 timestamptz_to_str(GetCurrentTimestamp()))));
		close_memfd(slot);
		slot->job = MF_JOB_RUNNING;
	}
}
