#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "segmentd/clock.h"
#include "segmentd/ops.h"

struct fixture {
	struct metrics *metrics;
	struct health *health;
	struct ops_http *http;
	int redis;
	char answer[1 << 20];
};

static int
setup(void **state)
{
	struct fixture *fix = calloc(1, sizeof(*fix));
	struct sg_fault why = {0};

	assert_non_null(fix);
	assert_int_equal(metrics_create(&fix->metrics), SG_OK);
	assert_int_equal(health_create(&fix->health), SG_OK);
	fix->redis = health_add(fix->health, "redis");
	if (ops_http_open("127.0.0.1:0", fix->metrics, fix->health, &fix->http,
		    &why) != SG_OK)
		fail_msg("%s", why.text);
	*state = fix;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *fix = *state;

	ops_http_close(fix->http);
	health_destroy(fix->health);
	metrics_destroy(fix->metrics);
	free(fix);
	return 0;
}

static int
dial(uint16_t port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	const struct timeval patience = {.tv_sec = 20};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	addr.sin_port = htons(port);
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
				 sizeof(patience)),
		0);
	assert_int_equal(
		connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

/* Send the request as it is, and read to the end: every request of these
 * tests asks the server to close, or is one after which it does. */
static const char *
ask(struct fixture *fix, const char *request)
{
	int fd = dial(ops_http_port(fix->http));
	size_t len = 0;
	ssize_t got = 0;

	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL),
		(ssize_t)strlen(request));
	while (len < sizeof(fix->answer) - 1) {
		got = recv(fd, fix->answer + len, sizeof(fix->answer) - 1 - len,
			0);
		if (got <= 0)
			break;
		len += (size_t)got;
	}
	assert_int_equal(close(fd), 0);
	fix->answer[len] = '\0';
	return fix->answer;
}

