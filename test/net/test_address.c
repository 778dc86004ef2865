/*
 * test_address.c
 *		Which addresses requests may go to.
 */
#include "net/address.h"
#include "net/target.h"

#include "frame/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static MfBytes
text(const char *from)
{
	MfBytes		bytes = {from, strlen(from)};

	return bytes;
}

static void
test_classes(void)
{
	static const struct
	{
		const char *address;
		MfAddressClass class;
	}			cases[] = {
		/* First and last of each range, and what is beside them. */
		{"0.0.0.0", MF_ADDRESS_PRIVATE}, {"0.255.255.255", MF_ADDRESS_PRIVATE},
		{"1.0.0.0", MF_ADDRESS_PUBLIC},
		{"9.255.255.255", MF_ADDRESS_PUBLIC},
		{"10.0.0.0", MF_ADDRESS_PRIVATE}, {"10.255.255.255", MF_ADDRESS_PRIVATE},
		{"11.0.0.0", MF_ADDRESS_PUBLIC},
		{"100.63.255.255", MF_ADDRESS_PUBLIC},
		{"100.64.0.0", MF_ADDRESS_PRIVATE},
		{"100.127.255.255", MF_ADDRESS_PRIVATE},
		{"100.128.0.0", MF_ADDRESS_PUBLIC},
		{"126.255.255.255", MF_ADDRESS_PUBLIC},
		{"127.0.0.1", MF_ADDRESS_PRIVATE},
		{"127.255.255.255", MF_ADDRESS_PRIVATE},
		{"128.0.0.0", MF_ADDRESS_PUBLIC},
		{"169.253.255.255", MF_ADDRESS_PUBLIC},
		{"169.254.0.0", MF_ADDRESS_PRIVATE},
		{"169.254.255.255", MF_ADDRESS_PRIVATE},
		{"169.255.0.0", MF_ADDRESS_PUBLIC},
		{"172.15.255.255", MF_ADDRESS_PUBLIC},
		{"172.16.0.0", MF_ADDRESS_PRIVATE},
		{"172.31.255.255", MF_ADDRESS_PRIVATE},
		{"172.32.0.0", MF_ADDRESS_PUBLIC},
		{"192.0.0.0", MF_ADDRESS_PRIVATE}, {"192.0.0.255", MF_ADDRESS_PRIVATE},
		{"192.0.1.0", MF_ADDRESS_PUBLIC},
		{"192.0.2.0", MF_ADDRESS_PRIVATE}, {"192.0.2.255", MF_ADDRESS_PRIVATE},
		{"192.0.3.0", MF_ADDRESS_PUBLIC},
		{"192.88.98.255", MF_ADDRESS_PUBLIC},
		{"192.88.99.0", MF_ADDRESS_PRIVATE},
		{"192.88.100.0", MF_ADDRESS_PUBLIC},
		{"192.167.255.255", MF_ADDRESS_PUBLIC},
		{"192.168.0.0", MF_ADDRESS_PRIVATE},
		{"192.168.255.255", MF_ADDRESS_PRIVATE},
		{"192.169.0.0", MF_ADDRESS_PUBLIC},
		{"198.17.255.255", MF_ADDRESS_PUBLIC},
		{"198.18.0.0", MF_ADDRESS_PRIVATE},
		{"198.19.255.255", MF_ADDRESS_PRIVATE},
		{"198.20.0.0", MF_ADDRESS_PUBLIC},
		{"198.51.100.7", MF_ADDRESS_PRIVATE},
		{"198.51.101.0", MF_ADDRESS_PUBLIC},
		{"203.0.113.255", MF_ADDRESS_PRIVATE},
		{"203.0.114.0", MF_ADDRESS_PUBLIC},
		{"223.255.255.255", MF_ADDRESS_PUBLIC},
		{"224.0.0.0", MF_ADDRESS_PRIVATE},
		{"239.255.255.255", MF_ADDRESS_PRIVATE},
		{"240.0.0.0", MF_ADDRESS_PRIVATE},
		{"255.255.255.255", MF_ADDRESS_PRIVATE},
		{"8.8.8.8", MF_ADDRESS_PUBLIC},
		{"::", MF_ADDRESS_PRIVATE}, {"::1", MF_ADDRESS_PRIVATE},
		{"::8.8.8.8", MF_ADDRESS_PRIVATE},
		{"::ffff:8.8.8.8", MF_ADDRESS_PUBLIC},
		{"::ffff:10.0.0.1", MF_ADDRESS_PRIVATE},
		{"::ffff:7f00:1", MF_ADDRESS_PRIVATE},
		{"::ffff:0:8.8.8.8", MF_ADDRESS_PRIVATE},
		{"64:ff9b::8.8.8.8", MF_ADDRESS_PRIVATE},
		{"64:ff9b:1::1", MF_ADDRESS_PRIVATE},
		{"100::1", MF_ADDRESS_PRIVATE},
		{"1fff:ffff::", MF_ADDRESS_PRIVATE},
		{"2000::1", MF_ADDRESS_PUBLIC},
		{"2001::1", MF_ADDRESS_PRIVATE}, {"2001:1ff::", MF_ADDRESS_PRIVATE},
		{"2001:200::1", MF_ADDRESS_PUBLIC},
		{"2001:db7:ffff::", MF_ADDRESS_PUBLIC},
		{"2001:db8::1", MF_ADDRESS_PRIVATE},
		{"2001:db9::", MF_ADDRESS_PUBLIC},
		{"2002::1", MF_ADDRESS_PRIVATE}, {"2003::1", MF_ADDRESS_PUBLIC},
		{"2606:2800:220:1::1", MF_ADDRESS_PUBLIC},
		{"3ffe:ffff::", MF_ADDRESS_PUBLIC},
		{"3fff::1", MF_ADDRESS_PRIVATE},
		{"3fff:fff:ffff::", MF_ADDRESS_PRIVATE},
		{"3fff:1000::", MF_ADDRESS_PUBLIC},
		{"4000::1", MF_ADDRESS_PRIVATE}, {"5f00::1", MF_ADDRESS_PRIVATE},
		{"fc00::1", MF_ADDRESS_PRIVATE}, {"fd12:3456::1", MF_ADDRESS_PRIVATE},
		{"fe80::1", MF_ADDRESS_PRIVATE}, {"fec0::1", MF_ADDRESS_PRIVATE},
		{"ff02::1", MF_ADDRESS_PRIVATE},
		/* Metadata, plain and inside something. */
		{"169.254.169.254", MF_ADDRESS_METADATA},
		{"169.254.170.2", MF_ADDRESS_METADATA},
		{"169.254.170.23", MF_ADDRESS_METADATA},
		{"169.254.0.23", MF_ADDRESS_METADATA},
		{"100.100.100.200", MF_ADDRESS_METADATA},
		{"168.63.129.16", MF_ADDRESS_METADATA},
		{"192.0.0.192", MF_ADDRESS_METADATA},
		{"fd00:ec2::254", MF_ADDRESS_METADATA},
		{"fd00:ec2::23", MF_ADDRESS_METADATA},
		{"fd20:ce::254", MF_ADDRESS_METADATA},
		{"fe80::a9fe:a9fe", MF_ADDRESS_METADATA},
		{"::ffff:169.254.169.254", MF_ADDRESS_METADATA},
		{"::169.254.169.254", MF_ADDRESS_METADATA},
		{"::ffff:0:169.254.169.254", MF_ADDRESS_METADATA},
		{"64:ff9b::169.254.169.254", MF_ADDRESS_METADATA},
		{"2002:a9fe:a9fe::1", MF_ADDRESS_METADATA},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		MfAddress	address;

		ok(mf_address_parse(cases[i].address, strlen(cases[i].address),
							&address) &&
		   mf_address_classify(&address) == cases[i].class, "%s is %s",
		   cases[i].address, cases[i].class == MF_ADDRESS_PUBLIC ? "public" :
		   cases[i].class == MF_ADDRESS_PRIVATE ? "private" : "metadata");
	}
}

