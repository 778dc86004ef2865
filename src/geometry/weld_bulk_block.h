/*
 * weld_bulk_block.h
 *		The tasks of the bulk weld, for one width of coordinates.
 *
 * Included by weld_bulk.c once for floats and once for doubles, with
 *		BULK_WORD		the unsigned integer of a coordinate's width
 *		BULK_ENTRY		the type of a record
 *		BULK_SLOT		the type of a slot
 *		BULK_AT			the member of MfMesh that holds the vertices
 *		BULK_NAME(x)	names of this width
 *
 * No include guard: that is the point.
 */

/* A corner on its way through a bucket. */
typedef struct BULK_ENTRY
{
	BULK_WORD	key[3];			/* where it was there before: key[0] is the
								 * item that was the first */
	uint16_t	local;			/* number of the item in its chunk */
	uint16_t	again;			/* was it there before? */
} BULK_ENTRY;

/* A slot holds the coordinates themselves: one look, one cache line. */
typedef struct BULK_SLOT
{
	BULK_WORD	key[3];
	uint32_t	item;			/* + 1; 0: empty */
} BULK_SLOT;

/*
 * Was an item's key there just before?  Then gives the first such item of the
 * chunk, else remembers this one.  `recent` holds an item for each hash.
 */
static inline bool
BULK_NAME(seen) (const Bulk *bulk, const uint8_t *first, uint16_t *recent,
				 const BULK_WORD key[3], uint64_t hash, uint32_t *item)
{
	uint16_t   *slot = &recent[hash & (RECENT - 1)];
	const uint32_t other = *slot;
	BULK_WORD	seen[3];

	if (other < *item)
	{
		BULK_NAME(load) (first + other / 3 * bulk->stride +
						 other % 3 * sizeof(seen), seen);
		if (((seen[0] ^ key[0]) | (seen[1] ^ key[1]) |
			 (seen[2] ^ key[2])) == 0)
		{
			*item = other;
			return true;
		}
	}
	*slot = *item;
	return false;
}

/* Chooses and counts the buckets of a chunk's items. */
static void
BULK_NAME(choose) (const Bulk *bulk, const uint8_t *first, uint32_t n,
				   uint32_t *number, uint16_t *bucket, uint32_t *count)
{
	const uint8_t *from = first;
	bool		look = bulk->near;
	uint32_t	hits = 0;
	uint16_t	recent[RECENT];

	if (look)
		memset(recent, 0xff, sizeof(recent));
	for (uint32_t i = 0, corner = 0; i < n; i++)
	{
		BULK_WORD	key[3];
		uint32_t	same = i;
		uint64_t	hash;

		bucket[i] = NO_BUCKET;
		BULK_NAME(load) (from, key);
		hash = BULK_NAME(hash) (bulk->seed, key);
		if (i == TRIAL)
			look &= hits > TRIAL / 8;
		if (look && BULK_NAME(seen) (bulk, first, recent, key, hash, &same))
			hits++;
		else if (!bulk->picky || number[i] != 0)
			count[bucket[i] = mf_weld_scale(hash,
											bulk->partition.buckets)]++;
		if (!bulk->picky)
			number[i] = same;
		from += sizeof(key);
		if (++corner == 3)
		{
			corner = 0;
			from += bulk->stride - 3 * sizeof(key);
		}
	}
}

/* 1. Sorts a chunk's items into buckets, but for those seen just before. */
static void
BULK_NAME(part) (void *arg, uint32_t chunk)
{
	Bulk	   *bulk = arg;
	const uint32_t n = chunk_length(bulk, chunk);
	const uint8_t *from = bulk->first + chunk * (uint64_t) (CHUNK / 3) *
	bulk->stride;
	uint16_t	bucket[CHUNK];
	uint32_t	count[MF_MAX_BUCKETS] = {0};
	BULK_ENTRY *entry;

	BULK_NAME(choose) (bulk, from, n, bulk->number + chunk * CHUNK, bucket,
					   count);
	entry = mf_partition_claim(&bulk->partition, chunk, count);
	for (uint32_t i = 0, corner = 0; i < n; i++)
	{
		if (bucket[i] != NO_BUCKET)
		{
			BULK_ENTRY *own = &entry[count[bucket[i]]++];

			BULK_NAME(load) (from, own->key);
			own->local = i;
			own->again = 0;
		}
		from += sizeof(entry->key);
		if (++corner == 3)
		{
			corner = 0;
			from += bulk->stride - 3 * sizeof(entry->key);
		}
	}
}

