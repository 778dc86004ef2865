/*
 * geometry_program.h
 *		What the files of mesflow-geometry share.
 */
#ifndef MF_GEOMETRY_PROGRAM_H
#define MF_GEOMETRY_PROGRAM_H

#include <sys/types.h>

/*
 * Serves one job to the process that has started this one: reads it from the
 * descriptor that was inherited, sandboxed.  Ends when `parent` does.
 * Returns the exit status.
 */
extern int	mf_geometry_serve(pid_t parent);

#endif							/* MF_GEOMETRY_PROGRAM_H */
