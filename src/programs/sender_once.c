/*
 * sender_once.c
 *		One request by hand, through the same engine.
 */
#include "sender_program.h"

#include "../net/engine.h"

#include <string.h>

typedef struct Once
{
	MfOutcome  *outcome;
	bool		done;
} Once;

static void
outcome_known(void *arg, const MfOutcome *outcome)
{
	Once	   *once = arg;

	*once->outcome = *outcome;
	once->done = true;
}

const char *
mf_sender_send_once(const MfTarget *target, const MfRequest *request,
					MfOutcome *outcome)
{
	Once		once = {outcome, false};
	MfEngineOptions options;
	MfMapping	none = {NULL, 0};
	MfPoller   *poller = mf_poller_create();
	MfEngine   *engine = NULL;
	const char *why = NULL;

	memset(&options, 0, sizeof(options));
	options.done = outcome_known;
	options.arg = &once;
	if (poller != NULL)
		engine = mf_engine_create(poller, &options);
	if (engine == NULL || !mf_engine_target(engine, target) ||
		!mf_engine_send(engine, request, none))
		why = "cannot start: no memory, or libcurl does not work";
	while (why == NULL && !once.done)
		if (!mf_engine_turn(engine) ||
			(!once.done && !mf_poller_wait(poller,
										   mf_engine_timeout(engine))))
			why = "cannot go on: no memory, or libcurl does not work";
	mf_engine_free(engine);
	mf_poller_free(poller);
	return why;
}
