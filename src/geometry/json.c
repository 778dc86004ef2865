/*
 * json.c
 *		Reads JSON without recursion, in memory that is a multiple of its size.
 */
#include <math.h>
#include <string.h>

#include "json.h"

typedef struct Parser
{
	MfJob	   *job;
	MfJson	   *json;
	const char *what;
	uint32_t	at;
	uint32_t	depth;			/* arrays and objects that are open */
	uint32_t	open[MF_JSON_MAX_DEPTH];
} Parser;

/* Refuses what is no JSON; false. */
static bool
refuse(Parser *p, const char *why)
{
	mf_refuse(p->job->refusal, MF_ERROR_MALFORMED,
			  "%s is not JSON: %s at byte %u.", p->what, why, p->at);
	return false;
}

static inline bool
is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* The next byte that is not white space; 0 at the end. */
static inline char
next_byte(Parser *p)
{
	const MfJson *json = p->json;

	while (p->at < json->size && is_space(json->text[p->at]))
		p->at++;
	return p->at < json->size ? json->text[p->at] : '\0';
}

/* Adds a value that begins here. */
static inline MfJsonValue *
add_value(Parser *p, MfJsonKind kind, uint32_t from, uint32_t length)
{
	MfJson	   *json = p->json;
	MfJsonValue *value = &json->value[json->count++];

	value->kind = kind;
	value->from = from;
	value->length = length;
	value->next = json->count;
	return value;
}

/* Reads a string; its quote is next. */
static bool
read_string(Parser *p)
{
	const char *text = p->json->text;
	const uint32_t size = p->json->size;
	const uint32_t from = p->at + 1;
	uint32_t	to = from;

	while (to < size && text[to] != '"')
	{
		if ((unsigned char) text[to] < 0x20)
		{
			p->at = to;
			return refuse(p, "a control character in a string");
		}
		to += text[to] == '\\' ? 2 : 1;
	}
	if (to >= size)
		return refuse(p, "a string without an end");
	add_value(p, MF_JSON_STRING, from, to - from);
	p->at = to + 1;
	return true;
}

/* Reads a number; it has been seen to begin like one. */
static bool
read_number(Parser *p)
{
	const char *text = p->json->text;
	const uint32_t from = p->at;
	uint32_t	to = from;
	double		value;
	MfNumberResult result;

	while (to < p->json->size &&
		   ((unsigned char) (text[to] - '0') < 10 || text[to] == '-' ||
			text[to] == '+' || text[to] == '.' || (text[to] | 0x20) == 'e'))
		to++;
	/* What is too large is a number all the same, until somebody needs it. */
	result = to - from > MF_MAX_NUMBER_LENGTH ? MF_NUMBER_OK :
		mf_number_parse(text + from, to - from, &value);
	if (result != MF_NUMBER_OK && result != MF_NUMBER_NON_FINITE)
		return refuse(p, "no number");
	add_value(p, MF_JSON_NUMBER, from, to - from);
	p->at = to;
	return true;
}

