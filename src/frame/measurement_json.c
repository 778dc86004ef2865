/*
 * measurement_json.c
 *		A measurement as JSON (RFC 8259).
 *
 * Written by hand: strings are printable ASCII, of which two characters are to
 * escape, and numbers must not depend on the locale nor lose a bit.
 */
#include "measurement.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where the text goes; `full` once something did not fit. */
typedef struct Writer
{
	char	   *out;
	size_t		size;
	size_t		length;
	bool		full;
} Writer;

static void put(Writer *w, const char *format,...)
			__attribute__((format(printf, 2, 3)));

static void
put(Writer *w, const char *format,...)
{
	va_list		args;
	int			wanted;

	if (w->full)
		return;
	va_start(args, format);
	wanted = vsnprintf(w->out + w->length, w->size - w->length, format, args);
	va_end(args);
	if (wanted < 0 || (size_t) wanted >= w->size - w->length)
		w->full = true;
	else
		w->length += (size_t) wanted;
}

/*
 * A number with the fewest digits, from `digits` on, that read back as the
 * same double, or float.  JSON has no NaN and no infinity: null.  Minus zero
 * is of no use to anybody: 0.
 */
static void
put_number(Writer *w, double value, int digits, bool narrow)
{
	const int	most = narrow ? FLT_DECIMAL_DIG : DBL_DECIMAL_DIG;
	char		text[64];
	char		plain[64];
	size_t		length = 0;

	if (!isfinite(value))
	{
		put(w, "null");
		return;
	}
	if (value == 0)
	{
		put(w, "0");
		return;
	}
	for (;; digits++)
	{
		snprintf(text, sizeof(text), "%.*g", digits, value);
		if (digits >= most || (narrow ? strtof(text, NULL) == (float) value :
							   strtod(text, NULL) == value))
			break;
	}

	/* Whatever the locale writes between the digits is the decimal point. */
	for (const char *p = text; *p != '\0'; p++)
	{
		if (strchr("0123456789+-e", *p) != NULL)
			plain[length++] = *p;
		else if (length > 0 && plain[length - 1] != '.')
			plain[length++] = '.';
	}
	plain[length] = '\0';
	put(w, "%s", plain);
}

/*
 * A normal double that has a decimal of 15 digits or fewer is found by the
 * first try, and 17 digits always do (IEEE 754-2008, 5.12.2); subnormal ones
 * hold fewer digits, so there we begin with one.
 */
static void
put_double(Writer *w, double value)
{
	put_number(w, value, fabs(value) < DBL_MIN ? 1 : DBL_DIG, false);
}

static void
put_point(Writer *w, const double *point)
{
	for (int axis = 0; axis < 3; axis++)
	{
		put(w, axis == 0 ? "[" : ",");
		put_double(w, point[axis]);
	}
	put(w, "]");
}

static void
put_key_point(Writer *w, const char *key, const double *point)
{
	put(w, ",\"%s\":", key);
	if (isfinite(point[0]) && isfinite(point[1]) && isfinite(point[2]))
		put_point(w, point);
	else
		put(w, "null");
}

static void
put_key_double(Writer *w, const char *key, double value)
{
	put(w, ",\"%s\":", key);
	put_double(w, value);
}

static void
put_key_count(Writer *w, const char *key, int64_t value)
{
	put(w, ",\"%s\":%" PRId64, key, value);
}

/* An array of numbers; null where the first one is not known. */
static void
put_key_doubles(Writer *w, const char *key, const double *values, int count)
{
	put(w, ",\"%s\":", key);
	if (!isfinite(values[0]))
	{
		put(w, "null");
		return;
	}
	for (int i = 0; i < count; i++)
	{
		put(w, i == 0 ? "[" : ",");
		put_double(w, values[i]);
	}
	put(w, "]");
}

/* A column of the layers. */
static void
put_key_layers(Writer *w, const char *key, const MfLayers *layers,
			   const float *values)
{
	put(w, ",\"%s\":", key);
	if (layers->count == 0)
	{
		put(w, "null");
		return;
	}
	for (int i = 0; i < layers->count; i++)
	{
		put(w, i == 0 ? "[" : ",");
		put_number(w, (double) values[i], 1, true);
	}
	put(w, "]");
}

static void
put_key_bool(Writer *w, const char *key, bool value)
{
	put(w, ",\"%s\":%s", key, value ? "true" : "false");
}

/* A text in quotes.  It may quote the file's own names. */
static void
put_text(Writer *w, const char *text)
{
	put(w, "\"");
	for (const char *p = text; *p != '\0'; p++)
		put(w, *p == '"' || *p == '\\' ? "\\%c" : "%c", *p);
	put(w, "\"");
}

