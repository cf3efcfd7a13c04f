/*
 * group.h - one partition group: its accounts, its position, its clock.
 *
 * Partition N of every input meets here. A group is driven by a worker (Kafka,
 * Redis) or by a replay (files, no store); it knows neither. What it does:
 *
 *   group_read()    a record becomes an event, or a reject
 *   group_account() the account it is about, from the cache or new
 *   group_fold()    the event into the account's features
 *   group_decide()  the account's rules, at an instant: changes
 *   group_fire()    the same for timers that are due
 *
 * Under the event clock a group has its own time, which moves with its events,
 * so that what it decides depends on its events alone.
 */
#ifndef PIPELINE_GROUP_H
#define PIPELINE_GROUP_H

#include "account.h"
#include "decide.h"
#include "program.h"
#include "segmentd/ingest.h"
#include "segmentd/record.h"
#include "segmentd/store.h"

/* What a worker's groups share: tools without state of an account. */
struct toolbox {
	const struct program *prog;
	struct decode_reader **readers; /* by input, this worker's own */
	struct decider *decider;
	struct cel_frame *filter_frame;
	struct arena batch; /* events of a batch */
	struct arena txn;   /* changes until they are committed */
	struct change_list changes;
	struct fold_counts {
		uint64_t repeats[INPUTS_MAX];
		uint64_t late[INPUTS_MAX];
		uint64_t overflow[INPUTS_MAX];
		uint64_t deletions;
		uint64_t decided_events;
		uint64_t decided_timers;
	} counts;
};

SG_MUSTCHECK enum sg_err
toolbox_init(struct toolbox *box, const struct program *prog);
void
toolbox_fini(struct toolbox *box);

struct group {
	struct toolbox *box;
	int32_t number;
	struct accounts accounts;
	int64_t fold[INPUTS_MAX];      /* next offset to fold */
	int64_t committed[INPUTS_MAX]; /* G: below it nothing is decided */
	int64_t start[INPUTS_MAX];     /* where reading began; -1 not known */
	int64_t clock_ms;	       /* event clock; INT64_MIN at first */
	int64_t committed_clock_ms;    /* event clock at G */
	int64_t out_next;	       /* offset after our last image */
	uint64_t cno;		       /* changes so far */
	uint64_t cno_next;	       /* with those of the open transaction */
	char lineage[33];
	uint64_t rules; /* hash of those that all accounts were decided by */
	struct store_group *store; /* NULL: a replay */
	struct snapshot_layout *layouts;
	size_t nlayouts;
	bool is_layout_stored;
	int64_t due_loaded_ms; /* timers before this are in the cache */
	int64_t due_listed_ms; /* or in the list of those to be loaded: */
	struct store_due *due; /* soonest first */
	size_t ndue, due_at;   /* due_at: the next one */
	struct arena due_arena;
	struct account **touched; /* waiting for group_decide_touched() */
	size_t ntouched;
	size_t touched_cap;
	struct account **fresh; /* in the cache, not loaded yet */
	size_t nfresh;
	size_t fresh_cap;
	struct account **changed; /* with changes in the transaction to come */
	size_t nchanged;
	size_t changed_cap;
	/* An input whose next record cannot be read yet waits from there on, or
	 * one that has come to G before the others. */
	struct group_hold {
		bool is_held;
		bool is_at_g;
		int64_t offset;
		int64_t until_ms; /* monotonic: then it is tried again */
	} hold[INPUTS_MAX];
	/* For those who look on: truth.c. */
	struct truth *truth;
	int64_t kafka_ms[INPUTS_MAX]; /* of the last record folded above G */
	int64_t newest_ms;	      /* greatest event time folded */
	int64_t stored_w[INPUTS_MAX]; /* W as it was last written */
	int64_t flushed_mono_ms;      /* when; 0: not yet */
	bool is_w_moved;     /* since W was last written to the store */
	bool is_catching_up; /* fold is below committed somewhere, or that of
				another group of the worker is */
	bool is_in_kafka;    /* Kafka has committed offsets of this lineage */
};

SG_MUSTCHECK enum sg_err
group_create(struct toolbox *box, int32_t number, struct group **ret_group);
void
group_destroy(struct group *group);

/* No timers of the store are known to be in the cache. */
void
group_forget_due(struct group *group);

/* Are there timers that were listed, and not loaded yet? */
static inline bool
group_has_due(const struct group *group)
{
	return group->due_at < group->ndue;
}

/* Is everything up to G folded, and decided about? Accounts whose evaluation is
 * owed come first in the store's list of timers. */
static inline bool
group_is_current(const struct group *group)
{
	return !group->is_catching_up && group->due_loaded_ms > DUE_OWED;
}

/* --- reading ------------------------------------------------------------ */

/* An event with what the input's expressions say of it. */
struct group_event {
	struct event ev;
	uint64_t filters;
	bool is_deletion;
};

/*
 * Decode a record. Errors of class SKIP: it is a reject, the fault says why.
 * Valid until: box->batch is reset.
 */
SG_MUSTCHECK enum sg_err
group_read(struct toolbox *box, const struct record *rec,
	struct group_event *ret_ge, struct sg_fault *why);

/* The account of an event; NULL when out of memory. A new one is not loaded
 * when the group has a store. */
struct account *
group_account(struct group *group, const struct event *ev);

/* The same by id. */
struct account *
group_account_of(struct group *group, const char *id);

/* --- folding and deciding ----------------------------------------------- */

/*
 * Fold an event into its (loaded) account at `now_ms`, unless it is below the
 * account's applied offset. Marks it dirty and touched.
 */
SG_MUSTCHECK enum sg_err
group_fold(struct group *group, struct account *acct,
	const struct group_event *ge, int64_t now_ms, int64_t mono_ms);

/* Decide about one account; its changes go to box->changes. */
SG_MUSTCHECK enum sg_err
group_decide(struct group *group, struct account *acct, int64_t now_ms,
	bool is_forced, const struct decide_cause *cause, int64_t mono_ms);

/* Wait for group_decide_touched(). */
SG_MUSTCHECK enum sg_err
group_touch(struct group *group, struct account *acct);

/* Forget who does not wait any more, though nothing was decided. */
void
group_untouch(struct group *group);

/* Mark dirty with the group's present position. */
void
group_mark_dirty(struct group *group, struct account *acct, int64_t mono_ms);

/* All accounts touched since the last call, at now. */
SG_MUSTCHECK enum sg_err
group_decide_touched(struct group *group, int64_t now_ms, int64_t mono_ms);

/*
 * Timers due at or before `upto_ms`. At `at_ms`: INT64_MIN each at its own
 * instant (event clock), else all at that time (wall clock). At most `max`;
 * *ret_n is how many fired. `lateness` (may be NULL) gets each one's.
 */
SG_MUSTCHECK enum sg_err
group_fire(struct group *group, int64_t upto_ms, int64_t at_ms, size_t max,
	int64_t mono_ms, size_t *ret_n,
	void (*lateness)(void *ctx, int64_t late_ms), void *ctx);

/* The event clock moves to `at_ms` (never back): timers up to it fire. */
SG_MUSTCHECK enum sg_err
group_advance(struct group *group, int64_t at_ms, int64_t mono_ms);

#endif
