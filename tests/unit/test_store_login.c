/*
 * Finding Redis and logging in: URLs, passwords, users, databases, and whether
 * the server is fit for us. No message ever holds a password.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../processor/store/redis_url.h"
#include "../support/redis_server.c"
#include "segmentd/store.h"

static const struct store_opts base = {.prefix = "segd",
	.connect_timeout_ms = 2000,
	.command_timeout_ms = 5000};

static const char *
or_none(const char *text)
{
	return text != NULL ? text : "-";
}

static void
a_url_says_where_and_who(void **state)
{
	static const struct {
		const char *url, *user, *password; /* of the options */
		const char *want; /* host|path|port|db|user|password|where */
	} rows[] = {
		{"redis://h", NULL, NULL, "h|-|6379|0|-|-|redis at h:6379/0"},
		{"redis://", NULL, NULL,
			"localhost|-|6379|0|-|-|redis at localhost:6379/0"},
		{"redis:///3", NULL, NULL,
			"localhost|-|6379|3|-|-|redis at localhost:6379/3"},
		{"redis://h:1/", NULL, NULL, "h|-|1|0|-|-|redis at h:1/0"},
		{"redis://h:65535?db=7", NULL, NULL,
			"h|-|65535|7|-|-|redis at h:65535/7"},
		{"redis://:pw@h", NULL, NULL,
			"h|-|6379|0|-|pw|redis at h:6379/0"},
		{"redis://u:p%40%2f%25@h", NULL, NULL,
			"h|-|6379|0|u|p@/%|redis at h:6379/0"},
		{"redis://u:a:b@c?d/e@h/2", NULL, NULL,
			"h|-|6379|2|u|a:b@c?d/e|redis at h:6379/2"},
		{"redis://u:p@h", "v", "q", "h|-|6379|0|v|q|redis at h:6379/0"},
		{"redis://h", NULL, "q", "h|-|6379|0|-|q|redis at h:6379/0"},
		{"redis://[::1]:6380/1", NULL, NULL,
			"::1|-|6380|1|-|-|redis at ::1:6380/1"},
		{"redis://[fe80::1%25eth0]", NULL, NULL,
			"fe80::1%eth0|-|6379|0|-|-|redis at "
			"fe80::1%eth0:6379/0"},
		{"unix:///run/r.sock", NULL, NULL,
			"-|/run/r.sock|0|0|-|-|redis at /run/r.sock db 0"},
		{"unix:///a@b/c%20d?db=4", NULL, NULL,
			"-|/a@b/c d|0|4|-|-|redis at /a@b/c d db 4"},
		{"unix://u:p@/s?db=1", NULL, NULL,
			"-|/s|0|1|u|p|redis at /s db 1"},
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct store_opts opts = base;
		struct redis_target t;
		struct sg_fault why = {0};
		char text[256];

		opts.url = rows[i].url;
		opts.user = rows[i].user;
		opts.password = rows[i].password;
		if (redis_target_init(&t, &opts, &why) != SG_OK)
			fail_msg("row %zu: %s", i, why.text);
		(void)snprintf(text, sizeof(text), "%s|%s|%d|%d|%s|%s|%s",
			or_none(t.hosts[0].name), or_none(t.path),
			(int)t.hosts[0].port, (int)t.db, or_none(t.user),
			or_none(t.password), t.where);
		assert_string_equal(text, rows[i].want);
		redis_target_fini(&t);
	}
}

