/*
 * test_resolve.c
 *		Names are looked up without waiting, once for all who ask.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "harness.h"

#include "frame/tap.h"
#include "net/resolve.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static Server names;
static MfPoller *waiting;
static MfResolver *resolver;

typedef struct Asker
{
	MfWaiter	waiter;			/* first */
	int			told;
	MfNameState state;
	uint32_t	count;
	char		first[MF_ADDRESS_TEXT];
	char		error[MF_RESOLVE_ERROR];
} Asker;

static void
take(Asker *asker, const MfName *name)
{
	asker->told++;
	asker->state = name->state;
	asker->count = name->count;
	snprintf(asker->error, sizeof(asker->error), "%s", name->error);
	if (name->state == MF_NAME_KNOWN)
		mf_address_print(&name->addresses[name->preferred], asker->first);
}

static void
known(MfWaiter *waiter, const MfName *name)
{
	take((Asker *) waiter, name);
}

static void
ask(const char *host, Asker *asker)
{
	const MfName *name;

	memset(asker, 0, sizeof(*asker));
	asker->waiter.done = known;
	name = mf_resolver_ask(resolver, host, &asker->waiter);
	if (name->state != MF_NAME_ASKING)
		take(asker, name);
}

/* Waits until they have been told. */
static void
wait_told(Asker *askers, int count)
{
	for (int i = 0; i < count; i++)
		while (askers[i].told == 0)
		{
			int64_t		due = mf_resolver_due(resolver);

			if (due < 0 || due > 100000)
				due = 100000;
			mf_poller_wait(waiting, (int) (due / 1000) + 1);
			mf_resolver_turn(resolver);
		}
}

static const Asker *
resolve(const char *host)
{
	static Asker asker;

	ask(host, &asker);
	wait_told(&asker, 1);
	return &asker;
}

static bool
is_known(const char *host, uint32_t count, const char *first)
{
	const Asker *asker = resolve(host);

	return ok(asker->state == MF_NAME_KNOWN && asker->count == count &&
			  strcmp(asker->first, first) == 0, "%s: %u, first %s %s", host,
			  asker->count, asker->first, asker->error);
}

static void
is_unknown(const char *host, const char *why)
{
	const Asker *asker = resolve(host);

	ok(asker->state == MF_NAME_FAILED && strcmp(asker->error, why) == 0,
	   "%s: %s", host, asker->error);
}

/* ---- servers that change ------------------------------------------------- */

static char servers[] = "/tmp/mesflow-servers-XXXXXX";

static void
write_servers(const char *address)
{
	FILE	   *file = fopen(servers, "w");

	if (file == NULL || fprintf(file, "nameserver %s\n", address) < 0 ||
		fclose(file) != 0)
		abort();
}

/* The file is looked at once a second. */
static void
let_a_second_pass(void)
{
	for (int i = 0; i < 1100; i++)
		pause_briefly();
}

/* A server on this address, at the port of `names`, that says nothing. */
static int
silent_server(const char *address)
{
	struct sockaddr_in there = {.sin_family = AF_INET};
	const int	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	there.sin_port = htons(names.port);
	if (inet_pton(AF_INET, address, &there.sin_addr) != 1 ||
		bind(fd, (struct sockaddr *) &there, sizeof(there)) != 0)
		abort();
	return fd;
}

/* Questions that came to it are answered after all, by `names`. */
static int
pass_on(int fd)
{
	struct sockaddr_in there = {.sin_family = AF_INET};
	struct sockaddr_in from;
	socklen_t	from_length = sizeof(from);
	const int	out = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char		packet[4096];
	ssize_t		length;
	int			count = 0;

	there.sin_port = htons(names.port);
	there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(out, (struct sockaddr *) &there, sizeof(there)) != 0)
		abort();
	while ((length = recvfrom(fd, packet, sizeof(packet), MSG_DONTWAIT,
							  (struct sockaddr *) &from, &from_length)) > 0)
	{
		count++;
		if (send(out, packet, (size_t) length, 0) != length ||
			(length = recv(out, packet, sizeof(packet), 0)) <= 0 ||
			sendto(fd, packet, (size_t) length, 0, (struct sockaddr *) &from,
				   from_length) != length)
			abort();
	}
	close(out);
	return count;
}

