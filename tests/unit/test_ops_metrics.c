#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "segmentd/clock.h"
#include "segmentd/ops.h"

#define THREADS 4
#define ROUNDS 20000

static struct metrics *
fresh(void)
{
	struct metrics *metrics = NULL;

	assert_int_equal(metrics_create(&metrics), SG_OK);
	return metrics;
}

/* The whole text; the caller frees it with buf_fini(). */
static const char *
text_of(const struct metrics *metrics, struct buf *out)
{
	buf_init(out, 1 << 24);
	metrics_write(metrics, out);
	assert_false(out->is_failed);
	return buf_cstr(out);
}

static void
assert_has_line(const char *text, const char *line)
{
	size_t len = strlen(line);

	for (const char *at = text; (at = strstr(at, line)) != NULL; at++) {
		if ((at == text || at[-1] == '\n') && at[len] == '\n')
			return;
	}
	fail_msg("no line \"%s\" in:\n%s", line, text);
}

static void
labels_are_escaped(void **state)
{
	static const struct {
		const char *value, *want;
	} rows[] = {
		{"", "a=\"\""},
		{"plain", "a=\"plain\""},
		{"say \"hi\"", "a=\"say \\\"hi\\\"\""},
		{"back\\slash", "a=\"back\\\\slash\""},
		{"two\nlines", "a=\"two\\nlines\""},
		{"K\xc3\xb6ln", "a=\"K\xc3\xb6ln\""},
		{"cut \xc3", "a=\"cut ?\""},
		{"\xff\xfe", "a=\"?\?\""},
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct metrics *metrics = fresh();
		struct buf labels;

		buf_init(&labels, 1024);
		metrics_label(&labels, "a", rows[i].value);
		assert_string_equal(buf_cstr(&labels), rows[i].want);
		assert_non_null(
			metrics_get(metrics, METRIC_LATE, buf_cstr(&labels)));
		buf_fini(&labels);
		metrics_destroy(metrics);
	}
}

static void
labels_are_joined_by_commas(void **state)
{
	struct buf labels;

	(void)state;
	buf_init(&labels, 1024);
	metrics_label(&labels, "topic", "a");
	metrics_label(&labels, "reason", "b");
	assert_string_equal(buf_cstr(&labels), "topic=\"a\",reason=\"b\"");
	buf_fini(&labels);
}

static void
same_labels_are_the_same_series_in_any_order(void **state)
{
	struct metrics *metrics = fresh();
	struct metric *ab = metrics_get(
		metrics, METRIC_REJECTED, "a=\"1\",ab=\"2\",b=\"x,y\"");

	(void)state;
	assert_non_null(ab);
	assert_ptr_equal(ab, metrics_get(metrics, METRIC_REJECTED,
				     "b=\"x,y\",ab=\"2\",a=\"1\""));
	assert_ptr_not_equal(ab, metrics_get(metrics, METRIC_REJECTED,
					 "b=\"x,z\",ab=\"2\",a=\"1\""));
	assert_ptr_not_equal(ab, metrics_get(metrics, METRIC_LATE,
					 "a=\"1\",ab=\"2\",b=\"x,y\""));
	metrics_destroy(metrics);
}

static void
malformed_labels_are_no_series(void **state)
{
	static const char *const rows[] = {
		"a",
		"a=",
		"a=1",
		"a=\"1",
		"a=\"1\\",
		"a=\"1\\\"",
		"a=\"two\nlines\"",
		"=\"1\"",
		"1a=\"1\"",
		"a-b=\"1\"",
		"a=\"1\",",
		",a=\"1\"",
		"a=\"1\"b=\"2\"",
		"a=\"1\" ,b=\"2\"",
		"a=\"1\",a=\"2\"",
		"a=\"1\",b=\"2\",a=\"1\"",
	};
	struct metrics *metrics = fresh();
	struct buf out;

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		if (metrics_get(metrics, METRIC_LATE, rows[i]) != NULL)
			fail_msg("accepted: %s", rows[i]);
	}
	assert_string_equal(text_of(metrics, &out), "");
	buf_fini(&out);
	metrics_destroy(metrics);
}

