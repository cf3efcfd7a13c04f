/*
 * follow.c - one topic read as it grows, all partitions, by no group's member.
 *
 * What is committed comes, as for any reader of the topic. The present end of
 * a partition is where such a reader comes to a stand first: records of a
 * transaction that is open then lie behind it.
 */
#include <stdlib.h>

#include "segmentd/clock.h"

#include "consumer.h"

#define FOLLOW_BATCH 1000
#define FOLLOW_STEP_MS 100
#define FOLLOW_HEADERS_MAX ((size_t)64 << 20)

struct follow {
	const struct ingest_follow_opts *opts;
	ingest_each each;
	void *ctx;
	bool *is_done; /* by partition */
	int32_t nleft;
	int64_t moved_us;
	struct arena headers;
};

/* Where each partition begins: a position in `list`. */
static enum sg_err
clamp_offsets(struct ingest *in, const struct ingest_follow_opts *opts,
	rd_kafka_topic_partition_list_t *list, struct sg_fault *why)
{
	for (int i = 0; i < list->cnt; i++) {
		rd_kafka_topic_partition_t *part = &list->elems[i];
		int64_t low = 0, high = 0;
		enum sg_err err = consumer_range(in, part->topic,
			part->partition, opts->timeout_ms, &low, &high, why);

		if (err != SG_OK)
			return err;
		/* A time later than all that is there has no offset. */
		if (part->offset < 0 || part->offset > high)
			part->offset = high;
		if (part->offset < low)
			part->offset = low;
	}
	return SG_OK;
}

static enum sg_err
find_start(struct ingest *in, const struct ingest_follow_opts *opts,
	rd_kafka_topic_partition_list_t *list, struct sg_fault *why)
{
	bool is_by_time = opts->from_offset < 0 && opts->since_ms > 0 &&
			  opts->since_ms != INT64_MAX;
	int64_t at = opts->from_offset;
	rd_kafka_resp_err_t code;

	if (at < 0)
		at = opts->since_ms;
	if (opts->from_offset < 0 && opts->since_ms < 0)
		at = 0;
	for (int32_t i = 0; i < opts->npartitions; i++)
		rd_kafka_topic_partition_list_add(list, opts->topic, i)
			->offset = at;
	if (is_by_time) {
		code = rd_kafka_offsets_for_times(
			in->walker, list, opts->timeout_ms);
		if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
			return consumer_error(
				code, "finding a time in", opts->topic, 0, why);
	}
	return clamp_offsets(in, opts, list, why);
}

static enum sg_err
take(struct follow *f, const rd_kafka_message_t *message, struct sg_fault *why)
{
	struct record rec;

	switch (message->err) {
	case RD_KAFKA_RESP_ERR__PARTITION_EOF:
		f->moved_us = clock_mono_us();
		if (!f->is_done[message->partition]) {
			f->is_done[message->partition] = true;
			f->nleft--;
		}
		return SG_OK;
	case RD_KAFKA_RESP_ERR_NO_ERROR:
		break;
	case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
	case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
		return sg_fault_set(why, SG_OPERATOR, "%s: %s", f->opts->topic,
			rd_kafka_message_errstr(message));
	default: /* librdkafka tries again */
		return SG_OK;
	}
	f->moved_us = clock_mono_us();
	if (f->opts->is_ended && f->is_done[message->partition])
		return SG_OK;
	consumer_record(message, &f->headers, &rec);
	rec.input = UINT32_MAX;
	return f->each(f->ctx, &rec, why);
}

static enum sg_err
read_on(struct follow *f, rd_kafka_queue_t *queue, struct sg_fault *why)
{
	const struct ingest_follow_opts *opts = f->opts;
	rd_kafka_message_t *messages[FOLLOW_BATCH];
	enum sg_err err = SG_OK;

	f->moved_us = clock_mono_us();
	while (err == SG_OK && (f->nleft > 0 || !opts->is_ended)) {
		size_t n = consumer_take(
			queue, FOLLOW_STEP_MS, messages, FOLLOW_BATCH);

		if (opts->stop != NULL && atomic_load(opts->stop))
			err = SG_INTERRUPTED;
		for (size_t i = 0; i < n; i++) {
			if (err == SG_OK)
				err = take(f, messages[i], why);
			rd_kafka_message_destroy(messages[i]);
		}
		arena_reset(&f->headers);
		if (err == SG_OK && opts->is_ended &&
			clock_mono_us() - f->moved_us >
				(int64_t)opts->timeout_ms * 1000)
			err = sg_fault_set(why, SG_TIMEOUT,
				"nothing comes of %s: no broker", opts->topic);
	}
	return err;
}

enum sg_err
ingest_follow(struct ingest *in, const struct ingest_follow_opts *opts,
	ingest_each each, void *ctx, struct sg_fault *why)
{
	struct follow f = {.opts = opts,
		.each = each,
		.ctx = ctx,
		.nleft = opts->npartitions};
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_queue_t *queue;
	enum sg_err err = consumer_need_walker(in, why);

	if (err != SG_OK)
		return err;
	f.is_done = calloc((size_t)opts->npartitions + 1, sizeof(bool));
	if (f.is_done == NULL)
		return SG_NOMEM;
	arena_init(&f.headers, FOLLOW_HEADERS_MAX);
	list = rd_kafka_topic_partition_list_new(opts->npartitions);
	queue = rd_kafka_queue_get_consumer(in->walker);
	err = find_start(in, opts, list, why);
	if (err == SG_OK &&
		rd_kafka_assign(in->walker, list) != RD_KAFKA_RESP_ERR_NO_ERROR)
		err = sg_fault_set(
			why, SG_INTERNAL, "cannot read %s", opts->topic);
	if (err == SG_OK)
		err = read_on(&f, queue, why);
	(void)rd_kafka_assign(in->walker, NULL);
	rd_kafka_queue_destroy(queue);
	rd_kafka_topic_partition_list_destroy(list);
	arena_fini(&f.headers);
	free(f.is_done);
	return err;
}
