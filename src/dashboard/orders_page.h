/*
 * orders_page.h
 *		What the page of orders shows, and closed orders for it.  Private to
 *		this folder.
 */
#ifndef MF_DASHBOARD_ORDERS_PAGE_H
#define MF_DASHBOARD_ORDERS_PAGE_H

#include "page.h"

/* The columns of the page, in the order of dashboard_orders. */
enum
{
	MF_ORDERS_ORDER_ID = 1,
	MF_ORDERS_NUMBER,
	MF_ORDERS_PARTNER,
	MF_ORDERS_EXTERNAL_REF,
	MF_ORDERS_STATUS,
	MF_ORDERS_STATUS_SINCE,
	MF_ORDERS_PRIORITY,
	MF_ORDERS_TOTAL,
	MF_ORDERS_CURRENCY,
	MF_ORDERS_CREATED_AT,
	MF_ORDERS_DUE_AT,
	MF_ORDERS_ITEMS,
	MF_ORDERS_WORK_DONE,
	MF_ORDERS_WORK_TOTAL,
	MF_ORDERS_OPERATORS,
	MF_ORDERS_ALARMS,
	MF_ORDERS_AS_OF
};

#define MF_ORDERS_SHOWN	MF_ORDERS_AS_OF

/* Counts of the closed orders of a page. */
typedef struct MfClosed MfClosed;

/* Closed orders by closed_as and created_at, of one partner or of all. */
extern void mf_closed_open(MfOrdered *by, bool of_partner);

/* The statuses that orders have ended in: texts. */
extern Datum *mf_closed_statuses(int *count);
extern MfClosed *mf_closed_count(const MfRow *rows, int count);

/* All columns of the page but the last: as_of. */
extern void mf_closed_columns(const MfClosed *closed, const MfRow *row,
							  Datum *values, bool *nulls);

#endif							/* MF_DASHBOARD_ORDERS_PAGE_H */
