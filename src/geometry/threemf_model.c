/*
 * threemf_model.c
 *		One model part of a 3MF package: its objects, and where it is the
 *		root, its build section.
 *
 * What is not of the core or the production extension is skipped with all
 * that is in it, and its extension noted.
 */
#include <string.h>

#include "text.h"
#include "threemf.h"

/* Elements that have a meaning here. */
typedef enum Element
{
	NOWHERE = 0,				/* the root is in it */
	SKIPPED,
	MODEL,
	METADATA,
	RESOURCES,
	OBJECT,
	MESH,
	VERTICES,
	VERTEX,
	TRIANGLES,
	TRIANGLE,
	COMPONENTS,
	COMPONENT,
	BUILD,
	ITEM
} Element;

#define PRODUCTION_PATH	MF_3MF_PRODUCTION "\npath"

/* The name of an entry of metadata, and the next one's. */
typedef struct Name
{
	struct Name *next;
	size_t		length;
	char		text[];
} Name;

typedef struct Reader
{
	Mf3mf	   *threemf;
	MfJob	   *job;
	MfXml		xml;
	uint32_t	file;
	Element		within[MF_XML_MAX_DEPTH + 1];
	uint32_t	depth;
	bool		seen[ITEM + 1]; /* in the element that it has to be in once */
	Mf3mfObject *object;		/* the one that is read */
	MfMesh	   *mesh;			/* its mesh */
	bool		plain;			/* may plain names be of the core here? */
	Name	   *names;
	uint32_t	metadata;
} Reader;

typedef bool (*StartElement) (Reader *r, const char *const *attributes);

/* The mesh of the object at hand. */
static void
use_mesh(Reader *r)
{
	r->mesh = &r->threemf->scene->part[r->object->part].mesh;
}

static bool
start_model(Reader *r, const char *const *attributes)
{
	const char *required = mf_xml_attribute(attributes, "requiredextensions");

	return mf_threemf_parse_unit(&r->xml, mf_xml_attribute(attributes, "unit"),
								 &r->threemf->file[r->file].unit) &&
		(required == NULL || mf_threemf_check_required(&r->xml, required));
}

/* Metadata has names, each once. */
static bool
start_metadata(Reader *r, const char *const *attributes)
{
	const char *text = mf_xml_attribute(attributes, "name");
	const size_t length = text != NULL ? strlen(text) : 0;
	Name	   *name;

	if (length == 0)
		return mf_xml_refuse(&r->xml, MF_ERROR_MALFORMED,
							 "metadata without a name.");
	if (r->metadata++ == MF_3MF_MAX_METADATA)
		return mf_xml_refuse(&r->xml, MF_ERROR_ARCHIVE_BOMB, "more than %d "
							 "entries of metadata.", MF_3MF_MAX_METADATA);
	if (length > MF_3MF_MAX_NAME)
		return mf_xml_refuse(&r->xml, MF_ERROR_MALFORMED, "metadata with a "
							 "name of more than %d bytes.", MF_3MF_MAX_NAME);
	for (name = r->names; name != NULL; name = name->next)
		if (name->length == length && memcmp(name->text, text, length) == 0)
			return mf_xml_refuse(&r->xml, MF_ERROR_MALFORMED, "there is "
								 "metadata of the name \"%.*s\" twice.",
								 mf_text_shown(length), text);
	name = mf_memory_alloc(&r->job->memory, sizeof(*name) + length);
	if (name == NULL)
		return mf_job_out_of_memory(r->job);
	name->next = r->names;
	name->length = length;
	memcpy(name->text, text, length);
	r->names = name;
	return true;
}

static void
free_names(Reader *r)
{
	while (r->names != NULL)
	{
		Name	   *name = r->names;

		r->names = name->next;
		mf_memory_free(&r->job->memory, name, sizeof(*name) + name->length);
	}
}

