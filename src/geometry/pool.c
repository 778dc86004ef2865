/*
 * pool.c
 *		Threads that take tasks off a counter.
 *
 * Behind the sandbox's filter there is no clone, no signal, no scheduling
 * call but sched_yield: all that a pool needs there is futex, which mutexes
 * and conditions are made of.  A thread's stack is small and there from the
 * start, because memory is limited afterwards.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "pool.h"

#define STACK_BYTES		((size_t) 512 * 1024)

/* How far the task aside is. */
typedef enum Aside
{
	ASIDE_NONE = 0,				/* there is none, or it is done */
	ASIDE_WAITING,				/* no thread has taken it yet */
	ASIDE_RUNNING
} Aside;

struct MfPool
{
	pthread_mutex_t lock;
	pthread_cond_t begin;		/* a round has begun, or the pool ends */
	pthread_cond_t end;			/* all tasks are done, or a helper is up */
	bool		stop;
	int			starting;		/* helpers that are not up yet */

	/* The round: changes only under the lock, when all tasks are done. */
	uint32_t	round;
	MfTask		work;
	void	   *arg;
	uint32_t	tasks;

	/*
	 * The round << 32 | the next task: a helper that comes late takes nothing
	 * from a round that it does not know.
	 */
	uint64_t	next;
	uint32_t	done;			/* tasks; counted atomically */

	/* The task aside: changes only under the lock. */
	Aside		aside;
	MfTask		aside_work;
	void	   *aside_arg;

	int			helpers;
	pthread_t	helper[MF_MAX_THREADS - 1];
};

/* A round as a thread found it. */
typedef struct Round
{
	uint32_t	round;
	MfTask		work;
	void	   *arg;
	uint32_t	tasks;
} Round;

