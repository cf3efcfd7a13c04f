/* backtest.c - segmentd backtest: files through the pipeline. */
#include <string.h>

#include "compare.h"
#include "segmentd/civil.h"
#include "segmentd/publish.h"

static const char usage[] =
	"usage: segmentd backtest -c FILE --input NAME=FILE... [--until TIME]\n"
	"                         [--output json|text] [--set PATH=VALUE]...\n"
	"                         [--compare OLD.yaml [--value NAME] "
	"[--list]]\n"
	"\n"
	"Run the pipeline on files, with a memory store and the event-time\n"
	"clock: no broker, no Redis. Changes go to standard output, one a\n"
	"line; a summary to standard error.\n"
	"\n"
	"  --input NAME=FILE  rows of an input: .ndjson, .csv with a header, "
	"or\n"
	"                     an Avro container .avro; may be given "
	"repeatedly\n"
	"  --until TIME       leave out later events, and move the clock "
	"there\n"
	"  --output json      changes as NDJSON, the fields of a change "
	"(default)\n"
	"  --output text      one short line a change\n"
	"\n"
	"With --compare, who would be where under old and new rules instead:\n"
	"per segmentation a matrix from segment to segment.\n"
	"\n"
	"  --compare OLD.yaml the old rules; files go to inputs of the same "
	"name\n"
	"  --value NAME       a number to sum (default: variables.arr or\n"
	"                     account.arr of the new rules)\n"
	"  --list             the accounts that are elsewhere\n"
	"  --output FORM      text (default), csv for a spreadsheet (with "
	"--list a\n"
	"                     row an account; a text that a spreadsheet would "
	"take\n"
	"                     for a formula begins with '), or json\n"
	"\n"
	"Rows that are none are named, with file and line, and left out; the\n"
	"status is 65 then. A time to come is taken as it is, which `run` "
	"would\n"
	"refuse. The status is 1 when --compare finds an account elsewhere.\n";

struct backtest {
	enum cli_output output;
	struct buf line;
	struct cli_bar bar;
	uint64_t nbad;
	bool is_failed; /* standard output is gone */
};

static void
print_text(struct backtest *bt, const struct change *change)
{
	char at[CIVIL_RFC3339_MAX];
	size_t len = civil_format_ms(change->evaluated_at_ms, at, sizeof(at));

	buf_printf(&bt->line, "%.*s  %s  %s: %s -> %s  (%s)", (int)len, at,
		change->account, change->segmentation,
		change->from == NULL ? "-" : change->from,
		change->to == NULL ? "-" : change->to,
		change_origin_name(change->origin));
	if (change->nreasons > 0)
		buf_printf(&bt->line, "  %s is %s", change->reasons[0].clause,
			change->reasons[0].result ? "true" : "false");
}

static void
on_change(void *ctx, const struct change *change)
{
	struct backtest *bt = ctx;

	buf_reset(&bt->line);
	if (bt->output == CLI_JSON)
		publish_change_json(change, &bt->line);
	else
		print_text(bt, change);
	buf_put_u8(&bt->line, '\n');
	if (fwrite(bt->line.bytes, 1, bt->line.len, stdout) != bt->line.len) {
		bt->is_failed = true;
		atomic_store(&cli_stop, true);
	}
}

static void
on_bad_row(void *ctx, const struct sg_fault *why)
{
	struct backtest *bt = ctx;

	cli_bar_end(&bt->bar);
	if (++bt->nbad <= 20)
		(void)fprintf(stderr, "%s\n", why->text);
	else if (bt->nbad == 21)
		(void)fprintf(stderr, "more bad rows are counted only\n");
}

static void
on_progress(void *ctx, uint64_t done, uint64_t total)
{
	struct backtest *bt = ctx;

	cli_bar_show(&bt->bar, done, total);
}

static void
print_members(void *ctx, const char *segmentation, const char *segment,
	uint64_t naccounts)
{
	(void)ctx;
	(void)fprintf(stderr, "  %-24s %-16s %8llu\n", segmentation, segment,
		(unsigned long long)naccounts);
}

static void
print_summary(const struct replay_summary *sum, const struct replay *replay)
{
	char at[CIVIL_RFC3339_MAX] = "-";

	if (sum->clock_ms != INT64_MIN)
		(void)civil_format_ms(sum->clock_ms, at, sizeof(at));
	(void)fprintf(stderr,
		"%llu events (%llu repeats, %llu late, %llu bad rows), %llu "
		"accounts, %llu changes, clock at %s\n",
		(unsigned long long)sum->events,
		(unsigned long long)sum->repeats, (unsigned long long)sum->late,
		(unsigned long long)sum->bad_rows,
		(unsigned long long)sum->accounts,
		(unsigned long long)sum->changes, at);
	replay_members(replay, print_members, NULL);
}

static int
backtest(const struct cli_args *args, const struct cli_program *cp)
{
	struct replay_file files[CLI_INPUTS_MAX];
	struct backtest bt = {
		.output = args->has_output ? args->output : CLI_JSON};
	struct replay_opts opts = {.files = files,
		.until_ms = args->until_ms,
		.stop = &cli_stop,
		.on_change = on_change,
		.on_bad_row = on_bad_row,
		.on_progress = on_progress,
		.ctx = &bt};
	struct replay_summary summary;
	struct replay *replay = NULL;
	struct sg_fault why = {.err = SG_OK};
	enum sg_err err;

	if (!cli_files(args, cp->conf, files, &opts.nfiles))
		return SG_EXIT_USAGE;
	buf_init(&bt.line, 16 << 20);
	cli_bar_begin(&bt.bar, "replay");
	err = replay_run(cp->program, &opts, &replay, &summary, &why);
	cli_bar_end(&bt.bar);
	buf_fini(&bt.line);
	if (fflush(stdout) != 0 || bt.is_failed) {
		replay_destroy(replay);
		(void)fprintf(stderr,
			"segmentd backtest: standard output is closed\n");
		return SG_EXIT_IO;
	}
	if (err != SG_OK)
		return cli_fail("backtest", err, &why);
	print_summary(&summary, replay);
	replay_destroy(replay);
	return bt.nbad > 0 ? SG_EXIT_DATA : SG_EXIT_OK;
}

int
cli_backtest(int argc, char **argv)
{
	struct cli_program cp;
	struct cli_args args;
	int status;

	if (!cli_parse(argc, argv,
		    CLI_CONFIG | CLI_INPUT | CLI_UNTIL | CLI_OUTPUT |
			    CLI_HAS_CSV | CLI_COMPARE | CLI_MATRIX,
		    usage, &args, &status))
		return status;
	if (args.compare == NULL &&
		(args.output == CLI_CSV || args.value != NULL ||
			args.is_listed)) {
		(void)fprintf(stderr,
			"segmentd backtest: csv, --value and --list are of "
			"--compare\n%s",
			usage);
		return SG_EXIT_USAGE;
	}
	if (args.ninputs == 0) {
		(void)fprintf(stderr, "segmentd backtest: no --input given\n%s",
			usage);
		return SG_EXIT_USAGE;
	}
	status = cli_program_open(&args, false, &cp);
	if (status != SG_EXIT_OK)
		return status;
	cli_catch_signals();
	status = args.compare != NULL ? compare_backtest(&args, &cp)
				      : backtest(&args, &cp);
	cli_program_close(&cp);
	return status;
}
