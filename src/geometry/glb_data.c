/*
 * glb_data.c
 *		Buffers, views and accessors of a GLB file: which bytes are meant, and
 *		whether they are there.
 *
 * All offsets and lengths are numbers of the file below 2^54, and checked in
 * 64 bits.  What nobody uses is not checked: a file may well have textures
 * elsewhere.
 */
#include <math.h>
#include <string.h>

#include "glb.h"

/* Bytes of a number; 0: there is no such type. */
static uint32_t
type_size(uint32_t type)
{
	switch (type)
	{
		case MF_GLB_INT8:
		case MF_GLB_UINT8:
			return 1;
		case MF_GLB_INT16:
		case MF_GLB_UINT16:
			return 2;
		case MF_GLB_UINT32:
		case MF_GLB_FLOAT32:
			return 4;
	}
	return 0;
}

/* The value of a digit of base 64; above 63: none. */
static unsigned
base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : 64;
}

/* Decodes base 64 (RFC 4648) into a buffer of its own. */
static bool
decode_base64(MfGlb *glb, MfGlbBuffer *buffer, const char *from,
			  const char *end)
{
	uint32_t	bits = 0;
	int			held = 0;

	buffer->own_bytes = (uint64_t) (end - from) / 4 * 3 + 3;
	buffer->own = mf_memory_alloc(&glb->job->memory, buffer->own_bytes);
	if (buffer->own == NULL)
		return mf_job_out_of_memory(glb->job);
	for (; from < end && *from != '='; from++)
	{
		const unsigned digit = base64_digit(*from);

		/* A slash may be escaped in JSON. */
		if (*from == '\\' && from + 1 < end && from[1] == '/')
			continue;
		if (digit > 63)
			return mf_glb_refuse(glb, "buffers", (uint32_t)
								 (buffer - glb->buffer),
								 "is not valid base 64");
		bits = (bits << 6 | digit) & 0xffffff;
		held += 6;
		if (held >= 8)
		{
			held -= 8;
			buffer->own[buffer->size++] = (uint8_t) (bits >> held);
		}
	}
	buffer->at = buffer->own;
	return true;
}

/* Opens a buffer that lies in the JSON itself, or elsewhere. */
static bool
open_uri(MfGlb *glb, MfGlbBuffer *buffer, uint32_t uri)
{
	static const char mark[] = ";base64,";
	const MfJsonValue *v = &glb->json.value[uri];
	const char *text = glb->json.text + v->from;
	const char *end = text + v->length;

	if (v->kind == MF_JSON_STRING && v->length > 5 &&
		memcmp(text, "data:", 5) == 0)
		/* What kind of data it is stands first, in a few words. */
		for (const char *p = text; p + 8 <= end && p < text + 200; p++)
			if (memcmp(p, mark, 8) == 0)
				return decode_base64(glb, buffer, p + 8, end);
	mf_refuse(glb->job->refusal, MF_ERROR_UNSUPPORTED,
			  "The GLB file keeps its geometry in another file.  Please "
			  "export it with everything in one file.");
	return false;
}

/* Finds a buffer's bytes, once. */
static bool
open_buffer(MfGlb *glb, uint32_t number)
{
	MfGlbBuffer *buffer = &glb->buffer[number];
	const uint32_t uri = mf_json_member(&glb->json, buffer->json, "uri");
	uint64_t	said;

	if (buffer->at != NULL)
		return true;
	if (!mf_glb_integer(glb, buffer->json, "byteLength", 0, &said))
		return false;
	if (uri != MF_JSON_NONE)
	{
		if (!open_uri(glb, buffer, uri))
			return false;
	}
	else if (number > 0 || glb->binary == NULL)
		return mf_glb_refuse(glb, "buffers", number, "is not in the file");
	else
	{
		buffer->at = glb->binary;
		buffer->size = glb->binary_size;
	}
	if (said > buffer->size)
		return mf_glb_refuse(glb, "buffers", number,
							 "is longer than what is there of it");
	buffer->size = said;
	return true;
}

