/*
 * producing.h - what the files of publish/ share about librdkafka.
 */
#ifndef PUBLISH_PRODUCING_H
#define PUBLISH_PRODUCING_H

#include <librdkafka/rdkafka.h>

#include "segmentd/publish.h"

#define PARTITIONS_MAX (1 << 17)

/* Offsets of this transaction's records in one partition of an output. */
struct publish_span {
	int64_t first; /* -1: none, or not known */
	int64_t next;
};

/* Partition N of the outputs. Stays where it is: librdkafka hands a pointer to
 * a span back with each delivery. */
struct publish_group {
	struct publish_span spans[PUBLISH_TOPIC_COUNT];
};

struct publish {
	rd_kafka_t *rk;
	rd_kafka_topic_t *rkts[PUBLISH_TOPIC_COUNT];
	char *source;
	bool is_at_least_once;
	bool has_schema_ids;
	int32_t schema_ids[PUBLISH_TOPIC_COUNT];
	struct buf value; /* scratch: one value */

	struct publish_group **groups; /* by number; NULL: not seen yet */
	int32_t ngroups;

	/* First failed delivery since publish_begin(). */
	rd_kafka_resp_err_t failed;
	char failed_topic[64];
	uint32_t nsent;
};

/* handle.c: a producer (or a client for requests) with the user's properties
 * and then `own`, which have priority; `defaults` yield to the user's. */
SG_MUSTCHECK enum sg_err
producing_conf(const struct kafka_prop *props, size_t nprops,
	const struct kafka_prop *own, size_t nown, rd_kafka_conf_t **ret_conf,
	struct sg_fault *why);
/* Takes the configuration over. */
SG_MUSTCHECK enum sg_err
producing_new(rd_kafka_conf_t *conf, rd_kafka_t **ret_rk, struct sg_fault *why);

/* txn.c: the code for what a transaction call returned; destroys it. */
SG_MUSTCHECK enum sg_err
producing_error(struct publish *pub, rd_kafka_error_t *error, const char *what,
	struct sg_fault *why);
/* SG_OK unless the producer is beyond repair. */
SG_MUSTCHECK enum sg_err
producing_fatal(const struct publish *pub, struct sg_fault *why);

/* produce.c */
void
producing_forget(struct publish_group *grp);
void
producing_delivered(
	rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque);

#endif
