/* run.c - segmentd run: the daemon. */
#include <string.h>

#include "cli.h"
#include "segmentd/log.h"

#define STOP_MS 4000 /* init systems and people wait longer than that */

static const char usage[] =
	"usage: segmentd run -c FILE [--set PATH=VALUE]... [--until TIME]\n"
	"                    [--accept-loss] [--quiet-changes]\n"
	"\n"
	"Run until stopped by SIGTERM or SIGINT; then everything that was\n"
	"read is committed and written, and the status is 0. SIGHUP reads the\n"
	"configuration again: a good one takes over, and every account is\n"
	"evaluated by its rules in the background; with a bad one the present\n"
	"one goes on.\n"
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
	"                      needed to rebuild features\n"
	"  --quiet-changes     moves that new rules make are not published "
	"(their\n"
	"                      outcome is in segmentd.current and in Redis)\n";

struct run {
	const struct cli_args *args;
	struct cli_program present;
	struct cli_program next; /* read on SIGHUP; runs when this one ends */
	bool has_next;
};

/* SIGHUP: read the configuration again. A good one takes over; with a bad one
 * the present one goes on. */
static bool
on_tick(void *ctx, struct pipeline_control *control)
{
	struct run *run = ctx;
	int status;

	if (!atomic_exchange(&cli_hangup, false))
		return false;
	status = cli_program_open(run->args, true, &run->next);
	run->has_next = status == SG_EXIT_OK;
	SG_LOG(run->has_next ? LOG_INFO : LOG_ERROR, "config_reload",
		LOG_STR("file", run->args->config),
		LOG_STR("outcome", run->has_next ? "ok" : "refused"));
	pipeline_note_reload(control, run->has_next,
		run->has_next ? "reloaded"
			      : "a newer configuration was refused (see the "
				"log, or segmentd check); the old one runs");
	return run->has_next;
}

static enum sg_err
run_all(struct run *run, struct sg_fault *why)
{
	struct pipeline_run_opts opts = {
		.stop = &cli_stop,
		.stop_ms = STOP_MS,
		.until_ms = run->args->until_ms,
		.is_loss_accepted = run->args->is_loss_accepted,
		.is_quiet_on_rule_change = run->args->is_quiet,
		.on_tick = on_tick,
		.ctx = run,
	};
	enum sg_err err;

	for (;;) {
		const struct conf_options *opt = &run->present.conf->opt;

		log_setup((enum log_level)opt->log_level,
			(enum log_format)opt->log_format);
		run->has_next = false;
		err = pipeline_run(run->present.program, &opts, why);
		if (!run->has_next)
			return err;
		cli_program_close(&run->present);
		run->present = run->next;
		if (err != SG_OK)
			return err;
	}
}

int
cli_run(int argc, char **argv)
{
	struct sg_fault why = {.err = SG_OK};
	struct run run = {.has_next = false};
	struct cli_args args;
	enum sg_err err;
	int status;

	if (!cli_parse(argc, argv, CLI_CONFIG | CLI_UNTIL | CLI_ACCEPT_LOSS,
		    usage, &args, &status))
		return status;
	status = cli_program_open(&args, true, &run.present);
	if (status != SG_EXIT_OK)
		return status;
	run.args = &args;
	if (args.until_ms != 0 &&
		run.present.conf->opt.clock != CONF_CLOCK_EVENT) {
		(void)fprintf(
			stderr, "segmentd run: --until needs `clock: event`\n");
		cli_program_close(&run.present);
		return SG_EXIT_USAGE;
	}
	cli_catch_signals();
	cli_catch_hangup();
	err = run_all(&run, &why);
	status = err == SG_OK ? SG_EXIT_OK : cli_fail("run", err, &why);
	cli_program_close(&run.present);
	return status;
}
