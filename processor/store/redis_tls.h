/*
 * redis_tls.h - TLS over a connection of hiredis, where it was built in.
 *
 * The build defines SEGMENTD_REDIS_TLS when it links hiredis_ssl (1.0 and
 * later; Debian 12 has none) and OpenSSL.
 */
#ifndef SEGMENTD_REDIS_TLS_H
#define SEGMENTD_REDIS_TLS_H

#include <hiredis/hiredis.h>

#include "redis_url.h"

/* SG_NO_LIBRARY where it was not built in. */
SG_MUSTCHECK enum sg_err
redis_tls_check(struct sg_fault *why);

/* The handshake on a connected, blocking context. The certificate must be
 * signed by the target's CA (or the system's) and name `host`.
 * Errors: SG_STORE_DOWN, SG_BAD_OPTION (a file), SG_NOMEM. */
SG_MUSTCHECK enum sg_err
redis_tls_start(redisContext *ctx, const struct redis_target *target,
	const char *host, struct sg_fault *why);

/* Why reading has failed: what TLS says, where it does, else `text`, which is
 * hiredis' and knows of no alerts. */
const char *
redis_tls_reason(const char *text);

#endif
