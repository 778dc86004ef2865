/*
 * threemf_check.h
 *		What the tests of 3MF share: the cube of 10 mm in all its spellings,
 *		and checks of what is read and what is refused.
 */
#ifndef MF_TEST_THREEMF_CHECK_H
#define MF_TEST_THREEMF_CHECK_H

#include "../../src/geometry/threemf.h"
#include "package.h"
#include "tap.h"

static MfMeasurement m;
static MfRefusal refusal;

/* Measures a package of this model; more entries may be in it. */
static inline bool
measure_package(const char *model, const Entry *more, int count)
{
	Bytes		bytes = package_of(model, 0, strlen(model) < 1000000, more,
								   count);
	const bool	good = measure_bytes(bytes.at, bytes.size, NULL, &m, &refusal);

	free_bytes(&bytes);
	return good;
}

static inline bool
measure_model(const char *model)
{
	return measure_package(model, NULL, 0);
}

/* Is this the cube of 10 mm, so often? */
static inline bool
is_cubes(int count)
{
	return m.format == MF_FORMAT_3MF && m.unit_from == MF_UNIT_FROM_FILE &&
		m.triangles == 12 * count && m.vertices == 8 * count &&
		m.bodies == count && m.watertight && m.volume_mm3 == 1000.0 * count;
}

/* So close to the end of a text there are no runs. */
#define PADDING_64	\
	"<!--                                                        -->\n"
#define PADDING_256	PADDING_64 PADDING_64 PADDING_64 PADDING_64
#define PADDING		PADDING_256 PADDING_256 PADDING_256

/* Is this the cube, with a run and without? */
static inline void
reads(const char *model, const char *what)
{
	Bytes		padded = {0};

	if (!ok(measure_model(model) && is_cubes(1), "%s", what))
		printf("# %s\n", refusal.text);
	add_bytes(&padded, model, strlen(model));
	add_bytes(&padded, PADDING, sizeof(PADDING));
	if (!measure_model((char *) padded.at) || !is_cubes(1))
		ok(false, "%s, padded: %s", what, refusal.text);
	free_bytes(&padded);
}

static inline void
refuses_package(const char *model, const Entry *more, int count,
				MfErrorCode code, const char *part, const char *what)
{
	const bool	good = measure_package(model, more, count);

	ok(!good && refusal.code == code && sane_refusal(&refusal) &&
	   strstr(refusal.text, part) != NULL, "%s: %s", what,
	   good ? "measured" : mf_error_code_name(refusal.code));
	printf("# %s\n", good ? "" : refusal.text);
}

static inline void
refuses(const char *model, MfErrorCode code, const char *part,
		const char *what)
{
	refuses_package(model, NULL, 0, code, part, what);
}

#define ONE(object, build)	MODEL("", object, build)
#define CUBE_1				OBJECT("1", "", CUBE)
#define COMPONENTS(inside)	"<components>" inside "</components>"
#define COMPONENT(id, more)	"<component objectid=\"" id "\" " more "/>"

#define MATERIAL \
	"xmlns:m=\"http://schemas.microsoft.com/3dmanufacturing/material/2015/02\" "
#define BEAMS \
	"xmlns:b=\"http://schemas.microsoft.com/3dmanufacturing/beamlattice/2017/02\" "
#define SLICES \
	"xmlns:s=\"http://schemas.microsoft.com/3dmanufacturing/slice/2015/07\" "

#endif							/* MF_TEST_THREEMF_CHECK_H */
