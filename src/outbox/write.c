/*
 * write.c
 *		Writing an event: one row, in the transaction of what happened.
 *
 * The row goes straight into the partition of its day, without an executor
 * (where the table is as we made it) and without asking for rights: who may do what an event tells may not
 * write to the outbox, and the other way round.  Nothing about delivery is
 * looked at here, so that nothing about delivery can fail it.
 *
 * Readers (reader.c) rely on an order of steps: first the transaction has
 * its id, then the event's number is drawn.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/indexing.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "compat.h"
#include "fmgr.h"
#include "mesflow.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "outbox.h"
#include "plan.h"
#include "replication/syncrep.h"
#include "tables.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/rel.h"
#include "utils/xid8.h"
#include "utils/timestamp.h"
#include "uuid.h"
#include "worker/worker.h"

PG_FUNCTION_INFO_V1(mesflow_keep_event);
PG_FUNCTION_INFO_V1(mesflow_origin);

/* The columns of outbox, in the order of its CREATE TABLE. */
enum
{
	COL_ID,
	COL_EVENT,
	COL_TYPE,
	COL_KEY,
	COL_KEY_SEQ,
	COL_ORDER_ID,
	COL_PARTNER,
	COL_AT,
	COL_FROM_STATUS,
	COL_TO_STATUS,
	COL_OPERATOR,
	COL_QUANTITY,
	COL_DWELL,
	COL_SYSTEM,
	COL_ACTOR,
	COL_CORRELATION_ID,
	COL_TRACEPARENT,
	COL_BODY,
	COL_NOTE,
	COL_XID,
	COL_ORIGIN,
	COL_SLOT,
	COLUMNS
};

/* Has this transaction written an event? */
static bool has_written = false;

/*
 * An event that a crash could undo must never be told: its commit is flushed
 * (ForceSyncCommit), and waits for the synchronous standby where there is
 * one, whatever synchronous_commit says.  Asked for as late as possible, so
 * that nothing in the transaction can take it back.
 */
static void
at_transaction_end(XactEvent event, void *arg)
{
	if (!has_written)
		return;
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			if (synchronous_commit < SYNCHRONOUS_COMMIT_REMOTE_FLUSH)
				(void) set_config_option("synchronous_commit", "on",
										 PGC_USERSET, PGC_S_SESSION,
										 GUC_ACTION_LOCAL, true, 0, false);
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_ABORT:
			has_written = false;
			break;
		default:
			break;
	}
}

void
mf_outbox_init(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
}

/*
 * 32 bits of a hash of the system identifier and the database's OID: a
 * restored dump, a template copy and an upgraded cluster have others.
 */
int32
mf_outbox_origin(void)
{
	static Oid	known_database = InvalidOid;
	static int32 origin;

	if (known_database != MyDatabaseId)
	{
		struct
		{
			uint64		system;
			uint64		database;
		}			identity = {GetSystemIdentifier(), MyDatabaseId};

		origin = (int32) DatumGetUInt32(hash_any((unsigned char *) &identity,
												 sizeof(identity)));
		known_database = MyDatabaseId;
	}
	return origin;
}

PGDLLEXPORT Datum
mesflow_origin(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(mf_outbox_origin());
}

