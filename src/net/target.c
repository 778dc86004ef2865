/*
 * target.c
 *		Targets made ready; see target.h.
 *
 * What can be wrong with a target is found here, with OpenSSL itself, so that
 * a broken certificate is told as one and not as a failed connection.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "target.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- routes ------------------------------------------------------------- */

static bool
complain(char *error, const char *text)
{
	snprintf(error, MF_SENDER_ERROR + 1, "%s", text);
	return false;
}

/* A part of a URL, to be freed with curl_free; NULL: it has none. */
static char *
part_of(CURLU *url, CURLUPart part, unsigned int flags)
{
	char	   *text = NULL;

	return curl_url_get(url, part, &text, flags) == CURLUE_OK ? text : NULL;
}

/* In a name that DNS could know; anything else is some encoding. */
static bool
is_plain_host(const char *host)
{
	if (host[0] == '\0')
		return false;
	for (const char *p = host; *p != '\0'; p++)
		if ((unsigned char) *p <= 0x20 || (unsigned char) *p >= 0x7f ||
			strchr("/\\%@?#<>\"'`", *p) != NULL)
			return false;
	return true;
}

/* Fills a route from a parsed URL. */
static bool
fill_route(CURLU *parsed, MfRoute *route, char *error)
{
	char	   *scheme = part_of(parsed, CURLUPART_SCHEME, 0);
	char	   *host = part_of(parsed, CURLUPART_HOST, 0);
	char	   *port = part_of(parsed, CURLUPART_PORT, CURLU_DEFAULT_PORT);
	char	   *zone = part_of(parsed, CURLUPART_ZONEID, 0);
	char	   *url = NULL;
	bool		good = false;

	if (scheme == NULL || (strcasecmp(scheme, "http") != 0 &&
						   strcasecmp(scheme, "https") != 0))
		complain(error, "the URL is neither http nor https");
	else if (host == NULL || port == NULL || !is_plain_host(host))
		complain(error, "the URL has no host that can be used");
	else if (zone != NULL)
		complain(error, "the URL names a network interface");
	else if (curl_url_set(parsed, CURLUPART_FRAGMENT, NULL, 0) != CURLUE_OK ||
			 (url = part_of(parsed, CURLUPART_URL, 0)) == NULL)
		complain(error, "the URL cannot be read");
	else
	{
		const size_t length = strlen(host);

		route->https = strcasecmp(scheme, "https") == 0;
		route->port = (uint16_t) atoi(port);
		route->literal = mf_address_parse(host, length, &route->address);
		route->url = strdup(url);
		route->host = host[0] == '[' ? strndup(host + 1, length - 2) :
			strdup(host);
		good = route->url != NULL && route->host != NULL;
		if (!good)
			complain(error, "out of memory");
	}
	curl_free(url);
	curl_free(zone);
	curl_free(port);
	curl_free(host);
	curl_free(scheme);
	return good;
}

bool
mf_route_parse(const char *url, MfRoute *route, char *error)
{
	CURLU	   *parsed = curl_url();
	CURLUcode	code;
	bool		good = false;

	memset(route, 0, sizeof(*route));
	if (parsed == NULL)
		return complain(error, "out of memory");
	code = curl_url_set(parsed, CURLUPART_URL, url, CURLU_DISALLOW_USER |
						CURLU_NON_SUPPORT_SCHEME);
	if (code == CURLUE_USER_NOT_ALLOWED)
		complain(error, "the URL has a user in it");
	else if (code != CURLUE_OK)
		complain(error, "the URL cannot be read");
	else
		good = fill_route(parsed, route, error);
	curl_url_cleanup(parsed);
	if (!good)
		mf_route_free(route);
	return good;
}

void
mf_route_free(MfRoute *route)
{
	free(route->url);
	free(route->host);
	memset(route, 0, sizeof(*route));
}

bool
mf_route_same_origin(const MfRoute *a, const MfRoute *b)
{
	return strcasecmp(a->host, b->host) == 0 &&
		(a->https == b->https ? a->port == b->port :
		 b->https && a->port == 80 && b->port == 443);
}

/* ---- headers ------------------------------------------------------------ */

