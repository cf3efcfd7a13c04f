/*
 * redis_scan.c - every account that has a state, page by page.
 *
 * SCAN walks the whole database, also what is not ours; the pattern leaves our
 * states. Their values come with a second round trip a page.
 */
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "redis_store.h"

#define PAGE 1000

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

enum sg_err
redis_scan_page(struct redis_store *store, const struct redis_key_text *key,
	uint64_t cursor, redisReply **ret_reply, struct sg_fault *why)
{
	struct buf pattern;
	enum sg_err err;

	buf_init(&pattern, 4096);
	put_escaped(&pattern, key->at, key->len);
	resp_reset(&store->request);
	resp_begin(&store->request, RESP_LONE, "SCAN");
	resp_arg_uint(&store->request, cursor);
	resp_arg_text(&store->request, "MATCH");
	resp_arg(&store->request, pattern.bytes, pattern.len);
	resp_arg_text(&store->request, "COUNT");
	resp_arg_uint(&store->request, PAGE);
	err = pattern.is_failed ? SG_NOMEM : redis_ask(store, ret_reply, why);
	buf_fini(&pattern);
	if (err == SG_OK && !is_page(*ret_reply)) {
		freeReplyObject(*ret_reply);
		err = sg_fault_set(why, SG_INTERNAL,
			"SCAN: an answer of an unexpected type");
	}
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
	*ret_n = n;
	return err;
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
	enum sg_err err;

	redis_keys_init(&keys, store->prefix, store->layout, number);
	key = &keys.key[REDIS_KEY_STATE];
	err = redis_scan_page(store, key, *cursor, &reply, why);
	if (err != SG_OK)
		return err;
	found = arena_array(
		arena, reply->element[1]->elements + 1, sizeof(*found));
	err = found == NULL ? SG_NOMEM
			    : fetch_states(store, reply->element[1], key->len,
				      arena, found, ret_n, why);
	if (err == SG_OK) {
		*cursor = strtoull(reply->element[0]->str, NULL, 10);
		*ret_found = found;
	}
	freeReplyObject(reply);
	return err;
}
