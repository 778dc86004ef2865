/*
 * orders_page.c
 *		Orders by pages, newest first, whatever has become of them.
 *
 * Open orders are in dashboard_orders, closed ones are those of orders that
 * have closed_as; a page merges both, each by the index that fits:
 *
 *					open					closed
 *		nothing		_newest					orders_closed, each closed_as
 *		partner		_partner				orders_closed_partner, each closed_as
 *		status		_orders_by_status		orders_closed, this closed_as
 *		system		the same, each of its	orders_closed, each of its
 *		partner and one of these
 *					_partner				orders_closed_partner
 *		alarm		_alarm; false: as if it were not asked for
 *		due_before	_due, soonest first
 *		operator	what the operator holds, put in order here
 *		created_*	the range of that index; with due_before and operator: by row
 *
 * Of open orders one filter decides, the lowest in this table; what else is
 * asked for is looked at row by row, and there are no more rows than open
 * orders.  Of closed orders no row is read that is not asked for: filters
 * that no index of theirs serves are of open orders alone.
 *
 * No index of dashboard_orders has the status (see sort.c): a range of
 * _orders_by_status says which of its rows are wanted.
 *
 * Which statuses orders have ended in is asked of the index, not of the flow,
 * which may have been changed since.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "flow.h"
#include "fmgr.h"
#include "funcapi.h"
#include "guc.h"
#include "mesflow.h"
#include "orders_page.h"
#include "plan.h"
#include "tables.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(mesflow_orders_page);

static const char *const columns[] = {
	"order_id", "number", "partner", "external_ref", "status", "status_since",
	"priority", "total", "currency", "created_at", "due_at", "items", "work_done",
	"work_total", "operators", "alarms", "as_of"
};

static MfPlan held_plan = {
	.sql = "SELECT DISTINCT w.order_id FROM mesflow._work_orders w"
	" WHERE w.operator = $1 AND w.state IN ('assigned', 'started')",
	.by_index = true,
	.arguments = 1,
	.types = {TEXTOID}
};

static MfPlan system_plan = {
	.sql = "SELECT s.status FROM mesflow.order_statuses s WHERE s.owner_system = $1",
	.arguments = 1,
	.types = {TEXTOID}
};

/* Filters of open orders alone. */
static const struct
{
	MfFilter	filter;
	const char *name;
}			open_only[] = {
	{MF_FILTER_OPERATOR, "operator"},
	{MF_FILTER_DUE_BEFORE, "due_before"},
	{MF_FILTER_ALARM, "alarm"}
};

/* A page, and the statuses that are asked for. */
typedef struct Orders
{
	MfPage		page;			/* first: what passes() is given */
	bool		any_status;
	Datum	   *status;
	int			status_count;
} Orders;

static bool
has_alarm(TupleTableSlot *slot)
{
	bool		is_null;
	ArrayType  *alarms = DatumGetArrayTypeP(slot_getattr(slot, MF_ORDERS_ALARMS, &is_null));

	return ArrayGetNItems(ARR_NDIM(alarms), ARR_DIMS(alarms)) > 0;
}

static bool
has_status(const Orders *orders, TupleTableSlot *slot)
{
	bool		is_null;
	Datum		status;

	if (orders->any_status)
		return true;
	status = slot_getattr(slot, MF_ORDERS_STATUS, &is_null);
	for (int i = 0; i < orders->status_count; i++)
		if (DatumGetBool(DirectFunctionCall2Coll(texteq, DEFAULT_COLLATION_OID, status, orders->status[i])))
			return true;
	return false;
}

/* Of closed orders no row is read that was not asked for. */
static bool
passes(const MfPage *page, const MfSpan *span)
{
	const MfFilters *filters = &page->filters;
	TupleTableSlot *slot = span->slot;

	if (span->by.closed)
		return true;
	return mf_filter_code(filters, MF_FILTER_PARTNER, slot, MF_ORDERS_PARTNER) &&
		has_status((const Orders *) page, slot) &&
		mf_filter_moment(slot, MF_ORDERS_CREATED_AT, filters->created_from, filters->created_to) &&
		mf_filter_moment(slot, MF_ORDERS_DUE_AT, DT_NOBEGIN, filters->due_before) &&
		(!filters->given[MF_FILTER_ALARM] || has_alarm(slot) == filters->alarm);
}

