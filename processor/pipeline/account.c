/*
 * account.c - the accounts of one partition group: hash table, timer heap,
 * dirty FIFO and LRU.
 *
 * One allocation an account holds the struct, its tables and its id; features
 * and membership are the stages' own. The heap is a plain binary heap with the
 * index kept in the account, so that moving a timer is O(log n) without a
 * search. FIFO and LRU share the link fields: an account is dirty or clean.
 */
#include "account.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "override.h"

#define BUCKETS_MIN 1024

/* version, updated_at, renewal.date, renewal.days_left, renewal.window,
 * renewal.priority, then a segment each */
#define VIEW_FIXED 6

size_t
account_nviews(const struct program *prog)
{
	return prog->nslots + VIEW_FIXED + prog->nsegmentations;
}

enum sg_err
accounts_init(struct accounts *accounts, const struct program *prog)
{
	memset(accounts, 0, sizeof(*accounts));
	accounts->prog = prog;
	accounts->buckets = calloc(BUCKETS_MIN, sizeof(struct account *));
	if (accounts->buckets == NULL)
		return SG_NOMEM;
	accounts->nbuckets = BUCKETS_MIN;
	return SG_OK;
}

void
accounts_fini(struct accounts *accounts)
{
	if (accounts->buckets == NULL)
		return;
	accounts_clear(accounts);
	free(accounts->buckets);
	free(accounts->heap);
	memset(accounts, 0, sizeof(*accounts));
}

struct account *
accounts_find(const struct accounts *accounts, const char *id, size_t len,
	uint64_t hash)
{
	struct account *acct =
		accounts->buckets[hash & (accounts->nbuckets - 1)];

	for (; acct != NULL; acct = acct->chain) {
		if (acct->hash == hash && acct->id_len == len &&
			memcmp(acct->id, id, len) == 0)
			return acct;
	}
	return NULL;
}

/* Twice the buckets; without memory the chains just get longer. */
static void
grow_table(struct accounts *accounts)
{
	size_t n = accounts->nbuckets * 2;
	struct account **buckets = calloc(n, sizeof(*buckets));

	if (buckets == NULL)
		return;
	for (size_t i = 0; i < accounts->nbuckets; i++) {
		struct account *acct = accounts->buckets[i];

		while (acct != NULL) {
			struct account *next = acct->chain;
			struct account **at = &buckets[acct->hash & (n - 1)];

			acct->chain = *at;
			*at = acct;
			acct = next;
		}
	}
	free(accounts->buckets);
	accounts->buckets = buckets;
	accounts->nbuckets = n;
}

static size_t
account_bytes(const struct program *prog, size_t id_len)
{
	size_t changed = (prog->nfeatures + 63) / 64;

	return sizeof(struct account) +
	       (2 * prog->ninputs + prog->nsegmentations + changed) * 8 +
	       account_nviews(prog) * 4 + prog->nsegmentations * 2 + id_len + 1;
}

/* Lay the tables out behind the struct, widest first. */
static void
place_tables(const struct program *prog, struct account *acct)
{
	uint8_t *at = (uint8_t *)(acct + 1);

	acct->applied = (int64_t *)(void *)at;
	at += prog->ninputs * 8;
	acct->dirty_pos = (int64_t *)(void *)at;
	at += prog->ninputs * 8;
	acct->until_ms = (int64_t *)(void *)at;
	at += prog->nsegmentations * 8;
	acct->changed = (uint64_t *)(void *)at;
	at += (prog->nfeatures + 63) / 64 * 8;
	acct->view_hash = (uint32_t *)(void *)at;
	at += account_nviews(prog) * 4;
	acct->seats_stored = (int16_t *)(void *)at;
	at += prog->nsegmentations * 2;
	acct->id = (char *)at;
}

static size_t
whole_bytes(const struct program *prog, const struct account *acct)
{
	size_t bytes = account_bytes(prog, acct->id_len) +
		       membership_size(prog->nsegmentations);

	if (acct->features != NULL)
		bytes += features_size(acct->features);
	return bytes;
}

