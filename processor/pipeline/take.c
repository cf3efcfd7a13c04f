/*
 * take.c - a batch of records under the wall clock: decode, load, fold.
 *
 * Three passes over the batch: decode every record and find its account;
 * fetch what is not cached, one round trip a group; fold in order. The
 * group's fold position moves record by record in the last pass, so that an
 * account that becomes dirty notes the position from before its event.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "segmentd/clock.h"
#include "segmentd/fault.h"
#include "segmentd/log.h"
#include "worker.h"

#define REJECT_DETAIL_MAX 512
#define DUE_PAGE_MAX 1000000
#define OWED_PAGE_MAX 10000
#define LOAD_MAX 4096

struct group *
worker_group(const struct worker *w, int32_t number)
{
	for (size_t i = 0; i < w->ngroups; i++) {
		if (w->groups[i]->number == number)
			return w->groups[i];
	}
	return NULL;
}

/* A copy in the transaction's arena: the batch may be gone by then. */
static enum sg_err
copy_record(struct arena *arena, const struct record *rec, struct record *dest)
{
	struct record_header *headers;

	*dest = *rec;
	if (rec->key != NULL) {
		dest->key = arena_copy(arena, rec->key, rec->key_len);
		if (dest->key == NULL)
			return SG_NOMEM;
	}
	if (rec->value != NULL) {
		dest->value = arena_copy(arena, rec->value, rec->value_len);
		if (dest->value == NULL)
			return SG_NOMEM;
	}
	headers = arena_array(arena, rec->nheaders + 1, sizeof(*headers));
	if (headers == NULL)
		return SG_NOMEM;
	for (size_t i = 0; i < rec->nheaders; i++) {
		const struct record_header *h = &rec->headers[i];

		headers[i] = *h;
		headers[i].name = arena_copy(arena, h->name, strlen(h->name));
		if (h->value != NULL)
			headers[i].value = arena_copy(arena, h->value, h->len);
		if (headers[i].name == NULL ||
			(h->value != NULL && headers[i].value == NULL))
			return SG_NOMEM;
	}
	dest->headers = headers;
	return SG_OK;
}

enum sg_err
take_reject(struct worker *w, const struct record *rec, enum sg_err reason,
	const struct sg_fault *why)
{
	const char *detail =
		why->text[0] == '\0' ? sg_err_text(reason) : why->text;
	char schema[DECODE_SCHEMA_NAME_MAX];
	struct reject *reject;
	enum sg_err err;

	metric_add(w->metrics.rejected[rec->input][reason], 1);
	if (w->nrejects == w->rejects_cap) {
		size_t cap = w->rejects_cap * 2 + 64;
		struct reject *more = realloc(w->rejects, cap * sizeof(*more));

		if (more == NULL)
			return SG_NOMEM;
		w->rejects = more;
		w->rejects_cap = cap;
	}
	reject = &w->rejects[w->nrejects];
	err = copy_record(&w->box.txn, rec, &reject->rec);
	if (err != SG_OK)
		return err;
	reject->reason = reason;
	reject->detail = arena_copy(
		&w->box.txn, detail, strnlen(detail, REJECT_DETAIL_MAX));
	if (reject->detail == NULL)
		return SG_NOMEM;
	reject->schema = NULL;
	if (decode_record_schema(w->box.readers[rec->input], rec, schema)) {
		reject->schema =
			arena_copy(&w->box.txn, schema, strlen(schema));
		if (reject->schema == NULL)
			return SG_NOMEM;
	}
	w->nrejects++;
	w->reject_bytes += rec->value_len + rec->key_len;
	return SG_OK;
}

/* --- loading ------------------------------------------------------------ */

