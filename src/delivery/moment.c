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
