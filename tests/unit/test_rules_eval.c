/*
 * test_rules_eval.c - what expressions come to. The official cases
 * (tests/conformance) cover the language; here is what they do not: names,
 * nulls, absent values, records, functions of ours, and the edges of the
 * library.
 */
#include "test_rules_env.h"

struct row {
	const char *source;
	const char *want; /* JSON, or "error: ..." */
};

static void
check_rows(struct fixture *fx, const struct row *rows, size_t n)
{
	struct cel_host host = {.load = fixture_load, .ctx = fx};
	struct buf buf;

	buf_init(&buf, 1 << 20);
	for (size_t i = 0; i < n; i++) {
		struct cel_prog *prog = fixture_compile(fx, rows[i].source);
		struct cel_result result =
			cel_eval(prog, fx->frame, &host, NOW_MS);

		fixture_text(prog, result.value, &buf);
		if (strcmp(buf_cstr(&buf), rows[i].want) != 0)
			fail_msg("%s: %s, not %s", rows[i].source,
				buf_cstr(&buf), rows[i].want);
		cel_prog_destroy(prog);
	}
	buf_fini(&buf);
}

static void
names_are_read_from_the_host(void **state)
{
	static const struct row rows[] = {
		{"account.arr >= 100000.0", "true"},
		{"account.arr", "150000"},
		{"100000.0 <= account.arr", "true"},
		{"account.seats == 30", "true"},
		{"account.seats == 30.0", "true"},
		{"account.industry == 'retail'", "true"},
		{"account.industry != 'retail'", "false"},
		{"account.industry in ['finance', 'retail']", "true"},
		{"account.industry.startsWith('re')", "true"},
		{"any + 1", "8"},
		{"any == 7.0", "true"},
		{"any + 'x'", "error: no such overload"},
		{"labels.tier", "\"gold\""},
		{"labels.tier == 'gold' && labels.rank > 4", "true"},
		{"labels.nothing", "error: no such key"},
		{"labels['rank']", "5"},
		{".account.seats", "30"},
		{"[1, 2].map(account, account + 1)", "[2,3]"},
	};

	check_rows(*state, rows, SG_COUNTOF(rows));
}

static void
absent_and_null_values_are_errors_to_read(void **state)
{
	static const struct row rows[] = {
		{"account.gone", "error: the name has no value"},
		{"account.gone > 1", "error: the name has no value"},
		{"account.gone > 1 || true", "true"},
		{"account.gone > 1 && false", "false"},
		{"account.gone > 1 && true", "error: the name has no value"},
		{"has(account.gone)", "false"},
		{"has(account.gone) ? account.gone : 5", "5"},
		{"account.gone == null", "error: the name has no value"},
		{"has(account.arr)", "true"},
		{"has(account.parent)", "false"},
		{"account.parent == null", "true"},
		{"account.parent != null", "false"},
		{"account.parent == 'x'", "false"},
		{"account.parent + 'x'", "error: null where a value is needed"},
		{"account.parent.size()",
			"error: null where a value is needed"},
		{"account.parent < 'x'", "error: null where a value is needed"},
		{"trial && true", "true"},
		{"account.bad", "error: bad"},
		{"has(account.bad)", "error: bad"},
		{"account.bad > 3 ? 1 : 2", "error: bad"},
		{"[account.bad, 1].size()", "error: bad"},
		{"{'a': account.bad}", "error: bad"},
	};

	check_rows(*state, rows, SG_COUNTOF(rows));
}