static void
too_many_or_too_long_labels_are_no_series(void **state)
{
	struct metrics *metrics = fresh();
	struct buf labels;
	char name[16];
	char value[2048];

	(void)state;
	buf_init(&labels, 4096);
	for (int i = 0; i < 17; i++) {
		bool is_there = metrics_get(metrics, METRIC_LATE,
					buf_cstr(&labels)) != NULL;

		assert_true(is_there);
		(void)snprintf(name, sizeof(name), "l%d", i);
		metrics_label(&labels, name, "v");
	}
	assert_null(metrics_get(metrics, METRIC_LATE, buf_cstr(&labels)));

	/* a="..." is four bytes more than its value. */
	for (size_t len = 2044; len <= 2045; len++) {
		memset(value, 'x', len);
		value[len] = '\0';
		buf_reset(&labels);
		metrics_label(&labels, "a", value);
		if (len == 2044)
			assert_non_null(metrics_get(
				metrics, METRIC_LATE, buf_cstr(&labels)));
		else
			assert_null(metrics_get(
				metrics, METRIC_LATE, buf_cstr(&labels)));
	}
	buf_fini(&labels);
	metrics_destroy(metrics);
}

static void
series_have_a_maximum_and_what_is_there_stays(void **state)
{
	struct metrics *metrics = fresh();
	struct metric *first = metrics_get(metrics, METRIC_LATE, "n=\"x\"");
	char labels[32];
	int n = 1;

	(void)state;
	for (; n <= 4096; n++) {
		(void)snprintf(labels, sizeof(labels), "n=\"%d\"", n);
		if (metrics_get(metrics, METRIC_REPEATED, labels) == NULL)
			break;
	}
	assert_int_equal(n, 4096);
	assert_null(metrics_get(metrics, METRIC_LATE, "n=\"y\""));
	assert_ptr_equal(first, metrics_get(metrics, METRIC_LATE, "n=\"x\""));
	metrics_destroy(metrics);
}

static void
no_series_and_wrong_type_do_nothing(void **state)
{
	struct metrics *metrics = fresh();
	struct metric *counter = metrics_get(metrics, METRIC_LATE, "");
	struct metric *gauge = metrics_get(metrics, METRIC_LAG, "");
	struct metric *seconds = metrics_get(metrics, METRIC_BATCH_SECONDS, "");

	(void)state;
	metric_add(NULL, 1);
	metric_set(NULL, 1);
	metric_observe(NULL, 1);
	assert_true(metric_read(NULL) == 0);
	assert_null(metrics_get(NULL, METRIC_LATE, ""));
	assert_null(metrics_get(metrics, METRIC_COUNT, ""));

	metric_set(counter, 7);
	metric_observe(counter, 7);
	metric_add(gauge, 7);
	metric_observe(gauge, 7);
	metric_add(seconds, 7);
	metric_set(seconds, 7);
	assert_true(metric_read(counter) == 0);
	assert_true(metric_read(gauge) == 0);
	assert_true(metric_read(seconds) == 0);
	metrics_destroy(metrics);
	metrics_destroy(NULL);
}

