/*
 * xml.h
 *		XML of strangers, element by element, with a way around the parser
 *		for long runs of plain elements.
 */
#ifndef MF_XML_H
#define MF_XML_H

#include <expat.h>

#include "mesh.h"

/* Elements within elements, and attributes of one. */
#define MF_XML_MAX_DEPTH		64
#define MF_XML_MAX_ATTRIBUTES	64

/* Prefixes of namespaces that are declared at one time. */
#define MF_XML_MAX_PREFIXES		64

/* One tag, comment or the like is at most so long, in bytes. */
#define MF_XML_MAX_TOKEN		(UINT64_C(256) << 10)

/* So much goes through the parser, in bytes; runs are not counted. */
#define MF_XML_MAX_PARSED		(UINT64_C(256) << 20)
#define MF_XML_MAX_ELEMENTS		8000000

/* What the parser may allocate, in bytes: it keeps each name that it sees. */
#define MF_XML_MAX_MEMORY		(UINT64_C(16) << 20)

/* Between namespace and local name, as the parser gives them. */
#define MF_XML_SEPARATOR		'\n'

/* A prefix of the root element and the namespace that it stands for. */
typedef struct MfXmlPrefix
{
	char	   *name;			/* "": of names without a prefix */
	char	   *space;
} MfXmlPrefix;

typedef struct MfXml MfXml;

/* Who gets the elements.  False everywhere: refused. */
typedef struct MfXmlReader
{
	void	   *arg;

	/*
	 * An element begins.  Names are "namespace\nname", or "name" where there
	 * is no namespace; attributes are pairs of name and value, then NULL.
	 */
	bool		(*start) (void *arg, const char *name,
						  const char *const *attributes);
	bool		(*end) (void *arg);

	/*
	 * Is the text from here on, inside of the element that was begun or ended
	 * last, a run of plain elements?  Moves *at behind those that it has
	 * taken.  May be NULL.
	 */
	bool		(*run) (void *arg, const char **at, const char *end);
} MfXmlReader;

struct MfXml
{
	MfJob	   *job;
	const char *name;			/* of the file, for messages */
	const char *text;
	size_t		size;
	const MfXmlReader *reader;
	XML_Parser	expat;
	uint64_t	at;				/* up to here the text is read */
	uint64_t	skipped;		/* bytes of that which the parser did not see */
	uint64_t	event_end;		/* where the last tag ended */
	uint32_t	depth;
	uint32_t	elements;		/* that the parser has seen */
	int			prefix_count;
	MfXmlPrefix prefix[MF_XML_MAX_PREFIXES];
	uint64_t	memory_used;	/* by the parser */
	bool		memory_exceeded;
	bool		refused;
};

/* Reads a text.  False: refused.  Memory of the prefixes is given back. */
extern bool mf_xml_read(MfXml *xml, MfJob *job, const char *name,
						const uint8_t *text, size_t size,
						const MfXmlReader *reader);

/* The namespace of a prefix, while the root begins; NULL: not declared. */
extern const char *mf_xml_space(const MfXml *xml, const char *prefix,
								size_t length);

/* Has the name of the element that begins a prefix? */
extern bool mf_xml_is_prefixed(const MfXml *xml);

/* Refuses because of the element at hand, naming its line; false. */
extern bool mf_xml_refuse(MfXml *xml, MfErrorCode code, const char *format,...)
			__attribute__((format(printf, 3, 4)));

/* The value of an attribute; NULL: there is none. */
extern const char *mf_xml_attribute(const char *const *attributes,
									const char *name);

#endif							/* MF_XML_H */
