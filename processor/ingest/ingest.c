/*
 * ingest.c - a consumer of all inputs: its settings, its beginning and end.
 *
 * Three handles of librdkafka. The consumer proper is a static member of the
 * group and reads what is committed. Its records, rebalances and errors come
 * out of one queue, which ingest_poll() empties on the worker's thread: that
 * is what makes the callbacks run there, and batches safe against them.
 *
 * The asker is there because "the end of a partition" has two meanings. To a
 * reader of committed records the broker answers with the last stable offset,
 * which stands still while any transaction is open. The true high watermark,
 * which a take-over has to reach, is told only to readers of uncommitted ones.
 *
 * The walker reads outputs back. It is not a member of anything.
 *
 * Given up: one handle for all three would save two threads and some
 * connections for each worker.
 */
#include "segmentd/ingest.h"

#include <stdlib.h>
#include <string.h>

#include "segmentd/clock.h"
#include "segmentd/log.h"

#include "consumer.h"

#define HEADERS_MAX_BYTES ((size_t)64 << 20)
#define PROBE_PAUSE_US INT64_C(500000)
#define PROBE_WAIT_MS 50
#define CLOSE_STEP_MS 50
#define LOST_LATELY_US INT64_C(60000000)

/* Every handle has these; a user's property comes first where it may. */
static const struct consumer_prop common_props[] = {
	{"client.id", "segmentd", true},
	{"allow.auto.create.topics", "false", true},
	{"socket.nagle.disable", "true", true},
	{"reconnect.backoff.max.ms", "1000", true},
	{"retry.backoff.ms", "20", true},
	{"enable.auto.commit", "false", false},
	{"enable.auto.offset.store", "false", false},
	{"auto.offset.reset", "error", false},
	{"enable.partition.eof", "true", false},
};

/*
 * librdkafka 2.0 stops fetching for up to a second whenever its queue reaches
 * one of the queued.* limits, so they are set to be reached only by a stall of
 * a second or more. fetch.wait.max.ms is how long a newly assigned or sought
 * partition waits for the fetch that is under way.
 */
static const struct consumer_prop member_props[] = {
	{"isolation.level", "read_committed", false},
	{"partition.assignment.strategy", "range", false},
	{"session.timeout.ms", "10000", true},
	{"queued.min.messages", "10000000", true},
	{"queued.max.messages.kbytes", "262144", true},
	{"fetch.wait.max.ms", "100", true},
	{"fetch.error.backoff.ms", "100", true},
};

static const struct consumer_prop asker_props[] = {
	{"isolation.level", "read_uncommitted", false},
	/* How long a request to a broker that has gone is waited for. */
	{"socket.timeout.ms", "5000", false},
	{"fetch.wait.max.ms", "100", false},
};

static void
on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	kafka_log(rd_kafka_name(rk), level, facility, text);
}

static void
note_lost(struct ingest *in)
{
	if (atomic_load(&in->fenced_at_us) == 0)
		atomic_store(&in->lost_at_us, clock_mono_us());
}

/*
 * The member's. That contact was lost comes as an event, too, but after what
 * follows from it: a member that joins again after its broker was away may be
 * told at once that it is fenced, by itself. What comes after that is no more
 * than its consequence: a fenced member's session times out. Runs in
 * librdkafka's threads.
 */
static void
on_member_log(
	const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	struct ingest *in = rd_kafka_opaque(rk);

	if (in != NULL && strcmp(facility, "FATAL") == 0)
		atomic_store(&in->fenced_at_us, clock_mono_us());
	else if (in != NULL && (strcmp(facility, "FAIL") == 0 ||
				       strcmp(facility, "SESSTMOUT") == 0))
		note_lost(in);
	on_log(rk, level, facility, text);
}

/* librdkafka goes on trying by itself, whatever the error: noted, not acted
 * upon. Its log line comes through on_log(). */
