/*
 * claim.c
 *		Claims: the first free work that a station can do, and never twice.
 *
 * Candidates come from the dispatch list, without locks.  Each is tried by
 * locking its order's row and its own, skipping what is locked, and looked at
 * again then; who comes second goes on to the next.  Where all candidates
 * were locked by others a claim waits a moment for one of them, while it
 * holds none.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "check.h"
#include "flow.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mesflow.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"
#include "work.h"

PG_FUNCTION_INFO_V1(mesflow_claim_work);
PG_FUNCTION_INFO_V1(mesflow_claim_work_order);

/* Most work orders that one claim takes. */
#define MAX_CLAIM		100

/* Candidates beyond those wanted: as many may be taken by others meanwhile. */
#define SPARE			16

/* Abandoned work that a claim puts back before it looks. */
#define MOST_ABANDONED	10

/*
 * How long a claim waits for an order that somebody else holds.  Below the
 * time after which deadlocks are looked for.
 */
#define PATIENCE_MS		500

static MfPlan station_plan = {
	.sql = "SELECT CASE WHEN s.processes OPERATOR(pg_catalog.<>) '{}' OR s.operations OPERATOR(pg_catalog.<>) '{}' THEN"
	" ARRAY(SELECT k.kind FROM mesflow._work_kinds k"
	" WHERE (s.processes OPERATOR(pg_catalog.=) '{}' OR k.process OPERATOR(pg_catalog.=) ANY (s.processes))"
	" AND (s.operations OPERATOR(pg_catalog.=) '{}' OR k.operation OPERATOR(pg_catalog.=) ANY (s.operations))) END"
	" FROM mesflow.stations s WHERE s.code OPERATOR(pg_catalog.=) $1",
	.by_index = true,
	.writes = true,
	.arguments = 1,
	.types = {TEXTOID}
};

static MfPlan free_plan = {
	.sql = "SELECT f.work_order, f.order_id, f.rank, f.key FROM mesflow._free_work($1, $2, $3, $4, $5) f",
	.by_index = true,
	.writes = true,
	.arguments = 5,
	.types = {INT4ARRAYOID, INT8OID, TIMESTAMPTZOID, UUIDOID, INT4OID}
};

/*
 * Locks the first of the candidates that nobody holds, in their order: that
 * of the array.  What locks inside of LATERAL is done for one candidate after
 * the other, whatever the planner thinks of the tables' sizes; that the state
 * is hidden in an expression leaves it nothing but the primary keys.
 */
static MfPlan try_plan = {
	.sql = "SELECT c.* FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS u (order_id, id)"
	" CROSS JOIN LATERAL (SELECT " MF_WORK_COLUMNS " FROM mesflow.orders o"
	" JOIN mesflow._work_orders w ON w.id OPERATOR(pg_catalog.=) u.id"
	" WHERE o.id OPERATOR(pg_catalog.=) u.order_id AND o.status OPERATOR(pg_catalog.=) ANY ($4)"
	" AND (w.state OPERATOR(pg_catalog.||) '') OPERATOR(pg_catalog.=) 'queued'"
	" FOR NO KEY UPDATE OF o, w SKIP LOCKED) c LIMIT $3",
	.by_index = true,
	.writes = true,
	.arguments = 4,
	.types = {UUIDARRAYOID, UUIDARRAYOID, INT8OID, TEXTARRAYOID}
};

/* The order of the first of them that is free, whoever holds it. */
static MfPlan still_free_plan = {
	.sql = "SELECT d.order_id FROM pg_catalog.unnest($1) AS u (id)"
	" JOIN mesflow.dashboard_dispatch d ON d.work_order OPERATOR(pg_catalog.=) u.id"
	" WHERE d.state OPERATOR(pg_catalog.=) 'queued' LIMIT 1",
	.by_index = true,
	.writes = true,
	.arguments = 1,
	.types = {UUIDARRAYOID}
};

