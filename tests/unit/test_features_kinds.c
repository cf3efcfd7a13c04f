/*
 * test_features_kinds.c - what each kind says, at its edges.
 *
 * A row is a feature, some events and what it is at an instant, as JSON, with
 * the instant until which that holds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "segmentd/change.h"
#include "segmentd/features.h"

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY CIVIL_DAY_MS
#define BASE INT64_C(1709251200000) /* 2024-03-01T00:00:00Z */
#define EVENTS_MAX 8

struct fed {
	int64_t at_ms; /* after BASE */
	struct value v;
	uint64_t filters;
	int64_t ahead_ms; /* Kafka's clock is behind by this */
};

struct row {
	const char *name;
	enum feature_kind kind;
	const struct type *type;
	int64_t window_ms;
	struct fed events[EVENTS_MAX];
	size_t nevents;
	int64_t now_ms;
	const char *want;
	int64_t until_ms; /* after BASE, or AT_NEVER */
};

#define INT(n)                                                                 \
	{                                                                      \
		.kind = VALUE_INT, .as = {.i = (n) }                           \
	}
#define UINT(n)                                                                \
	{                                                                      \
		.kind = VALUE_UINT, .as = {.u = (n) }                          \
	}
#define DOUBLE(n)                                                              \
	{                                                                      \
		.kind = VALUE_DOUBLE, .as = {.d = (n) }                        \
	}
#define BOOL(n)                                                                \
	{                                                                      \
		.kind = VALUE_BOOL, .as = {.u = (n) }                          \
	}
#define TEXT(t)                                                                \
	{                                                                      \
		.kind = VALUE_STRING, .len = sizeof(t) - 1, .as = {.s = (t) }  \
	}
#define TIME(s)                                                                \
	{                                                                      \
		.kind = VALUE_TIMESTAMP, .as = {.i = (s) }                     \
	}
#define SPAN(s)                                                                \
	{                                                                      \
		.kind = VALUE_DURATION, .as = {.i = (s) }                      \
	}
#define NOTHING                                                                \
	{                                                                      \
		.kind = VALUE_NULL                                             \
	}

static struct feature_set *
set_of(const struct feature_def *def)
{
	struct feature_set *set = NULL;
	struct sg_fault why = {0};

	if (feature_set_create(def, 1, &set, &why) != SG_OK)
		fail_msg("%s", why.text);
	return set;
}

static void
feed(const struct feature_set *set, struct features *features,
	const struct fed *fed, int64_t offset, struct fold_result *ret_result)
{
	struct event ev = {.offset = offset,
		.at_ms = BASE + fed->at_ms,
		.kafka_ms = BASE + fed->at_ms - fed->ahead_ms,
		.slots = &fed->v,
		.nslots = 1};

	assert_int_equal(
		features_fold(set, features, &ev, fed->filters, ret_result),
		SG_OK);
}

static void
expect(const struct row *row, const struct feature_set *set,
	const struct features *features, const char *how)
{
	int64_t want_ms =
		row->until_ms == AT_NEVER ? AT_NEVER : BASE + row->until_ms;
	struct value v;
	struct buf text;
	int64_t until;

	features_value(set, features, 0, BASE + row->now_ms, NULL, &v, &until);
	buf_init(&text, 65536);
	if (v.kind == VALUE_ABSENT)
		buf_put_str(&text, "absent");
	else if (v.kind == VALUE_ERROR)
		buf_put_str(&text, "error");
	else
		value_to_json(v, NULL, &text);
	if (strcmp(buf_cstr(&text), row->want) != 0)
		fail_msg("%s%s: %s, not %s", row->name, how, buf_cstr(&text),
			row->want);
	if (until != want_ms)
		fail_msg("%s%s: until %lld, not %lld", row->name, how,
			(long long)(until - BASE), (long long)row->until_ms);
	buf_fini(&text);
}

