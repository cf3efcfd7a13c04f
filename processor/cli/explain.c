/* explain.c - segmentd explain: why an account is where it is. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "segmentd/arena.h"
#include "segmentd/civil.h"
#include "segmentd/clock.h"
#include "segmentd/log.h"

static const char usage[] =
	"usage: segmentd explain ACCOUNT -c FILE [--at TIME] [--output json]\n"
	"                        [--input NAME=FILE]...\n"
	"\n"
	"For each segmentation: where the account is and since when, every\n"
	"clause with its value and what it read, what holds it where it is,\n"
	"and when it may change next if nothing happens.\n"
	"\n"
	"  --at TIME          as of then instead of now (the state is the\n"
	"                     present one; with files, the replay ends there)\n"
	"  --input NAME=FILE  of a replay of files instead of Redis\n"
	"\n"
	"The status is 1 when there is no such account.\n";

static const char *
time_text(int64_t ms, char *text, size_t cap)
{
	if (ms == AT_NEVER || ms == INT64_MIN || ms == 0)
		return "-";
	(void)civil_format_ms(ms, text, cap);
	return text;
}

static const char *
or_none(const char *text)
{
	return text == NULL ? "none" : text;
}

static void
print_clause(const struct explain_clause *clause, bool is_coloured)
{
	static const char *const marks[] = {"no ", "yes", "ERR"};
	static const char *const colours[] = {
		"\033[2m", "\033[32m", "\033[31m"};
	char until[CIVIL_RFC3339_MAX];

	(void)printf("    %s%s%s  %-22s %s\n",
		is_coloured ? colours[clause->result] : "",
		marks[clause->result], is_coloured ? "\033[0m" : "",
		clause->rule,
		clause->source[0] == '\0' ? "(the default)" : clause->source);
	if (clause->error != NULL)
		(void)printf("           error: %s\n", clause->error);
	for (size_t i = 0; i < clause->nvalues; i++)
		(void)printf("           %s = %s\n", clause->values[i].name,
			clause->values[i].text);
	if (clause->valid_until_ms != AT_NEVER)
		(void)printf("           until %s at the earliest\n",
			time_text(
				clause->valid_until_ms, until, sizeof(until)));
}

static void
print_segmentation(const struct explain_segmentation *seg, bool is_coloured)
{
	char at[CIVIL_RFC3339_MAX];

	(void)printf("\n  %s%s%s: %s since %s\n", is_coloured ? "\033[1m" : "",
		seg->name, is_coloured ? "\033[0m" : "", or_none(seg->segment),
		time_text(seg->since_ms, at, sizeof(at)));
	for (size_t i = 0; i < seg->nclauses; i++)
		print_clause(&seg->clauses[i], is_coloured);
	if (seg->is_held && strcmp(seg->held_by, "error") == 0)
		(void)printf("    held: a rule failed\n");
	else if (seg->is_held)
		(void)printf("    held by %s until %s: the rules want %s\n",
			seg->held_by,
			time_text(seg->held_until_ms, at, sizeof(at)),
			or_none(seg->target));
	if (seg->override_author != NULL)
		(void)printf("    pinned by %s until %s: %s\n",
			seg->override_author,
			time_text(seg->override_until_ms, at, sizeof(at)),
			seg->override_reason);
	(void)printf("    next change without an event: %s\n",
		seg->next_ms == AT_NEVER
			? "never"
			: time_text(seg->next_ms, at, sizeof(at)));
}

static void
print_text(const struct explanation *ex)
{
	bool is_coloured = cli_has_colours(stdout);
	char at[CIVIL_RFC3339_MAX], updated[CIVIL_RFC3339_MAX];

	(void)printf("%s, version %llu, at %s (last event or change %s)%s\n",
		ex->account, (unsigned long long)ex->account_version,
		time_text(ex->at_ms, at, sizeof(at)),
		time_text(ex->updated_ms, updated, sizeof(updated)),
		ex->is_deleted ? ", deleted" : "");
	if (ex->has_renewal)
		(void)printf("renews %s, %lld days left\n",
			time_text(ex->renewal_date_ms, at, sizeof(at)),
			(long long)ex->days_left);
	for (size_t i = 0; i < ex->nsegmentations; i++)
		print_segmentation(&ex->segmentations[i], is_coloured);
}

/* --- JSON --------------------------------------------------------------- */

static json_t *
json_time(int64_t ms)
{
	char text[CIVIL_RFC3339_MAX];

	if (ms == AT_NEVER || ms == INT64_MIN || ms == 0)
		return json_null();
	(void)civil_format_ms(ms, text, sizeof(text));
	return json_string(text);
}

static json_t *
json_text(const char *text)
{
	return text == NULL ? json_null() : json_string(text);
}

static json_t *
json_values(const struct explain_value *values, size_t n)
{
	json_t *map = json_object();

	for (size_t i = 0; i < n; i++)
		(void)json_object_set_new(
			map, values[i].name, json_text(values[i].text));
	return map;
}

