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

/* --- compiling ---------------------------------------------------------- */

struct program;

/*
 * Compile a configuration. Mistakes go into `diags`; SG_BAD_CONFIG when there
 * is any (of conf_read()'s, too). `conf` must outlive the program.
 */
SG_MUSTCHECK enum sg_err
program_create(const struct conf *conf, struct conf_diags *diags,
	struct program **ret_program);
void
program_destroy(struct program *program);

/* --- the daemon --------------------------------------------------------- */

struct pipeline_run_opts {
	/* Event clock: stop when the clock has come to this instant and all
	 * inputs are read to their end; 0: run until stopped. */
	int64_t until_ms;
	bool is_loss_accepted; /* --accept-loss */
	/* Set by the signal handlers. */
	const atomic_bool *stop;
	/* Called from worker threads with every committed change (demo); NULL:
	 * nobody. */
	void (*on_change)(void *ctx, const struct change *change);
	/* Event clock: where the time of a group is now (demo's progress). */
	void (*on_clock)(void *ctx, int32_t group, int64_t now_ms);
	void *ctx;
};

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
	uint64_t changes;
	uint64_t accounts;
	int64_t clock_ms; /* where the event clock stands */
	/* members[segmentation][segment]; names by replay_names */
};

struct replay;

/* Run files through the pipeline with a memory store and the event clock. */
SG_MUSTCHECK enum sg_err
replay_run(const struct program *program, const struct replay_opts *opts,
	struct replay **ret_replay, struct replay_summary *ret_summary,
	struct sg_fault *why);
void
replay_destroy(struct replay *replay);

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

#endif
