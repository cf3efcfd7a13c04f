/*
 * A commit is applied exactly once, wherever the connection breaks: cut at
 * every byte of the request and of the answer, held back and delivered late,
 * server killed. A commit that was applied twice would show as one MSET too
 * many in the server's own statistics.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../support/cut_proxy.c"
#include "../support/redis_server.c"
#include "segmentd/store.h"

/* A commit of the tests below is far shorter. */
#define SWEEP_MAX 4096

struct world {
	struct redis_server server;
	struct cut_proxy proxy;
	struct store *store;
	struct store_group *group; /* group 0, reigning, through the proxy */
	struct arena arena;
	struct sg_fault why;
	int ncommits; /* since the take-over */
};

static const char *const durable[] = {
	"--appendonly", "yes", "--appendfsync", "always", NULL};

static void
take_over(struct world *world)
{
	struct store_meta meta;
	enum sg_err err = SG_STORE_DOWN;

	for (int i = 0; i < 3 && err == SG_STORE_DOWN; i++)
		err = store_group_takeover(
			world->group, &world->arena, &meta, &world->why);
	if (err != SG_OK)
		fail_msg("take-over: %s", world->why.text);
	world->ncommits = 0;
	(void)REDIS_ASK(&world->server, "CONFIG", "RESETSTAT");
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
	arena_init(&world->arena, (size_t)64 << 20);
	redis_server_start(&world->server, durable);
	cut_proxy_start(&world->proxy, world->server.dir, world->server.socket);
	opts.url = world->proxy.url;
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
	cut_proxy_stop(&world->proxy);
	redis_server_stop(&world->server);
	arena_fini(&world->arena);
	free(world);
	return 0;
}

/* --- words -----------------------------------------------------------------
 */

/* Something of every kind; `text` is the state of account a. */
static void
add(struct world *world, const char *text)
{
	store_add_state(world->group, "a", text, strlen(text));
	store_add_view(world->group, "a", "v", text, strlen(text));
	store_add_member(world->group, "touch", "high", "a");
	store_add_due(world->group, "a", 17);
}

static enum sg_err
commit(struct world *world)
{
	return store_group_commit(world->group, "lin", "w", "out", &world->why);
}

static void
commit_until_ok(struct world *world)
{
	enum sg_err err = SG_STORE_DOWN;

	for (int i = 0; i < 3 && err == SG_STORE_DOWN; i++)
		err = commit(world);
	if (err != SG_OK)
		fail_msg("commit: %s: %s", sg_err_name(err), world->why.text);
	world->ncommits++;
}

/* As many commits as were acknowledged, and not one MSET more. */
static void
assert_applied_once(struct world *world, const char *text)
{
	char want[64];

	assert_string_equal(
		REDIS_ASK(&world->server, "GET", "segd:state:a"), text);
	(void)snprintf(want, sizeof(want), "%d", world->ncommits);
	assert_string_equal(
		REDIS_ASK(&world->server, "HGET", "segd:p0:m", "cid"), want);
	(void)snprintf(
		want, sizeof(want), "cmdstat_mset:calls=%d,", world->ncommits);
	if (strstr(REDIS_ASK(&world->server, "INFO", "commandstats"), want) ==
		NULL)
		fail_msg("not %s in %s", want, world->server.answer);
}

static void
load_ok(struct world *world)
{
	const char *account = "a";
	struct store_blob blob;
	enum sg_err err = store_group_load(
		world->group, &account, 1, &world->arena, &blob, &world->why);

	if (err != SG_OK)
		fail_msg("load: %s: %s", sg_err_name(err), world->why.text);
}

/* --- cuts ------------------------------------------------------------------
 */

static void
sweep(struct world *world, enum cut_mode mode)
{
	char text[32];
	size_t n;

	for (n = 0; n < SWEEP_MAX; n++) {
		enum sg_err err;

		(void)snprintf(text, sizeof(text), "text-%04zu", n);
		add(world, text);
		cut_proxy_arm(&world->proxy, mode, n);
		err = commit(world);
		if (!cut_proxy_disarm(&world->proxy)) {
			/* The cut is beyond the end: the sweep is done. (The
			 * one right at the end has closed the connection.) */
			if (err == SG_OK)
				world->ncommits++;
			else
				commit_until_ok(world);
			break;
		}
		/* A cut right at the end comes after the answer. */
		if (err == SG_OK)
			world->ncommits++;
		else if (err != SG_STORE_DOWN)
			fail_msg("cut at %zu: %s", n, world->why.text);
		if (err != SG_OK && n % 2 == 1)
			load_ok(world);
		if (err != SG_OK)
			commit_until_ok(world);
		assert_applied_once(world, text);
		arena_reset(&world->arena);
	}
	assert_true(n > 100 && n < SWEEP_MAX);
	assert_applied_once(world, text);
}

