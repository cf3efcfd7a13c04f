/*
 * position.c - where a group stands, and who we are to its coordinator.
 *
 * Committed offsets are read as a reader of committed records reads: while a
 * transaction with offsets of the group is open, the coordinator does not
 * answer, librdkafka asks again, and the time-out decides.
 *
 * Group metadata is handed on as bytes, since librdkafka's own type stays in
 * this folder and that of the producer. It is refused where it would not fence
 * anything: the coordinator takes offsets from a member without a generation
 * as it takes those of a program outside of any group.
 */
#include <string.h>

#include "segmentd/log.h"

#include "consumer.h"

#define REFRESH_WAIT_MS 2000

/*
 * A topic that is not known is no mistake here: it was there at the start
 * (ingest_check_topics()), and a broker that comes to after a pause, fenced by
 * its controller, does not know of leaders and partitions for a moment.
 */
enum sg_err
consumer_error(rd_kafka_resp_err_t code, const char *what, const char *topic,
	int32_t partition, struct sg_fault *why)
{
	enum sg_err err = SG_BROKER_DOWN;

	switch (code) {
	case RD_KAFKA_RESP_ERR__TIMED_OUT:
	case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
		err = SG_TIMEOUT;
		break;
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
		err = SG_OPERATOR;
		break;
	case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
	case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
	case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
	case RD_KAFKA_RESP_ERR__FATAL:
		err = SG_FENCED;
		break;
	case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
		err = SG_BROKER_RETRY;
		break;
	default:
		break;
	}
	return sg_fault_set(why, err, "%s of %s [%d]: %s", what, topic,
		(int)partition, rd_kafka_err2str(code));
}

static rd_kafka_topic_partition_list_t *
list_of_group(const struct ingest *in, int32_t group)
{
	rd_kafka_topic_partition_list_t *list =
		rd_kafka_topic_partition_list_new((int)in->ntopics);

	for (uint32_t i = 0; i < in->ntopics; i++)
		(void)rd_kafka_topic_partition_list_add(
			list, in->topics[i], group);
	return list;
}

/* Elements of a list are in the order of the inputs. */
static enum sg_err
read_committed(const rd_kafka_topic_partition_list_t *list, struct arena *arena,
	struct ingest_position *ret_pos, struct sg_fault *why)
{
	struct ingest_position pos = {.metadata = NULL};

	for (int i = 0; i < list->cnt; i++) {
		const rd_kafka_topic_partition_t *part = &list->elems[i];

		if (part->err != RD_KAFKA_RESP_ERR_NO_ERROR)
			return consumer_error(part->err, "committed offset",
				part->topic, part->partition, why);
		pos.offset[i] =
			part->offset < 0 ? INGEST_OFFSET_NONE : part->offset;
		if (part->metadata == NULL || part->metadata_size == 0)
			continue;
		pos.own[i] =
			arena_copy(arena, part->metadata, part->metadata_size);
		if (pos.own[i] == NULL)
			return SG_NOMEM;
		if (pos.metadata == NULL)
			pos.metadata = pos.own[i];
	}
	for (int i = list->cnt; i < INPUTS_MAX; i++)
		pos.offset[i] = INGEST_OFFSET_NONE;
	*ret_pos = pos;
	return SG_OK;
}

static enum sg_err
ask_committed(const struct ingest *in, rd_kafka_t *rk, int32_t group,
	int32_t timeout_ms, struct arena *arena,
	struct ingest_position *ret_pos, struct sg_fault *why)
{
	rd_kafka_topic_partition_list_t *list = list_of_group(in, group);
	rd_kafka_resp_err_t code = rd_kafka_committed(rk, list, timeout_ms);
	enum sg_err err;

	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		err = read_committed(list, arena, ret_pos, why);
	else
		err = consumer_error(
			code, "committed offset", in->topics[0], group, why);
	rd_kafka_topic_partition_list_destroy(list);
	return err;
}

enum sg_err
ingest_committed(struct ingest *in, int32_t group, int32_t timeout_ms,
	struct arena *arena, struct ingest_position *ret_pos,
	struct sg_fault *why)
{
	enum sg_err err = SG_OK;

	/* An onlooker asks as its walker: one that reads what is committed. To
	 * others the coordinator answers with the offsets from before a
	 * transaction that is committed and not yet written down everywhere. */
	if (in->rk == NULL)
		err = consumer_need_walker(in, why);
	if (err != SG_OK)
		return err;
	return ask_committed(in, in->rk != NULL ? in->rk : in->walker, group,
		timeout_ms, arena, ret_pos, why);
}

enum sg_err
ingest_committed_before(struct ingest *in, int32_t group, int32_t timeout_ms,
	struct arena *arena, struct ingest_position *ret_pos,
	struct sg_fault *why)
{
	return ask_committed(
		in, in->asker, group, timeout_ms, arena, ret_pos, why);
}

