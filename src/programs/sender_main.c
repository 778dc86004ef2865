/*
 * sender_main.c
 *		mesflow-sender: sends one request to an endpoint, for a person.
 *
 * Exit status: 0 the answer was 2xx, 1 it was not, 2 used wrongly.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "sender_program.h"

#include "../frame/sending_entries.h"
#include "../net/engine.h"
#include "command.h"
#include "sender_input.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EXIT_NO			1

#define DEFAULT_TIMEOUT_MS		15000

/* Lines of a response that are shown. */
#define SHOWN			1024

static const char help[] =
"mesflow-sender sends one request to an endpoint, as the delivery worker does,\n"
"and says what came of it.\n"
"\n"
"Usage:\n"
"  mesflow-sender [OPTION]... URL\n"
"\n"
"Options:\n"
"  --secret @FILE       sign with the secrets in this file, one on a line, or\n"
"           whsec_...   with this one, which others see in lists of processes;\n"
"                       up to 5 in all\n"
"  --header @FILE       send the headers in this file too, one on a line, or\n"
"           'N: v'      this one, which others see; may be repeated\n"
"  --allow LIST         addresses, networks and hosts that are not public and\n"
"                       may be sent to all the same, with commas between\n"
"  --ca FILE            trust the certificates in this PEM file only\n"
"  --cert FILE          show this client certificate (PEM)\n"
"  --key FILE           and this is its key (PEM)\n"
"  --timeout MS         milliseconds until it has failed (default: 15000)\n"
"  --redirects N        follow up to N redirects (default: 0)\n"
"  --data FILE          the body; - reads standard input (default: {})\n"
"  --type TYPE          what it is (default: application/json)\n"
"  --help               print this page, then exit\n"
"  --version            print the version, then exit\n"
"\n"
"Exit status: 0 the answer was 2xx, 1 it was not, 2 something else failed.\n";

typedef struct Arguments
{
	MfTarget	target;
	MfRequest	request;
	MfText		headers;
	MfText		allowed;
	MfText		ca;
	MfText		cert;
	MfText		key;
	MfText		data;
	MfText		secrets[MF_SENDER_SECRETS];
} Arguments;

static int
add_secret(Arguments *arguments, const char *text)
{
	MfTarget   *target = &arguments->target;

	if (target->secret_count == MF_SENDER_SECRETS)
		return mf_complain("%d secrets are enough", MF_SENDER_SECRETS);
	if (!mf_input_secret(text, &arguments->secrets[target->secret_count]))
		return mf_complain("this is no secret: it looks like whsec_ and 24 to 64 bytes in base64");
	target->secrets[target->secret_count] =
		mf_text_bytes(&arguments->secrets[target->secret_count]);
	target->secret_count++;
	return 0;
}

static int
add_header(Arguments *arguments, const char *text)
{
	return mf_text_add_line(&arguments->headers, text) ? 0 :
		mf_complain("out of memory");
}

static int
load(const char *file, MfText *text)
{
	return mf_input_file(file, text) ? 0 :
		mf_complain("cannot read \"%s\": %s", file, strerror(errno));
}

/*
 * Takes the value of an option, or each line of the file that it names after
 * an @; anything but 0 is the exit status.
 */
static int
take_lines(Arguments *arguments, const char *value,
		   int (*take) (Arguments *arguments, const char *text))
{
	MfText		file = {NULL, 0, 0};
	char	   *rest = NULL;
	char	   *line;
	int			status;

	if (value[0] != '@')
		return take(arguments, value);
	status = load(value + 1, &file);
	if (status == 0 && !mf_text_add(&file, "", 1))
		status = mf_complain("out of memory");
	if (status != 0)
		return status;
	line = strtok_r(file.bytes, "\r\n", &rest);
	if (line == NULL)
		return mf_complain("nothing is in \"%s\"", value + 1);
	for (; line != NULL && status == 0; line = strtok_r(NULL, "\r\n", &rest))
		status = take(arguments, line);
	return status;
}

/* Reads one option; anything but 0 is the exit status. */
static int
read_option(int option, Arguments *arguments)
{
	uint64_t	number;

	switch (option)
	{
		case 's':
			return take_lines(arguments, optarg, add_secret);
		case 'H':
			return take_lines(arguments, optarg, add_header);
		case 'a':
			return mf_input_list(optarg, &arguments->allowed) ? 0 :
				mf_complain("out of memory");
		case 'c':
			return load(optarg, &arguments->ca);
		case 'C':
			return load(optarg, &arguments->cert);
		case 'k':
			return load(optarg, &arguments->key);
		case 'd':
			return load(optarg, &arguments->data);
		case 'T':
			arguments->request.content_type =
				(MfBytes)
			{
				optarg, strlen(optarg)
			};
			return 0;
		case 't':
			if (!mf_read_number(optarg, 1, 24 * 60 * 60 * 1000, &number))
				return mf_complain("\"%s\" is no number of milliseconds", optarg);
			arguments->target.timeout_ms = (uint32_t) number;
			return 0;
		case 'r':
			if (!mf_read_number(optarg, 0, 20, &number))
				return mf_complain("\"%s\" is no number of redirects", optarg);
			arguments->target.redirects = (uint32_t) number;
			return 0;
		default:
			return mf_complain("unknown option; try --help");
	}
}

