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

/*
 * Where the good pieces of a work order went: the next of its lot, and lots
 * that continue it; first those that can best be changed.
 */
static MfPlan nexts_plan = {
	.sql = "SELECT " MF_WORK_COLUMNS " FROM mesflow._work_orders w WHERE w.order_id OPERATOR(pg_catalog.=) $1"
	" AND (w.lot OPERATOR(pg_catalog.=) $2 OR w.continues OPERATOR(pg_catalog.=) $4) AND w.step OPERATOR(pg_catalog.=) $3"
	" AND w.state OPERATOR(pg_catalog.<>) 'cancelled'"
	" ORDER BY pg_catalog.array_position('{queued,assigned,started,finished}', w.state), w.nth DESC",
	.by_index = true,
	.writes = true,
	.arguments = 4,
	.types = {UUIDOID, INT4OID, INT4OID, UUIDOID}
};

/* What is open of the lots that repeat a work order, lot by lot. */
static MfPlan repeats_plan = {
	.sql = "SELECT " MF_WORK_COLUMNS " FROM mesflow._work_orders w WHERE w.order_id OPERATOR(pg_catalog.=) $1"
	" AND w.repeats OPERATOR(pg_catalog.=) $2 AND w.state OPERATOR(pg_catalog.=) ANY ('{planned,queued,assigned,started}'::pg_catalog.text[])"
	" AND NOT EXISTS (SELECT FROM mesflow._work_orders x WHERE x.order_id OPERATOR(pg_catalog.=) $1"
	" AND x.lot OPERATOR(pg_catalog.=) w.lot AND x.state OPERATOR(pg_catalog.=) 'finished')"
	" ORDER BY w.lot DESC, w.step",
	.by_index = true,
	.writes = true,
	.arguments = 2,
	.types = {UUIDOID, UUIDOID}
};

/* Is the item cancelled, and has its work been planned anew since? */
static MfPlan item_plan = {
	.sql = "SELECT i.cancelled_at IS NOT NULL, EXISTS (SELECT FROM mesflow._work_orders w WHERE w.order_id OPERATOR(pg_catalog.=) $1"
	" AND w.item OPERATOR(pg_catalog.=) $2 AND w.plan OPERATOR(pg_catalog.>) $3)"
	" FROM mesflow._order_items i WHERE i.id OPERATOR(pg_catalog.=) $2",
	.by_index = true,
	.writes = true,
	.arguments = 3,
	.types = {UUIDOID, UUIDOID, INT4OID}
};

/*
 * Does anything follow from the counts?  Not where the order or the item is
 * not being made; nor, but for what comes out at the end, where the order was
 * in a status without work meanwhile: then all that was not done is planned
 * anew.
 */
static bool
is_followed(const MfWork *work, const MfWorkOrder *order)
{
	Datum		values[3] = {UUIDPGetDatum(&work->order_id), UUIDPGetDatum(&work->item), Int32GetDatum(work->plan)};
	Datum		is_cancelled;
	Datum		is_replanned;

	if (!(order->workable || order->held) || mf_plan_run(&item_plan, values, NULL) == 0)
		return false;
	(void) mf_plan_find(0, 1, &is_cancelled);
	(void) mf_plan_find(0, 2, &is_replanned);
	return !DatumGetBool(is_cancelled) && (!DatumGetBool(is_replanned) || work->step == work->steps);
}

