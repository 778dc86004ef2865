/*
 * obj.c
 *		Wavefront OBJ: vertices in lines of "v", polygons over their numbers
 *		in lines of "f".
 *
 * Numbers count from 1, or backwards from the last vertex so far; a polygon
 * uses vertices that come before it.  Groups, materials, normals, textures,
 * lines and points say nothing about the shape, nor does a statement that is
 * not known.  Curved surfaces do, and a file that has some is not read.
 *
 * Vertices are kept as they come, and welded when all are known: a file has
 * several of the same place where textures meet.
 */
#include <string.h>

#include "polygon.h"
#include "text.h"

/* A usual file has about so many bytes for each of these. */
#define USUAL_VERTEX_BYTES		80
#define USUAL_TRIANGLE_BYTES	40

/* Bytes between two looks at the progress. */
#define PROGRESS_BYTES	(1 << 20)

/* Numbers of a vertex: place, weight, a colour and how much it covers. */
#define MOST_NUMBERS	8

typedef struct Reader
{
	MfJob	   *job;
	MfMesh	   *mesh;
	const char *at;				/* what comes next */
	const char *end;
	const char *word;			/* the word that was read last */
	size_t		length;
	const char *next_progress;
	MfPolygon	polygon;
} Reader;

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

/* Refuses the last word where a number was due; false. */
static bool
refuse_number(Reader *r, MfNumberResult result, int read)
{
	if (r->length == 0)
		return mf_text_refuse(r->job, r->word, MF_ERROR_MALFORMED,
							  "a vertex with %d coordinates instead of three.",
							  read);
	if (result != MF_NUMBER_MALFORMED)
		return mf_text_refuse_number(r->job, r->word, r->length, result);
	return mf_text_refuse(r->job, r->word, MF_ERROR_MALFORMED,
						  "\"%.*s\" found, where a coordinate should be.",
						  mf_text_shown(r->length), r->word);
}

/* Reads a vertex; its "v" has been read. */
static bool
read_vertex(Reader *r)
{
	MfMesh	   *mesh = r->mesh;
	double	   *at;

	/* Room for one more has to be asked for in 64 bits. */
	if (mesh->vertex_count == mesh->vertex_room &&
		!mf_mesh_reserve_vertices(r->job, mesh,
								  mesh->vertex_count + UINT64_C(1)))
		return false;
	if (mesh->vertex_count == mesh->vertex_room)
		return mf_job_too_many(r->job, 0);
	at = mesh->wide_at[mesh->vertex_count];
	for (int i = 0; i < 3; i++)
	{
		MfNumberResult result;

		next_word(r);
		result = mf_number_parse(r->word, r->length, &at[i]);
		if (result != MF_NUMBER_OK)
			return refuse_number(r, result, i);
	}
	mesh->vertex_count++;

	/* A weight is for curves, and a colour is not measured. */
	for (int i = 3; next_word(r), r->length > 0; i++)
	{
		double		ignored;
		MfNumberResult result;

		result = mf_number_parse(r->word, r->length, &ignored);
		if (result == MF_NUMBER_MALFORMED || result == MF_NUMBER_COMMA)
			return refuse_number(r, result, i);
		if (i == MOST_NUMBERS)
			return mf_text_refuse(r->job, r->word, MF_ERROR_MALFORMED,
								  "a vertex with more than %d numbers.",
								  MOST_NUMBERS);
	}
	return true;
}

/* Refuses the last word where a corner of a polygon was due; false. */
static bool
refuse_corner(Reader *r)
{
	return mf_text_refuse(r->job, r->word, MF_ERROR_MALFORMED,
						  "\"%.*s\" found, where the number of a vertex "
						  "should be.", mf_text_shown(r->length), r->word);
}

/*
 * The vertex that the last word names: "1", "-1", "1/2", "1//3" or "1/2/3",
 * of which only the first number counts.
 */
