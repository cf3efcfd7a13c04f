/*
 * worklist.c - the renewal queue for who works it off: claim, done, release.
 *
 * What is done is done by the scripts of the store, in one piece, on the queue
 * of one partition group. Under STORE_PLAIN there is one queue. Else a claim
 * asks each for the score at its head, takes one account from the highest, asks
 * that one again, and so on: the order over all is exact while nobody else
 * claims, and near it while others do. What is given back is looked for in
 * each.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"
#include "segmentd/ingest.h"
#include "segmentd/store.h"

#define TIMEOUT_MS 10000
#define CLAIM_MAX 1000 /* of one call of the script; same of a page */
#define NUMBER_TEXT_MAX 24

struct worklist {
	const struct program *prog;
	struct store *store;
	int32_t ngroups;
};

/* --- opening ------------------------------------------------------------- */

enum sg_err
worklist_open(const struct program *prog, struct worklist **ret_list,
	struct sg_fault *why)
{
	struct store_opts opts = program_store_opts(prog);
	const char *topics[INPUTS_MAX];
	struct ingest_opts ingest = program_onlooker(prog, topics);
	struct worklist *list;
	enum sg_err err;

	if (prog->renewal < 0)
		return sg_fault_set(why, SG_BAD_CONFIG,
			"the configuration has no `renewal`, so there is no "
			"queue");
	list = calloc(1, sizeof(*list));
	if (list == NULL)
		return SG_NOMEM;
	list->prog = prog;
	list->ngroups = 1;
	err = store_open_redis(&opts, &list->store, why);
	if (err == SG_OK && opts.layout == STORE_PARTITIONED)
		err = ingest_check_topics(
			&ingest, TIMEOUT_MS, &list->ngroups, why);
	if (err != SG_OK) {
		worklist_close(list);
		return err;
	}
	*ret_list = list;
	return SG_OK;
}

void
worklist_close(struct worklist *list)
{
	if (list == NULL)
		return;
	store_close(list->store);
	free(list);
}

const char *const *
worklist_windows(const struct worklist *list, size_t *ret_n)
{
	const struct segmentation_def *def =
		&list->prog->defs[list->prog->renewal];

	*ret_n = def->nsegments;
	return def->segments;
}

/* --- what scripts reply -------------------------------------------------- */

static const char *
number_text(int64_t n, char text[static NUMBER_TEXT_MAX])
{
	struct buf buf;

	buf_init(&buf, NUMBER_TEXT_MAX);
	buf_printf(&buf, "%lld", (long long)n);
	(void)memcpy(text, buf_cstr(&buf), buf.len + 1);
	buf_fini(&buf);
	return text;
}

static enum sg_err
unexpected(struct sg_fault *why)
{
	return sg_fault_set(why, SG_INTERNAL,
		"a script of the renewal queue replied something unexpected");
}

/* The n-th item is a text; "" when it is not there or none. */
static const char *
text_at(const struct store_answer *list, size_t n)
{
	if (n >= list->nitems || list->items[n].kind != STORE_ANSWER_TEXT)
		return "";
	return list->items[n].text;
}

static int64_t
number_at(const struct store_answer *list, size_t n)
{
	return (int64_t)strtoll(text_at(list, n), NULL, 10);
}

static void
take_field(struct worklist_item *item, const struct store_field *field)
{
	if (strcmp(field->name, "renewal.date") == 0)
		item->date = field->value;
	if (strcmp(field->name, "renewal.window") == 0)
		item->window = field->value;
	if (strcmp(field->name, "renewal.priority") == 0)
		item->priority = field->value;
}

/* A claimed account: id, token, end, [name, value, ...]. */
static enum sg_err
take_claim(const struct store_answer *one, const char *worker,
	struct arena *arena, struct worklist_item *item)
{
	const struct store_answer *view;
	struct store_field *fields;

	if (one->kind != STORE_ANSWER_LIST || one->nitems != 4 ||
		one->items[3].kind != STORE_ANSWER_LIST)
		return SG_INTERNAL;
	view = &one->items[3];
	fields = arena_array(arena, view->nitems / 2 + 1, sizeof(*fields));
	if (fields == NULL)
		return SG_NOMEM;
	*item = (struct worklist_item){.account = text_at(one, 0),
		.token = text_at(one, 1),
		.ends_ms = number_at(one, 2),
		.worker = worker,
		.date = "",
		.window = "",
		.priority = "",
		.state = WORKLIST_CLAIMED,
		.fields = fields,
		.nfields = view->nitems / 2};
	for (size_t i = 0; i < item->nfields; i++) {
		fields[i].name = text_at(view, 2 * i);
		fields[i].value = text_at(view, 2 * i + 1);
		fields[i].len = strlen(fields[i].value);
		take_field(item, &fields[i]);
	}
	return SG_OK;
}

