/*
 * ply_ascii.c
 *		Rows of a PLY file in text: each is a line.
 *
 * A line may say more than its element declares: that is passed by, as are
 * lines with nothing in them.  It may not say less.
 */
#include <string.h>

#include "ply.h"
#include "text.h"

typedef struct Reader
{
	MfPly	   *ply;
	const MfPlyElement *element;
	uint64_t	row;
	const char *at;				/* what comes next */
	const char *end;
	const char *word;			/* the word that was read last */
	size_t		length;
} Reader;

/* Reads the next word of the line; at its end it is empty. */
static inline void
next_word(Reader *r)
{
	const char *p = r->at;

	while (p < r->end && mf_text_is_space(*p) && !mf_text_is_line_end(*p))
		p++;
	r->word = p;
	while (p < r->end && !mf_text_is_space(*p))
		p++;
	r->length = p - r->word;
	r->at = p;
}

/* Skips the rest of the line. */
static inline void
skip_line(Reader *r)
{
	const char *p = r->at;

	while (p < r->end && !mf_text_is_line_end(*p))
		p++;
	r->at = p;
}

/* Refuses the last word where a number was due; false. */
static bool
refuse_word(Reader *r, const char *expected)
{
	const MfPlyElement *e = r->element;

	if (r->length == 0)
		return mf_text_refuse(r->ply->job, r->word,
							  r->word == r->end ? MF_ERROR_TRUNCATED :
							  MF_ERROR_MALFORMED,
							  "a row of the element \"%.*s\" ends early.",
							  mf_text_shown(e->name_length), e->name);
	return mf_text_refuse(r->ply->job, r->word, MF_ERROR_MALFORMED,
						  "\"%.*s\" found, where %s should be.",
						  mf_text_shown(r->length), r->word, expected);
}

/* Reads a whole number; one of more than 18 digits is no number here. */
static inline bool
read_integer(Reader *r, int64_t *value, const char *expected)
{
	const char *p;
	const char *end;
	bool		negative;
	int64_t		number = 0;

	next_word(r);
	p = r->word;
	end = p + r->length;
	negative = p < end && *p == '-';
	p += negative || (p < end && *p == '+');
	if (p == end || end - p > 18)
		return refuse_word(r, expected);
	for (; p < end; p++)
	{
		const unsigned digit = (unsigned char) (*p - '0');

		if (digit > 9)
			return refuse_word(r, expected);
		number = number * 10 + digit;
	}
	*value = negative ? -number : number;
	return true;
}

/* Reads a coordinate. */
static inline bool
read_coordinate(Reader *r, double *at)
{
	MfNumberResult result;

	next_word(r);
	result = mf_number_parse(r->word, r->length, at);
	if (result == MF_NUMBER_MALFORMED)
		return refuse_word(r, "a coordinate");
	return result == MF_NUMBER_OK ||
		mf_text_refuse_number(r->ply->job, r->word, r->length, result);
}

/* Reads the corners of a face, and adds it. */
static bool
read_face(Reader *r, uint64_t count)
{
	MfPly	   *ply = r->ply;
	MfPolygon  *polygon = &ply->polygon;

	if (count < 3 || count > MF_MAX_POLYGON_CORNERS)
		return mf_ply_refuse_count(ply, count, r->row);
	if (count > polygon->room &&
		!mf_polygon_reserve(ply->job, polygon, (uint32_t) count))
		return false;
	for (uint64_t i = 0; i < count; i++)
	{
		int64_t		corner = 0;

		if (!read_integer(r, &corner, "the number of a vertex"))
			return false;
		if ((uint64_t) corner >= ply->vertices)
			return mf_ply_refuse_corner(ply, corner, r->row);
		polygon->corner[i].vertex = (uint32_t) corner;
	}
	polygon->count = (uint32_t) count;
	return mf_polygon_add(ply->job, ply->mesh, polygon);
}

/* Reads a list: numbers of vertices, or what is not looked at. */
static bool
read_list(Reader *r, const MfPlyProperty *p)
{
	int64_t		count = 0;

	if (!read_integer(r, &count, "the length of a list"))
		return false;
	if (count < 0)
		return refuse_word(r, "the length of a list");
	if (p->role == MF_PLY_CORNERS && r->element->kind == MF_PLY_FACES)
		return read_face(r, (uint64_t) count);
	r->ply->strip_length = 0;
	for (int64_t i = 0; i < count; i++)
		if (p->role == MF_PLY_CORNERS)
		{
			int64_t		corner = 0;

			if (!read_integer(r, &corner, "the number of a vertex") ||
				!mf_ply_add_strip_corner(r->ply, corner, r->row))
				return false;
		}
		else
		{
			next_word(r);
			if (r->length == 0)
				return refuse_word(r, "a number");
		}
	return true;
}

/* Reads a row; the line has something in it. */
static bool
read_row(Reader *r)
{
	const MfPlyElement *e = r->element;

	for (uint32_t i = 0; i < e->properties; i++)
	{
		const MfPlyProperty *p = &r->ply->property[e->first + i];

		if (p->count_type != MF_PLY_NO_TYPE)
		{
			if (!read_list(r, p))
				return false;
		}
		else if (p->role <= MF_PLY_Z)
		{
			if (!read_coordinate(r, &r->ply->mesh->wide_at[r->row][p->role]))
				return false;
		}
		else
		{
			next_word(r);
			if (r->length == 0)
				return refuse_word(r, "a number");
		}
	}
	return true;
}

/* Reads the rows of an element; see ply.h. */
bool
mf_ply_read_ascii(MfPly *ply, const MfPlyElement *element, bool pass_by)
{
	Reader		r = {
		.ply = ply,.element = element,.at = (const char *) ply->at,
		.end = (const char *) ply->end
	};

	if (element->properties == 0)
		return true;
	for (; r.row < element->count; r.row++)
	{
		if (r.row % MF_PROGRESS_ITEMS == 0)
			mf_job_progress(ply->job, MF_STAGE_READING,
							r.at - (const char *) ply->job->bytes,
							ply->job->size);
		while (r.at < r.end && mf_text_is_space(*r.at))
			r.at++;
		if (r.at == r.end)
			return mf_ply_refuse_end(ply, element, r.row);
		if (!pass_by && !read_row(&r))
			return false;
		skip_line(&r);
	}
	ply->at = (const uint8_t *) r.at;
	return true;
}
