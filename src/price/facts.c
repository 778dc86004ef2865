/*
 * facts.c
 *		A measurement as pricing functions get it: a row of the public view
 *		measurements, scaled.
 *
 * Scaling needs no new measurement: lengths grow with s, areas with s^2,
 * volumes with s^3, and what has no unit stays.
 */
#include "postgres.h"

#include <float.h>

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
		strcmp(column, "bbox_max") == 0 || strcmp(column, "centroid") == 0 ||
		strcmp(column, "min_wall_at") == 0)
		return scale;
	return 1;
}

/* A number that may grow beyond what a real holds: the largest real then. */
static Datum
scaled_real(float4 value, double factor)
{
	return Float4GetDatum((float4) Min(value * factor, FLT_MAX));
}

static Datum
scaled_array(ArrayType *array, double factor)
{
	const bool	narrow = ARR_ELEMTYPE(array) == FLOAT4OID;
	const int	size = narrow ? sizeof(float4) : sizeof(float8);
	const bool	by_value = narrow ? true : FLOAT8PASSBYVAL;
	const char	align = narrow ? TYPALIGN_INT : TYPALIGN_DOUBLE;
	Datum	   *number;
	bool	   *is_null;
	int			count;

	deconstruct_array(array, ARR_ELEMTYPE(array), size, by_value, align,
					  &number, &is_null, &count);
	for (int i = 0; i < count; i++)
		number[i] = narrow ? scaled_real(DatumGetFloat4(number[i]), factor) :
			Float8GetDatum(DatumGetFloat8(number[i]) * factor);
	return PointerGetDatum(construct_array(number, count, ARR_ELEMTYPE(array), size,
										   by_value, align));
}

static Datum
scaled(Datum value, Oid type, double factor)
{
	if (type == FLOAT8OID)
		return Float8GetDatum(DatumGetFloat8(value) * factor);
	if (type == FLOAT8ARRAYOID || type == FLOAT4ARRAYOID)
		return scaled_array(DatumGetArrayTypeP(value), factor);
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
