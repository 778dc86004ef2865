/*
 * test_sender.c
 *		mesflow-sender as a program: served by its parent, and by hand.  It is
 *		where MF_SENDER_PROGRAM says.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "harness.h"

#include "frame/frame.h"
#include "frame/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static Server faults;
static const char *path;
static MfProgram program;
static MfReceived received;
static MfSending requests;
static MfOutcome outcome;

/* ---- served ------------------------------------------------------------- */

/* Receives a frame, waiting at most a minute. */
static MfFrameStatus
receive(MfSendingType type)
{
	const char *why = "";

	for (int i = 0; i < 60000; i++)
	{
		MfFrameStatus status = mf_sending_receive(program.fd, false,
												  1U << (type - MF_SENDING_HELLO),
												  &received, &why);

		if (status == MF_FRAME_BAD)
			printf("# %s\n", why);
		if (status != MF_FRAME_NOTHING)
			return status;
		pause_briefly();
	}
	return MF_FRAME_NOTHING;
}

static bool
start(MfSenderHello *hello)
{
	char		error[400];

	if (!mf_program_spawn(path, &program, error, sizeof(error)))
	{
		printf("# %s\n", error);
		return false;
	}
	return receive(MF_SENDING_HELLO) == MF_FRAME_GOT &&
		mf_received_hello(&received, hello, NULL) == MF_FRAME_GOT;
}

static MfProgramEnd
finish(void)
{
	MfProgramEnd end;

	for (int i = 0; i < 60000; i++)
	{
		if (mf_program_reap(&program, &end))
			return end;
		pause_briefly();
	}
	mf_program_kill(&program);
	end.signal = -1;
	return end;
}

static void
flush(MfSending *frame)
{
	while (!mf_sending_flush(program.fd, frame))
	{
		if (errno != EAGAIN)
			return;
		pause_briefly();
	}
}

static void
tell_target(uint32_t number, const char *where)
{
	MfSending	frame;
	MfTarget	target = target_at(&faults, where);

	target.number = number;
	target.timeout_ms = 60000;
	mf_sending_start(&frame, MF_SENDING_TARGET);
	if (!mf_sending_add_target(&frame, &target))
		abort();
	flush(&frame);
	mf_sending_free(&frame);
}

static void
add_request(uint64_t tag, uint32_t target, MfBytes body)
{
	MfRequest	request;

	memset(&request, 0, sizeof(request));
	request.tag = tag;
	request.target = target;
	request.id = text("msg_1");
	request.content_type = text("application/json");
	request.body = body;
	if (mf_sending_add_request(&requests, &request))
		return;
	flush(&requests);
	if (!mf_sending_add_request(&requests, &request))
		abort();
}

/* The next outcome; false: there is none. */
static bool
next_outcome(void)
{
	while (mf_received_outcome(&received, &outcome, NULL) != MF_FRAME_GOT)
		if (receive(MF_SENDING_SENT) != MF_FRAME_GOT)
			return false;
	return true;
}

static void
test_serve(void)
{
	MfSenderHello hello;
	MfProgramEnd end;
	MfBytes		large;
	char	   *bytes = calloc(1, 200000);

	ok(start(&hello) && hello.protocol == MF_SENDING_PROTOCOL &&
	   strcmp(hello.version, MF_VERSION) == 0 &&
	   strstr(hello.libraries, "c-ares/") != NULL, "it says hello: %s",
	   hello.libraries);
	ok(getpriority(PRIO_PROCESS, (id_t) program.pid) ==
	   getpriority(PRIO_PROCESS, 0), "it is as nice as we are");

	tell_target(7, "/status/202");
	add_request(UINT64_MAX, 7, text("{}"));
	flush(&requests);
	ok(next_outcome() && outcome.tag == UINT64_MAX &&
	   outcome.kind == MF_OUTCOME_ANSWERED && outcome.status == 202,
	   "a request is sent");
	large.data = bytes;
	large.length = 200000;
	memset(bytes, 'x', large.length);
	tell_target(7, "/hang");
	tell_target(7, "/status/203");
	add_request(1, 7, large);
	flush(&requests);
	ok(next_outcome() && outcome.tag == 1 && outcome.status == 203,
	   "a large one, to the target's last version: %s %u %s",
	   mf_outcome_kind_name(outcome.kind), outcome.status, outcome.error);
	free(bytes);

	/* One that hangs does not keep it from its end. */
	tell_target(8, "/hang");
	add_request(2, 8, text("{}"));
	flush(&requests);
	close(program.fd);
	program.fd = -1;
	end = finish();
	ok(end.signal == 0 && end.exit_status == 0,
	   "it ends when its parent hangs up: %d, %d", end.signal,
	   end.exit_status);
}

