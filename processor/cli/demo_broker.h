/*
 * demo_broker.h - a broker inside this process: librdkafka's mock cluster.
 *
 * It keeps at most 5 MiB of a partition, compressed, and forgets the rest, so
 * a larger company gets more partitions.
 */
#ifndef CLI_DEMO_BROKER_H
#define CLI_DEMO_BROKER_H

#include "demo_company.h"
#include "segmentd/conf.h"

#define DEMO_PARTITIONS_MAX 32

struct demo_broker;

/* With the topics of the configuration. Errors: SG_NOMEM, SG_BROKER_DOWN. */
SG_MUSTCHECK enum sg_err
demo_broker_open(uint32_t naccounts, struct demo_broker **ret_broker,
	struct sg_fault *why);
void
demo_broker_close(struct demo_broker *broker);

/* "127.0.0.1:41234". Valid until: it is closed. */
const char *
demo_broker_address(const struct demo_broker *broker);
int32_t
demo_broker_partitions(const struct demo_broker *broker);

/* The topics that `conf` names, empty. */
SG_MUSTCHECK enum sg_err
demo_broker_topics(struct demo_broker *broker, const struct conf *conf,
	struct sg_fault *why);

/* *ret_partition is where all records of this account go. */
SG_MUSTCHECK enum sg_err
demo_broker_send(struct demo_broker *broker, enum demo_input input,
	const char *account, const struct buf *value, int32_t *ret_partition,
	struct sg_fault *why);

/*
 * Keep consumers from joining a group, as a broker does whose coordinator is
 * not there yet. They go on asking.
 */
void
demo_broker_hold_groups(struct demo_broker *broker, bool is_held);

/* Wait until all is written, and see that nothing is forgotten already. */
SG_MUSTCHECK enum sg_err
demo_broker_flush(struct demo_broker *broker, struct sg_fault *why);

#endif
