/*
 * asked_rows.c
 *		Items as they are asked for, as rows: for verbs written in SQL.
 */
#include "postgres.h"

#include "asked.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(mesflow_asked_items);

enum
{
	COL_ITEM, COL_QUOTE, COL_MODEL, COL_MATERIAL, COL_PROCESS, COL_QUANTITY,
	COL_OPTIONS, COLUMNS
};

/* _asked_items(items jsonb) */
PGDLLEXPORT Datum
mesflow_asked_items(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MfAskedItem *items;
	int			count;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		items = mf_asked_items(NULL, &count);
	else
		items = mf_asked_items(PG_GETARG_JSONB_P(0), &count);
	for (int i = 0; i < count; i++)
	{
		const MfAskedItem *item = &items[i];
		Datum		value[COLUMNS] = {0};
		bool		is_null[COLUMNS] = {0};

		value[COL_ITEM] = Int32GetDatum(i);
		value[COL_QUOTE] = UUIDPGetDatum(&item->quote);
		is_null[COL_QUOTE] = !item->by_quote;
		value[COL_MODEL] = UUIDPGetDatum(&item->model);
		value[COL_QUANTITY] = Int32GetDatum(item->quantity);
		if (!item->by_quote)
		{
			value[COL_MATERIAL] = CStringGetTextDatum(item->material);
			value[COL_PROCESS] = CStringGetTextDatum(item->process);
			value[COL_OPTIONS] = JsonbPGetDatum(item->options);
		}
		is_null[COL_MODEL] = is_null[COL_MATERIAL] = is_null[COL_PROCESS] = item->by_quote;
		is_null[COL_QUANTITY] = is_null[COL_OPTIONS] = item->by_quote;
		tuplestore_putvalues(result->setResult, result->setDesc, value, is_null);
	}
	return (Datum) 0;
}
