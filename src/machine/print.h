/*
 * print.h
 *		How long a filament printer takes for a model, and what it deposits,
 *		from the model's layers instead of from a slicer's paths.
 *
 * Pure C without globals: the same numbers give the same bits on every
 * processor (additions, multiplications, divisions and square roots only).
 */
#ifndef MF_PRINT_H
#define MF_PRINT_H

#include "../frame/measurement.h"

/*
 * A printer and how it is set.  Lengths in mm, speeds in mm/s, times in s.
 * mf_print_defaults fills what a usual desktop printer does.
 */
typedef struct MfPrintSettings
{
	double		layer_height;
	double		line_width;
	int			perimeters;		/* loops of each outline */
	double		infill;			/* share of the inside, 0 to 1 */
	int			top_layers;		/* printed solid below what faces up */
	int			bottom_layers;	/* and above what faces down */
	double		solid_below;	/* mm2: smaller insides are printed solid */
	double		outer_speed;	/* the outermost loop */
	double		wall_speed;		/* the other loops */
	double		infill_speed;
	double		solid_speed;
	double		top_speed;		/* the uppermost solid layer */
	double		bridge_speed;	/* the lowest solid layer over nothing */
	double		first_layer_speed;	/* no faster than this in the first layer */
	double		acceleration;	/* mm/s2 */
	double		corner_speed;	/* how fast a line begins and ends */
	double		min_layer_time; /* printed slower until a layer takes this, */
	double		min_speed;		/* but no slower than this */

	/*
	 * What cross sections do not say; the defaults are fitted to a slicer's
	 * prints: see print.c.
	 */
	double		layer_pause;	/* from one layer to the next */
	double		wall_slowness;	/* loops take so many times longer than their
								 * length over their speed: corners, seams,
								 * the way from one to the next */
	double		infill_anchors; /* ends of infill lines, as a share of them */
	double		inside_overlap; /* how far the inside reaches into the walls,
								 * in line widths */
} MfPrintSettings;

/* Layers that a print may have; more are counted in groups. */
#define MF_PRINT_MAX_STEPS	1024

typedef struct MfPrintPart
{
	double		length;			/* mm of lines */
	double		volume;			/* mm3 deposited */
	double		seconds;
} MfPrintPart;

/* What a print takes; of all layers. */
typedef struct MfPrint
{
	int64_t		layers;
	MfPrintPart walls;
	MfPrintPart solid;
	MfPrintPart infill;
	double		pause_seconds;	/* from layer to layer */
	double		cooling_seconds;	/* slower than it could, for the time that
									 * a layer needs */
	double		volume;			/* sums */
	double		seconds;
} MfPrint;

extern void mf_print_defaults(MfPrintSettings *settings);

/*
 * Estimates the print of a model of this height in mm that has these layers.
 * False where nothing can be said: there are no layers, no height, or numbers
 * that are no settings of a printer (not finite, zero, negative).
 */
extern bool mf_print_estimate(const MfLayers *layers, double height,
							  const MfPrintSettings *settings, MfPrint *print);

/* Distance between lines of a width that touch in layers of a height, mm. */
extern double mf_print_spacing(double width, double height);

/*
 * The layers of a prism with this volume, surface and height, in mm: what can
 * be said of a model whose layers were not measured.
 */
extern void mf_print_prism(double volume, double area, double height,
						   MfLayers *layers);

#endif							/* MF_PRINT_H */
