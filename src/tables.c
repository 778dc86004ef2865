/*
 * tables.c
 *		Our own tables, seen from C.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "mesflow.h"
#include "miscadmin.h"
#include "tables.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(mesflow_rows_changed);

Oid
mf_relation(const char *name)
{
	Oid			namespace = get_namespace_oid(MF_EXTENSION, false);
	Oid			relation = get_relname_relid(name, namespace);

	if (!OidIsValid(relation))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("there is no relation \"%s.%s\"", MF_EXTENSION, name)));
	return relation;
}

void
mf_columns_check(Relation relation, const char *const *names, int count,
				 Oid *checked)
{
	TupleDesc	desc = RelationGetDescr(relation);

	if (*checked == RelationGetRelid(relation))
		return;
	if (desc->natts < count)
		elog(ERROR, "table \"%s\" has %d columns, %d are needed",
			 RelationGetRelationName(relation), desc->natts, count);
	for (int i = 0; i < count; i++)
		if (strcmp(NameStr(TupleDescAttr(desc, i)->attname), names[i]) != 0)
			elog(ERROR, "column %d of table \"%s\" is \"%s\", not \"%s\"", i + 1,
				 RelationGetRelationName(relation),
				 NameStr(TupleDescAttr(desc, i)->attname), names[i]);
	*checked = RelationGetRelid(relation);
}

/* All at once: one by one, each would be looked for from the first on. */
void
mf_columns_open(Relation relation, HeapTuple tuple, int count, Datum *values,
				bool *nulls)
{
	TupleDesc	desc = RelationGetDescr(relation);
	Datum		all_values[MaxTupleAttributeNumber];
	bool		all_nulls[MaxTupleAttributeNumber];

	heap_deform_tuple(tuple, desc, all_values, all_nulls);
	memcpy(values, all_values, count * sizeof(Datum));
	memcpy(nulls, all_nulls, count * sizeof(bool));
}

void
mf_as_owner(void (*work) (void *), void *arg)
{
	Relation	relation = table_open(mf_relation("orders"), AccessShareLock);
	Oid			owner = relation->rd_rel->relowner;
	Oid			caller;
	int			context;

	table_close(relation, AccessShareLock);
	GetUserIdAndSecContext(&caller, &context);
	SetUserIdAndSecContext(owner, context | SECURITY_LOCAL_USERID_CHANGE);
	work(arg);
	SetUserIdAndSecContext(caller, context);
}

static AttrNumber
column_number(Relation relation, const char *column)
{
	int			number = SPI_fnumber(RelationGetDescr(relation), column);

	if (number <= 0)
		elog(ERROR, "table \"%s\" has no column \"%s\"",
			 RelationGetRelationName(relation), column);
	return (AttrNumber) number;
}

/* A scan for the row of a key; `keys` lives as long. */
static SysScanDesc
begin_scan(const MfKey *key, const Datum *values, Relation relation,
		   Snapshot snapshot, ScanKeyData *keys)
{
	for (int i = 0; i < key->count; i++)
	{
		bool		is_text = key->types[i] == TEXTOID;

		ScanKeyEntryInitialize(&keys[i], 0, column_number(relation, key->columns[i]),
							   BTEqualStrategyNumber, InvalidOid,
							   is_text ? DEFAULT_COLLATION_OID : InvalidOid,
							   is_text ? F_TEXTEQ : key->types[i] == BYTEAOID ? F_BYTEAEQ : F_UUID_EQ,
							   values[i]);
	}
	return systable_beginscan(relation, mf_relation(key->index), true, snapshot,
							  key->count, keys);
}

bool
mf_key_find(const MfKey *key, const Datum *values, const char *column,
			Datum *value, bool *is_null)
{
	Relation	relation = table_open(mf_relation(key->table), AccessShareLock);
	ScanKeyData keys[MF_KEY_MAX];
	SysScanDesc scan = begin_scan(key, values, relation, NULL, keys);
	HeapTuple	tuple = systable_getnext(scan);
	bool		found = HeapTupleIsValid(tuple);

	if (found)
	{
		AttrNumber	number = column_number(relation, column);
		Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(relation), number - 1);

		*value = heap_getattr(tuple, number, RelationGetDescr(relation), is_null);
		if (!*is_null)
			*value = datumCopy(*value, attribute->attbyval, attribute->attlen);
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return found;
}

bool
mf_key_row(const MfKey *key, const Datum *values, Snapshot snapshot, Datum *row)
{
	Relation	relation = table_open(mf_relation(key->table), AccessShareLock);
	ScanKeyData keys[MF_KEY_MAX];
	SysScanDesc scan = begin_scan(key, values, relation, snapshot, keys);
	HeapTuple	best = NULL;
	HeapTuple	tuple;

	/* Of a part of a key there may be several: the last in its order. */
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		if (best != NULL)
			heap_freetuple(best);
		best = heap_copytuple(tuple);
	}
	if (best != NULL)
		*row = heap_copy_tuple_as_datum(best, RelationGetDescr(relation));
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return best != NULL;
}

/* _rows_changed(): the invalidation that a change of the table's shape sends. */
PGDLLEXPORT Datum
mesflow_rows_changed(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		elog(ERROR, "not called as a trigger");
	CacheInvalidateRelcache(((TriggerData *) fcinfo->context)->tg_relation);
	return PointerGetDatum(NULL);
}
