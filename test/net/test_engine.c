/*
 * test_engine.c
 *		What comes of requests, with servers that misbehave in every way.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "harness.h"

#include "frame/tap.h"
#include "net/transfer.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static Server faults;
static Server hanging;			/* another one like it */
static Server names;

static int
requests(void)
{
	return atomic_load(&faults.seen->requests);
}

static int
connections(void)
{
	return atomic_load(&faults.seen->connections);
}

/* ---- what is sent ------------------------------------------------------- */

static void
test_request(void)
{
	MfTarget	target = target_at(&faults, "/status/204?q=1#fragment");
	const MfOutcome *outcome;
	const char *end;

	target.headers = text("X-One: 1\nx-two: zwei\n");
	target.user_password = text("user:pw");
	target.secret_count = 2;
	target.secrets[0] = text("0123456789abcdef0123456789abcdef");
	target.secrets[1] = text("fedcba9876543210fedcba9876543210");
	outcome = send_one(&target);
	is_outcome(outcome, MF_OUTCOME_ANSWERED, 204, "a request is answered");
	ok(!outcome->reused && outcome->retry_after_s == -1 &&
	   outcome->error[0] == '\0' && outcome->duration_us > 0,
	   "nothing is wrong with it");
	ok(strncmp(faults.seen->last, "POST /status/204?q=1 HTTP/1.1\r\n", 31) == 0,
	   "path and query are sent, the fragment is not");
	ok(strcmp(header_of(&faults, "webhook-id"), "msg_0") == 0, "the id");
	ok(labs(atol(header_of(&faults, "webhook-timestamp")) -
			(long) time(NULL)) < 60, "the time");
	ok(strlen(header_of(&faults, "webhook-signature")) == 2 * 47 + 1 &&
	   strncmp(header_of(&faults, "webhook-signature"), "v1,", 3) == 0,
	   "two signatures: %s", header_of(&faults, "webhook-signature"));
	ok(strcmp(header_of(&faults, "content-type"), "application/json") == 0 &&
	   strcmp(header_of(&faults, "traceparent"), "00-1-2-01") == 0 &&
	   strcmp(header_of(&faults, "x-one"), "1") == 0 &&
	   strcmp(header_of(&faults, "x-two"), "zwei") == 0 &&
	   strcmp(header_of(&faults, "authorization"), "Basic dXNlcjpwdw==") == 0 &&
	   strcmp(header_of(&faults, "user-agent"), "mesflow/" MF_VERSION) == 0,
	   "the headers of the request, of the target, and ours");
	ok(header_of(&faults, "expect")[0] == '\0' &&
	   header_of(&faults, "accept-encoding")[0] == '\0' &&
	   header_of(&faults, "cookie")[0] == '\0' &&
	   header_of(&faults, "referer")[0] == '\0', "and no others");
	end = strstr(faults.seen->last, "\r\n\r\n");
	ok(end != NULL && strcmp(end + 4, "{\"a\": 1}") == 0, "the body");

	target = target_at(&faults, "/status/200");
	target.headers = text("Content-Type: text/plain\nUser-Agent: other\n");
	target.bearer = text("token");
	is_outcome(send_one(&target), MF_OUTCOME_ANSWERED, 200,
			   "another version of the target");
	ok(strcmp(header_of(&faults, "content-type"), "text/plain") == 0 &&
	   strcmp(header_of(&faults, "user-agent"), "other") == 0 &&
	   strcmp(header_of(&faults, "authorization"), "Bearer token") == 0 &&
	   header_of(&faults, "webhook-signature")[0] == '\0' &&
	   header_of(&faults, "x-one")[0] == '\0', "has other headers");

	/* The harness gives each request an "x-nothing" without a value. */
	target.headers = text("X-Empty:\nX-Blank: \t\nX-Colons: ::\nContent-Type:\n");
	is_outcome(send_one(&target), MF_OUTCOME_ANSWERED, 200,
			   "headers may be without a value");
	ok(strcasestr(faults.seen->last, "\r\nX-Empty:\r\n") != NULL &&
	   strcasestr(faults.seen->last, "\r\nX-Blank:\r\n") != NULL &&
	   strcasestr(faults.seen->last, "\r\nX-Nothing:\r\n") != NULL &&
	   strcasestr(faults.seen->last, "\r\nContent-Type:\r\n") != NULL &&
	   strcmp(header_of(&faults, "x-colons"), "::") == 0, "and are sent");

	start_body("");
	work_until(outcome_count() + 1);
	ok(strcmp(header_of(&faults, "content-length"), "0") == 0,
	   "a body may be empty");
}

