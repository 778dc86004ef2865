/*
 * queue.c
 *		Queueing a job: part of every upload, and of every request for a
 *		price that is not known yet.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "guc.h"
#include "mesflow.h"
#include "plan.h"
#include "utils/builtins.h"

#define MB		(1024 * 1024)

/* What a job may use beside the file: 64 MB and four times its size. */
#define BASE_MEMORY_MB		64
#define MEMORY_PER_MB		4

PG_FUNCTION_INFO_V1(mesflow_queue_job);
PG_FUNCTION_INFO_V1(mesflow_memory_mb);

static MfPlan model_plan = {
	.sql = "SELECT p.code, p.max_queued, m.size_bytes FROM mesflow._models m"
	" JOIN mesflow.partners p ON p.code OPERATOR(pg_catalog.=) m.partner"
	" WHERE m.id OPERATOR(pg_catalog.=) $1",
	.by_index = true,
	.writes = true,
	.arguments = 1,
	.types = {UUIDOID}
};

/* No further than the cap: the queue may be long. */
static MfPlan held_plan = {
	.sql = "SELECT pg_catalog.count(*) FROM (SELECT FROM mesflow._jobs_waiting w WHERE w.partner OPERATOR(pg_catalog.=) $1"
	" UNION ALL SELECT FROM mesflow._jobs_aside a WHERE a.partner OPERATOR(pg_catalog.=) $1 LIMIT $2) w",
	.writes = true,
	.arguments = 2,
	.types = {TEXTOID, INT4OID}
};

/* What it will cost: two milliseconds, and the nodes' speed for its size. */
static MfPlan insert_plan = {
	.sql = "INSERT INTO mesflow._jobs_waiting (id, kind, partner, model, quote, sha256, unit, size_bytes, memory_mb, cost_ms)"
	" SELECT $1, $2, m.partner, m.id, $4, m.sha256, m.unit, m.size_bytes, $5,"
	" 2 OPERATOR(pg_catalog.+) (m.size_bytes OPERATOR(pg_catalog./) 1048576.0) OPERATOR(pg_catalog.*)"
	" coalesce((SELECT pg_catalog.avg(n.ms_per_mb) FROM mesflow._nodes n), 5)"
	" FROM mesflow._models m WHERE m.id OPERATOR(pg_catalog.=) $3",
	.by_index = true,
	.writes = true,
	.arguments = 5,
	.types = {INT8OID, TEXTOID, UUIDOID, UUIDOID, INT4OID}
};

static int
memory_mb(int64 size_bytes, bool boosted)
{
	int64		needed = BASE_MEMORY_MB + MEMORY_PER_MB * (size_bytes / MB + 1);

	return boosted ? mf_guc_pricing_memory : (int) Min(mf_guc_pricing_memory, needed);
}

/* _memory_mb(size_bytes bigint, boosted boolean) */
PGDLLEXPORT Datum
mesflow_memory_mb(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(memory_mb(PG_GETARG_INT64(0), PG_GETARG_BOOL(1)));
}

static void
check_cap(Datum partner, int cap)
{
	Datum		values[2] = {partner, Int32GetDatum(cap)};
	Datum		held;

	(void) mf_plan_run(&held_plan, values, NULL);
	(void) mf_plan_find(0, 1, &held);
	if (DatumGetInt64(held) >= cap)
		ereport(ERROR,
				(errcode(MF_ERRCODE_OVER_LIMIT),
				 errmsg("too many jobs are waiting"),
				 errdetail("Partner \"%s\" may have %d waiting (partners.max_queued), and has them.",
						   TextDatumGetCString(partner), cap),
				 errhint("Wait until some are done, or ask for a higher cap.")));
}

/*
 * _queue_job(job bigint, kind text, model uuid, quote uuid): quote may be
 * NULL.  Nothing where there is no such model.
 */
PGDLLEXPORT Datum
mesflow_queue_job(PG_FUNCTION_ARGS)
{
	Datum		model = PG_GETARG_DATUM(2);
	Datum		values[5];
	Datum		partner;
	Datum		cap;
	Datum		size;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		elog(ERROR, "a job has a number, a kind and a model");
	mf_spi_connect();
	if (mf_plan_run(&model_plan, &model, NULL) > 0)
	{
		(void) mf_plan_find(0, 1, &partner);
		(void) mf_plan_find(0, 3, &size);
		values[0] = PG_GETARG_DATUM(0);
		values[1] = PG_GETARG_DATUM(1);
		values[2] = model;
		values[3] = PG_ARGISNULL(3) ? (Datum) 0 : PG_GETARG_DATUM(3);
		values[4] = Int32GetDatum(memory_mb(DatumGetInt64(size), false));
		if (mf_plan_find(0, 2, &cap))
			check_cap(partner, DatumGetInt32(cap));
		(void) mf_plan_run(&insert_plan, values, PG_ARGISNULL(3) ? "   n " : NULL);
	}
	SPI_finish();
	PG_RETURN_VOID();
}
