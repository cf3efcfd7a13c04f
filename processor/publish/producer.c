#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>

#include "segmentd/clock.h"

#include "producing.h"

#define QUEUE_WAIT_MS 60000
#define QUEUE_STEP_MS 50
#define FLUSH_STEP_MS 200
#define SERVE_EVERY 1024
#define CLOSE_WAIT_MS 2000

struct producer {
	rd_kafka_t *rk;
	const atomic_bool *stop; /* NULL: none */
	uint64_t nsent;
	uint64_t ndelivered;
	uint64_t nfailed;
	rd_kafka_resp_err_t failed; /* the first, of this topic */
	char failed_topic[256];
};

static void
on_delivered(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
	struct producer *prod = opaque;

	(void)rk;
	if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
		prod->ndelivered++;
		return;
	}
	if (prod->nfailed++ > 0)
		return;
	prod->failed = message->err;
	(void)snprintf(prod->failed_topic, sizeof(prod->failed_topic), "%s",
		message->rkt == NULL ? "a topic"
				     : rd_kafka_topic_name(message->rkt));
}

enum sg_err
producer_open(const struct kafka_prop *props, size_t nprops,
	const atomic_bool *stop, struct producer **ret_prod,
	struct sg_fault *why)
{
	static const struct kafka_prop own[] = {
		{"enable.idempotence", "true"},
		{"partitioner", "murmur2_random"},
	};
	rd_kafka_conf_t *conf = NULL;
	struct producer *prod;
	enum sg_err err;

	err = producing_conf(props, nprops, own, SG_COUNTOF(own), &conf, why);
	if (err != SG_OK)
		return err;
	prod = calloc(1, sizeof(*prod));
	if (prod == NULL) {
		rd_kafka_conf_destroy(conf);
		return SG_NOMEM;
	}
	prod->stop = stop;
	rd_kafka_conf_set_opaque(conf, prod);
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivered);
	err = producing_new(conf, &prod->rk, why);
	if (err != SG_OK) {
		free(prod);
		return err;
	}
	*ret_prod = prod;
	return SG_OK;
}

static bool
is_stopped(const struct producer *prod)
{
	return prod->stop != NULL && atomic_load(prod->stop);
}

enum sg_err
producer_send_to(struct producer *prod, const char *topic, int32_t partition,
	const struct producer_record *rec, struct sg_fault *why)
{
	int64_t deadline_us = clock_mono_us() + QUEUE_WAIT_MS * INT64_C(1000);
	rd_kafka_resp_err_t code;

	for (;;) {
		code = rd_kafka_producev(prod->rk, RD_KAFKA_V_TOPIC(topic),
			RD_KAFKA_V_PARTITION(partition),
			RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
			RD_KAFKA_V_KEY(rec->key, rec->key_len),
			RD_KAFKA_V_VALUE((void *)rec->value, rec->value_len),
			RD_KAFKA_V_TIMESTAMP(
				rec->kafka_ms > 0 ? rec->kafka_ms : 0),
			RD_KAFKA_V_END);
		if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL ||
			clock_mono_us() > deadline_us)
			break;
		if (is_stopped(prod))
			return SG_INTERRUPTED;
		(void)rd_kafka_poll(prod->rk, QUEUE_STEP_MS);
	}
	if (++prod->nsent % SERVE_EVERY == 0)
		(void)rd_kafka_poll(prod->rk, 0);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		return SG_OK;
	return sg_fault_set(why,
		code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ? SG_TOO_LARGE
							     : SG_BROKER_DOWN,
		"a record for %s: %s", topic, rd_kafka_err2str(code));
}

enum sg_err
producer_send(struct producer *prod, const char *topic, const void *key,
	size_t key_len, const void *value, size_t value_len,
	int64_t timestamp_ms, struct sg_fault *why)
{
	const struct producer_record rec = {
		key, key_len, value, value_len, timestamp_ms};

	return producer_send_to(prod, topic, RD_KAFKA_PARTITION_UA, &rec, why);
}

enum sg_err
producer_flush(struct producer *prod, int32_t timeout_ms, struct sg_fault *why)
{
	int64_t deadline_us = clock_mono_us() + timeout_ms * INT64_C(1000);
	bool is_late = true;

	while (is_late && clock_mono_us() < deadline_us) {
		if (is_stopped(prod))
			return SG_INTERRUPTED;
		is_late = rd_kafka_flush(prod->rk, FLUSH_STEP_MS) ==
			  RD_KAFKA_RESP_ERR__TIMED_OUT;
	}
	if (prod->nfailed > 0)
		return sg_fault_set(why, SG_BROKER_DOWN,
			"%llu records were not delivered, the first to %s: %s",
			(unsigned long long)prod->nfailed, prod->failed_topic,
			rd_kafka_err2str(prod->failed));
	if (is_late)
		return sg_fault_set(why, SG_TIMEOUT,
			"%d records are not acknowledged yet: is the broker "
			"there?",
			rd_kafka_outq_len(prod->rk));
	return SG_OK;
}

uint64_t
producer_delivered(const struct producer *prod)
{
	return prod->ndelivered;
}

void
producer_close(struct producer *prod)
{
	if (prod == NULL)
		return;
	(void)rd_kafka_flush(prod->rk, CLOSE_WAIT_MS);
	(void)rd_kafka_purge(
		prod->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	rd_kafka_destroy(prod->rk);
	free(prod);
}
