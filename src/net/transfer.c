/*
 * transfer.c
 *		Setting a transfer up, and libcurl's callbacks.
 *
 * Callbacks store and return; none of them calls libcurl or ends anything.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "transfer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* webhook-id, -timestamp, -signature, Content-Type, Expect */
#define OWN_HEADERS		5

/* Of a body that is longer, libcurl announces that it comes (1 MB). */
#define ANNOUNCED		(1000 * 1000)

/* Memory of a request that is kept for the next one. */
#define MEMORY_KEPT		(64 * 1024)

/* libcurl's own 64 kB are more than malloc gives and takes back cheaply. */
#define UPLOAD_BUFFER	16384L

/*
 * The window of a stream in HTTP/2 (RFC 9113, section 6.9.2) before the peer
 * makes it larger, and the first libcurl that waits where it is used up.
 */
#define HTTP2_WINDOW	65535
#define WAITS_FOR_WINDOW	0x080000

/* Names of hosts move: no connection is kept longer.  Seconds. */
#define CONNECTION_IDLE 55L
#define CONNECTION_LIFE 300L

/* ---- the request -------------------------------------------------------- */

/* Room for `size` bytes in the transfer's memory. */
static bool
reserve(MfTransfer *transfer, size_t size)
{
	char	   *memory;

	if (size <= transfer->room)
		return true;
	memory = realloc(transfer->memory, size);
	if (memory == NULL)
		return false;
	transfer->memory = memory;
	transfer->room = size;
	return true;
}

static MfBytes
text_of(const char *text)
{
	MfBytes		bytes = {text, strlen(text)};

	return bytes;
}

static size_t
count_lines(MfBytes lines)
{
	const char *at = lines.data;
	const char *end = lines.length == 0 ? at : at + lines.length;
	size_t		count = 0;

	while (at < end)
	{
		const char *newline = memchr(at, '\n', (size_t) (end - at));

		count++;
		at = newline == NULL ? end : newline + 1;
	}
	return count;
}

/* Writes headers one after the other, and a list of them. */
typedef struct HeaderWriter
{
	struct curl_slist *node;	/* the next one */
	char	   *at;
} HeaderWriter;

/* The last header written begins here; ends it. */
static void
end_header(HeaderWriter *out, char *start)
{
	*out->at++ = '\0';
	out->node->data = start;
	out->node->next = out->node + 1;
	out->node++;
}

static void
add_header(HeaderWriter *out, const char *name, MfBytes value)
{
	char	   *start = out->at;

	out->at = stpcpy(start, name);
	out->at = mempcpy(out->at, value.data, value.length);
	end_header(out, start);
}

static void
add_lines(HeaderWriter *out, MfBytes lines)
{
	const char *at = lines.data;
	const char *end = lines.length == 0 ? at : at + lines.length;

	while (at < end)
	{
		const char *newline = memchr(at, '\n', (size_t) (end - at));
		const size_t length = (size_t) ((newline == NULL ? end : newline) - at);
		const size_t name = mf_name_alone(at, length);
		char	   *start = out->at;

		out->at = mempcpy(out->at, at, name > 0 ? name : length);
		if (name > 0)
			*out->at++ = ';';
		end_header(out, start);
		at = newline == NULL ? end : newline + 1;
	}
}

/*
 * Takes a request; see transfer.h.  The nodes of the list of headers, their
 * text and the body lie in one piece of memory, which the next request uses
 * again; the target's own headers follow by the last node.
 */
