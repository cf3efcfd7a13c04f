#include <stdlib.h>
#include <string.h>

#include "redis_store.h"
#include "redis_tls.h"

static void
redis_store_close(struct store *base)
{
	struct redis_store *store = (struct redis_store *)base;

	redis_conn_fini(&store->conn);
	resp_fini(&store->request);
	redis_target_fini(&store->target);
	free(store);
}

static void
redis_group_close(struct store_group *base)
{
	struct redis_group *group = (struct redis_group *)base;

	redis_conn_fini(&group->conn);
	resp_fini(&group->request);
	resp_fini(&group->arming);
	for (size_t i = 0; i < REDIS_STREAM_COUNT; i++)
		resp_fini(&group->streams[i]);
	free(group);
}

static const struct store_ops redis_ops;

static enum sg_err
redis_group_open(struct store *base, int32_t number,
	struct store_group **ret_group, struct sg_fault *why)
{
	struct redis_store *store = (struct redis_store *)base;
	struct redis_group *group = calloc(1, sizeof(*group));

	if (group == NULL)
		return sg_fault_set(why, SG_NOMEM, "no memory for a group");
	group->base = (struct store_group){
		.ops = &redis_ops, .store = base, .number = number};
	group->store = store;
	redis_keys_init(&group->keys, store->prefix, store->layout, number);
	redis_conn_init(&group->conn, &store->target);
	if (store->layout == STORE_PARTITIONED)
		redis_conn_route(&group->conn,
			group->keys.key[REDIS_KEY_META].at, &store->nodes);
	resp_init(&group->request, STORE_COMMIT_MAX);
	resp_init(&group->arming, STORE_COMMIT_MAX);
	for (size_t i = 0; i < REDIS_STREAM_COUNT; i++)
		resp_init(&group->streams[i], STORE_COMMIT_MAX);
	redis_guard_init(group);
	redis_commit_reset(group);
	*ret_group = &group->base;
	return SG_OK;
}

static const struct store_ops redis_ops = {
	.close = redis_store_close,
	.ping = redis_store_ping,
	.group_open = redis_group_open,
	.group_close = redis_group_close,
	.takeover = redis_group_takeover,
	.load = redis_group_load,
	.due = redis_group_due,
	.check = redis_group_check,
	.clear = redis_group_clear,
	.write = redis_group_write,
	.pending_bytes = redis_group_pending_bytes,
	.commit = redis_group_commit,
	.peek = redis_store_peek,
	.view = redis_store_view,
	.members = redis_store_members,
	.scan = redis_store_scan,
	.member_count = redis_store_member_count,
	.index_find = redis_store_index_find,
	.index_scan = redis_store_index_scan,
	.erase_record = redis_store_erase_record,
	.erase = redis_store_erase,
	.renewals = redis_store_renewals,
	.script = redis_store_script,
};

enum sg_err
store_open_redis(const struct store_opts *opts, struct store **ret_store,
	struct sg_fault *why)
{
	struct redis_store *store;
	enum sg_err err = redis_prefix_check(opts->prefix, why);

	if (err != SG_OK)
		return err;
	store = calloc(1, sizeof(*store));
	if (store == NULL)
		return sg_fault_set(why, SG_NOMEM, "no memory for a store");
	store->base.ops = &redis_ops;
	store->layout = opts->layout;
	memcpy(store->prefix, opts->prefix, strlen(opts->prefix));
	store->nodes.is_old = true;
	store->wait.nreplicas = opts->wait_replicas;
	store->wait.has_aof = opts->is_waiting_for_aof;
	store->wait.timeout_ms = opts->wait_timeout_ms;
	resp_init(&store->request, STORE_COMMIT_MAX);
	err = redis_target_init(&store->target, opts, why);
	if (err == SG_OK &&
		(opts->wait_replicas > 0 || opts->is_waiting_for_aof) &&
		(opts->wait_timeout_ms <= 0 ||
			opts->wait_timeout_ms >= opts->command_timeout_ms))
		err = sg_fault_set(why, SG_BAD_OPTION,
			"redis.wait_timeout must be shorter than "
			"redis.command_timeout");
	if (err == SG_OK && store->target.is_tls)
		err = redis_tls_check(why);
	if (err == SG_OK && opts->layout == STORE_PARTITIONED &&
		store->target.db != 0)
		err = sg_fault_set(why, SG_BAD_OPTION,
			"redis.layout: partitioned is for a cluster, which has "
			"database 0 only");
	if (err == SG_OK && opts->layout == STORE_PARTITIONED &&
		store->target.master != NULL)
		err = sg_fault_set(why, SG_BAD_OPTION,
			"redis.layout: partitioned is for a cluster, which "
			"needs no sentinels");
	redis_conn_init(&store->conn, &store->target);
	redis_store_route(store, 0);
	if (err != SG_OK) {
		redis_store_close(&store->base);
		return err;
	}
	*ret_store = &store->base;
	return SG_OK;
}
