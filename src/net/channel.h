/*
 * channel.h
 *		c-ares on our epoll, with the servers that /etc/resolv.conf names.
 *		Private to src/net.
 *
 * c-ares reads that file when a channel is made, and this process lives long.
 * So a question looks, once a second at most, whether the file has changed;
 * then it gets another channel.  The former one stays until its last answer.
 */
#ifndef MF_CHANNEL_H
#define MF_CHANNEL_H

#include <ares.h>

#include "poller.h"

/* Nobody waits longer than that for an answer.  Microseconds. */
#define MF_CHANNEL_PATIENCE		INT64_C(5000000)

typedef struct MfChannels MfChannels;

/*
 * For tests: servers at this port, those that a file like /etc/resolv.conf
 * names, or (NULL) 127.0.0.1.  Port 0: the system's.
 */
extern MfChannels *mf_channels_create(MfPoller *poller, uint16_t test_port,
									  uint16_t test_tcp_port,
									  const char *test_servers);

/* What is open is answered with ARES_EDESTRUCTION, or with what is known. */
extern void mf_channels_free(MfChannels *channels);

/*
 * Asks for the addresses of a host; may be called while an answer is told.
 * ARES_EDESTRUCTION is no answer: nobody waits for one any more.
 */
extern void mf_channels_ask(MfChannels *channels, const char *host,
							ares_addrinfo_callback answered, void *arg);

/* When to come back: microseconds from now; -1: never. */
extern int64_t mf_channels_due(MfChannels *channels);

/* What is due by the clock.  Not while an answer is told. */
extern void mf_channels_turn(MfChannels *channels, int64_t now);

#endif							/* MF_CHANNEL_H */
