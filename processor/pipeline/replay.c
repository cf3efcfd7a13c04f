/*
 * replay.c - events through the pipeline, with the event clock and no store.
 *
 * One partition group holds every account. Before an event is folded the clock
 * moves to its time, so that timers between two events fire at their exact
 * instants; changes come out in that order. No clock of the machine is read.
 *
 * replay_run() takes its events from files; replay_event() and
 * replay_advance() are the same machine driven by somebody else.
 */
#include <stdlib.h>
#include <string.h>

#include "explain.h"
#include "replay.h"
#include "rows.h"
#include "segmentd/hash.h"

struct replay {
	const struct program *prog;
	struct replay_opts opts;
	struct toolbox box;
	struct group *group;
	int64_t offsets[INPUTS_MAX]; /* of the next replay_event() */
	uint64_t events;
	uint64_t changes;
	uint64_t suppressed;
	uint64_t evaluated;
};

static void
hand_out(struct replay *rp)
{
	struct change_list *changes = &rp->box.changes;

	rp->changes += changes->n;
	rp->suppressed += decider_take_suppressed(rp->box.decider);
	rp->evaluated += decider_take_evaluated(rp->box.decider);
	for (size_t i = 0; i < changes->n && rp->opts.on_change != NULL; i++)
		rp->opts.on_change(rp->opts.ctx, &changes->items[i]);
	changes->n = 0;
	arena_reset(&rp->box.txn);
}

enum sg_err
replay_advance(struct replay *rp, int64_t at_ms)
{
	enum sg_err err = group_advance(rp->group, at_ms, 0);

	if (err == SG_OK)
		hand_out(rp);
	return err;
}

struct group *
replay_group(struct replay *rp)
{
	return rp->group;
}

/* One record, after the clock has moved to `clock_ms`, or to its event time
 * (INT64_MIN). */
static enum sg_err
take(struct replay *rp, const struct record *rec, int64_t clock_ms,
	struct sg_fault *why)
{
	struct group *group = rp->group;
	struct group_event ge;
	struct account *acct;
	enum sg_err err;

	arena_reset(&rp->box.batch);
	err = group_read(&rp->box, rec, &ge, why);
	if (err == SG_OK)
		err = replay_advance(
			rp, clock_ms == INT64_MIN ? ge.ev.at_ms : clock_ms);
	if (err != SG_OK)
		return err;
	acct = group_account(group, &ge.ev);
	if (acct == NULL)
		return SG_NOMEM;
	err = group_fold(group, acct, &ge, group->clock_ms, 0);
	if (err == SG_OK)
		err = group_decide_touched(group, group->clock_ms, 0);
	if (err == SG_OK)
		hand_out(rp);
	rp->events++;
	return err;
}

enum sg_err
replay_event(struct replay *rp, const struct replay_event *event,
	struct sg_fault *why)
{
	struct record rec = {
		.input = event->input,
		.offset = rp->offsets[event->input]++,
		.kafka_ms = event->kafka_ms,
		.key = event->key,
		.key_len = event->key == NULL ? 0 : strlen(event->key),
		.value = event->bytes,
		.value_len = event->len,
		.headers = event->headers,
		.nheaders = event->nheaders,
		.writer = rp->prog->inputs[event->input].schema,
	};

	return take(rp, &rec, event->clock_ms, why);
}

static enum sg_err
run(struct replay *rp, const struct rows *rows, struct sg_fault *why)
{
	const struct replay_opts *opts = &rp->opts;
	int64_t until_ms = opts->until_ms == 0 ? INT64_MAX : opts->until_ms;
	enum sg_err err = SG_OK;

	for (size_t i = 0; i < rows->n && err == SG_OK; i++) {
		struct record rec = rows_record(&rows->items[i]);

		if (rows->items[i].at_ms > until_ms)
			break;
		if (opts->stop != NULL && atomic_load(opts->stop))
			return SG_INTERRUPTED;
		err = take(rp, &rec, INT64_MIN, why);
		if (opts->on_progress != NULL && (i & 1023) == 0)
			opts->on_progress(opts->ctx, i, rows->n);
	}
	if (err == SG_OK && opts->until_ms != 0)
		err = replay_advance(rp, opts->until_ms);
	return err;
}

enum sg_err
replay_open(const struct program *program, const struct replay_opts *opts,
	struct replay **ret_replay)
{
	struct replay *rp = calloc(1, sizeof(*rp));
	enum sg_err err;

