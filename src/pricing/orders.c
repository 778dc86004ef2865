/*
 * orders.c
 *		Summing up the orders whose quotes have changed: each in a transaction
 *		of its own, a portion of them in each turn.
 *
 * Whoever prices a quote leaves a note and wakes this worker at commit; the
 * tick finds what was left without one.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "pricing.h"

#define LOOK_MS		1000
#define LATER_MS	100

/* Time of one turn, so that claims and heartbeats do not wait. */
#define PORTION_MS	50

static MfStatement sum_statement = {
	.sql = "SELECT mesflow._sum_next_order()",
	.arguments = 0
};

static int64 due = 0;
static int	failures = 0;

static void
sum_next(void *arg)
{
	bool		is_null;

	mf_call_run(&sum_statement, NULL, 1);
	*(bool *) arg = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0],
											   SPI_tuptable->tupdesc, 1, &is_null));
}

/* There may be something: look in this turn. */
void
mf_orders_look(int64 now)
{
	if (failures == 0)
		due = Min(due, now);
}

void
mf_orders_turn(int64 now)
{
	const int64 until = now + PORTION_MS;
	bool		more = true;

	while (now >= due && more && mf_wait_now() < until)
	{
		MfTry		outcome = mf_worker_try("summing up an order", sum_next, &more);

		if (outcome != MF_TRY_DONE)
		{
			due = now + (outcome == MF_TRY_LATER ? LATER_MS : mf_worker_backoff(++failures));
			break;
		}
		failures = 0;
		mf_worker_check();
	}
	if (now >= due)
		due = more ? now : now + LOOK_MS;
	mf_pricing_due(due);
}