/* --- claiming ------------------------------------------------------------ */

struct claiming {
	struct worklist *list;
	const struct worklist_claim *claim;
	struct arena *arena;
	struct worklist_item *items;
	size_t n;
};

/* Claim up to `max` of one group. *ret_left: entries listed as open there. */
static enum sg_err
claim_from(struct claiming *cl, int32_t number, size_t max, int64_t *ret_left,
	struct sg_fault *why)
{
	char lease[NUMBER_TEXT_MAX], count[NUMBER_TEXT_MAX];
	const struct worklist_claim *claim = cl->claim;
	const char *const args[] = {claim->worker,
		number_text(claim->lease_ms, lease),
		number_text((int64_t)max, count),
		claim->window == NULL ? "" : claim->window, "*"};
	struct store_answer answer;
	enum sg_err err =
		store_script(cl->list->store, number, STORE_SCRIPT_claim, args,
			SG_COUNTOF(args), cl->arena, &answer, why);

	if (err != SG_OK)
		return err;
	if (answer.kind != STORE_ANSWER_LIST || answer.nitems < 1 ||
		answer.nitems > max + 1)
		return unexpected(why);
	for (size_t i = 1; i < answer.nitems && err == SG_OK; i++)
		err = take_claim(&answer.items[i], claim->worker, cl->arena,
			&cl->items[cl->n++]);
	if (err != SG_OK)
		return unexpected(why);
	*ret_left = answer.items[0].number;
	return SG_OK;
}

/* A call may end with entries left that it has not come to. */
static enum sg_err
claim_plain(struct claiming *cl, struct sg_fault *why)
{
	int64_t left = 1;
	enum sg_err err = SG_OK;

	while (err == SG_OK && left > 0 && cl->n < cl->claim->max) {
		size_t max = cl->claim->max - cl->n;

		err = claim_from(
			cl, 0, max < CLAIM_MAX ? max : CLAIM_MAX, &left, why);
	}
	return err;
}

/* The score at the head of a group's queue; NaN: nobody is open there. */
static enum sg_err
peek(struct claiming *cl, int32_t number, double *ret_score,
	struct sg_fault *why)
{
	const char *window = cl->claim->window;
	const char *const args[] = {window == NULL ? "" : window};
	struct store_answer answer;
	enum sg_err err = store_script(cl->list->store, number,
		STORE_SCRIPT_peek, args, 1, cl->arena, &answer, why);

	if (err != SG_OK)
		return err;
	*ret_score = answer.kind == STORE_ANSWER_TEXT ? store_score(answer.text)
						      : NAN;
	return SG_OK;
}

static enum sg_err
claim_partitioned(struct claiming *cl, struct sg_fault *why)
{
	int32_t ngroups = cl->list->ngroups;
	double *heads = arena_array(cl->arena, (size_t)ngroups, sizeof(*heads));
	enum sg_err err = heads == NULL ? SG_NOMEM : SG_OK;

	for (int32_t i = 0; i < ngroups && err == SG_OK; i++)
		err = peek(cl, i, &heads[i], why);
	while (err == SG_OK && cl->n < cl->claim->max) {
		int32_t best = -1;
		int64_t left;

		for (int32_t i = 0; i < ngroups; i++)
			if (!isnan(heads[i]) &&
				(best < 0 || heads[i] > heads[best]))
				best = i;
		if (best < 0)
			return SG_OK;
		err = claim_from(cl, best, 1, &left, why);
		if (err == SG_OK)
			err = peek(cl, best, &heads[best], why);
	}
	return err;
}

enum sg_err
worklist_claim(struct worklist *list, const struct worklist_claim *claim,
	struct arena *arena, struct worklist_item **ret_items, size_t *ret_n,
	struct sg_fault *why)
{
	struct claiming cl = {.list = list, .claim = claim, .arena = arena};
	enum sg_err err;

	cl.items = arena_array(arena, claim->max + 1, sizeof(*cl.items));
	if (cl.items == NULL)
		return SG_NOMEM;
	err = list->ngroups == 1 ? claim_plain(&cl, why)
				 : claim_partitioned(&cl, why);
	/* What was claimed before it failed is the worker's: he is told. */
	if (err != SG_OK && cl.n == 0)
		return err;
	*ret_items = cl.items;
	*ret_n = cl.n;
	return SG_OK;
}

/* --- giving back --------------------------------------------------------- */

