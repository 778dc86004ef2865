/*
 * plan.h
 *		Statements whose plans are kept, and functions called by their names.
 */
#ifndef MF_PLAN_H
#define MF_PLAN_H

#include "executor/spi.h"

#define MF_PLAN_ARGUMENTS	32

/* A statement; its plan is made where it first runs, and kept. */
typedef struct MfPlan
{
	const char *sql;
	int			arguments;
	bool		by_index;		/* what it reads is found by indexes, always */
	bool		writes;			/* sees what has come this moment; may lock */
	Oid			types[MF_PLAN_ARGUMENTS];
	SPIPlanPtr	kept;
} MfPlan;

extern uint64 mf_plan_run(MfPlan *plan, Datum *values, const char *nulls);
extern bool mf_plan_find(uint64 row, int column, Datum *value);
extern char *mf_plan_text(uint64 row, int column);
extern void mf_spi_connect(void);
extern bool mf_plan_call(const char *function, int count,
						 const NullableDatum *arguments, Datum *result);

#endif							/* MF_PLAN_H */
