/*
 * endpoints.c
 *		What is in the tables about endpoints, in memory.
 *
 * All is read at the start; after that only what _delivery_news names.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "plan.h"
#include "stream.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* How often to look for news without being woken, and at most where nothing hangs on it. */
#define NEWS_MS			1000
#define NEWS_FLOOR_MS	20

dlist_head	mf_endpoints = DLIST_STATIC_INIT(mf_endpoints);

static bool loaded = false;
static int64 news_due = 0;
static int64 news_read = 0;
static int	failures = 0;

static MfPlan news_plan = {
	.sql = "DELETE FROM mesflow._delivery_news RETURNING endpoint, what",
	.writes = true
};

static MfPlan has_news_plan = {
	.sql = "SELECT FROM mesflow._delivery_news LIMIT 1"
};

MfEndpoint *
mf_endpoint_by_number(int number)
{
	dlist_iter	iter;

	dlist_foreach(iter, &mf_endpoints)
	{
		MfEndpoint *endpoint = dlist_container(MfEndpoint, node, iter.cur);

		if (!endpoint->dropped && endpoint->number == number)
			return endpoint;
	}
	return NULL;
}

static MfEndpoint *
find(const char *name)
{
	dlist_iter	iter;

	dlist_foreach(iter, &mf_endpoints)
	{
		MfEndpoint *endpoint = dlist_container(MfEndpoint, node, iter.cur);

		if (!endpoint->dropped && strcmp(endpoint->name, name) == 0)
			return endpoint;
	}
	return NULL;
}

/* ---- coming and going ------------------------------------------------------ */

static void
set_filter(MfEndpoint *endpoint, const MfSettingsRow *row)
{
	MfStream   *stream = endpoint->stream;
	MemoryContext old = stream->context;
	MemoryContext caller;

	stream->context = AllocSetContextCreate(mf_delivery_context, "mesflow filter",
											ALLOCSET_SMALL_SIZES);
	caller = MemoryContextSwitchTo(stream->context);
	mf_filter_set(&stream->filter, PointerGetDatum(DatumGetArrayTypePCopy(row->event_types)),
				  row->partner == NULL ? NULL : pstrdup(row->partner));
	stream->path = row->filter == 0 ? NULL : DatumGetJsonPathPCopy(row->filter);
	MemoryContextSwitchTo(caller);
	if (old != NULL)
		MemoryContextDelete(old);
}

static void
take_settings(const MfSettingsRow *row)
{
	MfEndpoint *endpoint = mf_endpoint_by_number(row->number);
	MfEndpointConfig *old;
	bool		is_new = endpoint == NULL;
	bool		reordered = is_new || endpoint->config->ordering != row->config->ordering;
	char	  **blocked = NULL;
	int			blocked_count = 0;

	/* Its cursor is put right by arm(), which tells us. */
	if (row->foreign)
		return;

	/* What may fail comes first: after it, nothing is half taken. */
	if (reordered && row->config->ordering == MF_ORDERING_STRICT)
		blocked_count = mf_rows_blocked(row->name, &blocked);
	if (is_new)
	{
		endpoint = MemoryContextAllocZero(mf_delivery_context, sizeof(MfEndpoint));
		endpoint->number = row->number;
		dlist_init(&endpoint->held);
		dlist_init(&endpoint->row_list);
		mf_rows_again(endpoint);
		dlist_push_tail(&mf_endpoints, &endpoint->node);
		mf_stream_open(endpoint, &row->seen, &row->upto, row->last_id, row->done);
		endpoint->trouble = row->trouble;
	}
	else if (row->state == MF_ENDPOINT_ACTIVE && endpoint->state != MF_ENDPOINT_ACTIVE)
		endpoint->trouble = row->trouble;	/* whoever resumed it has forgiven
											 * it */
	if (endpoint->name == NULL || strcmp(endpoint->name, row->name) != 0)
	{
		if (endpoint->name != NULL)
			pfree(endpoint->name);
		endpoint->name = MemoryContextStrdup(mf_delivery_context, row->name);
	}
	endpoint->state = endpoint->state_wanted = row->state;
	old = endpoint->config;
	endpoint->config = row->config;
	MemoryContextSetParent(row->config->context, mf_delivery_context);
	endpoint->version++;
	set_filter(endpoint, row);
	if (reordered)
	{
		mf_line_open(endpoint);
		mf_line_block_keys(endpoint, blocked, blocked_count);
	}
	if (old != NULL)
		MemoryContextDelete(old->context);
	mf_senders_target_changed(endpoint);
}

static void
hear_of_letters(MfEndpoint *endpoint)
{
	char	  **blocked;
	int			count;

	if (endpoint->config->ordering != MF_ORDERING_STRICT)
		return;
	count = mf_rows_blocked(endpoint->name, &blocked);
	mf_line_block_keys(endpoint, blocked, count);
}

