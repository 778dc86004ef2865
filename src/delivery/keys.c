/*
 * keys.c
 *		The lines of an endpoint that keeps order: one per key.
 *
 * The head of a key's line alone may go; it stays the head while it is under
 * way, and between two tries.  Those with a row come first, by id, then what
 * the stream has brought:
 *
 *			  KEY ──► head: READY, LATER or APART ──► under way ──► over
 *			   ▲		  │  ▲							│
 *			   └──────────┘  └────── another try ───────┘
 *			a row that comes before it
 *
 * A dead letter of a strict endpoint blocks its key: then there is no head.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "line.h"

struct MfKeyLine
{
	bool		blocked;		/* by a dead letter */
	MfDelivery *head;			/* NULL: none, or blocked */
	dlist_head	rows;			/* behind it, by id */
	dlist_head	stream;			/* behind those */
	char		key[FLEXIBLE_ARRAY_MEMBER];
};

typedef struct MfKeyEntry
{
	const char *key;			/* in `line` */
	MfKeyLine  *line;
	uint32		hash;
	char		status;
} MfKeyEntry;

static uint32 hash_key(const char *key);

#define SH_PREFIX		mf_keys
#define SH_ELEMENT_TYPE MfKeyEntry
#define SH_KEY_TYPE		const char *
#define SH_KEY			key
#define SH_HASH_KEY(table, key)		hash_key(key)
#define SH_EQUAL(table, a, b)		(strcmp(a, b) == 0)
#define SH_STORE_HASH
#define SH_GET_HASH(table, entry)	((entry)->hash)
#define SH_SCOPE		static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

#define FIRST_KEYS		16

/* Keys are chosen by others: with a seed they cannot choose collisions. */
static uint32
hash_key(const char *key)
{
	static uint64 seed = 0;

	while (seed == 0)
		if (!pg_strong_random(&seed, sizeof(seed)))
			elog(ERROR, "could not get random bytes");
	return (uint32) hash_bytes_extended((const unsigned char *) key,
										(int) strlen(key), seed);
}

static MfKeyLine *
find_key(MfLine *line, const char *key)
{
	MfKeyEntry *entry = line->keys == NULL ? NULL : mf_keys_lookup(line->keys, key);

	return entry == NULL ? NULL : entry->line;
}

static MfKeyLine *
make_key(MfLine *line, const char *key)
{
	MfKeyLine  *made = find_key(line, key);
	Size		length = strlen(key) + 1;
	bool		found;

	if (made != NULL)
		return made;
	if (line->keys == NULL)
		line->keys = mf_keys_create(mf_delivery_context, FIRST_KEYS, NULL);
	made = MemoryContextAllocZero(mf_delivery_context,
								  offsetof(MfKeyLine, key) + length);
	memcpy(made->key, key, length);
	dlist_init(&made->rows);
	dlist_init(&made->stream);
	mf_keys_insert(line->keys, made->key, &found)->line = made;
	return made;
}

static void
free_key_if_empty(MfLine *line, MfKeyLine *keyed)
{
	if (keyed->blocked || keyed->head != NULL ||
		!dlist_is_empty(&keyed->rows) || !dlist_is_empty(&keyed->stream))
		return;
	mf_keys_delete(line->keys, keyed->key);
	pfree(keyed);
}

/* The table does not shrink, so it goes when it is empty. */
static void
free_keys_if_empty(MfLine *line)
{
	if (line->keys != NULL && line->keys->members == 0)
	{
		mf_keys_destroy(line->keys);
		line->keys = NULL;
	}
}

static MfDelivery *
first_behind(MfKeyLine *keyed)
{
	if (!dlist_is_empty(&keyed->rows))
		return dlist_head_element(MfDelivery, line_node, &keyed->rows);
	if (!dlist_is_empty(&keyed->stream))
		return dlist_head_element(MfDelivery, line_node, &keyed->stream);
	return NULL;
}

/* Rows mostly come in their order, so the place is looked for from behind. */
static void
queue_row(MfKeyLine *keyed, MfDelivery *delivery)
{
	dlist_node *after = &keyed->rows.head;
	dlist_iter	iter;

	dlist_reverse_foreach(iter, &keyed->rows)
	{
		if (dlist_container(MfDelivery, line_node, iter.cur)->id < delivery->id)
		{
			after = iter.cur;
			break;
		}
	}
	if (after == &keyed->rows.head)
		dlist_push_head(&keyed->rows, &delivery->line_node);
	else
		dlist_insert_after(after, &delivery->line_node);
	delivery->place = MF_PLACE_KEY;
}

