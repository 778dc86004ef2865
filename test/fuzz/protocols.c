/*
 * protocols.c
 *		Any bytes as a frame between a program and its parent.
 *
 * A frame that is let through can be written again, and then reads the same.
 */
#include "../../src/frame/sending.h"
#include "../../src/frame/wire.h"
#include "targets.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void
require(bool good)
{
	if (!good)
		abort();
}

/* The payload of a frame, as mf_frame_encode takes it. */
static const void *
payload_of(const MfFrame *frame)
{
	return &frame->u;
}

/* A frame of mesflow-geometry's. */
int
fuzz_frame(const uint8_t *bytes, size_t size)
{
	static uint8_t again[MF_FRAME_MAX];
	static MfFrame frame;
	static MfFrame other;
	const char *why;
	size_t		length;

	if (!mf_frame_decode(bytes, size, &frame, &why))
	{
		require(why != NULL && why[0] != '\0');
		return 0;
	}
	length = mf_frame_encode(frame.type, frame.tag, payload_of(&frame), again);
	require(length > 0 && mf_frame_decode(again, length, &other, &why));
	require(memcmp(&frame, &other, sizeof(frame)) == 0);
	return 0;
}

/* Takes all entries of a frame; each is checked when it is taken. */
static void
take_entries(MfReceived *received)
{
	const char *why;
	MfSenderHello hello;
	MfTarget	target;
	MfRequest	request;
	MfOutcome	outcome;
	uint32_t	number;
	MfFrameStatus status;

	do
	{
		why = NULL;
		switch (received->type)
		{
			case MF_SENDING_HELLO:
				status = mf_received_hello(received, &hello, &why);
				break;
			case MF_SENDING_TARGET:
				status = mf_received_target(received, &target, &why);
				break;
			case MF_SENDING_FORGET:
				status = mf_received_forget(received, &number, &why);
				break;
			case MF_SENDING_SEND:
				status = mf_received_request(received, &request, &why);
				break;
			case MF_SENDING_SENT:
				status = mf_received_outcome(received, &outcome, &why);
				break;
			default:
				abort();
		}
		require(status != MF_FRAME_BAD || why != NULL);
	} while (status == MF_FRAME_GOT);
}

/* A frame of mesflow-sender's, through a socket as the worker has it. */
int
fuzz_sending(const uint8_t *bytes, size_t size)
{
	static int	pair[2] = {-1, -1};
	static MfReceived received;
	const char *why;

	if (size == 0 || size > 65536)
		return -1;
	if (pair[0] < 0)
		require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
						   pair) == 0);
	require(send(pair[0], bytes, size, MSG_NOSIGNAL) == (ssize_t) size);
	if (mf_sending_receive(pair[1], false, ~0U, &received, &why) ==
		MF_FRAME_GOT)
		take_entries(&received);
	return 0;
}
