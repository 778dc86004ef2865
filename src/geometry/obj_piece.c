/*
 * obj_piece.c
 *		The statements of OBJ, in a piece of a file.
 *
 * Vertices are in lines of "v", polygons over their numbers in lines of "f".
 * Numbers count from 1, or backwards from the last vertex so far.
 */
#include <string.h>

#include "obj.h"
#include "polygon.h"
#include "text.h"

/* Numbers of a vertex: place, weight, a colour and how much it covers. */
#define MOST_NUMBERS	8

typedef struct Reader
{
	MfObjPiece *piece;
	const MfObjCheck *check;	/* NULL: refuse without a word */
	const char *at;				/* what comes next */
	const char *end;
	const char *word;			/* the word that was read last */
	size_t		length;
} Reader;

#define REFUSE(r, ...) \
	((r)->check != NULL && mf_text_refuse((r)->check->job, __VA_ARGS__))
#define REFUSE_NUMBER(r, ...) \
	((r)->check != NULL && mf_text_refuse_number((r)->check->job, __VA_ARGS__))

/* Curved surfaces, and whatever another file has to say. */
static const char *const not_read[] = {
	"surf", "bsp", "bzp", "cdc", "cdp", "res", "call"
};

/* What a byte can be; most are looked at two or three times. */
#define BLANK		1
#define LINE_END	2
#define BACKSLASH	4
#define CORNER		8			/* in a corner, behind its first number */

static const uint8_t kinds[256] = {
	[' '] = BLANK,['\t'] = BLANK,['\v'] = BLANK,['\f'] = BLANK,
	['\n'] = LINE_END,['\r'] = LINE_END,['\\'] = BACKSLASH,
	['0'] = CORNER,['1'] = CORNER,['2'] = CORNER,['3'] = CORNER,
	['4'] = CORNER,['5'] = CORNER,['6'] = CORNER,['7'] = CORNER,
	['8'] = CORNER,['9'] = CORNER,['+'] = CORNER,['-'] = CORNER,
	['/'] = CORNER
};

/* Is this byte of one of these kinds? */
static inline bool
is(char c, uint8_t any)
{
	return (kinds[(uint8_t) c] & any) != 0;
}

/*
 * Where the line goes on, if the backslash at p is the last of its line;
 * else NULL.
 */
static const char *
continued(const Reader *r, const char *p)
{
	for (p++; p < r->end && is(*p, BLANK); p++)
		;
	if (p == r->end)
		return p;
	if (!is(*p, LINE_END))
		return NULL;
	if (*p == '\r' && p + 1 < r->end && p[1] == '\n')
		p++;
	return p + 1;
}

/*
 * Reads the next word of a statement; at its end, or where a comment begins,
 * it is empty.  A backslash at the end of a line is white space.
 */
static inline void
next_word(Reader *r)
{
	const char *p = r->at;

	for (;;)
	{
		const char *more;

		while (p < r->end && is(*p, BLANK))
			p++;
		if (p == r->end || *p != '\\' || (more = continued(r, p)) == NULL)
			break;
		p = more;
	}
	r->word = p;
	if (p < r->end && *p != '#')
		while (p < r->end && (!is(*p, BLANK | LINE_END | BACKSLASH) ||
							  (*p == '\\' && continued(r, p) == NULL)))
			p++;
	r->length = p - r->word;
	r->at = p;
}

/* Skips the rest of the line. */
static inline void
skip_line(Reader *r)
{
	const char *p = r->at;

	while (p < r->end && !is(*p, LINE_END))
		p++;
	r->at = p;
}

/* Is the line end at `p` behind a backslash?  See obj.h. */
bool
mf_obj_goes_on(const char *from, const char *p)
{
	if (p > from && *p == '\n' && p[-1] == '\r')
		p--;
	while (p > from && is(p[-1], BLANK))
		p--;
	return p > from && p[-1] == '\\';
}

/* Refuses the last word where a number was due; false. */
static bool
refuse_number(Reader *r, MfNumberResult result, int read)
{
	if (r->length == 0)
		return REFUSE(r, r->word, MF_ERROR_MALFORMED,
					  "a vertex with %d coordinates instead of three.",
					  read);
	if (result != MF_NUMBER_MALFORMED)
		return REFUSE_NUMBER(r, r->word, r->length, result);
	return REFUSE(r, r->word, MF_ERROR_MALFORMED,
				  "\"%.*s\" found, where a coordinate should be.",
				  mf_text_shown(r->length), r->word);
}

/* Reads a vertex; its "v" has been read, and there is room. */
static bool
read_vertex(Reader *r)
{
	double	   *at = r->piece->vertex[r->piece->vertices];

	for (int i = 0; i < 3; i++)
	{
		MfNumberResult result;

		next_word(r);
		result = mf_number_parse(r->word, r->length, &at[i]);
		if (result != MF_NUMBER_OK)
			return refuse_number(r, result, i);
	}
	r->piece->vertices++;

	/* A weight is for curves, and a colour is not measured. */
	for (int i = 3; next_word(r), r->length > 0; i++)
	{
		double		ignored;
		MfNumberResult result;

		result = mf_number_parse(r->word, r->length, &ignored);
		if (result == MF_NUMBER_MALFORMED || result == MF_NUMBER_COMMA)
			return refuse_number(r, result, i);
		if (i == MOST_NUMBERS)
			return REFUSE(r, r->word, MF_ERROR_MALFORMED,
						  "a vertex with more than %d numbers.", MOST_NUMBERS);
	}
	return true;
}

/* Refuses the last word where a corner of a polygon was due; false. */
static bool
refuse_corner(Reader *r)
{
	return REFUSE(r, r->word, MF_ERROR_MALFORMED,
				  "\"%.*s\" found, where the number of a vertex "
				  "should be.", mf_text_shown(r->length), r->word);
}

