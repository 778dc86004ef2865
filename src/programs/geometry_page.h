/*
 * geometry_page.h
 *		What a person reads of a measurement.  Private to mesflow-geometry.
 */
#ifndef MF_GEOMETRY_PAGE_H
#define MF_GEOMETRY_PAGE_H

#include "../geometry/geometry.h"

/*
 * Prints the measurement of a file as a page, with a cross section where one
 * was asked for (not NULL).
 */
extern void mf_page_print(const char *file, const MfMeasurement *m,
						  const MfSection *cut);

/* Prints why a file was refused. */
extern void mf_page_refusal(const char *file, const MfRefusal *refusal);

/*
 * Shows on a terminal how far the work is; `arg` is an MfShown that begins
 * with percent -1.
 */
typedef struct MfShown
{
	int			percent;
	MfStage		stage;
	double		started;		/* in seconds; 0: not yet */
} MfShown;

extern void mf_page_progress(void *arg, MfStage stage, int percent);
extern void mf_page_progress_end(const MfShown *shown);

#endif							/* MF_GEOMETRY_PAGE_H */
