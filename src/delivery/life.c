/*
 * life.c
 *		Lives of this worker that ended too soon.
 *
 * A crash of the worker restarts the server, and where a delivery is the cause
 * of it, the next life would end by it, too.  So each life is counted before
 * it reads anything, and the count is cleared when it has gone on for a while:
 * nothing is written per delivery.  After some short lives in a row the worker
 * is careful until then:
 *
 *		few are under way, and each has a row that says so before it is built,
 *		as if it had ended a program: that is true if this life ends meanwhile,
 *		and any outcome takes it back;
 *
 *		what this has happened to twice is sent alone: nothing else is under
 *		way; and what it has happened to four times is given up.
 *
 * A life that somebody ends counts as well: it can leave no trace of that.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "line.h"
#include "plan.h"

/* A life of this length is a good one; so many others in a row are enough. */
#define GOOD_LIFE_MS	60000
#define SHORT_LIVES_MAX	2

static MfPlan count_plan = {
	.sql = "UPDATE mesflow._delivery_lives l SET begun = CASE WHEN $1 THEN 0 ELSE l.begun OPERATOR(pg_catalog.+) 1 END RETURNING l.begun",
	.writes = true,
	.arguments = 1,
	.types = {BOOLOID}
};

static bool begun = false;
static int	lives = 0;			/* in a row, with this one; 0: this is a good
								 * one */
static int64 due = 0;			/* to count the next; -1: no more */

bool
mf_life_is_careful(void)
{
	return lives > SHORT_LIVES_MAX;
}

/* Counts the beginning, or that it has gone on for long enough. */
static void
count_work(void *arg)
{
	Datum		value = BoolGetDatum(begun);

	ForceSyncCommit();
	if (mf_plan_run(&count_plan, &value, NULL) > 0 && mf_plan_find(0, 1, &value))
		lives = DatumGetInt32(value);
}

bool
mf_life_turn(int64 now)
{
	if (due >= 0 && now >= due)
	{
		MfTry		outcome = mf_worker_try("counting its lives", count_work, NULL);

		due = now + (outcome == MF_TRY_LATER ? 100 : begun ? 1000 : GOOD_LIFE_MS);
		if (begun && outcome == MF_TRY_DONE)
			due = -1;
		if (!begun && mf_life_is_careful())
			ereport(LOG,
					(errhidecontext(true),
					 errmsg("%d lives of the delivery worker in a row were short, so it sends with care", lives - 1)));

		/* Where it cannot be counted, because the disk is full, it goes on. */
		begun |= outcome != MF_TRY_LATER;
	}
	if (due >= 0)
		mf_delivery_due(due);
	return begun;
}
