/*
 * correct.c
 *		correct_work: the counts of finished work, put right, and what follows.
 *
 * At all times, while an order is being made, the next of a lot has as many
 * pieces as came out good, and lots that repeat a work order have as many as
 * did not.  A correction keeps that, or is refused where people have built on
 * the old counts.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "check.h"
#include "fmgr.h"
#include "mesflow.h"
#include "outbox/outbox.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "work.h"

PG_FUNCTION_INFO_V1(mesflow_correct_work);

/* A lot's row at a step, whatever its state; the newest, if it was cancelled. */
static MfPlan step_plan = {
	.sql = "SELECT " MF_WORK_COLUMNS " FROM mesflow._work_orders w WHERE w.order_id OPERATOR(pg_catalog.=) $1"
	" AND w.lot OPERATOR(pg_catalog.=) $2 AND w.step OPERATOR(pg_catalog.=) $3 ORDER BY w.nth DESC LIMIT 1",
	.by_index = true,
	.writes = true,
	.arguments = 3,
	.types = {UUIDOID, INT4OID, INT4OID}
};

/* What is open of the lots that repeat a work order, lot by lot. */
static MfPlan repeats_plan = {
	.sql = "SELECT " MF_WORK_COLUMNS " FROM mesflow._work_orders w WHERE w.order_id OPERATOR(pg_catalog.=) $1"
	" AND w.repeats OPERATOR(pg_catalog.=) $2 AND w.state IN ('planned', 'queued', 'assigned', 'started')"
	" AND NOT EXISTS (SELECT FROM mesflow._work_orders x WHERE x.order_id OPERATOR(pg_catalog.=) $1"
	" AND x.lot OPERATOR(pg_catalog.=) w.lot AND x.state OPERATOR(pg_catalog.=) 'finished')"
	" ORDER BY w.lot DESC, w.step",
	.by_index = true,
	.writes = true,
	.arguments = 2,
	.types = {UUIDOID, UUIDOID}
};

static bool
find_step(const MfWork *work, int step, MfWork *found)
{
	Datum		values[3] = {UUIDPGetDatum(&work->order_id), Int32GetDatum(work->lot), Int32GetDatum(step)};

	if (mf_plan_run(&step_plan, values, NULL) == 0)
		return false;
	mf_work_row(found, 0);
	return true;
}

static bool
is_open(const MfWork *work)
{
	return work->state != MF_WORK_FINISHED && work->state != MF_WORK_CANCELLED;
}

/* Gives what is open of a lot, from a step on, so many pieces; 0: cancels it. */
static void
resize(const MfWork *work, int from_step, int quantity, MfNews *news)
{
	MfWork		row;

	for (int step = from_step; step <= work->steps; step++)
	{
		if (!mf_lot_open(&work->order_id, work->lot, step, &row))
			continue;
		if (quantity == 0)
			mf_work_cancel(&row, news);
		else
		{
			row.quantity = quantity;
			mf_work_save(&row);
		}
	}
}

static void
refuse(const MfWork *work, const MfWork *other, const char *why, const char *what_to_do)
{
	ereport(ERROR,
			(errcode(MF_ERRCODE_NOT_ALLOWED),
			 errmsg("work order %s cannot be corrected so", mf_work_number(work)),
			 errdetail("%s, work order %s, %s: %d pieces, %d good, %d scrap.", why, mf_work_number(other),
					   mf_work_state_names[other->state], other->quantity, other->good, other->scrap),
			 errhint("%s", what_to_do)));
}

/* Fewer came out good: the next has fewer, and they are made again. */
static void
take_away(const MfWork *work, int pieces, int repeat_from, MfNews *news)
{
	MfWork		next;

	if (work->step < work->steps && find_step(work, work->step + 1, &next))
	{
		if (next.state == MF_WORK_FINISHED)
		{
			/* What it missed has been queued again for it; now for this one. */
			if (next.good + next.scrap > next.quantity - pieces)
				refuse(work, &next, "The next operation has counted these pieces", "Correct that one first.");
			next.quantity -= pieces;
			mf_work_save(&next);
			return;
		}
		if (is_open(&next))
			resize(work, next.step, next.quantity - pieces, news);
	}
	mf_lot_repeat(work, pieces, repeat_from, news);
}