static void
a_url_names_several_hosts_or_sentinels(void **state)
{
	static const struct {
		const char *url;
		const char *want; /* hosts|master|db|password|sentinel|where */
	} rows[] = {
		{"redis://a,b:1,[::1]:2/3",
			"a:6379 b:1 ::1:2 |-|3|-|-:-|redis at "
			"a:6379,b:1,::1:2/3"},
		{"redis+sentinel://a,b:1/main",
			"a:26379 b:1 |main|0|-|-:-|redis main of sentinels "
			"a:26379,b:1"},
		{"redis+sentinel://u:p,q@a/main/4",
			"a:26379 |main|4|p,q|-:-|redis main of sentinels "
			"a:26379"},
		{"rediss+sentinel://a/m?ca=f",
			"a:26379 |m|0|-|-:-|redis m of sentinels a:26379"},
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct store_opts opts = base;
		struct redis_target t;
		struct sg_fault why = {0};
		char text[512] = "";
		size_t n = 0;

		opts.url = rows[i].url;
		if (redis_target_init(&t, &opts, &why) != SG_OK)
			fail_msg("row %zu: %s", i, why.text);
		for (size_t j = 0; j < t.nhosts; j++)
			n += (size_t)snprintf(text + n, sizeof(text) - n,
				"%s:%d ", t.hosts[j].name,
				(int)t.hosts[j].port);
		(void)snprintf(text + n, sizeof(text) - n, "|%s|%d|%s|%s:%s|%s",
			or_none(t.master), (int)t.db, or_none(t.password),
			or_none(t.sentinel_user), or_none(t.sentinel_password),
			t.where);
		assert_string_equal(text, rows[i].want);
		redis_target_fini(&t);
	}
}

static void
a_bad_url_is_refused_without_quoting_it(void **state)
{
	static const struct {
		const char *url, *says;
	} rows[] = {
		{"", "begins with"},
		{"h:6379", "begins with"},
		{"http://u:SECRET@h", "begins with"},
		{"redis://:SECRET@h:x", "port"},
		{"redis://:SECRET@h:0", "port"},
		{"redis://:SECRET@h:65536", "port"},
		{"redis://:SECRET@h:", "port"},
		{"redis://:SECRET@h/x", "database"},
		{"redis://:SECRET@h/-1", "database"},
		{"redis://:SECRET@h/9999999999", "database"},
		{"redis://:SECRET@h?db=", "db"},
		{"redis://:SECRET@h?ca=/f", "only db=N"},
		{"redis://:SECRET@h?cert=/f&key=/g", "only db=N"},
		{"rediss://:SECRET@h?cert=/f", "need each other"},
		{"rediss://:SECRET@h?key=/f", "need each other"},
		{"redis://:SECRET@h?password=SECRET", "only db=N"},
		{"redis://:SECRET%@h", "hexadecimal"},
		{"redis://:SECRET%4@h", "hexadecimal"},
		{"redis://:SECRET%zz@h", "hexadecimal"},
		{"redis://:SECRET%00@h", "hexadecimal"},
		{"redis://[::1", "IPv6"},
		{"redis://[::1]6379", "IPv6"},
		{"unix://run/r.sock", "three slashes"},
		{"unix://", "three slashes"},
		{"redis://u@h", "has no password"},
		{"redis://:SECRET@a,", "comma"},
		{"redis://:SECRET@,b", "comma"},
		{"redis://:SECRET@a,b:x", "port"},
		{"redis://:SECRET@1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17",
			"at most 16"},
		{"redis+sentinel://:SECRET@a", "needs the NAME"},
		{"redis+sentinel://:SECRET@a//0", "needs the NAME"},
		{"redis+sentinel://:SECRET@a/m/x", "database"},
		{"redis+sentinel://a/m?sentinel_password=SECRET", "only db=N"},
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct store_opts opts = base;
		struct store *store;
		struct sg_fault why = {0};

		opts.url = rows[i].url;
		if (store_open_redis(&opts, &store, &why) != SG_BAD_OPTION)
			fail_msg("row %zu: %s", i, rows[i].url);
		if (strstr(why.text, rows[i].says) == NULL ||
			strstr(why.text, "SECRET") != NULL)
			fail_msg("row %zu: %s", i, why.text);
	}
}

static void
options_out_of_range_are_refused(void **state)
{
	static const struct {
		const char *prefix;
		int32_t connect_ms, command_ms;
		enum store_layout layout;
		const char *url;
	} rows[] = {
		{"", 1, 1, STORE_PLAIN, "redis://h"},
		{"a b", 1, 1, STORE_PLAIN, "redis://h"},
		{"{a", 1, 1, STORE_PLAIN, "redis://h"},
		{"a}", 1, 1, STORE_PLAIN, "redis://h"},
		{"1234567890123456789012345678901234567890123456789012345678901"
		 "2345",
			1, 1, STORE_PLAIN, "redis://h"},
		{"segd", 0, 1, STORE_PLAIN, "redis://h"},
		{"segd", 1, 0, STORE_PLAIN, "redis://h"},
		{"segd", 1, 1, STORE_PARTITIONED, "redis://h/1"},
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct store_opts opts = {.url = rows[i].url,
			.prefix = rows[i].prefix,
			.layout = rows[i].layout,
			.connect_timeout_ms = rows[i].connect_ms,
			.command_timeout_ms = rows[i].command_ms};
		struct store *store;
		struct sg_fault why = {0};

		if (store_open_redis(&opts, &store, &why) != SG_BAD_OPTION)
			fail_msg("row %zu", i);
		assert_true(why.text[0] != '\0');
	}
}

