/*
 * read.c - inputs read as an onlooker: by no group's member, from their first
 * record on, in the order in which the records were written.
 *
 * A consumer hands out the partitions it reads as they come. Here each one has
 * a lane of its own, with a queue, and of the records at the heads of all lanes
 * the oldest by Kafka's timestamp is next: what a daemon that kept pace saw.
 * librdkafka's older calls are used, since only they give a partition a queue
 * before its first record.
 */
#include <stdlib.h>

#include "segmentd/clock.h"

#include "consumer.h"

#define LANE_MAX 1000
#define LANE_STEP_MS 100
#define READ_HEADERS_MAX ((size_t)64 << 20)

struct lane {
	rd_kafka_topic_t *topic;
	rd_kafka_queue_t *queue;
	rd_kafka_message_t *messages[LANE_MAX];
	size_t n;
	size_t at;
	int64_t end;
	bool is_started;
	bool is_done;
};

static const struct consumer_prop reader_props[] = {
	{"isolation.level", "read_committed", false},
	{"fetch.wait.max.ms", "20", false},
};

enum sg_err
ingest_open_onlooker(const struct ingest_opts *opts, struct ingest **ret_ingest,
	struct sg_fault *why)
{
	return consumer_open(opts, NULL, ret_ingest, why);
}

enum sg_err
ingest_members(struct ingest *in, int32_t timeout_ms, int32_t *ret_n,
	struct sg_fault *why)
{
	const struct rd_kafka_group_list *list = NULL;
	rd_kafka_resp_err_t code = rd_kafka_list_groups(
		in->asker, in->group_id, &list, timeout_ms);
	int32_t n = 0;

	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return sg_fault_set(why, SG_BROKER_DOWN, "group %s: %s",
			in->group_id, rd_kafka_err2str(code));
	for (int i = 0; i < list->group_cnt; i++)
		n += list->groups[i].member_cnt;
	rd_kafka_group_list_destroy(list);
	*ret_n = n;
	return SG_OK;
}

static void
lane_clear(struct lane *lane)
{
	while (lane->at < lane->n)
		rd_kafka_message_destroy(lane->messages[lane->at++]);
	lane->at = 0;
	lane->n = 0;
}