static const char *
get(struct fixture *fix, const char *path)
{
	char request[512];

	(void)snprintf(request, sizeof(request),
		"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		path);
	return ask(fix, request);
}

static int
status_of(const char *answer)
{
	if (strncmp(answer, "HTTP/1.1 ", 9) != 0)
		return 0;
	return (int)strtol(answer + 9, NULL, 10);
}

static const char *
body_of(const char *answer)
{
	const char *end = strstr(answer, "\r\n\r\n");

	return end != NULL ? end + 4 : "";
}

static void
livez_fails_when_a_worker_shows_no_sign_of_life(void **state)
{
	struct fixture *fix = *state;
	int worker = health_add(fix->health, "worker-0");
	const char *answer = get(fix, "/livez");

	assert_int_equal(status_of(answer), 200);
	assert_string_equal(body_of(answer), "alive\n");

	health_beat(fix->health, worker, clock_mono_us());
	assert_int_equal(status_of(get(fix, "/livez")), 200);

	health_beat(fix->health, worker, clock_mono_us() - 31000000);
	answer = get(fix, "/livez");
	assert_int_equal(status_of(answer), 503);
	assert_non_null(
		strstr(body_of(answer), "worker-0: no sign of life for 3"));
}

static void
readyz_follows_the_conditions(void **state)
{
	struct fixture *fix = *state;
	const char *answer = get(fix, "/readyz");

	assert_int_equal(status_of(answer), 503);
	assert_string_equal(body_of(answer), "[-]redis not yet\nnot ready\n");

	health_set(fix->health, fix->redis, true, "127.0.0.1:6379");
	answer = get(fix, "/readyz");
	assert_int_equal(status_of(answer), 200);
	assert_string_equal(body_of(answer), "ready\n");

	static const char *const verbose[] = {
		"/readyz?verbose", "/readyz?verbose=1", "/readyz?a=b&verbose"};

	for (size_t i = 0; i < SG_COUNTOF(verbose); i++) {
		answer = get(fix, verbose[i]);
		assert_int_equal(status_of(answer), 200);
		assert_string_equal(
			body_of(answer), "[+]redis: 127.0.0.1:6379\nready\n");
	}
	assert_string_equal(body_of(get(fix, "/readyz?verb")), "ready\n");
}

static void
metrics_are_text_that_promtool_accepts(void **state)
{
	struct fixture *fix = *state;
	const char *answer;
	FILE *promtool;

	metric_add(metrics_get(fix->metrics, METRIC_TAKEOVERS, ""), 2);
	answer = get(fix, "/metrics");
	assert_int_equal(status_of(answer), 200);
	assert_non_null(strstr(answer,
		"Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
	assert_non_null(strstr(answer, "\nsegmentd_takeovers_total 2\n"));
	assert_non_null(strstr(answer, "\nsegmentd_ready 0\n"));
	assert_non_null(strstr(answer,
		"\nsegmentd_build_info{version=\"" SEGMENTD_VERSION "\"} 1\n"));
	assert_non_null(strstr(answer, "\nprocess_cpu_seconds_total "));
	assert_non_null(strstr(answer, "\nprocess_resident_memory_bytes "));
	assert_non_null(strstr(answer, "\nprocess_start_time_seconds "));

	health_set(fix->health, fix->redis, true, NULL);
	answer = get(fix, "/metrics");
	assert_non_null(strstr(answer, "\nsegmentd_ready 1\n"));

	if (system("command -v promtool >/dev/null 2>&1") != 0) {
		print_message("SKIPPED: promtool is missing; "
			      "apt-get install prometheus\n");
		skip();
	}
	promtool = popen("promtool check metrics", "w");
	assert_non_null(promtool);
	assert_true(fputs(body_of(answer), promtool) >= 0);
	assert_int_equal(pclose(promtool), 0);
}

static void
status_fits_method_and_path(void **state)
{
	static const struct {
		const char *name, *request;
		int status;
		const char *has;
	} rows[] = {
		{"index", "GET / HTTP/1.1\r\nHost: x\r\n", 200,
			"Content-Type: text/html; charset=utf-8\r\n"},
		{"index links", "GET / HTTP/1.1\r\nHost: x\r\n", 200,
			"href=\"/metrics\""},
		{"not cached", "GET /livez HTTP/1.1\r\nHost: x\r\n", 200,
			"Cache-Control: no-store\r\n"},
		{"unknown path", "GET /nope HTTP/1.1\r\nHost: x\r\n", 404,
			"not found"},
		{"path below a path", "GET /livez/ HTTP/1.1\r\nHost: x\r\n",
			404, "not found"},
		{"dots", "GET /../metrics HTTP/1.1\r\nHost: x\r\n", 404, ""},
		{"POST", "POST /metrics HTTP/1.1\r\nHost: x\r\n", 405,
			"Allow: GET, HEAD\r\n"},
		{"POST with a body",
			"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n",
			405, "Allow: GET, HEAD\r\n"},
		{"DELETE", "DELETE /livez HTTP/1.1\r\nHost: x\r\n", 405,
			"Allow: GET, HEAD\r\n"},
		{"POST to nowhere", "POST /nope HTTP/1.1\r\nHost: x\r\n", 404,
			""},
		{"GET with a body",
			"GET /livez HTTP/1.1\r\nHost: x\r\n"
			"Content-Length: 3\r\n",
			200, "alive\n"},
	};
	struct fixture *fix = *state;
	char request[512];

	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		(void)snprintf(request, sizeof(request),
			"%sConnection: close\r\n\r\n%s", rows[i].request,
			strstr(rows[i].request, "Length") != NULL ? "abc" : "");

		const char *answer = ask(fix, request);

		if (status_of(answer) != rows[i].status ||
			strstr(answer, rows[i].has) == NULL)
			fail_msg("%s: %s", rows[i].name, answer);
	}
}

static void
head_is_get_without_the_body(void **state)
{
	struct fixture *fix = *state;
	const char *answer = ask(fix, "HEAD /livez HTTP/1.1\r\nHost: x\r\n"
				      "Connection: close\r\n\r\n");

	assert_int_equal(status_of(answer), 200);
	assert_non_null(strstr(answer, "Content-Length: 6\r\n"));
	assert_string_equal(body_of(answer), "");
}

/* Whether it answers or just closes is up to the library's version. */
static void
nonsense_is_refused_and_harms_nobody(void **state)
{
	struct fixture *fix = *state;
	char *endless = malloc(40000);

	assert_non_null(endless);
	memset(endless, 'x', 39999);
	endless[39999] = '\0';
	memcpy(endless, "GET /", 5);

	const char *const rows[] = {endless, "nonsense\r\n\r\n",
		"GET / SPDY/9\r\n\r\n", "\r\n\r\n\r\nGET\r\n\r\n",
		"GET / HTTP/1.1\r\nHost\r\n: x\r\n"
		"Content-Length: -1\r\nConnection: close\r\n\r\n"};

	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		int status = status_of(ask(fix, rows[i]));

		if (status != 0 && status < 400)
			fail_msg("row %zu: %d", i, status);
		assert_int_equal(status_of(get(fix, "/livez")), 200);
	}
	free(endless);
}

static void
idle_clients_do_not_keep_others_out(void **state)
{
	struct fixture *fix = *state;
	int fds[20];

	for (size_t i = 0; i < SG_COUNTOF(fds); i++) {
		fds[i] = dial(ops_http_port(fix->http));
		assert_int_equal(send(fds[i], "GET", 3, MSG_NOSIGNAL), 3);
	}
	assert_int_equal(status_of(get(fix, "/livez")), 200);
	for (size_t i = 0; i < SG_COUNTOF(fds); i++)
		assert_int_equal(close(fds[i]), 0);
}

static void *
wait_for_usr1(void *arg)
{
	const sigset_t *set = arg;
	int signal = 0;

	(void)sigwait(set, &signal);
	return signal == SIGUSR1 ? arg : NULL;
}

/* A signal to the process goes to a thread that does not block it. Everybody
 * here does, and a listener that did not would be ended by it. */
static void
listener_takes_no_signals(void **state)
{
	struct metrics *metrics = NULL;
	struct health *health = NULL;
	struct ops_http *http = NULL;
	struct sg_fault why;
	pthread_t waiter;
	void *got = NULL;
	sigset_t set;

	(void)state;
	assert_int_equal(metrics_create(&metrics), SG_OK);
	assert_int_equal(health_create(&health), SG_OK);
	assert_int_equal(
		ops_http_open("127.0.0.1:0", metrics, health, &http, &why),
		SG_OK);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGUSR1);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
	assert_int_equal(pthread_create(&waiter, NULL, wait_for_usr1, &set), 0);
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	assert_int_equal(pthread_join(waiter, &got), 0);
	assert_ptr_equal(got, &set);
	(void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	ops_http_close(http);
	health_destroy(health);
	metrics_destroy(metrics);
}

static void
bad_addresses_are_refused_with_what_was_given(void **state)
{
	static const char *const rows[] = {"", "9464", "127.0.0.1", ":9464",
		"127.0.0.1:", "127.0.0.1:x", "127.0.0.1:-1", "127.0.0.1: 1",
		"127.0.0.1:65536", "127.0.0.1:100000", "::1:9464", "[]:9464",
		"[::1]", "[::1:9464", "256.0.0.1:0", "no such host.:0"};
	struct fixture *fix = *state;

	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct ops_http *http = NULL;
		struct sg_fault why = {0};
		enum sg_err err = ops_http_open(
			rows[i], fix->metrics, fix->health, &http, &why);

		if (err != SG_BAD_OPTION || http != NULL)
			fail_msg("\"%s\": %s", rows[i], sg_err_name(err));
		assert_non_null(strstr(why.text, rows[i]));
	}
}

