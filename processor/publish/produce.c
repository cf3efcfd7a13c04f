/*
 * produce.c - records with their headers, and what became of them.
 *
 * Headers are CloudEvents' binary mode: the value stays plain Avro, and
 * whoever knows CloudEvents finds id, type, source and time without decoding.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "segmentd/civil.h"
#include "segmentd/clock.h"

#include "form.h"
#include "producing.h"

#define QUEUE_WAIT_MS 30000
#define QUEUE_STEP_MS 50
#define SERVE_EVERY 256
#define CONFLUENT_BYTES 5
#define NUMBER_MAX 24

/* A record on its way to librdkafka. `value` NULL is a tombstone. */
struct outgoing {
	enum publish_topic topic;
	int32_t group;
	const void *key;
	size_t key_len;
	const void *value;
	size_t value_len;
};

/* --- what became of it -------------------------------------------------- */

void
producing_forget(struct publish_group *grp)
{
	for (int i = 0; i < PUBLISH_TOPIC_COUNT; i++)
		grp->spans[i] = (struct publish_span){-1, -1};
}

void
producing_delivered(
	rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
	struct publish *pub = opaque;
	struct publish_span *span = message->_private;

	(void)rk;
	if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
		if (pub->failed != RD_KAFKA_RESP_ERR_NO_ERROR)
			return;
		pub->failed = message->err;
		(void)snprintf(pub->failed_topic, sizeof(pub->failed_topic),
			"%s", rd_kafka_topic_name(message->rkt));
		return;
	}
	/* A repeat that the broker recognised has no offset. */
	if (message->offset < 0)
		return;
	if (span->first < 0 || message->offset < span->first)
		span->first = message->offset;
	if (message->offset >= span->next)
		span->next = message->offset + 1;
}

static enum sg_err
find_group(struct publish *pub, int32_t number, struct publish_group **ret_grp,
	struct sg_fault *why)
{
	if (number < 0 || number >= PARTITIONS_MAX)
		return sg_fault_set(why, SG_LIMIT, "partition %d", (int)number);
	if (number >= pub->ngroups) {
		size_t n = (size_t)number + 1;
		struct publish_group **groups = realloc(
			pub->groups, n * sizeof(struct publish_group *));

		if (groups == NULL)
			return SG_NOMEM;
		for (size_t i = (size_t)pub->ngroups; i < n; i++)
			groups[i] = NULL;
		pub->groups = groups;
		pub->ngroups = number + 1;
	}
	if (pub->groups[number] == NULL) {
		struct publish_group *grp = malloc(sizeof(*grp));

		if (grp == NULL)
			return SG_NOMEM;
		producing_forget(grp);
		pub->groups[number] = grp;
	}
	*ret_grp = pub->groups[number];
	return SG_OK;
}

/* --- sending ------------------------------------------------------------ */

static enum sg_err
send_error(const struct publish *pub, const struct outgoing *out,
	rd_kafka_resp_err_t code, struct sg_fault *why)
{
	enum sg_err err = producing_fatal(pub, why);

	if (err != SG_OK)
		return err;
	switch (code) {
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
		err = SG_LIMIT;
		break;
	case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
		err = SG_BAD_CONFIG;
		break;
	default:
		err = SG_TXN_ABORTABLE;
		break;
	}
	return sg_fault_set(why, err, "a record for %s [%d]: %s",
		rd_kafka_topic_name(pub->rkts[out->topic]), (int)out->group,
		rd_kafka_err2str(code));
}

