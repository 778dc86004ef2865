/*
 * text.h
 *		What the readers of text formats share: white space, lines, and
 *		refusals that name the line.
 */
#ifndef MF_TEXT_H
#define MF_TEXT_H

#include "mesh.h"

/* How much of a word a message shows. */
#define MF_TEXT_SHOWN	24

static inline bool
mf_text_is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline bool
mf_text_is_line_end(char c)
{
	return c == '\n' || c == '\r';
}

/*
 * Where a text ends: zeros behind it, as programs in C and transfers in blocks
 * leave them, and the end-of-file mark of DOS are no part of it.
 */
static inline size_t
mf_text_length(const uint8_t *bytes, size_t size)
{
	while (size > 0 && (bytes[size - 1] == 0 || bytes[size - 1] == 0x1a))
		size--;
	return size;
}

/* For %.*s, with a word's beginning. */
static inline int
mf_text_shown(size_t length)
{
	return length < MF_TEXT_SHOWN ? (int) length : MF_TEXT_SHOWN;
}

extern bool mf_text_refuse(MfJob *job, const char *at, MfErrorCode code,
						   const char *format,...)
			__attribute__((format(printf, 4, 5)));
extern bool mf_text_refuse_number(MfJob *job, const char *word, size_t length,
								  MfNumberResult result);

/* ---- utf16.c ---- */

extern uint8_t *mf_text_from_utf16(MfJob *job, size_t *size);

#endif							/* MF_TEXT_H */
