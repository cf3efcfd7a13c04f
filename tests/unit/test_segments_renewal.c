/*
 * Renewal windows at their edges, and against a naive reading of the calendar:
 * days are counted one by one, midnights are searched for minute by minute.
 */
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "segmentd/segments.h"

#define MINUTE_MS INT64_C(60000)

static const struct renewal_def usual = {.days = {120, 90, 60, 30}, .ndays = 4};

static const struct tz *
zone(const char *name)
{
	const struct tz *tz = tz_open(name, strlen(name));

	if (tz == NULL)
		fail_msg("%s is not known: is tzdata installed?", name);
	return tz;
}

static int64_t
ms(const char *text)
{
	int64_t seconds = 0;
	int32_t nanos = 0;

	if (!civil_parse(text, strlen(text), false, &seconds, &nanos))
		fail_msg("%s is no time", text);
	return seconds * 1000 + nanos / 1000000;
}

/* --- rows --------------------------------------------------------------- */

struct row {
	const char *name;
	const char *zone;
	const char *date;
	const char *now;
	int16_t window; /* 0: T-120 ... 3: T-30, 4: due, 5: overdue */
	int64_t days_left;
	const char *window_until; /* NULL: never */
	const char *days_until;
};

static const struct row rows[] = {
	{"long before", "UTC", "2026-10-01T15:00:00Z", "2026-01-01T00:00:00Z",
		SEAT_NONE, 273, "2026-06-03T00:00:00Z", "2026-01-02T00:00:00Z"},
	{"a millisecond before T-120", "UTC", "2026-10-01T15:00:00Z",
		"2026-06-02T23:59:59.999Z", SEAT_NONE, 121,
		"2026-06-03T00:00:00Z", "2026-06-03T00:00:00Z"},
	{"T-120 begins", "UTC", "2026-10-01T15:00:00Z", "2026-06-03T00:00:00Z",
		0, 120, "2026-07-03T00:00:00Z", "2026-06-04T00:00:00Z"},
	{"the last window before the day", "UTC", "2026-10-01T15:00:00Z",
		"2026-09-30T23:59:59.999Z", 3, 1, "2026-10-01T00:00:00Z",
		"2026-10-01T00:00:00Z"},
	{"the day, before its hour", "UTC", "2026-10-01T15:00:00Z",
		"2026-10-01T00:00:00Z", 4, 0, "2026-10-02T00:00:00Z",
		"2026-10-02T00:00:00Z"},
	{"the day, after its hour", "UTC", "2026-10-01T15:00:00Z",
		"2026-10-01T23:59:59.999Z", 4, 0, "2026-10-02T00:00:00Z",
		"2026-10-02T00:00:00Z"},
	{"the day after", "UTC", "2026-10-01T00:00:00Z", "2026-10-02T00:00:00Z",
		5, -1, NULL, "2026-10-03T00:00:00Z"},
	{"before 1970", "UTC", "1969-12-31T23:59:59.999Z",
		"1969-12-01T23:59:59.999Z", 3, 30, "1969-12-31T00:00:00Z",
		"1969-12-02T00:00:00Z"},
	{"another day where it is local", "Asia/Tokyo", "2026-10-01T15:00:00Z",
		"2026-06-03T14:59:59.999Z", SEAT_NONE, 121,
		"2026-06-03T15:00:00Z", "2026-06-03T15:00:00Z"},
	/* Years that are over: of those to come, zones may still decide. */
	{"over both changes of the clocks", "Europe/Berlin",
		"2019-11-01T00:00:00Z", "2019-03-01T00:00:00Z", SEAT_NONE, 245,
		"2019-07-03T22:00:00Z", "2019-03-01T23:00:00Z"},
	{"a midnight that is skipped", "America/Santiago",
		"2019-10-08T15:00:00Z", "2019-09-08T03:59:59.999Z", 2, 31,
		"2019-09-08T04:00:00Z", "2019-09-08T04:00:00Z"},
	{"a midnight that comes twice", "America/Havana",
		"2015-12-01T15:00:00Z", "2015-11-01T04:30:00Z", 3, 30,
		"2015-12-01T05:00:00Z", "2015-11-02T05:00:00Z"},
	{"a day that comes twice", "America/St_Johns", "2010-12-07T15:00:00Z",
		"2010-11-07T02:45:00Z", 3, 30, "2010-12-07T03:30:00Z",
		"2010-11-08T03:30:00Z"},
	{"a day that was skipped", "Pacific/Apia", "2011-12-31T15:00:00Z",
		"2011-12-30T09:59:59.999Z", 3, 3, "2011-12-31T10:00:00Z",
		"2011-12-30T10:00:00Z"},
	{"Feb 29", "UTC", "2028-03-30T00:00:00Z", "2028-02-29T00:00:00Z", 3, 30,
		"2028-03-30T00:00:00Z", "2028-03-01T00:00:00Z"},
	{"no Feb 29", "UTC", "2026-03-30T00:00:00Z", "2026-02-28T00:00:00Z", 3,
		30, "2026-03-30T00:00:00Z", "2026-03-01T00:00:00Z"},
	{"1900 was none", "UTC", "1900-03-30T00:00:00Z", "1900-02-28T00:00:00Z",
		3, 30, "1900-03-30T00:00:00Z", "1900-03-01T00:00:00Z"},
};

