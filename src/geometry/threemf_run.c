/*
 * threemf_run.c
 *		Vertices and triangles of 3MF in their plain spelling, as millions of
 *		them are spelled in a large model: empty elements without prefix,
 *		whose attributes are numbers between quotes.
 *
 * A run is cut into pieces of a fixed length.  Each piece begins at the first
 * tag in it, and is read by any thread into a place of its own.  Where a
 * piece ends cleanly, at the very tag that the next one begins with, the next
 * one's elements follow; the first one that does not is the last of the run,
 * and what comes from there on is the parser's.  So a piece that has begun in
 * the midst of something else is never used.
 *
 * The pieces are few at first, then twice as many each time: a short run
 * costs no more than its length.
 */
#include <string.h>

#include "digits.h"
#include "threemf.h"

#define PIECE			(UINT32_C(128) << 10)
#define MAX_PIECES		32

/* The shortest vertex and the shortest triangle. */
#define VERTEX_LENGTH	(sizeof("<vertex x=\"0\" y=\"0\" z=\"0\"/>") - 1)
#define TRIANGLE_LENGTH	(sizeof("<triangle v1=\"0\" v2=\"0\" v3=\"0\"/>") - 1)

/* What all elements of a piece need at most. */
#define PIECE_BYTES \
	((PIECE / VERTEX_LENGTH + 2) * 3 * sizeof(double))

_Static_assert(PIECE_BYTES >= (PIECE / TRIANGLE_LENGTH + 2) * 3 *
			   sizeof(uint32_t), "triangles need less");

/* No element is read that begins so close to the end of the text. */
#define MARGIN			512

/* Where a number or a name may begin, so many bytes can be looked at. */
#define LOOK			16

typedef struct Piece
{
	const char *from;			/* its first tag */
	const char *border;			/* tags from here on are the next one's */
	const char *stop;			/* the first byte that is not read */
	uint32_t	count;
	bool		clean;			/* read up to the border */
} Piece;

typedef struct Run Run;

/* Reads one element into `out`; its end, or NULL: it is not plain. */
typedef const char *(*ReadElement) (const Run *run, const char *p, void *out);

struct Run
{
	ReadElement read;
	size_t		each;			/* bytes of an element */
	const char *limit;
	uint32_t	vertex_count;	/* that triangles may name */
	uint8_t    *scratch;
	Piece		piece[MAX_PIECES];
};

static inline bool
is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Skips white space; never beyond the limit by more than a byte. */
static inline const char *
skip_space(const Run *run, const char *p)
{
	while (is_space(*p) && p < run->limit)
		p++;
	return p;
}

/* Reads <vertex x="1" y="2" z="3"/>, the attributes in any order. */
static const char *
read_vertex(const Run *run, const char *p, void *out)
{
	double		at[3];
	uint32_t	seen = 0;

	if (memcmp(p, "<vertex", 7) != 0)
		return NULL;
	for (p += 7; is_space(*p);)
	{
		uint32_t	axis;
		char		quote;

		p = skip_space(run, p);
		if (*p == '/' || p >= run->limit)
			break;
		axis = (uint32_t) (*p - 'x');
		quote = p[2];
		if (axis > 2 || (seen & 1 << axis) != 0 || p[1] != '=' ||
			(quote != '"' && quote != '\''))
			return NULL;
		seen |= 1 << axis;
		p = mf_number_read(p + 3, run->limit + LOOK, &at[axis]);
		if (p == NULL || *p++ != quote || p >= run->limit)
			return NULL;
	}
	if (seen != 7 || p[0] != '/' || p[1] != '>')
		return NULL;
	memcpy(out, at, sizeof(at));
	return p + 2;
}

/* Reads up to seven digits; their end, or NULL: there are none, or more. */
static inline const char *
read_index(const char *p, uint32_t *value)
{
	const uint64_t word = mf_digits_load(p);
	const int	count = mf_digits_count(word);

	if (count == 0 || count == 8)
		return NULL;
	*value = (uint32_t) mf_digits_value(word, count);
	return p + count;
}

/*
 * Reads <triangle v1="1" v2="2" v3="3"/>, the attributes in any order; those
 * about properties, pid, p1, p2 and p3, may be there, and are not used.
 */
