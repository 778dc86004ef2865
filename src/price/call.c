/*
 * call.c
 *		Calling a process's pricing function.
 *
 * The function is named by a row of mesflow.processes and takes the
 * arguments of mesflow.price_additive.  It is looked up by its qualified name
 * at each call, so that replacing it takes effect at once, and called
 * directly: no statement has to be planned for it.
 *
 * It is a stranger's.  It runs as its owner and cannot become another, it
 * only reads, its settings go with it, it is stopped when it takes too long,
 * and what it raises costs one price: it runs in a subtransaction.
 */
#include "postgres.h"

#include <time.h>

#include "access/xact.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "fmgr.h"
#include "funcapi.h"
#include "guc.h"
#include "mesflow.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "parser/parse_func.h"
#include "price.h"
#include "shmem.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/resowner.h"
#include "utils/syscache.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

/* What a pricing function takes. */
#define ARGUMENTS		6

/* How often to look how long a function has taken. */
#define TICK_MS			50

/*
 * Wall time a function may take, in units of the processor time that it may:
 * it waits for a lock, or for a processor.
 */
#define WALL_FACTOR		5

/* Cancels in vain after which the process ends: the function catches them. */
#define CANCELS_MAX		20

/* The stopwatch of the function that runs now. */
static TimeoutId stopwatch;
static bool stopwatch_known = false;
static int64 cpu_limit_ms;
static struct timespec cpu_start;
static volatile sig_atomic_t ticks;
static volatile sig_atomic_t cancels;

/* A pricing function that asks for a price would stop our watch. */
static bool calling = false;

/* The function that runs now, as mf_shared->stubborn has them. */
static uint64 called;

/*
 * The process will have to end.  A worker, or a node's session, would meet
 * the same job again: nobody must call the function again.
 */
static void
note_stubborn(void)
{
	uint32		at;

	if (mf_shared == NULL)
		return;
	at = pg_atomic_fetch_add_u32(&mf_shared->stubborn_next, 1);
	pg_atomic_write_u64(&mf_shared->stubborn[at % MF_STUBBORN_MAX], called);
}

static void
refuse_stubborn(const char *name)
{
	if (mf_shared == NULL)
		return;
	for (int i = 0; i < MF_STUBBORN_MAX; i++)
		if (pg_atomic_read_u64(&mf_shared->stubborn[i]) == called)
			ereport(ERROR,
					(errcode(ERRCODE_QUERY_CANCELED),
					 errmsg("pricing function \"%s\" took too long and caught its cancellation",
							name),
					 errdetail("A process had to end for it; it is not called again."),
					 errhint("Replace the function; it must not catch query_canceled.")));
}

/* Called from a signal handler. */
static void
tick(void)
{
	struct timespec now;
	int64		cpu_ms;

	ticks = ticks + 1;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	cpu_ms = (now.tv_sec - cpu_start.tv_sec) * (int64) 1000 +
		(now.tv_nsec - cpu_start.tv_nsec) / 1000000;
	if (cpu_ms < cpu_limit_ms &&
		(int64) ticks * TICK_MS < cpu_limit_ms * WALL_FACTOR)
		return;
	cancels = cancels + 1;
	if (cancels > CANCELS_MAX)
	{
		if (cancels == CANCELS_MAX + 1)
			note_stubborn();
		ProcDiePending = true;
	}
	else
		QueryCancelPending = true;
	InterruptPending = true;
}

static void
start_stopwatch(void)
{
	if (!stopwatch_known)
		stopwatch = RegisterTimeout(USER_TIMEOUT, tick);
	stopwatch_known = true;
	ticks = 0;
	cancels = 0;
	cpu_limit_ms = mf_guc_pricing_function_timeout;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu_start);
	enable_timeout_every(stopwatch,
						 TimestampTzPlusMilliseconds(GetCurrentTimestamp(), TICK_MS),
						 TICK_MS);
}

/*
 * True where the function took too long.  A cancel of ours that has not been
 * heard goes with it; one of somebody else's at the same moment, too.
 */
static bool
stop_stopwatch(void)
{
	disable_timeout(stopwatch, false);
	if (cancels > 0)
		QueryCancelPending = false;
	return cancels > 0;
}

/* Finds the function; raises where it cannot be called. */
static Oid
find_function(const char *name, const Oid *argtypes)
{
	Oid			function = LookupFuncName(mf_compat_name_list(name), ARGUMENTS,
										  argtypes, true);

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
	return function;
}

