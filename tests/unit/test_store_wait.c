/*
 * After a commit: waiting until replicas have it, on a real master and its
 * replica, which is stopped and woken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include "../support/redis_server.c"
#include "segmentd/store.h"

#define FOLLOW_MS 60000
#define WAIT_MS 30000 /* where the replica is there: never reached */
#define SHORT_MS 300  /* where it is not */

static struct redis_server master, replica;

/* A port nobody listens on just now. */
static void
free_port(char *text, size_t size)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	(void)close(fd);
	(void)snprintf(text, size, "%d", (int)ntohs(addr.sin_port));
}

static int
pair_start(void **state)
{
	int64_t end_us = clock_mono_us() + (int64_t)FOLLOW_MS * 1000;
	char port[8];

	(void)state;
	free_port(port, sizeof(port));

	const char *const options[] = {"--port", port, "--bind", "127.0.0.1",
		"--repl-diskless-sync-delay", "0", NULL};

	redis_server_start(&master, options);
	redis_server_start(&replica, NULL);
	(void)REDIS_ASK(&replica, "REPLICAOF", "127.0.0.1", port);
	while (strstr(REDIS_ASK(&replica, "INFO", "replication"),
		       "master_link_status:up") == NULL) {
		if (clock_mono_us() > end_us)
			fail_msg("it does not follow: %s", replica.answer);
		clock_sleep_ms(20);
	}
	return 0;
}

static int
pair_stop(void **state)
{
	(void)state;
	redis_server_stop(&replica);
	redis_server_stop(&master);
	return 0;
}

struct owner {
	struct store *store;
	struct store_group *group;
	struct arena arena;
	struct sg_fault why;
};

static struct store_opts
opts_of(int32_t nreplicas, int32_t wait_ms)
{
	return (struct store_opts){.prefix = "segd",
		.url = master.url,
		.connect_timeout_ms = 2000,
		.command_timeout_ms = 60000,
		.wait_replicas = nreplicas,
		.wait_timeout_ms = wait_ms};
}

static void
owner_open(struct owner *owner, const struct store_opts *opts)
{
	struct store_meta meta;

	arena_init(&owner->arena, 1 << 20);
	assert_int_equal(
		store_open_redis(opts, &owner->store, &owner->why), SG_OK);
	assert_int_equal(
		store_group_open(owner->store, 0, &owner->group, &owner->why),
		SG_OK);
	assert_int_equal(store_group_takeover(owner->group, &owner->arena,
				 &meta, &owner->why),
		SG_OK);
}

static void
owner_close(struct owner *owner)
{
	store_group_close(owner->group);
	store_close(owner->store);
	arena_fini(&owner->arena);
}

static enum sg_err
commit(struct owner *owner, const char *state)
{
	store_add_state(owner->group, "a", state, strlen(state));
	return store_group_commit(owner->group, "l", "w", "o", &owner->why);
}

static void
an_acknowledged_commit_is_on_the_replica(void **state)
{
	struct store_opts opts = opts_of(1, WAIT_MS);
	struct owner owner;
	char text[16];

	(void)state;
	owner_open(&owner, &opts);
	for (int i = 0; i < 200; i++) {
		(void)snprintf(text, sizeof(text), "%d", i);
		assert_int_equal(commit(&owner, text), SG_OK);
		assert_string_equal(
			REDIS_ASK(&replica, "GET", "segd:state:a"), text);
	}
	assert_int_equal(store_unreplicated(owner.store), 0);
	owner_close(&owner);
}

static void
a_replica_that_hangs_is_waited_for_so_long_and_counted(void **state)
{
	struct store_opts opts = opts_of(1, SHORT_MS);
	struct owner owner;
	int64_t began_us;

	(void)state;
	owner_open(&owner, &opts);
	assert_int_equal(kill(replica.pid, SIGSTOP), 0);
	began_us = clock_mono_us();
	assert_int_equal(commit(&owner, "one"), SG_OK);
	assert_true(clock_mono_us() - began_us >= (int64_t)SHORT_MS * 1000);
	assert_int_equal(store_unreplicated(owner.store), 1);
	/* It counted, and the guard is in force: the next one goes on. */
	assert_int_equal(commit(&owner, "two"), SG_OK);
	assert_int_equal(store_unreplicated(owner.store), 2);
	assert_string_equal(REDIS_ASK(&master, "GET", "segd:state:a"), "two");
	assert_string_equal(
		REDIS_ASK(&master, "HGET", "segd:p0:m", "cid"), "2");
	assert_int_equal(kill(replica.pid, SIGCONT), 0);
	owner_close(&owner);
}

static void
more_replicas_than_there_are_is_no_error(void **state)
{
	struct store_opts opts = opts_of(2, SHORT_MS);
	struct owner owner;

	(void)state;
	owner_open(&owner, &opts);
	assert_int_equal(commit(&owner, "x"), SG_OK);
	assert_int_equal(store_unreplicated(owner.store), 1);
	owner_close(&owner);
}

/* Before 7.2 it is refused at the start; since then it is waited for. */
static void
the_append_only_file_is_waited_for_where_redis_can(void **state)
{
	struct store_opts opts = opts_of(0, SHORT_MS);
	struct owner owner;
	struct store *store;
	enum sg_err err;

	(void)state;
	opts.is_waiting_for_aof = true;
	(void)REDIS_ASK(&master, "CONFIG", "SET", "appendonly", "yes");
	assert_int_equal(store_open_redis(&opts, &store, &owner.why), SG_OK);
	err = store_ping(store, &owner.why);
	store_close(store);
	if (err != SG_OK) {
		assert_int_equal(err, SG_BAD_OPTION);
		assert_non_null(strstr(owner.why.text, "needs Redis 7.2"));
		return;
	}
	opts.wait_timeout_ms = WAIT_MS;
	owner_open(&owner, &opts);
	assert_int_equal(commit(&owner, "y"), SG_OK);
	assert_int_equal(store_unreplicated(owner.store), 0);
	owner_close(&owner);
}

static void
waiting_longer_than_for_an_answer_is_refused(void **state)
{
	struct store_opts opts = opts_of(1, 60000);
	struct sg_fault why;
	struct store *store;

	(void)state;
	assert_int_equal(store_open_redis(&opts, &store, &why), SG_BAD_OPTION);
	assert_non_null(strstr(why.text, "redis.wait_timeout"));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_acknowledged_commit_is_on_the_replica),
		cmocka_unit_test(
			a_replica_that_hangs_is_waited_for_so_long_and_counted),
		cmocka_unit_test(more_replicas_than_there_are_is_no_error),
		cmocka_unit_test(
			the_append_only_file_is_waited_for_where_redis_can),
		cmocka_unit_test(waiting_longer_than_for_an_answer_is_refused),
	};

	if (!redis_server_is_installed())
		return 0;
	return cmocka_run_group_tests_name(
		"store_wait", tests, pair_start, pair_stop);
}
