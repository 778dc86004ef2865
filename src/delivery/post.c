/*
 * post.c
 *		What goes into a program, and what comes out.
 *
 * A program is told about an endpoint just before its first request for it,
 * and again when something about it has changed since.  Each request has a
 * tag: an entry of a table, and how often that was used.  An answer with any
 * other tag was never asked for.
 */
#include "postgres.h"

#include <errno.h>

#include "guc.h"
#include "senders.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define CONNECT_TIMEOUT_MS	10000

/* A program has so much longer than the request to say that time is up. */
#define GRACE_MS			10000

#define ENTRIES				(MF_SENDER_SLOTS + MF_SENDERS_APART)
#define INDEX_BITS			16
#define INDEX_MASK			((UINT64CONST(1) << INDEX_BITS) - 1)

/* After the system could not pass something on. */
#define PASS_ON_MS			20

/* A request under way. */
typedef struct MfEntry
{
	MfDelivery *delivery;		/* NULL: free */
	MfSender   *sender;
	uint64		uses;
	int64		deadline;
	int			next_free;
} MfEntry;

static MfEntry entries[ENTRIES];
static int	free_entry = -1;
static int	entries_used = 0;	/* ever */

/* Numbers of targets. */
static int *free_targets = NULL;
static int	free_target_count = 0;
static int	free_target_room = 0;
static int	targets_used = 0;	/* ever */

/* mesflow.delivery_allow_private, as lines; counts its changes from 1. */
static char *allowed = NULL;
static char *allowed_from = NULL;
static uint32 allowed_version = 0;

/* ---- settings ----------------------------------------------------------------- */

/* Names with commas between them become lines, of printable characters. */
static char *
make_lines(const char *list)
{
	char	   *lines = MemoryContextAlloc(mf_delivery_context, strlen(list) + 2);
	char	   *to = lines;

	for (const char *at = list;; at++)
	{
		if (*at != ',' && *at != '\0')
		{
			if (*at > 0x20 && *at < 0x7f)
				*to++ = *at;
			continue;
		}
		if (to > lines && to[-1] != '\n')
			*to++ = '\n';
		if (*at == '\0')
			break;
	}
	*to = '\0';
	return lines;
}

void
mf_post_read_settings(void)
{
	const char *now = mf_guc_delivery_allow_private;

	if (allowed_from != NULL && strcmp(allowed_from, now) == 0)
		return;
	if (allowed_from != NULL)
	{
		pfree(allowed_from);
		pfree(allowed);
	}
	allowed_from = MemoryContextStrdup(mf_delivery_context, now);
	allowed = make_lines(now);
	allowed_version++;
}

/* ---- frames ------------------------------------------------------------------- */

static void
begin_frame(MfSending *frame, MfSendingType type)
{
	mf_sending_free(frame);
	mf_sending_start(frame, type);
}

/* Before a program's first message, and after its end. */
void
mf_post_begin(MfSender *sender)
{
	begin_frame(&sender->forgets, MF_SENDING_FORGET);
	begin_frame(&sender->targets, MF_SENDING_TARGET);
	begin_frame(&sender->requests, MF_SENDING_SEND);
	mf_received_free(&sender->received);
	memset(&sender->received, 0, sizeof(sender->received));
	sender->blocked = false;
	if (sender->told != NULL)
		memset(sender->told, 0, sender->told_room * sizeof(uint64));
}

/*
 * In this order: what is forgotten may be told anew, and what is asked for
 * must have been told.  Where the program is gone, its socket says so when it
 * is read.
 */
static bool
flush(MfSender *sender)
{
	sender->blocked = !(mf_sending_flush(sender->child.program.fd, &sender->forgets) &&
						mf_sending_flush(sender->child.program.fd, &sender->targets) &&
						mf_sending_flush(sender->child.program.fd, &sender->requests));
	return !sender->blocked;
}

void
mf_post_flush(MfSender *sender, int64 now)
{
	if (sender->child.state == MF_CHILD_READY && !flush(sender))
		mf_delivery_due(now + (errno == EAGAIN ? 1 : PASS_ON_MS));
}

