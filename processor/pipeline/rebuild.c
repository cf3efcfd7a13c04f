/*
 * rebuild.c - Redis anew, from the inputs and from what was published.
 *
 * Losing all of Redis is nothing special to the daemon: it walks forward from
 * the start, publishes nothing that is published, and goes on. So this loses it
 * on purpose, and runs the daemon until it has come to where it was. What is
 * added is caution: all that would make the walk fail is asked before the first
 * key is removed, and commit records go first, so that what an interrupted run
 * leaves behind counts as lost and not as known.
 */
#include <inttypes.h>

#include "position.h"
#include "segmentd/clock.h"
#include "segmentd/ingest.h"
#include "segmentd/store.h"

#define TIMEOUT_MS 10000
#define LEAVE_MS 20000 /* for the session of a daemon that was stopped */

struct rebuild {
	const struct program *prog;
	const struct rebuild_opts *opts;
	struct ingest *ingest;
	struct store *store;
	int32_t npartitions;
	uint64_t total;
	struct rebuild_summary sum;
};

static bool
is_stopped(const struct rebuild *rb)
{
	return rb->opts->stop != NULL && atomic_load(rb->opts->stop);
}

/* --- may it be done? ---------------------------------------------------- */

static enum sg_err
check_nobody_runs(struct rebuild *rb, struct sg_fault *why)
{
	int64_t end_us = clock_mono_us() + INT64_C(1000) * LEAVE_MS;
	int32_t n = 0;
	enum sg_err err;

	for (;;) {
		err = ingest_members(rb->ingest, TIMEOUT_MS, &n, why);
		if (err != SG_OK || n == 0)
			return err;
		if (is_stopped(rb))
			return SG_INTERRUPTED;
		if (clock_mono_us() > end_us)
			return sg_fault_set(why, SG_OPERATOR,
				"%d workers of group %s are running, or their "
				"session has not ended: stop them first",
				(int)n, rb->prog->conf->opt.group.s);
		clock_sleep_ms(200);
	}
}

static enum sg_err
check_group(struct rebuild *rb, int32_t number, bool *ret_has_past,
	struct sg_fault *why)
{
	int64_t low[INPUTS_MAX], high[INPUTS_MAX];
	struct ingest_position pos;
	struct arena arena;
	enum sg_err err;

	arena_init(&arena, (size_t)1 << 20);
	err = ingest_committed(
		rb->ingest, number, TIMEOUT_MS, &arena, &pos, why);
	if (err == SG_OK)
		err = ingest_watermarks(
			rb->ingest, number, TIMEOUT_MS, low, high, why);
	for (size_t i = 0; i < rb->prog->ninputs && err == SG_OK; i++) {
		int64_t start = position_start(pos.own[i]);

		if (pos.offset[i] == INGEST_OFFSET_NONE)
			continue;
		*ret_has_past = true;
		if (start < 0)
			start = 0;
		if (low[i] > start && !rb->opts->is_loss_accepted)
			err = sg_fault_set(why, SG_OPERATOR,
				"%s partition %d begins at offset %" PRId64
				" (retention): features before that would be "
				"lost. --accept-loss goes on without them",
				rb->prog->inputs[i].topic, (int)number, low[i]);
		if (start < low[i])
			start = low[i];
		if (err == SG_OK && pos.offset[i] > start)
			rb->total += (uint64_t)(pos.offset[i] - start);
	}
	arena_fini(&arena);
	return err;
}

static enum sg_err
check_all(struct rebuild *rb, struct sg_fault *why)
{
	bool has_past = false;
	enum sg_err err = check_nobody_runs(rb, why);

	for (int32_t n = 0; n < rb->npartitions && err == SG_OK; n++)
		err = check_group(rb, n, &has_past, why);
	if (err == SG_OK && !has_past)
		err = sg_fault_set(why, SG_OPERATOR,
			"group %s has no committed offsets: there is nothing "
			"to build anew",
			rb->prog->conf->opt.group.s);
	return err;
}

/* --- removing ----------------------------------------------------------- */

static enum sg_err
erase(struct rebuild *rb, int32_t number, struct sg_fault *why)
{
	uint64_t cursor = 0;
	enum sg_err err;

	do {
		if (is_stopped(rb))
			return SG_INTERRUPTED;
		err = store_erase(
			rb->store, number, &cursor, &rb->sum.nkeys, why);
		if (rb->opts->on_progress != NULL)
			rb->opts->on_progress(rb->opts->ctx, rb->sum.nkeys, 0);
	} while (err == SG_OK && cursor != 0);
	return err;
}

static enum sg_err
erase_all(struct rebuild *rb, struct sg_fault *why)
{
	bool is_plain = program_store_opts(rb->prog).layout == STORE_PLAIN;
	int32_t walks = is_plain ? 1 : rb->npartitions;
	enum sg_err err = SG_OK;

	for (int32_t n = 0; n < rb->npartitions && err == SG_OK; n++)
		err = store_erase_record(rb->store, n, why);
	for (int32_t n = 0; n < walks && err == SG_OK; n++)
		err = erase(rb, n, why);
	return err;
}

/* --- building ----------------------------------------------------------- */

static bool
on_tick(void *ctx, struct pipeline_control *control)
{
	struct rebuild *rb = ctx;
	uint64_t nbehind;
	bool is_current = pipeline_is_current(control, &nbehind);

	/* Before the groups are assigned nothing is behind, either. */
	if (is_current || nbehind > 0)
		rb->sum.nrecords =
			rb->total < nbehind ? 0 : rb->total - nbehind;
	if (rb->opts->on_progress != NULL && rb->total > 0)
		rb->opts->on_progress(
			rb->opts->ctx, rb->sum.nrecords, rb->total);
	return is_current;
}

static enum sg_err
build(struct rebuild *rb, struct sg_fault *why)
{
	struct pipeline_run_opts opts = {
		.is_loss_accepted = rb->opts->is_loss_accepted,
		.stop = rb->opts->stop,
		.on_tick = on_tick,
		.ctx = rb,
	};
	enum sg_err err = pipeline_run(rb->prog, &opts, why);

	return err == SG_OK && is_stopped(rb) ? SG_INTERRUPTED : err;
}

/* --- all of it ---------------------------------------------------------- */

static enum sg_err
open_all(struct rebuild *rb, struct sg_fault *why)
{
	struct store_opts opts = program_store_opts(rb->prog);
	const char *topics[INPUTS_MAX];
	struct ingest_opts ingest = program_onlooker(rb->prog, topics);
	enum sg_err err;

	err = store_open_redis(&opts, &rb->store, why);
	if (err == SG_OK)
		err = store_ping(rb->store, why);
	if (err == SG_OK)
		err = ingest_check_topics(
			&ingest, TIMEOUT_MS, &rb->npartitions, why);
	if (err == SG_OK)
		err = ingest_open_onlooker(&ingest, &rb->ingest, why);
	return err;
}

enum sg_err
pipeline_rebuild(const struct program *prog, const struct rebuild_opts *opts,
	struct rebuild_summary *ret_summary, struct sg_fault *why)
{
	struct rebuild rb = {.prog = prog, .opts = opts};
	enum sg_err err = open_all(&rb, why);

	if (err == SG_OK)
		err = check_all(&rb, why);
	if (err == SG_OK)
		err = erase_all(&rb, why);
	ingest_close(rb.ingest, 0);
	store_close(rb.store);
	if (err == SG_OK)
		err = build(&rb, why);
	if (err == SG_OK)
		*ret_summary = rb.sum;
	return err;
}