static const char *
read_triangle(const Run *run, const char *p, void *out)
{
	uint32_t	corner[3];
	uint32_t	seen = 0;

	if (memcmp(p, "<triangle", 9) != 0)
		return NULL;
	for (p += 9; is_space(*p);)
	{
		uint32_t	which;
		uint32_t	value;
		char		quote;

		p = skip_space(run, p);
		if (*p == '/' || p >= run->limit)
			break;
		if (p[0] == 'v' || (p[0] == 'p' && p[1] != 'i'))
		{
			which = (uint32_t) (p[1] - '1');
			if (which > 2)
				return NULL;
			which += p[0] == 'p' ? 3 : 0;
		}
		else if (p[0] == 'p' && p[2] == 'd')
		{
			which = 6;
			p++;
		}
		else
			return NULL;
		quote = p[3];
		if ((seen & 1 << which) != 0 || p[2] != '=' ||
			(quote != '"' && quote != '\''))
			return NULL;
		seen |= 1 << which;
		p = read_index(p + 4, &value);
		if (p == NULL || *p++ != quote || p >= run->limit)
			return NULL;
		if (which < 3)
		{
			if (value >= run->vertex_count)
				return NULL;
			corner[which] = value;
		}
	}
	if ((seen & 7) != 7 || p[0] != '/' || p[1] != '>')
		return NULL;
	memcpy(out, corner, sizeof(corner));
	return p + 2;
}

/* Reads one piece; a task of the pool. */
static void
read_piece(void *arg, uint32_t task)
{
	Run		   *run = arg;
	Piece	   *piece = &run->piece[task];
	uint8_t    *out = run->scratch + task * PIECE_BYTES;
	const char *p = piece->from;

	while (p < piece->border)
	{
		const char *next = run->read(run, p, out);

		if (next == NULL)
			break;
		out += run->each;
		piece->count++;
		p = skip_space(run, next);
	}
	piece->stop = p;
	piece->clean = p >= piece->border;
}

/* Cuts so many pieces; how many there are. */
static uint32_t
cut_pieces(Run *run, const char *at, uint32_t wanted)
{
	uint32_t	count = 0;

	at = skip_space(run, at);
	while (count < wanted && at < run->limit)
	{
		Piece	   *piece = &run->piece[count++];
		const size_t left = run->limit - at;

		memset(piece, 0, sizeof(*piece));
		piece->border = left < PIECE ? run->limit : at + PIECE;
		piece->from = count == 1 ? at :
			memchr(at, '<', piece->border - at);
		if (piece->from == NULL)
			piece->from = piece->border;
		at = piece->border;
	}
	return count;
}

/* Appends the elements of a piece to the mesh. */
static bool
append_piece(Mf3mf *threemf, MfMesh *mesh, const Run *run, uint32_t index)
{
	const uint8_t *from = run->scratch + index * PIECE_BYTES;
	const uint64_t count = run->piece[index].count;
	const size_t bytes = count * run->each;

	if (count == 0)
		return true;
	if (run->read == read_vertex)
	{
		if (!mf_mesh_reserve_vertices(threemf->job, mesh,
									  mesh->vertex_count + count))
			return false;
		memcpy(mesh->wide_at + mesh->vertex_count, from, bytes);
		mesh->vertex_count += (uint32_t) count;
		return true;
	}
	threemf->triangles += count;
	if (threemf->triangles > threemf->job->max_triangles)
		return mf_job_too_many(threemf->job, 0);
	if (!mf_mesh_reserve_triangles(threemf->job, mesh,
								   mesh->triangle_count + count))
		return false;
	memcpy(mesh->corners + mesh->triangle_count, from, bytes);
	mesh->triangle_count += (uint32_t) count;
	return true;
}

/* Is there an element of the run at about this place? */
static bool
goes_on(const Run *run, const char *at)
{
	const size_t left = run->limit - at;
	const char *tag = memchr(at, '<', left < MARGIN ? left : MARGIN);
	uint8_t		out[3 * sizeof(double)];

	return tag != NULL && run->read(run, tag, out) != NULL;
}