/* Takes the headers over, also when it fails. */
static enum sg_err
send_record(struct publish *pub, const struct outgoing *out,
	rd_kafka_headers_t *headers, struct sg_fault *why)
{
	int64_t deadline_us = clock_mono_us() + QUEUE_WAIT_MS * INT64_C(1000);
	struct publish_group *grp = NULL;
	rd_kafka_resp_err_t code;
	enum sg_err err = find_group(pub, out->group, &grp, why);

	if (err != SG_OK) {
		rd_kafka_headers_destroy(headers);
		return err;
	}
	for (;;) {
		code = rd_kafka_producev(pub->rk,
			RD_KAFKA_V_RKT(pub->rkts[out->topic]),
			RD_KAFKA_V_PARTITION(out->group),
			RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
			RD_KAFKA_V_KEY(out->key, out->key_len),
			RD_KAFKA_V_VALUE((void *)out->value, out->value_len),
			RD_KAFKA_V_HEADERS(headers),
			RD_KAFKA_V_OPAQUE(&grp->spans[out->topic]),
			RD_KAFKA_V_END);
		if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL ||
			clock_mono_us() > deadline_us)
			break;
		(void)rd_kafka_poll(pub->rk, QUEUE_STEP_MS);
	}
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
		rd_kafka_headers_destroy(headers);
		return send_error(pub, out, code, why);
	}
	if (++pub->nsent % SERVE_EVERY == 0)
		(void)rd_kafka_poll(pub->rk, 0);
	return SG_OK;
}

/* --- headers ------------------------------------------------------------ */

static void
add(rd_kafka_headers_t *headers, const char *name, const char *value)
{
	(void)rd_kafka_header_add(headers, name, -1, value, -1);
}

static void
add_number(rd_kafka_headers_t *headers, const char *name, int64_t number)
{
	char text[NUMBER_MAX];

	(void)snprintf(text, sizeof(text), "%" PRId64, number);
	add(headers, name, text);
}

static rd_kafka_headers_t *
new_headers(const struct publish *pub, const char *id, const char *type,
	int64_t at_ms, const char *account)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new(8);
	char time[CIVIL_RFC3339_MAX];

	(void)civil_format_ms(at_ms, time, sizeof(time));
	add(headers, "ce_specversion", "1.0");
	add(headers, "ce_id", id);
	add(headers, "ce_source", pub->source);
	add(headers, "ce_type", type);
	add(headers, "ce_time", time);
	add(headers, "ce_subject", account);
	return headers;
}

/* --- what is published -------------------------------------------------- */

/*
 * The value is encoded behind a single-object frame. A Confluent frame is
 * shorter: it is written over the end of that one.
 */
static void
frame_value(struct publish *pub, struct outgoing *out)
{
	uint8_t *frame = pub->value.bytes + FORM_FRAME_BYTES - CONFLUENT_BYTES;
	uint32_t id = (uint32_t)pub->schema_ids[out->topic];

	if (!pub->has_schema_ids)
		return;
	frame[0] = 0;
	for (int i = 0; i < 4; i++)
		frame[1 + i] = (uint8_t)(id >> (24 - 8 * i));
	out->value = frame;
	out->value_len = pub->value.len - FORM_FRAME_BYTES + CONFLUENT_BYTES;
}

static enum sg_err
send_value(struct publish *pub, enum publish_topic topic, int32_t group,
	const char *account, rd_kafka_headers_t *headers, struct sg_fault *why)
{
	struct outgoing out = {
		.topic = topic,
		.group = group,
		.key = account,
		.key_len = strlen(account),
		.value = pub->value.bytes,
		.value_len = pub->value.len,
	};

	frame_value(pub, &out);
	add(headers, "content-type", "application/avro");
	return send_record(pub, &out, headers, why);
}

enum sg_err
publish_change(struct publish *pub, int32_t group, const struct change *change,
	uint64_t change_number, struct sg_fault *why)
{
	rd_kafka_headers_t *headers;
	enum sg_err err;

	buf_reset(&pub->value);
	err = publish_change_avro(change, &pub->value, why);
	if (err != SG_OK)
		return err;
	headers = new_headers(pub, change->change_id, "segmentd.change.v1",
		change->evaluated_at_ms, change->account);
	add_number(headers, "cno", (int64_t)change_number);
	err = send_value(
		pub, PUBLISH_CHANGES, group, change->account, headers, why);
	if (err != SG_OK || strcmp(change->segmentation, "renewal") != 0)
		return err;

	buf_reset(&pub->value);
	err = form_renewal_avro(change, &pub->value, why);
	if (err != SG_OK)
		return err;
	headers = new_headers(pub, change->change_id, "segmentd.renewal.v1",
		change->evaluated_at_ms, change->account);
	return send_value(
		pub, PUBLISH_RENEWALS, group, change->account, headers, why);
}

