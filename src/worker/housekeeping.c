/*
 * housekeeping.c
 *		The housekeeping worker: does the duties that nobody else has done in
 *		time, then ends; the launcher starts it again a minute later.
 *
 *		LOOK -> DO				a duty is marked as begun, durably
 *		DO -> DO				a portion of it is done, and there is more
 *		DO -> LOOK				all of it is done
 *		DO -> REPORT -> LOOK	a portion raised an error and left no trace
 *		LOOK -> end				nothing is due, or the database is a copy
 *
 * People and pg_cron call procedures, which commit between portions.  This
 * worker calls the same functions one by one instead, each by mf_worker_try:
 * so each portion begins with the lock on the extension and ends with it, as
 * in all workers, and a DROP waits for one portion at most.  A procedure that
 * runs by itself could be given neither the lock (its COMMIT releases it) nor
 * an end before it is through.
 *
 * The mark that a duty has begun outlives this process: a run that never
 * ended shows in _duties, and whoever looks next goes on with it.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "worker.h"

#define MF_PAUSE_MS		60000
#define MF_LATER_MS		100

typedef enum MfDutyStep
{
	MF_DUTY_LOOK,
	MF_DUTY_DO,
	MF_DUTY_REPORT
} MfDutyStep;

static MfDutyStep step = MF_DUTY_LOOK;
static char duty[NAMEDATALEN];	/* empty: none */
static bool copy;
static bool more;
static char trouble[MF_SLOT_TEXT_MAX];

/* Runs a statement with up to two texts; its one row is in SPI_tuptable. */
static void
run(const char *sql, int arguments, const char *first, const char *second)
{
	Oid			types[] = {TEXTOID, TEXTOID};
	Datum		values[2];
	int			code;

	values[0] = PointerGetDatum(cstring_to_text(first));
	values[1] = PointerGetDatum(cstring_to_text(second));
	code = SPI_execute_with_args(sql, arguments, types, values, NULL, false, 0);
	if (code != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "unexpected result of \"%s\": %s", sql,
			 SPI_result_code_string(code));
}

static bool
is_true(int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[0],
									  SPI_tuptable->tupdesc, column, &isnull);

	return !isnull && DatumGetBool(value);
}

static void
look_work(void *arg)
{
	char	   *name;

	run("SELECT copy, duty FROM mesflow._next_duty()", 0, "", "");
	copy = is_true(1);
	name = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);
	strlcpy(duty, name != NULL ? name : "", sizeof(duty));
}

static void
do_work(void *arg)
{
	run("SELECT mesflow._do_duty($1)", 1, duty, "");
	more = is_true(1);
}

static void
report_work(void *arg)
{
	run("SELECT mesflow._duty_failed($1, $2)", 2, duty, trouble);
}

/* Ends; what is due then is done by the next life. */
MF_NORETURN static void
end(void)
{
	TimestampTz next = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
												   MF_PAUSE_MS);
	char		why[MF_SLOT_TEXT_MAX];

	if (copy)
		mf_worker_leave(MF_STATE_FENCED, "this database is a copy, see arm()",
						MF_PAUSE_MS);
	next -= next % USECS_PER_SEC;
	snprintf(why, sizeof(why), "until %s", timestamptz_to_str(next));
	mf_worker_leave(MF_STATE_WAITING, why, MF_PAUSE_MS);
}

static long
turn(void)
{
	char		unit[NAMEDATALEN + 64];
	MfTry		outcome;

	switch (step)
	{
		case MF_DUTY_LOOK:
			outcome = mf_worker_try("looking for a duty", look_work, NULL);
			if (outcome == MF_TRY_DONE && duty[0] != '\0')
			{
				mf_worker_set_state(MF_STATE_BUSY, duty);
				step = MF_DUTY_DO;
			}
			else if (outcome != MF_TRY_LATER)
				end();
			break;
		case MF_DUTY_DO:
			snprintf(unit, sizeof(unit), "doing duty %s", duty);
			outcome = mf_worker_try(unit, do_work, NULL);
			if (outcome == MF_TRY_DONE && !more)
				step = MF_DUTY_LOOK;
			else if (outcome == MF_TRY_FAILED)
			{
				strlcpy(trouble, mf_worker_failure()->message,
						sizeof(trouble));
				step = MF_DUTY_REPORT;
			}
			break;
		default:
			snprintf(unit, sizeof(unit), "reporting the failure of duty %s",
					 duty);
			outcome = mf_worker_try(unit, report_work, NULL);

			/* Where even that fails, the mark remains that it was begun. */
			if (outcome == MF_TRY_DONE)
				step = MF_DUTY_LOOK;
			else if (outcome == MF_TRY_FAILED)
				end();
			break;
	}

	return outcome == MF_TRY_LATER ? MF_LATER_MS : 0;
}

static void
start(void)
{
}

void
mf_housekeeping_main(Datum arg)
{
	static const MfWorkerLife life = {start, turn};

	mf_worker_main(MF_WORKER_HOUSEKEEPING, &life);
}
