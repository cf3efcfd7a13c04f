#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "segmentd/civil.h"

#define DAY INT64_C(86400)

static const char *const zones[] = {"America/New_York", "America/Sao_Paulo",
	"America/Havana", "Europe/Berlin", "Europe/Dublin", "Asia/Beirut",
	"Asia/Kolkata", "Asia/Kathmandu", "Africa/Casablanca",
	"Australia/Lord_Howe", "Pacific/Apia", "Pacific/Auckland",
	"Atlantic/Azores", "Antarctica/Troll"};

static const struct tz *
open_zone(const char *name)
{
	const struct tz *tz = tz_open(name, strlen(name));

	if (tz == NULL)
		fail_msg("%s is not known: is tzdata installed?", name);
	return tz;
}

static int64_t
utc(const char *text)
{
	int64_t seconds = 0;
	int32_t nanos;

	assert_true(civil_parse(text, strlen(text), true, &seconds, &nanos));
	return seconds;
}

static int64_t
day_of(const char *text)
{
	int64_t seconds = 0;
	int32_t nanos;

	assert_true(civil_parse(text, strlen(text), false, &seconds, &nanos));
	return seconds / DAY;
}

/* What glibc, which reads tzdata by itself, says. */
static void
glibc_zone(const char *name)
{
	assert_int_equal(setenv("TZ", name, 1), 0);
	tzset();
}

static int32_t
glibc_offset(int64_t seconds)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	assert_non_null(localtime_r(&t, &tm));
	return (int32_t)tm.tm_gmtoff;
}

/*
 * Until when our zones agree with glibc's. Explicit data ends in 2037; beyond
 * it GLib applies the zone's rule, and reads that of Dublin (whose standard
 * time is the summer's) the wrong way round.
 */
static int64_t
end_of_agreement(const char *name)
{
	return strcmp(name, "Europe/Dublin") == 0 ? utc("2037-12-01T00:00:00Z")
						  : utc("2099-12-01T00:00:00Z");
}

static void
offsets_are_those_of_glibc(void **state)
{
	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(zones); i++) {
		const struct tz *tz = open_zone(zones[i]);
		int64_t end = end_of_agreement(zones[i]);

		glibc_zone(zones[i]);
		/* Odd steps of about a day, so that all hours are met. */
		for (int64_t s = 0; s < end; s += 80021)
			if (tz_offset(tz, s) != glibc_offset(s))
				fail_msg("%s at %" PRId64, zones[i], s);
	}
}

static void
every_change_is_found_to_the_second(void **state)
{
	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(zones); i++) {
		const struct tz *tz = open_zone(zones[i]);
		int64_t end = utc("2037-01-01T00:00:00Z");
		int64_t s = 0;

		glibc_zone(zones[i]);
		while (s < end) {
			int64_t next = tz_next_change(tz, s);

			if (next == INT64_MAX) {
				s += 400 * DAY;
				if (glibc_offset(s - 1) != tz_offset(tz, s - 1))
					fail_msg("%s: %" PRId64, zones[i], s);
				continue;
			}
			assert_true(next > s);
			if (glibc_offset(next) == glibc_offset(next - 1) ||
				glibc_offset(next) != tz_offset(tz, next) ||
				glibc_offset(next - 1) !=
					tz_offset(tz, next - 1))
				fail_msg("%s: %" PRId64, zones[i], next);
			s = next;
		}
	}
}

static void
next_change_looks_400_days_ahead(void **state)
{
	const struct tz *berlin = open_zone("Europe/Berlin");
	const struct tz *kolkata = open_zone("Asia/Kolkata");
	const struct tz *nepal = open_zone("Asia/Kathmandu");
	/* Brazil gave up summer time: this was its last change. */
	const struct tz *sao_paulo = open_zone("America/Sao_Paulo");
	int64_t last = utc("2019-02-17T02:00:00Z");

	(void)state;
	assert_int_equal(tz_next_change(berlin, utc("2024-01-01T00:00:00Z")),
		utc("2024-03-31T01:00:00Z"));
	assert_int_equal(tz_next_change(berlin, utc("2024-03-31T01:00:00Z")),
		utc("2024-10-27T01:00:00Z"));
	assert_true(tz_next_change(kolkata, 1700000000) == INT64_MAX);
	assert_int_equal(tz_next_change(sao_paulo, last - 1), last);
	assert_true(tz_next_change(sao_paulo, last) == INT64_MAX);
	/* Nepal changed once, at the beginning of 1986. */
	assert_true(tz_next_change(nepal, utc("1984-11-25T00:00:00Z")) ==
		    INT64_MAX);
	assert_int_equal(tz_next_change(nepal, utc("1984-11-28T00:00:00Z")),
		utc("1985-12-31T18:30:00Z"));
	assert_true(tz_next_change(berlin, INT64_MAX) == INT64_MAX);
	assert_true(tz_next_change(berlin, INT64_MIN) == INT64_MAX);
	assert_true(tz_next_change(open_zone("UTC"), 0) == INT64_MAX);
}

