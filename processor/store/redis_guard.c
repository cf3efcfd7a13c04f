/*
 * redis_guard.c - the reign of one owner over a group, and the guard of every
 * request under it.
 *
 * The commit record m holds a token, drawn anew at each take-over, and the
 * number of the last commit of that reign. m is WATCHed on the group's
 * connection and read after the WATCH; every commit and load is one MULTI/EXEC,
 * which Redis refuses once anybody has written m since:
 *
 *      arm      WATCH m | HMGET m tok cid              must be (mine, k)
 *      commit   MULTI | writes | HSET m cid k+1 ... | EXEC | WATCH m | HMGET
 *      load     MULTI | HMGET | MGET ... | EXEC | WATCH m | HMGET
 *
 * so each request arms the next one in the same round trip. What m shows:
 *
 *      (mine, k)    as it was; a commit in flight was not applied
 *      (mine, k+1)  the commit in flight, or in doubt, was applied
 *      other token  somebody took over
 *      (mine, < k)  Redis lost what it acknowledged to us
 *      nothing      Redis lost everything
 *
 * DOUBT. When the connection is lost after a commit went out, it may have been
 * applied, or may be applied later: the server reads what a dead connection had
 * sent. That late copy is still guarded by its own WATCH, so it is applied only
 * while m says (mine, k): either it or the repeat is, and both are the same
 * bytes. Hence (mine, k+1) always means "applied, once". For the same reason a
 * commit in doubt can be repeated or given up with the reign, but not changed.
 *
 * INVARIANTS
 *  - is_armed: the connection is open, every reply was read, m is watched.
 *  - nothing is sent in a MULTI while not armed.
 *  - is_reigning turns true in a take-over only.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_store.h"
#include "segmentd/clock.h"
#include "segmentd/fault.h"

static const struct redis_key_text *
key_of(const struct redis_group *group)
{
	return &group->keys.key[REDIS_KEY_META];
}

void
redis_guard_put_read(struct redis_group *group, struct resp_stream *request)
{
	resp_begin(request, RESP_LONE, "HMGET");
	resp_arg(request, key_of(group)->at, key_of(group)->len);
	resp_arg_text(request, "tok");
	resp_arg_text(request, "cid");
}

static void
put_arm(struct redis_group *group, struct resp_stream *request)
{
	resp_begin(request, RESP_LONE, "WATCH");
	resp_arg(request, key_of(group)->at, key_of(group)->len);
	redis_guard_put_read(group, request);
	resp_close(request);
}

void
redis_guard_end(struct redis_group *group, struct resp_stream *request)
{
	resp_begin(request, RESP_LONE, "EXEC");
	put_arm(group, request);
}

void
redis_guard_init(struct redis_group *group)
{
	resp_reset(&group->arming);
	put_arm(group, &group->arming);
}

/* --- judging ---------------------------------------------------------------
 */

static enum sg_err
lost(struct redis_group *group, struct sg_fault *why, const char *text)
{
	group->is_reigning = false;
	group->is_armed = false;
	return sg_fault_set(why, SG_STORE_LOST, "%s: group %d: %s",
		group->store->target.where, (int)group->base.number, text);
}

enum sg_err
redis_guard_judge(struct redis_group *group, const redisReply *reply,
	struct sg_fault *why)
{
	const redisReply *token, *cid;
	uint64_t n;
	char text[96];
	char *end;

	if (reply->type == REDIS_REPLY_ERROR)
		return redis_conn_error(&group->conn, reply->str, why);
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2)
		return sg_fault_set(why, SG_INTERNAL, "HMGET: unexpected");
	token = reply->element[0];
	cid = reply->element[1];
	if (token->type != REDIS_REPLY_STRING ||
		cid->type != REDIS_REPLY_STRING)
		return lost(group, why,
			"the commit record is gone: Redis lost its data");
	if (strcmp(token->str, group->token) != 0)
		return lost(group, why, "another owner has taken over");
	n = strtoull(cid->str, &end, 10);
	if (n == group->cid)
		return SG_OK;
	if (n == group->cid + 1 && group->is_in_doubt) {
		group->cid = n;
		group->is_in_doubt = false;
		group->is_applied = true;
		return SG_OK;
	}
	(void)snprintf(text, sizeof(text),
		"commit %llu was acknowledged, Redis holds %llu",
		(unsigned long long)group->cid, (unsigned long long)n);
	return lost(group, why, text);
}

