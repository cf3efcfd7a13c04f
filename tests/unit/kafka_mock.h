/* librdkafka's mock cluster, for tests of plumbing. It does not fence, ignores
 * read_committed and drops transactional offsets: the broker tests are in
 * tests/integration. */
#ifndef TEST_KAFKA_MOCK_H
#define TEST_KAFKA_MOCK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdlib.h>
#include <string.h>

#include "segmentd/clock.h"
#include "segmentd/kafka.h"
#include "segmentd/log.h"

#define MOCK_WAIT_MS 20000

/* Keys of the Kafka protocol. */
enum {
	KEY_PRODUCE = 0,
	KEY_FETCH = 1,
	KEY_LIST_OFFSETS = 2,
	KEY_OFFSET_COMMIT = 8,
	KEY_OFFSET_FETCH = 9,
	KEY_FIND_COORDINATOR = 10,
	KEY_INIT_PRODUCER_ID = 22,
	KEY_ADD_PARTITIONS = 24,
	KEY_ADD_OFFSETS = 25,
	KEY_END_TXN = 26,
	KEY_TXN_OFFSET_COMMIT = 28,
};

struct mock {
	rd_kafka_t *rk;
	rd_kafka_mock_cluster_t *cluster;
	struct kafka_prop props[4];
	size_t nprops;
};

static inline void
mock_open(struct mock *mock)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char text[128];

	/* What is logged here is provoked. */
	log_setup(LOG_ERROR, LOG_LOGFMT);
	rd_kafka_conf_set_log_cb(conf, NULL);
	assert_int_equal(rd_kafka_conf_set(conf, "test.mock.num.brokers", "1",
				 text, sizeof(text)),
		RD_KAFKA_CONF_OK);
	mock->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	assert_non_null(mock->rk);
	mock->cluster = rd_kafka_handle_mock_cluster(mock->rk);
	assert_non_null(mock->cluster);
	mock->props[0] = (struct kafka_prop){"bootstrap.servers",
		rd_kafka_mock_cluster_bootstraps(mock->cluster)};
	mock->props[1] = (struct kafka_prop){"session.timeout.ms", "6000"};
	mock->props[2] = (struct kafka_prop){"reconnect.backoff.max.ms", "100"};
	mock->props[3] = (struct kafka_prop){"log_level", "0"};
	mock->nprops = 4;
}

static inline void
mock_topic(struct mock *mock, const char *topic, int npartitions)
{
	assert_int_equal(rd_kafka_mock_topic_create(
				 mock->cluster, topic, npartitions, 1),
		RD_KAFKA_RESP_ERR_NO_ERROR);
}

static inline void
mock_close(struct mock *mock)
{
	rd_kafka_destroy(mock->rk);
}

#define MOCK_UNTIL(condition)                                                  \
	for (int64_t until_ = clock_mono_us() + MOCK_WAIT_MS * 1000LL;         \
		!(condition);)                                                 \
		if (clock_mono_us() > until_)                                  \
			fail_msg("not in time: %s", #condition);               \
		else

#endif
