/*
 * rows.c
 *		Deliveries from the rows of _pending.
 *
 * Rows are read in the order of their ids, up to MF_ROWS_HELD per endpoint;
 * more stay in the table (rows_deep), and then the endpoint reads nothing new.
 * A replay may put rows anywhere, so after one it is read from the beginning,
 * and what is held already is passed over.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "plan.h"
#include "stream.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/timestamp.h"

/* Rows that are read at a time. */
#define PORTION		2000

static MfPlan rows_plan = {
	.sql = "SELECT p.id, p.event, p.key, p.due_at, p.attempts, p.crashes, p.first_at"
	" FROM mesflow._pending p WHERE p.endpoint OPERATOR(pg_catalog.=) $1"
	" AND p.id OPERATOR(pg_catalog.>) $2 ORDER BY p.id LIMIT $3",
	.by_index = true,
	.writes = true,
	.arguments = 3,
	.types = {TEXTOID, INT8OID, INT8OID}
};
static MfPlan blocked_plan = {
	.sql = "SELECT DISTINCT d.key FROM mesflow._dead_letters d"
	" WHERE d.endpoint OPERATOR(pg_catalog.=) $1 AND d.resolved IS NULL",
	.by_index = true,
	.writes = true,
	.arguments = 1,
	.types = {TEXTOID}
};

/* The delivery has a row of its own from now on. */
void
mf_rows_hold(MfDelivery *delivery)
{
	delivery->has_row = true;
	dlist_push_tail(&delivery->endpoint->row_list, &delivery->row_node);
	delivery->endpoint->rows++;
}

void
mf_rows_let_go(MfDelivery *delivery)
{
	delivery->has_row = false;
	dlist_delete(&delivery->row_node);
	delivery->endpoint->rows--;
}

bool
mf_rows_wanted(const MfEndpoint *endpoint)
{
	return endpoint->rows_deep && endpoint->rows < MF_ROWS_HELD / 2;
}

/* The ids that are held already. */
static HTAB *
held_ids(MfEndpoint *endpoint)
{
	HASHCTL		control = {.keysize = sizeof(int64),.entrysize = sizeof(int64),
	.hcxt = CurrentMemoryContext};
	HTAB	   *ids = hash_create("mesflow rows held", Max(endpoint->rows, 16), &control,
								  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	dlist_iter	iter;

	dlist_foreach(iter, &endpoint->row_list)
		hash_search(ids, &dlist_container(MfDelivery, row_node, iter.cur)->id, HASH_ENTER, NULL);
	return ids;
}

static void
take_row(MfEndpoint *endpoint, uint64 row, HTAB *held)
{
	MfDelivery *delivery;
	Datum		value;
	int64		id;
	pg_uuid_t	event;
	bool		found;

	(void) mf_plan_find(row, 1, &value);
	id = DatumGetInt64(value);
	hash_search(held, &id, HASH_FIND, &found);
	if (found)
		return;
	(void) mf_plan_find(row, 2, &value);
	event = *DatumGetUUIDP(value);
	delivery = mf_delivery_make(endpoint, id, &event, mf_plan_text(row, 3), NULL);
	(void) mf_plan_find(row, 4, &value);
	delivery->due_at = DatumGetTimestampTz(value);
	(void) mf_plan_find(row, 5, &value);
	delivery->attempts = DatumGetInt32(value);
	(void) mf_plan_find(row, 6, &value);
	delivery->crashes = DatumGetInt32(value);
	(void) mf_plan_find(row, 7, &value);
	delivery->first_at = DatumGetTimestampTz(value);
	mf_rows_hold(delivery);
	mf_line_add(delivery);
}

void
mf_rows_read(MfEndpoint *endpoint, bool anew)
{
	HTAB	   *held = held_ids(endpoint);

	if (anew)
		endpoint->rows_upto = 0;
	endpoint->rows_deep = true;
	while (endpoint->rows_deep && endpoint->rows < MF_ROWS_HELD)
	{
		Datum		values[3];
		uint64		rows;

		mf_worker_check();
		values[0] = CStringGetTextDatum(endpoint->name);
		values[1] = Int64GetDatum(endpoint->rows_upto);
		values[2] = Int64GetDatum(PORTION);
		rows = mf_plan_run(&rows_plan, values, NULL);
		for (uint64 row = 0; row < rows; row++)
		{
			Datum		id;

			take_row(endpoint, row, held);
			(void) mf_plan_find(row, 1, &id);
			endpoint->rows_upto = DatumGetInt64(id);
		}
		endpoint->rows_deep = rows == PORTION;
		SPI_freetuptable(SPI_tuptable);
	}
}

/* Keys that a dead letter stops, where the order is strict. */
void
mf_rows_read_blocked(MfEndpoint *endpoint)
{
	Datum		name = CStringGetTextDatum(endpoint->name);
	uint64		rows;

	mf_line_unblock_keys(endpoint);
	if (endpoint->config->ordering != MF_ORDERING_STRICT)
		return;
	rows = mf_plan_run(&blocked_plan, &name, NULL);
	for (uint64 row = 0; row < rows; row++)
		mf_line_block_key(endpoint, mf_plan_text(row, 1));
}