static void
address_in_use_is_named(void **state)
{
	struct fixture *fix = *state;
	struct ops_http *http = NULL;
	struct sg_fault why = {0};
	char address[32];

	(void)snprintf(address, sizeof(address), "127.0.0.1:%u",
		ops_http_port(fix->http));
	assert_int_equal(
		ops_http_open(address, fix->metrics, fix->health, &http, &why),
		SG_IO);
	assert_null(http);
	assert_non_null(strstr(why.text, address));
	assert_non_null(strstr(why.text, "in use"));
}

static void
port_is_free_again_after_close(void **state)
{
	struct fixture *fix = *state;
	struct sg_fault why = {0};
	char address[32];

	assert_int_equal(status_of(get(fix, "/livez")), 200);
	(void)snprintf(address, sizeof(address), "127.0.0.1:%u",
		ops_http_port(fix->http));
	ops_http_close(fix->http);
	fix->http = NULL;
	if (ops_http_open(address, fix->metrics, fix->health, &fix->http,
		    &why) != SG_OK)
		fail_msg("%s", why.text);
	assert_int_equal(status_of(get(fix, "/livez")), 200);
	ops_http_close(NULL);
}

static void
listens_on_ipv6(void **state)
{
	struct sockaddr_in6 addr = {
		.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct fixture *fix = *state;
	struct sg_fault why = {0};
	char byte = 0;
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
		print_message("SKIPPED: no IPv6 loopback here\n");
		if (fd >= 0)
			(void)close(fd);
		skip();
	}
	(void)close(fd);
	ops_http_close(fix->http);
	fix->http = NULL;
	assert_int_equal(ops_http_open("[::1]:0", fix->metrics, fix->health,
				 &fix->http, &why),
		SG_OK);
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	addr.sin6_port = htons(ops_http_port(fix->http));
	assert_int_equal(
		connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(
		send(fd, "GET / HTTP/1.0\r\n\r\n", 18, MSG_NOSIGNAL), 18);
	assert_int_equal(recv(fd, &byte, 1, 0), 1);
	assert_int_equal(byte, 'H');
	assert_int_equal(close(fd), 0);
}

#define HTTP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		HTTP_TEST(livez_fails_when_a_worker_shows_no_sign_of_life),
		HTTP_TEST(readyz_follows_the_conditions),
		HTTP_TEST(metrics_are_text_that_promtool_accepts),
		HTTP_TEST(status_fits_method_and_path),
		HTTP_TEST(head_is_get_without_the_body),
		HTTP_TEST(nonsense_is_refused_and_harms_nobody),
		HTTP_TEST(idle_clients_do_not_keep_others_out),
		HTTP_TEST(bad_addresses_are_refused_with_what_was_given),
		HTTP_TEST(address_in_use_is_named),
		HTTP_TEST(port_is_free_again_after_close),
		HTTP_TEST(listens_on_ipv6),
		cmocka_unit_test(listener_takes_no_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
