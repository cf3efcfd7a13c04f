/*
 * segmentd test, tested: what is wrong with a file of scenarios is said at its
 * place, and a test that fails says at which step, what was expected and what
 * was got.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../processor/cli/test_file.h"

/* Lines 1 to 4 of every file. */
#define HEAD                                                                   \
	"inputs:\n"                                                            \
	"  o: {schema: {n: long, s: string?}, features: {c: {count: 3d}, n: "  \
	"{last: n}, s: {last: s}}}\n"                                          \
	"segmentations: {t: {enter: o.c >= 2}, u: {segments: [{name: x, "      \
	"when: o.n > 5}, {name: y}]}}\n"                                       \
	"steps:\n"
#define EVENT "  - {event: o, at: 2026-03-01T10:00:00Z, account: \"7\", n: 1}\n"

static char path[] = "/tmp/segmentd-test-XXXXXX";

static void
write_file(const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int
make_path(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 || close(fd) != 0 ? -1 : 0;
}

static int
remove_path(void **state)
{
	(void)state;
	return unlink(path);
}

/* --- mistakes ----------------------------------------------------------- */

static const struct mistake {
	const char *text;
	const char *want[3]; /* each with its line and column */
} mistakes[] = {
	{"steps: [\n", {"not YAML"}},
	{"inputs: {o: {features: {c: {count: 3d}}}}\nsegmentations: {}\n",
		{"neither `steps` nor `tests`"}},
	{HEAD "  - {event: p, at: 2026-03-01, account: a}\n",
		{":5:13: error: there is no input `p`", "`o`, `overrides`"}},
	{HEAD "  - {event: o, at: yesterday, account: a, n: 1}\n",
		{":5:20: error: `yesterday` is not a time"}},
	{HEAD "  - {event: o, account: a, n: 1}\n", {"error: "}},
	{HEAD "  - {event: o, at: 2026-03-01, account: a, n: 1, m: 2}\n",
		{":5:50: error: input `o` has no field `m`",
			"`account`, `at`, `n`, `s`"}},
	{HEAD "  - {event: o, at: 2026-03-01, account: a, n: many}\n",
		{":5:47: error: field 'n'"}},
	{HEAD "  - {event: o, at: 2026-03-01, account: a}\n",
		{":5:6: error: field 'n'"}},
	{HEAD "  - {event: o, at: 2026-03-01, account: a, n: 1, refused: "
	      "why}\n",
		{":5:59: error: `why` is no reason"}},
	{HEAD EVENT "  - clock: 2026-02-01\n",
		{":6:12: error: the clock does not go back"}},
	{HEAD "  - {clock: 2026-03-01, expect: []}\n",
		{":5:25: error: `expect` beside `clock`"}},
	{HEAD "  - expct: []\n",
		{":5:5: error: not a step", "did you mean `expect`?"}},
	{HEAD "  - look: []\n",
		{":5:5: error: not a step", "a step is one of event, clock"}},
	{HEAD "  - expect: {}\n", {":5:5: error: `expect` must be a list"}},
	{HEAD "  - expect: [{segmentation: v}, {segmentation: t, to: x}, "
	      "{who: a}]\n",
		{":5:29: error: there is no segmentation `v`",
			":5:55: error: `t` has no segment `x`",
			":5:60: error: `who` is no part of a change"}},
	{"inputs: {o: {features: {c: {count: 3d}}}}\n"
	 "segmentations: {touch: {enter: o.c > 1}}\n"
	 "steps: [{expect: [{segmentation: tuoch}]}]\n",
		{"there is no segmentation `tuoch`", "did you mean `touch`?"}},
	{HEAD "  - expect: [{segmentatoin: t}]\n",
		{"`segmentatoin` is no part of a change",
			"did you mean `segmentation`?"}},
	{HEAD "  - expect_account: {account: a, o.d: 3}\n",
		{":5:34: error: rules cannot read `o.d`",
			"did you mean `o.c`?"}},
	{HEAD "  - expect_account: {account: a, zebra: 3}\n",
		{":5:34: error: rules cannot read `zebra`",
			"a feature as usage.logins_14d"}},
	{HEAD "  - expect_account: {o.c: 3}\n",
		{"`expect_account` must name the account"}},
	{HEAD "  - expect_counts: {lates: 3}\n",
		{":5:21: error: there is no counter `lates`",
			"did you mean `late`?"}},
	{"inputs: {order: {features: {c: {count: 3d}}}}\n"
	 "segmentations: {}\nsteps:\n  - {event: oder, at: 2026-03-01}\n",
		{"there is no input `oder`", "did you mean `order`?"}},
	{HEAD "  - {event: o, at: 2026-03-01, account: a, n: 1, "
	      "acount: b}\n",
		{"input `o` has no field `acount`", "did you mean `account`?"}},
	{"inputs: {o: {features: {c: {count: 3d}}}}\nsegmentations: {}\n"
	 "tests: [{nam: a, steps: [{expect: []}]}]\n",
		{"unknown key `nam` of a test", "did you mean `name`?"}},
	{"inputs: {o: {schema: {n: lon, x-y: long}}}\nsegmentations: {}\n"
	 "steps: []\n",
		{":1:26: error: not a type",
			":1:31: error: `x-y` cannot be the name of a field"}},
	{"config: nowhere.yaml\nsteps: [{expect: []}]\n", {"nowhere.yaml"}},
	{"config: x.yaml\ninputs: {}\nsteps: []\n",
		{":2:1: error: `inputs` beside `config`"}},
	{"inputs: {o: {features: {c: {count: 3d}}}}\nsegmentations: {}\n"
	 "tests: [{name: a}]\n",
		{":3:10: error: a test without `steps`"}},
	{"inputs: {o: {features: {c: {count: 3d}}}}\n"
	 "segmentations: {t: {enter: o.d > 1}}\nsteps: [{expect: []}]\n",
		{":2:28: error: unknown name 'o.d'"}},
};

static void
mistakes_of_a_file_are_said_at_their_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(mistakes); i++) {
		const struct mistake *m = &mistakes[i];
		struct test_file file;
		struct buf text;

		write_file(m->text);
		buf_init(&text, 1 << 20);
		assert_int_equal(test_file_open(path, &file), SG_BAD_CONFIG);
		conf_diags_print(file.diags, false, &text);
		for (size_t k = 0; k < SG_COUNTOF(m->want); k++) {
			if (m->want[k] != NULL &&
				strstr(buf_cstr(&text), m->want[k]) == NULL)
				fail_msg("%zu: no `%s` in\n%s", i, m->want[k],
					buf_cstr(&text));
		}
		buf_fini(&text);
		test_file_close(&file);
	}
}

