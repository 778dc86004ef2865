/*
 * reader.c
 *		Which events are new: what one snapshot shows and an earlier one did
 *		not.
 *
 * Between two moments S0 (`seen`) and S1 (`upto`) lies a fixed set of events:
 * those whose transaction is visible in S1 and not in S0.  It is read in the
 * order of ids, in two parts.  Let F be the id of the mark S0 and N its
 * transaction id, so that every id drawn by a transaction from N on is above F
 * (see mf_mark_take).
 *
 *	late: ids up to F.  Only transactions below N have any.  Each that is
 *		visible in S1 and not in S0 is looked up in index (xid, id), from one
 *		to the next that has rows there.
 *	new: ids above F, up to the id of S1, by index (id).  What S0 had seen
 *		already is passed over.
 *
 * An event of the set has an id at or below F, and is late, or above F, and
 * is new: it comes once.  What belongs to S1 has an id at or below that of
 * S1.  A transaction that stays open is in neither part, whatever it wrote:
 * its rows are passed over once, while their ids are new, then F is beyond
 * them; when it commits they are late.
 *
 * Partitions are scanned directly, merged by id.  Empty ones cost nothing
 * but a look at their size.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "catalog/pg_am.h"
#include "access/table.h"
#include "access/tableam.h"
#include "compat.h"
#include "miscadmin.h"
#include "outbox.h"
#include "reader.h"
#include "storage/bufmgr.h"
#include "tables.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/xid8.h"

/* Late events that are looked up at a time. */
#define LATE_MAX		4096

typedef struct LateEvent
{
	int64		id;
	ItemPointerData tid;
	int			part;
} LateEvent;

/* A partition that has rows. */
typedef struct Part
{
	Relation	table;
	Relation	by_id;
	Relation	by_xid;
	IndexScanDesc scan;			/* of what is new; NULL when used up */
	IndexScanDesc find;			/* of one id */
	TupleTableSlot *slot;
	int64		id;				/* of the event in slot */
} Part;

struct MfReader
{
	MemoryContext context;		/* what the reader keeps */
	const MfRange *range;
	Snapshot	snapshot;
	bool		opened;			/* are the partitions? */
	bool		late_over;
	bool		new_started;
	AttrNumber	id_column;
	AttrNumber	xid_column;
	AttrNumber	origin_column;
	int			count;
	Part		parts[MF_RING_SLOTS];
	Part	   *current;		/* whose event was returned */
	LateEvent  *late;			/* room for twice LATE_MAX */
	int			late_count;
	int			late_at;
	bool		late_more;
	int64		late_id;		/* returned last */
	uint64		looked_at;
};

/* ---- partitions --------------------------------------------------------- */

AttrNumber
mf_reader_column(const char *name)
{
	AttrNumber	number = get_attnum(mf_relation("outbox"), name);

	if (number == InvalidAttrNumber)
		elog(ERROR, "outbox has no column \"%s\"", name);
	return number;
}

/* The index on these columns; the second may be none. */
static Relation
open_index(Relation table, AttrNumber first, AttrNumber second)
{
	List	   *indexes = RelationGetIndexList(table);
	int			columns = second == InvalidAttrNumber ? 1 : 2;
	ListCell   *cell;

	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);
		Form_pg_index form = index->rd_index;

		/* Not somebody's, of which only a part of the rows is in. */
		if (form->indisvalid && index->rd_rel->relam == BTREE_AM_OID &&
			heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL) &&
			form->indnkeyatts == columns &&
			form->indkey.values[0] == first &&
			(columns == 1 || form->indkey.values[1] == second))
		{
			list_free(indexes);
			return index;
		}
		index_close(index, AccessShareLock);
	}
	elog(ERROR, "partition \"%s\" has not the index that readers need",
		 RelationGetRelationName(table));
}

