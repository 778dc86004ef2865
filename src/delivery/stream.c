/*
 * stream.c
 *		Reads the outbox into the lines of the endpoints.
 *
 * What is new is read once for all endpoints that have read everything before
 * it (they are live).  An endpoint that cannot hold more leaves them, and goes
 * on by itself, set by set, from where it was; when it has read up to the
 * moment up to which the live ones have, it is one of them again.
 *
 * A set of events is fixed once its two moments are, so a place in it is an
 * id.
 */
#include "postgres.h"

#include "outbox/outbox.h"
#include "stream.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* Events read in one transaction, and how long catching up may take a turn. */
#define LIVE_PORTION	1000
#define PORTION			500

/* Bodies in a portion, also of events that nobody wants in the end. */
#define PORTION_BYTES	(4 * 1024 * 1024)
#define CATCH_UP_MS		30

/* Without being woken: what committed without a callback. */
#define TICK_MS			1000

static MfMoment *live_at = NULL;	/* everything up to here was read */
static MfTick *live_tick = NULL;	/* what they are in; NULL: none */
static int64 live_id;			/* how far in there */
static int	live_count = 0;
static bool tick_wanted = true;
static int64 tick_due = 0;
static int	failures = 0;
static int64 not_before = 0;

/* ---- what an endpoint holds -------------------------------------------------- */

void
mf_stream_open(MfEndpoint *endpoint, const MfMark *seen, const MfMark *upto,
			   int64 last_id, Datum done)
{
	MfStream   *stream = MemoryContextAllocZero(mf_delivery_context, sizeof(MfStream));

	stream->at = mf_moment_make(seen);
	stream->written_id = seen->id;
	if (upto->snapshot != NULL)
	{
		MfMoment   *end = mf_moment_make(upto);

		stream->tick = mf_tick_make(stream->at, end);
		mf_moment_release(end);
		stream->read_id = last_id;
	}
	mf_done_take(stream, done);
	endpoint->stream = stream;
	tick_wanted = true;
}

static void
leave_live(MfStream *stream)
{
	if (stream->live)
		live_count--;
	stream->live = false;
}

void
mf_stream_close(MfEndpoint *endpoint)
{
	MfStream   *stream = endpoint->stream;

	leave_live(stream);
	if (stream->tick != NULL)
		mf_tick_release(stream->tick);
	mf_moment_release(stream->at);
	MemoryContextDelete(stream->context);
	if (stream->done != NULL)
		pfree(stream->done);
	pfree(stream);
	endpoint->stream = NULL;
}

void
mf_stream_position(MfEndpoint *endpoint, const MfMark **seen, const MfMark **upto, int64 *last_id)
{
	MfStream   *stream = endpoint->stream;
	MfTick	   *tick = stream->live ? live_tick : stream->tick;

	*seen = &stream->at->mark;
	*upto = NULL;
	*last_id = 0;
	if (tick != NULL)
	{
		*seen = &tick->seen->mark;
		*upto = &tick->upto->mark;
		*last_id = stream->live ? live_id : stream->read_id;
	}
}

void
mf_stream_hold(MfDelivery *delivery, MfTick *tick)
{
	MfEndpoint *endpoint = delivery->endpoint;

	delivery->on_stream = true;
	delivery->tick = mf_tick_share(tick);
	dlist_push_tail(&endpoint->held, &delivery->stream_node);
	endpoint->held_count++;
	if (delivery->event != NULL)
		endpoint->held_bytes += delivery->event->size;
}

void
mf_stream_let_go(MfDelivery *delivery)
{
	MfEndpoint *endpoint = delivery->endpoint;

	delivery->on_stream = false;
	mf_tick_release(delivery->tick);
	delivery->tick = NULL;
	dlist_delete(&delivery->stream_node);
	endpoint->held_count--;
	if (delivery->event != NULL)
		endpoint->held_bytes -= delivery->event->size;
}

/* So many bytes may each of them hold that all together stay in bounds. */
static Size
bytes_allowed(void)
{
	int			count = 0;
	dlist_iter	iter;

	dlist_foreach(iter, &mf_endpoints)
		count++;
	return Min(MF_STREAM_BYTES, MF_EVENTS_BYTES / Max(count, 1));
}

