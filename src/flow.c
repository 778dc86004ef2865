/*
 * flow.c
 *		The statuses of orders and the steps between them, remembered by a
 *		session.
 *
 * Every step asks; the tables hardly ever change.  A statement trigger on
 * each of them sends the same invalidation as a change of the table's shape
 * would, so that all sessions forget what they remember when the change
 * commits, and the changing one when its statement ends or is undone.  They
 * read again with a snapshot of that moment, not with the statement's, which
 * may be older than the change.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "flow.h"
#include "mesflow.h"
#include "miscadmin.h"
#include "tables.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"

typedef struct Step
{
	char		from[NAMEDATALEN];
	char		to[NAMEDATALEN];
	bool		anybody;
	int			roles;
	char	  **role;			/* none and not anybody: mesflow's own */
} Step;

static MemoryContext memory = NULL;
static bool known = false;
static Oid	statuses_table;
static Oid	transitions_table;
static Oid	expectations_table;
static MfStatus *statuses;
static int	status_count;
static Step *steps;
static int	step_count;

/* Columns, in the order of CREATE TABLE. */
enum
{
	STATUS_NAME = 1, STATUS_TERMINAL = 5, STATUS_HOLD, STATUS_CHANGEABLE,
	STATUS_WORKABLE
};
enum
{
	STEP_FROM = 1, STEP_TO, STEP_ROLES
};
enum
{
	EXPECTATION_STATUS = 2
};

static void
forget(Datum arg, Oid relation)
{
	if (relation == InvalidOid || relation == statuses_table ||
		relation == transitions_table || relation == expectations_table)
		known = false;
}

static Datum
column(HeapTuple tuple, Relation relation, int number, bool *is_null)
{
	return heap_getattr(tuple, number, RelationGetDescr(relation), is_null);
}

static void
copy_name(char *name, HeapTuple tuple, Relation relation, int number)
{
	bool		is_null;

	text_to_cstring_buffer(DatumGetTextPP(column(tuple, relation, number, &is_null)),
						   name, NAMEDATALEN);
}

static bool
flag(HeapTuple tuple, Relation relation, int number)
{
	bool		is_null;

	return DatumGetBool(column(tuple, relation, number, &is_null));
}

/*
 * Calls read(tuple, relation) for each row, as of now: a scan without a
 * snapshot of ours takes a new one.
 */
