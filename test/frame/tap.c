/*
 * tap.c
 *		See tap.h.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "tap.h"

#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int	tests_run;
static int	tests_failed;

bool
ok(bool good, const char *text,...)
{
	va_list		args;

	tests_run++;
	if (!good)
		tests_failed++;
	printf("%sok %d - ", good ? "" : "not ", tests_run);
	va_start(args, text);
	vprintf(text, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	return good;
}

void
skip(int count, const char *why)
{
	while (count-- > 0)
		printf("ok %d # skip %s\n", ++tests_run, why);
	fflush(stdout);
}

int
done_testing(void)
{
	printf("1..%d\n", tests_run);
	return tests_failed > 0 ? 1 : 0;
}

int
count_descriptors(void)
{
	DIR		   *directory = opendir("/proc/self/fd");
	int			count = 0;

	if (directory == NULL)
		return -1;
	while (readdir(directory) != NULL)
		count++;
	closedir(directory);
	return count - 3;			/* ".", ".." and the directory's own */
}

const char *
beside(const char *argv0, const char *name)
{
	static char path[2 * PATH_MAX];
	char		resolved[PATH_MAX];
	char	   *slash;

	if (realpath(argv0, resolved) == NULL)
	{
		perror(argv0);
		exit(1);
	}
	slash = strrchr(resolved, '/');
	*slash = '\0';
	snprintf(path, sizeof(path), "%s/%s", resolved, name);
	return path;
}

void
pause_briefly(void)
{
	const struct timespec millisecond = {0, 1000000};

	nanosleep(&millisecond, NULL);
}

int
wait_for(pid_t pid)
{
	int			status;

	for (int i = 0; i < 60000; i++)
	{
		pid_t		gone = waitpid(pid, &status, WNOHANG);

		if (gone == pid)
			return status;
		if (gone < 0)
			return -1;
		pause_briefly();
	}
	printf("# process %d does not end\n", (int) pid);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return -1;
}

unsigned long
next_random(unsigned long *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}