static void
windows_begin_at_local_midnights(void **state)
{
	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		const struct row *row = &rows[i];
		struct renewal_state rs;

		renewal_at(&usual, zone(row->zone), ms(row->date), ms(row->now),
			&rs);
		if (rs.window != row->window ||
			rs.days_left != row->days_left ||
			rs.window_until_ms !=
				(row->window_until == NULL
						? AT_NEVER
						: ms(row->window_until)) ||
			rs.days_until_ms != ms(row->days_until))
			fail_msg("%s: window %d, %lld days, until %lld, %lld",
				row->name, rs.window, (long long)rs.days_left,
				(long long)rs.window_until_ms,
				(long long)rs.days_until_ms);
	}
}

static void
the_segments_are_named_after_their_days(void **state)
{
	static const char *const want[] = {
		"T-120", "T-90", "T-60", "T-30", "due", "overdue"};
	struct renewal_names names;
	struct segmentation_def def;

	(void)state;
	renewal_segmentation(&usual, &names, &def);
	assert_string_equal(def.name, "renewal");
	assert_int_equal(def.kind, SEGMENTATION_EXCLUSIVE);
	assert_int_equal(def.nsegments, SG_COUNTOF(want));
	for (size_t i = 0; i < SG_COUNTOF(want); i++)
		assert_string_equal(def.segments[i], want[i]);
	assert_int_equal(def.min_stay_ms + def.cooldown_ms, 0);
}

static void
a_definition_may_have_as_many_windows_as_allowed(void **state)
{
	struct renewal_def def = {.ndays = RENEWAL_WINDOWS_MAX};
	struct renewal_names names;
	struct segmentation_def seg;
	struct renewal_state rs;

	(void)state;
	for (size_t i = 0; i < def.ndays; i++)
		def.days[i] = 3650 - 100 * (int32_t)i;
	renewal_segmentation(&def, &names, &seg);
	assert_int_equal(seg.nsegments, RENEWAL_WINDOWS_MAX + 2);
	assert_string_equal(seg.segments[0], "T-3650");
	assert_string_equal(seg.segments[31], "T-550");
	renewal_at(&def, zone("UTC"), ms("2026-01-01"), ms("2024-06-29"), &rs);
	assert_int_equal(rs.window, 30);
	renewal_at(&def, zone("UTC"), ms("2026-01-01"), ms("2024-06-30"), &rs);
	assert_int_equal(rs.window, 31);
}