/* What an object is for: only models are measured. */
static bool
parse_type(Reader *r, const char *type)
{
	static const char *const others[] = {
		"support", "solidsupport", "surface", "other"
	};

	r->object->counts = type == NULL || strcmp(type, "model") == 0;
	r->object->other = type != NULL && strcmp(type, "other") == 0;
	for (size_t i = 0; !r->object->counts && i < 4; i++)
		if (strcmp(type, others[i]) == 0)
			return true;
	return r->object->counts ||
		mf_xml_refuse(&r->xml, MF_ERROR_MALFORMED, "an object of the type "
					  "\"%.*s\", which is none.", mf_text_shown(strlen(type)),
					  type);
}

static bool
start_object(Reader *r, const char *const *attributes)
{
	Mf3mf	   *threemf = r->threemf;
	uint32_t	id;

	if (!mf_threemf_parse_id(&r->xml, "an object",
							 mf_xml_attribute(attributes, "id"), &id))
		return false;
	if (threemf->object_count == MF_3MF_MAX_OBJECTS)
		return mf_xml_refuse(&r->xml, MF_ERROR_ARCHIVE_BOMB, "more than %d "
							 "objects.", MF_3MF_MAX_OBJECTS);
	if (!mf_threemf_grow(r->job, (void **) &threemf->object,
						 threemf->object_count, &threemf->object_room,
						 sizeof(*threemf->object)))
		return false;
	r->object = &threemf->object[threemf->object_count++];
	memset(r->object, 0, sizeof(*r->object));
	r->object->file = r->file;
	r->object->id = id;
	r->object->order = threemf->object_count;
	r->object->part = MF_3MF_NO_PART;
	r->object->first_component = threemf->components.count;
	r->seen[MESH] = false;
	r->seen[COMPONENTS] = false;
	threemf->file[r->file].object_count++;
	return parse_type(r, mf_xml_attribute(attributes, "type"));
}

static bool
start_mesh(Reader *r, const char *const *attributes)
{
	(void) attributes;
	if (r->seen[COMPONENTS])
		return mf_xml_refuse(&r->xml, MF_ERROR_MALFORMED, "object %u has a "
							 "mesh and components.", r->object->id);
	if (mf_scene_add_part(r->job, r->threemf->scene) == NULL)
		return false;
	r->object->part = r->threemf->scene->part_count - 1;
	use_mesh(r);
	r->mesh->wide = true;
	r->seen[VERTICES] = false;
	r->seen[TRIANGLES] = false;
	return true;
}

/*
 * Names without a prefix are of the core in an element that has none itself:
 * whoever changes that for a name has to do so at that name.
 */
static bool
start_vertices(Reader *r, const char *const *attributes)
{
	(void) attributes;
	r->plain = !mf_xml_is_prefixed(&r->xml);
	return true;
}

static bool
start_triangles(Reader *r, const char *const *attributes)
{
	(void) attributes;
	r->plain = !mf_xml_is_prefixed(&r->xml);
	return r->seen[VERTICES] ||
		mf_xml_refuse(&r->xml, MF_ERROR_MALFORMED, "the triangles of object "
					  "%u come before its vertices.", r->object->id);
}

/* One vertex that is not in a run. */
static bool
start_vertex(Reader *r, const char *const *attributes)
{
	static const char *const names[] = {"x", "y", "z"};
	MfMesh	   *mesh = r->mesh;

	if (!mf_mesh_reserve_vertices(r->job, mesh,
								  mesh->vertex_count + UINT64_C(1)))
		return false;
	for (int i = 0; i < 3; i++)
		if (!mf_threemf_parse_number(&r->xml,
									 mf_xml_attribute(attributes, names[i]),
									 &mesh->wide_at[mesh->vertex_count][i]))
			return false;
	mesh->vertex_count++;
	return true;
}