static MfPlan wait_plan = {
	.sql = "SELECT 1 FROM mesflow.orders o WHERE o.id OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE",
	.by_index = true,
	.writes = true,
	.arguments = 1,
	.types = {UUIDOID}
};

static MfPlan asked_plan = {
	.sql = "SELECT r.operator, r.work FROM mesflow._work_requests r WHERE r.request OPERATOR(pg_catalog.=) $1",
	.by_index = true,
	.writes = true,
	.arguments = 1,
	.types = {UUIDOID}
};

static MfPlan remember_plan = {
	.sql = "INSERT INTO mesflow._work_requests (request, operator, at, work) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
	.by_index = true,
	.writes = true,
	.arguments = 4,
	.types = {UUIDOID, TEXTOID, TIMESTAMPTZOID, UUIDARRAYOID}
};

static MfPlan result_plan = {
	.sql = "SELECT v.* FROM pg_catalog.unnest($1) WITH ORDINALITY AS u (id, n)"
	" JOIN mesflow.work_orders v ON v.id OPERATOR(pg_catalog.=) u.id ORDER BY u.n",
	.by_index = true,
	.writes = true,
	.arguments = 1,
	.types = {UUIDARRAYOID}
};

/* A claim under way. */
typedef struct Claim
{
	MfOperator	operator;
	const char *station;
	Datum		kinds;
	bool		any_kind;
	int			wanted;
	int			count;
	MfWork		taken[MAX_CLAIM];
	bool		met_locked;		/* work that is free, but held by another */
	pg_uuid_t	locked_order;
} Claim;

/* ---- claim_work ---------------------------------------------------------- */

static void
find_kinds(Claim *claim)
{
	Datum		value;

	claim->any_kind = true;
	if (claim->station == NULL)
		return;
	value = CStringGetTextDatum(claim->station);
	if (mf_plan_run(&station_plan, &value, NULL) == 0)
		ereport(ERROR,
				(errcode(MF_ERRCODE_NOT_FOUND),
				 errmsg("no such station"),
				 errdetail("There is no station \"%s\".", claim->station),
				 errhint("Stations are in mesflow.stations.")));
	claim->any_kind = !mf_plan_find(0, 1, &claim->kinds);
}