/* Dates nobody means: no overflow, and no window that ends in the past. */
static void
dates_outside_any_calendar_are_harmless(void **state)
{
	static const int64_t dates[] = {INT64_MIN, INT64_MIN + 1,
		-INT64_C(253402300800001), INT64_C(253402300800001),
		INT64_MAX - 1, INT64_MAX};
	int64_t now = ms("2026-01-01T12:00:00Z");

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(dates); i++) {
		struct renewal_state rs;

		renewal_at(&usual, zone("Europe/Berlin"), dates[i], now, &rs);
		assert_int_equal(rs.window, dates[i] < 0 ? 5 : SEAT_NONE);
		assert_true(dates[i] < 0 ? rs.days_left < -1000000
					 : rs.days_left > 1000000);
		assert_true(rs.window_until_ms > now);
		assert_int_equal(rs.days_until_ms, ms("2026-01-01T23:00:00Z"));
	}
}

/* --- against the calendar, read naively --------------------------------- */

struct random {
	uint64_t seed;
};

static int64_t
below(struct random *rnd, int64_t n)
{
	rnd->seed = rnd->seed * UINT64_C(6364136223846793005) +
		    UINT64_C(1442695040888963407);
	return (int64_t)((rnd->seed >> 16) % (uint64_t)n);
}

static int64_t
naive_local_day(const struct tz *tz, int64_t at_ms)
{
	int64_t seconds = (at_ms - (at_ms % 1000 + 1000) % 1000) / 1000;
	int64_t local = seconds + tz_offset(tz, seconds);

	return (local - (local % 86400 + 86400) % 86400) / 86400;
}

/* The first minute at which a local day has begun. */
static int64_t
naive_begin(const struct tz *tz, int64_t day)
{
	int64_t at = day * CIVIL_DAY_MS - CIVIL_DAY_MS;

	while (naive_local_day(tz, at) < day)
		at += MINUTE_MS;
	return at;
}

/* Days between, counted by walking over their beginnings. */
static int64_t
naive_days(const struct tz *tz, int64_t date_ms, int64_t now_ms)
{
	int64_t due = naive_local_day(tz, date_ms);
	int64_t day = naive_local_day(tz, now_ms);
	int64_t n = 0;

	while (naive_begin(tz, day + 1) <= now_ms)
		day++;
	for (; day < due; day++)
		n++;
	for (; day > due; day--)
		n--;
	return n;
}

static int16_t
naive_window(const struct renewal_def *def, int64_t days_left)
{
	int16_t window = SEAT_NONE;

	if (days_left < 0)
		return (int16_t)(def->ndays + 1);
	if (days_left == 0)
		return (int16_t)def->ndays;
	for (size_t i = 0; i < def->ndays; i++) {
		if (days_left <= def->days[i])
			window = (int16_t)i;
	}
	return window;
}

static void
check_naive(const struct renewal_def *def, const struct tz *tz, int64_t date_ms,
	int64_t now_ms)
{
	int64_t days_left = naive_days(tz, date_ms, now_ms);
	struct renewal_state rs, at;

	renewal_at(def, tz, date_ms, now_ms, &rs);
	if (rs.days_left != days_left ||
		rs.window != naive_window(def, days_left))
		fail_msg("%s date %" PRId64 " now %" PRId64 ": %d, %lld days, "
			 "not %d, %lld",
			tz_name(tz), date_ms, now_ms, rs.window,
			(long long)rs.days_left, naive_window(def, days_left),
			(long long)days_left);
	/* The instants: nothing changes before them, and something at them. */
	assert_true(rs.days_until_ms > now_ms);
	renewal_at(def, tz, date_ms, rs.days_until_ms - 1, &at);
	assert_int_equal(at.days_left, rs.days_left);
	renewal_at(def, tz, date_ms, rs.days_until_ms, &at);
	assert_true(at.days_left < rs.days_left);
	if (rs.window_until_ms == AT_NEVER) {
		assert_int_equal(rs.window, def->ndays + 1);
		return;
	}
	assert_true(rs.window_until_ms > now_ms);
	renewal_at(def, tz, date_ms, rs.window_until_ms - 1, &at);
	assert_int_equal(at.window, rs.window);
	renewal_at(def, tz, date_ms, rs.window_until_ms, &at);
	assert_true(at.window > rs.window);
}