struct account *
accounts_add(
	struct accounts *accounts, const char *id, size_t len, uint64_t hash)
{
	const struct program *prog = accounts->prog;
	struct account *acct = calloc(1, account_bytes(prog, len));
	struct account **bucket;

	if (acct == NULL)
		return NULL;
	place_tables(prog, acct);
	memcpy(acct->id, id, len);
	acct->id_len = (uint32_t)len;
	acct->hash = hash;
	acct->heap_at = HEAP_NONE;
	acct->due_ms = AT_NEVER;
	acct->stored_due_ms = DUE_UNKNOWN;
	acct->stored_score = NAN;
	if (features_create(prog->features, &acct->features) != SG_OK ||
		membership_create(prog->nsegmentations, &acct->ms) != SG_OK) {
		features_destroy(acct->features);
		free(acct);
		return NULL;
	}
	for (size_t i = 0; i < prog->nsegmentations; i++) {
		acct->seats_stored[i] = SEAT_NONE;
		acct->until_ms[i] = INT64_MIN;
	}
	if (accounts->n >= accounts->nbuckets)
		grow_table(accounts);
	bucket = &accounts->buckets[hash & (accounts->nbuckets - 1)];
	acct->chain = *bucket;
	*bucket = acct;
	accounts->n++;
	accounts->bytes += whole_bytes(prog, acct);
	/* Clean and new: last to leave. */
	acct->prev = accounts->lru_tail;
	if (accounts->lru_tail != NULL)
		accounts->lru_tail->next = acct;
	else
		accounts->lru_head = acct;
	accounts->lru_tail = acct;
	return acct;
}

static void
unlink_from(struct account **head, struct account **tail, struct account *acct)
{
	if (acct->prev != NULL)
		acct->prev->next = acct->next;
	else
		*head = acct->next;
	if (acct->next != NULL)
		acct->next->prev = acct->prev;
	else
		*tail = acct->prev;
	acct->prev = NULL;
	acct->next = NULL;
}

static void
append_to(struct account **head, struct account **tail, struct account *acct)
{
	acct->prev = *tail;
	acct->next = NULL;
	if (*tail != NULL)
		(*tail)->next = acct;
	else
		*head = acct;
	*tail = acct;
}

static void
account_free(struct account *acct)
{
	features_destroy(acct->features);
	membership_destroy(acct->ms);
	overrides_destroy(acct->overrides);
	free(acct);
}

void
accounts_remove(struct accounts *accounts, struct account *acct)
{
	struct account **at =
		&accounts->buckets[acct->hash & (accounts->nbuckets - 1)];

	while (*at != acct)
		at = &(*at)->chain;
	*at = acct->chain;
	/* Disarming never allocates. */
	if (accounts_arm(accounts, acct, AT_NEVER) != SG_OK)
		assert(false);
	if (acct->is_dirty) {
		unlink_from(&accounts->dirty_head, &accounts->dirty_tail, acct);
		accounts->ndirty--;
	} else {
		unlink_from(&accounts->lru_head, &accounts->lru_tail, acct);
	}
	accounts->n--;
	accounts->bytes -= whole_bytes(accounts->prog, acct);
	account_free(acct);
}

void
accounts_clear(struct accounts *accounts)
{
	for (size_t i = 0; i < accounts->nbuckets; i++) {
		struct account *acct = accounts->buckets[i];

		while (acct != NULL) {
			struct account *next = acct->chain;

			account_free(acct);
			acct = next;
		}
		accounts->buckets[i] = NULL;
	}
	accounts->n = 0;
	accounts->bytes = 0;
	accounts->nheap = 0;
	accounts->ndirty = 0;
	accounts->dirty_head = NULL;
	accounts->dirty_tail = NULL;
	accounts->lru_head = NULL;
	accounts->lru_tail = NULL;
}

void
accounts_resized(struct accounts *accounts, size_t before, size_t after)
{
	accounts->bytes += after;
	accounts->bytes -= before;
}

/* --- heap --------------------------------------------------------------- */

/* Order: soonest first; equal instants by hash, so that the order in which
 * timers fire does not depend on the history of the heap. */