static bool
is_full(const MfEndpoint *endpoint, Size bytes)
{
	return endpoint->held_count >= MF_STREAM_HELD || endpoint->held_bytes >= bytes;
}

/* Does it read, and has it room for a portion of its own? */
static bool
has_room(const MfEndpoint *endpoint, Size bytes)
{
	return endpoint->state == MF_ENDPOINT_ACTIVE && !endpoint->dropped &&
		endpoint->held_count <= MF_STREAM_HELD / 2 && endpoint->held_bytes < bytes / 2 + 1;
}

/* ---- offering ------------------------------------------------------------------ */

static void
offer(MfEndpoint *endpoint, TupleTableSlot *slot, int64 id, MfTick *tick, MfEventCopy **copy)
{
	MfDelivery *delivery;
	bool		done;

	done = mf_done_forget(endpoint->stream, id);
	if (!done && !mf_wants(endpoint, slot, copy))
		return;
	if (*copy == NULL)
		*copy = mf_event_copy(slot);
	delivery = mf_delivery_make(endpoint, id, &(*copy)->event, (*copy)->key, done ? NULL : *copy);
	delivery->first_at = GetCurrentTimestamp();
	mf_stream_hold(delivery, tick);
	if (done)
	{
		/* Only the cursor has still to pass it. */
		delivery->state = MF_DELIVERY_ENDED;
		delivery->passed = true;
		endpoint->dirty = true;
	}
	else
	{
		mf_line_add(delivery);

		/* It is to get a row, so that there is room for others. */
		endpoint->dirty |= mf_line_is_paused(delivery);
	}
}

/* Done with an event; the bytes of its copy, if one was made. */
static Size
forget_copy(MfEventCopy *copy)
{
	Size		size = copy == NULL ? 0 : copy->size;

	if (copy != NULL)
		mf_event_release(copy);
	return size;
}

/* ---- live --------------------------------------------------------------------- */

static bool
is_same(const MfMark *left, const MfMark *right)
{
	return left->id == right->id &&
		VARSIZE(left->snapshot) == VARSIZE(right->snapshot) &&
		memcmp(left->snapshot, right->snapshot, VARSIZE(left->snapshot)) == 0;
}

/* The live ones have read up to the end of the set. */
static void
end_live_tick(void)
{
	dlist_iter	iter;

	mf_moment_release(live_at);
	live_at = mf_moment_share(live_tick->upto);
	mf_tick_release(live_tick);
	live_tick = NULL;
	dlist_foreach(iter, &mf_endpoints)
	{
		MfEndpoint *endpoint = dlist_container(MfEndpoint, node, iter.cur);

		if (endpoint->stream == NULL || !endpoint->stream->live)
			continue;
		mf_moment_release(endpoint->stream->at);
		endpoint->stream->at = mf_moment_share(live_at);
		endpoint->stream->read_id = 0;
	}
}

/* It goes on by itself in this set, from where it is. */
static void
part(MfStream *stream)
{
	leave_live(stream);
	stream->tick = mf_tick_share(live_tick);
}

static bool
read_live_portion(Snapshot snapshot, Size bytes)
{
	MfRange		range = {.seen = live_tick->seen->mark,.upto = live_tick->upto->mark,
	.last_id = live_id,.origin = mf_outbox_origin(),.slot = MF_ANY_SLOT};
	MfReader   *reader = mf_reader_open(&range, snapshot);
	int			count = 0;
	Size		looked_at = 0;
	bool		ended = false;

	while (live_count > 0 && count++ < LIVE_PORTION && looked_at < PORTION_BYTES)
	{
		int64		id;
		TupleTableSlot *slot = mf_reader_next(reader, &id);
		MfEventCopy *copy = NULL;
		dlist_iter	iter;

		ended = slot == NULL;
		if (ended)
			break;
		dlist_foreach(iter, &mf_endpoints)
		{
			MfEndpoint *endpoint = dlist_container(MfEndpoint, node, iter.cur);
			MfStream   *stream = endpoint->stream;

			/* After an error at another endpoint the same event comes again. */
			if (stream == NULL || !stream->live || id <= stream->read_id)
				continue;
			offer(endpoint, slot, id, live_tick, &copy);
			stream->read_id = id;
			if (is_full(endpoint, bytes))
				part(stream);
		}
		looked_at += forget_copy(copy);
		live_id = id;
	}
	mf_reader_close(reader);
	return live_count == 0 || ended;
}

