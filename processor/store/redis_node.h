/*
 * redis_node.h - which of several servers to talk to: the master that sentinels
 * name, the one of several that is a master, or the node of a cluster that has
 * a group's slot.
 *
 * Used by redis_conn.c alone, around each connect.
 */
#ifndef SEGMENTD_REDIS_NODE_H
#define SEGMENTD_REDIS_NODE_H

#include "redis_conn.h"
#include "resp.h"

/* Connects of one redis_conn_open(): redirections and servers that are not
 * there. The next call goes on where this one ended. */
#define REDIS_NODE_TRIES 4

/* Set conn->host, conn->port: where to connect now. Errors: SG_STORE_DOWN,
 * SG_STORE_BUSY (no sentinel knows), SG_BAD_OPTION, SG_NOMEM. */
SG_MUSTCHECK enum sg_err
redis_node_pick(struct redis_conn *conn, struct sg_fault *why);

/* Connected and logged in: is it the right one? SG_STORE_BUSY, and the next
 * redis_node_pick() chooses another one, when not. */
SG_MUSTCHECK enum sg_err
redis_node_check(struct redis_conn *conn, struct sg_fault *why);

/* May another connect at once find what this one did not? */
bool
redis_node_has_others(const struct redis_conn *conn);

/* A redirection: "MOVED slot host:port". */
void
redis_node_follow(struct redis_conn *conn, const char *text);

/* It failed, or is no master any more: choose anew next time. */
void
redis_node_forget(struct redis_conn *conn);

/* The value of `name` in INFO's text, "" when it is not there. */
void
redis_info_field(const char *info, const char *name, char *text, size_t size);

/* One command, already closed, and its reply.
 * Owner: the caller, freeReplyObject(). It may be an error reply. */
SG_MUSTCHECK enum sg_err
redis_node_ask(struct redis_conn *conn, struct resp_stream *request,
	redisReply **ret_reply, struct sg_fault *why);

/* Take the nodes from a reply of CLUSTER SLOTS; what is not understood is left
 * out. */
void
redis_nodes_learn(struct redis_nodes *nodes, const redisReply *reply);

#endif
