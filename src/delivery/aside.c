/*
 * aside.c
 *		Endpoints whose rows somebody holds.
 *
 * The functions that change an endpoint hold its cursor until their
 * transaction ends, and that may be any time.  So a group takes cursors first,
 * without waiting, and endpoints that it does not get are left out of it and
 * set aside: nothing more is sent there, what has ended waits here, and after
 * a pause they are tried again.  The others are none the wiser.
 *
 * Other rows of an endpoint are held only by people who write to our tables
 * themselves.  A group waits for those, fails, and does not say whose they
 * were: then the endpoints of it are written one by one, which finds out.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "plan.h"
#include "record.h"
#include "utils/array.h"

/* Until its cursor is tried again. */
#define HELD_MS		100

/*
 * The same where that means to wait, with so much more for each endpoint that
 * is set aside: together they take but a part of the worker's time.  But where
 * a whole table is held, all are, and soon after that ends all go on.
 */
#define BLAMED_MS		4000
#define BLAMED_MORE_MS	1000
#define BLAMED_MAX_MS	30000

static MfPlan lock_plan = {
	.sql = "SELECT r.place, e.name FROM pg_catalog.unnest($1) WITH ORDINALITY r (number, place)"
	" JOIN mesflow._endpoints e ON e.number OPERATOR(pg_catalog.=) r.number"
	" JOIN mesflow._cursors c ON c.name OPERATOR(pg_catalog.=) e.reader"
	" FOR NO KEY UPDATE OF c SKIP LOCKED",
	.by_index = true,
	.writes = true,
	.arguments = 1,
	.types = {INT4ARRAYOID}
};

static dlist_head results = DLIST_STATIC_INIT(results); /* that wait here */
static bool any_aside = false;
static bool any_alone = false;

/* The endpoints of a group that are still there, some of them more than once. */
static int
list_endpoints(const MfGroup *group, MfEndpoint **endpoints)
{
	int			count = 0;

	for (int i = 0; i < group->position_count; i++)
		endpoints[count++] = group->positions[i].endpoint;
	for (int i = 0; i < group->trouble_count; i++)
		endpoints[count++] = group->troubled[i];
	for (int i = 0; i < group->passed_count; i++)
		if (group->passed[i]->endpoint->position == NULL)
			endpoints[count++] = group->passed[i]->endpoint;
	return count;
}

static MfEndpoint **
make_list(const MfGroup *group)
{
	return palloc((group->position_count + group->trouble_count + group->passed_count + 1) *
				  sizeof(MfEndpoint *));
}

/*
 * Takes the cursors of a group, in its transaction, and sets endpoints aside
 * whose cursor is held.  So it does with one that has got another name, until
 * the news of that has been read.  False: there is nothing left to write.
 */
bool
mf_aside_lock(const MfGroup *group)
{
	MfEndpoint **endpoints = make_list(group);
	int			count = list_endpoints(group, endpoints);
	Datum	   *numbers = palloc((count + 1) * sizeof(Datum));
	bool	   *taken = palloc0(count + 1);
	Datum		list;
	uint64		rows;

	if (count == 0)
		return false;
	for (int i = 0; i < count; i++)
		numbers[i] = Int32GetDatum(endpoints[i]->number);
	list = PointerGetDatum(construct_array(numbers, count, INT4OID, sizeof(int32), true,
										   TYPALIGN_INT));
	rows = mf_plan_run(&lock_plan, &list, NULL);
	for (uint64 row = 0; row < rows; row++)
	{
		Datum		place;
		int			at;

		(void) mf_plan_find(row, 1, &place);
		at = (int) DatumGetInt64(place) - 1;
		taken[at] = strcmp(mf_plan_text(row, 2), endpoints[at]->name) == 0;
	}
	for (int i = 0; i < count; i++)
		if (!taken[i] && !endpoints[i]->dropped)
		{
			endpoints[i]->aside_until = mf_wait_now() + HELD_MS;
			any_aside = true;
		}
	return rows > 0;
}

/* A group has waited in vain for a row of one of its endpoints. */
void
mf_aside_blame(const MfGroup *group)
{
	MfEndpoint **endpoints = make_list(group);
	int			count = list_endpoints(group, endpoints);
	MfEndpoint *first = NULL;
	bool		is_one = true;

	for (int i = 0; i < count; i++)
	{
		if (mf_is_left_out(endpoints[i]))
			continue;
		if (first == NULL)
			first = endpoints[i];
		is_one &= endpoints[i] == first;
		endpoints[i]->alone = any_alone = true;
	}
	if (first != NULL && is_one)
	{
		int64		pause = BLAMED_MS;
		dlist_iter	iter;

		dlist_foreach(iter, &mf_endpoints)
			if (dlist_container(MfEndpoint, node, iter.cur)->aside_until != 0)
			pause += BLAMED_MORE_MS;
		first->aside_until = mf_wait_now() + Min(pause, BLAMED_MAX_MS);
		any_aside = true;
	}
}

/* The endpoint that is to be written by itself now; NULL: none is. */
MfEndpoint *
mf_aside_alone(void)
{
	dlist_iter	iter;

	if (!any_alone)
		return NULL;
	any_alone = false;
	dlist_foreach(iter, &mf_endpoints)
	{
		MfEndpoint *endpoint = dlist_container(MfEndpoint, node, iter.cur);

		if (!endpoint->alone || endpoint->dropped)
			continue;
		any_alone = true;
		if (endpoint->aside_until == 0)
			return endpoint;
	}
	return NULL;
}

void
mf_aside_add(MfDelivery *delivery)
{
	dlist_push_tail(&results, &delivery->record_node);
}

/* Takes results of endpoints that are set aside from a list. */
void
mf_aside_take(dlist_head *ended, int *ended_count)
{
	dlist_mutable_iter iter;

	if (!any_aside)
		return;
	dlist_foreach_modify(iter, ended)
	{
		MfDelivery *delivery = dlist_container(MfDelivery, record_node, iter.cur);

		if (delivery->endpoint->aside_until == 0)
			continue;
		dlist_delete(iter.cur);
		mf_aside_add(delivery);
		(*ended_count)--;
	}
}

/*
 * Ends the pauses that are over, and gives the results of those endpoints
 * back; *until: when the next one is over.  True: a group has to follow at
 * once, before anything is sent; it sets those aside again that are still held.
 */
bool
mf_aside_end(int64 now, dlist_head *ended, int *ended_count, int64 *until)
{
	bool		over = false;
	dlist_iter	at;
	dlist_mutable_iter iter;

	*until = PG_INT64_MAX;
	if (!any_aside)
		return false;
	any_aside = false;
	dlist_foreach(at, &mf_endpoints)
	{
		MfEndpoint *endpoint = dlist_container(MfEndpoint, node, at.cur);

		if (endpoint->aside_until == 0)
			continue;
		if (endpoint->aside_until <= now || endpoint->dropped)
		{
			endpoint->aside_until = 0;
			endpoint->dirty = over = true;
		}
		else
		{
			any_aside = true;
			*until = Min(*until, endpoint->aside_until);
		}
	}
	if (!over)
		return false;
	dlist_foreach_modify(iter, &results)
	{
		MfDelivery *delivery = dlist_container(MfDelivery, record_node, iter.cur);

		if (delivery->endpoint->aside_until != 0)
			continue;
		dlist_delete(iter.cur);
		dlist_push_tail(ended, &delivery->record_node);
		(*ended_count)++;
	}
	return true;
}
