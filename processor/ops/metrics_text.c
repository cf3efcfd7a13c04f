#include "series.h"

#include <inttypes.h>

static uint64_t
load(const _Atomic uint64_t *n)
{
	return atomic_load_explicit(n, memory_order_relaxed);
}

/* A double as Prometheus reads it. Whole numbers stay whole: a gauge of bytes
 * in scientific notation is no help to the person who looks at it. */
static void
put_double(struct buf *out, double value)
{
	if (value != value)
		buf_put_str(out, "NaN");
	else if (value > 1.7976931348623157e308)
		buf_put_str(out, "+Inf");
	else if (value < -1.7976931348623157e308)
		buf_put_str(out, "-Inf");
	else if (value > -9e15 && value < 9e15 &&
		 value == (double)(int64_t)value)
		buf_printf(out, "%" PRId64, (int64_t)value);
	else
		buf_printf(out, "%.15g", value);
}

/* `name_suffix{labels,le="edge"} `, with what is there of it. */
static void
put_head(struct buf *out, const char *name, const char *suffix,
	const char *labels, const char *edge)
{
	buf_put_str(out, name);
	buf_put_str(out, suffix);
	if (labels[0] != '\0' || edge != NULL) {
		buf_put_u8(out, '{');
		buf_put_str(out, labels);
		if (labels[0] != '\0' && edge != NULL)
			buf_put_u8(out, ',');
		if (edge != NULL)
			buf_printf(out, "le=\"%s\"", edge);
		buf_put_u8(out, '}');
	}
	buf_put_u8(out, ' ');
}

static void
put_histogram(struct buf *out, const char *name, const struct metric *metric)
{
	const char *labels = metric->labels;
	uint64_t count = 0;
	uint64_t sum_s = load(&metric->sum_s);
	uint64_t sum_us = load(&metric->sum_us);

	for (size_t i = 0; i < METRIC_BUCKETS; i++) {
		bool is_last = i == METRIC_EDGES;

		count += load(&metric->buckets[i]);
		put_head(out, name, "_bucket", labels,
			is_last ? "+Inf" : metric_edges[i].text);
		buf_printf(out, "%" PRIu64 "\n", count);
	}
	put_head(out, name, "_sum", labels, NULL);
	buf_printf(out, "%" PRIu64 ".%06" PRIu64 "\n", sum_s + sum_us / 1000000,
		sum_us % 1000000);
	/* The buckets are the count: they can't disagree within a scrape. */
	put_head(out, name, "_count", labels, NULL);
	buf_printf(out, "%" PRIu64 "\n", count);
}

static void
put_series(struct buf *out, const char *name, const struct metric *metric)
{
	if (metric->type == METRIC_SECONDS) {
		put_histogram(out, name, metric);
		return;
	}
	put_head(out, name, "", metric->labels, NULL);
	if (metric->type == METRIC_COUNTER)
		buf_printf(out, "%" PRIu64, load(&metric->value));
	else
		put_double(out, metric_read(metric));
	buf_put_u8(out, '\n');
}

void
metrics_write(const struct metrics *metrics, struct buf *out)
{
	static const char *const types[] = {
		[METRIC_COUNTER] = "counter",
		[METRIC_GAUGE] = "gauge",
		[METRIC_SECONDS] = "histogram",
		[METRIC_AGE] = "gauge",
	};

	for (size_t id = 0; id < METRIC_COUNT; id++) {
		const struct metric_info *info = &metric_infos[id];
		const struct metric *metric =
			metrics_first(metrics, (enum metric_id)id);

		if (metric == NULL)
			continue;
		buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", info->name,
			info->help, info->name, types[info->type]);
		while (metric != NULL) {
			put_series(out, info->name, metric);
			metric = atomic_load_explicit(
				&metric->next, memory_order_acquire);
		}
	}
}
