/*
 * wire.h
 *		Frames as bytes.  Private to src/frame and its tests.
 *
 * All integers are little-endian, doubles are their IEEE 754 bits, enums and
 * booleans one byte, strings a length of two bytes and that many characters.
 * The header of every frame:
 *
 *		offset	bytes
 *		0		4		magic, "MFfr"
 *		4		4		protocol version
 *		8		4		type
 *		12		4		length of the payload
 *		16		8		tag
 */
#ifndef MF_WIRE_H
#define MF_WIRE_H

#include "frame.h"

#include <stddef.h>
#include <string.h>

#define MF_FRAME_HEADER		24

/* Larger counts and sizes than these are lies. */
#define MF_PLAUSIBLE_COUNT	(INT64_C(1) << 40)
#define MF_PLAUSIBLE_BYTES	(UINT64_C(1) << 50)
#define MF_PLAUSIBLE_CPU_SECONDS	UINT32_C(1000000)
#define MF_PLAUSIBLE_THREADS	UINT32_C(4096)

/* Empties a frame; of a picture's bytes nobody looks beyond the length. */
static inline void
mf_frame_clear(MfFrame *frame)
{
	memset(frame, 0, offsetof(MfFrame, u) + sizeof(MfMeasurement));
	frame->memfd = -1;
}

_Static_assert(sizeof(MfMeasurement) >= sizeof(MfJobOrder) &&
			   sizeof(MfMeasurement) >= sizeof(MfRefusal) &&
			   sizeof(MfMeasurement) >= sizeof(MfHello),
			   "what mf_frame_clear empties holds all but pictures");

/*
 * Writes a frame of `type` whose payload is the struct of that type.  Returns
 * its length, or 0 where the struct holds something that the receiver would
 * not accept.  `out` has MF_FRAME_MAX bytes.
 */
extern size_t mf_frame_encode(MfFrameType type, uint64_t tag,
							  const void *payload, uint8_t *out);

/*
 * Reads the frame in exactly `length` bytes.  True: every field of *frame is
 * within the bounds its type promises; memfd is -1.  False: *why, never NULL,
 * is a constant string.
 */
extern bool mf_frame_decode(const uint8_t *bytes, size_t length,
							MfFrame *frame, const char **why);

#endif							/* MF_WIRE_H */
