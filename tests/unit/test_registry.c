/*
 * The registry's client against an HTTP server of this test, which answers as
 * its table says and counts what it is asked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "segmentd/clock.h"
#include "segmentd/registry.h"

#define WAIT_MS 60000
#define URLS_BYTES 512

struct route {
	const char *method;
	const char *path;
	unsigned status;
	const char *body;
};

/* What the server does; a test sets it before it asks. */
struct server {
	struct MHD_Daemon *daemon;
	uint16_t port;
	pthread_mutex_t mtx;
	/* shared, under mtx */
	struct route routes[8];
	size_t nroutes;
	const char *login; /* NULL: anybody */
	char posted[256];
	_Atomic unsigned nasked;
};

struct fixture {
	struct server server;
	struct registry *reg;
	char urls[URLS_BYTES];
	char folder[64];
	struct sg_fault why;
};

#define LONG_TEXT "\"long\""
#define LONG_ANSWER "{\"schema\":\"\\\"long\\\"\"}"
#define NOT_THERE "{\"error_code\":40403,\"message\":\"Schema not found\"}"

/* --- the server ------------------------------------------------------------
 */

static struct route
find_route(struct server *server, const char *method, const char *url)
{
	struct route found = {method, url, 404, NOT_THERE};

	for (size_t i = 0; i < server->nroutes; i++)
		if (strcmp(server->routes[i].path, url) == 0 &&
			strcmp(server->routes[i].method, method) == 0)
			found = server->routes[i];
	return found;
}

static bool
may_ask(struct MHD_Connection *conn, const struct server *server)
{
	const char *header = MHD_lookup_connection_value(
		conn, MHD_HEADER_KIND, "Authorization");

	return server->login == NULL ||
	       (header != NULL && strcmp(header, server->login) == 0);
}

static enum MHD_Result
on_request(void *ctx, struct MHD_Connection *conn, const char *url,
	const char *method, const char *version, const char *data,
	size_t *data_len, void **state)
{
	static int seen;
	struct server *server = ctx;
	struct route route;
	struct MHD_Response *response;
	enum MHD_Result result;

	(void)version;
	if (*state == NULL) {
		*state = &seen;
		return MHD_YES;
	}
	(void)pthread_mutex_lock(&server->mtx);
	if (*data_len > 0) {
		(void)snprintf(server->posted, sizeof(server->posted), "%.*s",
			(int)*data_len, data);
		*data_len = 0;
		(void)pthread_mutex_unlock(&server->mtx);
		return MHD_YES;
	}
	atomic_fetch_add(&server->nasked, 1);
	route = find_route(server, method, url);
	if (!may_ask(conn, server))
		route = (struct route){method, url, 401, "{}"};
	(void)pthread_mutex_unlock(&server->mtx);
	response = MHD_create_response_from_buffer(strlen(route.body),
		(void *)(uintptr_t)route.body, MHD_RESPMEM_PERSISTENT);
	if (route.status == 301)
		(void)MHD_add_response_header(
			response, "Location", "http://127.0.0.1:1/");
	result = MHD_queue_response(conn, route.status, response);
	MHD_destroy_response(response);
	return result;
}

static void
answer_with(struct fixture *fix, const char *method, const char *path,
	unsigned status, const char *body)
{
	struct server *server = &fix->server;

	(void)pthread_mutex_lock(&server->mtx);
	for (size_t i = 0; i < server->nroutes; i++)
		if (strcmp(server->routes[i].path, path) == 0 &&
			strcmp(server->routes[i].method, method) == 0)
			server->routes[i].path = "";
	assert_true(server->nroutes < SG_COUNTOF(server->routes));
	server->routes[server->nroutes++] =
		(struct route){method, path, status, body};
	(void)pthread_mutex_unlock(&server->mtx);
}

