/*
 * test_tls.c
 *		TLS and HTTP/2, with a real nginx.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "certificates.h"
#include "harness.h"

#include "frame/tap.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOUR	3600L

/* The servers that nginx is. */
enum
{
	GOOD, EXPIRED, OTHER_NAME, SELF_SIGNED, CLIENTS, OLD, PLAIN, SERVERS
};

static Server names;
static char folder[] = "/tmp/mesflow-tls-XXXXXX";
static int	ports[SERVERS];
static int	full;				/* takes no connection */
static int	full_port;
static pid_t nginx;
static Certificate ca;
static Certificate other_ca;
static Certificate good;
static Certificate expired;
static Certificate other_name;
static Certificate client;

/* ---- nginx -------------------------------------------------------------- */

static void
write_file(const char *name, const char *content)
{
	char		path[256];
	FILE	   *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	if (file == NULL || fputs(content, file) < 0 || fclose(file) != 0)
		abort();
}

static void
write_certificate(const char *name, const Certificate *certificate)
{
	char		file[64];

	snprintf(file, sizeof(file), "%s.pem", name);
	write_file(file, certificate->pem);
	snprintf(file, sizeof(file), "%s.key", name);
	write_file(file, certificate->key_pem);
}

static int
free_port(void)
{
	struct sockaddr_in here = {.sin_family = AF_INET};
	socklen_t	length = sizeof(here);
	const int	fd = socket(AF_INET, SOCK_STREAM, 0);

	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *) &here, sizeof(here)) != 0 ||
		getsockname(fd, (struct sockaddr *) &here, &length) != 0)
		abort();
	close(fd);
	return ntohs(here.sin_port);
}

/* A socket that listens, and is never looked at; room for so many. */
static int
listen_silently(int room, int *port)
{
	struct sockaddr_in here = {.sin_family = AF_INET};
	socklen_t	length = sizeof(here);
	const int	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *) &here, sizeof(here)) != 0 ||
		listen(fd, room) != 0 ||
		getsockname(fd, (struct sockaddr *) &here, &length) != 0)
		abort();
	*port = ntohs(here.sin_port);
	return fd;
}

static bool
is_open(int port)
{
	struct sockaddr_in there = {.sin_family = AF_INET};
	const int	fd = socket(AF_INET, SOCK_STREAM, 0);
	bool		open;

	there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	there.sin_port = htons((uint16_t) port);
	open = connect(fd, (struct sockaddr *) &there, sizeof(there)) == 0;
	close(fd);
	return open;
}

static void
add_server(FILE *file, int which, const char *certificate, const char *more)
{
	fprintf(file, "server { listen 127.0.0.1:%d ssl http2;\n"
			"ssl_certificate %s/%s.pem; ssl_certificate_key %s/%s.key;\n%s\n"
			"location / { return 200 \"$server_protocol $connection $ssl_client_s_dn\\n\"; }\n"
			"location /down { return 307 http://loop.test:%d/; }\n"
			"location /across { return 307 https://localhost:%d/; }\n"
			"location /stay { return 308 /; }\n"
			"location /stuck { proxy_pass http://127.0.0.1:%d; proxy_request_buffering off; } }\n",
			ports[which], folder, certificate, folder, certificate, more,
			ports[PLAIN], ports[GOOD], full_port);
}

