/*
 * schedule.c
 *		Whose turn it is among endpoints.
 *
 * Deficit round robin (Shreedhar and Varghese, 1995): in each round an
 * endpoint may send so many bytes more than what it has left over.  Only
 * endpoints that have perhaps something to send are ACTIVE; one that is found
 * to have nothing, or not yet, leaves until something about it changes:
 *
 *		  look: a delivery came, one ended, settings changed, time is up
 *		NONE, ASLEEP, SHARE ─────────────────────────► ACTIVE
 *			▲	nothing to send, window full: NONE		  │
 *			│	retry, rate, breaker, hold: ASLEEP		  │
 *			└───────── others have to end first: SHARE ◄──┘
 *
 * So what a turn costs depends on what it sends, not on how many endpoints
 * there are.
 */
#include "postgres.h"

#include "guc.h"
#include "senders.h"
#include "utils/timestamp.h"

/* Bytes that an endpoint may send in a round, and what a request costs. */
#define QUANTUM			16384
#define COST_MIN		512
#define COST_MAX		65536

/* Requests chosen at a time, and events loaded at a time. */
#define BATCH			128
#define LOADS			32

/* How long one turn goes on sending. */
#define TURN_MS			50

/* Results that may wait to be recorded; after that nothing is sent. */
#define UNRECORDED_MAX	4096
#define UNRECORDED_MS	100

/* After events could not be loaded, or bodies not made. */
#define PAUSE_MS		100

static int	compare_wakes(const pairingheap_node *a, const pairingheap_node *b,
						  void *arg);

static dlist_head active = DLIST_STATIC_INIT(active);
static dlist_head sharing = DLIST_STATIC_INIT(sharing);
static pairingheap asleep = {compare_wakes, NULL, NULL};

static int64 load_not_before = 0;

/* The same moment on both clocks, of this turn. */
static int64 turn_now;
static TimestampTz turn_time;

static int
compare_wakes(const pairingheap_node *a, const pairingheap_node *b, void *arg)
{
	int64		one = pairingheap_const_container(MfLine, wake_node, a)->wake_at;
	int64		other = pairingheap_const_container(MfLine, wake_node, b)->wake_at;

	return one < other ? 1 : one > other ? -1 : 0;
}

/* Rounded up, so that it is over when the clock says so. */
int64
mf_schedule_clock(TimestampTz at)
{
	return at <= turn_time ? turn_now : turn_now + (at - turn_time) / 1000 + 1;
}

/* ---- spots ------------------------------------------------------------------ */

static void
leave_spot(MfLine *line)
{
	if (line->spot == MF_SPOT_ASLEEP)
		pairingheap_remove(&asleep, &line->wake_node);
	else if (line->spot != MF_SPOT_NONE)
		dlist_delete(&line->spot_node);
	line->spot = MF_SPOT_NONE;
}

/* An endpoint shares the room while it has something to send, or under way. */
static void
count_competitor(MfLine *line)
{
	mf_pace_competes(line, line->spot == MF_SPOT_ACTIVE ||
					 line->spot == MF_SPOT_SHARE ||
					 line->endpoint->in_flight > 0);
}

/* Also from one place in a list to its end. */
static void
enter_spot(MfLine *line, MfSpot spot)
{
	leave_spot(line);
	line->spot = spot;
	if (spot == MF_SPOT_ACTIVE)
		dlist_push_tail(&active, &line->spot_node);
	else if (spot == MF_SPOT_SHARE)
		dlist_push_tail(&sharing, &line->spot_node);
	else if (spot == MF_SPOT_ASLEEP)
		pairingheap_add(&asleep, &line->wake_node);
	count_competitor(line);
}

void
mf_schedule_look(MfLine *line)
{
	if (!line->closed && line->spot != MF_SPOT_ACTIVE)
		enter_spot(line, MF_SPOT_ACTIVE);
}

void
mf_schedule_close(MfLine *line)
{
	enter_spot(line, MF_SPOT_NONE);
	if (line->endpoint->in_flight > 0)
		return;
	mf_post_forget(line);
	line->endpoint->line = NULL;
	pfree(line);
}

/* Something has ended, so that one that waits for its share may try. */
static void
look_at_one_that_shares(void)
{
	if (!dlist_is_empty(&sharing))
		mf_schedule_look(dlist_head_element(MfLine, spot_node, &sharing));
}

static void
wake(int64 now)
{
	while (!pairingheap_is_empty(&asleep))
	{
		MfLine	   *line = pairingheap_container(MfLine, wake_node,
												 pairingheap_first(&asleep));

		if (line->wake_at > now)
			break;
		mf_schedule_look(line);
	}
}

/* ---- one endpoint ----------------------------------------------------------- */

