/*
 * geometry_3mf_make.c
 *		Writes a torus with a rough surface as 3MF, for the benchmark.
 *
 *		geometry_3mf_make ROWS COLUMNS > FILE
 *
 * 2 x ROWS x COLUMNS triangles in one object, the text as programs write it:
 * an element in a line, indented, six decimals; deflated by zlib at its usual
 * level.  The same bytes every time.
 */
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define MAJOR	30.0			/* mm */
#define MINOR	10.0
#define ROUGHNESS	0.02

typedef struct Text
{
	char	   *at;
	size_t		size;
	size_t		room;
} Text;

static uint64_t state = 1;

/* Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014. */
static uint64_t
next_random(void)
{
	uint64_t	z = (state += 0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static void *
checked(void *block)
{
	if (block == NULL)
	{
		perror("geometry_3mf_make");
		exit(1);
	}
	return block;
}

static void
add_bytes(Text *text, const void *from, size_t size)
{
	if (text->room - text->size < size)
	{
		text->room = text->room * 2 + size;
		text->at = checked(realloc(text->at, text->room));
	}
	memcpy(text->at + text->size, from, size);
	text->size += size;
}

static void
__attribute__((format(printf, 2, 3)))
add(Text *text, const char *format,...)
{
	char		line[512];
	va_list		args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	add_bytes(text, line, strlen(line));
}

/* Adds a number of so many bytes, the lowest first. */
static void
add_number(Text *text, uint32_t number, int bytes)
{
	for (int i = 0; i < bytes; i++)
	{
		const uint8_t byte = (uint8_t) (number >> 8 * i);

		add_bytes(text, &byte, 1);
	}
}

static Text
make_model(uint32_t rows, uint32_t columns)
{
	Text		model = {0};

	add(&model, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<model unit=\"millimeter\" xml:lang=\"en-US\" xmlns=\"http://schemas."
		"microsoft.com/3dmanufacturing/core/2015/02\">\n <resources>\n"
		"  <object id=\"1\" type=\"model\">\n   <mesh>\n    <vertices>\n");
	for (uint32_t r = 0; r < rows; r++)
		for (uint32_t c = 0; c < columns; c++)
		{
			const double u = 2 * M_PI * r / rows;
			const double v = 2 * M_PI * c / columns;
			const double minor = MINOR +
			ROUGHNESS * (double) (next_random() >> 40) / 16777216;

			add(&model, "     <vertex x=\"%.6f\" y=\"%.6f\" z=\"%.6f\"/>\n",
				(MAJOR + minor * cos(v)) * cos(u),
				(MAJOR + minor * cos(v)) * sin(u), minor * sin(v));
		}
	add(&model, "    </vertices>\n    <triangles>\n");
	for (uint32_t r = 0; r < rows; r++)
		for (uint32_t c = 0; c < columns; c++)
		{
			const uint32_t r1 = (r + 1) % rows;
			const uint32_t c1 = (c + 1) % columns;

			add(&model,
				"     <triangle v1=\"%u\" v2=\"%u\" v3=\"%u\"/>\n"
				"     <triangle v1=\"%u\" v2=\"%u\" v3=\"%u\"/>\n",
				r * columns + c, r1 * columns + c, r1 * columns + c1,
				r * columns + c, r1 * columns + c1, r * columns + c1);
		}
	add(&model, "    </triangles>\n   </mesh>\n  </object>\n </resources>\n"
		" <build>\n  <item objectid=\"1\"/>\n </build>\n</model>\n");
	return model;
}

/* Adds an entry to the archive, and to its directory. */
static void
add_entry(Text *archive, Text *directory, const char *name, const Text *text)
{
	const uint32_t from = (uint32_t) archive->size;
	const uint32_t sum = (uint32_t) crc32(crc32(0, NULL, 0),
										  (const Bytef *) text->at,
										  (uInt) text->size);
	z_stream	deflater = {0};
	Text		packed = {0};

	if (deflateInit2(&deflater, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS,
					 8, Z_DEFAULT_STRATEGY) != Z_OK)
		exit(1);
	packed.room = deflateBound(&deflater, text->size);
	packed.at = checked(malloc(packed.room));
	deflater.next_in = (Bytef *) text->at;
	deflater.avail_in = (uInt) text->size;
	deflater.next_out = (Bytef *) packed.at;
	deflater.avail_out = (uInt) packed.room;
	if (deflate(&deflater, Z_FINISH) != Z_STREAM_END)
		exit(1);
	packed.size = deflater.total_out;
	deflateEnd(&deflater);

	for (int central = 0; central < 2; central++)
	{
		Text	   *to = central ? directory : archive;

		add_number(to, central ? 0x02014b50 : 0x04034b50, 4);
		if (central)
			add_number(to, 20, 2);
		add_number(to, 20, 2);
		add_number(to, 0, 2);
		add_number(to, 8, 2);
		add_number(to, 0, 4);
		add_number(to, sum, 4);
		add_number(to, (uint32_t) packed.size, 4);
		add_number(to, (uint32_t) text->size, 4);
		add_number(to, (uint32_t) strlen(name), 2);
		add_number(to, 0, 2);
		if (central)
		{
			add_number(to, 0, 2);
			add_number(to, 0, 4);
			add_number(to, 0, 4);
			add_number(to, from, 4);
		}
		add_bytes(to, name, strlen(name));
	}
	add_bytes(archive, packed.at, packed.size);
	free(packed.at);
}

int
main(int argc, char **argv)
{
	const uint32_t rows = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
	const uint32_t columns = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	Text		types = {0};
	Text		relations = {0};
	Text		model;
	Text		archive = {0};
	Text		directory = {0};
	uint32_t	from;

	if (rows < 3 || columns < 3 || (uint64_t) rows * columns > 5000000)
	{
		fprintf(stderr, "usage: geometry_3mf_make ROWS COLUMNS > FILE\n");
		return 2;
	}
	add(&types, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Types xmlns="
		"\"http://schemas.openxmlformats.org/package/2006/content-types\">\n"
		" <Default Extension=\"rels\" ContentType=\"application/"
		"vnd.openxmlformats-package.relationships+xml\"/>\n");
	add(&types, " <Default Extension=\"model\" ContentType=\"application/"
		"vnd.ms-package.3dmanufacturing-3dmodel+xml\"/>\n</Types>\n");
	add(&relations, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<Relationships xmlns=\"http://schemas.openxmlformats.org/package/"
		"2006/relationships\">\n <Relationship Target=\"/3D/3dmodel.model\" "
		"Id=\"rel0\" Type=\"http://schemas.microsoft.com/3dmanufacturing/"
		"2013/01/3dmodel\"/>\n</Relationships>\n");
	model = make_model(rows, columns);
	add_entry(&archive, &directory, "[Content_Types].xml", &types);
	add_entry(&archive, &directory, "_rels/.rels", &relations);
	add_entry(&archive, &directory, "3D/3dmodel.model", &model);
	from = (uint32_t) archive.size;
	add_bytes(&archive, directory.at, directory.size);
	add_number(&archive, 0x06054b50, 4);
	add_number(&archive, 0, 4);
	add_number(&archive, 3, 2);
	add_number(&archive, 3, 2);
	add_number(&archive, (uint32_t) directory.size, 4);
	add_number(&archive, from, 4);
	add_number(&archive, 0, 2);
	if (fwrite(archive.at, 1, archive.size, stdout) != archive.size ||
		fflush(stdout) != 0)
	{
		perror("geometry_3mf_make");
		return 1;
	}
	return 0;
}
