#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "segmentd/civil.h"

#define DAY INT64_C(86400)

static void
check_against_glibc(int64_t seconds)
{
	time_t t = (time_t)seconds;
	struct civil civil;
	struct tm tm;

	assert_non_null(gmtime_r(&t, &tm));
	civil_from_seconds(seconds, &civil);
	if (civil.year != (int64_t)tm.tm_year + 1900 ||
		civil.month != tm.tm_mon + 1 || civil.day != tm.tm_mday ||
		civil.hour != tm.tm_hour || civil.minute != tm.tm_min ||
		civil.second != tm.tm_sec || civil.weekday != tm.tm_wday ||
		civil.year_day != tm.tm_yday || civil.nanos != 0)
		fail_msg("%" PRId64, seconds);
	if (civil_days(civil.year, civil.month, civil.day) * DAY +
			civil.hour * 3600 + civil.minute * 60 + civil.second !=
		seconds)
		fail_msg("and back: %" PRId64, seconds);
}

static void
dates_are_those_of_glibc(void **state)
{
	(void)state;
	/* Every day from 1600 to 2400, at its first and last second. */
	for (int64_t day = -135140; day < 157054; day++) {
		check_against_glibc(day * DAY);
		check_against_glibc(day * DAY + DAY - 1);
	}
	/* And some seconds from about -31000 to +35000. */
	for (int64_t s = -INT64_C(1040000000000); s < INT64_C(1040000000000);
		s += INT64_C(20938271663))
		check_against_glibc(s);
}

static void
the_ends_of_int64_are_no_trap(void **state)
{
	static const int64_t ends[] = {
		INT64_MIN, INT64_MIN + 1, INT64_MAX - 1, INT64_MAX};
	struct civil civil;
	char text[CIVIL_RFC3339_MAX];

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(ends); i++) {
		civil_from_seconds(ends[i], &civil);
		assert_in_range(civil.month, 1, 12);
		civil_from_days(ends[i], &civil);
		assert_in_range(civil.month, 1, 12);
		(void)civil_days(ends[i], 2, 29);
		assert_int_not_equal(
			civil_format(ends[i], 999999999, text, sizeof(text)),
			0);
		assert_int_not_equal(
			civil_format_ms(ends[i], text, sizeof(text)), 0);
	}
	/* The longest text there is; it fills CIVIL_RFC3339_MAX. */
	(void)civil_format(INT64_MAX, 999999999, text, sizeof(text));
	assert_string_equal(text, "+292277026596-12-04T15:30:07.999999999Z");
}

struct parse_row {
	const char *text;
	int64_t seconds;
	int32_t nanos;
};

static void
rfc3339_is_read(void **state)
{
	static const struct parse_row rows[] = {
		{"1970-01-01T00:00:00Z", 0, 0},
		{"1970-01-01t00:00:00z", 0, 0},
		{"1969-12-31T23:59:59.999Z", -1, 999000000},
		{"1970-01-01T00:00:00.000000001Z", 0, 1},
		{"1970-01-01T00:00:00.1Z", 0, 100000000},
		{"1970-01-01T00:00:00.1234567899Z", 0, 123456789},
		{"1970-01-01T01:00:00+01:00", 0, 0},
		{"1969-12-31T18:30:00-05:30", 0, 0},
		{"1970-01-01T00:00:00-00:00", 0, 0},
		{"1970-01-01T23:59:00+23:59", 0, 0},
		{"2000-02-29T00:00:00Z", 951782400, 0},
		{"2024-02-29T12:00:00.5+01:00", 1709204400, 500000000},
		{"2016-12-31T23:59:60Z", 1483228800, 0},
		{"2017-01-01T00:59:60+01:00", 1483228800, 0},
		{"0000-01-01T00:00:00Z", -62167219200, 0},
		{"9999-12-31T23:59:59.999999999Z", 253402300799, 999999999},
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		for (int strict = 0; strict < 2; strict++) {
			int64_t seconds = 42;
			int32_t nanos = 42;

			if (!civil_parse(rows[i].text, strlen(rows[i].text),
				    strict == 1, &seconds, &nanos) ||
				seconds != rows[i].seconds ||
				nanos != rows[i].nanos)
				fail_msg("%s", rows[i].text);
		}
	}
}