static int
setup(void **state)
{
	struct fixture *fix = calloc(1, sizeof(*fix));
	const union MHD_DaemonInfo *info;

	assert_non_null(fix);
	(void)pthread_mutex_init(&fix->server.mtx, NULL);
	fix->server.daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD,
		0, NULL, NULL, on_request, &fix->server, MHD_OPTION_END);
	assert_non_null(fix->server.daemon);
	info = MHD_get_daemon_info(
		fix->server.daemon, MHD_DAEMON_INFO_BIND_PORT);
	fix->server.port = info->port;
	(void)snprintf(fix->urls, sizeof(fix->urls),
		"http://127.0.0.1:%u/api/v7/", info->port);
	(void)snprintf(
		fix->folder, sizeof(fix->folder), "/tmp/test-registry-XXXXXX");
	assert_non_null(mkdtemp(fix->folder));
	*state = fix;
	return 0;
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static int
teardown(void **state)
{
	struct fixture *fix = *state;

	registry_close(fix->reg);
	MHD_stop_daemon(fix->server.daemon);
	(void)pthread_mutex_destroy(&fix->server.mtx);
	(void)nftw(fix->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(fix);
	return 0;
}

/* --- the client ------------------------------------------------------------
 */

static struct registry_opts
options(const struct fixture *fix)
{
	return (struct registry_opts){.urls = fix->urls,
		.timeout_ms = 5000,
		.unknown_for_ms = 3600000};
}

static void
start(struct fixture *fix, const struct registry_opts *opts)
{
	registry_close(fix->reg);
	fix->reg = NULL;
	if (registry_open(opts, &fix->reg, &fix->why) != SG_OK)
		fail_msg("%s", fix->why.text);
}

static enum sg_err
await_id(struct fixture *fix, int32_t id, int32_t timeout_ms)
{
	struct schema_key key = {.id = id};
	const char *text = NULL;
	size_t len = 0;
	enum sg_err err = registry_await(
		fix->reg, &key, timeout_ms, &text, &len, &fix->why);

	if (err == SG_OK) {
		assert_string_equal(text, LONG_TEXT);
		assert_int_equal(len, strlen(LONG_TEXT));
	}
	return err;
}

/* However often it fails on the way. */
static enum sg_err
await_answer(struct fixture *fix, int32_t id)
{
	int64_t end_us = clock_mono_us() + WAIT_MS * INT64_C(1000);
	enum sg_err err;

	do {
		err = await_id(fix, id, 100);
		if (err == SG_REGISTRY_DOWN)
			clock_sleep_ms(5);
	} while (err == SG_REGISTRY_DOWN && clock_mono_us() < end_us);
	return err;
}

static bool
says(const struct fixture *fix, const char *text)
{
	return strstr(fix->why.text, text) != NULL;
}

/* --- tests ------------------------------------------------------------------
 */

static void
a_schema_is_asked_for_once(void **state)
{
	struct fixture *fix = *state;
	struct registry_opts opts = options(fix);

	answer_with(fix, "GET", "/api/v7/schemas/ids/7", 200, LONG_ANSWER);
	start(fix, &opts);
	assert_int_equal(await_id(fix, 7, WAIT_MS), SG_OK);
	assert_int_equal(await_id(fix, 7, 0), SG_OK);
	assert_int_equal(fix->server.nasked, 1);
}

static void
finding_does_not_wait(void **state)
{
	struct fixture *fix = *state;
	struct registry_opts opts = options(fix);
	struct schema_key key = {.id = 7};
	const char *text = NULL;
	size_t len = 0;

	start(fix, &opts);
	assert_int_equal(registry_find(fix->reg, &key, &text, &len, &fix->why),
		SG_REGISTRY_DOWN);
}

static void
a_guid_is_asked_for_in_its_usual_form(void **state)
{
	struct fixture *fix = *state;
	struct registry_opts opts = options(fix);
	struct schema_key key = {.is_guid = true};
	const char *text = NULL;
	size_t len = 0;

	for (int i = 0; i < SCHEMA_GUID_BYTES; i++)
		key.guid[i] = (uint8_t)(i * 17);
	answer_with(fix, "GET",
		"/api/v7/schemas/guids/00112233-4455-6677-8899-aabbccddeeff",
		200, LONG_ANSWER);
	start(fix, &opts);
	assert_int_equal(
		registry_await(fix->reg, &key, WAIT_MS, &text, &len, &fix->why),
		SG_OK);
	assert_string_equal(text, LONG_TEXT);
}

static void
what_it_does_not_have_is_unknown_for_a_while(void **state)
{
	struct fixture *fix = *state;
	struct registry_opts opts = options(fix);

	opts.folder = fix->folder;
	start(fix, &opts);
	assert_int_equal(await_id(fix, 9, WAIT_MS), SG_UNKNOWN_SCHEMA);
	assert_true(says(fix, "Schema not found"));
	assert_int_equal(await_id(fix, 9, 0), SG_UNKNOWN_SCHEMA);
	assert_int_equal(fix->server.nasked, 1);
	/* Also after a restart. */
	start(fix, &opts);
	assert_int_equal(await_id(fix, 9, 0), SG_UNKNOWN_SCHEMA);
	assert_int_equal(fix->server.nasked, 1);
}

static void
after_that_while_it_is_asked_again(void **state)
{
	struct fixture *fix = *state;
	struct registry_opts opts = options(fix);
	int64_t end_us = clock_mono_us() + WAIT_MS * INT64_C(1000);

	opts.unknown_for_ms = 1;
	start(fix, &opts);
	assert_int_equal(await_id(fix, 9, WAIT_MS), SG_UNKNOWN_SCHEMA);
	answer_with(fix, "GET", "/api/v7/schemas/ids/9", 200, LONG_ANSWER);
	/* The old answer stands until there is a new one. */
	while (await_id(fix, 9, 0) != SG_OK && clock_mono_us() < end_us)
		clock_sleep_ms(2);
	assert_int_equal(await_id(fix, 9, 0), SG_OK);
}

static void
troubles_of_the_server_are_no_answers(void **state)
{
	static const struct {
		const char *name;
		unsigned status;
		const char *body;
		const char *says;
	} rows[] = {
		{"an error", 500, "{\"error_code\":50001,\"message\":\"disk\"}",
			"HTTP status 500: disk"},
		{"too many", 429, "", "429"},
		{"a redirection", 301, "", "redirections are not followed"},
		{"a page of a proxy", 404, "<html>", "prefix"},
		{"no JSON", 200, "<html>", "not JSON"},
		{"something else", 200, "{\"id\":1}", "not JSON with a"},
		{"a bad reference", 200,
			"{\"schema\":\"1\",\"references\":[{}]}", "reference"},
	};
	struct fixture *fix = *state;
	struct registry_opts opts = options(fix);

	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		char text[512] = "";
		int64_t end_us = clock_mono_us() + WAIT_MS * INT64_C(1000);

		fix->server.nroutes = 0;
		answer_with(fix, "GET", "/api/v7/schemas/ids/1", rows[i].status,
			rows[i].body);
		start(fix, &opts);
		while (text[0] == '\0' && clock_mono_us() < end_us) {
			assert_int_equal(
				await_id(fix, 1, 20), SG_REGISTRY_DOWN);
			registry_state(fix->reg, text, sizeof(text));
		}
		if (strstr(text, rows[i].says) == NULL)
			fail_msg("%s: %s", rows[i].name, text);
		/* And when it is well again: */
		answer_with(
			fix, "GET", "/api/v7/schemas/ids/1", 200, LONG_ANSWER);
		assert_int_equal(await_answer(fix, 1), SG_OK);
		registry_state(fix->reg, text, sizeof(text));
		assert_string_equal(text, "");
	}
}