/*
 * An event is read only when the settings that were committed before it have
 * been: whether it is wanted, and where it goes, is up to them.
 */
static void
tick_work(void *arg)
{
	Snapshot	snapshot = GetActiveSnapshot();
	bool	   *news = arg;

	if (live_tick == NULL && mf_endpoints_have_news())
	{
		*news = true;
		return;
	}
	if (live_tick == NULL)
	{
		MfMark		mark;
		MfMoment   *now;

		mf_mark_take(&mark, snapshot);
		if (live_at != NULL && is_same(&mark, &live_at->mark))
			return;
		now = mf_moment_make(&mark);
		if (live_at == NULL || live_count == 0)
		{
			if (live_at != NULL)
				mf_moment_release(live_at);
			live_at = now;
			return;
		}
		live_tick = mf_tick_make(live_at, now);
		mf_moment_release(now);
		live_id = 0;
	}
	if (read_live_portion(snapshot, bytes_allowed()))
		end_live_tick();
}

/* ---- catching up ---------------------------------------------------------------- */

/*
 * While the live ones are in a set, live_at is where that began, and whoever
 * goes on by himself, or has just come, may be further: it waits for them.
 */
static bool
may_go_on(const MfStream *stream)
{
	return stream->tick != NULL || mf_moment_shows_more(live_at, stream->at);
}

static bool
is_level(const MfStream *stream)
{
	return stream->tick == NULL && live_tick == NULL &&
		!mf_moment_shows_more(live_at, stream->at) &&
		!mf_moment_shows_more(stream->at, live_at);
}

static bool
is_live_again(MfStream *stream)
{
	if (!is_level(stream))
		return false;
	mf_moment_release(stream->at);
	stream->at = mf_moment_share(live_at);
	stream->live = true;
	stream->read_id = 0;
	live_count++;
	return true;
}

static void
end_tick(MfStream *stream)
{
	mf_moment_release(stream->at);
	stream->at = mf_moment_share(stream->tick->upto);
	mf_tick_release(stream->tick);
	stream->tick = NULL;
}

/* Reads a portion; false where there is nothing to be read before the next tick. */
static bool
read_portion(MfEndpoint *endpoint, Snapshot snapshot, Size bytes)
{
	MfStream   *stream = endpoint->stream;
	MfRange		range = {.origin = mf_outbox_origin(),.slot = MF_ANY_SLOT};
	MfReader   *reader;
	int			count = 0;
	Size		looked_at = 0;
	bool		ended = false;
	int64		id;

	if (!may_go_on(stream))
		return false;
	if (stream->tick == NULL)
	{
		stream->tick = mf_tick_make(stream->at, live_at);
		stream->read_id = 0;
	}
	range.seen = stream->tick->seen->mark;
	range.upto = stream->tick->upto->mark;
	range.last_id = stream->read_id;
	reader = mf_reader_open(&range, snapshot);
	while (!is_full(endpoint, bytes) && count++ < PORTION && looked_at < PORTION_BYTES)
	{
		TupleTableSlot *slot = mf_reader_next(reader, &id);
		MfEventCopy *copy = NULL;

		ended = slot == NULL;
		if (ended)
			break;
		offer(endpoint, slot, id, stream->tick, &copy);
		looked_at += forget_copy(copy);
		stream->read_id = id;
	}
	mf_reader_close(reader);
	if (ended)
		end_tick(stream);
	return true;
}

typedef struct CatchUp
{
	int64		until;
	bool		more;
} CatchUp;

