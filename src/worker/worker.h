/*
 * worker.h
 *		Background workers: the launcher, the common frame of all others,
 *		waiting, waking.  The public header of this folder, beside
 *		supervise.h; README.md has the states.
 */
#ifndef MF_WORKER_H
#define MF_WORKER_H

#include "compat.h"
#include "shmem.h"

/*
 * One row per kind of worker.  The launcher is one too, for the sake of its
 * slot; it has no entry point here because the postmaster starts it.
 */
typedef struct MfWorkerType
{
	const char *name;			/* in SQL: "pricing" */
	const char *title;			/* bgw_type, application name */
	const char *entry;			/* C function; NULL: not started by us */
	bool		one_shot;		/* ends when its work is done */
} MfWorkerType;

extern const MfWorkerType mf_worker_types[MF_WORKER_KINDS];

/* The kind called `name`, or -1. */
extern int	mf_worker_kind_by_name(const char *name);

/* Registers the launcher with the postmaster; called from _PG_init. */
extern void mf_launcher_register(void);
extern PGDLLEXPORT void mf_launcher_main(Datum arg);

/* Installs the callback at commit; called once per process, from _PG_init. */
extern void mf_wakeup_init(void);

/* At commit of the current transaction: wake the worker of this kind. */
extern void mf_wakeup_at_commit(MfWorkerKind kind);

/*
 * What a kind of worker does.  start() runs once, after the worker has
 * connected and found the extension.  turn() is called over and over with a
 * memory context of its own, reset each time; it returns how long there is
 * nothing to do, in milliseconds, unless something happens before that.
 * Neither has a transaction; they use mf_worker_try.
 */
typedef struct MfWorkerLife
{
	void		(*start) (void);
	long		(*turn) (void);
} MfWorkerLife;

extern PGDLLEXPORT void mf_housekeeping_main(Datum arg);

MF_NORETURN extern void mf_worker_main(MfWorkerKind kind,
									   const MfWorkerLife *life);

/* How mf_worker_try went. */
typedef enum MfTry
{
	MF_TRY_DONE,
	MF_TRY_LATER,				/* the extension is being changed */
	MF_TRY_FAILED				/* logged; mf_worker_failure() has it */
} MfTry;

typedef struct MfFailure
{
	int			sqlstate;
	char		message[MF_SLOT_TEXT_MAX];
} MfFailure;

/*
 * Runs work(arg) in a short transaction of its own with a snapshot and SPI,
 * under a share lock on the extension.  An error ends that transaction, not
 * the worker: it is logged and kept.  A query cancel and running out of
 * memory are thrown on.  Leaves the process where the extension is gone.
 * `unit` names the work in error messages and must live as long.
 */
extern MfTry mf_worker_try(const char *unit, void (*work) (void *), void *arg);
extern const MfFailure *mf_worker_failure(void);

/* Was this worker's doorbell rung, or the configuration read again? */
extern bool mf_worker_was_woken(void);
extern bool mf_worker_was_reloaded(void);

/*
 * Ends a worker of a kind that is one shot, in peace: the launcher starts it
 * again after this pause, or when the launcher is rung.
 */
MF_NORETURN extern void mf_worker_leave(MfWorkerState end, const char *why,
										int pause_ms);

/* Handles interrupts; for loops that may take longer than 100 ms. */
extern void mf_worker_check(void);

/*
 * What worker_status shows.  Cheap where nothing changed.  The second keeps a
 * text as the last error.
 */
extern void mf_worker_set_state(MfWorkerState state, const char *current);
extern void mf_worker_set_error(const char *text);

/* Milliseconds on a clock that never jumps. */
extern int64 mf_wait_now(void);

/*
 * 1 s, 2 s, 4 s ... 60 s: how long to leave something alone that failed so
 * many times in a row, in milliseconds.
 */
extern int	mf_worker_backoff(int failures);

/* What server_state shows about programs and copies. */
extern void mf_status_set_program(const char *version, bool sandbox);
extern void mf_status_set_fenced(bool fenced);

/*
 * The same of mesflow-sender: its version (NULL: as it was) and why it does
 * not work (NULL: it does).  Cheap where nothing changed.
 */
extern void mf_status_set_sender(const char *version, const char *trouble);

#endif							/* MF_WORKER_H */
