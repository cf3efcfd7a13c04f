/*
 * renewals.c - segmentd renewals: work off the renewal queue.
 *
 * docs/feeds/renewals.md is the page of it.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "segmentd/arena.h"
#include "segmentd/civil.h"
#include "segmentd/clock.h"
#include "segmentd/log.h"

#define LEASE_MS_MAX (INT64_C(365) * CIVIL_DAY_MS)
#define CLAIM_MAX 1000
#define LIST_MAX 100000
#define LIST_USUAL 20

static const char usage[] =
	"usage: segmentd renewals claim -c FILE --worker NAME --lease SPAN\n"
	"                               [--window T-90] [-n COUNT]\n"
	"       segmentd renewals done | release ACCOUNT -c FILE --worker "
	"NAME\n"
	"                               [--token TOKEN]\n"
	"       segmentd renewals extend ACCOUNT -c FILE --worker NAME\n"
	"                               --lease SPAN [--token TOKEN]\n"
	"       segmentd renewals list -c FILE [--window T-90] [-n COUNT]\n"
	"       segmentd renewals script NAME\n"
	"       ... [--output json] [--set PATH=VALUE]...\n"
	"\n"
	"Work off the renewal queue, highest priority and soonest date first.\n"
	"\n"
	"  claim    take the first accounts that nobody has (one, or COUNT, "
	"up\n"
	"           to 1000) until the lease ends; prints them, or nothing\n"
	"  done     finished: it does not come again in this window, unless\n"
	"           its date moves\n"
	"  release  give it back unfinished\n"
	"  extend   keep it so long from now\n"
	"  list     the first 20 or COUNT of the queue, and who has them\n"
	"  script   print the Lua script of claim, done, release, extend, "
	"list\n"
	"           or peek, for use from any Redis client\n"
	"\n"
	"SPAN is as 30m, 8h or 2d. The status is 1 when an account is not\n"
	"there, or is not the worker's to give back (any more).\n";

struct renewals {
	const struct cli_args *args;
	struct worklist *list;
	struct arena arena;
};

/* --- printing ------------------------------------------------------------ */

static const char *
time_text(int64_t ms, char *text, size_t cap)
{
	if (ms == 0)
		return "-";
	(void)civil_format_ms(ms, text, cap);
	return text;
}

static const char *
or_dash(const char *text)
{
	return text[0] == '\0' ? "-" : text;
}

/* Days of the calendar (of UTC, as dates are shown) from today to the date. */
static bool
days_left(const char *date, int64_t *ret_days)
{
	int64_t seconds;
	int32_t nanos;

	if (!civil_parse(date, strlen(date), false, &seconds, &nanos))
		return false;
	*ret_days = seconds / 86400 - (seconds % 86400 < 0) -
		    clock_now_ms() / CIVIL_DAY_MS;
	return true;
}

static void
print_text(const struct worklist_item *items, size_t n, bool is_claim)
{
	static const char *const states[] = {"open", "claimed", "done", "lost"};
	char until[CIVIL_RFC3339_MAX];

	if (n > 0)
		(void)printf("%-24s %-10s %5s %-8s %12s  %-24s %s\n", "account",
			"date", "days", "window", "priority", "lease until",
			is_claim ? "token" : "state");
	for (size_t i = 0; i < n; i++) {
		const struct worklist_item *item = &items[i];
		char days[24] = "-";
		int64_t left;

		if (days_left(item->date, &left))
			(void)snprintf(days, sizeof(days), "%" PRId64, left);
		(void)printf("%-24s %-10.10s %5s %-8s %12s  %-24s %s%s%s\n",
			item->account, or_dash(item->date), days,
			or_dash(item->window), or_dash(item->priority),
			time_text(item->ends_ms, until, sizeof(until)),
			is_claim ? item->token : states[item->state],
			item->worker[0] == '\0' || is_claim ? "" : " by ",
			is_claim ? "" : item->worker);
	}
}

static json_t *
json_or_null(const char *text)
{
	return text[0] == '\0' ? json_null() : json_string(text);
}

/* Segments under their names, every other field of the view as it is. */
static void
json_view(json_t *object, const struct worklist_item *item)
{
	static const char prefix[] = "segment.";
	json_t *segments = json_object();
	json_t *values = json_object();

	for (size_t i = 0; i < item->nfields; i++) {
		const struct store_field *f = &item->fields[i];

		if (strncmp(f->name, prefix, strlen(prefix)) == 0)
			(void)json_object_set_new(segments,
				f->name + strlen(prefix),
				json_string(f->value));
		else if (strncmp(f->name, "renewal.", 8) != 0)
			(void)json_object_set_new(
				values, f->name, json_string(f->value));
	}
	(void)json_object_set_new(object, "segments", segments);
	(void)json_object_set_new(object, "values", values);
}