static void
test_mapping(void)
{
	const size_t size = 200000;
	MfTarget	target = target_at(&faults, "/status/200");
	MfRequest	request;
	MfMapping	mapping;
	char	   *body;

	mf_engine_target(engine, &target);
	memset(&request, 0, sizeof(request));
	mapping.size = size;
	mapping.start = mmap(NULL, size, PROT_READ | PROT_WRITE,
						 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	body = mapping.start;
	memset(body, 'm', size);
	request.tag = 90000;
	request.target = 1;
	request.id = text("msg_mapped");
	request.content_type = text("text/plain");
	request.body.data = body;
	request.body.length = size;
	ok(mf_engine_send(engine, &request, mapping), "a large body is taken");
	work_until(outcome_count() + 1);
	ok(outcome_of(90000) != NULL && outcome_of(90000)->status == 200 &&
	   atomic_load(&faults.seen->last_length) > size,
	   "and sent from where it is");
}

/* ---- answers ------------------------------------------------------------ */

static void
test_statuses(void)
{
	static const int statuses[] = {200, 201, 299, 301, 302, 303, 304, 307,
	308, 400, 401, 404, 410, 429, 500, 502, 503, 599, 999};
	const MfOutcome *outcome;
	char		path[64];

	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
	{
		snprintf(path, sizeof(path), "/status/%d", statuses[i]);
		outcome = send_at(&faults, path);
		ok(outcome->kind == MF_OUTCOME_ANSWERED &&
		   outcome->status == (uint32_t) statuses[i], "status %d: %s %u %s",
		   statuses[i], mf_outcome_kind_name(outcome->kind), outcome->status,
		   outcome->error);
	}
	outcome = send_at(&faults, "/status/200");
	ok(outcome->reused, "connections are used again");
	ok(outcome->response_length == 7 &&
	   memcmp(outcome->response, "answer\n", 7) == 0, "the answer is kept");

	outcome = send_at(&faults, "/big");
	is_outcome(outcome, MF_OUTCOME_ANSWERED, 200,
			   "an answer of a gigabyte is cut off, and its status counts");
	ok(outcome->response_length == MF_SENDER_RESPONSE &&
	   outcome->response[0] == 'b', "its first bytes are kept");
	is_outcome(send_at(&faults, "/short"), MF_OUTCOME_LOST, 0,
			   "an answer that is cut short");
	is_outcome(send_at(&faults, "/none"), MF_OUTCOME_LOST, 0, "no answer");
	is_outcome(send_at(&faults, "/reset"), MF_OUTCOME_LOST, 0, "a reset");
	is_outcome(send_at(&faults, "/noise"), MF_OUTCOME_PROTOCOL, 0,
			   "something that is not HTTP");
	is_outcome(send_at(&faults, "/endless"), MF_OUTCOME_PROTOCOL, 0,
			   "headers without end");
	is_outcome(send_at(&faults, "/early"), MF_OUTCOME_PROTOCOL, 0,
			   "provisional answers without end");
}

static void
test_times(void)
{
	static const char *const paths[] = {"/hang", "/deaf", "/drip", "/half"};
	MfTarget	target;
	char	   *large = malloc(50000000);

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
	{
		target = target_at(&faults, paths[i]);
		target.timeout_ms = 300;
		is_outcome(send_one(&target), MF_OUTCOME_TIMEOUT, 0, paths[i]);
	}

	/* More than all buffers between us hold. */
	memset(large, 'l', 49999999);
	large[49999999] = '\0';
	target = target_at(&faults, "/deaf");
	target.timeout_ms = 500;
	mf_engine_target(engine, &target);
	start_body(large);
	work_until(outcome_count() + 1);
	is_outcome(outcome_of(outcome_count() - 2), MF_OUTCOME_TIMEOUT, 0,
			   "a large body that nobody reads");
	free(large);
}

/* In the place of libcurl's own, which it calls: so libcurl can be stopped. */
static bool stopped;

CURLMcode
curl_multi_socket_action(CURLM *multi, curl_socket_t fd, int mask,
						 int *running)
{
	static CURLMcode (*original) (CURLM *, curl_socket_t, int, int *);

	if (original == NULL)
		*(void **) &original = dlsym(RTLD_NEXT, "curl_multi_socket_action");
	return stopped ? CURLM_OK : original(multi, fd, mask, running);
}

/* Whatever libcurl does or does not do, a request has its end. */
static void
test_overdue(void)
{
	const int	before = requests();
	MfTarget	target = target_at(&faults, "/hang");
	uint64_t	first;

	target.timeout_ms = 1000000;
	mf_engine_target(engine, &target);
	first = start_request();
	target.timeout_ms = 2000;
	mf_engine_target(engine, &target);
	start_request();
	while (requests() < before + 2)
		work_once(100);
	stopped = true;
	work_until(outcome_count() + 1);
	stopped = false;
	is_outcome(outcome_of(first + 1), MF_OUTCOME_TIMEOUT, 0,
			   "a request that libcurl has forgotten");
	ok(outcome_of(first) == NULL && mf_engine_under_way(engine) == 1,
	   "and the one that has time goes on");
}

static void
test_retry_after(void)
{
	static const struct
	{
		const char *value;
		int32_t		least;
		int32_t		most;
	}			cases[] = {
		{"0", 0, 0}, {"120", 120, 120}, {" 7 ", 7, 7},
		{"31536000", 31536000, 31536000}, {"31536001", 31536000, 31536000},
		{"99999999999999999999999999", 31536000, 31536000},
		{"-1", -1, -1}, {"1.5", -1, -1}, {"", -1, -1}, {"soon", -1, -1},
		{"120 seconds", -1, -1}, {"0x10", -1, -1}, {"+5", -1, -1},
		{"Sun, 06 Nov 1994 08:49:37 GMT", 0, 0},
		{"Sunday, 06-Nov-94 08:49:37 GMT", 0, 0},
		{"Sun Nov  6 08:49:37 1994", 0, 0},
		{"Fri, 31 Dec 2286 23:59:59 GMT", 31536000, 31536000},
		{"Mon, 99 Xyz 2030 00:00:00 GMT", -1, -1},
		{"Monday", -1, -1},
	};
	char		soon[64];
	char		path[128];
	const time_t then = time(NULL) + 100;
	struct tm	parts;
	int32_t		seconds;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		seconds = mf_retry_after(cases[i].value, strlen(cases[i].value));
		ok(seconds >= cases[i].least && seconds <= cases[i].most,
		   "Retry-After: %s is %d", cases[i].value, (int) seconds);
	}
	gmtime_r(&then, &parts);
	strftime(soon, sizeof(soon), "%a, %d %b %Y %H:%M:%S GMT", &parts);
	seconds = mf_retry_after(soon, strlen(soon));
	ok(seconds > 50 && seconds <= 100, "a date that is near: %d",
	   (int) seconds);

	ok(send_at(&faults, "/say/429/Retry-After:+17")->retry_after_s == 17,
	   "it comes through");
	ok(send_at(&faults, "/say/503/retry-after:+4711")->retry_after_s == 4711,
	   "in small letters");
	snprintf(path, sizeof(path), "/say/429/Retry-After:+%s", soon);
	for (char *at = path; *at != '\0'; at++)
		if (*at == ' ')
			*at = '+';
	seconds = send_at(&faults, path)->retry_after_s;
	ok(seconds > 50 && seconds <= 100, "as a date: %d", (int) seconds);
	ok(send_at(&faults, "/say/429/X-Retry-After:+9")->retry_after_s == -1 &&
	   send_at(&faults, "/say/429/Retry-After:+x")->retry_after_s == -1,
	   "and nothing else does");
}

