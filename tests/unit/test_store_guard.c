/*
 * What Redis may do to an owner: lose everything or the newest writes, refuse
 * for a while, hold foreign keys. On a real redis-server.
 */
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
	struct redis_server server;
	struct store *store;
	struct store_group *group; /* group 0, reigning */
	struct arena arena;
	struct sg_fault why;
};

static void
take_over(struct world *world)
{
	struct store_meta meta;

	if (store_group_takeover(
		    world->group, &world->arena, &meta, &world->why) != SG_OK)
		fail_msg("take-over: %s", world->why.text);
}

static int
world_open(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	struct store_opts opts = {.prefix = "segd",
		.connect_timeout_ms = 2000,
		.command_timeout_ms = 5000};

	if (world == NULL)
		return -1;
	*state = world;
	arena_init(&world->arena, (size_t)16 << 20);
	redis_server_start(&world->server, NULL);
	opts.url = world->server.url;
	assert_int_equal(
		store_open_redis(&opts, &world->store, &world->why), SG_OK);
	assert_int_equal(
		store_group_open(world->store, 0, &world->group, &world->why),
		SG_OK);
	take_over(world);
	return 0;
}

static int
world_close(void **state)
{
	struct world *world = *state;

	store_group_close(world->group);
	store_close(world->store);
	redis_server_stop(&world->server);
	arena_fini(&world->arena);
	free(world);
	return 0;
}

/* --- words -----------------------------------------------------------------
 */

static enum sg_err
commit(struct world *world)
{
	return store_group_commit(world->group, "lin", "w", "out", &world->why);
}

static enum sg_err
commit_state(struct world *world, const char *text)
{
	store_add_state(world->group, "a", text, strlen(text));
	return commit(world);
}

enum call { CALL_LOAD, CALL_DUE, CALL_CHECK, CALL_COMMIT, CALL_COUNT };

static enum sg_err
make_call(struct world *world, enum call call)
{
	const char *account = "a";
	struct store_blob blob;
	struct store_due *due;
	size_t n;

	switch (call) {
	case CALL_LOAD:
		return store_group_load(world->group, &account, 1,
			&world->arena, &blob, &world->why);
	case CALL_DUE:
		return store_group_due(world->group, 100, 5, &world->arena,
			&due, &n, &world->why);
	case CALL_CHECK:
		return store_group_check(world->group, &world->why);
	default:
		return commit_state(world, "more");
	}
}

static void
assert_answer(struct world *world, const char *key, const char *want)
{
	assert_string_equal(REDIS_ASK(&world->server, "GET", key), want);
}

/* --- losses ----------------------------------------------------------------
 */

static void
losing_everything_is_noticed_by_every_call(void **state)
{
	struct world *world = *state;

	for (int call = 0; call < CALL_COUNT; call++) {
		take_over(world);
		assert_int_equal(commit_state(world, "one"), SG_OK);
		(void)REDIS_ASK(&world->server, "FLUSHALL");
		if (make_call(world, (enum call)call) != SG_STORE_LOST)
			fail_msg("call %d: %s", call, world->why.text);
		assert_non_null(strstr(world->why.text, "lost its data"));
		/* Nothing was written after the loss. */
		assert_string_equal(REDIS_ASK(&world->server, "DBSIZE"), "0");
	}
}

static void
losing_the_newest_writes_is_noticed_by_every_call(void **state)
{
	struct world *world = *state;
	char rdb[128];

	(void)snprintf(rdb, sizeof(rdb), "%s/dump.rdb", world->server.dir);
	for (int call = 0; call < CALL_COUNT; call++) {
		take_over(world);
		assert_int_equal(commit_state(world, "one"), SG_OK);
		assert_string_equal(REDIS_ASK(&world->server, "SAVE"), "OK");
		assert_int_equal(commit_state(world, "two"), SG_OK);
		/* The file is older than the last commit. */
		redis_server_kill(&world->server);
		redis_server_start(&world->server, NULL);
		assert_answer(world, "segd:state:a", "one");
		assert_int_equal(
			make_call(world, (enum call)call), SG_STORE_DOWN);
		if (make_call(world, (enum call)call) != SG_STORE_LOST)
			fail_msg("call %d: %s", call, world->why.text);
		assert_non_null(strstr(world->why.text, "Redis holds"));
		assert_answer(world, "segd:state:a", "one");
	}
	/* And a new reign goes on from what is left. */
	take_over(world);
	assert_int_equal(commit_state(world, "three"), SG_OK);
}

