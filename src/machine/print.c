/*
 * print.c
 *		Print time and material from the layers of a model.
 *
 * Each printed layer is a cross section of area A and outline P.  Loops and
 * the inside follow from insetting it (inset.h); what faces up or down within
 * the solid layers' thickness is printed solid, the rest as infill; lines
 * take their length over their speed, and the time to speed up and slow down.
 * An infill line is as long as the region's mean chord, pi A / P (Cauchy; see
 * Santalo, Integral Geometry and Geometric Probability, I.4.3).  A line's
 * cross section is a rectangle with round ends (PrusaSlicer's and Slic3r's
 * documented flow model), so that lines lie closer than their width.
 *
 * Four settings stand for what a cross section does not say: layer_pause,
 * wall_slowness, infill_anchors, inside_overlap.  Their defaults were fitted
 * to the prints that prusa-slicer 2.5.0 makes of the shared models;
 * test/bench/print_time.sh shows how well they do, fits them again, and says
 * how well they do on models that they were not fitted to.
 */
#include "print.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "inset.h"

/* How sharply small insides turn solid, where they are several. */
#define SOLID_SHARPNESS 3		/* 2^3 = 8th power */

/* The model's layers cut anew, as they are printed. */
typedef struct Steps
{
	int			count;
	double		layers;			/* printed layers in a step */
	double		thickness;		/* of a step, mm */
	double		area[MF_PRINT_MAX_STEPS];
	double		perimeter[MF_PRINT_MAX_STEPS];

	/*
	 * Up to the lower edge of each step: what faces up and down, level faces
	 * and slopes apart.
	 */
	double		flat_up[MF_PRINT_MAX_STEPS + 1];
	double		slope_up[MF_PRINT_MAX_STEPS + 1];
	double		flat_down[MF_PRINT_MAX_STEPS + 1];
	double		slope_down[MF_PRINT_MAX_STEPS + 1];
} Steps;

/* Lines of one kind in one layer. */
typedef struct Layer
{
	double		outer;			/* mm of lines */
	double		inner;
	double		solid;
	double		top;			/* of solid: the uppermost ones */
	double		bridge;			/* of solid: over nothing */
	double		infill;
	double		chord;			/* mm, of a line inside */
} Layer;

/*
 * Not fmin and fmax: there is no NaN here, and they are called thousands of
 * times for a price.
 */
static inline double
lesser(double a, double b)
{
	return a < b ? a : b;
}

static inline double
greater(double a, double b)
{
	return a > b ? a : b;
}

void
mf_print_defaults(MfPrintSettings *s)
{
	memset(s, 0, sizeof(*s));
	s->layer_height = 0.2;
	s->line_width = 0.45;
	s->perimeters = 2;
	s->infill = 0.15;
	s->top_layers = 4;
	s->bottom_layers = 4;
	s->solid_below = 70;
	s->outer_speed = 30;
	s->wall_speed = 45;
	s->infill_speed = 80;
	s->solid_speed = 80;
	s->top_speed = 40;
	s->bridge_speed = 30;
	s->first_layer_speed = 20;
	s->acceleration = 1000;
	s->corner_speed = 8;
	s->min_layer_time = 10;
	s->min_speed = 15;
	s->layer_pause = 0.45;
	s->wall_slowness = 1.4;
	s->infill_anchors = 0.09;
	s->inside_overlap = 0.25;
}

static bool
is_positive(double value)
{
	return isfinite(value) && value > 0;
}

static bool
is_amount(double value)
{
	return isfinite(value) && value >= 0;
}

