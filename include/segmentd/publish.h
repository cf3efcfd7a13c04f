/*
 * publish.h - decisions and input offsets, in one Kafka transaction.
 *
 * One struct publish a worker: a transactional producer (or, with
 * delivery: at_least_once, an idempotent one). The calls follow a
 * transaction: begin, add..., offsets, commit.
 *
 * Values are Avro (the schemas of schemas/) in single-object framing, or in
 * Confluent's when a registry has given them ids, with CloudEvents headers in
 * binary mode. A record goes to the partition that is
 * named: partition N of every output belongs to partition N of the inputs.
 *
 * Thread: the worker's.
 *
 * ERRORS of the transaction calls
 *   SG_BROKER_RETRY   call the same function again
 *   SG_TXN_ABORTABLE  publish_abort(), decide again
 *   SG_TXN_UNKNOWN    outcome unknown, or fatal: publish_close(), open a new
 *                     one, take over all groups
 *   SG_FENCED         the same, and known: another instance has taken the
 *                     transactional.id, or the broker gave the transaction up
 *                     (transaction.timeout.ms), which it reports alike
 *   SG_LIMIT          a value is larger than Kafka takes (message.max.bytes)
 *   SG_BAD_CONFIG     no such topic or partition
 */
#ifndef SEGMENTD_PUBLISH_H
#define SEGMENTD_PUBLISH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "segmentd/arena.h"
#include "segmentd/buf.h"
#include "segmentd/change.h"
#include "segmentd/err.h"
#include "segmentd/event.h"
#include "segmentd/kafka.h"
#include "segmentd/record.h"

enum publish_topic {
	PUBLISH_CHANGES,
	PUBLISH_CURRENT,
	PUBLISH_RENEWALS,
	PUBLISH_REJECTS,
	PUBLISH_TOPIC_COUNT
};

struct publish_opts {
	const struct kafka_prop *props;
	size_t nprops;
	const char *transactional_id;
	bool is_at_least_once;
	const char *topics[PUBLISH_TOPIC_COUNT];
	/* A topic that is read, made here with the outputs; NULL: none. */
	const char *overrides;
	const char *source; /* ce_source: "segmentd/<group>" */
	/* The registry's ids of the values' schemas, for Confluent framing. */
	bool has_schema_ids;
	int32_t schema_ids[PUBLISH_TOPIC_COUNT];
};

struct publish;

/*
 * Create the output topics that are absent, with `npartitions` partitions and
 * the replication factor given (-1: the broker's default); compaction for
 * current. With `may_create` false an absent topic is refused. Existing ones
 * that differ in partition count: SG_BAD_CONFIG, all of them with the numbers.
 * So is current when it is not compacted, or another when it is.
 */
SG_MUSTCHECK enum sg_err
publish_check_topics(const struct publish_opts *opts, int32_t npartitions,
	int32_t replication, bool may_create, int32_t timeout_ms,
	struct sg_fault *why);

/* Connects and calls init_transactions (fences older owners of the id). */
SG_MUSTCHECK enum sg_err
publish_open(const struct publish_opts *opts, int32_t timeout_ms,
	struct publish **ret_pub, struct sg_fault *why);
void
publish_close(struct publish *pub);

SG_MUSTCHECK enum sg_err
publish_begin(struct publish *pub, struct sg_fault *why);

/* One change, to segmentd.changes (header cno = `change_number`, counted per
 * group); a renewal-window change also to segmentd.renewals. */
SG_MUSTCHECK enum sg_err
publish_change(struct publish *pub, int32_t group, const struct change *change,
	uint64_t change_number, struct sg_fault *why);

/* The account's whole membership, to segmentd.current; a tombstone (null
 * value, version in the headers) when it is deleted. `decided` (NULL: none) is
 * a text kept with it for publish_image_decided(). */
SG_MUSTCHECK enum sg_err
publish_image(struct publish *pub, int32_t group,
	const struct membership_image *image, const char *decided,
	struct sg_fault *why);

/* Why a record was rejected. */
struct publish_reason {
	enum sg_err err;
	const char *topic;  /* the input's */
	const char *detail; /* NULL: none */
	const char *schema; /* what it named its schema by; NULL: nothing */
};