/*
 * Finds `count` elements of `size` bytes in a view, from an offset on.  The
 * stride is the view's, or the size.
 */
static bool
find_bytes(MfGlb *glb, uint32_t accessor, uint32_t number, uint64_t offset,
		   uint64_t count, uint64_t size, const uint8_t **at,
		   uint64_t *stride)
{
	const MfGlbView *view;
	const MfGlbBuffer *buffer;

	if (number == MF_GLB_NONE)
		return mf_glb_refuse(glb, "accessors", accessor, "has no buffer view");
	view = &glb->view[number];
	if (view->packed)
	{
		mf_refuse(glb->job->refusal, MF_ERROR_UNSUPPORTED,
				  "The GLB file is packed by EXT_meshopt_compression.  Please "
				  "export it without compression.");
		return false;
	}
	if (view->buffer == MF_GLB_NONE)
		return mf_glb_refuse(glb, "bufferViews", number, "has no buffer");
	if (!open_buffer(glb, view->buffer))
		return false;
	buffer = &glb->buffer[view->buffer];
	if (view->offset > buffer->size ||
		view->length > buffer->size - view->offset)
		return mf_glb_refuse(glb, "bufferViews", number,
							 "reaches beyond its buffer");
	*stride = view->stride > 0 ? view->stride : size;
	if (*stride < size)
		return mf_glb_refuse(glb, "bufferViews", number,
							 "has a stride that is too small");
	/* Compared by division: what the file says is never multiplied. */
	if (count > 0 && (offset > view->length || size > view->length - offset ||
					  count - 1 > (view->length - offset - size) / *stride))
		return mf_glb_refuse(glb, "accessors", accessor,
							 "reaches beyond its buffer view");
	*at = buffer->at + view->offset + offset;
	return true;
}

/* The numbers of replaced elements: in order, and within the accessor. */
static bool
check_replaced(MfGlb *glb, uint32_t accessor, const MfGlbColumn *column)
{
	MfGlbColumn which = {
		.type = column->which_type,.at = column->which,
		.stride = column->which_stride
	};
	uint64_t	least = 0;

	if (!mf_glb_spend(glb, column->replaced))
		return false;
	for (uint64_t i = 0; i < column->replaced; i++)
	{
		const uint32_t element = mf_glb_load_index(&which, i);

		if (element < least || element >= column->count)
			return mf_glb_refuse(glb, "accessors", accessor,
								 "replaces elements out of order");
		least = element + UINT64_C(1);
	}
	return true;
}

/* Finds an accessor's bytes; see glb.h. */
bool
mf_glb_open(MfGlb *glb, uint32_t accessor, uint32_t numbers,
			MfGlbColumn *column)
{
	const MfGlbAccessor *a = &glb->accessor[accessor];
	const uint64_t size = numbers * (uint64_t) type_size(a->type);
	const bool	whole = a->which_type == MF_GLB_UINT8 ||
	a->which_type == MF_GLB_UINT16 || a->which_type == MF_GLB_UINT32;

	memset(column, 0, sizeof(*column));
	if (a->numbers != numbers || size == 0)
		return mf_glb_refuse(glb, "accessors", accessor,
							 "has a type that does not fit its use");
	column->type = (MfGlbType) a->type;
	column->numbers = numbers;
	column->normalized = a->normalized;
	column->count = a->count;
	if (a->view != MF_GLB_NONE)
	{
		if (!find_bytes(glb, accessor, a->view, a->offset, a->count, size,
						&column->at, &column->stride))
			return false;
	}
	else if (a->replaced == 0 || a->count > glb->job->size)
		return mf_glb_refuse(glb, "accessors", accessor, "has no buffer view");
	if (a->replaced == 0)
		return true;
	if (!whole || a->replaced > a->count)
		return mf_glb_refuse(glb, "accessors", accessor,
							 "does not say what it replaces");
	column->replaced = a->replaced;
	column->which_type = (MfGlbType) a->which_type;
	return find_bytes(glb, accessor, a->which_view, a->which_offset,
					  a->replaced, type_size(a->which_type), &column->which,
					  &column->which_stride) &&
		find_bytes(glb, accessor, a->with_view, a->with_offset, a->replaced,
				   size, &column->with, &column->with_stride) &&
		check_replaced(glb, accessor, column);
}

