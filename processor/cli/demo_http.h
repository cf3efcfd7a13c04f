/*
 * demo_http.h - the demo's own /metrics, asked the way anybody would.
 */
#ifndef CLI_DEMO_HTTP_H
#define CLI_DEMO_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "segmentd/buf.h"

/* The answer's body into `out`. False when there is none. */
bool
demo_http_get(uint16_t port, const char *path, struct buf *out);

/* Sum of all series of a metric in the text; those whose labels contain
 * `label`, unless it is NULL. */
uint64_t
demo_metric(const char *text, const char *name, const char *label);

#endif