static json_t *
json_item(const struct worklist_item *item, bool is_claim)
{
	static const char *const states[] = {"open", "claimed", "done", "lost"};
	char until[CIVIL_RFC3339_MAX];
	json_t *object;
	int64_t left;

	object = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "account_id",
		item->account, "date", json_or_null(item->date), "days_left",
		days_left(item->date, &left) ? json_integer(left) : json_null(),
		"window", json_or_null(item->window), "priority",
		item->priority[0] == '\0'
			? json_null()
			: json_real(store_score(item->priority)),
		"worker", json_or_null(item->worker), "lease_until",
		item->ends_ms == 0 ? json_null()
				   : json_string(time_text(item->ends_ms, until,
					     sizeof(until))));
	if (object == NULL)
		return NULL;
	if (is_claim) {
		(void)json_object_set_new(
			object, "token", json_string(item->token));
		json_view(object, item);
	} else {
		(void)json_object_set_new(
			object, "state", json_string(states[item->state]));
	}
	return object;
}

static int
print_items(const struct renewals *rn, const struct worklist_item *items,
	size_t n, bool is_claim)
{
	json_t *all;
	char *text;

	if (rn->args->output != CLI_JSON) {
		print_text(items, n, is_claim);
		return SG_EXIT_OK;
	}
	all = json_array();
	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(
			all, json_item(&items[i], is_claim));
	text = all == NULL ? NULL : json_dumps(all, JSON_INDENT(2));
	json_decref(all);
	if (text == NULL)
		return SG_EXIT_INTERNAL;
	(void)puts(text);
	free(text);
	return SG_EXIT_OK;
}

/* --- what can be done ---------------------------------------------------- */

static int
do_claim(struct renewals *rn, struct sg_fault *why, enum sg_err *ret_err)
{
	const struct cli_args *args = rn->args;
	const struct worklist_claim claim = {.worker = args->worker,
		.lease_ms = args->lease_ms,
		.window = args->window,
		.max = args->limit == 0 ? 1 : args->limit};
	struct worklist_item *items = NULL;
	size_t n = 0;

	*ret_err =
		worklist_claim(rn->list, &claim, &rn->arena, &items, &n, why);
	return *ret_err == SG_OK ? print_items(rn, items, n, true) : 0;
}

static int
do_list(struct renewals *rn, struct sg_fault *why, enum sg_err *ret_err)
{
	const struct cli_args *args = rn->args;
	struct worklist_item *items = NULL;
	size_t n = 0;

	*ret_err = worklist_list(rn->list, args->window,
		args->limit == 0 ? LIST_USUAL : args->limit, &rn->arena, &items,
		&n, why);
	return *ret_err == SG_OK ? print_items(rn, items, n, false) : 0;
}

static int
do_answer(struct renewals *rn, enum store_script script, struct sg_fault *why,
	enum sg_err *ret_err)
{
	const struct cli_args *args = rn->args;
	const char *reply = "";
	char until[CIVIL_RFC3339_MAX];

	*ret_err =
		worklist_answer(rn->list, script, args->operand, args->worker,
			args->token, args->lease_ms, &rn->arena, &reply, why);
	if (*ret_err != SG_OK)
		return 0;
	if (script == STORE_SCRIPT_extend)
		reply = time_text((int64_t)strtoll(reply, NULL, 10), until,
			sizeof(until));
	if (args->output == CLI_JSON)
		(void)printf("\"%s\"\n", reply);
	else
		(void)printf("%s: %s\n", args->operand, reply);
	return SG_EXIT_OK;
}

static int
do_release(struct renewals *rn, struct sg_fault *why, enum sg_err *ret_err)
{
	return do_answer(rn, STORE_SCRIPT_release, why, ret_err);
}

static int
do_done(struct renewals *rn, struct sg_fault *why, enum sg_err *ret_err)
{
	return do_answer(rn, STORE_SCRIPT_done, why, ret_err);
}

static int
do_extend(struct renewals *rn, struct sg_fault *why, enum sg_err *ret_err)
{
	return do_answer(rn, STORE_SCRIPT_extend, why, ret_err);
}

static const struct action {
	const char *name;
	char title[24]; /* for messages */
	unsigned options;
	bool needs_lease;
	uint64_t max;
	int (*run)(struct renewals *rn, struct sg_fault *why,
		enum sg_err *ret_err);
} actions[] = {
	{"claim", "renewals claim",
		CLI_WORKER | CLI_LEASE | CLI_WINDOW | CLI_LIMIT, true,
		CLAIM_MAX, do_claim},
	{"done", "renewals done", CLI_WORKER | CLI_OPERAND, false, 0, do_done},
	{"release", "renewals release", CLI_WORKER | CLI_OPERAND, false, 0,
		do_release},
	{"extend", "renewals extend", CLI_WORKER | CLI_LEASE | CLI_OPERAND,
		true, 0, do_extend},
	{"list", "renewals list", CLI_WINDOW | CLI_LIMIT, false, LIST_MAX,
		do_list},
};