/* Where element `i` is: in its place, or replaced; NULL: zeros. */
static inline const uint8_t *
find_element(const MfGlbColumn *column, uint64_t i)
{
	uint64_t	from = 0;
	uint64_t	to = column->replaced;

	if (to > 0)
	{
		const MfGlbColumn which = {
			.type = column->which_type,.at = column->which,
			.stride = column->which_stride
		};

		while (from < to)
		{
			const uint64_t middle = (from + to) / 2;

			if (mf_glb_load_index(&which, middle) < i)
				from = middle + 1;
			else
				to = middle;
		}
		if (from < column->replaced && mf_glb_load_index(&which, from) == i)
			return column->with + from * column->with_stride;
	}
	return column->at != NULL ? column->at + i * column->stride : NULL;
}

/* One whole number; see glb.h. */
uint32_t
mf_glb_load_index(const MfGlbColumn *column, uint64_t i)
{
	const uint8_t *at = find_element(column, i);
	uint16_t	two;
	uint32_t	four;

	if (at == NULL)
		return 0;
	switch (column->type)
	{
		case MF_GLB_UINT8:
			return *at;
		case MF_GLB_UINT16:
			memcpy(&two, at, sizeof(two));
			return two;
		default:
			memcpy(&four, at, sizeof(four));
			return four;
	}
}

/* Reals; see glb.h.  Section 3.11 of the specification scales by type. */
void
mf_glb_load_reals(const MfGlbColumn *column, uint64_t i, double *to)
{
	const uint8_t *at = find_element(column, i);
	const bool	n = column->normalized;

	for (uint32_t k = 0; k < column->numbers; k++)
	{
		int16_t		word;
		uint16_t	unsigned_word;
		float		real;

		to[k] = 0;
		if (at == NULL)
			continue;
		switch (column->type)
		{
			case MF_GLB_INT8:
				to[k] = n ? fmax((int8_t) at[k] / 127.0, -1) : (int8_t) at[k];
				break;
			case MF_GLB_UINT8:
				to[k] = n ? at[k] / 255.0 : at[k];
				break;
			case MF_GLB_INT16:
				memcpy(&word, at + 2 * k, sizeof(word));
				to[k] = n ? fmax(word / 32767.0, -1) : word;
				break;
			case MF_GLB_UINT16:
				memcpy(&unsigned_word, at + 2 * k, sizeof(unsigned_word));
				to[k] = n ? unsigned_word / 65535.0 : unsigned_word;
				break;
			default:
				memcpy(&real, at + 4 * k, sizeof(real));
				to[k] = real;
		}
	}
}

/* Reads a view from the JSON. */
static bool
read_view(MfGlb *glb, uint32_t json, MfGlbView *view)
{
	const uint32_t extensions = mf_json_member(&glb->json, json, "extensions");

	view->packed = mf_json_member(&glb->json, extensions,
								  "EXT_meshopt_compression") != MF_JSON_NONE;
	return mf_glb_reference(glb, json, "buffer", &glb->buffers,
							&view->buffer) &&
		mf_glb_integer(glb, json, "byteOffset", 0, &view->offset) &&
		mf_glb_integer(glb, json, "byteLength", 0, &view->length) &&
		mf_glb_integer(glb, json, "byteStride", 0, &view->stride);
}

