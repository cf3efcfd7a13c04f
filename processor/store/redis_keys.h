/*
 * redis_keys.h - the names of our keys. The only place that knows them.
 *
 *      plain           prefix:state:<id>        prefix:p<N>:m
 *      partitioned     prefix:{N}:state:<id>    prefix:{N}:p<N>:m
 *
 * On a cluster the braces put every key of a group into one slot, so that one
 * commit stays on one node.
 */
#ifndef SEGMENTD_REDIS_KEYS_H
#define SEGMENTD_REDIS_KEYS_H

#include "store_impl.h"

enum redis_key {
	REDIS_KEY_STATE,    /* + account */
	REDIS_KEY_VIEW,	    /* + account */
	REDIS_KEY_SEGMENT,  /* + segmentation:segment */
	REDIS_KEY_RENEWALS, /* whole */
	REDIS_KEY_OPEN,	    /* whole */
	REDIS_KEY_WINDOW,   /* + renewal window */
	REDIS_KEY_DONE,	    /* whole */
	REDIS_KEY_META,	    /* whole */
	REDIS_KEY_DUE,	    /* whole */
	REDIS_KEY_COUNT
};

struct redis_key_text {
	char at[STORE_PREFIX_MAX + 48];
	size_t len;
};

struct redis_keys {
	struct redis_key_text key[REDIS_KEY_COUNT];
};

/* Can `prefix` begin a key? Not empty, no braces, spaces or control bytes. */
SG_MUSTCHECK enum sg_err
redis_prefix_check(const char *prefix, struct sg_fault *why);

/* The prefix has passed redis_prefix_check(). */
void
redis_keys_init(struct redis_keys *keys, const char *prefix,
	enum store_layout layout, int32_t number);

#endif
