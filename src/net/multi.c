/*
 * multi.c
 *		libcurl on our epoll: its sockets, its timer.
 */
#include "transfer.h"

#include <sys/resource.h>

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

/* How many descriptors there may be; raises it as far as it is of use. */
static rlim_t
raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return MF_SENDER_OTHER_FILES;
	if (limit.rlim_cur < MF_SENDER_FILES)
	{
		limit.rlim_cur = limit.rlim_max < MF_SENDER_FILES ?
			limit.rlim_max : MF_SENDER_FILES;
		(void) setrlimit(RLIMIT_NOFILE, &limit);
	}
	return limit.rlim_cur < MF_SENDER_FILES ? limit.rlim_cur : MF_SENDER_FILES;
}

/*
 * Of the descriptors that are for connections, up to a half goes to requests,
 * the rest to connections that are kept; returns how many those are.  libcurl
 * closes one of them only when a request ends, so both together must fit.
 */
static long
share_descriptors(MfMulti *multi)
{
	const rlim_t limit = raise_descriptors();
	const rlim_t most = limit > 2 * MF_SENDER_OTHER_FILES ?
	limit - MF_SENDER_OTHER_FILES : limit / 2;

	multi->slots = (unsigned int) (most / 2 < 1 ? 1 :
								   most / 2 < MF_SENDER_SLOTS ? most / 2 :
								   MF_SENDER_SLOTS);
	return most > multi->slots ? (long) (most - multi->slots) : 1;
}

/*
 * No limit to the connections in use: each request has one at most, and a
 * limit would make libcurl queue, while the time of the queued runs.
 */
bool
mf_multi_open(MfMulti *multi, MfPoller *poller)
{
	const long	connections = share_descriptors(multi);

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