/* One triangle that is not in a run. */
static bool
start_triangle(Reader *r, const char *const *attributes)
{
	static const char *const names[] = {"v1", "v2", "v3"};
	MfMesh	   *mesh = r->mesh;

	if (++r->threemf->triangles > r->job->max_triangles)
		return mf_job_too_many(r->job, 0);
	if (!mf_mesh_reserve_triangles(r->job, mesh,
								   mesh->triangle_count + UINT64_C(1)))
		return false;
	for (int i = 0; i < 3; i++)
		if (!mf_threemf_parse_index(&r->xml,
									mf_xml_attribute(attributes, names[i]),
									mesh->vertex_count,
									&mesh->corners[mesh->triangle_count][i]))
			return false;
	mesh->triangle_count++;
	return true;
}

static bool
start_components(Reader *r, const char *const *attributes)
{
	(void) attributes;
	return r->object->part == MF_3MF_NO_PART ||
		mf_xml_refuse(&r->xml, MF_ERROR_MALFORMED, "object %u has a mesh and "
					  "components.", r->object->id);
}

/* Reads the use of an object, by a component or an item. */
static bool
add_use(Reader *r, const char *what, Mf3mfUses *uses,
		const char *const *attributes)
{
	const char *path = mf_xml_attribute(attributes, PRODUCTION_PATH);
	Mf3mfUse   *use;

	if (uses->count == MF_MAX_INSTANCES)
		return mf_xml_refuse(&r->xml, MF_ERROR_ARCHIVE_BOMB,
							 "objects are used more than %d times.",
							 MF_MAX_INSTANCES);
	if (!mf_threemf_grow(r->job, (void **) &uses->use, uses->count,
						 &uses->room, sizeof(*uses->use)))
		return false;
	use = &uses->use[uses->count++];
	use->file = r->file;
	if (path != NULL)
	{
		const MfZipEntry *entry = *path == '/' ?
		mf_threemf_part(r->threemf, path) : NULL;

		if (entry == NULL)
			return mf_xml_refuse(&r->xml, MF_ERROR_MALFORMED, "the model "
								 "\"%.*s\" is not in the package.",
								 2 * mf_text_shown(strlen(path)), path);
		if (!mf_threemf_file(r->threemf, entry, &use->file))
			return false;
	}
	return mf_threemf_parse_id(&r->xml, what,
							   mf_xml_attribute(attributes, "objectid"),
							   &use->id) &&
		mf_threemf_parse_transform(&r->xml,
								   mf_xml_attribute(attributes, "transform"),
								   use);
}

static bool
start_component(Reader *r, const char *const *attributes)
{
	r->object->component_count++;
	return add_use(r, "a component", &r->threemf->components, attributes);
}

/* Only the root's items are built. */
static bool
start_item(Reader *r, const char *const *attributes)
{
	return r->file > 0 ||
		add_use(r, "an item", &r->threemf->items, attributes);
}

static bool
start_nothing(Reader *r, const char *const *attributes)
{
	(void) r;
	(void) attributes;
	return true;
}

/* The elements of the core, and where they are. */
static const struct
{
	const char *name;
	Element		within;
	Element		element;
	bool		once;
	StartElement start;
}			elements[] = {
	{"vertex", VERTICES, VERTEX, false, start_vertex},
	{"triangle", TRIANGLES, TRIANGLE, false, start_triangle},
	{"component", COMPONENTS, COMPONENT, false, start_component},
	{"item", BUILD, ITEM, false, start_item},
	{"object", RESOURCES, OBJECT, false, start_object},
	{"mesh", OBJECT, MESH, true, start_mesh},
	{"vertices", MESH, VERTICES, true, start_vertices},
	{"triangles", MESH, TRIANGLES, true, start_triangles},
	{"components", OBJECT, COMPONENTS, true, start_components},
	{"model", NOWHERE, MODEL, true, start_model},
	{"metadata", MODEL, METADATA, false, start_metadata},
	{"resources", MODEL, RESOURCES, true, start_nothing},
	{"build", MODEL, BUILD, true, start_nothing}
};