static void
on_error(rd_kafka_t *rk, int code, const char *text, void *opaque)
{
	struct ingest *in = opaque;

	(void)rk;
	if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
		atomic_store_explicit(&in->is_down, true, memory_order_relaxed);
		note_lost(in);
		SG_LOG(LOG_WARN, "kafka_down", LOG_STR("text", text));
	}
}

static bool
user_has(const struct ingest *in, const char *name)
{
	for (size_t i = 0; i < in->nprops; i++) {
		const char *set = in->props[i].name;

		if (set != NULL && strcmp(set, name) == 0)
			return true;
	}
	return false;
}

static enum sg_err
conf_set(rd_kafka_conf_t *conf, const char *name, const char *value,
	struct sg_fault *why)
{
	char text[256];

	if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) ==
		RD_KAFKA_CONF_OK)
		return SG_OK;
	return sg_fault_set(why, SG_BAD_OPTION, "kafka: %s", text);
}

static enum sg_err
conf_set_all(rd_kafka_conf_t *conf, const struct ingest *in,
	const struct consumer_prop *props, size_t nprops, struct sg_fault *why)
{
	enum sg_err err = SG_OK;

	for (size_t i = 0; err == SG_OK && i < nprops; i++)
		if (!props[i].is_default || !user_has(in, props[i].name))
			err = conf_set(
				conf, props[i].name, props[i].value, why);
	return err;
}

enum sg_err
consumer_new(const struct ingest *in, const struct consumer_prop *props,
	size_t nprops, struct ingest *callbacks, rd_kafka_t **ret_rk,
	struct sg_fault *why)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	enum sg_err err = SG_OK;
	rd_kafka_t *rk;
	char text[256];

	for (size_t i = 0; err == SG_OK && i < in->nprops; i++)
		err = conf_set(
			conf, in->props[i].name, in->props[i].value, why);
	if (err == SG_OK)
		err = conf_set_all(
			conf, in, common_props, SG_COUNTOF(common_props), why);
	if (err == SG_OK)
		err = conf_set_all(conf, in, props, nprops, why);
	if (err == SG_OK)
		err = conf_set(conf, "group.id", in->group_id, why);
	if (err == SG_OK && callbacks != NULL)
		err = conf_set(conf, "group.instance.id", in->instance, why);
	if (err != SG_OK)
		goto out;

	rd_kafka_conf_set_log_cb(conf, on_log);
	if (callbacks != NULL) {
		rd_kafka_conf_set_opaque(conf, callbacks);
		rd_kafka_conf_set_log_cb(conf, on_member_log);
		rd_kafka_conf_set_error_cb(conf, on_error);
		rd_kafka_conf_set_rebalance_cb(conf, consumer_on_rebalance);
	}
	rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
	if (rk == NULL) {
		err = sg_fault_set(why, SG_BAD_OPTION, "kafka: %s", text);
		goto out;
	}
	*ret_rk = rk;
	return SG_OK;
out:
	rd_kafka_conf_destroy(conf);
	return err;
}

static enum sg_err
copy_props(struct ingest *in, const struct ingest_opts *opts)
{
	in->props = calloc(opts->nprops + 1, sizeof(*in->props));
	if (in->props == NULL)
		return SG_NOMEM;
	for (size_t i = 0; i < opts->nprops; i++) {
		char *name = strdup(opts->props[i].name);
		char *value = strdup(opts->props[i].value);

		if (name == NULL || value == NULL) {
			free(name);
			free(value);
			return SG_NOMEM;
		}
		in->props[in->nprops++] = (struct kafka_prop){name, value};
	}
	return SG_OK;
}

