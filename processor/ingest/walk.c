/*
 * walk.c - read one partition of an output back, to its end as it is now.
 *
 * The end is the uncommitted high watermark at the beginning of the walk: what
 * our predecessor had committed lies below it. A reader of committed records
 * may not get there at once, because another producer's open transaction hides
 * everything behind its first record; so the walk waits until the last stable
 * offset has passed the mark. librdkafka reports having reached the last
 * stable offset as the partition's end, and again each time it has moved.
 */
#include "segmentd/clock.h"

#include "consumer.h"

#define WALK_BATCH 1000
#define WALK_STEP_MS 100
#define WALK_HEADERS_MAX ((size_t)64 << 20)

struct walk {
	const char *topic;
	int32_t partition;
	int64_t next;
	int64_t end;
	enum sg_err (*each)(
		void *ctx, const struct record *rec, struct sg_fault *why);
	void *ctx;
	struct arena headers;
};

static const struct consumer_prop walker_props[] = {
	{"isolation.level", "read_committed", false},
	{"fetch.wait.max.ms", "20", false},
};

enum sg_err
consumer_need_walker(struct ingest *in, struct sg_fault *why)
{
	if (in->walker != NULL)
		return SG_OK;
	return consumer_new(in, walker_props, SG_COUNTOF(walker_props), NULL,
		&in->walker, why);
}

static enum sg_err
assign(struct ingest *in, const struct walk *walk, struct sg_fault *why)
{
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_resp_err_t code;

	list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(list, walk->topic, walk->partition)
		->offset = walk->next;
	code = rd_kafka_assign(in->walker, list);
	rd_kafka_topic_partition_list_destroy(list);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		return SG_OK;
	return sg_fault_set(why, SG_INTERNAL, "cannot read %s [%d]: %s",
		walk->topic, (int)walk->partition, rd_kafka_err2str(code));
}

static enum sg_err
take(struct walk *walk, const rd_kafka_message_t *message, struct sg_fault *why)
{
	struct record rec;

	switch (message->err) {
	case RD_KAFKA_RESP_ERR__PARTITION_EOF:
		if (message->offset > walk->next)
			walk->next = message->offset;
		return SG_OK;
	case RD_KAFKA_RESP_ERR_NO_ERROR:
		break;
	case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
	case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
		return sg_fault_set(why, SG_OPERATOR, "%s [%d] at %lld: %s",
			walk->topic, (int)walk->partition,
			(long long)walk->next,
			rd_kafka_message_errstr(message));
	default: /* librdkafka tries again; the time-out decides */
		return SG_OK;
	}
	if (message->partition != walk->partition ||
		message->offset < walk->next)
		return SG_OK;
	consumer_record(message, &walk->headers, &rec);
	rec.input = UINT32_MAX;
	walk->next = message->offset + 1;
	return walk->each(walk->ctx, &rec, why);
}

static enum sg_err
read_on(struct walk *walk, rd_kafka_queue_t *queue, struct sg_fault *why)
{
	rd_kafka_message_t *messages[WALK_BATCH];
	enum sg_err err = SG_OK;
	size_t n = consumer_take(queue, WALK_STEP_MS, messages, WALK_BATCH);

	for (size_t i = 0; i < n; i++) {
		/* Records beyond the end are not of our predecessor. */
		if (err == SG_OK && walk->next < walk->end)
			err = take(walk, messages[i], why);
		rd_kafka_message_destroy(messages[i]);
	}
	arena_reset(&walk->headers);
	return err;
}

static enum sg_err
read_to_end(struct ingest *in, struct walk *walk, int32_t timeout_ms,
	struct sg_fault *why)
{
	rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(in->walker);
	int64_t moved_us = clock_mono_us();
	enum sg_err err = assign(in, walk, why);

	while (err == SG_OK && walk->next < walk->end) {
		int64_t before = walk->next;

		err = read_on(walk, queue, why);
		if (walk->next > before)
			moved_us = clock_mono_us();
		else if (err == SG_OK && clock_mono_us() - moved_us >
						 (int64_t)timeout_ms * 1000)
			err = sg_fault_set(why, SG_TIMEOUT,
				"%s [%d] stays at %lld, before its end %lld: "
				"an open transaction of another producer, or "
				"no broker",
				walk->topic, (int)walk->partition,
				(long long)walk->next, (long long)walk->end);
	}
	(void)rd_kafka_assign(in->walker, NULL);
	rd_kafka_queue_destroy(queue);
	return err;
}

static enum sg_err
check_range(struct walk *walk, int64_t offset, int64_t low, int64_t high,
	struct sg_fault *why)
{
	walk->next = offset == INGEST_OFFSET_NONE ? low : offset;
	walk->end = high;
	if (walk->next >= low && walk->next <= high)
		return SG_OK;
	return sg_fault_set(why, SG_OPERATOR,
		"%s [%d] does not have offset %lld, it has %lld to %lld: "
		"records were deleted, or the topic was created anew",
		walk->topic, (int)walk->partition, (long long)walk->next,
		(long long)low, (long long)high);
}

enum sg_err
ingest_walk(struct ingest *in, const char *topic, int32_t group, int64_t offset,
	int32_t timeout_ms,
	enum sg_err (*each)(
		void *ctx, const struct record *rec, struct sg_fault *why),
	void *ctx, int64_t *ret_next, struct sg_fault *why)
{
	struct walk walk = {
		.topic = topic, .partition = group, .each = each, .ctx = ctx};
	int64_t low = 0;
	int64_t high = 0;
	enum sg_err err;

	err = consumer_range(in, topic, group, timeout_ms, &low, &high, why);
	if (err == SG_OK)
		err = check_range(&walk, offset, low, high, why);
	if (err == SG_OK)
		err = consumer_need_walker(in, why);
	if (err != SG_OK)
		return err;
	arena_init(&walk.headers, WALK_HEADERS_MAX);
	err = read_to_end(in, &walk, timeout_ms, why);
	arena_fini(&walk.headers);
	if (err == SG_OK)
		*ret_next = walk.next;
	return err;
}
