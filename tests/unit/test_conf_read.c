/* What the file becomes: struct conf, field by field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "segmentd/conf.h"

#define DAY CIVIL_DAY_MS

struct fixture {
	struct conf_diags *diags;
	struct conf *conf;
};

static int
set_up(void **state)
{
	struct fixture *fix = calloc(1, sizeof(*fix));

	assert_non_null(fix);
	assert_int_equal(conf_diags_create(&fix->diags), SG_OK);
	*state = fix;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *fix = *state;

	conf_destroy(fix->conf);
	conf_diags_destroy(fix->diags);
	free(fix);
	return 0;
}

static void
no_mistakes(struct fixture *fix)
{
	struct buf out;

	if (conf_diags_errors(fix->diags) == 0)
		return;
	buf_init(&out, 1 << 20);
	conf_diags_print(fix->diags, false, &out);
	fail_msg("%s", buf_cstr(&out));
}

static const struct conf *
read_text(struct fixture *fix, const char *yaml)
{
	assert_int_equal(conf_parse("dir/t.yaml", "dir", yaml, strlen(yaml),
				 fix->diags, &fix->conf),
		SG_OK);
	no_mistakes(fix);
	return fix->conf;
}

static void
expect_text(const struct conf_text *text, const char *want)
{
	if (want == NULL) {
		assert_null(text->s);
		return;
	}
	assert_non_null(text->s);
	assert_string_equal(text->s, want);
	assert_int_equal(text->len, strlen(want));
}

static void
every_kind_of_feature_is_read(void **state)
{
	static const char yaml[] =
		"inputs:\n"
		"  u:\n"
		"    topic: u\n"
		"    features:\n"
		"      a: {last: x.y}\n"
		"      b: {first: x, where: 'true'}\n"
		"      c: {latest: x}\n"
		"      d: {count: 14d}\n"
		"      e: {count: all}\n"
		"      f: {sum: x, window: 1h}\n"
		"      g: {sum: x}\n"
		"      h: {min: x}\n"
		"      i: {max: x, window: 400d}\n"
		"      j: {mean: x, window: 1m}\n"
		"      k: {distinct: x, window: 2w}\n"
		"      l: {collect: id, keep: [a, b.c], max: 16,\n"
		"          closed_when: 'p', remove_when: 'q'}\n"
		"      m: {collect: id}\n"
		"      n: {rate: 7d}\n"
		"      o: {rate: x, window: 7d}\n"
		"      p: {trend: 200d}\n"
		"      q: {streak: true}\n"
		"      r: {days_since: }\n"
		"      s: {last: x, as: timestamp}\n";
	static const struct {
		enum feature_kind kind;
		const char *field;
		int64_t window_ms;
	} want[] = {
		{FEATURE_last, "x.y", 0},
		{FEATURE_first, "x", 0},
		{FEATURE_latest, "x", 0},
		{FEATURE_count, NULL, 14 * DAY},
		{FEATURE_count, NULL, 0},
		{FEATURE_sum, "x", 3600000},
		{FEATURE_sum, "x", 0},
		{FEATURE_min, "x", 0},
		{FEATURE_max, "x", 400 * DAY},
		{FEATURE_mean, "x", 60000},
		{FEATURE_distinct, "x", 14 * DAY},
		{FEATURE_collect, "id", 0},
		{FEATURE_collect, "id", 0},
		{FEATURE_rate, NULL, 7 * DAY},
		{FEATURE_rate, "x", 7 * DAY},
		{FEATURE_trend, NULL, 200 * DAY},
		{FEATURE_streak, NULL, 0},
		{FEATURE_days_since, NULL, 0},
		{FEATURE_last, "x", 0},
	};
	const struct conf_input *in = &read_text(*state, yaml)->inputs[0];

	assert_int_equal(in->nfeatures, SG_COUNTOF(want));
	for (size_t i = 0; i < in->nfeatures; i++) {
		const struct conf_feature *feature = &in->features[i];
		char name[2] = {(char)('a' + (int)i), '\0'};

		expect_text(&feature->name, name);
		assert_int_equal(feature->kind, want[i].kind);
		expect_text(&feature->field, want[i].field);
		assert_int_equal(feature->window_ms, want[i].window_ms);
	}
	expect_text(&in->features[1].where, "true");
	assert_int_equal(in->features[11].nkeep, 2);
	expect_text(&in->features[11].keep[1], "b.c");
	assert_int_equal(in->features[11].max, 16);
	expect_text(&in->features[11].closed_when, "p");
	expect_text(&in->features[11].remove_when, "q");
	assert_int_equal(in->features[12].max, FEATURE_COLLECT_DEFAULT);
	expect_text(&in->features[12].closed_when, NULL);
	expect_text(&in->features[0].as, NULL);
	expect_text(&in->features[18].as, "timestamp");
}

static void
an_input_is_read_and_its_schema_found_beside_the_file(void **state)
{
	const struct conf *conf = read_text(*state,
		"inputs:\n"
		"  a: {topic: t.a, schema: s/a.avsc, framing: bare, key: k,\n"
		"      time: at, id: e.id, delete_when: 'gone'}\n"
		"  b: {topic: t.b, schema: /abs/b.avsc}\n"
		"schemas: {folder: w, ids: {17: x.avsc, 18: /y.avsc}}\n");

	assert_int_equal(conf->ninputs, 2);
	expect_text(&conf->inputs[0].name, "a");
	expect_text(&conf->inputs[0].topic, "t.a");
	expect_text(&conf->inputs[0].schema, "dir/s/a.avsc");
	expect_text(&conf->inputs[0].framing, "bare");
	expect_text(&conf->inputs[0].key, "k");
	expect_text(&conf->inputs[0].time, "at");
	expect_text(&conf->inputs[0].id, "e.id");
	expect_text(&conf->inputs[0].delete_when, "gone");
	expect_text(&conf->inputs[1].schema, "/abs/b.avsc");
	expect_text(&conf->inputs[1].framing, "auto");
	expect_text(&conf->inputs[1].key, NULL);
	expect_text(&conf->opt.schemas_folder, "dir/w");
	assert_int_equal(conf->nschema_ids, 2);
	assert_int_equal(conf->schema_ids[0].id, 17);
	expect_text(&conf->schema_ids[0].path, "dir/x.avsc");
	expect_text(&conf->schema_ids[1].path, "/y.avsc");
}

static void
segmentations_are_exclusive_or_tags(void **state)
{
	const struct conf *conf = read_text(*state,
		"inputs: {i: {topic: i}}\n"
		"segmentations:\n"
		"  tier:\n"
		"    segments: [{name: High-1, when: a}, {name: 2.low}]\n"
		"    min_stay: 7d\n"
		"    cooldown: 1h30m\n"
		"  tag: {enter: b, exit: c, on_error: exit}\n"
		"  bare: {enter: d}\n");
	const struct conf_segmentation *seg = conf->segmentations;

	assert_int_equal(conf->nsegmentations, 3);
	assert_int_equal(seg[0].kind, CONF_EXCLUSIVE);
	assert_int_equal(seg[0].nsegments, 2);
	expect_text(&seg[0].segments[0].name, "High-1");
	expect_text(&seg[0].segments[0].when, "a");
	expect_text(&seg[0].segments[1].name, "2.low");
	expect_text(&seg[0].segments[1].when, NULL);
	assert_int_equal(seg[0].min_stay_ms, 7 * DAY);
	assert_int_equal(seg[0].cooldown_ms, 5400000);
	assert_int_equal(seg[0].on_error, CONF_ON_ERROR_HOLD);
	assert_int_equal(seg[1].kind, CONF_TAG);
	expect_text(&seg[1].enter, "b");
	expect_text(&seg[1].exit, "c");
	assert_int_equal(seg[1].on_error, CONF_ON_ERROR_EXIT);
	expect_text(&seg[2].exit, NULL);
}

static void
derived_values_are_read_in_order(void **state)
{
	const struct conf *conf = read_text(*state,
		"inputs: {i: {topic: i}}\n"
		"variables: {b: x, a: y}\n"
		"scores:\n"
		"  health:\n"
		"    - {name: one, when: p, points: 10}\n"
		"    - {name: two, when: q, points: -0.1}\n"
		"renewal:\n"
		"  {date: d, windows: [30, 120, 60], timezone: account.tz,\n"
		"   priority: r}\n");

	assert_int_equal(conf->nvariables, 2);
	expect_text(&conf->variables[0].name, "b");
	expect_text(&conf->variables[1].expr, "y");
	assert_int_equal(conf->nscores, 1);
	assert_int_equal(conf->scores[0].nclauses, 2);
	assert_true(conf->scores[0].clauses[0].points == 10.0);
	assert_true(conf->scores[0].clauses[1].points == -0.1);
	assert_true(conf->renewal.is_set);
	assert_int_equal(conf->renewal.nwindows, 3);
	assert_int_equal(conf->renewal.windows[0], 120);
	assert_int_equal(conf->renewal.windows[1], 60);
	assert_int_equal(conf->renewal.windows[2], 30);
	expect_text(&conf->renewal.timezone, "account.tz");
	expect_text(&conf->renewal.priority, "r");
}

static void
what_is_absent_has_its_default(void **state)
{
	const struct conf *conf = read_text(
		*state, "inputs: {i: {topic: i}}\nrenewal: {date: d}\n");

	expect_text(&conf->opt.group, "segmentd");
	expect_text(&conf->opt.instance, "");
	assert_int_equal(conf->opt.clock, CONF_CLOCK_WALL);
	assert_int_equal(conf->opt.delivery, CONF_EXACTLY_ONCE);
	assert_true(conf->opt.topics_create);
	assert_int_equal(conf->opt.cache_size_bytes, 512 << 20);
	assert_int_equal(conf->opt.flush_age_ms, 1000);
	assert_int_equal(conf->opt.topics_replication, -1);
	assert_int_equal(conf->nkafka, 0);
	assert_int_equal(conf->renewal.nwindows, 4);
	assert_int_equal(conf->renewal.windows[0], 120);
	expect_text(&conf->renewal.timezone, NULL);
	assert_int_equal(conf->nsegmentations, 0);
	assert_string_equal(conf->path, "dir/t.yaml");
	assert_string_equal(conf->dir, "dir");
}

static void
the_edges_of_a_range_are_in_it(void **state)
{
	const struct conf *conf = read_text(*state,
		"inputs: {i: {topic: i}}\n"
		"workers: '256'\n"
		"redis: {connect_timeout: 10ms, command_timeout: 1m}\n"
		"cache: {size: 1TiB}\n"
		"topics: {create: 'false', replication: -1}\n"
		"flush: {age: 0s}\n");

	assert_int_equal(conf->opt.workers, 256);
	assert_int_equal(conf->opt.redis_connect_timeout_ms, 10);
	assert_int_equal(conf->opt.redis_command_timeout_ms, 60000);
	assert_true(conf->opt.cache_size_bytes == INT64_C(1099511627776));
	assert_false(conf->opt.topics_create);
	assert_int_equal(conf->opt.flush_age_ms, 0);
}

static void
the_environment_is_put_in_outside_expressions(void **state)
{
	const struct conf *conf;

	(void)setenv("CONF_TEST_A", "one", 1);
	(void)setenv("CONF_TEST_EMPTY", "", 1);
	(void)setenv("CONF_TEST_N", "7", 1);
	conf = read_text(*state,
		"inputs: {i: {topic: 't.${CONF_TEST_A}', delete_when: "
		"'${CONF_TEST_A}'}}\n"
		"workers: ${CONF_TEST_N}\n"
		"redis: {user: '${CONF_TEST_EMPTY}', password: "
		"'$${x}$$${CONF_TEST_A}$'}\n"
		"kafka: {client.id: \"${CONF_TEST_A}-${CONF_TEST_N}\"}\n");
	expect_text(&conf->inputs[0].topic, "t.one");
	expect_text(&conf->inputs[0].delete_when, "${CONF_TEST_A}");
	assert_int_equal(conf->opt.workers, 7);
	expect_text(&conf->opt.redis_user, "");
	expect_text(&conf->opt.redis_password, "${x}$${CONF_TEST_A}$");
	assert_string_equal(conf->kafka[0].value, "one-7");
}

/* A new file in the folder of temporary ones. */
static void
file_of(char path[32], const void *bytes, size_t len)
{
	int fd;

	(void)snprintf(path, 32, "%s", "/tmp/segmentd-conf-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	assert_int_equal(close(fd), 0);
}

static void
a_secret_comes_from_a_file_without_its_last_line_end(void **state)
{
	static const struct {
		const char *name, *holds, *want;
	} rows[] = {
		{"a line", "s3cret\n", "s3cret"},
		{"no line end", "s3cret", "s3cret"},
		{"of another system", "s3cret\r\n", "s3cret"},
		{"blanks are part of it", " a b \n", " a b "},
		{"only the last line end goes", "a\n\n", "a\n"},
		{"what it holds is not replaced", "${HOME}", "${HOME}"},
		{"empty", "", ""},
		{"an empty line", "\n", ""},
	};

	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct fixture *fix = *state;
		const struct conf *conf;
		char path[32], yaml[256];

		file_of(path, rows[i].holds, strlen(rows[i].holds));
		/* Under /tmp as the folder of the configuration. */
		(void)snprintf(yaml, sizeof(yaml),
			"inputs: {i: {topic: i}}\n"
			"redis: {password: '${file:%s}'}\n"
			"kafka: {sasl.password: '<${file:%s}>'}\n",
			path, strrchr(path, '/') + 1);
		conf_destroy(fix->conf);
		fix->conf = NULL;
		assert_int_equal(conf_parse("t", "/tmp", yaml, strlen(yaml),
					 fix->diags, &fix->conf),
			SG_OK);
		(void)unlink(path);
		no_mistakes(fix);
		conf = fix->conf;
		if (strcmp(conf->opt.redis_password.s, rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].name,
				conf->opt.redis_password.s);
		(void)snprintf(yaml, sizeof(yaml), "<%s>", rows[i].want);
		assert_string_equal(conf->kafka[0].value, yaml);
	}
}

