/*
 * ops.h - metrics, health and the HTTP listener.
 *
 * Thread: any, for everything but create, destroy, open and close. Adding,
 * setting, observing and beating are lock-free; getting a series takes a
 * lock, so keep it. The listener has a thread of its own.
 */
#ifndef SEGMENTD_OPS_H
#define SEGMENTD_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segmentd/buf.h"
#include "segmentd/err.h"

/* METRIC(ident, name, type, help): see tbl/metrics.def. */
enum metric_id {
#define METRIC(ident, name, type, help) METRIC_##ident,
#include "segmentd/tbl/metrics.def"
#undef METRIC
	METRIC_COUNT
};

struct metrics; /* the registry */
struct metric;	/* one time series: a metric with its labels */

SG_MUSTCHECK enum sg_err
metrics_create(struct metrics **ret_metrics);
void
metrics_destroy(struct metrics *metrics);

/*
 * The series of a metric with these labels, written as in Prometheus without
 * braces: `topic="a",reason="b"` ("" for none; metrics_label() makes them).
 * The same again, in whatever order, gives the same.
 *
 * NULL when out of memory, when the labels are malformed or above 2 KiB, and
 * above 4096 series; every call below accepts NULL and does nothing, so that
 * a metric less is all it costs.
 *
 * Valid until: metrics_destroy().
 */
struct metric *
metrics_get(struct metrics *metrics, enum metric_id id, const char *labels);

/* `name="value"`, escaped, appended with a comma where needed. Bytes that are
 * not UTF-8 become `?`. */
void
metrics_label(struct buf *labels, const char *name, const char *value);

void
metric_add(struct metric *metric, uint64_t n); /* counter */
void
metric_set(struct metric *metric, double value); /* gauge */
/* An age: seconds since an instant, told anew at every scrape, so that it grows
 * when who sets it hangs. 0: never, which is told as NaN. */
void
metric_since(struct metric *metric, int64_t mono_us);
void
metric_observe(struct metric *metric, double seconds); /* histogram; below 0
							  counts as 0 */
double
metric_read(const struct metric *metric); /* counter, gauge, age; of
					     a histogram its count */

/* Prometheus text format 0.0.4, every metric that has a series. */
void
metrics_write(const struct metrics *metrics, struct buf *out);

/* --- health ------------------------------------------------------------- */

/* Named conditions; ready when all hold (with none: always). */
struct health;

#define HEALTH_MAX 320 /* above the most workers there can be */
#define HEALTH_STALE_US INT64_C(30000000)
SG_MUSTCHECK enum sg_err
health_create(struct health **ret_health);
void
health_destroy(struct health *health);

/* Register condition `name` ("redis", "kafka", "worker-0"; copied, cut at 31
 * bytes), not holding yet. Returns its number; -1 above HEALTH_MAX. */
int
health_add(struct health *health, const char *name);

/* `detail` is one line for /readyz?verbose; copied, cut at 255 bytes, may be
 * NULL. Number -1 does nothing. */
void
health_set(struct health *health, int number, bool is_ok, const char *detail);
/*
 * The condition holds no longer than `bound_us` after `since_us`, whatever
 * health_set() says, unless this is called again: for progress that has to be
 * shown. `since_us` 0 ends it.
 */
void
health_lease(
	struct health *health, int number, int64_t since_us, int64_t bound_us);
bool
health_is_ready(const struct health *health);
/* "[+]redis ok\n[-]kafka: no broker of ... answers\n" */
void
health_write(const struct health *health, struct buf *out);

/*
 * A sign of life of a worker; /livez fails when one is older than 30 s. Only
 * who has beaten once is watched; `mono_us` 0 ends it, before a worker leaves.
 */
void
health_beat(struct health *health, int number, int64_t mono_us);
/* Has nobody missed a beat? Writes who has, a line each, unless out is NULL. */
bool
health_is_live(const struct health *health, int64_t mono_us, struct buf *out);

/* --- HTTP --------------------------------------------------------------- */

struct ops_http;

/*
 * Listen on "host:port" ("127.0.0.1:9464", "[::1]:9464"; port 0: any, see
 * ops_http_port()). GET and HEAD of:
 *
 *   /livez    200, or 503 and which workers show no sign of life
 *   /readyz   200, or 503 and every condition; ?verbose: always every one
 *   /metrics  the registry, segmentd_ready, and process_*
 *   /         links to them
 *
 * It answers whoever can reach it, without TLS or a password: keep it on
 * loopback, or behind something that has both.
 *
 * `metrics` and `health` are not owned and outlive the listener.
 * Errors: SG_BAD_OPTION (address), SG_IO (cannot listen there), SG_NOMEM.
 */
SG_MUSTCHECK enum sg_err
ops_http_open(const char *listen, struct metrics *metrics,
	struct health *health, struct ops_http **ret_http,
	struct sg_fault *why);
uint16_t
ops_http_port(const struct ops_http *http);
void
ops_http_close(struct ops_http *http);

#endif