static void
windows_agree_with_a_calendar_read_day_by_day(void **state)
{
	static const char *const zones[] = {"UTC", "America/New_York",
		"America/Santiago", "America/Havana", "America/Sao_Paulo",
		"America/St_Johns", "Europe/Berlin", "Europe/Dublin",
		"Asia/Beirut", "Asia/Kathmandu", "Asia/Gaza", "Africa/Cairo",
		"Africa/Casablanca", "Australia/Lord_Howe", "Pacific/Apia",
		"Pacific/Auckland", "Atlantic/Azores", "America/Nuuk",
		"+05:30"};
	int64_t from = ms("2003-01-01"), to = ms("2032-01-01");
	struct random rnd = {7};

	(void)state;
	for (int i = 0; i < 3000; i++) {
		const struct tz *tz =
			zone(zones[below(&rnd, (int64_t)SG_COUNTOF(zones))]);
		struct renewal_def def = {.days = {0}, .ndays = 0};
		int64_t date = from + below(&rnd, to - from);
		int64_t now = date - below(&rnd, 140) * CIVIL_DAY_MS +
			      below(&rnd, 3 * CIVIL_DAY_MS);
		int64_t change = tz_next_change(tz, now / 1000);
		int64_t days = 121;

		while (def.ndays < RENEWAL_WINDOWS_MAX && days > 1) {
			days -= 1 + below(&rnd, days - 1);
			def.days[def.ndays++] = (int32_t)days;
		}
		check_naive(&def, tz, date, now);
		/* Around a change of the clocks, where it is hard. */
		if (change == INT64_MAX)
			continue;
		now = change * 1000 + below(&rnd, 7200000) - 3600000;
		date = now + below(&rnd, 40 * CIVIL_DAY_MS);
		check_naive(&def, tz, date, now);
	}
}

/* Each row stands behind the one before it. */
static void
the_queue_is_ordered_by_priority_and_day(void **state)
{
	static const struct {
		const char *name;
		double priority;
		const char *date;
	} orders[] = {
		{"without end, sooner", INFINITY, "2024-10-02"},
		{"without end, later", INFINITY, "2024-10-03"},
		{"the largest", 1e300, "2024-10-02"},
		{"a cent more, a year later", 120000.01, "2025-10-02"},
		{"the day before", 120000, "2024-10-01T23:59:59Z"},
		{"the day after", 120000, "2024-10-02"},
		{"long ago is still less", 119999.99, "1970-01-01"},
		{"little", 1, "1970-01-02"},
		{"a fraction", 0.5, "2024-10-02"},
		{"nothing, sooner", 0, "2024-10-02"},
		{"nothing, later, and as good as nothing", -1e-12,
			"2024-10-03"},
		{"below nothing, sooner", -1, "2024-10-02"},
		{"below nothing, later", -1, "2024-10-03"},
		{"further below", -1.5, "1980-01-01"},
		{"no priority, sooner", NAN, "2024-10-02T00:00:00Z"},
		{"no priority, a second later", NAN, "2024-10-02T00:00:01Z"},
	};

	(void)state;
	for (size_t i = 1; i < SG_COUNTOF(orders); i++) {
		double before = renewal_score(
			orders[i - 1].priority, ms(orders[i - 1].date));
		double score =
			renewal_score(orders[i].priority, ms(orders[i].date));

		if (!(score < before))
			fail_msg("%s: %.17g, not below %.17g", orders[i].name,
				score, before);
	}
	/* A person reads the priority, and the hour does not matter. */
	assert_true(fabs(renewal_score(120000, ms("2024-10-02")) - 120000) <
		    0.00001);
	assert_true(renewal_score(7, ms("2024-10-02T01:00:00Z")) ==
		    renewal_score(7, ms("2024-10-02T23:00:00Z")));
	assert_true(renewal_score(1, INT64_MIN) > renewal_score(1, INT64_MAX));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows_begin_at_local_midnights),
		cmocka_unit_test(the_segments_are_named_after_their_days),
		cmocka_unit_test(
			a_definition_may_have_as_many_windows_as_allowed),
		cmocka_unit_test(dates_outside_any_calendar_are_harmless),
		cmocka_unit_test(windows_agree_with_a_calendar_read_day_by_day),
		cmocka_unit_test(the_queue_is_ordered_by_priority_and_day),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
