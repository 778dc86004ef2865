/*
 * command.h
 *		What the command lines of the programs have in common.
 */
#ifndef MF_COMMAND_H
#define MF_COMMAND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Makes a text that is not ours, such as a file's name, one that a terminal
 * shows and does not obey: control characters become question marks, those of
 * UTF-8's second block, too.  Returns the text.
 */
extern char *mf_make_plain(char *text);

/* Prints to stderr what is wrong, and where to look; returns the status. */
extern int	mf_complain(const char *format,...)
			__attribute__((format(printf, 1, 2)));

/* Complains of what getopt_long found to be wrong; returns the status. */
extern int	mf_complain_of_option(int found, char **argv);

/* A whole number from `least` to `most`; false: it is none. */
extern bool mf_read_number(const char *text, uint64_t least, uint64_t most,
						   uint64_t *number);

/*
 * Is this how the server starts a program, with --serve and its own pid?  Then
 * serves it, and *status is what to exit with.
 */
extern bool mf_command_serves(int argc, char **argv, int (*serve) (pid_t parent),
							  int *status);

#endif							/* MF_COMMAND_H */