/* Refuses the vertex that the last word names, if it is not there. */
static bool
check_corner(Reader *r, uint64_t number, const char *digits,
			 const char *digits_end, bool backwards)
{
	const MfObjCheck *check = r->check;
	uint64_t	there;

	if (check == NULL)
		return number > 0;
	if (number == 0)
		return REFUSE(r, r->word, MF_ERROR_MALFORMED,
					  "vertex 0 is used; vertices count from 1.");
	there = backwards ? check->before + r->piece->vertices : check->all;
	return number <= there ||
		REFUSE(r, r->word, MF_ERROR_MALFORMED,
			   "vertex %.*s is used, where there are %llu vertices%s.",
			   (int) (digits - r->word) + mf_text_shown(digits_end - digits),
			   r->word, (unsigned long long) there,
			   backwards ? " so far" : "");
}

/*
 * The vertex that the last word names: "1", "-1", "1/2", "1//3" or "1/2/3",
 * of which only the first number counts.
 */
static inline bool
parse_corner(Reader *r, int64_t *vertex)
{
	MfObjPiece *piece = r->piece;
	const char *p = r->word;
	const char *const end = p + r->length;
	const bool	backwards = *p == '-';
	const char *digits;
	const char *digits_end;
	uint64_t	number = 0;
	int			slashes = 0;

	p += backwards || *p == '+';
	digits = p;
	for (; p < end && (unsigned char) (*p - '0') < 10; p++)
		if (number <= UINT32_MAX)
			number = number * 10 + (unsigned char) (*p - '0');
	digits_end = p;
	if (p == digits || (p < end && *p != '/'))
		return refuse_corner(r);
	for (; p < end; p++)
	{
		slashes += *p == '/';
		if (!is(*p, CORNER))
			return refuse_corner(r);
	}
	if (slashes > 2)
		return refuse_corner(r);
	if ((number == 0 || r->check != NULL) &&
		!check_corner(r, number, digits, digits_end, backwards))
		return false;
	if (backwards)
		*vertex = (int64_t) piece->vertices - (int64_t) number -
			2 * MF_OBJ_BACKWARDS;
	else
	{
		*vertex = (int64_t) number - 1;
		if (*vertex > piece->highest)
			piece->highest = *vertex;
	}
	return true;
}

/* Reads a polygon; its "f" has been read.  *full: there is no room for it. */
static inline bool
read_face(Reader *r, bool *full)
{
	MfObjPiece *piece = r->piece;
	const char *line = r->at;
	int64_t    *corner = piece->corner + piece->corners;
	const uint32_t room = piece->corner_room - piece->corners;
	uint32_t	count = 0;

	for (next_word(r); r->length > 0; next_word(r))
	{
		if (count == MF_MAX_POLYGON_CORNERS)
			return REFUSE(r, line, MF_ERROR_UNSUPPORTED,
						  "a polygon with more than %d corners.  Please "
						  "export the model with triangles.",
						  MF_MAX_POLYGON_CORNERS);
		if (count == room)
		{
			*full = true;
			return true;
		}
		if (!parse_corner(r, &corner[count]))
			return false;
		count++;
	}
	if (count < 3)
		return REFUSE(r, line, MF_ERROR_MALFORMED,
					  "a polygon with %u corners instead of three or more.",
					  count);
	piece->corners += count;
	piece->face[piece->faces++] = count;
	piece->polygons += count > 3;
	piece->triangles += count - 2;
	return true;
}

/* Skips a statement without a meaning for the shape, or refuses it. */
static bool
skip_statement(Reader *r)
{
	const char *from = r->at;
	size_t		length;

	while (r->at < r->end && !is(*r->at, BLANK | LINE_END))
		r->at++;
	length = r->at - from;
	for (size_t i = 0; i < sizeof(not_read) / sizeof(not_read[0]); i++)
		if (length == strlen(not_read[i]) &&
			memcmp(from, not_read[i], length) == 0)
			return REFUSE(r, from, MF_ERROR_UNSUPPORTED,
						  "the statement \"%s\" is for what is not "
						  "made of flat faces.  Please export the "
						  "model with triangles.", not_read[i]);
	skip_line(r);
	return true;
}

/* Is the next statement this letter? */
static inline bool
at_statement(const Reader *r, char letter)
{
	const char *p = r->at;

	return *p == letter &&
		(p + 1 == r->end || is(p[1], BLANK | LINE_END | BACKSLASH));
}

/* Reads a statement; *full: there is no room for what it says. */
static inline bool
read_statement(Reader *r, bool *full)
{
	if (at_statement(r, 'v'))
	{
		*full = r->piece->vertices == r->piece->vertex_room;
		r->at++;
		return *full || read_vertex(r);
	}
	if (at_statement(r, 'f'))
	{
		*full = r->piece->faces == r->piece->face_room;
		r->at++;
		return *full || read_face(r, full);
	}
	return skip_statement(r);
}

/* Reads a piece; see obj.h. */
bool
mf_obj_read_piece(MfObjPiece *piece, const MfObjCheck *check)
{
	Reader		r = {
		.piece = piece,.check = check,.at = piece->from,.end = piece->to
	};

	piece->failed = false;
	piece->vertices = piece->corners = piece->faces = piece->polygons = 0;
	piece->triangles = 0;
	piece->highest = -1;
	for (;;)
	{
		bool		full = false;

		while (r.at < r.end && is(*r.at, BLANK | LINE_END))
			r.at++;
		piece->stopped = r.at;
		if (r.at == r.end)
			return true;
		if (!read_statement(&r, &full))
		{
			piece->failed = true;
			return false;
		}
		if (full)
			return true;
		skip_line(&r);
	}
}
