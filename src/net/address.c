/*
 * address.c
 *		Which addresses requests may go to; see address.h.
 */
#include "address.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A range of addresses: the bits before `prefix` are those of `text`. */
typedef struct Range
{
	const char *text;
	int			prefix;
} Range;

/* Special-purpose IPv4 addresses. */
static const Range private4[] = {
	{"0.0.0.0", 8},				/* this network; 0.0.0.0 connects to us */
	{"10.0.0.0", 8},
	{"100.64.0.0", 10},			/* carrier-grade NAT */
	{"127.0.0.0", 8},
	{"169.254.0.0", 16},		/* link-local */
	{"172.16.0.0", 12},
	{"192.0.0.0", 24},			/* protocol assignments */
	{"192.0.2.0", 24},			/* documentation */
	{"192.88.99.0", 24},		/* 6to4 relays */
	{"192.168.0.0", 16},
	{"198.18.0.0", 15},			/* benchmarks */
	{"198.51.100.0", 24},		/* documentation */
	{"203.0.113.0", 24},		/* documentation */
	{"224.0.0.0", 4},			/* multicast */
	{"240.0.0.0", 4},			/* reserved, broadcast */
};

/*
 * Of IPv6, only 2000::/3 is handed out as global unicast, so loopback, unique
 * local, link-local, site-local, multicast, NAT64 and whatever comes next are
 * private without being named.  These are the special ones within it.
 */
static const Range public6 = {"2000::", 3};
static const Range private6[] = {
	{"2001::", 23},				/* protocol assignments, Teredo, ORCHID */
	{"2001:db8::", 32},			/* documentation */
	{"2002::", 16},				/* 6to4 */
	{"3fff::", 20},				/* documentation */
};

/* Where clouds hand out credentials to whoever asks from inside. */
static const char *const metadata[] = {
	"169.254.169.254",			/* nearly all */
	"169.254.170.2",			/* AWS: tasks */
	"169.254.170.23",			/* AWS: pods */
	"169.254.0.23",				/* Tencent */
	"100.100.100.200",			/* Alibaba */
	"168.63.129.16",			/* Azure; a public address by its looks */
	"192.0.0.192",				/* Oracle */
	"fd00:ec2::254",			/* AWS */
	"fd00:ec2::23",				/* AWS: pods */
	"fd20:ce::254",				/* Google */
	"fe80::a9fe:a9fe",			/* OpenStack */
};

/* Where IPv4 addresses sit in IPv6 ones: at which byte, under which prefix. */
typedef struct Embedding
{
	Range		range;
	int			at;
} Embedding;

static const Embedding embeddings[] = {
	{{"64:ff9b::", 96}, 12},	/* NAT64 (RFC 6052) */
	{{"2002::", 16}, 2},		/* 6to4 (RFC 3056) */
	{{"::", 96}, 12},			/* IPv4-compatible (RFC 4291) */
	{{"::ffff:0:0:0", 96}, 12}, /* IPv4-translated (RFC 2765) */
};

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

static int
bits_of(const MfAddress *address)
{
	return address->family == AF_INET ? 32 : 128;
}

/* An IPv4 address mapped into IPv6 (::ffff:0:0/96) becomes what it is. */
static bool
unwrap(MfAddress *address)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255};

	if (address->family != AF_INET6 ||
		memcmp(address->bytes, mapped, sizeof(mapped)) != 0)
		return false;
	address->family = AF_INET;
	memmove(address->bytes, address->bytes + 12, 4);
	memset(address->bytes + 4, 0, 12);
	return true;
}

/* As mf_address_parse, and says whether it was a mapped one. */
static bool
parse(const char *text, size_t length, MfAddress *address, bool *mapped)
{
	char		copy[MF_ADDRESS_TEXT];

	*mapped = false;
	if (length >= 2 && text[0] == '[' && text[length - 1] == ']')
	{
		text++;
		length -= 2;
	}
	if (length == 0 || length >= sizeof(copy))
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	if (strlen(copy) != length)
		return false;
	memset(address, 0, sizeof(*address));
	address->family = AF_INET;
	if (inet_pton(AF_INET, copy, address->bytes) == 1)
		return true;
	address->family = AF_INET6;
	if (inet_pton(AF_INET6, copy, address->bytes) != 1)
		return false;
	*mapped = unwrap(address);
	return true;
}

bool
mf_address_parse(const char *text, size_t length, MfAddress *address)
{
	bool		mapped;

	return parse(text, length, address, &mapped);
}

bool
mf_address_from_socket(const struct sockaddr *from, MfAddress *address)
{
	memset(address, 0, sizeof(*address));
	address->family = from->sa_family;
	if (from->sa_family == AF_INET)
	{
		memcpy(address->bytes,
			   &((const struct sockaddr_in *) from)->sin_addr, 4);
		return true;
	}
	if (from->sa_family != AF_INET6)
		return false;
	memcpy(address->bytes,
		   &((const struct sockaddr_in6 *) from)->sin6_addr, 16);
	(void) unwrap(address);
	return true;
}

void
mf_address_print(const MfAddress *address, char text[MF_ADDRESS_TEXT])
{
	if (inet_ntop(address->family, address->bytes, text,
				  MF_ADDRESS_TEXT) == NULL)
		strcpy(text, "?");
}

bool
mf_address_equal(const MfAddress *a, const MfAddress *b)
{
	return a->family == b->family &&
		memcmp(a->bytes, b->bytes, (size_t) bits_of(a) / 8) == 0;
}

