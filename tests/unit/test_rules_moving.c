/*
 * test_rules_moving.c - the exact instant at which a result changes.
 *
 * test_rules_until.c shows that valid_until is never late; here it is shown
 * to be exact where it matters, and that what did not decide does not count.
 * `until` is in ms after NOW_MS, 2024-02-29T12:00:00.500Z; NEVER is AT_NEVER.
 */
#include "test_rules_env.h"

#define NEVER INT64_MAX

struct row {
	const char *source;
	const char *want;
	int64_t until;
};

static void
check_rows(struct fixture *fx, const struct row *rows, size_t n)
{
	struct cel_host host = {.load = fixture_load, .ctx = fx};
	struct buf buf;

	buf_init(&buf, 1 << 16);
	for (size_t i = 0; i < n; i++) {
		struct cel_prog *prog = fixture_compile(fx, rows[i].source);
		struct cel_result result =
			cel_eval(prog, fx->frame, &host, NOW_MS);
		int64_t until = result.valid_until_ms == AT_NEVER
					? NEVER
					: result.valid_until_ms - NOW_MS;

		fixture_text(prog, result.value, &buf);
		if (strcmp(buf_cstr(&buf), rows[i].want) != 0 ||
			until != rows[i].until)
			fail_msg("%s: %s until %lld, not %s until %lld",
				rows[i].source, buf_cstr(&buf),
				(long long)until, rows[i].want,
				(long long)rows[i].until);
		cel_prog_destroy(prog);
	}
	buf_fini(&buf);
}

#define T500 "timestamp('2024-02-29T12:00:00.500Z')" /* now */
#define T501 "timestamp('2024-02-29T12:00:00.501Z')"
#define T499 "timestamp('2024-02-29T12:00:00.499Z')"
#define T500N "timestamp('2024-02-29T12:00:00.500000001Z')"

static void
comparisons_flip_to_the_millisecond(void **state)
{
	static const struct row rows[] = {
		{"now < " T501, "true", 1},
		{"now < " T500, "false", NEVER},
		{"now <= " T500, "true", 1},
		{"now <= " T499, "false", NEVER},
		{"now <= " T501, "true", 2},
		{"now > " T500, "false", 1},
		{"now > " T501, "false", 2},
		{"now > " T499, "true", NEVER},
		{"now >= " T501, "false", 1},
		{"now >= " T500, "true", NEVER},
		{"now == " T500, "true", 1},
		{"now == " T501, "false", 1},
		{"now == " T499, "false", NEVER},
		{"now != " T500, "false", 1},
		{"now != " T501, "true", 1},
		/* A nanosecond after a millisecond is reached by the next. */
		{"now >= " T500N, "false", 1},
		{"now <= " T500N, "true", 1},
		{"now == " T500N, "false", NEVER},
		{T501 " > now", "true", 1},
		{"now - account.created >= days(14)", "false",
			4 * CIVIL_DAY_MS},
		{"now - account.created > days(14)", "false",
			4 * CIVIL_DAY_MS + 1},
		{"account.created + days(14) <= now", "false",
			4 * CIVIL_DAY_MS},
		{"account.created - now <= -days(14)", "false",
			4 * CIVIL_DAY_MS},
		{"variables.age >= days(14)", "false", 4 * CIVIL_DAY_MS},
		/* Both sides move: at twice the speed, or not at all. */
		{"now - account.created > account.created + days(30) - now",
			"false", 5 * CIVIL_DAY_MS + 1},
		{"now - account.created == variables.age", "true", NEVER},
		{"now - now == seconds(0)", "true", NEVER},
	};

	check_rows(*state, rows, SG_COUNTOF(rows));
}

static void
calendars_turn_at_their_boundaries(void **state)
{
	static const struct row rows[] = {
		{"now.getMilliseconds()", "500", 1},
		{"now.getSeconds()", "0", 500},
		{"now.getMinutes()", "0", 59500},
		{"now.getHours()", "12", 3599500},
		{"now.getDate()", "29", 12 * 3600000 - 500},
		{"now.getDayOfMonth()", "28", 12 * 3600000 - 500},
		{"now.getDayOfWeek()", "4", 12 * 3600000 - 500},
		{"now.getDayOfYear()", "59", 12 * 3600000 - 500},
		{"now.getMonth()", "1", 12 * 3600000 - 500},
		{"now.getFullYear()", "2024",
			INT64_C(306) * 86400000 + 12 * 3600000 - 500},
		{"now.getDate('Australia/Sydney')", "29",
			1 * 3600000 - 500 + 0 * 3600000},
		{"now.getMinutes('Asia/Kathmandu')", "45", 59500},
		{"now.getHours('Asia/Kathmandu')", "17", 15 * 60000 - 500},
		{"int(now)", "1709208000", 500},
		{"string(now)", "\"2024-02-29T12:00:00.500Z\"", 1},
		{"account.created.getFullYear()", "2024", NEVER},
		{"variables.age.getHours()", "240", 3600000},
		{"(account.created - now).getHours()", "-240", 3600000},
		{"(now - " T501 ").getSeconds()", "0", 1001},
		{"(" T501 " - now).getSeconds()", "0", 1001},
		{"(" T501 " - now).getMilliseconds()", "1", 1},
		{"(now + seconds(3) - " T501 ").getSeconds()", "2", 1},
	};

	check_rows(*state, rows, SG_COUNTOF(rows));
}

