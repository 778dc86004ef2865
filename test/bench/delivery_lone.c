/*
 * delivery_lone.c
 *		How long a lone event takes from its COMMIT to its receiver.
 *
 *		delivery_lone CONNECTION PORT FILE COUNT
 *
 * Emits COUNT events, one in each transaction, while nothing else is going on,
 * and receives them itself on 127.0.0.1:PORT, where an endpoint points to.
 * For each it prints three times in microseconds:
 *
 *		from just before COMMIT was sent to the arrival of the request
 *		from when COMMIT had returned to the arrival; negative: it came sooner
 *		write and fdatasync of 8 kB in FILE, over bytes that are there
 *
 * The arrival is when the read() that brought the request's first bytes has
 * returned.  All times are of one clock.  20 to 40 ms pass before each commit
 * and before each fdatasync, so that both find a disk and processors that were
 * idle, and what came of the event before is written down.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BLOCK		8192
#define BLOCKS		1024
#define WARM		20
#define CONNECTIONS	32
#define REQUEST_MAX	16384
#define ID_LENGTH	36
#define WAIT_S		10

#define QUIET		"{\"note\": \"%0500d\"}"

typedef struct Connection
{
	int			fd;				/* -1: free */
	int64_t		arrived;
	size_t		length;
	char		bytes[REQUEST_MAX + 1];
} Connection;

static Connection connections[CONNECTIONS];
static int	listener;

/* The last request that came: whose, and when. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t came = PTHREAD_COND_INITIALIZER;
static char came_id[ID_LENGTH + 1];
static int64_t came_at;

static int64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

static void
give_up(const char *what)
{
	fprintf(stderr, "delivery_lone: %s\n", what);
	exit(1);
}

/* ---- receiving ------------------------------------------------------------ */

static void
listen_on(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	int			on = 1;

	address.sin_port = htons((uint16_t) port);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *) &address, sizeof(address)) != 0 ||
		listen(listener, CONNECTIONS) != 0)
		give_up("cannot listen");
	for (int i = 0; i < CONNECTIONS; i++)
		connections[i].fd = -1;
}

static void
take_connection(void)
{
	int			fd = accept(listener, NULL, NULL);
	int			on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	for (int i = 0; i < CONNECTIONS; i++)
		if (connections[i].fd < 0)
		{
			connections[i].fd = fd;
			connections[i].length = 0;
			return;
		}
	close(fd);
}

static const char *
header(const Connection *connection, const char *name)
{
	const char *found = strcasestr(connection->bytes, name);

	return found == NULL ? "" : found + strlen(name);
}

static void
read_from(Connection *connection)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	const char *end;
	ssize_t		count = read(connection->fd, connection->bytes + connection->length,
							 REQUEST_MAX - connection->length);

	if (count <= 0)
	{
		close(connection->fd);
		connection->fd = -1;
		return;
	}
	if (connection->length == 0)
		connection->arrived = now_ns();
	connection->length += (size_t) count;
	connection->bytes[connection->length] = '\0';
	end = strstr(connection->bytes, "\r\n\r\n");
	if (end == NULL ||
		connection->length < (size_t) (end + 4 - connection->bytes) +
		strtoul(header(connection, "\r\ncontent-length: "), NULL, 10))
		return;

	pthread_mutex_lock(&lock);
	memcpy(came_id, header(connection, "\r\nwebhook-id: "), ID_LENGTH);
	came_at = connection->arrived;
	pthread_cond_signal(&came);
	pthread_mutex_unlock(&lock);
	connection->length = 0;
	if (write(connection->fd, answer, strlen(answer)) < 0)
		give_up("cannot answer");
}

static void *
receive(void *arg)
{
	struct pollfd fds[CONNECTIONS + 1];

	for (;;)
	{
		fds[CONNECTIONS] = (struct pollfd)
		{
			.fd = listener,.events = POLLIN
		};
		for (int i = 0; i < CONNECTIONS; i++)
			fds[i] = (struct pollfd)
		{
			.fd = connections[i].fd,.events = POLLIN
		};
		if (poll(fds, CONNECTIONS + 1, -1) < 0 && errno != EINTR)
			give_up("poll");
		for (int i = 0; i < CONNECTIONS; i++)
			if (fds[i].revents != 0)
				read_from(&connections[i]);
		if (fds[CONNECTIONS].revents != 0)
			take_connection();
	}
	return arg;
}

/* When the request of this event has arrived. */
static int64_t
arrival_of(const char *id)
{
	struct timespec until;
	int64_t		at;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_S;
	pthread_mutex_lock(&lock);
	while (strcmp(came_id, id) != 0)
		if (pthread_cond_timedwait(&came, &lock, &until) != 0)
			give_up("an event did not come");
	at = came_at;
	pthread_mutex_unlock(&lock);
	return at;
}

/* ---- committing ------------------------------------------------------------- */

static void
run(PGconn * server, const char *sql, char *value)
{
	PGresult   *result = PQexec(server, sql);
	ExecStatusType status = PQresultStatus(result);

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		give_up(PQerrorMessage(server));
	if (value != NULL)
		snprintf(value, ID_LENGTH + 1, "%s", PQgetvalue(result, 0, 0));
	PQclear(result);
}

static void
rest(void)
{
	struct timespec pause = {0, 20000000 + (random() % 20000) * 1000};

	nanosleep(&pause, NULL);
}

static int
open_file(const char *name)
{
	static char block[BLOCK];
	int			fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);

	for (int i = 0; i < BLOCKS; i++)
		if (write(fd, block, BLOCK) != BLOCK)
			give_up("cannot write the file");
	if (fsync(fd) != 0)
		give_up("fsync");
	return fd;
}

static int64_t
sync_block(int fd, int i)
{
	static char block[BLOCK];
	int64_t		begin;

	memset(block, i, BLOCK);
	begin = now_ns();
	if (pwrite(fd, block, BLOCK, (off_t) (i % BLOCKS) * BLOCK) != BLOCK ||
		fdatasync(fd) != 0)
		give_up("cannot write the file");
	return now_ns() - begin;
}

int
main(int argc, char **argv)
{
	char		emit[1024];
	pthread_t	receiver;
	PGconn	   *server;
	int			file;

	if (argc != 5)
		give_up("usage: delivery_lone CONNECTION PORT FILE COUNT");
	listen_on(atoi(argv[2]));
	pthread_create(&receiver, NULL, receive, NULL);
	file = open_file(argv[3]);
	server = PQconnectdb(argv[1]);
	if (PQstatus(server) != CONNECTION_OK)
		give_up(PQerrorMessage(server));
	snprintf(emit, sizeof(emit), "SELECT mesflow.emit('bench.lone', 'lone', '" QUIET "')", 0);

	for (int i = 0; i < WARM + atoi(argv[4]); i++)
	{
		char		id[ID_LENGTH + 1];
		int64_t		synced;
		int64_t		before;
		int64_t		after;
		int64_t		arrived;

		rest();
		synced = sync_block(file, i);
		rest();
		run(server, "BEGIN", NULL);
		run(server, emit, id);
		before = now_ns();
		run(server, "COMMIT", NULL);
		after = now_ns();
		arrived = arrival_of(id);
		if (i >= WARM)
			printf("%.1f %.1f %.1f\n", (double) (arrived - before) / 1000,
				   (double) (arrived - after) / 1000, (double) synced / 1000);
	}
	unlink(argv[3]);
	return 0;
}