	if (rp == NULL)
		return SG_NOMEM;
	rp->prog = program;
	rp->opts = *opts;
	err = toolbox_init(&rp->box, program);
	if (err != SG_OK) {
		free(rp);
		return err;
	}
	err = group_create(&rp->box, 0, &rp->group);
	if (err != SG_OK) {
		replay_destroy(rp);
		return err;
	}
	*ret_replay = rp;
	return SG_OK;
}

enum sg_err
replay_run(const struct program *program, const struct replay_opts *opts,
	struct replay **ret_replay, struct replay_summary *ret_summary,
	struct sg_fault *why)
{
	struct replay *rp;
	struct rows rows = {.n = 0};
	enum sg_err err = replay_open(program, opts, &rp);

	memset(ret_summary, 0, sizeof(*ret_summary));
	if (err != SG_OK)
		return err;
	err = rows_read(&rp->box, opts, &rows, why);
	if (err == SG_OK)
		err = run(rp, &rows, why);
	replay_sum(rp, ret_summary);
	ret_summary->bad_rows = rows.bad;
	rows_fini(&rows);
	if (err != SG_OK) {
		replay_destroy(rp);
		return err;
	}
	*ret_replay = rp;
	return SG_OK;
}

void
replay_sum(const struct replay *rp, struct replay_summary *ret_summary)
{
	const struct fold_counts *counts = &rp->box.counts;
	const uint64_t *errors = decider_rule_errors(rp->box.decider);
	struct replay_summary sum = {
		.events = rp->events,
		.suppressed = rp->suppressed,
		.evaluated = rp->evaluated,
		.changes = rp->changes,
		.accounts = rp->group->accounts.n,
		.clock_ms = rp->group->clock_ms,
	};

	for (size_t i = 0; i < rp->prog->ninputs; i++) {
		sum.repeats += counts->repeats[i];
		sum.late += counts->late[i];
		sum.overflows += counts->overflow[i];
	}
	for (size_t i = 0; i < rp->prog->nrules; i++)
		sum.rule_errors += errors[i];
	*ret_summary = sum;
}

bool
replay_value(struct replay *rp, const char *account, size_t i,
	struct value *ret_value, uint64_t *ret_version)
{
	size_t len = strlen(account);
	struct account *acct = accounts_find(
		&rp->group->accounts, account, len, hash_bytes(account, len));

	if (acct == NULL)
		return false;
	if (ret_version != NULL)
		*ret_version = acct->ms->version;
	if (acct->is_gone)
		return false;
	decide_view_begin(rp->box.decider, acct, rp->group->clock_ms);
	*ret_value = decide_view(rp->box.decider, (uint32_t)i);
	return true;
}

void
replay_destroy(struct replay *rp)
{
	if (rp == NULL)
		return;
	group_destroy(rp->group);
	toolbox_fini(&rp->box);
	free(rp);
}

enum sg_err
replay_explain(const struct replay *rp, const char *account,
	struct arena *arena, struct explanation *ret_explanation,
	struct sg_fault *why)
{
	size_t len = strlen(account);
	const struct account *acct = accounts_find(
		&rp->group->accounts, account, len, hash_bytes(account, len));

	if (acct == NULL)
		return sg_fault_set(why, SG_NO_ACCOUNT,
			"no event is about an account of that id");
	return explain_account(
		rp->prog, acct, rp->group->clock_ms, arena, ret_explanation);
}

static uint64_t
count_members(const struct replay *rp, size_t segmentation, int16_t segment)
{
	const struct accounts *accounts = &rp->group->accounts;
	uint64_t n = 0;

	for (size_t i = 0; i < accounts->nbuckets; i++) {
		const struct account *acct = accounts->buckets[i];

		for (; acct != NULL; acct = acct->chain)
			n += acct->ms->seats[segmentation].segment == segment;
	}
	return n;
}

void
replay_members(const struct replay *rp,
	void (*each)(void *ctx, const char *segmentation, const char *segment,
		uint64_t naccounts),
	void *ctx)
{
	const struct program *prog = rp->prog;

	for (size_t i = 0; i < prog->nsegmentations; i++) {
		const struct segmentation_def *def = &prog->defs[i];

		for (size_t k = 0; k < def->nsegments; k++)
			each(ctx, def->name, def->segments[k],
				count_members(rp, i, (int16_t)k));
	}
}