static void
only_what_decides_counts(void **state)
{
	static const struct row rows[] = {
		{"now < " T501 " && now.getHours() == 12", "true", 1},
		{"now > " T501 " && now.getHours() == 12", "false", 2},
		{"now.getHours() == 13 && now > " T501, "false", 3599500},
		/* The first is true and flips; the second is false. */
		{"now < " T501 " && now.getHours() == 13", "false", 3599500},
		{"now < " T501 " || now.getHours() == 12", "true", 1},
		{"now > " T501 " || now.getHours() == 12", "true", 3599500},
		{"now > " T501 " || now.getHours() == 13", "false", 2},
		{"account.bad > 1 && now.getHours() == 13", "false", 3599500},
		{"account.bad > 1 && now.getHours() == 12", "error: bad", 1000},
		{"account.bad > 1 || now.getHours() == 12", "true", 3599500},
		{"now < " T501 " ? 1 : now.getMilliseconds()", "1", 1},
		{"now > " T501 " ? now.getMilliseconds() : 1", "1", 2},
		{"usage.logins_14d >= 2", "true", 3600000},
		{"usage.logins_14d >= 2 || now < " T501, "true", 3600000},
		{"false && now < " T501, "false", NEVER},
		{"[" T499 ", " T501 "].exists(t, t < now)", "true", NEVER},
		{"[" T500 ", " T501 "].exists(t, t < now)", "false", 1},
		{"[" T500 ", " T501 "].all(t, t <= now)", "false", 1},
		{"[" T499 ", " T500 "].all(t, t <= now)", "true", NEVER},
		{"contracts.filter(c, has(c.ends_at) && c.ends_at > now)"
		 ".size()",
			"1", 86400000 - 500},
		{"contracts.exists(c, has(c.ends_at) && c.ends_at > now)",
			"true", 86400000 - 500},
		{"contracts.map(c, has(c.ends_at) && c.ends_at < now, c.arr)"
		 ".sum()",
			"2500.5", 86400000 - 499},
		{"now in [" T501 ", " T499 "]", "false", 1},
		{"now in [" T501 ", " T500 "]", "true", 1},
		{"[now, " T501 "].max() == " T501, "true", 1},
		{"[now, " T501 "].isSorted()", "true", 2},
		{"[" T501 ", now].sort()[0] == now", "true", 1},
		{"cel.bind(t, now - days(1), t < account.created)", "false",
			NEVER},
	};

	check_rows(*state, rows, SG_COUNTOF(rows));
}

static void
moving_results_keep_their_slope(void **state)
{
	struct fixture *fx = *state;
	struct cel_host host = {.load = fixture_load, .ctx = fx};
	static const struct {
		const char *source;
		int slope;
		bool is_fixed;
	} rows[] = {{"now", 1, false}, {"account.created - now", -1, false},
		{"now + variables.age", 2, false}, {"now - now", 0, true},
		{"account.created", 0, true}, {"[now][0]", 1, false},
		{"[days(1), variables.age].sum()", 1, false},
		{"[account.created, now].map(t, t - days(1))", 0, false},
		{"{'a': now}", 0, false}, {"contracts", 0, true}};

	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct cel_prog *prog = fixture_compile(fx, rows[i].source);
		struct cel_result result =
			cel_eval(prog, fx->frame, &host, NOW_MS);
		int64_t fixed = cel_fixed_until(&result, NOW_MS);

		if (result.value.slope != rows[i].slope)
			fail_msg("%s: slope %d", rows[i].source,
				result.value.slope);
		assert_true(result.valid_until_ms > NOW_MS + 1000);
		assert_true((fixed == NOW_MS + 1) == !rows[i].is_fixed);
		cel_prog_destroy(prog);
	}
}