static enum sg_err
account_fill(struct worker *w, struct group *group, struct account *acct,
	const struct store_blob *blob, struct sg_fault *why)
{
	size_t before = features_size(acct->features);
	enum sg_err err;

	acct->is_loaded = true;
	if (blob->bytes == NULL)
		return SG_OK;
	err = snapshot_read(w->prog, group->layouts, group->nlayouts,
		blob->bytes, blob->len, acct, why);
	accounts_resized(
		&group->accounts, before, features_size(acct->features));
	if (err != SG_OK)
		return err;
	/* State and views are written together: where the state says it is,
	 * the members' sets say so too. */
	for (size_t i = 0; i < w->prog->nsegmentations; i++)
		acct->seats_stored[i] = acct->ms->seats[i].segment;
	acct->is_stored = !acct->is_gone;
	/* Before it is written again, it has to leave them. */
	return former_find(acct->ms, NULL) == NULL ? SG_OK
						   : group_touch(group, acct);
}

static enum sg_err
load_some(struct worker *w, struct group *group, struct account **accounts,
	size_t n, struct arena *arena, struct sg_fault *why)
{
	const char **ids = arena_array(arena, n, sizeof(*ids));
	struct store_blob *blobs = arena_array(arena, n, sizeof(*blobs));
	struct store_retry retry = {0};
	enum sg_err err;

	if (ids == NULL || blobs == NULL)
		return SG_NOMEM;
	for (size_t i = 0; i < n; i++)
		ids[i] = accounts[i]->id;
	do {
		err = store_group_load(group->store, ids, n, arena, blobs, why);
	} while (worker_store_again(w, err, &retry, why));
	if (err != SG_OK)
		return err;
	worker_store_is_back(w, &retry);
	metric_add(w->metrics.misses, n);
	for (size_t i = 0; i < n && err == SG_OK; i++)
		err = account_fill(w, group, accounts[i], &blobs[i], why);
	return err;
}

enum sg_err
take_fresh(struct worker *w, struct group *group, struct sg_fault *why)
{
	struct arena arena;
	enum sg_err err = SG_OK;

	if (group->nfresh == 0)
		return SG_OK;
	arena_init(&arena, (size_t)1 << 30);
	for (size_t at = 0; at < group->nfresh && err == SG_OK;
		at += LOAD_MAX) {
		size_t left = group->nfresh - at;

		err = load_some(w, group, group->fresh + at,
			left < LOAD_MAX ? left : LOAD_MAX, &arena, why);
		arena_reset(&arena);
	}
	arena_fini(&arena);
	if (err == SG_OK)
		group->nfresh = 0;
	return err;
}

/* An account that was written while its group caught up. When it is evaluated,
 * its entry in the index is replaced; until then it is not to be lost. */
static enum sg_err
owe(struct group *group, struct account *acct)
{
	/* It was, and that is about to be written. */
	if (acct->is_due_fired)
		return SG_OK;
	acct->stored_due_ms = DUE_OWED;
	acct->is_due_fired = true;
	acct->is_ripe = true;
	group_mark_dirty(group, acct, clock_mono_us() / 1000);
	return group_touch(group, acct);
}

/* An account whose timer is in the store's index: into the cache, armed as the
 * index says until it is evaluated. */
static enum sg_err
arm_due(struct group *group, const struct store_due *due)
{
	struct account *acct = group_account_of(group, due->account);

	if (acct == NULL)
		return SG_NOMEM;
	if (due->due_ms == DUE_OWED)
		return owe(group, acct);
	if (acct->stored_due_ms == DUE_UNKNOWN)
		acct->stored_due_ms = due->due_ms;
	/* One that came with an event not yet folded, or with a repeat, is in
	 * the cache and not armed. */
	if (acct->heap_at != HEAP_NONE)
		return SG_OK;
	return accounts_arm(&group->accounts, acct, due->due_ms);
}

static enum sg_err
list_due(struct worker *w, struct group *group, int64_t before_ms, size_t max,
	struct sg_fault *why)
{
	int64_t upto_ms = before_ms;
	struct store_retry retry = {0};
	enum sg_err err;

