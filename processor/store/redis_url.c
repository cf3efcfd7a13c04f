/*
 * redis_url.c - where Redis is and how to log in, from a URL.
 *
 *      redis://  user : password @ host : port , host : port / db
 *      rediss:// user : password @ host : port / db ? ca=FILE
 *                                                   & cert=FILE & key=FILE
 *      redis+sentinel://  user : password @ host : port , ... / master / db
 *      unix://   user : password @ /path/of/socket ? db=N
 *
 * (rediss+sentinel:// is TLS to the sentinels and to Redis.)
 *
 * The text is cut at fixed marks from the outside in: scheme, query, user part
 * (up to the last '@'), then host and path. Each piece is decoded (%XX) after
 * it was cut, so a password may hold any character. Pieces of a URL are quoted
 * in a message only when they cannot be part of a password.
 */
#include "redis_url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_PORT 6379
#define SENTINEL_PORT 26379

/* A piece of the URL, not terminated. */
struct piece {
	const char *at;
	size_t len;
};

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* A decoded copy; a zero byte cannot be meant. */
static enum sg_err
decode(struct piece piece, char **ret_text, struct sg_fault *why)
{
	char *text = malloc(piece.len + 1);
	size_t n = 0;

	if (text == NULL)
		return sg_fault_set(why, SG_NOMEM, "no memory for redis.url");
	for (size_t i = 0; i < piece.len; i++) {
		char c = piece.at[i];

		if (c == '%') {
			int high = i + 1 < piece.len
					   ? hex_digit(piece.at[i + 1])
					   : -1;
			int low = i + 2 < piece.len ? hex_digit(piece.at[i + 2])
						    : -1;

			if (high < 0 || low < 0 || high + low == 0) {
				free(text);
				return sg_fault_set(why, SG_BAD_OPTION,
					"redis.url: after %% come two "
					"hexadecimal digits (a percent sign "
					"itself is %%25)");
			}
			c = (char)(high * 16 + low);
			i += 2;
		}
		text[n++] = c;
	}
	text[n] = '\0';
	free(*ret_text);
	*ret_text = text;
	return SG_OK;
}

static enum sg_err
number(struct piece piece, const char *what, int32_t max, int32_t *ret_n,
	struct sg_fault *why)
{
	int32_t n = 0;
	bool is_bad = piece.len == 0 || piece.len > 9;

	for (size_t i = 0; i < piece.len && !is_bad; i++) {
		is_bad = piece.at[i] < '0' || piece.at[i] > '9';
		n = n * 10 + (piece.at[i] - '0');
	}
	if (is_bad || n > max)
		return sg_fault_set(why, SG_BAD_OPTION,
			"redis.url: %s is not a number from 0 to %d", what,
			(int)max);
	*ret_n = n;
	return SG_OK;
}

/* Split at the first `mark`; what is after it goes to *ret_rest. */
static bool
cut(struct piece *piece, char mark, struct piece *ret_rest)
{
	const char *at =
		piece->len == 0 ? NULL : memchr(piece->at, mark, piece->len);

	if (at == NULL)
		return false;
	ret_rest->at = at + 1;
	ret_rest->len = (size_t)(piece->at + piece->len - at - 1);
	piece->len = (size_t)(at - piece->at);
	return true;
}

static bool
is_named(struct piece piece, const char *name)
{
	return piece.len == strlen(name) &&
	       memcmp(piece.at, name, piece.len) == 0;
}

static enum sg_err
read_query(
	struct redis_target *target, struct piece query, struct sg_fault *why)
{
	struct piece rest = {.at = "", .len = 0};
	enum sg_err err = SG_OK;

	while (err == SG_OK && query.len > 0) {
		struct piece value = {.at = "", .len = 0};
		bool has_more = cut(&query, '&', &rest);

		(void)cut(&query, '=', &value);
		if (is_named(query, "db"))
			err = number(value, "db", INT32_MAX, &target->db, why);
		else if (is_named(query, "ca") && target->is_tls)
			err = decode(value, &target->ca, why);
		else if (is_named(query, "cert") && target->is_tls)
			err = decode(value, &target->cert, why);
		else if (is_named(query, "key") && target->is_tls)
			err = decode(value, &target->key, why);
		else
			err = sg_fault_set(why, SG_BAD_OPTION,
				"redis.url: after '?' only db=N is known, and "
				"ca=FILE, cert=FILE and key=FILE with TLS");
		query = has_more ? rest : (struct piece){.at = "", .len = 0};
	}
	if (err == SG_OK && (target->cert == NULL) != (target->key == NULL))
		return sg_fault_set(why, SG_BAD_OPTION,
			"redis.url: cert=FILE and key=FILE need each other");
	return err;
}

static enum sg_err
read_login(
	struct redis_target *target, struct piece login, struct sg_fault *why)
{
	struct piece password;
	enum sg_err err = SG_OK;