static bool
start_nginx(void)
{
	char		path[256];
	char		more[400];
	FILE	   *file;

	snprintf(path, sizeof(path), "%s/nginx.conf", folder);
	file = fopen(path, "w");
	if (file == NULL)
		abort();
	fprintf(file, "daemon off; master_process off; pid %s/pid; error_log %s/log;\n"
			"events { worker_connections 1000; }\n"
			"http { access_log off; client_body_temp_path %s/a;\n"
			"proxy_temp_path %s/b; fastcgi_temp_path %s/c;\n"
			"uwsgi_temp_path %s/d; scgi_temp_path %s/e;\n", folder, folder,
			folder, folder, folder, folder, folder);
	add_server(file, GOOD, "good", "");
	add_server(file, EXPIRED, "expired", "");
	add_server(file, OTHER_NAME, "other_name", "");
	add_server(file, SELF_SIGNED, "other_ca", "");
	snprintf(more, sizeof(more),
			 "ssl_client_certificate %s/ca.pem; ssl_verify_client on;",
			 folder);
	add_server(file, CLIENTS, "good", more);
	add_server(file, OLD, "good", "ssl_protocols TLSv1.1; "
			   "ssl_ciphers ALL:@SECLEVEL=0;");
	fprintf(file, "server { listen 127.0.0.1:%d; location / { return 200; } } }\n",
			ports[PLAIN]);
	if (fclose(file) != 0)
		abort();
	fflush(NULL);
	nginx = fork();
	if (nginx == 0)
	{
		const int	null = open("/dev/null", O_WRONLY);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(null, 2);
		execl("/usr/sbin/nginx", "nginx", "-c", path, NULL);
		_exit(127);
	}
	for (int i = 0; i < 30000; i++)
	{
		if (waitpid(nginx, NULL, WNOHANG) == nginx)
			return false;
		if (is_open(ports[PLAIN]))
			return true;
		pause_briefly();
	}
	return false;
}

static void
prepare(void)
{
	if (mkdtemp(folder) == NULL)
		abort();
	ca = certificate_make("Test CA", NULL, -HOUR, HOUR);
	other_ca = certificate_make("loop.test", NULL, -HOUR, HOUR);
	good = certificate_make("loop.test", &ca, -HOUR, HOUR);
	expired = certificate_make("loop.test", &ca, -2 * HOUR, -HOUR);
	other_name = certificate_make("other.test", &ca, -HOUR, HOUR);
	client = certificate_make("the-client", &ca, -HOUR, HOUR);
	write_certificate("ca", &ca);
	write_certificate("good", &good);
	write_certificate("expired", &expired);
	write_certificate("other_name", &other_name);
	write_certificate("other_ca", &other_ca);
	for (int i = 0; i < SERVERS; i++)
		ports[i] = free_port();

	/* The kernel takes one more than it has room for. */
	full = listen_silently(0, &full_port);
	if (!is_open(full_port))
		abort();
}

static void
clean_up(void)
{
	char		command[128];

	close(full);
	kill(nginx, SIGKILL);
	waitpid(nginx, NULL, 0);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	if (system(command) != 0)
		printf("# %s stays\n", folder);
	certificate_free(&ca);
	certificate_free(&other_ca);
	certificate_free(&good);
	certificate_free(&expired);
	certificate_free(&other_name);
	certificate_free(&client);
}

/* ---- tests -------------------------------------------------------------- */

static MfTarget
target_for(int which, const char *path)
{
	static char url[200];
	MfTarget	target;

	snprintf(url, sizeof(url), "https://loop.test:%d%s", ports[which], path);
	target = target_of(url);
	target.ca = text(ca.pem);
	return target;
}

static void
test_certificates(void)
{
	MfTarget	target = target_for(GOOD, "/");
	const MfOutcome *outcome;

	outcome = send_one(&target);
	is_outcome(outcome, MF_OUTCOME_ANSWERED, 200, "the right certificate");
	ok(outcome->response_length > 8 &&
	   memcmp(outcome->response, "HTTP/2.0", 8) == 0, "over HTTP/2");
	ok(send_one(&target)->reused, "the connection is used again");

	target.ca = text("");
	is_outcome(send_one(&target), MF_OUTCOME_TLS, 0,
			   "a CA that the system does not know; and an open connection is no way around");
	target = target_for(GOOD, "/");
	target.ca = text(other_ca.pem);
	is_outcome(send_one(&target), MF_OUTCOME_TLS, 0, "another CA");
	target = target_for(EXPIRED, "/");
	is_outcome(send_one(&target), MF_OUTCOME_TLS, 0, "out of date");
	target = target_for(OTHER_NAME, "/");
	is_outcome(send_one(&target), MF_OUTCOME_TLS, 0, "of another host");
	target = target_for(SELF_SIGNED, "/");
	is_outcome(send_one(&target), MF_OUTCOME_TLS, 0, "signed by itself");
	target.ca = text(other_ca.pem);
	is_outcome(send_one(&target), MF_OUTCOME_ANSWERED, 200,
			   "which is right where it is trusted");
	target = target_for(OLD, "/");
	is_outcome(send_one(&target), MF_OUTCOME_TLS, 0, "TLS 1.1");
	target = target_for(PLAIN, "/");
	is_outcome(send_one(&target), MF_OUTCOME_TLS, 0, "no TLS at all");
}

