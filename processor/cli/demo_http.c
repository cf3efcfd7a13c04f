/* demo_http.c - one GET over a socket of the loopback interface. */
#include "demo_http.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int
dial(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval patience = {.tv_sec = 2};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	(void)setsockopt(
		fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

bool
demo_http_get(uint16_t port, const char *path, struct buf *out)
{
	char bytes[4096];
	int fd = dial(port);
	int len;
	ssize_t n;

	if (fd < 0)
		return false;
	len = snprintf(bytes, sizeof(bytes),
		"GET %s HTTP/1.1\r\nHost: localhost\r\n"
		"Connection: close\r\n\r\n",
		path);
	n = send(fd, bytes, (size_t)len, MSG_NOSIGNAL);
	while (n > 0) {
		n = recv(fd, bytes, sizeof(bytes), 0);
		if (n > 0)
			buf_put(out, bytes, (size_t)n);
	}
	(void)close(fd);
	return n == 0 && !out->is_failed &&
	       strncmp(buf_cstr(out), "HTTP/1.1 200", 12) == 0;
}

uint64_t
demo_metric(const char *text, const char *name, const char *label)
{
	size_t len = strlen(name);
	uint64_t sum = 0;

	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		const char *end;
		const char *found;

		line += *line == '\n';
		if (strncmp(line, name, len) != 0 ||
			(line[len] != ' ' && line[len] != '{'))
			continue;
		end = line + strcspn(line, "\n");
		found = label == NULL ? line : strstr(line, label);
		if (found == NULL || found >= end)
			continue;
		while (end > line && end[-1] != ' ')
			end--;
		sum += strtoull(end, NULL, 10);
	}
	return sum;
}
