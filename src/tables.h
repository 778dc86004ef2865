/*
 * tables.h
 *		Our own tables, seen from C: relations by name, columns by place, kept
 *		plans.
 */
#ifndef MF_TABLES_H
#define MF_TABLES_H

#include "access/htup.h"
#include "executor/spi.h"
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

/* Most arguments of a kept plan. */
#define MF_PLAN_ARGUMENTS	16

/*
 * A statement that is planned once in a process, for any arguments.  Every
 * name in it is qualified.  The caller is connected to SPI.
 */
typedef struct MfPlan
{
	const char *sql;
	int			arguments;
	Oid			types[MF_PLAN_ARGUMENTS];
	SPIPlanPtr	plan;
} MfPlan;

/* Runs it; returns the number of rows, which are in SPI_tuptable. */
extern uint64 mf_plan_run(MfPlan *plan, Datum *values, const char *nulls,
						  bool read_only);

/* A value of a row that mf_plan_run returned; columns count from 1. */
extern Datum mf_plan_value(uint64 row, int column, bool *is_null);

/* The same as text, NULL as NULL, in the current memory context. */
extern char *mf_plan_text(uint64 row, int column);

extern void mf_spi_connect(void);

#endif							/* MF_TABLES_H */
