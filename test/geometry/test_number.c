/*
 * test_number.c
 *		The number parser, against the C library's.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/geometry/mesh.h"
#include "shapes.h"
#include "tap.h"

/* Is this read as exactly the double that strtod gives? */
static bool
same_as_library(const char *text)
{
	const double wanted = strtod(text, NULL);
	double		value = NAN;
	const MfNumberResult result = mf_number_parse(text, strlen(text), &value);

	if (isinf(wanted) ? result == MF_NUMBER_NON_FINITE :
		result == MF_NUMBER_OK && memcmp(&value, &wanted, sizeof(value)) == 0)
		return true;
	printf("# \"%s\": %.17g (%d), wanted %.17g\n", text, value, result, wanted);
	return false;
}

static MfNumberResult
result_of(const char *text)
{
	double		value;

	return mf_number_parse(text, strlen(text), &value);
}

/* Doubles from random bits, printed with various numbers of digits. */
static void
test_random_bits(void)
{
	static const char *const formats[] = {
		"%.*e", "%.*g", "%.*E", "%+.*e"
	};
	uint64_t	state = 1;
	int			bad = 0;

	for (int i = 0; i < 200000; i++)
	{
		uint64_t	bits = next_random(&state);
		double		value;
		char		text[512];

		memcpy(&value, &bits, sizeof(value));
		if (!isfinite(value))
			continue;
		snprintf(text, sizeof(text), formats[i % 4], i / 4 % 20, value);
		bad += strlen(text) <= MF_MAX_NUMBER_LENGTH && !same_as_library(text);
	}
	ok(bad == 0, "200,000 doubles of random bits, 0 to 19 digits");
}

/* Numbers as they are in files: a few digits around the point. */
static void
test_usual_numbers(void)
{
	uint64_t	state = 2;
	int			bad = 0;

	for (int i = 0; i < 200000; i++)
	{
		const uint64_t bits = next_random(&state);
		const double value = ((double) (bits >> 11) / 4503599627370496.0 -
							  1) * pow(10, (double) (bits % 7));
		char		text[64];

		snprintf(text, sizeof(text), "%.*f", i % 18, value);
		bad += !same_as_library(text);
		snprintf(text, sizeof(text), "%.*e", i % 18, (double) (float) value);
		bad += !same_as_library(text);
	}
	ok(bad == 0, "400,000 numbers of the size of coordinates");
}

/* Integers times powers of ten: all three ways, and their borders. */
static void
test_borders(void)
{
	static const uint64_t digits[] = {
		0, 1, 9, 10, 9007199254740991, 9007199254740992, 9007199254740993,
		9007199254740994, 9999999999999999, 1000000000000000000,
		9999999999999999999u, 18446744073709551615u
	};
	int			bad = 0;

	for (size_t d = 0; d < sizeof(digits) / sizeof(digits[0]); d++)
		for (int power = -360; power <= 360; power++)
			for (int near_by = -2; near_by <= 2; near_by++)
			{
				char		text[64];

				snprintf(text, sizeof(text), "%llue%d",
						 (unsigned long long) digits[d] + near_by, power);
				bad += !same_as_library(text);
			}
	ok(bad == 0, "the borders of 53 and 64 bits, at all powers of ten");
}

/*
 * Middles between two doubles: rounding decides by the last bit, and one
 * digit more or less changes it.
 */
static void
test_middles(void)
{
	uint64_t	state = 3;
	int			bad = 0;

	for (int i = 0; i < 100000; i++)
	{
		const uint64_t random = next_random(&state) >> 11;
		const uint64_t mantissa = UINT64_C(1) << 53 | random;
		char		text[64];

		/* 54 bits, the last one set: exactly in the middle. */
		snprintf(text, sizeof(text), "%llu",
				 (unsigned long long) (mantissa | 1));
		bad += !same_as_library(text);
		snprintf(text, sizeof(text), "%llu.0000000000000001",
				 (unsigned long long) (mantissa | 1));
		bad += !same_as_library(text);
		snprintf(text, sizeof(text), "%llue-3",
				 (unsigned long long) (mantissa | 1) * 125);
		bad += !same_as_library(text);
	}
	ok(bad == 0, "300,000 numbers in or next to the middle of two doubles");
}

