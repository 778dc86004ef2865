/*
 * verdict.c
 *		What a transfer's end means.
 *
 * Errors are sentences for whoever runs the endpoint.  They name addresses,
 * times and what TLS found wrong, and never what was sent.
 */
#include "transfer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Keeps what can be printed. */
static void
make_printable(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char) *text < 0x20 || (unsigned char) *text >= 0x7f)
			*text = '?';
}

void
mf_verdict_say(MfOutcome *outcome, MfOutcomeKind kind, const char *format,...)
{
	va_list		args;

	outcome->kind = kind;
	va_start(args, format);
	vsnprintf(outcome->error, sizeof(outcome->error), format, args);
	va_end(args);
	make_printable(outcome->error);
	if (kind != MF_OUTCOME_ANSWERED)
	{
		outcome->status = 0;
		outcome->retry_after_s = -1;
	}
}

static MfOutcomeKind
kind_of(CURLcode code)
{
	switch (code)
	{
		case CURLE_OK:
			return MF_OUTCOME_ANSWERED;
		case CURLE_COULDNT_RESOLVE_HOST:
		case CURLE_COULDNT_RESOLVE_PROXY:
			return MF_OUTCOME_NAME;
		case CURLE_COULDNT_CONNECT:
			return MF_OUTCOME_CONNECT;
		case CURLE_OPERATION_TIMEDOUT:
			return MF_OUTCOME_TIMEOUT;
		case CURLE_SSL_CONNECT_ERROR:
		case CURLE_SSL_ENGINE_NOTFOUND:
		case CURLE_SSL_ENGINE_SETFAILED:
		case CURLE_SSL_CIPHER:
		case CURLE_PEER_FAILED_VERIFICATION:
		case CURLE_USE_SSL_FAILED:
		case CURLE_SSL_ENGINE_INITFAILED:
		case CURLE_SSL_SHUTDOWN_FAILED:
		case CURLE_SSL_CRL_BADFILE:
		case CURLE_SSL_ISSUER_ERROR:
		case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
		case CURLE_SSL_INVALIDCERTSTATUS:
		case CURLE_SSL_CLIENTCERT:
			return MF_OUTCOME_TLS;
		case CURLE_SSL_CERTPROBLEM:
		case CURLE_SSL_CACERT_BADFILE:
		case CURLE_URL_MALFORMAT:
			return MF_OUTCOME_CONFIG;
		case CURLE_GOT_NOTHING:
		case CURLE_SEND_ERROR:
		case CURLE_RECV_ERROR:
		case CURLE_PARTIAL_FILE:
			return MF_OUTCOME_LOST;
		default:
			return MF_OUTCOME_PROTOCOL;
	}
}

/* Has anything of the request been sent?  Then there was a connection. */
static bool
was_sent(CURL *easy)
{
	long		size = 0;

	(void) curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &size);
	return size > 0;
}

/* Has TCP been connected?  Not known of a connection that is used again. */
static bool
was_connected(CURL *easy)
{
	curl_off_t	time = 0;

	(void) curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &time);
	return time > 0;
}

bool
mf_verdict_unconnected(MfTransfer *transfer, CURLcode code)
{
	return !transfer->refused &&
		(code == CURLE_COULDNT_CONNECT ||
		 (code == CURLE_OPERATION_TIMEDOUT && !was_sent(transfer->easy) &&
		  !was_connected(transfer->easy)));
}

/* How far it got until time was up. */
static void
say_timeout(MfTransfer *transfer, long status, MfOutcome *outcome)
{
	const MfDestination *destination = transfer->destination;
	CURL	   *easy = transfer->easy;

	if (!was_sent(easy) && !was_connected(easy))
		mf_verdict_say(outcome, MF_OUTCOME_TIMEOUT, "no connection in time");
	else if (!was_sent(easy))
		mf_verdict_say(outcome, MF_OUTCOME_TIMEOUT,
					   "the TLS handshake was not over in time");
	else if (status == 0)
		mf_verdict_say(outcome, MF_OUTCOME_TIMEOUT,
					   "no answer within %u ms", destination->timeout_ms);
	else
		mf_verdict_say(outcome, MF_OUTCOME_TIMEOUT,
					   "status %ld, but the answer was not whole within %u ms",
					   status, destination->timeout_ms);
}

static void
say_failure(MfTransfer *transfer, CURLcode code, long status,
			MfOutcome *outcome)
{
	const MfOutcomeKind kind = kind_of(code);
	char		address[MF_ADDRESS_TEXT];
	long		error = 0;

	switch (kind)
	{
		case MF_OUTCOME_CONNECT:
			(void) curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO,
									 &error);
			mf_address_print(&transfer->connected_to, address);
			mf_verdict_say(outcome, kind, "no connection to %s port %u: %s",
						   address, transfer->route->port, error != 0 ?
						   strerror((int) error) : curl_easy_strerror(code));
			break;
		case MF_OUTCOME_TIMEOUT:
			say_timeout(transfer, status, outcome);
			break;
		case MF_OUTCOME_TLS:
		case MF_OUTCOME_CONFIG:
			mf_verdict_say(outcome, kind, "%s", transfer->error[0] != '\0' ?
						   transfer->error : curl_easy_strerror(code));
			break;
		case MF_OUTCOME_LOST:
			if (code == CURLE_GOT_NOTHING)
				mf_verdict_say(outcome, kind,
							   "the connection ended without an answer");
			else if (status != 0)
				mf_verdict_say(outcome, kind,
							   "status %ld, but the connection broke before the answer was whole",
							   status);
			else
				mf_verdict_say(outcome, kind, "the connection broke: %s",
							   curl_easy_strerror(code));
			break;
		default:
			/* What HTTP/0.9 would be: there is no status line. */
			if (code == CURLE_UNSUPPORTED_PROTOCOL)
				mf_verdict_say(outcome, kind, "not an answer in HTTP");
			else
				mf_verdict_say(outcome, kind, "not an answer in HTTP: %s",
							   curl_easy_strerror(code));
			break;
	}
}

void
mf_verdict(MfTransfer *transfer, CURLcode code, MfOutcome *outcome)
{
	CURL	   *easy = transfer->easy;
	char		address[MF_ADDRESS_TEXT];
	long		status = 0;
	long		connects = 0;

	(void) curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	(void) curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects);
	outcome->reused = connects == 0 && was_sent(easy);
	outcome->error[0] = '\0';
	outcome->retry_after_s = -1;
	outcome->status = 0;

	/* We ended it ourselves, and know what we came for. */
	if (code == CURLE_WRITE_ERROR && transfer->too_long)
		code = CURLE_OK;

	if (transfer->refused)
	{
		mf_address_print(&transfer->refused_address, address);
		mf_verdict_say(outcome, MF_OUTCOME_BLOCKED,
					   "address %s is not public, and not allowed", address);
	}
	else if (transfer->headers_too_long)
		mf_verdict_say(outcome, MF_OUTCOME_PROTOCOL,
					   "the answer has more than %d bytes of headers",
					   MF_ANSWER_HEADERS);
	else if (code != CURLE_OK)
		say_failure(transfer, code, status, outcome);
	else if (status < 100 || status > 999)
		mf_verdict_say(outcome, MF_OUTCOME_PROTOCOL,
					   "the answer has no status");
	else
	{
		outcome->kind = MF_OUTCOME_ANSWERED;
		outcome->status = (uint32_t) status;
		outcome->retry_after_s = transfer->retry_after;
	}
	outcome->response_length = transfer->response_length;
	if (transfer->response_length > 0)
		memcpy(outcome->response, transfer->response,
			   transfer->response_length);
}
