/*
 * group.c - the state machine of one partition group.
 *
 * Folding and deciding are apart: an event changes features at once, and marks
 * its account as touched; decisions are taken for touched accounts and for
 * accounts whose timer is due. Below the committed position events are folded
 * only: what was decided there has been published, and was adopted.
 */
#include "group.h"

#include <stdlib.h>
#include <string.h>

#include "override.h"
#include "segmentd/hash.h"

#define BATCH_BYTES_MAX (INT64_C(1) << 30)
#define TXN_BYTES_MAX (INT64_C(1) << 30)

enum sg_err
toolbox_init(struct toolbox *box, const struct program *prog)
{
	enum sg_err err;

	memset(box, 0, sizeof(*box));
	box->prog = prog;
	arena_init(&box->batch, BATCH_BYTES_MAX);
	arena_init(&box->txn, TXN_BYTES_MAX);
	box->readers = calloc(prog->ninputs + 1, sizeof(*box->readers));
	if (box->readers == NULL)
		return SG_NOMEM;
	err = decider_create(prog, &box->decider);
	if (err == SG_OK)
		err = cel_frame_create(&box->filter_frame);
	for (size_t i = 0; i < prog->ninputs && err == SG_OK; i++)
		err = decode_reader_clone(
			prog->inputs[i].reader, &box->readers[i]);
	if (err != SG_OK)
		toolbox_fini(box);
	return err;
}

void
toolbox_fini(struct toolbox *box)
{
	for (size_t i = 0; box->readers != NULL && i < box->prog->ninputs; i++)
		decode_reader_destroy(box->readers[i]);
	free(box->readers);
	decider_destroy(box->decider);
	cel_frame_destroy(box->filter_frame);
	arena_fini(&box->batch);
	arena_fini(&box->txn);
	free(box->changes.items);
	memset(box, 0, sizeof(*box));
}

void
group_forget_due(struct group *group)
{
	arena_reset(&group->due_arena);
	group->due = NULL;
	group->ndue = 0;
	group->due_at = 0;
	group->due_loaded_ms = INT64_MIN;
	group->due_listed_ms = INT64_MIN;
}

enum sg_err
group_create(struct toolbox *box, int32_t number, struct group **ret_group)
{
	struct group *group = calloc(1, sizeof(*group));

	if (group == NULL)
		return SG_NOMEM;
	group->box = box;
	group->number = number;
	group->clock_ms = INT64_MIN;
	arena_init(&group->due_arena, (size_t)1 << 30);
	group_forget_due(group);
	if (accounts_init(&group->accounts, box->prog) != SG_OK) {
		free(group);
		return SG_NOMEM;
	}
	*ret_group = group;
	return SG_OK;
}

void
group_destroy(struct group *group)
{
	if (group == NULL)
		return;
	accounts_fini(&group->accounts);
	store_group_close(group->store);
	for (size_t i = 0; i < group->nlayouts; i++)
		snapshot_layout_fini(&group->layouts[i]);
	free(group->layouts);
	free(group->touched);
	free(group->changed);
	free(group->fresh);
	arena_fini(&group->due_arena);
	free(group);
}

static bool
list_add(struct account ***list, size_t *n, size_t *cap, struct account *acct)
{
	if (*n == *cap) {
		size_t more = *cap * 2 + 256;
		struct account **grown = realloc(*list, more * sizeof(**list));

		if (grown == NULL)
			return false;
		*list = grown;
		*cap = more;
	}
	(*list)[(*n)++] = acct;
	return true;
}

struct account *
group_account(struct group *group, const struct event *ev)
{
	struct account *acct = accounts_find(&group->accounts, ev->account,
		ev->account_len, ev->account_hash);

	if (acct != NULL) {
		accounts_use(&group->accounts, acct);
		return acct;
	}
	acct = accounts_add(&group->accounts, ev->account, ev->account_len,
		ev->account_hash);
	if (acct == NULL)
		return NULL;
	if (group->store == NULL) {
		acct->is_loaded = true;
	} else if (!list_add(&group->fresh, &group->nfresh, &group->fresh_cap,
			   acct)) {
		accounts_remove(&group->accounts, acct);
		return NULL;
	}
	return acct;
}

struct account *
group_account_of(struct group *group, const char *id)
{
	struct event ev = {.account = id};

	ev.account_len = (uint32_t)strlen(id);
	ev.account_hash = hash_bytes(id, ev.account_len);
	return group_account(group, &ev);
}

