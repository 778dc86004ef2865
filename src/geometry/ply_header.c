/*
 * ply_header.c
 *		The header of a PLY file: what is declared, and where the rows begin.
 *
 * Lines end in LF, CR or CR LF.  In a binary file the byte behind the header
 * counts: CR LF there is one end of line, save where all lines before have
 * ended in CR alone.
 */
#include <string.h>

#include "ply.h"
#include "text.h"

#define lengthof(array) (sizeof(array) / sizeof((array)[0]))

/* Words of a line that say something. */
#define MAX_WORDS	5

typedef struct Word
{
	const char *at;
	size_t		length;
} Word;

typedef struct Header
{
	MfPly	   *ply;
	const char *at;				/* the next line */
	const char *end;			/* of what may be header */
	bool		only_cr;		/* so far, lines end in CR alone */
	const char *line;			/* the last line that was read */
	uint32_t	words;
	Word		word[MAX_WORDS];
} Header;

static const struct
{
	const char *name;
	MfPlyType	type;
}			types[] = {
	{"char", MF_PLY_INT8}, {"int8", MF_PLY_INT8},
	{"uchar", MF_PLY_UINT8}, {"uint8", MF_PLY_UINT8},
	{"short", MF_PLY_INT16}, {"int16", MF_PLY_INT16},
	{"ushort", MF_PLY_UINT16}, {"uint16", MF_PLY_UINT16},
	{"int", MF_PLY_INT32}, {"int32", MF_PLY_INT32},
	{"uint", MF_PLY_UINT32}, {"uint32", MF_PLY_UINT32},
	{"int64", MF_PLY_INT64}, {"uint64", MF_PLY_UINT64},
	{"float", MF_PLY_FLOAT32}, {"float32", MF_PLY_FLOAT32},
	{"double", MF_PLY_FLOAT64}, {"float64", MF_PLY_FLOAT64}
};

static inline bool
word_is(const Word *word, const char *name)
{
	return word->length == strlen(name) &&
		memcmp(word->at, name, word->length) == 0;
}

/* Refuses what the last line says; false. */
static bool
refuse_line(Header *h, const char *what)
{
	return mf_text_refuse(h->ply->job, h->line, MF_ERROR_MALFORMED,
						  "%s", what);
}

/*
 * Reads the words of the next line.  False: refused, because there is no end
 * of line before the end of what may be header.
 */
static bool
next_line(Header *h)
{
	const char *p = h->at;

	h->line = p;
	h->words = 0;
	while (p < h->end && !mf_text_is_line_end(*p))
	{
		Word		word = {.at = p};

		while (p < h->end && !mf_text_is_space(*p))
			p++;
		word.length = p - word.at;
		if (word.length > 0 && h->words < MAX_WORDS)
			h->word[h->words++] = word;
		while (p < h->end && mf_text_is_space(*p) && !mf_text_is_line_end(*p))
			p++;
	}
	if (p == h->end)
	{
		mf_refuse(h->ply->job->refusal,
				  h->end == (const char *) h->ply->end ? MF_ERROR_TRUNCATED :
				  MF_ERROR_MALFORMED,
				  "The header of the PLY file has no end.");
		return false;
	}
	if (*p == '\r' && p + 1 < (const char *) h->ply->end && p[1] == '\n' &&
		!(h->only_cr && h->words == 1 && word_is(&h->word[0], "end_header")))
		p++;
	h->only_cr &= *p == '\r';
	h->at = p + 1;
	return true;
}

/* "format ascii 1.0" */
static bool
read_format(Header *h)
{
	MfPly	   *ply = h->ply;

	if (h->words < 3 || ply->encoding != MF_PLY_NO_ENCODING)
		return refuse_line(h, "a format should be declared once, as in "
						   "\"format ascii 1.0\".");
	if (word_is(&h->word[1], "ascii"))
		ply->encoding = MF_PLY_ASCII;
	else if (word_is(&h->word[1], "binary_little_endian"))
		ply->encoding = MF_PLY_LITTLE_ENDIAN;
	else if (word_is(&h->word[1], "binary_big_endian"))
		ply->encoding = MF_PLY_BIG_ENDIAN;
	if (ply->encoding == MF_PLY_NO_ENCODING || !word_is(&h->word[2], "1.0"))
		return mf_text_refuse(ply->job, h->line, MF_ERROR_UNSUPPORTED,
							  "the format \"%.*s %.*s\" of PLY is not known.",
							  mf_text_shown(h->word[1].length), h->word[1].at,
							  mf_text_shown(h->word[2].length), h->word[2].at);
	return true;
}

