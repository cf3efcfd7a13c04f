/*
 * pipeline.h - the stages put together: compile, run, replay.
 */
#ifndef SEGMENTD_PIPELINE_H
#define SEGMENTD_PIPELINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segmentd/change.h"
#include "segmentd/conf.h"
#include "segmentd/err.h"
#include "segmentd/record.h"
#include "segmentd/store.h"
#include "segmentd/type.h"
#include "segmentd/value.h"

/* --- compiling ---------------------------------------------------------- */

struct program;

/*
 * Compile a configuration. Mistakes go into `diags`; SG_BAD_CONFIG when there
 * is any (of conf_read()'s, too). `conf` must outlive the program.
 */
SG_MUSTCHECK enum sg_err
program_create(const struct conf *conf, struct conf_diags *diags,
	struct program **ret_program);

/*
 * The same with schemas given as texts (a scenario that stands for itself):
 * one an input, NULL where the schema is the file that the configuration
 * names.
 */
SG_MUSTCHECK enum sg_err
program_create_with(const struct conf *conf, const char *const *schemas,
	struct conf_diags *diags, struct program **ret_program);
void
program_destroy(struct program *program);

/* The record that an input is read as: TYPE_RECORD.
 * Valid until: the program goes. */
const struct type *
program_input_type(const struct program *program, uint32_t input);

/* Names that rules can read ("usage.logins_14d", "segment.touch"): name `i`
 * and its type; NULL at the end. */
const char *
program_name(
	const struct program *program, size_t i, const struct type **ret_type);

/*
 * A JSON object of fields as bare Avro of an input's schema, appended to `out`;
 * the rules are those of files.h. Errors: as of file_encode_json().
 */
SG_MUSTCHECK enum sg_err
program_encode(const struct program *program, uint32_t input, const char *json,
	size_t len, struct buf *out, struct sg_fault *why);

/* --- the daemon --------------------------------------------------------- */

struct pipeline_control; /* a running pipeline, for the callback below */

struct pipeline_run_opts {
	/* Event clock: stop when the clock has come to this instant and all
	 * inputs are read to their end; 0: run until stopped. */
	int64_t until_ms;
	bool is_loss_accepted; /* --accept-loss */
	/* The process ends so long after `stop` came, whatever hangs; 0: it
	 * waits. */
	int32_t stop_ms;
	/* Set by the signal handlers. */
	const atomic_bool *stop;
	/* New rules do not publish the moves they make: the membership alone
	 * goes to segmentd.current. */
	bool is_quiet_on_rule_change;
	/* Called some 50 times a second from the thread of pipeline_run();
	 * true: finish, as at a signal. NULL: nobody. */
	bool (*on_tick)(void *ctx, struct pipeline_control *control);
	/* Called from worker threads with every committed change (demo); NULL:
	 * nobody. */
	void (*on_change)(void *ctx, const struct change *change);
	/* Event clock: where the time of a group is now (demo's progress). */
	void (*on_clock)(void *ctx, int32_t group, int64_t now_ms);
	void *ctx;
};

/*
 * For on_tick: a new configuration was tried. What came of it shows in
 * /readyz?verbose and in the metrics; `detail` is one line.
 */
void
pipeline_note_reload(
	struct pipeline_control *control, bool is_ok, const char *detail);

/* For on_tick: have all partitions, all of them ours, come to where they were
 * committed? As of a second ago; *ret_nbehind is how many records are left. */
bool
pipeline_is_current(
	const struct pipeline_control *control, uint64_t *ret_nbehind);

/*
 * Run until stopped: check topics, start workers and the listener, wait.
 * Returns when everything is committed, flushed and closed.
 */
SG_MUSTCHECK enum sg_err
pipeline_run(const struct program *program,
	const struct pipeline_run_opts *opts, struct sg_fault *why);

/* --- replay of files ---------------------------------------------------- */

struct replay_file {
	uint32_t input; /* index in the configuration */
	const char *path;
};

