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
 *   segd:renewals:open            ZSET   who of it may be claimed, and some
 *   segd:renewals:open:<window>   ZSET   who may not; the same of a window
 *   segd:renewals:leases          ZSET   account -> ms at which its claim ends
 *   segd:renewals:claims          HASH   account -> by whom and for what
 *   segd:renewals:done            HASH   account -> date and window done with
 *   segd:p<N>:m                   HASH   commit record: tok cid lin w out codec
 *                                        and L<hash>, stored-form layouts
 *   segd:p<N>:due                 ZSET   account -> ms at which it may change
 *
 * GUARD. Every commit is one MULTI/EXEC that also writes m; m is WATCHed and
 * read (token, commit number) before it. So it is applied only while the token
 * is ours and the last commit acknowledged to us is in the data; else the
 * answer is SG_STORE_LOST and the owner takes over again. Source: "Delivery"
 * in ARCHITECTURE.md.
 *
 * Thread: one at a time, the worker's. The process ignores SIGPIPE where TLS is
 * used.
 *
 * ERRORS of every call that talks to Redis
 *   SG_STORE_DOWN  no connection, or lost on the way: pause, call again
 *   SG_STORE_BUSY  LOADING, OOM, READONLY, ...: nothing applied; same
 *   SG_STORE_LOST  the token or commit number is not ours: take over again
 *   SG_BAD_OPTION  wrong password, no such database, ...: the fault says what
 *   SG_OPERATOR    a key of ours holds another type: somebody else's
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

/* Commit when store_group_pending_bytes() has passed this: Redis answers nobody
 * else while it applies a commit. */
#define STORE_CHUNK_BYTES ((size_t)4 * 1024 * 1024)

enum store_layout {
	STORE_PLAIN,	   /* one Redis */
	STORE_PARTITIONED, /* every key of group N begins prefix:{N}: */
};

