/*
 * fuzz_resp.c - any bytes as what a Redis answers, and as what is sent to it.
 *
 * The first byte chooses what the owner of a group, or the command line, is
 * doing; the rest is what the server says to all it is asked, until it hangs
 * up. Whatever that is, the caller gets an error with a text, or what keeps the
 * promises of store.h. In the last mode the bytes are commands to write, which
 * hiredis has to read back as they were meant.
 */
#include <hiredis/hiredis.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../processor/store/redis_node.h"
#include "../../processor/store/redis_store.h"
#include "segmentd/log.h"

#define MUST(holds)                                                            \
	do {                                                                   \
		if (!(holds))                                                  \
			abort();                                               \
	} while (0)

#define TOKEN "0123456789abcdef"
#define ARGS_MAX 256

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
	struct store *store;
	struct store_group *base;
	struct arena arena;
	struct sg_fault why;
};

/* A connection to a server that says this and hangs up. */
static redisContext *
server_saying(const uint8_t *bytes, size_t len)
{
	redisContext *ctx;
	int ends[2];

	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
	while (len > 0) {
		ssize_t n = write(ends[1], bytes, len);

		if (n <= 0)
			break; /* more than a socket holds: cut there */
		bytes += n;
		len -= (size_t)n;
	}
	/* What is sent to it afterwards is refused: that must not matter. */
	(void)close(ends[1]);
	ctx = redisConnectFd(ends[0]);
	MUST(ctx != NULL && ctx->err == 0);
	ctx->flags &= ~REDIS_BLOCK;
	return ctx;
}

static void
world_open(struct world *world, const uint8_t *bytes, size_t len)
{
	struct store_opts opts = {.url = "unix:///nowhere/at/all",
		.prefix = "segd",
		.connect_timeout_ms = 100,
		.command_timeout_ms = 1000,
		.wait_replicas = len % 2 == 0 ? 1 : 0,
		.is_waiting_for_aof = len % 4 == 0,
		.wait_timeout_ms = 10};
	struct redis_group *group;

	*world = (struct world){.store = NULL};
	arena_init(&world->arena, (size_t)16 << 20);
	MUST(store_open_redis(&opts, &world->store, &world->why) == SG_OK);
	MUST(store_group_open(world->store, 0, &world->base, &world->why) ==
		SG_OK);
	group = (struct redis_group *)world->base;
	memcpy(group->token, TOKEN, sizeof(TOKEN));
	group->cid = 5;
	group->is_reigning = true;
	group->conn.ctx = server_saying(bytes, len);
	((struct redis_store *)world->store)->conn.ctx =
		server_saying(bytes, len);
}

static void
world_close(struct world *world)
{
	store_group_close(world->base);
	store_close(world->store);
	arena_fini(&world->arena);
}

/* --- what an owner does ---------------------------------------------------
 */

static enum sg_err
do_takeover(struct world *world)
{
	struct store_meta meta = {.is_present = false};
	enum sg_err err = store_group_takeover(
		world->base, &world->arena, &meta, &world->why);

	MUST(err != SG_OK || !meta.is_present || meta.w != NULL);
	return err;
}

static enum sg_err
do_commit(struct world *world)
{
	struct redis_group *group = (struct redis_group *)world->base;
	enum sg_err err;

	group->is_armed = true;
	store_add_state(world->base, "a", "1", 1);
	store_add_view(world->base, "a", "f", "v", 1);
	err = store_group_commit(world->base, "l", "w", "o", &world->why);
	/* Acknowledged is what m showed, once. */
	MUST(err != SG_OK || group->cid == 6);
	MUST(group->cid == 5 || group->cid == 6);
	return err;
}

static enum sg_err
do_load(struct world *world)
{
	static const char *const accounts[] = {"a", "b", "c"};
	struct store_blob blobs[3] = {{NULL, 0}};
	enum sg_err err = store_group_load(
		world->base, accounts, 3, &world->arena, blobs, &world->why);

	for (size_t i = 0; i < 3 && err == SG_OK; i++)
		MUST(blobs[i].bytes == NULL ||
			((const char *)blobs[i].bytes)[blobs[i].len] == '\0');
	return err;
}

static enum sg_err
do_due(struct world *world)
{
	struct store_due *due = NULL;
	size_t n = 0;
	enum sg_err err = store_group_due(
		world->base, 1000, 10, &world->arena, &due, &n, &world->why);

	for (size_t i = 0; i < n && err == SG_OK; i++)
		MUST(due[i].account != NULL);
	return err;
}

static enum sg_err
do_check(struct world *world)
{
	return store_group_check(world->base, &world->why);
}

/* --- what the command line does -------------------------------------------
 */

static enum sg_err
do_ping(struct world *world)
{
	return store_ping(world->store, &world->why);
}

static enum sg_err
do_peek(struct world *world)
{
	struct store_blob blob;
	struct store_meta meta;

	return store_peek(
		world->store, 0, "a", &world->arena, &blob, &meta, &world->why);
}

