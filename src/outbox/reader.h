/*
 * reader.h
 *		Reading events: each exactly once per reader, however late its
 *		transaction commits.  The public header of reading.
 *
 * A worker moves its cursor in the transaction of its effects:
 *
 *		cursor = mf_cursor_lock("name");
 *		while (count < most && (slot = mf_cursor_next(cursor, &id)) != NULL)
 *			...
 *		mf_cursor_done(cursor);
 *		mf_cursor_close(cursor);
 *
 * until a round has given nothing.  Memory is the caller's current context.
 */
#ifndef MF_READER_H
#define MF_READER_H

#include "access/htup.h"
#include "executor/tuptable.h"
#include "storage/itemptr.h"
#include "utils/snapshot.h"

/* The layout of type pg_snapshot, which is stored in tables. */
typedef struct MfSnapshot
{
	int32		vl_len_;
	uint32		count;
	uint64		xmin;
	uint64		xmax;
	uint64		xip[FLEXIBLE_ARRAY_MEMBER]; /* sorted, in [xmin, xmax) */
} MfSnapshot;

/*
 * A moment, as a reader remembers it: a snapshot, and a border between old
 * and new events.  Ids that had been drawn by then are at or below `id`;
 * transactions from `xid` on draw only larger ones.
 */
typedef struct MfMark
{
	MfSnapshot *snapshot;		/* NULL: no such moment */
	int64		id;
	uint64		xid;
} MfMark;

/* The moment of a snapshot of this transaction.  Not on a standby. */
extern void mf_mark_take(MfMark *mark, Snapshot snapshot);

/* Is this transaction committed, as far as the snapshot knows? */
extern bool mf_snapshot_sees(const MfSnapshot *snapshot, uint64 xid);

/* The first transaction from `xid` on that the snapshot does not see. */
extern uint64 mf_snapshot_next_unseen(const MfSnapshot *snapshot, uint64 xid);

/* No slot of the ring in particular. */
#define MF_ANY_SLOT		(-1)

/*
 * What to read: events of database `origin` visible in `upto` and not in
 * `seen`, with ids above `last_id`.  An upto without a snapshot stands for
 * all that the scan's own snapshot shows.
 */
typedef struct MfRange
{
	MfMark		seen;
	MfMark		upto;
	int64		last_id;
	int32		origin;
	int			slot;			/* only of this one, or MF_ANY_SLOT */
} MfRange;

typedef struct MfReader MfReader;

/* `range` stays the caller's, and stays as it is until the reader is closed. */
extern MfReader *mf_reader_open(const MfRange *range, Snapshot snapshot);

/*
 * The next event in the order of ids, in a slot that is good until the next
 * call; NULL at the end.  *id gets its id.
 */
extern TupleTableSlot *mf_reader_next(MfReader *reader, int64 *id);

/* The event of another database with this id, or NULL. */
extern TupleTableSlot *mf_reader_find(MfReader *reader, int64 id);

/* Row versions and index entries that were looked at so far. */
extern uint64 mf_reader_looked_at(const MfReader *reader);

/* A column of an event by its name, for slot_getattr. */
extern AttrNumber mf_reader_column(const char *name);

extern void mf_reader_close(MfReader *reader);

/* Which events a reader wants. */
typedef struct MfFilter
{
	bool		all_types;
	int			count;
	struct
	{
		const char *text;
		int			length;		/* of text, or of its part before '*' */
		bool		prefix;
	}		   *patterns;
	const char *partner;		/* NULL: of all */
	int			partner_length;
	AttrNumber	type_column;
	AttrNumber	partner_column;
} MfFilter;

/* From text[] of patterns (a type, "prefix.*" or "*") and a partner. */
extern void mf_filter_set(MfFilter *filter, Datum patterns, const char *partner);
extern bool mf_filter_matches(const MfFilter *filter, TupleTableSlot *slot);

/* A row of _cursors, and reading by it. */
typedef struct MfCursor
{
	char	   *name;
	bool		is_consumer;
	MfFilter	filter;
	char	   *system;			/* may be NULL */
	MfMark		seen;
	MfMark		upto;			/* of the open set; no snapshot: none is open */
	int64		last_id;		/* the position in the open set */
	int64		batch_id;		/* last event handed out; 0: none */
	int			batch_events;
	int32		origin;
	bool		armed;			/* may it read in this database? */

	/* Since it was locked. */
	bool		backlog;		/* what a restored dump had left comes first */
	bool		fresh;			/* the open set is of this very moment */
	bool		ended;			/* all of the open set was returned */
	bool		moved;			/* the row is to be written */
	uint64		returned;
	int64		first_id;		/* of the events returned */
	int64		passed_id;		/* everything up to it was looked at */

	ItemPointerData tid;
	Snapshot	snapshot;
	MfRange		range;
	MfReader   *reader;
	int64	   *backlog_ids;
	uint64		backlog_count;
	uint64		backlog_at;
	MemoryContext context;		/* what the cursor keeps */
} MfCursor;

/* Reads the row, without and with its lock; NULL where there is none. */
extern MfCursor *mf_cursor_peek(const char *name);
extern MfCursor *mf_cursor_lock(const char *name);

/* Is there certainly nothing to read for a cursor that was peeked at? */
extern bool mf_cursor_is_idle(MfCursor *cursor);

/*
 * The next event that the filter lets through; NULL where a portion ends.  A
 * portion that gave nothing is the end of all.
 */
extern TupleTableSlot *mf_cursor_next(MfCursor *cursor, int64 *id);

/* What was returned is done: moves the cursor past it, and writes its row. */
extern void mf_cursor_done(MfCursor *cursor);

/* The first events are done, up to this id: the same without reading. */
extern void mf_cursor_advance(MfCursor *cursor, int64 id);

/* Writes the row as it is now. */
extern void mf_cursor_save(MfCursor *cursor, bool acked);

extern void mf_cursor_close(MfCursor *cursor);

#endif							/* MF_READER_H */
