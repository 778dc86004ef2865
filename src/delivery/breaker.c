/*
 * breaker.c
 *		When to leave an endpoint alone.
 *
 *				 fails: 10 in a row, or 70 % of 20 in a minute
 *		CLOSED ────────────────────────────────────────────► OPEN ◄────┐
 *		   ▲												  │ time	 │ it
 *		   │		  it answers							  ▼		 │ fails
 *		   └───────────────────────────────────────────── PROBING ─────┘
 *
 * While OPEN nothing is sent, and what waits loses no attempt.  Then one
 * request shows whether it works again, the one that is due for longest.  The
 * pause doubles each time: 15 s to 15 min.  Whoever resumes an endpoint, also
 * one that is active, closes it at once.
 *
 * Only what says that the endpoint does not work counts here: no answer, or
 * 5xx.  An endpoint that fails for days in whatever way is switched off.
 *
 * All of it stands in _endpoint_troubles too, so that a restart changes
 * nothing.
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "line.h"
#include "utils/timestamp.h"

#define FAILURES_IN_ROW		10
#define RESULTS_MIN			20
#define FAILED_PERCENT		70

#define PAUSE_MIN_MS		INT64CONST(15000)
#define PAUSE_MAX_MS		INT64CONST(900000)
#define JITTER				0.2

/* So many answers after it closed, and the next pause is the first again. */
#define ANSWERS_TO_FORGET	10

#define DISABLE_AFTER_MS	(5 * 24 * 3600 * INT64CONST(1000))
#define DISABLE_FAILURES	50

int64
mf_breaker_jitter(int64 ms)
{
	double		factor = 1 - JITTER + 2 * JITTER * pg_prng_double(&pg_global_prng_state);

	return (int64) (ms * factor);
}

static void
set_state(MfEndpoint *endpoint, MfBreakerState state)
{
	endpoint->trouble.breaker = state;
	if (state != MF_BREAKER_OPEN)
		endpoint->trouble.breaker_until = 0;
	endpoint->trouble_dirty = true;
}

/* ---- counting --------------------------------------------------------------- */

static void
count_result(MfLine *line, bool failed)
{
	int64		number = mf_wait_now() / MF_SLICE_MS;
	MfSlice    *slice = &line->slices[number % MF_SLICES];

	if (slice->number != number)
	{
		slice->number = number;
		slice->results = 0;
		slice->failures = 0;
	}
	slice->results++;
	slice->failures += failed;
	line->failures_in_row = failed ? line->failures_in_row + 1 : 0;
}

static bool
fails_mostly(const MfLine *line)
{
	int64		oldest = mf_wait_now() / MF_SLICE_MS - MF_SLICES;
	int			results = 0;
	int			failures = 0;

	for (int i = 0; i < MF_SLICES; i++)
	{
		if (line->slices[i].number <= oldest)
			continue;
		results += line->slices[i].results;
		failures += line->slices[i].failures;
	}
	return results >= RESULTS_MIN && failures * 100 >= results * FAILED_PERCENT;
}

static void
forget_results(MfLine *line)
{
	memset(line->slices, 0, sizeof(line->slices));
	line->failures_in_row = 0;
	line->successes_in_row = 0;
}

/* ---- opening and closing ----------------------------------------------------- */

static void
open_breaker(MfLine *line)
{
	MfEndpoint *endpoint = line->endpoint;
	MfTrouble  *trouble = &endpoint->trouble;
	int64		pause = PAUSE_MIN_MS;

	for (int i = 0; i < trouble->opened && pause < PAUSE_MAX_MS; i++)
		pause *= 2;
	pause = mf_breaker_jitter(Min(pause, PAUSE_MAX_MS));
	if (trouble->opened == 0)
		ereport(LOG,
				(errhidecontext(true),
				 errmsg("endpoint \"%s\" does not work: %s", endpoint->name,
						trouble->last_error),
				 errdetail("It is left alone for %d seconds, later for longer.",
						   (int) (pause / 1000))));
	trouble->breaker_until = GetCurrentTimestamp() + pause * 1000;
	trouble->opened++;
	set_state(endpoint, MF_BREAKER_OPEN);
	forget_results(line);
}

static void
close_breaker(MfLine *line)
{
	ereport(LOG,
			(errhidecontext(true),
			 errmsg("endpoint \"%s\" answers again", line->endpoint->name)));
	set_state(line->endpoint, MF_BREAKER_CLOSED);
	forget_results(line);
	mf_pace_restart(line);
}

/* May something be sent, as far as the breaker is concerned? */
MfPace
mf_breaker_allows(MfLine *line, int64 *until)
{
	MfTrouble  *trouble = &line->endpoint->trouble;

	switch (trouble->breaker)
	{
		case MF_BREAKER_CLOSED:
			return MF_PACE_GO;
		case MF_BREAKER_OPEN:
			if (trouble->breaker_until > GetCurrentTimestamp())
			{
				*until = mf_schedule_clock(trouble->breaker_until);
				return MF_PACE_LATER;
			}
			set_state(line->endpoint, MF_BREAKER_PROBING);
			break;
		case MF_BREAKER_PROBING:
			break;
	}
	return line->probe == NULL ? MF_PACE_GO : MF_PACE_FULL;
}