	if (cut(&login, ':', &password))
		err = decode(password, &target->password, why);
	if (err == SG_OK && login.len > 0)
		err = decode(login, &target->user, why);
	return err;
}

/* host, host:port, [v6], [v6]:port */
static enum sg_err
read_host(struct redis_host *ret_host, int32_t default_port, struct piece host,
	struct sg_fault *why)
{
	struct piece port = {.at = "", .len = 0};
	bool has_port = false;
	enum sg_err err;

	if (host.len > 0 && host.at[0] == '[') {
		struct piece rest;

		host.at++;
		host.len--;
		if (!cut(&host, ']', &rest) ||
			(rest.len > 0 && rest.at[0] != ':'))
			return sg_fault_set(why, SG_BAD_OPTION,
				"redis.url: an IPv6 address is written "
				"[address]:port");
		has_port = rest.len > 0;
		if (has_port)
			port = (struct piece){rest.at + 1, rest.len - 1};
	} else {
		has_port = cut(&host, ':', &port);
	}
	ret_host->port = default_port;
	if (has_port) {
		err = number(port, "port", 65535, &ret_host->port, why);
		if (err != SG_OK)
			return err;
		if (ret_host->port == 0)
			return sg_fault_set(why, SG_BAD_OPTION,
				"redis.url: port 0 is not a port");
	}
	if (host.len == 0)
		host = (struct piece){"localhost", strlen("localhost")};
	err = decode(host, &ret_host->name, why);
	if (err == SG_OK && strlen(ret_host->name) >= REDIS_HOST_MAX)
		return sg_fault_set(why, SG_BAD_OPTION,
			"redis.url: a host is longer than any can be");
	return err;
}

/* One or more, with commas between. */
static enum sg_err
read_hosts(struct redis_target *target, int32_t default_port,
	struct piece hosts, struct sg_fault *why)
{
	bool has_more = true;
	enum sg_err err = SG_OK;

	while (err == SG_OK && has_more) {
		struct piece rest = {.at = "", .len = 0};

		if (target->nhosts == REDIS_HOSTS_MAX)
			return sg_fault_set(why, SG_BAD_OPTION,
				"redis.url: at most %d hosts", REDIS_HOSTS_MAX);
		has_more = cut(&hosts, ',', &rest);
		if (hosts.len == 0 && (has_more || target->nhosts > 0))
			return sg_fault_set(why, SG_BAD_OPTION,
				"redis.url: a comma without a host");
		err = read_host(&target->hosts[target->nhosts++], default_port,
			hosts, why);
		hosts = rest;
	}
	return err;
}

/* "a:1,b:2", cut where there is no more room. */
static void
put_hosts(const struct redis_target *target, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < target->nhosts && used + 1 < size; i++) {
		int n = snprintf(text + used, size - used, "%s%s:%d",
			i > 0 ? "," : "", target->hosts[i].name,
			(int)target->hosts[i].port);

		used += n > 0 ? (size_t)n : 0;
	}
}

static enum sg_err
read_tcp(struct redis_target *target, struct piece rest, struct sg_fault *why)
{
	char hosts[80];
	struct piece db;
	enum sg_err err = SG_OK;

	if (cut(&rest, '/', &db) && db.len > 0)
		err = number(db, "the database", INT32_MAX, &target->db, why);
	if (err == SG_OK)
		err = read_hosts(target, DEFAULT_PORT, rest, why);
	if (err != SG_OK)
		return err;
	put_hosts(target, hosts, sizeof(hosts));
	(void)snprintf(target->where, sizeof(target->where), "redis at %s/%d",
		hosts, (int)target->db);
	return SG_OK;
}

static enum sg_err
read_sentinel(
	struct redis_target *target, struct piece rest, struct sg_fault *why)
{
	struct piece master = {.at = "", .len = 0}, db = {.at = "", .len = 0};
	char hosts[64];
	enum sg_err err = SG_OK;

	(void)cut(&rest, '/', &master);
	(void)cut(&master, '/', &db);
	if (master.len == 0)
		return sg_fault_set(why, SG_BAD_OPTION,
			"redis.url: redis+sentinel://host:port,.../NAME needs "
			"the NAME by which the sentinels know the master");
	if (db.len > 0)
		err = number(db, "the database", INT32_MAX, &target->db, why);
	if (err == SG_OK)
		err = decode(master, &target->master, why);
	if (err == SG_OK)
		err = read_hosts(target, SENTINEL_PORT, rest, why);
	if (err != SG_OK)
		return err;
	put_hosts(target, hosts, sizeof(hosts));
	(void)snprintf(target->where, sizeof(target->where),
		"redis %.32s of sentinels %s", target->master, hosts);
	return SG_OK;
}

