/*
 * moment.c
 *		Moments of the outbox, and the sets of events between two of them.  They
 *		are shared and counted.
 */
#include "postgres.h"

#include "stream.h"
#include "utils/memutils.h"

MfMoment *
mf_moment_make(const MfMark *mark)
{
	MfMoment   *moment = MemoryContextAlloc(mf_delivery_context, sizeof(MfMoment));
	Size		size = VARSIZE(mark->snapshot);

	moment->references = 1;
	moment->mark = *mark;
	moment->mark.snapshot = MemoryContextAlloc(mf_delivery_context, size);
	memcpy(moment->mark.snapshot, mark->snapshot, size);
	return moment;
}

MfMoment *
mf_moment_share(MfMoment *moment)
{
	moment->references++;
	return moment;
}

void
mf_moment_release(MfMoment *moment)
{
	if (--moment->references > 0)
		return;
	pfree(moment->mark.snapshot);
	pfree(moment);
}

/*
 * Does `moment` show a transaction that `than` does not?
 *
 * Transactions end one after the other, and a snapshot shows those that have
 * ended at its point of that order: of any two of a server, one shows all that
 * the other does.  What is prepared has not ended, nor has the transaction
 * that took the mark; what was rolled back, or lost in a crash, has, and wrote
 * nothing.  So `moment` is later than `than` (true), or the same, or earlier.
 *
 * Ids of events say nothing about that, nor do the marks' `id` and `xid`.
 * These were drawn after the snapshot, where that is an old one of a
 * REPEATABLE READ transaction much later, so the earlier of two snapshots may
 * have the larger ones.  They tell a reader where to look (reader.c); which
 * events are in a set is up to the two snapshots alone.  Hence moments that
 * show the same are as good as each other, whatever their ids.
 *
 * A reader that goes from `at` to `upto` only where upto shows more than at
 * reads each event once.  Let it have read just what at shows.  The set has
 * what upto shows beyond: nothing of it was read before.  As upto shows all
 * that at does, what was read then is just what upto shows: nothing is left
 * out, and the set after it has nothing of it again.  A transaction that ends
 * late, whatever ids it drew, is in the one set between whose moments it did.
 * Where upto showed less, the set would be empty, and upto's place one in
 * which part of what was read is still to come.
 *
 * Every step but the last meets an entry of one of the two lists.
 */
bool
mf_moment_shows_more(const MfMoment *moment, const MfMoment *than)
{
	const MfSnapshot *snapshot = moment->mark.snapshot;

	for (uint64 xid = 0;; xid++)
	{
		xid = mf_snapshot_next_unseen(than->mark.snapshot, xid);
		if (xid >= snapshot->xmax)
			return false;
		if (mf_snapshot_sees(snapshot, xid))
			return true;
	}
}

MfTick *
mf_tick_make(MfMoment *seen, MfMoment *upto)
{
	MfTick	   *tick = MemoryContextAlloc(mf_delivery_context, sizeof(MfTick));

	tick->references = 1;
	tick->seen = mf_moment_share(seen);
	tick->upto = mf_moment_share(upto);
	return tick;
}

MfTick *
mf_tick_share(MfTick *tick)
{
	tick->references++;
	return tick;
}

void
mf_tick_release(MfTick *tick)
{
	if (--tick->references > 0)
		return;
	mf_moment_release(tick->seen);
	mf_moment_release(tick->upto);
	pfree(tick);
}