/* Calls a function as its owner, reading only; its result, or NULL. */
static Jsonb *
call_function(Oid function, const char *name, const Datum *arguments)
{
	LOCAL_FCINFO(call, ARGUMENTS);
	FmgrInfo	info;
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Form_pg_proc form;
	Oid			owner;
	Oid			caller;
	int			caller_context;
	bool		may_write = !XactReadOnly;
	bool		watched;
	int			settings;
	Datum		result;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	form = (Form_pg_proc) GETSTRUCT(tuple);
	owner = form->proowner;

	/* What is written in C is trusted, and quick. */
	watched = form->prolang != ClanguageId && form->prolang != INTERNALlanguageId;
	called = ((uint64) function << 32) + HeapTupleHeaderGetRawXmin(tuple->t_data);
	ReleaseSysCache(tuple);
	if (watched)
		refuse_stubborn(name);

	fmgr_info(function, &info);
	InitFunctionCallInfoData(*call, &info, ARGUMENTS, InvalidOid, NULL, NULL);
	for (int i = 0; i < ARGUMENTS; i++)
	{
		call->args[i].value = arguments[i];
		call->args[i].isnull = false;
	}

	/*
	 * Settings that it makes end with it: this may be a worker's session.
	 * Where it raises, the end of the subtransaction restores all of this.
	 */
	settings = NewGUCNestLevel();
	GetUserIdAndSecContext(&caller, &caller_context);
	SetUserIdAndSecContext(owner, caller_context | SECURITY_RESTRICTED_OPERATION);
	XactReadOnly = true;
	if (watched)
		start_stopwatch();
	result = FunctionCallInvoke(call);
	if (watched && stop_stopwatch())
		ereport(ERROR,
				(errcode(ERRCODE_QUERY_CANCELED),
				 errmsg("pricing function took too long")));
	AtEOXact_GUC(false, settings);
	if (may_write)
		XactReadOnly = false;
	SetUserIdAndSecContext(caller, caller_context);
	return call->isnull ? NULL : DatumGetJsonbP(result);
}

/* The function's lines, summed up. */
static void
call_and_sum_up(const MfPriceRequest *request, const char *name, MfPrice *price)
{
	const Datum arguments[ARGUMENTS] = {
		HeapTupleHeaderGetDatum(request->facts), request->material_row,
		request->process_row, Int32GetDatum(request->quantity),
		request->options_json, request->rates_json
	};
	const Oid	argtypes[ARGUMENTS] = {
		HeapTupleHeaderGetTypeId(request->facts), request->material.desc->tdtypeid,
		request->process.desc->tdtypeid, INT4OID, JSONBOID, JSONBOID
	};
	Jsonb	   *lines = call_function(find_function(name, argtypes), name, arguments);

	if (lines == NULL)
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("pricing function \"%s\" returned NULL", name),
				 errdetail("A price needs at least one breakdown line."),
				 errhint("Return a jsonb array of breakdown lines.")));
	mf_sum_up(request, lines, price);
}

/*
 * Is this error about the transaction, or from somebody who cancelled it,
 * rather than the function's own?  What a function raises by itself, under
 * whatever code, comes from its language.
 */
static bool
is_not_the_functions(const ErrorData *error)
{
	if (error->funcname != NULL && strstr(error->funcname, "Interrupt") != NULL)
		return cancels == 0;
	return ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_TRANSACTION_ROLLBACK &&
		(error->funcname == NULL || strcmp(error->funcname, "exec_stmt_raise") != 0);
}

/* Details stay here: a customer reads the quote's error. */
static void
explain(const MfPriceRequest *request, const char *name, const ErrorData *error,
		MfPrice *price)
{
	const char *code = error->sqlerrcode == MF_ERRCODE_NOT_FOUND ? "no_rate" :
	"pricing_failed";
	char	   *where = psprintf("Price list \"%s\", process \"%s\", material \"%s\"",
								 mf_row_text(&request->list, "code"),
								 mf_row_text(&request->process, "code"),
								 mf_row_text(&request->material, "code"));

	if (cancels > 0)
		mf_price_refuse(price, "failed", code,
						"%s: pricing function \"%s\" took longer than %d ms of processor time, or %d ms of time.",
						where, name, (int) cpu_limit_ms, (int) cpu_limit_ms * WALL_FACTOR);
	else
		mf_price_refuse(price, "failed", code, "%s: %s", where, error->message);
}

/*
 * Fills in the price that the process's pricing function makes; false where
 * it failed, and the price says why.
 */
bool
mf_call_pricing(const MfPriceRequest *request, MfPrice *price)
{
	char	   *name = mf_row_text(&request->process, "pricing_function");
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	MfPrice		priced = *price;
	volatile bool failed = false;

	if (calling)
		ereport(ERROR,
				(errcode(MF_ERRCODE_NOT_ALLOWED),
				 errmsg("a pricing function cannot ask for a price"),
				 errdetail("Function \"%s\" would be called inside of another.", name),
				 errhint("Make the lines from the measurement, or call mesflow.price_additive.")));
	cancels = 0;
	BeginInternalSubTransaction(NULL);
	calling = true;
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		call_and_sum_up(request, name, &priced);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		if (stopwatch_known)
			(void) stop_stopwatch();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		calling = false;
		if (is_not_the_functions(error))
			ReThrowError(error);
		explain(request, name, error, price);
		FreeErrorData(error);
		failed = true;
	}
	PG_END_TRY();
	calling = false;
	if (!failed)
		*price = priced;
	return !failed;
}
