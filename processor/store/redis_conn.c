/*
 * redis_conn.c - one connection to Redis that never blocks past its deadline
 * and never comes back by itself.
 *
 * hiredis connects, parses and speaks TLS. Waiting is done here: after the
 * connect the socket does not block, and poll() is given what is left until the
 * deadline of the round trip. hiredis's own time-outs are per read, so a server
 * that drips bytes could hold a worker for ever. (The name look-up is the
 * resolver's, with its own time-outs.)
 *
 * Writing and reading go on together, so a pipeline of any size cannot get
 * stuck with both sides writing. A plain socket is written to directly from the
 * caller's bytes: no copy into hiredis's buffer, which moves all of it at each
 * partial write, and no SIGPIPE.
 *
 * When the peer has closed its side, what it said before is still read: "max
 * number of clients reached" arrives that way.
 */
#include "redis_conn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "redis_node.h"
#include "redis_tls.h"
#include "resp.h"
#include "segmentd/clock.h"

/* Bytes handed to hiredis at a time where it has to write (TLS). */
#define TLS_CHUNK ((size_t)64 * 1024)

/* The largest login: user and password of a URL. */
#define LOGIN_MAX ((size_t)64 * 1024)

void
redis_conn_init(struct redis_conn *conn, const struct redis_target *target)
{
	*conn = (struct redis_conn){.target = target};
	(void)snprintf(conn->where, sizeof(conn->where), "%s", target->where);
}

void
redis_conn_route(
	struct redis_conn *conn, const char *key, struct redis_nodes *nodes)
{
	conn->key = key;
	conn->nodes = nodes;
}

void
redis_conn_close(struct redis_conn *conn)
{
	if (conn->ctx != NULL)
		redisFree(conn->ctx);
	conn->ctx = NULL;
	conn->out_len = 0;
	conn->is_flushing = false;
	conn->tag = 0;
}

void
redis_conn_fini(struct redis_conn *conn)
{
	redis_conn_close(conn);
}

/* --- sending and waiting ------------------------------------------------- */

static enum sg_err
down(struct redis_conn *conn, struct sg_fault *why, const char *text)
{
	enum sg_err err =
		sg_fault_set(why, SG_STORE_DOWN, "%s: %s", conn->where, text);

	redis_conn_close(conn);
	redis_node_forget(conn);
	return err;
}

static void
write_plain(struct redis_conn *conn)
{
	while (conn->out_len > 0) {
		ssize_t n = send(
			conn->ctx->fd, conn->out, conn->out_len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			/* A dead socket is left for the reading side to find:
			 * the reason may be waiting there. */
			if (errno != EAGAIN && errno != EWOULDBLOCK)
				conn->out_len = 0;
			return;
		}
		conn->out += n;
		conn->out_len -= (size_t)n;
	}
}

static void
write_tls(struct redis_conn *conn)
{
	while (conn->is_flushing || conn->out_len > 0) {
		size_t len =
			conn->out_len < TLS_CHUNK ? conn->out_len : TLS_CHUNK;
		int is_done = 0;

		if (!conn->is_flushing) {
			if (redisAppendFormattedCommand(conn->ctx,
				    (const char *)conn->out, len) != REDIS_OK)
				break;
			conn->out += len;
			conn->out_len -= len;
			conn->is_flushing = true;
		}
		if (redisBufferWrite(conn->ctx, &is_done) != REDIS_OK)
			break;
		if (!is_done)
			return;
		conn->is_flushing = false;
	}
	conn->out_len = 0;
	conn->is_flushing = false;
}

static void
write_some(struct redis_conn *conn)
{
	if (conn->target->is_tls)
		write_tls(conn);
	else
		write_plain(conn);
}

void
redis_conn_send(struct redis_conn *conn, const void *bytes, size_t len)
{
	conn->out = bytes;
	conn->out_len = len;
	conn->deadline_us = clock_mono_us() +
			    (int64_t)conn->target->command_timeout_ms * 1000;
	write_some(conn);
}

/* Wait until something can be read or written, and do it. */
static enum sg_err
pump(struct redis_conn *conn, struct sg_fault *why)
{
	struct pollfd fd = {.fd = conn->ctx->fd, .events = POLLIN};
	int64_t left_us = conn->deadline_us - clock_mono_us();
	int n;

	if (conn->out_len > 0 || conn->is_flushing)
		fd.events |= POLLOUT;
	n = poll(&fd, 1, left_us <= 0 ? 0 : (int)((left_us + 999) / 1000));
	if (n < 0 && errno == EINTR)
		return SG_OK;
	if (n < 0)
		return down(conn, why, "poll failed");
	if (n == 0) {
		char text[64];

		(void)snprintf(text, sizeof(text), "no answer within %d ms",
			(int)conn->target->command_timeout_ms);
		return down(conn, why, text);
	}
	if ((fd.revents & POLLOUT) != 0)
		write_some(conn);
	if ((fd.revents & (POLLIN | POLLHUP | POLLERR)) != 0 &&
		redisBufferRead(conn->ctx) != REDIS_OK)
		return down(conn, why, redis_tls_reason(conn->ctx->errstr));
	return SG_OK;
}

