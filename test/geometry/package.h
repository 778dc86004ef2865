/*
 * package.h
 *		ZIP archives and 3MF packages for tests, right ones and wrong ones.
 */
#ifndef MF_TEST_PACKAGE_H
#define MF_TEST_PACKAGE_H

#include <libdeflate.h>

#include "shapes.h"

/* One entry; all zero but name and text: stored as it should be. */
typedef struct Entry
{
	const char *name;
	const char *text;
	size_t		size;			/* of the text; 0: a string */
	bool		deflated;
	bool		long_fields;	/* Zip64 */
	bool		sums_follow;	/* a data descriptor */
	uint32_t	flags;			/* more of them */
	uint32_t	method;			/* another one */
	uint32_t	made_by;
	uint32_t	attributes;
	uint64_t	claimed_size;	/* another one */
	uint32_t	wrong_sum;		/* added to the right one */
	const char *local_name;		/* another one */
	uint32_t	local_method;
	uint64_t	from;			/* another place */
} Entry;

typedef struct Archive
{
	Bytes		file;
	Bytes		directory;
	uint32_t	entries;
} Archive;

/* Adds a number of so many bytes, the lowest first. */
static inline void
add_number(Bytes *to, uint64_t number, int bytes)
{
	for (int i = 0; i < bytes; i++)
	{
		const uint8_t byte = (uint8_t) (number >> 8 * i);

		add_bytes(to, &byte, 1);
	}
}

static inline Bytes
deflated_bytes(const void *from, size_t size)
{
	struct libdeflate_compressor *deflater = libdeflate_alloc_compressor(6);
	Bytes		packed = {0};

	packed.room = libdeflate_deflate_compress_bound(checked(deflater), size);
	packed.at = checked(malloc(packed.room));
	packed.size = libdeflate_deflate_compress(deflater, from, size, packed.at,
											  packed.room);
	libdeflate_free_compressor(deflater);
	return packed;
}

/* The header of an entry, in front of it or in the directory. */
static inline void
add_header(Archive *archive, const Entry *entry, bool central, uint64_t from,
		   uint64_t packed, uint64_t size, uint32_t sum)
{
	Bytes	   *to = central ? &archive->directory : &archive->file;
	const char *name = !central && entry->local_name != NULL ?
	entry->local_name : entry->name;
	const uint32_t method = !central && entry->local_method > 0 ?
	entry->local_method : entry->method > 0 ? entry->method :
	entry->deflated ? 8 : 0;
	const bool	none = !central && entry->sums_follow;
	const uint64_t none_known = 0xffffffff;

	add_number(to, central ? 0x02014b50 : 0x04034b50, 4);
	if (central)
		add_number(to, entry->made_by, 2);
	add_number(to, 20, 2);
	add_number(to, entry->flags | (entry->sums_follow ? 8 : 0), 2);
	add_number(to, method, 2);
	add_number(to, 0, 4);
	add_number(to, none ? 0 : sum, 4);
	add_number(to, none ? 0 : entry->long_fields ? none_known : packed, 4);
	add_number(to, none ? 0 : entry->long_fields ? none_known : size, 4);
	add_number(to, strlen(name), 2);
	add_number(to, entry->long_fields ? central ? 33 : 25 : 0, 2);
	if (central)
	{
		add_number(to, 0, 6);
		add_number(to, entry->attributes, 4);
		add_number(to, entry->long_fields ? none_known : from, 4);
	}
	add_bytes(to, name, strlen(name));
	if (entry->long_fields)
	{
		/* Another field comes first. */
		add_number(to, 0x5455, 2);
		add_number(to, 1, 2);
		add_number(to, 0, 1);
		add_number(to, 1, 2);
		add_number(to, central ? 24 : 16, 2);
		add_number(to, size, 8);
		add_number(to, packed, 8);
		if (central)
			add_number(to, from, 8);
	}
}

static inline void
add_entry(Archive *archive, const Entry *entry)
{
	const size_t size = entry->size > 0 ? entry->size : strlen(entry->text);
	const uint64_t claimed = entry->claimed_size > 0 ? entry->claimed_size :
	size;
	const uint64_t from = entry->from > 0 ? entry->from : archive->file.size;
	const uint32_t sum = libdeflate_crc32(0, entry->text, size) +
	entry->wrong_sum;
	Bytes		packed = {0};

	if (entry->deflated)
		packed = deflated_bytes(entry->text, size);
	else
		add_bytes(&packed, entry->text, size);
	add_header(archive, entry, false, from, packed.size, claimed, sum);
	add_bytes(&archive->file, packed.at, packed.size);
	if (entry->sums_follow)
	{
		add_number(&archive->file, 0x08074b50, 4);
		add_number(&archive->file, sum, 4);
		add_number(&archive->file, packed.size, 4);
		add_number(&archive->file, size, 4);
	}
	add_header(archive, entry, true, from, packed.size, claimed, sum);
	archive->entries++;
	free_bytes(&packed);
}