	arena_reset(&group->due_arena);
	group->ndue = 0;
	group->due_at = 0;
	do {
		err = store_group_due(group->store, before_ms, max,
			&group->due_arena, &group->due, &group->ndue, why);
	} while (worker_store_again(w, err, &retry, why));
	if (err != SG_OK) {
		group->ndue = 0;
		return err;
	}
	if (group->ndue == max)
		upto_ms = group->due[group->ndue - 1].due_ms;
	/* What an earlier list had loaded is still in the cache. */
	if (upto_ms > group->due_listed_ms)
		group->due_listed_ms = upto_ms;
	return SG_OK;
}

enum sg_err
take_due(struct worker *w, struct group *group, int64_t before_ms, size_t max,
	struct sg_fault *why)
{
	int64_t upto_ms;
	enum sg_err err = SG_OK;

	assert(max > 0);
	if (!group_has_due(group) && before_ms <= group->due_loaded_ms)
		return SG_OK;
	/* What is owed may be every account: by itself, and in small pages. */
	if (!group_has_due(group) && group->due_listed_ms <= DUE_OWED)
		err = list_due(w, group, DUE_OWED + 1, OWED_PAGE_MAX, why);
	if (err == SG_OK && !group_has_due(group) &&
		group->due_listed_ms > DUE_OWED)
		err = list_due(w, group, before_ms, DUE_PAGE_MAX, why);
	while (err == SG_OK && group_has_due(group) && group->nfresh < max)
		err = arm_due(group, &group->due[group->due_at++]);
	if (err == SG_OK)
		err = take_fresh(w, group, why);
	if (err != SG_OK)
		return err;
	upto_ms = group_has_due(group) ? group->due[group->due_at].due_ms
				       : group->due_listed_ms;
	if (upto_ms > group->due_loaded_ms)
		group->due_loaded_ms = upto_ms;
	return SG_OK;
}

/* --- the batch ---------------------------------------------------------- */

static enum sg_err
make_room(struct worker *w, size_t n)
{
	size_t cap = n + 256;

	if (n <= w->batch_cap)
		return SG_OK;
	free(w->events);
	free(w->accounts);
	w->batch_cap = 0;
	w->events = calloc(cap, sizeof(*w->events));
	w->accounts = calloc(cap, sizeof(struct account *));
	if (w->events == NULL || w->accounts == NULL)
		return SG_NOMEM;
	w->batch_cap = cap;
	return SG_OK;
}

/* Pass 1: events and their accounts. A record below G that cannot be read was
 * rejected before. */
static enum sg_err
read_all(struct worker *w, const struct ingest_batch *batch)
{
	for (size_t i = 0; i < batch->nrecords; i++) {
		const struct record *rec = &batch->records[i];
		struct group *group = worker_group(w, rec->partition);
		struct sg_fault why = {.err = SG_OK};
		enum sg_err err;

		w->accounts[i] = NULL;
		metric_add(w->metrics.consumed[rec->input], 1);
		metric_add(
			w->metrics.consumed_bytes[rec->input], rec->value_len);
		if (group == NULL || rec->offset < group->fold[rec->input] ||
			hold_has(group, rec->input, rec->offset))
			continue;
		err = group_read(&w->box, rec, &w->events[i], &why);
		if (err == SG_REGISTRY_DOWN) {
			hold_from(w, group, rec, &why);
			continue;
		}
		if (err == SG_OK) {
			w->accounts[i] = group_account(group, &w->events[i].ev);
			if (w->accounts[i] == NULL)
				return SG_NOMEM;
			continue;
		}
		if (sg_err_class(err) != SG_CLASS_SKIP)
			return err;
		if (rec->offset >= group->committed[rec->input]) {
			err = take_reject(w, rec, err, &why);
			if (err != SG_OK)
				return err;
		}
	}
	return SG_OK;
}

