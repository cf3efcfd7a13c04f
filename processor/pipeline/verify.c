/*
 * verify.c - does Redis hold what it should?
 *
 * There is no instant at which a running daemon, Redis and Kafka agree, and
 * none is needed: each state says up to which offset of each input it is, and
 * which version of its membership it holds. So every account is compared as of
 * its own state:
 *
 *   1  the commit records (W, out), then all states; both only ever grow
 *   2  group by group the inputs from their first record on: an account's
 *      events below its state's offsets are folded afresh. Events below W have
 *      to be in the state
 *   3  segmentd.current: the image of the state's version must be the same.
 *      What lies before `out` must be in the state
 *   4  each account again: view, members, queue and timer as they follow from
 *      its state. Read between two reads of the state that agree: every commit
 *      is one transaction, so what was read between them belongs together
 *   5  sets and sorted sets: nobody is in them who should not be
 *
 * What should be in Redis in 4 is not told by code of its own: the account is
 * flushed to a store in memory as the daemon would, and the two are compared.
 *
 * Given up: accounts and their states are in memory while it runs.
 */
#include "verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "segmentd/clock.h"
#include "segmentd/hash.h"

#define PAGE_BYTES_MAX ((size_t)1 << 30)
#define KEPT_BYTES_MAX ((size_t)1 << 38)
#define TIMEOUT_MS 10000
#define PRESENCE_MS 15000

/* --- accounts ----------------------------------------------------------- */

static bool
table_grow(struct verify *v)
{
	size_t n = v->ntable == 0 ? 1024 : v->ntable * 2;
	struct verify_account **table = calloc(n, sizeof(*table));

	if (table == NULL)
		return false;
	for (size_t i = 0; i < v->ntable; i++) {
		size_t at;

		if (v->table[i] == NULL)
			continue;
		at = v->table[i]->hash & (n - 1);
		while (table[at] != NULL)
			at = (at + 1) & (n - 1);
		table[at] = v->table[i];
	}
	free(v->table);
	v->table = table;
	v->ntable = n;
	return true;
}

struct verify_account *
verify_account(struct verify *v, const char *id, size_t len)
{
	uint64_t hash = hash_bytes(id, len);
	struct verify_account *a;
	size_t at;

	if (v->naccounts * 4 >= v->ntable * 3 && !table_grow(v))
		return NULL;
	at = hash & (v->ntable - 1);
	for (; (a = v->table[at]) != NULL; at = (at + 1) & (v->ntable - 1)) {
		if (a->hash == hash && strlen(a->id) == len &&
			memcmp(a->id, id, len) == 0)
			return a;
	}
	a = arena_alloc(&v->kept, sizeof(*a));
	if (a == NULL)
		return NULL;
	*a = (struct verify_account){.hash = hash, .group = -1, .newer_at = -1};
	a->id = arena_copy(&v->kept, id, len);
	if (a->id == NULL)
		return NULL;
	v->table[at] = a;
	v->naccounts++;
	return a;
}

static const char *
keep(struct verify *v, const char *text)
{
	const char *copy = arena_copy(&v->kept, text, strlen(text));

	return copy == NULL ? "" : copy;
}

void
verify_differ(struct verify *v, const struct verify_account *a, int32_t group,
	const char *what, const char *name, const char *redis,
	const char *expected)
{
	if (v->sum.ndifferences++ >= VERIFY_LIST_MAX)
		return;
	v->differences[v->sum.n++] =
		(struct verify_difference){.account = a->id,
			.partition = group,
			.what = what,
			.name = keep(v, name),
			.redis = keep(v, redis),
			.expected = keep(v, expected)};
}

enum sg_err
verify_read_state(struct verify_group *g, struct group *group,
	const struct verify_account *a, const void *bytes, size_t len,
	struct account **ret_acct)
{
	struct sg_fault why = {.err = SG_OK};
	struct account *acct = group_account_of(group, a->id);
	size_t before;
	enum sg_err err;

	*ret_acct = NULL;
	if (acct == NULL)
		return SG_NOMEM;
	/* group_account() queues it for loading: this is the loading. */
	group->nfresh = 0;
	acct->is_loaded = true;
	before = features_size(acct->features);
	err = snapshot_read(g->v->prog, g->stored->layouts, g->stored->nlayouts,
		bytes, len, acct, &why);
	accounts_resized(
		&group->accounts, before, features_size(acct->features));
	if (err == SG_BAD_BLOB) {
		accounts_remove(&group->accounts, acct);
		verify_differ(g->v, a, g->number, "state", "", why.text,
			"a state that can be read");
		return SG_OK;
	}
	*ret_acct = acct;
	return err;
}

