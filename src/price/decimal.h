/*
 * decimal.h
 *		Arithmetic with PostgreSQL's numeric, as formulas read.
 *
 * Results are allocated in the current memory context.  Errors are those of
 * the SQL operators.
 */
#ifndef MF_DECIMAL_H
#define MF_DECIMAL_H

#include "postgres.h"

#include "utils/numeric.h"

extern Numeric mf_decimal_int(int64 value);
extern Numeric mf_decimal_parse(const char *text);
extern Numeric mf_decimal_quantise(double value, int digits);
extern Numeric mf_decimal_add(Numeric a, Numeric b);
extern Numeric mf_decimal_sub(Numeric a, Numeric b);
extern Numeric mf_decimal_mul(Numeric a, Numeric b);
extern Numeric mf_decimal_div(Numeric a, Numeric b);
extern Numeric mf_decimal_round(Numeric a, int digits);
extern Numeric mf_decimal_trim(Numeric a);
extern int	mf_decimal_compare(Numeric a, Numeric b);
extern int	mf_decimal_sign(Numeric a);
extern char *mf_decimal_text(Numeric a);
extern double mf_decimal_double(Numeric a);

#endif							/* MF_DECIMAL_H */
