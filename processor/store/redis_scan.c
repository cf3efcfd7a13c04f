/*
 * redis_scan.c - every account that has a state, page by page.
 *
 * SCAN walks the whole database, also what is not ours; the pattern leaves our
 * states. Their values come with a second round trip a page. On a cluster the
 * node that has the group's slot is walked.
 *
 * A cursor means something to the very process that gave it out: another node,
 * or the same one after a restart, has its keys in another order, and a walk
 * that went on there would miss some. So our cursor carries a tag of the
 * process in its upper bits (Redis' own are no larger than its tables), and a
 * walk whose tag differs begins again: an account is told twice, none is left
 * out.
 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_node.h"
#include "redis_store.h"
#include "segmentd/hash.h"

#define PAGE 1000
#define TAG_SHIFT 48

/* The connection is at the node to walk: on a cluster, where a key of the group
 * is. */
static enum sg_err
go_to_node(struct redis_store *store, int32_t number, struct sg_fault *why)
{
	const struct redis_key_text *key = &store->route.key[REDIS_KEY_META];
	redisReply *reply = NULL;
	enum sg_err err;

	redis_store_route(store, number);
	if (store->layout == STORE_PLAIN)
		return redis_conn_open(&store->conn, why);
	resp_reset(&store->request);
	resp_begin(&store->request, RESP_LONE, "EXISTS");
	resp_arg(&store->request, key->at, key->len);
	err = redis_ask(store, &reply, why);
	freeReplyObject(reply);
	return err;
}

/* What tells the process apart: its run id, or its address where an ACL hides
 * that. */
static enum sg_err
read_tag(struct redis_store *store, struct sg_fault *why)
{
	char run_id[64] = "", address[REDIS_HOST_MAX + 16];
	redisReply *reply = NULL;
	struct sg_fault fault;
	const char *text = run_id;
	enum sg_err err;

	if (store->conn.tag != 0)
		return SG_OK;
	resp_reset(&store->request);
	resp_begin(&store->request, RESP_LONE, "INFO");
	resp_arg_text(&store->request, "server");
	err = redis_ask(store, &reply, &fault);
	if (err != SG_OK && err != SG_BAD_OPTION)
		return sg_fault_set(why, err, "%s", fault.text);
	if (err == SG_OK && reply->type == REDIS_REPLY_STRING)
		redis_info_field(reply->str, "run_id", run_id, sizeof(run_id));
	freeReplyObject(reply);
	if (run_id[0] == '\0') {
		(void)snprintf(address, sizeof(address), "%s:%d",
			store->conn.host, store->conn.port);
		text = address;
	}
	store->conn.tag = (uint16_t)(hash_bytes(text, strlen(text)) | 1);
	return SG_OK;
}

/* A prefix may hold what a pattern gives a meaning. */
static void
put_escaped(struct buf *pattern, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (strchr("*?[]\\^-", text[i]) != NULL)
			buf_put_u8(pattern, '\\');
		buf_put_u8(pattern, (uint8_t)text[i]);
	}
	buf_put_u8(pattern, '*');
}

static bool
is_page(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
	       reply->element[0]->type == REDIS_REPLY_STRING &&
	       reply->element[1]->type == REDIS_REPLY_ARRAY;
}

/* Ours from Redis' own. */
static enum sg_err
tag_cursor(const struct redis_store *store, const char *text,
	uint64_t *ret_cursor, struct sg_fault *why)
{
	uint64_t at = strtoull(text, NULL, 10);

	if (at >> TAG_SHIFT != 0)
		return sg_fault_set(why, SG_INTERNAL,
			"SCAN: a cursor larger than any table");
	*ret_cursor = at == 0 ? 0 : at | (uint64_t)store->conn.tag << TAG_SHIFT;
	return SG_OK;
}

