/* build: nosan */
/*
 * test_sandbox.c
 *		What a confined process can still do, and what it dies of trying.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "programs/sandbox.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What a child of ours exits with where something went wrong before. */
#define EXIT_NO_SANDBOX	99
#define EXIT_SURVIVED	98

/* A file that nobody has made. */
#define FRESH_FILE		"written-by-test-sandbox"

static int	pair[2];
static char page[4096] __attribute__((aligned(4096)));

/* Dying is what the children are for: no core, no last words. */
static void
die_quietly(void)
{
	const struct rlimit none = {0, 0};
	const int	null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	setrlimit(RLIMIT_CORE, &none);
	dup2(null, STDERR_FILENO);
	close(null);
}

/* Runs `act` in a confined child; the child's status. */
static int
confined(int (*act) (void))
{
	pid_t		child;

	fflush(stdout);
	child = fork();
	if (child == 0)
	{
		die_quietly();
		if (!mf_sandbox_enter())
			_exit(EXIT_NO_SANDBOX);
		_exit(act());
	}
	return wait_for(child);
}

static bool
died_of(int status, int signal)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == signal;
}

/*
 * Things to try.  By number, so that no library function does something
 * else first.
 */
typedef struct Attempt
{
	const char *name;
	long		number;
	long		arguments[6];
} Attempt;

static const Attempt *attempt;

static int
try(void)
{
	const long *a = attempt->arguments;

	syscall(attempt->number, a[0], a[1], a[2], a[3], a[4], a[5]);
	return EXIT_SURVIVED;
}

