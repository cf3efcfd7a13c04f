/*
 * What store.h promises, on both stores: each test runs on the memory store and
 * on a real redis-server, from one table.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../support/redis_server.c"
#include "segmentd/store.h"

struct world {
	struct redis_server *server; /* NULL: the memory store */
	struct store *store;
	struct store_group *group; /* of group 3, reigning */
	struct arena arena;
	struct sg_fault why;
};

static struct redis_server server;

static int
world_open(
	void **state, struct redis_server *of_server, enum store_layout layout)
{
	struct world *world = calloc(1, sizeof(*world));
	struct store_opts opts = {.url = server.url,
		.prefix = "segd",
		.layout = layout,
		.connect_timeout_ms = 2000,
		.command_timeout_ms = 5000};
	struct store_meta meta;

	if (world == NULL)
		return -1;
	*state = world;
	world->server = of_server;
	arena_init(&world->arena, (size_t)64 << 20);
	if (of_server != NULL) {
		(void)REDIS_ASK(of_server, "FLUSHALL");
		assert_int_equal(
			store_open_redis(&opts, &world->store, &world->why),
			SG_OK);
	} else {
		assert_int_equal(store_open_mem(&world->store), SG_OK);
	}
	assert_int_equal(store_ping(world->store, &world->why), SG_OK);
	assert_int_equal(
		store_group_open(world->store, 3, &world->group, &world->why),
		SG_OK);
	assert_int_equal(store_group_takeover(world->group, &world->arena,
				 &meta, &world->why),
		SG_OK);
	assert_false(meta.is_present);
	return 0;
}

static int
open_mem(void **state)
{
	return world_open(state, NULL, STORE_PLAIN);
}

static int
open_redis(void **state)
{
	return world_open(state, &server, STORE_PLAIN);
}

static int
open_partitioned(void **state)
{
	return world_open(state, &server, STORE_PARTITIONED);
}

static int
world_close(void **state)
{
	struct world *world = *state;

	store_group_close(world->group);
	store_close(world->store);
	arena_fini(&world->arena);
	free(world);
	return 0;
}

/* --- words -----------------------------------------------------------------
 */

static void
commit(struct world *world, const char *w)
{
	enum sg_err err = store_group_commit(
		world->group, "lin-1", w, "out-1", &world->why);

	if (err != SG_OK)
		fail_msg("commit: %s: %s", sg_err_name(err), world->why.text);
}

/* The state of one account as text, "" when it is not there. */
static const char *
state_of(struct world *world, struct store_group *group, const char *account)
{
	struct store_blob blob;

	assert_int_equal(store_group_load(group, &account, 1, &world->arena,
				 &blob, &world->why),
		SG_OK);
	return blob.bytes == NULL ? "" : blob.bytes;
}

static size_t
due_before(struct world *world, int64_t ms, size_t max, struct store_due **due)
{
	size_t n;

	assert_int_equal(store_group_due(world->group, ms, max, &world->arena,
				 due, &n, &world->why),
		SG_OK);
	return n;
}

static void
assert_due(struct world *world, int64_t before_ms, const char *want)
{
	struct store_due *due;
	size_t n = due_before(world, before_ms, 10, &due);
	char text[256] = "";

	for (size_t i = 0; i < n; i++) {
		size_t used = strlen(text);

		(void)snprintf(text + used, sizeof(text) - used, "%s%s=%lld",
			i > 0 ? " " : "", due[i].account,
			(long long)due[i].due_ms);
	}
	assert_string_equal(text, want);
}

