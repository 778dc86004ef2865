/*
 * casting.c
 *		The built-in price of lost-wax castings.
 *
 * The model is printed in wax or resin, larger by what the metal shrinks,
 * set on a sprue, invested in a flask with others, and cast.  Two weights
 * follow (Romanoff's casting guide; Rio Grande's practice): the metal charged
 * is that of the piece and what is lost in melting, filing and polishing; the
 * metal cast is that of the piece and its sprue, most of which comes back.
 * Densities are those of the workshop's own alloys: tables differ by 3 to 5 %.
 */
#include "postgres.h"

#include "formula.h"
#include "printing.h"

PG_FUNCTION_INFO_V1(mesflow_price_casting);

static Numeric
one_plus(Numeric share)
{
	return mf_decimal_add(mf_decimal_int(1), share);
}

/*
 * The metal: volume x density x (1 + loss), by the gram of alloy, or of fine
 * metal where the material names one: spot price per troy ounce / 31.1034768
 * is the price of a gram of fine metal (Kauselmann's alloy calculation).
 */
static void
add_metal(MfFormula *f)
{
	Numeric		loss = one_plus(mf_rates_share(&f->rates, "loss"));
	Numeric		charged = mf_decimal_mul(mf_decimal_mul(f->volume, f->density), loss);
	char	   *why = psprintf("%s cm3 x %s g/cm3 x %s loss", mf_decimal_text(f->volume),
							   mf_decimal_text(f->density), mf_decimal_text(loss));
	char	   *metal = mf_row_text(&f->material, "metal");
	Numeric		alloying;
	Datum		fineness;

	if (metal != NULL && mf_row_find(&f->material, "fineness", &fineness))
		mf_lines_add_rate(&f->lines, &f->rates, "material", MF_PER_PIECE,
						  mf_formula_times_pieces(f, mf_decimal_mul(charged, DatumGetNumeric(fineness))),
						  "g", psprintf("fine_%s", metal), "%s x %s fine x %s", why,
						  mf_decimal_text(DatumGetNumeric(fineness)), f->pieces_text);
	else
		mf_lines_add_rate(&f->lines, &f->rates, "material", MF_PER_PIECE,
						  mf_formula_times_pieces(f, charged), "g", "material",
						  "%s x %s", why, f->pieces_text);
	if (mf_rates_find(&f->rates, "alloying", &alloying))
		mf_lines_add_rate(&f->lines, &f->rates, "alloying", MF_PER_PIECE,
						  mf_formula_times_pieces(f, charged), "g", "alloying",
						  "%s x %s", why, f->pieces_text);
}

/* The pattern: a print in wax or resin, larger by the shrinkage in each axis. */
static void
add_pattern(MfFormula *f, Numeric longer, Numeric growth)
{
	MfPrinting	printing;
	Numeric		volume = mf_decimal_round(mf_decimal_mul(f->volume, growth), 4);
	char	   *text = psprintf("%s cm3", mf_decimal_text(volume));

	mf_lines_add_rate(&f->lines, &f->rates, "pattern", MF_PER_PIECE,
					  mf_formula_times_pieces(f, volume), "cm3", "wax",
					  "%s cm3 x %s shrinkage x %s", mf_decimal_text(f->volume),
					  mf_decimal_text(growth), f->pieces_text);
	if (mf_printing_find(f, mf_decimal_double(longer), &printing))
		mf_formula_add_printing(f, &printing);
	else
		mf_formula_add_machine(f, volume, text, false);
}

