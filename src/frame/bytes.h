/*
 * bytes.h
 *		Reading and writing the fields of frames.  Private to src/frame and its
 *		tests.
 *
 * A cursor goes over single bytes, so neither alignment, padding nor the
 * machine's byte order matter, and it stops for good at the first thing that
 * is wrong.
 */
#ifndef MF_BYTES_H
#define MF_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads from `at` to `end`; once `why` is set, everything reads as zero. */
typedef struct MfReader
{
	const uint8_t *at;
	const uint8_t *end;
	const char *why;
} MfReader;

/* Writes from `at` to `end`; `bad` once something cannot be said. */
typedef struct MfWriter
{
	uint8_t    *at;
	uint8_t    *end;
	bool		bad;
} MfWriter;

/* Remembers the first complaint. */
static inline void
mf_require(MfReader *in, bool condition, const char *why)
{
	if (!condition && in->why == NULL)
		in->why = why;
}

/* An integer of `bytes` bytes, little-endian. */
extern void mf_put_bytes(MfWriter *out, uint64_t value, int bytes);
extern uint64_t mf_get_bytes(MfReader *in, int bytes);
extern uint32_t mf_get_u32(MfReader *in);

/* An enum or a small number; what does not fit must not become another. */
extern void mf_put_small(MfWriter *out, unsigned int value);

/* A byte from `first` to `last`. */
extern unsigned int mf_get_small(MfReader *in, unsigned int first,
								 unsigned int last, const char *why);
extern bool mf_get_bool(MfReader *in);

/*
 * Printable ASCII with its length in two bytes.  `size` is that of the array,
 * which must hold a terminating zero.
 */
extern void mf_put_string(MfWriter *out, const char *string, size_t size);
extern void mf_get_string(MfReader *in, char *string, size_t size);

/*
 * Any bytes, with their length in four.  What is read points into the frame,
 * and is `most` bytes at most, or else `why`.
 */
extern void mf_put_block(MfWriter *out, const void *data, size_t length);
extern const char *mf_get_block(MfReader *in, size_t most, const char *why,
								size_t *length);

#endif							/* MF_BYTES_H */
