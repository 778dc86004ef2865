/*
 * sender_loop.c
 *		The yardstick for mesflow-sender: a bare loop around libcurl.
 *
 *		sender_loop URL REQUESTS IN_FLIGHT
 *
 * Sends POSTs of 600 bytes with handles that are used again, through
 * curl_multi_socket_action on epoll, and prints how many a second, and how
 * many microseconds of processor time each took.  It looks at no address, signs
 * nothing, keeps no time, and tells nobody.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

#define BODY		600

static int	epoll;
static CURLM *multi;
static long timeout = -1;
static char body[BODY];

static int
socket_changed(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct epoll_event event = {0};

	(void) easy;
	(void) arg;
	event.data.fd = fd;
	if (what & CURL_POLL_IN)
		event.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		event.events |= EPOLLOUT;
	if (what == CURL_POLL_REMOVE)
		epoll_ctl(epoll, EPOLL_CTL_DEL, fd, &event);
	else if (known != NULL)
		epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
	else
	{
		epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
		curl_multi_assign(multi, fd, multi);
	}
	return 0;
}

static int
timer_changed(CURLM *changed, long ms, void *arg)
{
	(void) changed;
	(void) arg;
	timeout = ms;
	return 0;
}

static size_t
take(char *bytes, size_t size, size_t count, void *arg)
{
	(void) bytes;
	(void) arg;
	return size * count;
}

int
main(int argc, char **argv)
{
	const long	requests = argc == 4 ? atol(argv[2]) : 0;
	const long	in_flight = argc == 4 ? atol(argv[3]) : 0;
	struct epoll_event events[256];
	struct curl_slist *headers = NULL;
	struct timespec begin;
	struct timespec end;
	struct rusage usage;
	long		started = 0;
	long		ended = 0;
	long		good = 0;
	int			running;

	if (requests <= 0 || in_flight <= 0)
	{
		fprintf(stderr, "usage: sender_loop URL REQUESTS IN_FLIGHT\n");
		return 2;
	}
	memset(body, 'x', sizeof(body));
	curl_global_init(CURL_GLOBAL_DEFAULT);
	headers = curl_slist_append(headers, "Content-Type: application/json");
	headers = curl_slist_append(headers, "Expect:");
	epoll = epoll_create1(0);
	multi = curl_multi_init();
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, socket_changed);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, timer_changed);
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 2048L);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (; started < in_flight && started < requests; started++)
	{
		CURL	   *easy = curl_easy_init();

		curl_easy_setopt(easy, CURLOPT_URL, argv[1]);
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long) BODY);
		curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
		curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
		curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
		curl_multi_add_handle(multi, easy);
	}
	while (ended < requests)
	{
		CURLMsg    *message;
		int			left;
		int			count = epoll_wait(epoll, events, 256, (int) timeout);

		for (int i = 0; i < count; i++)
			curl_multi_socket_action(multi, events[i].data.fd,
									 events[i].events & EPOLLOUT ?
									 CURL_CSELECT_IN | CURL_CSELECT_OUT :
									 CURL_CSELECT_IN, &running);
		if (count == 0 || timeout == 0)
			curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
		while ((message = curl_multi_info_read(multi, &left)) != NULL)
		{
			CURL	   *easy = message->easy_handle;
			long		status = 0;

			curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
			good += message->data.result == CURLE_OK && status == 200;
			ended++;
			curl_multi_remove_handle(multi, easy);
			if (started++ < requests)
				curl_multi_add_handle(multi, easy);
			else
				curl_easy_cleanup(easy);
		}
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	getrusage(RUSAGE_SELF, &usage);
	printf("%.0f %.1f\n", (double) good /
		   ((double) (end.tv_sec - begin.tv_sec) +
			(double) (end.tv_nsec - begin.tv_nsec) / 1e9),
		   ((double) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
			(double) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)) /
		   (double) requests);
	return good == requests ? 0 : 1;
}