static enum sg_err
copy_opts(struct ingest *in, const struct ingest_opts *opts)
{
	if (copy_props(in, opts) != SG_OK)
		return SG_NOMEM;
	in->group_id = strdup(opts->group);
	in->instance = strdup(opts->instance);
	if (in->group_id == NULL || in->instance == NULL)
		return SG_NOMEM;
	for (size_t i = 0; i < opts->ntopics; i++) {
		in->topics[i] = strdup(opts->topics[i]);
		if (in->topics[i] == NULL)
			return SG_NOMEM;
		in->ntopics++;
	}
	in->is_from_latest = opts->is_from_latest;
	in->batch_max = opts->batch_max;
	in->messages = calloc(opts->batch_max, sizeof(rd_kafka_message_t *));
	in->records = calloc(opts->batch_max, sizeof(*in->records));
	in->ends = calloc(opts->batch_max, sizeof(*in->ends));
	if (in->messages == NULL || in->records == NULL || in->ends == NULL)
		return SG_NOMEM;
	return SG_OK;
}

static enum sg_err
check_opts(const struct ingest_opts *opts, struct sg_fault *why)
{
	size_t index;

	if (opts->ntopics == 0 || opts->ntopics > INPUTS_MAX)
		return sg_fault_set(why, SG_BAD_OPTION,
			"%zu inputs; 1 to %d are possible", opts->ntopics,
			INPUTS_MAX);
	if (opts->group[0] == '\0' || opts->instance[0] == '\0')
		return sg_fault_set(why, SG_BAD_OPTION,
			"group and instance must not be empty");
	if (opts->batch_max == 0 || opts->batch_max > (1 << 24))
		return sg_fault_set(
			why, SG_BAD_OPTION, "batch_max %zu", opts->batch_max);
	return kafka_props_check(opts->props, opts->nprops, &index, why);
}