static bool
are_settings(const MfPrintSettings *s)
{
	return is_positive(s->layer_height) && is_positive(s->line_width) &&
		s->perimeters >= 0 && s->infill >= 0 && s->infill <= 1 &&
		s->top_layers >= 0 && s->bottom_layers >= 0 &&
		is_amount(s->solid_below) &&
		is_positive(s->outer_speed) && is_positive(s->wall_speed) &&
		is_positive(s->infill_speed) && is_positive(s->solid_speed) &&
		is_positive(s->top_speed) && is_positive(s->bridge_speed) &&
		is_positive(s->first_layer_speed) &&
		is_positive(s->acceleration) && is_positive(s->corner_speed) &&
		is_amount(s->min_layer_time) && is_positive(s->min_speed) &&
		is_amount(s->layer_pause) && is_positive(s->wall_slowness) &&
		is_amount(s->infill_anchors) && is_amount(s->inside_overlap);
}

double
mf_print_spacing(double width, double height)
{
	/* Round ends take (1 - pi / 4) h; a line wider than high has room. */
	return greater(width - height * (1 - M_PI / 4), width / 2);
}

/* ---- layers as printed ---- */

/* A running sum of `count` values at a place between 0 and `count`. */
static double
sum_until(const double *sums, int count, double place)
{
	int			whole;

	if (!(place > 0))
		return 0;
	if (place >= count)
		return sums[count];
	whole = (int) place;
	return sums[whole] + (place - whole) * (sums[whole + 1] - sums[whole]);
}

/* Running sums of a column. */
static void
add_up(const float *column, double sums[MF_LAYERS + 1])
{
	sums[0] = 0;
	for (int i = 0; i < MF_LAYERS; i++)
		sums[i + 1] = sums[i] + column[i];
}

/*
 * The same of its level faces, and of its slopes: what the layers on both
 * sides have as well is a slope's.
 */
static void
add_up_apart(const float *column, double flats[MF_LAYERS + 1],
			 double slopes[MF_LAYERS + 1])
{
	flats[0] = 0;
	slopes[0] = 0;
	for (int i = 0; i < MF_LAYERS; i++)
	{
		const double own = column[i];
		double		slope = 0;

		if (i > 0 && i < MF_LAYERS - 1)
			slope = lesser(lesser(own, column[i - 1]), column[i + 1]);
		flats[i + 1] = flats[i] + (own - slope);
		slopes[i + 1] = slopes[i] + slope;
	}
}

/* Cuts sums over the model's layers at the edges of the steps. */
static void
cut(const double sums[MF_LAYERS + 1], int count, double *edges)
{
	for (int i = 0; i <= count; i++)
		edges[i] = sum_until(sums, MF_LAYERS, (double) i * MF_LAYERS / count);
}

/* Averages of a column over the steps. */
static void
average(const float *column, int count, double *averages)
{
	double		sums[MF_LAYERS + 1];
	double		edges[MF_PRINT_MAX_STEPS + 1];

	add_up(column, sums);
	cut(sums, count, edges);
	for (int i = 0; i < count; i++)
		averages[i] = (edges[i + 1] - edges[i]) * count / MF_LAYERS;
}

static void
cut_into_steps(const MfLayers *layers, double height, double printed, Steps *steps)
{
	double		flats[MF_LAYERS + 1];
	double		slopes[MF_LAYERS + 1];

	steps->count = printed < MF_PRINT_MAX_STEPS ? (int) printed : MF_PRINT_MAX_STEPS;
	steps->layers = printed / steps->count;
	steps->thickness = height / steps->count;
	average(layers->area, steps->count, steps->area);
	average(layers->perimeter, steps->count, steps->perimeter);
	add_up_apart(layers->up, flats, slopes);
	cut(flats, steps->count, steps->flat_up);
	cut(slopes, steps->count, steps->slope_up);
	add_up_apart(layers->down, flats, slopes);
	cut(flats, steps->count, steps->flat_down);
	cut(slopes, steps->count, steps->slope_down);
}

/* What faces up, or down, from one place to another, counted in steps. */
static double
facing(const Steps *steps, const double *sums, double from, double to)
{
	return sum_until(sums, steps->count, to) - sum_until(sums, steps->count, from);
}

/* ---- lines of a layer ---- */

