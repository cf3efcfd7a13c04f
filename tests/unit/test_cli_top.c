/* What segmentd top makes of two scrapes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../processor/cli/top_frame.h"
#include "../../processor/cli/top_metrics.h"

/* Two daemons, one after another. */
static const char before[] =
	"# HELP segmentd_changes_total Changes.\n"
	"segmentd_changes_total{segmentation=\"touch\",origin=\"live\"} 10\n"
	"segmentd_changes_total{segmentation=\"touch\",origin=\"timer\"} 5\n"
	"segmentd_changes_total{segmentation=\"busy\",origin=\"live\"} 7\n"
	"segmentd_consumed_total{input=\"a\"} 100\n"
	"segmentd_lag_records{input=\"a\",worker=\"0\"} 3\n"
	"segmentd_batch_seconds_bucket{le=\"0.001\"} 0\n"
	"segmentd_batch_seconds_bucket{le=\"0.01\"} 4\n"
	"segmentd_batch_seconds_bucket{le=\"+Inf\"} 4\n"
	"segmentd_freshness_seconds{partition=\"0\"} NaN\n"
	"segmentd_rules_measured_total{segmentation=\"touch\"} 2\n"
	"segmentd_rules_measured_work_total{segmentation=\"touch\"} "
	"4000\n"
	"segmentd_changes_total{segmentation=\"touch\",origin=\"live\"} 1\n";
static const char after[] =
	"segmentd_changes_total{segmentation=\"touch\",origin=\"live\"} 20\n"
	"segmentd_changes_total{segmentation=\"touch\",origin=\"timer\"} 5\n"
	"segmentd_changes_total{segmentation=\"busy\",origin=\"live\"} 2\n"
	"segmentd_changes_totals{segmentation=\"other\"} 99\n"
	"segmentd_consumed_total{input=\"a\"} 300\n"
	"segmentd_lag_records{input=\"a\",worker=\"0\"} 1\n"
	"segmentd_lag_records{input=\"a\",worker=\"1\"} 4\n"
	"segmentd_batch_seconds_bucket{le=\"0.001\"} 2\n"
	"segmentd_batch_seconds_bucket{le=\"0.01\"} 10\n"
	"segmentd_batch_seconds_bucket{le=\"+Inf\"} 14\n"
	"segmentd_freshness_seconds{partition=\"0\"} NaN\n"
	"segmentd_freshness_seconds{partition=\"1\"} 1.5\n"
	"segmentd_freshness_seconds{partition=\"2\"} 0.5\n"
	"segmentd_rules_measured_total{segmentation=\"touch\"} 2\n"
	"segmentd_rules_measured_work_total{segmentation=\"touch\"} "
	"4000\n"
	"segmentd_changes_total{segmentation=\"touch\",origin=\"live\"} 1\n";

#define CHANGES "segmentd_changes_total"
#define BATCH "segmentd_batch_seconds"

static void
sums_are_over_all_daemons_and_by_label(void **state)
{
	(void)state;
	assert_float_equal(top_sum(after, CHANGES, NULL, NULL), 28, 0);
	assert_float_equal(
		top_sum(after, CHANGES, "segmentation", "touch"), 26, 0);
	assert_float_equal(top_sum(after, CHANGES, "origin", "timer"), 5, 0);
	assert_float_equal(top_sum(after, CHANGES, "no", "timer"), 0, 0);
	assert_float_equal(top_sum(after, "segmentd", NULL, NULL), 0, 0);
	assert_float_equal(
		top_sum(after, "segmentd_freshness_seconds", NULL, NULL), 2, 0);
	assert_float_equal(
		top_max(after, "segmentd_freshness_seconds"), 1.5, 0);
	assert_true(isnan(top_max(before, "segmentd_freshness_seconds")));
}

static void
a_counter_that_is_less_began_anew(void **state)
{
	(void)state;
	assert_float_equal(
		top_grown(before, after, CHANGES, "segmentation", "touch"), 10,
		0);
	assert_float_equal(
		top_grown(before, after, CHANGES, "segmentation", "busy"), 2,
		0);
}

static void
quantiles_are_of_what_came_between(void **state)
{
	(void)state;
	/* Of ten, two are below 1 ms, four between 1 and 10, four above. */
	assert_float_equal(
		top_quantile(before, after, BATCH, 0.1), 0.0005, 1e-9);
	assert_float_equal(
		top_quantile(before, after, BATCH, 0.4), 0.0055, 1e-9);
	assert_float_equal(top_quantile(before, after, BATCH, 0.6), 0.01, 1e-9);
	assert_float_equal(
		top_quantile(before, after, BATCH, 0.99), 0.01, 1e-9);
	assert_true(isnan(top_quantile(after, after, BATCH, 0.5)));
	assert_true(isnan(top_quantile("", "", BATCH, 0.5)));
}

