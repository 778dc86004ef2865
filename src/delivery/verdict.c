/*
 * verdict.c
 *		What an outcome means.
 *
 *		2xx						delivered
 *		400, 413, 415, 422		the receiver cannot use this content: few tries
 *		410						nobody is there any more: the endpoint pauses
 *		anything else			another try, until the schedule is used up
 *
 * Retry-After (RFC 9110, section 10.2.3) puts the next try off; with 429 and
 * 503 it is about the endpoint, so nothing is sent there until then.
 */
#include "postgres.h"

#include "line.h"
#include "mb/pg_wchar.h"
#include "utils/timestamp.h"

#define CONTENT_TRIES		5
#define RETRY_AFTER_MAX_S	(24 * 3600)

/* Bytes of a response that are kept where it was delivered. */
#define RESPONSE_KEPT		256

/* The second and later tries alone, after the program ended again. */
#define CRASH_PAUSE_MS		10000

/* An event that cannot be read is read again after a while. */
#define UNREADABLE_PAUSE_MS	300000

#define REASON_SCHEDULE		"every try of the schedule failed"
#define REASON_CONTENT		"the receiver does not accept its content"
#define REASON_CRASH		"it ended the sender every time"
#define REASON_LIVES		"it ended the delivery worker or the sender every time"
#define REASON_GONE			"410 Gone"

typedef enum MfMeaning
{
	MF_MEANS_DELIVERED,
	MF_MEANS_CONTENT,
	MF_MEANS_GONE,
	MF_MEANS_FAILED
} MfMeaning;

static MfMeaning
meaning_of(int status)
{
	if (status >= 200 && status <= 299)
		return MF_MEANS_DELIVERED;
	switch (status)
	{
		case 400:
		case 413:
		case 415:
		case 422:
			return MF_MEANS_CONTENT;
		case 410:
			return MF_MEANS_GONE;
		default:
			return MF_MEANS_FAILED;
	}
}

/* ---- texts ------------------------------------------------------------------ */

/*
 * Characters that a terminal would act upon, and what is not UTF-8, become
 * question marks; a character that the end cuts is left out.
 */
static char *
harmless(const char *bytes, int length)
{
	const unsigned char *from = (const unsigned char *) bytes;
	char	   *made = MemoryContextAlloc(mf_delivery_context, length + 1);
	char	   *to = made;

	while (length > 0)
	{
		int			size = pg_utf_mblen(from);
		bool		control;

		if (size > length || !pg_utf8_islegal(from, size))
		{
			/* The rest may be the beginning of one. */
			if (size > length && length < 4 && IS_HIGHBIT_SET(*from))
				break;
			size = 1;
			control = true;
		}
		else
			control = (*from < 0x20 && *from != '\n' && *from != '\t') ||
				*from == 0x7f || (*from == 0xc2 && from[1] < 0xa0);
		if (control)
			*to++ = '?';
		else
		{
			memcpy(to, from, size);
			to += size;
		}
		from += size;
		length -= size;
	}
	*to = '\0';
	return made;
}

void
mf_verdict_clear(MfDelivery *delivery)
{
	if (delivery->error != NULL)
		pfree(delivery->error);
	if (delivery->response != NULL)
		pfree(delivery->response);
	delivery->error = NULL;
	delivery->response = NULL;
}

static void
set_error(MfDelivery *delivery, const char *error)
{
	if (error[0] != '\0')
		delivery->error = harmless(error, Min((int) strlen(error), MF_SENDER_ERROR));
}

static void
take_texts(MfDelivery *delivery, const MfOutcome *outcome, MfMeaning meaning)
{
	int			length = Min((int) outcome->response_length, MF_SENDER_RESPONSE);

	if (meaning == MF_MEANS_DELIVERED)
		length = Min(length, RESPONSE_KEPT);
	if (length > 0)
		delivery->response = harmless(outcome->response, length);
	if (outcome->error[0] != '\0')
		set_error(delivery, outcome->error);
	else if (outcome->kind != MF_OUTCOME_ANSWERED)
		set_error(delivery, mf_outcome_kind_name(outcome->kind));
}

/* ---- endings ---------------------------------------------------------------- */

/* All that ends comes through here, once. */
static void
finish(MfDelivery *delivery)
{
	delivery->state = MF_DELIVERY_ENDED;
	mf_line_ended(delivery);
	mf_schedule_over(delivery);
	mf_record_add(delivery);
}

static void
clear_for_end(MfDelivery *delivery)
{
	mf_verdict_clear(delivery);
	delivery->reason = NULL;
	delivery->status = 0;
	delivery->duration_us = 0;
	delivery->attempted = false;
	delivery->uncounted = false;
}

static void
retry_in(MfDelivery *delivery, int64 ms)
{
	delivery->verdict = MF_VERDICT_RETRY;
	delivery->due_at = GetCurrentTimestamp() + ms * 1000;
}

static void
die(MfDelivery *delivery, const char *reason)
{
	delivery->verdict = MF_VERDICT_DEAD;
	delivery->reason = reason;
}

/*
 * The next try, if there is one.  schedule_ms[n] is the pause before the try
 * that n others came before.
 */
static void
decide_failure(MfDelivery *delivery, bool content, int64 retry_after_ms)
{
	const MfEndpointConfig *config = delivery->endpoint->config;
	int			tries = delivery->attempts + 1;

	if (tries >= config->schedule_count)
		die(delivery, content ? REASON_CONTENT : REASON_SCHEDULE);
	else if (content && tries >= CONTENT_TRIES)
		die(delivery, REASON_CONTENT);
	else
		retry_in(delivery, Max(mf_breaker_jitter(config->schedule_ms[tries]),
							   retry_after_ms));
}

