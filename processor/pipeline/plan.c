/*
 * plan.c - what new rules would do to the accounts as they stand in Redis.
 *
 * Every state is read twice: its membership by the layout it was stored in,
 * which tells where the account is; and whole, as the daemon would read it
 * after a restart with the new configuration. Then the account is decided as
 * after a change of rules, and forgotten. Nothing is written.
 *
 * A walk over all keys may tell an account twice: ids seen are kept.
 */
#include <stdlib.h>
#include <string.h>

#include "decide.h"
#include "position.h"
#include "segmentd/clock.h"
#include "segmentd/hash.h"
#include "segmentd/store.h"
#include "tally.h"
#include "value_of.h"

#define PAGE_BYTES_MAX ((size_t)1 << 30)

/* A layout that some states are stored in. */
struct plan_layout {
	uint32_t hash;
	bool is_used;
	bool is_today; /* of the new configuration itself */
	struct snapshot_layout as_new;
	struct membership_layout *as_was; /* NULL: today's */
	const struct segmentation_def *defs;
	size_t ndefs;
	struct membership *ms; /* of the account at hand */
	struct tally_side side;
};

struct plan_group {
	int32_t number;
	int64_t clock_ms; /* event clock; INT64_MIN: none */
};

struct plan {
	const struct program *prog;
	const struct plan_opts *opts;
	struct store *store;
	struct tally *tally;
	struct tally_side side; /* of the new rules */
	struct tally_later later[SEGMENTATIONS_MAX];
	struct decider *decider;
	struct accounts accounts; /* one at a time */
	struct arena page;
	struct arena txn;
	struct change_list changes;
	struct plan_layout **layouts;
	size_t nlayouts;
	struct plan_group *groups;
	size_t ngroups;
	const char **seen; /* hash table of ids; nseen_slots a power of two */
	size_t nseen;
	size_t nseen_slots;
	uint32_t slot; /* of the value */
	int64_t now_ms;
	uint64_t done;
};

/* --- ids seen ----------------------------------------------------------- */

static bool
seen_grow(struct plan *p)
{
	size_t n = p->nseen_slots == 0 ? 1024 : p->nseen_slots * 2;
	const char **table = calloc(n, sizeof(*table));

	if (table == NULL)
		return false;
	for (size_t i = 0; i < p->nseen_slots; i++) {
		const char *id = p->seen[i];
		size_t at;

		if (id == NULL)
			continue;
		at = hash_bytes(id, strlen(id)) & (n - 1);
		while (table[at] != NULL)
			at = (at + 1) & (n - 1);
		table[at] = id;
	}
	free(p->seen);
	p->seen = table;
	p->nseen_slots = n;
	return true;
}

/* Note an id; *ret_is_new false when it was there. */
static enum sg_err
seen_add(struct plan *p, const char *id, bool *ret_is_new)
{
	size_t len = strlen(id), at;

	if (p->nseen * 4 >= p->nseen_slots * 3 && !seen_grow(p))
		return SG_NOMEM;
	at = hash_bytes(id, len) & (p->nseen_slots - 1);
	while (p->seen[at] != NULL) {
		*ret_is_new = false;
		if (strcmp(p->seen[at], id) == 0)
			return SG_OK;
		at = (at + 1) & (p->nseen_slots - 1);
	}
	*ret_is_new = true;
	p->seen[at] = arena_copy(tally_arena(p->tally), id, len);
	p->nseen++;
	return p->seen[at] == NULL ? SG_NOMEM : SG_OK;
}

/* --- layouts and groups ------------------------------------------------- */

static void
layout_destroy(struct plan_layout *layout)
{
	if (layout == NULL)
		return;
	snapshot_layout_fini(&layout->as_new);
	membership_layout_destroy(layout->as_was);
	membership_destroy(layout->ms);
	free(layout);
}

static struct plan_layout *
layout_find(const struct plan *p, uint32_t hash)
{
	for (size_t i = 0; i < p->nlayouts; i++) {
		if (p->layouts[i]->hash == hash)
			return p->layouts[i];
	}
	return NULL;
}

