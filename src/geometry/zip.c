/*
 * zip.c
 *		The entries of a ZIP archive (PKWARE, APPNOTE.TXT 6.3.10): those that
 *		are stored or deflated, with or without the long fields of Zip64.
 *
 * An archive is read by its directory, and what the entries themselves say
 * must agree with it: what one program reads here and another one there is
 * refused, and so are entries that share bytes or names, links, what is
 * encrypted, and what grows to more than the limits.  Nothing is allocated
 * by a number of the file that has not been held against a limit.
 */
#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "zip.h"

/* Records: signature and length of the part that is always there. */
#define LOCAL_SIGNATURE		0x04034b50
#define LOCAL_SIZE			30
#define CENTRAL_SIGNATURE	0x02014b50
#define CENTRAL_SIZE		46
#define END_SIGNATURE		0x06054b50
#define END_SIZE			22
#define END64_SIGNATURE		0x06064b50
#define END64_SIZE			56
#define LOCATOR_SIGNATURE	0x07064b50
#define LOCATOR_SIZE		20
#define MAX_COMMENT			65535

/* Flags of an entry. */
#define FLAG_ENCRYPTED		0x0001
#define FLAG_SUMS_FOLLOW	0x0008	/* sizes and sum behind the data */
#define FLAG_PATCH			0x0020
#define FLAG_STRONG			0x0040	/* encryption */
#define FLAG_MASKED			0x2000	/* the local header is encrypted */

#define METHOD_STORED		0
#define METHOD_DEFLATED		8

/* Who made an entry, and the file types that Unix means. */
#define HOST_UNIX			3
#define UNIX_TYPE			0170000
#define UNIX_LINK			0120000

#define EXTRA_ZIP64			1

/* Where the directory is. */
typedef struct Directory
{
	uint64_t	from;
	uint64_t	size;
	uint64_t	entries;
	uint64_t	until;			/* the records at the end begin here */
} Directory;

static uint32_t
read16(const uint8_t *at)
{
	return at[0] | (uint32_t) at[1] << 8;
}

static uint32_t
read32(const uint8_t *at)
{
	return read16(at) | read16(at + 2) << 16;
}

static uint64_t
read64(const uint8_t *at)
{
	return read32(at) | (uint64_t) read32(at + 4) << 32;
}

/* Refuses an archive that contradicts itself; false. */
static bool
refuse_damaged(MfJob *job, const char *what)
{
	mf_refuse(job->refusal, MF_ERROR_MALFORMED,
			  "The archive is damaged: %s.", what);
	return false;
}

/* Refuses an archive because of one entry; false. */
static bool
refuse_entry(MfJob *job, MfErrorCode code, const MfZipEntry *entry,
			 const char *what)
{
	const uint32_t most = 2 * MF_TEXT_SHOWN;

	mf_refuse(job->refusal, code, "The entry \"%.*s\" of the archive %s.",
			  (int) (entry->name_length < most ? entry->name_length : most),
			  entry->name, what);
	return false;
}

static bool
refuse_bomb(MfJob *job)
{
	mf_refuse(job->refusal, MF_ERROR_ARCHIVE_BOMB,
			  "The archive would grow to more than %.0f MB.",
			  (double) MF_ZIP_MAX_EXPANDED / 1048576);
	return false;
}