static Datum
ids_array(const pg_uuid_t *ids, int count)
{
	Datum	   *values = palloc(Max(count, 1) * sizeof(Datum));

	for (int i = 0; i < count; i++)
		values[i] = UUIDPGetDatum(&ids[i]);
	return PointerGetDatum(construct_array(values, count, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
}

/*
 * Takes what is still wanted of these candidates, and is neither taken nor
 * held by somebody else.  Where that is nothing at all, notes who holds what
 * is free.
 */
static void
try_candidates(Claim *claim, const pg_uuid_t *orders, const pg_uuid_t *ids, int count)
{
	Datum		values[4] = {ids_array(orders, count), ids_array(ids, count),
	Int64GetDatum(claim->wanted - claim->count), mf_flow_workable()};
	int			rows = (int) mf_plan_run(&try_plan, values, NULL);
	int			first = claim->count;
	Datum		order_id;

	for (int i = 0; i < rows; i++)
		mf_work_row(&claim->taken[claim->count++], i);
	for (int i = first; i < claim->count; i++)
		mf_work_assign(&claim->taken[i], claim->operator.code, claim->station);
	if (claim->count == 0 && !claim->met_locked && mf_plan_run(&still_free_plan, &values[1], NULL) > 0)
	{
		claim->met_locked = true;
		(void) mf_plan_find(0, 1, &order_id);
		claim->locked_order = *DatumGetUUIDP(order_id);
	}
}

/* Goes down the list until there is enough, or no more. */
static void
go_down(Claim *claim)
{
	Datum		values[5] = {claim->kinds};
	char		nulls[6] = {claim->any_kind ? 'n' : ' ', 'n', 'n', 'n', ' '};
	pg_uuid_t	orders[MAX_CLAIM + SPARE];
	pg_uuid_t	ids[MAX_CLAIM + SPARE];
	pg_uuid_t	after;
	int			asked;
	int			count;

	do
	{
		asked = claim->wanted - claim->count + SPARE;
		values[4] = Int32GetDatum(asked);
		count = (int) mf_plan_run(&free_plan, values, nulls);
		if (count == 0)
			break;
		for (int i = 0; i < count; i++)
		{
			Datum		id;

			(void) mf_plan_find(i, 1, &id);
			ids[i] = *DatumGetUUIDP(id);
			(void) mf_plan_find(i, 2, &id);
			orders[i] = *DatumGetUUIDP(id);
		}
		after = ids[count - 1];
		(void) mf_plan_find(count - 1, 3, &values[1]);
		(void) mf_plan_find(count - 1, 4, &values[2]);
		values[3] = UUIDPGetDatum(&after);
		nulls[1] = nulls[2] = nulls[3] = ' ';
		try_candidates(claim, orders, ids, count);
		CHECK_FOR_INTERRUPTS();
	} while (claim->count < claim->wanted && count == asked);
}

/* Waits for the order that was locked, as long as the deadline and the caller let us. */
static void
wait_for(const pg_uuid_t *order_id, TimestampTz deadline)
{
	Datum		value = UUIDPGetDatum(order_id);
	int			level = NewGUCNestLevel();
	int			patience = (int) TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);

	patience = Max(patience, 1);
	if (LockTimeout > 0)
		patience = Min(patience, LockTimeout);
	(void) set_config_option("lock_timeout", psprintf("%d", patience), PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) mf_plan_run(&wait_plan, &value, NULL);
	AtEOXact_GUC(true, level);
}

/*
 * Waits for the order that was locked and goes down the list once more, in a
 * subtransaction: where that brings nothing the order's lock is given back,
 * so that no claim waits while it holds one.  False: it is not worth waiting
 * longer.
 */
static bool
wait_and_go_down(Claim *claim, TimestampTz deadline)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	pg_uuid_t	order_id = claim->locked_order;
	volatile bool waited = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		wait_for(&order_id, deadline);
		waited = true;
		claim->met_locked = false;
		go_down(claim);
		if (claim->count > 0)
			ReleaseCurrentSubTransaction();
		else
			RollbackAndReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(caller);
		CurrentResourceOwner = owner;
		if (waited || error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE)
			ReThrowError(error);
		FreeErrorData(error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;

	/* Held by something else than its order's row: nothing to wait for. */
	return waited && claim->count == 0 && claim->met_locked &&
		memcmp(&order_id, &claim->locked_order, sizeof(order_id)) != 0;
}

static void
take(Claim *claim, const char *code)
{
	TimestampTz deadline;
	bool		holds_orders;

	find_kinds(claim);
	mf_operator_need_room(&claim->operator, code);
	claim->wanted = Min(claim->wanted, claim->operator.room);
	holds_orders = mf_work_return_abandoned(MOST_ABANDONED, NULL) > 0;
	go_down(claim);
	if (claim->count > 0 || !claim->met_locked || holds_orders)
		return;
	deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), PATIENCE_MS);
	while (wait_and_go_down(claim, deadline) && GetCurrentTimestamp() < deadline)
		CHECK_FOR_INTERRUPTS();
}

static void
count_claim(const MfWork *work)
{
	MfPayDay	day = mf_pay_day(work->assigned_at);
	MfPay		pay = mf_pay_of(work);

	pay.claimed = 1;
	mf_pay_count(&day, &pay);
}

static Datum
taken_ids(const Claim *claim)
{
	pg_uuid_t	ids[MAX_CLAIM];

	for (int i = 0; i < claim->count; i++)
		ids[i] = claim->taken[i].id;
	return ids_array(ids, claim->count);
}

