/*
 * test_rules_cli.c - segmentd eval: output, and the exit status of each case.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "segmentd/err.h"

int
cli_eval(int argc, char **argv);

/* Run the verb with standard output and error in `text`. */
static int
run(const char *const *args, char *text, size_t cap)
{
	char *argv[16] = {NULL};
	FILE *file = tmpfile();
	int out = dup(1), err = dup(2), argc = 0, status;
	size_t n;

	assert_non_null(file);
	for (; args[argc] != NULL; argc++) {
		argv[argc] = strdup(args[argc]);
		assert_non_null(argv[argc]);
	}
	(void)fflush(stdout);
	(void)dup2(fileno(file), 1);
	(void)dup2(fileno(file), 2);
	status = cli_eval(argc, argv);
	(void)fflush(stdout);
	(void)dup2(out, 1);
	(void)dup2(err, 2);
	(void)close(out);
	(void)close(err);
	rewind(file);
	n = fread(text, 1, cap - 1, file);
	text[n] = '\0';
	(void)fclose(file);
	for (int i = 0; i < argc; i++)
		free(argv[i]);
	return status;
}

static char vars_path[] = "/tmp/test_rules_cli_XXXXXX";

static int
write_vars(void **state)
{
	static const char json[] =
		"{\"account\": {\"arr\": 1.5, \"tags\": [\"a\", null]},"
		" \"seats\": 3, \"name\": \"x\\u0000y\", \"nothing\": null}";
	int fd = mkstemp(vars_path);

	(void)state;
	if (fd < 0)
		return -1;
	if (write(fd, json, sizeof(json) - 1) != (ssize_t)sizeof(json) - 1)
		return -1;
	return close(fd);
}

static int
remove_vars(void **state)
{
	(void)state;
	return unlink(vars_path);
}

static void
each_case_has_its_status_and_text(void **state)
{
	static const struct {
		const char *args[8];
		int status;
		const char *want; /* a part of what is printed */
	} rows[] = {
		{{"eval", "1 + 2"}, SG_EXIT_OK, "3\ntype: int\n"},
		{{"eval", "1 / 0"}, SG_EXIT_FAILED, "error: division by zero"},
		{{"eval", "1 +"}, SG_EXIT_CONFIG, "  1 +\n     ^\n"},
		{{"eval", "sets > 1", "--vars", vars_path}, SG_EXIT_CONFIG,
			"hint: did you mean seats?"},
		{{"eval", "account.arr > 1.0 && seats == 3", "--vars",
			 vars_path},
			SG_EXIT_OK, "because: account.arr > 1.0\n"},
		{{"eval",
			 "size(name) == 3 && nothing == null && "
			 "account.tags[1] == null",
			 "--vars", vars_path},
			SG_EXIT_OK, "true\n"},
		{{"eval", "now > timestamp('2024-03-01T00:00:00Z')", "--now",
			 "2024-02-29"},
			SG_EXIT_OK,
			"false\ntype: bool\nvalid until: "
			"2024-03-01T00:00:00.001Z\n"},
		{{"eval", "now", "--now", "2024-02-29", "--output", "json"},
			SG_EXIT_OK,
			"\"valid_until\": \"2024-02-29T00:00:00.001Z\""},
		{{"eval", "1 > 2", "--output", "json"}, SG_EXIT_OK,
			"{\"type\": \"bool\", \"value\": false, "
			"\"valid_until\": null, \"because\": [\"1 > 2\"]}\n"},
		{{"eval", "a", "--output", "json"}, SG_EXIT_CONFIG,
			"{\"mistakes\": [{\"offset\": 0, \"length\": 1, "},
		{{"eval", "--help"}, SG_EXIT_OK, "usage: segmentd eval"},
		{{"eval"}, SG_EXIT_USAGE, "usage: segmentd eval"},
		{{"eval", "1", "2"}, SG_EXIT_USAGE, "usage: segmentd eval"},
		{{"eval", "1", "--now", "soon"}, SG_EXIT_USAGE,
			"`soon` is not a time"},
		{{"eval", "1", "--output", "xml"}, SG_EXIT_USAGE,
			"--output is text or json"},
		{{"eval", "1", "--vars", "/nonexistent.json"}, SG_EXIT_DATA,
			"/nonexistent.json"},
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		char text[4096];
		int status = run(rows[i].args, text, sizeof(text));

		if (status != rows[i].status ||
			strstr(text, rows[i].want) == NULL)
			fail_msg("row %zu (%s): status %d, %s", i,
				rows[i].args[1], status, text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			each_case_has_its_status_and_text, write_vars,
			remove_vars),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