/* Columns are the parent's: one statement made all partitions. */
static void
open_parts(MfReader *reader)
{
	if (reader->opened)
		return;
	reader->opened = true;
	reader->id_column = mf_reader_column("id");
	reader->xid_column = mf_reader_column("xid");
	reader->origin_column = mf_reader_column("origin");
	for (int slot = 0; slot < MF_RING_SLOTS; slot++)
	{
		Part	   *part = &reader->parts[reader->count];
		char		name[NAMEDATALEN];
		Relation	table;

		if (reader->range->slot != MF_ANY_SLOT && reader->range->slot != slot)
			continue;
		snprintf(name, sizeof(name), "outbox_%02d", slot);
		table = table_open(mf_relation(name), AccessShareLock);
		if (RelationGetNumberOfBlocks(table) == 0)
		{
			table_close(table, AccessShareLock);
			continue;
		}
		memset(part, 0, sizeof(*part));
		part->table = table;
		part->by_id = open_index(table, reader->id_column, InvalidAttrNumber);
		part->by_xid = open_index(table, reader->xid_column, reader->id_column);
		part->slot = table_slot_create(table, NULL);
		reader->count++;
	}
}

static int64
column_int64(TupleTableSlot *slot, AttrNumber column)
{
	bool		is_null;

	return DatumGetInt64(slot_getattr(slot, column, &is_null));
}

static bool
is_of_origin(MfReader *reader, TupleTableSlot *slot)
{
	bool		is_null;
	Datum		origin = slot_getattr(slot, reader->origin_column, &is_null);

	return DatumGetInt32(origin) == reader->range->origin;
}

/* Is a transaction visible at the end of the range and not at its start? */
static bool
is_in_range(const MfRange *range, uint64 xid)
{
	return !mf_snapshot_sees(range->seen.snapshot, xid) &&
		(range->upto.snapshot == NULL || mf_snapshot_sees(range->upto.snapshot, xid));
}

/* ---- late --------------------------------------------------------------- */

/* The first transaction from xid on that may have late events; 0: none. */
static uint64
next_late(const MfRange *range, uint64 xid)
{
	for (;; xid++)
	{
		xid = mf_snapshot_next_unseen(range->seen.snapshot, xid);
		if (xid >= range->seen.xid)
			return 0;
		if (range->upto.snapshot == NULL)
			return xid;
		if (xid >= range->upto.snapshot->xmax)
			return 0;
		if (mf_snapshot_sees(range->upto.snapshot, xid))
			return xid;
	}
}

static int
compare_late(const void *left, const void *right)
{
	int64		a = ((const LateEvent *) left)->id;
	int64		b = ((const LateEvent *) right)->id;

	return (a > b) - (a < b);
}

/* Leaves the LATE_MAX smallest ids. */
static void
cut_late(MfReader *reader)
{
	qsort(reader->late, reader->late_count, sizeof(LateEvent), compare_late);
	if (reader->late_count > LATE_MAX)
	{
		reader->late_count = LATE_MAX;
		reader->late_more = true;
	}
}

/* The next entry of a scan of index (xid, id), without its row. */
static bool
next_entry(MfReader *reader, IndexScanDesc scan, uint64 *xid, int64 *id)
{
	bool		is_null;

	CHECK_FOR_INTERRUPTS();
	if (index_getnext_tid(scan, ForwardScanDirection) == NULL)
		return false;
	*xid = DatumGetUInt64(index_getattr(scan->xs_itup, 1, scan->xs_itupdesc, &is_null));
	*id = DatumGetInt64(index_getattr(scan->xs_itup, 2, scan->xs_itupdesc, &is_null));
	return true;
}

