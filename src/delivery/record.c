/*
 * record.c
 *		Writes down what came of deliveries, in groups.
 *
 * A group is one transaction: attempts are appended, cursors moved, and what
 * did not go well gets a row in _pending or in _dead_letters.  Nothing in
 * memory changes before it is committed, so after an error it is simply tried
 * again, with a smaller group: one that cannot be written goes to the end of
 * the queue and keeps no other from it.  Endpoints whose rows somebody holds
 * are left out of it: aside.c.
 *
 * A cursor moves past a delivery that is over, or that has a row.  One in the
 * front that takes long gets a row for that reason (in_flight), and so does
 * one that waits for another with a row (parked), or for the pause before its
 * first try (retry).  What is over beyond the
 * front stands in _cursors.done, so that it is not sent again after a crash.
 * In memory, it keeps its place among what the endpoint holds until then.
 */
#include "postgres.h"

#include "guc.h"
#include "record.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

/* A group: so long after its first result, or when there are so many. */
#define GROUP_MS		10
#define GROUP_FULL		512

/* Ids beyond the front that a cursor names, before the front gets a row. */
#define DONE_MAX		256

/* In front for so long, a delivery gets a row. */
#define SLOW_MS			1000
#define SWEEP_MS		1000

/* A cursor that has nothing to tell is written once it is so many ids behind. */
#define QUIET_IDS		10000
#define QUIET_MS		60000

static dlist_head ended = DLIST_STATIC_INIT(ended);
static int	ended_count = 0;
static int64 first_at = 0;
static int	group_limit = 2 * GROUP_FULL;
static int64 not_before = 0;
static int	failures = 0;
static int64 sweep_due = 0;
static int64 quiet_due = 0;

void
mf_record_add(MfDelivery *delivery)
{
	if (delivery->endpoint->aside_until != 0)
	{
		mf_aside_add(delivery);
		return;
	}
	if (ended_count == 0)
		first_at = mf_wait_now();
	dlist_push_tail(&ended, &delivery->record_node);
	ended_count++;
}

int
mf_record_waiting(void)
{
	return ended_count;
}

/* ---- the front of an endpoint ---------------------------------------------- */

static bool
is_over(const MfDelivery *delivery)
{
	return delivery->passed || delivery->recording;
}

/* Chooses those that get a row only to let the cursor pass. */
static void
choose_rows(MfGroup *group, MfEndpoint *endpoint, int64 now)
{
	int			beyond = 0;
	dlist_iter	iter;

	dlist_foreach(iter, &endpoint->held)
		beyond += is_over(dlist_container(MfDelivery, stream_node, iter.cur));
	dlist_foreach(iter, &endpoint->held)
	{
		MfDelivery *delivery = dlist_container(MfDelivery, stream_node, iter.cur);
		bool		slow;

		if (is_over(delivery) || delivery->state == MF_DELIVERY_ENDED)
			continue;
		slow = delivery->state == MF_DELIVERY_SENDING &&
			(beyond > DONE_MAX || now - delivery->started >= SLOW_MS);
		if (slow || (delivery->state == MF_DELIVERY_WAITING &&
					 (mf_line_is_behind_row(delivery) || mf_line_is_paused(delivery))))
		{
			delivery->recording = true;
			group->passed[group->passed_count++] = delivery;
			if (group->passed_count == MF_PASSED_MAX)
				return;
		}
	}
}

/* Where the cursor is once this group is committed. */
static void
take_position(MfGroup *group, MfEndpoint *endpoint)
{
	MfPosition *position = &group->positions[group->position_count++];
	MfStream   *stream = endpoint->stream;
	MfDelivery *front = NULL;
	dlist_iter	iter;

	position->endpoint = endpoint;
	endpoint->position = position;
	position->done = palloc((endpoint->held_count + stream->done_count + 1) * sizeof(int64));
	position->done_count = 0;
	dlist_foreach(iter, &endpoint->held)
	{
		MfDelivery *delivery = dlist_container(MfDelivery, stream_node, iter.cur);

		if (is_over(delivery))
		{
			if (front != NULL)
				position->done[position->done_count++] = delivery->id;
		}
		else if (front == NULL)
			front = delivery;
	}
	for (int i = 0; i < stream->done_count; i++)
		position->done[position->done_count++] = stream->done[i];
	if (front != NULL)
	{
		position->seen = &front->tick->seen->mark;
		position->upto = &front->tick->upto->mark;
		position->last_id = front->id - 1;
	}
	else
		mf_stream_position(endpoint, &position->seen, &position->upto, &position->last_id);
}

