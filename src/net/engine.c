/*
 * engine.c
 *		Sends requests; see engine.h.
 */
#include "engine.h"

#include "resolve.h"
#include "transfer.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libcurl's own timeout has so long before ours. */
#define GRACE_US		INT64_C(1000000)

struct MfEngine
{
	MfEngineOptions options;
	MfPoller   *poller;
	MfResolver *resolver;
	MfMulti		multi;
	bool		broken;
	int64_t		overdue_at;		/* no RUNNING one is overdue before that */
	unsigned int under_way;
	MfTransfer *resolving;
	MfPool		pool;
	MfOutcome	outcome;
	MfDestination *targets[MF_SENDER_TARGETS];
};

MfPoller *
mf_engine_poller(MfEngine *engine)
{
	return engine->poller;
}

/* ---- leaving ------------------------------------------------------------- */

/* One reference less; idle transfers that are set up for it hold none. */
static void
let_go(MfEngine *engine, MfDestination *destination)
{
	if (destination->references == 1)
		mf_pool_forget(&engine->pool, destination);
	mf_destination_release(destination);
}

static void
stop_resolving(MfTransfer *transfer)
{
	mf_resolver_leave(&transfer->waiter);
	if (transfer->previous_resolving != NULL)
		transfer->previous_resolving->next_resolving = transfer->next_resolving;
	else
		transfer->engine->resolving = transfer->next_resolving;
	if (transfer->next_resolving != NULL)
		transfer->next_resolving->previous_resolving =
			transfer->previous_resolving;
	transfer->next_resolving = NULL;
	transfer->previous_resolving = NULL;
}

/* Takes it out of whatever it is in. */
static void
detach(MfTransfer *transfer)
{
	if (transfer->state == MF_TRANSFER_RESOLVING)
		stop_resolving(transfer);
	else if (transfer->state == MF_TRANSFER_RUNNING)
		(void) curl_multi_remove_handle(transfer->engine->multi.curl,
										transfer->easy);
	transfer->state = MF_TRANSFER_IDLE;
}

/* ---- targets ------------------------------------------------------------ */

bool
mf_engine_target(MfEngine *engine, const MfTarget *target)
{
	MfDestination *destination = mf_destination_create(target);

	if (destination == NULL)
		return false;
	mf_engine_forget(engine, target->number);
	engine->targets[target->number] = destination;
	return true;
}

void
mf_engine_forget(MfEngine *engine, uint32_t number)
{
	MfDestination *destination = engine->targets[number];

	if (destination == NULL)
		return;
	engine->targets[number] = NULL;
	let_go(engine, destination);
}

/* ---- beginning and end -------------------------------------------------- */

MfEngine *
mf_engine_create(MfPoller *poller, const MfEngineOptions *options)
{
	MfEngine   *engine = calloc(1, sizeof(*engine));

	if (engine == NULL)
		return NULL;
	engine->options = *options;
	engine->poller = poller;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
	{
		free(engine);
		return NULL;
	}
	engine->resolver = mf_resolver_create(poller, options->test_dns_port,
										  options->test_dns_tcp_port, NULL);
	engine->overdue_at = INT64_MAX;
	if (engine->resolver != NULL && mf_multi_open(&engine->multi, poller))
		return engine;
	mf_engine_free(engine);
	return NULL;
}

void
mf_engine_free(MfEngine *engine)
{
	if (engine == NULL)
		return;

	for (unsigned int i = 0; i < engine->pool.count; i++)
	{
		MfTransfer *transfer = engine->pool.all[i];

		if (transfer->destination == NULL)
			continue;
		detach(transfer);
		mf_transfer_clear(transfer);
		mf_pool_give(&engine->pool, transfer);
		let_go(engine, transfer->destination);
	}
	for (uint32_t i = 0; i < MF_SENDER_TARGETS; i++)
		mf_engine_forget(engine, i);
	mf_pool_free(&engine->pool);
	mf_multi_close(&engine->multi);
	mf_resolver_free(engine->resolver);
	curl_global_cleanup();
	free(engine);
}