/* As it is, and after it was stored and loaded. */
static void
check(const struct row *row, const struct tz *tz)
{
	struct feature_def def = {.name = row->name,
		.kind = row->kind,
		.window_ms = row->window_ms,
		.slot = row->type == NULL ? -1 : 0,
		.type = row->type,
		.filter = 0,
		.closed_filter = -1,
		.remove_filter = -1,
		.tz = tz};
	struct feature_set *set = set_of(&def);
	struct features *features = NULL;
	struct features *copy = NULL;
	struct fold_result result;
	struct buf_reader rd;
	struct buf blob;

	assert_int_equal(features_create(set, &features), SG_OK);
	for (size_t i = 0; i < row->nevents; i++)
		feed(set, features, &row->events[i], (int64_t)i, &result);
	expect(row, set, features, "");
	buf_init(&blob, 65536);
	features_encode(set, features, &blob);
	buf_reader_init(&rd, blob.bytes, blob.len);
	assert_int_equal(features_decode(set, NULL, &rd, &copy), SG_OK);
	expect(row, set, copy, " (loaded)");
	buf_fini(&blob);
	features_destroy(features);
	features_destroy(copy);
	feature_set_destroy(set);
}

static void
check_all(const struct row *rows, size_t n, const struct tz *tz)
{
	for (size_t i = 0; i < n; i++)
		check(&rows[i], tz);
}

static void
one_value_is_told_by_event_time(void **state)
{
	static const struct row rows[] = {
		{"nothing yet", FEATURE_last, &type_int, 0, {{0}}, 0, 0,
			"absent", AT_NEVER},
		{"last is the latest in time, not in arrival", FEATURE_last,
			&type_int, 0, {{2, INT(1), 1, 0}, {1, INT(2), 1, 0}}, 2,
			9, "1", AT_NEVER},
		{"last of two at once is the later offset", FEATURE_last,
			&type_int, 0, {{1, INT(1), 1, 0}, {1, INT(2), 1, 0}}, 2,
			9, "2", AT_NEVER},
		{"first of two at once is the earlier offset", FEATURE_first,
			&type_int, 0, {{1, INT(1), 1, 0}, {1, INT(2), 1, 0}}, 2,
			9, "1", AT_NEVER},
		{"first is the earliest in time", FEATURE_first, &type_int, 0,
			{{2, INT(1), 1, 0}, {1, INT(2), 1, 0}}, 2, 9, "2",
			AT_NEVER},
		{"last becomes null", FEATURE_last, &type_string, 0,
			{{1, TEXT("a"), 1, 0}, {2, NOTHING, 1, 0}}, 2, 9,
			"null", AT_NEVER},
		{"first skips null", FEATURE_first, &type_string, 0,
			{{1, NOTHING, 1, 0}, {2, TEXT("a"), 1, 0}}, 2, 9,
			"\"a\"", AT_NEVER},
		{"an event the filter leaves out is none", FEATURE_last,
			&type_int, 0, {{1, INT(1), 1, 0}, {2, INT(2), 2, 0}}, 2,
			9, "1", AT_NEVER},
		{"a text of 8 bytes", FEATURE_last, &type_string, 0,
			{{1, TEXT("a long one at first"), 1, 0},
				{2, TEXT("12345678"), 1, 0}},
			2, 9, "\"12345678\"", AT_NEVER},
		{"a text of 9 bytes", FEATURE_last, &type_string, 0,
			{{1, TEXT("12345678"), 1, 0},
				{2, TEXT("123456789"), 1, 0}},
			2, 9, "\"123456789\"", AT_NEVER},
		{"an empty text", FEATURE_last, &type_string, 0,
			{{1, TEXT("123456789"), 1, 0}, {2, TEXT(""), 1, 0}}, 2,
			9, "\"\"", AT_NEVER},
		{"latest is the greatest, whenever", FEATURE_latest,
			&type_timestamp, 0,
			{{1, TIME(100), 1, 0}, {2, TIME(99), 1, 0}}, 2, 9,
			"\"1970-01-01T00:01:40Z\"", AT_NEVER},
		{"latest skips null", FEATURE_latest, &type_double, 0,
			{{1, DOUBLE(-2.5), 1, 0}, {2, NOTHING, 1, 0}}, 2, 9,
			"-2.5", AT_NEVER},
		{"a true", FEATURE_last, &type_bool, 0, {{1, BOOL(1), 1, 0}}, 1,
			9, "true", AT_NEVER},
		{"the future is visible at once", FEATURE_last, &type_int, 0,
			{{DAY, INT(7), 1, DAY}}, 1, 0, "7", AT_NEVER},
	};

	(void)state;
	check_all(rows, SG_COUNTOF(rows), NULL);
}