bool
mf_transfer_prepare(MfTransfer *transfer, const MfRequest *request,
					MfMapping mapping)
{
	MfDestination *destination = transfer->destination;
	const size_t nodes = OWN_HEADERS + count_lines(request->headers);
	const size_t signatures = destination->signer_count * MF_SIGNATURE_TEXT;
	const MfBytes content_type = destination->content_type == NULL ?
	request->content_type : text_of(destination->content_type);
	const size_t texts = 200 + request->id.length + signatures +
	content_type.length + request->headers.length;
	const size_t copied = mapping.start == NULL ? request->body.length : 0;
	HeaderWriter out;
	MfBytes		body;
	char		timestamp[24];
	char	   *start;

	if (!reserve(transfer, nodes * sizeof(struct curl_slist) + texts + copied))
		return false;
	transfer->tag = request->tag;
	transfer->mapping = mapping;
	body = request->body;
	if (mapping.start == NULL)
	{
		char	   *copy = transfer->memory + transfer->room - copied;

		if (copied > 0)
			memcpy(copy, request->body.data, copied);
		body.data = copy;
	}
	transfer->body = body;

	out.node = (struct curl_slist *) transfer->memory;
	out.at = transfer->memory + nodes * sizeof(struct curl_slist);
	transfer->headers = out.node;
	snprintf(timestamp, sizeof(timestamp), "%lld", (long long) time(NULL));
	add_header(&out, "webhook-id: ", request->id);
	add_header(&out, "webhook-timestamp: ", text_of(timestamp));
	if (destination->signer_count > 0)
	{
		start = out.at;
		out.at = stpcpy(start, "webhook-signature: ");
		if (!mf_signature_write(destination->signers,
								destination->signer_count, request->id,
								timestamp, body, out.at))
			return false;
		out.at += strlen(out.at);
		end_header(&out, start);
	}
	if (!mf_has_header(request->headers, "content-type"))
		add_header(&out, content_type.length > 0 ? "Content-Type: " :
				   "Content-Type;", content_type);
	add_lines(&out, request->headers);

	/*
	 * No "Expect: 100-continue", which costs a second where it is ignored.
	 * Only where libcurl would have one: it goes through all headers for each
	 * of them.
	 */
	if (body.length > ANNOUNCED)
	{
		start = out.at;
		out.at = stpcpy(start, "Expect:");
		end_header(&out, start);
	}
	transfer->last_own = out.node - 1;
	transfer->last_own->next = destination->headers;
	return true;
}

void
mf_transfer_clear(MfTransfer *transfer)
{
	if (transfer->mapping.start != NULL)
		munmap(transfer->mapping.start, transfer->mapping.size);
	transfer->mapping.start = NULL;
	transfer->headers = NULL;
	mf_route_free(&transfer->hop);
	if (transfer->room > MEMORY_KEPT)
	{
		free(transfer->memory);
		transfer->memory = NULL;
		transfer->room = 0;
	}
}

/* ---- callbacks ---------------------------------------------------------- */

/* The last word on an address: here it is what is about to be connected. */
static curl_socket_t
open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
	MfTransfer *transfer = arg;
	MfAddress	address;

	if (purpose != CURLSOCKTYPE_IPCXN ||
		!mf_address_from_socket(&to->addr, &address) ||
		!mf_destination_allows(transfer->destination, transfer->route->host,
							   &address, 1, &address))
	{
		transfer->refused = true;
		if (mf_address_from_socket(&to->addr, &address))
			transfer->refused_address = address;
		return CURL_SOCKET_BAD;
	}
	return socket(to->family, to->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
				  to->protocol);
}

int
mf_transfer_close_socket(void *arg, curl_socket_t fd)
{
	mf_poller_closing(mf_engine_poller(arg), fd);
	return close(fd);
}

static size_t
take_body(char *bytes, size_t size, size_t count, void *arg)
{
	MfTransfer *transfer = arg;
	size_t		length = size * count;
	size_t		kept = MF_SENDER_RESPONSE - transfer->response_length;

	if (kept > length)
		kept = length;
	memcpy(transfer->response + transfer->response_length, bytes, kept);
	transfer->response_length += (uint32_t) kept;
	transfer->body_bytes += length;
	if (transfer->body_bytes <= MF_ANSWER_MAX)
		return length;
	transfer->too_long = true;
	return length == 0 ? 1 : 0;
}

/*
 * The value of Retry-After (RFC 9110, section 10.2.3): seconds, or a date in
 * any of the three forms.
 */
