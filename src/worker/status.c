/*
 * status.c
 *		What SQL can see of the workers, and ask of them.
 */
#include "postgres.h"

#include <unistd.h>

#include "access/htup_details.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "commands/dbcommands.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "frame/measurement.h"
#include "funcapi.h"
#include "guc.h"
#include "mesflow.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "slot.h"
#include "supervise.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "wakeup.h"
#include "worker.h"

/* A session that waits for news looks again after this long at the latest. */
#define MF_LONGEST_NAP_MS	1000

PG_FUNCTION_INFO_V1(mesflow_announce);
PG_FUNCTION_INFO_V1(mesflow_await_event);
PG_FUNCTION_INFO_V1(mesflow_engine_version);
PG_FUNCTION_INFO_V1(mesflow_library_version);
PG_FUNCTION_INFO_V1(mesflow_own_write);
PG_FUNCTION_INFO_V1(mesflow_server_state);
PG_FUNCTION_INFO_V1(mesflow_system_identifier);
PG_FUNCTION_INFO_V1(mesflow_wake);
PG_FUNCTION_INFO_V1(mesflow_wake_trigger);
PG_FUNCTION_INFO_V1(mesflow_worker_status);

void
mf_status_set_program(const char *version, bool sandbox)
{
	LWLockAcquire(mf_shared->lock, LW_EXCLUSIVE);
	strlcpy(mf_shared->program_version, version,
			sizeof(mf_shared->program_version));
	mf_shared->sandbox = sandbox ? MF_SANDBOX_STATE_AVAILABLE :
		MF_SANDBOX_STATE_MISSING;
	LWLockRelease(mf_shared->lock);
}

void
mf_status_set_sender(const char *version, const char *trouble)
{
	MfShared   *shared = mf_shared;

	if (version == NULL)
		version = shared->sender_version;
	if (trouble == NULL)
		trouble = "";

	/* Only the delivery worker writes them. */
	if (strcmp(shared->sender_version, version) == 0 &&
		strcmp(shared->sender_trouble, trouble) == 0)
		return;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	if (version != shared->sender_version)
		strlcpy(shared->sender_version, version, sizeof(shared->sender_version));
	strlcpy(shared->sender_trouble, trouble, sizeof(shared->sender_trouble));
	LWLockRelease(shared->lock);
}

void
mf_status_set_fenced(bool fenced)
{
	LWLockAcquire(mf_shared->lock, LW_EXCLUSIVE);
	mf_shared->fenced = fenced;
	LWLockRelease(mf_shared->lock);
}

/* _worker_status(): one row per kind of worker. */
Datum
mesflow_worker_status(PG_FUNCTION_ARGS)
{
	enum
	{
		KIND, PID, STATE, SINCE, CURRENT, RESTARTS, LAST_ERROR, LAST_ERROR_AT,
		COLUMNS
	};
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	mf_shmem_require();
	InitMaterializedSRF(fcinfo, 0);
	if (result->setDesc->natts != COLUMNS)
		elog(ERROR, "_worker_status has %d columns, not %d",
			 result->setDesc->natts, COLUMNS);

	for (int kind = 0; kind < MF_WORKER_KINDS; kind++)
	{
		MfSlot		slot;
		Datum		values[COLUMNS] = {0};
		bool		nulls[COLUMNS] = {0};

		mf_slot_read(kind, &slot);
		values[KIND] = CStringGetTextDatum(mf_worker_types[kind].name);
		values[PID] = Int32GetDatum((int32) slot.pid);
		nulls[PID] = slot.pid == 0;
		values[STATE] = CStringGetTextDatum(mf_slot_state_name(slot.state));
		values[SINCE] = TimestampTzGetDatum(slot.since);
		nulls[SINCE] = slot.since == 0;
		if (slot.current[0] != '\0')
			values[CURRENT] = CStringGetTextDatum(slot.current);
		else if (slot.state == MF_STATE_OFF && RecoveryInProgress())
			values[CURRENT] = CStringGetTextDatum("this server is a standby");
		else
			nulls[CURRENT] = true;
		values[RESTARTS] = Int32GetDatum(Max(slot.starts - 1, 0));
		if (slot.last_error[0] != '\0')
		{
			values[LAST_ERROR] = CStringGetTextDatum(slot.last_error);
			values[LAST_ERROR_AT] = TimestampTzGetDatum(slot.last_error_at);
		}
		else
			nulls[LAST_ERROR] = nulls[LAST_ERROR_AT] = true;
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

static const char *
sandbox_name(MfSandboxState state)
{
	if (mf_guc_sandbox == MF_SANDBOX_OFF)
		return "off";
	switch (state)
	{
		case MF_SANDBOX_STATE_UNKNOWN:
			return "unknown";
		case MF_SANDBOX_STATE_AVAILABLE:
			return "available";
		case MF_SANDBOX_STATE_MISSING:
			return "missing";
	}
	return "unknown";
}

/*
 * _server_state(): facts for health() and version().  Where the library is
 * not preloaded, the first column says so and the others are null.
 */
Datum
mesflow_server_state(PG_FUNCTION_ARGS)
{
	enum
	{
		PRELOADED, SERVED_DATABASE, SERVES_THIS, FENCED, PROGRAM_PATH,
		PROGRAM_FOUND, PROGRAM_VERSION, SENDER_PATH, SENDER_FOUND,
		SENDER_VERSION, SENDER_TROUBLE, SANDBOX, MAX_WORKER_PROCESSES,
		COLUMNS
	};
	TupleDesc	row;
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS];

	if (get_call_result_type(fcinfo, NULL, &row) != TYPEFUNC_COMPOSITE ||
		row->natts != COLUMNS)
		elog(ERROR, "_server_state must return a row of %d columns", COLUMNS);

	memset(nulls, true, sizeof(nulls));
	nulls[PRELOADED] = false;
	values[PRELOADED] = BoolGetDatum(mf_shared != NULL);
	if (mf_shared != NULL)
	{
		const char *here = get_database_name(MyDatabaseId);
		const char *path;
		char		version[sizeof(mf_shared->program_version)];
		char		sender_version[sizeof(mf_shared->sender_version)];
		char		trouble[sizeof(mf_shared->sender_trouble)];
		MfSandboxState sandbox;
		bool		fenced;

		LWLockAcquire(mf_shared->lock, LW_SHARED);
		memcpy(version, mf_shared->program_version, sizeof(version));
		memcpy(sender_version, mf_shared->sender_version, sizeof(sender_version));
		memcpy(trouble, mf_shared->sender_trouble, sizeof(trouble));
		sandbox = mf_shared->sandbox;
		fenced = mf_shared->fenced;
		LWLockRelease(mf_shared->lock);

		memset(nulls, false, sizeof(nulls));
		values[SERVED_DATABASE] = CStringGetTextDatum(mf_guc_database);
		nulls[SERVED_DATABASE] = mf_guc_database[0] == '\0';
		values[SERVES_THIS] = BoolGetDatum(here != NULL &&
										   strcmp(here, mf_guc_database) == 0);
		values[FENCED] = BoolGetDatum(fenced);
		path = mf_program_path("mesflow-geometry");
		values[PROGRAM_PATH] = CStringGetTextDatum(path);
		values[PROGRAM_FOUND] = BoolGetDatum(access(path, X_OK) == 0);
		values[PROGRAM_VERSION] = CStringGetTextDatum(version);
		nulls[PROGRAM_VERSION] = version[0] == '\0';
		path = mf_program_path("mesflow-sender");
		values[SENDER_PATH] = CStringGetTextDatum(path);
		values[SENDER_FOUND] = BoolGetDatum(access(path, X_OK) == 0);
		values[SENDER_VERSION] = CStringGetTextDatum(sender_version);
		nulls[SENDER_VERSION] = sender_version[0] == '\0';
		values[SENDER_TROUBLE] = CStringGetTextDatum(trouble);
		nulls[SENDER_TROUBLE] = trouble[0] == '\0';
		values[SANDBOX] = CStringGetTextDatum(sandbox_name(sandbox));
		values[MAX_WORKER_PROCESSES] = Int32GetDatum(max_worker_processes);
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(row),
													  values, nulls)));
}