enum sg_err
worklist_answer(struct worklist *list, enum store_script script,
	const char *account, const char *worker, const char *token,
	int64_t lease_ms, struct arena *arena, const char **ret_reply,
	struct sg_fault *why)
{
	char lease[NUMBER_TEXT_MAX];
	const char *const args[] = {account, worker, token == NULL ? "" : token,
		number_text(lease_ms, lease)};
	size_t nargs = script == STORE_SCRIPT_extend ? 4 : 3;
	struct store_answer answer = {.kind = STORE_ANSWER_NONE};
	struct store_answer best = answer;
	enum sg_err err = SG_OK;

	for (int32_t i = 0; i < list->ngroups && err == SG_OK; i++) {
		err = store_script(list->store, i, script, args, nargs, arena,
			&answer, why);
		if (err == SG_OK && answer.kind == STORE_ANSWER_TEXT) {
			*ret_reply = answer.text;
			return SG_OK;
		}
		/* Where it is knows better than where it is not. */
		if (best.kind == STORE_ANSWER_NONE ||
			strncmp(answer.text, "NOACCOUNT", 9) != 0)
			best = answer;
	}
	if (err != SG_OK)
		return err;
	if (best.kind != STORE_ANSWER_REFUSED)
		return unexpected(why);
	/* The first word is for programs. */
	return sg_fault_set(why, SG_NO_ACCOUNT, "%s",
		best.text + strcspn(best.text, " ") + 1);
}

/* --- looking ------------------------------------------------------------- */

static enum worklist_state
state_of(const char *text)
{
	static const char *const names[] = {[WORKLIST_OPEN] = "open",
		[WORKLIST_CLAIMED] = "claimed",
		[WORKLIST_DONE] = "done",
		[WORKLIST_LOST] = "lost"};
	size_t i = 0;

	while (i < WORKLIST_LOST && strcmp(text, names[i]) != 0)
		i++;
	return (enum worklist_state)i;
}

/* A page of one group's queue, of which those of the window are taken.
 * *ret_seen: entries there were. */
static enum sg_err
list_page(struct claiming *cl, int32_t number, uint64_t from, size_t end,
	size_t *ret_seen, struct sg_fault *why)
{
	char first[NUMBER_TEXT_MAX], count[NUMBER_TEXT_MAX];
	const char *window = cl->claim->window;
	const char *const args[] = {number_text((int64_t)from, first),
		number_text(CLAIM_MAX, count)};
	struct store_answer answer;
	enum sg_err err = store_script(cl->list->store, number,
		STORE_SCRIPT_list, args, 2, cl->arena, &answer, why);

	if (err != SG_OK)
		return err;
	if (answer.kind != STORE_ANSWER_LIST)
		return unexpected(why);
	for (size_t i = 0; i < answer.nitems && cl->n < end; i++) {
		const struct store_answer *row = &answer.items[i];

		if (window != NULL && strcmp(text_at(row, 6), window) != 0)
			continue;
		cl->items[cl->n++] =
			(struct worklist_item){.account = text_at(row, 0),
				.score = store_score(text_at(row, 1)),
				.state = state_of(text_at(row, 2)),
				.worker = text_at(row, 3),
				.ends_ms = number_at(row, 4),
				.date = text_at(row, 5),
				.window = text_at(row, 6),
				.priority = text_at(row, 7),
				.token = ""};
	}
	*ret_seen = answer.nitems;
	return SG_OK;
}

static int
by_score(const void *a, const void *b)
{
	const struct worklist_item *one = a, *other = b;

	return (one->score < other->score) - (one->score > other->score);
}

enum sg_err
worklist_list(struct worklist *list, const char *window, size_t max,
	struct arena *arena, struct worklist_item **ret_items, size_t *ret_n,
	struct sg_fault *why)
{
	const struct worklist_claim claim = {.window = window, .max = max};
	struct claiming cl = {.list = list, .claim = &claim, .arena = arena};
	size_t room = (size_t)list->ngroups * max;
	enum sg_err err = SG_OK;

	cl.items = arena_array(arena, room + 1, sizeof(*cl.items));
	if (cl.items == NULL)
		return SG_NOMEM;
	for (int32_t i = 0; i < list->ngroups && err == SG_OK; i++) {
		size_t end = cl.n + max;
		size_t seen = CLAIM_MAX;

		for (uint64_t from = 0;
			err == SG_OK && seen == CLAIM_MAX && cl.n < end;
			from += CLAIM_MAX)
			err = list_page(&cl, i, from, end, &seen, why);
	}
	if (err != SG_OK)
		return err;
	/* One group's are in order already, ties as in Redis. */
	if (list->ngroups > 1)
		qsort(cl.items, cl.n, sizeof(*cl.items), by_score);
	*ret_items = cl.items;
	*ret_n = cl.n < max ? cl.n : max;
	return SG_OK;
}
