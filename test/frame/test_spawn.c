/*
 * test_spawn.c
 *		The life of a program: how it finds itself, and that it ends.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "frame/frame.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static char probe[8192];
static char answer[4097];

/* The program's answer to a command, waited for; "" where it gives none. */
static const char *
ask(const MfProgram *program, const char *command)
{
	answer[0] = '\0';
	if (send(program->fd, command, strlen(command), MSG_NOSIGNAL) < 0)
		return answer;
	for (int i = 0; i < 60000; i++)
	{
		ssize_t		length = recv(program->fd, answer, sizeof(answer) - 1, 0);

		if (length < 0 && errno == EAGAIN)
		{
			pause_briefly();
			continue;
		}
		answer[length > 0 ? length : 0] = '\0';
		break;
	}
	return answer;
}

/* Reaps, waiting at most a minute. */
static bool
reap(MfProgram *program, MfProgramEnd *end)
{
	for (int i = 0; i < 60000; i++)
	{
		if (mf_program_reap(program, end))
			return true;
		pause_briefly();
	}
	return false;
}

static bool
spawn(MfProgram *program)
{
	char		error[200] = "";

	if (mf_program_spawn(probe, program, error, sizeof(error)))
		return true;
	printf("# %s\n", error);
	return false;
}

static bool
has_line(const char *text, const char *line)
{
	const char *at = strstr(text, line);

	return at != NULL && (at == text || at[-1] == '\n') &&
		(at[strlen(line)] == '\n' || at[strlen(line)] == '\0');
}

/* A parent in as much disorder as can be. */
static void
test_surroundings(void)
{
	static const char plain[] =
	"descriptors: 0=/dev/null 1=/dev/null 2=/dev/null 3=socket";
	struct sigaction ignore;
	MfProgram	program;
	MfProgramEnd end;
	sigset_t	blocked;
	sigset_t	before;
	char		line[200];
	int			opened[50];
	int			nice_now;

	for (int i = 0; i < 50; i++)
		opened[i] = open("/dev/zero", O_RDONLY);
	dup2(opened[0], 900);
	memset(&ignore, 0, sizeof(ignore));
	ignore.sa_handler = SIG_IGN;
	sigaction(SIGTERM, &ignore, NULL);
	sigaction(SIGUSR2, &ignore, NULL);
	sigaction(SIGRTMIN, &ignore, NULL);
	sigfillset(&blocked);
	sigprocmask(SIG_SETMASK, &blocked, &before);
	setenv("SECRET", "x", 1);

	if (!ok(spawn(&program), "a program starts"))
		exit(done_testing());
	sigprocmask(SIG_SETMASK, &before, NULL);
	ok(program.pid > 0 && fcntl(program.fd, F_GETFD) == FD_CLOEXEC &&
	   (fcntl(program.fd, F_GETFL) & O_NONBLOCK) != 0,
	   "our end is close-on-exec and does not block");

	ask(&program, "report");
	ok(has_line(answer, plain),
	   "of 50 open descriptors it has none, but its socket and /dev/null");
	ok(has_line(answer, "environment: 0"), "its environment is empty");
	ok(has_line(answer, "folder: /"), "its folder is /");
	ok(has_line(answer, "blocked:"), "no signal is blocked");
	ok(has_line(answer, "not default:"), "all signals do what they do");
	snprintf(line, sizeof(line), "arguments: probe --serve %d",
			 (int) getpid());
	ok(has_line(answer, line), "it is told who its parent is");
	snprintf(line, sizeof(line), "group: %d", (int) getpgrp());
	ok(has_line(answer, line), "it stays in our process group");
	if (strstr(answer, "not default:\n") == NULL)
		printf("# %s\n", answer);

	ok(strcmp(ask(&program, "settle"), "yes") == 0, "it settles");
	ask(&program, "report");
	snprintf(line, sizeof(line), "not default: %d %d %d %d", SIGHUP, SIGINT,
			 SIGPIPE, SIGTERM);
	ok(has_line(answer, line), "settled: HUP, INT, PIPE, TERM are ignored");
	ok(has_line(answer, "parent death: 9"), "settled: dies with its parent");
	ok(has_line(answer, "oom score: 1000"),
	   "settled: the first to go when memory runs out");
	ok(has_line(answer, "umask: 077") && has_line(answer, "core: 0") &&
	   has_line(answer, "dumpable: 0") &&
	   has_line(answer, "no new privileges: 1"),
	   "settled: no core, no dump, no privileges, umask 077");
	nice_now = getpriority(PRIO_PROCESS, 0);
	snprintf(line, sizeof(line), "nice: %d", nice_now);
	ok(has_line(answer, line), "settled: as nice as we are");
	ok(has_line(answer, plain), "settled: the same descriptors");

	kill(program.pid, SIGTERM);
	kill(program.pid, SIGINT);
	ok(strcmp(ask(&program, "settle"), "yes") == 0,
	   "signals for the group do not end it");
	ok(!mf_program_reap(&program, &end) && program.pid > 0,
	   "it is not reaped while it runs");
	mf_program_kill(&program);
	ok(program.fd == -1 && program.pid > 0, "killed, our end is closed");
	ok(reap(&program, &end) && end.signal == SIGKILL &&
	   end.exit_status == 0 && program.pid == 0 && program.fd == -1,
	   "killed, it is reaped");
	ok(end.max_rss_kb > 0, "what it used is known");

	for (int i = 0; i < 50; i++)
		close(opened[i]);
	close(900);
	signal(SIGTERM, SIG_DFL);
	signal(SIGUSR2, SIG_DFL);
	signal(SIGRTMIN, SIG_DFL);
	unsetenv("SECRET");
}

