/*
 * program.c
 *		Where our programs are.
 */
#include "postgres.h"

#include <dlfcn.h>
#include <stdlib.h>

#include "mesflow.h"
#include "supervise.h"
#include "worker.h"

#ifndef MF_PROGRAMS_FROM_LIB
#error "MF_PROGRAMS_FROM_LIB must be given by the build, as a relative path"
#endif

/*
 * From the library's own file, so that a staged or relocated installation
 * finds its own programs, and nothing that anybody can set.  A program that
 * is not there is noticed by whoever starts it.
 */
const char *
mf_program_path(const char *name)
{
	static char path[MAXPGPATH];
	Dl_info		library;
	char	   *file;

	if (dladdr(&mf_worker_types, &library) == 0 || library.dli_fname == NULL)
		elog(ERROR, "could not find the file of the mesflow library");

	/* Links are followed first: ".." after a link leads elsewhere. */
	file = realpath(library.dli_fname, NULL);
	if (file == NULL)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not resolve path \"%s\": %m",
						library.dli_fname)));
	strlcpy(path, file, sizeof(path));
	free(file);

	get_parent_directory(path);
	join_path_components(path, path, MF_PROGRAMS_FROM_LIB);
	join_path_components(path, path, name);
	canonicalize_path(path);
	return path;
}
