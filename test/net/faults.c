/*
 * faults.c
 *		A server that does what the path of a request says:
 *
 *		/status/N			answers with this status
 *		/say/N/HEADERS		the same, with headers; "|" ends one
 *		/circle				redirects to itself
 *		/hang				reads the request and never answers
 *		/deaf				does not even read it to its end
 *		/drip				an answer, one byte each 100 ms, that never ends
 *		/half				headers with a length, and no body
 *		/big				a body of 1 GB
 *		/short				fewer bytes than promised, then the end
 *		/none				ends the connection without a word
 *		/reset				resets it
 *		/once				answers; at the next request on the same
 *							connection, resets it
 *		/noise				something that is not HTTP
 *		/endless			headers without end
 *		/early				provisional answers without end
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "harness.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool
say(int fd, const char *what)
{
	return send(fd, what, strlen(what), MSG_NOSIGNAL) ==
		(ssize_t) strlen(what);
}

static void
hang(int fd)
{
	char		byte;

	while (recv(fd, &byte, 1, 0) > 0)
		;
}

static void
reset(int fd)
{
	const struct linger now = {1, 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

/* Reads a request; its length, or 0 at the end. */
static size_t
read_request(int fd, char *request)
{
	size_t		length = 0;
	size_t		wanted = 0;

	for (;;)
	{
		char	   *end;
		char	   *said;
		ssize_t		got = recv(fd, request + length, LAST_ROOM - 1 - length, 0);

		if (got <= 0)
			return 0;
		length += (size_t) got;
		request[length] = '\0';
		if (strncmp(request, "POST /deaf", 10) == 0)
			return length;
		end = strstr(request, "\r\n\r\n");
		if (end == NULL)
			continue;
		said = strcasestr(request, "\r\ncontent-length:");
		wanted = (size_t) (end + 4 - request) +
			(said != NULL && said < end ? strtoul(said + 17, NULL, 10) : 0);
		if (length >= wanted)
			return length;
	}
}

static bool
answer(int fd, const char *status, const char *headers)
{
	char		text[8192];
	char		lines[4096] = "";

	for (const char *at = headers; *at != '\0' && *at != ' ';)
	{
		const size_t length = strcspn(at, "| ");

		/* A plus is a space in a header: there is none in a path. */
		snprintf(lines + strlen(lines), sizeof(lines) - strlen(lines),
				 "%.*s\r\n", (int) length, at);
		at += length;
		if (*at == ' ')
			break;
		at += *at == '|';
	}
	for (char *at = lines; *at != '\0'; at++)
		if (*at == '+')
			*at = ' ';
	snprintf(text, sizeof(text),
			 "HTTP/1.1 %.3s Whatever\r\n%sContent-Length: 7\r\n\r\nanswer\n",
			 status, lines);
	return say(fd, text);
}

static void
flood(int fd)
{
	static char block[65536];

	memset(block, 'b', sizeof(block));
	say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n");
	for (int i = 0; i < 16384; i++)
		if (send(fd, block, sizeof(block), MSG_NOSIGNAL) <= 0)
			break;
}

/* Does what the path says; true: the connection goes on. */
static bool
behave(int fd, const char *path, int number)
{
	if (strncmp(path, "/status/", 8) == 0)
		return answer(fd, path + 8, "");
	if (strncmp(path, "/say/", 5) == 0)
		return answer(fd, path + 5, path + 9);
	if (strncmp(path, "/circle", 7) == 0)
		return answer(fd, "307", "Location:+/circle");
	if (strncmp(path, "/hang", 5) == 0 || strncmp(path, "/deaf", 5) == 0)
		hang(fd);
	else if (strncmp(path, "/drip", 5) == 0)
	{
		say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
		while (say(fd, "d"))
			usleep(100000);
	}
	else if (strncmp(path, "/half", 5) == 0)
	{
		say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
		hang(fd);
	}
	else if (strncmp(path, "/big", 4) == 0)
		flood(fd);
	else if (strncmp(path, "/short", 6) == 0)
		say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
	else if (strncmp(path, "/reset", 6) == 0)
		reset(fd);
	else if (strncmp(path, "/once", 5) == 0)
	{
		if (number == 0)
			return answer(fd, "200", "");
		reset(fd);
	}
	else if (strncmp(path, "/noise", 6) == 0)
		say(fd, "220 mail.example.org ESMTP\r\n");
	else if (strncmp(path, "/endless", 8) == 0)
	{
		say(fd, "HTTP/1.1 200 OK\r\n");
		while (say(fd, "X-Header: and another one that takes some room\r\n"))
			;
	}
	else if (strncmp(path, "/early", 6) == 0)
		while (say(fd, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"))
			;
	return false;
}

static void *
converse(void *arg)
{
	const int	fd = (int) (intptr_t) arg;
	char	   *request = malloc(LAST_ROOM);
	size_t		length;
	int			number = 0;

	while ((length = read_request(fd, request)) > 0)
	{
		memcpy(seen->last, request, length + 1);
		atomic_store(&seen->last_length, length);
		atomic_fetch_add(&seen->requests, 1);
		if (strncmp(request, "POST ", 5) != 0 ||
			!behave(fd, request + 5, number++))
			break;
	}
	close(fd);
	free(request);
	return NULL;
}

static void
serve(int listener)
{
	for (;;)
	{
		const int	fd = accept(listener, NULL, NULL);
		pthread_t	thread;

		if (fd < 0)
			continue;
		atomic_fetch_add(&seen->connections, 1);
		if (pthread_create(&thread, NULL, converse,
						   (void *) (intptr_t) fd) != 0)
			abort();
		pthread_detach(thread);
	}
}

void
faults_start(Server *server)
{
	struct sockaddr_in here = {.sin_family = AF_INET};
	socklen_t	length = sizeof(here);
	const int	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *) &here, sizeof(here)) != 0 ||
		listen(fd, 4096) != 0 ||
		getsockname(fd, (struct sockaddr *) &here, &length) != 0)
		abort();
	server->port = ntohs(here.sin_port);
	server_fork(server, fd, serve);
}
