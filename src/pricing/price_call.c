/*
 * price_call.c
 *		Calling a process's pricing function.
 *
 * The function is named by a row of mesflow.processes and takes the
 * arguments of mesflow.price_additive.  It is looked up by its qualified
 * name at each call, so that replacing it takes effect at once, and called
 * directly: no statement has to be planned for it.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "parser/parse_func.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

#include "mesflow.h"
#include "compat.h"

/* What a pricing function takes after its name. */
#define MF_PRICING_ARGS		6

PG_FUNCTION_INFO_V1(mesflow_call_pricing);

/* The function called last, kept across the calls of one expression. */
typedef struct PricingCall
{
	Oid			function;
	FmgrInfo	info;
} PricingCall;

/* Who made this function. */
static Oid
owner_of(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	owner = ((Form_pg_proc) GETSTRUCT(tuple))->proowner;
	ReleaseSysCache(tuple);
	return owner;
}

/*
 * _call_pricing(name text, measurement, material, process, quantity,
 * options, rates): what the function returns.  It runs as its owner.  MF400
 * where there is no such function, and where it returns something else than
 * jsonb, or NULL.
 */
PGDLLEXPORT Datum
mesflow_call_pricing(PG_FUNCTION_ARGS)
{
	LOCAL_FCINFO(call, MF_PRICING_ARGS);
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	PricingCall *cache = fcinfo->flinfo->fn_extra;
	Oid			argtypes[MF_PRICING_ARGS];
	Oid			function;
	Oid			caller;
	int			caller_context;
	Datum		lines;
	int			i;

	for (i = 0; i < MF_PRICING_ARGS; i++)
		argtypes[i] = get_fn_expr_argtype(fcinfo->flinfo, i + 1);

	function = LookupFuncName(mf_compat_name_list(name), MF_PRICING_ARGS, argtypes,
							  true);
	if (!OidIsValid(function))
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("there is no pricing function \"%s\"", name),
				 errdetail("No function of this name takes the arguments of mesflow.price_additive."),
				 errhint("Create it, or correct processes.pricing_function; give its name with its schema.")));
	if (get_func_rettype(function) != JSONBOID)
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("pricing function \"%s\" does not return jsonb", name),
				 errdetail("It returns %s.", format_type_be(get_func_rettype(function))),
				 errhint("Return a jsonb array of breakdown lines.")));

	if (cache == NULL || cache->function != function)
	{
		if (cache == NULL)
			cache = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt,
										   sizeof(PricingCall));
		cache->function = InvalidOid;
		fmgr_info_cxt(function, &cache->info, fcinfo->flinfo->fn_mcxt);
		cache->function = function;
		fcinfo->flinfo->fn_extra = cache;
	}

	InitFunctionCallInfoData(*call, &cache->info, MF_PRICING_ARGS,
							 fcinfo->fncollation, NULL, NULL);
	for (i = 0; i < MF_PRICING_ARGS; i++)
	{
		call->args[i].value = PG_GETARG_DATUM(i + 1);
		call->args[i].isnull = false;
	}

	/*
	 * Our caller has the rights of mesflow's owner; a company's function has
	 * those of its own, and cannot take others.  An error is undone by the
	 * subtransaction that catches it.
	 */
	GetUserIdAndSecContext(&caller, &caller_context);
	SetUserIdAndSecContext(owner_of(function),
						   caller_context | SECURITY_RESTRICTED_OPERATION);
	lines = FunctionCallInvoke(call);
	SetUserIdAndSecContext(caller, caller_context);

	if (call->isnull)
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("pricing function \"%s\" returned NULL", name),
				 errdetail("A price needs at least one breakdown line."),
				 errhint("Return a jsonb array of breakdown lines.")));
	PG_RETURN_DATUM(lines);
}
