/*
 * dispatch_page.c
 *		The dispatch list by pages.
 *
 * What it is read by; all else that is asked for is looked at row by row,
 * and there are no more rows than there is work on the list:
 *
 *		operator		what the operator holds (at a station: claimed for it),
 *						put in order here
 *		station			free work of each kind it can do, and what it has
 *		process			its kinds
 *		partner			the index of partners
 *		alarm			ranks with it, or without, in all of these
 *		created_*		the index, where the list goes by queued_at
 *		due_before		the index: the list then goes by due date
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "guc.h"
#include "page.h"
#include "plan.h"
#include "tables.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(mesflow_dispatch_page);

static MfPlan held_plan = {
	.sql = "SELECT w.id FROM mesflow._work_orders w WHERE w.operator = $1 AND w.state = 'assigned'",
	.by_index = true,
	.arguments = 1,
	.types = {TEXTOID}
};

static MfPlan process_plan = {
	.sql = "SELECT k.kind FROM mesflow._work_kinds k WHERE k.process = $1",
	.by_index = true,
	.arguments = 1,
	.types = {TEXTOID}
};

/* A few dozens of rows at most, read as they are. */
static MfPlan station_plan = {
	.sql = "SELECT k.kind, k.process, cardinality(s.processes) = 0 AND cardinality(s.operations) = 0"
	" FROM mesflow.stations s JOIN mesflow._work_kinds k"
	" ON (cardinality(s.processes) = 0 OR k.process = ANY (s.processes))"
	" AND (cardinality(s.operations) = 0 OR k.operation = ANY (s.operations))"
	" WHERE s.code = $1",
	.arguments = 1,
	.types = {TEXTOID}
};

static const MfBand bands[] = {
	{MF_RANK_FREE_FROM + MF_RANK_ALARM, MF_RANK_FREE + MF_RANK_ALARM + MF_RANK_PRIORITIES},
	{MF_RANK_FREE_FROM, MF_RANK_FREE + MF_RANK_PRIORITIES},
	{MF_RANK_ALARM - MF_RANK_PRIORITIES, MF_RANK_ALARM + MF_RANK_PRIORITIES},
	{-MF_RANK_PRIORITIES, MF_RANK_PRIORITIES}
};

#define FREE_BANDS	2

static bool
passes(const MfPage *page, const MfSpan *span)
{
	const MfFilters *filters = &page->filters;
	TupleTableSlot *slot = span->slot;
	bool		is_null;

	return mf_filter_code(filters, MF_FILTER_PARTNER, slot, MF_DISPATCH_PARTNER) &&
		mf_filter_code(filters, MF_FILTER_OPERATOR, slot, MF_DISPATCH_OPERATOR) &&
		(!filters->given[MF_FILTER_OPERATOR] ||
		 mf_filter_code(filters, MF_FILTER_STATION, slot, MF_DISPATCH_STATION)) &&
		mf_filter_code(filters, MF_FILTER_PROCESS, slot, MF_DISPATCH_PROCESS) &&
		mf_filter_moment(slot, MF_DISPATCH_QUEUED_AT, filters->created_from, filters->created_to) &&
		mf_filter_moment(slot, MF_DISPATCH_DUE_KEY, DT_NOBEGIN, filters->due_before) &&
		(!filters->given[MF_FILTER_ALARM] ||
		 DatumGetBool(slot_getattr(slot, MF_DISPATCH_ALARM, &is_null)) == filters->alarm);
}

/* The ranks and keys of a span that are asked for. */
static MfSpan *
add_span(const MfPage *page, MfMerge *merge, const MfOrdered *list, bool free_only)
{
	const MfFilters *filters = &page->filters;
	MfSpan	   *span = mf_merge_add(merge, list, page->sort.order == MF_DISPATCH_NEWEST);

	for (int i = 0; i < (free_only ? FREE_BANDS : (int) lengthof(bands)); i++)
		if (!filters->given[MF_FILTER_ALARM] || filters->alarm == (i % 2 == 0))
			span->bands[span->band_count++] = bands[i];
	if (page->sort.order == MF_DISPATCH_DUE)
		span->to = filters->due_before;
	else
	{
		span->from = filters->created_from;
		span->to = filters->created_to;
	}
	return span;
}

static Datum
code_of(const MfPage *page, MfFilter filter)
{
	return CStringGetTextDatum(page->filters.code[filter]);
}

static void
add_held(const MfPage *page, MfMerge *merge, const MfOrdered *list)
{
	MfRows		held = {0};
	int			count;
	Datum	   *work = mf_page_ask(&held_plan, page->filters.code[MF_FILTER_OPERATOR], sizeof(pg_uuid_t), &count);

	for (int i = 0; i < count; i++)
		mf_rows_find(&held, list, "dashboard_dispatch_pkey", UUIDOID, work[i]);
	mf_rows_merge(&held, merge, list, page->sort.order == MF_DISPATCH_NEWEST);
}

