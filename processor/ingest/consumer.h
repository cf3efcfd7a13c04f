/*
 * consumer.h - what the files of ingest/ share.
 */
#ifndef INGEST_CONSUMER_H
#define INGEST_CONSUMER_H

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>

#include "segmentd/ingest.h"
#include "segmentd/log.h"

/* A property with the value that segmentd gives it; a user may have set it
 * before (`is_default`), and then keeps it. */
struct consumer_prop {
	const char *name;
	const char *value;
	bool is_default;
};

/* One partition group. */
struct consumer_group {
	bool is_assigned;
	bool is_started;  /* `start` holds, for the assignment being made */
	uint32_t present; /* bit per input: in the assignment at hand */
	uint32_t paused;  /* bit per input */
	int64_t start[INPUTS_MAX];
	int64_t next[INPUTS_MAX]; /* least offset still wanted */
};

struct ingest {
	rd_kafka_t *rk;
	rd_kafka_queue_t *queue; /* of the consumer: records and callbacks */
	rd_kafka_t *asker;	 /* reads uncommitted: true high watermarks */
	rd_kafka_t *walker;	 /* reads outputs back; NULL until needed */
	rd_kafka_t *reader;	 /* reads inputs as an onlooker; the same */

	struct ingest_events events;
	struct kafka_prop *props; /* copies, with strings */
	size_t nprops;
	char *group_id;
	char *instance;
	char *topics[INPUTS_MAX];
	rd_kafka_topic_t *rkts[INPUTS_MAX];
	uint32_t ntopics;

	int32_t ngroups;
	struct consumer_group *groups; /* by partition number */
	int32_t *numbers;	       /* scratch: room for ngroups */

	/* The batch. */
	size_t batch_max;
	rd_kafka_message_t **messages;
	size_t nmessages;
	struct record *records;
	struct ingest_end *ends;
	struct arena headers;

	/* Noted by the rebalance callback, done by the next poll. NULL is a
	 * revocation. */
	rd_kafka_topic_partition_list_t *coming;
	int64_t probe_at_us;
	struct log_limit complaints; /* of librdkafka about what it fetches */
	/* Contact or groups were lost; 0: never. librdkafka's threads note it.
	 */
	_Atomic int64_t lost_at_us;
	_Atomic int64_t fenced_at_us; /* librdkafka gave up; 0: it did not */
	_Atomic bool is_down;	      /* another thread may ask */
	bool is_rebalancing;
	bool is_assigning; /* inside assigned() */
	bool is_closing;
	bool is_from_latest;
};

/* ingest.c. Without `events` it is an onlooker, no member of the group. */
SG_MUSTCHECK enum sg_err
consumer_open(const struct ingest_opts *opts,
	const struct ingest_events *events, struct ingest **ret_ingest,
	struct sg_fault *why);
/* With `callbacks` it is the member of the group. */
SG_MUSTCHECK enum sg_err
consumer_new(const struct ingest *in, const struct consumer_prop *props,
	size_t nprops, struct ingest *callbacks, rd_kafka_t **ret_rk,
	struct sg_fault *why);
void
consumer_probe(struct ingest *in);
/* Has librdkafka given up on the member? Then nothing but reviving it helps. */
bool
consumer_is_dead(const struct ingest *in);
SG_MUSTCHECK enum sg_err
consumer_revive(struct ingest *in, struct sg_fault *why);

/* rebalance.c */
void
consumer_on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code,
	rd_kafka_topic_partition_list_t *list, void *opaque);
bool
consumer_has_rebalance(const struct ingest *in);
/* Do what the callback noted. No record may be in hand. */
SG_MUSTCHECK enum sg_err
consumer_rebalance(struct ingest *in, struct sg_fault *why);
/* revoked() for what is still ours, and agree to a noted revocation. */
void
consumer_let_go(struct ingest *in);
/* Input of a topic, -1 for none. */
int
consumer_input(const struct ingest *in, const char *topic);
/* The group, NULL unless it is assigned. */
struct consumer_group *
consumer_group(const struct ingest *in, int32_t partition);
/* Seek these inputs (bits) of an assigned group to its `next`. */
SG_MUSTCHECK enum sg_err
consumer_seek(struct ingest *in, int32_t partition, uint32_t inputs,
	struct sg_fault *why);

/* Fetch what is assigned from each `next` on, whatever has stopped it. */
SG_MUSTCHECK enum sg_err
consumer_restart(struct ingest *in, struct sg_fault *why);

/* batch.c */
size_t
consumer_take(rd_kafka_queue_t *queue, int32_t timeout_ms,
	rd_kafka_message_t **messages, size_t max);
/* Everything but `input` of a record; headers go into `headers`. */
void
consumer_record(const rd_kafka_message_t *message, struct arena *headers,
	struct record *ret_rec);

/* walk.c */
SG_MUSTCHECK enum sg_err
consumer_need_walker(struct ingest *in, struct sg_fault *why);

/* position.c */
SG_MUSTCHECK enum sg_err
consumer_range(struct ingest *in, const char *topic, int32_t partition,
	int32_t timeout_ms, int64_t *ret_low, int64_t *ret_high,
	struct sg_fault *why);
/* The code for a failed request to a broker. */
SG_MUSTCHECK enum sg_err
consumer_error(rd_kafka_resp_err_t code, const char *what, const char *topic,
	int32_t partition, struct sg_fault *why);

#endif