void
mf_engine_libraries(char *text, size_t size)
{
	const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);

	snprintf(text, size, "libcurl/%s %s nghttp2/%s c-ares/%s", curl->version,
			 curl->ssl_version != NULL ? curl->ssl_version : "no TLS",
			 curl->nghttp2_version != NULL ? curl->nghttp2_version : "none",
			 mf_resolver_version());
}

unsigned int
mf_engine_slots(const MfEngine *engine)
{
	return engine->multi.slots;
}

unsigned int
mf_engine_under_way(const MfEngine *engine)
{
	return engine->under_way;
}

/* ---- requests ----------------------------------------------------------- */

/* The outcome is engine->outcome; tells it, and the slot is free. */
static void
finish(MfTransfer *transfer)
{
	MfEngine   *engine = transfer->engine;
	MfDestination *destination = transfer->destination;
	const int64_t duration = mf_now_us() - transfer->started;

	detach(transfer);
	engine->outcome.tag = transfer->tag;
	engine->outcome.duration_us = duration < UINT32_MAX ?
		(uint32_t) duration : UINT32_MAX;
	mf_transfer_clear(transfer);
	transfer->destination = NULL;
	mf_pool_give(&engine->pool, transfer);
	let_go(engine, destination);
	engine->under_way--;
	engine->options.done(engine->options.arg, &engine->outcome);
}

/* Ends a request that libcurl has not, or no longer. */
#define finish_saying(transfer, ...) \
	(forget_answer((transfer)->engine), \
	 mf_verdict_say(&(transfer)->engine->outcome, __VA_ARGS__), \
	 finish(transfer))

static void
forget_answer(MfEngine *engine)
{
	engine->outcome.reused = false;
	engine->outcome.response_length = 0;
}

/* Gives the request to libcurl. */
static void
run(MfTransfer *transfer, const MfAddress *address)
{
	MfEngine   *engine = transfer->engine;

	if (!mf_transfer_configure(transfer, address))
	{
		transfer->configured = NULL;
		finish_saying(transfer, MF_OUTCOME_CONFIG,
					  "the request cannot be made");
		return;
	}
	if (curl_multi_add_handle(engine->multi.curl, transfer->easy) != CURLM_OK)
	{
		engine->broken = true;
		return;
	}
	transfer->state = MF_TRANSFER_RUNNING;
	if (transfer->deadline + GRACE_US < engine->overdue_at)
		engine->overdue_at = transfer->deadline + GRACE_US;
}

/* Looks at where the host is: all of it must be allowed. */
static void
examine(MfTransfer *transfer, const MfAddress *addresses, uint32_t count,
		uint32_t preferred, uint64_t version)
{
	MfDestination *destination = transfer->destination;
	const bool	at_home = transfer->route == &destination->route;
	MfAddress	refused;
	char		text[MF_ADDRESS_TEXT];

	if (!at_home || destination->name_version != version)
	{
		if (!mf_destination_allows(destination, transfer->route->host,
								   addresses, count, &refused))
		{
			mf_address_print(&refused, text);
			finish_saying(transfer, MF_OUTCOME_BLOCKED,
						  "address %s is not public, and not allowed", text);
			return;
		}
		if (at_home)
			destination->name_version = version;
	}
	transfer->address_count = count;
	run(transfer, &addresses[preferred]);
}

static void
know_name(MfTransfer *transfer, const MfName *name)
{
	if (name->state == MF_NAME_KNOWN)
		examine(transfer, name->addresses, name->count, name->preferred,
				name->version);
	else
		finish_saying(transfer, MF_OUTCOME_NAME, "%s", name->error);
}

/* The resolver has an answer. */
static void
name_known(MfWaiter *waiter, const MfName *name)
{
	MfTransfer *transfer = (MfTransfer *)
	((char *) waiter - offsetof(MfTransfer, waiter));

	detach(transfer);
	know_name(transfer, name);
}

