/*
 * row.h
 *		Columns of a composite value by their names.
 */
#ifndef MF_ROW_H
#define MF_ROW_H

#include "postgres.h"

#include "access/htup_details.h"
#include "access/tupdesc.h"

typedef struct MfRow
{
	TupleDesc	desc;
	Datum	   *values;
	bool	   *nulls;
} MfRow;

extern void mf_row_open(MfRow *row, HeapTupleHeader tuple);
extern void mf_row_close(MfRow *row);
extern bool mf_row_find(const MfRow *row, const char *column, Datum *value);
extern Datum mf_row_need(const MfRow *row, const char *column);
extern char *mf_row_text(const MfRow *row, const char *column);
extern double mf_row_double(const MfRow *row, const char *column);
extern bool mf_row_place(const MfRow *row, const char *column, double place[3]);

#endif							/* MF_ROW_H */
