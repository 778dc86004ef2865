/*
 * text.c
 *		Refusals of text formats: each names the line it is about.
 */
#include <stdarg.h>
#include <stdio.h>

#include "text.h"

/* The number of the line that `at` is in: lines end in LF, CR or CR LF. */
static unsigned long long
line_number(const MfJob *job, const char *at)
{
	const char *p = (const char *) job->bytes;
	const char *const end = p + job->size;
	unsigned long long line = 1;

	for (; p < at; p++)
		line += *p == '\n' || (*p == '\r' && p + 1 < end && p[1] != '\n');
	return line;
}

/* Refuses because of what is at `at`; false, for the caller to return. */
bool
mf_text_refuse(MfJob *job, const char *at, MfErrorCode code,
			   const char *format,...)
{
	char		what[200];
	va_list		args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	mf_refuse(job->refusal, code, "Line %llu: %s", line_number(job, at), what);
	return false;
}

/* Refuses a coordinate that is a number, but none to measure with; false. */
bool
mf_text_refuse_number(MfJob *job, const char *word, size_t length,
					  MfNumberResult result)
{
	if (result == MF_NUMBER_COMMA)
		return mf_text_refuse(job, word, MF_ERROR_MALFORMED,
							  "the coordinate \"%.*s\" has a comma; decimals "
							  "must be written with a point.",
							  mf_text_shown(length), word);
	return mf_text_refuse(job, word, MF_ERROR_NON_FINITE,
						  "the coordinate \"%.*s\" is not a finite number.",
						  mf_text_shown(length), word);
}
