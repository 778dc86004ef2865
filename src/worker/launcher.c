/*
 * launcher.c
 *		The one static worker: starts, watches and restarts all others.
 *
 * It is connected to no database, so it holds up no command on one.  Once a
 * second it looks up the database that is to be served and compares what
 * runs with what should.  Workers never restart themselves: a worker that
 * ended, for whatever reason, is started by a later turn, not before its slot
 * allows it.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "guc.h"
#include "launch.h"
#include "mesflow.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "slot.h"
#include "storage/ipc.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "worker.h"

#define MF_LAUNCHER_RESTART_S	5
#define MF_LAUNCHER_TURN_MS		1000

/* A worker that has not shown up after this long never will. */
#define MF_ATTACH_MS			30000

const MfWorkerType mf_worker_types[MF_WORKER_KINDS] = {
	[MF_WORKER_LAUNCHER] = {"launcher", "mesflow launcher", NULL, false},
	[MF_WORKER_PRICING] = {"pricing", "mesflow pricing", "mf_pricing_main", false},
	[MF_WORKER_DELIVERY] = {"delivery", "mesflow delivery", "mf_delivery_main", false},
	[MF_WORKER_HOUSEKEEPING] = {"housekeeping", "mesflow housekeeping",
	"mf_housekeeping_main", true}
};

/* Registrations that failed in a row, for one warning per kind and episode. */
static bool warned[MF_WORKER_KINDS];

int
mf_worker_kind_by_name(const char *name)
{
	for (int kind = 0; kind < MF_WORKER_KINDS; kind++)
	{
		if (strcmp(mf_worker_types[kind].name, name) == 0)
			return kind;
	}
	return -1;
}

/* The parts of a registration that all workers share. */
static void
fill_registration(BackgroundWorker *worker, MfWorkerKind kind)
{
	memset(worker, 0, sizeof(*worker));
	strlcpy(worker->bgw_name, mf_worker_types[kind].title, BGW_MAXLEN);
	strlcpy(worker->bgw_type, mf_worker_types[kind].title, BGW_MAXLEN);
	worker->bgw_flags = BGWORKER_SHMEM_ACCESS |
		BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker->bgw_start_time = BgWorkerStart_RecoveryFinished;
	strlcpy(worker->bgw_library_name, MF_EXTENSION, BGW_MAXLEN);
}

void
mf_launcher_register(void)
{
	BackgroundWorker worker;

	fill_registration(&worker, MF_WORKER_LAUNCHER);
	worker.bgw_restart_time = MF_LAUNCHER_RESTART_S;
	strlcpy(worker.bgw_function_name, "mf_launcher_main", BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}

/*
 * The OID of the database to serve; InvalidOid where there is none, and then
 * `why` says so.  A scan, because a process without a database has no
 * catalog indexes; as core's launchers do.
 */
static Oid
find_database(const char **why)
{
	Relation	relation;
	TableScanDesc scan;
	HeapTuple	tuple;
	Oid			found = InvalidOid;

	if (mf_guc_database == NULL || mf_guc_database[0] == '\0')
	{
		*why = "mesflow.database is not set";
		return InvalidOid;
	}

	*why = "the database in mesflow.database does not exist";
	StartTransactionCommand();
	(void) GetTransactionSnapshot();

	relation = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(relation, 0, NULL);
	while (HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection)))
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);

		if (strcmp(NameStr(form->datname), mf_guc_database) != 0)
			continue;
		if (!form->datallowconn)
			*why = "the database does not allow connections";
		else if (form->datconnlimit == DATCONNLIMIT_INVALID_DB)
			*why = "the database is not valid";
		else
			found = form->oid;
		break;
	}
	table_endscan(scan);
	table_close(relation, AccessShareLock);
	CommitTransactionCommand();
	return found;
}