static void
a_window_covers_the_tiles_that_overlap_it(void **state)
{
	static const struct row rows[] = {
		{"an empty count is 0", FEATURE_count, NULL, HOUR, {{0}}, 0, 0,
			"0", AT_NEVER},
		{"a tile leaves a window after its end", FEATURE_count, NULL,
			HOUR, {{0, NOTHING, 1, 0}}, 1, 0, "1", HOUR + MINUTE},
		{"it is there to the last millisecond", FEATURE_count, NULL,
			HOUR, {{MINUTE - 1, NOTHING, 1, 0}}, 1,
			HOUR + MINUTE - 1, "1", HOUR + MINUTE},
		{"and gone then", FEATURE_count, NULL, HOUR,
			{{0, NOTHING, 1, 0}}, 1, HOUR + MINUTE, "0", AT_NEVER},
		{"above 1 h tiles are 5 min", FEATURE_count, NULL, HOUR + 1,
			{{0, NOTHING, 1, 0}}, 1, 0, "1", HOUR + 1 + 5 * MINUTE},
		{"5 h too", FEATURE_count, NULL, 5 * HOUR, {{0, NOTHING, 1, 0}},
			1, 0, "1", 5 * HOUR + 5 * MINUTE},
		{"above 5 h tiles are 1 h", FEATURE_count, NULL, 5 * HOUR + 1,
			{{0, NOTHING, 1, 0}}, 1, 0, "1", 6 * HOUR + 1},
		{"60 h too", FEATURE_count, NULL, 60 * HOUR,
			{{0, NOTHING, 1, 0}}, 1, 0, "1", 61 * HOUR},
		{"above 60 h tiles are days", FEATURE_count, NULL,
			60 * HOUR + 1, {{0, NOTHING, 1, 0}}, 1, 0, "1",
			84 * HOUR + 1},
		{"400 d", FEATURE_count, NULL, 400 * DAY, {{0, NOTHING, 1, 0}},
			1, 400 * DAY, "1", 401 * DAY},
		{"the future counts when its tile begins", FEATURE_count, NULL,
			HOUR, {{10 * MINUTE + 5, NOTHING, 1, DAY}}, 1, 0, "0",
			10 * MINUTE},
		{"a clock ahead makes no one late", FEATURE_count, NULL, HOUR,
			{{DAY, NOTHING, 1, DAY}, {0, NOTHING, 1, 0}}, 2, 0, "1",
			HOUR + MINUTE},
		{"the oldest tile that is not late", FEATURE_count, NULL, HOUR,
			{{HOUR, NOTHING, 1, 0}, {0, NOTHING, 1, 0}}, 2, HOUR,
			"2", HOUR + MINUTE},
		{"a later event makes room", FEATURE_count, NULL, HOUR,
			{{0, NOTHING, 1, 0}, {HOUR + MINUTE, NOTHING, 1, 0}}, 2,
			HOUR, "0", HOUR + MINUTE},
		{"since ever", FEATURE_count, NULL, 0,
			{{900 * DAY, NOTHING, 1, 0}, {0, NOTHING, 1, 0}}, 2, 0,
			"2", AT_NEVER},
		{"a count of a field skips null", FEATURE_count, &type_int,
			HOUR, {{0, NOTHING, 1, 0}, {0, INT(5), 1, 0}}, 2, 0,
			"1", HOUR + MINUTE},
	};

	(void)state;
	check_all(rows, SG_COUNTOF(rows), NULL);
}