/* Where a number ends that has something behind it. */
static void
test_beginnings(void)
{
	static const struct
	{
		const char *text;
		int			length;		/* -1: no number */
		double		value;
	}			cases[] = {
		{"1.5\"", 3, 1.5}, {"-12345678.25 ", 12, -12345678.25},
		{"123456789012'", 12, 123456789012}, {"7", 1, 7}, {"0.5.5", 3, 0.5},
		{"1e5x", 3, 1e5}, {"1,5", 1, 1}, {"12345678,", 8, 12345678},
		{"1:2345678", 1, 1}, {"1/2345678", 1, 1}, {"12345678901234567890123,",
		23, 12345678901234567890123.0}, {"1\3722345678", 1, 1},
		{"\"1.5", -1, 0}, {"e5", -1, 0}, {"1e", -1, 0}, {"1e+\"", -1, 0},
		{"nan", -1, 0}, {"1e999", -1, 0}, {"-", -1, 0}, {" 1", -1, 0}
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		const char *text = cases[i].text;
		double		value = 0;
		const char *end = mf_number_read(text, text + strlen(text), &value);

		ok(cases[i].length < 0 ? end == NULL :
		   end == text + cases[i].length && value == cases[i].value,
		   "\"%s\" begins with %d bytes of a number", text, cases[i].length);
	}
}

int
main(void)
{
	static const char *const good[] = {
		"0", "-0", "+0", "1", "-1", "+1", ".5", "5.", "-.5", "+5.", "00012",
		"1e5", "1E5", "1e+5", "1e-5", "1.e2", ".1e1", "0e999", "-0.0e-999",
		"1e-999", "4.9e-324", "2.4703282292062328e-324", "2.2250738585072011e-308",
		"1.7976931348623157e308", "0.000000000000000000000000000000000000001",
		"123456789012345678901234567890", "1e22", "1e23", "8.988465674311581e307"
	};
	static const char *const malformed[] = {
		"", "-", "+", ".", "-.", "e5", "1e", "1e+", "1e-", "--1", "+-1", "1.2.3",
		"1e5.", "0x10", "0x1p3", "1f", "1d5", "1_000", "abc", "1e5e5", "1 ",
		"$1", "1'000"
	};
	static const char *const endless[] = {
		"nan", "NaN", "-nan", "NAN", "nan(1)", "inf", "-inf", "Infinity",
		"+INF", "1.#INF", "-1.#IND", "1.#QNAN", "1e999", "-1e309"
	};
	char		longest[MF_MAX_NUMBER_LENGTH + 2];

	test_random_bits();
	test_usual_numbers();
	test_borders();
	test_middles();
	test_beginnings();
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ok(same_as_library(good[i]), "\"%s\" is read", good[i]);
	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
		ok(result_of(malformed[i]) == MF_NUMBER_MALFORMED,
		   "\"%s\" is no number", malformed[i]);
	for (size_t i = 0; i < sizeof(endless) / sizeof(endless[0]); i++)
		ok(result_of(endless[i]) == MF_NUMBER_NON_FINITE,
		   "\"%s\" is not finite", endless[i]);
	ok(result_of("1,5") == MF_NUMBER_COMMA, "a decimal comma is named");

	memset(longest, '7', sizeof(longest));
	longest[MF_MAX_NUMBER_LENGTH] = '\0';
	ok(same_as_library(longest), "the longest number is read");
	longest[MF_MAX_NUMBER_LENGTH] = '7';
	longest[MF_MAX_NUMBER_LENGTH + 1] = '\0';
	ok(result_of(longest) == MF_NUMBER_MALFORMED, "a longer one is refused");
	return tap_done();
}
