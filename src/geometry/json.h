/*
 * json.h
 *		JSON (RFC 8259) as a list of its values, in the order of the text.
 *
 * Nothing is copied and nothing is nested: a value takes 16 bytes, so memory
 * is a small multiple of the text's size, and counted.
 */
#ifndef MF_JSON_H
#define MF_JSON_H

#include "mesh.h"

/* A text of more values, or nested deeper, is refused. */
#define MF_JSON_MAX_VALUES	4194304
#define MF_JSON_MAX_DEPTH	100

/* No value; the first one is the whole text. */
#define MF_JSON_NONE	UINT32_MAX
#define MF_JSON_ROOT	0

typedef enum MfJsonKind
{
	MF_JSON_NULL = 0,
	MF_JSON_FALSE,
	MF_JSON_TRUE,
	MF_JSON_NUMBER,
	MF_JSON_STRING,
	MF_JSON_ARRAY,
	MF_JSON_OBJECT
} MfJsonKind;

/*
 * An array's items follow it, each with all that is in it; an object's names
 * and values follow it in turn.
 */
typedef struct MfJsonValue
{
	MfJsonKind	kind;
	uint32_t	from;			/* of the text; of a string without quotes */
	uint32_t	length;			/* of it; of an array or object: items */
	uint32_t	next;			/* the first value that is not in this one */
} MfJsonValue;

typedef struct MfJson
{
	const char *text;
	uint32_t	size;
	MfJsonValue *value;
	uint32_t	count;
	uint32_t	room;
} MfJson;

/*
 * Reads a text.  False: refused, also a text that is no JSON; `what` is the
 * subject of that sentence.  To be freed in both cases.
 */
extern bool mf_json_parse(MfJob *job, MfJson *json, const char *text,
						  uint64_t size, const char *what);
extern void mf_json_free(MfJob *job, MfJson *json);

/*
 * The first member of an object with this name, MF_JSON_NONE where there is
 * none, or no object.
 */
extern uint32_t mf_json_member(const MfJson *json, uint32_t object,
							   const char *name);

/* Is this a string, and this one? */
extern bool mf_json_is(const MfJson *json, uint32_t value, const char *text);

/* A number; NaN: none. */
extern double mf_json_number(const MfJson *json, uint32_t value);

/* A whole number from 0 to 2^53; UINT64_MAX: none. */
extern uint64_t mf_json_integer(const MfJson *json, uint32_t value);

/* Is this of that kind? */
static inline bool
mf_json_is_kind(const MfJson *json, uint32_t value, MfJsonKind kind)
{
	return value != MF_JSON_NONE && json->value[value].kind == kind;
}

/* How many items an array has; 0 where it is none. */
static inline uint32_t
mf_json_items(const MfJson *json, uint32_t value)
{
	return mf_json_is_kind(json, value, MF_JSON_ARRAY) ?
		json->value[value].length : 0;
}

#endif							/* MF_JSON_H */