static void
test_attempts(void)
{
	static char *no_arguments[] = {NULL};
	static struct clone_args clone3_args = {.exit_signal = SIGCHLD};
	static struct iovec vector = {page, 16};
	const long	shell = (long) "/bin/sh";
	const long	passwords = (long) "/etc/passwd";
	const long	fresh = (long) FRESH_FILE;
	const long	here = (long) page;
	const long	empty = (long) no_arguments;
	const long	parent = getpid();
	const Attempt attempts[] = {
#ifdef SYS_fork
		{"fork", SYS_fork, {0}},
		{"vfork", SYS_vfork, {0}},
		{"open", SYS_open, {passwords, O_RDONLY}},
		{"creat", SYS_creat, {fresh, 0600}},
		{"unlink", SYS_unlink, {fresh}},
		{"rename", SYS_rename, {fresh, fresh}},
		{"poll", SYS_poll, {here, 0, 0}},
#endif
		{"clone", SYS_clone, {SIGCHLD}},
		{"clone of a thread", SYS_clone,
		{CLONE_VM | CLONE_THREAD | CLONE_SIGHAND}},
		{"clone3", SYS_clone3, {(long) &clone3_args, sizeof(clone3_args)}},
		{"execve", SYS_execve, {shell, empty, empty}},
		{"execveat", SYS_execveat, {AT_FDCWD, shell, empty, empty, 0}},
		{"openat", SYS_openat, {AT_FDCWD, passwords, O_RDONLY}},
		{"openat2", SYS_openat2, {AT_FDCWD, passwords, here, 24}},
		{"openat for writing", SYS_openat,
		{AT_FDCWD, fresh, O_CREAT | O_WRONLY, 0600}},
		{"unlinkat", SYS_unlinkat, {AT_FDCWD, fresh, 0}},
		{"socket", SYS_socket, {AF_INET, SOCK_STREAM, 0}},
		{"socketpair", SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0, here}},
		{"connect", SYS_connect, {pair[1], here, 16}},
		{"bind", SYS_bind, {pair[1], here, 16}},
		{"listen", SYS_listen, {pair[1], 1}},
		{"accept", SYS_accept, {pair[1], 0, 0}},
		{"sendto", SYS_sendto, {pair[1], here, 1, 0, 0, 0}},
		{"pipe2", SYS_pipe2, {here, 0}},
		{"dup", SYS_dup, {pair[1]}},
		{"fcntl", SYS_fcntl, {pair[1], F_DUPFD, 0}},
		{"ioctl", SYS_ioctl, {0, 0, 0}},
		{"ptrace", SYS_ptrace, {PTRACE_TRACEME, 0, 0, 0}},
		{"process_vm_readv", SYS_process_vm_readv,
		{parent, (long) &vector, 1, (long) &vector, 1, 0}},
		{"process_vm_writev", SYS_process_vm_writev,
		{parent, (long) &vector, 1, (long) &vector, 1, 0}},
		{"kill of the parent", SYS_kill, {parent, 0}},
		{"kill of everybody", SYS_kill, {-1, 0}},
		{"tkill", SYS_tkill, {parent, SIGABRT}},
		{"tgkill of the parent", SYS_tgkill, {parent, parent, SIGABRT}},
		{"pidfd_open", SYS_pidfd_open, {parent, 0}},
		{"prctl", SYS_prctl, {PR_SET_DUMPABLE, 1}},
		{"prctl of the death signal", SYS_prctl, {PR_SET_PDEATHSIG, 0}},
		{"seccomp", SYS_seccomp, {0, 0, 0}},
		{"mmap of code", SYS_mmap, {0, 4096,
		PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0}},
		{"mmap of writable code", SYS_mmap, {0, 4096,
				PROT_READ | PROT_WRITE | PROT_EXEC,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0}},
		{"mprotect to code", SYS_mprotect, {here, 4096,
		PROT_READ | PROT_EXEC}},
		{"madvise to take memory away", SYS_madvise, {0, 0, 101}},
		{"pkey_mprotect", SYS_pkey_mprotect, {here, 4096, PROT_READ, -1}},
		{"memfd_create", SYS_memfd_create, {(long) "x", 0}},
		{"shmget", SYS_shmget, {1, 4096, 0}},
		{"io_uring_setup", SYS_io_uring_setup, {1, here}},
		{"bpf", SYS_bpf, {0, here, 16}},
		{"perf_event_open", SYS_perf_event_open, {here, 0, -1, -1, 0}},
		{"userfaultfd", SYS_userfaultfd, {0}},
		{"unshare", SYS_unshare, {CLONE_NEWUSER}},
		{"setns", SYS_setns, {0, 0}},
		{"mount", SYS_mount, {here, here, here, 0, 0}},
		{"chroot", SYS_chroot, {fresh}},
		{"setuid", SYS_setuid, {0}},
		{"setresuid", SYS_setresuid, {0, 0, 0}},
		{"setrlimit", SYS_setrlimit, {RLIMIT_CPU, here}},
		{"prlimit64", SYS_prlimit64, {0, RLIMIT_CPU, 0, here}},
		{"rt_sigaction", SYS_rt_sigaction, {SIGXCPU, 0, 0, 8}},
		{"setsid", SYS_setsid, {0}},
		{"keyctl", SYS_keyctl, {0, 0, 0}},
		{"nanosleep", SYS_nanosleep, {here, 0}},
		{"a call of the far future", 100000, {0}}
	};

	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
	{
		int			status;

		attempt = &attempts[i];
		status = confined(try);
		if (!ok(died_of(status, SIGSYS), "%s kills", attempt->name))
			printf("# status %d\n", status);
	}
	ok(access(FRESH_FILE, F_OK) != 0, "no file was made");
}

static int
signal_itself(void)
{
	syscall(SYS_tgkill, getpid(), getpid(), SIGTERM);
	return EXIT_SURVIVED;
}

#ifdef __x86_64__
/* getpid of the 32-bit system: another table of numbers. */
static int
old_entrance(void)
{
	long		result = 20;

	__asm__ volatile ("int $0x80":"+a" (result)::"memory");

	return EXIT_SURVIVED;
}

static int
x32_entrance(void)
{
	syscall(0x40000000 | SYS_getpid);
	return EXIT_SURVIVED;
}
#endif

/*
 * Everything that measuring takes.  The status says which step failed.
 */
