/*
 * order.h
 *		Orders: the flow, the steps, their events.  Private to this folder;
 *		README.md has the diagram.
 */
#ifndef MF_ORDER_H
#define MF_ORDER_H

#include "access/htup.h"
#include "flow.h"
#include "lib/stringinfo.h"
#include "outbox/outbox.h"
#include "utils/relcache.h"

#define MF_STATUS_SUBMITTED			"submitted"
#define MF_STATUS_IN_REVIEW			"in_review"
#define MF_STATUS_PRICING_FAILED	"pricing_failed"
#define MF_STATUS_PRICED			"priced"
#define MF_STATUS_APPROVED			"approved"

/* The columns of orders, in the order of CREATE TABLE; row.c has the names. */
typedef enum MfOrderColumn
{
	MF_ORDER_ID,
	MF_ORDER_NUMBER,
	MF_ORDER_PARTNER,
	MF_ORDER_EXTERNAL_REF,
	MF_ORDER_STATUS,
	MF_ORDER_STATUS_SINCE,
	MF_ORDER_EVENT_SEQ,
	MF_ORDER_NET,
	MF_ORDER_TAX,
	MF_ORDER_TOTAL,
	MF_ORDER_CURRENCY,
	MF_ORDER_PRIORITY,
	MF_ORDER_CREATED_AT,
	MF_ORDER_DUE_AT,
	MF_ORDER_PRICE_EXPIRES_AT,
	MF_ORDER_CLOSED_AT,
	MF_ORDER_CORRELATION_ID,
	MF_ORDER_TRACEPARENT,
	MF_ORDER_HELD_FROM,
	MF_ORDER_STATUS_BY,
	MF_ORDER_TRACKING,
	MF_ORDER_ASKED_HASH,
	MF_ORDER_ASKED_DUE,
	MF_ORDER_CLOSED_AS,
	MF_ORDER_COLUMNS
} MfOrderColumn;

extern const char *const mf_order_column_names[MF_ORDER_COLUMNS];

/* A row of orders, taken apart. */
typedef struct MfOrder
{
	Datum		value[MF_ORDER_COLUMNS];
	bool		is_null[MF_ORDER_COLUMNS];
} MfOrder;

extern void mf_order_open(MfOrder *order, Relation orders, HeapTuple tuple);
extern char *mf_order_text(const MfOrder *order, MfOrderColumn column);
extern const pg_uuid_t *mf_order_uuid(const MfOrder *order, MfOrderColumn column);
extern Numeric mf_order_money(const MfOrder *order, MfOrderColumn column);
extern bool mf_order_time(const MfOrder *order, MfOrderColumn column, TimestampTz *at);
extern char *mf_order_id_text(const MfOrder *order);

/* Do two rows differ in a column? */
extern bool mf_order_differs(const MfOrder *a, const MfOrder *b,
							 MfOrderColumn column);

/* MF400 for a date that a body could not tell (RFC 3339 has four digits). */
extern void mf_order_check_due(TimestampTz due_at);

/*
 * What a verb of ours says about the step that its UPDATE makes; without one
 * it is a plain UPDATE of somebody's.
 */
typedef struct MfStep
{
	bool		quiet;			/* the verb has seen to checks and events
								 * itself */
	const MfOrder *becomes;		/* then, what the row must be; NULL: as it
								 * was, but for its events */
	int			events;			/* that it has written, then */
	bool		sums;			/* amounts may change, and mesflow's own steps */
	bool		touched;		/* an event even where no column changes */
	const char *actor;
	const char *system;
	const char *note;
	const char *detail;			/* JSON object: into the body */
	const char *tracking;		/* to be kept with the order */
	const char *expect;			/* the status that it must have */
} MfStep;

/*
 * For a trigger of orders: the step whose UPDATE has fired it.  One that says
 * nothing where it is somebody's UPDATE, also of a trigger of theirs in the
 * middle of a step of ours.
 */
extern const MfStep *mf_step_now(void);

/* Runs work(arg) as this step; also where it throws, the step is over then. */
extern void mf_step_run(const MfStep *step, void (*work) (void *), void *arg);

/*
 * Writes an event about an order.  previous: the status before, or NULL.
 * The event's key, order, partner, trace and body come from the row.
 */
extern void mf_order_write(MfEvent *event, const MfOrder *order,
						   const char *status, const char *previous,
						   const StringInfoData *items, const char *detail);

/*
 * Holds a quote of this partner that is to be ordered.  MF404 where there is
 * none, MF409 where it is ordered already, MF423 where it cannot be.  The
 * caller is connected to SPI.
 */
extern void mf_order_take_quote(Datum quote, Datum partner);

/* Notes until when systems must confirm an order that has this status now. */
extern void mf_order_expect(const pg_uuid_t *order_id,
							const char *status);

/* What the live items of an order come to: columns net ... price_expires_at. */
typedef enum MfTallyColumn
{
	MF_TALLY_NET,
	MF_TALLY_TAX,
	MF_TALLY_TOTAL,
	MF_TALLY_CURRENCY,
	MF_TALLY_EXPIRES_AT,
	MF_TALLY_COLUMNS
} MfTallyColumn;

typedef struct MfTally
{
	StringInfoData json;		/* all items, as a body shows them: the inside
								 * of an array */
	int			live;			/* items that are not cancelled, and of them: */
	int			priced;
	int			failed;
	int			review;
	int			pending;
	bool		mixed;			/* in different currencies */
	Datum		value[MF_TALLY_COLUMNS];
	bool		is_null[MF_TALLY_COLUMNS];	/* unless all are priced, in one
											 * currency */
} MfTally;

/* Reads the items of an order, as of now. */
extern void mf_order_tally(MfTally *tally, const pg_uuid_t *order_id);

/* Where they put an order that can still be priced. */
extern const char *mf_tally_status(const MfTally *tally);

/*
 * Sums an order up: amounts and status from its items' states.  The row is
 * locked; false where there is no such order.
 */
typedef struct MfSum
{
	const pg_uuid_t *order_id;
	bool		any_status;		/* also where its items cannot change any
								 * more, but not where it has ended */
	const MfStep *step;
} MfSum;

extern bool mf_order_sum(const MfSum *sum);

#endif							/* MF_ORDER_H */
