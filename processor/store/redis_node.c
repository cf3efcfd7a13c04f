/*
 * redis_node.c - which of several servers to talk to.
 *
 *      sentinels   asked for the master's address before every connect; what
 *                  they name must call itself a master
 *      several     one after the other, until one is a master
 *      a cluster   any node that answers is asked for a key of the group, and
 *                  sends us (MOVED) to the node that has its slot
 *
 * The role is looked at because sentinels learn late: a master that hung and
 * woke up is named for a while, and then a replica has its address.
 *
 * On a cluster the nodes are learned too (CLUSTER SLOTS), so that a URL with
 * one node is enough as long as that node is there at the start. Where an ACL
 * does not allow it, those of the URL are all that is known.
 *
 * A slot that moves while we use it (ASK, TRYAGAIN) is waited for: keys of one
 * transaction are on two nodes then, and no node can do it. Nothing of that is
 * taken for a loss, since an answer about the commit record only ever comes
 * from a node that has it.
 *
 * INVARIANT: nothing here decides whether data is right. A wrong node costs
 * time; the guard of each request finds out what is missing on a right one.
 */
#include "redis_node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "resp.h"

/* The largest question: names of the configuration, a key. */
#define QUESTION_MAX ((size_t)64 * 1024)

/* --- asking ---------------------------------------------------------------
 */

enum sg_err
redis_node_ask(struct redis_conn *conn, struct resp_stream *request,
	redisReply **ret_reply, struct sg_fault *why)
{
	const uint8_t *bytes;
	size_t len;

	resp_close(request);
	bytes = resp_bytes(request, &len);
	if (bytes == NULL)
		return sg_fault_set(why, SG_NOMEM, "no memory for a request");
	redis_conn_send(conn, bytes, len);
	return redis_conn_reply(conn, ret_reply, why);
}

/* A question of up to three words, NULL for those that are not needed. */
static enum sg_err
ask_words(struct redis_conn *conn, const char *command, const char *word,
	const char *word2, redisReply **ret_reply, struct sg_fault *why)
{
	struct resp_stream request;
	enum sg_err err;

	resp_init(&request, QUESTION_MAX);
	resp_begin(&request, RESP_LONE, command);
	if (word != NULL)
		resp_arg_text(&request, word);
	if (word2 != NULL)
		resp_arg_text(&request, word2);
	err = redis_node_ask(conn, &request, ret_reply, why);
	resp_fini(&request);
	return err;
}

void
redis_info_field(const char *info, const char *name, char *text, size_t size)
{
	size_t len = strlen(name);
	const char *at = info;

	text[0] = '\0';
	while (at != NULL) {
		if (strncmp(at, name, len) == 0 && at[len] == ':') {
			at += len + 1;
			(void)snprintf(text, size, "%.*s",
				(int)strcspn(at, "\r\n"), at);
			return;
		}
		at = strchr(at, '\n');
		if (at != NULL)
			at++;
	}
}

static bool
is_denied(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_ERROR &&
	       strncmp(reply->str, "NOPERM", 6) == 0;
}

/* --- addresses -------------------------------------------------------------
 */

static bool
set_address(struct redis_conn *conn, const char *host, size_t len, long port)
{
	if (len == 0 || len >= sizeof(conn->host) || port <= 0 || port > 65535)
		return false;
	memcpy(conn->host, host, len);
	conn->host[len] = '\0';
	conn->port = (int)port;
	return true;
}

void
redis_node_forget(struct redis_conn *conn)
{
	conn->is_sent = false;
	conn->at_host++;
	if (conn->nodes != NULL)
		conn->nodes->is_old = true;
}

/* An empty host, or "?", is the one that answered. */
void
redis_node_follow(struct redis_conn *conn, const char *text)
{
	const char *host = strchr(text, ' ');
	const char *colon = strrchr(text, ':');
	char *end;
	long port;

	host = host == NULL ? NULL : strchr(host + 1, ' ');
	if (host == NULL || colon == NULL || colon < ++host)
		return;
	port = strtol(colon + 1, &end, 10);
	if (end == colon + 1)
		return;
	if (colon == host || (colon == host + 1 && *host == '?')) {
		if (conn->host[0] != '\0' && port > 0 && port <= 65535) {
			conn->port = (int)port;
			conn->is_sent = true;
		}
		return;
	}
	if (set_address(conn, host, (size_t)(colon - host), port))
		conn->is_sent = true;
}

