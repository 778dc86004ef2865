/*
 * memory.c
 *		The one place where the library takes memory, and counts it.
 *
 * The limit is the caller's; it holds whether or not the process has a limit
 * of its own.  Large blocks come straight from the kernel, aligned for huge
 * pages: the hash table and the edges are read in random order, and with
 * small pages most of that time would go into address translation.  One large block
 * that was given back is kept: what is taken next is often as large, and pages
 * that are there need not be cleared again.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "mesh.h"

#define HUGE_PAGE		((uint64_t) 2 * 1024 * 1024)
#define LARGE_BLOCK		HUGE_PAGE
#define PAGE			((uint64_t) 4096)

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
	end = block + ((bytes + PAGE - 1) & ~(PAGE - 1));
	if (block > base)
		munmap(base, block - base);
	if (base + length > end)
		munmap(end, base + length - end);

	/* Only a hint: where there are no huge pages, small ones do. */
	(void) madvise(block, bytes, MADV_HUGEPAGE);
	return block;
}

/* Bytes as they count: pages of a mapping. */
static uint64_t
whole_pages(uint64_t bytes)
{
	return (bytes + PAGE - 1) & ~(PAGE - 1);
}

/* Gives the spare block back to the kernel. */
static void
drop_spare(MfMemory *memory)
{
	if (memory->spare != NULL)
		munmap(memory->spare, whole_pages(memory->spare_bytes));
	memory->spare = NULL;
	memory->spare_bytes = 0;
}

/* Would so many bytes more be within the limit?  The spare block may go. */
static bool
is_allowed(MfMemory *memory, uint64_t bytes)
{
	if (bytes > SIZE_MAX / 4)
		return false;
	if (memory->limit == 0)
		return true;
	if (bytes > memory->limit || memory->used > memory->limit - bytes)
		return false;
	if (memory->spare_bytes > memory->limit - bytes - memory->used)
		drop_spare(memory);
	return true;
}

/* Counts a block that was given. */
static void *
count_block(MfMemory *memory, void *block, uint64_t bytes)
{
	if (block == NULL)
		return NULL;
	memory->used += bytes;
	if (memory->used + memory->spare_bytes > memory->peak)
		memory->peak = memory->used + memory->spare_bytes;
	return block;
}

/*
 * Zeroed memory, or NULL where the limit or the machine says no.
 */
void *
mf_memory_alloc(MfMemory *memory, uint64_t bytes)
{
	if (bytes == 0)
		bytes = 1;
	if (!is_allowed(memory, bytes))
		return NULL;
	return count_block(memory, bytes >= LARGE_BLOCK ? map_large(bytes) :
					   calloc(1, bytes), bytes);
}

/*
 * The same, but with anything in it: where the spare block is large enough,
 * the kernel does not have to clear other pages.
 */
void *
mf_memory_take(MfMemory *memory, uint64_t bytes)
{
	char	   *block = memory->spare;

	if (bytes < LARGE_BLOCK || bytes > memory->spare_bytes ||
		(memory->limit > 0 && (bytes > memory->limit ||
							   memory->used > memory->limit - bytes)))
		return mf_memory_alloc(memory, bytes);
	if (whole_pages(memory->spare_bytes) > whole_pages(bytes))
		munmap(block + whole_pages(bytes),
			   whole_pages(memory->spare_bytes) - whole_pages(bytes));
	memory->spare = NULL;
	memory->spare_bytes = 0;
	return count_block(memory, block, bytes);
}

/*
 * Gives back a block; `bytes` as asked for then.  The largest of late is
 * kept as the spare one.
 */
void
mf_memory_free(MfMemory *memory, void *block, uint64_t bytes)
{
	if (block == NULL)
		return;
	if (bytes == 0)
		bytes = 1;
	memory->used -= bytes;
	if (bytes < LARGE_BLOCK)
		free(block);
	else if (bytes > memory->spare_bytes)
	{
		drop_spare(memory);
		memory->spare = block;
		memory->spare_bytes = bytes;
	}
	else
		munmap(block, whole_pages(bytes));
}

/* Gives the spare block back at the end. */
void
mf_memory_end(MfMemory *memory)
{
	drop_spare(memory);
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
