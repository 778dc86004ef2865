/*
 * span.h
 *		Rows of dashboards by index, in the order of a page, from a place on.
 *		Private to this folder.
 */
#ifndef MF_DASHBOARD_SPAN_H
#define MF_DASHBOARD_SPAN_H

#include "access/genam.h"
#include "access/skey.h"
#include "datatype/timestamp.h"
#include "executor/tuptable.h"
#include "utils/relcache.h"
#include "utils/uuid.h"

/* ---- order -------------------------------------------------------------- */

/* Where a row stands on a page: by rank, highest first, then key, then id. */
typedef struct MfPlace
{
	int64		rank;
	TimestampTz key;
	pg_uuid_t	id;
} MfPlace;

/* Less than 0: a comes first.  down: keys and ids, latest first. */
extern int	mf_place_compare(const MfPlace *a, const MfPlace *b, bool down);

/* ---- spans ------------------------------------------------------------- */

/* Ranks from low on and below high. */
typedef struct MfBand
{
	int64		low;
	int64		high;
} MfBand;

#define MF_BANDS_MAX	4
#define MF_FIXED_MAX	2

/*
 * The columns of a table that rows are ordered by, and one of its indexes: on
 * columns of fixed values, then the rank where there is one (its column is 0
 * where not), the key and the id.
 */
typedef struct MfOrdered
{
	Relation	table;
	Relation	index;
	AttrNumber	rank;
	AttrNumber	key;
	AttrNumber	id;
	bool		closed;			/* of orders: the table itself, whose open
								 * ones are in dashboard_orders */
	Relation	rows;			/* where the table only sorts: what has the
								 * rows, */
	Relation	rows_index;		/* and its index on the id */
} MfOrdered;

/* A value that the index's next column must have. */
typedef struct MfFixed
{
	Oid			type;			/* INT4OID, TEXTOID or UUIDOID */
	Datum		value;
} MfFixed;

/* A row, and where it stands. */
typedef struct MfRow
{
	HeapTuple	tuple;
	MfPlace		place;
	bool		closed;			/* of the table: see MfOrdered */
} MfRow;

typedef enum MfSpanStep
{
	MF_SPAN_SAME_KEY,			/* what follows the place with its rank and
								 * key */
	MF_SPAN_SAME_RANK,			/* what follows with its rank */
	MF_SPAN_RANKS,				/* lower ranks */
	MF_SPAN_OVER
} MfSpanStep;

/*
 * Rows that one index has in the order of the page, or rows at hand that were
 * put in that order.  Set up the first part; the rest is mf_span_next's.
 */
typedef struct MfSpan
{
	MfOrdered	by;
	int			fixed_count;
	MfFixed		fixed[MF_FIXED_MAX];
	bool		down;
	int			band_count;		/* highest first; none: not by rank */
	MfBand		bands[MF_BANDS_MAX];
	TimestampTz from;			/* keys from here on; DT_NOBEGIN: all */
	TimestampTz to;				/* and below this; DT_NOEND: all */
	const MfRow *rows;			/* rows at hand: no index is looked at */
	int			row_count;

	MfSpanStep	step;
	int			band;
	int64		below;			/* ranks that are still to come are lower */
	MfPlace		after;
	IndexScanDesc scan;
	int			row;
	TupleTableSlot *slot;		/* the row that is reached */
	TupleTableSlot *sorted;		/* what the index leads to: mostly the same */
	MfPlace		place;			/* and where it stands */
} MfSpan;

/* A span of all keys, from the top. */
extern void mf_span_init(MfSpan *span, const MfOrdered *by, bool down);

/* The index's next column must have this value. */
extern void mf_span_fix(MfSpan *span, Oid type, Datum value);

/* Begins after a place, or at the top (NULL). */
extern void mf_span_begin(MfSpan *span, const MfPlace *after);

/* Goes to the next row; false: there is none. */
extern bool mf_span_next(MfSpan *span);
extern void mf_span_end(MfSpan *span);

/* ---- spans of the same order, merged ------------------------------------ */

typedef struct MfMerge
{
	MfSpan	  **spans;
	int			count;
	int			room;
	MfSpan	   *taken;			/* whose row was handed out last */
} MfMerge;

/* A new span of this merge, to be set up before mf_merge_begin. */
extern MfSpan *mf_merge_add(MfMerge *merge, const MfOrdered *by, bool down);
extern void mf_merge_begin(MfMerge *merge, const MfPlace *after);

/* The span whose row is next; NULL: there is none. */
extern MfSpan *mf_merge_next(MfMerge *merge);
extern void mf_merge_end(MfMerge *merge);

#endif							/* MF_DASHBOARD_SPAN_H */