static void
sums_are_exact_or_an_error(void **state)
{
	static const struct row rows[] = {
		{"an empty sum is 0", FEATURE_sum, &type_int, HOUR, {{0}}, 0, 0,
			"0", AT_NEVER},
		{"an empty sum of doubles", FEATURE_sum, &type_double, HOUR,
			{{0}}, 0, 0, "0", AT_NEVER},
		{"tenths", FEATURE_sum, &type_double, HOUR,
			{{0, DOUBLE(0.1), 1, 0}, {1, DOUBLE(0.2), 1, 0},
				{MINUTE, DOUBLE(0.3), 1, 0}},
			3, MINUTE, "0.6", HOUR + MINUTE},
		{"large and small", FEATURE_sum, &type_double, HOUR,
			{{0, DOUBLE(1e17), 1, 0}, {0, DOUBLE(0.5), 1, 0},
				{0, DOUBLE(-1e17), 1, 0}},
			3, 0, "0.5", HOUR + MINUTE},
		{"the greatest int", FEATURE_sum, &type_int, HOUR,
			{{0, INT(INT64_MAX), 1, 0}}, 1, 0,
			"9223372036854775807", HOUR + MINUTE},
		{"one more is an error", FEATURE_sum, &type_int, HOUR,
			{{0, INT(INT64_MAX), 1, 0}, {MINUTE, INT(1), 1, 0}}, 2,
			MINUTE, "error", HOUR + MINUTE},
		{"until it leaves", FEATURE_sum, &type_int, HOUR,
			{{0, INT(INT64_MAX), 1, 0}, {MINUTE, INT(1), 1, 0}}, 2,
			HOUR + MINUTE, "1", HOUR + 2 * MINUTE},
		{"and back is none", FEATURE_sum, &type_int, HOUR,
			{{0, INT(INT64_MAX), 1, 0}, {0, INT(1), 1, 0},
				{0, INT(-1), 1, 0}},
			3, 0, "9223372036854775807", HOUR + MINUTE},
		{"a uint below 0 cannot be", FEATURE_sum, &type_uint, HOUR,
			{{0, UINT(UINT64_MAX), 1, 0}, {0, UINT(1), 1, 0}}, 2, 0,
			"error", HOUR + MINUTE},
		{"infinity", FEATURE_sum, &type_double, HOUR,
			{{0, DOUBLE(1.0 / 0.0), 1, 0}, {0, DOUBLE(1), 1, 0}}, 2,
			0, "error", HOUR + MINUTE},
		{"not a number is skipped", FEATURE_sum, &type_double, HOUR,
			{{0, DOUBLE(0.0 / 0.0), 1, 0}, {0, DOUBLE(1), 1, 0}}, 2,
			0, "1", HOUR + MINUTE},
		{"beyond 1e18", FEATURE_sum, &type_double, HOUR,
			{{0, DOUBLE(1.1e18), 1, 0}}, 1, 0, "error",
			HOUR + MINUTE},
		{"spans", FEATURE_sum, &type_duration, HOUR,
			{{0, SPAN(90), 1, 0}, {0, SPAN(-30), 1, 0}}, 2, 0,
			"\"60s\"", HOUR + MINUTE},
		{"a mean", FEATURE_mean, &type_int, HOUR,
			{{0, INT(1), 1, 0}, {0, INT(2), 1, 0}}, 2, 0, "1.5",
			HOUR + MINUTE},
		{"a mean of nothing", FEATURE_mean, &type_int, HOUR, {{0}}, 0,
			0, "absent", AT_NEVER},
		{"a mean of an error", FEATURE_mean, &type_double, HOUR,
			{{0, DOUBLE(2e18), 1, 0}}, 1, 0, "error",
			HOUR + MINUTE},
	};

	(void)state;
	check_all(rows, SG_COUNTOF(rows), NULL);
}

static void
extremes_leave_with_their_tile(void **state)
{
	static const struct row rows[] = {
		{"no minimum", FEATURE_min, &type_int, HOUR, {{0}}, 0, 0,
			"absent", AT_NEVER},
		{"minimum", FEATURE_min, &type_int, HOUR,
			{{0, INT(3), 1, 0}, {MINUTE, INT(-300), 1, 0},
				{MINUTE, INT(70000), 1, 0}},
			3, MINUTE, "-300", HOUR + MINUTE},
		{"maximum has left", FEATURE_max, &type_int, HOUR,
			{{0, INT(9), 1, 0}, {MINUTE, INT(-300), 1, 0}}, 2,
			HOUR + MINUTE, "-300", HOUR + 2 * MINUTE},
		{"doubles below zero", FEATURE_max, &type_double, HOUR,
			{{0, DOUBLE(-1.5), 1, 0}, {0, DOUBLE(-0.25), 1, 0}}, 2,
			0, "-0.25", HOUR + MINUTE},
		{"not a number is no maximum", FEATURE_max, &type_double, HOUR,
			{{0, DOUBLE(0.0 / 0.0), 1, 0}, {0, DOUBLE(-1), 1, 0}},
			2, 0, "-1", HOUR + MINUTE},
		{"the greatest uint", FEATURE_max, &type_uint, HOUR,
			{{0, UINT(UINT64_MAX), 1, 0}, {0, UINT(1), 1, 0}}, 2, 0,
			"18446744073709551615", HOUR + MINUTE},
		{"times before 1970", FEATURE_min, &type_timestamp, HOUR,
			{{0, TIME(-1), 1, 0}, {0, TIME(1), 1, 0}}, 2, 0,
			"\"1969-12-31T23:59:59Z\"", HOUR + MINUTE},
	};

	(void)state;
	check_all(rows, SG_COUNTOF(rows), NULL);
}