/* ---- results ------------------------------------------------------------------ */

static void
note_failure(MfEndpoint *endpoint, const MfDelivery *delivery, const char *error)
{
	MfTrouble  *trouble = &endpoint->trouble;

	trouble->last_error_at = GetCurrentTimestamp();
	trouble->last_status = delivery->status;
	strlcpy(trouble->last_error, error, sizeof(trouble->last_error));
	if (trouble->failing_since == 0)
	{
		trouble->failing_since = trouble->last_error_at;
		trouble->failures = 0;
	}
	if (trouble->failures < PG_INT32_MAX)
		trouble->failures++;
	endpoint->trouble_dirty = true;

	if (trouble->failures >= DISABLE_FAILURES &&
		trouble->last_error_at - trouble->failing_since >= DISABLE_AFTER_MS * 1000 &&
		endpoint->state == MF_ENDPOINT_ACTIVE &&
		endpoint->state_wanted == MF_ENDPOINT_ACTIVE)
	{
		endpoint->state_wanted = MF_ENDPOINT_DISABLED;
		endpoint->state_reason = "nothing was delivered for 5 days";
	}
}

static void
note_success(MfLine *line)
{
	MfTrouble  *trouble = &line->endpoint->trouble;

	if (trouble->failing_since != 0)
	{
		trouble->failing_since = 0;
		trouble->failures = 0;
		line->endpoint->trouble_dirty = true;
	}
}

/* It answered: after some answers the next pause is the first again. */
static void
note_answer(MfLine *line)
{
	MfTrouble  *trouble = &line->endpoint->trouble;

	line->successes_in_row++;
	if (trouble->opened > 0 && trouble->breaker == MF_BREAKER_CLOSED &&
		line->successes_in_row >= ANSWERS_TO_FORGET)
	{
		trouble->opened = 0;
		line->endpoint->trouble_dirty = true;
	}
}

/*
 * An attempt has ended so.  While the breaker is open, what was still under
 * way changes nothing about it.
 */
void
mf_breaker_note(MfDelivery *delivery, MfHealth health, const char *error)
{
	MfEndpoint *endpoint = delivery->endpoint;
	MfLine	   *line = endpoint->line;
	bool		is_probe = line->probe == delivery;

	if (health == MF_HEALTH_GOOD)
		note_success(line);
	else
		note_failure(endpoint, delivery, error);
	if (health == MF_HEALTH_UNKNOWN)
		return;
	if (health == MF_HEALTH_BAD)
		line->successes_in_row = 0;
	else
		note_answer(line);

	if (endpoint->trouble.breaker == MF_BREAKER_PROBING && is_probe)
	{
		if (health == MF_HEALTH_BAD)
			open_breaker(line);
		else
			close_breaker(line);
	}
	else if (endpoint->trouble.breaker == MF_BREAKER_CLOSED)
	{
		count_result(line, health == MF_HEALTH_BAD);
		if (line->failures_in_row >= FAILURES_IN_ROW || fails_mostly(line))
			open_breaker(line);
	}
}

/* As if nothing had failed before, but for how many it is trusted with. */
static void
begin_anew(MfLine *line)
{
	MfEndpoint *endpoint = line->endpoint;
	MfTrouble  *trouble = &endpoint->trouble;

	if (trouble->breaker != MF_BREAKER_CLOSED)
		mf_pace_restart(line);
	set_state(endpoint, MF_BREAKER_CLOSED);
	trouble->opened = 0;
	trouble->failing_since = 0;
	trouble->failures = 0;
	trouble->hold_until = 0;
	forget_results(line);
}

/*
 * Settings or state were read again.  Whoever resumes an endpoint wants a new
 * beginning; other settings are worth a try at once.
 */
void
mf_breaker_changed(MfEndpoint *endpoint)
{
	MfLine	   *line = endpoint->line;

	if (endpoint->state == MF_ENDPOINT_ACTIVE &&
		line->seen_state != MF_ENDPOINT_ACTIVE)
		begin_anew(line);
	else if (endpoint->version != line->seen_version)
	{
		if (endpoint->trouble.breaker == MF_BREAKER_OPEN)
			set_state(endpoint, MF_BREAKER_PROBING);
		if (endpoint->trouble.hold_until != 0)
			endpoint->trouble_dirty = true;
		endpoint->trouble.hold_until = 0;
	}
	line->seen_state = endpoint->state;
	line->seen_version = endpoint->version;
}

void
mf_breaker_resumed(MfEndpoint *endpoint)
{
	if (endpoint->line == NULL || endpoint->line->closed ||
		endpoint->state != MF_ENDPOINT_ACTIVE)
		return;
	begin_anew(endpoint->line);
	mf_schedule_look(endpoint->line);
}
