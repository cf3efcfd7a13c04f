/*
 * metrics.c - the registry: every series of every metric, counted lock-free.
 *
 * Each metric has a list of series, ascending by labels, so that the output
 * has one order whatever order the workers registered in.
 *
 *     metric_id -> series{a} -> series{b} -> series{d} -> NULL
 *                                   \-> new{c} -/
 *
 * A series is put in under a lock and published with one release store; it is
 * never moved nor freed before the registry is. So a scrape walks the lists
 * without the lock, and a worker adds to its series with one relaxed atomic
 * instruction. The price is that a scrape may see one number newer than
 * another; each by itself only grows.
 *
 * INVARIANTS
 *  - one series per set of labels, whatever the order they were given in.
 *  - the sum of a histogram is integers: adding doubles from several threads
 *    would need a loop, and loses small values once the sum is large.
 *  - at most METRICS_SERIES_MAX series: labels may come from what is read.
 */
#include "series.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "segmentd/clock.h"

#define METRICS_SERIES_MAX 4096
#define LABELS_MAX_BYTES 2048
#define SECONDS_MAX 1e9 /* 31 years: a sum of these lasts 10^10 of them */

struct metrics {
	pthread_mutex_t mtx; /* held while a series is put in */
	size_t nseries;	     /* shared, under mtx */
	_Atomic(struct metric *) first[METRIC_COUNT];
};

const struct metric_info metric_infos[METRIC_COUNT] = {
#define COUNTER METRIC_COUNTER
#define GAUGE METRIC_GAUGE
#define SECONDS METRIC_SECONDS
#define AGE METRIC_AGE
#define METRIC(ident, name, type, help) {name, type, help},
#include "segmentd/tbl/metrics.def"
#undef METRIC
#undef COUNTER
#undef GAUGE
#undef SECONDS
#undef AGE
};

const struct metric_edge metric_edges[METRIC_EDGES] = {
	{0.0005, "0.0005"},
	{0.001, "0.001"},
	{0.0025, "0.0025"},
	{0.005, "0.005"},
	{0.01, "0.01"},
	{0.025, "0.025"},
	{0.05, "0.05"},
	{0.1, "0.1"},
	{0.25, "0.25"},
	{0.5, "0.5"},
	{1, "1"},
	{2.5, "2.5"},
	{5, "5"},
	{10, "10"},
	{30, "30"},
	{60, "60"},
};

enum sg_err
metrics_create(struct metrics **ret_metrics)
{
	struct metrics *metrics = calloc(1, sizeof(*metrics));

	if (metrics == NULL)
		return SG_NOMEM;
	if (pthread_mutex_init(&metrics->mtx, NULL) != 0) {
		free(metrics);
		return SG_NOMEM;
	}
	*ret_metrics = metrics;
	return SG_OK;
}

void
metrics_destroy(struct metrics *metrics)
{
	if (metrics == NULL)
		return;
	for (size_t id = 0; id < METRIC_COUNT; id++) {
		struct metric *metric = atomic_load(&metrics->first[id]);

		while (metric != NULL) {
			struct metric *next = atomic_load(&metric->next);

			free(metric);
			metric = next;
		}
	}
	(void)pthread_mutex_destroy(&metrics->mtx);
	free(metrics);
}

const struct metric *
metrics_first(const struct metrics *metrics, enum metric_id id)
{
	return atomic_load_explicit(&metrics->first[id], memory_order_acquire);
}

static struct metric *
metric_create(enum metric_type type, const char *labels)
{
	const size_t align = _Alignof(struct metric);
	size_t len = strlen(labels);
	size_t size = sizeof(struct metric) + len + 1;
	struct metric *metric;

	size = (size + align - 1) / align * align;
	metric = aligned_alloc(align, size);
	if (metric == NULL)
		return NULL;
	memset(metric, 0, size);
	metric->type = type;
	memcpy(metric->labels, labels, len);
	return metric;
}

