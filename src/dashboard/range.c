/*
 * range.c
 *		Rows that one index has in the order of a page.
 *
 * The index ascends: rank, key, id.  A page goes by rank downwards and within
 * a rank by key and id, up or down.  Where both go down, what is below a rank
 * is one range of the index; otherwise, and where only some keys are asked
 * for, we go from rank to rank: one probe for the next, one range of it.
 *
 *		mf_range_begin after a place     SAME_KEY -> SAME_RANK -> RANKS -> OVER
 *		at the top                       RANKS -> OVER
 *		an index without rank            SAME_KEY -> SAME_RANK -> OVER
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/tableam.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "miscadmin.h"
#include "page.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* Fixed columns; then two bounds of each of rank, key and id at most. */
#define MAX_KEYS	(MF_FIXED_MAX + 4)

typedef struct Keys
{
	ScanKeyData key[MAX_KEYS];
	int			count;
} Keys;

int
mf_place_compare(const MfPlace *a, const MfPlace *b, bool down)
{
	int			order;

	if (a->rank != b->rank)
		return a->rank > b->rank ? -1 : 1;
	if (a->key != b->key)
		order = a->key < b->key ? -1 : 1;
	else
		order = memcmp(&a->id, &b->id, sizeof(pg_uuid_t));
	return down ? -order : order;
}

void
mf_range_init(MfRange *range, const MfOrdered *by, bool down)
{
	memset(range, 0, sizeof(*range));
	range->by = *by;
	range->down = down;
	range->from = DT_NOBEGIN;
	range->to = DT_NOEND;
}

void
mf_range_fix(MfRange *range, Oid type, Datum value)
{
	Assert(range->fixed_count < MF_FIXED_MAX);
	range->fixed[range->fixed_count].type = type;
	range->fixed[range->fixed_count++].value = value;
}

void
mf_range_begin(MfRange *range, const MfPlace *after)
{
	bool		ranked = range->band_count > 0;

	range->band = 0;
	range->below = PG_INT64_MAX;
	range->row = 0;
	range->scan = NULL;
	range->slot = range->rows == NULL ?
		table_slot_create(range->by.table, NULL) :
		MakeSingleTupleTableSlot(RelationGetDescr(range->by.table), &TTSOpsHeapTuple);
	range->step = ranked || after == NULL ? MF_RANGE_RANKS : MF_RANGE_SAME_KEY;
	if (after == NULL)
		return;
	range->after = *after;
	range->below = after->rank;
	for (int i = 0; i < range->band_count; i++)
		if (after->rank >= range->bands[i].low && after->rank < range->bands[i].high)
			range->step = MF_RANGE_SAME_KEY;
}

/* ---- scans --------------------------------------------------------------- */

static void
add_key(Keys *keys, int column, StrategyNumber strategy, Oid collation,
		RegProcedure function, Datum value)
{
	ScanKeyEntryInitialize(&keys->key[keys->count++], 0, column, strategy,
						   InvalidOid, collation, function, value);
}

static void
fix_columns(const MfRange *range, Keys *keys)
{
	keys->count = 0;
	for (int i = 0; i < range->fixed_count; i++)
	{
		bool		is_text = range->fixed[i].type == TEXTOID;

		add_key(keys, i + 1, BTEqualStrategyNumber,
				is_text ? DEFAULT_COLLATION_OID : InvalidOid,
				is_text ? F_TEXTEQ : F_INT4EQ, range->fixed[i].value);
	}
}

static int
rank_column(const MfRange *range)
{
	return range->fixed_count + 1;
}

static int
key_column(const MfRange *range)
{
	return range->fixed_count + (range->band_count > 0 ? 2 : 1);
}

static void
add_rank(const MfRange *range, Keys *keys, int64 rank)
{
	if (range->band_count > 0)
		add_key(keys, rank_column(range), BTEqualStrategyNumber, InvalidOid,
				F_INT8EQ, Int64GetDatum(rank));
}

static void
add_ranks(const MfRange *range, Keys *keys, int64 low, int64 high)
{
	add_key(keys, rank_column(range), BTGreaterEqualStrategyNumber, InvalidOid,
			F_INT8GE, Int64GetDatum(low));
	add_key(keys, rank_column(range), BTLessStrategyNumber, InvalidOid,
			F_INT8LT, Int64GetDatum(high));
}

/* The keys that are asked for; after one (NULL: all). */
static void
add_bounds(const MfRange *range, Keys *keys, const TimestampTz *after)
{
	int			column = key_column(range);

	if (after != NULL && !range->down && *after >= range->from)
		add_key(keys, column, BTGreaterStrategyNumber, InvalidOid,
				F_TIMESTAMPTZ_GT, TimestampTzGetDatum(*after));
	else if (!TIMESTAMP_IS_NOBEGIN(range->from))
		add_key(keys, column, BTGreaterEqualStrategyNumber, InvalidOid,
				F_TIMESTAMPTZ_GE, TimestampTzGetDatum(range->from));
	if (after != NULL && range->down && *after < range->to)
		add_key(keys, column, BTLessStrategyNumber, InvalidOid,
				F_TIMESTAMPTZ_LT, TimestampTzGetDatum(*after));
	else if (!TIMESTAMP_IS_NOEND(range->to))
		add_key(keys, column, BTLessStrategyNumber, InvalidOid,
				F_TIMESTAMPTZ_LT, TimestampTzGetDatum(range->to));
}

