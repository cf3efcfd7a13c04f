/*
 * Where in the file a byte of a value stands, for every way YAML has of
 * writing a text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "segmentd/conf.h"

/* The variable `a` of the file is looked at: `word` is a part of its value. */
struct row {
	const char *name;
	const char *yaml;
	const char *word;
	const char *want; /* "line:column" and the caret's line */
};

static const struct row rows[] = {
	{"plain", "variables: {a: x + bad}\n", "bad", "1:20 ~3"},
	{"plain over lines", "variables:\n  a: x +\n     y +\n     bad\n",
		"bad", "4:6 ~3"},
	{"plain with an empty line", "variables:\n  a: x\n\n    bad\n", "bad",
		"4:5 ~3"},
	{"single quotes", "variables: {a: 'x + bad'}\n", "bad", "1:21 ~3"},
	{"single quotes with a quote", "variables: {a: 'it''s bad'}\n", "bad",
		"1:23 ~3"},
	{"the quote itself", "variables: {a: 'it''s'}\n", "'s", "1:19 ~3"},
	{"single quotes over lines", "variables:\n  a: 'x\n\n\n    bad'\n",
		"bad", "5:5 ~3"},
	{"double quotes", "variables: {a: \"x \\\"y\\\" bad\"}\n", "bad",
		"1:25 ~3"},
	{"a tab and a code point escaped",
		"variables: {a: \"\\t\\u00e9\\x41\\U0001F600bad\"}\n", "bad",
		"1:39 ~3"},
	{"an escaped line break", "variables:\n  a: \"x\\\n    bad\"\n", "bad",
		"3:5 ~3"},
	{"an escape that makes two bytes", "variables: {a: \"\\_\\Nbad\"}\n",
		"bad", "1:21 ~3"},
	{"an escape is underlined whole", "variables: {a: \"x\\u00e9\"}\n",
		"\xc3\xa9", "1:18 ~6"},
	{"literal", "variables:\n  a: |\n    x\n      bad\n", "bad", "4:7 ~3"},
	{"literal with empty lines",
		"variables:\n  a: |-\n\n    x\n\n    bad\n", "bad", "6:5 ~3"},
	{"literal that says its indentation",
		"variables:\n  a: |2\n      x\n    bad\n", "bad", "4:5 ~3"},
	{"literal with a comment", "variables:\n  a: | # why\n    bad\n", "bad",
		"3:5 ~3"},
	{"folded", "variables:\n  a: >-\n    x\n    bad\n", "bad", "4:5 ~3"},
	{"folded with paragraphs",
		"variables:\n  a: >\n    x\n\n    y\n      z\n    bad\n", "bad",
		"7:5 ~3"},
	{"CRLF", "variables:\r\n  a: |\r\n    x\r\n    bad\r\n", "bad",
		"4:5 ~3"},
	{"columns are characters", "variables: {a: 'd\xc3\xa9j\xc3\xa0 bad'}\n",
		"bad", "1:22 ~3"},
	{"two columns each", "variables: {a: '\xe6\x97\xa5\xe6\x9c\xac bad'}\n",
		"bad", "1:20 ~3"},
};

static const struct conf_text *
variable_a(const struct conf *conf)
{
	assert_int_equal(conf->nvariables, 1);
	return &conf->variables[0].expr;
}

/* "4:5 ~3" out of "t:4:5: error: ...\n ... | source\n ... | ^~~\n" */
static void
place_of(const char *printed, char *place, size_t cap)
{
	unsigned line = 0, column = 0;
	const char *caret = strchr(printed, '^');
	const char *at = strchr(printed, ':');

	assert_non_null(at);
	for (at++; *at != ':'; at++)
		line = line * 10 + (unsigned)(*at - '0');
	for (at++; *at != ':'; at++)
		column = column * 10 + (unsigned)(*at - '0');
	assert_non_null(caret);
	(void)snprintf(
		place, cap, "%u:%u ~%zu", line, column, strspn(caret, "^~"));
}

static void
the_caret_stands_at_the_byte_of_the_value(void **state)
{
	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		const struct row *row = &rows[i];
		struct conf_diags *diags = NULL;
		struct conf *conf = NULL;
		const struct conf_text *text;
		const char *word;
		char place[64], yaml[512];
		struct buf out;

		assert_int_equal(conf_diags_create(&diags), SG_OK);
		(void)snprintf(yaml, sizeof(yaml),
			"%sinputs: {i: {topic: i}}\n", row->yaml);
		assert_int_equal(
			conf_parse("t", ".", yaml, strlen(yaml), diags, &conf),
			SG_OK);
		assert_int_equal(conf_diags_errors(diags), 0);
		text = variable_a(conf);
		word = strstr(text->s, row->word);
		if (word == NULL)
			fail_msg("%s: no such word", row->name);
		conf_diag_at(diags, text, (uint32_t)(word - text->s),
			(uint32_t)strlen(row->word), false, NULL, "bad");
		buf_init(&out, 4096);
		conf_diags_print(diags, false, &out);
		place_of(buf_cstr(&out), place, sizeof(place));
		if (strcmp(place, row->want) != 0)
			fail_msg("%s: %s, not %s\n%s", row->name, place,
				row->want, buf_cstr(&out));
		buf_fini(&out);
		conf_destroy(conf);
		conf_diags_destroy(diags);
	}
}

