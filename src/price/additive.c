/*
 * additive.c
 *		The built-in price of printed parts (FDM, SLA, SLS).
 *
 * Deposited volume: walls and infill apart, min(A x w, V) + max(V - A x w, 0)
 * x f, with area A, wall w and infill f, and supports beside them, as in
 * 3YOURMIND's published FDM material script (pricing scripts wiki,
 * PD/87884232).  Where the process has a printer, volume and time are those
 * of its lines, layer by layer (printing.c).
 */
#include "postgres.h"

#include <math.h>

#include "formula.h"
#include "printing.h"

/* What is printed solid around the infill, where the process says nothing. */
#define DEFAULT_WALL_MM "1.2"

PG_FUNCTION_INFO_V1(mesflow_price_additive);

/* Volume of plastic in one piece, cm3, and how it comes about. */
static Numeric
deposited(const MfFormula *f, const char **why)
{
	Numeric		infill;
	Numeric		wall;
	Numeric		walls;
	Numeric		inside;

	if (!mf_formula_number(f, "infill", &infill) ||
		mf_decimal_compare(infill, mf_decimal_int(1)) == 0)
	{
		*why = psprintf("%s cm3", mf_decimal_text(f->volume));
		return f->volume;
	}
	if (!mf_formula_number(f, "wall_mm", &wall))
		wall = mf_decimal_parse(DEFAULT_WALL_MM);
	walls = mf_decimal_div(mf_decimal_mul(f->area, wall), mf_decimal_int(10));
	if (mf_decimal_compare(walls, f->volume) > 0)
		walls = f->volume;
	walls = mf_decimal_round(walls, 4);
	inside = mf_decimal_sub(f->volume, walls);
	*why = psprintf("(%s cm3 walls + %s cm3 x %s infill)", mf_decimal_text(walls),
					mf_decimal_text(inside), mf_decimal_text(infill));
	return mf_decimal_add(walls, mf_decimal_round(mf_decimal_mul(inside, infill), 4));
}

/*
 * Supports, where there is a rate for them: their measured volume, or a share
 * of the part where it was not measured, printed at a density of its own.
 * Adds what is deposited to *made, and its time to the printing (NULL: there
 * is no printer).
 */
static void
add_support(MfFormula *f, Numeric *made, const char **made_text, MfPrinting *printing)
{
	double		measured = mf_row_double(&f->measurement, "support_volume_mm3");
	Numeric		rate;
	Numeric		volume;
	Numeric		infill;
	char	   *why;

	if (!mf_rates_find(&f->rates, "support", &rate))
		return;
	if (isfinite(measured))
	{
		volume = mf_decimal_quantise(measured / 1000, 4);
		why = psprintf("%s cm3 measured", mf_decimal_text(volume));
	}
	else
	{
		Numeric		share = mf_rates_share(&f->rates, "support_share");

		volume = mf_decimal_round(mf_decimal_mul(*made, share), 4);
		why = psprintf("%s cm3 x %s, not measured", mf_decimal_text(*made),
					   mf_decimal_text(share));
	}
	if (mf_rates_find(&f->rates, "support_infill", &infill))
	{
		volume = mf_decimal_round(mf_decimal_mul(volume, infill), 4);
		why = psprintf("%s x %s infill", why, mf_decimal_text(infill));
	}
	if (mf_decimal_sign(volume) == 0)
		return;
	mf_lines_add_rate(&f->lines, &f->rates, "support", MF_PER_PIECE,
					  mf_formula_times_pieces(f, mf_decimal_mul(volume, f->density)),
					  "g", "support", "%s x %s g/cm3 x %s", why,
					  mf_decimal_text(f->density), f->pieces_text);
	*made_text = psprintf("(%s + %s cm3 support)", *made_text, mf_decimal_text(volume));
	*made = mf_decimal_add(*made, volume);
	if (printing != NULL)
		mf_printing_add_support(printing, volume);
}

/*
 * price_additive(measurement measurements, material materials, process
 * processes, quantity integer, options jsonb, rates jsonb): breakdown lines.
 */
PGDLLEXPORT Datum
mesflow_price_additive(PG_FUNCTION_ARGS)
{
	MfFormula	f;
	Numeric		made;
	const char *made_text;
	MfPrinting	printing;
	bool		is_printed;

	mf_formula_open(&f, fcinfo);
	is_printed = mf_printing_find(&f, 1, &printing);
	made = is_printed ? printing.made : deposited(&f, &made_text);
	if (is_printed)
		made_text = printing.made_text;
	mf_lines_add_rate(&f.lines, &f.rates, "material", MF_PER_PIECE,
					  mf_formula_times_pieces(&f, mf_decimal_mul(made, f.density)),
					  "g", "material", "%s x %s g/cm3 x %s", made_text,
					  mf_decimal_text(f.density), f.pieces_text);
	add_support(&f, &made, &made_text, is_printed ? &printing : NULL);
	if (is_printed)
		mf_formula_add_printing(&f, &printing);
	else
		mf_formula_add_machine(&f, made, made_text, true);
	mf_formula_add_finishing(&f);
	mf_formula_add_extras(&f);
	mf_formula_add_overheads(&f);
	PG_RETURN_DATUM(mf_formula_close(&f));
}
