/*
 * token.c
 *		Where a page ends: a text that the next one begins with.
 *
 * Nobody but us reads it.  It is base64 for addresses (RFC 4648, section 5)
 * of a version, what it is good for, a place, and a check of all that; their
 * length is a multiple of 3, so there is no padding.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "compat.h"
#include "fmgr.h"
#include "mesflow.h"
#include "page.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"

#define TOKEN_VERSION	1

/* Version, page and order; filters, rank, key; id; check. */
#define CHECKED_BYTES	(3 + 3 * 8 + 16)
#define TOKEN_BYTES		(CHECKED_BYTES + 2)
#define TOKEN_LENGTH	(TOKEN_BYTES / 3 * 4)

StaticAssertDecl(TOKEN_BYTES % 3 == 0, "a token needs no padding");

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void
put_number(uint8 *to, uint64 number)
{
	number = pg_hton64(number);
	memcpy(to, &number, sizeof(number));
}

static uint64
get_number(const uint8 *from)
{
	uint64		number;

	memcpy(&number, from, sizeof(number));
	return pg_ntoh64(number);
}

static void
put_check(const uint8 *bytes, uint8 *to)
{
	uint32		check = DatumGetUInt32(hash_any(bytes, CHECKED_BYTES));

	to[0] = (uint8) check;
	to[1] = (uint8) (check >> 8);
}

text *
mf_token_write(const MfPageSort *sort, const MfPlace *place)
{
	uint8		bytes[TOKEN_BYTES];
	char		token[TOKEN_LENGTH];

	bytes[0] = TOKEN_VERSION;
	bytes[1] = (uint8) sort->page;
	bytes[2] = (uint8) sort->order;
	put_number(bytes + 3, sort->filters);
	put_number(bytes + 11, (uint64) place->rank);
	put_number(bytes + 19, (uint64) place->key);
	memcpy(bytes + 27, &place->id, sizeof(pg_uuid_t));
	put_check(bytes, bytes + CHECKED_BYTES);
	for (int i = 0; i < TOKEN_BYTES / 3; i++)
	{
		uint32		three = bytes[3 * i] << 16 | bytes[3 * i + 1] << 8 | bytes[3 * i + 2];

		for (int j = 0; j < 4; j++)
			token[4 * i + j] = digits[three >> (18 - 6 * j) & 63];
	}
	return cstring_to_text_with_len(token, TOKEN_LENGTH);
}

static bool
decode(const text *token, uint8 *bytes)
{
	const char *text = VARDATA_ANY(token);
	uint8		check[2];

	if (VARSIZE_ANY_EXHDR(token) != TOKEN_LENGTH)
		return false;
	for (int i = 0; i < TOKEN_BYTES / 3; i++)
	{
		uint32		three = 0;

		for (int j = 0; j < 4; j++)
		{
			const char *digit = text[4 * i + j] == '\0' ? NULL : strchr(digits, text[4 * i + j]);

			if (digit == NULL)
				return false;
			three = three << 6 | (uint32) (digit - digits);
		}
		bytes[3 * i] = (uint8) (three >> 16);
		bytes[3 * i + 1] = (uint8) (three >> 8);
		bytes[3 * i + 2] = (uint8) three;
	}
	put_check(bytes, check);
	return memcmp(check, bytes + CHECKED_BYTES, sizeof(check)) == 0;
}

static void
refuse(const char *why)
{
	ereport(ERROR,
			(errcode(MF_ERRCODE_BAD_ARGUMENT),
			 errmsg("page token not allowed"),
			 errdetail("after is %s.", why),
			 errhint("Start again without it; then pass what the last page has in its column next, with the same filters.")));
}

void
mf_token_read(const MfPageSort *sort, const text *token, MfPlace *place)
{
	uint8		bytes[TOKEN_BYTES];

	if (!decode(token, bytes))
		refuse("no token of a page");
	if (bytes[0] != TOKEN_VERSION)
		refuse("a token of another version of mesflow");
	if (bytes[1] != sort->page)
		refuse("a token of another function");
	if (get_number(bytes + 3) != sort->filters)
		refuse("a token of a page with other filters");
	if (bytes[2] != sort->order)
		refuse("a token of a page in another order: mesflow.dispatch_order has been changed");
	place->rank = (int64) get_number(bytes + 11);
	place->key = (TimestampTz) get_number(bytes + 19);
	memcpy(&place->id, bytes + 27, sizeof(pg_uuid_t));
}
