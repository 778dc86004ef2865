/*
 * frame.c
 *		Sending and receiving frames.
 *
 * A SOCK_SEQPACKET socket keeps frames apart, so a frame arrives whole or
 * not at all, and a liar can confuse nobody about where the next one begins.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "frame.h"
#include "wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* One is right; room for more, so that they can be counted and closed. */
#define ROOM_FOR_DESCRIPTORS	4

typedef union ControlBuffer
{
	struct cmsghdr align;
	char		bytes[CMSG_SPACE(ROOM_FOR_DESCRIPTORS * sizeof(int))];
} ControlBuffer;

/*
 * Takes the descriptors out of a message: returns how many came, the first
 * in *first; the others are closed.  The kernel drops what found no room and
 * says so with MSG_CTRUNC.
 */
static int
take_descriptors(struct msghdr *message, int *first)
{
	int			count = 0;

	*first = -1;
	for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control != NULL;
		 control = CMSG_NXTHDR(message, control))
	{
		size_t		bytes = control->cmsg_len - CMSG_LEN(0);

		if (control->cmsg_level != SOL_SOCKET ||
			control->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = 0; at + sizeof(int) <= bytes; at += sizeof(int))
		{
			int			fd;

			memcpy(&fd, CMSG_DATA(control) + at, sizeof(fd));
			if (count++ == 0)
				*first = fd;
			else
				close(fd);
		}
	}
	return count;
}

/*
 * Receives one frame; see frame.h.
 */
MfFrameStatus
mf_frame_receive(int fd, bool wait, MfFrame *frame, const char **why)
{
	uint8_t		bytes[MF_FRAME_MAX];
	ControlBuffer control;
	struct iovec part = {bytes, sizeof(bytes)};
	struct msghdr message;
	bool		was_reset = false;
	ssize_t		length;
	const char *complaint;
	int			descriptors;
	int			memfd;

	memset(frame, 0, sizeof(*frame));
	frame->memfd = -1;
	if (why != NULL)
		*why = "";

	for (;;)
	{
		memset(&message, 0, sizeof(message));
		memset(&control, 0, sizeof(control));
		message.msg_iov = &part;
		message.msg_iovlen = 1;
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		length = recvmsg(fd, &message,
						 MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
		if (length >= 0)
			break;
		if (errno == EINTR)
			continue;

		/*
		 * A peer that dies without having read all we sent leaves a reset,
		 * which Linux reports once and ahead of the frames it sent before.
		 * Those may hold a result.
		 */
		if (errno == ECONNRESET && !was_reset)
		{
			was_reset = true;
			continue;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return MF_FRAME_NOTHING;
		return MF_FRAME_CLOSED;
	}

	descriptors = take_descriptors(&message, &memfd);
	if (length == 0 && descriptors == 0)
		return MF_FRAME_CLOSED;

	if (message.msg_flags & MSG_TRUNC)
		complaint = "the frame is too long";
	else if (message.msg_flags & MSG_CTRUNC)
		complaint = "the frame came with too many descriptors";
	else if (mf_frame_decode(bytes, (size_t) length, frame, &complaint))
	{
		if (descriptors == (frame->type == MF_FRAME_JOB ? 1 : 0))
		{
			frame->memfd = memfd;
			return MF_FRAME_GOT;
		}
		complaint = "the frame came with the wrong number of descriptors";
	}

	if (memfd >= 0)
		close(memfd);
	memset(frame, 0, sizeof(*frame));
	frame->memfd = -1;
	if (why != NULL)
		*why = complaint;
	return MF_FRAME_BAD;
}

/*
 * Sends one frame with or without a descriptor.  On failure errno is EINVAL
 * where the frame would not be accepted, else what sendmsg said.
 */
static bool
send_frame(int fd, MfFrameType type, uint64_t tag, const void *payload,
		   int memfd, int flags)
{
	uint8_t		bytes[MF_FRAME_MAX];
	ControlBuffer control;
	struct iovec part = {bytes, 0};
	struct msghdr message;
	ssize_t		sent;

	part.iov_len = mf_frame_encode(type, tag, payload, bytes);
	if (part.iov_len == 0)
	{
		errno = EINVAL;
		return false;
	}
	memset(&message, 0, sizeof(message));
	message.msg_iov = &part;
	message.msg_iovlen = 1;
	if (memfd >= 0)
	{
		struct cmsghdr *header;

		memset(&control, 0, sizeof(control));
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(sizeof(int));
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &memfd, sizeof(int));
	}
	do
		sent = sendmsg(fd, &message, MSG_NOSIGNAL | flags);
	while (sent < 0 && errno == EINTR);
	return sent == (ssize_t) part.iov_len;
}

/* The program says that it is there and what it is. */
bool
mf_frame_send_hello(int fd, const MfHello *hello)
{
	return send_frame(fd, MF_FRAME_HELLO, 0, hello, -1, 0);
}

/* Hands a program its model and its limits. */
bool
mf_frame_send_job(int fd, uint64_t tag, const MfJobOrder *job, int memfd)
{
	if (memfd < 0)
	{
		errno = EBADF;
		return false;
	}
	return send_frame(fd, MF_FRAME_JOB, tag, job, memfd, 0);
}

/*
 * Says how far the work is.  Never waits: a parent that is too busy to read
 * progress misses some (errno EAGAIN), and the work goes on.
 */
bool
mf_frame_send_progress(int fd, uint64_t tag, const MfProgress *progress)
{
	return send_frame(fd, MF_FRAME_PROGRESS, tag, progress, -1, MSG_DONTWAIT);
}

/* The measurement, the last frame of a program. */
bool
mf_frame_send_result(int fd, uint64_t tag, const MfMeasurement *result)
{
	return send_frame(fd, MF_FRAME_RESULT, tag, result, -1, 0);
}

/* Why there is no measurement, the last frame of a program. */
bool
mf_frame_send_refused(int fd, uint64_t tag, const MfRefusal *refused)
{
	return send_frame(fd, MF_FRAME_REFUSED, tag, refused, -1, 0);
}

/*
 * Keeps the end of the name, where the extension is, as printable ASCII.
 */
void
mf_job_set_name(MfJobOrder *job, const char *name)
{
	size_t		length = name == NULL ? 0 : strlen(name);
	size_t		kept = sizeof(job->name) - 1;

	if (kept > length)
		kept = length;
	memset(job->name, 0, sizeof(job->name));
	for (size_t i = 0; i < kept; i++)
	{
		unsigned char byte = (unsigned char) name[length - kept + i];

		job->name[i] = byte >= 0x20 && byte < 0x7f ? (char) byte : '?';
	}
}