/* Reads what an accessor replaces. */
static bool
read_sparse(MfGlb *glb, uint32_t json, MfGlbAccessor *accessor)
{
	const uint32_t which = mf_json_member(&glb->json, json, "indices");
	const uint32_t with = mf_json_member(&glb->json, json, "values");
	uint64_t	type;

	if (!mf_glb_integer(glb, json, "count", 0, &accessor->replaced) ||
		!mf_glb_reference(glb, which, "bufferView", &glb->views,
						  &accessor->which_view) ||
		!mf_glb_integer(glb, which, "byteOffset", 0, &accessor->which_offset) ||
		!mf_glb_integer(glb, which, "componentType", 0, &type) ||
		!mf_glb_reference(glb, with, "bufferView", &glb->views,
						  &accessor->with_view) ||
		!mf_glb_integer(glb, with, "byteOffset", 0, &accessor->with_offset))
		return false;
	accessor->which_type = (uint32_t) type;
	return true;
}

/* Reads an accessor from the JSON. */
static bool
read_accessor(MfGlb *glb, uint32_t json, MfGlbAccessor *accessor)
{
	const uint32_t kind = mf_json_member(&glb->json, json, "type");
	const uint32_t sparse = mf_json_member(&glb->json, json, "sparse");
	uint64_t	type;

	if (!mf_glb_reference(glb, json, "bufferView", &glb->views,
						  &accessor->view) ||
		!mf_glb_integer(glb, json, "byteOffset", 0, &accessor->offset) ||
		!mf_glb_integer(glb, json, "componentType", 0, &type) ||
		!mf_glb_integer(glb, json, "count", 0, &accessor->count) ||
		(sparse != MF_JSON_NONE && !read_sparse(glb, sparse, accessor)))
		return false;
	accessor->type = (uint32_t) type;
	accessor->numbers = mf_json_is(&glb->json, kind, "SCALAR") ? 1 :
		mf_json_is(&glb->json, kind, "VEC3") ? 3 :
		mf_json_is(&glb->json, kind, "VEC4") ? 4 : 0;
	accessor->normalized =
		mf_json_is_kind(&glb->json,
						mf_json_member(&glb->json, json, "normalized"),
						MF_JSON_TRUE);
	return true;
}

/* Reads buffers, views and accessors; see glb.h. */
bool
mf_glb_read_data(MfGlb *glb)
{
	MfMemory   *memory = &glb->job->memory;

	glb->buffer = mf_memory_alloc(memory, glb->buffers.count *
								  sizeof(*glb->buffer));
	glb->view = mf_memory_alloc(memory, glb->views.count *
								sizeof(*glb->view));
	glb->accessor = mf_memory_alloc(memory, glb->accessors.count *
									sizeof(*glb->accessor));
	if (glb->buffer == NULL || glb->view == NULL || glb->accessor == NULL)
		return mf_job_out_of_memory(glb->job);
	for (uint32_t i = 0; i < glb->buffers.count; i++)
		glb->buffer[i].json = glb->buffers.item[i];
	for (uint32_t i = 0; i < glb->views.count; i++)
		if (!read_view(glb, glb->views.item[i], &glb->view[i]))
			return false;
	for (uint32_t i = 0; i < glb->accessors.count; i++)
		if (!read_accessor(glb, glb->accessors.item[i], &glb->accessor[i]))
			return false;
	return true;
}

/* Gives the memory back. */
void
mf_glb_free_data(MfGlb *glb)
{
	MfMemory   *memory = &glb->job->memory;

	for (uint32_t i = 0; glb->buffer != NULL && i < glb->buffers.count; i++)
		mf_memory_free(memory, glb->buffer[i].own, glb->buffer[i].own_bytes);
	mf_memory_free(memory, glb->buffer, glb->buffers.count *
				   sizeof(*glb->buffer));
	mf_memory_free(memory, glb->view, glb->views.count * sizeof(*glb->view));
	mf_memory_free(memory, glb->accessor, glb->accessors.count *
				   sizeof(*glb->accessor));
}