static void
a_file_that_is_no_text_is_refused_and_not_shown(void **state)
{
	static char large[65537 + 1];
	static const struct {
		const char *name, *bytes;
		size_t len;
		const char *want;
	} rows[] = {
		{"a zero byte", "s3c\0ret", 7, "is not UTF-8 text"},
		{"not UTF-8", "s3c\xffret", 7, "is not UTF-8 text"},
		{"too large", large, sizeof(large) - 1, "larger than 64 KiB"},
	};

	(void)state;
	memset(large, 'x', sizeof(large) - 1);
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct conf_diags *diags;
		struct conf *conf = NULL;
		char path[32], yaml[256];
		struct buf out;

		file_of(path, rows[i].bytes, rows[i].len);
		(void)snprintf(yaml, sizeof(yaml),
			"inputs: {i: {topic: i}}\n"
			"redis: {password: '${file:%s}'}\n",
			path);
		assert_int_equal(conf_diags_create(&diags), SG_OK);
		assert_int_equal(
			conf_parse("t", ".", yaml, strlen(yaml), diags, &conf),
			SG_OK);
		(void)unlink(path);
		buf_init(&out, 1 << 16);
		conf_diags_print(diags, false, &out);
		assert_int_equal(conf_diags_errors(diags), 1);
		if (strstr(buf_cstr(&out), rows[i].want) == NULL ||
			strstr(buf_cstr(&out), "s3c") != NULL)
			fail_msg("%s: %s", rows[i].name, buf_cstr(&out));
		buf_fini(&out);
		conf_destroy(conf);
		conf_diags_destroy(diags);
	}
}