static void
a_login_at_sentinels_needs_sentinels(void **state)
{
	static const struct {
		const char *url, *user, *password;
		const char *says; /* NULL: it is fine */
	} rows[] = {
		{"redis+sentinel://a/m", "u", "SECRET", NULL},
		{"redis+sentinel://a/m", NULL, "SECRET", NULL},
		{"redis+sentinel://a/m", "u", NULL, "no sentinel_password"},
		{"redis://a", NULL, "SECRET", "for redis+sentinel://"},
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct store_opts opts = base;
		struct store *store = NULL;
		struct sg_fault why = {0};
		enum sg_err err;

		opts.url = rows[i].url;
		opts.sentinel_user = rows[i].user;
		opts.sentinel_password = rows[i].password;
		err = store_open_redis(&opts, &store, &why);
		if (err != (rows[i].says == NULL ? SG_OK : SG_BAD_OPTION))
			fail_msg("row %zu: %s", i, why.text);
		if (err == SG_OK)
			store_close(store);
		else if (strstr(why.text, rows[i].says) == NULL ||
			 strstr(why.text, "SECRET") != NULL)
			fail_msg("row %zu: %s", i, why.text);
	}
}

static void
tls_is_there_or_its_absence_is_told(void **state)
{
	struct store_opts opts = base;
	struct store *store = NULL;
	struct sg_fault why = {0};
	enum sg_err err;

	(void)state;
	opts.url = "rediss://localhost";
	err = store_open_redis(&opts, &store, &why);
	if (err == SG_OK)
		store_close(store);
	else
		assert_int_equal(err, SG_NO_LIBRARY);
	assert_true(err == SG_OK || strstr(why.text, "hiredis_ssl") != NULL);
}

/* --- on a server -----------------------------------------------------------
 */

static struct redis_server server;

/* "" or the message of store_ping(). */
static enum sg_err
ping(const char *url, const char *user, const char *password,
	struct sg_fault *why)
{
	struct store_opts opts = base;
	struct store *store;
	enum sg_err err;

	opts.url = url;
	opts.user = user;
	opts.password = password;
	*why = (struct sg_fault){0};
	assert_int_equal(store_open_redis(&opts, &store, why), SG_OK);
	err = store_ping(store, why);
	store_close(store);
	return err;
}

static void
a_server_that_is_not_there_is_down(void **state)
{
	struct sg_fault why;

	(void)state;
	assert_int_equal(ping("unix:///nowhere/at/all", NULL, "SECRET", &why),
		SG_STORE_DOWN);
	assert_non_null(strstr(why.text, "/nowhere/at/all"));
	assert_null(strstr(why.text, "SECRET"));
}

