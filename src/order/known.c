/*
 * known.c
 *		The same order again: known by its reference, compared by what was
 *		asked for first.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mesflow.h"
#include "plan.h"
#include "submit.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

static MfPlan known_plan = {
	.sql = "SELECT p.active, o.id, o.asked_hash, o.asked_due, c.asked_hash, c.erased_at IS NOT NULL, o.number,"
	" coalesce((SELECT m.correlation_id FROM mesflow._models m WHERE m.id OPERATOR(pg_catalog.=) $3),"
	" (SELECT q.correlation_id FROM mesflow._quotes q WHERE q.id OPERATOR(pg_catalog.=) $4))"
	" FROM mesflow.partners p"
	" LEFT JOIN mesflow.orders o ON o.partner OPERATOR(pg_catalog.=) p.code AND o.external_ref OPERATOR(pg_catalog.=) $2"
	" LEFT JOIN mesflow.customers c ON c.order_id OPERATOR(pg_catalog.=) o.id"
	" WHERE p.code OPERATOR(pg_catalog.=) $1",
	.by_index = true,
	.writes = true,
	.arguments = 4,
	.types = {TEXTOID, TEXTOID, UUIDOID, UUIDOID}
};

/* Says what is wrong with a partner. */
static MfPlan partner_plan = {
	.sql = "SELECT mesflow._partner($1)",
	.by_index = true,
	.arguments = 1,
	.types = {TEXTOID}
};

static MfPlan difference_plan = {
	.sql = "SELECT mesflow._order_difference($1, $2, $3)",
	.by_index = true,
	.arguments = 3,
	.types = {UUIDOID, JSONBOID, JSONBOID}
};

static bool
same_bytes(Datum stored, bool is_null, const bytea *asked)
{
	bytea	   *known;

	if (is_null || asked == NULL)
		return is_null && asked == NULL;
	known = DatumGetByteaPP(stored);
	return VARSIZE_ANY_EXHDR(known) == VARSIZE_ANY_EXHDR(asked) &&
		memcmp(VARDATA_ANY(known), VARDATA_ANY(asked), VARSIZE_ANY_EXHDR(asked)) == 0;
}

static void
refuse_other(MfSubmission *s, Datum id, const char *number, bool items, bool customer, bool due)
{
	StringInfoData detail;
	Datum		values[3];
	char		nulls[4] = "   ";
	char	   *where;

	values[0] = id;
	values[1] = items ? JsonbPGetDatum(s->items_json) : (Datum) 0;
	nulls[1] = items ? ' ' : 'n';
	values[2] = customer && s->customer_json != NULL ? JsonbPGetDatum(s->customer_json) : (Datum) 0;
	nulls[2] = customer && s->customer_json != NULL ? ' ' : 'n';
	(void) mf_plan_run(&difference_plan, values, nulls);
	where = mf_plan_text(0, 1);

	initStringInfo(&detail);
	if (where != NULL && where[0] != '\0')
		appendStringInfo(&detail, " %s.", where);
	if (customer && s->customer_json == NULL)
		appendStringInfoString(&detail, " customer was given and is not any more.");
	if (due)
		appendStringInfoString(&detail, " due_at differs.");
	if (detail.len == 0)
		appendStringInfoString(&detail, items ? " items differ from those first asked for." :
							   " customer differs from the one first given.");
	ereport(ERROR,
			(errcode(MF_ERRCODE_CONFLICT),
			 errmsg("this reference is another order's"),
			 errdetail("external_ref \"%s\" is order %s, which was asked for otherwise:%s",
					   TextDatumGetCString(s->external_ref), number, detail.data),
			 errhint("Use a new reference for a new order; change this one with mesflow.change_order.")));
}

/*
 * Step 2: the order that is there under this reference, in s->id; false where
 * there is none.
 */
bool
mf_order_known(MfSubmission *s)
{
	const MfAskedItem *first = &s->items[0];
	Datum		values[4] = {s->partner, s->external_ref, UUIDPGetDatum(&first->model), UUIDPGetDatum(&first->quote)};
	bool		is_null;
	Datum		id;
	Datum		known;
	bool		items;
	bool		customer;
	bool		due;

	if (mf_plan_run(&known_plan, values, first->by_quote ? "  n " : "   n") == 0)
	{
		(void) mf_plan_run(&partner_plan, values, NULL);
		elog(ERROR, "a partner is there and is not there");
	}
	is_null = !mf_plan_find(0, 2, &id);
	if (is_null)
	{
		if (mf_plan_find(0, 8, &known))
			s->correlation_id = *DatumGetUUIDP(known);
		(void) mf_plan_find(0, 1, &known);
		if (!DatumGetBool(known))
			(void) mf_plan_run(&partner_plan, values, NULL);
		return false;
	}
	s->id = *DatumGetUUIDP(id);

	is_null = !mf_plan_find(0, 3, &known);
	items = !same_bytes(known, is_null, s->items_hash);
	is_null = !mf_plan_find(0, 4, &known);
	due = is_null ? s->has_due : !s->has_due || DatumGetTimestampTz(known) != s->due_at;
	is_null = !mf_plan_find(0, 5, &known);
	customer = !same_bytes(known, is_null, s->customer_hash);
	is_null = !mf_plan_find(0, 6, &known);
	if (DatumGetBool(known))
		customer = false;		/* erased: nobody knows any more */
	if (items || customer || due)
		refuse_other(s, UUIDPGetDatum(&s->id), mf_plan_text(0, 7), items, customer, due);
	return true;
}