struct store_opts {
	/* redis://[user[:password]@]host[:port][,host...][/db],
	 * redis+sentinel://...host[:port][,host...]/master[/db],
	 * unix:///path[?db=N]; rediss://...[?ca=FILE&cert=FILE&key=FILE] and
	 * rediss+sentinel:// where hiredis has TLS (else SG_NO_LIBRARY). Of
	 * several hosts the one that is a master is taken, or, on a cluster,
	 * any that answers. What is special in a URL is written %XX. */
	const char *url;
	const char *user;     /* NULL: that of the URL, or none */
	const char *password; /* NULL: that of the URL, or none; never logged */
	const char *sentinel_user; /* NULL: none; same of the password */
	const char *sentinel_password;
	const char *prefix; /* "segd" */
	enum store_layout layout;
	int32_t connect_timeout_ms;
	int32_t command_timeout_ms;
	/* After a commit: wait until so many replicas have it (0: do not), and
	 * until it is in the append-only files (Redis 7.2), but no longer than
	 * this. Where that is not reached the commit counts all the same. */
	int32_t wait_replicas;
	bool is_waiting_for_aof;
	int32_t wait_timeout_ms;
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

/* For tests on the memory store: the next `ncalls` calls that would talk to
 * Redis return `err`. A commit that fails with SG_STORE_DOWN is applied all the
 * same where `is_applied`, as when only the answer was lost. */
void
store_mem_fail(
	struct store *store, enum sg_err err, uint32_t ncalls, bool is_applied);

/* For tests on the memory store: forget everything, as FLUSHALL does. */
void
store_mem_forget(struct store *store);

/* The groups are closed before. */
void
store_close(struct store *store);

/* Is it there and usable? Connects and checks the version (Redis >= 7.0, or
 * Valkey), that the layout fits, and maxmemory-policy (one that evicts keys is
 * SG_BAD_OPTION). What an ACL hides is not checked, and logged. */
SG_MUSTCHECK enum sg_err
store_ping(struct store *store, struct sg_fault *why);

/* Commits so far that fewer replicas had in time than asked for. */
uint64_t
store_unreplicated(const struct store *store);

/* --- taking over -------------------------------------------------------- */

/* The commit record as the last owner left it. Texts are opaque to the store;
 * NULL where nothing was ever written.
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

/* A group without a reign yet; does not connect. Errors: SG_NOMEM. */
SG_MUSTCHECK enum sg_err
store_group_open(struct store *store, int32_t number,
	struct store_group **ret_group, struct sg_fault *why);

/*
 * Reign over the group: set a fresh random token, cid 0, and return what was
 * there. What was added and not committed is forgotten. Again on a group that
 * lost its reign: the same group goes on with a new token. Every other call
 * before it is SG_STORE_LOST.
 */
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

/* Forget what was added since the last commit. Where a commit was sent and its
 * answer never came, that also gives up the reign: its bytes may still be
 * applied, and only a take-over rules that out. */
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

/* The renewal queue: highest score first. No number (NaN) goes last. Whoever is
 * added is open to be claimed unless he is claimed, or was done with in this
 * window; to leave a window, for another one or for good, is to be removed with
 * its name, and what was done is forgotten. */
void
store_add_renewal(struct store_group *group, const char *account,
	const char *window, double score);
void
store_del_renewal(
	struct store_group *group, const char *account, const char *window);

/* INT64_MAX removes. */
void
store_add_due(struct store_group *group, const char *account, int64_t due_ms);

/* A stored-form layout, kept in m. */
void
store_add_layout(struct store_group *group, uint64_t hash, const void *bytes,
	size_t len);

/* About how many bytes a commit would send now. */
size_t
store_group_pending_bytes(const struct store_group *group);

/*
 * Commit what was added, with the new texts of m (NULL: as they are), in one
 * guarded MULTI/EXEC. After SG_STORE_DOWN or SG_STORE_BUSY call again, without
 * adding (what is added meanwhile is lost): the same bytes, with the texts of
 * the first call, are sent again unless they were applied before. After SG_OK
 * what was added is gone. SG_NOMEM when adding had failed, SG_OPERATOR when a
 * key of ours holds what is not ours (the rest is applied).
 */
SG_MUSTCHECK enum sg_err
store_group_commit(struct store_group *group, const char *lineage,
	const char *w, const char *out, struct sg_fault *why);

/* --- looking, without a reign (CLI) ------------------------------------- */

/* State of one account and the commit record of its group `number` (under
 * STORE_PLAIN any number will do unless the record is wanted; NULL: it is not
 * read). */
SG_MUSTCHECK enum sg_err
store_peek(struct store *store, int32_t number, const char *account,
	struct arena *arena, struct store_blob *ret_state,
	struct store_meta *ret_meta, struct sg_fault *why);

struct store_field {
	const char *name;
	const char *value; /* a NUL follows, others may be in it */
	size_t len;
};

/* The public view of one account, sorted by name; none: not there. */
SG_MUSTCHECK enum sg_err
store_view(struct store *store, int32_t number, const char *account,
	struct arena *arena, struct store_field **ret_fields, size_t *ret_n,
	struct sg_fault *why);

struct store_segment {
	int32_t number; /* of the group; any under STORE_PLAIN */
	const char *segmentation;
	const char *segment;
};

/*
 * Some members of a segment. *cursor is 0 at the first call and again after
 * the last; a page may be empty, and a member that stays may be told twice.
 */
SG_MUSTCHECK enum sg_err
store_members(struct store *store, const struct store_segment *segment,
	uint64_t *cursor, struct arena *arena, const char ***ret_accounts,
	size_t *ret_n, struct sg_fault *why);
SG_MUSTCHECK enum sg_err
store_member_count(struct store *store, const struct store_segment *segment,
	uint64_t *ret_count, struct sg_fault *why);

/* An account found by store_scan(), with its state. */
struct store_found {
	const char *account;
	struct store_blob state;
};

/*
 * Some of all accounts that have a state (of every group under STORE_PLAIN, of
 * `number` under STORE_PARTITIONED). *cursor is 0 at the first call and again
 * after the last; a page may be empty, and an account may be told twice.
 */
SG_MUSTCHECK enum sg_err
store_scan(struct store *store, int32_t number, uint64_t *cursor,
	struct arena *arena, struct store_found **ret_found, size_t *ret_n,
	struct sg_fault *why);

struct store_renewal {
	const char *account;
	double score;
};

/* The `max` first of the renewal queue, highest score first. */
SG_MUSTCHECK enum sg_err
store_renewals(struct store *store, int32_t number, size_t max,
	struct arena *arena, struct store_renewal **ret_renewals, size_t *ret_n,
	struct sg_fault *why);

/* --- the renewal queue's scripts ----------------------------------------- */

/* SCRIPT(name, file): what it takes and replies is said in the file, which is
 * in processor/store/renewals. */
#define STORE_SCRIPTS(SCRIPT)                                                  \
	SCRIPT(claim, "claim.lua")                                             \
	SCRIPT(done, "done.lua")                                               \
	SCRIPT(release, "release.lua")                                         \
	SCRIPT(extend, "extend.lua")                                           \
	SCRIPT(list, "list.lua")                                               \
	SCRIPT(peek, "peek.lua")

enum store_script {
#define SCRIPT(name, file) STORE_SCRIPT_##name,
	STORE_SCRIPTS(SCRIPT)
#undef SCRIPT
		STORE_SCRIPT_COUNT
};

/* The whole text, as any client may send it. */
const char *
store_script_text(enum store_script script);
const char *
store_script_name(enum store_script script);

/* A score as Redis writes it. */
double
store_score(const char *text);

#define STORE_ANSWER_DEPTH 4 /* lists in lists */

struct store_answer {
	enum {
		STORE_ANSWER_NONE,
		STORE_ANSWER_NUMBER,
		STORE_ANSWER_TEXT,
		STORE_ANSWER_LIST,
		STORE_ANSWER_REFUSED /* the text: "FOREIGN a7 is claimed .." */
	} kind;
	int64_t number;
	const char *text;
	const struct store_answer *items;
	size_t nitems;
};

/* Run a script on the queue of group `number` (any under STORE_PLAIN). Errors:
 * also SG_NO_LIBRARY: a store in memory runs none. */
SG_MUSTCHECK enum sg_err
store_script(struct store *store, int32_t number, enum store_script script,
	const char *const *args, size_t nargs, struct arena *arena,
	struct store_answer *ret_answer, struct sg_fault *why);

enum store_index_kind {
	STORE_INDEX_MEMBERS,  /* of a segment */
	STORE_INDEX_RENEWALS, /* the queue */
	STORE_INDEX_DUE	      /* timers of a group */
};

/* A set of accounts. Which group it is of matters as for the calls above; that
 * of timers is always of one group. */
struct store_index {
	enum store_index_kind kind;
	int32_t number;
	const char *segmentation; /* of members */
	const char *segment;
};

/* Is an account in it, and (queue, timers) with which score? */
SG_MUSTCHECK enum sg_err
store_index_find(struct store *store, const struct store_index *index,
	const char *account, bool *ret_is_there, double *ret_score,
	struct sg_fault *why);

/* Some of its accounts; the cursor is as of store_members(). */
SG_MUSTCHECK enum sg_err
store_index_scan(struct store *store, const struct store_index *index,
	uint64_t *cursor, struct arena *arena, const char ***ret_accounts,
	size_t *ret_n, struct sg_fault *why);

/* Remove the commit record of a group: from then on everything of it counts as
 * lost, whatever is still there. Nobody may reign. */
SG_MUSTCHECK enum sg_err
store_erase_record(struct store *store, int32_t number, struct sg_fault *why);

/*
 * Remove some of the keys under our prefix (of `number` under
 * STORE_PARTITIONED); *ret_n grows by how many. The cursor is as of
 * store_scan(). Nobody may reign.
 */
SG_MUSTCHECK enum sg_err
store_erase(struct store *store, int32_t number, uint64_t *cursor,
	uint64_t *ret_n, struct sg_fault *why);

#endif