struct replay_opts {
	const struct replay_file *files;
	size_t nfiles;
	int64_t until_ms; /* 0: to the last event */
	const atomic_bool *stop;
	/* In order. Valid until: the call returns. */
	void (*on_change)(void *ctx, const struct change *change);
	/* A row that cannot be used: file, line, reason. */
	void (*on_bad_row)(void *ctx, const struct sg_fault *why);
	void (*on_progress)(void *ctx, uint64_t done, uint64_t total);
	void *ctx;
};

struct replay_summary {
	uint64_t events;
	uint64_t bad_rows;
	uint64_t repeats;
	uint64_t late;
	uint64_t overflows;
	uint64_t suppressed;  /* moves that min_stay, cooldown or an override
				 held back */
	uint64_t rule_errors; /* rules that failed: nobody was moved by them */
	uint64_t evaluated;   /* expressions */
	uint64_t changes;
	uint64_t accounts;
	int64_t clock_ms; /* where the event clock stands */
};

struct replay;

/* Run files through the pipeline with a memory store and the event clock. */
SG_MUSTCHECK enum sg_err
replay_run(const struct program *program, const struct replay_opts *opts,
	struct replay **ret_replay, struct replay_summary *ret_summary,
	struct sg_fault *why);
void
replay_destroy(struct replay *replay);

/*
 * The same driven from outside, step by step. Of `opts`, on_change and ctx
 * count; it is copied.
 */
SG_MUSTCHECK enum sg_err
replay_open(const struct program *program, const struct replay_opts *opts,
	struct replay **ret_replay);

struct replay_event {
	uint32_t input;
	const void *bytes; /* bare Avro of the input's schema */
	size_t len;
	const char *key; /* of the record; NULL: none */
	const struct record_header *headers;
	size_t nheaders;
	int64_t kafka_ms; /* the record's timestamp; -1: none */
	int64_t clock_ms; /* the clock moves there before the event is taken;
			     INT64_MIN: to the event's time */
};

/* Take one event. Errors of class SKIP: it is a reject, `why` says the reason;
 * the replay goes on. */
SG_MUSTCHECK enum sg_err
replay_event(struct replay *replay, const struct replay_event *event,
	struct sg_fault *why);
/* Move the clock, never back: timers up to `at_ms` fire, each at its instant.
 */
SG_MUSTCHECK enum sg_err
replay_advance(struct replay *replay, int64_t at_ms);

/* How far it has come; bad_rows are not known here. */
void
replay_sum(const struct replay *replay, struct replay_summary *ret_summary);

/*
 * What name `i` of program_name() is for an account now. False when there is no
 * such account, or it was deleted; *ret_version (may be NULL) is that of its
 * last change all the same.
 * Valid until: (what the value points at) the next call for this replay.
 */
bool
replay_value(struct replay *replay, const char *account, size_t i,
	struct value *ret_value, uint64_t *ret_version);

struct load_summary {
	uint64_t produced;
	uint64_t bad_rows;
};

/*
 * Encode files to Avro and produce them to their input topics, keyed by
 * account id, in event-time order. Uses files, stop, on_bad_row, on_progress.
 */
SG_MUSTCHECK enum sg_err
pipeline_load(const struct program *program, const struct replay_opts *opts,
	struct load_summary *ret_summary, struct sg_fault *why);

/* Accounts of each segment after replay_run(), in the order of the
 * configuration. */
void
replay_members(const struct replay *replay,
	void (*each)(void *ctx, const char *segmentation, const char *segment,
		uint64_t naccounts),
	void *ctx);

/* --- why ---------------------------------------------------------------- */

/* A value a clause read, as text; `name` as in the configuration. */
struct explain_value {
	const char *name;
	const char *text;
};

enum explain_result { EXPLAIN_FALSE, EXPLAIN_TRUE, EXPLAIN_ERROR };

