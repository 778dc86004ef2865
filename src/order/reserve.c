/*
 * reserve.c
 *		One submission at a time under one reference.
 *
 * The order's row is inserted last, complete; until then nothing of it could
 * make a second submission of the same wait.  So a submission holds a lock on
 * the reference until its row is there, and looks for rows of transactions
 * that have not ended, too: for those it waits, without the lock.
 *
 * The lock is given back as soon as the row is inserted, so that a transaction
 * of many thousand orders holds one at a time.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "common/hashfn.h"
#include "compat.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "order.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "submit.h"
#include "tables.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Advisory locks of two keys have 2 here, of one 1; this is neither's. */
#define LOCK_SPACE	5

static void
set_tag(LOCKTAG *tag, const MfSubmission *s)
{
	text	   *partner = DatumGetTextPP(s->partner);
	text	   *ref = DatumGetTextPP(s->external_ref);
	uint64		hash = hash_bytes_extended((const unsigned char *) VARDATA_ANY(partner),
										   (int) VARSIZE_ANY_EXHDR(partner), 0);

	hash = hash_bytes_extended((const unsigned char *) VARDATA_ANY(ref),
							   (int) VARSIZE_ANY_EXHDR(ref), hash);
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, (uint32) (hash >> 32), (uint32) hash, LOCK_SPACE);
}

/*
 * Is there an order of this reference, of whatever transaction?  *writer gets
 * the other transaction that has inserted it and is under way, or
 * InvalidTransactionId.
 */
static bool
look(const MfSubmission *s, TransactionId *writer)
{
	Relation	orders = table_open(mf_relation("orders"), AccessShareLock);
	Relation	index = index_open(mf_relation("orders_partner_external_ref_key"), AccessShareLock);
	TupleTableSlot *slot = table_slot_create(orders, NULL);
	SnapshotData dirty;
	ScanKeyData keys[2];
	IndexScanDesc scan;
	bool		found;

	InitDirtySnapshot(dirty);
	ScanKeyEntryInitialize(&keys[0], 0, 1, BTEqualStrategyNumber, InvalidOid,
						   DEFAULT_COLLATION_OID, F_TEXTEQ, s->partner);
	ScanKeyEntryInitialize(&keys[1], 0, 2, BTEqualStrategyNumber, InvalidOid,
						   DEFAULT_COLLATION_OID, F_TEXTEQ, s->external_ref);
	scan = mf_compat_index_beginscan(orders, index, &dirty, lengthof(keys));
	index_rescan(scan, keys, lengthof(keys), NULL, 0);
	found = index_getnext_slot(scan, ForwardScanDirection, slot);
	*writer = found ? dirty.xmin : InvalidTransactionId;
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, AccessShareLock);
	table_close(orders, AccessShareLock);
	return found;
}

bool
mf_order_reserve(const MfSubmission *s)
{
	LOCKTAG		tag;

	set_tag(&tag, s);
	for (;;)
	{
		TransactionId writer;
		bool		found;

		(void) LockAcquire(&tag, ExclusiveLock, false, false);
		found = look(s, &writer);
		if (!found)
			return true;
		LockRelease(&tag, ExclusiveLock, false);
		if (!TransactionIdIsValid(writer) || TransactionIdIsCurrentTransactionId(writer))
			return false;
		XactLockTableWait(writer, NULL, NULL, XLTW_None);
	}
}

void
mf_order_reserved(const MfSubmission *s)
{
	LOCKTAG		tag;

	set_tag(&tag, s);
	LockRelease(&tag, ExclusiveLock, false);
}