/* The same connection, an older copy: what a failover to a lagging replica
 * does, or an operator. */
static void
a_record_set_back_is_noticed(void **state)
{
	struct world *world = *state;

	for (int call = 0; call < CALL_COUNT; call++) {
		take_over(world);
		assert_int_equal(commit_state(world, "one"), SG_OK);
		assert_int_equal(commit_state(world, "two"), SG_OK);
		(void)REDIS_ASK(
			&world->server, "HSET", "segd:p0:m", "cid", "1");
		if (make_call(world, (enum call)call) != SG_STORE_LOST)
			fail_msg("call %d: %s", call, world->why.text);
	}
}

static void
a_touched_record_that_still_shows_us_is_no_loss(void **state)
{
	struct world *world = *state;

	for (int call = 0; call < CALL_COUNT; call++) {
		(void)REDIS_ASK(
			&world->server, "HSET", "segd:p0:m", "note", "1");
		if (make_call(world, (enum call)call) != SG_OK)
			fail_msg("call %d: %s", call, world->why.text);
	}
	assert_answer(world, "segd:state:a", "more");
	assert_string_equal(
		REDIS_ASK(&world->server, "HGET", "segd:p0:m", "cid"), "1");
}

static void
a_zombie_cannot_write(void **state)
{
	struct world *world = *state;
	struct store_group *next;
	struct store_meta meta;

	assert_int_equal(commit_state(world, "old"), SG_OK);
	assert_int_equal(
		store_group_open(world->store, 0, &next, &world->why), SG_OK);
	assert_int_equal(
		store_group_takeover(next, &world->arena, &meta, &world->why),
		SG_OK);
	store_add_state(next, "a", "new", 3);
	assert_int_equal(
		store_group_commit(next, "lin", "w", "out", &world->why),
		SG_OK);
	/* The numbers agree, the token does not. */
	assert_int_equal(commit_state(world, "zombie"), SG_STORE_LOST);
	assert_non_null(strstr(world->why.text, "another owner"));
	assert_answer(world, "segd:state:a", "new");
	assert_int_equal(store_group_check(next, &world->why), SG_OK);
	store_group_close(next);
}

/* --- refusals --------------------------------------------------------------
 */

/* Reading goes on while writes are refused. But Redis 7.0 queues nothing at all
 * in a MULTI while it is out of memory, and reading is one; Redis 8 does. */
static void
assert_reading_goes_on(struct world *world, bool is_oom)
{
	enum sg_err err = make_call(world, CALL_LOAD);

	if (is_oom && err == SG_STORE_BUSY) {
		assert_non_null(strstr(world->why.text, "maxmemory"));
		return;
	}
	if (err != SG_OK)
		fail_msg("load: %s", world->why.text);
}

