/*
 * span.c
 *		Rows that one index has in the order of a page.
 *
 * The index ascends: rank, key, id.  A page goes by rank downwards and within
 * a rank by key and id, up or down.  Where both go down, what is below a rank
 * is one range of the index; otherwise, and where only some keys are asked
 * for, we go from rank to rank: one probe for the next, one range of it.
 *
 *		mf_span_begin after a place      SAME_KEY -> SAME_RANK -> RANKS -> OVER
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
#include "span.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* Fixed columns; then rank, key and id, or two bounds of rank and two of key. */
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
mf_span_init(MfSpan *span, const MfOrdered *by, bool down)
{
	memset(span, 0, sizeof(*span));
	span->by = *by;
	span->down = down;
	span->from = DT_NOBEGIN;
	span->to = DT_NOEND;
}

void
mf_span_fix(MfSpan *span, Oid type, Datum value)
{
	Assert(span->fixed_count < MF_FIXED_MAX);
	span->fixed[span->fixed_count].type = type;
	span->fixed[span->fixed_count++].value = value;
}

void
mf_span_begin(MfSpan *span, const MfPlace *after)
{
	bool		ranked = span->band_count > 0;

	span->band = 0;
	span->below = PG_INT64_MAX;
	span->row = 0;
	span->scan = NULL;
	span->sorted = span->rows == NULL ?
		table_slot_create(span->by.table, NULL) :
		MakeSingleTupleTableSlot(RelationGetDescr(span->by.table), &TTSOpsHeapTuple);
	span->slot = span->by.rows == NULL ? span->sorted : table_slot_create(span->by.rows, NULL);
	span->step = ranked || after == NULL ? MF_SPAN_RANKS : MF_SPAN_SAME_KEY;
	if (after == NULL)
		return;
	span->after = *after;
	span->below = after->rank;
	for (int i = 0; i < span->band_count; i++)
		if (after->rank >= span->bands[i].low && after->rank < span->bands[i].high)
			span->step = MF_SPAN_SAME_KEY;
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
fix_columns(const MfSpan *span, Keys *keys)
{
	keys->count = 0;
	for (int i = 0; i < span->fixed_count; i++)
	{
		bool		is_text = span->fixed[i].type == TEXTOID;

		add_key(keys, i + 1, BTEqualStrategyNumber,
				is_text ? DEFAULT_COLLATION_OID : InvalidOid,
				is_text ? F_TEXTEQ : span->fixed[i].type == INT4OID ? F_INT4EQ : F_UUID_EQ,
				span->fixed[i].value);
	}
}

static int
rank_column(const MfSpan *span)
{
	return span->fixed_count + 1;
}

static int
key_column(const MfSpan *span)
{
	return span->fixed_count + (span->band_count > 0 ? 2 : 1);
}

static void
add_rank(const MfSpan *span, Keys *keys, int64 rank)
{
	if (span->band_count > 0)
		add_key(keys, rank_column(span), BTEqualStrategyNumber, InvalidOid,
				F_INT8EQ, Int64GetDatum(rank));
}

static void
add_ranks(const MfSpan *span, Keys *keys, int64 low, int64 high)
{
	add_key(keys, rank_column(span), BTGreaterEqualStrategyNumber, InvalidOid,
			F_INT8GE, Int64GetDatum(low));
	add_key(keys, rank_column(span), BTLessStrategyNumber, InvalidOid,
			F_INT8LT, Int64GetDatum(high));
}

/* The keys that are asked for; after one (NULL: all). */
static void
add_bounds(const MfSpan *span, Keys *keys, const TimestampTz *after)
{
	int			column = key_column(span);

	if (after != NULL && !span->down && *after >= span->from)
		add_key(keys, column, BTGreaterStrategyNumber, InvalidOid,
				F_TIMESTAMPTZ_GT, TimestampTzGetDatum(*after));
	else if (!TIMESTAMP_IS_NOBEGIN(span->from))
		add_key(keys, column, BTGreaterEqualStrategyNumber, InvalidOid,
				F_TIMESTAMPTZ_GE, TimestampTzGetDatum(span->from));
	if (after != NULL && span->down && *after < span->to)
		add_key(keys, column, BTLessStrategyNumber, InvalidOid,
				F_TIMESTAMPTZ_LT, TimestampTzGetDatum(*after));
	else if (!TIMESTAMP_IS_NOEND(span->to))
		add_key(keys, column, BTLessStrategyNumber, InvalidOid,
				F_TIMESTAMPTZ_LT, TimestampTzGetDatum(span->to));
}

static void
start(MfSpan *span, Keys *keys)
{
	span->scan = mf_compat_index_beginscan(span->by.table, span->by.index,
										   GetActiveSnapshot(), keys->count);
	index_rescan(span->scan, keys->key, keys->count, NULL, 0);
}

static bool
step_scan(MfSpan *span, ScanDirection direction)
{
	if (index_getnext_slot(span->scan, direction, span->sorted))
		return true;
	index_endscan(span->scan);
	span->scan = NULL;
	return false;
}

static void
read_place(MfSpan *span)
{
	bool		is_null;

	span->place.rank = span->by.rank == 0 ? 0 :
		DatumGetInt64(slot_getattr(span->sorted, span->by.rank, &is_null));
	span->place.key = DatumGetTimestampTz(slot_getattr(span->sorted, span->by.key, &is_null));
	span->place.id = *DatumGetUUIDP(slot_getattr(span->sorted, span->by.id, &is_null));
}

/* The row of the place, from the table that has it. */
static bool
fetch_row(MfSpan *span)
{
	ScanKeyData key;
	IndexScanDesc scan;
	bool		found;

	if (span->by.rows == NULL)
		return true;
	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(&span->place.id));
	scan = mf_compat_index_beginscan(span->by.rows, span->by.rows_index, GetActiveSnapshot(), 1);
	index_rescan(scan, &key, 1, NULL, 0);
	found = index_getnext_slot(scan, ForwardScanDirection, span->slot);
	index_endscan(scan);
	return found;
}