static void
rate_and_trend_compare_windows(void **state)
{
	static const struct row rows[] = {
		{"a rate is a day's", FEATURE_rate, NULL, 10 * DAY,
			{{0, NOTHING, 1, 0}, {DAY, NOTHING, 1, 0}}, 2, DAY,
			"0.2", 11 * DAY},
		{"of a sum", FEATURE_rate, &type_int, 10 * DAY,
			{{0, INT(30), 1, 0}}, 1, 0, "3", 11 * DAY},
		{"of nothing", FEATURE_rate, NULL, DAY, {{0}}, 0, 0, "0",
			AT_NEVER},
		{"no trend without a past", FEATURE_trend, NULL, 10 * DAY,
			{{DAY, NOTHING, 1, 0}}, 1, DAY, "absent", 11 * DAY},
		{"twice as much", FEATURE_trend, NULL, 10 * DAY,
			{{0, NOTHING, 1, 0}, {12 * DAY, NOTHING, 1, 0},
				{12 * DAY, NOTHING, 1, 0}},
			3, 12 * DAY, "2", 21 * DAY},
		{"all gone", FEATURE_trend, NULL, 10 * DAY,
			{{0, NOTHING, 1, 0}}, 1, 12 * DAY, "0", 21 * DAY},
		{"and forgotten", FEATURE_trend, NULL, 10 * DAY,
			{{0, NOTHING, 1, 0}}, 1, 21 * DAY, "absent", AT_NEVER},
	};

	(void)state;
	check_all(rows, SG_COUNTOF(rows), NULL);
}

static void
distinct_values_leave_with_their_newest_tile(void **state)
{
	static const struct row rows[] = {
		{"none", FEATURE_distinct, &type_string, HOUR, {{0}}, 0, 0, "0",
			AT_NEVER},
		{"the same once", FEATURE_distinct, &type_string, HOUR,
			{{0, TEXT("a"), 1, 0}, {MINUTE, TEXT("a"), 1, 0},
				{0, TEXT("b"), 1, 0}},
			3, MINUTE, "2", HOUR + MINUTE},
		{"seen again, it stays", FEATURE_distinct, &type_string, HOUR,
			{{0, TEXT("a"), 1, 0}, {MINUTE, TEXT("a"), 1, 0},
				{0, TEXT("b"), 1, 0}},
			3, HOUR + MINUTE, "1", HOUR + 2 * MINUTE},
		{"now and in the future", FEATURE_distinct, &type_string, HOUR,
			{{0, TEXT("a"), 1, 0},
				{2 * HOUR, TEXT("a"), 1, 2 * HOUR}},
			2, 0, "1", HOUR + MINUTE},
		{"between the two", FEATURE_distinct, &type_string, HOUR,
			{{0, TEXT("a"), 1, 0},
				{2 * HOUR, TEXT("a"), 1, 2 * HOUR}},
			2, HOUR + MINUTE, "0", 2 * HOUR},
		{"the future has come", FEATURE_distinct, &type_string, HOUR,
			{{0, TEXT("a"), 1, 0},
				{2 * MINUTE, TEXT("a"), 1, 2 * MINUTE},
				{2 * MINUTE, TEXT("b"), 1, 0}},
			3, 2 * MINUTE, "2", HOUR + 3 * MINUTE},
		{"0 and -0 are one number", FEATURE_distinct, &type_double,
			HOUR, {{0, DOUBLE(0.0), 1, 0}, {0, DOUBLE(-0.0), 1, 0}},
			2, 0, "1", HOUR + MINUTE},
	};

	(void)state;
	check_all(rows, SG_COUNTOF(rows), NULL);
}

