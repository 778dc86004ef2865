/*
 * command.c
 *		What the command lines of the programs have in common.
 */
#include "command.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Used wrongly, or something is not readable. */
#define EXIT_USAGE		2

int
mf_complain(const char *format,...)
{
	va_list		args;

	va_start(args, format);
	vwarnx(format, args);
	va_end(args);
	return EXIT_USAGE;
}

int
mf_complain_of_option(int found, char **argv)
{
	if (found == ':')
		return mf_complain("option \"%s\" needs a value; try --help",
						   argv[optind - 1]);
	if (optopt != 0)
		return mf_complain("unknown option \"-%c\"; try --help", optopt);
	return mf_complain("unknown option \"%s\"; try --help", argv[optind - 1]);
}

bool
mf_read_number(const char *text, uint64_t least, uint64_t most,
			   uint64_t *number)
{
	char	   *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*number = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0' && *number >= least && *number <= most;
}

bool
mf_command_serves(int argc, char **argv, int (*serve) (pid_t parent),
				  int *status)
{
	uint64_t	parent;

	if (argc != 3 || strcmp(argv[1], "--serve") != 0)
		return false;
	if (mf_read_number(argv[2], 1, INT32_MAX, &parent))
		*status = serve((pid_t) parent);
	else
		*status = mf_complain("\"%s\" is no process", argv[2]);
	return true;
}
