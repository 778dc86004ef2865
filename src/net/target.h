/*
 * target.h
 *		Targets made ready: what stays the same from request to request.
 *		Private to src/net.
 *
 * A destination is one version of a target.  It lives as long as something
 * refers to it, so that a request under way keeps the version it began with.
 */
#ifndef MF_TARGET_H
#define MF_TARGET_H

#include <curl/curl.h>

#include "address.h"
#include "signature.h"

/* Where a request goes: a URL taken apart. */
typedef struct MfRoute
{
	char	   *url;			/* without a fragment; odd numbers made plain */
	char	   *host;			/* without brackets */
	uint16_t	port;
	bool		https;
	bool		literal;		/* the host is an address */
	MfAddress	address;		/* then */
} MfRoute;

typedef struct MfTransfer MfTransfer;

typedef struct MfDestination
{
	int			references;
	char		broken[MF_SENDER_ERROR + 1];	/* why it cannot be used */
	MfRoute		route;
	MfAllowList by_server;
	MfAllowList by_endpoint;
	uint32_t	timeout_ms;
	uint32_t	connect_timeout_ms;
	uint32_t	redirects;
	struct curl_slist *headers; /* of the target, and credentials */
	char	   *content_type;	/* for all requests; NULL: theirs */
	MfBytes		ca;				/* ours; length 0: none */
	MfBytes		client_cert;
	MfBytes		client_key;
	uint32_t	signer_count;
	MfSigner   *signers[MF_SENDER_SECRETS];

	/* The answer about its host that was found to be allowed; 0: none yet. */
	uint64_t	name_version;

	MfTransfer *idle;			/* set up for it; pool.c's */
} MfDestination;

/*
 * Takes a URL apart: http or https, no user, no zone.  False: *route is empty
 * and `error` (MF_SENDER_ERROR + 1) says why.
 */
extern bool mf_route_parse(const char *url, MfRoute *route, char *error);
extern void mf_route_free(MfRoute *route);

/* The same server for a browser: may credentials go along? */
extern bool mf_route_same_origin(const MfRoute *a, const MfRoute *b);

/*
 * Makes a target ready, with one reference.  One that cannot be used says so
 * in `broken`.  NULL: out of memory.
 */
extern MfDestination *mf_destination_create(const MfTarget *target);
extern void mf_destination_release(MfDestination *destination);

/*
 * Are all addresses of the host allowed?  False: the first that is not, in
 * *refused.
 */
extern bool mf_destination_allows(const MfDestination *destination,
								  const char *host,
								  const MfAddress *addresses, uint32_t count,
								  MfAddress *refused);

/* An entry for CURLOPT_CONNECT_TO; NULL: out of memory. */
extern struct curl_slist *mf_connect_to(const MfAddress *address,
										uint16_t port);

/*
 * The length of a header's name where it has no value; 0: it has one.  For
 * libcurl "Name;" is a header without a value, and "Name:" one to leave out.
 */
extern size_t mf_name_alone(const char *line, size_t length);

/* Is there such a header among lines? */
extern bool mf_has_header(MfBytes lines, const char *name);

#endif							/* MF_TARGET_H */
