/*
 * step.c
 *		advance_order, set_priority, set_due: an UPDATE each, with what the
 *		caller says about it.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "check.h"
#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mesflow.h"
#include "order.h"
#include "plan.h"
#include "tables.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#define MAX_DETAIL		(64 * 1024)
#define MAX_TRACKING	200

PG_FUNCTION_INFO_V1(mesflow_advance_order);
PG_FUNCTION_INFO_V1(mesflow_set_priority);
PG_FUNCTION_INFO_V1(mesflow_set_due);
PG_FUNCTION_INFO_V1(mesflow_order_of_event);
PG_FUNCTION_INFO_V1(mesflow_count_events);
PG_FUNCTION_INFO_V1(mesflow_follow_work);

/* What an order has already is not written again. */
static MfPlan status_plan = {
	.sql = "UPDATE mesflow.orders SET status = $2"
	" WHERE id OPERATOR(pg_catalog.=) $1 AND status OPERATOR(pg_catalog.<>) $2",
	.by_index = true,
	.writes = true,
	.arguments = 2,
	.types = {UUIDOID, TEXTOID}
};

static MfPlan priority_plan = {
	.sql = "UPDATE mesflow.orders SET priority = $2"
	" WHERE id OPERATOR(pg_catalog.=) $1 AND priority OPERATOR(pg_catalog.<>) $2",
	.by_index = true,
	.writes = true,
	.arguments = 2,
	.types = {UUIDOID, INT4OID}
};

static MfPlan due_plan = {
	.sql = "UPDATE mesflow.orders SET due_at = $2"
	" WHERE id OPERATOR(pg_catalog.=) $1 AND due_at IS DISTINCT FROM $2",
	.by_index = true,
	.writes = true,
	.arguments = 2,
	.types = {UUIDOID, TIMESTAMPTZOID}
};

static MfPlan exists_plan = {
	.sql = "SELECT 1 FROM mesflow.orders o WHERE o.id OPERATOR(pg_catalog.=) $1",
	.by_index = true,
	.arguments = 1,
	.types = {UUIDOID}
};

static MfPlan system_plan = {
	.sql = "SELECT 1 FROM mesflow.systems s WHERE s.code OPERATOR(pg_catalog.=) $1",
	.by_index = true,
	.arguments = 1,
	.types = {TEXTOID}
};

static MfPlan order_plan = {
	.sql = "SELECT o.partner, o.correlation_id, NULL::pg_catalog.int8"
	" FROM mesflow.orders o WHERE o.id OPERATOR(pg_catalog.=) $1",
	.by_index = true,
	.writes = true,
	.arguments = 1,
	.types = {UUIDOID}
};

static MfPlan count_plan = {
	.sql = "UPDATE mesflow.orders SET event_seq = event_seq OPERATOR(pg_catalog.+) $2"
	" WHERE id OPERATOR(pg_catalog.=) $1"
	" RETURNING partner, correlation_id, event_seq",
	.by_index = true,
	.writes = true,
	.arguments = 2,
	.types = {UUIDOID, INT4OID}
};

static MfPlan lock_plan = {
	.sql = "SELECT o.status FROM mesflow.orders o WHERE o.id OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE",
	.by_index = true,
	.writes = true,
	.arguments = 1,
	.types = {UUIDOID}
};

static void
no_such_order(FunctionCallInfo fcinfo)
{
	ereport(ERROR,
			(errcode(MF_ERRCODE_NOT_FOUND),
			 errmsg("no such order"),
			 PG_ARGISNULL(0) ? errdetail("The id is NULL.") :
			 errdetail("There is no order %s.",
					   DatumGetCString(DirectFunctionCall1(uuid_out, PG_GETARG_DATUM(0)))),
			 errhint("Find it with mesflow.find_orders().")));
}

/* An UPDATE of one order by two arguments, and whether it changed anything. */
typedef struct Update
{
	MfPlan	   *plan;
	Datum		values[2];
	const char *nulls;
	uint64		rows;
} Update;

static void
update(void *arg)
{
	Update	   *work = arg;

	work->rows = mf_plan_run(work->plan, work->values, work->nulls);
}