static void
text_is_ordered_by_table_then_by_labels(void **state)
{
	struct metrics *metrics = fresh();
	struct buf out;

	(void)state;
	metric_set(metrics_get(metrics, METRIC_LAG, "input=\"b\""), 2.5);
	metric_add(metrics_get(metrics, METRIC_CONSUMED, "input=\"z\""), 3);
	metric_add(metrics_get(metrics, METRIC_CONSUMED, "input=\"a\""), 1);
	metric_add(metrics_get(metrics, METRIC_CONSUMED, "input=\"m\""),
		UINT64_MAX);
	metric_add(metrics_get(metrics, METRIC_CONSUMED, ""), 9);
	assert_string_equal(text_of(metrics, &out),
		"# HELP segmentd_consumed_total "
		"Records taken from Kafka, by input.\n"
		"# TYPE segmentd_consumed_total counter\n"
		"segmentd_consumed_total 9\n"
		"segmentd_consumed_total{input=\"a\"} 1\n"
		"segmentd_consumed_total{input=\"m\"} 18446744073709551615\n"
		"segmentd_consumed_total{input=\"z\"} 3\n"
		"# HELP segmentd_lag_records "
		"Records behind the end of the topic, by input.\n"
		"# TYPE segmentd_lag_records gauge\n"
		"segmentd_lag_records{input=\"b\"} 2.5\n");
	buf_fini(&out);
	metrics_destroy(metrics);
}

static void
gauges_are_written_as_prometheus_reads_them(void **state)
{
	static const struct {
		double value;
		const char *want;
	} rows[] = {
		{0, "segmentd_lag_records 0"},
		{-0.0, "segmentd_lag_records 0"},
		{-1, "segmentd_lag_records -1"},
		{536870912, "segmentd_lag_records 536870912"},
		{0.1, "segmentd_lag_records 0.1"},
		{1e300, "segmentd_lag_records 1e+300"},
		{NAN, "segmentd_lag_records NaN"},
		{INFINITY, "segmentd_lag_records +Inf"},
		{-INFINITY, "segmentd_lag_records -Inf"},
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct metrics *metrics = fresh();
		struct buf out;

		metric_set(metrics_get(metrics, METRIC_LAG, ""), rows[i].value);
		assert_has_line(text_of(metrics, &out), rows[i].want);
		buf_fini(&out);
		metrics_destroy(metrics);
	}
}

static void
histogram_edge_belongs_to_its_bucket(void **state)
{
	static const struct {
		const char *name;
		double seconds;
		const char *below; /* the last bucket it is not in */
		const char *within;
		const char *sum;
	} rows[] = {
		{"nothing", 0, NULL, "le=\"0.0005\"} 1", "0.000000"},
		{"a clock set back", -3, NULL, "le=\"0.0005\"} 1", "0.000000"},
		{"first edge", 0.0005, NULL, "le=\"0.0005\"} 1", "0.000500"},
		{"above it", 0.0006, "le=\"0.0005\"} 0", "le=\"0.001\"} 1",
			"0.000600"},
		{"one second", 1, "le=\"0.5\"} 0", "le=\"1\"} 1", "1.000000"},
		{"rounds up", 1.9999999, "le=\"1\"} 0", "le=\"2.5\"} 1",
			"2.000000"},
		{"last edge", 60, "le=\"30\"} 0", "le=\"60\"} 1", "60.000000"},
		{"above all", 60.5, "le=\"60\"} 0", "le=\"+Inf\"} 1",
			"60.500000"},
		{"a year of backlog", 31536000, "le=\"60\"} 0",
			"le=\"+Inf\"} 1", "31536000.000000"},
		{"for ever", INFINITY, "le=\"60\"} 0", "le=\"+Inf\"} 1",
			"1000000000.000000"},
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct metrics *metrics = fresh();
		struct metric *metric = metrics_get(
			metrics, METRIC_BATCH_SECONDS, "worker=\"0\"");
		char line[128];
		struct buf out;

		metric_observe(metric, rows[i].seconds);
		assert_true(metric_read(metric) == 1);

		const char *text = text_of(metrics, &out);

		if (rows[i].below != NULL &&
			strstr(text, rows[i].below) == NULL)
			fail_msg("%s: no %s", rows[i].name, rows[i].below);
		if (strstr(text, rows[i].within) == NULL)
			fail_msg("%s: no %s", rows[i].name, rows[i].within);
		(void)snprintf(line, sizeof(line),
			"segmentd_batch_seconds_sum{worker=\"0\"} %s",
			rows[i].sum);
		assert_has_line(text, line);
		assert_has_line(
			text, "segmentd_batch_seconds_count{worker=\"0\"} 1");
		buf_fini(&out);
		metrics_destroy(metrics);
	}
}