static void
lenient_texts_are_utc_and_not_strict(void **state)
{
	static const struct parse_row rows[] = {
		{"1970-01-02", 86400, 0},
		{"1970-01-01 00:00:01Z", 1, 0},
		{"1970-01-01T00:00:01", 1, 0},
		{"1970-01-01 00:00:01.25", 1, 250000000},
		{"1970-01-01 00:00:01+00:01", -59, 0},
	};
	int64_t seconds;
	int32_t nanos;

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		size_t len = strlen(rows[i].text);

		if (!civil_parse(rows[i].text, len, false, &seconds, &nanos) ||
			seconds != rows[i].seconds || nanos != rows[i].nanos)
			fail_msg("%s", rows[i].text);
		if (civil_parse(rows[i].text, len, true, &seconds, &nanos))
			fail_msg("strict: %s", rows[i].text);
	}
}

static void
what_is_no_time_is_refused_and_writes_nothing(void **state)
{
	static const char *const rows[] = {"", "1970", "1970-01", "1970-1-1",
		"1970-01-01T", "1970-01-01T00", "1970-01-01T00:00",
		"1970-01-01T00:00Z", "1970-00-01T00:00:00Z",
		"1970-13-01T00:00:00Z", "1970-01-00T00:00:00Z",
		"1970-01-32T00:00:00Z", "1970-04-31T00:00:00Z",
		"1900-02-29T00:00:00Z", "2023-02-29", "1970-01-01T24:00:00Z",
		"1970-01-01T00:60:00Z", "1970-01-01T00:00:61Z",
		"1970-01-01T00:00:60Z", "2016-12-31T23:59:60+01:00",
		"1970-01-01T00:00:00.Z", "1970-01-01T00:00:00.",
		"1970-01-01T00:00:00,5Z", "1970-01-01T00:00:00+1:00",
		"1970-01-01T00:00:00+0100", "1970-01-01T00:00:00+24:00",
		"1970-01-01T00:00:00+01:60", "1970-01-01T00:00:00+",
		"1970-01-01T00:00:00ZZ", "1970-01-01T00:00:00Z ",
		" 1970-01-01T00:00:00Z", "+970-01-01T00:00:00Z",
		"-001-01-01T00:00:00Z", "1970/01/01", "1970-01-01Z",
		"19700101T000000Z", "1970-01-01T00:00: 1Z", "now"};
	int64_t seconds = 42;
	int32_t nanos = 43;

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		if (civil_parse(rows[i], strlen(rows[i]), false, &seconds,
			    &nanos) ||
			civil_parse(rows[i], strlen(rows[i]), true, &seconds,
				&nanos))
			fail_msg("%s", rows[i]);
	}
	assert_int_equal(seconds, 42);
	assert_int_equal(nanos, 43);
	assert_false(civil_parse(NULL, 0, false, &seconds, &nanos));
}

/* The length counts, not a NUL: the text may lie inside a record. */
static void
parsing_stops_at_the_length(void **state)
{
	static const char text[] = "1970-01-02T00:00:00Z9999";
	int64_t seconds;
	int32_t nanos;

	(void)state;
	for (size_t len = 0; len < sizeof(text); len++)
		assert_int_equal(civil_parse(text, len, true, &seconds, &nanos),
			len == 20);
	/* A NUL inside is no end. */
	assert_false(civil_parse(
		"1970-01-02\0T00:00:00", 20, false, &seconds, &nanos));
}

