/*
 * calls.c
 *		The SQL functions that the pricing worker calls.
 *
 * Each call is one short transaction.  Plans are made once and kept for the
 * life of the process; where the extension was dropped and made again, the
 * process ends before it could use one (see worker.c).
 */
#include "postgres.h"

#include <errno.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "mesflow.h"
#include "pricing.h"
#include "utils/array.h"
#include "utils/builtins.h"

#define MAX_SECRET		64

static MfStatement is_copy_statement = {
	.sql = "SELECT mesflow._is_copy()",
	.arguments = 0
};
static MfStatement register_statement = {
	.sql = "SELECT node, secret,"
	" (extract(epoch FROM lease) * 1000)::bigint,"
	" (extract(epoch FROM poll) * 1000)::bigint"
	" FROM mesflow._server_register($1, $2, $3)",
	.arguments = 3,
	.types = {TEXTOID, INT4OID, TEXTOID}
};
static MfStatement settings_statement = {
	.sql = "SELECT mesflow._server_settings($1, $2, $3, $4)",
	.arguments = 4,
	.types = {INT4OID, BYTEAOID, TEXTOID, INT4OID}
};
static MfStatement claim_statement = {
	.sql = "SELECT job, token, unit, size_bytes,"
	" params->>'name',"
	" (params->>'memory_mb')::bigint,"
	" (params->>'max_triangles')::bigint,"
	" (params->>'cpu_seconds')::bigint,"
	" (params->>'alone')::boolean,"
	" (extract(epoch FROM deadline) * 1000)::bigint"
	" FROM mesflow.claim_jobs($1, $2, $3)",
	.arguments = 3,
	.types = {INT4OID, BYTEAOID, INT4OID}
};
static MfStatement more_statement = {
	.sql = "SELECT mesflow._more_jobs()",
	.arguments = 0
};
static MfStatement content_statement = {
	.sql = "SELECT mesflow.job_content($1, $2, $3, $4, $5, $6)",
	.arguments = 6,
	.types = {INT4OID, BYTEAOID, INT8OID, INT8OID, INT8OID, INT4OID}
};
static MfStatement heartbeat_statement = {
	.sql = "SELECT job, verdict FROM mesflow.heartbeat($1, $2, $3, $4, $5, $6)",
	.arguments = 6,
	.types = {INT4OID, BYTEAOID, INT8ARRAYOID, INT8ARRAYOID, INT4ARRAYOID,
	TEXTARRAYOID}
};
static MfStatement complete_statement = {
	.sql = "SELECT job, accepted"
	" FROM mesflow.complete_jobs($1, $2, $3, $4, $5::jsonb[], $6, $7)",
	.arguments = 7,
	.types = {INT4OID, BYTEAOID, INT8ARRAYOID, INT8ARRAYOID, TEXTARRAYOID,
	INT8ARRAYOID, BYTEAARRAYOID}
};
static MfStatement fail_statement = {
	.sql = "SELECT mesflow.fail_job($1, $2, $3, $4, $5, $6)",
	.arguments = 6,
	.types = {INT4OID, BYTEAOID, INT8OID, INT8OID, TEXTOID, TEXTOID}
};
static MfStatement release_statement = {
	.sql = "SELECT mesflow.release_jobs($1, $2, $3, $4)",
	.arguments = 4,
	.types = {INT4OID, BYTEAOID, INT8ARRAYOID, INT8ARRAYOID}
};
static MfStatement sweep_statement = {
	.sql = "SELECT mesflow._sweep_jobs()",
	.arguments = 0
};

/* Our registration: the first two arguments of most calls. */
static int32 node;
static union
{
	bytea		value;
	char		room[VARHDRSZ + MAX_SECRET];
}			secret;

static bool node_is_unknown = false;

/*
 * Runs a statement inside work(); leaves its rows in SPI_tuptable, as many as
 * expected, or any number where that is negative.
 */