/* Holding the topics makes the pointers in records comparable. */
static enum sg_err
subscribe(struct ingest *in, struct sg_fault *why)
{
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_resp_err_t code;

	for (uint32_t i = 0; i < in->ntopics; i++) {
		in->rkts[i] = rd_kafka_topic_new(in->rk, in->topics[i], NULL);
		if (in->rkts[i] == NULL)
			return sg_fault_set(why, SG_BAD_OPTION, "topic %s: %s",
				in->topics[i],
				rd_kafka_err2str(rd_kafka_last_error()));
	}
	list = rd_kafka_topic_partition_list_new((int)in->ntopics);
	for (uint32_t i = 0; i < in->ntopics; i++)
		(void)rd_kafka_topic_partition_list_add(
			list, in->topics[i], RD_KAFKA_PARTITION_UA);
	code = rd_kafka_subscribe(in->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return sg_fault_set(why, SG_BAD_OPTION, "cannot subscribe: %s",
			rd_kafka_err2str(code));
	return SG_OK;
}

static enum sg_err
open_member(struct ingest *in, struct sg_fault *why)
{
	enum sg_err err;

	err = consumer_new(
		in, member_props, SG_COUNTOF(member_props), in, &in->rk, why);
	if (err != SG_OK)
		return err;
	(void)rd_kafka_poll_set_consumer(in->rk);
	in->queue = rd_kafka_queue_get_consumer(in->rk);
	return subscribe(in, why);
}

enum sg_err
consumer_open(const struct ingest_opts *opts,
	const struct ingest_events *events, struct ingest **ret_ingest,
	struct sg_fault *why)
{
	struct ingest *in = NULL;
	enum sg_err err;

	err = check_opts(opts, why);
	if (err != SG_OK)
		return err;
	in = calloc(1, sizeof(*in));
	if (in == NULL)
		return SG_NOMEM;
	if (events != NULL)
		in->events = *events;
	in->is_down = true; /* until somebody answers */
	arena_init(&in->headers, HEADERS_MAX_BYTES);
	err = copy_opts(in, opts);
	if (err != SG_OK)
		goto out;
	err = consumer_new(in, asker_props, SG_COUNTOF(asker_props), NULL,
		&in->asker, why);
	if (err == SG_OK && events != NULL)
		err = open_member(in, why);
	if (err != SG_OK)
		goto out;
	*ret_ingest = in;
	in = NULL;
out:
	ingest_close(in, 0);
	return err;
}

enum sg_err
ingest_open(const struct ingest_opts *opts, const struct ingest_events *events,
	struct ingest **ret_ingest, struct sg_fault *why)
{
	return consumer_open(opts, events, ret_ingest, why);
}

static void
serve_close(rd_kafka_queue_t *queue)
{
	rd_kafka_message_t *late[16];
	ssize_t n;

	/* Serves callbacks; what else is still in the queue is not wanted.
	 * (rd_kafka_queue_poll_callback() would end in an assertion on it.) */
	n = rd_kafka_consume_batch_queue(
		queue, CLOSE_STEP_MS, late, SG_COUNTOF(late));
	for (ssize_t i = 0; i < n; i++)
		rd_kafka_message_destroy(late[i]);
}

/* Leave the group. rd_kafka_consumer_close() would wait for ever for a broker
 * that does not answer. */
static void
leave(struct ingest *in, int32_t timeout_ms)
{
	int64_t deadline_us = clock_mono_us() + (int64_t)timeout_ms * 1000;
	rd_kafka_queue_t *queue = rd_kafka_queue_new(in->rk);
	rd_kafka_error_t *error;

	error = rd_kafka_consumer_close_queue(in->rk, queue);
	if (error != NULL) {
		rd_kafka_error_destroy(error);
	} else {
		while (!rd_kafka_consumer_closed(in->rk) &&
			clock_mono_us() < deadline_us) {
			if (consumer_has_rebalance(in))
				consumer_let_go(in);
			serve_close(queue);
		}
	}
	/* Also when no broker told us to. */
	consumer_let_go(in);
	rd_kafka_queue_destroy(queue);
}

static void
close_member(struct ingest *in)
{
	bool is_left = in->rk == NULL || rd_kafka_consumer_closed(in->rk) != 0;

	if (in->queue != NULL)
		rd_kafka_queue_destroy(in->queue);
	in->queue = NULL;
	for (uint32_t i = 0; i < in->ntopics; i++) {
		if (in->rkts[i] != NULL)
			rd_kafka_topic_destroy(in->rkts[i]);
		in->rkts[i] = NULL;
	}
	if (in->coming != NULL)
		rd_kafka_topic_partition_list_destroy(in->coming);
	in->coming = NULL;
	in->is_rebalancing = false;
	if (in->rk != NULL)
		rd_kafka_destroy_flags(in->rk,
			is_left ? 0 : RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	in->rk = NULL;
}

static void
close_handles(struct ingest *in, int32_t timeout_ms)
{
	for (size_t i = 0; i < in->nmessages; i++)
		rd_kafka_message_destroy(in->messages[i]);
	in->nmessages = 0;
	in->is_closing = true;
	if (in->queue != NULL && timeout_ms > 0)
		leave(in, timeout_ms);
	close_member(in);
	if (in->asker != NULL)
		rd_kafka_destroy_flags(
			in->asker, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	if (in->walker != NULL)
		rd_kafka_destroy_flags(
			in->walker, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	if (in->reader != NULL)
		rd_kafka_destroy_flags(
			in->reader, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

void
ingest_close(struct ingest *in, int32_t timeout_ms)
{
	if (in == NULL)
		return;
	close_handles(in, timeout_ms);
	for (size_t i = 0; i < in->nprops; i++) {
		free((char *)in->props[i].name);
		free((char *)in->props[i].value);
	}
	for (uint32_t i = 0; i < in->ntopics; i++)
		free(in->topics[i]);
	free(in->props);
	free(in->group_id);
	free(in->instance);
	free(in->groups);
	free(in->numbers);
	free(in->messages);
	free(in->records);
	free(in->ends);
	arena_fini(&in->headers);
	free(in);
}

/* --- a member that cannot go on ------------------------------------------ */

bool
consumer_is_dead(const struct ingest *in)
{
	return rd_kafka_fatal_error(in->rk, NULL, 0) !=
	       RD_KAFKA_RESP_ERR_NO_ERROR;
}

/*
 * The coordinator said that another member has our instance name. After the
 * broker was away for longer than the session, that other is ourselves: we
 * join anew, and a heartbeat of before, still on its way, is answered with
 * this. librdkafka gives up for good then; so begin with a new handle. When
 * contact was not lost, it is true.
 */
enum sg_err
consumer_revive(struct ingest *in, struct sg_fault *why)
{
	char text[256];
	int64_t lost_at_us, fenced_at_us;

	(void)rd_kafka_fatal_error(in->rk, text, sizeof(text));
	consumer_let_go(in);
	lost_at_us = atomic_load(&in->lost_at_us);
	fenced_at_us = atomic_load(&in->fenced_at_us);
	if (lost_at_us == 0 || fenced_at_us - lost_at_us > LOST_LATELY_US)
		return sg_fault_set(why, SG_OPERATOR,
			"instance %s: %s (another process runs with this "
			"instance name)",
			in->instance, text);
	SG_LOG(LOG_WARN, "consumer_reopened", LOG_STR("instance", in->instance),
		LOG_STR("text", text));
	close_member(in);
	atomic_store(&in->fenced_at_us, 0);
	return open_member(in, why);
}

/* --- is the broker there ------------------------------------------------ */

bool
ingest_is_connected(const struct ingest *in)
{
	return !atomic_load_explicit(&in->is_down, memory_order_relaxed);
}

/*
 * librdkafka tells when all brokers are gone, but not when one is back. So
 * while none is known to be there, ask, now and then and briefly: there is
 * nothing else to do.
 */
void
consumer_probe(struct ingest *in)
{
	const struct rd_kafka_metadata *md = NULL;
	int64_t now_us = clock_mono_us();

	if (ingest_is_connected(in) || now_us < in->probe_at_us)
		return;
	if (rd_kafka_metadata(in->rk, 0, NULL, &md, PROBE_WAIT_MS) ==
		RD_KAFKA_RESP_ERR_NO_ERROR) {
		rd_kafka_metadata_destroy(md);
		atomic_store_explicit(
			&in->is_down, false, memory_order_relaxed);
	}
	in->probe_at_us = clock_mono_us() + PROBE_PAUSE_US;
}

/* --- are the inputs partitioned alike ----------------------------------- */

static void
put_counts(const struct ingest_opts *opts, const int32_t *counts,
	struct sg_fault *why)
{
	struct buf text;

	buf_init(&text, sizeof(why->text));
	for (size_t i = 0; i < opts->ntopics; i++) {
		buf_put_str(&text, i == 0 ? "" : ", ");
		if (counts[i] == 0)
			buf_printf(&text, "%s is missing", opts->topics[i]);
		else
			buf_printf(&text, "%s has %d", opts->topics[i],
				(int)counts[i]);
	}
	(void)sg_fault_set(why, SG_BAD_CONFIG,
		"all input topics must be there, with one number of "
		"partitions, keyed and partitioned alike: %s. If some gained "
		"partitions: docs/kafka.md",
		buf_cstr(&text));
	buf_fini(&text);
}

enum sg_err
ingest_check_topics(const struct ingest_opts *opts, int32_t timeout_ms,
	int32_t *ret_npartitions, struct sg_fault *why)
{
	int32_t counts[INPUTS_MAX] = {0};
	enum sg_err err;

	err = check_opts(opts, why);
	if (err != SG_OK)
		return err;
	err = kafka_partition_counts(opts->props, opts->nprops, opts->topics,
		opts->ntopics, timeout_ms, counts, why);
	if (err != SG_OK)
		return err;
	for (size_t i = 0; i < opts->ntopics; i++) {
		if (counts[i] != 0 && counts[i] == counts[0])
			continue;
		put_counts(opts, counts, why);
		return SG_BAD_CONFIG;
	}
	*ret_npartitions = counts[0];
	return SG_OK;
}
