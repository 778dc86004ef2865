/*
 * items.c
 *		The items of an order: as the bodies of its events show them, and
 *		what they come to.
 *
 * Every event of an order has them, so they are read by two index scans
 * without an executor, as of now: what this transaction has just changed is
 * in.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "order.h"
#include "tables.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

/* Columns of _order_items, in the order of CREATE TABLE. */
enum
{
	ITEM_ID, ITEM_ORDER_ID, ITEM_POSITION, ITEM_QUOTE, ITEM_CANCELLED_AT,
	ITEM_COLUMNS
};

static const char *const item_columns[ITEM_COLUMNS] = {
	"id", "order_id", "position", "quote", "cancelled_at"
};

/* Columns of _quotes, likewise. */
enum
{
	QUOTE_ID, QUOTE_PARTNER, QUOTE_MODEL, QUOTE_MATERIAL, QUOTE_PROCESS,
	QUOTE_QUANTITY, QUOTE_OPTIONS, QUOTE_STATE, QUOTE_UNIT_PRICE, QUOTE_NET,
	QUOTE_TAX, QUOTE_TOTAL, QUOTE_CURRENCY, QUOTE_BREAKDOWN,
	QUOTE_PRICE_LIST, QUOTE_LEAD_DAYS, QUOTE_CREATED_AT, QUOTE_PRICED_AT,
	QUOTE_EXPIRES_AT, QUOTE_COLUMNS
};

static const char *const quote_columns[QUOTE_COLUMNS] = {
	"id", "partner", "model", "material", "process", "quantity", "options",
	"state", "unit_price", "net", "tax", "total", "currency", "breakdown",
	"price_list", "lead_days", "created_at", "priced_at", "expires_at"
};

/* A row of one of the two. */
typedef struct Row
{
	Datum		value[QUOTE_COLUMNS];
	bool		is_null[QUOTE_COLUMNS];
} Row;

static Numeric
money(const Row *row, int column)
{
	return row->is_null[column] ? NULL : DatumGetNumeric(row->value[column]);
}

static void
append_item(StringInfo json, const Row *item, const Row *quote, const char *state)
{
	mf_body_open(json, NULL, '{');
	mf_body_int(json, "position", DatumGetInt32(item->value[ITEM_POSITION]));
	mf_body_uuid(json, "model", DatumGetUUIDP(quote->value[QUOTE_MODEL]));
	mf_body_text(json, "material", TextDatumGetCString(quote->value[QUOTE_MATERIAL]));
	mf_body_text(json, "process", TextDatumGetCString(quote->value[QUOTE_PROCESS]));
	mf_body_int(json, "quantity", DatumGetInt32(quote->value[QUOTE_QUANTITY]));
	mf_body_text(json, "state", state);
	mf_body_money(json, "unit_price", money(quote, QUOTE_UNIT_PRICE));
	mf_body_money(json, "total", money(quote, QUOTE_TOTAL));
	mf_body_close(json, '}');
}

/* The value outlives the scan that it comes from. */
static void
add_money(MfTally *tally, MfTallyColumn column, const Row *quote, int from)
{
	if (quote->is_null[from])
		return;
	if (tally->is_null[column])
		tally->value[column] = datumCopy(quote->value[from], false, -1);
	else
		tally->value[column] = DirectFunctionCall2(numeric_add, tally->value[column], quote->value[from]);
	tally->is_null[column] = false;
}

static void
add_price(MfTally *tally, const Row *quote)
{
	char	   *currency = TextDatumGetCString(quote->value[QUOTE_CURRENCY]);

	if (tally->priced++ == 0)
	{
		tally->value[MF_TALLY_CURRENCY] = CStringGetTextDatum(currency);
		tally->is_null[MF_TALLY_CURRENCY] = false;
	}
	else if (strcmp(TextDatumGetCString(tally->value[MF_TALLY_CURRENCY]), currency) != 0)
		tally->mixed = true;
	add_money(tally, MF_TALLY_NET, quote, QUOTE_NET);
	add_money(tally, MF_TALLY_TAX, quote, QUOTE_TAX);
	add_money(tally, MF_TALLY_TOTAL, quote, QUOTE_TOTAL);
	if (quote->is_null[QUOTE_EXPIRES_AT])
		return;
	if (tally->is_null[MF_TALLY_EXPIRES_AT] ||
		DatumGetTimestampTz(quote->value[QUOTE_EXPIRES_AT]) < DatumGetTimestampTz(tally->value[MF_TALLY_EXPIRES_AT]))
		tally->value[MF_TALLY_EXPIRES_AT] = quote->value[QUOTE_EXPIRES_AT];
	tally->is_null[MF_TALLY_EXPIRES_AT] = false;
}