/* --- folding ------------------------------------------------------------ */

enum sg_err
group_touch(struct group *group, struct account *acct)
{
	if (acct->is_touched)
		return SG_OK;
	if (!list_add(&group->touched, &group->ntouched, &group->touched_cap,
		    acct))
		return SG_NOMEM;
	acct->is_touched = true;
	return SG_OK;
}

void
group_untouch(struct group *group)
{
	size_t n = 0;

	for (size_t i = 0; i < group->ntouched; i++) {
		if (group->touched[i]->is_touched)
			group->touched[n++] = group->touched[i];
	}
	group->ntouched = n;
}

void
group_mark_dirty(struct group *group, struct account *acct, int64_t mono_ms)
{
	accounts_mark_dirty(&group->accounts, acct, group->fold,
		group->out_next, group->clock_ms, mono_ms);
}

/* A deletion leaves no features: an empty state takes their place. */
static enum sg_err
forget_features(
	struct group *group, struct account *acct, const struct event *ev)
{
	struct features *empty;
	enum sg_err err;

	err = features_create(group->box->prog->features, &empty);
	if (err != SG_OK)
		return err;
	accounts_resized(&group->accounts, features_size(acct->features),
		features_size(empty));
	features_destroy(acct->features);
	acct->features = empty;
	acct->is_gone = true;
	acct->gone_ms = ev->at_ms;
	acct->gone_input = ev->input;
	group->box->counts.deletions++;
	return SG_OK;
}

/*
 * An event that is older than the account's deletion, but comes after it: the
 * inputs are not in step. It must not bring the account back. Of the input that
 * deleted it, one of the same instant is newer, by its offset.
 */
static bool
is_from_former_life(const struct account *acct, const struct event *ev)
{
	if (!acct->is_gone)
		return false;
	return ev->input == acct->gone_input ? ev->at_ms < acct->gone_ms
					     : ev->at_ms <= acct->gone_ms;
}

static enum sg_err
fold_features(struct group *group, struct account *acct,
	const struct group_event *ge, bool *ret_is_repeat)
{
	const struct program *prog = group->box->prog;
	struct fold_counts *counts = &group->box->counts;
	size_t before = features_size(acct->features);
	struct fold_result res;
	enum sg_err err;

	memset(&res, 0, sizeof(res));
	err = features_fold(
		prog->features, acct->features, &ge->ev, ge->filters, &res);
	accounts_resized(
		&group->accounts, before, features_size(acct->features));
	if (err != SG_OK)
		return err;
	counts->repeats[ge->ev.input] += res.is_repeat;
	counts->late[ge->ev.input] += res.is_late;
	counts->overflow[ge->ev.input] += res.is_overflow;
	for (size_t w = 0; w < (prog->nfeatures + 63) / 64; w++)
		acct->changed[w] |= res.changed[w];
	*ret_is_repeat = res.is_repeat;
	return SG_OK;
}

enum sg_err
group_fold(struct group *group, struct account *acct,
	const struct group_event *ge, int64_t now_ms, int64_t mono_ms)
{
	const struct event *ev = &ge->ev;
	bool is_repeat = false;
	enum sg_err err;

	if (ev->offset < acct->applied[ev->input])
		return SG_OK;
	group_mark_dirty(group, acct, mono_ms);
	if ((int32_t)ev->input == group->box->prog->overrides) {
		err = override_fold(group->box->prog, acct, ev);
	} else if (is_from_former_life(acct, ev)) {
		group->box->counts.late[ev->input]++;
		acct->applied[ev->input] = ev->offset + 1;
		return SG_OK;
	} else if (ge->is_deletion) {
		err = forget_features(group, acct, ev);
	} else {
		err = fold_features(group, acct, ge, &is_repeat);
		if (err == SG_OK && acct->is_gone && !is_repeat) {
			/* It is back: everything is evaluated anew. */
			acct->is_gone = false;
			for (size_t i = 0; i < group->box->prog->nsegmentations;
				i++)
				acct->until_ms[i] = INT64_MIN;
		}
	}
	if (err != SG_OK)
		return err;
	acct->applied[ev->input] = ev->offset + 1;
	if (is_repeat)
		return SG_OK;
	/* During a walk the event is gone when the account is decided. */
	acct->last = group->is_catching_up ? NULL : ev;
	acct->touched_ms = now_ms;
	return group_touch(group, acct);
}

