/*
 * guard.h
 *		Which events an UPDATE of an order makes: agreed on by the trigger
 *		that counts them and the one that writes them.
 */
#ifndef MF_ORDER_GUARD_H
#define MF_ORDER_GUARD_H

#include "order.h"

/*
 * First order.changed, where fields have changed, then order.<status>, where
 * the status has.
 */
typedef struct MfOrderChange
{
	bool		status;
	bool		fields;			/* any of the following, or the step says so */
	bool		priority;
	bool		due_at;
	bool		amounts;
} MfOrderChange;

extern MfOrderChange mf_order_change(const MfOrder *before, const MfOrder *after,
									 const MfStep *step);
extern int	mf_order_events(const MfOrderChange *change);

#endif							/* MF_ORDER_GUARD_H */
