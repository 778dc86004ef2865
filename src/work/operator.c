/*
 * operator.c
 *		Who works: checked, and held while it claims.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "check.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "mesflow.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "work.h"

/* Advisory locks of users have 1 and 2 here, other locks of ours 4 and 5. */
#define LOCK_SPACE	6

/* No code is longer. */
#define MAX_CODE	200

PG_FUNCTION_INFO_V1(mesflow_lock_operator);

/* The operator that is asked for, and those whose login one of the roles is. */
static MfPlan check_plan = {
	.sql = "SELECT o.code, (SELECT l.code FROM mesflow.operators l WHERE l.login OPERATOR(pg_catalog.=) $2),"
	" (SELECT l.code FROM mesflow.operators l WHERE l.login OPERATOR(pg_catalog.=) $3)"
	" FROM mesflow.operators o WHERE o.code OPERATOR(pg_catalog.=) $1",
	.by_index = true,
	.writes = true,
	.arguments = 3,
	.types = {TEXTOID, TEXTOID, TEXTOID}
};

static MfPlan room_plan = {
	.sql = "SELECT o.active, o.max_claims, CASE WHEN o.max_claims IS NOT NULL THEN (SELECT pg_catalog.count(*)"
	" FROM mesflow._work_orders w WHERE w.operator OPERATOR(pg_catalog.=) $1"
	" AND w.state OPERATOR(pg_catalog.=) ANY ('{assigned,started}'::pg_catalog.text[])) END"
	" FROM mesflow.operators o WHERE o.code OPERATOR(pg_catalog.=) $1",
	.by_index = true,
	.writes = true,
	.arguments = 1,
	.types = {TEXTOID}
};

/* Column `column` of check_plan is an operator whose login `role` is. */
static void
check_login(const char *role, int column, const char *code)
{
	char	   *owner = mf_plan_text(0, column);

	if (owner != NULL && strcmp(owner, code) != 0)
		ereport(ERROR,
				(errcode(MF_ERRCODE_NOT_ALLOWED),
				 errmsg("one operator does not act for another"),
				 errdetail("Role \"%s\" is the login of operator \"%s\", not of \"%s\".", role, owner, code),
				 errhint("Act as \"%s\", or from a role that is nobody's login.", owner)));
}

/*
 * The role that the session came as counts as well as the one that it has
 * set: SET ROLE makes nobody another operator.
 */
char *
mf_operator_check(FunctionCallInfo fcinfo, int argument)
{
	char	   *code = mf_argument_text(fcinfo, argument);
	char	   *role = GetUserNameFromId(GetOuterUserId(), false);
	char	   *session = GetUserNameFromId(GetSessionUserId(), false);
	Datum		values[3];

	mf_check_length("operator", code, MAX_CODE);
	values[0] = CStringGetTextDatum(code != NULL ? code : "");
	values[1] = CStringGetTextDatum(role);
	values[2] = CStringGetTextDatum(session);
	if (mf_plan_run(&check_plan, values, NULL) == 0)
		ereport(ERROR,
				(errcode(MF_ERRCODE_NOT_FOUND),
				 errmsg("no such operator"),
				 code == NULL ? errdetail("The operator is NULL.") :
				 errdetail("There is no operator \"%s\".", code),
				 errhint("Operators are in mesflow.operators.")));
	check_login(role, 2, code);
	check_login(session, 3, code);
	return code;
}

/*
 * Claims of one operator, one at a time, so that a cap and a repeated request
 * are exact.  A lock and not the operator's row: that would be written with
 * every claim.
 */
void
mf_operator_lock(const char *code)
{
	LOCKTAG		tag;
	uint64		hash = hash_bytes_extended((const unsigned char *) code, (int) strlen(code), 0);

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (hash >> 32), (uint32) hash, LOCK_SPACE);
	(void) LockAcquire(&tag, ExclusiveLock, false, false);
}

/* _lock_operator(operator text) */
PGDLLEXPORT Datum
mesflow_lock_operator(PG_FUNCTION_ARGS)
{
	mf_operator_lock(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	PG_RETURN_VOID();
}

static void
find_room(MfOperator *operator, const char *code)
{
	Datum		value = CStringGetTextDatum(code);
	Datum		found;

	operator->code = code;
	operator->most = -1;
	operator->room = INT_MAX;
	operator->held = 0;
	if (mf_plan_run(&room_plan, &value, NULL) == 0)
		ereport(ERROR,
				(errcode(MF_ERRCODE_NOT_FOUND),
				 errmsg("no such operator"),
				 errdetail("Operator \"%s\" has just been removed.", code),
				 errhint("Operators are in mesflow.operators.")));
	(void) mf_plan_find(0, 1, &found);
	if (!DatumGetBool(found))
		ereport(ERROR,
				(errcode(MF_ERRCODE_NOT_ALLOWED),
				 errmsg("the operator is not active"),
				 errdetail("Operator \"%s\" can claim nothing.", code),
				 errhint("What is claimed already can be started, finished and released. See operators.active.")));
	if (!mf_plan_find(0, 2, &found))
		return;
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(MF_ERRCODE_CONFLICT),
				 errmsg("a claim of an operator with a cap runs in READ COMMITTED only"),
				 errdetail("Operator \"%s\" may hold %d work orders; what others claim for it now cannot be counted.",
						   code, DatumGetInt32(found)),
				 errhint("SET TRANSACTION ISOLATION LEVEL READ COMMITTED.")));
	operator->most = DatumGetInt32(found);
	(void) mf_plan_find(0, 3, &found);
	operator->held = (int) DatumGetInt64(found);
	operator->room = Max(operator->most - operator->held, 0);
}

/* What the operator has claimed and not started in time is not its own any more. */
void
mf_operator_need_room(MfOperator *operator, const char *code)
{
	find_room(operator, code);
	if (operator->room == 0 && mf_work_return_abandoned(operator->held, code) > 0)
		find_room(operator, code);
	if (operator->room > 0)
		return;
	ereport(ERROR,
			(errcode(MF_ERRCODE_OVER_LIMIT),
			 errmsg("the operator has enough work"),
			 errdetail("Operator \"%s\" has %d of at most %d work orders.", operator->code, operator->held, operator->most),
			 errhint("Finish or release one. The cap is operators.max_claims.")));
}
