/*
 * stl_ascii.c
 *		ASCII STL: "solid name", facets in words, "endsolid name"; more than
 *		once in a file, or without an end.
 *
 * Words are separated by any white space and may be in any case; only a
 * solid's name extends to the end of its line.  Normals are not used, so
 * their numbers may be missing or nonsense.  Each facet has three corners.
 */
#include <string.h>

#include "text.h"

/* No word that means anything is longer. */
#define MAX_WORD	MF_MAX_NUMBER_LENGTH

/* Triangles that are handed to the weld at a time. */
#define BATCH	256

/* A facet takes about as many bytes as this in a usual file. */
#define USUAL_FACET_BYTES	260

typedef struct Reader
{
	MfJob	   *job;
	const char *at;				/* what comes next */
	const char *end;
	const char *word;			/* the word that was read last */
	size_t		length;
	size_t		batched;
	uint64_t	next_progress;	/* triangles */
	double		batch[BATCH][9];
	MfWeld		weld;
} Reader;

/* Reads the next word; at the end of the file it is empty. */
static inline void
next_word(Reader *r)
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
skip_line(Reader *r)
{
	while (r->at < r->end && !mf_text_is_line_end(*r->at))
		r->at++;
}

/* Is the last word this one, in any case? */
static inline bool
word_is(const Reader *r, const char *word, size_t length)
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
refuse_word(Reader *r, const char *expected)
{
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
read_corner(Reader *r, double *at)
{
	for (int i = 0; i < 3; i++)
	{
		MfNumberResult result;

		next_word(r);
		result = mf_number_parse(r->word, r->length, &at[i]);
		if (result == MF_NUMBER_MALFORMED)
			return refuse_word(r, "a coordinate");
		if (result != MF_NUMBER_OK)
			return mf_text_refuse_number(r->job, r->word, r->length, result);
	}
	return true;
}

/* Hands the batch to the weld. */
static bool
flush(Reader *r)
{
	const size_t count = r->batched;
	MfMesh	   *mesh = r->weld.mesh;

	r->batched = 0;
	if (mesh->triangle_count + (uint64_t) count > r->job->max_triangles)
		return mf_job_too_many(r->job, 0);
	if (mesh->triangle_count >= r->next_progress)
	{
		mf_job_progress(r->job, MF_STAGE_READING,
						r->at - (const char *) r->job->bytes, r->job->size);
		r->next_progress += MF_PROGRESS_ITEMS;
	}
	return mf_weld_add_wide(&r->weld, (const uint8_t *) r->batch,
							sizeof(r->batch[0]), count);
}

/* Skips what a facet says about its normal, up to "outer". */
static bool
skip_normal(Reader *r)
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

/* Reads a facet; "facet" has been read. */
static bool
read_facet(Reader *r)
{
	double	   *at = r->batch[r->batched];
	int			corners = 0;

	if (!skip_normal(r))
		return false;
	next_word(r);
	if (!WORD_IS(r, "loop"))
		return refuse_word(r, "\"loop\"");
	for (next_word(r); WORD_IS(r, "vertex"); next_word(r))
	{
		if (corners == 3)
			return mf_text_refuse(r->job, r->word, MF_ERROR_MALFORMED,
								  "a facet with more than three corners.");
		if (!read_corner(r, at + 3 * corners++))
			return false;
	}
	if (!WORD_IS(r, "endloop"))
		return refuse_word(r, corners < 3 ? "\"vertex\"" :
						   "\"endloop\"");
	if (corners < 3)
		return mf_text_refuse(r->job, r->word, MF_ERROR_MALFORMED,
							  "a facet with %d corners instead of three.",
							  corners);
	next_word(r);
	if (!WORD_IS(r, "endfacet"))
		return refuse_word(r, "\"endfacet\"");
	return ++r->batched < BATCH || flush(r);
}

/* Reads all solids. */
static bool
read_solids(Reader *r)
{
	bool		inside = false;

	for (next_word(r); r->length > 0; next_word(r))
	{
		if (inside && WORD_IS(r, "facet"))
		{
			if (!read_facet(r))
				return false;
		}
		else if (WORD_IS(r, "solid"))
		{
			/* Also where the one before has no end. */
			inside = true;
			skip_line(r);
		}
		else if (inside && WORD_IS(r, "endsolid"))
		{
			inside = false;
			skip_line(r);
		}
		else
			return refuse_word(r, inside ? "\"facet\"" : "\"solid\"");
	}
	return r->batched == 0 || flush(r);
}

/* Reads a file that detection has found to be text beginning with "solid". */
bool
mf_stl_read_ascii(MfJob *job, MfMesh *mesh)
{
	uint64_t	expected = job->size / USUAL_FACET_BYTES + 1;
	Reader		r;
	bool		good;

	/* The batch is filled before it is read: only the rest is cleared. */
	r.job = job;
	r.at = (const char *) job->bytes;
	r.end = r.at + job->size;
	r.word = r.at;
	r.length = 0;
	r.batched = 0;
	r.next_progress = 0;
	if (job->size >= 3 && memcmp(r.at, "\357\273\277", 3) == 0)
		r.at += 3;

	if (expected > job->max_triangles)
		expected = job->max_triangles;
	mesh->wide = true;
	good = mf_weld_begin(&r.weld, job, mesh, expected) && read_solids(&r);
	mf_weld_end(&r.weld);
	if (good && mesh->triangle_count == 0)
	{
		mf_refuse(job->refusal, MF_ERROR_EMPTY,
				  "The file contains no triangles.");
		return false;
	}
	return good;
}
