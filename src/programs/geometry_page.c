/*
 * geometry_page.c
 *		A measurement as a page for a person in the workshop.
 *
 * Titles stand in the first column, what is known in the second; what is not
 * known says so and is not left out.
 */
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "geometry_page.h"
#include "machine/print.h"

/* So wide is what mf_page_progress writes over. */
#define PROGRESS_WIDTH	40

/* Overhangs below this, in mm2, are the rounding of a vertical wall. */
#define NO_OVERHANG		0.005

static const char *const stage_words[] = {
	[MF_STAGE_STARTING] = "starting",
	[MF_STAGE_READING] = "reading the file",
	[MF_STAGE_WELDING] = "joining corners",
	[MF_STAGE_TOPOLOGY] = "checking the surface",
	[MF_STAGE_MEASURING] = "measuring",
	[MF_STAGE_WALLS] = "probing walls",
	[MF_STAGE_PICTURE] = "drawing",
	[MF_STAGE_DONE] = "done"
};

static double
now_in_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

/* Shows how far the work is; see geometry_page.h. */
void
mf_page_progress(void *arg, MfStage stage, int percent)
{
	MfShown    *shown = arg;
	char		line[PROGRESS_WIDTH + 1];

	if (percent == shown->percent && stage == shown->stage)
		return;
	if (shown->started == 0)
		shown->started = now_in_s();
	shown->percent = percent;
	shown->stage = stage;
	snprintf(line, sizeof(line), "%3d %%  %-20s %6.1f s", percent,
			 stage_words[stage], now_in_s() - shown->started);
	fprintf(stderr, "\r%-*s", PROGRESS_WIDTH, line);
	fflush(stderr);
}

/* Wipes the progress away before the page is printed. */
void
mf_page_progress_end(const MfShown *shown)
{
	if (shown->percent < 0)
		return;
	fprintf(stderr, "\r%*s\r", PROGRESS_WIDTH, "");
	fflush(stderr);
}

/* One line: a title, and what printf makes of the rest. */
static void
			line(const char *title, const char *format,...)
			__attribute__((format(printf, 2, 3)));

