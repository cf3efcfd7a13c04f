/*
 * Every mistake and what is said about it, whole: tests/golden/conf/NAME.yaml
 * is read, and what is printed has to be NAME.expected, byte for byte. A new
 * mistake is a new pair of files; GOLDEN_UPDATE=1 writes the expected ones,
 * to be read before they are committed.
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

#define FOLDER "tests/golden/conf/"

static void
file_load(const char *path, struct buf *out)
{
	FILE *file = fopen(path, "rb");
	int c;

	if (file == NULL)
		return;
	while ((c = getc(file)) != EOF)
		buf_put_u8(out, (uint8_t)c);
	(void)fclose(file);
}

static void
file_store(const char *path, struct buf *bytes)
{
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(
		fwrite(buf_cstr(bytes), 1, bytes->len, file), bytes->len);
	assert_int_equal(fclose(file), 0);
}

/* What segmentd says about the file, and that it is unusable if it is. */
static void
report(const char *path, struct buf *out)
{
	struct conf_diags *diags = NULL;
	struct conf *conf = NULL;
	struct buf yaml;
	enum sg_err err;

	buf_init(&yaml, 8 << 20);
	file_load(path, &yaml);
	assert_int_equal(conf_diags_create(&diags), SG_OK);
	err = conf_parse(path + strlen(FOLDER), "config", buf_cstr(&yaml),
		yaml.len, diags, &conf);
	conf_diags_print(diags, false, out);
	if (err != SG_OK)
		buf_printf(out, "=> %s\n", sg_err_text(err));
	if (err == SG_OK && conf_diags_errors(diags) == 0)
		buf_put_str(out, "=> no mistakes\n");
	conf_diags_destroy(diags);
	conf_destroy(conf);
	buf_fini(&yaml);
}

static bool
is_as_expected(const char *path)
{
	struct buf got, want;
	char expected[512];
	bool is_same;

	assert_true(snprintf(expected, sizeof(expected), "%.*s.expected",
			    (int)(strlen(path) - strlen(".yaml")),
			    path) < (int)sizeof(expected));
	buf_init(&got, 1 << 20);
	buf_init(&want, 1 << 20);
	report(path, &got);
	file_load(expected, &want);
	is_same = strcmp(buf_cstr(&got), buf_cstr(&want)) == 0;
	if (!is_same && getenv("GOLDEN_UPDATE") != NULL) {
		file_store(expected, &got);
		is_same = true;
	}
	if (!is_same)
		print_error("%s says:\n%swhere this was expected:\n%s", path,
			buf_cstr(&got), buf_cstr(&want));
	buf_fini(&got);
	buf_fini(&want);
	return is_same;
}

static void
every_mistake_is_told_as_expected(void **state)
{
	glob_t found;
	size_t nbad = 0;

	(void)state;
	(void)setenv("CONF_TEST_TOPIC", "customer.accounts", 1);
	(void)unsetenv("CONF_TEST_MISSING");
	(void)setenv("CONF_TEST_EMPTY", "", 1);
	assert_int_equal(glob(FOLDER "*.yaml", 0, NULL, &found), 0);
	assert_true(found.gl_pathc > 30);
	for (size_t i = 0; i < found.gl_pathc; i++)
		nbad += !is_as_expected(found.gl_pathv[i]);
	globfree(&found);
	assert_int_equal(nbad, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_mistake_is_told_as_expected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
