/*
 * settle.c
 *		The first thing a program does: tie its life to its parent's and give
 *		up what it does not need.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "frame.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * If memory runs out, the kernel shall end this process and no backend, for
 * that would restart the server.  Raising the score takes no privilege; where
 * /proc is missing we do without.
 */
static void
offer_to_oom_killer(void)
{
	int			fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	ssize_t		written;

	if (fd < 0)
		return;
	do
		written = write(fd, "1000", 4);
	while (written < 0 && errno == EINTR);
	close(fd);
}

/*
 * Settles a program; see frame.h.
 */
bool
mf_program_settle(pid_t parent)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
	const struct rlimit no_core = {0, 0};
	struct sigaction ignore;

	/* In this order, or a parent that dies in between would be missed. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
		return false;

	/*
	 * A fast shutdown or a cancel signals the whole process group; when to
	 * stop is for the parent to say.  SIGQUIT keeps its default and ends us.
	 */
	memset(&ignore, 0, sizeof(ignore));
	ignore.sa_handler = SIG_IGN;
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		if (sigaction(ignored[i], &ignore, NULL) != 0)
			return false;

	/* Before we stop being dumpable: after that, our /proc is root's. */
	offer_to_oom_killer();

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
		prctl(PR_SET_DUMPABLE, 0) != 0 ||
		setrlimit(RLIMIT_CORE, &no_core) != 0)
		return false;

	(void) umask(077);

	/* The spawner has closed everything; this is for other spawners. */
	(void) close_range(MF_PROGRAM_FD + 1, ~0U, 0);
	return true;
}
