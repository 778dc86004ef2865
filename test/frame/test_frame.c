/*
 * test_frame.c
 *		Frames over sockets, and sealed memory files.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "frame/frame.h"
#include "frame/wire.h"
#include "samples.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int	pair[2];

static void
open_pair(void)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		abort();
}

static void
close_pair(void)
{
	close(pair[0]);
	close(pair[1]);
}

/* Sends bytes with `count` descriptors, each a copy of standard input. */
static void
send_raw(const void *bytes, size_t length, int count)
{
	struct iovec part = {(void *) bytes, length};
	struct msghdr message;
	union
	{
		struct cmsghdr align;
		char		bytes[CMSG_SPACE(16 * sizeof(int))];
	}			control;

	memset(&message, 0, sizeof(message));
	memset(&control, 0, sizeof(control));
	message.msg_iov = &part;
	message.msg_iovlen = 1;
	if (count > 0)
	{
		struct cmsghdr *header;

		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE((size_t) count * sizeof(int));
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN((size_t) count * sizeof(int));
		memset(CMSG_DATA(header), 0, (size_t) count * sizeof(int));
	}
	if (sendmsg(pair[0], &message, MSG_NOSIGNAL) != (ssize_t) length)
		abort();
}

/*
 * Receives what send_raw is to send, and says whether it was refused with a
 * reason, without a descriptor left behind.
 */
static bool
refused(const void *bytes, size_t length, int descriptors, const char *reason)
{
	int			before = count_descriptors();
	const char *why = NULL;
	MfFrame		frame;

	send_raw(bytes, length, descriptors);
	return mf_frame_receive(pair[1], false, &frame, &why) == MF_FRAME_BAD &&
		frame.memfd == -1 && why != NULL && strcmp(why, reason) == 0 &&
		count_descriptors() == before;
}

static void
test_exchange(void)
{
	MfJobOrder	job;
	MfFrame		frame;
	MfFrame		expected;
	struct stat sent;
	struct stat received;
	MfFrameType type;
	uint64_t	tag;
	const char *name;
	int			before;
	int			memfd;

	open_pair();
	ok(mf_frame_receive(pair[1], false, &frame, NULL) == MF_FRAME_NOTHING,
	   "nothing is there at first");

	for (int number = 0; number < SAMPLE_COUNT; number++)
	{
		const void *payload = sample(number, &type, &tag, &name);
		bool		out = false;

		memset(&expected, 0, sizeof(expected));
		expected.type = type;
		expected.tag = tag;
		switch (type)
		{
			case MF_FRAME_HELLO:
				out = mf_frame_send_hello(pair[0], payload);
				memcpy(&expected.u, payload, sizeof(MfHello));
				break;
			case MF_FRAME_PROGRESS:
				out = mf_frame_send_progress(pair[0], tag, payload);
				memcpy(&expected.u, payload, sizeof(MfProgress));
				break;
			case MF_FRAME_RESULT:
				out = mf_frame_send_result(pair[0], tag, payload);
				memcpy(&expected.u, payload, sizeof(MfMeasurement));
				break;
			case MF_FRAME_REFUSED:
				out = mf_frame_send_refused(pair[0], tag, payload);
				memcpy(&expected.u, payload, sizeof(MfRefusal));
				break;
			case MF_FRAME_PICTURE:
				{
					const MfPicture *picture = payload;

					out = mf_frame_send_picture(pair[0], tag, picture->size,
												picture->png, picture->bytes);
					memcpy(&expected.u, payload, sizeof(MfPicture));
					break;
				}
			case MF_FRAME_JOB:
				continue;
		}
		ok(out && mf_frame_receive(pair[1], false, &frame, NULL) ==
		   MF_FRAME_GOT && same_frame(&frame, &expected) &&
		   frame.memfd == -1, "%s goes through", name);
	}

	memcpy(&job, sample(1, &type, &tag, &name), sizeof(job));
	memfd = mf_memfd_create("model", 5);
	before = count_descriptors();
	ok(mf_frame_send_job(pair[0], tag, &job, memfd) &&
	   mf_frame_receive(pair[1], true, &frame, NULL) == MF_FRAME_GOT &&
	   frame.type == MF_FRAME_JOB && frame.tag == tag &&
	   frame.u.job.size == job.size && frame.memfd >= 0 &&
	   frame.memfd != memfd, "JOB goes through");
	ok(count_descriptors() == before + 1 && fstat(memfd, &sent) == 0 &&
	   fstat(frame.memfd, &received) == 0 && sent.st_ino == received.st_ino,
	   "and takes its memory file along");
	ok(fcntl(frame.memfd, F_GETFD) == FD_CLOEXEC,
	   "which no program inherits");
	close(frame.memfd);
	errno = 0;
	ok(!mf_frame_send_job(pair[0], tag, &job, -1) && errno == EBADF,
	   "a job without a memory file cannot be sent");
	job.threads = 0;
	errno = 0;
	ok(!mf_frame_send_job(pair[0], tag, &job, memfd) && errno == EINVAL &&
	   mf_frame_receive(pair[1], false, &frame, NULL) == MF_FRAME_NOTHING,
	   "nor one that would be refused");
	close(memfd);
	close_pair();
}

