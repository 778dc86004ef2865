/*
 * feed.c
 *		Copying models from the database into memory files, piece by piece.
 *
 * Each piece is a transaction of its own.  Between two of them the worker
 * takes a turn, so that a large model delays nobody's heartbeat, and none of
 * the other slots.
 */
#include "postgres.h"

#include "mesflow.h"
#include "pricing.h"

#define PIECE_BYTES		(4 * 1024 * 1024)

/* Copied in one turn, over all slots. */
#define TURN_BYTES		PIECE_BYTES

#define ATTEMPTS_MAX	3
#define LATER_MS		100

/* Where the last turn stopped, so that slots take turns too. */
static int	next_slot = 0;

static void
read_failed(MfPricingSlot *slot, MfTry outcome, int64 now)
{
	if (outcome == MF_TRY_LATER)
		slot->retry_at = now + LATER_MS;
	else if (++slot->attempts < ATTEMPTS_MAX)
		slot->retry_at = now + mf_worker_backoff(slot->attempts);
	else
	{
		mf_job_refuse(slot, MF_ERROR_CRASHED,
					  "The stored model could not be read.");
		mf_pricing_due(now);
		return;
	}
	mf_pricing_due(slot->retry_at);
}

/* Copies the next piece; returns its size. */
static uint64
feed_slot(MfPricingSlot *slot, int64 now)
{
	uint64		left = slot->claim.size - slot->fed;
	uint64		got = 0;
	MfContent	content;
	MfTry		outcome;

	if (left > 0)
	{
		outcome = mf_call_content(&slot->claim, slot->fed,
								  (int) Min(left, PIECE_BYTES), slot->memfd,
								  &content, &got);
		if (outcome != MF_TRY_DONE)
		{
			if (!mf_call_node_is_unknown())
				read_failed(slot, outcome, now);
			return 0;
		}
		switch (content)
		{
			case MF_CONTENT_GOT:
				slot->fed += got;
				slot->attempts = 0;
				break;
			case MF_CONTENT_LOST:
				mf_job_forget(slot);
				return 0;
			case MF_CONTENT_SHORT:
				mf_job_refuse(slot, MF_ERROR_CRASHED,
							  "The stored model is shorter than its size says.");
				mf_pricing_due(now);
				return 0;
			case MF_CONTENT_NO_ROOM:
				ereport(WARNING,
						(errcode(ERRCODE_OUT_OF_MEMORY),
						 errmsg("there is no memory for the model of job "
								INT64_FORMAT, slot->claim.job),
						 errhint("The job goes back to the queue.")));
				mf_job_release(slot, now);
				mf_pricing_due(now);
				return 0;
		}
	}

	if (slot->fed == slot->claim.size)
	{
		slot->attempts = 0;
		if (mf_memfd_seal(slot->memfd))
			slot->job = MF_JOB_WAITING;
		else
			mf_job_release(slot, now);
	}
	return got;
}

/* One turn of copying. */
void
mf_feed_turn(int64 now)
{
	int			count = mf_pricing_slot_count();
	uint64		copied = 0;

	for (int i = 0; i < count; i++)
	{
		MfPricingSlot *slot = mf_pricing_slot((next_slot + i) % count);

		if (slot->job != MF_JOB_FEEDING)
			continue;
		if (now < slot->retry_at)
		{
			mf_pricing_due(slot->retry_at);
			continue;
		}
		if (copied >= TURN_BYTES || mf_call_node_is_unknown())
		{
			mf_pricing_due(now);
			next_slot = (next_slot + i) % count;
			return;
		}
		copied += feed_slot(slot, now);
		if (slot->job == MF_JOB_FEEDING && now >= slot->retry_at)
			mf_pricing_due(now);
		mf_worker_check();
	}
}
