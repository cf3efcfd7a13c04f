/* verify.c - segmentd verify: does Redis hold what it should? */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#include "cli.h"
#include "segmentd/arena.h"
#include "segmentd/log.h"

static const char usage[] =
	"usage: segmentd verify -c FILE [--output json] [--accept-loss]\n"
	"                       [--set PATH=VALUE]...\n"
	"\n"
	"Compare Redis with a fresh fold of the inputs, and with what was\n"
	"published: features, positions, memberships, views, members of\n"
	"segments, the renewal queue and timers, account by account. Nothing\n"
	"is written. The daemon may run or stand still.\n"
	"\n"
	"  --accept-loss   where retention has taken the beginning of an\n"
	"                  input, compare all but features\n"
	"\n"
	"A feature that was configured after its first events differs: Redis\n"
	"has what came since (segmentd rebuild folds it from the start).\n"
	"The status is 0 when nothing differs, 1 when something does.\n";

static void
on_progress(void *ctx, uint64_t done, uint64_t total)
{
	cli_bar_show(ctx, done, total);
}

static void
print_text(const struct verification *ver)
{
	for (size_t i = 0; i < ver->n; i++) {
		const struct verify_difference *d = &ver->differences[i];

		(void)printf("%s [%d] %s%s%s: Redis has `%s`, expected `%s`\n",
			d->account, (int)d->partition, d->what,
			d->name[0] == '\0' ? "" : " ", d->name, d->redis,
			d->expected);
	}
	if (ver->ndifferences > ver->n)
		(void)printf("... and %" PRIu64 " more\n",
			ver->ndifferences - ver->n);
	(void)printf("%" PRIu64 " accounts, %" PRIu64 " records, %" PRIu64
		     " memberships published: %" PRIu64 " differences\n",
		ver->naccounts, ver->nrecords, ver->nimages, ver->ndifferences);
	if (ver->nlagging > 0)
		(void)printf("%" PRIu64 " accounts have changes on their way "
			     "to Redis\n",
			ver->nlagging);
	if (ver->nuncertain > 0)
		(void)printf("%" PRIu64
			     " accounts were deleted once, and differ in what "
			     "depends on how the inputs came in\n",
			ver->nuncertain);
	if (ver->nskipped > 0)
		(void)printf("%" PRIu64 " views were not compared: of an older "
			     "configuration, or changing all the time\n",
			ver->nskipped);
	if (ver->partial != NULL)
		(void)printf("features were not compared: %s\n", ver->partial);
}

static int
print_json(const struct verification *ver)
{
	json_t *list = json_array();
	json_t *all;
	char *text;

	for (size_t i = 0; i < ver->n; i++) {
		const struct verify_difference *d = &ver->differences[i];

		(void)json_array_append_new(
			list, json_pack("{s:s, s:i, s:s, s:s, s:s, s:s}",
				      "account_id", d->account, "partition",
				      (int)d->partition, "what", d->what,
				      "name", d->name, "redis", d->redis,
				      "expected", d->expected));
	}
	all = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s?, s:o}",
		"accounts", (json_int_t)ver->naccounts, "records",
		(json_int_t)ver->nrecords, "published",
		(json_int_t)ver->nimages, "differences",
		(json_int_t)ver->ndifferences, "lagging",
		(json_int_t)ver->nlagging, "uncertain",
		(json_int_t)ver->nuncertain, "skipped",
		(json_int_t)ver->nskipped, "partial", ver->partial, "list",
		list);
	text = all == NULL ? NULL : json_dumps(all, JSON_INDENT(2));
	json_decref(all);
	if (text == NULL)
		return SG_EXIT_INTERNAL;
	(void)puts(text);
	free(text);
	return ver->ndifferences == 0 ? SG_EXIT_OK : SG_EXIT_FAILED;
}

static int
verify(const struct cli_args *args, const struct cli_program *cp)
{
	struct verification ver;
	struct sg_fault why = {.err = SG_OK};
	struct cli_bar bar;
	struct verify_opts opts = {
		.is_loss_accepted = args->is_loss_accepted,
		.stop = &cli_stop,
		.on_progress = on_progress,
		.ctx = &bar,
	};
	struct arena arena;
	enum sg_err err;
	int status;

	arena_init(&arena, (size_t)1 << 30);
	cli_bar_begin(&bar, "records");
	err = pipeline_verify(cp->program, &opts, &arena, &ver, &why);
	cli_bar_end(&bar);
	if (err != SG_OK) {
		status = cli_fail("verify", err, &why);
	} else if (args->output == CLI_JSON) {
		status = print_json(&ver);
	} else {
		print_text(&ver);
		status = ver.ndifferences == 0 ? SG_EXIT_OK : SG_EXIT_FAILED;
	}
	arena_fini(&arena);
	return status;
}

int
cli_verify(int argc, char **argv)
{
	struct cli_program cp;
	struct cli_args args;
	int status;

	if (!cli_parse(argc, argv, CLI_CONFIG | CLI_OUTPUT | CLI_ACCEPT_LOSS,
		    usage, &args, &status))
		return status;
	status = cli_program_open(&args, true, &cp);
	if (status != SG_EXIT_OK)
		return status;
	log_setup(LOG_WARN, LOG_LOGFMT);
	cli_catch_signals();
	status = verify(&args, &cp);
	cli_program_close(&cp);
	return status;
}
