/*
 * line.c
 *		Who is next at an endpoint: where deliveries wait.
 *
 * What may go now is READY, first come first served; what may go at a later
 * time is LATER, in a heap.  What has ended programs waits APART, in one list
 * of all endpoints.  Where an endpoint keeps order, all but the heads of keys
 * wait behind them: keys.c.
 */
#include "postgres.h"

#include "line.h"
#include "stream.h"
#include "utils/timestamp.h"

/* What may not go for so long gets a row. */
#define LONG_PAUSE_MS	1000

dlist_head	mf_line_apart = DLIST_STATIC_INIT(mf_line_apart);

static int
compare_due(const pairingheap_node *a, const pairingheap_node *b, void *arg)
{
	const MfDelivery *one = pairingheap_const_container(MfDelivery, due_node, a);
	const MfDelivery *other = pairingheap_const_container(MfDelivery, due_node, b);

	/* The root is the greatest: the one that is due first. */
	if (one->due_at != other->due_at)
		return one->due_at < other->due_at ? 1 : -1;
	return one->id < other->id ? 1 : one->id > other->id ? -1 : 0;
}

/* ---- places --------------------------------------------------------------- */

bool
mf_line_may_go(const MfDelivery *delivery)
{
	return delivery->place == MF_PLACE_READY ||
		delivery->place == MF_PLACE_LATER ||
		delivery->place == MF_PLACE_APART;
}

static void
place_due(MfLine *line, MfDelivery *delivery, bool in_front)
{
	dlist_head *list = &line->ready;

	delivery->place = MF_PLACE_READY;
	if (delivery->crashes >= MF_CRASHES_APART)
	{
		delivery->place = MF_PLACE_APART;
		list = &mf_line_apart;
	}
	if (in_front)
		dlist_push_head(list, &delivery->line_node);
	else
		dlist_push_tail(list, &delivery->line_node);
}

/* Puts a head where it may go from. */
void
mf_line_place(MfDelivery *delivery, bool in_front)
{
	MfLine	   *line = delivery->endpoint->line;

	if (TIMESTAMP_IS_NOEND(delivery->due_at))
		delivery->due_at = 0;
	if (delivery->due_at > 0 && delivery->due_at > GetCurrentTimestamp())
	{
		delivery->place = MF_PLACE_LATER;
		pairingheap_add(&line->later, &delivery->due_node);
	}
	else
		place_due(line, delivery, in_front);
	mf_schedule_look(line);
}

void
mf_line_unplace(MfDelivery *delivery)
{
	if (delivery->place == MF_PLACE_LATER)
		pairingheap_remove(&delivery->endpoint->line->later, &delivery->due_node);
	else if (delivery->place != MF_PLACE_NONE)
		dlist_delete(&delivery->line_node);
	delivery->place = MF_PLACE_NONE;
}

void
mf_line_forget(MfDelivery *delivery)
{
	mf_line_unplace(delivery);
	delivery->endpoint->queued--;
	delivery->key_line = NULL;
	if (delivery->has_row)
		mf_rows_let_go(delivery);
	mf_delivery_free(delivery);
}

/* ---- opening and closing --------------------------------------------------- */

static void
detach(MfDelivery *delivery, MfTaken *taken)
{
	mf_line_unplace(delivery);
	delivery->endpoint->queued--;
	delivery->key_line = NULL;
	if (taken->into != NULL)
		taken->into[taken->count] = delivery;
	taken->count++;
}

/* Those of one endpoint in a list. */
void
mf_line_detach_list(dlist_head *list, const MfEndpoint *endpoint, MfTaken *taken)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, list)
	{
		MfDelivery *delivery = dlist_container(MfDelivery, line_node, iter.cur);

		if (delivery->endpoint == endpoint)
			detach(delivery, taken);
	}
}

/* Takes all that wait out of line. */
static void
detach_all(MfLine *line, MfTaken *taken)
{
	mf_line_detach_list(&line->ready, line->endpoint, taken);
	mf_line_detach_list(&mf_line_apart, line->endpoint, taken);
	while (!pairingheap_is_empty(&line->later))
		detach(pairingheap_container(MfDelivery, due_node,
									 pairingheap_first(&line->later)), taken);
	mf_key_detach_all(line, taken);
}

static int
compare_ids(const void *a, const void *b)
{
	const MfDelivery *one = *(MfDelivery *const *) a;
	const MfDelivery *other = *(MfDelivery *const *) b;

	return one->id < other->id ? -1 : one->id > other->id ? 1 : 0;
}

/* What has a row is read again; the rest is put in line anew. */
static void
reorder(MfLine *line)
{
	MfEndpoint *endpoint = line->endpoint;
	MfTaken		all = {0};

	all.into = palloc((endpoint->queued + 1) * sizeof(MfDelivery *));
	detach_all(line, &all);
	qsort(all.into, all.count, sizeof(MfDelivery *), compare_ids);
	line->ordering = endpoint->config->ordering;
	mf_rows_again(endpoint);
	mf_key_hold_all(line);
	for (int i = 0; i < all.count; i++)
	{
		if (!all.into[i]->has_row)
		{
			mf_line_add(all.into[i]);
			continue;
		}
		mf_rows_let_go(all.into[i]);
		mf_delivery_free(all.into[i]);
	}
	pfree(all.into);
}

