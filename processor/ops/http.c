/*
 * http.c - what a probe, Prometheus and a person with a browser may ask.
 *
 * libmicrohttpd runs one thread, which polls every connection; an answer is
 * built whole in a buffer and handed over. Nothing here waits for a worker:
 * the registry is read without its lock, and the lock of the conditions is
 * held for copies of a line. So a probe gets an answer however busy the
 * workers are, and a slow or hostile client holds up only itself:
 *
 *     connections  at most 32, closed after 10 s without a byte
 *     a request    at most 16 KiB of headers; a body is refused unread
 *     an answer    at most 4 MiB
 *
 * The answer to a known path never depends on anything but the path and
 * ?verbose, and nothing can be changed from here: no cookies, no host names,
 * no state.
 */
#include <microhttpd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "segmentd/clock.h"
#include "segmentd/ops.h"

#include "listen.h"
#include "series.h"

#define CONNECTIONS_MAX 32
#define IDLE_S 10
#define CONNECTION_BYTES (16 * 1024)
#define ANSWER_BYTES ((size_t)4 << 20)

struct ops_http {
	struct MHD_Daemon *daemon;
	struct metrics *metrics;
	struct health *health;
	struct metric *ready;
	int64_t started_ms;
	uint16_t port;
};

/* What is asked, and what to say. */
struct answer {
	struct ops_http *http;
	bool is_verbose;
	unsigned int status;
	const char *type;
	struct buf body;
};

static void
answer_index(struct answer *answer)
{
	answer->type = "text/html; charset=utf-8";
	buf_put_str(&answer->body,
		"<!doctype html>\n<html lang=\"en\"><title>segmentd</title>\n"
		"<h1>segmentd " SEGMENTD_VERSION "</h1>\n<ul>\n"
		"<li><a href=\"/livez\">/livez</a>: is every worker alive?\n"
		"<li><a href=\"/readyz?verbose\">/readyz</a>: is everything "
		"connected?\n"
		"<li><a href=\"/metrics\">/metrics</a>: numbers for "
		"Prometheus\n</ul>\n");
}

static void
answer_livez(struct answer *answer)
{
	struct ops_http *http = answer->http;

	if (health_is_live(http->health, clock_mono_us(), &answer->body))
		buf_put_str(&answer->body, "alive\n");
	else
		answer->status = MHD_HTTP_SERVICE_UNAVAILABLE;
}

static void
answer_readyz(struct answer *answer)
{
	struct ops_http *http = answer->http;
	bool is_ready = health_is_ready(http->health);

	if (!is_ready)
		answer->status = MHD_HTTP_SERVICE_UNAVAILABLE;
	if (answer->is_verbose || !is_ready)
		health_write(http->health, &answer->body);
	buf_put_str(&answer->body, is_ready ? "ready\n" : "not ready\n");
}

static void
answer_metrics(struct answer *answer)
{
	struct ops_http *http = answer->http;

	answer->type = "text/plain; version=0.0.4; charset=utf-8";
	metric_set(http->ready, health_is_ready(http->health) ? 1 : 0);
	metrics_write(http->metrics, &answer->body);
	process_write(http->started_ms, &answer->body);
}

static void
answer_write(struct answer *answer, const char *path, const char *method)
{
	static const struct {
		const char *path;
		void (*write)(struct answer *answer);
	} routes[] = {
		{"/", answer_index},
		{"/livez", answer_livez},
		{"/readyz", answer_readyz},
		{"/metrics", answer_metrics},
	};

	for (size_t i = 0; i < SG_COUNTOF(routes); i++) {
		if (strcmp(routes[i].path, path) != 0)
			continue;
		if (strcmp(method, MHD_HTTP_METHOD_GET) == 0 ||
			strcmp(method, MHD_HTTP_METHOD_HEAD) == 0) {
			routes[i].write(answer);
			return;
		}
		answer->status = MHD_HTTP_METHOD_NOT_ALLOWED;
		buf_put_str(&answer->body, "only GET and HEAD\n");
		return;
	}
	answer->status = MHD_HTTP_NOT_FOUND;
	buf_put_str(&answer->body, "not found: see /\n");
}