/* ---- where it may go ---------------------------------------------------- */

static void
test_addresses(void)
{
	static const char *const spellings[] = {
		"127.0.0.1", "2130706433", "0x7f.1", "127.1", "017700000001",
		"[::ffff:7f00:1]", "localhost", "loop.test", "0"
	};
	MfTarget	target;
	char		url[128];
	char		host[128];
	const int	before = connections();

	for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++)
	{
		snprintf(url, sizeof(url), "http://%s:%u/status/200", spellings[i],
				 faults.port);
		target = target_of(url);
		target.allowed_by_endpoint = text("");
		is_outcome(send_one(&target), MF_OUTCOME_BLOCKED, 0, spellings[i]);
		target = target_of(url);
		target.allowed_by_server = text("");
		ok(send_one(&target)->kind == MF_OUTCOME_BLOCKED,
		   "nor by one list alone");
	}
	is_outcome(send_to("http://user@127.0.0.1/"), MF_OUTCOME_CONFIG, 0,
			   "a user in the URL");
	target = target_of("http://mixed.test/");
	target.allowed_by_server = text("");
	is_outcome(send_one(&target), MF_OUTCOME_BLOCKED, 0,
			   "one address of a name that is not allowed is enough");
	is_outcome(send_to("http://mixed6.test/"), MF_OUTCOME_BLOCKED, 0,
			   "also in IPv6");
	is_outcome(send_to("http://lan.test/"), MF_OUTCOME_BLOCKED, 0,
			   "a private address that no list names");
	is_outcome(send_to("http://mapped.test/"), MF_OUTCOME_BLOCKED, 0,
			   "a mapped one");
	target = target_of("http://meta.test/");
	target.allowed_by_server = text("0.0.0.0/0\n");
	target.allowed_by_endpoint = text("169.254.0.0/16\n");
	is_outcome(send_one(&target), MF_OUTCOME_BLOCKED, 0,
			   "metadata, whatever networks say");
	ok(connections() == before, "nobody was connected");

	snprintf(url, sizeof(url), "http://loop.test:%u/status/200", faults.port);
	target = target_of(url);
	target.allowed_by_server = text("loop.test\n");
	target.allowed_by_endpoint = text("127.0.0.1\n");
	is_outcome(send_one(&target), MF_OUTCOME_ANSWERED, 200,
			   "allowed by host, and by address");
	snprintf(host, sizeof(host), "loop.test:%u", faults.port);
	ok(strcmp(header_of(&faults, "host"), host) == 0,
	   "the host is the one in the URL");
	ok(send_one(&target)->reused, "a connection to a name is used again");

	/* The connection that one target may use is none that another may. */
	target.allowed_by_endpoint = text("10.0.0.0/8\n");
	is_outcome(send_one(&target), MF_OUTCOME_BLOCKED, 0,
			   "an open connection is no way around the lists");
}

