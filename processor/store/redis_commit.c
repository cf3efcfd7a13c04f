/*
 * redis_commit.c - adding to a commit, and committing.
 *
 * What is added is formatted at once, into a stream for each family of keys.
 * At the commit they become one frame, which is kept until it is acknowledged
 * and, if need be, sent again as the same bytes:
 *
 *      MULTI
 *      MSET state:a .. state:b ..      states, already in place
 *      HSET acct:a f v f v ...         the other streams, copied behind
 *      SADD, SREM, ZADD, ZREM
 *      HSET m cid k+1 codec 1 lin .. w .. out ..
 *      EXEC | WATCH m | HMGET m tok cid
 *
 * Where it is asked for, WAIT or WAITAOF follows the acknowledged commit on the
 * same connection; a plain command, it leaves the WATCH in force.
 *
 * MSET and ZADD take everything of their kind in one command: Redis pays for a
 * command in a MULTI about as much as for storing 600 bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "redis_node.h"
#include "redis_store.h"
#include "segmentd/clock.h"
#include "segmentd/log.h"

/* Repeats after somebody wrote m and put it back: nobody has a reason to. */
#define TRIES 3

/* A lack of replicas is counted each time and told so often. */
#define SHOWN_EVERY_US ((int64_t)10 * 1000 * 1000)

void
redis_commit_reset(struct redis_group *group)
{
	for (size_t i = 0; i < REDIS_STREAM_COUNT; i++)
		resp_reset(&group->streams[i]);
	resp_begin(&group->streams[REDIS_STREAM_STATE], RESP_LONE, "MULTI");
	group->is_framed = false;
	group->is_in_doubt = false;
	group->is_applied = false;
}

void
redis_group_clear(struct store_group *base)
{
	struct redis_group *group = (struct redis_group *)base;

	if (group->is_in_doubt || group->is_applied)
		group->is_reigning = false;
	redis_commit_reset(group);
}

/* --- adding ----------------------------------------------------------------
 */

/* Continue, or begin, the command `name` on a whole key. */
static void
open_whole(struct redis_group *group, enum redis_stream at, int kind,
	const char *name, enum redis_key key_number)
{
	const struct redis_key_text *key = &group->keys.key[key_number];
	struct resp_stream *stream = &group->streams[at];

	if (resp_is_open(stream, kind, key->at, key->len, NULL, 0))
		return;
	resp_begin(stream, kind, name);
	resp_arg(stream, key->at, key->len);
	resp_mark_key(stream, key->len);
}

/* The same on a key that ends with `id`. */
static void
open_key(struct redis_group *group, enum redis_stream at, int kind,
	const char *name, enum redis_key key_number, const char *id, size_t len)
{
	const struct redis_key_text *key = &group->keys.key[key_number];
	struct resp_stream *stream = &group->streams[at];

	if (resp_is_open(stream, kind, key->at, key->len, id, len))
		return;
	resp_begin(stream, kind, name);
	resp_arg2(stream, key->at, key->len, id, len);
	resp_mark_key(stream, key->len + len);
}

static void
write_state(struct redis_group *group, const struct store_write *write)
{
	const struct redis_key_text *key = &group->keys.key[REDIS_KEY_STATE];
	struct resp_stream *stream = &group->streams[REDIS_STREAM_STATE];
	bool is_set = write->kind == STORE_SET_STATE;

	/* The key differs each time, so it is no part of what is open. */
	if (!resp_is_open(stream, (int)write->kind, NULL, 0, NULL, 0))
		resp_begin(stream, (int)write->kind, is_set ? "MSET" : "DEL");
	resp_arg2(stream, key->at, key->len, write->account,
		strlen(write->account));
	if (is_set)
		resp_arg(stream, write->bytes, write->len);
}

static void
write_view(struct redis_group *group, const struct store_write *write)
{
	struct resp_stream *stream = &group->streams[REDIS_STREAM_VIEW];
	const char *name = write->kind == STORE_SET_FIELD   ? "HSET"
			   : write->kind == STORE_DEL_FIELD ? "HDEL"
							    : "DEL";

	open_key(group, REDIS_STREAM_VIEW, (int)write->kind, name,
		REDIS_KEY_VIEW, write->account, strlen(write->account));
	if (write->kind == STORE_DEL_VIEW)
		return;
	resp_arg_text(stream, write->name);
	if (write->kind == STORE_SET_FIELD)
		resp_arg(stream, write->bytes, write->len);
}

static void
write_member(struct redis_group *group, const struct store_write *write)
{
	struct resp_stream *stream = &group->streams[REDIS_STREAM_SEGMENT];
	const char *name = write->kind == STORE_ADD_MEMBER ? "SADD" : "SREM";
	size_t len = strlen(write->name), len2 = strlen(write->name2);
	char id[256];
	char *at = id;

	/* Names of the configuration: as good as never this long. */
	if (len + 1 + len2 > sizeof(id))
		at = malloc(len + 1 + len2);
	if (at == NULL) {
		stream->buf.is_failed = true;
		return;
	}
	memcpy(at, write->name, len);
	at[len] = ':';
	memcpy(at + len + 1, write->name2, len2);
	open_key(group, REDIS_STREAM_SEGMENT, (int)write->kind, name,
		REDIS_KEY_SEGMENT, at, len + 1 + len2);
	resp_arg_text(stream, write->account);
	if (at != id)
		free(at);
}

