/*
 * http_get.h - one GET over a socket, as a probe asks a daemon's listener.
 */
#ifndef CLI_HTTP_GET_H
#define CLI_HTTP_GET_H

#include <stdbool.h>
#include <stdint.h>

#include "segmentd/buf.h"

/* The body appended to `out`, and the status. False when nobody answers within
 * seconds, or what answers is no HTTP. */
bool
http_get(const char *host, const char *port, const char *path, int *ret_status,
	struct buf *out);

#endif
