/*
 * work.h
 *		Work on the floor.  Private to this folder; README.md has the
 *		diagram.
 */
#ifndef MF_WORK_H
#define MF_WORK_H

#include "compat.h"
#include "datatype/timestamp.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "plan.h"
#include "utils/date.h"
#include "utils/uuid.h"

typedef enum MfWorkState
{
	MF_WORK_PLANNED,
	MF_WORK_QUEUED,
	MF_WORK_ASSIGNED,
	MF_WORK_STARTED,
	MF_WORK_FINISHED,
	MF_WORK_CANCELLED
} MfWorkState;

/* As the table has them. */
extern const char *const mf_work_state_names[];

/* No moment: the column is NULL. */
#define MF_NEVER	DT_NOBEGIN

/* A row of _work_orders. */
typedef struct MfWork
{
	pg_uuid_t	id;
	pg_uuid_t	order_id;
	int			nth;
	pg_uuid_t	item;
	char	   *partner;
	char	   *order_number;
	pg_uuid_t	model;
	char	   *material;
	char	   *process;
	char	   *operation;
	int			kind;
	int			step;
	int			steps;
	int			lot;
	int			plan;			/* nth of the first row of that planning */
	bool		is_repeat;
	pg_uuid_t	repeats;
	int			quantity;
	int			good;
	int			scrap;
	MfWorkState state;
	char	   *operator_code;
	char	   *station;
	TimestampTz queued_at;
	TimestampTz assigned_at;
	TimestampTz lease_until;
	TimestampTz started_at;
	TimestampTz finished_at;
	TimestampTz cancelled_at;
	DateADT		finished_day;
	char	   *finished_shift;
	bool		is_continued;
	pg_uuid_t	continues;
} MfWork;

/*
 * All functions here are for a caller that is connected to SPI with the
 * rights of the tables' owner; what they return lives until it finishes.
 */

/* The columns that mf_work_row reads, of a table called w. */
#define MF_WORK_COLUMNS \
	"w.id, w.order_id, w.nth, w.item, w.partner, w.order_number, w.model, w.material, w.process, w.operation, w.kind," \
	" w.step, w.steps, w.lot, w.repeats, w.quantity, w.good, w.scrap, w.state, w.operator, w.station, w.queued_at," \
	" w.assigned_at, w.lease_until, w.started_at, w.finished_at, w.cancelled_at, w.finished_day, w.finished_shift, w.continues, w.plan"

#define MF_WORK_COLUMN_COUNT	31

/* Row `row` of the last statement. */
extern void mf_work_row(MfWork *work, uint64 row);

/* The work order as it is now; false where there is none. */
extern bool mf_work_find(MfWork *work, Datum id);

/* "100014-3" */
extern char *mf_work_number(const MfWork *work);

/* MF404. */
MF_NORETURN extern void mf_work_missing(FunctionCallInfo fcinfo, int argument);

/* Writes what may change: state, people, places, counts, times, lot. */
extern void mf_work_save(const MfWork *work);

/* Inserts a row; it has an id already. */
extern void mf_work_insert(const MfWork *work);

/* The order's row, once it is locked. */
typedef struct MfWorkOrder
{
	char	   *status;
	char	   *number;
	bool		workable;
	bool		hold;
	bool		held;			/* on hold, and workable before */
} MfWorkOrder;

/* Locks the order's row; false where there is none. */
extern bool mf_work_lock_order(const pg_uuid_t *order_id, MfWorkOrder *order);

/*
 * Events about the work of one order, collected while its work is written,
 * and then written with consecutive numbers.
 */
typedef struct MfNews
{
	const pg_uuid_t *order_id;
	const char *actor;
	List	   *items;
} MfNews;

/* What an event tells beside the work order as it is then. */
typedef struct MfTold
{
	const char *type;
	TimestampTz at;				/* MF_NEVER: now */
	const char *operator_code;
	int			quantity;
	const Interval *dwell;
	const char *detail;			/* JSON; NULL: {} */
	const char *note;
} MfTold;

/*
 * An event of this moment (MF_NEVER: now) about the work order as it is; who
 * has it and how many pieces are there, the caller may add the rest.
 */
