/*
 * check.c
 *		Refusals that several verbs share.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "check.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "mesflow.h"
#include "miscadmin.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(mesflow_actor);

void
mf_check_primary(void)
{
	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(MF_ERRCODE_NOT_HERE),
				 errmsg("this server is a standby"),
				 errdetail("Nothing can be written on a standby."),
				 errhint("Ask the primary; a standby answers what can be read.")));
}

void
mf_check_length(const char *name, const char *text, int most)
{
	if (text !=NULL && pg_mbstrlen(text) > most)
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("text too long"),
				 errdetail("%s has %d characters; the limit is %d.", name, pg_mbstrlen(text), most),
				 errhint("Shorten it, or keep the long text elsewhere and write down where.")));
}

char *
mf_argument_text(FunctionCallInfo fcinfo, int number)
{
	return PG_ARGISNULL(number) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(number));
}

char *
mf_actor(const char *named)
{
	if (named != NULL && named[strspn(named, " \t\n")] != '\0')
		return pstrdup(named);
	return GetUserNameFromId(GetOuterUserId(), false);
}

/* _actor(named text) */
PGDLLEXPORT Datum
mesflow_actor(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(mf_actor(mf_argument_text(fcinfo, 0))));
}