/* May this endpoint send one more? */
static MfPace
may_send(MfLine *line, int64 *until)
{
	MfEndpoint *endpoint = line->endpoint;
	MfPace		pace;

	/* What has to happen first leads to another look. */
	if (endpoint->state != MF_ENDPOINT_ACTIVE ||
		endpoint->state_wanted != MF_ENDPOINT_ACTIVE ||
		endpoint->config == NULL)
		return MF_PACE_FULL;
	if (endpoint->aside_until != 0)
	{
		*until = endpoint->aside_until;
		return MF_PACE_LATER;
	}
	pace = mf_breaker_allows(line, until);
	return pace == MF_PACE_GO ? mf_pace_allows(line, turn_now, until) : pace;
}

/* Leaves the round: to where the endpoint has to wait. */
static void
leave_round(MfLine *line, MfPace pace, int64 until)
{
	line->deficit = 0;
	if (pace == MF_PACE_LATER)
	{
		leave_spot(line);
		line->wake_at = until;
		enter_spot(line, MF_SPOT_ASLEEP);
	}
	else
		enter_spot(line, pace == MF_PACE_SHARE ? MF_SPOT_SHARE : MF_SPOT_NONE);
}

static int
cost_of(const MfDelivery *delivery)
{
	int			bytes = delivery->event == NULL ? 0 : delivery->event->body_length;

	return Min(bytes, COST_MAX) + COST_MIN;
}

static void
start(MfDelivery *delivery)
{
	MfLine	   *line = delivery->endpoint->line;

	mf_line_take(delivery);
	mf_pace_started(delivery, turn_now);
	if (line->endpoint->trouble.breaker == MF_BREAKER_PROBING)
		line->probe = delivery;
}

static void
stop(MfDelivery *delivery)
{
	MfLine	   *line = delivery->endpoint->line;

	mf_pace_stopped(delivery);
	if (line->probe == delivery)
		line->probe = NULL;
}

/*
 * One endpoint's visit in a round: chooses up to `room` of its deliveries.
 * It then stands elsewhere, or at the end of the active ones, or still in
 * front because there was no more room.
 */
static int
visit(MfLine *line, MfDelivery **chosen, int room)
{
	int			count = 0;
	int64		until = 0;

	if (!line->visited)
		line->deficit += QUANTUM;
	line->visited = false;
	for (;;)
	{
		MfDelivery *first = mf_line_first(line, turn_time);
		MfPace		pace;

		if (first == NULL)
		{
			TimestampTz due = mf_line_next_due(line);

			leave_round(line, due != 0 ? MF_PACE_LATER : MF_PACE_FULL,
						mf_schedule_clock(due));
			return count;
		}
		pace = may_send(line, &until);
		if (pace == MF_PACE_GO && first->event == NULL &&
			load_not_before > turn_now)
		{
			pace = MF_PACE_LATER;
			until = load_not_before;
		}
		if (pace != MF_PACE_GO)
		{
			leave_round(line, pace, until);
			return count;
		}
		if (cost_of(first) > line->deficit)
		{
			enter_spot(line, MF_SPOT_ACTIVE);
			return count;
		}
		if (count == room)
		{
			line->visited = true;
			return count;
		}
		line->deficit -= cost_of(first);
		start(first);
		chosen[count++] = first;
	}
}

/* ---- over ------------------------------------------------------------------- */

void
mf_schedule_over(MfDelivery *delivery)
{
	MfLine	   *line = delivery->endpoint->line;

	stop(delivery);
	if (line->closed)
		mf_schedule_close(line);
	else if (line->endpoint->queued > 0)
		mf_schedule_look(line);
	else
		count_competitor(line);
	look_at_one_that_shares();
}

void
mf_schedule_return(MfDelivery *delivery)
{
	MfLine	   *line = delivery->endpoint->line;

	if (line->closed)
	{
		/* There is no line to go back to; whoever records it knows. */
		delivery->verdict = MF_VERDICT_RETRY;
		delivery->attempted = false;
		delivery->due_at = 0;
		mf_verdict_pass_on(delivery);
		return;
	}
	stop(delivery);
	mf_line_return(delivery);
	look_at_one_that_shares();
}

/* ---- sending ---------------------------------------------------------------- */

static int
choose(MfDelivery **chosen, int room)
{
	int			count = 0;

	while (count < room)
	{
		if (!dlist_is_empty(&active))
			count += visit(dlist_head_element(MfLine, spot_node, &active),
						   chosen + count, room - count);
		else if (!dlist_is_empty(&sharing) && !mf_pace_is_scarce())
			look_at_one_that_shares();
		else
			break;
	}
	return count;
}

/* One that cannot be read does not keep the others: each by itself, then. */
static void
load_missing(MfDelivery **missing, int count)
{
	MfTry		outcome = mf_events_load(missing, count);

	if (outcome == MF_TRY_DONE)
		return;
	load_not_before = turn_now + PAUSE_MS;
	for (int i = 0; i < count && outcome != MF_TRY_LATER; i++)
	{
		if (count > 1)
			outcome = mf_events_load(&missing[i], 1);
		if (outcome == MF_TRY_FAILED)
			mf_verdict_put_off(missing[i], mf_worker_failure()->message);
	}
}

