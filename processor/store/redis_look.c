/*
 * redis_look.c - reading without a reign: is Redis fit for us, and what the
 * command line shows. On the store's own connection, opened when first needed.
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis_node.h"
#include "redis_store.h"
#include "segmentd/log.h"

/* Redirections a request follows: cluster nodes may be reshuffled meanwhile. */
#define TRIES 3

/* Members a page of store_members() aims at. */
#define PAGE 512

/* --- one command -----------------------------------------------------------
 */

static struct redis_store *
store_of(struct store *base)
{
	return (struct redis_store *)base;
}

void
redis_store_route(struct redis_store *store, int32_t number)
{
	if (store->layout != STORE_PARTITIONED)
		return;
	redis_keys_init(&store->route, store->prefix, store->layout, number);
	redis_conn_route(&store->conn, store->route.key[REDIS_KEY_META].at,
		&store->nodes);
}

/* Begin the request: one command on the key of group `number`, with `id` at its
 * end. */
static struct resp_stream *
ask_begin(struct redis_store *store, int32_t number, const char *command,
	enum redis_key key_number, const char *id)
{
	struct redis_keys keys;
	const struct redis_key_text *key = &keys.key[key_number];

	redis_store_route(store, number);
	redis_keys_init(&keys, store->prefix, store->layout, number);
	resp_reset(&store->request);
	resp_begin(&store->request, RESP_LONE, command);
	resp_arg2(&store->request, key->at, key->len, id, strlen(id));
	return &store->request;
}

static enum sg_err
ask_once(struct redis_store *store, bool (*is_answer)(const char *text),
	redisReply **ret_reply, struct sg_fault *why)
{
	redisReply *reply;
	const uint8_t *bytes;
	size_t len;
	enum sg_err err = redis_conn_open(&store->conn, why);

	if (err != SG_OK)
		return err;
	bytes = resp_bytes(&store->request, &len);
	if (bytes == NULL)
		return sg_fault_set(why, SG_NOMEM, "no memory for a request");
	redis_conn_send(&store->conn, bytes, len);
	err = redis_conn_reply(&store->conn, &reply, why);
	if (err != SG_OK)
		return err;
	if (reply->type == REDIS_REPLY_ERROR &&
		(is_answer == NULL || !is_answer(reply->str))) {
		err = redis_conn_error(&store->conn, reply->str, why);
		freeReplyObject(reply);
		return err;
	}
	*ret_reply = reply;
	return SG_OK;
}

enum sg_err
redis_ask_script(struct redis_store *store, bool (*is_answer)(const char *text),
	redisReply **ret_reply, struct sg_fault *why)
{
	enum sg_err err = SG_STORE_BUSY;

	resp_close(&store->request);
	for (int i = 0; i < TRIES && err == SG_STORE_BUSY; i++) {
		err = ask_once(store, is_answer, ret_reply, why);
		if (err == SG_STORE_BUSY && store->conn.ctx != NULL)
			return err; /* busy for another reason than MOVED */
	}
	if (err == SG_OK && *ret_reply == NULL)
		return sg_fault_set(why, SG_INTERNAL, "no reply");
	return err;
}

enum sg_err
redis_ask(
	struct redis_store *store, redisReply **ret_reply, struct sg_fault *why)
{
	return redis_ask_script(store, NULL, ret_reply, why);
}

static enum sg_err
unexpected(struct sg_fault *why, enum sg_err err)
{
	return sg_fault_set(why, err, "reading from Redis: %s",
		err == SG_INTERNAL ? "an answer of an unexpected type"
				   : sg_err_text(err));
}

/* --- is it fit for us? -----------------------------------------------------
 */

static bool
has_waitaof(const char *version)
{
	char *end;
	long major = strtol(version, &end, 10);
	long minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;

	return major > 7 || (major == 7 && minor >= 2);
}

