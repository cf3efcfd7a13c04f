/* backtest_compare.c - segmentd backtest --compare: two sets of rules. */
#include <string.h>

#include "compare.h"

/* What a file is the input of; NULL where it is not written NAME=FILE. */
static bool
has_input(const struct conf *conf, const char *option)
{
	size_t len = strcspn(option, "=");

	if (len == strlen("overrides") && memcmp(option, "overrides", len) == 0)
		return conf->opt.topic_overrides.len > 0;
	for (size_t i = 0; i < conf->ninputs; i++) {
		if (conf->inputs[i].name.len == len &&
			memcmp(conf->inputs[i].name.s, option, len) == 0)
			return true;
	}
	return false;
}

/* The files that the old rules know of: the new ones may have an input more. */
static void
keep_known(struct cli_args *args, const struct conf *conf)
{
	size_t n = 0;

	for (size_t i = 0; i < args->ninputs; i++) {
		if (has_input(conf, args->inputs[i]))
			args->inputs[n++] = args->inputs[i];
		else
			(void)fprintf(stderr,
				"segmentd backtest: %s has no input for %s: "
				"left out there\n",
				args->config, args->inputs[i]);
	}
	args->ninputs = n;
}

struct runner {
	struct cli_bar bar;
	uint64_t nbad;
	bool is_quiet; /* the other replay has told of bad rows */
};

static void
on_bad_row(void *ctx, const struct sg_fault *why)
{
	struct runner *rn = ctx;

	if (rn->is_quiet)
		return;
	cli_bar_end(&rn->bar);
	if (++rn->nbad <= 20)
		(void)fprintf(stderr, "%s\n", why->text);
	else if (rn->nbad == 21)
		(void)fprintf(stderr, "more bad rows are counted only\n");
}

static void
on_progress(void *ctx, uint64_t done, uint64_t total)
{
	struct runner *rn = ctx;

	cli_bar_show(&rn->bar, done, total);
}

static int
run(const struct cli_args *args, const struct cli_program *cp, bool is_old,
	struct replay **ret_replay, uint64_t *ret_nbad)
{
	struct replay_file files[CLI_INPUTS_MAX];
	struct runner rn = {.is_quiet = is_old};
	struct replay_opts opts = {.files = files,
		.until_ms = args->until_ms,
		.stop = &cli_stop,
		.on_bad_row = on_bad_row,
		.on_progress = on_progress,
		.ctx = &rn};
	struct sg_fault why = {.err = SG_OK};
	struct replay_summary sum;
	enum sg_err err;

	if (!cli_files(args, cp->conf, files, &opts.nfiles))
		return SG_EXIT_USAGE;
	cli_bar_begin(&rn.bar, is_old ? "old rules" : "new rules");
	err = replay_run(cp->program, &opts, ret_replay, &sum, &why);
	cli_bar_end(&rn.bar);
	if (err != SG_OK)
		return cli_fail("backtest", err, &why);
	(void)fprintf(stderr,
		"%s: %llu events, %llu bad rows, %llu accounts, %llu changes\n",
		args->config, (unsigned long long)sum.events,
		(unsigned long long)sum.bad_rows,
		(unsigned long long)sum.accounts,
		(unsigned long long)sum.changes);
	*ret_nbad += sum.bad_rows;
	return SG_EXIT_OK;
}

static int
compare(const struct cli_args *args, struct replay *before,
	struct replay *after, const char *value)
{
	struct comparison *cmp = NULL;
	enum sg_err err = replay_compare(before, after, value, &cmp);
	int status;

	if (err != SG_OK)
		return cli_fail("backtest", err, NULL);
	status = compare_print("backtest", args, cmp);
	comparison_destroy(cmp);
	return status;
}

int
compare_backtest(const struct cli_args *args, const struct cli_program *cp)
{
	struct cli_args old_args = *args;
	struct replay *before = NULL, *after = NULL;
	struct cli_program old;
	uint64_t nbad = 0;
	const char *value;
	int status;

	if (!compare_value("backtest", args, cp->program, &value))
		return SG_EXIT_USAGE;
	old_args.config = args->compare;
	status = cli_program_open(&old_args, false, &old);
	if (status != SG_EXIT_OK)
		return status;
	keep_known(&old_args, old.conf);
	status = run(&old_args, &old, true, &before, &nbad);
	if (status == SG_EXIT_OK)
		status = run(args, cp, false, &after, &nbad);
	if (status == SG_EXIT_OK)
		status = compare(args, before, after, value);
	if (nbad > 0 && (status == SG_EXIT_OK || status == SG_EXIT_FAILED))
		status = SG_EXIT_DATA;
	replay_destroy(after);
	replay_destroy(before);
	cli_program_close(&old);
	return status;
}
