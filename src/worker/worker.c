/*
 * worker.c
 *		The common frame of every worker that serves the database.
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "catalog/pg_extension.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "launch.h"
#include "libpq/pqsignal.h"
#include "mb/pg_wchar.h"
#include "mesflow.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "slot.h"
#include "storage/ipc.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "worker.h"

/*
 * The class of our locks in the space of advisory locks (field 4 of the
 * tag), where core uses 1 and 2.
 */
#define MF_LOCK_CLASS		0x4D46

/* How long a database without mesflow is left alone unless we are woken. */
#define MF_ABSENT_MS		60000

static MfWorkerKind my_kind;
static char my_database[NAMEDATALEN];
static Oid	my_extension = InvalidOid;
static const char *my_unit = NULL;
static MemoryContext turn_context;
static bool woken = true;
static MfFailure failure;

/* Adds to every message of this process who it is and what it was doing. */
static void
add_context(void *arg)
{
	if (my_unit != NULL)
		errcontext("%s worker, database \"%s\", while %s",
				   mf_worker_types[my_kind].name, my_database, my_unit);
	else
		errcontext("%s worker, database \"%s\"",
				   mf_worker_types[my_kind].name, my_database);
}

/*
 * Starts and orderly ends of a worker are news, but not those of one that
 * comes and goes every minute.
 */
static int
news_level(void)
{
	return mf_worker_types[my_kind].one_shot ? DEBUG1 : LOG;
}

/* Leaves for a reason that is no failure: exit status 0. */
void
mf_worker_leave(MfWorkerState end, const char *why, int pause_ms)
{
	ereport(news_level(),
			(errhidecontext(true),
			 errmsg("%s worker stops: %s", mf_worker_types[my_kind].title,
					why)));
	mf_slot_leave(end, why, pause_ms);
	proc_exit(0);
}

void
mf_worker_signals(void)
{
	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();
}

/*
 * A worker must not depend on what ALTER DATABASE or ALTER ROLE set for
 * people: names resolve in pg_catalog only, nothing times out, transactions
 * write and see what others committed.  synchronous_commit is left alone;
 * that is the administrator's choice.
 */
