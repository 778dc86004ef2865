/*
 * scratch.h
 *		Room that a task works in: as many pieces as there are threads, taken
 *		by a task and given back at its end.
 */
#ifndef MF_SCRATCH_H
#define MF_SCRATCH_H

#include "mesh.h"

typedef struct MfScratch
{
	uint8_t    *block;
	uint64_t	each;			/* bytes of a piece */
	uint32_t	pieces;
	uint8_t		busy[MF_MAX_THREADS];
} MfScratch;

/* Makes room for so many tasks at a time; the caller ends the scratch in any case.  False: refused. */
static inline bool
mf_scratch_begin(MfJob *job, MfScratch *scratch, uint32_t pieces,
				 uint64_t each)
{
	scratch->each = (each + 63) / 64 * 64;
	scratch->pieces = pieces;
	scratch->block = mf_memory_take(&job->memory,
									scratch->pieces * scratch->each);
	return scratch->block != NULL || mf_job_out_of_memory(job);
}

/* Takes a piece, with anything in it; there is always one. */
static inline void *
mf_scratch_take(MfScratch *scratch)
{
	for (uint32_t i = 0;; i = i + 1 < scratch->pieces ? i + 1 : 0)
		if (__atomic_exchange_n(&scratch->busy[i], 1, __ATOMIC_ACQUIRE) == 0)
			return scratch->block + i * scratch->each;
}

static inline void
mf_scratch_give(MfScratch *scratch, const void *piece)
{
	__atomic_store_n(&scratch->busy[((const uint8_t *) piece -
									 scratch->block) / scratch->each], 0,
					 __ATOMIC_RELEASE);
}

static inline void
mf_scratch_end(MfJob *job, MfScratch *scratch)
{
	mf_memory_free(&job->memory, scratch->block,
				   scratch->pieces * scratch->each);
	scratch->block = NULL;
}

#endif							/* MF_SCRATCH_H */
