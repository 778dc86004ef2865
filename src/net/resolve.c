/*
 * resolve.c
 *		Addresses of hosts; see resolve.h.
 *
 * States of a name:
 *
 *		(none) ──► ASKING ──► KNOWN ──► expired, dropped or ASKING again
 *					 │
 *					 └──────► FAILED ──► the same, sooner
 *
 * A question that has no answer after five seconds makes the name FAILED; if
 * the answer comes after all, it counts from then on.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "resolve.h"

#include "channel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SECOND			INT64_C(1000000)
#define TTL_MIN			5
#define TTL_MAX			60
#define TTL_FAILED		5

#define SWEEP_EVERY		(60 * SECOND)
#define BUCKETS			4096

typedef struct Entry
{
	MfName		name;
	struct Entry *next;			/* in its bucket */
	MfResolver *resolver;
	MfWaiter   *waiters;
	int64_t		expires;		/* while ASKING: when patience ends */
	int			questions;		/* under way, also of ones given up */
	char		host[];
} Entry;

struct MfResolver
{
	MfChannels *channels;
	uint64_t	versions;
	uint64_t	asked;
	int			questions;		/* under way */
	int64_t		sweep_at;
	int64_t		patience_at;	/* when the first question is given up */
	bool		closing;
	Entry	   *buckets[BUCKETS];
};

/* ---- beginning and end -------------------------------------------------- */

MfResolver *
mf_resolver_create(MfPoller *poller, uint16_t test_port,
				   uint16_t test_tcp_port, const char *test_servers)
{
	MfResolver *resolver = calloc(1, sizeof(*resolver));

	if (resolver == NULL)
		return NULL;
	resolver->versions = MF_LITERAL_VERSION;
	resolver->channels = mf_channels_create(poller, test_port, test_tcp_port,
											test_servers);
	if (resolver->channels != NULL)
		return resolver;
	free(resolver);
	return NULL;
}

void
mf_resolver_free(MfResolver *resolver)
{
	if (resolver == NULL)
		return;
	resolver->closing = true;
	mf_channels_free(resolver->channels);
	for (int i = 0; i < BUCKETS; i++)
		while (resolver->buckets[i] != NULL)
		{
			Entry	   *entry = resolver->buckets[i];

			resolver->buckets[i] = entry->next;
			while (entry->waiters != NULL)
				mf_resolver_leave(entry->waiters);
			free(entry->name.addresses);
			free(entry);
		}
	free(resolver);
}

const char *
mf_resolver_version(void)
{
	return ares_version(NULL);
}

uint64_t
mf_resolver_asked(const MfResolver *resolver)
{
	return resolver->asked;
}

/* ---- names -------------------------------------------------------------- */

/* FNV-1a over the lower-case name. */
static Entry **
bucket_of(MfResolver *resolver, const char *host)
{
	uint32_t	hash = UINT32_C(2166136261);

	for (const char *p = host; *p != '\0'; p++)
		hash = (hash ^ (unsigned char) (*p | 0x20)) * UINT32_C(16777619);
	return &resolver->buckets[hash % BUCKETS];
}

static Entry *
find(MfResolver *resolver, const char *host)
{
	Entry	   *entry = *bucket_of(resolver, host);

	while (entry != NULL && strcasecmp(entry->host, host) != 0)
		entry = entry->next;
	return entry;
}

static Entry *
make_entry(MfResolver *resolver, const char *host)
{
	Entry	  **bucket = bucket_of(resolver, host);
	Entry	   *entry = calloc(1, sizeof(*entry) + strlen(host) + 1);

	if (entry == NULL)
		return NULL;
	strcpy(entry->host, host);
	entry->resolver = resolver;
	entry->name.state = MF_NAME_FAILED;
	entry->next = *bucket;
	*bucket = entry;
	return entry;
}

/* Drops names that have expired and that nobody waits for. */
static void
sweep(MfResolver *resolver, int64_t now)
{
	resolver->sweep_at = now + SWEEP_EVERY;
	for (int i = 0; i < BUCKETS; i++)
	{
		Entry	  **at = &resolver->buckets[i];

		while (*at != NULL)
		{
			Entry	   *entry = *at;

			if (entry->name.state == MF_NAME_ASKING || entry->questions > 0 ||
				now < entry->expires)
			{
				at = &entry->next;
				continue;
			}
			*at = entry->next;
			free(entry->name.addresses);
			free(entry);
		}
	}
}

void
mf_resolver_leave(MfWaiter *waiter)
{
	Entry	   *entry = waiter->entry;

	if (entry == NULL)
		return;
	if (waiter->previous != NULL)
		waiter->previous->next = waiter->next;
	else
		entry->waiters = waiter->next;
	if (waiter->next != NULL)
		waiter->next->previous = waiter->previous;
	waiter->next = NULL;
	waiter->previous = NULL;
	waiter->entry = NULL;
}

/*
 * Tells all who wait, and nobody who comes while they are told.  One of them
 * may make others leave, so each is taken from the front.
 */
static void
tell_waiters(Entry *entry)
{
	entry->questions++;			/* nobody sweeps it meanwhile */
	while (entry->waiters != NULL && entry->name.state != MF_NAME_ASKING)
	{
		MfWaiter   *waiter = entry->waiters;

		mf_resolver_leave(waiter);
		waiter->done(waiter, &entry->name);
	}
	entry->questions--;
}

static void
fail(Entry *entry, const char *error)
{
	entry->name.state = MF_NAME_FAILED;
	entry->name.version = ++entry->resolver->versions;
	entry->name.count = 0;
	snprintf(entry->name.error, sizeof(entry->name.error), "%s", error);
	entry->expires = mf_now_us() + TTL_FAILED * SECOND;
}

