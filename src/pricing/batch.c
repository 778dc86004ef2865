/*
 * batch.c
 *		Preflight and reprice jobs: pricing that needs no program, a portion
 *		of one job in each turn.
 *
 *		LOOK -> RUN				a batch is marked as begun, durably
 *		RUN -> LOOK				its portion is done, or has left no trace
 *		RUN -> REPORT -> LOOK	its portion raised an error
 *
 * Each step is a transaction of its own.  The mark counts the lives that end
 * in a portion; a portion that ends takes it back.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "pricing.h"
#include "utils/builtins.h"

/* What a wake-up does not tell: a measurement made elsewhere, a retry due. */
#define LOOK_MS		1000
#define LATER_MS	100

typedef enum MfBatchStep
{
	MF_BATCH_LOOK,
	MF_BATCH_RUN,
	MF_BATCH_REPORT
} MfBatchStep;

static MfStatement next_statement = {
	.sql = "SELECT mesflow._next_batch()",
	.arguments = 0
};
static MfStatement run_statement = {
	.sql = "SELECT mesflow._run_batch($1)",
	.arguments = 1,
	.types = {INT8OID}
};
static MfStatement failed_statement = {
	.sql = "SELECT mesflow._batch_failed($1, $2)",
	.arguments = 2,
	.types = {INT8OID, TEXTOID}
};

static MfBatchStep step = MF_BATCH_LOOK;
static int64 batch = 0;			/* 0: none */
static char trouble[MF_SLOT_TEXT_MAX];
static int64 due = 0;
static int	failures = 0;

static void
next_work(void *arg)
{
	bool		isnull;
	Datum		found;

	mf_call_run(&next_statement, NULL, 1);
	found = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
						  &isnull);
	*(int64 *) arg = isnull ? 0 : DatumGetInt64(found);
}

static void
run_work(void *arg)
{
	Datum		values[1];

	values[0] = Int64GetDatum(batch);
	mf_call_run(&run_statement, values, 1);
}

static void
failed_work(void *arg)
{
	Datum		values[2];

	values[0] = Int64GetDatum(batch);
	values[1] = CStringGetTextDatum(trouble);
	mf_call_run(&failed_statement, values, 1);
}

/* One step; true where the next may follow at once. */
static bool
take_step(int64 now)
{
	char		unit[64];
	MfTry		outcome;

	switch (step)
	{
		case MF_BATCH_LOOK:
			outcome = mf_worker_try("looking for a batch", next_work, &batch);
			if (outcome == MF_TRY_DONE && batch != 0)
				step = MF_BATCH_RUN;
			break;
		case MF_BATCH_RUN:
			snprintf(unit, sizeof(unit), "pricing for job " INT64_FORMAT,
					 batch);
			outcome = mf_worker_try(unit, run_work, NULL);
			if (outcome == MF_TRY_DONE)
				step = MF_BATCH_LOOK;
			else if (outcome == MF_TRY_FAILED)
			{
				strlcpy(trouble, mf_worker_failure()->message,
						sizeof(trouble));
				step = MF_BATCH_REPORT;
				outcome = MF_TRY_DONE;
			}
			break;
		default:
			snprintf(unit, sizeof(unit),
					 "reporting the failure of job " INT64_FORMAT, batch);
			outcome = mf_worker_try(unit, failed_work, NULL);
			if (outcome == MF_TRY_DONE)
				step = MF_BATCH_LOOK;
			break;
	}

	if (outcome == MF_TRY_DONE)
	{
		failures = 0;
		due = batch != 0 ? now : now + LOOK_MS;
		return step != MF_BATCH_LOOK;
	}
	if (outcome == MF_TRY_LATER)
		due = now + LATER_MS;
	else
		due = now + mf_worker_backoff(++failures);
	return false;
}

/* There may be something: look in this turn. */
void
mf_batch_look(int64 now)
{
	if (failures == 0)
		due = Min(due, now);
}

/* Is there a batch that is not at its end? */
bool
mf_batch_at_work(void)
{
	return batch != 0;
}

/*
 * At most one portion, where there is one to be done; the next turn follows
 * at once then.
 */
void
mf_batch_turn(int64 now)
{
	if (now >= due)
	{
		while (take_step(now))
			continue;
	}
	mf_pricing_due(due);
}