static void
add_of_station(const MfPage *page, MfMerge *merge, const MfOrdered *list)
{
	MfRows		held = {0};

	mf_rows_find(&held, list, "dashboard_dispatch_station", TEXTOID, code_of(page, MF_FILTER_STATION));
	mf_rows_merge(&held, merge, list, page->sort.order == MF_DISPATCH_NEWEST);
}

/*
 * The kinds that are asked for, in the current memory context; NULL: all,
 * where any station may.
 */
static int32 *
read_kinds(const MfPage *page, int *count)
{
	const char *process = page->filters.code[MF_FILTER_PROCESS];
	bool		by_station = page->filters.code[MF_FILTER_STATION] != NULL;
	Datum		code = code_of(page, by_station ? MF_FILTER_STATION : MF_FILTER_PROCESS);
	MemoryContext caller = CurrentMemoryContext;
	int32	   *kinds;
	uint64		rows;
	Datum		value;

	mf_spi_connect();
	rows = mf_plan_run(by_station ? &station_plan : &process_plan, &code, NULL);
	kinds = MemoryContextAlloc(caller, (rows + 1) * sizeof(int32));
	*count = 0;
	for (uint64 i = 0; i < rows && kinds != NULL; i++)
	{
		(void) mf_plan_find(i, 1, &value);
		if (!by_station || process == NULL || strcmp(mf_plan_text(i, 2), process) == 0)
			kinds[(*count)++] = DatumGetInt32(value);
		if (by_station && process == NULL && mf_plan_find(i, 3, &value) && DatumGetBool(value))
			kinds = NULL;
	}
	SPI_finish();
	return kinds;
}

/* Reads a page by the index that fits what is asked for. */
static void
fill(MfPage *page)
{
	const MfFilters *filters = &page->filters;
	bool		by_operator = filters->given[MF_FILTER_OPERATOR];
	bool		by_station = filters->given[MF_FILTER_STATION];
	bool		by_kind = !by_operator && (by_station || filters->given[MF_FILTER_PROCESS]);
	int			kind_count = 0;
	int32	   *kinds = by_kind ? read_kinds(page, &kind_count) : NULL;
	bool		by_partner = !by_operator && kinds == NULL && filters->given[MF_FILTER_PARTNER];
	MfMerge		merge = {0};
	MfOrdered	list;

	mf_list_open(&list, kinds != NULL ? MF_LIST_BY_KIND : by_partner ? MF_LIST_BY_PARTNER : MF_LIST_ALL,
				 page->sort.order);
	if (by_operator)
		add_held(page, &merge, &list);
	else if (by_partner)
		mf_span_fix(add_span(page, &merge, &list, by_station), TEXTOID, code_of(page, MF_FILTER_PARTNER));
	else if (kinds == NULL)
		(void) add_span(page, &merge, &list, by_station);
	for (int i = 0; i < kind_count && kinds != NULL; i++)
		mf_span_fix(add_span(page, &merge, &list, by_station), INT4OID, Int32GetDatum(kinds[i]));
	if (by_station && !by_operator)
		add_of_station(page, &merge, &list);
	mf_page_fill(page, &merge, passes);
	mf_list_close(&list);
}

static void
return_rows(const MfPage *page, ReturnSetInfo *result)
{
	Relation	table = table_open(mf_relation("dashboard_dispatch"), AccessShareLock);
	TimestampTz as_of = mf_page_as_of();
	Datum		values[MF_DISPATCH_SHOWN + 1];
	bool		nulls[MF_DISPATCH_SHOWN + 1];

	nulls[MF_DISPATCH_SHOWN] = !mf_page_next(page, &values[MF_DISPATCH_SHOWN]);
	for (int i = 0; i < page->rows.count && i < page->limit; i++)
	{
		mf_columns_open(table, page->rows.row[i].tuple, MF_DISPATCH_SHOWN, values, nulls);
		values[MF_DISPATCH_AS_OF - 1] = TimestampTzGetDatum(as_of);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	table_close(table, AccessShareLock);
}

/* dispatch_page(after text, filters jsonb, limit_to integer) */
PGDLLEXPORT Datum
mesflow_dispatch_page(PG_FUNCTION_ARGS)
{
	MfPage		page;

	InitMaterializedSRF(fcinfo, 0);
	mf_page_begin(&page, MF_PAGE_DISPATCH, fcinfo);
	mf_page_order(&page, page.filters.given[MF_FILTER_DUE_BEFORE] ? MF_DISPATCH_DUE : mf_guc_dispatch_order,
				  fcinfo);
	if (!page.filters.given[MF_FILTER_OPEN] || page.filters.open)
		fill(&page);
	return_rows(&page, (ReturnSetInfo *) fcinfo->resultinfo);
	return (Datum) 0;
}
