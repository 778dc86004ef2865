/*
 * operator.c
 *		Who works: checked, and held while it claims.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
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

/* The operator that is asked for, and the one whose login the role is. */
static MfPlan check_plan = {
	.sql = "SELECT o.code, (SELECT l.code FROM mesflow.operators l WHERE l.login OPERATOR(pg_catalog.=) $2)"
	" FROM mesflow.operators o WHERE o.code OPERATOR(pg_catalog.=) $1",
	.by_index = true,
	.writes = true,
	.arguments = 2,
	.types = {TEXTOID, TEXTOID}
};

static MfPlan room_plan = {
	.sql = "SELECT o.active, o.max_claims, CASE WHEN o.max_claims IS NOT NULL THEN (SELECT pg_catalog.count(*)"
	" FROM mesflow._work_orders w WHERE w.operator OPERATOR(pg_catalog.=) $1 AND w.state IN ('assigned', 'started')) END"
	" FROM mesflow.operators o WHERE o.code OPERATOR(pg_catalog.=) $1",
	.by_index = true,
	.writes = true,
	.arguments = 1,
	.types = {TEXTOID}
};

char *
mf_operator_check(FunctionCallInfo fcinfo, int argument)
{
	char	   *code = PG_ARGISNULL(argument) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(argument));
	char	   *role = GetUserNameFromId(GetOuterUserId(), false);
	char	   *owner;
	Datum		values[2];

	values[0] = CStringGetTextDatum(code != NULL ? code : "");
	values[1] = CStringGetTextDatum(role);
	if (mf_plan_run(&check_plan, values, NULL) == 0)
		ereport(ERROR,
				(errcode(MF_ERRCODE_NOT_FOUND),
				 errmsg("no such operator"),
				 code == NULL ? errdetail("The operator is NULL.") :
				 errdetail("There is no operator \"%s\".", code),
				 errhint("Operators are in mesflow.operators.")));
	owner = mf_plan_text(0, 2);
	if (owner != NULL && strcmp(owner, code) != 0)
		ereport(ERROR,
				(errcode(MF_ERRCODE_NOT_ALLOWED),
				 errmsg("one operator does not act for another"),
				 errdetail("Role \"%s\" is the login of operator \"%s\", not of \"%s\".", role, owner, code),
				 errhint("Act as \"%s\", or from a role that is nobody's login.", owner)));
	return code;
}

/*
 * Claims of one operator, one at a time, so that a cap and a repeated request
 * are exact.  A lock and not the operator's row: that would be written with
 * every claim.
 */
void
mf_operator_lock(MfOperator *operator, const char *code)
{
	LOCKTAG		tag;
	uint64		hash = hash_bytes_extended((const unsigned char *) code, (int) strlen(code), 0);
	Datum		value = CStringGetTextDatum(code);
	Datum		found;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (hash >> 32), (uint32) hash, LOCK_SPACE);
	(void) LockAcquire(&tag, ExclusiveLock, false, false);

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
	operator->is_active = DatumGetBool(found);
	if (mf_plan_find(0, 2, &found))
	{
		operator->most = DatumGetInt32(found);
		(void) mf_plan_find(0, 3, &found);
		operator->held = (int) DatumGetInt64(found);
		operator->room = Max(operator->most - operator->held, 0);
	}
}

void
mf_operator_check_room(const MfOperator *operator)
{
	if (!operator->is_active)
		ereport(ERROR,
				(errcode(MF_ERRCODE_NOT_ALLOWED),
				 errmsg("the operator is not active"),
				 errdetail("Operator \"%s\" can claim nothing.", operator->code),
				 errhint("What is claimed already can be started, finished and released. See operators.active.")));
	if (operator->room == 0)
		ereport(ERROR,
				(errcode(MF_ERRCODE_OVER_LIMIT),
				 errmsg("the operator has enough work"),
				 errdetail("Operator \"%s\" has %d of at most %d work orders.", operator->code, operator->held, operator->most),
				 errhint("Finish or release one. The cap is operators.max_claims.")));
}
