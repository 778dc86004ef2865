/*
 * threemf_values.c
 *		Values of attributes: numbers, ids, transforms, units.  White space
 *		around them is legal, and between the numbers of a transform any
 *		amount (W3C, "XML Schema Part 2", whiteSpace collapse).
 */
#include <string.h>

#include "text.h"
#include "threemf.h"

static inline bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The next word; *length is 0 at the end. */
static const char *
next_word(const char *text, size_t *length)
{
	const char *end;

	while (is_space(*text))
		text++;
	for (end = text; *end != '\0' && !is_space(*end); end++)
		;
	*length = end - text;
	return text;
}

/* The only word of a text, or NULL; then *length is for messages. */
static const char *
only_word(const char *text, size_t *length)
{
	const char *word = next_word(text, length);
	size_t		more;

	(void) next_word(word + *length, &more);
	if (*length > 0 && more == 0)
		return word;
	*length = strlen(text);
	return NULL;
}

/* Refuses a word that should be a number; false. */
static bool
refuse_number(MfXml *xml, const char *word, size_t length,
			  MfNumberResult result)
{
	if (result == MF_NUMBER_COMMA)
		return mf_xml_refuse(xml, MF_ERROR_MALFORMED, "the number \"%.*s\" "
							 "has a comma; decimals must be written with a "
							 "point.", mf_text_shown(length), word);
	if (result == MF_NUMBER_NON_FINITE)
		return mf_xml_refuse(xml, MF_ERROR_NON_FINITE, "the number \"%.*s\" "
							 "is not a finite number.", mf_text_shown(length),
							 word);
	return mf_xml_refuse(xml, MF_ERROR_MALFORMED, "\"%.*s\" found, where a "
						 "number should be.", mf_text_shown(length), word);
}

/* Reads a coordinate; NULL is one that is not there. */
bool
mf_threemf_parse_number(MfXml *xml, const char *text, double *value)
{
	MfNumberResult result = MF_NUMBER_MALFORMED;
	size_t		length;
	const char *word;

	if (text == NULL)
		return mf_xml_refuse(xml, MF_ERROR_MALFORMED,
							 "a vertex without x, y and z.");
	word = only_word(text, &length);
	if (word != NULL)
		result = mf_number_parse(word, length, value);
	return result == MF_NUMBER_OK ||
		refuse_number(xml, word != NULL ? word : text, length, result);
}

/* Reads a whole number up to `most`.  False: it is none. */
static bool
parse_whole(const char *text, uint32_t most, uint32_t *value)
{
	size_t		length;
	const char *word = only_word(text, &length);
	uint64_t	number = 0;

	if (word == NULL)
		return false;
	if (*word == '+' && length > 1)
	{
		word++;
		length--;
	}
	for (size_t i = 0; i < length; i++)
	{
		if ((unsigned char) (word[i] - '0') >= 10)
			return false;
		number = number * 10 + (unsigned char) (word[i] - '0');
		if (number > most)
			return false;
	}
	*value = (uint32_t) number;
	return true;
}

/* Reads the id of an object; `what` has it, for messages. */
bool
mf_threemf_parse_id(MfXml *xml, const char *what, const char *text,
					uint32_t *id)
{
	if (text == NULL)
		return mf_xml_refuse(xml, MF_ERROR_MALFORMED,
							 "%s without the id of an object.", what);
	if (!parse_whole(text, MF_3MF_MAX_ID, id) || *id == 0)
		return mf_xml_refuse(xml, MF_ERROR_MALFORMED, "\"%.*s\" found, where "
							 "the id of an object should be.",
							 mf_text_shown(strlen(text)), text);
	return true;
}

/* Reads the number of one of `count` vertices. */
bool
mf_threemf_parse_index(MfXml *xml, const char *text, uint32_t count,
					   uint32_t *index)
{
	if (text == NULL)
		return mf_xml_refuse(xml, MF_ERROR_MALFORMED,
							 "a triangle without v1, v2 and v3.");
	if (!parse_whole(text, UINT32_MAX - 1, index))
		return mf_xml_refuse(xml, MF_ERROR_MALFORMED, "\"%.*s\" found, where "
							 "the number of a vertex should be.",
							 mf_text_shown(strlen(text)), text);
	if (*index >= count)
		return mf_xml_refuse(xml, MF_ERROR_MALFORMED, "vertex %u is used, "
							 "where there are %u vertices, which count from "
							 "0.", *index, count);
	return true;
}

/*
 * Reads a transform: the four rows of three numbers by which a row vector is
 * multiplied, the last of them the shift.  NULL: none.
 */
bool
mf_threemf_parse_transform(MfXml *xml, const char *text, Mf3mfUse *use)
{
	double		row[4][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {0, 0, 0}};
	size_t		length;
	int			count = 0;

	for (const char *word = text != NULL ? next_word(text, &length) : NULL;
		 word != NULL && length > 0; word = next_word(word + length, &length))
	{
		MfNumberResult result;

		if (count < 12)
		{
			result = mf_number_parse(word, length, &row[count / 3][count % 3]);
			if (result != MF_NUMBER_OK)
				return refuse_number(xml, word, length, result);
		}
		count++;
	}
	if (text != NULL && count != 12)
		return mf_xml_refuse(xml, MF_ERROR_MALFORMED, "a transform of %d "
							 "numbers instead of 12.", count);
	for (int i = 0; i < 3; i++)
	{
		for (int k = 0; k < 3; k++)
			use->linear[i][k] = row[k][i];
		use->shift[i] = row[3][i];
	}
	return true;
}

/* Reads a unit; NULL is millimetres. */
bool
mf_threemf_parse_unit(MfXml *xml, const char *text, MfUnit *unit)
{
	static const struct
	{
		const char *name;
		MfUnit		unit;
	}			units[] = {
		{"micron", MF_UNIT_UM},
		{"millimeter", MF_UNIT_MM},
		{"centimeter", MF_UNIT_CM},
		{"meter", MF_UNIT_M},
		{"inch", MF_UNIT_INCH},
		{"foot", MF_UNIT_FT}
	};
	size_t		length;
	const char *word;

	*unit = MF_UNIT_MM;
	if (text == NULL)
		return true;
	word = only_word(text, &length);
	for (size_t i = 0; word != NULL && i < sizeof(units) / sizeof(units[0]);
		 i++)
		if (strlen(units[i].name) == length &&
			memcmp(units[i].name, word, length) == 0)
		{
			*unit = units[i].unit;
			return true;
		}
	return mf_xml_refuse(xml, MF_ERROR_MALFORMED, "the unit \"%.*s\" is not "
						 "known.", mf_text_shown(strlen(text)), text);
}
