/*
 * topics.c - are the output topics there, and are they what they must be?
 *
 * Their partition counts must be those of the inputs. segmentd.current must be
 * compacted and nothing else: were old records deleted by age, an account that
 * did not change for long would lose its membership. The others must not be
 * compacted, which would drop changes.
 */
#include <string.h>

#include "segmentd/clock.h"
#include "segmentd/log.h"

#include "producing.h"

#define APPEAR_STEP_MS 100
#define POLICY_PATIENCE_MS 1500
/* A version of a deleted account must not start anew: its tombstone stays. */
#define TOMBSTONE_MS "2592000000" /* 30 days */

struct check {
	const struct publish_opts *opts;
	int32_t npartitions;
	int32_t replication;
	int64_t deadline_us;
	rd_kafka_t *rk;
	rd_kafka_queue_t *queue;
	/* The outputs, and the topic of overrides when there is one. */
	const char *names[PUBLISH_TOPIC_COUNT + 1];
	int32_t counts[PUBLISH_TOPIC_COUNT + 1];
	int n;
};

static int
left_ms(const struct check *check)
{
	int64_t left = (check->deadline_us - clock_mono_us()) / 1000;

	return left > 1 ? (int)left : 1;
}

static enum sg_err
read_counts(struct check *check, struct sg_fault *why)
{
	return kafka_partition_counts(check->opts->props, check->opts->nprops,
		check->names, (size_t)check->n, left_ms(check), check->counts,
		why);
}

/* --- creating ----------------------------------------------------------- */

static rd_kafka_NewTopic_t *
new_topic(const struct check *check, int topic, struct sg_fault *why)
{
	rd_kafka_NewTopic_t *made;
	char text[256];

	made = rd_kafka_NewTopic_new(check->names[topic], check->npartitions,
		check->replication, text, sizeof(text));
	if (made == NULL) {
		(void)sg_fault_set(why, SG_BAD_CONFIG, "topic %s: %s",
			check->names[topic], text);
		return NULL;
	}
	if (topic == PUBLISH_CURRENT) {
		(void)rd_kafka_NewTopic_set_config(
			made, "cleanup.policy", "compact");
		(void)rd_kafka_NewTopic_set_config(
			made, "delete.retention.ms", TOMBSTONE_MS);
	} else {
		(void)rd_kafka_NewTopic_set_config(
			made, "cleanup.policy", "delete");
	}
	return made;
}