/*
 * 410: whoever resumes the endpoint finds the delivery first in line, with the
 * tries it had, however often that happens.
 */
static void
decide_gone(MfDelivery *delivery)
{
	MfEndpoint *endpoint = delivery->endpoint;

	delivery->uncounted = true;
	retry_in(delivery, 0);
	if (endpoint->state == MF_ENDPOINT_ACTIVE &&
		endpoint->state_wanted == MF_ENDPOINT_ACTIVE)
	{
		endpoint->state_wanted = MF_ENDPOINT_PAUSED;
		endpoint->state_reason = REASON_GONE;
	}
}

/* Does this say that the endpoint cannot take so much? */
static bool
is_too_much(const MfOutcome *outcome)
{
	return outcome->kind == MF_OUTCOME_TIMEOUT ||
		outcome->kind == MF_OUTCOME_CONNECT ||
		outcome->status == 429 || outcome->status == 503;
}

/* What the endpoint's other deliveries are to learn from an outcome. */
static void
teach(MfDelivery *delivery, const MfOutcome *outcome, MfMeaning meaning,
	  int64 retry_after_ms)
{
	MfLine	   *line = delivery->endpoint->line;
	char		status[32];
	const char *error = delivery->error;
	MfHealth	health = MF_HEALTH_REFUSED;

	if (meaning == MF_MEANS_DELIVERED)
		health = MF_HEALTH_GOOD;
	else if (outcome->kind != MF_OUTCOME_ANSWERED || outcome->status >= 500)
		health = MF_HEALTH_BAD;
	if (error == NULL)
	{
		snprintf(status, sizeof(status), "status %d", delivery->status);
		error = status;
	}

	mf_pace_hangs(line, outcome->kind == MF_OUTCOME_TIMEOUT);
	if (meaning == MF_MEANS_DELIVERED)
		mf_pace_grow(line);
	else if (is_too_much(outcome))
		mf_pace_halve(line, delivery);
	if (retry_after_ms > 0 && (outcome->status == 429 || outcome->status == 503))
		mf_pace_hold(line, retry_after_ms);
	mf_breaker_note(delivery, health, error);
}

/* The outcome of a request, of a delivery that is SENDING. */
void
mf_verdict_give(MfDelivery *delivery, const MfOutcome *outcome)
{
	MfMeaning	meaning = meaning_of((int) outcome->status);
	int64		retry_after_ms = 0;

	if (outcome->retry_after_s > 0)
		retry_after_ms = Min(outcome->retry_after_s, RETRY_AFTER_MAX_S) * INT64CONST(1000);

	clear_for_end(delivery);
	delivery->attempted = true;
	delivery->crashes = 0;
	delivery->status = (int) outcome->status;
	delivery->duration_us = outcome->duration_us;
	take_texts(delivery, outcome, meaning);

	switch (meaning)
	{
		case MF_MEANS_DELIVERED:
			delivery->verdict = MF_VERDICT_DELIVERED;
			break;
		case MF_MEANS_GONE:
			decide_gone(delivery);
			break;
		case MF_MEANS_CONTENT:
		case MF_MEANS_FAILED:
			decide_failure(delivery, meaning == MF_MEANS_CONTENT, retry_after_ms);
			break;
	}
	teach(delivery, outcome, meaning, retry_after_ms);
	finish(delivery);
}

/*
 * Its content could not be made.  That says nothing about the endpoint, but
 * that it does not get its events.
 */
void
mf_verdict_refuse(MfDelivery *delivery, const char *error)
{
	clear_for_end(delivery);
	delivery->attempted = true;
	delivery->sent_at = GetCurrentTimestamp();
	set_error(delivery, error);
	decide_failure(delivery, true, 0);
	mf_breaker_note(delivery, MF_HEALTH_UNKNOWN,
					delivery->error != NULL ? delivery->error : "no body");
	finish(delivery);
}

/*
 * Its program ended.  Once is no reason to do anything but to send it again.
 * What that happens to twice is sent alone from then on, where it does no harm
 * to others, and where nothing but itself can be the cause, unless somebody
 * kills programs: then it is an attempt that failed.
 */
void
mf_verdict_lose(MfDelivery *delivery, MfLoss loss, bool apart)
{
	if (apart && loss == MF_LOSS_KILLED)
	{
		clear_for_end(delivery);
		delivery->attempted = true;
		set_error(delivery, "mesflow-sender was killed");
		decide_failure(delivery, false, 0);
		finish(delivery);
		return;
	}

	delivery->crashes++;
	if (delivery->crashes < MF_CRASHES_APART)
	{
		mf_schedule_return(delivery);
		return;
	}
	clear_for_end(delivery);
	set_error(delivery, "mesflow-sender ended");
	if (delivery->crashes >= MF_CRASHES_MAX)
		die(delivery, REASON_CRASH);
	else
		retry_in(delivery, apart ? CRASH_PAUSE_MS : 0);
	finish(delivery);
}

/* It has ended this worker, too, so nobody could say so. */
void
mf_verdict_condemn(MfDelivery *delivery)
{
	clear_for_end(delivery);
	set_error(delivery, "the delivery worker ended");
	die(delivery, REASON_LIVES);
	finish(delivery);
}

/*
 * The event is there, but reading it is an error.  That may be the server's, and
 * a dead letter needs the event: so it is not given up, and this is no attempt.
 */
void
mf_verdict_put_off(MfDelivery *delivery, const char *error)
{
	clear_for_end(delivery);
	set_error(delivery, error);
	retry_in(delivery, mf_breaker_jitter(UNREADABLE_PAUSE_MS));
	delivery->state = MF_DELIVERY_ENDED;
}

void
mf_verdict_pass_on(MfDelivery *delivery)
{
	finish(delivery);
}