/*
 * The share of the inside that is printed solid: under what faces up and over
 * what faces down.  Of level faces, walls cover their share; slopes show
 * beyond the walls, which stand on them.  Small insides are solid.
 */
static double
share_solid(const Steps *steps, int step, const MfPrintSettings *s,
			double area, double inside, double region, double compact)
{
	const double deep = 1 / steps->layers;	/* steps in a layer */
	const double top = step + s->top_layers * deep;
	const double bottom = step + 1 - s->bottom_layers * deep;
	double		solid;
	double		ratio;

	solid = (facing(steps, steps->flat_up, step, top) +
			 facing(steps, steps->flat_down, bottom, step + 1)) * inside / area +
		facing(steps, steps->slope_up, step, top) +
		facing(steps, steps->slope_down, bottom, step + 1);
	solid = lesser(1, solid / inside);

	/* Several insides: how many is not known, and so how large each is. */
	ratio = region * sqrt(compact) / greater(s->solid_below, 1e-9);
	if (compact >= 1)
		return ratio < 1 ? 1 : solid;
	for (int i = 0; i < SOLID_SHARPNESS; i++)
		ratio *= ratio;
	return solid + (1 - solid) / (1 + ratio);
}

/* Lines over a region, at this distance from each other. */
static void
lay_inside(const Steps *steps, int step, const MfPrintSettings *s,
		   const MfInset *inset, double area, double spacing, Layer *layer)
{
	const double region = inset->area +
	s->inside_overlap * s->line_width * inset->perimeter;
	const double solid = share_solid(steps, step, s, area, inset->area, region,
									 inset->compact);
	const double share = s->infill * (1 + s->infill_anchors * (1 - s->infill));
	const double inside = inset->area / area;

	layer->solid = solid * region / spacing;
	layer->infill = (1 - solid) * share * region / spacing;
	layer->chord = greater(spacing, M_PI * inset->area / inset->perimeter);
	layer->top = lesser(layer->solid, facing(steps, steps->flat_up, step, step + 1) /
						steps->layers * inside / spacing);
	if (step > 0)
		layer->bridge = lesser(layer->solid - layer->top,
							   facing(steps, steps->flat_down, step, step + 1) /
							   steps->layers * inside / spacing);
}

/* The lines of one printed layer; false where it is empty. */
static bool
lay_lines(const Steps *steps, int step, const MfPrintSettings *s, Layer *layer)
{
	const double area = steps->area[step];
	const double spacing = mf_print_spacing(s->line_width, s->layer_height);
	MfInset		inset;
	double		room;

	memset(layer, 0, sizeof(*layer));
	if (!mf_inset_start(area, steps->perimeter[step], &inset))
		return false;

	/* Loops, while there is room for them: in thin places walls meet. */
	if (s->perimeters > 0)
		mf_inset_to(&inset, s->line_width + (s->perimeters - 1) * spacing);
	room = (area - inset.area) / spacing;
	for (int loop = 0; loop < s->perimeters && room > 0; loop++)
	{
		const double length = lesser(room, mf_inset_loop(&inset, s->line_width / 2 +
														 loop * spacing));

		if (length <= 0)
			break;
		*(loop == 0 ? &layer->outer : &layer->inner) += length;
		room -= length;
	}
	if (inset.area > 0)
		lay_inside(steps, step, s, &inset, area, spacing, layer);
	return true;
}

/* ---- time ---- */

/*
 * Seconds for `length` mm of lines, each `chord` long, that begin and end at
 * the corner speed (a trapezoid of speed, or a triangle of a short line).
 */
static double
time_lines(double length, double chord, double speed, const MfPrintSettings *s)
{
	const double corner = lesser(s->corner_speed, speed);
	const double run_up = (speed * speed - corner * corner) / s->acceleration;
	double		one;

	if (length <= 0)
		return 0;
	if (chord >= run_up)
		one = chord / speed + (speed - corner) * (speed - corner) /
			(speed * s->acceleration);
	else
		one = 2 * (sqrt(corner * corner + s->acceleration * chord) - corner) /
			s->acceleration;
	return length / chord * one;
}