/* Replaces the table by one twice as large, which lies behind it. */
static BULK_SLOT *
BULK_NAME(enlarge) (const Bulk *bulk, BULK_SLOT *table, uint32_t slots)
{
	BULK_SLOT  *larger = table + slots;

	memset(larger, 0, 2 * slots * sizeof(*larger));
	for (uint32_t i = 0; i < slots; i++)
		if (table[i].item != 0)
		{
			uint32_t	at = BULK_NAME(hash) (bulk->seed, table[i].key) &
			(2 * slots - 1);

			while (larger[at].item != 0)
				at = (at + 1) & (2 * slots - 1);
			larger[at] = table[i];
		}
	return larger;
}

/* 2. Finds the first item of each key in a bucket. */
static void
BULK_NAME(search) (void *arg, uint32_t bucket)
{
	Bulk	   *bulk = arg;
	BULK_SLOT  *all = mf_scratch_take(&bulk->scratch);
	uint32_t	slots = first_slots(bulk, bucket);
	BULK_SLOT  *table = all + slots;	/* tables lie one behind the other */
	uint32_t	used = 0;

	memset(table, 0, slots * sizeof(*table));
	for (uint32_t c = 0; c < bulk->partition.chunks; c++)
	{
		const MfRun run = mf_partition_run(&bulk->partition, c, bucket);
		BULK_ENTRY *entry = run.first;

		mf_partition_expect(&bulk->partition, c + 2, bucket);
		for (uint32_t i = 0; i < run.count; i++, entry++)
		{
			const BULK_WORD *key = entry->key;
			uint32_t	at = BULK_NAME(hash) (bulk->seed, key) & (slots - 1);

			while (table[at].item != 0 &&
				   ((table[at].key[0] ^ key[0]) | (table[at].key[1] ^ key[1]) |
					(table[at].key[2] ^ key[2])) != 0)
				at = (at + 1) & (slots - 1);
			if (table[at].item != 0)
			{
				entry->key[0] = table[at].item - 1;
				entry->again = 1;
				continue;
			}
			if (used >= slots / 8 * 7)
			{
				/* So many in one bucket: as likely as a guessed key. */
				__atomic_store_n(&bulk->full, true, __ATOMIC_RELAXED);
				break;
			}
			memcpy(table[at].key, key, sizeof(entry->key));
			table[at].item = c * CHUNK + entry->local + 1;
			if (++used > slots / 8 * 5 && slots < bulk->most_slots)
			{
				table = BULK_NAME(enlarge) (bulk, table, slots);
				slots *= 2;
			}
		}
	}
	mf_scratch_give(&bulk->scratch, all);
}

/* 3. Marks a chunk's new vertices, and counts them. */
static void
BULK_NAME(mark) (void *arg, uint32_t chunk)
{
	Bulk	   *bulk = arg;
	MfRank	   *rank = bulk->rank + chunk * RANKS;
	const MfRun run = mf_partition_chunk(&bulk->partition, chunk);
	const BULK_ENTRY *entry = run.first;
	uint32_t	bits[RANKS] = {0};
	uint32_t	before = 0;

	for (uint32_t i = 0; i < run.count; i++, entry++)
		bits[entry->local / 32] |= (uint32_t) !entry->again <<
			entry->local % 32;
	for (uint32_t i = 0; i < RANKS; i++)
	{
		rank[i].bits = bits[i];
		rank[i].before = before;
		before += mf_rank_count(bits[i]);
	}
	bulk->base[chunk] = before;
}

/* 4. Numbers a chunk's items, and puts its new vertices into the mesh. */
static void
BULK_NAME(settle) (void *arg, uint32_t chunk)
{
	Bulk	   *bulk = arg;
	MfMesh	   *mesh = bulk->mesh;
	const uint32_t begin = chunk * CHUNK;
	const uint32_t n = chunk_length(bulk, chunk);
	const MfRun run = mf_partition_chunk(&bulk->partition, chunk);
	const BULK_ENTRY *entry = run.first;
	uint32_t   *number = bulk->number + begin;
	uint32_t	final[CHUNK];

	for (uint32_t i = 0; i < run.count; i++, entry++)
	{
		const uint32_t item = entry->again ? (uint32_t) entry->key[0] :
		begin + entry->local;
		const uint32_t vertex = number_of(bulk, item);

		if (run.count - i > AHEAD && entry[AHEAD].again)
			__builtin_prefetch(&bulk->rank[entry[AHEAD].key[0] / 32]);

		final[entry->local] = vertex;
		if (!entry->again)
			memcpy(mesh->BULK_AT[vertex], entry->key, sizeof(entry->key));
		if (bulk->picky)
			number[entry->local] = vertex;
	}
	for (uint32_t i = 0; i < n && !bulk->picky; i++)
		number[i] = final[number[i]];
}
