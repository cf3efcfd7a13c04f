/*
 * distinct.h - private to features/: which values were seen, and when last.
 */
#ifndef FEATURES_DISTINCT_H
#define FEATURES_DISTINCT_H

#include "segmentd/err.h"
#include "state.h"

#define DISTINCT_STEPS_MAX 8
#define DISTINCT_CAP 2048 /* members at which some have to go */
#define DISTINCT_NEWEST                                                        \
	512 /* of those beyond the smallest hashes that stay                   \
	     */

/* For windows that begin at or below tile `upto`, only members whose hash is
 * below `bound` are known. Both ascend. */
struct distinct_step {
	uint64_t bound;
	int32_t upto;
};

struct distinct_put {
	uint64_t hash;
	int32_t tile;
	int32_t head;
	bool is_late;
};

struct distinct_count {
	uint64_t n;
	int64_t oldest; /* the tile whose leaving changes it; INT64_MAX: none */
	int64_t ahead;	/* least tile above the window; INT64_MAX: none */
	bool is_estimate;
};

/* 48 bits. False: not a value to count. */
bool
distinct_hash(struct value v, unsigned type, uint64_t *ret_hash);

void
distinct_fini(struct features *features, struct distinct *distinct);

SG_MUSTCHECK enum sg_err
distinct_plan(struct features *features, const struct unit *unit,
	struct distinct *distinct, uint64_t hash, int32_t tile, int32_t head,
	struct distinct_put *put);
/* True when a count may differ. */
bool
distinct_apply(const struct unit *unit, struct distinct *distinct,
	const struct distinct_put *put);

/* The members with a tile in [low, high]. */
struct distinct_count
distinct_count(const struct distinct *distinct, int64_t low, int64_t high);

const struct distinct_step *
distinct_steps(const struct distinct *distinct);

uint64_t
distinct_member(const struct distinct *distinct, uint32_t i);
int32_t
distinct_tile(const struct distinct *distinct, uint32_t i);

/* Append a member above all others, as the stored form lists them. */
SG_MUSTCHECK enum sg_err
distinct_append(struct features *features, struct distinct *distinct,
	uint64_t hash, int32_t tile);
SG_MUSTCHECK enum sg_err
distinct_append_step(struct features *features, struct distinct *distinct,
	struct distinct_step step);

/* Let go what the head has left behind. */
void
distinct_compact(
	const struct unit *unit, struct distinct *distinct, int32_t head);

#endif