/* ---- after the commit --------------------------------------------------------- */

/* Its place stays, for the cursor; the delivery goes on by its row. */
static void
leave_place(MfDelivery *delivery)
{
	MfDelivery *place = mf_delivery_make(delivery->endpoint, delivery->id, &delivery->event_id,
										 "", NULL);

	place->state = MF_DELIVERY_ENDED;
	place->passed = true;
	place->on_stream = true;
	place->tick = mf_tick_share(delivery->tick);
	dlist_insert_before(&delivery->stream_node, &place->stream_node);
	delivery->endpoint->held_count++;
	mf_stream_let_go(delivery);
}

static void
forget_event(MfDelivery *delivery)
{
	if (delivery->event == NULL)
		return;
	if (delivery->on_stream)
		delivery->endpoint->held_bytes -= delivery->event->size;
	mf_event_release(delivery->event);
	delivery->event = NULL;
}

/* The front of what it holds, as far as the cursor has passed it. */
static void
free_passed(MfEndpoint *endpoint)
{
	while (!dlist_is_empty(&endpoint->held))
	{
		MfDelivery *delivery = dlist_head_element(MfDelivery, stream_node, &endpoint->held);

		if (!delivery->passed)
			break;
		mf_stream_let_go(delivery);
		mf_delivery_free(delivery);
	}
}

static void
recorded(MfDelivery *delivery)
{
	delivery->recording = false;
	if (delivery->endpoint->dropped)
	{
		mf_delivery_free(delivery);
		return;
	}
	if (delivery->verdict == MF_VERDICT_RETRY)
	{
		/* Its row is read when it is due. */
		if (delivery->on_stream)
			leave_place(delivery);
		mf_line_recorded(delivery);
		mf_rows_expect(delivery->endpoint, delivery->due_at);
		if (delivery->has_row)
			mf_rows_let_go(delivery);
		mf_delivery_free(delivery);
		return;
	}
	if (delivery->has_row)
		mf_rows_let_go(delivery);
	mf_line_recorded(delivery);
	forget_event(delivery);
	if (delivery->on_stream)
		delivery->passed = true;
	else
		mf_delivery_free(delivery);
}

/*
 * It has got a row, or had one; it is where it was in line, but for one that
 * waits: that is read when it is due, or when those before it are over.
 */
static void
passed(MfDelivery *delivery)
{
	bool		waits = delivery->state == MF_DELIVERY_WAITING && !delivery->marking;

	delivery->recording = false;
	delivery->marking = false;
	if (delivery->on_stream)
		leave_place(delivery);
	if (waits)
	{
		mf_line_parked(delivery);
		mf_delivery_free(delivery);
		return;
	}
	if (!delivery->has_row)
		mf_rows_hold(delivery);
	if (delivery->state == MF_DELIVERY_WAITING)
		forget_event(delivery);
}

static void
group_recorded(MfGroup *group)
{
	for (int i = 0; i < group->position_count; i++)
	{
		MfPosition *position = &group->positions[i];

		position->endpoint->position = NULL;
		if (mf_is_left_out(position->endpoint))
			continue;
		position->endpoint->dirty = false;
		position->endpoint->stream->written_id = position->seen->id;
	}
	for (int i = 0; i < group->trouble_count; i++)
	{
		MfEndpoint *endpoint = group->troubled[i];

		if (mf_is_left_out(endpoint))
			continue;
		endpoint->trouble_dirty = false;
		if (endpoint->state_wanted != endpoint->state)
		{
			endpoint->state = endpoint->state_wanted;
			mf_senders_target_changed(endpoint);
		}
	}
	for (int i = 0; i < group->passed_count; i++)
		if (group->passed[i]->endpoint->aside_until != 0)
			group->passed[i]->recording = group->passed[i]->marking = false;
		else
			passed(group->passed[i]);
	for (int i = 0; i < group->count; i++)
		if (group->deliveries[i]->endpoint->aside_until != 0)
			group->deliveries[i]->recording = false;
		else
		{
			dlist_delete(&group->deliveries[i]->record_node);
			ended_count--;
			recorded(group->deliveries[i]);
		}
	for (int i = 0; i < group->position_count; i++)
		if (!mf_is_left_out(group->positions[i].endpoint))
			free_passed(group->positions[i].endpoint);
	first_at = mf_wait_now();
}

