#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_store.h"

/* Accounts of one round trip: what Redis and hiredis hold at a time. */
#define LOAD_MAX ((size_t)1024)

/* Repeats after somebody wrote m and put it back. */
#define TRIES 3

/* --- the commit record -----------------------------------------------------
 */

static const char *
copy_text(struct arena *arena, const redisReply *reply, bool *is_ok)
{
	const char *text = arena_copy(arena, reply->str, reply->len);

	*is_ok = *is_ok && text != NULL;
	return text;
}

static bool
parse_layout(const redisReply *name, uint64_t *ret_hash)
{
	char *end;

	if (name->len != 17 || name->str[0] != 'L')
		return false;
	*ret_hash = strtoull(name->str + 1, &end, 16);
	return *end == '\0';
}

static bool
read_meta_field(const redisReply *name, const redisReply *value,
	struct arena *arena, struct store_meta *meta)
{
	struct store_layout_entry *layout = &meta->layouts[meta->nlayouts];
	bool is_ok = true;

	if (strcmp(name->str, "lin") == 0)
		meta->lineage = copy_text(arena, value, &is_ok);
	else if (strcmp(name->str, "w") == 0)
		meta->w = copy_text(arena, value, &is_ok);
	else if (strcmp(name->str, "out") == 0)
		meta->out = copy_text(arena, value, &is_ok);
	else if (strcmp(name->str, "codec") == 0)
		meta->codec = copy_text(arena, value, &is_ok);
	else if (parse_layout(name, &layout->hash)) {
		layout->bytes = copy_text(arena, value, &is_ok);
		layout->len = value->len;
		meta->nlayouts++;
	}
	return is_ok;
}

enum sg_err
redis_read_meta(const redisReply *reply, struct arena *arena,
	struct store_meta *ret_meta)
{
	struct store_meta meta = {0};

	if (reply->type != REDIS_REPLY_ARRAY)
		return SG_INTERNAL;
	meta.layouts = arena_array(
		arena, reply->elements / 2 + 1, sizeof(*meta.layouts));
	if (meta.layouts == NULL)
		return SG_NOMEM;
	for (size_t i = 0; i + 1 < reply->elements; i += 2) {
		const redisReply *name = reply->element[i];
		const redisReply *value = reply->element[i + 1];

		if (name->type != REDIS_REPLY_STRING ||
			value->type != REDIS_REPLY_STRING)
			return SG_INTERNAL;
		if (!read_meta_field(name, value, arena, &meta))
			return SG_NOMEM;
	}
	/* A take-over alone leaves a token and nothing to go on from. */
	meta.is_present = meta.w != NULL;
	*ret_meta = meta;
	return SG_OK;
}

/* --- guarded reads ---------------------------------------------------------
 */

/* A request of one command to come, with m beside it in the same MULTI. */
static struct resp_stream *
read_begin(struct redis_group *group)
{
	resp_reset(&group->request);
	resp_begin(&group->request, RESP_LONE, "MULTI");
	redis_guard_put_read(group, &group->request);
	return &group->request;
}

/* Was m read in the MULTI ours, and not older than `cid`? The WATCH has made
 * sure of that already, where the server keeps what Redis promises. */
static bool
is_ours(const struct redis_group *group, const redisReply *reply, uint64_t cid)
{
	return reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
	       reply->element[0]->type == REDIS_REPLY_STRING &&
	       reply->element[1]->type == REDIS_REPLY_STRING &&
	       strcmp(reply->element[0]->str, group->token) == 0 &&
	       strtoull(reply->element[1]->str, NULL, 10) >= cid;
}

static enum sg_err
read_check(struct redis_group *group, const redisReply *exec, uint64_t cid,
	struct sg_fault *why)
{
	if (exec->type != REDIS_REPLY_ARRAY)
		return sg_fault_set(why, SG_STORE_BUSY,
			"%s: group %d: the commit record was touched",
			group->store->target.where, (int)group->base.number);
	if (exec->elements != 2)
		return sg_fault_set(why, SG_INTERNAL, "EXEC: unexpected");
	if (exec->element[1]->type == REDIS_REPLY_ERROR)
		return redis_conn_error(
			&group->conn, exec->element[1]->str, why);
	if (!is_ours(group, exec->element[0], cid)) {
		group->is_reigning = false;
		return sg_fault_set(why, SG_STORE_LOST,
			"%s: group %d: a load was not under our reign",
			group->store->target.where, (int)group->base.number);
	}
	return SG_OK;
}

/*
 * End and send the request.
 *
 * Owner: the caller, freeReplyObject(). Element 1 is the answer.
 */
static enum sg_err
read_end(struct redis_group *group, redisReply **ret_exec, struct sg_fault *why)
{
	enum sg_err err = SG_STORE_BUSY;

	redis_guard_end(group, &group->request);
	/* Busy without an error reply: m was written and still shows us, as by
	 * a late copy of a commit in doubt. */
	for (int i = 0; i < TRIES && err == SG_STORE_BUSY; i++) {
		redisReply *exec = NULL;
		uint64_t cid;

		err = redis_guard_arm(group, why);
		if (err != SG_OK)
			return err;
		cid = group->cid;
		err = redis_guard_exec(
			group, &group->request, false, &exec, why);
		if (err != SG_OK)
			return err;
		err = read_check(group, exec, cid, why);
		if (err == SG_OK) {
			*ret_exec = exec;
			return SG_OK;
		}
		freeReplyObject(exec);
	}
	return err;
}

