/*
 * tables.h
 *		Our own tables, seen from C: relations by name, columns by place.
 */
#ifndef MF_TABLES_H
#define MF_TABLES_H

#include "access/htup.h"
#include "utils/relcache.h"

/* The OID of a relation of schema mesflow; an error where there is none. */
extern Oid	mf_relation(const char *name);

/*
 * Checks that a relation's first columns are called so, in this order, so
 * that they can be taken by their places.  *checked remembers the relation
 * that was looked at last, for it costs a comparison per column.
 */
extern void mf_columns_check(Relation relation, const char *const *names,
							 int count, Oid *checked);

/* The first columns of a row: values and nulls have room for so many. */
extern void mf_columns_open(Relation relation, HeapTuple tuple, int count,
							Datum *values, bool *nulls);

#endif							/* MF_TABLES_H */