/* Takes what Zip64 says about the directory, where it says something. */
static bool
find_directory64(MfJob *job, uint64_t end, Directory *directory)
{
	const uint8_t *locator;
	const uint8_t *record;
	uint64_t	from;

	if (end < LOCATOR_SIZE ||
		read32(job->bytes + end - LOCATOR_SIZE) != LOCATOR_SIGNATURE)
		return true;
	locator = job->bytes + end - LOCATOR_SIZE;
	from = read64(locator + 8);
	if (read32(locator + 4) != 0 || read32(locator + 16) > 1)
	{
		mf_refuse(job->refusal, MF_ERROR_UNSUPPORTED,
				  "The file is one volume of an archive of several.");
		return false;
	}
	if (end - LOCATOR_SIZE < END64_SIZE ||
		from > end - LOCATOR_SIZE - END64_SIZE ||
		read32(job->bytes + from) != END64_SIGNATURE)
		return refuse_damaged(job, "its directory is not where it should be");
	record = job->bytes + from;
	if (read32(record + 16) != 0 || read32(record + 20) != 0 ||
		read64(record + 24) != read64(record + 32))
		return refuse_damaged(job, "its directory is not whole");
	if ((directory->entries != UINT16_MAX &&
		 directory->entries != read64(record + 32)) ||
		(directory->size != UINT32_MAX &&
		 directory->size != read64(record + 40)) ||
		(directory->from != UINT32_MAX &&
		 directory->from != read64(record + 48)))
		return refuse_damaged(job, "it has two different directories");
	directory->entries = read64(record + 32);
	directory->size = read64(record + 40);
	directory->from = read64(record + 48);
	directory->until = from;
	return true;
}

/* Finds the directory by the record at the end of the file. */
static bool
find_directory(MfJob *job, Directory *directory)
{
	const uint8_t *record = NULL;
	uint64_t	end;

	for (end = job->size - (job->size < END_SIZE ? job->size : END_SIZE);
		 end > 0 && job->size - end <= END_SIZE + MAX_COMMENT; end--)
		if (read32(job->bytes + end) == END_SIGNATURE &&
			read16(job->bytes + end + 20) == job->size - end - END_SIZE)
		{
			record = job->bytes + end;
			break;
		}
	if (record == NULL)
	{
		mf_refuse(job->refusal, MF_ERROR_TRUNCATED,
				  "The end of the archive, such as 3MF, is missing; the file "
				  "was probably not transferred completely.");
		return false;
	}
	directory->entries = read16(record + 10);
	directory->size = read32(record + 12);
	directory->from = read32(record + 16);
	directory->until = end;
	if (!find_directory64(job, end, directory))
		return false;
	if (directory->until == end &&
		(read16(record + 4) != 0 || read16(record + 6) != 0 ||
		 read16(record + 8) != read16(record + 10)))
	{
		mf_refuse(job->refusal, MF_ERROR_UNSUPPORTED,
				  "The file is one volume of an archive of several.");
		return false;
	}

	/* Programs look for the directory from either side. */
	if (directory->from > directory->until ||
		directory->size != directory->until - directory->from)
		return refuse_damaged(job, "its directory is not where it should be");
	if (directory->entries > MF_ZIP_MAX_ENTRIES)
	{
		mf_refuse(job->refusal, MF_ERROR_ARCHIVE_BOMB,
				  "The archive has %llu entries; at most %d are allowed.",
				  (unsigned long long) directory->entries, MF_ZIP_MAX_ENTRIES);
		return false;
	}
	if (directory->entries > directory->size / CENTRAL_SIZE)
		return refuse_damaged(job, "its directory is too short");
	return true;
}

/*
 * Reads from the extra fields, in their order, those of the numbers that
 * have no room in their own ones.  False: one is missing.
 */
static bool
read_long(const uint8_t *extra, uint32_t length, uint64_t *const *number,
		  int count)
{
	uint32_t	at = 0;
	int			missing = 0;

	for (int i = 0; i < count; i++)
		missing += *number[i] == UINT32_MAX;
	while (missing > 0 && length - at >= 4)
	{
		const uint32_t id = read16(extra + at);
		const uint32_t size = read16(extra + at + 2);

		at += 4;
		if (size > length - at)
			return false;
		if (id == EXTRA_ZIP64)
		{
			uint32_t	taken = 0;

			for (int i = 0; i < count; i++)
				if (*number[i] == UINT32_MAX)
				{
					if (size - taken < 8)
						return false;
					*number[i] = read64(extra + at + taken);
					taken += 8;
				}
			return true;
		}
		at += size;
	}
	return missing == 0;
}