static bool
is_before(const struct account *a, const struct account *b)
{
	if (a->due_ms != b->due_ms)
		return a->due_ms < b->due_ms;
	return a->hash < b->hash;
}

static void
heap_set(struct accounts *accounts, size_t at, struct account *acct)
{
	accounts->heap[at] = acct;
	acct->heap_at = (uint32_t)at;
}

static void
heap_up(struct accounts *accounts, size_t at)
{
	struct account *acct = accounts->heap[at];

	while (at > 0) {
		size_t parent = (at - 1) / 2;

		if (!is_before(acct, accounts->heap[parent]))
			break;
		heap_set(accounts, at, accounts->heap[parent]);
		at = parent;
	}
	heap_set(accounts, at, acct);
}

static void
heap_down(struct accounts *accounts, size_t at)
{
	struct account *acct = accounts->heap[at];

	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= accounts->nheap)
			break;
		if (child + 1 < accounts->nheap &&
			is_before(accounts->heap[child + 1],
				accounts->heap[child]))
			child++;
		if (!is_before(accounts->heap[child], acct))
			break;
		heap_set(accounts, at, accounts->heap[child]);
		at = child;
	}
	heap_set(accounts, at, acct);
}

static void
heap_remove(struct accounts *accounts, struct account *acct)
{
	size_t at = acct->heap_at;
	struct account *last = accounts->heap[--accounts->nheap];

	acct->heap_at = HEAP_NONE;
	if (last == acct)
		return;
	heap_set(accounts, at, last);
	heap_up(accounts, at);
	heap_down(accounts, last->heap_at);
}

enum sg_err
accounts_arm(struct accounts *accounts, struct account *acct, int64_t due_ms)
{
	if (due_ms == AT_NEVER) {
		acct->due_ms = AT_NEVER;
		if (acct->heap_at != HEAP_NONE)
			heap_remove(accounts, acct);
		return SG_OK;
	}
	if (acct->heap_at == HEAP_NONE) {
		if (accounts->nheap == accounts->heap_cap) {
			size_t cap = accounts->heap_cap * 2 + 256;
			struct account **heap =
				realloc(accounts->heap, cap * sizeof(*heap));

			if (heap == NULL)
				return SG_NOMEM;
			accounts->heap = heap;
			accounts->heap_cap = cap;
		}
		heap_set(accounts, accounts->nheap++, acct);
	}
	acct->due_ms = due_ms;
	heap_up(accounts, acct->heap_at);
	heap_down(accounts, acct->heap_at);
	return SG_OK;
}

struct account *
accounts_first_due(const struct accounts *accounts)
{
	return accounts->nheap == 0 ? NULL : accounts->heap[0];
}

/* --- dirty and clean ---------------------------------------------------- */

void
accounts_mark_dirty(struct accounts *accounts, struct account *acct,
	const int64_t *pos, int64_t out, int64_t clock_ms, int64_t mono_ms)
{
	if (acct->is_dirty)
		return;
	unlink_from(&accounts->lru_head, &accounts->lru_tail, acct);
	append_to(&accounts->dirty_head, &accounts->dirty_tail, acct);
	acct->is_dirty = true;
	acct->dirty_mono_ms = mono_ms;
	acct->dirty_out = out;
	acct->dirty_clock_ms = clock_ms;
	memcpy(acct->dirty_pos, pos,
		accounts->prog->ninputs * sizeof(*acct->dirty_pos));
	accounts->ndirty++;
}

void
accounts_mark_clean(struct accounts *accounts, struct account *acct)
{
	if (!acct->is_dirty)
		return;
	unlink_from(&accounts->dirty_head, &accounts->dirty_tail, acct);
	append_to(&accounts->lru_head, &accounts->lru_tail, acct);
	acct->is_dirty = false;
	accounts->ndirty--;
}

void
accounts_use(struct accounts *accounts, struct account *acct)
{
	if (acct->is_dirty || accounts->lru_tail == acct)
		return;
	unlink_from(&accounts->lru_head, &accounts->lru_tail, acct);
	append_to(&accounts->lru_head, &accounts->lru_tail, acct);
}