static void
test_hosts(void)
{
	MfTarget	target;
	char		url[128];

	is_outcome(send_to("http://none.test/"), MF_OUTCOME_NAME, 0, "no host");
	is_outcome(send_to("http://empty.test/"), MF_OUTCOME_NAME, 0,
			   "no address");
	target = target_of("http://silent.test/");
	target.timeout_ms = 200;
	is_outcome(send_one(&target), MF_OUTCOME_TIMEOUT, 0, "no answer");
	is_outcome(send_to("http://127.0.0.1:1/"), MF_OUTCOME_CONNECT, 0,
			   "nobody there");
	snprintf(url, sizeof(url), "http://two.test:%u/status/200", faults.port);
	is_outcome(send_to(url), MF_OUTCOME_ANSWERED, 200,
			   "the next address, where one does not answer");
	snprintf(url, sizeof(url), "http://both.test:%u/status/200", faults.port);
	is_outcome(send_to(url), MF_OUTCOME_ANSWERED, 200, "of either kind");
	snprintf(url, sizeof(url), "http://dead.test:%u/status/200", faults.port);
	is_outcome(send_to(url), MF_OUTCOME_CONNECT, 0, "none of them");
}

static void
test_config(void)
{
	static const char *const urls[] = {"ftp://127.0.0.1/", "nothing",
	"http://a:99999/", "http://[::1", "file:///etc/hosts"};
	MfTarget	target;

	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
		is_outcome(send_to(urls[i]), MF_OUTCOME_CONFIG, 0, urls[i]);
	target = target_at(&faults, "/status/200");
	target.ca = text("no certificate");
	is_outcome(send_one(&target), MF_OUTCOME_CONFIG, 0, "a CA that is none");
	target = target_at(&faults, "/status/200");
	target.client_cert = text("no certificate");
	is_outcome(send_one(&target), MF_OUTCOME_CONFIG, 0,
			   "a certificate that is none");
	target = target_at(&faults, "/status/200");
	target.client_key = text("no key");
	is_outcome(send_one(&target), MF_OUTCOME_CONFIG, 0,
			   "a key without a certificate");
}

