/*
 * filters.c
 *		What a page is asked for, read from JSON.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "compat.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "mesflow.h"
#include "page.h"
#include "tables.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* Longest value quoted in a detail. */
#define QUOTED_MAX	100

static const char *const keys[MF_FILTERS] = {
	[MF_FILTER_PARTNER] = "partner",
	[MF_FILTER_STATUS] = "status",
	[MF_FILTER_SYSTEM] = "system",
	[MF_FILTER_OPERATOR] = "operator",
	[MF_FILTER_STATION] = "station",
	[MF_FILTER_PROCESS] = "process",
	[MF_FILTER_CREATED_FROM] = "created_from",
	[MF_FILTER_CREATED_TO] = "created_to",
	[MF_FILTER_DUE_BEFORE] = "due_before",
	[MF_FILTER_OPEN] = "open",
	[MF_FILTER_ALARM] = "alarm"
};

static const MfKey catalog[MF_FILTER_CODES] = {
	[MF_FILTER_PARTNER] = {"partners", "partners_pkey", 1, {"code"}, {TEXTOID}},
	[MF_FILTER_STATUS] = {"order_statuses", "order_statuses_pkey", 1, {"status"}, {TEXTOID}},
	[MF_FILTER_SYSTEM] = {"systems", "systems_pkey", 1, {"code"}, {TEXTOID}},
	[MF_FILTER_OPERATOR] = {"operators", "operators_pkey", 1, {"code"}, {TEXTOID}},
	[MF_FILTER_STATION] = {"stations", "stations_pkey", 1, {"code"}, {TEXTOID}},
	[MF_FILTER_PROCESS] = {"processes", "processes_pkey", 1, {"code"}, {TEXTOID}}
};

static const struct
{
	const char *function;
	const char *other;			/* the other page, and which keys it alone has */
	MfFilter	others[2];
	const char *allowed;
}			pages[] = {

	[MF_PAGE_DISPATCH] = {
		"dispatch_page", "orders_page", {MF_FILTER_STATUS, MF_FILTER_SYSTEM},
		"partner, operator, station, process, created_from, created_to, due_before, open, alarm"
	},
	[MF_PAGE_ORDERS] = {
		"orders_page", "dispatch_page", {MF_FILTER_STATION, MF_FILTER_PROCESS},
		"partner, status, system, operator, created_from, created_to, due_before, open, alarm"
	}
};

static const char *
kind_of(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvString:
			return "a text";
		case jbvNumeric:
			return "a number";
		case jbvBool:
			return "true or false";
		case jbvBinary:
			return JsonContainerIsArray(value->val.binary.data) ? "an array" : "an object";
		default:
			return "something else";
	}
}

static void
refuse_type(MfFilter filter, const JsonbValue *value)
{
	ereport(ERROR,
			(errcode(MF_ERRCODE_BAD_ARGUMENT),
			 errmsg("filter not allowed"),
			 errdetail("filters.%s is %s.", keys[filter], kind_of(value)),
			 filter < MF_FILTER_CODES ? errhint("Pass its code as a text, or null for all.") :
			 filter < MF_FILTER_MOMENTS ? errhint("Pass a time as a text, for example \"2026-11-30 12:00+01\", or null for all.") :
			 errhint("Pass true or false, or null for both.")));
}

static void
refuse_key(MfPageKind page, const char *key, int length)
{
	bool		other = false;

	for (int i = 0; i < (int) lengthof(pages[page].others); i++)
	{
		const char *theirs = keys[pages[page].others[i]];

		other |= strlen(theirs) == (size_t) length && memcmp(theirs, key, length) == 0;
	}
	length = pg_mbcliplen(key, length, QUOTED_MAX);
	ereport(ERROR,
			(errcode(MF_ERRCODE_BAD_ARGUMENT),
			 errmsg("unknown key"),
			 errdetail("filters.%.*s is not known to %s.", length, key, pages[page].function),
			 other ? errhint("It is a filter of %s. Allowed keys here: %s.", pages[page].other, pages[page].allowed) :
			 errhint("Allowed keys: %s.", pages[page].allowed)));
}

static MfFilter
filter_of(MfPageKind page, const JsonbValue *key)
{
	for (int i = 0; i < MF_FILTERS; i++)
		if (strlen(keys[i]) == (size_t) key->val.string.len &&
			memcmp(keys[i], key->val.string.val, key->val.string.len) == 0 &&
			pages[page].others[0] != (MfFilter) i && pages[page].others[1] != (MfFilter) i)
			return (MfFilter) i;
	refuse_key(page, key->val.string.val, key->val.string.len);
	return MF_FILTERS;
}