/* Reads true, false or null. */
static bool
read_word(Parser *p)
{
	static const struct
	{
		const char *word;
		MfJsonKind	kind;
	}			words[] = {
		{"null", MF_JSON_NULL}, {"false", MF_JSON_FALSE},
		{"true", MF_JSON_TRUE}
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
	{
		const uint32_t length = (uint32_t) strlen(words[i].word);

		if (p->json->size - p->at >= length &&
			memcmp(p->json->text + p->at, words[i].word, length) == 0)
		{
			add_value(p, words[i].kind, p->at, length);
			p->at += length;
			return true;
		}
	}
	return refuse(p, "no value");
}

/* Opens an array or object. */
static bool
open_list(Parser *p, MfJsonKind kind)
{
	if (p->depth == MF_JSON_MAX_DEPTH)
		return refuse(p, "values are nested too deeply");
	p->open[p->depth++] = p->json->count;
	add_value(p, kind, p->at, 0);
	p->at++;
	return true;
}

/* Reads a name and its colon. */
static bool
read_name(Parser *p)
{
	if (next_byte(p) != '"')
		return refuse(p, "no name");
	if (!read_string(p))
		return false;
	if (next_byte(p) != ':')
		return refuse(p, "no colon");
	p->at++;
	return true;
}

/* Reads a value; of an array or object, only its beginning. */
static bool
read_value(Parser *p)
{
	const char	c = next_byte(p);

	if (c == '{')
		return open_list(p, MF_JSON_OBJECT);
	if (c == '[')
		return open_list(p, MF_JSON_ARRAY);
	if (c == '"')
		return read_string(p);
	if (c == '-' || (c >= '0' && c <= '9'))
		return read_number(p);
	return read_word(p);
}

/*
 * After a value: closes what ends here.  *more: another item is due.  False:
 * refused.
 */
static bool
close_lists(Parser *p, bool *more)
{
	*more = false;
	while (p->depth > 0)
	{
		MfJsonValue *list = &p->json->value[p->open[p->depth - 1]];
		const bool	empty = p->json->count == p->open[p->depth - 1] + 1;
		const char	c = next_byte(p);

		if (c == (list->kind == MF_JSON_ARRAY ? ']' : '}'))
		{
			list->next = p->json->count;
			p->depth--;
			p->at++;
			continue;
		}
		if (!empty)
		{
			if (c != ',')
				return refuse(p, "neither a comma nor an end");
			p->at++;
		}
		list->length++;
		*more = true;
		return list->kind == MF_JSON_ARRAY || read_name(p);
	}
	return true;
}

/* Reads a text; see json.h. */
bool
mf_json_parse(MfJob *job, MfJson *json, const char *text, uint64_t size,
			  const char *what)
{
	Parser		p = {.job = job,.json = json,.what = what};
	uint64_t	most = 1;
	bool		more = true;

	memset(json, 0, sizeof(*json));
	/* Each value but the root has one of these before it. */
	for (uint64_t i = 0; i < size; i++)
		most += text[i] == '{' || text[i] == '[' || text[i] == ',' ||
			text[i] == ':';
	if (size > UINT32_MAX / 2 || most > MF_JSON_MAX_VALUES)
	{
		mf_refuse(job->refusal, MF_ERROR_TOO_LARGE,
				  "%s has more than %d values.", what, MF_JSON_MAX_VALUES);
		return false;
	}
	json->text = text;
	json->size = (uint32_t) size;
	json->value = mf_memory_alloc(&job->memory, most * sizeof(*json->value));
	if (json->value == NULL)
		return mf_job_out_of_memory(job);
	json->room = (uint32_t) most;
	while (more)
		if (!read_value(&p) || !close_lists(&p, &more))
			return false;

	/* Some programs fill up with zeros. */
	while (json->size > p.at && json->text[json->size - 1] == '\0')
		json->size--;
	if (next_byte(&p), p.at < json->size)
		return refuse(&p, "something follows it");
	return true;
}

/* Gives the memory back. */
void
mf_json_free(MfJob *job, MfJson *json)
{
	mf_memory_free(&job->memory, json->value,
				   json->room * (uint64_t) sizeof(*json->value));
	memset(json, 0, sizeof(*json));
}

/* The value of a hexadecimal digit; above 15: none. */
static unsigned
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/*
 * Takes a character off a string that has escapes; 0 for one that is not
 * ASCII, and at the end.
 */
static char
unescape(const char **at, const char *end)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	const char *p = *at;
	unsigned	code = 0;

	if (p == end)
		return '\0';
	if (*p != '\\' || p + 1 == end)
	{
		*at = p + 1;
		return *p;
	}
	*at = p + 2;
	if (p[1] != 'u')
	{
		const char *found = strchr(from, p[1]);

		return found != NULL ? to[found - from] : '\0';
	}
	if (end - p < 6)
		return '\0';
	for (int i = 2; i < 6; i++)
		code = code * 16 + hex_digit(p[i]);
	*at = p + 6;
	return code < 0x80 ? (char) code : '\0';
}

/* Is this that string?  See json.h. */
bool
mf_json_is(const MfJson *json, uint32_t value, const char *text)
{
	const MfJsonValue *v = &json->value[value];
	const size_t length = strlen(text);
	const char *at;
	const char *end;

	if (!mf_json_is_kind(json, value, MF_JSON_STRING))
		return false;
	at = json->text + v->from;
	end = at + v->length;
	if (memchr(at, '\\', v->length) == NULL)
		return v->length == length && memcmp(at, text, length) == 0;
	for (size_t i = 0; i < length; i++)
		if (unescape(&at, end) != text[i])
			return false;
	return at == end;
}

/* Finds a member; see json.h. */
uint32_t
mf_json_member(const MfJson *json, uint32_t object, const char *name)
{
	uint32_t	at = object + 1;

	if (!mf_json_is_kind(json, object, MF_JSON_OBJECT))
		return MF_JSON_NONE;
	while (at < json->value[object].next)
	{
		if (mf_json_is(json, at, name))
			return at + 1;
		at = json->value[at + 1].next;
	}
	return MF_JSON_NONE;
}

/* A number; see json.h. */
double
mf_json_number(const MfJson *json, uint32_t value)
{
	const MfJsonValue *v = &json->value[value];
	double		number;

	if (!mf_json_is_kind(json, value, MF_JSON_NUMBER) ||
		mf_number_parse(json->text + v->from, v->length, &number) !=
		MF_NUMBER_OK)
		return NAN;
	return number;
}

/* A whole number; see json.h. */
uint64_t
mf_json_integer(const MfJson *json, uint32_t value)
{
	const double number = mf_json_number(json, value);

	if (!(number >= 0 && number <= 9007199254740992.0) ||
		floor(number) != number)
		return UINT64_MAX;
	return (uint64_t) number;
}
