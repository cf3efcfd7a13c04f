/*
 * worker.c - the loop of one thread, and what it does when groups come and go.
 */
#include "worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "segmentd/clock.h"
#include "segmentd/fault.h"
#include "segmentd/log.h"

#define FIRE_MAX 10000 /* timers of one round */
#define DUE_HORIZON_MS 30000
#define CLOSE_TIMEOUT_MS 10000
#define GAUGES_MS 1000
#define BACK_OFF_MAX_MS 2000
#define IN_PLACE_MS 5000

bool
worker_is_stopping(const struct worker *w)
{
	return atomic_load(&w->engine->is_stopping) ||
	       (w->engine->opts->stop != NULL &&
		       atomic_load(w->engine->opts->stop));
}

bool
worker_back_off(struct worker *w, int *attempt)
{
	int64_t pause_ms = 50;
	int64_t end_us;

	for (int i = 0; i < *attempt && pause_ms < BACK_OFF_MAX_MS; i++)
		pause_ms *= 2;
	if (pause_ms > BACK_OFF_MAX_MS)
		pause_ms = BACK_OFF_MAX_MS;
	(*attempt)++;
	end_us = clock_mono_us() + pause_ms * 1000;
	while (clock_mono_us() < end_us) {
		if (worker_is_stopping(w))
			return false;
		clock_sleep_ms(10);
	}
	health_beat(w->engine->health, w->health, clock_mono_us());
	return !worker_is_stopping(w);
}

bool
worker_store_again(struct worker *w, enum sg_err err, struct store_retry *retry,
	const struct sg_fault *why)
{
	int64_t now_us = clock_mono_us();

	if (err != SG_STORE_DOWN && err != SG_STORE_BUSY)
		return false;
	if (retry->end_us == 0)
		retry->end_us = now_us + INT64_C(1000) * IN_PLACE_MS;
	metric_add(w->metrics.store_retries, 1);
	health_set(
		w->engine->health, w->engine->health_redis, false, why->text);
	SG_LOG(LOG_WARN, "redis_retry", LOG_INT("worker", w->number),
		LOG_STR("err", sg_err_name(err)), LOG_STR("why", why->text));
	return now_us < retry->end_us && worker_back_off(w, &retry->attempt);
}

void
worker_store_is_back(struct worker *w, const struct store_retry *retry)
{
	if (retry->attempt > 0)
		health_set(
			w->engine->health, w->engine->health_redis, true, "");
}

/* --- groups come and go ------------------------------------------------- */

static enum sg_err
add_group(struct worker *w, int32_t number, struct sg_fault *why)
{
	struct group **groups =
		realloc(w->groups, (w->ngroups + 1) * sizeof(struct group *));
	struct merge **merges;
	struct group *group = NULL;
	enum sg_err err;

	if (groups == NULL)
		return SG_NOMEM;
	w->groups = groups;
	merges = realloc(w->merges, (w->ngroups + 1) * sizeof(struct merge *));
	if (merges == NULL)
		return SG_NOMEM;
	w->merges = merges;
	merges[w->ngroups] = NULL;
	err = group_create(&w->box, number, &group);
	if (err == SG_OK)
		err = store_group_open(w->store, number, &group->store, why);
	if (err == SG_OK)
		err = truth_begin(w, group);
	if (err == SG_OK && w->is_event_clock)
		err = merge_create(w->prog->ninputs, &merges[w->ngroups]);
	if (err != SG_OK) {
		if (group != NULL)
			truth_end(group);
		group_destroy(group);
		return err;
	}
	groups[w->ngroups++] = group;
	return SG_OK;
}

static void
drop_groups(struct worker *w)
{
	health_lease(w->engine->health, w->health, 0, 0);
	atomic_store(&w->ncurrent, 0);
	atomic_store(&w->nbehind, 0);
	for (size_t g = 0; g < w->ngroups; g++) {
		truth_end(w->groups[g]);
		group_destroy(w->groups[g]);
		merge_destroy(w->merges[g]);
	}
	w->ngroups = 0;
	w->box.changes.n = 0;
	w->nparts = 0;
	w->nrejects = 0;
	w->reject_bytes = 0;
	w->events_since_commit = 0;
	arena_reset(&w->box.txn);
	atomic_store(&w->is_until_reached, false);
}

