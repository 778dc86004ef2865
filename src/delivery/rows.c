/*
 * rows.c
 *		Deliveries from the rows of _pending.
 *
 * A row that is not due is not held: the table has it.  Rows are looked at in
 * the order of their times, each when its time has come (rows_due), from where
 * that ended the last time (rows_seen), while there is room.  Parked ones,
 * which have no time, are looked at once.  So every row of the table
 *
 *		is held, or
 *		is due later than all that has been seen, or
 *		has a key of which another row is so, or which is to be read.
 *
 * Where there is an order, what is seen is only the name of a key: of that, the
 * first rows are read, whatever row it was.  After a replay, which may put rows
 * anywhere, all are looked at again.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "plan.h"
#include "stream.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/timestamp.h"

/* Rows of an endpoint that are looked at, and keys that are read, at a time. */
#define PORTION		500
#define KEYS		128

/* Rows of a key that are read at a time. */
#define KEY_ROWS	32

/* How long to go on in a turn. */
#define READ_MS		50

/* Columns of both statements. */
enum
{
	COL_ID = 1,
	COL_EVENT,
	COL_KEY,
	COL_DUE_AT,
	COL_ATTEMPTS,
	COL_CRASHES,
	COL_FIRST_AT,
	COL_NUMBER
};

#define COLUMNS_SQL "p.id, p.event, p.key, p.due_at, p.attempts, p.crashes, p.first_at"

/*
 * Of the indexes, only one has what is asked for in its order: so it is the one
 * that is used, whatever the table was like when the plan was made.
 */
static MfPlan due_plan = {
	.sql = "SELECT " COLUMNS_SQL " FROM mesflow._pending p WHERE p.endpoint OPERATOR(pg_catalog.=) $1"
	" AND (p.due_at, p.id) OPERATOR(pg_catalog.>) ($2, $3) ORDER BY p.due_at, p.id LIMIT $4",
	.by_index = true,
	.writes = true,
	.arguments = 4,
	.types = {TEXTOID, TIMESTAMPTZOID, INT8OID, INT8OID}
};

/* The same: of the key a range, as an equality would leave but the order of ids. */
static MfPlan keys_plan = {
	.sql = "SELECT " COLUMNS_SQL ", k.number FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2))"
	" WITH ORDINALITY k (endpoint, key, number) CROSS JOIN LATERAL (SELECT * FROM mesflow._pending r"
	" WHERE r.endpoint OPERATOR(pg_catalog.=) k.endpoint AND r.key OPERATOR(pg_catalog.>=) k.key"
	" AND r.key OPERATOR(pg_catalog.<=) k.key ORDER BY r.key, r.id LIMIT $3) p ORDER BY k.number, p.id",
	.by_index = true,
	.writes = true,
	.arguments = 3,
	.types = {TEXTARRAYOID, TEXTARRAYOID, INT8OID}
};
static MfPlan blocked_plan = {
	.sql = "SELECT DISTINCT d.key FROM mesflow._dead_letters d"
	" WHERE d.endpoint OPERATOR(pg_catalog.=) $1 AND d.resolved IS NULL",
	.by_index = true,
	.writes = true,
	.arguments = 1,
	.types = {TEXTOID}
};

typedef struct Work
{
	int64		until;
	TimestampTz now;
	int			share;			/* so many rows may each endpoint hold */
	bool		late;			/* the rest has to wait for another turn */
} Work;

static int64 not_before = 0;
static int	failures = 0;

/* ---- what is held ----------------------------------------------------------- */

void
mf_rows_hold(MfDelivery *delivery)
{
	delivery->has_row = true;
	dlist_push_tail(&delivery->endpoint->row_list, &delivery->row_node);
	delivery->endpoint->rows++;
	mf_key_hold(delivery);
}

void
mf_rows_let_go(MfDelivery *delivery)
{
	delivery->has_row = false;
	dlist_delete(&delivery->row_node);
	delivery->endpoint->rows--;
	mf_key_let_go(delivery);
}

