/* get.c - segmentd get: an account as Redis has it. */
#include "cli.h"
#include "segmentd/log.h"
#include "view.h"

#define TEXT_BYTES_MAX ((size_t)64 << 20)

static const char usage[] =
	"usage: segmentd get ACCOUNT -c FILE [--output json] [--set "
	"PATH=VALUE]...\n"
	"\n"
	"The public view of an account, as Redis has it: its segments, its\n"
	"renewal, features, scores and variables, as of its last event or\n"
	"change. Redis lags behind what is published by up to flush.age; the\n"
	"version tells how far it is. (`segmentd explain` evaluates the rules\n"
	"anew, as of now.)\n"
	"\n"
	"The status is 1 when there is no such account.\n";

static int
show(const struct cli_args *args, const struct cli_program *cp,
	const struct store_field *fields, size_t n)
{
	struct buf text;

	if (args->output == CLI_JSON)
		return json_print(
			view_all_json(cp->program, args->operand, fields, n));
	buf_init(&text, TEXT_BYTES_MAX);
	view_print(args->operand, fields, n, cli_has_colours(stdout), &text);
	(void)fputs(buf_cstr(&text), stdout);
	buf_fini(&text);
	return SG_EXIT_OK;
}

int
cli_get(int argc, char **argv)
{
	struct sg_fault why = {.err = SG_OK};
	struct store_field *fields = NULL;
	struct look *look = NULL;
	struct cli_program cp;
	struct cli_args args;
	struct arena arena;
	enum sg_err err;
	size_t n = 0;
	int status;

	if (!cli_parse(argc, argv, CLI_CONFIG | CLI_OUTPUT | CLI_OPERAND, usage,
		    &args, &status))
		return status;
	status = cli_program_open(&args, false, &cp);
	if (status != SG_EXIT_OK)
		return status;
	log_setup(LOG_WARN, LOG_LOGFMT);
	cli_catch_signals();
	arena_init(&arena, TEXT_BYTES_MAX);
	err = look_open(cp.program, &look, &why);
	if (err == SG_OK)
		err = look_view(look, args.operand, &arena, &fields, &n, &why);
	status = err == SG_OK ? show(&args, &cp, fields, n)
			      : cli_fail("get", err, &why);
	if (err == SG_NO_ACCOUNT)
		status = SG_EXIT_FAILED;
	look_close(look);
	arena_fini(&arena);
	cli_program_close(&cp);
	return status;
}