/* Runs the UPDATE as this step; MF404 where there is no such order. */
static void
run(FunctionCallInfo fcinfo, MfPlan *plan, Datum value, bool is_null, const MfStep *step)
{
	Update		work = {.plan = plan,.nulls = is_null ? " n" : NULL};

	if (PG_ARGISNULL(0))
		no_such_order(fcinfo);
	work.values[0] = PG_GETARG_DATUM(0);
	work.values[1] = value;
	mf_spi_connect();
	mf_step_run(step, update, &work);
	if (work.rows == 0 && mf_plan_run(&exists_plan, work.values, NULL) == 0)
		no_such_order(fcinfo);
	SPI_finish();
}

static void
check_system(const char *system)
{
	Datum		value;
	uint64		rows;

	if (system == NULL)
		return;
	value = CStringGetTextDatum(system);
	mf_spi_connect();
	rows = mf_plan_run(&system_plan, &value, NULL);
	SPI_finish();
	if (rows == 0)
		ereport(ERROR,
				(errcode(MF_ERRCODE_NOT_FOUND),
				 errmsg("no such system"),
				 errdetail("There is no system \"%s\".", system),
				 errhint("Known systems are in mesflow.systems.")));
}

/* The detail of a step, as text; what it says of a parcel is kept. */
static void
read_detail(Jsonb *detail, MfStep *step)
{
	JsonbValue	value;
	JsonbValue *found;

	if (!JB_ROOT_IS_OBJECT(detail))
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("detail must be a JSON object"),
				 errdetail("The detail is %s.", JB_ROOT_IS_SCALAR(detail) ? "a scalar" : "an array"),
				 errhint("Pass for example {\"carrier\": \"Post\", \"tracking\": \"RB123\"}.")));
	step->detail = JsonbToCString(NULL, &detail->root, VARSIZE(detail));
	if (strlen(step->detail) > MAX_DETAIL)
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("detail too long"),
				 errdetail("The detail has %zu bytes as text; the limit is %d.", strlen(step->detail), MAX_DETAIL),
				 errhint("Keep it elsewhere and write down where.")));
	found = getKeyJsonValueFromContainer(&detail->root, "tracking", strlen("tracking"), &value);
	if (found == NULL || found->type == jbvNull)
		return;
	if (found->type != jbvString || found->val.string.len == 0 || found->val.string.len > MAX_TRACKING)
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("tracking number not allowed"),
				 errdetail("detail.tracking is not a text of 1 to %d bytes.", MAX_TRACKING),
				 errhint("Pass it as text, for example \"RB123\".")));
	step->tracking = pnstrdup(found->val.string.val, found->val.string.len);
}

static void
check_texts(const char *actor, const char *note)
{
	mf_check_primary();
	mf_check_length("actor", actor, 200);
	mf_check_length("note", note, MF_NOTE_MAX);
}

/*
 * advance_order(order_id uuid, to_status text, actor text, note text, system
 * text, expect text, detail jsonb)
 */
PGDLLEXPORT Datum
mesflow_advance_order(PG_FUNCTION_ARGS)
{
	MfStep		step = {0};
	char	   *to = mf_argument_text(fcinfo, 1);

	step.actor = mf_argument_text(fcinfo, 2);
	step.note = mf_argument_text(fcinfo, 3);
	step.system = mf_argument_text(fcinfo, 4);
	step.expect = mf_argument_text(fcinfo, 5);
	check_texts(step.actor, step.note);
	mf_check_length("to_status", to, 100);
	mf_check_length("system", step.system, 100);
	mf_check_length("expect", step.expect, 100);
	step.actor = mf_actor(step.actor);
	if (to == NULL || mf_flow_status(to) == NULL ||
		(step.expect != NULL && mf_flow_status(step.expect) == NULL))
		ereport(ERROR,
				(errcode(MF_ERRCODE_NOT_FOUND),
				 errmsg("no such status"),
				 to == NULL ? errdetail("The status is NULL.") :
				 errdetail("There is no status \"%s\".", mf_flow_status(to) == NULL ? to : step.expect),
				 errhint("Known statuses: %s.", mf_flow_statuses())));
	check_system(step.system);
	if (!PG_ARGISNULL(6))
		read_detail(PG_GETARG_JSONB_P(6), &step);
	run(fcinfo, &status_plan, CStringGetTextDatum(to), false, &step);
	PG_RETURN_VOID();
}