static void
another_kind_of_schema_is_unknown(void **state)
{
	struct fixture *fix = *state;
	struct registry_opts opts = options(fix);

	answer_with(fix, "GET", "/api/v7/schemas/ids/2", 200,
		"{\"schema\":\"syntax = 3\",\"schemaType\":\"PROTOBUF\"}");
	start(fix, &opts);
	assert_int_equal(await_id(fix, 2, WAIT_MS), SG_UNKNOWN_SCHEMA);
	assert_true(says(fix, "PROTOBUF, not Avro"));
}

static void
references_are_resolved(void **state)
{
	struct fixture *fix = *state;
	struct registry_opts opts = options(fix);
	struct schema_key key = {.id = 3};
	const char *text = NULL;
	size_t len = 0;

	/* R uses A and B; both use C, which must be defined once, first. */
	answer_with(fix, "GET", "/api/v7/schemas/ids/3", 200,
		"{\"schema\":\"[\\\"A\\\",\\\"B\\\"]\",\"references\":["
		"{\"name\":\"A\",\"subject\":\"a b\",\"version\":1},"
		"{\"name\":\"B\",\"subject\":\"b\",\"version\":2}]}");
	answer_with(fix, "GET", "/api/v7/subjects/a b/versions/1", 200,
		"{\"schema\":\"{\\\"type\\\":\\\"record\\\",\\\"name\\\":"
		"\\\"A\\\",\\\"fields\\\":[{\\\"name\\\":\\\"c\\\","
		"\\\"type\\\":\\\"C\\\"}]}\",\"references\":["
		"{\"name\":\"C\",\"subject\":\"c\",\"version\":1}]}");
	answer_with(fix, "GET", "/api/v7/subjects/b/versions/2", 200,
		"{\"schema\":\"{\\\"type\\\":\\\"record\\\",\\\"name\\\":"
		"\\\"B\\\",\\\"fields\\\":[{\\\"name\\\":\\\"c\\\","
		"\\\"type\\\":\\\"C\\\"}]}\",\"references\":["
		"{\"name\":\"C\",\"subject\":\"c\",\"version\":1}]}");
	answer_with(fix, "GET", "/api/v7/subjects/c/versions/1", 200,
		"{\"schema\":\"{\\\"type\\\":\\\"fixed\\\",\\\"name\\\":"
		"\\\"C\\\",\\\"size\\\":2}\"}");
	start(fix, &opts);
	assert_int_equal(
		registry_await(fix->reg, &key, WAIT_MS, &text, &len, &fix->why),
		SG_OK);
	assert_string_equal(text,
		"[{\"type\":\"record\",\"name\":\"A\",\"fields\":[{\"name\":"
		"\"c\",\"type\":{\"type\":\"fixed\",\"name\":\"C\",\"size\":2,"
		"\"namespace\":\"\"}}],\"namespace\":\"\"},"
		"{\"type\":\"record\",\"name\":\"B\",\"fields\":[{\"name\":"
		"\"c\",\"type\":\"C\"}],\"namespace\":\"\"}]");
}

