/*
 * formula.h
 *		What the built-in pricing functions share: their arguments, opened, and
 *		the lines that several of them have.
 */
#ifndef MF_FORMULA_H
#define MF_FORMULA_H

#include "fmgr.h"
#include "lines.h"
#include "row.h"

/* Arguments of a pricing function: see mesflow.price_additive. */
typedef struct MfFormula
{
	MfRow		measurement;
	MfRow		material;
	MfRow		process;
	int			quantity;
	Numeric		pieces;			/* the same, as a factor */
	const char *pieces_text;	/* "7 pieces" */
	Jsonb	   *options;
	MfRates		rates;
	MfLines		lines;

	/* Facts, rounded once: see docs/pricing.md. */
	Numeric		volume;			/* cm3, 4 decimals */
	Numeric		area;			/* cm2, 4 decimals */
	Numeric		density;		/* g/cm3 */
} MfFormula;

extern void mf_formula_open(MfFormula *f, FunctionCallInfo fcinfo);
extern Datum mf_formula_close(MfFormula *f);

extern bool mf_formula_number(const MfFormula *f, const char *option, Numeric *value);
extern char *mf_formula_choice(const MfFormula *f, const char *option);
extern bool mf_formula_is_set(const MfFormula *f, const char *option);
extern Numeric mf_formula_side(const MfFormula *f, int axis);
extern Numeric mf_formula_times_pieces(const MfFormula *f, Numeric each);

struct MfPrinting;
extern void mf_formula_add_machine(MfFormula *f, Numeric made, const char *made_text,
								   bool needed);
extern void mf_formula_add_printing(MfFormula *f, const struct MfPrinting *printing);
extern void mf_formula_add_finishing(MfFormula *f);
extern void mf_formula_add_extras(MfFormula *f);
extern void mf_formula_add_overheads(MfFormula *f);

#endif							/* MF_FORMULA_H */