/* Is an entry of a kind that is read?  `made_by`: who made it, and how. */
static bool
check_kind(MfJob *job, const MfZipEntry *entry, uint32_t flags,
		   uint32_t method, uint32_t made_by, uint32_t attributes)
{
	if ((flags & (FLAG_ENCRYPTED | FLAG_STRONG | FLAG_MASKED)) != 0)
		return refuse_entry(job, MF_ERROR_UNSUPPORTED, entry,
							"is encrypted");
	if ((flags & FLAG_PATCH) != 0 ||
		(method != METHOD_STORED && method != METHOD_DEFLATED))
		return refuse_entry(job, MF_ERROR_UNSUPPORTED, entry,
							"is compressed in an unusual way");
	if (made_by >> 8 == HOST_UNIX &&
		(attributes >> 16 & UNIX_TYPE) == UNIX_LINK)
		return refuse_entry(job, MF_ERROR_MALFORMED, entry,
							"is a link to another file");
	if (entry->name_length == 0 ||
		memchr(entry->name, 0, entry->name_length) != NULL)
		return refuse_damaged(job, "an entry has no valid name");
	if (method == METHOD_STORED && entry->packed_size != entry->size)
		return refuse_entry(job, MF_ERROR_MALFORMED, entry,
							"has two different sizes");
	return true;
}

/*
 * Finds the bytes of an entry behind its local header, which must say what
 * the directory says.
 */
static bool
find_bytes(MfJob *job, const Directory *directory, MfZipEntry *entry)
{
	const uint8_t *local;
	uint64_t	left;
	uint64_t	packed_size;
	uint64_t	size;
	uint64_t   *const numbers[] = {&size, &packed_size};
	uint32_t	extra;

	if (entry->from > directory->from ||
		directory->from - entry->from < LOCAL_SIZE ||
		read32(job->bytes + entry->from) != LOCAL_SIGNATURE)
		return refuse_entry(job, MF_ERROR_MALFORMED, entry,
							"is not where the directory says");
	local = job->bytes + entry->from;
	left = directory->from - entry->from - LOCAL_SIZE;
	extra = read16(local + 28);
	if (read16(local + 26) != entry->name_length ||
		entry->name_length > left || extra > left - entry->name_length ||
		memcmp(local + LOCAL_SIZE, entry->name, entry->name_length) != 0)
		return refuse_entry(job, MF_ERROR_MALFORMED, entry,
							"has another name in the directory");
	left -= entry->name_length + extra;
	entry->packed = local + LOCAL_SIZE + entry->name_length + extra;
	if (entry->packed_size > left)
		return refuse_entry(job, MF_ERROR_TRUNCATED, entry,
							"is longer than the file");
	packed_size = read32(local + 18);
	size = read32(local + 22);
	if (!read_long(entry->packed - extra, extra, numbers, 2))
		return refuse_entry(job, MF_ERROR_MALFORMED, entry, "has no size");
	if (((read16(local + 6) & FLAG_SUMS_FOLLOW) == 0 &&
		 (read32(local + 14) != entry->crc || size != entry->size ||
		  packed_size != entry->packed_size)) ||
		(read16(local + 6) & (FLAG_ENCRYPTED | FLAG_PATCH | FLAG_STRONG |
							  FLAG_MASKED)) != 0 ||
		read16(local + 8) != (entry->deflated ? METHOD_DEFLATED :
							  METHOD_STORED))
		return refuse_entry(job, MF_ERROR_MALFORMED, entry,
							"is not what the directory says");
	return true;
}

