/*
 * sender_input.h
 *		What a person gives mesflow-sender: files, lists, secrets.
 */
#ifndef MF_SENDER_INPUT_H
#define MF_SENDER_INPUT_H

#include "../frame/sending.h"

/* Bytes that grow; zeroed at first, and never freed. */
typedef struct MfText
{
	char	   *bytes;
	size_t		length;
	size_t		room;
} MfText;

extern MfBytes mf_text_bytes(const MfText *text);

/* These are false where memory is out. */
extern bool mf_text_add(MfText *text, const void *bytes, size_t length);
extern bool mf_text_add_line(MfText *text, const char *line);

/* Reads a file, or standard input where it is "-"; false: see errno. */
extern bool mf_input_file(const char *file, MfText *text);

/* A list with commas, as lines. */
extern bool mf_input_list(const char *list, MfText *lines);

/* A secret as it is shown, whsec_..., as bytes; false: it is none. */
extern bool mf_input_secret(const char *shown, MfText *secret);

#endif							/* MF_SENDER_INPUT_H */
