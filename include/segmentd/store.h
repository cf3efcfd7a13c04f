/*
 * store.h - what Kafka has committed, remembered: Redis, or memory.
 *
 * A store is opened per worker. Each partition group (partition N of every
 * input) the worker owns is a struct store_group with a connection of its own,
 * on which every commit is guarded (see below).
 *
 * KEYS (prefix "segd"; `layout: partitioned` puts {N}: before the rest)
 *   segd:state:<id>               STRING packed state of an account
 *   segd:acct:<id>                HASH   its public view, text fields
 *   segd:seg:<segmentation>:<seg> SET    members
 *   segd:renewals                 ZSET   the renewal queue
 *   segd:p<N>:m                   HASH   commit record: tok cid lin w out codec
 *                                        and L<hash>, stored-form layouts
 *   segd:p<N>:due                 ZSET   account -> ms at which it may change
 *
 * GUARD. Every commit is one MULTI/EXEC that also writes m; m is WATCHed and
 * read (token, commit number) before it. So it is applied only while the token
 * is ours and the last commit acknowledged to us is in the data; else the
 * answer is SG_STORE_LOST and the owner takes over again. Source: PROTOCOL in
 * ARCHITECTURE.md.
 *
 * Thread: one at a time, the worker's.
 *
 * ERRORS of every call that talks to Redis
 *   SG_STORE_DOWN  no connection, or lost on the way: pause, call again
 *   SG_STORE_BUSY  LOADING, OOM, READONLY, ...: nothing applied; same
 *   SG_STORE_LOST  the token or commit number is not ours: take over again
 *   SG_BAD_OPTION  wrong password, no such database, ...: the fault says what
 */
#ifndef SEGMENTD_STORE_H
#define SEGMENTD_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segmentd/arena.h"
#include "segmentd/buf.h"
#include "segmentd/err.h"

#define STORE_CHUNK_MAX 500 /* accounts of one commit */

enum store_layout {
	STORE_PLAIN,	   /* one Redis */
	STORE_PARTITIONED, /* every key of group N begins prefix:{N}: */
};

struct store_opts {
	/* redis://[user[:password]@]host[:port][/db], unix:///path[?db=N],
	 * rediss:// where hiredis has TLS (else SG_NO_LIBRARY). */
	const char *url;
	const char *user;     /* NULL: that of the URL, or none */
	const char *password; /* NULL: that of the URL, or none; never logged */
	const char *prefix;   /* "segd" */
	enum store_layout layout;
	int32_t connect_timeout_ms;
	int32_t command_timeout_ms;
};

struct store;
struct store_group;

/* Does not connect. Errors: SG_BAD_OPTION (URL), SG_NO_LIBRARY, SG_NOMEM. */
SG_MUSTCHECK enum sg_err
store_open_redis(const struct store_opts *opts, struct store **ret_store,
	struct sg_fault *why);

/* The same contract in memory, for backtest and tests. */
SG_MUSTCHECK enum sg_err
store_open_mem(struct store **ret_store);
void
store_close(struct store *store);

/* Is it there and usable? Connects, PINGs, and checks version (>= 6.2) and
 * maxmemory-policy (a policy that evicts keys is SG_BAD_OPTION). */
SG_MUSTCHECK enum sg_err
store_ping(struct store *store, struct sg_fault *why);

/* --- taking over -------------------------------------------------------- */

/* The commit record as the last owner left it. Texts are opaque to the store.
 * Valid until: the arena is reset. */
struct store_meta {
	bool is_present; /* false: Redis knows nothing of this group */
	const char *lineage;
	const char *w;	   /* low watermark */
	const char *out;   /* output position */
	const char *codec; /* "1" */
	struct store_layout_entry {
		uint64_t hash;
		const void *bytes;
		size_t len;
	} * layouts;
	size_t nlayouts;
};

/*
 * Reign over group `number`: set a fresh random token, cid 0, and return what
 * was there. Again on a group that lost its reign: the same group goes on with
 * a new token.
 */
SG_MUSTCHECK enum sg_err
store_group_open(struct store *store, int32_t number,
	struct store_group **ret_group, struct sg_fault *why);
SG_MUSTCHECK enum sg_err
store_group_takeover(struct store_group *group, struct arena *arena,
	struct store_meta *ret_meta, struct sg_fault *why);
void
store_group_close(struct store_group *group);

/* --- reading ------------------------------------------------------------ */

struct store_blob {
	const void *bytes; /* NULL: not there */
	size_t len;
};

/* States of `n` accounts in one round trip, with the reign checked in the same
 * MULTI. Valid until: (the bytes) the arena is reset. */
SG_MUSTCHECK enum sg_err
store_group_load(struct store_group *group, const char *const *accounts,
	size_t n, struct arena *arena, struct store_blob *ret_blobs,
	struct sg_fault *why);

struct store_due {
	const char *account;
	int64_t due_ms;
};

/* Up to `max` accounts due before `before_ms`, soonest first. */
SG_MUSTCHECK enum sg_err
store_group_due(struct store_group *group, int64_t before_ms, size_t max,
	struct arena *arena, struct store_due **ret_due, size_t *ret_n,
	struct sg_fault *why);

/* Still ours, nothing rolled back? (SG_STORE_LOST if not.) */
SG_MUSTCHECK enum sg_err
store_group_check(struct store_group *group, struct sg_fault *why);

/* --- writing: add, add, ..., commit ------------------------------------- */

/* Forget what was added since the last commit. */
void
store_group_clear(struct store_group *group);

void
store_add_state(struct store_group *group, const char *account,
	const void *bytes, size_t len);
void
store_del_state(struct store_group *group, const char *account);

/* One field of the public view; a value of len 0 and NULL removes it. */
void
store_add_view(struct store_group *group, const char *account,
	const char *field, const char *value, size_t len);
void
store_del_view(struct store_group *group, const char *account);

void
store_add_member(struct store_group *group, const char *segmentation,
	const char *segment, const char *account);
void
store_del_member(struct store_group *group, const char *segmentation,
	const char *segment, const char *account);

/* The renewal queue: highest score first. */
void
store_add_renewal(struct store_group *group, const char *account, double score);
void
store_del_renewal(struct store_group *group, const char *account);

/* INT64_MAX removes. */
void
store_add_due(struct store_group *group, const char *account, int64_t due_ms);

/* A stored-form layout, kept in m. */
void
store_add_layout(struct store_group *group, uint64_t hash, const void *bytes,
	size_t len);

/*
 * Commit what was added, with the new texts of m (NULL: as they are), in one
 * guarded MULTI/EXEC. After SG_STORE_DOWN or SG_STORE_BUSY call again, without
 * adding: the same bytes are sent again unless the first were applied. After
 * SG_OK what was added is gone. SG_NOMEM when adding had failed.
 */
SG_MUSTCHECK enum sg_err
store_group_commit(struct store_group *group, const char *lineage,
	const char *w, const char *out, struct sg_fault *why);

/* --- looking, without a reign (CLI) ------------------------------------- */

/* State, view and layouts of one account of group `number` (any number under
 * STORE_PLAIN unless layouts are wanted). */
SG_MUSTCHECK enum sg_err
store_peek(struct store *store, int32_t number, const char *account,
	struct arena *arena, struct store_blob *ret_state,
	struct store_meta *ret_meta, struct sg_fault *why);

#endif
