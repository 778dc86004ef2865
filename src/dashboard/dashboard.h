/*
 * dashboard.h
 *		Dashboards whose rows belong to one order or work order each.
 *		Private to this folder; README.md has the rules.
 */
#ifndef MF_DASHBOARD_H
#define MF_DASHBOARD_H

#include "access/htup.h"
#include "plan.h"
#include "utils/relcache.h"
#include "utils/uuid.h"

/* Columns of dashboard_orders, in the order of CREATE TABLE. */
typedef enum MfShownColumn
{
	MF_SHOWN_ORDER_ID,
	MF_SHOWN_NUMBER,
	MF_SHOWN_PARTNER,
	MF_SHOWN_EXTERNAL_REF,
	MF_SHOWN_STATUS,
	MF_SHOWN_STATUS_SINCE,
	MF_SHOWN_PRIORITY,
	MF_SHOWN_TOTAL,
	MF_SHOWN_CURRENCY,
	MF_SHOWN_CREATED_AT,
	MF_SHOWN_DUE_AT,
	MF_SHOWN_ITEMS,
	MF_SHOWN_WORK_DONE,
	MF_SHOWN_WORK_TOTAL,
	MF_SHOWN_OPERATORS,
	MF_SHOWN_ALARMS,
	MF_SHOWN_AS_OF,
	MF_SHOWN_WORKABLE,
	MF_SHOWN_COLUMNS
} MfShownColumn;

/* Columns of dashboard_dispatch, likewise. */
typedef enum MfListedColumn
{
	MF_LISTED_WORK_ORDER,
	MF_LISTED_NUMBER,
	MF_LISTED_ORDER_NUMBER,
	MF_LISTED_PARTNER,
	MF_LISTED_PROCESS,
	MF_LISTED_OPERATION,
	MF_LISTED_MATERIAL,
	MF_LISTED_QUANTITY,
	MF_LISTED_MODEL,
	MF_LISTED_PRIORITY,
	MF_LISTED_OPERATOR,
	MF_LISTED_STATION,
	MF_LISTED_STATE,
	MF_LISTED_QUEUED_AT,
	MF_LISTED_DUE_AT,
	MF_LISTED_ALARM,
	MF_LISTED_AS_OF,
	MF_LISTED_ORDER_ID,
	MF_LISTED_KIND,
	MF_LISTED_RANK,
	MF_LISTED_DUE_KEY,
	MF_LISTED_COLUMNS
} MfListedColumn;

/* Columns of _orders_by_status, likewise. */
typedef enum MfSortedColumn
{
	MF_SORTED_STATUS,
	MF_SORTED_CREATED_AT,
	MF_SORTED_ORDER_ID,
	MF_SORTED_COLUMNS
} MfSortedColumn;

#define MF_OWN_COLUMNS	MF_LISTED_COLUMNS
#define MF_OWN_KEYS		3

/* A row of one of them, taken apart, and where it was found. */
typedef struct MfOwnRow
{
	ItemPointerData place;
	Datum		value[MF_OWN_COLUMNS];
	bool		is_null[MF_OWN_COLUMNS];
} MfOwnRow;

/*
 * One of these tables: its first columns are its key.  The plans take all
 * columns, in their order.
 */
typedef struct MfOwnTable
{
	const char *name;
	const char *index;			/* of the key */
	int			keys;
	int			count;
	int			as_of;			/* or -1 */
	const char *trigger;		/* our own on it */
	const char *columns[MF_OWN_COLUMNS];
	MfPlan		insert;
	MfPlan		update;
	MfPlan		remove;
	Oid			checked;
} MfOwnTable;

extern MfOwnTable mf_dashboard_orders;
extern MfOwnTable mf_dashboard_dispatch;
extern MfOwnTable mf_dashboard_sorted;

/* Sets a column. */
extern void mf_dashboard_set(MfOwnRow *row, int column, Datum value);
extern void mf_dashboard_copy(MfOwnRow *row, int column, const Datum *values,
							  const bool *nulls, int from);

/* The row of this key as of now; false where there is none. */
extern bool mf_dashboard_find(MfOwnTable *table, const Datum *key, MfOwnRow *row);

/*
 * Writes and removes rows that were found, with the rights of the tables'
 * owner.  The caller holds the order's row, so that nobody else writes these.
 */
