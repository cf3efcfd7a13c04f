/*
 * store_impl.h - what the two stores have in common.
 *
 * store.h is met twice: by store_redis.c and by store_mem.c. Both embed struct
 * store and struct store_group as their first member; store.c calls them
 * through struct store_ops. What a caller adds to a commit arrives as one
 * struct store_write, so that a store is one switch and not ten functions.
 */
#ifndef SEGMENTD_STORE_IMPL_H
#define SEGMENTD_STORE_IMPL_H

#include "segmentd/store.h"

#define STORE_PREFIX_MAX 64

/* What one commit may hold, in bytes of any one kind. */
#define STORE_COMMIT_MAX ((size_t)256 * 1024 * 1024)

/* Largest number a double and a sorted set's score can hold exactly. */
#define STORE_SCORE_MAX ((int64_t)1 << 53)

enum store_write_kind {
	STORE_SET_STATE,
	STORE_DEL_STATE,
	STORE_SET_FIELD, /* name = field */
	STORE_DEL_FIELD,
	STORE_DEL_VIEW,
	STORE_ADD_MEMBER, /* name = segmentation, name2 = segment */
	STORE_DEL_MEMBER,
	STORE_SET_RENEWAL, /* name = window, score */
	STORE_DEL_RENEWAL, /* name = window */
	STORE_SET_DUE,	   /* score, whole milliseconds */
	STORE_DEL_DUE,
	STORE_SET_LAYOUT, /* hash */
};

struct store_write {
	enum store_write_kind kind;
	const char *account;
	const char *name;
	const char *name2;
	const void *bytes;
	size_t len;
	double score;
	uint64_t hash;
};

/* The texts of m that a commit renews; NULL: as they are. */
struct store_texts {
	const char *lineage;
	const char *w;
	const char *out;
};

struct store_ops {
	void (*close)(struct store *store);
	enum sg_err (*ping)(struct store *store, struct sg_fault *why);
	enum sg_err (*group_open)(struct store *store, int32_t number,
		struct store_group **ret_group, struct sg_fault *why);
	void (*group_close)(struct store_group *group);
	enum sg_err (*takeover)(struct store_group *group, struct arena *arena,
		struct store_meta *ret_meta, struct sg_fault *why);
	enum sg_err (*load)(struct store_group *group,
		const char *const *accounts, size_t n, struct arena *arena,
		struct store_blob *ret_blobs, struct sg_fault *why);
	enum sg_err (*due)(struct store_group *group, int64_t before_ms,
		size_t max, struct arena *arena, struct store_due **ret_due,
		size_t *ret_n, struct sg_fault *why);
	enum sg_err (*check)(struct store_group *group, struct sg_fault *why);
	void (*clear)(struct store_group *group);
	void (*write)(
		struct store_group *group, const struct store_write *write);
	size_t (*pending_bytes)(const struct store_group *group);
	enum sg_err (*commit)(struct store_group *group,
		const struct store_texts *texts, struct sg_fault *why);
	enum sg_err (*peek)(struct store *store, int32_t number,
		const char *account, struct arena *arena,
		struct store_blob *ret_state, struct store_meta *ret_meta,
		struct sg_fault *why);
	enum sg_err (*view)(struct store *store, int32_t number,
		const char *account, struct arena *arena,
		struct store_field **ret_fields, size_t *ret_n,
		struct sg_fault *why);
	enum sg_err (*members)(struct store *store,
		const struct store_segment *segment, uint64_t *cursor,
		struct arena *arena, const char ***ret_accounts, size_t *ret_n,
		struct sg_fault *why);
	enum sg_err (*member_count)(struct store *store,
		const struct store_segment *segment, uint64_t *ret_count,
		struct sg_fault *why);
	enum sg_err (*scan)(struct store *store, int32_t number,
		uint64_t *cursor, struct arena *arena,
		struct store_found **ret_found, size_t *ret_n,
		struct sg_fault *why);
	enum sg_err (*index_find)(struct store *store,
		const struct store_index *index, const char *account,
		bool *ret_is_there, double *ret_score, struct sg_fault *why);
	enum sg_err (*index_scan)(struct store *store,
		const struct store_index *index, uint64_t *cursor,
		struct arena *arena, const char ***ret_accounts, size_t *ret_n,
		struct sg_fault *why);
	enum sg_err (*erase_record)(
		struct store *store, int32_t number, struct sg_fault *why);
	enum sg_err (*erase)(struct store *store, int32_t number,
		uint64_t *cursor, uint64_t *ret_n, struct sg_fault *why);
	enum sg_err (*renewals)(struct store *store, int32_t number, size_t max,
		struct arena *arena, struct store_renewal **ret_renewals,
		size_t *ret_n, struct sg_fault *why);
	/* NULL: it runs none */
	enum sg_err (*script)(struct store *store, int32_t number,
		enum store_script script, const char *const *args, size_t nargs,
		struct arena *arena, struct store_answer *ret_answer,
		struct sg_fault *why);
};

struct store {
	const struct store_ops *ops;
	uint64_t nunreplicated;
};

struct store_group {
	const struct store_ops *ops;
	struct store *store;
	int32_t number;
};

#endif
