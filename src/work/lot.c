/*
 * lot.c
 *		Lots: chains of operations that the same pieces go through.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mesflow.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "uuid.h"
#include "work.h"

static MfPlan last_plan = {
	.sql = "SELECT w.nth FROM mesflow._work_orders w WHERE w.order_id OPERATOR(pg_catalog.=) $1 ORDER BY w.nth DESC LIMIT 1",
	.by_index = true,
	.writes = true,
	.arguments = 1,
	.types = {UUIDOID}
};

static MfPlan open_plan = {
	.sql = "SELECT " MF_WORK_COLUMNS " FROM mesflow._work_orders w WHERE w.order_id OPERATOR(pg_catalog.=) $1"
	" AND w.lot OPERATOR(pg_catalog.=) $2 AND w.step OPERATOR(pg_catalog.>=) $3"
	" AND w.state OPERATOR(pg_catalog.=) ANY ('{planned,queued,assigned,started}'::pg_catalog.text[]) ORDER BY w.step",
	.by_index = true,
	.writes = true,
	.arguments = 3,
	.types = {UUIDOID, INT4OID, INT4OID}
};

static MfPlan steps_plan = {
	.sql = "SELECT DISTINCT ON (w.step) w.step, w.operation, w.kind FROM mesflow._work_orders w"
	" WHERE w.order_id OPERATOR(pg_catalog.=) $1 AND w.item OPERATOR(pg_catalog.=) $2 AND w.step OPERATOR(pg_catalog.<=) $3"
	" AND w.plan OPERATOR(pg_catalog.=) $4 ORDER BY w.step, w.nth DESC",
	.by_index = true,
	.writes = true,
	.arguments = 4,
	.types = {UUIDOID, UUIDOID, INT4OID, INT4OID}
};

static MfPlan kind_plan = {
	.sql = "SELECT k.kind FROM mesflow._work_kinds k WHERE k.process OPERATOR(pg_catalog.=) $1 AND k.operation OPERATOR(pg_catalog.=) $2",
	.by_index = true,
	.writes = true,
	.arguments = 2,
	.types = {TEXTOID, TEXTOID}
};

static MfPlan add_kind_plan = {
	.sql = "INSERT INTO mesflow._work_kinds (process, operation) VALUES ($1, $2) ON CONFLICT DO NOTHING",
	.by_index = true,
	.writes = true,
	.arguments = 2,
	.types = {TEXTOID, TEXTOID}
};

/* The number of an operation of a process; it gets one the first time. */
static int
kind_of(const char *process, const char *operation)
{
	Datum		values[2] = {CStringGetTextDatum(process), CStringGetTextDatum(operation)};
	Datum		kind;

	if (mf_plan_run(&kind_plan, values, NULL) == 0)
	{
		/* Somebody else may add it now, too: then this waits for that. */
		(void) mf_plan_run(&add_kind_plan, values, NULL);
		if (mf_plan_run(&kind_plan, values, NULL) == 0)
			elog(ERROR, "operation \"%s\" of process \"%s\" has no number", operation, process);
	}
	(void) mf_plan_find(0, 1, &kind);
	return DatumGetInt32(kind);
}

static int
last_number(const pg_uuid_t *order_id)
{
	Datum		value = UUIDPGetDatum(order_id);
	Datum		nth;

	if (mf_plan_run(&last_plan, &value, NULL) == 0)
		return 0;
	(void) mf_plan_find(0, 1, &nth);
	return DatumGetInt32(nth);
}

static void
tell_queued(MfNews *news, const MfWork *work)
{
	(void) mf_news_add(news, work, "work.queued", work->queued_at);
}

void
mf_work_queue(MfWork *work, int quantity, MfNews *news)
{
	work->state = MF_WORK_QUEUED;
	work->quantity = quantity;
	work->queued_at = GetCurrentTimestamp();
	mf_work_save(work);
	tell_queued(news, work);
}

/* A row of a lot, behind the last one; the first one is queued. */
static void
insert(MfWork *work, bool is_first, MfNews *news)
{
	work->id = mf_uuid7();
	work->good = work->scrap = 0;
	work->operator_code = work->station = NULL;
	work->assigned_at = work->lease_until = work->started_at = MF_NEVER;
	work->finished_at = work->cancelled_at = MF_NEVER;
	work->state = is_first ? MF_WORK_QUEUED : MF_WORK_PLANNED;
	work->queued_at = is_first ? GetCurrentTimestamp() : MF_NEVER;
	mf_work_insert(work);
	if (is_first)
		tell_queued(news, work);
}