static void
each_row(Oid table, void (*read) (HeapTuple, Relation))
{
	Relation	relation = table_open(table, AccessShareLock);
	SysScanDesc scan = systable_beginscan(relation, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		read(tuple, relation);
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
}

static void *
grow(void *array, int count, size_t size)
{
	/* by powers of two */
	if (count == 0)
		return MemoryContextAlloc(memory, size);
	if ((count & (count - 1)) == 0)
		return repalloc(array, mul_size(mul_size(count, 2), size));
	return array;
}

static void
read_status(HeapTuple tuple, Relation relation)
{
	MfStatus   *status;

	statuses = grow(statuses, status_count, sizeof(MfStatus));
	status = &statuses[status_count++];
	copy_name(status->name, tuple, relation, STATUS_NAME);
	status->terminal = flag(tuple, relation, STATUS_TERMINAL);
	status->hold = flag(tuple, relation, STATUS_HOLD);
	status->changeable = flag(tuple, relation, STATUS_CHANGEABLE);
	status->workable = flag(tuple, relation, STATUS_WORKABLE);
	status->expects = false;
}

static void
read_step(HeapTuple tuple, Relation relation)
{
	bool		is_null;
	Datum		roles = column(tuple, relation, STEP_ROLES, &is_null);
	Step	   *step;

	steps = grow(steps, step_count, sizeof(Step));
	step = &steps[step_count++];
	copy_name(step->from, tuple, relation, STEP_FROM);
	copy_name(step->to, tuple, relation, STEP_TO);
	step->anybody = is_null;
	step->roles = 0;
	if (!is_null)
	{
		MemoryContext caller = MemoryContextSwitchTo(memory);
		Datum	   *role;

		deconstruct_array(DatumGetArrayTypeP(roles), TEXTOID, -1, false,
						  TYPALIGN_INT, &role, NULL, &step->roles);
		step->role = palloc(step->roles * sizeof(char *));
		for (int i = 0; i < step->roles; i++)
			step->role[i] = TextDatumGetCString(role[i]);
		MemoryContextSwitchTo(caller);
	}
}

static void
read_expectation(HeapTuple tuple, Relation relation)
{
	char		name[NAMEDATALEN];

	copy_name(name, tuple, relation, EXPECTATION_STATUS);
	for (int i = 0; i < status_count; i++)
		if (strcmp(statuses[i].name, name) == 0)
			statuses[i].expects = true;
}

static void
learn(void)
{
	static bool registered = false;

	if (known)
		return;
	if (!registered)
	{
		CacheRegisterRelcacheCallback(forget, (Datum) 0);
		registered = true;
	}
	if (memory == NULL)
		memory = AllocSetContextCreate(TopMemoryContext, "mesflow order flow",
									   ALLOCSET_SMALL_SIZES);
	MemoryContextReset(memory);
	status_count = step_count = 0;
	statuses_table = mf_relation("order_statuses");
	transitions_table = mf_relation("order_transitions");
	expectations_table = mf_relation("expectations");

	/* Invalidations that arrive from here on are about what comes later. */
	known = true;
	PG_TRY();
	{
		each_row(statuses_table, read_status);
		each_row(transitions_table, read_step);
		each_row(expectations_table, read_expectation);
	}
	PG_CATCH();
	{
		known = false;
		PG_RE_THROW();
	}
	PG_END_TRY();
}

/*
 * Opening a table may have processed an invalidation that makes what was
 * read before it old: then once more.
 */
static void
learn_all(void)
{
	do
		learn();
	while (!known);
}

const MfStatus *
mf_flow_status(const char *name)
{
	learn_all();
	for (int i = 0; i < status_count; i++)
		if (strcmp(statuses[i].name, name) == 0)
			return &statuses[i];
	return NULL;
}

Datum
mf_flow_workable(void)
{
	Datum	   *names;
	int			count = 0;

	learn_all();
	names = palloc(Max(status_count, 1) * sizeof(Datum));
	for (int i = 0; i < status_count; i++)
		if (statuses[i].workable)
			names[count++] = CStringGetTextDatum(statuses[i].name);
	return PointerGetDatum(construct_array(names, count, TEXTOID, -1, false, TYPALIGN_INT));
}

static bool
may(const Step *step)
{
	for (int i = 0; i < step->roles; i++)
	{
		Oid			role = get_role_oid(step->role[i], true);

		if (OidIsValid(role) && has_privs_of_role(GetOuterUserId(), role))
			return true;
	}
	return false;
}

/* ours: the step follows from prices, and nobody makes it. */
MfFlowAnswer
mf_flow_step(const char *from, const char *to, bool ours)
{
	learn_all();
	for (int i = 0; i < step_count; i++)
	{
		if (strcmp(steps[i].from, from) != 0 || strcmp(steps[i].to, to) != 0)
			continue;
		if (ours || steps[i].anybody || may(&steps[i]))
			return MF_FLOW_ALLOWED;
		return steps[i].roles == 0 ? MF_FLOW_OURS : MF_FLOW_NO_ROLE;
	}
	return MF_FLOW_NO_STEP;
}

static void
append(StringInfo list, const char *name)
{
	if (list->len > 0)
		appendStringInfoString(list, ", ");
	appendStringInfoString(list, name);
}

char *
mf_flow_next(const char *from)
{
	StringInfoData list;

	learn_all();
	initStringInfo(&list);
	for (int i = 0; i < step_count; i++)
		if (strcmp(steps[i].from, from) == 0 && (steps[i].anybody || steps[i].roles > 0))
			append(&list, steps[i].to);
	return list.len > 0 ? list.data : pstrdup("nowhere");
}

char *
mf_flow_statuses(void)
{
	StringInfoData list;

	learn_all();
	initStringInfo(&list);
	for (int i = 0; i < status_count; i++)
		append(&list, statuses[i].name);
	return list.data;
}