/* A parent without standard streams: the socket pair lands on 0 and 1. */
static void
test_bare_parent(void)
{
	pid_t		child = fork();

	if (child == 0)
	{
		MfProgram	program;
		MfProgramEnd end;
		int			good;

		for (int fd = 0; fd <= 4; fd++)
			close(fd);
		good = spawn(&program) && program.fd <= 1 &&
			has_line(ask(&program, "report"), "descriptors: 0=/dev/null "
					 "1=/dev/null 2=/dev/null 3=socket");
		mf_program_kill(&program);
		_exit(good && reap(&program, &end) ? 0 : 1);
	}
	ok(wait_for(child) == 0,
	   "a parent without standard streams starts a proper program");
}

static void
test_failures(void)
{
	struct rlimit saved;
	struct rlimit few = {0, 0};
	MfProgram	program = {1, 1};
	MfProgramEnd end;
	char		error[200] = "";
	char		tight[8];
	char		tail[8192 + 64];
	int			before = count_descriptors();

	ok(!mf_program_spawn("/nowhere/at/all", &program, error,
						 sizeof(error)) &&
	   strcmp(error, "could not start program \"/nowhere/at/all\": "
			  "No such file or directory") == 0 &&
	   program.pid == 0 && program.fd == -1, "no such program: %s", error);
	ok(!mf_program_spawn("/dev/null", &program, error, sizeof(error)) &&
	   strstr(error, "Permission denied") != NULL,
	   "no program at all: %s", error);
	ok(!mf_program_spawn("probe", &program, error, sizeof(error)) &&
	   strcmp(error, "could not start program \"probe\": "
			  "the path is not absolute") == 0, "no full path: %s", error);
	snprintf(tail, sizeof(tail), "%s/probe", probe);
	ok(!mf_program_spawn(tail, &program, tight, sizeof(tight)) &&
	   strcmp(tight, "could n") == 0, "little room for the reason");
	ok(count_descriptors() == before && waitpid(-1, NULL, WNOHANG) == -1 &&
	   errno == ECHILD, "failures leave no descriptor and no process");

	getrlimit(RLIMIT_NOFILE, &saved);
	few.rlim_max = saved.rlim_max;
	setrlimit(RLIMIT_NOFILE, &few);
	ok(!mf_program_spawn(probe, &program, error, sizeof(error)) &&
	   strstr(error, "Too many open files") != NULL,
	   "no descriptors left: %s", error);
	setrlimit(RLIMIT_NOFILE, &saved);

	mf_program_kill(&program);
	ok(mf_program_reap(&program, &end) && end.signal == 0 &&
	   end.exit_status == 0, "killing and reaping nothing is harmless");
}

