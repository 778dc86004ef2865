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
 * Of the rows of a key, the table may have more than are held (MfKeyAway).
 * Those held are the first ones, so the others are read when none of them is
 * left; till then nothing of the stream goes.  Where the first row of all is
 * not due yet, none is held, and rows.c finds it when it is.
 *
 * A dead letter of a strict endpoint blocks its key: then there is no head,
 * and no row is held but one that is under way.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "line.h"
#include "stream.h"

struct MfKeyLine
{
	MfLine	   *line;
	bool		blocked;		/* by a dead letter */
	MfKeyAway	away;
	dlist_node	wanted_node;	/* while WANTED */
	int			held;			/* deliveries with a row, wherever they are */
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
	made->line = line;
	made->away = mf_rows_unseen(line->endpoint) ? MF_KEY_MORE : MF_KEY_ALL_HERE;
	dlist_init(&made->rows);
	dlist_init(&made->stream);
	mf_keys_insert(line->keys, made->key, &found)->line = made;
	return made;
}

static void
set_away(MfKeyLine *keyed, MfKeyAway away)
{
	if (keyed->away == MF_KEY_WANTED)
		dlist_delete(&keyed->wanted_node);
	keyed->away = away;
	if (away == MF_KEY_WANTED)
		dlist_push_tail(&keyed->line->wanted, &keyed->wanted_node);
}

/* Of what is not due, and of what is not there, nothing need be known. */
static void
free_key_if_empty(MfLine *line, MfKeyLine *keyed)
{
	if (keyed->blocked || keyed->head != NULL || keyed->held > 0 ||
		keyed->away == MF_KEY_MORE || keyed->away == MF_KEY_WANTED ||
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
	if (next != NULL && (next->has_row || keyed->away == MF_KEY_ALL_HERE))
	{
		mf_line_unplace(next);
		keyed->head = next;
		mf_line_place(next, false);
	}
	else if (keyed->away == MF_KEY_MORE && keyed->held == 0)
		set_away(keyed, MF_KEY_WANTED);
}

/* After a change that may have been the last of it. */
static void
settle_or_free(MfKeyLine *keyed)
{
	MfLine	   *line = keyed->line;

	mf_key_settle(keyed);
	free_key_if_empty(line, keyed);
	free_keys_if_empty(line);
}

/* ---- rows ----------------------------------------------------------------- */

static void
forget_rows_behind(MfKeyLine *keyed)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &keyed->rows)
	{
		MfDelivery *delivery = dlist_container(MfDelivery, line_node, iter.cur);

		/* The caller settles the line, once. */
		delivery->row_key = NULL;
		keyed->held--;
		mf_line_forget(delivery);
	}
}

/* No row of it waits in memory any more. */
static void
forget_rows(MfKeyLine *keyed)
{
	if (keyed->head != NULL && mf_line_may_go(keyed->head))
		unseat(keyed);
	forget_rows_behind(keyed);
	set_away(keyed, MF_KEY_MORE);
}

void
mf_line_forget_rows(MfEndpoint *endpoint)
{
	MfLine	   *line = endpoint->line;
	mf_keys_iterator keys;
	MfKeyEntry *entry;

	if (line->keys == NULL)
		return;
	mf_keys_start_iterate(line->keys, &keys);
	while ((entry = mf_keys_iterate(line->keys, &keys)) != NULL)
	{
		forget_rows(entry->line);
		mf_key_settle(entry->line);
	}
}

void
mf_key_hold(MfDelivery *delivery)
{
	MfLine	   *line = delivery->endpoint->line;

	if (line->ordering == MF_ORDERING_NONE)
		return;
	delivery->row_key = make_key(line, delivery->key);
	delivery->row_key->held++;
}

void
mf_key_let_go(MfDelivery *delivery)
{
	MfKeyLine  *keyed = delivery->row_key;

	if (keyed == NULL)
		return;
	delivery->row_key = NULL;
	keyed->held--;
	settle_or_free(keyed);
}

