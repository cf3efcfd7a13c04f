/*
 * redis_index.c - what is in the sets and sorted sets beside the accounts, and
 * removing everything of ours. For the command line; no reign is needed.
 */
#include <hiredis/hiredis.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "redis_store.h"

#define PAGE 1000

static struct resp_stream *
ask_index(struct redis_store *store, const struct store_index *index,
	const char *of_set, const char *of_zset)
{
	bool is_set = index->kind == STORE_INDEX_MEMBERS;
	struct redis_keys keys;
	const struct redis_key_text *key;
	struct buf name;

	redis_store_route(store, index->number);
	redis_store_route(store, index->number);
	redis_keys_init(&keys, store->prefix, store->layout, index->number);
	key = &keys.key[is_set ? REDIS_KEY_SEGMENT
			: index->kind == STORE_INDEX_RENEWALS
				? REDIS_KEY_RENEWALS
				: REDIS_KEY_DUE];
	buf_init(&name, STORE_COMMIT_MAX);
	buf_put(&name, key->at, key->len);
	if (is_set) {
		buf_put_str(&name, index->segmentation);
		buf_put_u8(&name, ':');
		buf_put_str(&name, index->segment);
	}
	resp_reset(&store->request);
	resp_begin(&store->request, RESP_LONE, is_set ? of_set : of_zset);
	resp_arg(&store->request, name.bytes, name.len);
	if (name.is_failed)
		store->request.buf.is_failed = true;
	buf_fini(&name);
	return &store->request;
}

static enum sg_err
unexpected(struct sg_fault *why)
{
	return sg_fault_set(why, SG_INTERNAL,
		"reading from Redis: an answer of an unexpected type");
}

/* lint: locale-free (the "C" locale is named) */
static enum sg_err
read_score(const char *text, double *ret_score)
{
	locale_t c = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);

	if (c == (locale_t)0)
		return SG_NOMEM;
	*ret_score = strtod_l(text, NULL, c);
	freelocale(c);
	return SG_OK;
}

enum sg_err
redis_store_index_find(struct store *base, const struct store_index *index,
	const char *account, bool *ret_is_there, double *ret_score,
	struct sg_fault *why)
{
	struct redis_store *store = (struct redis_store *)base;
	struct resp_stream *request =
		ask_index(store, index, "SISMEMBER", "ZSCORE");
	redisReply *reply = NULL;
	double score = 0;
	enum sg_err err;

	resp_arg_text(request, account);
	err = redis_ask(store, &reply, why);
	if (err != SG_OK)
		return err;
	switch (reply->type) {
	case REDIS_REPLY_INTEGER:
		*ret_is_there = reply->integer != 0;
		break;
	case REDIS_REPLY_NIL:
		*ret_is_there = false;
		break;
	case REDIS_REPLY_STRING:
		*ret_is_there = true;
		err = read_score(reply->str, &score);
		break;
	default:
		err = unexpected(why);
	}
	freeReplyObject(reply);
	if (err == SG_OK)
		*ret_score = score;
	return err;
}

/* ZSCAN tells a score after each member. */
static enum sg_err
copy_page(const redisReply *page, size_t step, struct arena *arena,
	const char ***ret_accounts, size_t *ret_n)
{
	size_t n = page->elements / step;
	const char **accounts = arena_array(arena, n + 1, sizeof(*accounts));

	if (accounts == NULL)
		return SG_NOMEM;
	for (size_t i = 0; i < n; i++) {
		const redisReply *one = page->element[i * step];

		if (one->type != REDIS_REPLY_STRING)
			return SG_INTERNAL;
		accounts[i] = arena_copy(arena, one->str, one->len);
		if (accounts[i] == NULL)
			return SG_NOMEM;
	}
	*ret_accounts = accounts;
	*ret_n = n;
	return SG_OK;
}

enum sg_err
redis_store_index_scan(struct store *base, const struct store_index *index,
	uint64_t *cursor, struct arena *arena, const char ***ret_accounts,
	size_t *ret_n, struct sg_fault *why)
{
	struct redis_store *store = (struct redis_store *)base;
	struct resp_stream *request = ask_index(store, index, "SSCAN", "ZSCAN");
	redisReply *reply = NULL;
	enum sg_err err;

	resp_arg_uint(request, *cursor);
	resp_arg_text(request, "COUNT");
	resp_arg_uint(request, PAGE);
	err = redis_ask(store, &reply, why);
	if (err != SG_OK)
		return err;
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
		reply->element[0]->type != REDIS_REPLY_STRING ||
		reply->element[1]->type != REDIS_REPLY_ARRAY)
		err = unexpected(why);
	if (err == SG_OK)
		err = copy_page(reply->element[1],
			index->kind == STORE_INDEX_MEMBERS ? 1 : 2, arena,
			ret_accounts, ret_n);
	if (err == SG_OK)
		*cursor = strtoull(reply->element[0]->str, NULL, 10);
	freeReplyObject(reply);
	return err;
}

/* --- removing ----------------------------------------------------------- */

static enum sg_err
unlink_all(struct redis_store *store, const redisReply *keys, uint64_t *ret_n,
	struct sg_fault *why)
{
	redisReply *reply = NULL;
	enum sg_err err;

	if (keys->elements == 0)
		return SG_OK;
	resp_reset(&store->request);
	resp_begin(&store->request, RESP_LONE, "UNLINK");
	for (size_t i = 0; i < keys->elements; i++)
		resp_arg(&store->request, keys->element[i]->str,
			keys->element[i]->len);
	err = redis_ask(store, &reply, why);
	if (err != SG_OK)
		return err;
	if (reply->type == REDIS_REPLY_INTEGER)
		*ret_n += (uint64_t)reply->integer;
	freeReplyObject(reply);
	return SG_OK;
}

enum sg_err
redis_store_erase_record(
	struct store *base, int32_t number, struct sg_fault *why)
{
	struct redis_store *store = (struct redis_store *)base;
	const struct redis_key_text *key;
	struct redis_keys keys;
	redisReply *reply = NULL;
	enum sg_err err;

	redis_store_route(store, number);
	redis_keys_init(&keys, store->prefix, store->layout, number);
	key = &keys.key[REDIS_KEY_META];
	resp_reset(&store->request);
	resp_begin(&store->request, RESP_LONE, "UNLINK");
	resp_arg(&store->request, key->at, key->len);
	err = redis_ask(store, &reply, why);
	if (err == SG_OK)
		freeReplyObject(reply);
	return err;
}

enum sg_err
redis_store_erase(struct store *base, int32_t number, uint64_t *cursor,
	uint64_t *ret_n, struct sg_fault *why)
{
	struct redis_store *store = (struct redis_store *)base;
	const struct redis_key_text *key;
	struct redis_key_text ours;
	struct redis_keys keys;
	redisReply *reply = NULL;
	uint64_t next = *cursor;
	enum sg_err err;

	redis_store_route(store, number);
	redis_keys_init(&keys, store->prefix, store->layout, number);
	/* What all keys begin with: those of a state without "state:". */
	key = &keys.key[REDIS_KEY_STATE];
	ours = *key;
	ours.len -= strlen("state:");
	err = redis_scan_page(store, number, &ours, &next, &reply, why);
	if (err != SG_OK)
		return err;
	err = unlink_all(store, reply->element[1], ret_n, why);
	if (err == SG_OK)
		*cursor = next;
	freeReplyObject(reply);
	return err;
}
