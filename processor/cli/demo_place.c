/*
 * demo_place.c - a folder, a Redis server in it, and nothing left of either.
 *
 * The demo's configuration and schemas are part of this program, so that it
 * plays wherever it is installed. They are written to the folder and read from
 * there as any others are, and a newcomer can look at them.
 */
#include "demo_place.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "segmentd/clock.h"
#include "segmentd/log.h"
#include "segmentd/store.h"

#define REDIS_WAIT_US INT64_C(10000000)

/* FILE_IN(symbol, path): the bytes of a file of the source tree. The path is
 * that below the folder, too. The Makefile knows that this file needs them. */
#define DEMO_FILES(FILE_IN)                                                    \
	FILE_IN(demo_file_config, "config/demo/segmentd.yaml")                 \
	FILE_IN(demo_file_account, "schemas/demo/account.avsc")                \
	FILE_IN(demo_file_subscription, "schemas/demo/subscription.avsc")      \
	FILE_IN(demo_file_usage, "schemas/demo/usage.avsc")                    \
	FILE_IN(demo_file_ticket, "schemas/demo/ticket.avsc")

/* NOLINTBEGIN(bugprone-macro-parentheses): declarations have none. */
#define FILE_IN(symbol, path)                                                  \
	__asm__(".pushsection .rodata\n"                                       \
		".type " #symbol ", @object\n" #symbol ":\n"                   \
		".incbin \"" path "\"\n" #symbol "_end:\n"                     \
		".byte 0\n"                                                    \
		".popsection\n");                                              \
	extern const char symbol[];                                            \
	extern const char symbol##_end[];
DEMO_FILES(FILE_IN)
#undef FILE_IN
/* NOLINTEND(bugprone-macro-parentheses) */

static const struct {
	const char *path;
	const char *from;
	const char *to;
} files[] = {
#define FILE_IN(symbol, path) {path, symbol, symbol##_end},
	DEMO_FILES(FILE_IN)
#undef FILE_IN
};

/* --- the folder --------------------------------------------------------- */

static enum sg_err
write_file(const struct demo_place *place, size_t i, struct sg_fault *why)
{
	char path[DEMO_PATH_MAX];
	size_t len = (size_t)(files[i].to - files[i].from);
	FILE *file;
	bool is_written;

	(void)snprintf(path, sizeof(path), "%s/%s", place->dir, files[i].path);
	file = fopen(path, "we");
	if (file == NULL)
		return sg_fault_set(
			why, SG_IO, "%s: %s", path, strerror(errno));
	is_written = fwrite(files[i].from, 1, len, file) == len;
	if (fclose(file) != 0 || !is_written)
		return sg_fault_set(
			why, SG_IO, "%s: it cannot be written", path);
	return SG_OK;
}

static enum sg_err
make_folders(const struct demo_place *place, struct sg_fault *why)
{
	static const char *const folders[] = {
		"config", "config/demo", "schemas", "schemas/demo"};

	for (size_t i = 0; i < SG_COUNTOF(folders); i++) {
		char path[DEMO_PATH_MAX];

		(void)snprintf(
			path, sizeof(path), "%s/%s", place->dir, folders[i]);
		if (mkdir(path, 0700) != 0)
			return sg_fault_set(
				why, SG_IO, "%s: %s", path, strerror(errno));
	}
	return SG_OK;
}

/* A path in a URL: what is special is written %XX. */
static void
make_url(struct demo_place *place)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-";
	size_t at = (size_t)snprintf(
		place->redis_url, sizeof(place->redis_url), "unix://");

	for (const char *c = place->socket; *c != '\0'; c++) {
		const char *form = strchr(plain, *c) != NULL ? "%c" : "%%%02x";

		at += (size_t)snprintf(place->redis_url + at,
			sizeof(place->redis_url) - at, form, (uint8_t)*c);
	}
}

enum sg_err
demo_place_open(struct demo_place *place, struct sg_fault *why)
{
	const char *tmp = getenv("TMPDIR");
	enum sg_err err;

	memset(place, 0, sizeof(*place));
	if (tmp == NULL || tmp[0] != '/')
		tmp = "/tmp";
	if ((size_t)snprintf(place->dir, sizeof(place->dir),
		    "%s/segmentd-demo.XXXXXX", tmp) >= sizeof(place->dir))
		(void)snprintf(place->dir, sizeof(place->dir),
			"/tmp/segmentd-demo.XXXXXX");
	if (mkdtemp(place->dir) == NULL) {
		err = sg_fault_set(why, SG_IO, "%s: no temporary folder: %s",
			tmp, strerror(errno));
		place->dir[0] = '\0';
		return err;
	}
	(void)snprintf(place->config, sizeof(place->config), "%s/%s",
		place->dir, files[0].path);
	(void)snprintf(place->socket, sizeof(place->socket), "%s/redis.sock",
		place->dir);
	(void)snprintf(place->redis_log, sizeof(place->redis_log),
		"%s/redis.log", place->dir);
	make_url(place);
	err = make_folders(place, why);
	for (size_t i = 0; err == SG_OK && i < SG_COUNTOF(files); i++)
		err = write_file(place, i, why);
	return err;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	(void)remove(path);
	return 0;
}