static enum sg_err
check_server(struct redis_store *store, const char *info, struct sg_fault *why)
{
	char version[32], valkey[32], mode[32];

	redis_info_field(info, "redis_version", version, sizeof(version));
	redis_info_field(info, "valkey_version", valkey, sizeof(valkey));
	redis_info_field(info, "redis_mode", mode, sizeof(mode));
	if (valkey[0] == '\0' && strtol(version, NULL, 10) < 7)
		return sg_fault_set(why, SG_BAD_OPTION,
			"%s is version %s; segmentd needs Redis 7.0 or later, "
			"or Valkey",
			store->target.where,
			version[0] != '\0' ? version : "unknown");
	if (store->wait.has_aof && valkey[0] == '\0' && !has_waitaof(version))
		return sg_fault_set(why, SG_BAD_OPTION,
			"%s is version %s; redis.wait_aof needs Redis 7.2 or "
			"later",
			store->target.where, version);
	if (strcmp(mode, "cluster") == 0 && store->layout == STORE_PLAIN)
		return sg_fault_set(why, SG_BAD_OPTION,
			"%s is a cluster: set redis.layout: partitioned",
			store->target.where);
	if (strcmp(mode, "sentinel") == 0)
		return sg_fault_set(why, SG_BAD_OPTION,
			"%s is a sentinel: write redis+sentinel://HOST/NAME",
			store->target.where);
	return SG_OK;
}

static enum sg_err
check_memory(struct redis_store *store, const char *info, struct sg_fault *why)
{
	char policy[32], max[32];

	redis_info_field(info, "maxmemory_policy", policy, sizeof(policy));
	redis_info_field(info, "maxmemory", max, sizeof(max));
	if (max[0] == '\0' || strcmp(max, "0") == 0 ||
		strcmp(policy, "noeviction") == 0)
		return SG_OK;
	return sg_fault_set(why, SG_BAD_OPTION,
		"%s has maxmemory-policy %s: when memory runs out it would "
		"drop accounts; do CONFIG SET maxmemory-policy noeviction, and "
		"the same in redis.conf",
		store->target.where, policy);
}

/* One section of INFO. What an ACL hides cannot be checked; that is no reason
 * not to run. */
static enum sg_err
check_info(struct redis_store *store, const char *section,
	enum sg_err (*check)(struct redis_store *store, const char *info,
		struct sg_fault *why),
	struct sg_fault *why)
{
	struct sg_fault fault;
	redisReply *reply = NULL;
	enum sg_err err;

	resp_reset(&store->request);
	resp_begin(&store->request, RESP_LONE, "INFO");
	resp_arg_text(&store->request, section);
	err = redis_ask(store, &reply, &fault);
	if (err == SG_BAD_OPTION && strstr(fault.text, "NOPERM") != NULL) {
		SG_LOG(LOG_WARN, "redis_not_checked",
			LOG_STR("section", section),
			LOG_STR("reason", fault.text));
		return SG_OK;
	}
	if (err != SG_OK)
		return sg_fault_set(why, err, "%s", fault.text);
	if (reply->type == REDIS_REPLY_STRING)
		err = check(store, reply->str, why);
	freeReplyObject(reply);
	return err;
}

enum sg_err
redis_store_ping(struct store *base, struct sg_fault *why)
{
	struct redis_store *store = store_of(base);
	redisReply *reply = NULL;
	enum sg_err err;

	resp_reset(&store->request);
	resp_begin(&store->request, RESP_LONE, "PING");
	err = redis_ask(store, &reply, why);
	freeReplyObject(reply);
	if (err == SG_OK)
		err = check_info(store, "server", check_server, why);
	if (err == SG_OK)
		err = check_info(store, "memory", check_memory, why);
	return err;
}

/* --- accounts --------------------------------------------------------------
 */

static enum sg_err
look_state(struct redis_store *store, int32_t number, const char *account,
	struct arena *arena, struct store_blob *ret_state, struct sg_fault *why)
{
	struct store_blob blob = {0};
	redisReply *reply = NULL;
	enum sg_err err;

