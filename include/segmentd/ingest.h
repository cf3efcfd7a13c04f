/*
 * ingest.h - records from Kafka, in batches, partition group by group.
 *
 * One struct ingest a worker: a consumer of all input topics with static
 * membership (group.instance.id) and range assignment, so that partition N of
 * every input comes to the same worker: a partition group.
 *
 * Thread: the worker's; callbacks run inside ingest_poll() and ingest_close().
 */
#ifndef SEGMENTD_INGEST_H
#define SEGMENTD_INGEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segmentd/arena.h"
#include "segmentd/buf.h"
#include "segmentd/err.h"
#include "segmentd/event.h"
#include "segmentd/kafka.h"
#include "segmentd/record.h"

#define INGEST_OFFSET_NONE (-1001)	/* no committed offset */
#define INGEST_PARTITIONS_MAX (1 << 17) /* of one topic */

struct ingest_opts {
	const struct kafka_prop *props;
	size_t nprops;
	const char *group;
	const char *instance;	   /* group.instance.id: never empty */
	const char *const *topics; /* by input index */
	size_t ntopics;
	size_t batch_max; /* records of a batch */
	/* Where to begin when nothing was ever committed. */
	bool is_from_latest;
};

struct ingest;

/*
 * The rebalance callbacks. `groups` are partition numbers; none of them when
 * this instance stands by. In assigned() the owner finds out (Redis,
 * ingest_committed()) where each group starts and calls ingest_start() for
 * each; in revoked() it finishes and lets go. `is_lost`: the groups are already
 * somebody else's, nothing can be committed. An error of assigned() is returned
 * by ingest_poll(); nothing is assigned then until the next rebalance.
 *
 * A rebalance takes all groups away and assigns anew, also those that stay.
 * assigned() holds up the consumer: ingest_poll() has to be called again
 * within max.poll.interval.ms (5 minutes by default), else the groups go to
 * somebody else.
 */
struct ingest_events {
	enum sg_err (*assigned)(void *ctx, const int32_t *groups, size_t n,
		struct sg_fault *why);
	void (*revoked)(
		void *ctx, const int32_t *groups, size_t n, bool is_lost);
	void *ctx;
};

/* Subscribes. Errors: SG_BAD_OPTION (a property librdkafka refuses, or one
 * that segmentd sets itself: named), SG_NOMEM. `events` is copied. */
SG_MUSTCHECK enum sg_err
ingest_open(const struct ingest_opts *opts, const struct ingest_events *events,
	struct ingest **ret_ingest, struct sg_fault *why);

/* Leaves the group (runs revoked()) within `timeout_ms`. The broker keeps the
 * partitions for this instance until its session ends, so that a restart finds
 * them again without a rebalance. */
void
ingest_close(struct ingest *ingest, int32_t timeout_ms);

/*
 * Are all topics there, with the same number of partitions? *ret_npartitions
 * is that number. Errors: SG_BROKER_DOWN; SG_BAD_CONFIG: missing topics and
 * differing counts, all of them, by name and number.
 */
SG_MUSTCHECK enum sg_err
ingest_check_topics(const struct ingest_opts *opts, int32_t timeout_ms,
	int32_t *ret_npartitions, struct sg_fault *why);

/* --- a batch ------------------------------------------------------------ */

struct ingest_end {
	uint32_t input;
	int32_t partition;
	int64_t offset; /* next offset that will be written there */
};

/* Records keep their order within (input, partition). */
struct ingest_batch {
	const struct record *records;
	size_t nrecords;
	/* Inputs that have been read to their present end. */
	const struct ingest_end *ends;
	size_t nends;
};

/*
 * Wait up to `timeout_ms` for a record, take what is there, up to batch_max.
 * An empty batch is fine. The batch is valid until the next poll.
 *
 * An input's end (in `ends`) may lie beyond its last record: Kafka's own
 * markers of transactions take an offset each.
 *
 * Errors: SG_BROKER_DOWN is not returned while librdkafka is retrying by
 * itself (it is logged, and ingest_is_connected() tells). SG_OPERATOR when an
 * offset is out of range (retention, topic recreated): topic, offset, range;
 * or access is refused, or another process runs with this instance name.
 * SG_BAD_CONFIG when partition N of one input came without
 * partition N of the others. What assigned() returned.
 */
SG_MUSTCHECK enum sg_err
ingest_poll(struct ingest *ingest, int32_t timeout_ms,
	struct ingest_batch *ret_batch, struct sg_fault *why);

bool
ingest_is_connected(const struct ingest *ingest);

/* Stop and go on fetching one input of a group (event-time merge, limits). */
void
ingest_pause(
	struct ingest *ingest, uint32_t input, int32_t group, bool is_paused);

/* Stop fetching one input of a group, and forget what came of it from `offset`
 * on: going on with ingest_pause(..., false) begins there again. */
void
ingest_hold(
	struct ingest *ingest, uint32_t input, int32_t group, int64_t offset);

/* --- positions ---------------------------------------------------------- */

struct ingest_position {
	int64_t offset[INPUTS_MAX]; /* by input; INGEST_OFFSET_NONE */
	const char *metadata; /* of the first input that has one; NULL none */
	const char *own[INPUTS_MAX]; /* the metadata of each; NULL none */
};

/* G: committed offsets of a group, read_committed (waits for a pending
 * transaction). The metadata lies in `arena`. Errors: SG_TIMEOUT when that is
 * still pending, or the broker does not answer. */
SG_MUSTCHECK enum sg_err
ingest_committed(struct ingest *ingest, int32_t group, int32_t timeout_ms,
	struct arena *arena, struct ingest_position *ret_pos,
	struct sg_fault *why);