/* One rule of a segmentation. */
struct explain_clause {
	const char *rule;   /* "touch.high", "busy.enter" */
	const char *source; /* "" for a default */
	enum explain_result result;
	const char *error; /* of EXPLAIN_ERROR; else NULL */
	int64_t valid_until_ms;
	const struct explain_value *values;
	size_t nvalues;
};

struct explain_segmentation {
	const char *name;
	const char *segment; /* where it is; NULL: none yet */
	int64_t since_ms;    /* 0: never decided */
	const char *target;  /* where the rules want it; NULL: none */
	bool is_held;	     /* it is not moved to `target`, or a rule failed */
	const char *held_by; /* "min_stay", "cooldown", "override", "error";
				NULL */
	int64_t held_until_ms;
	const char *override_author; /* NULL: not pinned by a person */
	const char *override_reason;
	int64_t override_until_ms; /* AT_NEVER */
	int64_t next_ms;	   /* may change then with no event; AT_NEVER */
	const struct explain_clause *clauses;
	size_t nclauses;
};

struct explanation {
	const char *account;
	uint64_t account_version;
	int64_t at_ms;
	int64_t updated_ms;
	bool is_deleted;
	bool has_renewal;
	int64_t renewal_date_ms;
	int64_t days_left;
	const struct explain_segmentation *segmentations;
	size_t nsegmentations;
	const struct explain_value *values; /* everything rules could read */
	size_t nvalues;
};

struct arena;

/*
 * Explain an account as it stands in Redis, at an instant.
 * Errors: those of the store; SG_NO_ACCOUNT when there is none of that id.
 */
SG_MUSTCHECK enum sg_err
pipeline_explain(const struct program *program, const char *account,
	int64_t at_ms, struct arena *arena, struct explanation *ret_explanation,
	struct sg_fault *why);

/* The same of an account of a replay, at its clock. */
SG_MUSTCHECK enum sg_err
replay_explain(const struct replay *replay, const char *account,
	struct arena *arena, struct explanation *ret_explanation,
	struct sg_fault *why);

/* --- what reads what ---------------------------------------------------- */

enum graph_kind {
	GRAPH_INPUT,
	GRAPH_FEATURE,
	GRAPH_VARIABLE,
	GRAPH_SCORE,
	GRAPH_SEGMENTATION, /* reads its rules */
	GRAPH_RULE	    /* "touch.high", "busy.enter", "renewal.date" */
};

struct graph_node {
	enum graph_kind kind;
	const char *name;
	const char *detail;    /* topic, kind of feature, source; "" none */
	const uint32_t *reads; /* nodes, directly */
	size_t nreads;
	const uint32_t *inputs; /* nodes of inputs that feed it, in order */
	size_t ninputs;
	bool is_used; /* a segmentation or the renewal queue depends on it */
};

struct graph {
	const struct graph_node *nodes; /* grouped by kind, in that order */
	size_t n;
};

/* Which input feeds which feature, variable and rule. The nodes lie in `arena`
 * and in the program. Errors: SG_NOMEM. */
SG_MUSTCHECK enum sg_err
program_graph(const struct program *program, struct arena *arena,
	struct graph *ret_graph);

/*
 * Things that compile and are hardly meant, as warnings: rules that never or
 * always hold, or repeat an earlier one; segments nothing enters and tags
 * nothing leaves; more segments than anybody acts on; what nothing reads.
 * Errors: SG_NOMEM.
 */
SG_MUSTCHECK enum sg_err
program_warn(const struct program *program, struct conf_diags *diags);

/* --- old rules and new -------------------------------------------------- */

/* Accounts of one place under the old rules and one under the new ones. */
struct comparison_cell {
	uint64_t naccounts;
	double value;
	/* Of those that the new rules want there, too, but min_stay or cooldown
	 * holds back (they are counted where they stay). */
	uint64_t nlater;
	double later_value;
};

