/*
 * pool.h
 *		Threads that are started once, before the sandbox closes, and then
 *		work on whatever is given to all of them.
 *
 * What work is divided into must never depend on how many threads there are,
 * and results are put together in the order of the tasks: so the same bytes
 * give the same bits with any number of threads.
 */
#ifndef MF_POOL_H
#define MF_POOL_H

#include <stdint.h>

typedef struct MfPool MfPool;

/* Threads that a pool may have, the caller's included. */
#define MF_MAX_THREADS	64

/* Does one task; only the caller of mf_pool_run may allocate or refuse. */
typedef void (*MfTask) (void *arg, uint32_t task);

/*
 * Starts threads - 1 threads, the caller being the other one; fewer where the
 * system gives no more.  NULL only without memory.  NULL is also a pool: of
 * the caller alone.
 */
extern MfPool *mf_pool_start(int threads);

/* How many threads work, the caller included: 1 or more. */
extern int	mf_pool_threads(const MfPool *pool);

/*
 * Calls work(arg, 0) to work(arg, tasks - 1), each once, by any thread and in
 * any order; returns when all are done.  Not from within a task.
 */
extern void mf_pool_run(MfPool *pool, uint32_t tasks, MfTask work, void *arg);

/* Hears from the caller's thread how many tasks are done. */
typedef void (*MfWatch) (void *arg, uint32_t done);

/* The same; calls watch after each task that the caller has done itself. */
extern void mf_pool_run_watched(MfPool *pool, uint32_t tasks, MfTask work,
								void *arg, MfWatch watch, void *watch_arg);

/*
 * Begins a single task that has no parts, of one thread, while the caller
 * goes on: a thread of the pool does it beside all that mf_pool_run is called
 * for, or, without any, the caller at once.  One at a time; wait for it
 * before anything that it uses goes away.
 */
extern void mf_pool_aside(MfPool *pool, MfTask work, void *arg);

/* Returns when that task, if there is one, is done; lends a hand. */
extern void mf_pool_wait(MfPool *pool);

/* Ends the threads and gives the pool's memory back. */
extern void mf_pool_stop(MfPool *pool);

#endif							/* MF_POOL_H */
