/*
 * assign.c
 *		Work comes to an operator, and goes back to the list: when it is
 *		released, or when it was not started in time.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "guc.h"
#include "mesflow.h"
#include "utils/timestamp.h"
#include "work.h"

PG_FUNCTION_INFO_V1(mesflow_return_abandoned);

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
