/*
 * redis_url.h - where Redis is and how to log in, from a URL.
 */
#ifndef SEGMENTD_REDIS_URL_H
#define SEGMENTD_REDIS_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "segmentd/store.h"

#define REDIS_HOSTS_MAX 16
#define REDIS_HOST_MAX 256 /* bytes of a name, with its NUL */

struct redis_host {
	char *name;
	int32_t port;
};

/* Every text is owned. */
struct redis_target {
	/* Where to ask: Redis servers, or the sentinels of `master`. None when
	 * there is a path. */
	struct redis_host hosts[REDIS_HOSTS_MAX];
	size_t nhosts;
	char *path;   /* of a unix socket, else NULL */
	char *master; /* the name by which sentinels know it, else NULL */
	char *sentinel_user;
	char *sentinel_password;
	char *user; /* NULL: none */
	char *password;
	char *ca;   /* NULL: the system's */
	char *cert; /* ours, PEM, with its key; NULL: none */
	char *key;
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