/* Adds directory and end; the bytes are the caller's. */
static inline Bytes
finish_archive(Archive *archive, bool long_fields)
{
	Bytes		bytes = archive->file;
	const uint64_t from = bytes.size;
	const uint64_t size = archive->directory.size;

	add_bytes(&bytes, archive->directory.at, archive->directory.size);
	if (long_fields)
	{
		const uint64_t record = bytes.size;

		add_number(&bytes, 0x06064b50, 4);
		add_number(&bytes, 44, 8);
		add_number(&bytes, 45, 2);
		add_number(&bytes, 45, 2);
		add_number(&bytes, 0, 8);
		add_number(&bytes, archive->entries, 8);
		add_number(&bytes, archive->entries, 8);
		add_number(&bytes, size, 8);
		add_number(&bytes, from, 8);
		add_number(&bytes, 0x07064b50, 4);
		add_number(&bytes, 0, 4);
		add_number(&bytes, record, 8);
		add_number(&bytes, 1, 4);
	}
	add_number(&bytes, 0x06054b50, 4);
	add_number(&bytes, 0, 4);
	add_number(&bytes, long_fields ? 0xffff : archive->entries, 2);
	add_number(&bytes, long_fields ? 0xffff : archive->entries, 2);
	add_number(&bytes, long_fields ? 0xffffffff : size, 4);
	add_number(&bytes, long_fields ? 0xffffffff : from, 4);
	add_number(&bytes, 0, 2);
	free_bytes(&archive->directory);
	memset(archive, 0, sizeof(*archive));
	return bytes;
}

/* ---- packages ---- */

#define RELATIONSHIPS(inside) \
	"<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/" \
	"relationships\">" inside "</Relationships>"
#define START_PART(target) \
	"<Relationship Id=\"r\" Type=\"http://schemas.microsoft.com/" \
	"3dmanufacturing/2013/01/3dmodel\" Target=\"" target "\"/>"
#define CORE \
	"xmlns=\"http://schemas.microsoft.com/3dmanufacturing/core/2015/02\" "
#define PRODUCTION \
	"xmlns:p=\"http://schemas.microsoft.com/3dmanufacturing/production/" \
	"2015/06\" "

/* A package with this model, and more entries where there are. */
static inline Bytes
package_of(const char *model, size_t size, bool deflated, const Entry *more,
		   int count)
{
	const Entry relations = {
		.name = "_rels/.rels",
		.text = RELATIONSHIPS(START_PART("/3D/3dmodel.model"))
	};
	const Entry start = {
		.name = "3D/3dmodel.model",.text = model,.size = size,
		.deflated = deflated
	};
	Archive		archive = {0};

	add_entry(&archive, &relations);
	add_entry(&archive, &start);
	for (int i = 0; i < count; i++)
		add_entry(&archive, &more[i]);
	return finish_archive(&archive, false);
}

/* ---- models ---- */

/* Vertices and triangles of a cube of that side. */
#define CUBE_VERTICES \
	"<vertices><vertex x=\"0\" y=\"0\" z=\"0\"/><vertex x=\"10\" y=\"0\" " \
	"z=\"0\"/><vertex x=\"0\" y=\"10\" z=\"0\"/><vertex x=\"10\" y=\"10\" " \
	"z=\"0\"/><vertex x=\"0\" y=\"0\" z=\"10\"/><vertex x=\"10\" y=\"0\" " \
	"z=\"10\"/><vertex x=\"0\" y=\"10\" z=\"10\"/><vertex x=\"10\" y=\"10\" " \
	"z=\"10\"/></vertices>"
#define CUBE_TRIANGLES \
	"<triangles><triangle v1=\"0\" v2=\"2\" v3=\"3\"/><triangle v1=\"0\" " \
	"v2=\"3\" v3=\"1\"/><triangle v1=\"4\" v2=\"5\" v3=\"7\"/><triangle " \
	"v1=\"4\" v2=\"7\" v3=\"6\"/><triangle v1=\"0\" v2=\"1\" v3=\"5\"/>" \
	"<triangle v1=\"0\" v2=\"5\" v3=\"4\"/><triangle v1=\"2\" v2=\"6\" " \
	"v3=\"7\"/><triangle v1=\"2\" v2=\"7\" v3=\"3\"/><triangle v1=\"0\" " \
	"v2=\"4\" v3=\"6\"/><triangle v1=\"0\" v2=\"6\" v3=\"2\"/><triangle " \
	"v1=\"1\" v2=\"3\" v3=\"7\"/><triangle v1=\"1\" v2=\"7\" v3=\"5\"/>" \
	"</triangles>"
#define MESH(inside)	"<mesh>" inside "</mesh>"
#define CUBE			MESH(CUBE_VERTICES CUBE_TRIANGLES)
#define OBJECT(id, more, inside) \
	"<object id=\"" id "\" " more ">" inside "</object>"
#define MODEL(attributes, resources, build) \
	"<model " CORE attributes "><resources>" resources "</resources><build>" \
	build "</build></model>"
#define ITEM(id)		"<item objectid=\"" id "\"/>"

#endif							/* MF_TEST_PACKAGE_H */
