/*
 * copies.h
 *		A scene's instances as whatever cuts it by height sees them: how often
 *		each pose stands at each height.
 */
#ifndef MF_COPIES_H
#define MF_COPIES_H

#include "scene.h"

typedef struct MfCopy
{
	uint32_t	pose;
	uint32_t	count;			/* instances of this pose at this height */
	double		z;				/* their shift, in the scene's unit */
} MfCopy;

/* By pose, then by height. */
typedef struct MfCopies
{
	uint32_t	count;
	uint32_t	room;
	MfCopy	   *copy;
} MfCopies;

/* Groups the instances.  False: refused for memory; freed in any case. */
extern bool mf_copies_find(MfJob *job, const MfScene *scene,
						   MfCopies *copies);
extern void mf_copies_free(MfJob *job, MfCopies *copies);

#endif							/* MF_COPIES_H */