static int
by_operation(const void *a, const void *b)
{
	const MfWork *one = a;
	const MfWork *other = b;
	int			order = strcmp(one->process, other->process);

	return order != 0 ? order : strcmp(one->operation, other->operation);
}

/* In one order of the counters, so that no two wait for each other. */
static void
count_claims(Claim *claim)
{
	qsort(claim->taken, claim->count, sizeof(MfWork), by_operation);
	for (int i = 0; i < claim->count; i++)
		count_claim(&claim->taken[i]);
}

/* What this request was given before; false: it is new. */
static bool
asked_before(const char *operator_code, Datum request, Datum *work)
{
	char	   *given;

	if (mf_plan_run(&asked_plan, &request, NULL) == 0)
		return false;
	given = mf_plan_text(0, 1);
	if (strcmp(given, operator_code) != 0)
		ereport(ERROR,
				(errcode(MF_ERRCODE_CONFLICT),
				 errmsg("the request is another operator's"),
				 errdetail("Request %s was made by operator \"%s\".",
						   DatumGetCString(DirectFunctionCall1(uuid_out, request)), given),
				 errhint("Use a new id for each claim, and the same one only to repeat it.")));
	(void) mf_plan_find(0, 2, work);
	return true;
}

/* Another operator may have made the same request at this moment. */
static void
remember(const Claim *claim, Datum request, Datum work)
{
	Datum		values[4] = {request, CStringGetTextDatum(claim->operator.code),
	TimestampTzGetDatum(GetCurrentTimestamp()), work};

	if (mf_plan_run(&remember_plan, values, NULL) == 0)
		(void) asked_before(claim->operator.code, request, &work);
}

/*
 * claim_work(operator text, station text, limit_to integer, request_id uuid)
 */
PGDLLEXPORT Datum
mesflow_claim_work(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Claim	   *claim = palloc0(sizeof(Claim));
	Datum		work;
	char	   *code;
	uint64		rows;

	mf_check_primary();
	claim->station = mf_argument_text(fcinfo, 1);
	claim->wanted = PG_ARGISNULL(2) ? 1 : PG_GETARG_INT32(2);
	if (claim->wanted < 1 || claim->wanted > MAX_CLAIM)
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("limit not allowed"),
				 errdetail("limit_to is %d.", claim->wanted),
				 errhint("Claim 1 to %d work orders at a time.", MAX_CLAIM)));
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	mf_spi_connect();
	code = mf_operator_check(fcinfo, 0);
	mf_operator_lock(code);
	if (PG_ARGISNULL(3) || !asked_before(code, PG_GETARG_DATUM(3), &work))
	{
		take(claim, code);
		work = taken_ids(claim);
		count_claims(claim);
		if (!PG_ARGISNULL(3) && claim->count > 0)
			remember(claim, PG_GETARG_DATUM(3), work);
	}
	rows = mf_plan_run(&result_plan, &work, NULL);
	for (uint64 i = 0; i < rows; i++)
		tuplestore_puttuple(result->setResult, SPI_tuptable->vals[i]);
	SPI_finish();
	return (Datum) 0;
}

/* ---- claim_work_order ---------------------------------------------------- */

/* claim_work_order(work_order uuid, operator text) */
PGDLLEXPORT Datum
mesflow_claim_work_order(PG_FUNCTION_ARGS)
{
	MfOperator	operator;
	MfWorkOrder order;
	MfWork		work;
	char	   *code;
	Datum		result;

	mf_check_primary();
	mf_spi_connect();
	code = mf_operator_check(fcinfo, 1);
	mf_operator_lock(code);
	mf_work_hold(fcinfo, 0, &work, &order);
	if (!mf_work_is_of(&work, code))
	{
		mf_work_check_free(&work);
		mf_work_check_order(&work, &order);
		mf_operator_need_room(&operator, code);
		mf_work_assign(&work, code, NULL);
		count_claim(&work);
	}
	result = mf_work_result(&work.id);
	SPI_finish();
	PG_RETURN_DATUM(result);
}