static void
test_clients(void)
{
	MfTarget	target = target_for(CLIENTS, "/");
	const MfOutcome *outcome;
	char	   *locked;
	BIO		   *bio = BIO_new(BIO_s_mem());

	is_outcome(send_one(&target), MF_OUTCOME_ANSWERED, 400,
			   "a server that wants a certificate");
	target.client_cert = text(client.pem);
	target.client_key = text(client.key_pem);
	outcome = send_one(&target);
	is_outcome(outcome, MF_OUTCOME_ANSWERED, 200, "and gets one");
	ok(memmem(outcome->response, outcome->response_length, "CN=the-client",
			  13) != NULL, "knows whose it is");
	target.client_cert = text("");
	target.client_key = text("");
	is_outcome(send_one(&target), MF_OUTCOME_ANSWERED, 400,
			   "the connection is nobody else's");

	target.client_cert = text(client.pem);
	target.client_key = text(good.key_pem);
	is_outcome(send_one(&target), MF_OUTCOME_CONFIG, 0,
			   "a key of another certificate");
	PEM_write_bio_PrivateKey(bio, client.key, EVP_aes_128_cbc(),
							 (const unsigned char *) "secret", 6, NULL, NULL);
	BIO_get_mem_data(bio, &locked);
	BIO_write(bio, "", 1);
	BIO_get_mem_data(bio, &locked);
	target.client_key = text(locked);
	is_outcome(send_one(&target), MF_OUTCOME_CONFIG, 0,
			   "a key with a passphrase");
	BIO_free(bio);
	target.client_key = text("");
	is_outcome(send_one(&target), MF_OUTCOME_CONFIG, 0, "no key");
}

static void
test_redirects(void)
{
	MfTarget	target = target_for(GOOD, "/down");

	target.redirects = 3;
	is_outcome(send_one(&target), MF_OUTCOME_ANSWERED, 307,
			   "no redirect leads out of TLS");
	target = target_for(GOOD, "/stay");
	target.redirects = 3;
	is_outcome(send_one(&target), MF_OUTCOME_ANSWERED, 200,
			   "within it, one does");
	target = target_for(GOOD, "/across");
	target.redirects = 3;
	is_outcome(send_one(&target), MF_OUTCOME_TLS, 0,
			   "to a host whose name is not in the certificate");
}

/* So many at the same time; how many connections they were sent over. */
static unsigned int
send_burst(unsigned int count, unsigned int *answered)
{
	const unsigned int before = outcome_count();
	unsigned int connections = 0;
	uint64_t	first = start_request();
	long		seen_numbers[100];

	for (unsigned int i = 1; i < count; i++)
		start_request();
	work_until(before + count);
	*answered = 0;
	for (uint64_t i = 0; i < count; i++)
	{
		const MfOutcome *outcome = outcome_of(first + i);
		char		response[64];
		long		number;
		unsigned int known = 0;

		snprintf(response, sizeof(response), "%.*s",
				 (int) outcome->response_length, outcome->response);
		*answered += outcome->kind == MF_OUTCOME_ANSWERED &&
			outcome->status == 200;
		number = strtol(strchr(response, ' ') == NULL ? "0" :
						strchr(response, ' '), NULL, 10);
		while (known < connections && seen_numbers[known] != number)
			known++;
		if (known == connections)
			seen_numbers[connections++] = number;
	}
	return connections;
}

