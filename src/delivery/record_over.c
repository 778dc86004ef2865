/*
 * record_over.c
 *		Takes what is over out of _pending.
 *
 * By its primary key, without an executor: other indexes fit a DELETE as well,
 * and a plan that is made while the table is empty takes any of them, or reads
 * all of it, and is then kept.
 */
#include "postgres.h"

#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_collation.h"
#include "compat.h"
#include "executor/tuptable.h"
#include "record.h"
#include "tables.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* The cursor is ours, so that nobody changes the row; whoever does all the same gets an error. */
static void
delete_row(Relation pending, Relation index, TupleTableSlot *slot, const MfDelivery *delivery)
{
	Snapshot	snapshot = GetActiveSnapshot();
	ScanKeyData keys[2];
	IndexScanDesc scan;

	ScanKeyEntryInitialize(&keys[0], 0, 1, BTEqualStrategyNumber, InvalidOid, DEFAULT_COLLATION_OID,
						   F_TEXTEQ, CStringGetTextDatum(delivery->endpoint->name));
	ScanKeyEntryInitialize(&keys[1], 0, 2, BTEqualStrategyNumber, InvalidOid, InvalidOid,
						   F_INT8EQ, Int64GetDatum(delivery->id));
	scan = mf_compat_index_beginscan(pending, index, snapshot, lengthof(keys));
	index_rescan(scan, keys, lengthof(keys), NULL, 0);
	if (index_getnext_slot(scan, ForwardScanDirection, slot))
		simple_table_tuple_delete(pending, &slot->tts_tid, snapshot);
	index_endscan(scan);
}

/* Of a group whose cursors have been taken, in its transaction. */
void
mf_record_over(const MfGroup *group)
{
	Relation	pending = table_open(mf_relation("_pending"), RowExclusiveLock);
	Relation	index = index_open(mf_relation("_pending_pkey"), RowExclusiveLock);
	TupleTableSlot *slot = table_slot_create(pending, NULL);

	PushActiveSnapshot(GetLatestSnapshot());
	for (int i = 0; i < group->count; i++)
	{
		MfDelivery *delivery = group->deliveries[i];

		if (delivery->has_row && delivery->verdict != MF_VERDICT_RETRY &&
			!mf_is_left_out(delivery->endpoint))
			delete_row(pending, index, slot, delivery);
	}
	PopActiveSnapshot();
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, NoLock);
	table_close(pending, NoLock);
}
