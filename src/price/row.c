/*
 * row.c
 *		Columns of a composite value by their names.
 *
 * Our tables may get more columns, so none is known by its number.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "row.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/typcache.h"

/* Takes a composite value apart; mf_row_close gives the descriptor back. */
void
mf_row_open(MfRow *row, HeapTupleHeader tuple)
{
	HeapTupleData data;

	row->desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(tuple),
									   HeapTupleHeaderGetTypMod(tuple));
	row->values = palloc(row->desc->natts * sizeof(Datum));
	row->nulls = palloc(row->desc->natts * sizeof(bool));
	data.t_len = HeapTupleHeaderGetDatumLength(tuple);
	ItemPointerSetInvalid(&data.t_self);
	data.t_tableOid = InvalidOid;
	data.t_data = tuple;
	heap_deform_tuple(&data, row->desc, row->values, row->nulls);
}

void
mf_row_close(MfRow *row)
{
	ReleaseTupleDesc(row->desc);
	row->desc = NULL;
}

/*
 * The value of a column; false where it is NULL, where there is no such
 * column, and where the row was never opened.
 */
bool
mf_row_find(const MfRow *row, const char *column, Datum *value)
{
	for (int i = 0; row->desc != NULL && i < row->desc->natts; i++)
	{
		if (strcmp(NameStr(TupleDescAttr(row->desc, i)->attname), column) != 0)
			continue;
		*value = row->values[i];
		return !row->nulls[i];
	}
	return false;
}

/* The value of a column that is never NULL. */
Datum
mf_row_need(const MfRow *row, const char *column)
{
	Datum		value;

	if (!mf_row_find(row, column, &value))
		elog(ERROR, "a row has no %s", column);
	return value;
}

/* A column of type text; NULL as NULL. */
char *
mf_row_text(const MfRow *row, const char *column)
{
	Datum		value;

	return mf_row_find(row, column, &value) ? TextDatumGetCString(value) : NULL;
}

/* A column of type float8; NULL as NaN. */
double
mf_row_double(const MfRow *row, const char *column)
{
	Datum		value;

	return mf_row_find(row, column, &value) ? DatumGetFloat8(value) : NAN;
}

/* Three numbers of a column of type float8[]; false where there are none. */
bool
mf_row_place(const MfRow *row, const char *column, double place[3])
{
	Datum		value;
	Datum	   *number;
	bool	   *is_null;
	int			count;

	if (!mf_row_find(row, column, &value))
		return false;
	deconstruct_array(DatumGetArrayTypeP(value), FLOAT8OID, sizeof(float8),
					  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &number, &is_null, &count);
	if (count != 3)
		return false;
	for (int i = 0; i < 3; i++)
	{
		if (is_null[i])
			return false;
		place[i] = DatumGetFloat8(number[i]);
	}
	return true;
}