static void
a_user_logs_in_by_url_or_options(void **state)
{
	static const struct {
		const char *login, *user, *password;
		enum sg_err want;
		const char *says;
	} rows[] = {
		{"", NULL, NULL, SG_BAD_OPTION, "set redis.password"},
		{":S3CRET-default@", NULL, NULL, SG_OK, ""},
		{"", NULL, "S3CRET-default", SG_OK, ""},
		{"segmentd:S3CRET-acl@", NULL, NULL, SG_OK, ""},
		{"segmentd:wrong@", NULL, "S3CRET-acl", SG_OK, ""},
		{"", "segmentd", "S3CRET-acl", SG_OK, ""},
		{":S3CRET-wrong@", NULL, NULL, SG_BAD_OPTION,
			"refuses the password of user default (WRONGPASS)"},
		{"segmentd:S3CRET-wrong@", NULL, NULL, SG_BAD_OPTION,
			"refuses the password of user segmentd (WRONGPASS)"},
		{"nobody:S3CRET-acl@", NULL, NULL, SG_BAD_OPTION, "nobody"},
		/* INFO is not allowed: not checked, but no reason to stop. */
		{"narrow:S3CRET-acl@", NULL, NULL, SG_OK, ""},
		{"blind:S3CRET-acl@", NULL, NULL, SG_BAD_OPTION, "NOPERM"},
	};

	(void)state;
	(void)REDIS_ASK(&server, "ACL", "SETUSER", "segmentd", "on",
		">S3CRET-acl", "~segd:*", "+@read", "+@write", "+@transaction",
		"+@connection", "+info");
	(void)REDIS_ASK(&server, "ACL", "SETUSER", "narrow", "on",
		">S3CRET-acl", "~segd:*", "+@read", "+@write", "+@transaction",
		"+@connection");
	(void)REDIS_ASK(&server, "ACL", "SETUSER", "blind", "on", ">S3CRET-acl",
		"~segd:*", "-@all");
	(void)REDIS_ASK(
		&server, "CONFIG", "SET", "requirepass", "S3CRET-default");
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct sg_fault why;
		char url[256];

		(void)snprintf(url, sizeof(url), "unix://%s%s", rows[i].login,
			server.socket);
		if (ping(url, rows[i].user, rows[i].password, &why) !=
			rows[i].want)
			fail_msg("row %zu: %s", i, why.text);
		if (strstr(why.text, rows[i].says) == NULL ||
			strstr(why.text, "S3CRET") != NULL)
			fail_msg("row %zu: %s", i, why.text);
	}
}

/* What the ACL of the documentation allows is all that is needed. */
static void
an_owner_needs_no_more_than_the_documented_rights(void **state)
{
	struct store_opts opts = base;
	struct store *store;
	struct store_group *group;
	struct store_meta meta;
	struct sg_fault why;
	struct arena arena;
	char url[256];

	(void)state;
	(void)REDIS_ASK(&server, "ACL", "SETUSER", "segmentd", "on",
		">S3CRET-acl", "~segd:*", "+@read", "+@write", "+@transaction",
		"+@connection", "+info");
	(void)snprintf(url, sizeof(url), "unix://segmentd:S3CRET-acl@%s",
		server.socket);
	opts.url = url;
	arena_init(&arena, 1 << 20);
	assert_int_equal(store_open_redis(&opts, &store, &why), SG_OK);
	assert_int_equal(store_group_open(store, 0, &group, &why), SG_OK);
	assert_int_equal(
		store_group_takeover(group, &arena, &meta, &why), SG_OK);
	store_add_state(group, "a", "1", 1);
	store_add_view(group, "a", "f", "v", 1);
	store_add_member(group, "touch", "high", "a");
	store_add_due(group, "a", 1);
	store_add_renewal(group, "a", "T-90", 1);
	store_add_layout(group, 1, "x", 1);
	assert_int_equal(store_group_commit(group, "l", "w", "o", &why), SG_OK);
	store_group_close(group);
	store_close(store);
	/* A prefix that the ACL does not have. */
	opts.prefix = "other";
	assert_int_equal(store_open_redis(&opts, &store, &why), SG_OK);
	assert_int_equal(store_group_open(store, 0, &group, &why), SG_OK);
	assert_int_equal(store_group_takeover(group, &arena, &meta, &why),
		SG_BAD_OPTION);
	assert_non_null(strstr(why.text, "NOPERM"));
	store_group_close(group);
	store_close(store);
	arena_fini(&arena);
}

static void
a_password_for_a_server_without_one_is_a_mistake(void **state)
{
	struct sg_fault why;

	(void)state;
	assert_int_equal(ping(server.url, NULL, "S3CRET", &why), SG_BAD_OPTION);
	assert_non_null(strstr(why.text, "has no password"));
	assert_null(strstr(why.text, "S3CRET"));
}

