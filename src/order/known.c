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
#include "tables.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

static const MfKey partner_key = {
	"partners", "partners_pkey", 1, {"code"}, {TEXTOID}
};
static const MfKey order_key = {
	"orders", "orders_partner_external_ref_key", 2, {"partner", "external_ref"}, {TEXTOID, TEXTOID}
};
static const MfKey model_key = {
	"_models", "_models_pkey", 1, {"id"}, {UUIDOID}
};
static const MfKey quote_key = {
	"_quotes", "_quotes_pkey", 1, {"id"}, {UUIDOID}
};

static MfPlan known_plan = {
	.sql = "SELECT o.asked_hash, o.asked_due, c.asked_hash, c.erased_at IS NOT NULL, o.number"
	" FROM mesflow.orders o LEFT JOIN mesflow.customers c ON c.order_id OPERATOR(pg_catalog.=) o.id"
	" WHERE o.id OPERATOR(pg_catalog.=) $1",
	.by_index = true,
	.writes = true,
	.arguments = 1,
	.types = {UUIDOID}
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

static void
check_partner(MfSubmission *s)
{
	Datum		active;
	bool		is_null;

	if (mf_key_find(&partner_key, &s->partner, "active", &active, &is_null) && DatumGetBool(active))
		return;
	(void) mf_plan_run(&partner_plan, &s->partner, NULL);	/* raises, or it came
															 * this moment */
}

/* Of the first item: its model's, or that of the quote it was promised by. */
static void
find_correlation(MfSubmission *s)
{
	const MfAskedItem *first = &s->items[0];
	Datum		id = UUIDPGetDatum(first->by_quote ? &first->quote : &first->model);
	Datum		found;
	bool		is_null;

	if (s->traceparent == NULL && s->no_traceparent == NULL &&
		mf_key_find(first->by_quote ? &quote_key : &model_key, &id, "correlation_id", &found, &is_null))
		s->correlation_id = *DatumGetUUIDP(found);
}

/* Is the order that has the reference what is asked for now? */
static void
compare(MfSubmission *s)
{
	Datum		id = UUIDPGetDatum(&s->id);
	Datum		known;
	bool		is_null;
	bool		items;
	bool		customer;
	bool		due;

	if (mf_plan_run(&known_plan, &id, NULL) == 0)
		ereport(ERROR,
				(errcode(MF_ERRCODE_CONFLICT),
				 errmsg("the same order has arrived at the same moment"),
				 errdetail("external_ref \"%s\" was submitted by another transaction, which this one cannot see.",
						   TextDatumGetCString(s->external_ref)),
				 errhint("Submit it again in a new transaction: it returns the order that is there.")));
	is_null = !mf_plan_find(0, 1, &known);
	items = !same_bytes(known, is_null, s->items_hash);
	is_null = !mf_plan_find(0, 2, &known);
	due = is_null ? s->has_due : !s->has_due || DatumGetTimestampTz(known) != s->due_at;
	is_null = !mf_plan_find(0, 3, &known);
	customer = !same_bytes(known, is_null, s->customer_hash);
	(void) mf_plan_find(0, 4, &known);
	if (DatumGetBool(known))
		customer = false;		/* erased: nobody knows any more */
	if (items || customer || due)
		refuse_other(s, id, mf_plan_text(0, 5), items, customer, due);
}

/* Step 2: as of now, whatever the caller's snapshot shows. */
bool
mf_order_known(MfSubmission *s)
{
	Datum		key[MF_KEY_MAX] = {s->partner, s->external_ref};
	Datum		id;
	bool		is_null;

	if (mf_key_find(&order_key, key, "id", &id, &is_null))
	{
		s->id = *DatumGetUUIDP(id);
		compare(s);
		return true;
	}
	return false;
}

void
mf_order_begin(MfSubmission *s)
{
	check_partner(s);
	find_correlation(s);
}
