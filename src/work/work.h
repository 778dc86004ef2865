/*
 * work.h
 *		Work on the floor.  Private to this folder; README.md has the
 *		diagram.
 */
#ifndef MF_WORK_H
#define MF_WORK_H

#include "access/htup.h"
#include "datatype/timestamp.h"
#include "lib/stringinfo.h"
#include "utils/date.h"
#include "utils/uuid.h"

/*
 * What an operator has done: differences, to be added to the row of its day,
 * shift, process and operation in dashboard_operators.
 */
typedef struct MfPay
{
	const char *operator_code;
	const char *process;
	const char *operation;
	int64		claimed;
	int64		finished;
	int64		good;
	int64		scrap;
	int64		busy;			/* microseconds */
} MfPay;

/* The day and shift that a moment belongs to; shift may be NULL. */
typedef struct MfPayDay
{
	DateADT		day;
	const char *shift;
} MfPayDay;

/*
 * In mesflow.time_zone, by the wall clock there.  A shift's days are those on
 * which it starts; one that ends before it starts ends on the next day.  Of
 * shifts that overlap, the one that began last; of those, the first by code.
 */
extern MfPayDay mf_pay_day(TimestampTz at);

/* Adds to the row of this day.  Call it last, after the locks of orders. */
extern void mf_pay_count(const MfPayDay *day, const MfPay *pay);

#endif							/* MF_WORK_H */
