/* http_get.c - one GET over a socket. */
#include "http_get.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define PATIENCE_S 5

static int
dial_one(const struct addrinfo *info)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	int fd = socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC,
		info->ai_protocol);

	if (fd < 0)
		return -1;
	/* Of sending, so also of connecting. */
	(void)setsockopt(
		fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void)setsockopt(
		fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, info->ai_addr, info->ai_addrlen) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

static int
dial(const char *host, const char *port)
{
	const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	int fd = -1;

	if (getaddrinfo(host, port, &wanted, &list) != 0)
		return -1;
	for (struct addrinfo *info = list; info != NULL && fd < 0;
		info = info->ai_next)
		fd = dial_one(info);
	freeaddrinfo(list);
	return fd;
}

/* Split what came into its status and, in place, its body. */
static bool
take_body(struct buf *out, size_t from, int *ret_status)
{
	const char *text = buf_cstr(out) + from;
	const char *body;
	size_t len;

	if (out->is_failed || strncmp(text, "HTTP/1.", 7) != 0 ||
		strlen(text) < 12)
		return false;
	body = strstr(text, "\r\n\r\n");
	if (body == NULL)
		return false;
	*ret_status = (text[9] - '0') * 100 + (text[10] - '0') * 10 +
		      (text[11] - '0');
	body += 4;
	len = out->len - from - (size_t)(body - text);
	memmove(out->bytes + from, body, len);
	out->len = from + len;
	return true;
}

bool
http_get(const char *host, const char *port, const char *path, int *ret_status,
	struct buf *out)
{
	size_t from = out->len;
	char bytes[4096];
	int fd = dial(host, port);
	int len;
	ssize_t n;

	if (fd < 0)
		return false;
	len = snprintf(bytes, sizeof(bytes),
		"GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
		path, host);
	n = len < 0 || (size_t)len >= sizeof(bytes)
		    ? -1
		    : send(fd, bytes, (size_t)len, MSG_NOSIGNAL);
	while (n > 0) {
		n = recv(fd, bytes, sizeof(bytes), 0);
		if (n > 0)
			buf_put(out, bytes, (size_t)n);
	}
	(void)close(fd);
	return n == 0 && take_body(out, from, ret_status);
}
