/* What publish makes of a broker's errors; on librdkafka's mock cluster. */
#include "kafka_mock.h"

#include <math.h>

#include "segmentd/publish.h"

struct rig {
	struct mock mock;
	struct publish_opts opts;
	struct publish *pub;
	void *metadata; /* of a consumer group */
	size_t metadata_len;
};

static int
setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	rd_kafka_consumer_group_metadata_t *cgmd;
	struct sg_fault why = {.text = ""};

	assert_non_null(rig);
	mock_open(&rig->mock);
	/* Newer mocks take offsets of topics that they have, and no others. */
	mock_topic(&rig->mock, "input", 1);
	mock_topic(&rig->mock, "changes", 2);
	mock_topic(&rig->mock, "current", 2);
	mock_topic(&rig->mock, "renewals", 2);
	mock_topic(&rig->mock, "rejects", 2);
	rig->opts = (struct publish_opts){
		.props = rig->mock.props,
		.nprops = rig->mock.nprops,
		.transactional_id = "segmentd-test-0",
		.topics = {"changes", "current", "renewals", "rejects"},
		.source = "segmentd/test",
	};
	cgmd = rd_kafka_consumer_group_metadata_new_with_genid(
		"group", 1, "member", "instance");
	assert_null(rd_kafka_consumer_group_metadata_write(
		cgmd, &rig->metadata, &rig->metadata_len));
	rd_kafka_consumer_group_metadata_destroy(cgmd);
	if (publish_open(&rig->opts, MOCK_WAIT_MS, &rig->pub, &why) != SG_OK)
		fail_msg("%s", why.text);
	*state = rig;
	return 0;
}

static int
teardown(void **state)
{
	struct rig *rig = *state;

	publish_close(rig->pub);
	rd_kafka_mem_free(NULL, rig->metadata);
	mock_close(&rig->mock);
	free(rig);
	return 0;
}

static void
add_change(struct rig *rig, const char *segmentation)
{
	struct change change = {
		.change_id = "00000000000000000000000000000001",
		.account = "a",
		.account_version = 1,
		.segmentation = segmentation,
		.to = "x",
		.valid_until_ms = AT_NEVER,
		.priority = NAN,
	};

	assert_int_equal(publish_change(rig->pub, 1, &change, 1, NULL), SG_OK);
}

static enum sg_err
add_offsets(struct rig *rig, struct sg_fault *why)
{
	const struct publish_offset offset = {"input", 0, 5, "v=1"};

	return publish_offsets(rig->pub, &offset, 1, rig->metadata,
		rig->metadata_len, MOCK_WAIT_MS, why);
}

static void
transactions_follow_each_other(void **state)
{
	struct rig *rig = *state;
	struct sg_fault why = {.text = ""};

	for (int i = 0; i < 3; i++) {
		assert_int_equal(publish_begin(rig->pub, &why), SG_OK);
		add_change(rig, i == 1 ? "renewal" : "touch");
		assert_int_equal(add_offsets(rig, &why), SG_OK);
		assert_int_equal(
			publish_commit(rig->pub, MOCK_WAIT_MS, &why), SG_OK);
		assert_int_equal(
			publish_first_offset(rig->pub, PUBLISH_CHANGES, 1), i);
		assert_int_equal(
			publish_next_offset(rig->pub, PUBLISH_CHANGES, 1),
			i + 1);
		assert_int_equal(
			publish_first_offset(rig->pub, PUBLISH_RENEWALS, 1),
			i == 1 ? 0 : -1);
		assert_int_equal(
			publish_first_offset(rig->pub, PUBLISH_CHANGES, 0), -1);
		assert_int_equal(
			publish_next_offset(rig->pub, PUBLISH_CHANGES, 99), -1);
	}
}

