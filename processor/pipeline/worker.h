/*
 * worker.h - one thread: a consumer, a producer, a Redis connection a group.
 *
 * The order of work, once round:
 *
 *   ingest_poll   records of a batch                     worker.c
 *   take          decode, load what is not cached, fold  take.c, merge.c
 *   decide        touched accounts, timers that are due  group.c
 *   commit (K)    changes, rejects, offsets: one Kafka   commit.c
 *                 transaction
 *   remember (R)  what K has committed, to the store     flush.c
 *
 * After any doubt about what Kafka or Redis hold: takeover.c, for all groups
 * of the worker.
 */
#ifndef PIPELINE_WORKER_H
#define PIPELINE_WORKER_H

#include <stdatomic.h>

#include "group.h"
#include "segmentd/ingest.h"
#include "segmentd/ops.h"
#include "segmentd/publish.h"
#include "segmentd/registry.h"
#include "segmentd/store.h"

/* What all workers share; made by run.c. */
struct engine {
	const struct program *prog;
	const struct pipeline_run_opts *opts;
	struct ingest_opts ingest;   /* without instance */
	struct publish_opts publish; /* without transactional_id */
	struct store_opts store;
	struct registry *registry; /* NULL: none */
	struct metrics *metrics;
	struct health *health;
	int health_kafka;
	int health_redis;
	int health_workers;
	int health_config;
	int health_registry;
	const char *instance;
	int32_t npartitions;
	size_t nworkers;
	atomic_bool is_stopping; /* a worker failed, or a signal came */
};

struct worker_metrics {
	struct metric *consumed[INPUTS_MAX];
	struct metric *consumed_bytes[INPUTS_MAX];
	struct metric *rejected[INPUTS_MAX][SG_ERR_COUNT];
	struct metric *repeated[INPUTS_MAX];
	struct metric *late[INPUTS_MAX];
	struct metric *overflow[INPUTS_MAX];
	struct metric *lag[INPUTS_MAX];
	struct metric **changes;  /* by segmentation * ORIGIN_COUNT + origin */
	struct metric **measured; /* by segmentation */
	struct metric **measured_ns;
	struct metric **rule_errors; /* by rule */
	struct metric **holds;	     /* by segmentation and enum decide_hold */
	struct metric *deleted;
	struct metric *decided_events;
	struct metric *decided_timers;
	struct metric *rules;
	struct metric *batch;
	struct metric *commit;
	struct metric *flush;
	struct metric *latency;
	struct metric *lateness;
	struct metric *committed;
	struct metric *aborted;
	struct metric *unknown;
	struct metric *store_retries;
	struct metric *takeovers;
	struct metric *unreplicated;
	struct metric *groups;
	struct metric *cached;
	struct metric *cache_bytes;
	struct metric *misses;
	struct metric *dirty;
	struct metric *transaction_age;
};

/* A record on its way to the reject topic. */
struct reject {
	struct record rec;
	enum sg_err reason;
	const char *detail;
	const char *schema; /* what it named its schema by; NULL: nothing */
};

/* Changes of one group in the toolbox's list: [from, to). */
struct change_part {
	struct group *group;
	size_t from;
	size_t to;
};

/* The walk over all accounts after a change of rules: review.c. */
struct review {
	uint64_t cursor;
	size_t group; /* index of the group whose keys are walked */
	uint64_t naccounts;
	int64_t shown_ms;
	int64_t walked_ms; /* all were evaluated by then; 0: not yet */
	bool is_running;
};

struct merge; /* event clock: records waiting for their turn */