/* ---- steps --------------------------------------------------------------- */

static void
start_same_key(MfSpan *span)
{
	Keys		keys;

	span->step = MF_SPAN_SAME_RANK;
	if (span->after.key < span->from ||
		(span->after.key >= span->to && !TIMESTAMP_IS_NOEND(span->to)))
		return;
	fix_columns(span, &keys);
	add_rank(span, &keys, span->after.rank);
	add_key(&keys, key_column(span), BTEqualStrategyNumber, InvalidOid,
			F_TIMESTAMPTZ_EQ, TimestampTzGetDatum(span->after.key));
	add_key(&keys, key_column(span) + 1,
			span->down ? BTLessStrategyNumber : BTGreaterStrategyNumber, InvalidOid,
			span->down ? F_UUID_LT : F_UUID_GT, UUIDPGetDatum(&span->after.id));
	start(span, &keys);
}

static void
start_same_rank(MfSpan *span)
{
	Keys		keys;

	span->step = span->band_count > 0 ? MF_SPAN_RANKS : MF_SPAN_OVER;
	fix_columns(span, &keys);
	add_rank(span, &keys, span->after.rank);
	add_bounds(span, &keys, &span->after.key);
	start(span, &keys);
}

/* The highest rank from low on and below high. */
static bool
probe(MfSpan *span, int64 low, int64 high, int64 *rank)
{
	Keys		keys;
	bool		is_null;

	fix_columns(span, &keys);
	add_ranks(span, &keys, low, high);
	start(span, &keys);
	if (!step_scan(span, BackwardScanDirection))
		return false;
	*rank = DatumGetInt64(slot_getattr(span->sorted, span->by.rank, &is_null));
	ExecClearTuple(span->sorted);
	index_endscan(span->scan);
	span->scan = NULL;
	return true;
}

/* What is in lower ranks of the bands, all of a band at once or a rank of it. */
static void
start_ranks(MfSpan *span)
{
	const MfBand *band = &span->bands[span->band];
	int64		high;
	Keys		keys;

	if (span->band_count > 0 && span->band == span->band_count)
	{
		span->step = MF_SPAN_OVER;
		return;
	}
	fix_columns(span, &keys);
	if (span->band_count == 0)
		span->step = MF_SPAN_OVER;
	else if (band->low >= span->below)
	{
		span->band++;
		return;
	}
	else
	{
		high = Min(band->high, span->below);
		span->below = band->low;
		if (span->down && TIMESTAMP_IS_NOBEGIN(span->from) && TIMESTAMP_IS_NOEND(span->to))
			add_ranks(span, &keys, band->low, high);
		else if (probe(span, band->low, high, &span->below))
			add_rank(span, &keys, span->below);
		else
			return;
	}
	add_bounds(span, &keys, NULL);
	start(span, &keys);
}

static bool
next_at_hand(MfSpan *span)
{
	while (span->row < span->row_count)
	{
		ExecStoreHeapTuple(span->rows[span->row++].tuple, span->slot, false);
		read_place(span);
		if (span->step != MF_SPAN_SAME_KEY ||
			mf_place_compare(&span->place, &span->after, span->down) > 0)
			return true;
	}
	return false;
}

bool
mf_span_next(MfSpan *span)
{
	ScanDirection direction = span->down ? BackwardScanDirection : ForwardScanDirection;

	if (span->rows != NULL)
		return next_at_hand(span);
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (span->scan != NULL)
		{
			if (!step_scan(span, direction))
				continue;
			read_place(span);
			if (fetch_row(span))
				return true;
			continue;
		}
		if (span->step == MF_SPAN_SAME_KEY)
			start_same_key(span);
		else if (span->step == MF_SPAN_SAME_RANK)
			start_same_rank(span);
		else if (span->step == MF_SPAN_RANKS)
			start_ranks(span);
		else
			return false;
	}
}

void
mf_span_end(MfSpan *span)
{
	if (span->scan != NULL)
		index_endscan(span->scan);
	span->scan = NULL;
	if (span->slot != span->sorted)
		ExecDropSingleTupleTableSlot(span->slot);
	ExecDropSingleTupleTableSlot(span->sorted);
}