/* Takes so many pieces out of lots that repeat `work`, which nobody has begun. */
static void
withdraw(const MfWork *work, int pieces, MfNews *news)
{
	Datum		values[2] = {UUIDPGetDatum(&work->order_id), UUIDPGetDatum(&work->id)};
	int			count = (int) mf_plan_run(&repeats_plan, values, NULL);
	MfWork	   *rows = palloc(Max(count, 1) * sizeof(MfWork));
	const MfWork *busy = work;

	for (int i = 0; i < count; i++)
		mf_work_row(&rows[i], i);
	for (int i = 0; i < count && pieces > 0; i++)
	{
		int			less = Min(pieces, rows[i].quantity);

		/* its first: the others follow it */
		if (i > 0 && rows[i].lot == rows[i - 1].lot)
			continue;
		if (rows[i].state != MF_WORK_QUEUED)
		{
			busy = &rows[i];
			continue;
		}
		resize(&rows[i], rows[i].step, rows[i].quantity - less, news);
		pieces -= less;
	}
	if (pieces > 0)
		refuse(work, busy, "The missing pieces are being made again",
			   "Count them there when they are finished, or release that work first.");
}

/* More came out good: the next has more, or they go on as a lot of their own. */
static void
add(const MfWork *work, int pieces, MfNews *news)
{
	MfWork		next;

	withdraw(work, pieces, news);
	if (work->step == work->steps)
		return;
	if (find_step(work, work->step + 1, &next) &&
		(next.state == MF_WORK_QUEUED || next.state == MF_WORK_ASSIGNED))
		resize(work, next.step, next.quantity + pieces, news);
	else
		mf_lot_continue(work, pieces, news);
}

static char *
describe(const MfWork *before, const MfWork *after)
{
	StringInfoData json;
	const MfWork *sides[] = {before, after};
	const char *names[] = {"old", "new"};

	initStringInfo(&json);
	mf_body_open(&json, NULL, '{');
	for (int i = 0; i < (int) lengthof(sides); i++)
	{
		mf_body_open(&json, names[i], '{');
		mf_body_int(&json, "good", sides[i]->good);
		mf_body_int(&json, "scrap", sides[i]->scrap);
		mf_body_close(&json, '}');
	}
	mf_body_text(&json, "day", DatumGetCString(DirectFunctionCall1(date_out, DateADTGetDatum(after->finished_day))));
	mf_body_text(&json, "shift", after->finished_shift);
	mf_body_close(&json, '}');
	return json.data;
}

/* Where the order is not being made any more, only the counts change. */
static void
correct(const MfWork *before, MfWork *work, bool being_made, int repeat_from,
		const char *actor, const char *reason)
{
	MfNews		news = {.order_id = &work->order_id,.actor = actor};
	MfPayDay	day = {work->finished_day, work->finished_shift};
	MfPay		pay = mf_pay_of(work);
	int			difference = work->good - before->good;
	MfTold	   *told;

	mf_work_save(work);
	told = mf_news_add(&news, work, "work.corrected", MF_NEVER);
	told->quantity = work->good;
	told->detail = describe(before, work);
	told->note = reason;
	if (being_made && difference < 0)
		take_away(work, -difference, repeat_from, &news);
	else if (being_made && difference > 0)
		add(work, difference, &news);
	mf_news_write(&news);
	if (being_made)
		mf_work_follow(&work->order_id, actor);
	pay.good = difference;
	pay.scrap = work->scrap - before->scrap;
	mf_pay_count(&day, &pay);
}

static int
count(FunctionCallInfo fcinfo, int argument)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("counts not allowed"),
				 errdetail("%s is NULL.", argument == 1 ? "good" : "scrap"),
				 errhint("Say how many pieces are good and how many are spoilt.")));
	return PG_GETARG_INT32(argument);
}

/*
 * correct_work(work_order uuid, good integer, scrap integer, reason text,
 * actor text, repeat_from text)
 */
PGDLLEXPORT Datum
mesflow_correct_work(PG_FUNCTION_ARGS)
{
	char	   *actor = PG_ARGISNULL(4) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(4));
	char	   *reason;
	MfWorkOrder order;
	MfWork		before;
	MfWork		work;
	Datum		result;

	mf_check_primary();
	mf_check_length("actor", actor, 200);
	reason = mf_work_reason(fcinfo, 3);
	mf_spi_connect();
	mf_work_hold(fcinfo, 0, &before, &order);
	if (before.state != MF_WORK_FINISHED)
		ereport(ERROR,
				(errcode(MF_ERRCODE_NOT_ALLOWED),
				 errmsg("work order %s is not finished", mf_work_number(&before)),
				 errdetail("It is %s.", mf_work_state_names[before.state]),
				 errhint("Counts are given with mesflow.finish_work(), and corrected after that.")));
	work = before;
	work.good = count(fcinfo, 1);
	work.scrap = count(fcinfo, 2);
	mf_work_check_counts(&work, work.good, work.scrap);
	if (work.good != before.good || work.scrap != before.scrap)
		correct(&before, &work, order.workable || order.hold,
				mf_work_repeat_from(&work, PG_ARGISNULL(5) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(5))),
				mf_actor(actor), reason);
	result = mf_work_result(&work.id);
	SPI_finish();
	PG_RETURN_DATUM(result);
}