/* Find the series, or make it. The caller holds the lock. */
static struct metric *
metrics_find(struct metrics *metrics, enum metric_id id, const char *labels)
{
	_Atomic(struct metric *) *link = &metrics->first[id];
	struct metric *metric = atomic_load(link);

	while (metric != NULL) {
		int order = strcmp(metric->labels, labels);

		if (order == 0)
			return metric;
		if (order > 0)
			break;
		link = &metric->next;
		metric = atomic_load(link);
	}
	if (metrics->nseries >= METRICS_SERIES_MAX)
		return NULL;

	struct metric *fresh = metric_create(metric_infos[id].type, labels);

	if (fresh == NULL)
		return NULL;
	atomic_store(&fresh->next, metric);
	atomic_store_explicit(link, fresh, memory_order_release);
	metrics->nseries++;
	return fresh;
}

struct metric *
metrics_get(struct metrics *metrics, enum metric_id id, const char *labels)
{
	struct metric *metric = NULL;
	struct buf sorted;

	if (metrics == NULL || (unsigned int)id >= METRIC_COUNT)
		return NULL;
	buf_init(&sorted, LABELS_MAX_BYTES);
	if (!labels_sort(labels, &sorted))
		goto out;

	const char *text = buf_cstr(&sorted);

	if (sorted.is_failed)
		goto out;
	(void)pthread_mutex_lock(&metrics->mtx);
	metric = metrics_find(metrics, id, text);
	(void)pthread_mutex_unlock(&metrics->mtx);
out:
	buf_fini(&sorted);
	return metric;
}

void
metric_add(struct metric *metric, uint64_t n)
{
	if (metric == NULL || metric->type != METRIC_COUNTER)
		return;
	atomic_fetch_add_explicit(&metric->value, n, memory_order_relaxed);
}

void
metric_set(struct metric *metric, double value)
{
	uint64_t bits;

	if (metric == NULL || metric->type != METRIC_GAUGE)
		return;
	memcpy(&bits, &value, sizeof(bits));
	atomic_store_explicit(&metric->value, bits, memory_order_relaxed);
}

void
metric_since(struct metric *metric, int64_t mono_us)
{
	if (metric == NULL || metric->type != METRIC_AGE)
		return;
	/* What was before the machine's start is below 0. */
	atomic_store_explicit(
		&metric->value, (uint64_t)mono_us, memory_order_relaxed);
}

/* Since never is no number. */
static double
read_age(uint64_t since_us)
{
	int64_t age_us = clock_mono_us() - (int64_t)since_us;

	if (since_us == 0)
		return (double)NAN;
	return age_us < 0 ? 0 : (double)age_us / 1e6;
}

void
metric_observe(struct metric *metric, double seconds)
{
	size_t i = 0;

	/* Neither a number that is none nor a clock set back may spoil it. */
	if (metric == NULL || metric->type != METRIC_SECONDS ||
		seconds != seconds)
		return;
	if (seconds < 0)
		seconds = 0;
	if (seconds > SECONDS_MAX)
		seconds = SECONDS_MAX;
	while (i < METRIC_EDGES && seconds > metric_edges[i].seconds)
		i++;

	uint64_t whole = (uint64_t)seconds;
	uint64_t us = (uint64_t)((seconds - (double)whole) * 1e6 + 0.5);

	atomic_fetch_add_explicit(&metric->sum_s, whole, memory_order_relaxed);
	atomic_fetch_add_explicit(&metric->sum_us, us, memory_order_relaxed);
	atomic_fetch_add_explicit(&metric->buckets[i], 1, memory_order_relaxed);
}

double
metric_read(const struct metric *metric)
{
	uint64_t n = 0;
	double value;

	if (metric == NULL)
		return 0;
	if (metric->type == METRIC_SECONDS) {
		for (size_t i = 0; i < METRIC_BUCKETS; i++)
			n += atomic_load_explicit(
				&metric->buckets[i], memory_order_relaxed);
		return (double)n;
	}
	n = atomic_load_explicit(&metric->value, memory_order_relaxed);
	if (metric->type == METRIC_COUNTER)
		return (double)n;
	if (metric->type == METRIC_AGE)
		return read_age(n);
	memcpy(&value, &n, sizeof(value));
	return value;
}