static void
the_command_line_has_the_last_word(void **state)
{
	static const char *const sets[] = {"group=g2", "redis.url=unix:///r",
		"kafka.client.id=mine", "kafka.linger.ms=5", "workers=3",
		"redis.password=a=b"};
	struct fixture *fix = *state;
	char path[] = "/tmp/segmentd-conf-XXXXXX";
	int fd = mkstemp(path);
	static const char yaml[] = "group: g1\n"
				   "inputs: {i: {topic: i, schema: x}}\n"
				   "kafka: {client.id: theirs}\n";

	assert_true(fd >= 0);
	assert_int_equal(write(fd, yaml, strlen(yaml)), strlen(yaml));
	assert_int_equal(close(fd), 0);
	assert_int_equal(
		conf_read(path, sets, SG_COUNTOF(sets), fix->diags, &fix->conf),
		SG_OK);
	(void)unlink(path);
	no_mistakes(fix);
	expect_text(&fix->conf->opt.group, "g2");
	expect_text(&fix->conf->opt.redis_url, "unix:///r");
	expect_text(&fix->conf->opt.redis_password, "a=b");
	assert_int_equal(fix->conf->opt.workers, 3);
	assert_int_equal(fix->conf->nkafka, 2);
	assert_string_equal(fix->conf->kafka[0].name, "client.id");
	assert_string_equal(fix->conf->kafka[0].value, "mine");
	assert_string_equal(fix->conf->kafka[1].name, "linger.ms");
	assert_string_equal(fix->conf->dir, "/tmp");
	expect_text(&fix->conf->inputs[0].schema, "/tmp/x");
}