/* The statuses that are asked for. */
static void
read_statuses(Orders *orders)
{
	char	  **code = orders->page.filters.code;
	int			kept = 0;

	orders->any_status = code[MF_FILTER_STATUS] == NULL && code[MF_FILTER_SYSTEM] == NULL;
	if (code[MF_FILTER_SYSTEM] != NULL)
	{
		orders->status = mf_page_ask(&system_plan, code[MF_FILTER_SYSTEM], -1, &orders->status_count);
		for (int i = 0; i < orders->status_count && code[MF_FILTER_STATUS] != NULL; i++)
			if (strcmp(TextDatumGetCString(orders->status[i]), code[MF_FILTER_STATUS]) == 0)
				orders->status[kept++] = orders->status[i];
		if (code[MF_FILTER_STATUS] != NULL)
			orders->status_count = kept;
	}
	else if (code[MF_FILTER_STATUS] != NULL)
	{
		orders->status = palloc(sizeof(Datum));
		orders->status[0] = CStringGetTextDatum(code[MF_FILTER_STATUS]);
		orders->status_count = 1;
	}
}

/* Are closed orders asked for too? MF400 where they are and cannot be. */
static bool
with_closed(const MfFilters *filters)
{
	bool		open_given = filters->given[MF_FILTER_OPEN];

	for (int i = 0; i < (int) lengthof(open_only); i++)
	{
		if (!filters->given[open_only[i].filter])
			continue;
		if (open_given && !filters->open)
			ereport(ERROR,
					(errcode(MF_ERRCODE_BAD_ARGUMENT),
					 errmsg("filters do not go together"),
					 errdetail("filters.%s is about open orders, and filters.open is false.", open_only[i].name),
					 errhint("Closed orders can be asked for by partner, status, system, created_from and created_to.")));
		return false;
	}
	return !open_given || !filters->open;
}

static MfSpan *
add_span(const Orders *orders, MfMerge *merge, const MfOrdered *by)
{
	const MfFilters *filters = &orders->page.filters;
	bool		by_due = filters->given[MF_FILTER_DUE_BEFORE];
	MfSpan	   *span = mf_merge_add(merge, by, !by_due);

	if (by_due)
		span->to = filters->due_before;
	else
	{
		span->from = filters->created_from;
		span->to = filters->created_to;
	}
	return span;
}

/* ---- open orders --------------------------------------------------------- */

static void
add_held(const Orders *orders, MfMerge *merge, const MfOrdered *by)
{
	const MfFilters *filters = &orders->page.filters;
	MfRows		held = {0};
	int			count;
	Datum	   *ids = mf_page_ask(&held_plan, filters->code[MF_FILTER_OPERATOR], sizeof(pg_uuid_t), &count);

	for (int i = 0; i < count; i++)
		mf_rows_find(&held, by, "dashboard_orders_pkey", UUIDOID, ids[i]);
	mf_rows_merge(&held, merge, by, !filters->given[MF_FILTER_DUE_BEFORE]);
}

/* Can an open order have one of the statuses that are asked for? */
static bool
may_be_open(const Orders *orders)
{
	for (int i = 0; i < orders->status_count; i++)
	{
		const MfStatus *status = mf_flow_status(TextDatumGetCString(orders->status[i]));

		if (status != NULL && !status->terminal)
			return true;
	}
	return orders->any_status;
}

/* NULL: the status decides. */
static const char *
open_index(const Orders *orders)
{
	const MfFilters *filters = &orders->page.filters;

	if (filters->given[MF_FILTER_OPERATOR])
		return "dashboard_orders_pkey";
	if (filters->given[MF_FILTER_DUE_BEFORE])
		return "dashboard_orders_due";
	if (filters->given[MF_FILTER_ALARM] && filters->alarm)
		return "dashboard_orders_alarm";
	if (filters->given[MF_FILTER_PARTNER] && may_be_open(orders))
		return "dashboard_orders_partner";
	return orders->any_status ? "dashboard_orders_newest" : NULL;
}

/* Columns of _orders_by_status. */
enum
{
	SORTED_CREATED_AT = 2, SORTED_ORDER_ID
};

static void
add_statuses(const Orders *orders, MfMerge *merge, MfOrdered *by)
{
	by->rows = by->table;
	by->rows_index = relation_open(mf_relation("dashboard_orders_pkey"), AccessShareLock);
	by->table = table_open(mf_relation("_orders_by_status"), AccessShareLock);
	by->index = relation_open(mf_relation("_orders_by_status_pkey"), AccessShareLock);
	by->key = SORTED_CREATED_AT;
	by->id = SORTED_ORDER_ID;
	for (int i = 0; i < orders->status_count; i++)
		mf_span_fix(add_span(orders, merge, by), TEXTOID, orders->status[i]);
}