static void
drop_producer(struct worker *w)
{
	publish_close(w->pub);
	w->pub = NULL;
}

/*
 * After a doubt. The consumer comes first: whoever is no member any more, or
 * has other groups by now, must not take tokens from their owner. Records that
 * it may have are read again from where the take-over begins.
 */
static enum sg_err
recover(struct worker *w, struct sg_fault *why)
{
	struct ingest_batch batch;
	enum sg_err err;

	err = ingest_poll(w->ingest, 0, &batch, why);
	/* Other groups may have come with it, and be taken over. */
	if (err != SG_OK || !w->is_doubtful)
		return err;
	err = takeover_all(w, why);
	if (err != SG_OK)
		return err;
	w->is_doubtful = false;
	w->behind_since_us = 0;
	if (w->ngroups > 0)
		health_set(w->engine->health, w->health, true, "");
	return SG_OK;
}

/* A server is away. Kafka has to be polled all the same, or the groups go to
 * somebody else, who can do no better: so they are taken as they are, in doubt,
 * and recover() tries until it can. Until then what is read is dropped. */
static enum sg_err
take_in_doubt(struct worker *w, enum sg_err cause, struct sg_fault *why)
{
	int64_t none[INPUTS_MAX];
	enum sg_err err = SG_OK;

	SG_LOG(LOG_WARN, "takeover_retry", LOG_INT("worker", w->number),
		LOG_STR("err", sg_err_name(cause)), LOG_STR("why", why->text));
	health_set(w->engine->health, w->health, false, why->text);
	w->is_doubtful = true;
	for (size_t i = 0; i < INPUTS_MAX; i++)
		none[i] = INGEST_OFFSET_NONE;
	for (size_t g = 0; g < w->ngroups && err == SG_OK; g++)
		err = ingest_start(w->ingest, w->groups[g]->number, none, why);
	return err;
}

/* The same account may be in two partitions then, and its state in one. */
static enum sg_err
check_partition(const struct worker *w, int32_t number, struct sg_fault *why)
{
	int32_t n = w->engine->npartitions;

	if (number < n)
		return SG_OK;
	return sg_fault_set(why, SG_BAD_CONFIG,
		"partition %d was assigned, and at the start the inputs had "
		"%d partitions: topics that gain partitions need a migration "
		"(docs/kafka.md)",
		(int)number, (int)n);
}

static enum sg_err
on_assigned(void *ctx, const int32_t *groups, size_t n, struct sg_fault *why)
{
	struct worker *w = ctx;
	enum sg_err err = SG_OK;

	drop_groups(w);
	/* It may hold a transaction of unknown outcome. */
	if (w->is_doubtful)
		drop_producer(w);
	w->is_doubtful = false;
	for (size_t i = 0; i < n && err == SG_OK; i++)
		err = check_partition(w, groups[i], why);
	for (size_t i = 0; i < n && err == SG_OK; i++)
		err = add_group(w, groups[i], why);
	if (err != SG_OK)
		return err;
	for (size_t i = 0; i < n && err == SG_OK; i++)
		err = takeover_group(w, w->groups[i], why);
	if (err == SG_OK) {
		w->behind_since_us = 0;
		take_check_caught_up(w);
	}
	w->last_commit_ms = clock_mono_us() / 1000;
	if (err != SG_OK && sg_err_class(err) == SG_CLASS_RETRY)
		return take_in_doubt(w, err, why);
	if (err == SG_OK)
		health_set(w->engine->health, w->health, true,
			n == 0 ? "no partitions, standing by" : "");
	return err;
}

/* Everything that is folded is committed and written, if it still can be. */
static void
finish(struct worker *w)
{
	struct sg_fault why = {.err = SG_OK};
	enum sg_err err;

	err = commit_if_due(w, w->events_since_commit > 0, &why);
	if (err == SG_OK && !w->is_doubtful)
		err = commit_flush(w, true, &why);
	if (err != SG_OK)
		SG_LOG(LOG_WARN, "finish_failed", LOG_INT("worker", w->number),
			LOG_STR("err", sg_err_name(err)),
			LOG_STR("why", why.text));
}

static void
on_revoked(void *ctx, const int32_t *groups, size_t n, bool is_lost)
{
	struct worker *w = ctx;

	(void)groups;
	(void)n;
	FAULT_POINT(V1);
	if (!is_lost && !w->is_doubtful && w->ngroups > 0)
		finish(w);
	FAULT_POINT(V2);
	drop_groups(w);
	health_set(w->engine->health, w->health, false, "no partitions");
}