/* A record that could not be read: bytes and key unchanged, headers kept and
 * added (schemas/README.md). What does not fit any more with them is left out,
 * value first, and a header says so. */
SG_MUSTCHECK enum sg_err
publish_reject(struct publish *pub, int32_t group, const struct record *rec,
	const struct publish_reason *reason, struct sg_fault *why);

/* Input offsets of one group (the next to read), with the metadata text. */
struct publish_offset {
	const char *topic;
	int32_t partition;
	int64_t offset;
	const char *metadata;
};

/* The offsets of all groups of the transaction. `group_metadata` is of
 * ingest_group_metadata(). SG_TXN_ABORTABLE: among others when the group is in
 * another generation by now. Does nothing with is_at_least_once: call
 * ingest_commit() after publish_commit() then. */
SG_MUSTCHECK enum sg_err
publish_offsets(struct publish *pub, const struct publish_offset *offsets,
	size_t n, const void *group_metadata, size_t group_metadata_len,
	int32_t timeout_ms, struct sg_fault *why);

SG_MUSTCHECK enum sg_err
publish_commit(struct publish *pub, int32_t timeout_ms, struct sg_fault *why);
SG_MUSTCHECK enum sg_err
publish_abort(struct publish *pub, int32_t timeout_ms, struct sg_fault *why);

/* After publish_commit(): the offset of the first record of this transaction
 * on topic/group; and the offset after the last. -1 when there is none, or when
 * it is not known: the broker had taken the record, its answer was lost, and it
 * refused the repeat. */
int64_t
publish_first_offset(
	const struct publish *pub, enum publish_topic topic, int32_t group);
int64_t
publish_next_offset(
	const struct publish *pub, enum publish_topic topic, int32_t group);

/* --- forms -------------------------------------------------------------- */

/* The Avro schema of a topic's values, as JSON; NULL: it has none. */
const char *
publish_schema_text(enum publish_topic topic);

/* A change as one JSON object (no newline): the fields of the Avro schema,
 * times as RFC 3339. */
void
publish_change_json(const struct change *change, struct buf *out);

/* Avro bytes in single-object framing. */
SG_MUSTCHECK enum sg_err
publish_change_avro(
	const struct change *change, struct buf *out, struct sg_fault *why);
SG_MUSTCHECK enum sg_err
publish_image_avro(const struct membership_image *image, struct buf *out,
	struct sg_fault *why);

/* Read back a record of segmentd.current (take-over), in either framing. A
 * tombstone gives is_deleted. Valid until: the arena is reset.
 * Errors: SG_BAD_RECORD, SG_UNKNOWN_SCHEMA. */
SG_MUSTCHECK enum sg_err
publish_image_read(const struct record *rec, struct arena *arena,
	struct membership_image *ret_image, struct sg_fault *why);

/* The text that was kept with it, in `arena`; NULL: none, or no memory. */
const char *
publish_image_decided(const struct record *rec, struct arena *arena);

/* --- plain producing (load, demo) --------------------------------------- */

struct producer;

/* `stop` (may be NULL) ends the waits of send and flush: SG_INTERRUPTED. */
SG_MUSTCHECK enum sg_err
producer_open(const struct kafka_prop *props, size_t nprops,
	const atomic_bool *stop, struct producer **ret_prod,
	struct sg_fault *why);

/* Partition by murmur2 of the key, as Java clients do. Copies. Waits while the
 * queue is full. Errors of delivery are counted, and returned by flush. */
SG_MUSTCHECK enum sg_err
producer_send(struct producer *prod, const char *topic, const void *key,
	size_t key_len, const void *value, size_t value_len,
	int64_t timestamp_ms, struct sg_fault *why);

struct producer_record {
	const void *key;
	size_t key_len;
	const void *value;
	size_t value_len;
	int64_t kafka_ms;
};

/* The same to a partition that is named. */
SG_MUSTCHECK enum sg_err
producer_send_to(struct producer *prod, const char *topic, int32_t partition,
	const struct producer_record *rec, struct sg_fault *why);
SG_MUSTCHECK enum sg_err
producer_flush(struct producer *prod, int32_t timeout_ms, struct sg_fault *why);
uint64_t
producer_delivered(const struct producer *prod);
void
producer_close(struct producer *prod);

#endif
