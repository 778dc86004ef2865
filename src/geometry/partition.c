/*
 * partition.c
 *		Room for records in buckets; partition.h says what for.
 */
#include <string.h>

#include "partition.h"

/* Where each bucket begins, for all chunks: so many bytes. */
static uint64_t
begin_bytes(const MfPartition *partition)
{
	return partition->chunks * (uint64_t) (partition->buckets + 1) *
		sizeof(*partition->begin);
}

/*
 * Makes room for at most so many records.  The caller ends the partition in
 * any case.  False: refused.
 */
bool
mf_partition_begin(MfJob *job, MfPartition *partition, uint32_t chunks,
				   uint32_t buckets, uint64_t entry_bytes, uint64_t room)
{
	memset(partition, 0, sizeof(*partition));
	partition->chunks = chunks;
	partition->buckets = buckets;
	partition->entry_bytes = entry_bytes;
	partition->room = room;
	partition->chunk_at = mf_memory_alloc(&job->memory, chunks *
										  sizeof(*partition->chunk_at));
	partition->begin = mf_memory_alloc(&job->memory, begin_bytes(partition));
	partition->entries = mf_memory_take(&job->memory, room * entry_bytes);
	return (partition->chunk_at != NULL && partition->begin != NULL &&
			partition->entries != NULL) || mf_job_out_of_memory(job);
}

/*
 * Claims room for a chunk's records; called by its task.  The counts turn
 * into where each bucket begins.  Gives the place of the first record.
 */
void *
mf_partition_claim(MfPartition *partition, uint32_t chunk, uint32_t *count)
{
	mf_partition_count(partition, chunk, count);
	mf_partition_claim_range(partition, chunk, 0, partition->buckets);
	return mf_partition_chunk(partition, chunk).first;
}

/* The same without the claim. */
void
mf_partition_count(MfPartition *partition, uint32_t chunk, uint32_t *count)
{
	uint32_t   *begin = partition->begin +
	chunk * (uint64_t) (partition->buckets + 1);
	uint32_t	all = 0;

	for (uint32_t b = 0; b < partition->buckets; b++)
	{
		const uint32_t own = count[b];

		begin[b] = count[b] = all;
		all += own;
	}
	begin[partition->buckets] = all;
}

/*
 * Claims room for a chunk's records of some buckets, which are counted: those
 * from `first` to before `until`.
 */
void
mf_partition_claim_range(MfPartition *partition, uint32_t chunk,
						 uint32_t first, uint32_t until)
{
	const uint32_t *begin = partition->begin +
	chunk * (uint64_t) (partition->buckets + 1);
	const uint64_t at = __atomic_fetch_add(&partition->claimed,
										   begin[until] - begin[first],
										   __ATOMIC_RELAXED);

	/* May wrap around; no record before `first` is ever looked for. */
	partition->chunk_at[chunk] = at - begin[first];
}

/* How many records a bucket has. */
uint64_t
mf_partition_total(const MfPartition *partition, uint32_t bucket)
{
	uint64_t	total = 0;

	for (uint32_t c = 0; c < partition->chunks; c++)
		total += mf_partition_run(partition, c, bucket).count;
	return total;
}

/* Gives the room back. */
void
mf_partition_end(MfJob *job, MfPartition *partition)
{
	mf_memory_free(&job->memory, partition->entries,
				   partition->room * partition->entry_bytes);
	mf_memory_free(&job->memory, partition->begin, begin_bytes(partition));
	mf_memory_free(&job->memory, partition->chunk_at,
				   partition->chunks * sizeof(*partition->chunk_at));
	memset(partition, 0, sizeof(*partition));
}