/* ---- redirects ---------------------------------------------------------- */

/* A path that redirects to a URL with this status. */
static const char *
redirect(int status, const char *to)
{
	static char path[512];

	snprintf(path, sizeof(path), "/say/%d/Location:+%s", status, to);
	return path;
}

static const MfOutcome *
redirected(int status, const char *to, uint32_t redirects)
{
	MfTarget	target = target_at(&faults, redirect(status, to));

	target.redirects = redirects;
	target.headers = text("X-Secret: 1\n");
	target.bearer = text("token");
	return send_one(&target);
}

static void
test_redirects(void)
{
	MfTarget	target;
	char		url[256];
	int			before = requests();

	is_outcome(redirected(307, "/status/200", 0), MF_OUTCOME_ANSWERED, 307,
			   "a redirect is not followed");
	ok(requests() == before + 1, "by default");
	is_outcome(redirected(307, "/status/200", 1), MF_OUTCOME_ANSWERED, 200,
			   "where it may be, it is");
	ok(strncmp(faults.seen->last, "POST /status/200 ", 17) == 0 &&
	   strstr(faults.seen->last, "\r\n\r\n{\"a\": 1}") != NULL &&
	   strcmp(header_of(&faults, "authorization"), "Bearer token") == 0 &&
	   strcmp(header_of(&faults, "x-secret"), "1") == 0,
	   "as a POST with its body, to the same host with all headers");
	is_outcome(redirected(308, "/status/201", 5), MF_OUTCOME_ANSWERED, 201,
			   "also for ever");
	is_outcome(redirected(301, "/status/200", 5), MF_OUTCOME_ANSWERED, 301,
			   "301 would make a GET of it");
	is_outcome(redirected(302, "/status/200", 5), MF_OUTCOME_ANSWERED, 302,
			   "so would 302");
	is_outcome(redirected(303, "/status/200", 5), MF_OUTCOME_ANSWERED, 303,
			   "and 303");
	before = requests();
	target = target_at(&faults, "/say/307/");
	target.redirects = 3;
	is_outcome(send_one(&target), MF_OUTCOME_ANSWERED, 307,
			   "a redirect to nowhere");

	before = requests();
	target = target_at(&faults, "/circle");
	target.redirects = 4;
	is_outcome(send_one(&target), MF_OUTCOME_ANSWERED, 307, "in a circle");
	ok(requests() == before + 5, "four redirects are followed: %d",
	   requests() - before);

	is_outcome(redirected(307, "http://169.254.169.254/latest/", 5),
			   MF_OUTCOME_BLOCKED, 0, "to where credentials are");
	is_outcome(redirected(307, "http://10.0.0.1/", 5), MF_OUTCOME_BLOCKED, 0,
			   "to a private address");
	is_outcome(redirected(307, "http://2852039166/", 5), MF_OUTCOME_BLOCKED,
			   0, "in another spelling");
	is_outcome(redirected(307, "http://meta.test/", 5), MF_OUTCOME_BLOCKED, 0,
			   "by a name");
	is_outcome(redirected(307, "file:///etc/passwd", 5), MF_OUTCOME_ANSWERED,
			   307, "to a file");
	is_outcome(redirected(307, "http://a@127.0.0.1/", 5),
			   MF_OUTCOME_ANSWERED, 307, "with a user");

	/* To another host: neither credentials nor the target's headers. */
	snprintf(url, sizeof(url), "http://loop.test:%u/status/200", faults.port);
	is_outcome(redirected(307, url, 1), MF_OUTCOME_ANSWERED, 200,
			   "to another host");
	ok(header_of(&faults, "authorization")[0] == '\0' &&
	   header_of(&faults, "x-secret")[0] == '\0' &&
	   strncmp(header_of(&faults, "webhook-id"), "msg_", 4) == 0 &&
	   strcmp(header_of(&faults, "content-type"), "application/json") == 0,
	   "the target's own headers stay at home");
	is_outcome(redirected(307, "/status/200", 1), MF_OUTCOME_ANSWERED, 200,
			   "and then at home again");
	ok(strcmp(header_of(&faults, "authorization"), "Bearer token") == 0,
	   "they are there");
}