/* Step over what is no record, until the head is one or the lane is empty. */
static enum sg_err
lane_settle(struct lane *lane, struct sg_fault *why)
{
	while (lane->at < lane->n) {
		rd_kafka_message_t *head = lane->messages[lane->at];

		if (head->err == RD_KAFKA_RESP_ERR_NO_ERROR &&
			head->offset < lane->end)
			return SG_OK;
		if (head->err == RD_KAFKA_RESP_ERR__PARTITION_EOF ||
			head->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
			lane->is_done = true;
			lane_clear(lane);
			return SG_OK;
		}
		if (head->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
			head->err ==
				RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
			return sg_fault_set(why, SG_OPERATOR, "%s: %s",
				rd_kafka_topic_name(lane->topic),
				rd_kafka_message_errstr(head));
		/* librdkafka tries again; the time-out decides. */
		rd_kafka_message_destroy(head);
		lane->at++;
	}
	return SG_OK;
}

static enum sg_err
lane_fill(struct lane *lane, bool *ret_is_empty, struct sg_fault *why)
{
	enum sg_err err = lane_settle(lane, why);

	if (err == SG_OK && !lane->is_done && lane->at == lane->n) {
		lane->at = 0;
		lane->n = consumer_take(
			lane->queue, LANE_STEP_MS, lane->messages, LANE_MAX);
		err = lane_settle(lane, why);
	}
	*ret_is_empty = !lane->is_done && lane->at == lane->n;
	return err;
}

static struct lane *
oldest(struct lane *lanes, uint32_t n, uint32_t *ret_input)
{
	rd_kafka_timestamp_type_t type;
	struct lane *found = NULL;
	int64_t found_ms = 0;

	for (uint32_t i = 0; i < n; i++) {
		int64_t at_ms;

		if (lanes[i].is_done || lanes[i].at == lanes[i].n)
			continue;
		at_ms = rd_kafka_message_timestamp(
			lanes[i].messages[lanes[i].at], &type);
		if (found != NULL && at_ms >= found_ms)
			continue;
		found = &lanes[i];
		found_ms = at_ms;
		*ret_input = i;
	}
	return found;
}

static enum sg_err
lane_open(struct ingest *in, struct lane *lane, uint32_t input, int32_t group,
	int64_t low, int64_t high, struct sg_fault *why)
{
	lane->end = high;
	lane->is_done = low >= high;
	if (lane->is_done)
		return SG_OK;
	lane->topic = rd_kafka_topic_new(in->reader, in->topics[input], NULL);
	lane->queue = rd_kafka_queue_new(in->reader);
	if (lane->topic == NULL || rd_kafka_consume_start_queue(lane->topic,
					   group, low, lane->queue) != 0)
		return consumer_error(rd_kafka_last_error(), "reading",
			in->topics[input], group, why);
	lane->is_started = true;
	return SG_OK;
}

static void
lane_close(struct lane *lane, int32_t group)
{
	lane_clear(lane);
	if (lane->is_started)
		(void)rd_kafka_consume_stop(lane->topic, group);
	if (lane->queue != NULL)
		rd_kafka_queue_destroy(lane->queue);
	if (lane->topic != NULL)
		rd_kafka_topic_destroy(lane->topic);
}

static enum sg_err
hand_over(struct lane *lane, uint32_t input, struct arena *headers,
	ingest_each each, void *ctx, struct sg_fault *why)
{
	rd_kafka_message_t *message = lane->messages[lane->at++];
	struct record rec;
	enum sg_err err;

	consumer_record(message, headers, &rec);
	rec.input = input;
	err = each(ctx, &rec, why);
	rd_kafka_message_destroy(message);
	arena_reset(headers);
	return err;
}

static enum sg_err
run_lanes(struct ingest *in, struct lane *lanes, int32_t timeout_ms,
	ingest_each each, void *ctx, struct sg_fault *why)
{
	int64_t moved_us = clock_mono_us();
	enum sg_err err = SG_OK;
	struct arena headers;

	arena_init(&headers, READ_HEADERS_MAX);
	while (err == SG_OK) {
		bool is_waiting = false;
		struct lane *lane;
		uint32_t input = 0;

		for (uint32_t i = 0; i < in->ntopics && err == SG_OK; i++) {
			bool is_empty = false;

			err = lane_fill(&lanes[i], &is_empty, why);
			is_waiting = is_waiting || is_empty;
		}
		if (err != SG_OK)
			break;
		if (is_waiting) {
			if (clock_mono_us() - moved_us >
				(int64_t)timeout_ms * 1000)
				err = sg_fault_set(why, SG_TIMEOUT,
					"no record comes of %s or the others: "
					"no broker",
					in->topics[0]);
			continue;
		}
		lane = oldest(lanes, in->ntopics, &input);
		if (lane == NULL)
			break;
		err = hand_over(lane, input, &headers, each, ctx, why);
		moved_us = clock_mono_us();
	}
	arena_fini(&headers);
	return err;
}

enum sg_err
ingest_read_all(struct ingest *in, int32_t group,
	const int64_t from[INPUTS_MAX], const int64_t to[INPUTS_MAX],
	int32_t timeout_ms, ingest_each each, void *ctx, struct sg_fault *why)
{
	struct lane *lanes = calloc(in->ntopics, sizeof(*lanes));
	enum sg_err err = lanes == NULL ? SG_NOMEM : SG_OK;

	if (err == SG_OK && in->reader == NULL)
		err = consumer_new(in, reader_props, SG_COUNTOF(reader_props),
			NULL, &in->reader, why);
	for (uint32_t i = 0; i < in->ntopics && err == SG_OK; i++)
		err = lane_open(in, &lanes[i], i, group, from[i], to[i], why);
	if (err == SG_OK)
		err = run_lanes(in, lanes, timeout_ms, each, ctx, why);
	for (uint32_t i = 0; lanes != NULL && i < in->ntopics; i++)
		lane_close(&lanes[i], group);
	free(lanes);
	return err;
}
