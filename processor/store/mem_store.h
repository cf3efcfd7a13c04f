/*
 * mem_store.h - the memory store's data and how writes reach it.
 *
 *      mem_data
 *        states    account -> blob
 *        views     account -> (field -> blob)
 *        segments  "segmentation:segment" -> set of accounts
 *        renewals  account by -score
 *        groups    number -> mem_meta (token, cid, texts, layouts, due)
 */
#ifndef SEGMENTD_MEM_STORE_H
#define SEGMENTD_MEM_STORE_H

#include "mem_map.h"
#include "segmentd/buf.h"
#include "store_impl.h"

struct mem_blob {
	size_t len;
	uint8_t bytes[]; /* a NUL follows */
};

/* The commit record of a group, and what else is the group's alone. */
struct mem_meta {
	uint64_t token;
	uint64_t cid;
	char *lineage;
	char *w;
	char *out;
	struct mem_map layouts; /* 8 bytes of hash -> blob */
	struct mem_zset due;
};

struct mem_data {
	struct mem_map states;
	struct mem_map views;
	struct mem_map segments;
	struct mem_map groups;
	struct mem_zset renewals;
};

SG_MUSTCHECK enum sg_err
mem_data_init(struct mem_data *data);
void
mem_data_fini(struct mem_data *data);

/* NULL: not there. */
struct mem_meta *
mem_data_meta(const struct mem_data *data, int32_t number);

/* The same, made if need be; NULL: no memory. */
struct mem_meta *
mem_data_meta_add(struct mem_data *data, int32_t number);

/* A write, to be applied later. */
void
mem_write_record(struct buf *log, const struct store_write *write);

/* Apply what was recorded. */
SG_MUSTCHECK enum sg_err
mem_write_replay(
	struct mem_data *data, struct mem_meta *meta, const struct buf *log);
SG_MUSTCHECK enum sg_err
mem_meta_set_texts(struct mem_meta *meta, const struct store_texts *texts);

/* "segmentation:segment" in `key`; its length. */
size_t
mem_segment_key(struct buf *key, const char *segmentation, const char *segment);

#endif
