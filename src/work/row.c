/*
 * row.c
 *		Rows of _work_orders: read, written, shown.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mesflow.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "work.h"

const char *const mf_work_state_names[] = {
	"planned", "queued", "assigned", "started", "finished", "cancelled"
};

/* In the order of MF_WORK_COLUMNS, from 1 on. */
enum
{
	COL_ID = 1, COL_ORDER_ID, COL_NTH, COL_ITEM, COL_PARTNER, COL_ORDER_NUMBER, COL_MODEL,
	COL_MATERIAL, COL_PROCESS, COL_OPERATION, COL_KIND, COL_STEP, COL_STEPS,
	COL_LOT, COL_REPEATS, COL_QUANTITY, COL_GOOD, COL_SCRAP, COL_STATE,
	COL_OPERATOR, COL_STATION, COL_QUEUED_AT, COL_ASSIGNED_AT,
	COL_LEASE_UNTIL, COL_STARTED_AT, COL_FINISHED_AT, COL_CANCELLED_AT,
	COL_FINISHED_DAY, COL_FINISHED_SHIFT, COL_CONTINUES, COL_PLAN
};

StaticAssertDecl(COL_PLAN == MF_WORK_COLUMN_COUNT, "a column is not counted");

static MfPlan find_plan = {
	.sql = "SELECT " MF_WORK_COLUMNS " FROM mesflow._work_orders w WHERE w.id OPERATOR(pg_catalog.=) $1",
	.by_index = true,
	.writes = true,
	.arguments = 1,
	.types = {UUIDOID}
};

static MfPlan save_plan = {
	.sql = "UPDATE mesflow._work_orders SET lot = $2, quantity = $3, good = $4, scrap = $5, state = $6, operator = $7, station = $8,"
	" queued_at = $9, assigned_at = $10, lease_until = $11, started_at = $12, finished_at = $13, cancelled_at = $14,"
	" finished_day = $15, finished_shift = $16 WHERE id OPERATOR(pg_catalog.=) $1",
	.by_index = true,
	.writes = true,
	.arguments = 16,
	.types = {UUIDOID, INT4OID, INT4OID, INT4OID, INT4OID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID,
	TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID, DATEOID, TEXTOID}
};

static MfPlan insert_plan = {
	.sql = "INSERT INTO mesflow._work_orders (id, order_id, nth, item, partner, order_number, model, material, process, operation, kind,"
	" step, steps, lot, repeats, quantity, state, queued_at, continues, plan)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
	.by_index = true,
	.writes = true,
	.arguments = 20,
	.types = {UUIDOID, UUIDOID, INT4OID, UUIDOID, TEXTOID, TEXTOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, INT4OID, INT4OID,
	INT4OID, INT4OID, UUIDOID, INT4OID, TEXTOID, TIMESTAMPTZOID, UUIDOID, INT4OID}
};

static MfPlan result_plan = {
	.sql = "SELECT w FROM mesflow.work_orders w WHERE w.id OPERATOR(pg_catalog.=) $1",
	.by_index = true,
	.writes = true,
	.arguments = 1,
	.types = {UUIDOID}
};

static int
integer(uint64 row, int column)
{
	Datum		value;

	return mf_plan_find(row, column, &value) ? DatumGetInt32(value) : 0;
}

static bool
uuid(uint64 row, int column, pg_uuid_t *id)
{
	Datum		value;

	if (!mf_plan_find(row, column, &value))
		return false;
	memcpy(id, DatumGetUUIDP(value), sizeof(*id));
	return true;
}

static TimestampTz
moment(uint64 row, int column)
{
	Datum		value;

	return mf_plan_find(row, column, &value) ? DatumGetTimestampTz(value) : MF_NEVER;
}

static MfWorkState
state(uint64 row)
{
	char	   *name = mf_plan_text(row, COL_STATE);

	for (int i = 0; i < (int) lengthof(mf_work_state_names); i++)
		if (strcmp(name, mf_work_state_names[i]) == 0)
			return (MfWorkState) i;
	elog(ERROR, "a work order is \"%s\"", name);
}

void
mf_work_row(MfWork *work, uint64 row)
{
	(void) uuid(row, COL_ID, &work->id);
	(void) uuid(row, COL_ORDER_ID, &work->order_id);
	work->nth = integer(row, COL_NTH);
	(void) uuid(row, COL_ITEM, &work->item);
	work->partner = mf_plan_text(row, COL_PARTNER);
	work->order_number = mf_plan_text(row, COL_ORDER_NUMBER);
	(void) uuid(row, COL_MODEL, &work->model);
	work->material = mf_plan_text(row, COL_MATERIAL);
	work->process = mf_plan_text(row, COL_PROCESS);
	work->operation = mf_plan_text(row, COL_OPERATION);
	work->kind = integer(row, COL_KIND);
	work->step = integer(row, COL_STEP);
	work->steps = integer(row, COL_STEPS);
	work->lot = integer(row, COL_LOT);
	work->is_repeat = uuid(row, COL_REPEATS, &work->repeats);
	work->quantity = integer(row, COL_QUANTITY);
	work->good = integer(row, COL_GOOD);
	work->scrap = integer(row, COL_SCRAP);
	work->state = state(row);
	work->operator_code = mf_plan_text(row, COL_OPERATOR);
	work->station = mf_plan_text(row, COL_STATION);
	work->queued_at = moment(row, COL_QUEUED_AT);
	work->assigned_at = moment(row, COL_ASSIGNED_AT);
	work->lease_until = moment(row, COL_LEASE_UNTIL);
	work->started_at = moment(row, COL_STARTED_AT);
	work->finished_at = moment(row, COL_FINISHED_AT);
	work->cancelled_at = moment(row, COL_CANCELLED_AT);
	work->finished_day = integer(row, COL_FINISHED_DAY);
	work->finished_shift = mf_plan_text(row, COL_FINISHED_SHIFT);
	work->is_continued = uuid(row, COL_CONTINUES, &work->continues);
	work->plan = integer(row, COL_PLAN);
}