/* Takes the next task of a round; false: there is none. */
static bool
take_task(MfPool *pool, const Round *round, uint32_t *task)
{
	uint64_t	next = __atomic_load_n(&pool->next, __ATOMIC_RELAXED);

	do
	{
		if (next >> 32 != round->round || (uint32_t) next >= round->tasks)
			return false;
	} while (!__atomic_compare_exchange_n(&pool->next, &next, next + 1, true,
										  __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	*task = (uint32_t) next;
	return true;
}

/* Does tasks until there are none; watch may be NULL. */
static void
do_tasks(MfPool *pool, const Round *round, MfWatch watch, void *watch_arg)
{
	uint32_t	task;

	while (take_task(pool, round, &task))
	{
		uint32_t	done;

		round->work(round->arg, task);
		done = __atomic_add_fetch(&pool->done, 1, __ATOMIC_ACQ_REL);
		if (watch != NULL)
			watch(watch_arg, done);
		else if (done == round->tasks)
		{
			pthread_mutex_lock(&pool->lock);
			pthread_cond_signal(&pool->end);
			pthread_mutex_unlock(&pool->lock);
		}
	}
}

/* The pool's round; the lock is held. */
static Round
look_at_round(const MfPool *pool)
{
	const Round round = {
		.round = pool->round,.work = pool->work,.arg = pool->arg,
		.tasks = pool->tasks
	};

	return round;
}

/* Does the task aside; the lock is held before and after. */
static void
do_aside(MfPool *pool)
{
	pool->aside = ASIDE_RUNNING;
	pthread_mutex_unlock(&pool->lock);
	pool->aside_work(pool->aside_arg, 0);
	pthread_mutex_lock(&pool->lock);
	pool->aside = ASIDE_NONE;
	pthread_cond_signal(&pool->end);
}

/* What each helper does until the pool ends. */
static void *
help(void *arg)
{
	MfPool	   *pool = arg;
	Round		round = {0};

	pthread_mutex_lock(&pool->lock);
	if (--pool->starting == 0)
		pthread_cond_signal(&pool->end);
	for (;;)
	{
		while (!pool->stop && pool->round == round.round &&
			   pool->aside != ASIDE_WAITING)
			pthread_cond_wait(&pool->begin, &pool->lock);
		if (pool->stop)
			break;
		if (pool->aside == ASIDE_WAITING)
		{
			do_aside(pool);
			continue;
		}
		round = look_at_round(pool);
		pthread_mutex_unlock(&pool->lock);
		do_tasks(pool, &round, NULL, NULL);
		pthread_mutex_lock(&pool->lock);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* Starts a pool; see pool.h. */
MfPool *
mf_pool_start(int threads)
{
	MfPool	   *pool = calloc(1, sizeof(*pool));
	pthread_attr_t attributes;

	if (pool == NULL)
		return NULL;
	if (threads > MF_MAX_THREADS)
		threads = MF_MAX_THREADS;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->begin, NULL);
	pthread_cond_init(&pool->end, NULL);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	pthread_mutex_lock(&pool->lock);
	while (pool->helpers < threads - 1 &&
		   pthread_create(&pool->helper[pool->helpers], &attributes, help,
						  pool) == 0)
		pool->helpers++;
	pthread_attr_destroy(&attributes);

	/*
	 * A new thread makes system calls of its own before it comes to us:
	 * whoever closes the filter next waits for them here.
	 */
	pool->starting += pool->helpers;
	while (pool->starting > 0)
		pthread_cond_wait(&pool->end, &pool->lock);
	pthread_mutex_unlock(&pool->lock);
	return pool;
}

/* How many threads work, the caller included. */
int
mf_pool_threads(const MfPool *pool)
{
	return pool == NULL ? 1 : pool->helpers + 1;
}

/* Does tasks with all threads; see pool.h. */
void
mf_pool_run(MfPool *pool, uint32_t tasks, MfTask work, void *arg)
{
	mf_pool_run_watched(pool, tasks, work, arg, NULL, NULL);
}

/*
 * Does tasks with all threads; see pool.h.  Waits for the tasks, not for the
 * helpers: one that has not even woken up holds nobody.
 */
void
mf_pool_run_watched(MfPool *pool, uint32_t tasks, MfTask work, void *arg,
					MfWatch watch, void *watch_arg)
{
	Round		round;

	if (pool == NULL || pool->helpers == 0 || tasks < 2)
	{
		for (uint32_t task = 0; task < tasks; task++)
		{
			work(arg, task);
			if (watch != NULL)
				watch(watch_arg, task + 1);
		}
		return;
	}

	pthread_mutex_lock(&pool->lock);
	pool->round++;
	pool->work = work;
	pool->arg = arg;
	pool->tasks = tasks;
	pool->done = 0;
	round = look_at_round(pool);
	__atomic_store_n(&pool->next, (uint64_t) round.round << 32,
					 __ATOMIC_RELAXED);
	pthread_cond_broadcast(&pool->begin);
	pthread_mutex_unlock(&pool->lock);

	do_tasks(pool, &round, watch, watch_arg);

	pthread_mutex_lock(&pool->lock);
	while (__atomic_load_n(&pool->done, __ATOMIC_ACQUIRE) < tasks)
		pthread_cond_wait(&pool->end, &pool->lock);
	pthread_mutex_unlock(&pool->lock);
}

/* Begins a task aside; see pool.h. */
void
mf_pool_aside(MfPool *pool, MfTask work, void *arg)
{
	if (pool == NULL || pool->helpers == 0)
	{
		work(arg, 0);
		return;
	}
	pthread_mutex_lock(&pool->lock);
	pool->aside_work = work;
	pool->aside_arg = arg;
	pool->aside = ASIDE_WAITING;
	pthread_cond_signal(&pool->begin);
	pthread_mutex_unlock(&pool->lock);
}

/* Waits for the task aside; see pool.h. */
void
mf_pool_wait(MfPool *pool)
{
	if (pool == NULL)
		return;
	pthread_mutex_lock(&pool->lock);
	if (pool->aside == ASIDE_WAITING)
		do_aside(pool);
	while (pool->aside != ASIDE_NONE)
		pthread_cond_wait(&pool->end, &pool->lock);
	pthread_mutex_unlock(&pool->lock);
}

/* Ends a pool; see pool.h. */
void
mf_pool_stop(MfPool *pool)
{
	if (pool == NULL)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->stop = true;
	pthread_cond_broadcast(&pool->begin);
	pthread_mutex_unlock(&pool->lock);
	for (int i = 0; i < pool->helpers; i++)
		pthread_join(pool->helper[i], NULL);
	pthread_cond_destroy(&pool->begin);
	pthread_cond_destroy(&pool->end);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}