static void
the_folder_does_for_a_restart(void **state)
{
	struct fixture *fix = *state;
	struct registry_opts opts = options(fix);

	opts.folder = fix->folder;
	answer_with(fix, "GET", "/api/v7/schemas/ids/7", 200, LONG_ANSWER);
	start(fix, &opts);
	assert_int_equal(await_id(fix, 7, WAIT_MS), SG_OK);
	/* Nobody listens there. */
	opts.urls = "http://127.0.0.1:1";
	start(fix, &opts);
	assert_int_equal(await_id(fix, 7, 0), SG_OK);
	opts.folder = "/proc/nowhere";
	registry_close(fix->reg);
	fix->reg = NULL;
	assert_int_equal(registry_open(&opts, &fix->reg, &fix->why), SG_IO);
	assert_true(says(fix, "registry.cache"));
}

static void
several_urls_are_tried_in_turn(void **state)
{
	struct fixture *fix = *state;
	struct registry_opts opts = options(fix);
	char urls[2 * URLS_BYTES];

	(void)snprintf(urls, sizeof(urls), "http://127.0.0.1:1, %s", fix->urls);
	opts.urls = urls;
	answer_with(fix, "GET", "/api/v7/schemas/ids/7", 200, LONG_ANSWER);
	start(fix, &opts);
	assert_int_equal(await_answer(fix, 7), SG_OK);
}

static void
a_login_is_sent_and_never_shown(void **state)
{
	struct fixture *fix = *state;
	struct registry_opts opts = options(fix);
	char urls[URLS_BYTES];
	char text[512] = "";
	int64_t end_us = clock_mono_us() + WAIT_MS * INT64_C(1000);

	fix->server.login = "Basic YW5uOnNlY3JldA=="; /* ann:secret */
	answer_with(fix, "GET", "/api/v7/schemas/ids/7", 200, LONG_ANSWER);
	(void)snprintf(urls, sizeof(urls),
		"http://ann:secret@127.0.0.1:%u/api/v7", fix->server.port);
	opts.urls = urls;
	start(fix, &opts);
	assert_int_equal(await_id(fix, 7, WAIT_MS), SG_OK);

	opts.urls = fix->urls;
	opts.user = "ann";
	opts.password = "secret";
	start(fix, &opts);
	assert_int_equal(await_id(fix, 7, WAIT_MS), SG_OK);

	opts.password = "hidden";
	start(fix, &opts);
	while (text[0] == '\0' && clock_mono_us() < end_us) {
		assert_int_equal(await_id(fix, 7, 20), SG_REGISTRY_DOWN);
		registry_state(fix->reg, text, sizeof(text));
	}
	assert_non_null(strstr(text, "401"));
	assert_null(strstr(text, "hidden"));
}