/* An entry of a sorted set; `id` is the end of its key. */
static void
write_score(struct redis_group *group, const struct store_write *write,
	enum redis_stream at, enum redis_key key_number, const char *id)
{
	bool is_set = write->kind == STORE_SET_DUE ||
		      write->kind == STORE_SET_RENEWAL;

	open_key(group, at, (int)write->kind, is_set ? "ZADD" : "ZREM",
		key_number, id, strlen(id));
	if (is_set)
		resp_arg_double(&group->streams[at], write->score);
	resp_arg_text(&group->streams[at], write->account);
}

/* The queue, and beside it who may be claimed. */
static void
write_renewal(struct redis_group *group, const struct store_write *write)
{
	write_score(group, write, REDIS_STREAM_RENEWAL, REDIS_KEY_RENEWALS, "");
	write_score(group, write, REDIS_STREAM_OPEN, REDIS_KEY_OPEN, "");
	write_score(group, write, REDIS_STREAM_WINDOW, REDIS_KEY_WINDOW,
		write->name);
	if (write->kind == STORE_SET_RENEWAL)
		return;
	open_whole(group, REDIS_STREAM_DONE, (int)write->kind, "HDEL",
		REDIS_KEY_DONE);
	resp_arg_text(&group->streams[REDIS_STREAM_DONE], write->account);
}

static void
write_layout(struct redis_group *group, const struct store_write *write)
{
	struct resp_stream *stream = &group->streams[REDIS_STREAM_META];
	static const char digits[] = "0123456789abcdef";
	char name[17] = "L";

	for (size_t i = 0; i < 16; i++)
		name[1 + i] = digits[write->hash >> (60 - 4 * i) & 15];
	open_whole(group, REDIS_STREAM_META, (int)write->kind, "HSET",
		REDIS_KEY_META);
	resp_arg(stream, name, sizeof(name));
	resp_arg(stream, write->bytes, write->len);
}

void
redis_group_write(struct store_group *base, const struct store_write *write)
{
	struct redis_group *group = (struct redis_group *)base;

	if (group->is_framed)
		return;
	switch (write->kind) {
	case STORE_SET_STATE:
	case STORE_DEL_STATE:
		write_state(group, write);
		break;
	case STORE_SET_FIELD:
	case STORE_DEL_FIELD:
	case STORE_DEL_VIEW:
		write_view(group, write);
		break;
	case STORE_ADD_MEMBER:
	case STORE_DEL_MEMBER:
		write_member(group, write);
		break;
	case STORE_SET_RENEWAL:
	case STORE_DEL_RENEWAL:
		write_renewal(group, write);
		break;
	case STORE_SET_DUE:
	case STORE_DEL_DUE:
		write_score(group, write, REDIS_STREAM_DUE, REDIS_KEY_DUE, "");
		break;
	case STORE_SET_LAYOUT:
		write_layout(group, write);
		break;
	}
}

size_t
redis_group_pending_bytes(const struct store_group *base)
{
	const struct redis_group *group = (const struct redis_group *)base;
	size_t bytes = 0;

	for (size_t i = 0; i < REDIS_STREAM_COUNT; i++) {
		size_t len;

		(void)resp_bytes(&group->streams[i], &len);
		bytes += len;
	}
	return bytes;
}

/* --- committing ------------------------------------------------------------
 */

static void
put_text(struct resp_stream *stream, const char *name, const char *text)
{
	if (text == NULL)
		return;
	resp_arg_text(stream, name);
	resp_arg_text(stream, text);
}

/* Make one frame of the streams. */
static enum sg_err
frame(struct redis_group *group, const struct store_texts *texts,
	struct sg_fault *why)
{
	const struct redis_key_text *meta = &group->keys.key[REDIS_KEY_META];
	struct resp_stream *whole = &group->streams[REDIS_STREAM_STATE];

	for (size_t i = 0; i < REDIS_STREAM_COUNT; i++) {
		resp_close(&group->streams[i]);
		if (i != REDIS_STREAM_STATE)
			resp_append(whole, &group->streams[i]);
	}
	resp_begin(whole, RESP_LONE, "HSET");
	resp_arg(whole, meta->at, meta->len);
	resp_arg_text(whole, "cid");
	resp_arg_uint(whole, group->cid + 1);
	put_text(whole, "codec", "1");
	put_text(whole, "lin", texts->lineage);
	put_text(whole, "w", texts->w);
	put_text(whole, "out", texts->out);
	redis_guard_end(group, whole);
	if (whole->buf.is_failed)
		return sg_fault_set(why, SG_NOMEM,
			"group %d: a commit is too large for memory",
			(int)group->base.number);
	group->is_framed = true;
	return SG_OK;
}

