/*
 * printing.c
 *		What printing a piece takes: the settings of processes.printer and the
 *		options infill, layer_height and wall_mm, applied to the layers of the
 *		model (machine/print.c).
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "json.h"
#include "mb/pg_wchar.h"
#include "mesflow.h"
#include "printing.h"
#include "utils/array.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(mesflow_printer_fault);

#define VOLUME_DIGITS	4		/* cm3 */
#define MINUTE_DIGITS	2
#define METRE_DIGITS	1

/* What a process says nothing of. */
#define SHELL_MM		0.8
#define WALL_MM			1.2

/* More loops than any wall has. */
#define MOST_LOOPS		10000

/* Keys of processes.printer that are no member of MfPrintSettings. */
typedef struct Extras
{
	double		shell_mm;		/* of solid layers, above and below */
	double		time_factor;	/* real time to estimated time */
} Extras;

typedef struct Key
{
	const char *name;
	double		least;
	double		most;
	bool		extra;			/* of Extras */
	size_t		offset;
} Key;

#define SETTING(name, member, least, most) \
	{name, least, most, false, offsetof(MfPrintSettings, member)}
#define EXTRA(name, least, most) {#name, least, most, true, offsetof(Extras, name)}

static const Key keys[] = {
	SETTING("line_width", line_width, 0.01, 100),
	EXTRA(shell_mm, 0, 1000),
	SETTING("solid_below_mm2", solid_below, 0, 1000000),
	SETTING("outer_speed", outer_speed, 0.1, 10000),
	SETTING("wall_speed", wall_speed, 0.1, 10000),
	SETTING("infill_speed", infill_speed, 0.1, 10000),
	SETTING("solid_speed", solid_speed, 0.1, 10000),
	SETTING("top_speed", top_speed, 0.1, 10000),
	SETTING("bridge_speed", bridge_speed, 0.1, 10000),
	SETTING("first_layer_speed", first_layer_speed, 0.1, 10000),
	SETTING("min_speed", min_speed, 0.1, 10000),
	SETTING("corner_speed", corner_speed, 0.01, 1000),
	SETTING("acceleration", acceleration, 1, 1000000),
	SETTING("min_layer_time", min_layer_time, 0, 3600),
	SETTING("layer_pause", layer_pause, 0, 3600),
	SETTING("wall_slowness", wall_slowness, 0.1, 10),
	SETTING("infill_anchors", infill_anchors, 0, 1),
	SETTING("inside_overlap", inside_overlap, 0, 1),
	EXTRA(time_factor, 0.01, 100)
};

static const Key *
find_key(const char *name, int length)
{
	for (size_t i = 0; i < lengthof(keys); i++)
		if (strlen(keys[i].name) == (size_t) length &&
			memcmp(keys[i].name, name, length) == 0)
			return &keys[i];
	return NULL;
}

/* Takes what a printer says over what is usual. */
static void
read_printer(Jsonb *printer, MfPrintSettings *settings, Extras *extras)
{
	mf_print_defaults(settings);
	extras->shell_mm = SHELL_MM;
	extras->time_factor = 1;
	for (size_t i = 0; i < lengthof(keys); i++)
	{
		char	   *base = keys[i].extra ? (char *) extras : (char *) settings;
		JsonbValue	value;

		if (mf_json_find(&printer->root, keys[i].name, jbvNumeric, &value))
			*(double *) (base + keys[i].offset) = mf_decimal_double(value.val.numeric);
	}
}

/*
 * _printer_fault(printer jsonb): what is wrong with a value of
 * processes.printer, NULL where nothing is.
 */