static void
put_defects(Writer *w, const MfMeasurement *m, int count)
{
	put(w, ",\"defects\":[");
	for (int i = 0; i < count; i++)
	{
		const MfDefect *defect = &m->defects[i];
		char		text[MF_DEFECT_TEXT_MAX];

		put(w, "%s{\"code\":\"%s\",\"severity\":\"%s\",\"count\":%" PRId64,
			i > 0 ? "," : "", mf_defect_name(defect->code),
			mf_severity_name(defect->severity), defect->count);
		if (defect->located)
			put_key_point(w, "at", defect->at);
		else
			put(w, ",\"at\":null");
		put_key_bool(w, "repaired", defect->repaired);
		mf_measurement_describe_defect(m, defect, text);
		put(w, ",\"message\":");
		put_text(w, text);
		put(w, "}");
	}
	put(w, "]");
}

static void
put_repairs(Writer *w, const MfMeasurement *m, int count)
{
	const char *separator = "";

	put(w, ",\"repairs\":[");
	for (int i = 0; i < count; i++)
	{
		if (!m->defects[i].repaired)
			continue;
		put(w, "%s{\"code\":\"%s\",\"count\":%" PRId64 "}", separator,
			mf_defect_name(m->defects[i].code), m->defects[i].count);
		separator = ",";
	}
	put(w, "]");
}

/*
 * Writes the measurement as one JSON object; see the header.
 */
size_t
mf_measurement_to_json(const MfMeasurement *m, char *out, size_t size)
{
	static const double nowhere[3] = {NAN, NAN, NAN};
	Writer		w = {out, size, 0, size == 0};
	int			count = m->defect_count;

	if (count < 0)
		count = 0;
	if (count > MF_MAX_DEFECTS)
		count = MF_MAX_DEFECTS;

	put(&w, "{\"triangles\":%" PRId64 ",\"vertices\":%" PRId64,
		m->triangles, m->vertices);
	put_key_double(&w, "volume_mm3", m->volume_mm3);
	put_key_double(&w, "area_mm2", m->area_mm2);
	put_key_point(&w, "bbox_min", m->bbox_min);
	put_key_point(&w, "bbox_max", m->bbox_max);
	put(&w, ",\"bodies\":%" PRId64 ",\"cavities\":%" PRId64,
		m->bodies, m->cavities);
	put_key_bool(&w, "watertight", m->watertight);
	put_key_bool(&w, "consistent_winding", m->consistent_winding);
	put(&w, ",\"euler_number\":%" PRId64, m->euler_number);
	put_defects(&w, m, count);
	put_repairs(&w, m, count);
	put_key_double(&w, "trapped_volume_mm3", m->trapped_volume_mm3);
	put_key_double(&w, "overlap_volume_mm3", m->overlap_volume_mm3);
	put_key_count(&w, "holes", m->holes);
	put_key_double(&w, "min_wall_mm", m->min_wall_mm);
	put_key_point(&w, "min_wall_at", m->wall_samples > 0 ? m->min_wall_at :
				  nowhere);
	put_key_count(&w, "wall_samples", m->wall_samples);
	put_key_doubles(&w, "wall_mm", m->wall_mm, MF_WALL_SHARES);
	put_key_double(&w, "overhang_area_mm2", m->overhang_area_mm2);
	put_key_double(&w, "support_volume_mm3", m->support_volume_mm3);
	put_key_double(&w, "convex_hull_volume_mm3", m->convex_hull_volume_mm3);
	put_key_doubles(&w, "tight_box_mm", m->tight_box_mm, 3);
	put_key_point(&w, "centroid", m->centroid);
	put_key_layers(&w, "layer_area_mm2", &m->layers, m->layers.area);
	put_key_layers(&w, "layer_perimeter_mm", &m->layers, m->layers.perimeter);
	put_key_layers(&w, "layer_up_mm2", &m->layers, m->layers.up);
	put_key_layers(&w, "layer_down_mm2", &m->layers, m->layers.down);
	put_key_double(&w, "measured_in_ms", m->measured_in_ms);
	put(&w, ",\"engine_version\":%d", MF_ENGINE_VERSION);
	put(&w, ",\"format\":\"%s\",\"unit\":\"%s\",\"unit_from\":\"%s\"}",
		mf_format_name(m->format), mf_unit_name(m->unit),
		mf_unit_from_name(m->unit_from));
	return w.full ? 0 : w.length;
}
