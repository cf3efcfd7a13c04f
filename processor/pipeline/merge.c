/*
 * merge.c - the event clock: inputs of a group merged by event time.
 *
 * What a group decides under the event clock must depend on its events alone,
 * not on how its topics happened to be fetched. So records wait in one queue
 * an input, and the earliest head is taken once every input has a head or is
 * read to its end. Before an event is folded the clock moves to its time and
 * the timers up to there fire.
 *
 *     accounts  10:00  10:30            take 10:00, 10:05, 10:10, then wait
 *     usage     10:05  10:10  (more?)   until usage has a head or is at its end
 *
 * Events later than `until` stay in their queues, uncommitted.
 *
 * At G nothing goes on until all that waits to be evaluated was, at the clock's
 * time. Where that does not fit into the cache it is done in slices, a round
 * each.
 */
#include <stdlib.h>
#include <string.h>

#include "segmentd/clock.h"
#include "worker.h"

#define QUEUE_HIGH 20000 /* records waiting in one input: stop fetching */
#define QUEUE_LOW 2000
#define QUEUE_BYTES_HIGH ((size_t)64 << 20) /* the same in bytes */
#define QUEUE_BYTES_LOW ((size_t)8 << 20)
#define ROUND_MIN 500 /* events of a round, however full the cache is */
#define DUE_HORIZON_MS (7 * CIVIL_DAY_MS)

/* A record, copied; key, value and headers follow it. */
struct waiting {
	struct waiting *next;
	size_t bytes; /* of all this */
	struct record rec;
	int64_t at_ms; /* INT64_MIN: it cannot be read, and is due at once */
	enum sg_err err;
};

struct queue {
	struct waiting *head;
	struct waiting *tail;
	size_t n;
	size_t bytes;
	bool is_at_end;
	bool is_paused;
	int64_t end; /* offset of the end, when is_at_end */
};

struct merge {
	size_t ninputs;
	struct queue queues[INPUTS_MAX];
	bool is_done; /* all ends are reached and `until` has passed */
};

enum sg_err
merge_create(size_t ninputs, struct merge **ret_merge)
{
	struct merge *merge = calloc(1, sizeof(*merge));

	if (merge == NULL)
		return SG_NOMEM;
	merge->ninputs = ninputs;
	*ret_merge = merge;
	return SG_OK;
}

void
merge_destroy(struct merge *merge)
{
	if (merge == NULL)
		return;
	for (size_t i = 0; i < merge->ninputs; i++) {
		struct waiting *item = merge->queues[i].head;

		while (item != NULL) {
			struct waiting *next = item->next;

			free(item);
			item = next;
		}
	}
	free(merge);
}

static size_t
copied_bytes(const struct record *rec)
{
	size_t bytes = sizeof(struct waiting) + rec->key_len + rec->value_len +
		       rec->nheaders * sizeof(struct record_header);

	for (size_t i = 0; i < rec->nheaders; i++)
		bytes += rec->headers[i].len + strlen(rec->headers[i].name) + 1;
	return bytes;
}

static const void *
copy_part(uint8_t **at, const void *bytes, size_t len)
{
	void *dest = *at;

	if (bytes == NULL)
		return NULL;
	memcpy(dest, bytes, len);
	*at += len;
	return dest;
}

static struct waiting *
copy_waiting(const struct record *rec)
{
	size_t bytes = copied_bytes(rec);
	struct waiting *item = malloc(bytes);
	struct record_header *headers;
	uint8_t *at;

	if (item == NULL)
		return NULL;
	item->next = NULL;
	item->bytes = bytes;
	item->rec = *rec;
	headers = (struct record_header *)(item + 1);
	at = (uint8_t *)(headers + rec->nheaders);
	item->rec.key = copy_part(&at, rec->key, rec->key_len);
	item->rec.value = copy_part(&at, rec->value, rec->value_len);
	item->rec.headers = headers;
	for (size_t i = 0; i < rec->nheaders; i++) {
		const struct record_header *h = &rec->headers[i];

		headers[i].name = copy_part(&at, h->name, strlen(h->name) + 1);
		headers[i].value = copy_part(&at, h->value, h->len);
		headers[i].len = h->len;
	}
	return item;
}

static struct merge *
merge_of(const struct worker *w, int32_t number, struct group **ret_group)
{
	for (size_t i = 0; i < w->ngroups; i++) {
		if (w->groups[i]->number == number) {
			*ret_group = w->groups[i];
			return w->merges[i];
		}
	}
	return NULL;
}