/* Its share of a flask: the box it stands in. */
static void
add_flask(MfFormula *f, Numeric growth)
{
	Numeric		sides[3];
	Numeric		box;

	for (int i = 0; i < 3; i++)
		sides[i] = mf_formula_side(f, i);
	box = mf_decimal_mul(mf_decimal_mul(sides[0], sides[1]), sides[2]);
	box = mf_decimal_div(mf_decimal_mul(box, growth), mf_decimal_int(1000));
	mf_lines_add_rate(&f->lines, &f->rates, "flask", MF_PER_PIECE,
					  mf_formula_times_pieces(f, box), "cm3", "flask",
					  "%s x %s x %s mm / 1000 x %s shrinkage x %s",
					  mf_decimal_text(sides[0]), mf_decimal_text(sides[1]),
					  mf_decimal_text(sides[2]), mf_decimal_text(growth),
					  f->pieces_text);
}

/* Melting and pouring the piece and its sprue; refining what comes back. */
static void
add_casting(MfFormula *f)
{
	Numeric		weight = mf_decimal_mul(f->volume, f->density);
	Numeric		sprue = mf_rates_share(&f->rates, "sprue");
	Numeric		ignored;
	char	   *why = psprintf("%s cm3 x %s g/cm3", mf_decimal_text(f->volume),
							   mf_decimal_text(f->density));

	mf_lines_add_rate(&f->lines, &f->rates, "casting", MF_PER_PIECE,
					  mf_formula_times_pieces(f, mf_decimal_mul(weight, one_plus(sprue))),
					  "g", "casting", "%s x %s with sprue x %s", why,
					  mf_decimal_text(one_plus(sprue)), f->pieces_text);
	if (mf_rates_find(&f->rates, "casting_piece", &ignored))
		mf_lines_add_rate(&f->lines, &f->rates, "casting", MF_PER_PIECE, f->pieces,
						  "", "casting_piece", "pouring %s", f->pieces_text);
	if (mf_rates_find(&f->rates, "refining", &ignored))
		mf_lines_add_rate(&f->lines, &f->rates, "refining", MF_PER_PIECE,
						  mf_formula_times_pieces(f, mf_decimal_mul(weight, sprue)),
						  "g", "refining", "%s x %s sprue x %s", why,
						  mf_decimal_text(sprue), f->pieces_text);
}

/* Stones, set by the piece, and bought where their kind is given. */
static void
add_stones(MfFormula *f)
{
	Numeric		count;
	char	   *kind = mf_formula_choice(f, "stone");

	if (!mf_formula_number(f, "stones", &count) || mf_decimal_sign(count) <= 0)
		return;
	mf_lines_add_rate(&f->lines, &f->rates, "setting", MF_PER_PIECE,
					  mf_formula_times_pieces(f, count), "", "setting",
					  "%s stones x %s", mf_decimal_text(count), f->pieces_text);
	if (kind != NULL)
		mf_lines_add_rate(&f->lines, &f->rates, "stones", MF_PER_PIECE,
						  mf_formula_times_pieces(f, count), "",
						  psprintf("stone_%s", kind), "%s: %s stones x %s", kind,
						  mf_decimal_text(count), f->pieces_text);
}

/*
 * price_casting(measurement measurements, material materials, process
 * processes, quantity integer, options jsonb, rates jsonb): breakdown lines.
 */
PGDLLEXPORT Datum
mesflow_price_casting(PG_FUNCTION_ARGS)
{
	MfFormula	f;
	Numeric		longer;
	Numeric		growth;

	mf_formula_open(&f, fcinfo);
	longer = one_plus(mf_rates_share(&f.rates, "shrinkage"));
	growth = mf_decimal_round(mf_decimal_mul(mf_decimal_mul(longer, longer), longer), 4);
	add_metal(&f);
	add_pattern(&f, longer, growth);
	add_flask(&f, growth);
	add_casting(&f);
	mf_formula_add_finishing(&f);
	add_stones(&f);
	if (mf_formula_is_set(&f, "hallmark"))
		mf_lines_add_rate(&f.lines, &f.rates, "hallmark", MF_PER_PIECE, f.pieces, "",
						  "hallmark", "marking %s", f.pieces_text);
	mf_formula_add_extras(&f);
	mf_formula_add_overheads(&f);
	PG_RETURN_DATUM(mf_formula_close(&f));
}