static void
histogram_buckets_are_cumulative(void **state)
{
	struct metrics *metrics = fresh();
	struct metric *metric = metrics_get(metrics, METRIC_FLUSH_SECONDS, "");
	struct buf out;

	(void)state;
	metric_observe(metric, 0.3);
	metric_observe(metric, 0.003);
	metric_observe(metric, 0.002);
	metric_observe(metric, 90);
	metric_observe(metric, NAN);

	const char *text = text_of(metrics, &out);

	assert_has_line(text, "segmentd_flush_seconds_bucket{le=\"0.001\"} 0");
	assert_has_line(text, "segmentd_flush_seconds_bucket{le=\"0.0025\"} 1");
	assert_has_line(text, "segmentd_flush_seconds_bucket{le=\"0.005\"} 2");
	assert_has_line(text, "segmentd_flush_seconds_bucket{le=\"0.25\"} 2");
	assert_has_line(text, "segmentd_flush_seconds_bucket{le=\"0.5\"} 3");
	assert_has_line(text, "segmentd_flush_seconds_bucket{le=\"60\"} 3");
	assert_has_line(text, "segmentd_flush_seconds_bucket{le=\"+Inf\"} 4");
	assert_has_line(text, "segmentd_flush_seconds_sum 90.305000");
	assert_has_line(text, "segmentd_flush_seconds_count 4");
	buf_fini(&out);
	metrics_destroy(metrics);
}

static void *
count_a_lot(void *arg)
{
	struct metrics *metrics = arg;
	char labels[32];

	for (int i = 0; i < ROUNDS; i++) {
		(void)snprintf(labels, sizeof(labels), "n=\"%d\"", i % 50);
		metric_add(metrics_get(metrics, METRIC_CHANGES, labels), 2);
		metric_observe(
			metrics_get(metrics, METRIC_COMMIT_SECONDS, ""), 0.75);
	}
	return NULL;
}

static void
threads_lose_no_count_while_the_text_is_written(void **state)
{
	struct metrics *metrics = fresh();
	pthread_t threads[THREADS];
	double changes = 0;
	char labels[32];
	struct buf out;

	(void)state;
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, count_a_lot, metrics),
			0);
	for (int i = 0; i < 20; i++) {
		(void)text_of(metrics, &out);
		buf_fini(&out);
	}
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (int i = 0; i < 50; i++) {
		(void)snprintf(labels, sizeof(labels), "n=\"%d\"", i);
		changes += metric_read(
			metrics_get(metrics, METRIC_CHANGES, labels));
	}
	assert_true(changes == 2.0 * THREADS * ROUNDS);
	/* 60000 of .75: exact, because the sum is made of integers. */
	assert_has_line(text_of(metrics, &out),
		"segmentd_commit_seconds_sum 60000.000000");
	buf_fini(&out);
	metrics_destroy(metrics);
}

static void
an_age_grows_by_itself(void **state)
{
	struct metrics *metrics = fresh();
	struct metric *age = metrics_get(metrics, METRIC_FRESHNESS, "");
	struct metric *gauge = metrics_get(metrics, METRIC_DIRTY, "");
	struct buf out;
	double first;

	(void)state;
	assert_true(isnan(metric_read(age)));
	assert_has_line(
		text_of(metrics, &out), "segmentd_freshness_seconds NaN");
	buf_fini(&out);
	metric_since(age, clock_mono_us() - 90 * 1000000);
	first = metric_read(age);
	assert_true(first >= 90 && first < 150);
	clock_sleep_ms(2);
	assert_true(metric_read(age) > first);
	/* Before the machine was started, and in the future. */
	metric_since(age, clock_mono_us() - INT64_C(1000000000000000));
	assert_true(metric_read(age) >= 1e9);
	metric_since(age, clock_mono_us() + INT64_C(1000000000));
	assert_true(metric_read(age) == 0);
	metric_since(age, 0);
	assert_true(isnan(metric_read(age)));
	/* Neither of the two is the other. */
	metric_set(age, 7);
	assert_true(isnan(metric_read(age)));
	metric_since(gauge, 7);
	assert_true(metric_read(gauge) == 0);
	metric_since(NULL, 7);
	metrics_destroy(metrics);
}

