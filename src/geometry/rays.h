/*
 * rays.h
 *		What the measures that send lines through the scene share.
 */
#ifndef MF_RAYS_H
#define MF_RAYS_H

#include "samples.h"
#include "space.h"
#include "whole.h"

/* Lines of one task, the looks of a task for each, and of a single line. */
#define MF_LINES_OF_TASK	256
#define MF_LOOKS_OF_LINE	400
#define MF_LOOKS_AT_MOST	20000

/* More than this share of the lines without an answer: not known. */
#define MF_UNKNOWN_SHARE	0.02

/* One measurement by lines. */
typedef struct MfRays
{
	MfJob	   *job;
	const MfScene *scene;
	MfSurvey	survey;
	MfSpace		space;
	double		diagonal;		/* of the scene's box */
	bool		closed;			/* every part encloses a volume */
} MfRays;

/* A measure of lines over samples: what one finds, < 0 if nothing. */
typedef double (*MfSampleLine) (const MfRays *rays, MfSample *sample,
								uint64_t *looks);

/* Has what the tasks before `done` found decided that it is of no use? */
typedef bool (*MfHopeless) (void *arg, uint32_t done);

/*
 * Runs tasks as mf_pool_run does, in rounds of a fixed size, and tells how far
 * this stage is from one percent to another.  Ends early where it is hopeless.
 */
extern void mf_rays_run(const MfRays *rays, uint32_t tasks, MfTask work,
						MfHopeless hopeless, void *arg, int from, int until);

/*
 * Sends a line for each sample, in tasks that share their looks, and puts
 * what it finds into its length.  Where too many find nothing, the rest is
 * left out.
 */
extern void mf_rays_send(const MfRays *rays, MfSamples *samples,
						 MfSampleLine line, int from, int until);

/*
 * A sample's point and the unit normal of its triangle, out of the material;
 * false: it has none.
 */
extern bool mf_rays_start(const MfRays *rays, const MfSample *sample,
						  bool middle, double point[3], double normal[3]);

/* walls.c, supports.c, overlaps.c, intersections.c; false: no memory. */
extern bool mf_walls_measure(const MfRays *rays, MfMeasurement *m);
extern bool mf_supports_measure(const MfRays *rays, MfMeasurement *m);
extern bool mf_overlaps_measure(const MfRays *rays, MfMeasurement *m);
extern bool mf_intersections_find(const MfRays *rays, MfMeasurement *m);

#endif							/* MF_RAYS_H */
