/*
 * account.h - accounts in memory: the cache of one partition group.
 *
 * An account belongs to one group and one worker. It is in up to three lists:
 *
 *   heap   by due_ms, when time alone may change it
 *   FIFO   while dirty (changed since it was written to the store), in the
 *          order in which it became so; the positions noted then are what the
 *          low watermark is made of
 *   LRU    while clean: only these may be evicted
 */
#ifndef PIPELINE_ACCOUNT_H
#define PIPELINE_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "program.h"
#include "segmentd/event.h"

#define HEAP_NONE UINT32_MAX
#define DUE_UNKNOWN INT64_MIN
/* Before all others: not a timer, but an evaluation that is owed. It survives
 * the store, whose numbers are doubles. */
#define DUE_OWED (-(INT64_C(1) << 53))

struct account_overrides; /* override.h */

struct account {
	struct account *chain; /* in the hash table */
	struct account *prev;  /* FIFO or LRU */
	struct account *next;
	uint64_t hash;
	struct features *features;
	struct membership *ms;
	struct account_overrides *overrides; /* NULL: none */

	int64_t due_ms;		  /* min of until_ms; AT_NEVER */
	int64_t stored_due_ms;	  /* what the store's index says; DUE_UNKNOWN */
	int64_t touched_ms;	  /* instant of the last fold or change: the
				     public view is as of then */
	int64_t dirty_mono_ms;	  /* since when it waits to be written */
	int64_t dirty_out;	  /* output position when it became dirty */
	int64_t dirty_clock_ms;	  /* event clock when it became dirty */
	double stored_score;	  /* renewal queue; NaN: not in it or unknown */
	const struct event *last; /* latest event of this batch; NULL none */
	int64_t gone_ms;	  /* event time of the deletion, if is_gone */
	uint64_t image_version;	  /* newest version adopted or published */
	uint32_t heap_at;
	uint32_t id_len;
	uint32_t gone_input; /* whose event the deletion was */
	bool is_loaded;	     /* false: its state is still in the store */
	bool is_dirty;
	bool is_touched;    /* waits to be evaluated */
	bool is_gone;	    /* its last event was a deletion */
	bool is_stored;	    /* the store has, or may have, a public view */
	bool is_view_known; /* view_hash and seats_stored say what is stored */
	bool is_changed;    /* has changes in the transaction to come */
	bool is_ripe;	    /* changed: to be written without waiting */
	bool is_view_old;   /* written by another configuration */
	bool is_due_fired;  /* the timer in the store's index has passed */
	bool is_due_known;  /* evaluated since it was loaded: AT_NEVER is so */

	/* Tables behind the struct, sized by the program. */
	int64_t *applied;    /* by input: next offset to fold */
	int64_t *dirty_pos;  /* by input: fold position when it became dirty */
	int64_t *until_ms;   /* by segmentation: evaluate again at the latest */
	uint64_t *changed;   /* bit set of features since the last evaluation */
	uint32_t *view_hash; /* by view field: hash of the stored text */
	int16_t *seats_stored; /* by segmentation */
	char *id;	       /* NUL-terminated */
};

/* Fields of the public view: one a slot (those that are shown), the fixed
 * ones, and the segments; see flush.c. */
size_t
account_nviews(const struct program *prog);

struct accounts {
	const struct program *prog;
	struct account **buckets;
	size_t nbuckets; /* a power of two */
	size_t n;
	size_t bytes;
	struct account **heap;
	size_t nheap;
	size_t heap_cap;
	struct account *dirty_head, *dirty_tail;
	size_t ndirty;
	struct account *lru_head, *lru_tail; /* head: longest unused */
};

SG_MUSTCHECK enum sg_err
accounts_init(struct accounts *accounts, const struct program *prog);
void
accounts_fini(struct accounts *accounts);

struct account *
accounts_find(const struct accounts *accounts, const char *id, size_t len,
	uint64_t hash);

/* A new one, not loaded; NULL when out of memory. */
struct account *
accounts_add(
	struct accounts *accounts, const char *id, size_t len, uint64_t hash);

/* Forget one (clean, not armed counts as clean), or all. */
void
accounts_remove(struct accounts *accounts, struct account *acct);
void
accounts_clear(struct accounts *accounts);

/* Features grew or shrank by this much. */
void
accounts_resized(struct accounts *accounts, size_t before, size_t after);

/* Arm, move or disarm (AT_NEVER) the timer. */
SG_MUSTCHECK enum sg_err
accounts_arm(struct accounts *accounts, struct account *acct, int64_t due_ms);
/* The account that is due first; NULL when none is armed. */
struct account *
accounts_first_due(const struct accounts *accounts);

void
accounts_mark_dirty(struct accounts *accounts, struct account *acct,
	const int64_t *pos, int64_t out, int64_t clock_ms, int64_t mono_ms);
void
accounts_mark_clean(struct accounts *accounts, struct account *acct);

/* Used just now: last to be evicted. */
void
accounts_use(struct accounts *accounts, struct account *acct);

/* --- the stored form (snapshot.c) --------------------------------------- */

/*
 * STATE BLOB
 *     codec version (1) | layout hash (4 bytes) | group number
 *     | flags: gone, overrides | its input and time, if gone
 *     | touched_ms less the membership's updated_ms | n, n x applied offset
 *     | membership | overrides, if any | features
 */
void
snapshot_write(const struct program *prog, const struct account *acct,
	int32_t group, struct buf *out);

/* Older layouts a group's states may be stored in. */
struct snapshot_layout {
	uint64_t hash;
	struct features_layout *features;
	struct membership_layout *membership;
	int32_t *inputs; /* stored input -> today's, -1 gone */
	size_t ninputs;
};

SG_MUSTCHECK enum sg_err
snapshot_layout_read(const struct program *prog, uint64_t hash,
	const void *bytes, size_t len, struct snapshot_layout *ret_layout,
	struct sg_fault *why);
void
snapshot_layout_fini(struct snapshot_layout *layout);

/* The partition group that a state was written by; -1 when it is no state. */
int32_t
snapshot_group(const void *bytes, size_t len);

/* The segmentations that a stored layout speaks of, in `arena`, and a layout
 * that reads memberships as those. */
struct arena;
SG_MUSTCHECK enum sg_err
snapshot_layout_defs(const void *bytes, size_t len, struct arena *arena,
	struct segmentation_def **ret_defs, size_t *ret_n,
	struct membership_layout **ret_layout);

/* The hash of the layout that a state is stored in. */
uint32_t
snapshot_hash(const void *bytes, size_t len);

/* The membership in a state alone, and whether the account is gone. */
SG_MUSTCHECK enum sg_err
snapshot_membership(const void *bytes, size_t len,
	const struct membership_layout *layout,
	const struct segmentation_def *defs, size_t ndefs,
	struct membership *ms, bool *ret_is_gone);

/* Fill an account that is not loaded. Errors: SG_BAD_BLOB, SG_NOMEM. */
SG_MUSTCHECK enum sg_err
snapshot_read(const struct program *prog, const struct snapshot_layout *layouts,
	size_t nlayouts, const void *bytes, size_t len, struct account *acct,
	struct sg_fault *why);

#endif
