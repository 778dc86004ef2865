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

#include "catalog/pg_type.h"
#include "outbox/outbox.h"
#include "stream.h"
#include "utils/array.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* Events read in one transaction, and how long catching up may take a turn. */
#define LIVE_PORTION	1000
#define PORTION			500
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

static int
compare_ids(const void *left, const void *right)
{
	int64		a = *(const int64 *) left;
	int64		b = *(const int64 *) right;

	return (a > b) - (a < b);
}

static void
take_done(MfStream *stream, Datum done)
{
	Datum	   *ids;

	if (done == 0)
		return;
	deconstruct_array(DatumGetArrayTypeP(done), INT8OID, sizeof(int64), true,
					  TYPALIGN_DOUBLE, &ids, NULL, &stream->done_count);
	if (stream->done_count == 0)
		return;
	stream->done = MemoryContextAlloc(mf_delivery_context, stream->done_count * sizeof(int64));
	for (int i = 0; i < stream->done_count; i++)
		stream->done[i] = DatumGetInt64(ids[i]);
	qsort(stream->done, stream->done_count, sizeof(int64), compare_ids);
}

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
	take_done(stream, done);
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

/* Was it done by an earlier life of this worker?  Then it is forgotten here. */
static bool
was_done(MfStream *stream, int64 id)
{
	int64	   *found;

	if (stream->done_count == 0)
		return false;
	found = bsearch(&id, stream->done, stream->done_count, sizeof(int64), compare_ids);
	if (found == NULL)
		return false;
	memmove(found, found + 1, (stream->done + stream->done_count - found - 1) * sizeof(int64));
	if (--stream->done_count == 0)
	{
		pfree(stream->done);
		stream->done = NULL;
	}
	return true;
}

static void
offer(MfEndpoint *endpoint, TupleTableSlot *slot, int64 id, MfTick *tick, MfEventCopy **copy)
{
	MfDelivery *delivery;
	bool		done;

	/* After an error on the way the same event comes again. */
	if (!dlist_is_empty(&endpoint->held) &&
		dlist_tail_element(MfDelivery, stream_node, &endpoint->held)->id == id)
		return;
	done = was_done(endpoint->stream, id);
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
		mf_line_add(delivery);
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
	}
}

/* It goes on by itself, after the event with this id. */
static void
part(MfStream *stream, int64 id)
{
	leave_live(stream);
	stream->tick = mf_tick_share(live_tick);
	stream->read_id = id;
}

static bool
read_live_portion(Snapshot snapshot, Size bytes)
{
	MfRange		range = {.seen = live_tick->seen->mark,.upto = live_tick->upto->mark,
	.last_id = live_id,.origin = mf_outbox_origin(),.slot = MF_ANY_SLOT};
	MfReader   *reader = mf_reader_open(&range, snapshot);
	int			count = 0;
	bool		ended = false;

	while (live_count > 0 && count++ < LIVE_PORTION)
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

			if (endpoint->stream == NULL || !endpoint->stream->live)
				continue;
			offer(endpoint, slot, id, live_tick, &copy);
			if (is_full(endpoint, bytes))
				part(endpoint->stream, id);
		}
		if (copy != NULL)
			mf_event_release(copy);
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

static bool
is_live_again(MfStream *stream)
{
	if (stream->tick != NULL || stream->at != live_at || live_tick != NULL)
		return false;
	stream->live = true;
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
	bool		ended = false;
	int64		id;

	if (stream->tick == NULL)
	{
		if (stream->at == live_at)
			return false;
		stream->tick = mf_tick_make(stream->at, live_at);
		stream->read_id = 0;
	}
	range.seen = stream->tick->seen->mark;
	range.upto = stream->tick->upto->mark;
	range.last_id = stream->read_id;
	reader = mf_reader_open(&range, snapshot);
	while (!ended && !is_full(endpoint, bytes) && count++ < PORTION)
	{
		TupleTableSlot *slot = mf_reader_next(reader, &id);
		MfEventCopy *copy = NULL;

		ended = slot == NULL;
		if (ended)
			break;
		offer(endpoint, slot, id, stream->tick, &copy);
		if (copy != NULL)
			mf_event_release(copy);
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

		if (endpoint->stream != NULL && !endpoint->stream->live && has_room(endpoint, bytes) &&
			(endpoint->stream->tick != NULL || endpoint->stream->at != live_at || live_tick == NULL))
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
			part(stream, live_id);
		else
			leave_live(stream);
	}
}

void
mf_stream_turn(int64 now, bool woken)
{
	bool		active = is_anybody_active();
	CatchUp		work = {.until = now + CATCH_UP_MS};
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
		if (!try("reading events", tick_work, &news, now))
			return;
		if (news)
		{
			mf_delivery_due(now);
			return;
		}
		tick_wanted = false;
		tick_due = now + TICK_MS;
		if (live_tick != NULL)
			mf_delivery_due(now);
	}
	mf_delivery_due(tick_due);
	if (is_anybody_behind())
	{
		if (!try("catching up", catch_up_work, &work, now))
			return;
		if (work.more)
			mf_delivery_due(now);
	}
}