static void
ranges_end_at_an_instant_too(void **state)
{
	struct fixture *fx = *state;
	struct cel_host host = {.load = fixture_load, .ctx = fx};
	/* 9999-12-31T23:59:59.000Z */
	static const int64_t last_ms = INT64_C(253402300799000);
	static const struct {
		const char *source;
		int64_t at_ms;
		bool is_error;
		int64_t until_ms;
	} rows[] = {
		{"now > account.created", last_ms, false, last_ms + 1000},
		{"now + seconds(1) > account.created", last_ms, true, NEVER},
		{"now + duration('999ms') > account.created", last_ms, false,
			last_ms + 1},
		{"now - seconds(2) > account.created", last_ms, false, NEVER},
		{"now > account.created", last_ms + 1000, true, NEVER},
		{"now + seconds(1) > account.created", NOW_MS, false, NEVER},
		{"now - account.created > days(1)", NOW_MS, false, NEVER},
		/* now is 1 ms before the first year, and comes in. */
		{"now < account.created", INT64_C(-62135596800001), true,
			INT64_C(-62135596800000)},
	};

	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct cel_prog *prog = fixture_compile(fx, rows[i].source);
		struct cel_result result =
			cel_eval(prog, fx->frame, &host, rows[i].at_ms);
		bool is_error = result.value.kind == VALUE_ERROR;

		if (is_error != rows[i].is_error ||
			(rows[i].until_ms != NEVER &&
				result.valid_until_ms != rows[i].until_ms))
			fail_msg("row %zu: %s until %lld", i, rows[i].source,
				(long long)result.valid_until_ms);
		cel_prog_destroy(prog);
	}
}

/* Every getter, in zones that change their offset by an hour or half of one,
 * forwards and backwards in time, around the changes: what was promised at one
 * instant is what is found at all later ones before valid_until. */
static void
getters_survive_changes_of_the_clock(void **state)
{
	struct fixture *fx = *state;
	struct cel_host host = {.load = fixture_load, .ctx = fx};
	static const char *const getters[] = {"getFullYear", "getMonth",
		"getDate", "getDayOfWeek", "getDayOfYear", "getHours",
		"getMinutes"};
	static const char *const zones[] = {"Europe/Berlin", "America/New_York",
		"Australia/Lord_Howe", "America/Santiago", "Africa/Cairo"};
	/* The clocks of each go forward and back. */
	static const int64_t changes_s[][2] = {{1711846800, 1729990800},
		{1710054000, 1730613600}, {1728142200, 1712415600},
		{1725768000, 1712458800}, {1714082400, 1730408400}};
	static const char *const forms[] = {"now.%s('%s')",
		"(account.created - (now - account.created)).%s('%s')"};
	const int64_t created_ms = NOW_MS - 10 * CIVIL_DAY_MS;

	for (size_t i = 0; i < SG_COUNTOF(getters) * SG_COUNTOF(zones) * 4;
		i++) {
		size_t zone = i / 4 % SG_COUNTOF(zones);
		int64_t middle = changes_s[zone][i / 2 % 2] * 1000;
		char source[160];
		struct cel_prog *prog;
		int64_t want = 0, until = INT64_MIN;

		(void)snprintf(source, sizeof(source), forms[i % 2],
			getters[i / 4 / SG_COUNTOF(zones)], zones[zone]);
		if (i % 2 == 1)
			middle = 2 * created_ms - middle;
		prog = fixture_compile(fx, source);
		for (int64_t at = middle - 30 * 3600000 + 123;
			at < middle + 30 * 3600000; at += 599977) {
			struct cel_result result =
				cel_eval(prog, fx->frame, &host, at);

			assert_int_equal(result.value.kind, VALUE_INT);
			if (at < until && result.value.as.i != want)
				fail_msg("%s: at %lld %lld, promised %lld "
					 "until %lld",
					source, (long long)at,
					(long long)result.value.as.i,
					(long long)want, (long long)until);
			if (at >= until) {
				want = result.value.as.i;
				until = result.valid_until_ms;
			}
		}
		cel_prog_destroy(prog);
	}
}

#define RULES_TEST(name)                                                       \
	cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RULES_TEST(comparisons_flip_to_the_millisecond),
		RULES_TEST(calendars_turn_at_their_boundaries),
		RULES_TEST(only_what_decides_counts),
		RULES_TEST(moving_results_keep_their_slope),
		RULES_TEST(ranges_end_at_an_instant_too),
		RULES_TEST(getters_survive_changes_of_the_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