/* Adds events of one transaction, as long as they are among the smallest. */
static void
collect_transaction(MfReader *reader, int number, IndexScanDesc scan, uint64 xid)
{
	int64		last = reader->late_more ? reader->late[LATE_MAX - 1].id : reader->range->seen.id;
	ScanKeyData keys[3];
	int64		id;

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_XID8EQ, UInt64GetDatum(xid));
	ScanKeyInit(&keys[1], 2, BTGreaterStrategyNumber, F_INT8GT, Int64GetDatum(reader->late_id));
	ScanKeyInit(&keys[2], 2, BTLessEqualStrategyNumber, F_INT8LE, Int64GetDatum(last));
	index_rescan(scan, keys, 3, NULL, 0);
	while (next_entry(reader, scan, &xid, &id))
	{
		LateEvent  *event = &reader->late[reader->late_count++];

		event->id = id;
		event->tid = scan->xs_heaptid;
		event->part = number;
		reader->looked_at++;
		if (reader->late_count == 2 * LATE_MAX)
		{
			cut_late(reader);
			if (id >= reader->late[LATE_MAX - 1].id)
				break;
		}
	}
}

/* Steps from each transaction that may have late events to the next. */
static void
collect_part(MfReader *reader, int number)
{
	Part	   *part = &reader->parts[number];
	uint64		xid = next_late(reader->range, 0);
	IndexScanDesc seek = mf_compat_index_beginscan(part->table, part->by_xid,
												   reader->snapshot, 1);
	IndexScanDesc scan = mf_compat_index_beginscan(part->table, part->by_xid,
												   reader->snapshot, 3);

	seek->xs_want_itup = true;
	scan->xs_want_itup = true;
	while (xid != 0)
	{
		ScanKeyData key;
		uint64		found;
		int64		id;

		ScanKeyInit(&key, 1, BTGreaterEqualStrategyNumber, F_XID8GE, UInt64GetDatum(xid));
		index_rescan(seek, &key, 1, NULL, 0);
		if (!next_entry(reader, seek, &found, &id))
			break;
		xid = next_late(reader->range, found);
		if (xid == found)
		{
			collect_transaction(reader, number, scan, xid);
			xid = next_late(reader->range, xid + 1);
		}
	}
	index_endscan(seek);
	index_endscan(scan);
}

/* The next late events, in the order of their ids. */
static void
collect_late(MfReader *reader)
{
	open_parts(reader);
	if (reader->late == NULL)
		reader->late = palloc(2 * LATE_MAX * sizeof(LateEvent));
	reader->late_count = 0;
	reader->late_at = 0;
	reader->late_more = false;
	for (int i = 0; i < reader->count; i++)
		collect_part(reader, i);
	cut_late(reader);
}

static TupleTableSlot *
next_late_event(MfReader *reader, int64 *id)
{
	for (;;)
	{
		LateEvent  *event;
		Part	   *part;

		CHECK_FOR_INTERRUPTS();
		if (reader->late_at == reader->late_count)
		{
			if (!reader->late_more)
				return NULL;
			collect_late(reader);
			continue;
		}
		event = &reader->late[reader->late_at++];
		part = &reader->parts[event->part];
		reader->late_id = event->id;

		/* Savepoints that were rolled back left entries, too. */
		if (table_tuple_fetch_row_version(part->table, &event->tid, reader->snapshot, part->slot) &&
			is_of_origin(reader, part->slot))
		{
			*id = event->id;
			return part->slot;
		}
	}
}

/* ---- new ---------------------------------------------------------------- */

/* Goes to the part's next event of the range; ends its scan where none is. */
static void
advance(MfReader *reader, Part *part)
{
	while (index_getnext_slot(part->scan, ForwardScanDirection, part->slot))
	{
		CHECK_FOR_INTERRUPTS();
		reader->looked_at++;
		if (is_of_origin(reader, part->slot) &&
			is_in_range(reader->range, (uint64) column_int64(part->slot, reader->xid_column)))
		{
			part->id = column_int64(part->slot, reader->id_column);
			return;
		}
	}
	ExecClearTuple(part->slot);
	index_endscan(part->scan);
	part->scan = NULL;
}