static void
test_refused(void)
{
	uint8_t		progress[MF_FRAME_MAX];
	uint8_t		job[MF_FRAME_MAX];
	uint8_t		large[MF_FRAME_MAX + 1];
	MfFrameType type;
	uint64_t	tag;
	const char *name;
	size_t		progress_length;
	size_t		job_length;
	const void *payload;
	MfFrame		frame;

	open_pair();
	payload = sample(2, &type, &tag, &name);
	progress_length = mf_frame_encode(type, tag, payload, progress);
	payload = sample(1, &type, &tag, &name);
	job_length = mf_frame_encode(type, tag, payload, job);
	memset(large, 0, sizeof(large));

	ok(refused("x", 1, 0, "the frame is too short"), "a single byte");
	ok(refused(large, 100, 0, "this is not a frame"), "a hundred zeros");
	ok(refused(large, MF_FRAME_MAX, 0, "this is not a frame"),
	   "the longest packet of zeros");
	memcpy(large, progress, progress_length);
	ok(refused(large, sizeof(large), 0, "the frame is too long"),
	   "a packet longer than that");
	ok(refused(progress, progress_length - 1, 0,
			   "the length of the frame is wrong"), "a frame cut short");
	ok(refused(progress, progress_length, 1,
			   "the frame came with the wrong number of descriptors"),
	   "progress with a descriptor");
	ok(refused(job, job_length, 0,
			   "the frame came with the wrong number of descriptors"),
	   "a job without a descriptor");
	for (int count = 2; count <= 4; count++)
		ok(refused(job, job_length, count,
				   "the frame came with the wrong number of descriptors"),
		   "a job with %d descriptors", count);
	ok(refused(job, job_length, 16,
			   "the frame came with too many descriptors"),
	   "a job with sixteen descriptors");
	ok(refused("x", 1, 1, "the frame is too short"),
	   "a single byte with a descriptor");
	ok(refused("", 0, 1, "the frame is too short"),
	   "nothing but a descriptor");
	progress[4]++;
	ok(refused(progress, progress_length, 0,
			   "the frame is of another protocol version"),
	   "a frame of another protocol");
	ok(mf_frame_receive(pair[1], false, &frame, NULL) == MF_FRAME_NOTHING,
	   "and then there is nothing more");
	send_raw("", 0, 0);
	ok(mf_frame_receive(pair[1], false, &frame, NULL) == MF_FRAME_CLOSED,
	   "an empty packet counts as gone");
	close_pair();
}

static void
on_alarm(int signal)
{
	(void) signal;
}

static void
test_ends(void)
{
	MfProgress	progress = {MF_STAGE_READING, 1};
	struct sigaction action;
	MfFrame		frame;
	int			sent = 0;
	int			got = 0;
	pid_t		child;

	open_pair();
	close(pair[0]);
	ok(mf_frame_receive(pair[1], false, &frame, NULL) == MF_FRAME_CLOSED &&
	   mf_frame_receive(pair[1], true, &frame, NULL) == MF_FRAME_CLOSED,
	   "the other side is gone");
	signal(SIGPIPE, SIG_DFL);
	errno = 0;
	ok(!mf_frame_send_progress(pair[1], 1, &progress) && errno == EPIPE,
	   "sending to it fails, without a signal");
	close(pair[1]);

	/* A program may answer and die with a frame of ours still unread. */
	open_pair();
	mf_frame_send_progress(pair[1], 7, &progress);
	close(pair[0]);
	ok(mf_frame_receive(pair[1], false, &frame, NULL) == MF_FRAME_CLOSED,
	   "a peer that died without reading is gone");
	close(pair[1]);
	open_pair();
	mf_frame_send_progress(pair[0], 7, &progress);
	mf_frame_send_progress(pair[1], 1, &progress);
	close(pair[0]);
	ok(mf_frame_receive(pair[1], false, &frame, NULL) == MF_FRAME_GOT &&
	   frame.tag == 7 &&
	   mf_frame_receive(pair[1], false, &frame, NULL) == MF_FRAME_CLOSED,
	   "but its last words are heard");
	close(pair[1]);

	/* Progress does not wait for a reader that is busy. */
	open_pair();
	while (sent < 100000 && mf_frame_send_progress(pair[0], 1, &progress))
		sent++;
	ok(sent > 10 && sent < 100000 && errno == EAGAIN,
	   "progress that finds no room is dropped");
	while (mf_frame_receive(pair[1], false, &frame, NULL) == MF_FRAME_GOT)
		got++;
	ok(got == sent, "what was sent before arrives");
	close_pair();

	/* A signal in the middle of waiting is no end. */
	open_pair();
	memset(&action, 0, sizeof(action));
	action.sa_handler = on_alarm;
	sigaction(SIGUSR1, &action, NULL);
	child = fork();
	if (child == 0)
	{
		for (int i = 0; i < 20; i++)
		{
			kill(getppid(), SIGUSR1);
			pause_briefly();
		}
		mf_frame_send_progress(pair[0], 3, &progress);
		_exit(0);
	}
	ok(mf_frame_receive(pair[1], true, &frame, NULL) == MF_FRAME_GOT &&
	   frame.tag == 3, "a signal does not disturb a wait");
	wait_for(child);
	close_pair();
}

