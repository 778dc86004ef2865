/*
 * channel.c
 *		c-ares on our epoll; see channel.h.
 *
 * There are two channels at most: a file that changes again is looked at when
 * the former channel has gone.  It goes with its last answer, or when whoever
 * waited for one has lost patience; only in a turn, for c-ares may not lose a
 * channel in the middle of a call of its own.
 */
#include "channel.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECOND			INT64_C(1000000)

/* What c-ares does within our patience: ask twice, then another way. */
#define TRY_MS			1500
#define TRIES			2

#define SERVERS_FILE	"/etc/resolv.conf"

typedef struct Channel
{
	ares_channel ares;			/* NULL: closed */
	MfPoller   *poller;
} Channel;

struct MfChannels
{
	Channel		both[2];
	Channel    *current;
	Channel    *former;			/* closed, or with questions open */
	int64_t		former_until;	/* nobody waits for its answers after that */
	uint16_t	test_port;
	uint16_t	test_tcp_port;
	const char *file;			/* NULL: the servers are given */
	struct stat read;			/* the file as it was for `current` */
	int64_t		looked_at;
};

static void
socket_ready(void *arg, int fd, uint32_t events)
{
	Channel    *channel = arg;
	const uint32_t broken = EPOLLERR | EPOLLHUP;

	ares_process_fd(channel->ares,
					events & (EPOLLIN | broken) ? fd : ARES_SOCKET_BAD,
					events & (EPOLLOUT | broken) ? fd : ARES_SOCKET_BAD);
}

/* c-ares says what it wants of a socket; neither: it is about to close it. */
static void
socket_changed(void *arg, ares_socket_t fd, int readable, int writable)
{
	Channel    *channel = arg;

	if (!readable && !writable)
		mf_poller_closing(channel->poller, fd);
	else
		(void) mf_poller_watch(channel->poller, fd,
							   (readable ? EPOLLIN : 0) |
							   (writable ? EPOLLOUT : 0),
							   socket_ready, channel);
}

static bool
open_channel(MfChannels *channels, Channel *channel)
{
	struct ares_options options;
	struct in_addr here = {htonl(INADDR_LOOPBACK)};
	char		files_first[] = "fb";
	int			mask = ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS |
	ARES_OPT_TRIES | ARES_OPT_LOOKUPS;

	memset(&options, 0, sizeof(options));
	options.sock_state_cb = socket_changed;
	options.sock_state_cb_data = channel;
	options.timeout = TRY_MS;
	options.tries = TRIES;
	options.lookups = files_first;
	if (channels->test_port != 0)
	{
		options.udp_port = channels->test_port;
		options.tcp_port = channels->test_tcp_port;
		mask |= ARES_OPT_UDP_PORT | ARES_OPT_TCP_PORT;
	}
	if (channels->file == NULL)
	{
		options.servers = &here;
		options.nservers = 1;
		mask |= ARES_OPT_SERVERS;
	}
	else
	{
		options.resolvconf_path = (char *) channels->file;
		mask |= ARES_OPT_RESOLVCONF;
	}
	if (ares_init_options(&channel->ares, &options, mask) == ARES_SUCCESS)
		return true;
	channel->ares = NULL;
	return false;
}

static void
close_channel(Channel *channel)
{
	if (channel->ares != NULL)
		ares_destroy(channel->ares);
	channel->ares = NULL;
}

/* In how long c-ares wants to be called; NULL: no question is open. */
static const struct timeval *
timeout_of(const Channel *channel, struct timeval *buffer)
{
	return channel->ares == NULL ? NULL :
		ares_timeout(channel->ares, NULL, buffer);
}

/*
 * What the file is; false: it cannot be read.  c-ares would not say so, but
 * ask 127.0.0.1 from then on.
 */
static bool
look_at_file(const MfChannels *channels, struct stat *status)
{
	const int	fd = open(channels->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const bool	known = fd >= 0 && fstat(fd, status) == 0;

	if (fd >= 0)
		close(fd);
	return known;
}

static bool
is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
		a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
		a->st_size == b->st_size && a->st_ino == b->st_ino &&
		a->st_dev == b->st_dev;
}

/*
 * Another channel, where the file has changed.  Where that fails, the one
 * there is stays, and it is tried again.
 */
static void
follow_file(MfChannels *channels, int64_t now)
{
	Channel    *next = channels->former;
	struct stat status;

	if (channels->file == NULL || next->ares != NULL ||
		now < channels->looked_at + SECOND)
		return;
	channels->looked_at = now;
	if (!look_at_file(channels, &status) ||
		is_same_file(&status, &channels->read) ||
		!open_channel(channels, next))
		return;
	channels->read = status;
	channels->former = channels->current;
	channels->former_until = now + MF_CHANNEL_PATIENCE;
	channels->current = next;
}

MfChannels *
mf_channels_create(MfPoller *poller, uint16_t test_port,
				   uint16_t test_tcp_port, const char *test_servers)
{
	MfChannels *channels = calloc(1, sizeof(*channels));

	if (channels == NULL)
		return NULL;
	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
	{
		free(channels);
		return NULL;
	}
	channels->both[0].poller = poller;
	channels->both[1].poller = poller;
	channels->current = &channels->both[0];
	channels->former = &channels->both[1];
	channels->test_port = test_port;
	channels->test_tcp_port = test_tcp_port;
	channels->file = test_port != 0 ? test_servers : SERVERS_FILE;

	/* Without the file, c-ares asks 127.0.0.1 until there is one. */
	if (channels->file != NULL && !look_at_file(channels, &channels->read))
		memset(&channels->read, 0, sizeof(channels->read));
	channels->looked_at = mf_now_us();
	if (open_channel(channels, channels->current))
		return channels;
	mf_channels_free(channels);
	return NULL;
}

void
mf_channels_free(MfChannels *channels)
{
	if (channels == NULL)
		return;
	close_channel(channels->former);
	close_channel(channels->current);
	ares_library_cleanup();
	free(channels);
}

void
mf_channels_ask(MfChannels *channels, const char *host,
				ares_addrinfo_callback answered, void *arg)
{
	struct ares_addrinfo_hints hints;

	follow_file(channels, mf_now_us());
	memset(&hints, 0, sizeof(hints));
	hints.ai_family = AF_UNSPEC;
	hints.ai_socktype = SOCK_STREAM;
	ares_getaddrinfo(channels->current->ares, host, NULL, &hints, answered,
					 arg);
}

int64_t
mf_channels_due(MfChannels *channels)
{
	int64_t		due = -1;

	for (int i = 0; i < 2; i++)
	{
		struct timeval buffer;
		const struct timeval *wait = timeout_of(&channels->both[i], &buffer);
		int64_t		time;

		if (wait == NULL)
			continue;
		time = wait->tv_sec > 0 ? SECOND : wait->tv_usec;
		if (due < 0 || time < due)
			due = time;
	}
	return due;
}

void
mf_channels_turn(MfChannels *channels, int64_t now)
{
	struct timeval buffer;

	for (int i = 0; i < 2; i++)
		if (timeout_of(&channels->both[i], &buffer) != NULL)
			ares_process_fd(channels->both[i].ares, ARES_SOCKET_BAD,
							ARES_SOCKET_BAD);
	if (now >= channels->former_until ||
		timeout_of(channels->former, &buffer) == NULL)
		close_channel(channels->former);
}