void
mf_call_run(MfStatement *statement, Datum *values, int expected_rows)
{
	int			code;

	if (statement->plan == NULL)
	{
		SPIPlanPtr	plan = SPI_prepare(statement->sql, statement->arguments,
									   statement->types);

		if (plan == NULL)
			elog(ERROR, "SPI_prepare failed: %s",
				 SPI_result_code_string(SPI_result));
		SPI_keepplan(plan);
		statement->plan = plan;
	}

	code = SPI_execute_plan(statement->plan, values, NULL, false, 0);
	if (code != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_plan failed: %s",
			 SPI_result_code_string(code));
	if (expected_rows >= 0 && SPI_processed != (uint64) expected_rows)
		ereport(ERROR,
				(errcode(ERRCODE_CARDINALITY_VIOLATION),
				 errmsg("a function of mesflow returned " UINT64_FORMAT
						" rows instead of %d", SPI_processed, expected_rows),
				 errdetail("The statement is: %s", statement->sql)));
}

/* Column `column` (from 1) of row `row` (from 0). */
static Datum
field(uint64 row, int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc,
						 column, isnull);
}

static int64
field_int64(uint64 row, int column, int64 otherwise)
{
	bool		isnull;
	Datum		value = field(row, column, &isnull);

	return isnull ? otherwise : DatumGetInt64(value);
}

static bool
field_bool(uint64 row, int column)
{
	bool		isnull;
	Datum		value = field(row, column, &isnull);

	return !isnull && DatumGetBool(value);
}

