/*
 * The walk over all accounts leaves none out, though the server is another
 * process in the middle of it: its keys are in another order then.
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

#define ACCOUNTS 3000 /* three pages and more */
#define CHUNK 500
#define TRY_MS 60000

static const char *const durable[] = {
	"--appendonly", "yes", "--appendfsync", "always", NULL};

struct world {
	struct redis_server server;
	struct store *store;
	struct arena arena;
	struct sg_fault why;
	bool is_seen[ACCOUNTS];
};

static void
fill(struct world *world)
{
	struct store_group *group;
	struct store_meta meta;
	char id[16];

	assert_int_equal(
		store_group_open(world->store, 0, &group, &world->why), SG_OK);
	assert_int_equal(
		store_group_takeover(group, &world->arena, &meta, &world->why),
		SG_OK);
	for (int i = 0; i < ACCOUNTS; i++) {
		(void)snprintf(id, sizeof(id), "%d", i);
		store_add_state(group, id, id, strlen(id));
		if (i % CHUNK == CHUNK - 1)
			assert_int_equal(store_group_commit(group, "l", "w",
						 "o", &world->why),
				SG_OK);
	}
	store_group_close(group);
}

static int
world_open(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	struct store_opts opts = {.prefix = "segd",
		.connect_timeout_ms = 2000,
		.command_timeout_ms = 30000};

	if (world == NULL)
		return -1;
	*state = world;
	arena_init(&world->arena, (size_t)64 << 20);
	redis_server_start(&world->server, durable);
	opts.url = world->server.url;
	assert_int_equal(
		store_open_redis(&opts, &world->store, &world->why), SG_OK);
	fill(world);
	return 0;
}

static int
world_close(void **state)
{
	struct world *world = *state;

	store_close(world->store);
	redis_server_stop(&world->server);
	arena_fini(&world->arena);
	free(world);
	return 0;
}

/* One page; again while the server is away. */
static void
walk_on(struct world *world, uint64_t *cursor)
{
	int64_t end_us = clock_mono_us() + (int64_t)TRY_MS * 1000;
	struct store_found *found = NULL;
	enum sg_err err = SG_STORE_DOWN;
	size_t n = 0;

	while (err == SG_STORE_DOWN || err == SG_STORE_BUSY) {
		if (clock_mono_us() > end_us)
			fail_msg("%s", world->why.text);
		err = store_scan(world->store, 0, cursor, &world->arena, &found,
			&n, &world->why);
	}
	assert_int_equal(err, SG_OK);
	for (size_t i = 0; i < n; i++) {
		long number = strtol(found[i].account, NULL, 10);

		assert_in_range(number, 0, ACCOUNTS - 1);
		assert_string_equal(found[i].account, found[i].state.bytes);
		world->is_seen[number] = true;
	}
}

static void
walk_to_the_end(struct world *world, uint64_t *cursor)
{
	do {
		walk_on(world, cursor);
	} while (*cursor != 0);
	for (int i = 0; i < ACCOUNTS; i++)
		if (!world->is_seen[i])
			fail_msg("account %d was left out", i);
}

static void
a_walk_tells_every_account(void **state)
{
	struct world *world = *state;
	uint64_t cursor = 0;

	walk_on(world, &cursor);
	assert_true(cursor != 0);
	walk_to_the_end(world, &cursor);
}

static void
a_restart_in_the_middle_leaves_none_out(void **state)
{
	struct world *world = *state;
	uint64_t cursor = 0;

	walk_on(world, &cursor);
	assert_true(cursor != 0);
	redis_server_kill(&world->server);
	redis_server_start(&world->server, durable);
	walk_to_the_end(world, &cursor);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_walk_tells_every_account, world_open, world_close),
		cmocka_unit_test_setup_teardown(
			a_restart_in_the_middle_leaves_none_out, world_open,
			world_close),
	};

	if (!redis_server_is_installed())
		return 0;
	return cmocka_run_group_tests_name("store_scan", tests, NULL, NULL);
}