/* Nothing was written: everything is as it was. */
static void
group_undone(MfGroup *group)
{
	for (int i = 0; i < group->count; i++)
		group->deliveries[i]->recording = false;
	for (int i = 0; i < group->passed_count; i++)
		group->passed[i]->recording = group->passed[i]->marking = false;
	for (int i = 0; i < group->position_count; i++)
		group->positions[i].endpoint->position = NULL;
}

static bool
has_waited_in_vain(void)
{
	return mf_worker_failure()->sqlstate == ERRCODE_LOCK_NOT_AVAILABLE;
}

static void
group_failed(MfGroup *group)
{
	group_undone(group);
	if (group->count == 1 && group_limit == 1)
	{
		MfDelivery *delivery = group->deliveries[0];

		/* The texts come from a stranger: without them, later. */
		dlist_delete(&delivery->record_node);
		dlist_push_tail(&ended, &delivery->record_node);
		if (delivery->response != NULL)
			pfree(delivery->response);
		delivery->response = NULL;
	}
	group_limit = Max(Min(group_limit, group->count) / 2, 1);
}

/* ---- before something is sent ------------------------------------------------------- */

bool
mf_record_mark(MfDelivery **deliveries, int count)
{
	MfGroup		group = {0};
	int64		first_of_next = first_at;
	bool		all = true;

	group.passed = deliveries;
	group.passed_count = count;
	group.positions = palloc0(Max(count, 1) * sizeof(MfPosition));
	for (int i = 0; i < count; i++)
		deliveries[i]->recording = deliveries[i]->marking = true;
	for (int i = 0; i < count; i++)
		if (deliveries[i]->on_stream && deliveries[i]->endpoint->position == NULL)
			take_position(&group, deliveries[i]->endpoint);
	switch (mf_worker_try("marking deliveries", mf_record_write, &group))
	{
		case MF_TRY_DONE:
			group_recorded(&group);
			first_at = first_of_next;
			break;
		case MF_TRY_FAILED:
			group_undone(&group);
			all = false;
			if (!has_waited_in_vain())
				break;
			mf_aside_blame(&group);
			for (int i = 0; i < count && count > 1; i++)
				(void) mf_record_mark(deliveries + i, 1);
			break;
		case MF_TRY_LATER:
			group_undone(&group);
			all = false;
			break;
	}
	mf_aside_take(&ended, &ended_count);

	/* Those that are marked may be marked again. */
	for (int i = 0; i < count; i++)
		all &= !mf_is_left_out(deliveries[i]->endpoint);
	return all;
}

/* ---- a turn ---------------------------------------------------------------------- */

/* Of all endpoints, or of `alone`. */
static void
collect(MfGroup *group, const MfEndpoint *alone, int64 now)
{
	dlist_iter	iter;
	int			endpoints = 0;

	dlist_foreach(iter, &mf_endpoints)
		endpoints++;
	group->deliveries = palloc(Max(Min(ended_count, group_limit), 1) * sizeof(MfDelivery *));
	group->passed = palloc(MF_PASSED_MAX * sizeof(MfDelivery *));
	group->positions = palloc0(Max(endpoints, 1) * sizeof(MfPosition));
	group->troubled = palloc(Max(endpoints, 1) * sizeof(MfEndpoint *));
	dlist_foreach(iter, &ended)
	{
		MfDelivery *delivery = dlist_container(MfDelivery, record_node, iter.cur);

		if (group->count == group_limit)
			break;
		if (alone != NULL && delivery->endpoint != alone)
			continue;
		delivery->recording = true;
		delivery->endpoint->dirty = true;
		group->deliveries[group->count++] = delivery;
	}
	dlist_foreach(iter, &mf_endpoints)
	{
		MfEndpoint *endpoint = dlist_container(MfEndpoint, node, iter.cur);

		if (mf_is_left_out(endpoint) || (alone != NULL && endpoint != alone))
			continue;
		if (endpoint->trouble_dirty || endpoint->state_wanted != endpoint->state)
			group->troubled[group->trouble_count++] = endpoint;
		if (!endpoint->dirty)
			continue;
		if (group->passed_count < MF_PASSED_MAX)
			choose_rows(group, endpoint, now);
		take_position(group, endpoint);
	}
}

