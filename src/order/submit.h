/*
 * submit.h
 *		A submission on its way to being an order.
 */
#ifndef MF_ORDER_SUBMIT_H
#define MF_ORDER_SUBMIT_H

#include "asked.h"
#include "order.h"

/* What was asked for, and what has come of it so far. */
typedef struct MfSubmission
{
	Datum		partner;
	Datum		external_ref;
	Jsonb	   *items_json;
	Jsonb	   *customer_json;	/* NULL: none */
	MfAskedItem *items;
	int			count;
	MfAskedCustomer customer;
	bytea	   *items_hash;
	bytea	   *customer_hash;	/* NULL: no customer */
	bool		has_due;
	TimestampTz due_at;
	char	   *traceparent;	/* NULL: none, or none that is valid */
	char	   *no_traceparent; /* what was given and is none */
	int			priority;

	MfOrder		order;			/* as its row will be */
	pg_uuid_t	id;
	pg_uuid_t	correlation_id;
	pg_uuid_t  *quotes;
	TimestampTz now;			/* when it got its status */
	Interval	dwell;			/* in the one before */
} MfSubmission;

/*
 * Makes this the only submission under its reference until mf_order_reserved
 * or the end of the transaction; false where there is an order already, also
 * of this very transaction.  Waits for a transaction that is submitting it.
 */
extern bool mf_order_reserve(const MfSubmission *s);
extern void mf_order_reserved(const MfSubmission *s);

/*
 * The order that is there under the submission's reference, in s->id; false
 * where there is none.  MF409 where it was asked for otherwise.  The caller
 * is connected to SPI.
 */
extern bool mf_order_known(MfSubmission *s);

/* A new one: MF404 and MF423 about its partner; finds its correlation id. */
extern void mf_order_begin(MfSubmission *s);

#endif							/* MF_ORDER_SUBMIT_H */
