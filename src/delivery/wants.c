/*
 * wants.c
 *		Which events an endpoint wants: types, a partner, a look into the body.
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "pgtime.h"
#include "stream.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

/*
 * A predicate has to be true; of another path there must be an item that is
 * neither null nor false.  Times without a zone are UTC.  _event_passes() is
 * the same in SQL.
 */
static bool
evaluate(JsonPath *path, const char *body)
{
	LOCAL_FCINFO(call, 4);
	Datum		found;
	JsonbValue	item;

	InitFunctionCallInfoData(*call, NULL, 4, InvalidOid, NULL, NULL);
	call->args[0].value = DirectFunctionCall1(jsonb_in, CStringGetDatum(body));
	call->args[1].value = PointerGetDatum(path);
	call->args[2].value = DirectFunctionCall1(jsonb_in, CStringGetDatum("{}"));
	call->args[3].value = BoolGetDatum(true);
	for (int i = 0; i < 4; i++)
		call->args[i].isnull = false;
	found = jsonb_path_query_first_tz(call);
	if (call->isnull)
		return false;
	if (!JsonbExtractScalar(&DatumGetJsonbP(found)->root, &item))
		return true;
	return item.type != jbvNull && (item.type != jbvBool || item.val.boolean);
}

/* May the same go well another time? */
static bool
is_passing(const ErrorData *error)
{
	int			category = ERRCODE_TO_CATEGORY(error->sqlerrcode);

	return category == ERRCODE_INSUFFICIENT_RESOURCES ||
		category == ERRCODE_OPERATOR_INTERVENTION || category == ERRCODE_SYSTEM_ERROR;
}

/*
 * Does the body satisfy it?  One that makes an error does not.  An error that
 * says nothing about the body is the caller's: the event is read again.
 */
static bool
path_matches(JsonPath *path, const char *body)
{
	static MemoryContext scratch = NULL;
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	pg_tz	   *zone = session_timezone;
	ErrorData  *volatile error = NULL;
	volatile bool matches = false;

	/* A body takes many times its size, and a transaction sees many. */
	if (scratch == NULL)
		scratch = AllocSetContextCreate(mf_delivery_context, "mesflow filtering",
										ALLOCSET_DEFAULT_SIZES);
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(scratch);
	PG_TRY();
	{
		session_timezone = pg_tzset("GMT");
		matches = evaluate(path, body);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(scratch);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	session_timezone = zone;
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	if (error != NULL && is_passing(error))
		ReThrowError(error);
	MemoryContextReset(scratch);
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
