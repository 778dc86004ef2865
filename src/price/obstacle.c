/*
 * obstacle.c
 *		Why a model cannot be made so, or why a person has to look at it.
 *
 * The table in docs/pricing.md, "What blocks what", is this file in words.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "json.h"
#include "price.h"
#include "utils/array.h"
#include "utils/builtins.h"

#define AXES	3

/* Decimals of a length in mm, as it is shown, and so as it is judged. */
#define LENGTH_DIGITS	3

static bool
is_set(const MfRow *row, const char *column)
{
	Datum		value;

	return mf_row_find(row, column, &value) && DatumGetBool(value);
}

/* Is this text an element of a column of type text[]? */
static bool
names(const MfRow *row, const char *column, const char *wanted)
{
	Datum		value;
	Datum	   *element;
	bool	   *is_null;
	int			count;

	if (!mf_row_find(row, column, &value))
		return false;
	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false,
					  TYPALIGN_INT, &element, &is_null, &count);
	for (int i = 0; i < count; i++)
		if (!is_null[i] && strcmp(TextDatumGetCString(element[i]), wanted) == 0)
			return true;
	return false;
}

static int
by_size(const void *a, const void *b)
{
	const double x = *(const double *) a;
	const double y = *(const double *) b;

	return (x > y) - (x < y);
}

/*
 * A length to the micrometre.  A file holds 0.7 mm as the binary fraction next
 * to it, and may stand far from its origin: a wall is not too thin, nor a box
 * too large, by what nobody drew.
 */
static double
length(double mm)
{
	return rint(mm * 1000) / 1000;
}

/*
 * Shortest edge against shortest, and so on: turned by right angles until it
 * fits.
 */
static bool
fits(const double size[AXES], const double room[AXES])
{
	double		part[AXES];
	double		machine[AXES];

	memcpy(part, size, sizeof(part));
	memcpy(machine, room, sizeof(machine));
	qsort(part, AXES, sizeof(double), by_size);
	qsort(machine, AXES, sizeof(double), by_size);
	for (int i = 0; i < AXES; i++)
		if (length(part[i]) > length(machine[i]))
			return false;
	return true;
}

/*
 * Does the scaled model fit: by its box in the file's axes, or by the smallest
 * one that stands on an axis, turned about it, where that was measured?
 */
static bool
fits_somehow(const MfPriceRequest *request, const double size[AXES],
			 const double room[AXES])
{
	double		tight[AXES];

	if (fits(size, room))
		return true;
	if (!mf_row_place(&request->outcome, "tight_box_mm", tight))
		return false;
	for (int i = 0; i < AXES; i++)
		tight[i] *= request->scale;
	return fits(tight, room);
}

/* A length for people: without the zeros at its end. */
static char *
length_text(double mm)
{
	return mf_decimal_text(mf_decimal_quantise(mm, LENGTH_DIGITS));
}

static char *
size_text(const double size[AXES])
{
	return psprintf("%s x %s x %s", length_text(size[0]), length_text(size[1]),
					length_text(size[2]));
}

/* Refuses what cannot be made; true where it did. */
bool
mf_obstacle_find(const MfPriceRequest *request, MfPrice *price)
{
	const MfRow *outcome = &request->outcome;
	const char *material = mf_row_text(&request->material, "name");
	const char *process = mf_row_text(&request->process, "name");
	const char *code = mf_row_text(outcome, "error_code");
	double		low[AXES];
	double		high[AXES];
	double		room[AXES];
	double		size[AXES] = {0};
	double		wall;
	double		least;

	if (code != NULL)
	{
		mf_price_refuse(price, strcmp(code, "unsupported") == 0 ? "review" : "failed",
						code, "%s", mf_row_text(outcome, "error"));
		return true;
	}
	if (!is_set(&request->material, "active") || !is_set(&request->process, "active"))
	{
		mf_price_refuse(price, "failed", "inactive", "%s is not offered at present.",
						is_set(&request->material, "active") ? process : material);
		return true;
	}
	if (!names(&request->process, "materials", mf_row_text(&request->material, "code")))
	{
		mf_price_refuse(price, "failed", "material_not_for_process",
						"%s cannot be made in %s.", process, material);
		return true;
	}
	if (isnan(mf_row_double(outcome, "volume_mm3")))
	{
		mf_price_refuse(price, "failed", "not_watertight", is_set(outcome, "watertight") ?
						"The model encloses no volume that could be priced." :
						"The surface of the model has holes, so it has no volume that could be priced.");
		return true;
	}
	if (mf_row_place(outcome, "bbox_min", low) && mf_row_place(outcome, "bbox_max", high))
		for (int i = 0; i < AXES; i++)
			size[i] = (high[i] - low[i]) * request->scale;
	if (mf_row_place(&request->process, "max_size_mm", room) &&
		!fits_somehow(request, size, room))
	{
		mf_price_refuse(price, "failed", "does_not_fit",
						"The model measures %s mm; %s takes up to %s mm.",
						size_text(size), process, size_text(room));
		return true;
	}
	wall = mf_row_double(outcome, "min_wall_mm") * request->scale;
	least = mf_row_double(&request->process, "min_wall_mm");
	if (length(wall) < length(least))	/* false where one is not known */
	{
		mf_price_refuse(price, "failed", "wall_too_thin",
						"The thinnest wall is %s mm; %s needs %s mm.",
						length_text(wall), process, length_text(least));
		return true;
	}
	return false;
}

/* The first defect of severity error that the process does not tolerate. */
static JsonbContainer *
blocking_defect(const MfPriceRequest *request)
{
	Datum		value;
	Jsonb	   *defects;
	JsonbIterator *iterator;
	JsonbValue	element;

	if (!mf_row_find(&request->outcome, "defects", &value))
		return NULL;
	defects = DatumGetJsonbP(value);
	if (!JB_ROOT_IS_ARRAY(defects))
		return NULL;
	iterator = JsonbIteratorInit(&defects->root);
	(void) JsonbIteratorNext(&iterator, &element, true);
	while (JsonbIteratorNext(&iterator, &element, true) == WJB_ELEM)
	{
		JsonbContainer *defect = element.val.binary.data;
		char	   *severity;
		char	   *code;

		if (element.type != jbvBinary)
			continue;
		severity = mf_json_text(defect, "severity");
		code = mf_json_text(defect, "code");
		if (severity != NULL && strcmp(severity, "error") == 0 && code != NULL &&
			!names(&request->process, "tolerates", code))
			return defect;
	}
	return NULL;
}

/* Leaves the price to a person, where one has to look; true where so. */
bool
mf_obstacle_review(const MfPriceRequest *request, Numeric total, MfPrice *price)
{
	JsonbContainer *defect;
	char	   *message;
	Datum		limit;

	if (mf_row_find(&request->process, "review_above", &limit) &&
		mf_decimal_compare(total, DatumGetNumeric(limit)) > 0)
	{
		mf_price_refuse(price, "review", "over_review_limit",
						"Totals above %s %s are looked at by a person.",
						mf_decimal_text(DatumGetNumeric(limit)),
						mf_row_text(&request->list, "currency"));
		return true;
	}
	defect = blocking_defect(request);
	if (defect == NULL)
		return false;
	message = mf_json_text(defect, "message");
	mf_price_refuse(price, "review", mf_json_text(defect, "code"), "%s",
					message == NULL ? "" : message);
	return true;
}
