/*
 * spawn.c
 *		The parent's side of a program's life: start, kill, reap.
 *
 * posix_spawn with file actions rather than fork: the parent is attached to
 * shared memory and may be large; nothing of it is copied, and no code of
 * ours runs in between.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "frame.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static double
timeval_ms(struct timeval time)
{
	return (double) time.tv_sec * 1000 + (double) time.tv_usec / 1000;
}

static void
close_ours(MfProgram *program)
{
	if (program->fd >= 0)
		close(program->fd);
	program->fd = -1;
}

/*
 * What the new process does before it becomes the program.  The socket goes
 * to its place first: it may sit on 0, 1 or 2, which are overwritten next.
 * (dup2 onto itself clears close-on-exec there: glibc 2.29 and later.)
 */
static int
add_actions(posix_spawn_file_actions_t *actions, int child_fd)
{
	int			error;

	error = posix_spawn_file_actions_adddup2(actions, child_fd,
											 MF_PROGRAM_FD);
	for (int fd = 0; fd <= 2 && error == 0; fd++)
		error = posix_spawn_file_actions_addopen(actions, fd, "/dev/null",
												 fd == 0 ? O_RDONLY : O_WRONLY,
												 0);
	if (error == 0)
		error = posix_spawn_file_actions_addclosefrom_np(actions,
														 MF_PROGRAM_FD + 1);
	if (error == 0)
		error = posix_spawn_file_actions_addchdir_np(actions, "/");
	return error;
}

/*
 * Every signal as the system has it, none blocked.  The process group stays
 * the caller's, so that what ends a whole server ends its programs too.
 */
static int
set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t	none;
	sigset_t	all;
	int			error;

	sigemptyset(&none);
	sigfillset(&all);
	sigdelset(&all, SIGKILL);
	sigdelset(&all, SIGSTOP);
	error = posix_spawnattr_setsigmask(attributes, &none);
	if (error == 0)
		error = posix_spawnattr_setsigdefault(attributes, &all);
	if (error == 0)
		error = posix_spawnattr_setflags(attributes,
										 POSIX_SPAWN_SETSIGMASK |
										 POSIX_SPAWN_SETSIGDEF);
	return error;
}

/* Starts `path` with child_fd as its socket; 0 or an errno. */
static int
spawn(const char *path, int child_fd, pid_t *pid)
{
	const char *slash = strrchr(path, '/');
	char		parent[16];
	char		serve[] = "--serve";
	char	   *argv[] = {(char *) (slash + 1), serve, parent, NULL};
	char	   *envp[] = {NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int			error;

	snprintf(parent, sizeof(parent), "%d", (int) getpid());
	error = posix_spawn_file_actions_init(&actions);
	if (error != 0)
		return error;
	error = posix_spawnattr_init(&attributes);
	if (error == 0)
	{
		error = add_actions(&actions, child_fd);
		if (error == 0)
			error = set_attributes(&attributes);
		if (error == 0)
			error = posix_spawn(pid, path, &actions, &attributes, argv, envp);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

/*
 * Starts a program; see frame.h.
 */
bool
mf_program_spawn(const char *path, MfProgram *program, char *error,
				 size_t error_size)
{
	int			pair[2];
	int			failure = 0;
	pid_t		pid = 0;
	const char *reason;

	program->pid = 0;
	program->fd = -1;
	if (path[0] != '/')
	{
		snprintf(error, error_size,
				 "could not start program \"%s\": the path is not absolute",
				 path);
		return false;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		failure = errno;
	else
	{
		/* Only our end: the program has nothing to do but wait. */
		if (fcntl(pair[0], F_SETFL, O_NONBLOCK) != 0)
			failure = errno;
		else
			failure = spawn(path, pair[1], &pid);
		close(pair[1]);
		if (failure != 0)
			close(pair[0]);
	}
	if (failure != 0)
	{
		reason = strerrordesc_np(failure);
		snprintf(error, error_size, "could not start program \"%s\": %s",
				 path, reason != NULL ? reason : "unknown error");
		return false;
	}
	program->pid = pid;
	program->fd = pair[0];
	return true;
}

/*
 * Ends a program for good.  The pid is still ours: nobody but us reaps it.
 */
void
mf_program_kill(MfProgram *program)
{
	if (program->pid > 0)
		kill(program->pid, SIGKILL);
	close_ours(program);
}

/*
 * Reaps without waiting; see frame.h.
 */
bool
mf_program_reap(MfProgram *program, MfProgramEnd *end)
{
	struct rusage usage;
	int			status = 0;
	pid_t		pid = 0;

	memset(end, 0, sizeof(*end));
	if (program->pid > 0)
	{
		memset(&usage, 0, sizeof(usage));
		do
			pid = wait4(program->pid, &status, WNOHANG, &usage);
		while (pid < 0 && errno == EINTR);
		if (pid == 0)
			return false;
		if (pid < 0)
			end->exit_status = -1;
		else
		{
			if (WIFSIGNALED(status))
				end->signal = WTERMSIG(status);
			else
				end->exit_status = WEXITSTATUS(status);
			end->cpu_ms = timeval_ms(usage.ru_utime) +
				timeval_ms(usage.ru_stime);
			end->max_rss_kb = usage.ru_maxrss;
		}
	}
	program->pid = 0;
	close_ours(program);
	return true;
}

/*
 * The meaning of an end; see frame.h.
 */
MfErrorCode
mf_program_end_to_error(const MfProgramEnd *end)
{
	if (end->signal == SIGXCPU)
		return MF_ERROR_TIMEOUT;
	if (end->signal != 0 || end->exit_status != 0)
		return MF_ERROR_CRASHED;
	return MF_ERROR_NONE;
}
