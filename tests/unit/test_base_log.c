/*
 * What is logged goes to file descriptor 2, so each test puts a temporary
 * file there, and jansson judges what is JSON.
 */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "segmentd/clock.h"
#include "segmentd/err.h"
#include "segmentd/log.h"

#define CAPTURE_MAX (1024 * 1024)

struct capture {
	int saved_fd;
	FILE *file;
	char *text;
};

static void
capture_begin(struct capture *cap)
{
	cap->file = tmpfile();
	assert_non_null(cap->file);
	cap->saved_fd = dup(STDERR_FILENO);
	assert_true(cap->saved_fd >= 0);
	assert_true(dup2(fileno(cap->file), STDERR_FILENO) >= 0);
}

/* No assertion may fail in between: its message would go to the file. */
static void
capture_end(struct capture *cap)
{
	size_t len;

	(void)dup2(cap->saved_fd, STDERR_FILENO);
	(void)close(cap->saved_fd);
	cap->text = calloc(1, CAPTURE_MAX);
	assert_non_null(cap->text);
	rewind(cap->file);
	len = fread(cap->text, 1, CAPTURE_MAX - 1, cap->file);
	assert_int_equal(len, strlen(cap->text));
	(void)fclose(cap->file);
}

/* Log one text field; the caller frees what was written. */
static char *
logged(enum log_format format, const char *value)
{
	struct capture cap;

	log_setup(LOG_INFO, format);
	capture_begin(&cap);
	SG_LOG(LOG_INFO, "test", LOG_STR("k", value));
	capture_end(&cap);
	return cap.text;
}

static void
a_logfmt_line_has_time_level_event_and_fields(void **state)
{
	struct capture cap;
	int month, hour;

	(void)state;
	log_setup(LOG_INFO, LOG_LOGFMT);
	capture_begin(&cap);
	SG_LOG(LOG_WARN, "redis_down", LOG_STR("url", "redis://h:1/0"),
		LOG_INT("retry_ms", -5), LOG_DOUBLE("ratio", 0.25),
		LOG_BOOL("again", 7));
	capture_end(&cap);
	assert_int_equal(sscanf(cap.text, /* lint: the format is ours */
				 "time=%*4d-%2d-%*2dT%2d:", &month, &hour),
		2);
	assert_in_range(month, 1, 12);
	assert_int_equal(
		strcspn(cap.text, "Z"), strlen("time=2026-03-01T10:00:00.000"));
	assert_string_equal(strchr(cap.text, ' '),
		" level=warn event=redis_down url=redis://h:1/0 retry_ms=-5 "
		"ratio=0.25 again=true\n");
	free(cap.text);
}

static void
logfmt_quotes_what_has_to_be_quoted(void **state)
{
	static const struct {
		const char *value, *want;
	} rows[] = {
		{"plain", "plain"},
		{NULL, "\"\""},
		{"", "\"\""},
		{"a b", "\"a b\""},
		{"a=b", "\"a=b\""},
		{"say \"hi\"", "\"say \\\"hi\\\"\""},
		{"back\\slash", "\"back\\\\slash\""},
		{"two\nlines", "\"two\\nlines\""},
		{"\r\t\x1b\x7f", "\"\\u000d\\u0009\\u001b\\u007f\""},
		{"gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\""},
		{"bad\xff\xc3", "\"bad\\ufffd\\ufffd\""},
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		char *text = logged(LOG_LOGFMT, rows[i].value);
		char *value = strstr(text, " k=");
		char want[200];

		(void)snprintf(want, sizeof(want), " k=%s\n", rows[i].want);
		assert_non_null(value);
		assert_string_equal(value, want);
		free(text);
	}
}

static void
json_reads_back_as_what_was_logged(void **state)
{
	static const char *const values[] = {"", "plain", "a \"b\" \\ c",
		"\x01\x02\n\r\t\x1f\x7f", "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80",
		"{\"a\":1}"};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(values); i++) {
		char *text = logged(LOG_JSON, values[i]);
		json_t *line = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

		assert_non_null(line);
		assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
		assert_string_equal(
			json_string_value(json_object_get(line, "k")),
			values[i]);
		assert_string_equal(
			json_string_value(json_object_get(line, "event")),
			"test");
		assert_string_equal(
			json_string_value(json_object_get(line, "level")),
			"info");
		json_decref(line);
		free(text);
	}
}

static void
json_numbers_are_numbers_even_when_they_are_not(void **state)
{
	struct capture cap;

	(void)state;
	log_setup(LOG_INFO, LOG_JSON);
	capture_begin(&cap);
	SG_LOG(LOG_INFO, "test", LOG_INT("min", INT64_MIN),
		LOG_DOUBLE("d", 1.5), LOG_DOUBLE("nan", (double)NAN),
		LOG_DOUBLE("inf", (double)-INFINITY), LOG_BOOL("no", false));
	capture_end(&cap);

	json_t *line = json_loads(cap.text, 0, NULL);

	assert_non_null(line);
	assert_true(
		json_integer_value(json_object_get(line, "min")) == INT64_MIN);
	assert_true(json_real_value(json_object_get(line, "d")) == 1.5);
	assert_string_equal(
		json_string_value(json_object_get(line, "nan")), "NaN");
	assert_string_equal(
		json_string_value(json_object_get(line, "inf")), "-Inf");
	assert_true(json_is_false(json_object_get(line, "no")));
	json_decref(line);
	free(cap.text);
}

