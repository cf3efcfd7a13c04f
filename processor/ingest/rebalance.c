/*
 * rebalance.c - partition groups come and go.
 *
 * A rebalance is eager: everything is revoked, then assigned anew, so no group
 * is ever half ours.
 *
 * librdkafka calls back in the midst of taking records off the queue, when
 * some of those taken may be of the assignment that ends. Nothing is done
 * there but to note it. The group waits for our assign() call, and that is
 * made by ingest_poll() with no records in hand; all records before it are of
 * the old assignment, all after it of the new one.
 *
 *      callback      ingest_poll()
 *      revoke ---->  revoked()   assign(nothing)
 *      assign ---->  assigned()  ingest_start()...  assign(with offsets)
 */
#include <stdlib.h>
#include <string.h>

#include "segmentd/clock.h"
#include "segmentd/log.h"

#include "consumer.h"

#define SEEK_WAIT_MS 10000
#define SEEK_STEP_MS 5

int
consumer_input(const struct ingest *in, const char *topic)
{
	for (uint32_t i = 0; i < in->ntopics; i++)
		if (strcmp(in->topics[i], topic) == 0)
			return (int)i;
	return -1;
}

struct consumer_group *
consumer_group(const struct ingest *in, int32_t partition)
{
	if (partition < 0 || partition >= in->ngroups ||
		!in->groups[partition].is_assigned)
		return NULL;
	return &in->groups[partition];
}

static enum sg_err
make_room(struct ingest *in, int32_t partition, struct sg_fault *why)
{
	struct consumer_group *groups;
	int32_t *numbers;
	size_t n;

	if (partition < in->ngroups)
		return SG_OK;
	if (partition < 0 || partition >= INGEST_PARTITIONS_MAX)
		return sg_fault_set(why, SG_LIMIT,
			"partition %d; up to %d are supported", (int)partition,
			INGEST_PARTITIONS_MAX);
	n = (size_t)partition + 1;
	numbers = realloc(in->numbers, n * sizeof(*numbers));
	if (numbers == NULL)
		return SG_NOMEM;
	in->numbers = numbers;
	groups = realloc(in->groups, n * sizeof(*groups));
	if (groups == NULL)
		return SG_NOMEM;
	in->groups = groups;
	memset(groups + in->ngroups, 0,
		(n - (size_t)in->ngroups) * sizeof(*groups));
	in->ngroups = (int32_t)n;
	return SG_OK;
}

/* Note in each group which inputs the list has of it. */
static enum sg_err
note_present(struct ingest *in, const rd_kafka_topic_partition_list_t *list,
	struct sg_fault *why)
{
	for (int32_t i = 0; i < in->ngroups; i++)
		in->groups[i].present = 0;
	for (int i = 0; i < list->cnt; i++) {
		const rd_kafka_topic_partition_t *part = &list->elems[i];
		int input = consumer_input(in, part->topic);
		enum sg_err err = make_room(in, part->partition, why);

		if (err != SG_OK)
			return err;
		if (input >= 0)
			in->groups[part->partition].present |= 1U << input;
	}
	return SG_OK;
}

/* The complete groups into in->numbers; a half one is a failure. */
static enum sg_err
collect_groups(struct ingest *in, size_t *ret_n, struct sg_fault *why)
{
	uint32_t all = (uint32_t)((UINT64_C(1) << in->ntopics) - 1);
	size_t n = 0;

	for (int32_t i = 0; i < in->ngroups; i++) {
		uint32_t missing = all & ~in->groups[i].present;

		if (in->groups[i].present == 0)
			continue;
		if (missing != 0)
			return sg_fault_set(why, SG_BAD_CONFIG,
				"partition %d was assigned without that of "
				"%s: every member of group %s must read the "
				"same topics, with the same number of "
				"partitions. If some gained partitions: "
				"docs/kafka.md",
				(int)i, in->topics[__builtin_ctz(missing)],
				in->group_id);
		in->numbers[n++] = i;
	}
	*ret_n = n;
	return SG_OK;
}

static int64_t
first_offset(const struct ingest *in, int64_t start)
{
	if (start != INGEST_OFFSET_NONE)
		return start;
	return in->is_from_latest ? RD_KAFKA_OFFSET_END
				  : RD_KAFKA_OFFSET_BEGINNING;
}

static void
put_group(const struct ingest *in, int32_t partition, uint32_t inputs,
	bool is_seek, rd_kafka_topic_partition_list_t *list)
{
	const struct consumer_group *grp = &in->groups[partition];

	for (uint32_t i = 0; i < in->ntopics; i++) {
		if ((inputs & 1U << i) == 0)
			continue;
		rd_kafka_topic_partition_list_add(
			list, in->topics[i], partition)
			->offset = is_seek && grp->next[i] > 0
					   ? grp->next[i]
					   : first_offset(in, grp->start[i]);
	}
}