/* --- the loop ----------------------------------------------------------- */

static void
note_lateness(void *ctx, int64_t late_ms)
{
	metric_observe(ctx, (double)late_ms / 1000.0);
}

/* Wall clock: what was touched, and what is due by now. */
static enum sg_err
decide_all(struct worker *w, struct sg_fault *why)
{
	int64_t now_ms = clock_now_ms();
	int64_t mono_ms = clock_mono_us() / 1000;
	enum sg_err err = SG_OK;

	for (size_t g = 0; g < w->ngroups && err == SG_OK; g++) {
		struct group *group = w->groups[g];
		size_t n;

		if (group->is_catching_up)
			continue;
		if (group_has_due(group) ||
			group->due_loaded_ms < now_ms + DUE_HORIZON_MS / 2)
			err = take_due(w, group, now_ms + DUE_HORIZON_MS,
				TAKE_DUE_SLICE, why);
		if (err == SG_OK)
			err = group_decide_touched(group, now_ms, mono_ms);
		if (err == SG_OK)
			err = group_fire(group, now_ms, now_ms, FIRE_MAX,
				mono_ms, &n, note_lateness,
				w->metrics.lateness);
		if (err == SG_OK)
			err = commit_note(w, group);
	}
	return err;
}

/* How long to wait for records: until the next timer, at most batch_wait. */
static int32_t
poll_timeout(const struct worker *w)
{
	int64_t wait_ms = w->prog->conf->opt.batch_wait_ms;
	int64_t now_ms = clock_now_ms();

	for (size_t g = 0; g < w->ngroups; g++) {
		const struct account *acct =
			accounts_first_due(&w->groups[g]->accounts);

		if (!w->is_event_clock && acct != NULL &&
			acct->due_ms - now_ms < wait_ms)
			wait_ms = acct->due_ms - now_ms;
		/* There is more to do than a round does. */
		if (group_has_due(w->groups[g]))
			wait_ms = 0;
		if (w->is_event_clock && w->groups[g]->is_catching_up &&
			wait_ms > 1)
			wait_ms = 1;
	}
	return wait_ms < 0 ? 0 : (int32_t)wait_ms;
}

static void
move_counts(struct worker *w)
{
	struct fold_counts *counts = &w->box.counts;
	uint64_t *errors = decider_rule_errors(w->box.decider);
	uint64_t *holds = decider_holds(w->box.decider);
	struct decide_measure *measured = decider_measured(w->box.decider);

	for (size_t i = 0; i < w->prog->ninputs; i++) {
		metric_add(w->metrics.repeated[i], counts->repeats[i]);
		metric_add(w->metrics.late[i], counts->late[i]);
		metric_add(w->metrics.overflow[i], counts->overflow[i]);
	}
	metric_add(w->metrics.deleted, counts->deletions);
	metric_add(w->metrics.decided_events, counts->decided_events);
	metric_add(w->metrics.decided_timers, counts->decided_timers);
	memset(counts, 0, sizeof(*counts));
	metric_add(w->metrics.rules, decider_take_evaluated(w->box.decider));
	for (size_t i = 0; i < w->prog->nsegmentations * DECIDE_HOLD_COUNT;
		i++) {
		if (holds[i] == 0)
			continue;
		metric_add(w->metrics.holds[i], holds[i]);
		holds[i] = 0;
	}
	for (size_t i = 0; i < w->prog->nsegmentations; i++) {
		if (measured[i].n == 0)
			continue;
		metric_add(w->metrics.measured[i], measured[i].n);
		metric_add(w->metrics.measured_ns[i], measured[i].ns);
		measured[i] = (struct decide_measure){0, 0};
	}
	for (size_t i = 0; i < w->prog->nrules; i++) {
		if (errors[i] == 0)
			continue;
		metric_add(w->metrics.rule_errors[i], errors[i]);
		errors[i] = 0;
	}
}

