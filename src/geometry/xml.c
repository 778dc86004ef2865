/*
 * xml.c
 *		XML of strangers, by expat within limits: UTF-8 without a document
 *		type (so without entities of its own), not too deep, no element with
 *		too many attributes, no tag too long, not too much in all.
 *
 * Most of a large model are some million elements of the same plain form.
 * The parser gets the text in pieces, and where a piece ends right behind a
 * tag that the reader knows to be followed by a run, the reader takes that
 * run itself; the parser goes on behind it and never learns that it was
 * there.  What the reader does not take, the parser reads, one tag at a time
 * while there is hope that a run goes on: so what is accepted, and what it
 * means, is the parser's to say, wherever it is not plain.
 *
 * A piece may end anywhere, even where the text only looks like a tag, in a
 * comment say: then no element ends where the piece does, and there is no
 * run.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "xml.h"

/* The parser gets so much at once. */
#define PIECE			65536

/* Bytes between two looks at the progress. */
#define PROGRESS_BYTES	(1 << 20)

/* A tag before a run is not longer than this. */
#define TAG				4096

/* Tags in a row after which a run is no longer hoped for. */
#define VAIN_TAGS		8

/* Pieces that ended behind no tag after which no run is looked for. */
#define MAX_MISSES		1000

/*
 * Expat's memory counts as the job's, but expat does not say for whom it
 * asks: so this says on whose behalf this thread is in the parser.
 */
static _Thread_local MfXml *in_parser;

/* In front of each of expat's blocks: its size, and what keeps it aligned. */
#define BLOCK_HEAD		16

static void *
parser_alloc(size_t size)
{
	uint8_t    *block = NULL;

	if (size > MF_XML_MAX_MEMORY - in_parser->memory_used)
		in_parser->memory_exceeded = true;
	else
		block = mf_memory_alloc(&in_parser->job->memory, size + BLOCK_HEAD);
	if (block == NULL)
		return NULL;
	memcpy(block, &size, sizeof(size));
	in_parser->memory_used += size;
	return block + BLOCK_HEAD;
}

static void
parser_free(void *at)
{
	uint8_t    *block = at;
	size_t		size;

	if (block == NULL)
		return;
	block -= BLOCK_HEAD;
	memcpy(&size, block, sizeof(size));
	mf_memory_free(&in_parser->job->memory, block, size + BLOCK_HEAD);
	in_parser->memory_used -= size;
}

static void *
parser_realloc(void *at, size_t size)
{
	void	   *grown = parser_alloc(size);
	size_t		had = 0;

	if (grown == NULL || at == NULL)
		return grown;
	memcpy(&had, (uint8_t *) at - BLOCK_HEAD, sizeof(had));
	memcpy(grown, at, had < size ? had : size);
	parser_free(at);
	return grown;
}

/*
 * From expat 2.9 on, places and lengths have 64 bits everywhere, and names of
 * their own; before, as many as a long.
 */
#if XML_MAJOR_VERSION > 2 || XML_MINOR_VERSION >= 9
#define event_index		XML_GetCurrentByteIndex64
#define event_length	XML_GetCurrentByteCount64
#else
#define event_index		XML_GetCurrentByteIndex
#define event_length	XML_GetCurrentByteCount
#endif

/* Where the parser is in the text. */
static uint64_t
parser_place(const MfXml *xml)
{
	const int64_t index = event_index(xml->expat);

	return index < 0 ? xml->at : (uint64_t) index + xml->skipped;
}

/* Refuses because of the line that `at` is in; see xml.h. */
static void
refuse_at(MfXml *xml, uint64_t at, MfErrorCode code, const char *what)
{
	unsigned long long line = 1;

	for (uint64_t i = 0; i < at && i < xml->size; i++)
		line += xml->text[i] == '\n' ||
			(xml->text[i] == '\r' && i + 1 < xml->size &&
			 xml->text[i + 1] != '\n');
	mf_refuse(xml->job->refusal, code, "Line %llu of %s: %s", line, xml->name,
			  what);
	xml->refused = true;
}

/* Refuses because of the element at hand; see xml.h. */
bool
mf_xml_refuse(MfXml *xml, MfErrorCode code, const char *format,...)
{
	char		what[300];
	va_list		args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	refuse_at(xml, parser_place(xml), code, what);
	return false;
}