/* Fronts that take long, cursors that are far behind for want of events. */
static void
sweep(int64 now)
{
	dlist_iter	iter;
	bool		quiet = now >= quiet_due;

	dlist_foreach(iter, &mf_endpoints)
	{
		MfEndpoint *endpoint = dlist_container(MfEndpoint, node, iter.cur);

		if (mf_is_left_out(endpoint) || endpoint->dirty)
			continue;
		if (!dlist_is_empty(&endpoint->held))
		{
			MfDelivery *front = dlist_head_element(MfDelivery, stream_node, &endpoint->held);

			if (front->passed || mf_line_is_behind_row(front) || mf_line_is_paused(front) ||
				(front->state == MF_DELIVERY_SENDING && now - front->started >= SLOW_MS))
				endpoint->dirty = true;
		}
		else if (quiet && endpoint->stream->at->mark.id > endpoint->stream->written_id + QUIET_IDS)
			endpoint->dirty = true;
	}
	sweep_due = now + SWEEP_MS;
	if (quiet)
		quiet_due = now + QUIET_MS;
}

static bool
is_anything_dirty(void)
{
	dlist_iter	iter;

	dlist_foreach(iter, &mf_endpoints)
	{
		MfEndpoint *endpoint = dlist_container(MfEndpoint, node, iter.cur);

		if (!mf_is_left_out(endpoint) && (endpoint->dirty || endpoint->trouble_dirty ||
										  endpoint->state_wanted != endpoint->state))
			return true;
	}
	return false;
}

void
mf_record_turn(int64 now)
{
	MfGroup		group = {0};
	MfEndpoint *alone;
	int64		due;
	int64		aside_until;

	if (now < not_before)
	{
		mf_delivery_due(not_before);
		return;
	}
	if (now >= sweep_due)
	{
		sweep(now);
		due = is_anything_dirty() ? now : sweep_due;
	}
	else
		due = sweep_due;
	if (mf_aside_end(now, &ended, &ended_count, &aside_until))
		due = now;
	mf_delivery_due(aside_until);
	alone = mf_aside_alone();
	if (alone != NULL)
		due = now;
	if (ended_count > 0)
		due = Min(due, ended_count >= GROUP_FULL ? now : first_at + GROUP_MS);
	if (now < due)
	{
		mf_delivery_due(due);
		return;
	}
	if (ended_count > 0 || alone != NULL || is_anything_dirty())
	{
		collect(&group, alone, now);
		switch (mf_worker_try("recording deliveries", mf_record_write, &group))
		{
			case MF_TRY_DONE:
				failures = 0;
				group_limit = Min(2 * group_limit, 2 * GROUP_FULL);
				group_recorded(&group);
				if (alone != NULL && alone->aside_until == 0)
					alone->alone = false;
				break;
			case MF_TRY_LATER:
				group_undone(&group);
				not_before = now + 100;
				break;
			case MF_TRY_FAILED:
				if (has_waited_in_vain())
				{
					group_undone(&group);
					mf_aside_blame(&group);
					mf_delivery_due(now);
					break;
				}
				group_failed(&group);
				not_before = now + Min(mf_worker_backoff(++failures), 5000);
				break;
		}
		mf_aside_take(&ended, &ended_count);
		if (alone != NULL)
			mf_delivery_due(now);
	}
	mf_record_receipts(now);
	mf_delivery_due(ended_count > 0 ? Max(first_at + GROUP_MS, not_before) : sweep_due);
}
