/*
 * secret.c
 *		Keys for signatures.
 */
#include "postgres.h"

#include "compat.h"
#include "fmgr.h"
#include "mesflow.h"

#define MAX_BYTES	1024

PG_FUNCTION_INFO_V1(mesflow_random_bytes);

/* _random_bytes(length int) → bytea, from the strong random source. */
PGDLLEXPORT Datum
mesflow_random_bytes(PG_FUNCTION_ARGS)
{
	int			length = PG_GETARG_INT32(0);
	bytea	   *bytes;

	if (length < 1 || length > MAX_BYTES)
		elog(ERROR, "%d random bytes are not 1 to %d", length, MAX_BYTES);
	bytes = palloc(VARHDRSZ + length);
	SET_VARSIZE(bytes, VARHDRSZ + length);
	if (!pg_strong_random(VARDATA(bytes), length))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not get random bytes")));
	PG_RETURN_BYTEA_P(bytes);
}
