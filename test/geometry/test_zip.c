/*
 * test_zip.c
 *		The reader of ZIP archives: what it reads, and all that it refuses.
 */
#include "../../src/geometry/zip.h"
#include "package.h"
#include "tap.h"

static const char words[] = "words words words words words words words words";

/* Opens an archive and reads an entry into `out`; "" where refused. */
static MfErrorCode
read_archive(const Bytes *bytes, const char *name, char *out, size_t room,
			 MfRefusal *refusal)
{
	uint8_t    *copy = checked(malloc(bytes->size > 0 ? bytes->size : 1));
	MfJob		job = {.bytes = copy,.size = bytes->size,.refusal = refusal};
	MfZip		zip = {0};
	MfZipContent content = {0};
	bool		good;

	if (bytes->size > 0)
		memcpy(copy, bytes->at, bytes->size);
	memset(refusal, 0, sizeof(*refusal));
	out[0] = '\0';
	good = mf_zip_open(&job, &zip);
	if (good && name != NULL)
	{
		const MfZipEntry *entry = mf_zip_find(&zip, name, strlen(name));

		if (entry == NULL)
			refusal->code = MF_ERROR_EMPTY;
		good = entry != NULL && mf_zip_read(&job, entry, &content);
		if (good)
			snprintf(out, room, "%.*s", (int) content.size, content.bytes);
	}
	mf_zip_release(&job, &content);
	mf_zip_close(&job, &zip);
	free(copy);
	if (job.memory.used != 0)
		printf("# %llu bytes are left\n", (unsigned long long) job.memory.used);
	return good && job.memory.used == 0 ? MF_ERROR_NONE :
		refusal->code == MF_ERROR_NONE ? MF_ERROR_SANDBOX : refusal->code;
}

/* An archive of these entries is read as it should be. */
static void
reads(const Entry *entry, int count, bool long_fields, const char *name,
	  const char *what)
{
	Archive		archive = {0};
	Bytes		bytes;
	char		out[100];
	MfRefusal	refusal;

	for (int i = 0; i < count; i++)
		add_entry(&archive, &entry[i]);
	bytes = finish_archive(&archive, long_fields);
	ok(read_archive(&bytes, name, out, sizeof(out), &refusal) ==
	   MF_ERROR_NONE && strcmp(out, words) == 0, "%s", what);
	if (refusal.text[0] != '\0')
		printf("# %s\n", refusal.text);
	free_bytes(&bytes);
}

/* An archive is refused, with that code and something like that. */
static void
refuses_bytes(const Bytes *bytes, MfErrorCode code, const char *part,
			  const char *what)
{
	char		out[100];
	MfRefusal	refusal;
	const MfErrorCode got = read_archive(bytes, "a", out, sizeof(out),
										 &refusal);

	ok(got == code && sane_refusal(&refusal) &&
	   strstr(refusal.text, part) != NULL, "%s: %s", what,
	   mf_error_code_name(got));
	printf("# %s\n", refusal.text);
}

static void
refuses(const Entry *entry, int count, MfErrorCode code, const char *part,
		const char *what)
{
	Archive		archive = {0};
	Bytes		bytes;

	for (int i = 0; i < count; i++)
		add_entry(&archive, &entry[i]);
	bytes = finish_archive(&archive, false);
	refuses_bytes(&bytes, code, part, what);
	free_bytes(&bytes);
}

static void
test_good(void)
{
	const Entry stored[] = {{.name = "a",.text = words}};
	const Entry deflated[] = {{.name = "a",.text = words,.deflated = true}};
	const Entry several[] = {
		{.name = "z",.text = "other"},
		{.name = "Folder/",.text = ""},
		{.name = "Folder/A.Model",.text = words,.deflated = true},
		{.name = "../climbs",.text = "other"}
	};
	const Entry long_fields[] = {
		{.name = "a",.text = words,.deflated = true,.long_fields = true}
	};
	const Entry follow[] = {
		{.name = "a",.text = words,.deflated = true,.sums_follow = true},
		{.name = "b",.text = words}
	};
	const Entry utf8[] = {
		{.name = "\303\244",.text = words,.flags = 0x800}
	};
	const Entry unix_file[] = {
		{.name = "a",.text = words,.made_by = 3 << 8 | 20,
		.attributes = 0100644u << 16}
	};

	reads(stored, 1, false, "a", "a stored entry");
	reads(deflated, 1, false, "a", "a deflated entry");
	reads(several, 4, false, "folder/a.model", "a name in any case");
	reads(long_fields, 1, false, "a", "an entry with long fields");
	reads(deflated, 1, true, "a", "a directory with long fields");
	reads(long_fields, 1, true, "a", "both");
	reads(follow, 2, false, "a", "sizes behind the data");
	reads(utf8, 1, false, "\303\244", "a name in UTF-8");
	reads(unix_file, 1, false, "a", "a file of Unix");
}

