/*
 * trace.c
 *		The trace context of a caller: the header traceparent.
 *
 *		00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
 *		version, trace id, parent id, flags
 *
 * W3C Trace Context, section 3.2.  A later version may have more at its end,
 * after another dash; version ff is not one, nor is an id of zeros.
 */
#include "postgres.h"

#include "fmgr.h"
#include "trace.h"
#include "utils/builtins.h"

/* The parts: where they begin, and how many digits they have. */
#define VERSION_AT		0
#define VERSION_DIGITS	2
#define TRACE_AT		3
#define TRACE_DIGITS	32
#define PARENT_AT		36
#define PARENT_DIGITS	16
#define FLAGS_AT		53
#define FLAGS_DIGITS	2
#define HEADER_LENGTH	55

PG_FUNCTION_INFO_V1(mesflow_trace_id);

/* The value of a small hexadecimal digit; -1 for what is none. */
static int
digit_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	return -1;
}

/* Are these so many digits?  Stops at the text's end. */
static bool
are_digits(const char *at, int count)
{
	for (int i = 0; i < count; i++)
		if (digit_value(at[i]) < 0)
			return false;
	return true;
}

static bool
are_zeros(const char *at, int count)
{
	return strspn(at, "0") >= (size_t) count;
}

/*
 * The trace id of a header; false where the header is NULL or not valid, and
 * counts as absent.
 */
bool
mf_trace_id(const char *traceparent, pg_uuid_t *id)
{
	const char *trace;

	/* Each part is looked at only where the one before it was whole. */
	if (traceparent == NULL ||
		!are_digits(traceparent + VERSION_AT, VERSION_DIGITS) ||
		traceparent[TRACE_AT - 1] != '-' ||
		!are_digits(traceparent + TRACE_AT, TRACE_DIGITS) ||
		traceparent[PARENT_AT - 1] != '-' ||
		!are_digits(traceparent + PARENT_AT, PARENT_DIGITS) ||
		traceparent[FLAGS_AT - 1] != '-' ||
		!are_digits(traceparent + FLAGS_AT, FLAGS_DIGITS))
		return false;
	if (traceparent[HEADER_LENGTH] != '\0' &&
		(traceparent[HEADER_LENGTH] != '-' || are_zeros(traceparent, VERSION_DIGITS)))
		return false;
	if (strncmp(traceparent, "ff", VERSION_DIGITS) == 0)
		return false;
	if (are_zeros(traceparent + TRACE_AT, TRACE_DIGITS) ||
		are_zeros(traceparent + PARENT_AT, PARENT_DIGITS))
		return false;

	trace = traceparent + TRACE_AT;
	for (int i = 0; i < UUID_LEN; i++)
		id->data[i] = (unsigned char)
			(digit_value(trace[2 * i]) << 4 | digit_value(trace[2 * i + 1]));
	return true;
}

/* _trace_id(traceparent text): the id, or NULL. */
PGDLLEXPORT Datum
mesflow_trace_id(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));

	if (!mf_trace_id(text_to_cstring(PG_GETARG_TEXT_PP(0)), id))
		PG_RETURN_NULL();
	PG_RETURN_UUID_P(id);
}