/* Put a record at the end of its queue; its account starts loading. */
static enum sg_err
enqueue(struct worker *w, const struct record *rec)
{
	struct group *group;
	struct merge *merge = merge_of(w, rec->partition, &group);
	struct group_event ge;
	struct sg_fault why = {.err = SG_OK};
	struct queue *queue;
	struct waiting *item;

	if (merge == NULL || rec->offset < group->fold[rec->input] ||
		hold_has(group, rec->input, rec->offset))
		return SG_OK;
	item = copy_waiting(rec);
	if (item == NULL)
		return SG_NOMEM;
	item->err = group_read(&w->box, rec, &ge, &why);
	if (item->err == SG_REGISTRY_DOWN) {
		free(item);
		merge->queues[rec->input].is_at_end = false;
		hold_from(w, group, rec, &why);
		return SG_OK;
	}
	item->at_ms = item->err == SG_OK ? ge.ev.at_ms : INT64_MIN;
	queue = &merge->queues[rec->input];
	if (queue->tail != NULL)
		queue->tail->next = item;
	else
		queue->head = item;
	queue->tail = item;
	queue->n++;
	queue->bytes += item->bytes;
	queue->is_at_end = false;
	metric_add(w->metrics.consumed[rec->input], 1);
	metric_add(w->metrics.consumed_bytes[rec->input], rec->value_len);
	if ((queue->n > QUEUE_HIGH || queue->bytes > QUEUE_BYTES_HIGH) &&
		!queue->is_paused) {
		queue->is_paused = true;
		ingest_pause(w->ingest, rec->input, group->number, true);
	}
	if (item->err == SG_OK && group_account(group, &ge.ev) == NULL)
		return SG_NOMEM;
	if (item->err != SG_OK && sg_err_class(item->err) != SG_CLASS_SKIP)
		return item->err;
	return SG_OK;
}

/* The input whose head comes next; -1 when that is not known yet, or none. */
static int
next_input(const struct merge *merge, int64_t until_ms)
{
	int next = -1;

	for (size_t i = 0; i < merge->ninputs; i++) {
		const struct queue *queue = &merge->queues[i];

		if (queue->head == NULL) {
			if (!queue->is_at_end)
				return -1;
			continue;
		}
		if (queue->head->at_ms > until_ms)
			continue;
		if (next < 0 ||
			queue->head->at_ms < merge->queues[next].head->at_ms)
			next = (int)i;
	}
	return next;
}

static struct waiting *
dequeue(struct worker *w, struct group *group, struct queue *queue,
	uint32_t input)
{
	struct waiting *item = queue->head;

	queue->head = item->next;
	if (queue->head == NULL)
		queue->tail = NULL;
	queue->n--;
	queue->bytes -= item->bytes;
	if (queue->is_paused && queue->n < QUEUE_LOW &&
		queue->bytes < QUEUE_BYTES_LOW) {
		queue->is_paused = false;
		if (!group->hold[input].is_held)
			ingest_pause(w->ingest, input, group->number, false);
	}
	return item;
}

/* Time comes to `at_ms`: timers that are due by then fire first. */
static enum sg_err
advance(struct worker *w, struct group *group, int64_t at_ms,
	struct sg_fault *why)
{
	int64_t mono_ms = clock_mono_us() / 1000;
	enum sg_err err;

	if (group->is_catching_up) {
		if (at_ms > group->clock_ms)
			group->clock_ms = at_ms;
		return SG_OK;
	}
	if (at_ms >= group->due_loaded_ms) {
		err = take_due(w, group, at_ms + DUE_HORIZON_MS, SIZE_MAX, why);
		if (err != SG_OK)
			return err;
	}
	return group_advance(group, at_ms, mono_ms);
}

static enum sg_err
take_event(struct worker *w, struct group *group, const struct record *rec,
	struct sg_fault *why)
{
	int64_t mono_ms = clock_mono_us() / 1000;
	struct group_event ge;
	struct account *acct;
	enum sg_err err;

	err = group_read(&w->box, rec, &ge, why);
	if (err == SG_OK)
		err = advance(w, group, ge.ev.at_ms, why);
	if (err != SG_OK)
		return err;
	acct = group_account(group, &ge.ev);
	if (acct == NULL)
		return SG_NOMEM;
	err = take_fresh(w, group, why);
	if (err == SG_OK)
		err = group_fold(group, acct, &ge, group->clock_ms, mono_ms);
	if (err == SG_OK) {
		group->fold[rec->input] = rec->offset + 1;
		if (group->is_catching_up)
			take_check_caught_up(w);
		if (!group->is_catching_up)
			err = group_decide_touched(
				group, group->clock_ms, mono_ms);
	}
	return err;
}

static enum sg_err
take_next(struct worker *w, struct group *group, struct merge *merge,
	uint32_t input, struct sg_fault *why)
{
	struct waiting *item = dequeue(w, group, &merge->queues[input], input);
	enum sg_err err = item->err;

	if (err == SG_OK) {
		err = take_event(w, group, &item->rec, why);
	} else {
		struct group_event ge;

		/* Again, for the reason. */
		*why = (struct sg_fault){.err = SG_OK};
		err = SG_OK;
		if (group_read(&w->box, &item->rec, &ge, why) == SG_OK)
			err = SG_INTERNAL;
		else if (item->rec.offset >= group->committed[input])
			err = take_reject(w, &item->rec, item->err, why);
		group->fold[input] = item->rec.offset + 1;
		if (group->is_catching_up)
			take_check_caught_up(w);
	}
	free(item);
	group->is_w_moved = true;
	w->events_since_commit++;
	arena_reset(&w->box.batch);
	return err;
}