void
mf_key_hold_all(MfLine *line)
{
	dlist_iter	iter;

	dlist_foreach(iter, &line->endpoint->row_list)
		mf_key_hold(dlist_container(MfDelivery, row_node, iter.cur));
}

bool
mf_key_seen(MfEndpoint *endpoint, const char *key)
{
	MfKeyLine  *keyed = make_key(endpoint->line, key);

	if (keyed->away == MF_KEY_WANTED)
		return false;
	set_away(keyed, MF_KEY_MORE);
	mf_key_settle(keyed);
	return keyed->away == MF_KEY_WANTED;
}

int
mf_keys_wanted(const MfEndpoint *endpoint, MfKeyLine **keys, int most)
{
	int			count = 0;
	dlist_iter	iter;

	dlist_foreach(iter, &endpoint->line->wanted)
	{
		if (count == most)
			break;
		keys[count++] = dlist_container(MfKeyLine, wanted_node, iter.cur);
	}
	return count;
}

MfEndpoint *
mf_key_endpoint(const MfKeyLine *keyed)
{
	return keyed->line->endpoint;
}

const char *
mf_key_name(const MfKeyLine *keyed)
{
	return keyed->key;
}

void
mf_key_read(MfKeyLine *keyed, MfKeyAway away)
{
	set_away(keyed, away);
	settle_or_free(keyed);
}

void
mf_key_sleep(MfDelivery *delivery)
{
	MfKeyLine  *keyed = delivery->key_line;

	delivery->key_line = NULL;
	keyed->head = NULL;
	forget_rows_behind(keyed);
	set_away(keyed, MF_KEY_LATER);
	settle_or_free(keyed);
}

void
mf_line_parked(MfDelivery *delivery)
{
	MfKeyLine  *keyed = delivery->key_line;
	bool		later = delivery->place == MF_PLACE_LATER;

	mf_line_unplace(delivery);
	delivery->endpoint->queued--;
	if (later)
	{
		mf_rows_expect(delivery->endpoint, delivery->due_at);
		if (keyed != NULL)
			mf_key_sleep(delivery);
		return;
	}
	delivery->key_line = NULL;
	if (keyed->away == MF_KEY_ALL_HERE)
		set_away(keyed, MF_KEY_MORE);
	settle_or_free(keyed);
}

/* ---- coming and going ------------------------------------------------------ */

/* The head of a line is done with; what is behind it may go. */
void
mf_key_leave(MfDelivery *delivery)
{
	MfKeyLine  *keyed = delivery->key_line;

	delivery->key_line = NULL;
	keyed->head = NULL;
	settle_or_free(keyed);
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
	forget_rows(keyed);
}

/* Takes all that wait behind another out of line, and ends the lines. */
void
mf_key_detach_all(MfLine *line, MfTaken *taken)
{
	mf_keys_iterator keys;
	MfKeyEntry *entry;
	dlist_iter	iter;

	if (line->keys == NULL)
		return;
	dlist_foreach(iter, &line->endpoint->row_list)
		dlist_container(MfDelivery, row_node, iter.cur)->row_key = NULL;

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
	dlist_init(&line->wanted);
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
	if (keyed->blocked || keyed->away == MF_KEY_LATER ||
		(keyed->away == MF_KEY_MORE && keyed->head == NULL) ||
		(keyed->head != NULL && keyed->head->has_row))
		return true;
	first = first_behind((MfKeyLine *) keyed);
	return first != delivery && first->has_row;
}

static void
unblock_all(MfLine *line)
{
	mf_keys_iterator keys;
	MfKeyEntry *entry;

	if (line->keys == NULL)
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

/* What is unblocked is read first, so one that is blocked again does not go. */
void
mf_line_block_keys(MfEndpoint *endpoint, char **keys, int count)
{
	unblock_all(endpoint->line);
	for (int i = 0; i < count; i++)
		mf_key_block(make_key(endpoint->line, keys[i]));
}