/* What an endpoint holds that is not under way, nor waits to be recorded. */
static void
free_waiting(dlist_head *list, bool rows)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, list)
	{
		MfDelivery *delivery = rows ? dlist_container(MfDelivery, row_node, iter.cur)
		: dlist_container(MfDelivery, stream_node, iter.cur);
		bool		is_over = delivery->state == MF_DELIVERY_ENDED && delivery->passed;

		if (delivery->has_row)
			mf_rows_let_go(delivery);
		if (delivery->on_stream)
			mf_stream_let_go(delivery);
		if (delivery->state == MF_DELIVERY_WAITING || is_over)
			mf_delivery_free(delivery);
	}
}

static void
drop(MfEndpoint *endpoint)
{
	if (endpoint->dropped)
		return;
	endpoint->dropped = true;
	mf_line_close(endpoint);
	mf_senders_target_changed(endpoint);
	free_waiting(&endpoint->held, false);
	free_waiting(&endpoint->row_list, true);
	mf_stream_close(endpoint);
}

void
mf_endpoint_free_dropped(void)
{
	dlist_mutable_iter iter;

	/* What is recorded still names its endpoint. */
	if (mf_record_waiting() > 0)
		return;
	dlist_foreach_modify(iter, &mf_endpoints)
	{
		MfEndpoint *endpoint = dlist_container(MfEndpoint, node, iter.cur);

		if (!endpoint->dropped || endpoint->in_flight > 0 || endpoint->aside_until != 0)
			continue;
		dlist_delete(&endpoint->node);
		MemoryContextDelete(endpoint->config->context);
		pfree(endpoint->name);
		pfree(endpoint);
	}
}

void
mf_endpoints_forget(void)
{
	dlist_iter	iter;

	dlist_foreach(iter, &mf_endpoints)
		drop(dlist_container(MfEndpoint, node, iter.cur));
	loaded = false;
	news_due = 0;
}

/* ---- reading ---------------------------------------------------------------- */

typedef struct News
{
	char	   *endpoint;
	char	   *what;
} News;

static void
hear(const News *news)
{
	MfEndpoint *endpoint = find(news->endpoint);

	if (strcmp(news->what, "changed") == 0)
	{
		uint32		version = endpoint == NULL ? 0 : endpoint->version;

		mf_settings_read(news->endpoint, take_settings);
		if (endpoint != NULL && endpoint->version == version)
			drop(endpoint);
	}
	else if (endpoint == NULL)
		return;
	else if (strcmp(news->what, "resumed") == 0)
		mf_breaker_resumed(endpoint);
	else if (strcmp(news->what, "rows") == 0)
	{
		mf_line_forget_rows(endpoint);
		mf_rows_again(endpoint);
	}
	else
		hear_of_letters(endpoint);
}

static bool
is_told_again(const News *news, uint64 at)
{
	for (uint64 i = 0; i < at; i++)
		if (strcmp(news[i].endpoint, news[at].endpoint) == 0 &&
			strcmp(news[i].what, news[at].what) == 0)
			return true;
	return false;
}

/* Secrets that were kept for a while after a rotation: the view has no more of them. */
static void
expire_secrets(void)
{
	TimestampTz now = GetCurrentTimestamp();
	dlist_iter	iter;

	dlist_foreach(iter, &mf_endpoints)
	{
		MfEndpoint *endpoint = dlist_container(MfEndpoint, node, iter.cur);

		if (!endpoint->dropped && endpoint->config->secret_expires != 0 &&
			endpoint->config->secret_expires <= now)
			mf_settings_read(endpoint->name, take_settings);
	}
}

/* Renamed ones are named twice: what is no longer there first. */
static void
read_news(void *arg)
{
	uint64		rows = mf_plan_run(&news_plan, NULL, NULL);
	News	   *news = palloc((rows + 1) * sizeof(News));

	for (uint64 row = 0; row < rows; row++)
	{
		news[row].endpoint = mf_plan_text(row, 1);
		news[row].what = mf_plan_text(row, 2);
		if (news[row].endpoint == NULL)
			news[row].endpoint = pstrdup("");
	}
	if (!loaded)
		mf_settings_read(NULL, take_settings);
	else
		for (uint64 row = 0; row < rows; row++)
			if (!is_told_again(news, row))
				hear(&news[row]);
	expire_secrets();
}

bool
mf_endpoints_have_news(void)
{
	if (mf_plan_run(&has_news_plan, NULL, NULL) == 0)
		return false;
	news_due = 0;
	return true;
}

bool
mf_endpoints_turn(int64 now, bool woken)
{
	if (woken)
		news_due = Min(news_due, news_read + NEWS_FLOOR_MS);
	if (now < news_due)
	{
		mf_delivery_due(news_due);
		return loaded;
	}
	switch (mf_worker_try("reading endpoints", read_news, NULL))
	{
		case MF_TRY_DONE:
			loaded = true;
			failures = 0;
			news_read = now;
			news_due = now + NEWS_MS;
			break;
		case MF_TRY_LATER:
			news_due = now + 100;
			break;
		case MF_TRY_FAILED:
			news_due = now + mf_worker_backoff(++failures);
			break;
	}
	mf_delivery_due(news_due);
	return loaded;
}