static void
labels_may_hold_anything(void **state)
{
	static const char text[] =
		"m{a=\"x,b=\\\"c\\\"\",b=\"1\\n2\\\\\"} 4e-1\n"
		"m 2\n"
		"m{} 3\n"
		"m{a=\"cut";
	const char *at = text;
	struct top_sample sample;
	char value[32];

	(void)state;
	assert_true(top_next(&at, "m", &sample));
	assert_true(top_label(&sample, "a", value, sizeof(value)));
	assert_string_equal(value, "x,b=\"c\"");
	assert_true(top_label(&sample, "b", value, sizeof(value)));
	assert_string_equal(value, "1\n2\\");
	assert_false(top_label(&sample, "a", value, 3));
	assert_false(top_label(&sample, "c", value, sizeof(value)));
	assert_float_equal(sample.value, 0.4, 0);
	assert_true(top_next(&at, "m", &sample));
	assert_float_equal(sample.value, 2, 0);
	assert_false(top_label(&sample, "a", value, sizeof(value)));
	assert_true(top_next(&at, "m", &sample));
	assert_float_equal(sample.value, 3, 0);
	assert_true(top_next(&at, "m", &sample));
	assert_true(isnan(sample.value));
	assert_false(top_label(&sample, "b", value, sizeof(value)));
	assert_false(top_next(&at, "m", &sample));
}

static double
at(const json_t *json, const char *a, const char *b, const char *c)
{
	json = json_object_get(json, a);
	json = b == NULL ? json : json_object_get(json, b);
	json = c == NULL ? json : json_object_get(json, c);
	return json_is_number(json) ? json_number_value(json) : NAN;
}

static void
a_frame_is_worked_out_from_two_scrapes(void **state)
{
	struct top_scrape one = {.at_us = 1000000};
	struct top_scrape two = {
		.at_us = 3000000, .ndaemons = 2, .nthere = 2, .nready = 1};
	struct buf text;
	json_t *frame;

	(void)state;
	buf_init(&one.metrics, 65536);
	buf_init(&one.ready, 65536);
	buf_init(&two.metrics, 65536);
	buf_init(&two.ready, 65536);
	buf_init(&text, 65536);
	buf_put_str(&one.metrics, before);
	buf_put_str(&two.metrics, after);
	buf_put_str(&two.ready,
		"[+]kafka ok\n[+]redis ok\nready\n"
		"[+]kafka ok\n[-]redis: gone: away\n[-]worker-0\nnot ready\n");
	frame = top_frame(&one, &two);
	assert_non_null(frame);
	assert_float_equal(at(frame, "inputs", "a", "records_per_s"), 100, 0);
	assert_float_equal(at(frame, "inputs", "a", "lag"), 5, 0);
	assert_float_equal(
		at(frame, "segmentations", "touch", "moves_per_minute"), 300,
		0);
	/* Nothing was measured between them: what there was before counts. */
	assert_float_equal(
		at(frame, "segmentations", "touch", "rules_us"), 2, 0);
	assert_true(isnan(at(frame, "segmentations", "busy", "rules_us")));
	assert_string_equal(
		json_string_value(json_object_get(frame, "slowest_rules")),
		"touch");
	assert_float_equal(at(frame, "freshness_s", NULL, NULL), 1.5, 0);
	assert_string_equal(json_string_value(json_object_get(
				    json_object_get(frame, "state"), "redis")),
		"gone: away");
	top_print(frame, false, &text);
	assert_non_null(
		strstr(buf_cstr(&text), "2 of 2 daemons answer, 1 ready\n"));
	assert_non_null(strstr(buf_cstr(&text), "  kafka: ok\n"));
	assert_non_null(strstr(buf_cstr(&text), "  redis: gone: away\n"));
	assert_non_null(strstr(buf_cstr(&text), "  worker-0: not ok\n"));
	assert_non_null(strstr(buf_cstr(&text), "2.00  slowest\n"));
	assert_null(strchr(buf_cstr(&text), '\033'));
	json_decref(frame);
	buf_fini(&one.metrics);
	buf_fini(&one.ready);
	buf_fini(&two.metrics);
	buf_fini(&two.ready);
	buf_fini(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_are_over_all_daemons_and_by_label),
		cmocka_unit_test(a_counter_that_is_less_began_anew),
		cmocka_unit_test(quantiles_are_of_what_came_between),
		cmocka_unit_test(labels_may_hold_anything),
		cmocka_unit_test(a_frame_is_worked_out_from_two_scrapes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
