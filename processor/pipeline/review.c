/*
 * review.c - new rules: every account is evaluated again, in the background.
 *
 * The metadata of the committed offsets says with which rules all accounts of
 * a group have been evaluated. When that is not today's, the worker walks over
 * all states in the store, a page a round, and decides about those of its
 * groups with origin rule_change. Events go on meanwhile: an account that one
 * touches is decided by the new rules at once. Only when the walk is done, and
 * all that it came to is in the store, does the metadata name the new rules: an
 * evaluation that changes nothing may leave a timer, which is nowhere else. A
 * crash on the way begins it again, which finds most of it done.
 */
#include "segmentd/clock.h"
#include "segmentd/log.h"
#include "worker.h"

#define PROGRESS_MS 5000

bool
review_is_needed(const struct worker *w)
{
	for (size_t g = 0; g < w->ngroups; g++) {
		if (w->groups[g]->rules != w->prog->rules_hash)
			return true;
	}
	return false;
}

static bool
is_ready(const struct worker *w)
{
	for (size_t g = 0; g < w->ngroups; g++) {
		if (w->groups[g]->is_catching_up)
			return false;
	}
	return true;
}

/* The group a state belongs to, if it is ours and waits for review. */
static struct group *
group_under_review(const struct worker *w, const struct store_blob *state)
{
	struct group *group =
		worker_group(w, snapshot_group(state->bytes, state->len));

	if (group == NULL || group->rules == w->prog->rules_hash)
		return NULL;
	return group;
}

static enum sg_err
find_accounts(struct worker *w, const struct store_found *found, size_t n,
	struct account **accounts)
{
	for (size_t i = 0; i < n; i++) {
		struct group *group = group_under_review(w, &found[i].state);

		accounts[i] = NULL;
		if (group == NULL)
			continue;
		accounts[i] = group_account_of(group, found[i].account);
		if (accounts[i] == NULL)
			return SG_NOMEM;
	}
	return SG_OK;
}

static enum sg_err
decide_page(struct worker *w, const struct store_found *found, size_t n,
	struct account **accounts)
{
	int64_t mono_ms = clock_mono_us() / 1000;
	int64_t wall_ms = clock_now_ms();
	enum sg_err err = SG_OK;

	for (size_t i = 0; i < n && err == SG_OK; i++) {
		struct group *group = group_under_review(w, &found[i].state);
		struct decide_cause cause = {.origin = ORIGIN_rule_change};
		int64_t now_ms;

		if (group == NULL || accounts[i] == NULL)
			continue;
		now_ms = w->is_event_clock ? group->clock_ms : wall_ms;
		cause.event_time_ms = now_ms;
		/* Its view may have other fields now. */
		group_mark_dirty(group, accounts[i], mono_ms);
		accounts[i]->is_ripe = true;
		err = group_decide(
			group, accounts[i], now_ms, true, &cause, mono_ms);
		if (err == SG_OK)
			err = commit_note(w, group);
		w->review.naccounts++;
	}
	return err;
}

/* Is what was dirty at the end of the walk written? */
static bool
is_written(const struct worker *w)
{
	for (size_t g = 0; g < w->ngroups; g++) {
		const struct account *oldest =
			w->groups[g]->accounts.dirty_head;

		if (oldest != NULL &&
			oldest->dirty_mono_ms <= w->review.walked_ms)
			return false;
	}
	return true;
}

static void
finish(struct worker *w)
{
	for (size_t g = 0; g < w->ngroups; g++)
		w->groups[g]->rules = w->prog->rules_hash;
	/* So that the metadata is committed soon. */
	w->events_since_commit++;
	SG_LOG(LOG_INFO, "review_done", LOG_INT("worker", w->number),
		LOG_INT("accounts", w->review.naccounts));
	w->review = (struct review){.cursor = 0};
}

static void
show_progress(struct worker *w)
{
	int64_t mono_ms = clock_mono_us() / 1000;

	if (!w->review.is_running) {
		w->review.is_running = true;
		w->review.shown_ms = mono_ms;
		SG_LOG(LOG_INFO, "review_begin", LOG_INT("worker", w->number),
			LOG_INT("groups", w->ngroups));
	}
	if (mono_ms - w->review.shown_ms < PROGRESS_MS)
		return;
	w->review.shown_ms = mono_ms;
	SG_LOG(LOG_INFO, "review_progress", LOG_INT("worker", w->number),
		LOG_INT("accounts", w->review.naccounts));
}

/* Which group's keys to walk: one walk is enough where keys do not tell. */
static int32_t
walk_number(struct worker *w)
{
	if (w->engine->store.layout == STORE_PLAIN ||
		w->review.group >= w->ngroups)
		return 0;
	return w->groups[w->review.group]->number;
}

enum sg_err
review_some(struct worker *w, struct sg_fault *why)
{
	struct store_found *found = NULL;
	struct account **accounts;
	struct arena arena;
	size_t n = 0;
	enum sg_err err;

	if (!review_is_needed(w) || !is_ready(w))
		return SG_OK;
	if (w->review.walked_ms != 0) {
		if (is_written(w))
			finish(w);
		return SG_OK;
	}
	show_progress(w);
	arena_init(&arena, (size_t)1 << 30);
	err = store_scan(w->store, walk_number(w), &w->review.cursor, &arena,
		&found, &n, why);
	accounts = err == SG_OK ? arena_array(&arena, n + 1, sizeof(*accounts))
				: NULL;
	if (err == SG_OK)
		err = accounts == NULL ? SG_NOMEM
				       : find_accounts(w, found, n, accounts);
	for (size_t g = 0; g < w->ngroups && err == SG_OK; g++)
		err = take_fresh(w, w->groups[g], why);
	if (err == SG_OK)
		err = decide_page(w, found, n, accounts);
	arena_fini(&arena);
	if (err != SG_OK || w->review.cursor != 0)
		return err;
	w->review.group++;
	if (w->engine->store.layout == STORE_PLAIN ||
		w->review.group >= w->ngroups)
		w->review.walked_ms = clock_mono_us() / 1000;
	return SG_OK;
}