/* --- the verb ------------------------------------------------------------ */

static int
print_script(const char *name)
{
	for (int i = 0; name != NULL && i < STORE_SCRIPT_COUNT; i++) {
		if (strcmp(name, store_script_name((enum store_script)i)) != 0)
			continue;
		(void)fputs(store_script_text((enum store_script)i), stdout);
		return SG_EXIT_OK;
	}
	(void)fprintf(stderr, "segmentd renewals script: which one?");
	for (int i = 0; i < STORE_SCRIPT_COUNT; i++)
		(void)fprintf(
			stderr, " %s", store_script_name((enum store_script)i));
	(void)fputc('\n', stderr);
	return SG_EXIT_USAGE;
}

/* Does every option make sense together? Else a message. */
static bool
check_args(const struct action *action, const struct cli_args *args)
{
	const char *what = NULL;

	if ((action->options & CLI_WORKER) != 0 &&
		(args->worker == NULL || args->worker[0] == '\0'))
		what = "who works? --worker NAME is needed";
	for (const char *p = args->worker; p != NULL && *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			what = "the worker's name has a control character";
	if (action->needs_lease && args->lease_ms == 0)
		what = "for how long? --lease SPAN is needed";
	if (args->lease_ms > LEASE_MS_MAX)
		what = "a lease is of 365 days at most";
	if (args->limit > action->max && action->max > 0)
		what = action->max == CLAIM_MAX ? "-n is at most 1000"
						: "-n is at most 100000";
	if (what != NULL)
		(void)fprintf(stderr, "segmentd %s: %s\n", action->title, what);
	return what == NULL;
}

static bool
check_window(const struct action *action, const struct renewals *rn)
{
	size_t n;
	const char *const *windows = worklist_windows(rn->list, &n);

	if (rn->args->window == NULL)
		return true;
	for (size_t i = 0; i < n; i++)
		if (strcmp(rn->args->window, windows[i]) == 0)
			return true;
	(void)fprintf(stderr, "segmentd %s: there is no window `%s`, but",
		action->title, rn->args->window);
	for (size_t i = 0; i < n; i++)
		(void)fprintf(stderr, " %s", windows[i]);
	(void)fputc('\n', stderr);
	return false;
}

static int
act(const struct action *action, const struct cli_args *args,
	const struct cli_program *cp)
{
	struct renewals rn = {.args = args};
	struct sg_fault why = {.err = SG_OK};
	enum sg_err err;
	int status = SG_EXIT_USAGE;

	arena_init(&rn.arena, (size_t)1 << 30);
	err = worklist_open(cp->program, &rn.list, &why);
	if (err == SG_OK && check_window(action, &rn))
		status = action->run(&rn, &why, &err);
	if (err == SG_NO_ACCOUNT) {
		(void)fprintf(
			stderr, "segmentd %s: %s\n", action->title, why.text);
		status = SG_EXIT_FAILED;
	} else if (err != SG_OK) {
		status = cli_fail(action->title, err, &why);
	}
	worklist_close(rn.list);
	arena_fini(&rn.arena);
	return status;
}

static int
parse_and_act(const struct action *action, int argc, char **argv)
{
	char title[sizeof(action->title)];
	struct cli_program cp;
	struct cli_args args;
	int status;

	memcpy(title, action->title, sizeof(title));
	argv[0] = title;
	if (!cli_parse(argc, argv, CLI_CONFIG | CLI_OUTPUT | action->options,
		    usage, &args, &status))
		return status;
	if (!check_args(action, &args))
		return SG_EXIT_USAGE;
	status = cli_program_open(&args, false, &cp);
	if (status != SG_EXIT_OK)
		return status;
	log_setup(LOG_WARN, LOG_LOGFMT);
	cli_catch_signals();
	status = act(action, &args, &cp);
	cli_program_close(&cp);
	return status;
}

int
cli_renewals(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
		(void)fputs(usage, stdout);
		return SG_EXIT_OK;
	}
	if (strcmp(name, "script") == 0)
		return print_script(argc > 2 ? argv[2] : NULL);
	for (size_t i = 0; i < SG_COUNTOF(actions); i++)
		if (strcmp(name, actions[i].name) == 0)
			return parse_and_act(&actions[i], argc - 1, argv + 1);
	(void)fputs(usage, stderr);
	return SG_EXIT_USAGE;
}