/* Where an error comes up, and as what. */
static void
errors_are_told_apart(void **state)
{
	static const struct {
		const char *name;
		int key;
		rd_kafka_resp_err_t code;
		enum sg_err offsets, commit;
		bool is_over; /* the producer cannot be used any more */
	} rows[] = {
		{"a record is refused", KEY_PRODUCE,
			RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, SG_OK,
			SG_TXN_ABORTABLE, false},
		{"a topic is forbidden", KEY_ADD_PARTITIONS,
			RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, SG_OK,
			SG_TXN_ABORTABLE, false},
		{"an old generation", KEY_TXN_OFFSET_COMMIT,
			RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, SG_TXN_ABORTABLE,
			SG_OK, false},
		{"not a member", KEY_TXN_OFFSET_COMMIT,
			RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, SG_TXN_ABORTABLE,
			SG_OK, false},
		{"another has the instance", KEY_TXN_OFFSET_COMMIT,
			RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, SG_TXN_ABORTABLE,
			SG_OK, false},
		{"the group is forbidden", KEY_ADD_OFFSETS,
			RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
			SG_TXN_ABORTABLE, SG_OK, false},
		{"fenced at offsets", KEY_ADD_OFFSETS,
			RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, SG_FENCED,
			SG_OK, true},
		{"fenced at commit", KEY_END_TXN,
			RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, SG_OK,
			SG_FENCED, true},
		{"fenced at commit, newer", KEY_END_TXN,
			RD_KAFKA_RESP_ERR_PRODUCER_FENCED, SG_OK, SG_FENCED,
			true},
		{"no such transaction", KEY_END_TXN,
			RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, SG_OK,
			SG_TXN_UNKNOWN, true},
		{"the commit fails for a reason not known", KEY_END_TXN,
			RD_KAFKA_RESP_ERR_UNKNOWN, SG_OK, SG_TXN_UNKNOWN, true},
		{"the coordinator moves", KEY_END_TXN,
			RD_KAFKA_RESP_ERR_NOT_COORDINATOR, SG_OK, SG_OK, false},
	};
	struct rig *rig = *state;

	for (size_t i = 0; i < SG_COUNTOF(rows); i++) {
		struct sg_fault why = {.text = ""};
		enum sg_err err;

		assert_int_equal(publish_begin(rig->pub, &why), SG_OK);
		rd_kafka_mock_push_request_errors(rig->mock.cluster,
			(int16_t)rows[i].key, 1, rows[i].code);
		add_change(rig, "touch");
		err = add_offsets(rig, &why);
		/* A failed record may be noticed here or at the commit. */
		if (err != rows[i].offsets &&
			(rows[i].offsets != SG_OK || err != rows[i].commit))
			fail_msg("%s: offsets: %s: %s", rows[i].name,
				sg_err_name(err), why.text);
		if (err == SG_OK) {
			err = publish_commit(rig->pub, MOCK_WAIT_MS, &why);
			if (err != rows[i].commit)
				fail_msg("%s: commit: %s: %s", rows[i].name,
					sg_err_name(err), why.text);
		}
		rd_kafka_mock_clear_request_errors(
			rig->mock.cluster, (int16_t)rows[i].key);
		if (rows[i].is_over) {
			publish_close(rig->pub);
			rig->pub = NULL;
			assert_int_equal(publish_open(&rig->opts, MOCK_WAIT_MS,
						 &rig->pub, &why),
				SG_OK);
		} else if (err != SG_OK) {
			err = publish_abort(rig->pub, MOCK_WAIT_MS, &why);
			if (err != SG_OK)
				fail_msg("%s: abort: %s", rows[i].name,
					why.text);
		}
	}
}

static void
a_commit_that_times_out_is_called_again(void **state)
{
	struct rig *rig = *state;
	struct sg_fault why = {.text = ""};
	enum sg_err err;

	assert_int_equal(publish_begin(rig->pub, &why), SG_OK);
	add_change(rig, "touch");
	rd_kafka_mock_broker_set_down(rig->mock.cluster, 1);
	assert_int_equal(publish_commit(rig->pub, 200, &why), SG_BROKER_RETRY);
	rd_kafka_mock_broker_set_up(rig->mock.cluster, 1);
	MOCK_UNTIL(
		(err = publish_commit(rig->pub, 1000, &why)) != SG_BROKER_RETRY)
	{
	}
	assert_int_equal(err, SG_OK);
	assert_int_equal(publish_first_offset(rig->pub, PUBLISH_CHANGES, 1), 0);
}