static enum sg_err
read_unix(struct redis_target *target, struct piece rest, struct sg_fault *why)
{
	enum sg_err err;

	if (rest.len == 0 || rest.at[0] != '/')
		return sg_fault_set(why, SG_BAD_OPTION,
			"redis.url: a socket is written unix:///path, with "
			"three slashes");
	err = decode(rest, &target->path, why);
	if (err == SG_OK)
		(void)snprintf(target->where, sizeof(target->where),
			"redis at %s db %d", target->path, (int)target->db);
	return err;
}

static bool
starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static enum sg_err
read_url(struct redis_target *target, const char *url, struct sg_fault *why)
{
	struct piece rest, query = {.at = "", .len = 0}, login;
	bool is_unix = starts(url, "unix://");
	bool is_sentinel = starts(url, "redis+sentinel://") ||
			   starts(url, "rediss+sentinel://");
	const char *at;
	enum sg_err err;

	target->is_tls =
		starts(url, "rediss://") || starts(url, "rediss+sentinel://");
	if (!is_unix && !is_sentinel && !target->is_tls &&
		!starts(url, "redis://"))
		return sg_fault_set(why, SG_BAD_OPTION,
			"redis.url begins with redis://, rediss://, "
			"redis+sentinel://, rediss+sentinel:// or unix://");
	rest.at = strstr(url, "://") + 3;
	rest.len = strlen(rest.at);
	/* The last '@' ends the login: a bare one in a password is forgiven. So
	 * the query is looked for behind it. */
	login = (struct piece){.at = rest.at, .len = 0};
	at = memrchr(rest.at, '@', rest.len);
	if (at != NULL && !(is_unix && rest.at[0] == '/')) {
		login.len = (size_t)(at - rest.at);
		rest.len -= login.len + 1;
		rest.at = at + 1;
	}
	(void)cut(&rest, '?', &query);
	err = read_login(target, login, why);
	if (err == SG_OK)
		err = read_query(target, query, why);
	if (err != SG_OK)
		return err;
	if (is_sentinel)
		return read_sentinel(target, rest, why);
	return is_unix ? read_unix(target, rest, why)
		       : read_tcp(target, rest, why);
}

static enum sg_err
replace(char **text, const char *by, struct sg_fault *why)
{
	char *copy;

	if (by == NULL)
		return SG_OK;
	copy = strdup(by);
	if (copy == NULL)
		return sg_fault_set(why, SG_NOMEM, "no memory");
	free(*text);
	*text = copy;
	return SG_OK;
}

static enum sg_err
check_logins(const struct redis_target *target, struct sg_fault *why)
{
	bool has_login = target->sentinel_user != NULL ||
			 target->sentinel_password != NULL;

	if (target->user != NULL && target->password == NULL)
		return sg_fault_set(why, SG_BAD_OPTION,
			"redis: user %s has no password", target->user);
	if (target->sentinel_user != NULL && target->sentinel_password == NULL)
		return sg_fault_set(why, SG_BAD_OPTION,
			"redis: sentinel_user %s has no sentinel_password",
			target->sentinel_user);
	if (has_login && target->master == NULL)
		return sg_fault_set(why, SG_BAD_OPTION,
			"redis: sentinel_user and sentinel_password are for "
			"redis+sentinel:// in redis.url");
	return SG_OK;
}

enum sg_err
redis_target_init(struct redis_target *target, const struct store_opts *opts,
	struct sg_fault *why)
{
	enum sg_err err;

	*target = (struct redis_target){
		.connect_timeout_ms = opts->connect_timeout_ms,
		.command_timeout_ms = opts->command_timeout_ms,
	};
	if (opts->connect_timeout_ms <= 0 || opts->command_timeout_ms <= 0)
		return sg_fault_set(why, SG_BAD_OPTION,
			"redis: a time-out is at least 1 ms");
	err = read_url(target, opts->url, why);
	if (err == SG_OK)
		err = replace(&target->user, opts->user, why);
	if (err == SG_OK)
		err = replace(&target->password, opts->password, why);
	if (err == SG_OK)
		err = replace(&target->sentinel_user, opts->sentinel_user, why);
	if (err == SG_OK)
		err = replace(&target->sentinel_password,
			opts->sentinel_password, why);
	return err == SG_OK ? check_logins(target, why) : err;
}

/* Overwritten before it goes: a core file should not hold it. */
static void
forget(char *secret)
{
	if (secret != NULL)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

void
redis_target_fini(struct redis_target *target)
{
	for (size_t i = 0; i < target->nhosts; i++)
		free(target->hosts[i].name);
	free(target->path);
	free(target->master);
	free(target->sentinel_user);
	forget(target->sentinel_password);
	free(target->user);
	forget(target->password);
	free(target->ca);
	free(target->cert);
	free(target->key);
	*target = (struct redis_target){0};
}
