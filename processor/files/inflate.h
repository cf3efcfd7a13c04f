/*
 * inflate.h - unpack raw deflate data (RFC 1951). Private to files.
 */
#ifndef FILES_INFLATE_H
#define FILES_INFLATE_H

#include <stddef.h>

#include "segmentd/buf.h"

/* Unpack all of `bytes` to the end of `out`. NULL, or what is wrong; above
 * out->max it is "too large". */
const char *
inflate_all(const void *bytes, size_t len, struct buf *out);

#endif