static void
mistakes_of_the_command_line_are_shown_in_it(void **state)
{
	static const char *const sets[] = {"redis.pasword=hunter2",
		"workers=many", "redis.password", "kafka.group.id=x"};
	struct fixture *fix = *state;
	struct buf out;

	assert_int_equal(conf_read("tests/golden/conf/no_inputs.yaml", sets,
				 SG_COUNTOF(sets), fix->diags, &fix->conf),
		SG_OK);
	buf_init(&out, 1 << 16);
	conf_diags_print(fix->diags, false, &out);
	assert_string_equal(buf_cstr(&out),
		"--set:1:1: error: unknown option `redis.pasword`\n"
		"    1 | redis.pasword=***\n"
		"      | ^~~~~~~~~~~~~ did you mean `redis.password`?\n"
		"--set:1:9: error: not a whole number\n"
		"    1 | workers=many\n"
		"      |         ^~~~\n"
		"--set:1:1: error: not of the form path=value\n"
		"    1 | redis.password\n"
		"      | ^~~~~~~~~~~~~~\n"
		"--set:1:7: error: segmentd sets `group.id` itself\n"
		"    1 | kafka.group.id=x\n"
		"      |       ^~~~~~~~ use the option `group`\n"
		"tests/golden/conf/no_inputs.yaml: error: `inputs` is missing: "
		"nothing to read\n");
	buf_fini(&out);
}

