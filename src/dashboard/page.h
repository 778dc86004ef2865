/*
 * page.h
 *		Pages of the dashboards.  Private to this folder.
 */
#ifndef MF_DASHBOARD_PAGE_H
#define MF_DASHBOARD_PAGE_H

#include "fmgr.h"
#include "plan.h"
#include "span.h"
#include "utils/jsonb.h"

/* ---- the dispatch list --------------------------------------------------- */

enum
{
	MF_DISPATCH_WORK_ORDER = 1,
	MF_DISPATCH_NUMBER,
	MF_DISPATCH_ORDER_NUMBER,
	MF_DISPATCH_PARTNER,
	MF_DISPATCH_PROCESS,
	MF_DISPATCH_OPERATION,
	MF_DISPATCH_MATERIAL,
	MF_DISPATCH_QUANTITY,
	MF_DISPATCH_MODEL,
	MF_DISPATCH_PRIORITY,
	MF_DISPATCH_OPERATOR,
	MF_DISPATCH_STATION,
	MF_DISPATCH_STATE,
	MF_DISPATCH_QUEUED_AT,
	MF_DISPATCH_DUE_AT,
	MF_DISPATCH_ALARM,
	MF_DISPATCH_AS_OF,
	MF_DISPATCH_ORDER_ID,
	MF_DISPATCH_KIND,
	MF_DISPATCH_RANK,
	MF_DISPATCH_DUE_KEY
};

/* Those of the page. */
#define MF_DISPATCH_SHOWN	MF_DISPATCH_AS_OF

#define MF_RANK_FREE		(INT64CONST(1) << 34)
#define MF_RANK_ALARM		(INT64CONST(1) << 33)
#define MF_RANK_PRIORITIES	(INT64CONST(1) << 31)

/* Ranks of work that is free, whatever else: the lowest. */
#define MF_RANK_FREE_FROM	(MF_RANK_FREE - MF_RANK_PRIORITIES)

/* What the index has before rank, key and id. */
typedef enum MfListBy
{
	MF_LIST_ALL,
	MF_LIST_BY_KIND,
	MF_LIST_BY_PARTNER
} MfListBy;

/* The list in an order of mesflow.dispatch_order, MfDispatchOrder. */
extern void mf_list_open(MfOrdered *list, MfListBy by, int order);
extern void mf_list_close(MfOrdered *list);

/* ---- filters ------------------------------------------------------------- */

typedef enum MfFilter
{
	MF_FILTER_PARTNER,
	MF_FILTER_STATUS,
	MF_FILTER_SYSTEM,
	MF_FILTER_OPERATOR,
	MF_FILTER_STATION,
	MF_FILTER_PROCESS,
	MF_FILTER_CREATED_FROM,
	MF_FILTER_CREATED_TO,
	MF_FILTER_DUE_BEFORE,
	MF_FILTER_OPEN,
	MF_FILTER_ALARM,
	MF_FILTERS
} MfFilter;

/* The first of them are codes, then moments, then yes or no. */
#define MF_FILTER_CODES		MF_FILTER_CREATED_FROM
#define MF_FILTER_MOMENTS	MF_FILTER_OPEN

typedef enum MfPageKind
{
	MF_PAGE_DISPATCH,
	MF_PAGE_ORDERS
} MfPageKind;

/* What a page is asked for. */
typedef struct MfFilters
{
	bool		given[MF_FILTERS];
	char	   *code[MF_FILTER_CODES];	/* NULL where not given */
	TimestampTz created_from;	/* DT_NOBEGIN where not given */
	TimestampTz created_to;		/* DT_NOEND where not given */
	TimestampTz due_before;		/* DT_NOEND where not given */
	bool		open;
	bool		alarm;
	uint64		hash;			/* the same where the filters are */
} MfFilters;

/*
 * MF400 for what is no filter of this page, MF404 for codes that there are
 * not; json may be NULL: no filters.
 */
extern void mf_filters_read(MfPageKind page, Jsonb *json, MfFilters *filters);

/* Does a row's column have the code, where that is asked for? */
extern bool mf_filter_code(const MfFilters *filters, MfFilter filter,
						   TupleTableSlot *slot, AttrNumber column);

/* Is it from `from` on and before `to`?  NULL is not, where one is given. */
extern bool mf_filter_moment(TupleTableSlot *slot, AttrNumber column,
							 TimestampTz from, TimestampTz to);

/* ---- tokens -------------------------------------------------------------- */

/* What a token is good for; order is MfDispatchOrder, or 0. */
typedef struct MfPageSort
{
	MfPageKind	page;
	int			order;
	uint64		filters;
} MfPageSort;

extern text *mf_token_write(const MfPageSort *sort, const MfPlace *place);

/* MF400 for a text that is no token, or one of another page. */
extern void mf_token_read(const MfPageSort *sort, const text *token, MfPlace *place);

/* ---- rows of a page ------------------------------------------------------ */

#define MF_PAGE_ROWS_MAX	1000

/* Rows, the first ones of a page or all that are put in its order later. */
typedef struct MfRows
{
	MfRow	   *row;
	int			count;
	int			room;
} MfRows;

extern void mf_rows_add(MfRows *rows, const MfSpan *span);

/* The rows that an index of its table has for this value of its first column. */
extern void mf_rows_find(MfRows *rows, const MfOrdered *by, const char *index,
						 Oid type, Datum value);

/* A span of these rows, in the order of the page. */
extern void mf_rows_merge(MfRows *rows, MfMerge *merge, const MfOrdered *by, bool down);

/* A page under way: the arguments that all have, and its rows. */
typedef struct MfPage
{
	MfPageSort	sort;
	MfFilters	filters;
	int			limit;
	bool		from_top;
	MfPlace		after;
	MfRows		rows;			/* one more than the limit where there is more */
} MfPage;

/* Reads filters and limit_to, arguments 1 and 2. */
extern void mf_page_begin(MfPage *page, MfPageKind kind, FunctionCallInfo fcinfo);

/* Once the order is known: reads after, argument 0. */
extern void mf_page_order(MfPage *page, int order, FunctionCallInfo fcinfo);

/* Takes the page's rows: those that pass. */
extern void mf_page_fill(MfPage *page, MfMerge *merge,
						 bool (*passes) (const MfPage *page, const MfSpan *span));

/* What is in its column next; false: NULL. */
extern bool mf_page_next(const MfPage *page, Datum *next);

/*
 * The first column of what a statement about a code finds, values of this
 * length, in the current memory context.
 */
extern Datum *mf_page_ask(MfPlan *plan, const char *code, int length, int *count);

/* All that was committed before is on the page. */
extern TimestampTz mf_page_as_of(void);

#endif							/* MF_DASHBOARD_PAGE_H */
