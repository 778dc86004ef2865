/*
 * supervise.h
 *		The programs of a worker: started, heard, replaced.
 *
 *		NONE ──► STARTING ──► READY ──► ENDING ──► NONE
 *				 HELLO in 10 s			closed its side; to be reaped
 *
 * A worker has programs of one name.  Nothing here waits for one: a program
 * that does not keep to the protocol is killed, one that is killed is reaped
 * when it is gone, and there may be a new one meanwhile.
 */
#ifndef MF_SUPERVISE_H
#define MF_SUPERVISE_H

#include "frame/frame.h"

typedef enum MfChildState
{
	MF_CHILD_NONE,
	MF_CHILD_STARTING,			/* spawned, has not said HELLO */
	MF_CHILD_READY,
	MF_CHILD_ENDING				/* has closed its side; to be reaped */
} MfChildState;

/*
 * A program, or the place for one.  It is the first member of what the worker
 * knows about it.  Times are those of mf_wait_now.
 */
typedef struct MfChild
{
	MfChildState state;
	MfProgram	program;
	bool		readable;		/* set by the wait */
	int64		since;			/* of the state */
	int64		ready_at;		/* 0: the last one has not said HELLO */
} MfChild;

/* What is particular to the programs of a worker. */
typedef struct MfSupervision
{
	const char *program;		/* "mesflow-sender" */
	const char *worker;			/* in hints: "delivery" */

	/* Asks for the worker's next turn at that time, or earlier. */
	void		(*due) (int64 at);

	/*
	 * Receives one frame and acts on it: while STARTING a HELLO, which it
	 * checks.  MF_FRAME_BAD also where the frame has no place here; *why says
	 * what is wrong.  May end the program.
	 */
	MfFrameStatus (*hear) (MfChild *child, const char **why, int64 now);

	/* What it is doing, for the log: "with 3 requests under way". */
	void		(*describe) (const MfChild *child, char *text, size_t size);

	/*
	 * One that had said HELLO is gone, and the log says so.  `end` is NULL
	 * where it was killed because it broke the protocol.
	 */
	void		(*lost) (MfChild *child, const MfProgramEnd *end, int64 now);
} MfSupervision;

/* Once per process; then one call for each place. */
extern void mf_children_init(const MfSupervision *supervision);
extern void mf_children_add(MfChild *child);

/* Hears what programs say, and reaps those that are gone. */
extern void mf_children_turn(int64 now);

/* Why none can be started, for worker_status; NULL: nothing is wrong. */
extern const char *mf_children_trouble(void);

/* The earliest time to start one, after failures or while many are to reap. */
extern int64 mf_child_start_at(int64 now);

/* Starts one in a place that is NONE, where it stays if that fails. */
extern void mf_child_start(MfChild *child, int64 now);

/* Ends a program, whatever it is doing, and says nothing about it. */
extern void mf_child_end(MfChild *child);

/* Ends a program that does not keep to the protocol. */
extern void mf_child_fail(MfChild *child, const char *why, int64 now);

/*
 * The absolute path of a program of ours, found from the place of this
 * library; a constant string.  From program.c.
 */
extern const char *mf_program_path(const char *name);

#endif							/* MF_SUPERVISE_H */