/* Can the file be changed in any way? */
static bool
is_frozen(int fd)
{
	void	   *mapped = mmap(NULL, 5, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
							  0);

	if (mapped != MAP_FAILED)
		munmap(mapped, 5);
	return mapped == MAP_FAILED && pwrite(fd, "x", 1, 0) < 0 &&
		ftruncate(fd, 4) < 0 && ftruncate(fd, 6) < 0 &&
		fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) < 0;
}

static void
test_memfd(void)
{
	const uint8_t *bytes;
	int			before = count_descriptors();
	int			half;
	int			fd;

	fd = mf_memfd_create("model", 5);
	ok(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC, "a memory file is made");
	ok(mf_memfd_write(fd, 3, "de", 2) && mf_memfd_write(fd, 0, "abc", 3),
	   "it is filled in pieces, in any order");
	errno = 0;
	ok(!mf_memfd_write(fd, 3, "xyz", 3) && errno == EPERM &&
	   !mf_memfd_write(fd, 5, "x", 1) && errno == EPERM,
	   "but not past its end");
	ok(!mf_memfd_write(fd, UINT64_MAX, "x", 1) && errno == EFBIG &&
	   !mf_memfd_write(fd, INT64_MAX, "x", 1) && errno == EFBIG,
	   "nor where no file ends");
	ok(mf_memfd_write(fd, 3, "de", 2), "it is as before after that");
	errno = 0;
	ok(mf_memfd_map(fd, 5) == NULL && errno == EINVAL,
	   "it is not mapped before it is sealed");
	ok(mf_memfd_seal(fd) && is_frozen(fd), "sealed, it cannot be changed");
	bytes = mf_memfd_map(fd, 5);
	ok(bytes != NULL && memcmp(bytes, "abcde", 5) == 0,
	   "and mapped, it says what was written");
	errno = 0;
	ok(mf_memfd_map(fd, 4) == NULL && errno == EINVAL &&
	   mf_memfd_map(fd, 6) == NULL && errno == EINVAL &&
	   mf_memfd_map(fd, 0) == NULL && errno == EINVAL &&
	   mf_memfd_map(fd, UINT64_MAX) == NULL && errno == EINVAL,
	   "a size that does not match is noticed");
	close(fd);
	ok(bytes != NULL && bytes[4] == 'e', "the mapping outlives the descriptor");
	if (bytes != NULL)
		munmap((void *) bytes, 5);

	fd = mf_memfd_create("", 0);
	ok(fd >= 0 && mf_memfd_write(fd, 0, "", 0) && mf_memfd_seal(fd) &&
	   mf_memfd_map(fd, 0) != NULL, "an empty file is a file");
	close(fd);

	fd = open("/dev/null", O_RDWR);
	ok(mf_memfd_map(fd, 0) == NULL && errno == EINVAL, "a device is not");
	close(fd);
	ok(mf_memfd_map(-1, 0) == NULL && errno == EINVAL, "nor is nothing");
	half = memfd_create("half", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ok(fcntl(half, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0 &&
	   mf_memfd_map(half, 0) == NULL && errno == EINVAL,
	   "half a seal is none");
	close(half);
	errno = 0;
	ok(mf_memfd_create("x", UINT64_MAX) == -1 && errno == EFBIG,
	   "no file is that large");
	ok(count_descriptors() == before, "no descriptor is left over");
}

int
main(void)
{
	int			before = count_descriptors();

	test_exchange();
	test_refused();
	test_ends();
	test_memfd();
	ok(count_descriptors() == before, "no descriptor is left over in the end");
	return done_testing();
}
