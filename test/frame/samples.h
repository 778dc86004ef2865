/*
 * samples.h
 *		One good frame of each type, and whether a received one keeps the
 *		promises of frame.h.
 */
#ifndef MF_TEST_FRAME_SAMPLES_H
#define MF_TEST_FRAME_SAMPLES_H

#include "frame/frame.h"

/* A cube of 10 mm, read from STL. */
extern MfMeasurement sample_cube(void);

/* The cube with a full list of defects. */
extern MfMeasurement sample_defective(void);

/* The least that passes for a picture of that size. */
extern MfPicture sample_picture(uint32_t size);

/* A good payload of each type; SAMPLE_COUNT of them, with its tag. */
#define SAMPLE_COUNT	8
extern const void *sample(int number, MfFrameType *type, uint64_t *tag,
						  const char **name);

/* Does every field of a received frame keep its promise? */
extern bool keeps_promises(const MfFrame *frame);

/* Are the two the same, field by field, NaN equal to NaN? */
extern bool same_measurement(const MfMeasurement *a, const MfMeasurement *b);
extern bool same_frame(const MfFrame *a, const MfFrame *b);

#endif							/* MF_TEST_FRAME_SAMPLES_H */
