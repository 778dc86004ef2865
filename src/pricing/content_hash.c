/*
 * content_hash.c
 *		SHA-256 of a stored content of any size, piece by piece.
 *
 * A file may be larger than the largest bytea, so it is never assembled; one
 * piece is in memory at a time.
 */
#include "postgres.h"

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(mesflow_content_sha256);

/*
 * _content_sha256(content bigint): the digest, 32 bytes.  The caller has
 * checked that the pieces have no hole.
 */
PGDLLEXPORT Datum
mesflow_content_sha256(PG_FUNCTION_ARGS)
{
	Oid			argtypes[1] = {INT8OID};
	Datum		args[1];
	Portal		portal;
	MemoryContext piece_context;
	MemoryContext old_context;
	pg_cryptohash_ctx *hash;
	bytea	   *digest;

	args[0] = PG_GETARG_DATUM(0);
	digest = palloc(VARHDRSZ + PG_SHA256_DIGEST_LENGTH);
	SET_VARSIZE(digest, VARHDRSZ + PG_SHA256_DIGEST_LENGTH);

	/* Its resources are released with the transaction, whatever happens. */
	hash = pg_cryptohash_create(PG_SHA256);
	if (pg_cryptohash_init(hash) < 0)
		elog(ERROR, "could not start SHA-256: %s", pg_cryptohash_error(hash));

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	piece_context = AllocSetContextCreate(CurrentMemoryContext,
										  "mesflow piece of a model",
										  ALLOCSET_DEFAULT_SIZES);
	portal = SPI_cursor_open_with_args(NULL,
									   "SELECT c.bytes FROM mesflow._chunks c"
									   " WHERE c.content = $1 ORDER BY c.at",
									   1, argtypes, args, NULL, true, 0);
	for (;;)
	{
		bool		isnull;
		Datum		value;
		bytea	   *piece;

		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(portal, true, 1);
		if (SPI_processed == 0)
			break;
		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
							  1, &isnull);
		old_context = MemoryContextSwitchTo(piece_context);
		piece = DatumGetByteaPP(value);
		if (pg_cryptohash_update(hash, (const uint8 *) VARDATA_ANY(piece),
								 VARSIZE_ANY_EXHDR(piece)) < 0)
			elog(ERROR, "could not compute SHA-256: %s",
				 pg_cryptohash_error(hash));
		MemoryContextSwitchTo(old_context);
		MemoryContextReset(piece_context);
		SPI_freetuptable(SPI_tuptable);
	}
	SPI_cursor_close(portal);
	SPI_finish();

	if (pg_cryptohash_final(hash, (uint8 *) VARDATA(digest),
							PG_SHA256_DIGEST_LENGTH) < 0)
		elog(ERROR, "could not compute SHA-256: %s", pg_cryptohash_error(hash));
	pg_cryptohash_free(hash);

	PG_RETURN_BYTEA_P(digest);
}
