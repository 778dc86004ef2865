/*
 * address.h
 *		Which addresses requests may go to.
 *
 * Public ones, and those that both lists of a target allow.  A list is lines;
 * each is an address, a network (CIDR), or the host as it stands in a URL.
 * Addresses that hand out credentials are allowed by address alone.
 * What is none of these is a host that nobody has.
 *
 * Sources: the IANA registries of special-purpose addresses (RFC 6890), and
 * OWASP's cheat sheet on server-side request forgery.
 */
#ifndef MF_ADDRESS_H
#define MF_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "../frame/sending.h"

/* An IPv4 address has the first four bytes. */
typedef struct MfAddress
{
	int			family;			/* AF_INET or AF_INET6 */
	uint8_t		bytes[16];
} MfAddress;

#define MF_ADDRESS_TEXT		INET6_ADDRSTRLEN

typedef enum MfAddressClass
{
	MF_ADDRESS_PUBLIC,
	MF_ADDRESS_PRIVATE,			/* of no use, or dangerous, from outside */
	MF_ADDRESS_METADATA			/* hands out a cloud's credentials */
} MfAddressClass;

typedef struct MfAllowEntry
{
	MfAddress	network;		/* family 0: a host */
	int			prefix;
	char	   *host;			/* NULL: a network */
} MfAllowEntry;

typedef struct MfAllowList
{
	MfAllowEntry *entries;
	size_t		count;
} MfAllowList;

/*
 * Reads an address as inet_pton does, in brackets or not; an IPv4 address
 * mapped into IPv6 becomes the IPv4 address it is.
 */
extern bool mf_address_parse(const char *text, size_t length,
							 MfAddress *address);
extern bool mf_address_from_socket(const struct sockaddr *from,
								   MfAddress *address);
extern void mf_address_print(const MfAddress *address,
							 char text[MF_ADDRESS_TEXT]);
extern bool mf_address_equal(const MfAddress *a, const MfAddress *b);
extern MfAddressClass mf_address_classify(const MfAddress *address);

/* False: out of memory; the list is empty then. */
extern bool mf_allow_parse(MfBytes lines, MfAllowList *list);
extern void mf_allow_free(MfAllowList *list);

/* May a request for `host` go to the address? */
extern bool mf_address_allowed(const MfAddress *address, const char *host,
							   const MfAllowList *by_server,
							   const MfAllowList *by_endpoint);

#endif							/* MF_ADDRESS_H */