bool
mf_has_header(MfBytes lines, const char *name)
{
	const size_t length = strlen(name);
	const char *at = lines.data;
	const char *end;

	if (lines.length == 0)
		return false;
	end = at + lines.length;
	while (at < end)
	{
		const char *newline = memchr(at, '\n', (size_t) (end - at));

		if ((size_t) (end - at) > length && at[length] == ':' &&
			strncasecmp(at, name, length) == 0)
			return true;
		if (newline == NULL)
			break;
		at = newline + 1;
	}
	return false;
}

size_t
mf_name_alone(const char *line, size_t length)
{
	const char *colon = memchr(line, ':', length);

	if (colon == NULL)
		return 0;
	for (const char *p = colon + 1; p < line + length; p++)
		if (*p != ' ' && *p != '\t')
			return 0;
	return (size_t) (colon - line);
}

/* Puts a header of `length` bytes, with a prefix, at the end of the list. */
static bool
append_header(struct curl_slist **list, const char *prefix, const char *text,
			  size_t length)
{
	const size_t name = prefix[0] == '\0' ? mf_name_alone(text, length) : 0;
	char	   *line = NULL;
	struct curl_slist *longer = NULL;

	if (asprintf(&line, "%s%.*s%s", prefix, (int) (name > 0 ? name : length),
				 text, name > 0 ? ";" : "") >= 0)
	{
		longer = curl_slist_append(*list, line);
		free(line);
	}
	if (longer != NULL)
		*list = longer;
	return longer != NULL;
}

static bool
make_headers(MfDestination *destination, const MfTarget *target)
{
	static const char content_type[] = "content-type:";
	const char *at = target->headers.data;
	const char *end = target->headers.length == 0 ? at :
	at + target->headers.length;
	bool		good = true;

	while (at < end && good)
	{
		const char *newline = memchr(at, '\n', (size_t) (end - at));

		if (newline == NULL)
			newline = end;
		if (newline - at >= (ptrdiff_t) strlen(content_type) &&
			strncasecmp(at, content_type, strlen(content_type)) == 0)
		{
			free(destination->content_type);
			at += strlen(content_type);
			while (at < newline && (*at == ' ' || *at == '\t'))
				at++;
			destination->content_type = strndup(at, (size_t) (newline - at));
			good = destination->content_type != NULL;
		}
		else
			good = append_header(&destination->headers, "", at,
								 (size_t) (newline - at));
		at = newline < end ? newline + 1 : end;
	}
	if (good && target->bearer.length > 0)
		good = append_header(&destination->headers, "Authorization: Bearer ",
							 target->bearer.data, target->bearer.length);
	else if (good && target->user_password.length > 0)
	{
		/* RFC 7617; what libcurl would write, but for this target alone. */
		char	   *text = malloc(4 * (target->user_password.length + 2) / 3 + 1);

		good = text != NULL;
		if (good)
		{
			mf_base64(target->user_password.data,
					  target->user_password.length, text);
			good = append_header(&destination->headers,
								 "Authorization: Basic ", text, strlen(text));
			free(text);
		}
	}
	return good;
}

/* ---- certificates ------------------------------------------------------- */

/* Instead of asking on a terminal for the passphrase of a key. */
static int
no_passphrase(char *buffer, int size, int writing, void *arg)
{
	(void) buffer;
	(void) size;
	(void) writing;
	(void) arg;
	return 0;
}

static X509 *
first_certificate(MfBytes pem)
{
	BIO		   *bio = BIO_new_mem_buf(pem.data, (int) pem.length);
	X509	   *certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);

	BIO_free(bio);
	return certificate;
}

static EVP_PKEY *
read_key(MfBytes pem)
{
	BIO		   *bio = BIO_new_mem_buf(pem.data, (int) pem.length);
	EVP_PKEY   *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);

	BIO_free(bio);
	return key;
}

