/*
 * redis_store.h - what the parts of the Redis store share.
 *
 *      store_redis.c    open, close, ping
 *      redis_guard.c    the reign: take over, arm, judge; guarded round trips
 *      redis_commit.c   adding and committing
 *      redis_read.c     loads, due accounts, and what the command line reads
 *      redis_script.c   the scripts of the renewal queue
 */
#ifndef SEGMENTD_REDIS_STORE_H
#define SEGMENTD_REDIS_STORE_H

#include "redis_conn.h"
#include "redis_keys.h"
#include "resp.h"
#include "store_impl.h"

struct redis_store {
	struct store base;
	struct redis_target target;
	struct redis_conn conn; /* for what needs no reign */
	struct redis_keys
		route; /* of the group `conn` is to find the node of */
	struct redis_nodes nodes;
	struct resp_stream request;
	char prefix[STORE_PREFIX_MAX + 1];
	enum store_layout layout;
	/* What a commit waits for; `shown_us` is when a lack was logged. */
	struct {
		int32_t nreplicas;
		bool has_aof;
		int32_t timeout_ms;
		int64_t shown_us;
	} wait;
};

/* A stream for each family of keys: within one the order of what was added is
 * kept, and different ones never touch the same key. */
enum redis_stream {
	REDIS_STREAM_STATE, /* begins with MULTI: becomes the whole frame */
	REDIS_STREAM_VIEW,
	REDIS_STREAM_SEGMENT,
	REDIS_STREAM_RENEWAL,
	REDIS_STREAM_OPEN,
	REDIS_STREAM_WINDOW,
	REDIS_STREAM_DONE,
	REDIS_STREAM_DUE,
	REDIS_STREAM_META,
	REDIS_STREAM_COUNT
};

struct redis_group {
	struct store_group base;
	struct redis_store *store;
	struct redis_keys keys;
	struct redis_conn conn;
	struct resp_stream request; /* of loads and take-overs */
	struct resp_stream arming;  /* WATCH m | HMGET m tok cid */

	/* The reign. */
	char token[17]; /* 64 random bits, hexadecimal */
	uint64_t cid;	/* the last commit acknowledged to us */
	bool is_reigning;
	bool is_armed; /* m is WATCHed on `conn` and showed (token, cid) */

	/* The commit. */
	struct resp_stream streams[REDIS_STREAM_COUNT];
	bool is_framed;	  /* streams[STATE] is the whole request */
	bool is_in_doubt; /* a copy went out whose answer never came */
	bool is_applied;  /* m shows that it was applied */
};

/* --- redis_guard.c -------------------------------------------------------- */

/* Connected, reigning, and m watched. Settles a commit in doubt. */
SG_MUSTCHECK enum sg_err
redis_guard_arm(struct redis_group *group, struct sg_fault *why);

/* End a request: EXEC, and arm for the next one in the same round trip. */
void
redis_guard_end(struct redis_group *group, struct resp_stream *request);

/*
 * Send a request that has a MULTI and ends with redis_guard_end(). A commit
 * whose answer does not come is in doubt from then on.
 *
 * *ret_exec is the reply of EXEC: an array, or nil when m was touched by
 * somebody.
 * Owner:  the caller, freeReplyObject().
 * Errors: SG_STORE_BUSY: nothing was applied. SG_STORE_DOWN: nothing is known.
 *         SG_STORE_LOST.
 */
SG_MUSTCHECK enum sg_err
redis_guard_exec(struct redis_group *group, const struct resp_stream *request,
	bool is_commit, redisReply **ret_exec, struct sg_fault *why);

/* Build the request that arms: the keys are set. */
void
redis_guard_init(struct redis_group *group);

enum sg_err
redis_group_takeover(struct store_group *base, struct arena *arena,
	struct store_meta *ret_meta, struct sg_fault *why);
enum sg_err
redis_group_check(struct store_group *base, struct sg_fault *why);

/* Is this a reply of HMGET m tok cid that shows our reign? SG_STORE_LOST, and
 * the reign is over, when not. */
SG_MUSTCHECK enum sg_err
redis_guard_judge(struct redis_group *group, const redisReply *reply,
	struct sg_fault *why);

/* Append HMGET m tok cid. */
void
redis_guard_put_read(struct redis_group *group, struct resp_stream *request);

/* --- redis_commit.c ------------------------------------------------------- */

