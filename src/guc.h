/*
 * guc.h
 *		The settings of mesflow.
 */
#ifndef MF_GUC_H
#define MF_GUC_H

#include "pgtime.h"

typedef enum MfSandboxSetting
{
	MF_SANDBOX_REQUIRE,
	MF_SANDBOX_OFF
} MfSandboxSetting;

/* Does anything leave this database? */
typedef enum MfEffectsSetting
{
	MF_EFFECTS_AUTO,			/* unless it is a copy that nobody has armed */
	MF_EFFECTS_OFF
} MfEffectsSetting;

/* Which work is given out first, after its priority? */
typedef enum MfDispatchOrder
{
	MF_DISPATCH_NEWEST,
	MF_DISPATCH_OLDEST,
	MF_DISPATCH_DUE
} MfDispatchOrder;

extern int	mf_guc_attempts_retention;	/* minutes */
extern char *mf_guc_database;
extern int	mf_guc_dead_letter_retention;	/* minutes */
extern bool mf_guc_delivery;
extern char *mf_guc_delivery_allow_private; /* hosts, addresses, networks */
extern int	mf_guc_delivery_max_in_flight;
extern int	mf_guc_dispatch_order;	/* MfDispatchOrder */
extern int	mf_guc_effects;		/* MfEffectsSetting */
extern int	mf_guc_jobs_retention;	/* minutes */
extern int	mf_guc_max_model_size;	/* MB */
extern int	mf_guc_max_triangles;
extern int	mf_guc_model_retention; /* minutes; 0: for ever */
extern char *mf_guc_node_name;
extern int	mf_guc_outbox_retention;	/* minutes */
extern int	mf_guc_pricing_function_timeout;	/* ms */
extern int	mf_guc_pricing_memory;	/* MB */
extern int	mf_guc_pricing_slots;
extern int	mf_guc_pricing_timeout; /* seconds */
extern int	mf_guc_sandbox;		/* MfSandboxSetting */
extern char *mf_guc_time_zone;
extern int	mf_guc_upload_retention;	/* minutes */
extern int	mf_guc_work_lease;	/* seconds */

/* Most slots that mesflow.pricing_slots can ask for. */
#define MF_MAX_PRICING_SLOTS	1024

/* Most requests under way at a time: what one mesflow-sender takes. */
#define MF_MAX_IN_FLIGHT		1024

/* Processors this server may use, 1 or more. */
extern int	mf_guc_cores(void);

/* The zone that mesflow.time_zone names. */
extern pg_tz *mf_guc_zone(void);

/* Defines all settings; called once per process, from _PG_init. */
extern void mf_guc_define(void);

#endif							/* MF_GUC_H */