/* Refuses from within a call by the parser, and ends it. */
static void
stop(MfXml *xml)
{
	xml->refused = true;
	XML_StopParser(xml->expat, XML_FALSE);
}

static void
note_event(MfXml *xml)
{
	xml->event_end = parser_place(xml) + event_length(xml->expat);
}

static void XMLCALL
on_start(void *arg, const char *name, const char **attributes)
{
	MfXml	   *xml = arg;
	int			count = 0;

	if (xml->refused)
		return;
	note_event(xml);
	if (xml->depth == MF_XML_MAX_DEPTH)
	{
		mf_xml_refuse(xml, MF_ERROR_MALFORMED, "elements lie more than %d "
					  "deep in each other.", MF_XML_MAX_DEPTH);
		stop(xml);
		return;
	}
	while (attributes[2 * count] != NULL)
		count++;
	if (count > MF_XML_MAX_ATTRIBUTES)
	{
		mf_xml_refuse(xml, MF_ERROR_MALFORMED, "an element has %d "
					  "attributes; at most %d are read.", count,
					  MF_XML_MAX_ATTRIBUTES);
		stop(xml);
		return;
	}
	if (++xml->elements > MF_XML_MAX_ELEMENTS)
	{
		mf_xml_refuse(xml, MF_ERROR_ARCHIVE_BOMB, "there are more elements "
					  "than are read.");
		stop(xml);
		return;
	}
	xml->depth++;
	if (!xml->reader->start(xml->reader->arg, name,
							(const char *const *) attributes))
		stop(xml);
}

static void XMLCALL
on_end(void *arg, const char *name)
{
	MfXml	   *xml = arg;

	(void) name;
	if (xml->refused)
		return;
	note_event(xml);
	xml->depth--;
	if (!xml->reader->end(xml->reader->arg))
		stop(xml);
}

/* A document type could declare entities that grow, or name files. */
static void XMLCALL
on_doctype(void *arg, const char *name, const char *system_id,
		   const char *public_id, int has_internal)
{
	MfXml	   *xml = arg;

	(void) name;
	(void) system_id;
	(void) public_id;
	(void) has_internal;
	mf_xml_refuse(xml, MF_ERROR_MALFORMED, "a document type (DOCTYPE) is "
				  "declared, which 3MF does not allow.");
	stop(xml);
}

static void XMLCALL
on_declaration(void *arg, const char *version, const char *encoding,
			   int standalone)
{
	MfXml	   *xml = arg;
	static const char utf8[] = "UTF-8";

	(void) version;
	(void) standalone;
	for (size_t i = 0; encoding != NULL && i < sizeof(utf8); i++)
		if ((encoding[i] & (encoding[i] >= 'a' ? ~0x20 : ~0)) != utf8[i])
		{
			mf_xml_refuse(xml, MF_ERROR_MALFORMED, "the text is in the "
						  "encoding \"%.24s\"; 3MF is in UTF-8.", encoding);
			stop(xml);
			return;
		}
}

/* A copy of a text of expat, in the job's memory. */
static char *
copy_text(MfXml *xml, const char *text)
{
	const size_t size = (text != NULL ? strlen(text) : 0) + 1;
	char	   *copy = mf_memory_alloc(&xml->job->memory, size);

	if (copy != NULL && size > 1)
		memcpy(copy, text, size);
	return copy;
}

/* Keeps the prefixes that the root element declares. */
static void XMLCALL
on_prefix(void *arg, const char *prefix, const char *space)
{
	MfXml	   *xml = arg;
	MfXmlPrefix *kept = &xml->prefix[xml->prefix_count];

	if (xml->refused || xml->depth > 0)
		return;
	if (xml->prefix_count == MF_XML_MAX_PREFIXES)
	{
		mf_xml_refuse(xml, MF_ERROR_MALFORMED, "more than %d prefixes of "
					  "namespaces are declared.", MF_XML_MAX_PREFIXES);
		stop(xml);
		return;
	}
	xml->prefix_count++;
	kept->name = copy_text(xml, prefix);
	kept->space = copy_text(xml, space);
	if (kept->name == NULL || kept->space == NULL)
	{
		mf_job_out_of_memory(xml->job);
		stop(xml);
	}
}