/* set_priority(order_id uuid, priority integer, actor text, note text) */
PGDLLEXPORT Datum
mesflow_set_priority(PG_FUNCTION_ARGS)
{
	MfStep		step = {0};

	step.actor = mf_argument_text(fcinfo, 2);
	step.note = mf_argument_text(fcinfo, 3);
	check_texts(step.actor, step.note);
	step.actor = mf_actor(step.actor);
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("a priority is needed"),
				 errdetail("The priority is NULL."),
				 errhint("0 is usual; higher is sooner.")));
	run(fcinfo, &priority_plan, PG_GETARG_DATUM(1), false, &step);
	PG_RETURN_VOID();
}

/* set_due(order_id uuid, due_at timestamptz, actor text, note text) */
PGDLLEXPORT Datum
mesflow_set_due(PG_FUNCTION_ARGS)
{
	MfStep		step = {0};

	step.actor = mf_argument_text(fcinfo, 2);
	step.note = mf_argument_text(fcinfo, 3);
	check_texts(step.actor, step.note);
	step.actor = mf_actor(step.actor);
	run(fcinfo, &due_plan, PG_ARGISNULL(1) ? (Datum) 0 : PG_GETARG_DATUM(1), PG_ARGISNULL(1), &step);
	PG_RETURN_VOID();
}

/*
 * _order_of_event(order_id uuid, counted boolean): partner, correlation id
 * and number of an event of somebody's own about an order; the number is
 * NULL unless it is one of the order's sequence.
 */
PGDLLEXPORT Datum
mesflow_order_of_event(PG_FUNCTION_ARGS)
{
	bool		counted = PG_GETARG_BOOL(1);
	const MfStep step = {.quiet = true,.events = 1};
	Update		work = {.plan = counted ? &count_plan : &order_plan};
	TupleDesc	desc;
	Datum		values[3];
	bool		nulls[3];
	HeapTuple	tuple;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "not called for a row");
	work.values[0] = PG_GETARG_DATUM(0);
	work.values[1] = Int32GetDatum(1);
	mf_spi_connect();
	mf_step_run(&step, update, &work);
	if (work.rows == 0)
		no_such_order(fcinfo);
	for (int i = 0; i < (int) lengthof(values); i++)
	{
		nulls[i] = !mf_plan_find(0, i + 1, &values[i]);
		if (i == 0)
			values[i] = SPI_datumTransfer(values[i], false, -1);
		else if (i == 1)
			values[i] = SPI_datumTransfer(values[i], false, UUID_LEN);
	}
	SPI_finish();
	tuple = heap_form_tuple(BlessTupleDesc(desc), values, nulls);
	PG_RETURN_DATUM(HeapTupleGetDatum(tuple));
}

/*
 * _count_events(order_id uuid, events integer): the caller, who holds the
 * order's row, has written so many events of its work.  After them, so that
 * what a trigger of somebody's tells then has later numbers and ids.
 */
PGDLLEXPORT Datum
mesflow_count_events(PG_FUNCTION_ARGS)
{
	const MfStep step = {.quiet = true,.events = PG_GETARG_INT32(1)};
	Update		work = {.plan = &count_plan};

	work.values[0] = PG_GETARG_DATUM(0);
	work.values[1] = PG_GETARG_DATUM(1);
	mf_spi_connect();
	mf_step_run(&step, update, &work);
	if (work.rows == 0)
		no_such_order(fcinfo);
	SPI_finish();
	PG_RETURN_VOID();
}

/*
 * _follow_work(order_id uuid, to_status text, actor text): the step that an
 * order makes because of its work; false where its flow has no such step, and
 * on hold.
 */
PGDLLEXPORT Datum
mesflow_follow_work(PG_FUNCTION_ARGS)
{
	const MfStep step = {.sums = true,.actor = text_to_cstring(PG_GETARG_TEXT_PP(2))};
	char	   *to = text_to_cstring(PG_GETARG_TEXT_PP(1));
	Update		work = {.plan = &status_plan};
	const MfStatus *status;
	char	   *from;

	work.values[0] = PG_GETARG_DATUM(0);
	work.values[1] = PG_GETARG_DATUM(1);
	mf_spi_connect();
	if (mf_plan_run(&lock_plan, work.values, NULL) == 0)
		no_such_order(fcinfo);
	from = mf_plan_text(0, 1);
	status = mf_flow_status(from);
	if (status != NULL && status->hold)
	{
		SPI_finish();
		PG_RETURN_BOOL(false);
	}
	if (mf_flow_status(to) != NULL && mf_flow_step(from, to, true) == MF_FLOW_ALLOWED)
		mf_step_run(&step, update, &work);
	SPI_finish();
	PG_RETURN_BOOL(work.rows > 0);
}
