/* build: nosan */
/*
 * probe_serve.c
 *		mesflow-geometry's serve mode around an engine that does what the
 *		"model" says, so that the tests can have every kind of bad luck.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "programs/geometry_serve.c"

#include "samples.h"

#include <fcntl.h>
#include <stdio.h>

/* The limits the engine was given, as a measurement that can be sent. */
static bool
report_options(const MfGeometryOptions *options, MfMeasurement *m)
{
	m->triangles = (int64_t) options->max_triangles;
	m->vertices = (int64_t) options->memory_limit;
	m->euler_number = mf_pool_threads(options->pool);
	m->unit = options->unit;
	m->watertight = options->name != NULL &&
		strcmp(options->name, "ring.stl") == 0;
	return true;
}

/* Progress, much of it twice. */
static bool
report_often(const MfGeometryOptions *options)
{
	for (int percent = -5; percent <= 105; percent++)
		for (int again = 0; again < 3; again++)
			options->progress(options->progress_arg, MF_STAGE_MEASURING,
							  percent);
	options->progress(options->progress_arg, MF_STAGE_DONE, 100);
	return true;
}

/* A picture of each size. */
static bool
show_pictures(const MfGeometryOptions *options)
{
	for (int i = 0; i < MF_PICTURE_COUNT; i++)
	{
		const MfPicture picture = sample_picture(mf_picture_sizes[i]);

		options->picture(options->picture_arg, picture.size, picture.png,
						 picture.bytes);
	}
	return true;
}

static bool
use_memory(MfMeasurement *m, MfRefusal *refusal)
{
	for (int64_t blocks = 0; blocks < 4096; blocks++)
	{
		char	   *block = malloc(1024 * 1024);

		if (block == NULL)
		{
			mf_refuse(refusal, MF_ERROR_OUT_OF_MEMORY, "After %d MB.",
					  (int) blocks);
			return false;
		}
		memset(block, 1, 1024 * 1024);
	}
	m->triangles = 4096;
	return true;
}

/* Calls itself until the stack is used up, long before the depth is. */
static int
sink(int depth)
{
	volatile char here[4096];

	here[0] = (char) depth;
	return depth > 0 ? sink(depth - 1) + here[0] : 0;
}

static int
compare_ints(const void *a, const void *b)
{
	return *(const int *) a - *(const int *) b;
}

/* Library functions that measuring may call. */
static bool
use_library(MfMeasurement *m)
{
	int			numbers[10000];
	char		text[64];

	for (int i = 0; i < 10000; i++)
		numbers[i] = (i * 7919) % 10007;
	qsort(numbers, 10000, sizeof(int), compare_ints);
	for (int i = 1; i < 10000; i++)
		if (numbers[i] < numbers[i - 1])
			return false;
	snprintf(text, sizeof(text), "%.17g", 0.1);
	m->min_wall_mm = strtod(text, NULL);
	return true;
}

bool
mf_geometry_measure(const uint8_t *bytes, size_t size,
					const MfGeometryOptions *options, MfMeasurement *m,
					MfRefusal *refusal)
{
	char		command[32];

	if (size == 0)
	{
		mf_refuse(refusal, MF_ERROR_EMPTY, "The file is empty.");
		return false;
	}
	snprintf(command, sizeof(command), "%.*s", size < 31 ? (int) size : 31,
			 (const char *) bytes);
	*m = sample_cube();
	if (strcmp(command, "options") == 0)
		return report_options(options, m);
	if (strcmp(command, "progress") == 0)
		return report_often(options);
	if (strcmp(command, "pictures") == 0)
		return show_pictures(options);
	if (strcmp(command, "scribble") == 0)
		options->picture(options->picture_arg, 64, bytes, size);
	if (strcmp(command, "memory") == 0)
		return use_memory(m, refusal);
	if (strcmp(command, "library") == 0)
		return use_library(m);
	if (strcmp(command, "lie") == 0)
		m->volume_mm3 = -1;
	else if (strcmp(command, "open") == 0)
		m->triangles = open("/dev/null", O_RDONLY) >= 0 ? 1 : 2;
	else if (strcmp(command, "abort") == 0)
		abort();
	else if (strcmp(command, "segv") == 0)
		*(volatile char *) bytes = 'x';
	else if (strcmp(command, "stack") == 0)
		m->triangles = sink(1000000);
	else if (strcmp(command, "exit") == 0)
		_exit(0);
	else if (strcmp(command, "spin") == 0)
		for (volatile unsigned int spin = 0;; spin++)
			;
	else if (strcmp(command, "talk") == 0)
		for (int i = 0;; i++)
			options->progress(options->progress_arg, MF_STAGE_MEASURING,
							  i % 100);
	else
	{
		mf_refuse(refusal, MF_ERROR_NOT_A_MODEL, "This is \"%s\".", command);
		return false;
	}
	return true;
}

int
main(int argc, char **argv)
{
	return argc == 3 ? mf_geometry_serve(atoi(argv[2])) : 1;
}