static enum sg_err
layout_fill(struct plan *p, struct plan_layout *layout,
	const struct store_layout_entry *entry, struct sg_fault *why)
{
	struct segmentation_def *defs = NULL;
	enum sg_err err = SG_OK;

	layout->is_today = layout->hash == (uint32_t)p->prog->layout_hash;
	if (layout->is_today) {
		layout->defs = p->prog->defs;
		layout->ndefs = p->prog->nsegmentations;
	} else {
		err = snapshot_layout_read(p->prog, entry->hash, entry->bytes,
			entry->len, &layout->as_new, why);
		if (err == SG_OK)
			err = snapshot_layout_defs(entry->bytes, entry->len,
				tally_arena(p->tally), &defs, &layout->ndefs,
				&layout->as_was);
		if (err == SG_BAD_BLOB)
			err = sg_fault_set(
				why, err, "a stored layout cannot be read");
		layout->defs = defs;
	}
	if (err == SG_OK)
		err = membership_create(layout->ndefs, &layout->ms);
	if (err == SG_OK)
		err = tally_side_make(p->tally, layout->defs, layout->ndefs,
			false, &layout->side);
	return err;
}

static enum sg_err
layout_add(struct plan *p, const struct store_layout_entry *entry,
	struct sg_fault *why)
{
	struct plan_layout **grown, *layout;
	enum sg_err err;

	if (layout_find(p, (uint32_t)entry->hash) != NULL)
		return SG_OK;
	grown = realloc(p->layouts, (p->nlayouts + 1) * sizeof(*grown));
	if (grown == NULL)
		return SG_NOMEM;
	p->layouts = grown;
	layout = calloc(1, sizeof(*layout));
	if (layout == NULL)
		return SG_NOMEM;
	layout->hash = (uint32_t)entry->hash;
	err = layout_fill(p, layout, entry, why);
	if (err != SG_OK) {
		layout_destroy(layout);
		return err;
	}
	p->layouts[p->nlayouts++] = layout;
	return SG_OK;
}

/* The record of a group, and the layouts in it. */
static enum sg_err
group_read_record(struct plan *p, int32_t number, bool *ret_is_present,
	struct plan_group *ret_group, struct sg_fault *why)
{
	int64_t offsets[INPUTS_MAX];
	struct store_blob blob;
	struct store_meta meta;
	enum sg_err err;

	err = store_peek(p->store, number, "", &p->page, &blob, &meta, why);
	if (err != SG_OK)
		return err;
	*ret_is_present = meta.is_present;
	*ret_group = (struct plan_group){number, INT64_MIN};
	if (meta.w != NULL && !position_read_w(p->prog, meta.w, offsets,
				      &ret_group->clock_ms))
		return sg_fault_set(why, SG_BAD_BLOB,
			"the record of partition group %d cannot be read",
			(int)number);
	for (size_t i = 0; i < meta.nlayouts && err == SG_OK; i++)
		err = layout_add(p, &meta.layouts[i], why);
	return err;
}

static enum sg_err
group_find(struct plan *p, int32_t number, const struct plan_group **ret_group,
	struct sg_fault *why)
{
	struct plan_group *grown;
	bool is_present;
	enum sg_err err;

	for (size_t i = 0; i < p->ngroups; i++) {
		if (p->groups[i].number == number) {
			*ret_group = &p->groups[i];
			return SG_OK;
		}
	}
	grown = realloc(p->groups, (p->ngroups + 1) * sizeof(*grown));
	if (grown == NULL)
		return SG_NOMEM;
	p->groups = grown;
	err = group_read_record(
		p, number, &is_present, &p->groups[p->ngroups], why);
	if (err == SG_OK)
		*ret_group = &p->groups[p->ngroups++];
	return err;
}

/* The layout of a state. It may have come after the group was read. */
static enum sg_err
layout_of(struct plan *p, const struct store_blob *state, int32_t number,
	struct plan_layout **ret_layout, struct sg_fault *why)
{
	uint32_t hash = snapshot_hash(state->bytes, state->len);
	struct plan_group again;
	bool is_present;
	enum sg_err err = SG_OK;

	if (layout_find(p, hash) == NULL)
		err = group_read_record(p, number, &is_present, &again, why);
	if (err != SG_OK)
		return err;
	*ret_layout = layout_find(p, hash);
	if (*ret_layout == NULL)
		return sg_fault_set(why, SG_BAD_BLOB,
			"a stored state has layout %08x, which is not among "
			"those of its partition group",
			(unsigned)hash);
	(*ret_layout)->is_used = true;
	return SG_OK;
}

