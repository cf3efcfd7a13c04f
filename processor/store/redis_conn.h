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

#define REDIS_NODES_MAX 64

/* The nodes of a cluster, as it told them last. */
struct redis_nodes {
	struct redis_address {
		char host[REDIS_HOST_MAX];
		int port;
	} at[REDIS_NODES_MAX];
	size_t n;
	bool is_old; /* ask again when there is somebody to ask */
};

struct redis_conn {
	const struct redis_target *target;
	/* On a cluster: a key whose node is wanted, and what is shared by the
	 * connections of a store. Else NULL. */
	const char *key;
	struct redis_nodes *nodes;
	redisContext *ctx;  /* NULL: closed */
	const uint8_t *out; /* what is still to be written */
	size_t out_len;
	bool is_flushing; /* TLS: hiredis still holds bytes */
	int64_t deadline_us;
	char host[REDIS_HOST_MAX]; /* where it goes, or went */
	int port;
	bool is_sent;	/* there by a redirection, which holds until it fails */
	size_t at_host; /* which of the known ones is next, modulo them */
	char where[160]; /* for messages: the server at the other end */
	uint16_t tag;	 /* of its data's order in scans; 0: not known yet */
};

void
redis_conn_init(struct redis_conn *conn, const struct redis_target *target);
void
redis_conn_fini(struct redis_conn *conn);
void
redis_conn_close(struct redis_conn *conn);

/* Go to the node of a cluster that has `key`, and stay with it. Valid until:
 * the connection is ended (key and nodes). */
void
redis_conn_route(
	struct redis_conn *conn, const char *key, struct redis_nodes *nodes);

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
 * to do. One that says to go elsewhere closes the connection, and the next one
 * goes there. */
enum sg_err
redis_conn_error(
	struct redis_conn *conn, const char *text, struct sg_fault *why);

#endif
