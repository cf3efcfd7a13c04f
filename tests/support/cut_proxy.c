#include "cut_proxy.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void
proxy_die(const char *what)
{
	(void)fprintf(stderr, "cut_proxy: %s: %s\n", what, strerror(errno));
	abort();
}

static int
unix_socket(const char *path, bool is_server)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	int failed;

	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (fd < 0)
		proxy_die("socket");
	failed = is_server
			 ? bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
				   listen(fd, 16)
			 : connect(fd, (struct sockaddr *)&addr, sizeof(addr));
	if (failed != 0 && is_server)
		proxy_die(path);
	if (failed != 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

static void
close_end(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static void
close_link(struct cut_link *link)
{
	close_end(&link->client);
	close_end(&link->server);
	link->is_held = false;
	link->nheld = 0;
}

static void
send_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		bytes += n;
		len -= (size_t)n;
	}
}

/* How much of `len` bytes may pass before the cut; under mtx. */
static size_t
pass(struct cut_proxy *proxy, enum cut_mode mode, size_t len, bool *ret_cut)
{
	*ret_cut = false;
	if (proxy->mode != mode)
		return len;
	if (len < proxy->left) {
		proxy->left -= len;
		return len;
	}
	len = proxy->left;
	proxy->mode = CUT_NOTHING;
	proxy->is_cut = true;
	*ret_cut = true;
	return len;
}

static void
hold(struct cut_link *link, const char *bytes, size_t len)
{
	if (link->nheld + len > CUT_HELD_MAX)
		proxy_die("too much to hold");
	memcpy(link->held + link->nheld, bytes, len);
	link->nheld += len;
}

static void
from_client(struct cut_proxy *proxy, struct cut_link *link)
{
	char bytes[16384];
	ssize_t got = recv(link->client, bytes, sizeof(bytes), 0);
	size_t len = got > 0 ? (size_t)got : 0, ok = len;
	bool is_cut = false;

	if (got <= 0 && link->is_held) {
		close_end(&link->client);
		return;
	}
	if (got <= 0) {
		close_link(link);
		return;
	}
	if (link->is_held) {
		hold(link, bytes, len);
		return;
	}
	if (proxy->mode == CUT_HOLD) {
		ok = pass(proxy, CUT_HOLD, len, &is_cut);
		link->is_held = is_cut;
		hold(link, bytes + ok, len - ok);
		is_cut = false;
	} else if (proxy->mode == CUT_REQUEST) {
		ok = pass(proxy, CUT_REQUEST, len, &is_cut);
	}
	send_all(link->server, bytes, ok);
	if (is_cut)
		close_link(link);
}

static void
from_server(struct cut_proxy *proxy, struct cut_link *link)
{
	char bytes[16384];
	ssize_t got = recv(link->server, bytes, sizeof(bytes), 0);
	size_t len = got > 0 ? (size_t)got : 0;
	bool is_cut = false;

	if (got <= 0) {
		close_link(link);
		return;
	}
	if (link->is_held)
		return; /* the client never hears of it */
	len = pass(proxy, CUT_ANSWER, len, &is_cut);
	send_all(link->client, bytes, len);
	if (is_cut)
		close_link(link);
}

static void
accept_one(struct cut_proxy *proxy)
{
	int client = accept(proxy->listener, NULL, NULL);

	for (size_t i = 0; client >= 0 && i < CUT_LINKS; i++) {
		struct cut_link *link = &proxy->links[i];

		if (link->client >= 0 || link->server >= 0)
			continue;
		link->client = client;
		link->server = unix_socket(proxy->server, false);
		if (link->server < 0)
			close_link(link);
		return;
	}
	if (client >= 0)
		(void)close(client);
}

/* Deliver what was held, then read until the server closes. */
static void
release(struct cut_proxy *proxy)
{
	char bytes[4096];

	for (size_t i = 0; i < CUT_LINKS; i++) {
		struct cut_link *link = &proxy->links[i];

		if (!link->is_held)
			continue;
		send_all(link->server, link->held, link->nheld);
		(void)shutdown(link->server, SHUT_WR);
		while (recv(link->server, bytes, sizeof(bytes), 0) > 0)
			;
		close_link(link);
	}
	proxy->is_releasing = false;
	(void)pthread_cond_broadcast(&proxy->done);
}

