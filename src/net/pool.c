/*
 * pool.c
 *		Transfers that are idle.
 *
 * Setting a handle up costs more than sending a small request with it, so an
 * idle one stays set up, and is used again for the same destination.  Where
 * another destination has none, it takes the blank ones first, then new ones,
 * then the one that was used least recently.
 */
#include "transfer.h"

#include <stdlib.h>

static void
unlink_idle(MfPool *pool, MfTransfer *transfer)
{
	if (transfer->older != NULL)
		transfer->older->newer = transfer->newer;
	else
		pool->oldest = transfer->newer;
	if (transfer->newer != NULL)
		transfer->newer->older = transfer->older;
	else
		pool->newest = transfer->older;
	transfer->older = NULL;
	transfer->newer = NULL;
	transfer->next = NULL;
}

/* Takes an idle transfer away from the destination it is set up for. */
static void
make_blank(MfTransfer *transfer)
{
	MfTransfer **at = &transfer->configured->idle;

	while (*at != transfer)
		at = &(*at)->next;
	*at = transfer->next;
	transfer->configured = NULL;
	curl_easy_reset(transfer->easy);
}

static MfTransfer *
make_transfer(MfEngine *engine)
{
	MfTransfer *transfer = calloc(1, sizeof(*transfer));

	if (transfer == NULL)
		return NULL;
	transfer->engine = engine;
	transfer->easy = curl_easy_init();
	if (transfer->easy != NULL)
		return transfer;
	free(transfer);
	return NULL;
}

static void
free_transfer(MfTransfer *transfer)
{
	curl_easy_cleanup(transfer->easy);
	curl_slist_free_all(transfer->connect_to);
	free(transfer->memory);
	free(transfer);
}

MfTransfer *
mf_pool_take(MfPool *pool, MfEngine *engine, MfDestination *destination)
{
	MfTransfer *transfer = destination->idle;

	if (transfer != NULL)
	{
		destination->idle = transfer->next;
		unlink_idle(pool, transfer);
	}
	else if (pool->blank != NULL)
	{
		transfer = pool->blank;
		pool->blank = transfer->next;
		transfer->next = NULL;
	}
	else if (pool->count < MF_SENDER_SLOTS)
	{
		transfer = make_transfer(engine);
		if (transfer != NULL)
			pool->all[pool->count++] = transfer;
	}
	else if (pool->oldest != NULL)
	{
		transfer = pool->oldest;
		make_blank(transfer);
		unlink_idle(pool, transfer);
	}
	return transfer;
}

void
mf_pool_give(MfPool *pool, MfTransfer *transfer)
{
	if (transfer->configured == NULL)
	{
		transfer->next = pool->blank;
		pool->blank = transfer;
		return;
	}
	transfer->next = transfer->configured->idle;
	transfer->configured->idle = transfer;
	transfer->older = pool->newest;
	if (pool->newest != NULL)
		pool->newest->newer = transfer;
	else
		pool->oldest = transfer;
	pool->newest = transfer;
}

void
mf_pool_forget(MfPool *pool, MfDestination *destination)
{
	while (destination->idle != NULL)
	{
		MfTransfer *transfer = destination->idle;

		make_blank(transfer);
		unlink_idle(pool, transfer);
		mf_pool_give(pool, transfer);
	}
}

void
mf_pool_free(MfPool *pool)
{
	while (pool->count > 0)
		free_transfer(pool->all[--pool->count]);
}
