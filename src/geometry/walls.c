/*
 * walls.c
 *		Wall thickness: from the middle of a triangle straight into the
 *		material, how far it is to the next surface.
 *
 * "Next surface" is any triangle but the one it starts from, whichever way it
 * faces and whatever instance it belongs to; so the middle of a triangle
 * beside a sharp edge counts with the little that is there.  This is the
 * ray method of Shapira, Shamir and Cohen-Or, "Consistent mesh partitioning
 * and skeletonisation using the shape diameter function", 2008, with a single
 * line: exact for plates and tubes, larger than an inscribed sphere where
 * walls are not parallel.
 *
 * Up to MOST triangles all are measured, above that as many samples by their
 * area: a model with twice the triangles costs no more than twice as much.
 */
#include <math.h>
#include <string.h>

#include "rays.h"

#define MOST		20000

/* Nearer than this part of the diagonal, a triangle only touches. */
#define TOUCHING	1e-7

#define INDEX_BITS	15
_Static_assert(MOST < 1 << INDEX_BITS, "fits");

/* The way from a triangle's middle through the material. */
static double
measure_wall(const MfRays *rays, MfSample *sample, uint64_t *looks)
{
	MfLine		line = {
		.least = TOUCHING * rays->diagonal,.until = 2 * rays->diagonal,
		.skip_instance = sample->instance,.skip_triangle = sample->triangle,
		.looks = *looks
	};
	MfMeeting	meeting;
	bool		good;

	if (!mf_rays_start(rays, sample, true, line.from, line.along))
		return -1;
	for (int i = 0; i < 3; i++)
		line.along[i] = -line.along[i];
	good = mf_space_meet(&rays->space, &line, &meeting);
	*looks = line.looks;
	return good && meeting.triangle != MF_NO_TRIANGLE ? meeting.at : -1;
}

/* Samples by their thickness: the words' low bits are their numbers. */
static uint32_t
sort_samples(const MfSamples *samples, uint64_t *word, double *known,
			 double *all)
{
	uint32_t	count = 0;

	*known = 0;
	*all = 0;
	for (uint32_t k = 0; k < samples->count; k++)
	{
		const MfSample *sample = &samples->sample[k];
		uint64_t	bits;

		*all += sample->weight;
		if (!(sample->length >= 0) || !(sample->weight > 0))
			continue;
		*known += sample->weight;

		/* The bits of positive numbers are in their order. */
		memcpy(&bits, &sample->length, sizeof(bits));
		word[count++] = (bits >> INDEX_BITS << INDEX_BITS) | k;
	}
	mf_sort_words(word, count);
	return count;
}

/* Fills in the thickness below which each share of the area is. */
static void
fill_shares(const MfRays *rays, const MfSamples *samples,
			const uint64_t *word, uint32_t count, double known,
			MfMeasurement *m)
{
	const double mm = rays->job->unit_in_mm;
	double		below = 0;
	uint32_t	n = 0;

	for (int i = 0; i < MF_WALL_SHARES; i++)
	{
		const MfSample *sample;

		for (; n + 1 < count; n++)
		{
			sample = &samples->sample[word[n] & ((1 << INDEX_BITS) - 1)];
			if (below + sample->weight >= mf_wall_shares[i] * known)
				break;
			below += sample->weight;
		}
		sample = &samples->sample[word[i + 1 < MF_WALL_SHARES ? n : count - 1] &
								  ((1 << INDEX_BITS) - 1)];
		m->wall_mm[i] = sample->length * mm;

		/* The order leaves a few last bits out. */
		if (i > 0)
			m->wall_mm[i] = fmax(m->wall_mm[i], m->wall_mm[i - 1]);
	}
}

/* Fills in the walls; false: no memory. */
static bool
fill_walls(const MfRays *rays, const MfSamples *samples, MfMeasurement *m)
{
	const double mm = rays->job->unit_in_mm;
	const uint64_t bytes = samples->count * (uint64_t) sizeof(uint64_t);
	uint64_t   *word = mf_memory_alloc(&rays->job->memory, bytes);
	double		known;
	double		all;
	uint32_t	count;

	if (word == NULL)
		return false;
	count = sort_samples(samples, word, &known, &all);
	if (count > 0 && known >= (1 - MF_UNKNOWN_SHARE) * all)
	{
		const MfSample *thinnest =
		&samples->sample[word[0] & ((1 << INDEX_BITS) - 1)];
		double		normal[3];

		fill_shares(rays, samples, word, count, known, m);
		m->min_wall_mm = thinnest->length * mm;
		m->wall_samples = count;
		(void) mf_rays_start(rays, thinnest, true, m->min_wall_at, normal);
		for (int i = 0; i < 3; i++)
			m->min_wall_at[i] *= mm;
	}
	mf_memory_free(&rays->job->memory, word, bytes);
	return true;
}

/* Measures the walls of a closed scene; false: no memory. */
bool
mf_walls_measure(const MfRays *rays, MfMeasurement *m)
{
	MfSamples	samples;
	bool		good;

	if (rays->survey.triangles <= MOST)
		good = mf_samples_take_all(rays->job, &rays->survey, &samples);
	else
		good = mf_samples_take(rays->job, &rays->survey, MF_SAMPLED_AREA,
							   MOST, &samples);
	if (!good)
		return false;
	mf_rays_send(rays, &samples, measure_wall, 40, 55);
	good = fill_walls(rays, &samples, m);
	mf_samples_free(rays->job, &samples);
	return good;
}