extern MfTold *mf_news_add(MfNews *news, const MfWork *work, const char *type,
						   TimestampTz at);
extern void mf_news_write(MfNews *news);

/*
 * Lots.  A lot of `quantity` pieces from the step of `first` on: rows are
 * inserted and the first is queued.
 */
extern void mf_lot_repeat(const MfWork *scrapped, int quantity, int from_step,
						  MfNews *news);

/* Pieces of `done` that go on to its next operation as a lot of their own. */
extern void mf_lot_continue(const MfWork *done, int quantity, MfNews *news);
extern void mf_lot_plan(const MfWork *item, Datum operations, MfNews *news);

/* Queues a planned row with so many pieces. */
extern void mf_work_queue(MfWork *work, int quantity, MfNews *news);

/* The open row of a lot at this step. */
extern bool mf_lot_open(const pg_uuid_t *order_id, int lot, int step, MfWork *work);

/* The step of this operation in the item's plan, up to `step`; 0: none. */
extern int	mf_lot_step(const MfWork *work, const char *operation);
extern char *mf_lot_operations(const MfWork *work);

/* Cancels open work, whose order is locked. */
extern void mf_work_cancel(MfWork *work, MfNews *news);

/* The step that an order makes because of its work, where its flow has it. */
extern void mf_work_step(const pg_uuid_t *order_id, const char *to, const char *actor);

/* Where all work of an order is done, the order is produced. */
extern void mf_work_follow(const pg_uuid_t *order_id, const char *actor);

/* Who works. */
typedef struct MfOperator
{
	const char *code;
	int			room;			/* work orders it may still take */
	int			held;
	int			most;			/* -1: no cap */
} MfOperator;

/*
 * Checks that there is such an operator, and that the calling role is not
 * another one's login.  MF400, MF404, MF423.
 */
extern char *mf_operator_check(FunctionCallInfo fcinfo, int argument);

/* Holds up other claims of this operator until the transaction ends. */
extern void mf_operator_lock(const char *code);

/*
 * For one who wants more, and is locked: how much it may take.  MF423 where
 * it is inactive, MF429 where it has enough.
 */
extern void mf_operator_need_room(MfOperator *operator, const char *code);

/*
 * For a verb about one work order, given by its id: locks its order, and
 * reads it then.  MF404.
 */
extern void mf_work_hold(FunctionCallInfo fcinfo, int argument, MfWork *work,
						 MfWorkOrder *order);

/* Has this operator got it, assigned or started? */
extern bool mf_work_is_of(const MfWork *work, const char *operator_code);

/* MF409 where somebody has it or had it, MF423 where it is not to be had. */
extern void mf_work_check_free(const MfWork *work);

/* The same for one who says that it is theirs. */
extern void mf_work_check_owner(const MfWork *work, const char *operator_code);

/* MF423 where the order is on hold. */
extern void mf_work_check_order(const MfWork *work, const MfWorkOrder *order);

/* A count that a verb is given, called `name`; MF400 where it is NULL. */
extern int	mf_work_count(FunctionCallInfo fcinfo, int argument, const char *name);

/* MF400 where the counts cannot be those of this work order. */
extern void mf_work_check_counts(const MfWork *work, int good, int scrap);

/*
 * The step from which missing pieces are made again; NULL: the first.  MF400
 * where the operation does not come before.
 */
extern int	mf_work_repeat_from(const MfWork *work, const char *operation);

/* The argument, a reason; MF400 where there is none. */
extern char *mf_work_reason(FunctionCallInfo fcinfo, int argument);

/* Assigns queued work, whose order is locked. */
extern void mf_work_assign(MfWork *work, const char *operator_code,
						   const char *station);

/* Puts assigned or started work back on the list. */
extern void mf_work_release(MfWork *work, const char *actor, const char *reason);

/*
 * Returns up to so many abandoned claims to the list, of one operator or of
 * all (NULL); how many.  One that cannot be returned is a WARNING.
 */
extern int	mf_work_return_abandoned(int most, const char *operator_code);

/* The row of the view work_orders, for a caller in its own context. */
extern Datum mf_work_result(const pg_uuid_t *id);

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

/* Of this work order's operator, process and operation: nothing yet. */
extern MfPay mf_pay_of(const MfWork *work);

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