/* --- the states --------------------------------------------------------- */

static enum sg_err
keep_state(struct verify *v, const struct store_found *found)
{
	struct verify_account *a =
		verify_account(v, found->account, strlen(found->account));

	if (a == NULL)
		return SG_NOMEM;
	if (a->state != NULL) /* a walk over all keys may tell it twice */
		return SG_OK;
	a->state = arena_copy(&v->kept, found->state.bytes, found->state.len);
	if (a->state == NULL)
		return SG_NOMEM;
	a->state_len = found->state.len;
	a->group = snapshot_group(a->state, a->state_len);
	v->sum.naccounts++;
	if (a->group < 0 || a->group >= v->npartitions)
		verify_differ(v, a, a->group, "state", "",
			a->group < 0 ? "not a state of this version"
				     : "of a partition that the inputs do "
				       "not have",
			"a state of one of the inputs' partitions");
	return SG_OK;
}

static enum sg_err
read_states(struct verify *v, int32_t number, struct sg_fault *why)
{
	uint64_t cursor = 0;
	enum sg_err err = SG_OK;

	do {
		struct store_found *found = NULL;
		size_t n = 0;

		if (v->opts->stop != NULL && atomic_load(v->opts->stop))
			return SG_INTERRUPTED;
		arena_reset(&v->page);
		err = store_scan(
			v->store, number, &cursor, &v->page, &found, &n, why);
		for (size_t i = 0; i < n && err == SG_OK; i++) {
			if (found[i].state.bytes != NULL)
				err = keep_state(v, &found[i]);
		}
	} while (err == SG_OK && cursor != 0);
	return err;
}

/* --- a group ------------------------------------------------------------ */

static enum sg_err
read_layouts(struct verify_group *g, const struct store_meta *meta,
	struct sg_fault *why)
{
	struct group *group = g->stored;
	enum sg_err err = SG_OK;

	group->layouts = calloc(meta->nlayouts + 1, sizeof(*group->layouts));
	if (group->layouts == NULL)
		return SG_NOMEM;
	for (size_t i = 0; i < meta->nlayouts && err == SG_OK; i++) {
		const struct store_layout_entry *entry = &meta->layouts[i];

		if (entry->hash == g->v->prog->layout_hash)
			continue;
		err = snapshot_layout_read(g->v->prog, entry->hash,
			entry->bytes, entry->len,
			&group->layouts[group->nlayouts], why);
		group->nlayouts += err == SG_OK;
	}
	return err;
}

static enum sg_err
read_record(struct verify_group *g, struct sg_fault *why)
{
	struct verify *v = g->v;
	int64_t clock_ms = INT64_MIN;
	struct store_blob blob;
	struct store_meta meta;
	enum sg_err err;

	for (size_t i = 0; i < INPUTS_MAX; i++)
		g->w[i] = -1;
	g->out = -1;
	err = store_peek(v->store, g->number, "", &v->kept, &blob, &meta, why);
	if (err != SG_OK)
		return err;
	if (meta.w != NULL &&
		!position_read_w(v->prog, meta.w, g->w, &clock_ms))
		return sg_fault_set(why, SG_BAD_BLOB,
			"the record of partition group %d cannot be read",
			(int)g->number);
	g->has_w = meta.w != NULL;
	if (meta.out != NULL)
		g->out = strtoll(meta.out, NULL, 10);
	if (v->prog->conf->opt.clock == CONF_CLOCK_EVENT)
		g->now_ms = clock_ms;
	return read_layouts(g, &meta, why);
}

static enum sg_err
open_group(struct verify *v, int32_t number, struct verify_group *g,
	struct sg_fault *why)
{
	enum sg_err err;

	*g = (struct verify_group){
		.v = v, .number = number, .now_ms = clock_now_ms()};
	err = group_create(&v->box, number, &g->stored);
	if (err == SG_OK)
		err = group_create(&v->box, number, &g->fresh);
	if (err == SG_OK)
		err = group_create(&v->box, number, &g->mirror);
	if (err == SG_OK)
		err = store_group_open(
			v->mirror, number, &g->mirror->store, why);
	if (err == SG_OK)
		err = read_record(g, why);
	return err;
}

static void
close_group(struct verify_group *g)
{
	group_destroy(g->stored);
	group_destroy(g->fresh);
	group_destroy(g->mirror);
}

/* A group of which Kafka knows a past has to have one in Redis; its first
 * flush may be on its way. */