static bool
allowed(const char *address, const char *host, const char *by_server,
		const char *by_endpoint)
{
	MfAllowList server;
	MfAllowList endpoint;
	MfAddress	parsed;
	bool		answer;

	if (!mf_allow_parse(text(by_server), &server) ||
		!mf_allow_parse(text(by_endpoint), &endpoint) ||
		!mf_address_parse(address, strlen(address), &parsed))
		abort();
	answer = mf_address_allowed(&parsed, host, &server, &endpoint);
	mf_allow_free(&server);
	mf_allow_free(&endpoint);
	return answer;
}

/* The same list on both sides. */
static bool
listed(const char *address, const char *host, const char *list)
{
	if (allowed(address, host, list, "") || allowed(address, host, "", list))
		printf("# one list was enough: %s\n", list);
	return allowed(address, host, list, list);
}

static void
test_lists(void)
{
	ok(allowed("8.8.8.8", "x", "", ""), "public addresses need no list");
	ok(!allowed("10.1.2.3", "x", "", ""), "private ones do");
	ok(!allowed("10.1.2.3", "x", "10.0.0.0/8\n", ""), "not the server's alone");
	ok(!allowed("10.1.2.3", "x", "", "10.0.0.0/8\n"),
	   "nor the endpoint's alone");
	ok(allowed("10.1.2.3", "x", "10.0.0.0/8\n", "x\n"),
	   "both, each in its own way");
	ok(listed("10.1.2.3", "x", "10.1.2.3\n"), "by address");
	ok(listed("10.1.2.3", "x", "10.1.2.3/32\n"), "by its network of one");
	ok(listed("10.1.2.3", "x", "10.1.2.9/28\n"), "by network, with more bits");
	ok(!listed("10.1.2.3", "x", "10.1.2.16/28\n"), "not by another");
	ok(listed("10.1.2.3", "x", "0.0.0.0/0\n"), "by all there are");
	ok(listed("10.1.2.3", "Crm.lan", "crm.LAN\n"), "by host");
	ok(!listed("10.1.2.3", "a.crm.lan", "crm.lan\n"), "not by its domain");
	ok(!listed("10.1.2.3", "crm.lan.", "crm.lan\n"),
	   "nor where it is spelled otherwise");
	ok(listed("10.1.2.3", "x", "y\n\n  10.0.0.0/8  \nz"), "among others");
	ok(listed("fd12::1", "x", "fd00::/8\n"), "IPv6, by network");
	ok(listed("fd12::1", "x", "[fd12::1]\n"), "in brackets");
	ok(!listed("fd12::1", "x", "0.0.0.0/0\n"), "not by IPv4 networks");
	ok(!listed("10.1.2.3", "x", "::/0\n"), "nor the other way round");
	ok(listed("::ffff:10.1.2.3", "x", "10.0.0.0/8\n"),
	   "a mapped address is what it maps");
	ok(listed("10.1.2.3", "x", "::ffff:10.0.0.0/104\n"),
	   "in a list as well");
	ok(!listed("10.1.2.3", "x", "::ffff:0.0.0.0/95\n"),
	   "but not wider than that");
	ok(listed("64:ff9b::8.8.8.8", "x", "64:ff9b::/96\n"),
	   "a translated address by its network");
	ok(!listed("10.1.2.3", "x", "10.0.0.0/33\n") &&
	   !listed("10.1.2.3", "x", "10.0.0.0/\n") &&
	   !listed("10.1.2.3", "x", "10.0.0.0/8x\n") &&
	   !listed("10.1.2.3", "x", "10.0.0.0/-1\n") &&
	   !listed("10.1.2.3", "x", "10.0.0.0/0008\n") &&
	   !listed("10.1.2.3", "x", "10/8\n") &&
	   !listed("10.1.2.3", "x", "10.1.2\n") &&
	   !listed("10.1.2.3", "x", "/8\n") && !listed("10.1.2.3", "x", "*\n"),
	   "what is no network allows nothing");

	ok(!listed("169.254.169.254", "x", "169.254.0.0/16\n") &&
	   !listed("169.254.169.254", "x", "169.254.169.254/31\n") &&
	   !listed("169.254.169.254", "x", "0.0.0.0/0\n"),
	   "metadata is not allowed by a network");
	ok(listed("169.254.169.254", "x", "169.254.169.254\n") &&
	   listed("169.254.169.254", "x", "169.254.169.254/32\n"),
	   "but by its address");
	ok(!listed("169.254.169.254", "meta", "meta\n") &&
	   !allowed("169.254.169.254", "meta", "169.254.169.254\n", "meta\n") &&
	   !allowed("169.254.169.254", "meta", "meta\n", "169.254.169.254\n"),
	   "not by the host");
	ok(listed("169.254.169.254", "meta", "meta\n169.254.169.254\n"),
	   "where both are named, by the address");
	ok(!allowed("169.254.169.254", "x", "169.254.169.254\n",
				"169.254.0.0/16\n"), "in both lists");
	ok(!listed("168.63.129.16", "x", "168.0.0.0/8\n") &&
	   !allowed("168.63.129.16", "x", "", ""),
	   "also where it looks public");
	ok(!listed("fd00:ec2::254", "x", "fd00::/8\n") &&
	   listed("fd00:ec2::254", "x", "fd00:ec2::254/128\n"), "also in IPv6");
	ok(listed("169.254.1.1", "x", "169.254.0.0/16\n"),
	   "other link-local addresses are only private");
}

