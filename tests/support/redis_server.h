/*
 * redis_server.h - a private redis-server for a test: a unix socket in a
 * temporary directory, gone with the test even when the test crashes.
 *
 * Tests include redis_server.c itself: a test is linked with the library only.
 */
#ifndef SEGMENTD_TESTS_REDIS_SERVER_H
#define SEGMENTD_TESTS_REDIS_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct redis_server {
	pid_t pid;    /* 0: not running */
	char dir[64]; /* "" until the first start */
	char socket[96];
	char url[128];
	char answer[16384]; /* of redis_server_ask() */
};

/* Is redis-server installed? When not, it says so in the form of cmocka's
 * summary. */
bool
redis_server_is_installed(void);

/*
 * Start, in the directory of the last start if there was one, and wait until it
 * answers. `options` are the server's, ended by NULL; may be NULL. Fails the
 * test when it does not come up.
 */
void
redis_server_start(struct redis_server *server, const char *const *options);

/* kill -9, and wait until it is gone. The directory stays. */
void
redis_server_kill(struct redis_server *server);

/* Kill, and remove the directory. */
void
redis_server_stop(struct redis_server *server);

/*
 * One command, in words, ended by NULL, on a connection of its own; the answer
 * as text: a status, an error (with its "-"), a number, a text, "(nil)", or the
 * elements of an array with blanks between. Valid until: the next one.
 */
const char *
redis_server_ask(struct redis_server *server, const char *const *words);
#define REDIS_ASK(server, ...)                                                 \
	redis_server_ask((server), (const char *const[]){__VA_ARGS__, NULL})

#endif
