/*
 * page.h
 *		Pages: rows of dashboards by index, in their order, from a place on.
 *		Private to this folder.
 */
#ifndef MF_DASHBOARD_PAGE_H
#define MF_DASHBOARD_PAGE_H

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

/* ---- ranges ------------------------------------------------------------- */

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
} MfOrdered;

/* A value that the index's next column must have. */
typedef struct MfFixed
{
	Oid			type;			/* INT4OID or TEXTOID */
	Datum		value;
} MfFixed;

typedef enum MfRangeStep
{
	MF_RANGE_SAME_KEY,			/* what follows the place with its rank and
								 * key */
	MF_RANGE_SAME_RANK,			/* what follows with its rank */
	MF_RANGE_RANKS,				/* lower ranks */
	MF_RANGE_OVER
} MfRangeStep;

/*
 * Rows that one index has in the order of the page, or rows at hand that were
 * put in that order.  Set up the first part; the rest is mf_range_next's.
 */
typedef struct MfRange
{
	MfOrdered	by;
	int			fixed_count;
	MfFixed		fixed[MF_FIXED_MAX];
	bool		down;
	int			band_count;		/* highest first; none: not by rank */
	MfBand		bands[MF_BANDS_MAX];
	TimestampTz from;			/* keys from here on; DT_NOBEGIN: all */
	TimestampTz to;				/* and below this; DT_NOEND: all */
	HeapTuple  *rows;			/* rows at hand: no index is looked at */
	int			row_count;

	MfRangeStep step;
	int			band;
	int64		below;			/* ranks that are still to come are lower */
	MfPlace		after;
	IndexScanDesc scan;
	int			row;
	TupleTableSlot *slot;		/* the row that is reached */
	MfPlace		place;			/* and where it stands */
} MfRange;

/* A range of all keys, from the top. */
extern void mf_range_init(MfRange *range, const MfOrdered *by, bool down);

/* The index's next column must have this value. */
extern void mf_range_fix(MfRange *range, Oid type, Datum value);

/* Begins after a place, or at the top (NULL). */
extern void mf_range_begin(MfRange *range, const MfPlace *after);

/* Goes to the next row; false: there is none. */
extern bool mf_range_next(MfRange *range);
extern void mf_range_end(MfRange *range);

/* ---- ranges of the same order, merged ------------------------------------ */

typedef struct MfMerge
{
	MfRange   **ranges;
	int			count;
	int			room;
	MfRange    *taken;			/* whose row was handed out last */
} MfMerge;

/* A new range of this merge, to be set up before mf_merge_begin. */
extern MfRange *mf_merge_add(MfMerge *merge, const MfOrdered *by, bool down);
extern void mf_merge_begin(MfMerge *merge, const MfPlace *after);

/* The range whose row is next; NULL: there is none. */
extern MfRange *mf_merge_next(MfMerge *merge);
extern void mf_merge_end(MfMerge *merge);

/* ---- the dispatch list --------------------------------------------------- */

enum
{
	MF_DISPATCH_WORK_ORDER = 1,
	MF_DISPATCH_NUMBER,
	MF_DISPATCH_ORDER_NUMBER,
	MF_DISPATCH_PARTNER,
	MF_DISPATCH_PROCESS,
	MF_DISPATCH_OPERATION,
	MF_DISPATCH_MATERIAL,
	MF_DISPATCH_QUANTITY,
	MF_DISPATCH_MODEL,
	MF_DISPATCH_PRIORITY,
	MF_DISPATCH_OPERATOR,
	MF_DISPATCH_STATION,
	MF_DISPATCH_STATE,
	MF_DISPATCH_QUEUED_AT,
	MF_DISPATCH_DUE_AT,
	MF_DISPATCH_ALARM,
	MF_DISPATCH_AS_OF,
	MF_DISPATCH_ORDER_ID,
	MF_DISPATCH_KIND,
	MF_DISPATCH_RANK,
	MF_DISPATCH_DUE_KEY
};

/* The columns above: those of the page, and all. */
#define MF_DISPATCH_SHOWN	MF_DISPATCH_AS_OF
#define MF_DISPATCH_COLUMNS	MF_DISPATCH_DUE_KEY

#define MF_RANK_FREE		(INT64CONST(1) << 34)
#define MF_RANK_ALARM		(INT64CONST(1) << 33)
#define MF_RANK_PRIORITIES	(INT64CONST(1) << 31)

/* Ranks of work that is free, whatever else: the lowest. */
#define MF_RANK_FREE_FROM	(MF_RANK_FREE - MF_RANK_PRIORITIES)

/* What the index has before rank, key and id. */
typedef enum MfListBy
{
	MF_LIST_ALL,
	MF_LIST_BY_KIND,
	MF_LIST_BY_PARTNER
} MfListBy;

/* The list in an order of mesflow.dispatch_order, MfDispatchOrder. */
extern void mf_list_open(MfOrdered *list, MfListBy by, int order);
extern void mf_list_close(MfOrdered *list);

#endif							/* MF_DASHBOARD_PAGE_H */
