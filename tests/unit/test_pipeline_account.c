/*
 * The cache of accounts against a plain list: after every one of many random
 * operations, the heap, the FIFO, the LRU, the table and the byte count say
 * what the list says.
 */
#include "test_pipeline_support.h"

#include "../../processor/pipeline/account.h"
#include "segmentd/hash.h"

#define NMAX 600

static const char config[] =
	"topics: {overrides: \"\"}\n"
	"inputs:\n"
	"  a: {topic: a, time: at, features: {n: {last: n}, s: {last: s}}}\n"
	"  b: {topic: b, time: at, features: {n: {count: 3d}}}\n"
	"segmentations: {t: {enter: a.n > 0}, u: {enter: b.n > 0}}\n";

struct entry {
	struct account *acct;
	int64_t due_ms;	    /* AT_NEVER: not armed */
	uint64_t dirty_seq; /* 0: clean */
	uint64_t used_seq;  /* of the last use while clean */
	int64_t pos[2];	    /* noted when it became dirty */
};

struct model {
	struct accounts accounts;
	struct entry entries[NMAX];
	size_t n;
	uint64_t seq;
	uint64_t made; /* accounts so far, for their names */
};

/* --- what must hold ----------------------------------------------------- */

static struct entry *
entry_of(struct model *m, const struct account *acct)
{
	for (size_t i = 0; i < m->n; i++) {
		if (m->entries[i].acct == acct)
			return &m->entries[i];
	}
	fail_msg("an account that was removed");
	return NULL;
}

static void
check_heap(struct model *m)
{
	const struct accounts *a = &m->accounts;
	size_t armed = 0;
	int64_t first = AT_NEVER;

	for (size_t i = 0; i < m->n; i++) {
		const struct entry *e = &m->entries[i];

		assert_int_equal(e->acct->due_ms, e->due_ms);
		if (e->due_ms == AT_NEVER) {
			assert_int_equal(e->acct->heap_at, HEAP_NONE);
			continue;
		}
		armed++;
		first = e->due_ms < first ? e->due_ms : first;
		assert_true(e->acct->heap_at < a->nheap);
		assert_ptr_equal(a->heap[e->acct->heap_at], e->acct);
	}
	assert_int_equal(a->nheap, armed);
	for (size_t i = 1; i < a->nheap; i++)
		assert_true(a->heap[(i - 1) / 2]->due_ms <= a->heap[i]->due_ms);
	if (armed == 0)
		assert_null(accounts_first_due(a));
	else
		assert_int_equal(accounts_first_due(a)->due_ms, first);
}

static void
check_list(struct model *m, struct account *head, struct account *tail,
	bool is_dirty, size_t *ret_n)
{
	struct account *prev = NULL;
	uint64_t last_seq = 0;

	*ret_n = 0;
	for (struct account *acct = head; acct != NULL; acct = acct->next) {
		const struct entry *e = entry_of(m, acct);
		uint64_t seq = is_dirty ? e->dirty_seq : e->used_seq;

		assert_ptr_equal(acct->prev, prev);
		assert_int_equal(acct->is_dirty, is_dirty);
		assert_int_equal(e->dirty_seq != 0, is_dirty);
		assert_true(seq > last_seq);
		if (is_dirty)
			assert_memory_equal(
				acct->dirty_pos, e->pos, sizeof(e->pos));
		last_seq = seq;
		prev = acct;
		(*ret_n)++;
	}
	assert_ptr_equal(tail, prev);
}

static size_t
bytes_of(const struct accounts *a, const struct account *acct)
{
	const struct program *prog = a->prog;

	return sizeof(*acct) +
	       (2 * prog->ninputs + prog->nsegmentations +
		       (prog->nfeatures + 63) / 64) *
		       8 +
	       account_nviews(prog) * 4 + prog->nsegmentations * 2 +
	       acct->id_len + 1 + membership_size(prog->nsegmentations) +
	       features_size(acct->features);
}

static void
check_all(struct model *m)
{
	const struct accounts *a = &m->accounts;
	size_t ndirty, nclean, bytes = 0;

	check_heap(m);
	check_list(m, a->dirty_head, a->dirty_tail, true, &ndirty);
	check_list(m, a->lru_head, a->lru_tail, false, &nclean);
	assert_int_equal(a->ndirty, ndirty);
	assert_int_equal(ndirty + nclean, m->n);
	assert_int_equal(a->n, m->n);
	for (size_t i = 0; i < m->n; i++) {
		const struct account *acct = m->entries[i].acct;

		bytes += bytes_of(a, acct);
		assert_ptr_equal(
			accounts_find(a, acct->id, acct->id_len, acct->hash),
			acct);
	}
	assert_int_equal(a->bytes, bytes);
}

/* --- operations --------------------------------------------------------- */

static void
add_one(struct model *m)
{
	struct entry *e = &m->entries[m->n];
	char id[32];
	uint64_t hash;

	if (m->n == NMAX)
		return;
	(void)snprintf(
		id, sizeof(id), "account-%llu", (unsigned long long)m->made++);
	/* Few hashes, so that buckets and ties of the heap are shared. */
	hash = hash_bytes(id, strlen(id)) % 64;
	assert_null(accounts_find(&m->accounts, id, strlen(id), hash));
	*e = (struct entry){.due_ms = AT_NEVER, .used_seq = ++m->seq};
	e->acct = accounts_add(&m->accounts, id, strlen(id), hash);
	assert_non_null(e->acct);
	assert_string_equal(e->acct->id, id);
	assert_false(e->acct->is_loaded);
	m->n++;
}