bool
mf_work_find(MfWork *work, Datum id)
{
	if (mf_plan_run(&find_plan, &id, NULL) == 0)
		return false;
	mf_work_row(work, 0);
	return true;
}

char *
mf_work_number(const MfWork *work)
{
	return psprintf("%s-%d", work->order_number, work->nth);
}

void
mf_work_missing(FunctionCallInfo fcinfo, int argument)
{
	ereport(ERROR,
			(errcode(MF_ERRCODE_NOT_FOUND),
			 errmsg("no such work order"),
			 PG_ARGISNULL(argument) ? errdetail("The id is NULL.") :
			 errdetail("There is no work order %s.",
					   DatumGetCString(DirectFunctionCall1(uuid_out, PG_GETARG_DATUM(argument)))),
			 errhint("Work orders are in mesflow.work_orders.")));
}

/* Arguments of a statement, as they are put together. */
typedef struct Arguments
{
	Datum		values[MF_PLAN_ARGUMENTS];
	char		nulls[MF_PLAN_ARGUMENTS];
	int			count;
} Arguments;

static void
add(Arguments *arguments, Datum value, bool is_null)
{
	arguments->values[arguments->count] = value;
	arguments->nulls[arguments->count] = is_null ? 'n' : ' ';
	arguments->count++;
}

static void
add_text(Arguments *arguments, const char *text)
{
	add(arguments, text !=NULL ? CStringGetTextDatum(text) : (Datum) 0, text == NULL);
}

static void
add_moment(Arguments *arguments, TimestampTz at)
{
	add(arguments, TimestampTzGetDatum(at), at == MF_NEVER);
}

void
mf_work_save(const MfWork *work)
{
	Arguments	a = {.count = 0};

	add(&a, UUIDPGetDatum(&work->id), false);
	add(&a, Int32GetDatum(work->lot), false);
	add(&a, Int32GetDatum(work->quantity), false);
	add(&a, Int32GetDatum(work->good), false);
	add(&a, Int32GetDatum(work->scrap), false);
	add_text(&a, mf_work_state_names[work->state]);
	add_text(&a, work->operator_code);
	add_text(&a, work->station);
	add_moment(&a, work->queued_at);
	add_moment(&a, work->assigned_at);
	add_moment(&a, work->lease_until);
	add_moment(&a, work->started_at);
	add_moment(&a, work->finished_at);
	add_moment(&a, work->cancelled_at);
	add(&a, DateADTGetDatum(work->finished_day), work->finished_at == MF_NEVER);
	add_text(&a, work->finished_shift);
	(void) mf_plan_run(&save_plan, a.values, a.nulls);
}

void
mf_work_insert(const MfWork *work)
{
	Arguments	a = {.count = 0};

	add(&a, UUIDPGetDatum(&work->id), false);
	add(&a, UUIDPGetDatum(&work->order_id), false);
	add(&a, Int32GetDatum(work->nth), false);
	add(&a, UUIDPGetDatum(&work->item), false);
	add_text(&a, work->partner);
	add_text(&a, work->order_number);
	add(&a, UUIDPGetDatum(&work->model), false);
	add_text(&a, work->material);
	add_text(&a, work->process);
	add_text(&a, work->operation);
	add(&a, Int32GetDatum(work->kind), false);
	add(&a, Int32GetDatum(work->step), false);
	add(&a, Int32GetDatum(work->steps), false);
	add(&a, Int32GetDatum(work->lot), false);
	add(&a, UUIDPGetDatum(&work->repeats), !work->is_repeat);
	add(&a, Int32GetDatum(work->quantity), false);
	add_text(&a, mf_work_state_names[work->state]);
	add_moment(&a, work->queued_at);
	add(&a, UUIDPGetDatum(&work->continues), !work->is_continued);
	add(&a, Int32GetDatum(work->plan), false);
	(void) mf_plan_run(&insert_plan, a.values, a.nulls);
}

Datum
mf_work_result(const pg_uuid_t *id)
{
	Datum		value = UUIDPGetDatum(id);
	Datum		row;

	if (mf_plan_run(&result_plan, &value, NULL) == 0 || !mf_plan_find(0, 1, &row))
		elog(ERROR, "a work order is not in mesflow.work_orders");
	return SPI_datumTransfer(row, false, -1);
}

MfPay
mf_pay_of(const MfWork *work)
{
	MfPay		pay = {0};

	pay.operator_code = work->operator_code;
	pay.process = work->process;
	pay.operation = work->operation;
	return pay;
}
