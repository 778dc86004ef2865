/*
 * weld_block.h
 *		The weld's inner loop, for one width of coordinates.
 *
 * Included by weld.c once for floats and once for doubles, with
 *		WELD_REAL		float or double
 *		WELD_WORD		the unsigned integer of the same width
 *		WELD_SLOT		the type of a slot
 *		WELD_AT			the member of MfMesh that holds the vertices
 *		WELD_NAME(x)	names of this width
 *
 * No include guard: that is the point.
 */

/* A slot holds the coordinates themselves: one look, one cache line. */
typedef struct WELD_SLOT
{
	WELD_WORD	key[3];
	uint32_t	vertex;			/* + 1; 0: empty */
} WELD_SLOT;

/* Loads a corner as three words, with -0 as +0. */
static inline void
WELD_NAME(load) (const uint8_t *from, WELD_WORD key[3])
{
	WELD_REAL	at[3];

	memcpy(at, from, sizeof(at));
	for (int i = 0; i < 3; i++)
		at[i] += 0;
	memcpy(key, at, sizeof(at));
}

static inline uint64_t
WELD_NAME(hash) (const MfWeld *weld, const WELD_WORD key[3])
{
#if WELD_WIDE
	return mix(mix(key[0] ^ weld->seed[0], key[1] ^ weld->seed[1]) ^ key[2],
			   weld->seed[1]);
#else
	return mix((key[0] | (uint64_t) key[1] << 32) ^ weld->seed[0],
			   key[2] ^ weld->seed[1]);
#endif
}

static inline uint64_t
WELD_NAME(home) (const MfWeld *weld, const WELD_WORD key[3])
{
	return scale(WELD_NAME(hash) (weld, key), weld->slot_count);
}

/*
 * Replaces the table by a larger one.  The old one goes first: the vertices
 * hold all that it knew.
 */
static bool
WELD_NAME(enlarge) (MfWeld *weld, uint64_t slot_count)
{
	MfMesh	   *mesh = weld->mesh;
	WELD_SLOT  *slots;

	mf_weld_end(weld);
	weld->slot_size = sizeof(*slots);
	weld->slots = slots = mf_memory_alloc(&weld->job->memory,
										  slot_count * sizeof(*slots));
	if (slots == NULL)
		return mf_job_out_of_memory(weld->job);
	weld->slot_count = slot_count;

	for (uint32_t v = 0; v < mesh->vertex_count; v++)
	{
		WELD_WORD	key[3];
		uint64_t	at;

		memcpy(key, mesh->WELD_AT[v], sizeof(key));
		at = WELD_NAME(home) (weld, key);
		while (slots[at].vertex != 0)
			if (++at == slot_count)
				at = 0;
		memcpy(slots[at].key, key, sizeof(key));
		slots[at].vertex = v + 1;
	}
	return true;
}

/*
 * Adds `count` triangles, each nine coordinates in a row, `stride` bytes
 * apart.  Works in blocks: all places of a block are computed, and asked
 * from memory, before the first one is looked at.
 */
static bool
WELD_NAME(add) (MfWeld *weld, const uint8_t *first, size_t stride,
				size_t count)
{
	MfMesh	   *mesh = weld->mesh;

	if (!mf_mesh_reserve_triangles(weld->job, mesh,
								   mesh->triangle_count + (uint64_t) count))
		return false;

	while (count > 0)
	{
		const size_t n = count < WELD_BLOCK ? count : WELD_BLOCK;
		WELD_WORD	keys[3 * WELD_BLOCK][3];
		uint64_t	home[3 * WELD_BLOCK];
		WELD_SLOT  *slots;
		uint32_t   *corner;
		uint32_t	vertex_count;

		/* A block may add three vertices per triangle: room for all. */
		if (!mf_mesh_reserve_vertices(weld->job, mesh,
									  mesh->vertex_count + 3 * (uint64_t) n))
			return false;
		if (mesh->vertex_count + 3 * (uint64_t) n >
			weld->slot_count / 4 * 3 &&
			!WELD_NAME(enlarge) (weld, weld->slot_count * 2 + 4096))
			return false;

		/* 1. Where would each corner be? */
		slots = weld->slots;
		for (size_t t = 0; t < n; t++)
			for (size_t c = 0; c < 3; c++)
			{
				WELD_WORD  *key = keys[3 * t + c];

				WELD_NAME(load) (first + t * stride + c * sizeof(keys[0]),
								 key);
				home[3 * t + c] = WELD_NAME(home) (weld, key);
				__builtin_prefetch(&slots[home[3 * t + c]], 1);
			}

		/* 2. Is it there?  Vertices are numbered as they appear. */
		corner = mesh->corners[mesh->triangle_count];
		vertex_count = mesh->vertex_count;
		for (size_t k = 0; k < 3 * n; k++)
		{
			const WELD_WORD *key = keys[k];
			WELD_SLOT  *slot = &slots[home[k]];

			while (slot->vertex != 0 &&
				   ((slot->key[0] ^ key[0]) | (slot->key[1] ^ key[1]) |
					(slot->key[2] ^ key[2])) != 0)
				if (++slot == slots + weld->slot_count)
					slot = slots;
			if (slot->vertex == 0)
			{
				memcpy(slot->key, key, sizeof(slot->key));
				memcpy(mesh->WELD_AT[vertex_count], key, sizeof(slot->key));
				slot->vertex = ++vertex_count;
			}
			corner[k] = slot->vertex - 1;
		}
		mesh->vertex_count = vertex_count;
		mesh->triangle_count += n;
		first += n * stride;
		count -= n;
	}
	return true;
}