enum { COUNTER, GAUGE, SECONDS, AGE };

static const struct {
	const char *name;
	int type;
	const char *help;
} table[] = {
#define METRIC(ident, name, type, help) {name, type, help},
#include "segmentd/tbl/metrics.def"
#undef METRIC
};

static bool
ends_in(const char *text, const char *end)
{
	size_t len = strlen(text);

	return len >= strlen(end) && strcmp(text + len - strlen(end), end) == 0;
}

static void
every_row_of_the_table_follows_the_conventions(void **state)
{
	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(table); i++) {
		const char *name = table[i].name;
		size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz_");

		if (strncmp(name, "segmentd_", 9) != 0 || name[len] != '\0')
			fail_msg("%s: not segmentd_lower_snake", name);
		if (ends_in(name, "_total") != (table[i].type == COUNTER))
			fail_msg("%s: _total is for counters", name);
		if (ends_in(name, "_seconds") !=
			(table[i].type == SECONDS || table[i].type == AGE))
			fail_msg("%s: _seconds is for histograms and ages",
				name);
		if (strpbrk(table[i].help, "\\\n") != NULL ||
			!ends_in(table[i].help, "."))
			fail_msg("%s: help is one full sentence", name);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(name, table[j].name);
	}
}

static void
promtool_accepts_every_metric(void **state)
{
	struct metrics *metrics = fresh();
	struct buf labels;
	struct buf out;
	FILE *promtool;

	(void)state;
	if (system("command -v promtool >/dev/null 2>&1") != 0) {
		print_message("SKIPPED: promtool is missing; "
			      "apt-get install prometheus\n");
		metrics_destroy(metrics);
		skip();
	}
	buf_init(&labels, 1024);
	metrics_label(&labels, "input", "odd \\ \" \n \xc3\xb6");
	metrics_label(&labels, "cause", "");
	for (int id = 0; id < METRIC_COUNT; id++) {
		struct metric *metric = metrics_get(
			metrics, (enum metric_id)id, buf_cstr(&labels));

		assert_non_null(metric);
		metric_add(metric, 3);
		metric_set(metric, 0.25);
		metric_observe(metric, 0.25);
	}
	(void)text_of(metrics, &out);
	promtool = popen("promtool check metrics", "w");
	assert_non_null(promtool);
	assert_int_equal(fwrite(out.bytes, 1, out.len, promtool), out.len);
	assert_int_equal(pclose(promtool), 0);
	buf_fini(&out);
	buf_fini(&labels);
	metrics_destroy(metrics);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(labels_are_escaped),
		cmocka_unit_test(labels_are_joined_by_commas),
		cmocka_unit_test(same_labels_are_the_same_series_in_any_order),
		cmocka_unit_test(malformed_labels_are_no_series),
		cmocka_unit_test(too_many_or_too_long_labels_are_no_series),
		cmocka_unit_test(series_have_a_maximum_and_what_is_there_stays),
		cmocka_unit_test(no_series_and_wrong_type_do_nothing),
		cmocka_unit_test(text_is_ordered_by_table_then_by_labels),
		cmocka_unit_test(gauges_are_written_as_prometheus_reads_them),
		cmocka_unit_test(histogram_edge_belongs_to_its_bucket),
		cmocka_unit_test(histogram_buckets_are_cumulative),
		cmocka_unit_test(
			threads_lose_no_count_while_the_text_is_written),
		cmocka_unit_test(an_age_grows_by_itself),
		cmocka_unit_test(
			every_row_of_the_table_follows_the_conventions),
		cmocka_unit_test(promtool_accepts_every_metric),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
