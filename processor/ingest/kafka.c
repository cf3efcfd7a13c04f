/*
 * kafka.c - what reading and writing share: properties, log lines, topics.
 *
 * The same user's properties go to consumers and producers. Those that
 * delivery depends on are refused here, by name, so that nobody runs without
 * exactly-once because of a line copied from another configuration; the rest is
 * librdkafka's to judge.
 *
 * Topics are asked about by a consumer that is in no group: a producer's
 * question would create the topic where the broker allows that, with the
 * broker's number of partitions.
 */
#include "segmentd/kafka.h"

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <string.h>

#include "segmentd/clock.h"
#include "segmentd/log.h"

/* Levels of syslog(3), whose header has other ideas of LOG_INFO. */
enum { SYSLOG_CRIT = 2, SYSLOG_WARNING = 4, SYSLOG_INFO = 6 };

static const char *
reserved_why(const char *name)
{
	static const struct {
		const char *name;
		const char *why;
	} rows[] = {
#define RESERVED(property, why) {property, why},
#include "segmentd/tbl/kafka_reserved.def"
#undef RESERVED
	};

	for (size_t i = 0; i < SG_COUNTOF(rows); i++)
		if (strcmp(rows[i].name, name) == 0)
			return rows[i].why;
	return NULL;
}

enum sg_err
kafka_props_check(const struct kafka_prop *props, size_t nprops,
	size_t *ret_index, struct sg_fault *why)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	enum sg_err err = SG_OK;
	char text[256];
	size_t i;

	for (i = 0; i < nprops; i++) {
		const char *reserved = reserved_why(props[i].name);

		if (reserved != NULL) {
			err = sg_fault_set(why, SG_BAD_OPTION,
				"kafka: %s cannot be set: %s", props[i].name,
				reserved);
			break;
		}
		if (rd_kafka_conf_set(conf, props[i].name, props[i].value, text,
			    sizeof(text)) != RD_KAFKA_CONF_OK) {
			err = sg_fault_set(
				why, SG_BAD_OPTION, "kafka: %s", text);
			break;
		}
	}
	rd_kafka_conf_destroy(conf);
	if (err != SG_OK)
		*ret_index = i;
	return err;
}

void
kafka_log(const char *client, int level, const char *facility, const char *text)
{
	enum log_level ours = LOG_DEBUG;

	if (strcmp(facility, "CONFWARN") == 0)
		return;
	if (level <= SYSLOG_CRIT)
		ours = LOG_ERROR;
	else if (level <= SYSLOG_WARNING)
		ours = LOG_WARN;
	else if (level <= SYSLOG_INFO)
		ours = LOG_INFO;
	SG_LOG(ours, "kafka_client", LOG_STR("client", client),
		LOG_STR("facility", facility), LOG_STR("text", text));
}

static void
on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	kafka_log(rd_kafka_name(rk), level, facility, text);
}

/* A client that only asks: no group, creates no topic by asking for it. */
static enum sg_err
open_asker(const struct kafka_prop *props, size_t nprops, rd_kafka_t **ret_rk,
	struct sg_fault *why)
{
	rd_kafka_conf_t *conf;
	enum sg_err err;
	char text[256];
	size_t index;

	err = kafka_props_check(props, nprops, &index, why);
	if (err != SG_OK)
		return err;

	conf = rd_kafka_conf_new();
	rd_kafka_conf_set_log_cb(conf, on_log);
	for (size_t i = 0; i < nprops; i++)
		(void)rd_kafka_conf_set(
			conf, props[i].name, props[i].value, NULL, 0);
	(void)rd_kafka_conf_set(
		conf, "allow.auto.create.topics", "false", NULL, 0);
	*ret_rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
	if (*ret_rk == NULL) {
		rd_kafka_conf_destroy(conf);
		return sg_fault_set(why, SG_BAD_OPTION, "kafka: %s", text);
	}
	return SG_OK;
}

/* What the broker says of one topic. */
static enum sg_err
read_metadata(const struct rd_kafka_metadata *md, const char *topic,
	int32_t *ret_count, struct sg_fault *why)
{
	const rd_kafka_metadata_topic_t *found;

	if (md->topic_cnt != 1)
		return sg_fault_set(
			why, SG_BROKER_DOWN, "no answer about topic %s", topic);
	found = &md->topics[0];
	switch (found->err) {
	case RD_KAFKA_RESP_ERR_NO_ERROR:
	case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
		*ret_count = found->partition_cnt;
		return SG_OK;
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
		*ret_count = 0;
		return SG_OK;
	case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
		return sg_fault_set(why, SG_BAD_CONFIG,
			"%s cannot be the name of a topic", topic);
	default:
		return sg_fault_set(why, SG_OPERATOR, "topic %s: %s", topic,
			rd_kafka_err2str(found->err));
	}
}

static enum sg_err
ask_partition_count(rd_kafka_t *rk, const char *topic, int64_t deadline_us,
	int32_t *ret_count, struct sg_fault *why)
{
	const struct rd_kafka_metadata *md = NULL;
	rd_kafka_resp_err_t code;
	rd_kafka_topic_t *rkt;
	int64_t left_ms = (deadline_us - clock_mono_us()) / 1000;
	enum sg_err err;

	rkt = rd_kafka_topic_new(rk, topic, NULL);
	if (rkt == NULL)
		return sg_fault_set(why, SG_BAD_CONFIG, "topic %s: %s", topic,
			rd_kafka_err2str(rd_kafka_last_error()));
	code = rd_kafka_metadata(
		rk, 0, rkt, &md, left_ms > 1 ? (int)left_ms : 1);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
		err = read_metadata(md, topic, ret_count, why);
		rd_kafka_metadata_destroy(md);
	} else {
		err = sg_fault_set(why, SG_BROKER_DOWN, "no broker answers: %s",
			rd_kafka_err2str(code));
	}
	rd_kafka_topic_destroy(rkt);
	return err;
}

enum sg_err
kafka_partition_counts(const struct kafka_prop *props, size_t nprops,
	const char *const *topics, size_t ntopics, int32_t timeout_ms,
	int32_t *ret_counts, struct sg_fault *why)
{
	int64_t deadline_us = clock_mono_us() + (int64_t)timeout_ms * 1000;
	rd_kafka_t *rk = NULL;
	enum sg_err err;

	err = open_asker(props, nprops, &rk, why);
	for (size_t i = 0; err == SG_OK && i < ntopics; i++)
		err = ask_partition_count(
			rk, topics[i], deadline_us, &ret_counts[i], why);
	if (rk != NULL)
		rd_kafka_destroy(rk);
	return err;
}
