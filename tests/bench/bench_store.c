/*
 * What remembering an account costs: commits of 500 accounts to a private
 * redis-server, CPU of this process and wall-clock, per account; and loads.
 *
 *      bench_store [accounts]
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../support/redis_server.c"
#include "segmentd/hash.h"
#include "segmentd/store.h"

#define BLOB_BYTES 600

struct bench {
	struct store *store;
	struct store_group *group;
	struct arena arena;
	struct sg_fault why;
	uint64_t naccounts;
};

static int64_t
cpu_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void
need(enum sg_err err, struct bench *bench)
{
	if (err == SG_OK)
		return;
	(void)fprintf(stderr, "bench_store: %s\n", bench->why.text);
	abort();
}

/* What an account brings along. */
enum load { BLOB = 1, DUE = 2, VIEW = 4, MEMBER = 8 };

static void
add(struct bench *bench, uint64_t number, unsigned load, const char *blob)
{
	char account[32];

	(void)snprintf(account, sizeof(account), "acct-%llu",
		(unsigned long long)number);
	if ((load & BLOB) != 0)
		store_add_state(bench->group, account, blob, BLOB_BYTES);
	if ((load & DUE) != 0)
		store_add_due(bench->group, account,
			1767225600000 + (int64_t)(number * 7919 % 1000000007));
	for (int i = 0; i < 10 && (load & VIEW) != 0; i++) {
		char field[32];

		(void)snprintf(field, sizeof(field), "feature_%d", i);
		store_add_view(bench->group, account, field, "12345", 5);
	}
	if ((load & MEMBER) != 0) {
		store_del_member(bench->group, "touch", "low", account);
		store_add_member(bench->group, "touch", "high", account);
	}
}

static void
commits(struct bench *bench, const char *name, unsigned load)
{
	char blob[BLOB_BYTES];
	uint64_t done = 0;
	int64_t wall_us = clock_mono_us(), cpu = cpu_ns();

	memset(blob, 'x', sizeof(blob));
	while (done < bench->naccounts) {
		for (int i = 0; i < STORE_CHUNK_MAX; i++, done++)
			add(bench, hash_u64(done) % bench->naccounts, load,
				blob);
		need(store_group_commit(
			     bench->group, "lin", "w", "out", &bench->why),
			bench);
	}
	cpu = cpu_ns() - cpu;
	wall_us = clock_mono_us() - wall_us;
	(void)printf("%-34s %8.0f ns CPU %8.0f ns wall / account\n", name,
		(double)cpu / (double)done,
		(double)wall_us * 1000 / (double)done);
}

static void
loads(struct bench *bench, size_t nbatch)
{
	char(*names)[32] = calloc(nbatch, sizeof(*names));
	const char **accounts = calloc(nbatch, sizeof(*accounts));
	struct store_blob *blobs = calloc(nbatch, sizeof(*blobs));
	uint64_t done = 0;
	int64_t wall_us = clock_mono_us(), cpu = cpu_ns();

	if (names == NULL || accounts == NULL || blobs == NULL)
		abort();
	while (done < bench->naccounts) {
		for (size_t i = 0; i < nbatch; i++, done++) {
			(void)snprintf(names[i], sizeof(names[i]), "acct-%llu",
				(unsigned long long)(hash_u64(done) %
						     bench->naccounts));
			accounts[i] = names[i];
		}
		need(store_group_load(bench->group, accounts, nbatch,
			     &bench->arena, blobs, &bench->why),
			bench);
		arena_reset(&bench->arena);
	}
	cpu = cpu_ns() - cpu;
	wall_us = clock_mono_us() - wall_us;
	(void)printf("load, %-5zu at a time %20.0f ns CPU %8.0f ns wall / "
		     "account\n",
		nbatch, (double)cpu / (double)done,
		(double)wall_us * 1000 / (double)done);
	free(names);
	free(accounts);
	free(blobs);
}

int
main(int argc, char **argv)
{
	static struct redis_server server;
	struct bench bench = {.naccounts = 100000};
	struct store_opts opts = {.prefix = "segd",
		.connect_timeout_ms = 2000,
		.command_timeout_ms = 10000};
	struct store_meta meta;

	if (argc > 1)
		bench.naccounts = strtoull(argv[1], NULL, 10);
	if (bench.naccounts == 0 || !redis_server_is_installed())
		return bench.naccounts == 0 ? 64 : 0;
	redis_server_start(&server, NULL);
	opts.url = server.url;
	arena_init(&bench.arena, (size_t)256 << 20);
	need(store_open_redis(&opts, &bench.store, &bench.why), &bench);
	need(store_group_open(bench.store, 0, &bench.group, &bench.why),
		&bench);
	need(store_group_takeover(bench.group, &bench.arena, &meta, &bench.why),
		&bench);
	commits(&bench, "commit, 600 B blob", BLOB);
	commits(&bench, "commit, blob, again", BLOB);
	commits(&bench, "commit, blob and due time", BLOB | DUE);
	commits(&bench, "commit, blob, 10 fields, 2 members",
		BLOB | VIEW | MEMBER);
	loads(&bench, 1);
	loads(&bench, 500);
	loads(&bench, 10000);
	store_group_close(bench.group);
	store_close(bench.store);
	arena_fini(&bench.arena);
	redis_server_stop(&server);
	return 0;
}
