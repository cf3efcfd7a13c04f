/*
 * listen.h - the socket of the HTTP listener. Private to ops/.
 */
#ifndef SEGMENTD_OPS_LISTEN_H
#define SEGMENTD_OPS_LISTEN_H

#include <stdint.h>

#include "segmentd/err.h"

/*
 * A socket that listens on "host:port", and the port it got.
 *
 * Owner:  the caller, who closes it.
 * Errors: as ops_http_open().
 */
SG_MUSTCHECK enum sg_err
listen_open(const char *address, int *ret_fd, uint16_t *ret_port,
	struct sg_fault *why);

#endif
