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
#include "fmgr.h"
#include "funcapi.h"
#include "guc.h"
#include "mesflow.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"
#include "work.h"

PG_FUNCTION_INFO_V1(mesflow_claim_work);
PG_FUNCTION_INFO_V1(mesflow_claim_work_order);
PG_FUNCTION_INFO_V1(mesflow_return_abandoned);

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
#define PATIENCE		"500ms"

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

static MfPlan try_plan = {
	.sql = "SELECT " MF_WORK_COLUMNS " FROM mesflow.orders o"
	" JOIN mesflow.order_statuses s ON s.status OPERATOR(pg_catalog.=) o.status"
	" JOIN mesflow._work_orders w ON w.id OPERATOR(pg_catalog.=) $2"
	" WHERE o.id OPERATOR(pg_catalog.=) $1 AND s.workable AND w.state OPERATOR(pg_catalog.=) 'queued'"
	" FOR NO KEY UPDATE OF o, w SKIP LOCKED",
	.by_index = true,
	.writes = true,
	.arguments = 2,
	.types = {UUIDOID, UUIDOID}
};

/* Is it still free, whoever has it locked? */
static MfPlan still_free_plan = {
	.sql = "SELECT 1 FROM mesflow.dashboard_dispatch d WHERE d.work_order OPERATOR(pg_catalog.=) $1 AND d.state OPERATOR(pg_catalog.=) 'queued'",
	.by_index = true,
	.writes = true,
	.arguments = 1,
	.types = {UUIDOID}
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

static MfPlan abandoned_plan = {
	.sql = "SELECT w.order_id, w.id FROM mesflow._work_orders w WHERE w.state OPERATOR(pg_catalog.=) 'assigned'"
	" AND w.lease_until OPERATOR(pg_catalog.<) $1 ORDER BY w.lease_until LIMIT $2",
	.by_index = true,
	.writes = true,
	.arguments = 2,
	.types = {TIMESTAMPTZOID, INT4OID}
};

static MfPlan take_back_plan = {
	.sql = "SELECT " MF_WORK_COLUMNS " FROM mesflow.orders o"
	" JOIN mesflow._work_orders w ON w.id OPERATOR(pg_catalog.=) $2"
	" WHERE o.id OPERATOR(pg_catalog.=) $1 AND w.state OPERATOR(pg_catalog.=) 'assigned' AND w.lease_until OPERATOR(pg_catalog.<) $3"
	" FOR NO KEY UPDATE OF o, w SKIP LOCKED",
	.by_index = true,
	.writes = true,
	.arguments = 3,
	.types = {UUIDOID, UUIDOID, TIMESTAMPTZOID}
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

/* ---- one work order ------------------------------------------------------ */

void
mf_work_assign(MfWork *work, const char *operator_code, const char *station)
{
	MfNews		news = {.order_id = &work->order_id,.actor = operator_code};

	work->state = MF_WORK_ASSIGNED;
	work->operator_code = pstrdup(operator_code);
	work->station = station != NULL ? pstrdup(station) : NULL;
	work->assigned_at = Max(GetCurrentTimestamp(), work->queued_at);
	work->lease_until = work->assigned_at + (int64) mf_guc_work_lease * USECS_PER_SEC;
	mf_work_save(work);
	(void) mf_news_add(&news, work, "work.assigned", work->assigned_at);
	mf_news_write(&news);
}

void
mf_work_release(MfWork *work, const char *actor, const char *reason)
{
	MfNews		news = {.order_id = &work->order_id,.actor = actor};
	const char *operator_code = work->operator_code;
	MfTold	   *told;

	work->state = MF_WORK_QUEUED;
	work->operator_code = work->station = NULL;
	work->assigned_at = work->lease_until = work->started_at = MF_NEVER;
	mf_work_save(work);
	told = mf_news_add(&news, work, "work.released", MF_NEVER);
	told->operator_code = operator_code;
	told->note = reason;
	mf_news_write(&news);
}

/* ---- abandoned claims ---------------------------------------------------- */

int
mf_work_return_abandoned(int most)
{
	TimestampTz now = GetCurrentTimestamp();
	Datum		values[3] = {TimestampTzGetDatum(now), Int32GetDatum(most)};
	int			count = (int) mf_plan_run(&abandoned_plan, values, NULL);
	pg_uuid_t  *ids = palloc(Max(count, 1) * 2 * sizeof(pg_uuid_t));
	int			returned = 0;

	for (int i = 0; i < 2 * count; i++)
	{
		Datum		id;

		(void) mf_plan_find(i / 2, i % 2 + 1, &id);
		ids[i] = *DatumGetUUIDP(id);
	}
	for (int i = 0; i < count; i++)
	{
		MfWork		work;

		values[0] = UUIDPGetDatum(&ids[2 * i]);
		values[1] = UUIDPGetDatum(&ids[2 * i + 1]);
		values[2] = TimestampTzGetDatum(now);
		if (mf_plan_run(&take_back_plan, values, NULL) == 0)
			continue;
		mf_work_row(&work, 0);
		mf_work_release(&work, MF_EXTENSION, "not started in time");
		returned++;
	}
	return returned;
}

/* _return_abandoned(most integer) */
PGDLLEXPORT Datum
mesflow_return_abandoned(PG_FUNCTION_ARGS)
{
	int			returned;

	mf_spi_connect();
	returned = mf_work_return_abandoned(PG_GETARG_INT32(0));
	SPI_finish();
	PG_RETURN_INT32(returned);
}

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

/* Takes a candidate, unless somebody has taken or holds it. */
static void
try_candidate(Claim *claim, const pg_uuid_t *order_id, const pg_uuid_t *id)
{
	Datum		values[2] = {UUIDPGetDatum(order_id), UUIDPGetDatum(id)};

	if (mf_plan_run(&try_plan, values, NULL) > 0)
	{
		MfWork	   *work = &claim->taken[claim->count];

		mf_work_row(work, 0);
		mf_work_assign(work, claim->operator.code, claim->station);
		claim->count++;
	}
	else if (!claim->met_locked && mf_plan_run(&still_free_plan, &values[1], NULL) > 0)
	{
		claim->met_locked = true;
		claim->locked_order = *order_id;
	}
}

/* Goes down the list until there is enough, or no more. */
static void
go_down(Claim *claim)
{
	Datum		values[5] = {claim->kinds};
	char		nulls[6] = {claim->any_kind ? 'n' : ' ', 'n', 'n', 'n', ' '};
	pg_uuid_t	candidates[2 * (MAX_CLAIM + SPARE)];
	pg_uuid_t	after;
	int			asked;
	int			count;

	do
	{
		asked = claim->wanted - claim->count + SPARE;
		values[4] = Int32GetDatum(asked);
		count = (int) mf_plan_run(&free_plan, values, nulls);
		for (int i = 0; i < 2 * count; i++)
		{
			Datum		id;

			(void) mf_plan_find(i / 2, i % 2 + 1, &id);
			candidates[i] = *DatumGetUUIDP(id);
		}
		if (count > 0)
		{
			after = candidates[2 * (count - 1)];
			(void) mf_plan_find(count - 1, 3, &values[1]);
			(void) mf_plan_find(count - 1, 4, &values[2]);
			values[3] = UUIDPGetDatum(&after);
			nulls[1] = nulls[2] = nulls[3] = ' ';
		}
		for (int i = 0; i < count && claim->count < claim->wanted; i++)
			try_candidate(claim, &candidates[2 * i + 1], &candidates[2 * i]);
		CHECK_FOR_INTERRUPTS();
	} while (claim->count < claim->wanted && count == asked);
}

/* Waits for the order that was locked, with the patience that we have. */
static void
wait_for(const pg_uuid_t *order_id)
{
	Datum		value = UUIDPGetDatum(order_id);
	int			level = NewGUCNestLevel();

	(void) set_config_option("lock_timeout", PATIENCE, PGC_USERSET, PGC_S_SESSION,
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
wait_and_go_down(Claim *claim)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool again = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		wait_for(&claim->locked_order);
		claim->met_locked = false;
		go_down(claim);
		again = claim->count == 0 && claim->met_locked;
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
		if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE)
			ReThrowError(error);
		FreeErrorData(error);
		again = false;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	return again;
}

static void
take(Claim *claim)
{
	find_kinds(claim);
	if (claim->operator.room == 0)
		mf_operator_refuse(&claim->operator);
	claim->wanted = Min(claim->wanted, claim->operator.room);
	(void) mf_work_return_abandoned(MOST_ABANDONED);
	go_down(claim);
	if (claim->count == 0 && claim->met_locked)
		while (wait_and_go_down(claim))
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
	Datum		ids[MAX_CLAIM];

	for (int i = 0; i < claim->count; i++)
		ids[i] = UUIDPGetDatum(&claim->taken[i].id);
	return PointerGetDatum(construct_array(ids, claim->count, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
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
	claim->station = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
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
	mf_operator_lock(&claim->operator, code);
	if (PG_ARGISNULL(3) || !asked_before(code, PG_GETARG_DATUM(3), &work))
	{
		take(claim);
		for (int i = 0; i < claim->count; i++)
			count_claim(&claim->taken[i]);
		work = taken_ids(claim);
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
	mf_operator_lock(&operator, code);
	mf_work_hold(fcinfo, 0, &work, &order);
	if (!mf_work_is_of(&work, code))
	{
		mf_work_check_free(&work);
		mf_work_check_order(&work, &order);
		if (operator.room == 0)
			mf_operator_refuse(&operator);
		mf_work_assign(&work, code, NULL);
		count_claim(&work);
	}
	result = mf_work_result(&work.id);
	SPI_finish();
	PG_RETURN_DATUM(result);
}
