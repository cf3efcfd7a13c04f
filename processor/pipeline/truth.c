/*
 * truth.c - how far what others see is behind what has come in.
 *
 * Once a second a worker asks the brokers where the inputs of its groups end.
 * When later, at the end of a round, everything before those ends is folded,
 * decided and published, then all that had come in when the question was asked
 * is visible: so far the group is fresh. While it is behind, it is as fresh as
 * the last record that it folded.
 *
 * Nothing here says "fresh" by default: a worker that hangs, a broker that does
 * not answer, a Redis that is away (no question is asked then) leave the last
 * instant as it was, and its age grows. The age is worked out when it is asked
 * for (metric_since(), health_lease()), not by the thread that may hang.
 *
 * With the event clock there is no telling: inputs are held back on purpose.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "segmentd/clock.h"
#include "worker.h"

#define LABELS_MAX 1024
#define PROBE_TIMEOUT_MS 100

struct truth {
	struct metric *freshness;
	struct metric *event_lag;
	struct metric *w_age;
	struct metric *dirty;
	struct metric *waiting;
	struct metric *flush_age;
	struct metric *fold[INPUTS_MAX];
	struct metric *committed[INPUTS_MAX];
	struct metric *low[INPUTS_MAX];
	int64_t ends[INPUTS_MAX]; /* as the last answer said */
	int64_t asked_us;	  /* when; 0: that was reached, or none yet */
	int64_t fresh_us;	  /* what had come in by then is visible */
	bool is_proven; /* by an answer, not by the assignment alone */
};

static struct metric *
series(struct worker *w, enum metric_id id, const char *input,
	const struct group *group)
{
	struct metric *metric;
	struct buf labels;
	char number[16];

	(void)snprintf(number, sizeof(number), "%d", (int)group->number);
	buf_init(&labels, LABELS_MAX);
	if (input != NULL)
		metrics_label(&labels, "input", input);
	metrics_label(&labels, "partition", number);
	metric = metrics_get(w->engine->metrics, id, buf_cstr(&labels));
	buf_fini(&labels);
	return metric;
}

enum sg_err
truth_begin(struct worker *w, struct group *group)
{
	struct truth *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return SG_NOMEM;
	group->truth = t;
	t->fresh_us = clock_mono_us();
	t->event_lag = series(w, METRIC_EVENT_LAG, NULL, group);
	t->w_age = series(w, METRIC_LOW_WATERMARK_AGE, NULL, group);
	t->dirty = series(w, METRIC_PARTITION_DIRTY, NULL, group);
	t->waiting = series(w, METRIC_DECISIONS_WAITING, NULL, group);
	t->flush_age = series(w, METRIC_FLUSH_AGE, NULL, group);
	for (size_t i = 0; i < w->prog->ninputs; i++) {
		const char *input = w->prog->inputs[i].name;

		t->fold[i] = series(w, METRIC_FOLD_OFFSET, input, group);
		t->committed[i] =
			series(w, METRIC_COMMITTED_OFFSET, input, group);
		t->low[i] = series(w, METRIC_LOW_WATERMARK, input, group);
	}
	if (w->is_event_clock)
		return SG_OK;
	t->freshness = series(w, METRIC_FRESHNESS, NULL, group);
	metric_since(t->freshness, t->fresh_us);
	return SG_OK;
}

/* Numbers of a group that is somebody else's would be lies. */
void
truth_end(struct group *group)
{
	const double none = (double)NAN;
	struct truth *t = group->truth;

	if (t == NULL)
		return;
	metric_since(t->freshness, 0);
	metric_since(t->event_lag, 0);
	metric_since(t->w_age, 0);
	metric_since(t->flush_age, 0);
	metric_set(t->dirty, none);
	metric_set(t->waiting, none);
	for (size_t i = 0; i < INPUTS_MAX; i++) {
		metric_set(t->fold[i], none);
		metric_set(t->committed[i], none);
		metric_set(t->low[i], none);
	}
	free(t);
	group->truth = NULL;
}

/* --- freshness ---------------------------------------------------------- */

/* Is everything that is folded decided and published? */
static bool
is_published(const struct worker *w, const struct group *group)
{
	return !w->is_doubtful && group_is_current(group) &&
	       group->ntouched == 0 && group->nchanged == 0 &&
	       w->box.changes.n == 0 && w->nrejects == 0;
}

/* The instant on the monotonic clock of one on the wall clock. */
static int64_t
mono_of(int64_t wall_ms)
{
	return clock_mono_us() - (clock_now_ms() - wall_ms) * 1000;
}

