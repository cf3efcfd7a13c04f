/*
 * series.h - the registry's insides, shared by its writer. Private to ops/.
 */
#ifndef SEGMENTD_OPS_SERIES_H
#define SEGMENTD_OPS_SERIES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segmentd/ops.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_SECONDS, METRIC_AGE };

struct metric_info {
	const char *name;
	enum metric_type type;
	const char *help;
};

/* The upper edge of a bucket, as a number and as Prometheus wants to see it.
 * One more bucket, without an edge, takes what is above the last. */
struct metric_edge {
	double seconds;
	const char *text;
};

#define METRIC_EDGES 16
#define METRIC_BUCKETS (METRIC_EDGES + 1)

extern const struct metric_info metric_infos[METRIC_COUNT];
extern const struct metric_edge metric_edges[METRIC_EDGES];

/*
 * A series alone on its cache lines, so that two workers that count different
 * things do not slow each other down.
 */
struct metric {
	_Alignas(64) enum metric_type type;
	_Atomic(struct metric *) next; /* by labels, ascending */
	_Atomic uint64_t value;	       /* a counter, a gauge's double, since
					  when an age counts (us) */
	_Atomic uint64_t sum_s;	       /* of a histogram: whole seconds ... */
	_Atomic uint64_t sum_us;       /* ... and the rest, never carried */
	_Atomic uint64_t buckets[METRIC_BUCKETS];
	char labels[]; /* sorted by name, without braces */
};

/* The first series of a metric; NULL when it has none. */
const struct metric *
metrics_first(const struct metrics *metrics, enum metric_id id);

/*
 * `labels` with its pairs sorted by name, appended to `out`. False when it is
 * not a list of name="value", a name comes twice, or there are more than 16.
 */
bool
labels_sort(const char *labels, struct buf *out);

/* process_*: what Prometheus expects every process to tell of itself. */
void
process_write(int64_t started_ms, struct buf *out);

#endif