static void
set_gauges(struct worker *w)
{
	size_t n = 0, bytes = 0, dirty = 0;

	for (size_t i = 0; i < w->prog->ninputs; i++) {
		int64_t lag = 0;

		for (size_t g = 0; g < w->ngroups; g++) {
			int64_t one = ingest_lag(
				w->ingest, (uint32_t)i, w->groups[g]->number);

			lag += one > 0 ? one : 0;
		}
		metric_set(w->metrics.lag[i], (double)lag);
	}
	for (size_t g = 0; g < w->ngroups; g++) {
		n += w->groups[g]->accounts.n;
		bytes += w->groups[g]->accounts.bytes;
		dirty += w->groups[g]->accounts.ndirty;
	}
	metric_set(w->metrics.groups, (double)w->ngroups);
	metric_set(w->metrics.cached, (double)n);
	metric_set(w->metrics.cache_bytes, (double)bytes);
	metric_set(w->metrics.dirty, (double)dirty);
	metric_add(w->metrics.unreplicated,
		store_unreplicated(w->store) - w->nunreplicated);
	w->nunreplicated = store_unreplicated(w->store);
}

/* Once a second: is the store still what it was? */
static enum sg_err
watch_store(struct worker *w, bool *ret_is_up, struct sg_fault *why)
{
	*ret_is_up = false;
	for (size_t g = 0; g < w->ngroups; g++) {
		enum sg_err err = store_group_check(w->groups[g]->store, why);

		if (err == SG_STORE_LOST)
			return err;
		if (err == SG_STORE_DOWN || err == SG_STORE_BUSY) {
			health_set(w->engine->health, w->engine->health_redis,
				false, why->text);
			return SG_OK;
		}
		if (err != SG_OK)
			return err;
	}
	*ret_is_up = true;
	if (w->ngroups > 0)
		health_set(
			w->engine->health, w->engine->health_redis, true, "");
	return SG_OK;
}

static enum sg_err
every_second(struct worker *w, struct sg_fault *why)
{
	int64_t mono_ms = clock_mono_us() / 1000;
	bool is_up, is_store_up;
	enum sg_err err;

	health_beat(w->engine->health, w->health, mono_ms * 1000);
	if (mono_ms - w->last_gauges_ms < GAUGES_MS)
		return SG_OK;
	w->last_gauges_ms = mono_ms;
	set_gauges(w);
	is_up = ingest_is_connected(w->ingest);
	health_set(w->engine->health, w->engine->health_kafka, is_up,
		is_up ? "" : "no broker is connected");
	err = watch_store(w, &is_store_up, why);
	if (err == SG_OK)
		truth_tick(w, is_up && is_store_up);
	return err;
}

static enum sg_err
one_round(struct worker *w, struct sg_fault *why)
{
	struct ingest_batch batch = {.nrecords = 0};
	int64_t began_us;
	enum sg_err err;

	hold_release(w);
	err = ingest_poll(w->ingest, poll_timeout(w), &batch, why);
	/* In doubt: groups have come that could not be taken over yet. */
	if (err != SG_OK || w->is_doubtful)
		return err;
	began_us = clock_mono_us();
	arena_reset(&w->box.batch);
	if (w->is_event_clock)
		err = merge_batch(w, &batch, why);
	else
		err = take_batch(w, &batch, why);
	if (batch.nrecords > 0)
		FAULT_POINT(F1);
	if (err == SG_OK && !w->is_event_clock)
		err = decide_all(w, why);
	if (w->box.changes.n > 0)
		FAULT_POINT(Z1);
	if (batch.nrecords > 0)
		metric_observe(w->metrics.batch,
			(double)(clock_mono_us() - began_us) / 1e6);
	if (err == SG_OK)
		err = review_some(w, why);
	move_counts(w);
	if (err == SG_OK)
		err = commit_if_due(w, false, why);
	if (err == SG_OK && !w->is_doubtful)
		err = commit_flush(w, false, why);
	if (err == SG_OK && !w->is_doubtful)
		err = commit_make_rooms(w, why);
	if (err == SG_OK)
		truth_round(w);
	if (err == SG_OK)
		err = every_second(w, why);
	return err;
}

/* Event clock with an end: everything is committed and written, then wait for
 * the others. */
static enum sg_err
check_until(struct worker *w, struct sg_fault *why)
{
	enum sg_err err;

	if (!w->is_event_clock || w->engine->opts->until_ms == 0 ||
		atomic_load(&w->is_until_reached) || w->is_doubtful ||
		!merge_is_done(w) || review_is_needed(w))
		return SG_OK;
	err = commit_if_due(w, true, why);
	if (err == SG_OK && !w->is_doubtful)
		err = commit_flush(w, true, why);
	if (err == SG_OK && !w->is_doubtful)
		atomic_store(&w->is_until_reached, true);
	return err;
}