static void
midnights_that_do_not_exist_or_come_twice(void **state)
{
	static const struct {
		const char *zone, *day, *want;
	} rows[] = {
		/* Plain days. */
		{"UTC", "2024-02-29", "2024-02-29T00:00:00Z"},
		{"+05:30", "2024-02-29", "2024-02-28T18:30:00Z"},
		{"Europe/Berlin", "2024-03-31", "2024-03-30T23:00:00Z"},
		{"Europe/Berlin", "2024-04-01", "2024-03-31T22:00:00Z"},
		{"Europe/Berlin", "2024-10-28", "2024-10-27T23:00:00Z"},
		/* 00:00 to 01:00: the day begins at one. */
		{"America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z"},
		{"Asia/Beirut", "2019-03-31", "2019-03-30T22:00:00Z"},
		{"America/Havana", "2018-03-11", "2018-03-11T05:00:00Z"},
		/* 00:00 back to 23:00: the day before has 25 hours. */
		{"America/Sao_Paulo", "2018-02-18", "2018-02-18T03:00:00Z"},
		{"Asia/Beirut", "2018-10-28", "2018-10-27T22:00:00Z"},
		/* 01:00 back to 00:00: two midnights. */
		{"America/Havana", "2018-11-04", "2018-11-04T04:00:00Z"},
		{"Atlantic/Azores", "2018-10-28", "2018-10-28T00:00:00Z"},
		/* 00:01 back to 23:01: also two, in two calendar days. */
		{"America/St_Johns", "2010-11-07", "2010-11-07T02:30:00Z"},
		/* Samoa skipped the 30th: it begins where the 31st does. */
		{"Pacific/Apia", "2011-12-29", "2011-12-29T10:00:00Z"},
		{"Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"},
		{"Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00Z"},
		{"Pacific/Apia", "2012-01-01", "2011-12-31T10:00:00Z"},
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		int64_t at = tz_midnight(
			open_zone(rows[i].zone), day_of(rows[i].day));
		char text[CIVIL_RFC3339_MAX];

		if (at != utc(rows[i].want)) {
			(void)civil_format(at, 0, text, sizeof(text));
			fail_msg("%s %s: %s", rows[i].zone, rows[i].day, text);
		}
	}
}

/* The date glibc shows at an instant, as days since 1970. */
static int64_t
glibc_day(int64_t seconds)
{
	int64_t local = seconds + glibc_offset(seconds);

	return local / DAY - (local % DAY < 0);
}

/*
 * By brute force: the first quarter of an hour whose local date is the day or
 * later. All changes since 1980 in these zones are at such quarters (but for
 * St. John's, which is not among them).
 */
static void
midnights_are_the_first_instant_of_the_day(void **state)
{
	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(zones); i++) {
		const struct tz *tz = open_zone(zones[i]);
		int64_t last = day_of("2030-01-01");

		glibc_zone(zones[i]);
		for (int64_t day = day_of("1980-01-02"); day < last; day++) {
			int64_t at = day * DAY - glibc_offset(day * DAY);

			/* Days far from a change need no search. */
			if (glibc_offset((day - 2) * DAY) !=
				glibc_offset((day + 2) * DAY)) {
				at = day * DAY - 16 * 3600;
				while (glibc_day(at) < day)
					at += 900;
			}
			if (tz_midnight(tz, day) != at)
				fail_msg("%s day %" PRId64 ": %" PRId64
					 " instead of %" PRId64,
					zones[i], day, tz_midnight(tz, day),
					at);
		}
	}
}