static void
assert_view(struct world *world, const char *account, const char *want)
{
	struct store_field *fields;
	char text[256] = "";
	size_t n;

	assert_int_equal(store_view(world->store, 3, account, &world->arena,
				 &fields, &n, &world->why),
		SG_OK);
	for (size_t i = 0; i < n; i++) {
		size_t used = strlen(text);

		assert_int_equal(fields[i].len, strlen(fields[i].value));
		(void)snprintf(text + used, sizeof(text) - used, "%s%s=%s",
			i > 0 ? " " : "", fields[i].name, fields[i].value);
	}
	assert_string_equal(text, want);
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void
assert_members(struct world *world, const char *segment, const char *want)
{
	struct store_segment seg = {
		.number = 3, .segmentation = "touch", .segment = segment};
	const char *all[100];
	char text[512] = "";
	uint64_t cursor = 0, count;
	size_t total = 0;

	do {
		const char **accounts;
		size_t n;

		assert_int_equal(
			store_members(world->store, &seg, &cursor,
				&world->arena, &accounts, &n, &world->why),
			SG_OK);
		for (size_t i = 0; i < n && total < 100; i++)
			all[total++] = accounts[i];
	} while (cursor != 0);
	qsort(all, total, sizeof(all[0]), by_text);
	for (size_t i = 0; i < total; i++) {
		size_t used = strlen(text);

		(void)snprintf(text + used, sizeof(text) - used, "%s%s",
			i > 0 ? " " : "", all[i]);
	}
	assert_string_equal(text, want);
	assert_int_equal(
		store_member_count(world->store, &seg, &count, &world->why),
		SG_OK);
	assert_int_equal(count, total);
}

/* --- tests -----------------------------------------------------------------
 */

static void
nothing_is_seen_before_the_commit(void **state)
{
	struct world *world = *state;
	struct store_blob blob;

	store_add_state(world->group, "a", "one", 3);
	assert_string_equal(state_of(world, world->group, "a"), "");
	commit(world, "w1");
	assert_string_equal(state_of(world, world->group, "a"), "one");
	assert_int_equal(store_peek(world->store, 3, "a", &world->arena, &blob,
				 NULL, &world->why),
		SG_OK);
	assert_int_equal(blob.len, 3);
}

static void
a_blob_may_hold_any_bytes(void **state)
{
	static const struct {
		const char *name;
		const char *account;
		const char *bytes;
		size_t len;
	} rows[] = {
		{"empty", "e", "", 0},
		{"a zero byte", "z", "a\0b", 3},
		{"line ends", "\r\n", "$5\r\nhello\r\n*1\r\n", 15},
		{"high bytes", "\xc3\xa4", "\xff\xfe\x00\x80", 4},
		{"a blank in the account", "a b", "x", 1},
	};
	struct world *world = *state;

	for (size_t i = 0; i < SG_COUNTOF(rows); i++)
		store_add_state(world->group, rows[i].account, rows[i].bytes,
			rows[i].len);
	commit(world, "w");
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct store_blob blob;

		assert_int_equal(
			store_group_load(world->group, &rows[i].account, 1,
				&world->arena, &blob, &world->why),
			SG_OK);
		if (blob.bytes == NULL || blob.len != rows[i].len ||
			memcmp(blob.bytes, rows[i].bytes, rows[i].len) != 0)
			fail_msg("row %zu: %s", i, rows[i].name);
	}
}

static void
a_load_answers_in_the_order_asked(void **state)
{
	static const char *const ask[] = {"c", "no", "a", "c", "b"};
	static const char *const want[] = {"C", NULL, "A", "C", "B"};
	struct world *world = *state;
	struct store_blob blobs[5];

	store_add_state(world->group, "a", "A", 1);
	store_add_state(world->group, "b", "B", 1);
	store_add_state(world->group, "c", "C", 1);
	commit(world, "w");
	assert_int_equal(store_group_load(world->group, ask, 5, &world->arena,
				 blobs, &world->why),
		SG_OK);
	for (size_t i = 0; i < 5; i++) {
		if (want[i] == NULL)
			assert_null(blobs[i].bytes);
		else
			assert_string_equal(blobs[i].bytes, want[i]);
	}
	assert_int_equal(store_group_load(world->group, ask, 0, &world->arena,
				 blobs, &world->why),
		SG_OK);
}