static Datum
int64_array(Datum *values, int count)
{
	return PointerGetDatum(construct_array(values, count, INT8OID, 8,
										   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

static Datum
int32_array(Datum *values, int count)
{
	return PointerGetDatum(construct_array(values, count, INT4OID, 4,
										   true, TYPALIGN_INT));
}

static Datum
text_array(Datum *values, int count)
{
	return PointerGetDatum(construct_array(values, count, TEXTOID, -1,
										   false, TYPALIGN_INT));
}

/* A call; notes where the database does not know us any more. */
static MfTry
call(const char *unit, void (*work) (void *), void *arg)
{
	MfTry		outcome = mf_worker_try(unit, work, arg);

	if (outcome == MF_TRY_FAILED &&
		mf_worker_failure()->sqlstate == MF_ERRCODE_NOT_FOUND)
		node_is_unknown = true;
	return outcome;
}

/* Did a call find our registration gone?  Until the next registration. */
bool
mf_call_node_is_unknown(void)
{
	return node_is_unknown;
}

/* ---- is this database a copy? ---- */

static void
is_copy_work(void *arg)
{
	mf_call_run(&is_copy_statement, NULL, 1);
	*(bool *) arg = field_bool(0, 1);
}

MfTry
mf_call_is_copy(bool *copy)
{
	return call("looking whether the database is a copy", is_copy_work, copy);
}

/* ---- registering ---- */

typedef struct MfRegistration
{
	const char *name;
	int			slots;
	int64		lease_ms;
	int64		poll_ms;
} MfRegistration;

static void
register_work(void *arg)
{
	MfRegistration *registration = arg;
	Datum		values[3];
	bytea	   *fresh;
	bool		isnull;

	values[0] = CStringGetTextDatum(registration->name);
	values[1] = Int32GetDatum(registration->slots);
	values[2] = CStringGetTextDatum(MF_VERSION);
	mf_call_run(&register_statement, values, 1);

	node = DatumGetInt32(field(0, 1, &isnull));
	fresh = DatumGetByteaPP(field(0, 2, &isnull));
	if (isnull || VARSIZE_ANY_EXHDR(fresh) > MAX_SECRET)
		elog(ERROR, "the secret of a registration is not valid");
	memcpy(VARDATA(&secret.value), VARDATA_ANY(fresh),
		   VARSIZE_ANY_EXHDR(fresh));
	SET_VARSIZE(&secret.value, VARHDRSZ + VARSIZE_ANY_EXHDR(fresh));
	registration->lease_ms = field_int64(0, 3, 30000);
	registration->poll_ms = field_int64(0, 4, 1000);
}

MfTry
mf_call_register(const char *name, int slots, int64 *lease_ms, int64 *poll_ms)
{
	MfRegistration registration = {name, slots, 0, 0};
	MfTry		outcome = call("registering", register_work, &registration);

	if (outcome == MF_TRY_DONE)
	{
		node_is_unknown = false;
		*lease_ms = Max(registration.lease_ms, 1000);
		*poll_ms = Max(registration.poll_ms, 100);
	}
	return outcome;
}

static void
set_node(Datum *values)
{
	values[0] = Int32GetDatum(node);
	values[1] = PointerGetDatum(&secret);
}

typedef struct MfSettings
{
	const char *name;
	int			slots;
} MfSettings;

static void
settings_work(void *arg)
{
	MfSettings *settings = arg;
	Datum		values[4];

	set_node(values);
	values[2] = CStringGetTextDatum(settings->name);
	values[3] = Int32GetDatum(settings->slots);
	mf_call_run(&settings_statement, values, 1);
}

/* Changes the name and slots of our registration. */
MfTry
mf_call_settings(const char *name, int slots)
{
	MfSettings	settings = {name, slots};

	return call("telling new settings", settings_work, &settings);
}

/* ---- claiming ---- */

typedef struct MfClaiming
{
	int			limit;
	MfClaim    *claims;
	int			count;
} MfClaiming;

/*
 * The file's name is a hint for its format, which its end tells: keep that,
 * from the beginning of a character on.
 */
static void
copy_name(char *to, size_t size, const char *from)
{
	size_t		length = strlen(from);

	if (length >= size)
	{
		from += length - (size - 1);
		while (((unsigned char) *from & 0xC0) == 0x80)
			from++;
	}
	strlcpy(to, from, size);
}

static void
claim_work(void *arg)
{
	MfClaiming *claiming = arg;
	Datum		values[3];

	set_node(values);
	values[2] = Int32GetDatum(claiming->limit);
	mf_call_run(&claim_statement, values, -1);
	if (SPI_processed > (uint64) claiming->limit)
		elog(ERROR, "claim_jobs returned more jobs than asked for");

	for (uint64 row = 0; row < SPI_processed; row++)
	{
		MfClaim    *claim = &claiming->claims[row];
		char	   *unit = SPI_getvalue(SPI_tuptable->vals[row],
										SPI_tuptable->tupdesc, 3);
		char	   *name = SPI_getvalue(SPI_tuptable->vals[row],
										SPI_tuptable->tupdesc, 5);
		int64		memory_mb = field_int64(row, 6, mf_guc_pricing_memory);
		int64		seconds = field_int64(row, 8, mf_guc_pricing_timeout);

		claim->job = field_int64(row, 1, 0);
		claim->token = field_int64(row, 2, 0);
		claim->unit = unit ? mf_unit_by_name(unit) : MF_UNIT_NONE;
		claim->size = (uint64) Max(field_int64(row, 4, 0), 0);
		copy_name(claim->name, sizeof(claim->name), name ? name : "");
		claim->memory_limit = (uint64) Max(memory_mb, 1) * 1024 * 1024;
		claim->max_triangles =
			(uint64) Max(field_int64(row, 7, mf_guc_max_triangles), 1);
		claim->cpu_seconds = (uint32) Min(Max(seconds, 1), INT_MAX);
		claim->alone = field_bool(row, 9);
		claim->deadline_ms =
			Max(field_int64(row, 10, 2000 * (int64) mf_guc_pricing_timeout), 1);
	}
	claiming->count = (int) SPI_processed;
}

/* Claims up to `limit` jobs into claims[]. */
MfTry
mf_call_claim(int limit, MfClaim *claims, int *count)
{
	MfClaiming	claiming = {limit, claims, 0};
	MfTry		outcome = call("claiming jobs", claim_work, &claiming);

	*count = outcome == MF_TRY_DONE ? claiming.count : 0;
	return outcome;
}

static void
more_work(void *arg)
{
	mf_call_run(&more_statement, NULL, 1);
	*(bool *) arg = field_bool(0, 1);
}

/* After a claim that returned fewer than asked: is there more to look at? */
MfTry
mf_call_more(bool *more)
{
	return call("looking for more jobs", more_work, more);
}

/* ---- reading ---- */

typedef struct MfReading
{
	const MfClaim *claim;
	uint64		at;
	int			length;
	int			memfd;
	MfContent	content;
	uint64		got;
} MfReading;

static void
content_work(void *arg)
{
	MfReading  *reading = arg;
	Datum		values[6];
	Datum		value;
	bool		isnull;
	bytea	   *bytes;

	set_node(values);
	values[2] = Int64GetDatum(reading->claim->job);
	values[3] = Int64GetDatum(reading->claim->token);
	values[4] = Int64GetDatum((int64) reading->at);
	values[5] = Int32GetDatum(reading->length);
	mf_call_run(&content_statement, values, 1);

	value = field(0, 1, &isnull);
	if (isnull)
	{
		reading->content = MF_CONTENT_LOST;
		return;
	}
	bytes = DatumGetByteaPP(value);
	reading->got = VARSIZE_ANY_EXHDR(bytes);
	if (reading->got == 0)
		reading->content = MF_CONTENT_SHORT;
	else if (reading->got > (uint64) reading->length)
		elog(ERROR, "job_content returned more bytes than asked for");
	else if (mf_memfd_write(reading->memfd, reading->at, VARDATA_ANY(bytes),
							reading->got))
		reading->content = MF_CONTENT_GOT;
	else
		reading->content = MF_CONTENT_NO_ROOM;
}

/* Copies up to `length` bytes of a claimed model, from `at` on, to memfd. */
MfTry
mf_call_content(const MfClaim *claim, uint64 at, int length, int memfd,
				MfContent *content, uint64 *got)
{
	MfReading	reading = {claim, at, length, memfd, MF_CONTENT_LOST, 0};
	char		unit[64];
	MfTry		outcome;

	snprintf(unit, sizeof(unit), "reading the model of job " INT64_FORMAT,
			 claim->job);
	outcome = call(unit, content_work, &reading);
	*content = reading.content;
	*got = reading.got;
	return outcome;
}

/* ---- heartbeat and outcomes ---- */

typedef struct MfGroup
{
	MfOutcome  *jobs;
	int			count;
} MfGroup;

/* The arrays of jobs and of tokens, as arguments 3 and 4. */
static void
set_jobs(Datum *values, const MfOutcome *jobs, int count)
{
	Datum	   *numbers = palloc(Max(count, 1) * sizeof(Datum));

	for (int i = 0; i < count; i++)
		numbers[i] = Int64GetDatum(jobs[i].job);
	values[2] = int64_array(numbers, count);
	for (int i = 0; i < count; i++)
		numbers[i] = Int64GetDatum(jobs[i].token);
	values[3] = int64_array(numbers, count);
}

static Datum
texts_of(const MfOutcome *jobs, int count)
{
	Datum	   *texts = palloc(Max(count, 1) * sizeof(Datum));

	for (int i = 0; i < count; i++)
		texts[i] = CStringGetTextDatum(jobs[i].text);
	return text_array(texts, count);
}

static void
heartbeat_work(void *arg)
{
	MfGroup    *group = arg;
	Datum		values[6];
	Datum	   *percents = palloc(Max(group->count, 1) * sizeof(Datum));

	set_node(values);
	set_jobs(values, group->jobs, group->count);
	for (int i = 0; i < group->count; i++)
		percents[i] = Int32GetDatum(group->jobs[i].percent);
	values[4] = int32_array(percents, group->count);
	values[5] = texts_of(group->jobs, group->count);
	mf_call_run(&heartbeat_statement, values, group->count);

	/* The answer is in the order of the question; where not, look. */
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		int64		job = field_int64(row, 1, 0);
		char	   *verdict = SPI_getvalue(SPI_tuptable->vals[row],
										   SPI_tuptable->tupdesc, 2);
		int			i = (int) row;

		if (group->jobs[i].job != job)
		{
			for (i = 0; i < group->count && group->jobs[i].job != job; i++)
				continue;
		}
		if (i < group->count)
			group->jobs[i].verdict = verdict && strcmp(verdict, "ok") == 0 ?
				MF_VERDICT_OK : MF_VERDICT_STOP;
	}
}

/* Extends our lease, tells how far jobs are, and asks which are to go on. */
MfTry
mf_call_heartbeat(MfOutcome *jobs, int count)
{
	MfGroup		group = {jobs, count};

	return call("sending a heartbeat", heartbeat_work, &group);
}

/* The pictures of all, and the job of each, as two arrays. */
static void
set_pictures(Datum *values, const MfOutcome *jobs, int count)
{
	Datum	   *numbers = palloc((count * MF_PICTURE_COUNT + 1) * sizeof(Datum));
	Datum	   *pictures = palloc((count * MF_PICTURE_COUNT + 1) * sizeof(Datum));
	int			all = 0;

	for (int i = 0; i < count; i++)
		for (int k = 0; k < jobs[i].picture_count; k++)
		{
			numbers[all] = Int64GetDatum(jobs[i].job);
			pictures[all++] = PointerGetDatum(jobs[i].pictures[k]);
		}
	values[0] = int64_array(numbers, all);
	values[1] = PointerGetDatum(construct_array(pictures, all, BYTEAOID, -1,
												false, TYPALIGN_INT));
}

static void
complete_work(void *arg)
{
	MfGroup    *group = arg;
	Datum		values[7];

	set_node(values);
	set_jobs(values, group->jobs, group->count);
	values[4] = texts_of(group->jobs, group->count);
	set_pictures(&values[5], group->jobs, group->count);
	mf_call_run(&complete_statement, values, -1);
}

/*
 * Records measurements.  A job that is no longer ours is not accepted, which
 * is the database's business and not ours.
 */
MfTry
mf_call_complete(const MfOutcome *jobs, int count)
{
	MfGroup		group = {unconstify(MfOutcome *, jobs), count};
	char		unit[64];

	if (count == 1)
		snprintf(unit, sizeof(unit), "recording job " INT64_FORMAT,
				 jobs[0].job);
	else
		snprintf(unit, sizeof(unit), "recording %d jobs", count);
	return call(unit, complete_work, &group);
}

typedef struct MfFailing
{
	const MfClaim *claim;
	const char *code;
	const char *reason;
} MfFailing;

static void
fail_work(void *arg)
{
	MfFailing  *failing = arg;
	Datum		values[6];

	set_node(values);
	values[2] = Int64GetDatum(failing->claim->job);
	values[3] = Int64GetDatum(failing->claim->token);
	values[4] = CStringGetTextDatum(failing->code);
	values[5] = CStringGetTextDatum(failing->reason);
	mf_call_run(&fail_statement, values, 1);
}

/* Reports that a job could not be done. */
MfTry
mf_call_fail(const MfClaim *claim, const char *code, const char *reason)
{
	MfFailing	failing = {claim, code, reason};
	char		unit[64];

	snprintf(unit, sizeof(unit), "reporting the failure of job " INT64_FORMAT,
			 claim->job);
	return call(unit, fail_work, &failing);
}

static void
release_work(void *arg)
{
	const MfClaim *claim = arg;
	MfOutcome	job;
	Datum		values[4];

	memset(&job, 0, sizeof(job));
	job.job = claim->job;
	job.token = claim->token;
	set_node(values);
	set_jobs(values, &job, 1);
	mf_call_run(&release_statement, values, 1);
}

/* Gives a job back uncharged. */
MfTry
mf_call_release(const MfClaim *claim)
{
	return call("releasing a job", release_work, unconstify(MfClaim *, claim));
}

static void
sweep_work(void *arg)
{
	bool		isnull;

	mf_call_run(&sweep_statement, NULL, 1);
	*(int *) arg = DatumGetInt32(field(0, 1, &isnull));
}

/* The queue's own upkeep; how many jobs it moved. */
MfTry
mf_call_sweep(int *moved)
{
	return call("sweeping the queue", sweep_work, moved);
}