static void
a_file_that_is_not_there_is_named(void **state)
{
	struct fixture *fix = *state;
	struct buf out;

	assert_int_equal(
		conf_read("no/such.yaml", NULL, 0, fix->diags, &fix->conf),
		SG_BAD_CONFIG);
	assert_null(fix->conf);
	buf_init(&out, 4096);
	conf_diags_print(fix->diags, false, &out);
	assert_string_equal(buf_cstr(&out),
		"no/such.yaml: error: No such file or directory\n");
	buf_fini(&out);
}

static void
a_folder_is_not_a_file(void **state)
{
	struct fixture *fix = *state;

	assert_int_equal(conf_read("tests", NULL, 0, fix->diags, &fix->conf),
		SG_BAD_CONFIG);
	assert_int_equal(conf_diags_errors(fix->diags), 1);
}

static void
a_file_above_the_bound_is_refused(void **state)
{
	struct fixture *fix = *state;
	char *yaml = malloc(DOC_SIZE_MAX + 1);

	assert_non_null(yaml);
	memset(yaml, '#', DOC_SIZE_MAX + 1);
	assert_int_equal(conf_parse("t", ".", yaml, DOC_SIZE_MAX + 1,
				 fix->diags, &fix->conf),
		SG_BAD_CONFIG);
	assert_int_equal(conf_diags_errors(fix->diags), 1);
	free(yaml);
}