void
mf_lot_plan(const MfWork *item, Datum operations, MfNews *news)
{
	MfWork		work = *item;
	int			last = last_number(&item->order_id);
	Datum	   *names;
	int			count;

	deconstruct_array(DatumGetArrayTypeP(operations), TEXTOID, -1, false, TYPALIGN_INT,
					  &names, NULL, &count);
	work.steps = count;
	work.lot = work.plan = last + 1;
	for (int i = 0; i < count; i++)
	{
		work.nth = last + 1 + i;
		work.step = i + 1;
		work.operation = TextDatumGetCString(names[i]);
		work.kind = kind_of(work.process, work.operation);
		insert(&work, i == 0, news);
	}
}

/* What the plan of a work order was, up to a step. */
typedef struct Step
{
	int			step;
	char	   *operation;
	int			kind;
} Step;

static int
read_steps(const MfWork *work, int upto, Step **steps)
{
	Datum		values[4] = {UUIDPGetDatum(&work->order_id), UUIDPGetDatum(&work->item), Int32GetDatum(upto),
	Int32GetDatum(work->plan)};
	int			count = (int) mf_plan_run(&steps_plan, values, NULL);

	*steps = palloc(Max(count, 1) * sizeof(Step));
	for (int i = 0; i < count; i++)
	{
		Step	   *step = &(*steps)[i];
		Datum		value;

		(void) mf_plan_find(i, 1, &value);
		step->step = DatumGetInt32(value);
		step->operation = mf_plan_text(i, 2);
		(void) mf_plan_find(i, 3, &value);
		step->kind = DatumGetInt32(value);
	}
	return count;
}

int
mf_lot_step(const MfWork *work, const char *operation)
{
	Step	   *steps;
	int			count = read_steps(work, work->step, &steps);

	for (int i = 0; i < count; i++)
		if (strcmp(steps[i].operation, operation) == 0)
			return steps[i].step;
	return 0;
}

char *
mf_lot_operations(const MfWork *work)
{
	Step	   *steps;
	int			count = read_steps(work, work->step, &steps);
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < count; i++)
		appendStringInfo(&list, "%s%s", i > 0 ? ", " : "", steps[i].operation);
	return list.data;
}

bool
mf_lot_open(const pg_uuid_t *order_id, int lot, int step, MfWork *work)
{
	Datum		values[3] = {UUIDPGetDatum(order_id), Int32GetDatum(lot), Int32GetDatum(step)};

	if (mf_plan_run(&open_plan, values, NULL) == 0)
		return false;
	mf_work_row(work, 0);
	return work->step == step;
}

/*
 * What is left of a lot that nothing goes on in becomes part of another one;
 * false where nothing is left.
 */
static bool
take_over(const MfWork *from, int lot, int quantity)
{
	Datum		values[3] = {UUIDPGetDatum(&from->order_id), Int32GetDatum(from->lot), Int32GetDatum(from->step + 1)};
	int			count = (int) mf_plan_run(&open_plan, values, NULL);
	MfWork	   *rows = palloc(Max(count, 1) * sizeof(MfWork));

	for (int i = 0; i < count; i++)
		mf_work_row(&rows[i], i);
	for (int i = 0; i < count; i++)
	{
		rows[i].lot = lot;
		rows[i].quantity = quantity;
		mf_work_save(&rows[i]);
	}
	return count > 0;
}

/* A lot of pieces of `of`, of the steps from one to another. */
static void
insert_lot(const MfWork *of, bool is_repeat, int quantity, int first, int last, MfNews *news)
{
	MfWork		work = *of;
	Step	   *steps;
	int			count = read_steps(of, last, &steps);

	work.nth = last_number(&of->order_id);
	work.lot = work.nth + 1;
	work.quantity = quantity;
	work.is_repeat = is_repeat;
	work.is_continued = !is_repeat;
	work.repeats = work.continues = of->id;
	for (int i = 0; i < count; i++)
	{
		if (steps[i].step < first)
			continue;
		work.nth++;
		work.step = steps[i].step;
		work.operation = steps[i].operation;
		work.kind = steps[i].kind;
		insert(&work, work.step == first, news);
	}
}

/*
 * The pieces that `scrapped` did not bring to a good end, from a step on.
 * Where it brought none, the rest of its lot waits for these.
 */
void
mf_lot_repeat(const MfWork *scrapped, int quantity, int from_step, MfNews *news)
{
	int			lot = last_number(&scrapped->order_id) + 1;
	bool		taken_over = scrapped->good == 0 && take_over(scrapped, lot, quantity);

	insert_lot(scrapped, true, quantity, from_step,
			   taken_over ? scrapped->step : scrapped->steps, news);
}

void
mf_lot_continue(const MfWork *done, int quantity, MfNews *news)
{
	insert_lot(done, false, quantity, done->step + 1, done->steps, news);
}