static void
local_fields_are_those_of_the_zone(void **state)
{
	const struct tz *tz = open_zone("America/New_York");
	struct civil civil;

	(void)state;
	tz_civil(tz, utc("2024-03-01T04:59:59Z"), &civil);
	assert_int_equal(civil.year, 2024);
	assert_int_equal(civil.month, 2);
	assert_int_equal(civil.day, 29);
	assert_int_equal(civil.hour, 23);
	assert_int_equal(civil.second, 59);
	assert_int_equal(civil.weekday, 4);
	assert_int_equal(civil.year_day, 59);
}

static void
names_of_the_system_and_fixed_offsets_are_known(void **state)
{
	static const struct {
		const char *name, *want;
		int32_t offset;
	} rows[] = {
		{"", "UTC", 0},
		{"UTC", "UTC", 0},
		{"Etc/UTC", "Etc/UTC", 0},
		{"Etc/GMT+5", "Etc/GMT+5", -18000},
		{"Europe/Berlin", "Europe/Berlin", 3600},
		{"America/Argentina/Buenos_Aires",
			"America/Argentina/Buenos_Aires", -10800},
		{"+02:00", "+02:00", 7200},
		{"-05:30", "-05:30", -19800},
		{"02:00", "+02:00", 7200},
		{"+23:59", "+23:59", 86340},
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		const struct tz *tz = open_zone(rows[i].name);

		assert_string_equal(tz_name(tz), rows[i].want);
		assert_int_equal(tz_offset(tz, 0), rows[i].offset);
		assert_ptr_equal(tz, open_zone(rows[i].name));
	}
	assert_ptr_equal(open_zone("02:00"), open_zone("+02:00"));
	/* The length counts. */
	assert_string_equal(
		tz_name(tz_open("Europe/Berlinale", 13)), "Europe/Berlin");
}

static void
what_is_no_zone_is_refused(void **state)
{
	static const char *const names[] = {"Nowhere/City", "Europe", "Europe/",
		"/usr/share/zoneinfo/Europe/Berlin",
		"../zoneinfo/Europe/Berlin", "./UTC", "zone.tab", "leapseconds",
		"right/Europe/Berlin", "FOO5", "EST5EDT,M3.2.0,M11.1.0", "+2",
		"+02", "+0200", "+24:00", "+02:60", "+2:00", "++2:00", "24:00",
		"utc ", " UTC", "Europe/Berlin ", "Europe\\Berlin", ":UTC", "-",
		"+", "\xff",
		"A/Name/That/Is/Longer/Than/Any/Name/Of/A/Zone/In/The/World"};

	char big[1000];

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(names); i++) {
		if (tz_open(names[i], strlen(names[i])) != NULL)
			fail_msg("%s", names[i]);
	}
	assert_null(tz_open("UTC\0x", 5));
	memset(big, 'A', sizeof(big));
	assert_null(tz_open(big, sizeof(big)));
}

static void
the_ends_of_time_are_no_trap(void **state)
{
	static const int64_t ends[] = {INT64_MIN, INT64_MAX};
	struct civil civil;

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(zones); i++) {
		const struct tz *tz = open_zone(zones[i]);

		for (size_t j = 0; j < SG_COUNTOF(ends); j++) {
			assert_in_range(
				tz_offset(tz, ends[j]) + 50000, 0, 100000);
			tz_civil(tz, ends[j], &civil);
			assert_in_range(civil.month, 1, 12);
			(void)tz_midnight(tz, ends[j]);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offsets_are_those_of_glibc),
		cmocka_unit_test(every_change_is_found_to_the_second),
		cmocka_unit_test(next_change_looks_400_days_ahead),
		cmocka_unit_test(midnights_that_do_not_exist_or_come_twice),
		cmocka_unit_test(midnights_are_the_first_instant_of_the_day),
		cmocka_unit_test(local_fields_are_those_of_the_zone),
		cmocka_unit_test(
			names_of_the_system_and_fixed_offsets_are_known),
		cmocka_unit_test(what_is_no_zone_is_refused),
		cmocka_unit_test(the_ends_of_time_are_no_trap),
	};

	return cmocka_run_group_tests_name("base_tz", tests, NULL, NULL);
}