static void
days_are_those_of_the_calendar(void **state)
{
	static const struct row utc[] = {
		{"no streak", FEATURE_streak, NULL, 0, {{0}}, 0, 0, "0",
			AT_NEVER},
		{"today", FEATURE_streak, NULL, 0, {{0, NOTHING, 1, 0}}, 1, 0,
			"1", 2 * DAY},
		{"yesterday still", FEATURE_streak, NULL, 0,
			{{0, NOTHING, 1, 0}}, 1, 2 * DAY - 1, "1", 2 * DAY},
		{"and not the day after", FEATURE_streak, NULL, 0,
			{{0, NOTHING, 1, 0}}, 1, 2 * DAY, "0", AT_NEVER},
		{"a hole is filled late", FEATURE_streak, NULL, 0,
			{{0, NOTHING, 1, 0}, {2 * DAY, NOTHING, 1, 0},
				{DAY, NOTHING, 1, 0}},
			3, 2 * DAY, "3", 4 * DAY},
		{"never", FEATURE_days_since, NULL, 0, {{0}}, 0, 0, "absent",
			AT_NEVER},
		{"the same day", FEATURE_days_since, NULL, 0,
			{{1, NOTHING, 1, 0}}, 1, DAY - 1, "0", DAY},
		{"a calendar day, not 24 hours", FEATURE_days_since, NULL, 0,
			{{DAY - 1, NOTHING, 1, 0}}, 1, DAY, "1", 2 * DAY},
		{"a thousand", FEATURE_days_since, NULL, 0,
			{{0, NOTHING, 1, 0}}, 1, 1000 * DAY, "1000",
			1001 * DAY},
		{"an event to come", FEATURE_days_since, NULL, 0,
			{{DAY, NOTHING, 1, DAY}}, 1, DAY - 1, "absent", DAY},
	};
	/* Berlin is at +1 in March, at +2 from the 31st. */
	static const struct row berlin[] = {
		{"an hour before the next day", FEATURE_days_since, NULL, 0,
			{{22 * HOUR, NOTHING, 1, 0}}, 1, 22 * HOUR, "0",
			23 * HOUR},
		{"is the day before", FEATURE_days_since, NULL, 0,
			{{22 * HOUR, NOTHING, 1, 0}}, 1, 23 * HOUR, "1",
			47 * HOUR},
		{"a day of 23 hours", FEATURE_streak, NULL, 0,
			{{29 * DAY + 12 * HOUR, NOTHING, 1, 0}}, 1,
			29 * DAY + 12 * HOUR, "1", 31 * DAY - 2 * HOUR},
	};

	(void)state;
	check_all(utc, SG_COUNTOF(utc), NULL);
	check_all(berlin, SG_COUNTOF(berlin), tz_open("Europe/Berlin", 13));
}

static void
a_streak_ends_at_its_maximum(void **state)
{
	struct feature_def def = {.name = "streak",
		.kind = FEATURE_streak,
		.slot = -1,
		.filter = -1,
		.closed_filter = -1,
		.remove_filter = -1};
	struct feature_set *set = set_of(&def);
	struct features *features = NULL;
	struct fold_result result;

	(void)state;
	assert_int_equal(features_create(set, &features), SG_OK);
	for (int64_t day = 1; day <= FEATURE_STREAK_MAX + 50; day++) {
		struct fed fed = {day * DAY, NOTHING, 0, 0};
		struct value v;
		int64_t until;

		feed(set, features, &fed, day, &result);
		features_value(
			set, features, 0, BASE + day * DAY, NULL, &v, &until);
		assert_int_equal(v.as.i,
			day < FEATURE_STREAK_MAX ? day : FEATURE_STREAK_MAX);
	}
	features_destroy(features);
	feature_set_destroy(set);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_value_is_told_by_event_time),
		cmocka_unit_test(a_window_covers_the_tiles_that_overlap_it),
		cmocka_unit_test(sums_are_exact_or_an_error),
		cmocka_unit_test(extremes_leave_with_their_tile),
		cmocka_unit_test(rate_and_trend_compare_windows),
		cmocka_unit_test(distinct_values_leave_with_their_newest_tile),
		cmocka_unit_test(days_are_those_of_the_calendar),
		cmocka_unit_test(a_streak_ends_at_its_maximum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
