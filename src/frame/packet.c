/*
 * packet.c
 *		One packet, with or without a descriptor; see packet.h.
 *
 * A SOCK_SEQPACKET socket keeps packets apart, so one arrives whole or not at
 * all, and a liar can confuse nobody about where the next one begins.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "packet.h"

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
 * Receives a packet; see packet.h.
 */
MfFrameStatus
mf_packet_receive(int fd, bool wait, void *bytes, size_t size,
				  MfPacket *packet, const char **why)
{
	ControlBuffer control;
	struct iovec part = {bytes, size};
	struct msghdr message;
	bool		was_reset = false;
	ssize_t		length;

	*why = "";
	packet->length = 0;
	packet->descriptors = 0;
	packet->descriptor = -1;
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

	packet->length = (size_t) length;
	packet->descriptors = take_descriptors(&message, &packet->descriptor);
	if (length == 0 && packet->descriptors == 0)
		return MF_FRAME_CLOSED;
	if (!(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return MF_FRAME_GOT;

	if (packet->descriptor >= 0)
		close(packet->descriptor);
	packet->descriptor = -1;
	*why = message.msg_flags & MSG_TRUNC ? "the frame is too long" :
		"the frame came with too many descriptors";
	return MF_FRAME_BAD;
}

/*
 * Sends a packet; see packet.h.
 */
bool
mf_packet_send(int fd, bool wait, const void *bytes, size_t length,
			   int descriptor)
{
	ControlBuffer control;
	struct iovec part = {(void *) bytes, length};
	struct msghdr message;
	ssize_t		sent;

	memset(&message, 0, sizeof(message));
	message.msg_iov = &part;
	message.msg_iovlen = 1;
	if (descriptor >= 0)
	{
		struct cmsghdr *header;

		memset(&control, 0, sizeof(control));
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(sizeof(int));
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
	}
	do
		sent = sendmsg(fd, &message,
					   MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT));
	while (sent < 0 && errno == EINTR);
	return sent == (ssize_t) length;
}