/* ---- targets ------------------------------------------------------------------ */

static int
take_target(void)
{
	if (free_target_count > 0)
		return free_targets[--free_target_count];
	return targets_used < MF_SENDER_TARGETS ? targets_used++ : -1;
}

static void
give_target(int target)
{
	if (free_target_count == free_target_room)
	{
		free_target_room = Max(2 * free_target_room, 64);
		if (free_targets == NULL)
			free_targets = MemoryContextAlloc(TopMemoryContext,
											  free_target_room * sizeof(int));
		else
			free_targets = repalloc(free_targets, free_target_room * sizeof(int));
	}
	free_targets[free_target_count++] = target;
}

/*
 * The number of a target is free again.  Where a program cannot be told now,
 * it keeps what it knows, until that is told anew or the program ends.
 */
void
mf_post_forget(MfLine *line)
{
	int			target = line->target;

	if (target < 0)
		return;
	for (int i = 0; i < MF_SENDERS; i++)
	{
		MfSender   *sender = mf_sender(i);

		if (target >= sender->told_room || sender->told[target] == 0)
			continue;
		sender->told[target] = 0;
		if (sender->child.state == MF_CHILD_READY)
			(void) mf_sending_add_forget(&sender->forgets, target);
	}
	give_target(target);
	line->target = -1;
}

static uint64 *
told(MfSender *sender, int target)
{
	int			room = Max(sender->told_room, 64);

	while (room <= target)
		room *= 2;
	if (room > sender->told_room)
	{
		uint64	   *made = MemoryContextAllocZero(TopMemoryContext,
												  room * sizeof(uint64));

		if (sender->told != NULL)
		{
			memcpy(made, sender->told, sender->told_room * sizeof(uint64));
			pfree(sender->told);
		}
		sender->told = made;
		sender->told_room = room;
	}
	return &sender->told[target];
}

static MfBytes
bytes_of(const char *string)
{
	return (MfBytes)
	{
		string, string == NULL ? 0 : strlen(string)
	};
}

static void
describe(MfTarget *target, int number, const MfEndpointConfig *config)
{
	memset(target, 0, sizeof(*target));
	target->number = number;
	target->url = bytes_of(config->url);
	target->headers = bytes_of(config->headers);
	target->user_password = bytes_of(config->user_password);
	target->bearer = bytes_of(config->bearer);
	target->ca = bytes_of(config->ca);
	target->client_cert = bytes_of(config->client_cert);
	target->client_key = bytes_of(config->client_key);
	target->allowed_by_server = bytes_of(allowed);
	target->allowed_by_endpoint = bytes_of(config->allow_private);
	target->timeout_ms = config->timeout_ms;
	target->connect_timeout_ms = Min(config->timeout_ms, CONNECT_TIMEOUT_MS);
	target->redirects = config->redirects;
	target->secret_count = config->secret_count;
	memcpy(target->secrets, config->secrets, sizeof(target->secrets));
}

/* Makes sure that the program knows the endpoint as it is now. */
static MfPosted
tell(MfSender *sender, MfEndpoint *endpoint)
{
	MfLine	   *line = endpoint->line;
	uint64		version = (uint64) allowed_version << 32 | endpoint->version;
	MfTarget	target;

	if (line->target < 0)
		line->target = take_target();
	if (line->target < 0)
		return MF_POSTED_NO_TARGET;
	if (*told(sender, line->target) == version)
		return MF_POSTED;

	describe(&target, line->target, endpoint->config);
	while (!mf_sending_add_target(&sender->targets, &target))
	{
		if (sender->targets.count == 0)
			return errno == EINVAL ? MF_POSTED_NO_TARGET : MF_POSTED_LATER;
		if (!flush(sender))
			return MF_POSTED_LATER;
	}
	*told(sender, line->target) = version;
	return MF_POSTED;
}

/* ---- requests ----------------------------------------------------------------- */

static MfEntry *
take_entry(void)
{
	MfEntry    *entry;

	if (free_entry >= 0)
	{
		entry = &entries[free_entry];
		free_entry = entry->next_free;
		return entry;
	}
	return entries_used < ENTRIES ? &entries[entries_used++] : NULL;
}