static void
start_new(MfReader *reader)
{
	int64		first = Max(reader->range->last_id, reader->range->seen.id);
	int64		last = reader->range->upto.snapshot == NULL ? PG_INT64_MAX : reader->range->upto.id;
	ScanKeyData keys[2];

	reader->new_started = true;
	if (first >= last)
		return;
	open_parts(reader);
	ScanKeyInit(&keys[0], 1, BTGreaterStrategyNumber, F_INT8GT, Int64GetDatum(first));
	ScanKeyInit(&keys[1], 1, BTLessEqualStrategyNumber, F_INT8LE, Int64GetDatum(last));
	for (int i = 0; i < reader->count; i++)
	{
		Part	   *part = &reader->parts[i];

		part->scan = mf_compat_index_beginscan(part->table, part->by_id, reader->snapshot, 2);
		index_rescan(part->scan, keys, 2, NULL, 0);
		advance(reader, part);
	}
}

static TupleTableSlot *
next_new_event(MfReader *reader, int64 *id)
{
	Part	   *first = NULL;

	if (!reader->new_started)
		start_new(reader);
	else if (reader->current != NULL)
		advance(reader, reader->current);
	for (int i = 0; i < reader->count; i++)
		if (reader->parts[i].scan != NULL &&
			(first == NULL || reader->parts[i].id < first->id))
			first = &reader->parts[i];
	reader->current = first;
	if (first == NULL)
		return NULL;
	*id = first->id;
	return first->slot;
}

/* ---- the whole ---------------------------------------------------------- */

MfReader *
mf_reader_open(const MfRange *range, Snapshot snapshot)
{
	MfReader   *reader = palloc0(sizeof(MfReader));

	reader->context = CurrentMemoryContext;
	reader->range = range;
	reader->snapshot = snapshot;
	reader->late_id = range->last_id;
	if (range->last_id >= range->seen.id || next_late(range, 0) == 0)
		reader->late_over = true;
	else
		collect_late(reader);
	return reader;
}

TupleTableSlot *
mf_reader_next(MfReader *reader, int64 *id)
{
	MemoryContext caller = MemoryContextSwitchTo(reader->context);
	TupleTableSlot *slot = NULL;

	if (!reader->late_over)
	{
		slot = next_late_event(reader, id);
		reader->late_over = slot == NULL;
	}
	if (slot == NULL)
		slot = next_new_event(reader, id);
	MemoryContextSwitchTo(caller);
	return slot;
}

TupleTableSlot *
mf_reader_find(MfReader *reader, int64 id)
{
	MemoryContext caller = MemoryContextSwitchTo(reader->context);
	TupleTableSlot *found = NULL;
	ScanKeyData key;

	open_parts(reader);
	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(id));
	for (int i = 0; i < reader->count && found == NULL; i++)
	{
		Part	   *part = &reader->parts[i];

		if (part->find == NULL)
			part->find = mf_compat_index_beginscan(part->table, part->by_id, reader->snapshot, 1);
		index_rescan(part->find, &key, 1, NULL, 0);
		while (found == NULL && index_getnext_slot(part->find, ForwardScanDirection, part->slot))
			if (!is_of_origin(reader, part->slot))
				found = part->slot;
	}
	MemoryContextSwitchTo(caller);
	return found;
}

uint64
mf_reader_looked_at(const MfReader *reader)
{
	return reader->looked_at;
}

/* The tables stay locked, for what was returned may have parts elsewhere. */
void
mf_reader_close(MfReader *reader)
{
	for (int i = 0; i < reader->count; i++)
	{
		Part	   *part = &reader->parts[i];

		if (part->scan != NULL)
			index_endscan(part->scan);
		if (part->find != NULL)
			index_endscan(part->find);
		ExecDropSingleTupleTableSlot(part->slot);
		index_close(part->by_id, AccessShareLock);
		index_close(part->by_xid, AccessShareLock);
		table_close(part->table, NoLock);
	}
	if (reader->late != NULL)
		pfree(reader->late);
	pfree(reader);
}