void
mf_rows_again(MfEndpoint *endpoint)
{
	endpoint->rows_due = 1;
	endpoint->rows_seen = 0;
	endpoint->rows_seen_id = 0;
	endpoint->parked_seen = false;
	endpoint->parked_seen_id = 0;
}

bool
mf_rows_unseen(const MfEndpoint *endpoint)
{
	return endpoint->rows_due != 0 || !endpoint->parked_seen;
}

void
mf_rows_expect(MfEndpoint *endpoint, TimestampTz due_at)
{
	if (endpoint->rows_due == 0 || due_at < endpoint->rows_due)
		endpoint->rows_due = due_at;
	if (due_at <= endpoint->rows_seen)
	{
		endpoint->rows_seen = due_at - 1;
		endpoint->rows_seen_id = PG_INT64_MAX;
	}
}

/* Where there is no order, so that no row is taken twice: the ids held. */
static HTAB *
held_ids(MfEndpoint *endpoint)
{
	HASHCTL		control = {.keysize = sizeof(int64),.entrysize = sizeof(int64),
	.hcxt = CurrentMemoryContext};
	HTAB	   *ids = hash_create("mesflow rows held", Max(endpoint->rows, 16), &control,
								  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	dlist_iter	iter;

	dlist_foreach(iter, &endpoint->row_list)
		hash_search(ids, &dlist_container(MfDelivery, row_node, iter.cur)->id, HASH_ENTER, NULL);
	return ids;
}

/* ---- one row ----------------------------------------------------------------- */

static int64
id_of(uint64 row)
{
	Datum		value;

	(void) mf_plan_find(row, COL_ID, &value);
	return DatumGetInt64(value);
}

static TimestampTz
due_of(uint64 row)
{
	Datum		value;

	(void) mf_plan_find(row, COL_DUE_AT, &value);
	return DatumGetTimestampTz(value);
}

static bool
is_due(TimestampTz due_at, const Work *work)
{
	return due_at <= work->now || TIMESTAMP_IS_NOEND(due_at);
}

static void
take_row(MfEndpoint *endpoint, uint64 row)
{
	MfDelivery *delivery;
	Datum		value;

	(void) mf_plan_find(row, COL_EVENT, &value);
	delivery = mf_delivery_make(endpoint, id_of(row), DatumGetUUIDP(value),
								mf_plan_text(row, COL_KEY), NULL);
	delivery->due_at = due_of(row);
	(void) mf_plan_find(row, COL_ATTEMPTS, &value);
	delivery->attempts = DatumGetInt32(value);
	(void) mf_plan_find(row, COL_CRASHES, &value);
	delivery->crashes = DatumGetInt32(value);
	(void) mf_plan_find(row, COL_FIRST_AT, &value);
	delivery->first_at = DatumGetTimestampTz(value);
	mf_rows_hold(delivery);
	mf_line_add(delivery);
}

/* ---- keys that are wanted ------------------------------------------------------ */

/* The rows of one key among those that were read, from *row on. */
static void
take_key(MfKeyLine *keyed, int number, uint64 *row, uint64 rows, const Work *work)
{
	MfEndpoint *endpoint = mf_key_endpoint(keyed);
	int			found = 0;
	int			taken = 0;
	Datum		value;

	for (; *row < rows; (*row)++, found++)
	{
		(void) mf_plan_find(*row, COL_NUMBER, &value);
		if (DatumGetInt64(value) != number)
			break;
		if (taken < found)
			continue;
		if (!is_due(due_of(*row), work))
		{
			if (taken == 0)
				mf_rows_expect(endpoint, due_of(*row));
		}
		else if (taken == 0 || endpoint->rows < work->share)
		{
			take_row(endpoint, *row);
			taken++;
		}
	}
	if (taken == 0)
		mf_key_read(keyed, found == 0 ? MF_KEY_ALL_HERE : MF_KEY_LATER);
	else
		mf_key_read(keyed, taken < found || found == KEY_ROWS ? MF_KEY_MORE : MF_KEY_ALL_HERE);
}

/* Of each endpoint not more than there is room for: each may bring a row. */
static int
choose_keys(MfKeyLine **keys, const Work *work)
{
	int			count = 0;
	dlist_iter	iter;

	dlist_foreach(iter, &mf_endpoints)
	{
		MfEndpoint *endpoint = dlist_container(MfEndpoint, node, iter.cur);

		if (!endpoint->dropped && endpoint->rows < work->share)
			count += mf_keys_wanted(endpoint, keys + count,
									Min(work->share - endpoint->rows, KEYS - count));
	}
	return count;
}

static void
read_keys(Work *work)
{
	MfKeyLine  *keys[KEYS];
	Datum		endpoints[KEYS];
	Datum		names[KEYS];
	int			count;

	while ((count = choose_keys(keys, work)) > 0)
	{
		Datum		values[3];
		uint64		rows;
		uint64		row = 0;

		if (mf_wait_now() >= work->until)
		{
			work->late = true;
			return;
		}
		mf_worker_check();
		for (int i = 0; i < count; i++)
		{
			endpoints[i] = CStringGetTextDatum(mf_key_endpoint(keys[i])->name);
			names[i] = CStringGetTextDatum(mf_key_name(keys[i]));
		}
		values[0] = PointerGetDatum(construct_array(endpoints, count, TEXTOID, -1, false,
													TYPALIGN_INT));
		values[1] = PointerGetDatum(construct_array(names, count, TEXTOID, -1, false,
													TYPALIGN_INT));
		values[2] = Int64GetDatum(KEY_ROWS);
		rows = mf_plan_run(&keys_plan, values, NULL);
		for (int i = 0; i < count; i++)
			take_key(keys[i], i + 1, &row, rows, work);
		SPI_freetuptable(SPI_tuptable);
	}
}

/* ---- rows whose time has come ---------------------------------------------------- */

/*
 * Looks at a portion of rows behind these: due ones, or parked ones.  Moves
 * *due_at and *id on; true where nothing that is due is behind them now, and
 * then *next is when the next one is (0: there is none).
 */
static bool
look(MfEndpoint *endpoint, Work *work, TimestampTz *due_at, int64 *id, TimestampTz *next)
{
	bool		parked = TIMESTAMP_IS_NOEND(*due_at);
	bool		ordered = endpoint->config->ordering != MF_ORDERING_NONE;
	int			room = work->share - endpoint->rows;
	HTAB	   *held = ordered ? NULL : held_ids(endpoint);
	Datum		values[4];
	uint64		rows;
	bool		ended;

	values[0] = CStringGetTextDatum(endpoint->name);
	values[1] = TimestampTzGetDatum(*due_at);
	values[2] = Int64GetDatum(*id);
	values[3] = Int64GetDatum(PORTION);
	rows = mf_plan_run(&due_plan, values, NULL);
	ended = rows < PORTION;
	*next = 0;
	for (uint64 row = 0; row < rows; row++)
	{
		TimestampTz due = due_of(row);
		int64		at = id_of(row);
		bool		found;

		if (!parked && (due > work->now || TIMESTAMP_IS_NOEND(due)))
		{
			*next = TIMESTAMP_IS_NOEND(due) ? 0 : due;
			ended = true;
			break;
		}
		if (room == 0)
		{
			ended = false;
			break;
		}
		if (ordered)
			room -= mf_key_seen(endpoint, mf_plan_text(row, COL_KEY)) ? 1 : 0;
		else
		{
			hash_search(held, &at, HASH_FIND, &found);
			if (!found)
			{
				take_row(endpoint, row);
				room--;
			}
		}
		*due_at = due;
		*id = at;
	}
	SPI_freetuptable(SPI_tuptable);
	return ended;
}

static bool
has_room(const MfEndpoint *endpoint, const Work *work)
{
	return !endpoint->dropped && endpoint->rows < work->share;
}

static bool
is_row_due(const MfEndpoint *endpoint, const Work *work)
{
	return (endpoint->rows_due != 0 && endpoint->rows_due <= work->now) || !endpoint->parked_seen;
}

static void
look_at(MfEndpoint *endpoint, Work *work)
{
	TimestampTz next;
	TimestampTz parked = DT_NOEND;

	mf_worker_check();
	if (endpoint->rows_due != 0 && endpoint->rows_due <= work->now)
	{
		if (look(endpoint, work, &endpoint->rows_seen, &endpoint->rows_seen_id, &next))
			endpoint->rows_due = next;
	}
	else if (look(endpoint, work, &parked, &endpoint->parked_seen_id, &next))
		endpoint->parked_seen = true;
}

static void
read_rows(void *arg)
{
	Work	   *work = arg;
	dlist_mutable_iter iter;

	read_keys(work);
	if (work->late)
		return;
	dlist_foreach_modify(iter, &mf_endpoints)
	{
		MfEndpoint *endpoint = dlist_container(MfEndpoint, node, iter.cur);

		if (!has_room(endpoint, work) || !is_row_due(endpoint, work))
			continue;
		if (mf_wait_now() >= work->until)
		{
			/* It comes first the next time. */
			dlist_delete(&endpoint->node);
			dlist_push_head(&mf_endpoints, &endpoint->node);
			work->late = true;
			break;
		}
		look_at(endpoint, work);
	}
	read_keys(work);
}

/* ---- a turn -------------------------------------------------------------------- */

/* Is there something to be read now?  If not, says when. */
static bool
is_anything_wanted(const Work *work, int64 now)
{
	dlist_iter	iter;

	dlist_foreach(iter, &mf_endpoints)
	{
		MfEndpoint *endpoint = dlist_container(MfEndpoint, node, iter.cur);
		MfKeyLine  *key;

		if (!has_room(endpoint, work))
			continue;
		if (is_row_due(endpoint, work) || mf_keys_wanted(endpoint, &key, 1) > 0)
			return true;
		if (endpoint->rows_due != 0)
			mf_delivery_due(now + (endpoint->rows_due - work->now) / 1000 + 1);
	}
	return false;
}

void
mf_rows_turn(int64 now)
{
	Work		work = {.until = now + READ_MS,.now = GetCurrentTimestamp()};
	int			count = 0;
	dlist_iter	iter;

	if (now < not_before)
	{
		mf_delivery_due(not_before);
		return;
	}
	dlist_foreach(iter, &mf_endpoints)
		count++;
	work.share = Min(MF_ROWS_HELD, Max(MF_ROWS_ALL / Max(count, 1), 1));
	if (!is_anything_wanted(&work, now))
		return;
	switch (mf_worker_try("reading deliveries", read_rows, &work))
	{
		case MF_TRY_DONE:
			failures = 0;
			if (is_anything_wanted(&work, now))
				mf_delivery_due(now);
			break;
		case MF_TRY_LATER:
			not_before = now + 100;
			mf_delivery_due(not_before);
			break;
		case MF_TRY_FAILED:
			not_before = now + mf_worker_backoff(++failures);
			mf_delivery_due(not_before);
			break;
	}
}

/* ---- dead letters ------------------------------------------------------------------ */

int
mf_rows_blocked(const char *endpoint, char ***keys)
{
	Datum		name = CStringGetTextDatum(endpoint);
	uint64		rows = mf_plan_run(&blocked_plan, &name, NULL);

	*keys = palloc((rows + 1) * sizeof(char *));
	for (uint64 row = 0; row < rows; row++)
		(*keys)[row] = mf_plan_text(row, 1);
	return (int) rows;
}
