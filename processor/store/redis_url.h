/*
 * redis_url.h - where Redis is and how to log in, from a URL.
 */
#ifndef SEGMENTD_REDIS_URL_H
#define SEGMENTD_REDIS_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "segmentd/store.h"

/* Every text is owned. */
struct redis_target {
	char *host;
	char *path; /* of a unix socket, else NULL */
	char *user; /* NULL: none */
	char *password;
	char *ca; /* NULL: the system's */
	int32_t port;
	int32_t db;
	bool is_tls;
	int32_t connect_timeout_ms;
	int32_t command_timeout_ms;
	char where[128]; /* for messages: no user, no password */
};

/*
 * Owner:  the caller, who gives it to redis_target_fini() in any case.
 * Errors: SG_BAD_OPTION, SG_NOMEM. The fault never quotes the URL, which may
 *         hold a password.
 */
SG_MUSTCHECK enum sg_err
redis_target_init(struct redis_target *target, const struct store_opts *opts,
	struct sg_fault *why);
void
redis_target_fini(struct redis_target *target);

#endif
