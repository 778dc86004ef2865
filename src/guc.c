/*
 * guc.c
 *		The settings of mesflow, in alphabetical order.
 *
 * All but mesflow.database take effect on reload.
 */
#include "postgres.h"

#include <limits.h>
#include <sched.h>
#include <unistd.h>

#include "datatype/timestamp.h"
#include "guc.h"
#include "mesflow.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "utils/guc.h"

#define DAY_MINUTES			(HOURS_PER_DAY * MINS_PER_HOUR)

/* Retentions end where the rings of the logs do (30 days). */
#define MAX_RETENTION		(30 * DAY_MINUTES)

/* No ring ends the life of a model. */
#define MAX_MODEL_RETENTION	(36500 * DAY_MINUTES)

#define MAX_MODEL_SIZE_MB	(64 * 1024)
#define MAX_MEMORY_MB		(1024 * 1024)
#define MAX_TIMEOUT_S		(24 * 60 * 60)
#define MAX_NODE_NAME		63

/* Work that lies for longer than a week is not on anybody's bench. */
#define MAX_WORK_LEASE		(7 * SECS_PER_DAY)

char	   *mf_guc_database;
int			mf_guc_jobs_retention;
int			mf_guc_max_model_size;
int			mf_guc_max_triangles;
int			mf_guc_model_retention;
char	   *mf_guc_node_name;
int			mf_guc_outbox_retention;
int			mf_guc_attempts_retention;
int			mf_guc_dead_letter_retention;
bool		mf_guc_delivery;
char	   *mf_guc_delivery_allow_private;
int			mf_guc_delivery_max_in_flight;
int			mf_guc_dispatch_order = MF_DISPATCH_NEWEST;
int			mf_guc_effects = MF_EFFECTS_AUTO;
int			mf_guc_pricing_function_timeout;
int			mf_guc_pricing_memory;
int			mf_guc_pricing_slots;
int			mf_guc_pricing_timeout;
int			mf_guc_sandbox = MF_SANDBOX_REQUIRE;
char	   *mf_guc_time_zone;
int			mf_guc_upload_retention;
int			mf_guc_work_lease;

/* What mesflow.time_zone names. */
static pg_tz *zone;

static const struct config_enum_entry dispatch_options[] = {
	{"newest", MF_DISPATCH_NEWEST, false},
	{"oldest", MF_DISPATCH_OLDEST, false},
	{"due", MF_DISPATCH_DUE, false},
	{NULL, 0, false}
};

static const struct config_enum_entry effects_options[] = {
	{"auto", MF_EFFECTS_AUTO, false},
	{"off", MF_EFFECTS_OFF, false},
	{NULL, 0, false}
};

static const struct config_enum_entry sandbox_options[] = {
	{"require", MF_SANDBOX_REQUIRE, false},
	{"off", MF_SANDBOX_OFF, false},
	{NULL, 0, false}
};

/*
 * The processors in this process's affinity mask, which is what a container
 * or taskset leaves us; where that is unknown, those that are online.
 */
int
mf_guc_cores(void)
{
	cpu_set_t	set;
	long		online;

	if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
		return CPU_COUNT(&set);
	online = sysconf(_SC_NPROCESSORS_ONLN);
	return online > 0 ? (int) online : 1;
}

static bool
check_model_retention(int *newval, void **extra, GucSource source)
{
	if (*newval != 0 && *newval < DAY_MINUTES)
	{
		GUC_check_errdetail("Bytes of models are kept for a day or longer; "
							"0 keeps them for ever.");
		return false;
	}
	return true;
}

static bool
check_node_name(char **newval, void **extra, GucSource source)
{
	size_t		length = strlen(*newval);

	if (length < 1 || length > MAX_NODE_NAME)
	{
		GUC_check_errdetail("A node's name has 1 to %d bytes.", MAX_NODE_NAME);
		return false;
	}
	return true;
}

/*
 * PostgreSQL takes rules of POSIX too, in which UTC+2 is two hours behind UTC:
 * nobody's pay is to depend on who knows that.
 */
static bool
check_time_zone(char **newval, void **extra, GucSource source)
{
	pg_tz	   *found;

	if (strpbrk(*newval, "0123456789") != NULL && pg_strncasecmp(*newval, "Etc/", 4) != 0)
	{
		GUC_check_errdetail("\"%s\" is not the name of a place.", *newval);
		GUC_check_errhint("Name one, such as Europe/Vienna; two hours ahead of UTC all the year is Etc/GMT-2.");
		return false;
	}
	found = pg_tzset(*newval);
	if (found == NULL)
	{
		GUC_check_errdetail("There is no time zone \"%s\".", *newval);
		GUC_check_errhint("See the view pg_timezone_names.");
		return false;
	}
	if (!pg_tz_acceptable(found))
	{
		GUC_check_errdetail("Time zone \"%s\" has leap seconds, which PostgreSQL does not count.",
							*newval);
		return false;
	}
	return true;
}

