/*
 * verify_views.c - what Redis holds beside an account's state, against it.
 *
 * The state is read, then the view, members, queue and timer, then the state
 * again: when it is the same, no commit came between that wrote this account.
 * (A timer may be written alone, by a commit with the same state: it is judged
 * by an inequality that both the old and the new one meet.)
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flush.h"
#include "verify.h"

#define TRIES 20
#define NUMBER_MAX 40
#define QUEUE_PAGE 1000 /* accounts of the queue in one answer */

/* What was read of an account between two equal states. */
struct sight {
	struct store_blob state;
	struct store_field *fields;
	size_t nfields;
	bool *is_member; /* by segmentation: in the set of its segment */
	bool is_queued;
	double score;
	bool is_due;
	double due;
};

static bool
is_same_blob(const struct store_blob *a, const struct store_blob *b)
{
	if (a->bytes == NULL || b->bytes == NULL)
		return a->bytes == b->bytes;
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

static struct store_index
index_of(const struct verify_group *g, enum store_index_kind kind)
{
	return (struct store_index){.kind = kind, .number = g->number};
}

static enum sg_err
read_indexes(struct verify_group *g, const struct verify_account *a,
	const struct account *acct, struct sight *sight, struct sg_fault *why)
{
	struct verify *v = g->v;
	struct store_index index = index_of(g, STORE_INDEX_RENEWALS);
	double ignored;
	enum sg_err err;

	err = store_index_find(
		v->store, &index, a->id, &sight->is_queued, &sight->score, why);
	index.kind = STORE_INDEX_DUE;
	if (err == SG_OK)
		err = store_index_find(v->store, &index, a->id, &sight->is_due,
			&sight->due, why);
	index.kind = STORE_INDEX_MEMBERS;
	for (size_t i = 0; i < v->prog->nsegmentations && err == SG_OK; i++) {
		int16_t segment = acct->ms->seats[i].segment;

		if (segment == SEAT_NONE)
			continue;
		index.segmentation = v->prog->defs[i].name;
		index.segment = v->prog->defs[i].segments[segment];
		err = store_index_find(v->store, &index, a->id,
			&sight->is_member[i], &ignored, why);
	}
	return err;
}

/*
 * One look; *ret_acct (in the mirror) is what the state says, NULL when there
 * is none that can be read.
 */
static enum sg_err
look(struct verify_group *g, const struct verify_account *a,
	struct sight *sight, struct account **ret_acct, bool *ret_is_still,
	struct sg_fault *why)
{
	struct verify *v = g->v;
	struct store_blob again;
	enum sg_err err;

	*ret_acct = NULL;
	*ret_is_still = true;
	arena_reset(&v->page);
	accounts_clear(&g->mirror->accounts);
	*sight = (struct sight){
		.is_member = arena_array(
			&v->page, v->prog->nsegmentations + 1, sizeof(bool))};
	if (sight->is_member == NULL)
		return SG_NOMEM;
	memset(sight->is_member, 0, v->prog->nsegmentations + 1);
	err = store_peek(
		v->store, g->number, a->id, &v->page, &sight->state, NULL, why);
	if (err != SG_OK || sight->state.bytes == NULL)
		return err;
	err = verify_read_state(g, g->mirror, a, sight->state.bytes,
		sight->state.len, ret_acct);
	if (err != SG_OK || *ret_acct == NULL)
		return err;
	err = store_view(v->store, g->number, a->id, &v->page, &sight->fields,
		&sight->nfields, why);
	if (err == SG_OK)
		err = read_indexes(g, a, *ret_acct, sight, why);
	if (err == SG_OK)
		err = store_peek(v->store, g->number, a->id, &v->page, &again,
			NULL, why);
	if (err == SG_OK)
		*ret_is_still = is_same_blob(&sight->state, &again);
	return err;
}

/* --- the view ----------------------------------------------------------- */

static void
compare_view(struct verify_group *g, const struct verify_account *a,
	const struct sight *sight, const struct store_field *want, size_t nwant)
{
	const struct store_field none = {.name = "", .value = ""};
	size_t i = 0, k = 0;

	/* Both are sorted by name. */
	while (i < sight->nfields || k < nwant) {
		struct store_field redis = none, expected = none;
		int order = 0;

		if (i < sight->nfields)
			redis = sight->fields[i];
		if (k < nwant)
			expected = want[k];
		if (i == sight->nfields || k == nwant)
			order = i == sight->nfields ? 1 : -1;
		else
			order = strcmp(redis.name, expected.name);
		if (order < 0)
			expected = none;
		if (order > 0)
			redis = none;
		if (order != 0 || redis.len != expected.len ||
			memcmp(redis.value, expected.value, redis.len) != 0)
			verify_differ(g->v, a, g->number, "view",
				order > 0 ? expected.name : redis.name,
				redis.value, expected.value);
		i += order <= 0;
		k += order >= 0;
	}
}

static void
compare_queue(struct verify_group *g, const struct verify_account *a,
	const struct sight *sight, bool is_wanted, double score)
{
	char redis[NUMBER_MAX] = "not in it",
	     expected[NUMBER_MAX] = "not in it";

	if (sight->is_queued == is_wanted &&
		(!is_wanted || sight->score == score))
		return;
	if (sight->is_queued)
		(void)snprintf(redis, sizeof(redis), "%.17g", sight->score);
	if (is_wanted)
		(void)snprintf(expected, sizeof(expected), "%.17g", score);
	verify_differ(g->v, a, g->number, "renewal queue", "", redis, expected);
}

static void
compare_members(struct verify_group *g, const struct verify_account *a,
	const struct account *acct, const struct sight *sight)
{
	const struct program *prog = g->v->prog;

	for (size_t i = 0; i < prog->nsegmentations; i++) {
		int16_t segment = acct->ms->seats[i].segment;

		if (segment != SEAT_NONE && !sight->is_member[i])
			verify_differ(g->v, a, g->number, "member",
				prog->defs[i].name, "not in the set",
				prog->defs[i].segments[segment]);
	}
}

/* What the daemon would write of the account, in the mirror. */
static enum sg_err
mirror_flush(struct verify_group *g, struct account *acct, struct sg_fault *why)
{
	struct verify *v = g->v;
	struct store_meta meta;
	bool is_more = true;
	size_t n;
	enum sg_err err;

	store_mem_forget(v->mirror);
	err = store_group_takeover(g->mirror->store, &v->page, &meta, why);
	g->mirror->is_layout_stored = true;
	group_mark_dirty(g->mirror, acct, 0);
	while (err == SG_OK && is_more)
		err = flush_group(g->mirror, INT64_MAX, &n, &is_more, why);
	return err;
}

/* --- the timer ---------------------------------------------------------- */

/* The next instant at which the account may change, as seen at `at_ms`. */
static enum sg_err
due_at(struct verify_group *g, const struct verify_account *a,
	const struct sight *sight, int64_t at_ms, int64_t *ret_due_ms)
{
	const struct decide_cause cause = {
		.origin = ORIGIN_timer, .event_time_ms = at_ms};
	struct toolbox *box = &g->v->box;
	struct account *acct = NULL;
	enum sg_err err;

	*ret_due_ms = AT_NEVER;
	accounts_clear(&g->mirror->accounts);
	err = verify_read_state(
		g, g->mirror, a, sight->state.bytes, sight->state.len, &acct);
	if (err != SG_OK || acct == NULL)
		return err;
	err = decide_account(box->decider, acct, at_ms, true, &cause, &box->txn,
		&box->changes, ret_due_ms);
	/* What it would decide now is overdue. */
	if (box->changes.n > 0)
		*ret_due_ms = at_ms;
	box->changes.n = 0;
	arena_reset(&box->txn);
	return err;
}

/* The index may be early, never late. */
static enum sg_err
compare_due(struct verify_group *g, const struct verify_account *a,
	const struct sight *sight, int64_t touched_ms)
{
	char redis[NUMBER_MAX] = "none", expected[NUMBER_MAX];
	int64_t then_ms = AT_NEVER, now_ms = AT_NEVER;
	enum sg_err err = due_at(g, a, sight, touched_ms, &then_ms);

	if (err == SG_OK)
		err = due_at(g, a, sight,
			g->now_ms > touched_ms ? g->now_ms : touched_ms,
			&now_ms);
	/* Each of them may be early itself. */
	if (err != SG_OK || now_ms == AT_NEVER || then_ms == AT_NEVER)
		return err;
	if (now_ms < then_ms)
		now_ms = then_ms;
	if (sight->is_due && sight->due <= (double)now_ms)
		return SG_OK;
	if (sight->is_due)
		(void)snprintf(redis, sizeof(redis), "%.0f", sight->due);
	(void)snprintf(expected, sizeof(expected), "at most %" PRId64, now_ms);
	verify_differ(g->v, a, g->number, "timer", "", redis, expected);
	return SG_OK;
}

/* --- an account --------------------------------------------------------- */

static enum sg_err
judge(struct verify_group *g, const struct verify_account *a,
	const struct sight *sight, struct account *acct, struct sg_fault *why)
{
	struct store_index queue = index_of(g, STORE_INDEX_RENEWALS);
	int64_t touched_ms = acct->touched_ms;
	bool is_old = acct->is_view_old || !g->is_reviewed;
	bool is_gone = acct->is_gone, is_wanted = false;
	struct store_field *want = NULL;
	size_t nwant = 0;
	double score = 0;
	enum sg_err err;

	compare_members(g, a, acct, sight);
	err = mirror_flush(g, acct, why);
	if (err == SG_OK)
		err = store_view(g->v->mirror, g->number, a->id, &g->v->page,
			&want, &nwant, why);
	if (err == SG_OK)
		err = store_index_find(
			g->v->mirror, &queue, a->id, &is_wanted, &score, why);
	if (err != SG_OK)
		return err;
	g->v->sum.nskipped += is_old;
	if (is_old)
		return SG_OK;
	compare_view(g, a, sight, want, nwant);
	compare_queue(g, a, sight, is_wanted, score);
	return is_gone ? SG_OK : compare_due(g, a, sight, touched_ms);
}

enum sg_err
verify_views(
	struct verify_group *g, struct verify_account *a, struct sg_fault *why)
{
	for (int i = 0; i < TRIES; i++) {
		struct account *acct = NULL;
		struct sight sight;
		bool is_still;
		enum sg_err err = look(g, a, &sight, &acct, &is_still, why);

		if (err != SG_OK)
			return err;
		if (!is_still)
			continue;
		if (sight.state.bytes == NULL)
			verify_differ(g->v, a, g->number, "state", "",
				"gone since", "a state");
		return acct == NULL ? SG_OK : judge(g, a, &sight, acct, why);
	}
	g->v->sum.nskipped++;
	return SG_OK;
}

/* --- who should not be there -------------------------------------------- */

struct search {
	struct verify *v;
	struct store_index index;
	size_t segmentation; /* of members */
	int16_t segment;
};

/* By the state as it was read; *ret_is_sure when it says so. */
static bool
belongs(const struct search *s, const struct verify_account *a)
{
	const struct program *prog = s->v->prog;

	if (a->seats == NULL)
		return false;
	switch (s->index.kind) {
	case STORE_INDEX_MEMBERS:
		return a->seats[s->segmentation] == s->segment;
	case STORE_INDEX_RENEWALS:
		return prog->renewal >= 0 &&
		       a->seats[prog->renewal] != SEAT_NONE;
	default:
		return a->group == s->index.number;
	}
}

/* The same by the state as it is now, and is it still in the index? */
static enum sg_err
belongs_now(struct search *s, struct verify_account *a, bool *ret_belongs,
	struct sg_fault *why)
{
	struct verify *v = s->v;
	struct verify_account now = *a;
	struct membership *ms = NULL;
	struct store_blob state;
	int16_t seats[SEGMENTATIONS_MAX];
	bool is_there = true;
	double score;
	enum sg_err err;

	*ret_belongs = false;
	err = store_peek(
		v->store, s->index.number, a->id, &v->kept, &state, NULL, why);
	if (err != SG_OK)
		return err;
	if (state.bytes != NULL && snapshot_hash(state.bytes, state.len) ==
					   (uint32_t)v->prog->layout_hash) {
		err = membership_create(v->prog->nsegmentations, &ms);
		if (err == SG_OK)
			err = snapshot_membership(state.bytes, state.len, NULL,
				v->prog->defs, v->prog->nsegmentations, ms,
				&now.is_gone);
		for (size_t i = 0; err == SG_OK && i < v->prog->nsegmentations;
			i++)
			seats[i] = ms->seats[i].segment;
		membership_destroy(ms);
		now.seats = seats;
		now.group = snapshot_group(state.bytes, state.len);
		*ret_belongs = err == SG_OK && belongs(s, &now);
	}
	if (err == SG_OK && !*ret_belongs) {
		err = store_index_find(
			v->store, &s->index, a->id, &is_there, &score, why);
		*ret_belongs = !is_there;
	}
	return err;
}

static enum sg_err
one_entry(struct search *s, const char *account, struct sg_fault *why)
{
	static const char *const names[] = {[STORE_INDEX_MEMBERS] = "member",
		[STORE_INDEX_RENEWALS] = "renewal queue",
		[STORE_INDEX_DUE] = "timer"};
	bool is_member = s->index.kind == STORE_INDEX_MEMBERS;
	struct verify_account *a =
		verify_account(s->v, account, strlen(account));
	bool is_fine = false;
	enum sg_err err = SG_OK;

	if (a == NULL)
		return SG_NOMEM;
	if (belongs(s, a))
		return SG_OK;
	/* It may have moved while we read: look again, the state first. */
	for (int i = 0; i < TRIES && !is_fine && err == SG_OK; i++)
		err = belongs_now(s, a, &is_fine, why);
	if (err == SG_OK && !is_fine)
		verify_differ(s->v, a, a->group, names[s->index.kind],
			is_member ? s->index.segmentation : "",
			is_member ? s->index.segment : "in it",
			"not to be there");
	return err;
}

static enum sg_err
scan(struct search *s, struct sg_fault *why)
{
	struct arena arena;
	uint64_t cursor = 0;
	enum sg_err err = SG_OK;

	arena_init(&arena, (size_t)1 << 30);
	do {
		const char **accounts = NULL;
		size_t n = 0;

		arena_reset(&arena);
		err = store_index_scan(s->v->store, &s->index, &cursor, &arena,
			&accounts, &n, why);
		for (size_t i = 0; i < n && err == SG_OK; i++)
			err = one_entry(s, accounts[i], why);
	} while (err == SG_OK && cursor != 0);
	arena_fini(&arena);
	return err;
}

/*
 * Whoever is in the queue is open, claimed or done with: a page of it is told
 * in one piece, so what is none of them is lost to who works it off.
 */
static enum sg_err
lost_of_page(struct verify *v, int32_t number, uint64_t from, size_t *ret_seen,
	struct sg_fault *why)
{
	char first[NUMBER_MAX], count[NUMBER_MAX];
	const char *const args[] = {first, count};
	struct store_answer answer;
	enum sg_err err;

	(void)snprintf(first, sizeof(first), "%" PRIu64, from);
	(void)snprintf(count, sizeof(count), "%d", QUEUE_PAGE);
	arena_reset(&v->page);
	err = store_script(v->store, number, STORE_SCRIPT_list, args, 2,
		&v->page, &answer, why);
	if (err != SG_OK)
		return err;
	*ret_seen = answer.nitems;
	for (size_t i = 0; i < answer.nitems; i++) {
		const struct store_answer *row = &answer.items[i];
		struct verify_account *a;

		if (row->nitems < 3 || row->items[0].text == NULL ||
			row->items[2].text == NULL)
			return sg_fault_set(why, SG_INTERNAL,
				"the renewal queue is told in a strange form");
		if (strcmp(row->items[2].text, "lost") != 0)
			continue;
		a = verify_account(
			v, row->items[0].text, strlen(row->items[0].text));
		if (a == NULL)
			return SG_NOMEM;
		verify_differ(v, a, number, "renewal queue", "lost",
			"neither open, claimed nor done", "one of them");
	}
	return SG_OK;
}

static enum sg_err
scan_lost(struct verify *v, int32_t number, struct sg_fault *why)
{
	size_t seen = QUEUE_PAGE;
	enum sg_err err = SG_OK;

	if (v->prog->renewal < 0)
		return SG_OK;
	for (uint64_t from = 0; err == SG_OK && seen == QUEUE_PAGE;
		from += QUEUE_PAGE)
		err = lost_of_page(v, number, from, &seen, why);
	return err;
}

static enum sg_err
scan_sets(struct verify *v, int32_t number, struct sg_fault *why)
{
	enum sg_err err = SG_OK;

	for (size_t i = 0; i < v->prog->nsegmentations && err == SG_OK; i++) {
		const struct segmentation_def *def = &v->prog->defs[i];

		for (size_t k = 0; k < def->nsegments && err == SG_OK; k++) {
			struct search s = {.v = v,
				.index = {.kind = STORE_INDEX_MEMBERS,
					.number = number,
					.segmentation = def->name,
					.segment = def->segments[k]},
				.segmentation = i,
				.segment = (int16_t)k};

			err = scan(&s, why);
		}
	}
	if (err == SG_OK) {
		struct search s = {.v = v,
			.index = {.kind = STORE_INDEX_RENEWALS,
				.number = number}};

		err = scan(&s, why);
	}
	return err == SG_OK ? scan_lost(v, number, why) : err;
}

enum sg_err
verify_indexes(struct verify *v, struct sg_fault *why)
{
	bool is_plain = program_store_opts(v->prog).layout == STORE_PLAIN;
	enum sg_err err = SG_OK;

	for (int32_t n = 0; n < v->npartitions && err == SG_OK; n++) {
		struct search s = {.v = v,
			.index = {.kind = STORE_INDEX_DUE, .number = n}};

		err = scan(&s, why);
		if (err == SG_OK && (n == 0 || !is_plain))
			err = scan_sets(v, n, why);
	}
	return err;
}