static void
records_are_selected_by_name(void **state)
{
	static const struct row rows[] = {
		{"contracts.map(c, c.id)", "[\"a\",\"b\",\"c\"]"},
		{"contracts[0].arr", "1000"},
		{"contracts[1].arr", "error: no such field"},
		{"contracts.filter(c, has(c.arr)).map(c, c.arr).sum()",
			"3500.5"},
		{"contracts.filter(c, has(c.ends_at) && c.ends_at > now)"
		 ".map(c, c.id)",
			"[\"a\"]"},
		{"contracts[1].ends_at == null", "true"},
		{"contracts.exists_one(c, c.id == 'b')", "true"},
		{"contracts.map(c, has(c.arr), c.arr).max()", "2500.5"},
		{"contracts[3]", "error: index out of range"},
		{"contracts[0] == contracts[0]", "true"},
		{"contracts[0] == contracts[1]", "false"},
		{"contracts.all(c, c.arr > 0.0)", "error: no such field"},
		{"contracts.all(c, c.arr > 2000.0)", "false"},
		{"contracts.exists(i, c, i == 2 && c.id == 'c')", "true"},
	};

	check_rows(*state, rows, SG_COUNTOF(rows));
}

static void
spans_and_time(void **state)
{
	static const struct row rows[] = {
		{"now", "\"2024-02-29T12:00:00.500Z\""},
		{"now - days(14)", "\"2024-02-15T12:00:00.500Z\""},
		{"days(2) == duration('48h')", "true"},
		{"hours(1) + minutes(1) + seconds(1)", "\"3661s\""},
		{"-hours(1)", "\"-3600s\""},
		{"days(200000)", "error: duration out of range"},
		{"now - account.created == days(10)", "true"},
		{"int(now)", "1709208000"},
		{"int(days(1))", "86400"},
		{"string(now)", "\"2024-02-29T12:00:00.500Z\""},
		{"now.getDayOfWeek()", "4"},
		{"now.getHours('Europe/Berlin')", "13"},
		{"now.getHours('+02:00')", "14"},
		{"now.getHours(account.industry)",
			"error: time zone not known"},
		{"duration('-1.5s').getMilliseconds()", "-500"},
		{"duration('-90s').getMinutes()", "-1"},
		{"[days(1), hours(1)].sum()", "\"90000s\""},
		{"[days(1), hours(1)].min()", "\"3600s\""},
		{"variables.age >= days(10)", "true"},
	};

	check_rows(*state, rows, SG_COUNTOF(rows));
}

static void
lists_as_a_whole(void **state)
{
	static const struct row rows[] = {
		{"[3, 1, 2].sort()", "[1,2,3]"},
		{"[3, 1.5, 2u].sort()", "[1.5,2,3]"},
		{"['b', 'a'].sort()", "[\"a\",\"b\"]"},
		{"[1, 'a'].sort()", "error: no such overload"},
		{"[double('nan'), 1.0].sort()", "error: NaN has no order"},
		{"[].sort()", "[]"},
		{"[1, 1.0, 2, 1u].distinct()", "[1,2]"},
		{"[[1], [1.0]].distinct()", "[[1]]"},
		{"[1, 2, 3].sum()", "6"},
		{"[1.5, 2.5].sum()", "4"},
		{"[].sum()", "0"},
		{"[9223372036854775807, 1].sum()", "error: integer overflow"},
		{"[1, 2.5].sum()", "error: no such overload"},
		{"[2, 3, 1].min()", "1"},
		{"[2, 3, 1].max()", "3"},
		{"[].max()", "error: the list is empty"},
		{"[1, 2, 2].isSorted()", "true"},
		{"[2, 1].isSorted()", "false"},
		{"[].isSorted()", "true"},
		{"[5, 6, 5].indexOf(5)", "0"},
		{"[5, 6, 5].lastIndexOf(5.0)", "2"},
		{"[5].indexOf(6)", "-1"},
		{"[1, 2, 3].reverse()", "[3,2,1]"},
		{"[1, 2, 3].slice(1, 3)", "[2,3]"},
		{"[1, 2, 3].slice(2, 1)", "error: index out of range"},
		{"[1] + [] + ['a']", "[1,\"a\"]"},
		{"1 in [2, 1.0]", "true"},
		{"2 in {1: 0, 2u: 0}", "true"},
	};

	check_rows(*state, rows, SG_COUNTOF(rows));
}

