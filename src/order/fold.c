/*
 * fold.c
 *		Texts and phone numbers as they are compared when people look for
 *		something.
 *
 * The results stand in indexes, so they may depend on nothing but the
 * argument: not on the locale of the database, not on a setting.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_namespace.h"
#include "common/unicode_norm.h"
#include "compat.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/syscache.h"

/* An index entry holds 2,704 bytes; a character has up to 4 of them. */
#define LONGEST_FOLDED	500		/* characters */
#define LONGEST_PHONE	50		/* digits */

#define CYRILLIC_IO		0x0451
#define CYRILLIC_IE		"\xD0\xB5"

PG_FUNCTION_INFO_V1(mesflow_fold);
PG_FUNCTION_INFO_V1(mesflow_last_word);
PG_FUNCTION_INFO_V1(mesflow_phone_key);

static bool
is_ascii(const char *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (IS_HIGHBIT_SET(bytes[i]))
			return false;
	return true;
}

/* The property White_Space of Unicode. */
static bool
is_space(pg_wchar c)
{
	return c == ' ' || (c >= 0x09 && c <= 0x0D) || c == 0x85 || c == 0xA0 ||
		c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
		c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

/*
 * Composed characters and compatible forms become one (NFKC of UAX #15): ё
 * typed as two, full-width digits, ligatures.
 */
static char *
normalized(const char *bytes, size_t length)
{
	pg_wchar   *wide = palloc((length + 1) * sizeof(pg_wchar));
	const char *end = bytes + length;
	size_t		count = 0;
	StringInfoData composed;
	unsigned char utf8[MAX_MULTIBYTE_CHAR_LEN];

	while (bytes < end)
	{
		wide[count++] = utf8_to_unicode((const unsigned char *) bytes);
		bytes += pg_utf_mblen((const unsigned char *) bytes);
	}
	wide[count] = 0;
	if (unicode_is_normalized_quickcheck(UNICODE_NFKC, wide) !=
		UNICODE_NORM_QC_YES)
		wide = unicode_normalize(UNICODE_NFKC, wide);

	initStringInfo(&composed);
	for (; *wide != 0; wide++)
	{
		unicode_to_utf8(*wide, utf8);
		appendBinaryStringInfo(&composed, (char *) utf8, pg_utf_mblen(utf8));
	}
	return composed.data;
}

/*
 * Small letters by the rules of Unicode, whatever the database's locale: by
 * ICU's root collation.  A server built without ICU, or whose catalog lost
 * that collation, goes by the database's own, which in a C locale knows ASCII
 * only; after such a change the indexes are to be built anew.
 */
static char *
lowered(const char *bytes, size_t length)
{
	Oid			root = GetSysCacheOid3(COLLNAMEENCNSP,
									   Anum_pg_collation_oid,
									   PointerGetDatum("und-x-icu"),
									   Int32GetDatum(-1),
									   ObjectIdGetDatum(PG_CATALOG_NAMESPACE));

	return str_tolower(bytes, length,
					   OidIsValid(root) ? root : DEFAULT_COLLATION_OID);
}

/*
 * Case-blind, ё as е, trimmed, runs of white space as one space; at most
 * its first LONGEST_FOLDED characters.
 */
static StringInfo
fold(text *value)
{
	const char *bytes = VARDATA_ANY(value);
	const char *end = bytes + VARSIZE_ANY_EXHDR(value);
	StringInfo	folded = makeStringInfo();
	int			characters = 0;
	bool		space = false;

	if (!is_ascii(bytes, end - bytes))
	{
		bytes = normalized(bytes, end - bytes);
		bytes = lowered(bytes, strlen(bytes));
		end = bytes + strlen(bytes);
	}
	while (bytes < end && characters < LONGEST_FOLDED)
	{
		int			length = pg_utf_mblen((const unsigned char *) bytes);
		pg_wchar	c = utf8_to_unicode((const unsigned char *) bytes);

		if (is_space(c))
			space = true;
		else
		{
			if (space && characters > 0)
			{
				if (characters + 1 == LONGEST_FOLDED)
					break;
				appendStringInfoChar(folded, ' ');
				characters++;
			}
			space = false;
			if (length == 1)
				appendStringInfoChar(folded, pg_ascii_tolower(*bytes));
			else if (c == CYRILLIC_IO)
				appendStringInfoString(folded, CYRILLIC_IE);
			else
				appendBinaryStringInfo(folded, bytes, length);
			characters++;
		}
		bytes += length;
	}
	return folded;
}

Datum
mesflow_fold(PG_FUNCTION_ARGS)
{
	StringInfo	folded = fold(PG_GETARG_TEXT_PP(0));

	PG_RETURN_TEXT_P(cstring_to_text_with_len(folded->data, folded->len));
}

/* What stands behind the last space of a folded text. */
Datum
mesflow_last_word(PG_FUNCTION_ARGS)
{
	StringInfo	folded = fold(PG_GETARG_TEXT_PP(0));
	const char *space = strrchr(folded->data, ' ');

	PG_RETURN_TEXT_P(cstring_to_text(space ? space + 1 : folded->data));
}

/*
 * A phone number's digits from the last to the first, without the zeros that
 * it begins with and without a trunk zero in parentheses: a number written
 * without its country is the beginning of the same with it.  NULL where there
 * are no digits.
 */
Datum
mesflow_phone_key(PG_FUNCTION_ARGS)
{
	text	   *phone = PG_GETARG_TEXT_PP(0);
	const char *bytes = VARDATA_ANY(phone);
	int			at = VARSIZE_ANY_EXHDR(phone);
	char		key[LONGEST_PHONE];
	int			digits = 0;

	while (--at >= 0 && digits < LONGEST_PHONE)
	{
		if (at >= 2 && memcmp(bytes + at - 2, "(0)", 3) == 0)
			at -= 2;
		else if (bytes[at] >= '0' && bytes[at] <= '9')
			key[digits++] = bytes[at];
	}
	while (digits > 0 && key[digits - 1] == '0')
		digits--;
	if (digits == 0)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text_with_len(key, digits));
}