/* Read the replies of put_arm(). */
static enum sg_err
read_arm(struct redis_group *group, struct sg_fault *why)
{
	redisReply *watch = NULL, *hmget = NULL;
	enum sg_err err;

	group->is_armed = false;
	err = redis_conn_reply(&group->conn, &watch, why);
	if (err == SG_OK)
		err = redis_conn_reply(&group->conn, &hmget, why);
	if (err == SG_OK && watch->type == REDIS_REPLY_ERROR)
		err = redis_conn_error(&group->conn, watch->str, why);
	else if (err == SG_OK)
		err = redis_guard_judge(group, hmget, why);
	freeReplyObject(watch);
	freeReplyObject(hmget);
	group->is_armed = err == SG_OK;
	return err;
}

/* What the server refused first; empty: nothing. */
struct said {
	char text[256];
};

static void
note_error(struct said *said, const redisReply *reply)
{
	if (reply->type == REDIS_REPLY_ERROR && said->text[0] == '\0')
		(void)snprintf(
			said->text, sizeof(said->text), "%s", reply->str);
}

/* --- requests --------------------------------------------------------------
 */

static enum sg_err
send_request(struct redis_group *group, const struct resp_stream *request,
	struct sg_fault *why)
{
	size_t len;
	const uint8_t *bytes = resp_bytes(request, &len);

	if (bytes == NULL)
		return sg_fault_set(why, SG_NOMEM,
			"a request to Redis is too large for memory");
	/* Whatever happens now, the WATCH in force is used up. */
	group->is_armed = false;
	redis_conn_send(&group->conn, bytes, len);
	return SG_OK;
}

enum sg_err
redis_guard_arm(struct redis_group *group, struct sg_fault *why)
{
	enum sg_err err;

	if (!group->is_reigning)
		return sg_fault_set(why, SG_STORE_LOST, "group %d is not ours",
			(int)group->base.number);
	if (group->is_armed && group->conn.ctx != NULL)
		return SG_OK;
	err = redis_conn_open(&group->conn, why);
	if (err != SG_OK)
		return err;
	err = send_request(group, &group->arming, why);
	return err != SG_OK ? err : read_arm(group, why);
}

/* The replies before that of EXEC: OK, QUEUED, ... The first error tells why
 * the EXEC will be refused. */
static enum sg_err
read_queued(struct redis_group *group, uint32_t n, struct said *said,
	struct sg_fault *why)
{
	for (uint32_t i = 0; i < n; i++) {
		redisReply *reply;
		enum sg_err err = redis_conn_reply(&group->conn, &reply, why);

		if (err != SG_OK)
			return err;
		note_error(said, reply);
		freeReplyObject(reply);
	}
	return SG_OK;
}

/* Read every reply of a request, that of EXEC to *ret_exec. */
static enum sg_err
read_exec(struct redis_group *group, uint32_t nqueued, bool was_in_doubt,
	redisReply **ret_exec, struct sg_fault *why)
{
	struct said said = {.text = ""};
	bool was_reigning = group->is_reigning;
	redisReply *exec;
	enum sg_err err;

	err = read_queued(group, nqueued, &said, why);
	if (err != SG_OK)
		return err;
	err = redis_conn_reply(&group->conn, &exec, why);
	if (err != SG_OK)
		return err;
	note_error(&said, exec);
	err = read_arm(group, why);
	if (exec->type != REDIS_REPLY_ARRAY && !group->is_applied)
		group->is_in_doubt = was_in_doubt;
	/* The end of a reign outweighs the reason of a refusal. */
	if (exec->type == REDIS_REPLY_ERROR &&
		(err != SG_STORE_LOST || !was_reigning)) {
		err = redis_conn_error(&group->conn, said.text, why);
		group->is_armed = group->is_armed && group->conn.ctx != NULL;
	}
	if (err == SG_OK)
		*ret_exec = exec;
	else
		freeReplyObject(exec);
	return err;
}