/* Puts a head that waits back behind the others' head. */
static void
unseat(MfKeyLine *keyed)
{
	MfDelivery *head = keyed->head;

	keyed->head = NULL;
	mf_line_unplace(head);
	if (head->has_row)
		queue_row(keyed, head);
	else
	{
		dlist_push_head(&keyed->stream, &head->line_node);
		head->place = MF_PLACE_KEY;
	}
}

/* Has this line the head that it should have? */
void
mf_key_settle(MfKeyLine *keyed)
{
	MfDelivery *next;

	if (keyed->head != NULL && mf_line_may_go(keyed->head))
	{
		next = first_behind(keyed);
		if (keyed->blocked ||
			(next != NULL && next->has_row &&
			 (!keyed->head->has_row || next->id < keyed->head->id)))
			unseat(keyed);
	}
	if (keyed->head != NULL || keyed->blocked)
		return;
	next = first_behind(keyed);
	if (next != NULL)
	{
		mf_line_unplace(next);
		keyed->head = next;
		mf_line_place(next, false);
	}
}

/* The head of a line is done with; what is behind it may go. */
void
mf_key_leave(MfDelivery *delivery)
{
	MfLine	   *line = delivery->endpoint->line;
	MfKeyLine  *keyed = delivery->key_line;

	delivery->key_line = NULL;
	keyed->head = NULL;
	mf_key_settle(keyed);
	free_key_if_empty(line, keyed);
	free_keys_if_empty(line);
}

void
mf_key_join(MfDelivery *delivery)
{
	MfKeyLine  *keyed = make_key(delivery->endpoint->line, delivery->key);

	delivery->key_line = keyed;
	if (delivery->has_row)
		queue_row(keyed, delivery);
	else
	{
		dlist_push_tail(&keyed->stream, &delivery->line_node);
		delivery->place = MF_PLACE_KEY;
	}
	mf_key_settle(keyed);
}

void
mf_key_block(MfKeyLine *keyed)
{
	keyed->blocked = true;
}

/* Takes all that wait behind another out of line, and ends the lines. */
void
mf_key_detach_all(MfLine *line, MfTaken *taken)
{
	mf_keys_iterator keys;
	MfKeyEntry *entry;

	if (line->keys == NULL)
		return;

	/* A head has been taken already, or is under way, or has ended. */
	mf_keys_start_iterate(line->keys, &keys);
	while ((entry = mf_keys_iterate(line->keys, &keys)) != NULL)
	{
		if (entry->line->head != NULL)
			entry->line->head->key_line = NULL;
		mf_line_detach_list(&entry->line->rows, line->endpoint, taken);
		mf_line_detach_list(&entry->line->stream, line->endpoint, taken);
		pfree(entry->line);
	}
	mf_keys_destroy(line->keys);
	line->keys = NULL;
}

bool
mf_line_is_behind_row(const MfDelivery *delivery)
{
	const MfKeyLine *keyed = delivery->key_line;
	MfDelivery *first;

	if (keyed == NULL || delivery->place != MF_PLACE_KEY)
		return false;
	if (keyed->blocked || (keyed->head != NULL && keyed->head->has_row))
		return true;
	first = first_behind((MfKeyLine *) keyed);
	return first != delivery && first->has_row;
}

void
mf_line_block_key(MfEndpoint *endpoint, const char *key)
{
	MfKeyLine  *keyed = make_key(endpoint->line, key);

	keyed->blocked = true;
	mf_key_settle(keyed);
}

void
mf_line_unblock_keys(MfEndpoint *endpoint)
{
	MfLine	   *line = endpoint->line;
	mf_keys_iterator keys;
	MfKeyEntry *entry;

	if (line == NULL || line->keys == NULL)
		return;

	/* Goes backwards, so that the present entry may be deleted. */
	mf_keys_start_iterate(line->keys, &keys);
	while ((entry = mf_keys_iterate(line->keys, &keys)) != NULL)
	{
		MfKeyLine  *keyed = entry->line;

		if (!keyed->blocked)
			continue;
		keyed->blocked = false;
		mf_key_settle(keyed);
		free_key_if_empty(line, keyed);
	}
	free_keys_if_empty(line);
}