/*
 * Who leads the partitions of a topic? librdkafka asks for offsets whom its
 * cache names. When that one is no leader any more, it does not look for the
 * new one of a topic that it neither reads nor writes, for a quarter of an
 * hour; when it has gone, librdkafka waits for it until the socket's time-out,
 * whatever it was told. So we look first, each time.
 */
static void
refresh_leaders(struct ingest *in, const char *topic)
{
	const struct rd_kafka_metadata *md = NULL;
	rd_kafka_topic_t *rkt = rd_kafka_topic_new(in->asker, topic, NULL);

	if (rkt == NULL)
		return;
	if (rd_kafka_metadata(in->asker, 0, rkt, &md, REFRESH_WAIT_MS) ==
		RD_KAFKA_RESP_ERR_NO_ERROR)
		rd_kafka_metadata_destroy(md);
	rd_kafka_topic_destroy(rkt);
}

/*
 * The answers to a list of questions for offsets (the offset is the time that
 * is asked for). librdkafka leaves a question that nobody answered as it was,
 * and says that all went well.
 */
static rd_kafka_resp_err_t
ask_offsets(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *list,
	int32_t timeout_ms)
{
	rd_kafka_resp_err_t code =
		rd_kafka_offsets_for_times(rk, list, timeout_ms);

	for (int i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && i < list->cnt;
		i++) {
		code = list->elems[i].err;
		if (code == RD_KAFKA_RESP_ERR_NO_ERROR &&
			list->elems[i].offset < 0)
			code = RD_KAFKA_RESP_ERR__NO_OFFSET;
	}
	return code;
}

static rd_kafka_resp_err_t
ask_offset(const struct ingest *in, const char *topic, int32_t partition,
	int64_t which, int32_t timeout_ms, int64_t *ret_offset)
{
	rd_kafka_topic_partition_list_t *list =
		rd_kafka_topic_partition_list_new(1);
	rd_kafka_resp_err_t code;

	rd_kafka_topic_partition_list_add(list, topic, partition)->offset =
		which;
	code = ask_offsets(in->asker, list, timeout_ms);
	*ret_offset = list->elems[0].offset;
	rd_kafka_topic_partition_list_destroy(list);
	return code;
}

/*
 * One question after the other. rd_kafka_query_watermark_offsets() asks both at
 * once, and when one of the answers is an error that the other one overtakes,
 * it returns a range that is not the partition's, and no error.
 */
enum sg_err
consumer_range(struct ingest *in, const char *topic, int32_t partition,
	int32_t timeout_ms, int64_t *ret_low, int64_t *ret_high,
	struct sg_fault *why)
{
	rd_kafka_resp_err_t code;
	int64_t low = -1, high = -1;

	refresh_leaders(in, topic);
	code = ask_offset(in, topic, partition, RD_KAFKA_OFFSET_BEGINNING,
		timeout_ms, &low);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		code = ask_offset(in, topic, partition, RD_KAFKA_OFFSET_END,
			timeout_ms, &high);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return consumer_error(
			code, "first and last offset", topic, partition, why);
	*ret_low = low;
	*ret_high = high;
	return SG_OK;
}

enum sg_err
ingest_watermarks(struct ingest *in, int32_t group, int32_t timeout_ms,
	int64_t ret_low[INPUTS_MAX], int64_t ret_high[INPUTS_MAX],
	struct sg_fault *why)
{
	enum sg_err err = SG_OK;

	for (uint32_t i = 0; err == SG_OK && i < in->ntopics; i++)
		err = consumer_range(in, in->topics[i], group, timeout_ms,
			&ret_low[i], &ret_high[i], why);
	return err;
}

enum sg_err
ingest_commit(struct ingest *in, int32_t group,
	const int64_t offset[INPUTS_MAX],
	const char *const metadata[INPUTS_MAX], struct sg_fault *why)
{
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_resp_err_t code;
	enum sg_err err = SG_OK;

	if (consumer_group(in, group) == NULL)
		return sg_fault_set(
			why, SG_FENCED, "group %d is not assigned", (int)group);
	list = list_of_group(in, group);
	for (int i = 0; err == SG_OK && i < list->cnt; i++) {
		rd_kafka_topic_partition_t *part = &list->elems[i];

		part->offset = offset[i];
		part->metadata = strdup(metadata[i]); /* freed with the list */
		part->metadata_size = strlen(metadata[i]);
		if (part->metadata == NULL)
			err = SG_NOMEM;
	}
	if (err == SG_OK) {
		code = rd_kafka_commit(in->rk, list, 0);
		if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
			err = consumer_error(
				code, "commit", in->topics[0], group, why);
	}
	for (int i = 0; err == SG_OK && i < list->cnt; i++)
		if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR)
			err = consumer_error(list->elems[i].err, "commit",
				in->topics[i], group, why);
	rd_kafka_topic_partition_list_destroy(list);
	return err;
}