enum sg_err
redis_guard_exec(struct redis_group *group, const struct resp_stream *request,
	bool is_commit, redisReply **ret_exec, struct sg_fault *why)
{
	bool was_in_doubt = group->is_in_doubt;
	enum sg_err err = send_request(group, request, why);

	if (err != SG_OK)
		return err;
	if (is_commit)
		group->is_in_doubt = true;
	/* The answer is lost, what was sent is not. */
	if (is_commit && FAULT_DROPS(R1))
		redis_conn_close(&group->conn);
	/* Behind the queued ones: EXEC, WATCH, HMGET. */
	return read_exec(
		group, request->ncommands - 3, was_in_doubt, ret_exec, why);
}

/* --- taking over -----------------------------------------------------------
 */

static void
draw_token(struct redis_group *group)
{
	uint64_t bits;

	clock_random(&bits, sizeof(bits));
	(void)snprintf(group->token, sizeof(group->token), "%016llx",
		(unsigned long long)bits);
}

static void
put_takeover(struct redis_group *group, struct resp_stream *request)
{
	resp_reset(request);
	resp_begin(request, RESP_LONE, "UNWATCH");
	resp_begin(request, RESP_LONE, "MULTI");
	resp_begin(request, RESP_LONE, "HGETALL");
	resp_arg(request, key_of(group)->at, key_of(group)->len);
	resp_begin(request, RESP_LONE, "HSET");
	resp_arg(request, key_of(group)->at, key_of(group)->len);
	resp_arg_text(request, "tok");
	resp_arg_text(request, group->token);
	resp_arg_text(request, "cid");
	resp_arg_text(request, "0");
	redis_guard_end(group, request);
}

enum sg_err
redis_group_takeover(struct store_group *base, struct arena *arena,
	struct store_meta *ret_meta, struct sg_fault *why)
{
	struct redis_group *group = (struct redis_group *)base;
	redisReply *exec = NULL;
	enum sg_err err;

	group->is_reigning = false;
	group->is_armed = false;
	group->cid = 0;
	redis_commit_reset(group);
	err = redis_conn_open(&group->conn, why);
	if (err != SG_OK)
		return err;
	/* Drawn anew for each try: one whose answer was lost is another's. */
	draw_token(group);
	put_takeover(group, &group->request);
	err = redis_guard_exec(group, &group->request, false, &exec, why);
	if (err != SG_OK)
		return err;
	if (exec->type == REDIS_REPLY_ARRAY && exec->elements == 2)
		err = redis_read_meta(exec->element[0], arena, ret_meta);
	else
		err = SG_STORE_BUSY;
	freeReplyObject(exec);
	if (err != SG_OK)
		return sg_fault_set(why, err, "%s: group %d: take-over: %s",
			group->store->target.where, (int)base->number,
			sg_err_text(err));
	group->is_reigning = true;
	return SG_OK;
}

enum sg_err
redis_group_check(struct store_group *base, struct sg_fault *why)
{
	struct redis_group *group = (struct redis_group *)base;
	redisReply *reply = NULL;
	bool was_armed = group->is_armed && group->conn.ctx != NULL;
	enum sg_err err = redis_guard_arm(group, why);

	if (err != SG_OK || !was_armed)
		return err;
	resp_reset(&group->request);
	redis_guard_put_read(group, &group->request);
	resp_close(&group->request);
	err = send_request(group, &group->request, why);
	if (err == SG_OK)
		err = redis_conn_reply(&group->conn, &reply, why);
	if (err == SG_OK)
		err = redis_guard_judge(group, reply, why);
	freeReplyObject(reply);
	/* A plain read leaves the WATCH in force. */
	group->is_armed = err == SG_OK;
	return err;
}