struct worker {
	struct engine *engine;
	const struct program *prog;
	size_t number;
	int health;
	char instance[300];
	char transactional_id[600];
	struct toolbox box;
	struct ingest *ingest;
	struct publish *pub;
	struct store *store;
	struct group **groups;
	struct merge **merges; /* beside groups; event clock only */
	size_t ngroups;
	struct reject *rejects;
	size_t nrejects, rejects_cap;
	size_t reject_bytes;
	struct change_part *parts;
	size_t nparts, parts_cap;
	int64_t last_commit_ms; /* monotonic */
	/* Since when Kafka says that less is committed than others have; 0: it
	 * does not. */
	int64_t behind_since_us;
	uint64_t events_since_commit;
	struct review review;
	bool is_doubtful; /* take over again before anything else */
	bool is_event_clock;
	atomic_bool is_until_reached;
	atomic_bool is_done; /* its thread is about to end */
	int64_t last_gauges_ms;
	uint64_t nunreplicated; /* that the metric has */
	/* For the thread that waits for the end. */
	_Atomic uint64_t nbehind; /* records below G yet to be folded */
	_Atomic int32_t ncurrent; /* groups that have come to G */
	struct worker_metrics metrics;
	struct group_event *events; /* of a batch, beside its records */
	struct account **accounts;
	size_t batch_cap;
	enum sg_err err; /* how it ended */
	struct sg_fault fault;
};

SG_MUSTCHECK enum sg_err
worker_create(struct engine *engine, size_t number, struct worker **ret_worker,
	struct sg_fault *why);
void
worker_destroy(struct worker *worker);

/* Until told to stop, or a failure: worker->err and ->fault. */
void
worker_run(struct worker *worker);
bool
worker_is_stopping(const struct worker *worker);
/* Pause before a repeated try, ever longer; false when it is time to stop. */
bool
worker_back_off(struct worker *worker, int *attempt);

/* A call to the store that is repeated; {0} at first. */
struct store_retry {
	int attempt;
	int64_t end_us; /* of repeating it in place */
};

/* The store is away (`err`): pause, and call again? False for other errors,
 * when it is time to stop, and when it lasts: nothing is polled from Kafka
 * meanwhile, so the worker must fail and begin anew, which does. */
bool
worker_store_again(struct worker *worker, enum sg_err err,
	struct store_retry *retry, const struct sg_fault *why);
/* It has answered. */
void
worker_store_is_back(struct worker *worker, const struct store_retry *retry);

/* --- worker_metrics.c --------------------------------------------------- */

SG_MUSTCHECK enum sg_err
worker_metrics_init(struct worker *worker);
void
worker_metrics_fini(struct worker *worker);

/* --- truth.c ------------------------------------------------------------ */

/* A group is ours from now on, and no longer. */
SG_MUSTCHECK enum sg_err
truth_begin(struct worker *worker, struct group *group);
void
truth_end(struct group *group);

/* A record was folded; `ev` NULL: it was rejected. */
static inline void
truth_note(
	struct group *group, const struct record *rec, const struct event *ev)
{
	if (rec->offset >= group->committed[rec->input])
		group->kafka_ms[rec->input] = rec->kafka_ms;
	if (ev != NULL && ev->at_ms > group->newest_ms)
		group->newest_ms = ev->at_ms;
}

/* At the end of a round: what has become visible. */
void
truth_round(struct worker *worker);
/* Once a second: numbers; `is_sound`: Redis answers, so that what is in the
 * inputs now can become visible. */
void
truth_tick(struct worker *worker, bool is_sound);

/* --- take.c ------------------------------------------------------------- */

/* Fold a batch of the wall clock. */
SG_MUSTCHECK enum sg_err
take_batch(struct worker *worker, const struct ingest_batch *batch,
	struct sg_fault *why);
/* Load the group's accounts that are in the cache by name only. */
SG_MUSTCHECK enum sg_err
take_fresh(struct worker *worker, struct group *group, struct sg_fault *why);
#define TAKE_DUE_SLICE 1000 /* accounts loaded for their timers, a round */

/*
 * Timers due before `before_ms` into the cache, soonest first: at most `max`
 * accounts are loaded. While group_has_due() there are more, and the next call
 * goes on with them. Those whose evaluation is owed are touched: call
 * group_decide_touched().
 */
SG_MUSTCHECK enum sg_err
take_due(struct worker *worker, struct group *group, int64_t before_ms,
	size_t max, struct sg_fault *why);
SG_MUSTCHECK enum sg_err
take_reject(struct worker *worker, const struct record *rec, enum sg_err reason,
	const struct sg_fault *why);
struct group *
worker_group(const struct worker *worker, int32_t number);

/* --- hold.c ------------------------------------------------------------- */