static void
a_commit_cut_at_any_byte_of_the_request_is_applied_once(void **state)
{
	sweep(*state, CUT_REQUEST);
}

static void
a_commit_cut_at_any_byte_of_the_answer_is_applied_once(void **state)
{
	sweep(*state, CUT_ANSWER);
}

static void
a_takeover_cut_anywhere_can_be_repeated(void **state)
{
	struct world *world = *state;

	add(world, "kept");
	commit_until_ok(world);
	for (int mode = CUT_REQUEST; mode <= CUT_ANSWER; mode++)
		for (size_t n = 0; n < SWEEP_MAX; n++) {
			struct store_meta meta;
			enum sg_err err;

			cut_proxy_arm(&world->proxy, (enum cut_mode)mode, n);
			err = store_group_takeover(world->group, &world->arena,
				&meta, &world->why);
			if (!cut_proxy_disarm(&world->proxy))
				break;
			if (err == SG_STORE_DOWN)
				err = store_group_takeover(world->group,
					&world->arena, &meta, &world->why);
			assert_int_equal(err, SG_OK);
			assert_string_equal(meta.w, "w");
			assert_true(meta.is_present);
		}
	take_over(world);
	add(world, "after");
	commit_until_ok(world);
	assert_applied_once(world, "after");
}

static void
what_is_in_doubt_cannot_be_changed(void **state)
{
	struct world *world = *state;

	add(world, "first");
	cut_proxy_arm(&world->proxy, CUT_REQUEST, 40);
	assert_int_equal(commit(world), SG_STORE_DOWN);
	assert_true(cut_proxy_disarm(&world->proxy));
	/* Added too late: lost, as store.h says. */
	store_add_state(world->group, "a", "second", 6);
	commit_until_ok(world);
	assert_applied_once(world, "first");

	add(world, "third");
	cut_proxy_arm(&world->proxy, CUT_REQUEST, 40);
	assert_int_equal(commit(world), SG_STORE_DOWN);
	assert_true(cut_proxy_disarm(&world->proxy));
	store_group_clear(world->group);
	assert_int_equal(
		store_group_check(world->group, &world->why), SG_STORE_LOST);

	/* Nor can what a load has found to be applied: the caller was never
	 * told. */
	take_over(world);
	add(world, "fifth");
	cut_proxy_arm(&world->proxy, CUT_ANSWER, 10);
	assert_int_equal(commit(world), SG_STORE_DOWN);
	assert_true(cut_proxy_disarm(&world->proxy));
	load_ok(world);
	store_group_clear(world->group);
	assert_int_equal(
		store_group_check(world->group, &world->why), SG_STORE_LOST);

	/* A repeat that is refused leaves the first copy in doubt. */
	take_over(world);
	add(world, "fourth");
	cut_proxy_arm(&world->proxy, CUT_REQUEST, 40);
	assert_int_equal(commit(world), SG_STORE_DOWN);
	assert_true(cut_proxy_disarm(&world->proxy));
	(void)REDIS_ASK(&world->server, "CONFIG", "SET", "maxmemory", "1");
	assert_int_equal(commit(world), SG_STORE_BUSY);
	(void)REDIS_ASK(&world->server, "CONFIG", "SET", "maxmemory", "0");
	store_group_clear(world->group);
	assert_int_equal(
		store_group_check(world->group, &world->why), SG_STORE_LOST);
}

/* --- late copies -----------------------------------------------------------
 */

enum late_order {
	REPEAT_THEN_LATE,  /* the repeat wins, the late copy must not */
	LATE_THEN_REPEAT,  /* the late copy wins, the repeat must not */
	ARM_LATE_REPEAT,   /* the same, in the face of a fresh WATCH */
	ARM_LATE_LOAD,	   /* noticed by a load */
	BUSY_LATE_REPEAT,  /* a repeat that is refused settles nothing */
	TAKEOVER_THEN_LATE /* neither */
};

static void
open_impatient(struct world *world)
{
	struct store_opts opts = {.url = world->proxy.url,
		.prefix = "segd",
		.connect_timeout_ms = 2000,
		.command_timeout_ms = 250};

	store_group_close(world->group);
	store_close(world->store);
	assert_int_equal(
		store_open_redis(&opts, &world->store, &world->why), SG_OK);
	assert_int_equal(
		store_group_open(world->store, 0, &world->group, &world->why),
		SG_OK);
}