/* --- states of accounts ----------------------------------------------------
 */

static enum sg_err
copy_blobs(const redisReply *reply, size_t n, struct arena *arena,
	struct store_blob *ret_blobs)
{
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != n)
		return SG_INTERNAL;
	for (size_t i = 0; i < n; i++) {
		const redisReply *blob = reply->element[i];

		ret_blobs[i] = (struct store_blob){0};
		if (blob->type != REDIS_REPLY_STRING)
			continue;
		ret_blobs[i].len = blob->len;
		ret_blobs[i].bytes = arena_copy(arena, blob->str, blob->len);
		if (ret_blobs[i].bytes == NULL)
			return SG_NOMEM;
	}
	return SG_OK;
}

static enum sg_err
load_some(struct redis_group *group, const char *const *accounts, size_t n,
	struct arena *arena, struct store_blob *ret_blobs, struct sg_fault *why)
{
	const struct redis_key_text *key = &group->keys.key[REDIS_KEY_STATE];
	struct resp_stream *request = read_begin(group);
	redisReply *exec = NULL;
	enum sg_err err;

	resp_begin(request, RESP_LONE, "MGET");
	for (size_t i = 0; i < n; i++)
		resp_arg2(request, key->at, key->len, accounts[i],
			strlen(accounts[i]));
	err = read_end(group, &exec, why);
	if (err != SG_OK)
		return err;
	err = copy_blobs(exec->element[1], n, arena, ret_blobs);
	freeReplyObject(exec);
	if (err != SG_OK)
		return sg_fault_set(why, err, "load: %s", sg_err_text(err));
	return SG_OK;
}

enum sg_err
redis_group_load(struct store_group *base, const char *const *accounts,
	size_t n, struct arena *arena, struct store_blob *ret_blobs,
	struct sg_fault *why)
{
	struct redis_group *group = (struct redis_group *)base;
	enum sg_err err = SG_OK;

	if (n == 0)
		return redis_guard_arm(group, why);
	for (size_t i = 0; err == SG_OK && i < n; i += LOAD_MAX) {
		size_t len = n - i < LOAD_MAX ? n - i : LOAD_MAX;

		err = load_some(
			group, accounts + i, len, arena, ret_blobs + i, why);
	}
	return err;
}

/* --- due accounts ----------------------------------------------------------
 */

static enum sg_err
copy_due(const redisReply *reply, struct arena *arena,
	struct store_due **ret_due, size_t *ret_n)
{
	size_t n = reply->elements / 2;
	struct store_due *due;

	if (reply->type != REDIS_REPLY_ARRAY)
		return SG_INTERNAL;
	due = arena_array(arena, n + 1, sizeof(*due));
	if (due == NULL)
		return SG_NOMEM;
	for (size_t i = 0; i < n; i++) {
		const redisReply *account = reply->element[2 * i];
		const redisReply *score = reply->element[2 * i + 1];

		if (account->type != REDIS_REPLY_STRING ||
			score->type != REDIS_REPLY_STRING)
			return SG_INTERNAL;
		/* Whole numbers, since that is what we write. */
		due[i].due_ms = strtoll(score->str, NULL, 10);
		due[i].account = arena_copy(arena, account->str, account->len);
		if (due[i].account == NULL)
			return SG_NOMEM;
	}
	*ret_due = due;
	*ret_n = n;
	return SG_OK;
}

static void
put_due(struct redis_group *group, int64_t before_ms, size_t max)
{
	const struct redis_key_text *key = &group->keys.key[REDIS_KEY_DUE];
	struct resp_stream *request = read_begin(group);
	char before[32];

	(void)snprintf(before, sizeof(before), "(%lld", (long long)before_ms);
	resp_begin(request, RESP_LONE, "ZRANGEBYSCORE");
	resp_arg(request, key->at, key->len);
	resp_arg_text(request, "-inf");
	resp_arg_text(request, before);
	resp_arg_text(request, "WITHSCORES");
	resp_arg_text(request, "LIMIT");
	resp_arg_text(request, "0");
	resp_arg_uint(request, max);
}

enum sg_err
redis_group_due(struct store_group *base, int64_t before_ms, size_t max,
	struct arena *arena, struct store_due **ret_due, size_t *ret_n,
	struct sg_fault *why)
{
	struct redis_group *group = (struct redis_group *)base;
	redisReply *exec = NULL;
	enum sg_err err;

	put_due(group, before_ms, max < INT32_MAX ? max : INT32_MAX);
	err = read_end(group, &exec, why);
	if (err != SG_OK)
		return err;
	err = copy_due(exec->element[1], arena, ret_due, ret_n);
	freeReplyObject(exec);
	if (err != SG_OK)
		return sg_fault_set(why, err, "due: %s", sg_err_text(err));
	return SG_OK;
}