static void
give_entry(MfEntry *entry)
{
	entry->sender->under_way--;
	entry->sender->used_at = mf_wait_now();
	entry->delivery = NULL;
	entry->sender = NULL;
	entry->next_free = free_entry;
	free_entry = (int) (entry - entries);
}

MfPosted
mf_post_send(MfSender *sender, MfDelivery *delivery, const MfRequest *request)
{
	MfPosted	posted = tell(sender, delivery->endpoint);
	MfRequest	tagged = *request;
	MfEntry    *entry;

	if (posted != MF_POSTED)
		return posted;
	entry = take_entry();
	if (entry == NULL)
		return MF_POSTED_LATER;

	entry->delivery = delivery;
	entry->sender = sender;
	entry->uses++;
	sender->under_way++;
	tagged.tag = entry->uses << INDEX_BITS | (uint64) (entry - entries);
	tagged.target = delivery->endpoint->line->target;
	while (!mf_sending_add_request(&sender->requests, &tagged))
	{
		if (sender->requests.count == 0)
			posted = errno == EINVAL ? MF_POSTED_NO_REQUEST : MF_POSTED_LATER;
		else if (!flush(sender))
			posted = MF_POSTED_LATER;
		else
			continue;
		give_entry(entry);
		return posted;
	}
	entry->deadline = mf_wait_now() + delivery->endpoint->config->timeout_ms + GRACE_MS;
	delivery->tag = tagged.tag;
	delivery->sent_at = GetCurrentTimestamp();
	delivery->state = MF_DELIVERY_SENDING;
	return MF_POSTED;
}

/* The request that has this tag in this program; NULL: none. */
static MfEntry *
find_entry(const MfSender *sender, uint64 tag)
{
	uint64		index = tag & INDEX_MASK;

	if (index >= ENTRIES || entries[index].delivery == NULL ||
		entries[index].sender != sender || entries[index].uses != tag >> INDEX_BITS)
		return NULL;
	return &entries[index];
}

/*
 * Takes the outcomes of a frame.  False: it broke the protocol, and *why says
 * how.
 */
bool
mf_post_take(MfSender *sender, const char **why)
{
	static MfOutcome outcome;	/* large */
	int			count = 0;

	for (;; count++)
	{
		MfEntry    *entry;
		MfDelivery *delivery;

		switch (mf_received_outcome(&sender->received, &outcome, why))
		{
			case MF_FRAME_GOT:
				break;
			case MF_FRAME_NOTHING:
				*why = "an empty message";
				return count > 0;
			case MF_FRAME_CLOSED:
			case MF_FRAME_BAD:
				return false;
		}
		entry = find_entry(sender, outcome.tag);
		if (entry == NULL)
		{
			*why = "an answer to no request";
			return false;
		}
		delivery = entry->delivery;
		give_entry(entry);
		mf_verdict_give(delivery, &outcome);
	}
}

/* The program is gone: what becomes of what was under way in it. */
void
mf_post_lose(MfSender *sender, MfLoss loss)
{
	for (int i = 0; i < entries_used && sender->under_way > 0; i++)
	{
		MfDelivery *delivery = entries[i].delivery;

		if (delivery == NULL || entries[i].sender != sender)
			continue;
		give_entry(&entries[i]);
		mf_verdict_lose(delivery, loss, sender->apart);
	}
}

/* The program is ended by us: all of it waits again. */
void
mf_post_give_back(MfSender *sender)
{
	for (int i = 0; i < entries_used && sender->under_way > 0; i++)
	{
		MfDelivery *delivery = entries[i].delivery;

		if (delivery == NULL || entries[i].sender != sender)
			continue;
		give_entry(&entries[i]);
		mf_schedule_return(delivery);
	}
}

/* Is something under way for longer than it can be? */
bool
mf_post_is_overdue(const MfSender *sender, int64 now)
{
	for (int i = 0; i < entries_used; i++)
		if (entries[i].delivery != NULL && entries[i].sender == sender &&
			entries[i].deadline < now)
			return true;
	return false;
}
