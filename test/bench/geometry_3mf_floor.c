/*
 * geometry_3mf_floor.c
 *		What reading a 3MF file costs at the least with the usual libraries:
 *		inflates its model with zlib and scans it with expat, and does
 *		nothing with what it finds but count.
 *
 *		geometry_3mf_floor FILE
 *
 * Prints how many vertices and triangles there are.  Checks no more than it
 * must to get there; it is for files of our own.
 */
#include <expat.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <zlib.h>

static unsigned long vertices;
static unsigned long triangles;

static void
fail(const char *what)
{
	fprintf(stderr, "geometry_3mf_floor: %s\n", what);
	exit(1);
}

static uint32_t
number(const uint8_t *at, int bytes)
{
	uint32_t	value = 0;

	while (bytes-- > 0)
		value = value << 8 | at[bytes];
	return value;
}

static void XMLCALL
on_start(void *arg, const char *name, const char **attributes)
{
	(void) arg;
	(void) attributes;
	vertices += strcmp(name, "vertex") == 0;
	triangles += strcmp(name, "triangle") == 0;
}

/* Inflates what begins here, piece by piece, and scans each piece. */
static void
scan(const uint8_t *packed, uint32_t size)
{
	static uint8_t piece[65536];
	XML_Parser	parser = XML_ParserCreate(NULL);
	z_stream	inflater = {0};
	int			status = Z_OK;

	if (parser == NULL || inflateInit2(&inflater, -MAX_WBITS) != Z_OK)
		fail("no memory");
	XML_SetStartElementHandler(parser, on_start);
	inflater.next_in = (Bytef *) packed;
	inflater.avail_in = size;
	while (status == Z_OK)
	{
		inflater.next_out = piece;
		inflater.avail_out = sizeof(piece);
		status = inflate(&inflater, Z_NO_FLUSH);
		if ((status != Z_OK && status != Z_STREAM_END) ||
			XML_Parse(parser, (const char *) piece,
					  (int) (sizeof(piece) - inflater.avail_out),
					  status == Z_STREAM_END) != XML_STATUS_OK)
			fail("the model is damaged");
	}
	inflateEnd(&inflater);
	XML_ParserFree(parser);
}

int
main(int argc, char **argv)
{
	const int	file = argc == 2 ? open(argv[1], O_RDONLY) : -1;
	struct stat status;
	const uint8_t *bytes;
	const uint8_t *end;
	const uint8_t *entry;

	if (file < 0 || fstat(file, &status) != 0 || status.st_size < 22)
		fail("usage: geometry_3mf_floor FILE");
	bytes = mmap(NULL, (size_t) status.st_size, PROT_READ,
				 MAP_PRIVATE | MAP_POPULATE, file, 0);
	if (bytes == MAP_FAILED)
		fail("the file cannot be mapped");
	end = bytes + status.st_size - 22;
	entry = bytes + number(end + 16, 4);
	for (uint32_t left = number(end + 10, 2); left > 0; left--)
	{
		const uint8_t *local = bytes + number(entry + 42, 4);
		const uint32_t name = number(entry + 28, 2);

		if (name > 6 && memcmp(entry + 46 + name - 6, ".model", 6) == 0)
			scan(local + 30 + number(local + 26, 2) + number(local + 28, 2),
				 number(entry + 20, 4));
		entry += 46 + name + number(entry + 30, 2) + number(entry + 32, 2);
	}
	printf("%lu vertices, %lu triangles\n", vertices, triangles);
	return 0;
}