/* NULL: they can be used. */
static const char *
check_certificates(const MfTarget *target)
{
	const char *why = NULL;

	if (target->ca.length > 0)
	{
		X509	   *ca = first_certificate(target->ca);

		if (ca == NULL)
			why = "the CA has no certificate in PEM";
		X509_free(ca);
	}
	if (why == NULL && target->client_cert.length == 0 &&
		target->client_key.length > 0)
		why = "there is a client key without a certificate";
	if (why == NULL && target->client_cert.length > 0)
	{
		X509	   *certificate = first_certificate(target->client_cert);
		EVP_PKEY   *key = read_key(target->client_key);

		if (certificate == NULL)
			why = "the client certificate is not one in PEM";
		else if (key == NULL)
			why = "the client key is not one in PEM, or has a passphrase";
		else if (X509_check_private_key(certificate, key) != 1)
			why = "the client key belongs to another certificate";
		EVP_PKEY_free(key);
		X509_free(certificate);
	}
	ERR_clear_error();
	return why;
}

/* ---- destinations ------------------------------------------------------- */

static bool
copy_bytes(MfBytes from, MfBytes *to)
{
	char	   *copy;

	if (from.length == 0)
		return true;
	copy = malloc(from.length);
	if (copy == NULL)
		return false;
	memcpy(copy, from.data, from.length);
	to->data = copy;
	to->length = from.length;
	return true;
}

static void
free_destination(MfDestination *destination)
{
	mf_route_free(&destination->route);
	mf_allow_free(&destination->by_server);
	mf_allow_free(&destination->by_endpoint);
	curl_slist_free_all(destination->headers);
	free(destination->content_type);
	free((char *) destination->ca.data);
	free((char *) destination->client_cert.data);
	if (destination->client_key.length > 0)
		explicit_bzero((char *) destination->client_key.data,
					   destination->client_key.length);
	free((char *) destination->client_key.data);
	for (uint32_t i = 0; i < destination->signer_count; i++)
		mf_signer_free(destination->signers[i]);
	free(destination);
}

/* What may be missing in the end is only memory. */
static bool
fill_destination(MfDestination *destination, const MfTarget *target)
{
	char	   *url = strndup(target->url.data, target->url.length);
	const char *why;

	if (url == NULL)
		return false;
	if (mf_route_parse(url, &destination->route, destination->broken))
	{
		why = check_certificates(target);
		if (why != NULL)
			complain(destination->broken, why);
	}
	free(url);
	destination->timeout_ms = target->timeout_ms;
	destination->connect_timeout_ms = target->connect_timeout_ms;
	destination->redirects = target->redirects;
	for (uint32_t i = 0; i < target->secret_count; i++)
	{
		destination->signers[i] = mf_signer_create(target->secrets[i]);
		if (destination->signers[i] == NULL)
			return false;
		destination->signer_count++;
	}
	return mf_allow_parse(target->allowed_by_server,
						  &destination->by_server) &&
		mf_allow_parse(target->allowed_by_endpoint,
					   &destination->by_endpoint) &&
		make_headers(destination, target) &&
		copy_bytes(target->ca, &destination->ca) &&
		copy_bytes(target->client_cert, &destination->client_cert) &&
		copy_bytes(target->client_key, &destination->client_key);
}

MfDestination *
mf_destination_create(const MfTarget *target)
{
	MfDestination *destination = calloc(1, sizeof(*destination));

	if (destination == NULL)
		return NULL;
	destination->references = 1;
	if (fill_destination(destination, target))
		return destination;
	free_destination(destination);
	return NULL;
}

void
mf_destination_release(MfDestination *destination)
{
	if (--destination->references == 0)
		free_destination(destination);
}

bool
mf_destination_allows(const MfDestination *destination, const char *host,
					  const MfAddress *addresses, uint32_t count,
					  MfAddress *refused)
{
	for (uint32_t i = 0; i < count; i++)
		if (!mf_address_allowed(&addresses[i], host, &destination->by_server,
								&destination->by_endpoint))
		{
			*refused = addresses[i];
			return false;
		}
	return true;
}

struct curl_slist *
mf_connect_to(const MfAddress *address, uint16_t port)
{
	char		text[MF_ADDRESS_TEXT];
	char		entry[MF_ADDRESS_TEXT + 16];

	mf_address_print(address, text);
	snprintf(entry, sizeof(entry), address->family == AF_INET6 ?
			 "::[%s]:%u" : "::%s:%u", text, (unsigned int) port);
	return curl_slist_append(NULL, entry);
}