/* --- failures ----------------------------------------------------------- */

static const struct failure {
	const char *name;
	const char *steps;
	uint32_t line; /* 0: it passes */
	const char *message, *expected, *got;
} failures[] = {
	{"all is well", EVENT "  - expect: [{segmentation: u, to: y}]\n", 0, "",
		"", ""},
	{"what is not asked does not matter",
		EVENT "  - expect: [{}]\n"
		      "  - {event: o, at: 2026-03-02, account: a, n: 1}\n",
		0, "", "", ""},
	{"a change that was not expected", EVENT "  - expect: []\n", 6,
		"0 changes expected, not 1, by 2026-03-01T10:00:00Z", "",
		"+ {account: \"7\", segmentation: u, from: null, to: y"},
	{"a change that was not made",
		EVENT "  - expect: [{to: y}, {account: \"7\", segmentation: t, "
		      "to: in}]\n",
		6, "2 changes expected, not 1",
		"- {account: \"7\", segmentation: t, to: in}\n",
		"  {account: \"7\", segmentation: u"},
	{"another one than expected", EVENT "  - expect: [{to: x}]\n", 6,
		"the changes differ at 2026-03-01T10:00:00Z", "- {to: x}\n",
		"+ {account: \"7\""},
	{"the order counts",
		EVENT EVENT "  - expect: [{segmentation: t}, {segmentation: "
			    "u}]\n",
		7, "the changes differ", "- {segmentation: u}",
		"+ {account: \"7\", segmentation: u"},
	{"an account is a text", EVENT "  - expect: [{account: 7.0}]\n", 6,
		"differ", "- {account: \"7.0\"}", "+ {account: \"7\""},
	{"a value",
		EVENT "  - expect_account: {account: \"7\", o.c: 2, o.n: 1, "
		      "o.s: null, segment.u: x, version: 1}\n",
		6, "account \"7\" at 2026-03-01T10:00:00Z",
		"  o.c: 2\n  segment.u: x\n", "  o.c: 1\n  segment.u: \"y\"\n"},
	{"no such account", EVENT "  - expect_account: {account: b, o.c: 0}\n",
		6, "there is none", "  o.c: 0\n", "  o.c: null\n"},
	{"a counter", EVENT "  - expect_counts: {events: 1, changes: 2}\n", 6,
		"counters at", "  changes: 2\n", "  changes: 1\n"},
	{"an event that is refused",
		"  - {event: o, at: 1999-01-01, account: a, n: 1}\n", 5,
		"the event was refused: ", "", "time_past"},
	{"an event that should be",
		"  - {event: o, at: 2026-01-01, account: a, n: 1, refused: "
		"time_past}\n",
		5, "was taken", "time_past", ""},
	{"for another reason",
		"  - {event: o, at: 1999-01-01, account: \"\", n: 1, refused: "
		"time_past}\n",
		5, "refused", "time_past", "no_account"},
	{"the first one ends it",
		EVENT "  - expect_counts: {events: 2}\n"
		      "  - expect_counts: {events: 3}\n",
		6, "counters", "  events: 2\n", "  events: 1\n"},
};

