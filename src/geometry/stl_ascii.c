/*
 * stl_ascii.c
 *		ASCII STL: "solid name", facets in words, "endsolid name"; more than
 *		once in a file, or without an end.
 *
 * Words are separated by any white space and may be in any case; only a
 * solid's name extends to the end of its line.  Normals are not used, so
 * their numbers may be missing or nonsense.  Each facet has three corners.
 *
 * The file is read in waves of some pieces each, by all threads.  A piece
 * begins with a line that begins with "facet", and it counts only if the one
 * before it has ended there, between two facets of a solid.  If not, or if
 * there is something to refuse in it, one thread reads on from there.
 */
#include <string.h>

#include "text.h"

/* No word that means anything is longer. */
#define MAX_WORD	MF_MAX_NUMBER_LENGTH

/* Pieces that are read before any of them is welded, and their bytes. */
#define WAVE			8
#define PIECE_BYTES		(256 * 1024)

/* A facet takes about as many bytes as this in a usual file. */
#define USUAL_FACET_BYTES	260

/* The shortest one, its corners "vertex 0 0 0", has so many. */
#define LEAST_FACET_BYTES	72

/* Part of a file; or what is left of it, where that is read by one thread. */
typedef struct Piece
{
	MfJob	   *job;			/* to refuse with; NULL: without a word */
	const char *from;
	const char *end;
	const char *at;				/* what comes next */
	const char *word;			/* the word that was read last */
	size_t		length;
	bool		inside;			/* a solid */
	bool		failed;			/* something is to be refused */
	bool		full;			/* stopped at a facet, for want of room */
	size_t		count;			/* facets */
	size_t		room;
	double		(*facet)[9];
} Piece;

typedef struct Reader
{
	MfJob	   *job;
	MfWeld		weld;
	const char *at;				/* the next wave */
	const char *end;
	uint64_t	piece_bytes;	/* that room has been made for */
	const char *looked_from;	/* the next cut behind this ... */
	const char *next_cut;		/* ... is here */
	uint32_t	pieces;			/* of this wave */
	Piece		piece[WAVE];
} Reader;

/* Reads the next word; at the end of the file it is empty. */
static inline void
next_word(Piece *r)
{
	const char *p = r->at;

	while (p < r->end && mf_text_is_space(*p))
		p++;
	r->word = p;
	while (p < r->end && !mf_text_is_space(*p))
		p++;
	r->length = p - r->word;
	r->at = p;
}

/* Skips the rest of the line. */
static void
skip_line(Piece *r)
{
	while (r->at < r->end && !mf_text_is_line_end(*r->at))
		r->at++;
}

/* Is the last word this one, in any case? */
static inline bool
word_is(const Piece *r, const char *word, size_t length)
{
	if (r->length != length)
		return false;
	for (size_t i = 0; i < length; i++)
	{
		char		c = r->word[i];

		if (c >= 'A' && c <= 'Z')
			c += 'a' - 'A';
		if (c != word[i])
			return false;
	}
	return true;
}

#define WORD_IS(r, word)	word_is(r, word, sizeof(word) - 1)

/* Refuses the last word where another one was due; false. */
static bool
refuse_word(Piece *r, const char *expected)
{
	if (r->job == NULL)
		return false;
	if (r->length == 0)
		return mf_text_refuse(r->job, r->word, MF_ERROR_TRUNCATED,
							  "the file ends where %s should follow.",
							  expected);
	if (r->length > MAX_WORD)
		return mf_text_refuse(r->job, r->word, MF_ERROR_MALFORMED,
							  "a word of %zu characters, where %s should be.",
							  r->length, expected);
	return mf_text_refuse(r->job, r->word, MF_ERROR_MALFORMED,
						  "\"%.*s\" found, where %s should be.",
						  mf_text_shown(r->length), r->word, expected);
}