bool
redis_node_has_others(const struct redis_conn *conn)
{
	const struct redis_target *target = conn->target;

	return target->master == NULL &&
	       (conn->key != NULL || target->nhosts > 1);
}

/* --- sentinels -------------------------------------------------------------
 */

/* What one sentinel says: [host, port], or nil when it does not know. */
static enum sg_err
read_master(struct redis_conn *conn, const redisReply *reply,
	const struct redis_host *sentinel, struct sg_fault *why)
{
	const struct redis_target *target = conn->target;

	if (reply->type == REDIS_REPLY_ERROR &&
		(strncmp(reply->str, "NOAUTH", 6) == 0 || is_denied(reply)))
		return sg_fault_set(why, SG_BAD_OPTION,
			"sentinel at %s:%d: %.60s (set "
			"redis.sentinel_password, and "
			"redis.sentinel_user where it has an ACL)",
			sentinel->name, (int)sentinel->port, reply->str);
	if (reply->type == REDIS_REPLY_ERROR)
		return sg_fault_set(why, SG_STORE_BUSY,
			"sentinel at %s:%d: %.100s", sentinel->name,
			(int)sentinel->port, reply->str);
	if (reply->type == REDIS_REPLY_NIL)
		return sg_fault_set(why, SG_STORE_BUSY,
			"sentinel at %s:%d knows no master %.40s",
			sentinel->name, (int)sentinel->port, target->master);
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
		reply->element[0]->type != REDIS_REPLY_STRING ||
		reply->element[1]->type != REDIS_REPLY_STRING ||
		!set_address(conn, reply->element[0]->str,
			reply->element[0]->len,
			strtol(reply->element[1]->str, NULL, 10)))
		return sg_fault_set(why, SG_STORE_BUSY,
			"sentinel at %s:%d answers what is no address",
			sentinel->name, (int)sentinel->port);
	return SG_OK;
}

static enum sg_err
ask_sentinel(struct redis_conn *conn, const struct redis_host *sentinel,
	struct sg_fault *why)
{
	/* As the target, but this one server and its own login. */
	struct redis_target target = *conn->target;
	redisReply *reply = NULL;
	struct redis_conn ask;
	enum sg_err err;

	target.hosts[0] = *sentinel;
	target.nhosts = 1;
	target.master = NULL;
	target.user = target.sentinel_user;
	target.password = target.sentinel_password;
	target.db = 0;
	/* One that hangs must not cost more than one that is not there. */
	target.command_timeout_ms = target.connect_timeout_ms;
	(void)snprintf(target.where, sizeof(target.where), "sentinel at %s:%d",
		sentinel->name, (int)sentinel->port);
	redis_conn_init(&ask, &target);
	err = redis_conn_open(&ask, why);
	if (err == SG_OK)
		err = ask_words(&ask, "SENTINEL", "GET-MASTER-ADDR-BY-NAME",
			conn->target->master, &reply, why);
	if (err == SG_OK)
		err = read_master(conn, reply, sentinel, why);
	freeReplyObject(reply);
	redis_conn_fini(&ask);
	return err;
}

static enum sg_err
pick_by_sentinel(struct redis_conn *conn, struct sg_fault *why)
{
	const struct redis_target *target = conn->target;
	enum sg_err err = SG_STORE_DOWN;

	/* The one that answered last is asked first. */
	for (size_t i = 0; i < target->nhosts; i++) {
		conn->at_host %= target->nhosts;
		err = ask_sentinel(conn, &target->hosts[conn->at_host], why);
		if (err != SG_STORE_DOWN && err != SG_STORE_BUSY)
			return err;
		conn->at_host++;
	}
	return err;
}

/* --- choosing --------------------------------------------------------------
 */

enum sg_err
redis_node_pick(struct redis_conn *conn, struct sg_fault *why)
{
	const struct redis_target *target = conn->target;
	size_t nknown = conn->nodes != NULL ? conn->nodes->n : 0;
	size_t at;

	if (target->path != NULL)
		return SG_OK;
	if (target->master != NULL)
		return pick_by_sentinel(conn, why);
	if (conn->is_sent)
		return SG_OK;
	at = conn->at_host % (target->nhosts + nknown);
	if (at < target->nhosts || conn->nodes == NULL) {
		const struct redis_host *host = &target->hosts[at];

		(void)set_address(
			conn, host->name, strlen(host->name), host->port);
	} else {
		const struct redis_address *node =
			&conn->nodes->at[at - target->nhosts];

		(void)set_address(
			conn, node->host, strlen(node->host), node->port);
	}
	return SG_OK;
}