static enum sg_err
do_view(struct world *world)
{
	struct store_field *fields = NULL;
	size_t n = 0;
	enum sg_err err = store_view(
		world->store, 0, "a", &world->arena, &fields, &n, &world->why);

	for (size_t i = 1; i < n && err == SG_OK; i++)
		MUST(strcmp(fields[i - 1].name, fields[i].name) <= 0);
	return err;
}

static enum sg_err
do_scan(struct world *world)
{
	struct store_found *found = NULL;
	uint64_t cursor = 0;
	size_t n = 0;
	enum sg_err err = store_scan(world->store, 0, &cursor, &world->arena,
		&found, &n, &world->why);

	for (size_t i = 0; i < n && err == SG_OK; i++)
		MUST(found[i].account != NULL && found[i].state.bytes != NULL);
	MUST(err == SG_OK || cursor == 0);
	return err;
}

static enum sg_err
do_renewals(struct world *world)
{
	struct store_renewal *renewals = NULL;
	size_t n = 0;

	return store_renewals(
		world->store, 0, 10, &world->arena, &renewals, &n, &world->why);
}

static enum sg_err
do_members(struct world *world)
{
	struct store_segment segment = {
		.segmentation = "touch", .segment = "high"};
	const char **accounts = NULL;
	uint64_t cursor = 0;
	size_t n = 0;
	enum sg_err err = store_members(world->store, &segment, &cursor,
		&world->arena, &accounts, &n, &world->why);

	for (size_t i = 0; i < n && err == SG_OK; i++)
		MUST(accounts[i] != NULL);
	return err;
}

/* On a cluster: does this node have our slot, and who else is there? */
static enum sg_err
do_route(struct world *world)
{
	struct redis_store *store = (struct redis_store *)world->store;
	enum sg_err err;

	redis_conn_route(&store->conn, "segd:{0}:p0:m", &store->nodes);
	store->nodes.is_old = true;
	err = redis_node_check(&store->conn, &world->why);
	MUST(store->nodes.n <= REDIS_NODES_MAX);
	for (size_t i = 0; i < store->nodes.n; i++)
		MUST(store->nodes.at[i].port > 0 &&
			store->nodes.at[i].port < 65536 &&
			strlen(store->nodes.at[i].host) < REDIS_HOST_MAX);
	MUST(!store->conn.is_sent ||
		(store->conn.port > 0 && store->conn.port < 65536));
	return err;
}

/* --- what is written -------------------------------------------------------
 */

struct piece {
	const uint8_t *at;
	size_t len;
};

/* Each byte begins an argument of so many bytes; 255 begins a command. */
static void
write_and_read_back(const uint8_t *data, size_t size)
{
	struct piece args[ARGS_MAX];
	bool is_first[ARGS_MAX];
	struct resp_stream stream;
	redisReader *reader = redisReaderCreate();
	const uint8_t *bytes;
	size_t n = 0, len, read = 0;

	MUST(reader != NULL);
	resp_init(&stream, 1 << 20);
	for (size_t i = 0; i < size && n < ARGS_MAX; n++) {
		size_t want = data[i++];

		is_first[n] = n == 0 || want == 255;
		if (is_first[n]) {
			resp_begin(&stream, RESP_LONE, "CMD");
			args[n] = (struct piece){(const uint8_t *)"CMD", 3};
			continue;
		}
		want = want < size - i ? want : size - i;
		args[n] = (struct piece){data + i, want};
		resp_arg2(&stream, data + i, want / 2, data + i + want / 2,
			want - want / 2);
		i += want;
	}
	resp_close(&stream);
	bytes = resp_bytes(&stream, &len);
	MUST(bytes != NULL || n == 0);
	if (n > 0)
		MUST(redisReaderFeed(reader, (const char *)bytes, len) ==
			REDIS_OK);
	while (read < n) {
		redisReply *reply = NULL;

		MUST(redisReaderGetReply(reader, (void **)&reply) == REDIS_OK);
		MUST(reply != NULL && reply->type == REDIS_REPLY_ARRAY);
		for (size_t i = 0; i < reply->elements; i++, read++) {
			MUST(read < n && is_first[read] == (i == 0));
			MUST(reply->element[i]->len == args[read].len);
			MUST(memcmp(reply->element[i]->str, args[read].at,
				     args[read].len) == 0);
		}
		freeReplyObject(reply);
	}
	redisReaderFree(reader);
	resp_fini(&stream);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static enum sg_err (*const deeds[])(struct world * world) = {
		do_takeover, do_commit, do_load, do_due, do_check, do_ping,
		do_peek, do_view, do_scan, do_renewals, do_members, do_route};
	struct world world;
	size_t deed;

	if (size == 0)
		return 0;
	deed = data[0] % (SG_COUNTOF(deeds) + 1);
	if (deed == SG_COUNTOF(deeds)) {
		write_and_read_back(data + 1, size - 1);
		return 0;
	}
	log_setup(LOG_ERROR, LOG_LOGFMT);
	world_open(&world, data + 1, size - 1);
	if (deeds[deed](&world) != SG_OK)
		MUST(world.why.text[0] != '\0');
	world_close(&world);
	return 0;
}