static void
test_ends(void)
{
	static const struct
	{
		const char *command;
		int			exit_status;
		int			signal;
		MfErrorCode error;
	}			ends[] =

	{
		{"exit 0", 0, 0, MF_ERROR_NONE},
		{"exit 7", 7, 0, MF_ERROR_CRASHED},
		{"raise 6", 0, SIGABRT, MF_ERROR_CRASHED},
		{"raise 9", 0, SIGKILL, MF_ERROR_CRASHED},
		{"raise 11", 0, SIGSEGV, MF_ERROR_CRASHED},
		{"raise 31", 0, SIGSYS, MF_ERROR_CRASHED},
		{"spin 1", 0, SIGXCPU, MF_ERROR_TIMEOUT}
	};
	MfProgram	program;
	MfProgramEnd end;

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
	{
		bool		closed;

		spawn(&program);
		ask(&program, "settle");
		closed = ask(&program, ends[i].command)[0] == '\0';
		ok(closed && reap(&program, &end) &&
		   end.exit_status == ends[i].exit_status &&
		   end.signal == ends[i].signal &&
		   mf_program_end_to_error(&end) == ends[i].error,
		   "\"%s\" is seen as status %d, signal %d: %s", ends[i].command,
		   end.exit_status, end.signal,
		   mf_error_code_name(mf_program_end_to_error(&end)));
	}
	ok(end.cpu_ms >= 900, "the processor time it was allowed is used");

	spawn(&program);
	close(program.fd);
	program.fd = -1;
	ok(reap(&program, &end) && end.signal == 0 && end.exit_status == 0,
	   "a program whose parent hangs up exits");

	spawn(&program);
	mf_program_kill(&program);
	waitpid(program.pid, NULL, 0);
	ok(mf_program_reap(&program, &end) && end.exit_status == -1 &&
	   mf_program_end_to_error(&end) == MF_ERROR_CRASHED &&
	   program.pid == 0, "reaped by somebody else, it is gone all the same");
}

static void
test_orphans(void)
{
	MfProgram	program;
	MfProgramEnd end;
	int			channel[2];
	pid_t		middle;
	pid_t		grandchild = 0;
	int			status;

	spawn(&program);
	ok(strcmp(ask(&program, "settle 1"), "no") == 0,
	   "a program whose parent has died already does not settle");
	mf_program_kill(&program);
	reap(&program, &end);

	/* We inherit the orphan, so that its end can be seen. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (pipe(channel) != 0)
		abort();
	middle = fork();
	if (middle == 0)
	{
		if (!spawn(&program) || strcmp(ask(&program, "settle"), "yes") != 0)
			_exit(1);

		/* It looks at its socket no more: only the signal can end it. */
		if (send(program.fd, "wait", 4, 0) != 4 ||
			write(channel[1], &program.pid, sizeof(program.pid)) < 0)
			_exit(1);
		for (;;)
			pause();
	}
	if (read(channel[0], &grandchild, sizeof(grandchild)) !=
		sizeof(grandchild))
		grandchild = 0;
	kill(middle, SIGKILL);
	status = wait_for(middle);
	ok(grandchild > 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
	   "a parent is killed");
	status = wait_for(grandchild);
	ok(grandchild > 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
	   "its program dies with it");
	close(channel[0]);
	close(channel[1]);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
}

static void
test_many(void)
{
	int			before = count_descriptors();
	int			started = 0;
	int			reaped = 0;
	MfProgram	program;
	MfProgramEnd end;

	for (int i = 0; i < 1000; i++)
	{
		if (spawn(&program))
			started++;
		mf_program_kill(&program);
		if (reap(&program, &end) && end.signal == SIGKILL)
			reaped++;
	}
	ok(started == 1000 && reaped == 1000, "1000 programs come and go");
	ok(count_descriptors() == before, "and leave no descriptor");
	ok(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD,
	   "and no process");
}

int
main(int argc, char **argv)
{
	(void) argc;
	snprintf(probe, sizeof(probe), "%s", beside(argv[0], "probe"));
	test_surroundings();
	test_bare_parent();
	test_failures();
	test_ends();
	test_orphans();
	test_many();
	return done_testing();
}
