/*
 * glb.c
 *		GLB, the binary form of glTF 2.0: a header, a chunk of JSON that says
 *		what there is, and a chunk of numbers.
 *
 * Lengths are in metres.  Axes stay as the file has them.  What only changes
 * the looks is passed by; what changes the shape and is not read is noted,
 * and where the file cannot do without, refused.
 */
#include <string.h>

#include "glb.h"

#define HEADER_BYTES	12
#define CHUNK_BYTES		8		/* of the header of a chunk */
#define CHUNK_JSON		0x4e4f534a
#define CHUNK_BINARY	0x004e4942

/* Corners that may be looked at: so many per byte, of a file of some size. */
#define LOOKS_PER_BYTE	3
#define LEAST_BYTES		(UINT64_C(1) << 20)

/*
 * Extensions that do not change a shape, or that are read: beginnings of
 * their names.
 */
static const char *const harmless[] = {
	"KHR_mesh_quantization", "EXT_mesh_gpu_instancing",
	"KHR_materials_", "KHR_texture_", "KHR_lights_", "KHR_xmp",
	"KHR_animation_pointer", "KHR_techniques_webgl",
	"EXT_texture_", "EXT_lights_", "MSFT_texture_", "MSFT_packing_",
	"ADOBE_materials_", "EXT_materials_", "FB_ngon_encoding"
};

/* Extensions that a file may use beside what it says without them. */
static const char *const with_fallback[] = {
	"KHR_draco_mesh_compression", "EXT_meshopt_compression"
};

/* Refuses a thing of a list; see glb.h. */
bool
mf_glb_refuse(MfGlb *glb, const char *list, uint32_t number, const char *what)
{
	mf_refuse(glb->job->refusal, MF_ERROR_MALFORMED,
			  "Number %u of \"%s\" in the GLB file %s.", number, list, what);
	return false;
}

/* Reads a member that is a whole number; see glb.h. */
bool
mf_glb_integer(MfGlb *glb, uint32_t object, const char *name,
			   uint64_t otherwise, uint64_t *value)
{
	const uint32_t member = mf_json_member(&glb->json, object, name);

	*value = otherwise;
	if (member == MF_JSON_NONE)
		return true;
	*value = mf_json_integer(&glb->json, member);
	if (*value != UINT64_MAX)
		return true;
	mf_refuse(glb->job->refusal, MF_ERROR_MALFORMED,
			  "\"%s\" in the GLB file is no whole number.", name);
	return false;
}

/* Reads the number of a thing; see glb.h. */
bool
mf_glb_reference(MfGlb *glb, uint32_t object, const char *name,
				 const MfGlbList *list, uint32_t *number)
{
	uint64_t	value;

	if (!mf_glb_integer(glb, object, name, MF_GLB_NONE, &value))
		return false;
	*number = (uint32_t) value;
	if (value == MF_GLB_NONE || value < list->count)
		return true;
	mf_refuse(glb->job->refusal, MF_ERROR_MALFORMED,
			  "\"%s\" in the GLB file is %llu, where there are %u, counted "
			  "from 0.", name, (unsigned long long) value, list->count);
	return false;
}

/* Books looks at numbers; see glb.h. */
bool
mf_glb_spend(MfGlb *glb, uint64_t looks)
{
	if (looks > glb->looks_left)
	{
		mf_refuse(glb->job->refusal, MF_ERROR_ARCHIVE_BOMB,
				  "The GLB file makes much more than its size has room for, "
				  "from the same bytes over and over.");
		return false;
	}
	glb->looks_left -= looks;
	return true;
}

/* Reads four bytes. */
static uint32_t
load_word(const uint8_t *at)
{
	uint32_t	word;

	memcpy(&word, at, sizeof(word));
	return word;
}

/* Refuses a file whose parts are longer than it is; false. */
static bool
refuse_truncated(MfJob *job)
{
	mf_refuse(job->refusal, MF_ERROR_TRUNCATED,
			  "The GLB file ends too early.");
	return false;
}

/* Finds the chunks, and reads the JSON. */
static bool
read_chunks(MfGlb *glb)
{
	MfJob	   *job = glb->job;
	uint64_t	at = HEADER_BYTES;
	uint64_t	end;
	bool		text = false;

	if (job->size < HEADER_BYTES + CHUNK_BYTES)
		return refuse_truncated(job);
	if (load_word(job->bytes + 4) != 2)
	{
		mf_refuse(job->refusal, MF_ERROR_UNSUPPORTED,
				  "This is a GLB file of version %u; version 2 is read.",
				  load_word(job->bytes + 4));
		return false;
	}
	end = load_word(job->bytes + 8);
	if (end > job->size)
		return refuse_truncated(job);
	job->trailing_bytes = job->size - end;
	while (at + CHUNK_BYTES <= end)
	{
		const uint64_t length = load_word(job->bytes + at);
		const uint32_t type = load_word(job->bytes + at + 4);
		const uint8_t *chunk = job->bytes + at + CHUNK_BYTES;

		at += CHUNK_BYTES;
		if (length > end - at)
			return refuse_truncated(job);
		if (!text && type != CHUNK_JSON)
			break;
		if (!text && !mf_json_parse(job, &glb->json, (const char *) chunk,
									length, "The description in the GLB file"))
			return false;
		if (type == CHUNK_BINARY && glb->binary == NULL)
		{
			glb->binary = chunk;
			glb->binary_size = length;
		}
		text = true;
		at += length;
	}
	if (text)
		return true;
	mf_refuse(job->refusal, MF_ERROR_MALFORMED,
			  "The GLB file does not begin with a description in JSON.");
	return false;
}