static enum MHD_Result
answer_send(struct answer *answer, struct MHD_Connection *conn)
{
	struct MHD_Response *response;
	enum MHD_Result done = MHD_NO;

	if (answer->body.is_failed) {
		buf_reset(&answer->body);
		answer->status = MHD_HTTP_INTERNAL_SERVER_ERROR;
		answer->type = "text/plain; charset=utf-8";
	}
	response = MHD_create_response_from_buffer(
		answer->body.len, answer->body.bytes, MHD_RESPMEM_MUST_FREE);
	if (response == NULL)
		return MHD_NO;
	answer->body.bytes = NULL; /* the response owns it now */
	if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
		    answer->type) == MHD_NO ||
		MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
			"no-store") == MHD_NO)
		goto out;
	if (answer->status == MHD_HTTP_METHOD_NOT_ALLOWED &&
		MHD_add_response_header(
			response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD") == MHD_NO)
		goto out;
	done = MHD_queue_response(conn, answer->status, response);
out:
	MHD_destroy_response(response);
	return done;
}

/*
 * Called once when the headers are read, then again for a body, then at the
 * end. Whatever will be refused is refused the first time, before its body;
 * the rest is answered the second time, which keeps the connection usable.
 */
static enum MHD_Result
on_request(void *arg, struct MHD_Connection *conn, const char *path,
	const char *method, const char *version, const char *upload,
	size_t *upload_len, void **seen)
{
	struct answer answer = {.http = arg,
		.status = MHD_HTTP_OK,
		.type = "text/plain; charset=utf-8"};
	bool is_read = strcmp(method, MHD_HTTP_METHOD_GET) == 0 ||
		       strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
	enum MHD_Result done;

	(void)version;
	(void)upload;
	if (*seen == NULL && is_read) {
		*seen = arg;
		return MHD_YES;
	}
	if (*upload_len > 0) { /* a GET with a body: read past it */
		*upload_len = 0;
		return MHD_YES;
	}
	/* A name without `=` has a NULL value: ask for its presence. */
	answer.is_verbose =
		MHD_lookup_connection_value_n(conn, MHD_GET_ARGUMENT_KIND,
			"verbose", 7, NULL, NULL) == MHD_YES;
	buf_init(&answer.body, ANSWER_BYTES);
	answer_write(&answer, path, method);
	done = answer_send(&answer, conn);
	buf_fini(&answer.body);
	return done;
}

/* Start with every signal blocked: the listener's thread inherits that, and
 * signals stay with the thread that waits for them. */
static struct MHD_Daemon *
daemon_start(struct ops_http *http, int fd)
{
	struct MHD_Daemon *daemon;
	sigset_t all;
	sigset_t before;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	daemon = MHD_start_daemon(
		MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL,
		on_request, http, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)IDLE_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
		MHD_OPTION_END);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return daemon;
}

enum sg_err
ops_http_open(const char *listen, struct metrics *metrics,
	struct health *health, struct ops_http **ret_http, struct sg_fault *why)
{
	struct ops_http *http = calloc(1, sizeof(*http));
	enum sg_err err;
	int fd = -1;

	if (http == NULL)
		return sg_fault_set(why, SG_NOMEM, "no memory for HTTP");
	http->metrics = metrics;
	http->health = health;
	http->ready = metrics_get(metrics, METRIC_READY, "");
	http->started_ms = clock_now_ms();
	metric_set(metrics_get(metrics, METRIC_BUILD_INFO,
			   "version=\"" SEGMENTD_VERSION "\""),
		1);
	err = listen_open(listen, &fd, &http->port, why);
	if (err != SG_OK)
		goto out;
	http->daemon = daemon_start(http, fd);
	if (http->daemon == NULL) {
		/* Whether a daemon that did not start has closed its socket
		 * differs between versions. Leaking it is the safe guess. */
		err = sg_fault_set(why, SG_IO,
			"cannot start the HTTP listener on %s", listen);
		goto out;
	}
	*ret_http = http;
	http = NULL; /* and the caller owns this */
out:
	free(http);
	return err;
}

uint16_t
ops_http_port(const struct ops_http *http)
{
	return http->port;
}

void
ops_http_close(struct ops_http *http)
{
	if (http == NULL)
		return;
	MHD_stop_daemon(http->daemon); /* closes the socket as well */
	free(http);
}