/* The streams are empty and ready to be added to; the doubt is over. */
void
redis_commit_reset(struct redis_group *group);
void
redis_group_clear(struct store_group *base);
void
redis_group_write(struct store_group *base, const struct store_write *write);
size_t
redis_group_pending_bytes(const struct store_group *base);
enum sg_err
redis_group_commit(struct store_group *base, const struct store_texts *texts,
	struct sg_fault *why);

/* --- redis_read.c --------------------------------------------------------- */

enum sg_err
redis_group_load(struct store_group *base, const char *const *accounts,
	size_t n, struct arena *arena, struct store_blob *ret_blobs,
	struct sg_fault *why);
enum sg_err
redis_group_due(struct store_group *base, int64_t before_ms, size_t max,
	struct arena *arena, struct store_due **ret_due, size_t *ret_n,
	struct sg_fault *why);

/* The fields of m, copied. */
SG_MUSTCHECK enum sg_err
redis_read_meta(const redisReply *reply, struct arena *arena,
	struct store_meta *ret_meta);

/* --- redis_look.c --------------------------------------------------------- */

enum sg_err
redis_store_ping(struct store *base, struct sg_fault *why);
enum sg_err
redis_store_peek(struct store *base, int32_t number, const char *account,
	struct arena *arena, struct store_blob *ret_state,
	struct store_meta *ret_meta, struct sg_fault *why);
enum sg_err
redis_store_view(struct store *base, int32_t number, const char *account,
	struct arena *arena, struct store_field **ret_fields, size_t *ret_n,
	struct sg_fault *why);
enum sg_err
redis_store_members(struct store *base, const struct store_segment *segment,
	uint64_t *cursor, struct arena *arena, const char ***ret_accounts,
	size_t *ret_n, struct sg_fault *why);
enum sg_err
redis_store_member_count(struct store *base,
	const struct store_segment *segment, uint64_t *ret_count,
	struct sg_fault *why);
enum sg_err
redis_store_renewals(struct store *base, int32_t number, size_t max,
	struct arena *arena, struct store_renewal **ret_renewals, size_t *ret_n,
	struct sg_fault *why);

/* On a cluster: the store's connection, when it is opened next, goes to the
 * node of this group. */
void
redis_store_route(struct redis_store *store, int32_t number);

/* --- redis_scan.c --------------------------------------------------------- */

/* Send store->request (one command) and take its reply.
 * Owner: the caller, freeReplyObject(). Never an error reply. */
SG_MUSTCHECK enum sg_err
redis_ask(struct redis_store *store, redisReply **ret_reply,
	struct sg_fault *why);
SG_MUSTCHECK enum sg_err
redis_store_scan(struct store *base, int32_t number, uint64_t *cursor,
	struct arena *arena, struct store_found **ret_found, size_t *ret_n,
	struct sg_fault *why);

/* A page of the keys that begin with `key`, a key of group `number`: element 1
 * of the reply is [key, ...]. *cursor goes on.
 * Owner: the caller, freeReplyObject(). */
SG_MUSTCHECK enum sg_err
redis_scan_page(struct redis_store *store, int32_t number,
	const struct redis_key_text *key, uint64_t *cursor,
	redisReply **ret_reply, struct sg_fault *why);

/* The same; an error reply that `is_answer` knows is one. */
SG_MUSTCHECK enum sg_err
redis_ask_script(struct redis_store *store, bool (*is_answer)(const char *text),
	redisReply **ret_reply, struct sg_fault *why);

/* --- redis_script.c ------------------------------------------------------- */

SG_MUSTCHECK enum sg_err
redis_store_script(struct store *base, int32_t number, enum store_script script,
	const char *const *args, size_t nargs, struct arena *arena,
	struct store_answer *ret_answer, struct sg_fault *why);

/* --- redis_index.c -------------------------------------------------------- */

SG_MUSTCHECK enum sg_err
redis_store_index_find(struct store *base, const struct store_index *index,
	const char *account, bool *ret_is_there, double *ret_score,
	struct sg_fault *why);
SG_MUSTCHECK enum sg_err
redis_store_index_scan(struct store *base, const struct store_index *index,
	uint64_t *cursor, struct arena *arena, const char ***ret_accounts,
	size_t *ret_n, struct sg_fault *why);
SG_MUSTCHECK enum sg_err
redis_store_erase_record(
	struct store *base, int32_t number, struct sg_fault *why);
SG_MUSTCHECK enum sg_err
redis_store_erase(struct store *base, int32_t number, uint64_t *cursor,
	uint64_t *ret_n, struct sg_fault *why);

#endif