static void
add_open(const Orders *orders, MfMerge *merge, MfOrdered *by)
{
	static Oid	checked;
	const MfFilters *filters = &orders->page.filters;
	const char *index = open_index(orders);
	MfSpan	   *span;

	memset(by, 0, sizeof(*by));
	by->table = table_open(mf_relation("dashboard_orders"), AccessShareLock);
	by->key = filters->given[MF_FILTER_DUE_BEFORE] ? MF_ORDERS_DUE_AT : MF_ORDERS_CREATED_AT;
	by->id = MF_ORDERS_ORDER_ID;
	mf_columns_check(by->table, columns, lengthof(columns), &checked);
	if (index == NULL)
	{
		add_statuses(orders, merge, by);
		return;
	}
	by->index = relation_open(mf_relation(index), AccessShareLock);
	if (filters->given[MF_FILTER_OPERATOR])
	{
		add_held(orders, merge, by);
		return;
	}
	span = add_span(orders, merge, by);
	if (strcmp(index, "dashboard_orders_partner") == 0)
		mf_span_fix(span, TEXTOID, CStringGetTextDatum(filters->code[MF_FILTER_PARTNER]));
}

/* ---- closed orders ------------------------------------------------------- */

static void
add_closed(const Orders *orders, MfMerge *merge, MfOrdered *by)
{
	const char *partner = orders->page.filters.code[MF_FILTER_PARTNER];
	int			count = orders->status_count;
	Datum	   *status = orders->any_status ? mf_closed_statuses(&count) : orders->status;

	mf_closed_open(by, partner != NULL);
	for (int i = 0; i < count; i++)
	{
		MfSpan	   *span = add_span(orders, merge, by);

		if (partner != NULL)
			mf_span_fix(span, TEXTOID, CStringGetTextDatum(partner));
		mf_span_fix(span, TEXTOID, status[i]);
	}
}

/* ---- the page ------------------------------------------------------------ */

static void
close_tables(MfOrdered *by)
{
	if (by->index == NULL)
		return;
	relation_close(by->index, AccessShareLock);
	table_close(by->table, AccessShareLock);
	if (by->rows == NULL)
		return;
	relation_close(by->rows_index, AccessShareLock);
	table_close(by->rows, AccessShareLock);
}

static void
return_rows(const MfPage *page, ReturnSetInfo *result)
{
	Relation	table = table_open(mf_relation("dashboard_orders"), AccessShareLock);
	TimestampTz as_of = mf_page_as_of();
	int			count = Min(page->rows.count, page->limit);
	MfClosed   *closed = mf_closed_count(page->rows.row, count);
	Datum		values[MF_ORDERS_SHOWN + 1];
	bool		nulls[MF_ORDERS_SHOWN + 1];

	nulls[MF_ORDERS_SHOWN] = !mf_page_next(page, &values[MF_ORDERS_SHOWN]);
	for (int i = 0; i < count; i++)
	{
		if (page->rows.row[i].closed)
			mf_closed_columns(closed, &page->rows.row[i], values, nulls);
		else
			mf_columns_open(table, page->rows.row[i].tuple, MF_ORDERS_SHOWN, values, nulls);
		values[MF_ORDERS_AS_OF - 1] = TimestampTzGetDatum(as_of);
		nulls[MF_ORDERS_AS_OF - 1] = false;
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	table_close(table, AccessShareLock);
}

/* orders_page(after text, filters jsonb, limit_to integer) */
PGDLLEXPORT Datum
mesflow_orders_page(PG_FUNCTION_ARGS)
{
	Orders		orders = {0};
	MfPage	   *page = &orders.page;
	MfMerge		merge = {0};
	MfOrdered	open = {0};
	MfOrdered	closed = {0};
	bool		and_closed;

	InitMaterializedSRF(fcinfo, 0);
	mf_page_begin(page, MF_PAGE_ORDERS, fcinfo);
	mf_page_order(page, page->filters.given[MF_FILTER_DUE_BEFORE] ? MF_DISPATCH_DUE : MF_DISPATCH_NEWEST,
				  fcinfo);
	read_statuses(&orders);
	and_closed = with_closed(&page->filters);
	if (!page->filters.given[MF_FILTER_OPEN] || page->filters.open)
		add_open(&orders, &merge, &open);
	if (and_closed)
		add_closed(&orders, &merge, &closed);
	mf_page_fill(page, &merge, passes);
	close_tables(&open);
	close_tables(&closed);
	return_rows(page, (ReturnSetInfo *) fcinfo->resultinfo);
	return (Datum) 0;
}