int32_t
mf_retry_after(const char *value, size_t length)
{
	const int32_t most = 365 * 24 * 60 * 60;
	char		text[64];
	int64_t		seconds = 0;
	time_t		date;

	while (length > 0 && (*value == ' ' || *value == '\t'))
	{
		value++;
		length--;
	}
	while (length > 0 && strchr(" \t\r\n", value[length - 1]) != NULL)
		length--;
	if (length == 0)
		return -1;
	if (strspn(value, "0123456789") >= length)
	{
		for (size_t i = 0; i < length && seconds <= most; i++)
			seconds = seconds * 10 + (value[i] - '0');
		return seconds > most ? most : (int32_t) seconds;
	}

	/* All three begin with the day of the week. */
	if (length >= sizeof(text) || strchr("MTWFS", value[0]) == NULL)
		return -1;
	memcpy(text, value, length);
	text[length] = '\0';
	date = curl_getdate(text, NULL);
	if (date == -1)
		return -1;
	seconds = (int64_t) date - (int64_t) time(NULL);
	return seconds < 0 ? 0 : seconds > most ? most : (int32_t) seconds;
}

static size_t
take_header(char *bytes, size_t size, size_t count, void *arg)
{
	static const char name[] = "retry-after:";
	const size_t name_length = sizeof(name) - 1;
	MfTransfer *transfer = arg;
	size_t		length = size * count;

	transfer->header_bytes += length;
	if (transfer->header_bytes > MF_ANSWER_HEADERS)
	{
		transfer->headers_too_long = true;
		return 0;
	}
	/* Another answer begins: what was before it was provisional. */
	if (length > 5 && memcmp(bytes, "HTTP/", 5) == 0)
		transfer->retry_after = -1;
	else if (length > name_length &&
			 (bytes[0] == 'r' || bytes[0] == 'R') &&
			 strncasecmp(bytes, name, name_length) == 0)
	{
		char		value[128];
		size_t		kept = length - name_length;

		if (kept >= sizeof(value))
			kept = sizeof(value) - 1;
		memcpy(value, bytes + name_length, kept);
		value[kept] = '\0';
		transfer->retry_after = mf_retry_after(value, kept);
	}
	return length;
}

/* ---- the handle --------------------------------------------------------- */

static bool
set_blob(CURL *easy, CURLoption option, MfBytes bytes)
{
	struct curl_blob blob = {(void *) bytes.data, bytes.length,
	CURL_BLOB_NOCOPY};

	return bytes.length == 0 ||
		curl_easy_setopt(easy, option, &blob) == CURLE_OK;
}

/* Is it the target's own server, as far as anybody can tell? */
static bool
is_trusted(const MfTransfer *transfer)
{
	const MfRoute *home = &transfer->destination->route;

	return transfer->route == home ||
		mf_route_same_origin(home, transfer->route);
}

/* What the same destination has in every request. */
static bool
configure_destination(MfTransfer *transfer)
{
	const MfDestination *destination = transfer->destination;
	CURL	   *easy = transfer->easy;
	bool		good = true;

#define SET(option, value) \
	(good = good && curl_easy_setopt(easy, option, value) == CURLE_OK)

	curl_easy_reset(easy);
	SET(CURLOPT_PRIVATE, transfer);
	SET(CURLOPT_ERRORBUFFER, transfer->error);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_URL, transfer->route->url);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_POST, 1L);
	SET(CURLOPT_USERAGENT, "mesflow/" MF_VERSION);

	/*
	 * Nobody waits for the connection of another: of those who do, of all
	 * hosts together, libcurl 7 wakes one at a time, so that a host that
	 * hangs in its handshake would hold up all others.
	 */
	SET(CURLOPT_PIPEWAIT, 0L);
	SET(CURLOPT_MAXAGE_CONN, CONNECTION_IDLE);
	SET(CURLOPT_MAXLIFETIME_CONN, CONNECTION_LIFE);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER);
	SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
	SET(CURLOPT_OPENSOCKETDATA, transfer);
	SET(CURLOPT_CLOSESOCKETFUNCTION, mf_transfer_close_socket);
	SET(CURLOPT_CLOSESOCKETDATA, transfer->engine);
	SET(CURLOPT_WRITEFUNCTION, take_body);
	SET(CURLOPT_WRITEDATA, transfer);
	SET(CURLOPT_HEADERFUNCTION, take_header);
	SET(CURLOPT_HEADERDATA, transfer);
	SET(CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);

	/*
	 * Without a folder of certificates, libcurl keeps those of the system's
	 * file from one connection to the next; and where there is a CA of the
	 * target, the folder would be trusted beside it.
	 */
	SET(CURLOPT_CAPATH, NULL);
	good = good && set_blob(easy, CURLOPT_CAINFO_BLOB, destination->ca);

	/* Nobody but the target itself gets to know who we are. */
	if (is_trusted(transfer))
		good = good &&
			set_blob(easy, CURLOPT_SSLCERT_BLOB, destination->client_cert) &&
			set_blob(easy, CURLOPT_SSLKEY_BLOB, destination->client_key);
