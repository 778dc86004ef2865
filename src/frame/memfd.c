/*
 * memfd.c
 *		Sealed memory files: how a model's bytes get into a program.
 *
 * The receiver maps what the sender wrote, without a copy, and the seals are
 * why it may: nobody can change or cut off the bytes while they are read.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "frame.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Linux 6.3; older headers do not have it, older kernels refuse it. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL		0x0008U
#endif

#define SEALS_OF_SIZE	(F_SEAL_SHRINK | F_SEAL_GROW)
#define SEALS_NEEDED	(SEALS_OF_SIZE | F_SEAL_WRITE)

/*
 * Makes a memory file of `size` zero bytes.  Its size is sealed at once, so a
 * writer that miscounts gets an error and not a longer file.
 */
int
mf_memfd_create(const char *name, uint64_t size)
{
	const unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int			saved;
	int			fd;

	if (size > INT64_MAX)
	{
		errno = EFBIG;
		return -1;
	}
	fd = memfd_create(name, flags | MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, flags);
	if (fd < 0)
		return -1;
	if (ftruncate(fd, (off_t) size) == 0 &&
		fcntl(fd, F_ADD_SEALS, SEALS_OF_SIZE) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/*
 * Writes all `length` bytes at offset `at`.
 */
bool
mf_memfd_write(int memfd, uint64_t at, const void *bytes, size_t length)
{
	const char *from = bytes;

	if (at > INT64_MAX || length > INT64_MAX - at)
	{
		errno = EFBIG;
		return false;
	}
	while (length > 0)
	{
		ssize_t		written = pwrite(memfd, from, length, (off_t) at);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return false;
		if (written == 0)
		{
			errno = ENOSPC;
			return false;
		}
		from += written;
		at += (uint64_t) written;
		length -= (size_t) written;
	}
	return true;
}

/*
 * Seals a memory file against every change, further seals included.
 */
bool
mf_memfd_seal(int memfd)
{
	return fcntl(memfd, F_ADD_SEALS, SEALS_NEEDED | F_SEAL_SEAL) == 0;
}

/*
 * Maps a received memory file; see frame.h.  Private, because before Linux
 * 6.7 a file sealed against writing cannot be mapped shared, not even to be
 * read; without a write there is no difference.  Not populated: that saves a
 * tenth of one pass over the bytes, but all of it would be spent by one thread
 * before the first byte is looked at, even of a file that is refused for its
 * first line.
 */
const uint8_t *
mf_memfd_map(int memfd, uint64_t size)
{
	static const uint8_t nothing = 0;
	struct stat status;
	void	   *bytes;
	int			seals;

	seals = fcntl(memfd, F_GET_SEALS);
	if (seals < 0 || (seals & SEALS_NEEDED) != SEALS_NEEDED ||
		fstat(memfd, &status) != 0 || !S_ISREG(status.st_mode) ||
		status.st_size < 0 || (uint64_t) status.st_size != size ||
		size > SIZE_MAX)
	{
		errno = EINVAL;
		return NULL;
	}
	if (size == 0)
		return &nothing;
	bytes = mmap(NULL, (size_t) size, PROT_READ, MAP_PRIVATE, memfd, 0);
	return bytes == MAP_FAILED ? NULL : bytes;
}