static void
start(MfRange *range, Keys *keys)
{
	range->scan = mf_compat_index_beginscan(range->by.table, range->by.index,
											GetActiveSnapshot(), keys->count);
	index_rescan(range->scan, keys->key, keys->count, NULL, 0);
}

static bool
step_scan(MfRange *range, ScanDirection direction)
{
	if (index_getnext_slot(range->scan, direction, range->slot))
		return true;
	index_endscan(range->scan);
	range->scan = NULL;
	return false;
}

static void
read_place(MfRange *range)
{
	bool		is_null;

	range->place.rank = range->by.rank == 0 ? 0 :
		DatumGetInt64(slot_getattr(range->slot, range->by.rank, &is_null));
	range->place.key = DatumGetTimestampTz(slot_getattr(range->slot, range->by.key, &is_null));
	range->place.id = *DatumGetUUIDP(slot_getattr(range->slot, range->by.id, &is_null));
}

/* ---- steps --------------------------------------------------------------- */

static void
start_same_key(MfRange *range)
{
	Keys		keys;

	range->step = MF_RANGE_SAME_RANK;
	if (range->after.key < range->from ||
		(range->after.key >= range->to && !TIMESTAMP_IS_NOEND(range->to)))
		return;
	fix_columns(range, &keys);
	add_rank(range, &keys, range->after.rank);
	add_key(&keys, key_column(range), BTEqualStrategyNumber, InvalidOid,
			F_TIMESTAMPTZ_EQ, TimestampTzGetDatum(range->after.key));
	add_key(&keys, key_column(range) + 1,
			range->down ? BTLessStrategyNumber : BTGreaterStrategyNumber, InvalidOid,
			range->down ? F_UUID_LT : F_UUID_GT, UUIDPGetDatum(&range->after.id));
	start(range, &keys);
}

static void
start_same_rank(MfRange *range)
{
	Keys		keys;

	range->step = range->band_count > 0 ? MF_RANGE_RANKS : MF_RANGE_OVER;
	fix_columns(range, &keys);
	add_rank(range, &keys, range->after.rank);
	add_bounds(range, &keys, &range->after.key);
	start(range, &keys);
}

/* The highest rank from low on and below high. */
static bool
probe(MfRange *range, int64 low, int64 high, int64 *rank)
{
	Keys		keys;
	bool		is_null;

	fix_columns(range, &keys);
	add_ranks(range, &keys, low, high);
	start(range, &keys);
	if (!step_scan(range, BackwardScanDirection))
		return false;
	*rank = DatumGetInt64(slot_getattr(range->slot, range->by.rank, &is_null));
	ExecClearTuple(range->slot);
	index_endscan(range->scan);
	range->scan = NULL;
	return true;
}

/* What is in lower ranks of the bands, all of a band at once or a rank of it. */
static void
start_ranks(MfRange *range)
{
	const MfBand *band = &range->bands[range->band];
	int64		high;
	Keys		keys;

	if (range->band_count > 0 && range->band == range->band_count)
	{
		range->step = MF_RANGE_OVER;
		return;
	}
	fix_columns(range, &keys);
	if (range->band_count == 0)
		range->step = MF_RANGE_OVER;
	else if (band->low >= range->below)
	{
		range->band++;
		return;
	}
	else
	{
		high = Min(band->high, range->below);
		range->below = band->low;
		if (range->down && TIMESTAMP_IS_NOBEGIN(range->from) && TIMESTAMP_IS_NOEND(range->to))
			add_ranks(range, &keys, band->low, high);
		else if (probe(range, band->low, high, &range->below))
			add_rank(range, &keys, range->below);
		else
			return;
	}
	add_bounds(range, &keys, NULL);
	start(range, &keys);
}

static bool
next_at_hand(MfRange *range)
{
	while (range->row < range->row_count)
	{
		ExecStoreHeapTuple(range->rows[range->row++], range->slot, false);
		read_place(range);
		if (range->step != MF_RANGE_SAME_KEY ||
			mf_place_compare(&range->place, &range->after, range->down) > 0)
			return true;
	}
	return false;
}

bool
mf_range_next(MfRange *range)
{
	ScanDirection direction = range->down ? BackwardScanDirection : ForwardScanDirection;

	if (range->rows != NULL)
		return next_at_hand(range);
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (range->scan != NULL)
		{
			if (!step_scan(range, direction))
				continue;
			read_place(range);
			return true;
		}
		if (range->step == MF_RANGE_SAME_KEY)
			start_same_key(range);
		else if (range->step == MF_RANGE_SAME_RANK)
			start_same_rank(range);
		else if (range->step == MF_RANGE_RANKS)
			start_ranks(range);
		else
			return false;
	}
}

void
mf_range_end(MfRange *range)
{
	if (range->scan != NULL)
		index_endscan(range->scan);
	range->scan = NULL;
	ExecDropSingleTupleTableSlot(range->slot);
}
