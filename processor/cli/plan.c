/* plan.c - segmentd plan: who would move under new rules, written nowhere. */
#include "compare.h"
#include "segmentd/log.h"

static const char usage[] =
	"usage: segmentd plan -c NEW.yaml [--value NAME] [--list] [--at TIME]\n"
	"                     [--output text|csv|json] [--set PATH=VALUE]...\n"
	"\n"
	"Take the accounts as they stand in Redis, decide them by the rules "
	"of\n"
	"NEW.yaml as a restart with it would, and show who would be where: "
	"per\n"
	"segmentation a matrix from segment to segment. Nothing is written.\n"
	"Redis lags the daemon by up to flush.age.\n"
	"\n"
	"  --value NAME   a number to sum (default: variables.arr or "
	"account.arr)\n"
	"  --list         the accounts that move, and those that would but "
	"for\n"
	"                 min_stay or cooldown, with when that ends\n"
	"  --at TIME      as of then instead of now\n"
	"  --output csv   for a spreadsheet; with --list a row an account. A "
	"text\n"
	"                 that a spreadsheet would take for a formula begins "
	"with '\n"
	"\n"
	"The status is 0 when nobody moves, 1 when somebody does.\n";

static void
on_progress(void *ctx, uint64_t done, uint64_t total)
{
	cli_bar_show(ctx, done, total);
}

static int
plan(const struct cli_args *args, const struct cli_program *cp)
{
	struct comparison *cmp = NULL;
	struct sg_fault why = {.err = SG_OK};
	struct cli_bar bar;
	struct plan_opts opts = {.at_ms = args->at_ms,
		.stop = &cli_stop,
		.on_progress = on_progress,
		.ctx = &bar};
	enum sg_err err;
	int status;

	if (!compare_value("plan", args, cp->program, &opts.value))
		return SG_EXIT_USAGE;
	cli_bar_begin(&bar, "accounts");
	err = pipeline_plan(cp->program, &opts, &cmp, &why);
	cli_bar_end(&bar);
	if (err != SG_OK)
		return cli_fail("plan", err, &why);
	status = compare_print("plan", args, cmp);
	comparison_destroy(cmp);
	return status;
}

int
cli_plan(int argc, char **argv)
{
	struct cli_program cp;
	struct cli_args args;
	int status;

	if (!cli_parse(argc, argv,
		    CLI_CONFIG | CLI_CONFIG_OPERAND | CLI_AT | CLI_OUTPUT |
			    CLI_HAS_CSV | CLI_MATRIX,
		    usage, &args, &status))
		return status;
	status = cli_program_open(&args, false, &cp);
	if (status != SG_EXIT_OK)
		return status;
	log_setup(LOG_WARN, LOG_LOGFMT);
	cli_catch_signals();
	status = plan(&args, &cp);
	cli_program_close(&cp);
	return status;
}
