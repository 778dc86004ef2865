/*
 * plan.c
 *		Statements whose plans are kept, and functions called by their names.
 *
 * A plan is made once and for all arguments.  It may be made while a table is
 * small, when the planner would rather read all of it, and is then kept while
 * the table grows.  So it is made under settings that leave nothing but the
 * indexes.  They hold while it is made and no longer: triggers and pricing
 * functions make their plans under the session's own.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "fmgr.h"
#include "mesflow.h"
#include "nodes/pg_list.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "plan.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/plancache.h"
#include "utils/resowner.h"

static void
set_for_now(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/* Leaves the planner nothing but indexes, until the level that is returned ends. */
static int
allow_indexes_only(void)
{
	int			level = NewGUCNestLevel();

	set_for_now("enable_seqscan", "off");
	set_for_now("enable_bitmapscan", "off");
	set_for_now("enable_hashjoin", "off");
	set_for_now("enable_mergejoin", "off");
	set_for_now("enable_indexscan", "on");
	set_for_now("enable_nestloop", "on");
	set_for_now("jit", "off");
	return level;
}

static void
prepare(MfPlan *plan)
{
	SPIPlanPtr	made = SPI_prepare_cursor(plan->sql, plan->arguments, plan->types,
										  CURSOR_OPT_GENERIC_PLAN);

	if (made == NULL || SPI_keepplan(made) != 0)
		elog(ERROR, "SPI_prepare_cursor failed: %s",
			 SPI_result_code_string(SPI_result));
	plan->kept = made;
}

/* Makes the plan of a statement that goes by indexes, or makes it again. */
static void
make_plan(MfPlan *plan)
{
	int			level = allow_indexes_only();

	ReleaseCachedPlan(SPI_plan_get_cached_plan(plan->kept), CurrentResourceOwner);
	AtEOXact_GUC(false, level);
}

/*
 * Runs a statement; nulls are as SPI has them, or NULL.  The number of rows,
 * which mf_plan_find reads.  One that writes has a snapshot of its own, others
 * have the caller's.  The caller is connected to SPI.
 */
uint64
mf_plan_run(MfPlan *plan, Datum *values, const char *nulls)
{
	CachedPlanSource *source;
	int			generation = 0;
	int			code;

	if (plan->kept == NULL)
		prepare(plan);
	source = linitial(SPI_plan_get_plan_sources(plan->kept));
	if (plan->by_index)
	{
		if (!source->is_valid || source->gplan == NULL || !source->gplan->is_valid)
			make_plan(plan);
		generation = source->gplan->generation;
	}
	code = SPI_execute_plan(plan->kept, values, nulls, !plan->writes, 0);
	if (code < 0)
		elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(code));

	/* Where it had to be made on the way, it was with the session's settings. */
	if (plan->by_index && source->gplan != NULL &&
		source->gplan->generation != generation)
		source->gplan->is_valid = false;
	return SPI_processed;
}

/* Column `column` (from 1) of a row (from 0) of the last statement; false: NULL. */
bool
mf_plan_find(uint64 row, int column, Datum *value)
{
	bool		is_null;

	*value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column,
						   &is_null);
	return !is_null;
}

/* The same as text, in the current memory context; NULL for NULL. */
char *
mf_plan_text(uint64 row, int column)
{
	Datum		value;

	return mf_plan_find(row, column, &value) ? TextDatumGetCString(value) : NULL;
}

void
mf_spi_connect(void)
{
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

/*
 * Calls a function of ours that is the only one of its name, found anew each
 * time, so that it may be replaced; false where it returns NULL.
 */
bool
mf_plan_call(const char *function, int count, const NullableDatum *arguments,
			 Datum *result)
{
	LOCAL_FCINFO(call, FUNC_MAX_ARGS);
	FmgrInfo	info;
	List	   *name = list_make2(makeString(pstrdup(MF_EXTENSION)),
								  makeString(pstrdup(function)));

	fmgr_info(LookupFuncName(name, -1, NULL, false), &info);
	InitFunctionCallInfoData(*call, &info, count, DEFAULT_COLLATION_OID, NULL, NULL);
	for (int i = 0; i < count; i++)
		call->args[i] = arguments[i];
	*result = FunctionCallInvoke(call);
	return !call->isnull;
}
