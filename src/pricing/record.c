/*
 * record.c
 *		Telling the database what became of jobs, and asking which are still
 *		wanted.
 *
 * Measurements go in groups.  Where a group fails, its members go one by
 * one, so that one that cannot be recorded does not hold up the others; it is
 * tried a few times, then reported as failed, then left to the sweep.
 */
#include "postgres.h"

#include "mesflow.h"
#include "pricing.h"

#define GROUP_MAX		50
#define ATTEMPTS_MAX	3
#define LATER_MS		100

/* Not recorded this time: when to try again, and whether at all. */
static bool
try_again(MfPricingSlot *slot, MfTry outcome, int64 now)
{
	if (outcome == MF_TRY_LATER)
		slot->retry_at = now + LATER_MS;
	else
	{
		slot->attempts++;
		slot->retry_at = now + mf_worker_backoff(slot->attempts);
	}
	mf_pricing_due(slot->retry_at);
	return slot->attempts < ATTEMPTS_MAX;
}

static MfTry
complete(MfPricingSlot **group, int count)
{
	MfOutcome  *outcomes = palloc0(count * sizeof(MfOutcome));

	for (int i = 0; i < count; i++)
	{
		char	   *json = palloc(MF_MEASUREMENT_JSON_MAX);

		if (mf_measurement_to_json(&group[i]->result, json,
								   MF_MEASUREMENT_JSON_MAX) == 0)
			elog(ERROR, "a measurement does not fit into its buffer");
		outcomes[i].job = group[i]->claim.job;
		outcomes[i].token = group[i]->claim.token;
		outcomes[i].text = json;
		outcomes[i].pictures = group[i]->pictures;
		outcomes[i].picture_count = group[i]->picture_count;
	}
	return mf_call_complete(outcomes, count);
}

static void
record_measured(MfPricingSlot **group, int count, int64 now)
{
	MfTry		outcome = complete(group, count);

	if (outcome == MF_TRY_DONE)
	{
		for (int i = 0; i < count; i++)
			mf_job_forget(group[i]);
		return;
	}
	if (mf_call_node_is_unknown())
		return;
	if (count == 1 || outcome == MF_TRY_LATER)
	{
		for (int i = 0; i < count; i++)
		{
			if (!try_again(group[i], outcome, now))
				mf_job_refuse(group[i], MF_ERROR_CRASHED,
							  "The measurement could not be recorded.");
		}
		return;
	}
	for (int i = 0; i < count && !mf_call_node_is_unknown(); i++)
		record_measured(&group[i], 1, now);
}

static void
record_other(MfPricingSlot *slot, int64 now)
{
	MfTry		outcome;

	if (slot->job == MF_JOB_RELEASED)
		outcome = mf_call_release(&slot->claim);
	else
	{
		outcome = mf_call_fail(&slot->claim,
							   mf_error_code_name(slot->refusal.code),
							   slot->refusal.text);

		/* A program that cannot lock itself in will not do better at once. */
		if (slot->refusal.code == MF_ERROR_SANDBOX)
			mf_pricing_pause(now);
	}

	if (outcome == MF_TRY_DONE)
		mf_job_forget(slot);
	else if (!mf_call_node_is_unknown() && !try_again(slot, outcome, now))
	{
		ereport(WARNING,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("the outcome of job " INT64_FORMAT " could not be recorded",
						slot->claim.job),
				 errdetail("%s", mf_worker_failure()->message),
				 errhint("The job is tried again when its deadline has passed.")));
		mf_job_forget(slot);
	}
}

/* Records what is there to be recorded. */
void
mf_record_outcomes(int64 now)
{
	MfPricingSlot *group[GROUP_MAX];
	int			count = 0;

	for (int i = 0; i < mf_pricing_slot_count(); i++)
	{
		MfPricingSlot *slot = mf_pricing_slot(i);

		if (slot->job != MF_JOB_MEASURED && slot->job != MF_JOB_REFUSED &&
			slot->job != MF_JOB_RELEASED)
			continue;
		if (mf_call_node_is_unknown())
			return;
		if (now < slot->retry_at)
			mf_pricing_due(slot->retry_at);
		else if (slot->job != MF_JOB_MEASURED)
			record_other(slot, now);
		else if (count < GROUP_MAX)
			group[count++] = slot;
		else
			mf_pricing_due(now);
	}
	if (count > 0 && !mf_call_node_is_unknown())
		record_measured(group, count, now);
}

/*
 * Sends a heartbeat for all jobs held, and drops those that it says are
 * cancelled or lost.
 */
MfTry
mf_record_heartbeat(void)
{
	int			held = mf_jobs_held();
	MfOutcome  *jobs = palloc0(Max(held, 1) * sizeof(MfOutcome));
	int		   *indexes = palloc(Max(held, 1) * sizeof(int));
	int			count = 0;
	MfTry		outcome;

	for (int i = 0; i < mf_pricing_slot_count(); i++)
	{
		MfPricingSlot *slot = mf_pricing_slot(i);

		if (slot->job == MF_JOB_NONE)
			continue;
		jobs[count].job = slot->claim.job;
		jobs[count].token = slot->claim.token;
		jobs[count].percent = (int) slot->progress.percent;
		jobs[count].text = mf_stage_name(slot->progress.stage);
		jobs[count].verdict = MF_VERDICT_OK;
		indexes[count++] = i;
	}

	outcome = mf_call_heartbeat(jobs, count);
	if (outcome == MF_TRY_DONE)
	{
		for (int i = 0; i < count; i++)
		{
			if (jobs[i].verdict == MF_VERDICT_STOP)
				mf_job_forget(mf_pricing_slot(indexes[i]));
		}
	}
	return outcome;
}