static void
test_streams(void)
{
	const MfTarget target = target_for(GOOD, "/");
	unsigned int answered;
	unsigned int connections;

	is_outcome(send_one(&target), MF_OUTCOME_ANSWERED, 200, "a connection");
	connections = send_burst(90, &answered);
	ok(answered == 90, "90 at the same time: %u", answered);
	ok(connections <= 4, "over few connections: %u", connections);
}

/* Did the answer of nginx say that it was asked by this protocol? */
static bool
came_by(const MfOutcome *outcome, const char *protocol)
{
	return outcome->response_length > strlen(protocol) &&
		memcmp(outcome->response, protocol, strlen(protocol)) == 0;
}

/* A peer that takes no more of a body is waited for. */
static void
test_windows(void)
{
	const bool	alone =
	curl_version_info(CURLVERSION_NOW)->version_num < 0x080000;
	MfTarget	target = target_for(GOOD, "/");
	char	   *body = malloc(200001);
	const MfOutcome *outcome;
	unsigned int turns;
	uint64_t	tag;

	memset(body, 'w', 200000);
	body[200000] = '\0';
	outcome = send_one(&target);
	ok(came_by(outcome, "HTTP/2.0"), "a small body goes by HTTP/2");
	tag = start_body(body);
	work_until(outcome_count() + 1);
	is_outcome(outcome_of(tag), MF_OUTCOME_ANSWERED, 200, "a large one");
	ok(came_by(outcome_of(tag), alone ? "HTTP/1.1" : "HTTP/2.0"),
	   "goes the way that libcurl is good at");
	tag = start_request();
	work_until(outcome_count() + 1);
	ok(came_by(outcome_of(tag), "HTTP/2.0") && outcome_of(tag)->reused,
	   "and the next small one over the connection from before");

	target = target_for(GOOD, "/stuck");
	target.timeout_ms = 2000;
	mf_engine_target(engine, &target);
	turns = turn_count();
	tag = start_body(body);
	work_until(outcome_count() + 1);
	turns = turn_count() - turns;
	is_outcome(outcome_of(tag), MF_OUTCOME_TIMEOUT, 0,
			   "one that reads nothing");
	ok(turns < 1000, "is waited for: %u turns", turns);
	free(body);
}

/* Whoever hangs in the handshake does not hold up others. */
static void
test_handshakes(void)
{
	MfTarget	target;
	unsigned int answered;
	int			port;
	const int	silent = listen_silently(100, &port);
	char		url[100];

	/* No connection is left: libcurl does not know yet who has HTTP/2. */
	engine_close();
	engine_open(&names);
	snprintf(url, sizeof(url), "https://loop.test:%d/", port);
	target = target_of(url);
	target.timeout_ms = 1000000;
	target.connect_timeout_ms = 1000000;
	mf_engine_target(engine, &target);
	for (int i = 0; i < 20; i++)
		start_request();
	for (int i = 0; i < 20; i++)
		work_once(10);
	target = target_for(GOOD, "/");
	mf_engine_target(engine, &target);
	(void) send_burst(20, &answered);
	ok(answered == 20, "20 to a server that works: %u", answered);
	ok(mf_engine_under_way(engine) == 20,
	   "while 20 wait for one that does not");
	close(silent);
}

int
main(void)
{
	prepare();
	names_start(&names);
	engine_open(&names);
	if (ok(start_nginx(), "nginx starts"))
	{
		test_certificates();
		test_clients();
		test_redirects();
		test_streams();
		test_windows();
		test_handshakes();
	}
	engine_close();
	server_stop(&names);
	clean_up();
	return done_testing();
}