static void
set_environment(void)
{
	static const char *const timeouts[] = {MF_TIMEOUT_SETTINGS};
	static const char *const fixed[][2] = {
		{"search_path", ""},
		{"default_transaction_isolation", "read committed"},
		{"default_transaction_read_only", "off"},
		{"session_replication_role", "origin"},
		{"row_security", "on"},
		{"jit", "off"}
	};

	for (int i = 0; i < (int) lengthof(timeouts); i++)
		SetConfigOption(timeouts[i], "0", PGC_SUSET, PGC_S_OVERRIDE);
	for (int i = 0; i < (int) lengthof(fixed); i++)
		SetConfigOption(fixed[i][0], fixed[i][1], PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("application_name", mf_worker_types[my_kind].title,
					PGC_USERSET, PGC_S_OVERRIDE);
}

typedef enum MfExtension
{
	MF_EXTENSION_PRESENT,
	MF_EXTENSION_CHANGING,
	MF_EXTENSION_ABSENT,
	MF_EXTENSION_OTHER			/* dropped and made again */
} MfExtension;

/*
 * Looks for the extension and locks it against DROP until the transaction
 * ends.  It is the first lock of each transaction, as it is of a DROP, so the
 * two cannot deadlock; and it is not waited for, so a DROP that somebody left
 * open holds up nothing but our work.
 */
static MfExtension
lock_extension(void)
{
	Oid			found = get_extension_oid(MF_EXTENSION, true);
	LOCKTAG		tag;

	if (!OidIsValid(found))
		return MF_EXTENSION_ABSENT;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, ExtensionRelationId, found, 0);
	if (LockAcquire(&tag, AccessShareLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
		return MF_EXTENSION_CHANGING;

	/* It may have gone between the look and the lock. */
	AcceptInvalidationMessages();
	if (get_extension_oid(MF_EXTENSION, true) != found)
		return MF_EXTENSION_CHANGING;

	if (!OidIsValid(my_extension))
		my_extension = found;
	return found == my_extension ? MF_EXTENSION_PRESENT : MF_EXTENSION_OTHER;
}

/* False where the extension is being changed: try again later. */
static bool
begin(void)
{
	MfExtension extension;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	extension = lock_extension();
	if (extension == MF_EXTENSION_PRESENT)
	{
		SPI_connect();
		PushActiveSnapshot(GetTransactionSnapshot());
		pgstat_report_activity(STATE_RUNNING, my_unit);
		return true;
	}

	AbortCurrentTransaction();
	MemoryContextSwitchTo(turn_context);
	if (extension == MF_EXTENSION_ABSENT)
		mf_worker_leave(MF_STATE_ABSENT,
						"the database has no extension mesflow", MF_ABSENT_MS);
	if (extension == MF_EXTENSION_OTHER)
		mf_worker_leave(MF_STATE_STARTING, "the extension was created anew", 0);
	return false;
}

/* After a commit the current context differs between majors: set it. */
static void
commit(void)
{
	PopActiveSnapshot();
	SPI_finish();
	CommitTransactionCommand();
	MemoryContextSwitchTo(turn_context);
	pgstat_report_stat(false);
	pgstat_report_activity(STATE_IDLE, NULL);
}

/*
 * Called in a PG_CATCH: keeps what the error says for worker_status, unless
 * it is one that this process should not survive.
 */
static bool
survive_error(void)
{
	ErrorData  *error;
	const char *message;

	MemoryContextSwitchTo(turn_context);
	error = CopyErrorData();
	message = error->message ? error->message : "";
	failure.sqlstate = error->sqlerrcode;
	strlcpy(failure.message, message,
			pg_mbcliplen(message, strlen(message),
						 sizeof(failure.message) - 1) + 1);
	mf_slot_set_error(failure.message);
	FreeErrorData(error);

	return failure.sqlstate != ERRCODE_QUERY_CANCELED &&
		failure.sqlstate != ERRCODE_OUT_OF_MEMORY;
}

MfTry
mf_worker_try(const char *unit, void (*work) (void *), void *arg)
{
	volatile MfTry outcome = MF_TRY_LATER;

	my_unit = unit;
	PG_TRY();
	{
		if (begin())
		{
			work(arg);
			commit();
			outcome = MF_TRY_DONE;
		}
	}
	PG_CATCH();
	{
		if (!survive_error())
			PG_RE_THROW();

		/* As core's own workers do; nothing may interrupt it half-way. */
		HOLD_INTERRUPTS();
		EmitErrorReport();
		AbortOutOfAnyTransaction();
		FlushErrorState();
		MemoryContextSwitchTo(turn_context);
		pgstat_report_activity(STATE_IDLE, NULL);
		RESUME_INTERRUPTS();
		outcome = MF_TRY_FAILED;
	}
	PG_END_TRY();
	my_unit = NULL;

	return outcome;
}

const MfFailure *
mf_worker_failure(void)
{
	return &failure;
}

bool
mf_worker_was_woken(void)
{
	bool		was = woken;

	woken = false;
	return was;
}

/*
 * The first transaction: the name for messages, and the lock that makes sure
 * of one worker of a kind per database whatever the slots say.
 */
static void
settle(void)
{
	LOCKTAG		tag;
	char	   *name;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	name = get_database_name(MyDatabaseId);
	if (name != NULL)
		strlcpy(my_database, name, sizeof(my_database));

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) my_kind, 0, MF_LOCK_CLASS);
	if (LockAcquire(&tag, ExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("another %s worker serves database \"%s\"",
						mf_worker_types[my_kind].name, my_database)));
	CommitTransactionCommand();
	MemoryContextSwitchTo(turn_context);
}

static void
check_extension(void *arg)
{
}

void
mf_worker_main(MfWorkerKind kind, const MfWorkerLife *life)
{
	MfWorkerArgs args;
	ErrorContextCallback context;

	my_kind = kind;
	memcpy(&args, MyBgworkerEntry->bgw_extra, sizeof(args));

	mf_worker_signals();

	if (!mf_slot_attach(kind, args.generation))
	{
		ereport(LOG,
				(errmsg("%s worker stops: the launcher has given up waiting for it",
						mf_worker_types[kind].title)));
		proc_exit(0);
	}

	BackgroundWorkerInitializeConnectionByOid(args.database, InvalidOid, 0);
	set_environment();
	turn_context = AllocSetContextCreate(TopMemoryContext, "mesflow turn",
										 ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(turn_context);

	context.callback = add_context;
	context.arg = NULL;
	context.previous = error_context_stack;
	error_context_stack = &context;

	PG_TRY();
	{
		settle();

		/* While somebody changes the extension, we can only wait. */
		while (mf_worker_try("looking for the extension", check_extension,
							 NULL) != MF_TRY_DONE)
			mf_wait(1000);

		ereport(news_level(),
				(errhidecontext(true),
				 errmsg("%s worker serves database \"%s\"",
						mf_worker_types[kind].title, my_database)));
		mf_slot_set_state(MF_STATE_IDLE, "");
		life->start();

		for (;;)
		{
			long		timeout;

			MemoryContextReset(turn_context);
			timeout = life->turn();
			mf_wait(timeout);
			if (mf_doorbell_heard(kind))
				woken = true;
		}
	}
	PG_CATCH();
	{
		/* What ends this life is what the next one's owner wants to know. */
		(void) survive_error();
		PG_RE_THROW();
	}
	PG_END_TRY();
}
