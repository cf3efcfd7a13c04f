/*
 * kafka.h - what reading from and writing to Kafka have in common.
 *
 * Thread: any.
 */
#ifndef SEGMENTD_KAFKA_H
#define SEGMENTD_KAFKA_H

#include <stddef.h>
#include <stdint.h>

#include "segmentd/err.h"

/* A librdkafka property, handed through. */
struct kafka_prop {
	const char *name;
	const char *value;
};

/*
 * Would librdkafka take these properties? Errors: SG_BAD_OPTION, and
 * *ret_index is the first bad one: not known, a value out of range, or one
 * that segmentd sets itself (the fault says which option does).
 */
SG_MUSTCHECK enum sg_err
kafka_props_check(const struct kafka_prop *props, size_t nprops,
	size_t *ret_index, struct sg_fault *why);

/*
 * Number of partitions of each topic, 0 where there is none. Creates nothing.
 * Errors: SG_BROKER_DOWN when no broker answers within `timeout_ms`;
 * SG_OPERATOR when access is refused.
 */
SG_MUSTCHECK enum sg_err
kafka_partition_counts(const struct kafka_prop *props, size_t nprops,
	const char *const *topics, size_t ntopics, int32_t timeout_ms,
	int32_t *ret_counts, struct sg_fault *why);

/* One line of librdkafka's log, by syslog level, as an entry of ours. A line
 * about properties of the other kind of client is left out: the same ones are
 * given to producers and consumers. */
void
kafka_log(
	const char *client, int level, const char *facility, const char *text);

#endif
