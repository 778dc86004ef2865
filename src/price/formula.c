/*
 * formula.c
 *		What the built-in pricing functions share.
 *
 * All quantities are rounded to four decimals before they meet a rate, so
 * that a line can be recomputed from what it shows.  No higher rate lowers a
 * price: whatever a rate means, it is a factor or a term, never a divisor.
 */
#include "postgres.h"

#include <math.h>

#include "formula.h"
#include "json.h"
#include "mb/pg_wchar.h"
#include "mesflow.h"
#include "printing.h"
#include "utils/builtins.h"

#define FACT_DIGITS		4
#define QUANTITY_DIGITS 4

/* A measured value in the unit of its rates. */
static Numeric
fact(const MfFormula *f, const char *column, double per_unit)
{
	double		value = mf_row_double(&f->measurement, column);

	if (!isfinite(value))
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("the measurement has no %s", column),
				 errdetail("It is NULL, so nothing can be priced by it."),
				 errhint("Price only models whose surface is closed.")));
	return mf_decimal_quantise(value / per_unit, FACT_DIGITS);
}

/*
 * Opens the arguments of a pricing function: measurement measurements,
 * material materials, process processes, quantity integer, options jsonb,
 * rates jsonb.
 */
void
mf_formula_open(MfFormula *f, FunctionCallInfo fcinfo)
{
	Datum		density;

	mf_row_open(&f->measurement, PG_GETARG_HEAPTUPLEHEADER(0));
	mf_row_open(&f->material, PG_GETARG_HEAPTUPLEHEADER(1));
	mf_row_open(&f->process, PG_GETARG_HEAPTUPLEHEADER(2));
	f->quantity = PG_GETARG_INT32(3);
	f->pieces = mf_decimal_int(f->quantity);
	f->pieces_text = f->quantity == 1 ? "1 piece" :
		psprintf("%d pieces", f->quantity);
	f->options = PG_GETARG_JSONB_P(4);
	mf_rates_open(&f->rates, PG_GETARG_JSONB_P(5));
	mf_lines_open(&f->lines, f->rates.digits);
	f->volume = fact(f, "volume_mm3", 1000);
	f->area = fact(f, "area_mm2", 100);
	if (!mf_row_find(&f->material, "density_g_cm3", &density))
		elog(ERROR, "a material has no density");
	f->density = DatumGetNumeric(density);
}

/* The lines, as the pricing function's result. */
Datum
mf_formula_close(MfFormula *f)
{
	mf_row_close(&f->measurement);
	mf_row_close(&f->material);
	mf_row_close(&f->process);
	return JsonbPGetDatum(mf_lines_to_jsonb(&f->lines));
}

/* An option that is a number; false where it was not given. */
bool
mf_formula_number(const MfFormula *f, const char *option, Numeric *value)
{
	JsonbValue	found;

	if (!mf_json_find(&f->options->root, option, jbvNumeric, &found))
		return false;
	*value = found.val.numeric;
	return true;
}

/* An option that is a text; NULL where it is not given, empty or "none". */
char *
mf_formula_choice(const MfFormula *f, const char *option)
{
	char	   *text = mf_json_text(&f->options->root, option);

	return text == NULL || text[0] == '\0' || strcmp(text, "none") == 0 ? NULL : text;
}

/* Is this option true? */
bool
mf_formula_is_set(const MfFormula *f, const char *option)
{
	JsonbValue	found;

	return mf_json_find(&f->options->root, option, jbvBool, &found) &&
		found.val.boolean;
}

/* An edge of the bounding box in mm: 0 is x, 1 is y, 2 is z. */
Numeric
mf_formula_side(const MfFormula *f, int axis)
{
	double		low[3];
	double		high[3];

	if (!mf_row_place(&f->measurement, "bbox_min", low) ||
		!mf_row_place(&f->measurement, "bbox_max", high))
		elog(ERROR, "a measurement has no bounding box");
	return mf_decimal_quantise(high[axis] - low[axis], FACT_DIGITS);
}