enum sg_err
redis_conn_reply(
	struct redis_conn *conn, redisReply **ret_reply, struct sg_fault *why)
{
	void *reply = NULL;

	if (conn->ctx == NULL)
		return sg_fault_set(
			why, SG_STORE_DOWN, "%s: not connected", conn->where);
	for (;;) {
		enum sg_err err;

		if (redisGetReplyFromReader(conn->ctx, &reply) != REDIS_OK)
			return down(conn, why, conn->ctx->errstr);
		if (reply != NULL)
			break;
		err = pump(conn, why);
		if (err != SG_OK)
			return err;
	}
	*ret_reply = reply;
	return SG_OK;
}

/* --- what the server says ------------------------------------------------- */

static bool
says(const char *text, const char *word)
{
	return strncmp(text, word, strlen(word)) == 0;
}

static bool
is_busy(const char *text)
{
	static const char *const words[] = {
		"LOADING",
		"BUSY",
		"OOM",
		"READONLY",
		"MASTERDOWN",
		"MISCONF",
		"NOREPLICAS",
		"CLUSTERDOWN",
		"TRYAGAIN",
		"ASK",
		"MOVED",
		"EXECABORT",
		"UNBLOCKED",
		"NOGOODSLAVE",
		"ERR max number of clients",
	};

	for (size_t i = 0; i < SG_COUNTOF(words); i++)
		if (says(text, words[i]))
			return true;
	return false;
}

/* Another server may do what this one refuses. */
static bool
is_elsewhere(const struct redis_conn *conn, const char *text)
{
	if (says(text, "LOADING"))
		return conn->target->master != NULL || conn->target->nhosts > 1;
	return says(text, "READONLY") || says(text, "MASTERDOWN") ||
	       says(text, "CLUSTERDOWN") || says(text, "UNBLOCKED");
}

/* What to do about it. An error not known here stands for itself. */
static const char *
advice(const char *text)
{
	static const struct {
		const char *word, *advice;
	} rows[] = {
		{"NOAUTH", "set redis.password, or put it into redis.url"},
		{"WRONGPASS", "redis.user and redis.password are refused"},
		{"NOPERM", "the user needs ~prefix:* and +@read +@write "
			   "+@transaction +@connection +info"},
		{"DENIED", "Redis only takes local clients while it has no "
			   "password (protected-mode)"},
		{"WRONGTYPE", "a key under redis.prefix is not ours: remove it "
			      "or choose another prefix"},
		{"CROSSSLOT", "set redis.layout: partitioned"},
		{"OOM", "give Redis more memory (maxmemory); nothing is lost "
			"meanwhile"},
		{"READONLY", "this is a replica; redis.url names the master, "
			     "or its sentinels"},
		{"ASK", "its slot is being moved to another node"},
		{"TRYAGAIN", "its slot is being moved to another node"},
		{"MISCONF", "Redis cannot save to its disk"},
	};

	for (size_t i = 0; i < SG_COUNTOF(rows); i++)
		if (says(text, rows[i].word))
			return rows[i].advice;
	return NULL;
}

enum sg_err
redis_conn_error(
	struct redis_conn *conn, const char *text, struct sg_fault *why)
{
	const char *hint = advice(text);
	enum sg_err err = is_busy(text) ? SG_STORE_BUSY : SG_BAD_OPTION;

	if (says(text, "WRONGTYPE"))
		err = SG_OPERATOR;
	(void)sg_fault_set(why, err, "%s: %.200s%s%s%s", conn->where, text,
		hint != NULL ? " (" : "", hint != NULL ? hint : "",
		hint != NULL ? ")" : "");
	if (says(text, "MOVED")) {
		redis_node_follow(conn, text);
		redis_conn_close(conn);
	} else if (is_elsewhere(conn, text)) {
		redis_conn_close(conn);
		redis_node_forget(conn);
	}
	return err;
}

/* --- opening ---------------------------------------------------------------
 */

