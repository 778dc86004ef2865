/*
 * threemf_extension.c
 *		Extensions of 3MF: what they are called, and which a file may require.
 *
 * An extension that a file requires has a say in what its shapes are, unless
 * it is known to be about something else.
 */
#include <string.h>

#include "text.h"
#include "threemf.h"

typedef struct Extension
{
	const char *space;			/* without its year */
	const char *name;
	bool		harmless;		/* says nothing about shapes */
	bool		silent;			/* is read, or of no interest */
} Extension;

#define MICROSOFT	"http://schemas.microsoft.com/3dmanufacturing/"
#define CONSORTIUM	"http://schemas.3mf.io/3dmanufacturing/"

static const Extension extensions[] = {
	{MF_3MF_CORE, "core", true, true},
	{MF_3MF_PRODUCTION, "production", true, true},
	{MICROSOFT "production/alternatives/", "alternatives", true, false},
	{MICROSOFT "material/", "materials", true, false},
	{MICROSOFT "trianglesets/", "triangle sets", true, false},
	{MICROSOFT "slice/", "slices", false, false},
	{MICROSOFT "beamlattice/", "beam lattice", false, false},
	{MICROSOFT "securecontent/", "secure content", false, false},
	{MICROSOFT "displacement/", "displacement", false, false},
	{CONSORTIUM "displacement/", "displacement", false, false},
	{MICROSOFT "booleanoperations/", "boolean operations", false, false},
	{CONSORTIUM "booleanoperations/", "boolean operations", false, false},
	{MICROSOFT "volumetric/", "volumetric", false, false},
	{CONSORTIUM "volumetric/", "volumetric", false, false},
	{MICROSOFT "implicit/", "implicit", false, false},
	{CONSORTIUM "implicit/", "implicit", false, false},
	{"http://schemas.openxmlformats.org/markup-compatibility/",
	"markup compatibility", true, true},
	{"http://www.w3.org/", "XML", true, true}
};

/* The extension of a namespace; NULL: not known. */
static const Extension *
find_extension(const char *space)
{
	for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++)
		if (strncmp(space, extensions[i].space,
					strlen(extensions[i].space)) == 0)
			return &extensions[i];
	return NULL;
}

/* Notes what is not read; see threemf.h. */
void
mf_threemf_note_extension(MfJob *job, const char *space)
{
	const Extension *extension = find_extension(space);
	const char *name = extension != NULL ? extension->name : space;

	if (extension == NULL || !extension->silent)
		mf_job_note_extension(job, name, strcspn(name, "\n"));
}

/* Checks the prefixes of required extensions; see threemf.h. */
bool
mf_threemf_check_required(MfXml *xml, const char *prefixes)
{
	static const char space[] = " \t\r\n";

	while (*(prefixes += strspn(prefixes, space)) != '\0')
	{
		const size_t length = strcspn(prefixes, space);
		const char *name = mf_xml_space(xml, prefixes, length);
		const Extension *extension;

		if (name == NULL)
			return mf_xml_refuse(xml, MF_ERROR_MALFORMED, "the extension "
								 "\"%.*s\" is required and not declared.",
								 mf_text_shown(length), prefixes);
		extension = find_extension(name);
		if (extension == NULL || !extension->harmless)
			return mf_xml_refuse(xml, MF_ERROR_UNSUPPORTED, "the model "
								 "requires the extension \"%.100s\", which "
								 "is not read.", extension != NULL ?
								 extension->name : name);
		prefixes += length;
	}
	return true;
}
