/* rebuild.c - segmentd rebuild: Redis anew from Kafka. */
#include <inttypes.h>

#include "cli.h"
#include "segmentd/log.h"

static const char usage[] =
	"usage: segmentd rebuild -c FILE [--accept-loss]\n"
	"                        [--set PATH=VALUE]...\n"
	"\n"
	"Remove everything under redis.prefix and build it anew: features "
	"from\n"
	"the inputs, memberships from what was published. Nothing is "
	"published\n"
	"again; what has fallen due meanwhile is decided as at any start. The\n"
	"daemon has to be stopped, everywhere; its session is waited for.\n"
	"Nothing is removed when it could not be built anew.\n"
	"\n"
	"  --accept-loss   where retention has taken the beginning of an\n"
	"                  input, go on with what is left of it\n"
	"\n"
	"Interrupted, it can be repeated; the daemon would do the rest as "
	"well.\n";

struct shown {
	struct cli_bar bar;
	bool is_folding;
};

static void
on_progress(void *ctx, uint64_t done, uint64_t total)
{
	struct shown *shown = ctx;

	if (total > 0 && !shown->is_folding) {
		cli_bar_end(&shown->bar);
		cli_bar_begin(&shown->bar, "records folded");
		shown->is_folding = true;
	}
	cli_bar_show(&shown->bar, done, total);
}

int
cli_rebuild(int argc, char **argv)
{
	struct sg_fault why = {.err = SG_OK};
	struct rebuild_summary sum;
	struct shown shown = {.is_folding = false};
	struct rebuild_opts opts = {
		.stop = &cli_stop, .on_progress = on_progress, .ctx = &shown};
	struct cli_program cp;
	struct cli_args args;
	enum sg_err err;
	int status;

	if (!cli_parse(argc, argv, CLI_CONFIG | CLI_ACCEPT_LOSS, usage, &args,
		    &status))
		return status;
	status = cli_program_open(&args, true, &cp);
	if (status != SG_EXIT_OK)
		return status;
	log_setup(LOG_WARN, LOG_LOGFMT);
	cli_catch_signals();
	opts.is_loss_accepted = args.is_loss_accepted;
	cli_bar_begin(&shown.bar, "keys removed");
	err = pipeline_rebuild(cp.program, &opts, &sum, &why);
	cli_bar_end(&shown.bar);
	if (err == SG_OK)
		(void)printf("%" PRIu64 " keys removed, %" PRIu64
			     " records folded again\n",
			sum.nkeys, sum.nrecords);
	status = err == SG_OK ? SG_EXIT_OK : cli_fail("rebuild", err, &why);
	cli_program_close(&cp);
	return status;
}