static void
the_last_write_to_an_account_counts(void **state)
{
	struct world *world = *state;

	store_add_state(world->group, "a", "1", 1);
	store_add_state(world->group, "b", "1", 1);
	store_del_state(world->group, "a");
	store_add_state(world->group, "c", "1", 1);
	store_add_state(world->group, "b", "2", 1);
	store_del_state(world->group, "c");
	store_add_state(world->group, "c", "3", 1);
	commit(world, "w");
	assert_string_equal(state_of(world, world->group, "a"), "");
	assert_string_equal(state_of(world, world->group, "b"), "2");
	assert_string_equal(state_of(world, world->group, "c"), "3");
	store_del_state(world->group, "b");
	store_del_state(world->group, "c");
	commit(world, "w");
	assert_string_equal(state_of(world, world->group, "b"), "");
	assert_string_equal(state_of(world, world->group, "c"), "");
}

static void
a_view_is_changed_field_by_field(void **state)
{
	struct world *world = *state;

	assert_view(world, "a", "");
	store_add_view(world->group, "a", "arr", "12", 2);
	store_add_view(world->group, "a", "touch", "high", 4);
	store_add_view(world->group, "b", "arr", "7", 1);
	store_add_view(world->group, "a", "health", "", 0);
	commit(world, "w");
	assert_view(world, "a", "arr=12 health= touch=high");
	assert_view(world, "b", "arr=7");
	store_add_view(world->group, "a", "arr", NULL, 0);
	store_add_view(world->group, "a", "touch", "low", 3);
	store_add_view(world->group, "b", "arr", NULL, 0);
	commit(world, "w");
	assert_view(world, "a", "health= touch=low");
	assert_view(world, "b", "");
	store_del_view(world->group, "a");
	store_add_view(world->group, "a", "new", "1", 1);
	store_del_view(world->group, "none");
	commit(world, "w");
	assert_view(world, "a", "new=1");
}

static void
members_come_and_go(void **state)
{
	struct world *world = *state;

	store_add_member(world->group, "touch", "high", "a");
	store_add_member(world->group, "touch", "high", "b");
	store_add_member(world->group, "touch", "low", "c");
	commit(world, "w");
	assert_members(world, "high", "a b");
	assert_members(world, "low", "c");
	assert_members(world, "mid", "");
	store_del_member(world->group, "touch", "high", "a");
	store_add_member(world->group, "touch", "low", "a");
	store_del_member(world->group, "touch", "low", "c");
	store_del_member(world->group, "touch", "low", "not there");
	commit(world, "w");
	assert_members(world, "high", "b");
	assert_members(world, "low", "a");
}

static void
due_accounts_come_soonest_first(void **state)
{
	struct world *world = *state;
	struct store_due *due;

	assert_due(world, INT64_MAX - 1, "");
	store_add_due(world->group, "b", 2000);
	store_add_due(world->group, "a", 1000);
	store_add_due(world->group, "c", 1893456000123);
	store_add_due(world->group, "d", -5);
	store_add_due(world->group, "never", INT64_MAX);
	commit(world, "w");
	assert_due(world, 1000, "d=-5");
	assert_due(world, 1001, "d=-5 a=1000");
	assert_due(world, 1893456000124, "d=-5 a=1000 b=2000 c=1893456000123");
	assert_int_equal(due_before(world, 5000, 2, &due), 2);
	assert_int_equal(due_before(world, 5000, 0, &due), 0);
	store_add_due(world->group, "a", 3000);
	store_add_due(world->group, "d", INT64_MAX);
	store_add_due(world->group, "b", INT64_MAX - 1);
	commit(world, "w");
	assert_due(world, 1893456000124, "a=3000 c=1893456000123");
}

