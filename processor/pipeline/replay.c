/*
 * replay.c - files through the pipeline, with the event clock and no store.
 *
 * One partition group holds every account. Before an event is folded the clock
 * moves to its time, so that timers between two events fire at their exact
 * instants; changes come out in that order. No clock of the machine is read.
 */
#include <stdlib.h>
#include <string.h>

#include "group.h"
#include "rows.h"

struct replay {
	const struct program *prog;
	struct toolbox box;
	struct group *group;
};

static void
hand_out(struct replay *rp, const struct replay_opts *opts,
	struct replay_summary *sum)
{
	struct change_list *changes = &rp->box.changes;

	sum->changes += changes->n;
	for (size_t i = 0; i < changes->n && opts->on_change != NULL; i++)
		opts->on_change(opts->ctx, &changes->items[i]);
	changes->n = 0;
	arena_reset(&rp->box.txn);
}

/* The clock moves to `at_ms`; what timers decide on the way is handed out. */
static enum sg_err
advance(struct replay *rp, int64_t at_ms, const struct replay_opts *opts,
	struct replay_summary *sum)
{
	enum sg_err err = group_advance(rp->group, at_ms, 0);

	if (err == SG_OK)
		hand_out(rp, opts, sum);
	return err;
}

static enum sg_err
take(struct replay *rp, const struct row *row, const struct replay_opts *opts,
	struct replay_summary *sum, struct sg_fault *why)
{
	struct record rec = rows_record(row);
	struct group *group = rp->group;
	struct group_event ge;
	struct account *acct;
	enum sg_err err;

	arena_reset(&rp->box.batch);
	err = group_read(&rp->box, &rec, &ge, why);
	if (err == SG_OK)
		err = advance(rp, row->at_ms, opts, sum);
	if (err != SG_OK)
		return err;
	acct = group_account(group, &ge.ev);
	if (acct == NULL)
		return SG_NOMEM;
	err = group_fold(group, acct, &ge, group->clock_ms, 0);
	if (err == SG_OK)
		err = group_decide_touched(group, group->clock_ms, 0);
	if (err == SG_OK)
		hand_out(rp, opts, sum);
	sum->events++;
	return err;
}

static enum sg_err
run(struct replay *rp, const struct rows *rows, const struct replay_opts *opts,
	struct replay_summary *sum, struct sg_fault *why)
{
	int64_t until_ms = opts->until_ms == 0 ? INT64_MAX : opts->until_ms;
	enum sg_err err = SG_OK;

	for (size_t i = 0; i < rows->n && err == SG_OK; i++) {
		if (rows->items[i].at_ms > until_ms)
			break;
		if (opts->stop != NULL && atomic_load(opts->stop))
			return SG_INTERRUPTED;
		err = take(rp, &rows->items[i], opts, sum, why);
		if (opts->on_progress != NULL && (i & 1023) == 0)
			opts->on_progress(opts->ctx, i, rows->n);
	}
	if (err == SG_OK && opts->until_ms != 0)
		err = advance(rp, opts->until_ms, opts, sum);
	return err;
}

enum sg_err
replay_run(const struct program *program, const struct replay_opts *opts,
	struct replay **ret_replay, struct replay_summary *ret_summary,
	struct sg_fault *why)
{
	struct replay *rp = calloc(1, sizeof(*rp));
	struct rows rows = {.n = 0};
	enum sg_err err;

	if (rp == NULL)
		return SG_NOMEM;
	memset(ret_summary, 0, sizeof(*ret_summary));
	rp->prog = program;
	err = toolbox_init(&rp->box, program);
	if (err != SG_OK) {
		free(rp);
		return err;
	}
	err = group_create(&rp->box, 0, &rp->group);
	if (err == SG_OK)
		err = rows_read(&rp->box, opts, &rows, why);
	if (err == SG_OK)
		err = run(rp, &rows, opts, ret_summary, why);
	ret_summary->bad_rows = rows.bad;
	if (rp->group != NULL) {
		ret_summary->accounts = rp->group->accounts.n;
		ret_summary->clock_ms = rp->group->clock_ms;
	}
	for (size_t i = 0; i < program->ninputs; i++) {
		ret_summary->repeats += rp->box.counts.repeats[i];
		ret_summary->late += rp->box.counts.late[i];
	}
	rows_fini(&rows);
	if (err != SG_OK) {
		replay_destroy(rp);
		return err;
	}
	*ret_replay = rp;
	return SG_OK;
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
