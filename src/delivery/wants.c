/*
 * wants.c
 *		Which events an endpoint wants: types, a partner, a look into the body.
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "stream.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

/* A predicate has to be true, a path to find something. */
static bool
evaluate(JsonPath *path, const char *body)
{
	LOCAL_FCINFO(call, 4);
	Datum		document = DirectFunctionCall1(jsonb_in, CStringGetDatum(body));
	Datum		none = DirectFunctionCall1(jsonb_in, CStringGetDatum("{}"));
	Datum		matches;

	InitFunctionCallInfoData(*call, NULL, 4, InvalidOid, NULL, NULL);
	call->args[0].value = document;
	call->args[1].value = PointerGetDatum(path);
	call->args[2].value = none;
	call->args[3].value = BoolGetDatum(true);
	for (int i = 0; i < 4; i++)
		call->args[i].isnull = false;
	matches = jsonb_path_match(call);
	if (!call->isnull)
		return DatumGetBool(matches);
	call->isnull = false;
	matches = jsonb_path_exists(call);
	return !call->isnull && DatumGetBool(matches);
}

/*
 * Does the body satisfy it?  One that cannot be judged is sent: whoever gets
 * it can see.
 */
static bool
path_matches(JsonPath *path, const char *body)
{
	static MemoryContext scratch = NULL;
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool matches = true;

	/* A body takes many times its size, and a transaction sees many. */
	if (scratch == NULL)
		scratch = AllocSetContextCreate(mf_delivery_context, "mesflow filtering",
										ALLOCSET_DEFAULT_SIZES);
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(scratch);
	PG_TRY();
	{
		matches = evaluate(path, body);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(scratch);
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	MemoryContextReset(scratch);
	CurrentResourceOwner = owner;
	return matches;
}

/* A column, which is never NULL, and its length. */
static const char *
text_column(TupleTableSlot *slot, AttrNumber column, int *length)
{
	bool		is_null;
	text	   *value = DatumGetTextPP(slot_getattr(slot, column, &is_null));

	*length = (int) VARSIZE_ANY_EXHDR(value);
	return VARDATA_ANY(value);
}

/* Events endpoint.* are for the endpoint of their key, whatever it filters. */
bool
mf_wants(MfEndpoint *endpoint, TupleTableSlot *slot, MfEventCopy **copy)
{
	static const char own[] = "endpoint.";
	MfStream   *stream = endpoint->stream;
	int			length;
	const char *type = text_column(slot, stream->filter.type_column, &length);

	if (length >= (int) strlen(own) && memcmp(type, own, strlen(own)) == 0)
	{
		const char *key = text_column(slot, mf_reader_column("key"), &length);

		return length == (int) strlen(endpoint->name) &&
			memcmp(key, endpoint->name, length) == 0;
	}
	if (!mf_filter_matches(&stream->filter, slot))
		return false;
	if (stream->path == NULL)
		return true;
	if (*copy == NULL)
		*copy = mf_event_copy(slot);
	return path_matches(stream->path, (*copy)->body);
}
