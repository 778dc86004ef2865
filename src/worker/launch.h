/*
 * launch.h
 *		Between the launcher and the workers it starts; private to src/worker.
 */
#ifndef MF_LAUNCH_H
#define MF_LAUNCH_H

#include "postmaster/bgworker.h"

/* What a worker finds in bgw_extra. */
typedef struct MfWorkerArgs
{
	Oid			database;
	uint32		generation;		/* of its slot */
} MfWorkerArgs;

StaticAssertDecl(sizeof(MfWorkerArgs) <= BGW_EXTRALEN,
				 "a worker's arguments must fit into bgw_extra");

/* SIGTERM and SIGHUP as core handles them, then lets signals in. */
extern void mf_worker_signals(void);

#endif							/* MF_LAUNCH_H */