/* `rec` cannot be read yet (why: its schema is not here): its input waits in
 * front of it. */
void
hold_from(struct worker *worker, struct group *group, const struct record *rec,
	const struct sg_fault *why);
/* Does a record (or end) at `offset` wait? */
bool
hold_has(const struct group *group, uint32_t input, int64_t offset);
/* The cache is full while the group catches up: what has come to G goes no
 * further, since what is above G cannot be written before the rest is there. */
void
hold_at_g(struct worker *worker, struct group *group);
/* Go on with what has waited long enough. */
void
hold_release(struct worker *worker);
/* Nothing of the group waits any more: it begins anew. */
void
hold_forget(struct worker *worker, struct group *group);

/* Is all below G folded? */
bool
take_is_at_g(const struct worker *worker, const struct group *group);
/* Have all groups come to G, or as far as they get? Then decisions may be
 * taken. Not of one group before: they could not be published, and would pile
 * up. */
void
take_check_caught_up(struct worker *worker);
/* Is the group's cache within its share? */
bool
take_has_room(const struct worker *worker, const struct group *group);
/* Forget clean accounts, the longest unused first, until it is. */
void
take_evict(struct worker *worker, struct group *group);

/* --- merge.c: the event clock ------------------------------------------- */

SG_MUSTCHECK enum sg_err
merge_create(size_t ninputs, struct merge **ret_merge);
void
merge_destroy(struct merge *merge);
SG_MUSTCHECK enum sg_err
merge_batch(struct worker *worker, const struct ingest_batch *batch,
	struct sg_fault *why);
/* Has the queue of this input stopped it? */
bool
merge_is_paused(const struct merge *merge, uint32_t input);
/* Is all of it taken, up to `until_ms`? */
bool
merge_has_ended(const struct merge *merge);
/* Everything up to `until_ms` is folded and decided in all groups? */
bool
merge_is_done(const struct worker *worker);

/* --- commit.c ----------------------------------------------------------- */

/* Note the changes that `group` has decided since the last call. */
SG_MUSTCHECK enum sg_err
commit_note(struct worker *worker, struct group *group);
/* Commit a group's offsets alone: everything up to there is published. */
SG_MUSTCHECK enum sg_err
commit_position(struct worker *worker, const struct group *group,
	const int64_t *offsets, int64_t clock_ms, struct sg_fault *why);
/* K if there is a reason to (or `is_forced`), then R. A doubt is noted in
 * worker->is_doubtful and is SG_OK. */
SG_MUSTCHECK enum sg_err
commit_if_due(struct worker *worker, bool is_forced, struct sg_fault *why);
/* R of everything, whatever its age. */
SG_MUSTCHECK enum sg_err
commit_flush(struct worker *worker, bool is_all, struct sg_fault *why);
/* Keep a group's cache within its share: what is clean is evicted, and while
 * the group catches up R makes more of it clean. */
SG_MUSTCHECK enum sg_err
commit_make_room(
	struct worker *worker, struct group *group, struct sg_fault *why);
/* The same for all groups; a doubt is noted, and SG_OK. */
SG_MUSTCHECK enum sg_err
commit_make_rooms(struct worker *worker, struct sg_fault *why);

/* --- review.c ----------------------------------------------------------- */

/* Are there accounts that were not evaluated with today's rules? */
bool
review_is_needed(const struct worker *worker);
/* One page of the walk. */
SG_MUSTCHECK enum sg_err
review_some(struct worker *worker, struct sg_fault *why);

/* --- takeover.c --------------------------------------------------------- */

/* Become the owner of a partition group: token, G, the walk over what we
 * published, and where to read from. Errors: SG_OPERATOR; class RETRY: try
 * again. */
SG_MUSTCHECK enum sg_err
takeover_group(
	struct worker *worker, struct group *group, struct sg_fault *why);
/* A producer, new if there is none. */
SG_MUSTCHECK enum sg_err
takeover_producer(struct worker *worker, struct sg_fault *why);
/* All groups again, from what Kafka and Redis hold. */
SG_MUSTCHECK enum sg_err
takeover_all(struct worker *worker, struct sg_fault *why);

#endif
