/*
 * packet.h
 *		One packet through a SOCK_SEQPACKET socket, with or without a
 *		descriptor.  Private to src/frame.
 */
#ifndef MF_PACKET_H
#define MF_PACKET_H

#include "frame.h"

typedef struct MfPacket
{
	size_t		length;
	int			descriptors;	/* how many came; all but the first are closed */
	int			descriptor;		/* the first, the caller's; -1: none */
} MfPacket;

/*
 * Receives into `size` bytes.  MF_FRAME_BAD: it was longer, or had too many
 * descriptors; then there is none to close.  MF_FRAME_CLOSED also for an empty
 * packet without a descriptor: Linux reports both alike.
 */
extern MfFrameStatus mf_packet_receive(int fd, bool wait, void *bytes,
									   size_t size, MfPacket *packet,
									   const char **why);

/*
 * Sends; true where it went out whole.  `descriptor` stays the caller's; -1:
 * none.  Never raises SIGPIPE.
 */
extern bool mf_packet_send(int fd, bool wait, const void *bytes,
						   size_t length, int descriptor);

#endif							/* MF_PACKET_H */
