/*
 * threemf_package.c
 *		The parts of a package, and the one that it starts with (ECMA-376,
 *		part 2, "Open Packaging Conventions").
 *
 * Names of parts are those of the archive's entries, with a slash in front
 * and in any case.  A name that climbs out of the package is the name of
 * nothing.
 */
#include <string.h>

#include "text.h"
#include "threemf.h"

#define RELATIONSHIP \
	"http://schemas.openxmlformats.org/package/2006/relationships\nRelationship"
#define START_TYPE \
	"http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel"

/* Names of parts are not longer than this. */
#define MAX_NAME		1024

/* Relationships of the package that are read. */
typedef struct Relationships
{
	Mf3mf	   *threemf;
	MfXml		xml;
	const MfZipEntry *start;
	bool		known;			/* is there any start part? */
} Relationships;

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * Resolves a name against the root: segments "." and ".." are followed,
 * %-codes decoded where `decode` says so.  Its length, or -1: not a name
 * within the package.
 */
static int
resolve(const char *name, bool decode, char out[MAX_NAME])
{
	int			length = 0;

	while (*name != '\0')
	{
		int			start = length;

		while (*name == '/')
			name++;
		if (length > 0)
			out[length++] = '/';
		start = length;
		for (; *name != '\0' && *name != '/'; name++)
		{
			char		c = *name;

			if (decode && c == '%')
			{
				const int	high = hex_digit(name[1]);
				const int	low = high < 0 ? -1 : hex_digit(name[2]);

				c = (char) (high * 16 + low);
				if (low < 0 || c == '/' || c == '\\' || c == '\0')
					return -1;
				name += 2;
			}
			if (length >= MAX_NAME - 2)
				return -1;
			out[length++] = c;
		}
		if (length == start || (length == start + 1 && out[start] == '.'))
			length = start > 0 ? start - 1 : 0;
		else if (length == start + 2 && out[start] == '.' &&
				 out[start + 1] == '.')
		{
			if (start == 0)
				return -1;
			length = start - 1;
			while (length > 0 && out[length - 1] != '/')
				length--;
			length -= length > 0;
		}
	}
	return length;
}

/* The entry of a part; see threemf.h. */
const MfZipEntry *
mf_threemf_part(const Mf3mf *threemf, const char *name)
{
	const MfZipEntry *entry = NULL;
	char		resolved[MAX_NAME];

	for (int decode = 0; decode < 2 && entry == NULL; decode++)
	{
		const int	length = resolve(name, decode > 0, resolved);

		if (length > 0)
			entry = mf_zip_find(&threemf->zip, resolved, length);
	}
	return entry;
}

/* The number of a file; see threemf.h. */
bool
mf_threemf_file(Mf3mf *threemf, const MfZipEntry *entry, uint32_t *file)
{
	uint32_t   *known = &threemf->file_of_entry[entry - threemf->zip.entry];

	if (*known == 0)
	{
		if (!mf_threemf_grow(threemf->job, (void **) &threemf->file,
							 threemf->file_count, &threemf->file_room,
							 sizeof(*threemf->file)))
			return false;
		threemf->file[threemf->file_count++].entry = entry;
		*known = threemf->file_count;
	}
	*file = *known - 1;
	return true;
}

/* Takes the relationship to the model that the package starts with. */
static bool
on_start(void *arg, const char *name, const char *const *attributes)
{
	Relationships *r = arg;
	const char *type;
	const char *target;
	const char *mode;

	if (strcmp(name, RELATIONSHIP) != 0)
		return true;
	type = mf_xml_attribute(attributes, "Type");
	target = mf_xml_attribute(attributes, "Target");
	mode = mf_xml_attribute(attributes, "TargetMode");
	if (type == NULL || strcmp(type, START_TYPE) != 0)
		return true;
	if (r->known)
		return mf_xml_refuse(&r->xml, MF_ERROR_MALFORMED,
							 "the package starts with more than one model.");
	r->known = true;
	if (target == NULL || (mode != NULL && strcmp(mode, "Internal") != 0))
		return mf_xml_refuse(&r->xml, MF_ERROR_MALFORMED,
							 "the model is not in the package.");
	r->start = mf_threemf_part(r->threemf, target);
	if (r->start == NULL)
		return mf_xml_refuse(&r->xml, MF_ERROR_MALFORMED, "the model "
							 "\"%.*s\" is not in the package.",
							 mf_text_shown(strlen(target)), target);
	return true;
}

static bool
on_end(void *arg)
{
	(void) arg;
	return true;
}

/* The first model part; see threemf.h. */
const MfZipEntry *
mf_threemf_start(Mf3mf *threemf)
{
	static const char name[] = "_rels/.rels";
	MfJob	   *job = threemf->job;
	Relationships r = {.threemf = threemf};
	const MfXmlReader reader = {.arg = &r,.start = on_start,.end = on_end};
	const MfZipEntry *entry = mf_zip_find(&threemf->zip, name,
										  sizeof(name) - 1);
	MfZipContent content;
	bool		good;

	threemf->file_of_entry = mf_memory_alloc(&job->memory, threemf->zip.count *
											 sizeof(*threemf->file_of_entry));
	if (threemf->file_of_entry == NULL)
	{
		mf_job_out_of_memory(job);
		return NULL;
	}
	if (entry != NULL)
	{
		if (!mf_zip_read(job, entry, &content))
			return NULL;
		good = mf_xml_read(&r.xml, job, name, content.bytes, content.size,
						   &reader);
		mf_zip_release(job, &content);
		if (!good)
			return NULL;
	}
	if (!r.known)
		mf_refuse(job->refusal, MF_ERROR_UNSUPPORTED,
				  "This is a ZIP archive, but not a 3MF file.  Please upload "
				  "each model on its own.");
	return r.start;
}