static void
a_text_that_the_environment_makes_too_long_is_refused(void **state)
{
	static const char yaml[] = "inputs: {i: {topic: i}}\n"
				   "redis: {user: '${CONF_TEST_LONG}%s'}\n";
	char value[65536 + 1], text[128];

	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	(void)setenv("CONF_TEST_LONG", value, 1);
	for (int more = 0; more < 2; more++) {
		struct conf_diags *diags;
		struct conf *conf = NULL;

		(void)snprintf(text, sizeof(text), yaml, more ? "y" : "");
		assert_int_equal(conf_diags_create(&diags), SG_OK);
		assert_int_equal(
			conf_parse("t", ".", text, strlen(text), diags, &conf),
			SG_OK);
		assert_int_equal(conf_diags_errors(diags), more);
		conf_destroy(conf);
		conf_diags_destroy(diags);
	}
	(void)unsetenv("CONF_TEST_LONG");
	(void)state;
}

static void
a_broker_is_only_asked_for_where_one_is_needed(void **state)
{
	struct fixture *fix = *state;
	const struct conf *conf = read_text(fix, "inputs: {i: {topic: i}}\n");

	conf_require_broker(conf, fix->diags);
	assert_int_equal(conf_diags_errors(fix->diags), 1);
}

static void
a_part_of_a_larger_document_can_be_read(void **state)
{
	static const char yaml[] = "inputs: {i: {topic: i}}\n"
				   "steps: [1, 2]\n"
				   "stepz: 3\n";
	static const char *const others[] = {"steps", NULL};
	struct fixture *fix = *state;
	struct doc *doc = NULL;

	assert_int_equal(
		doc_parse("s.yaml", yaml, strlen(yaml), fix->diags, &doc),
		SG_OK);
	assert_int_equal(doc_get(doc_root(doc), "steps")->n, 2);
	assert_int_equal(conf_from_doc("s.yaml", ".", doc_root(doc), others,
				 fix->diags, &fix->conf),
		SG_OK);
	assert_int_equal(conf_diags_errors(fix->diags), 1); /* stepz */
	assert_int_equal(fix->conf->ninputs, 1);
	doc_destroy(doc);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(every_kind_of_feature_is_read),
		CASE(an_input_is_read_and_its_schema_found_beside_the_file),
		CASE(segmentations_are_exclusive_or_tags),
		CASE(derived_values_are_read_in_order),
		CASE(what_is_absent_has_its_default),
		CASE(the_edges_of_a_range_are_in_it),
		CASE(the_environment_is_put_in_outside_expressions),
		CASE(a_secret_comes_from_a_file_without_its_last_line_end),
		CASE(a_file_that_is_no_text_is_refused_and_not_shown),
		CASE(the_command_line_has_the_last_word),
		CASE(mistakes_of_the_command_line_are_shown_in_it),
		CASE(a_file_that_is_not_there_is_named),
		CASE(a_folder_is_not_a_file),
		CASE(a_file_above_the_bound_is_refused),
		CASE(a_text_that_the_environment_makes_too_long_is_refused),
		CASE(a_broker_is_only_asked_for_where_one_is_needed),
		CASE(a_part_of_a_larger_document_can_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