int64_t
ingest_lag(const struct ingest *in, uint32_t input, int32_t group)
{
	const struct consumer_group *grp = consumer_group(in, group);
	int64_t low = -1;
	int64_t high = -1;

	if (grp == NULL || input >= in->ntopics ||
		rd_kafka_get_watermark_offsets(in->rk, in->topics[input], group,
			&low, &high) != RD_KAFKA_RESP_ERR_NO_ERROR ||
		high < 0)
		return -1;
	return high > grp->next[input] ? high - grp->next[input] : 0;
}

enum sg_err
ingest_ends(struct ingest *in, const int32_t *groups, size_t n,
	int32_t timeout_ms, int64_t (*ret_ends)[INPUTS_MAX],
	struct sg_fault *why)
{
	rd_kafka_topic_partition_list_t *list =
		rd_kafka_topic_partition_list_new((int)(n * in->ntopics));
	rd_kafka_resp_err_t code;
	enum sg_err err = SG_OK;
	int at = 0;

	for (size_t g = 0; g < n; g++)
		for (uint32_t i = 0; i < in->ntopics; i++)
			rd_kafka_topic_partition_list_add(
				list, in->topics[i], groups[g])
				->offset = RD_KAFKA_OFFSET_END;
	/* All of them in one request a broker. */
	code = ask_offsets(in->rk, list, timeout_ms);
	for (size_t g = 0; g < n; g++)
		for (uint32_t i = 0; i < in->ntopics; i++)
			ret_ends[g][i] = list->elems[at++].offset;
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		err = consumer_error(code, "end", in->topics[0], -1, why);
	rd_kafka_topic_partition_list_destroy(list);
	return err;
}

/* --- who we are in the consumer group ------------------------------------ */

static enum sg_err
write_metadata(const rd_kafka_consumer_group_metadata_t *cgmd, void **ret_bytes,
	size_t *ret_len, struct sg_fault *why)
{
	rd_kafka_error_t *error;
	enum sg_err err;

	error = rd_kafka_consumer_group_metadata_write(
		cgmd, ret_bytes, ret_len);
	if (error == NULL)
		return SG_OK;
	err = sg_fault_set(why, SG_INTERNAL, "group metadata: %s",
		rd_kafka_error_string(error));
	rd_kafka_error_destroy(error);
	return err;
}

/*
 * Would these bytes be written for a consumer that has no generation? The
 * broker accepts offsets of such a one unfenced. librdkafka has no way to ask
 * for the generation, and its serialised form is its own affair: so write what
 * must not be, and compare.
 */
static enum sg_err
has_no_generation(const struct ingest *in, const char *member,
	const void *bytes, size_t len, bool *ret_is, struct sg_fault *why)
{
	rd_kafka_consumer_group_metadata_t *none;
	void *none_bytes = NULL;
	size_t none_len = 0;
	enum sg_err err;

	none = rd_kafka_consumer_group_metadata_new_with_genid(
		in->group_id, -1, member, in->instance);
	if (none == NULL)
		return SG_NOMEM;
	err = write_metadata(none, &none_bytes, &none_len, why);
	if (err == SG_OK)
		*ret_is =
			len == none_len && memcmp(bytes, none_bytes, len) == 0;
	if (none_bytes != NULL)
		rd_kafka_mem_free(NULL, none_bytes);
	rd_kafka_consumer_group_metadata_destroy(none);
	return err;
}

enum sg_err
ingest_group_metadata(struct ingest *in, struct buf *out, struct sg_fault *why)
{
	rd_kafka_consumer_group_metadata_t *cgmd;
	char *member = NULL;
	void *bytes = NULL;
	size_t len = 0;
	bool is_none = true;
	enum sg_err err;

	cgmd = rd_kafka_consumer_group_metadata(in->rk);
	member = rd_kafka_memberid(in->rk);
	if (cgmd == NULL || member == NULL || member[0] == '\0') {
		err = sg_fault_set(why, SG_FENCED, "not a member of group %s",
			in->group_id);
		goto out;
	}
	err = write_metadata(cgmd, &bytes, &len, why);
	if (err == SG_OK)
		err = has_no_generation(in, member, bytes, len, &is_none, why);
	if (err == SG_OK && is_none)
		err = sg_fault_set(why, SG_FENCED,
			"no generation of group %s yet", in->group_id);
	if (err == SG_OK) {
		buf_put(out, bytes, len);
		err = out->is_failed ? SG_NOMEM : SG_OK;
	}
out:
	if (bytes != NULL)
		rd_kafka_mem_free(NULL, bytes);
	if (member != NULL)
		rd_kafka_mem_free(in->rk, member);
	if (cgmd != NULL)
		rd_kafka_consumer_group_metadata_destroy(cgmd);
	return err;
}