static enum sg_err
connect_socket(struct redis_conn *conn, struct sg_fault *why)
{
	const struct redis_target *target = conn->target;
	struct timeval tv = {
		.tv_sec = target->connect_timeout_ms / 1000,
		.tv_usec = target->connect_timeout_ms % 1000 * 1000,
	};
	enum sg_err err;
	int flags;

	conn->ctx =
		target->path != NULL
			? redisConnectUnixWithTimeout(target->path, tv)
			: redisConnectWithTimeout(conn->host, conn->port, tv);
	if (conn->ctx == NULL)
		return sg_fault_set(why, SG_NOMEM, "no memory to connect");
	if (conn->ctx->err != 0)
		return down(conn, why, conn->ctx->errstr);
	if (target->is_tls) {
		if (redisSetTimeout(conn->ctx, tv) != REDIS_OK)
			return down(conn, why, conn->ctx->errstr);
		err = redis_tls_start(conn->ctx, target, conn->host, why);
		if (err != SG_OK) {
			redis_node_forget(conn);
			return err;
		}
	}
	flags = fcntl(conn->ctx->fd, F_GETFL);
	if (flags < 0 || fcntl(conn->ctx->fd, F_SETFL, flags | O_NONBLOCK) != 0)
		return down(conn, why, "the socket cannot be set up");
	conn->ctx->flags &= ~REDIS_BLOCK;
	return SG_OK;
}

/* The words of a refused login are the server's, and may repeat what we sent:
 * only their first one is passed on. */
static enum sg_err
login_refused(struct redis_conn *conn, const char *text, struct sg_fault *why)
{
	const struct redis_target *target = conn->target;

	if (is_busy(text) || says(text, "DENIED"))
		return redis_conn_error(conn, text, why);
	if (strstr(text, "without any password") != NULL ||
		strstr(text, "no password is set") != NULL)
		return sg_fault_set(why, SG_BAD_OPTION,
			"%s has no password, but redis.url or redis.password "
			"gives one",
			conn->where);
	return sg_fault_set(why, SG_BAD_OPTION,
		"%s refuses the password of user %s (%.*s)", conn->where,
		target->user != NULL ? target->user : "default",
		(int)strcspn(text, " "), text);
}

static enum sg_err
login_answer(struct redis_conn *conn, bool is_auth, struct sg_fault *why)
{
	redisReply *reply;
	enum sg_err err = redis_conn_reply(conn, &reply, why);

	if (err != SG_OK)
		return err;
	if (reply->type == REDIS_REPLY_ERROR) {
		if (is_auth)
			err = login_refused(conn, reply->str, why);
		else
			err = redis_conn_error(conn, reply->str, why);
		redis_conn_close(conn);
	}
	freeReplyObject(reply);
	return err;
}

static enum sg_err
login(struct redis_conn *conn, struct sg_fault *why)
{
	const struct redis_target *target = conn->target;
	struct resp_stream stream;
	const uint8_t *bytes;
	enum sg_err err = SG_OK;
	size_t len;

	resp_init(&stream, LOGIN_MAX);
	if (target->password != NULL) {
		resp_begin(&stream, RESP_LONE, "AUTH");
		if (target->user != NULL)
			resp_arg_text(&stream, target->user);
		resp_arg_text(&stream, target->password);
	}
	if (target->db != 0) {
		resp_begin(&stream, RESP_LONE, "SELECT");
		resp_arg_uint(&stream, (uint64_t)target->db);
	}
	resp_close(&stream);
	bytes = resp_bytes(&stream, &len);
	if (bytes == NULL)
		err = sg_fault_set(why, SG_NOMEM, "no memory to log in");
	else
		redis_conn_send(conn, bytes, len);
	if (err == SG_OK && target->password != NULL)
		err = login_answer(conn, true, why);
	if (err == SG_OK && target->db != 0)
		err = login_answer(conn, false, why);
	if (stream.buf.bytes != NULL)
		explicit_bzero(stream.buf.bytes, stream.buf.cap);
	resp_fini(&stream);
	return err;
}

/* The server at the other end, where the URL does not say which it is. */
static void
set_where(struct redis_conn *conn)
{
	const struct redis_target *target = conn->target;
	const struct redis_host *only = &target->hosts[0];

	if (target->path != NULL ||
		(target->master == NULL && target->nhosts == 1 &&
			conn->port == only->port &&
			strcmp(conn->host, only->name) == 0))
		(void)snprintf(
			conn->where, sizeof(conn->where), "%s", target->where);
	else
		(void)snprintf(conn->where, sizeof(conn->where),
			"redis at %.120s:%d", conn->host, conn->port);
}

static enum sg_err
open_once(struct redis_conn *conn, struct sg_fault *why)
{
	enum sg_err err = redis_node_pick(conn, why);

	if (err != SG_OK)
		return err;
	set_where(conn);
	err = connect_socket(conn, why);
	if (err == SG_OK)
		err = login(conn, why);
	if (err == SG_OK)
		err = redis_node_check(conn, why);
	if (err != SG_OK)
		redis_conn_close(conn);
	return err;
}

enum sg_err
redis_conn_open(struct redis_conn *conn, struct sg_fault *why)
{
	enum sg_err err = SG_STORE_BUSY;

	if (conn->ctx != NULL)
		return SG_OK;
	for (int i = 0; i < REDIS_NODE_TRIES; i++) {
		err = open_once(conn, why);
		if ((err != SG_STORE_BUSY && err != SG_STORE_DOWN) ||
			!redis_node_has_others(conn))
			break;
	}
	return err;
}
