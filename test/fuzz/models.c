/*
 * models.c
 *		Any bytes as a model: read, measured, drawn, and sent as a frame.
 *
 * What is checked, besides what the sanitizers see: a measurement is one that
 * the other end of a frame would accept; a refusal has a code and a sentence;
 * all memory is given back; and the same bytes measure the same with threads.
 */
#include "../../src/frame/wire.h"
#include "../../src/geometry/scene.h"
#include "../geometry/package.h"
#include "targets.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Small enough that a run takes milliseconds, large enough for any limit. */
#define MAX_TRIANGLES	20000
#define MAX_MEMORY		(UINT64_C(96) << 20)

/* Ends the process in a way that is not taken for a refusal. */
static void
require(bool good)
{
	if (!good)
		abort();
}

/* Which kind of model do these bytes say they are? */
static MfEncoding
kind_of(const uint8_t *bytes, size_t size)
{
	MfRefusal	refusal;
	MfJob		job = {
		.bytes = bytes,.size = size,.refusal = &refusal,.unit_in_mm = 1,
		.share = 1
	};

	return mf_detect_encoding(&job);
}

/* Measures some bytes; true: *m is filled. */
static bool
measure(const uint8_t *bytes, size_t size, MfPool *pool, MfMeasurement *m)
{
	const MfGeometryOptions options = {
		.max_triangles = MAX_TRIANGLES,.memory_limit = MAX_MEMORY,
		.pool = pool
	};
	MfRefusal	refusal;

	if (mf_geometry_measure(bytes, size, &options, m, &refusal))
		return true;
	require(refusal.code != MF_ERROR_NONE && refusal.text[0] != '\0');
	return false;
}

/* Measures some bytes twice, and checks what comes out. */
static int
check(const uint8_t *bytes, size_t size)
{
	static MfPool *pool;
	static uint8_t frame[MF_FRAME_MAX];
	static char json[MF_MEASUREMENT_JSON_MAX];
	MfMeasurement one;
	MfMeasurement other;

	if (pool == NULL)
		pool = mf_pool_start(3);
	memset(&one, 0, sizeof(one));
	memset(&other, 0, sizeof(other));
	if (!measure(bytes, size, NULL, &one))
	{
		require(!measure(bytes, size, pool, &other));
		return 0;
	}
	require(measure(bytes, size, pool, &other));
	other.measured_in_ms = one.measured_in_ms;
	require(memcmp(&one, &other, sizeof(one)) == 0);
	require(mf_frame_encode(MF_FRAME_RESULT, 1, &one, frame) > 0);
	require(mf_measurement_to_json(&one, json, sizeof(json)) > 0);
	return 0;
}

/* Bytes that are no model of this kind are another target's. */
static int
check_kind(const uint8_t *bytes, size_t size, MfEncoding kind)
{
	return kind_of(bytes, size) == kind ? check(bytes, size) : -1;
}

int
fuzz_stl_binary(const uint8_t *bytes, size_t size)
{
	return check_kind(bytes, size, MF_ENCODING_STL_BINARY);
}

int
fuzz_stl_ascii(const uint8_t *bytes, size_t size)
{
	return check_kind(bytes, size, MF_ENCODING_STL_ASCII);
}

int
fuzz_obj(const uint8_t *bytes, size_t size)
{
	return check_kind(bytes, size, MF_ENCODING_OBJ);
}

int
fuzz_ply(const uint8_t *bytes, size_t size)
{
	return check_kind(bytes, size, MF_ENCODING_PLY);
}

int
fuzz_glb(const uint8_t *bytes, size_t size)
{
	return check_kind(bytes, size, MF_ENCODING_GLB);
}

/* The archive itself: sums that do not match end most of it early. */
int
fuzz_threemf(const uint8_t *bytes, size_t size)
{
	return check_kind(bytes, size, MF_ENCODING_3MF);
}

/* The model within a sound archive. */
int
fuzz_threemf_model(const uint8_t *bytes, size_t size)
{
	Bytes		package;
	int			result;

	/* A size of 0 has another meaning there. */
	if (size == 0)
		return -1;
	package = package_of((const char *) bytes, size, false, NULL, 0);
	result = check(package.at, package.size);
	free_bytes(&package);
	return result;
}

int
fuzz_any(const uint8_t *bytes, size_t size)
{
	return check(bytes, size);
}