/* Outcomes that nobody reads wait, and none is lost. */
static void
test_busy_parent(void)
{
	MfSenderHello hello;
	char		seen_tags[MF_SENDER_SLOTS] = "";
	unsigned int told = 0;
	bool		twice = false;

	start(&hello);
	tell_target(1, "/big");
	for (uint64_t i = 0; i < MF_SENDER_SLOTS; i++)
		add_request(i, 1, text("{}"));
	flush(&requests);

	/* 4 MB of outcomes, which is more than the socket has room for. */
	while (atomic_load(&faults.seen->requests) < MF_SENDER_SLOTS)
		pause_briefly();
	for (int i = 0; i < 500; i++)
		pause_briefly();
	while (told < MF_SENDER_SLOTS && next_outcome())
	{
		told++;
		if (outcome.tag >= MF_SENDER_SLOTS || seen_tags[outcome.tag] != 0 ||
			outcome.response_length != MF_SENDER_RESPONSE)
			twice = true;
		else
			seen_tags[outcome.tag] = 1;
	}
	ok(told == MF_SENDER_SLOTS && !twice,
	   "a parent that is busy gets all outcomes, each once: %u", told);
	tell_target(1, "/status/200");
	add_request(5, 1, text("{}"));
	flush(&requests);
	ok(next_outcome() && outcome.status == 200, "and it goes on");
	mf_program_kill(&program);
	ok(finish().signal == SIGKILL, "killed, it is gone");
}

/* Something that makes no sense ends it with status 2. */
static void
is_confused(const char *what)
{
	MfProgramEnd end;

	for (int i = 0; i < 60000 && receive(MF_SENDING_SENT) == MF_FRAME_GOT; i++)
		;
	end = finish();
	ok(end.signal == 0 && end.exit_status == 2, "%s: %d, %d", what,
	   end.signal, end.exit_status);
}

static void
test_strange_parents(void)
{
	MfSenderHello hello;
	MfSending	frame;

	start(&hello);
	send(program.fd, "garbage", 7, MSG_NOSIGNAL);
	is_confused("garbage");

	start(&hello);
	mf_sending_start(&frame, MF_SENDING_HELLO);
	mf_sending_add_hello(&frame, &hello);
	flush(&frame);
	mf_sending_free(&frame);
	is_confused("a greeting");

	start(&hello);
	add_request(1, 1, text("{}"));
	flush(&requests);
	is_confused("a request for a target that it was not told");

	start(&hello);
	tell_target(1, "/hang");
	for (uint64_t i = 0; i <= MF_SENDER_SLOTS; i++)
		add_request(i, 1, text("{}"));
	flush(&requests);
	is_confused("a request too many");

	start(&hello);
	tell_target(1, "/status/200");
	mf_sending_start(&frame, MF_SENDING_FORGET);
	mf_sending_add_forget(&frame, 1);
	mf_sending_add_forget(&frame, 2);
	flush(&frame);
	mf_sending_free(&frame);
	add_request(1, 1, text("{}"));
	flush(&requests);
	is_confused("a request for a target that it was to forget");
}

/* ---- by hand ------------------------------------------------------------ */

static char said[65536];

/* Runs it with these arguments; its exit status, and what it said. */
static int
run(const char *arguments)
{
	char		command[8192];
	FILE	   *pipe;
	size_t		length;

	snprintf(command, sizeof(command), "'%s' %s 2>&1", path, arguments);
	pipe = popen(command, "r");
	length = fread(said, 1, sizeof(said) - 1, pipe);
	said[length] = '\0';
	return WEXITSTATUS(pclose(pipe));
}

static void
is_said(const char *arguments, int status, const char *what)
{
	char		replaced[4096];
	const char *port = strstr(arguments, "PORT");
	int			ended;

	snprintf(replaced, sizeof(replaced), "%.*s%u%s", port == NULL ?
			 (int) strlen(arguments) : (int) (port - arguments), arguments,
			 faults.port, port == NULL ? "" : port + 4);
	if (port == NULL)
		snprintf(replaced, sizeof(replaced), "%s", arguments);
	ended = run(replaced);
	if (!ok(ended == status && strstr(said, what) != NULL,
			"mesflow-sender %s", arguments))
		printf("# status %d\n# %s\n", ended, said);
}

