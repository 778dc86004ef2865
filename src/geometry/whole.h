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
