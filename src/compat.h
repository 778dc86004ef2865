/*
 * compat.h
 *		Differences between the supported majors of PostgreSQL.
 *
 * The only file that tests PG_VERSION_NUM.
 */
#ifndef MF_COMPAT_H
#define MF_COMPAT_H

#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

/* From 16 on what is in a varlena is a header of its own. */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#if PG_VERSION_NUM < 150000
#error "mesflow needs PostgreSQL 15 or newer"
#endif

/* 18 lets a module say its name and version. */
#if PG_VERSION_NUM >= 180000
#define MF_MODULE_MAGIC PG_MODULE_MAGIC_EXT(.name = "mesflow", \
											.version = MF_VERSION)
#else
#define MF_MODULE_MAGIC PG_MODULE_MAGIC
#endif

/* A prefix for functions that do not return. */
#if PG_VERSION_NUM >= 180000
#define MF_NORETURN		pg_noreturn
#else
#define MF_NORETURN		pg_attribute_noreturn()
#endif

/* A wait event set that lives until it is freed. */
static inline WaitEventSet *
mf_compat_wait_event_set(int size)
{
#if PG_VERSION_NUM >= 170000
	return CreateWaitEventSet(NULL, size);
#else
	return CreateWaitEventSet(TopMemoryContext, size);
#endif
}

/*
 * The number of a wait event called `name`.  `known` is where the caller
 * keeps it (zero at first): from 17 on a name is registered on first use and
 * shown in pg_stat_activity, before that all extensions share one event.
 */
static inline uint32
mf_compat_wait_event(uint32 *known, const char *name)
{
#if PG_VERSION_NUM >= 170000
	if (*known == 0)
		*known = WaitEventExtensionNew(name);
#else
	*known = PG_WAIT_EXTENSION;
#endif
	return *known;
}

/* A scan of an index by so many keys. */
static inline IndexScanDesc
mf_compat_index_beginscan(Relation table, Relation index, Snapshot snapshot, int keys)
{
#if PG_VERSION_NUM >= 180000
	return index_beginscan(table, index, snapshot, NULL, keys, 0);
#else
	return index_beginscan(table, index, snapshot, keys, 0);
#endif
}

/*
 * Puts a version of a row in the place of another one; false where somebody
 * else has written that.  *needs_entries: in the indexes, or, *summarizing,
 * in those alone that summarize blocks (BRIN), from 16 on.
 */
static inline bool
mf_compat_heap_update(Relation table, ItemPointer place, HeapTuple tuple,
					  bool *needs_entries, bool *summarizing)
{
	TM_FailureData failure;
	LockTupleMode mode;
	TM_Result	result;

#if PG_VERSION_NUM >= 160000
	TU_UpdateIndexes indexes;

	result = heap_update(table, place, tuple, GetCurrentCommandId(true), InvalidSnapshot,
						 true, &failure, &mode, &indexes);
	*needs_entries = indexes != TU_None;
	*summarizing = indexes == TU_Summarizing;
#else
	result = heap_update(table, place, tuple, GetCurrentCommandId(true), InvalidSnapshot,
						 true, &failure, &mode);
	*needs_entries = !HeapTupleIsHeapOnly(tuple);
	*summarizing = false;
#endif
	return result == TM_Ok;
}

static inline void
mf_compat_add_index_entries(ResultRelInfo *result, TupleTableSlot *slot,
							EState *state, bool summarizing)
{
#if PG_VERSION_NUM >= 160000
	(void) ExecInsertIndexTuples(result, slot, state, false, false, NULL, NIL, summarizing);
#else
	(void) ExecInsertIndexTuples(result, slot, state, false, false, NULL, NIL);
#endif
}

/* The settings that limit a session's time; a worker sets them all to 0. */
#if PG_VERSION_NUM >= 170000
#define MF_TIMEOUT_SETTINGS \
	"statement_timeout", "lock_timeout", \
	"idle_in_transaction_session_timeout", "idle_session_timeout", \
	"transaction_timeout"
#else
#define MF_TIMEOUT_SETTINGS \
	"statement_timeout", "lock_timeout", \
	"idle_in_transaction_session_timeout", "idle_session_timeout"
#endif

/* The parts of a qualified name, as LookupFuncName takes them. */
#if PG_VERSION_NUM >= 160000
#define mf_compat_name_list(name)	stringToQualifiedNameList(name, NULL)
#else
#define mf_compat_name_list(name)	stringToQualifiedNameList(name)
#endif

#endif							/* MF_COMPAT_H */
