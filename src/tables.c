/*
 * tables.c
 *		Our own tables, seen from C.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "mesflow.h"
#include "tables.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

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
