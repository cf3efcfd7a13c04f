/* demo_broker.c - the mock cluster, and the producer that fills it. */
#include "demo_broker.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "segmentd/clock.h"

#define ACCOUNTS_PER_PARTITION 125
#define FLUSH_MS 20000
#define ASK_MS 5000
#define QUEUE_WAIT_MS 20000
#define FIND_COORDINATOR 10 /* of the protocol */
#define REFUSALS 1000	    /* they ask twice a second */
#define FDS_MAX 256	    /* the cluster is new, and so its descriptors low */

struct demo_broker {
	rd_kafka_t *rk; /* a producer, which owns the cluster */
	rd_kafka_mock_cluster_t *cluster;
	rd_kafka_topic_t *topics[DEMO_INPUT_COUNT];
	int32_t npartitions;
	uint64_t nsent;
	uint64_t nfailed;
	rd_kafka_resp_err_t failed; /* the first */
};

static void
on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	kafka_log(rd_kafka_name(rk), level, facility, text);
}

static void
on_delivered(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
	struct demo_broker *broker = opaque;

	(void)rk;
	if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR &&
		broker->nfailed++ == 0)
		broker->failed = message->err;
}

/*
 * batch.num.messages: the mock cluster answers a fetch with one batch a
 * partition. Small ones keep the partitions, and so the clocks of their
 * groups, close together.
 */
static rd_kafka_t *
new_producer(struct demo_broker *broker, struct sg_fault *why)
{
	static const struct kafka_prop props[] = {
		{"test.mock.num.brokers", "1"},
		{"client.id", "demo"},
		{"compression.codec", "lz4"},
		{"linger.ms", "20"},
		{"batch.num.messages", "250"},
		{"socket.nagle.disable", "true"},
		{"queue.buffering.max.messages", "200000"},
	};
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *rk;
	char text[256];

	for (size_t i = 0; i < SG_COUNTOF(props); i++) {
		if (rd_kafka_conf_set(conf, props[i].name, props[i].value, text,
			    sizeof(text)) == RD_KAFKA_CONF_OK)
			continue;
		(void)sg_fault_set(why, SG_BROKER_DOWN, "%s", text);
		rd_kafka_conf_destroy(conf);
		return NULL;
	}
	rd_kafka_conf_set_log_cb(conf, on_log);
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivered);
	rd_kafka_conf_set_opaque(conf, broker);
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	if (rk == NULL) {
		(void)sg_fault_set(why, SG_BROKER_DOWN, "%s", text);
		rd_kafka_conf_destroy(conf);
	}
	return rk;
}

static bool
is_listening_at(int fd, uint16_t port)
{
	struct sockaddr_in address = {.sin_port = 0};
	socklen_t len = sizeof(address);
	int is_listening = 0;

	if (getsockname(fd, (struct sockaddr *)&address, &len) != 0 ||
		address.sin_family != AF_INET || address.sin_port != port)
		return false;
	len = sizeof(is_listening);
	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &len) ==
		       0 &&
	       is_listening != 0;
}

/*
 * The mock cluster leaves its connections to Nagle's algorithm: of several
 * answers on the way, all but the first wait for an acknowledgement that the
 * other side sends 40 ms later. So a transaction takes 50 ms instead of 3.
 * Connections inherit the option of the socket that listens, which is one of
 * this process.
 */