/* A process keeps every zone that it has looked up: this one is found. */
static void
assign_time_zone(const char *newval, void *extra)
{
	zone = pg_tzset(newval);
}

pg_tz *
mf_guc_zone(void)
{
	return zone;
}

void
mf_guc_define(void)
{
	int			cores = Min(mf_guc_cores(), MF_MAX_PRICING_SLOTS);

	DefineCustomIntVariable("mesflow.attempts_retention",
							"Sets how long attempts at deliveries are kept.",
							NULL,
							&mf_guc_attempts_retention,
							14 * DAY_MINUTES,
							MINS_PER_HOUR, MAX_RETENTION,
							PGC_SIGHUP,
							GUC_UNIT_MIN,
							NULL, NULL, NULL);

	/*
	 * A setting that only a start can change cannot be defined later than
	 * that; a session that loads a library which is not preloaded gets one of
	 * the same name without effect.
	 */
	DefineCustomStringVariable("mesflow.database",
							   "Sets the database that this server's workers serve.",
							   "Empty: no workers run.",
							   &mf_guc_database,
							   "",
							   process_shared_preload_libraries_in_progress ?
							   PGC_POSTMASTER : PGC_SIGHUP,
							   0,
							   NULL, NULL, NULL);

	DefineCustomIntVariable("mesflow.dead_letter_retention",
							"Sets how long dead letters are kept.",
							"Those that nobody has replayed or dismissed too.",
							&mf_guc_dead_letter_retention,
							90 * DAY_MINUTES,
							DAY_MINUTES, MAX_MODEL_RETENTION,
							PGC_SIGHUP,
							GUC_UNIT_MIN,
							NULL, NULL, NULL);

	DefineCustomBoolVariable("mesflow.delivery",
							 "Sets whether events are delivered to endpoints.",
							 "Off: they wait.",
							 &mf_guc_delivery,
							 true,
							 PGC_SIGHUP,
							 0,
							 NULL, NULL, NULL);

	DefineCustomStringVariable("mesflow.delivery_allow_private",
							   "Sets which private addresses events may be delivered to.",
							   "Hosts, addresses and networks, with commas between; an endpoint must allow them as well.",
							   &mf_guc_delivery_allow_private,
							   "",
							   PGC_SIGHUP,
							   0,
							   NULL, NULL, NULL);

	DefineCustomIntVariable("mesflow.delivery_max_in_flight",
							"Sets how many requests to endpoints are under way at the same time.",
							NULL,
							&mf_guc_delivery_max_in_flight,
							MF_MAX_IN_FLIGHT,
							1, MF_MAX_IN_FLIGHT,
							PGC_SIGHUP,
							0,
							NULL, NULL, NULL);

	DefineCustomEnumVariable("mesflow.dispatch_order",
							 "Sets which work is given out first, among work of the same priority.",
							 "newest or oldest: by when it was queued; due: by when its order is due.",
							 &mf_guc_dispatch_order,
							 MF_DISPATCH_NEWEST,
							 dispatch_options,
							 PGC_SIGHUP,
							 0,
							 NULL, NULL, NULL);

	DefineCustomEnumVariable("mesflow.effects",
							 "Sets whether anything may leave this database.",
							 "auto: unless it is a copy that nobody has armed; off: nothing.",
							 &mf_guc_effects,
							 MF_EFFECTS_AUTO,
							 effects_options,
							 PGC_SIGHUP,
							 0,
							 NULL, NULL, NULL);

	DefineCustomIntVariable("mesflow.jobs_retention",
							"Sets how long the history of price jobs is kept.",
							NULL,
							&mf_guc_jobs_retention,
							7 * DAY_MINUTES,
							MINS_PER_HOUR, MAX_RETENTION,
							PGC_SIGHUP,
							GUC_UNIT_MIN,
							NULL, NULL, NULL);

	DefineCustomIntVariable("mesflow.max_model_size",
							"Sets the size of the largest model that can be uploaded.",
							NULL,
							&mf_guc_max_model_size,
							1024,
							1, MAX_MODEL_SIZE_MB,
							PGC_SIGHUP,
							GUC_UNIT_MB,
							NULL, NULL, NULL);

	DefineCustomIntVariable("mesflow.max_triangles",
							"Sets the number of triangles of the largest model that is measured.",
							NULL,
							&mf_guc_max_triangles,
							20000000,
							1, INT_MAX,
							PGC_SIGHUP,
							0,
							NULL, NULL, NULL);

	DefineCustomIntVariable("mesflow.model_retention",
							"Sets how long the bytes of a model that nothing needs are kept.",
							"What was measured stays; 0 keeps the bytes for ever.",
							&mf_guc_model_retention,
							90 * DAY_MINUTES,
							0, MAX_MODEL_RETENTION,
							PGC_SIGHUP,
							GUC_UNIT_MIN,
							check_model_retention, NULL, NULL);

	DefineCustomStringVariable("mesflow.node_name",
							   "Sets the name under which this server prices models.",
							   NULL,
							   &mf_guc_node_name,
							   "server",
							   PGC_SIGHUP,
							   0,
							   check_node_name, NULL, NULL);

	DefineCustomIntVariable("mesflow.outbox_retention",
							"Sets how long events stay in the outbox.",
							"Those that a reader has still to read stay longer; "
							"timelines of orders stay for ever.",
							&mf_guc_outbox_retention,
							14 * DAY_MINUTES,
							MINS_PER_HOUR, MAX_RETENTION,
							PGC_SIGHUP,
							GUC_UNIT_MIN,
							NULL, NULL, NULL);

	DefineCustomIntVariable("mesflow.pricing_function_timeout",
							"Sets the processor time that a company's own pricing function may take.",
							"Five times as much wall time; then its quote fails.",
							&mf_guc_pricing_function_timeout,
							1000,
							10, MAX_TIMEOUT_S * 1000,
							PGC_SIGHUP,
							GUC_UNIT_MS,
							NULL, NULL, NULL);

	DefineCustomIntVariable("mesflow.pricing_memory",
							"Sets how much memory the measuring of one model may take.",
							"The model's own bytes are not counted.",
							&mf_guc_pricing_memory,
							4096,
							64, MAX_MEMORY_MB,
							PGC_SIGHUP,
							GUC_UNIT_MB,
							NULL, NULL, NULL);

	DefineCustomIntVariable("mesflow.pricing_slots",
							"Sets how many models this server measures at the same time.",
							"The default is the number of processors; 0: this server measures none itself.",
							&mf_guc_pricing_slots,
							cores,
							0, MF_MAX_PRICING_SLOTS,
							PGC_SIGHUP,
							0,
							NULL, NULL, NULL);

	DefineCustomIntVariable("mesflow.pricing_timeout",
							"Sets how long the measuring of one model may take.",
							NULL,
							&mf_guc_pricing_timeout,
							60,
							1, MAX_TIMEOUT_S,
							PGC_SIGHUP,
							GUC_UNIT_S,
							NULL, NULL, NULL);

	DefineCustomEnumVariable("mesflow.sandbox",
							 "Sets whether models may only be measured in a sandbox.",
							 "require: where the kernel cannot confine the program, nothing is measured.",
							 &mf_guc_sandbox,
							 MF_SANDBOX_REQUIRE,
							 sandbox_options,
							 PGC_SIGHUP,
							 0,
							 NULL, NULL, NULL);

	/* Not the TimeZone of the session: a day of pay is the same for all. */
	DefineCustomStringVariable("mesflow.time_zone",
							   "Sets the time zone of days, hours and shifts.",
							   "What has been counted stays where it was counted.",
							   &mf_guc_time_zone,
							   "UTC",
							   PGC_SIGHUP,
							   0,
							   check_time_zone, assign_time_zone, NULL);

	DefineCustomIntVariable("mesflow.upload_retention",
							"Sets how long an upload that was never finished is kept.",
							NULL,
							&mf_guc_upload_retention,
							DAY_MINUTES,
							MINS_PER_HOUR, MAX_RETENTION,
							PGC_SIGHUP,
							GUC_UNIT_MIN,
							NULL, NULL, NULL);

	DefineCustomIntVariable("mesflow.work_lease",
							"Sets how long claimed work may wait for its start.",
							"Then it goes back to the list; work that was started never does.",
							&mf_guc_work_lease,
							30 * SECS_PER_MINUTE,
							1, MAX_WORK_LEASE,
							PGC_SIGHUP,
							GUC_UNIT_S,
							NULL, NULL, NULL);

	MarkGUCPrefixReserved(MF_EXTENSION);
}
