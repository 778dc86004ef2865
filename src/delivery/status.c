/*
 * status.c
 *		What is under way, for whoever asks.
 */
#include "postgres.h"

#include "fmgr.h"
#include "shmem.h"

PG_FUNCTION_INFO_V1(mesflow_in_flight);

/* _in_flight(number int) → int: requests under way to this endpoint. */
PGDLLEXPORT Datum
mesflow_in_flight(PG_FUNCTION_ARGS)
{
	uint32		number = (uint32) PG_GETARG_INT32(0);

	if (mf_shared != NULL && number != 0)
		for (int i = 0; i < MF_IN_FLIGHT_MAX; i++)
			if (pg_atomic_read_u32(&mf_shared->in_flight[i].number) == number)
				PG_RETURN_INT32((int32) pg_atomic_read_u32(&mf_shared->in_flight[i].count));
	PG_RETURN_INT32(0);
}
