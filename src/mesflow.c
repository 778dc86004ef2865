/*
 * mesflow.c
 *		The module's entry point.
 */
#include "postgres.h"

#include "compat.h"
#include "guc.h"
#include "mesflow.h"
#include "miscadmin.h"
#include "outbox/outbox.h"
#include "shmem.h"
#include "worker/worker.h"

MF_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

/*
 * Settings exist wherever the library is loaded, so that a dump can be
 * restored and pg_upgrade can read the configuration.  Shared memory and
 * workers exist only where the server is a real one and preloads us.
 */
void
_PG_init(void)
{
	mf_guc_define();
	mf_wakeup_init();
	mf_outbox_init();

	if (process_shared_preload_libraries_in_progress && !IsBinaryUpgrade)
	{
		mf_shmem_request();
		mf_launcher_register();
	}
}
