/*
 * hold.c
 *		What every verb about one work order begins with: its order's row,
 *		locked, and whether the step can be.
 */
#include "postgres.h"

#include "fmgr.h"
#include "mesflow.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "work.h"

void
mf_work_hold(FunctionCallInfo fcinfo, int argument, MfWork *work, MfWorkOrder *order)
{
	if (PG_ARGISNULL(argument) || !mf_work_find(work, PG_GETARG_DATUM(argument)))
		mf_work_missing(fcinfo, argument);
	if (!mf_work_lock_order(&work->order_id, order) ||
		!mf_work_find(work, PG_GETARG_DATUM(argument)))
		mf_work_missing(fcinfo, argument);
}

bool
mf_work_is_of(const MfWork *work, const char *operator_code)
{
	return (work->state == MF_WORK_ASSIGNED || work->state == MF_WORK_STARTED) &&
		strcmp(work->operator_code, operator_code) == 0;
}

/* "It is assigned to "anna" since ..." */
static char *
describe(const MfWork *work)
{
	switch (work->state)
	{
		case MF_WORK_PLANNED:
			return pstrdup("An earlier operation comes first");
		case MF_WORK_QUEUED:
			return psprintf("Nobody has it; it is on the list since %s", timestamptz_to_str(work->queued_at));
		case MF_WORK_ASSIGNED:
			return psprintf("Operator \"%s\" has it since %s", work->operator_code, timestamptz_to_str(work->assigned_at));
		case MF_WORK_STARTED:
			return psprintf("Operator \"%s\" has started it at %s", work->operator_code, timestamptz_to_str(work->started_at));
		case MF_WORK_FINISHED:
			return psprintf("Operator \"%s\" finished it at %s, %d good and %d scrap", work->operator_code,
							timestamptz_to_str(work->finished_at), work->good, work->scrap);
		case MF_WORK_CANCELLED:
			return psprintf("It was cancelled at %s", timestamptz_to_str(work->cancelled_at));
	}
	return "";
}

static const char *
hint(const MfWork *work)
{
	switch (work->state)
	{
		case MF_WORK_PLANNED:
			return "It comes to the list when the operation before it is finished.";
		case MF_WORK_QUEUED:
			return "Claim it first: mesflow.claim_work_order().";
		case MF_WORK_ASSIGNED:
		case MF_WORK_STARTED:
			return "Claim another with mesflow.claim_work(), or have it released.";
		case MF_WORK_FINISHED:
			return "Counts are corrected with mesflow.correct_work().";
		case MF_WORK_CANCELLED:
			return "Claim another with mesflow.claim_work().";
	}
	return "";
}

/* Somebody has or had it: a conflict; otherwise it is not its time. */
static void
refuse(const MfWork *work, const char *what)
{
	bool		is_taken = work->operator_code != NULL && work->state != MF_WORK_CANCELLED;

	ereport(ERROR,
			(errcode(is_taken ? MF_ERRCODE_CONFLICT : MF_ERRCODE_NOT_ALLOWED),
			 errmsg("work order %s %s", mf_work_number(work), what),
			 errdetail("%s.", describe(work)),
			 errhint("%s", hint(work))));
}

void
mf_work_check_free(const MfWork *work)
{
	if (work->state != MF_WORK_QUEUED)
		refuse(work, "is not free");
}

void
mf_work_check_owner(const MfWork *work, const char *operator_code)
{
	if (!mf_work_is_of(work, operator_code))
		refuse(work, work->state == MF_WORK_FINISHED ? "is finished" :
			   psprintf("is not with operator \"%s\"", operator_code));
}

void
mf_work_check_order(const MfWork *work, const MfWorkOrder *order)
{
	if (!order->workable)
		ereport(ERROR,
				(errcode(MF_ERRCODE_NOT_ALLOWED),
				 errmsg(order->hold ? "the order is on hold" : "the order is not in production"),
				 errdetail("Order %s is \"%s\".", order->number, order->status),
				 errhint("Started work may be finished; work order %s waits until the order goes on.",
						 mf_work_number(work))));
}

int
mf_work_count(FunctionCallInfo fcinfo, int argument, const char *name)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("counts not allowed"),
				 errdetail("%s is NULL.", name),
				 errhint("Say how many pieces are good and how many are spoilt.")));
	return PG_GETARG_INT32(argument);
}

void
mf_work_check_counts(const MfWork *work, int good, int scrap)
{
	if (good < 0 || scrap < 0 || (int64) good + scrap > work->quantity)
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("counts not allowed"),
				 errdetail("good is %d and scrap is %d; work order %s is about %d pieces.", good, scrap,
						   mf_work_number(work), work->quantity),
				 errhint("Both are 0 or more, and together no more than its pieces; what is missing is queued again by itself.")));
}