static enum sg_err
check_presence(struct verify_group *g, struct sg_fault *why)
{
	const struct verify_account nobody = {.id = ""};
	int64_t end_us = clock_mono_us() + INT64_C(1000) * PRESENCE_MS;
	struct store_meta meta = {.w = g->has_w ? "" : NULL};
	struct store_blob blob;
	bool is_expected = false;
	enum sg_err err = SG_OK;

	for (size_t i = 0; i < g->v->prog->ninputs; i++)
		is_expected = is_expected || g->committed.offset[i] > 0;
	while (is_expected && err == SG_OK && meta.w == NULL &&
		clock_mono_us() < end_us) {
		err = store_peek(g->v->store, g->number, "", &g->v->kept, &blob,
			&meta, why);
		if (err == SG_OK && meta.w == NULL)
			clock_sleep_ms(100);
	}
	if (err == SG_OK && is_expected && meta.w == NULL)
		verify_differ(g->v, &nobody, g->number, "partition", "",
			"nothing: it was lost, or is being rebuilt",
			"what is committed");
	return err;
}

/* Where its inputs begin and end now, and what is committed: all taken after
 * the states were read. */
static enum sg_err
read_positions(struct verify *v, struct verify_group *g, struct sg_fault *why)
{
	struct position_meta meta = {.rules = 0};
	enum sg_err err;

	err = ingest_committed(
		v->ingest, g->number, TIMEOUT_MS, &v->kept, &g->committed, why);
	if (err == SG_OK)
		err = ingest_watermarks(
			v->ingest, g->number, TIMEOUT_MS, g->from, g->to, why);
	if (err != SG_OK)
		return err;
	err = check_presence(g, why);
	if (err != SG_OK)
		return err;
	g->is_reviewed = g->committed.metadata != NULL &&
			 position_read_meta(g->committed.metadata, &meta) &&
			 meta.rules == v->prog->rules_hash;
	for (size_t i = 0; i < v->prog->ninputs; i++) {
		int64_t start = position_start(g->committed.own[i]);

		/* Committed by a version that did not note it. */
		if (start < 0 && v->prog->conf->opt.start == 1 &&
			g->committed.offset[i] != INGEST_OFFSET_NONE)
			v->is_partial = true;
		if (g->from[i] < start)
			g->from[i] = start;
		v->total += (uint64_t)(g->to[i] - g->from[i]);
		if (g->from[i] == 0 || g->from[i] == start)
			continue;
		if (!v->opts->is_loss_accepted)
			return sg_fault_set(why, SG_OPERATOR,
				"%s partition %d begins at offset %" PRId64
				" (retention): features cannot be folded "
				"afresh. --accept-loss compares the rest",
				v->prog->inputs[i].topic, (int)g->number,
				g->from[i]);
		v->is_partial = true;
	}
	return SG_OK;
}

/* The accounts of the group, from what was kept of them. */
static enum sg_err
read_accounts(struct verify_group *g)
{
	struct verify *v = g->v;
	enum sg_err err = SG_OK;

	for (size_t i = 0; i < v->ntable && err == SG_OK; i++) {
		struct verify_account *a = v->table[i];
		size_t n = v->prog->nsegmentations;

		if (a == NULL || a->group != g->number)
			continue;
		err = verify_read_state(
			g, g->stored, a, a->state, a->state_len, &a->stored);
		if (err != SG_OK || a->stored == NULL)
			continue;
		a->is_gone = a->stored->is_gone;
		a->seats = arena_array(&v->kept, n + 1, sizeof(*a->seats));
		if (a->seats == NULL)
			return SG_NOMEM;
		for (size_t s = 0; s < n; s++)
			a->seats[s] = a->stored->ms->seats[s].segment;
	}
	return err;
}

static enum sg_err
compare_accounts(struct verify_group *g, struct sg_fault *why)
{
	struct verify *v = g->v;
	enum sg_err err = SG_OK;

	for (size_t i = 0; i < v->ntable && err == SG_OK; i++) {
		struct verify_account *a = v->table[i];

		if (a == NULL || a->stored == NULL)
			continue;
		err = verify_compare(g, a);
		if (err == SG_OK)
			err = verify_views(g, a, why);
	}
	/* They go with the group. */
	for (size_t i = 0; i < v->ntable; i++) {
		if (v->table[i] == NULL)
			continue;
		v->table[i]->stored = NULL;
		v->table[i]->fresh = NULL;
	}
	return err;
}

static enum sg_err
verify_groups(
	struct verify *v, struct verify_group *groups, struct sg_fault *why)
{
	enum sg_err err = SG_OK;