/* While it is behind: up to which instant it has come. */
static int64_t
reached_us(const struct worker *w, const struct group *group)
{
	const struct truth *t = group->truth;
	int64_t least_ms = INT64_MAX;

	for (size_t i = 0; i < w->prog->ninputs; i++) {
		if (group->fold[i] < t->ends[i] && group->kafka_ms[i] > 0 &&
			group->kafka_ms[i] < least_ms)
			least_ms = group->kafka_ms[i];
	}
	if (least_ms == INT64_MAX)
		return t->fresh_us;
	least_ms = mono_of(least_ms);
	/* It began with a backlog: older than its assignment. */
	if (!t->is_proven)
		return least_ms != 0 ? least_ms : 1;
	return least_ms > t->fresh_us ? least_ms : t->fresh_us;
}

static bool
has_come_to_ends(const struct worker *w, const struct group *group)
{
	for (size_t i = 0; i < w->prog->ninputs; i++) {
		if (group->fold[i] < group->truth->ends[i])
			return false;
	}
	return true;
}

void
truth_round(struct worker *w)
{
	int64_t bound_us = w->prog->conf->opt.fresh_within_ms * 1000;
	int64_t least_us = INT64_MAX;

	if (w->is_event_clock)
		return;
	for (size_t g = 0; g < w->ngroups; g++) {
		struct group *group = w->groups[g];
		struct truth *t = group->truth;
		int64_t at_us = t->fresh_us;

		if (t->asked_us != 0 && is_published(w, group)) {
			if (has_come_to_ends(w, group)) {
				t->fresh_us = t->asked_us;
				t->is_proven = true;
				t->asked_us = 0;
				at_us = t->fresh_us;
			} else {
				at_us = reached_us(w, group);
			}
			metric_since(t->freshness, at_us);
		}
		if (at_us < least_us)
			least_us = at_us;
	}
	if (w->ngroups > 0)
		health_lease(w->engine->health, w->health, least_us, bound_us);
}

/* Ask, where the last answer was reached; else it is still good. */
static void
ask(struct worker *w)
{
	int32_t *numbers = calloc(w->ngroups + 1, sizeof(*numbers));
	int64_t(*ends)[INPUTS_MAX] = calloc(w->ngroups + 1, sizeof(*ends));
	struct sg_fault why = {.err = SG_OK};
	int64_t now_us = clock_mono_us();
	size_t n = 0;

	for (size_t g = 0; numbers != NULL && g < w->ngroups; g++) {
		if (w->groups[g]->truth->asked_us == 0)
			numbers[n++] = w->groups[g]->number;
	}
	if (n > 0 && ends != NULL &&
		ingest_ends(w->ingest, numbers, n, PROBE_TIMEOUT_MS, ends,
			&why) == SG_OK) {
		for (size_t i = 0; i < n; i++) {
			struct truth *t = worker_group(w, numbers[i])->truth;

			memcpy(t->ends, ends[i], sizeof(t->ends));
			t->asked_us = now_us;
		}
	}
	free(numbers);
	free(ends);
}

/* --- the other numbers -------------------------------------------------- */

static void
tell_group(struct worker *w, const struct group *group)
{
	const struct account *oldest = group->accounts.dirty_head;
	const struct truth *t = group->truth;

	metric_since(t->w_age, oldest == NULL ? clock_mono_us()
					      : oldest->dirty_mono_ms * 1000);
	metric_since(t->flush_age, group->flushed_mono_ms * 1000);
	if (group->newest_ms > 0)
		metric_since(t->event_lag, mono_of(group->newest_ms));
	metric_set(t->dirty, (double)group->accounts.ndirty);
	metric_set(t->waiting, (double)(group->ntouched + group->nchanged));
	for (size_t i = 0; i < w->prog->ninputs; i++) {
		metric_set(t->fold[i], (double)group->fold[i]);
		metric_set(t->committed[i], (double)group->committed[i]);
		metric_set(t->low[i], (double)group->stored_w[i]);
	}
}

void
truth_tick(struct worker *w, bool is_sound)
{
	uint64_t nbehind = 0;
	int32_t ncurrent = 0;

	for (size_t g = 0; g < w->ngroups; g++) {
		const struct group *group = w->groups[g];

		tell_group(w, group);
		ncurrent += group_is_current(group);
		for (size_t i = 0; i < w->prog->ninputs; i++) {
			if (group->fold[i] < group->committed[i])
				nbehind += (uint64_t)(group->committed[i] -
						      group->fold[i]);
		}
	}
	atomic_store(&w->nbehind, nbehind);
	atomic_store(&w->ncurrent, ncurrent);
	metric_since(w->metrics.transaction_age, w->last_commit_ms * 1000);
	if (is_sound && !w->is_event_clock && w->ngroups > 0)
		ask(w);
}
