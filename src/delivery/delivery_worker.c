/*
 * delivery_worker.c
 *		The delivery worker: what to do in which order, and when.
 */
#include "postgres.h"

#include "delivery.h"
#include "guc.h"

#define TICK_MS		1000

static void
start(void)
{
}

static long
turn(void)
{
	mf_worker_set_state(MF_STATE_IDLE, "nothing to deliver");
	return TICK_MS;
}

extern PGDLLEXPORT void mf_delivery_main(Datum arg);

void
mf_delivery_main(Datum arg)
{
	static const MfWorkerLife life = {start, turn};

	mf_worker_main(MF_WORKER_DELIVERY, &life);
}