/* --- one account -------------------------------------------------------- */

static int64_t
now_of(const struct plan *p, const struct plan_group *group)
{
	if (p->opts->at_ms == 0 &&
		p->prog->conf->opt.clock == CONF_CLOCK_EVENT &&
		group->clock_ms != INT64_MIN)
		return group->clock_ms;
	return p->now_ms;
}

/* What min_stay and cooldown hold back after the decision. */
static void
look_later(struct plan *p, const struct account *acct, int64_t now_ms)
{
	decide_view_begin(p->decider, acct, now_ms);
	for (size_t i = 0; i < p->prog->nsegmentations; i++) {
		struct decide_outlook look =
			decide_outlook(p->decider, acct, i);

		p->later[i] = (struct tally_later){.target = look.target,
			.is_later = look.step.is_suppressed,
			.at_ms = look.step.wake_ms};
	}
}

static enum sg_err
decide_and_count(struct plan *p, struct account *acct,
	const struct plan_layout *layout, int64_t now_ms, bool was_gone)
{
	const struct decide_cause cause = {
		.origin = ORIGIN_rule_change, .event_time_ms = now_ms};
	const struct tally_place before = {
		&layout->side, was_gone ? NULL : layout->ms};
	const struct tally_place after = {&p->side, acct->ms};
	enum sg_err err;
	int64_t due_ms;

	err = decide_account(p->decider, acct, now_ms, true, &cause, &p->txn,
		&p->changes, &due_ms);
	p->changes.n = 0;
	arena_reset(&p->txn);
	if (err != SG_OK || (was_gone && acct->is_gone))
		return err;
	look_later(p, acct, now_ms);
	return tally_add(p->tally, acct->id, &before, &after, p->later,
		value_of(p->decider, acct, now_ms, p->slot));
}

static enum sg_err
one_account(
	struct plan *p, const struct store_found *found, struct sg_fault *why)
{
	const struct store_blob *state = &found->state;
	int32_t number = snapshot_group(state->bytes, state->len);
	const struct plan_group *group = NULL;
	struct plan_layout *layout = NULL;
	size_t len = strlen(found->account), size;
	struct account *acct;
	bool was_gone;
	enum sg_err err;

	if (number < 0)
		return sg_fault_set(why, SG_BAD_BLOB,
			"a stored state is of another codec version");
	err = group_find(p, number, &group, why);
	if (err == SG_OK)
		err = layout_of(p, state, number, &layout, why);
	if (err == SG_OK)
		err = snapshot_membership(state->bytes, state->len,
			layout->as_was, layout->defs, layout->ndefs, layout->ms,
			&was_gone);
	if (err == SG_BAD_BLOB)
		return sg_fault_set(why, err,
			"the stored membership of an account cannot be read");
	if (err != SG_OK)
		return err;
	acct = accounts_add(&p->accounts, found->account, len,
		hash_bytes(found->account, len));
	if (acct == NULL)
		return SG_NOMEM;
	size = features_size(acct->features);
	err = snapshot_read(p->prog, &layout->as_new, layout->is_today ? 0 : 1,
		state->bytes, state->len, acct, why);
	accounts_resized(&p->accounts, size, features_size(acct->features));
	if (err == SG_OK)
		err = decide_and_count(
			p, acct, layout, now_of(p, group), was_gone);
	accounts_remove(&p->accounts, acct);
	return err;
}

/* --- the walk ----------------------------------------------------------- */

static enum sg_err
one_page(struct plan *p, int32_t number, uint64_t *cursor, struct sg_fault *why)
{
	struct store_found *found = NULL;
	size_t n = 0;
	enum sg_err err;

	arena_reset(&p->page);
	if (p->opts->stop != NULL && atomic_load(p->opts->stop))
		return SG_INTERRUPTED;
	err = store_scan(p->store, number, cursor, &p->page, &found, &n, why);
	for (size_t i = 0; i < n && err == SG_OK; i++) {
		bool is_new = true;

		if (found[i].state.bytes == NULL)
			continue;
		err = seen_add(p, found[i].account, &is_new);
		if (err == SG_OK && is_new)
			err = one_account(p, &found[i], why);
		p->done++;
	}
	if (p->opts->on_progress != NULL)
		p->opts->on_progress(p->opts->ctx, p->done, 0);
	return err;
}

