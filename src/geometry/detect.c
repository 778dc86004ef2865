/*
 * detect.c
 *		Which format some bytes are, by what they say, never by their name.
 *
 * The order matters.  A binary STL may begin with "solid" or with whatever
 * else its program found witty, so a size that fits the count in the header
 * to the byte settles it.  Then come signatures, then text, and what is left
 * is either a damaged binary STL, if its numbers look like coordinates, or
 * no model at all.
 */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "stl.h"
#include "text.h"

#define lengthof(array) (sizeof(array) / sizeof((array)[0]))

/* How far into a file a decision about its kind looks. */
#define HEAD	1024

/* How a file of a known kind is refused. */
typedef struct Signature
{
	size_t		length;
	const char *bytes;			/* at the very beginning */
	const char *kind;			/* "a PNG picture" */
	bool		model;			/* of a kind a person can look at */
} Signature;

#define SIGNATURE(bytes, kind, model) \
	{sizeof(bytes) - 1, bytes, kind, model}

static const Signature signatures[] = {
	SIGNATURE("PK\005\006", "an empty ZIP archive", false),
	SIGNATURE("ISO-10303-21", "a STEP file", true),
	SIGNATURE("3D Geometry File Format", "a Rhino file", true),
	SIGNATURE("BLENDER", "a Blender file", true),
	SIGNATURE("Kaydara FBX Binary", "an FBX file", true),
	SIGNATURE("AC10", "a DWG drawing", true),
	SIGNATURE("\320\317\021\340\241\261\032\341",
			  "a SolidWorks or Office document", true),
	SIGNATURE("<?xml", "an XML file, such as AMF or X3D", true),
	SIGNATURE("\037\213", "a gzip archive", true),
	SIGNATURE("7z\274\257\047\034", "a 7z archive", true),
	SIGNATURE("Rar!", "a RAR archive", true),
	SIGNATURE("\211PNG\r\n", "a PNG picture", false),
	SIGNATURE("\377\330\377", "a JPEG picture", false),
	SIGNATURE("GIF8", "a GIF picture", false),
	SIGNATURE("%PDF", "a PDF document", false),
	SIGNATURE("\177ELF", "a program", false),
	SIGNATURE("MZ\220", "a program", false)
};

/* Refuses a file of a kind that is known and not read. */
static MfEncoding
refuse_kind(MfJob *job, const char *kind, bool model)
{
	if (model)
		mf_refuse(job->refusal, MF_ERROR_UNSUPPORTED,
				  "This is %s.  Files of this kind are looked at by a person.",
				  kind);
	else
		mf_refuse(job->refusal, MF_ERROR_NOT_A_MODEL,
				  "This is %s, not a 3D model.", kind);
	return MF_ENCODING_NONE;
}

/* Does the text at `from` begin with this word, in any case? */
static bool
begins_with(const MfJob *job, size_t from, const char *word)
{
	const size_t length = strlen(word);

	if (job->size - from < length)
		return false;
	for (size_t i = 0; i < length; i++)
		if (tolower(job->bytes[from + i]) != word[i])
			return false;
	return true;
}

/* Does that word end there, at white space or at the end of the file? */
static bool
is_word(const MfJob *job, size_t from, const char *word)
{
	const size_t end = from + strlen(word);

	return begins_with(job, from, word) &&
		(end == job->size || strchr(" \t\r\n\v\f", job->bytes[end]) != NULL);
}

/* Is the beginning free of what no text has? */
static bool
is_text(const MfJob *job)
{
	const size_t length = mf_text_length(job->bytes, job->size);
	const size_t head = length < HEAD ? length : HEAD;

	for (size_t i = 0; i < head; i++)
		if (job->bytes[i] < 0x20 &&
			strchr("\t\r\n\v\f", job->bytes[i]) == NULL)
			return false;
	/* strchr finds the terminating zero, too. */
	return head > 0 && memchr(job->bytes, 0, head) == NULL;
}

/* The first byte of a text that is neither byte order mark nor space. */
static size_t
text_start(const MfJob *job)
{
	size_t		at = 0;

	if (job->size >= 3 && memcmp(job->bytes, "\357\273\277", 3) == 0)
		at = 3;
	while (at < job->size && isspace(job->bytes[at]))
		at++;
	return at;
}

/* The next byte of the line that is not white space. */
static size_t
skip_blanks(const MfJob *job, size_t at)
{
	while (at < job->size && mf_text_is_space(job->bytes[at]) &&
		   !mf_text_is_line_end(job->bytes[at]))
		at++;
	return at;
}

/* Does a statement of OBJ have a number here, good or bad? */
static bool
is_number(const MfJob *job, size_t at)
{
	const char *text = (const char *) job->bytes + at;
	size_t		length = 0;
	double		value;

	while (at + length < job->size && length <= MF_MAX_NUMBER_LENGTH &&
		   !mf_text_is_space(text[length]) && text[length] != '/' &&
		   text[length] != '\\')
		length++;
	return mf_number_parse(text, length, &value) != MF_NUMBER_MALFORMED;
}