/* ---- many --------------------------------------------------------------- */

static void
test_reuse(void)
{
	MfTarget	target = target_at(&faults, "/once");
	const int	before = requests();
	const MfOutcome *outcome;

	is_outcome(send_one(&target), MF_OUTCOME_ANSWERED, 200,
			   "a connection that breaks at its second request");
	outcome = send_one(&target);
	ok(outcome->kind == MF_OUTCOME_ANSWERED || outcome->kind == MF_OUTCOME_LOST,
	   "is replaced, or told: %s %s", mf_outcome_kind_name(outcome->kind),
	   outcome->error);
	ok(requests() - before >= 2, "requests: %d", requests() - before);
}

static void
test_many(void)
{
	const MfMapping none = {NULL, 0};
	MfTarget	hang = target_at(&hanging, "/hang");
	MfRequest	request;
	unsigned int before = outcome_count();
	unsigned int lost = 0;
	unsigned int good = 0;
	uint64_t	first;
	int			accepted;

	/* All slots but one hang; what goes through the last is not disturbed. */
	hang.timeout_ms = 1000000;
	hang.connect_timeout_ms = 1000000;
	mf_engine_target(engine, &hang);
	first = start_request();
	for (int i = 1; i < MF_SENDER_SLOTS - 1; i++)
		start_request();
	for (int i = 0; i < 200; i++)
		good += send_at(&faults, "/status/200")->status == 200;
	ok(good == 200 && outcome_count() == before + 200,
	   "a thousand that hang hold up no other");
	hang = target_at(&hanging, "/hang");
	hang.timeout_ms = 1000000;
	hang.connect_timeout_ms = 1000000;
	mf_engine_target(engine, &hang);
	start_request();
	ok(mf_engine_under_way(engine) == MF_SENDER_SLOTS, "all slots are taken");
	memset(&request, 0, sizeof(request));
	request.tag = 99999;
	request.target = 1;
	request.id = text("msg_x");
	request.content_type = text("a/b");
	accepted = mf_engine_send(engine, &request, none);
	ok(!accepted, "one more is one too many");

	/* The target is replaced and forgotten while they are under way. */
	mf_engine_forget(engine, 1);
	ok(!mf_engine_send(engine, &request, none), "nothing goes to nowhere");
	while (atomic_load(&hanging.seen->requests) < MF_SENDER_SLOTS &&
		   mf_engine_under_way(engine) == MF_SENDER_SLOTS)
		work_once(10);
	server_stop(&hanging);
	work_until(before + 200 + MF_SENDER_SLOTS);
	for (int i = 0; i < MF_SENDER_SLOTS - 1; i++)
		lost += outcome_of(first + (uint64_t) i) != NULL &&
			outcome_of(first + (uint64_t) i)->kind == MF_OUTCOME_LOST;
	ok(lost == MF_SENDER_SLOTS - 1, "all of them end with their server: %u",
	   lost);
	ok(mf_engine_under_way(engine) == 0, "no slot is lost");

	good = 0;
	before = outcome_count();
	hang = target_at(&faults, "/status/200");
	mf_engine_target(engine, &hang);
	for (int i = 0; i < 3000; i++)
	{
		first = start_request();
		while (mf_engine_under_way(engine) >= 100)
			work_once(100);
	}
	work_until(before + 3000);
	for (uint64_t i = 0; i < 3000; i++)
		good += outcome_of(first - i)->status == 200;
	ok(good == 3000, "three thousand, a hundred at a time: %u", good);
}

