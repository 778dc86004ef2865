/*
 * whole.h
 *		What is measured of a scene as a whole: see README.md.
 *
 * Each function fills its own members of the measurement, in mm, and needs
 * those of the ones before it in mf_geometry_measure.
 */
#ifndef MF_WHOLE_H
#define MF_WHOLE_H

#include "scene.h"

/* totals.c: counts, box, area; and volume where the surface encloses one. */
extern bool mf_totals_measure(MfJob *job, const MfScene *scene,
							  MfMeasurement *m);

/* layers.c: cross sections and outlines by height, where there is a volume. */
extern bool mf_layers_measure(MfJob *job, const MfScene *scene,
							  MfMeasurement *m);

/*
 * convex.c: volume of the convex hull, and the tight box.  Much of a large
 * hull is found aside (see pool.h) between the beginning and the end, which
 * comes in any case; without a measurement, nothing is filled in.
 */
typedef struct MfConvex
{
	struct MfHullSearch *search;	/* NULL: nothing is found aside */
	uint32_t	part;			/* whose hull that is */
} MfConvex;

extern bool mf_convex_begin(MfJob *job, const MfScene *scene,
							MfConvex *convex);
extern bool mf_convex_end(MfJob *job, const MfScene *scene, MfConvex *convex,
						  MfMeasurement *m);

/*
 * section.c: the cross section at a height, section->z, in mm.  An open
 * surface gives what its triangles say.  Both numbers are NaN where there are
 * too many instances to look through.
 */
extern bool mf_layers_section(MfJob *job, const MfScene *scene,
							  MfSection *section);

/*
 * rays.c: walls, overhangs, supports; overlaps and intersections.  Where
 * `basic`, only the last two, and of small models.
 */
extern bool mf_rays_measure(MfJob *job, const MfScene *scene, bool basic,
							MfMeasurement *m);

/* defects.c: what is wrong with the parts and the whole. */
extern void mf_defects_list(const MfJob *job, const MfScene *scene,
							MfMeasurement *m);

#endif							/* MF_WHOLE_H */