/* What all pieces take, from what one takes. */
Numeric
mf_formula_times_pieces(const MfFormula *f, Numeric each)
{
	return mf_decimal_mul(mf_decimal_round(each, QUANTITY_DIGITS), f->pieces);
}

/* ---- lines that several functions have ---- */

/*
 * Layers of the part as it lies in the file: its height over the layer
 * height, rounded up (Phasio's and aPriori's resin formulas).
 */
static Numeric
count_layers(const MfFormula *f)
{
	Numeric		height;
	Numeric		layers;

	if (!mf_formula_number(f, "layer_height", &height) ||
		mf_decimal_sign(height) <= 0)
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("rate \"layer_time\" needs the option layer_height"),
				 errdetail("The process declares none, or it has no default."),
				 errhint("Declare layer_height in processes.options, with a default and a min above 0.")));
	layers = mf_decimal_div(mf_formula_side(f, 2), height);
	return DatumGetNumeric(DirectFunctionCall1(numeric_ceil,
											   NumericGetDatum(layers)));
}

/*
 * Machine time: minutes per cm3 made, per cm2 of surface and seconds per
 * layer, each where its rate is there.  Time by volume and by surface is
 * 3YOURMIND's (pricing scripts wiki, PD/87884232: time = A x 1e-5 h/mm2;
 * their FDM regression has a term of V and one of A); time by layers is
 * aPriori's and DigiFabster's (height over growth rate).
 */
void
mf_formula_add_machine(MfFormula *f, Numeric made, const char *made_text,
					   bool needed)
{
	static const char *const rates[] = {"volume_time", "area_time", "layer_time"};
	Numeric		minutes = mf_decimal_int(0);
	Numeric		value;
	char	   *why = NULL;

	for (int i = 0; i < (int) lengthof(rates); i++)
	{
		Numeric		amount;
		char	   *text;

		if (!mf_rates_find(&f->rates, rates[i], &value))
			continue;
		switch (i)
		{
			case 0:
				amount = mf_decimal_mul(made, value);
				text = psprintf("%s x %s min", made_text, mf_decimal_text(value));

				break;
			case 1:
				amount = mf_decimal_mul(f->area, value);
				text = psprintf("%s cm2 x %s min", mf_decimal_text(f->area),
								mf_decimal_text(value));

				break;
			default:
				amount = count_layers(f);
				text = psprintf("%s layers x %s s / 60", mf_decimal_text(amount),
								mf_decimal_text(value));

				amount = mf_decimal_div(mf_decimal_mul(amount, value),
										mf_decimal_int(60));
		}
		minutes = mf_decimal_add(minutes, amount);
		why = why == NULL ? text : psprintf("%s + %s", why, text);
	}
	if (why == NULL)
	{
		if (needed)
			(void) mf_rates_need(&f->rates, "volume_time");
		return;
	}
	mf_lines_add_rate(&f->lines, &f->rates, "machine", MF_PER_PIECE,
					  mf_formula_times_pieces(f, mf_decimal_div(minutes, mf_decimal_int(60))),
					  "h", "machine_hour", "(%s) / 60 min x %s", why,
					  f->pieces_text);
}

/* Machine time of a print that is known line by line. */
void
mf_formula_add_printing(MfFormula *f, const MfPrinting *printing)
{
	mf_lines_add_rate(&f->lines, &f->rates, "machine", MF_PER_PIECE,
					  mf_formula_times_pieces(f, mf_decimal_div(printing->minutes,
																mf_decimal_int(60))),
					  "h", "machine_hour", "(%s) / 60 min x %s",
					  printing->minutes_text, f->pieces_text);
}

/*
 * Treating the surface: by area (3YOURMIND: polishing A x 4e-4; plating goes
 * by area, not by volume: Fabbaloo 2010) and per piece.  For "polished" the
 * rates are finish_polished and finish_polished_piece; one of them is needed.
 */