/* Reads the three coordinates of a corner. */
static inline bool
read_corner(Piece *r, double *at)
{
	for (int i = 0; i < 3; i++)
	{
		MfNumberResult result;

		next_word(r);
		result = mf_number_parse(r->word, r->length, &at[i]);
		if (result == MF_NUMBER_MALFORMED)
			return refuse_word(r, "a coordinate");
		if (result != MF_NUMBER_OK)
			return r->job != NULL &&
				mf_text_refuse_number(r->job, r->word, r->length, result);
	}
	return true;
}

/* Skips what a facet says about its normal, up to "outer". */
static bool
skip_normal(Piece *r)
{
	next_word(r);
	if (WORD_IS(r, "normal"))
		for (int i = 0; i < 4; i++)
		{
			next_word(r);
			if (WORD_IS(r, "outer") || r->length == 0)
				break;
		}
	return WORD_IS(r, "outer") || refuse_word(r, "\"outer\"");
}

/* Reads a facet; "facet" has been read, and there is room. */
static bool
read_facet(Piece *r)
{
	double	   *at = r->facet[r->count];
	int			corners = 0;

	if (!skip_normal(r))
		return false;
	next_word(r);
	if (!WORD_IS(r, "loop"))
		return refuse_word(r, "\"loop\"");
	for (next_word(r); WORD_IS(r, "vertex"); next_word(r))
	{
		if (corners == 3)
			return r->job != NULL &&
				mf_text_refuse(r->job, r->word, MF_ERROR_MALFORMED,
							   "a facet with more than three corners.");
		if (!read_corner(r, at + 3 * corners++))
			return false;
	}
	if (!WORD_IS(r, "endloop"))
		return refuse_word(r, corners < 3 ? "\"vertex\"" :
						   "\"endloop\"");
	if (corners < 3)
		return r->job != NULL &&
			mf_text_refuse(r->job, r->word, MF_ERROR_MALFORMED,
						   "a facet with %d corners instead of three.",
						   corners);
	next_word(r);
	if (!WORD_IS(r, "endfacet"))
		return refuse_word(r, "\"endfacet\"");
	r->count++;
	return true;
}

/* Reads all of a piece, or as many facets as there is room for. */
static bool
read_solids(Piece *r)
{
	for (next_word(r); r->length > 0; next_word(r))
	{
		if (r->inside && WORD_IS(r, "facet"))
		{
			r->full = r->count == r->room;
			if (r->full)
			{
				r->at = r->word;
				return true;
			}
			if (!read_facet(r))
				return false;
		}
		else if (WORD_IS(r, "solid"))
		{
			/* Also where the one before has no end. */
			r->inside = true;
			skip_line(r);
		}
		else if (r->inside && WORD_IS(r, "endsolid"))
		{
			r->inside = false;
			skip_line(r);
		}
		else
			return refuse_word(r, r->inside ? "\"facet\"" : "\"solid\"");
	}
	return true;
}

/* A task: reads a piece. */
static void
read_piece(void *arg, uint32_t task)
{
	Piece	   *piece = &((Reader *) arg)->piece[task];

	piece->failed = !read_solids(piece);
}

/* Does a line here begin with "facet"? */
static bool
is_facet(const char *p, const char *end)
{
	static const char word[] = "facet";

	if (end - p < 6 || !mf_text_is_space(p[5]))
		return false;
	for (int i = 0; i < 5; i++)
		if ((p[i] | 0x20) != word[i])
			return false;
	return true;
}

/*
 * Where a piece ends that begins here.  A cut that has been found is kept: a
 * file of one line is looked through once.
 */
static const char *
find_cut(Reader *r, const char *from)
{
	const char *p = from;

	if ((uint64_t) (r->end - from) <= r->piece_bytes)
		return r->end;
	p += r->piece_bytes;
	if (r->looked_from != NULL && p >= r->looked_from && p <= r->next_cut)
		return r->next_cut;
	r->looked_from = p;
	while (p < r->end)
	{
		while (p < r->end && !mf_text_is_line_end(*p))
			p++;
		while (p < r->end && mf_text_is_space(*p))
			p++;
		if (is_facet(p, r->end))
			break;
	}
	r->next_cut = p;
	return p;
}