/* The kind of worker that SQL names; ERROR MF400 where there is none. */
static MfWorkerKind
kind_argument(const char *name)
{
	int			kind = mf_worker_kind_by_name(name);

	if (kind < 0)
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("there is no worker of kind \"%s\"", name),
				 errdetail("The argument is \"%s\".", name),
				 errhint("See column kind of mesflow.worker_status.")));
	return (MfWorkerKind) kind;
}

/* _wake(kind): wakes that worker when the transaction commits. */
Datum
mesflow_wake(PG_FUNCTION_ARGS)
{
	mf_wakeup_at_commit(kind_argument(text_to_cstring(PG_GETARG_TEXT_PP(0))));
	PG_RETURN_VOID();
}

/* _wake_trigger(kind): the same, for a statement on a table. */
Datum
mesflow_wake_trigger(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("_wake_trigger was not called as a trigger")));
	if (!TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event) ||
		trigger->tg_trigger->tgnargs != 1)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("_wake_trigger is for statements and takes one argument"),
				 errdetail("Trigger \"%s\" is defined otherwise.",
						   trigger->tg_trigger->tgname)));

	mf_wakeup_at_commit(kind_argument(trigger->tg_trigger->tgargs[0]));
	return PointerGetDatum(NULL);
}

/* _announce(): sessions that wait for news look again at commit. */
Datum
mesflow_announce(PG_FUNCTION_ARGS)
{
	mf_wakeup_announce_at_commit();
	PG_RETURN_VOID();
}

/*
 * _await_event(seen, timeout_ms): the number of announcements so far.  Where
 * the caller has seen that many already, sleeps until there is another, the
 * time is up or a second has gone, whichever is first: what changes without
 * an announcement (a prepared transaction) is thus found by looking again.
 */
Datum
mesflow_await_event(PG_FUNCTION_ARGS)
{
	static uint32 wait_event = 0;
	MfShared   *shared = mf_shmem_require();
	uint64		count = pg_atomic_read_u64(&shared->announcements);
	int64		until;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_INT64((int64) count);

	until = mf_wait_now() + Min(PG_GETARG_INT32(1), MF_LONGEST_NAP_MS);
	ConditionVariablePrepareToSleep(&shared->announced);
	for (;;)
	{
		int64		left = until - mf_wait_now();

		count = pg_atomic_read_u64(&shared->announcements);
		if ((int64) count != PG_GETARG_INT64(0) || left <= 0)
			break;
		if (ConditionVariableTimedSleep(&shared->announced, (long) left,
										mf_compat_wait_event(&wait_event,
															 "MesflowEvent")))
			break;
	}
	ConditionVariableCancelSleep();
	PG_RETURN_INT64((int64) pg_atomic_read_u64(&shared->announcements));
}

/* _own_write(xid): was this written by the calling transaction? */
Datum
mesflow_own_write(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(TransactionIdIsCurrentTransactionId(PG_GETARG_TRANSACTIONID(0)));
}

Datum
mesflow_library_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(MF_VERSION));
}

Datum
mesflow_engine_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(MF_ENGINE_VERSION);
}

/* As in the control file; bigint has the same 64 bits with a sign. */
Datum
mesflow_system_identifier(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64((int64) GetSystemIdentifier());
}