extern void mf_dashboard_insert(MfOwnTable *table, MfOwnRow *row);
extern void mf_dashboard_update(MfOwnTable *table, MfOwnRow *row);
extern void mf_dashboard_remove(MfOwnTable *table, MfOwnRow *row);

/* A row gets another key. */
extern void mf_dashboard_move(MfOwnTable *table, MfOwnRow *from, MfOwnRow *to);

/*
 * The same straight into the table; false where that cannot be, and nothing
 * was done.
 */
extern bool mf_dashboard_heap_insert(const MfOwnTable *table, Relation relation, MfOwnRow *row);
extern bool mf_dashboard_heap_update(const MfOwnTable *table, Relation relation, MfOwnRow *row);
extern bool mf_dashboard_heap_remove(const MfOwnTable *table, Relation relation, MfOwnRow *row);

/* Do two rows show something else? */
extern bool mf_dashboard_differs(const MfOwnTable *table, const MfOwnRow *a,
								 const MfOwnRow *b);

/*
 * The row that an AFTER trigger is about as it is by now: somebody's trigger
 * may have written it again.  Its first column is its key, by this index.
 */
extern HeapTuple mf_dashboard_newest(Relation relation, const char *index,
									 HeapTuple tuple);

/* The columns of _work_orders that are shown, in the order of CREATE TABLE. */
typedef enum MfWorkColumn
{
	MF_WORK_ID,
	MF_WORK_ORDER_ID,
	MF_WORK_NTH,
	MF_WORK_ITEM,
	MF_WORK_PARTNER,
	MF_WORK_ORDER_NUMBER,
	MF_WORK_MODEL,
	MF_WORK_MATERIAL,
	MF_WORK_PROCESS,
	MF_WORK_OPERATION,
	MF_WORK_KIND,
	MF_WORK_STEP,
	MF_WORK_STEPS,
	MF_WORK_LOT,
	MF_WORK_REPEATS,
	MF_WORK_QUANTITY,
	MF_WORK_GOOD,
	MF_WORK_SCRAP,
	MF_WORK_STATE,
	MF_WORK_OPERATOR,
	MF_WORK_STATION,
	MF_WORK_QUEUED_AT,
	MF_WORK_COLUMNS
} MfWorkColumn;

typedef struct MfWorkRow
{
	Datum		value[MF_WORK_COLUMNS];
	bool		is_null[MF_WORK_COLUMNS];
} MfWorkRow;

extern void mf_dashboard_open_work(MfWorkRow *work, Relation relation, HeapTuple tuple);

/* All work of an order, as of now: a list of MfWorkRow. */
extern List *mf_dashboard_work(Datum order_id);

/* The state of a work order, and what follows from it. */
extern bool mf_dashboard_is_text(Datum value, const char *word);
extern bool mf_dashboard_waits(const MfWorkRow *work);	/* queued or assigned */
extern bool mf_dashboard_is_held(const MfWorkRow *work);	/* assigned or started */
extern bool mf_dashboard_is_done(const MfWorkRow *work);
extern bool mf_dashboard_counts(const MfWorkRow *work); /* not cancelled */

/* The order of an item; false where the item is cancelled. */
extern bool mf_dashboard_open_item(Relation relation, HeapTuple tuple, Datum *order_id);

/* Items of an order that are not cancelled, as of now. */
extern int	mf_dashboard_items(Datum order_id);

/*
 * operators with this one or without, whichever is true now; the same Datum
 * where that changes nothing.
 */
extern Datum mf_dashboard_operators(Datum operators, Datum order_id, Datum who);
extern Datum mf_dashboard_no_texts(void);

/*
 * Has a row of dashboard_orders in _orders_by_status as it is after a change,
 * not as it was before; NULL where it was not or will not be.
 */
extern void mf_dashboard_sort(const MfOwnRow *before, const MfOwnRow *after);

/* Makes the row of dashboard_dispatch what it must be for this work order. */
extern void mf_dashboard_list(const MfWorkRow *work, const MfOwnRow *order);

/* The same for all work of an order. */
extern void mf_dashboard_list_order(const MfOwnRow *order);

#endif							/* MF_DASHBOARD_H */