/* --- Redis -------------------------------------------------------------- */

/* The child: Redis with the output thrown away, in a session of its own so that
 * Ctrl-C is not for it; it is still wanted for the last words. */
static void
become_redis(struct demo_place *place, pid_t parent, int told)
{
	static const char *const programs[] = {"redis-server", "valkey-server"};
	char *argv[] = {"redis-server", "--port", "0", "--unixsocket",
		place->socket, "--unixsocketperm", "700", "--save", "",
		"--appendonly", "no", "--daemonize", "no", "--dir", place->dir,
		"--logfile", place->redis_log, NULL};
	int null = open("/dev/null", O_RDWR);
	int code;

	(void)setsid();
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	(void)dup2(null, STDIN_FILENO);
	(void)dup2(null, STDOUT_FILENO);
	(void)dup2(null, STDERR_FILENO);
	for (size_t i = 0; i < SG_COUNTOF(programs); i++)
		(void)execvp(programs[i], argv);
	code = errno;
	(void)!write(told, &code, sizeof(code));
	_exit(127);
}

/* Forks. What execvp() failed with comes through a pipe that it closes. */
static enum sg_err
spawn_redis(struct demo_place *place, struct sg_fault *why)
{
	pid_t parent = getpid();
	int ends[2];
	int code = 0;
	ssize_t n;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return sg_fault_set(why, SG_IO, "pipe: %s", strerror(errno));
	place->redis = fork();
	if (place->redis == 0)
		become_redis(place, parent, ends[1]);
	(void)close(ends[1]);
	do
		n = read(ends[0], &code, sizeof(code));
	while (n < 0 && errno == EINTR);
	(void)close(ends[0]);
	if (place->redis < 0) {
		place->redis = 0;
		return sg_fault_set(why, SG_IO, "fork: %s", strerror(errno));
	}
	if (n == 0)
		return SG_OK;
	(void)waitpid(place->redis, NULL, 0);
	place->redis = 0;
	if (code == ENOENT)
		return sg_fault_set(why, SG_OPERATOR,
			"redis-server is not in the PATH; the demo starts one "
			"of its own: apt-get install redis-server");
	return sg_fault_set(
		why, SG_OPERATOR, "redis-server: %s", strerror(code));
}

/* Has it ended by itself? */
static bool
is_redis_gone(struct demo_place *place)
{
	if (waitpid(place->redis, NULL, WNOHANG) != place->redis)
		return false;
	place->redis = 0;
	return true;
}

/* What it wrote last, when it has ended. */
static enum sg_err
last_words(const struct demo_place *place, struct sg_fault *why)
{
	char line[256] = "";
	FILE *log = fopen(place->redis_log, "re");

	while (log != NULL && fgets(line, sizeof(line), log) != NULL)
		;
	if (log != NULL)
		(void)fclose(log);
	line[strcspn(line, "\n")] = '\0';
	return sg_fault_set(
		why, SG_OPERATOR, "redis-server has ended at once: %s", line);
}

static enum sg_err
await_redis(struct demo_place *place, struct sg_fault *why)
{
	struct store_opts opts = {.url = place->redis_url,
		.prefix = "segd",
		.connect_timeout_ms = 1000,
		.command_timeout_ms = 1000};
	int64_t deadline_us = clock_mono_us() + REDIS_WAIT_US;
	struct store *store = NULL;
	enum sg_err err;

	err = store_open_redis(&opts, &store, why);
	if (err != SG_OK)
		return err;
	for (;;) {
		err = store_ping(store, why);
		if (err == SG_OK || sg_err_class(err) != SG_CLASS_RETRY)
			break;
		if (is_redis_gone(place)) {
			err = last_words(place, why);
			break;
		}
		if (clock_mono_us() > deadline_us)
			break;
		clock_sleep_ms(5);
	}
	store_close(store);
	return err;
}

enum sg_err
demo_place_start_redis(struct demo_place *place, struct sg_fault *why)
{
	enum sg_err err = spawn_redis(place, why);

	return err == SG_OK ? await_redis(place, why) : err;
}

/* There is nothing it would have to save. */
static void
stop_redis(struct demo_place *place)
{
	if (place->redis == 0)
		return;
	(void)kill(place->redis, SIGKILL);
	(void)waitpid(place->redis, NULL, 0);
	place->redis = 0;
}

void
demo_place_close(struct demo_place *place)
{
	stop_redis(place);
	if (place->dir[0] != '\0')
		(void)nftw(place->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	place->dir[0] = '\0';
}

uint16_t
demo_free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint16_t port = 0;

	if (fd < 0)
		return 0;
	if (bind(fd, (struct sockaddr *)&address, len) == 0 &&
		getsockname(fd, (struct sockaddr *)&address, &len) == 0)
		port = ntohs(address.sin_port);
	(void)close(fd);
	return port;
}
