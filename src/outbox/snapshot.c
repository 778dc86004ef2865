/*
 * snapshot.c
 *		Snapshots that outlive their transaction.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "commands/sequence.h"
#include "fmgr.h"
#include "lib/qunique.h"
#include "reader.h"
#include "tables.h"
#include "utils/fmgrprotos.h"
#include "utils/snapmgr.h"

/* The index of the first entry at or above xid. */
static uint32
lower_bound(const MfSnapshot *snapshot, uint64 xid)
{
	uint32		low = 0;
	uint32		high = snapshot->count;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (snapshot->xip[middle] < xid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool
mf_snapshot_sees(const MfSnapshot *snapshot, uint64 xid)
{
	uint32		at;

	if (xid < snapshot->xmin)
		return true;
	if (xid >= snapshot->xmax)
		return false;
	at = lower_bound(snapshot, xid);
	return at == snapshot->count || snapshot->xip[at] != xid;
}

uint64
mf_snapshot_next_unseen(const MfSnapshot *snapshot, uint64 xid)
{
	uint32		at;

	if (xid >= snapshot->xmax)
		return xid;
	at = lower_bound(snapshot, xid);
	return at < snapshot->count ? snapshot->xip[at] : snapshot->xmax;
}

/* A transaction id of a snapshot with its epoch; `next` was free after it. */
static uint64
widen(TransactionId xid, FullTransactionId next)
{
	uint64		epoch = EpochFromFullTransactionId(next);

	if (xid > XidFromFullTransactionId(next))
		epoch--;
	return (epoch << 32) | xid;
}

static int
compare(const void *left, const void *right)
{
	uint64		a = *(const uint64 *) left;
	uint64		b = *(const uint64 *) right;

	return (a > b) - (a < b);
}

/*
 * The own transaction counts as in progress: what it writes from now on is
 * still to be read.  Its id may be below xmax (it was drawn for the lock of
 * the cursor, then another transaction committed) and is not in xip, where
 * PostgreSQL leaves it out.
 */
static MfSnapshot *
keep(Snapshot snapshot, FullTransactionId next)
{
	FullTransactionId own = GetTopFullTransactionIdIfAny();
	Size		size = offsetof(MfSnapshot, xip) +
	(Size) (snapshot->xcnt + 1) * sizeof(uint64);
	MfSnapshot *kept = palloc0(size);

	kept->xmin = widen(snapshot->xmin, next);
	kept->xmax = widen(snapshot->xmax, next);
	for (uint32 i = 0; i < snapshot->xcnt; i++)
		kept->xip[kept->count++] = widen(snapshot->xip[i], next);
	if (FullTransactionIdIsValid(own) && U64FromFullTransactionId(own) < kept->xmax)
	{
		kept->xip[kept->count++] = U64FromFullTransactionId(own);
		kept->xmin = Min(kept->xmin, U64FromFullTransactionId(own));
	}

	/* A transaction that is being prepared is there twice. */
	qsort(kept->xip, kept->count, sizeof(uint64), compare);
	kept->count = (uint32) qunique(kept->xip, kept->count, sizeof(uint64), compare);
	SET_VARSIZE(kept, offsetof(MfSnapshot, xip) + (Size) kept->count * sizeof(uint64));
	return kept;
}

/* The last id that was drawn, by whomever; 0: none yet. */
static int64
last_id_drawn(void)
{
	LOCAL_FCINFO(call, 1);
	Datum		last;

	InitFunctionCallInfoData(*call, NULL, 1, InvalidOid, NULL, NULL);
	call->args[0].value = ObjectIdGetDatum(mf_relation("_outbox_ids"));
	call->args[0].isnull = false;
	last = pg_sequence_last_value(call);
	return call->isnull ? 0 : DatumGetInt64(last);
}

/*
 * The order matters: the snapshot was taken before, then comes the last id,
 * then the next transaction id.  What the snapshot sees had drawn its ids
 * before that, so they are at or below `id`.  A transaction from `xid` on
 * gets its id later, and only then draws numbers for its events (write.c),
 * so they are above `id`.
 *
 * xmax of the snapshot would not do for `xid`: it follows the last
 * transaction that ended, and one that is in progress with an id beyond may
 * have drawn its numbers long ago.
 *
 * A crash changes nothing of it.  Drawing and ending are in the WAL before
 * the commit of the mark, so they are not undone where that is not.
 */
void
mf_mark_take(MfMark *mark, Snapshot snapshot)
{
	FullTransactionId next;

	mark->id = last_id_drawn();
	next = ReadNextFullTransactionId();
	mark->xid = U64FromFullTransactionId(next);
	mark->snapshot = keep(snapshot, next);
}