/* --- is it the right one? --------------------------------------------------
 */

static enum sg_err
check_is_master(struct redis_conn *conn, struct sg_fault *why)
{
	redisReply *reply = NULL;
	char role[16] = "";
	enum sg_err err =
		ask_words(conn, "INFO", "replication", NULL, &reply, why);

	if (err != SG_OK)
		return err;
	/* What an ACL hides shows at the first write: READONLY. */
	if (is_denied(reply))
		(void)snprintf(role, sizeof(role), "master");
	else if (reply->type == REDIS_REPLY_ERROR)
		err = redis_conn_error(conn, reply->str, why);
	else if (reply->type == REDIS_REPLY_STRING)
		redis_info_field(reply->str, "role", role, sizeof(role));
	freeReplyObject(reply);
	if (err != SG_OK || strcmp(role, "master") == 0)
		return err;
	err = sg_fault_set(why, SG_STORE_BUSY, "%s is no master (%s)",
		conn->where, role[0] != '\0' ? role : "it does not say");
	redis_node_forget(conn);
	return err;
}

static void
learn_node(struct redis_nodes *nodes, const redisReply *node)
{
	struct redis_address *room = &nodes->at[nodes->n];

	if (node->type != REDIS_REPLY_ARRAY || node->elements < 2 ||
		node->element[0]->type != REDIS_REPLY_STRING ||
		node->element[1]->type != REDIS_REPLY_INTEGER ||
		node->element[0]->len == 0 ||
		node->element[0]->len >= sizeof(room->host) ||
		node->element[1]->integer <= 0 ||
		node->element[1]->integer > 65535 ||
		strcmp(node->element[0]->str, "?") == 0)
		return;
	memcpy(room->host, node->element[0]->str, node->element[0]->len + 1);
	room->port = (int)node->element[1]->integer;
	for (size_t i = 0; i < nodes->n; i++)
		if (nodes->at[i].port == room->port &&
			strcmp(nodes->at[i].host, room->host) == 0)
			return;
	nodes->n++;
}

/* [[from, to, [host, port, ...], ...], ...]: every node with a slot, and its
 * replicas. */
void
redis_nodes_learn(struct redis_nodes *nodes, const redisReply *reply)
{
	if (reply->type != REDIS_REPLY_ARRAY)
		return;
	nodes->n = 0;
	for (size_t i = 0; i < reply->elements; i++) {
		const redisReply *range = reply->element[i];

		if (range->type != REDIS_REPLY_ARRAY)
			continue;
		for (size_t j = 2; j < range->elements; j++)
			if (nodes->n < REDIS_NODES_MAX)
				learn_node(nodes, range->element[j]);
	}
}

static enum sg_err
learn_nodes(struct redis_conn *conn, struct sg_fault *why)
{
	redisReply *reply = NULL;
	enum sg_err err =
		ask_words(conn, "CLUSTER", "SLOTS", NULL, &reply, why);

	if (err != SG_OK)
		return err;
	redis_nodes_learn(conn->nodes, reply);
	conn->nodes->is_old = false;
	freeReplyObject(reply);
	return SG_OK;
}

/* Does it have the slot of our key? An answer other than MOVED says so. */
static enum sg_err
check_has_slot(struct redis_conn *conn, struct sg_fault *why)
{
	redisReply *reply = NULL;
	enum sg_err err =
		ask_words(conn, "EXISTS", conn->key, NULL, &reply, why);

	if (err != SG_OK)
		return err;
	if (reply->type == REDIS_REPLY_ERROR)
		err = redis_conn_error(conn, reply->str, why);
	freeReplyObject(reply);
	return err;
}

enum sg_err
redis_node_check(struct redis_conn *conn, struct sg_fault *why)
{
	enum sg_err err;

	if (conn->key == NULL)
		return conn->target->master != NULL || conn->target->nhosts > 1
			       ? check_is_master(conn, why)
			       : SG_OK;
	err = check_has_slot(conn, why);
	if (err == SG_OK && conn->nodes->is_old)
		err = learn_nodes(conn, why);
	return err;
}