static enum sg_err
walk(struct plan *p, int32_t number, struct sg_fault *why)
{
	uint64_t cursor = 0;
	enum sg_err err;

	do {
		err = one_page(p, number, &cursor, why);
	} while (err == SG_OK && cursor != 0);
	return err;
}

/* Where keys tell the group there is one walk for each, from 0 on until there
 * is none: each owner leaves a record. */
static enum sg_err
walk_all(struct plan *p, struct sg_fault *why)
{
	struct store_opts opts = program_store_opts(p->prog);
	enum sg_err err = SG_OK;

	if (opts.layout == STORE_PLAIN)
		return walk(p, 0, why);
	for (int32_t number = 0; err == SG_OK; number++) {
		struct plan_group group;
		bool is_present = false;

		arena_reset(&p->page);
		err = group_read_record(p, number, &is_present, &group, why);
		if (err == SG_OK && !is_present)
			return SG_OK;
		if (err == SG_OK)
			err = walk(p, number, why);
	}
	return err;
}

static bool
is_fresh(const struct plan *p, uint32_t feature)
{
	for (size_t i = 0; i < p->nlayouts; i++) {
		const struct plan_layout *layout = p->layouts[i];

		if (layout->is_used && !layout->is_today &&
			!features_layout_keeps(p->prog->features,
				layout->as_new.features, feature))
			return true;
	}
	return false;
}

static enum sg_err
list_fresh(struct plan *p)
{
	struct arena *arena = tally_arena(p->tally);
	const char **names =
		arena_array(arena, p->prog->nfeatures + 1, sizeof(*names));
	size_t n = 0;

	if (names == NULL)
		return SG_NOMEM;
	for (uint32_t i = 0; i < p->prog->nfeatures; i++) {
		const char *name = p->prog->feature_defs[i].name;

		if (!is_fresh(p, i))
			continue;
		names[n] = arena_copy(arena, name, strlen(name));
		if (names[n++] == NULL)
			return SG_NOMEM;
	}
	tally_fresh(p->tally, names, n);
	return SG_OK;
}

static enum sg_err
plan_open(struct plan *p, struct sg_fault *why)
{
	struct store_opts opts = program_store_opts(p->prog);
	enum sg_err err = accounts_init(&p->accounts, p->prog);

	if (err == SG_OK)
		err = decider_create(p->prog, &p->decider);
	if (err == SG_OK)
		err = tally_create(p->opts->value, &p->tally);
	if (err == SG_OK)
		err = tally_side_make(p->tally, p->prog->defs,
			p->prog->nsegmentations, true, &p->side);
	if (err == SG_OK)
		err = store_open_redis(&opts, &p->store, why);
	return err;
}

static void
plan_close(struct plan *p)
{
	store_close(p->store);
	decider_destroy(p->decider);
	if (p->accounts.buckets != NULL)
		accounts_fini(&p->accounts);
	for (size_t i = 0; i < p->nlayouts; i++)
		layout_destroy(p->layouts[i]);
	free(p->layouts);
	free(p->groups);
	free(p->seen);
	free(p->changes.items);
	arena_fini(&p->page);
	arena_fini(&p->txn);
	tally_destroy(p->tally);
	free(p);
}

enum sg_err
pipeline_plan(const struct program *prog, const struct plan_opts *opts,
	struct comparison **ret_comparison, struct sg_fault *why)
{
	struct plan *p = calloc(1, sizeof(*p));
	enum sg_err err;

	if (p == NULL)
		return SG_NOMEM;
	p->prog = prog;
	p->opts = opts;
	p->now_ms = opts->at_ms == 0 ? clock_now_ms() : opts->at_ms;
	p->slot = value_slot(prog, opts->value);
	arena_init(&p->page, PAGE_BYTES_MAX);
	arena_init(&p->txn, PAGE_BYTES_MAX);
	err = plan_open(p, why);
	if (err == SG_OK)
		err = walk_all(p, why);
	if (err == SG_OK)
		err = list_fresh(p);
	if (err == SG_OK)
		err = tally_finish(p->tally, ret_comparison);
	if (err == SG_OK)
		p->tally = NULL; /* it is the caller's comparison now */
	plan_close(p);
	return err;
}