static enum sg_err
hand_to_librdkafka(
	struct ingest *in, size_t n, bool is_seek, struct sg_fault *why)
{
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_resp_err_t code;

	list = rd_kafka_topic_partition_list_new((int)(n * in->ntopics));
	for (size_t i = 0; i < n; i++)
		put_group(in, in->numbers[i], UINT32_MAX, is_seek, list);
	code = rd_kafka_assign(in->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		return SG_OK;
	return sg_fault_set(why, SG_FENCED, "the assignment was refused: %s",
		rd_kafka_err2str(code));
}

static enum sg_err
take_groups(struct ingest *in, size_t n, struct sg_fault *why)
{
	enum sg_err err;

	for (size_t i = 0; i < n; i++) {
		struct consumer_group *grp = &in->groups[in->numbers[i]];

		grp->is_assigned = true;
		grp->is_started = false;
		grp->paused = 0;
	}
	in->is_assigning = true;
	err = in->events.assigned(in->events.ctx, in->numbers, n, why);
	in->is_assigning = false;
	for (size_t i = 0; err == SG_OK && i < n; i++)
		if (!in->groups[in->numbers[i]].is_started)
			err = sg_fault_set(why, SG_INTERNAL,
				"assigned() did not start group %d",
				(int)in->numbers[i]);
	return err;
}

static void
drop_all(struct ingest *in)
{
	for (int32_t i = 0; i < in->ngroups; i++)
		in->groups[i].is_assigned = false;
}

static void
revoke(struct ingest *in)
{
	/* A fenced instance has lost its groups, though librdkafka revokes
	 * them as if it had not. */
	bool is_dead = consumer_is_dead(in);
	bool is_lost = is_dead || rd_kafka_assignment_lost(in->rk) != 0;
	size_t n = 0;

	for (int32_t i = 0; i < in->ngroups; i++)
		if (in->groups[i].is_assigned)
			in->numbers[n++] = i;
	if (is_lost && !is_dead)
		atomic_store(&in->lost_at_us, clock_mono_us());
	if (n == 0)
		return;
	SG_LOG(LOG_INFO, "revoked", LOG_STR("instance", in->instance),
		LOG_INT("groups", n), LOG_BOOL("is_lost", is_lost));
	in->events.revoked(in->events.ctx, in->numbers, n, is_lost);
	drop_all(in);
}

static enum sg_err
assign(struct ingest *in, const rd_kafka_topic_partition_list_t *list,
	struct sg_fault *why)
{
	int64_t began_us = clock_mono_us();
	enum sg_err err;
	size_t n = 0;

	err = note_present(in, list, why);
	if (err == SG_OK)
		err = collect_groups(in, &n, why);
	if (err == SG_OK)
		err = take_groups(in, n, why);
	if (err == SG_OK)
		err = hand_to_librdkafka(in, n, false, why);
	SG_LOG(LOG_INFO, "assigned", LOG_STR("instance", in->instance),
		LOG_INT("groups", n),
		LOG_INT("ms", (clock_mono_us() - began_us) / 1000),
		LOG_STR("err", sg_err_name(err)));
	if (err != SG_OK) {
		drop_all(in);
		(void)rd_kafka_assign(in->rk, NULL);
	}
	return err;
}

void
consumer_on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code,
	rd_kafka_topic_partition_list_t *list, void *opaque)
{
	struct ingest *in = opaque;

	(void)rk;
	if (in->coming != NULL)
		rd_kafka_topic_partition_list_destroy(in->coming);
	in->coming = NULL;
	in->is_rebalancing = true;
	/* An assignment that comes while closing is not worth a take-over. */
	if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS && !in->is_closing)
		in->coming = rd_kafka_topic_partition_list_copy(list);
	rd_kafka_queue_yield(in->queue); /* do not wait for a record now */
}

bool
consumer_has_rebalance(const struct ingest *in)
{
	return in->is_rebalancing;
}

void
consumer_let_go(struct ingest *in)
{
	revoke(in);
	if (in->is_rebalancing)
		(void)rd_kafka_assign(in->rk, NULL);
	in->is_rebalancing = false;
}

enum sg_err
consumer_rebalance(struct ingest *in, struct sg_fault *why)
{
	rd_kafka_topic_partition_list_t *coming = in->coming;
	enum sg_err err;

	in->coming = NULL;
	if (coming == NULL) {
		consumer_let_go(in);
		return SG_OK;
	}
	in->is_rebalancing = false;
	revoke(in);
	err = assign(in, coming, why);
	rd_kafka_topic_partition_list_destroy(coming);
	return err;
}

/* --- where to read from ------------------------------------------------- */

