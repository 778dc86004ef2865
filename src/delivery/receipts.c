/*
 * receipts.c
 *		Receipts that somebody is about to write.
 */
#include "postgres.h"

#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "mesflow.h"
#include "miscadmin.h"
#include "tables.h"
#include "utils/array.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/uuid.h"

PG_FUNCTION_INFO_V1(mesflow_receipts_to_make);

/* Is there such a row, of whatever transaction that may still commit? */
static bool
is_there(Relation receipts, Relation index, TupleTableSlot *slot, Datum order_id, Datum system)
{
	SnapshotData dirty;
	ScanKeyData keys[2];
	IndexScanDesc scan;
	bool		found;

	InitDirtySnapshot(dirty);
	ScanKeyEntryInitialize(&keys[0], 0, 1, BTEqualStrategyNumber, InvalidOid,
						   InvalidOid, F_UUID_EQ, order_id);
	ScanKeyEntryInitialize(&keys[1], 0, 2, BTEqualStrategyNumber, InvalidOid,
						   DEFAULT_COLLATION_OID, F_TEXTEQ, system);
	scan = mf_compat_index_beginscan(receipts, index, &dirty, lengthof(keys));
	index_rescan(scan, keys, lengthof(keys), NULL, 0);
	found = index_getnext_slot(scan, ForwardScanDirection, slot);
	index_endscan(scan);
	return found;
}

/*
 * _receipts_to_make(system text, order_ids uuid[]) → uuid[]: those of these
 * orders that have no row, not even one that another transaction has inserted
 * and not yet committed.  An INSERT would wait for that, and SKIP LOCKED does
 * not see it.
 */
PGDLLEXPORT Datum
mesflow_receipts_to_make(PG_FUNCTION_ARGS)
{
	Datum		system = PG_GETARG_DATUM(0);
	Relation	receipts = table_open(mf_relation("_receipts"), AccessShareLock);
	Relation	index = index_open(mf_relation("_receipts_pkey"), AccessShareLock);
	TupleTableSlot *slot = table_slot_create(receipts, NULL);
	Datum	   *ids;
	bool	   *nulls;
	int			count;
	int			left = 0;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), UUIDOID, UUID_LEN, false, TYPALIGN_CHAR,
					  &ids, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!nulls[i] && !is_there(receipts, index, slot, ids[i], system))
			ids[left++] = ids[i];
	}
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, AccessShareLock);
	table_close(receipts, AccessShareLock);
	PG_RETURN_ARRAYTYPE_P(construct_array(ids, left, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
}
