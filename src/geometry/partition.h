/*
 * partition.h
 *		Many small records, sorted into buckets that fit a core's cache.
 *
 * Records come from chunks of a fixed length, each by one task.  A task
 * counts how many of its chunk go to which bucket, claims room for them, and
 * puts them there: bucket by bucket, in their order.  Then each bucket is
 * worked on by one task, which finds its records in one run per chunk, and so
 * in the order of the file.
 *
 * Ranges of buckets may be worked on one after the other, in the same room.
 */
#ifndef MF_PARTITION_H
#define MF_PARTITION_H

#include "mesh.h"

/* What the counts of one chunk take is on a thread's stack. */
#define MF_MAX_BUCKETS	4096

typedef struct MfPartition
{
	uint32_t	chunks;
	uint32_t	buckets;
	uint64_t	entry_bytes;
	uint64_t	room;			/* entries */
	uint8_t    *entries;
	uint64_t	claimed;		/* entries; counted atomically */
	uint64_t   *chunk_at;		/* first entry of each chunk */
	uint32_t   *begin;			/* in it, of each bucket, and the end */
} MfPartition;

/* A chunk's records of one bucket, or of all. */
typedef struct MfRun
{
	void	   *first;
	uint32_t	count;
} MfRun;

extern bool mf_partition_begin(MfJob *job, MfPartition *partition,
							   uint32_t chunks, uint32_t buckets,
							   uint64_t entry_bytes, uint64_t room);
extern void *mf_partition_claim(MfPartition *partition, uint32_t chunk,
								uint32_t *count);
extern void mf_partition_count(MfPartition *partition, uint32_t chunk,
							   uint32_t *count);
extern void mf_partition_claim_range(MfPartition *partition, uint32_t chunk,
									 uint32_t first, uint32_t until);
extern uint64_t mf_partition_total(const MfPartition *partition,
								   uint32_t bucket);
extern void mf_partition_end(MfJob *job, MfPartition *partition);

/* What a chunk has for a bucket. */
static inline MfRun
mf_partition_run(const MfPartition *partition, uint32_t chunk,
				 uint32_t bucket)
{
	const uint32_t *begin = partition->begin +
	chunk * (uint64_t) (partition->buckets + 1) + bucket;
	const MfRun run = {
		.first = partition->entries +
		(partition->chunk_at[chunk] + begin[0]) * partition->entry_bytes,
		.count = begin[1] - begin[0]
	};

	return run;
}

/* All that a chunk has. */
static inline MfRun
mf_partition_chunk(const MfPartition *partition, uint32_t chunk)
{
	const MfRun run = {
		.first = partition->entries +
		partition->chunk_at[chunk] * partition->entry_bytes,
		.count = partition->begin[chunk * (uint64_t) (partition->buckets + 1) +
								  partition->buckets]
	};

	return run;
}

/* Asks for the beginning of a run that will soon be read. */
static inline void
mf_partition_expect(const MfPartition *partition, uint32_t chunk,
					uint32_t bucket)
{
	if (chunk < partition->chunks)
	{
		const MfRun run = mf_partition_run(partition, chunk, bucket);

		for (int line = 0; line < 4; line++)
			__builtin_prefetch((const uint8_t *) run.first + 64 * line);
	}
}

#endif							/* MF_PARTITION_H */
