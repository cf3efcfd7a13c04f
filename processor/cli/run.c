/* run.c - segmentd run: the daemon. */
#include <string.h>

#include "cli.h"
#include "segmentd/log.h"

static const char usage[] =
	"usage: segmentd run -c FILE [--set PATH=VALUE]... [--until TIME]\n"
	"                    [--accept-loss]\n"
	"\n"
	"Run until stopped by SIGTERM or SIGINT; then everything that was\n"
	"read is committed and written, and the status is 0.\n"
	"\n"
	"  -c, --config FILE   the configuration\n"
	"  --set PATH=VALUE    an option over that of the file "
	"(redis.url=...)\n"
	"  --until TIME        clock: event only. Read the inputs to their "
	"end,\n"
	"                      move the clock to TIME (later events stay\n"
	"                      unread), commit, and stop\n"
	"  --accept-loss       go on where retention has taken inputs that "
	"are\n"
	"                      needed to rebuild features\n";

int
cli_run(int argc, char **argv)
{
	struct pipeline_run_opts opts = {.stop = &cli_stop};
	struct sg_fault why = {.err = SG_OK};
	struct cli_program cp;
	struct cli_args args;
	enum sg_err err;
	int status;

	if (!cli_parse(argc, argv, CLI_CONFIG | CLI_UNTIL | CLI_ACCEPT_LOSS,
		    usage, &args, &status))
		return status;
	status = cli_program_open(&args, true, &cp);
	if (status != SG_EXIT_OK)
		return status;
	if (args.until_ms != 0 && cp.conf->opt.clock != CONF_CLOCK_EVENT) {
		(void)fprintf(
			stderr, "segmentd run: --until needs `clock: event`\n");
		cli_program_close(&cp);
		return SG_EXIT_USAGE;
	}
	log_setup((enum log_level)cp.conf->opt.log_level,
		(enum log_format)cp.conf->opt.log_format);
	cli_catch_signals();
	opts.until_ms = args.until_ms;
	opts.is_loss_accepted = args.is_loss_accepted;
	err = pipeline_run(cp.program, &opts, &why);
	status = err == SG_OK ? SG_EXIT_OK : cli_fail("run", err, &why);
	cli_program_close(&cp);
	return status;
}
