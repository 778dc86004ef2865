/*
 * test_sending.c
 *		Frames between the delivery worker and its sending program.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "frame/sending.h"
#include "frame/sending_entries.h"
#include "tap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ALL_TYPES		0x1fU
#define MUTATIONS		4000

static int	pair[2];
static MfReceived received;
static MfOutcome outcome;		/* large */
static char secret[MF_SENDING_SECRET_MAX + 1];

static void
open_pair(void)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		abort();
}

static void
close_pair(void)
{
	close(pair[0]);
	close(pair[1]);
}

static MfBytes
text(const char *from)
{
	MfBytes		bytes = {from, strlen(from)};

	return bytes;
}

static bool
same(MfBytes a, MfBytes b)
{
	return a.length == b.length &&
		(a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

static MfTarget
sample_target(void)
{
	MfTarget	target;

	memset(&target, 0, sizeof(target));
	memset(secret, 's', sizeof(secret));
	target.number = 65535;
	target.url = text("https://hooks.example.org/mesflow?x=1");
	target.headers = text("X-One: 1\nx-empty:\n");
	target.user_password = text("user:pass word");
	target.bearer = text("abc.def");
	target.ca = text("-----BEGIN CERTIFICATE-----\n");
	target.client_cert = text("cert");
	target.client_key = text("key");
	target.allowed_by_server = text("10.0.0.0/8\nhost\n");
	target.allowed_by_endpoint = text("10.1.2.3\n");
	target.timeout_ms = 15000;
	target.connect_timeout_ms = 5000;
	target.redirects = 3;
	target.secret_count = 2;
	target.secrets[0] = text("0123456789abcdef01234567");
	target.secrets[1].data = secret;
	target.secrets[1].length = MF_SENDING_SECRET_MAX;
	return target;
}

static MfRequest
sample_request(void)
{
	MfRequest	request;

	memset(&request, 0, sizeof(request));
	request.tag = UINT64_C(0xfedcba9876543210);
	request.target = 7;
	request.id = text("msg_0001");
	request.content_type = text("application/json; charset=utf-8");
	request.headers = text("traceparent: 00-1-2-01\n");
	request.body = text("{\"a\": 1}");
	return request;
}

static void
make_sample_outcome(void)
{
	memset(&outcome, 0, sizeof(outcome));
	outcome.tag = 42;
	outcome.kind = MF_OUTCOME_ANSWERED;
	outcome.status = 503;
	outcome.duration_us = 123456;
	outcome.retry_after_s = 120;
	outcome.reused = true;
	strcpy(outcome.error, "none of it");
	outcome.response_length = 5;
	memcpy(outcome.response, "a\0b\nc", 5);
}

/* A frame with one entry of each type, as bytes. */
static void
make_frame(MfSendingType type, MfSending *frame)
{
	MfSenderHello hello = {MF_SENDING_PROTOCOL, 5, "0.1", "libcurl/8"};
	MfTarget	target = sample_target();
	MfRequest	request = sample_request();
	bool		good = false;

	make_sample_outcome();
	mf_sending_start(frame, type);
	switch (type)
	{
		case MF_SENDING_HELLO:
			good = mf_sending_add_hello(frame, &hello);
			break;
		case MF_SENDING_TARGET:
			good = mf_sending_add_target(frame, &target);
			break;
		case MF_SENDING_FORGET:
			good = mf_sending_add_forget(frame, 9);
			break;
		case MF_SENDING_SEND:
			good = mf_sending_add_request(frame, &request);
			break;
		case MF_SENDING_SENT:
			good = mf_sending_add_outcome(frame, &outcome);
			break;
	}
	if (!good)
		abort();
}

/* Takes entries of whatever type the frame is; the last status. */
static MfFrameStatus
take_all(int *entries, const char **why)
{
	static MfOutcome taken;
	MfSenderHello hello;
	MfTarget	target;
	MfRequest	request;
	uint32_t	number;
	MfFrameStatus status;

	*entries = 0;
	for (;;)
	{
		switch (received.type)
		{
			case MF_SENDING_HELLO:
				status = mf_received_hello(&received, &hello, why);
				break;
			case MF_SENDING_TARGET:
				status = mf_received_target(&received, &target, why);
				if (status == MF_FRAME_GOT &&
					mf_sending_check_target(&target) != NULL)
					abort();
				break;
			case MF_SENDING_FORGET:
				status = mf_received_forget(&received, &number, why);
				break;
			case MF_SENDING_SEND:
				status = mf_received_request(&received, &request, why);
				if (status == MF_FRAME_GOT &&
					mf_sending_check_request(&request) != NULL)
					abort();
				break;
			default:
				status = mf_received_outcome(&received, &taken, why);
				if (status == MF_FRAME_GOT &&
					mf_sending_check_outcome(&taken) != NULL)
					abort();
				break;
		}
		if (status != MF_FRAME_GOT)
			return status;
		(*entries)++;
	}
}

/* ---- tests -------------------------------------------------------------- */

static void
test_target(void)
{
	MfTarget	in = sample_target();
	MfTarget	out;
	MfSending	frame;
	const char *why = "";

	make_frame(MF_SENDING_TARGET, &frame);
	ok(mf_sending_flush(pair[0], &frame) && frame.count == 0 &&
	   mf_sending_receive(pair[1], false, ALL_TYPES, &received, &why) ==
	   MF_FRAME_GOT && received.type == MF_SENDING_TARGET &&
	   received.count == 1, "a target arrives");
	ok(mf_received_target(&received, &out, &why) == MF_FRAME_GOT &&
	   out.number == in.number && same(out.url, in.url) &&
	   same(out.headers, in.headers) &&
	   same(out.user_password, in.user_password) &&
	   same(out.bearer, in.bearer) && same(out.ca, in.ca) &&
	   same(out.client_cert, in.client_cert) &&
	   same(out.client_key, in.client_key) &&
	   same(out.allowed_by_server, in.allowed_by_server) &&
	   same(out.allowed_by_endpoint, in.allowed_by_endpoint) &&
	   out.timeout_ms == in.timeout_ms &&
	   out.connect_timeout_ms == in.connect_timeout_ms &&
	   out.redirects == in.redirects && out.secret_count == 2 &&
	   same(out.secrets[0], in.secrets[0]) &&
	   same(out.secrets[1], in.secrets[1]), "as it was");
	ok(mf_received_target(&received, &out, &why) == MF_FRAME_NOTHING,
	   "and there is no other");
	mf_sending_free(&frame);
}

static void
test_request_and_outcome(void)
{
	MfRequest	in = sample_request();
	MfRequest	out;
	MfSending	frame;
	const char *why = "";
	int			count = 0;
	int			taken = 0;

	mf_sending_start(&frame, MF_SENDING_SEND);
	while (mf_sending_add_request(&frame, &in))
		count++;
	ok(count > 100 && frame.length <= MF_SENDING_PACKET && errno == ENOBUFS,
	   "a frame takes requests until it is full: %d", count);
	ok(mf_sending_flush(pair[0], &frame) &&
	   mf_sending_receive(pair[1], true, ALL_TYPES, &received, &why) ==
	   MF_FRAME_GOT && received.count == (uint32_t) count, "it arrives");
	while (mf_received_request(&received, &out, &why) == MF_FRAME_GOT)
		taken += out.tag == in.tag && out.target == in.target &&
			same(out.id, in.id) && same(out.content_type, in.content_type) &&
			same(out.headers, in.headers) && same(out.body, in.body);
	ok(taken == count, "with all requests as they were");
	ok(mf_sending_flush(pair[0], &frame) &&
	   mf_sending_receive(pair[1], false, ALL_TYPES, &received, &why) ==
	   MF_FRAME_NOTHING, "an empty frame is not sent");
	mf_sending_free(&frame);

	make_frame(MF_SENDING_SENT, &frame);
	outcome.kind = MF_OUTCOME_LAST;
	outcome.status = 0;
	outcome.retry_after_s = -1;
	outcome.response_length = MF_SENDER_RESPONSE;
	ok(mf_sending_add_outcome(&frame, &outcome) &&
	   mf_sending_flush(pair[0], &frame) &&
	   mf_sending_receive(pair[1], false, ALL_TYPES, &received, &why) ==
	   MF_FRAME_GOT, "outcomes arrive");
	memset(&outcome, 1, sizeof(outcome));
	ok(mf_received_outcome(&received, &outcome, &why) == MF_FRAME_GOT &&
	   outcome.tag == 42 && outcome.kind == MF_OUTCOME_ANSWERED &&
	   outcome.status == 503 && outcome.duration_us == 123456 &&
	   outcome.retry_after_s == 120 && outcome.reused &&
	   strcmp(outcome.error, "none of it") == 0 &&
	   outcome.response_length == 5 &&
	   memcmp(outcome.response, "a\0b\nc", 5) == 0, "as they were");
	ok(mf_received_outcome(&received, &outcome, &why) == MF_FRAME_GOT &&
	   outcome.kind == MF_OUTCOME_LAST && outcome.retry_after_s == -1 &&
	   outcome.response_length == MF_SENDER_RESPONSE, "also the largest");
	ok(mf_received_request(&received, &out, &why) == MF_FRAME_NOTHING,
	   "then there is nothing");
	mf_sending_free(&frame);

	make_frame(MF_SENDING_FORGET, &frame);
	ok(mf_sending_flush(pair[0], &frame) &&
	   mf_sending_receive(pair[1], false, ALL_TYPES & ~4U, &received, &why) ==
	   MF_FRAME_BAD && strcmp(why, "the type of the frame is unknown") == 0,
	   "a type that is not expected is refused");
	ok(!mf_sending_add_request(&frame, &in) && errno == EINVAL,
	   "a frame takes entries of its type only");
	mf_sending_free(&frame);
}

static void
test_large(void)
{
	const size_t size = 20 * 1024 * 1024;
	char	   *body = malloc(size);
	MfRequest	in = sample_request();
	MfRequest	out;
	MfSending	frame;
	const char *why = "";
	int			before = count_descriptors();

	for (size_t i = 0; i < size; i++)
		body[i] = (char) (i * 7);
	mf_sending_start(&frame, MF_SENDING_SEND);
	in.body.data = body;
	in.body.length = size;
	ok(mf_sending_add_request(&frame, &in) &&
	   !mf_sending_add_request(&frame, &in) && frame.count == 1,
	   "a large request fills a frame");
	ok(mf_sending_flush(pair[0], &frame) &&
	   mf_sending_receive(pair[1], false, ALL_TYPES, &received, &why) ==
	   MF_FRAME_GOT && received.mapped != NULL, "it goes by memory file");
	ok(mf_received_request(&received, &out, &why) == MF_FRAME_GOT &&
	   same(out.body, in.body) && same(out.id, in.id), "and arrives whole");
	ok(count_descriptors() == before, "no descriptor is left over");
	ok(frame.room == 0, "its memory is given back");
	in.body.length = 10;
	ok(mf_sending_add_request(&frame, &in) &&
	   mf_sending_flush(pair[0], &frame) &&
	   mf_sending_receive(pair[1], false, ALL_TYPES, &received, &why) ==
	   MF_FRAME_GOT && received.mapped == NULL, "the next one is small again");

	/* The longest packet, and one byte more. */
	mf_sending_free(&frame);
	mf_sending_start(&frame, MF_SENDING_SEND);
	in.body.length = 0;
	in.body.length = MF_SENDING_PACKET - MF_SENDING_HEADER -
		mf_sending_size_request(&in);
	ok(mf_sending_add_request(&frame, &in) &&
	   frame.length == MF_SENDING_PACKET &&
	   mf_sending_flush(pair[0], &frame) &&
	   mf_sending_receive(pair[1], false, ALL_TYPES, &received, &why) ==
	   MF_FRAME_GOT && received.mapped == NULL &&
	   mf_received_request(&received, &out, &why) == MF_FRAME_GOT &&
	   same(out.body, in.body), "the longest packet");
	in.body.length++;
	ok(mf_sending_add_request(&frame, &in) &&
	   mf_sending_flush(pair[0], &frame) &&
	   mf_sending_receive(pair[1], false, ALL_TYPES, &received, &why) ==
	   MF_FRAME_GOT && received.mapped != NULL &&
	   mf_received_request(&received, &out, &why) == MF_FRAME_GOT &&
	   same(out.body, in.body), "and one byte more");
	in.body.length = MF_SENDING_BODY + 1;
	ok(!mf_sending_add_request(&frame, &in) && errno == EINVAL,
	   "what is beyond all bounds is not added");
	mf_sending_free(&frame);
	free(body);
}

/* Is this header refused, wherever it stands? */
static bool
refused_header(const char *line)
{
	MfTarget	target = sample_target();
	MfRequest	request = sample_request();

	target.headers = text(line);
	request.headers = text(line);
	return mf_sending_check_target(&target) != NULL &&
		mf_sending_check_request(&request) != NULL;
}

static void
test_rules(void)
{
	static const char *const bad[] = {
		"Host: x\n", "CONTENT-LENGTH: 5\n", "transfer-encoding: chunked\n",
		"Connection: close\n", "te: trailers\n", "Upgrade: h2c\n",
		"expect: 100-continue\n", "webhook-id: 1\n", "Webhook-Other: 1\n",
		"no colon\n", ": empty\n", "a b: c\n", "a: b", "a: b\r\n",
		"a: b\rHost: x\n", "\n", "a: b\n\n", "a : b\n", "\xc3\xa9: b\n",
		"a: \x7f\n", "a: \x01\n"
	};
	static const char *const good[] = {
		"a: b\n", "a:\n", "X-Y_z.1: \xc3\xa9\tb\n", "hosts: x\n",
		"Authorization: Basic x\n", "webhook: 1\n"
	};
	MfTarget	target;
	MfRequest	request;
	char		many[101 * 5 + 1];
	char		pem[32 * 1024 + 2] = "";

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(refused_header(bad[i]), "no header like number %zu", i);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ok(!refused_header(good[i]), "but one like number %zu", i);
	for (int i = 0; i < 101; i++)
		memcpy(many + 5 * i, "a: b\n", 6);
	ok(refused_header(many) && !refused_header(many + 5),
	   "a hundred headers are enough");
	request = sample_request();
	request.headers.data = "a: b\0c\n";
	request.headers.length = 7;
	ok(mf_sending_check_request(&request) != NULL, "no zero in a header");

#define WRONG(what, field, value) \
	(target = sample_target(), target.field = (value), \
	 ok(mf_sending_check_target(&target) != NULL, "a target with %s", what))
	WRONG("too large a number", number, MF_SENDER_TARGETS);
	WRONG("no URL", url, text(""));
	WRONG("a URL with a space", url, text("http://x/ y"));
	WRONG("a URL with a line end", url, text("http://x/\ny"));
	WRONG("a password with a line end", user_password, text("a:b\nc"));
	WRONG("a bearer token with a space", bearer, text("a b"));
	WRONG("no timeout", timeout_ms, 0);
	WRONG("no timeout for connecting", connect_timeout_ms, 0);
	WRONG("too long a timeout", timeout_ms, MF_SENDING_MS + 1);
	WRONG("too many redirects", redirects, MF_SENDING_REDIRECTS + 1);
	WRONG("too many secrets", secret_count, MF_SENDER_SECRETS + 1);
	WRONG("a short secret", secrets[0].length, 23);
	WRONG("a long secret", secrets[1].length, 65);
	memset(pem, 'x', sizeof(pem) - 1);
	WRONG("a whole bundle as its CA", ca, text(pem));
	WRONG("a long certificate", client_cert, text(pem));
	WRONG("a long key", client_key, text(pem));
	pem[32 * 1024] = '\0';
	target = sample_target();
	target.ca = text(pem);
	ok(mf_sending_check_target(&target) == NULL, "32 kB are enough for a CA");
	WRONG("a list without an end", allowed_by_server, text("10.0.0.0/8"));
	WRONG("a list that cannot be printed", allowed_by_endpoint,
		  text("\x01\n"));
#undef WRONG
#define WRONG(what, field, value) \
	(request = sample_request(), request.field = (value), \
	 ok(mf_sending_check_request(&request) != NULL, "a request with %s", what))
	WRONG("too large a target", target, MF_SENDER_TARGETS);
	WRONG("no id", id, text(""));
	WRONG("a dot in its id", id, text("a.b"));
	WRONG("a space in its id", id, text("a b"));
	WRONG("no content type", content_type, text(""));
	WRONG("a line end in its content type", content_type, text("a\nb"));
#undef WRONG
#define WRONG(what, field, value) \
	(make_sample_outcome(), outcome.field = (value), \
	 ok(mf_sending_check_outcome(&outcome) != NULL, "an outcome with %s", what))
	WRONG("no such kind", kind, (MfOutcomeKind) (MF_OUTCOME_LAST + 1));
	WRONG("a status of 99", status, 99);
	WRONG("a status of 1000", status, 1000);
	WRONG("a failure with a status", kind, MF_OUTCOME_LOST);
	WRONG("a retry before now", retry_after_s, -2);
	WRONG("a retry after a year", retry_after_s, 365 * 86400 + 1);
	WRONG("too long a response", response_length, MF_SENDER_RESPONSE + 1);
	WRONG("a line end in its error", error[0], '\n');
#undef WRONG
}

static void
test_broken(void)
{
	unsigned long state = 20260101;

	for (int type = MF_SENDING_HELLO; type <= MF_SENDING_SENT; type++)
	{
		MfSending	frame;
		uint8_t		whole[MF_SENDING_PACKET];
		size_t		length;
		const char *why;
		int			accepted = 0;
		int			entries;
		bool		refused = true;

		make_frame((MfSendingType) type, &frame);
		length = frame.length;
		mf_sending_flush(pair[0], &frame);
		if (recv(pair[1], whole, sizeof(whole), 0) != (ssize_t) length)
			abort();

		/* The length in the header is right, and the rest is missing. */
		for (size_t cut = 0; cut < length; cut++)
		{
			uint8_t		bytes[MF_SENDING_PACKET];

			memcpy(bytes, whole, cut);
			if (cut >= MF_SENDING_HEADER)
			{
				bytes[12] = (uint8_t) cut;
				bytes[13] = (uint8_t) (cut >> 8);
			}
			if (cut == 0)
				continue;
			send(pair[0], bytes, cut, 0);
			if (mf_sending_receive(pair[1], false, ALL_TYPES, &received,
								   &why) == MF_FRAME_GOT &&
				take_all(&entries, &why) != MF_FRAME_BAD)
				refused = false;
		}
		ok(refused, "type %d, cut anywhere, is refused", type);

		/* The same with a byte more. */
		whole[length] = 0;
		whole[12]++;
		send(pair[0], whole, length + 1, 0);
		ok(mf_sending_receive(pair[1], false, ALL_TYPES, &received, &why) ==
		   MF_FRAME_BAD || take_all(&entries, &why) == MF_FRAME_BAD,
		   "type %d, with something after it, is refused", type);
		whole[12]--;

		/* Whatever comes, it is refused or within the bounds. */
		for (int i = 0; i < MUTATIONS; i++)
		{
			uint8_t		bytes[MF_SENDING_PACKET];

			memcpy(bytes, whole, length);
			for (unsigned long n = next_random(&state) % 4 + 1; n > 0; n--)
				bytes[next_random(&state) % length] =
					(uint8_t) (next_random(&state) % 3 == 0 ? 0xff :
							   next_random(&state));
			send(pair[0], bytes, length, 0);
			if (mf_sending_receive(pair[1], false, ALL_TYPES, &received,
								   &why) == MF_FRAME_GOT &&
				take_all(&entries, &why) == MF_FRAME_NOTHING)
				accepted++;
		}
		ok(accepted < MUTATIONS, "type %d, changed at random: %d accepted",
		   type, accepted);
		mf_sending_free(&frame);
	}
}

/* Sends a header alone that promises `length` bytes in a memory file. */
static MfFrameStatus
promise(uint32_t length, uint64_t size, bool seal, const char **why)
{
	uint8_t		bytes[MF_SENDING_HEADER];
	MfWriter	out = {bytes, bytes + sizeof(bytes), false};
	int			memfd = mf_memfd_create("test", size);
	struct iovec part = {bytes, sizeof(bytes)};
	struct msghdr message;
	union
	{
		struct cmsghdr align;
		char		bytes[CMSG_SPACE(sizeof(int))];
	}			control;

	mf_put_bytes(&out, MF_SENDING_MAGIC, 4);
	mf_put_bytes(&out, MF_SENDING_PROTOCOL, 4);
	mf_put_bytes(&out, MF_SENDING_SEND, 4);
	mf_put_bytes(&out, length, 4);
	mf_put_bytes(&out, 1, 4);
	memset(&message, 0, sizeof(message));
	memset(&control, 0, sizeof(control));
	message.msg_iov = &part;
	message.msg_iovlen = 1;
	message.msg_control = &control;
	message.msg_controllen = sizeof(control);
	CMSG_FIRSTHDR(&message)->cmsg_level = SOL_SOCKET;
	CMSG_FIRSTHDR(&message)->cmsg_type = SCM_RIGHTS;
	CMSG_FIRSTHDR(&message)->cmsg_len = CMSG_LEN(sizeof(int));
	if (seal)
		mf_memfd_seal(memfd);
	memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &memfd, sizeof(int));
	if (sendmsg(pair[0], &message, 0) < 0)
		abort();
	close(memfd);
	return mf_sending_receive(pair[1], false, ALL_TYPES, &received, why);
}

static void
test_promises(void)
{
	const char *why = "";
	int			before = count_descriptors();
	int			entries;

	ok(promise(100000, 100000 - MF_SENDING_HEADER, true, &why) ==
	   MF_FRAME_GOT && take_all(&entries, &why) == MF_FRAME_BAD,
	   "a memory file of zeros has no request");
	ok(promise(100000, 100000 - MF_SENDING_HEADER, false, &why) ==
	   MF_FRAME_BAD, "one without seals is refused: %s", why);
	ok(promise(100000, 100000, true, &why) == MF_FRAME_BAD,
	   "one of another size: %s", why);
	ok(promise(MF_SENDING_MAX + 1, MF_SENDING_MAX + 1 - MF_SENDING_HEADER,
			   true, &why) == MF_FRAME_BAD, "one that is too long: %s", why);
	ok(promise(MF_SENDING_HEADER, 0, true, &why) == MF_FRAME_BAD,
	   "one that is not needed: %s", why);
	ok(count_descriptors() == before, "no descriptor is left over");
}

static void
test_room(void)
{
	MfSending	frame;
	const char *why = "";
	int			sent = 0;
	int			got = 0;

	for (;;)
	{
		make_frame(MF_SENDING_SENT, &frame);
		if (!mf_sending_flush(pair[0], &frame))
			break;
		mf_sending_free(&frame);
		sent++;
	}
	ok(errno == EAGAIN && sent > 10 && frame.count == 1,
	   "where there is no room, the frame is kept");
	while (mf_sending_receive(pair[1], false, ALL_TYPES, &received, &why) ==
		   MF_FRAME_GOT)
		got++;
	ok(got == sent && mf_sending_flush(pair[0], &frame) &&
	   mf_sending_receive(pair[1], false, ALL_TYPES, &received, &why) ==
	   MF_FRAME_GOT, "and goes out later");
	mf_sending_free(&frame);
}

int
main(void)
{
	const int	before = count_descriptors();

	open_pair();
	test_target();
	test_request_and_outcome();
	test_large();
	test_rules();
	test_broken();
	test_promises();
	test_room();
	mf_received_free(&received);
	close_pair();
	ok(count_descriptors() == before, "no descriptor is left over in the end");
	return done_testing();
}
