/*
 * test_rules_limits.c - hostile expressions: refused, or an error, in bounded
 * time and memory.
 */
#include "test_rules_env.h"

static char *
repeat(const char *head, const char *part, size_t n, const char *middle,
	const char *close, const char *tail)
{
	size_t len = strlen(head) + n * (strlen(part) + strlen(close)) +
		     strlen(middle) + strlen(tail);
	char *text = malloc(len + 1), *at = text;

	assert_non_null(text);
	at += snprintf(at, len + 1, "%s", head);
	for (size_t i = 0; i < n; i++)
		at += snprintf(at, len + 1 - (size_t)(at - text), "%s", part);
	at += snprintf(at, len + 1 - (size_t)(at - text), "%s", middle);
	for (size_t i = 0; i < n; i++)
		at += snprintf(at, len + 1 - (size_t)(at - text), "%s", close);
	(void)snprintf(at, len + 1 - (size_t)(at - text), "%s", tail);
	return text;
}

static void
depth_and_length_are_bounded(void **state)
{
	struct fixture *fx = *state;
	static const struct {
		const char *head, *part;
		size_t n;
		const char *middle, *close, *tail;
		bool is_ok;
	} rows[] = {
		{"", "(", CEL_DEPTH_MAX - 1, "1", ")", "", true},
		{"", "(", CEL_DEPTH_MAX, "1", ")", "", false},
		{"", "[", CEL_DEPTH_MAX - 1, "1", "]", "", true},
		{"", "[", 30000, "1", "]", "", false},
		{"", "!", 100, "true", "", "", true},
		{"", "!", 60000, "true", "", "", false},
		{"", "-", 60000, "any", "", "", false},
		{"1", "+1", 1000, "", "", "", true},
		{"1", "+1", 30000, "", "", "", false},
		{"true", "&&true", 10000, "", "", "", true},
		{"any", ".a", 1000, "", "", "", true},
		{"any", ".a", 30000, "", "", "", false},
		{"any", "[0]", 20000, "", "", "", false},
		{"", "true?1:", 126, "2", "", "", true},
		{"", "true?1:", 9000, "2", "", "", false},
		{"[[1]]", ".map(x,x)", 1000, "", "", "", true},
		{"[[1]]", ".map(x,x)", 7000, "", "", "", false},
		{"1 in [1", ",1", 30000, "", "", "]", true},
		{"", "cel.bind(a,1,", 60, "a", ")", "", true},
		{"", "cel.bind(a,1,", 100, "a", ")", "", false},
		{"", "[1].map(a,", 32, "a", ")", "", true},
		{"", "[1].map(a,", 33, "a", ")", "", false},
		{"'", "x", CEL_SOURCE_MAX - 2, "", "", "'", true},
		{"'", "x", CEL_SOURCE_MAX - 1, "", "", "'", false},
	};

	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		char *source = repeat(rows[i].head, rows[i].part, rows[i].n,
			rows[i].middle, rows[i].close, rows[i].tail);
		struct cel_prog *prog = NULL;
		enum sg_err err = cel_compile(fx->env, source, strlen(source),
			NULL, &fx->diags, &prog);

		if (err != (rows[i].is_ok ? SG_OK : SG_BAD_CONFIG))
			fail_msg("row %zu: %s%s...: %s", i, rows[i].head,
				rows[i].part, sg_err_name(err));
		cel_prog_destroy(prog);
		free(source);
	}
}

