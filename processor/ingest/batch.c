/*
 * batch.c - what librdkafka has fetched, as records.
 *
 * Nothing is copied: a record points into librdkafka's message, which is kept
 * until the next poll. Headers are looked at only where there are some.
 */
#include "segmentd/clock.h"
#include "segmentd/log.h"

#include "consumer.h"

#define RANGE_WAIT_MS 2000
#define HEADERS_PER_RECORD_MAX 1024
#define BATCH_BYTES                                                            \
	((size_t)32 << 20) /* a batch is this large, or one record */

/* How many more to take, so that they are about BATCH_BYTES with what is there:
 * as large as those so far, on average. */
static size_t
room(size_t n, size_t bytes, size_t max)
{
	size_t more = (BATCH_BYTES - bytes) / (bytes / n + 1);

	if (bytes >= BATCH_BYTES || n >= max)
		return 0;
	more = more < 1 ? 1 : more;
	return more < max - n ? more : max - n;
}

/*
 * Wait for one message, then take what else is there. librdkafka's own batch
 * call would wait until the batch is full or the time is over: with little
 * traffic every record would come late by the whole time-out.
 */
size_t
consumer_take(rd_kafka_queue_t *queue, int32_t timeout_ms,
	rd_kafka_message_t **messages, size_t max)
{
	size_t n = 0, bytes = 0, want = 1;
	ssize_t got;

	while (want > 0) {
		got = rd_kafka_consume_batch_queue(
			queue, n == 0 ? timeout_ms : 0, messages + n, want);
		for (ssize_t i = 0; i < got; i++)
			bytes += messages[n++]->len;
		want = got < (ssize_t)want ? 0 : room(n, bytes, max);
	}
	return n;
}

static void
record_headers(const rd_kafka_message_t *message, struct arena *arena,
	struct record *rec)
{
	rd_kafka_headers_t *headers = NULL;
	struct record_header *list;
	size_t n;

	rec->headers = NULL;
	rec->nheaders = 0;
	if (rd_kafka_message_headers(message, &headers) !=
		RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	n = rd_kafka_header_cnt(headers);
	if (n > HEADERS_PER_RECORD_MAX)
		n = HEADERS_PER_RECORD_MAX;
	list = arena_array(arena, n, sizeof(*list));
	if (list == NULL)
		return;
	for (size_t i = 0; i < n; i++)
		if (rd_kafka_header_get_all(headers, i, &list[i].name,
			    &list[i].value,
			    &list[i].len) == RD_KAFKA_RESP_ERR_NO_ERROR)
			rec->nheaders = i + 1;
	rec->headers = list;
}

void
consumer_record(const rd_kafka_message_t *message, struct arena *headers,
	struct record *ret_rec)
{
	rd_kafka_timestamp_type_t type;

	ret_rec->partition = message->partition;
	ret_rec->offset = message->offset;
	ret_rec->kafka_ms = rd_kafka_message_timestamp(message, &type);
	ret_rec->key = message->key;
	ret_rec->key_len = message->key == NULL ? 0 : message->key_len;
	ret_rec->value = message->payload;
	ret_rec->value_len = message->payload == NULL ? 0 : message->len;
	ret_rec->writer = -1;
	record_headers(message, headers, ret_rec);
}

static int
message_input(const struct ingest *in, const rd_kafka_message_t *message)
{
	for (uint32_t i = 0; i < in->ntopics; i++)
		if (in->rkts[i] == message->rkt)
			return (int)i;
	/* Should a librdkafka hand out another handle for the same topic. */
	return message->rkt == NULL
		       ? -1
		       : consumer_input(in, rd_kafka_topic_name(message->rkt));
}

/* --- what is not a record ----------------------------------------------- */

/*
 * A broker that has just come back may refuse an offset that it has: its end
 * was not known yet, or librdkafka takes the new leader's answer for a log that
 * was cut. Then the offset is asked for again; only one that is really not
 * there needs somebody to decide.
 */
static enum sg_err
offset_is_gone(struct ingest *in, int input, const rd_kafka_message_t *message,
	struct sg_fault *why)
{
	const struct consumer_group *grp =
		consumer_group(in, message->partition);
	int64_t low = -1;
	int64_t high = -1;
	int64_t wanted = message->offset;
	uint64_t skipped;