/* Are the first `prefix` bits of both the same? */
static bool
same_network(const MfAddress *a, const MfAddress *b, int prefix)
{
	const int	whole = prefix / 8;
	const int	rest = prefix % 8;

	if (a->family != b->family ||
		memcmp(a->bytes, b->bytes, (size_t) whole) != 0)
		return false;
	return rest == 0 ||
		((a->bytes[whole] ^ b->bytes[whole]) >> (8 - rest)) == 0;
}

static bool
in_range(const MfAddress *address, const Range *range)
{
	MfAddress	network = {AF_INET6, {0}};

	if (strchr(range->text, ':') == NULL)
		network.family = AF_INET;
	return inet_pton(network.family, range->text, network.bytes) == 1 &&
		same_network(address, &network, range->prefix);
}

static bool
is_metadata(const MfAddress *address)
{
	for (size_t i = 0; i < COUNT(metadata); i++)
	{
		const Range exact = {metadata[i],
		strchr(metadata[i], ':') == NULL ? 32 : 128};

		if (in_range(address, &exact))
			return true;
	}
	return false;
}

static bool
is_private(const MfAddress *address)
{
	const Range *ranges = address->family == AF_INET ? private4 : private6;
	const size_t count = address->family == AF_INET ? COUNT(private4) :
	COUNT(private6);

	if (address->family == AF_INET6 && !in_range(address, &public6))
		return true;
	for (size_t i = 0; i < count; i++)
		if (in_range(address, &ranges[i]))
			return true;
	return false;
}

MfAddressClass
mf_address_classify(const MfAddress *address)
{
	if (is_metadata(address))
		return MF_ADDRESS_METADATA;
	if (address->family == AF_INET6)
	{
		/* Through a translator it may arrive at the IPv4 address inside. */
		for (size_t i = 0; i < COUNT(embeddings); i++)
		{
			MfAddress	inside = {AF_INET, {0}};

			memcpy(inside.bytes, address->bytes + embeddings[i].at, 4);
			if (in_range(address, &embeddings[i].range) &&
				is_metadata(&inside))
				return MF_ADDRESS_METADATA;
		}
	}
	return is_private(address) ? MF_ADDRESS_PRIVATE : MF_ADDRESS_PUBLIC;
}

/* ---- lists -------------------------------------------------------------- */

/* A network: an address, perhaps with a slash and a number. */
static bool
parse_network(const char *text, size_t length, MfAllowEntry *entry)
{
	const char *slash = memchr(text, '/', length);
	const size_t before = slash == NULL ? length : (size_t) (slash - text);
	int			prefix = 0;
	bool		mapped;

	if (!parse(text, before, &entry->network, &mapped))
		return false;
	entry->prefix = bits_of(&entry->network);
	if (slash == NULL)
		return true;
	if (slash + 1 == text + length || length - before > 4)
		return false;
	for (const char *p = slash + 1; p < text + length; p++)
	{
		if (*p < '0' || *p > '9')
			return false;
		prefix = prefix * 10 + (*p - '0');
	}

	/* A network of mapped addresses is one of IPv4 addresses. */
	if (mapped)
		prefix -= 96;
	if (prefix < 0 || prefix > entry->prefix)
		return false;
	entry->prefix = prefix;
	return true;
}

bool
mf_allow_parse(MfBytes lines, MfAllowList *list)
{
	const char *at = lines.data;
	const char *end;
	size_t		room = 1;

	memset(list, 0, sizeof(*list));
	if (lines.length == 0)
		return true;
	end = at + lines.length;
	for (size_t i = 0; i < lines.length; i++)
		room += at[i] == '\n';
	list->entries = calloc(room, sizeof(*list->entries));
	if (list->entries == NULL)
		return false;
	while (at < end && list->count < room)
	{
		MfAllowEntry *entry = &list->entries[list->count];
		const char *newline = memchr(at, '\n', (size_t) (end - at));
		const char *last = newline == NULL ? end : newline;
		const char *next = newline == NULL ? end : newline + 1;

		while (at < last && *at == ' ')
			at++;
		while (at < last && last[-1] == ' ')
			last--;
		if (at < last)
		{
			list->count++;
			if (!parse_network(at, (size_t) (last - at), entry))
			{
				entry->network.family = 0;
				entry->host = strndup(at, (size_t) (last - at));
				if (entry->host == NULL)
				{
					mf_allow_free(list);
					return false;
				}
			}
		}
		at = next;
	}
	return true;
}

void
mf_allow_free(MfAllowList *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->entries[i].host);
	free(list->entries);
	memset(list, 0, sizeof(*list));
}

/*
 * `exact`: only the address itself does.  Not a network that has others too;
 * nor the host, for whoever answers for its name may say what they like.
 */
static bool
list_names(const MfAllowList *list, const MfAddress *address,
		   const char *host, bool exact)
{
	for (size_t i = 0; i < list->count; i++)
	{
		const MfAllowEntry *entry = &list->entries[i];

		if (entry->host != NULL ?
			!exact && strcasecmp(entry->host, host) == 0 :
			(!exact || entry->prefix == bits_of(&entry->network)) &&
			same_network(address, &entry->network, entry->prefix))
			return true;
	}
	return false;
}

bool
mf_address_allowed(const MfAddress *address, const char *host,
				   const MfAllowList *by_server,
				   const MfAllowList *by_endpoint)
{
	MfAddressClass class = mf_address_classify(address);
	const bool	exact = class == MF_ADDRESS_METADATA;

	return class == MF_ADDRESS_PUBLIC ||
		(list_names(by_server, address, host, exact) &&
		 list_names(by_endpoint, address, host, exact));
}
