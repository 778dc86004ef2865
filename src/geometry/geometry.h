/*
 * geometry.h
 *		The geometry library: from the bytes of a file to its measurement.
 *
 * Pure C without globals; the caller's bytes are only read.  The same bytes
 * give the same bits on every run and with any number of threads.
 */
#ifndef MF_GEOMETRY_H
#define MF_GEOMETRY_H

#include "../frame/measurement.h"
#include "pool.h"

/* Called now and then with a stage and the percent of the whole work done. */
typedef void (*MfProgressCallback) (void *arg, MfStage stage, int percent);

/* A cut through the model, asked for by its height. */
typedef struct MfSection
{
	double		z;				/* mm, by the caller */
	double		area;			/* mm2 */
	double		perimeter;		/* length of the outline, mm */
} MfSection;

/*
 * Called with each picture of the model once it is measured; the bytes are
 * the library's.
 */
typedef void (*MfPictureCallback) (void *arg, uint32_t size,
								   const uint8_t *png, size_t bytes);

typedef struct MfGeometryOptions
{
	const char *name;			/* the file's name, a hint only; may be NULL */
	MfUnit		unit;			/* the caller's, or MF_UNIT_NONE */
	uint64_t	max_triangles;	/* 0: MF_DEFAULT_MAX_TRIANGLES */
	uint64_t	memory_limit;	/* bytes the library may allocate; 0: no limit */
	MfPool	   *pool;			/* the threads; NULL: the caller's alone */
	bool		basic;			/* only size, volume, area, bodies, and
								 * defects but for single bodies that touch
								 * themselves in a point */
	MfSection  *section;		/* filled at its height; may be NULL */
	MfProgressCallback progress;	/* may be NULL */
	void	   *progress_arg;
	MfPictureCallback picture;	/* NULL: no picture; nor with `basic` */
	void	   *picture_arg;
} MfGeometryOptions;

#define MF_DEFAULT_MAX_TRIANGLES	UINT64_C(20000000)

/*
 * Measures `size` bytes.  True: *m is filled.  False: *refusal says why.
 * Never crashes or loops, whatever the bytes; memory and time are bounded by
 * the size and the limits given.
 */
extern bool mf_geometry_measure(const uint8_t *bytes, size_t size,
								const MfGeometryOptions *options,
								MfMeasurement *m, MfRefusal *refusal);

#endif							/* MF_GEOMETRY_H */