static inline bool
parse_corner(Reader *r, uint32_t *vertex)
{
	const char *p = r->word;
	const char *const end = p + r->length;
	const uint64_t count = r->mesh->vertex_count;
	const bool	backwards = *p == '-';
	const char *digits;
	uint64_t	number = 0;
	int			slashes = 0;

	p += backwards || *p == '+';
	digits = p;
	for (; p < end && (unsigned char) (*p - '0') < 10; p++)
		if (number <= UINT32_MAX)
			number = number * 10 + (unsigned char) (*p - '0');
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
	if (number == 0)
		return mf_text_refuse(r->job, r->word, MF_ERROR_MALFORMED,
							  "vertex 0 is used; vertices count from 1.");
	if (number > count)
		return mf_text_refuse(r->job, r->word, MF_ERROR_MALFORMED,
							  "vertex %.*s is used, where there are %llu "
							  "vertices so far.",
							  (int) (digits - r->word) +
							  mf_text_shown(end - digits), r->word,
							  (unsigned long long) count);
	*vertex = (uint32_t) (backwards ? count - number : number - 1);
	return true;
}

/* Reads a polygon; its "f" has been read. */
static bool
read_face(Reader *r)
{
	MfPolygon  *polygon = &r->polygon;
	const char *line = r->at;

	polygon->count = 0;
	for (next_word(r); r->length > 0; next_word(r))
	{
		if (polygon->count == MF_MAX_POLYGON_CORNERS)
			return mf_text_refuse(r->job, line, MF_ERROR_UNSUPPORTED,
								  "a polygon with more than %d corners.  "
								  "Please export the model with triangles.",
								  MF_MAX_POLYGON_CORNERS);
		if (polygon->count == polygon->room &&
			!mf_polygon_reserve(r->job, polygon, polygon->count + 16))
			return false;
		if (!parse_corner(r, &polygon->corner[polygon->count].vertex))
			return false;
		polygon->count++;
	}
	if (polygon->count < 3)
		return mf_text_refuse(r->job, line, MF_ERROR_MALFORMED,
							  "a polygon with %u corners instead of three "
							  "or more.", polygon->count);
	return mf_polygon_add(r->job, r->mesh, polygon);
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
			return mf_text_refuse(r->job, from, MF_ERROR_UNSUPPORTED,
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

/* Reads all statements. */
static bool
read_statements(Reader *r)
{
	const char *const from = (const char *) r->job->bytes;

	for (;;)
	{
		bool		good;

		while (r->at < r->end && is(*r->at, BLANK | LINE_END))
			r->at++;
		if (r->at >= r->next_progress)
		{
			mf_job_progress(r->job, MF_STAGE_READING, r->at - from,
							r->job->size);
			r->next_progress = r->at + PROGRESS_BYTES;
		}
		if (r->at == r->end)
			return true;
		if (at_statement(r, 'v'))
		{
			r->at++;
			good = read_vertex(r);
		}
		else if (at_statement(r, 'f'))
		{
			r->at++;
			good = read_face(r);
		}
		else
			good = skip_statement(r);
		if (!good)
			return false;
		skip_line(r);
	}
}

/* Reads a file that detection has found to be OBJ. */
bool
mf_obj_read(MfJob *job, MfMesh *mesh)
{
	uint64_t	triangles = job->size / USUAL_TRIANGLE_BYTES + 1;
	Reader		r = {
		.job = job,.mesh = mesh,.at = (const char *) job->bytes
	};
	bool		good;

	r.end = r.at + job->size;
	r.next_progress = r.at + PROGRESS_BYTES;
	if (job->size >= 3 && memcmp(r.at, "\357\273\277", 3) == 0)
		r.at += 3;
	if (triangles > job->max_triangles)
		triangles = job->max_triangles;

	mesh->wide = true;
	mf_polygon_begin(&r.polygon);
	good = mf_mesh_reserve_triangles(job, mesh, triangles) &&
		mf_mesh_reserve_vertices(job, mesh,
								 job->size / USUAL_VERTEX_BYTES + 1) &&
		read_statements(&r);
	mf_polygon_end(job, &r.polygon);
	if (good && mesh->triangle_count == 0)
	{
		mf_refuse(job->refusal, MF_ERROR_EMPTY,
				  "The file contains no triangles.");
		return false;
	}
	return good && mf_weld_vertices(job, mesh);
}