PGDLLEXPORT Datum
mesflow_printer_fault(PG_FUNCTION_ARGS)
{
	Jsonb	   *printer = PG_GETARG_JSONB_P(0);
	JsonbIterator *iterator;
	JsonbValue	name;
	JsonbValue	value;

	if (!JB_ROOT_IS_OBJECT(printer))
		PG_RETURN_TEXT_P(cstring_to_text("is not an object"));
	iterator = JsonbIteratorInit(&printer->root);
	(void) JsonbIteratorNext(&iterator, &name, true);
	while (JsonbIteratorNext(&iterator, &name, true) == WJB_KEY)
	{
		const Key  *key = find_key(name.val.string.val, name.val.string.len);
		double		number;

		(void) JsonbIteratorNext(&iterator, &value, true);
		if (key == NULL)
			PG_RETURN_TEXT_P(cstring_to_text(psprintf("has an unknown key \"%s\"",
													  pnstrdup(name.val.string.val,
															   pg_mbcliplen(name.val.string.val, name.val.string.len, 100)))));
		number = value.type == jbvNumeric ? mf_decimal_double(value.val.numeric) : NAN;
		if (!(number >= key->least && number <= key->most))
			PG_RETURN_TEXT_P(cstring_to_text(psprintf("has a %s that is no number from %s to %s", key->name,
													  mf_decimal_text(mf_decimal_quantise(key->least, 2)),
													  mf_decimal_text(mf_decimal_quantise(key->most, 2)))));
	}
	PG_RETURN_NULL();
}

/* ---- the layers of the model ---- */

/* A column of the layers; false where it was not measured. */
static bool
read_layers(const MfRow *row, const char *column, float values[MF_LAYERS])
{
	Datum		value;
	ArrayType  *array;

	if (!mf_row_find(row, column, &value))
		return false;
	array = DatumGetArrayTypeP(value);
	if (ARR_NDIM(array) != 1 || ARR_DIMS(array)[0] != MF_LAYERS ||
		ARR_HASNULL(array) || ARR_ELEMTYPE(array) != FLOAT4OID)
		return false;
	memcpy(values, (char *) array + ARR_OVERHEAD_NONULLS(1), MF_LAYERS * sizeof(float));
	return true;
}

/* Makes the model larger by a factor. */
static void
enlarge(MfLayers *layers, double larger)
{
	for (int i = 0; i < MF_LAYERS; i++)
	{
		layers->area[i] = (float) (layers->area[i] * larger * larger);
		layers->perimeter[i] = (float) (layers->perimeter[i] * larger);
		layers->up[i] = (float) (layers->up[i] * larger * larger);
		layers->down[i] = (float) (layers->down[i] * larger * larger);
	}
}

/*
 * The layers of a piece, larger than measured by a factor, and its height in
 * mm; where they were not measured those of a prism, and then false.
 */
static bool
find_layers(const MfFormula *f, double larger, MfLayers *layers, double *height)
{
	double		low[3];
	double		high[3];

	if (!mf_row_place(&f->measurement, "bbox_min", low) ||
		!mf_row_place(&f->measurement, "bbox_max", high))
		elog(ERROR, "a measurement has no bounding box");
	*height = high[2] - low[2];
	layers->count = MF_LAYERS;
	if (read_layers(&f->measurement, "layer_area_mm2", layers->area) &&
		read_layers(&f->measurement, "layer_perimeter_mm", layers->perimeter) &&
		read_layers(&f->measurement, "layer_up_mm2", layers->up) &&
		read_layers(&f->measurement, "layer_down_mm2", layers->down))
	{
		if (larger != 1)
			enlarge(layers, larger);
		*height *= larger;
		return true;
	}
	*height *= larger;
	mf_print_prism(mf_row_double(&f->measurement, "volume_mm3") * larger * larger * larger,
				   mf_row_double(&f->measurement, "area_mm2") * larger * larger,
				   *height, layers);
	return false;
}

/* ---- what it takes ---- */

static Numeric
cm3(double mm3)
{
	return mf_decimal_quantise(mm3 / 1000, VOLUME_DIGITS);
}

static Numeric
minutes(double seconds)
{
	return mf_decimal_quantise(seconds / 60, MINUTE_DIGITS);
}

/* Adds minutes, and what they are for, to a sum of such. */
static void
add_minutes(MfPrinting *printing, Numeric more, const char *what)
{
	char	   *text = psprintf("%s min %s", mf_decimal_text(more), what);

	if (mf_decimal_sign(more) == 0)
		return;
	printing->minutes = mf_decimal_add(printing->minutes, more);
	printing->minutes_text = printing->minutes_text == NULL ? text :
				psprintf("%s + %s", printing->minutes_text, text);
}