/* Reads the command line; anything but 0 is the exit status. */
static int
read_arguments(int argc, char **argv, Arguments *arguments)
{
	static const struct option names[] = {
		{"secret", required_argument, NULL, 's'},
		{"header", required_argument, NULL, 'H'},
		{"allow", required_argument, NULL, 'a'},
		{"ca", required_argument, NULL, 'c'},
		{"cert", required_argument, NULL, 'C'},
		{"key", required_argument, NULL, 'k'},
		{"timeout", required_argument, NULL, 't'},
		{"redirects", required_argument, NULL, 'r'},
		{"data", required_argument, NULL, 'd'},
		{"type", required_argument, NULL, 'T'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'},
		{NULL, 0, NULL, 0}
	};
	char		libraries[128];
	int			option;
	int			status;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":", names, NULL)) != -1)
	{
		switch (option)
		{
			case 'h':
				fputs(help, stdout);
				exit(EXIT_SUCCESS);
			case 'v':
				mf_engine_libraries(libraries, sizeof(libraries));
				printf("mesflow-sender %s (%s)\n", MF_VERSION, libraries);
				exit(EXIT_SUCCESS);
			case ':':
			case '?':
				return mf_complain_of_option(option, argv);
			default:
				status = read_option(option, arguments);
				if (status != 0)
					return status;
		}
	}
	if (optind >= argc)
		return mf_complain("no URL given; try --help");
	if (optind + 1 < argc)
		return mf_complain("one URL at a time: what is \"%s\"?",
						   argv[optind + 1]);
	arguments->target.url = (MfBytes)
	{
		argv[optind], strlen(argv[optind])
	};
	return 0;
}

/* What is not text is shown as dots; most terminals would obey it. */
static void
print_response(const MfOutcome *outcome)
{
	const uint32_t shown = outcome->response_length < SHOWN ?
	outcome->response_length : SHOWN;

	if (shown == 0)
		return;
	printf("\n");
	for (uint32_t i = 0; i < shown; i++)
	{
		const unsigned char c = (unsigned char) outcome->response[i];

		putchar(c == '\n' || c == '\t' || (c >= 0x20 && c < 0x7f) ||
				c >= 0xa0 ? c : c == '\r' ? ' ' : '.');
	}
	if (outcome->response[shown - 1] != '\n')
		printf("\n");
	if (shown < outcome->response_length)
		printf("...\n");
}

static void
print_outcome(const MfOutcome *outcome)
{
	static const char *const meanings[] = {
		[MF_OUTCOME_ANSWERED] = "answered",
		[MF_OUTCOME_BLOCKED] = "blocked: the address is not allowed",
		[MF_OUTCOME_NAME] = "the host has no address",
		[MF_OUTCOME_CONNECT] = "no connection",
		[MF_OUTCOME_TLS] = "TLS failed",
		[MF_OUTCOME_TIMEOUT] = "time was up",
		[MF_OUTCOME_LOST] = "the connection broke",
		[MF_OUTCOME_PROTOCOL] = "no answer in HTTP",
		[MF_OUTCOME_CONFIG] = "this cannot be sent"
	};

	printf("  Result      %s\n", meanings[outcome->kind]);
	if (outcome->kind == MF_OUTCOME_ANSWERED)
		printf("  Status      %u%s\n", outcome->status,
			   outcome->status / 100 == 2 ? "" : ", which is a failure");
	if (outcome->error[0] != '\0')
		printf("  Reason      %s\n", outcome->error);
	if (outcome->retry_after_s >= 0)
		printf("  Retry       after %d s\n", (int) outcome->retry_after_s);
	printf("  Duration    %.1f ms\n", outcome->duration_us / 1000.0);
	print_response(outcome);
}

/* Sends the request and prints what came of it; returns the exit status. */
static int
try_endpoint(Arguments *arguments)
{
	static MfOutcome outcome;
	MfTarget   *target = &arguments->target;
	MfRequest  *request = &arguments->request;
	char		id[64];
	const char *why;

	snprintf(id, sizeof(id), "test_%lld_%d", (long long) time(NULL),
			 (int) getpid());
	target->headers = mf_text_bytes(&arguments->headers);
	target->ca = mf_text_bytes(&arguments->ca);
	target->client_cert = mf_text_bytes(&arguments->cert);
	target->client_key = mf_text_bytes(&arguments->key);
	target->allowed_by_server = mf_text_bytes(&arguments->allowed);
	target->allowed_by_endpoint = target->allowed_by_server;
	target->connect_timeout_ms = target->timeout_ms;
	request->id = (MfBytes)
	{
		id, strlen(id)
	};
	request->body = arguments->data.bytes != NULL ?
		mf_text_bytes(&arguments->data) : (MfBytes)
	{
		"{}", 2
	};

	why = mf_sending_check_target(target);
	if (why == NULL)
		why = mf_sending_check_request(request);
	if (why != NULL)
		return mf_complain("%s", why);
	why = mf_sender_send_once(target, request, &outcome);
	if (why != NULL)
		return mf_complain("%s", why);
	print_outcome(&outcome);
	if (fflush(stdout) != 0 || ferror(stdout))
		return mf_complain("cannot write: %s", strerror(errno));
	return outcome.kind == MF_OUTCOME_ANSWERED && outcome.status / 100 == 2 ?
		EXIT_SUCCESS : EXIT_NO;
}

int
main(int argc, char **argv)
{
	static Arguments arguments;
	int			status;

	/* How the server starts this program; see sender_serve.c. */
	if (mf_command_serves(argc, argv, mf_sender_serve, &status))
		return status;

	arguments.target.timeout_ms = DEFAULT_TIMEOUT_MS;
	arguments.request.content_type = (MfBytes)
	{
		"application/json", 16
	};
	status = read_arguments(argc, argv, &arguments);
	return status != 0 ? status : try_endpoint(&arguments);
}
