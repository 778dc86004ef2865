/*
 * zip.h
 *		The entries of a ZIP archive that is in memory.
 */
#ifndef MF_ZIP_H
#define MF_ZIP_H

#include "mesh.h"

/* An archive of more entries than this is refused. */
#define MF_ZIP_MAX_ENTRIES	10000

/* So is one whose entries are longer than this in all, when inflated ... */
#define MF_ZIP_MAX_EXPANDED	(UINT64_C(1) << 30)

/* ... or with a large entry that is deflated to less than such a part. */
#define MF_ZIP_LARGE		(UINT64_C(1) << 20)
#define MF_ZIP_MAX_RATIO	200

/* A huge one is inflated as a whole, and has to be worth it. */
#define MF_ZIP_HUGE			(UINT64_C(1) << 28)
#define MF_ZIP_HUGE_RATIO	50

typedef struct MfZipEntry
{
	const char *name;			/* in the archive, without a zero at its end */
	uint32_t	name_length;
	uint32_t	crc;
	bool		deflated;
	uint64_t	from;			/* its local header */
	const uint8_t *packed;
	uint64_t	packed_size;
	uint64_t	size;
} MfZipEntry;

typedef struct MfZip
{
	MfZipEntry *entry;			/* in the order of mf_zip_compare_names */
	uint32_t	count;
	uint32_t	room;
} MfZip;

/* What an entry holds; `bytes` belong to the archive where not deflated. */
typedef struct MfZipContent
{
	const uint8_t *bytes;
	uint64_t	size;
	void	   *block;			/* of mf_memory_alloc, or NULL */
} MfZipContent;

/* Reads the directory of the job's bytes.  False: refused. */
extern bool mf_zip_open(MfJob *job, MfZip *zip);

/* The entry of that name, in any case; NULL: there is none. */
extern const MfZipEntry *mf_zip_find(const MfZip *zip, const char *name,
									 size_t length);

/* Inflates an entry and checks its sum.  False: refused. */
extern bool mf_zip_read(MfJob *job, const MfZipEntry *entry,
						MfZipContent *content);
extern void mf_zip_release(MfJob *job, MfZipContent *content);

extern void mf_zip_close(MfJob *job, MfZip *zip);

#endif							/* MF_ZIP_H */