/* --- deciding ----------------------------------------------------------- */

enum sg_err
group_decide(struct group *group, struct account *acct, int64_t now_ms,
	bool is_forced, const struct decide_cause *cause, int64_t mono_ms)
{
	struct toolbox *box = group->box;
	size_t before = box->changes.n;
	int64_t due_ms;
	enum sg_err err;

	err = decide_account(box->decider, acct, now_ms, is_forced, cause,
		&box->txn, &box->changes, &due_ms);
	if (err != SG_OK)
		return err;
	if (box->changes.n > before) {
		group_mark_dirty(group, acct, mono_ms);
		if (!acct->is_changed) {
			if (!list_add(&group->changed, &group->nchanged,
				    &group->changed_cap, acct))
				return SG_NOMEM;
			acct->is_changed = true;
		}
	}
	acct->is_due_known = true;
	return accounts_arm(&group->accounts, acct, due_ms);
}

/* What an override does, or its being taken back, is a person's doing. */
static enum change_origin
origin_of(const struct group *group, const struct account *acct)
{
	if (acct->last != NULL &&
		(int32_t)acct->last->input == group->box->prog->overrides)
		return ORIGIN_override;
	return ORIGIN_live;
}

enum sg_err
group_decide_touched(struct group *group, int64_t now_ms, int64_t mono_ms)
{
	enum sg_err err = SG_OK;

	for (size_t i = 0; i < group->ntouched && err == SG_OK; i++) {
		struct account *acct = group->touched[i];
		struct decide_cause cause = {.origin = origin_of(group, acct),
			.ev = acct->last,
			.event_time_ms = acct->last == NULL
						 ? now_ms
						 : acct->last->at_ms};

		err = group_decide(group, acct, now_ms, false, &cause, mono_ms);
		acct->is_touched = false;
		acct->last = NULL;
		group->box->counts.decided_events++;
	}
	group->ntouched = 0;
	return err;
}

/* What the store's index says has passed: left there, it would bring the
 * account back again and again, though nothing is to be decided. */
static void
note_fired(struct group *group, struct account *acct, int64_t now_ms,
	int64_t mono_ms)
{
	if (acct->stored_due_ms == DUE_UNKNOWN || acct->stored_due_ms > now_ms)
		return;
	acct->is_due_fired = true;
	group_mark_dirty(group, acct, mono_ms);
}

enum sg_err
group_fire(struct group *group, int64_t upto_ms, int64_t at_ms, size_t max,
	int64_t mono_ms, size_t *ret_n,
	void (*lateness)(void *ctx, int64_t late_ms), void *ctx)
{
	enum sg_err err = SG_OK;
	size_t n = 0;

	while (n < max && err == SG_OK) {
		struct account *acct = accounts_first_due(&group->accounts);
		struct decide_cause cause = {.origin = ORIGIN_timer};
		int64_t now_ms;

		if (acct == NULL || acct->due_ms > upto_ms)
			break;
		cause.event_time_ms = acct->due_ms;
		now_ms = at_ms;
		if (at_ms == INT64_MIN)
			now_ms = acct->due_ms > group->clock_ms
					 ? acct->due_ms
					 : group->clock_ms;
		if (lateness != NULL)
			lateness(ctx, now_ms - acct->due_ms);
		err = group_decide(group, acct, now_ms, false, &cause, mono_ms);
		/* A valid_until that is early fires again; one that does not
		 * move on would fire for ever. */
		if (err == SG_OK && acct->due_ms <= now_ms)
			err = accounts_arm(&group->accounts, acct, now_ms + 1);
		note_fired(group, acct, now_ms, mono_ms);
		n++;
	}
	group->box->counts.decided_timers += n;
	*ret_n = n;
	return err;
}

enum sg_err
group_advance(struct group *group, int64_t at_ms, int64_t mono_ms)
{
	size_t n;
	enum sg_err err;

	if (at_ms <= group->clock_ms)
		return SG_OK;
	err = group_fire(
		group, at_ms, INT64_MIN, SIZE_MAX, mono_ms, &n, NULL, NULL);
	if (err == SG_OK)
		group->clock_ms = at_ms;
	return err;
}