	if (grp == NULL)
		return SG_OK;
	if (grp->next[input] > wanted)
		wanted = grp->next[input];
	if (consumer_range(in, in->topics[input], message->partition,
		    RANGE_WAIT_MS, &low, &high, why) == SG_OK &&
		(wanted < low || wanted > high))
		return sg_fault_set(why, SG_OPERATOR,
			"%s [%d] does not have offset %lld, it has %lld to "
			"%lld: records were deleted by retention, or the topic "
			"was created anew",
			in->topics[input], (int)message->partition,
			(long long)wanted, (long long)low, (long long)high);
	if (log_limit_pass(&in->complaints, &skipped))
		SG_LOG(LOG_WARN, "offset_refused",
			LOG_STR("topic", in->topics[input]),
			LOG_INT("partition", message->partition),
			LOG_INT("offset", wanted), LOG_INT("skipped", skipped),
			LOG_STR("text", rd_kafka_message_errstr(message)));
	/* Where the member has to join anew, it will be told where to start. */
	return consumer_is_dead(in) || consumer_has_rebalance(in)
		       ? SG_OK
		       : consumer_restart(in, why);
}

static enum sg_err
take_error(struct ingest *in, int input, const rd_kafka_message_t *message,
	struct sg_fault *why)
{
	const char *topic = input < 0 ? "" : in->topics[input];
	uint64_t skipped;

	switch (message->err) {
	case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
	case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
		if (input >= 0)
			return offset_is_gone(in, input, message, why);
		break;
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
		return sg_fault_set(why, SG_OPERATOR, "%s: %s", topic,
			rd_kafka_message_errstr(message));
	default:
		break;
	}
	/* The rest librdkafka tries again by itself. */
	if (log_limit_pass(&in->complaints, &skipped))
		SG_LOG(LOG_WARN, "kafka_consumer", LOG_STR("topic", topic),
			LOG_INT("partition", message->partition),
			LOG_INT("skipped", skipped),
			LOG_STR("text", rd_kafka_message_errstr(message)));
	return SG_OK;
}

/* --- a batch ------------------------------------------------------------ */

static void
release(struct ingest *in)
{
	for (size_t i = 0; i < in->nmessages; i++)
		rd_kafka_message_destroy(in->messages[i]);
	in->nmessages = 0;
	arena_reset(&in->headers);
}

static enum sg_err
take_message(struct ingest *in, const rd_kafka_message_t *message,
	struct ingest_batch *batch, struct sg_fault *why)
{
	int input = message_input(in, message);
	struct consumer_group *grp = consumer_group(in, message->partition);
	struct record *rec;

	if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR &&
		message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
		return take_error(in, input, message, why);
	/* Not ours any more, or before the place we were told to start. What
	 * is paused begins at that place again. */
	if (input < 0 || grp == NULL || message->offset < grp->next[input] ||
		(grp->paused & 1U << input) != 0)
		return SG_OK;
	if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
		grp->next[input] = message->offset;
		in->ends[batch->nends++] =
			(struct ingest_end){.input = (uint32_t)input,
				.partition = message->partition,
				.offset = message->offset};
		return SG_OK;
	}
	grp->next[input] = message->offset + 1;
	rec = &in->records[batch->nrecords++];
	rec->input = (uint32_t)input;
	consumer_record(message, &in->headers, rec);
	return SG_OK;
}

/*
 * A rebalance that came among the records waits until they have been given
 * back: until then the groups are ours as before.
 */
static enum sg_err
rebalance_if_due(struct ingest *in, struct sg_fault *why)
{
	if (in->nmessages > 0 || !consumer_has_rebalance(in))
		return SG_OK;
	return consumer_rebalance(in, why);
}

enum sg_err
ingest_poll(struct ingest *in, int32_t timeout_ms,
	struct ingest_batch *ret_batch, struct sg_fault *why)
{
	struct ingest_batch batch = {.records = in->records, .ends = in->ends};
	enum sg_err err;

	release(in);
	consumer_probe(in);
	err = rebalance_if_due(in, why);
	if (err != SG_OK)
		return err;
	in->nmessages = consumer_take(
		in->queue, timeout_ms, in->messages, in->batch_max);
	if (in->nmessages > 0)
		atomic_store_explicit(
			&in->is_down, false, memory_order_relaxed);
	if (consumer_is_dead(in)) {
		release(in);
		err = consumer_revive(in, why);
	} else {
		err = rebalance_if_due(in, why);
	}
	for (size_t i = 0; err == SG_OK && i < in->nmessages; i++)
		err = take_message(in, in->messages[i], &batch, why);
	if (err == SG_OK)
		*ret_batch = batch;
	return err;
}