/* Reads one entry of the directory; how long it is, or 0: refused. */
static uint64_t
read_entry(MfJob *job, const Directory *directory, uint64_t at,
		   MfZipEntry *entry)
{
	const uint8_t *central = job->bytes + at;
	const uint64_t left = directory->from + directory->size - at;
	uint64_t   *const numbers[] = {
		&entry->size, &entry->packed_size, &entry->from
	};
	uint32_t	extra;
	uint32_t	comment;
	uint64_t	length;

	if (left < CENTRAL_SIZE || read32(central) != CENTRAL_SIGNATURE)
		return refuse_damaged(job, "its directory has a broken entry");
	entry->name_length = read16(central + 28);
	extra = read16(central + 30);
	comment = read16(central + 32);
	length = CENTRAL_SIZE + (uint64_t) entry->name_length + extra + comment;
	if (length > left)
		return refuse_damaged(job, "its directory has a broken entry");
	entry->name = (const char *) central + CENTRAL_SIZE;
	entry->deflated = read16(central + 10) == METHOD_DEFLATED;
	entry->crc = read32(central + 16);
	entry->packed_size = read32(central + 20);
	entry->size = read32(central + 24);
	entry->from = read32(central + 42);
	if (!read_long(central + CENTRAL_SIZE + entry->name_length, extra,
				   numbers, 3))
		return refuse_entry(job, MF_ERROR_MALFORMED, entry, "has no size");
	if (!check_kind(job, entry, read16(central + 8), read16(central + 10),
					read16(central + 4), read32(central + 38)) ||
		!find_bytes(job, directory, entry))
		return 0;
	return length;
}

