/*
 * frame.c
 *		Sending and receiving frames.
 */
#include "frame.h"
#include "packet.h"
#include "wire.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/*
 * Receives one frame; see frame.h.
 */
MfFrameStatus
mf_frame_receive(int fd, bool wait, MfFrame *frame, const char **why)
{
	uint8_t		bytes[MF_FRAME_MAX];
	MfPacket	packet;
	MfFrameStatus status;
	const char *complaint;

	mf_frame_clear(frame);
	if (why != NULL)
		*why = "";

	status = mf_packet_receive(fd, wait, bytes, sizeof(bytes), &packet,
							   &complaint);
	if (status != MF_FRAME_GOT && status != MF_FRAME_BAD)
		return status;
	if (status == MF_FRAME_GOT &&
		mf_frame_decode(bytes, packet.length, frame, &complaint))
	{
		if (packet.descriptors == (frame->type == MF_FRAME_JOB ? 1 : 0))
		{
			frame->memfd = packet.descriptor;
			return MF_FRAME_GOT;
		}
		complaint = "the frame came with the wrong number of descriptors";
	}

	if (packet.descriptor >= 0)
		close(packet.descriptor);
	mf_frame_clear(frame);
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
		   int memfd, bool wait)
{
	uint8_t		bytes[MF_FRAME_MAX];
	size_t		length = mf_frame_encode(type, tag, payload, bytes);

	if (length == 0)
	{
		errno = EINVAL;
		return false;
	}
	return mf_packet_send(fd, wait, bytes, length, memfd);
}

/* The program says that it is there and what it is. */
bool
mf_frame_send_hello(int fd, const MfHello *hello)
{
	return send_frame(fd, MF_FRAME_HELLO, 0, hello, -1, true);
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
	return send_frame(fd, MF_FRAME_JOB, tag, job, memfd, true);
}

/*
 * Says how far the work is.  Never waits: a parent that is too busy to read
 * progress misses some (errno EAGAIN), and the work goes on.
 */
bool
mf_frame_send_progress(int fd, uint64_t tag, const MfProgress *progress)
{
	return send_frame(fd, MF_FRAME_PROGRESS, tag, progress, -1, false);
}

/* A picture, before the measurement.  Waits for room: it is not to be lost. */
bool
mf_frame_send_picture(int fd, uint64_t tag, uint32_t size,
					  const uint8_t *png, size_t bytes)
{
	MfPicture	picture;

	if (bytes > sizeof(picture.png))
	{
		errno = EINVAL;
		return false;
	}
	picture.size = size;
	picture.bytes = (uint32_t) bytes;
	memcpy(picture.png, png, bytes);
	return send_frame(fd, MF_FRAME_PICTURE, tag, &picture, -1, true);
}

/* The measurement, the last frame of a program. */
bool
mf_frame_send_result(int fd, uint64_t tag, const MfMeasurement *result)
{
	return send_frame(fd, MF_FRAME_RESULT, tag, result, -1, true);
}

/* Why there is no measurement, the last frame of a program. */
bool
mf_frame_send_refused(int fd, uint64_t tag, const MfRefusal *refused)
{
	return send_frame(fd, MF_FRAME_REFUSED, tag, refused, -1, true);
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