struct comparison_segmentation {
	const char *name;
	bool is_old; /* the old rules have it */
	bool is_new;
	/* Segments of both; the first one stands for "in none": "out" of a tag,
	 * else NULL. */
	const char *const *segments;
	size_t nsegments;
	const struct comparison_cell *cells; /* [from * nsegments + to] */
	struct comparison_cell all;
	struct comparison_cell moved; /* from and to differ */
};

/* An account that is, or later will be, somewhere else. */
struct comparison_move {
	const char *account;
	uint32_t segmentation;
	const char *from; /* as in segments[] */
	const char *to;
	bool is_later;
	const char *later;
	int64_t later_ms; /* when min_stay or cooldown ends */
	double value;	  /* NaN: none */
};

struct comparison {
	const char *value; /* what was summed; NULL: nothing */
	uint64_t naccounts;
	const struct comparison_segmentation *segmentations;
	size_t nsegmentations;
	/* By segmentation, then by account. */
	const struct comparison_move *moves;
	size_t nmoves;
	/* Features without a history in what is stored: they begin empty. */
	const char *const *fresh;
	size_t nfresh;
};

void
comparison_destroy(struct comparison *comparison);

/*
 * Two replays of the same events, at the later of their clocks, to which the
 * other one is moved. `value` (NULL: none) names a number of the new program.
 * Owner: the caller, who gives it to comparison_destroy() before the replays.
 */
SG_MUSTCHECK enum sg_err
replay_compare(struct replay *before, struct replay *after, const char *value,
	struct comparison **ret_comparison);

struct plan_opts {
	const char *value; /* as above */
	int64_t at_ms;	   /* 0: now, or where the event clock stands */
	const atomic_bool *stop;
	void (*on_progress)(void *ctx, uint64_t done, uint64_t total);
	void *ctx;
};

/*
 * What a program would do to the accounts as they stand in Redis: nothing is
 * written. `from` is where they are, by the rules that were in force.
 * Errors: those of the store; SG_BAD_BLOB, SG_INTERRUPTED.
 */
SG_MUSTCHECK enum sg_err
pipeline_plan(const struct program *program, const struct plan_opts *opts,
	struct comparison **ret_comparison, struct sg_fault *why);

/* --- register ----------------------------------------------------------- */

/*
 * Register the schemas of what is published with the configuration's registry,
 * where they are not there yet; each() is told of every one. Errors:
 * SG_BAD_CONFIG (no registry configured, not compatible), SG_REGISTRY_DOWN.
 */
SG_MUSTCHECK enum sg_err
pipeline_register(const struct program *program,
	void (*each)(void *ctx, const char *subject, int32_t id, bool is_new),
	void *ctx, struct sg_fault *why);

/* --- rebuild ------------------------------------------------------------ */

struct rebuild_opts {
	bool is_loss_accepted;
	const atomic_bool *stop;
	/* Keys removed, or (with a total) records folded. */
	void (*on_progress)(void *ctx, uint64_t done, uint64_t total);
	void *ctx;
};

struct rebuild_summary {
	uint64_t nkeys;	   /* removed */
	uint64_t nrecords; /* folded again */
};

/*
 * Remove everything of ours from Redis and build it anew from the inputs and
 * from what was published. Nothing is published again; what has fallen due
 * meanwhile is decided and published as at any start. Repeat it when it was
 * interrupted.
 *
 * Errors: SG_OPERATOR, and Redis is as it was: a daemon of this group runs; the
 * inputs do not reach back to their start; nothing was ever committed.
 */
SG_MUSTCHECK enum sg_err
pipeline_rebuild(const struct program *program, const struct rebuild_opts *opts,
	struct rebuild_summary *ret_summary, struct sg_fault *why);

/* --- the renewal queue, for who works it off ---------------------------- */

/*
 * What the scripts of store.h do, for the queue of a configuration: under
 * `layout: partitioned` for those of all its partition groups as if they were
 * one. How many groups there are is asked of Kafka then.
 *
 * Thread: one at a time.
 */
struct worklist;