/* NULL, with a count of 0, after the last operation. */
static MfWork *
find_nexts(const MfWork *work, int *count)
{
	Datum		values[4] = {UUIDPGetDatum(&work->order_id), Int32GetDatum(work->lot), Int32GetDatum(work->step + 1),
	UUIDPGetDatum(&work->id)};
	MfWork	   *nexts;

	*count = (int) mf_plan_run(&nexts_plan, values, NULL);
	if (*count == 0)
		return NULL;
	nexts = palloc(*count * sizeof(MfWork));
	for (int i = 0; i < *count; i++)
		mf_work_row(&nexts[i], i);
	return nexts;
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

/*
 * Takes up to so many pieces out of lots that repeat `work`, which nobody has
 * begun; how many are left, and who is busy with them.
 */
static int
withdraw(const MfWork *work, int pieces, MfWork *busy, MfNews *news)
{
	Datum		values[2] = {UUIDPGetDatum(&work->order_id), UUIDPGetDatum(&work->id)};
	int			count = (int) mf_plan_run(&repeats_plan, values, NULL);
	MfWork	   *rows = palloc(Max(count, 1) * sizeof(MfWork));

	for (int i = 0; i < count; i++)
		mf_work_row(&rows[i], i);
	*busy = *work;
	for (int i = 0; i < count && pieces > 0; i++)
	{
		int			less = Min(pieces, rows[i].quantity);

		/* its first: the others follow it */
		if (i > 0 && rows[i].lot == rows[i - 1].lot)
			continue;
		if (rows[i].state != MF_WORK_QUEUED)
		{
			*busy = rows[i];
			continue;
		}
		resize(&rows[i], rows[i].step, rows[i].quantity - less, news);
		pieces -= less;
	}
	return pieces;
}

/*
 * Takes up to so many pieces from a next operation that is finished: those
 * that it has not counted.  They were queued again for it; what nobody has
 * begun of that is taken back, and the number of those is returned.
 */
static int
take_uncounted(MfWork *next, int pieces, int *to_repeat, MfNews *news)
{
	MfWork		busy;

	pieces = Min(pieces, next->quantity - next->good - next->scrap);
	next->quantity -= pieces;
	mf_work_save(next);
	*to_repeat += pieces - withdraw(next, pieces, &busy, news);
	return pieces;
}

/* Fewer came out good: the next has fewer, and they are made again. */
static void
take_away(const MfWork *work, int pieces, int repeat_from, MfNews *news)
{
	int			count = 0;
	int			to_repeat = 0;
	MfWork	   *nexts = find_nexts(work, &count);

	if (work->step == work->steps)
	{
		to_repeat = pieces;
		pieces = 0;
	}
	for (int i = 0; i < count && pieces > 0; i++)
	{
		MfWork	   *next = &nexts[i];
		int			less = Min(pieces, next->quantity);

		if (next->state == MF_WORK_FINISHED)
			pieces -= take_uncounted(next, pieces, &to_repeat, news);
		else
		{
			resize(next, next->step, next->quantity - less, news);
			to_repeat += less;
			pieces -= less;
		}
	}
	if (pieces > 0 && count > 0)
		refuse(work, &nexts[count - 1], "The next operation has counted these pieces", "Correct that one first.");
	if (to_repeat > 0)
		mf_lot_repeat(work, to_repeat, repeat_from, news);
}

/* More came out good: the next has more, or they go on as a lot of their own. */
static void
add(const MfWork *work, int pieces, MfNews *news)
{
	MfWork		busy;
	int			count;
	MfWork	   *nexts;
	int			made = withdraw(work, pieces, &busy, news);

	if (made > 0 && busy.nth == work->nth)
		ereport(ERROR,
				(errcode(MF_ERRCODE_NOT_ALLOWED),
				 errmsg("work order %s cannot be corrected so", mf_work_number(work)),
				 errdetail("%d of its missing pieces have been made again.", made),
				 errhint("Correct the work orders that repeat it: see work_orders.repeats.")));
	if (made > 0)
		refuse(work, &busy, "The missing pieces are being made again",
			   "Count them there when they are finished, or release that work first.");
	if (work->step == work->steps)
		return;
	nexts = find_nexts(work, &count);
	if (count > 0 && (nexts[0].state == MF_WORK_QUEUED || nexts[0].state == MF_WORK_ASSIGNED))
		resize(&nexts[0], nexts[0].step, nexts[0].quantity + pieces, news);
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

/*
 * correct_work(work_order uuid, good integer, scrap integer, reason text,
 * actor text, repeat_from text)
 */
PGDLLEXPORT Datum
mesflow_correct_work(PG_FUNCTION_ARGS)
{
	char	   *actor = mf_argument_text(fcinfo, 4);
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
	work.good = mf_work_count(fcinfo, 1, "good");
	work.scrap = mf_work_count(fcinfo, 2, "scrap");
	mf_work_check_counts(&work, work.good, work.scrap);
	if (work.good != before.good || work.scrap != before.scrap)
		correct(&before, &work, is_followed(&work, &order),
				mf_work_repeat_from(&work, mf_argument_text(fcinfo, 5)),
				mf_actor(actor), reason);
	result = mf_work_result(&work.id);
	SPI_finish();
	PG_RETURN_DATUM(result);
}
