/*
 * geometry_time.c
 *		Runs a program once, and says how long it took, how much memory it had
 *		at its height, and how long processors worked for it.
 *
 *		geometry_time OUTPUT PROGRAM [ARGUMENT]...
 *
 * The program's output goes to the file OUTPUT.  Prints "MILLISECONDS KB MILLISECONDS".
 * Exit status: the program's, or 99 where it could not be run or was killed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EXIT_BROKEN	99

int
main(int argc, char **argv)
{
	struct timespec from;
	struct timespec to;
	struct rusage usage;
	pid_t		child;
	int			status;

	if (argc < 3)
	{
		fprintf(stderr, "usage: geometry_time OUTPUT PROGRAM [ARGUMENT]...\n");
		return EXIT_BROKEN;
	}
	clock_gettime(CLOCK_MONOTONIC, &from);
	child = fork();
	if (child == 0)
	{
		const int	fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0644);

		if (fd >= 0 && dup2(fd, 1) == 1 && dup2(fd, 2) == 2)
			execvp(argv[2], argv + 2);
		_exit(EXIT_BROKEN);
	}
	if (child < 0 || wait4(child, &status, 0, &usage) != child)
	{
		perror("geometry_time");
		return EXIT_BROKEN;
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	printf("%.1f %ld %.1f\n", (double) (to.tv_sec - from.tv_sec) * 1e3 +
		   (double) (to.tv_nsec - from.tv_nsec) / 1e6, usage.ru_maxrss,
		   (double) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
		   (double) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3);
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_BROKEN;
}