static void
a_text_has_the_decimals_it_needs(void **state)
{
	static const struct parse_row rows[] = {
		{"1970-01-01T00:00:00Z", 0, 0},
		{"1970-01-01T00:00:00.500Z", 0, 500000000},
		{"1970-01-01T00:00:00.001Z", 0, 1000000},
		{"1970-01-01T00:00:00.000001Z", 0, 1000},
		{"1970-01-01T00:00:00.123456Z", 0, 123456000},
		{"1970-01-01T00:00:00.000000001Z", 0, 1},
		{"1970-01-01T00:00:00.120000001Z", 0, 120000001},
		{"1969-12-31T23:59:59.999Z", -1, 999000000},
		{"0000-12-31T23:59:59Z", -62135596801, 0},
		{"9999-12-31T23:59:59Z", 253402300799, 0},
		{"+10000-01-01T00:00:00Z", 253402300800, 0},
		{"-0001-12-31T23:59:59Z", -62167219201, 0},
	};
	char text[CIVIL_RFC3339_MAX];

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		size_t len = civil_format(
			rows[i].seconds, rows[i].nanos, text, sizeof(text));

		assert_string_equal(text, rows[i].text);
		assert_int_equal(len, strlen(text));
	}
	(void)civil_format_ms(-1, text, sizeof(text));
	assert_string_equal(text, "1969-12-31T23:59:59.999Z");
	(void)civil_format_ms(1500, text, sizeof(text));
	assert_string_equal(text, "1970-01-01T00:00:01.500Z");
}

static void
a_text_without_room_is_empty_not_cut(void **state)
{
	char text[CIVIL_RFC3339_MAX];

	(void)state;
	assert_int_equal(civil_format(0, 0, text, 21), 20);
	text[0] = 'x';
	assert_int_equal(civil_format(0, 0, text, 20), 0);
	assert_string_equal(text, "");
	text[0] = 'x';
	assert_int_equal(civil_format(0, 0, text, 0), 0);
	assert_int_equal(text[0], 'x');
}

static void
spans_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t want; /* -1: refused */
	} rows[] = {
		{"500ms", 500},
		{"0s", 0},
		{"1s", 1000},
		{"90m", 5400000},
		{"1h30m", 5400000},
		{"14d", 14 * CIVIL_DAY_MS},
		{"2w", 14 * CIVIL_DAY_MS},
		{"1w1d1h1m1s1ms", 694861001},
		{"1m30ms", 60030},
		{"9223372036854775807ms", INT64_MAX},
		{"9223372036854775808ms", -1},
		{"15250284452w", INT64_C(15250284452) * 7 * CIVIL_DAY_MS},
		{"15250284453w", -1},
		{"106751991167d99999999999d", -1},
		{"", -1},
		{"5", -1},
		{"d", -1},
		{"-5d", -1},
		{"+5d", -1},
		{"5 d", -1},
		{" 5d", -1},
		{"5d ", -1},
		{"1.5h", -1},
		{"5D", -1},
		{"5y", -1},
		{"5mss", -1},
		{"30m1h", -1},
		{"1h1h", -1},
		{"5d3", -1},
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		int64_t ms = -1;
		bool is_span = civil_parse_span(
			rows[i].text, strlen(rows[i].text), &ms);

		if (is_span != (rows[i].want >= 0) || ms != rows[i].want)
			fail_msg("%s: %" PRId64, rows[i].text, ms);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates_are_those_of_glibc),
		cmocka_unit_test(the_ends_of_int64_are_no_trap),
		cmocka_unit_test(rfc3339_is_read),
		cmocka_unit_test(lenient_texts_are_utc_and_not_strict),
		cmocka_unit_test(what_is_no_time_is_refused_and_writes_nothing),
		cmocka_unit_test(parsing_stops_at_the_length),
		cmocka_unit_test(a_text_has_the_decimals_it_needs),
		cmocka_unit_test(a_text_without_room_is_empty_not_cut),
		cmocka_unit_test(spans_are_read),
	};

	return cmocka_run_group_tests_name("base_civil", tests, NULL, NULL);
}