/* Notes the extensions that attributes of the core's elements are of. */
static void
note_attributes(Reader *r, const char *const *attributes)
{
	for (; *attributes != NULL; attributes += 2)
		if (strchr(*attributes, MF_XML_SEPARATOR) != NULL)
			mf_threemf_note_extension(r->job, *attributes);
}

/* The local name of an element of the core; NULL: it is of none. */
static const char *
core_name(const char *name)
{
	const size_t length = sizeof(MF_3MF_CORE) - 1;

	return strncmp(name, MF_3MF_CORE, length) == 0 &&
		name[length] == MF_XML_SEPARATOR ? name + length + 1 : NULL;
}

static bool
on_start(void *arg, const char *name, const char *const *attributes)
{
	Reader	   *r = arg;
	const Element within = r->within[r->depth];
	const char *core = core_name(name);

	r->within[++r->depth] = SKIPPED;
	if (within == SKIPPED)
		return true;
	if (core == NULL && strchr(name, MF_XML_SEPARATOR) != NULL)
		mf_threemf_note_extension(r->job, name);
	for (size_t i = 0; core != NULL &&
		 i < sizeof(elements) / sizeof(elements[0]); i++)
	{
		const Element element = elements[i].element;

		if (elements[i].within != within ||
			strcmp(elements[i].name, core) != 0)
			continue;
		if (elements[i].once && r->seen[element])
			return mf_xml_refuse(&r->xml, MF_ERROR_MALFORMED, "\"%s\" is "
								 "there twice.", core);
		r->seen[element] = true;
		r->within[r->depth] = element;
		note_attributes(r, attributes);
		return elements[i].start(r, attributes);
	}
	return within != NOWHERE ||
		mf_xml_refuse(&r->xml, MF_ERROR_MALFORMED, "this is not a model of "
					  "3MF.");
}

static bool
on_end(void *arg)
{
	Reader	   *r = arg;
	const Element element = r->within[r->depth--];

	if (element == OBJECT && !r->seen[MESH] && !r->seen[COMPONENTS])
		return mf_xml_refuse(&r->xml, MF_ERROR_MALFORMED, "object %u has "
							 "neither a mesh nor components.", r->object->id);
	return true;
}

/* Takes a run of vertices or triangles; see xml.h. */
static bool
on_run(void *arg, const char **at, const char *end)
{
	Reader	   *r = arg;

	if (!r->plain)
		return true;
	if (r->within[r->depth] == VERTICES)
		return mf_threemf_run_vertices(r->threemf, r->mesh, at, end);
	if (r->within[r->depth] == TRIANGLES)
		return mf_threemf_run_triangles(r->threemf, r->mesh, at, end);
	return true;
}

/* Reads one file; see threemf.h. */
bool
mf_threemf_read_model(Mf3mf *threemf, uint32_t file)
{
	const MfZipEntry *entry = threemf->file[file].entry;
	Reader		r = {.threemf = threemf,.job = threemf->job,.file = file};
	const MfXmlReader reader = {
		.arg = &r,.start = on_start,.end = on_end,.run = on_run
	};
	MfZipContent content;
	char		name[64];
	bool		good;

	memset(name, 0, sizeof(name));
	memcpy(name, entry->name, entry->name_length < sizeof(name) ?
		   entry->name_length : sizeof(name) - 1);
	if (!mf_zip_read(r.job, entry, &content))
		return false;
	threemf->file[file].first_object = threemf->object_count;
	good = mf_xml_read(&r.xml, r.job, name, content.bytes, content.size,
					   &reader);
	free_names(&r);
	mf_zip_release(r.job, &content);
	if (good && file == 0 && !r.seen[BUILD])
	{
		mf_refuse(r.job->refusal, MF_ERROR_MALFORMED,
				  "The model in %s has no build section.", name);
		return false;
	}
	return good;
}