/* Takes the addresses over; the one that was used goes on being used. */
static void
learn(Entry *entry, const struct ares_addrinfo *answer)
{
	MfAddress	used = {0, {0}};
	MfAddress  *addresses;
	uint32_t	count = 0;
	uint32_t	room = 0;
	int			ttl = TTL_MAX;

	if (entry->name.count > 0)
		used = entry->name.addresses[entry->name.preferred];
	for (const struct ares_addrinfo_node *node = answer->nodes; node != NULL;
		 node = node->ai_next)
		room++;
	if (room > MF_RESOLVE_ADDRESSES)
	{
		fail(entry, "the host has too many addresses");
		return;
	}
	addresses = calloc(room > 0 ? room : 1, sizeof(*addresses));
	if (addresses == NULL)
	{
		fail(entry, "out of memory");
		return;
	}
	free(entry->name.addresses);
	entry->name.addresses = addresses;
	entry->name.preferred = 0;
	for (const struct ares_addrinfo_cname *alias = answer->cnames;
		 alias != NULL; alias = alias->next)
		if (alias->ttl < ttl)
			ttl = alias->ttl;
	for (const struct ares_addrinfo_node *node = answer->nodes; node != NULL;
		 node = node->ai_next)
	{
		if (!mf_address_from_socket(node->ai_addr, &addresses[count]))
			continue;
		if (mf_address_equal(&addresses[count], &used))
			entry->name.preferred = count;
		if (node->ai_ttl < ttl)
			ttl = node->ai_ttl;
		count++;
	}
	if (count == 0)
	{
		fail(entry, "the host has no address");
		return;
	}
	if (ttl < TTL_MIN)
		ttl = TTL_MIN;
	entry->name.state = MF_NAME_KNOWN;
	entry->name.version = ++entry->resolver->versions;
	entry->name.count = count;
	entry->expires = mf_now_us() + ttl * SECOND;
}

static void
answered(void *arg, int status, int timeouts, struct ares_addrinfo *answer)
{
	Entry	   *entry = arg;
	char		error[MF_RESOLVE_ERROR];

	(void) timeouts;
	entry->questions--;
	entry->resolver->questions--;
	if (!entry->resolver->closing && status != ARES_EDESTRUCTION)
	{
		if (status == ARES_SUCCESS && answer != NULL)
			learn(entry, answer);
		else if (entry->name.state == MF_NAME_ASKING)
		{
			if (status == ARES_ENOTFOUND || status == ARES_ENODATA)
				snprintf(error, sizeof(error), "the host has no address");
			else
				snprintf(error, sizeof(error), "the host cannot be looked up: %s",
						 ares_strerror(status));
			fail(entry, error);
		}
	}
	if (answer != NULL)
		ares_freeaddrinfo(answer);
	if (!entry->resolver->closing)
		tell_waiters(entry);
}

const MfName *
mf_resolver_ask(MfResolver *resolver, const char *host, MfWaiter *waiter)
{
	const int64_t now = mf_now_us();
	Entry	   *entry = find(resolver, host);

	if (entry == NULL)
		entry = make_entry(resolver, host);
	if (entry == NULL)
		return NULL;
	if (entry->name.state != MF_NAME_ASKING && now >= entry->expires)
	{
		entry->name.state = MF_NAME_ASKING;
		entry->expires = now + MF_CHANNEL_PATIENCE;
		if (resolver->questions == 0)
			resolver->patience_at = entry->expires;
		entry->questions++;
		resolver->questions++;
		resolver->asked++;
		mf_channels_ask(resolver->channels, entry->host, answered, entry);
	}
	/* What /etc/hosts knows is answered by now. */
	if (entry->name.state == MF_NAME_ASKING)
	{
		waiter->entry = entry;
		waiter->previous = NULL;
		waiter->next = entry->waiters;
		if (entry->waiters != NULL)
			entry->waiters->previous = waiter;
		entry->waiters = waiter;
	}
	return &entry->name;
}

void
mf_resolver_avoid(MfResolver *resolver, const char *host,
				  const MfAddress *address)
{
	Entry	   *entry = find(resolver, host);

	if (entry == NULL || entry->name.count < 2 ||
		!mf_address_equal(&entry->name.addresses[entry->name.preferred],
						  address))
		return;
	entry->name.preferred = (entry->name.preferred + 1) % entry->name.count;
	entry->name.version = ++resolver->versions;
}

int64_t
mf_resolver_due(MfResolver *resolver)
{
	return mf_channels_due(resolver->channels);
}

/* Gives up the questions that have no answer in time. */
static void
lose_patience(MfResolver *resolver, int64_t now)
{
	int64_t		next = now + MF_CHANNEL_PATIENCE;

	for (int i = 0; i < BUCKETS; i++)
		for (Entry *entry = resolver->buckets[i]; entry != NULL;
			 entry = entry->next)
		{
			if (entry->name.state != MF_NAME_ASKING)
				continue;
			if (now >= entry->expires)
			{
				fail(entry, "no answer about the host within 5 seconds");
				tell_waiters(entry);
			}
			else if (entry->expires < next)
				next = entry->expires;
		}
	resolver->patience_at = next;
}

void
mf_resolver_turn(MfResolver *resolver)
{
	const int64_t now = mf_now_us();

	/* First: a channel that goes takes no question that somebody waits for. */
	if (resolver->questions > 0 && now >= resolver->patience_at)
		lose_patience(resolver, now);
	mf_channels_turn(resolver->channels, now);
	if (now >= resolver->sweep_at)
		sweep(resolver, now);
}