/* Finds the items of a list of the JSON. */
static bool
read_list(MfGlb *glb, const char *name, MfGlbList *list)
{
	const uint32_t array = mf_json_member(&glb->json, MF_JSON_ROOT, name);
	const uint32_t count = mf_json_items(&glb->json, array);
	uint32_t	item = array + 1;

	if (count > MF_GLB_MAX_ITEMS)
	{
		mf_refuse(glb->job->refusal, MF_ERROR_TOO_LARGE,
				  "The GLB file has %u of \"%s\"; at most %d are read.",
				  count, name, MF_GLB_MAX_ITEMS);
		return false;
	}
	list->item = mf_memory_alloc(&glb->job->memory,
								 count * sizeof(*list->item));
	if (list->item == NULL)
		return mf_job_out_of_memory(glb->job);
	list->count = count;
	for (uint32_t i = 0; i < count; i++)
	{
		list->item[i] = item;
		item = glb->json.value[item].next;
	}
	return true;
}

static void
free_list(MfGlb *glb, MfGlbList *list)
{
	mf_memory_free(&glb->job->memory, list->item,
				   list->count * sizeof(*list->item));
}

/* Does the name of an extension begin with one of these? */
static bool
is_one_of(const MfJson *json, uint32_t name, const char *const *beginnings,
		  size_t count)
{
	const MfJsonValue *v = &json->value[name];

	for (size_t i = 0; i < count; i++)
		if (v->length >= strlen(beginnings[i]) &&
			memcmp(json->text + v->from, beginnings[i],
				   strlen(beginnings[i])) == 0)
			return true;
	return false;
}

#define IS_ONE_OF(json, name, list) \
	is_one_of(json, name, list, sizeof(list) / sizeof((list)[0]))

/*
 * Goes through a list of names of extensions: what may change the shape is
 * refused if it is required, and else noted.
 */
static bool
check_extensions(MfGlb *glb, const char *member, bool required)
{
	const MfJson *json = &glb->json;
	const uint32_t list = mf_json_member(json, MF_JSON_ROOT, member);
	uint32_t	item = list + 1;

	for (uint32_t i = 0; i < mf_json_items(json, list); i++)
	{
		const MfJsonValue *v = &json->value[item];

		if (v->kind != MF_JSON_STRING || IS_ONE_OF(json, item, harmless))
			;
		else if (required)
		{
			mf_refuse(glb->job->refusal, MF_ERROR_UNSUPPORTED,
					  "The GLB file cannot be read without the extension "
					  "\"%.*s\".  Please export it without.",
					  v->length < 80 ? (int) v->length : 80,
					  json->text + v->from);
			return false;
		}
		else if (!IS_ONE_OF(json, item, with_fallback))
			mf_job_note_extension(glb->job, json->text + v->from, v->length);
		item = v->next;
	}
	return true;
}

/* All steps that may be refused. */
static bool
work_through(MfGlb *glb)
{
	return read_chunks(glb) &&
		check_extensions(glb, "extensionsRequired", true) &&
		check_extensions(glb, "extensionsUsed", false) &&
		read_list(glb, "buffers", &glb->buffers) &&
		read_list(glb, "bufferViews", &glb->views) &&
		read_list(glb, "accessors", &glb->accessors) &&
		read_list(glb, "meshes", &glb->meshes) &&
		read_list(glb, "nodes", &glb->nodes) &&
		mf_glb_read_data(glb) &&
		mf_glb_place_nodes(glb);
}

/* Reads a file that detection has found to be GLB. */
bool
mf_glb_read(MfJob *job, MfScene *scene)
{
	MfGlb		glb = {.job = job,.scene = scene};
	bool		good;

	scene->unit = MF_UNIT_M;
	glb.looks_left = LOOKS_PER_BYTE *
		(job->size > LEAST_BYTES ? (uint64_t) job->size : LEAST_BYTES);
	good = work_through(&glb);
	mf_memory_free(&job->memory, glb.map, glb.map_room * sizeof(*glb.map));
	mf_memory_free(&job->memory, glb.part,
				   glb.meshes.count * sizeof(*glb.part));
	mf_glb_free_data(&glb);
	free_list(&glb, &glb.buffers);
	free_list(&glb, &glb.views);
	free_list(&glb, &glb.accessors);
	free_list(&glb, &glb.meshes);
	free_list(&glb, &glb.nodes);
	mf_json_free(job, &glb.json);
	return good;
}
