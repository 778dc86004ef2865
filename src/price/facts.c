/*
 * facts.c
 *		A measurement as pricing functions get it: a row of the public view
 *		measurements, scaled.
 *
 * Scaling needs no new measurement: lengths grow with s, areas with s^2,
 * volumes with s^3, and what has no unit stays.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "mesflow.h"
#include "price.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

static bool
ends_with(const char *name, const char *end)
{
	size_t		length = strlen(name);
	size_t		tail = strlen(end);

	return length >= tail && strcmp(name + length - tail, end) == 0;
}

/* How a column grows with the scale; its name says so. */
static double
growth(const char *column, double scale)
{
	if (ends_with(column, "_mm3"))
		return scale * scale * scale;
	if (ends_with(column, "_mm2"))
		return scale * scale;
	if (ends_with(column, "_mm") || strcmp(column, "bbox_min") == 0 ||
		strcmp(column, "bbox_max") == 0 || strcmp(column, "centroid") == 0)
		return scale;
	return 1;
}

static Datum
scaled(Datum value, Oid type, double factor)
{
	if (type == FLOAT8OID)
		return Float8GetDatum(DatumGetFloat8(value) * factor);
	if (type == FLOAT8ARRAYOID)
	{
		Datum	   *number;
		bool	   *is_null;
		int			count;

		deconstruct_array(DatumGetArrayTypeP(value), FLOAT8OID, sizeof(float8),
						  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &number, &is_null, &count);
		for (int i = 0; i < count; i++)
			number[i] = Float8GetDatum(DatumGetFloat8(number[i]) * factor);
		return PointerGetDatum(construct_array(number, count, FLOAT8OID, sizeof(float8),
											   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	}
	return value;
}

/* The row of mesflow.measurements of a row of mesflow._measurements. */
HeapTupleHeader
mf_facts_scaled(const MfRow *outcome, double scale)
{
	Oid			schema = get_namespace_oid(MF_EXTENSION, false);
	Oid			type = get_rel_type_id(get_relname_relid("measurements", schema));
	TupleDesc	desc = lookup_rowtype_tupdesc(type, -1);
	Datum	   *values = palloc0(desc->natts * sizeof(Datum));
	bool	   *nulls = palloc(desc->natts * sizeof(bool));
	HeapTuple	tuple;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);
		const char *name = NameStr(column->attname);
		double		factor = growth(name, scale);

		nulls[i] = !mf_row_find(outcome, name, &values[i]);
		if (!nulls[i] && factor != 1)
			values[i] = scaled(values[i], column->atttypid, factor);
	}
	tuple = heap_form_tuple(desc, values, nulls);
	ReleaseTupleDesc(desc);
	return DatumGetHeapTupleHeader(HeapTupleGetDatum(tuple));
}