enum sg_err
publish_image(struct publish *pub, int32_t group,
	const struct membership_image *image, const char *decided,
	struct sg_fault *why)
{
	const struct outgoing tombstone = {
		.topic = PUBLISH_CURRENT,
		.group = group,
		.key = image->account,
		.key_len = strlen(image->account),
	};
	char id[ACCOUNT_ID_MAX + NUMBER_MAX + 1];
	rd_kafka_headers_t *headers;
	enum sg_err err;

	(void)snprintf(id, sizeof(id), "%s/%" PRIu64, image->account,
		image->account_version);
	buf_reset(&pub->value);
	if (!image->is_deleted) {
		err = publish_image_avro(image, &pub->value, why);
		if (err != SG_OK)
			return err;
	}
	headers = new_headers(pub, id,
		image->is_deleted ? "segmentd.deleted.v1"
				  : "segmentd.current.v1",
		image->updated_at_ms, image->account);
	add_number(headers, "account_version", (int64_t)image->account_version);
	if (decided != NULL)
		add(headers, FORM_DECIDED_HEADER, decided);
	if (!image->is_deleted)
		return send_value(pub, PUBLISH_CURRENT, group, image->account,
			headers, why);
	add_number(headers, "updated_at", image->updated_at_ms);
	return send_record(pub, &tombstone, headers, why);
}

/* --- rejects ------------------------------------------------------------ */

/* How much of a record is passed on: with our headers, one that just fitted
 * into its own topic may be too large. */
enum cut { CUT_NOTHING, CUT_VALUE, CUT_ALL };

static rd_kafka_headers_t *
reject_headers(const struct record *rec, const struct publish_reason *reason,
	enum cut cut)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new(rec->nheaders + 9);

	for (size_t i = 0; cut != CUT_ALL && i < rec->nheaders; i++)
		(void)rd_kafka_header_add(headers, rec->headers[i].name, -1,
			rec->headers[i].value, (ssize_t)rec->headers[i].len);
	add(headers, "segmentd_reason", sg_err_name(reason->err));
	add(headers, "segmentd_detail",
		reason->detail == NULL ? "" : reason->detail);
	if (reason->schema != NULL)
		add(headers, "segmentd_schema", reason->schema);
	add(headers, "segmentd_topic", reason->topic);
	add_number(headers, "segmentd_partition", rec->partition);
	add_number(headers, "segmentd_offset", rec->offset);
	add_number(headers, "segmentd_timestamp", rec->kafka_ms);
	if (cut != CUT_NOTHING)
		add(headers, "segmentd_cut",
			cut == CUT_VALUE ? "value" : "value,key,headers");
	return headers;
}

enum sg_err
publish_reject(struct publish *pub, int32_t group, const struct record *rec,
	const struct publish_reason *reason, struct sg_fault *why)
{
	struct outgoing out = {
		.topic = PUBLISH_REJECTS,
		.group = group,
		.key = rec->key,
		.key_len = rec->key_len,
		.value = rec->value,
		.value_len = rec->value_len,
	};
	enum sg_err err = SG_LIMIT;

	for (int cut = CUT_NOTHING; err == SG_LIMIT && cut <= CUT_ALL; cut++) {
		if (cut >= CUT_VALUE)
			out.value = NULL, out.value_len = 0;
		if (cut == CUT_ALL)
			out.key = NULL, out.key_len = 0;
		err = send_record(pub, &out,
			reject_headers(rec, reason, (enum cut)cut), why);
	}
	return err;
}