	(void)ask_begin(store, number, "GET", REDIS_KEY_STATE, account);
	err = redis_ask(store, &reply, why);
	if (err != SG_OK)
		return err;
	if (reply->type == REDIS_REPLY_STRING) {
		blob.len = reply->len;
		blob.bytes = arena_copy(arena, reply->str, reply->len);
		if (blob.bytes == NULL)
			err = unexpected(why, SG_NOMEM);
	}
	freeReplyObject(reply);
	if (err == SG_OK)
		*ret_state = blob;
	return err;
}

enum sg_err
redis_store_peek(struct store *base, int32_t number, const char *account,
	struct arena *arena, struct store_blob *ret_state,
	struct store_meta *ret_meta, struct sg_fault *why)
{
	struct redis_store *store = store_of(base);
	struct store_blob state;
	redisReply *reply = NULL;
	enum sg_err err =
		look_state(store, number, account, arena, &state, why);

	if (err == SG_OK && ret_meta != NULL) {
		(void)ask_begin(store, number, "HGETALL", REDIS_KEY_META, "");
		err = redis_ask(store, &reply, why);
		if (err != SG_OK)
			return err;
		err = redis_read_meta(reply, arena, ret_meta);
		freeReplyObject(reply);
		if (err != SG_OK)
			return unexpected(why, err);
	}
	if (err == SG_OK)
		*ret_state = state;
	return err;
}

static int
by_name(const void *a, const void *b)
{
	const struct store_field *one = a, *other = b;

	return strcmp(one->name, other->name);
}

/* An array of texts, each copied with a NUL; `ret_lens` may be NULL. */
static enum sg_err
copy_texts(const redisReply *reply, struct arena *arena,
	const char ***ret_texts, size_t **ret_lens)
{
	size_t n = reply->elements;
	const char **texts = arena_array(arena, n + 1, sizeof(*texts));
	size_t *lens = arena_array(arena, n + 1, sizeof(*lens));

	if (texts == NULL || lens == NULL)
		return SG_NOMEM;
	for (size_t i = 0; i < n; i++) {
		if (reply->element[i]->type != REDIS_REPLY_STRING)
			return SG_INTERNAL;
		lens[i] = reply->element[i]->len;
		texts[i] = arena_copy(arena, reply->element[i]->str, lens[i]);
		if (texts[i] == NULL)
			return SG_NOMEM;
	}
	*ret_texts = texts;
	if (ret_lens != NULL)
		*ret_lens = lens;
	return SG_OK;
}

/* Send the request and take its array of texts. */
static enum sg_err
ask_texts(struct redis_store *store, struct arena *arena,
	const char ***ret_texts, size_t **ret_lens, size_t *ret_n,
	struct sg_fault *why)
{
	redisReply *reply = NULL;
	enum sg_err err = redis_ask(store, &reply, why);

	if (err != SG_OK)
		return err;
	err = reply->type == REDIS_REPLY_ARRAY
		      ? copy_texts(reply, arena, ret_texts, ret_lens)
		      : SG_INTERNAL;
	*ret_n = reply->elements;
	freeReplyObject(reply);
	return err == SG_OK ? SG_OK : unexpected(why, err);
}

enum sg_err
redis_store_view(struct store *base, int32_t number, const char *account,
	struct arena *arena, struct store_field **ret_fields, size_t *ret_n,
	struct sg_fault *why)
{
	struct redis_store *store = store_of(base);
	struct store_field *fields;
	const char **texts;
	size_t *lens, n;
	enum sg_err err;

	(void)ask_begin(store, number, "HGETALL", REDIS_KEY_VIEW, account);
	err = ask_texts(store, arena, &texts, &lens, &n, why);
	if (err != SG_OK)
		return err;
	fields = arena_array(arena, n / 2 + 1, sizeof(*fields));
	if (fields == NULL)
		return unexpected(why, SG_NOMEM);
	for (size_t i = 0; i < n / 2; i++)
		fields[i] = (struct store_field){.name = texts[2 * i],
			.value = texts[2 * i + 1],
			.len = lens[2 * i + 1]};
	qsort(fields, n / 2, sizeof(*fields), by_name);
	*ret_fields = fields;
	*ret_n = n / 2;
	return SG_OK;
}