static void
test_routes(void)
{
	static const struct
	{
		const char *url;
		const char *address;	/* NULL: refused; "": a name */
	}			cases[] = {
		{"http://127.0.0.1/", "127.0.0.1"},
		{"http://2130706433/", "127.0.0.1"},
		{"http://0x7f.1/", "127.0.0.1"},
		{"http://0x7f000001", "127.0.0.1"},
		{"http://127.1:80/", "127.0.0.1"},
		{"http://017700000001/", "127.0.0.1"},
		{"http://0177.0.0.1/", "127.0.0.1"},
		{"http://0/", "0.0.0.0"},
		{"http://%31%32%37.0.0.1/", "127.0.0.1"},
		{"http://[::1]:8080/x", "::1"},
		{"http://[::ffff:7f00:1]/", "127.0.0.1"},
		{"http://[::ffff:127.0.0.1]/", "127.0.0.1"},
		{"https://example.org/x?y#z", ""},
		{"HTTPS://Example.org", ""},
		{"http://localhost/", ""},
		{"http://1.2.3.4.5/", ""},
		{"http://user@127.0.0.1/", NULL},
		{"http://user:secret@example.org/", NULL},
		{"http://example.org@127.0.0.1/", NULL},
		{"http://[fe80::1%25eth0]/", NULL},
		{"http://[::1/", NULL},
		{"ftp://example.org/", NULL},
		{"file:///etc/passwd", NULL},
		{"gopher://example.org/", NULL},
		{"example.org", NULL},
		{"http://", NULL},
		{"http:///x", ""},
		{"http://a b/", NULL},
		{"http://x:70000/", NULL},
		{"http://\xe2\x91\xa0.0.0.1/", NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		MfRoute		route;
		char		error[MF_SENDER_ERROR + 1] = "";
		char		address[MF_ADDRESS_TEXT] = "";
		bool		good = mf_route_parse(cases[i].url, &route, error);

		if (good && route.literal)
			mf_address_print(&route.address, address);
		ok(cases[i].address == NULL ? !good && error[0] != '\0' :
		   good && strcmp(address, cases[i].address) == 0,
		   "%s is %s", cases[i].url, cases[i].address == NULL ? "refused" :
		   cases[i].address[0] == '\0' ? "a name" : cases[i].address);
		if (cases[i].address == NULL ? good :
			strcmp(address, cases[i].address) != 0)
			printf("# %s %s %s\n", address, error, route.url);
		mf_route_free(&route);
	}
}

static void
test_origins(void)
{
	static const struct
	{
		const char *a;
		const char *b;
		bool		same;
	}			cases[] = {
		{"https://a/x", "https://A:443/y", true},
		{"http://a/", "https://a/", true},
		{"https://a/", "http://a/", false},
		{"http://a:8080/", "https://a/", false},
		{"http://a/", "http://a:81/", false},
		{"http://a/", "http://b/", false},
		{"http://a/", "http://a.b/", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		MfRoute		a;
		MfRoute		b;
		char		error[MF_SENDER_ERROR + 1];

		if (!mf_route_parse(cases[i].a, &a, error) ||
			!mf_route_parse(cases[i].b, &b, error))
			abort();
		ok(mf_route_same_origin(&a, &b) == cases[i].same, "%s and %s: %s",
		   cases[i].a, cases[i].b, cases[i].same ? "same" : "not the same");
		mf_route_free(&a);
		mf_route_free(&b);
	}
}

/* Whatever a list or a URL is, nothing private is reached by accident. */
static void
test_random(void)
{
	static const char alphabet[] = "0123456789abcdefx.:/[]%@\n -";
	unsigned long state = 4711;
	int			through = 0;
	int			parsed = 0;

	for (int i = 0; i < 200000; i++)
	{
		char		list[40];
		size_t		length = next_random(&state) % (sizeof(list) - 1);
		MfAllowList parsed_list;
		MfBytes		bytes = {list, length};

		for (size_t j = 0; j < length; j++)
			list[j] = alphabet[next_random(&state) % (sizeof(alphabet) - 1)];
		list[length] = '\0';
		if (!mf_allow_parse(bytes, &parsed_list))
			abort();
		for (size_t j = 0; j < parsed_list.count; j++)
		{
			const MfAllowEntry *entry = &parsed_list.entries[j];
			const int	bits = entry->network.family == AF_INET ? 32 : 128;

			if (entry->host == NULL &&
				(entry->prefix < 0 || entry->prefix > bits))
				abort();
		}
		if (allowed("169.254.169.254", "m", list, list))
			through++;
		mf_allow_free(&parsed_list);
	}
	ok(through == 0, "no random list allows metadata");
	for (int i = 0; i < 100000; i++)
	{
		char		url[48] = "http://";
		size_t		length = 1 + next_random(&state) % 30;
		MfRoute		route;
		char		error[MF_SENDER_ERROR + 1];

		for (size_t j = 0; j < length; j++)
			url[7 + j] = alphabet[next_random(&state) % (sizeof(alphabet) - 1)];
		url[7 + length] = '\0';
		if (!mf_route_parse(url, &route, error))
			continue;
		parsed++;
		if (route.host == NULL || route.host[0] == '\0' ||
			strchr(route.host, '/') != NULL || strchr(route.host, '@') != NULL)
			abort();
		mf_route_free(&route);
	}
	ok(parsed > 0, "random URLs are refused or have a host: %d", parsed);
}

int
main(void)
{
	test_classes();
	test_lists();
	test_routes();
	test_origins();
	test_random();
	return done_testing();
}