static void
check_part(
	const char *name, const char *what, struct buf *text, const char *want)
{
	if (strstr(buf_cstr(text), want) == NULL ||
		(want[0] == '\0' && strcmp(what, "message") != 0 &&
			text->len > 0))
		fail_msg("%s: %s is\n%s", name, what, buf_cstr(text));
}

static void
a_failure_says_where_and_what(void **state)
{
	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(failures); i++) {
		const struct failure *f = &failures[i];
		struct test_result result;
		struct test_file file;
		struct buf text;

		buf_init(&text, 1 << 20);
		buf_init(&result.message, 1 << 20);
		buf_init(&result.expected, 1 << 20);
		buf_init(&result.got, 1 << 20);
		buf_init(&result.why, 1 << 20);
		buf_printf(&text, "%s%s", HEAD, f->steps);
		write_file(buf_cstr(&text));
		assert_int_equal(test_file_open(path, &file), SG_OK);
		assert_int_equal(file.ncases, 1);
		assert_int_equal(
			test_run(&file, &file.cases[0], false, &result), SG_OK);
		if (result.is_passed != (f->line == 0) ||
			(f->line != 0 && result.line != f->line))
			fail_msg("%s: line %u, %s", f->name, result.line,
				buf_cstr(&result.message));
		check_part(f->name, "message", &result.message, f->message);
		check_part(f->name, "expected", &result.expected, f->expected);
		check_part(f->name, "got", &result.got, f->got);
		buf_fini(&text);
		buf_fini(&result.message);
		buf_fini(&result.expected);
		buf_fini(&result.got);
		buf_fini(&result.why);
		test_file_close(&file);
	}
}

/* --- numbers ------------------------------------------------------------ */

static void
numbers_are_compared_by_what_they_are(void **state)
{
	static const struct {
		const char *a, *b;
		bool is_same;
	} rows[] = {
		{"1", "1", true},
		{"1", "1.0", true},
		{"1000", "1e3", true},
		{"1000", "1.000E+3", true},
		{"0.001", "1e-3", true},
		{"-0", "0", true},
		{"007", "7", true},
		{"0", "0e99", true},
		{"1", "-1", false},
		{"1", "10", false},
		{"9007199254740993", "9007199254740992", false},
		{"0.1", "0.10000000000000001", false},
		{"1", "", false},
		{"1", "1x", false},
		{"1.", "1", true},
		{".5", "0.5", true},
		{"1e", "1", false},
		{"e1", "1", false},
		{".", "0", false},
		{"--1", "-1", false},
		{"1e99999999999", "1", false},
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		if (test_same_number(rows[i].a, rows[i].b) != rows[i].is_same ||
			test_same_number(rows[i].b, rows[i].a) !=
				rows[i].is_same)
			fail_msg("%s and %s", rows[i].a, rows[i].b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_of_a_file_are_said_at_their_place),
		cmocka_unit_test(a_failure_says_where_and_what),
		cmocka_unit_test(numbers_are_compared_by_what_they_are),
	};

	return cmocka_run_group_tests(tests, make_path, remove_path);
}
