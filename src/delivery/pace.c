/*
 * pace.c
 *		How much an endpoint takes: its window, its rate, its share.
 *
 * A window says how many requests may be under way.  It grows by one for each
 * windowful of successes and is halved where the endpoint is too slow, or says
 * so: additive increase, multiplicative decrease, as in TCP.  After a breaker
 * it starts from one and grows with each success.
 *
 * While more than half of all requests that may be under way are, an endpoint
 * has no more than its share of them.  So those that hang have at most the
 * other half and a share each; and where they are so many that this is all,
 * a quarter is still kept for the rest.
 */
#include "postgres.h"

#include "guc.h"
#include "line.h"
#include "senders.h"
#include "storage/ipc.h"
#include "utils/timestamp.h"

#define FIRST_WINDOW	4

/* Who answers later than this gets fewer at a time. */
#define SLOW_MS			1000
#define SLOW_WINDOW		8

/* Those whose last request timed out have so many of four requests together. */
#define HANGING_QUARTERS	3

/* Requests under way while the worker is careful: see life.c. */
#define CAREFUL_MAX		16

/* What a bucket holds: so many seconds of the rate. */
#define BURST_S			0.1

static int	under_way = 0;
static int	competing = 0;
static int	hanging_under_way = 0;

/* Entries of mf_shared->in_flight that are free. */
static int	unshown[MF_IN_FLIGHT_MAX];
static int	unshown_count = 0;

/* What others see of a process that is gone. */
static void
show_nothing(int code, Datum arg)
{
	for (int i = 0; i < MF_IN_FLIGHT_MAX; i++)
	{
		pg_atomic_write_u32(&mf_shared->in_flight[i].number, 0);
		pg_atomic_write_u32(&mf_shared->in_flight[i].count, 0);
	}
}

void
mf_pace_init(void)
{
	show_nothing(0, (Datum) 0);
	before_shmem_exit(show_nothing, (Datum) 0);
	for (int i = 0; i < MF_IN_FLIGHT_MAX; i++)
		unshown[unshown_count++] = i;
}

void
mf_pace_open(MfLine *line)
{
	dlist_init(&line->sending);
	line->window = FIRST_WINDOW;
	line->shown = -1;
}

/* Shows how many are under way: each endpoint has an entry while any are. */
static void
show(MfLine *line)
{
	MfInFlight *entry;
	int			count = line->endpoint->in_flight;

	if (line->shown < 0)
	{
		if (count == 0 || unshown_count == 0)
			return;
		line->shown = unshown[--unshown_count];
		entry = &mf_shared->in_flight[line->shown];
		pg_atomic_write_u32(&entry->count, count);
		pg_write_barrier();
		pg_atomic_write_u32(&entry->number, line->endpoint->number);
		return;
	}
	entry = &mf_shared->in_flight[line->shown];
	if (count == 0)
	{
		pg_atomic_write_u32(&entry->number, 0);
		unshown[unshown_count++] = line->shown;
		line->shown = -1;
	}
	pg_atomic_write_u32(&entry->count, count);
}

int
mf_senders_in_flight(void)
{
	return under_way;
}

/* How many may be under way: what is set, as far as the program goes along. */
static int
most_at_once(void)
{
	return Min(mf_guc_delivery_max_in_flight, mf_senders_slots());
}

/* How many more may be sent to all endpoints together. */
int
mf_pace_room(void)
{
	int			most = most_at_once();

	if (mf_life_is_careful())
		most = Min(most, CAREFUL_MAX);
	return Max(most - under_way, 0);
}

/* Would one more leave less than half of the room? */
bool
mf_pace_is_scarce(void)
{
	return 2 * (under_way + 1) > most_at_once();
}

/* Those that compete have equal shares. */
void
mf_pace_competes(MfLine *line, bool competes)
{
	if (line->competes != competes)
		competing += competes ? 1 : -1;
	line->competes = competes;
}

/* Its last request timed out, or did not. */
void
mf_pace_hangs(MfLine *line, bool hangs)
{
	if (line->hangs != hangs)
		hanging_under_way += hangs ? line->endpoint->in_flight : -line->endpoint->in_flight;
	line->hangs = hangs;
}

static bool
hang_too_many(void)
{
	return hanging_under_way > 0 &&
		4 * (hanging_under_way + 1) > HANGING_QUARTERS * most_at_once();
}