static void
open_says_what_is_wrong(void **state)
{
	struct rig *rig = *state;
	struct publish_opts opts = rig->opts;
	struct kafka_prop bad[] = {
		rig->mock.props[0], {"transactional.id", "mine"}};
	struct publish *pub = NULL;
	struct sg_fault why = {.text = ""};

	opts.props = bad;
	opts.nprops = 2;
	assert_int_equal(publish_open(&opts, 1000, &pub, &why), SG_BAD_OPTION);
	assert_non_null(strstr(why.text, "transactional.id"));
	bad[1] = (struct kafka_prop){"message.timeout.ms", "999999"};
	assert_int_equal(publish_open(&opts, 1000, &pub, &why), SG_BAD_OPTION);
	assert_non_null(strstr(why.text, "message.timeout.ms"));

	rd_kafka_mock_push_request_errors(rig->mock.cluster,
		KEY_INIT_PRODUCER_ID, 1,
		RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
	opts = rig->opts;
	assert_int_equal(
		publish_open(&opts, MOCK_WAIT_MS, &pub, &why), SG_OPERATOR);
	assert_non_null(strstr(why.text, "uthoriz"));

	rd_kafka_mock_broker_set_down(rig->mock.cluster, 1);
	assert_int_equal(publish_open(&opts, 500, &pub, &why), SG_BROKER_DOWN);
	assert_null(pub);
}

static void
limits_are_said(void **state)
{
	struct rig *rig = *state;
	struct sg_fault why = {.text = ""};
	char *large = malloc(2 << 20);
	struct membership_image image = {
		.account = "a", .state = large, .state_len = 2 << 20};
	struct membership_image lost = {.account = "a"};

	assert_non_null(large);
	memset(large, 1, 2 << 20);
	assert_int_equal(publish_begin(rig->pub, &why), SG_OK);
	assert_int_equal(
		publish_image(rig->pub, 0, &image, NULL, &why), SG_LIMIT);
	assert_non_null(strstr(why.text, "current [0]"));
	assert_int_equal(
		publish_image(rig->pub, -1, &lost, NULL, &why), SG_LIMIT);
	assert_int_equal(
		publish_image(rig->pub, 1 << 30, &lost, NULL, &why), SG_LIMIT);
	assert_int_equal(publish_abort(rig->pub, MOCK_WAIT_MS, &why), SG_OK);
	free(large);
}

static void
plain_producing_counts(void **state)
{
	struct rig *rig = *state;
	struct producer *prod = NULL;
	struct sg_fault why = {.text = ""};
	char *large = calloc(1, 2 << 20);

	assert_non_null(large);
	assert_int_equal(producer_open(rig->mock.props, rig->mock.nprops, NULL,
				 &prod, &why),
		SG_OK);
	for (int i = 0; i < 100; i++)
		assert_int_equal(producer_send(prod, "changes", "k", 1, "v", 1,
					 1700000000000, &why),
			SG_OK);
	assert_int_equal(
		producer_send(prod, "changes", NULL, 0, NULL, 0, -1, &why),
		SG_OK);
	assert_int_equal(
		producer_send(prod, "changes", "k", 1, large, 2 << 20, 0, &why),
		SG_TOO_LARGE);
	assert_int_equal(producer_flush(prod, MOCK_WAIT_MS, &why), SG_OK);
	assert_int_equal(producer_delivered(prod), 101);
	rd_kafka_mock_push_request_errors(rig->mock.cluster, KEY_PRODUCE, 1,
		RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
	assert_int_equal(
		producer_send(prod, "changes", "k", 1, "v", 1, 0, &why), SG_OK);
	assert_int_equal(
		producer_flush(prod, MOCK_WAIT_MS, &why), SG_BROKER_DOWN);
	assert_non_null(strstr(why.text, "1 records"));
	producer_close(prod);
	free(large);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			transactions_follow_each_other, setup, teardown),
		cmocka_unit_test_setup_teardown(
			errors_are_told_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_commit_that_times_out_is_called_again, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			open_says_what_is_wrong, setup, teardown),
		cmocka_unit_test_setup_teardown(
			limits_are_said, setup, teardown),
		cmocka_unit_test_setup_teardown(
			plain_producing_counts, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
