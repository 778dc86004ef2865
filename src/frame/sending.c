/*
 * sending.c
 *		Frames between the delivery worker and mesflow-sender: made, sent,
 *		received.  See sending.h.
 */
#include "sending.h"

#include "packet.h"
#include "sending_entries.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What a frame asks for at first. */
#define FIRST_ROOM		(16 * 1024)

const char *
mf_outcome_kind_name(MfOutcomeKind kind)
{
	static const char *const names[] = {
		[MF_OUTCOME_ANSWERED] = "answered",
		[MF_OUTCOME_BLOCKED] = "blocked",
		[MF_OUTCOME_NAME] = "name",
		[MF_OUTCOME_CONNECT] = "connect",
		[MF_OUTCOME_TLS] = "tls",
		[MF_OUTCOME_TIMEOUT] = "timeout",
		[MF_OUTCOME_LOST] = "lost",
		[MF_OUTCOME_PROTOCOL] = "protocol",
		[MF_OUTCOME_CONFIG] = "config"
	};

	return (unsigned int) kind <= MF_OUTCOME_LAST ? names[kind] : "unknown";
}

/* ---- writing ------------------------------------------------------------ */

void
mf_sending_start(MfSending *frame, MfSendingType type)
{
	memset(frame, 0, sizeof(*frame));
	frame->type = type;
	frame->length = MF_SENDING_HEADER;
}

void
mf_sending_free(MfSending *frame)
{
	free(frame->bytes);
	mf_sending_start(frame, frame->type);
}

/*
 * Makes room for an entry of `size` bytes.  False: errno says why not; the
 * frame is as it was.
 */
static bool
reserve(MfSending *frame, size_t size, MfWriter *out)
{
	const size_t length = frame->length + size;
	size_t		room = frame->room > 0 ? frame->room : FIRST_ROOM;
	uint8_t    *bytes;

	if (length > (frame->count > 0 ? MF_SENDING_PACKET : MF_SENDING_MAX))
	{
		errno = frame->count > 0 ? ENOBUFS : EINVAL;
		return false;
	}
	if (length > frame->room)
	{
		while (room < length && room < MF_SENDING_PACKET)
			room *= 2;
		if (room < length)
			room = length;
		bytes = realloc(frame->bytes, room);
		if (bytes == NULL)
		{
			errno = ENOMEM;
			return false;
		}
		frame->bytes = bytes;
		frame->room = room;
	}
	out->at = frame->bytes + frame->length;
	out->end = frame->bytes + length;
	out->bad = false;
	return true;
}

/* An entry that is not whole is not there. */
static bool
added(MfSending *frame, const MfWriter *out)
{
	if (out->bad)
	{
		errno = EINVAL;
		return false;
	}
	frame->length = (size_t) (out->at - frame->bytes);
	frame->count++;
	return true;
}

/* Does this frame take entries of this type, and obeys this one the rules? */
static bool
accepts(const MfSending *frame, MfSendingType type, const char *broken)
{
	if (frame->type == type && broken == NULL)
		return true;
	errno = EINVAL;
	return false;
}

bool
mf_sending_add_hello(MfSending *frame, const MfSenderHello *hello)
{
	MfWriter	out;

	if (!accepts(frame, MF_SENDING_HELLO, NULL) ||
		!reserve(frame, 2 * 4 + 2 * 2 + sizeof(hello->version) +
				 sizeof(hello->libraries), &out))
		return false;
	mf_sending_put_hello(&out, hello);
	return added(frame, &out);
}

bool
mf_sending_add_target(MfSending *frame, const MfTarget *target)
{
	MfWriter	out;

	if (!accepts(frame, MF_SENDING_TARGET, mf_sending_check_target(target)) ||
		!reserve(frame, mf_sending_size_target(target), &out))
		return false;
	mf_sending_put_target(&out, target);
	return added(frame, &out);
}

bool
mf_sending_add_forget(MfSending *frame, uint32_t number)
{
	MfWriter	out;

	if (!accepts(frame, MF_SENDING_FORGET, number < MF_SENDER_TARGETS ? NULL :
				 "the number of the target is too large") ||
		!reserve(frame, 4, &out))
		return false;
	mf_put_bytes(&out, number, 4);
	return added(frame, &out);
}

bool
mf_sending_add_request(MfSending *frame, const MfRequest *request)
{
	MfWriter	out;

	if (!accepts(frame, MF_SENDING_SEND, mf_sending_check_request(request)) ||
		!reserve(frame, mf_sending_size_request(request), &out))
		return false;
	mf_sending_put_request(&out, request);
	return added(frame, &out);
}

bool
mf_sending_add_outcome(MfSending *frame, const MfOutcome *outcome)
{
	MfWriter	out;

	if (!accepts(frame, MF_SENDING_SENT, mf_sending_check_outcome(outcome)) ||
		!reserve(frame, mf_sending_size_outcome(outcome), &out))
		return false;
	mf_sending_put_outcome(&out, outcome);
	return added(frame, &out);
}