static void
evaluations_are_bounded(void **state)
{
	struct fixture *fx = *state;
	struct cel_host host = {.load = fixture_load, .ctx = fx};
	static const struct {
		const char *source;
		bool is_ok;
	} rows[] = {
		{"[1,2,3,4,5,6,7,8].map(a, [1,2,3,4,5,6,7,8].map(b, any))"
		 ".size() == 8",
			true},
		/* 10^8 rounds */
		{"cel.bind(l, [any,2,3,4,5,6,7,8,9,10], l.all(a, l.all(b, "
		 "l.all(c, l.all(d, l.all(e, l.all(f, l.all(g, l.all(h, "
		 "true)))))))))",
			false},
		/* a text that doubles 40 times */
		{"cel.bind(a, account.industry + 'xxxxxxxxxxxxxxxx', "
		 "cel.bind(b, a+a+a+a+a+a+a+a, cel.bind(c, b+b+b+b+b+b+b+b, "
		 "cel.bind(d, c+c+c+c+c+c+c+c, cel.bind(e, d+d+d+d+d+d+d+d, "
		 "cel.bind(f, e+e+e+e+e+e+e+e, f+f+f+f+f+f+f+f)))))) == ''",
			false},
		{"cel.bind(a, [any,1,2,3,4,5,6,7], cel.bind(b, "
		 "a+a+a+a+a+a+a+a, cel.bind(c, b+b+b+b+b+b+b+b, cel.bind(d, "
		 "c+c+c+c+c+c+c+c, d+d+d+d+d+d+d+d)))).size() == 0",
			false},
		/* quadratic library functions */
		{"cel.bind(a, [any,1,2,3,4,5,6,7], cel.bind(b, "
		 "a+a+a+a+a+a+a+a, cel.bind(c, b+b+b+b+b+b+b+b, "
		 "c.transformList(i, x, i).distinct().map(x, "
		 "c.transformList(i, x, i)"
		 ".distinct().size())))).size() == 0",
			false},
		{"account.industry.replace('', account.industry).replace('', "
		 "account.industry).replace('', account.industry).replace('', "
		 "account.industry).replace('', account.industry).replace('', "
		 "account.industry).replace('', account.industry).size() > 0",
			false},
	};

	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct cel_prog *prog = fixture_compile(fx, rows[i].source);
		struct cel_result result =
			cel_eval(prog, fx->frame, &host, NOW_MS);

		if ((result.value.kind == VALUE_ERROR) == rows[i].is_ok)
			fail_msg("row %zu", i);
		assert_true(result.valid_until_ms > NOW_MS);
		cel_prog_destroy(prog);
	}
}

/* What costs too much as a constant is left to evaluation. */
static void
constants_are_folded_within_bounds(void **state)
{
	struct fixture *fx = *state;
	struct cel_host host = {.load = fixture_load, .ctx = fx};
	struct cel_prog *prog = fixture_compile(fx,
		"cel.bind(l, [1,2,3,4,5,6,7,8,9,10], l.all(a, l.all(b, "
		"l.all(c, l.all(d, l.all(e, l.all(f, l.all(g, l.all(h, "
		"true)))))))))");

	assert_int_equal(cel_eval(prog, fx->frame, &host, NOW_MS).value.kind,
		VALUE_ERROR);
	cel_prog_destroy(prog);
	prog = fixture_compile(fx, "size('abc') + [1, 2].sum() == 6");
	fx->loads = 0;
	assert_true(cel_eval(prog, fx->frame, &host, NOW_MS).value.as.b);
	cel_prog_destroy(prog);
}

static void
bytes_that_are_no_text_are_refused(void **state)
{
	struct fixture *fx = *state;
	struct cel_prog *prog = NULL;

	assert_int_equal(
		cel_compile(fx->env, "'\xff'", 3, NULL, &fx->diags, &prog),
		SG_BAD_CONFIG);
	assert_int_equal(
		cel_compile(fx->env, "1\0+ 1", 5, NULL, &fx->diags, &prog),
		SG_BAD_CONFIG);
}

#define RULES_TEST(name)                                                       \
	cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RULES_TEST(depth_and_length_are_bounded),
		RULES_TEST(evaluations_are_bounded),
		RULES_TEST(constants_are_folded_within_bounds),
		RULES_TEST(bytes_that_are_no_text_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