static void
catch_up_work(void *arg)
{
	CatchUp    *work = arg;
	Snapshot	snapshot = GetActiveSnapshot();
	Size		bytes = bytes_allowed();
	dlist_iter	iter;

	dlist_foreach(iter, &mf_endpoints)
	{
		MfEndpoint *endpoint = dlist_container(MfEndpoint, node, iter.cur);

		if (endpoint->stream == NULL || endpoint->stream->live)
			continue;
		mf_worker_check();
		while (has_room(endpoint, bytes))
		{
			if (is_live_again(endpoint->stream))
				break;
			if (mf_wait_now() >= work->until)
			{
				work->more = true;
				break;
			}
			if (!read_portion(endpoint, snapshot, bytes))
				break;
		}
		if (work->more)
		{
			/* It comes first the next time. */
			dlist_delete(&endpoint->node);
			dlist_push_head(&mf_endpoints, &endpoint->node);
			break;
		}
	}
}

/* Is there an endpoint that is behind and may read? */
static bool
is_anybody_behind(void)
{
	Size		bytes = bytes_allowed();
	dlist_iter	iter;

	dlist_foreach(iter, &mf_endpoints)
	{
		MfEndpoint *endpoint = dlist_container(MfEndpoint, node, iter.cur);
		MfStream   *stream = endpoint->stream;

		if (stream != NULL && !stream->live && has_room(endpoint, bytes) &&
			(may_go_on(stream) || is_level(stream)))
			return true;
	}
	return false;
}

/* ---- a turn ---------------------------------------------------------------------- */

static bool
is_anybody_active(void)
{
	dlist_iter	iter;

	dlist_foreach(iter, &mf_endpoints)
	{
		MfEndpoint *endpoint = dlist_container(MfEndpoint, node, iter.cur);

		if (!endpoint->dropped && endpoint->state == MF_ENDPOINT_ACTIVE)
			return true;
	}
	return false;
}

static bool
try(const char *what, void (*work) (void *), void *arg, int64 now)
{
	switch (mf_worker_try(what, work, arg))
	{
		case MF_TRY_DONE:
			failures = 0;
			return true;
		case MF_TRY_LATER:
			not_before = now + 100;
			break;
		case MF_TRY_FAILED:
			not_before = now + mf_worker_backoff(++failures);
			break;
	}
	mf_delivery_due(not_before);
	return false;
}

/* Paused ones leave the live: they go on from where they were. */
static void
part_with_idle(void)
{
	dlist_iter	iter;

	dlist_foreach(iter, &mf_endpoints)
	{
		MfEndpoint *endpoint = dlist_container(MfEndpoint, node, iter.cur);
		MfStream   *stream = endpoint->stream;

		if (stream == NULL || !stream->live ||
			endpoint->state == MF_ENDPOINT_ACTIVE)
			continue;
		if (live_tick != NULL)
			part(stream);
		else
			leave_live(stream);
	}
}

void
mf_stream_turn(int64 now, bool woken)
{
	bool		active = is_anybody_active();
	CatchUp		work = {0};
	bool		news = false;

	pg_atomic_write_u32(&mf_shared->events_wanted, active ? 1 : 0);
	if (!active)
		return;
	part_with_idle();
	if (woken)
		tick_wanted = true;
	if (now < not_before)
	{
		mf_delivery_due(not_before);
		return;
	}
	if (tick_wanted || now >= tick_due || live_tick != NULL)
	{
		bool		goes_on = live_tick != NULL;

		if (!try("reading events", tick_work, &news, now))
			return;
		if (news)
		{
			mf_delivery_due(now);
			return;
		}

		/* What woke us while they were in a set may be beyond it. */
		tick_wanted = goes_on;
		tick_due = now + TICK_MS;
		if (tick_wanted || live_tick != NULL)
			mf_delivery_due(now);
	}
	mf_delivery_due(tick_due);
	if (is_anybody_behind())
	{
		/* Time of its own, however long the live ones took. */
		work.until = mf_wait_now() + CATCH_UP_MS;
		if (!try("catching up", catch_up_work, &work, now))
			return;
		if (work.more)
			mf_delivery_due(now);
	}
}