static void
the_database_of_the_url_is_used(void **state)
{
	struct store_opts opts = base;
	struct store *store;
	struct store_group *group;
	struct store_meta meta;
	struct sg_fault why;
	struct arena arena;
	char url[256];

	(void)state;
	arena_init(&arena, 1 << 20);
	(void)snprintf(url, sizeof(url), "%s?db=5", server.url);
	opts.url = url;
	assert_int_equal(store_open_redis(&opts, &store, &why), SG_OK);
	assert_int_equal(store_group_open(store, 0, &group, &why), SG_OK);
	assert_int_equal(
		store_group_takeover(group, &arena, &meta, &why), SG_OK);
	assert_non_null(
		strstr(REDIS_ASK(&server, "INFO", "keyspace"), "db5:keys=1,"));
	assert_null(strstr(server.answer, "db0:"));
	store_group_close(group);
	store_close(store);
	arena_fini(&arena);
	(void)snprintf(url, sizeof(url), "%s?db=99", server.url);
	assert_int_equal(ping(url, NULL, NULL, &why), SG_BAD_OPTION);
	assert_non_null(strstr(why.text, "db 99"));
}

static void
a_server_that_drops_keys_is_refused(void **state)
{
	static const struct {
		const char *max, *policy;
		enum sg_err want;
	} rows[] = {
		{"0", "noeviction", SG_OK},
		{"0", "allkeys-lru", SG_OK},
		{"100mb", "noeviction", SG_OK},
		{"100mb", "allkeys-lru", SG_BAD_OPTION},
		{"100mb", "volatile-ttl", SG_BAD_OPTION},
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct sg_fault why;

		(void)REDIS_ASK(&server, "CONFIG", "SET", "maxmemory",
			rows[i].max, "maxmemory-policy", rows[i].policy);
		if (ping(server.url, NULL, NULL, &why) != rows[i].want)
			fail_msg("row %zu: %s", i, why.text);
		if (rows[i].want != SG_OK &&
			strstr(why.text, "CONFIG SET maxmemory-policy "
					 "noeviction") == NULL)
			fail_msg("row %zu: %s", i, why.text);
	}
}

static void
a_server_with_too_many_clients_is_busy(void **state)
{
	struct sg_fault why;

	(void)state;
	(void)REDIS_ASK(&server, "CONFIG", "SET", "maxclients", "1");
	/* REDIS_ASK's own connection may not be gone yet: that is one. */
	struct store_opts opts = base;
	struct store *store;

	opts.url = server.url;
	assert_int_equal(store_open_redis(&opts, &store, &why), SG_OK);
	for (int i = 0; i < 100 && store_ping(store, &why) != SG_OK; i++)
		clock_sleep_ms(5);
	assert_int_equal(ping(server.url, NULL, NULL, &why), SG_STORE_BUSY);
	assert_non_null(strstr(why.text, "max number of clients"));
	store_close(store);
}

static int
server_start(void **state)
{
	(void)state;
	redis_server_start(&server, NULL);
	return 0;
}

static int
server_stop(void **state)
{
	(void)state;
	redis_server_stop(&server);
	return 0;
}

int
main(void)
{
#define ROW(f) cmocka_unit_test_setup_teardown(f, server_start, server_stop)
	static const struct CMUnitTest alone[] = {
		cmocka_unit_test(a_url_says_where_and_who),
		cmocka_unit_test(a_url_names_several_hosts_or_sentinels),
		cmocka_unit_test(a_login_at_sentinels_needs_sentinels),
		cmocka_unit_test(a_bad_url_is_refused_without_quoting_it),
		cmocka_unit_test(options_out_of_range_are_refused),
		cmocka_unit_test(tls_is_there_or_its_absence_is_told),
		cmocka_unit_test(a_server_that_is_not_there_is_down),
	};
	static const struct CMUnitTest with_server[] = {
		ROW(a_user_logs_in_by_url_or_options),
		ROW(an_owner_needs_no_more_than_the_documented_rights),
		ROW(a_password_for_a_server_without_one_is_a_mistake),
		ROW(the_database_of_the_url_is_used),
		ROW(a_server_that_drops_keys_is_refused),
		ROW(a_server_with_too_many_clients_is_busy),
	};
	int failed =
		cmocka_run_group_tests_name("store_login", alone, NULL, NULL);

	if (redis_server_is_installed())
		failed += cmocka_run_group_tests_name(
			"store_login on redis", with_server, NULL, NULL);
	return failed;
}
