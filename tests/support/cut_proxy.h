/*
 * cut_proxy.h - a proxy between unix sockets that breaks a connection at an
 * exact byte: in the middle of a request, of an answer, or by keeping back the
 * end of a request and delivering it when everybody has forgotten about it.
 */
#ifndef SEGMENTD_TESTS_CUT_PROXY_H
#define SEGMENTD_TESTS_CUT_PROXY_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

enum cut_mode {
	CUT_NOTHING,
	CUT_REQUEST, /* after n more bytes to the server: close both sides */
	CUT_ANSWER,  /* after n more bytes from the server: the same */
	CUT_HOLD,    /* after n more bytes to the server: keep the rest; the
		      * client hears nothing and gives up */
};

#define CUT_LINKS 32
#define CUT_HELD_MAX 65536

struct cut_link {
	int client; /* -1: closed */
	int server;
	bool is_held;
	size_t nheld;
	char held[CUT_HELD_MAX];
};

struct cut_proxy {
	char socket[96];
	char url[128];
	char server[96];
	int listener;
	int wake[2]; /* a byte: look at what was asked */
	pthread_t thread;
	/* shared, under mtx */
	pthread_mutex_t mtx;
	pthread_cond_t done;
	enum cut_mode mode;
	size_t left; /* bytes until the cut */
	bool is_cut; /* it has happened */
	bool is_releasing;
	bool is_stopping;
	struct cut_link links[CUT_LINKS];
};

/* Listen in `dir` and pass everything to `server_socket`. */
void
cut_proxy_start(
	struct cut_proxy *proxy, const char *dir, const char *server_socket);
void
cut_proxy_stop(struct cut_proxy *proxy);

/* Break the next connection that has passed `n` more bytes. */
void
cut_proxy_arm(struct cut_proxy *proxy, enum cut_mode mode, size_t n);

/* Has it happened? Passes everything again from here on. */
bool
cut_proxy_disarm(struct cut_proxy *proxy);

/* Deliver what CUT_HOLD kept, and wait until the server has read all of it and
 * closed the connection. */
void
cut_proxy_release(struct cut_proxy *proxy);

#endif
