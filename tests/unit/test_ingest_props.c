/* Properties and options that ingest and publish refuse, without a broker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "segmentd/ingest.h"

static enum sg_err
assigned(void *ctx, const int32_t *groups, size_t n, struct sg_fault *why)
{
	(void)ctx;
	(void)groups;
	(void)n;
	(void)why;
	return SG_OK;
}

static void
revoked(void *ctx, const int32_t *groups, size_t n, bool is_lost)
{
	(void)ctx;
	(void)groups;
	(void)n;
	(void)is_lost;
}

static void
properties_are_checked(void **state)
{
	static const struct {
		const char *name;
		const char *value;
		const char *want; /* in the fault; NULL: accepted */
	} rows[] = {
		{"bootstrap.servers", "a:1", NULL},
		{"compression.codec", "zstd", NULL},
		{"fetch.wait.max.ms", "5", NULL},
		{"no.such.thing", "1", "no.such.thing"},
		{"fetch.wait.max.ms", "-1", "fetch.wait.max.ms"},
		{"fetch.wait.max.ms", "soon", "fetch.wait.max.ms"},
		{"group.id", "g", "`group`"},
		{"transactional.id", "t", "`instance`"},
		{"isolation.level", "read_committed", "isolation.level"},
		{"auto.offset.reset", "latest", "`start`"},
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		const struct kafka_prop props[] = {
			{"client.id", "x"}, {rows[i].name, rows[i].value}};
		struct sg_fault why = {.text = ""};
		size_t index = 99;
		enum sg_err err = kafka_props_check(props, 2, &index, &why);

		if (rows[i].want == NULL) {
			if (err != SG_OK)
				fail_msg("%s: %s", rows[i].name, why.text);
			continue;
		}
		assert_int_equal(err, SG_BAD_OPTION);
		assert_int_equal(index, 1);
		if (strstr(why.text, rows[i].want) == NULL)
			fail_msg("%s: %s", rows[i].name, why.text);
	}
}

/* Every property of the table is known to librdkafka: a typing error would
 * forbid nothing. */
static void
reserved_properties_exist(void **state)
{
	static const char *const names[] = {
#define RESERVED(property, why) property,
#include "segmentd/tbl/kafka_reserved.def"
#undef RESERVED
	};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(names); i++) {
		const struct kafka_prop prop = {names[i], "1"};
		struct sg_fault why = {.text = ""};
		size_t index;

		assert_int_equal(kafka_props_check(&prop, 1, &index, &why),
			SG_BAD_OPTION);
		assert_non_null(strstr(why.text, "cannot be set"));
		assert_true(strlen(names[i]) > 3);
	}
}

static void
options_are_checked(void **state)
{
	static const char *topics[INPUTS_MAX + 1];
	static const struct kafka_prop good = {"bootstrap.servers", "x:1"};
	static const struct kafka_prop bad = {"session.timeout.ms", "0"};
	static const struct {
		const char *name;
		const struct kafka_prop *prop;
		size_t ntopics, batch_max;
		const char *group, *instance;
	} rows[] = {
		{"no inputs", &good, 0, 1, "g", "i"},
		{"too many", &good, INPUTS_MAX + 1, 1, "g", "i"},
		{"no batch", &good, 1, 0, "g", "i"},
		{"no group", &good, 1, 1, "", "i"},
		{"no instance", &good, 1, 1, "g", ""},
		{"a bad property", &bad, 1, 1, "g", "i"},
	};
	const struct ingest_events events = {assigned, revoked, NULL};

	(void)state;
	for (size_t i = 0; i < SG_COUNTOF(topics); i++)
		topics[i] = "t";
	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		const struct ingest_opts opts = {
			.props = rows[i].prop,
			.nprops = 1,
			.group = rows[i].group,
			.instance = rows[i].instance,
			.topics = topics,
			.ntopics = rows[i].ntopics,
			.batch_max = rows[i].batch_max,
		};
		struct ingest *in = NULL;
		struct sg_fault why = {.text = ""};
		enum sg_err err = ingest_open(&opts, &events, &in, &why);

		if (err != SG_BAD_OPTION || in != NULL || why.text[0] == '\0')
			fail_msg("%s: %s", rows[i].name, sg_err_name(err));
	}
}

/* No broker: opening succeeds, polling says nothing, asking says so. */
static void
without_a_broker_nothing_blocks(void **state)
{
	static const char *topics[] = {"t"};
	static const struct kafka_prop props[] = {
		{"bootstrap.servers", "127.0.0.1:1"}, {"log_level", "0"}};
	const struct ingest_events events = {assigned, revoked, NULL};
	const struct ingest_opts opts = {
		.props = props,
		.nprops = 2,
		.group = "g",
		.instance = "i",
		.topics = topics,
		.ntopics = 1,
		.batch_max = 10,
	};
	struct ingest *in = NULL;
	struct ingest_batch batch;
	struct arena arena;
	struct ingest_position pos;
	struct sg_fault why = {.text = ""};
	struct buf bytes;
	int32_t n;

	(void)state;
	arena_init(&arena, 1024);
	buf_init(&bytes, 1024);
	assert_int_equal(ingest_open(&opts, &events, &in, &why), SG_OK);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ingest_poll(in, 20, &batch, &why), SG_OK);
		assert_int_equal(batch.nrecords, 0);
	}
	assert_false(ingest_is_connected(in));
	assert_int_equal(
		ingest_committed(in, 0, 100, &arena, &pos, &why), SG_TIMEOUT);
	assert_int_equal(ingest_group_metadata(in, &bytes, &why), SG_FENCED);
	assert_int_equal(ingest_start(in, 0, pos.offset, &why), SG_INTERNAL);
	assert_int_equal(
		ingest_commit(in, 0, pos.offset, pos.own, &why), SG_FENCED);
	assert_int_equal(ingest_lag(in, 0, 0), -1);
	ingest_pause(in, 0, 0, true); /* nothing to pause */
	ingest_close(in, 1000);
	assert_int_equal(
		ingest_check_topics(&opts, 200, &n, &why), SG_BROKER_DOWN);
	buf_fini(&bytes);
	arena_fini(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(properties_are_checked),
		cmocka_unit_test(reserved_properties_exist),
		cmocka_unit_test(options_are_checked),
		cmocka_unit_test(without_a_broker_nothing_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