static int
honest_work(void)
{
	struct timespec now;
	struct timeval day;
	struct iovec part = {page, sizeof(page)};
	struct msghdr message;
	char	   *small;
	char	   *large;
	char		random[8];

	small = malloc(1000);
	large = malloc(100 * 1024 * 1024);
	if (small == NULL || large == NULL)
		return 1;
	memset(large, 1, 100 * 1024 * 1024);
	large = realloc(large, 200 * 1024 * 1024);
	if (large == NULL || large[99 * 1024 * 1024] != 1)
		return 2;
	if (madvise(page, sizeof(page), MADV_NORMAL) != 0)
		return 3;
	free(large);
	for (int i = 0; i < 2000; i++)
		if ((small = realloc(small, 1000 + (size_t) i * 100)) == NULL)
			return 4;
	free(small);
	if (mprotect(page, sizeof(page), PROT_READ) != 0 ||
		mprotect(page, sizeof(page), PROT_READ | PROT_WRITE) != 0)
		return 5;
	if (clock_gettime(CLOCK_MONOTONIC, &now) != 0 ||
		syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now) != 0 ||
		gettimeofday(&day, NULL) != 0 ||
		syscall(SYS_gettimeofday, &day, NULL) != 0 || time(NULL) == 0)
		return 6;
	if (syscall(SYS_getrandom, random, sizeof(random), 0) != sizeof(random))
		return 7;
	if (syscall(SYS_sched_yield) != 0)
		return 8;
	memset(&message, 0, sizeof(message));
	message.msg_iov = &part;
	message.msg_iovlen = 1;
	part.iov_len = 5;
	if (sendmsg(pair[1], &message, MSG_NOSIGNAL) != 5 ||
		write(pair[1], "hello", 5) != 5)
		return 9;
	if (recvmsg(pair[1], &message, 0) != 4 || read(pair[1], page, 8) != 4)
		return 10;
	if (syscall(SYS_futex, page, 1 /* FUTEX_WAKE */ , 1, NULL, NULL, 0) != 0)
		return 11;
	return close(pair[1]) == 0 ? 0 : 12;
}

static int
stop_working(void)
{
	abort();
}

static int
break_heap(void)
{
	/* Where a compiler cannot see it. */
	char	   *volatile block = malloc(64);
	void		(*volatile release) (void *) = free;

	memset(block + 72, 0x41, 8);
	release(block);
	release(malloc(200000));
	release(block);
	release(block);
	return EXIT_SURVIVED;
}

static void
test_permitted(void)
{
	char		bytes[8];
	int			status;

	if (send(pair[0], "one!", 4, 0) != 4 || send(pair[0], "two!", 4, 0) != 4)
		abort();
	status = confined(honest_work);
	if (!ok(status == 0, "memory, clock, socket and exit work"))
		printf("# status %d\n", status);
	ok(recv(pair[0], bytes, sizeof(bytes), MSG_DONTWAIT) == 5 &&
	   recv(pair[0], bytes, sizeof(bytes), MSG_DONTWAIT) == 5,
	   "what was sent from inside arrives");
	ok(died_of(confined(stop_working), SIGABRT),
	   "abort() is seen as what it is");
	ok(died_of(confined(break_heap), SIGABRT),
	   "so is a heap that malloc finds broken");
	ok(died_of(confined(signal_itself), SIGSYS),
	   "another signal to oneself kills");
#ifdef __x86_64__
	status = confined(old_entrance);
	ok(died_of(status, SIGSYS) || died_of(status, SIGSEGV),
	   "the entrance of 32-bit programs kills");
	ok(died_of(confined(x32_entrance), SIGSYS), "so do x32 calls");
#endif
}

/*
 * Threads: those that run already are confined too, can work and can end.
 */
static pthread_barrier_t barrier;
static bool thread_opens;

static void *
thread_main(void *argument)
{
	char	   *block;

	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	if (thread_opens)
		syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
	block = malloc(1000000);
	memset(block, 1, 1000000);
	free(block);
	return argument;
}

