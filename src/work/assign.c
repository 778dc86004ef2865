/*
 * assign.c
 *		Work comes to an operator, and goes back to the list: when it is
 *		released, or when it was not started in time.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "guc.h"
#include "mesflow.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"
#include "work.h"

PG_FUNCTION_INFO_V1(mesflow_return_abandoned);

/* $2: whose; NULL: anybody's. */
static MfPlan abandoned_plan = {
	.sql = "SELECT w.order_id, w.id FROM mesflow._work_orders w WHERE w.state OPERATOR(pg_catalog.=) 'assigned'"
	" AND w.lease_until OPERATOR(pg_catalog.<) $1 AND ($2 IS NULL OR w.operator OPERATOR(pg_catalog.=) $2) ORDER BY w.lease_until LIMIT $3",
	.by_index = true,
	.writes = true,
	.arguments = 3,
	.types = {TIMESTAMPTZOID, TEXTOID, INT4OID}
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

/* A claim that is over. */
typedef struct Abandoned
{
	pg_uuid_t	order_id;
	pg_uuid_t	id;
} Abandoned;

static bool
take_back(const Abandoned *claim, TimestampTz now)
{
	Datum		values[3] = {UUIDPGetDatum(&claim->order_id), UUIDPGetDatum(&claim->id), TimestampTzGetDatum(now)};
	MfWork		work;

	if (mf_plan_run(&take_back_plan, values, NULL) == 0)
		return false;
	mf_work_row(&work, 0);
	mf_work_release(&work, MF_EXTENSION, "not started in time");
	return true;
}

/*
 * In a subtransaction: where one order cannot be written, others' claims go
 * on.
 */
static bool
try_to_take_back(const Abandoned *claim, TimestampTz now)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool taken = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		taken = take_back(claim, now);
		ReleaseCurrentSubTransaction();
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
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED || error->sqlerrcode == ERRCODE_OUT_OF_MEMORY)
			ReThrowError(error);
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("a claim that is over could not be returned to the list: %s", error->message),
				 errdetail("It is work order %s.",
						   DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&claim->id)))),
				 errhint("It is tried again with the next claim.")));
		FreeErrorData(error);
		taken = false;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	return taken;
}

/* More are looked at than are wanted, for some may not go. */
#define SPARE	50

int
mf_work_return_abandoned(int most, const char *operator_code)
{
	TimestampTz now = GetCurrentTimestamp();
	Datum		values[3] = {TimestampTzGetDatum(now), operator_code != NULL ? CStringGetTextDatum(operator_code) : (Datum) 0,
	Int32GetDatum(most + SPARE)};
	int			count = (int) mf_plan_run(&abandoned_plan, values, operator_code != NULL ? NULL : " n ");
	Abandoned  *claims = palloc(Max(count, 1) * sizeof(Abandoned));
	int			returned = 0;

	for (int i = 0; i < count; i++)
	{
		Datum		id;

		(void) mf_plan_find(i, 1, &id);
		claims[i].order_id = *DatumGetUUIDP(id);
		(void) mf_plan_find(i, 2, &id);
		claims[i].id = *DatumGetUUIDP(id);
	}
	for (int i = 0; i < count && returned < most; i++)
		returned += try_to_take_back(&claims[i], now);
	return returned;
}

/* _return_abandoned(most integer) */
PGDLLEXPORT Datum
mesflow_return_abandoned(PG_FUNCTION_ARGS)
{
	int			returned;

	mf_spi_connect();
	returned = mf_work_return_abandoned(PG_GETARG_INT32(0), NULL);
	SPI_finish();
	PG_RETURN_INT32(returned);
}
