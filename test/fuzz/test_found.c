/*
 * test_found.c
 *		Replays what is fuzzed with: the seeds of each target, inputs that
 *		once did harm (test/fuzz/found/TARGET), and damaged copies of both.
 *
 * The folders are those of the checkout; MESFLOW_FUZZ names another place,
 * FUZZ_ONLY a single target, which is then replayed without damage.
 */
#include "targets.h"

#include "../geometry/tap.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Damaged copies of each file, and bytes changed in one of them. */
#define COPIES	24
#define CHANGES	4

/* Longer files are replayed, and not damaged. */
#define DAMAGED_BYTES	65536

/* xorshift64* (Marsaglia 2003, Vigna 2016): the same numbers on every run. */
static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(0x2545f4914f6cdd1d);
}

/* Reads a file into a block without a byte to spare; NULL: cannot. */
static uint8_t *
load(const char *path, size_t *size)
{
	FILE	   *stream = fopen(path, "rb");
	uint8_t    *bytes = NULL;
	long		length;

	if (stream == NULL)
		return NULL;
	if (fseek(stream, 0, SEEK_END) == 0 && (length = ftell(stream)) >= 0)
	{
		rewind(stream);
		*size = (size_t) length;
		bytes = malloc(*size > 0 ? *size : 1);
		if (bytes != NULL && fread(bytes, 1, *size, stream) != *size)
		{
			free(bytes);
			bytes = NULL;
		}
	}
	fclose(stream);
	return bytes;
}

/* Runs a target on a file, then on damaged copies; how many runs. */
static int
replay(const FuzzTarget *target, const char *path, int copies,
	   uint64_t *state)
{
	size_t		size = 0;
	uint8_t    *bytes = load(path, &size);
	int			runs = 1;

	if (bytes == NULL)
		return 0;
	target->run(bytes, size);
	for (int copy = 0; copy < copies && size > 0 && size <= DAMAGED_BYTES;
		 copy++)
	{
		const size_t cut = copy % 4 == 3 ? next_random(state) % size : size;
		uint8_t    *damaged = malloc(cut > 0 ? cut : 1);

		if (damaged == NULL)
			break;
		memcpy(damaged, bytes, cut);
		for (int i = 0; i < CHANGES && cut > 0 && copy % 4 != 3; i++)
			damaged[next_random(state) % cut] = (uint8_t) next_random(state);
		target->run(damaged, cut);
		free(damaged);
		runs++;
	}
	free(bytes);
	return runs;
}

/* Names in the order of the alphabet, so that every run does the same. */
static int
replay_folder(const FuzzTarget *target, const char *folder, int copies,
			  int *files)
{
	struct dirent **entries;
	char		path[4096];
	uint64_t	state = 88172645463325252;
	int			count = scandir(folder, &entries, NULL, alphasort);
	int			runs = 0;

	*files = 0;
	for (int i = 0; i < count; i++)
	{
		if (entries[i]->d_name[0] != '.')
		{
			snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
			runs += replay(target, path, copies, &state);
			++*files;
		}
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return runs;
}

int
main(void)
{
	const char *top = getenv("MESFLOW_FUZZ");
	const char *only = getenv("FUZZ_ONLY");

	if (top == NULL || top[0] == '\0')
		top = "test/fuzz";
	for (const FuzzTarget *target = fuzz_targets; target->name != NULL;
		 target++)
	{
		static const char *const kinds[] = {"seeds", "found"};

		if (only != NULL && strcmp(only, target->name) != 0)
			continue;
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		{
			char		folder[4096];
			int			files;
			int			runs;

			snprintf(folder, sizeof(folder), "%s/%s/%s", top, kinds[k],
					 target->name);
			runs = replay_folder(target, folder, only == NULL ? COPIES : 0,
								 &files);
			ok(files == 0 ? k == 1 : runs >= files,
			   "%s: %d %s, %d runs", target->name, files, kinds[k], runs);
		}
	}
	return tap_done();
}