/* Welds the facets of a piece. */
static bool
weld_piece(Reader *r, const Piece *piece)
{
	if (r->weld.mesh->triangle_count + (uint64_t) piece->count >
		r->job->max_triangles)
		return mf_job_too_many(r->job, 0);
	return mf_weld_add_wide(&r->weld, (const uint8_t *) piece->facet,
							sizeof(piece->facet[0]), piece->count);
}

/* Tells how far the reading is. */
static void
tell(Reader *r, const char *at)
{
	mf_job_progress(r->job, MF_STAGE_READING,
					at - (const char *) r->job->bytes, r->job->size);
}

/* Reads what is left of the file, from a piece on that did not count. */
static bool
read_rest(Reader *r, Piece *piece, bool inside)
{
	piece->job = r->job;
	piece->at = piece->from;
	piece->end = r->end;
	piece->inside = inside;
	do
	{
		piece->count = 0;
		piece->full = false;
		tell(r, piece->at);
		if (!read_solids(piece) || !weld_piece(r, piece))
			return false;
	} while (piece->full);
	r->at = r->end;
	return true;
}

/* Begins a piece; false: refused. */
static bool
begin_piece(Reader *r, Piece *piece, const char *from)
{
	if (piece->facet == NULL)
	{
		piece->room = r->piece_bytes / LEAST_FACET_BYTES + 1;
		piece->facet = mf_memory_alloc(&r->job->memory, piece->room *
									   sizeof(*piece->facet));
		if (piece->facet == NULL)
			return mf_job_out_of_memory(r->job);
	}
	piece->from = piece->at = from;
	piece->end = find_cut(r, from);
	piece->inside = true;
	piece->full = false;
	piece->count = 0;
	return true;
}

/* Reads the next pieces, and welds them; *inside: the state between waves. */
static bool
read_wave(Reader *r, bool *inside)
{
	const char *from = r->at;

	tell(r, from);
	for (r->pieces = 0; r->pieces < WAVE && from < r->end; r->pieces++)
	{
		if (!begin_piece(r, &r->piece[r->pieces], from))
			return false;
		from = r->piece[r->pieces].end;
	}
	r->piece[0].inside = *inside;
	mf_pool_run(r->job->pool, r->pieces, read_piece, r);
	for (uint32_t i = 0; i < r->pieces; i++)
	{
		Piece	   *piece = &r->piece[i];

		if (piece->failed || (i > 0 && !*inside))
			return read_rest(r, piece, *inside);
		if (!weld_piece(r, piece))
			return false;
		*inside = piece->inside;
		r->at = piece->at;
		if (piece->full)
			break;
	}
	return true;
}

/* All steps that may be refused. */
static bool
read_waves(Reader *r)
{
	bool		inside = false;

	while (r->at < r->end)
		if (!read_wave(r, &inside))
			return false;
	return true;
}

/* Reads a file that detection has found to be text beginning with "solid". */
bool
mf_stl_read_ascii(MfJob *job, MfMesh *mesh)
{
	uint64_t	expected = job->size / USUAL_FACET_BYTES + 1;
	Reader		r = {
		.job = job,.at = (const char *) job->bytes,
		.piece_bytes = job->size < PIECE_BYTES ? job->size : PIECE_BYTES
	};
	bool		good;

	r.end = r.at + mf_text_length(job->bytes, job->size);
	if (job->size >= 3 && memcmp(r.at, "\357\273\277", 3) == 0)
		r.at += 3;
	if (expected > job->max_triangles)
		expected = job->max_triangles;
	mesh->wide = true;
	good = mf_weld_begin(&r.weld, job, mesh, expected) && read_waves(&r);
	mf_weld_end(&r.weld);
	for (int i = 0; i < WAVE; i++)
		mf_memory_free(&job->memory, r.piece[i].facet, r.piece[i].room *
					   sizeof(*r.piece[i].facet));
	if (good && mesh->triangle_count == 0)
	{
		mf_refuse(job->refusal, MF_ERROR_EMPTY,
				  "The file contains no triangles.");
		return false;
	}
	return good;
}