static enum sg_err
read_created(rd_kafka_event_t *event, struct sg_fault *why)
{
	const rd_kafka_topic_result_t **results;
	size_t n = 0;

	if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return sg_fault_set(why, SG_BROKER_DOWN,
			"topics were not created: %s",
			rd_kafka_event_error_string(event));
	results = rd_kafka_CreateTopics_result_topics(
		rd_kafka_event_CreateTopics_result(event), &n);
	for (size_t i = 0; i < n; i++) {
		rd_kafka_resp_err_t code =
			rd_kafka_topic_result_error(results[i]);

		if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
			SG_LOG(LOG_INFO, "topic_created",
				LOG_STR("topic", rd_kafka_topic_result_name(
							 results[i])));
		/* Another instance may have been quicker. */
		else if (code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
			return sg_fault_set(why, SG_OPERATOR,
				"topic %s was not created: %s",
				rd_kafka_topic_result_name(results[i]),
				rd_kafka_topic_result_error_string(results[i]));
	}
	return SG_OK;
}

static enum sg_err
create(struct check *check, struct sg_fault *why)
{
	rd_kafka_NewTopic_t *topics[PUBLISH_TOPIC_COUNT + 1];
	rd_kafka_event_t *event;
	enum sg_err err = SG_OK;
	size_t n = 0;

	for (int i = 0; err == SG_OK && i < check->n; i++) {
		if (check->counts[i] > 0)
			continue;
		topics[n] = new_topic(check, i, why);
		if (topics[n] == NULL)
			err = SG_BAD_CONFIG;
		else
			n++;
	}
	if (err == SG_OK && n > 0) {
		rd_kafka_CreateTopics(check->rk, topics, n, NULL, check->queue);
		event = rd_kafka_queue_poll(check->queue, left_ms(check));
		err = event == NULL ? sg_fault_set(why, SG_BROKER_DOWN,
					      "topics were not created: no "
					      "answer in time")
				    : read_created(event, why);
		if (event != NULL)
			rd_kafka_event_destroy(event);
	}
	rd_kafka_NewTopic_destroy_array(topics, n);
	return err;
}

/* A topic that was created is known to every broker only a little later. */
static enum sg_err
wait_for_topics(struct check *check, struct sg_fault *why)
{
	for (;;) {
		enum sg_err err = read_counts(check, why);
		int nmissing = 0;

		if (err != SG_OK)
			return err;
		for (int i = 0; i < check->n; i++)
			nmissing += check->counts[i] == 0;
		if (nmissing == 0)
			return SG_OK;
		if (clock_mono_us() > check->deadline_us)
			return sg_fault_set(why, SG_BROKER_DOWN,
				"%d created topics do not appear", nmissing);
		clock_sleep_ms(APPEAR_STEP_MS);
	}
}

/* --- comparing ---------------------------------------------------------- */

static enum sg_err
compare_counts(const struct check *check, struct sg_fault *why)
{
	struct buf text;
	size_t nbad = 0;

	buf_init(&text, sizeof(why->text));
	for (int i = 0; i < check->n; i++) {
		const char *topic = check->names[i];

		if (check->counts[i] == check->npartitions)
			continue;
		buf_put_str(&text, nbad++ == 0 ? "" : ", ");
		if (check->counts[i] == 0)
			buf_printf(&text, "%s is missing", topic);
		else
			buf_printf(&text, "%s has %d", topic,
				(int)check->counts[i]);
	}
	if (nbad > 0)
		(void)sg_fault_set(why, SG_BAD_CONFIG,
			"the output topics need %d partitions, as the inputs "
			"have: %s. Inputs that gained partitions need a "
			"migration (docs/kafka.md)",
			(int)check->npartitions, buf_cstr(&text));
	buf_fini(&text);
	return nbad > 0 ? SG_BAD_CONFIG : SG_OK;
}

static enum sg_err
compare_policy(const struct check *check,
	const rd_kafka_ConfigResource_t *resource, struct sg_fault *why)
{
	const char *topic = rd_kafka_ConfigResource_name(resource);
	const char *current = check->opts->topics[PUBLISH_CURRENT];
	const rd_kafka_ConfigEntry_t **entries;
	size_t n = 0;

	entries = rd_kafka_ConfigResource_configs(resource, &n);
	for (size_t i = 0; i < n; i++) {
		const char *value = rd_kafka_ConfigEntry_value(entries[i]);

		if (value == NULL ||
			strcmp(rd_kafka_ConfigEntry_name(entries[i]),
				"cleanup.policy") != 0)
			continue;
		if (strcmp(topic, current) == 0 &&
			strcmp(value, "compact") != 0)
			return sg_fault_set(why, SG_BAD_CONFIG,
				"topic %s has cleanup.policy=%s, it needs "
				"compact: memberships would be deleted by age",
				topic, value);
		if (strcmp(topic, current) != 0 &&
			strstr(value, "compact") != NULL)
			return sg_fault_set(why, SG_BAD_CONFIG,
				"topic %s has cleanup.policy=%s, it needs "
				"delete: changes would be dropped",
				topic, value);
	}
	return SG_OK;
}

static enum sg_err
read_policies(const struct check *check, rd_kafka_event_t *event,
	struct sg_fault *why)
{
	const rd_kafka_ConfigResource_t **resources;
	enum sg_err err = SG_OK;
	size_t n = 0;

	if (event == NULL ||
		rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
		SG_LOG(LOG_WARN, "cleanup_policy_unknown",
			LOG_STR("text",
				event == NULL
					? "no answer in time"
					: rd_kafka_event_error_string(event)));
		return SG_OK;
	}
	resources = rd_kafka_DescribeConfigs_result_resources(
		rd_kafka_event_DescribeConfigs_result(event), &n);
	for (size_t i = 0; err == SG_OK && i < n; i++) {
		/* Describing may be forbidden where writing is not. */
		if (rd_kafka_ConfigResource_error(resources[i]) !=
			RD_KAFKA_RESP_ERR_NO_ERROR)
			SG_LOG(LOG_WARN, "cleanup_policy_unknown",
				LOG_STR("topic", rd_kafka_ConfigResource_name(
							 resources[i])));
		else
			err = compare_policy(check, resources[i], why);
	}
	return err;
}

static enum sg_err
check_policies(const struct check *check, struct sg_fault *why)
{
	rd_kafka_ConfigResource_t *resources[PUBLISH_TOPIC_COUNT + 1];
	rd_kafka_event_t *event;
	int patience_ms;
	enum sg_err err;

	for (int i = 0; i < check->n; i++)
		resources[i] = rd_kafka_ConfigResource_new(
			RD_KAFKA_RESOURCE_TOPIC, check->names[i]);
	rd_kafka_DescribeConfigs(
		check->rk, resources, (size_t)check->n, NULL, check->queue);
	/* A broker that does not answer this is not worth waiting for: what it
	 * would say is a safeguard, and its absence is logged. */
	patience_ms = left_ms(check);
	if (patience_ms > POLICY_PATIENCE_MS)
		patience_ms = POLICY_PATIENCE_MS;
	event = rd_kafka_queue_poll(check->queue, patience_ms);
	err = read_policies(check, event, why);
	if (event != NULL)
		rd_kafka_event_destroy(event);
	rd_kafka_ConfigResource_destroy_array(resources, (size_t)check->n);
	return err;
}

enum sg_err
publish_check_topics(const struct publish_opts *opts, int32_t npartitions,
	int32_t replication, bool may_create, int32_t timeout_ms,
	struct sg_fault *why)
{
	struct check check = {
		.opts = opts,
		.npartitions = npartitions,
		.replication = replication,
		.deadline_us = clock_mono_us() + (int64_t)timeout_ms * 1000,
		.n = PUBLISH_TOPIC_COUNT,
	};
	rd_kafka_conf_t *conf = NULL;
	enum sg_err err;

	memcpy(check.names, opts->topics, sizeof(opts->topics));
	if (opts->overrides != NULL)
		check.names[check.n++] = opts->overrides;
	err = read_counts(&check, why);
	if (err != SG_OK)
		return err;
	err = producing_conf(opts->props, opts->nprops, NULL, 0, &conf, why);
	if (err != SG_OK)
		return err;
	err = producing_new(conf, &check.rk, why);
	if (err != SG_OK)
		return err;
	check.queue = rd_kafka_queue_new(check.rk);
	if (may_create) {
		err = create(&check, why);
		if (err == SG_OK)
			err = wait_for_topics(&check, why);
	}
	if (err == SG_OK)
		err = compare_counts(&check, why);
	if (err == SG_OK)
		err = check_policies(&check, why);
	rd_kafka_queue_destroy(check.queue);
	rd_kafka_destroy(check.rk);
	return err;
}