static void
urls_that_are_none_are_refused(void **state)
{
	static const char *const rows[] = {"", " , ", "localhost:8081",
		"ftp://host", "http://", "http://u:secret@",
		"http://h/?a=secret"};
	struct fixture *fix = *state;
	struct registry_opts opts = options(fix);

	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		opts.urls = rows[i];
		if (registry_open(&opts, &fix->reg, &fix->why) != SG_BAD_OPTION)
			fail_msg("row %zu: %s", i, rows[i]);
		assert_false(says(fix, "secret"));
	}
}

static enum sg_err
subject(struct fixture *fix, bool may_register, int32_t *ret_id, bool *ret_new)
{
	return registry_subject_id(fix->reg, "t/x-value", LONG_TEXT,
		may_register, ret_id, ret_new, &fix->why);
}

#define SUBJECT "/api/v7/subjects/t/x-value"
#define FITS "/api/v7/compatibility/subjects/t/x-value/versions/latest"

static void
a_schema_is_registered_when_it_fits(void **state)
{
	struct fixture *fix = *state;
	struct registry_opts opts = options(fix);
	int32_t id = -1;
	bool is_new = false;

	start(fix, &opts);
	answer_with(fix, "POST", SUBJECT "/versions", 200, "{\"id\":5}");
	answer_with(fix, "POST", FITS, 200,
		"{\"is_compatible\":false,\"messages\":[\"no default\"]}");
	assert_int_equal(subject(fix, false, &id, &is_new), SG_BAD_CONFIG);
	assert_true(says(fix, "registry.register"));
	assert_int_equal(subject(fix, true, &id, &is_new), SG_BAD_CONFIG);
	assert_true(says(fix, "no default"));
	answer_with(fix, "POST", FITS, 200, "{\"is_compatible\":true}");
	assert_int_equal(subject(fix, true, &id, &is_new), SG_OK);
	assert_int_equal(id, 5);
	assert_true(is_new);
	assert_string_equal(
		fix->server.posted, "{\"schema\":\"\\\"long\\\"\"}");
	/* The first of a subject: there is nothing to be compatible with. */
	answer_with(fix, "POST", FITS, 404, NOT_THERE);
	assert_int_equal(subject(fix, true, &id, &is_new), SG_OK);
	answer_with(fix, "POST", SUBJECT, 200, "{\"id\":4,\"version\":1}");
	assert_int_equal(subject(fix, true, &id, &is_new), SG_OK);
	assert_int_equal(id, 4);
	assert_false(is_new);
}

static void
a_registry_that_refuses_is_quoted(void **state)
{
	struct fixture *fix = *state;
	struct registry_opts opts = options(fix);
	int32_t id = -1;
	bool is_new = false;

	start(fix, &opts);
	answer_with(fix, "POST", SUBJECT, 422,
		"{\"error_code\":42201,\"message\":\"Invalid schema\"}");
	assert_int_equal(subject(fix, true, &id, &is_new), SG_BAD_CONFIG);
	assert_true(says(fix, "422: Invalid schema"));
	answer_with(fix, "POST", SUBJECT, 503, "");
	assert_int_equal(subject(fix, true, &id, &is_new), SG_REGISTRY_DOWN);
	answer_with(fix, "POST", SUBJECT, 200, "{}");
	assert_int_equal(subject(fix, true, &id, &is_new), SG_BAD_CONFIG);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_schema_is_asked_for_once),
		TEST(finding_does_not_wait),
		TEST(a_guid_is_asked_for_in_its_usual_form),
		TEST(what_it_does_not_have_is_unknown_for_a_while),
		TEST(after_that_while_it_is_asked_again),
		TEST(troubles_of_the_server_are_no_answers),
		TEST(another_kind_of_schema_is_unknown),
		TEST(references_are_resolved),
		TEST(the_folder_does_for_a_restart),
		TEST(several_urls_are_tried_in_turn),
		TEST(a_login_is_sent_and_never_shown),
		TEST(urls_that_are_none_are_refused),
		TEST(a_schema_is_registered_when_it_fits),
		TEST(a_registry_that_refuses_is_quoted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