static void
add_part(MfPrinting *printing, const MfPrintPart *part, const char *what)
{
	const Numeric volume = cm3(part->volume);
	const double seconds = part->seconds * printing->time_factor;

	add_minutes(printing, minutes(seconds),
				psprintf("for %s m of %s",
						 mf_decimal_text(mf_decimal_quantise(part->length / 1000, METRE_DIGITS)),
						 what));
	if (mf_decimal_sign(volume) == 0)
		return;
	printing->made = mf_decimal_add(printing->made, volume);
	printing->made_text = psprintf("%s%s%s cm3 %s",
								   printing->made_text == NULL ? "" : printing->made_text,
								   printing->made_text == NULL ? "" : " + ",
								   mf_decimal_text(volume), what);
}

/* An option that is a number, or something else. */
static double
option_or(const MfFormula *f, const char *option, double otherwise)
{
	Numeric		value;

	return mf_formula_number(f, option, &value) ? mf_decimal_double(value) : otherwise;
}

/* What the options of the quote set; solid without the option infill. */
static void
set_options(const MfFormula *f, const Extras *extras, MfPrintSettings *settings)
{
	double		loops;
	double		shells;

	settings->infill = option_or(f, "infill", 1);
	settings->layer_height = option_or(f, "layer_height", settings->layer_height);
	loops = rint(option_or(f, "wall_mm", WALL_MM) / settings->line_width);
	settings->perimeters = (int) Min(loops, MOST_LOOPS);

	/* As many layers as the shell takes; a little more than one is one. */
	shells = ceil(extras->shell_mm / settings->layer_height - 1e-6);
	settings->top_layers = (int) Min(shells, PG_INT32_MAX / 2);
	settings->bottom_layers = settings->top_layers;
}

/*
 * Estimates the print of a piece, larger than measured by a factor.  False
 * where the process has no printer.
 */
bool
mf_printing_find(const MfFormula *f, double larger, MfPrinting *printing)
{
	Datum		printer;
	Extras		extras;
	MfLayers	layers;
	MfPrint		print;
	double		height;
	bool		measured;

	if (!mf_row_find(&f->process, "printer", &printer))
		return false;
	memset(printing, 0, sizeof(*printing));
	read_printer(DatumGetJsonbP(printer), &printing->settings, &extras);
	set_options(f, &extras, &printing->settings);
	printing->time_factor = extras.time_factor;
	measured = find_layers(f, larger, &layers, &height);

	/* What is flat, or next to it, takes no lines. */
	memset(&print, 0, sizeof(print));
	if (layers.count > 0 && height > 0 &&
		!mf_print_estimate(&layers, height, &printing->settings, &print))
		ereport(ERROR,
				(errcode(MF_ERRCODE_BAD_ARGUMENT),
				 errmsg("nothing can be said of the print of this model"),
				 errdetail("It is %g mm high, in layers of %g mm.", height,
						   printing->settings.layer_height),
				 errhint("Check the option layer_height and processes.printer.")));

	printing->made = mf_decimal_int(0);
	printing->minutes = mf_decimal_int(0);
	add_part(printing, &print.walls, "walls");
	add_part(printing, &print.solid, "solid layers");
	add_part(printing, &print.infill, "infill");
	add_minutes(printing, minutes((print.pause_seconds + print.cooling_seconds) *
								  printing->time_factor),
				psprintf("between and cooling " INT64_FORMAT " layers", print.layers));
	printing->made_text = printing->made_text == NULL ? "0 cm3" :
		psprintf("(%s%s)", printing->made_text,
				 measured ? "" : ", of a prism: layers not measured");
	if (printing->minutes_text == NULL)
		printing->minutes_text = "0 min";
	return true;
}

/* Supports of this volume in cm3, printed at the speed of infill. */
void
mf_printing_add_support(MfPrinting *printing, Numeric volume)
{
	const MfPrintSettings *s = &printing->settings;
	const double section = s->layer_height *
	mf_print_spacing(s->line_width, s->layer_height);

	add_minutes(printing, minutes(mf_decimal_double(volume) * 1000 / section /
								  s->infill_speed * printing->time_factor),
				"for supports");
}