	for (int32_t n = 0; n < v->npartitions && err == SG_OK; n++)
		err = open_group(v, n, &groups[n], why);
	if (err == SG_OK && program_store_opts(v->prog).layout == STORE_PLAIN)
		err = read_states(v, 0, why);
	else
		for (int32_t n = 0; n < v->npartitions && err == SG_OK; n++)
			err = read_states(v, n, why);
	for (int32_t n = 0; n < v->npartitions && err == SG_OK; n++)
		err = read_positions(v, &groups[n], why);
	for (int32_t n = 0; n < v->npartitions && err == SG_OK; n++) {
		err = read_accounts(&groups[n]);
		if (err == SG_OK)
			err = verify_inputs(&groups[n], why);
		if (err == SG_OK)
			err = verify_published(&groups[n], why);
		if (err == SG_OK)
			err = compare_accounts(&groups[n], why);
		accounts_clear(&groups[n].stored->accounts);
		accounts_clear(&groups[n].fresh->accounts);
	}
	if (err == SG_OK)
		err = verify_indexes(v, why);
	return err;
}

/* --- all of it ---------------------------------------------------------- */

static enum sg_err
verify_open(struct verify *v, struct sg_fault *why)
{
	struct store_opts opts = program_store_opts(v->prog);
	const char *topics[INPUTS_MAX];
	struct ingest_opts ingest = program_onlooker(v->prog, topics);
	enum sg_err err;

	v->differences =
		calloc(VERIFY_LIST_MAX, sizeof(struct verify_difference));
	if (v->differences == NULL)
		return SG_NOMEM;
	err = schemas_open(v->prog, &v->registry, why);
	if (err == SG_OK)
		err = toolbox_init(&v->box, v->prog);
	if (err == SG_OK)
		err = store_open_mem(&v->mirror);
	if (err == SG_OK)
		err = store_open_redis(&opts, &v->store, why);
	if (err == SG_OK)
		err = store_ping(v->store, why);
	if (err == SG_OK)
		err = ingest_check_topics(
			&ingest, TIMEOUT_MS, &v->npartitions, why);
	if (err == SG_OK)
		err = ingest_open_onlooker(&ingest, &v->ingest, why);
	return err;
}

/* The result, in the caller's arena. */
static enum sg_err
hand_out(struct verify *v, struct arena *arena, struct verification *ret)
{
	struct verify_difference *list =
		arena_array(arena, v->sum.n + 1, sizeof(*list));

	if (list == NULL)
		return SG_NOMEM;
	for (size_t i = 0; i < v->sum.n; i++) {
		struct verify_difference *d = &list[i];

		*d = v->differences[i];
		d->account = arena_copy(arena, d->account, strlen(d->account));
		d->name = arena_copy(arena, d->name, strlen(d->name));
		d->redis = arena_copy(arena, d->redis, strlen(d->redis));
		d->expected =
			arena_copy(arena, d->expected, strlen(d->expected));
		if (d->account == NULL || d->name == NULL || d->redis == NULL ||
			d->expected == NULL)
			return SG_NOMEM;
	}
	*ret = v->sum;
	ret->differences = list;
	if (v->prog->conf->opt.start == 1 && v->is_partial)
		ret->partial = "start: latest, so the inputs' beginning was "
			       "never read";
	else if (v->is_partial)
		ret->partial = "the inputs do not reach back to their start";
	return SG_OK;
}

static void
verify_close(struct verify *v, struct verify_group *groups)
{
	for (int32_t n = 0; groups != NULL && n < v->npartitions; n++)
		close_group(&groups[n]);
	free(groups);
	ingest_close(v->ingest, 0);
	store_close(v->store);
	store_close(v->mirror);
	if (v->box.prog != NULL)
		toolbox_fini(&v->box);
	schemas_close(v->prog, v->registry);
	free(v->table);
	free(v->differences);
	arena_fini(&v->page);
	arena_fini(&v->kept);
	free(v);
}

enum sg_err
pipeline_verify(const struct program *prog, const struct verify_opts *opts,
	struct arena *arena, struct verification *ret_verification,
	struct sg_fault *why)
{
	struct verify *v = calloc(1, sizeof(*v));
	struct verify_group *groups = NULL;
	enum sg_err err;

	if (v == NULL)
		return SG_NOMEM;
	v->prog = prog;
	v->opts = opts;
	arena_init(&v->page, PAGE_BYTES_MAX);
	arena_init(&v->kept, KEPT_BYTES_MAX);
	err = verify_open(v, why);
	if (err == SG_OK) {
		groups = calloc((size_t)v->npartitions, sizeof(*groups));
		err = groups == NULL ? SG_NOMEM : verify_groups(v, groups, why);
	}
	if (err == SG_OK)
		err = hand_out(v, arena, ret_verification);
	verify_close(v, groups);
	return err;
}
