/* build: nosan */
/*
 * probe.c
 *		A program to be spawned by the tests: does what packets on its socket
 *		say, and answers each with one.
 *
 *		report		how it finds itself, as lines "name: value"
 *		settle		calls mf_program_settle with its argument: "yes" or "no"
 *		settle N	the same for parent N
 *		exit N		exits with that status
 *		raise N		raises that signal
 *		spin N		computes for ever under a limit of N processor seconds
 *		wait		waits for ever
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "frame/frame.h"
#include "programs/sandbox.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char answer[4096];

static void say(const char *format,...)
			__attribute__((format(printf, 1, 2)));

static void
say(const char *format,...)
{
	size_t		length = strlen(answer);
	va_list		args;

	va_start(args, format);
	vsnprintf(answer + length, sizeof(answer) - length, format, args);
	va_end(args);
}

static void
say_descriptors(void)
{
	DIR		   *directory = opendir("/proc/self/fd");
	int			own = dirfd(directory);

	say("descriptors:");
	for (int fd = 0; fd < 4096; fd++)
	{
		char		path[64];
		char		target[256];
		ssize_t		length;

		if (fd == own)
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		length = readlink(path, target, sizeof(target) - 1);
		if (length < 0)
			continue;
		target[length] = '\0';
		if (strchr(target, ':') != NULL)
			*strchr(target, ':') = '\0';
		say(" %d=%s", fd, target);
	}
	say("\n");
	closedir(directory);
}

static void
say_signals(void)
{
	sigset_t	mask;

	sigprocmask(SIG_BLOCK, NULL, &mask);
	say("blocked:");
	for (int number = 1; number < NSIG; number++)
		if (sigismember(&mask, number) == 1)
			say(" %d", number);
	say("\nnot default:");
	for (int number = 1; number < NSIG; number++)
	{
		struct sigaction action;

		if (sigaction(number, NULL, &action) == 0 &&
			action.sa_handler != SIG_DFL)
			say(" %d%s", number,
				action.sa_handler == SIG_IGN ? "" : " caught");
	}
	say("\n");
}

static void
say_limits(void)
{
	char		score[32] = "";
	int			fd = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);
	struct rlimit core;
	ssize_t		length = read(fd, score, sizeof(score) - 1);
	mode_t		mask = umask(0);
	int			death = 0;

	close(fd);
	umask(mask);
	score[length > 0 ? strcspn(score, "\n") : 0] = '\0';
	getrlimit(RLIMIT_CORE, &core);
	prctl(PR_GET_PDEATHSIG, &death);
	say("oom score: %s\n", score);
	say("umask: %03o\n", (unsigned int) mask);
	say("core: %llu\n", (unsigned long long) core.rlim_max);
	say("parent death: %d\n", death);
	say("dumpable: %d\n", prctl(PR_GET_DUMPABLE));
	say("no new privileges: %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	say("nice: %d\n", getpriority(PRIO_PROCESS, 0));
}

static void
report(int argc, char **argv)
{
	char		folder[256];
	int			count = 0;

	say_descriptors();
	while (environ[count] != NULL)
		count++;
	say("environment: %d\n", count);
	say("folder: %s\n", getcwd(folder, sizeof(folder)));
	say("arguments:");
	for (int i = 0; i < argc; i++)
		say(" %s", argv[i]);
	say("\nparent: %d\n", (int) getppid());
	say("group: %d\n", (int) getpgrp());
	say_signals();
	say_limits();
}

int
main(int argc, char **argv)
{
	char		command[64];
	ssize_t		length;

	for (;;)
	{
		length = recv(MF_PROGRAM_FD, command, sizeof(command) - 1, 0);
		if (length <= 0)
			return 0;
		command[length] = '\0';
		answer[0] = '\0';
		if (strcmp(command, "report") == 0)
			report(argc, argv);
		else if (strncmp(command, "settle", 6) == 0)
			say("%s", mf_program_settle(atoi(command[6] == '\0' ? argv[2] :
											 command + 6)) ? "yes" : "no");
		else if (strncmp(command, "exit", 4) == 0)
			return atoi(command + 4);
		else if (strncmp(command, "raise", 5) == 0)
			raise(atoi(command + 5));
		else if (strcmp(command, "wait") == 0)
			for (;;)
				pause();
		else if (strncmp(command, "spin", 4) == 0)
		{
			if (!mf_sandbox_limit(1 << 20, (uint32_t) atoi(command + 4)))
				return 1;
			for (volatile unsigned int spin = 0;; spin++)
				;
		}
		if (send(MF_PROGRAM_FD, answer, strlen(answer), MSG_NOSIGNAL) < 0)
			return 0;
	}
}