/*
 * Is this OBJ?  Comments and words about groups come first; numbers after the
 * name of what has numbers settle it, or the name of a file of materials.
 */
static bool
is_obj(const MfJob *job, size_t at)
{
	static const char *const with_numbers[] = {
		"v", "vn", "vt", "vp", "f", "l", "p"
	};
	static const char *const before[] = {
		"o", "g", "s", "mg", "usemtl", "lod", "bevel", "c_interp", "d_interp",
		"usemap", "maplib", "shadow_obj", "trace_obj", "cstype"
	};

	while (at < job->size)
	{
		bool		known = job->bytes[at] == '#';

		if (is_word(job, at, "mtllib"))
			return true;
		for (size_t i = 0; i < lengthof(with_numbers); i++)
			if (is_word(job, at, with_numbers[i]))
				return is_number(job, skip_blanks(job, at +
												  strlen(with_numbers[i])));
		for (size_t i = 0; i < lengthof(before); i++)
			known |= is_word(job, at, before[i]);
		if (!known)
			return false;
		while (at < job->size && !mf_text_is_line_end(job->bytes[at]))
			at++;
		while (at < job->size && mf_text_is_space(job->bytes[at]))
			at++;
	}
	return false;
}

/*
 * Could these be the facets of a binary STL?  Nine random floats are rarely
 * all of the size of coordinates: with half of the exponents allowed, one
 * time in 200.  The lower bound is far below any part, because a zero that
 * was computed is often 1e-17.
 */
static bool
looks_like_facets(const MfJob *job)
{
	float		at[9];

	if (job->size < MF_STL_HEADER)
		return false;
	if (job->size < MF_STL_HEADER + MF_STL_FACET)
		return mf_stl_header_count(job->bytes) > 0 &&
			mf_stl_header_count(job->bytes) <= MF_DEFAULT_MAX_TRIANGLES;
	memcpy(at, job->bytes + MF_STL_HEADER + MF_STL_NORMAL, sizeof(at));
	for (int i = 0; i < 9; i++)
		if (!isfinite(at[i]) || fabsf(at[i]) > 1e12f ||
			(at[i] != 0 && fabsf(at[i]) < 1e-30f))
			return false;
	return true;
}

/* What kind of file is this?  MF_ENCODING_NONE: refused. */
MfEncoding
mf_detect_encoding(MfJob *job)
{
	size_t		start;

	if (job->size == 0)
	{
		mf_refuse(job->refusal, MF_ERROR_EMPTY, "The file is empty.");
		return MF_ENCODING_NONE;
	}
	if (job->size >= MF_STL_HEADER &&
		job->size - MF_STL_HEADER ==
		mf_stl_header_count(job->bytes) * MF_STL_FACET)
		return MF_ENCODING_STL_BINARY;

	if (is_word(job, 0, "ply"))
		return MF_ENCODING_PLY;
	if (job->size >= 4 && memcmp(job->bytes, "glTF", 4) == 0)
		return MF_ENCODING_GLB;
	if (job->size >= 4 && memcmp(job->bytes, "PK\003\004", 4) == 0)
		return MF_ENCODING_3MF;
	for (size_t i = 0; i < lengthof(signatures); i++)
	{
		const Signature *s = &signatures[i];

		if (job->size >= s->length &&
			memcmp(job->bytes, s->bytes, s->length) == 0)
			return refuse_kind(job, s->kind, s->model);
	}

	if (job->size >= 2 && (memcmp(job->bytes, "\377\376", 2) == 0 ||
						   memcmp(job->bytes, "\376\377", 2) == 0))
		return MF_ENCODING_UTF16;
	if (is_text(job))
	{
		start = text_start(job);
		if (is_word(job, start, "solid"))
			return MF_ENCODING_STL_ASCII;
		if (is_word(job, start, "ply"))
			return MF_ENCODING_PLY;
		if (begins_with(job, start, "iso-10303-21"))
			return refuse_kind(job, "a STEP file", true);
		if (start < job->size && job->bytes[start] == '<')
			return refuse_kind(job, "an XML file, such as AMF or X3D", true);
		if (start < job->size && job->bytes[start] == '{')
		{
			mf_refuse(job->refusal, MF_ERROR_UNSUPPORTED,
					  "This is a JSON file, such as glTF in several files.  "
					  "Please export the model as GLB, which is glTF in one "
					  "file.");
			return MF_ENCODING_NONE;
		}
		if (begins_with(job, start, "off\n") ||
			begins_with(job, start, "off\r"))
			return refuse_kind(job, "an OFF file", true);
		if (is_obj(job, start))
			return MF_ENCODING_OBJ;
	}
	else if (looks_like_facets(job))
		return MF_ENCODING_STL_BINARY;

	mf_refuse(job->refusal, MF_ERROR_NOT_A_MODEL,
			  "The file is not a 3D model of a known kind.");
	return MF_ENCODING_NONE;
}
