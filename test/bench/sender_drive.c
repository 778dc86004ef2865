/*
 * sender_drive.c
 *		Drives mesflow-sender as the delivery worker does, as fast as it can.
 *
 *		sender_drive PROGRAM URL REQUESTS IN_FLIGHT [TARGETS]
 *
 * Sends POSTs of 600 bytes, signed, to one target or in turn to so many, and
 * prints how many a second, and how many microseconds of processor time the
 * program took for each.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "frame/frame.h"
#include "frame/sending.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BODY		600

static MfProgram program;
static MfReceived received;
static char body[BODY];

static MfBytes
text(const char *from)
{
	MfBytes		bytes = {from, strlen(from)};

	return bytes;
}

static void
give_up(const char *what)
{
	fprintf(stderr, "sender_drive: %s\n", what);
	exit(2);
}

static void
wait_for(short events)
{
	struct pollfd descriptor = {program.fd, events, 0};

	(void) poll(&descriptor, 1, -1);
}

/* Sends a frame, whatever it takes. */
static void
flush(MfSending *frame)
{
	while (!mf_sending_flush(program.fd, frame))
	{
		if (errno != EAGAIN)
			give_up("the program is gone");
		wait_for(POLLOUT);
	}
}

static void
receive(MfSendingType type)
{
	const char *why;

	for (;;)
	{
		switch (mf_sending_receive(program.fd, false,
								   1U << (type - MF_SENDING_HELLO),
								   &received, &why))
		{
			case MF_FRAME_GOT:
				return;
			case MF_FRAME_NOTHING:
				wait_for(POLLIN);
				break;
			case MF_FRAME_CLOSED:
				give_up("the program is gone");
				break;
			case MF_FRAME_BAD:
				give_up(why);
				break;
		}
	}
}

static void
tell_targets(const char *url, uint32_t count)
{
	MfSending	frame;
	MfTarget	target;

	mf_sending_start(&frame, MF_SENDING_TARGET);
	memset(&target, 0, sizeof(target));
	target.url = text(url);
	target.allowed_by_server = text("127.0.0.0/8\n::1\n");
	target.allowed_by_endpoint = target.allowed_by_server;
	target.timeout_ms = 15000;
	target.connect_timeout_ms = 5000;
	target.secret_count = 1;
	target.secrets[0] = text("0123456789abcdef0123456789abcdef");
	for (uint32_t i = 0; i < count; i++)
	{
		target.number = i;
		if (!mf_sending_add_target(&frame, &target))
		{
			flush(&frame);
			if (!mf_sending_add_target(&frame, &target))
				give_up("the URL cannot be used");
		}
	}
	flush(&frame);
	mf_sending_free(&frame);
}

static void
add_request(MfSending *frame, uint64_t tag, uint32_t targets)
{
	MfRequest	request;
	char		id[32];

	snprintf(id, sizeof(id), "msg_%016llx", (unsigned long long) tag);
	memset(&request, 0, sizeof(request));
	request.tag = tag;
	request.target = (uint32_t) (tag % targets);
	request.id = text(id);
	request.content_type = text("application/json");
	request.headers = text("traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n"
						   "mesflow-key: order/4711\n");
	request.body.data = body;
	request.body.length = sizeof(body);
	if (mf_sending_add_request(frame, &request))
		return;
	flush(frame);
	if (!mf_sending_add_request(frame, &request))
		give_up("a request cannot be sent");
}

int
main(int argc, char **argv)
{
	static MfOutcome outcome;
	const long	requests = argc >= 5 ? atol(argv[3]) : 0;
	const long	in_flight = argc >= 5 ? atol(argv[4]) : 0;
	const long	targets = argc >= 6 ? atol(argv[5]) : 1;
	char		error[400];
	MfSenderHello hello;
	MfSending	frame;
	MfProgramEnd program_end;
	struct timespec begin;
	struct timespec end;
	long		started = 0;
	long		ended = 0;
	long		good = 0;

	if (requests <= 0 || in_flight <= 0 || in_flight > MF_SENDER_SLOTS ||
		targets <= 0 || targets > MF_SENDER_TARGETS)
	{
		fprintf(stderr, "usage: sender_drive PROGRAM URL REQUESTS IN_FLIGHT [TARGETS]\n");
		return 2;
	}
	memset(body, 'x', sizeof(body));
	if (!mf_program_spawn(argv[1], &program, error, sizeof(error)))
		give_up(error);
	receive(MF_SENDING_HELLO);
	if (mf_received_hello(&received, &hello, NULL) != MF_FRAME_GOT)
		give_up("the program says no hello");
	fprintf(stderr, "mesflow-sender %s, %s\n", hello.version,
			hello.libraries);
	tell_targets(argv[2], (uint32_t) targets);

	mf_sending_start(&frame, MF_SENDING_SEND);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	while (ended < requests)
	{
		while (started < requests && started - ended < in_flight)
			add_request(&frame, (uint64_t) started++, (uint32_t) targets);
		flush(&frame);
		receive(MF_SENDING_SENT);
		while (mf_received_outcome(&received, &outcome, NULL) == MF_FRAME_GOT)
		{
			ended++;
			if (outcome.kind == MF_OUTCOME_ANSWERED && outcome.status == 200)
				good++;
			else if (ended - good < 10)
				fprintf(stderr, "%s %u %s\n",
						mf_outcome_kind_name(outcome.kind), outcome.status,
						outcome.error);
		}
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	close(program.fd);
	program.fd = -1;
	while (!mf_program_reap(&program, &program_end))
		(void) poll(NULL, 0, 1);
	printf("%.0f %.1f\n", (double) good /
		   ((double) (end.tv_sec - begin.tv_sec) +
			(double) (end.tv_nsec - begin.tv_nsec) / 1e9),
		   program_end.cpu_ms * 1000 / (double) requests);
	return good == requests ? 0 : 1;
}