/* The server's own reading of a time, with an error of ours. */
static TimestampTz
read_moment(MfFilter filter, const char *value)
{
	MemoryContext caller = CurrentMemoryContext;
	volatile Datum moment = 0;

	PG_TRY();
	{
		moment = DirectFunctionCall3(timestamptz_in, CStringGetDatum(value),
									 ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	}
	PG_CATCH();
	{
		if (ERRCODE_TO_CATEGORY(geterrcode()) != ERRCODE_DATA_EXCEPTION)
			PG_RE_THROW();
		MemoryContextSwitchTo(caller);
		FlushErrorState();
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("filter not allowed"),
				 errdetail("filters.%s is \"%.*s\", which is no time.", keys[filter],
						   pg_mbcliplen(value, strlen(value), QUOTED_MAX), value),
				 errhint("Pass a time as a text, for example \"2026-11-30 12:00+01\", or null for all.")));
	}
	PG_END_TRY();
	return DatumGetTimestampTz(moment);
}

/* A code as it is given: MF404 where there is none. */
static char *
read_code(MfFilter filter, const JsonbValue *value)
{
	const MfKey *key = &catalog[filter];
	char	   *code = pnstrdup(value->val.string.val, value->val.string.len);
	Datum		known = CStringGetTextDatum(code);
	bool		is_null;

	if (!mf_key_find(key, &known, key->columns[0], &known, &is_null))
		ereport(ERROR,
				(errcode(MF_ERRCODE_NOT_FOUND),
				 errmsg("no such %s", keys[filter]),
				 errdetail("There is no %s \"%.*s\".", keys[filter],
						   pg_mbcliplen(code, strlen(code), QUOTED_MAX), code),
				 errhint("The table mesflow.%s lists them.", key->table)));
	return code;
}

static void
read_filter(MfFilter filter, const JsonbValue *value, MfFilters *filters)
{
	TimestampTz *moments[] = {&filters->created_from, &filters->created_to, &filters->due_before};
	bool	   *answers[] = {&filters->open, &filters->alarm};

	if (value->type == jbvNull)
		return;
	if (value->type != (filter < MF_FILTER_MOMENTS ? jbvString : jbvBool))
		refuse_type(filter, value);
	filters->given[filter] = true;
	if (filter < MF_FILTER_CODES)
		filters->code[filter] = read_code(filter, value);
	else if (filter < MF_FILTER_MOMENTS)
		*moments[filter - MF_FILTER_CODES] =
			read_moment(filter, pnstrdup(value->val.string.val, value->val.string.len));
	else
		*answers[filter - MF_FILTER_MOMENTS] = value->val.boolean;

	/* What has no date is not due before any, the end of time included. */
	if (filter == MF_FILTER_DUE_BEFORE && TIMESTAMP_IS_NOEND(filters->due_before))
		filters->due_before--;
}

/* Of what is asked for, however it was written. */
static uint64
hash_of(const MfFilters *filters)
{
	StringInfoData all;

	initStringInfo(&all);
	for (int i = 0; i < MF_FILTERS; i++)
		appendStringInfo(&all, "%d%s;", filters->given[i],
						 i < MF_FILTER_CODES && filters->given[i] ? filters->code[i] : "");
	appendStringInfo(&all, INT64_FORMAT ";" INT64_FORMAT ";" INT64_FORMAT ";%d%d",
					 filters->created_from, filters->created_to, filters->due_before,
					 filters->open, filters->alarm);
	return DatumGetUInt64(hash_any_extended((const unsigned char *) all.data, all.len, 0));
}

void
mf_filters_read(MfPageKind page, Jsonb *json, MfFilters *filters)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;
	MfFilter	filter = MF_FILTERS;

	memset(filters, 0, sizeof(*filters));
	filters->created_from = DT_NOBEGIN;
	filters->created_to = DT_NOEND;
	filters->due_before = DT_NOEND;
	if (json != NULL && !JB_ROOT_IS_OBJECT(json))
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("filters must be a JSON object"),
				 errdetail("filters is %s.", JB_ROOT_IS_SCALAR(json) ? "a scalar" : "an array"),
				 errhint("Pass for example {\"partner\": \"shop\"}, or {} for all.")));
	if (json != NULL)
	{
		iterator = JsonbIteratorInit(&json->root);
		while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
		{
			if (token == WJB_KEY)
				filter = filter_of(page, &value);
			else if (token == WJB_VALUE)
				read_filter(filter, &value, filters);
		}
	}
	filters->hash = hash_of(filters);
}

bool
mf_filter_code(const MfFilters *filters, MfFilter filter, TupleTableSlot *slot,
			   AttrNumber column)
{
	const char *code = filters->code[filter];
	bool		is_null;
	Datum		value;

	if (code == NULL)
		return true;
	value = slot_getattr(slot, column, &is_null);
	if (is_null)
		return false;
	return VARSIZE_ANY_EXHDR(DatumGetTextPP(value)) == strlen(code) &&
		memcmp(VARDATA_ANY(DatumGetTextPP(value)), code, strlen(code)) == 0;
}

bool
mf_filter_moment(TupleTableSlot *slot, AttrNumber column, TimestampTz from,
				 TimestampTz to)
{
	bool		is_null;
	TimestampTz at;

	if (TIMESTAMP_IS_NOBEGIN(from) && TIMESTAMP_IS_NOEND(to))
		return true;
	at = DatumGetTimestampTz(slot_getattr(slot, column, &is_null));
	return !is_null && at >= from && (at < to || TIMESTAMP_IS_NOEND(to));
}
