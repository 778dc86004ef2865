/*
 * sending_check.c
 *		The rules that targets, requests and outcomes obey.
 *
 * What gets into a request beside its body passes here, so nothing of it can
 * end a header early or begin another request.
 */
#include "sending_entries.h"

#include <string.h>
#include <strings.h>

/* Headers that the program or libcurl write themselves (RFC 9110, 9113). */
static const char *const forbidden_headers[] = {
	"host", "content-length", "transfer-encoding", "connection", "te",
	"upgrade", "expect", "keep-alive", "proxy-connection", "trailer"
};

#define WEBHOOK_PREFIX	"webhook-"

/* RFC 9110, section 5.6.2: tchar. */
static bool
is_token_character(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		(c >= '0' && c <= '9') || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static bool
is_forbidden_header(const char *name, size_t length)
{
	const size_t prefix = strlen(WEBHOOK_PREFIX);

	for (size_t i = 0;
		 i < sizeof(forbidden_headers) / sizeof(forbidden_headers[0]); i++)
		if (strlen(forbidden_headers[i]) == length &&
			strncasecmp(name, forbidden_headers[i], length) == 0)
			return true;
	return length >= prefix && strncasecmp(name, WEBHOOK_PREFIX, prefix) == 0;
}

/* No control characters but tabs: RFC 9110, section 5.5, obs-text allowed. */
static bool
is_header_value(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
	{
		unsigned char c = (unsigned char) text[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

static bool
is_printable(const char *text, size_t length, unsigned char first)
{
	for (size_t i = 0; i < length; i++)
	{
		unsigned char c = (unsigned char) text[i];

		if (c < first || c >= 0x7f)
			return false;
	}
	return true;
}

/* Lines "Name: value", each ended by '\n'. */
static const char *
check_headers(MfBytes headers)
{
	const char *at = headers.data;
	const char *end;
	int			lines = 0;

	if (headers.length == 0)
		return NULL;
	if (headers.length > MF_SENDING_HEADERS)
		return "the headers are too long";
	end = at + headers.length;
	while (at < end)
	{
		const char *newline = memchr(at, '\n', (size_t) (end - at));
		size_t		name = 0;

		if (newline == NULL)
			return "a header has no end";
		if (++lines > MF_SENDING_HEADER_LINES)
			return "there are too many headers";
		while (at + name < newline &&
			   is_token_character((unsigned char) at[name]))
			name++;
		if (name == 0 || at[name] != ':')
			return "the name of a header is not a token";
		if (is_forbidden_header(at, name))
			return "a header may not be set";
		if (!is_header_value(at + name, (size_t) (newline - at) - name))
			return "a header has a control character";
		at = newline + 1;
	}
	return NULL;
}

/* Lines, each ended by '\n', of visible characters. */
static const char *
check_list(MfBytes list)
{
	if (list.length == 0)
		return NULL;
	if (list.length > MF_SENDING_LIST)
		return "a list of addresses is too long";
	if (list.data[list.length - 1] != '\n')
		return "a list of addresses has no end";
	for (size_t i = 0; i < list.length; i++)
	{
		unsigned char c = (unsigned char) list.data[i];

		if (c != '\n' && (c < 0x20 || c >= 0x7f))
			return "a list of addresses is not printable";
	}
	return NULL;
}

/* PEM is text: OpenSSL and libcurl would stop at a zero. */
static const char *
check_pem(MfBytes pem)
{
	if (pem.length > MF_SENDING_PEM)
		return "a certificate or key is longer than 32 kB";
	if (pem.length > 0 && memchr(pem.data, '\0', pem.length) != NULL)
		return "a certificate or key is not text";
	return NULL;
}

static const char *
check_secrets(const MfTarget *target)
{
	if (target->secret_count > MF_SENDER_SECRETS)
		return "there are too many secrets";
	for (uint32_t i = 0; i < target->secret_count; i++)
		if (target->secrets[i].length < MF_SENDING_SECRET_MIN ||
			target->secrets[i].length > MF_SENDING_SECRET_MAX)
			return "a secret is too short or too long";
	return NULL;
}

const char *
mf_sending_check_target(const MfTarget *target)
{
	const char *why = NULL;

	if (target->number >= MF_SENDER_TARGETS)
		return "the number of the target is too large";
	if (target->url.length == 0 || target->url.length > MF_SENDING_URL ||
		!is_printable(target->url.data, target->url.length, 0x21))
		return "the URL is empty, too long or not printable";
	if (target->user_password.length > MF_SENDING_CREDENTIAL ||
		!is_header_value(target->user_password.data,
						 target->user_password.length))
		return "the user and password cannot be sent";
	if (target->bearer.length > MF_SENDING_CREDENTIAL ||
		!is_printable(target->bearer.data, target->bearer.length, 0x21))
		return "the bearer token cannot be sent";
	if (target->timeout_ms == 0 || target->timeout_ms > MF_SENDING_MS ||
		target->connect_timeout_ms == 0 ||
		target->connect_timeout_ms > MF_SENDING_MS)
		return "a timeout is implausible";
	if (target->redirects > MF_SENDING_REDIRECTS)
		return "there are too many redirects";
	if (why == NULL)
		why = check_headers(target->headers);
	if (why == NULL && target->ca.length > MF_SENDING_PEM)
		why = "the CA is longer than 32 kB: give only the root or intermediate that signed the server's certificate";
	if (why == NULL)
		why = check_pem(target->ca);
	if (why == NULL)
		why = check_pem(target->client_cert);
	if (why == NULL)
		why = check_pem(target->client_key);
	if (why == NULL)
		why = check_list(target->allowed_by_server);
	if (why == NULL)
		why = check_list(target->allowed_by_endpoint);
	if (why == NULL)
		why = check_secrets(target);
	return why;
}

/*
 * The id has no dot, which would end it early in what is signed (Standard
 * Webhooks 1.0.0, "Signature scheme").
 */
const char *
mf_sending_check_request(const MfRequest *request)
{
	if (request->target >= MF_SENDER_TARGETS)
		return "the number of the target is too large";
	if (request->id.length == 0 || request->id.length > MF_SENDING_ID ||
		!is_printable(request->id.data, request->id.length, 0x21) ||
		memchr(request->id.data, '.', request->id.length) != NULL)
		return "the id cannot be sent";
	if (request->content_type.length == 0 ||
		request->content_type.length > MF_SENDING_CONTENT_TYPE ||
		!is_printable(request->content_type.data,
					  request->content_type.length, 0x20))
		return "the content type cannot be sent";
	if (request->body.length > MF_SENDING_BODY)
		return "the body is too long";
	return check_headers(request->headers);
}

const char *
mf_sending_check_outcome(const MfOutcome *outcome)
{
	size_t		length = strnlen(outcome->error, sizeof(outcome->error));

	if ((unsigned int) outcome->kind > MF_OUTCOME_LAST)
		return "the kind of outcome is unknown";
	if (outcome->kind == MF_OUTCOME_ANSWERED ?
		outcome->status < 100 || outcome->status > 999 :
		outcome->status != 0)
		return "the status is implausible";
	if (outcome->retry_after_s < -1 ||
		outcome->retry_after_s > MF_SENDING_RETRY_AFTER)
		return "the time to retry after is implausible";
	if (length == sizeof(outcome->error) ||
		!is_printable(outcome->error, length, 0x20))
		return "the error is too long or not printable";
	if (outcome->response_length > MF_SENDER_RESPONSE)
		return "the response is too long";
	return NULL;
}