/* "element NAME COUNT" */
static bool
read_element(Header *h)
{
	MfPly	   *ply = h->ply;
	MfPlyElement *element;
	const Word *count = &h->word[2];

	if (h->words != 3)
		return refuse_line(h, "an element should have a name and a count.");
	if (ply->element_count == MF_PLY_MAX_ELEMENTS)
		return refuse_line(h, "too many elements are declared.");
	element = &ply->element[ply->element_count];
	memset(element, 0, sizeof(*element));
	element->name = h->word[1].at;
	element->name_length = h->word[1].length;
	element->first = ply->property_count;
	for (size_t i = 0; i < count->length; i++)
	{
		const unsigned digit = (unsigned char) (count->at[i] - '0');

		if (digit > 9)
			return mf_text_refuse(ply->job, h->line, MF_ERROR_MALFORMED,
								  "\"%.*s\" found, where a count should be.",
								  mf_text_shown(count->length), count->at);
		/* What is too large stays too large. */
		if (element->count <= UINT64_MAX / 16)
			element->count = element->count * 10 + digit;
	}
	if (word_is(&h->word[1], "vertex"))
		element->kind = MF_PLY_VERTICES;
	else if (word_is(&h->word[1], "face"))
		element->kind = MF_PLY_FACES;
	else if (word_is(&h->word[1], "tristrips"))
		element->kind = MF_PLY_STRIPS;
	for (uint32_t i = 0; i < ply->element_count; i++)
		if (element->kind != MF_PLY_OTHER &&
			ply->element[i].kind == element->kind)
			return mf_text_refuse(ply->job, h->line, MF_ERROR_MALFORMED,
								  "the element \"%.*s\" is declared twice.",
								  mf_text_shown(element->name_length),
								  element->name);
	ply->element_count++;
	return true;
}

/* The type of this name; MF_PLY_NO_TYPE: refused. */
static MfPlyType
find_type(Header *h, const Word *word)
{
	for (size_t i = 0; i < lengthof(types); i++)
		if (word_is(word, types[i].name))
			return types[i].type;
	mf_text_refuse(h->ply->job, h->line, MF_ERROR_MALFORMED,
				   "the type \"%.*s\" is not known.",
				   mf_text_shown(word->length), word->at);
	return MF_PLY_NO_TYPE;
}

/* What a property of this name is for; refuses one that cannot be. */
static bool
find_role(Header *h, const MfPlyElement *element, MfPlyProperty *property,
		  const Word *name)
{
	static const char *const coordinates[] = {"x", "y", "z"};
	const bool	list = property->count_type != MF_PLY_NO_TYPE;

	property->role = MF_PLY_NOTHING;
	if (element->kind == MF_PLY_VERTICES)
	{
		for (int i = 0; i < 3; i++)
			if (word_is(name, coordinates[i]))
				property->role = (MfPlyRole) i;
		if (property->role != MF_PLY_NOTHING && list)
			return refuse_line(h, "a coordinate is declared as a list.");
	}
	else if (element->kind != MF_PLY_OTHER &&
			 (word_is(name, "vertex_indices") || word_is(name, "vertex_index")))
	{
		property->role = MF_PLY_CORNERS;
		if (!list)
			return refuse_line(h, "the vertices of a face are not declared as "
							   "a list.");
		if (property->type >= MF_PLY_FLOAT32)
			return refuse_line(h, "the numbers of a face's vertices are not "
							   "declared as whole numbers.");
	}
	return true;
}

