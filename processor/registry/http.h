/*
 * http.h - one request to a registry, by libcurl.
 */
#ifndef REGISTRY_HTTP_H
#define REGISTRY_HTTP_H

#include <stdatomic.h>

#include "segmentd/buf.h"
#include "segmentd/registry.h"

#define HTTP_URLS_MAX 16

struct http;

/* Owner: the caller, http_close(). `is_stopping` (may be NULL) ends a request
 * that is under way. Errors: SG_BAD_OPTION, SG_NOMEM. */
SG_MUSTCHECK enum sg_err
http_open(const struct registry_opts *opts, const atomic_bool *is_stopping,
	struct http **ret_http, struct sg_fault *why);
void
http_close(struct http *http);

/*
 * GET, or POST when there is a body. `path` begins with '/'. Tries the base
 * URLs in turn until one gives an answer that is not its own trouble (5xx, 429,
 * 401, 403, 3xx). *ret_body is reset and filled.
 *
 * Errors: SG_REGISTRY_DOWN, with what the last one said; SG_NOMEM.
 */
SG_MUSTCHECK enum sg_err
http_ask(struct http *http, const char *path, const char *body,
	long *ret_status, struct buf *ret_body, struct sg_fault *why);

/* Append `text`, percent-encoded as one segment of a path. */
void
http_put_segment(struct buf *path, const char *text);

#endif