int
mf_ring_slot(TimestampTz at)
{
	int64		since_unix_epoch = at +
	(int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
	int64		day = since_unix_epoch / USECS_PER_DAY;

	if (since_unix_epoch % USECS_PER_DAY < 0)
		day--;
	return (int) (((day % MF_RING_SLOTS) + MF_RING_SLOTS) % MF_RING_SLOTS);
}

void
mf_event_start(MfEvent *event, const char *type, const char *key)
{
	memset(event, 0, sizeof(*event));
	event->type = type;
	event->key = key;
	event->quantity = -1;
	event->event = mf_uuid7();
	event->at = GetCurrentTimestamp();
}

typedef struct Row
{
	Datum		value[COLUMNS];
	bool		is_null[COLUMNS];
} Row;

static void
set(Row *row, int column, Datum value)
{
	row->value[column] = value;
	row->is_null[column] = false;
}

static void
set_text(Row *row, int column, const char *value)
{
	if (value != NULL)
		set(row, column, CStringGetTextDatum(value));
}

static void
set_pointer(Row *row, int column, const void *value)
{
	if (value != NULL)
		set(row, column, PointerGetDatum(value));
}

static void
fill(Row *row, const MfEvent *event, const StringInfoData *body, int slot)
{
	FullTransactionId xid = GetTopFullTransactionId();	/* before the number */

	memset(row->is_null, true, sizeof(row->is_null));
	set(row, COL_ID, Int64GetDatum(nextval_internal(mf_relation("_outbox_ids"), false)));
	set_pointer(row, COL_EVENT, &event->event);
	set_text(row, COL_TYPE, event->type);
	set_text(row, COL_KEY, event->key);
	if (event->key_seq > 0)
		set(row, COL_KEY_SEQ, Int64GetDatum(event->key_seq));
	set_pointer(row, COL_ORDER_ID, event->order_id);
	set_text(row, COL_PARTNER, event->partner);
	set(row, COL_AT, TimestampTzGetDatum(event->at));
	set_text(row, COL_FROM_STATUS, event->from_status);
	set_text(row, COL_TO_STATUS, event->to_status);
	set_text(row, COL_OPERATOR, event->operator_code);
	if (event->quantity >= 0)
		set(row, COL_QUANTITY, Int32GetDatum(event->quantity));
	set_pointer(row, COL_DWELL, event->dwell);
	set_text(row, COL_SYSTEM, event->system);
	set_text(row, COL_ACTOR, event->actor);
	set_pointer(row, COL_CORRELATION_ID, event->correlation_id);
	set_text(row, COL_TRACEPARENT, event->traceparent);
	set(row, COL_BODY, PointerGetDatum(cstring_to_text_with_len(body->data, body->len)));
	set_text(row, COL_NOTE, event->note);
	set(row, COL_XID, FullTransactionIdGetDatum(xid));
	set(row, COL_ORIGIN, Int32GetDatum(mf_outbox_origin()));
	set(row, COL_SLOT, Int16GetDatum(slot));
}

/*
 * May a row go straight in?  Not where somebody has given the table columns,
 * constraints, triggers or indexes that only an executor knows how to serve.
 */
static bool
is_plain(Relation partition, CatalogIndexState indexes)
{
	TupleDesc	desc = RelationGetDescr(partition);
	TriggerDesc *triggers = partition->trigdesc;

	if (desc->natts != COLUMNS || (desc->constr != NULL && desc->constr->num_check > 0) ||
		(triggers != NULL && (triggers->trig_insert_before_row || triggers->trig_insert_after_row)))
		return false;
	for (int i = 0; i < indexes->ri_NumIndices; i++)
	{
		IndexInfo  *info = indexes->ri_IndexRelationInfo[i];

		if (info->ii_Expressions != NIL || info->ii_Predicate != NIL ||
			info->ii_ExclusionOps != NULL)
			return false;
	}
	return true;
}

/* In the order of the columns. */
static MfPlan insert_plan = {
	.sql = "INSERT INTO mesflow.outbox (id, event, type, key, key_seq, order_id, partner, at, from_status, to_status, operator,"
	" quantity, dwell, system, actor, correlation_id, traceparent, body, note, xid, origin, slot)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)",
	.by_index = true,
	.writes = true,
	.arguments = COLUMNS,
	.types = {INT8OID, UUIDOID, TEXTOID, TEXTOID, INT8OID, UUIDOID, TEXTOID, TIMESTAMPTZOID, TEXTOID, TEXTOID, TEXTOID,
	INT4OID, INTERVALOID, TEXTOID, TEXTOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, XID8OID, INT4OID, INT2OID}
};

static void
insert_row(void *arg)
{
	Row		   *row = arg;
	char		nulls[COLUMNS];

	for (int i = 0; i < COLUMNS; i++)
		nulls[i] = row->is_null[i] ? 'n' : ' ';
	mf_spi_connect();
	(void) mf_plan_run(&insert_plan, row->value, nulls);
	SPI_finish();
}

void
mf_outbox_write(const MfEvent *event, const StringInfoData *body)
{
	int			slot = mf_ring_slot(event->at);
	char		name[NAMEDATALEN];
	Relation	partition;
	CatalogIndexState indexes;
	Row			row;

	if (body->len > MF_BODY_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the body of event \"%s\" has %d bytes", event->type, body->len)));
	PreventCommandIfReadOnly("writing an event");
	PreventCommandDuringRecovery("writing an event");

	snprintf(name, sizeof(name), "outbox_%02d", slot);
	partition = table_open(mf_relation(name), RowExclusiveLock);
	fill(&row, event, body, slot);
	indexes = CatalogOpenIndexes(partition);
	if (is_plain(partition, indexes))
	{
		HeapTuple	tuple = heap_form_tuple(RelationGetDescr(partition), row.value, row.is_null);

		CatalogTupleInsertWithInfo(partition, tuple, indexes);
		heap_freetuple(tuple);
		CatalogCloseIndexes(indexes);
	}
	else
	{
		CatalogCloseIndexes(indexes);
		mf_as_owner(insert_row, &row);
	}
	table_close(partition, NoLock);

	ForceSyncCommit();
	has_written = true;
	if (mf_shared != NULL && pg_atomic_read_u32(&mf_shared->events_wanted) != 0)
		mf_wakeup_at_commit(MF_WORKER_DELIVERY);
}

/* Row trigger of outbox: what was written stays as it is. */
PGDLLEXPORT Datum
mesflow_keep_event(PG_FUNCTION_ARGS)
{
	ereport(ERROR,
			(errcode(MF_ERRCODE_NOT_ALLOWED),
			 errmsg("events stay as they were written"),
			 errdetail("The outbox is a log: rows are only added to it."),
			 errhint("Write another event with mesflow.emit(). Old events go by themselves after mesflow.outbox_retention.")));
}
