/*
 * record.h
 *		A group of deliveries that is written down.  Private to record.c,
 *		record_write.c, record_over.c and aside.c.
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

/* Nothing is written of these: of one set aside, not now. */
static inline bool
mf_is_left_out(const MfEndpoint *endpoint)
{
	return endpoint->dropped || endpoint->aside_until != 0;
}

/*
 * Writes a group (MfGroup), in the transaction of the caller, but for the
 * endpoints that it sets aside.
 */
extern void mf_record_write(void *arg);

/* Receipts that had to wait for somebody's transaction. */
extern void mf_record_receipts(int64 now);

/* Deletes rows of what is over. */
extern void mf_record_over(const MfGroup *group);

/* ---- aside.c ---- */

extern bool mf_aside_lock(const MfGroup *group);
extern void mf_aside_blame(const MfGroup *group);
extern MfEndpoint *mf_aside_alone(void);
extern void mf_aside_add(MfDelivery *delivery);
extern void mf_aside_take(dlist_head *ended, int *ended_count);
extern bool mf_aside_end(int64 now, dlist_head *ended, int *ended_count, int64 *until);

#endif							/* MF_DELIVERY_RECORD_H */
