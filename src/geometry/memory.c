/*
 * memory.c
 *		The one place where the library takes memory, and counts it.
 *
 * The limit is the caller's; it holds whether or not the process has a limit
 * of its own.  Large blocks come straight from the kernel, aligned for huge
 * pages: the hash table and the edges are read in random order, and with
 * small pages most of that time would go into address translation.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "mesh.h"

#define HUGE_PAGE		((uint64_t) 2 * 1024 * 1024)
#define LARGE_BLOCK		HUGE_PAGE

/* A block of its own mapping, aligned to a huge page; NULL: none left. */
static void *
map_large(uint64_t bytes)
{
	uint64_t	length = bytes + HUGE_PAGE;
	char	   *base;
	char	   *block;
	char	   *end;

	base = mmap(NULL, length, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		return NULL;

	/* Give back what alignment leaves over on either side. */
	block = (char *) (((uintptr_t) base + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
	end = block + ((bytes + 4095) & ~UINT64_C(4095));
	if (block > base)
		munmap(base, block - base);
	if (base + length > end)
		munmap(end, base + length - end);

	/* Only a hint: where there are no huge pages, small ones do. */
	(void) madvise(block, bytes, MADV_HUGEPAGE);
	return block;
}

/*
 * Zeroed memory, or NULL where the limit or the machine says no.
 */
void *
mf_memory_alloc(MfMemory *memory, uint64_t bytes)
{
	void	   *block;

	if (bytes == 0)
		bytes = 1;
	if (bytes > SIZE_MAX / 4 ||
		(memory->limit > 0 && (bytes > memory->limit ||
							   memory->used > memory->limit - bytes)))
		return NULL;
	if (bytes >= LARGE_BLOCK)
		block = map_large(bytes);
	else
		block = calloc(1, bytes);
	if (block == NULL)
		return NULL;
	memory->used += bytes;
	if (memory->used > memory->peak)
		memory->peak = memory->used;
	return block;
}

/* Gives back a block of mf_memory_alloc; `bytes` as asked for then. */
void
mf_memory_free(MfMemory *memory, void *block, uint64_t bytes)
{
	if (block == NULL)
		return;
	if (bytes == 0)
		bytes = 1;
	if (bytes >= LARGE_BLOCK)
		munmap(block, (bytes + 4095) & ~UINT64_C(4095));
	else
		free(block);
	memory->used -= bytes;
}

/*
 * A larger block with the same beginning, the rest zeroed.  On failure the
 * old one stays as it is and NULL is returned.
 */
void *
mf_memory_grow(MfMemory *memory, void *old, uint64_t old_bytes,
			   uint64_t new_bytes)
{
	void	   *block = mf_memory_alloc(memory, new_bytes);

	if (block == NULL)
		return NULL;
	if (old != NULL)
	{
		memcpy(block, old, old_bytes);
		mf_memory_free(memory, old, old_bytes);
	}
	return block;
}
