/*
 * supports.c
 *		The volume of what holds overhanging surfaces up: the area of each,
 *		seen from above, times the way straight down to the next surface, or
 *		to the plate that the model's lowest point stands on.
 *
 * Which triangles overhang is decided in samples.c.  A surface that rests on
 * another has nothing under it, nor has one within material.  Lines start at
 * points that are spread evenly over the overhanging area; their number grows
 * with the model's triangles up to LINES.
 *
 * How high the overhanging area is over the plate, the survey knows exactly.
 * By as much as the samples' mean height is off, their mean way down is
 * corrected, times the slope of the line through both (the regression
 * estimator; Cochran, "Sampling techniques", 1977, chapter 7).  So what stands
 * over the plate is exact, and what is over other surfaces loses nothing.
 */
#include <math.h>

#include "rays.h"

#define LINES			20000
#define LEAST_LINES		2048

/* Nearer than this part of the diagonal, a surface rests on another. */
#define RESTING			1e-6

/* Does the triangle that was met face down, so that the way was in material? */
static bool
faces_down(const MfScene *scene, const MfMeeting *meeting)
{
	const MfPose *pose = &scene->pose[scene->instance[meeting->instance].pose];
	double		at[3][3];

	if (meeting->triangle == MF_NO_TRIANGLE)
		return false;
	mf_pose_triangle(scene, pose, meeting->triangle, at);
	return (at[1][0] - at[0][0]) * (at[2][1] - at[0][1]) <
		(at[1][1] - at[0][1]) * (at[2][0] - at[0][0]);
}

/* The way from an overhanging point down to what is below. */
static double
measure_gap(const MfRays *rays, MfSample *sample, uint64_t *looks)
{
	const double lift = RESTING * rays->diagonal;
	MfLine		line = {
		.along = {0, 0, -1},
		.skip_instance = sample->instance,.skip_triangle = sample->triangle,
		.looks = *looks
	};
	MfMeeting	meeting;
	double		normal[3];
	bool		good;

	if (!mf_rays_start(rays, sample, false, line.from, normal))
		return -1;

	sample->height = line.from[2] - rays->scene->low[2];

	/* From a little above, so that what it rests on is met as well. */
	line.from[2] += lift;
	line.until = line.from[2] - rays->scene->low[2];
	line.least = 0;
	good = mf_space_meet(&rays->space, &line, &meeting);
	*looks = line.looks;
	if (!good)
		return -1;
	return meeting.at <= 2 * lift || faces_down(rays->scene, &meeting) ? 0 :
		meeting.at - lift;
}

/* The mean way down, from those samples that know it; *known: their weight. */
static double
mean_gap(const MfRays *rays, const MfSamples *samples, double *known)
{
	const MfSurvey *survey = &rays->survey;
	MfSum		gap = {0};
	MfSum		height = {0};
	MfSum		square = {0};
	MfSum		product = {0};
	double		mean[2];
	double		slope;

	*known = 0;
	for (uint32_t k = 0; k < samples->count; k++)
		if (samples->sample[k].length >= 0)
		{
			const MfSample *sample = &samples->sample[k];

			*known += sample->weight;
			mf_sum_add(&gap, sample->weight * sample->length);
			mf_sum_add(&height, sample->weight * sample->height);
		}
	if (!(*known > 0))
		return 0;
	mean[0] = (gap.sum + gap.lost) / *known;
	mean[1] = (height.sum + height.lost) / *known;
	for (uint32_t k = 0; k < samples->count; k++)
		if (samples->sample[k].length >= 0)
		{
			const MfSample *sample = &samples->sample[k];
			const double off = sample->height - mean[1];

			mf_sum_add(&square, sample->weight * off * off);
			mf_sum_add(&product, sample->weight * off *
					   (sample->length - mean[0]));
		}
	slope = (product.sum + product.lost) / (square.sum + square.lost);
	if (!isfinite(slope))
		return mean[0];
	return fmax(mean[0] + slope * (survey->height / survey->under - mean[1]),
				0);
}

/* Measures the supports of a closed scene; false: no memory. */
bool
mf_supports_measure(const MfRays *rays, MfMeasurement *m)
{
	const double mm = rays->job->unit_in_mm;
	const uint64_t wanted = LEAST_LINES + 4 * rays->survey.triangles;
	MfSamples	samples;
	double		known;
	double		gap;

	if (!mf_samples_take(rays->job, &rays->survey, MF_SAMPLED_UNDER,
						 wanted < LINES ? (uint32_t) wanted : LINES, &samples))
		return false;
	mf_rays_send(rays, &samples, measure_gap, 55, 75);
	gap = mean_gap(rays, &samples, &known);
	if (samples.count == 0)
		m->support_volume_mm3 = 0;
	else if (known >= (1 - MF_UNKNOWN_SHARE) * rays->survey.under)
		m->support_volume_mm3 = gap * rays->survey.under * (mm * mm * mm);
	mf_samples_free(rays->job, &samples);
	return true;
}
