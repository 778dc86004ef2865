/*
 * harness.c
 *		See harness.h.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "harness.h"

#include "frame/tap.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTCOMES	100000

MfPoller   *poller;
MfEngine   *engine;
Seen	   *seen;

static MfOutcome *outcomes[OUTCOMES];
static unsigned int count;
static unsigned int turns;
static uint64_t tags;

/* ---- servers -------------------------------------------------------------- */

/* A server has as many connections as the engine, whatever the shell allows. */
static void
more_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		abort();
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		abort();
}

void
server_fork(Server *server, int fd, void (*serve) (int fd))
{
	server->seen = mmap(NULL, sizeof(Seen), PROT_READ | PROT_WRITE,
						MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (server->seen == MAP_FAILED)
		abort();
	fflush(NULL);
	server->pid = fork();
	if (server->pid == 0)
	{
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_IGN);
		more_descriptors();
		seen = server->seen;
		serve(fd);
		_exit(0);
	}
	close(fd);
}

void
server_stop(Server *server)
{
	kill(server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
	munmap(server->seen, sizeof(Seen));
}

const char *
header_of(const Server *server, const char *name)
{
	static char value[8192];
	const size_t length = strlen(name);
	const char *at = server->seen->last;

	value[0] = '\0';
	while (at != NULL && *at != '\0' && strncmp(at, "\r\n", 2) != 0)
	{
		if (strncasecmp(at, name, length) == 0 && at[length] == ':')
		{
			at += length + 1;
			while (*at == ' ')
				at++;
			snprintf(value, sizeof(value), "%.*s", (int) strcspn(at, "\r"),
					 at);
			break;
		}
		at = strstr(at, "\r\n");
		if (at != NULL)
			at += 2;
	}
	return value;
}

/* ---- the engine ----------------------------------------------------------- */

static void
outcome_known(void *arg, const MfOutcome *outcome)
{
	(void) arg;
	if (outcome->tag >= OUTCOMES || outcomes[outcome->tag] != NULL)
	{
		printf("# outcome of %llu told twice\n",
			   (unsigned long long) outcome->tag);
		abort();
	}
	outcomes[outcome->tag] = malloc(sizeof(*outcome));
	*outcomes[outcome->tag] = *outcome;
	count++;
}

void
engine_open(const Server *names)
{
	MfEngineOptions options;

	memset(&options, 0, sizeof(options));
	options.done = outcome_known;
	if (names != NULL)
	{
		options.test_dns_port = names->port;
		options.test_dns_tcp_port = names->port;
	}
	poller = mf_poller_create();
	engine = mf_engine_create(poller, &options);
	if (engine == NULL)
		abort();
}

void
engine_close(void)
{
	mf_engine_free(engine);
	mf_poller_free(poller);
	engine = NULL;
	poller = NULL;
	for (size_t i = 0; i < OUTCOMES; i++)
	{
		free(outcomes[i]);
		outcomes[i] = NULL;
	}
	count = 0;
	turns = 0;
	tags = 0;
}

MfBytes
text(const char *from)
{
	MfBytes		bytes = {from, strlen(from)};

	return bytes;
}

MfTarget
target_of(const char *url)
{
	MfTarget	target;

	memset(&target, 0, sizeof(target));
	target.number = 1;
	target.url = text(url);
	target.allowed_by_server = text("127.0.0.0/8\n::1\n");
	target.allowed_by_endpoint = target.allowed_by_server;
	target.timeout_ms = 10000;
	target.connect_timeout_ms = 5000;
	return target;
}

MfTarget
target_at(const Server *server, const char *path)
{
	static char url[4096];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", server->port, path);
	return target_of(url);
}

uint64_t
start_body(const char *body)
{
	const MfMapping none = {NULL, 0};
	MfRequest	request;
	char		id[32];

	memset(&request, 0, sizeof(request));
	request.tag = tags++;
	request.target = 1;
	snprintf(id, sizeof(id), "msg_%llu", (unsigned long long) request.tag);
	request.id = text(id);
	request.content_type = text("application/json");
	request.headers = text("traceparent: 00-1-2-01\nx-nothing:\n");
	request.body = text(body);
	if (!mf_engine_send(engine, &request, none))
	{
		printf("# the engine takes no request\n");
		abort();
	}
	return request.tag;
}

uint64_t
start_request(void)
{
	return start_body("{\"a\": 1}");
}

/* One turn, and one wait where the turn has brought nothing. */
void
work_once(int timeout_ms)
{
	const unsigned int before = count;
	int			timeout;

	turns++;
	if (!mf_engine_turn(engine))
	{
		printf("# the engine is broken\n");
		abort();
	}
	if (count > before)
		return;
	timeout = mf_engine_timeout(engine);
	if (timeout < 0 || timeout > timeout_ms)
		timeout = timeout_ms;
	if (!mf_poller_wait(poller, timeout))
		abort();
}

void
work_until(unsigned int wanted)
{
	const int64_t end = mf_now_us() + 60 * INT64_C(1000000);

	while (count < wanted)
	{
		if (mf_now_us() > end)
		{
			printf("# %u outcomes instead of %u\n", count, wanted);
			abort();
		}
		work_once(1000);
	}
}

unsigned int
turn_count(void)
{
	return turns;
}

unsigned int
outcome_count(void)
{
	return count;
}

const MfOutcome *
outcome_of(uint64_t tag)
{
	return outcomes[tag];
}

const MfOutcome *
send_one(const MfTarget *target)
{
	uint64_t	tag;

	if (!mf_engine_target(engine, target))
		abort();
	tag = start_request();
	while (outcomes[tag] == NULL)
		work_until(count + 1);
	return outcomes[tag];
}

const MfOutcome *
send_to(const char *url)
{
	const MfTarget target = target_of(url);

	return send_one(&target);
}

const MfOutcome *
send_at(const Server *server, const char *path)
{
	const MfTarget target = target_at(server, path);

	return send_one(&target);
}

bool
is_outcome(const MfOutcome *outcome, MfOutcomeKind kind, uint32_t status,
		   const char *what)
{
	const bool	good = outcome != NULL && outcome->kind == kind &&
	outcome->status == status;

	ok(good, "%s", what);
	if (outcome == NULL)
		printf("# there is no outcome\n");
	else
		printf("# %s %u: %s\n", mf_outcome_kind_name(outcome->kind),
			   outcome->status, outcome->error);
	return good;
}
