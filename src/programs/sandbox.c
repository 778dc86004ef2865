/*
 * sandbox.c
 *		Locking a program in before it looks at a stranger's bytes.
 *
 * The program runs as the user who owns the database's files.  Should a
 * crafted model take it over, what is left to the attacker is: his own
 * memory, one socket to a parent that believes nothing, and the clock.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Standard streams and the socket. */
#define DESCRIPTORS		4

/*
 * AddressSanitizer reserves terabytes of addresses and calls what no program
 * of ours would: built with it, there is no sandbox and no memory limit.
 */
#if defined(__SANITIZE_ADDRESS__)
#define BUILT_WITH_ASAN	true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BUILT_WITH_ASAN	true
#endif
#endif
#ifndef BUILT_WITH_ASAN
#define BUILT_WITH_ASAN	false
#endif

/*
 * Allowed whatever the arguments.
 *
 * read, write, writev, recvmsg, sendmsg, close: the socket; nothing else is
 * open, and nothing can be opened.  munmap, mremap, brk: malloc.
 * futex, sched_yield: threads that already run.  clock_gettime, gettimeofday:
 * where the clock is not readable without a call.  getrandom: malloc and
 * expat seed themselves.  restart_syscall: the kernel's own, after SIGSTOP
 * and SIGCONT.  rt_sigprocmask, getpid, gettid, with tgkill below: abort() and
 * the end of a thread; without them a failed assertion would look like an
 * attack.  No rt_sigaction: SIGXCPU stays deadly.
 */
static const int allowed[] = {
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmsg),
	SCMP_SYS(close),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(brk),
	SCMP_SYS(futex),
	SCMP_SYS(sched_yield),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(getrandom),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group)
};

/*
 * Can this kernel confine us?  Asks whether it knows the action that kills
 * the whole process (Linux 4.14); where an outer sandbox forbids the call
 * itself, the answer is no.
 */
bool
mf_sandbox_available(void)
{
	uint32_t	action = SECCOMP_RET_KILL_PROCESS;

	if (BUILT_WITH_ASAN)
		return false;
	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

/* Bytes of address space in use; 0 where that cannot be found out. */
static uint64_t
mapped_now(void)
{
	char		text[64];
	uint64_t	pages;
	ssize_t		length;
	int			fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	do
		length = read(fd, text, sizeof(text) - 1);
	while (length < 0 && errno == EINTR);
	close(fd);
	if (length <= 0)
		return 0;
	text[length] = '\0';
	if (sscanf(text, "%" SCNu64, &pages) != 1)
		return 0;
	return pages * (uint64_t) sysconf(_SC_PAGESIZE);
}

static bool
limit(int resource, uint64_t soft, uint64_t hard)
{
	const struct rlimit value = {(rlim_t) soft, (rlim_t) hard};

	return setrlimit(resource, &value) == 0;
}

/*
 * Resource limits; see sandbox.h.  The processor's is soft first, so that the
 * death by SIGXCPU tells the parent why; the hard one, a second later, is for
 * a program that has blocked that signal.
 */
bool
mf_sandbox_limit(uint64_t memory, uint32_t cpu_seconds)
{
	if (!BUILT_WITH_ASAN)
	{
		uint64_t	mapped = mapped_now();

		if (mapped == 0 || memory >= INT64_MAX - mapped ||
			!limit(RLIMIT_AS, mapped + memory, mapped + memory))
			return false;
	}
	return limit(RLIMIT_CPU, cpu_seconds, (uint64_t) cpu_seconds + 1) &&
		limit(RLIMIT_FSIZE, 0, 0) &&
		limit(RLIMIT_NOFILE, DESCRIPTORS, DESCRIPTORS) &&
		limit(RLIMIT_NPROC, 0, 0) &&
		limit(RLIMIT_CORE, 0, 0);
}

static bool
add_rules(scmp_filter_ctx filter)
{
	/* What is not of this machine's own kind of system calls, x32 included. */
	if (seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH,
						 SCMP_ACT_KILL_PROCESS) != 0)
		return false;

	/* For all threads, and not at all where one of them cannot follow. */
	if (seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) != 0)
		return false;

	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0) != 0)
			return false;

	/* Memory, but none that can be run. */
	if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
						 SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) != 0 ||
		seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
						 SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) != 0)
		return false;

	/* Advice, but not that a page of memory be taken out of service. */
	if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(madvise), 1,
						 SCMP_A2(SCMP_CMP_LT, MADV_HWPOISON, 0)) != 0)
		return false;

	/* abort() and nothing else, to ourselves and nobody else. */
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 2,
							SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t) getpid(), 0),
							SCMP_A2(SCMP_CMP_EQ, SIGABRT, 0)) == 0;
}

/*
 * The system-call filter; see sandbox.h.  libseccomp sets no_new_privs, which
 * an unprivileged process needs for this.
 */
bool
mf_sandbox_enter(void)
{
	scmp_filter_ctx filter;
	bool		entered;

	if (!mf_sandbox_available())
		return false;
	filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (filter == NULL)
		return false;
	entered = add_rules(filter) && seccomp_load(filter) == 0;
	seccomp_release(filter);
	return entered;
}