static void
the_renewal_queue_is_highest_first(void **state)
{
	static const struct {
		const char *account;
		double score;
	} want[] = {{"e", 1e300}, {"c", 0.1}, {"a", -1.5}, {"b", -3}};
	struct world *world = *state;
	struct store_renewal *queue;
	size_t n;

	store_add_renewal(world->group, "a", "T-90", -1.5);
	store_add_renewal(world->group, "b", "T-90", -3);
	store_add_renewal(world->group, "c", "T-90", 0.1);
	store_add_renewal(world->group, "d", "T-90", NAN);
	store_add_renewal(world->group, "e", "T-90", 1e300);
	commit(world, "w");
	assert_int_equal(store_renewals(world->store, 3, 4, &world->arena,
				 &queue, &n, &world->why),
		SG_OK);
	assert_int_equal(n, 4);
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(queue[i].account, want[i].account);
		assert_true(queue[i].score == want[i].score);
	}
	store_del_renewal(world->group, "e", "T-90");
	store_add_renewal(world->group, "b", "T-90", 5);
	commit(world, "w");
	assert_int_equal(store_renewals(world->store, 3, 99, &world->arena,
				 &queue, &n, &world->why),
		SG_OK);
	assert_int_equal(n, 4);
	assert_string_equal(queue[0].account, "b");
	assert_string_equal(queue[3].account, "d");
	assert_int_equal(store_renewals(world->store, 3, 0, &world->arena,
				 &queue, &n, &world->why),
		SG_OK);
	assert_int_equal(n, 0);
}

static void
the_next_owner_finds_the_record(void **state)
{
	struct world *world = *state;
	struct store_group *next;
	struct store_meta meta, peeked;
	struct store_blob blob;

	store_add_layout(world->group, 0x0123456789abcdef, "lay\0out", 7);
	store_add_layout(world->group, 1, "", 0);
	commit(world, "w1");
	assert_int_equal(
		store_group_commit(world->group, NULL, "w2", NULL, &world->why),
		SG_OK);
	assert_int_equal(
		store_group_open(world->store, 3, &next, &world->why), SG_OK);
	assert_int_equal(
		store_group_takeover(next, &world->arena, &meta, &world->why),
		SG_OK);
	assert_int_equal(store_peek(world->store, 3, "a", &world->arena, &blob,
				 &peeked, &world->why),
		SG_OK);
	store_group_close(next);
	for (int i = 0; i < 2; i++) {
		const struct store_meta *m = i == 0 ? &meta : &peeked;
		size_t big = m->layouts[0].hash == 1 ? 1 : 0;

		assert_true(m->is_present);
		assert_string_equal(m->lineage, "lin-1");
		assert_string_equal(m->w, "w2");
		assert_string_equal(m->out, "out-1");
		assert_string_equal(m->codec, "1");
		assert_int_equal(m->nlayouts, 2);
		assert_true(m->layouts[big].hash == 0x0123456789abcdef);
		assert_int_equal(m->layouts[big].len, 7);
		assert_memory_equal(m->layouts[big].bytes, "lay\0out", 7);
		assert_int_equal(m->layouts[1 - big].hash, 1);
		assert_int_equal(m->layouts[1 - big].len, 0);
	}
}

static void
a_takeover_ends_the_other_reign(void **state)
{
	enum call { LOAD, DUE, CHECK, COMMIT, NCALLS };
	struct world *world = *state;

	for (int call = LOAD; call < NCALLS; call++) {
		struct store_group *next;
		struct store_meta meta;
		struct store_blob blob;
		struct store_due *due;
		const char *account = "a";
		enum sg_err err = SG_OK;
		size_t n;

		store_add_state(world->group, "a", "old", 3);
		commit(world, "w1");
		store_add_state(world->group, "a", "zombie", 6);
		assert_int_equal(
			store_group_open(world->store, 3, &next, &world->why),
			SG_OK);
		assert_int_equal(store_group_takeover(next, &world->arena,
					 &meta, &world->why),
			SG_OK);
		if (call == LOAD)
			err = store_group_load(world->group, &account, 1,
				&world->arena, &blob, &world->why);
		else if (call == DUE)
			err = store_group_due(world->group, 5, 5, &world->arena,
				&due, &n, &world->why);
		else if (call == CHECK)
			err = store_group_check(world->group, &world->why);
		else
			err = store_group_commit(
				world->group, "l", "w", "o", &world->why);
		if (err != SG_STORE_LOST)
			fail_msg("call %d: %s", call, sg_err_name(err));
		/* And so it stays, whatever is called. */
		assert_int_equal(store_group_check(world->group, &world->why),
			SG_STORE_LOST);
		assert_int_equal(store_group_commit(world->group, "l", "w", "o",
					 &world->why),
			SG_STORE_LOST);
		assert_string_equal(state_of(world, next, "a"), "old");
		store_group_close(next);
		/* Take over again: the same group goes on, empty-handed. */
		assert_int_equal(store_group_takeover(world->group,
					 &world->arena, &meta, &world->why),
			SG_OK);
		assert_string_equal(meta.w, "w1");
		commit(world, "w1");
		assert_string_equal(state_of(world, world->group, "a"), "old");
	}
}

