/*
 * command.c
 *		What the command lines of the programs have in common.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "command.h"

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Used wrongly, or something is not readable. */
#define EXIT_USAGE		2

char *
mf_make_plain(char *text)
{
	for (char *p = text; *p != '\0'; p++)
	{
		const unsigned char byte = (unsigned char) *p;
		const unsigned char next = (unsigned char) p[1];

		/* U+0080 to U+009F begin with C2; without UTF-8 they are single. */
		if (byte < 0x20 || byte == 0x7f ||
			(byte == 0xc2 && next >= 0x80 && next < 0xa0))
			*p = '?';
		else if (byte >= 0x80 && byte < 0xa0 &&
				 (p == text || (unsigned char) p[-1] < 0x80))
			*p = '?';
	}
	return text;
}

int
mf_complain(const char *format,...)
{
	char	   *text;
	va_list		args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	warnx("%s", text == NULL ? format : mf_make_plain(text));
	free(text);
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