static void
add_surface(MfFormula *f, const char *line, const char *prefix, const char *choice)
{
	char	   *by_area = psprintf("%s_%s", prefix, choice);
	char	   *by_piece = psprintf("%s_%s_piece", prefix, choice);
	Numeric		ignored;
	bool		has_piece = mf_rates_find(&f->rates, by_piece, &ignored);

	if (!has_piece || mf_rates_find(&f->rates, by_area, &ignored))
		mf_lines_add_rate(&f->lines, &f->rates, line, MF_PER_PIECE,
						  mf_formula_times_pieces(f, f->area), "cm2", by_area,
						  "%s: %s cm2 surface x %s", choice,
						  mf_decimal_text(f->area), f->pieces_text);
	if (has_piece)
		mf_lines_add_rate(&f->lines, &f->rates, line, MF_PER_PIECE, f->pieces,
						  "", by_piece, "%s: handling of %s", choice,
						  f->pieces_text);
}

void
mf_formula_add_finishing(MfFormula *f)
{
	char	   *finish = mf_formula_choice(f, "finish");
	char	   *plating = mf_formula_choice(f, "plating");

	if (finish != NULL)
		add_surface(f, "finishing", "finish", finish);
	if (plating != NULL)
		add_surface(f, "plating", "plating", plating);
}

/* Engraving, by the character. */
void
mf_formula_add_extras(MfFormula *f)
{
	char	   *engraving = mf_json_text(&f->options->root, "engraving");
	int			characters;

	if (engraving == NULL || engraving[0] == '\0')
		return;
	characters = pg_mbstrlen(engraving);
	mf_lines_add_rate(&f->lines, &f->rates, "engraving", MF_PER_PIECE,
					  mf_decimal_mul(mf_decimal_int(characters), f->pieces),
					  "", "engraving", "%d characters x %s", characters,
					  f->pieces_text);
}

/* A share of all lines so far, where its rate is there. */
static void
add_share(MfFormula *f, const char *rate, const char *why)
{
	Numeric		share;

	if (!mf_rates_find(&f->rates, rate, &share))
		return;
	mf_lines_add_rate(&f->lines, &f->rates, rate, MF_PER_BATCH, f->lines.sum,
					  "", rate, "%s %% of the lines above %s",
					  mf_decimal_text(mf_decimal_mul(share, mf_decimal_int(100))),
					  why);
}

/*
 * What is left: labour, set-up per piece and per batch (DigiFabster's
 * start-up fee, help article 8880380: once per batch, not per copy), risk and
 * margin, as open calculators have them: x (1 + failure) x (1 + margin).
 */
void
mf_formula_add_overheads(MfFormula *f)
{
	Numeric		minutes;
	Numeric		sixty = mf_decimal_int(60);

	if (mf_rates_find(&f->rates, "labour_piece", &minutes))
		mf_lines_add_rate(&f->lines, &f->rates, "labour", MF_PER_PIECE,
						  mf_formula_times_pieces(f, mf_decimal_div(minutes, sixty)),
						  "h", "labour_hour", "%s min / 60 min x %s",
						  mf_decimal_text(minutes), f->pieces_text);
	if (mf_rates_find(&f->rates, "labour_batch", &minutes))
		mf_lines_add_rate(&f->lines, &f->rates, "labour", MF_PER_BATCH,
						  mf_decimal_round(mf_decimal_div(minutes, sixty), QUANTITY_DIGITS),
						  "h", "labour_hour", "%s min / 60 min for the batch",
						  mf_decimal_text(minutes));
	if (mf_rates_find(&f->rates, "setup_piece", &minutes))
		mf_lines_add_rate(&f->lines, &f->rates, "setup", MF_PER_PIECE, f->pieces,
						  "", "setup_piece", "preparing %s", f->pieces_text);
	mf_lines_add_rate(&f->lines, &f->rates, "setup", MF_PER_BATCH,
					  mf_decimal_int(1), "", "setup", "preparing one batch");
	add_share(f, "failure", "for what fails");
	add_share(f, "margin", "as margin");
}