static int
with_thread(bool opens)
{
	pid_t		child;

	thread_opens = opens;
	fflush(stdout);
	child = fork();
	if (child == 0)
	{
		pthread_t	thread;
		void	   *result = NULL;

		die_quietly();
		pthread_barrier_init(&barrier, NULL, 2);
		if (pthread_create(&thread, NULL, thread_main, &barrier) != 0)
			_exit(EXIT_NO_SANDBOX);
		pthread_barrier_wait(&barrier);
		if (!mf_sandbox_enter())
			_exit(EXIT_NO_SANDBOX);
		pthread_barrier_wait(&barrier);
		if (pthread_join(thread, &result) != 0 || result != &barrier)
			_exit(1);
		exit(0);
	}
	return wait_for(child);
}

static bool
has_limit(int resource, uint64_t soft, uint64_t hard)
{
	struct rlimit limit;

	return getrlimit(resource, &limit) == 0 && limit.rlim_cur == soft &&
		limit.rlim_max == hard;
}

/* In a child, without the filter: what the limits alone forbid. */
static int
limited(void)
{
	const size_t megabyte = 1024 * 1024;
	const int	file = memfd_create("file", MFD_CLOEXEC);
	char	   *block;

	if (!mf_sandbox_limit(64 * megabyte, 5))
		return 1;
	block = malloc(70 * megabyte);
	if (block != NULL || errno != ENOMEM)
		return 2;
	block = malloc(50 * megabyte);
	if (block == NULL)
		return 3;
	memset(block, 1, 50 * megabyte);
	if (malloc(20 * megabyte) != NULL)
		return 4;
	free(block);
	if (malloc(50 * megabyte) == NULL)
		return 5;
	if (!has_limit(RLIMIT_CPU, 5, 6) || !has_limit(RLIMIT_NOFILE, 4, 4) ||
		!has_limit(RLIMIT_FSIZE, 0, 0) || !has_limit(RLIMIT_NPROC, 0, 0) ||
		!has_limit(RLIMIT_CORE, 0, 0))
		return 6;
	if (open("/dev/null", O_RDONLY) >= 0 || errno != EMFILE)
		return 7;
	signal(SIGXFSZ, SIG_IGN);
	if (write(file, "x", 1) >= 0 || errno != EFBIG)
		return 8;
	return 0;
}

static int
too_much(void)
{
	return mf_sandbox_limit(UINT64_MAX, 5) ? 1 : 0;
}

static int
spin(void)
{
	volatile unsigned int spun = 0;

	while (true)
		spun++;
	return EXIT_SURVIVED;
}

static int
in_child(int (*act) (void))
{
	pid_t		child;

	fflush(stdout);
	child = fork();
	if (child == 0)
	{
		die_quietly();
		_exit(act());
	}
	return wait_for(child);
}

static int
spin_limited(void)
{
	if (!mf_sandbox_limit(1 << 20, 1) || !mf_sandbox_enter())
		return 1;
	return spin();
}

/* One that blocks the friendly signal. */
static int
spin_stubborn(void)
{
	sigset_t	all;

	if (!mf_sandbox_limit(1 << 20, 1) || !mf_sandbox_enter())
		return 1;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	return spin();
}

static void
test_limits(void)
{
	int			status = in_child(limited);

	if (!ok(status == 0, "memory, files and their size are limited"))
		printf("# step %d\n", WEXITSTATUS(status));
	ok(in_child(too_much) == 0, "a limit that overflows is none");
	if (!mf_sandbox_available())
	{
		skip(2, "this kernel has no seccomp");
		return;
	}
	ok(died_of(in_child(spin_limited), SIGXCPU),
	   "a confined program that takes too long dies of SIGXCPU");
	ok(died_of(in_child(spin_stubborn), SIGKILL),
	   "one that blocks it is killed");
}

int
main(void)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		abort();
	test_limits();
	if (!mf_sandbox_available())
	{
		skip(1, "this kernel has no seccomp");
		return done_testing();
	}
	test_attempts();
	test_permitted();
	ok(with_thread(false) == 0, "a thread that runs already works and ends");
	ok(died_of(with_thread(true), SIGSYS),
	   "a file opened by it kills the whole process");
	return done_testing();
}
