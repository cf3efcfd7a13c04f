#include "redis_server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hiredis/hiredis.h>

#include "segmentd/clock.h"

#define OPTIONS_MAX 40
#define START_MS 20000

static void
die(const char *what)
{
	(void)fprintf(stderr, "redis_server: %s: %s\n", what, strerror(errno));
	abort();
}

bool
redis_server_is_installed(void)
{
	const char *path = getenv("PATH");
	char file[512];

	while (path != NULL && *path != '\0') {
		int len = (int)strcspn(path, ":");

		(void)snprintf(
			file, sizeof(file), "%.*s/redis-server", len, path);
		if (access(file, X_OK) == 0)
			return true;
		path += len + (path[len] == ':');
	}

	(void)printf(
		"[  SKIPPED ] some test(s): redis-server is not installed, "
		"so what needs a real Redis is NOT tested\n");
	return false;
}

static void
exec_server(const struct redis_server *server, const char *const *options)
{
	const char *argv[OPTIONS_MAX] = {"redis-server", "--port", "0",
		"--unixsocket", server->socket, "--dir", server->dir, "--save",
		"", "--logfile", "log", "--daemonize", "no"};
	size_t n = 13;
	int null = open("/dev/null", O_RDWR);

	for (size_t i = 0; options != NULL && options[i] != NULL; i++)
		if (n < OPTIONS_MAX - 1)
			argv[n++] = options[i];
	argv[n] = NULL;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)dup2(null, 0);
	(void)dup2(null, 1);
	(void)execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

static bool
answers(struct redis_server *server)
{
	redisContext *ctx = redisConnectUnix(server->socket);
	redisReply *reply = NULL;
	bool is_up;

	if (ctx != NULL && ctx->err == 0)
		reply = redisCommand(ctx, "PING");
	/* An error is an answer too: a password may be wanted. */
	is_up = reply != NULL &&
		(reply->type != REDIS_REPLY_ERROR ||
			strncmp(reply->str, "LOADING", 7) != 0);
	freeReplyObject(reply);
	if (ctx != NULL)
		redisFree(ctx);
	return is_up;
}

void
redis_server_start(struct redis_server *server, const char *const *options)
{
	int64_t end_us = clock_mono_us() + (int64_t)START_MS * 1000;

	if (server->dir[0] == '\0') {
		(void)snprintf(server->dir, sizeof(server->dir), "%s",
			"/tmp/segmentd-redis-XXXXXX");
		if (mkdtemp(server->dir) == NULL)
			die("mkdtemp");
		(void)snprintf(server->socket, sizeof(server->socket), "%s/s",
			server->dir);
		(void)snprintf(server->url, sizeof(server->url), "unix://%s",
			server->socket);
	}
	(void)unlink(server->socket);
	server->pid = fork();
	if (server->pid < 0)
		die("fork");
	if (server->pid == 0)
		exec_server(server, options);
	while (!answers(server)) {
		if (waitpid(server->pid, NULL, WNOHANG) != 0 ||
			clock_mono_us() > end_us)
			die("redis-server does not start");
		clock_sleep_ms(5);
	}
}

void
redis_server_kill(struct redis_server *server)
{
	if (server->pid <= 0)
		return;
	(void)kill(server->pid, SIGKILL);
	while (waitpid(server->pid, NULL, 0) < 0 && errno == EINTR)
		;
	server->pid = 0;
}

static void
remove_tree(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		char name[512];

		if (strcmp(entry->d_name, ".") == 0 ||
			strcmp(entry->d_name, "..") == 0)
			continue;
		(void)snprintf(
			name, sizeof(name), "%s/%s", path, entry->d_name);
		if (unlink(name) != 0)
			remove_tree(name);
	}
	if (dir != NULL)
		(void)closedir(dir);
	(void)rmdir(path);
}

void
redis_server_stop(struct redis_server *server)
{
	redis_server_kill(server);
	if (server->dir[0] != '\0')
		remove_tree(server->dir);
	server->dir[0] = '\0';
}

static void
put_reply(char *text, size_t size, const redisReply *reply)
{
	size_t used = strlen(text);

	text += used;
	size -= used;
	if (reply == NULL)
		(void)snprintf(text, size, "(no answer)");
	else if (reply->type == REDIS_REPLY_INTEGER)
		(void)snprintf(text, size, "%lld", reply->integer);
	else if (reply->type == REDIS_REPLY_NIL)
		(void)snprintf(text, size, "(nil)");
	else if (reply->type == REDIS_REPLY_ERROR)
		(void)snprintf(text, size, "-%s", reply->str);
	else if (reply->type != REDIS_REPLY_ARRAY)
		(void)snprintf(text, size, "%s", reply->str);
	else
		for (size_t i = 0; i < reply->elements; i++) {
			used = strlen(text);
			(void)snprintf(text + used, size - used, "%s",
				i > 0 ? " " : "");
			put_reply(text, size, reply->element[i]);
		}
}

const char *
redis_server_ask(struct redis_server *server, const char *const *words)
{
	redisContext *ctx = redisConnectUnix(server->socket);
	redisReply *reply = NULL;
	const char *argv[OPTIONS_MAX];
	int argc = 0;

	while (words[argc] != NULL && argc < OPTIONS_MAX) {
		argv[argc] = words[argc];
		argc++;
	}
	if (ctx != NULL && ctx->err == 0)
		reply = redisCommandArgv(ctx, argc, argv, NULL);
	server->answer[0] = '\0';
	put_reply(server->answer, sizeof(server->answer), reply);
	freeReplyObject(reply);
	if (ctx != NULL)
		redisFree(ctx);
	return server->answer;
}
