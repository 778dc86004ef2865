/*
 * verbs.c
 *		start_work, finish_work, release_work: what an operator does with work
 *		that was claimed.
 */
#include "postgres.h"

#include "check.h"
#include "fmgr.h"
#include "mesflow.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "work.h"

PG_FUNCTION_INFO_V1(mesflow_start_work);
PG_FUNCTION_INFO_V1(mesflow_finish_work);
PG_FUNCTION_INFO_V1(mesflow_release_work);

#define MF_STATUS_IN_PRODUCTION	"in_production"

/* ---- start --------------------------------------------------------------- */

static void
start(MfWork *work, const char *code)
{
	MfNews		news = {.order_id = &work->order_id,.actor = code};

	work->state = MF_WORK_STARTED;
	work->started_at = Max(GetCurrentTimestamp(), work->assigned_at);
	work->lease_until = MF_NEVER;
	mf_work_save(work);
	(void) mf_news_add(&news, work, "work.started", work->started_at);
	mf_news_write(&news);
	mf_work_step(&work->order_id, MF_STATUS_IN_PRODUCTION, code);
}

/* start_work(work_order uuid, operator text) */
PGDLLEXPORT Datum
mesflow_start_work(PG_FUNCTION_ARGS)
{
	MfWorkOrder order;
	MfWork		work;
	char	   *code;
	Datum		result;

	mf_check_primary();
	mf_spi_connect();
	code = mf_operator_check(fcinfo, 1);
	mf_work_hold(fcinfo, 0, &work, &order);
	mf_work_check_owner(&work, code);
	if (work.state == MF_WORK_ASSIGNED)
	{
		mf_work_check_order(&work, &order);
		start(&work, code);
	}
	result = mf_work_result(&work.id);
	SPI_finish();
	PG_RETURN_DATUM(result);
}

/* ---- finish -------------------------------------------------------------- */

/* What follows: the next operation of what is good, once more what is not. */
static void
follow(const MfWork *work, int repeat_from, MfNews *news)
{
	int			missing = work->quantity - work->good;
	MfWork		next;

	if (work->good > 0 && mf_lot_open(&work->order_id, work->lot, work->step + 1, &next))
	{
		MfWork		later = next;

		mf_work_queue(&next, work->good, news);
		while (mf_lot_open(&work->order_id, work->lot, later.step + 1, &later))
		{
			later.quantity = work->good;
			mf_work_save(&later);
		}
	}
	if (missing > 0)
		mf_lot_repeat(work, missing, repeat_from, news);
}

static void
finish(MfWork *work, const char *code, int good, int scrap, int repeat_from)
{
	MfNews		news = {.order_id = &work->order_id,.actor = code};
	Interval   *busy = palloc0(sizeof(Interval));
	MfTold	   *told;
	MfPayDay	day;
	MfPay		pay;

	work->state = MF_WORK_FINISHED;
	work->good = good;
	work->scrap = scrap;
	work->finished_at = Max(GetCurrentTimestamp(), work->started_at);
	busy->time = work->finished_at - work->started_at;
	day = mf_pay_day(work->finished_at);
	work->finished_day = day.day;
	work->finished_shift = day.shift != NULL ? pstrdup(day.shift) : NULL;
	mf_work_save(work);
	told = mf_news_add(&news, work, "work.finished", work->finished_at);
	told->quantity = good;
	told->dwell = busy;
	follow(work, repeat_from, &news);
	mf_news_write(&news);
	mf_work_follow(&work->order_id, code);
	pay = mf_pay_of(work);
	pay.finished = 1;
	pay.good = good;
	pay.scrap = scrap;
	pay.busy = busy->time;
	mf_pay_count(&day, &pay);
}

int
mf_work_repeat_from(const MfWork *work, const char *operation)
{
	int			step = operation == NULL ? 1 : mf_lot_step(work, operation);

	if (step == 0)
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("operation not allowed"),
				 errdetail("repeat_from is \"%s\"; work order %s is \"%s\".", operation, mf_work_number(work), work->operation),
				 errhint("What is missing can be made again from: %s.", mf_lot_operations(work))));
	return step;
}

/* The same finish once more, by the same operator. */
static bool
has_finished(const MfWork *work, const char *code, int good, int scrap)
{
	return work->state == MF_WORK_FINISHED && strcmp(work->operator_code, code) == 0 &&
		work->good == good && work->scrap == scrap;
}

static void
check_started(const MfWork *work, const char *code)
{
	mf_work_check_owner(work, code);
	if (work->state != MF_WORK_STARTED)
		ereport(ERROR,
				(errcode(MF_ERRCODE_NOT_ALLOWED),
				 errmsg("work order %s is not started", mf_work_number(work)),
				 errdetail("Operator \"%s\" has it since %s.", code, timestamptz_to_str(work->assigned_at)),
				 errhint("Start it first: mesflow.start_work().")));
}

/*
 * finish_work(work_order uuid, operator text, good integer, scrap integer,
 * repeat_from text)
 */
PGDLLEXPORT Datum
mesflow_finish_work(PG_FUNCTION_ARGS)
{
	MfWorkOrder order;
	MfWork		work;
	char	   *code;
	int			good;
	int			scrap;
	Datum		result;

	mf_check_primary();
	mf_spi_connect();
	code = mf_operator_check(fcinfo, 1);
	good = mf_work_count(fcinfo, 2, "good");
	scrap = mf_work_count(fcinfo, 3, "scrap");
	mf_work_hold(fcinfo, 0, &work, &order);
	if (!has_finished(&work, code, good, scrap))
	{
		check_started(&work, code);
		mf_work_check_counts(&work, good, scrap);
		finish(&work, code, good, scrap,
			   mf_work_repeat_from(&work, mf_argument_text(fcinfo, 4)));
	}
	result = mf_work_result(&work.id);
	SPI_finish();
	PG_RETURN_DATUM(result);
}

/* ---- release ------------------------------------------------------------- */

char *
mf_work_reason(FunctionCallInfo fcinfo, int argument)
{
	char	   *reason = mf_argument_text(fcinfo, argument);

	if (reason == NULL || reason[strspn(reason, " \t\n")] == '\0')
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("a reason is needed"),
				 errdetail("The reason is empty."),
				 errhint("Say why, for those who read it later.")));
	mf_check_length("reason", reason, MF_NOTE_MAX);
	return reason;
}

/*
 * release_work(work_order uuid, operator text, reason text, actor text)
 */
PGDLLEXPORT Datum
mesflow_release_work(PG_FUNCTION_ARGS)
{
	char	   *actor = mf_argument_text(fcinfo, 3);
	MfWorkOrder order;
	MfWork		work;
	char	   *reason;
	char	   *code;
	Datum		result;

	mf_check_primary();
	mf_check_length("actor", actor, 200);
	reason = mf_work_reason(fcinfo, 2);
	mf_spi_connect();
	code = mf_operator_check(fcinfo, 1);
	mf_work_hold(fcinfo, 0, &work, &order);

	/* What nobody has was released already. */
	if (work.state != MF_WORK_QUEUED)
	{
		mf_work_check_owner(&work, code);
		mf_work_release(&work, actor != NULL ? mf_actor(actor) : code, reason);
	}
	result = mf_work_result(&work.id);
	SPI_finish();
	PG_RETURN_DATUM(result);
}
