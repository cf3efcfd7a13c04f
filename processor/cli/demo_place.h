/*
 * demo_place.h - where the demo lives: a temporary folder, and in it its
 * configuration, its schemas and a Redis server of its own.
 */
#ifndef CLI_DEMO_PLACE_H
#define CLI_DEMO_PLACE_H

#include <stdint.h>
#include <sys/types.h>

#include "segmentd/err.h"

#define DEMO_DIR_MAX 80	  /* a socket's path has 107 bytes at most */
#define DEMO_PATH_MAX 128 /* of a file in it */
#define DEMO_URL_MAX 512  /* of the socket, escaped */

struct demo_place {
	char dir[DEMO_DIR_MAX]; /* "" while there is none */
	char config[DEMO_PATH_MAX];
	char socket[DEMO_PATH_MAX];
	char redis_log[DEMO_PATH_MAX];
	char redis_url[DEMO_URL_MAX];
	pid_t redis; /* 0 while there is none */
};

/* The folder and the files in it. Errors: SG_IO. Close it in any case. */
SG_MUSTCHECK enum sg_err
demo_place_open(struct demo_place *place, struct sg_fault *why);

/* Start Redis and wait until it answers. It ends with this process, however
 * that ends. Thread: the first, which forks. Errors: SG_OPERATOR. */
SG_MUSTCHECK enum sg_err
demo_place_start_redis(struct demo_place *place, struct sg_fault *why);

/* Ends Redis, removes the folder. */
void
demo_place_close(struct demo_place *place);

/* A TCP port of the loopback interface that nobody listens on now; 0: none. */
uint16_t
demo_free_port(void);

#endif
