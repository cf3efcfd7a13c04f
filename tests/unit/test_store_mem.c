/*
 * What only the memory store has: failures on request, and its two containers
 * against a plain model.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../processor/store/mem_map.h"
#include "segmentd/hash.h"
#include "segmentd/store.h"

static void
the_map_holds_what_a_plain_array_holds(void **state)
{
	enum { KEYS = 500, STEPS = 20000 };
	struct mem_map map;
	bool is_there[KEYS] = {false};
	size_t n = 0, at = 0;

	(void)state;
	mem_map_init(&map, NULL);
	for (uint64_t step = 0; step < STEPS; step++) {
		uint64_t dice = hash_u64(step);
		size_t key = dice % KEYS;
		char name[16];
		size_t len = (size_t)snprintf(name, sizeof(name), "%zu", key);
		/* Grows first, shrinks later: closing holes is the hard part.
		 */
		bool is_add = dice / KEYS % 100 < (step < STEPS / 2 ? 60 : 30);

		if (is_add)
			mem_map_add(&map, name, len)->value =
				(void *)(uintptr_t)(key + 1);
		else
			mem_map_del(&map, name, len);
		n += (size_t)is_add - (size_t)is_there[key];
		is_there[key] = is_add;
		assert_int_equal(map.n, n);
		if (step % 100 != 0)
			continue;
		for (key = 0; key < KEYS; key++) {
			const struct mem_entry *entry;

			len = (size_t)snprintf(name, sizeof(name), "%zu", key);
			entry = mem_map_get(&map, name, len);
			assert_int_equal(entry != NULL, is_there[key]);
			if (entry != NULL)
				assert_int_equal(
					(uintptr_t)entry->value, key + 1);
		}
	}
	while (mem_map_next(&map, &at) != NULL)
		n--;
	assert_int_equal(n, 0);
	mem_map_fini(&map);
}

static void
the_ordered_set_stays_ordered(void **state)
{
	enum { KEYS = 300, STEPS = 5000 };
	struct mem_zset set;
	double scores[KEYS];
	bool is_there[KEYS] = {false};

	(void)state;
	assert_true(mem_zset_init(&set));
	for (uint64_t step = 0; step < STEPS; step++) {
		uint64_t dice = hash_u64(step);
		size_t key = dice % KEYS, n = 0;
		char name[16];
		size_t len = (size_t)snprintf(name, sizeof(name), "%zu", key);
		const struct mem_node *last = NULL;

		is_there[key] = dice / KEYS % 10 < 7;
		scores[key] = (double)(dice % 97) - 48;
		if (is_there[key])
			assert_true(mem_zset_set(&set, name, len, scores[key]));
		else
			mem_zset_del(&set, name, len);
		if (step % 50 != 0)
			continue;
		for (const struct mem_node *node = mem_zset_first(&set);
			node != NULL; last = node, node = node->next[0], n++) {
			size_t member = strtoul(node->member, NULL, 10);

			assert_true(is_there[member]);
			assert_true(node->score == scores[member]);
			assert_true(last == NULL || last->score < node->score ||
				    (last->score == node->score &&
					    strcmp(last->member, node->member) <
						    0));
		}
		for (key = 0; key < KEYS; key++)
			n -= is_there[key];
		assert_int_equal(n, 0);
	}
	mem_zset_fini(&set);
}

/* --- failures on request ---------------------------------------------------
 */

struct world {
	struct store *store;
	struct store_group *group;
	struct arena arena;
	struct sg_fault why;
};

static int
world_open(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	struct store_meta meta;

	if (world == NULL)
		return -1;
	*state = world;
	arena_init(&world->arena, 1 << 20);
	assert_int_equal(store_open_mem(&world->store), SG_OK);
	assert_int_equal(
		store_group_open(world->store, 0, &world->group, &world->why),
		SG_OK);
	assert_int_equal(store_group_takeover(world->group, &world->arena,
				 &meta, &world->why),
		SG_OK);
	return 0;
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

static const char *
peek(struct world *world)
{
	struct store_blob blob;

	assert_int_equal(store_peek(world->store, 0, "a", &world->arena, &blob,
				 NULL, &world->why),
		SG_OK);
	return blob.bytes == NULL ? "" : blob.bytes;
}

static enum sg_err
commit(struct world *world)
{
	return store_group_commit(world->group, "l", "w", "o", &world->why);
}

static void
a_refused_commit_is_applied_later(void **state)
{
	struct world *world = *state;

	store_add_state(world->group, "a", "1", 1);
	store_mem_fail(world->store, SG_STORE_BUSY, 2, false);
	assert_int_equal(commit(world), SG_STORE_BUSY);
	assert_int_equal(commit(world), SG_STORE_BUSY);
	assert_string_equal(peek(world), "");
	assert_int_equal(commit(world), SG_OK);
	assert_string_equal(peek(world), "1");
}

static void
a_lost_answer_is_settled_by_the_repeat(void **state)
{
	struct world *world = *state;

	for (int is_applied = 0; is_applied < 2; is_applied++) {
		const char *text = is_applied ? "yes" : "no";

		store_add_state(world->group, "a", text, strlen(text));
		store_mem_fail(world->store, SG_STORE_DOWN, 1, is_applied);
		assert_int_equal(commit(world), SG_STORE_DOWN);
		assert_string_equal(peek(world), is_applied ? text : "");
		/* Too late to be part of it. */
		store_add_state(world->group, "b", "late", 4);
		assert_int_equal(commit(world), SG_OK);
		assert_string_equal(peek(world), text);
		store_add_state(world->group, "c", "next", 4);
		assert_int_equal(commit(world), SG_OK);
		assert_int_equal(
			store_group_check(world->group, &world->why), SG_OK);
		store_del_state(world->group, "a");
		assert_int_equal(commit(world), SG_OK);
	}
}

static void
clearing_in_doubt_gives_up_the_reign(void **state)
{
	struct world *world = *state;

	store_add_state(world->group, "a", "1", 1);
	store_mem_fail(world->store, SG_STORE_DOWN, 1, false);
	assert_int_equal(commit(world), SG_STORE_DOWN);
	store_group_clear(world->group);
	assert_int_equal(commit(world), SG_STORE_LOST);
}

static void
forgetting_everything_is_noticed(void **state)
{
	struct world *world = *state;
	struct store_meta meta;

	store_add_state(world->group, "a", "1", 1);
	store_add_renewal(world->group, "a", "T-90", 1);
	assert_int_equal(commit(world), SG_OK);
	store_mem_forget(world->store);
	assert_int_equal(
		store_group_check(world->group, &world->why), SG_STORE_LOST);
	assert_int_equal(store_group_takeover(world->group, &world->arena,
				 &meta, &world->why),
		SG_OK);
	assert_false(meta.is_present);
	assert_string_equal(peek(world), "");
}

int
main(void)
{
#define ROW(f) cmocka_unit_test_setup_teardown(f, world_open, world_close)
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_map_holds_what_a_plain_array_holds),
		cmocka_unit_test(the_ordered_set_stays_ordered),
		ROW(a_refused_commit_is_applied_later),
		ROW(a_lost_answer_is_settled_by_the_repeat),
		ROW(clearing_in_doubt_gives_up_the_reign),
		ROW(forgetting_everything_is_noticed),
	};

	return cmocka_run_group_tests_name("store_mem", tests, NULL, NULL);
}