static void
groups_reign_apart(void **state)
{
	struct world *world = *state;
	struct store_group *other;
	struct store_meta meta;

	store_add_due(world->group, "a", 1);
	commit(world, "w1");
	assert_int_equal(
		store_group_open(world->store, 4, &other, &world->why), SG_OK);
	assert_int_equal(store_group_check(other, &world->why), SG_STORE_LOST);
	assert_int_equal(
		store_group_takeover(other, &world->arena, &meta, &world->why),
		SG_OK);
	assert_false(meta.is_present);
	store_add_due(other, "b", 2);
	assert_int_equal(
		store_group_commit(other, "l", "w", "o", &world->why), SG_OK);
	assert_int_equal(store_group_check(world->group, &world->why), SG_OK);
	assert_due(world, 10, "a=1");
	store_group_close(other);
}

static void
what_is_cleared_is_not_committed(void **state)
{
	struct world *world = *state;

	assert_true(store_group_pending_bytes(world->group) < 100);
	store_add_state(world->group, "a", "1", 1);
	store_add_due(world->group, "a", 1);
	store_add_member(world->group, "touch", "high", "a");
	store_add_view(world->group, "a", "f", "v", 1);
	store_add_renewal(world->group, "a", "T-90", 1);
	store_add_layout(world->group, 7, "x", 1);
	assert_true(store_group_pending_bytes(world->group) > 50);
	store_group_clear(world->group);
	assert_true(store_group_pending_bytes(world->group) < 100);
	commit(world, "w");
	assert_string_equal(state_of(world, world->group, "a"), "");
	assert_due(world, 10, "");
	assert_members(world, "high", "");
	assert_view(world, "a", "");
}

/* A full chunk, with everything an account can have. */
static void
a_full_chunk_goes_in_one_commit(void **state)
{
	struct world *world = *state;
	char names[STORE_CHUNK_MAX][16], blob[1024];
	const char *accounts[STORE_CHUNK_MAX];
	struct store_blob blobs[STORE_CHUNK_MAX];

	for (size_t i = 0; i < STORE_CHUNK_MAX; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "acct-%zu", i);
		accounts[i] = names[i];
		memset(blob, (int)('a' + i % 26), sizeof(blob));
		store_add_state(world->group, names[i], blob, sizeof(blob));
		for (int f = 0; f < 20; f++) {
			char field[32];

			(void)snprintf(field, sizeof(field), "field_%d", f);
			store_add_view(
				world->group, names[i], field, names[i], 5);
		}
		store_add_member(world->group, "touch",
			i % 2 == 0 ? "high" : "low", names[i]);
		store_add_due(world->group, names[i], (int64_t)i);
		store_add_renewal(
			world->group, names[i], "T-90", (double)i / 3);
	}
	commit(world, "w");
	assert_int_equal(
		store_group_load(world->group, accounts, STORE_CHUNK_MAX,
			&world->arena, blobs, &world->why),
		SG_OK);
	for (size_t i = 0; i < STORE_CHUNK_MAX; i++) {
		assert_int_equal(blobs[i].len, sizeof(blob));
		assert_int_equal(
			((const char *)blobs[i].bytes)[1023], 'a' + i % 26);
	}
	assert_due(world, 2, "acct-0=0 acct-1=1");
}