static bool
is_unsettled(const struct group *group)
{
	return !group->is_catching_up && !group_is_current(group);
}

/* At G, and not all that belongs to it is done: here, or in other groups. */
static bool
is_waiting(const struct worker *w, const struct group *group)
{
	return is_unsettled(group) ||
	       (group->is_catching_up && take_is_at_g(w, group));
}

/* Nothing waits and every input is at its end: the position moves over what
 * is no record, and the clock may go to `until`. */
static enum sg_err
at_end(struct worker *w, struct group *group, struct merge *merge,
	int64_t until_ms, struct sg_fault *why)
{
	enum sg_err err = SG_OK;

	for (size_t i = 0; i < merge->ninputs; i++) {
		const struct queue *queue = &merge->queues[i];

		if (!queue->is_at_end && queue->head == NULL)
			return SG_OK;
		if (queue->head == NULL && group->fold[i] < queue->end) {
			group->fold[i] = queue->end;
			group->is_w_moved = true;
		}
	}
	take_check_caught_up(w);
	if (is_waiting(w, group))
		return SG_OK;
	if (!group->is_catching_up)
		err = group_decide_touched(
			group, group->clock_ms, clock_mono_us() / 1000);
	if (err == SG_OK && until_ms != 0 && !merge->is_done) {
		err = advance(w, group, until_ms, why);
		merge->is_done = true;
	}
	return err;
}

/* The group has come to G: a slice of those whose evaluation is owed. */
static enum sg_err
settle_some(struct worker *w, struct group *group, struct sg_fault *why)
{
	enum sg_err err;

	/* Without a clock there was no event, and nothing is owed. */
	err = take_due(w, group,
		group->clock_ms == INT64_MIN ? DUE_OWED + 1
					     : group->clock_ms + DUE_HORIZON_MS,
		TAKE_DUE_SLICE, why);
	if (err == SG_OK)
		err = group_decide_touched(
			group, group->clock_ms, clock_mono_us() / 1000);
	return err == SG_OK ? commit_note(w, group) : err;
}

static enum sg_err
merge_group(struct worker *w, struct group *group, struct merge *merge,
	struct sg_fault *why)
{
	int64_t until_ms = w->engine->opts->until_ms;
	int64_t limit_ms = until_ms == 0 ? INT64_MAX : until_ms;
	int64_t commit_max = w->prog->conf->opt.commit_events;
	enum sg_err err = SG_OK;
	size_t n = 0;
	int next;

	take_check_caught_up(w);
	if (is_unsettled(group))
		err = settle_some(w, group, why);
	if (err != SG_OK || is_waiting(w, group))
		return err;
	while ((next = next_input(merge, limit_ms)) >= 0) {
		err = take_next(w, group, merge, (uint32_t)next, why);
		if (err == SG_OK)
			err = commit_note(w, group);
		if (err != SG_OK)
			return err;
		/* A transaction has room for so much, and the cache. */
		if (is_waiting(w, group) || w->box.changes.n > 5000 ||
			(int64_t)w->events_since_commit >= commit_max ||
			(group->is_catching_up && ++n >= ROUND_MIN &&
				!take_has_room(w, group)))
			return SG_OK;
	}
	err = at_end(w, group, merge, until_ms, why);
	if (err == SG_OK)
		err = commit_note(w, group);
	return err;
}

enum sg_err
merge_batch(struct worker *w, const struct ingest_batch *batch,
	struct sg_fault *why)
{
	enum sg_err err = SG_OK;

	for (size_t i = 0; i < batch->nrecords && err == SG_OK; i++)
		err = enqueue(w, &batch->records[i]);
	for (size_t i = 0; i < batch->nends && err == SG_OK; i++) {
		const struct ingest_end *end = &batch->ends[i];
		struct group *group;
		struct merge *merge = merge_of(w, end->partition, &group);

		if (merge == NULL || hold_has(group, end->input, end->offset))
			continue;
		merge->queues[end->input].is_at_end = true;
		merge->queues[end->input].end = end->offset;
	}
	arena_reset(&w->box.batch);
	for (size_t g = 0; g < w->ngroups && err == SG_OK; g++) {
		err = take_fresh(w, w->groups[g], why);
		if (err == SG_OK)
			err = merge_group(w, w->groups[g], w->merges[g], why);
		if (err == SG_OK && w->engine->opts->on_clock != NULL)
			w->engine->opts->on_clock(w->engine->opts->ctx,
				w->groups[g]->number, w->groups[g]->clock_ms);
	}
	return err;
}

bool
merge_is_paused(const struct merge *merge, uint32_t input)
{
	return merge->queues[input].is_paused;
}

bool
merge_has_ended(const struct merge *merge)
{
	return merge->is_done;
}

bool
merge_is_done(const struct worker *w)
{
	for (size_t g = 0; g < w->ngroups; g++) {
		if (!w->merges[g]->is_done)
			return false;
	}
	return w->ngroups > 0;
}
