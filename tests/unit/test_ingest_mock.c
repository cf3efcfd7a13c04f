/* Batches and callbacks, on librdkafka's mock cluster. */
#include "kafka_mock.h"

#include <stdio.h>

#include "segmentd/ingest.h"

struct rig {
	struct mock mock;
	struct ingest *in;
	int nassigned, nrevoked;
	bool is_deaf; /* assigned() starts nothing */
};

static enum sg_err
assigned(void *ctx, const int32_t *groups, size_t n, struct sg_fault *why)
{
	static const int64_t begin[INPUTS_MAX] = {
		INGEST_OFFSET_NONE, INGEST_OFFSET_NONE};
	struct rig *rig = ctx;
	enum sg_err err = SG_OK;

	rig->nassigned++;
	for (size_t i = 0; err == SG_OK && !rig->is_deaf && i < n; i++)
		err = ingest_start(rig->in, groups[i], begin, why);
	return err;
}

static void
revoked(void *ctx, const int32_t *groups, size_t n, bool is_lost)
{
	struct rig *rig = ctx;

	(void)groups;
	(void)n;
	(void)is_lost;
	rig->nrevoked++;
}

static void
open_with(struct rig *rig, const char *const *topics, size_t ntopics)
{
	const struct ingest_events events = {assigned, revoked, rig};
	const struct ingest_opts opts = {
		.props = rig->mock.props,
		.nprops = rig->mock.nprops,
		.group = "group",
		.instance = "instance",
		.topics = topics,
		.ntopics = ntopics,
		.batch_max = 100,
	};
	struct sg_fault why = {.text = ""};

	if (ingest_open(&opts, &events, &rig->in, &why) != SG_OK)
		fail_msg("%s", why.text);
}

static int
setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	mock_open(&rig->mock);
	mock_topic(&rig->mock, "a", 1);
	mock_topic(&rig->mock, "b", 1);
	mock_topic(&rig->mock, "c", 2);
	*state = rig;
	return 0;
}

static int
teardown(void **state)
{
	struct rig *rig = *state;

	ingest_close(rig->in, 5000);
	mock_close(&rig->mock);
	free(rig);
	return 0;
}

static void
produce(struct rig *rig, const char *topic, const char *value, bool is_rich)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new(2);
	size_t len = value == NULL ? 0 : strlen(value);
	rd_kafka_resp_err_t code;

	(void)rd_kafka_header_add(headers, "h", -1, "v\0w", 3);
	(void)rd_kafka_header_add(headers, "null", -1, NULL, 0);
	if (!is_rich) {
		rd_kafka_headers_destroy(headers);
		headers = NULL;
	}
	code = rd_kafka_producev(rig->mock.rk, RD_KAFKA_V_TOPIC(topic),
		RD_KAFKA_V_PARTITION(0),
		RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
		RD_KAFKA_V_KEY(is_rich ? "key" : NULL, is_rich ? 3 : 0),
		RD_KAFKA_V_VALUE((void *)(uintptr_t)value, len),
		RD_KAFKA_V_TIMESTAMP(1700000000000),
		RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
	assert_int_equal(code, RD_KAFKA_RESP_ERR_NO_ERROR);
	assert_int_equal(rd_kafka_flush(rig->mock.rk, MOCK_WAIT_MS),
		RD_KAFKA_RESP_ERR_NO_ERROR);
}

/* Poll until something comes. */
static struct ingest_batch
next_batch(struct rig *rig, int32_t timeout_ms)
{
	struct ingest_batch batch = {.nrecords = 0};
	struct sg_fault why = {.text = ""};

	MOCK_UNTIL(batch.nrecords > 0)
	{
		if (ingest_poll(rig->in, timeout_ms, &batch, &why) != SG_OK)
			fail_msg("%s", why.text);
	}
	return batch;
}

static void
a_record_is_as_it_came(void **state)
{
	struct rig *rig = *state;
	struct ingest_batch batch;
	const struct record *rec;

	produce(rig, "b", "value", true);
	batch = next_batch(rig, 100);
	assert_int_equal(batch.nrecords, 1);
	rec = &batch.records[0];
	assert_int_equal(rec->input, 1);
	assert_int_equal(rec->partition, 0);
	assert_int_equal(rec->offset, 0);
	assert_int_equal(rec->kafka_ms, 1700000000000);
	assert_int_equal(rec->key_len, 3);
	assert_memory_equal(rec->key, "key", 3);
	assert_int_equal(rec->value_len, 5);
	assert_memory_equal(rec->value, "value", 5);
	assert_int_equal(rec->writer, -1);
	assert_int_equal(rec->nheaders, 2);
	assert_string_equal(rec->headers[0].name, "h");
	assert_int_equal(rec->headers[0].len, 3);
	assert_memory_equal(rec->headers[0].value, "v\0w", 3);
	assert_string_equal(rec->headers[1].name, "null");
	assert_null(rec->headers[1].value);

	produce(rig, "a", NULL, false);
	batch = next_batch(rig, 100);
	rec = &batch.records[0];
	assert_int_equal(rec->input, 0);
	assert_null(rec->key);
	assert_null(rec->value);
	assert_int_equal(rec->value_len, 0);
	assert_int_equal(rec->nheaders, 0);
}

/* A poll may wait long: it returns with the first record, not when the batch
 * is full or the time is over. */
static void
a_single_record_does_not_wait_for_others(void **state)
{
	struct rig *rig = *state;
	struct ingest_batch batch;
	int64_t began_us;

	produce(rig, "b", "second", false);
	began_us = clock_mono_us();
	batch = next_batch(rig, 10000);
	assert_int_equal(batch.nrecords, 1);
	assert_int_equal(batch.records[0].offset, 1);
	assert_true(clock_mono_us() - began_us < 5000000);
}