/* Errors: SG_BAD_CONFIG: it has no renewal; those of store and ingest. */
SG_MUSTCHECK enum sg_err
worklist_open(const struct program *program, struct worklist **ret_list,
	struct sg_fault *why);
void
worklist_close(struct worklist *list);

/* The windows there are. Valid until: the program goes. */
const char *const *
worklist_windows(const struct worklist *list, size_t *ret_n);

enum worklist_state {
	WORKLIST_OPEN,
	WORKLIST_CLAIMED,
	WORKLIST_DONE,
	WORKLIST_LOST /* none of them, which `verify` tells as well */
};

/* An account of the queue. Texts lie in the arena; "" is none. */
struct worklist_item {
	const char *account;
	const char *worker;
	int64_t ends_ms; /* of the lease; 0: none */
	const char *date;
	const char *window;
	const char *priority;
	const char *token;		  /* of a claim */
	const struct store_field *fields; /* of a claim: the public view */
	size_t nfields;
	enum worklist_state state; /* of a list */
	double score;
};

struct worklist_claim {
	const char *worker;
	int64_t lease_ms;
	const char *window; /* NULL: any */
	size_t max;
};

/* Claim the first that are open, at most `max`. */
SG_MUSTCHECK enum sg_err
worklist_claim(struct worklist *list, const struct worklist_claim *claim,
	struct arena *arena, struct worklist_item **ret_items, size_t *ret_n,
	struct sg_fault *why);

/*
 * STORE_SCRIPT_done, _release or _extend (which alone needs the lease). A NULL
 * token is whichever the worker has. *ret_reply is the script's.
 * Errors: SG_NO_ACCOUNT: refused; the fault says why.
 */
SG_MUSTCHECK enum sg_err
worklist_answer(struct worklist *list, enum store_script script,
	const char *account, const char *worker, const char *token,
	int64_t lease_ms, struct arena *arena, const char **ret_reply,
	struct sg_fault *why);

/* The first `max` of the queue (of a window, unless NULL), whoever has them. */
SG_MUSTCHECK enum sg_err
worklist_list(struct worklist *list, const char *window, size_t max,
	struct arena *arena, struct worklist_item **ret_items, size_t *ret_n,
	struct sg_fault *why);

/* --- is Redis right? ---------------------------------------------------- */

#define VERIFY_LIST_MAX 1000 /* differences that are told; all are counted */

struct verify_difference {
	const char *account;
	int32_t partition; /* of the group */
	const char *what;  /* "feature", "membership", "view", "member", ... */
	const char *name;  /* of the feature, segmentation, field; "" none */
	const char *redis;
	const char *expected;
};

struct verification {
	uint64_t naccounts;
	uint64_t nrecords; /* of the inputs */
	uint64_t nimages;  /* of segmentd.current */
	uint64_t ndifferences;
	/* Published more since; Redis follows within flush.age. */
	uint64_t nlagging;
	/* Deleted once: what is left depends on how the inputs came in. */
	uint64_t nuncertain;
	/* Not looked at: stored by an older configuration, or changing all the
	 * time. */
	uint64_t nskipped;
	/* Why features were not compared; NULL: they were. */
	const char *partial;
	const struct verify_difference *differences;
	size_t n;
};

struct verify_opts {
	bool is_loss_accepted; /* inputs need not reach back to the start */
	const atomic_bool *stop;
	void (*on_progress)(void *ctx, uint64_t done, uint64_t total);
	void *ctx;
};

/*
 * Compare Redis with a fresh fold of the inputs and with what was published.
 * Nothing is written, no partition is taken from anybody; a daemon may run.
 * Texts lie in `arena`. Errors: those of store and ingest; SG_OPERATOR where
 * the inputs do not reach back to the start; SG_INTERRUPTED.
 */
SG_MUSTCHECK enum sg_err
pipeline_verify(const struct program *program, const struct verify_opts *opts,
	struct arena *arena, struct verification *ret_verification,
	struct sg_fault *why);

#endif