/*
 * How many bytes the run goes on for, about: places are looked at twice as
 * far each time, and then between the last two by halving.
 */
static size_t
guess_length(const Run *run, const char *at)
{
	const size_t left = run->limit - at;
	size_t		low = 0;
	size_t		high = PIECE;

	while (high < left && goes_on(run, at + high))
	{
		low = high;
		high *= 2;
	}
	if (high > left)
		high = left;
	while (high - low > PIECE)
	{
		const size_t middle = low + (high - low) / 2;

		if (goes_on(run, at + middle))
			low = middle;
		else
			high = middle;
	}
	return high;
}

/* Makes room for the whole run, after its first piece, as a guess. */
static bool
reserve_run(Mf3mf *threemf, MfMesh *mesh, const Run *run)
{
	const Piece *piece = &run->piece[0];
	const uint64_t bytes = piece->stop - piece->from;
	uint64_t	more = piece->count + piece->count *
	(guess_length(run, piece->stop) + PIECE) / bytes;

	if (run->read == read_vertex)
		return mf_mesh_reserve_vertices(threemf->job, mesh,
										mesh->vertex_count + more);
	if (mesh->triangle_count + more > threemf->job->max_triangles)
		more = threemf->job->max_triangles - mesh->triangle_count;
	return mf_mesh_reserve_triangles(threemf->job, mesh,
									 mesh->triangle_count + more);
}

/* Makes room for the pieces that a text of so many bytes can have. */
static bool
reserve_scratch(Mf3mf *threemf, uint64_t bytes)
{
	const uint64_t pieces = bytes / PIECE + 1;
	const uint64_t room = (pieces < MAX_PIECES ? pieces : MAX_PIECES) *
	PIECE_BYTES;
	MfMemory   *memory = &threemf->job->memory;

	if (room <= threemf->scratch_bytes)
		return true;
	mf_memory_free(memory, threemf->scratch, threemf->scratch_bytes);
	threemf->scratch_bytes = 0;
	threemf->scratch = mf_memory_alloc(memory, room);
	if (threemf->scratch == NULL)
		return mf_job_out_of_memory(threemf->job);
	threemf->scratch_bytes = room;
	return true;
}

/* Reads a run. */
static bool
read_run(Mf3mf *threemf, MfMesh *mesh, Run *run, const char **at,
		 const char *end)
{
	uint32_t	wanted = 1;
	bool		more = true;

	if (end - *at <= MARGIN)
		return true;
	run->limit = end - MARGIN;
	if (!reserve_scratch(threemf, run->limit - *at))
		return false;
	run->scratch = threemf->scratch;
	while (more)
	{
		const uint32_t count = cut_pieces(run, *at, wanted);

		mf_pool_run(count > 1 ? threemf->job->pool : NULL, count, read_piece,
					run);
		for (uint32_t i = 0; i < count && more; i++)
		{
			const Piece *piece = &run->piece[i];

			if (i > 0 && piece->from != *at)
				break;
			more = piece->clean && piece->stop < run->limit;
			if (wanted == 1 && more && !reserve_run(threemf, mesh, run))
				return false;
			if (!append_piece(threemf, mesh, run, i))
				return false;
			*at = piece->stop;
		}
		more = more && count > 0;
		wanted = wanted < MAX_PIECES ? 2 * wanted : MAX_PIECES;
		mf_job_progress(threemf->job, MF_STAGE_READING, 0, 0);
	}
	return true;
}

/* Reads vertices; see threemf.h. */
bool
mf_threemf_run_vertices(Mf3mf *threemf, MfMesh *mesh, const char **at,
						const char *end)
{
	Run			run = {.read = read_vertex,.each = 3 * sizeof(double)};

	return read_run(threemf, mesh, &run, at, end);
}

/* Reads triangles; see threemf.h. */
bool
mf_threemf_run_triangles(Mf3mf *threemf, MfMesh *mesh, const char **at,
						 const char *end)
{
	Run			run = {
		.read = read_triangle,.each = 3 * sizeof(uint32_t),
		.vertex_count = mesh->vertex_count
	};

	return read_run(threemf, mesh, &run, at, end);
}