/* The namespace of a prefix; see xml.h. */
const char *
mf_xml_space(const MfXml *xml, const char *prefix, size_t length)
{
	for (int i = 0; i < xml->prefix_count; i++)
		if (strlen(xml->prefix[i].name) == length &&
			memcmp(xml->prefix[i].name, prefix, length) == 0)
			return xml->prefix[i].space;
	return NULL;
}

/* Has the element's name a prefix?  See xml.h. */
bool
mf_xml_is_prefixed(const MfXml *xml)
{
	for (uint64_t i = parser_place(xml) + 1; i < xml->size; i++)
		if (strchr(": \t\r\n/>", xml->text[i]) != NULL)
			return xml->text[i] == ':';
	return true;
}

/* The value of an attribute; see xml.h. */
const char *
mf_xml_attribute(const char *const *attributes, const char *name)
{
	for (; *attributes != NULL; attributes += 2)
		if (strcmp(attributes[0], name) == 0)
			return attributes[1];
	return NULL;
}

/* Refuses because of what the parser says. */
static void
refuse_syntax(MfXml *xml)
{
	const enum XML_Error error = XML_GetErrorCode(xml->expat);
	char		what[120];

	if (error == XML_ERROR_NO_MEMORY && xml->memory_exceeded)
	{
		refuse_at(xml, parser_place(xml), MF_ERROR_ARCHIVE_BOMB,
				  "there are more names than are read.");
		return;
	}
	if (error == XML_ERROR_NO_MEMORY)
	{
		mf_job_out_of_memory(xml->job);
		xml->refused = true;
		return;
	}
	snprintf(what, sizeof(what), "this is not well-formed XML: %s.",
			 XML_ErrorString(error));
	refuse_at(xml, parser_place(xml), MF_ERROR_MALFORMED, what);
}

/* Gives the parser the text up to `end`.  False: refused. */
static bool
parse_until(MfXml *xml, uint64_t end)
{
	const uint64_t from = xml->at;

	while (xml->at < end)
	{
		const uint64_t left = end - xml->at;
		const int	length = left < PIECE ? (int) left : PIECE;

		if (xml->at - xml->skipped + length > MF_XML_MAX_PARSED)
		{
			refuse_at(xml, xml->at, MF_ERROR_ARCHIVE_BOMB,
					  "there is more text than is read.");
			return false;
		}
		if (XML_Parse(xml->expat, xml->text + xml->at, length, XML_FALSE) !=
			XML_STATUS_OK && !xml->refused)
			refuse_syntax(xml);
		if (xml->refused)
			return false;
		xml->at += length;
	}

	/* What is not yet a token waits, and is read again with the next piece. */
	if (xml->at - from > 0 && xml->at - parser_place(xml) > MF_XML_MAX_TOKEN &&
		xml->at - xml->event_end > MF_XML_MAX_TOKEN)
	{
		refuse_at(xml, parser_place(xml), MF_ERROR_MALFORMED,
				  "a tag, a comment or a text is too long.");
		return false;
	}
	return true;
}

/* The end of the tag at `from`, if it is not longer than `most`; or 0. */
static uint64_t
tag_end(const MfXml *xml, uint64_t from, uint64_t most)
{
	const uint64_t left = xml->size - from;
	const char *found = memchr(xml->text + from, '>',
							   left < most ? left : most);

	return found == NULL ? 0 : found + 1 - xml->text;
}

/*
 * The end of the next tag in this piece that may have a run behind it: of
 * "vertices" or "triangles"; or 0.
 */
static uint64_t
find_tag(const MfXml *xml, uint64_t until)
{
	const char *at = xml->text + xml->at;
	const char *const end = xml->text + until;

	while ((at = memchr(at, '<', end - at)) != NULL && end - at > 10)
	{
		if ((at[1] == 'v' && memcmp(at, "<vertices", 9) == 0) ||
			(at[1] == 't' && memcmp(at, "<triangles", 10) == 0))
			return tag_end(xml, at - xml->text, TAG);
		at++;
	}
	return 0;
}

