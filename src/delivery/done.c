/*
 * done.c
 *		What an endpoint had done beyond its position when this worker started,
 *		so that it is not sent again.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "stream.h"
#include "utils/array.h"
#include "utils/memutils.h"

static int
compare_ids(const void *left, const void *right)
{
	int64		a = *(const int64 *) left;
	int64		b = *(const int64 *) right;

	return (a > b) - (a < b);
}

void
mf_done_take(MfStream *stream, Datum done)
{
	Datum	   *ids;

	if (done == 0)
		return;
	deconstruct_array(DatumGetArrayTypeP(done), INT8OID, sizeof(int64), true,
					  TYPALIGN_DOUBLE, &ids, NULL, &stream->done_count);
	if (stream->done_count == 0)
		return;
	stream->done = MemoryContextAlloc(mf_delivery_context, stream->done_count * sizeof(int64));
	for (int i = 0; i < stream->done_count; i++)
		stream->done[i] = DatumGetInt64(ids[i]);
	qsort(stream->done, stream->done_count, sizeof(int64), compare_ids);
}

bool
mf_done_forget(MfStream *stream, int64 id)
{
	int64	   *found;

	if (stream->done_count == 0)
		return false;
	found = bsearch(&id, stream->done, stream->done_count, sizeof(int64), compare_ids);
	if (found == NULL)
		return false;
	memmove(found, found + 1, (stream->done + stream->done_count - found - 1) * sizeof(int64));
	if (--stream->done_count == 0)
	{
		pfree(stream->done);
		stream->done = NULL;
	}
	return true;
}