static void
answer_at_once(const struct demo_broker *broker)
{
	const char *colon = strrchr(demo_broker_address(broker), ':');
	uint16_t port = colon == NULL
				? 0
				: htons((uint16_t)strtoul(colon + 1, NULL, 10));
	int on = 1;

	for (int fd = 0; port != 0 && fd < FDS_MAX; fd++) {
		if (is_listening_at(fd, port))
			(void)setsockopt(
				fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	}
}

enum sg_err
demo_broker_open(uint32_t naccounts, struct demo_broker **ret_broker,
	struct sg_fault *why)
{
	struct demo_broker *broker = calloc(1, sizeof(*broker));

	if (broker == NULL)
		return SG_NOMEM;
	broker->npartitions =
		(int32_t)((naccounts + ACCOUNTS_PER_PARTITION - 1) /
			  ACCOUNTS_PER_PARTITION);
	broker->rk = new_producer(broker, why);
	if (broker->rk != NULL)
		broker->cluster = rd_kafka_handle_mock_cluster(broker->rk);
	if (broker->cluster == NULL) {
		demo_broker_close(broker);
		return SG_BROKER_DOWN;
	}
	answer_at_once(broker);
	*ret_broker = broker;
	return SG_OK;
}

void
demo_broker_close(struct demo_broker *broker)
{
	if (broker == NULL)
		return;
	for (size_t i = 0; i < DEMO_INPUT_COUNT; i++) {
		if (broker->topics[i] != NULL)
			rd_kafka_topic_destroy(broker->topics[i]);
	}
	if (broker->rk != NULL) {
		(void)rd_kafka_purge(broker->rk,
			RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
		rd_kafka_destroy(broker->rk);
	}
	free(broker);
}

const char *
demo_broker_address(const struct demo_broker *broker)
{
	return rd_kafka_mock_cluster_bootstraps(broker->cluster);
}

int32_t
demo_broker_partitions(const struct demo_broker *broker)
{
	return broker->npartitions;
}

static enum sg_err
make_topic(struct demo_broker *broker, const char *name, struct sg_fault *why)
{
	rd_kafka_resp_err_t code = rd_kafka_mock_topic_create(
		broker->cluster, name, broker->npartitions, 1);

	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		return SG_OK;
	return sg_fault_set(why, SG_BROKER_DOWN, "topic %s: %s", name,
		rd_kafka_err2str(code));
}

enum sg_err
demo_broker_topics(struct demo_broker *broker, const struct conf *conf,
	struct sg_fault *why)
{
	const char *outputs[] = {conf->opt.topic_changes.s,
		conf->opt.topic_current.s, conf->opt.topic_renewals.s,
		conf->opt.topic_rejects.s};
	enum sg_err err = SG_OK;

	if (conf->ninputs != DEMO_INPUT_COUNT)
		return SG_INTERNAL;
	for (size_t i = 0; err == SG_OK && i < SG_COUNTOF(outputs); i++)
		err = make_topic(broker, outputs[i], why);
	for (size_t i = 0; err == SG_OK && i < DEMO_INPUT_COUNT; i++) {
		err = make_topic(broker, conf->inputs[i].topic.s, why);
		broker->topics[i] = rd_kafka_topic_new(
			broker->rk, conf->inputs[i].topic.s, NULL);
		if (broker->topics[i] == NULL)
			err = SG_NOMEM;
	}
	return err;
}

enum sg_err
demo_broker_send(struct demo_broker *broker, enum demo_input input,
	const char *account, const struct buf *value, int32_t *ret_partition,
	struct sg_fault *why)
{
	rd_kafka_topic_t *topic = broker->topics[input];
	int64_t deadline_us = clock_mono_us() + QUEUE_WAIT_MS * INT64_C(1000);
	size_t key_len = strlen(account);
	int32_t partition = rd_kafka_msg_partitioner_murmur2(
		topic, account, key_len, broker->npartitions, NULL, NULL);

	while (rd_kafka_produce(topic, partition, RD_KAFKA_MSG_F_COPY,
		       value->bytes, value->len, account, key_len, NULL) != 0) {
		rd_kafka_resp_err_t code = rd_kafka_last_error();

		if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL ||
			clock_mono_us() > deadline_us)
			return sg_fault_set(why, SG_BROKER_DOWN, "%s: %s",
				rd_kafka_topic_name(topic),
				rd_kafka_err2str(code));
		(void)rd_kafka_poll(broker->rk, 10);
	}
	if (++broker->nsent % 1024 == 0)
		(void)rd_kafka_poll(broker->rk, 0);
	*ret_partition = partition;
	return SG_OK;
}

void
demo_broker_hold_groups(struct demo_broker *broker, bool is_held)
{
	rd_kafka_resp_err_t refusals[REFUSALS];

	if (!is_held) {
		rd_kafka_mock_clear_request_errors(
			broker->cluster, FIND_COORDINATOR);
		return;
	}
	for (size_t i = 0; i < REFUSALS; i++)
		refusals[i] = RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE;
	rd_kafka_mock_push_request_errors_array(
		broker->cluster, FIND_COORDINATOR, REFUSALS, refusals);
}

enum sg_err
demo_broker_flush(struct demo_broker *broker, struct sg_fault *why)
{
	rd_kafka_resp_err_t code = rd_kafka_flush(broker->rk, FLUSH_MS);

	if (code == RD_KAFKA_RESP_ERR_NO_ERROR && broker->nfailed > 0)
		code = broker->failed;
	for (size_t i = 0; i < DEMO_INPUT_COUNT; i++) {
		const char *name = rd_kafka_topic_name(broker->topics[i]);

		for (int32_t p = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR &&
				    p < broker->npartitions;
			p++) {
			int64_t low = 0, high = 0;

			code = rd_kafka_query_watermark_offsets(
				broker->rk, name, p, &low, &high, ASK_MS);
			if (code == RD_KAFKA_RESP_ERR_NO_ERROR && low > 0)
				return sg_fault_set(why, SG_BROKER_DOWN,
					"so much does not fit into the demo's "
					"broker; take fewer accounts");
		}
	}
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return sg_fault_set(why, SG_BROKER_DOWN, "the broker: %s",
			rd_kafka_err2str(code));
	return SG_OK;
}