static void
late_copy(struct world *world, enum late_order order, size_t n)
{
	char text[32];

	take_over(world);
	(void)snprintf(text, sizeof(text), "late-%d-%zu", (int)order, n);
	add(world, text);
	cut_proxy_arm(&world->proxy, CUT_HOLD, n);
	assert_int_equal(commit(world), SG_STORE_DOWN);
	assert_non_null(strstr(world->why.text, "no answer within 250 ms"));
	assert_true(cut_proxy_disarm(&world->proxy));
	if (order == REPEAT_THEN_LATE)
		commit_until_ok(world);
	if (order == ARM_LATE_REPEAT || order == ARM_LATE_LOAD)
		load_ok(world);
	if (order == BUSY_LATE_REPEAT) {
		(void)REDIS_ASK(
			&world->server, "CONFIG", "SET", "maxmemory", "1");
		assert_int_equal(commit(world), SG_STORE_BUSY);
		(void)REDIS_ASK(
			&world->server, "CONFIG", "SET", "maxmemory", "0");
	}
	if (order == TAKEOVER_THEN_LATE) {
		take_over(world);
		add(world, text);
		commit_until_ok(world);
	}
	cut_proxy_release(&world->proxy);
	if (order == ARM_LATE_LOAD)
		load_ok(world);
	if (order != REPEAT_THEN_LATE && order != TAKEOVER_THEN_LATE)
		commit_until_ok(world);
	assert_applied_once(world, text);
	/* And the reign goes on. */
	add(world, "next");
	commit_until_ok(world);
	assert_applied_once(world, "next");
	arena_reset(&world->arena);
}

static void
a_late_copy_is_applied_once_or_never(void **state)
{
	static const size_t at[] = {0, 1, 14, 15, 100, 200};
	struct world *world = *state;

	open_impatient(world);
	for (int order = REPEAT_THEN_LATE; order <= TAKEOVER_THEN_LATE; order++)
		for (size_t i = 0; i < SG_COUNTOF(at); i++)
			late_copy(world, (enum late_order)order, at[i]);
}

/* --- kills -----------------------------------------------------------------
 */

static void
a_killed_client_connection_is_noticed_and_replaced(void **state)
{
	struct world *world = *state;

	for (int i = 0; i < 5; i++) {
		char text[32];

		(void)snprintf(text, sizeof(text), "kill-%d", i);
		add(world, text);
		(void)REDIS_ASK(&world->server, "CLIENT", "KILL", "TYPE",
			"normal", "SKIPME", "yes");
		if (i % 2 == 1)
			assert_int_equal(
				store_group_check(world->group, &world->why),
				SG_STORE_DOWN);
		commit_until_ok(world);
		assert_applied_once(world, text);
	}
}

static void
a_killed_server_comes_back_with_everything_acknowledged(void **state)
{
	struct world *world = *state;

	for (size_t n = 0; n < 12; n++) {
		char text[32], want[16];

		(void)snprintf(text, sizeof(text), "server-%zu", n);
		add(world, text);
		/* Killed while idle, or with a commit on the way. */
		if (n % 3 != 0) {
			cut_proxy_arm(&world->proxy,
				n % 3 == 1 ? CUT_REQUEST : CUT_ANSWER, n * 10);
			assert_int_equal(commit(world), SG_STORE_DOWN);
		}
		redis_server_kill(&world->server);
		(void)cut_proxy_disarm(&world->proxy);
		if (n % 3 == 0)
			assert_int_equal(commit(world), SG_STORE_DOWN);
		assert_int_equal(commit(world), SG_STORE_DOWN);
		redis_server_start(&world->server, durable);
		commit_until_ok(world);
		/* The statistics are gone with the server. */
		(void)snprintf(want, sizeof(want), "%d", world->ncommits);
		assert_string_equal(
			REDIS_ASK(&world->server, "GET", "segd:state:a"), text);
		assert_string_equal(
			REDIS_ASK(&world->server, "HGET", "segd:p0:m", "cid"),
			want);
	}
}

static void
nothing_blocks_longer_than_the_timeout(void **state)
{
	struct world *world = *state;
	int64_t begin_us;

	open_impatient(world);
	take_over(world);
	add(world, "x");
	cut_proxy_arm(&world->proxy, CUT_HOLD, 0);
	begin_us = clock_mono_us();
	assert_int_equal(commit(world), SG_STORE_DOWN);
	/* 30 ms; a busy machine may add to it. */
	assert_true(clock_mono_us() - begin_us >= 29000);
	assert_true(clock_mono_us() - begin_us < 2000000);
}

int
main(void)
{
#define ROW(f) cmocka_unit_test_setup_teardown(f, world_open, world_close)
	static const struct CMUnitTest tests[] = {
		ROW(a_commit_cut_at_any_byte_of_the_request_is_applied_once),
		ROW(a_commit_cut_at_any_byte_of_the_answer_is_applied_once),
		ROW(a_takeover_cut_anywhere_can_be_repeated),
		ROW(what_is_in_doubt_cannot_be_changed),
		ROW(a_late_copy_is_applied_once_or_never),
		ROW(a_killed_client_connection_is_noticed_and_replaced),
		ROW(a_killed_server_comes_back_with_everything_acknowledged),
		ROW(nothing_blocks_longer_than_the_timeout),
	};

	if (!redis_server_is_installed())
		return 0;
	return cmocka_run_group_tests_name("store_network", tests, NULL, NULL);
}