/* Adds one kind of lines of `layers` layers. */
static void
add_part(MfPrintPart *part, double layers, double length, double seconds)
{
	part->length += layers * length;
	part->seconds += layers * seconds;
}

/* Adds a layer, `layers` times. */
static void
add_layer(const Layer *layer, bool first, double layers,
		  const MfPrintSettings *s, MfPrint *print)
{
	const double most = first ? s->first_layer_speed : INFINITY;
	const double lines = layer->outer + layer->inner + layer->solid + layer->infill;
	const double walls = s->wall_slowness * (layer->outer / lesser(most, s->outer_speed) +
											 layer->inner / lesser(most, s->wall_speed));
	const double plain = layer->solid - layer->top - layer->bridge;
	const double solid =
	time_lines(layer->top, layer->chord, lesser(most, s->top_speed), s) +
	time_lines(layer->bridge, layer->chord, lesser(most, s->bridge_speed), s) +
	time_lines(plain, layer->chord, lesser(most, s->solid_speed), s);
	const double infill = time_lines(layer->infill, layer->chord,
									 lesser(most, s->infill_speed), s);
	const double moving = walls + solid + infill;
	const double slowest = greater(moving, lines / s->min_speed);
	const double wanted = s->min_layer_time - s->layer_pause;

	add_part(&print->walls, layers, layer->outer + layer->inner, walls);
	add_part(&print->solid, layers, layer->solid, solid);
	add_part(&print->infill, layers, layer->infill, infill);
	print->pause_seconds += layers * s->layer_pause;
	if (wanted > moving)
		print->cooling_seconds += layers * (lesser(wanted, slowest) - moving);
}

/* Volumes from lengths, and the sums. */
static void
sum_up(const MfPrintSettings *s, MfPrint *print)
{
	const double section = s->layer_height *
	mf_print_spacing(s->line_width, s->layer_height);

	print->walls.volume = print->walls.length * section;
	print->solid.volume = print->solid.length * section;
	print->infill.volume = print->infill.length * section;
	print->volume = print->walls.volume + print->solid.volume + print->infill.volume;
	print->seconds = print->walls.seconds + print->solid.seconds +
		print->infill.seconds + print->pause_seconds + print->cooling_seconds;
}

bool
mf_print_estimate(const MfLayers *layers, double height,
				  const MfPrintSettings *settings, MfPrint *print)
{
	Steps		steps;
	double		printed;

	memset(print, 0, sizeof(*print));
	if (layers->count != MF_LAYERS || !is_positive(height) || !are_settings(settings))
		return false;
	printed = greater(1, floor(height / settings->layer_height + 0.5));
	if (!(printed < 1e9))
		return false;
	print->layers = (int64_t) printed;
	cut_into_steps(layers, height, printed, &steps);
	for (int step = 0; step < steps.count; step++)
	{
		Layer		layer;

		if (lay_lines(&steps, step, settings, &layer))
			add_layer(&layer, step == 0, steps.layers, settings, print);
	}
	sum_up(settings, print);
	return isfinite(print->seconds) && isfinite(print->volume);
}

void
mf_print_prism(double volume, double area, double height, MfLayers *layers)
{
	double		section;
	double		sides;

	memset(layers, 0, sizeof(*layers));
	if (!is_positive(volume) || !is_positive(area) || !is_positive(height))
		return;
	section = volume / height;
	sides = greater((area - 2 * section) / height, 2 * sqrt(M_PI * section));
	if (!(section <= FLT_MAX) || !(sides <= FLT_MAX))
		return;
	layers->count = MF_LAYERS;
	for (int i = 0; i < MF_LAYERS; i++)
	{
		layers->area[i] = (float) section;
		layers->perimeter[i] = (float) sides;
	}
	layers->up[MF_LAYERS - 1] = (float) section;
	layers->down[0] = (float) section;
}