static void
line(const char *title, const char *format,...)
{
	va_list		arguments;

	printf("  %-16s", title);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

/* A number with a unit, or that it is not known. */
static void
amount(const char *title, double value, double per, const char *unit)
{
	if (isnan(value))
		line(title, "not known");
	else
		line(title, "%.6g %s", value / per, unit);
}

static void
section(const char *title)
{
	printf("\n%s\n", title);
}

static void
print_size(const MfMeasurement *m)
{
	section("Size");
	line("Box", "%.3f x %.3f x %.3f mm", m->bbox_max[0] - m->bbox_min[0],
		 m->bbox_max[1] - m->bbox_min[1], m->bbox_max[2] - m->bbox_min[2]);
	if (isnan(m->tight_box_mm[0]))
		line("Fits into", "not known");
	else
		line("Fits into", "%.3f x %.3f mm, %.3f mm high, once turned",
			 m->tight_box_mm[0], m->tight_box_mm[1], m->tight_box_mm[2]);
	amount("Surface area", m->area_mm2, 100, "cm2");
	if (isnan(m->centroid[0]))
		line("Centre of mass", "not known");
	else
		line("Centre of mass", "%.3f, %.3f, %.3f mm", m->centroid[0],
			 m->centroid[1], m->centroid[2]);
}

static void
print_material(const MfMeasurement *m)
{
	section("Material");
	amount("Volume", m->volume_mm3, 1000, "cm3");
	amount("Wrapped", m->convex_hull_volume_mm3, 1000,
		   "cm3, with every hollow filled");
	line("Bodies", "%lld", (long long) m->bodies);
	if (m->cavities == 0)
		line("Cavities", "none");
	else if (isnan(m->trapped_volume_mm3))
		line("Cavities", "%lld closed, their volume is not known",
			 (long long) m->cavities);
	else
		line("Cavities", "%lld closed, trap %.6g cm3 of powder or resin",
			 (long long) m->cavities, m->trapped_volume_mm3 / 1000);
	if (m->overlap_volume_mm3 > 0)
		amount("Counted twice", m->overlap_volume_mm3, 1000,
			   "cm3, where bodies overlap");
}

static void
print_walls(const MfMeasurement *m)
{
	section("Walls");
	if (isnan(m->min_wall_mm))
	{
		line("Thinnest", "not known");
		return;
	}
	line("Thinnest", "%.3f mm, at %.3f, %.3f, %.3f mm", m->min_wall_mm,
		 m->min_wall_at[0], m->min_wall_at[1], m->min_wall_at[2]);
	for (int i = 0; i < MF_WALL_SHARES; i++)
	{
		char		title[32];

		if (!(mf_wall_shares[i] > 0 && mf_wall_shares[i] < 1))
			continue;
		snprintf(title, sizeof(title), "%.0f %% below",
				 100 * mf_wall_shares[i]);
		line(title, "%.3f mm", m->wall_mm[i]);
	}
	line("Sampled", "at %lld place%s", (long long) m->wall_samples,
		 m->wall_samples == 1 ? "" : "s");
}

/* The highest of a column of layers, or NaN where there are none. */
static double
highest(const MfLayers *layers, const float *column)
{
	double		high = layers->count > 0 ? 0 : NAN;

	for (int i = 0; i < layers->count; i++)
		if ((double) column[i] > high)
			high = (double) column[i];
	return high;
}

/* What a usual filament printer makes of it, without supports. */
static void
print_filament(const MfMeasurement *m, double high)
{
	MfPrintSettings settings;
	MfPrint		print;
	long long	minutes;

	mf_print_defaults(&settings);
	if (!mf_print_estimate(&m->layers, high, &settings, &print))
	{
		line("In filament", "not known");
		return;
	}
	minutes = (long long) (print.seconds / 60 + 0.5);
	line("In filament", "about %lld h %02lld min and %.2f cm3, with %.0f %% infill",
		 minutes / 60, minutes % 60, print.volume / 1000, settings.infill * 100);
}

static void
print_supports(const MfMeasurement *m)
{
	const double high = m->bbox_max[2] - m->bbox_min[2];

	section("Printing, as it stands");
	line("Height", "%.3f mm: %.0f layers of 0.2 mm", high, ceil(high / 0.2));
	amount("Largest layer", highest(&m->layers, m->layers.area), 100, "cm2");
	amount("Longest outline", highest(&m->layers, m->layers.perimeter), 10,
		   "cm");
	if (m->overhang_area_mm2 < NO_OVERHANG)
		line("Overhangs", "none");
	else
		amount("Overhangs", m->overhang_area_mm2, 100,
			   "cm2 face down, steeper than 45 degrees");
	amount("Supports", m->support_volume_mm3, 1000, "cm3 to fill below");
	print_filament(m, high);
}

static void
print_surface(const MfMeasurement *m)
{
	section("Surface");
	line("Closed", "%s", m->watertight ? "yes" : "no: not every edge joins two triangles");
	line("Turned alike", "%s", m->consistent_winding ? "yes" :
		 "no: some triangles show their other side");
	if (m->holes > 0)
		line("Holes", "%lld", (long long) m->holes);
	line("Triangles", "%lld, with %lld corners", (long long) m->triangles,
		 (long long) m->vertices);
	line("Euler number", "%lld", (long long) m->euler_number);
	if (m->extensions[0] != '\0')
		line("Not read", "%s", m->extensions);
}

static void
print_defect(const MfMeasurement *m, const MfDefect *d)
{
	static const char *const severity_titles[] = {
		[MF_SEVERITY_INFO] = "Note",
		[MF_SEVERITY_WARNING] = "Warning",
		[MF_SEVERITY_ERROR] = "Error"
	};
	char		text[MF_DEFECT_TEXT_MAX];

	mf_measurement_describe_defect(m, d, text);
	line(severity_titles[d->severity], "%s", text);
	printf("  %16s%s: %lld%s", "", mf_defect_name(d->code),
		   (long long) d->count, d->repaired ? ", repaired" : "");
	if (d->located)
		printf(", first at %.3f, %.3f, %.3f mm", d->at[0], d->at[1],
			   d->at[2]);
	printf("\n");
}

/* What a person has to know at the end. */
static const char *
verdict(const MfMeasurement *m)
{
	MfSeverity	worst = MF_SEVERITY_INFO;

	for (int i = 0; i < m->defect_count; i++)
		if (m->defects[i].severity > worst)
			worst = m->defects[i].severity;
	if (isnan(m->volume_mm3))
		return "no price without a look by a person: the surface does not "
			"enclose a volume";
	if (worst == MF_SEVERITY_ERROR)
		return "no price without a look by a person";
	if (worst == MF_SEVERITY_WARNING)
		return "can be priced; please read the warnings";
	return "can be priced";
}

/* The name of the file: a stranger chose it. */
static void
print_name(const char *file)
{
	char	   *name = strdup(file);

	printf("%s\n\n", name == NULL ? "" : mf_make_plain(name));
	free(name);
}

/* Prints a measurement; see geometry_page.h. */
void
mf_page_print(const char *file, const MfMeasurement *m, const MfSection *cut)
{
	static const char *const unit_notes[] = {
		[MF_UNIT_FROM_DEFAULT] = "assumed: the file does not say",
		[MF_UNIT_FROM_FILE] = "as the file says",
		[MF_UNIT_FROM_CALLER] = "as you said"
	};
	char		format[16];

	print_name(file);
	snprintf(format, sizeof(format), "%s", mf_format_name(m->format));
	for (char *c = format; *c != '\0'; c++)
		*c = (char) toupper((unsigned char) *c);
	line("Format", "%s", format);
	line("Unit", "%s (%s)", mf_unit_name(m->unit), unit_notes[m->unit_from]);
	line("Measured", "in %.1f ms", m->measured_in_ms);
	print_size(m);
	print_material(m);
	print_walls(m);
	print_supports(m);
	print_surface(m);
	if (cut != NULL)
	{
		section("Section");
		line("At a height of", "%g mm", cut->z);
		if (isnan(cut->area))
			line("Area", "not known");
		else
			line("Area", "%.6g mm2, outline %.6g mm", cut->area,
				 cut->perimeter);
	}
	section("Defects");
	if (m->defect_count == 0)
		line("None", "found");
	for (int i = 0; i < m->defect_count; i++)
		print_defect(m, &m->defects[i]);
	printf("\nVerdict: %s.\n", verdict(m));
}

/* Prints a refusal; see geometry_page.h. */
void
mf_page_refusal(const char *file, const MfRefusal *refusal)
{
	print_name(file);
	line("Refused", "%s", mf_error_code_name(refusal->code));
	printf("  %16s%s\n", "", refusal->text);
}