/* Finds out where the route's host is, then goes on. */
static void
set_out(MfTransfer *transfer)
{
	MfEngine   *engine = transfer->engine;
	const MfName *name;

	if (transfer->route->literal)
	{
		examine(transfer, &transfer->route->address, 1, 0,
				MF_LITERAL_VERSION);
		return;
	}
	transfer->waiter.done = name_known;
	name = mf_resolver_ask(engine->resolver, transfer->route->host,
						   &transfer->waiter);
	if (name == NULL)
		engine->broken = true;
	else if (name->state != MF_NAME_ASKING)
		know_name(transfer, name);
	else
	{
		transfer->state = MF_TRANSFER_RESOLVING;
		transfer->next_resolving = engine->resolving;
		if (engine->resolving != NULL)
			engine->resolving->previous_resolving = transfer;
		engine->resolving = transfer;
	}
}

bool
mf_engine_send(MfEngine *engine, const MfRequest *request, MfMapping mapping)
{
	MfDestination *destination = engine->targets[request->target];
	MfTransfer *transfer;

	if (destination == NULL || engine->under_way >= engine->multi.slots)
		return false;
	transfer = mf_pool_take(&engine->pool, engine, destination);
	if (transfer == NULL)
	{
		engine->broken = true;
		return false;
	}
	destination->references++;
	engine->under_way++;
	transfer->destination = destination;
	transfer->route = &destination->route;
	transfer->hops = 0;
	transfer->tries = 0;
	transfer->started = mf_now_us();
	transfer->deadline = transfer->started +
		(int64_t) destination->timeout_ms * 1000;
	if (!mf_transfer_prepare(transfer, request, mapping))
		engine->broken = true;
	else if (destination->broken[0] != '\0')
		finish_saying(transfer, MF_OUTCOME_CONFIG, "%s", destination->broken);
	else
		set_out(transfer);
	return true;
}

/* ---- ends --------------------------------------------------------------- */

/*
 * Follows a redirect; false: it is not one that is followed, and the outcome
 * says why.  A POST stays a POST: 307 and 308 only (RFC 9110, 15.4); the
 * others would turn a delivery into a question.
 */
static bool
follow(MfTransfer *transfer)
{
	const MfOutcome *answer = &transfer->engine->outcome;
	char		error[MF_SENDER_ERROR + 1];
	char	   *url = NULL;
	MfRoute		hop;

	if (answer->kind != MF_OUTCOME_ANSWERED ||
		(answer->status != 307 && answer->status != 308) ||
		transfer->destination->redirects == 0)
		return false;
	if (transfer->hops >= transfer->destination->redirects)
	{
		mf_verdict_say(&transfer->engine->outcome, MF_OUTCOME_ANSWERED,
					   "redirected more than %u times",
					   transfer->destination->redirects);
		return false;
	}
	(void) curl_easy_getinfo(transfer->easy, CURLINFO_REDIRECT_URL, &url);
	if (url == NULL || !mf_route_parse(url, &hop, error))
	{
		mf_verdict_say(&transfer->engine->outcome, MF_OUTCOME_ANSWERED,
					   "redirected to no URL that can be used");
		return false;
	}
	if (transfer->route->https && !hop.https)
	{
		mf_route_free(&hop);
		mf_verdict_say(&transfer->engine->outcome, MF_OUTCOME_ANSWERED,
					   "redirected from https to http");
		return false;
	}
	detach(transfer);
	mf_route_free(&transfer->hop);
	transfer->hop = hop;
	transfer->route = &transfer->hop;
	transfer->hops++;
	transfer->tries = 0;
	set_out(transfer);
	return true;
}

/*
 * Tries the next address of the host; false: there is none, or no time.
 * Nothing has been sent, so this is still the same attempt.
 */