static size_t
watch(struct cut_proxy *proxy, struct pollfd *fds)
{
	size_t n = 0;

	fds[n++] = (struct pollfd){.fd = proxy->listener, .events = POLLIN};
	fds[n++] = (struct pollfd){.fd = proxy->wake[0], .events = POLLIN};
	for (size_t i = 0; i < CUT_LINKS; i++) {
		fds[n++] = (struct pollfd){
			.fd = proxy->links[i].client, .events = POLLIN};
		fds[n++] = (struct pollfd){
			.fd = proxy->links[i].server, .events = POLLIN};
	}
	return n;
}

static void *
proxy_run(void *arg)
{
	struct cut_proxy *proxy = arg;
	struct pollfd fds[2 + 2 * CUT_LINKS];
	bool is_stopping = false;
	char byte;

	while (!is_stopping) {
		size_t n = watch(proxy, fds);

		if (poll(fds, n, -1) < 0)
			continue;
		(void)pthread_mutex_lock(&proxy->mtx);
		if (fds[1].revents != 0 && read(proxy->wake[0], &byte, 1) < 0)
			proxy_die("read");
		for (size_t i = 0; i < CUT_LINKS; i++) {
			struct cut_link *link = &proxy->links[i];

			if (fds[2 + 2 * i].revents != 0 && link->client >= 0)
				from_client(proxy, link);
			if (fds[3 + 2 * i].revents != 0 && link->server >= 0)
				from_server(proxy, link);
		}
		if (fds[0].revents != 0)
			accept_one(proxy);
		if (proxy->is_releasing)
			release(proxy);
		is_stopping = proxy->is_stopping;
		(void)pthread_mutex_unlock(&proxy->mtx);
	}
	return NULL;
}

static void
wake(struct cut_proxy *proxy)
{
	if (write(proxy->wake[1], "x", 1) != 1)
		proxy_die("write");
}

void
cut_proxy_start(
	struct cut_proxy *proxy, const char *dir, const char *server_socket)
{
	(void)snprintf(proxy->socket, sizeof(proxy->socket), "%s/p", dir);
	(void)snprintf(proxy->url, sizeof(proxy->url), "unix://%s/p", dir);
	(void)snprintf(
		proxy->server, sizeof(proxy->server), "%s", server_socket);
	(void)unlink(proxy->socket);
	proxy->listener = unix_socket(proxy->socket, true);
	for (size_t i = 0; i < CUT_LINKS; i++)
		proxy->links[i].client = proxy->links[i].server = -1;
	proxy->mode = CUT_NOTHING;
	proxy->is_cut = proxy->is_releasing = proxy->is_stopping = false;
	if (pipe(proxy->wake) != 0 ||
		pthread_mutex_init(&proxy->mtx, NULL) != 0 ||
		pthread_cond_init(&proxy->done, NULL) != 0 ||
		pthread_create(&proxy->thread, NULL, proxy_run, proxy) != 0)
		proxy_die("start");
}

void
cut_proxy_stop(struct cut_proxy *proxy)
{
	(void)pthread_mutex_lock(&proxy->mtx);
	proxy->is_stopping = true;
	(void)pthread_mutex_unlock(&proxy->mtx);
	wake(proxy);
	(void)pthread_join(proxy->thread, NULL);
	for (size_t i = 0; i < CUT_LINKS; i++)
		close_link(&proxy->links[i]);
	close_end(&proxy->listener);
	close_end(&proxy->wake[0]);
	close_end(&proxy->wake[1]);
	(void)unlink(proxy->socket);
	(void)pthread_mutex_destroy(&proxy->mtx);
	(void)pthread_cond_destroy(&proxy->done);
}

void
cut_proxy_arm(struct cut_proxy *proxy, enum cut_mode mode, size_t n)
{
	(void)pthread_mutex_lock(&proxy->mtx);
	proxy->mode = mode;
	proxy->left = n;
	proxy->is_cut = false;
	(void)pthread_mutex_unlock(&proxy->mtx);
}

bool
cut_proxy_disarm(struct cut_proxy *proxy)
{
	bool is_cut;

	(void)pthread_mutex_lock(&proxy->mtx);
	is_cut = proxy->is_cut;
	proxy->mode = CUT_NOTHING;
	proxy->is_cut = false;
	(void)pthread_mutex_unlock(&proxy->mtx);
	return is_cut;
}

void
cut_proxy_release(struct cut_proxy *proxy)
{
	(void)pthread_mutex_lock(&proxy->mtx);
	proxy->is_releasing = true;
	wake(proxy);
	while (proxy->is_releasing)
		(void)pthread_cond_wait(&proxy->done, &proxy->mtx);
	(void)pthread_mutex_unlock(&proxy->mtx);
}
