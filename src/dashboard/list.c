/*
 * list.c
 *		The dispatch list, and what of it is free.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "guc.h"
#include "page.h"
#include "tables.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(mesflow_free_work);

static const char *const columns[] = {
	"work_order", "number", "order_number", "partner", "process", "operation",
	"material", "quantity", "model", "priority", "operator", "station", "state",
	"queued_at", "due_at", "alarm", "as_of", "order_id", "kind", "rank", "due_key"
};

static const char *const by_queued[] = {
	[MF_LIST_ALL] = "dashboard_dispatch_queued",
	[MF_LIST_BY_KIND] = "dashboard_dispatch_kind_queued",
	[MF_LIST_BY_PARTNER] = "dashboard_dispatch_partner"
};

static const char *const by_due[] = {
	[MF_LIST_ALL] = "dashboard_dispatch_due",
	[MF_LIST_BY_KIND] = "dashboard_dispatch_kind_due",
	[MF_LIST_BY_PARTNER] = "dashboard_dispatch_partner_due"
};

void
mf_list_open(MfOrdered *list, MfListBy by, int order)
{
	static Oid	checked;
	bool		due = order == MF_DISPATCH_DUE;

	memset(list, 0, sizeof(*list));
	list->table = table_open(mf_relation("dashboard_dispatch"), AccessShareLock);
	list->index = relation_open(mf_relation(due ? by_due[by] : by_queued[by]), AccessShareLock);
	mf_columns_check(list->table, columns, lengthof(columns), &checked);
	list->rank = MF_DISPATCH_RANK;
	list->key = due ? MF_DISPATCH_DUE_KEY : MF_DISPATCH_QUEUED_AT;
	list->id = MF_DISPATCH_WORK_ORDER;
}

void
mf_list_close(MfOrdered *list)
{
	relation_close(list->index, AccessShareLock);
	table_close(list->table, AccessShareLock);
}

static MfSpan *
add_free(MfMerge *merge, const MfOrdered *list, int order)
{
	MfSpan	   *span = mf_merge_add(merge, list, order == MF_DISPATCH_NEWEST);

	span->bands[0].low = MF_RANK_FREE_FROM;
	span->bands[0].high = PG_INT64_MAX;
	span->band_count = 1;
	return span;
}

/* A span for each kind; a kind that is named twice has one. */
static void
add_free_kinds(MfMerge *merge, const MfOrdered *list, int order, ArrayType *kinds)
{
	Datum	   *kind;
	bool	   *is_null;
	int			count;

	deconstruct_array(kinds, INT4OID, sizeof(int32), true, TYPALIGN_INT, &kind, &is_null, &count);
	for (int i = 0; i < count; i++)
	{
		bool		again = is_null[i];

		for (int before = 0; before < i && !again; before++)
			again = !is_null[before] && kind[before] == kind[i];
		if (!again)
			mf_span_fix(add_free(merge, list, order), INT4OID, kind[i]);
	}
}

static void
return_row(ReturnSetInfo *result, const MfSpan *span)
{
	Datum		values[4];
	bool		nulls[4] = {false};

	values[0] = UUIDPGetDatum(&span->place.id);
	values[1] = slot_getattr(span->slot, MF_DISPATCH_ORDER_ID, &nulls[1]);
	values[2] = Int64GetDatum(span->place.rank);
	values[3] = TimestampTzGetDatum(span->place.key);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/*
 * _free_work(kinds integer[], after_rank bigint, after_key timestamptz,
 * after_work uuid, limit_to integer)
 */
PGDLLEXPORT Datum
mesflow_free_work(PG_FUNCTION_ARGS)
{
	int			order = mf_guc_dispatch_order;
	bool		from_top = PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(3);
	int			limit = PG_ARGISNULL(4) ? 0 : PG_GETARG_INT32(4);
	MfPlace		after;
	MfOrdered	list;
	MfMerge		merge = {0};
	MfSpan	   *span;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	if (!from_top)
	{
		after.rank = PG_GETARG_INT64(1);
		after.key = PG_GETARG_TIMESTAMPTZ(2);
		after.id = *PG_GETARG_UUID_P(3);
	}
	mf_list_open(&list, PG_ARGISNULL(0) ? MF_LIST_ALL : MF_LIST_BY_KIND, order);
	if (PG_ARGISNULL(0))
		add_free(&merge, &list, order);
	else
		add_free_kinds(&merge, &list, order, PG_GETARG_ARRAYTYPE_P(0));
	mf_merge_begin(&merge, from_top ? NULL : &after);
	for (int row = 0; row < limit && (span = mf_merge_next(&merge)) != NULL; row++)
		return_row((ReturnSetInfo *) fcinfo->resultinfo, span);
	mf_merge_end(&merge);
	mf_list_close(&list);
	return (Datum) 0;
}
