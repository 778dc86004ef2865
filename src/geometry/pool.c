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

struct MfPool
{
	pthread_mutex_t lock;
	pthread_cond_t begin;		/* a round has begun, or the pool ends */
	pthread_cond_t end;			/* the last helper has left the round */
	uint64_t	round;
	bool		stop;
	int			busy;			/* helpers still in this round, or starting */
	MfTask		work;
	void	   *arg;
	uint32_t	tasks;
	uint32_t	next;			/* the next task; taken atomically */
	int			helpers;
	pthread_t	helper[MF_MAX_THREADS - 1];
};

/* Takes tasks until there are none. */
static void
take_tasks(MfPool *pool)
{
	for (;;)
	{
		const uint32_t task = __atomic_fetch_add(&pool->next, 1,
												 __ATOMIC_RELAXED);

		if (task >= pool->tasks)
			return;
		pool->work(pool->arg, task);
	}
}

/* What each helper does until the pool ends. */
static void *
help(void *arg)
{
	MfPool	   *pool = arg;
	uint64_t	seen = 0;

	pthread_mutex_lock(&pool->lock);
	if (--pool->busy == 0)
		pthread_cond_signal(&pool->end);
	for (;;)
	{
		while (!pool->stop && pool->round == seen)
			pthread_cond_wait(&pool->begin, &pool->lock);
		if (pool->stop)
			break;
		seen = pool->round;
		pthread_mutex_unlock(&pool->lock);
		take_tasks(pool);
		pthread_mutex_lock(&pool->lock);
		if (--pool->busy == 0)
			pthread_cond_signal(&pool->end);
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
	pool->busy = pool->helpers;
	while (pool->busy > 0)
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
	if (pool == NULL || pool->helpers == 0 || tasks < 2)
	{
		for (uint32_t task = 0; task < tasks; task++)
			work(arg, task);
		return;
	}

	pthread_mutex_lock(&pool->lock);
	pool->work = work;
	pool->arg = arg;
	pool->tasks = tasks;
	pool->next = 0;
	pool->busy = pool->helpers;
	pool->round++;
	pthread_cond_broadcast(&pool->begin);
	pthread_mutex_unlock(&pool->lock);

	take_tasks(pool);

	pthread_mutex_lock(&pool->lock);
	while (pool->busy > 0)
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