/* Sends the header alone, and the rest in a memory file. */
static bool
send_large(int fd, const MfSending *frame)
{
	const size_t length = frame->length - MF_SENDING_HEADER;
	bool		sent = false;
	int			memfd = mf_memfd_create("mesflow frame", length);
	int			saved;

	if (memfd < 0)
		return false;
	if (mf_memfd_write(memfd, 0, frame->bytes + MF_SENDING_HEADER, length) &&
		mf_memfd_seal(memfd))
		sent = mf_packet_send(fd, false, frame->bytes, MF_SENDING_HEADER,
							  memfd);
	saved = errno;
	close(memfd);

	/* The kernel's way to say that too many of these are on their way. */
	errno = saved == ETOOMANYREFS ? EAGAIN : saved;
	return sent;
}

bool
mf_sending_flush(int fd, MfSending *frame)
{
	MfWriter	out = {frame->bytes, frame->bytes + MF_SENDING_HEADER, false};

	if (frame->count == 0)
		return true;
	mf_put_bytes(&out, MF_SENDING_MAGIC, 4);
	mf_put_bytes(&out, MF_SENDING_PROTOCOL, 4);
	mf_put_bytes(&out, frame->type, 4);
	mf_put_bytes(&out, frame->length, 4);
	mf_put_bytes(&out, frame->count, 4);
	if (!(frame->length <= MF_SENDING_PACKET ?
		  mf_packet_send(fd, false, frame->bytes, frame->length, -1) :
		  send_large(fd, frame)))
		return false;
	if (frame->room > MF_SENDING_PACKET)
		mf_sending_free(frame);
	frame->count = 0;
	frame->length = MF_SENDING_HEADER;
	return true;
}

/* ---- reading ------------------------------------------------------------ */

/* Gives back what the last frame had beside the packet. */
static void
forget(MfReceived *received)
{
	if (received->mapped != NULL && received->mapped_size > 0)
		munmap((void *) received->mapped, received->mapped_size);
	received->mapped = NULL;
	received->mapped_size = 0;
	received->count = 0;
	received->at = NULL;
	received->end = NULL;
}

void
mf_received_free(MfReceived *received)
{
	forget(received);
	free(received->packet);
	received->packet = NULL;
}

/*
 * Reads the header, and finds the entries behind it or in the memory file.
 * NULL: all is well.
 */
static const char *
open_frame(const MfPacket *packet, unsigned int types, MfReceived *received)
{
	MfReader	in = {received->packet, received->packet + packet->length, NULL};
	uint32_t	type;
	uint32_t	length;
	uint32_t	count;

	mf_require(&in, mf_get_u32(&in) == MF_SENDING_MAGIC,
			   "this is not a frame");
	mf_require(&in, mf_get_u32(&in) == MF_SENDING_PROTOCOL,
			   "the frame is of another protocol version");
	type = mf_get_u32(&in);
	mf_require(&in, type >= MF_SENDING_HELLO && type <= MF_SENDING_SENT &&
			   types & 1U << (type - MF_SENDING_HELLO),
			   "the type of the frame is unknown");
	length = mf_get_u32(&in);
	count = mf_get_u32(&in);
	mf_require(&in, count > 0, "the frame is empty");
	mf_require(&in, length <= MF_SENDING_MAX, "the frame is too long");
	if (in.why != NULL)
		return in.why;

	received->type = (MfSendingType) type;
	if (length <= MF_SENDING_PACKET)
	{
		if (packet->length != length)
			return "the length of the frame is wrong";
		if (packet->descriptors != 0)
			return "the frame came with the wrong number of descriptors";
		received->at = in.at;
		received->end = in.end;
	}
	else
	{
		if (packet->length != MF_SENDING_HEADER)
			return "the length of the frame is wrong";
		if (packet->descriptors != 1)
			return "the frame came with the wrong number of descriptors";
		received->mapped = mf_memfd_map(packet->descriptor,
										length - MF_SENDING_HEADER);
		if (received->mapped == NULL)
			return errno == EINVAL ? "the memory file is not what was promised" :
				"there is no room to map the memory file";
		received->mapped_size = length - MF_SENDING_HEADER;
		received->at = received->mapped;
		received->end = received->mapped + received->mapped_size;
	}
	received->count = count;
	return NULL;
}

MfFrameStatus
mf_sending_receive(int fd, bool wait, unsigned int types,
				   MfReceived *received, const char **why)
{
	MfPacket	packet;
	MfFrameStatus status;
	const char *complaint = "";

	forget(received);
	if (received->packet == NULL)
		received->packet = malloc(MF_SENDING_PACKET);
	if (received->packet == NULL)
	{
		if (why != NULL)
			*why = "there is no memory for a frame";
		return MF_FRAME_BAD;
	}
	status = mf_packet_receive(fd, wait, received->packet, MF_SENDING_PACKET,
							   &packet, &complaint);
	if (status == MF_FRAME_GOT)
	{
		complaint = open_frame(&packet, types, received);
		if (complaint != NULL)
		{
			forget(received);
			status = MF_FRAME_BAD;
		}
		if (packet.descriptor >= 0)
			close(packet.descriptor);
	}
	if (why != NULL)
		*why = complaint == NULL ? "" : complaint;
	return status;
}