/* Pass 3. */
static enum sg_err
fold_all(struct worker *w, const struct ingest_batch *batch, int64_t now_ms,
	int64_t mono_ms)
{
	for (size_t i = 0; i < batch->nrecords; i++) {
		const struct record *rec = &batch->records[i];
		struct group *group = worker_group(w, rec->partition);
		enum sg_err err;

		if (group == NULL || rec->offset < group->fold[rec->input] ||
			hold_has(group, rec->input, rec->offset))
			continue;
		if (w->accounts[i] != NULL) {
			err = group_fold(group, w->accounts[i], &w->events[i],
				now_ms, mono_ms);
			if (err != SG_OK)
				return err;
		}
		group->fold[rec->input] = rec->offset + 1;
		group->is_w_moved = true;
		w->events_since_commit++;
		truth_note(group, rec,
			w->accounts[i] == NULL ? NULL : &w->events[i].ev);
	}
	return SG_OK;
}

bool
take_is_at_g(const struct worker *w, const struct group *group)
{
	for (size_t i = 0; i < w->prog->ninputs; i++) {
		if (group->fold[i] < group->committed[i])
			return false;
	}
	return true;
}

void
take_check_caught_up(struct worker *w)
{
	bool is_any = false;

	for (size_t g = 0; g < w->ngroups; g++) {
		if (!w->groups[g]->is_catching_up)
			continue;
		if (take_is_at_g(w, w->groups[g]))
			is_any = true;
		else if (!w->is_event_clock || !merge_has_ended(w->merges[g]))
			return;
	}
	for (size_t g = 0; g < w->ngroups && is_any; g++) {
		struct group *group = w->groups[g];

		if (!group->is_catching_up || !take_is_at_g(w, group))
			continue;
		group->is_catching_up = false;
		if (group->clock_ms < group->committed_clock_ms)
			group->clock_ms = group->committed_clock_ms;
		SG_LOG(LOG_INFO, "caught_up", LOG_INT("worker", w->number),
			LOG_INT("partition", group->number),
			LOG_INT("touched", group->ntouched));
	}
	if (is_any)
		FAULT_POINT(T6);
}

/* An end moves the fold position over markers that are no records. */
static void
apply_ends(struct worker *w, const struct ingest_batch *batch)
{
	for (size_t i = 0; i < batch->nends; i++) {
		const struct ingest_end *end = &batch->ends[i];
		struct group *group = worker_group(w, end->partition);

		if (group != NULL && group->fold[end->input] < end->offset &&
			!hold_has(group, end->input, end->offset)) {
			group->fold[end->input] = end->offset;
			group->is_w_moved = true;
		}
	}
}

bool
take_has_room(const struct worker *w, const struct group *group)
{
	size_t share = (size_t)w->prog->conf->opt.cache_size_bytes /
		       w->engine->nworkers / (w->ngroups == 0 ? 1 : w->ngroups);

	return group->accounts.bytes <= share;
}

void
take_evict(struct worker *w, struct group *group)
{
	struct account *acct = group->accounts.lru_head;

	while (acct != NULL && !take_has_room(w, group)) {
		struct account *next = acct->next;

		/* Timers before due_listed_ms live in the cache only, once
		 * the list has come to them. */
		if (!acct->is_touched && acct->due_ms > group->due_listed_ms)
			accounts_remove(&group->accounts, acct);
		acct = next;
	}
}

enum sg_err
take_batch(struct worker *w, const struct ingest_batch *batch,
	struct sg_fault *why)
{
	int64_t mono_ms = clock_mono_us() / 1000;
	enum sg_err err = make_room(w, batch->nrecords);

	if (err == SG_OK)
		err = read_all(w, batch);
	for (size_t g = 0; g < w->ngroups && err == SG_OK; g++)
		err = take_fresh(w, w->groups[g], why);
	if (err == SG_OK)
		err = fold_all(w, batch, clock_now_ms(), mono_ms);
	if (err == SG_OK)
		apply_ends(w, batch);
	if (err == SG_OK)
		take_check_caught_up(w);
	return err;
}