static enum sg_err
again_or_fail(
	struct worker *w, enum sg_err err, struct sg_fault *why, int *attempt)
{
	if (err == SG_OK) {
		*attempt = 0;
		return SG_OK;
	}
	if (sg_err_class(err) != SG_CLASS_RETRY)
		return err;
	if (err == SG_INTERRUPTED && worker_is_stopping(w))
		return SG_OK;
	SG_LOG(LOG_WARN, "round_failed", LOG_INT("worker", w->number),
		LOG_STR("err", sg_err_name(err)), LOG_STR("why", why->text));
	/* Half a round is in memory: start from what is remembered. */
	w->is_doubtful = true;
	(void)worker_back_off(w, attempt);
	return SG_OK;
}

void
worker_run(struct worker *w)
{
	struct sg_fault why = {.err = SG_OK};
	enum sg_err err = SG_OK;
	int attempt = 0;

	while (err == SG_OK && !worker_is_stopping(w)) {
		if (w->is_doubtful)
			err = recover(w, &why);
		if (err == SG_OK)
			err = one_round(w, &why);
		if (err == SG_OK)
			err = check_until(w, &why);
		err = again_or_fail(w, err, &why, &attempt);
	}
	if (err != SG_OK) {
		w->err = err;
		w->fault = why;
		w->is_doubtful = true; /* nothing of it is committed */
		atomic_store(&w->engine->is_stopping, true);
	}
	ingest_close(w->ingest, CLOSE_TIMEOUT_MS);
	w->ingest = NULL;
	health_beat(w->engine->health, w->health, 0);
	drop_groups(w);
	publish_close(w->pub);
	w->pub = NULL;
	store_close(w->store);
	w->store = NULL;
	atomic_store(&w->is_done, true);
}

/* --- making one --------------------------------------------------------- */

static enum sg_err
open_all(struct worker *w, struct sg_fault *why)
{
	struct engine *engine = w->engine;
	struct ingest_opts opts = engine->ingest;
	struct ingest_events events = {on_assigned, on_revoked, w};
	enum sg_err err;

	(void)snprintf(w->instance, sizeof(w->instance), "%s-%zu",
		engine->instance, w->number);
	(void)snprintf(w->transactional_id, sizeof(w->transactional_id),
		"%s-%s", engine->prog->conf->opt.group.s, w->instance);
	err = toolbox_init(&w->box, engine->prog);
	if (err == SG_OK)
		err = store_open_redis(&engine->store, &w->store, why);
	opts.instance = w->instance;
	if (err == SG_OK)
		err = ingest_open(&opts, &events, &w->ingest, why);
	return err;
}

enum sg_err
worker_create(struct engine *engine, size_t number, struct worker **ret_worker,
	struct sg_fault *why)
{
	struct worker *w = calloc(1, sizeof(*w));
	char name[32];
	enum sg_err err;

	if (w == NULL)
		return SG_NOMEM;
	w->engine = engine;
	w->prog = engine->prog;
	w->number = number;
	w->is_event_clock = engine->prog->conf->opt.clock == CONF_CLOCK_EVENT;
	(void)snprintf(name, sizeof(name), "worker-%zu", number);
	w->health = health_add(engine->health, name);
	health_set(engine->health, w->health, false, "no partitions yet");
	err = worker_metrics_init(w);
	if (err == SG_OK)
		err = open_all(w, why);
	if (err != SG_OK) {
		worker_destroy(w);
		return err;
	}
	*ret_worker = w;
	return SG_OK;
}

void
worker_destroy(struct worker *w)
{
	if (w == NULL)
		return;
	if (w->ingest != NULL)
		ingest_close(w->ingest, CLOSE_TIMEOUT_MS);
	drop_groups(w);
	publish_close(w->pub);
	store_close(w->store);
	if (w->box.prog != NULL)
		toolbox_fini(&w->box);
	worker_metrics_fini(w);
	free(w->groups);
	free(w->merges);
	free(w->rejects);
	free(w->parts);
	free(w->events);
	free(w->accounts);
	free(w);
}