void
mf_line_open(MfEndpoint *endpoint)
{
	MfLine	   *line = endpoint->line;
	MfOrdering	ordering = endpoint->config->ordering;

	if (line == NULL)
	{
		line = MemoryContextAllocZero(mf_delivery_context, sizeof(MfLine));
		line->endpoint = endpoint;
		line->target = -1;
		line->seen_version = endpoint->version;
		line->seen_state = endpoint->state;
		dlist_init(&line->ready);
		dlist_init(&line->wanted);
		pairingheap_reset(&line->later);
		line->later.ph_compare = compare_due;
		line->ordering = ordering;
		endpoint->line = line;
		mf_pace_open(line);
	}
	else if (line->ordering != ordering &&
			 (line->ordering == MF_ORDERING_NONE || ordering == MF_ORDERING_NONE))
		reorder(line);
	line->ordering = ordering;
	line->closed = false;
}

void
mf_line_close(MfEndpoint *endpoint)
{
	MfLine	   *line = endpoint->line;
	MfTaken		all = {0};

	if (line == NULL)
		return;
	detach_all(line, &all);
	line->closed = true;
	mf_schedule_close(line);
}

/* ---- coming and going ------------------------------------------------------ */

void
mf_line_add(MfDelivery *delivery)
{
	MfEndpoint *endpoint = delivery->endpoint;
	MfLine	   *line = endpoint->line;
	int64		pause = endpoint->config->schedule_ms[0] * INT64CONST(1000);

	Assert(line != NULL && !line->closed);
	Assert(delivery->state == MF_DELIVERY_WAITING);

	/* It counts from the event, not from when there was room to read it. */
	if (pause > 0 && delivery->attempts == 0 && !delivery->has_row &&
		delivery->due_at == 0)
		delivery->due_at = Min(delivery->event->at, GetCurrentTimestamp()) + pause;

	endpoint->queued++;
	if (line->ordering == MF_ORDERING_NONE)
	{
		delivery->key_line = NULL;
		mf_line_place(delivery, false);
		return;
	}
	mf_key_join(delivery);
}

bool
mf_line_is_paused(const MfDelivery *delivery)
{
	return delivery->place == MF_PLACE_LATER &&
		delivery->due_at > GetCurrentTimestamp() + LONG_PAUSE_MS * INT64CONST(1000);
}

MfDelivery *
mf_line_first(MfLine *line, TimestampTz now)
{
	while (!pairingheap_is_empty(&line->later))
	{
		MfDelivery *first = pairingheap_container(MfDelivery, due_node,
												  pairingheap_first(&line->later));

		if (first->due_at > now)
			break;
		mf_line_unplace(first);
		place_due(line, first, false);
	}
	if (dlist_is_empty(&line->ready))
		return NULL;
	return dlist_head_element(MfDelivery, line_node, &line->ready);
}

TimestampTz
mf_line_next_due(MfLine *line)
{
	if (pairingheap_is_empty(&line->later))
		return 0;
	return pairingheap_container(MfDelivery, due_node,
								 pairingheap_first(&line->later))->due_at;
}

void
mf_line_take(MfDelivery *delivery)
{
	Assert(mf_line_may_go(delivery));
	mf_line_unplace(delivery);
	delivery->endpoint->queued--;
}

void
mf_line_return(MfDelivery *delivery)
{
	delivery->state = MF_DELIVERY_WAITING;
	delivery->due_at = 0;
	delivery->endpoint->queued++;
	mf_line_place(delivery, true);
	if (delivery->key_line != NULL)
		mf_key_settle(delivery->key_line);
}

/*
 * Where the order need not be proof against a crash, what is behind it may go
 * at once.
 */
void
mf_line_ended(MfDelivery *delivery)
{
	if (delivery->key_line != NULL && delivery->verdict != MF_VERDICT_RETRY &&
		delivery->endpoint->line->ordering != MF_ORDERING_STRICT)
		mf_key_leave(delivery);
}

void
mf_line_recorded(MfDelivery *delivery)
{
	MfLine	   *line = delivery->endpoint->line;

	if (delivery->key_line == NULL)
		return;
	if (delivery->verdict == MF_VERDICT_RETRY)
	{
		mf_key_sleep(delivery);
		return;
	}

	/* Without an event there is no letter, so nobody could unblock it. */
	if (delivery->verdict == MF_VERDICT_DEAD && delivery->event != NULL &&
		line->ordering == MF_ORDERING_STRICT)
		mf_key_block(delivery->key_line);
	mf_key_leave(delivery);
}