static void
batches_are_bounded(void **state)
{
	struct rig *rig = *state;
	int64_t next = 1;

	for (int i = 0; i < 250; i++)
		produce(rig, "a", "x", i % 2 == 0);
	while (next < 251) {
		struct ingest_batch batch = next_batch(rig, 100);

		assert_in_range(batch.nrecords, 1, 100);
		for (size_t i = 0; i < batch.nrecords; i++)
			assert_int_equal(batch.records[i].offset, next++);
	}
}

static void
half_a_group_is_refused(void **state)
{
	static const char *const topics[] = {"a", "c"}; /* 1 and 2 partitions */
	struct rig *rig = *state;
	struct ingest_batch batch;
	struct sg_fault why = {.text = ""};
	enum sg_err err = SG_OK;

	open_with(rig, topics, 2);
	MOCK_UNTIL(err != SG_OK)
	{
		err = ingest_poll(rig->in, 100, &batch, &why);
	}
	assert_int_equal(err, SG_BAD_CONFIG);
	assert_non_null(strstr(why.text, "partition 1"));
	assert_non_null(strstr(why.text, "that of a"));
	assert_int_equal(rig->nassigned, 0);
}

/* A broker that has just come to knows of topics without leaders, or of none.
 * That they are there was seen at the start. */
static void
a_topic_that_is_gone_for_a_moment_is_waited_for(void **state)
{
	static const char *const topics[] = {"c"};
	static const int32_t absent = 7;
	struct rig *rig = *state;
	struct sg_fault why = {.text = ""};
	int64_t low[INPUTS_MAX], high[INPUTS_MAX];
	enum sg_err err;

	open_with(rig, topics, 1);
	/* librdkafka says "unknown partition" of its own. */
	err = ingest_watermarks(rig->in, absent, 2000, low, high, &why);
	assert_int_equal(sg_err_class(err), SG_CLASS_RETRY);
	rd_kafka_mock_topic_set_error(rig->mock.cluster, "c",
		RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
	err = ingest_watermarks(rig->in, 1, 2000, low, high, &why);
	assert_int_equal(sg_err_class(err), SG_CLASS_RETRY);
	rd_kafka_mock_topic_set_error(
		rig->mock.cluster, "c", RD_KAFKA_RESP_ERR_NO_ERROR);
	err = ingest_watermarks(rig->in, 1, MOCK_WAIT_MS, low, high, &why);
	assert_int_equal(err, SG_OK);
}

static void
a_group_that_is_not_started_is_our_own_mistake(void **state)
{
	static const char *const topics[] = {"a"};
	struct rig *rig = *state;
	struct ingest_batch batch;
	struct sg_fault why = {.text = ""};
	enum sg_err err = SG_OK;

	rig->is_deaf = true;
	open_with(rig, topics, 1);
	MOCK_UNTIL(err != SG_OK)
	{
		err = ingest_poll(rig->in, 100, &batch, &why);
	}
	assert_int_equal(err, SG_INTERNAL);
}

static void
the_broker_goes_and_comes_back(void **state)
{
	static const char *const topics[] = {"a"};
	struct rig *rig = *state;
	struct ingest_batch batch;
	struct sg_fault why = {.text = ""};

	open_with(rig, topics, 1);
	MOCK_UNTIL(ingest_is_connected(rig->in))
	{
		assert_int_equal(ingest_poll(rig->in, 50, &batch, &why), SG_OK);
	}
	rd_kafka_mock_broker_set_down(rig->mock.cluster, 1);
	MOCK_UNTIL(!ingest_is_connected(rig->in))
	{
		assert_int_equal(ingest_poll(rig->in, 50, &batch, &why), SG_OK);
	}
	rd_kafka_mock_broker_set_up(rig->mock.cluster, 1);
	MOCK_UNTIL(ingest_is_connected(rig->in))
	{
		assert_int_equal(ingest_poll(rig->in, 50, &batch, &why), SG_OK);
	}
}

static void
closing_revokes_once(void **state)
{
	static const char *const topics[] = {"a"};
	struct rig *rig = *state;
	struct ingest_batch batch;
	struct sg_fault why = {.text = ""};

	open_with(rig, topics, 1);
	MOCK_UNTIL(rig->nassigned == 1)
	{
		assert_int_equal(ingest_poll(rig->in, 50, &batch, &why), SG_OK);
	}
	/* Also when the broker cannot be told. */
	rd_kafka_mock_broker_set_down(rig->mock.cluster, 1);
	ingest_close(rig->in, 1000);
	rig->in = NULL;
	assert_int_equal(rig->nrevoked, 1);
}

static int
setup_reading(void **state)
{
	static const char *const topics[] = {"a", "b"};

	(void)setup(state);
	open_with(*state, topics, 2);
	return 0;
}

int
main(void)
{
	/* One after the other on one consumer: the mock cluster lets a group
	 * wait three seconds for its first member. */
	const struct CMUnitTest reading[] = {
		cmocka_unit_test(a_record_is_as_it_came),
		cmocka_unit_test(a_single_record_does_not_wait_for_others),
		cmocka_unit_test(batches_are_bounded),
	};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			half_a_group_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_topic_that_is_gone_for_a_moment_is_waited_for, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			a_group_that_is_not_started_is_our_own_mistake, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			the_broker_goes_and_comes_back, setup, teardown),
		cmocka_unit_test_setup_teardown(
			closing_revokes_once, setup, teardown),
	};

	int failed = cmocka_run_group_tests(reading, setup_reading, teardown);

	return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
