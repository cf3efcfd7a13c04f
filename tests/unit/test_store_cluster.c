/*
 * On a Redis Cluster: every key of a group lies in one slot, and the store
 * finds the node that has it. Two real nodes; the URL names the one that has no
 * slots at all.
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
#include <sys/socket.h>

#include "../support/redis_server.c"
#include "segmentd/store.h"

#define MEET_MS 30000

struct node {
	struct redis_server server;
	char port[8], bus[8];
};

static struct node seed, owner;

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

static void
node_start(struct node *node)
{
	free_port(node->port, sizeof(node->port));
	free_port(node->bus, sizeof(node->bus));

	const char *const options[] = {"--port", node->port, "--bind",
		"127.0.0.1", "--cluster-enabled", "yes", "--cluster-port",
		node->bus, NULL};

	redis_server_start(&node->server, options);
}

static void
wait_for(struct node *node, const char *words[], const char *want)
{
	int64_t end_us = clock_mono_us() + (int64_t)MEET_MS * 1000;

	while (strstr(redis_server_ask(&node->server, words), want) == NULL) {
		if (clock_mono_us() > end_us)
			fail_msg("the cluster does not form: %s",
				node->server.answer);
		clock_sleep_ms(20);
	}
}

static int
cluster_start(void **state)
{
	const char *info[] = {"CLUSTER", "INFO", NULL};

	(void)state;
	node_start(&seed);
	node_start(&owner);
	(void)REDIS_ASK(
		&owner.server, "CLUSTER", "ADDSLOTSRANGE", "0", "16383");
	(void)REDIS_ASK(&seed.server, "CLUSTER", "MEET", "127.0.0.1",
		owner.port, owner.bus);
	wait_for(&seed, info, "cluster_state:ok");
	wait_for(&owner, info, "cluster_state:ok");
	return 0;
}

static int
cluster_stop(void **state)
{
	(void)state;
	redis_server_stop(&seed.server);
	redis_server_stop(&owner.server);
	return 0;
}

static struct store *
open_store(enum store_layout layout)
{
	struct store_opts opts = {.prefix = "segd",
		.layout = layout,
		.connect_timeout_ms = 2000,
		.command_timeout_ms = 5000};
	struct store *store;
	struct sg_fault why;
	char url[64];

	(void)snprintf(url, sizeof(url), "redis://127.0.0.1:%s", seed.port);
	opts.url = url;
	assert_int_equal(store_open_redis(&opts, &store, &why), SG_OK);
	return store;
}

static void
the_store_finds_the_node_of_a_group(void **state)
{
	struct store *store = open_store(STORE_PARTITIONED);
	struct store_group *group;
	struct store_meta meta;
	struct store_blob blob;
	struct sg_fault why;
	struct arena arena;

	(void)state;
	arena_init(&arena, 1 << 20);
	assert_int_equal(store_ping(store, &why), SG_OK);
	for (int32_t number = 0; number < 5; number++) {
		const char *account = "a";

		assert_int_equal(
			store_group_open(store, number, &group, &why), SG_OK);
		assert_int_equal(
			store_group_takeover(group, &arena, &meta, &why),
			SG_OK);
		store_add_state(group, "a", "1", 1);
		store_add_view(group, "a", "f", "v", 1);
		store_add_member(group, "touch", "high", "a");
		store_add_renewal(group, "a", "T-90", 1);
		store_add_due(group, "a", 1);
		assert_int_equal(
			store_group_commit(group, "l", "w", "o", &why), SG_OK);
		assert_int_equal(store_group_load(group, &account, 1, &arena,
					 &blob, &why),
			SG_OK);
		assert_string_equal(blob.bytes, "1");
		assert_int_equal(store_peek(store, number, "a", &arena, &blob,
					 &meta, &why),
			SG_OK);
		assert_string_equal(blob.bytes, "1");
		assert_string_equal(meta.w, "w");
		store_group_close(group);
	}
	assert_string_equal(REDIS_ASK(&owner.server, "DBSIZE"), "40");
	store_close(store);
	arena_fini(&arena);
}

static void
the_plain_layout_is_refused(void **state)
{
	struct store *store = open_store(STORE_PLAIN);
	struct sg_fault why;

	(void)state;
	assert_int_equal(store_ping(store, &why), SG_BAD_OPTION);
	assert_non_null(strstr(why.text, "layout: partitioned"));
	store_close(store);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_store_finds_the_node_of_a_group),
		cmocka_unit_test(the_plain_layout_is_refused),
	};

	if (!redis_server_is_installed())
		return 0;
	return cmocka_run_group_tests_name(
		"store_cluster", tests, cluster_start, cluster_stop);
}