static void
texts_count_code_points(void **state)
{
	static const struct row rows[] = {
		{"size('\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xb1')", "3"},
		{"'a\xc3\xa4z'.substring(1, 2)", "\"\xc3\xa4\""},
		{"'a\xc3\xa4z'.indexOf('z')", "2"},
		{"'a\xc3\xa4z'.charAt(3)", "\"\""},
		{"'a\xc3\xa4z'.charAt(4)", "error: index out of range"},
		{"'abc'.replace('', '-')", "\"-a-b-c-\""},
		{"'abc'.replace('', '-', 2)", "\"-a-bc\""},
		{"'aaa'.replace('aa', 'b')", "\"ba\""},
		{"'a,b,c'.split(',', 2)", "[\"a\",\"b,c\"]"},
		{"'abc'.split('')", "[\"a\",\"b\",\"c\"]"},
		{"''.split('')", "[]"},
		{"''.split(',')", "[\"\"]"},
		{"',a,'.split(',')", "[\"\",\"a\",\"\"]"},
		{"[].join(',')", "\"\""},
		{"['a', 'b'].join()", "\"ab\""},
		{"'  '.trim()", "\"\""},
		{"'abc'.substring(2, 1)", "error: invalid substring range"},
		{"'abc'.substring(-1)", "error: index out of range"},
		{"'aba'.lastIndexOf('a')", "2"},
		{"'aba'.lastIndexOf('a', 1)", "0"},
		{"'aba'.lastIndexOf('', 0)", "0"},
	};

	check_rows(*state, rows, SG_COUNTOF(rows));
}

static void
numbers_keep_to_their_range(void **state)
{
	static const struct row rows[] = {
		{"math.greatest(account.seats, 3u, 7.5)", "30"},
		{"math.least([account.arr, 1.0])", "1"},
		{"math.round(2.5) + math.floor(-0.5)", "2"},
		{"['a'].exists(strings, strings.contains('a'))", "true"},
		{"['a'].exists(math, math.size() == 1)", "true"},
		{"'%s: %.1f, %d%%'.format([account.industry, 2.25, 7])",
			"\"retail: 2.2, 7%\""},
		{"'%d'.format([1.5])",
			"error: a format clause does not take its argument"},
		{"'%q'.format([1])", "error: a format clause is malformed"},
		{"'%.101f'.format([1.0])",
			"error: a format clause is malformed"},
		{"'%s'.format([contracts[0]])", "error: %s does not take this"},
		{"base64.decode('YQ==') == b'a'", "true"},
		{"base64.decode('YQ=')", "error: the text is no base64"},
		{"base64.decode('Y')", "error: the text is no base64"},
		{"9223372036854775807 + 0", "9223372036854775807"},
		{"-9223372036854775808", "-9223372036854775808"},
		{"-9223372036854775808 % -1", "0"},
		{"7 / -2", "-3"},
		{"-7 % 3", "-1"},
		{"1.0 / 0.0 > 1e308", "true"},
		{"0.1 + 0.2 == 0.3", "false"},
		{"double('1.7976931348623157e308')", "1.7976931348623157e+308"},
		{"double('1e309') == 1.0 / 0.0", "true"},
		{"double('2.4703282292062328e-324')", "5e-324"},
		{"double('2.4703282292062327e-324')", "0"},
		{"double('9007199254740993')", "9007199254740992"},
		{"double('9007199254740992.99999999999999999999')",
			"9007199254740992"},
		{"double('9007199254740993.00000000000000000001')",
			"9007199254740994"},
		{"double('8.5e')", "error: the text is no number"},
		{"string(0.1)", "\"0.1\""},
		{"string(1e21)", "\"1e+21\""},
		{"string(123456789012345680000.0)",
			"\"123456789012345680000\""},
		{"string(1.0)", "\"1\""},
		{"string(-0.0)", "\"-0\""},
		{"string(0.000001)", "\"1e-06\""},
		{"string(5e-324)", "\"5e-324\""},
		{"int('-9223372036854775808')", "-9223372036854775808"},
		{"int('9223372036854775808')", "error: the text is no int"},
		{"uint(-0.5)", "error: the number is out of range"},
		{"18446744073709551615u == 18446744073709551615.0", "true"},
		{"-1 < 0u", "true"},
		{"1 in [1u]", "true"},
	};

	check_rows(*state, rows, SG_COUNTOF(rows));
}