static json_t *
json_override(const struct explain_segmentation *seg)
{
	if (seg->override_author == NULL)
		return json_null();
	return json_pack("{s:s, s:s, s:o}", "author", seg->override_author,
		"reason", seg->override_reason, "until",
		json_time(seg->override_until_ms));
}

static json_t *
json_segmentation(const struct explain_segmentation *seg)
{
	static const char *const results[] = {"false", "true", "error"};
	json_t *clauses = json_array();

	for (size_t i = 0; i < seg->nclauses; i++) {
		const struct explain_clause *c = &seg->clauses[i];

		(void)json_array_append_new(
			clauses, json_pack("{s:s, s:s, s:s, s:o, s:o, s:o}",
					 "rule", c->rule, "clause", c->source,
					 "result", results[c->result], "error",
					 json_text(c->error), "valid_until",
					 json_time(c->valid_until_ms), "values",
					 json_values(c->values, c->nvalues)));
	}
	return json_pack("{s:s, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o}",
		"segmentation", seg->name, "segment", json_text(seg->segment),
		"since", json_time(seg->since_ms), "target",
		json_text(seg->target), "held", seg->is_held, "held_by",
		json_text(seg->held_by), "held_until",
		seg->is_held ? json_time(seg->held_until_ms) : json_null(),
		"next_change", json_time(seg->next_ms), "override",
		json_override(seg), "clauses", clauses);
}

static int
print_json(const struct explanation *ex)
{
	json_t *segmentations = json_array();
	json_t *all;
	char *text;

	for (size_t i = 0; i < ex->nsegmentations; i++)
		(void)json_array_append_new(segmentations,
			json_segmentation(&ex->segmentations[i]));
	all = json_pack("{s:s, s:I, s:o, s:o, s:b, s:o, s:o, s:o}",
		"account_id", ex->account, "account_version",
		(json_int_t)ex->account_version, "at", json_time(ex->at_ms),
		"updated_at", json_time(ex->updated_ms), "deleted",
		ex->is_deleted, "renewal_date",
		ex->has_renewal ? json_time(ex->renewal_date_ms) : json_null(),
		"segmentations", segmentations, "values",
		json_values(ex->values, ex->nvalues));
	text = all == NULL ? NULL : json_dumps(all, JSON_INDENT(2));
	json_decref(all);
	if (text == NULL)
		return SG_EXIT_INTERNAL;
	(void)puts(text);
	free(text);
	return SG_EXIT_OK;
}

/* --- the verb ----------------------------------------------------------- */

static enum sg_err
explain_replay(const struct cli_args *args, const struct cli_program *cp,
	struct arena *arena, struct explanation *ret, struct sg_fault *why)
{
	struct replay_file files[CLI_INPUTS_MAX];
	struct replay_opts opts = {
		.files = files, .until_ms = args->at_ms, .stop = &cli_stop};
	struct replay_summary summary;
	struct replay *replay = NULL;
	enum sg_err err;

	if (!cli_files(args, cp->conf, files, &opts.nfiles))
		return sg_fault_set(why, SG_BAD_OPTION, "no such input");
	err = replay_run(cp->program, &opts, &replay, &summary, why);
	if (err == SG_OK)
		err = replay_explain(replay, args->operand, arena, ret, why);
	replay_destroy(replay);
	return err;
}

static int
explain(const struct cli_args *args, const struct cli_program *cp)
{
	struct explanation ex;
	struct sg_fault why = {.err = SG_OK};
	struct arena arena;
	enum sg_err err;
	int status = SG_EXIT_OK;

	arena_init(&arena, (size_t)256 << 20);
	if (args->ninputs > 0)
		err = explain_replay(args, cp, &arena, &ex, &why);
	else
		err = pipeline_explain(cp->program, args->operand,
			args->at_ms == 0 ? clock_now_ms() : args->at_ms, &arena,
			&ex, &why);
	if (err == SG_NO_ACCOUNT) {
		(void)fprintf(stderr, "segmentd explain: %s\n", why.text);
		status = SG_EXIT_FAILED;
	} else if (err != SG_OK) {
		status = cli_fail("explain", err, &why);
	} else if (args->output == CLI_JSON) {
		status = print_json(&ex);
	} else {
		print_text(&ex);
	}
	arena_fini(&arena);
	return status;
}

int
cli_explain(int argc, char **argv)
{
	struct cli_program cp;
	struct cli_args args;
	int status;

	if (!cli_parse(argc, argv,
		    CLI_CONFIG | CLI_INPUT | CLI_OUTPUT | CLI_AT | CLI_OPERAND,
		    usage, &args, &status))
		return status;
	status = cli_program_open(&args, false, &cp);
	if (status != SG_EXIT_OK)
		return status;
	log_setup(LOG_WARN, LOG_LOGFMT);
	cli_catch_signals();
	status = explain(&args, &cp);
	cli_program_close(&cp);
	return status;
}