static void
remove_one(struct model *m, size_t i)
{
	accounts_remove(&m->accounts, m->entries[i].acct);
	m->entries[i] = m->entries[--m->n];
}

static void
touch_one(struct model *m, struct entry *e, int what, struct random *rnd)
{
	int64_t pos[2] = {random_below(rnd, 1000), random_below(rnd, 1000)};

	switch (what) {
	case 0:
		e->due_ms = random_below(rnd, 40);
		assert_int_equal(
			accounts_arm(&m->accounts, e->acct, e->due_ms), SG_OK);
		break;
	case 1:
		e->due_ms = AT_NEVER;
		assert_int_equal(
			accounts_arm(&m->accounts, e->acct, AT_NEVER), SG_OK);
		break;
	case 2:
		accounts_mark_dirty(&m->accounts, e->acct, pos, 5, 6, 7);
		if (e->dirty_seq == 0) {
			e->dirty_seq = ++m->seq;
			memcpy(e->pos, pos, sizeof(pos));
		}
		break;
	case 3:
		accounts_mark_clean(&m->accounts, e->acct);
		if (e->dirty_seq != 0)
			e->used_seq = ++m->seq;
		e->dirty_seq = 0;
		break;
	default:
		accounts_use(&m->accounts, e->acct);
		if (e->dirty_seq == 0)
			e->used_seq = ++m->seq;
		break;
	}
}

static void
the_cache_agrees_with_a_plain_list(void **state)
{
	struct model *m = calloc(1, sizeof(*m));
	struct random rnd = {11};
	struct made made;

	(void)state;
	assert_non_null(m);
	must_make(config, &made);
	assert_int_equal(accounts_init(&m->accounts, made.program), SG_OK);
	for (int i = 0; i < 6000; i++) {
		int64_t dice = random_below(&rnd, 20);

		/* Grow at first, shrink at the end. */
		if (m->n == 0 || dice < (i < 3000 ? 4 : 1)) {
			add_one(m);
		} else {
			size_t at = (size_t)random_below(&rnd, (int64_t)m->n);

			if (dice < (i < 3000 ? 5 : 4))
				remove_one(m, at);
			else
				touch_one(m, &m->entries[at], (int)dice % 5,
					&rnd);
		}
		if (i % 7 == 0)
			check_all(m);
	}
	accounts_clear(&m->accounts);
	m->n = 0;
	check_all(m);
	add_one(m);
	check_all(m);
	accounts_fini(&m->accounts);
	unmake_program(&made);
	free(m);
}

/* The order in which timers fire depends on the timers alone. */
static void
timers_fire_in_the_same_order_whatever_came_before(void **state)
{
	struct made made;
	uint64_t first[200];

	(void)state;
	must_make(config, &made);
	for (uint64_t round = 0; round < 5; round++) {
		struct random rnd = {round};
		struct accounts accounts;

		assert_int_equal(accounts_init(&accounts, made.program), SG_OK);
		for (uint64_t i = 0; i < 200; i++) {
			/* Another order of adding, and a detour. */
			uint64_t number = (i * 7 + round * 13) % 200;
			char id[16];
			struct account *acct;

			(void)snprintf(id, sizeof(id), "%llu",
				(unsigned long long)number);
			acct = accounts_add(&accounts, id, strlen(id),
				hash_bytes(id, strlen(id)));
			assert_non_null(acct);
			assert_int_equal(accounts_arm(&accounts, acct,
						 random_below(&rnd, 1000)),
				SG_OK);
			assert_int_equal(accounts_arm(&accounts, acct,
						 (int64_t)number % 10),
				SG_OK);
		}
		for (size_t i = 0; i < 200; i++) {
			struct account *acct = accounts_first_due(&accounts);

			if (round == 0)
				first[i] = acct->hash;
			assert_int_equal(acct->hash, first[i]);
			assert_int_equal(
				accounts_arm(&accounts, acct, AT_NEVER), SG_OK);
		}
		assert_null(accounts_first_due(&accounts));
		accounts_fini(&accounts);
	}
	unmake_program(&made);
}

static void
ids_are_told_apart_by_every_byte(void **state)
{
	struct accounts accounts;
	struct account *a, *b;
	struct made made;

	(void)state;
	must_make(config, &made);
	assert_int_equal(accounts_init(&accounts, made.program), SG_OK);
	a = accounts_add(&accounts, "ab", 2, 1);
	b = accounts_add(&accounts, "abc", 3, 1);
	assert_ptr_equal(accounts_find(&accounts, "ab", 2, 1), a);
	assert_ptr_equal(accounts_find(&accounts, "abc", 3, 1), b);
	assert_null(accounts_find(&accounts, "abd", 3, 1));
	assert_null(accounts_find(&accounts, "ab", 2, 2));
	assert_null(accounts_find(&accounts, "a", 1, 1));
	accounts_remove(&accounts, a);
	assert_null(accounts_find(&accounts, "ab", 2, 1));
	assert_ptr_equal(accounts_find(&accounts, "abc", 3, 1), b);
	accounts_fini(&accounts);
	unmake_program(&made);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_cache_agrees_with_a_plain_list),
		cmocka_unit_test(
			timers_fire_in_the_same_order_whatever_came_before),
		cmocka_unit_test(ids_are_told_apart_by_every_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
