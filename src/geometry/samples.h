/*
 * samples.h
 *		Triangles of the scene that stand for all: by their area, or by the
 *		area under those that overhang.
 *
 * A survey walks all triangles of all poses once and sums up; after it,
 * samples are taken at equal steps along those sums, so each stands for the
 * same area, and large triangles are taken more than once.
 */
#ifndef MF_SAMPLES_H
#define MF_SAMPLES_H

#include "scene.h"

/* Some triangles of one pose, and what they add up to over its instances. */
typedef struct MfStretch
{
	uint32_t	pose;
	uint32_t	first;
	uint32_t	count;
	double		area;
	double		overhang;		/* area of overhanging triangles */
	double		under;			/* the same, seen from above */
	double		height;			/* that, times its mean height */
	double		area_before;	/* of the stretches before this one */
	double		under_before;
} MfStretch;

typedef struct MfSurvey
{
	const MfScene *scene;
	MfStretch  *stretch;
	uint32_t	stretch_count;
	uint32_t   *by_pose;		/* instances, by pose and height */
	double	   *mean_shift;		/* up, of each in by_pose[] and those of its
								 * pose above it */
	uint32_t   *pose_first;		/* in both */
	uint64_t	triangles;		/* of all instances */
	double		lowest;			/* what lies below this, lies on the plate */
	double		area;			/* in the scene's unit */
	double		overhang;
	double		under;
	double		height;			/* over the lowest point, times under */
} MfSurvey;

typedef struct MfSample
{
	uint32_t	instance;
	uint32_t	triangle;
	double		weight;			/* area that it stands for */
	double		place[2];		/* in the triangle, even over 0 to 1 */
	double		length;			/* for what is found; < 0: not known */
	double		height;			/* of the point, where a measure notes it */
} MfSample;

typedef struct MfSamples
{
	MfSample   *sample;
	uint32_t	count;
	uint32_t	room;
} MfSamples;

/* Which area is sampled. */
typedef enum MfSampled
{
	MF_SAMPLED_AREA = 0,
	MF_SAMPLED_UNDER			/* overhanging, seen from above */
} MfSampled;

/* Surveys a scene whose parts are measured.  False: refused. */
extern bool mf_survey_take(MfJob *job, const MfScene *scene,
						   MfSurvey *survey);
extern void mf_survey_free(MfJob *job, MfSurvey *survey);

/* Takes `count` samples, none where there is no area.  False: no memory. */
extern bool mf_samples_take(MfJob *job, const MfSurvey *survey,
							MfSampled sampled, uint32_t count,
							MfSamples *samples);

/* Takes every triangle of every instance once.  False: no memory. */
extern bool mf_samples_take_all(MfJob *job, const MfSurvey *survey,
								MfSamples *samples);
extern void mf_samples_free(MfJob *job, MfSamples *samples);

#endif							/* MF_SAMPLES_H */