/* The window, within what the endpoint's settings and its slowness allow. */
static int
allowed_window(const MfLine *line, int64 now)
{
	int			window = Min(line->window, line->endpoint->config->max_in_flight);

	if (!dlist_is_empty((dlist_head *) &line->sending))
	{
		const MfDelivery *oldest = dlist_container(MfDelivery, line_node,
												   line->sending.head.next);

		if (now - oldest->started > SLOW_MS)
			window = Min(window, SLOW_WINDOW);
	}
	return Max(window, 1);
}

/* A bucket fills at the rate; a request takes one out of it. */
static void
fill_bucket(MfLine *line, int64 now)
{
	double		rate = line->endpoint->config->rate_per_second;
	double		most = Max(1, rate * BURST_S);

	if (line->tokens_at == 0)
		line->tokens = most;
	else
		line->tokens += (now - line->tokens_at) * rate / 1000;
	line->tokens = Min(line->tokens, most);
	line->tokens_at = now;
}

MfPace
mf_pace_allows(MfLine *line, int64 now, int64 *until)
{
	MfEndpoint *endpoint = line->endpoint;
	double		rate = endpoint->config->rate_per_second;

	if (endpoint->trouble.hold_until != 0 &&
		endpoint->trouble.hold_until > GetCurrentTimestamp())
	{
		*until = mf_schedule_clock(endpoint->trouble.hold_until);
		return MF_PACE_LATER;
	}
	if (endpoint->in_flight >= allowed_window(line, now))
		return MF_PACE_FULL;
	if (mf_pace_is_scarce() &&
		endpoint->in_flight >= Max(1, most_at_once() / Max(competing, 1)))
		return MF_PACE_SHARE;
	if (line->hangs && hang_too_many())
		return MF_PACE_SHARE;
	if (rate > 0)
	{
		fill_bucket(line, now);
		if (line->tokens < 1)
		{
			*until = now + 1 + (int64) Min((1 - line->tokens) * 1000 / rate, 60000.0);
			return MF_PACE_LATER;
		}
	}
	return MF_PACE_GO;
}

/* Counts one that was taken out of line. */
void
mf_pace_started(MfDelivery *delivery, int64 now)
{
	MfLine	   *line = delivery->endpoint->line;

	under_way++;
	hanging_under_way += line->hangs;
	delivery->endpoint->in_flight++;
	delivery->started = now;
	dlist_push_tail(&line->sending, &delivery->line_node);
	if (line->endpoint->config->rate_per_second > 0)
		line->tokens -= 1;
	mf_pace_competes(line, true);
	show(line);
}

void
mf_pace_stopped(MfDelivery *delivery)
{
	MfLine	   *line = delivery->endpoint->line;

	under_way--;
	hanging_under_way -= line->hangs;
	delivery->endpoint->in_flight--;
	dlist_delete(&delivery->line_node);

	/* It was chosen, but not sent. */
	if (delivery->state == MF_DELIVERY_WAITING)
		line->tokens += 1;
	show(line);
}

/* A success. */
void
mf_pace_grow(MfLine *line)
{
	int			most = Max(line->endpoint->config->max_in_flight, 1);

	/* What is not used says nothing about what would be too much. */
	if (line->window >= most || 2 * line->endpoint->in_flight < line->window)
	{
		line->slow_start = line->slow_start && line->window < most;
		return;
	}
	if (line->slow_start || ++line->successes >= line->window)
	{
		line->window++;
		line->successes = 0;
	}
}

/* Too much: once for all that were under way together. */
void
mf_pace_halve(MfLine *line, const MfDelivery *delivery)
{
	if (line->halved_at != 0 && delivery->started < line->halved_at)
		return;
	line->window = Min(line->window, Max(line->endpoint->config->max_in_flight, 1));
	line->window = Max(line->window / 2, 1);
	line->halved_at = mf_wait_now();
	line->slow_start = false;
	line->successes = 0;
}

/* It works again: begins from one request. */
void
mf_pace_restart(MfLine *line)
{
	line->window = 1;
	line->slow_start = true;
	line->successes = 0;
}

/* Sends nothing for so long, also in another life of this worker. */
void
mf_pace_hold(MfLine *line, int64 ms)
{
	MfTrouble  *trouble = &line->endpoint->trouble;

	trouble->hold_until = Max(trouble->hold_until, GetCurrentTimestamp() + ms * 1000);
	line->endpoint->trouble_dirty = true;
}