static inline uint8_t
lower(char c)
{
	return (uint8_t) (c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* Orders names without regard to the case of ASCII letters. */
static int
compare_names(const char *a, size_t a_length, const char *b, size_t b_length)
{
	const size_t shared = a_length < b_length ? a_length : b_length;

	for (size_t i = 0; i < shared; i++)
		if (lower(a[i]) != lower(b[i]))
			return lower(a[i]) < lower(b[i]) ? -1 : 1;
	return a_length < b_length ? -1 : a_length > b_length;
}

static int
compare_entries(const void *a, const void *b)
{
	const MfZipEntry *one = a;
	const MfZipEntry *other = b;

	return compare_names(one->name, one->name_length,
						 other->name, other->name_length);
}

static int
compare_places(const void *a, const void *b)
{
	const MfZipEntry *one = a;
	const MfZipEntry *other = b;

	return one->from < other->from ? -1 : one->from > other->from;
}

/* Does an entry grow to many times its size?  True: refused. */
static bool
refuse_growth(MfJob *job, const MfZipEntry *entry)
{
	const uint32_t most = entry->size > MF_ZIP_HUGE ? MF_ZIP_HUGE_RATIO :
	MF_ZIP_MAX_RATIO;
	char		what[64];

	if (entry->size <= MF_ZIP_LARGE ||
		entry->size / most <= entry->packed_size)
		return false;
	snprintf(what, sizeof(what), "would grow to more than %u times its size",
			 most);
	return !refuse_entry(job, MF_ERROR_ARCHIVE_BOMB, entry, what);
}

/* Do entries grow too much, share bytes, or share a name? */
static bool
check_entries(MfJob *job, MfZip *zip)
{
	uint64_t	all = 0;

	for (uint32_t i = 0; i < zip->count; i++)
		if (zip->entry[i].size > MF_ZIP_MAX_EXPANDED ||
			(all += zip->entry[i].size) > MF_ZIP_MAX_EXPANDED)
			return refuse_bomb(job);
	qsort(zip->entry, zip->count, sizeof(*zip->entry), compare_places);
	for (uint32_t i = 0; i < zip->count; i++)
	{
		const MfZipEntry *entry = &zip->entry[i];

		if (refuse_growth(job, entry))
			return false;
		if (i + 1 < zip->count &&
			entry->packed + entry->packed_size >
			job->bytes + zip->entry[i + 1].from)
			return refuse_entry(job, MF_ERROR_ARCHIVE_BOMB, entry,
								"shares bytes with another one");
	}
	qsort(zip->entry, zip->count, sizeof(*zip->entry), compare_entries);
	for (uint32_t i = 1; i < zip->count; i++)
		if (compare_entries(&zip->entry[i - 1], &zip->entry[i]) == 0)
			return refuse_entry(job, MF_ERROR_MALFORMED, &zip->entry[i],
								"is there twice");
	return true;
}

/* Reads the directory; see zip.h. */
bool
mf_zip_open(MfJob *job, MfZip *zip)
{
	Directory	directory;
	uint64_t	at;

	if (!find_directory(job, &directory))
		return false;
	zip->entry = mf_memory_alloc(&job->memory, directory.entries *
								 sizeof(*zip->entry));
	if (zip->entry == NULL)
		return mf_job_out_of_memory(job);
	zip->room = (uint32_t) directory.entries;
	at = directory.from;
	for (; zip->count < zip->room; zip->count++)
	{
		const uint64_t length = read_entry(job, &directory, at,
										   &zip->entry[zip->count]);

		if (length == 0)
			return false;
		at += length;
	}
	if (at != directory.from + directory.size)
		return refuse_damaged(job, "its directory is longer than it says");
	return check_entries(job, zip);
}

/* Finds an entry by its name; see zip.h. */
const MfZipEntry *
mf_zip_find(const MfZip *zip, const char *name, size_t length)
{
	uint32_t	low = 0;
	uint32_t	high = zip->count;

	while (low < high)
	{
		const uint32_t middle = low + (high - low) / 2;
		const MfZipEntry *entry = &zip->entry[middle];
		const int	order = compare_names(name, length, entry->name,
										  entry->name_length);

		if (order == 0)
			return entry;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* Inflates an entry into a block of the size that the directory says. */
static bool
inflate(MfJob *job, const MfZipEntry *entry, MfZipContent *content)
{
	struct libdeflate_decompressor *inflater;
	enum libdeflate_result result;
	size_t		used;
	size_t		made;

	content->block = mf_memory_alloc(&job->memory, entry->size);
	inflater = libdeflate_alloc_decompressor();
	if (content->block == NULL || inflater == NULL)
	{
		libdeflate_free_decompressor(inflater);
		return mf_job_out_of_memory(job);
	}
	result = libdeflate_deflate_decompress_ex(inflater, entry->packed,
											  entry->packed_size,
											  content->block, entry->size,
											  &used, &made);
	libdeflate_free_decompressor(inflater);
	content->bytes = content->block;
	if (result != LIBDEFLATE_SUCCESS || used != entry->packed_size ||
		made != entry->size)
		return refuse_entry(job, MF_ERROR_MALFORMED, entry, "is damaged");
	return true;
}

/* Reads an entry; see zip.h. */
bool
mf_zip_read(MfJob *job, const MfZipEntry *entry, MfZipContent *content)
{
	memset(content, 0, sizeof(*content));
	content->bytes = entry->packed;
	content->size = entry->size;
	if ((entry->deflated && !inflate(job, entry, content)) ||
		(libdeflate_crc32(0, content->bytes, content->size) != entry->crc &&
		 !refuse_entry(job, MF_ERROR_MALFORMED, entry, "is damaged")))
	{
		mf_zip_release(job, content);
		return false;
	}
	return true;
}

/* Gives the memory of a content back. */
void
mf_zip_release(MfJob *job, MfZipContent *content)
{
	mf_memory_free(&job->memory, content->block, content->size);
	memset(content, 0, sizeof(*content));
}

/* Gives the memory of the directory back. */
void
mf_zip_close(MfJob *job, MfZip *zip)
{
	mf_memory_free(&job->memory, zip->entry,
				   zip->room * (uint64_t) sizeof(*zip->entry));
	memset(zip, 0, sizeof(*zip));
}