static void
host_values_of_another_type_are_no_danger(void **state)
{
	/* `account.seats` is declared int; the slot of a string is loaded. */
	struct fixture *fx = *state;
	struct cel_env *env = NULL;
	struct cel_host host = {.load = fixture_load, .ctx = fx};
	static const char *const sources[] = {"n + 1 > 2", "n == 1",
		"n > 1 && n < 3", "-n", "[n].sum()", "n in [1]"};

	assert_int_equal(cel_env_create(0, &env), SG_OK);
	assert_int_equal(
		cel_env_declare(env, "n", &type_int, SLOT_INDUSTRY), SG_OK);
	for (size_t i = 0; i < SG_COUNTOF(sources); i++) {
		struct cel_prog *prog = NULL;
		struct cel_result result;

		assert_int_equal(
			cel_compile(env, sources[i], strlen(sources[i]), NULL,
				&fx->diags, &prog),
			SG_OK);
		result = cel_eval(prog, fx->frame, &host, NOW_MS);
		assert_true(
			result.value.kind == VALUE_ERROR || !result.value.as.b);
		cel_prog_destroy(prog);
	}
	cel_env_destroy(env);
}

static void
the_result_is_held_to_the_wanted_type(void **state)
{
	struct fixture *fx = *state;
	struct cel_host host = {.load = fixture_load, .ctx = fx};
	static const struct {
		const char *source;
		const char *want;
	} rows[] = {{"trial", "true"}, {"any == 7 ? trial : trial", "true"},
		{"any", "error: the result is of another type"},
		{"true || any", "true"},
		{"account.parent == null ? null : trial",
			"error: the result is null"}};
	struct buf buf;

	buf_init(&buf, 1000);
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct cel_prog *prog = NULL;

		if (cel_compile(fx->env, rows[i].source, strlen(rows[i].source),
			    &type_bool, &fx->diags, &prog) != SG_OK)
			fail_msg("%s: %s", rows[i].source,
				fx->diags.items[0].text);
		fixture_text(prog,
			cel_eval(prog, fx->frame, &host, NOW_MS).value, &buf);
		assert_string_equal(buf_cstr(&buf), rows[i].want);
		cel_prog_destroy(prog);
	}
	buf_fini(&buf);
}

static void
a_name_read_twice_is_loaded_once(void **state)
{
	struct fixture *fx = *state;
	struct cel_host host = {.load = fixture_load, .ctx = fx};
	struct cel_prog *prog = fixture_compile(fx,
		"account.seats > 1 && account.seats < 100 && "
		"account.seats + account.seats == 60");

	fx->loads = 0;
	assert_true(cel_eval(prog, fx->frame, &host, NOW_MS).value.as.b);
	assert_int_equal(fx->loads, 1);
	assert_true(cel_eval(prog, fx->frame, &host, NOW_MS).value.as.b);
	assert_int_equal(fx->loads, 2);
	cel_prog_destroy(prog);
}

static void
a_program_knows_what_it_reads(void **state)
{
	struct fixture *fx = *state;
	struct cel_prog *prog =
		fixture_compile(fx, "usage.logins_14d > 1 || account.arr > 5.0 "
				    "&& has(account.gone) "
				    "&& account.arr < 9.0");
	const uint32_t *slots;
	size_t n;

	slots = cel_prog_slots(prog, &n);
	assert_int_equal(n, 3);
	assert_int_equal(slots[0], SLOT_ARR);
	assert_int_equal(slots[1], SLOT_GONE);
	assert_int_equal(slots[2], SLOT_LOGINS);
	assert_int_equal(cel_prog_type(prog)->kind, TYPE_BOOL);
	cel_prog_destroy(prog);
	prog = fixture_compile(fx, "now.getHours() > 8");
	(void)cel_prog_slots(prog, &n);
	assert_int_equal(n, 0);
	assert_string_equal(cel_prog_source(prog), "now.getHours() > 8");
	cel_prog_destroy(prog);
}

