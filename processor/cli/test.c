/*
 * test.c - segmentd test: rules against events, with a clock that is told.
 *
 * A file is read and checked whole before any of it runs. A test ends at its
 * first step that fails; the next test goes on.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "test_file.h"

static const char usage[] =
	"usage: segmentd test [--output text|json] FILE...\n"
	"\n"
	"Run scenarios: events and instants given, changes expected. No "
	"broker, no\n"
	"Redis, no clock but the file's. A file has a configuration of its own "
	"or\n"
	"names one, and one test or several:\n"
	"\n"
	"  config: segmentd.yaml            or: inputs:, segmentations:, ...\n"
	"  steps:                           or: tests: [{name:, steps:}, ...]\n"
	"    - {event: INPUT, at: TIME, account: ID, FIELD: VALUE, ...}\n"
	"    - clock: TIME                  time passes; timers fire\n"
	"    - expect: [{account: ID, segmentation: NAME, to: SEGMENT}, ...]\n"
	"                                   all changes since the last expect, "
	"in\n"
	"                                   order; only keys given are "
	"compared\n"
	"    - expect_account: {account: ID, segment.NAME: SEGMENT, ...}\n"
	"    - expect_counts: {late: 1}\n"
	"\n"
	"The status is 0 when all pass, 1 when one fails, 78 when a file has\n"
	"mistakes.\n";

struct verb {
	bool is_json;
	size_t passed;
	size_t failed;
	size_t broken; /* files with mistakes */
	struct buf out;
};

/* Lines of people's output, indented. */
static void
put_block(const char *title, struct buf *lines, struct buf *out)
{
	const char *text = buf_cstr(lines);

	buf_printf(out, "  %s\n", title);
	if (*text == '\0')
		buf_put_str(out, "      nothing\n");
	while (*text != '\0') {
		size_t len = strcspn(text, "\n");

		buf_put_str(out, "    ");
		buf_put(out, text, len);
		buf_put_u8(out, '\n');
		text += len + (text[len] == '\n');
	}
}

/* Lines of JSON as an array; a bare word is a text. */
static void
put_array(const char *name, struct buf *lines, struct buf *out)
{
	const char *text = buf_cstr(lines);

	buf_printf(out, ",\"%s\":[", name);
	while (*text != '\0') {
		size_t len = strcspn(text, "\n");

		if (*text != '{')
			buf_put_u8(out, '"');
		buf_put(out, text, len);
		if (*text != '{')
			buf_put_u8(out, '"');
		text += len + (text[len] == '\n');
		if (*text != '\0')
			buf_put_u8(out, ',');
	}
	buf_put_u8(out, ']');
}

static void
put_result_json(const struct test_file *file, const struct test_case *tc,
	struct test_result *result, struct buf *out)
{
	buf_put_str(out, "{\"file\":");
	test_text_put(file->path, true, out);
	buf_put_str(out, ",\"name\":");
	test_text_put(tc->name, true, out);
	buf_printf(out, ",\"passed\":%s", result->is_passed ? "true" : "false");
	if (!result->is_passed) {
		buf_printf(out,
			",\"line\":%u,\"message\":", (unsigned)result->line);
		test_text_put(buf_cstr(&result->message), true, out);
		put_array("expected", &result->expected, out);
		put_array("got", &result->got, out);
		buf_put_str(out, ",\"why\":");
		test_text_put(buf_cstr(&result->why), true, out);
	}
	buf_put_str(out, "}\n");
}

static void
put_result_text(const struct test_file *file, const struct test_case *tc,
	struct test_result *result, struct buf *out)
{
	if (result->is_passed)
		return;
	buf_printf(out, "%s:%u: %s: %s\n", file->path, (unsigned)result->line,
		tc->name, buf_cstr(&result->message));
	if (result->expected.len + result->got.len > 0) {
		put_block("expected", &result->expected, out);
		put_block("got", &result->got, out);
	}
	if (result->why.len > 0)
		put_block("why", &result->why, out);
}

