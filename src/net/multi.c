/*
 * multi.c
 *		libcurl on our epoll: its sockets, its timer.
 */
#include "transfer.h"

#include <sys/resource.h>

/* Connections that are kept, busy ones included. */
#define CONNECTIONS		(2L * MF_SENDER_SLOTS)

/* Descriptors that are no connections: the parent's, epoll, DNS, files. */
#define OTHER_DESCRIPTORS	128

/* Streams in one HTTP/2 connection. */
#define STREAMS			100L

static void
socket_ready(void *arg, int fd, uint32_t events)
{
	MfMulti    *multi = arg;
	int			running;
	int			mask = 0;

	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		mask |= CURL_CSELECT_IN;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		mask |= CURL_CSELECT_OUT;
	if (curl_multi_socket_action(multi->curl, fd, mask,
								 &running) != CURLM_OK)
		multi->broken = true;
}

static int
socket_changed(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket)
{
	MfMulti    *multi = arg;
	uint32_t	events = 0;

	(void) easy;
	(void) socket;
	if (what & CURL_POLL_IN && what != CURL_POLL_REMOVE)
		events |= EPOLLIN;
	if (what & CURL_POLL_OUT && what != CURL_POLL_REMOVE)
		events |= EPOLLOUT;
	if (!mf_poller_watch(multi->poller, fd, events, socket_ready, multi))
		multi->broken = true;
	return 0;
}

static int
timer_changed(CURLM *curl, long timeout_ms, void *arg)
{
	MfMulti    *multi = arg;

	(void) curl;
	multi->timer_set = timeout_ms >= 0;
	multi->timer_at = mf_now_us() + (int64_t) timeout_ms * 1000;
	multi->timer_told = true;
	return 0;
}

/*
 * As many descriptors as connections may be; returns how many connections
 * that is.
 */
static long
raise_descriptors(void)
{
	const rlim_t wanted = CONNECTIONS + OTHER_DESCRIPTORS;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return CONNECTIONS / 4;
	if (limit.rlim_cur < wanted)
	{
		limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
		(void) setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (limit.rlim_cur >= wanted)
		return CONNECTIONS;
	return limit.rlim_cur > 2 * OTHER_DESCRIPTORS ?
		(long) limit.rlim_cur - OTHER_DESCRIPTORS : OTHER_DESCRIPTORS;
}

/*
 * No limit to the connections in use: each request has one at most, and a
 * limit would make libcurl queue, while the time of the queued runs.
 */
bool
mf_multi_open(MfMulti *multi, MfPoller *poller)
{
	const long	connections = raise_descriptors();

	multi->poller = poller;
	multi->curl = curl_multi_init();
	return multi->curl != NULL &&
		curl_multi_setopt(multi->curl, CURLMOPT_SOCKETFUNCTION,
						  socket_changed) == CURLM_OK &&
		curl_multi_setopt(multi->curl, CURLMOPT_SOCKETDATA,
						  multi) == CURLM_OK &&
		curl_multi_setopt(multi->curl, CURLMOPT_TIMERFUNCTION,
						  timer_changed) == CURLM_OK &&
		curl_multi_setopt(multi->curl, CURLMOPT_TIMERDATA,
						  multi) == CURLM_OK &&
		curl_multi_setopt(multi->curl, CURLMOPT_PIPELINING,
						  CURLPIPE_MULTIPLEX) == CURLM_OK &&
		curl_multi_setopt(multi->curl, CURLMOPT_MAX_CONCURRENT_STREAMS,
						  STREAMS) == CURLM_OK &&
		curl_multi_setopt(multi->curl, CURLMOPT_MAXCONNECTS,
						  connections) == CURLM_OK;
}

void
mf_multi_close(MfMulti *multi)
{
	if (multi->curl != NULL)
		curl_multi_cleanup(multi->curl);
	multi->curl = NULL;
}

/* libcurl starts what it was given in the call that its timer asks for. */
bool
mf_multi_turn(MfMulti *multi)
{
	int			running;

	if (multi->broken || !multi->timer_set || multi->timer_at > mf_now_us())
		return false;
	multi->timer_told = false;
	if (curl_multi_socket_action(multi->curl, CURL_SOCKET_TIMEOUT, 0,
								 &running) != CURLM_OK)
		multi->broken = true;

	/* It counts in milliseconds, and this one is not over yet. */
	if (!multi->timer_told)
		multi->timer_at = mf_now_us() + 1000;
	return true;
}