/* EXEC applies what it can: a command that fails at run time does not stop the
 * others. Only a key of a foreign type can be the reason. */
static enum sg_err
check_exec(
	struct redis_group *group, const redisReply *exec, struct sg_fault *why)
{
	for (size_t i = 0; i < exec->elements; i++)
		if (exec->element[i]->type == REDIS_REPLY_ERROR) {
			(void)redis_conn_error(
				&group->conn, exec->element[i]->str, why);
			if (why != NULL)
				why->err = SG_OPERATOR;
			return SG_OPERATOR;
		}
	return SG_OK;
}

static enum sg_err
try_commit(struct redis_group *group, struct sg_fault *why)
{
	redisReply *exec = NULL;
	enum sg_err err = redis_guard_arm(group, why);

	/* Arming may have shown that it was applied before. */
	if (err != SG_OK || group->is_applied)
		return err;
	err = redis_guard_exec(
		group, &group->streams[REDIS_STREAM_STATE], true, &exec, why);
	if (err == SG_OK && exec->type == REDIS_REPLY_ARRAY)
		err = check_exec(group, exec, why);
	freeReplyObject(exec);
	return err;
}

/* --- waiting for replicas ---------------------------------------------------
 */

static void
put_wait(const struct redis_store *store, struct resp_stream *request)
{
	resp_reset(request);
	resp_begin(
		request, RESP_LONE, store->wait.has_aof ? "WAITAOF" : "WAIT");
	if (store->wait.has_aof)
		resp_arg_text(request, "1");
	resp_arg_uint(request, (uint64_t)store->wait.nreplicas);
	resp_arg_uint(request, (uint64_t)store->wait.timeout_ms);
}

/* WAIT: how many replicas; WAITAOF: [whether here, how many replicas]. */
static bool
is_enough(const struct redis_store *store, const redisReply *reply)
{
	if (!store->wait.has_aof)
		return reply->type == REDIS_REPLY_INTEGER &&
		       reply->integer >= store->wait.nreplicas;
	return reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
	       reply->element[0]->type == REDIS_REPLY_INTEGER &&
	       reply->element[1]->type == REDIS_REPLY_INTEGER &&
	       reply->element[0]->integer >= 1 &&
	       reply->element[1]->integer >= store->wait.nreplicas;
}

static void
note_unreplicated(struct redis_group *group, const char *reason)
{
	struct redis_store *store = group->store;
	int64_t now_us = clock_mono_us();

	store->base.nunreplicated++;
	if (store->wait.shown_us != 0 &&
		now_us - store->wait.shown_us < SHOWN_EVERY_US)
		return;
	store->wait.shown_us = now_us;
	SG_LOG(LOG_WARN, "redis_unreplicated",
		LOG_INT("partition", group->base.number),
		LOG_INT("wait_replicas", store->wait.nreplicas),
		LOG_INT("so_far", (int64_t)store->base.nunreplicated),
		LOG_STR("why", reason));
}

/* The commit is acknowledged: what is not reached here is counted, and no
 * reason to write it again. Only what cannot ever work is an error. */
static enum sg_err
wait_for_replicas(struct redis_group *group, struct sg_fault *why)
{
	struct redis_store *store = group->store;
	redisReply *reply = NULL;
	struct sg_fault fault = {.text = ""};
	enum sg_err err;

	if (store->wait.nreplicas == 0 && !store->wait.has_aof)
		return SG_OK;
	put_wait(store, &group->request);
	err = redis_node_ask(&group->conn, &group->request, &reply, &fault);
	if (err == SG_OK && reply->type == REDIS_REPLY_ERROR)
		err = redis_conn_error(&group->conn, reply->str, &fault);
	if (err == SG_OK && !is_enough(store, reply))
		note_unreplicated(group, "not in time");
	freeReplyObject(reply);
	if (err == SG_OK)
		return SG_OK;
	if (sg_err_class(err) != SG_CLASS_RETRY)
		return sg_fault_set(why, err, "%s", fault.text);
	note_unreplicated(group, fault.text);
	return SG_OK;
}

enum sg_err
redis_group_commit(struct store_group *base, const struct store_texts *texts,
	struct sg_fault *why)
{
	struct redis_group *group = (struct redis_group *)base;
	enum sg_err err = SG_OK;

	if (!group->is_framed)
		err = frame(group, texts, why);
	for (int i = 0; err == SG_OK && !group->is_applied; i++) {
		if (i == TRIES)
			return sg_fault_set(why, SG_STORE_BUSY,
				"%s: group %d: somebody keeps writing %s",
				group->store->target.where, (int)base->number,
				group->keys.key[REDIS_KEY_META].at);
		err = try_commit(group, why);
	}
	if (group->is_applied && (err == SG_OK || err == SG_OPERATOR))
		redis_commit_reset(group);
	if (err == SG_OK)
		err = wait_for_replicas(group, why);
	return err;
}
