/*
 * Formatting: tests/golden/conf/fmt/NAME.yaml becomes NAME.formatted. For
 * those, and for every other YAML file of ours: the result means the same, and
 * formatting it again changes nothing. GOLDEN_UPDATE=1 writes the results.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "segmentd/conf.h"

#define BUF_MAX (8 << 20)

static bool
file_load(const char *path, struct buf *out)
{
	FILE *file = fopen(path, "rb");
	int c;

	buf_init(out, BUF_MAX);
	if (file == NULL)
		return false;
	while ((c = getc(file)) != EOF)
		buf_put_u8(out, (uint8_t)c);
	return fclose(file) == 0;
}

static enum sg_err
format(struct buf *in, struct buf *out)
{
	struct conf_diags *diags = NULL;
	enum sg_err err;

	buf_init(out, BUF_MAX);
	assert_int_equal(conf_diags_create(&diags), SG_OK);
	err = conf_format("t", buf_cstr(in), in->len, diags, out);
	if (err != SG_OK)
		assert_true(conf_diags_errors(diags) > 0);
	conf_diags_destroy(diags);
	return err;
}

/* Everything a tree says, as one text. */
static void
flatten(const struct doc_node *node, struct buf *out)
{
	buf_printf(out, "%d%d", (int)node->kind, node->is_null);
	if (node->key.s != NULL)
		buf_printf(out, "<%s>", node->key.s);
	if (node->text.s != NULL)
		buf_printf(out, "\"%s\"", node->text.s);
	buf_put_u8(out, '(');
	for (const struct doc_node *c = node->first; c != NULL; c = c->next)
		flatten(c, out);
	buf_put_u8(out, ')');
}

static void
meaning(struct buf *yaml, struct buf *out)
{
	struct conf_diags *diags = NULL;
	struct doc *doc = NULL;

	buf_init(out, BUF_MAX);
	assert_int_equal(conf_diags_create(&diags), SG_OK);
	assert_int_equal(
		doc_parse("t", buf_cstr(yaml), yaml->len, diags, &doc), SG_OK);
	flatten(doc_root(doc), out);
	doc_destroy(doc);
	conf_diags_destroy(diags);
}

static void
check_same_meaning(const char *path, struct buf *a, struct buf *b)
{
	struct buf ma, mb;

	meaning(a, &ma);
	meaning(b, &mb);
	if (strcmp(buf_cstr(&ma), buf_cstr(&mb)) != 0)
		fail_msg("%s means something else now", path);
	buf_fini(&ma);
	buf_fini(&mb);
}

static void
formatting_keeps_the_meaning_and_is_done_at_once(void **state)
{
	static const char *const patterns[] = {"tests/golden/conf/*.yaml",
		"tests/golden/conf/fmt/*.yaml", "config/*.yaml",
		"config/*/*.yaml", "tests/scenarios/*.yaml"};
	size_t nformatted = 0;
	glob_t found = {.gl_pathc = 0};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(patterns); i++)
		(void)glob(patterns[i], i > 0 ? GLOB_APPEND : 0, NULL, &found);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct buf text, once, twice;

		assert_true(file_load(found.gl_pathv[i], &text));
		if (format(&text, &once) == SG_OK) {
			nformatted++;
			check_same_meaning(found.gl_pathv[i], &text, &once);
			assert_int_equal(format(&once, &twice), SG_OK);
			if (strcmp(buf_cstr(&once), buf_cstr(&twice)) != 0)
				fail_msg("%s changes again", found.gl_pathv[i]);
			buf_fini(&twice);
		}
		buf_fini(&text);
		buf_fini(&once);
	}
	globfree(&found);
	assert_true(nformatted > 20);
}

static void
the_result_is_as_expected(void **state)
{
	glob_t found;

	(void)state;
	assert_int_equal(
		glob("tests/golden/conf/fmt/*.yaml", 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const char *path = found.gl_pathv[i];
		struct buf text, got, want;
		char expected[256];

		assert_true(
			snprintf(expected, sizeof(expected), "%.*s.formatted",
				(int)(strlen(path) - strlen(".yaml")),
				path) < (int)sizeof(expected));
		assert_true(file_load(path, &text));
		(void)file_load(expected, &want);
		assert_int_equal(format(&text, &got), SG_OK);
		if (getenv("GOLDEN_UPDATE") != NULL) {
			FILE *file = fopen(expected, "wb");

			assert_non_null(file);
			(void)fwrite(buf_cstr(&got), 1, got.len, file);
			assert_int_equal(fclose(file), 0);
		} else if (strcmp(buf_cstr(&got), buf_cstr(&want)) != 0) {
			fail_msg("%s becomes\n%s", path, buf_cstr(&got));
		}
		buf_fini(&text);
		buf_fini(&got);
		buf_fini(&want);
	}
	globfree(&found);
}

static void
our_own_files_are_in_the_house_format(void **state)
{
	static const char *const patterns[] = {"config/*.yaml",
		"config/*/*.yaml", "tests/golden/conf/fmt/formatted.yaml"};
	glob_t found = {.gl_pathc = 0};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(patterns); i++)
		(void)glob(patterns[i], i > 0 ? GLOB_APPEND : 0, NULL, &found);
	assert_true(found.gl_pathc >= 2);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct buf text, once;

		assert_true(file_load(found.gl_pathv[i], &text));
		assert_int_equal(format(&text, &once), SG_OK);
		assert_string_equal(buf_cstr(&once), buf_cstr(&text));
		buf_fini(&text);
		buf_fini(&once);
	}
	globfree(&found);
}

static void
what_is_no_yaml_is_not_formatted(void **state)
{
	struct buf text, out;

	(void)state;
	buf_init(&text, BUF_MAX);
	buf_put_str(&text, "a: [1\nb: 2\n");
	assert_int_equal(format(&text, &out), SG_BAD_CONFIG);
	assert_int_equal(out.len, 0);
	buf_fini(&out);
	buf_fini(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			formatting_keeps_the_meaning_and_is_done_at_once),
		cmocka_unit_test(the_result_is_as_expected),
		cmocka_unit_test(our_own_files_are_in_the_house_format),
		cmocka_unit_test(what_is_no_yaml_is_not_formatted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