/* Lets the reader take a run, if a tag has just ended; sets *taken. */
static bool
take_run(MfXml *xml, bool *taken)
{
	const char *at = xml->text + xml->at;
	uint64_t	passed;

	*taken = false;
	if (xml->event_end != xml->at)
		return true;
	if (!xml->reader->run(xml->reader->arg, &at, xml->text + xml->size))
	{
		xml->refused = true;
		return false;
	}
	passed = at - (xml->text + xml->at);
	xml->at += passed;
	xml->skipped += passed;
	xml->event_end = xml->at;
	*taken = passed > 0;
	return true;
}

/* Reads the text with its runs.  False: refused. */
static bool
read_text(MfXml *xml)
{
	uint32_t	vain = 0;
	uint32_t	misses = 0;
	bool		hope = false;	/* was there a run not long ago? */
	uint64_t	reported = 0;

	while (xml->at < xml->size)
	{
		const uint64_t until = xml->size - xml->at < PIECE ? xml->size :
		xml->at + PIECE;
		uint64_t	end = 0;
		bool		taken = false;

		if (xml->reader->run != NULL && misses < MAX_MISSES)
			end = hope ? tag_end(xml, xml->at, TAG) : find_tag(xml, until);
		if (!parse_until(xml, end > 0 ? end : until))
			return false;
		if (end > 0 && !take_run(xml, &taken))
			return false;
		vain = taken ? 0 : vain + 1;
		misses += end > 0 && xml->event_end != xml->at;
		hope = end > 0 && (taken || (hope && vain < VAIN_TAGS));
		if (xml->at - reported >= PROGRESS_BYTES)
		{
			mf_job_progress(xml->job, MF_STAGE_READING, xml->at, xml->size);
			reported = xml->at;
		}
	}
	if (XML_Parse(xml->expat, "", 0, XML_TRUE) != XML_STATUS_OK &&
		!xml->refused)
		refuse_syntax(xml);
	return !xml->refused;
}

/* Texts that are not UTF-8 begin so. */
static bool
is_utf16(const MfXml *xml)
{
	const uint8_t *bytes = (const uint8_t *) xml->text;

	return xml->size >= 2 &&
		((bytes[0] == 0xff && bytes[1] == 0xfe) ||
		 (bytes[0] == 0xfe && bytes[1] == 0xff) ||
		 bytes[0] == 0 || bytes[1] == 0);
}

/* Reads a text; see xml.h. */
bool
mf_xml_read(MfXml *xml, MfJob *job, const char *name, const uint8_t *text,
			size_t size, const MfXmlReader *reader)
{
	static const XML_Memory_Handling_Suite suite = {
		parser_alloc, parser_realloc, parser_free
	};
	const char	separator[] = {MF_XML_SEPARATOR, '\0'};
	bool		good;

	memset(xml, 0, sizeof(*xml));
	xml->job = job;
	xml->name = name;
	xml->text = (const char *) text;
	xml->size = size;
	xml->reader = reader;
	if (is_utf16(xml))
	{
		mf_refuse(job->refusal, MF_ERROR_MALFORMED,
				  "The text of %s is not in UTF-8, as 3MF is.", name);
		return false;
	}
	in_parser = xml;
	xml->expat = XML_ParserCreate_MM("UTF-8", &suite, separator);
	if (xml->expat == NULL)
	{
		in_parser = NULL;
		return mf_job_out_of_memory(job);
	}
	XML_SetUserData(xml->expat, xml);
	XML_SetElementHandler(xml->expat, on_start, on_end);
	XML_SetStartDoctypeDeclHandler(xml->expat, on_doctype);
	XML_SetXmlDeclHandler(xml->expat, on_declaration);
	XML_SetStartNamespaceDeclHandler(xml->expat, on_prefix);
	good = read_text(xml);
	XML_ParserFree(xml->expat);
	in_parser = NULL;
	for (int i = 0; i < xml->prefix_count; i++)
	{
		char	   *texts[] = {xml->prefix[i].name, xml->prefix[i].space};

		for (int k = 0; k < 2; k++)
			if (texts[k] != NULL)
				mf_memory_free(&job->memory, texts[k], strlen(texts[k]) + 1);
	}
	return good;
}
