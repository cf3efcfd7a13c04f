/*
 * ops.h - metrics, health and the HTTP listener.
 *
 * Thread: registering is done before the workers start; adding, setting and
 * observing is lock-free from any thread; the listener has one of its own.
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
 * braces: `topic="a",reason="b"` ("" for none). The same again gives the same.
 * NULL when out of memory; every call below accepts NULL and does nothing.
 */
struct metric *
metrics_get(struct metrics *metrics, enum metric_id id, const char *labels);

/* `name="value"`, escaped, appended with a comma where needed. */
void
metrics_label(struct buf *labels, const char *name, const char *value);

void
metric_add(struct metric *metric, uint64_t n); /* counter */
void
metric_set(struct metric *metric, double value); /* gauge */
void
metric_observe(struct metric *metric, double seconds); /* histogram */
double
metric_read(const struct metric *metric); /* counter, gauge; of a
					     histogram its count */

/* Prometheus text format 0.0.4, all of it. */
void
metrics_write(const struct metrics *metrics, struct buf *out);

/* --- health ------------------------------------------------------------- */

/* Named conditions; ready when all hold. */
struct health;
SG_MUSTCHECK enum sg_err
health_create(struct health **ret_health);
void
health_destroy(struct health *health);

/* Register condition `name` ("redis", "kafka", "worker-0"), not holding yet.
 * Returns its number; -1 when out of memory or above 64. */
int
health_add(struct health *health, const char *name);

/* `detail` is one line for /readyz?verbose; copied. */
void
health_set(struct health *health, int number, bool is_ok, const char *detail);
bool
health_is_ready(const struct health *health);
/* "[+]redis ok\n[-]kafka: no broker of ... answers\n" */
void
health_write(const struct health *health, struct buf *out);

/* A sign of life of a worker; /livez fails when one is older than 30 s. */
void
health_beat(struct health *health, int number, int64_t mono_us);

/* --- HTTP --------------------------------------------------------------- */

struct ops_http;

/*
 * Listen on "host:port" ("127.0.0.1:9090"; port 0: any, see ops_http_port).
 *   /livez /readyz (?verbose) /metrics, and / with links to them.
 * Errors: SG_BAD_OPTION (address), SG_IO (in use: says by which address).
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