static void
test_entries(void)
{
	const Entry encrypted[] = {{.name = "a",.text = words,.flags = 1}};
	const Entry masked[] = {{.name = "a",.text = words,.flags = 0x2000}};
	const Entry patched[] = {{.name = "a",.text = words,.flags = 0x20}};
	const Entry method[] = {{.name = "a",.text = words,.method = 12}};
	const Entry link[] = {
		{.name = "a",.text = words,.made_by = 3 << 8 | 20,
		.attributes = 0120777u << 16}
	};
	const Entry twice[] = {
		{.name = "3D/a",.text = words}, {.name = "b",.text = words},
		{.name = "3d/A",.text = "other"}
	};
	const Entry sum[] = {{.name = "a",.text = words,.wrong_sum = 1}};
	const Entry deflated_sum[] = {
		{.name = "a",.text = words,.wrong_sum = 1,.deflated = true}
	};
	const Entry longer[] = {
		{.name = "a",.text = words,.deflated = true,.claimed_size = 48}
	};
	const Entry shorter[] = {
		{.name = "a",.text = words,.deflated = true,.claimed_size = 10}
	};
	const Entry stored_longer[] = {
		{.name = "a",.text = words,.claimed_size = 1000}
	};
	const Entry other_name[] = {
		{.name = "a",.text = words,.local_name = "b"}
	};
	const Entry longer_name[] = {
		{.name = "a",.text = words,.local_name = "ab"}
	};
	const Entry other_method[] = {
		{.name = "a",.text = words,.local_method = 8}
	};
	const Entry elsewhere[] = {
		{.name = "a",.text = words,.from = 3}
	};
	const Entry beyond[] = {
		{.name = "a",.text = words,.from = 1000000}
	};
	const Entry nameless[] = {{.name = "",.text = words}};

	refuses(encrypted, 1, MF_ERROR_UNSUPPORTED, "encrypted", "encrypted");
	refuses(masked, 1, MF_ERROR_UNSUPPORTED, "encrypted", "masked");
	refuses(patched, 1, MF_ERROR_UNSUPPORTED, "unusual", "patched");
	refuses(method, 1, MF_ERROR_UNSUPPORTED, "unusual", "another method");
	refuses(link, 1, MF_ERROR_MALFORMED, "link", "a symbolic link");
	refuses(twice, 3, MF_ERROR_MALFORMED, "twice", "a name twice");
	refuses(sum, 1, MF_ERROR_MALFORMED, "damaged", "a wrong sum");
	refuses(deflated_sum, 1, MF_ERROR_MALFORMED, "damaged",
			"a wrong sum of a deflated entry");
	refuses(longer, 1, MF_ERROR_MALFORMED, "damaged",
			"less than the directory says");
	refuses(shorter, 1, MF_ERROR_MALFORMED, "damaged",
			"more than the directory says");
	refuses(stored_longer, 1, MF_ERROR_MALFORMED, "two different sizes",
			"a stored entry of two sizes");
	refuses(other_name, 1, MF_ERROR_MALFORMED, "another name",
			"another name in the directory");
	refuses(longer_name, 1, MF_ERROR_MALFORMED, "another name",
			"a longer name");
	refuses(other_method, 1, MF_ERROR_MALFORMED, "not what the directory",
			"another method in the directory");
	refuses(elsewhere, 1, MF_ERROR_MALFORMED, "not where",
			"no entry at that place");
	refuses(beyond, 1, MF_ERROR_MALFORMED, "not where",
			"a place beyond the end");
	refuses(nameless, 1, MF_ERROR_MALFORMED, "name", "no name");
}

/* Entries that share bytes: one inside of another, stored one. */
static void
test_overlap(void)
{
	Archive		inner = {0};
	Archive		archive = {0};
	const Entry small = {.name = "b",.text = words};
	Entry		outer = {.name = "a"};
	Entry		shared = {.name = "b",.text = words};
	Bytes		bytes;

	add_entry(&inner, &small);
	outer.text = (const char *) inner.file.at;
	outer.size = inner.file.size;
	add_entry(&archive, &outer);
	shared.from = 31;
	add_entry(&archive, &shared);
	bytes = finish_archive(&archive, false);
	refuses_bytes(&bytes, MF_ERROR_ARCHIVE_BOMB, "shares bytes",
				  "an entry within another");
	free_bytes(&bytes);
	free_bytes(&inner.file);
	free_bytes(&inner.directory);
}