/* SCAN from a cursor of ours. */
static enum sg_err
ask_page(struct redis_store *store, const struct redis_key_text *key,
	uint64_t cursor, redisReply **ret_reply, struct sg_fault *why)
{
	uint64_t at = cursor >> TAG_SHIFT == store->conn.tag
			      ? cursor & (((uint64_t)1 << TAG_SHIFT) - 1)
			      : 0;
	struct buf pattern;
	enum sg_err err;

	buf_init(&pattern, 4096);
	put_escaped(&pattern, key->at, key->len);
	resp_reset(&store->request);
	resp_begin(&store->request, RESP_LONE, "SCAN");
	resp_arg_uint(&store->request, at);
	resp_arg_text(&store->request, "MATCH");
	resp_arg(&store->request, pattern.bytes, pattern.len);
	resp_arg_text(&store->request, "COUNT");
	resp_arg_uint(&store->request, PAGE);
	err = pattern.is_failed ? SG_NOMEM : redis_ask(store, ret_reply, why);
	buf_fini(&pattern);
	return err;
}

enum sg_err
redis_scan_page(struct redis_store *store, int32_t number,
	const struct redis_key_text *key, uint64_t *cursor,
	redisReply **ret_reply, struct sg_fault *why)
{
	redisReply *reply = NULL;
	enum sg_err err = go_to_node(store, number, why);

	if (err == SG_OK)
		err = read_tag(store, why);
	if (err == SG_OK)
		err = ask_page(store, key, *cursor, &reply, why);
	if (err != SG_OK)
		return err;
	if (is_page(reply))
		err = tag_cursor(store, reply->element[0]->str, cursor, why);
	else
		err = sg_fault_set(why, SG_INTERNAL,
			"SCAN: an answer of an unexpected type");
	if (err == SG_OK)
		*ret_reply = reply;
	else
		freeReplyObject(reply);
	return err;
}

/* The states of the keys of a page; one that went away meanwhile is left out.
 */
static enum sg_err
fetch_states(struct redis_store *store, const redisReply *keys,
	size_t prefix_len, struct arena *arena, struct store_found *found,
	size_t *ret_n, struct sg_fault *why)
{
	redisReply *reply = NULL;
	enum sg_err err;
	size_t n = 0;

	*ret_n = 0;
	if (keys->elements == 0)
		return SG_OK;
	resp_reset(&store->request);
	resp_begin(&store->request, RESP_LONE, "MGET");
	for (size_t i = 0; i < keys->elements; i++)
		resp_arg(&store->request, keys->element[i]->str,
			keys->element[i]->len);
	err = redis_ask(store, &reply, why);
	if (err != SG_OK)
		return err;
	if (reply->type != REDIS_REPLY_ARRAY ||
		reply->elements != keys->elements)
		err = SG_INTERNAL;
	for (size_t i = 0; i < keys->elements && err == SG_OK; i++) {
		const redisReply *key = keys->element[i];
		const redisReply *state = reply->element[i];

		if (state->type != REDIS_REPLY_STRING || key->len < prefix_len)
			continue;
		found[n].account = arena_copy(
			arena, key->str + prefix_len, key->len - prefix_len);
		found[n].state.bytes =
			arena_copy(arena, state->str, state->len);
		found[n].state.len = state->len;
		if (found[n].account == NULL || found[n].state.bytes == NULL)
			err = SG_NOMEM;
		n++;
	}
	freeReplyObject(reply);
	if (err != SG_OK)
		return sg_fault_set(why, err, "reading states: %s",
			err == SG_INTERNAL ? "an answer of an unexpected type"
					   : sg_err_text(err));
	*ret_n = n;
	return SG_OK;
}

enum sg_err
redis_store_scan(struct store *base, int32_t number, uint64_t *cursor,
	struct arena *arena, struct store_found **ret_found, size_t *ret_n,
	struct sg_fault *why)
{
	struct redis_store *store = (struct redis_store *)base;
	const struct redis_key_text *key;
	struct store_found *found = NULL;
	struct redis_keys keys;
	redisReply *reply = NULL;
	uint64_t next = *cursor;
	enum sg_err err;

	redis_keys_init(&keys, store->prefix, store->layout, number);
	key = &keys.key[REDIS_KEY_STATE];
	err = redis_scan_page(store, number, key, &next, &reply, why);
	if (err != SG_OK)
		return err;
	found = arena_array(
		arena, reply->element[1]->elements + 1, sizeof(*found));
	err = found == NULL ? sg_fault_set(why, SG_NOMEM, "no memory to scan")
			    : fetch_states(store, reply->element[1], key->len,
				      arena, found, ret_n, why);
	if (err == SG_OK) {
		*cursor = next;
		*ret_found = found;
	}
	freeReplyObject(reply);
	return err;
}
