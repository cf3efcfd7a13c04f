/* load.c - segmentd load: files to the input topics. */
#include "cli.h"
#include "segmentd/log.h"

static const char usage[] =
	"usage: segmentd load -c FILE --input NAME=FILE... [--set "
	"PATH=VALUE]...\n"
	"\n"
	"Encode rows of files to Avro, in the schema of their input, and\n"
	"produce them to its topic, keyed by account id, in event-time order.\n"
	"Bad rows are reported with file and line, and counted; the status is\n"
	"65 when there were any.\n"
	"\n"
	"  --input NAME=FILE  .ndjson, .csv with a header, or .avro\n";

struct load {
	struct cli_bar bar;
	uint64_t nbad;
};

static void
on_bad_row(void *ctx, const struct sg_fault *why)
{
	struct load *load = ctx;

	cli_bar_end(&load->bar);
	if (++load->nbad <= 100)
		(void)fprintf(stderr, "%s\n", why->text);
	else if (load->nbad == 101)
		(void)fprintf(stderr, "more bad rows are counted only\n");
}

static void
on_progress(void *ctx, uint64_t done, uint64_t total)
{
	struct load *load = ctx;

	cli_bar_show(&load->bar, done, total);
}

static int
load_files(const struct cli_args *args, const struct cli_program *cp)
{
	struct replay_file files[CLI_INPUTS_MAX];
	struct load load = {.nbad = 0};
	struct replay_opts opts = {.files = files,
		.stop = &cli_stop,
		.on_bad_row = on_bad_row,
		.on_progress = on_progress,
		.ctx = &load};
	struct load_summary summary;
	struct sg_fault why = {.err = SG_OK};
	enum sg_err err;

	if (!cli_files(args, cp->conf, files, &opts.nfiles))
		return SG_EXIT_USAGE;
	cli_bar_begin(&load.bar, "load");
	err = pipeline_load(cp->program, &opts, &summary, &why);
	cli_bar_end(&load.bar);
	(void)fprintf(stderr, "%llu records produced, %llu bad rows\n",
		(unsigned long long)summary.produced,
		(unsigned long long)summary.bad_rows);
	if (err != SG_OK)
		return cli_fail("load", err, &why);
	return summary.bad_rows > 0 ? SG_EXIT_DATA : SG_EXIT_OK;
}

int
cli_load(int argc, char **argv)
{
	struct cli_program cp;
	struct cli_args args;
	int status;

	if (!cli_parse(
		    argc, argv, CLI_CONFIG | CLI_INPUT, usage, &args, &status))
		return status;
	if (args.ninputs == 0) {
		(void)fprintf(
			stderr, "segmentd load: no --input given\n%s", usage);
		return SG_EXIT_USAGE;
	}
	status = cli_program_open(&args, true, &cp);
	if (status != SG_EXIT_OK)
		return status;
	log_setup(LOG_WARN, (enum log_format)cp.conf->opt.log_format);
	cli_catch_signals();
	status = load_files(&args, &cp);
	cli_program_close(&cp);
	return status;
}