/* Asks the postmaster for a worker; false where it has no room. */
static void
start(MfWorkerKind kind, Oid database)
{
	BackgroundWorker worker;
	MfWorkerArgs args;

	args.database = database;
	args.generation = mf_slot_reserve(kind, database);

	fill_registration(&worker, kind);
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker.bgw_function_name, mf_worker_types[kind].entry, BGW_MAXLEN);
	memcpy(worker.bgw_extra, &args, sizeof(args));

	/*
	 * No handle: the slot says when the worker runs, and when it has ended,
	 * also to a launcher that comes after this one.
	 */
	if (RegisterDynamicBackgroundWorker(&worker, NULL))
	{
		warned[kind] = false;
		return;
	}

	mf_slot_give_back(kind, args.generation,
					  "no free background worker slot, see max_worker_processes");
	if (!warned[kind])
		ereport(WARNING,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("could not start the %s worker: no free background worker slot",
						mf_worker_types[kind].title),
				 errdetail("max_worker_processes is %d.", max_worker_processes),
				 errhint("Raise max_worker_processes and restart the server. The launcher keeps trying.")));
	warned[kind] = true;
}

/* Brings one kind of worker to where it should be; README.md has the table. */
static void
tend(MfWorkerKind kind, Oid database, const char *why)
{
	MfSlot		slot;
	TimestampTz now = GetCurrentTimestamp();

	mf_slot_read(kind, &slot);

	if (slot.in_use && slot.pid != 0)
	{
		if (slot.database == database)
			return;
		if (!slot.stopping)
			ereport(LOG,
					(errmsg("stopping the %s worker (PID %d): %s",
							mf_worker_types[kind].title, (int) slot.pid,
							OidIsValid(database) ?
							"another database is served now" : why)));
		mf_slot_stop(kind);
		return;
	}

	if (slot.in_use)
	{
		if (TimestampDifferenceExceeds(slot.started_at, now, MF_ATTACH_MS))
			mf_slot_give_back(kind, slot.generation,
							  "the worker did not start in time");
		return;
	}

	if (!OidIsValid(database))
	{
		if (slot.state != MF_STATE_OFF || strcmp(slot.current, why) != 0)
			mf_slot_set_off(kind, why);
		return;
	}

	if (now >= slot.not_before)
		start(kind, database);
}

/* How long until a slot that waits may be started, at most one turn. */
static long
next_turn(void)
{
	long		timeout = MF_LAUNCHER_TURN_MS;
	TimestampTz now = GetCurrentTimestamp();

	for (int kind = 0; kind < MF_WORKER_KINDS; kind++)
	{
		MfSlot		slot;

		mf_slot_read(kind, &slot);
		if (mf_worker_types[kind].entry != NULL && !slot.in_use &&
			slot.not_before > now)
			timeout = Min(timeout,
						  TimestampDifferenceMilliseconds(now,
														  slot.not_before));
	}
	return timeout;
}

void
mf_launcher_main(Datum arg)
{
	MemoryContext turn_context;

	mf_worker_signals();
	if (!mf_slot_attach(MF_WORKER_LAUNCHER,
						mf_slot_reserve(MF_WORKER_LAUNCHER, InvalidOid)))
		elog(ERROR, "the launcher's slot is in use");

	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	SetConfigOption("application_name",
					mf_worker_types[MF_WORKER_LAUNCHER].title,
					PGC_USERSET, PGC_S_OVERRIDE);
	turn_context = AllocSetContextCreate(TopMemoryContext, "mesflow turn",
										 ALLOCSET_DEFAULT_SIZES);
	ereport(LOG,
			(errmsg("mesflow %s launcher started", MF_VERSION)));

	for (;;)
	{
		Oid			database;
		const char *why;
		bool		rung;

		MemoryContextSwitchTo(turn_context);
		MemoryContextReset(turn_context);

		rung = mf_doorbell_heard(MF_WORKER_LAUNCHER);
		database = find_database(&why);
		MemoryContextSwitchTo(turn_context);
		pgstat_report_activity(STATE_IDLE, NULL);

		for (int kind = 0; kind < MF_WORKER_KINDS; kind++)
		{
			if (mf_worker_types[kind].entry == NULL)
				continue;
			if (rung)
				mf_slot_hurry(kind);
			tend(kind, database, why);
		}

		if (OidIsValid(database))
			mf_slot_set_state(MF_STATE_BUSY, mf_guc_database);
		else
			mf_slot_set_state(MF_STATE_IDLE, why);
		mf_wait(next_turn());
	}
}