static void
test_limits(void)
{
	Archive		archive = {0};
	const Entry claims = {
		.name = "a",.text = words,.claimed_size = UINT64_C(1) << 40,
		.long_fields = true,.deflated = true
	};
	const Entry half[] = {
		{.name = "a",.text = words,.claimed_size = UINT64_C(600) << 20,
		.deflated = true},
		{.name = "b",.text = words,.claimed_size = UINT64_C(600) << 20,
		.deflated = true}
	};
	char	   *zeros = checked(calloc(1, 4 << 20));
	const Entry bomb = {
		.name = "a",.text = zeros,.size = 4 << 20,.deflated = true
	};
	const Entry huge = {
		.name = "a",.text = zeros,.size = 4 << 20,.method = 8,
		.claimed_size = UINT64_C(500) << 20
	};
	Bytes		bytes;

	refuses(&claims, 1, MF_ERROR_ARCHIVE_BOMB, "1024 MB", "a terabyte");
	refuses(half, 2, MF_ERROR_ARCHIVE_BOMB, "1024 MB", "two halves");
	refuses(&bomb, 1, MF_ERROR_ARCHIVE_BOMB, "200 times", "zeros");
	refuses(&huge, 1, MF_ERROR_ARCHIVE_BOMB, "50 times", "500 MB of 4 MB");
	free(zeros);

	for (int i = 0; i <= MF_ZIP_MAX_ENTRIES; i++)
	{
		char		name[16];
		Entry		entry = {.name = name,.text = "x"};

		snprintf(name, sizeof(name), "%d", i);
		add_entry(&archive, &entry);
	}
	bytes = finish_archive(&archive, false);
	refuses_bytes(&bytes, MF_ERROR_ARCHIVE_BOMB, "10001 entries",
				  "an entry too many");
	free_bytes(&bytes);
}

/* A directory that is found at another place from the end than by its place. */
static void
test_directories(void)
{
	const Entry entry = {.name = "a",.text = words};
	Archive		archive = {0};
	Bytes		bytes;
	const uint8_t gap[4] = {0};

	add_entry(&archive, &entry);
	add_bytes(&archive.directory, gap, sizeof(gap));
	bytes = finish_archive(&archive, false);
	bytes.at[bytes.size - 10] -= sizeof(gap);
	refuses_bytes(&bytes, MF_ERROR_MALFORMED, "not where it should be",
				  "a gap behind the directory");
	free_bytes(&bytes);

	add_entry(&archive, &entry);
	add_bytes(&archive.directory, gap, sizeof(gap));
	bytes = finish_archive(&archive, false);
	refuses_bytes(&bytes, MF_ERROR_MALFORMED, "longer than it says",
				  "a directory with more than its entries");
	free_bytes(&bytes);

	add_entry(&archive, &entry);
	bytes = finish_archive(&archive, true);
	for (int i = 10; i < 12; i++)
		bytes.at[bytes.size - 22 + i] = 0;
	refuses_bytes(&bytes, MF_ERROR_MALFORMED, "two different directories",
				  "other numbers in the long record");
	free_bytes(&bytes);
}

/* Each number of the records at the end, set to each of some values. */
static void
test_ends(bool long_fields)
{
	static const uint64_t values[] = {
		0, 1, 0x7f, 0xff, 0x8000, 0xffff, 0xfffffffe, 0xffffffff,
		UINT64_C(0x7fffffffffffffff), UINT64_C(0xffffffffffffffff)
	};
	const Entry entry = {.name = "a",.text = words};
	const size_t records = long_fields ? 56 + 20 + 22 : 22;
	int			wrong = 0;
	int			cases = 0;

	for (size_t at = 0; at < records; at += 2)
		for (int bytes = 2; bytes <= 8; bytes *= 2)
			for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++)
			{
				Archive		archive = {0};
				Bytes		file;
				char		out[100];
				MfRefusal	refusal;
				MfErrorCode code;

				add_entry(&archive, &entry);
				file = finish_archive(&archive, long_fields);
				for (int i = 0; i < bytes && at + i < records; i++)
					file.at[file.size - records + at + i] =
						(uint8_t) (values[v] >> 8 * i);
				code = read_archive(&file, "a", out, sizeof(out), &refusal);
				cases++;
				wrong += code == MF_ERROR_NONE ? strcmp(out, words) != 0 :
					code != MF_ERROR_EMPTY && !sane_refusal(&refusal);
				free_bytes(&file);
			}
	ok(wrong == 0 && cases > 300, "%d ends with wrong numbers, %s fields",
	   cases, long_fields ? "long" : "short");
}

/* Every beginning of an archive is refused. */
static void
test_truncation(void)
{
	const Entry entry[] = {
		{.name = "a",.text = words,.deflated = true},
		{.name = "b",.text = words}
	};
	Archive		archive = {0};
	Bytes		whole;
	int			wrong = 0;

	add_entry(&archive, &entry[0]);
	add_entry(&archive, &entry[1]);
	whole = finish_archive(&archive, false);
	for (size_t size = 0; size < whole.size; size++)
	{
		const Bytes part = {.at = whole.at,.size = size};
		char		out[100];
		MfRefusal	refusal;

		wrong += read_archive(&part, "a", out, sizeof(out), &refusal) !=
			MF_ERROR_TRUNCATED;
	}
	ok(wrong == 0, "every beginning of %zu bytes is refused", whole.size);
	free_bytes(&whole);
}

int
main(void)
{
	test_good();
	test_entries();
	test_overlap();
	test_limits();
	test_directories();
	test_ends(false);
	test_ends(true);
	test_truncation();
	return tap_done();
}
