/*
 * decimal.c
 *		Arithmetic with PostgreSQL's numeric, as formulas read.
 */
#include "postgres.h"

#include "decimal.h"
#include "fmgr.h"
#include "utils/builtins.h"

static Numeric
binary(PGFunction function, Numeric a, Numeric b)
{
	return DatumGetNumeric(DirectFunctionCall2(function, NumericGetDatum(a),
											   NumericGetDatum(b)));
}

Numeric
mf_decimal_int(int64 value)
{
	return int64_to_numeric(value);
}

/* A constant of a formula. */
Numeric
mf_decimal_parse(const char *text)
{
	return DatumGetNumeric(DirectFunctionCall3(numeric_in,
											   CStringGetDatum(text),
											   ObjectIdGetDatum(InvalidOid),
											   Int32GetDatum(-1)));
}

/*
 * A measured value with so many decimals.  This happens once, before any
 * arithmetic, so that a measurement has one price whatever follows.
 */
Numeric
mf_decimal_quantise(double value, int digits)
{
	Datum		exact = DirectFunctionCall1(float8_numeric,
											Float8GetDatum(value));

	return mf_decimal_round(DatumGetNumeric(exact), digits);
}

Numeric
mf_decimal_add(Numeric a, Numeric b)
{
	return binary(numeric_add, a, b);
}

Numeric
mf_decimal_sub(Numeric a, Numeric b)
{
	return binary(numeric_sub, a, b);
}

Numeric
mf_decimal_mul(Numeric a, Numeric b)
{
	return binary(numeric_mul, a, b);
}

Numeric
mf_decimal_div(Numeric a, Numeric b)
{
	return binary(numeric_div, a, b);
}

/* Half away from zero. */
Numeric
mf_decimal_round(Numeric a, int digits)
{
	return DatumGetNumeric(DirectFunctionCall2(numeric_round,
											   NumericGetDatum(a),
											   Int32GetDatum(digits)));
}

/* Without zeros at the end. */
Numeric
mf_decimal_trim(Numeric a)
{
	return DatumGetNumeric(DirectFunctionCall1(numeric_trim_scale,
											   NumericGetDatum(a)));
}

/* Below, at or above 0 as a is below, equal to or above b. */
int
mf_decimal_compare(Numeric a, Numeric b)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(a),
											 NumericGetDatum(b)));
}

int
mf_decimal_sign(Numeric a)
{
	return mf_decimal_compare(a, mf_decimal_int(0));
}

/* Without zeros at the end, for people. */
char *
mf_decimal_text(Numeric a)
{
	return DatumGetCString(DirectFunctionCall1(numeric_out,
											   NumericGetDatum(mf_decimal_trim(a))));
}

double
mf_decimal_double(Numeric a)
{
	return DatumGetFloat8(DirectFunctionCall1(numeric_float8,
											  NumericGetDatum(a)));
}