static void
check_printed(const char *yaml, uint32_t offset, uint32_t len, bool is_coloured,
	const char *want)
{
	struct conf_diags *diags = NULL;
	struct conf *conf = NULL;
	struct buf out;

	assert_int_equal(conf_diags_create(&diags), SG_OK);
	assert_int_equal(
		conf_parse("t", ".", yaml, strlen(yaml), diags, &conf), SG_OK);
	conf_diag_at(
		diags, variable_a(conf), offset, len, true, "a hint", "what");
	assert_int_equal(conf_diags_errors(diags), 0);
	assert_int_equal(conf_diags_warnings(diags), 1);
	buf_init(&out, 4096);
	conf_diags_print(diags, is_coloured, &out);
	assert_string_equal(buf_cstr(&out), want);
	buf_fini(&out);
	conf_destroy(conf);
	conf_diags_destroy(diags);
}

static void
the_end_of_a_value_is_a_place(void **state)
{
	(void)state;
	check_printed("variables: {a: 'x +'}\ninputs: {i: {topic: i}}\n", 3, 0,
		false,
		"t:1:20: warning: what\n"
		"    1 | variables: {a: 'x +'}\n"
		"      |                    ^ a hint\n");
}

static void
a_place_beyond_the_value_is_the_whole_of_it(void **state)
{
	(void)state;
	check_printed("variables: {a: 'x +'}\ninputs: {i: {topic: i}}\n", 99, 1,
		false,
		"t:1:16: warning: what\n"
		"    1 | variables: {a: 'x +'}\n"
		"      |                ^~~~~ a hint\n");
}

static void
colours_are_put_around_what_they_mean(void **state)
{
	(void)state;
	check_printed("variables: {a: x}\ninputs: {i: {topic: i}}\n", 0, 1,
		true,
		"\033[1mt:1:16: \033[0m\033[1;35mwarning: \033[0m\033[1mwhat"
		"\033[0m\n"
		"    1 | variables: {a: x}\n"
		"      |                \033[1;32m^\033[0m \033[32ma hint"
		"\033[0m\n");
}

static void
mistakes_come_in_the_order_of_the_file(void **state)
{
	static const char yaml[] = "inputs: {i: {topic: i}}\n"
				   "variables: {a: x, b: y}\n";
	struct conf_diags *diags = NULL;
	struct conf *conf = NULL;
	struct conf_text nowhere = {.s = "x"};
	struct buf out;

	(void)state;
	assert_int_equal(conf_diags_create(&diags), SG_OK);
	assert_int_equal(
		conf_parse("t", ".", yaml, strlen(yaml), diags, &conf), SG_OK);
	conf_diag_at(diags, &nowhere, 0, 0, false, NULL, "last");
	conf_diag_at(diags, &conf->variables[1].expr, 0, 0, false, NULL, "b1");
	conf_diag_at(diags, &conf->variables[0].expr, 0, 0, false, NULL, "a");
	conf_diag_at(diags, &conf->variables[1].expr, 0, 0, false, NULL, "b2");
	buf_init(&out, 4096);
	conf_diags_print(diags, false, &out);
	assert_string_equal(buf_cstr(&out), "t:2:16: error: a\n"
					    "    2 | variables: {a: x, b: y}\n"
					    "      |                ^\n"
					    "t:2:22: error: b1\n"
					    "    2 | variables: {a: x, b: y}\n"
					    "      |                      ^\n"
					    "t:2:22: error: b2\n"
					    "    2 | variables: {a: x, b: y}\n"
					    "      |                      ^\n"
					    "t: error: last\n");
	buf_fini(&out);
	conf_destroy(conf);
	conf_diags_destroy(diags);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_caret_stands_at_the_byte_of_the_value),
		cmocka_unit_test(the_end_of_a_value_is_a_place),
		cmocka_unit_test(a_place_beyond_the_value_is_the_whole_of_it),
		cmocka_unit_test(colours_are_put_around_what_they_mean),
		cmocka_unit_test(mistakes_come_in_the_order_of_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