/* Many targets in turn: handles change hands. */
static void
test_targets(void)
{
	const MfMapping none = {NULL, 0};
	const unsigned int before = outcome_count();
	const int	requests_before = requests();
	unsigned int good = 0;
	uint64_t	tag = 50000;

	for (uint32_t round = 0; round < 3; round++)
		for (uint32_t i = 0; i < 1500; i++)
		{
			MfTarget	target = target_at(&faults, "/status/200");
			MfRequest	request;

			target.number = 100 + i;
			if (round != 1)
				mf_engine_target(engine, &target);
			memset(&request, 0, sizeof(request));
			request.tag = tag++;
			request.target = target.number;
			request.id = text("msg_x");
			request.content_type = text("a/b");
			request.body = text("x");
			if (!mf_engine_send(engine, &request, none))
				abort();
			while (mf_engine_under_way(engine) > 50)
				work_once(100);
			if (round == 2)
				mf_engine_forget(engine, target.number);
		}
	work_until(before + 4500);
	for (uint64_t i = 50000; i < tag; i++)
		good += outcome_of(i)->status == 200;
	ok(good == 4500 && requests() - requests_before >= 4500,
	   "1,500 targets, told, used and forgotten: %u", good);
}

int
main(void)
{
	const int	before = count_descriptors();
	MfTarget	target;

	faults_start(&faults);
	faults_start(&hanging);
	names_start(&names);
	engine_open(&names);
	test_request();
	test_mapping();
	test_statuses();
	test_times();
	test_retry_after();
	test_addresses();
	test_hosts();
	test_config();
	test_redirects();
	test_reuse();
	test_many();
	test_targets();

	test_overdue();

	/* The end, with requests in all states. */
	target = target_at(&faults, "/hang");
	mf_engine_target(engine, &target);
	start_request();
	start_request();
	work_once(0);
	target = target_of("http://silent.test/");
	mf_engine_target(engine, &target);
	start_request();
	work_once(0);
	engine_close();
	server_stop(&names);
	server_stop(&faults);
	ok(count_descriptors() == before, "no descriptor is left over");
	return done_testing();
}
