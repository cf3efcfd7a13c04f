/*
 * redis_conn.h - one connection to Redis that never blocks past its deadline
 * and never comes back by itself.
 *
 *      redis_conn_open()   connect, log in, choose the database
 *      redis_conn_send()   hand over the bytes of a pipeline
 *      redis_conn_reply()  one reply after the other, as many as were asked
 *
 * Any failure closes the connection. Whoever holds a WATCH on it must notice
 * that: there is no silent reconnect.
 */
#ifndef SEGMENTD_REDIS_CONN_H
#define SEGMENTD_REDIS_CONN_H

#include <hiredis/hiredis.h>

#include "redis_url.h"
#include "segmentd/err.h"

struct redis_conn {
	const struct redis_target *target;
	redisContext *ctx;  /* NULL: closed */
	const uint8_t *out; /* what is still to be written */
	size_t out_len;
	bool is_flushing; /* TLS: hiredis still holds bytes */
	int64_t deadline_us;
	/* Where a cluster sent us; NULL: as the target says. */
	char *moved_host;
	int moved_port;
};

void
redis_conn_init(struct redis_conn *conn, const struct redis_target *target);
void
redis_conn_fini(struct redis_conn *conn);
void
redis_conn_close(struct redis_conn *conn);

/* Nothing to do when it is open. */
SG_MUSTCHECK enum sg_err
redis_conn_open(struct redis_conn *conn, struct sg_fault *why);

/* Every reply to what was sent before has been read. The deadline of the round
 * trip begins here. Valid until: (the bytes) the last reply was read. */
void
redis_conn_send(struct redis_conn *conn, const void *bytes, size_t len);

/* Owner: the caller, freeReplyObject(). Errors: SG_STORE_DOWN, closed then. An
 * error reply of the server is a reply. */
SG_MUSTCHECK enum sg_err
redis_conn_reply(
	struct redis_conn *conn, redisReply **ret_reply, struct sg_fault *why);

/* What an error reply means to the caller, noted in `why` with where and what
 * to do. A redirection is remembered and closes the connection. */
enum sg_err
redis_conn_error(
	struct redis_conn *conn, const char *text, struct sg_fault *why);

#endif
