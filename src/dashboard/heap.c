/*
 * heap.c
 *		Rows of our own tables written without an executor.
 *
 * Every step of an order writes its row.  A kept plan costs 10 us more than
 * the row itself, so where the table is as we made it the row goes straight
 * in.  Only what an executor alone knows how to serve is left to a plan:
 * triggers, constraints and columns of somebody's, and a row that somebody
 * else has written in the meantime.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "compat.h"
#include "dashboard.h"
#include "executor/executor.h"
#include "tables.h"
#include "utils/rel.h"
#include "utils/snapshot.h"

/* May a row go straight in? */
static bool
is_plain(const MfOwnTable *table, Relation relation, const MfOwnRow *row)
{
	TupleDesc	desc = RelationGetDescr(relation);
	TriggerDesc *triggers = relation->trigdesc;

	if (desc->natts != table->count || relation->rd_rules != NULL ||
		relation->rd_tableam != GetHeapamTableAmRoutine() ||
		(desc->constr != NULL && desc->constr->num_check > 0))
		return false;

	/* Ours is about alarms, which are not written here. */
	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
		if (table->trigger == NULL || strcmp(triggers->triggers[i].tgname, table->trigger) != 0)
			return false;
	for (int i = 0; i < desc->natts; i++)
		if (row->is_null[i] && TupleDescAttr(desc, i)->attnotnull)
			return false;
	return true;
}

/* A row for the indexes. */
typedef struct Entries
{
	Relation	relation;
	HeapTuple	tuple;
	bool		summarizing;
} Entries;

/* By the executor's own routine, which knows all kinds of indexes. */
static void
add_index_entries(void *arg)
{
	const Entries *entries = arg;
	EState	   *state = CreateExecutorState();
	ResultRelInfo *result = makeNode(ResultRelInfo);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(entries->relation),
													&TTSOpsHeapTuple);

	InitResultRelInfo(result, entries->relation, 0, NULL, 0);
	ExecOpenIndices(result, false);
	ExecStoreHeapTuple(entries->tuple, slot, false);
	mf_compat_add_index_entries(result, slot, state, entries->summarizing);
	ExecDropSingleTupleTableSlot(slot);
	ExecCloseIndices(result);
	FreeExecutorState(state);
}

static HeapTuple
form(Relation relation, MfOwnRow *row)
{
	HeapTuple	tuple = heap_form_tuple(RelationGetDescr(relation), row->value, row->is_null);

	tuple->t_tableOid = RelationGetRelid(relation);
	return tuple;
}

bool
mf_dashboard_heap_insert(const MfOwnTable *table, Relation relation, MfOwnRow *row)
{
	Entries		entries = {.relation = relation};

	if (!is_plain(table, relation, row))
		return false;
	entries.tuple = form(relation, row);
	heap_insert(relation, entries.tuple, GetCurrentCommandId(true), 0, NULL);
	mf_as_owner(add_index_entries, &entries);
	return true;
}

bool
mf_dashboard_heap_update(const MfOwnTable *table, Relation relation, MfOwnRow *row)
{
	Entries		entries = {.relation = relation};
	bool		needed;

	if (!is_plain(table, relation, row))
		return false;
	entries.tuple = form(relation, row);
	if (!mf_compat_heap_update(relation, &row->place, entries.tuple, &needed, &entries.summarizing))
		return false;
	if (needed)
		mf_as_owner(add_index_entries, &entries);
	return true;
}

bool
mf_dashboard_heap_remove(const MfOwnTable *table, Relation relation, MfOwnRow *row)
{
	TM_FailureData failure;

	return is_plain(table, relation, row) &&
		heap_delete(relation, &row->place, GetCurrentCommandId(true), InvalidSnapshot, true,
					&failure, false) == TM_Ok;
}