static void
what_redis_refuses_for_a_while_is_applied_later(void **state)
{
	static const struct {
		const char *name;
		const char *refuse[4];
		const char *accept[4];
		const char *says;
	} rows[] = {
		{"out of memory", {"CONFIG", "SET", "maxmemory", "1"},
			{"CONFIG", "SET", "maxmemory", "0"}, "maxmemory"},
		{"replica", {"REPLICAOF", "127.0.0.1", "1"},
			{"REPLICAOF", "NO", "ONE"}, "replica"},
		{"too few replicas",
			{"CONFIG", "SET", "min-replicas-to-write", "1"},
			{"CONFIG", "SET", "min-replicas-to-write", "0"},
			"NOREPLICAS"},
	};
	struct world *world = *state;

	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		const char *refuse[5] = {NULL}, *accept[5] = {NULL};
		char cid[16];

		memcpy(refuse, rows[i].refuse, sizeof(rows[i].refuse));
		memcpy(accept, rows[i].accept, sizeof(rows[i].accept));
		store_add_state(
			world->group, "a", rows[i].name, strlen(rows[i].name));
		(void)redis_server_ask(&world->server, refuse);
		for (int again = 0; again < 2; again++) {
			if (commit(world) != SG_STORE_BUSY)
				fail_msg("row %zu: %s", i, world->why.text);
			if (strstr(world->why.text, rows[i].says) == NULL)
				fail_msg("row %zu: %s", i, world->why.text);
		}
		assert_reading_goes_on(world, i == 0);
		assert_int_equal(make_call(world, CALL_CHECK), SG_OK);
		(void)redis_server_ask(&world->server, accept);
		assert_int_equal(commit(world), SG_OK);
		assert_answer(world, "segd:state:a", rows[i].name);
		(void)snprintf(cid, sizeof(cid), "%zu", i + 1);
		assert_string_equal(
			REDIS_ASK(&world->server, "HGET", "segd:p0:m", "cid"),
			cid);
	}
}

static void
a_refused_commit_can_be_cleared(void **state)
{
	struct world *world = *state;

	store_add_state(world->group, "a", "one", 3);
	(void)REDIS_ASK(&world->server, "CONFIG", "SET", "maxmemory", "1");
	assert_int_equal(commit(world), SG_STORE_BUSY);
	(void)REDIS_ASK(&world->server, "CONFIG", "SET", "maxmemory", "0");
	/* It is certain that it was not applied: the reign goes on. */
	store_group_clear(world->group);
	assert_int_equal(commit(world), SG_OK);
	assert_answer(world, "segd:state:a", "(nil)");
}

static void
a_takeover_waits_while_redis_refuses(void **state)
{
	struct world *world = *state;
	struct store_meta meta;

	(void)REDIS_ASK(&world->server, "CONFIG", "SET", "maxmemory", "1");
	assert_int_equal(store_group_takeover(world->group, &world->arena,
				 &meta, &world->why),
		SG_STORE_BUSY);
	assert_int_equal(
		store_group_check(world->group, &world->why), SG_STORE_LOST);
	(void)REDIS_ASK(&world->server, "CONFIG", "SET", "maxmemory", "0");
	take_over(world);
	assert_int_equal(commit_state(world, "one"), SG_OK);
}

static void
a_foreign_key_is_reported_to_the_operator(void **state)
{
	struct world *world = *state;
	struct store_meta meta;

	(void)REDIS_ASK(&world->server, "SET", "segd:acct:a", "foreign");
	store_add_view(world->group, "a", "f", "v", 1);
	assert_int_equal(commit_state(world, "one"), SG_OPERATOR);
	assert_non_null(strstr(world->why.text, "WRONGTYPE"));
	/* The rest was applied, and the reign goes on. */
	assert_answer(world, "segd:state:a", "one");
	assert_int_equal(commit_state(world, "two"), SG_OK);

	(void)REDIS_ASK(&world->server, "DEL", "segd:p0:m");
	(void)REDIS_ASK(&world->server, "SET", "segd:p0:m", "foreign");
	assert_int_equal(store_group_takeover(world->group, &world->arena,
				 &meta, &world->why),
		SG_OPERATOR);
}

int
main(void)
{
#define ROW(f) cmocka_unit_test_setup_teardown(f, world_open, world_close)
	static const struct CMUnitTest tests[] = {
		ROW(losing_everything_is_noticed_by_every_call),
		ROW(losing_the_newest_writes_is_noticed_by_every_call),
		ROW(a_record_set_back_is_noticed),
		ROW(a_touched_record_that_still_shows_us_is_no_loss),
		ROW(a_zombie_cannot_write),
		ROW(what_redis_refuses_for_a_while_is_applied_later),
		ROW(a_refused_commit_can_be_cleared),
		ROW(a_takeover_waits_while_redis_refuses),
		ROW(a_foreign_key_is_reported_to_the_operator),
	};

	if (!redis_server_is_installed())
		return 0;
	return cmocka_run_group_tests_name("store_guard", tests, NULL, NULL);
}
