/*
 * verify.h - what the files of `segmentd verify` share; see verify.c.
 */
#ifndef PIPELINE_VERIFY_H
#define PIPELINE_VERIFY_H

#include "group.h"
#include "position.h"
#include "schemas.h"
#include "segmentd/publish.h"

/* What is known of an account. */
struct verify_account {
	const char *id;
	uint64_t hash;
	int32_t group;	   /* -1: only Kafka knows of it */
	const void *state; /* as it was when the walk came by; NULL: none */
	size_t state_len;
	int16_t *seats; /* by segmentation; NULL: no state that can be read */
	bool is_gone;

	/* While its group is looked at. */
	struct account *stored; /* what Redis says */
	struct account *fresh;	/* what the inputs come to, up to there */
	uint64_t image_version; /* newest published */
	int64_t newer_at; /* offset of the first image newer than the state */
	bool is_image_found; /* that of the state's version */
	bool is_order_open;  /* was deleted: see verify_fold.c */
	bool is_position_told;
};

struct verify {
	const struct program *prog;
	const struct verify_opts *opts;
	struct store *store;
	struct registry *registry; /* NULL: none */
	struct ingest *ingest;
	struct toolbox box;
	struct store *mirror; /* in memory: what Redis should hold */
	struct arena page;
	struct arena kept; /* accounts, states, differences */
	int32_t npartitions;
	bool is_partial;

	struct verify_account **table; /* open addressing, a power of two */
	size_t ntable;
	size_t naccounts;

	struct verify_difference *differences;
	struct verification sum;
	uint64_t total; /* records of the inputs */
};

/* A partition group while it is looked at. */
struct verify_group {
	struct verify *v;
	int32_t number;
	struct group *stored;
	struct group *fresh;
	struct group *mirror;  /* its store is the mirror */
	int64_t w[INPUTS_MAX]; /* -1: nothing is promised */
	int64_t out;
	int64_t now_ms; /* at which timers are judged */
	int64_t from[INPUTS_MAX];
	int64_t to[INPUTS_MAX];
	struct ingest_position committed;
	bool has_w;
	bool is_reviewed; /* all its accounts by today's rules */
};

/* The account of that id; added when it is not there. NULL: out of memory. */
struct verify_account *
verify_account(struct verify *v, const char *id, size_t len);

/* Note a difference; texts are copied, and what is beyond the list's maximum
 * is counted only. */
void
verify_differ(struct verify *v, const struct verify_account *a, int32_t group,
	const char *what, const char *name, const char *redis,
	const char *expected);

/* Read a state into an account of the group that is new. False: it cannot be
 * read, which was noted. */
SG_MUSTCHECK enum sg_err
verify_read_state(struct verify_group *g, struct group *group,
	const struct verify_account *a, const void *bytes, size_t len,
	struct account **ret_acct);

/* verify_fold.c: features and positions against the inputs, membership against
 * what was published. */
SG_MUSTCHECK enum sg_err
verify_inputs(struct verify_group *g, struct sg_fault *why);
SG_MUSTCHECK enum sg_err
verify_published(struct verify_group *g, struct sg_fault *why);
SG_MUSTCHECK enum sg_err
verify_compare(struct verify_group *g, struct verify_account *a);

/* verify_views.c: what Redis holds beside the state, against the state. */
SG_MUSTCHECK enum sg_err
verify_views(
	struct verify_group *g, struct verify_account *a, struct sg_fault *why);
/* Accounts that indexes hold and should not. */
SG_MUSTCHECK enum sg_err
verify_indexes(struct verify *v, struct sg_fault *why);

#endif
