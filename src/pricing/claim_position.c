/*
 * claim_position.c
 *		Where this session's next claim looks first.
 *
 * Jobs that were claimed leave dead index entries at the head of the queue,
 * and while an old snapshot is held anywhere nothing can remove them.  A
 * claim that started from the beginning each time would step over all of
 * them.  So each session remembers how far its claims have come, and starts
 * there; once a second, and after a claim that met the end of the queue, it
 * starts from the beginning again, for a job may have appeared behind the
 * mark: a smaller number that was committed later, or a job that came back.
 *
 * The mark belongs to the session alone.  Forgetting it costs time, never a
 * job.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

/* Milliseconds for which a mark is good. */
#define MF_CLAIM_MARK_MS	1000

static float8 mark_vt;
static int64 mark_id;
static Oid	mark_database = InvalidOid; /* invalid: no mark */
static TimestampTz mark_since;
static bool ran_out = false;

PG_FUNCTION_INFO_V1(mesflow_claim_from);
PG_FUNCTION_INFO_V1(mesflow_claim_reached);
PG_FUNCTION_INFO_V1(mesflow_more_jobs);

/*
 * _claim_from(OUT vt float8, OUT id bigint): the place after which to look,
 * (-Infinity, 0) for the beginning.
 */
PGDLLEXPORT Datum
mesflow_claim_from(PG_FUNCTION_ARGS)
{
	TupleDesc	tupdesc;
	Datum		values[2];
	bool		nulls[2] = {false, false};

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");

	if (mark_database != MyDatabaseId ||
		TimestampDifferenceExceeds(mark_since, GetCurrentTimestamp(),
								   MF_CLAIM_MARK_MS))
	{
		mark_vt = -INFINITY;
		mark_id = 0;
		mark_since = GetCurrentTimestamp();
		mark_database = MyDatabaseId;
	}

	values[0] = Float8GetDatum(mark_vt);
	values[1] = Int64GetDatum(mark_id);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(tupdesc, values, nulls)));
}

/*
 * _claim_reached(vt float8, id bigint, met_end boolean, ran_out boolean)
 */
PGDLLEXPORT Datum
mesflow_claim_reached(PG_FUNCTION_ARGS)
{
	mark_vt = PG_GETARG_FLOAT8(0);
	mark_id = PG_GETARG_INT64(1);
	if (PG_GETARG_BOOL(2))
		mark_database = InvalidOid;
	ran_out = PG_GETARG_BOOL(3);
	PG_RETURN_VOID();
}

/*
 * _more_jobs(): did the last claim stop because its portion ran out?
 */
PGDLLEXPORT Datum
mesflow_more_jobs(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(ran_out);
}
