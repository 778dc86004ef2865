/*
 * row.c
 *		A row of orders, by its columns.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "order.h"
#include "tables.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

const char *const mf_order_column_names[MF_ORDER_COLUMNS] = {
	"id", "number", "partner", "external_ref", "status", "status_since",
	"event_seq", "net", "tax", "total", "currency", "priority", "created_at",
	"due_at", "price_expires_at", "closed_at", "correlation_id",
	"traceparent", "held_from", "status_by", "tracking", "asked_hash",
	"asked_due", "closed_as"
};

/* Columns may be added behind ours. */
void
mf_order_open(MfOrder *order, Relation orders, HeapTuple tuple)
{
	static Oid	checked = InvalidOid;

	mf_columns_check(orders, mf_order_column_names, MF_ORDER_COLUMNS, &checked);
	mf_columns_open(orders, tuple, MF_ORDER_COLUMNS, order->value, order->is_null);
}

char *
mf_order_text(const MfOrder *order, MfOrderColumn column)
{
	return order->is_null[column] ? NULL : TextDatumGetCString(order->value[column]);
}

const pg_uuid_t *
mf_order_uuid(const MfOrder *order, MfOrderColumn column)
{
	return order->is_null[column] ? NULL : DatumGetUUIDP(order->value[column]);
}

Numeric
mf_order_money(const MfOrder *order, MfOrderColumn column)
{
	return order->is_null[column] ? NULL : DatumGetNumeric(order->value[column]);
}

bool
mf_order_time(const MfOrder *order, MfOrderColumn column, TimestampTz *at)
{
	if (order->is_null[column])
		return false;
	*at = DatumGetTimestampTz(order->value[column]);
	return true;
}

char *
mf_order_id_text(const MfOrder *order)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, order->value[MF_ORDER_ID]));
}

/* Is a column kept as a pointer, and how long is it there?  -1: varlena. */
static int
length_of(MfOrderColumn column)
{
	switch (column)
	{
		case MF_ORDER_ID:
		case MF_ORDER_CORRELATION_ID:
			return UUID_LEN;
		case MF_ORDER_STATUS_SINCE:
		case MF_ORDER_EVENT_SEQ:
		case MF_ORDER_CREATED_AT:
		case MF_ORDER_DUE_AT:
		case MF_ORDER_PRICE_EXPIRES_AT:
		case MF_ORDER_CLOSED_AT:
		case MF_ORDER_ASKED_DUE:
			return sizeof(int64);
		case MF_ORDER_PRIORITY:
			return sizeof(int32);
		default:
			return -1;
	}
}

bool
mf_order_differs(const MfOrder *a, const MfOrder *b, MfOrderColumn column)
{
	int			length = length_of(column);

	if (a->is_null[column] || b->is_null[column])
		return a->is_null[column] != b->is_null[column];

	/* As it is stored: 1.0 is another text than 1. */
	return !datum_image_eq(a->value[column], b->value[column],
						   length == sizeof(int32) || (length == sizeof(int64) && FLOAT8PASSBYVAL),
						   length);
}
