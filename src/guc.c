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
int			mf_guc_upload_retention;

static const struct config_enum_entry dispatch_order_options[] = {
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
							 "Sets which work comes first of what has the same priority.",
							 "newest, oldest: by when it could be done; due: by when its order is due.",
							 &mf_guc_dispatch_order,
							 MF_DISPATCH_NEWEST,
							 dispatch_order_options,
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

	DefineCustomIntVariable("mesflow.upload_retention",
							"Sets how long an upload that was never finished is kept.",
							NULL,
							&mf_guc_upload_retention,
							DAY_MINUTES,
							MINS_PER_HOUR, MAX_RETENTION,
							PGC_SIGHUP,
							GUC_UNIT_MIN,
							NULL, NULL, NULL);

	MarkGUCPrefixReserved(MF_EXTENSION);
}
