#include "listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOST_BYTES 256
#define PORT_BYTES 6 /* 65535 */
#define BACKLOG 64

/* A port in full: no sign, no blank, at most 65535. */
static bool
is_port(const char *text)
{
	unsigned int n = 0;

	if (text[0] == '\0' || strlen(text) >= PORT_BYTES)
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		n = n * 10 + (unsigned int)(*text - '0');
	}
	return n <= 65535;
}

/* Part "host:port" or "[v6]:port"; *ret_port points into `address`. */
static bool
address_split(const char *address, char host[HOST_BYTES], const char **ret_port)
{
	const char *colon = strrchr(address, ':');
	const char *start = address;
	const char *end = colon;

	if (colon == NULL || !is_port(colon + 1))
		return false;
	if (*start == '[') {
		if (end[-1] != ']')
			return false;
		start++;
		end--;
	} else if (memchr(start, ':', (size_t)(end - start)) != NULL) {
		return false;
	}
	/* An empty host would mean every interface: too easily a slip. */
	if (end <= start || end - start >= HOST_BYTES)
		return false;
	memcpy(host, start, (size_t)(end - start));
	host[end - start] = '\0';
	*ret_port = colon + 1;
	return true;
}

/* Bind and listen; -1 with errno. */
static int
listen_on(const struct addrinfo *info)
{
	const int on = 1;
	int fd = socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC,
		info->ai_protocol);

	if (fd < 0)
		return -1;
	/* A restart must not wait for the old connections to time out. */
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, info->ai_addr, info->ai_addrlen) != 0 ||
		listen(fd, BACKLOG) != 0) {
		int saved = errno;

		(void)close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

static uint16_t
port_of(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_storage room;
	} addr;
	socklen_t len = sizeof(addr);

	memset(&addr, 0, sizeof(addr));
	if (getsockname(fd, &addr.any, &len) != 0)
		return 0;
	if (addr.any.sa_family == AF_INET6)
		return ntohs(addr.v6.sin6_port);
	return ntohs(addr.v4.sin_port);
}

enum sg_err
listen_open(const char *address, int *ret_fd, uint16_t *ret_port,
	struct sg_fault *why)
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	struct addrinfo *infos = NULL;
	char host[HOST_BYTES];
	const char *port;
	int fd = -1;
	int saved = 0;

	if (!address_split(address, host, &port))
		return sg_fault_set(why, SG_BAD_OPTION,
			"\"%s\" is not an address to listen on: write "
			"host:port, as 127.0.0.1:9464 or [::1]:9464",
			address);

	int failed = getaddrinfo(host, port, &hints, &infos);

	if (failed != 0)
		return sg_fault_set(why, SG_BAD_OPTION,
			"cannot listen on %s: %s", address,
			gai_strerror(failed));
	for (struct addrinfo *i = infos; i != NULL && fd < 0; i = i->ai_next) {
		fd = listen_on(i);
		saved = errno;
	}
	freeaddrinfo(infos);
	if (fd < 0)
		return sg_fault_set(why, SG_IO, "cannot listen on %s: %s",
			address, strerror(saved));
	*ret_fd = fd;
	*ret_port = port_of(fd);
	return SG_OK;
}
