/*
 * names.c
 *		A server for a few names, over UDP and TCP (RFC 1035).
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "harness.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define TYPE_A		1
#define TYPE_AAAA	28
#define NXDOMAIN	3
#define SERVFAIL	2

static int	stream;				/* the same, over TCP */

/* What is known: addresses with spaces between; "-": nobody answers. */
static const struct
{
	const char *name;
	int			ttl;
	const char *addresses;
}			names[] = {
	{"loop.test", 60, "127.0.0.1"},
	{"six.test", 60, "::1"},
	{"both.test", 60, "::1 127.0.0.1"},
	{"brief.test", 0, "127.0.0.1"},
	{"two.test", 60, "127.0.0.2 127.0.0.1"},
	{"dead.test", 60, "127.0.0.2 127.0.0.3 127.0.0.4 127.0.0.5"},
	{"mixed.test", 60, "192.88.98.1 127.0.0.1"},
	{"mixed6.test", 60, "127.0.0.1 fe80::1"},
	{"lan.test", 60, "10.1.2.3"},
	{"meta.test", 60, "169.254.169.254"},
	{"mapped.test", 60, "::ffff:10.1.2.3"},
	{"empty.test", 60, ""},
	{"silent.test", 60, "-"},
	{"broken.test", 60, "!"},
	{"many.test", 60, "#"},
};

static void
put16(uint8_t **at, unsigned int value)
{
	*(*at)++ = (uint8_t) (value >> 8);
	*(*at)++ = (uint8_t) value;
}

/* An answer of this type, where the address is of this type. */
static int
put_answer(uint8_t **at, unsigned int type, int ttl, const char *address)
{
	uint8_t		bytes[16];
	const bool	six = strchr(address, ':') != NULL;

	if (six != (type == TYPE_AAAA) ||
		inet_pton(six ? AF_INET6 : AF_INET, address, bytes) != 1)
		return 0;
	put16(at, 0xc00c);			/* the name in the question */
	put16(at, type);
	put16(at, 1);
	put16(at, 0);
	put16(at, (unsigned int) ttl);
	put16(at, six ? 16 : 4);
	memcpy(*at, bytes, six ? 16 : 4);
	*at += six ? 16 : 4;
	return 1;
}

/* Writes the answer behind the question; its length, 0: none. */
static size_t
reply(uint8_t *packet, size_t length)
{
	char		name[256] = "";
	char		addresses[256];
	char	   *save;
	const uint8_t *in = packet + 12;
	uint8_t    *out;
	unsigned int type;
	int			answers = 0;
	int			status = NXDOMAIN;

	while (in < packet + length && *in != 0)
	{
		snprintf(name + strlen(name), sizeof(name) - strlen(name), "%s%.*s",
				 name[0] == '\0' ? "" : ".", (int) *in, (const char *) in + 1);
		in += *in + 1;
	}
	type = (unsigned int) in[1] << 8 | in[2];
	out = packet + (in + 5 - packet);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		if (strcasecmp(names[i].name, name) != 0)
			continue;
		status = 0;
		if (names[i].addresses[0] == '-')
			return 0;
		if (names[i].addresses[0] == '!')
			status = SERVFAIL;
		if (names[i].addresses[0] == '#')
			for (int n = 0; n < 70; n++)
			{
				snprintf(addresses, sizeof(addresses), "127.0.1.%d", n);
				answers += put_answer(&out, type, 60, addresses);
			}
		snprintf(addresses, sizeof(addresses), "%s", names[i].addresses);
		for (char *at = strtok_r(addresses, " ", &save); at != NULL;
			 at = strtok_r(NULL, " ", &save))
			answers += put_answer(&out, type, names[i].ttl, at);
	}
	packet[2] = 0x84;			/* an answer, by who knows */
	packet[3] = (uint8_t) (0x80 | status);
	packet[6] = 0;
	packet[7] = (uint8_t) answers;
	memset(packet + 8, 0, 4);
	return (size_t) (out - packet);
}

/* One question over TCP, where the answer is too long for a packet. */
static void
serve_stream(void)
{
	const int	fd = accept(stream, NULL, NULL);
	uint8_t		packet[2 + 4096];
	size_t		answer;

	if (recv(fd, packet, 2, MSG_WAITALL) == 2)
	{
		const size_t length = (size_t) packet[0] << 8 | packet[1];

		if (length <= 512 && recv(fd, packet + 2, length,
								  MSG_WAITALL) == (ssize_t) length)
		{
			answer = reply(packet + 2, length);
			packet[0] = (uint8_t) (answer >> 8);
			packet[1] = (uint8_t) answer;
			send(fd, packet, 2 + answer, MSG_NOSIGNAL);
		}
	}
	close(fd);
}

static void
serve(int fd)
{
	for (;;)
	{
		struct pollfd ready[2] = {{fd, POLLIN, 0}, {stream, POLLIN, 0}};
		uint8_t		packet[4096];
		struct sockaddr_in from;
		socklen_t	from_length = sizeof(from);
		ssize_t		length;
		size_t		answer;

		poll(ready, 2, -1);
		if (ready[1].revents != 0)
			serve_stream();
		if (ready[0].revents == 0)
			continue;
		length = recvfrom(fd, packet, 512, 0, (struct sockaddr *) &from,
						  &from_length);

		if (length < 12)
			continue;
		atomic_fetch_add(&seen->questions, 1);
		answer = reply(packet, (size_t) length);
		if (answer > 0)
			sendto(fd, packet, answer, 0, (struct sockaddr *) &from,
				   from_length);
	}
}

void
names_start(Server *server)
{
	struct sockaddr_in here = {.sin_family = AF_INET};
	socklen_t	length = sizeof(here);
	const int	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *) &here, sizeof(here)) != 0 ||
		getsockname(fd, (struct sockaddr *) &here, &length) != 0)
		abort();
	server->port = ntohs(here.sin_port);
	stream = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(stream, (struct sockaddr *) &here, sizeof(here)) != 0 ||
		listen(stream, 10) != 0)
		abort();
	server_fork(server, fd, serve);
	close(stream);
}