static void
a_long_load_is_cut_into_several(void **state)
{
	enum { N = 5000 };
	struct world *world = *state;
	const char **accounts = calloc(N, sizeof(*accounts));
	struct store_blob *blobs = calloc(N, sizeof(*blobs));
	char(*names)[16] = calloc(N, sizeof(*names));

	assert_true(accounts != NULL && blobs != NULL && names != NULL);
	for (size_t i = 0; i < N; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "%zu", i);
		accounts[i] = names[i];
		store_add_state(
			world->group, names[i], names[i], strlen(names[i]));
	}
	commit(world, "w");
	assert_int_equal(store_group_load(world->group, accounts, N,
				 &world->arena, blobs, &world->why),
		SG_OK);
	for (size_t i = 0; i < N; i++)
		assert_string_equal(blobs[i].bytes, names[i]);
	free(accounts);
	free(blobs);
	free(names);
}

/* How many entries an index has, and whether `account` is one of them. */
static size_t
walk_index(struct world *world, const struct store_index *index,
	const char *account, bool *ret_is_there)
{
	uint64_t cursor = 0;
	size_t count = 0;

	*ret_is_there = false;
	do {
		const char **accounts;
		size_t n;

		assert_int_equal(
			store_index_scan(world->store, index, &cursor,
				&world->arena, &accounts, &n, &world->why),
			SG_OK);
		for (size_t i = 0; i < n; i++)
			*ret_is_there = *ret_is_there ||
					strcmp(accounts[i], account) == 0;
		count += n;
	} while (cursor != 0);
	return count;
}

static void
indexes_tell_who_is_in_them(void **state)
{
	struct world *world = *state;
	static const struct {
		struct store_index index;
		double score; /* of b */
	} rows[] = {
		{{.kind = STORE_INDEX_MEMBERS,
			 .number = 3,
			 .segmentation = "touch",
			 .segment = "high"},
			0},
		{{.kind = STORE_INDEX_RENEWALS, .number = 3}, -2.25},
		{{.kind = STORE_INDEX_DUE, .number = 3}, 1700000000123.0},
	};

	store_add_member(world->group, "touch", "high", "a");
	store_add_member(world->group, "touch", "high", "b");
	store_add_renewal(world->group, "a", "T-90", 1);
	store_add_renewal(world->group, "b", "T-90", -2.25);
	store_add_due(world->group, "a", 7);
	store_add_due(world->group, "b", 1700000000123);
	commit(world, "w");
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		bool is_there = false;
		double score = NAN;

		assert_int_equal(store_index_find(world->store, &rows[i].index,
					 "b", &is_there, &score, &world->why),
			SG_OK);
		assert_true(is_there);
		assert_true(score == rows[i].score);
		assert_int_equal(store_index_find(world->store, &rows[i].index,
					 "c", &is_there, &score, &world->why),
			SG_OK);
		assert_false(is_there);
		assert_int_equal(
			walk_index(world, &rows[i].index, "b", &is_there), 2);
		assert_true(is_there);
	}
}

/* Redis alone keeps who may be claimed. */
static void
who_is_added_to_the_queue_may_be_claimed(void **state)
{
	struct world *world = *state;
	static const char *const keys[] = {
		"renewals", "renewals:open", "renewals:open:T-90"};
	bool is_plain;
	char key[64];

	if (world->server == NULL)
		return;
	is_plain = strcmp(REDIS_ASK(world->server, "EXISTS", "segd:p3:m"),
			   "1") == 0;
	store_add_renewal(world->group, "a", "T-90", 7);
	store_add_renewal(world->group, "b", "T-90", 8);
	store_del_renewal(world->group, "b", "T-90");
	store_add_renewal(world->group, "b", "T-60", 8);
	commit(world, "w");
	for (size_t i = 0; i < SG_COUNTOF(keys); i++) {
		(void)snprintf(key, sizeof(key), "segd:%s%s",
			is_plain ? "" : "{3}:", keys[i]);
		assert_string_equal(
			REDIS_ASK(world->server, "ZSCORE", key, "a"), "7");
	}
	assert_string_equal(REDIS_ASK(world->server, "ZCARD", key), "1");
	(void)snprintf(key, sizeof(key), "segd:%srenewals:done",
		is_plain ? "" : "{3}:");
	(void)REDIS_ASK(world->server, "HSET", key, "a", "x");
	(void)REDIS_ASK(world->server, "HSET", key, "b", "x");
	store_del_renewal(world->group, "a", "T-90");
	commit(world, "w");
	assert_string_equal(REDIS_ASK(world->server, "HLEN", key), "1");
	for (size_t i = 0; i < SG_COUNTOF(keys); i++) {
		(void)snprintf(key, sizeof(key), "segd:%s%s",
			is_plain ? "" : "{3}:", keys[i]);
		assert_string_equal(REDIS_ASK(world->server, "ZCARD", key),
			i < 2 ? "1" : "0");
	}
}

