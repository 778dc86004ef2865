/*
 * page.c
 *		What all pages do: their arguments, their rows, where they end.
 *
 * A page takes one row more than it shows: where there is one, there is a
 * next page, and the last row shown is where that begins.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "access/xlogrecovery.h"
#include "mesflow.h"
#include "page.h"
#include "tables.h"
#include "tcop/pquery.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/timestamp.h"

void
mf_page_begin(MfPage *page, MfPageKind kind, FunctionCallInfo fcinfo)
{
	page->limit = PG_ARGISNULL(2) ? 0 : PG_GETARG_INT32(2);
	if (page->limit < 1 || page->limit > MF_PAGE_ROWS_MAX)
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("limit not allowed"),
				 PG_ARGISNULL(2) ? errdetail("limit_to is NULL.") :
				 errdetail("limit_to is %d.", page->limit),
				 errhint("Ask for 1 to %d rows.", MF_PAGE_ROWS_MAX)));
	mf_filters_read(kind, PG_ARGISNULL(1) ? NULL : PG_GETARG_JSONB_P(1), &page->filters);
	page->sort.page = kind;
	page->sort.filters = page->filters.hash;
	page->from_top = true;
	memset(&page->rows, 0, sizeof(page->rows));
}

void
mf_page_order(MfPage *page, int order, FunctionCallInfo fcinfo)
{
	page->sort.order = order;
	page->from_top = PG_ARGISNULL(0);
	if (!page->from_top)
		mf_token_read(&page->sort, PG_GETARG_TEXT_PP(0), &page->after);
}

void
mf_page_fill(MfPage *page, MfMerge *merge,
			 bool (*passes) (const MfPage *page, const MfSpan *span))
{
	MfSpan	   *span;

	mf_merge_begin(merge, page->from_top ? NULL : &page->after);
	while (page->rows.count <= page->limit && (span = mf_merge_next(merge)) != NULL)
		if (passes(page, span))
			mf_rows_add(&page->rows, span);
	mf_merge_end(merge);
}

bool
mf_page_next(const MfPage *page, Datum *next)
{
	if (page->rows.count <= page->limit)
		return false;
	*next = PointerGetDatum(mf_token_write(&page->sort, &page->rows.row[page->limit - 1].place));
	return true;
}

/* Of a transaction with one snapshot: what had arrived when it first asked. */
static TimestampTz
latest_arrived(void)
{
	static TimestampTz of_transaction = 0;
	static TimestampTz arrived = 0;

	if (!IsolationUsesXactSnapshot())
		return GetLatestXTime();
	if (of_transaction != GetCurrentTransactionStartTimestamp())
	{
		of_transaction = GetCurrentTransactionStartTimestamp();
		arrived = GetLatestXTime();
	}
	return arrived;
}

/*
 * The rows are never late, so that is when the snapshot was taken: after the
 * statement began, the cursor was made, or the transaction began, where that
 * has one snapshot.  On a standby it is no later than the last transaction
 * that has arrived.
 */
TimestampTz
mf_page_as_of(void)
{
	TimestampTz began = IsolationUsesXactSnapshot() ?
	GetCurrentTransactionStartTimestamp() : GetCurrentStatementStartTimestamp();
	TimestampTz arrived = RecoveryInProgress() ? latest_arrived() : 0;

	if (ActivePortal != NULL && ActivePortal->creation_time < began)
		began = ActivePortal->creation_time;
	return arrived != 0 && arrived < began ? arrived : began;
}

Datum *
mf_page_ask(MfPlan *plan, const char *code, int length, int *count)
{
	MemoryContext caller = CurrentMemoryContext;
	Datum		value = CStringGetTextDatum(code);
	Datum	   *found;

	mf_spi_connect();
	*count = (int) mf_plan_run(plan, &value, NULL);
	MemoryContextSwitchTo(caller);
	found = palloc((*count + 1) * sizeof(Datum));
	for (int i = 0; i < *count; i++)
	{
		(void) mf_plan_find(i, 1, &value);
		found[i] = datumCopy(value, false, length);
	}
	SPI_finish();
	return found;
}

/* ---- rows ---------------------------------------------------------------- */

void
mf_rows_add(MfRows *rows, const MfSpan *span)
{
	MfRow	   *row;

	if (rows->count == rows->room)
	{
		rows->room = Max(64, 2 * rows->room);
		rows->row = rows->row == NULL ? palloc(rows->room * sizeof(MfRow)) :
			repalloc(rows->row, rows->room * sizeof(MfRow));
	}
	row = &rows->row[rows->count++];
	row->tuple = ExecCopySlotHeapTuple(span->slot);
	row->place = span->place;
	row->closed = span->by.closed;
}

void
mf_rows_find(MfRows *rows, const MfOrdered *by, const char *index, Oid type, Datum value)
{
	MfOrdered	found = *by;
	MfSpan		span;

	found.index = relation_open(mf_relation(index), AccessShareLock);
	mf_span_init(&span, &found, false);
	mf_span_fix(&span, type, value);
	mf_span_begin(&span, NULL);
	while (mf_span_next(&span))
		mf_rows_add(rows, &span);
	mf_span_end(&span);
	relation_close(found.index, AccessShareLock);
}

static int
compare(const void *a, const void *b, void *down)
{
	return mf_place_compare(&((const MfRow *) a)->place, &((const MfRow *) b)->place,
							*(bool *) down);
}

void
mf_rows_merge(MfRows *rows, MfMerge *merge, const MfOrdered *by, bool down)
{
	MfSpan	   *span;

	if (rows->count == 0)
		return;
	qsort_arg(rows->row, rows->count, sizeof(MfRow), compare, &down);
	span = mf_merge_add(merge, by, down);
	span->rows = rows->row;
	span->row_count = rows->count;
}