#undef SET
	return good;
}

/*
 * While an HTTP/2 peer gives it no window, libcurl 7 asks to be called again
 * at once, for ever, which takes a whole processor.  So what may need a larger
 * window goes by HTTP/1.1, over a connection of its own: one that is there may
 * be HTTP/2, and the next request is better off with such a one.
 */
static bool
must_go_alone(const MfTransfer *transfer)
{
	return transfer->route->https && transfer->body.length > HTTP2_WINDOW &&
		curl_version_info(CURLVERSION_NOW)->version_num < WAITS_FOR_WINDOW;
}

static bool
go_alone(MfTransfer *transfer, bool alone)
{
	CURL	   *easy = transfer->easy;

	transfer->alone = alone;
	return curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, alone ?
							(long) CURL_HTTP_VERSION_1_1 :
							(long) CURL_HTTP_VERSION_2TLS) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT,
						 alone ? 1L : 0L) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_FORBID_REUSE,
						 alone ? 1L : 0L) == CURLE_OK;
}

bool
mf_transfer_configure(MfTransfer *transfer, const MfAddress *address)
{
	const MfDestination *destination = transfer->destination;
	CURL	   *easy = transfer->easy;
	const bool	at_home = transfer->route == &destination->route;
	bool		fresh = transfer->configured != destination || !at_home;
	bool		alone = must_go_alone(transfer);
	int64_t		left = (transfer->deadline - mf_now_us() + 999) / 1000;
	long		connect_ms = (long) destination->connect_timeout_ms;

	if (fresh && !configure_destination(transfer))
		return false;
	if ((fresh || alone != transfer->alone) && !go_alone(transfer, alone))
		return false;
	transfer->configured = at_home ? transfer->destination : NULL;

	/*
	 * The address that was looked at and found allowed, for whatever host and
	 * port: so libcurl never looks up a name, and uses a connection again
	 * only for the same address.
	 */
	if (fresh || transfer->connect_to == NULL ||
		!mf_address_equal(address, &transfer->connected_to))
	{
		struct curl_slist *connect_to = mf_connect_to(address,
													  transfer->route->port);

		if (connect_to == NULL ||
			curl_easy_setopt(easy, CURLOPT_CONNECT_TO,
							 connect_to) != CURLE_OK)
		{
			curl_slist_free_all(connect_to);
			return false;
		}
		curl_slist_free_all(transfer->connect_to);
		transfer->connect_to = connect_to;
		transfer->connected_to = *address;
	}

	/* Where there are more addresses, leave time for the next one. */
	if (transfer->address_count > transfer->tries + 1 &&
		transfer->tries + 1 < MF_CONNECT_TRIES)
		connect_ms = connect_ms / 2 + 1;
	transfer->last_own->next = is_trusted(transfer) ?
		destination->headers : NULL;
	transfer->refused = false;
	transfer->too_long = false;
	transfer->headers_too_long = false;
	transfer->header_bytes = 0;
	transfer->body_bytes = 0;
	transfer->retry_after = -1;
	transfer->response_length = 0;
	transfer->error[0] = '\0';
	return curl_easy_setopt(easy, CURLOPT_HTTPHEADER,
							transfer->headers) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
						 transfer->body.data) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
						 (curl_off_t) transfer->body.length) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
						 left > 0 ? (long) left : 1L) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
						 connect_ms) == CURLE_OK;
}