static void
erasing_leaves_nothing_of_ours(void **state)
{
	struct world *world = *state;
	const struct store_index due = {.kind = STORE_INDEX_DUE, .number = 3};
	struct store_blob blob;
	struct store_meta meta;
	uint64_t cursor = 0, n = 0;
	bool is_there;

	store_add_state(world->group, "a", "x", 1);
	store_add_view(world->group, "a", "version", "1", 1);
	store_add_due(world->group, "a", 7);
	store_add_renewal(world->group, "a", "T-90", 7);
	commit(world, "w");
	if (world->server != NULL)
		(void)REDIS_ASK(world->server, "SET", "other:key", "1");
	assert_int_equal(
		store_erase_record(world->store, 3, &world->why), SG_OK);
	assert_int_equal(store_peek(world->store, 3, "a", &world->arena, &blob,
				 &meta, &world->why),
		SG_OK);
	assert_non_null(blob.bytes);
	assert_false(meta.is_present);
	do {
		assert_int_equal(
			store_erase(world->store, 3, &cursor, &n, &world->why),
			SG_OK);
	} while (cursor != 0);
	assert_true(n > 0);
	assert_int_equal(store_peek(world->store, 3, "a", &world->arena, &blob,
				 &meta, &world->why),
		SG_OK);
	assert_null(blob.bytes);
	assert_false(meta.is_present);
	assert_int_equal(walk_index(world, &due, "a", &is_there), 0);
	if (world->server != NULL)
		assert_string_equal(REDIS_ASK(world->server, "DBSIZE"), "1");
}

/* --- the table -------------------------------------------------------------
 */

#define EACH(TEST)                                                             \
	TEST(nothing_is_seen_before_the_commit)                                \
	TEST(a_blob_may_hold_any_bytes)                                        \
	TEST(a_load_answers_in_the_order_asked)                                \
	TEST(the_last_write_to_an_account_counts)                              \
	TEST(a_view_is_changed_field_by_field)                                 \
	TEST(members_come_and_go)                                              \
	TEST(due_accounts_come_soonest_first)                                  \
	TEST(the_renewal_queue_is_highest_first)                               \
	TEST(the_next_owner_finds_the_record)                                  \
	TEST(a_takeover_ends_the_other_reign)                                  \
	TEST(groups_reign_apart)                                               \
	TEST(what_is_cleared_is_not_committed)                                 \
	TEST(a_full_chunk_goes_in_one_commit)                                  \
	TEST(a_long_load_is_cut_into_several)                                  \
	TEST(indexes_tell_who_is_in_them)                                      \
	TEST(who_is_added_to_the_queue_may_be_claimed)                         \
	TEST(erasing_leaves_nothing_of_ours)

#define ON_MEM(f) {"memory: " #f, f, open_mem, world_close, NULL},
#define ON_REDIS(f) {"redis: " #f, f, open_redis, world_close, NULL},
#define ON_PARTITIONED(f)                                                      \
	{"partitioned: " #f, f, open_partitioned, world_close, NULL},

int
main(void)
{
	static const struct CMUnitTest on_mem[] = {EACH(ON_MEM)};
	static const struct CMUnitTest on_redis[] = {
		EACH(ON_REDIS) EACH(ON_PARTITIONED)};
	int failed = cmocka_run_group_tests_name(
		"store_contract on memory", on_mem, NULL, NULL);

	if (redis_server_is_installed()) {
		redis_server_start(&server, NULL);
		failed += cmocka_run_group_tests_name(
			"store_contract on redis", on_redis, NULL, NULL);
		redis_server_stop(&server);
	}
	return failed;
}