static void
test_by_hand(void)
{
	is_said("--help", 0, "Usage:");
	is_said("--version", 0, "mesflow-sender " MF_VERSION);
	is_said("", 2, "no URL given");
	is_said("--nonsense x", 2, "unknown option");
	is_said("--timeout", 2, "needs a value");
	is_said("--timeout 0 x", 2, "no number of milliseconds");
	is_said("--secret whsec_short x", 2, "no secret");
	is_said("--secret 'whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY' x", 2,
			"no secret");
	is_said("--header 'Host: y' http://127.0.0.1/", 2, "may not be set");
	is_said("--ca /nonexistent http://127.0.0.1/", 2, "cannot read");
	is_said("a b", 2, "one URL at a time");
	is_said("http://127.0.0.1:PORT/status/200", 1,
			"127.0.0.1 is not public");
	is_said("--allow 127.0.0.1 http://127.0.0.1:PORT/status/200", 0,
			"Status      200");
	is_said("--allow 10.0.0.0/8,127.0.0.1 http://127.0.0.1:PORT/status/500", 1,
			"500, which is a failure");
	is_said("--allow 127.0.0.1 http://127.0.0.1:PORT/say/429/Retry-After:+9",
			1, "after 9 s");
	is_said("--allow 127.0.0.1 --timeout 200 http://127.0.0.1:PORT/hang", 1,
			"time was up");
	is_said("http://user:geheim@127.0.0.1/", 1, "a user in it");
	ok(strstr(said, "geheim") == NULL, "and the password is not repeated");
	is_said("--allow 127.0.0.1 --secret "
			"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY= "
			"--header 'X-One: 1' --type text/plain --data /etc/hostname "
			"http://127.0.0.1:PORT/status/200", 0, "answer");
	ok(strcmp(header_of(&faults, "content-type"), "text/plain") == 0 &&
	   strcmp(header_of(&faults, "x-one"), "1") == 0 &&
	   strncmp(header_of(&faults, "webhook-signature"), "v1,", 3) == 0,
	   "it sends what it was told");
}

/* Secrets need not be on the command line. */
static void
test_files(void)
{
	char		name[] = "/tmp/mesflow-sender-XXXXXX";
	char		arguments[400];
	const int	fd = mkstemp(name);
	static const char secrets[] =
	"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\r\n\n"
	"whsec_YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODk=";
	static const char headers[] = "Authorization: Bearer t\nX-One: @1\n\n";

	snprintf(arguments, sizeof(arguments), "--secret @%s http://127.0.0.1/",
			 name);
	is_said(arguments, 2, "nothing is in");
	if (pwrite(fd, headers, strlen(headers), 0) != (ssize_t) strlen(headers))
		abort();
	is_said(arguments, 2, "no secret");
	snprintf(arguments, sizeof(arguments), "--allow 127.0.0.1 --header @%s "
			 "--header 'X-Two: @2' http://127.0.0.1:PORT/status/200", name);
	is_said(arguments, 0, "Status      200");
	ok(strcmp(header_of(&faults, "authorization"), "Bearer t") == 0 &&
	   strcmp(header_of(&faults, "x-one"), "@1") == 0 &&
	   strcmp(header_of(&faults, "x-two"), "@2") == 0, "headers of a file");
	if (ftruncate(fd, 0) != 0 ||
		pwrite(fd, secrets, strlen(secrets), 0) != (ssize_t) strlen(secrets))
		abort();
	snprintf(arguments, sizeof(arguments), "--allow 127.0.0.1 --secret @%s "
			 "http://127.0.0.1:PORT/status/200", name);
	is_said(arguments, 0, "Status      200");
	ok(strlen(header_of(&faults, "webhook-signature")) == 2 * 47 + 1,
	   "two secrets of a file");
	is_said("--secret @/nonexistent http://127.0.0.1/", 2, "cannot read");
	unlink(name);
	close(fd);
}

/* Where few files may be open, it says how much it can do. */
static void
test_descriptors(void)
{
	const struct rlimit few = {512, 512};
	MfSenderHello hello;
	unsigned int answered = 0;

	ok(start(&hello) && hello.slots == MF_SENDER_SLOTS, "slots: %u",
	   hello.slots);
	mf_program_kill(&program);
	finish();

	/* Never to be taken back: this is the last test. */
	if (setrlimit(RLIMIT_NOFILE, &few) != 0)
		abort();
	ok(start(&hello) && hello.slots > 100 && hello.slots < 256,
	   "slots with 512 files: %u", hello.slots);
	tell_target(1, "/status/200");
	for (uint64_t i = 0; i < hello.slots; i++)
		add_request(i, 1, text("{}"));
	flush(&requests);
	for (uint64_t i = 0; i < hello.slots && next_outcome(); i++)
		answered += outcome.status == 200;
	ok(answered == hello.slots, "all of them are of use: %u", answered);
	tell_target(1, "/hang");
	for (uint64_t i = 0; i <= hello.slots; i++)
		add_request(i, 1, text("{}"));
	flush(&requests);
	is_confused("one more than it said");
}

int
main(void)
{
	path = getenv("MF_SENDER_PROGRAM");
	if (path == NULL || path[0] == '\0')
	{
		skip(1, "MF_SENDER_PROGRAM is not set");
		return done_testing();
	}
	faults_start(&faults);
	mf_sending_start(&requests, MF_SENDING_SEND);
	test_serve();
	test_busy_parent();
	test_strange_parents();
	test_by_hand();
	test_files();
	test_descriptors();
	mf_sending_free(&requests);
	mf_received_free(&received);
	server_stop(&faults);
	return done_testing();
}