/*
 * Loads the events of those that have none; what cannot be loaded goes back.
 * How many are left.
 */
static int
load(MfDelivery **chosen, int count)
{
	MfDelivery *missing[LOADS];
	int			left = 0;

	for (int i = 0; i < count && load_not_before <= turn_now;)
	{
		int			missing_count = 0;

		for (; i < count && missing_count < LOADS; i++)
			if (chosen[i]->event == NULL)
				missing[missing_count++] = chosen[i];
		if (missing_count > 0)
			load_missing(missing, missing_count);
	}

	/* Backwards, so that they stand in front again in their order. */
	for (int i = count - 1; i >= 0; i--)
	{
		if (chosen[i]->state == MF_DELIVERY_ENDED)
			mf_verdict_pass_on(chosen[i]);
		else if (chosen[i]->event == NULL)
		{
			load_not_before = turn_now + PAUSE_MS;
			mf_schedule_return(chosen[i]);
		}
		else
			continue;
		chosen[i] = NULL;
	}
	for (int i = 0; i < count; i++)
		if (chosen[i] != NULL)
			chosen[left++] = chosen[i];
	return left;
}

/* Marks those that were chosen, where that is to be; else they go back. */
static bool
mark(MfDelivery **chosen, int count)
{
	if (!mf_life_is_careful() || mf_record_mark(chosen, count))
		return true;
	for (int i = count - 1; i >= 0; i--)
		mf_schedule_return(chosen[i]);
	mf_delivery_due(turn_now + PAUSE_MS);
	return false;
}

/* Is there a delivery that has to be sent apart, and may go? */
static bool
is_anything_apart(void)
{
	dlist_iter	iter;
	int64		until;

	dlist_foreach(iter, &mf_line_apart)
	{
		MfDelivery *delivery = dlist_container(MfDelivery, line_node, iter.cur);

		if (may_send(delivery->endpoint->line, &until) == MF_PACE_GO)
			return true;
	}
	return false;
}

/*
 * Those that have ended programs, each in one of its own; while the worker is
 * careful, with nothing else under way.
 */
static void
send_apart(void)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &mf_line_apart)
	{
		MfDelivery *delivery = dlist_container(MfDelivery, line_node, iter.cur);
		MfLine	   *line = delivery->endpoint->line;
		MfSender   *sender;
		int64		until;

		if (mf_pace_room() == 0 ||
			(mf_life_is_careful() && mf_senders_in_flight() > 0))
			return;
		switch (may_send(line, &until))
		{
			case MF_PACE_GO:
				break;
			case MF_PACE_LATER:
				mf_delivery_due(until);
				continue;
			case MF_PACE_FULL:
			case MF_PACE_SHARE:
				continue;
		}
		sender = mf_senders_find_apart(turn_now);
		if (sender == NULL)
			return;
		start(delivery);
		if (delivery->crashes < MF_CRASHES_MAX && !mark(&delivery, 1))
			return;
		if (load(&delivery, 1) == 1)
		{
			if (delivery->crashes >= MF_CRASHES_MAX)
				mf_verdict_condemn(delivery);
			else
				(void) mf_request_send(sender, &delivery, 1);
		}
		mf_post_flush(sender, turn_now);
	}
}

static void
send_all(MfSender *sender, int64 now)
{
	MfDelivery *chosen[BATCH];
	int			room;
	int			count;

	for (;;)
	{
		room = Min(mf_pace_room(), mf_senders_slots() - sender->under_way);
		if (sender->child.state != MF_CHILD_READY || sender->blocked)
			return;
		count = choose(chosen, Min(room, BATCH));
		if (count == 0 || !mark(chosen, count))
			return;
		count = load(chosen, count);
		if (!mf_request_send(sender, chosen, count))
		{
			mf_delivery_due(now + PAUSE_MS);
			return;
		}
		mf_worker_check();
		if (mf_wait_now() - now > TURN_MS)
		{
			mf_delivery_due(now);
			return;
		}
	}
}

void
mf_schedule_turn(int64 now)
{
	turn_now = now;
	turn_time = GetCurrentTimestamp();

	mf_senders_need_main(now);
	wake(now);
	look_at_one_that_shares();
	if (mf_record_waiting() > UNRECORDED_MAX)
		mf_delivery_due(now + UNRECORDED_MS);
	else
	{
		/* Where the worker is careful, those wait for all others to end. */
		if (!mf_life_is_careful() || !is_anything_apart())
			send_all(mf_senders_main(), now);
		send_apart();
	}
	mf_post_flush(mf_senders_main(), now);
	if (!pairingheap_is_empty(&asleep))
		mf_delivery_due(pairingheap_container(MfLine, wake_node,
											  pairingheap_first(&asleep))->wake_at);
}