static enum sg_err
run_case(struct verb *verb, const struct test_file *file,
	const struct test_case *tc)
{
	struct test_result result;
	enum sg_err err;

	buf_init(&result.message, 1 << 20);
	buf_init(&result.expected, 64 << 20);
	buf_init(&result.got, 64 << 20);
	buf_init(&result.why, 64 << 20);
	err = test_run(file, tc, verb->is_json, &result);
	if (err == SG_OK) {
		verb->passed += result.is_passed;
		verb->failed += !result.is_passed;
		if (verb->is_json)
			put_result_json(file, tc, &result, &verb->out);
		else
			put_result_text(file, tc, &result, &verb->out);
	}
	buf_fini(&result.message);
	buf_fini(&result.expected);
	buf_fini(&result.got);
	buf_fini(&result.why);
	return err;
}

static void
print_mistakes(const char *path, const struct test_file *file, enum sg_err err)
{
	struct buf text;

	if (file->diags != NULL &&
		conf_diags_errors(file->diags) +
				conf_diags_warnings(file->diags) >
			0) {
		buf_init(&text, 64 << 20);
		conf_diags_print(file->diags, cli_has_colours(stderr), &text);
		(void)fputs(buf_cstr(&text), stderr);
		buf_fini(&text);
	}
	if (err != SG_OK &&
		(file->diags == NULL || conf_diags_errors(file->diags) == 0))
		(void)fprintf(stderr, "segmentd test: %s: %s\n", path,
			sg_err_text(err));
}

static enum sg_err
run_file(struct verb *verb, const char *path)
{
	struct test_file file;
	enum sg_err err = test_file_open(path, &file);

	print_mistakes(path, &file, err);
	if (err != SG_OK && err != SG_NOMEM) {
		verb->broken++;
		err = SG_OK;
		file.ncases = 0;
	}
	for (size_t i = 0; i < file.ncases && err == SG_OK; i++)
		err = run_case(verb, &file, &file.cases[i]);
	test_file_close(&file);
	if (verb->out.is_failed)
		return SG_NOMEM;
	(void)fputs(buf_cstr(&verb->out), stdout);
	buf_reset(&verb->out);
	return err;
}

static void
print_summary(const struct verb *verb)
{
	if (verb->is_json) {
		(void)printf("{\"passed\":%zu,\"failed\":%zu,\"broken\":%zu}\n",
			verb->passed, verb->failed, verb->broken);
		return;
	}
	(void)printf("%zu passed, %zu failed", verb->passed, verb->failed);
	if (verb->broken > 0)
		(void)printf(", %zu %s not run", verb->broken,
			verb->broken == 1 ? "file" : "files");
	(void)printf("\n");
}

/* False when the verb is to return *ret_status. */
static bool
read_args(int argc, char **argv, struct verb *verb, int *ret_status)
{
	static const struct option longs[] = {
		{"output", required_argument, NULL, 'o'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int c;

	optind = 1;
	*ret_status = SG_EXIT_USAGE;
	while ((c = getopt_long(argc, argv, "o:h", longs, NULL)) != -1) {
		if (c == 'h') {
			(void)fputs(usage, stdout);
			*ret_status = SG_EXIT_OK;
			return false;
		}
		if (c == 'o' && strcmp(optarg, "json") == 0)
			verb->is_json = true;
		else if (c != 'o' || strcmp(optarg, "text") != 0) {
			(void)fputs(usage, stderr);
			return false;
		}
	}
	if (optind == argc) {
		(void)fprintf(
			stderr, "segmentd test: no file given\n%s", usage);
		return false;
	}
	return true;
}

int
cli_test(int argc, char **argv)
{
	struct verb verb = {.is_json = false};
	enum sg_err err = SG_OK;
	int status;

	if (!read_args(argc, argv, &verb, &status))
		return status;
	buf_init(&verb.out, 256 << 20);
	for (int i = optind; i < argc && err == SG_OK; i++)
		err = run_file(&verb, argv[i]);
	if (err == SG_OK)
		print_summary(&verb);
	buf_fini(&verb.out);
	if (fflush(stdout) != 0)
		return SG_EXIT_IO;
	if (err != SG_OK)
		return cli_fail("test", err, NULL);
	if (verb.broken > 0)
		return SG_EXIT_CONFIG;
	return verb.failed > 0 ? SG_EXIT_FAILED : SG_EXIT_OK;
}
