/*
 * txn.c - a transaction's life, and what its errors mean.
 *
 *      open --> begin --> produce ... --> offsets --> commit --> begin ...
 *                 ^                                     |
 *                 +------------- abort <--- ABORTABLE --+
 *
 * librdkafka sorts its errors into retriable, abortable and fatal. One thing
 * it does not tell: whether an abortable error of the commit came before or
 * after the coordinator was asked to commit. Aborting after that, and deciding
 * again, could publish a decision twice. So everything is delivered, and its
 * failure noticed, before the commit is called; what the commit itself then
 * returns is either "call again" or an unknown outcome.
 */
#include <stdlib.h>
#include <string.h>

#include "segmentd/clock.h"

#include "form.h"
#include "producing.h"

#define CLOSE_WAIT_MS 2000
#define INIT_STEP_MS 5000
#define ABORT_FLUSH_MS 2000
#define FLUSH_STEP_MS 50

/* --- what an error means ------------------------------------------------ */

static bool
is_fence(rd_kafka_resp_err_t code)
{
	return code == RD_KAFKA_RESP_ERR__FENCED ||
	       code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
	       code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

static bool
is_refusal(rd_kafka_resp_err_t code)
{
	return code == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED ||
	       code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
}

enum sg_err
producing_fatal(const struct publish *pub, struct sg_fault *why)
{
	char text[256];
	rd_kafka_resp_err_t code =
		rd_kafka_fatal_error(pub->rk, text, sizeof(text));

	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		return SG_OK;
	return sg_fault_set(why, is_fence(code) ? SG_FENCED : SG_TXN_UNKNOWN,
		"%s: %s", rd_kafka_err2name(code), text);
}

enum sg_err
producing_error(struct publish *pub, rd_kafka_error_t *error, const char *what,
	struct sg_fault *why)
{
	enum sg_err err;

	if (error == NULL)
		return SG_OK;
	if (rd_kafka_error_is_fatal(error))
		err = is_fence(rd_kafka_error_code(error)) ||
				      producing_fatal(pub, NULL) == SG_FENCED
			      ? SG_FENCED
			      : SG_TXN_UNKNOWN;
	else if (rd_kafka_error_txn_requires_abort(error))
		err = SG_TXN_ABORTABLE;
	else if (rd_kafka_error_is_retriable(error))
		err = SG_BROKER_RETRY;
	else
		err = SG_TXN_UNKNOWN;
	err = sg_fault_set(why, err, "%s: %s: %s", what,
		rd_kafka_error_name(error), rd_kafka_error_string(error));
	rd_kafka_error_destroy(error);
	return err;
}

/* The same text, another code. */
static enum sg_err
recode(struct sg_fault *why, enum sg_err err)
{
	if (why != NULL)
		why->err = err;
	return err;
}

/* --- open and close ----------------------------------------------------- */

static enum sg_err
init_transactions(struct publish *pub, int32_t timeout_ms, struct sg_fault *why)
{
	int64_t deadline_us = clock_mono_us() + (int64_t)timeout_ms * 1000;
	enum sg_err err = SG_BROKER_RETRY;
	rd_kafka_error_t *error;
	bool is_forbidden;

	while (err == SG_BROKER_RETRY) {
		int64_t left_ms = (deadline_us - clock_mono_us()) / 1000;

		if (left_ms <= 0)
			return sg_fault_set(why, SG_BROKER_DOWN,
				"no transaction coordinator answers");
		error = rd_kafka_init_transactions(pub->rk,
			left_ms < INIT_STEP_MS ? (int)left_ms : INIT_STEP_MS);
		is_forbidden =
			error != NULL && is_refusal(rd_kafka_error_code(error));
		err = producing_error(pub, error, "init_transactions", why);
		if (is_forbidden)
			return recode(why, SG_OPERATOR);
	}
	return err;
}

static enum sg_err
open_handle(struct publish *pub, const struct publish_opts *opts,
	struct sg_fault *why)
{
	const struct kafka_prop own =
		opts->is_at_least_once
			? (struct kafka_prop){"enable.idempotence", "true"}
			: (struct kafka_prop){
				  "transactional.id", opts->transactional_id};
	rd_kafka_conf_t *conf = NULL;
	enum sg_err err;

	err = producing_conf(opts->props, opts->nprops, &own, 1, &conf, why);
	if (err != SG_OK)
		return err;
	rd_kafka_conf_set_opaque(conf, pub);
	rd_kafka_conf_set_dr_msg_cb(conf, producing_delivered);
	err = producing_new(conf, &pub->rk, why);
	for (int i = 0; err == SG_OK && i < PUBLISH_TOPIC_COUNT; i++) {
		pub->rkts[i] =
			rd_kafka_topic_new(pub->rk, opts->topics[i], NULL);
		if (pub->rkts[i] == NULL)
			err = sg_fault_set(why, SG_BAD_OPTION, "topic %s: %s",
				opts->topics[i],
				rd_kafka_err2str(rd_kafka_last_error()));
	}
	return err;
}

enum sg_err
publish_open(const struct publish_opts *opts, int32_t timeout_ms,
	struct publish **ret_pub, struct sg_fault *why)
{
	struct publish *pub;
	enum sg_err err = SG_NOMEM;

	pub = calloc(1, sizeof(*pub));
	if (pub == NULL)
		goto out;
	buf_init(&pub->value, FORM_VALUE_MAX);
	pub->is_at_least_once = opts->is_at_least_once;
	pub->has_schema_ids = opts->has_schema_ids;
	memcpy(pub->schema_ids, opts->schema_ids, sizeof(pub->schema_ids));
	pub->source = strdup(opts->source);
	if (pub->source == NULL)
		goto out;
	err = open_handle(pub, opts, why);
	if (err == SG_OK && !pub->is_at_least_once)
		err = init_transactions(pub, timeout_ms, why);
	if (err != SG_OK)
		goto out;
	*ret_pub = pub;
	pub = NULL;
out:
	publish_close(pub);
	return err;
}

void
publish_close(struct publish *pub)
{
	if (pub == NULL)
		return;
	if (pub->rk != NULL) {
		/* What is not committed by now will not be. */
		(void)rd_kafka_purge(pub->rk,
			RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
		(void)rd_kafka_flush(pub->rk, CLOSE_WAIT_MS);
	}
	for (int i = 0; i < PUBLISH_TOPIC_COUNT; i++)
		if (pub->rkts[i] != NULL)
			rd_kafka_topic_destroy(pub->rkts[i]);
	if (pub->rk != NULL)
		rd_kafka_destroy(pub->rk);
	for (int32_t i = 0; i < pub->ngroups; i++)
		free(pub->groups[i]);
	free(pub->groups);
	free(pub->source);
	buf_fini(&pub->value);
	free(pub);
}

/* --- a transaction ------------------------------------------------------ */

enum sg_err
publish_begin(struct publish *pub, struct sg_fault *why)
{
	pub->failed = RD_KAFKA_RESP_ERR_NO_ERROR;
	for (int32_t i = 0; i < pub->ngroups; i++)
		if (pub->groups[i] != NULL)
			producing_forget(pub->groups[i]);
	if (pub->is_at_least_once)
		return producing_fatal(pub, why);
	return producing_error(
		pub, rd_kafka_begin_transaction(pub->rk), "begin", why);
}

static rd_kafka_topic_partition_list_t *
offset_list(const struct publish_offset *offsets, size_t n)
{
	rd_kafka_topic_partition_list_t *list =
		rd_kafka_topic_partition_list_new((int)n);

	for (size_t i = 0; i < n; i++) {
		rd_kafka_topic_partition_t *part =
			rd_kafka_topic_partition_list_add(
				list, offsets[i].topic, offsets[i].partition);

		part->offset = offsets[i].offset;
		if (offsets[i].metadata == NULL)
			continue;
		part->metadata = strdup(offsets[i].metadata);
		if (part->metadata == NULL) {
			rd_kafka_topic_partition_list_destroy(list);
			return NULL;
		}
		part->metadata_size = strlen(offsets[i].metadata);
	}
	return list;
}

enum sg_err
publish_offsets(struct publish *pub, const struct publish_offset *offsets,
	size_t n, const void *group_metadata, size_t group_metadata_len,
	int32_t timeout_ms, struct sg_fault *why)
{
	rd_kafka_consumer_group_metadata_t *cgmd = NULL;
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_error_t *error;
	enum sg_err err;

	if (pub->is_at_least_once || n == 0)
		return SG_OK;
	error = rd_kafka_consumer_group_metadata_read(
		&cgmd, group_metadata, group_metadata_len);
	if (error != NULL) {
		err = sg_fault_set(why, SG_INTERNAL, "group metadata: %s",
			rd_kafka_error_string(error));
		rd_kafka_error_destroy(error);
		return err;
	}
	list = offset_list(offsets, n);
	if (list == NULL) {
		err = SG_NOMEM;
	} else {
		error = rd_kafka_send_offsets_to_transaction(
			pub->rk, list, cgmd, timeout_ms);
		err = producing_error(pub, error, "send_offsets", why);
		rd_kafka_topic_partition_list_destroy(list);
	}
	rd_kafka_consumer_group_metadata_destroy(cgmd);
	return err;
}

/*
 * Everything acknowledged? After a first failure librdkafka neither sends nor
 * fails what else is in its queue, until that times out: so look in between.
 */
static enum sg_err
deliver(struct publish *pub, int64_t deadline_us, struct sg_fault *why)
{
	bool is_late = true;
	enum sg_err err;

	while (is_late && pub->failed == RD_KAFKA_RESP_ERR_NO_ERROR &&
		producing_fatal(pub, NULL) == SG_OK &&
		clock_mono_us() < deadline_us)
		is_late = rd_kafka_flush(pub->rk, FLUSH_STEP_MS) ==
			  RD_KAFKA_RESP_ERR__TIMED_OUT;
	err = producing_fatal(pub, why);
	if (err != SG_OK)
		return err;
	if (pub->failed != RD_KAFKA_RESP_ERR_NO_ERROR)
		return sg_fault_set(why, SG_TXN_ABORTABLE,
			"a record for %s was not delivered: %s",
			pub->failed_topic, rd_kafka_err2str(pub->failed));
	if (is_late)
		return sg_fault_set(why, SG_BROKER_RETRY,
			"%d records are not acknowledged yet",
			rd_kafka_outq_len(pub->rk));
	return SG_OK;
}

enum sg_err
publish_commit(struct publish *pub, int32_t timeout_ms, struct sg_fault *why)
{
	int64_t deadline_us = clock_mono_us() + (int64_t)timeout_ms * 1000;
	int64_t left_ms;
	enum sg_err err;

	err = deliver(pub, deadline_us, why);
	if (err != SG_OK || pub->is_at_least_once)
		return err;
	left_ms = (deadline_us - clock_mono_us()) / 1000;
	err = producing_error(pub,
		rd_kafka_commit_transaction(
			pub->rk, left_ms > 1 ? (int)left_ms : 1),
		"commit", why);
	if (err != SG_TXN_ABORTABLE)
		return err;
	/* Perhaps it was asked for: see the top of this file. */
	return recode(why, SG_TXN_UNKNOWN);
}

enum sg_err
publish_abort(struct publish *pub, int32_t timeout_ms, struct sg_fault *why)
{
	enum sg_err err;

	if (pub->is_at_least_once) {
		(void)rd_kafka_purge(pub->rk,
			RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
		(void)rd_kafka_flush(pub->rk, timeout_ms);
		return producing_fatal(pub, why);
	}
	/* A record whose sending is being repeated when the abort begins is
	 * not sent any more and not dropped either (librdkafka 2.0): the abort
	 * would last until it times out, and by then the transaction has. After
	 * a failed delivery nothing is sent: that is not waited for. */
	if (pub->failed != RD_KAFKA_RESP_ERR_NO_ERROR)
		(void)rd_kafka_purge(pub->rk, RD_KAFKA_PURGE_F_QUEUE);
	(void)rd_kafka_flush(pub->rk,
		timeout_ms < ABORT_FLUSH_MS ? timeout_ms : ABORT_FLUSH_MS);
	err = producing_error(pub,
		rd_kafka_abort_transaction(pub->rk, timeout_ms), "abort", why);
	return err == SG_TXN_ABORTABLE ? SG_TXN_UNKNOWN : err;
}

/* --- where it went ------------------------------------------------------ */

static const struct publish_span *
find_span(const struct publish *pub, enum publish_topic topic, int32_t group)
{
	static const struct publish_span none = {-1, -1};

	if (group < 0 || group >= pub->ngroups || pub->groups[group] == NULL)
		return &none;
	return &pub->groups[group]->spans[topic];
}

int64_t
publish_first_offset(
	const struct publish *pub, enum publish_topic topic, int32_t group)
{
	return find_span(pub, topic, group)->first;
}

int64_t
publish_next_offset(
	const struct publish *pub, enum publish_topic topic, int32_t group)
{
	return find_span(pub, topic, group)->next;
}