static void
test_servers(void)
{
	const int	first = silent_server("127.0.0.3");
	const int	last = silent_server("127.0.0.4");
	const int	descriptors = count_descriptors();
	struct rlimit limit;
	struct rlimit none;
	Asker		before;
	Asker		after;
	uint64_t	asked;

	close(mkstemp(servers));
	write_servers("127.0.0.3");
	resolver = mf_resolver_create(waiting, names.port, names.port, servers);
	ask("both.test", &before);

	/* There is a question open all the time. */
	let_a_second_pass();
	write_servers("127.0.0.1");
	is_known("loop.test", 1, "127.0.0.1");
	ok(pass_on(first) > 0, "the first question went to the former server");
	wait_told(&before, 1);
	asked = mf_resolver_asked(resolver);
	is_known("both.test", 2, resolve("both.test")->first);
	ok(mf_resolver_asked(resolver) == asked, "and its answer counts");

	/* A file that cannot be read changes nothing, and is tried again. */
	write_servers("127.0.0.4");
	let_a_second_pass();
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		abort();
	none = limit;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &none);
	ask("six.test", &after);
	setrlimit(RLIMIT_NOFILE, &limit);
	let_a_second_pass();
	ask("two.test", &after);
	ok(pass_on(last) > 0, "the file is read as soon as it can be");
	mf_resolver_leave(&after.waiter);
	mf_resolver_free(resolver);
	ok(count_descriptors() == descriptors, "all channels are closed");
	close(first);
	close(last);
	unlink(servers);
}

int
main(void)
{
	Asker		many[100];
	Asker		gone;
	uint64_t	asked;
	uint64_t	version;
	const MfName *name;
	MfAddress	first;
	int			told = 0;

	names_start(&names);
	waiting = mf_poller_create();
	resolver = mf_resolver_create(waiting, names.port, names.port, NULL);
	if (waiting == NULL || resolver == NULL)
		abort();

	is_known("loop.test", 1, "127.0.0.1");
	is_known("six.test", 1, "::1");
	is_known("mapped.test", 1, "10.1.2.3");
	ok(resolve("mixed.test")->count == 2 && resolve("mixed6.test")->count == 2,
	   "all addresses of a name are known, of both kinds");
	is_unknown("none.test", "the host has no address");
	is_unknown("empty.test", "the host has no address");
	is_unknown("many.test", "the host has too many addresses");
	ok(resolve("broken.test")->state == MF_NAME_FAILED,
	   "a server that fails: %s", resolve("broken.test")->error);

	/* /etc/hosts, which every machine has, comes first. */
	asked = (uint64_t) atomic_load(&names.seen->questions);
	ok(resolve("localhost")->state == MF_NAME_KNOWN &&
	   (uint64_t) atomic_load(&names.seen->questions) == asked,
	   "localhost is known without a question");

	/* What is known is not asked again: neither answers nor failures. */
	asked = mf_resolver_asked(resolver);
	is_known("LOOP.test", 1, "127.0.0.1");
	is_unknown("none.test", "the host has no address");
	ok(mf_resolver_asked(resolver) == asked, "both were kept");

	/* A hundred ask for a name, and one of them leaves. */
	asked = mf_resolver_asked(resolver);
	ask("brief.test", &gone);
	for (int i = 0; i < 100; i++)
		ask("brief.test", &many[i]);
	mf_resolver_leave(&gone.waiter);
	mf_resolver_leave(&gone.waiter);
	wait_told(many, 100);
	for (int i = 0; i < 100; i++)
		told += many[i].told;
	ok(told == 100 && gone.told == 0 &&
	   mf_resolver_asked(resolver) == asked + 1,
	   "a hundred ask once, and each is told once");
	ok(resolve("brief.test")->state == MF_NAME_KNOWN &&
	   mf_resolver_asked(resolver) == asked + 1,
	   "an answer without a time to live is kept for a moment");

	/* The next address, and round again. */
	(void) resolve("two.test");
	name = mf_resolver_ask(resolver, "two.test", &gone.waiter);
	first = name->addresses[name->preferred];
	version = name->version;
	mf_resolver_avoid(resolver, "two.test", &first);
	name = mf_resolver_ask(resolver, "two.test", &gone.waiter);
	ok(name->version != version &&
	   !mf_address_equal(&name->addresses[name->preferred], &first),
	   "an address that does not answer is avoided");
	version = name->version;
	mf_resolver_avoid(resolver, "two.test", &first);
	name = mf_resolver_ask(resolver, "two.test", &gone.waiter);
	ok(name->version == version, "once");
	mf_resolver_avoid(resolver, "nobody.test", &first);

	/* Nobody answers: given up, and others are not held up meanwhile. */
	ask("silent.test", &gone);
	is_known("both.test", 2, resolve("both.test")->first);
	ok(gone.told == 0, "one name that nobody knows holds up no other");
	wait_told(&gone, 1);
	ok(gone.state == MF_NAME_FAILED, "and is given up: %s", gone.error);

	/* The end, with a question open. */
	ask("silent.test.example.test", &gone);
	ask("late.test", &many[0]);
	mf_resolver_free(resolver);
	ok(many[0].told == 0, "at the end nobody is told any more");
	test_servers();
	mf_poller_free(waiting);
	server_stop(&names);
	return done_testing();
}
