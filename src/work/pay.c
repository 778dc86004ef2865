/*
 * pay.c
 *		What operators have done, by day and shift.
 *
 * A session remembers the shifts, and reads them again after a change: see
 * _rows_changed().
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "guc.h"
#include "plan.h"
#include "tables.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "work.h"

PG_FUNCTION_INFO_V1(mesflow_pay_day);

typedef struct Shift
{
	const char *code;
	TimeADT		starts;
	TimeADT		ends;			/* more than a day: on the next */
	int			days;			/* bit n: ISO day n of the week */
} Shift;

static MemoryContext memory = NULL;
static Oid	table = InvalidOid;
static Shift *shifts;
static int	shift_count;

/* How often the table has changed, and what of that has been read. */
static uint64 changes = 1;
static uint64 changes_read = 0;

/* The columns of shifts, in the order of its CREATE TABLE. */
enum
{
	COL_CODE,
	COL_STARTS,
	COL_ENDS,
	COL_DAYS,
	COLUMNS
};
static const char *const columns[COLUMNS] = {"code", "starts", "ends", "days"};

static MfPlan count_plan = {
	.sql = "INSERT INTO mesflow.dashboard_operators AS d (day, shift, operator,"
	" process, operation, claimed, finished, good, scrap, busy, as_of)"
	" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, pg_catalog.clock_timestamp())"
	" ON CONFLICT ON CONSTRAINT dashboard_operators_key DO UPDATE SET"
	" claimed = d.claimed OPERATOR(pg_catalog.+) excluded.claimed,"
	" finished = d.finished OPERATOR(pg_catalog.+) excluded.finished,"
	" good = d.good OPERATOR(pg_catalog.+) excluded.good,"
	" scrap = d.scrap OPERATOR(pg_catalog.+) excluded.scrap,"
	" busy = d.busy OPERATOR(pg_catalog.+) excluded.busy,"
	" as_of = pg_catalog.clock_timestamp()",
	.writes = true,
	.arguments = 10,
	.types = {DATEOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT8OID, INT8OID, INT8OID, INT8OID, INTERVALOID}
};

/* ---- shifts --------------------------------------------------------------- */

static void
forget(Datum arg, Oid relation)
{
	if (relation == InvalidOid || relation == table)
		changes++;
}

static int
day_bits(Datum days)
{
	Datum	   *day;
	int			count;
	int			bits = 0;

	deconstruct_array(DatumGetArrayTypeP(days), INT4OID, sizeof(int32), true,
					  TYPALIGN_INT, &day, NULL, &count);
	for (int i = 0; i < count; i++)
		bits |= 1 << DatumGetInt32(day[i]);
	return bits;
}

/* In `memory`, which is the current memory context. */
static void
add_shift(Relation relation, HeapTuple tuple)
{
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS];
	Shift	   *shift;

	mf_columns_open(relation, tuple, COLUMNS, values, nulls);
	shifts = shift_count == 0 ? palloc(sizeof(Shift)) :
		repalloc(shifts, mul_size(shift_count + 1, sizeof(Shift)));
	shift = &shifts[shift_count];
	shift->code = TextDatumGetCString(values[COL_CODE]);
	shift->starts = DatumGetTimeADT(values[COL_STARTS]);
	shift->ends = DatumGetTimeADT(values[COL_ENDS]);
	if (shift->ends < shift->starts)
		shift->ends += USECS_PER_DAY;
	shift->days = day_bits(values[COL_DAYS]);
	shift_count++;
}

/* As of now, not of the statement's snapshot, which may be older than a change. */
static void
read_shifts(void)
{
	static Oid	checked = InvalidOid;
	MemoryContext caller;
	Relation	relation;
	SysScanDesc scan;
	HeapTuple	tuple;

	MemoryContextReset(memory);
	shift_count = 0;
	table = mf_relation("shifts");
	relation = table_open(table, AccessShareLock);
	mf_columns_check(relation, columns, COLUMNS, &checked);
	scan = systable_beginscan(relation, InvalidOid, false, NULL, 0, NULL);
	caller = MemoryContextSwitchTo(memory);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		add_shift(relation, tuple);
	MemoryContextSwitchTo(caller);
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
}

