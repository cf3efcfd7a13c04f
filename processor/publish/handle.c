#include <string.h>

#include "producing.h"

/*
 * Every producer has these unless the user says otherwise. The time-out of a
 * transaction bounds how long a dead worker's open transaction hides records
 * from readers. A back-off of 100 ms, librdkafka's default, is paid in full
 * whenever a transaction begins while the last one is being completed.
 */
static const struct kafka_prop defaults[] = {
	{"client.id", "segmentd"},
	{"compression.codec", "lz4"},
	{"linger.ms", "2"},
	{"retry.backoff.ms", "20"},
	{"reconnect.backoff.max.ms", "1000"},
	{"socket.nagle.disable", "true"},
	{"transaction.timeout.ms", "10000"},
	{"queue.buffering.max.kbytes", "262144"},
};

static void
on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	kafka_log(rd_kafka_name(rk), level, facility, text);
}

static enum sg_err
set_all(rd_kafka_conf_t *conf, const struct kafka_prop *props, size_t nprops,
	struct sg_fault *why)
{
	char text[256];

	for (size_t i = 0; i < nprops; i++)
		if (rd_kafka_conf_set(conf, props[i].name, props[i].value, text,
			    sizeof(text)) != RD_KAFKA_CONF_OK)
			return sg_fault_set(
				why, SG_BAD_OPTION, "kafka: %s", text);
	return SG_OK;
}

enum sg_err
producing_conf(const struct kafka_prop *props, size_t nprops,
	const struct kafka_prop *own, size_t nown, rd_kafka_conf_t **ret_conf,
	struct sg_fault *why)
{
	rd_kafka_conf_t *conf;
	enum sg_err err;
	size_t index;

	err = kafka_props_check(props, nprops, &index, why);
	if (err != SG_OK)
		return err;
	conf = rd_kafka_conf_new();
	err = set_all(conf, defaults, SG_COUNTOF(defaults), why);
	if (err == SG_OK)
		err = set_all(conf, props, nprops, why);
	if (err == SG_OK)
		err = set_all(conf, own, nown, why);
	if (err != SG_OK) {
		rd_kafka_conf_destroy(conf);
		return err;
	}
	rd_kafka_conf_set_log_cb(conf, on_log);
	*ret_conf = conf;
	return SG_OK;
}

enum sg_err
producing_new(rd_kafka_conf_t *conf, rd_kafka_t **ret_rk, struct sg_fault *why)
{
	char text[256];
	rd_kafka_t *rk;

	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	if (rk == NULL) {
		rd_kafka_conf_destroy(conf);
		return sg_fault_set(why, SG_BAD_OPTION, "kafka: %s", text);
	}
	*ret_rk = rk;
	return SG_OK;
}