/* The same without waiting: those from before a pending transaction. No place
 * to go on from, but its metadata says who has been at work. */
SG_MUSTCHECK enum sg_err
ingest_committed_before(struct ingest *ingest, int32_t group,
	int32_t timeout_ms, struct arena *arena,
	struct ingest_position *ret_pos, struct sg_fault *why);

/* First offset of each input of a group, and the one after the last; records
 * of open transactions count. */
SG_MUSTCHECK enum sg_err
ingest_watermarks(struct ingest *ingest, int32_t group, int32_t timeout_ms,
	int64_t ret_low[INPUTS_MAX], int64_t ret_high[INPUTS_MAX],
	struct sg_fault *why);

/* Begin reading a group at `offset` (INGEST_OFFSET_NONE: as the options say).
 * Only inside assigned(), or on a group that is assigned (a seek). */
SG_MUSTCHECK enum sg_err
ingest_start(struct ingest *ingest, int32_t group,
	const int64_t offset[INPUTS_MAX], struct sg_fault *why);

/* Commit the position of a group outside of a transaction, for delivery:
 * at_least_once. Errors: SG_FENCED when the group is somebody else's by now;
 * SG_BROKER_RETRY. */
SG_MUSTCHECK enum sg_err
ingest_commit(struct ingest *ingest, int32_t group,
	const int64_t offset[INPUTS_MAX],
	const char *const metadata[INPUTS_MAX], struct sg_fault *why);

/* Lag of an assigned partition as last reported by the broker; -1 unknown. */
int64_t
ingest_lag(const struct ingest *ingest, uint32_t input, int32_t group);

/*
 * Where the assigned partitions end now, as their brokers say: what is
 * committed lies before. By input, for each of `n` groups. Errors: any when one
 * of them does not answer within `timeout_ms`.
 */
SG_MUSTCHECK enum sg_err
ingest_ends(struct ingest *ingest, const int32_t *groups, size_t n,
	int32_t timeout_ms, int64_t (*ret_ends)[INPUTS_MAX],
	struct sg_fault *why);

/* The consumer group metadata as bytes, for publish_offsets(). Refuses a
 * generation < 0 or an empty member id with SG_FENCED. */
SG_MUSTCHECK enum sg_err
ingest_group_metadata(
	struct ingest *ingest, struct buf *out, struct sg_fault *why);

/* --- looking on ----------------------------------------------------------- */

/*
 * Without being a member of the group: it takes no partitions from anybody. Of
 * the calls above, ingest_committed() and ingest_watermarks() can be used, and
 * those below. `opts->instance` is of no matter.
 */
SG_MUSTCHECK enum sg_err
ingest_open_onlooker(const struct ingest_opts *opts, struct ingest **ret_ingest,
	struct sg_fault *why);

/* How many members the consumer group has, as its coordinator sees it: a static
 * one that has left counts until its session ends. */
SG_MUSTCHECK enum sg_err
ingest_members(struct ingest *ingest, int32_t timeout_ms, int32_t *ret_n,
	struct sg_fault *why);

/* The record is valid during the call; an error ends the reading. */
typedef enum sg_err (*ingest_each)(
	void *ctx, const struct record *rec, struct sg_fault *why);

/*
 * Partition `group` of every input between the given offsets (to: not
 * included), what is committed, ordered by Kafka's timestamp over the inputs.
 * Records keep their order within an input.
 *
 * Errors: SG_TIMEOUT after `timeout_ms` without a record; SG_OPERATOR; those of
 * each().
 */
SG_MUSTCHECK enum sg_err
ingest_read_all(struct ingest *ingest, int32_t group,
	const int64_t from[INPUTS_MAX], const int64_t to[INPUTS_MAX],
	int32_t timeout_ms, ingest_each each, void *ctx, struct sg_fault *why);

struct ingest_follow_opts {
	const char *topic;
	int32_t npartitions;
	int64_t from_offset; /* of each partition; -1: since_ms counts */
	int64_t since_ms;    /* by Kafka's timestamps; INT64_MIN: from what is
				there; INT64_MAX: from the end */
	bool is_ended;	     /* at the end as it is now; else when stopped */
	int32_t timeout_ms;
	const atomic_bool *stop; /* NULL: none */
};

/*
 * A topic's records that are committed, of every partition, in order within
 * it. each() gets them (`input` is UINT32_MAX); an error of it ends the
 * reading.
 *
 * Errors: SG_INTERRUPTED when stopped; SG_TIMEOUT when the present end is not
 * come to; SG_OPERATOR.
 */
SG_MUSTCHECK enum sg_err
ingest_follow(struct ingest *ingest, const struct ingest_follow_opts *opts,
	ingest_each each, void *ctx, struct sg_fault *why);

/* --- reading an output back (take-over) --------------------------------- */

/*
 * Read partition `group` of `topic` from `offset` to the end as it is now (the
 * uncommitted high watermark is taken first; waits until the last stable
 * offset has passed it), read_committed. each() gets every record (its `input`
 * is UINT32_MAX, it is valid during the call); an error of it ends the walk.
 * *ret_next is the offset to go on from, at least that high watermark.
 * INGEST_OFFSET_NONE: from what is there.
 *
 * Errors: SG_TIMEOUT after `timeout_ms` without progress: another producer's
 * open transaction is in the way. SG_OPERATOR when the topic does not reach
 * from `offset` to its end any more, or ends before it.
 */
SG_MUSTCHECK enum sg_err
ingest_walk(struct ingest *ingest, const char *topic, int32_t group,
	int64_t offset, int32_t timeout_ms,
	enum sg_err (*each)(
		void *ctx, const struct record *rec, struct sg_fault *why),
	void *ctx, int64_t *ret_next, struct sg_fault *why);

#endif