/* A quote that was cancelled under its item has failed it. */
static void
add_item(MfTally *tally, const Row *item, const Row *quote)
{
	char	   *state = TextDatumGetCString(quote->value[QUOTE_STATE]);

	if (!item->is_null[ITEM_CANCELLED_AT])
		state = "cancelled";
	else
	{
		if (strcmp(state, "cancelled") == 0)
			state = "failed";
		tally->live++;
		if (strcmp(state, "priced") == 0)
			add_price(tally, quote);
		else if (strcmp(state, "failed") == 0)
			tally->failed++;
		else if (strcmp(state, "review") == 0)
			tally->review++;
		else
			tally->pending++;
	}
	append_item(&tally->json, item, quote, state);
}

const char *
mf_tally_status(const MfTally *tally)
{
	if (tally->failed > 0 || tally->mixed)
		return MF_STATUS_PRICING_FAILED;
	if (tally->review > 0)
		return MF_STATUS_IN_REVIEW;
	if (tally->live > 0 && tally->priced == tally->live)
		return MF_STATUS_PRICED;
	return MF_STATUS_SUBMITTED;
}

void
mf_order_tally(MfTally *tally, const pg_uuid_t *order_id)
{
	static Oid	items_checked = InvalidOid;
	static Oid	quotes_checked = InvalidOid;

	Relation	items = table_open(mf_relation("_order_items"), AccessShareLock);
	Relation	quotes = table_open(mf_relation("_quotes"), AccessShareLock);
	Oid			quotes_index = mf_relation("_quotes_pkey");
	Relation	items_index = index_open(mf_relation("_order_items_order_position_key"),
										 AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	mf_columns_check(items, item_columns, ITEM_COLUMNS, &items_checked);
	mf_columns_check(quotes, quote_columns, QUOTE_COLUMNS, &quotes_checked);
	memset(tally, 0, sizeof(*tally));
	memset(tally->is_null, true, sizeof(tally->is_null));
	initStringInfo(&tally->json);
	ScanKeyInit(&key, ITEM_ORDER_ID + 1, BTEqualStrategyNumber, F_UUID_EQ,
				UUIDPGetDatum(order_id));
	scan = systable_beginscan_ordered(items, items_index, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext_ordered(scan, ForwardScanDirection)))
	{
		Row			item;
		Row			quote;
		ScanKeyData quote_key;
		SysScanDesc quote_scan;
		HeapTuple	quote_tuple;

		mf_columns_open(items, tuple, ITEM_COLUMNS, item.value, item.is_null);
		ScanKeyInit(&quote_key, QUOTE_ID + 1, BTEqualStrategyNumber, F_UUID_EQ,
					item.value[ITEM_QUOTE]);
		quote_scan = systable_beginscan(quotes, quotes_index, true, NULL, 1, &quote_key);
		quote_tuple = systable_getnext(quote_scan);
		if (HeapTupleIsValid(quote_tuple))
		{
			mf_columns_open(quotes, quote_tuple, QUOTE_COLUMNS, quote.value, quote.is_null);
			add_item(tally, &item, &quote);
		}
		systable_endscan(quote_scan);
	}
	systable_endscan_ordered(scan);
	index_close(items_index, AccessShareLock);
	table_close(quotes, AccessShareLock);
	table_close(items, AccessShareLock);
	if (tally->priced < tally->live || tally->mixed)
		memset(tally->is_null, true, sizeof(tally->is_null));
}