static enum sg_err
read_seek_errors(const rd_kafka_topic_partition_list_t *list,
	bool *ret_is_early, struct sg_fault *why)
{
	*ret_is_early = false;
	for (int i = 0; i < list->cnt; i++) {
		const rd_kafka_topic_partition_t *part = &list->elems[i];

		if (part->err == RD_KAFKA_RESP_ERR_NO_ERROR)
			continue;
		*ret_is_early = part->err == RD_KAFKA_RESP_ERR__STATE;
		return sg_fault_set(why, SG_BROKER_DOWN,
			"cannot seek in %s [%d]: %s", part->topic,
			(int)part->partition, rd_kafka_err2str(part->err));
	}
	return SG_OK;
}

static enum sg_err
try_seek(struct ingest *in, int32_t partition, uint32_t inputs,
	bool *ret_is_early, struct sg_fault *why)
{
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_error_t *error;
	enum sg_err err;

	list = rd_kafka_topic_partition_list_new((int)in->ntopics);
	put_group(in, partition, inputs, true, list);
	error = rd_kafka_seek_partitions(in->rk, list, SEEK_WAIT_MS);
	if (error == NULL) {
		err = read_seek_errors(list, ret_is_early, why);
	} else {
		err = sg_fault_set(why, SG_BROKER_DOWN,
			"cannot seek in partition %d: %s", (int)partition,
			rd_kafka_error_string(error));
		rd_kafka_error_destroy(error);
	}
	rd_kafka_topic_partition_list_destroy(list);
	return err;
}

enum sg_err
consumer_seek(struct ingest *in, int32_t partition, uint32_t inputs,
	struct sg_fault *why)
{
	int64_t deadline_us = clock_mono_us() + SEEK_WAIT_MS * INT64_C(1000);
	bool is_early = false;
	enum sg_err err;

	/* A partition that was just assigned is not being fetched yet, and
	 * until then librdkafka refuses to seek in it. */
	do {
		if (is_early)
			clock_sleep_ms(SEEK_STEP_MS);
		err = try_seek(in, partition, inputs, &is_early, why);
	} while (err != SG_OK && is_early && clock_mono_us() < deadline_us);
	return err != SG_OK && is_early ? consumer_restart(in, why) : err;
}

/*
 * librdkafka stops fetching a partition for good when an offset was refused,
 * and refuses to seek in it, too. Assigning it anew is what it understands; and
 * it takes nothing less than all of them.
 */
enum sg_err
consumer_restart(struct ingest *in, struct sg_fault *why)
{
	size_t n = 0;

	for (int32_t i = 0; i < in->ngroups; i++)
		if (in->groups[i].is_assigned)
			in->numbers[n++] = i;
	return hand_to_librdkafka(in, n, true, why);
}

enum sg_err
ingest_start(struct ingest *in, int32_t group, const int64_t offset[INPUTS_MAX],
	struct sg_fault *why)
{
	struct consumer_group *grp = consumer_group(in, group);

	if (grp == NULL)
		return sg_fault_set(why, SG_INTERNAL,
			"group %d is not assigned", (int)group);
	for (uint32_t i = 0; i < in->ntopics; i++) {
		grp->start[i] = offset[i];
		grp->next[i] = offset[i] < 0 ? 0 : offset[i];
	}
	grp->is_started = true;
	if (in->is_assigning)
		return SG_OK;
	return consumer_seek(in, group, UINT32_MAX, why);
}

void
ingest_pause(struct ingest *in, uint32_t input, int32_t group, bool is_paused)
{
	struct consumer_group *grp = consumer_group(in, group);
	rd_kafka_topic_partition_list_t *list;
	struct sg_fault why = {.err = SG_OK};
	uint32_t bit = 1U << input;

	if (grp == NULL || input >= in->ntopics ||
		((grp->paused & bit) != 0) == is_paused)
		return;
	list = rd_kafka_topic_partition_list_new(1);
	(void)rd_kafka_topic_partition_list_add(list, in->topics[input], group);
	if (is_paused) {
		(void)rd_kafka_pause_partitions(in->rk, list);
		grp->paused |= bit;
	} else {
		/* Resuming begins where librdkafka thinks we were when it
		 * paused, which a batch can get wrong: it counts the end of a
		 * partition as a record. We know better, and say so before
		 * it fetches again: at an offset beyond the end it would stop
		 * reading the partition. */
		if (consumer_seek(in, group, bit, &why) != SG_OK)
			SG_LOG(LOG_WARN, "seek_failed",
				LOG_STR("topic", in->topics[input]),
				LOG_INT("partition", group),
				LOG_STR("why", why.text));
		(void)rd_kafka_resume_partitions(in->rk, list);
		grp->paused &= ~bit;
	}
	rd_kafka_topic_partition_list_destroy(list);
}

void
ingest_hold(struct ingest *in, uint32_t input, int32_t group, int64_t offset)
{
	struct consumer_group *grp = consumer_group(in, group);

	if (grp == NULL || input >= in->ntopics)
		return;
	ingest_pause(in, input, group, true);
	grp->next[input] = offset;
}
