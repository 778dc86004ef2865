/*
 * number.c
 *		Decimal numbers, correctly rounded.
 *
 * Three ways, each of them exact, so that which one is taken never shows:
 *
 * 1. Up to 2^53 and a power of ten up to 22, both are doubles, and one
 *	  operation on two exact doubles is rounded once (Clinger, "How to read
 *	  floating point numbers accurately", 1990).
 * 2. With 64 bits of mantissa the same goes further, to 19 digits and 10^27;
 *	  rounding twice could only matter close to the middle between two
 *	  doubles, and there the third way is taken.
 * 3. strtod on a copy of bounded length.  It obeys the locale; programs start
 *	  in the C locale, and ours never leave it.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "digits.h"
#include "mesh.h"

static const double exact_power[] = {
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13,
	1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22
};

#define EXACT_POWERS	((int) (sizeof(exact_power) / sizeof(exact_power[0])))

#if LDBL_MANT_DIG == 64
static const long double long_power[] = {
	1e0L, 1e1L, 1e2L, 1e3L, 1e4L, 1e5L, 1e6L, 1e7L, 1e8L, 1e9L, 1e10L, 1e11L,
	1e12L, 1e13L, 1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L, 1e20L, 1e21L,
	1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L
};

#define LONG_POWERS		((int) (sizeof(long_power) / sizeof(long_power[0])))

/*
 * The second way.  The product or quotient is off by less than one unit of
 * its 64-bit mantissa; the 11 bits that a double has no room for must not be
 * so close to one half that this unit decides.  Results are in the range of
 * normal doubles: 10^-27 .. 10^47.
 */
static bool
parse_long(uint64_t digits, int power, double *value)
{
	long double result = digits;
	uint64_t	mantissa;
	uint32_t	beyond;

	if (power <= -LONG_POWERS || power >= LONG_POWERS)
		return false;
	result = power < 0 ? result / long_power[-power] :
		result * long_power[power];
	memcpy(&mantissa, &result, sizeof(mantissa));
	beyond = mantissa & 0x7ff;
	if (beyond >= 0x3fe && beyond <= 0x402)
		return false;
	*value = (double) result;
	return true;
}
#endif

/* The third way. */
static MfNumberResult
parse_slowly(const char *text, size_t length, double *value)
{
	char		copy[MF_MAX_NUMBER_LENGTH + 1];

	memcpy(copy, text, length);
	copy[length] = '\0';
	*value = strtod(copy, NULL);
	return isfinite(*value) ? MF_NUMBER_OK : MF_NUMBER_NON_FINITE;
}

/* Is this what strtod takes as a whole, and no name or hexadecimal? */
static bool
is_decimal(const char *text, size_t length)
{
	char		copy[MF_MAX_NUMBER_LENGTH + 1];
	char	   *end;

	for (size_t i = 0; i < length; i++)
		if (strchr("+-.0123456789eE", text[i]) == NULL || text[i] == '\0')
			return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	(void) strtod(copy, &end);
	return length > 0 && end == copy + length;
}

/* Why is this no number, or none that a double can be? */
static MfNumberResult
explain(const char *text, size_t length)
{
	static const char *const words[] = {"nan", "inf", "1.#", "-1.#"};
	const char *word = text;
	size_t		left = length;

	if (left > 0 && (*word == '+' || *word == '-') &&
		!(left > 1 && word[1] == '1'))
	{
		word++;
		left--;
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
	{
		size_t		k = 0;

		while (words[i][k] != '\0' && k < left &&
			   (word[k] | (word[k] >= 'A' && word[k] <= 'Z' ? 0x20 : 0)) ==
			   words[i][k])
			k++;
		if (words[i][k] == '\0')
			return MF_NUMBER_NON_FINITE;
	}
	if (length <= MF_MAX_NUMBER_LENGTH && memchr(text, ',', length) != NULL)
		return MF_NUMBER_COMMA;
	if (length <= MF_MAX_NUMBER_LENGTH && is_decimal(text, length))
		return MF_NUMBER_NON_FINITE;
	return MF_NUMBER_MALFORMED;
}

/* Reads digits; *digits grows by them, and overflows above 19 in all. */
static inline const char *
read_digits(const char *p, const char *end, uint64_t *digits)
{
	static const uint32_t power[] = {
		1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000
	};

	while (end - p >= 8)
	{
		const uint64_t word = mf_digits_load(p);
		const int	count = mf_digits_count(word);

		*digits = *digits * power[count] + mf_digits_value(word, count);
		p += count;
		if (count < 8)
			return p;
	}
	for (; p < end && (unsigned char) (*p - '0') < 10; p++)
		*digits = *digits * 10 + (unsigned char) (*p - '0');
	return p;
}

/* Digits times a power of ten, by the first or the second way. */
static inline bool
scale_digits(uint64_t digits, int power, double *value)
{
	if (digits == 0)
		*value = 0;
	else if (digits <= UINT64_C(1) << 53 && power > -EXACT_POWERS &&
			 power < EXACT_POWERS)
		*value = power < 0 ? (double) digits / exact_power[-power] :
			(double) digits * exact_power[power];
	else
#if LDBL_MANT_DIG == 64
		return parse_long(digits, power, value);
#else
		return false;
#endif
	return true;
}

/* Reads the number at the beginning of a text; see mesh.h. */
const char *
mf_number_read(const char *text, const char *end, double *value)
{
	const char *p = text;
	const bool	negative = p < end && *p == '-';
	const char *from;
	uint64_t	digits = 0;
	ptrdiff_t	seen;
	int			power = 0;

	p += p < end && (*p == '-' || *p == '+');
	from = p;
	p = read_digits(p, end, &digits);
	seen = p - from;
	if (p < end && *p == '.')
	{
		from = ++p;
		p = read_digits(p, end, &digits);
		if (p - from > MF_MAX_NUMBER_LENGTH)
			return NULL;
		power = (int) (from - p);
		seen += p - from;
	}
	if (seen == 0)
		return NULL;
	if (p < end && (*p == 'e' || *p == 'E'))
	{
		bool		down = false;
		int			exponent = 0;

		if (++p < end && (*p == '-' || *p == '+'))
			down = *p++ == '-';
		if (p == end || (unsigned char) (*p - '0') >= 10)
			return NULL;
		for (; p < end && (unsigned char) (*p - '0') < 10; p++)
			if (exponent < 100000)
				exponent = exponent * 10 + (*p - '0');
		power += down ? -exponent : exponent;
	}
	if (p - text > MF_MAX_NUMBER_LENGTH)
		return NULL;

	/* Above 19 digits they may have overflowed. */
	if (seen > 19 || !scale_digits(digits, power, value))
		return parse_slowly(text, p - text, value) == MF_NUMBER_OK ? p : NULL;
	if (negative)
		*value = -*value;
	return p;
}

/*
 * Reads one decimal number, which must be all of the text: sign, digits with
 * a point in or around them, exponent.  No hexadecimal, no names.  What is
 * too small for a double is zero or denormal.
 */
MfNumberResult
mf_number_parse(const char *text, size_t length, double *value)
{
	const char *const end = text + length;

	if (length <= MF_MAX_NUMBER_LENGTH &&
		mf_number_read(text, end, value) == end)
		return MF_NUMBER_OK;
	return explain(text, length);
}