/* "property TYPE NAME" or "property list TYPE TYPE NAME" */
static bool
read_property(Header *h)
{
	MfPly	   *ply = h->ply;
	MfPlyElement *element;
	MfPlyProperty *property;
	const bool	list = h->words > 1 && word_is(&h->word[1], "list");

	if (ply->element_count == 0)
		return refuse_line(h, "a property without an element.");
	if (h->words != (list ? 5 : 3))
		return refuse_line(h, "a property should have a type and a name.");
	if (ply->property_count == MF_PLY_MAX_PROPERTIES)
		return refuse_line(h, "too many properties are declared.");
	element = &ply->element[ply->element_count - 1];
	property = &ply->property[ply->property_count];
	memset(property, 0, sizeof(*property));
	property->type = find_type(h, &h->word[list ? 3 : 1]);
	if (property->type == MF_PLY_NO_TYPE)
		return false;
	if (list)
	{
		property->count_type = find_type(h, &h->word[2]);
		if (property->count_type == MF_PLY_NO_TYPE)
			return false;
		if (property->count_type >= MF_PLY_FLOAT32)
			return refuse_line(h, "the length of a list is not declared as a "
							   "whole number.");
		element->lists = true;
	}
	if (!find_role(h, element, property, &h->word[list ? 4 : 2]))
		return false;
	for (uint32_t i = element->first; i < ply->property_count; i++)
		if (property->role != MF_PLY_NOTHING &&
			ply->property[i].role == property->role)
			return refuse_line(h, "a property is declared twice.");
	ply->property_count++;
	element->properties++;
	return true;
}

/*
 * Does an element have what it needs?  Also finds the bytes that a row takes
 * at the least: in text, a digit and a separator for each number.
 */
static bool
check_element(MfPly *ply, MfPlyElement *element)
{
	const bool	text = ply->encoding == MF_PLY_ASCII;
	int			needed = 0;

	for (uint32_t i = 0; i < element->properties; i++)
	{
		const MfPlyProperty *p = &ply->property[element->first + i];
		const bool	list = p->count_type != MF_PLY_NO_TYPE;

		element->least_bytes += text ? 2 :
			mf_ply_type_size(list ? p->count_type : p->type);
		if (p->role == MF_PLY_CORNERS && element->kind == MF_PLY_FACES)
			element->least_bytes += 3 * (text ? 2 : mf_ply_type_size(p->type));
		needed += p->role != MF_PLY_NOTHING;
	}
	if (element->kind == MF_PLY_OTHER || element->count == 0 ||
		needed == (element->kind == MF_PLY_VERTICES ? 3 : 1))
		return true;
	mf_refuse(ply->job->refusal, MF_ERROR_MALFORMED,
			  element->kind == MF_PLY_VERTICES ?
			  "The PLY file declares vertices without the three coordinates "
			  "x, y and z." :
			  "The PLY file declares faces without a list of their vertices, "
			  "\"vertex_indices\".");
	return false;
}

/* Does what the last line says; *done: the header ends. */
static bool
read_line(Header *h, bool *done)
{
	if (h->words == 0 || word_is(&h->word[0], "comment") ||
		word_is(&h->word[0], "obj_info"))
		return true;
	if (word_is(&h->word[0], "format"))
		return read_format(h);
	if (word_is(&h->word[0], "element"))
		return read_element(h);
	if (word_is(&h->word[0], "property"))
		return read_property(h);
	*done = word_is(&h->word[0], "end_header");
	return *done ||
		mf_text_refuse(h->ply->job, h->line, MF_ERROR_MALFORMED,
					   "\"%.*s\" found, where a declaration should be.",
					   mf_text_shown(h->word[0].length), h->word[0].at);
}

/* Reads the header; see ply.h. */
bool
mf_ply_read_header(MfPly *ply)
{
	Header		h = {
		.ply = ply,.at = (const char *) ply->at,
		.end = (const char *) ply->end,.only_cr = true
	};
	bool		done = false;

	if (ply->end - ply->at > MF_PLY_MAX_HEADER)
		h.end = h.at + MF_PLY_MAX_HEADER;
	/* Detection has seen the first line. */
	if (!next_line(&h))
		return false;
	while (!done)
		if (!next_line(&h) || !read_line(&h, &done))
			return false;
	if (ply->encoding == MF_PLY_NO_ENCODING)
		return refuse_line(&h, "the header ends without a line \"format\".");
	for (uint32_t i = 0; i < ply->element_count; i++)
		if (!check_element(ply, &ply->element[i]))
			return false;
	ply->at = (const uint8_t *) h.at;
	return true;
}