static void
a_field_that_does_not_fit_is_left_out_whole(void **state)
{
	char big[20000];

	(void)state;
	memset(big, '\n', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';

	char *text = logged(LOG_JSON, big);
	json_t *line = json_loads(text, 0, NULL);

	assert_non_null(line);
	assert_null(json_object_get(line, "k"));
	assert_true(json_is_true(json_object_get(line, "truncated")));
	json_decref(line);
	free(text);

	text = logged(LOG_LOGFMT, big);
	assert_non_null(strstr(text, " event=test truncated=true\n"));
	free(text);
}

/* At every length around the limit the line stays whole, and what came before
 * the field that is too much stays in it. */
static void
the_limit_of_a_line_is_no_edge_to_fall_off(void **state)
{
	char big[8200];
	size_t nkept = 0, nboth = 0;

	(void)state;
	log_setup(LOG_INFO, LOG_JSON);
	for (size_t len = 8000; len < sizeof(big); len++) {
		struct capture cap;

		memset(big, 'x', len);
		big[len] = '\0';
		capture_begin(&cap);
		SG_LOG(LOG_ERROR, "test", LOG_STR("k", big), LOG_INT("n", 1));
		capture_end(&cap);

		json_t *line = json_loads(cap.text, 0, NULL);

		assert_non_null(line);
		nkept += json_object_get(line, "k") != NULL;
		nboth += json_object_get(line, "n") != NULL;
		json_decref(line);
		free(cap.text);
	}
	assert_in_range(nboth, 1, 199);
	assert_in_range(nkept, nboth + 1, 199);
}

static void
what_is_below_the_level_is_not_written(void **state)
{
	struct capture cap;

	(void)state;
	log_setup(LOG_ERROR, LOG_LOGFMT);
	assert_false(log_is_on(LOG_WARN));
	assert_true(log_is_on(LOG_ERROR));
	capture_begin(&cap);
	SG_LOG(LOG_WARN, "test", LOG_INT("n", 1));
	log_write(LOG_INFO, "test", NULL, 0);
	capture_end(&cap);
	assert_string_equal(cap.text, "");
	free(cap.text);

	log_setup(LOG_DEBUG, LOG_LOGFMT);
	assert_true(log_is_on(LOG_DEBUG));
}

static void
errno_survives_a_log_line(void **state)
{
	struct capture cap;

	(void)state;
	log_setup(LOG_INFO, LOG_LOGFMT);
	capture_begin(&cap);
	(void)dup2(fileno(cap.file), STDERR_FILENO);
	(void)close(STDERR_FILENO);
	errno = ERANGE;
	log_write(LOG_ERROR, "nobody_hears_this", NULL, 0);

	int after = errno;

	capture_end(&cap);
	assert_int_equal(after, ERANGE);
	free(cap.text);
}

#define THREADS 4
#define LINES 200

static void *
log_many(void *arg)
{
	char value[2000];

	memset(value, *(const char *)arg, sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	for (int i = 0; i < LINES / 4; i++)
		SG_LOG(LOG_INFO, "test", LOG_STR("k", value));
	return NULL;
}

static void
lines_of_threads_do_not_mix(void **state)
{
	static const char letters[THREADS] = {'a', 'b', 'c', 'd'};
	pthread_t threads[THREADS];
	struct capture cap;
	int nlines = 0;

	(void)state;
	log_setup(LOG_INFO, LOG_JSON);
	capture_begin(&cap);
	for (size_t i = 0; i < THREADS; i++)
		(void)pthread_create(&threads[i], NULL, log_many,
			(void *)(uintptr_t)&letters[i]);
	for (size_t i = 0; i < THREADS; i++)
		(void)pthread_join(threads[i], NULL);
	capture_end(&cap);

	for (char *at = cap.text; *at != '\0'; nlines++) {
		char *end = strchr(at, '\n');

		assert_non_null(end);
		*end = '\0';

		json_t *line = json_loads(at, 0, NULL);
		const char *k = json_string_value(json_object_get(line, "k"));

		assert_non_null(k);
		assert_int_equal(strlen(k), 1999);
		for (const char *c = k; *c != '\0'; c++)
			assert_int_equal(*c, k[0]);
		json_decref(line);
		at = end + 1;
	}
	assert_int_equal(nlines, LINES);
	free(cap.text);
}

static void
a_limit_lets_one_through_and_counts_the_rest(void **state)
{
	struct log_limit limit = {0};
	uint64_t skipped = 99;

	(void)state;
	assert_true(log_limit_pass(&limit, &skipped));
	assert_int_equal(skipped, 0);
	for (int i = 0; i < 5; i++)
		assert_false(log_limit_pass(&limit, &skipped));
	/* A second later, as the limit sees it. */
	limit.last_mono_ms -= 1000;
	assert_true(log_limit_pass(&limit, &skipped));
	assert_int_equal(skipped, 5);
	assert_false(log_limit_pass(&limit, &skipped));
	assert_int_equal(limit.skipped, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_logfmt_line_has_time_level_event_and_fields),
		cmocka_unit_test(logfmt_quotes_what_has_to_be_quoted),
		cmocka_unit_test(json_reads_back_as_what_was_logged),
		cmocka_unit_test(
			json_numbers_are_numbers_even_when_they_are_not),
		cmocka_unit_test(a_field_that_does_not_fit_is_left_out_whole),
		cmocka_unit_test(the_limit_of_a_line_is_no_edge_to_fall_off),
		cmocka_unit_test(what_is_below_the_level_is_not_written),
		cmocka_unit_test(errno_survives_a_log_line),
		cmocka_unit_test(lines_of_threads_do_not_mix),
		cmocka_unit_test(a_limit_lets_one_through_and_counts_the_rest),
	};

	return cmocka_run_group_tests_name("base_log", tests, NULL, NULL);
}
