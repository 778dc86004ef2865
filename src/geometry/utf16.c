/*
 * utf16.c
 *		Text in UTF-16, of either byte order, to UTF-8.
 */
#include "text.h"

/* For half of a pair without the other. */
#define REPLACEMENT		0xfffd

/* The 16 bits at `at`. */
static inline uint32_t
unit_at(const uint8_t *at, bool big)
{
	return big ? (uint32_t) at[0] << 8 | at[1] : (uint32_t) at[1] << 8 | at[0];
}

/* Takes a character off the text; there are two bytes or more. */
static inline uint32_t
next_character(const uint8_t **at, const uint8_t *end, bool big)
{
	const uint32_t first = unit_at(*at, big);

	*at += 2;
	if (first < 0xd800 || first > 0xdfff)
		return first;
	if (first < 0xdc00 && end - *at >= 2)
	{
		const uint32_t second = unit_at(*at, big);

		if (second >= 0xdc00 && second <= 0xdfff)
		{
			*at += 2;
			return 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
		}
	}
	return REPLACEMENT;
}

/* Writes a character (RFC 3629) where `to` is not NULL; its length. */
static inline int
put_character(uint8_t *to, uint32_t c)
{
	const int	length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};

	if (to == NULL)
		return length;
	for (int i = length - 1; i > 0; i--, c >>= 6)
		to[i] = (uint8_t) (0x80 | (c & 0x3f));
	to[0] = (uint8_t) (lead[length] | c);
	return length;
}

/*
 * Converts the job's bytes, which begin with a byte order mark, into a block
 * of `*size` bytes of its memory, without the mark.  A last odd byte is left
 * out.  NULL: refused.
 */
uint8_t *
mf_text_from_utf16(MfJob *job, size_t *size)
{
	const bool	big = job->bytes[0] == 0xfe;
	const uint8_t *end = job->bytes + job->size;
	uint8_t    *text = NULL;

	for (int pass = 0; pass < 2; pass++)
	{
		const uint8_t *at = job->bytes + 2;

		*size = 0;
		while (end - at >= 2)
			*size += put_character(text != NULL ? text + *size : NULL,
								   next_character(&at, end, big));
		if (pass == 1)
			break;
		text = mf_memory_alloc(&job->memory, *size);
		if (text == NULL)
		{
			mf_job_out_of_memory(job);
			return NULL;
		}
	}
	return text;
}
