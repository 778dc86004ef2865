/*
 * targets.h
 *		What is fuzzed: one function for each reader and protocol.
 *
 * Each takes any bytes, and aborts where what comes out breaks a promise.
 * Returns 0, or -1 where the bytes are none of this target's business.
 */
#ifndef MF_FUZZ_TARGETS_H
#define MF_FUZZ_TARGETS_H

#include <stddef.h>
#include <stdint.h>

typedef struct FuzzTarget
{
	const char *name;
	int			(*run) (const uint8_t *bytes, size_t size);
} FuzzTarget;

extern const FuzzTarget fuzz_targets[];

/* The target of this name, or NULL. */
extern const FuzzTarget *fuzz_target(const char *name);

/* models.c: readers, each with all that is measured behind it. */
extern int	fuzz_stl_binary(const uint8_t *bytes, size_t size);
extern int	fuzz_stl_ascii(const uint8_t *bytes, size_t size);
extern int	fuzz_obj(const uint8_t *bytes, size_t size);
extern int	fuzz_ply(const uint8_t *bytes, size_t size);
extern int	fuzz_glb(const uint8_t *bytes, size_t size);
extern int	fuzz_threemf(const uint8_t *bytes, size_t size);
extern int	fuzz_threemf_model(const uint8_t *bytes, size_t size);
extern int	fuzz_any(const uint8_t *bytes, size_t size);

/* protocols.c: the frames between the programs and their parents. */
extern int	fuzz_frame(const uint8_t *bytes, size_t size);
extern int	fuzz_sending(const uint8_t *bytes, size_t size);

#endif							/* MF_FUZZ_TARGETS_H */
