/*
 * pricing.h
 *		The pricing worker: claims jobs, feeds mesflow-geometry, records what
 *		it measured.  Private to this folder, but for the entry point.
 */
#ifndef MF_PRICING_H
#define MF_PRICING_H

#include "frame/frame.h"
#include "guc.h"
#include "worker/supervise.h"
#include "worker/worker.h"

extern PGDLLEXPORT void mf_pricing_main(Datum arg);

/* A job as claim_jobs hands it out. */
typedef struct MfClaim
{
	int64		job;
	int64		token;
	char		name[64];		/* the end of the file's name */
	MfUnit		unit;
	uint64		size;			/* bytes */
	uint64		memory_limit;	/* bytes */
	uint64		max_triangles;
	uint32		cpu_seconds;
	bool		alone;			/* no other job beside it */
	int64		deadline_ms;	/* from the claim */
} MfClaim;

/* The job of a slot. */
typedef enum MfJobPhase
{
	MF_JOB_NONE,
	MF_JOB_FEEDING,				/* its bytes are being copied */
	MF_JOB_WAITING,				/* complete, for a program that is ready */
	MF_JOB_RUNNING,
	MF_JOB_MEASURED,			/* to be recorded: `result` */
	MF_JOB_REFUSED,				/* to be recorded: `refusal` */
	MF_JOB_RELEASED				/* to be given back: our trouble, not its */
} MfJobPhase;

/*
 * A pricing slot: one program, used for one job, and one job.  Times are
 * those of mf_wait_now, in milliseconds.
 */
typedef struct MfPricingSlot
{
	MfChild		child;			/* first: supervise.h */
	int64		not_before;		/* for the next program */
	int64		second;			/* for counting frames per second */
	int			frames;

	MfJobPhase	job;
	MfClaim		claim;
	int			memfd;			/* -1: none */
	uint64		fed;			/* bytes */
	int64		deadline;
	MfProgress	progress;
	int			attempts;		/* failures of the present step */
	int64		retry_at;
	MfMeasurement result;
	MfRefusal	refusal;
	bytea	   *pictures[MF_PICTURE_COUNT]; /* in the order of their sizes */
	int			picture_count;
	uint32		picture_size;	/* of the last one */
} MfPricingSlot;

/* The slots; some above the number wanted may still be finishing. */
extern MfPricingSlot *mf_pricing_slot(int index);
extern int	mf_pricing_slot_count(void);

/* Asks for the next turn at that time, or earlier. */
extern void mf_pricing_due(int64 at);

/* Stops claiming for a while: something here does not work. */
extern void mf_pricing_pause(int64 now);

/* helpers.c: the programs. */
extern void mf_helpers_init(void);
extern void mf_helpers_set_count(int wanted);
extern void mf_helpers_serve(int64 now);
extern bool mf_helpers_usable(void);
extern const char *mf_helpers_trouble(void);

/* jobs.c: a job's life in its slot. */
extern void mf_job_start(MfPricingSlot *slot, const MfClaim *claim, int64 now);
extern void mf_job_refuse(MfPricingSlot *slot, MfErrorCode code,
						  const char *text);
extern void mf_job_release(MfPricingSlot *slot, int64 now);
extern void mf_job_forget(MfPricingSlot *slot);
extern bool mf_job_keep_picture(MfPricingSlot *slot, const MfPicture *picture);
extern int	mf_jobs_held(void);
extern bool mf_jobs_alone(void);
extern void mf_jobs_forget_all(void);
extern void mf_jobs_expire(int64 now);
extern void mf_jobs_dispatch(int64 now);

/* record.c: telling the database what became of jobs. */
extern void mf_record_outcomes(int64 now);
extern MfTry mf_record_heartbeat(void);

/* feed.c: copying models into memory files. */
extern void mf_feed_turn(int64 now);

/* batch.c: preflight and reprice jobs. */
extern void mf_batch_look(int64 now);
extern void mf_batch_turn(int64 now);
extern bool mf_batch_at_work(void);

/* orders.c: orders whose quotes have changed. */
extern void mf_orders_look(int64 now);
extern void mf_orders_turn(int64 now);

/* calls.c: the SQL that the worker calls. */
#define MF_STATEMENT_ARGUMENTS	7

typedef enum MfVerdict
{
	MF_VERDICT_OK,
	MF_VERDICT_STOP				/* cancelled, or no longer ours */
} MfVerdict;

typedef enum MfContent
{
	MF_CONTENT_GOT,
	MF_CONTENT_LOST,			/* the token is no longer good */
	MF_CONTENT_SHORT,			/* no bytes where there should be some */
	MF_CONTENT_NO_ROOM			/* the memory file could not be written */
} MfContent;

/* One outcome of a group: parallel arrays become arrays of SQL. */
typedef struct MfOutcome
{
	int64		job;
	int64		token;
	int			percent;		/* heartbeat */
	const char *text;			/* heartbeat: stage; completion: JSON */
	bytea	   *const *pictures;	/* completion */
	int			picture_count;
	MfVerdict	verdict;		/* heartbeat's answer */
} MfOutcome;

/* A statement, and its plan once it has one. */
typedef struct MfStatement
{
	const char *sql;
	int			arguments;
	Oid			types[MF_STATEMENT_ARGUMENTS];
	struct _SPI_plan *plan;
} MfStatement;

extern void mf_call_run(MfStatement *statement, Datum *values,
						int expected_rows);
extern bool mf_call_node_is_unknown(void);
extern MfTry mf_call_is_copy(bool *copy);
extern MfTry mf_call_register(const char *name, int slots, int64 *lease_ms,
							  int64 *poll_ms);
extern MfTry mf_call_settings(const char *name, int slots);
extern MfTry mf_call_claim(int limit, MfClaim *claims, int *count);
extern MfTry mf_call_more(bool *more);
extern MfTry mf_call_content(const MfClaim *claim, uint64 at, int length,
							 int memfd, MfContent *content, uint64 *got);
extern MfTry mf_call_heartbeat(MfOutcome *jobs, int count);
extern MfTry mf_call_complete(const MfOutcome *jobs, int count);
extern MfTry mf_call_fail(const MfClaim *claim, const char *code,
						  const char *reason);
extern MfTry mf_call_release(const MfClaim *claim);
extern MfTry mf_call_sweep(int *moved);

#endif							/* MF_PRICING_H */
