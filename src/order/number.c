/*
 * number.c
 *		Numbers of orders: the next value of a sequence, and a check digit
 *		behind it, so that a number that is heard or typed wrong is known to
 *		be wrong and never another order's.
 *
 * The check digit is Damm's: H. Michael Damm, "Total anti-symmetrische
 * Quasigruppen", dissertation, Philipps-Universität Marburg, 2004.  It finds
 * every single wrong digit and every exchange of two neighbours.  A quasigroup
 * of order 10 is totally anti-symmetric where (c * x) * y = (c * y) * x and
 * x * y = y * x both imply x = y; this one, with zeros in its diagonal, is the
 * one that the dissertation gives on page 111.
 */
#include "postgres.h"

#include "compat.h"
#include "fmgr.h"
#include "number.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(mesflow_damm);

static const uint8 quasigroup[10][10] =
{
	{0, 3, 1, 7, 5, 9, 8, 6, 4, 2},
	{7, 0, 9, 2, 1, 5, 4, 8, 6, 3},
	{4, 2, 0, 6, 8, 7, 1, 3, 5, 9},
	{1, 7, 5, 0, 9, 8, 3, 4, 2, 6},
	{6, 1, 2, 3, 0, 4, 5, 9, 7, 8},
	{3, 6, 7, 4, 2, 0, 9, 5, 8, 1},
	{5, 8, 6, 9, 7, 2, 0, 1, 3, 4},
	{8, 9, 4, 5, 3, 6, 2, 0, 1, 7},
	{9, 4, 3, 8, 6, 1, 7, 2, 0, 5},
	{2, 5, 8, 1, 4, 3, 6, 7, 9, 0}
};

/* The check digit of these digits, 0 to 9; -1 where they are not digits. */
static int
check_digit(const char *digits, size_t length)
{
	int			interim = 0;

	if (length == 0)
		return -1;
	for (size_t i = 0; i < length; i++)
	{
		if (digits[i] < '0' || digits[i] > '9')
			return -1;
		interim = quasigroup[interim][digits[i] - '0'];
	}
	return interim;
}

/* The number of the order that drew this value, which is not negative. */
char *
mf_order_number(int64 value)
{
	char	   *digits = psprintf(INT64_FORMAT, value);

	return psprintf("%s%d", digits, check_digit(digits, strlen(digits)));
}

/* The check digit of a text of digits; NULL for any other text. */
Datum
mesflow_damm(PG_FUNCTION_ARGS)
{
	text	   *digits = PG_GETARG_TEXT_PP(0);
	int			digit = check_digit(VARDATA_ANY(digits),
									VARSIZE_ANY_EXHDR(digits));
	char		answer;

	if (digit < 0)
		PG_RETURN_NULL();
	answer = '0' + digit;
	PG_RETURN_TEXT_P(cstring_to_text_with_len(&answer, 1));
}
