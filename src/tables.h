/*
 * tables.h
 *		Our own tables, seen from C: relations by name, columns by place.
 */
#ifndef MF_TABLES_H
#define MF_TABLES_H

#include "access/htup.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

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

/*
 * Runs work(arg) with the rights of our tables' owner: what a trigger of ours
 * does must not depend on what the caller may.  An error ends that, as it
 * ends the transaction.
 */
extern void mf_as_owner(void (*work) (void *), void *arg);

/* Most columns of a key. */
#define MF_KEY_MAX	2

/*
 * A unique key of a table of ours, or its first columns: the index, and
 * columns of uuid, text or bytea.
 */
typedef struct MfKey
{
	const char *table;
	const char *index;
	int			count;
	const char *columns[MF_KEY_MAX];
	Oid			types[MF_KEY_MAX];
} MfKey;

/*
 * One column of the row of this key, as of now, copied into the current
 * memory context; false where there is no such row.  Without an executor, for
 * what every order asks; the caller's rights do not matter.
 */
extern bool mf_key_find(const MfKey *key, const Datum *values,
						const char *column, Datum *value, bool *is_null);

/*
 * The whole row as a composite value, as this snapshot shows it; of several
 * that a part of a key has, the last in the order of the index.
 */
extern bool mf_key_row(const MfKey *key, const Datum *values, Snapshot snapshot,
					   Datum *row);

#endif							/* MF_TABLES_H */