static void
learn(void)
{
	if (memory == NULL)
	{
		memory = AllocSetContextCreate(TopMemoryContext, "mesflow shifts",
									   ALLOCSET_SMALL_SIZES);
		CacheRegisterRelcacheCallback(forget, (Datum) 0);
	}

	/* As taking a lock would do, and who remembers takes none. */
	AcceptInvalidationMessages();

	/* Opening the table may tell of a change that is not in yet: once more. */
	while (changes_read != changes)
	{
		uint64		reading = changes;

		read_shifts();
		changes_read = reading;
	}
}

/* ---- the day ---------------------------------------------------------------- */

static int
iso_day(DateADT day)
{
	int			sunday_first = j2day(day + POSTGRES_EPOCH_JDATE);

	return sunday_first == 0 ? 7 : sunday_first;
}

/* The shift's name is in the current memory context. */
MfPayDay
mf_pay_day(TimestampTz at)
{
	struct pg_tm tm;
	fsec_t		fsec;
	int			offset;
	DateADT		today;
	TimeADT		time;
	const Shift *best = NULL;
	TimeOffset	best_began = 0; /* since midnight of today, like time */
	DateADT		best_day = 0;

	if (TIMESTAMP_NOT_FINITE(at) ||
		timestamp2tm(at, &offset, &tm, &fsec, NULL, mf_guc_zone()) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	today = date2j(tm.tm_year, tm.tm_mon, tm.tm_mday) - POSTGRES_EPOCH_JDATE;
	time = ((tm.tm_hour * MINS_PER_HOUR + tm.tm_min) * SECS_PER_MINUTE + tm.tm_sec) *
		USECS_PER_SEC + fsec;

	learn();
	for (int ago = 0; ago <= 1; ago++)
	{
		TimeOffset	since = time + ago * USECS_PER_DAY;
		int			day_bit = 1 << iso_day(today - ago);

		for (int i = 0; i < shift_count; i++)
		{
			const Shift *shift = &shifts[i];
			TimeOffset	began = shift->starts - ago * USECS_PER_DAY;

			if ((shift->days & day_bit) == 0 ||
				since < shift->starts || since >= shift->ends)
				continue;
			if (best == NULL || began > best_began ||
				(began == best_began && strcmp(shift->code, best->code) < 0))
			{
				best = shift;
				best_began = began;
				best_day = today - ago;
			}
		}
	}
	if (best == NULL)
		return (MfPayDay)
	{
		today, NULL
	};
	return (MfPayDay)
	{
		best_day, pstrdup(best->code)
	};
}

PGDLLEXPORT Datum
mesflow_pay_day(PG_FUNCTION_ARGS)
{
	MfPayDay	day = mf_pay_day(PG_GETARG_TIMESTAMPTZ(0));
	Datum		values[2] = {DateADTGetDatum(day.day)};
	bool		nulls[2] = {false, day.shift == NULL};
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (day.shift != NULL)
		values[1] = CStringGetTextDatum(day.shift);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* ---- counting --------------------------------------------------------------- */

typedef struct Count
{
	const MfPayDay *day;
	const MfPay *pay;
} Count;

static void
run_count(void *arg)
{
	const MfPayDay *day = ((Count *) arg)->day;
	const MfPay *pay = ((Count *) arg)->pay;
	Interval	busy = {.time = pay->busy};
	char		nulls[] = "          ";
	Datum		values[] = {
		DateADTGetDatum(day->day),
		(Datum) 0,
		CStringGetTextDatum(pay->operator_code),
		CStringGetTextDatum(pay->process),
		CStringGetTextDatum(pay->operation),
		Int64GetDatum(pay->claimed),
		Int64GetDatum(pay->finished),
		Int64GetDatum(pay->good),
		Int64GetDatum(pay->scrap),
		IntervalPGetDatum(&busy)
	};

	if (day->shift != NULL)
		values[1] = CStringGetTextDatum(day->shift);
	else
		nulls[1] = 'n';
	mf_spi_connect();
	(void) mf_plan_run(&count_plan, values, nulls);
	SPI_finish();
}

void
mf_pay_count(const MfPayDay *day, const MfPay *pay)
{
	Count		count = {day, pay};

	mf_as_owner(run_count, &count);
}