/* --- segments and the queue ------------------------------------------------
 */

static struct resp_stream *
ask_segment(struct redis_store *store, const struct store_segment *segment,
	const char *command)
{
	struct resp_stream *request;
	struct buf id;

	buf_init(&id, STORE_COMMIT_MAX);
	buf_put_str(&id, segment->segmentation);
	buf_put_u8(&id, ':');
	buf_put_str(&id, segment->segment);
	request = ask_begin(store, segment->number, command, REDIS_KEY_SEGMENT,
		buf_cstr(&id));
	if (id.is_failed)
		request->buf.is_failed = true;
	buf_fini(&id);
	return request;
}

enum sg_err
redis_store_members(struct store *base, const struct store_segment *segment,
	uint64_t *cursor, struct arena *arena, const char ***ret_accounts,
	size_t *ret_n, struct sg_fault *why)
{
	struct redis_store *store = store_of(base);
	struct resp_stream *request = ask_segment(store, segment, "SSCAN");
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
		err = SG_INTERNAL;
	else
		err = copy_texts(reply->element[1], arena, ret_accounts, NULL);
	if (err == SG_OK) {
		*cursor = strtoull(reply->element[0]->str, NULL, 10);
		*ret_n = reply->element[1]->elements;
	}
	freeReplyObject(reply);
	return err == SG_OK ? SG_OK : unexpected(why, err);
}

enum sg_err
redis_store_member_count(struct store *base,
	const struct store_segment *segment, uint64_t *ret_count,
	struct sg_fault *why)
{
	struct redis_store *store = store_of(base);
	redisReply *reply = NULL;
	enum sg_err err;

	(void)ask_segment(store, segment, "SCARD");
	err = redis_ask(store, &reply, why);
	if (err != SG_OK)
		return err;
	if (reply->type == REDIS_REPLY_INTEGER && reply->integer >= 0)
		*ret_count = (uint64_t)reply->integer;
	else
		err = unexpected(why, SG_INTERNAL);
	freeReplyObject(reply);
	return err;
}

/* lint: locale-free (the "C" locale is named) */
static double
score_parse(const char *text, locale_t c)
{
	return strtod_l(text, NULL, c);
}

enum sg_err
redis_store_renewals(struct store *base, int32_t number, size_t max,
	struct arena *arena, struct store_renewal **ret_renewals, size_t *ret_n,
	struct sg_fault *why)
{
	struct redis_store *store = store_of(base);
	struct resp_stream *request =
		ask_begin(store, number, "ZREVRANGE", REDIS_KEY_RENEWALS, "");
	struct store_renewal *renewals;
	const char **texts;
	locale_t c;
	size_t n;
	enum sg_err err;

	*ret_n = 0;
	if (max == 0)
		return SG_OK;
	resp_arg_uint(request, 0);
	resp_arg_uint(request, max < INT32_MAX ? max - 1 : INT32_MAX);
	resp_arg_text(request, "WITHSCORES");
	err = ask_texts(store, arena, &texts, NULL, &n, why);
	if (err != SG_OK)
		return err;
	renewals = arena_array(arena, n / 2 + 1, sizeof(*renewals));
	c = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
	if (renewals == NULL || c == (locale_t)0) {
		if (c != (locale_t)0)
			freelocale(c);
		return unexpected(why, SG_NOMEM);
	}
	for (size_t i = 0; i < n / 2; i++)
		renewals[i] = (struct store_renewal){.account = texts[2 * i],
			.score = score_parse(texts[2 * i + 1], c)};
	freelocale(c);
	*ret_renewals = renewals;
	*ret_n = n / 2;
	return SG_OK;
}