static bool
try_next_address(MfTransfer *transfer, CURLcode code)
{
	if (!mf_verdict_unconnected(transfer, code) || transfer->route->literal ||
		transfer->address_count < 2)
		return false;
	mf_resolver_avoid(transfer->engine->resolver, transfer->route->host,
					  &transfer->connected_to);
	transfer->tries++;
	if (transfer->tries >= transfer->address_count ||
		transfer->tries >= MF_CONNECT_TRIES ||
		mf_now_us() >= transfer->deadline)
		return false;
	detach(transfer);
	set_out(transfer);
	return true;
}

static void
ended(MfTransfer *transfer, CURLcode code)
{
	if (code == CURLE_OUT_OF_MEMORY)
	{
		transfer->engine->broken = true;
		return;
	}
	if (try_next_address(transfer, code))
		return;
	mf_verdict(transfer, code, &transfer->engine->outcome);
	if (!follow(transfer))
		finish(transfer);
}

static void
read_messages(MfEngine *engine)
{
	const CURLMsg *message;
	int			left;

	while (!engine->broken &&
		   (message = curl_multi_info_read(engine->multi.curl, &left)) != NULL)
	{
		char	   *transfer = NULL;
		CURLcode	code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		(void) curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE,
								 &transfer);
		ended((MfTransfer *) transfer, code);
	}
}

/* Requests whose time is up before their host is known. */
static void
end_resolving(MfEngine *engine, int64_t now)
{
	MfTransfer *next;

	for (MfTransfer *transfer = engine->resolving; transfer != NULL;
		 transfer = next)
	{
		next = transfer->next_resolving;
		if (now >= transfer->deadline)
			finish_saying(transfer, MF_OUTCOME_TIMEOUT,
						  "no answer about the host in time");
	}
}

/*
 * Requests that libcurl should have ended by now.  It keeps time itself, but
 * has been seen to leave out what it has set aside, and whatever it does, a
 * slot comes back.
 */
static void
end_overdue(MfEngine *engine, int64_t now)
{
	engine->overdue_at = INT64_MAX;
	for (unsigned int i = 0; i < engine->pool.count; i++)
	{
		MfTransfer *transfer = engine->pool.all[i];
		const int64_t at = transfer->deadline + GRACE_US;

		if (transfer->state != MF_TRANSFER_RUNNING)
			continue;
		if (now >= at)
			finish_saying(transfer, MF_OUTCOME_TIMEOUT,
						  "no answer within %u ms",
						  transfer->destination->timeout_ms);
		else if (at < engine->overdue_at)
			engine->overdue_at = at;
	}
}

bool
mf_engine_turn(MfEngine *engine)
{
	mf_resolver_turn(engine->resolver);
	read_messages(engine);
	while (!engine->broken && mf_multi_turn(&engine->multi))
		read_messages(engine);
	if (engine->resolving != NULL)
		end_resolving(engine, mf_now_us());
	if (engine->overdue_at != INT64_MAX && mf_now_us() >= engine->overdue_at)
		end_overdue(engine, mf_now_us());
	return !engine->broken && !engine->multi.broken;
}

/* The sooner of two waits; -1: for ever. */
static int64_t
sooner(int64_t a, int64_t b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* From now until then, or none. */
static int64_t
until(int64_t then, int64_t now)
{
	return then > now ? then - now : 0;
}

int
mf_engine_timeout(MfEngine *engine)
{
	const int64_t now = mf_now_us();
	int64_t		wait = mf_resolver_due(engine->resolver);

	if (engine->multi.timer_set)
		wait = sooner(wait, until(engine->multi.timer_at, now));
	if (engine->overdue_at != INT64_MAX)
		wait = sooner(wait, until(engine->overdue_at, now));
	for (MfTransfer *transfer = engine->resolving; transfer != NULL;
		 transfer = transfer->next_resolving)
		wait = sooner(wait, until(transfer->deadline, now));
	return wait < 0 ? -1 : (int) ((wait + 999) / 1000);
}