/* account.industry is the name of a zone here. */
static void
load_zone(void *ctx, uint32_t slot, int64_t now_ms, struct value *ret_value,
	int64_t *ret_valid_until_ms)
{
	const char *const *name = ctx;

	(void)now_ms;
	*ret_valid_until_ms = AT_NEVER;
	*ret_value = value_absent();
	if (slot == SLOT_INDUSTRY && *name != NULL)
		*ret_value = value_string(*name, (uint32_t)strlen(*name));
}

static void
a_getter_without_a_zone_reads_it(void **state)
{
	static const struct {
		const char *zone, *source, *want;
		int64_t until_ms; /* in the hour of now; 0: never */
		size_t nslots;
	} rows[] = {
		{"Asia/Tokyo", "now.getDate()", "29", 10799500, 1},
		{"Asia/Tokyo", "now.getHours()", "21", 3599500, 1},
		{"Asia/Kolkata", "now.getHours()", "17", 1799500, 1},
		{"America/Lima", "now.getHours() == 7", "true", 3599500, 1},
		{"Mars/Olympus", "now.getHours()", "error: time zone not known",
			0, 1},
		{"Mars/Olympus", "now.getHours() == 7 || true", "true", 0, 1},
		{NULL, "now.getHours()", "error: the name has no value", 0, 1},
		/* What names its zone, and what has none, does not ask. */
		{"Mars/Olympus", "now.getHours('Asia/Tokyo')", "21", 3599500,
			0},
		{"Mars/Olympus", "duration('3h').getHours()", "3", 0, 0},
		{"Mars/Olympus", "dyn(duration('3h')).getHours()", "3", 0, 1},
		/* A constant is one for each account. */
		{"Asia/Tokyo",
			"timestamp('2024-12-31T20:00:00Z').getFullYear()",
			"2025", 0, 1},
		{"Asia/Tokyo", "dyn(1).getHours()", "error: no such overload",
			0, 1},
	};
	struct fixture *fx = *state;
	struct buf buf;

	assert_int_equal(
		cel_env_timezone_name(fx->env, "nobody"), SG_BAD_OPTION);
	assert_int_equal(
		cel_env_timezone_name(fx->env, "account.industry"), SG_OK);
	buf_init(&buf, 1 << 20);
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		const char *zone = rows[i].zone;
		struct cel_host host = {.load = load_zone, .ctx = &zone};
		struct cel_prog *prog = fixture_compile(fx, rows[i].source);
		struct cel_result result =
			cel_eval(prog, fx->frame, &host, NOW_MS);
		size_t nslots;

		fixture_text(prog, result.value, &buf);
		(void)cel_prog_slots(prog, &nslots);
		if (strcmp(buf_cstr(&buf), rows[i].want) != 0 ||
			nslots != rows[i].nslots ||
			result.valid_until_ms !=
				(rows[i].until_ms == 0
						? AT_NEVER
						: NOW_MS + rows[i].until_ms))
			fail_msg("%s in %s: %s, %zu slots, for %lld ms",
				rows[i].source, zone, buf_cstr(&buf), nslots,
				(long long)(result.valid_until_ms - NOW_MS));
		cel_prog_destroy(prog);
	}
	buf_fini(&buf);
}

#define RULES_TEST(name)                                                       \
	cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RULES_TEST(names_are_read_from_the_host),
		RULES_TEST(absent_and_null_values_are_errors_to_read),
		RULES_TEST(records_are_selected_by_name),
		RULES_TEST(spans_and_time),
		RULES_TEST(a_getter_without_a_zone_reads_it),
		RULES_TEST(lists_as_a_whole),
		RULES_TEST(texts_count_code_points),
		RULES_TEST(numbers_keep_to_their_range),
		RULES_TEST(host_values_of_another_type_are_no_danger),
		RULES_TEST(the_result_is_held_to_the_wanted_type),
		RULES_TEST(a_name_read_twice_is_loaded_once),
		RULES_TEST(a_program_knows_what_it_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
