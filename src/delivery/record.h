/*
 * record.h
 *		A group of deliveries that is written down.  Private to record.c and
 *		record_write.c.
 */
#ifndef MF_DELIVERY_RECORD_H
#define MF_DELIVERY_RECORD_H

#include "stream.h"

/* Deliveries per group that get a row only to let a cursor pass. */
#define MF_PASSED_MAX	1000

/* What an endpoint's row of _cursors will say. */
typedef struct MfPosition
{
	MfEndpoint *endpoint;
	const MfMark *seen;
	const MfMark *upto;			/* NULL: between two sets */
	int64		last_id;
	int			done_count;
	int64	   *done;
	int			delivered;		/* by this group */
	int			failed;
} MfPosition;

typedef struct MfGroup
{
	int			count;
	MfDelivery **deliveries;	/* ENDED */
	int			passed_count;
	MfDelivery **passed;		/* WAITING or SENDING */
	int			position_count;
	MfPosition *positions;
	int			trouble_count;
	MfEndpoint **troubled;
} MfGroup;

/* Writes a group (MfGroup), in the transaction of the caller. */
extern void mf_record_write(void *arg);

/* Receipts that had to wait for somebody's transaction. */
extern void mf_record_receipts(int64 now);

#endif							/* MF_DELIVERY_RECORD_H */
