/*
 * targets.c
 *		The list of what is fuzzed.
 */
#include "targets.h"

#include <string.h>

const FuzzTarget fuzz_targets[] = {
	{"stl_binary", fuzz_stl_binary},
	{"stl_ascii", fuzz_stl_ascii},
	{"obj", fuzz_obj},
	{"ply", fuzz_ply},
	{"glb", fuzz_glb},
	{"threemf", fuzz_threemf},
	{"threemf_model", fuzz_threemf_model},
	{"any", fuzz_any},
	{"frame", fuzz_frame},
	{"sending", fuzz_sending},
	{NULL, NULL}
};

/* The target of this name, or NULL. */
const FuzzTarget *
fuzz_target(const char *name)
{
	for (const FuzzTarget *target = fuzz_targets; target->name != NULL; target++)
		if (strcmp(target->name, name) == 0)
			return target;
	return NULL;
}
