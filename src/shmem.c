/*
 * shmem.c
 *		Making the shared memory at server start.
 */
#include "postgres.h"

#include "mesflow.h"
#include "miscadmin.h"
#include "shmem.h"
#include "storage/ipc.h"
#include "storage/shmem.h"

MfShared   *mf_shared = NULL;

static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;

static void
request(void)
{
	if (previous_request_hook)
		previous_request_hook();

	RequestAddinShmemSpace(MAXALIGN(sizeof(MfShared)));
	RequestNamedLWLockTranche(MF_EXTENSION, 1);
}

/* Runs at start, and again after a crash, when everything begins anew. */
static void
startup(void)
{
	bool		found;

	if (previous_startup_hook)
		previous_startup_hook();

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	mf_shared = ShmemInitStruct(MF_EXTENSION, sizeof(MfShared), &found);
	if (!found)
	{
		memset(mf_shared, 0, sizeof(MfShared));
		mf_shared->lock = &GetNamedLWLockTranche(MF_EXTENSION)->lock;
		for (int kind = 0; kind < MF_WORKER_KINDS; kind++)
		{
			pg_atomic_init_u32(&mf_shared->doorbells[kind].rung, 0);
			pg_atomic_init_u32(&mf_shared->doorbells[kind].owner, 0);
		}
		pg_atomic_init_u32(&mf_shared->stubborn_next, 0);
		for (int i = 0; i < MF_STUBBORN_MAX; i++)
			pg_atomic_init_u64(&mf_shared->stubborn[i], 0);
		pg_atomic_init_u32(&mf_shared->events_wanted, 0);
		for (int i = 0; i < MF_IN_FLIGHT_MAX; i++)
		{
			pg_atomic_init_u32(&mf_shared->in_flight[i].number, 0);
			pg_atomic_init_u32(&mf_shared->in_flight[i].count, 0);
		}
		pg_atomic_init_u64(&mf_shared->announcements, 0);
		ConditionVariableInit(&mf_shared->announced);
	}
	LWLockRelease(AddinShmemInitLock);
}

void
mf_shmem_request(void)
{
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = startup;
}

MfShared *
mf_shmem_require(void)
{
	if (mf_shared == NULL)
		ereport(ERROR,
				(errcode(MF_ERRCODE_NOT_HERE),
				 errmsg("mesflow is not loaded at server start"),
				 errdetail("shared_preload_libraries does not contain \"%s\".",
						   MF_EXTENSION),
				 errhint("Add it to shared_preload_libraries and restart the server.")));
	return mf_shared;
}
